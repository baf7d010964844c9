/**
 * `POST partner-sync` as it stands on the wire: what a partner organization's software asks with a service token, and
 * what it is answered. A request holds no field that its schema does not name; of an answer, what is not known is
 * dropped. There are no names and no ids of clients in either: a client is known by the partner's own reference.
 */
import { z } from "zod";

/** What a service account may be allowed to do: refer clients, read the schedule of those it referred. */
export const SERVICE_SCOPES = ["enrolment:write", "schedule:read"] as const;
export type ServiceScope = (typeof SERVICE_SCOPES)[number];

/** Longest stretch of schedule that one call may ask for, in days of 24 hours. */
export const MAX_SCHEDULE_DAYS = 92;
/** Most referrals in one answer; `next` leads to the rest. */
export const MAX_REFERRALS = 100;

const DAY_MS = 86_400_000;
const instant = z.iso.datetime({ offset: true });
const reference = z.string().regex(/^[A-Za-z0-9._/-]{1,64}$/, "Must be 1 to 64 of A-Z a-z 0-9 . _ / -");

const enrolSchema = z.strictObject({ operation: z.literal("enrol"), reference });

const scheduleSchema = z
  .strictObject({
    operation: z.literal("schedule"),
    reference: reference.optional(),
    from: instant.optional(),
    to: instant.optional(),
    after: reference.optional(),
  })
  .superRefine(({ from, to }, context) => {
    if (from === undefined || to === undefined) return;
    const days = (Date.parse(to) - Date.parse(from)) / DAY_MS;
    const refuse = (code: string, message: string) =>
      context.addIssue({ code: "custom", path: ["to"], params: { code }, message });
    if (days <= 0) refuse("too_small", "Must be after from.");
    if (days > MAX_SCHEDULE_DAYS) refuse("too_big", `Must be at most ${MAX_SCHEDULE_DAYS} days after from.`);
  });

const operationSchema = z.discriminatedUnion("operation", [enrolSchema, scheduleSchema]);

/**
 * `POST partner-sync`. `schedule` without `reference` is about every client that the account referred, by reference and
 * from the one after `after` on; `from` is now and `to` 92 days later where they are left out.
 */
export const partnerRequestSchema = z
  .looseObject({ operation: z.string().pipe(z.enum(["enrol", "schedule"])) })
  .pipe(z.custom<z.input<typeof operationSchema>>())
  .pipe(operationSchema);

const referralStatus = z.enum(["submitted", "accepted", "declined"]);

/** The data of an `enrol` answer; `created` is false when the reference was enrolled before. */
export const partnerEnrolDataSchema = z.object({
  reference: z.string(),
  status: referralStatus,
  created: z.boolean(),
});

/** One booked session, as a partner sees it. */
export const partnerSessionSchema = z.object({
  start_time: instant,
  end_time: instant,
  time_zone: z.string(),
  status: z.enum(["scheduled", "in_progress", "completed", "no_show", "cancelled"]),
});

/**
 * The data of a `schedule` answer: the stretch it is about, and for each referral its status, the client's once it is
 * accepted, and the sessions that start within the stretch.
 */
export const partnerScheduleDataSchema = z.object({
  from: instant,
  to: instant,
  referrals: z.array(
    z.object({
      reference: z.string(),
      status: referralStatus,
      client_status: z.enum(["active", "archived"]).nullable(),
      sessions: z.array(partnerSessionSchema),
    }),
  ),
  /** What to ask on with as `after`; null at the end. */
  next: z.string().nullable(),
});

export const partnerEnrolResponseSchema = z.object({ data: partnerEnrolDataSchema });
export const partnerScheduleResponseSchema = z.object({ data: partnerScheduleDataSchema });

export type PartnerRequest = z.input<typeof operationSchema>;
export type PartnerEnrolData = z.output<typeof partnerEnrolDataSchema>;
export type PartnerScheduleData = z.output<typeof partnerScheduleDataSchema>;
