// Authorizations for tests that are about them.

import { randomUUID } from "node:crypto";
import { expect } from "vitest";
import type { Clinic } from "./clinic.ts";
import { sql } from "./stack.ts";

/** A payer of the clinic that covers the client, from 2020 on. */
export async function cover(
  clinic: Clinic,
  client: string,
  rules: { requires_authorization?: boolean; no_show_uses_units?: boolean } = {},
): Promise<string> {
  const id = randomUUID();
  await sql`
    insert into public.payers (id, organization_id, name, requires_authorization, no_show_uses_units)
    values (${id}, ${clinic.id}, ${`Payer ${id}`}, ${rules.requires_authorization ?? false}, ${rules.no_show_uses_units ?? false})`;
  await sql`
    insert into public.client_coverages (organization_id, client_id, payer_id, starts_on)
    values (${clinic.id}, ${client}, ${id}, '2020-01-01')`;
  return id;
}

export interface Terms {
  units: number;
  weekly?: number;
  monthly?: number;
  codes?: string[];
  payer?: string;
}

/** An authorization in force from 2020 to the year after next; of a new payer, unless it says. */
export async function authorize(clinic: Clinic, client: string, terms: Terms): Promise<string> {
  const payer = terms.payer ?? (await cover(clinic, client));
  const id = randomUUID();
  await sql`
    insert into public.authorizations (
      id, organization_id, client_id, payer_id, authorization_number, cpt_codes, starts_on, ends_on, units, weekly_units,
      monthly_units)
    values (
      ${id}, ${clinic.id}, ${client}, ${payer}, 'A-1', ${terms.codes ?? ["97153"]}, '2020-01-01', current_date + 730,
      ${terms.units}, ${terms.weekly ?? null}, ${terms.monthly ?? null})`;
  return id;
}

export interface Balances {
  reserved: number;
  scheduled: number;
  used: number;
  overridden: number;
}

export async function balancesOf(id: string): Promise<Balances> {
  const [row] = await sql<Balances[]>`
    select reserved_units as reserved, scheduled_units as scheduled, used_units as used, overridden_units as overridden
    from public.authorizations where id = ${id}`;
  if (!row) throw new Error(`there is no authorization ${id}`);
  return row;
}

export async function expectUnitsAreSound(): Promise<void> {
  expect(await sql`select fault, authorization_id, booking_id from app.authorization_faults()`).toEqual([]);
}
