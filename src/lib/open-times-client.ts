/** Finding open times, for apps. */
import type { SupabaseClient } from "@supabase/supabase-js";
import { type CallOptions, call } from "./call.ts";
import { type Camel, toWire } from "./casing.ts";
import { HoldfastError, toAppProblem } from "./errors.ts";
import { type OpenTimesRequest, openTimesResponseSchema } from "./open-times.ts";
import { toProblem } from "./problems.ts";
import { loadTimezone } from "./time-range.ts";
import { isTimeZone } from "./timezone-name.ts";

/** What to search: instants may be `Date`s. */
export type OpenTimesSearch = Omit<Camel<OpenTimesRequest>, "rangeStart" | "rangeEnd"> & {
  rangeStart: Date | string;
  rangeEnd: Date | string;
};

/** A time that can be held: with therapist and client, what `requestSessionHold` asks for. */
export interface OpenTime {
  therapistId: string;
  startTime: string;
  endTime: string;
  startTimeOffsetMinutes: number;
  endTimeOffsetMinutes: number;
}

/** The open times of every therapist, in order of time. */
export type OpenTimes = { therapistId: string; times: OpenTime[] }[];

/**
 * Finds the times at which a client can be booked: with the therapists named, or with any that the caller may book, who
 * is qualified and on the care team. What it offers, an immediate hold accepts.
 *
 * @throws HoldfastError `not_found`, `forbidden`, `validation_failed`; and what every call may meet.
 */
export async function findOpenTimes(
  supabase: SupabaseClient,
  search: OpenTimesSearch,
  options: CallOptions = {},
): Promise<OpenTimes> {
  const { data } = await call(
    supabase,
    "sessions-availability",
    toWire(search),
    openTimesResponseSchema,
    options,
  );
  const { offsetMinutes } = await loadTimezone();
  // The server knows the zone, and this device not: an offset made up would be refused when the time is held.
  if (!isTimeZone(data.time_zone)) {
    const message = "This device does not know the time zone.";
    const errors = [{ field: "time_zone", code: "unknown", message }];
    throw new HoldfastError(toAppProblem(toProblem("validation_failed", { errors })));
  }
  const open = (therapistId: string, startTime: string): OpenTime => {
    const end = new Date(Date.parse(startTime) + data.duration_minutes * 60_000);
    // As the server writes instants: whole seconds, and the offset in figures.
    const endTime = end.toISOString().replace(".000Z", "+00:00");
    return {
      therapistId,
      startTime,
      endTime,
      startTimeOffsetMinutes: offsetMinutes(startTime, data.time_zone),
      endTimeOffsetMinutes: offsetMinutes(endTime, data.time_zone),
    };
  };
  return data.therapists.map(({ therapist_id: id, start_times }) => ({
    therapistId: id,
    times: start_times.map((start) => open(id, start)),
  }));
}
