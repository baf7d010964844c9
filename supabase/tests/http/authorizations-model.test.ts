// Random lives of bookings against a plain model of their units: whatever happens to holds and sessions, the balances are
// those of the model, and the ledgers agree with the rows.

import fc from "fast-check";
import { expect, it } from "vitest";
import { offsetMinutes } from "../../../src/lib/timezone.ts";
import { authorize, balancesOf, expectUnitsAreSound } from "../support/authorizations.ts";
import { type Clinic, createClinic, TIME_ZONE } from "../support/clinic.ts";
import { rpc } from "../support/concurrency.ts";
import { expectLedgerIsSound, sql } from "../support/stack.ts";

const UNITS = 40;
const WEEKLY = 16;
const MONTHLY = 28;
const LENGTHS = [30, 45, 60, 120];
// Days round the end of daylight saving time in the clinic's zone, of a month, and of weeks.
const YEAR = new Date().getUTCFullYear() + 1;
const iso = (month: number, day: number) => new Date(Date.UTC(YEAR, month, day)).toISOString().slice(0, 10);
const FALL_BACK = ((7 - new Date(Date.UTC(YEAR, 10, 1)).getUTCDay()) % 7) + 1;
const DAYS = [
  iso(9, 30),
  iso(9, 31),
  ...[-2, -1, 0, 1].map((offset) => iso(10, FALL_BACK + 7 + offset)),
  iso(10, FALL_BACK),
  iso(10, FALL_BACK + 1),
  iso(10, 30),
  iso(11, 1),
];
// 21:00 of the clinic's day is the next one in UTC.
const HOURS = [9, 12, 15, 21];

type Slot = { day: number; hour: number; length: number };
type Step =
  | { kind: "hold"; slots: Slot[]; skip: boolean; override: boolean }
  | { kind: "confirm" | "expire" | "release" | "cancel" | "no_show"; pick: number }
  | { kind: "move"; pick: number; slot: Slot }
  | { kind: "complete"; pick: number; minutes: number };

const slot = fc.record({
  day: fc.nat({ max: DAYS.length - 1 }),
  hour: fc.nat({ max: HOURS.length - 1 }),
  length: fc.constantFrom(...LENGTHS),
});
const pick = fc.nat({ max: 30 });
const step: fc.Arbitrary<Step> = fc.oneof(
  {
    weight: 5,
    arbitrary: fc.record({
      kind: fc.constant("hold" as const),
      slots: fc.uniqueArray(slot, {
        minLength: 1,
        maxLength: 4,
        selector: ({ day, hour }) => `${day} ${hour}`,
      }),
      skip: fc.boolean(),
      override: fc.integer({ min: 0, max: 9 }).map((number) => number === 0),
    }),
  },
  { weight: 4, arbitrary: fc.record({ kind: fc.constant("confirm" as const), pick }) },
  {
    weight: 3,
    arbitrary: fc.record({
      kind: fc.constantFrom("expire" as const, "release" as const, "cancel" as const),
      pick,
    }),
  },
  { weight: 1, arbitrary: fc.record({ kind: fc.constant("no_show" as const), pick }) },
  { weight: 3, arbitrary: fc.record({ kind: fc.constant("move" as const), pick, slot }) },
  {
    weight: 2,
    arbitrary: fc.record({
      kind: fc.constant("complete" as const),
      pick,
      minutes: fc.constantFrom(7, 8, 60, 240, 600),
    }),
  },
);

/** A booking as the model has it: what it takes of the authorization, and what beyond. */
interface Booking {
  id: string;
  batch: string;
  state: "held" | "expired" | "scheduled" | "completed";
  slot: Slot;
  /** How long it took, of what is completed. */
  minutes?: number;
  units: number;
  beyond: number;
}

const unitsOf = (minutes: number) => Math.floor((minutes + 7) / 15);
const dayOf = ({ day }: Slot) => DAYS[day] ?? "";
const monthOf = (one: Slot) => dayOf(one).slice(0, 7);
const weekOf = (one: Slot) => {
  const date = new Date(`${dayOf(one)}T00:00:00Z`);
  date.setUTCDate(date.getUTCDate() - ((date.getUTCDay() + 6) % 7));
  return date.toISOString().slice(0, 10);
};

/** What is left for a slot, beside the bookings. An hour that is held no more takes nothing. */
function left(bookings: Booking[], wanted: Slot): number {
  const taken = (of: (one: Booking) => boolean) =>
    bookings.filter((one) => one.state !== "expired" && of(one)).reduce((sum, one) => sum + one.units, 0);
  return Math.min(
    UNITS - taken(() => true),
    WEEKLY - taken((one) => weekOf(one.slot) === weekOf(wanted)),
    MONTHLY - taken((one) => monthOf(one.slot) === monthOf(wanted)),
  );
}

/** Whether two completed sessions took place at once: the therapist is the same. */
const tookPlaceAtOnce = (one: Booking, other: Booking) => {
  const start = Date.parse(times(one.slot).start_time);
  const otherStart = Date.parse(times(other.slot).start_time);
  return (
    one.minutes !== undefined &&
    other.minutes !== undefined &&
    start < otherStart + other.minutes * 60_000 &&
    otherStart < start + one.minutes * 60_000
  );
};

const clashes = (one: Slot, other: Slot) => one.day === other.day && one.hour === other.hour;

function times({ day, hour, length }: Slot) {
  const wall = `${DAYS[day]}T${String(HOURS[hour]).padStart(2, "0")}:00:00`;
  // None of these hours is in a gap or twice: the second guess is right.
  let start = new Date(`${wall}Z`);
  start = new Date(Date.parse(`${wall}Z`) - offsetMinutes(start, TIME_ZONE) * 60_000);
  start = new Date(Date.parse(`${wall}Z`) - offsetMinutes(start, TIME_ZONE) * 60_000);
  const end = new Date(start.getTime() + length * 60_000);
  return {
    start_time: start.toISOString(),
    end_time: end.toISOString(),
    start_time_offset_minutes: offsetMinutes(start, TIME_ZONE),
    end_time_offset_minutes: offsetMinutes(end, TIME_ZONE),
  };
}

interface Run {
  clinic: Clinic;
  client: string;
  therapist: string;
  bookings: Booking[];
}

async function hold(run: Run, { slots, skip, override }: Extract<Step, { kind: "hold" }>): Promise<void> {
  const live = run.bookings.filter(({ state }) => state !== "expired");
  const sorted = slots
    .map((one) => ({ one, at: times(one) }))
    .sort((a, b) => a.at.start_time.localeCompare(b.at.start_time));
  // One after the other, what does not find all its units takes none.
  const fitting: Booking[] = [];
  let exhausted = 0;
  let blocked = 0;
  for (const { one } of sorted) {
    if (live.some((other) => clashes(one, other.slot))) {
      blocked++;
      continue;
    }
    const wanted = unitsOf(one.length);
    const free = left([...live, ...fitting], one);
    const units = Math.max(0, Math.min(wanted, free));
    if (units < wanted && !override) exhausted++;
    else fitting.push({ id: "", batch: "", state: "held", slot: one, units, beyond: wanted - units });
  }
  const { data, problem } = await rpc(sql, run.clinic.admin, "hold_sessions", {
    therapist_id: run.therapist,
    client_id: run.client,
    service_code: "97153",
    time_zone: TIME_ZONE,
    on_conflict: skip ? "skip" : "abort",
    occurrences: sorted.map(({ at }) => at),
    ...(override ? { authorization_override: { reason: "A crisis" } } : {}),
  });
  if (fitting.length === 0 || (!skip && exhausted + blocked > 0)) {
    const code = problem?.code;
    expect(code).toBe(blocked > 0 ? "therapist_conflict" : "authorization_exhausted");
    return;
  }
  const held = data as { hold_key: string; holds: { hold_key: string; start_time: string }[] };
  expect(held.holds).toHaveLength(fitting.length);
  // Whoever wants units or time of holds that have run out ends them; the others stay expired until somebody does.
  for (const booking of fitting) {
    const start = Date.parse(times(booking.slot).start_time);
    const found = held.holds.find(({ start_time }) => Date.parse(start_time) === start);
    run.bookings.push({ ...booking, id: found?.hold_key ?? "", batch: held.hold_key });
  }
}

const remove = (run: Run, gone: Booking[]) => {
  run.bookings = run.bookings.filter((one) => !gone.includes(one));
};

async function take(run: Run, action: Step): Promise<void> {
  if (action.kind === "hold") return hold(run, action);
  const of = (state: Booking["state"]) => {
    const found = run.bookings.filter((one) => one.state === state);
    return found[action.pick % found.length];
  };
  const target = of(["confirm", "expire", "release"].includes(action.kind) ? "held" : "scheduled");
  if (!target) return;
  const batch = run.bookings.filter((one) => one.batch === target.batch && one.state === "held");
  switch (action.kind) {
    case "confirm": {
      const { data } = await rpc(sql, run.clinic.admin, "confirm_sessions", { hold_key: target.batch });
      expect(data).toBeDefined();
      for (const one of batch) one.state = "scheduled";
      return;
    }
    case "expire":
      await sql`
        update public.session_holds set expires_at = clock_timestamp() - interval '1 second'
        where batch_key = ${target.batch}`;
      for (const one of batch) one.state = "expired";
      return;
    case "release":
      await rpc(sql, run.clinic.admin, "cancel_sessions", { hold_key: target.batch });
      return remove(run, batch);
    case "cancel":
      await rpc(sql, run.clinic.admin, "cancel_sessions", {
        session_ids: [target.id],
        cancelled_by: "clinic",
      });
      return remove(run, [target]);
    case "no_show":
      await sql`update public.sessions set status = 'no_show' where id = ${target.id}`;
      return remove(run, [target]);
    case "complete": {
      const minutes = action.minutes;
      const others = run.bookings.filter((one) => one !== target);
      const completing = sql`
        update public.sessions
        set status = 'completed', actual_start_time = start_time,
          actual_end_time = start_time + make_interval(mins => ${minutes}::integer)
        where id = ${target.id}`;
      if (others.some((one) => tookPlaceAtOnce(one, { ...target, minutes }))) {
        await expect(completing).rejects.toMatchObject({ constraint_name: "sessions_no_actual_overlap" });
        return;
      }
      await completing;
      const wanted = unitsOf(minutes);
      Object.assign(target, { state: "completed", minutes });
      if (wanted !== target.units + target.beyond) {
        target.units = Math.max(0, Math.min(wanted, left(others, target.slot)));
        target.beyond = wanted - target.units;
      }
      return;
    }
    case "move": {
      const others = run.bookings.filter((one) => one !== target && one.state !== "expired");
      const wanted = unitsOf(action.slot.length);
      const [row] = await sql`select version from public.sessions where id = ${target.id}`;
      const { problem } = await rpc(sql, run.clinic.admin, "move_session", {
        session_id: target.id,
        version: row?.version,
        time_zone: TIME_ZONE,
        ...times(action.slot),
      });
      const unchanged =
        wanted === target.units + target.beyond &&
        weekOf(action.slot) === weekOf(target.slot) &&
        monthOf(action.slot) === monthOf(target.slot);
      if (others.some((one) => clashes(one.slot, action.slot))) {
        expect(problem?.code).toBe("therapist_conflict");
      } else if (left(others, action.slot) < wanted) {
        expect(problem?.code).toBe("authorization_exhausted");
      } else {
        expect(problem).toBeUndefined();
        target.slot = action.slot;
        if (!unchanged) Object.assign(target, { units: wanted, beyond: 0 });
      }
    }
  }
}

async function check(run: Run, authorization: string): Promise<void> {
  // What has run out may have been ended by somebody or not: both are right, so it is ended before the count.
  await sql`
    select app.expire_holds(array(
      select id from public.session_holds where organization_id = ${run.clinic.id} and status = 'held'))`;
  run.bookings = run.bookings.filter(({ state }) => state !== "expired");
  const sum = (state: Booking["state"]) =>
    run.bookings.filter((one) => one.state === state).reduce((total, { units }) => total + units, 0);
  expect(await balancesOf(authorization)).toEqual({
    reserved: sum("held"),
    scheduled: sum("scheduled"),
    used: sum("completed"),
    overridden: run.bookings.reduce((total, { beyond }) => total + beyond, 0),
  });
  await expectUnitsAreSound();
  await expectLedgerIsSound();
}

it("whatever becomes of bookings, the balances are those of a plain model", {
  timeout: 180_000,
}, async () => {
  await fc.assert(
    fc.asyncProperty(fc.array(step, { minLength: 5, maxLength: 25 }), async (steps) => {
      const clinic = await createClinic();
      const run: Run = { clinic, client: clinic.aspen, therapist: clinic.rosa.id, bookings: [] };
      const authorization = await authorize(clinic, run.client, {
        units: UNITS,
        weekly: WEEKLY,
        monthly: MONTHLY,
      });
      for (const [number, action] of steps.entries()) {
        await take(run, action);
        // Not after every step that runs a hold out, so that the next step finds it as it is.
        if (action.kind !== "expire" || number === steps.length - 1) await check(run, authorization);
      }
    }),
    { numRuns: 14 },
  );
});
