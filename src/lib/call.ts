/** One call of an Edge Function by supabase-js: the answer, parsed, or a `HoldfastError`. */
import type { SupabaseClient } from "@supabase/supabase-js";
import type { z } from "zod";
import { HoldfastError, toAppProblem, unreadable } from "./errors.ts";
import { IDEMPOTENCY_KEY } from "./fields.ts";
import { withLiveToken } from "./live-token.ts";
import { PROBLEM_MEDIA_TYPE, type Problem, problemSchema, toProblem } from "./problems.ts";
import { type RetryOptions, withRetries } from "./retry.ts";
import { learnServerTime } from "./server-time.ts";

export interface CallOptions extends RetryOptions {
  /**
   * Names this attempt, 1 to 255 visible ASCII characters: a repeated call with the same key and request gets the first
   * success again instead of a second effect. Left out, each call gets a key of its own.
   */
  idempotencyKey?: string;
}

// Where nobody says how long to wait.
const RETRY_SECONDS = 0.25;

/** A call of a function, repeated as the options say: its parsed answer, or a HoldfastError. */
export async function call<Response_ extends z.ZodType>(
  supabase: SupabaseClient,
  name: string,
  body: Record<string, unknown>,
  response: Response_,
  { idempotencyKey = crypto.randomUUID(), ...retries }: CallOptions,
): Promise<z.output<Response_>> {
  // What no header can carry, fetch would refuse as if nobody were there.
  if (!IDEMPOTENCY_KEY.test(idempotencyKey)) {
    throw new HoldfastError(toAppProblem(toProblem("idempotency_key_invalid")));
  }
  const attempt = () => callOnce(supabase, name, body, response, idempotencyKey, retries.signal);
  return withRetries(() => withLiveToken(supabase, attempt), retries);
}

async function callOnce<Response_ extends z.ZodType>(
  supabase: SupabaseClient,
  name: string,
  body: Record<string, unknown>,
  response: Response_,
  idempotencyKey: string,
  signal: AbortSignal | undefined,
): Promise<z.output<Response_>> {
  const asked = Date.now();
  const answer: { data: unknown; error: unknown; response?: Response } = await supabase.functions.invoke(
    name,
    {
      body,
      headers: { "Idempotency-Key": idempotencyKey },
      ...(signal && { signal }),
    },
  );
  if (answer.response) learnServerTime(supabase, answer.response, asked);
  if (answer.error) throw await failure(answer.error, answer.response, signal);

  const parsed = response.safeParse(answer.data);
  if (parsed.success) return parsed.data;
  throw new HoldfastError(toAppProblem(unreadable()), {
    cause: parsed.error,
    requestId: answer.response?.headers.get("x-request-id") ?? null,
  });
}

async function failure(error: unknown, response: Response | undefined, signal: AbortSignal | undefined) {
  const body = await response?.json().catch(() => undefined);
  // After the body: it may be given up while that comes.
  if (signal?.aborted) return signal.reason;
  if (!response) return new HoldfastError(toAppProblem(unavailable()), { cause: error });

  const parsed = problemSchema.safeParse(body);
  const isProblem = body !== undefined && response.headers.get("content-type") === PROBLEM_MEDIA_TYPE;
  const problem = parsed.success ? parsed.data : problemOfStatus(response, isProblem);
  return new HoldfastError(toAppProblem(problem), {
    cause: error,
    requestId: response.headers.get("x-request-id"),
  });
}

/**
 * The problem of an answer that is none of ours: what stands between app and function speaks its own language. Or it is a problem
 * that this version does not know, as a newer server's: a refusal, which is not to be repeated.
 */
function problemOfStatus(response: Response, isProblem: boolean): Problem {
  const retryAfter = Number.parseInt(response.headers.get("retry-after") ?? "", 10);
  switch (response.status) {
    case 401:
      return toProblem("unauthenticated");
    case 403:
      return toProblem("forbidden");
    case 413:
      return toProblem("payload_too_large");
    case 429:
      return toProblem("rate_limited", { retry_after: retryAfter >= 0 ? retryAfter : 1 });
    default:
      return isProblem && response.status < 500 ? unreadable() : unavailable(retryAfter);
  }
}

function unavailable(retryAfter = Number.NaN): Problem {
  return toProblem("unavailable", {
    retry_after: retryAfter >= 0 ? retryAfter : RETRY_SECONDS,
  });
}
