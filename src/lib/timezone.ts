/**
 * Wall-clock time and instants, in IANA time zones.
 *
 * Built on date-fns-tz's `formatInTimeZone` alone. Its `getTimezoneOffset` and `fromZonedTime` take a date's
 * host-local fields for the zone's wall clock, and so are hours off on the day of a DST change (see timezone.test.ts).
 */
import { formatInTimeZone } from "date-fns-tz";
import { isTimeZone } from "./timezone-name.ts";

const DAY_MS = 86_400_000;
const MINUTE_MS = 60_000;
const LOCAL_PATTERN = /^(\d{4})-(\d{2})-(\d{2})[T ](\d{2}):(\d{2})(?::(\d{2})(?:\.(\d{1,3}))?)?$/;

/**
 * The offset of a time zone at an instant.
 *
 * @param instant a `Date`, or an ISO 8601 string with offset.
 * @param timeZone an IANA name, such as `America/Los_Angeles`.
 * @returns whole minutes east of UTC: −480 for Los Angeles in winter, 630 for Lord Howe in its winter.
 * @throws RangeError when the instant is not valid or the time zone is not known.
 */
export function offsetMinutes(instant: Date | string, timeZone: string): number {
  const date = typeof instant === "string" ? new Date(instant) : instant;
  if (Number.isNaN(date.getTime())) throw new RangeError("not a valid instant");
  if (!isTimeZone(timeZone)) throw new RangeError("not a known time zone");
  const offset = formatInTimeZone(date, timeZone, "xxx");
  const minutes = Number(offset.slice(1, 3)) * 60 + Number(offset.slice(4, 6));
  return offset.startsWith("-") ? 0 - minutes : minutes;
}

/**
 * The instant of a wall-clock time in a time zone, by the rules of RFC 5545 §3.3.5: a local time that does not exist
 * (the clock jumps over it) moves forward by the length of the gap; one that occurs twice is the first of the two.
 *
 * @param local wall-clock time without an offset: `2027-03-14T09:00`, seconds and milliseconds optional.
 * @param timeZone an IANA name.
 * @throws RangeError when `local` is not such a time (also `2027-02-30T…`) or the time zone is not known.
 */
export function localToInstant(local: string, timeZone: string): Date {
  const wall = wallClockMs(local);
  const offsetAt = (ms: number) => offsetMinutes(new Date(ms), timeZone) * MINUTE_MS;

  // No zone changes its offset twice within two days, so a day either side gives every offset that can apply. The
  // larger offset is the earlier instant.
  const before = offsetAt(wall - DAY_MS);
  const after = offsetAt(wall + DAY_MS);
  const offset = [before, after]
    .sort((a, b) => b - a)
    .find((candidate) => offsetAt(wall - candidate) === candidate);

  // In a gap neither applies; read by the offset before it, the time lands as far behind the gap as it was into it.
  return new Date(wall - (offset ?? before));
}

/** A wall-clock string's fields, as if they were UTC. */
function wallClockMs(local: string): number {
  const fields = LOCAL_PATTERN.exec(local);
  if (!fields) throw new RangeError("not a local time such as 2027-03-14T09:00");
  const [year = 0, month = 0, day = 0, hour = 0, minute = 0, second = 0] = fields
    .slice(1, 7)
    .map((field) => Number(field ?? 0));
  const milliseconds = Number((fields[7] ?? "").padEnd(3, "0"));
  const wall = new Date(Date.UTC(year, month - 1, day, hour, minute, second, milliseconds));
  const kept =
    // Date.UTC takes the years 0 to 99, as a field being typed in has them, for those of 1900.
    wall.getUTCFullYear() === year &&
    wall.getUTCMonth() === month - 1 &&
    wall.getUTCDate() === day &&
    wall.getUTCHours() === hour &&
    wall.getUTCMinutes() === minute &&
    wall.getUTCSeconds() === second;
  if (!kept) throw new RangeError("not a date of the calendar");
  return wall.getTime();
}
