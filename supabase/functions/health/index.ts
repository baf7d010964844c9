/**
 * GET health: whether requests can be served now, for monitors and load balancers, who sign in nowhere. GET health/live: only
 * whether functions run.
 */
import { z } from "zod";
import { toProblem } from "../../../src/lib/problems.ts";
import { success } from "../_shared/respond.ts";
import { clientOf } from "../_shared/rpc.ts";
import { type Reply, traced } from "../_shared/traced.ts";

const TIMEOUT_MS = 3_000;
const RETRY_SECONDS = 5;

const healthSchema = z.object({
  ok: z.boolean(),
  version: z.string().nullable(),
  checks: z.array(z.object({ name: z.string(), ok: z.boolean() })),
});

/**
 * Answers `unavailable` where the database does not answer in time, or says that it cannot serve. However many ask, and
 * anybody may, the database is asked once at a time; so none of them is turned away.
 */
export function health(timeoutMs: number) {
  let asked: ReturnType<typeof askDatabase> | undefined;
  return traced("health", "GET, HEAD", reply, Number.POSITIVE_INFINITY);

  async function reply(request: Request, requestId: string): Promise<Reply> {
    if (new URL(request.url).pathname.endsWith("/health/live")) {
      return { response: success(requestId, 200, { ok: true }, false) };
    }
    asked ??= askDatabase(requestId, timeoutMs).finally(() => {
      asked = undefined;
    });
    const { data, error } = await asked;
    if (error)
      return { problem: unavailable(), cause: /^\w{5,8}$/.test(error.code) ? error.code : undefined };

    const state = healthSchema.parse(data);
    if (state.ok) return { response: success(requestId, 200, state, false) };
    return { problem: unavailable(), cause: state.checks.find(({ ok }) => !ok)?.name };
  }
}

const askDatabase = async (requestId: string, timeoutMs: number) =>
  clientOf({ caller: "nobody", requestId }).rpc("health").abortSignal(AbortSignal.timeout(timeoutMs));

const unavailable = () => toProblem("unavailable", { retry_after: RETRY_SECONDS });

export default { fetch: health(TIMEOUT_MS) };
