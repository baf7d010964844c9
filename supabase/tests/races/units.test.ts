// Units of what others end meanwhile: who ends a hold takes no lock on its client, so that the units follow is not the lock's doing.

import type postgres from "postgres";
import { beforeEach, describe, expect, it } from "vitest";
import type { HoldData } from "../../../src/lib/contracts.ts";
import { authorize, balancesOf, cover } from "../support/authorizations.ts";
import { call, confirm, expectData, hold, letExpire, time } from "../support/calls.ts";
import { type Clinic, createClinic, TIME_ZONE, type User } from "../support/clinic.ts";
import { createSchedulers, rpc, rpcWithin, withDatabaseClients } from "../support/concurrency.ts";
import { expectLedgerIsSound, sql } from "../support/stack.ts";

type Client = postgres.Sql | postgres.TransactionSql;
type Act = (client: Client) => Promise<unknown>;

const when = time(30, 16);
let clinic: Clinic;
// Nobody waits for themselves: calls of one user are counted one after the other.
let users: User[];

beforeEach(async () => {
  clinic = await createClinic();
  users = await createSchedulers(clinic.id, 2);
});

/** The second begins while the first has not committed, and either is over before or waits for it. */
async function meet(first: Act, second: Act): Promise<void> {
  await withDatabaseClients(1, async (client) => {
    const [writing] = await client`select pg_backend_pid() as pid`;
    let isOver = false;
    let outcome: Promise<unknown> = Promise.resolve();
    await sql.begin(async (transaction) => {
      await first(transaction);
      outcome = second(client).finally(() => {
        isOver = true;
      });
      outcome.catch(() => {});
      const isWaiting = () => sql`select from pg_locks where pid = ${writing?.pid} and not granted`;
      while (!isOver && (await isWaiting()).length === 0);
    });
    await outcome;
  });
}

function does(user: number, name: string, request: () => object): Act {
  return async (client) => {
    const ask = "begin" in client ? rpc : rpcWithin;
    const { problem } = await ask(client as never, users[user] as User, name, request());
    expect(problem).toBeUndefined();
  };
}

const takesOff = (therapist: "rosa" | "theo"): Act =>
  does(0, "add_exception", () => ({
    kind: "time_off",
    therapist_id: clinic[therapist].id,
    time_zone: TIME_ZONE,
    on_conflict: "cancel",
    ...when,
  }));

/** What is not as it should be, of this clinic. */
async function expectUnitsAreSound(): Promise<void> {
  const faults = await sql`
    select fault, booking_id from app.authorization_faults()
    where authorization_id in (select id from public.authorizations where organization_id = ${clinic.id})`;
  expect(faults).toEqual([]);
  await expectLedgerIsSound();
}

const nothing = { reserved: 0, scheduled: 0, used: 0, overridden: 0 };

describe.each(["first", "last"])("who ends a hold comes %s", (place) => {
  const race = (ends: Act, other: Act) => (place === "first" ? meet(ends, other) : meet(other, ends));

  describe("and a place of its team is cancelled", () => {
    let authorization: string;
    let joined: string;
    const cancels = does(1, "cancel_sessions", () => ({ session_ids: [session], cancelled_by: "clinic" }));
    let session: string;
    beforeEach(async () => {
      await sql`
        insert into public.services (organization_id, service_code, name, cpt_code, is_team)
        values (${clinic.id}, '0373T', 'Team treatment', '0373T', true)`;
      authorization = await authorize(clinic, clinic.aspen, { units: 8, codes: ["0373T"] });
      const held = await hold(clinic, when, { service_code: "0373T" }, clinic.scheduler);
      session = (await confirm(clinic.scheduler, held.hold_key)).session.id;
      const [team] = await sql`select team_id from public.sessions where id = ${session}`;
      const asked = { team_id: team?.team_id, therapist_id: clinic.theo.id };
      joined = (await expectData<HoldData>(await call("sessions-join", clinic.scheduler, asked), 201))
        .hold_key;
    });

    it("no place draws units by time off", async () => {
      await race(takesOff("theo"), cancels);
      expect(await balancesOf(authorization)).toEqual(nothing);
      await expectUnitsAreSound();
    });

    it("no place draws units by its time", async () => {
      await letExpire(joined);
      const expires: Act = (client) =>
        client`select app.expire_holds(array(select id from public.session_holds where batch_key = ${joined}))`;
      await race(expires, cancels);
      expect(await balancesOf(authorization)).toEqual(nothing);
      await expectUnitsAreSound();
    });
  });

  it("and its units are authorized: it draws none", async () => {
    const payer = await cover(clinic, clinic.aspen);
    await hold(clinic, when);
    const authorizes = does(1, "save_authorization", () => ({
      organization_id: clinic.id,
      client_id: clinic.aspen,
      payer_id: payer,
      authorization_number: "A-1",
      cpt_codes: ["97153"],
      starts_on: "2020-01-01",
      ends_on: "2098-12-31",
      units: 8,
    }));
    await race(takesOff("rosa"), authorizes);
    await expectUnitsAreSound();
  });

  it("and its authorization is cut short: it is released once", async () => {
    const authorization = await authorize(clinic, clinic.aspen, { units: 8 });
    await hold(clinic, when);
    const cuts = does(1, "save_authorization", () => ({
      authorization_id: authorization,
      ends_on: "2020-02-01",
    }));
    await race(takesOff("rosa"), cuts);
    expect(await balancesOf(authorization)).toEqual(nothing);
    await expectUnitsAreSound();
  });

  it("and its coverage ends: it is released once", async () => {
    const authorization = await authorize(clinic, clinic.aspen, { units: 8 });
    await hold(clinic, when);
    const ends: Act = (client) => client`
      update public.client_coverages set ends_on = '2020-02-01'
      where payer_id = (select payer_id from public.authorizations where id = ${authorization})`;
    await race(takesOff("rosa"), ends);
    expect(await balancesOf(authorization)).toEqual(nothing);
    await expectUnitsAreSound();
  });

  it("and its coverage begins: it draws none", async () => {
    const authorization = await authorize(clinic, clinic.aspen, { units: 8 });
    await sql`delete from public.client_coverages where organization_id = ${clinic.id}`;
    await hold(clinic, when);
    const begins: Act = (client) => client`
      insert into public.client_coverages (organization_id, client_id, payer_id, starts_on)
      select organization_id, client_id, payer_id, '2020-01-01' from public.authorizations where id = ${authorization}`;
    await race(takesOff("rosa"), begins);
    expect(await balancesOf(authorization)).toEqual(nothing);
    await expectUnitsAreSound();
  });

  it("though it is a session, whose coverage is ended with the secret key: it is released once", async () => {
    const authorization = await authorize(clinic, clinic.aspen, { units: 8 });
    const { session } = await confirm(clinic.rosa.user, (await hold(clinic, when)).hold_key);
    const cancels = does(0, "cancel_sessions", () => ({ session_ids: [session.id], cancelled_by: "clinic" }));
    const ends: Act = (client) => client`
      update public.client_coverages set ends_on = '2020-02-01'
      where payer_id = (select payer_id from public.authorizations where id = ${authorization})`;
    await race(cancels, ends);
    expect(await balancesOf(authorization)).toEqual(nothing);
    await expectUnitsAreSound();
  });
});
