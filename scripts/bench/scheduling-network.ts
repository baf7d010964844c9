// What scheduling needs of the network besides its sessions: hours, the holds and claims of every session, and one
// clinic whose next 31 days are full.

import type { Sql } from "postgres";
import { indexedAfterwards, inParts, loading } from "./bulk-load.ts";
import { settle } from "./network.ts";

/** The clinic that is measured, and who asks. */
export interface Clinic {
  organization: string;
  timeZone: string;
  /** The scheduler's id and access token's claims. */
  user: string;
  claims: string;
  /** In the order of the network. */
  therapists: string[];
  /** One client of each therapist's own; the first of them have all therapists on their care teams. */
  clients: string[];
  rangeStart: Date;
  rangeEnd: Date;
  /** Sessions within the range. */
  booked: number;
  /** Rows of the ledger, of all clinics. */
  claimed: number;
}

/** Pages of sessions whose holds and claims one statement makes. */
const partPages = 2_000;
/** How many clients have all therapists on their care teams. */
export const searchedClients = 10;
export const therapistsSearched = 50;
export const fullDays = 31;

const organization = "md5('organization 0')::uuid";

/** Completes the network that `loadNetwork` made. Triggers are off, so the ledger is written here as they would write it. */
export async function fillCalendars(adminUrl: string): Promise<Clinic> {
  return loading(adminUrl, async (sql) => {
    await sql.unsafe(hours);
    await sql.unsafe(exceptions);
    await sql.unsafe(fullClinic);
    const fill = async (): Promise<void> => {
      const [sessions] = await sql<{ pages: number }[]>`
        select (pg_relation_size('public.sessions') / current_setting('block_size')::integer)::integer as pages`;
      const parts = Array.from({ length: Math.ceil((sessions?.pages ?? 0) / partPages) }, (_, part) => part);
      await inParts(sql, "holds and claims", parts.map(ledger));
    };
    await indexedAfterwards(sql, ["public.session_holds", "public.calendar_claims"], fill, [overlapping]);
    await settle(sql);
    return clinicOf(sql);
  });
}

/** Eight hours a day, on all seven: the most a search can have to do. */
const hours = `
  insert into public.therapist_availability (
    organization_id, therapist_id, weekday, local_start, local_end, effective_from, time_zone, created_at, updated_at)
  select therapist.organization_id, therapist.id, weekday, '08:00', '16:00', current_date - 730, clinic.time_zone, now(), now()
  from public.therapists therapist
  join public.organizations clinic on clinic.id = therapist.organization_id
  cross join generate_series(1, 7) weekday
`;

/** What differed from the hours in the past year: on Sundays, when nobody has a session. Time off is claimed as the trigger would. */
const exceptions = `
  with past as (
    select clinic.id as organization_id, clinic.time_zone, number,
      (date_trunc('week', now() at time zone clinic.time_zone) + make_interval(days => -1 - 7 * number, hours => 8))
        at time zone clinic.time_zone as start_time
    from public.organizations clinic
    cross join generate_series(1, 12) number
  ),
  entered as (
    insert into public.availability_exceptions (
      organization_id, therapist_id, kind, start_time, end_time, time_zone, status_changed_at, created_at, updated_at)
    select past.organization_id, therapist.id, case number % 2 when 0 then 'time_off' else 'extra_hours' end,
      past.start_time, past.start_time + interval '4 hours', past.time_zone, past.start_time, past.start_time, past.start_time
    from past
    join public.therapists therapist on therapist.organization_id = past.organization_id
    union all
    select past.organization_id, null, 'holiday', past.start_time, past.start_time + interval '1 day', past.time_zone,
      past.start_time, past.start_time, past.start_time
    from past
    returning availability_exceptions as exception
  )
  insert into public.calendar_claims (
    claim_id, subject_id, lane, subject_kind, organization_id, during, slot_id, kind, expires_at, part)
  select
    claim.claim_id, claim.subject_id, claim.lane, claim.subject_kind, claim.organization_id, claim.during,
    claim.slot_id, claim.kind, claim.expires_at, claim.part
  from entered
  cross join lateral unnest(app.claims_of_exception(entered.exception)) claim
`;

/**
 * Four sessions a day and therapist, one in each two hours, of 60 to 120 minutes and at the start or the end of these:
 * six hours of eight on average, with gaps of half an hour to two. Each with a client of the therapist's own.
 */
const fullClinic = `
  update public.organizations set calls_per_minute = 100000, total_calls_per_minute = 1000000 where id = ${organization};

  create temporary table searched as
    select number as t, md5('therapist ' || number)::uuid as therapist_id
    from generate_series(0, ${therapistsSearched - 1}) number
    where exists (
      select from public.therapists it
      where it.id = md5('therapist ' || number)::uuid and it.organization_id = ${organization});

  insert into public.care_team_assignments (
    organization_id, therapist_id, client_id, team_role, starts_on, created_at, updated_at)
  select ${organization}, searched.therapist_id, team.client_id, 'therapist', current_date - 730, now(), now()
  from searched
  cross join (
    select md5('client ' || number * 10)::uuid as client_id from generate_series(0, ${searchedClients - 1}) number
  ) team
  where not exists (
    select from public.care_team_assignments known
    where known.organization_id = ${organization} and known.therapist_id = searched.therapist_id
      and known.client_id = team.client_id);

  create temporary table full_days as
    select day, (clock.today + day)::timestamp as midnight, clock.time_zone
    from (
      select (now() at time zone clinic.time_zone)::date + 1 as today, clinic.time_zone
      from public.organizations clinic
      where clinic.id = ${organization}
    ) clock
    cross join generate_series(0, ${fullDays}) day;

  delete from public.sessions session
  using full_days
  where session.organization_id = ${organization}
    and session.start_time >= full_days.midnight at time zone full_days.time_zone
    and session.start_time < (full_days.midnight + interval '1 day') at time zone full_days.time_zone;

  insert into public.sessions (
    id, claim_id, organization_id, therapist_id, client_id, service_id, client_lane, takes_every_lane,
    buffer_before_minutes, buffer_after_minutes, start_time, end_time, time_zone, status, place_of_service,
    status_changed_at, created_at, updated_at)
  select made.id, made.id, ${organization}, searched.therapist_id,
    md5('client ' || (searched.t * 10 + (day * 4 + part) % 10))::uuid, md5('service 0')::uuid, 0, false, 0, 0,
    made.start_time, made.start_time + make_interval(mins => made.minutes), time_zone, 'scheduled', '12', now(), now(), now()
  from full_days
  cross join searched
  cross join generate_series(0, 3) part
  cross join lateral (select abs(hashtext(format('%s/%s/%s', searched.t, day, part))) as chance) dice
  cross join lateral (select (array[60, 90, 90, 120])[chance % 4 + 1] as minutes, chance / 4 % 2 = 1 as late) length
  cross join lateral (
    select md5(format('full %s/%s/%s', searched.t, day, part))::uuid as id, length.minutes,
      (midnight + make_interval(hours => 8 + 2 * part, mins => case when length.late then 120 - length.minutes else 0 end))
        at time zone time_zone as start_time
  ) made
  order by made.start_time;

  drop table searched, full_days;
`;

/** The hold that every session once was, and the claims it has now: in the order in which the sessions lie on disk. */
function ledger(part: number): string {
  const share = `session.ctid >= '(${part * partPages},0)' and session.ctid < '(${(part + 1) * partPages},0)'`;
  return `
    insert into public.session_holds (
      id, organization_id, batch_key, therapist_id, client_id, service_id, client_lane, takes_every_lane,
      buffer_before_minutes, buffer_after_minutes, start_time, end_time, time_zone, status, expires_at,
      status_changed_at, created_at, updated_at)
    select
      id, organization_id, id, therapist_id, client_id, service_id, client_lane, takes_every_lane,
      buffer_before_minutes, buffer_after_minutes, start_time, end_time, time_zone, 'confirmed',
      created_at + interval '5 minutes', created_at, created_at, created_at
    from public.sessions session
    where ${share};

    insert into public.calendar_claims (
      claim_id, subject_id, lane, subject_kind, organization_id, during, slot_id, kind, expires_at, part)
    select
      claim.claim_id, claim.subject_id, claim.lane, claim.subject_kind, claim.organization_id, claim.during,
      claim.slot_id, claim.kind, claim.expires_at, claim.part
    from (select session from public.sessions session where ${share}) booked
    cross join lateral unnest(app.claims_of_session(booked.session)) claim;
  `;
}

/** Nobody's time is claimed twice. */
const overlapping = `
  select from (
    select lower(during) < lag(upper(during)) over (partition by subject_id, lane order by lower(during)) as too_early
    from public.calendar_claims
  ) claim
  where too_early
`;

async function clinicOf(sql: Sql): Promise<Clinic> {
  const [clinic] = await sql.unsafe<Clinic[]>(`
    with clinic as (
      select id, time_zone, ((now() at time zone time_zone)::date + 1)::timestamp at time zone time_zone as range_start
      from public.organizations
      where id = ${organization}
    ),
    scheduler as (
      select membership.user_id
      from public.user_roles membership
      where membership.organization_id = ${organization} and membership.role = 'internal_ops'
      order by membership.user_id
      limit 1
    )
    select clinic.id as organization, clinic.time_zone as "timeZone", scheduler.user_id as user,
      public.custom_access_token_hook(jsonb_build_object('user_id', scheduler.user_id, 'claims', jsonb_build_object(
        'sub', scheduler.user_id, 'session_id', scheduler.user_id, 'role', 'authenticated', 'aal', 'aal2'))) ->> 'claims' as claims,
      array(
        select therapist.id
        from generate_series(0, ${therapistsSearched - 1}) number
        join public.therapists therapist on therapist.id = md5('therapist ' || number)::uuid
        where therapist.organization_id = clinic.id
        order by number) as therapists,
      array(
        select client.id
        from generate_series(0, ${therapistsSearched - 1}) number
        join public.clients client on client.id = md5('client ' || number * 10)::uuid
        where client.organization_id = clinic.id
        order by number) as clients,
      clinic.range_start as "rangeStart", clinic.range_start + interval '${fullDays} days' as "rangeEnd",
      (select count(*)::integer
        from public.sessions session
        where session.organization_id = clinic.id and session.start_time >= clinic.range_start
          and session.start_time < clinic.range_start + interval '${fullDays} days') as booked,
      (select count(*)::integer from public.calendar_claims) as claimed
    from clinic
    cross join scheduler`);
  if (!clinic) throw new Error("the network has no clinic to measure");
  return clinic;
}
