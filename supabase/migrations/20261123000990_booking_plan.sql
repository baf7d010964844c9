-- Booking plan: what a request to hold asks for, and what that would take of the calendar.

create function app.check_times(occurrences app.occurrence[])
returns void
language plpgsql
stable
set search_path = ''
as $$
declare
  wrong jsonb;
begin
  if cardinality(occurrences) not between 1 and 366 then
    perform app.refuse_field('occurrences', 'size', 'A call takes 1 to 366 occurrences.');
  end if;
  select jsonb_agg(jsonb_build_object(
    'field', app.field_of(occurrence.index, fault.field), 'code', fault.code, 'message', fault.message)
    order by occurrence.index)
  into wrong
  from (
    select given.index, given.start_time, given.end_time,
      max(given.end_time) over (
        order by given.start_time, given.index rows between unbounded preceding and 1 preceding) as busy_until
    from unnest(occurrences) given
  ) occurrence
  cross join lateral (values
    ('end_time', 'not_after_start', 'The end must be after the start.', occurrence.end_time <= occurrence.start_time),
    ('end_time', 'too_long', 'A session lasts at most 24 hours.',
      occurrence.end_time > occurrence.start_time + interval '24 hours'),
    ('start_time', 'in_the_past', 'The start is in the past.', occurrence.start_time < clock_timestamp()),
    -- A year mistyped; and of five figures apps could not read it.
    ('start_time', 'too_far', 'Must be within ten years from now.', occurrence.start_time > clock_timestamp() + interval '10 years'),
    ('start_time', 'overlaps_another', 'Overlaps another occurrence of this call.', occurrence.start_time < occurrence.busy_until)
  ) fault (field, code, message, applies)
  where fault.applies;

  if wrong is not null then
    perform app.refuse_fields(wrong);
  end if;
end
$$;
comment on function app.check_times is 'Refuses times that no booking can have.';

-- ---------------------------------------------------------------------------------------------------------
-- What is asked for
-- ---------------------------------------------------------------------------------------------------------

create type app.booking_plan as (
  organization_id uuid,
  service public.services,
  time_zone text,
  moved_id uuid,
  occurrences app.occurrence[],
  bookings app.booking[]
);

create function app.occurrences_of(request jsonb)
returns app.occurrence[]
language plpgsql
stable
set search_path = ''
as $$
begin
  return array(
    select row(
      given.position - 1, (given.value ->> 'start_time')::timestamptz, (given.value ->> 'end_time')::timestamptz,
      (given.value ->> 'start_time_offset_minutes')::integer,
      (given.value ->> 'end_time_offset_minutes')::integer)::app.occurrence
    from jsonb_array_elements(request -> 'occurrences') with ordinality as given (value, position));
end
$$;
comment on function app.occurrences_of is 'The occurrences of a request, numbered from 0.';

create function app.ids_of(request jsonb, field text)
returns uuid[]
language plpgsql
stable
set search_path = ''
as $$
declare
  several text := field || 's';
begin
  if request -> several is null then
    return array[(request ->> field)::uuid];
  elsif request -> several = '[]' then
    perform app.refuse_field(several, 'size', 'Name at least one.');
  end if;
  return array(select distinct id::uuid from jsonb_array_elements_text(request -> several) id);
end
$$;
comment on function app.ids_of is
  'One id or several, but never none: therapist_id or therapist_ids, client_id or client_ids.';

create function app.find_service(organization uuid, code text)
returns public.services
language plpgsql
stable
set search_path = ''
as $$
declare
  service public.services;
begin
  select * into service
  from public.services it
  where it.organization_id = organization and it.service_code = code;
  if service.id is null then
    perform app.refuse_field('service_code', 'unknown', 'The organization has no such service.');
  end if;
  return service;
end
$$;
comment on function app.find_service is 'The organization''s service of a code, or a refusal.';

create function app.check_move(organization uuid, moved public.sessions, client uuid, service uuid, how_many integer)
returns void
language plpgsql
stable
set search_path = ''
as $$
begin
  if moved.id is null or not app.may_book(organization, moved.therapist_id) then
    perform app.refuse('not_found', 'There is no such session.');
  elsif moved.client_id <> client or moved.service_id <> service then
    perform app.refuse_field('session_id', 'another_session', 'A move keeps the client and the service.');
  elsif moved.status <> 'scheduled' then
    perform app.refuse_field('session_id', 'not_scheduled', 'Only a scheduled session can be moved.');
  elsif num_nonnulls(moved.group_id, moved.team_id) > 0 then
    perform app.refuse_field('session_id', 'in_a_group', 'Move the group or team, not one of its members.');
  elsif how_many <> 1 then
    perform app.refuse_field('session_id', 'one_occurrence', 'A move takes exactly one time.');
  end if;
end
$$;
comment on function app.check_move is 'Refuses to move a session that cannot be moved by a hold.';

create function app.booking_for(
  index integer, organization uuid, therapist uuid, client uuid, room uuid, service public.services, slot uuid,
  start_time timestamptz, end_time timestamptz
)
returns app.booking
language plpgsql
stable
set search_path = ''
as $$
declare
  buffer app.buffer := app.buffer_of(organization, therapist, service.id);
begin
  return row(
    index, organization, therapist, client, room, service.client_lane,
    service.client_lane <> 0
      and app.bars_concurrency(organization, client, tstzrange(start_time, start_time, '[]')),
    buffer.minutes_before, buffer.minutes_after, slot, start_time, end_time, service.id)::app.booking;
end
$$;
comment on function app.booking_for is 'What a session of the service would take of the calendar, by the rules of today.';

create function app.as_booked(place app.booking, session public.sessions)
returns app.booking
language plpgsql
stable
set search_path = ''
as $$
begin
  if (place.start_time, place.end_time) = (session.start_time, session.end_time)
    and (place.therapist_id = session.therapist_id
      -- What stood side by side can go to a substitute of whom no more is asked.
      or app.buffer_of(session.organization_id, place.therapist_id, session.service_id)
        = app.buffer_of(session.organization_id, session.therapist_id, session.service_id))
  then
    place.takes_every_lane := session.takes_every_lane;
    place.buffer_before_minutes := session.buffer_before_minutes;
    place.buffer_after_minutes := session.buffer_after_minutes;
  end if;
  return place;
end
$$;
comment on function app.as_booked is
  'The new place of a session, with the buffers and lanes that it was booked with where it keeps its time, and its therapist or gets one with '
  'the same buffer by the rules of today.';

create function app.plan_booking(organization uuid, request jsonb)
returns app.booking_plan
language plpgsql
stable
set search_path = ''
as $$
declare
  plan app.booking_plan;
  therapists uuid[] := app.ids_of(request, 'therapist_id');
  clients uuid[] := app.ids_of(request, 'client_id');
  room uuid := (request ->> 'room_id')::uuid;
  hold_seconds integer := coalesce((request ->> 'hold_seconds')::integer, 300);
  moved public.sessions;
  therapist uuid;
  client uuid;
begin
  plan.organization_id := organization;
  plan.time_zone := request ->> 'time_zone';
  plan.moved_id := (request ->> 'session_id')::uuid;
  plan.occurrences := app.occurrences_of(request);
  if hold_seconds not between 30 and 900 then
    perform app.refuse_field('hold_seconds', 'out_of_range', 'A hold lasts 30 to 900 seconds.');
  end if;
  perform app.check_time_zone(plan.time_zone);
  if request ->> 'on_conflict' not in ('abort', 'skip') then
    perform app.refuse_field('on_conflict', 'unknown', 'Must be abort or skip.');
  end if;
  perform app.check_times(plan.occurrences);
  perform app.check_offsets(plan.occurrences, plan.time_zone);
  plan.service := app.find_service(organization, request ->> 'service_code');
  if cardinality(clients) > 1 and not (plan.service).is_group then
    perform app.refuse_field('client_ids', 'not_a_group_service', 'Only a group service takes several clients.');
  elsif cardinality(therapists) > 1 and not (plan.service).is_team then
    perform app.refuse_field('therapist_ids', 'not_a_team_service', 'Only a team service takes several technicians.');
  elsif cardinality(clients) > coalesce((request ->> 'capacity')::integer, (plan.service).group_capacity) then
    perform app.refuse_field('client_ids', 'over_capacity', 'More clients than the group takes.');
  elsif cardinality(plan.occurrences) * cardinality(clients) * cardinality(therapists) > 366 then
    perform app.refuse_field('occurrences', 'size', 'A call makes at most 366 holds: times by clients or technicians.');
  end if;
  for therapist, client in
    select one_therapist, one_client from unnest(therapists) one_therapist cross join unnest(clients) one_client
  loop
    perform app.check_caller(organization, therapist, client);
    perform app.check_parties(
      organization, therapist, client, plan.service, array(select o.start_time from unnest(plan.occurrences) o));
  end loop;
  perform app.check_room(organization, room);
  if plan.moved_id is not null then
    select * into moved from public.sessions it where it.organization_id = organization and it.id = plan.moved_id;
    perform app.check_move(organization, moved, clients[1], (plan.service).id, cardinality(plan.occurrences));
  end if;

  -- What is in the session's own slot does not stand in the way of moving it; anything else is in another slot.
  plan.bookings := array(
    select app.booking_for(
      slot.index, organization, one_therapist, one_client, room, plan.service, slot.id, slot.start_time, slot.end_time)
    from (
      select occurrence.*, coalesce(moved.slot_id, gen_random_uuid()) as id from unnest(plan.occurrences) occurrence offset 0
    ) slot
    cross join unnest(therapists) one_therapist
    cross join unnest(clients) one_client
    order by slot.start_time);
  return plan;
end
$$;
comment on function app.plan_booking is
  'What a request to hold would take of the calendar: a booking per time, therapist and client. Those of one time share a slot.';
