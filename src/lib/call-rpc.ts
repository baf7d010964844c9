/** One call of an RPC over REST by supabase-js: its data, parsed, or a `HoldfastError`. */
import type { SupabaseClient } from "@supabase/supabase-js";
import { z } from "zod";
import type { CallOptions } from "./call.ts";
import { HoldfastError, toAppProblem } from "./errors.ts";
import { type Problem, problemFromRefusal, toProblem } from "./problems.ts";
import { withRetries } from "./retry.ts";

const RETRY_SECONDS = 0.25;

const answerSchema = z.union([
  z.object({ data: z.unknown(), replayed: z.boolean() }),
  z.object({ problem: z.looseObject({ code: z.string() }) }),
]);

/**
 * Calls an RPC that answers `{data, replayed}` or `{problem}`, repeatedly as the options say.
 *
 * @throws HoldfastError for a refusal, an error of the database, and an answer that did not come; the signal's reason.
 */
export function callRpc<Data extends z.ZodType>(
  supabase: SupabaseClient,
  name: string,
  request: Record<string, unknown>,
  data: Data,
  { idempotencyKey = crypto.randomUUID(), ...retries }: CallOptions,
): Promise<z.output<Data>> {
  return withRetries(() => callOnce(supabase, name, request, data, idempotencyKey, retries.signal), retries);
}

async function callOnce<Data extends z.ZodType>(
  supabase: SupabaseClient,
  name: string,
  request: Record<string, unknown>,
  data: Data,
  idempotencyKey: string,
  signal: AbortSignal | undefined,
): Promise<z.output<Data>> {
  const call = supabase.rpc(name, { request, idempotency_key: idempotencyKey });
  const answer = await (signal ? call.abortSignal(signal) : call);
  if (signal?.aborted) throw signal.reason;
  if (answer.error) {
    const known = /^[A-Z0-9]{5,8}$/.test(answer.error.code ?? "");
    const problem = known ? await problemOfDatabase(answer.error) : problemOfStatus(answer.status);
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

/** The problem of an error that has a code of the database or of PostgREST. */
function problemOfDatabase(error: { code: string; message: string }): Promise<Problem> {
  return import("./database-problems.ts").then(
    ({ refusalOfDatabase }) => problemFromRefusal(refusalOfDatabase(error)),
    () => toProblem("unavailable", { retry_after: RETRY_SECONDS }),
  );
}

/** The problem of an answer without an error code: what stands before PostgREST, or nothing at all (status 0). */
function problemOfStatus(status: number): Problem {
  if (status === 401) return toProblem("unauthenticated");
  if (status === 413) return toProblem("payload_too_large");
  if (status === 429) return toProblem("rate_limited", { retry_after: 1 });
  if (status === 0 || status >= 500) return toProblem("unavailable", { retry_after: RETRY_SECONDS });
  return toProblem("internal_error");
}
