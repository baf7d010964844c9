/**
 * Attendance for apps: start and complete a session, mark who did not come, correct what was marked; and the lists of it.
 */
import type { SupabaseClient } from "@supabase/supabase-js";
import type { z } from "zod";
import {
  type completeRequestSchema,
  type correctRequestSchema,
  evvPageSchema,
  type evvRecordsRequestSchema,
  type locationSchema,
  markedDataSchema,
  type noShowCandidatesRequestSchema,
  noShowCandidatesSchema,
  type noShowRequestSchema,
  placedSessionSchema,
  type setPlaceOfServiceRequestSchema,
  type startRequestSchema,
} from "./attendance.ts";
import type { CallOptions } from "./call.ts";
import { callRpc } from "./call-rpc.ts";
import { type Camel, fromWire, toWire } from "./casing.ts";
import type { WithDates } from "./time-range.ts";

type ActualTime = "actualStartTime" | "actualEndTime";

/** Where a visit began or ended. */
export type VisitLocation = Camel<z.input<typeof locationSchema>>;
/** Which session began; when, unless it is now; from where. */
export type SessionStart = WithDates<Camel<z.input<typeof startRequestSchema>>, "actualStartTime">;
/** Which session ended; when, unless it is now; from where. Both times of one that was never started. */
export type SessionCompletion = WithDates<Camel<z.input<typeof completeRequestSchema>>, ActualTime>;
/** To which session the client did not come, and why, where that is known. */
export type NoShowRequest = Camel<z.input<typeof noShowRequestSchema>>;
/** What a session should have been marked as, and why it was not. */
export type AttendanceCorrection = WithDates<Camel<z.input<typeof correctRequestSchema>>, ActualTime>;
/** Which organization's, how late, which page. */
export type NoShowCandidatesRequest = Camel<z.input<typeof noShowCandidatesRequestSchema>>;
/** Which organization's, of which time, which page. */
export type EvvRecordsRequest = WithDates<Camel<z.input<typeof evvRecordsRequestSchema>>, "from" | "to">;
/** Which session takes place where. */
export type PlaceOfServiceRequest = Camel<z.input<typeof setPlaceOfServiceRequestSchema>>;

/** The session, as it is now. */
export type PlacedSession = Camel<z.output<typeof placedSessionSchema>>;
/** The sessions that were marked, as they are now. */
export type MarkedSessions = Camel<z.output<typeof markedDataSchema>>;
/** Sessions that should have begun. Page on with `after: next`. */
export type NoShowCandidates = Camel<z.output<typeof noShowCandidatesSchema>>;
/** The six elements of visits. Page on with `after: next`. */
export type EvvPage = Camel<z.output<typeof evvPageSchema>>;

/**
 * Marks that a session has begun. For its therapist, who supervises them, and admins.
 *
 * @throws HoldfastError `forbidden`, `not_found`, `stale_version` with the current `version`, `validation_failed`
 *   (`sessionId` `not_scheduled`; `actualStartTime` `required`, `too_early`, `in_the_future`, `overlaps_another`); and
 *   what every call may meet.
 */
export async function startSession(
  supabase: SupabaseClient,
  request: SessionStart,
  options: CallOptions = {},
): Promise<MarkedSessions> {
  return fromWire(await callRpc(supabase, "start_session", toWire(request), markedDataSchema, options));
}

/**
 * Marks that a session took place and has ended. For whom `startSession` is.
 *
 * @throws HoldfastError as `startSession` does; `sessionId` `not_in_progress`, `actualEndTime` `required`,
 *   `not_after_start`, `too_long`, `in_the_future`.
 */
export async function completeSession(
  supabase: SupabaseClient,
  request: SessionCompletion,
  options: CallOptions = {},
): Promise<MarkedSessions> {
  return fromWire(await callRpc(supabase, "complete_session", toWire(request), markedDataSchema, options));
}

/**
 * Marks that the client did not come. For whom `startSession` is. Frees the time.
 *
 * @throws HoldfastError `forbidden`, `not_found`, `stale_version`, `validation_failed` (`sessionId` `not_open`,
 *   `in_the_future`); and what every call may meet.
 */
export async function markNoShow(
  supabase: SupabaseClient,
  request: NoShowRequest,
  options: CallOptions = {},
): Promise<MarkedSessions> {
  return fromWire(await callRpc(supabase, "mark_no_show", toWire(request), markedDataSchema, options));
}

/**
 * Corrects what was marked, or takes it back (`status: "scheduled"`). For who supervises the therapist, and admins.
 *
 * @throws HoldfastError as `completeSession` does; `sessionId` `not_marked`, `time_taken`; `status` `unchanged`.
 */
export async function correctAttendance(
  supabase: SupabaseClient,
  request: AttendanceCorrection,
  options: CallOptions = {},
): Promise<MarkedSessions> {
  return fromWire(await callRpc(supabase, "correct_attendance", toWire(request), markedDataSchema, options));
}

/**
 * Scheduled sessions whose start has passed, oldest first: a therapist's own, a supervisor's caseload's, schedulers' and
 * admins' all. Nothing is set.
 *
 * @throws HoldfastError `forbidden`, `not_found`, `validation_failed`; and what every call may meet.
 */
export async function listNoShowCandidates(
  supabase: SupabaseClient,
  request: NoShowCandidatesRequest,
  options: CallOptions = {},
): Promise<NoShowCandidates> {
  return fromWire(
    await callRpc(supabase, "list_no_show_candidates", toWire(request), noShowCandidatesSchema, options),
  );
}

/**
 * The six elements of electronic visit verification of each visit, and which are missing. For schedulers and admins; each
 * reading is on record.
 *
 * @throws HoldfastError `forbidden`, `not_found`, `validation_failed`; and what every call may meet.
 */
export async function evvRecords(
  supabase: SupabaseClient,
  request: EvvRecordsRequest,
  options: CallOptions = {},
): Promise<EvvPage> {
  return fromWire(await callRpc(supabase, "evv_records", toWire(request), evvPageSchema, options));
}

/**
 * Says where a session takes place, or took place while it is on no claim: what whoever booked it left open, as a family does
 * that accepts an offer, or what has changed since. For who may book it.
 *
 * @throws HoldfastError `not_found`, `stale_version` with the current `version`, `session_billed`, `validation_failed`
 *   (`placeOfService` `unknown`; `sessionId` `not_open`: it is cancelled or was missed); and what every call may meet.
 */
export async function setPlaceOfService(
  supabase: SupabaseClient,
  request: PlaceOfServiceRequest,
  options: CallOptions = {},
): Promise<PlacedSession> {
  return fromWire(
    await callRpc(supabase, "set_place_of_service", toWire(request), placedSessionSchema, options),
  );
}
