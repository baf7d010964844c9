-- Authorizations: what a payer has agreed to pay for, and the ledger of what bookings draw of it.
--
-- Promises
--   * Reserved, scheduled and used units are never more than were authorized, in all, in a week or in a month, whoever
--     writes and at every isolation level: that is a constraint. What is taken beyond, on purpose or because the care was
--     given, is counted apart (overridden_units).
--   * A hold reserves, its session schedules, delivering it uses, and ending it releases, in the statement that does so.
--   * Two authorizations in force never answer for the same client, payer, code and day.
--   * Entries are only added; the balances are the sum of each booking's last entry: app.authorization_faults() is empty.

create table public.authorizations (
  id uuid primary key default gen_random_uuid(),
  organization_id uuid not null,
  client_id uuid not null,
  payer_id uuid not null,
  authorization_number text not null,
  kind text not null default 'billable',
  cpt_codes text[] not null,
  starts_on date not null,
  ends_on date not null,
  units integer,
  weekly_units integer,
  monthly_units integer,
  low_balance_percent smallint not null default 20,
  expiring_days smallint not null default 30,
  status text not null default 'active',
  reserved_units integer not null default 0,
  scheduled_units integer not null default 0,
  used_units integer not null default 0,
  overridden_units integer not null default 0,
  status_changed_at timestamptz not null,
  status_changed_by uuid,
  created_at timestamptz not null,
  created_by uuid,
  updated_at timestamptz not null,
  updated_by uuid,
  constraint authorizations_organization_id_id_key unique (organization_id, id),
  constraint authorizations_codes_key unique (organization_id, id, client_id, payer_id),
  constraint authorizations_client_fkey
    foreign key (organization_id, client_id) references public.clients (organization_id, id),
  constraint authorizations_payer_fkey
    foreign key (organization_id, payer_id) references public.payers (organization_id, id),
  constraint authorizations_number_length check (length(authorization_number) between 1 and 100),
  constraint authorizations_kind_known check (kind in ('billable', 'schedule_only')),
  constraint authorizations_codes_named check (cardinality(cpt_codes) between 1 and 20 and array_position(cpt_codes, null) is null),
  constraint authorizations_date_order check (ends_on >= starts_on),
  constraint authorizations_date_finite check (isfinite(starts_on) and isfinite(ends_on)),
  constraint authorizations_units_range check (units between 1 and 1000000),
  constraint authorizations_weekly_units_range check (weekly_units between 1 and 1000000),
  constraint authorizations_monthly_units_range check (monthly_units between 1 and 1000000),
  constraint authorizations_units_of_billable check (
    case kind when 'billable' then units is not null else num_nonnulls(units, weekly_units, monthly_units) = 0 end),
  constraint authorizations_low_balance_range check (low_balance_percent between 0 and 100),
  constraint authorizations_expiring_range check (expiring_days between 0 and 365),
  constraint authorizations_status_known check (status in ('active', 'closed')),
  constraint authorizations_never_negative check (least(reserved_units, scheduled_units, used_units, overridden_units) >= 0),
  constraint authorizations_never_overdrawn check (reserved_units + scheduled_units + used_units <= coalesce(units, 0))
) with (fillfactor = 70);
comment on table public.authorizations is
  'What a payer authorized for a client: a group of codes, from starts_on to ends_on inclusive in the organization''s zone. '
  'Read and written by RPCs only.';
comment on column public.authorizations.authorization_number is 'PHI: names the client''s case at the payer.';
comment on column public.authorizations.kind is
  'schedule_only: the payer authorizes the service and not an amount; sessions need it, and take no units of it.';
comment on column public.authorizations.overridden_units is 'Taken beyond what was authorized; in none of the other balances.';
create index authorizations_client_idx on public.authorizations (organization_id, client_id);
create index authorizations_payer_idx on public.authorizations (organization_id, payer_id);
select app.add_stamps('public.authorizations', 'status');

create table public.authorization_codes (
  organization_id uuid not null,
  authorization_id uuid not null,
  client_id uuid not null,
  payer_id uuid not null,
  cpt_code text not null references public.cpt_codes (code),
  during daterange not null,
  primary key (authorization_id, cpt_code),
  constraint authorization_codes_authorization_fkey
    foreign key (organization_id, authorization_id, client_id, payer_id)
    references public.authorizations (organization_id, id, client_id, payer_id),
  constraint authorization_codes_client_fkey
    foreign key (organization_id, client_id) references public.clients (organization_id, id),
  constraint authorization_codes_payer_fkey
    foreign key (organization_id, payer_id) references public.payers (organization_id, id),
  constraint authorization_codes_no_overlap exclude using gist (
    client_id with =, payer_id with =, cpt_code with =, during with &&)
);
comment on table public.authorization_codes is
  'Which authorization in force answers for a client, payer, code and day: one or none. Kept by a trigger on authorizations.';
create index authorization_codes_cpt_code_idx on public.authorization_codes (cpt_code);
create index authorization_codes_authorization_idx on public.authorization_codes (organization_id, authorization_id);
create index authorization_codes_client_idx on public.authorization_codes (organization_id, client_id);
create index authorization_codes_payer_idx on public.authorization_codes (organization_id, payer_id);

create table public.authorization_periods (
  organization_id uuid not null,
  authorization_id uuid not null,
  period text not null,
  period_start date not null,
  cap_units integer,
  taken_units integer not null default 0,
  primary key (authorization_id, period, period_start),
  constraint authorization_periods_authorization_fkey
    foreign key (organization_id, authorization_id) references public.authorizations (organization_id, id),
  constraint authorization_periods_period_known check (period in ('week', 'month')),
  constraint authorization_periods_never_negative check (taken_units >= 0),
  constraint authorization_periods_never_overdrawn check (taken_units <= cap_units)
) with (fillfactor = 70);
comment on table public.authorization_periods is
  'What is reserved, scheduled and used in a week (from Monday) or month of the organization''s zone, and its cap if any.';
create index authorization_periods_authorization_idx on public.authorization_periods (organization_id, authorization_id);

create table public.authorization_entries (
  booking_id uuid not null,
  id bigint generated always as identity,
  organization_id uuid not null,
  authorization_id uuid not null,
  state text not null,
  units integer not null,
  overridden_units integer not null,
  week_start date not null,
  month_start date not null,
  reason text,
  entered_at timestamptz not null default clock_timestamp(),
  entered_by uuid default auth.uid(),
  primary key (booking_id, id),
  constraint authorization_entries_authorization_fkey
    foreign key (organization_id, authorization_id) references public.authorizations (organization_id, id),
  constraint authorization_entries_state_known check (state in ('reserved', 'scheduled', 'used', 'released')),
  constraint authorization_entries_never_negative check (least(units, overridden_units) >= 0),
  constraint authorization_entries_reason_length check (length(reason) between 1 and 500)
);
comment on table public.authorization_entries is
  'What became of a booking''s units, step by step. The last entry of a booking is what it draws now. Only added to, by '
  'triggers on holds and sessions.';
comment on column public.authorization_entries.booking_id is 'The session''s id, which is also that of the hold it came from.';
comment on column public.authorization_entries.reason is 'PHI: free text. Why more was taken than was authorized.';
create index authorization_entries_authorization_idx on public.authorization_entries (organization_id, authorization_id);
create trigger only_added before update or delete on public.authorization_entries
  for each row execute function app.refuse_change('authorization_entries_only_added', 'entries are only added');

alter table public.authorizations enable row level security;
alter table public.authorization_codes enable row level security;
alter table public.authorization_periods enable row level security;
alter table public.authorization_entries enable row level security;

create function app.keep_authorization_codes()
returns trigger
language plpgsql
set search_path = ''
as $$
begin
  delete from public.authorization_codes code where code.authorization_id = new.id;
  insert into public.authorization_codes (organization_id, authorization_id, client_id, payer_id, cpt_code, during)
  select new.organization_id, new.id, new.client_id, new.payer_id, code, daterange(new.starts_on, new.ends_on, '[]')
  from unnest(new.cpt_codes) code
  where new.status = 'active';
  update public.authorization_periods it
  set cap_units = case it.period when 'week' then new.weekly_units else new.monthly_units end
  where it.authorization_id = new.id;
  return null;
end
$$;
comment on function app.keep_authorization_codes is 'What is closed answers for no code; a new cap is that of every week or month.';
create trigger keep_codes
  after insert or update of cpt_codes, starts_on, ends_on, status, weekly_units, monthly_units on public.authorizations
  for each row execute function app.keep_authorization_codes();

-- ---------------------------------------------------------------------------------------------------------
-- What bookings ask for, and what there is
-- ---------------------------------------------------------------------------------------------------------

create type app.unit_demand as (
  position bigint,
  index integer,
  client_id uuid,
  payer_id uuid,
  cpt_code text,
  day date,
  -- Null where none answers; is_required: whether the payer of the day will not do without.
  authorization_id uuid,
  is_required boolean,
  units integer,
  -- How many of the units there are; and what there is too little of: units, week or month.
  fitting integer,
  short_of text,
  remaining integer
);

create function app.unit_demands(bookings app.booking[], charged uuid[] default '{}', actual tstzrange[] default '{}')
returns setof app.unit_demand
language plpgsql
stable
rows 10
set search_path = ''
as $$
begin
  return query
    select
      booking.ordinality, booking.index, booking.client_id, whose.payer_id, service.cpt_code, local.day, code.authorization_id,
      coalesce(payer.requires_authorization, false),
      case when code.authorization_id is null then 0 else app.planned_units(
        booking.organization_id, booking.client_id, booking.service_id, booking.therapist_id, booking.start_time,
        booking.end_time) end,
      null::integer, null::text, null::integer
    from unnest(bookings) with ordinality booking
    join public.organizations clinic on clinic.id = booking.organization_id
    join public.services service on service.organization_id = booking.organization_id and service.id = booking.service_id
    cross join lateral (values (
      (coalesce(lower(actual[booking.ordinality]), booking.start_time) at time zone clinic.time_zone)::date)) as local (day)
    left join public.client_coverages coverage
      on coverage.organization_id = booking.organization_id and coverage.client_id = booking.client_id
      and local.day >= coverage.starts_on and local.day <= coalesce(coverage.ends_on, 'infinity')
    cross join lateral (values (coalesce(charged[booking.ordinality], coverage.payer_id))) as whose (payer_id)
    left join public.payers payer on payer.organization_id = booking.organization_id and payer.id = whose.payer_id
    left join public.authorization_codes code
      on code.client_id = booking.client_id and code.payer_id = whose.payer_id and code.cpt_code = service.cpt_code
      and code.during @> local.day
    order by booking.start_time, booking.index;
end
$$;
comment on function app.unit_demands is
  'For each booking the authorization that answers for its client, payer, code and day, and the units it would take; by start. '
  'charged: the payers of those that were delivered, in place of who covers their days by now; actual: when they were.';

create function app.current_draws(booking_ids uuid[])
returns setof public.authorization_entries
language plpgsql
stable
rows 10
set search_path = ''
as $$
begin
  return query
    select entry.*
    from unnest(booking_ids) booking (id)
    cross join lateral (
      select it.* from public.authorization_entries it where it.booking_id = booking.id order by it.id desc limit 1
    ) entry
    where entry.state <> 'released';
end
$$;
comment on function app.current_draws is 'What bookings draw now.';

create function app.drawing_member(team uuid)
returns uuid
language plpgsql
stable
set search_path = ''
as $$
begin
  return (
    select member.id
    from (
      select session.id, session.status = 'no_show' as was_missed, exists (
          select
          from public.session_charges charge
          where charge.session_id = session.id and charge.kind = 'actual' and not charge.warnings @> '{team_counted_once}') as is_charged
      from public.sessions session
      where session.team_id = team and session.status <> 'cancelled'
      union all
      select hold.id, false, false from public.session_holds hold where hold.team_id = team and hold.status = 'held'
    ) member
    order by member.is_charged desc, member.was_missed, member.id
    limit 1);
end
$$;
comment on function app.drawing_member is
  'Of a team one technician''s time is charged, and draws units: the place that does; null of what is no team.';

create function app.team_mates(booking_ids uuid[])
returns uuid[]
language plpgsql
stable
set search_path = ''
as $$
begin
  return array(
    select mate.id
    from (
      select session.team_id as id from public.sessions session where session.id = any (booking_ids) and session.team_id is not null
      union
      select hold.team_id from public.session_holds hold where hold.id = any (booking_ids) and hold.team_id is not null
    ) team
    cross join lateral (
      select session.id from public.sessions session where session.team_id = team.id
      union
      select hold.id from public.session_holds hold where hold.team_id = team.id
    ) mate
    where mate.id <> all (booking_ids) order by 1);
end
$$;
comment on function app.team_mates is 'The other places in the teams of bookings: which of them draws, may be another one by now.';

create function app.expired_reservations(authorization_ids uuid[])
returns uuid[]
language plpgsql
stable
set search_path = ''
as $$
begin
  return array(
    select hold.id
    from public.authorizations it
    join public.authorization_entries entry
      on entry.organization_id = it.organization_id and entry.authorization_id = it.id and entry.state = 'reserved'
    join public.session_holds hold on hold.id = entry.booking_id
    where it.id = any (authorization_ids) and it.reserved_units + it.overridden_units > 0
      and hold.status = 'held' and hold.expires_at <= clock_timestamp());
end
$$;
comment on function app.expired_reservations is 'Holds that have run out and that nobody has ended yet: their units are free.';

create function app.left_of(authorization_ids uuid[], given_up uuid[])
returns jsonb
language plpgsql
stable
set search_path = ''
as $$
begin
  return coalesce((
    with draw as (
      select entry.authorization_id, entry.units, entry.week_start, entry.month_start
      from app.current_draws(given_up) entry
      join public.authorizations it on it.id = entry.authorization_id and it.kind = 'billable'
    ),
    freed (authorization_id, period, units) as (
      select draw.authorization_id, '', draw.units from draw
      union all select draw.authorization_id, 'week ' || draw.week_start, draw.units from draw
      union all select draw.authorization_id, 'month ' || draw.month_start, draw.units from draw
    ),
    taken (authorization_id, period, units) as (
      select it.id, '', it.reserved_units + it.scheduled_units + it.used_units - coalesce(it.units, 0)
      from public.authorizations it
      where it.id = any (authorization_ids) and it.kind = 'billable'
      union all
      select it.authorization_id, it.period || ' ' || it.period_start, it.taken_units
      from public.authorization_periods it
      where it.authorization_id = any (authorization_ids)
      union all
      select freed.authorization_id, freed.period, -freed.units from freed where freed.authorization_id = any (authorization_ids)
    )
    select jsonb_object_agg(summed.key, summed.units)
    from (
      select concat_ws(' ', taken.authorization_id, nullif(taken.period, '')) as key, -sum(taken.units) as units
      from taken
      group by 1
    ) summed), '{}');
end
$$;
comment on function app.left_of is
  'What is left of authorizations, in all, and less what is taken by week and month, as if the bookings given up drew nothing.';

create function app.fitted(demands app.unit_demand[], given_up uuid[], whole boolean)
returns app.unit_demand[]
language plpgsql
stable
set search_path = ''
as $$
declare
  ids uuid[] := array(select distinct demand.authorization_id from unnest(demands) demand);
  remains jsonb := app.left_of(ids, given_up || app.expired_reservations(ids));
  caps jsonb := (
    select jsonb_object_agg(it.id, jsonb_build_object('week', it.weekly_units, 'month', it.monthly_units))
    from public.authorizations it
    where it.id = any (ids));
  before jsonb := remains;
  demand app.unit_demand;
  keys text[];
  amounts integer[];
  fits boolean := true;
  last integer;
begin
  for place in 1..cardinality(demands) loop
    demand := demands[place];
    -- An occurrence that does not fit takes nothing, for none of its clients.
    if demand.index is distinct from last then
      before := remains;
      fits := true;
      last := demand.index;
    end if;
    keys := array[
      demand.authorization_id::text,
      demand.authorization_id || ' week ' || date_trunc('week', demand.day)::date,
      demand.authorization_id || ' month ' || date_trunc('month', demand.day)::date];
    if not coalesce(remains ? keys[1], false) then
      demand.fitting := demand.units;
    else
      amounts := array[
        (remains ->> keys[1])::integer,
        (caps -> keys[1] ->> 'week')::integer + coalesce((remains ->> keys[2])::integer, 0),
        (caps -> keys[1] ->> 'month')::integer + coalesce((remains ->> keys[3])::integer, 0)];
      demand.remaining := greatest(0, least(amounts[1], amounts[2], amounts[3]));
      demand.fitting := least(demand.units, demand.remaining);
      if demand.fitting < demand.units then
        demand.short_of := (array['units', 'week', 'month'])[array_position(amounts, least(amounts[1], amounts[2], amounts[3]))];
        fits := false;
      end if;
      if fits or not whole then
        remains := remains || jsonb_build_object(
          keys[1], amounts[1] - demand.fitting,
          keys[2], coalesce((remains ->> keys[2])::integer, 0) - demand.fitting,
          keys[3], coalesce((remains ->> keys[3])::integer, 0) - demand.fitting);
      else
        remains := before;
      end if;
    end if;
    demands[place] := demand;
  end loop;
  return demands;
end
$$;
comment on function app.fitted is
  'How many of their units demands find, one after the other. whole: an occurrence that does not find all of its units takes none.';

create function app.kept_demands(demands app.unit_demand[], bookings app.booking[], given_up uuid[])
returns app.unit_demand[]
language plpgsql
stable
set search_path = ''
as $$
begin
  return array(
    select row(
      demand.position, demand.index, demand.client_id, demand.payer_id, demand.cpt_code, demand.day,
      coalesce(kept.id, demand.authorization_id), demand.is_required,
      case when kept.id is null then demand.units else app.planned_units(
        booking.organization_id, booking.client_id, booking.service_id, booking.therapist_id, booking.start_time,
        booking.end_time) end,
      null, null, null)::app.unit_demand
    from unnest(demands) with ordinality demand
    join unnest(bookings) with ordinality booking on booking.ordinality = demand.position
    left join lateral (
      select it.id
      from app.current_draws(given_up) entry
      join public.sessions session on session.id = entry.booking_id and session.slot_id = booking.slot_id
      join public.authorizations it
        on it.id = entry.authorization_id and it.client_id = demand.client_id and it.payer_id = demand.payer_id
        and demand.cpt_code = any (it.cpt_codes) and demand.day between it.starts_on and it.ends_on
      limit 1
    ) kept on true
    order by demand.ordinality);
end
$$;
comment on function app.kept_demands is
  'Demands of sessions that move: each stays with the authorization that it draws on while that covers it, be it closed by now.';

create function app.unit_conflicts(bookings app.booking[], given_up uuid[] default '{}')
returns jsonb
language plpgsql
stable
set search_path = ''
as $$
declare
  demands app.unit_demand[];
begin
  if not exists (
    select
    from unnest(bookings) booking
    join public.client_coverages coverage
      on coverage.organization_id = booking.organization_id and coverage.client_id = booking.client_id)
  then
    return '[]';
  end if;
  demands := array(select demand from app.unit_demands(bookings) demand);
  -- A plain hold gives nothing up.
  if array_remove(given_up, null) <> '{}' then
    demands := app.kept_demands(demands, bookings, given_up);
  end if;
  demands := app.fitted(array(
    select demands[wanted.ordinality]
    from (
      select demand.ordinality, demand.authorization_id, demand.is_required, booking.slot_id,
        row_number() over (partition by booking.client_id, booking.slot_id order by demand.ordinality) as place
      from unnest(demands) with ordinality demand
      join unnest(bookings) with ordinality booking on booking.ordinality = demand.position
    ) wanted
    where (wanted.authorization_id is not null or wanted.is_required)
      -- Of a team one place draws.
      and wanted.place = 1
      and array_remove(array[app.drawing_member(wanted.slot_id)], null) <@ given_up
    order by wanted.ordinality), given_up, true);
  return coalesce((
    select jsonb_agg(jsonb_strip_nulls(jsonb_build_object(
      'occurrence', demand.index,
      'subject', 'authorization',
      'kind', coalesce(demand.short_of, 'missing'),
      'authorization_id', demand.authorization_id,
      'needed_units', case when demand.short_of is not null then demand.units end,
      'remaining_units', demand.remaining,
      'period_start', case when demand.short_of in ('week', 'month') then date_trunc(demand.short_of, demand.day)::date end))
      order by demand.index, demand.position)
    from unnest(demands) demand
    where demand.authorization_id is null or demand.short_of is not null), '[]');
end
$$;
comment on function app.unit_conflicts is
  'Bookings that are to be made together and for which authorized units are missing, as the wire has conflicts. What is given '
  'up (sessions that move or end) counts as free, and so does an expired hold.';
