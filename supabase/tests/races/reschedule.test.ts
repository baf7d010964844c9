// Moves, swaps, substitutes and joins with real concurrency; after each the invariant, and no session lost or doubled.

import { beforeEach, describe, expect, it } from "vitest";
import type { ConfirmData, Session } from "../../../src/lib/contracts.ts";
import type { SubstituteData } from "../../../src/lib/reschedule.ts";
import { cancel, confirm, hold, holdBody, time } from "../support/calls.ts";
import {
  assign,
  type Clinic,
  createClient,
  createClinic,
  createTherapist,
  TIME_ZONE,
  type User,
} from "../support/clinic.ts";
import {
  type Answer,
  ask,
  at,
  createSchedulers,
  rpc,
  rpcWithin,
  tally,
  withDatabaseClients,
} from "../support/concurrency.ts";
import { expectLedgerIsSound, sql } from "../support/stack.ts";

let clinic: Clinic;
let schedulers: User[];
beforeEach(async () => {
  clinic = await createClinic();
  schedulers = await createSchedulers(clinic.id, 8);
});

async function book(when: object, changes: object = {}): Promise<ConfirmData> {
  return confirm(clinic.scheduler, (await hold(clinic, when, changes, clinic.scheduler)).hold_key);
}

function bookHours(hours: number[], changes: object = {}): Promise<Session[]> {
  return book({ occurrences: hours.map((hour) => time(30, hour)) }, changes).then(({ sessions }) => sessions);
}

async function bookGroup(when: object, clients: string[], capacity: number): Promise<Session[]> {
  const group = { client_id: undefined, client_ids: clients, service_code: "97154", capacity };
  return (await book(when, group)).sessions;
}

interface Place {
  id: string;
  therapist_id: string;
  start_time: Date;
  status: string;
  version: number;
}

/** Every session of the clinic, where it is; with the ledger sound, none overlaps another. */
async function places(): Promise<Place[]> {
  await expectLedgerIsSound();
  const overlapping = await sql`
    select one.id from public.sessions one
    join public.sessions other
      on other.id <> one.id and other.slot_id <> one.slot_id
      and (other.therapist_id = one.therapist_id or other.client_id = one.client_id)
      and other.start_time < one.end_time and one.start_time < other.end_time
    where one.organization_id = ${clinic.id} and one.status = 'scheduled' and other.status = 'scheduled'`;
  expect(overlapping).toEqual([]);
  return sql<Place[]>`
    select id, therapist_id, start_time, status, version from public.sessions
    where organization_id = ${clinic.id} order by id`;
}

const idsOf = (sessions: { id: string }[]) => sessions.map(({ id }) => id).sort();
const startsOf = (found: { start_time: Date | string }[]) =>
  found.map(({ start_time }) => new Date(start_time).getTime()).sort();

const swapBody = (one: Session, other: Session, versions: [number, number], exchange = "times") => ({
  session_id: one.id,
  version: versions[0],
  other_session_id: other.id,
  other_version: versions[1],
  exchange,
});

const moveBody = (id: string, version: number, when: object, changes: object = {}) => ({
  session_id: id,
  version,
  time_zone: TIME_ZONE,
  ...when,
  ...changes,
});

/** Until a database client queues behind another for a subject's lock. */
async function untilItWaits(pid: number): Promise<void> {
  for (let waits = false; !waits; ) {
    const [lock] = await sql`
      select exists (select from pg_locks where pid = ${pid} and locktype = 'advisory' and not granted) as waits`;
    waits = lock?.waits;
  }
}

describe("races of rescheduling", () => {
  it("16 callers swap overlapping pairs of what they saw: each version is spent once, and the times are the same set", async () => {
    const sessions = await bookHours([16, 17, 18, 19]);
    const answers = await Promise.all(
      Array.from({ length: 16 }, (_, index) => {
        const [one, other] = [at(sessions, index), at(sessions, index + 1 + (index % 3))];
        return ask("sessions-reschedule", at(schedulers, index), {
          action: "swap",
          ...swapBody(one, other, [1, 1]),
        });
      }),
    );
    const counts = tally(answers);
    expect(Object.keys(counts).sort()).toEqual(["200", "stale_version"]);
    const found = await places();
    expect(idsOf(found)).toEqual(idsOf(sessions));
    expect(startsOf(found)).toEqual(startsOf(sessions));
    expect(found.reduce((sum, { version }) => sum + version - 1, 0)).toBe(2 * (counts["200"] ?? 0));
  });

  it("callers who read anew swap again and again: nobody meets anything but a version that has changed", async () => {
    const rosas = await bookHours([16, 17, 18]);
    const theos = await bookHours([20, 21, 22], { therapist_id: clinic.theo.id, client_id: clinic.birch });
    const sessions = [...rosas, ...theos];
    const outcomes = await withDatabaseClients(12, async (client, index) => {
      const codes: string[] = [];
      for (let round = 0; round < 6; round++) {
        const [one, other] = [at(sessions, index + round), at(sessions, index * 2 + round + 3)];
        if (one === other) continue;
        const seen = await client<{ id: string; version: number }[]>`
          select id, version from public.sessions where id in (${one.id}, ${other.id})`;
        const versionOf = ({ id }: Session) => seen.find((row) => row.id === id)?.version ?? 0;
        const exchange = (index + round) % 2 ? "times" : "therapists";
        const body = swapBody(one, other, [versionOf(one), versionOf(other)], exchange);
        codes.push(
          (await rpc(client, at(schedulers, index), "swap_sessions", body)).problem?.code ?? "swapped",
        );
      }
      return codes;
    });
    expect([...new Set(outcomes.flat())].sort()).toEqual(["stale_version", "swapped"]);
    const found = await places();
    expect(idsOf(found)).toEqual(idsOf(sessions));
    expect(startsOf(found)).toEqual(startsOf(sessions));
  });

  it("swaps against moves and cancellations: what is cancelled stays so, the rest has one place each", async () => {
    const sessions = await bookHours([14, 16, 18, 20]);
    const outcomes = await withDatabaseClients(12, async (client, index) => {
      const codes: string[] = [];
      for (let round = 0; round < 5; round++) {
        const [one, other] = [at(sessions, index + round), at(sessions, index + round + 1)];
        const seen = await client<{ id: string; version: number }[]>`
          select id, version from public.sessions where id in (${one.id}, ${other.id})`;
        const versionOf = ({ id }: Session) => seen.find((row) => row.id === id)?.version ?? 0;
        const caller = at(schedulers, index);
        const answer = await (index % 3 === 0
          ? rpc(client, caller, "swap_sessions", swapBody(one, other, [versionOf(one), versionOf(other)]))
          : index % 3 === 1 || round < 4
            ? rpc(
                client,
                caller,
                "move_session",
                moveBody(one.id, versionOf(one), time(30, 14 + ((index + round) % 8))),
              )
            : rpc(client, caller, "cancel_sessions", {
                session_ids: [at(sessions, Math.floor(index / 6)).id],
                cancelled_by: "clinic",
              }));
        codes.push(answer.problem?.code ?? "done");
      }
      return codes;
    });
    // A conflict is lawful where a move aims at a taken time, validation_failed where the session was cancelled.
    const lawful = ["done", "stale_version", "therapist_conflict", "validation_failed"];
    expect(lawful).toEqual(expect.arrayContaining([...new Set(outcomes.flat())]));
    const found = await places();
    expect(idsOf(found)).toEqual(idsOf(sessions));
    expect(found.filter(({ status }) => status === "cancelled").length).toBeGreaterThan(0);
  });

  it("two schedulers give one day to two substitutes: every session goes to exactly one of them", async () => {
    const uma = await createTherapist(clinic.id);
    await Promise.all([clinic.aspen, clinic.birch].map((client) => assign(clinic.id, uma.id, client)));
    for (let round = 0; round < 5; round++) {
      const day = 30 + round;
      const { sessions } = await book({ occurrences: [15, 16, 17, 18].map((hour) => time(day, hour)) });
      const answers = await Promise.all(
        [clinic.theo, uma].map((substitute, index) =>
          ask("sessions-reschedule", at(schedulers, index), {
            action: "substitute",
            therapist_id: clinic.rosa.id,
            substitute_id: substitute.id,
            from: time(day, 0).start_time,
            to: time(day + 1, 0).start_time,
          }),
        ),
      );
      expect(tally(answers)).toEqual({ "200": 2 });
      const given = answers.map(({ data }) => (data as SubstituteData).substituted);
      expect(given.map((list) => list.length).sort()).toEqual([0, 4]);
      expect(idsOf(given.flat())).toEqual(idsOf(sessions));
      const winner = given[0]?.length ? clinic.theo : uma;
      const now = (await places()).filter(({ id }) => idsOf(sessions).includes(id));
      expect(new Set(now.map(({ therapist_id }) => therapist_id))).toEqual(new Set([winner.id]));
    }
  });

  it("a session that is booked while a substitution waits for its therapist goes to the substitute as well", async () => {
    await bookHours([16]);
    const body = {
      therapist_id: clinic.rosa.id,
      substitute_id: clinic.theo.id,
      from: time(30, 0).start_time,
      to: time(31, 0).start_time,
    };
    const [answer] = await withDatabaseClients(1, async (waiting) => {
      const [backend] = await waiting`select pg_backend_pid() as pid`;
      const { given } = await sql.begin(async (transaction) => {
        const request = holdBody(clinic, { occurrences: [time(30, 18)] });
        const held = await rpcWithin(transaction, clinic.scheduler, "hold_sessions", request);
        const { hold_key } = held.data as { hold_key: string };
        await rpcWithin(transaction, clinic.scheduler, "confirm_sessions", { hold_key });
        const given = rpc(waiting, at(schedulers, 0), "substitute_therapist", body);
        await untilItWaits(backend?.pid);
        // Wrapped, so that the transaction does not wait for what waits for it.
        return { given };
      });
      return given;
    });
    expect(answer).toMatchObject({ data: { substituted: [{}, {}], skipped: [] } });
    expect(new Set((await places()).map(({ therapist_id }) => therapist_id))).toEqual(
      new Set([clinic.theo.id]),
    );
  });

  it("a substitute is booked while the day is given to them: all of it goes, or none", async () => {
    for (let round = 0; round < 5; round++) {
      const day = 30 + round;
      const { sessions } = await book({ occurrences: [15, 16, 17].map((hour) => time(day, hour)) });
      const [given, held] = (await Promise.all([
        ask("sessions-reschedule", at(schedulers, 0), {
          action: "substitute",
          therapist_id: clinic.rosa.id,
          substitute_id: clinic.theo.id,
          from: time(day, 0).start_time,
          to: time(day + 1, 0).start_time,
        }),
        ask("sessions-hold", at(schedulers, 1), {
          therapist_id: clinic.theo.id,
          client_id: clinic.birch,
          service_code: "97153",
          time_zone: TIME_ZONE,
          ...time(day, 16),
        }),
      ])) as [Answer, Answer];
      const outcome = `${given.code ?? given.status} and ${held.code ?? held.status}`;
      expect(["200 and therapist_conflict", "therapist_conflict and 201"]).toContain(outcome);
      const now = (await places()).filter(({ id }) => idsOf(sessions).includes(id));
      const owner = given.status === 200 ? clinic.theo.id : clinic.rosa.id;
      expect(now.map(({ therapist_id }) => therapist_id)).toEqual([owner, owner, owner]);
    }
  });

  it("16 callers want the last place of a group: one has it, the others are told that it is full", async () => {
    const clients = await Promise.all(Array.from({ length: 16 }, () => createClient(clinic.id)));
    await Promise.all(clients.map((client) => assign(clinic.id, clinic.rosa.id, client)));
    const [member] = await bookGroup(time(30, 16), [clinic.aspen, clinic.birch], 3);
    const answers = await Promise.all(
      clients.map((client_id, index) =>
        ask("sessions-join", at(schedulers, index), { group_id: member?.group_id, client_id }),
      ),
    );
    expect(tally(answers)).toEqual({ "201": 1, group_full: 15 });
    const [slot] =
      await sql`select members, capacity from public.session_groups where id = ${member?.group_id ?? ""}`;
    expect(slot).toEqual({ members: 3, capacity: 3 });
    await expectLedgerIsSound();
  });

  it("a group moves while clients join and leave: its members are always together", async () => {
    const clients = await Promise.all(Array.from({ length: 6 }, () => createClient(clinic.id)));
    await Promise.all(clients.map((client) => assign(clinic.id, clinic.rosa.id, client)));
    const [member] = (await bookGroup(time(30, 12), [clinic.aspen], 8)) as [Session];
    const outcomes = await withDatabaseClients(8, async (client, index) => {
      const codes: string[] = [];
      const caller = at(schedulers, index);
      for (let round = 0; round < 6; round++) {
        if (index < 2) {
          const [seen] = await client`select version from public.sessions where id = ${member.id}`;
          const body = moveBody(member.id, seen?.version, time(30, 10 + index * 4 + round));
          codes.push((await rpc(client, caller, "move_session", body)).problem?.code ?? "moved");
          continue;
        }
        const request = { group_id: member.group_id, client_id: at(clients, index - 2) };
        const held = await rpc(client, caller, "join_slot", request);
        codes.push(held.problem?.code ?? "joined");
        if (!held.data) continue;
        const { hold_key } = held.data as { hold_key: string };
        const confirmed = await rpc(client, caller, "confirm_sessions", { hold_key });
        codes.push(confirmed.problem?.code ?? "confirmed");
        const { session } = confirmed.data as ConfirmData;
        if (round < 5)
          await rpc(client, caller, "cancel_sessions", { session_ids: [session.id], cancelled_by: "client" });
      }
      return codes;
    });
    // A conflict: a place was held at the time that the group was to leave.
    const lawful = ["moved", "joined", "confirmed", "stale_version", "therapist_conflict", "unavailable"];
    expect(lawful).toEqual(expect.arrayContaining([...new Set(outcomes.flat())]));
    const apart = await sql`
      select session.id from public.sessions session
      join public.session_groups slot on slot.id = session.group_id
      where slot.id = ${member.group_id}
        and (session.start_time, session.end_time, session.therapist_id)
          is distinct from (slot.start_time, slot.end_time, slot.therapist_id)`;
    expect(apart).toEqual([]);
    const [counted] = await sql`
      select slot.members, count(*)::integer as live
      from public.session_groups slot
      join public.sessions session on session.group_id = slot.id and session.status = 'scheduled'
      where slot.id = ${member.group_id} group by slot.members`;
    expect(counted?.members).toBe(counted?.live);
    await expectLedgerIsSound();
    await cancel(clinic.scheduler, { session_ids: [member.id], cancelled_by: "clinic" });
    await expectLedgerIsSound();
  });
});
