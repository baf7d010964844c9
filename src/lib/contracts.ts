/**
 * The requests and answers of the Edge Functions as they stand on the wire: snake_case JSON, times in ISO 8601 with
 * offset (RFC 3339). Apps use the camelCase types of client.ts, which derive from these.
 *
 * A request may hold no field that its schema does not name. An answer may: what an app does not know is dropped, so
 * that a newer server does not break it.
 */
import { z } from "zod";
import { alternativeSchema, type FieldError, problemCodeSchema } from "./problems.ts";
import { isTimeZone } from "./timezone.ts";

/** Most occurrences, session ids or holds that one call may name. */
export const MAX_OCCURRENCES = 366;
/** Longest session, in hours. */
export const MAX_SESSION_HOURS = 24;
/** Length of a hold in seconds: shortest, longest, and when the caller does not say. */
export const HOLD_SECONDS = { min: 30, max: 900, default: 300 } as const;

const HOUR_MS = 3_600_000;
const MAX_FIELD_ERRORS = 20;

// What JSON can spell but Postgres cannot store (NUL, half a surrogate pair), and what nobody types.
const UNPRINTABLE = /[\p{Cs}\p{Cc}]/u;

const guid = z.guid();
const instant = z.iso.datetime({ offset: true });
// Minutes east of UTC. Zones are within 16 hours of UTC; what else is wrong with an offset, the database says.
const offset = z.int().min(-1_440).max(1_440);
const timeZone = z
  .string()
  .refine(isTimeZone, refusal("invalid_value", "Must be the name of an IANA time zone."));
const placeOfService = z.string().regex(/^\d{2}$/, "Must be two digits.");

/**
 * A list whose length is judged before its items are, so that ten thousand wrong items get one answer.
 */
function list<Item extends z.ZodType>(item: Item) {
  return z.array(z.custom<z.input<Item>>()).min(1).max(MAX_OCCURRENCES).pipe(z.array(item));
}

/** A line or more of plain text, 1 to `max` characters. */
function text(max: number) {
  return z
    .string()
    .max(max)
    .refine((value) => value.trim() !== "", refusal("too_small", "Must not be blank."))
    .refine(
      (value) => !UNPRINTABLE.test(value.replace(/[\n\r\t]/g, "")),
      refusal("invalid_format", "Must be text without control characters."),
    );
}

/** The parameters of a custom zod issue: our own field-error code, and the sentence for it. */
function refusal(code: string, message: string) {
  return { message, params: { code } };
}

type Issue = { path: (string | number)[]; code: string; message: string };
type Fields = Readonly<Record<string, unknown>>;

/** Adds issues found by looking at more than one field. Runs also when single fields are already refused. */
function together<Schema extends z.ZodType>(schema: Schema, find: (fields: Fields) => Issue[]) {
  return schema.superRefine(
    (value, context) => {
      if (typeof value !== "object" || value === null || Array.isArray(value)) return;
      for (const { path, code, message } of find(value as Fields)) {
        context.addIssue({ code: "custom", path, ...refusal(code, message) });
      }
    },
    { when: () => true },
  );
}

const required = (field: string): Issue => ({ path: [field], code: "required", message: "Required." });
const notAllowed = (field: string, why: string): Issue => ({
  path: [field],
  code: "not_allowed",
  message: why,
});

/** Start before end, and not more than a day apart. */
function timeIssues({ start_time: start, end_time: end }: Fields): Issue[] {
  const [from, to] = [instant.safeParse(start), instant.safeParse(end)];
  if (!from.success || !to.success) return [];
  const length = Date.parse(to.data) - Date.parse(from.data);
  if (length <= 0) return [{ path: ["end_time"], code: "too_small", message: "Must be after start_time." }];
  if (length > MAX_SESSION_HOURS * HOUR_MS) {
    const message = `Must be at most ${MAX_SESSION_HOURS} hours after start_time.`;
    return [{ path: ["end_time"], code: "too_big", message }];
  }
  return [];
}

/** One issue for each item that repeats an earlier one. */
function duplicateIssues(items: readonly unknown[], path: (index: number) => (string | number)[]): Issue[] {
  const seen = new Set<unknown>();
  return items.slice(0, MAX_OCCURRENCES).flatMap((item, index) => {
    const key = typeof item === "string" ? item.toLowerCase() : undefined;
    if (key === undefined) return [];
    if (seen.has(key))
      return [{ path: path(index), code: "duplicate", message: "Must not repeat an earlier one." }];
    seen.add(key);
    return [];
  });
}

const timeFields = {
  start_time: instant,
  end_time: instant,
  start_time_offset_minutes: offset,
  end_time_offset_minutes: offset,
};
const TIME_FIELDS = Object.keys(timeFields);

/** One stretch of time: an instant to start and one to end, each with its offset in minutes east of UTC. */
export const occurrenceSchema = together(z.strictObject(timeFields), timeIssues);

/** `POST sessions-hold`. The time is given either by the four time fields or by `occurrences`, never by both. */
export const holdRequestSchema = together(
  z.strictObject({
    therapist_id: guid,
    client_id: guid,
    room_id: guid.nullable().optional(),
    service_code: text(20),
    time_zone: timeZone,
    start_time: timeFields.start_time.optional(),
    end_time: timeFields.end_time.optional(),
    start_time_offset_minutes: timeFields.start_time_offset_minutes.optional(),
    end_time_offset_minutes: timeFields.end_time_offset_minutes.optional(),
    occurrences: list(occurrenceSchema).optional(),
    session_id: guid.nullable().optional(),
    hold_seconds: z.int().min(HOLD_SECONDS.min).max(HOLD_SECONDS.max).default(HOLD_SECONDS.default),
    on_conflict: z.enum(["abort", "skip"]).default("abort"),
  }),
  (fields) => {
    const { occurrences, session_id: sessionId } = fields;
    if (occurrences === undefined) {
      return [
        ...TIME_FIELDS.filter((field) => fields[field] === undefined).map(required),
        ...timeIssues(fields),
      ];
    }
    const several = Array.isArray(occurrences) && occurrences.length > 1;
    return [
      ...TIME_FIELDS.filter((field) => fields[field] !== undefined).map((field) =>
        notAllowed(field, "Not allowed together with occurrences."),
      ),
      ...(several && typeof sessionId === "string"
        ? [notAllowed("session_id", "Only a single occurrence can move a session.")]
        : []),
    ];
  },
);

const sessionDetails = z.strictObject({ place_of_service: placeOfService.optional() });

/** One hold of a batch that is being confirmed, with what is particular to it. */
export const confirmOccurrenceSchema = z.strictObject({
  hold_key: guid,
  session: sessionDetails.optional(),
  cpt: z
    .strictObject({ code: z.string().regex(/^[0-9A-Z]{5}$/, "Must be five digits or capital letters.") })
    .optional(),
  start_time_offset_minutes: offset,
  end_time_offset_minutes: offset,
});

/** `POST sessions-confirm`. */
export const confirmRequestSchema = together(
  z.strictObject({
    hold_key: guid,
    session: sessionDetails.optional(),
    occurrences: list(confirmOccurrenceSchema).optional(),
    time_zone: timeZone.optional(),
  }),
  ({ occurrences }) =>
    Array.isArray(occurrences)
      ? duplicateIssues(
          occurrences.map((occurrence) => occurrence?.hold_key),
          (index) => ["occurrences", index, "hold_key"],
        )
      : [],
);

/** `POST sessions-cancel`. What to cancel is named by exactly one of a hold key, session ids, or a series from a time. */
export const cancelRequestSchema = together(
  z.strictObject({
    hold_key: guid.optional(),
    session_ids: list(guid).optional(),
    series_id: guid.optional(),
    from: instant.optional(),
    reason: text(500).optional(),
    cancelled_by: z.enum(["therapist", "client", "clinic"]).optional(),
  }),
  (fields) => {
    const [target, ...others] = ["hold_key", "session_ids", "series_id"].filter(
      (field) => fields[field] !== undefined,
    );
    if (target === undefined) {
      return [{ ...required("hold_key"), message: "One of hold_key, session_ids or series_id is required." }];
    }
    return [
      ...others.map((field) => notAllowed(field, `Not allowed together with ${target}.`)),
      ...(fields.series_id !== undefined && fields.from === undefined ? [required("from")] : []),
      ...(fields.series_id === undefined && fields.from !== undefined
        ? [notAllowed("from", "Only allowed together with series_id.")]
        : []),
      ...(target !== "hold_key" && fields.cancelled_by === undefined ? [required("cancelled_by")] : []),
      ...(Array.isArray(fields.session_ids)
        ? duplicateIssues(fields.session_ids, (index) => ["session_ids", index])
        : []),
    ];
  },
);

/** One held stretch of time. */
export const holdSchema = z.object({
  hold_key: guid,
  start_time: instant,
  end_time: instant,
  expires_at: instant,
});

/** An occurrence that was not held (`on_conflict: "skip"`): its index, why, and the nearest open times. */
export const skippedSchema = z.object({
  occurrence: z.int(),
  start_time: instant,
  end_time: instant,
  code: problemCodeSchema,
  alternatives: z.array(alternativeSchema).default([]),
});

/** The data of a `sessions-hold` answer. The outer `hold_key` stands for the whole batch. */
export const holdDataSchema = z.object({
  hold_key: guid,
  expires_at: instant,
  holds: z.array(holdSchema),
  skipped: z.array(skippedSchema),
});

/** A session as the functions answer it. `units` are of 15 minutes, by the CPT midpoint rule. */
export const sessionSchema = z.object({
  id: guid,
  organization_id: guid,
  therapist_id: guid,
  client_id: guid,
  room_id: guid.nullable(),
  service_code: z.string(),
  cpt_code: z.string().nullable(),
  start_time: instant,
  end_time: instant,
  time_zone: z.string(),
  status: z.enum(["scheduled", "in_progress", "completed", "no_show", "cancelled"]),
  place_of_service: z.string().nullable(),
  series_id: guid.nullable(),
  units: z.int(),
  rounded_duration_minutes: z.int(),
  version: z.int(),
});

/** The data of a `sessions-confirm` answer: the first session, all of them, and their billed minutes together. */
export const confirmDataSchema = z.object({
  session: sessionSchema,
  sessions: z.array(sessionSchema),
  rounded_duration_minutes: z.int(),
});

const cancelledSchema = z.object({ id: guid, kind: z.enum(["hold", "session"]) });

/** The data of a `sessions-cancel` answer: every target is in exactly one of the three lists. */
export const cancelDataSchema = z.object({
  cancelled: z.array(cancelledSchema),
  already_cancelled: z.array(cancelledSchema),
  not_cancellable: z.array(cancelledSchema.extend({ reason: z.string() })),
});

export const holdResponseSchema = z.object({ data: holdDataSchema });
export const confirmResponseSchema = z.object({ data: confirmDataSchema });
export const cancelResponseSchema = z.object({ data: cancelDataSchema });

/** A request as a caller may write it, with what has a default left out. */
export type HoldRequest = z.input<typeof holdRequestSchema>;
export type ConfirmRequest = z.input<typeof confirmRequestSchema>;
export type CancelRequest = z.input<typeof cancelRequestSchema>;

/** A request that was accepted, defaults filled in. */
export type ParsedHoldRequest = z.output<typeof holdRequestSchema>;

export type Occurrence = z.output<typeof occurrenceSchema>;
export type HoldData = z.output<typeof holdDataSchema>;
export type ConfirmData = z.output<typeof confirmDataSchema>;
export type CancelData = z.output<typeof cancelDataSchema>;
export type Session = z.output<typeof sessionSchema>;

/**
 * The one form in which the database is asked for holds: always a list of occurrences, times as they were given.
 */
export function toHoldRpc(request: ParsedHoldRequest) {
  const { occurrences, start_time, end_time, start_time_offset_minutes, end_time_offset_minutes, ...rest } =
    request;
  const single = { start_time, end_time, start_time_offset_minutes, end_time_offset_minutes };
  return { ...rest, occurrences: occurrences ?? [single] };
}

/**
 * The `errors[]` of a `validation_failed` problem: at most 20, one for each violated rule, without any value of the
 * request.
 */
export function fieldErrors(error: z.ZodError): FieldError[] {
  const errors: FieldError[] = [];
  for (const issue of error.issues) {
    for (const fieldError of errorsOf(issue)) {
      if (errors.length === MAX_FIELD_ERRORS) return errors;
      errors.push(fieldError);
    }
  }
  return errors;
}

function errorsOf(issue: z.core.$ZodIssue): FieldError[] {
  const field = dotted(issue.path);
  switch (issue.code) {
    case "unrecognized_keys":
      return issue.keys.slice(0, MAX_FIELD_ERRORS).map((key) => {
        // The name is the caller's own: it is repeated only if it can be a name and not a value gone astray.
        const name = /^[A-Za-z_][A-Za-z0-9_]{0,39}$/.test(key) ? key : "?";
        return { field: dotted([...issue.path, name]), code: "unknown_field", message: "Unknown field." };
      });
    case "invalid_type":
      return [typeError(field, issue)];
    case "custom":
      return [{ field, code: String(issue.params?.code ?? "invalid_value"), message: issue.message }];
    default:
      return [{ field, code: issue.code, message: sentence(issue.message) }];
  }
}

function typeError(field: string, issue: z.core.$ZodIssueInvalidType): FieldError {
  // zod writes "received undefined" for what is absent; the issue itself does not carry the input.
  if (issue.message.endsWith("received undefined")) return { field, code: "required", message: "Required." };
  const article = /^[aeiou]/.test(issue.expected) ? "an" : "a";
  const expected = issue.expected === "int" ? "a whole number" : `${article} ${issue.expected}`;
  return { field, code: "invalid_type", message: `Must be ${expected}.` };
}

function sentence(message: string): string {
  return message.endsWith(".") ? message : `${message}.`;
}

/** A path as callers write it: `occurrences[3].end_time`; the whole request is `body`. */
function dotted(path: readonly PropertyKey[]): string {
  return (
    path.reduce<string>((field, part) => {
      if (typeof part === "number") return `${field}[${part}]`;
      return field === "" ? String(part) : `${field}.${String(part)}`;
    }, "") || "body"
  );
}
