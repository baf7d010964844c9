// app.local_to_instant against an oracle that knows nothing but Intl.DateTimeFormat: the first instant, of all that could
// be meant, at which the zone's clock shows the local time.

import { describe, expect, it } from "vitest";
import { sql } from "../support/stack.ts";
import { wallClock } from "../support/wall-clock.ts";

const QUARTER_MS = 15 * 60_000;
const DAY_MS = 86_400_000;

/**
 * RFC 5545 §3.3.5 by brute force: every quarter of an hour in which a zone could show the local time, first come; where
 * none does, the clock jumped over it, and the time is read by the offset before the jump.
 */
function oracle(clock: (instant: number) => number, local: number): number {
  for (let instant = local - 64 * QUARTER_MS; instant <= local + 64 * QUARTER_MS; instant += QUARTER_MS) {
    if (clock(instant) === local) return instant;
  }
  // The last instant before the jump shows an earlier time than the one asked for.
  let before = local - 64 * QUARTER_MS;
  while (clock(before + QUARTER_MS) < local) before += QUARTER_MS;
  return local - (clock(before) - before);
}

/** The instants, to a quarter of an hour, at which a zone's clock is changed between two days. */
function changes(clock: (instant: number) => number, from: number, until: number): number[] {
  const found: number[] = [];
  const offset = (instant: number) => clock(instant) - instant;
  for (let day = from; day < until; day += DAY_MS) {
    if (offset(day) === offset(day + DAY_MS)) continue;
    let [low, high] = [day, day + DAY_MS];
    while (high - low > QUARTER_MS) {
      const middle = low + Math.floor((high - low) / 2 / QUARTER_MS) * QUARTER_MS;
      if (offset(middle) === offset(low)) low = middle;
      else high = middle;
    }
    found.push(high);
  }
  return found;
}

/** The local times round a change of the clock: half an hour before what is skipped or repeated to half an hour after. */
function edge(clock: (instant: number) => number, change: number): number[] {
  const shown = [clock(change - QUARTER_MS) + QUARTER_MS, clock(change)];
  const [first, last] = [Math.min(...shown) - 2 * QUARTER_MS, Math.max(...shown) + 2 * QUARTER_MS];
  return Array.from({ length: (last - first) / QUARTER_MS + 1 }, (_, index) => first + index * QUARTER_MS);
}

/** Random numbers that a failure can be repeated with. */
function random(seed: number): () => number {
  let state = seed;
  return () => {
    state = (Math.imul(state, 1_664_525) + 1_013_904_223) >>> 0;
    return state / 2 ** 32;
  };
}

const FROM = Date.UTC(2026, 0, 1);
const UNTIL = Date.UTC(2028, 0, 1);

/** Where Postgres' time zone data is of another year than Node's, so that nobody can agree: no fault of the function. */
async function zonesWithOtherRules(
  asked: { zone: string; instant: number; shows: number }[],
): Promise<Set<string>> {
  const rows = await sql<{ zone: string }[]>`
    select distinct zone
    from rows from (
      unnest(${asked.map(({ zone }) => zone)}::text[]),
      unnest(${asked.map(({ instant }) => new Date(instant).toISOString())}::timestamptz[]),
      unnest(${asked.map(({ shows }) => local(shows))}::timestamp[])
    ) as asked (zone, instant, shows)
    where instant at time zone zone <> shows`;
  return new Set(rows.map(({ zone }) => zone));
}

const local = (wall: number) => new Date(wall).toISOString().slice(0, 16);

describe("app.local_to_instant", () => {
  it("agrees with Intl in every zone, at every change of the clock of two years and on random times", async () => {
    const next = random(20_270_314);
    const zones = Intl.supportedValuesOf("timeZone").map((zone) => {
      const clock = (instant: number) => wallClock(instant, zone);
      return { zone, clock, changes: changes(clock, FROM, UNTIL) };
    });
    expect(zones.length).toBeGreaterThan(400);
    const others = await zonesWithOtherRules(
      zones.flatMap(({ zone, clock, changes }) =>
        [FROM, ...changes.flatMap((change) => [change - QUARTER_MS, change]), UNTIL].map((instant) => ({
          zone,
          instant,
          shows: clock(instant),
        })),
      ),
    );
    expect(others.size, [...others].join()).toBeLessThan(10);

    const cases = zones
      .filter(({ zone }) => !others.has(zone))
      .flatMap(({ zone, clock, changes }) => {
        const anywhen = Array.from(
          { length: 10 },
          () => FROM + Math.floor((next() * (UNTIL - FROM)) / QUARTER_MS) * QUARTER_MS,
        );
        return [...changes.flatMap((change) => edge(clock, change)), ...anywhen].map((wall) => ({
          zone,
          wall,
          expected: oracle(clock, wall),
        }));
      });
    const wrong = await sql`
      select zone, wall::text, expected::text, app.local_to_instant(wall, zone)::text as given
      from rows from (
        unnest(${cases.map(({ zone }) => zone)}::text[]),
        unnest(${cases.map(({ wall }) => local(wall))}::timestamp[]),
        unnest(${cases.map(({ expected }) => new Date(expected).toISOString())}::timestamptz[])
      ) as asked (zone, wall, expected)
      where app.local_to_instant(wall, zone) <> expected`;
    expect(wrong).toEqual([]);
    // Without the edges of the zones that have some this would prove little.
    expect(cases.length).toBeGreaterThan(zones.length * 18);
  });
});
