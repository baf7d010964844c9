// Runs under Deno, for the benchmark `functions`: the least that an Edge Function can be.

export default { fetch: (): Response => Response.json({ code: "unauthenticated" }, { status: 401 }) };
