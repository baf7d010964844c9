-- Hold: the first step of a booking.
--
-- Promises
--   * A call is all or nothing, or with on_conflict skip what is open, and set-based: one statement writes 366 holds.
--   * A hold lasts 30 to 900 seconds.

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
    'field', format('occurrences[%s].%s', fault.index, fault.field), 'code', fault.code, 'message', fault.message)
    order by fault.index)
  into wrong
  from (
    select occurrence.index, 'end_time', 'not_after_start', 'The end must be after the start.'
    from unnest(occurrences) occurrence
    where occurrence.end_time <= occurrence.start_time
    union all
    select occurrence.index, 'end_time', 'too_long', 'A session lasts at most 24 hours.'
    from unnest(occurrences) occurrence
    where occurrence.end_time > occurrence.start_time + interval '24 hours'
    union all
    select occurrence.index, 'start_time', 'in_the_past', 'The start is in the past.'
    from unnest(occurrences) occurrence
    where occurrence.start_time < clock_timestamp()
    union all
    select later.index, 'start_time', 'overlaps_another', 'Overlaps another occurrence of this call.'
    from (
      select occurrence.index, occurrence.start_time,
        max(occurrence.end_time) over (
          order by occurrence.start_time, occurrence.index rows between unbounded preceding and 1 preceding) as busy_until
      from unnest(occurrences) occurrence
    ) later
    where later.start_time < later.busy_until
  ) fault (index, field, code, message);

  if wrong is not null then
    perform app.refuse_fields(wrong);
  end if;
end
$$;
comment on function app.check_times is 'Refuses times that no booking can have.';

create function app.hold_sessions(organization uuid, request jsonb)
returns jsonb
language plpgsql
set search_path = ''
as $$
declare
  therapist uuid := (request ->> 'therapist_id')::uuid;
  client uuid := (request ->> 'client_id')::uuid;
  room uuid := (request ->> 'room_id')::uuid;
  zone text := request ->> 'time_zone';
  moved_id uuid := (request ->> 'session_id')::uuid;
  hold_seconds integer := coalesce((request ->> 'hold_seconds')::integer, 300);
  skip_conflicts boolean := coalesce(request ->> 'on_conflict', 'abort') = 'skip';
  occurrences app.occurrence[];
  service public.services;
  moved public.sessions;
  conflicts jsonb;
  first_conflict app.occurrence;
  batch uuid := gen_random_uuid();
  slot uuid;
  held_until timestamptz;
  held jsonb;
  skipped jsonb;
begin
  occurrences := array(
    select row(
      given.position - 1, (given.value ->> 'start_time')::timestamptz, (given.value ->> 'end_time')::timestamptz,
      (given.value ->> 'start_time_offset_minutes')::integer,
      (given.value ->> 'end_time_offset_minutes')::integer)::app.occurrence
    from jsonb_array_elements(request -> 'occurrences') with ordinality as given (value, position));

  if hold_seconds not between 30 and 900 then
    perform app.refuse_field('hold_seconds', 'out_of_range', 'A hold lasts 30 to 900 seconds.');
  end if;
  if not exists (select from app.time_zones known where known.name = zone) then
    perform app.refuse_field('time_zone', 'unknown', 'Not an IANA time zone name.');
  end if;
  if request ->> 'on_conflict' not in ('abort', 'skip') then
    perform app.refuse_field('on_conflict', 'unknown', 'Must be abort or skip.');
  end if;
  perform app.check_times(occurrences);
  perform app.check_offsets(occurrences, zone);
  perform app.check_parties(organization, therapist, client, array(select o.start_time from unnest(occurrences) o));

  select * into service
  from public.services it
  where it.organization_id = organization and it.service_code = request ->> 'service_code';
  if service.id is null then
    perform app.refuse_field('service_code', 'unknown', 'The organization has no such service.');
  end if;
  if room is not null
    and not exists (select from public.rooms it where it.organization_id = organization and it.id = room)
  then
    perform app.refuse('not_found', 'There is no such room.');
  end if;

  perform app.lock_subjects(array[therapist, client, room]);

  if moved_id is not null then
    select * into moved
    from public.sessions it
    where it.organization_id = organization and it.id = moved_id;
    if moved.id is null or not app.may_book(organization, moved.therapist_id) then
      perform app.refuse('not_found', 'There is no such session.');
    elsif moved.client_id <> client or moved.service_id <> service.id then
      perform app.refuse_field('session_id', 'another_session', 'A move keeps the client and the service.');
    elsif moved.status <> 'scheduled' then
      perform app.refuse_field('session_id', 'not_scheduled', 'Only a scheduled session can be moved.');
    elsif moved.group_id is not null then
      perform app.refuse_field('session_id', 'in_a_group', 'Move the group, not one of its members.');
    elsif cardinality(occurrences) <> 1 then
      perform app.refuse_field('session_id', 'one_occurrence', 'A move takes exactly one time.');
    end if;
  end if;

  -- What is in the session's own slot does not stand in the way of moving it; anything else is in another slot.
  slot := coalesce(moved.slot_id, batch);

  -- The subjects are ours until the transaction ends, so what is open now can be claimed below.
  select coalesce(jsonb_agg(blocker.conflict order by blocker.index, blocker.rank), '[]')
  into conflicts
  from (
    select
      occurrence.index,
      array_position(array['therapist', 'client', 'room'], claim.subject_kind) as rank,
      jsonb_build_object(
        'occurrence', occurrence.index, 'subject', claim.subject_kind, 'kind', claim.kind,
        'until', coalesce(claim.expires_at, upper(claim.during))) as conflict
    from unnest(occurrences) occurrence
    cross join lateral unnest(app.wanted_claims(
      organization, therapist, client, room, service.client_lane, slot,
      occurrence.start_time, occurrence.end_time)) want
    cross join lateral app.blocking_claims(want) claim
  ) blocker;

  if conflicts <> '[]' and (not skip_conflicts or (
    select count(distinct conflict -> 'occurrence') from jsonb_array_elements(conflicts) conflict
  ) = cardinality(occurrences)) then
    first_conflict := occurrences[(conflicts -> 0 ->> 'occurrence')::integer + 1];
    perform app.refuse(
      app.conflict_code(conflicts),
      'The time is not open.',
      jsonb_strip_nulls(jsonb_build_object(
        'conflicts', conflicts,
        'retry_after', app.retry_after(conflicts),
        'alternatives', app.alternatives(app.wanted_claims(
          organization, therapist, client, room, service.client_lane, slot,
          first_conflict.start_time, first_conflict.end_time), first_conflict.index,
          (select coalesce(range_agg(tstzrange(other.start_time, other.end_time)), '{}')
            from unnest(occurrences) other
            where other.index <> first_conflict.index)))));
  end if;

  held_until := clock_timestamp() + make_interval(secs => hold_seconds);
  with free as (
    select gen_random_uuid() as id, occurrence.start_time, occurrence.end_time, count(*) over () as how_many
    from unnest(occurrences) occurrence
    where not conflicts @> jsonb_build_array(jsonb_build_object('occurrence', occurrence.index))
  ),
  written as (
    insert into public.session_holds (
      id, organization_id, batch_key, therapist_id, client_id, room_id, service_id, session_id, start_time, end_time,
      time_zone, expires_at)
    select
      free.id, organization, case when free.how_many = 1 then free.id else batch end, therapist, client, room,
      service.id, moved.id, free.start_time, free.end_time, zone, held_until
    from free
    order by free.start_time
    returning id, batch_key, start_time, end_time
  )
  select jsonb_build_object(
    'hold_key', jsonb_agg(written.batch_key) -> 0,
    'expires_at', held_until,
    'holds', jsonb_agg(jsonb_build_object(
      'hold_key', written.id, 'start_time', written.start_time, 'end_time', written.end_time,
      'expires_at', held_until) order by written.start_time))
  into held
  from written;

  -- After the holds are written, so that no alternative is one of them.
  select coalesce(jsonb_agg(jsonb_build_object(
    'occurrence', occurrence.index, 'start_time', occurrence.start_time, 'end_time', occurrence.end_time,
    'code', app.conflict_code(reasons.conflicts),
    'alternatives', app.alternatives(app.wanted_claims(
      organization, therapist, client, room, service.client_lane, slot,
      occurrence.start_time, occurrence.end_time), occurrence.index)) order by occurrence.index), '[]')
  into skipped
  from unnest(occurrences) occurrence
  cross join lateral (
    select jsonb_agg(conflict)
    from jsonb_array_elements(conflicts) conflict
    where (conflict ->> 'occurrence')::integer = occurrence.index
  ) reasons (conflicts)
  where reasons.conflicts is not null;

  return held || jsonb_build_object('skipped', skipped);
end
$$;
comment on function app.hold_sessions is
  'Holds every occurrence, or with on_conflict skip the open ones. Answers the data of the HTTP contract.';
