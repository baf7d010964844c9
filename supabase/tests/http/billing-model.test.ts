// Random months of sessions, billed, sent, voided and billed anew: the files, read by a reader of their own, and the claims
// in the database come to the unit and cent to what a recount of the sessions comes to.

import fc from "fast-check";
import { expect, it } from "vitest";
import { render837P } from "../../../src/lib/claims-837p.ts";
import {
  type BillingClinic,
  createBillingClinic,
  deliver,
  expectBillingIsSound,
  RATES,
} from "../support/billing.ts";
import { rpc } from "../support/concurrency.ts";
import { expectLedgerIsSound, sql } from "../support/stack.ts";
import { read837P } from "../support/x12.ts";

// Four sessions a day are within the limit of units.
const HOURS = [8, 10, 12, 14];
const session = fc.record({
  daysAgo: fc.integer({ min: 3, max: 25 }),
  hour: fc.constantFrom(...HOURS),
  minutes: fc.integer({ min: 8, max: 119 }),
  ofBirch: fc.boolean(),
  place: fc.constantFrom("11", "12"),
});
const recipes = fc.record({
  sessions: fc.uniqueArray(session, {
    minLength: 3,
    maxLength: 14,
    selector: (one) => `${one.daysAgo} ${one.hour}`,
  }),
  /** What is voided after it was sent, and how it is billed anew. */
  voided: fc.array(fc.tuple(fc.nat(20), fc.constantFrom("replace", "take_back", null)), { maxLength: 3 }),
  shortened: fc.nat(100),
});

const unitsOf = (minutes: number) => Math.floor((minutes + 7) / 15);

interface Case {
  case_id: string;
  session_ids: string[];
  units: number;
  charge_cents: number;
}

async function ask<T>(clinic: BillingClinic, name: string, request: object): Promise<T> {
  const { data, problem } = await rpc(sql, clinic.scheduler, name, request);
  if (problem) throw new Error(`${name}: ${JSON.stringify(problem)}`);
  return data as T;
}

async function send(clinic: BillingClinic, cases: Case[]) {
  const { batch_id } = await ask<{ batch_id: string }>(clinic, "create_billing_batch", {
    case_ids: cases.map(({ case_id }) => case_id),
    usage: "production",
  });
  const batch = await ask<object>(clinic, "read_billing_batch", { batch_id });
  await ask(clinic, "export_billing_batch", { batch_id, claims: cases.length });
  return read837P(render837P(batch)).claims;
}

/** What the live lines of the clinic come to, by session. */
async function billed(clinic: BillingClinic): Promise<Map<string, { units: number; cents: number }>> {
  const lines = await sql`
    select session_id, units, charge_cents as cents from public.billing_lines
    where organization_id = ${clinic.id} and status = 'billed'`;
  return new Map(lines.map(({ session_id, units, cents }) => [session_id, { units, cents }]));
}

it("files, claims and sessions agree, whatever is sent, voided, corrected and billed anew", async () => {
  await fc.assert(
    fc.asyncProperty(recipes, async ({ sessions, voided, shortened }) => {
      const clinic = await createBillingClinic();
      const expected = new Map<string, { units: number; cents: number }>();
      for (const { ofBirch, ...what } of sessions) {
        const id = await deliver(clinic, { ...what, client: ofBirch ? clinic.birch : clinic.aspen });
        const units = unitsOf(what.minutes);
        expected.set(id, { units, cents: units * RATES["97153"] });
      }
      const { cases } = await ask<{ cases: Case[] }>(clinic, "attach_sessions", {
        session_ids: [...expected.keys()],
      });
      expect(await billed(clinic)).toEqual(expected);
      const claims = await send(clinic, cases);
      const inFile = claims.flatMap(({ lines }) =>
        lines.map(({ units, amount }) => [units, Math.round(Number(amount) * 100)]),
      );
      expect(inFile.sort()).toEqual([...expected.values()].map(({ units, cents }) => [units, cents]).sort());

      for (const [pick, action] of voided) {
        const one = cases[pick % cases.length];
        const [row] = await sql`select status from public.billing_cases where id = ${one?.case_id ?? ""}`;
        if (!one || row?.status === "void") continue;
        await ask(clinic, "void_case", { case_id: one.case_id });
        const [first] = one.session_ids;
        const rate = (expected.get(first ?? "")?.cents ?? 0) / (expected.get(first ?? "")?.units ?? 1);
        const minutes = 8 + shortened;
        await sql`
          update public.sessions set actual_end_time = actual_start_time + make_interval(mins => ${minutes}), corrected_at = now()
          where id = ${first ?? ""}`;
        const corrected = { units: unitsOf(minutes), cents: unitsOf(minutes) * rate };
        if (action === "replace") expected.set(first ?? "", corrected);
        else for (const id of one.session_ids) expected.delete(id);
        if (action === null) continue;
        const answer = await ask<{ cases: Case[] }>(clinic, "rebill_case", {
          case_id: one.case_id,
          action,
          payer_claim_number: "P-1",
        });
        const [claim] = await send(clinic, answer.cases);
        expect(claim?.frequency).toBe(action === "replace" ? "7" : "8");
        expect(Math.round(Number(claim?.amount) * 100)).toBe(answer.cases[0]?.charge_cents);
      }
      expect(await billed(clinic)).toEqual(expected);
      // What the authorization has as used is what was billed of it, and what was not.
      const [used] = await sql`
        select it.used_units + it.overridden_units as used,
          (select coalesce(sum(charge.units), 0)::integer from public.session_charges charge
            join public.sessions session on session.id = charge.session_id
            where charge.kind = 'actual' and session.client_id = it.client_id) as charged,
          (select coalesce(sum(charge.units), 0)::integer from public.session_charges charge
            join public.sessions session on session.id = charge.session_id
            where charge.kind = 'actual' and session.client_id = it.client_id and app.is_billed(session.id)) as billed
        from public.authorizations it where it.id = ${clinic.authorization}`;
      const ofAspen = await sql`select id from public.sessions where client_id = ${clinic.aspen}`;
      const recounted = ofAspen.reduce((sum, { id }) => sum + (expected.get(id)?.units ?? 0), 0);
      expect(used?.used).toBe(used?.charged);
      expect(used?.billed).toBe(recounted);
      await expectBillingIsSound(clinic);
    }),
    { numRuns: 12, endOnFailure: true },
  );
  await expectLedgerIsSound();
});
