/** One call of an RPC over REST by supabase-js: its data or rows, parsed, or a `HoldfastError`. */
import type { SupabaseClient } from "@supabase/supabase-js";
import { z } from "zod";
import type { CallOptions } from "./call.ts";
import { HoldfastError, toAppProblem, unreadable } from "./errors.ts";
import { withLiveToken } from "./live-token.ts";
import { type Problem, problemFromRefusal, type Refusal, toProblem } from "./problems.ts";
import { type RetryOptions, withRetries } from "./retry.ts";

const RETRY_SECONDS = 0.25;

// Of RPCs, all answer one of these but those that give rows.
const answerSchema = z.union([
  z.object({ problem: z.looseObject({ code: z.string() }) }),
  z.object({ data: z.unknown() }),
]);

/**
 * Calls an RPC that takes a request and a key and answers `{data, replayed}` or `{problem}`, repeatedly as the options say.
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
  return callNamed(supabase, name, { request, idempotency_key: idempotencyKey }, data, retries);
}

/** The same for an RPC whose arguments have names of their own. What must not happen twice is given `maxAttempts: 1`. */
export function callNamed<Data extends z.ZodType>(
  supabase: SupabaseClient,
  name: string,
  named: Record<string, unknown>,
  data: Data,
  retries: RetryOptions,
): Promise<z.output<Data>> {
  const attempt = async () => {
    const parsed = answerSchema.safeParse(await ask(supabase, name, named, retries.signal));
    if (parsed.success && "problem" in parsed.data) throw refused(parsed.data.problem);
    return readable(data, parsed.success && "data" in parsed.data ? parsed.data.data : undefined);
  };
  return withRetries(() => withLiveToken(supabase, attempt), retries);
}

/** Reads the rows that an RPC gives. */
export function readRows<Rows extends z.ZodType>(
  supabase: SupabaseClient,
  name: string,
  named: Record<string, unknown>,
  rows: Rows,
  retries: RetryOptions,
): Promise<z.output<Rows>> {
  const attempt = async () => readable(rows, await ask(supabase, name, named, retries.signal));
  return withRetries(() => withLiveToken(supabase, attempt), retries);
}

async function ask(
  supabase: SupabaseClient,
  name: string,
  named: Record<string, unknown>,
  signal: AbortSignal | undefined,
): Promise<unknown> {
  const call = supabase.rpc(name, named);
  const answer = await (signal ? call.abortSignal(signal) : call);
  if (signal?.aborted) throw signal.reason;
  if (!answer.error) return answer.data;
  // 401 is who asks without a token, or with one that has ended: its code is that of a missing grant, 42501.
  const known = answer.status !== 401 && /^[A-Z0-9]{5,8}$/.test(answer.error.code ?? "");
  const problem = known ? await problemOfDatabase(answer.error) : problemOfStatus(answer.status);
  throw new HoldfastError(toAppProblem(problem), { cause: answer.error });
}

/** The error of a refusal. What this version does not know, as a code of a newer server, cannot be read. */
function refused(refusal: Refusal): HoldfastError {
  try {
    return new HoldfastError(toAppProblem(problemFromRefusal(refusal)));
  } catch (error) {
    return new HoldfastError(toAppProblem(unreadable()), { cause: error });
  }
}

function readable<Data extends z.ZodType>(schema: Data, answer: unknown): z.output<Data> {
  const parsed = schema.safeParse(answer);
  if (parsed.success) return parsed.data;
  throw new HoldfastError(toAppProblem(unreadable()), { cause: parsed.error });
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
