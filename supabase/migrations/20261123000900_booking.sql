-- Booking: hold, confirm, cancel.
--
-- Promises
--   * A call is all or nothing, and set-based: 366 occurrences are written by one statement.
--   * What a hold is refused for names the blocker's kind, until when, and the nearest open times; never who.
--   * Only the holder confirms a hold. Confirming frees nothing in between.
--   * Cancelling is idempotent and says what it found.

create type app.occurrence as (
  index integer,
  start_time timestamptz,
  end_time timestamptz,
  start_time_offset_minutes integer,
  end_time_offset_minutes integer
);

-- ---------------------------------------------------------------------------------------------------------
-- Checks that hold and confirm share
-- ---------------------------------------------------------------------------------------------------------

create function app.may_book(organization uuid, therapist uuid)
returns boolean
language plpgsql
stable
set search_path = ''
as $$
begin
  return organization = any (app.org_ids_with_permission('book_any_session'))
    or (therapist = any (app.my_therapist_ids())
      and organization = any (app.org_ids_with_permission('book_own_sessions')));
end
$$;
comment on function app.may_book is 'Whether the caller may book, move or cancel sessions of the therapist.';

create function app.check_parties(organization uuid, therapist_id uuid, client_id uuid, moments timestamptz[])
returns void
language plpgsql
stable
set search_path = ''
as $$
declare
  therapist public.therapists;
  client public.clients;
  zone text := (select clinic.time_zone from public.organizations clinic where clinic.id = organization);
begin
  select * into therapist from public.therapists it where it.organization_id = organization and it.id = therapist_id;
  select * into client from public.clients it where it.organization_id = organization and it.id = client_id;
  if client.id is null
    or not (client.id = any (app.my_client_ids())
      or organization = any (app.org_ids_with_role('internal_ops', 'admin')))
  then
    perform app.refuse('not_found', 'There is no such client.');
  end if;
  if not app.may_book(organization, therapist_id) then
    perform app.refuse('forbidden', 'You may not book sessions of this therapist.');
  end if;
  if therapist.status <> 'active' then
    perform app.refuse_field('therapist_id', 'inactive', 'This therapist takes no sessions.');
  end if;
  if client.status <> 'active' then
    perform app.refuse_field('client_id', 'archived', 'This client is archived.');
  end if;
  if exists (
    select
    from unnest(moments) moment
    where not app.is_on_care_team(organization, therapist_id, client_id, (moment at time zone zone)::date))
  then
    perform app.refuse_field('client_id', 'not_assigned', 'The therapist is not on this client''s care team on that day.');
  end if;
end
$$;
comment on function app.check_parties is
  'Refuses a therapist or client that cannot be booked at these moments by this caller. Called again at confirm.';

create function app.check_offsets(occurrences app.occurrence[], time_zone text)
returns void
language plpgsql
stable
set search_path = ''
as $$
declare
  wrong jsonb;
begin
  select jsonb_agg(jsonb_build_object(
    'field', format('occurrences[%s].%s', checked.index, checked.field),
    'code', 'offset_mismatch',
    'message', 'Not the offset of the time zone at that instant.',
    'expected', checked.expected) order by checked.index, checked.field desc)
  into wrong
  from (
    select occurrence.index, side.field, side.given, app.utc_offset_minutes(side.moment, time_zone) as expected
    from unnest(occurrences) occurrence
    cross join lateral (values
      ('start_time_offset_minutes', occurrence.start_time_offset_minutes, occurrence.start_time),
      ('end_time_offset_minutes', occurrence.end_time_offset_minutes, occurrence.end_time)
    ) as side (field, given, moment)
  ) checked
  where checked.given is distinct from checked.expected;

  if wrong is not null then
    perform app.refuse('offset_mismatch', 'An offset is not what the time zone says at that instant.',
      jsonb_build_object('errors', wrong));
  end if;
end
$$;
comment on function app.check_offsets is
  'Refuses offsets (minutes east of UTC) that the IANA zone does not observe at that instant: the app and the '
  'database would show different wall clocks.';

-- ---------------------------------------------------------------------------------------------------------
-- Conflicts
-- ---------------------------------------------------------------------------------------------------------

create function app.wanted_claims(
  organization uuid, therapist_id uuid, client_id uuid, room_id uuid, client_lane smallint, slot_id uuid,
  start_time timestamptz, end_time timestamptz
)
returns public.calendar_claims[]
language plpgsql
immutable
set search_path = ''
as $$
begin
  return app.claims_of(
    slot_id, 'session', organization, therapist_id, client_id, room_id, client_lane,
    tstzrange(start_time, end_time), slot_id, null);
end
$$;
comment on function app.wanted_claims is 'What a booking would claim, for asking what stands in its way.';

create function app.conflict_code(conflicts jsonb)
returns text
language sql
immutable
set search_path = ''
as $$
  select case
    when conflicts -> 0 ->> 'subject' = 'therapist' and conflicts -> 0 ->> 'kind' in ('time_off', 'buffer')
      then 'therapist_unavailable'
    else (conflicts -> 0 ->> 'subject') || '_conflict'
  end
$$;
comment on function app.conflict_code is 'The problem code of the first conflict.';

create function app.retry_after(conflicts jsonb)
returns integer
language sql
stable
set search_path = ''
as $$
  select case when bool_and(conflict ->> 'kind' = 'hold') then greatest(1, ceil(extract(epoch from
    max((conflict ->> 'until')::timestamptz) - clock_timestamp()))::integer) end
  from jsonb_array_elements(conflicts) conflict
$$;
comment on function app.retry_after is 'Seconds until the last blocking hold ends; null when anything but holds is in the way.';

create function app.nearest_bookable_times(
  wanted public.calendar_claims[], besides tstzmultirange, how_many integer default 3
)
returns table (start_time timestamptz, end_time timestamptz)
language plpgsql
stable
set search_path = ''
as $$
declare
  organization uuid := wanted[1].organization_id;
  therapist uuid := (select want.subject_id from unnest(wanted) want where want.subject_kind = 'therapist');
  client uuid := (select want.subject_id from unnest(wanted) want where want.subject_kind = 'client');
  zone text := (select clinic.time_zone from public.organizations clinic where clinic.id = organization);
begin
  return query
  with want as (
    select lower(wanted[1].during) as start_time, upper(wanted[1].during) - lower(wanted[1].during) as length
  ),
  gap as (
    select range.lower_bound, range.upper_bound - want.length as last_start
    from want
    cross join lateral unnest(app.open_time(wanted, tstzrange(
      greatest(want.start_time - interval '7 days', date_bin('5 minutes', clock_timestamp(), 'epoch') + interval '5 minutes'),
      want.start_time + interval '7 days' + want.length)) - besides) as open (during)
    cross join lateral (values (lower(open.during), upper(open.during))) as range (lower_bound, upper_bound)
    where range.upper_bound - range.lower_bound >= want.length
  ),
  -- In each gap the start nearest to the wanted one, and its neighbours at the session's own length.
  candidate as (
    select nearest.start_time + step.number * want.length as start_time
    from want
    cross join gap
    cross join lateral (values (least(greatest(want.start_time, gap.lower_bound), gap.last_start))) as nearest (start_time)
    cross join generate_series(1 - how_many, how_many - 1) as step (number)
    where nearest.start_time + step.number * want.length between gap.lower_bound and gap.last_start
  )
  select candidate.start_time, candidate.start_time + want.length
  from candidate
  cross join want
  where app.is_on_care_team(organization, therapist, client, (candidate.start_time at time zone zone)::date)
  order by abs(extract(epoch from candidate.start_time - want.start_time)), candidate.start_time
  limit how_many;
end
$$;
comment on function app.nearest_bookable_times is
  'The open times of the same length nearest to the wanted one, within seven days either way, not in the past, and on '
  'days when the therapist is on the client''s care team, nor in the times besides.';

create function app.alternatives(
  wanted public.calendar_claims[], occurrence integer, besides tstzmultirange default '{}'
)
returns jsonb
language plpgsql
stable
set search_path = ''
as $$
begin
  return coalesce(
    (select jsonb_agg(jsonb_build_object(
        'occurrence', occurrence, 'start_time', open.start_time, 'end_time', open.end_time))
      from app.nearest_bookable_times(wanted, besides) open),
    '[]');
end
$$;
comment on function app.alternatives is 'Nearest bookable times of an occurrence, as the wire has them.';

-- ---------------------------------------------------------------------------------------------------------
-- Hold
-- ---------------------------------------------------------------------------------------------------------

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
    perform app.refuse('validation_failed', 'The request has values that cannot be accepted.',
      jsonb_build_object('errors', wrong));
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
      organization, therapist, client, room, service.client_lane, coalesce(moved.slot_id, batch),
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
          organization, therapist, client, room, service.client_lane, coalesce(moved.slot_id, batch),
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
      organization, therapist, client, room, service.client_lane, coalesce(moved.slot_id, batch),
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

-- ---------------------------------------------------------------------------------------------------------
-- Confirm
-- ---------------------------------------------------------------------------------------------------------

create function app.session_json(session public.sessions)
returns jsonb
language plpgsql
stable
set search_path = ''
as $$
declare
  units integer := app.units(extract(epoch from session.end_time - session.start_time) / 60);
begin
  return (
    select jsonb_build_object(
      'id', session.id,
      'organization_id', session.organization_id,
      'therapist_id', session.therapist_id,
      'client_id', session.client_id,
      'room_id', session.room_id,
      'service_code', service.service_code,
      'cpt_code', service.cpt_code,
      'start_time', session.start_time,
      'end_time', session.end_time,
      'time_zone', session.time_zone,
      'status', session.status,
      'place_of_service', session.place_of_service,
      'series_id', session.series_id,
      'units', units,
      'rounded_duration_minutes', units * code.unit_minutes,
      'version', session.version)
    from public.services service
    join public.cpt_codes code on code.code = service.cpt_code
    where service.organization_id = session.organization_id and service.id = session.service_id);
end
$$;
comment on function app.session_json is 'A session as the wire has it. units and rounded minutes follow the CPT midpoint rule.';

create function app.check_confirmation(holds public.session_holds[], request jsonb)
returns void
language plpgsql
stable
set search_path = ''
as $$
declare
  given jsonb := request -> 'occurrences';
  wrong jsonb;
begin
  if request ->> 'time_zone' <> holds[1].time_zone then
    perform app.refuse_field('time_zone', 'not_the_holds', 'The hold was made in another time zone.');
  end if;
  if given is null then
    return;
  end if;
  if (select array_agg(distinct (item ->> 'hold_key')::uuid order by (item ->> 'hold_key')::uuid)
      from jsonb_array_elements(given) item)
    is distinct from (select array_agg(hold.id order by hold.id) from unnest(holds) hold)
    or jsonb_array_length(given) <> cardinality(holds)
  then
    perform app.refuse_field('occurrences', 'not_the_batch', 'Name every hold of the batch once: a batch is confirmed whole.');
  end if;

  perform app.check_offsets(
    array(
      select row(
        item.position - 1, hold.start_time, hold.end_time,
        (item.value ->> 'start_time_offset_minutes')::integer,
        (item.value ->> 'end_time_offset_minutes')::integer)::app.occurrence
      from jsonb_array_elements(given) with ordinality as item (value, position)
      join unnest(holds) hold on hold.id = (item.value ->> 'hold_key')::uuid),
    holds[1].time_zone);

  select jsonb_agg(jsonb_build_object(
    'field', format('occurrences[%s].cpt.code', item.position - 1), 'code', 'not_the_services',
    'message', 'The held service is billed under another code.', 'expected', service.cpt_code))
  into wrong
  from jsonb_array_elements(given) with ordinality as item (value, position)
  join public.services service on service.id = holds[1].service_id
  where item.value -> 'cpt' ->> 'code' <> service.cpt_code;
  if wrong is not null then
    perform app.refuse('validation_failed', 'The request has values that cannot be accepted.',
      jsonb_build_object('errors', wrong));
  end if;
end
$$;
comment on function app.check_confirmation is 'Refuses a confirmation that is not about exactly what was held.';

create function app.refuse_ended_hold(ended public.session_holds, reason text)
returns void
language plpgsql
set search_path = ''
as $$
declare
  still_free boolean := not exists (
    select
    from unnest(app.claims_of(
      ended.id, 'hold', ended.organization_id, ended.therapist_id, ended.client_id, ended.room_id,
      ended.client_lane, tstzrange(ended.start_time, ended.end_time), ended.slot_id, null)) want
    cross join lateral app.blocking_claims(want) claim);
begin
  perform app.refuse('hold_expired', 'This hold has ended.', jsonb_build_object(
    'reason', reason,
    'still_free', reason <> 'confirmed' and still_free and ended.start_time > clock_timestamp()));
end
$$;
comment on function app.refuse_ended_hold is
  'Refuses a hold that is no more. still_free: whether holding the same time again would succeed now.';

create function app.confirm_sessions(organization uuid, request jsonb)
returns jsonb
language plpgsql
set search_path = ''
as $$
declare
  hold_key uuid := (request ->> 'hold_key')::uuid;
  holds public.session_holds[];
  ended public.session_holds;
  confirmed jsonb;
begin
  holds := array(select it from public.session_holds it where hold_key in (it.id, it.batch_key));
  if holds[1].created_by is distinct from auth.uid() then
    perform app.refuse('forbidden', 'Only the user who made a hold can confirm it.');
  end if;
  if cardinality(holds) = 1 and holds[1].batch_key <> hold_key then
    perform app.refuse_field('hold_key', 'part_of_a_batch', 'This hold is one of a batch: confirm the batch''s key.');
  end if;

  perform app.lock_subjects(array(
    select subject.id
    from unnest(holds) hold
    left join public.sessions moved on moved.id = hold.session_id
    cross join lateral (values
      (hold.therapist_id), (hold.client_id), (hold.room_id), (moved.therapist_id), (moved.room_id)) as subject (id)));
  holds := array(
    select it from public.session_holds it where it.batch_key = hold_key order by it.start_time, it.id for update);

  select * into ended
  from unnest(holds) hold
  where hold.status <> 'held' or hold.expires_at <= clock_timestamp()
  limit 1;
  if ended.id is not null then
    perform app.refuse_ended_hold(ended, case ended.status when 'held' then 'expired' else ended.status end);
  end if;
  if exists (
    select
    from unnest(holds) hold
    join public.sessions moved on moved.id = hold.session_id
    where moved.status <> 'scheduled')
  then
    perform app.refuse_ended_hold(holds[1], 'session_not_scheduled');
  end if;
  perform app.check_parties(
    organization, holds[1].therapist_id, holds[1].client_id, array(select hold.start_time from unnest(holds) hold));
  perform app.check_confirmation(holds, request);

  -- A session takes over its hold's claims, and with that the hold is confirmed (app.end_turned_holds).
  with detail as (
    select hold, coalesce(
      (select item -> 'session' ->> 'place_of_service'
        from jsonb_array_elements(request -> 'occurrences') item
        where (item ->> 'hold_key')::uuid = hold.id),
      request -> 'session' ->> 'place_of_service') as place_of_service
    from unnest(holds) hold
  ),
  moved as (
    update public.sessions session
    set therapist_id = (detail.hold).therapist_id, room_id = (detail.hold).room_id,
      start_time = (detail.hold).start_time, end_time = (detail.hold).end_time,
      time_zone = (detail.hold).time_zone, claim_id = (detail.hold).id,
      place_of_service = coalesce(detail.place_of_service, session.place_of_service)
    from detail
    where session.id = (detail.hold).session_id
    returning session
  ),
  created as (
    insert into public.sessions as session (
      id, organization_id, therapist_id, client_id, room_id, service_id, start_time, end_time, time_zone, series_id,
      place_of_service)
    select
      (detail.hold).id, (detail.hold).organization_id, (detail.hold).therapist_id, (detail.hold).client_id,
      (detail.hold).room_id, (detail.hold).service_id, (detail.hold).start_time, (detail.hold).end_time,
      (detail.hold).time_zone,
      nullif((detail.hold).batch_key, (detail.hold).id), detail.place_of_service
    from detail
    where (detail.hold).session_id is null
    returning session
  ),
  booked as (
    select moved.session from moved
    union all
    select created.session from created
  )
  select jsonb_agg(app.session_json(booked.session) order by (booked.session).start_time)
  into confirmed
  from booked;

  return jsonb_build_object(
    'session', confirmed -> 0,
    'sessions', confirmed,
    'rounded_duration_minutes', (
      select sum((booked ->> 'rounded_duration_minutes')::integer) from jsonb_array_elements(confirmed) booked));
end
$$;
comment on function app.confirm_sessions is
  'Turns every hold of a key into a session, or into the new time of the session it moves. Answers the data of the HTTP contract.';

-- ---------------------------------------------------------------------------------------------------------
-- Cancel
-- ---------------------------------------------------------------------------------------------------------

create function app.release_holds(organization uuid, hold_key uuid)
returns jsonb
language plpgsql
set search_path = ''
as $$
declare
  holds public.session_holds[] := array(
    select it from public.session_holds it where hold_key in (it.id, it.batch_key));
  outcome jsonb;
begin
  if holds[1].created_by is distinct from auth.uid() and not app.may_book(organization, holds[1].therapist_id) then
    perform app.refuse('forbidden', 'You may not release this hold.');
  end if;
  perform app.lock_subjects(array(
    select subject.id
    from unnest(holds) hold
    cross join lateral (values (hold.therapist_id), (hold.client_id), (hold.room_id)) as subject (id)));
  holds := array(
    select it from public.session_holds it where hold_key in (it.id, it.batch_key) order by it.id for update);
  perform app.expire_holds(array(select hold.id from unnest(holds) hold));

  update public.session_holds hold
  set status = 'released'
  where hold.id in (select found.id from unnest(holds) found) and hold.status = 'held';

  -- holds is what was found, the table what has become of it.
  select jsonb_build_object(
    'cancelled', coalesce(jsonb_agg(entry.item) filter (where found.status = 'held' and now_row.status = 'released'), '[]'),
    'already_cancelled', coalesce(jsonb_agg(entry.item) filter (
      where now_row.status = 'expired' or found.status = 'released'), '[]'),
    'not_cancellable', coalesce(jsonb_agg(entry.item || '{"reason": "confirmed"}') filter (
      where now_row.status = 'confirmed'), '[]'))
  into outcome
  from unnest(holds) found
  join public.session_holds now_row on now_row.id = found.id
  cross join lateral (values (jsonb_build_object('id', found.id, 'kind', 'hold'))) as entry (item);
  return outcome;
end
$$;
comment on function app.release_holds is 'Releases a hold, or all holds of a batch''s key. Ended holds are no error.';

create function app.cancel_found_sessions(session_ids uuid[], by_whom text, reason text)
returns jsonb
language plpgsql
set search_path = ''
as $$
declare
  sessions public.sessions[];
  outcome jsonb;
begin
  perform app.lock_subjects(array(
    select subject.id
    from public.sessions session
    cross join lateral (values (session.therapist_id), (session.client_id), (session.room_id)) as subject (id)
    where session.id = any (session_ids)));
  sessions := array(select it from public.sessions it where it.id = any (session_ids) order by it.id for update);

  update public.sessions session
  set status = 'cancelled', cancelled_by = by_whom, cancellation_reason = reason
  where session.id = any (session_ids) and session.status = 'scheduled';

  select jsonb_build_object(
    'cancelled', coalesce(jsonb_agg(entry.item) filter (where found.status = 'scheduled'), '[]'),
    'already_cancelled', coalesce(jsonb_agg(entry.item) filter (where found.status = 'cancelled'), '[]'),
    'not_cancellable', coalesce(jsonb_agg(entry.item || jsonb_build_object('reason', found.status)) filter (
      where found.status not in ('scheduled', 'cancelled')), '[]'))
  into outcome
  from unnest(sessions) found
  cross join lateral (values (jsonb_build_object('id', found.id, 'kind', 'session'))) as entry (item);
  return outcome;
end
$$;
comment on function app.cancel_found_sessions is 'Cancels those of the sessions that are scheduled and says what the others are.';

create function app.cancel_sessions(organization uuid, request jsonb)
returns jsonb
language plpgsql
set search_path = ''
as $$
declare
  by_whom text := request ->> 'cancelled_by';
  any_therapist boolean := organization = any (app.org_ids_with_permission('book_any_session'));
  own_therapists uuid[] := app.my_therapist_ids();
  wanted uuid[];
  found uuid[];
begin
  if num_nonnulls(request -> 'hold_key', request -> 'session_ids', request -> 'series_id') <> 1 then
    perform app.refuse_field('', 'exactly_one', 'Give exactly one of hold_key, session_ids, or series_id with from.');
  end if;
  if request ? 'hold_key' then
    return app.release_holds(organization, (request ->> 'hold_key')::uuid);
  end if;
  if by_whom is null or by_whom not in ('therapist', 'client', 'clinic') then
    perform app.refuse_field('cancelled_by', 'required', 'Say who cancelled: therapist, client or clinic.');
  end if;

  if request ? 'series_id' and request ->> 'from' is null then
    perform app.refuse_field('from', 'required', 'Say from when the series is cancelled.');
  end if;

  if request ? 'series_id' then
    wanted := array(
      select session.id
      from public.sessions session
      where session.organization_id = organization
        and session.series_id = (request ->> 'series_id')::uuid
        and session.start_time >= (request ->> 'from')::timestamptz);
  else
    wanted := array(select distinct id::uuid from jsonb_array_elements_text(request -> 'session_ids') id);
  end if;
  found := array(
    select session.id
    from public.sessions session
    where session.organization_id = organization and session.id = any (wanted)
      and (any_therapist or session.therapist_id = any (own_therapists)));
  if cardinality(found) <> cardinality(wanted) then
    perform app.refuse('not_found', 'There is no such session.');
  end if;
  return app.cancel_found_sessions(found, by_whom, request ->> 'reason');
end
$$;
comment on function app.cancel_sessions is 'Releases holds or cancels sessions. Answers the data of the HTTP contract.';

-- ---------------------------------------------------------------------------------------------------------
-- The one way in
-- ---------------------------------------------------------------------------------------------------------

-- Planned once and by index, for the reason given at app.keep_ledger_for_holds.

create function app.run_operation(operation text, request jsonb, idempotency_key text)
returns jsonb
language plpgsql
security definer
set search_path = ''
set timezone = 'UTC'
set plan_cache_mode = force_generic_plan
set enable_seqscan = off
as $$
declare
  organization uuid;
  request_hash bytea := sha256(convert_to(request::text, 'UTF8'));
  data jsonb;
  refusal text;
begin
  if auth.uid() is null then
    return app.refusal(null, operation, '{"code": "unauthenticated"}');
  end if;

  begin
    organization := app.target_organization(operation, request);
    perform app.admit_caller(organization);
    if idempotency_key is not null then
      data := app.replay(organization, operation, idempotency_key, request_hash);
      if data is not null then
        return jsonb_build_object('data', data, 'replayed', true);
      end if;
    end if;
  exception
    when sqlstate 'HF000' then
      get stacked diagnostics refusal = pg_exception_detail;
    when data_exception then
      refusal := app.impossible_value();
  end;

  -- Outside the blocks that are undone: a refused call counts, only a replay does not.
  data := app.count_call(organization, operation);
  if data is not null then
    return data;
  elsif refusal is not null then
    return app.refusal(organization, operation, refusal::jsonb);
  end if;

  for attempt in 1..5 loop
    begin
      data := case operation
        when 'hold_sessions' then app.hold_sessions(organization, request)
        when 'confirm_sessions' then app.confirm_sessions(organization, request)
        when 'cancel_sessions' then app.cancel_sessions(organization, request)
      end;
      if idempotency_key is not null then
        insert into public.idempotency_keys (organization_id, user_id, operation, key, request_hash, response)
        values (organization, auth.uid(), operation, idempotency_key, request_hash, data);
      end if;
      return jsonb_build_object('data', data, 'replayed', false);
    exception
      when sqlstate 'HF000' then
        get stacked diagnostics refusal = pg_exception_detail;
        return app.refusal(organization, operation, refusal::jsonb);
      -- Somebody wrote round the queue: by now they are done, so the next attempt sees what they wrote.
      when deadlock_detected or exclusion_violation then
        null;
      -- What a direct caller of the RPC may send and the functions' schemas do not let through. Raised, it would
      -- carry the row.
      when data_exception or check_violation or not_null_violation then
        get stacked diagnostics refusal = constraint_name;
        return app.refusal(organization, operation, app.impossible_value(refusal));
    end;
  end loop;
  return app.refusal(organization, operation, '{"code": "unavailable", "retry_after": 1}');
end
$$;
comment on function app.run_operation is
  'Runs hold_sessions, confirm_sessions or cancel_sessions for the caller. Definer: booking writes tables on which '
  'no API role has a grant; every operation checks auth.uid() against the roles itself (app.admit_caller, app.may_book).';

create function public.hold_sessions(request jsonb, idempotency_key text default null)
returns jsonb
language sql
security invoker
set search_path = ''
as $$
  select app.run_operation('hold_sessions', request, idempotency_key)
$$;
comment on function public.hold_sessions is
  'Holds times of a therapist with a client (POST sessions-hold). Answers {data, replayed} or {problem}.';

create function public.confirm_sessions(request jsonb, idempotency_key text default null)
returns jsonb
language sql
security invoker
set search_path = ''
as $$
  select app.run_operation('confirm_sessions', request, idempotency_key)
$$;
comment on function public.confirm_sessions is
  'Turns holds into sessions (POST sessions-confirm). Answers {data, replayed} or {problem}.';

create function public.cancel_sessions(request jsonb, idempotency_key text default null)
returns jsonb
language sql
security invoker
set search_path = ''
as $$
  select app.run_operation('cancel_sessions', request, idempotency_key)
$$;
comment on function public.cancel_sessions is
  'Releases holds or cancels sessions (POST sessions-cancel). Answers {data, replayed} or {problem}.';

-- run_operation is not exposed by the API; it takes the operation's name so that the three RPCs share one body.
grant execute on function
  app.run_operation, public.hold_sessions, public.confirm_sessions, public.cancel_sessions
to authenticated;
