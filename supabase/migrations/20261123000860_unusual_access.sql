-- Unusual access: who reads far more than they use to, at night, of strangers, or tries doors that are locked.
--
-- Promises
--   * Each kind is counted by day of the organization's own calendar, from audit.events alone: looking again at a day finds the
--     same, and raises no second alert.
--   * An alert holds who, which day, and counts; the organization says from which count on (access_thresholds).
--   * docs/unusual-access.md has the rules with an example each.

create table public.access_thresholds (
  organization_id uuid primary key references public.organizations (id),
  clients_a_day integer not null default 20,
  deviations numeric(4, 1) not null default 3,
  opens_at time not null default '06:00',
  closes_at time not null default '21:00',
  open_weekdays smallint[] not null default '{1,2,3,4,5,6}',
  off_hours_reads integer not null default 20,
  unassigned_clients integer not null default 5,
  denials integer not null default 10,
  denial_minutes integer not null default 15,
  created_at timestamptz not null,
  created_by uuid,
  updated_at timestamptz not null,
  updated_by uuid,
  constraint access_thresholds_clients_a_day_range check (clients_a_day between 1 and 100000),
  constraint access_thresholds_deviations_range check (deviations between 0 and 100),
  constraint access_thresholds_hours_in_order check (opens_at < closes_at),
  constraint access_thresholds_open_weekdays_known
    check (open_weekdays <@ '{1,2,3,4,5,6,7}' and array_position(open_weekdays, null) is null),
  constraint access_thresholds_off_hours_reads_range check (off_hours_reads between 1 and 100000),
  constraint access_thresholds_unassigned_clients_range check (unassigned_clients between 1 and 100000),
  constraint access_thresholds_denials_range check (denials between 1 and 100000),
  constraint access_thresholds_denial_minutes_range check (denial_minutes between 1 and 1440)
);
comment on table public.access_thresholds is
  'From when on an organization calls access unusual: one row each, made with the organization, changed by its admins.';
comment on column public.access_thresholds.clients_a_day is 'Reading fewer clients a day than this is never unusual.';
comment on column public.access_thresholds.deviations is 'A day is unusual so many standard deviations above the reader''s mean day.';
comment on column public.access_thresholds.opens_at is 'Reads before it, by the organization''s clock, are off hours.';
comment on column public.access_thresholds.closes_at is 'Reads from then on are off hours.';
comment on column public.access_thresholds.open_weekdays is 'ISO weekdays, Monday is 1. Other days are off hours from midnight to midnight.';
comment on column public.access_thresholds.off_hours_reads is 'So many reads a day off hours are unusual.';
comment on column public.access_thresholds.unassigned_clients is 'So many clients a day are unusual, read by somebody who is not of their team.';
comment on column public.access_thresholds.denials is 'So many refused accesses within denial_minutes are unusual.';
select app.add_stamps('public.access_thresholds');

create function app.add_access_thresholds()
returns trigger
language plpgsql
security definer
set search_path = ''
as $$
begin
  insert into public.access_thresholds (organization_id) select clinic.id from new_rows clinic;
  return null;
end
$$;
comment on function app.add_access_thresholds is
  'Gives a new organization the defaults. Definer: whoever may make an organization makes its thresholds.';
create trigger add_access_thresholds after insert on public.organizations
  referencing new table as new_rows
  for each statement execute function app.add_access_thresholds();

alter table public.access_thresholds enable row level security;
grant select,
  update (clients_a_day, deviations, opens_at, closes_at, open_weekdays, off_hours_reads, unassigned_clients, denials, denial_minutes)
on public.access_thresholds to authenticated, service_role;
create policy "admins see what is unusual in their organization" on public.access_thresholds
  for select to authenticated
  using (organization_id = any ((select app.org_ids_with_role('admin'))::uuid[]));
create policy "admins say what is unusual in their organization" on public.access_thresholds
  for update to authenticated
  using (organization_id = any ((select app.org_ids_with_role('admin'))::uuid[]))
  with check (organization_id = any ((select app.org_ids_with_role('admin'))::uuid[]));
select app.require_second_factor('public.access_thresholds');

-- ---------------------------------------------------------------------------------------------------------
-- What happened
-- ---------------------------------------------------------------------------------------------------------

create function app.record_reads(organization uuid, from_time timestamptz, to_time timestamptz, only_actors uuid[] default null)
returns table (actor_id uuid, client_id uuid, occurred_at timestamptz, action text)
language plpgsql
stable
set search_path = ''
set plan_cache_mode = force_generic_plan
set enable_seqscan = off
as $$
declare
  reads text[] := array(select type.name from audit.event_types type where type.reads_client);
begin
  return query
    select event.actor_id, event.client_id, event.occurred_at, event.action
    from audit.events event
    where event.organization_id = organization
      and event.occurred_at >= from_time
      and event.occurred_at < to_time
      and (event.client_id is not null or event.decision = 'deny')
      and event.decision = 'allow'
      and event.action = any (reads)
      and event.actor_id is not null
      and (only_actors is null or event.actor_id = any (only_actors));
end
$$;
comment on function app.record_reads is 'Who read whose record in some time. The condition with "or" is that of events_accesses_idx.';

create function app.stood_for(organization uuid, reader uuid, client uuid, on_day date)
returns boolean
language plpgsql
stable
set search_path = ''
as $$
begin
  return exists (
    select
    from public.client_guardians guardian
    where guardian.organization_id = organization
      and guardian.client_id = client
      and guardian.user_id = reader
      and on_day >= guardian.starts_on and (guardian.ends_on is null or on_day <= guardian.ends_on));
end
$$;
comment on function app.stood_for is 'Whether the reader stood for the client that day.';

create function app.is_assigned(organization uuid, reader uuid, client uuid, on_day date)
returns boolean
language plpgsql
stable
set search_path = ''
as $$
begin
  return exists (
      select
      from public.therapists therapist
      join public.care_team_assignments assignment
        on assignment.organization_id = organization and assignment.client_id = client
          and on_day >= assignment.starts_on and (assignment.ends_on is null or on_day <= assignment.ends_on)
      where therapist.organization_id = organization
        and therapist.user_id = reader
        and (assignment.therapist_id = therapist.id or exists (
          select
          from public.supervisions supervision
          where supervision.organization_id = organization
            and supervision.supervisor_id = therapist.id
            and supervision.therapist_id = assignment.therapist_id
            and on_day >= supervision.starts_on and (supervision.ends_on is null or on_day <= supervision.ends_on))))
    or app.stood_for(organization, reader, client, on_day);
end
$$;
comment on function app.is_assigned is
  'Whether the reader was of the client''s care team that day, supervised somebody who was, or stood for the client.';

create function app.roles_at(organization uuid, person uuid, moment timestamptz)
returns text[]
language plpgsql
stable
set search_path = ''
as $$
begin
  return array(
    select distinct membership.role
    from public.user_roles membership
    where membership.organization_id = organization
      and membership.user_id = person
      and membership.created_at <= moment
      and (membership.revoked_at is null or membership.revoked_at > moment)
      and (membership.expires_at is null or membership.expires_at > moment)
    order by membership.role);
end
$$;
comment on function app.roles_at is 'The roles that somebody had in an organization at a moment.';

-- ---------------------------------------------------------------------------------------------------------
-- What of it is unusual
-- ---------------------------------------------------------------------------------------------------------

create function app.unusual_access(organization uuid, on_day date)
returns table (kind text, actor_id uuid, figures jsonb)
language plpgsql
stable
set search_path = ''
set plan_cache_mode = force_generic_plan
set enable_seqscan = off
as $$
#variable_conflict use_column
declare
  zone text := (select clinic.time_zone from public.organizations clinic where clinic.id = organization);
  starts timestamptz := app.local_to_instant(on_day::timestamp, zone);
  ends timestamptz := app.local_to_instant((on_day + 1)::timestamp, zone);
  baseline_starts timestamptz := app.local_to_instant((on_day - 30)::timestamp, zone);
  limits public.access_thresholds;
  denial_span interval;
  busy uuid[];
begin
  select it.* into limits from public.access_thresholds it where it.organization_id = organization;
  denial_span := make_interval(mins => limits.denial_minutes);

  -- Far more clients than on the reader's own days. Only who reads many at all has a baseline to be looked up.
  busy := array(
    select read.actor_id
    from app.record_reads(organization, starts, ends) read
    group by read.actor_id
    having count(distinct read.client_id) >= limits.clients_a_day);
  return query
    with days as (
      select read.actor_id, (read.occurred_at at time zone zone)::date as day, count(distinct read.client_id) as clients
      from app.record_reads(organization, baseline_starts, ends, busy) read
      group by 1, 2
    ), compared as (
      select today.actor_id, today.clients, count(before.day) as days, coalesce(sum(before.clients), 0) as total,
        coalesce(sum(before.clients * before.clients), 0) as squares
      from days today
      left join days before on before.actor_id = today.actor_id and before.day < on_day
      where today.day = on_day
      group by today.actor_id, today.clients
    )
    select 'many_clients', actor_id, jsonb_build_object(
      'clients', clients, 'baseline_days', days,
      'baseline_mean', round(total / greatest(days, 1), 2),
      'baseline_deviation', round(sqrt(days * squares - total * total) / greatest(days, 1), 2))
    from compared
    -- clients > mean + deviations x standard deviation, times the number of days: whole numbers have no rounding.
    where days * clients - total > limits.deviations * sqrt(days * squares - total * total) or days = 0;

  return query
    select 'off_hours', read.actor_id, jsonb_build_object('reads', count(*), 'clients', count(distinct read.client_id))
    from app.record_reads(organization, starts, ends) read
    where not (
      extract(isodow from on_day) = any (limits.open_weekdays)
      and (read.occurred_at at time zone zone)::time >= limits.opens_at
      and (read.occurred_at at time zone zone)::time < limits.closes_at)
      -- A family's hours are its own: alerts of every evening would bury those about who works here.
      and not app.stood_for(organization, read.actor_id, read.client_id, on_day)
    group by read.actor_id
    having count(*) >= limits.off_hours_reads;

  return query
    select 'unassigned_reads', pair.actor_id, jsonb_build_object('clients', count(*), 'reads', sum(pair.reads))
    from (
      select read.actor_id, read.client_id, count(*) as reads
      from app.record_reads(organization, starts, ends) read
      -- Whose work is the whole organization reads its lists of clients; notes, documents and consents are another matter.
      where not (read.action = 'client.read'
        and app.roles_at(organization, read.actor_id, read.occurred_at) && '{internal_ops,admin}')
      group by read.actor_id, read.client_id
    ) pair
    where not app.is_assigned(organization, pair.actor_id, pair.client_id, on_day)
    group by pair.actor_id
    having count(*) >= limits.unassigned_clients;

  return query
    select 'repeated_denials', burst.actor_id, jsonb_build_object('denials', max(burst.denials), 'minutes', limits.denial_minutes)
    from (
      select event.actor_id, event.occurred_at,
        count(*) over (partition by event.actor_id order by event.occurred_at range between denial_span preceding and current row) as denials
      from audit.events event
      where event.organization_id = organization
        -- A burst that began before midnight is one of the day on which it ends.
        and event.occurred_at >= starts - denial_span
        and event.occurred_at < ends
        and event.decision = 'deny'
        and audit.denies_access(event.code)
        and event.actor_id is not null
    ) burst
    where burst.occurred_at >= starts
    group by burst.actor_id
    having max(burst.denials) >= limits.denials;
end
$$;
comment on function app.unusual_access is
  'Whose access on a day of the organization''s calendar is unusual, of which kind, and the counts. Reads, and changes nothing.';

create function app.detect_unusual_access(organization uuid, on_day date)
returns integer
language plpgsql
set search_path = ''
as $$
declare
  zone text := (select clinic.time_zone from public.organizations clinic where clinic.id = organization);
  raised integer;
begin
  insert into public.access_alerts as alert (organization_id, kind, actor_id, window_start, window_end, figures)
  select organization, found.kind, found.actor_id,
    app.local_to_instant(on_day::timestamp, zone), app.local_to_instant((on_day + 1)::timestamp, zone), found.figures
  from app.unusual_access(organization, on_day) found
  order by found.kind, found.actor_id
  on conflict (organization_id, actor_id, kind, window_start) where window_start is not null do nothing;
  get diagnostics raised = row_count;
  return raised;
end
$$;
comment on function app.detect_unusual_access is
  'Raises an alert for each reader and kind that is unusual on a day, once; returns how many. A day may be looked at before it is over.';

create function app.sweep_unusual_access(days integer default 2, only_organization uuid default null)
returns integer
language plpgsql
set search_path = ''
as $$
declare
  clinic record;
  raised integer := 0;
begin
  for clinic in
    select it.id, (now() at time zone it.time_zone)::date as today
    from public.organizations it
    where only_organization is null or it.id = only_organization
    order by it.id
  loop
    for ago in reverse days - 1 .. 0 loop
      raised := raised + app.detect_unusual_access(clinic.id, clinic.today - ago);
    end loop;
  end loop;
  return raised;
end
$$;
comment on function app.sweep_unusual_access is
  'Looks at today and the days before, in every organization, for a job to call every quarter of an hour. Returns how many alerts it raised.';
