// What the `rls` benchmark asks, and as whom. Both lists are data: a new role or query is one more line.

/**
 * Names in `:braces` stand for a value of the sample: `:organization`, `:therapist` and `:client` are ids the user may
 * well ask for, `:monday` to `:next_monday` a past week, `:day` to `:next_day` a day of it, `:month` to `:next_month` four weeks.
 */
export interface Query {
  name: string;
  /** What an app sends as filters; row-level security adds the rest. */
  filter: string;
  /** Count the rows instead of reading them. */
  count?: true;
}

const queries: Query[] = [
  {
    name: "therapist's week",
    filter: "therapist_id = :therapist and start_time >= :monday and start_time < :next_monday",
  },
  {
    name: "organization's day",
    filter: "organization_id = :organization and start_time >= :day and start_time < :next_day",
  },
  { name: "client's history", filter: "client_id = :client" },
  {
    name: "count of a month",
    filter: "organization_id = :organization and start_time >= :month and start_time < :next_month",
    count: true,
  },
  // As the README has it: the app names a time, the policy alone says whose sessions.
  { name: "my week, no other filter", filter: "start_time >= :monday and start_time < :next_monday" },
];

/** What a calendar shows of a session. */
const calendar =
  "id, organization_id, therapist_id, client_id, service_id, room_id, start_time, end_time, time_zone, status";

export interface Role {
  name: string;
  /** The rows the policies leave the user, as somebody would write it by hand who knew: the baseline has it as a filter. */
  sees: string;
  /** The table or view the role's apps read, and the columns; sessions unless it says otherwise. */
  reads?: { relation: string; columns: string; plain: string };
  /** The queries its apps make, when not all of them. */
  asks?: string[];
  /** More values of a sample, or others than usual: SQL over `member` (user_id, organization_id, therapist_id). */
  values?: Record<string, string>;
  /** What its users need in the network besides their row in user_roles: SQL run after the people are there. */
  link?: string;
}

export const roles: Role[] = [
  { name: "therapist", sees: "therapist_id = :therapist" },
  {
    name: "supervisor",
    sees: "therapist_id = any(:caseload)",
    values: {
      caseload: `array(select member.therapist_id union all select supervision.therapist_id
        from public.supervisions supervision where supervision.supervisor_id = member.therapist_id)::text`,
    },
    // A clinic's therapists dealt out to its supervisors.
    link: `
      with ranked as (
        select therapist.*,
          row_number() over (partition by organization_id, credential order by id) as place,
          count(*) filter (where credential = 'BCBA') over (partition by organization_id) as supervisors
        from public.therapists therapist)
      insert into public.supervisions (
        organization_id, supervisor_id, therapist_id, starts_on, created_at, updated_at)
      select therapist.organization_id, supervisor.id, therapist.id, current_date - 365, now(), now()
      from ranked therapist
      join ranked supervisor
        on supervisor.organization_id = therapist.organization_id and supervisor.credential = 'BCBA'
        and supervisor.place = therapist.place % therapist.supervisors + 1
      where therapist.credential = 'RBT'`,
  },
  {
    name: "psychiatrist",
    sees: "client_id = any(:reviewed)",
    asks: ["client's history", "my week, no other filter"],
    values: {
      reviewed: `array(select assignment.client_id from public.care_team_assignments assignment
        where assignment.therapist_id = member.therapist_id and assignment.team_role = 'psychiatrist')::text`,
    },
  },
  {
    name: "client",
    sees: "client_id = :client",
    asks: ["client's history", "my week, no other filter"],
    // The view runs a definer function, so the owner's way to the same rows is the query inside it.
    reads: {
      relation: "public.family_sessions",
      columns:
        "session_id as id, client_id, start_time, end_time, time_zone, status, therapist_name, service_name",
      plain: `(
        select session.id as session_id, session.client_id, session.start_time, session.end_time, session.time_zone,
          session.status, therapist.display_name as therapist_name, service.name as service_name
        from public.sessions session
        join public.therapists therapist
          on therapist.organization_id = session.organization_id and therapist.id = session.therapist_id
        join public.services service
          on service.organization_id = session.organization_id and service.id = session.service_id) family`,
    },
    values: {
      client: `(select guardian.client_id from public.client_guardians guardian where guardian.user_id = member.user_id)`,
    },
    link: `
      insert into public.client_guardians (
        organization_id, client_id, user_id, relationship, starts_on, created_at, updated_at)
      select membership.organization_id, child.id, membership.user_id, 'parent', current_date - 365, now(), now()
      from public.user_roles membership
      cross join lateral (
        select client.id from public.clients client
        where client.organization_id = membership.organization_id
        order by md5(client.id::text || membership.user_id) limit 1) child
      where membership.role = 'client'`,
  },
  { name: "internal_ops", sees: "organization_id = :organization" },
  { name: "admin", sees: "organization_id = :organization" },
];

/** Where a role reads sessions: relation under RLS, columns, and the baseline's relation. */
export function sourceOf(role: Role): { relation: string; columns: string; plain: string } {
  return role.reads ?? { relation: "public.sessions", columns: calendar, plain: "public.sessions" };
}

/** The queries a role's apps make. */
export function queriesOf(role: Role): Query[] {
  return queries.filter(({ name }) => role.asks?.includes(name) ?? true);
}
