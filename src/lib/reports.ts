/**
 * Reports on the wire: what the RPCs `read_attendance`, `read_cancellations`, `read_utilization`, `read_authorization_units`,
 * `read_unbilled_sessions`, `read_missing_notes` and `supervision_months` take and answer. Days and months are those of the
 * organization's zone; a session is of the day on which it was booked to start.
 */
import { z } from "zod";
import { guid, type Issue, instant, together } from "./fields.ts";

/** Most rows of one page of a report. */
export const MAX_REPORT_PAGE = 200;
/** Most days of one report. */
export const MAX_REPORT_DAYS = 366;

const DAY_MS = 86_400_000;

const day = z.iso.date();
const count = z.int().min(0);
const share = z.number().nullable();

const paging = {
  /** `next` of the page before. */
  after: z.string().max(200).optional(),
  limit: z.int().min(1).max(MAX_REPORT_PAGE).optional(),
};
const days = {
  organization_id: guid,
  /** The first day. */
  from: day,
  /** The last day, included; at most 366 days. */
  to: day,
  ...paging,
};
const ofTherapist = { therapist_id: guid.optional() };
const ofClient = { client_id: guid.optional() };

function ofDays<Shape extends z.ZodRawShape>(shape: Shape) {
  return together(z.strictObject({ ...days, ...shape }), ({ from, to }): Issue[] => {
    const [first, last] = [day.safeParse(from), day.safeParse(to)];
    if (!first.success || !last.success) return [];
    const more = (Date.parse(last.data) - Date.parse(first.data)) / DAY_MS;
    if (more < 0) return [{ path: ["to"], code: "before_start", message: "Must not be before from." }];
    if (more < MAX_REPORT_DAYS) return [];
    return [{ path: ["to"], code: "too_long", message: `A report covers at most ${MAX_REPORT_DAYS} days.` }];
  });
}

const pageOf = <Row extends z.ZodType>(row: Row) =>
  z.object({
    rows: z.array(row),
    /** What to ask on with as `after`; null: there is no more. */
    next: z.string().nullable(),
  });

/** `read_attendance`, `read_cancellations`, `read_unbilled_sessions` and `read_missing_notes`. */
export const sessionsReportRequestSchema = ofDays({ ...ofTherapist, ...ofClient });
/** `read_utilization`. */
export const utilizationRequestSchema = ofDays(ofTherapist);
/** `read_authorization_units`. */
export const authorizationUnitsRequestSchema = ofDays(ofClient);

/** `supervision_months`. */
export const supervisionRequestSchema = z.strictObject({
  organization_id: guid,
  /** Such as 2027-03. */
  month: z.string().regex(/^\d{4}-(0[1-9]|1[0-2])$/, "Must be a month such as 2027-03."),
  ...ofTherapist,
  ...paging,
});

/** How many sessions of a therapist came to something in a month. */
export const attendanceRowSchema = z.object({
  /** The month's first day. */
  month: day,
  therapist_id: guid,
  attendance: z.enum([
    "attended",
    "no_show",
    "cancelled_by_therapist",
    "cancelled_by_client",
    "cancelled_by_clinic",
  ]),
  sessions: count,
  planned_minutes: count,
  /** By the actual times; of what was attended. */
  delivered_minutes: count,
  late_cancellations: count,
});

/** A cancelled session. Why is PHI: `readTexts`. */
export const cancellationRowSchema = z.object({
  session_id: guid,
  therapist_id: guid,
  client_id: guid,
  service_id: guid,
  start_time: instant,
  end_time: instant,
  cancelled_by: z.enum(["therapist", "client", "clinic"]),
  cancelled_at: instant,
  /** From the cancellation to the booked start; null where it was not recorded. */
  notice_minutes: z.int().nullable(),
  /** By therapist or client, with less notice than the organization asked for. */
  is_late: z.boolean(),
});

/** A therapist's time. */
export const utilizationRowSchema = z.object({
  therapist_id: guid,
  /** Weekly hours and extra hours, without holidays and time off. */
  available_minutes: count,
  scheduled_minutes: count,
  delivered_minutes: count,
  /** Of what is available; null where nothing is. */
  scheduled_share: share,
  delivered_share: share,
});

/** What is taken of an authorization; without its number, which is PHI. */
export const authorizationUnitsRowSchema = z.object({
  authorization_id: guid,
  client_id: guid,
  payer_id: guid,
  kind: z.enum(["billable", "schedule_only"]),
  cpt_codes: z.array(z.string()),
  starts_on: day,
  ends_on: day,
  status: z.enum(["active", "closed"]),
  units: count.nullable(),
  reserved_units: count,
  scheduled_units: count,
  used_units: count,
  /** Taken beyond what was authorized; in none of the others. */
  overridden_units: count,
  remaining_units: count.nullable(),
});

/** A completed session with units that are not billed. */
export const unbilledRowSchema = z.object({
  session_id: guid,
  therapist_id: guid,
  client_id: guid,
  service_date: day,
  cpt_code: z.string(),
  modifiers: z.array(z.string()),
  minutes: count,
  units: count,
  payer_id: guid.nullable(),
  /** What a biller should look at first: docs/billing.md. */
  warnings: z.array(z.string()),
});

/** A completed session of which its therapist has signed no note. */
export const missingNoteRowSchema = z.object({
  session_id: guid,
  therapist_id: guid,
  client_id: guid,
  service_id: guid,
  start_time: instant,
  end_time: instant,
  has_draft: z.boolean(),
});

const supervisionNeedsSchema = z.object({
  supervised_minutes: count,
  contacts: count,
  individual_contacts: count,
  observing_contacts: count,
});
const supervisionCountsSchema = supervisionNeedsSchema.extend({
  minutes: count,
  /** Of the minutes; null where there are none. */
  share,
});

/** A technician's month. */
export const supervisionRowSchema = z.object({
  therapist_id: guid,
  done: supervisionCountsSchema,
  /** What is done, and what is booked. */
  forecast: supervisionCountsSchema,
  required: supervisionNeedsSchema,
  /** What is neither done nor booked. */
  shortfall: supervisionNeedsSchema,
  status: z.enum(["not_required", "met", "on_track", "short"]),
});

export const attendancePageSchema = pageOf(attendanceRowSchema);
export const cancellationPageSchema = pageOf(cancellationRowSchema);
export const utilizationPageSchema = pageOf(utilizationRowSchema);
export const authorizationUnitsPageSchema = pageOf(authorizationUnitsRowSchema);
export const unbilledPageSchema = pageOf(unbilledRowSchema);
export const missingNotesPageSchema = pageOf(missingNoteRowSchema);
export const supervisionPageSchema = pageOf(supervisionRowSchema).extend({
  month: z.string(),
  /** The least share of the month's minutes. */
  required_share: z.number(),
});
