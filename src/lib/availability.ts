/**
 * `POST availability` as it stands on the wire: a therapist's weekly hours, time off, extra hours, and holidays.
 */
import { z } from "zod";
import {
  type Fields,
  guid,
  type Issue,
  instant,
  notAllowed,
  required,
  text,
  timeFields,
  timeZone,
  together,
} from "./fields.ts";
import { sessionInTheWaySchema } from "./problems.ts";

/** Most stretches of weekly hours that one call may set. */
export const MAX_WEEKLY_HOURS = 100;
/** Longest time off, extra hours or holiday, in days. */
export const MAX_EXCEPTION_DAYS = 366;

const DAY_MS = 86_400_000;
const localStart = z.string().regex(/^([01]\d|2[0-3]):[0-5]\d$/, "Must be a time from 00:00 to 23:59.");
const localEnd = z.string().regex(/^(([01]\d|2[0-3]):[0-5]\d|24:00)$/, "Must be a time from 00:00 to 24:00.");

/** Hours of every week by the wall clock of the request's zone. `weekday` is ISO 8601: 1 is Monday, 7 is Sunday. */
export const weeklyHoursSchema = together(
  z.strictObject({
    weekday: z.int().min(1).max(7),
    local_start: localStart,
    local_end: localEnd,
  }),
  ({ local_start: start, local_end: end }) =>
    localStart.safeParse(start).success && localEnd.safeParse(end).success && String(end) <= String(start)
      ? [{ path: ["local_end"], code: "too_small", message: "Must be after local_start." }]
      : [],
);

/**
 * The weekly hours of a therapist from `effective_from` to `effective_until` (both days included; null: for good) become
 * exactly `hours`; none, and the therapist does not work. What was set for other days stays.
 */
export const setAvailabilityRequestSchema = together(
  z.strictObject({
    action: z.literal("set_hours"),
    therapist_id: guid,
    time_zone: timeZone,
    effective_from: z.iso.date(),
    effective_until: z.iso.date().nullable().default(null),
    // The length is judged before the items, so that ten thousand wrong ones get one answer.
    hours: z
      .array(z.custom<z.input<typeof weeklyHoursSchema>>())
      .max(MAX_WEEKLY_HOURS)
      .pipe(z.array(weeklyHoursSchema)),
  }),
  ({ effective_from: from, effective_until: until, hours }) => [
    ...(typeof from === "string" && typeof until === "string" && until < from
      ? [{ path: ["effective_until"], code: "too_small", message: "Must not be before effective_from." }]
      : []),
    ...(Array.isArray(hours) ? overlapIssues(hours) : []),
  ],
);

/** One issue for each of the hours that overlaps an earlier one. */
function overlapIssues(hours: readonly unknown[]): Issue[] {
  const parsed = hours.slice(0, MAX_WEEKLY_HOURS).map((hour) => weeklyHoursSchema.safeParse(hour).data);
  return parsed.flatMap((hour, index) =>
    hour &&
    parsed
      .slice(0, index)
      .some(
        (earlier) =>
          earlier?.weekday === hour.weekday &&
          earlier.local_start < hour.local_end &&
          earlier.local_end > hour.local_start,
      )
      ? [{ path: ["hours", index], code: "overlaps_another", message: "Overlaps other hours of this list." }]
      : [],
  );
}

/**
 * Time off or extra hours of a therapist, or a holiday of an organization. Where something is booked, `on_conflict` says
 * what becomes of it: `abort` refuses with `sessions_in_the_way`; `cancel` cancels scheduled sessions (as `cancelled_by`,
 * for `reason`) and releases holds; `keep` keeps them, and time off goes round them.
 */
export const addExceptionRequestSchema = together(
  z.strictObject({
    action: z.literal("add_exception"),
    kind: z.enum(["time_off", "extra_hours", "holiday"]),
    therapist_id: guid.optional(),
    organization_id: guid.optional(),
    ...timeFields,
    time_zone: timeZone,
    note: text(500).optional(),
    on_conflict: z.enum(["abort", "cancel", "keep"]).default("abort"),
    cancelled_by: z.enum(["therapist", "client", "clinic"]).optional(),
    reason: text(500).optional(),
  }),
  exceptionIssues,
);

function exceptionIssues(fields: Fields): Issue[] {
  const { kind, on_conflict: policy, start_time: start, end_time: end } = fields;
  const [whose, notWhose] =
    kind === "holiday" ? ["organization_id", "therapist_id"] : ["therapist_id", "organization_id"];
  const length = Date.parse(String(end)) - Date.parse(String(start));
  return [
    ...(fields[whose] === undefined ? [required(whose)] : []),
    ...(fields[notWhose] === undefined ? [] : [notAllowed(notWhose, `A ${kind} names ${whose} only.`)]),
    ...(policy === "cancel"
      ? []
      : ["cancelled_by", "reason"]
          .filter((field) => fields[field] !== undefined)
          .map((field) => notAllowed(field, "Only allowed together with on_conflict cancel."))),
    ...(length <= 0 ? [{ path: ["end_time"], code: "too_small", message: "Must be after start_time." }] : []),
    ...(length > MAX_EXCEPTION_DAYS * DAY_MS
      ? [
          {
            path: ["end_time"],
            code: "too_big",
            message: `Must be at most ${MAX_EXCEPTION_DAYS} days after start_time.`,
          },
        ]
      : []),
  ];
}

/** Takes back time off, extra hours or a holiday. */
export const cancelExceptionRequestSchema = z.strictObject({
  action: z.literal("cancel_exception"),
  exception_id: guid,
});

const actionSchema = z.discriminatedUnion("action", [
  setAvailabilityRequestSchema,
  addExceptionRequestSchema,
  cancelExceptionRequestSchema,
]);

/** `POST availability`: one of its three actions. */
export const availabilityRequestSchema = z
  .looseObject({ action: z.string().pipe(z.enum(["set_hours", "add_exception", "cancel_exception"])) })
  .pipe(z.custom<z.input<typeof actionSchema>>())
  .pipe(actionSchema);

/** A scheduled session that lies outside of the hours its therapist works now. */
export const sessionOutsideSchema = z.object({
  id: guid,
  therapist_id: guid,
  client_id: guid,
  series_id: guid.nullable(),
  start_time: instant,
  end_time: instant,
});

/** The data of a `set_hours` answer: the hours in effect from `effective_from` on, and what is booked outside of them. */
export const setAvailabilityDataSchema = z.object({
  therapist_id: guid,
  hours: z.array(
    z.object({
      id: guid,
      weekday: z.int(),
      local_start: z.string(),
      local_end: z.string(),
      effective_from: z.iso.date(),
      effective_until: z.iso.date().nullable(),
      time_zone: z.string(),
    }),
  ),
  sessions_outside: z.array(sessionOutsideSchema),
});

/** Time off, extra hours or a holiday. `therapist_id` is null for a holiday. */
export const exceptionSchema = z.object({
  id: guid,
  kind: z.enum(["time_off", "extra_hours", "holiday"]),
  therapist_id: guid.nullable(),
  start_time: instant,
  end_time: instant,
  time_zone: z.string(),
  status: z.enum(["active", "cancelled"]),
});

/**
 * The data of an `add_exception` answer: what was entered (time off that goes round what is kept is several), what was
 * cancelled for it (`late` is a session's: whether that counts as a late cancellation), and what was in the way and is
 * kept.
 */
export const addExceptionDataSchema = z.object({
  exceptions: z.array(exceptionSchema),
  cancelled: z.array(z.object({ id: guid, kind: z.enum(["hold", "session"]), late: z.boolean().optional() })),
  kept: z.array(sessionInTheWaySchema),
});

/** The data of a `cancel_exception` answer. Without extra hours, sessions in them lie outside of the therapist's hours. */
export const cancelExceptionDataSchema = z.object({
  exception: exceptionSchema,
  already_cancelled: z.boolean(),
  sessions_outside: z.array(sessionOutsideSchema),
});

export const setAvailabilityResponseSchema = z.object({ data: setAvailabilityDataSchema });
export const addExceptionResponseSchema = z.object({ data: addExceptionDataSchema });
export const cancelExceptionResponseSchema = z.object({ data: cancelExceptionDataSchema });

/** A request as a caller may write it, with what has a default left out. */
export type SetAvailabilityRequest = z.input<typeof setAvailabilityRequestSchema>;
export type AddExceptionRequest = z.input<typeof addExceptionRequestSchema>;
export type CancelExceptionRequest = z.input<typeof cancelExceptionRequestSchema>;

export type SetAvailabilityData = z.output<typeof setAvailabilityDataSchema>;
export type AddExceptionData = z.output<typeof addExceptionDataSchema>;
export type CancelExceptionData = z.output<typeof cancelExceptionDataSchema>;
