/**
 * Availability for apps: weekly hours, time off, extra hours and holidays, over the Edge Function. Names are camelCase;
 * every failure is a `HoldfastError`.
 */
import type { SupabaseClient } from "@supabase/supabase-js";
import {
  type AddExceptionData,
  type AddExceptionRequest,
  addExceptionResponseSchema,
  type CancelExceptionData,
  type CancelExceptionRequest,
  cancelExceptionResponseSchema,
  type SetAvailabilityData,
  type SetAvailabilityRequest,
  setAvailabilityResponseSchema,
} from "./availability.ts";
import { type CallOptions, call } from "./call.ts";
import { type Camel, fromWire, toWire } from "./casing.ts";
import { type TimeRange, timeWithOffsets } from "./time-range.ts";

/** Whose weekly hours, from which day to which, and what they shall be. Days are `YYYY-MM-DD`, times `HH:MM`. */
export type WeeklyHoursRequest = Omit<Camel<SetAvailabilityRequest>, "action">;
/** What to enter; offsets that are left out are computed from the time zone. */
export type AvailabilityExceptionRequest = Omit<Camel<AddExceptionRequest>, "action" | keyof TimeRange> &
  TimeRange;
/** What to take back. */
export type ExceptionCancelRequest = Omit<Camel<CancelExceptionRequest>, "action">;

/** The weekly hours as they are now, and what is booked outside of them. */
export type WeeklyHours = Camel<SetAvailabilityData>;
/** What was entered, what was cancelled for it, and what was in the way and is kept. */
export type AvailabilityExceptions = Camel<AddExceptionData>;
/** What was taken back, and what is booked outside of the therapist's hours without it. */
export type CancelledException = Camel<CancelExceptionData>;

/**
 * Makes a therapist's weekly hours between two days exactly those of the request. Days before and after keep theirs.
 *
 * @throws HoldfastError `forbidden`, `not_found`, `validation_failed`; and what every call may meet.
 */
export async function setAvailability(
  supabase: SupabaseClient,
  request: WeeklyHoursRequest,
  options: CallOptions = {},
): Promise<WeeklyHours> {
  const body = { action: "set_hours", ...toWire(request) };
  const { data } = await call(supabase, "availability", body, setAvailabilityResponseSchema, options);
  return fromWire(data);
}

/**
 * Enters time off, extra hours or a holiday. Over what is booked it is refused, and `sessions` says what is in the way;
 * `onConflict` decides: `"cancel"` it, or `"keep"` it and take the rest.
 *
 * @throws HoldfastError `sessions_in_the_way` with `sessions`; `forbidden`, `not_found`, `validation_failed`,
 *   `offset_mismatch`; and what every call may meet.
 */
export async function addAvailabilityException(
  supabase: SupabaseClient,
  request: AvailabilityExceptionRequest,
  options: CallOptions = {},
): Promise<AvailabilityExceptions> {
  const body = {
    action: "add_exception",
    ...toWire({ ...request, ...(await timeWithOffsets(request, request.timeZone)) }),
  };
  const { data } = await call(supabase, "availability", body, addExceptionResponseSchema, options);
  return fromWire(data);
}

/**
 * Takes back time off, extra hours or a holiday. Doing so again is no error.
 *
 * @throws HoldfastError `forbidden`, `not_found`; and what every call may meet.
 */
export async function cancelAvailabilityException(
  supabase: SupabaseClient,
  request: ExceptionCancelRequest,
  options: CallOptions = {},
): Promise<CancelledException> {
  const body = { action: "cancel_exception", ...toWire(request) };
  const { data } = await call(supabase, "availability", body, cancelExceptionResponseSchema, options);
  return fromWire(data);
}
