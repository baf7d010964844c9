// Many want the same therapist: who waits for whom, and for what nobody waits.

import postgres from "postgres";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { hold, holdBody, time } from "../support/calls.ts";
import { type Clinic, createClinic, type User } from "../support/clinic.ts";
import {
  at,
  createSchedulers,
  type RpcAnswer,
  rpc,
  rpcWithin,
  withDatabaseClients,
} from "../support/concurrency.ts";
import { expectLedgerIsSound, sql, stack } from "../support/stack.ts";

let clinic: Clinic;
let schedulers: User[];
let other: postgres.Sql;
beforeEach(async () => {
  clinic = await createClinic();
  schedulers = await createSchedulers(clinic.id, 2);
  other = postgres(stack.databaseUrl, { max: 1, onnotice: () => {} });
});
afterEach(() => other.end());

const outcome = ({ data, problem }: RpcAnswer): string | undefined =>
  problem?.code ?? (data ? "done" : undefined);
const asked = (when: object, changes: object = {}) => holdBody(clinic, { occurrences: [when] }, changes);
const withBirch = (when: object) => asked(when, { client_id: clinic.birch });
const second = () => at(schedulers, 1);

/** Until the other connection queues for a lock of a subject. */
async function untilTheOtherWaits(pid: number): Promise<void> {
  for (let waits = false; !waits; ) {
    const [lock] = await sql`
      select exists (select from pg_locks where pid = ${pid} and locktype = 'advisory' and not granted) as waits`;
    waits = lock?.waits;
  }
}

/** What the other connection is answered after the first has held a time and before it commits; `waits` when it has to. */
async function whileHeld(when: object, ask: () => Promise<RpcAnswer>): Promise<string[]> {
  const [{ pid } = { pid: 0 }] = await other<{ pid: number }[]>`select pg_backend_pid() as pid`;
  const outcomes: string[] = [];
  let answer: Promise<unknown> | undefined;
  await sql.begin(async (transaction) => {
    const held = await rpcWithin(transaction, at(schedulers, 0), "hold_sessions", asked(when));
    expect(outcome(held)).toBe("done");
    answer = ask().then((it) => outcomes.push(outcome(it) ?? "nothing"));
    await Promise.race([answer, untilTheOtherWaits(pid).then(() => outcomes.push("waits"))]);
  });
  await answer;
  await expectLedgerIsSound();
  return [...new Set(outcomes)];
}

describe("a therapist whom many want", () => {
  it("is booked for another hour while one is being booked: nobody waits", async () => {
    const ask = () => rpc(other, second(), "hold_sessions", withBirch(time(30, 18)));
    expect(await whileHeld(time(30, 16), ask)).toEqual(["done"]);
  });

  it("is booked for a time of the same hour by one after the other, who is refused if they overlap", async () => {
    const shifted = (minutes: number) => {
      const { start_time, end_time, ...offsets } = time(30, 16);
      const moved = (text: string) => new Date(Date.parse(text) + minutes * 60_000).toISOString();
      return { ...offsets, start_time: moved(start_time), end_time: moved(end_time) };
    };
    const ask = () => rpc(other, second(), "hold_sessions", withBirch(shifted(45)));
    expect(await whileHeld(time(30, 16), ask)).toEqual(["waits", "therapist_conflict"]);
  });

  it("keeps their hours until a booking is done: who changes them waits for all bookings", async () => {
    const exception = { ...time(30, 18), kind: "time_off", therapist_id: clinic.rosa.id, time_zone: "UTC" };
    const ask = () =>
      rpc(other, second(), "add_exception", {
        ...exception,
        start_time_offset_minutes: 0,
        end_time_offset_minutes: 0,
      });
    expect(await whileHeld(time(30, 16), ask)).toEqual(["waits", "done"]);
  });

  it("is booked with one client by one after the other, at whatever hour: their units are counted once", async () => {
    const ask = () =>
      rpc(other, second(), "hold_sessions", asked(time(31, 18), { therapist_id: clinic.theo.id }));
    expect(await whileHeld(time(30, 16), ask)).toEqual(["waits", "done"]);
  });

  it("is taken: who wants the time is told so without waiting, whoever writes the calendar meanwhile", async () => {
    await hold(clinic, time(30, 16));
    const refused = await sql.begin(async (transaction) => {
      await transaction`select app.lock_subjects(array[${clinic.rosa.id}, ${clinic.birch}]::uuid[])`;
      const taken = await rpc(other, second(), "hold_sessions", withBirch(time(30, 16)));
      const { alternatives } = taken.problem as { alternatives?: unknown[] };
      return [outcome(taken), alternatives?.length];
    });
    expect(refused).toEqual(["therapist_conflict", 3]);
    const [denied] = await sql`
      select count(*)::integer as events from audit.events
      where organization_id = ${clinic.id} and decision = 'deny' and code = 'therapist_conflict'`;
    expect(denied?.events).toBe(1);
  });

  it("is held for one time and for several, confirmed and released at once: nobody meets a deadlock", async () => {
    const callers = await createSchedulers(clinic.id, 8);
    const therapists = [clinic.rosa.id, clinic.theo.id];
    const outcomes = await withDatabaseClients(8, async (client, index) => {
      const seen: string[] = [];
      for (let round = 0; round < 8; round++) {
        const step = index + round;
        const caller = at(callers, index);
        const days = step % 3 ? [30 + (step % 2)] : [31, 30, 32];
        const occurrences = days.map((day) => time(day, 16 + (step % 3), 90));
        const changes = {
          therapist_id: at(therapists, step),
          client_id: at([clinic.aspen, clinic.birch], step >> 1),
        };
        const held = await rpc(client, caller, "hold_sessions", holdBody(clinic, { occurrences }, changes));
        seen.push(outcome(held) ?? "nothing");
        if (!held.data) continue;
        const { hold_key } = held.data as { hold_key: string };
        const next = step % 2 ? "confirm_sessions" : "cancel_sessions";
        seen.push(outcome(await rpc(client, caller, next, { hold_key })) ?? "nothing");
      }
      return seen;
    });
    const expected = ["client_conflict", "done", "therapist_conflict"];
    expect([...new Set(outcomes.flat())].filter((it) => !expected.includes(it))).toEqual([]);
    expect(outcomes.flat()).toContain("done");
    await expectLedgerIsSound();
  });
});
