/**
 * What stands around every Edge Function: its request id, its methods, how many requests it takes at once, an answer also when
 * it throws, and one line of JSON in the log for each request.
 */
import process from "node:process";
import { type Problem, toProblem } from "../../../src/lib/problems.ts";
import { failure, preflight, requestIdOf } from "./respond.ts";

/** An answer, or a problem; `cause` names what is behind it, for the log: an SQLSTATE, a kind of error, and no message. */
export type Reply =
  | { readonly response: Response; readonly problem?: undefined }
  | { readonly problem: Problem; readonly cause?: string | undefined };

// In an instance of 256 MB there is room for as many bodies of the largest size. The database works on a few at a time: more
// would only wait, and time out together.
const MAX_IN_FLIGHT = 100;
const RETRY_SECONDS = 2;

/**
 * How many requests an instance of a function works on at once: HOLDFAST_MAX_IN_FLIGHT, or 100. What comes beyond them is
 * refused at once, so that those within are answered in time.
 */
function maxInFlight(): number {
  const named = process.env.HOLDFAST_MAX_IN_FLIGHT ?? "";
  return /^[1-9]\d{0,5}$/.test(named) ? Number(named) : MAX_IN_FLIGHT;
}

/**
 * Builds a function's fetch handler of `methods`, as the Allow header lists them. A defect of ours is answered as a problem too.
 * `limit` is how many requests it takes at once.
 */
export function traced(
  name: string,
  methods: "POST" | "GET, HEAD",
  reply: (request: Request, requestId: string) => Promise<Reply>,
  limit = maxInFlight(),
) {
  let inFlight = 0;
  const allowed = `${methods}, OPTIONS`;
  return async (request: Request): Promise<Response> => {
    const started = performance.now();
    const requestId = requestIdOf(request);
    const replied = await replyTo(request, requestId).catch(defect);
    const response = replied.problem ? failure(requestId, replied.problem, allowed) : replied.response;
    log({
      function: name,
      request_id: requestId,
      status: response.status,
      code: replied.problem?.code ?? null,
      cause: (replied.problem && replied.cause) ?? null,
      duration_ms: Math.round(performance.now() - started),
    });
    return request.method === "HEAD" ? new Response(null, response) : response;
  };

  async function replyTo(request: Request, requestId: string): Promise<Reply> {
    if (request.method === "OPTIONS") return { response: preflight(requestId, allowed) };
    if (!methods.split(", ").includes(request.method)) return { problem: toProblem("method_not_allowed") };
    if (inFlight >= limit) {
      return { problem: toProblem("unavailable", { retry_after: RETRY_SECONDS }), cause: "in_flight" };
    }
    inFlight++;
    try {
      return await reply(request, requestId);
    } finally {
      inFlight--;
    }
  }
}

/** What kind of error it was. Its message may quote data, so it stays out of the log. */
function defect(error: unknown): Reply {
  const cause = error instanceof Error && /^\w{1,40}$/.test(error.name) ? error.name : "Error";
  return { problem: toProblem("internal_error"), cause };
}

/** Nothing of the request is in it but its id: no address, query, body or token. */
function log(line: {
  readonly function: string;
  readonly request_id: string;
  readonly status: number;
  readonly code: string | null;
  readonly cause: string | null;
  readonly duration_ms: number;
}): void {
  if (line.status >= 500) console.error(JSON.stringify({ level: "error", ...line }));
  else console.log(JSON.stringify({ level: "info", ...line }));
}
