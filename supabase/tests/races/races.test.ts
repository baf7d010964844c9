// Races with real concurrency: many connections, no order imposed, and after each the invariant.

import type postgres from "postgres";
import { beforeEach, describe, expect, it } from "vitest";
import { hold, holdBody, letExpire, time } from "../support/calls.ts";
import { type Clinic, createClinic, TIME_ZONE, type User } from "../support/clinic.ts";
import { ask, at, createSchedulers, rpc, tally, withDatabaseClients } from "../support/concurrency.ts";
import { expectLedgerIsSound, sql } from "../support/stack.ts";

let clinic: Clinic;
beforeEach(async () => {
  clinic = await createClinic();
});

const users = (howMany: number) => createSchedulers(clinic.id, howMany);

describe("races", () => {
  it("64 clients on one slot: exactly one hold", async () => {
    const callers = await users(16);
    const body = holdBody(clinic, time(30, 16));
    const answers = await Promise.all(
      Array.from({ length: 64 }, (_, index) => ask("sessions-hold", at(callers, index), body)),
    );
    expect(tally(answers)).toEqual({ "201": 1, therapist_conflict: 63 });
    await expectLedgerIsSound();
  });

  it("64 clients on times that partly overlap: what is held does not overlap, and nobody meets an error", async () => {
    const callers = await users(16);
    const answers = await Promise.all(
      Array.from({ length: 64 }, (_, index) => {
        const start = time(30, 16, 90);
        const shift = (index % 8) * 15 * 60_000;
        const moved = (text: string) => new Date(Date.parse(text) + shift).toISOString();
        return ask(
          "sessions-hold",
          at(callers, index),
          holdBody(
            clinic,
            { ...start, start_time: moved(start.start_time), end_time: moved(start.end_time) },
            { client_id: index % 2 ? clinic.aspen : clinic.birch },
          ),
        );
      }),
    );
    const counts = tally(answers);
    expect(Object.keys(counts).sort()).toEqual(["201", "therapist_conflict"]);
    await expectLedgerIsSound();
  });

  it("a hold against the confirmation of an expiring hold: the time goes to exactly one of them", async () => {
    const [first, second] = (await users(2)) as [User, User];
    for (let round = 0; round < 10; round++) {
      const when = time(30 + round, 16);
      const { hold_key } = await hold(clinic, when, {}, first);
      const [confirmed, held] = await Promise.all([
        ask("sessions-confirm", first, { hold_key }),
        letExpire(hold_key).then(() => ask("sessions-hold", second, holdBody(clinic, when))),
      ]);
      const outcome = `${confirmed.code ?? confirmed.status} and ${held.code ?? held.status}`;
      expect(["200 and therapist_conflict", "hold_expired and 201"]).toContain(outcome);
    }
    await expectLedgerIsSound();
  });

  it("confirm against cancel of one hold: a session or free time, never both and never neither", async () => {
    for (let round = 0; round < 10; round++) {
      const { hold_key } = await hold(clinic, time(30 + round, 16));
      const [confirmed, cancelled] = await Promise.all([
        ask("sessions-confirm", clinic.rosa.user, { hold_key }),
        ask("sessions-cancel", clinic.scheduler, { hold_key }),
      ]);
      expect(cancelled.status).toBe(200);
      const released = (cancelled.data as { cancelled: unknown[] }).cancelled.length === 1;
      expect(released ? confirmed.code : confirmed.status).toBe(released ? "hold_expired" : 200);
      const [row] =
        await sql`select count(*)::integer as sessions from public.sessions where id = ${hold_key}`;
      expect(row?.sessions).toBe(released ? 0 : 1);
    }
    await expectLedgerIsSound();
  });

  it("two confirmations of one hold: one session", async () => {
    const { hold_key } = await hold(clinic, time(30, 16));
    const answers = await Promise.all(
      Array.from({ length: 8 }, () => ask("sessions-confirm", clinic.rosa.user, { hold_key })),
    );
    expect(tally(answers)).toEqual({ "200": 1, hold_confirmed: 7 });
    await expectLedgerIsSound();
  });

  it("batches that overlap in opposite order, across therapists and clients: no caller meets a deadlock", async () => {
    const callers = await users(8);
    const days = Array.from({ length: 12 }, (_, day) => time(30 + day, 16));
    const pairs = [
      [clinic.rosa.id, clinic.aspen],
      [clinic.theo.id, clinic.birch],
      [clinic.rosa.id, clinic.birch],
      [clinic.theo.id, clinic.aspen],
    ] as const;
    const answers = await withDatabaseClients(16, async (client, index) => {
      const [therapist_id, client_id] = at([...pairs], index);
      const outcomes: string[] = [];
      for (let round = 0; round < 6; round++) {
        const occurrences = index % 2 ? days : [...days].reverse();
        const caller = at(callers, index);
        const answer = await rpc(
          client,
          caller,
          "hold_sessions",
          holdBody(clinic, { occurrences }, { therapist_id, client_id }),
        );
        outcomes.push(answer.problem?.code ?? "held");
        if (answer.data) {
          const { hold_key } = answer.data as { hold_key: string };
          await rpc(client, caller, "cancel_sessions", { hold_key });
        }
      }
      return outcomes;
    });
    const outcomes = new Set(answers.flat());
    expect([...outcomes].sort()).toEqual(expect.arrayContaining(["held"]));
    expect(["held", "therapist_conflict", "client_conflict"]).toEqual(expect.arrayContaining([...outcomes]));
    await expectLedgerIsSound();
  });

  it("direct SQL against the API on the same times: the ledger decides, nobody overlaps", async () => {
    const callers = await users(8);
    const [service] = await sql`
      select id from public.services where organization_id = ${clinic.id} and service_code = '97153'`;
    const when = (index: number) => time(30 + (index % 4), 16);
    const outcomes = await withDatabaseClients(16, async (client, index) => {
      const { start_time, end_time } = when(index);
      if (index % 2) {
        const answer = await rpc(
          client,
          at(callers, index),
          "hold_sessions",
          holdBody(clinic, { occurrences: [when(index)] }),
        );
        return answer.problem?.code ?? "held";
      }
      return client`
        insert into public.sessions (
          organization_id, therapist_id, client_id, service_id, start_time, end_time, time_zone)
        values (
          ${clinic.id}, ${clinic.rosa.id}, ${clinic.aspen}, ${service?.id}, ${start_time}, ${end_time}, ${TIME_ZONE})`
        .then(() => "inserted")
        .catch((error: postgres.PostgresError) => error.code);
    });
    const winners = outcomes.filter((outcome) => outcome === "held" || outcome === "inserted");
    expect(winners).toHaveLength(4);
    expect(["held", "inserted", "23P01", "therapist_conflict"]).toEqual(
      expect.arrayContaining([...new Set(outcomes)]),
    );
    await expectLedgerIsSound();
  });

  it("churn of holds, confirmations and cancellations at every isolation level: the invariant holds throughout", async () => {
    const callers = await users(9);
    const levels = ["read committed", "repeatable read", "serializable"];
    const booked = await withDatabaseClients(9, async (client, index) => {
      const caller = at(callers, index);
      await client.unsafe(`set default_transaction_isolation = '${at(levels, index)}'`);
      // The one error that a caller who asks for a stricter level agrees to meet: 40001.
      const attempt = (name: Parameters<typeof rpc>[2], request: object) =>
        rpc(client, caller, name, request).catch((error: postgres.PostgresError) => {
          if (error.code !== "40001") throw error;
          return {};
        }) as ReturnType<typeof rpc>;
      let sessionsBooked = 0;
      for (let round = 0; round < 15; round++) {
        const occurrences = [time(30 + ((index + round) % 3), 16 + (round % 2)), time(40 + (round % 3), 16)];
        const held = await attempt("hold_sessions", holdBody(clinic, { occurrences }));
        if (!held.data) continue;
        const { hold_key } = held.data as { hold_key: string };
        const confirmed = await attempt("confirm_sessions", { hold_key });
        if (!confirmed.data) {
          await attempt("cancel_sessions", { hold_key });
          continue;
        }
        const { sessions } = confirmed.data as { sessions: { id: string }[] };
        sessionsBooked += sessions.length;
        const session_ids = sessions.map((session) => session.id);
        await attempt("cancel_sessions", { session_ids, cancelled_by: "clinic" });
      }
      return sessionsBooked;
    });
    expect(booked.reduce((sum, count) => sum + count)).toBeGreaterThan(0);
    await expectLedgerIsSound();
  });
});
