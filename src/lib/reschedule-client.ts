/**
 * Rescheduling for apps: move a session, swap two, or give a therapist's sessions to a substitute.
 */
import type { SupabaseClient } from "@supabase/supabase-js";
import { type CallOptions, call } from "./call.ts";
import { type Camel, fromWire, toWire } from "./casing.ts";
import {
  type MovedData,
  type MoveRequest,
  movedResponseSchema,
  type SubstituteData,
  type SubstituteRequest,
  type SwapRequest,
  substituteResponseSchema,
} from "./reschedule.ts";
import { type TimeRange, timeWithOffsets } from "./time-range.ts";

/** Which session, as it was when it was read (`version`), and where it goes. What is left out stays. */
export type SessionMoveRequest = Omit<Camel<MoveRequest>, "action" | keyof TimeRange> & TimeRange;

/** Two sessions, as they were when they were read, and what they exchange. */
export type SessionSwapRequest = Omit<Camel<SwapRequest>, "action">;

/** Whose sessions go to whom, of which hours. */
export type SubstitutionRequest = Omit<Camel<SubstituteRequest>, "action" | "from" | "to"> & {
  from: Date | string;
  to: Date | string;
};

/** Every session that changed, by start. */
export type MovedSessions = Camel<MovedData>;
/** The sessions that the substitute has now and, with `onConflict: "skip"`, those left with the therapist, and why. */
export type SubstitutionResult = Camel<SubstituteData>;

/**
 * Moves a session at once, without a hold; of a group or team, all of it.
 *
 * @throws HoldfastError `stale_version` with the current `version`; `therapist_conflict`, `client_conflict`,
 *   `room_conflict`, `therapist_unavailable` with `conflicts` and `alternatives`; `validation_failed`,
 *   `offset_mismatch`; and what every call may meet.
 */
export async function moveSession(
  supabase: SupabaseClient,
  request: SessionMoveRequest,
  options: CallOptions = {},
): Promise<MovedSessions> {
  const body = toWire({ ...(await timeWithOffsets(request, request.timeZone)), action: "move" });
  const { data } = await call(supabase, "sessions-reschedule", body, movedResponseSchema, options);
  return fromWire(data);
}

/**
 * Lets two sessions exchange their times and rooms, or their therapists, in one step.
 *
 * @throws HoldfastError `stale_version`, whose `reason` names the field of the session that has changed; a conflict, of
 *   which `occurrence` 0 is the first session and 1 the other; and what every call may meet.
 */
export async function swapSessions(
  supabase: SupabaseClient,
  request: SessionSwapRequest,
  options: CallOptions = {},
): Promise<MovedSessions> {
  const body = toWire({ ...request, action: "swap" });
  const { data } = await call(supabase, "sessions-reschedule", body, movedResponseSchema, options);
  return fromWire(data);
}

/**
 * Gives a therapist's scheduled sessions of some hours, at most 31 days, to a substitute: all or none, or with
 * `onConflict: "skip"` those that can go. For schedulers and admins.
 *
 * @throws HoldfastError a conflict; `validation_failed` with field `substituteId` for a substitute who cannot have a
 *   session (`not_assigned`, `not_qualified`, ...); and what every call may meet.
 */
export async function substituteTherapist(
  supabase: SupabaseClient,
  request: SubstitutionRequest,
  options: CallOptions = {},
): Promise<SubstitutionResult> {
  const body = toWire({ ...request, action: "substitute" });
  const { data } = await call(supabase, "sessions-reschedule", body, substituteResponseSchema, options);
  return fromWire(data);
}
