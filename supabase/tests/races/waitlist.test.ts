// Races on the waitlist: many connections, no order imposed. After each, nobody has two offers, no time was offered to
// two, and the ledger is sound.

import postgres from "postgres";
import { beforeEach, describe, expect, it } from "vitest";
import { call, confirm, hold, letExpire, time } from "../support/calls.ts";
import { type Clinic, createClinic, createUser, type User } from "../support/clinic.ts";
import { expectLedgerIsSound, sql, stack } from "../support/stack.ts";
import { createAssignedClient, join, offersOf, sweep } from "../support/waitlist.ts";

let clinic: Clinic;
beforeEach(async () => {
  clinic = await createClinic();
});

async function ask(name: "waitlist" | "sessions-cancel", user: User, body: object): Promise<string> {
  const response = await call(name, user, body);
  const { code } = (await response.json()) as { code?: string };
  return code ?? String(response.status);
}

/** Signs everybody in before the race, so that they start together. */
async function schedulers(howMany: number): Promise<User[]> {
  const users = await Promise.all(
    Array.from({ length: howMany }, () => createUser("internal_ops", clinic.id)),
  );
  await Promise.all(users.map((user) => user.token()));
  return users;
}

const at = <T>(items: readonly T[], index: number): T => items[index % items.length] as T;

/** Clients who wait for any time, first come first. */
async function waitingClients(howMany: number): Promise<string[]> {
  const clients = await Promise.all(Array.from({ length: howMany }, () => createAssignedClient(clinic)));
  for (const client of clients) await join(clinic.scheduler, client);
  return clients;
}

/** One booked session of a client who does not wait, by therapist and day. */
async function bookSession(therapist_id: string, day: number, hour: number): Promise<string> {
  const client_id = therapist_id === clinic.rosa.id ? clinic.aspen : clinic.birch;
  const { hold_key } = await hold(clinic, time(day, hour), { therapist_id, client_id }, clinic.scheduler);
  return (await confirm(clinic.scheduler, hold_key)).session.id;
}

async function sweepUntilNothingIsLeft(): Promise<void> {
  while ((await sweep(clinic)) > 0);
}

/** No entry has two offers, none was offered a time twice, and no time is offered to two. Returns who has which. */
async function expectOffersAreSound() {
  const offers = await offersOf(clinic);
  const live = offers.filter((offer) => offer.live);
  expect(new Set(live.map((offer) => offer.entry_id)).size).toBe(live.length);
  const timeOf = (offer: (typeof offers)[number]) =>
    `${offer.therapist_id} ${offer.start_time.toISOString()}`;
  expect(new Set(live.map(timeOf)).size).toBe(live.length);
  expect(new Set(offers.map((offer) => `${offer.entry_id} ${timeOf(offer)}`)).size).toBe(offers.length);
  await expectLedgerIsSound();
  return live;
}

/** Clients of the database itself, each with a connection of its own. */
async function withDatabaseClients<T>(
  howMany: number,
  work: (client: postgres.Sql, index: number) => Promise<T>,
): Promise<T[]> {
  const clients = Array.from({ length: howMany }, () =>
    postgres(stack.databaseUrl, { max: 1, onnotice: () => {} }),
  );
  try {
    await Promise.all(clients.map((client) => client`select 1`));
    return await Promise.all(clients.map(work));
  } finally {
    await Promise.all(clients.map((client) => client.end()));
  }
}

describe("races on the waitlist", () => {
  it("12 cancellations at once, by two each, with 8 waiting: everybody has one offer, and nobody meets an error", async () => {
    const callers = await schedulers(8);
    await waitingClients(8);
    const sessions = await Promise.all(
      Array.from({ length: 12 }, (_, index) => {
        const therapist = index % 2 ? clinic.rosa : clinic.theo;
        return bookSession(therapist.id, 40 + Math.floor(index / 4), 16 + (index % 4));
      }),
    );
    const outcomes = await Promise.all(
      [...sessions, ...sessions].map((id, index) =>
        ask("sessions-cancel", at(callers, index), { session_ids: [id], cancelled_by: "clinic" }),
      ),
    );
    expect(new Set(outcomes)).toEqual(new Set(["200"]));
    await expectOffersAreSound();
    await sweepUntilNothingIsLeft();
    expect(await expectOffersAreSound()).toHaveLength(8);
  });

  it("4 times and 12 who decline, leave, and let expire, while 4 sweep: all is offered on, to one at a time", async () => {
    const callers = await schedulers(8);
    await waitingClients(12);
    for (let day = 40; day < 44; day++) {
      const id = await bookSession(clinic.rosa.id, day, 16);
      await ask("sessions-cancel", clinic.scheduler, { session_ids: [id], cancelled_by: "client" });
    }
    const outcomes = new Set<string>();
    for (let round = 0; round < 6; round++) {
      const live = await expectOffersAreSound();
      const answers = live.flatMap((offer, index) => {
        if (index % 3 === 0) return [letExpire(offer.id).then(() => "expired")];
        const body =
          index % 3 === 1
            ? { action: "answer", hold_key: offer.id, answer: "decline" }
            : { action: "leave", waitlist_entry_id: offer.entry_id };
        return [0, 1].map((twice) => ask("waitlist", at(callers, index + twice), body));
      });
      const [answered] = await Promise.all([
        Promise.all(answers),
        withDatabaseClients(4, (client) => sweep(clinic, client)),
      ]);
      for (const outcome of answered) outcomes.add(outcome);
      await sweepUntilNothingIsLeft();
    }
    await expectOffersAreSound();
    expect([...outcomes].sort()).toEqual(["200", "expired"]);
    // 12 clients and 4 times: what has been offered to everybody who is left is open, and no offer was lost before.
    const offers = await offersOf(clinic);
    expect(new Set(offers.map((offer) => offer.client_id)).size).toBe(12);
  });

  it("8 sweepers, 12 times each, over what expired: each time is offered on once", async () => {
    await waitingClients(8);
    for (let day = 40; day < 44; day++) {
      const id = await bookSession(clinic.rosa.id, day, 16);
      await ask("sessions-cancel", clinic.scheduler, { session_ids: [id], cancelled_by: "clinic" });
    }
    for (const offer of await offersOf(clinic)) await letExpire(offer.id);
    const made = await withDatabaseClients(8, async (client) => {
      let sum = 0;
      for (let run = 0; run < 12; run++) sum += await sweep(clinic, client);
      return sum;
    });
    expect(made.reduce((sum, one) => sum + one)).toBe(4);
    expect(await expectOffersAreSound()).toHaveLength(4);
    expect(await offersOf(clinic)).toHaveLength(8);
  });

  it("accepting against a sweep of the expiring offer: the session or the next one's offer, never both", async () => {
    const [caller] = (await schedulers(1)) as [User];
    for (let round = 0; round < 10; round++) {
      const [first, second] = await waitingClients(2);
      const id = await bookSession(clinic.rosa.id, 40 + round, 16);
      await ask("sessions-cancel", clinic.scheduler, { session_ids: [id], cancelled_by: "clinic" });
      const offer = (await expectOffersAreSound()).find(({ client_id }) => client_id === first);
      const hold_key = offer?.id ?? "";
      const [accepted] = await Promise.all([
        ask("waitlist", caller, { action: "answer", hold_key, answer: "accept" }),
        letExpire(hold_key).then(() => sweep(clinic)),
      ]);
      expect(["200", "hold_expired"]).toContain(accepted);
      await sweepUntilNothingIsLeft();
      const [booked] =
        await sql`select count(*)::integer as sessions from public.sessions where id = ${hold_key}`;
      expect(booked?.sessions).toBe(accepted === "200" ? 1 : 0);
      const next = (await expectOffersAreSound()).filter(({ client_id }) => client_id === second);
      expect(next).toHaveLength(accepted === "200" ? 0 : 1);
      await sql`
        update public.waitlist_entries set status = 'withdrawn'
        where organization_id = ${clinic.id} and status = 'waiting'`;
    }
  });

  it("8 who accept one offer while its entry leaves: one session or none, and the entry is what that says", async () => {
    const callers = await schedulers(8);
    for (let round = 0; round < 5; round++) {
      await waitingClients(1);
      const id = await bookSession(clinic.rosa.id, 40 + round, 16);
      await ask("sessions-cancel", clinic.scheduler, { session_ids: [id], cancelled_by: "clinic" });
      const [offer] = await expectOffersAreSound();
      const hold_key = offer?.id ?? "";
      const leaving = { action: "leave", waitlist_entry_id: offer?.entry_id };
      const [left, ...accepted] = await Promise.all([
        ask("waitlist", clinic.scheduler, leaving),
        ...callers.map((user) => ask("waitlist", user, { action: "answer", hold_key, answer: "accept" })),
      ]);
      expect(left).toBe("200");
      expect(["200", "hold_confirmed", "hold_expired"]).toEqual(
        expect.arrayContaining([...new Set(accepted)]),
      );
      const [row] = await sql`
        select status, (select count(*)::integer from public.sessions where id = ${hold_key}) as sessions
        from public.waitlist_entries where id = ${offer?.entry_id ?? ""}`;
      const sessions = accepted.filter((outcome) => outcome === "200").length;
      expect(row).toEqual(
        sessions ? { status: "booked", sessions: 1 } : { status: "withdrawn", sessions: 0 },
      );
      expect(sessions).toBeLessThanOrEqual(1);
      await expectOffersAreSound();
    }
  });

  it("nobody waits for a client who is being booked: it is passed over, and keeps its place", async () => {
    const [first, second] = await waitingClients(2);
    const [one, other] = [
      await bookSession(clinic.rosa.id, 40, 16),
      await bookSession(clinic.rosa.id, 41, 16),
    ];
    await sql.begin(async (booker) => {
      await booker`select app.lock_subjects(array[${first ?? ""}::uuid])`;
      const cancelling = { session_ids: [one], cancelled_by: "clinic" };
      expect(await ask("sessions-cancel", clinic.scheduler, cancelling)).toBe("200");
      expect(await expectOffersAreSound()).toMatchObject([{ client_id: second }]);
    });
    await ask("sessions-cancel", clinic.scheduler, { session_ids: [other], cancelled_by: "clinic" });
    expect((await expectOffersAreSound()).map((offer) => offer.client_id)).toEqual([second, first]);
  });

  it("no sweep waits for a therapist who is being booked: the next one offers the time", async () => {
    await waitingClients(2);
    const id = await bookSession(clinic.rosa.id, 40, 16);
    await ask("sessions-cancel", clinic.scheduler, { session_ids: [id], cancelled_by: "clinic" });
    const [offer] = await offersOf(clinic);
    await letExpire(offer?.id ?? "");
    await sql.begin(async (booker) => {
      await booker`select app.lock_subjects(array[${clinic.rosa.id}::uuid])`;
      expect(await sweep(clinic)).toBe(0);
    });
    expect(await sweep(clinic)).toBe(1);
    await expectOffersAreSound();
  });
});
