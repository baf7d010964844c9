/**
 * How every Edge Function answers: JSON or a problem (RFC 9457), readable across origins, never cached, traceable by
 * its request id.
 */
import { PROBLEM_MEDIA_TYPE, type Problem } from "../../../src/lib/problems.ts";

const commonHeaders = (requestId: string) => ({
  // Any origin: what authenticates is the bearer token, which no browser sends by itself; there are no cookies.
  "Access-Control-Allow-Origin": "*",
  "Access-Control-Expose-Headers": "date, idempotency-replayed, retry-after, x-request-id",
  "Cache-Control": "no-store",
  // Apps count holds down by it. What the server would put there it keeps for up to a second, which is a second too much.
  Date: new Date().toUTCString(),
  "X-Request-Id": requestId,
});

const PREFLIGHT_HEADERS = {
  // The last three are sent by supabase-js with its tracePropagation, and read by nobody here.
  "Access-Control-Allow-Headers":
    "authorization, x-client-info, apikey, content-type, idempotency-key, x-request-id, traceparent, tracestate, baggage",
  "Access-Control-Max-Age": "86400",
};

/** The request's own id where it is safe to log and pass on, else a new one. */
export function requestIdOf(request: Request): string {
  const given = request.headers.get("x-request-id") ?? "";
  return /^[A-Za-z0-9._-]{1,64}$/.test(given) ? given : crypto.randomUUID();
}

/** The answer to a CORS preflight request of a function with these methods. */
export function preflight(requestId: string, allowed: string): Response {
  return new Response(null, {
    status: 204,
    headers: {
      ...commonHeaders(requestId),
      ...PREFLIGHT_HEADERS,
      "Access-Control-Allow-Methods": allowed,
    },
  });
}

/** A success. `replayed` says that it is the stored answer of an earlier request with the same idempotency key. */
export function success(requestId: string, status: number, data: unknown, replayed: boolean): Response {
  return new Response(JSON.stringify({ data }), {
    status,
    headers: {
      ...commonHeaders(requestId),
      "Content-Type": "application/json",
      ...(replayed ? { "Idempotency-Replayed": "true" } : {}),
    },
  });
}

/** A refusal, with the headers that HTTP wants beside its body: Retry-After, Allow with these methods, WWW-Authenticate. */
export function failure(requestId: string, problem: Problem, allowed: string): Response {
  const headers = new Headers({
    ...commonHeaders(requestId),
    "Content-Type": PROBLEM_MEDIA_TYPE,
  });
  if ("retry_after" in problem && problem.retry_after !== undefined) {
    headers.set("Retry-After", String(Math.ceil(problem.retry_after)));
  }
  if (problem.code === "method_not_allowed") headers.set("Allow", allowed);
  if (problem.code === "unauthenticated") headers.set("WWW-Authenticate", "Bearer");
  return new Response(JSON.stringify(problem), { status: problem.status, headers });
}
