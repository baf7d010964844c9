-- Availability: when a therapist works, when a client prefers to come, and how much room sessions need between them.
--
-- Promises
--   * Weekly hours are wall-clock times of their own zone: a gap in local time moves forward, a time that occurs
--     twice is the first (RFC 5545 3.3.5).
--   * A therapist works in the weekly hours in effect, without the organization's holidays, with extra hours. A
--     therapist without hours does not work.
--   * Who is off is off in the time of what was kept, too: when it ends, nothing else is booked there.
--   * Hours of one therapist never overlap, and history stays: changed hours end, and others begin.

create type app.weekly_hours as (
  weekday smallint,
  local_start time,
  local_end time,
  effective_from date,
  effective_until date,
  time_zone text
);

create table public.therapist_availability (
  id uuid primary key default gen_random_uuid(),
  organization_id uuid not null,
  therapist_id uuid not null,
  weekday smallint not null,
  local_start time not null,
  local_end time not null,
  effective_from date not null,
  effective_until date,
  time_zone text not null references app.time_zones (name),
  created_at timestamptz not null,
  created_by uuid,
  updated_at timestamptz not null,
  updated_by uuid,
  constraint therapist_availability_therapist_fkey
    foreign key (organization_id, therapist_id) references public.therapists (organization_id, id),
  constraint therapist_availability_weekday_known check (weekday between 1 and 7),
  constraint therapist_availability_time_order check (local_end > local_start),
  constraint therapist_availability_date_order check (effective_until >= effective_from),
  constraint therapist_availability_no_overlap exclude using gist (
    therapist_id with =, weekday with =, time_zone with =,
    daterange(effective_from, effective_until, '[]') with &&,
    int4range(extract(epoch from local_start)::integer, extract(epoch from local_end)::integer) with &&)
);
comment on table public.therapist_availability is
  'Weekly hours of a therapist, by the wall clock of time_zone, from effective_from to effective_until inclusive.';
comment on column public.therapist_availability.weekday is 'ISO 8601: 1 is Monday, 7 is Sunday.';
comment on column public.therapist_availability.local_end is 'Up to 24:00. A night shift is two rows.';
create index therapist_availability_organization_idx on public.therapist_availability (organization_id, therapist_id);
create index therapist_availability_therapist_idx on public.therapist_availability (therapist_id);
select app.add_stamps('public.therapist_availability');

create table public.client_preferred_hours (
  id uuid primary key default gen_random_uuid(),
  organization_id uuid not null,
  client_id uuid not null,
  weekday smallint not null,
  local_start time not null,
  local_end time not null,
  effective_from date not null,
  effective_until date,
  time_zone text not null references app.time_zones (name),
  created_at timestamptz not null,
  created_by uuid,
  updated_at timestamptz not null,
  updated_by uuid,
  constraint client_preferred_hours_client_fkey
    foreign key (organization_id, client_id) references public.clients (organization_id, id),
  constraint client_preferred_hours_weekday_known check (weekday between 1 and 7),
  constraint client_preferred_hours_time_order check (local_end > local_start),
  constraint client_preferred_hours_date_order check (effective_until >= effective_from),
  constraint client_preferred_hours_no_overlap exclude using gist (
    client_id with =, organization_id with =, weekday with =, time_zone with =,
    daterange(effective_from, effective_until, '[]') with &&,
    int4range(extract(epoch from local_start)::integer, extract(epoch from local_end)::integer) with &&)
);
comment on table public.client_preferred_hours is
  'Weekly hours in which a client prefers to come. A preference: the search for open times can keep to it, a booking need not.';
comment on column public.client_preferred_hours.weekday is 'ISO 8601: 1 is Monday, 7 is Sunday.';
create index client_preferred_hours_client_idx on public.client_preferred_hours (organization_id, client_id);
select app.add_stamps('public.client_preferred_hours');

create table public.availability_exceptions (
  id uuid primary key default gen_random_uuid(),
  organization_id uuid not null references public.organizations (id),
  therapist_id uuid,
  kind text not null,
  start_time timestamptz not null,
  end_time timestamptz not null,
  time_zone text not null references app.time_zones (name),
  note text,
  beside_exception_id uuid,
  status text not null default 'active',
  status_changed_at timestamptz not null,
  status_changed_by uuid,
  created_at timestamptz not null,
  created_by uuid,
  updated_at timestamptz not null,
  updated_by uuid,
  constraint availability_exceptions_organization_id_id_key unique (organization_id, id),
  constraint availability_exceptions_therapist_fkey
    foreign key (organization_id, therapist_id) references public.therapists (organization_id, id),
  constraint availability_exceptions_beside_fkey
    foreign key (organization_id, beside_exception_id) references public.availability_exceptions (organization_id, id),
  constraint availability_exceptions_beside_time_off check (beside_exception_id is null or kind = 'time_off'),
  constraint availability_exceptions_kind_known check (kind in ('time_off', 'extra_hours', 'holiday')),
  constraint availability_exceptions_holiday_is_everybodys check ((kind = 'holiday') = (therapist_id is null)),
  constraint availability_exceptions_time_order check (end_time > start_time),
  constraint availability_exceptions_at_most_a_year check (end_time - start_time <= interval '366 days'),
  constraint availability_exceptions_time_finite check (isfinite(start_time) and isfinite(end_time)),
  constraint availability_exceptions_note_length check (length(note) between 1 and 500),
  constraint availability_exceptions_status_known check (status in ('active', 'cancelled'))
);
comment on table public.availability_exceptions is
  'What differs from the weekly hours: a therapist''s time off or extra hours, the organization''s holidays. Cancelled, '
  'never deleted. Time off claims its time in the ledger; holidays and extra hours change what is available.';
comment on column public.availability_exceptions.beside_exception_id is
  'Of time off, the stretch that what was kept has: it claims nothing, and ends with the time off that it was entered beside.';
comment on column public.availability_exceptions.note is 'PHI: free text, may tell of a person''s health.';
create index availability_exceptions_therapist_idx on public.availability_exceptions (therapist_id, start_time);
create index availability_exceptions_beside_idx on public.availability_exceptions (organization_id, beside_exception_id)
  where beside_exception_id is not null;
create index availability_exceptions_holiday_idx on public.availability_exceptions (organization_id, start_time)
  where kind = 'holiday';
select app.add_stamps('public.availability_exceptions', 'status');

create table public.buffer_rules (
  id uuid primary key default gen_random_uuid(),
  organization_id uuid not null references public.organizations (id),
  service_id uuid,
  therapist_id uuid,
  minutes_before smallint not null default 0,
  minutes_after smallint not null default 0,
  created_at timestamptz not null,
  created_by uuid,
  updated_at timestamptz not null,
  updated_by uuid,
  constraint buffer_rules_one_each unique nulls not distinct (organization_id, service_id, therapist_id),
  constraint buffer_rules_service_fkey
    foreign key (organization_id, service_id) references public.services (organization_id, id),
  constraint buffer_rules_therapist_fkey
    foreign key (organization_id, therapist_id) references public.therapists (organization_id, id),
  constraint buffer_rules_minutes_range check (minutes_before between 0 and 240 and minutes_after between 0 and 240)
);
comment on table public.buffer_rules is
  'Minutes kept free before and after a session (travel, clean-up). The rule of therapist and service counts before the '
  'therapist''s, before the service''s, before the organization''s. A booking keeps the buffer it was made with.';
create index buffer_rules_therapist_idx on public.buffer_rules (organization_id, therapist_id);
select app.add_stamps('public.buffer_rules');

-- ---------------------------------------------------------------------------------------------------------
-- Wall clocks
-- ---------------------------------------------------------------------------------------------------------

create function app.local_to_instant(local_time timestamp, time_zone text)
returns timestamptz
language plpgsql
immutable
set search_path = ''
as $$
declare
  -- Read by the offset that was in force a day before. Where the clock has changed since, that is the first of two
  -- times, and in a gap it lands as far behind the gap as the local time was into it.
  by_earlier_offset timestamptz := ((local_time - interval '24 hours') at time zone time_zone) + interval '24 hours';
  by_postgres timestamptz;
begin
  if by_earlier_offset at time zone time_zone = local_time then
    return by_earlier_offset;
  end if;
  by_postgres := local_time at time zone time_zone;
  return case when by_postgres at time zone time_zone = local_time then by_postgres else by_earlier_offset end;
end
$$;
comment on function app.local_to_instant is
  'The instant of a wall-clock time by RFC 5545 3.3.5: a time in a gap moves forward by the gap, an ambiguous one is the '
  'first. Postgres'' own `at time zone` takes the second.';

create function app.local_dates(within tstzrange, time_zone text)
returns setof date
language plpgsql
immutable
set search_path = ''
as $$
declare
  -- Greenland's clocks jump over the last hour of a Saturday: its hours are the first of Sunday.
  first date := (lower(within) - interval '1 hour') at time zone time_zone;
  last date := upper(within) at time zone time_zone;
begin
  return query select first + day from generate_series(0, last - first) day;
end
$$;
comment on function app.local_dates is 'The calendar days of a zone whose local times a range touches, what the clock jumps over included.';

create function app.expand_hours(hours app.weekly_hours[], within tstzmultirange)
returns tstzmultirange
language plpgsql
stable
set search_path = ''
as $$
begin
  return coalesce((
    select range_agg(tstzrange(worked.starts, greatest(worked.starts, worked.ends)))
    from (select distinct hour.time_zone from unnest(hours) hour) zone
    cross join lateral (
      select distinct day
      from unnest(within) part
      cross join lateral app.local_dates(part, zone.time_zone) day
    ) calendar
    join unnest(hours) hour
      on hour.time_zone = zone.time_zone
      and hour.weekday = extract(isodow from calendar.day)
      and calendar.day >= hour.effective_from
      and (hour.effective_until is null or calendar.day <= hour.effective_until)
    cross join lateral (values (
      app.local_to_instant(calendar.day + hour.local_start, hour.time_zone),
      app.local_to_instant(calendar.day + hour.local_end, hour.time_zone)
    )) as worked (starts, ends)
  ), '{}') * within;
end
$$;
comment on function app.expand_hours is 'The instants that weekly hours cover within some ranges.';

create function app.available_time(organization uuid, therapist uuid, within tstzmultirange, kept_too boolean default false)
returns tstzmultirange
language plpgsql
stable
set search_path = ''
as $$
declare
  span tstzrange := range_merge(within);
  weekly app.weekly_hours[];
  extra tstzmultirange;
  kept tstzmultirange;
  holidays tstzmultirange;
begin
  weekly := array(
    select row(
      hours.weekday, hours.local_start, hours.local_end, hours.effective_from, hours.effective_until,
      hours.time_zone)::app.weekly_hours
    from public.therapist_availability hours
    where hours.organization_id = organization and hours.therapist_id = therapist);
  select
    range_agg(tstzrange(own.start_time, own.end_time)) filter (where own.kind = 'extra_hours'),
    range_agg(tstzrange(own.start_time, own.end_time)) filter (where own.beside_exception_id is not null and not kept_too)
  into extra, kept
  from public.availability_exceptions own
  where own.organization_id = organization and own.therapist_id = therapist and own.status = 'active'
    and own.start_time < upper(span) and own.end_time > lower(span);
  holidays := (
    select range_agg(tstzrange(closed.start_time, closed.end_time))
    from public.availability_exceptions closed
    where closed.organization_id = organization and closed.kind = 'holiday' and closed.status = 'active'
      and closed.start_time < upper(span) and closed.end_time > lower(span));
  return (app.expand_hours(weekly, within) - coalesce(holidays, '{}')) + (coalesce(extra, '{}') * within) - coalesce(kept, '{}');
end
$$;
comment on function app.available_time is
  'When a therapist works within some ranges: the weekly hours without holidays, with extra hours. Time off is a claim '
  'of the ledger and is not taken away here, but for the time of what was kept in it, unless that is asked for too.';

create function app.preferred_time(organization uuid, client uuid, within tstzmultirange)
returns tstzmultirange
language plpgsql
stable
set search_path = ''
as $$
begin
  return app.expand_hours(
    array(
      select row(
        hours.weekday, hours.local_start, hours.local_end, hours.effective_from, hours.effective_until,
        hours.time_zone)::app.weekly_hours
      from public.client_preferred_hours hours
      where hours.organization_id = organization and hours.client_id = client),
    within);
end
$$;
comment on function app.preferred_time is 'When a client prefers to come within some ranges.';

create type app.buffer as (
  minutes_before smallint,
  minutes_after smallint
);

create function app.buffer_of(organization uuid, therapist uuid, service uuid)
returns app.buffer
language plpgsql
stable
set search_path = ''
as $$
declare
  found app.buffer;
begin
  select rule.minutes_before, rule.minutes_after into found
  from public.buffer_rules rule
  where rule.organization_id = organization
    and (rule.therapist_id is null or rule.therapist_id = therapist)
    and (rule.service_id is null or rule.service_id = service)
  order by rule.therapist_id nulls last, rule.service_id nulls last
  limit 1;
  return row(coalesce(found.minutes_before, 0), coalesce(found.minutes_after, 0))::app.buffer;
end
$$;
comment on function app.buffer_of is 'The buffer that a session of the therapist and service gets: the closest rule''s, or none.';

-- ---------------------------------------------------------------------------------------------------------
-- Grants and policies
-- ---------------------------------------------------------------------------------------------------------

alter table public.therapist_availability enable row level security;
alter table public.client_preferred_hours enable row level security;
alter table public.availability_exceptions enable row level security;
alter table public.buffer_rules enable row level security;

-- Hours and exceptions are written by RPCs, which say what stands in the way (set_availability, add_exception).
grant select on public.therapist_availability to authenticated;
select app.grant_select_without_phi('public.availability_exceptions');
grant select,
  insert (organization_id, therapist_id, weekday, local_start, local_end, effective_from, effective_until, time_zone)
on public.therapist_availability to service_role;
grant select,
  insert (organization_id, client_id, weekday, local_start, local_end, effective_from, effective_until, time_zone),
  update (weekday, local_start, local_end, effective_from, effective_until, time_zone)
on public.client_preferred_hours to authenticated, service_role;
grant select,
  insert (organization_id, service_id, therapist_id, minutes_before, minutes_after),
  update (minutes_before, minutes_after)
on public.buffer_rules to authenticated, service_role;

create policy "therapists see their caseload's hours, schedulers everybody's" on public.therapist_availability
  for select to authenticated
  using (
    therapist_id = any ((select app.caseload_therapist_ids())::uuid[])
    or organization_id = any ((select app.org_ids_with_role('internal_ops', 'admin', 'super_admin'))::uuid[])
  );

create policy "those who work see holidays, caseloads and schedulers time off" on public.availability_exceptions
  for select to authenticated
  using (
    therapist_id = any ((select app.caseload_therapist_ids())::uuid[])
    or organization_id = any ((select app.org_ids_with_role('internal_ops', 'admin', 'super_admin'))::uuid[])
    or (kind = 'holiday'
      and organization_id = any ((select app.org_ids_with_role('therapist', 'supervisor'))::uuid[]))
  );

create policy "care teams and schedulers see preferred hours" on public.client_preferred_hours
  for select to authenticated
  using (
    client_id = any ((select app.my_client_ids())::uuid[])
    or organization_id = any ((select app.org_ids_with_role('internal_ops', 'admin', 'super_admin'))::uuid[])
  );
create policy "schedulers add preferred hours" on public.client_preferred_hours
  for insert to authenticated
  with check (organization_id = any ((select app.org_ids_with_role('internal_ops', 'admin'))::uuid[]));
create policy "schedulers change preferred hours" on public.client_preferred_hours
  for update to authenticated
  using (organization_id = any ((select app.org_ids_with_role('internal_ops', 'admin'))::uuid[]))
  with check (organization_id = any ((select app.org_ids_with_role('internal_ops', 'admin'))::uuid[]));

create policy "those who deliver or schedule see buffers" on public.buffer_rules
  for select to authenticated
  using (organization_id = any ((select app.org_ids_with_role(
    'therapist', 'supervisor', 'internal_ops', 'admin', 'super_admin'))::uuid[]));
create policy "schedulers add buffers" on public.buffer_rules
  for insert to authenticated
  with check (organization_id = any ((select app.org_ids_with_role('internal_ops', 'admin'))::uuid[]));
create policy "schedulers change buffers" on public.buffer_rules
  for update to authenticated
  using (organization_id = any ((select app.org_ids_with_role('internal_ops', 'admin'))::uuid[]))
  with check (organization_id = any ((select app.org_ids_with_role('internal_ops', 'admin'))::uuid[]));

select app.require_second_factor('public.therapist_availability');
select app.require_second_factor('public.client_preferred_hours');
select app.require_second_factor('public.availability_exceptions');
select app.require_second_factor('public.buffer_rules');
