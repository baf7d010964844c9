import { beforeEach, expect, it } from "vitest";
import {
  closeAuthorization,
  listAuthorizationAlerts,
  listAuthorizations,
  saveAuthorization,
} from "../../../src/lib/authorizations-client.ts";
import type { HoldData, PreviewData } from "../../../src/lib/contracts.ts";
import { authorize, balancesOf, cover, expectUnitsAreSound } from "../support/authorizations.ts";
import { call, confirm, expectData, expectProblem, holdBody, letExpire, time } from "../support/calls.ts";
import { type Clinic, createClinic, TIME_ZONE } from "../support/clinic.ts";
import { rpc } from "../support/concurrency.ts";
import { expectLedgerIsSound, sql } from "../support/stack.ts";

let clinic: Clinic;
beforeEach(async () => {
  clinic = await createClinic();
});

const daily = (days: number, changes: object = {}) => {
  return holdBody(
    clinic,
    {},
    { occurrences: Array.from({ length: days }, (_, day) => time(30 + day, 16)), ...changes },
  );
};

it("a series that is covered in part: abort refuses it, a preview says which, skip books what fits by start", async () => {
  const authorization = await authorize(clinic, clinic.aspen, { units: 10 });
  const refused = await expectProblem(
    await call("sessions-hold", clinic.rosa.user, daily(4)),
    "authorization_exhausted",
  );
  expect(refused.conflicts).toEqual(
    [2, 3].map((occurrence) => ({
      occurrence,
      subject: "authorization",
      kind: "units",
      authorization_id: authorization,
      needed_units: 4,
      remaining_units: 2,
    })),
  );
  const preview = await expectData<PreviewData>(
    await call("sessions-preview", clinic.rosa.user, daily(4)),
    200,
  );
  expect(preview.occurrences.map(({ conflicts }) => conflicts.length)).toEqual([0, 0, 1, 1]);
  const held = await expectData<HoldData>(
    await call("sessions-hold", clinic.rosa.user, daily(4, { on_conflict: "skip" })),
    201,
  );
  expect(held.holds).toHaveLength(2);
  expect(held.skipped.map(({ occurrence, code }) => [occurrence, code])).toEqual([
    [2, "authorization_exhausted"],
    [3, "authorization_exhausted"],
  ]);
  await confirm(clinic.rosa.user, held.hold_key);
  expect(await balancesOf(authorization)).toEqual({ reserved: 0, scheduled: 8, used: 0, overridden: 0 });
  await expectUnitsAreSound();
});

it("a series is extended as far as the units go, and shortening it gives them back", async () => {
  const authorization = await authorize(clinic, clinic.aspen, { units: 10 });
  const held = await expectData<HoldData>(await call("sessions-hold", clinic.rosa.user, daily(2)), 201);
  await confirm(clinic.rosa.user, held.hold_key);
  const edit = async (days: number[], changes: object = {}) => {
    const [row] = await sql`select version from public.session_series where id = ${held.series_id ?? ""}`;
    const { occurrences, time_zone } = daily(1, { occurrences: days.map((day) => time(30 + day, 16)) });
    return call("sessions-series", clinic.rosa.user, {
      series_id: held.series_id,
      version: row?.version,
      time_zone,
      occurrences,
      ...changes,
    });
  };
  await expectProblem(await edit([0, 1, 2]), "authorization_exhausted");
  const { moved } = await expectData<{ moved: string[] }>(await edit([3, 4]), 200);
  expect(moved).toHaveLength(2);
  const { cancelled } = await expectData<{ cancelled: string[] }>(await edit([3]), 200);
  expect(cancelled).toHaveLength(1);
  expect(await balancesOf(authorization)).toMatchObject({ scheduled: 4, overridden: 0 });
  await expectUnitsAreSound();
  await expectLedgerIsSound();
});

it("the last units of a week can be moved within it by a hold, and not to a week that has none", async () => {
  const authorization = await authorize(clinic, clinic.aspen, { units: 8, weekly: 4 });
  const first = await expectData<HoldData>(
    await call("sessions-hold", clinic.rosa.user, holdBody(clinic, time(30, 16))),
    201,
  );
  const { session } = await confirm(clinic.rosa.user, first.hold_key);
  const later = await expectData<HoldData>(
    await call("sessions-hold", clinic.rosa.user, holdBody(clinic, time(37, 16))),
    201,
  );
  await confirm(clinic.rosa.user, later.hold_key);
  const move = (day: number, hour: number) =>
    call("sessions-hold", clinic.rosa.user, holdBody(clinic, time(day, hour), { session_id: session.id }));
  const held = await expectData<HoldData>(await move(30, 18), 201);
  await confirm(clinic.rosa.user, held.hold_key);
  const [row] = await sql`select version from public.sessions where id = ${session.id}`;
  const { time_zone } = holdBody(clinic, {});
  const body = { action: "move", session_id: session.id, version: row?.version, time_zone, ...time(30, 20) };
  expect((await call("sessions-reschedule", clinic.rosa.user, body)).status).toBe(200);
  const { conflicts } = await expectProblem(await move(37, 18), "authorization_exhausted");
  expect(conflicts).toMatchObject([{ kind: "week", needed_units: 4, remaining_units: 0 }]);
  expect(await balancesOf(authorization)).toEqual({ reserved: 0, scheduled: 8, used: 0, overridden: 0 });
  await expectUnitsAreSound();
});

it("a session stays with its authorization when that is closed: it moves within it, and not beyond its caps", async () => {
  const payer = await cover(clinic, clinic.aspen, { requires_authorization: true });
  const authorizationId = await authorize(clinic, clinic.aspen, { units: 8, weekly: 4, payer });
  const [first] = await Promise.all(
    [30, 37].map(async (day) => {
      const body = holdBody(clinic, time(day, 16));
      const held = await expectData<HoldData>(await call("sessions-hold", clinic.rosa.user, body), 201);
      return (await confirm(clinic.rosa.user, held.hold_key)).session.id;
    }),
  );
  await closeAuthorization(await clinic.scheduler.client(), { authorizationId });
  const { time_zone } = holdBody(clinic, {});
  const move = async (day: number, hour: number) => {
    const [row] = await sql`select version from public.sessions where id = ${first ?? ""}`;
    const body = {
      action: "move",
      session_id: first,
      version: row?.version,
      time_zone,
      ...time(day, hour),
    };
    return call("sessions-reschedule", clinic.rosa.user, body);
  };
  expect((await move(30, 18)).status).toBe(200);
  const { conflicts } = await expectProblem(await move(37, 18), "authorization_exhausted");
  expect(conflicts).toMatchObject([
    { kind: "week", authorization_id: authorizationId, needed_units: 4, remaining_units: 0 },
  ]);
  await expectUnitsAreSound();
});

it("the client enters, lists, and closes an authorization, and is told what asks for attention", async () => {
  const payerId = await cover(clinic, clinic.aspen);
  const supabase = await clinic.scheduler.client();
  const saved = await saveAuthorization(supabase, {
    clientId: clinic.aspen,
    payerId,
    authorizationNumber: "A-77",
    cptCodes: ["97153"],
    startsOn: "2026-01-01",
    endsOn: "2098-12-31",
    units: 40,
    weeklyUnits: 20,
  });
  expect(saved).toMatchObject({ status: "active", remainingUnits: 40, overriddenUnits: 0 });
  const { authorizationId } = saved;
  expect(
    await saveAuthorization(supabase, { authorizationId, units: 8, lowBalancePercent: 100 }),
  ).toMatchObject({
    remainingUnits: 8,
  });
  const [listed] = await listAuthorizations(supabase, { clientId: clinic.aspen });
  expect(listed).toMatchObject({ authorizationNumber: "A-77", units: 8, weeklyUnits: 20, remainingUnits: 8 });
  expect(await listAuthorizationAlerts(supabase, { organizationId: clinic.id })).toMatchObject([
    { authorizationId, kind: "low_balance" },
  ]);
  expect(await closeAuthorization(supabase, { authorizationId })).toMatchObject({ status: "closed" });
  await expect(
    listAuthorizations(await clinic.rosa.user.client(), { clientId: clinic.aspen }),
  ).rejects.toMatchObject({
    problem: { code: "forbidden" },
  });
});

it("of a team one technician's place draws, as one is charged, and another does when that one ends", async () => {
  await sql`
    insert into public.services (organization_id, service_code, name, cpt_code, is_team)
    values (${clinic.id}, '0373T', 'Team treatment', '0373T', true)`;
  const authorization = await authorize(clinic, clinic.aspen, { units: 4, codes: ["0373T"] });
  const drawn = async () => {
    await expectUnitsAreSound();
    return balancesOf(authorization);
  };
  const held = await expectData<HoldData>(
    await call("sessions-hold", clinic.scheduler, holdBody(clinic, time(30, 16), { service_code: "0373T" })),
    201,
  );
  await confirm(clinic.scheduler, held.hold_key);
  const [first] = await sql`select id, team_id from public.sessions where organization_id = ${clinic.id}`;
  const joined = await expectData<HoldData>(
    await call("sessions-join", clinic.scheduler, { team_id: first?.team_id, therapist_id: clinic.theo.id }),
    201,
  );
  expect(await drawn()).toEqual({ reserved: 0, scheduled: 4, used: 0, overridden: 0 });
  await confirm(clinic.scheduler, joined.hold_key);
  expect(await drawn()).toEqual({ reserved: 0, scheduled: 4, used: 0, overridden: 0 });

  const moved = await rpc(sql, clinic.scheduler, "move_session", {
    session_id: first?.id,
    version: 1,
    time_zone: TIME_ZONE,
    ...time(31, 16),
  });
  expect(moved.problem).toBeUndefined();
  expect(await drawn()).toEqual({ reserved: 0, scheduled: 4, used: 0, overridden: 0 });
  await sql`
    update public.sessions
    set status = 'completed', actual_start_time = start_time, actual_end_time = end_time
    where team_id = ${first?.team_id} and id <> ${first?.id}`;
  expect(await drawn()).toEqual({ reserved: 0, scheduled: 0, used: 4, overridden: 0 });
  await sql`update public.sessions set status = 'scheduled', actual_start_time = null, actual_end_time = null, corrected_at = now()
    where team_id = ${first?.team_id}`;
  expect(await drawn()).toEqual({ reserved: 0, scheduled: 4, used: 0, overridden: 0 });
  await sql`update public.sessions set status = 'cancelled', cancelled_by = 'clinic' where id = ${first?.id}`;
  expect(await drawn()).toEqual({ reserved: 0, scheduled: 4, used: 0, overridden: 0 });
  await sql`update public.authorizations set units = 8 where id = ${authorization}`;
  const { therapist_id: _, ...both } = holdBody(clinic, time(33, 16), { service_code: "0373T" });
  await expectData<HoldData>(
    await call("sessions-hold", clinic.scheduler, {
      ...both,
      therapist_ids: [clinic.rosa.id, clinic.theo.id],
    }),
    201,
  );
  expect(await drawn()).toEqual({ reserved: 4, scheduled: 4, used: 0, overridden: 0 });
});

it("a team that moves while a place in it has run out draws what it draws, once", async () => {
  await sql`
    insert into public.services (organization_id, service_code, name, cpt_code, is_team)
    values (${clinic.id}, '0373T', 'Team treatment', '0373T', true)`;
  const authorization = await authorize(clinic, clinic.aspen, { units: 100, codes: ["0373T"] });
  const holdTeam = async (when: object) =>
    expectData<HoldData>(
      await call("sessions-hold", clinic.scheduler, holdBody(clinic, when, { service_code: "0373T" })),
      201,
    );
  await confirm(clinic.scheduler, (await holdTeam(time(30, 16))).hold_key);
  const [first] = await sql`select id, team_id from public.sessions where organization_id = ${clinic.id}`;
  const left = await expectData<HoldData>(
    await call("sessions-join", clinic.scheduler, { team_id: first?.team_id, therapist_id: clinic.theo.id }),
    201,
  );
  await letExpire(left.hold_key);
  await holdTeam(time(40, 16));
  const moved = await rpc(sql, clinic.scheduler, "move_session", {
    session_id: first?.id,
    version: 1,
    time_zone: TIME_ZONE,
    ...time(45, 16),
  });
  expect(moved.problem).toBeUndefined();
  await expectUnitsAreSound();
  expect(await balancesOf(authorization)).toEqual({ reserved: 4, scheduled: 4, used: 0, overridden: 0 });
});

it("an authorization that is changed takes nothing of a hold that has run out", async () => {
  const authorization = await authorize(clinic, clinic.aspen, { units: 2 });
  const held = await expectData<HoldData>(
    await call(
      "sessions-hold",
      clinic.admin,
      holdBody(clinic, time(30, 16), { authorization_override: { reason: "A crisis" } }),
    ),
    201,
  );
  expect(await balancesOf(authorization)).toEqual({ reserved: 2, scheduled: 0, used: 0, overridden: 2 });
  await letExpire(held.hold_key);
  await saveAuthorization(await clinic.scheduler.client(), { authorizationId: authorization, units: 3 });
  await expectUnitsAreSound();
  expect(await balancesOf(authorization)).toEqual({ reserved: 0, scheduled: 0, used: 0, overridden: 0 });
});
