-- Authorizations, continued: how holds and sessions draw units.
--
-- Promises
--   * Whoever writes a hold or a session, by whatever way, moves its units in the same statement.
--   * A booking draws on the authorization that answers for its client, payer, code and local day; it stays with the one it
--     draws on while that covers it, be it closed by now.
--   * Booking more than there is violates a constraint. Delivering more does not: the excess is counted as overridden.
--   * Of a team one technician's place draws, as one is charged; when it ends, another does.

-- What changes of a booking: what it drew, and what it draws from now on (state null: nothing).
create type app.unit_change as (
  booking_id uuid,
  index integer,
  before public.authorization_entries,
  organization_id uuid,
  authorization_id uuid,
  state text,
  units integer,
  overridden_units integer,
  day date,
  may_exceed boolean
);

create function app.unit_changes(booking_ids uuid[], may_exceed uuid[], anew boolean)
returns app.unit_change[]
language plpgsql
stable
set search_path = ''
as $$
declare
  bookings app.booking[];
  ids uuid[];
  states text[];
  actual tstzrange[];
  charged uuid[];
begin
  select
    array_agg(live.booking order by live.id), array_agg(live.id order by live.id), array_agg(live.state order by live.id),
    array_agg(live.actual order by live.id), array_agg(live.charged order by live.id)
  into bookings, ids, states, actual, charged
  from (
    select session.id, app.booking_of_session(session) as booking, session.status as state,
      case when session.status = 'completed' then tstzrange(session.actual_start_time, session.actual_end_time) end as actual,
      -- What was delivered draws on the authorization of who is charged for it.
      case when session.status = 'completed' then (
        select charge.payer_id from public.session_charges charge where charge.session_id = session.id and charge.kind = 'actual') end
        as charged
    from public.sessions session
    where session.id = any (booking_ids) and session.status <> 'cancelled'
    union all
    select hold.id, app.booking_of_hold(hold), 'held', null, null
    from public.session_holds hold
    where hold.id = any (booking_ids) and hold.status = 'held' and hold.session_id is null
      and not exists (select from public.sessions session where session.id = hold.id)
  ) live;

  return array(
    with draw as materialized (
      select entry.booking_id, entry as before from app.current_draws(booking_ids) entry
    ),
    wanted as materialized (
      select
        ids[demand.position] as booking_id, it.organization_id, it.id as authorization_id, demand.day, bookings[demand.position] as booking,
        case states[demand.position] when 'held' then 'reserved' when 'completed' then 'used' when 'no_show' then 'used' else 'scheduled' end
          as state,
        -- A slot is shared by the places of a group, of whom each draws, and by those of a team, of whom one does.
        case when it.kind = 'billable' and ((bookings[demand.position]).slot_id = ids[demand.position]
          or coalesce(app.drawing_member((bookings[demand.position]).slot_id) = ids[demand.position], true)) then app.planned_units(
          it.organization_id, it.client_id, (bookings[demand.position]).service_id, (bookings[demand.position]).therapist_id,
          coalesce(lower(actual[demand.position]), (bookings[demand.position]).start_time),
          coalesce(upper(actual[demand.position]), (bookings[demand.position]).end_time)) else 0 end as units
      from app.unit_demands(bookings, charged, actual) demand
      left join draw on draw.booking_id = ids[demand.position]
      left join public.authorizations kept
        on kept.id = (draw.before).authorization_id and kept.client_id = demand.client_id and kept.payer_id = demand.payer_id
        and demand.cpt_code = any (kept.cpt_codes) and demand.day between kept.starts_on and kept.ends_on
      join public.authorizations it on it.id = coalesce(kept.id, demand.authorization_id)
      join public.payers payer on payer.organization_id = it.organization_id and payer.id = it.payer_id
      where states[demand.position] <> 'no_show' or payer.no_show_uses_units
    )
    select row(
      coalesce(wanted.booking_id, draw.booking_id),
      row_number() over (order by (wanted.booking).start_time, coalesce(wanted.booking_id, draw.booking_id)),
      draw.before, wanted.organization_id, wanted.authorization_id, wanted.state,
      case when kept.split then (draw.before).units else wanted.units end,
      case when kept.split then (draw.before).overridden_units else 0 end,
      wanted.day,
      not kept.split and (wanted.state = 'used' or wanted.booking_id = any (may_exceed)))::app.unit_change
    from wanted
    full join draw on draw.booking_id = wanted.booking_id
    -- Confirmed or begun, it takes what it took.
    cross join lateral (values (not (anew and (draw.before).overridden_units > 0) and coalesce(
      ((draw.before).authorization_id, (draw.before).units + (draw.before).overridden_units, (draw.before).week_start, (draw.before).month_start)
      = (wanted.authorization_id, wanted.units, date_trunc('week', wanted.day)::date, date_trunc('month', wanted.day)::date), false))) as kept (split)
    where not kept.split or (draw.before).state is distinct from wanted.state
    order by (wanted.booking).start_time, coalesce(wanted.booking_id, draw.booking_id));
end
$$;
comment on function app.unit_changes is
  'What bookings draw now and shall draw, where that differs. may_exceed: those that only were delivered, or booked long ago. anew: '
  'what was beyond is fitted again.';

create function app.write_draws(changes app.unit_change[], reason text)
returns void
language plpgsql
set search_path = ''
as $$
begin
  insert into public.authorization_entries (
    organization_id, authorization_id, booking_id, state, units, overridden_units, week_start, month_start)
  select
    (change.before).organization_id, (change.before).authorization_id, change.booking_id, 'released', (change.before).units,
    (change.before).overridden_units, (change.before).week_start, (change.before).month_start
  from unnest(changes) change
  where (change.before).authorization_id is distinct from change.authorization_id and (change.before).id is not null;
  insert into public.authorization_entries (
    organization_id, authorization_id, booking_id, state, units, overridden_units, week_start, month_start, reason)
  select
    change.organization_id, change.authorization_id, change.booking_id, change.state, change.units, change.overridden_units,
    date_trunc('week', change.day), date_trunc('month', change.day), case when change.overridden_units > 0 then reason end
  from unnest(changes) change
  where change.authorization_id is not null
  order by change.index;

  -- First the periods, and last what was there before: a constraint sees only where it all ends.
  insert into public.authorization_periods (organization_id, authorization_id, period, period_start, cap_units)
  select distinct it.organization_id, it.id, period.name, date_trunc(period.name, change.day)::date,
    case period.name when 'week' then it.weekly_units else it.monthly_units end
  from unnest(changes) change
  join public.authorizations it on it.id = change.authorization_id and it.kind = 'billable'
  cross join unnest(array['week', 'month']) period (name)
  on conflict do nothing;
  with delta as (
    select change.authorization_id, change.state, change.units, change.overridden_units,
      date_trunc('week', change.day)::date as week_start, date_trunc('month', change.day)::date as month_start
    from unnest(changes) change
    where change.authorization_id is not null
    union all
    select (change.before).authorization_id, (change.before).state, -(change.before).units, -(change.before).overridden_units,
      (change.before).week_start, (change.before).month_start
    from unnest(changes) change
    where (change.before).id is not null
  ),
  of_period as (
    update public.authorization_periods it
    set taken_units = it.taken_units + summed.units
    from (
      select delta.authorization_id, period.name, period.starts, sum(delta.units) as units
      from delta
      cross join lateral (values ('week', delta.week_start), ('month', delta.month_start)) as period (name, starts)
      group by 1, 2, 3
      having sum(delta.units) <> 0
    ) summed
    where it.authorization_id = summed.authorization_id and it.period = summed.name and it.period_start = summed.starts
  )
  update public.authorizations it
  set reserved_units = it.reserved_units + summed.reserved, scheduled_units = it.scheduled_units + summed.scheduled,
    used_units = it.used_units + summed.used, overridden_units = it.overridden_units + summed.overridden
  from (
    select
      delta.authorization_id,
      coalesce(sum(delta.units) filter (where delta.state = 'reserved'), 0) as reserved,
      coalesce(sum(delta.units) filter (where delta.state = 'scheduled'), 0) as scheduled,
      coalesce(sum(delta.units) filter (where delta.state = 'used'), 0) as used,
      sum(delta.overridden_units) as overridden
    from delta
    group by delta.authorization_id
  ) summed
  where it.id = summed.authorization_id;
end
$$;
comment on function app.write_draws is 'Enters changes, and moves the balances by them.';

create function app.follow_units(booking_ids uuid[], may_exceed uuid[], anew boolean default false)
returns void
language plpgsql
set search_path = ''
as $$
declare
  -- Set by app.permit_override, for the rest of the transaction.
  reason text := nullif(current_setting('app.authorization_override', true), '');
  mates uuid[] := app.team_mates(booking_ids);
  exceeding uuid[] := case when reason is null then may_exceed else booking_ids end || mates;
  changes app.unit_change[] := app.unit_changes(booking_ids || mates, exceeding, anew);
  ids uuid[];
  fits app.unit_demand[];
begin
  if changes = '{}' then
    return;
  end if;
  ids := array(
    select change.authorization_id from unnest(changes) change where change.authorization_id is not null
    union
    select (change.before).authorization_id from unnest(changes) change where (change.before).id is not null);
  -- An expired hold never blocks. Ended before the authorizations are locked: whoever ends a hold locks them after it.
  if exists (select from unnest(changes) change where change.units > 0 and change.authorization_id is not null) then
    if app.expire_holds(app.expired_reservations(ids)) > 0 then
      -- Ending them entered what these bookings, or others of their teams, draw by now.
      perform app.follow_units(booking_ids, may_exceed, anew);
      return;
    end if;
  end if;
  perform from public.authorizations it where it.id = any (ids) order by it.id for update;
  -- The other places of a team are nobody's to lock: what became of them until here is looked at again.
  if app.team_mates(booking_ids) <> mates
    or mates <> '{}' and app.unit_changes(booking_ids || mates, exceeding, anew) <> changes
  then
    perform app.follow_units(booking_ids, may_exceed, anew);
    return;
  end if;

  if exists (select from unnest(changes) change where change.may_exceed) then
    fits := app.fitted(
      array(
        select row(
          null, change.index, null, null, null, change.day, change.authorization_id, false, change.units, null, null, null)::app.unit_demand
        from unnest(changes) change
        where change.authorization_id is not null
        order by change.may_exceed, change.index),
      array(select change.booking_id from unnest(changes) change), false);
    changes := array(
      select row(
        change.booking_id, change.index, change.before, change.organization_id, change.authorization_id, change.state,
        coalesce(fit.fitting, change.units), change.overridden_units + coalesce(change.units - fit.fitting, 0), change.day,
        change.may_exceed)::app.unit_change
      from unnest(changes) change
      left join unnest(fits) fit on fit.index = change.index and change.may_exceed
      -- What is fitted again may come out as it was.
      where ((change.before).authorization_id, (change.before).state, (change.before).units, (change.before).week_start, (change.before).month_start,
          (change.before).units + (change.before).overridden_units)
        is distinct from (change.authorization_id, change.state, coalesce(fit.fitting, change.units), date_trunc('week', change.day)::date,
          date_trunc('month', change.day)::date, change.units + change.overridden_units)
      order by change.index);
  end if;
  perform app.write_draws(changes, reason);
end
$$;
comment on function app.follow_units is
  'Makes the ledger of units hold what these bookings are now. More than there is violates a constraint, but for bookings that '
  'may exceed it and for overrides.';

-- ---------------------------------------------------------------------------------------------------------
-- Kept by every writer
-- ---------------------------------------------------------------------------------------------------------

create function app.any_authorized(clients uuid[])
returns boolean
language plpgsql
stable
set search_path = ''
as $$
begin
  return exists (select from public.authorizations it where it.client_id = any (clients));
end
$$;
comment on function app.any_authorized is 'Whether there is anything to keep for these clients: for most bookings the only cost.';

create function app.keep_units_of_holds()
returns trigger
language plpgsql
security definer
set search_path = ''
set plan_cache_mode = force_generic_plan
set enable_seqscan = off
as $$
declare
  clients uuid[];
  ids uuid[];
begin
  -- A hold that moves a session draws nothing, and one that was confirmed is its session's to keep.
  if tg_op = 'DELETE' then
    select array_agg(hold.client_id), array_agg(hold.id) into clients, ids from old_rows hold where hold.session_id is null;
  else
    select array_agg(hold.client_id), array_agg(hold.id) into clients, ids
    from new_rows hold
    where hold.session_id is null and hold.status <> 'confirmed';
  end if;
  if ids is not null and app.any_authorized(clients) then
    perform app.follow_units(ids, '{}');
  end if;
  return null;
end
$$;
comment on function app.keep_units_of_holds is
  'Keeps the units of holds, a statement at a time. Definer: nobody else writes authorizations.';
create trigger keep_units_after_insert after insert on public.session_holds
  referencing new table as new_rows for each statement execute function app.keep_units_of_holds();
create trigger keep_units_after_update after update on public.session_holds
  referencing old table as old_rows new table as new_rows for each statement execute function app.keep_units_of_holds();
create trigger keep_units_after_delete after delete on public.session_holds
  referencing old table as old_rows for each statement execute function app.keep_units_of_holds();

create function app.keep_units_of_sessions()
returns trigger
language plpgsql
security definer
set search_path = ''
set plan_cache_mode = force_generic_plan
set enable_seqscan = off
as $$
declare
  clients uuid[];
  ids uuid[];
  unmoved uuid[] := '{}';
begin
  if tg_op = 'INSERT' then
    select array_agg(session.client_id), array_agg(session.id) into clients, ids from new_rows session;
  elsif tg_op = 'UPDATE' then
    select
      array_agg(session.client_id) || array_agg(before.client_id), array_agg(session.id),
      coalesce(array_agg(session.id) filter (where
        (session.client_id, session.service_id, session.start_time, session.end_time)
        = (before.client_id, before.service_id, before.start_time, before.end_time)), '{}')
    into clients, ids, unmoved
    from new_rows session
    join old_rows before on before.id = session.id;
  else
    select array_agg(session.client_id), array_agg(session.id) into clients, ids from old_rows session;
  end if;
  if ids is not null and app.any_authorized(clients) then
    perform app.follow_units(ids, unmoved);
  end if;
  return null;
end
$$;
comment on function app.keep_units_of_sessions is
  'Keeps the units of sessions, a statement at a time. Definer: nobody else writes authorizations.';
create trigger keep_units_after_insert after insert on public.sessions
  referencing new table as new_rows for each statement execute function app.keep_units_of_sessions();
create trigger keep_units_after_update after update on public.sessions
  referencing old table as old_rows new table as new_rows for each statement execute function app.keep_units_of_sessions();
create trigger keep_units_after_delete after delete on public.sessions
  referencing old table as old_rows for each statement execute function app.keep_units_of_sessions();

create function app.lock_clients(clients uuid[])
returns void
language plpgsql
set search_path = ''
as $$
begin
  perform app.lock_subjects(clients);
  -- Whoever ends a hold waits for no client. Before authorizations, as they lock.
  perform from public.session_holds it where it.client_id = any (clients) and it.status = 'held' order by it.id for update;
end
$$;
comment on function app.lock_clients is 'Queues behind other writers of clients'' sessions and holds, to move the units of all of them.';

create function app.booked_between(organization uuid, client uuid, first_day date, last_day date)
returns uuid[]
language plpgsql
stable
set search_path = ''
as $$
declare
  zone text := (select clinic.time_zone from public.organizations clinic where clinic.id = organization);
  starts timestamptz := first_day::timestamp at time zone zone;
  ends timestamptz := (last_day + 1)::timestamp at time zone zone;
begin
  return array(
    select session.id
    from public.sessions session
    -- What began on one of the days may be booked for one beside it (app.check_actual_times). One too many changes nothing.
    where session.client_id = client and session.start_time >= starts - interval '2 days'
      and session.start_time < ends + app.marking_grace()
    union all
    select hold.id
    from public.session_holds hold
    where hold.organization_id = organization and hold.client_id = client and hold.status = 'held'
      and hold.start_time >= starts and hold.start_time < ends);
end
$$;
comment on function app.booked_between is
  'What is booked or held for a client on days of the organization''s zone, the last one included, or may have begun on them.';

create function app.keep_units_of_coverages()
returns trigger
language plpgsql
security definer
set search_path = ''
as $$
declare
  ids uuid[];
begin
  perform app.lock_clients(array(select it.client_id from new_rows it));
  if tg_op = 'INSERT' then
    ids := array(
      select distinct unnest(app.booked_between(it.organization_id, it.client_id, it.starts_on, coalesce(it.ends_on, 'infinity')))
      from new_rows it
      where app.any_authorized(array[it.client_id]));
  else
    ids := array(
      select distinct unnest(app.booked_between(
        it.organization_id, it.client_id, least(before.starts_on, it.starts_on),
        greatest(coalesce(before.ends_on, 'infinity'), coalesce(it.ends_on, 'infinity'))))
      from new_rows it
      join old_rows before on before.id = it.id
      where (before.payer_id, before.starts_on, before.ends_on) is distinct from (it.payer_id, it.starts_on, it.ends_on)
        and app.any_authorized(array[it.client_id]));
  end if;
  -- What was delivered stays with who is charged for it.
  ids := array(
    select booked.id
    from unnest(ids) booked (id)
    where not exists (select from public.sessions it where it.id = booked.id and it.status = 'completed'));
  if ids <> '{}' then
    perform app.follow_units(ids, ids);
  end if;
  return null;
end
$$;
comment on function app.keep_units_of_coverages is
  'What is booked draws on the authorization of who covers its day by now; what does not fit is counted as overridden. Definer: '
  'nobody else writes authorizations.';
create trigger keep_units_after_insert after insert on public.client_coverages
  referencing new table as new_rows for each statement execute function app.keep_units_of_coverages();
create trigger keep_units_after_update after update on public.client_coverages
  referencing old table as old_rows new table as new_rows for each statement execute function app.keep_units_of_coverages();

create function app.keep_units_of_charge()
returns trigger
language plpgsql
security definer
set search_path = ''
as $$
begin
  perform app.follow_units(array[new.session_id], array[new.session_id]);
  return null;
end
$$;
comment on function app.keep_units_of_charge is
  'What is charged to another payer (app.reprice) draws on the authorization of that one, and what comes to other units draws those. '
  'Definer: nobody else writes authorizations.';
create trigger keep_units_of_charge after update on public.session_charges
  for each row when (new.kind = 'actual' and (old.payer_id, old.units) is distinct from (new.payer_id, new.units))
  execute function app.keep_units_of_charge();

-- ---------------------------------------------------------------------------------------------------------
-- The invariant
-- ---------------------------------------------------------------------------------------------------------

create function app.authorization_faults()
returns table (fault text, authorization_id uuid, booking_id uuid)
language sql
stable
set search_path = ''
as $$
  with draw as (
    select entry.*
    from (
      select distinct on (it.booking_id) it.*
      from public.authorization_entries it
      order by it.booking_id, it.id desc
    ) entry
    where entry.state <> 'released'
  )
  select 'balances are not the sum of the entries', it.id, null::uuid
  from public.authorizations it
  left join draw on draw.authorization_id = it.id
  group by it.id
  having (it.reserved_units, it.scheduled_units, it.used_units, it.overridden_units)
    is distinct from (
      coalesce(sum(draw.units) filter (where draw.state = 'reserved'), 0),
      coalesce(sum(draw.units) filter (where draw.state = 'scheduled'), 0),
      coalesce(sum(draw.units) filter (where draw.state = 'used'), 0),
      coalesce(sum(draw.overridden_units), 0))
  union all
  select 'a period is not the sum of the entries', it.authorization_id, null
  from public.authorization_periods it
  left join draw
    on draw.authorization_id = it.authorization_id
    and it.period_start = case it.period when 'week' then draw.week_start else draw.month_start end
  group by it.authorization_id, it.period, it.period_start, it.taken_units
  having it.taken_units <> coalesce(sum(draw.units), 0)
  union all
  select 'a period has another cap', it.authorization_id, null
  from public.authorization_periods it
  join public.authorizations owner on owner.id = it.authorization_id
  where it.cap_units is distinct from case it.period when 'week' then owner.weekly_units else owner.monthly_units end
  union all
  select 'a draw is not what its booking is', draw.authorization_id, draw.booking_id
  from draw
  left join public.sessions session on session.id = draw.booking_id
  left join public.session_holds hold on hold.id = draw.booking_id and session.id is null
  where not coalesce(case draw.state
    when 'reserved' then hold.status = 'held'
    when 'scheduled' then session.status in ('scheduled', 'in_progress')
    else session.status in ('completed', 'no_show') end, false)
  union all
  select 'an authorization in force answers for other codes or days', it.id, null
  from public.authorizations it
  where (select coalesce(array_agg(code.cpt_code::text order by code.cpt_code), '{}')
      from public.authorization_codes code
      where code.authorization_id = it.id and code.during = daterange(it.starts_on, it.ends_on, '[]'))
    <> case when it.status = 'active' then array(select distinct code from unnest(it.cpt_codes) code order by code) else '{}' end
$$;
comment on function app.authorization_faults is
  'The invariant: balances, periods and entries agree with each other and with holds and sessions. Empty when all is well. '
  'For operators and tests.';
