// The two derivations, in TypeScript and in SQL, agree on every input.

import fc from "fast-check";
import { expect, it } from "vitest";
import { toWire } from "../../../src/lib/casing.ts";
import { type Charge, type ChargeInput, deriveCharges } from "../../../src/lib/charges.ts";
import { sql } from "../support/stack.ts";

const RUNS = 80;
const DAYS_A_RUN = 40;

const uuid = (n: number) => `00000000-0000-4000-8000-${n.toString(16).padStart(12, "0")}`;
/** Few of each, so that sessions meet in pools, days and teams. */
const oneOf = (count: number) => fc.integer({ min: 1, max: count }).map(uuid);
const START = Date.parse("2026-11-01T06:00:00Z");

const session = fc.record({
  serviceDate: fc.constantFrom("2026-11-01", "2026-11-02"),
  // Round the change of the clock; to the millisecond, and often to the minute.
  start: fc.oneof(
    fc.integer({ min: 0, max: 1500 }).map((minute) => minute * 60_000),
    fc.integer({ min: 0, max: 90_000_000 }),
  ),
  length: fc.oneof(
    fc.integer({ min: 1, max: 90 }).map((minute) => minute * 60_000),
    fc.integer({ min: 1, max: 86_400_000 }),
  ),
  cptCode: fc.constantFrom("97153", "97155", "97156", "0373T"),
  codeInForce: fc.boolean(),
  lane: fc.constantFrom(0, 0, 1),
  teamId: fc.option(oneOf(2), { freq: 2 }),
  providerId: oneOf(2),
  mayBill: fc.boolean(),
  modifiers: fc.array(fc.constantFrom("HM", "HN", "U1", "95", "GT"), { maxLength: 4 }),
  telehealthModifier: fc.option(fc.constantFrom("95", "GT")),
});
/** Mostly one rule a day, as payers have it; sometimes one for each session, which the functions must bear too. */
const rule = fc.record({
  rounding: fc.constantFrom("midpoint", "floor", "eight_minute") as fc.Arbitrary<ChargeInput["rounding"]>,
  poolsMinutes: fc.boolean(),
  dailyUnitCap: fc.option(fc.integer({ min: 1, max: 40 })),
  barsConcurrency: fc.boolean(),
  mueLimit: fc.option(fc.integer({ min: 1, max: 40 })),
});
const day = fc
  .tuple(fc.array(fc.tuple(session, rule), { minLength: 1, maxLength: 9 }), rule, fc.boolean())
  .map(([sessions, ofDay, isOneRule]) =>
    sessions.map(([{ start, length, ...rest }, own]) => ({
      ...rest,
      ...(isOneRule ? ofDay : own),
      startTime: new Date(START + start).toISOString(),
      endTime: new Date(START + start + length).toISOString(),
    })),
  );
/** Many clients' days in one call, in an order that is not that of their ids. */
const inputs = fc
  .tuple(fc.array(day, { minLength: DAYS_A_RUN, maxLength: DAYS_A_RUN }), fc.boolean())
  .map(([days, backwards]) =>
    days.flatMap((sessions, client) =>
      sessions.map((it, index): ChargeInput => {
        const number = client * 100 + (backwards ? 99 - index : index);
        return { ...it, sessionId: uuid(number), clientId: uuid(client) };
      }),
    ),
  );

async function derivedInSql(sessions: ChargeInput[]): Promise<unknown[]> {
  const rows = await sql`
    select to_jsonb(charge) as charge
    from app.derive_charges(array(
      select jsonb_populate_record(null::app.charge_input, given)
      from jsonb_array_elements(${sql.json(toWire(sessions) as never)}::jsonb) given)) charge
    order by charge.session_id`;
  return rows.map(({ charge }) => charge);
}

it(`derive the same charges, for ${RUNS * DAYS_A_RUN} random days`, async () => {
  const warned = new Set<string>();
  const property = fc.asyncProperty(inputs, async (sessions) => {
    const charges = deriveCharges(sessions);
    for (const { warnings } of charges) for (const warning of warnings) warned.add(warning);
    const byId = (a: Charge, b: Charge) => (a.sessionId < b.sessionId ? -1 : 1);
    expect(await derivedInSql(sessions)).toEqual(toWire(charges.sort(byId)));
  });
  await fc.assert(property, { numRuns: RUNS });
  expect([...warned].sort()).toEqual([
    "code_not_for_credential",
    "code_not_in_force",
    "concurrent_not_allowed",
    "mue_exceeded",
    "team_counted_once",
    "unit_cap",
  ]);
}, 120_000);
