/**
 * Attendance on the wire: what the RPCs `start_session`, `complete_session`, `mark_no_show`, `correct_attendance`,
 * `list_no_show_candidates`, `evv_records` and `set_place_of_service` take and answer. They are called over REST, with no
 * function between.
 */
import { z } from "zod";
import { sessionSchema } from "./contracts.ts";
import {
  type Fields,
  guid,
  type Issue,
  instant,
  notAllowed,
  placeOfService,
  required,
  text,
  together,
} from "./fields.ts";

const DAY_MS = 86_400_000;
// What the caller last saw: a session that has changed since is not marked.
const version = z.int().min(1).max(2_147_483_647);
const device = z.string().regex(/^[!-~]{1,100}$/, "Must be 1 to 100 visible ASCII characters.");
const position = {
  latitude: z.number().min(-90).max(90),
  longitude: z.number().min(-180).max(180),
  accuracy_meters: z.number().min(0).max(100_000),
};
const noted = {
  place: text(300).optional(),
  reason: text(500).optional(),
};

/** Where a visit began or ended, and how that is known. What a method needs to prove it is required. */
export const locationSchema = z.discriminatedUnion("method", [
  z.strictObject({
    method: z.literal("gps"),
    ...position,
    accuracy_meters: position.accuracy_meters.optional(),
    device_id: device.optional(),
    ...noted,
  }),
  ...(["telephony", "fixed_device"] as const).map((method) =>
    z.strictObject({ method: z.literal(method), device_id: device, ...noted }),
  ),
  z.strictObject({ method: z.literal("manual"), ...noted, reason: text(500) }),
]);

const marking = {
  session_id: guid,
  version: version.optional(),
  /** With it, every member of the group that is as this one is: who is marked already stays so. */
  whole_group: z.boolean().optional(),
};

/** `start_session`. Without a time it begins now, while its booked time lasts. */
export const startRequestSchema = z.strictObject({
  ...marking,
  actual_start_time: instant.optional(),
  location: locationSchema.optional(),
});

/** `complete_session`. One that was never started takes both times. */
export const completeRequestSchema = together(
  z.strictObject({
    ...marking,
    actual_start_time: instant.optional(),
    actual_end_time: instant.optional(),
    location: locationSchema.optional(),
  }),
  (fields) => [
    ...(fields.actual_start_time !== undefined && fields.actual_end_time === undefined
      ? [required("actual_end_time")]
      : []),
    ...actualTimeIssues(fields),
  ],
);

/** `mark_no_show`, once the session was to begin. */
export const noShowRequestSchema = z.strictObject({ ...marking, reason: text(500).optional() });

/** `correct_attendance`: what the session should have been marked as. Only what took place has times. */
export const correctRequestSchema = together(
  z.strictObject({
    session_id: guid,
    version,
    status: z.enum(["scheduled", "completed", "no_show"]),
    reason: text(500),
    actual_start_time: instant.optional(),
    actual_end_time: instant.optional(),
  }),
  (fields) => [...timesOfStatus(fields), ...actualTimeIssues(fields)],
);

/** After its start, by at most a day of elapsed time, whatever the clock on the wall did. */
function actualTimeIssues({ actual_start_time: began, actual_end_time: ended }: Fields): Issue[] {
  const [from, to] = [instant.safeParse(began), instant.safeParse(ended)];
  if (!from.success || !to.success) return [];
  const length = Date.parse(to.data) - Date.parse(from.data);
  if (length <= 0)
    return [
      { path: ["actual_end_time"], code: "not_after_start", message: "The end must be after the start." },
    ];
  if (length <= DAY_MS) return [];
  return [{ path: ["actual_end_time"], code: "too_long", message: "A session lasts at most 24 hours." }];
}

function timesOfStatus(fields: Fields): Issue[] {
  const names = ["actual_start_time", "actual_end_time"];
  if (fields.status === "completed") return names.filter((name) => fields[name] === undefined).map(required);
  return names
    .filter((name) => fields[name] !== undefined)
    .map((name) => notAllowed(name, "Only what took place has actual times."));
}

const limit = z.int().min(1).max(500).optional();

/** `list_no_show_candidates`: scheduled sessions whose start passed by more than `late_minutes` (15). */
export const noShowCandidatesRequestSchema = z.strictObject({
  organization_id: guid,
  late_minutes: z.int().min(1).max(10_080).optional(),
  after: guid.optional(),
  limit,
});

/** `evv_records` of visits booked from `from` until before `to`. */
export const evvRecordsRequestSchema = z.strictObject({
  organization_id: guid,
  from: instant,
  to: instant,
  after: guid.optional(),
  limit,
});

/** `set_place_of_service`: where a session takes place, or took place while it is on no claim. */
export const setPlaceOfServiceRequestSchema = z.strictObject({
  session_id: guid,
  version: version.optional(),
  place_of_service: placeOfService,
});

/** The session, as it is now. */
export const placedSessionSchema = z.object({ session: sessionSchema });

/** A session with what took place of it. `attendance` is null while it is open. */
export const markedSessionSchema = sessionSchema.extend({
  actual_start_time: instant.nullable(),
  actual_end_time: instant.nullable(),
  attendance: z
    .enum(["attended", "no_show", "cancelled_by_therapist", "cancelled_by_client", "cancelled_by_clinic"])
    .nullable(),
});

/** The session that was named, and with `whole_group` the others that were marked with it. */
export const markedDataSchema = z.object({ sessions: z.array(markedSessionSchema) });

/** A page, oldest first. `next` is what the following call says as `after`; null on the last page. */
export const noShowCandidatesSchema = z.object({ sessions: z.array(sessionSchema), next: guid.nullable() });

const recordedLocationSchema = z.object({
  method: z.enum(["gps", "telephony", "fixed_device", "manual"]),
  latitude: z.number().optional(),
  longitude: z.number().optional(),
  accuracy_meters: z.number().optional(),
  place: z.string().optional(),
  device_id: z.string().optional(),
  reason: z.string().optional(),
  recorded_at: instant,
  recorded_by: guid.optional(),
});

/** The six elements of a visit (21st Century Cures Act §12006), and which of them are missing. */
export const evvRecordSchema = z.object({
  session_id: guid,
  service_code: z.string(),
  cpt_code: z.string().nullable(),
  client_id: guid,
  therapist_id: guid,
  /** The day on which it began, in the session's zone. */
  date: z.iso.date(),
  time_zone: z.string(),
  start_time: instant,
  end_time: instant.nullable(),
  start_location: recordedLocationSchema.nullable(),
  end_location: recordedLocationSchema.nullable(),
  missing: z.array(z.enum(["end_time", "start_location", "end_location"])),
});

export const evvPageSchema = z.object({ records: z.array(evvRecordSchema), next: guid.nullable() });
