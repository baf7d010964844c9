/** Reports, for apps: by RPC over REST, a page at a time. Each tells of what its reader may see. */
import type { SupabaseClient } from "@supabase/supabase-js";
import type { z } from "zod";
import type { CallOptions } from "./call.ts";
import { callRpc } from "./call-rpc.ts";
import { type Camel, fromWire, toWire } from "./casing.ts";
import {
  attendancePageSchema,
  authorizationUnitsPageSchema,
  type authorizationUnitsRequestSchema,
  cancellationPageSchema,
  missingNotesPageSchema,
  type sessionsReportRequestSchema,
  supervisionPageSchema,
  type supervisionRequestSchema,
  unbilledPageSchema,
  utilizationPageSchema,
  type utilizationRequestSchema,
} from "./reports.ts";

/** Which days, and whose sessions. */
export type SessionsReportRequest = Camel<z.input<typeof sessionsReportRequestSchema>>;
/** Which days, and whose time. */
export type UtilizationRequest = Camel<z.input<typeof utilizationRequestSchema>>;
/** Which days, and whose authorizations. */
export type AuthorizationUnitsRequest = Camel<z.input<typeof authorizationUnitsRequestSchema>>;
/** Which month, and which technician. */
export type SupervisionRequest = Camel<z.input<typeof supervisionRequestSchema>>;
/** A page of `readAttendance`; `next` asks on as `after`. */
export type AttendancePage = Camel<z.output<typeof attendancePageSchema>>;
/** A page of `readCancellations`; `next` asks on as `after`. */
export type CancellationPage = Camel<z.output<typeof cancellationPageSchema>>;
/** A page of `readUtilization`; `next` asks on as `after`. */
export type UtilizationPage = Camel<z.output<typeof utilizationPageSchema>>;
/** A page of `readAuthorizationUnits`; `next` asks on as `after`. */
export type AuthorizationUnitsPage = Camel<z.output<typeof authorizationUnitsPageSchema>>;
/** A page of `readUnbilledSessions`; `next` asks on as `after`. */
export type UnbilledPage = Camel<z.output<typeof unbilledPageSchema>>;
/** A page of `readMissingNotes`; `next` asks on as `after`. */
export type MissingNotesPage = Camel<z.output<typeof missingNotesPageSchema>>;
/** A page of `readSupervision`; `next` asks on as `after`. */
export type SupervisionPage = Camel<z.output<typeof supervisionPageSchema>>;

/**
 * How many sessions came to what, by month, therapist and cause. A page, by month.
 *
 * @throws HoldfastError `forbidden`, `not_found`, `validation_failed`; and what every call may meet.
 */
export async function readAttendance(
  supabase: SupabaseClient,
  request: SessionsReportRequest,
  options: CallOptions = {},
): Promise<AttendancePage> {
  return fromWire(await callRpc(supabase, "read_attendance", toWire(request), attendancePageSchema, options));
}

/**
 * The cancelled sessions with the notice that was given, by the time they were booked for.
 *
 * @throws HoldfastError `forbidden`, `not_found`, `validation_failed`; and what every call may meet.
 */
export async function readCancellations(
  supabase: SupabaseClient,
  request: SessionsReportRequest,
  options: CallOptions = {},
): Promise<CancellationPage> {
  return fromWire(
    await callRpc(supabase, "read_cancellations", toWire(request), cancellationPageSchema, options),
  );
}

/**
 * Therapists' booked and delivered time against their availability.
 *
 * @throws HoldfastError `forbidden`, `not_found`, `validation_failed`; and what every call may meet.
 */
export async function readUtilization(
  supabase: SupabaseClient,
  request: UtilizationRequest,
  options: CallOptions = {},
): Promise<UtilizationPage> {
  return fromWire(
    await callRpc(supabase, "read_utilization", toWire(request), utilizationPageSchema, options),
  );
}

/**
 * The authorizations of some of the days and what is taken of them, by the day they end. For who plans sessions.
 *
 * @throws HoldfastError `forbidden`, `not_found`, `validation_failed`; and what every call may meet.
 */
export async function readAuthorizationUnits(
  supabase: SupabaseClient,
  request: AuthorizationUnitsRequest,
  options: CallOptions = {},
): Promise<AuthorizationUnitsPage> {
  return fromWire(
    await callRpc(
      supabase,
      "read_authorization_units",
      toWire(request),
      authorizationUnitsPageSchema,
      options,
    ),
  );
}

/**
 * Completed sessions with units that are not billed, by day of service.
 *
 * @throws HoldfastError `forbidden`, `not_found`, `validation_failed`; and what every call may meet.
 */
export async function readUnbilledSessions(
  supabase: SupabaseClient,
  request: SessionsReportRequest,
  options: CallOptions = {},
): Promise<UnbilledPage> {
  return fromWire(
    await callRpc(supabase, "read_unbilled_sessions", toWire(request), unbilledPageSchema, options),
  );
}

/**
 * Completed sessions of which their therapist has signed no note, the oldest first.
 *
 * @throws HoldfastError `forbidden`, `not_found`, `validation_failed`; and what every call may meet.
 */
export async function readMissingNotes(
  supabase: SupabaseClient,
  request: SessionsReportRequest,
  options: CallOptions = {},
): Promise<MissingNotesPage> {
  return fromWire(
    await callRpc(supabase, "read_missing_notes", toWire(request), missingNotesPageSchema, options),
  );
}

/**
 * Whether each technician's month has the supervision it needs: done, forecast, and what is short before the month ends.
 *
 * @throws HoldfastError `forbidden`, `not_found`, `validation_failed`; and what every call may meet.
 */
export async function readSupervision(
  supabase: SupabaseClient,
  request: SupervisionRequest,
  options: CallOptions = {},
): Promise<SupervisionPage> {
  return fromWire(
    await callRpc(supabase, "supervision_months", toWire(request), supervisionPageSchema, options),
  );
}
