/** GET calendar-feed/<token>.ics: one's own sessions for a calendar app, as iCalendar. */
import { z } from "zod";
import { toProblem } from "../../../src/lib/problems.ts";
import { theProjectItself } from "../_shared/callers.ts";
import { toCalendar } from "../_shared/icalendar.ts";
import { callRpc } from "../_shared/rpc.ts";
import { traced } from "../_shared/traced.ts";

const TIMEOUT_MS = 10_000;
// The last segment of the address: a calendar app can send nothing else.
const TOKEN = /\/(hfc_[A-Za-z0-9_-]{43})(?:\.ics)?$/;

const calendarSchema = z.object({
  events: z.array(
    z.strictObject({
      id: z.string(),
      start_time: z.string(),
      end_time: z.string(),
      changed_at: z.string(),
      version: z.number(),
      cancelled: z.boolean(),
    }),
  ),
});

/** Only the token's form is judged here: whether it counts, the database knows, which is told no more than its hash. */
async function reply(request: Request, requestId: string) {
  const [, token] = new URL(request.url).pathname.match(TOKEN) ?? [];
  if (token === undefined)
    return { problem: toProblem("not_found", { detail: "There is no such calendar." }) };

  const read = await callRpc({
    rpc: "read_calendar",
    request: { token_hash: await sha256(token) },
    idempotencyKey: null,
    caller: theProjectItself(),
    requestId,
    timeoutMs: TIMEOUT_MS,
  });
  if ("problem" in read) return { problem: read.problem, cause: read.sqlstate };

  const calendar = toCalendar(calendarSchema.parse(read.data).events);
  const etag = `"${await sha256(calendar)}"`;
  const headers = {
    // To be asked again each time, so that a revoked feed ends at once; a 304 is the answer then.
    "Cache-Control": "private, no-cache",
    ETag: etag,
    "X-Request-Id": requestId,
  };
  if (isKnown(etag, request.headers.get("if-none-match"))) {
    return { response: new Response(null, { status: 304, headers }) };
  }
  return {
    response: new Response(calendar, {
      status: 200,
      headers: {
        ...headers,
        "Content-Type": "text/calendar; charset=utf-8",
        "Content-Disposition": 'inline; filename="sessions.ics"',
        // Should a browser open it: the address is a secret, and the text no page.
        "Referrer-Policy": "no-referrer",
        "X-Content-Type-Options": "nosniff",
      },
    }),
  };
}

/** Weak or strong: the comparison is weak (RFC 9110 §13.1.2). */
function isKnown(etag: string, ifNoneMatch: string | null): boolean {
  const known = (ifNoneMatch ?? "").split(",").map((tag) => tag.trim().replace(/^W\//, ""));
  return known.includes(etag) || known.includes("*");
}

/** In hex. */
async function sha256(text: string): Promise<string> {
  const digest = await crypto.subtle.digest("SHA-256", new TextEncoder().encode(text));
  return Array.from(new Uint8Array(digest), (byte) => byte.toString(16).padStart(2, "0")).join("");
}

export default { fetch: traced("calendar-feed", "GET, HEAD", reply) };
