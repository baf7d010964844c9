-- Hold: the first step of a booking.
--
-- Promises
--   * A call is all or nothing, or with on_conflict skip what is open, and set-based: one statement writes 366 holds.
--   * What a preview lists is what a hold at that moment would do.
--   * A hold lasts 30 to 900 seconds.

create function app.override_reason(organization uuid, request jsonb)
returns text
language plpgsql
stable
set search_path = ''
as $$
begin
  if request ->> 'authorization_override' is null then
    return null;
  elsif not organization = any (app.org_ids_with_permission('override_authorization')) then
    perform app.refuse('forbidden', 'You may not book more than was authorized.');
  end if;
  return app.plain_text(request -> 'authorization_override', 'reason', 1, 500);
end
$$;
comment on function app.override_reason is
  'Why the caller, who may, books whatever was authorized; null when they do not ask to.';

create function app.permit_override(organization uuid, request jsonb)
returns void
language plpgsql
set search_path = ''
as $$
begin
  perform set_config('app.authorization_override', coalesce(app.override_reason(organization, request), ''), true);
end
$$;
comment on function app.permit_override is
  'Lets what the transaction books from here on exceed what was authorized, if the request overrides that: app.follow_units.';

create function app.record_overrides(organization uuid, request jsonb, table_name text, row_id uuid)
returns void
language plpgsql
set search_path = ''
as $$
begin
  if not (request ?| '{override_availability,authorization_override}') then
    return;
  end if;
  insert into audit.events (organization_id, action, table_name, row_id)
  select organization, overridden.action, record_overrides.table_name, record_overrides.row_id
  from (values
    ('availability.overridden', coalesce((request ->> 'override_availability')::boolean, false)),
    ('authorization.overridden', request ->> 'authorization_override' is not null)
  ) overridden (action, asked)
  where overridden.asked;
end
$$;
comment on function app.record_overrides is 'Puts on record what a request overrode.';

create function app.standing_conflicts(
  plan app.booking_plan, request jsonb, ignoring uuid[] default '{}', given_up uuid[] default '{}'
)
returns jsonb
language plpgsql
stable
set search_path = ''
as $$
declare
  conflicts jsonb := app.conflicts(plan.bookings, ignoring);
begin
  if coalesce((request ->> 'override_availability')::boolean, false) then
    if not plan.organization_id = any (app.org_ids_with_permission('override_availability')) then
      perform app.refuse('forbidden', 'You may not book outside of a therapist''s hours.');
    end if;
    conflicts := coalesce(
      (select jsonb_agg(conflict) from jsonb_array_elements(conflicts) conflict where conflict ->> 'kind' <> 'unavailable'),
      '[]');
  end if;
  if app.override_reason(plan.organization_id, request) is not null then
    return conflicts;
  end if;
  -- What is not booked for want of time takes no units.
  return conflicts || app.unit_conflicts(array(
    select booking
    from unnest(plan.bookings) booking
    where app.conflicts_of_occurrence(conflicts, booking.index) is null
    order by booking.start_time), given_up);
end
$$;
comment on function app.standing_conflicts is
  'The conflicts of a plan, of time and of authorized units; the sessions given up draw none. Who overrides availability, and '
  'may, is not kept by the hours a therapist works; by what is claimed they are.';

create function app.skipped_occurrence(plan app.booking_plan, occurrence app.occurrence, reasons jsonb)
returns jsonb
language plpgsql
stable
set search_path = ''
as $$
declare
  bookings app.booking[] := array(
    select booking from unnest(plan.bookings) booking where booking.index = occurrence.index);
begin
  return jsonb_build_object(
    'occurrence', occurrence.index, 'start_time', occurrence.start_time, 'end_time', occurrence.end_time,
    'code', app.conflict_code(reasons),
    'alternatives', case
      when cardinality(bookings) = 1 and app.is_of_time(reasons) then app.alternatives(bookings[1], app.times_besides(plan.bookings, occurrence.index))
      else '[]'
    end);
end
$$;
comment on function app.skipped_occurrence is 'An occurrence that cannot be held, why, and the nearest open times.';

create function app.preview_sessions(organization uuid, request jsonb)
returns jsonb
language plpgsql
stable
set search_path = ''
as $$
declare
  plan app.booking_plan := app.plan_booking(organization, request);
  conflicts jsonb := app.standing_conflicts(plan, request, '{}', array[plan.moved_id]);
begin
  return jsonb_build_object('occurrences', (
    select jsonb_agg(
      jsonb_build_object(
        'occurrence', occurrence.index,
        'start_time', occurrence.start_time,
        'end_time', occurrence.end_time,
        'start_time_offset_minutes', occurrence.start_time_offset_minutes,
        'end_time_offset_minutes', occurrence.end_time_offset_minutes,
        'conflicts', coalesce(reasons, '[]'),
        'alternatives', case
          when reasons is null then '[]'
          else app.skipped_occurrence(plan, occurrence, reasons) -> 'alternatives'
        end)
      order by occurrence.start_time)
    from unnest(plan.occurrences) occurrence
    cross join lateral app.conflicts_of_occurrence(conflicts, occurrence.index) reasons));
end
$$;
comment on function app.preview_sessions is
  'Lists every occurrence of a request to hold with its conflicts, and writes nothing.';

create function app.begin_series(plan app.booking_plan, request jsonb, series uuid, left_out timestamptz[])
returns void
language plpgsql
set search_path = ''
as $$
declare
  recurrence jsonb := request -> 'recurrence';
  first app.occurrence := (select o from unnest(plan.occurrences) o order by o.start_time limit 1);
  therapists uuid[] := app.ids_of(request, 'therapist_id');
  clients uuid[] := app.ids_of(request, 'client_id');
begin
  if not app.is_recurrence_rule(recurrence ->> 'rule') then
    perform app.refuse_field('recurrence.rule', 'invalid_format', 'Must be a rule by RFC 5545, as FREQ=WEEKLY;BYDAY=MO.');
  end if;
  insert into public.session_series (
    id, organization_id, therapist_id, client_id, service_id, time_zone, rule, local_start, duration_minutes, exdates)
  values (
    series, plan.organization_id,
    case when cardinality(therapists) = 1 then therapists[1] end,
    case when cardinality(clients) = 1 then clients[1] end,
    (plan.service).id, plan.time_zone, recurrence ->> 'rule',
    coalesce((recurrence ->> 'local_start')::timestamp, first.start_time at time zone plan.time_zone),
    app.whole_minutes(first.start_time, first.end_time),
    array(
      select distinct exdate
      from (
        select local_time::timestamp from jsonb_array_elements_text(recurrence -> 'exdates') local_time
        union all
        select skipped at time zone plan.time_zone from unnest(left_out) skipped
      ) excluded (exdate)
      order by exdate));
end
$$;
comment on function app.begin_series is 'Writes the series that a call with several times begins, without what it leaves out.';

create function app.begin_slots(plan app.booking_plan, bookings app.booking[], capacity smallint)
returns void
language plpgsql
set search_path = ''
as $$
begin
  if (plan.service).is_group then
    insert into public.session_groups (id, organization_id, therapist_id, service_id, start_time, end_time, capacity)
    select distinct on (booking.slot_id)
      booking.slot_id, booking.organization_id, booking.therapist_id, (plan.service).id, booking.start_time,
      booking.end_time, coalesce(capacity, (plan.service).group_capacity)
    from unnest(bookings) booking;
  elsif (plan.service).is_team then
    insert into public.session_teams (id, organization_id, client_id, service_id, start_time, end_time)
    select distinct on (booking.slot_id)
      booking.slot_id, booking.organization_id, booking.client_id, (plan.service).id, booking.start_time, booking.end_time
    from unnest(bookings) booking;
  end if;
end
$$;
comment on function app.begin_slots is 'Writes the groups or teams whose slots bookings of a group or team service share.';

create function app.write_holds(
  plan app.booking_plan, bookings app.booking[], held_until timestamptz, batch uuid, series uuid,
  waitlist_entry uuid default null
)
returns jsonb
language plpgsql
set search_path = ''
as $$
declare
  moves boolean := plan.moved_id is not null;
  held jsonb;
begin
  with written as (
    insert into public.session_holds (
      id, organization_id, batch_key, therapist_id, client_id, room_id, service_id, session_id, group_id, team_id,
      series_id, occurrence_start, waitlist_entry_id, takes_every_lane, buffer_before_minutes, buffer_after_minutes,
      start_time, end_time, time_zone, expires_at)
    select
      fresh.id, plan.organization_id, case when cardinality(bookings) = 1 then fresh.id else batch end,
      (fresh.booking).therapist_id, (fresh.booking).client_id, (fresh.booking).room_id, (plan.service).id, plan.moved_id,
      case when (plan.service).is_group and not moves then (fresh.booking).slot_id end,
      case when (plan.service).is_team and not moves then (fresh.booking).slot_id end,
      series, case when series is not null then (fresh.booking).start_time end, waitlist_entry,
      (fresh.booking).takes_every_lane, (fresh.booking).buffer_before_minutes, (fresh.booking).buffer_after_minutes,
      (fresh.booking).start_time, (fresh.booking).end_time, plan.time_zone, held_until
    from (select app.new_id() as id, booking from unnest(bookings) booking) fresh
    order by (fresh.booking).start_time
    returning id, batch_key, therapist_id, client_id, start_time, end_time
  )
  select jsonb_build_object(
    'hold_key', jsonb_agg(written.batch_key) -> 0,
    'series_id', series,
    'expires_at', held_until,
    'holds', jsonb_agg(jsonb_build_object(
      'hold_key', written.id, 'therapist_id', written.therapist_id, 'client_id', written.client_id,
      'start_time', written.start_time, 'end_time', written.end_time, 'expires_at', held_until)
      order by written.start_time, written.id))
  into held
  from written;
  return held;
end
$$;
comment on function app.write_holds is 'Writes the holds of bookings in one statement. Answers what was held, as the wire has it.';

create function app.hold_sessions(organization uuid, request jsonb)
returns jsonb
language plpgsql
set search_path = ''
as $$
declare
  plan app.booking_plan := app.plan_booking(organization, request);
  skip_conflicts boolean := coalesce(request ->> 'on_conflict', 'abort') = 'skip';
  repeats boolean := request ? 'recurrence' or cardinality(plan.occurrences) > 1;
  batch uuid := app.new_id();
  conflicts jsonb;
  blocked integer[];
  open_bookings app.booking[];
  held jsonb;
  skipped jsonb;
begin
  -- What is taken is taken: nobody queues to be told so.
  if not skip_conflicts and app.meets_claims(plan.bookings) then
    conflicts := app.standing_conflicts(plan, request, '{}', array[plan.moved_id]);
    if conflicts <> '[]' then
      perform app.refuse_conflicts(plan.bookings, conflicts);
    end if;
  end if;

  -- The times are ours until the transaction ends, so what is open now can be claimed below.
  perform app.lock_bookings(plan.bookings);
  conflicts := app.standing_conflicts(plan, request, '{}', array[plan.moved_id]);
  perform app.permit_override(organization, request);
  blocked := array(
    select distinct (conflict ->> 'occurrence')::integer from jsonb_array_elements(conflicts) conflict);
  if blocked <> '{}' and (not skip_conflicts or cardinality(blocked) = cardinality(plan.occurrences)) then
    perform app.refuse_conflicts(plan.bookings, conflicts);
  end if;

  open_bookings := array(
    select booking from unnest(plan.bookings) booking where not booking.index = any (blocked) order by booking.start_time);
  if repeats then
    perform app.begin_series(plan, request, batch, array(
      select occurrence.start_time from unnest(plan.occurrences) occurrence where occurrence.index = any (blocked)));
  end if;
  perform app.begin_slots(plan, open_bookings, (request ->> 'capacity')::smallint);
  held := app.write_holds(
    plan, open_bookings,
    clock_timestamp() + make_interval(secs => coalesce((request ->> 'hold_seconds')::integer, 300)),
    batch, case when repeats then batch end);
  perform app.record_overrides(organization, request, 'session_holds', (held ->> 'hold_key')::uuid);

  -- After the holds are written, so that no alternative is in their way.
  select coalesce(jsonb_agg(app.skipped_occurrence(
      plan, occurrence, app.conflicts_of_occurrence(conflicts, occurrence.index)) order by occurrence.start_time), '[]')
  into skipped
  from unnest(plan.occurrences) occurrence
  where occurrence.index = any (blocked);
  return held || jsonb_build_object('skipped', skipped);
end
$$;
comment on function app.hold_sessions is
  'Holds every occurrence, or with on_conflict skip the open ones. Answers the data of the HTTP contract.';
