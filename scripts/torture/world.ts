// The clinics that a run plays in. Written as the owner, since arranging is not what is put to the test.

import { randomUUID } from "node:crypto";
import type { Sql } from "postgres";
import type { Scale } from "./plan.ts";

export interface Person {
  id: string;
  email: string;
}

export interface Clinic {
  id: string;
  admin: Person;
  schedulers: Person[];
  /** A scheduler whose role comes and goes. */
  temporary: Person;
  therapists: { id: string; user: Person }[];
  clients: string[];
  rooms: string[];
  /** Sessions that took place, or did not: nobody has said so yet. */
  overdue: Overdue[];
}

/** What is arranged of a session that was booked and not marked until its time was over. */
export interface Overdue {
  id: string;
  version: number;
  therapist_id: string;
  client_id: string;
  room_id: null;
  group_id: null;
  series_id: null;
  service_code: string;
  place_of_service: "12";
  start_time: string;
  end_time: string;
  status: "scheduled";
}

export const PASSWORD = "correct horse battery staple";
/** Without daylight saving: what is put to the test here is not the calendar. */
export const TIME_ZONE = "America/Phoenix";
const OFFSET_MINUTES = -420;

/** Units of each authorization: short enough to run out, so that what is not given back is missed. */
const UNITS = 120;
/** Of what was authorized before: plenty, since what was booked then is there. */
const PAST_UNITS = 100_000;

const HALF_HOUR_MS = 1_800_000;
const SLOTS_A_DAY = 20;

/** The four time fields of so many half hours from a slot on, which are ten hours of each day from the next but one. */
export function timesOf(slot: number, halfHours: number) {
  const day = Math.floor(Date.now() / 86_400_000) + 2 + Math.floor(slot / SLOTS_A_DAY);
  const inDay = ((slot % SLOTS_A_DAY) + SLOTS_A_DAY) % SLOTS_A_DAY;
  const start = day * 86_400_000 + (30 + inDay) * HALF_HOUR_MS;
  return {
    start_time: new Date(start).toISOString(),
    end_time: new Date(start + halfHours * HALF_HOUR_MS).toISOString(),
    start_time_offset_minutes: OFFSET_MINUTES,
    end_time_offset_minutes: OFFSET_MINUTES,
  };
}

/** Of each clinic so many sessions are overdue; left out, two days of them. */
export async function makeClinics(sql: Sql, { clinics, overdue = 120 }: Scale): Promise<Clinic[]> {
  const made: Clinic[] = [];
  for (let index = 0; index < clinics; index++) made.push(await makeClinic(sql, overdue));
  return made;
}

async function makeClinic(sql: Sql, overdue: number): Promise<Clinic> {
  const id = randomUUID();
  await sql`
    insert into public.organizations (id, name, time_zone, calls_per_minute, total_calls_per_minute)
    values (${id}, ${`Clinic ${id}`}, ${TIME_ZONE}, 100000, 1000000)`;
  await sql`
    insert into public.services (organization_id, service_code, name, cpt_code, client_lane, is_group)
    values (${id}, '97153', 'Direct', '97153', 0, false), (${id}, '97155', 'Supervision', '97155', 1, false),
      (${id}, '97154', 'Group', '97154', 0, true)`;
  const people = await makePeople(sql, 7);
  const [admin, one, two, temporary, ...therapists] = people as [Person, Person, Person, Person, ...Person[]];
  const clinic: Clinic = {
    id,
    admin,
    schedulers: [one, two],
    temporary,
    therapists: therapists.map((user) => ({ id: randomUUID(), user })),
    clients: Array.from({ length: 6 }, () => randomUUID()),
    rooms: [randomUUID()],
    overdue: [],
  };
  await grant(sql, id, "admin", [admin]);
  await grant(sql, id, "internal_ops", [one, two, temporary]);
  await grant(sql, id, "therapist", therapists);
  for (const { id: therapist, user } of clinic.therapists) {
    await sql`
      insert into public.therapists (id, organization_id, user_id, display_name, credential)
      values (${therapist}, ${id}, ${user.id}, 'A therapist', 'RBT')`;
    await sql`
      insert into public.therapist_availability (
        organization_id, therapist_id, weekday, local_start, local_end, effective_from, time_zone)
      select ${id}, ${therapist}, weekday, '00:00', '24:00', '2020-01-01', ${TIME_ZONE} from generate_series(1, 7) weekday`;
  }
  await sql`
    insert into public.clients (id, organization_id, full_name)
    select client, ${id}, 'A client' from unnest(${clinic.clients}::uuid[]) client`;
  await sql`insert into public.rooms (id, organization_id, name) values (${clinic.rooms[0] as string}, ${id}, 'A room')`;
  await sql`
    insert into public.care_team_assignments (organization_id, therapist_id, client_id, team_role, starts_on)
    select ${id}, therapist, client, 'therapist', current_date - 30
    from unnest(${clinic.therapists.map((therapist) => therapist.id)}::uuid[]) therapist
    cross join unnest(${clinic.clients}::uuid[]) client`;
  await authorize(sql, id, clinic.clients.slice(0, 3));
  await addOverdue(sql, clinic, overdue);
  return clinic;
}

/** Half an hour after the other, back from the day before yesterday, of each therapist with another client. */
async function addOverdue(sql: Sql, clinic: Clinic, count: number): Promise<void> {
  const { therapists, clients, overdue } = clinic;
  for (let index = 0; index < count; index++) {
    const slot = Math.floor(index / therapists.length);
    const times = timesOf(-4 * SLOTS_A_DAY - slot - 1, 1);
    overdue.push({
      id: randomUUID(),
      version: 1,
      therapist_id: (therapists[index % therapists.length] as Clinic["therapists"][0]).id,
      client_id: clients[(index + slot) % clients.length] as string,
      room_id: null,
      group_id: null,
      series_id: null,
      service_code: "97153",
      place_of_service: "12",
      start_time: times.start_time,
      end_time: times.end_time,
      status: "scheduled",
    });
  }
  await sql`
    insert into public.sessions (
      id, organization_id, therapist_id, client_id, service_id, start_time, end_time, time_zone, place_of_service)
    select it.id, ${clinic.id}, it.therapist_id, it.client_id, service.id, it.start_time, it.end_time, ${TIME_ZONE}, '12'
    from jsonb_to_recordset(${sql.json(overdue as never)}) it (
      id uuid, therapist_id uuid, client_id uuid, start_time timestamptz, end_time timestamptz)
    join public.services service on service.organization_id = ${clinic.id} and service.service_code = '97153'`;
}

async function makePeople(sql: Sql, howMany: number): Promise<Person[]> {
  const people = Array.from({ length: howMany }, () => {
    const id = randomUUID();
    return { id, email: `${id}@torture.example` };
  });
  for (const { id, email } of people) {
    await sql`
      with login as (
        insert into auth.users (
          id, instance_id, aud, role, email, encrypted_password, email_confirmed_at, raw_app_meta_data,
          raw_user_meta_data, created_at, updated_at, confirmation_token, recovery_token, email_change,
          email_change_token_new)
        values (
          ${id}, '00000000-0000-0000-0000-000000000000', 'authenticated', 'authenticated', ${email},
          extensions.crypt(${PASSWORD}, extensions.gen_salt('bf', 4)), now(),
          '{"provider": "email", "providers": ["email"]}', '{}', now(), now(), '', '', '', '')
        returning id, email),
      session as (insert into auth.sessions (id, user_id, created_at) select id, id, now() from login)
      insert into auth.identities (id, user_id, provider_id, provider, identity_data, created_at, updated_at)
      select gen_random_uuid(), id, id::text, 'email',
        jsonb_build_object('sub', id, 'email', email, 'email_verified', true), now(), now()
      from login`;
  }
  return people;
}

async function grant(sql: Sql, organization: string, role: string, people: Person[]): Promise<void> {
  await sql`
    insert into public.user_roles (organization_id, user_id, role)
    select ${organization}, id, ${role} from unnest(${people.map((person) => person.id)}::uuid[]) id`;
}

async function authorize(sql: Sql, organization: string, clients: string[]): Promise<void> {
  const payer = randomUUID();
  await sql`insert into public.payers (id, organization_id, name) values (${payer}, ${organization}, 'A payer')`;
  await sql`
    insert into public.payer_rates (organization_id, payer_id, cpt_code, unit_cents, starts_on)
    values (${organization}, ${payer}, '97153', 1500, current_date - 365)`;
  await sql`
    insert into public.billing_profiles (
      organization_id, legal_name, npi, tax_id, taxonomy_code, street, town, region, zip, contact_name, contact_number,
      submitter_code, receiver_name, receiver_code, requires_signature, starts_on)
    values (
      ${organization}, 'A clinic', '1234567893', '123456789', '103K00000X', '1 Main Street', 'Phoenix', 'AZ', '850010001',
      'Who Bills', '5555550100', 'SENDER', 'The Receiver', 'RECEIVER', false, current_date - 365)`;
  await sql`
    insert into public.client_coverages (organization_id, client_id, payer_id, starts_on)
    select ${organization}, client, ${payer}, current_date - 365 from unnest(${clients}::uuid[]) client`;
  await sql`
    insert into public.authorizations (
      organization_id, client_id, payer_id, authorization_number, cpt_codes, starts_on, ends_on, units)
    select ${organization}, client, ${payer}, it.number, '{97153}', it.starts_on, it.ends_on, it.units
    from unnest(${clients}::uuid[]) client
    cross join (values
      ('A-0', current_date - 365, current_date - 1, ${PAST_UNITS}::integer),
      ('A-1', current_date, current_date + 730, ${UNITS}::integer)) as it (number, starts_on, ends_on, units)`;
}
