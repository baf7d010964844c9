/**
 * The waitlist on the wire: joining it, leaving it, and answering what it offers. An offer is a hold that nobody else can
 * have until `expires_at`; accepting it books the session.
 */
import { z } from "zod";
import { confirmDataSchema } from "./contracts.ts";
import {
  type Fields,
  guid,
  type Issue,
  instant,
  MAX_SESSION_HOURS,
  placeOfService,
  text,
  timeZone,
  together,
} from "./fields.ts";

/** Most weekly times that one entry may name. */
export const MAX_WANTED_TIMES = 50;

const clock = (pattern: RegExp) => z.string().regex(pattern, "Must be a wall-clock time such as 09:00");
const localStart = clock(/^([01]\d|2[0-3]):[0-5]\d$/);
const localEnd = clock(/^(([01]\d|2[0-3]):[0-5]\d|24:00)$/);

/** A weekly time by the wall clock of the entry's zone. Weekdays are those of ISO 8601: 1 is Monday, 7 is Sunday. */
export const wantedTimeSchema = z.strictObject({
  weekday: z.int().min(1).max(7),
  local_start: localStart,
  local_end: localEnd,
});

const joinSchema = together(
  z.strictObject({
    action: z.literal("join"),
    client_id: guid,
    service_code: text(20),
    therapist_id: guid.nullable().optional(),
    duration_minutes: z
      .int()
      .min(1)
      .max(MAX_SESSION_HOURS * 60),
    wanted_from: z.iso.date(),
    wanted_until: z.iso.date().nullable().optional(),
    time_zone: timeZone,
    wanted_times: z.array(wantedTimeSchema).min(1).max(MAX_WANTED_TIMES),
  }),
  wantedIssues,
);

const leaveSchema = z.strictObject({ action: z.literal("leave"), waitlist_entry_id: guid });

const answerSchema = together(
  z.strictObject({
    action: z.literal("answer"),
    hold_key: guid,
    answer: z.enum(["accept", "decline"]),
    session: z.strictObject({ place_of_service: placeOfService.optional() }).optional(),
  }),
  ({ answer, session }) =>
    answer === "decline" && session !== undefined
      ? [{ path: ["session"], code: "not_allowed", message: "Only allowed with the answer accept." }]
      : [],
);

/** `POST waitlist`: one of three actions. */
export const waitlistRequestSchema = z.discriminatedUnion("action", [joinSchema, leaveSchema, answerSchema]);

function wantedIssues(fields: Fields): Issue[] {
  const { wanted_from: from, wanted_until: until, wanted_times: times, duration_minutes: minutes } = fields;
  const issues: Issue[] = [];
  if (typeof from === "string" && typeof until === "string" && until < from) {
    issues.push({
      path: ["wanted_until"],
      code: "before_wanted_from",
      message: "Must not be before wanted_from.",
    });
  }
  if (!Array.isArray(times)) return issues;
  const parsed = times.slice(0, MAX_WANTED_TIMES).map((time) => wantedTimeSchema.safeParse(time).data);
  parsed.forEach((time, index) => {
    if (!time) return;
    const refuse = (code: string, message: string) =>
      issues.push({ path: ["wanted_times", index], code, message });
    if (time.local_end <= time.local_start) {
      refuse("not_after_start", "The end must be after the start.");
    } else if (minutesOf(time.local_end) - minutesOf(time.local_start) < Number(minutes)) {
      refuse("shorter_than_session", "Shorter than the session itself.");
    }
    const overlaps = parsed
      .slice(0, index)
      .some(
        (earlier) =>
          earlier?.weekday === time.weekday &&
          earlier.local_start < time.local_end &&
          time.local_start < earlier.local_end,
      );
    if (overlaps) refuse("overlaps_another", "Overlaps an earlier one.");
  });
  return issues;
}

function minutesOf(clockTime: string): number {
  const [hours = 0, minutes = 0] = clockTime.split(":").map(Number);
  return hours * 60 + minutes;
}

/** A time that is held for an entry until `expires_at`; `hold_key` names it in the answer. */
export const offerSchema = z.object({
  hold_key: guid,
  therapist_id: guid,
  start_time: instant,
  end_time: instant,
  expires_at: instant,
});

/** An entry of the waitlist, with what it is offered now. `waiting` until it is `booked` or `withdrawn`. */
export const waitlistEntrySchema = z.object({
  id: guid,
  client_id: guid,
  service_code: z.string(),
  therapist_id: guid.nullable(),
  duration_minutes: z.int(),
  wanted_from: z.iso.date(),
  wanted_until: z.iso.date().nullable(),
  time_zone: z.string(),
  status: z.enum(["waiting", "booked", "withdrawn"]),
  wanted_times: z.array(z.object({ weekday: z.int(), local_start: z.string(), local_end: z.string() })),
  offer: offerSchema.nullable(),
});

/** The data of an answer to `join`, to `leave`, and to `answer` with `decline`. */
export const waitlistDataSchema = z.object({ entry: waitlistEntrySchema });

/** The data of an answer to `answer` with `accept`: what was booked, as confirming a hold answers it. */
export const acceptedOfferDataSchema = confirmDataSchema.extend({ entry: waitlistEntrySchema });

/** The same to a family: what was booked, as its view `family_sessions` shows it. */
export const acceptedAppointmentDataSchema = z.object({
  appointment: z.object({
    session_id: guid,
    client_id: guid,
    start_time: instant,
    end_time: instant,
    time_zone: z.string(),
    status: z.string(),
    therapist_name: z.string(),
    service_name: z.string(),
  }),
  entry: waitlistEntrySchema,
});

export const waitlistResponseSchema = z.object({ data: waitlistDataSchema });
export const acceptedOfferResponseSchema = z.object({
  data: z.union([acceptedOfferDataSchema, acceptedAppointmentDataSchema]),
});

export type WaitlistRequest = z.input<typeof waitlistRequestSchema>;
export type WantedTime = z.output<typeof wantedTimeSchema>;
export type WaitlistEntry = z.output<typeof waitlistEntrySchema>;
export type WaitlistData = z.output<typeof waitlistDataSchema>;
export type AcceptedOfferData = z.output<typeof acceptedOfferDataSchema>;
export type AcceptedAppointmentData = z.output<typeof acceptedAppointmentDataSchema>;
