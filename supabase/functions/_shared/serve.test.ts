import { createServer, type IncomingHttpHeaders, type Server } from "node:http";
import type { AddressInfo } from "node:net";
import { exportJWK, generateKeyPair, SignJWT } from "jose";
import { afterAll, beforeAll, beforeEach, describe, expect, it, vi } from "vitest";
import WebSocket from "ws";
import { holdRequestSchema } from "../../../src/lib/contracts.ts";
import { type Problem, type ProblemCode, problemSchema } from "../../../src/lib/problems.ts";
import cancelFunction from "../sessions-cancel/index.ts";
import confirmFunction from "../sessions-confirm/index.ts";
import holdFunction from "../sessions-hold/index.ts";
import { MAX_BODY_BYTES } from "./body.ts";
import { serve } from "./serve.ts";

const KEY = "5f0c6f0e-6f7a-4f0e-9a53-1d8f6a0b7c11";
const ISSUER = "https://project.example/auth/v1";
const TIME = {
  start_time: "2027-03-02T09:00:00-08:00",
  end_time: "2027-03-02T10:00:00-08:00",
  start_time_offset_minutes: -480,
  end_time_offset_minutes: -480,
};
const WHO = { therapist_id: KEY, client_id: KEY, service_code: "97153", time_zone: "America/Los_Angeles" };
const HOLD = { ...WHO, ...TIME };
const DATA = { hold_key: KEY };

/** What the stand-in for PostgREST saw, and what it answers. */
let seen: { path: string; headers: IncomingHttpHeaders; body: unknown }[];
let answer: { status: number; body: unknown } | "broken" | "silent";

let rest: Server;
let url: string;
let sign: (claims?: Record<string, unknown>, expires?: string | null) => Promise<string>;
let forge: () => Promise<string>;
let token: string;
/** The lines of the log: of what failed on our side, and of everything else. */
let logged: string[];
let told: string[];

beforeAll(async () => {
  rest = createServer(async (request, response) => {
    let text = "";
    for await (const chunk of request) text += chunk;
    seen.push({ path: request.url ?? "", headers: request.headers, body: JSON.parse(text) });
    if (answer === "silent") return;
    if (answer === "broken") return void request.socket.destroy();
    response.writeHead(answer.status, { "content-type": "application/json" });
    response.end(JSON.stringify(answer.body));
  });
  await new Promise<void>((resolve) => rest.listen(0, "127.0.0.1", resolve));
  url = `http://127.0.0.1:${(rest.address() as AddressInfo).port}`;

  const ours = await generateKeyPair("ES256", { extractable: true });
  const theirs = await generateKeyPair("ES256");
  const signer =
    (key: CryptoKey) =>
    (claims: Record<string, unknown> = {}, expires: string | null = "1h") => {
      const jwt = new SignJWT({ role: "authenticated", iss: ISSUER, aud: "authenticated", ...claims })
        .setProtectedHeader({ alg: "ES256", kid: "test" })
        .setSubject(KEY);
      return (expires ? jwt.setExpirationTime(expires) : jwt).sign(key);
    };
  sign = signer(ours.privateKey);
  forge = () => signer(theirs.privateKey)();
  token = await sign();

  const jwk = { ...(await exportJWK(ours.publicKey)), kid: "test", alg: "ES256" };
  // Deno has one; supabase-js asks for one on Node 20 too.
  vi.stubGlobal("WebSocket", WebSocket);
  vi.stubEnv("SUPABASE_URL", url);
  vi.stubEnv("HOLDFAST_JWT_ISSUER", ISSUER);
  vi.stubEnv("SUPABASE_JWKS", JSON.stringify({ keys: [jwk] }));
  vi.stubEnv("SUPABASE_PUBLISHABLE_KEYS", JSON.stringify({ default: "sb_publishable_test" }));
  vi.spyOn(console, "error").mockImplementation((line: string) => void logged.push(line));
  vi.spyOn(console, "log").mockImplementation((line: string) => void told.push(line));
});

afterAll(() => {
  vi.unstubAllEnvs();
  vi.unstubAllGlobals();
  vi.restoreAllMocks();
  rest.closeAllConnections();
  rest.close();
});

beforeEach(() => {
  seen = [];
  logged = [];
  told = [];
  answer = { status: 200, body: { data: DATA, replayed: false } };
});

function request(body: unknown = HOLD, headers: Record<string, string> = {}, method = "POST") {
  const text = typeof body === "string" || body instanceof Uint8Array ? body : JSON.stringify(body);
  return new Request("http://localhost/functions/v1/sessions-hold", {
    method,
    headers: { Authorization: `Bearer ${token}`, "Content-Type": "application/json", ...headers },
    ...(method === "POST" ? { body: text as BodyInit } : {}),
  });
}

const post = (body?: unknown, headers?: Record<string, string>) => holdFunction.fetch(request(body, headers));

/** Checks that an answer is the problem of `code` in every respect, and gives it. */
async function problemOf<C extends ProblemCode>(response: Response, code: C): Promise<Problem<C>> {
  const body: unknown = await response.json();
  const problem = problemSchema.parse(body);
  expect(problem).toEqual(body);
  expect([problem.code, problem.status]).toEqual([code, response.status]);
  expect(response.headers.get("content-type")).toBe("application/problem+json");
  expect(response.headers.get("cache-control")).toBe("no-store");
  expect(response.headers.get("access-control-allow-origin")).toBe("*");
  expect(response.headers.get("x-request-id")).toMatch(/^[A-Za-z0-9._-]{1,64}$/);
  return problem as Problem<C>;
}

describe("a function", () => {
  it("calls its one RPC as the caller, and answers its data", async () => {
    const response = await post(HOLD, { "Idempotency-Key": "key-1", "X-Request-Id": "abc.DEF_1-2" });
    expect([response.status, await response.json()]).toEqual([201, { data: DATA }]);
    expect(response.headers.get("content-type")).toBe("application/json");
    expect(response.headers.get("x-request-id")).toBe("abc.DEF_1-2");
    expect(response.headers.has("idempotency-replayed")).toBe(false);
    expect(seen).toHaveLength(1);
    expect(seen[0]).toMatchObject({
      path: "/rest/v1/rpc/hold_sessions",
      headers: {
        authorization: `Bearer ${token}`,
        apikey: "sb_publishable_test",
        "x-request-id": "abc.DEF_1-2",
      },
      body: {
        request: { ...WHO, occurrences: [TIME], hold_seconds: 300, on_conflict: "abort" },
        idempotency_key: "key-1",
      },
    });
  });

  it("says when it answers a stored success again", async () => {
    answer = { status: 200, body: { data: DATA, replayed: true } };
    const response = await post();
    expect([response.status, response.headers.get("idempotency-replayed")]).toEqual([201, "true"]);
    expect(seen[0]?.body).toMatchObject({ idempotency_key: null });
  });

  it.each([
    ["sessions-confirm", confirmFunction, { hold_key: KEY }, "confirm_sessions"],
    ["sessions-cancel", cancelFunction, { session_ids: [KEY], cancelled_by: "clinic" }, "cancel_sessions"],
  ])("%s answers 200 from its own RPC", async (_, fn, body, rpc) => {
    const response = await fn.fetch(request(body));
    expect([response.status, seen[0]?.path]).toEqual([200, `/rest/v1/rpc/${rpc}`]);
    expect(seen[0]?.body).toEqual({ request: body, idempotency_key: null });
  });

  it("answers a preflight without a token, for every header that supabase-js sends", async () => {
    const preflight = new Request(url, { method: "OPTIONS", headers: { Origin: "https://app.example" } });
    const response = await holdFunction.fetch(preflight);
    expect(response.status).toBe(204);
    const list = (name: string) => response.headers.get(name)?.split(", ") ?? [];
    expect(list("access-control-allow-headers")).toEqual(
      expect.arrayContaining([
        "authorization",
        "x-client-info",
        "apikey",
        "content-type",
        "idempotency-key",
        "x-request-id",
        "traceparent",
        "tracestate",
        "baggage",
      ]),
    );
    expect(list("access-control-allow-methods")).toContain("POST");
    expect(list("access-control-expose-headers")).toEqual(
      expect.arrayContaining(["idempotency-replayed", "retry-after", "x-request-id"]),
    );
  });

  it.each(["GET", "PUT", "DELETE", "PATCH"])("refuses %s and says what it allows", async (method) => {
    const response = await holdFunction.fetch(request(undefined, {}, method));
    await problemOf(response, "method_not_allowed");
    expect(response.headers.get("allow")).toBe("POST, OPTIONS");
  });

  it.each(["", "a b", "x".repeat(65), "drop;table", "naïve"])(
    "gives a request with the id '%s' a new one",
    async (id) => {
      const response = await post(HOLD, { "X-Request-Id": id });
      expect(response.headers.get("x-request-id")).toMatch(/^[0-9a-f-]{36}$/);
      expect(seen[0]?.headers["x-request-id"]).toBe(response.headers.get("x-request-id"));
    },
  );
});

describe("who is asking", () => {
  const unsigned = (alg: string) =>
    `${btoa(JSON.stringify({ alg, kid: "test" }))}.${btoa(JSON.stringify({ sub: KEY, role: "authenticated" }))}.`;

  it.each<[string, () => string | Promise<string>]>([
    ["no token", () => ""],
    ["a publishable key for a token", () => "Bearer sb_publishable_test"],
    ["an expired token", async () => `Bearer ${await sign({}, "-1m")}`],
    ["a forged token", async () => `Bearer ${await forge()}`],
    ["an unsigned token", () => `Bearer ${unsigned("none")}`],
    ["a token signed by name only", () => `Bearer ${unsigned("HS256")}x`],
    ["nonsense", () => "Bearer x.y.z"],
    ["another scheme", () => `Basic ${btoa("a:b")}`],
  ])("is refused with %s, before the body is looked at", async (_, authorization) => {
    const response = await post("{ not json", { Authorization: await authorization() });
    await problemOf(response, "unauthenticated");
    expect(response.headers.get("www-authenticate")).toBe("Bearer");
    expect(seen).toEqual([]);
  });

  it("counts only from this project's own Auth: by name, by SUPABASE_URL, or as `supabase start` signs", async () => {
    const statusOf = async (iss: string) =>
      (await post({}, { Authorization: `Bearer ${await sign({ iss })}` })).status;
    const taken = 422;
    expect(await statusOf(ISSUER)).toBe(taken);
    expect(await statusOf("https://elsewhere.example/auth/v1")).toBe(401);
    vi.stubEnv("HOLDFAST_JWT_ISSUER", "");
    expect(await statusOf(`${url}/auth/v1`)).toBe(taken);
    expect(await statusOf(ISSUER)).toBe(401);
    vi.stubEnv("SUPABASE_URL", "http://kong:8000");
    expect(await statusOf("http://127.0.0.1:54321/auth/v1")).toBe(taken);
    expect(await statusOf("http://127.0.0.1.elsewhere.example/auth/v1")).toBe(401);
    vi.stubEnv("SUPABASE_URL", url);
    vi.stubEnv("HOLDFAST_JWT_ISSUER", ISSUER);
  });

  it("counts only when it is meant for signed-in users, whoever else our key signs for", async () => {
    const statusOf = async (aud: unknown) =>
      (await post({}, { Authorization: `Bearer ${await sign({ aud })}` })).status;
    for (const aud of ["authenticated", ["elsewhere", "authenticated"]])
      expect(await statusOf(aud)).toBe(422);
    for (const aud of ["elsewhere", ["elsewhere"], undefined, ""]) expect(await statusOf(aud)).toBe(401);
  });

  it("counts only when it ends", async () => {
    const endless = await sign({}, null);
    expect((await post({}, { Authorization: `Bearer ${endless}` })).status).toBe(401);
  });

  it("is not the caller's fault when the function has no keys to verify with", async () => {
    const keys = process.env.SUPABASE_JWKS ?? "";
    vi.stubEnv("SUPABASE_JWKS", "");
    const response = await post();
    vi.stubEnv("SUPABASE_JWKS", keys);
    await problemOf(response, "internal_error");
    expect(logged.map((line) => JSON.parse(line).cause)).toEqual(["TypeError"]);
  });
});

describe("what is asked", () => {
  it.each<[string, unknown]>([
    ["cut off", '{"therapist_id": "'],
    ["empty", ""],
    ["not UTF-8", new Uint8Array([0x22, 0xff, 0x22])],
    ["followed by more", "{} {}"],
  ])("is refused as invalid_json when the body is %s", async (_, body) => {
    await problemOf(await post(body), "invalid_json");
    expect(seen).toEqual([]);
  });

  it.each(["", "a key", "x".repeat(256), "x".repeat(300), "ключ".replace(/./g, "é")])(
    "is refused with the idempotency key '%s'",
    async (key) => {
      await problemOf(await post(HOLD, { "Idempotency-Key": key }), "idempotency_key_invalid");
      expect(seen).toEqual([]);
    },
  );

  it.each(["x", "x".repeat(255), '"8e03978e-40d5-43dd-bc93-6894a57f9324"', "!~"])(
    "is accepted with the idempotency key '%s'",
    async (key) => {
      expect((await post(HOLD, { "Idempotency-Key": key })).status).toBe(201);
    },
  );

  it("is refused when it is over 2 MB, whether or not it says so", async () => {
    const large = JSON.stringify({ ...HOLD, service_code: "x".repeat(MAX_BODY_BYTES) });
    await problemOf(await post(large), "payload_too_large");
    await problemOf(await post(HOLD, { "Content-Length": String(MAX_BODY_BYTES + 1) }), "payload_too_large");
    expect(seen).toEqual([]);
  });

  it("is read up to exactly 2 MB", async () => {
    const text = JSON.stringify(HOLD);
    const response = await post(text + " ".repeat(MAX_BODY_BYTES - text.length));
    expect(response.status).toBe(201);
  });

  it("is refused field by field, and nothing of it is repeated", async () => {
    const response = await post({
      ...HOLD,
      end_time: TIME.start_time,
      colour: "Jane Doe",
      time_zone: "Jane/Doe",
    });
    const { errors } = await problemOf(response, "validation_failed");
    expect(errors.map(({ field, code }) => `${field} ${code}`).sort()).toEqual([
      "colour unknown_field",
      "end_time too_small",
      "time_zone invalid_value",
    ]);
    expect(JSON.stringify(errors)).not.toContain("Jane");
    expect(seen).toEqual([]);
  });

  it("gets one answer when it names 10 000 occurrences", async () => {
    const { errors } = await problemOf(
      await post({ ...WHO, occurrences: Array(10_000).fill({ start_time: 1 }) }),
      "validation_failed",
    );
    expect(errors).toHaveLength(1);
    expect(errors[0]).toMatchObject({ field: "occurrences", code: "too_big" });
  });
});

describe("what the database says", () => {
  const refuse = (problem: Record<string, unknown>) => {
    answer = { status: 200, body: { problem } };
  };

  it("is passed on when it refuses, with Retry-After", async () => {
    const conflicts = [
      { occurrence: 0, subject: "therapist", kind: "hold", until: "2027-03-02T18:00:00.123+00:00" },
    ];
    const alternatives = [{ start_time: TIME.start_time, end_time: TIME.end_time }];
    refuse({ code: "therapist_conflict", conflicts, alternatives, retry_after: 41.2 });
    const response = await post();
    expect(await problemOf(response, "therapist_conflict")).toMatchObject({ conflicts, alternatives });
    expect(response.headers.get("retry-after")).toBe("42");
    expect(logged).toEqual([]);
  });

  it("names a field as the caller wrote it: a single time is no list", async () => {
    const field = "occurrences[0].start_time_offset_minutes";
    refuse({ code: "offset_mismatch", errors: [{ field, code: "offset_mismatch", message: "Wrong." }] });
    expect((await problemOf(await post(), "offset_mismatch")).errors[0]?.field).toBe(
      "start_time_offset_minutes",
    );
    const { errors } = await problemOf(await post({ ...WHO, occurrences: [TIME] }), "offset_mismatch");
    expect(errors[0]?.field).toBe(field);
  });

  it.each<[ProblemCode, Record<string, unknown>]>([
    ["forbidden", {}],
    ["mfa_required", {}],
    ["not_found", { detail: "No such therapist." }],
    ["client_conflict", {}],
    ["room_conflict", {}],
    ["therapist_unavailable", {}],
    ["idempotency_in_flight", { retry_after: 1 }],
    ["hold_expired", { still_free: true }],
    ["idempotency_key_reused", {}],
    ["rate_limited", { retry_after: 30 }],
  ])("is a problem with the code %s", async (code, members) => {
    refuse({ code, ...members });
    expect(await problemOf(await post(), code)).toMatchObject(members);
  });

  it.each<[number, string, string, ProblemCode]>([
    [500, "40P01", "deadlock detected", "unavailable"],
    [403, "42501", "permission denied for function hold_sessions", "forbidden"],
    [409, "23P01", 'violates exclusion constraint "calendar_claims_no_overlap"', "therapist_conflict"],
    [400, "22P02", "invalid input syntax", "validation_failed"],
    [401, "PGRST303", "JWT expired", "unauthenticated"],
    [503, "PGRST000", "no connection", "unavailable"],
    [404, "PGRST202", "could not find the function", "internal_error"],
    [500, "XX000", "Jane Doe is in the message", "internal_error"],
  ])("is mapped when it raises (%i %s)", async (status, code, message, expected) => {
    answer = { status, body: { code, message, details: "Jane Doe", hint: "Jane Doe" } };
    const problem = await problemOf(await post(HOLD, { "X-Request-Id": "r1" }), expected);
    expect(JSON.stringify(problem)).not.toContain("Jane");
    expect(logged.map((line) => JSON.parse(line))).toEqual(
      problem.status < 500
        ? []
        : [
            {
              level: "error",
              function: "sessions-hold",
              request_id: "r1",
              status: problem.status,
              code: expected,
              cause: code,
              duration_ms: expect.any(Number),
            },
          ],
    );
  });

  it.each<[string, unknown]>([
    ["nothing", null],
    ["a list", []],
    ["data without replayed", { data: {} }],
    ["an unknown code", { problem: { code: "odd" } }],
    ["a member of a wrong shape", { problem: { code: "hold_expired", still_free: "yes" } }],
  ])("is a defect of ours when it answers %s", async (_, body) => {
    answer = { status: 200, body };
    await problemOf(await post(), "internal_error");
    expect(logged).toHaveLength(1);
  });

  it("is unavailable when the connection breaks, and the caller is told when to try again", async () => {
    answer = "broken";
    const response = await post();
    await problemOf(response, "unavailable");
    expect(response.headers.get("retry-after")).toBe("2");
    expect(seen).toHaveLength(1);
  });

  it("is unavailable when it takes too long", async () => {
    answer = "silent";
    const impatient = serve({
      name: "impatient",
      request: holdRequestSchema,
      rpc: "hold_sessions",
      status: 201,
      timeoutMs: 100,
    });
    const response = await impatient(request());
    await problemOf(response, "unavailable");
    expect(response.headers.get("retry-after")).toBe("2");
  });

  it("is unavailable when what stands before it answers in its own words", async () => {
    answer = { status: 502, body: "Bad gateway" };
    await problemOf(await post(), "unavailable");
  });
});
