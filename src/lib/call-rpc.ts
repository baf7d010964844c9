/** One call of an RPC over REST by supabase-js: its data, parsed, or a `HoldfastError`. */
import type { SupabaseClient } from "@supabase/supabase-js";
import { z } from "zod";
import type { CallOptions } from "./call.ts";
import { HoldfastError, toAppProblem } from "./errors.ts";
import { type Problem, problemFromPostgrest, problemFromRefusal, toProblem } from "./problems.ts";

const RETRY_SECONDS = 0.25;

const answerSchema = z.union([
  z.object({ data: z.unknown(), replayed: z.boolean() }),
  z.object({ problem: z.looseObject({ code: z.string() }) }),
]);

/**
 * Calls an RPC that answers `{data, replayed}` or `{problem}`.
 *
 * @throws HoldfastError for a refusal, an error of the database, and an answer that did not come; the signal's reason.
 */
export async function callRpc<Data extends z.ZodType>(
  supabase: SupabaseClient,
  name: string,
  request: Record<string, unknown>,
  data: Data,
  { idempotencyKey = crypto.randomUUID(), signal }: CallOptions,
): Promise<z.output<Data>> {
  const call = supabase.rpc(name, { request, idempotency_key: idempotencyKey });
  const answer = await (signal ? call.abortSignal(signal) : call);
  if (signal?.aborted) throw signal.reason;
  if (answer.error) {
    const known = /^[A-Z0-9]{5,8}$/.test(answer.error.code ?? "");
    const problem = known ? problemFromPostgrest(answer.error) : problemOfStatus(answer.status);
    throw new HoldfastError(toAppProblem(problem), { cause: answer.error });
  }
  const parsed = answerSchema.safeParse(answer.data);
  if (parsed.success && "problem" in parsed.data) {
    throw new HoldfastError(toAppProblem(problemFromRefusal(parsed.data.problem)));
  }
  const result = data.safeParse(parsed.success && "data" in parsed.data ? parsed.data.data : undefined);
  if (result.success) return result.data;
  const unreadable = toProblem("internal_error", { detail: "The answer could not be read." });
  throw new HoldfastError(toAppProblem(unreadable), { cause: parsed.error ?? result.error });
}

/** The problem of an answer without an error code: what stands before PostgREST, or nothing at all (status 0). */
function problemOfStatus(status: number): Problem {
  if (status === 401) return toProblem("unauthenticated");
  if (status === 413) return toProblem("payload_too_large");
  if (status === 429) return toProblem("rate_limited", { retry_after: 1 });
  if (status === 0 || status >= 500) return toProblem("unavailable", { retry_after: RETRY_SECONDS });
  return toProblem("internal_error");
}
