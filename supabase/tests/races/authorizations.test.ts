import { beforeEach, expect, it } from "vitest";
import { authorize, balancesOf, expectUnitsAreSound } from "../support/authorizations.ts";
import { confirm, hold, holdBody, letExpire, time } from "../support/calls.ts";
import { assign, type Clinic, createClinic, createTherapist, type Therapist } from "../support/clinic.ts";
import { createSchedulers, rpc, withDatabaseClients } from "../support/concurrency.ts";
import { expectLedgerIsSound, sql } from "../support/stack.ts";

let clinic: Clinic;
let therapists: Therapist[];

beforeEach(async () => {
  clinic = await createClinic();
  therapists = await Promise.all(Array.from({ length: 4 }, () => createTherapist(clinic.id)));
  await Promise.all(therapists.map(({ id }) => assign(clinic.id, id, clinic.aspen)));
});

/** An hour of its own for each: 6 a day, so that nothing but units is in anybody's way. */
const when = (index: number) => {
  const { start_time, end_time, start_time_offset_minutes, end_time_offset_minutes } = time(
    30 + Math.floor(index / 6),
    14 + (index % 6),
  );
  return { occurrences: [{ start_time, end_time, start_time_offset_minutes, end_time_offset_minutes }] };
};
const request = (index: number) => holdBody(clinic, when(index), { therapist_id: therapists[index % 4]?.id });

it("32 callers book the last 8 units at once: two hours are held, thirty refused, and nothing is overdrawn", async () => {
  const authorization = await authorize(clinic, clinic.aspen, { units: 8 });
  const schedulers = await createSchedulers(clinic.id, 32);
  const answers = await withDatabaseClients(32, (client, index) =>
    rpc(client, schedulers[index] as never, "hold_sessions", request(index)),
  );
  const refused = answers.flatMap(({ problem }) => (problem ? [problem as never] : []));
  expect(answers.filter(({ data }) => data)).toHaveLength(2);
  expect(refused).toHaveLength(30);
  for (const problem of refused) {
    expect(problem).toMatchObject({
      code: "authorization_exhausted",
      conflicts: [{ kind: "units", authorization_id: authorization, needed_units: 4, remaining_units: 0 }],
    });
  }
  expect(await balancesOf(authorization)).toEqual({ reserved: 8, scheduled: 0, used: 0, overridden: 0 });
  await expectUnitsAreSound();
  await expectLedgerIsSound();
});

it("writers that go round the RPCs book no more than there is either: the constraint refuses them", async () => {
  const authorization = await authorize(clinic, clinic.aspen, { units: 8 });
  const codes = await withDatabaseClients(16, async (client, index) => {
    const { occurrences } = when(index);
    return client`
      insert into public.sessions (organization_id, therapist_id, client_id, service_id, start_time, end_time, time_zone)
      select ${clinic.id}, ${therapists[index % 4]?.id ?? ""}, ${clinic.aspen}, id, ${occurrences[0]?.start_time ?? ""},
        ${occurrences[0]?.end_time ?? ""}, 'UTC'
      from public.services where organization_id = ${clinic.id} and service_code = '97153'`.then(
      () => "booked",
      (error) => `${error.code} ${error.constraint_name}`,
    );
  });
  expect(codes.sort()).toEqual([
    ...Array(14).fill("23514 authorizations_never_overdrawn"),
    ...Array(2).fill("booked"),
  ]);
  expect(await balancesOf(authorization)).toMatchObject({ scheduled: 8 });
  await expectUnitsAreSound();
});

it("holds that have run out stand in nobody's way, while many want their units and the sweep ends them", async () => {
  const authorization = await authorize(clinic, clinic.aspen, { units: 8 });
  const schedulers = await createSchedulers(clinic.id, 16);
  for (let round = 0; round < 4; round++) {
    const { hold_key } = await hold(clinic, time(60, 14, 120));
    await letExpire(hold_key);
    const answers = await withDatabaseClients(17, async (client, index) => {
      // In every other round nobody ends them but those who want their units.
      if (index === 16 && round % 2 === 0) return {};
      if (index === 16) {
        await client`
          select app.expire_holds(array(
            select id from public.session_holds where organization_id = ${clinic.id} and status = 'held'))`;
        return {};
      }
      return rpc(client, schedulers[index] as never, "hold_sessions", request(index));
    });
    const held = answers.flatMap((answer) => (answer.data ? [answer.data as { hold_key: string }] : []));
    expect(held).toHaveLength(2);
    const refused = answers.filter(({ problem }) => problem).map(({ problem }) => problem?.code);
    expect(new Set(refused)).toEqual(new Set(["authorization_exhausted"]));
    expect(await balancesOf(authorization)).toMatchObject({ reserved: 8 });
    await sql`update public.session_holds set status = 'released' where organization_id = ${clinic.id} and status = 'held'`;
    expect(await balancesOf(authorization)).toMatchObject({ reserved: 0 });
  }
  await expectUnitsAreSound();
  await expectLedgerIsSound();
});

it("cancelling and booking the same units at once leaves the balance that the sessions have", async () => {
  const authorization = await authorize(clinic, clinic.aspen, { units: 16, weekly: 16 });
  const held = await Promise.all([20, 21].map((day) => hold(clinic, time(day, 14, 120))));
  const sessions = await Promise.all(
    held.map(async ({ hold_key }) => (await confirm(clinic.rosa.user, hold_key)).session.id),
  );
  const schedulers = await createSchedulers(clinic.id, 16);
  const answers = await withDatabaseClients(16, (client, index) =>
    index < 2
      ? rpc(client, schedulers[index] as never, "cancel_sessions", {
          session_ids: [sessions[index]],
          cancelled_by: "clinic",
        })
      : rpc(client, schedulers[index] as never, "hold_sessions", request(index)),
  );
  expect(answers.slice(0, 2).every(({ data }) => data)).toBe(true);
  const booked = answers.slice(2).filter(({ data }) => data).length;
  expect(booked).toBeLessThanOrEqual(4);
  expect(await balancesOf(authorization)).toEqual({
    reserved: booked * 4,
    scheduled: 0,
    used: 0,
    overridden: 0,
  });
  await expectUnitsAreSound();
  await expectLedgerIsSound();
});
