/**
 * The requests and answers of the Edge Functions as they stand on the wire: snake_case JSON, times in ISO 8601 with
 * offset (RFC 3339). Apps use the camelCase types of client.ts, which derive from these.
 *
 * A request may hold no field that its schema does not name. An answer may: what an app does not know is dropped, so
 * that a newer server does not break it.
 */
import { z } from "zod";
import {
  authorizationOverride,
  duplicateIssues,
  type Fields,
  guid,
  type Issue,
  instant,
  list,
  MAX_OCCURRENCES,
  notAllowed,
  offset,
  placeOfService,
  required,
  TIME_FIELDS,
  text,
  timeFields,
  timeIssues,
  timeZone,
  together,
} from "./fields.ts";
import { alternativeSchema, conflictSchema, problemCodeSchema } from "./problems.ts";

/** Length of a hold in seconds: shortest, longest, and when the caller does not say. */
export const HOLD_SECONDS = { min: 30, max: 900, default: 300 } as const;

/** One stretch of time: an instant to start and one to end, each with its offset in minutes east of UTC. */
export const occurrenceSchema = together(z.strictObject(timeFields), timeIssues);

/** What repeats: a rule by RFC 5545 §3.3.10, from the request's start_time in its time_zone, without the exdates. */
export const recurrenceSchema = z.strictObject({
  rule: text(1_000),
  time_zone: timeZone.optional(),
  exdates: z.array(z.string().max(40)).max(MAX_OCCURRENCES).optional(),
});

const holdFields = {
  therapist_id: guid.optional(),
  therapist_ids: list(guid).optional(),
  client_id: guid.optional(),
  client_ids: list(guid).optional(),
  capacity: z.int().min(1).max(50).optional(),
  room_id: guid.nullable().optional(),
  service_code: text(20),
  time_zone: timeZone,
  start_time: timeFields.start_time.optional(),
  end_time: timeFields.end_time.optional(),
  start_time_offset_minutes: timeFields.start_time_offset_minutes.optional(),
  end_time_offset_minutes: timeFields.end_time_offset_minutes.optional(),
  occurrences: list(occurrenceSchema).optional(),
  recurrence: recurrenceSchema.optional(),
  session_id: guid.nullable().optional(),
  override_availability: z.boolean().optional(),
  authorization_override: authorizationOverride.optional(),
};

/**
 * `POST sessions-preview`: what a hold asks, without holding it. The time is given by the four time fields, alone or
 * with a `recurrence` of which they are the first, or by `occurrences`. Several clients make a group, several
 * therapists a team.
 */
export const previewRequestSchema = together(z.strictObject(holdFields), whoAndWhenIssues);

/** `POST sessions-hold`: what a preview asks, for how long, and what to do where something is in the way. */
export const holdRequestSchema = together(
  z.strictObject({
    ...holdFields,
    hold_seconds: z.int().min(HOLD_SECONDS.min).max(HOLD_SECONDS.max).default(HOLD_SECONDS.default),
    on_conflict: z.enum(["abort", "skip"]).default("abort"),
  }),
  whoAndWhenIssues,
);

function whoAndWhenIssues(fields: Fields): Issue[] {
  const { occurrences, recurrence, session_id: sessionId } = fields;
  const several = recurrence !== undefined || (Array.isArray(occurrences) && occurrences.length > 1);
  return [
    ...oneOf(fields, "therapist_id", "therapist_ids"),
    ...oneOf(fields, "client_id", "client_ids"),
    ...idListIssues(fields, "therapist_ids"),
    ...idListIssues(fields, "client_ids"),
    ...whenIssues(fields),
    ...(several && typeof sessionId === "string"
      ? [notAllowed("session_id", "Only a single occurrence can move a session.")]
      : []),
  ];
}

/** The four time fields, alone or with a recurrence in the request's zone, or else occurrences. */
export function whenIssues(fields: Fields): Issue[] {
  const { occurrences, recurrence, time_zone: zone } = fields;
  const recurrenceZone = (recurrence as Fields | undefined)?.time_zone;
  return [
    ...(occurrences === undefined
      ? [...TIME_FIELDS.filter((field) => fields[field] === undefined).map(required), ...timeIssues(fields)]
      : [...TIME_FIELDS, "recurrence"]
          .filter((field) => fields[field] !== undefined)
          .map((field) => notAllowed(field, "Not allowed together with occurrences."))),
    ...(recurrenceZone !== undefined && recurrenceZone !== zone
      ? [
          {
            path: ["recurrence", "time_zone"],
            code: "not_the_same",
            message: "Must be the request's time_zone.",
          },
        ]
      : []),
  ];
}

/** One of two fields is required, and not both. */
function oneOf(fields: Fields, one: string, other: string): Issue[] {
  if (fields[one] === undefined && fields[other] === undefined) return [required(one)];
  if (fields[one] === undefined || fields[other] === undefined) return [];
  return [notAllowed(other, `Not allowed together with ${one}.`)];
}

function idListIssues(fields: Fields, field: string): Issue[] {
  const ids = fields[field];
  return Array.isArray(ids) ? duplicateIssues(ids, (index) => [field, index]) : [];
}

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
    authorization_override: authorizationOverride.optional(),
  }),
  ({ occurrences }) =>
    Array.isArray(occurrences)
      ? duplicateIssues(
          occurrences.map((occurrence) => occurrence?.hold_key),
          (index) => ["occurrences", index, "hold_key"],
        )
      : [],
);

/**
 * `POST sessions-cancel`. What to cancel is named by exactly one of a hold key, session ids, or a series from one of its
 * occurrences on (`occurrence_start`).
 */
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

/** One held stretch of time of one therapist with one client. */
export const holdSchema = z.object({
  hold_key: guid,
  therapist_id: guid,
  client_id: guid,
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

/**
 * The data of a `sessions-hold` answer. The outer `hold_key` stands for the whole batch; several times are a series,
 * which `series_id` names.
 */
export const holdDataSchema = z.object({
  hold_key: guid,
  series_id: guid.nullable(),
  expires_at: instant,
  holds: z.array(holdSchema),
  skipped: z.array(skippedSchema),
});

/** The data of a `sessions-preview` answer: every occurrence, and what stands in its way. */
export const previewDataSchema = z.object({
  occurrences: z.array(
    z.object({
      occurrence: z.int(),
      ...timeFields,
      conflicts: z.array(conflictSchema),
      alternatives: z.array(alternativeSchema),
    }),
  ),
});

/** A session as the functions answer it. Code, modifiers and `units` (of 15 minutes) are its planned charge's. */
export const sessionSchema = z.object({
  id: guid,
  organization_id: guid,
  therapist_id: guid,
  client_id: guid,
  room_id: guid.nullable(),
  service_code: z.string(),
  cpt_code: z.string().nullable(),
  modifiers: z.array(z.string()),
  start_time: instant,
  end_time: instant,
  time_zone: z.string(),
  status: z.enum(["scheduled", "in_progress", "completed", "no_show", "cancelled"]),
  place_of_service: z.string().nullable(),
  series_id: guid.nullable(),
  group_id: guid.nullable(),
  team_id: guid.nullable(),
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

// `late` is a session's: whether it counts as a late cancellation.
const cancelledSchema = z.object({
  id: guid,
  kind: z.enum(["hold", "session"]),
  late: z.boolean().optional(),
});

/**
 * The data of a `sessions-cancel` answer: every target is in exactly one of the first three lists. `staying`, of sessions: who is in
 * their groups and teams, was not named, and is scheduled still.
 */
export const cancelDataSchema = z.object({
  cancelled: z.array(cancelledSchema),
  already_cancelled: z.array(cancelledSchema),
  not_cancellable: z.array(cancelledSchema.extend({ reason: z.string() })),
  staying: z.array(z.object({ id: guid, kind: z.literal("session") })).optional(),
});

export const previewResponseSchema = z.object({ data: previewDataSchema });
export const holdResponseSchema = z.object({ data: holdDataSchema });
export const confirmResponseSchema = z.object({ data: confirmDataSchema });
export const cancelResponseSchema = z.object({ data: cancelDataSchema });

/** A request as a caller may write it, with what has a default left out. */
export type PreviewRequest = z.input<typeof previewRequestSchema>;
export type HoldRequest = z.input<typeof holdRequestSchema>;
export type ConfirmRequest = z.input<typeof confirmRequestSchema>;
export type CancelRequest = z.input<typeof cancelRequestSchema>;

/** A request that was accepted, defaults filled in. */
export type ParsedHoldRequest = z.output<typeof holdRequestSchema>;
export type ParsedPreviewRequest = z.output<typeof previewRequestSchema>;

export type Occurrence = z.output<typeof occurrenceSchema>;
export type PreviewData = z.output<typeof previewDataSchema>;
export type HoldData = z.output<typeof holdDataSchema>;
export type ConfirmData = z.output<typeof confirmDataSchema>;
export type CancelData = z.output<typeof cancelDataSchema>;
export type Session = z.output<typeof sessionSchema>;
