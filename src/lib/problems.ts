/**
 * The one catalogue of what can go wrong: problem codes with status and title, and their shapes on the wire (RFC 9457
 * `application/problem+json`). What an error of the database means stands in database-problems.ts.
 */
import { z } from "zod";

/** The media type of every error answer (RFC 9457 §3). */
export const PROBLEM_MEDIA_TYPE = "application/problem+json";

// A tag URI (RFC 4151) names a problem type without claiming a host; it is compared, never fetched.
const PROBLEM_TYPE_PREFIX = "tag:holdfast,2026:problem/";

/** Every problem code with its HTTP status, its title, and what the caller should do about it. */
export const PROBLEMS = {
  invalid_json: {
    status: 400,
    title: "The body is not JSON",
    action: "Send one JSON object, encoded in UTF-8.",
  },
  idempotency_key_invalid: {
    status: 400,
    title: "The idempotency key is not valid",
    action: "Send 1 to 255 visible ASCII characters as Idempotency-Key, or leave the header out.",
  },
  unauthenticated: {
    status: 401,
    title: "Sign in first",
    action: "Sign in or refresh the session, then send the new access token as a bearer token.",
  },
  forbidden: {
    status: 403,
    title: "Not allowed",
    action: "Do not retry; ask an administrator of the organization for the role that permits it.",
  },
  mfa_required: {
    status: 403,
    title: "A second factor is required",
    action: "Complete multi-factor sign-in (aal2), then send the request again.",
  },
  not_found: {
    status: 404,
    title: "Not found",
    action: "Check the ids; what another organization owns is not found either.",
  },
  method_not_allowed: {
    status: 405,
    title: "Method not allowed",
    action: "Use one of the methods that the Allow header names.",
  },
  therapist_conflict: {
    status: 409,
    title: "The therapist's time is taken",
    action:
      "Offer one of the alternatives; when a hold blocks, the time may come free after retry_after seconds.",
  },
  client_conflict: {
    status: 409,
    title: "The client's time is taken",
    action:
      "Offer one of the alternatives; when a hold blocks, the time may come free after retry_after seconds.",
  },
  room_conflict: {
    status: 409,
    title: "The room is taken",
    action: "Choose another room or one of the alternatives.",
  },
  therapist_unavailable: {
    status: 409,
    title: "The therapist does not work at this time",
    action: "Offer one of the alternatives.",
  },
  sessions_in_the_way: {
    status: 409,
    title: "Sessions are booked in this time",
    action:
      "Show sessions, and send the request again with on_conflict: cancel them, or keep them and take the rest.",
  },
  group_full: {
    status: 409,
    title: "The group is full",
    action: "Choose another group, or wait until a member leaves.",
  },
  consent_required: {
    status: 409,
    title: "A consent is missing",
    action: "Have the forms that forms names signed for the client, then send the request again.",
  },
  authorization_missing: {
    status: 409,
    title: "The payer asks for an authorization",
    action: "Enter the authorization, or choose a day that one covers; who may can override it.",
  },
  authorization_exhausted: {
    status: 409,
    title: "The authorized units do not suffice",
    action:
      "Show how many units are left (conflicts), book less or another week, or have the authorization extended; who may can override it.",
  },
  already_signed: {
    status: 409,
    title: "This form is signed already",
    action: "Show the live signature; to sign anew, terminate it first.",
  },
  session_billed: {
    status: 409,
    title: "The session is on a claim",
    action: "Void the claim first (void_case); then the session can be changed, and billed anew.",
  },
  stale_version: {
    status: 409,
    title: "Somebody has changed it since",
    action: "Read it again, and decide by what it is now; version is the current one.",
  },
  note_signed: {
    status: 409,
    title: "The note is signed",
    action: "Show it as it is, and write an addendum to correct it.",
  },
  note_unreadable: {
    status: 409,
    title: "The note cannot be opened",
    action: "Do not show it as blank; the administrators are alerted, and reason says what is wrong.",
  },
  hold_confirmed: {
    status: 409,
    title: "The hold is confirmed already",
    action: "Show the booking, by its session_ids; do not hold the time again.",
  },
  idempotency_in_flight: {
    status: 409,
    title: "The same request is being processed",
    action: "Wait retry_after seconds and send the same request with the same key again.",
  },
  hold_expired: {
    status: 410,
    title: "The hold has expired",
    action: "Hold the time again; still_free says whether it was free when you asked.",
  },
  key_destroyed: {
    status: 410,
    title: "The key of the note was destroyed",
    action: "Nothing opens it again: two administrators decided so.",
  },
  payload_too_large: {
    status: 413,
    title: "The body is too large",
    action: "Send less than 2 MB; split a large batch.",
  },
  validation_failed: {
    status: 422,
    title: "The request is not valid",
    action: "Correct the fields that errors names.",
  },
  offset_mismatch: {
    status: 422,
    title: "The offset is not the time zone's",
    action: "Send the offset that the time zone has at that instant, in minutes east of UTC.",
  },
  idempotency_key_reused: {
    status: 422,
    title: "The idempotency key belongs to another request",
    action: "Use a new key for a new request; repeat a key only with the same body.",
  },
  rate_limited: {
    status: 429,
    title: "Too many requests",
    action: "Wait retry_after seconds, then send the request again.",
  },
  internal_error: {
    status: 500,
    title: "Something went wrong on our side",
    action: "Report the X-Request-Id; send the request again only with the same idempotency key.",
  },
  unavailable: {
    status: 503,
    title: "The service is not available",
    action: "Wait retry_after seconds and send the same request with the same idempotency key again.",
  },
} as const satisfies Record<string, { status: number; title: string; action: string }>;

/** A code of the catalogue. */
export type ProblemCode = keyof typeof PROBLEMS;

/** Every code, in the order of the catalogue. */
export const PROBLEM_CODES = Object.keys(PROBLEMS) as [ProblemCode, ...ProblemCode[]];

/** Any problem code. */
export const problemCodeSchema = z.enum(PROBLEM_CODES);

const instant = z.iso.datetime({ offset: true });
const retryAfter = z.number().nonnegative();

/** One input field that was refused: its dotted path (`occurrences[3].end_time`), a code, and a sentence. */
export const fieldErrorSchema = z.object({ field: z.string(), code: z.string(), message: z.string() });

/**
 * One thing that stands in the way: which of the occurrences asked for (from 0), whose time it is, what kind of claim
 * blocks (`hold`, `session`, `time_off`, `buffer`), and when that claim ends. Of an authorization, what there is too little
 * of (`units`, or those of a `week` or `month`, which begins at period_start), or that there is none (`missing`).
 */
export const conflictSchema = z.object({
  occurrence: z.int().nonnegative(),
  subject: z.enum(["therapist", "client", "room", "authorization"]),
  kind: z.string(),
  until: instant.nullish(),
  authorization_id: z.guid().optional(),
  needed_units: z.int().optional(),
  remaining_units: z.int().optional(),
  period_start: z.iso.date().optional(),
});

/** An open time near the one asked for; `occurrence` says for which of the occurrences. */
export const alternativeSchema = z.object({
  occurrence: z.int().nonnegative().optional(),
  start_time: instant,
  end_time: instant,
});

/** A session or hold that stands in the way of time off or a holiday. */
export const sessionInTheWaySchema = z.object({
  id: z.guid(),
  kind: z.enum(["hold", "session"]),
  therapist_id: z.guid(),
  start_time: instant,
  end_time: instant,
});

// What every problem may carry: a sentence about this occurrence of it, and a machine-readable refinement of its code.
const plain = z.object({ detail: z.string().optional(), reason: z.string().optional() });
const conflicting = plain.extend({
  conflicts: z.array(conflictSchema).default([]),
  alternatives: z.array(alternativeSchema).default([]),
  // Seconds until the hold that blocks expires; absent when a hold is not what blocks.
  retry_after: retryAfter.optional(),
});
const refusedFields = plain.extend({ errors: z.array(fieldErrorSchema).default([]) });
const retryLater = plain.extend({ retry_after: retryAfter });

const EXTENSIONS = {
  invalid_json: plain,
  idempotency_key_invalid: plain,
  unauthenticated: plain,
  forbidden: plain,
  mfa_required: plain,
  not_found: plain,
  method_not_allowed: plain,
  therapist_conflict: conflicting,
  client_conflict: conflicting,
  room_conflict: conflicting,
  therapist_unavailable: conflicting,
  sessions_in_the_way: plain.extend({ sessions: z.array(sessionInTheWaySchema).default([]) }),
  group_full: plain,
  consent_required: plain.extend({ forms: z.array(z.string()) }),
  authorization_missing: conflicting,
  authorization_exhausted: conflicting,
  already_signed: plain,
  session_billed: plain,
  stale_version: plain.extend({ version: z.int() }),
  note_signed: plain,
  note_unreadable: plain,
  hold_confirmed: plain.extend({ session_ids: z.array(z.guid()).min(1) }),
  idempotency_in_flight: plain.extend({ retry_after: retryAfter.optional() }),
  hold_expired: plain.extend({ still_free: z.boolean() }),
  key_destroyed: plain,
  payload_too_large: plain,
  validation_failed: refusedFields,
  offset_mismatch: refusedFields,
  idempotency_key_reused: plain,
  rate_limited: retryLater,
  internal_error: plain,
  unavailable: retryLater,
} as const satisfies Record<ProblemCode, z.ZodObject>;

const head = z.object({ type: z.string(), title: z.string(), status: z.int() });

/** The members that a code's problem carries besides type, title, status and code. */
export type ProblemDetails<C extends ProblemCode> = z.input<(typeof EXTENSIONS)[C]>;

/** A problem as it stands on the wire; a union over codes, so that narrowing `code` narrows the members. */
export type Problem<C extends ProblemCode = ProblemCode> = C extends ProblemCode
  ? z.output<typeof head> & { code: C } & z.output<(typeof EXTENSIONS)[C]>
  : never;

/** One input field that was refused. */
export type FieldError = z.output<typeof fieldErrorSchema>;

/**
 * Reads a problem from the wire. Members that it does not know are dropped, so that a newer server does not break an
 * older app; a code that it does not know is refused.
 */
export const problemSchema = z.discriminatedUnion("code", [
  variant(PROBLEM_CODES[0]),
  ...PROBLEM_CODES.slice(1).map(variant),
  // The codes are mapped over, which loses the pairing of a code with its shape that EXTENSIONS and Problem share.
]) as unknown as z.ZodType<Problem>;

function variant(code: ProblemCode) {
  return head.extend({ code: z.literal(code), ...EXTENSIONS[code].shape });
}

// The details may be left out where nothing in them is required.
type DetailsArguments<C extends ProblemCode> =
  Record<never, never> extends ProblemDetails<C>
    ? [details?: ProblemDetails<C>]
    : [details: ProblemDetails<C>];

/**
 * Builds the problem of a code, with the catalogue's status and title.
 *
 * @param code a code of the catalogue.
 * @param details the members that the code carries. They are sent to the caller as they are: never put a value of the
 *   request, a person's data, or an internal message in them.
 */
export function toProblem<C extends ProblemCode>(code: C, ...[details]: DetailsArguments<C>): Problem<C> {
  return problemFromRefusal({ ...details, code }) as Problem<C>;
}

/** What an RPC returns for a request that it refuses: a code and the code's extension members. */
export interface Refusal {
  readonly code: string;
  readonly [member: string]: unknown;
}

/**
 * The problem that a refusal is to the caller. Members that are null or that the code does not carry are left out.
 *
 * @throws z.ZodError when the code is not of the catalogue or a member has the wrong shape: a defect of the RPC.
 */
export function problemFromRefusal(refusal: Refusal): Problem {
  const code = problemCodeSchema.parse(refusal.code);
  const { status, title } = PROBLEMS[code];
  const members = Object.fromEntries(Object.entries(refusal).filter(([, member]) => member !== null));
  return problemSchema.parse({ ...members, type: `${PROBLEM_TYPE_PREFIX}${code}`, title, status });
}
