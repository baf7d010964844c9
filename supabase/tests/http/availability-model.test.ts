// Random calendars against models that are too simple to be wrong: a list of hours per day, and a set of minutes.

import * as fc from "fast-check";
import { beforeAll, describe, expect, it } from "vitest";
import type { AddExceptionData } from "../../../src/lib/availability.ts";
import { localToInstant } from "../../../src/lib/timezone.ts";
import { call, confirm, expectData, hold, time } from "../support/calls.ts";
import {
  assign,
  type Clinic,
  createClient,
  createClinic,
  createTherapist,
  TIME_ZONE,
} from "../support/clinic.ts";
import { expectLedgerIsSound, sql } from "../support/stack.ts";

const DAY_MS = 86_400_000;
let clinic: Clinic;
beforeAll(async () => {
  clinic = await createClinic();
});

// Six weeks round the day on which the clock of Los Angeles goes forward.
const FIRST_DAY = Date.UTC(2027, 1, 22);
const DAYS = 42;
const dayAt = (index: number) => new Date(FIRST_DAY + index * DAY_MS).toISOString().slice(0, 10);

const setting = fc.record({
  from: fc.integer({ min: 0, max: DAYS - 1 }),
  length: fc.option(fc.integer({ min: 1, max: DAYS }), { freq: 4 }),
  // Stretches that cannot overlap each other: one a weekday.
  hours: fc.uniqueArray(
    fc.record({
      weekday: fc.integer({ min: 1, max: 7 }),
      local_start: fc.constantFrom("00:00", "06:30", "09:00"),
      local_end: fc.constantFrom("12:00", "17:15", "24:00"),
    }),
    { selector: ({ weekday }) => weekday, maxLength: 7 },
  ),
});

describe("weekly hours, whatever was set in whatever order", () => {
  it("are on every day those of the last setting that names it", async () => {
    await fc.assert(
      fc.asyncProperty(fc.array(setting, { minLength: 1, maxLength: 5 }), async (settings) => {
        const { id: therapist } = await createTherapist(clinic.id);
        // Round the clock, as every therapist of the tests has it.
        let week = Array.from({ length: DAYS }, () =>
          [1, 2, 3, 4, 5, 6, 7].map((weekday) => ({ weekday, local_start: "00:00", local_end: "24:00" })),
        );
        for (const { from, length, hours } of settings) {
          const last = length === null ? null : from + length - 1;
          const body = {
            action: "set_hours",
            therapist_id: therapist,
            time_zone: TIME_ZONE,
            effective_from: dayAt(from),
            effective_until: last === null ? null : dayAt(last),
            hours,
          };
          await expectData(await call("availability", clinic.scheduler, body), 200);
          week = week.map((before, day) => (day >= from && (last === null || day <= last) ? hours : before));
        }
        const expected = week.map((hours, day) => {
          const weekday = new Date(FIRST_DAY + day * DAY_MS).getUTCDay() || 7;
          const minutes = hours
            .filter((hour) => hour.weekday === weekday)
            .map(({ local_start, local_end }) => {
              const [start, end] = [instant(day, local_start), instant(day, local_end)];
              return (end - start) / 60_000;
            });
          return minutes.reduce((sum, length) => sum + length, 0);
        });
        const days = Array.from({ length: DAYS }, (_, day) => dayAt(day));
        const rows = await sql<{ minutes: number }[]>`
          select coalesce((
            select sum(extract(epoch from upper(part) - lower(part)) / 60)::integer
            from unnest(app.available_time(${clinic.id}, ${therapist}, tstzmultirange(tstzrange(
              day::timestamp at time zone ${TIME_ZONE}, (day + 1)::timestamp at time zone ${TIME_ZONE})))) part
          ), 0) as minutes
          from unnest(${days}::date[]) with ordinality as calendar (day, position)
          order by position`;
        expect(rows.map(({ minutes }) => minutes)).toEqual(expected);
      }),
      { numRuns: 10 },
    );
  });
});

function instant(day: number, clock: string): number {
  if (clock === "24:00") return instant(day + 1, "00:00");
  return localToInstant(`${dayAt(day)}T${clock}`, TIME_ZONE).getTime();
}

describe("time off that keeps what is booked", () => {
  it("takes all of the rest, and nothing of what is kept or was off", async () => {
    await sql`insert into public.buffer_rules (organization_id, minutes_before, minutes_after) values (${clinic.id}, 10, 25)`;
    const start = fc.integer({ min: 0, max: 40 });
    const length = fc.integer({ min: 1, max: 8 });
    await fc.assert(
      fc.asyncProperty(
        fc.array(fc.record({ start, length, confirmed: fc.boolean() }), { maxLength: 5 }),
        fc.array(fc.record({ start, length: fc.integer({ min: 1, max: 40 }) }), {
          minLength: 1,
          maxLength: 3,
        }),
        async (bookings, wanted) => {
          const therapist = await createTherapist(clinic.id);
          const client = await createClient(clinic.id);
          await assign(clinic.id, therapist.id, client);
          const at = ({ start, length }: { start: number; length: number }) => quarters(start, length);
          for (const booking of bookings) {
            const changes = { therapist_id: therapist.id, client_id: client };
            const held = await hold(clinic, at(booking), changes, clinic.scheduler).catch(() => undefined);
            if (held && booking.confirmed) await confirm(clinic.scheduler, held.hold_key);
          }
          for (const one of wanted) {
            const when = at(one);
            const free = await freeTime(therapist.id, when);
            const response = await call("availability", clinic.scheduler, {
              action: "add_exception",
              kind: "time_off",
              therapist_id: therapist.id,
              time_zone: TIME_ZONE,
              on_conflict: "keep",
              ...when,
            });
            if (free.length === 0) {
              expect(response.status).toBe(422);
              continue;
            }
            const { exceptions } = await expectData<AddExceptionData>(response, 200);
            expect(
              exceptions.map(({ start_time, end_time }) => [Date.parse(start_time), Date.parse(end_time)]),
            ).toEqual(free);
            expect(await freeTime(therapist.id, when)).toEqual([]);
          }
        },
      ),
      { numRuns: 8 },
    );
    await expectLedgerIsSound();
  });
});

/** A stretch of quarters of an hour of a day next month. */
function quarters(start: number, length: number) {
  const { start_time, start_time_offset_minutes } = time(40, 10);
  const from = Date.parse(start_time) + start * 900_000;
  return {
    start_time: new Date(from).toISOString(),
    end_time: new Date(from + length * 900_000).toISOString(),
    start_time_offset_minutes,
    end_time_offset_minutes: start_time_offset_minutes,
  };
}

/** What nothing claims of a therapist, minute by minute from the rows that claim it: no ledger, no ranges. */
async function freeTime(
  therapist: string,
  { start_time, end_time }: { start_time: string; end_time: string },
) {
  const claims = await sql<{ starts: Date; ends: Date }[]>`
    select
      start_time - make_interval(mins => buffer_before_minutes) as starts,
      end_time + make_interval(mins => buffer_after_minutes) as ends
    from public.sessions where therapist_id = ${therapist} and status = 'scheduled'
    union all
    select start_time - make_interval(mins => buffer_before_minutes), end_time + make_interval(mins => buffer_after_minutes)
    from public.session_holds where therapist_id = ${therapist} and status = 'held'
    union all
    select start_time, end_time
    from public.availability_exceptions where therapist_id = ${therapist} and kind = 'time_off' and status = 'active'`;
  const free: [number, number][] = [];
  for (let minute = Date.parse(start_time); minute < Date.parse(end_time); minute += 60_000) {
    if (claims.some(({ starts, ends }) => starts.getTime() <= minute && minute < ends.getTime())) continue;
    const last = free.at(-1);
    if (last && last[1] === minute) last[1] = minute + 60_000;
    else free.push([minute, minute + 60_000]);
  }
  return free;
}
