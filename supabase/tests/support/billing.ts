// Billing for tests that are about it: a clinic whose claims lack nothing, and sessions that took place.

import { randomUUID } from "node:crypto";
import { expect } from "vitest";
import { HoldfastError } from "../../../src/lib/errors.ts";
import { authorize, cover } from "./authorizations.ts";
import { type Clinic, createClinic, TIME_ZONE } from "./clinic.ts";
import { sql } from "./stack.ts";

export interface BillingClinic extends Clinic {
  /** Covers Aspen, in whose authorization there are plenty of units. */
  payer: string;
  authorization: string;
  /** Covers Birch, who is a child of who holds the policy. */
  otherPayer: string;
}

/** Cents a unit of each code. */
export const RATES = { "97153": 1_517, "97155": 3_204 } as const;

export async function createBillingClinic(): Promise<BillingClinic> {
  const clinic = await createClinic();
  const [payer, otherPayer] = await Promise.all([cover(clinic, clinic.aspen), cover(clinic, clinic.birch)]);
  const authorization = await authorize(clinic, clinic.aspen, {
    units: 100_000,
    payer,
    codes: ["97153", "97155"],
  });
  await sql`
    insert into public.billing_profiles (
      organization_id, legal_name, npi, tax_id, taxonomy_code, street, town, region, zip, contact_name, contact_number,
      submitter_code, receiver_name, receiver_code, requires_signature, starts_on)
    values (
      ${clinic.id}, 'Holdfast Test Clinic', '1234567893', '123456789', '103K00000X', '1 Main Street', 'Los Angeles', 'CA',
      '900010001', 'Who Bills', '5555550100', 'SENDER', 'The Receiver', 'RECEIVER', false, '2020-01-01')`;
  for (const id of [payer, otherPayer]) {
    await sql`
      update public.payers set name = left(id::text, 8), payer_code = '12345', filing_indicator = 'CI' where id = ${id}`;
    for (const [code, cents] of Object.entries(RATES)) {
      await sql`
        insert into public.payer_rates (organization_id, payer_id, cpt_code, unit_cents, starts_on)
        values (${clinic.id}, ${id}, ${code}, ${cents}, '2020-01-01')`;
    }
  }
  await sql`
    update public.therapists set npi = '1245319599', taxonomy_code = '106S00000X', legal_given = 'Ann', legal_family = 'Delivers'
    where organization_id = ${clinic.id}`;
  await sql`
    update public.clients
    set given_name = 'Zoë', family_name = 'O''Brien', date_of_birth = '2019-02-03', sex = 'F', address_line = '2 Side Street',
      city = 'Los Angeles', state = 'CA', postal_code = '90001', diagnosis_codes = '{F84.0}'
    where organization_id = ${clinic.id}`;
  await sql`update public.client_coverages set member_id = 'M' || left(client_id::text, 8) where organization_id = ${clinic.id}`;
  await sql`
    update public.client_coverages
    set relationship_to_subscriber = 'child', subscriber_given_name = 'Pat', subscriber_family_name = 'Parent',
      subscriber_date_of_birth = '1985-06-07'
    where client_id = ${clinic.birch}`;
  return { ...clinic, payer, authorization, otherPayer };
}

export interface Delivered {
  client?: string;
  therapist?: string;
  daysAgo?: number;
  hour?: number;
  minutes?: number;
  code?: keyof typeof RATES;
  place?: string | null;
}

/** A session that took place as booked: an hour of Rosa's with Aspen at the clinic, but for what is said. */
export async function deliver(clinic: Clinic, what: Delivered = {}): Promise<string> {
  const { client = clinic.aspen, therapist = clinic.rosa.id, daysAgo = 3, hour = 9, minutes = 60 } = what;
  const { code = "97153", place = "11" } = what;
  const id = randomUUID();
  await sql`
    insert into public.sessions (
      id, organization_id, therapist_id, client_id, service_id, start_time, end_time, time_zone, place_of_service, status,
      actual_start_time, actual_end_time)
    select ${id}, ${clinic.id}, ${therapist}, ${client}, service.id, it.starts, it.ends, ${TIME_ZONE}, ${place}, 'completed',
      it.starts, it.ends
    from public.services service
    cross join lateral (values (
      (current_date - ${daysAgo}::integer + make_interval(hours => ${hour})) at time zone ${TIME_ZONE},
      (current_date - ${daysAgo}::integer + make_interval(hours => ${hour}, mins => ${minutes})) at time zone ${TIME_ZONE}
    )) as it (starts, ends)
    where service.organization_id = ${clinic.id} and service.service_code = ${code}`;
  return id;
}

/** Claims agree with sessions, charges and batches. */
export async function expectBillingIsSound(clinic: Clinic): Promise<void> {
  const faults = await sql`
    select fault.fault, fault.case_id, fault.session_id
    from app.billing_faults() fault
    join public.billing_cases it on it.id = fault.case_id
    where it.organization_id = ${clinic.id}`;
  expect(faults).toEqual([]);
}

/** The fields that a call was refused for, with their codes; or the code of the problem. */
export async function refusal(call: Promise<unknown>): Promise<unknown> {
  const error: unknown = await call.then(
    () => "nothing was refused",
    (thrown: unknown) => thrown,
  );
  if (!(error instanceof HoldfastError)) return error;
  const { problem } = error as HoldfastError;
  if (problem.code !== "validation_failed" || problem.errors.length === 0) return problem.code;
  return problem.errors.map(({ field, code }) => `${field} ${code}`);
}

/** As the app last saw the session. */
export const versionOf = async (session: string): Promise<number> => {
  const [row] = await sql`select version from public.sessions where id = ${session}`;
  return row?.version;
};

/** Each a change of what a claim was made of, as SQL sets it on `sessions`. */
export const FROZEN = [
  "therapist_id = (select id from public.therapists where organization_id = sessions.organization_id and id <> therapist_id)",
  "client_id = (select id from public.clients where organization_id = sessions.organization_id and id <> client_id limit 1)",
  "service_id = (select id from public.services where organization_id = sessions.organization_id and service_code = '97154')",
  "start_time = start_time - interval '1 minute'",
  "end_time = end_time + interval '1 minute'",
  "actual_start_time = actual_start_time - interval '1 minute'",
  "actual_end_time = actual_end_time + interval '1 minute'",
  "place_of_service = '12'",
  "status = 'no_show', actual_start_time = null, actual_end_time = null, corrected_at = now()",
];
