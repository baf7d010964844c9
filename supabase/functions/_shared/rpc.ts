/**
 * Calling the one RPC of a function, as the caller.
 */
import { resolveEnv } from "@supabase/server/core";
// Imported here, and not only through @supabase/server, so that a deployment takes the import map's version of it.
import { createClient } from "@supabase/supabase-js";
import { z } from "zod";
import { refusalOfDatabase } from "../../../src/lib/database-problems.ts";
import { type Problem, problemFromRefusal, toProblem } from "../../../src/lib/problems.ts";
import type { Caller } from "./callers.ts";

/** What to call, for whom, and with what. */
export interface RpcCall {
  readonly rpc: string;
  readonly request: unknown;
  readonly idempotencyKey: string | null;
  /** Row-level security sees the caller, or nobody where the RPC judges a service token; never more than who called. */
  readonly caller: Caller;
  /** Passed on, so that the database can audit it. */
  readonly requestId: string;
  readonly timeoutMs: number;
}

/** What came of it. `sqlstate` names the database's error behind a problem, for the log. */
export type RpcAnswer =
  | { readonly data: unknown; readonly replayed: boolean }
  | { readonly problem: Problem; readonly sqlstate?: string };

const RETRY_SECONDS = 2;

const answerSchema = z.union([
  z.object({ data: z.record(z.string(), z.unknown()), replayed: z.boolean() }),
  z.object({ problem: z.looseObject({ code: z.string() }) }),
]);

/**
 * Calls the RPC once. A call that does not arrive or does not end in time is `unavailable`: its effect is not known.
 *
 * @throws z.ZodError when the RPC answers something outside its contract; an error when the function is not configured.
 */
export async function callRpc(call: RpcCall): Promise<RpcAnswer> {
  const { caller, request, idempotencyKey } = call;
  const credential = "serviceToken" in caller ? { token: caller.serviceToken } : {};
  const { data, error, status } = await clientOf(call)
    .rpc(call.rpc, { ...credential, request, idempotency_key: idempotencyKey })
    .abortSignal(AbortSignal.timeout(call.timeoutMs));

  if (error) {
    const sqlstate = /^[A-Z0-9]{5,8}$/.test(error.code ?? "") ? error.code : undefined;
    const problem =
      sqlstate === undefined ? problemOfStatus(status) : problemFromRefusal(refusalOfDatabase(error));
    return { problem, ...(sqlstate === undefined ? {} : { sqlstate }) };
  }
  const answer = answerSchema.parse(data);
  return "problem" in answer ? { problem: problemFromRefusal(answer.problem) } : answer;
}

/** A client that acts as the signed-in user, as nobody for a service account and where nobody signs in, or as the service role. */
export function clientOf(
  { caller, requestId }: { readonly caller: Caller | "nobody"; readonly requestId: string },
  ask = fetch,
) {
  const { data: env, error } = resolveEnv();
  if (error) throw error;
  const publishableKey = env.publishableKeys.default ?? Object.values(env.publishableKeys)[0];
  if (publishableKey === undefined) throw new TypeError("no publishable key is configured");
  const key = caller !== "nobody" && "secretKey" in caller ? caller.secretKey : publishableKey;
  return createClient(env.url, key, {
    auth: { persistSession: false, autoRefreshToken: false, detectSessionInUrl: false },
    global: {
      fetch: ask,
      headers: {
        ...(caller !== "nobody" && "jwt" in caller ? { Authorization: `Bearer ${caller.jwt}` } : {}),
        "X-Request-Id": requestId,
      },
    },
  });
}

/** The problem of an answer without an error code: what stands before PostgREST, or nothing at all (status 0). */
function problemOfStatus(status: number): Problem {
  if (status === 401) return toProblem("unauthenticated");
  if (status === 429) return toProblem("rate_limited", { retry_after: RETRY_SECONDS });
  if (status === 0 || status >= 500) return toProblem("unavailable", { retry_after: RETRY_SECONDS });
  return toProblem("internal_error");
}
