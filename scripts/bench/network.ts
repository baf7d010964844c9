// A believable network of clinics, made by set-based SQL with triggers off: what the benchmarks read.
//
// It grows as a network does, by more clinics of the same size: 50 therapists who each gave 500 sessions over 100 weeks.
// So a therapist's week has the same few rows in a table of 100 000 as in one of a million, and what changes in between
// is the size of the table alone. Sessions lie on disk in the order of their days, every clinic's among the others'.

import type { Sql } from "postgres";
import { indexedAfterwards, inParts, loading, writers } from "./bulk-load.ts";

export interface Network {
  sessions: number;
  organizations: number;
  therapists: number;
  clients: number;
}

const sessionsPerTherapist = 500;
const therapistsPerOrganization = 50;
const clientsPerTherapist = 10;

/** Sessions that one statement makes. */
const partSize = 100_000;

/** Roles whose users are no therapists, with how many of them a clinic has. */
const officeRoles = { admin: 2, internal_ops: 3, client: 20, partner_provider: 2 };

/** Empties the tenants' tables and fills them with about `rows` sessions. `link` adds what a role's users need besides. */
export async function loadNetwork(adminUrl: string, rows: number, link: string[]): Promise<Network> {
  const therapists = Math.max(2, Math.round(rows / sessionsPerTherapist));
  const organizations = Math.ceil(therapists / therapistsPerOrganization);
  const network: Network = {
    sessions: therapists * sessionsPerTherapist,
    organizations,
    therapists,
    clients: therapists * clientsPerTherapist,
  };
  await loading(adminUrl, async (sql) => {
    await sql.unsafe(emptyTables);
    await sql.unsafe(people(network));
    for (const statement of link) await sql.unsafe(statement);
    await indexedAfterwards(
      sql,
      ["public.sessions"],
      () => inParts(sql, "sessions", sessionsInParts(organizations, therapists)),
      [overlapping],
    );
    await settle(sql);
  });
  return network;
}

/** As autovacuum leaves a table that has been in use: statistics, hint bits and the visibility map are up to date. */
export async function settle(sql: Sql): Promise<void> {
  // Not the catalogs: there are more of them than of our tables, and nothing in them has changed.
  const [row] = await sql<{ tables: string }[]>`
    select string_agg(oid::regclass::text, ', ') as tables from pg_class
    where relkind in ('r', 'p') and relnamespace::regnamespace::text = any (array['app', 'audit', 'auth', 'bench', 'public', 'storage'])`;
  await sql.unsafe(`vacuum (analyze) ${row?.tables}`);
  await sql.unsafe("checkpoint");
}

const emptyTables = `
  truncate public.organizations, public.calendar_claims cascade;
  delete from auth.sessions where user_id in (select id from auth.users where email like '%@bench.example');
  delete from auth.identities where user_id in (select id from auth.users where email like '%@bench.example');
  delete from auth.users where email like '%@bench.example';
`;

/** Ids come from a hash of the number: the same network every time, spread over an index as random ids are. */
const id = (kind: string, number: string): string => `md5('${kind} ' || (${number}))::uuid`;

const stamps = "now() - interval '2 years', now() - interval '2 years'";

function people({ organizations, therapists, clients }: Network): string {
  const therapistsSeries = `generate_series(0, ${therapists - 1}) as t`;
  const organizationsSeries = `generate_series(0, ${organizations - 1}) as o`;
  const organizationOf = (therapist: string): string =>
    id("organization", `${therapist} / ${therapistsPerOrganization}`);
  const clientsOrganization = organizationOf(`c / ${clientsPerTherapist}`);
  // Every eighth therapist of a clinic supervises. The consulting psychiatrist gives no sessions.
  const roleOf = `case when t % ${therapistsPerOrganization} % 8 = 0 then 'supervisor' else 'therapist' end`;
  const supervisor = `o * ${therapistsPerOrganization}
    + c % ceil(least(${therapistsPerOrganization}, ${therapists} - o * ${therapistsPerOrganization}) / 8.0)::integer * 8`;
  const office = Object.entries(officeRoles)
    .map(
      ([role, count]) =>
        `select o, '${role}' as role, n from ${organizationsSeries}, generate_series(1, ${count}) n`,
    )
    .join(" union all ");
  return `
    insert into public.organizations (id, name, time_zone, created_at, updated_at)
    select ${id("organization", "o")}, 'Clinic ' || o,
      (array['America/Los_Angeles', 'America/Denver', 'America/Chicago', 'America/New_York'])[o % 4 + 1], ${stamps}
    from ${organizationsSeries};

    insert into public.services (id, organization_id, service_code, name, cpt_code, created_at, updated_at)
    select ${id("service", "o")}, ${id("organization", "o")}, '97153', 'Direct treatment', '97153', ${stamps}
    from ${organizationsSeries};

    create temporary table member as
      select ${id("user", "'therapist ' || t")} as user_id, ${organizationOf("t")} as organization_id,
        ${roleOf} as role, ${id("therapist", "t::text")} as therapist_id
      from ${therapistsSeries}
      union all
      select ${id("user", "'psychiatrist ' || o")}, ${id("organization", "o")}, 'psychiatrist', ${id("psychiatrist", "o")}
      from ${organizationsSeries}
      union all
      select ${id("user", "role || ' ' || o || ' ' || n")}, ${id("organization", "o")}, role, null
      from (${office}) office;

    insert into auth.users (id, email)
    select user_id, user_id || '@bench.example' from member;
    insert into auth.sessions (id, user_id, created_at)
    select user_id, user_id, now() + interval '1 day' from member;

    insert into public.user_roles (organization_id, user_id, role, created_at, updated_at)
    select organization_id, user_id, role, ${stamps} from member;

    insert into public.therapists (
      id, organization_id, user_id, display_name, credential, status_changed_at, created_at, updated_at)
    select therapist_id, organization_id, user_id, 'Therapist',
      case role when 'psychiatrist' then 'MD' when 'supervisor' then 'BCBA' else 'RBT' end, now(), ${stamps}
    from member
    where therapist_id is not null;

    insert into public.clients (id, organization_id, full_name, status_changed_at, created_at, updated_at)
    select ${id("client", "c")}, ${clientsOrganization}, 'Client ' || c, now(), ${stamps}
    from generate_series(0, ${clients - 1}) as c;

    insert into public.care_team_assignments (
      organization_id, therapist_id, client_id, team_role, starts_on, created_at, updated_at)
    select ${clientsOrganization}, team.therapist_id, ${id("client", "c")}, team.team_role, current_date - 730, ${stamps}
    from generate_series(0, ${clients - 1}) as c
    cross join lateral (
      select c / ${clientsPerTherapist} as own, c / ${clientsPerTherapist * therapistsPerOrganization} as o
    ) place
    cross join lateral (
      values
        (${id("therapist", "own")}, 'therapist'),
        (${id("therapist", neighbour("own", therapists, -1))}, 'therapist'),
        (${id("therapist", supervisor)}, 'supervisor'),
        (case when c % 10 = 0 then ${id("psychiatrist", "o")} end, 'psychiatrist')
    ) team (therapist_id, team_role)
    where team.therapist_id is not null;

    drop table member;
  `;
}

/** The therapist next door in the same clinic; the last one's is the first. */
function neighbour(therapist: string, therapists: number, step: 1 | -1): string {
  const first = `(${therapist}) / ${therapistsPerOrganization} * ${therapistsPerOrganization}`;
  const size = `least(${therapistsPerOrganization}, ${therapists} - ${first})`;
  return `(${first} + ((${therapist}) - ${first} + ${size} + ${step}) % ${size})`;
}

/** A therapist gives one session at a time. */
const overlapping = `
  select from (
    select start_time < lag(end_time) over (partition by therapist_id order by start_time) as too_early
    from public.sessions
    where status <> 'cancelled'
  ) made
  where too_early
`;

/** A statement for each of some weeks and a share of the clinics, the earliest weeks first. */
function sessionsInParts(organizations: number, therapists: number): string[] {
  const shares = Math.min(writers, organizations);
  const share = Math.ceil(organizations / shares) * therapistsPerOrganization;
  const each = Math.max(1, Math.round(partSize / Math.min(share, therapists)));
  return starts(sessionsPerTherapist, each).flatMap((first) =>
    starts(therapists, share).map((from) =>
      sessions(
        { from: first, to: Math.min(first + each, sessionsPerTherapist) },
        { from, to: Math.min(from + share, therapists) },
        therapists,
      ),
    ),
  );
}

const starts = (end: number, step: number): number[] =>
  Array.from({ length: Math.ceil(end / step) }, (_, at) => at * step);

interface Range {
  from: number;
  /** Not included. */
  to: number;
}

/**
 * Sessions of some therapists, by their numbers. One a weekday, at an hour of the therapist's own, so that no two overlap;
 * four days of five with own clients, the fifth with the neighbour's, whose hour is another.
 */
function sessions(numbers: Range, of: Range, therapists: number): string {
  return `
    insert into public.sessions (
      id, claim_id, organization_id, therapist_id, client_id, service_id, client_lane, takes_every_lane,
      buffer_before_minutes, buffer_after_minutes, start_time, end_time, time_zone, status, cancelled_by,
      place_of_service, actual_start_time, actual_end_time, status_changed_at, created_at, updated_at)
    select session_id, session_id, organization.id, therapist_id, client_id, service_id, 0, false, 0, 0, start_time,
      start_time + interval '1 hour' + interval '30 minutes' * (t % 3), organization.time_zone,
      outcome, case outcome when 'cancelled' then 'client' end, '12', case outcome when 'completed' then start_time end,
      case outcome when 'completed' then start_time + interval '1 hour' + interval '30 minutes' * (t % 3) end,
      start_time, start_time, start_time
    from generate_series(${numbers.from}, ${numbers.to - 1}) as k
    cross join generate_series(${of.from}, ${of.to - 1}) as t
    cross join lateral (
      select
        ${id("session", "t || '-' || k")} as session_id,
        ${id("therapist", "t")} as therapist_id,
        ${id("service", `t / ${therapistsPerOrganization}`)} as service_id,
        ${id(
          "client",
          `case when k % 5 = 4 then ${neighbour("t", therapists, 1)} * ${clientsPerTherapist} + k / 5 % ${clientsPerTherapist}
             else t * ${clientsPerTherapist} + k % ${clientsPerTherapist} end`,
        )} as client_id
    ) ids
    join public.organizations organization
      on organization.id = ${id("organization", `t / ${therapistsPerOrganization}`)}
    cross join lateral (
      select (
        date_trunc('week', now() at time zone 'UTC') - interval '85 weeks'
        + make_interval(weeks => k / 5, days => k % 5, hours => 8 + 2 * (t % 4))
      ) at time zone organization.time_zone as start_time
    ) clock
    cross join lateral (
      select case
        when start_time > now() then 'scheduled'
        when (t + k) % 12 = 0 then 'cancelled'
        when (t + k) % 40 = 1 then 'no_show'
        else 'completed'
      end as outcome
    ) state
    order by k, t;
  `;
}
