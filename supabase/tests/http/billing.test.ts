// Claims over HTTP, as an app's billing page makes them: attach, batch, export, void, bill anew; and who may not.

import { randomUUID } from "node:crypto";
import { afterAll, beforeAll, beforeEach, describe, expect, it } from "vitest";
import { exportBatch837P, exportBatchCsv } from "../../../src/lib/claims-export.ts";
import {
  attachSessions,
  createBillingBatch,
  overrideMue,
  rebillCase,
  saveAuthorization,
  saveCoverage,
  settleCase,
  voidCase,
} from "../../../src/lib/index.ts";
import { mark } from "../support/attendance.ts";
import { balancesOf, expectUnitsAreSound } from "../support/authorizations.ts";
import {
  type BillingClinic,
  createBillingClinic,
  deliver,
  expectBillingIsSound,
  FROZEN,
  RATES,
  refusal,
  versionOf,
} from "../support/billing.ts";
import { createClinic, type User } from "../support/clinic.ts";
import { callRest } from "../support/consents.ts";
import { expectLedgerIsSound, sql } from "../support/stack.ts";
import { read837P } from "../support/x12.ts";

type App = Awaited<ReturnType<User["client"]>>;
let clinic: BillingClinic;
let app: App;
beforeAll(async () => {
  clinic = await createBillingClinic();
  app = await clinic.scheduler.client();
});
afterAll(async () => {
  await expectBillingIsSound(clinic);
  await expectUnitsAreSound();
  await expectLedgerIsSound();
});

// Each test has a day of its own, of the last month but one.
let daysAgo = 30;
beforeEach(() => {
  daysAgo += 1;
});

async function sentCase(sessionIds: string[]) {
  const cases = await attachSessions(app, { sessionIds });
  const { batchId } = await createBillingBatch(app, {
    caseIds: cases.map(({ caseId }) => caseId),
    usage: "production",
  });
  const file = await exportBatch837P(app, { batchId });
  return { cases, batchId, file, caseId: cases[0]?.caseId ?? "" };
}

describe("attaching", () => {
  it("makes one claim for each client, payer, therapist, place and authorization, and sums its lines", async () => {
    const ours = await Promise.all([
      deliver(clinic, { daysAgo, hour: 8 }),
      deliver(clinic, { daysAgo, hour: 12, minutes: 30 }),
    ]);
    const others = [
      await deliver(clinic, { daysAgo, hour: 10, place: "12" }),
      await deliver(clinic, { daysAgo, hour: 14, therapist: clinic.theo.id }),
      await deliver(clinic, { daysAgo, hour: 16, client: clinic.birch }),
    ];
    const cases = await attachSessions(app, { sessionIds: [...others, ...ours] });
    expect(cases).toHaveLength(4);
    const claim = cases.find(({ sessionIds }) => sessionIds.length === 2);
    expect(claim).toMatchObject({
      status: "open",
      frequency: "1",
      clientId: clinic.aspen,
      payerId: clinic.payer,
      authorizationId: clinic.authorization,
      units: 6,
      chargeCents: 6 * RATES["97153"],
    });
    expect([...(claim?.sessionIds ?? [])].sort()).toEqual(ours.sort());
    expect(new Set(cases.map(({ claimNumber }) => claimNumber)).size).toBe(4);
  });

  it("splits at the end of a month", async () => {
    const fresh = await createBillingClinic();
    const billing = await fresh.scheduler.client();
    // 56 days in a row are of two months at least, and none has 50.
    const daily = await Promise.all(
      Array.from({ length: 56 }, (_, day) => deliver(fresh, { daysAgo: 70 + day })),
    );
    const months = await attachSessions(billing, { sessionIds: daily });
    expect(months.length).toBeGreaterThanOrEqual(2);
    for (const { sessionIds, month } of months) {
      const [days] = await sql`
        select array_agg(distinct to_char(service_date, 'YYYY-MM')) as months from public.session_charges
        where kind = 'actual' and session_id = any (${sessionIds}::uuid[])`;
      expect(days?.months).toEqual([month]);
    }
    await expectBillingIsSound(fresh);
  });

  it("splits at 50 lines", async () => {
    const fresh = await createBillingClinic();
    const now = new Date();
    const midnight = Date.UTC(now.getUTCFullYear(), now.getUTCMonth(), now.getUTCDate());
    const first = Date.UTC(now.getUTCFullYear(), now.getUTCMonth() - 2, 1);
    const sessionIds = await Promise.all(
      Array.from({ length: 52 }, (_, index) =>
        deliver(fresh, {
          daysAgo: (midnight - first) / 86_400_000 - Math.floor(index / 4),
          hour: 8 + 2 * (index % 4),
          minutes: 15,
        }),
      ),
    );
    const cases = await attachSessions(await fresh.scheduler.client(), { sessionIds });
    expect(cases.map(({ units }) => units)).toEqual([50, 2]);
    await expectBillingIsSound(fresh);
  });

  it("refuses all when one cannot be billed, and says which and why", async () => {
    const good = await deliver(clinic, { daysAgo, hour: 8 });
    const placeless = await deliver(clinic, { daysAgo, hour: 10, place: null });
    const nowhere = await deliver(clinic, { daysAgo, hour: 18, place: "98" });
    const short = await deliver(clinic, { daysAgo, hour: 12, minutes: 7 });
    const missed = await deliver(clinic, { daysAgo, hour: 14 });
    await sql`update public.sessions set status = 'no_show', actual_start_time = null, actual_end_time = null, corrected_at = now() where id = ${missed}`;
    const unpaid = await deliver(clinic, { daysAgo, hour: 16, client: clinic.unassigned });
    const answer = await refusal(
      attachSessions(app, { sessionIds: [good, placeless, nowhere, short, missed, unpaid] }),
    );
    expect(new Set(answer as string[])).toEqual(
      new Set([
        `sessions.${placeless} no_place_of_service`,
        `sessions.${nowhere} no_place_of_service`,
        `sessions.${short} no_units`,
        `sessions.${missed} not_completed`,
        `sessions.${unpaid} no_payer`,
      ]),
    );
    expect(await sql`select from public.billing_lines where session_id = ${good}`).toHaveLength(0);
    await attachSessions(app, { sessionIds: [good] });
    expect(await refusal(attachSessions(app, { sessionIds: [good] }))).toEqual([
      `sessions.${good} already_billed`,
    ]);
  });

  it("bills what was delivered before its coverage was entered once its day is charged anew, and says so", async () => {
    const fresh = await createBillingClinic();
    const billing = await fresh.scheduler.client();
    const early = await deliver(fresh, { daysAgo, hour: 8, client: fresh.unassigned });
    await saveCoverage(billing, {
      clientId: fresh.unassigned,
      payerId: fresh.payer,
      startsOn: "2020-01-01",
      memberId: "M1",
      relationshipToSubscriber: "self",
    });
    await expect(attachSessions(billing, { sessionIds: [early] })).rejects.toMatchObject({
      problem: { errors: [{ code: "no_payer", message: expect.stringContaining("app.reprice") }] },
    });
    await sql`select app.reprice(${early})`;
    expect(await attachSessions(billing, { sessionIds: [early] })).toMatchObject([{ payerId: fresh.payer }]);
  });

  it("refuses what is charged to a payer that does not cover that day any more", async () => {
    const fresh = await createBillingClinic();
    const billing = await fresh.scheduler.client();
    const session = await deliver(fresh, { daysAgo });
    await sql`
      update public.client_coverages set ends_on = current_date - ${daysAgo + 2}::integer
      where organization_id = ${fresh.id} and client_id = ${fresh.aspen}`;
    expect(await refusal(attachSessions(billing, { sessionIds: [session] }))).toEqual([
      `sessions.${session} no_coverage`,
    ]);
    await sql`
      insert into public.client_coverages (organization_id, client_id, payer_id, starts_on)
      values (${fresh.id}, ${fresh.aspen}, ${fresh.otherPayer}, current_date - ${daysAgo + 1}::integer)`;
    await sql`select app.reprice(${session})`;
    const [claim] = await attachSessions(billing, { sessionIds: [session] });
    expect(claim?.payerId).toBe(fresh.otherPayer);
    await expectBillingIsSound(fresh);
  });

  it("asks for a rate, a reason beyond a limit, and a signed note where the clinic or the payer does", async () => {
    const fresh = await createBillingClinic();
    const billing = await fresh.scheduler.client();
    const group = await deliver(fresh, { daysAgo, hour: 6 });
    await sql`delete from public.payer_rates where organization_id = ${fresh.id}`;
    expect(await refusal(attachSessions(billing, { sessionIds: [group] }))).toEqual([
      `sessions.${group} no_rate`,
    ]);
    await sql`
      insert into public.payer_rates (organization_id, payer_id, cpt_code, credential, modifier, unit_cents, starts_on)
      values (${fresh.id}, ${fresh.payer}, '97153', null, null, 100, '2020-01-01'),
        (${fresh.id}, ${fresh.payer}, '97153', 'RBT', null, 200, '2020-01-01'),
        (${fresh.id}, ${fresh.payer}, '97153', 'BCBA', null, 300, '2020-01-01')`;
    await sql`update public.billing_profiles set requires_signature = true where organization_id = ${fresh.id}`;
    expect(await refusal(attachSessions(billing, { sessionIds: [group] }))).toEqual([
      `sessions.${group} note_not_signed`,
    ]);
    await sql`update public.billing_profiles set requires_signature = false where organization_id = ${fresh.id}`;
    await sql`
      insert into public.payer_rules (organization_id, payer_id, cpt_code, starts_on, requires_cosignature)
      values (${fresh.id}, ${fresh.payer}, null, '2020-01-01', true), (${fresh.id}, ${fresh.payer}, '97153', '2020-01-01', false)`;
    expect(await refusal(attachSessions(billing, { sessionIds: [group] }))).toEqual([
      `sessions.${group} note_not_signed`,
    ]);
    await sql`update public.payer_rules set requires_cosignature = false where organization_id = ${fresh.id}`;

    const long = await deliver(fresh, { daysAgo, hour: 8, minutes: 15 * 60 });
    expect(await refusal(attachSessions(billing, { sessionIds: [long] }))).toEqual([
      `sessions.${long} mue_not_overridden`,
    ]);
    await callRest("override_mue", fresh.admin, {
      request: { session_id: long, reason: "It was necessary" },
    });
    const cases = await attachSessions(billing, { sessionIds: [group, long] });
    // The rate that names the therapist's credential goes before the one that names nothing.
    expect(cases.map(({ units, chargeCents }) => [units, chargeCents])).toEqual([[64, 12_800]]);
    await expectBillingIsSound(fresh);
  });

  it("asks before it bills more than was authorized, and for an authorization where the payer does", async () => {
    const fresh = await createBillingClinic();
    const billing = await fresh.scheduler.client();
    await sql`update public.authorizations set units = 4 where id = ${fresh.authorization}`;
    const sessionIds = [
      await deliver(fresh, { daysAgo, hour: 8 }),
      await deliver(fresh, { daysAgo, hour: 10 }),
    ];
    expect(await refusal(attachSessions(billing, { sessionIds }))).toEqual([
      `sessions.${sessionIds[1]} overdrawn`,
    ]);
    expect(await attachSessions(billing, { sessionIds, acceptOverdrawn: true })).toHaveLength(1);
    const without = await deliver(fresh, { daysAgo, hour: 12, client: fresh.birch });
    await sql`update public.payers set requires_authorization = true where id = ${fresh.otherPayer}`;
    expect(await refusal(attachSessions(billing, { sessionIds: [without] }))).toEqual([
      `sessions.${without} no_authorization`,
    ]);
    await expectBillingIsSound(fresh);
  });

  it("names the authorization of the day on which a session really began", async () => {
    const fresh = await createBillingClinic();
    const session = await deliver(fresh, { daysAgo, hour: 23 });
    await sql`update public.authorizations set ends_on = current_date - ${daysAgo}::integer where id = ${fresh.authorization}`;
    await sql`
      update public.sessions
      set actual_start_time = actual_start_time + interval '70 minutes', actual_end_time = actual_end_time + interval '70 minutes'
      where id = ${session}`;
    expect(await balancesOf(fresh.authorization)).toMatchObject({ used: 0 });
    const [days] = await sql`
      select (current_date - ${daysAgo - 1}::integer)::text as first, current_date::text as last`;
    const billing = await fresh.scheduler.client();
    const { authorizationId } = await saveAuthorization(billing, {
      clientId: fresh.aspen,
      payerId: fresh.payer,
      authorizationNumber: "A-2",
      cptCodes: ["97153"],
      startsOn: days?.first,
      endsOn: days?.last,
      units: 100,
    });
    expect(await balancesOf(authorizationId)).toMatchObject({ used: 4 });
    const [claim] = await attachSessions(billing, { sessionIds: [session] });
    expect(claim?.authorizationId).toBe(authorizationId);
    await expectBillingIsSound(fresh);
  });

  it("refuses what would have charged something billed of that day otherwise", async () => {
    const fresh = await createBillingClinic();
    const billing = await fresh.scheduler.client();
    await sql`
      insert into public.payer_rules (organization_id, payer_id, starts_on, pools_minutes)
      values (${fresh.id}, ${fresh.payer}, '2020-01-01', true)`;
    // Eight minutes are a unit; with eight earlier ones they are sixteen, and one unit together, the earlier one's.
    const later = await deliver(fresh, { daysAgo, hour: 12, minutes: 8 });
    const [claim] = await attachSessions(billing, { sessionIds: [later] });
    const earlier = await deliver(fresh, { daysAgo, hour: 8, minutes: 8 });
    await expectBillingIsSound(fresh);
    expect(await refusal(attachSessions(billing, { sessionIds: [earlier] }))).toEqual([
      `sessions.${earlier} day_differs`,
    ]);
    await voidCase(billing, { caseId: claim?.caseId ?? "" });
    await sql`select app.reprice(${later})`;
    const [both] = await attachSessions(billing, { sessionIds: [earlier] });
    expect(both?.units).toBe(1);
    expect(await refusal(attachSessions(billing, { sessionIds: [later] }))).toEqual([
      `sessions.${later} no_units`,
    ]);
    await expectBillingIsSound(fresh);
  });

  it("asks why more than the limit was necessary, also where what was billed comes later in the day", async () => {
    const fresh = await createBillingClinic();
    const billing = await fresh.scheduler.client();
    const later = await deliver(fresh, { daysAgo, hour: 13, minutes: 450 });
    const [claim] = await attachSessions(billing, { sessionIds: [later] });
    const earlier = await deliver(fresh, { daysAgo, hour: 8, minutes: 180 });
    expect(await refusal(attachSessions(billing, { sessionIds: [earlier] }))).toEqual([
      `sessions.${earlier} day_differs`,
    ]);
    await voidCase(billing, { caseId: claim?.caseId ?? "" });
    await sql`select app.reprice(${later})`;
    expect(await refusal(attachSessions(billing, { sessionIds: [earlier, later] }))).toEqual([
      `sessions.${later} mue_not_overridden`,
    ]);
    await overrideMue(await fresh.admin.client(), { sessionId: later, reason: "A crisis in the morning" });
    const [both] = await attachSessions(billing, { sessionIds: [earlier, later] });
    expect(both?.units).toBe(42);
    await expectBillingIsSound(fresh);
  });
});

describe("a session on a claim", () => {
  it("is not corrected, moved or overridden by anybody, until the claim is void", async () => {
    const session = await deliver(clinic, { daysAgo });
    const [claim] = await attachSessions(app, { sessionIds: [session] });
    const correction = async () => ({
      session_id: session,
      version: await versionOf(session),
      status: "no_show",
      reason: "A slip",
    });
    expect(await mark(clinic.admin, "correct_attendance", await correction())).toBe("session_billed");
    for (const write of FROZEN) {
      await expect(
        sql.unsafe(`update public.sessions set ${write} where id = '${session}'`),
        write,
      ).rejects.toMatchObject({
        constraint_name: "sessions_frozen_while_billed",
      });
    }
    await expect(sql`delete from public.sessions where id = ${session}`).rejects.toMatchObject({
      code: /^23/,
    });
    for (const write of [
      "units = 5, rounded_minutes = 75",
      "modifiers = '{U1}'",
      "place_of_service = '12'",
      "minutes = 61",
    ]) {
      const change = sql.unsafe(
        `update public.session_charges set ${write} where session_id = '${session}' and kind = 'actual'`,
      );
      await expect(change, write).rejects.toMatchObject({ constraint_name: "sessions_frozen_while_billed" });
    }
    await expect(
      sql`delete from public.session_charges where session_id = ${session} and kind = 'actual'`,
    ).rejects.toMatchObject({ constraint_name: "sessions_frozen_while_billed" });
    // What is no fact of the claim may change: a room.
    await sql`update public.sessions set room_id = ${clinic.room} where id = ${session}`;

    expect(await voidCase(app, { caseId: claim?.caseId ?? "" })).toMatchObject({ status: "void" });
    expect(await mark(clinic.admin, "correct_attendance", await correction())).toBe("no_show");
  });

  it("stays as it is when the secret key writes over REST, with the problem that says what to do", async () => {
    const session = await deliver(clinic, { daysAgo });
    await attachSessions(app, { sessionIds: [session] });
    await expect(
      sql.begin(async (transaction) => {
        await transaction`set local role service_role`;
        await transaction`update public.sessions set place_of_service = '12' where id = ${session}`;
      }),
    ).rejects.toMatchObject({ code: "23514", constraint_name: "sessions_frozen_while_billed" });
  });

  it("keeps its charge while others of its day come and go", async () => {
    const session = await deliver(clinic, { daysAgo, hour: 12 });
    await attachSessions(app, { sessionIds: [session] });
    await deliver(clinic, { daysAgo, hour: 8, minutes: 240 });
    await expectBillingIsSound(clinic);
  });
});

describe("a batch", () => {
  it("is an 837P file that says to the unit and cent what the database says, and counts as sent", async () => {
    const sessionIds = [
      await deliver(clinic, { daysAgo, hour: 8, minutes: 53 }),
      await deliver(clinic, { daysAgo, hour: 10, client: clinic.birch }),
    ];
    const { file, cases, batchId } = await sentCase(sessionIds);
    const claims = read837P(file).claims;
    expect(claims.map(({ number }) => number)).toEqual(cases.map(({ claimNumber }) => claimNumber));
    for (const [index, claim] of claims.entries()) {
      const [sums] = await sql`
        select sum(line.units)::integer as units, sum(line.charge_cents)::integer as cents
        from public.billing_lines line where line.case_id = ${cases[index]?.caseId ?? ""}`;
      expect(claim.lines.reduce((sum, { units }) => sum + units, 0)).toBe(sums?.units);
      expect(Math.round(Number(claim.amount) * 100)).toBe(sums?.cents);
    }
    const [aspen, birch] = claims.sort((one) => (one.patient ? 1 : -1));
    expect(aspen).toMatchObject({ authorization: "A-1", subscriber: { given: "ZOE", family: "O'BRIEN" } });
    expect(birch).toMatchObject({
      subscriber: { given: "PAT" },
      patient: { relationship: "19", given: "ZOE" },
    });
    const states = await sql`select distinct status from public.billing_cases where batch_id = ${batchId}`;
    expect(states).toEqual([{ status: "submitted" }]);
    // Again it is the same file, though a claim of it is void by now.
    await voidCase(app, { caseId: cases[0]?.caseId ?? "" });
    expect(await exportBatch837P(app, { batchId })).toBe(file);
    expect((await exportBatchCsv(app, { batchId })).trim().split("\r\n")).toHaveLength(3);
    const reads = await sql`
      select distinct client_id from audit.events where organization_id = ${clinic.id} and action = 'billing_batch.read'
        and row_id = any (${cases.map(({ caseId }) => caseId)}::uuid[])`;
    expect(reads).toHaveLength(2);
  });

  it("gives each file the next control number, and takes a claim into one batch only", async () => {
    const cases = await attachSessions(app, {
      sessionIds: [
        await deliver(clinic, { daysAgo, hour: 8 }),
        await deliver(clinic, { daysAgo, hour: 10, place: "12" }),
      ],
    });
    const [one, two] = cases.map(({ caseId }) => caseId) as [string, string];
    const first = await createBillingBatch(app, { caseIds: [one], usage: "production" });
    const second = await createBillingBatch(app, { caseIds: [two], usage: "production" });
    expect(second.controlNumber).toBe(first.controlNumber + 1);
    expect(await refusal(createBillingBatch(app, { caseIds: [one], usage: "production" }))).toEqual([
      "caseIds not_open",
    ]);
    await voidCase(app, { caseId: one });
    expect(await refusal(exportBatch837P(app, { batchId: first.batchId }))).toEqual(["batchId empty"]);
    const { body } = await callRest("export_billing_batch", clinic.scheduler, {
      request: { batch_id: second.batchId, claims: 2 },
    });
    expect(body.problem?.errors).toMatchObject([{ field: "claims", code: "changed" }]);
  });

  it("names each fact that its claims lack by whose it is, and is not sent", async () => {
    const fresh = await createBillingClinic();
    const billing = await fresh.scheduler.client();
    const cases = await attachSessions(billing, { sessionIds: [await deliver(fresh, { daysAgo })] });
    const { batchId } = await createBillingBatch(billing, {
      caseIds: cases.map(({ caseId }) => caseId),
      usage: "production",
    });
    await sql`update public.therapists set npi = null, legal_given = null where id = ${fresh.rosa.id}`;
    await sql`update public.clients set diagnosis_codes = '{}', sex = null where id = ${fresh.aspen}`;
    await sql`update public.payers set payer_code = null where id = ${fresh.payer}`;
    await sql`update public.client_coverages set member_id = null where client_id = ${fresh.aspen}`;
    const lacking = (await refusal(exportBatch837P(billing, { batchId }))) as string[];
    expect([...lacking].sort()).toEqual(
      [
        `clients.${fresh.aspen}.diagnosisCodes required`,
        `clients.${fresh.aspen}.memberId required`,
        `clients.${fresh.aspen}.sex required`,
        `payers.${fresh.payer}.payerCode required`,
        `therapists.${fresh.rosa.id}.legalGiven required`,
        `therapists.${fresh.rosa.id}.npi required`,
      ].sort(),
    );
    const [row] = await sql`select status from public.billing_batches where id = ${batchId}`;
    expect(row?.status).toBe("draft");
    await expectBillingIsSound(fresh);
  });
});

describe("what a claim cannot spell", () => {
  it("is named by whose it is, once, and is not sent", async () => {
    const fresh = await createBillingClinic();
    const billing = await fresh.scheduler.client();
    const cases = await attachSessions(billing, {
      sessionIds: [
        await deliver(fresh, { daysAgo, hour: 8 }),
        await deliver(fresh, { daysAgo, hour: 10, place: "12" }),
        await deliver(fresh, { daysAgo, hour: 12, client: fresh.birch }),
      ],
    });
    const { batchId } = await createBillingBatch(billing, {
      caseIds: cases.map(({ caseId }) => caseId),
      usage: "production",
    });
    await sql`update public.clients set family_name = 'Łoś', address_line = 'Ł' where organization_id = ${fresh.id}`;
    await sql`update public.client_coverages set subscriber_given_name = 'Łucja' where client_id = ${fresh.birch}`;
    await sql`update public.therapists set legal_family = 'Ørsted' where id = ${fresh.rosa.id}`;
    await sql`update public.payers set name = 'Zdrowie Łódź' where id = ${fresh.payer}`;
    for (const write of [exportBatch837P, exportBatchCsv]) {
      const unspelled = (await refusal(write(billing, { batchId }))) as string[];
      expect([...unspelled].sort()).toEqual(
        [
          `clients.${fresh.aspen}.familyName not_x12_text`,
          `clients.${fresh.aspen}.addressLine not_x12_text`,
          `clients.${fresh.birch}.familyName not_x12_text`,
          `clients.${fresh.birch}.addressLine not_x12_text`,
          `clients.${fresh.birch}.subscriberGivenName not_x12_text`,
          `therapists.${fresh.rosa.id}.legalFamily not_x12_text`,
          `payers.${fresh.payer}.name not_x12_text`,
        ].sort(),
      );
    }
    const [row] = await sql`select status from public.billing_batches where id = ${batchId}`;
    expect(row?.status).toBe("draft");
    await expectBillingIsSound(fresh);
  });
});

describe("what was sent", () => {
  it("is replaced with what its sessions are charged by then, and by nothing else", async () => {
    const session = await deliver(clinic, { daysAgo });
    const { caseId, cases } = await sentCase([session]);
    expect(await refusal(rebillCase(app, { caseId, action: "replace", payerClaimNumber: "P-7" }))).toEqual([
      "caseId not_void",
    ]);
    await voidCase(app, { caseId });
    expect(await refusal(attachSessions(app, { sessionIds: [session] }))).toEqual([
      `sessions.${session} sent_before`,
    ]);
    await sql`
      update public.sessions set actual_end_time = actual_end_time + interval '30 minutes', corrected_at = now() where id = ${session}`;
    const replacing = await rebillCase(app, { caseId, action: "replace", payerClaimNumber: "P-7" });
    expect(replacing).toMatchObject({ frequency: "7", status: "open", units: 6, sessionIds: [session] });
    expect(await refusal(rebillCase(app, { caseId, action: "replace", payerClaimNumber: "P-7" }))).toEqual([
      "caseId replaced",
    ]);
    const { batchId } = await createBillingBatch(app, { caseIds: [replacing.caseId], usage: "production" });
    const [claim] = read837P(await exportBatch837P(app, { batchId })).claims;
    expect(claim).toMatchObject({ frequency: "7", payerNumber: "P-7", number: replacing.claimNumber });
    // What was there before is as it was.
    const [kept] = await sql`
      select it.status, line.units, line.status as line_status from public.billing_cases it
      join public.billing_lines line on line.case_id = it.id where it.id = ${caseId}`;
    expect(kept).toEqual({ status: "void", units: cases[0]?.units, line_status: "void" });
  });

  it("is taken back by a claim that repeats it, and then billed as if for the first time", async () => {
    const session = await deliver(clinic, { daysAgo });
    const { caseId } = await sentCase([session]);
    await voidCase(app, { caseId });
    const reversal = await rebillCase(app, { caseId, action: "take_back", payerClaimNumber: "P-8" });
    expect(reversal).toMatchObject({ frequency: "8", units: 4 });
    const [again] = await attachSessions(app, { sessionIds: [session] });
    expect(again).toMatchObject({ frequency: "1", units: 4 });
  });

  it("is settled once: paid, denied, closed", async () => {
    const { caseId } = await sentCase([await deliver(clinic, { daysAgo })]);
    expect((await settleCase(app, { caseId, status: "denied" })).status).toBe("denied");
    expect((await settleCase(app, { caseId, status: "paid" })).status).toBe("paid");
    expect(await refusal(settleCase(app, { caseId, status: "denied" }))).toEqual(["status not_possible"]);
    expect((await settleCase(app, { caseId, status: "closed" })).status).toBe("closed");
    expect(await refusal(voidCase(app, { caseId }))).toEqual(["caseId closed"]);
  });

  it("is charged no more when nothing of it took place: only taking it back is left", async () => {
    const session = await deliver(clinic, { daysAgo });
    const { caseId } = await sentCase([session]);
    await voidCase(app, { caseId });
    await mark(clinic.admin, "correct_attendance", {
      session_id: session,
      version: await versionOf(session),
      status: "no_show",
      reason: "A slip",
    });
    expect(await refusal(rebillCase(app, { caseId, action: "replace", payerClaimNumber: "P-7" }))).toEqual([
      "action nothing_to_bill",
    ]);
    expect(await rebillCase(app, { caseId, action: "take_back", payerClaimNumber: "P-7" })).toMatchObject({
      frequency: "8",
    });
  });
});

describe("nobody bills", () => {
  const id = randomUUID();
  const operations: [string, object][] = [
    ["attach_sessions", { session_ids: [id] }],
    ["void_case", { case_id: id }],
    ["rebill_case", { case_id: id, action: "replace", payer_claim_number: "1" }],
    ["settle_case", { case_id: id, status: "paid" }],
    ["create_billing_batch", { case_ids: [id], usage: "production" }],
    ["read_billing_batch", { batch_id: id }],
    ["export_billing_batch", { batch_id: id, claims: 1 }],
  ];
  it.each(operations)("what does not exist: %s", async (name, request) => {
    expect((await callRest(name, clinic.admin, { request })).body.problem?.code).toBe("not_found");
  });

  it("another clinic's sessions, also beside its own", async () => {
    const [elsewhere, ours] = await Promise.all([createClinic(), deliver(clinic, { daysAgo })]);
    const theirs = await deliver(elsewhere, { daysAgo });
    expect(await refusal(attachSessions(app, { sessionIds: [theirs] }))).toBe("not_found");
    expect(await refusal(attachSessions(app, { sessionIds: [ours, theirs] }))).toBe("not_found");
  });

  it("what is written wrongly, and each field is named", async () => {
    const session = await deliver(clinic, { daysAgo });
    const { caseId } = await sentCase([session]);
    const batch = (await sql`select batch_id from public.billing_cases where id = ${caseId}`)[0]?.batch_id;
    const wrong: [string, object, string][] = [
      ["attach_sessions", { session_ids: [session, session] }, "session_ids duplicate"],
      ["attach_sessions", { session_ids: session, organization_id: clinic.id }, "session_ids required"],
      ["attach_sessions", { session_ids: [], organization_id: clinic.id }, "session_ids size"],
      [
        "attach_sessions",
        { session_ids: [session], accept_overdrawn: "yes" },
        "accept_overdrawn invalid_type",
      ],
      ["settle_case", { case_id: caseId, status: "void" }, "status invalid_value"],
      ["rebill_case", { case_id: caseId, action: "replace" }, "payer_claim_number required"],
      ["create_billing_batch", { case_ids: [caseId], usage: "play" }, "usage invalid_value"],
      ["export_billing_batch", { batch_id: batch }, "claims required"],
    ];
    for (const [name, request, expected] of wrong) {
      const { body } = await callRest(name, clinic.scheduler, { request });
      const [first] = body.problem?.errors ?? [];
      expect(`${first?.field} ${first?.code}`, name).toBe(expected);
    }
    await voidCase(app, { caseId });
    const { body } = await callRest("rebill_case", clinic.scheduler, {
      request: { case_id: caseId, action: "undo", payer_claim_number: "1" },
    });
    expect(body.problem?.errors).toMatchObject([{ field: "action", code: "invalid_value" }]);
  });
});
