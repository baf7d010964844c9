/**
 * Wall clocks by Intl alone: the independent source that the database's and the library's ideas of local time are held
 * against. It searches, minute by minute, and knows no rule.
 */

const MINUTE_MS = 60_000;
const DAY_MS = 86_400_000;
const formats = new Map<string, Intl.DateTimeFormat>();

/** What a clock in the zone shows at an instant, as milliseconds, as if its fields were UTC. Whole minutes. */
export function wallClock(instant: number, timeZone: string): number {
  let format = formats.get(timeZone);
  if (!format) {
    format = new Intl.DateTimeFormat("en-US", {
      timeZone,
      hourCycle: "h23",
      year: "numeric",
      month: "numeric",
      day: "numeric",
      hour: "numeric",
      minute: "numeric",
    });
    formats.set(timeZone, format);
  }
  const part = Object.fromEntries(
    format.formatToParts(instant).map(({ type, value }) => [type, Number(value)]),
  );
  return Date.UTC(part.year ?? 0, (part.month ?? 1) - 1, part.day, part.hour, part.minute);
}

const found = new Map<string, number>();

/**
 * The first instant at which a clock shows the local time; for one that no clock ever shows, as far behind the jump as
 * the time is into the gap (RFC 5545 §3.3.5).
 *
 * @param local milliseconds, as if the fields were UTC; whole minutes.
 */
export function instantOf(local: number, timeZone: string): number {
  const key = `${local} ${timeZone}`;
  const known = found.get(key);
  if (known !== undefined) return known;
  const instant = search(local, timeZone);
  found.set(key, instant);
  return instant;
}

function search(local: number, timeZone: string): number {
  // A zone is at most 15 hours from UTC, and a gap at most a day.
  for (
    let instant = local - 16 * 3_600_000;
    instant < local + DAY_MS + 16 * 3_600_000;
    instant += MINUTE_MS
  ) {
    const shown = wallClock(instant, timeZone);
    if (shown === local) return instant;
    if (shown > local) {
      const beforeTheJump = wallClock(instant - MINUTE_MS, timeZone) + MINUTE_MS;
      return instant + (local - beforeTheJump);
    }
  }
  throw new Error(`no clock in ${timeZone} passes ${new Date(local).toISOString()}`);
}
