// What the search offers, over random calendars: exactly what a plain model finds open, and each of it can be held.

import fc from "fast-check";
import type postgres from "postgres";
import { beforeAll, expect, it } from "vitest";
import { offsetMinutes } from "../../../src/lib/timezone.ts";
import { type Clinic, claimsOf, createClinic } from "../support/clinic.ts";
import { sql } from "../support/stack.ts";
import { instantOf, wallClock } from "../support/wall-clock.ts";

const MINUTE_MS = 60_000;
const DAY_MINUTES = 1_440;

const DAYS = 4;
const DAY_MS = DAY_MINUTES * MINUTE_MS;

/** Days of the coming year that begin ranges with a change of the zone's clock in them. */
function changesOf(zone: string): string[] {
  const [week, year] = [7, 366];
  const today = Math.floor(Date.now() / DAY_MS) * DAY_MS;
  const offset = (day: number) => wallClock(today + day * DAY_MS, zone) - day * DAY_MS;
  return Array.from({ length: year }, (_, day) => week + day)
    .filter((day) => offset(day + 2) !== offset(day + 3))
    .map((day) => new Date(today + day * DAY_MS).toISOString().slice(0, 10));
}

// In both hemispheres, of an hour and of half an hour; and one without.
const STAGES = [
  ...["America/Los_Angeles", "Australia/Sydney", "Australia/Lord_Howe"].flatMap((zone) =>
    changesOf(zone).map((from) => ({ zone, from })),
  ),
  { zone: "America/Phoenix", from: String(changesOf("America/Los_Angeles")[0]) },
];

interface Stretch {
  start: number;
  end: number;
}
interface Calendar {
  stage: (typeof STAGES)[number];
  hours: { weekday: number; start: number; end: number }[];
  exceptions: (Stretch & { kind: "time_off" | "extra_hours" | "holiday" })[];
  therapistBusy: Stretch[];
  clientBusy: (Stretch & { supervised: boolean })[];
  before: number;
  after: number;
  supervision: boolean;
  barred: boolean;
  duration: number;
  step: number;
}

const quarter = (least: number, most: number) =>
  fc.integer({ min: least / 15, max: most / 15 }).map((quarters) => quarters * 15);
const stretch = fc
  .tuple(quarter(0, DAYS * DAY_MINUTES - 15), quarter(15, 300))
  .map(([start, length]) => ({ start, end: start + length }));
const calendars: fc.Arbitrary<Calendar> = fc.record({
  stage: fc.constantFrom(...STAGES),
  hours: fc
    .uniqueArray(
      fc.record({
        weekday: fc.integer({ min: 1, max: 7 }),
        start: quarter(0, 1_200),
        length: quarter(15, 1_440),
      }),
      { minLength: 2, maxLength: 7, selector: ({ weekday }) => weekday },
    )
    .map((rows) =>
      rows.map(({ weekday, start, length }) => ({
        weekday,
        start,
        end: Math.min(start + length, DAY_MINUTES),
      })),
    ),
  exceptions: fc.array(
    fc
      .tuple(stretch, fc.constantFrom("time_off" as const, "extra_hours" as const, "holiday" as const))
      .map(([when, kind]) => ({ ...when, kind })),
    { maxLength: 4 },
  ),
  therapistBusy: fc.array(stretch, { maxLength: 5 }),
  clientBusy: fc.array(
    fc.tuple(stretch, fc.boolean()).map(([when, supervised]) => ({ ...when, supervised })),
    { maxLength: 4 },
  ),
  before: fc.constantFrom(0, 0, 10, 30),
  after: fc.constantFrom(0, 0, 15, 45),
  supervision: fc.boolean(),
  barred: fc.boolean(),
  duration: fc.constantFrom(10, 30, 45, 60, 120),
  step: fc.constantFrom(10, 15, 30, 60, 240),
});

let clinic: Clinic;
beforeAll(async () => {
  clinic = await createClinic();
});

/** Runs the work and takes it all back. */
async function undone<T>(work: (transaction: postgres.TransactionSql) => Promise<T>): Promise<T> {
  const result: { value?: T } = {};
  await sql
    .begin(async (transaction) => {
      result.value = await work(transaction);
      throw result;
    })
    .catch((thrown: unknown) => {
      if (thrown !== result) throw thrown;
    });
  return result.value as T;
}

const iso = (instant: number) => new Date(instant).toISOString();
const clock = (minutes: number) =>
  `${String(Math.floor(minutes / 60)).padStart(2, "0")}:${String(minutes % 60).padStart(2, "0")}`;

/** Writes the calendar. Sessions that do not fit are left out, as they would be in life; gives those that are in. */
async function arrange(
  transaction: postgres.TransactionSql,
  calendar: Calendar,
  from: number,
): Promise<Booked[]> {
  const { id, rosa, theo, aspen, birch } = clinic;
  const { zone } = calendar.stage;
  const at = (minutes: number) => iso(from + minutes * MINUTE_MS);
  await transaction`delete from public.therapist_availability where therapist_id = ${rosa.id}`;
  for (const { weekday, start, end } of calendar.hours) {
    await transaction`
      insert into public.therapist_availability (
        organization_id, therapist_id, weekday, local_start, local_end, effective_from, time_zone)
      values (${id}, ${rosa.id}, ${weekday}, ${clock(start)}, ${clock(end)}, '2020-01-01', ${zone})`;
  }
  const taken: Booked[] = [];
  const tryTo = async (booked: Booked, insert: () => postgres.PendingQuery<postgres.Row[]>) => {
    const fits = await transaction
      .savepoint(async () => {
        await insert();
        return true;
      })
      .catch(() => false);
    if (fits) taken.push(booked);
  };
  for (const { kind, start, end } of calendar.exceptions) {
    const therapist = kind === "holiday" ? null : rosa.id;
    await tryTo(
      { kind, start: from + start * MINUTE_MS, end: from + end * MINUTE_MS },
      () => transaction`
      insert into public.availability_exceptions (organization_id, therapist_id, kind, start_time, end_time, time_zone)
      values (${id}, ${therapist}, ${kind}, ${at(start)}, ${at(end)}, ${zone})`,
    );
  }
  const session = (therapist: string, client: string, code: string, { start, end }: Stretch) => transaction`
    insert into public.sessions (organization_id, therapist_id, client_id, service_id, start_time, end_time, time_zone)
    select ${id}, ${therapist}, ${client}, service.id, ${at(start)}, ${at(end)}, ${zone}
    from public.services service
    where service.organization_id = ${id} and service.service_code = ${code}`;
  for (const busy of calendar.therapistBusy) {
    const booked = { start: from + busy.start * MINUTE_MS, end: from + busy.end * MINUTE_MS };
    await tryTo({ kind: "therapist", ...booked }, () => session(rosa.id, birch, "97153", busy));
  }
  for (const busy of calendar.clientBusy) {
    const booked = { start: from + busy.start * MINUTE_MS, end: from + busy.end * MINUTE_MS };
    await tryTo({ kind: busy.supervised ? "client lane 1" : "client lane 0", ...booked }, () =>
      session(theo.id, aspen, busy.supervised ? "97155" : "97153", busy),
    );
  }
  // After the sessions: these keep the buffer that they were booked with, which is none.
  await transaction`
    insert into public.buffer_rules (organization_id, therapist_id, minutes_before, minutes_after)
    values (${id}, ${rosa.id}, ${calendar.before}, ${calendar.after})`;
  if (calendar.barred) {
    await transaction`
      with payer as (
        insert into public.payers (organization_id, name) values (${id}, 'a payer') returning id),
      rule as (
        insert into public.payer_rules (organization_id, payer_id, starts_on, allows_concurrent_supervision)
        select ${id}, payer.id, '2020-01-01', false from payer)
      insert into public.client_coverages (organization_id, client_id, payer_id, starts_on)
      select ${id}, ${aspen}, payer.id, '2020-01-01' from payer`;
  }
  return taken;
}

type Booked = Stretch & {
  kind: "time_off" | "extra_hours" | "holiday" | "therapist" | "client lane 0" | "client lane 1";
};

/** The starts that are open, by looking at every instant of the range. */
function modelled(calendar: Calendar, taken: Booked[], from: number, to: number): string[] {
  const { zone } = calendar.stage;
  const worked = new Set<number>();
  const fill = ({ start, end }: Stretch, minutes: Set<number>, present: boolean) => {
    for (let minute = start; minute < end; minute += MINUTE_MS) {
      if (present) minutes.add(minute);
      else minutes.delete(minute);
    }
  };
  const firstDay = Math.floor(wallClock(from, zone) / (DAY_MINUTES * MINUTE_MS));
  for (let day = firstDay - 1; day <= firstDay + DAYS + 2; day += 1) {
    const midnight = day * DAY_MINUTES * MINUTE_MS;
    // 1970-01-01 was a Thursday.
    const weekday = ((day + 3) % 7) + 1;
    for (const hours of calendar.hours.filter((row) => row.weekday === weekday)) {
      const start = instantOf(midnight + hours.start * MINUTE_MS, zone);
      fill({ start, end: instantOf(midnight + hours.end * MINUTE_MS, zone) }, worked, true);
    }
  }
  for (const kind of ["holiday", "extra_hours"] as const) {
    for (const exception of taken.filter((it) => it.kind === kind))
      fill(exception, worked, kind === "extra_hours");
  }
  const mine = new Set<number>();
  for (const busy of taken.filter((it) => it.kind === "therapist" || it.kind === "time_off"))
    fill(busy, mine, true);
  const theirs = new Set<number>();
  for (const busy of taken) {
    const lane = calendar.supervision ? "client lane 1" : "client lane 0";
    const both = calendar.supervision && calendar.barred;
    if (busy.kind === lane || (both && busy.kind.startsWith("client"))) fill(busy, theirs, true);
  }
  const open: string[] = [];
  for (let start = from; start + calendar.duration * MINUTE_MS <= to; start += 5 * MINUTE_MS) {
    const end = start + calendar.duration * MINUTE_MS;
    if ((wallClock(start, zone) / MINUTE_MS) % calendar.step !== 0) continue;
    let free = true;
    for (let minute = start; free && minute < end; minute += MINUTE_MS) {
      free = worked.has(minute) && !theirs.has(minute);
    }
    const kept = { start: start - calendar.before * MINUTE_MS, end: end + calendar.after * MINUTE_MS };
    for (let minute = kept.start; free && minute < kept.end; minute += MINUTE_MS) free = !mine.has(minute);
    if (free) open.push(iso(start));
  }
  return open;
}

it("offers exactly what is open, and each of it can be held at once", { timeout: 120_000 }, async () => {
  await fc.assert(
    fc.asyncProperty(calendars, fc.integer({ min: 0, max: 1_000 }), async (calendar, pick) => {
      const { zone } = calendar.stage;
      const from = instantOf(Date.parse(`${calendar.stage.from}T00:00:00Z`), zone);
      const to = from + DAYS * DAY_MINUTES * MINUTE_MS;
      await undone(async (transaction) => {
        const taken = await arrange(transaction, calendar, from);
        await transaction`
          select set_config('request.jwt.claims', ${claimsOf(clinic.scheduler)}, true), set_config('role', 'authenticated', true)`;
        const service_code = calendar.supervision ? "97155" : "97153";
        const search = {
          therapist_ids: [clinic.rosa.id],
          client_id: clinic.aspen,
          service_code,
          duration_minutes: calendar.duration,
          step_minutes: calendar.step,
          range_start: iso(from),
          range_end: iso(to),
          time_zone: zone,
        };
        const [row] = await transaction`select public.find_open_times(${transaction.json(search)}) as answer`;
        const offered: string[] = row?.answer.data.therapists.flatMap((it: { start_times: string[] }) =>
          it.start_times.map((start) => iso(Date.parse(start))),
        );
        expect(offered).toEqual(modelled(calendar, taken, from, to));

        // Not all of them, for time's sake: the first, the last, and some between.
        const picked = new Set([0, offered.length - 1, pick % offered.length, (pick * 7) % offered.length]);
        for (const start of offered.filter((_, index) => picked.has(index))) {
          const end = iso(Date.parse(start) + calendar.duration * MINUTE_MS);
          const times = { start_time: start, end_time: end };
          const offsets = {
            start_time_offset_minutes: offsetMinutes(start, zone),
            end_time_offset_minutes: offsetMinutes(end, zone),
          };
          const request = {
            therapist_id: clinic.rosa.id,
            client_id: clinic.aspen,
            service_code,
            time_zone: zone,
            occurrences: [{ ...times, ...offsets }],
          };
          await transaction
            .savepoint(async (inner) => {
              const [held] = await inner`select public.hold_sessions(${inner.json(request)}) as answer`;
              expect(held?.answer).toHaveProperty("data");
              throw new Undo();
            })
            .catch((thrown: unknown) => {
              if (!(thrown instanceof Undo)) throw thrown;
            });
        }
      });
    }),
    { numRuns: 40 },
  );
});

class Undo extends Error {}
