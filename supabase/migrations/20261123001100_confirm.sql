-- Confirm: a hold becomes a session, or the new time of the session it moves.
--
-- Promises
--   * Only the holder confirms, and the whole of what was held at once.
--   * Confirming frees nothing in between.

create function app.session_json(session public.sessions, service public.services, charge public.session_charges)
returns jsonb
language plpgsql
stable
set search_path = ''
as $$
declare
  units integer := charge.units;
begin
  if units is null then
    units := app.planned_units(
      session.organization_id, session.client_id, session.service_id, session.therapist_id, session.start_time, session.end_time);
  end if;
  return jsonb_build_object(
    'id', session.id,
    'organization_id', session.organization_id,
    'therapist_id', session.therapist_id,
    'client_id', session.client_id,
    'room_id', session.room_id,
    'service_code', service.service_code,
    'cpt_code', coalesce(charge.cpt_code, service.cpt_code),
    'modifiers', coalesce(charge.modifiers, '{}'),
    'start_time', session.start_time,
    'end_time', session.end_time,
    'time_zone', session.time_zone,
    'status', session.status,
    'place_of_service', session.place_of_service,
    'series_id', session.series_id,
    'group_id', session.group_id,
    'team_id', session.team_id,
    'units', units,
    'rounded_duration_minutes', units * 15,
    'version', session.version);
end
$$;
comment on function app.session_json(public.sessions, public.services, public.session_charges) is
  'A session as the wire has it, with the code, modifiers, units and rounded minutes of its planned charge. One that is only '
  'previewed has no charge: the units it would take by itself.';

create function app.session_json(session public.sessions)
returns jsonb
language plpgsql
stable
set search_path = ''
as $$
begin
  return (
    select app.session_json(session, service, charge)
    from public.services service
    left join public.session_charges charge on charge.session_id = session.id and charge.kind = 'planned'
    where service.organization_id = session.organization_id and service.id = session.service_id);
end
$$;
comment on function app.session_json(public.sessions) is
  'A session as the wire has it. To be asked for after the statement that writes the session, which writes its charge.';

create function app.sessions_json(organization uuid, session_ids uuid[])
returns jsonb
language plpgsql
stable
set search_path = ''
as $$
begin
  return coalesce(
    (select jsonb_agg(app.session_json(session, service, charge) order by session.start_time, session.id)
      from public.sessions session
      join public.services service
        on service.organization_id = session.organization_id and service.id = session.service_id
      left join public.session_charges charge on charge.session_id = session.id and charge.kind = 'planned'
      where session.organization_id = organization and session.id = any (session_ids)),
    '[]');
end
$$;
comment on function app.sessions_json is 'Sessions as the wire has them, by their start.';

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
  join public.services service on service.organization_id = holds[1].organization_id and service.id = holds[1].service_id
  where item.value -> 'cpt' ->> 'code' <> service.cpt_code;
  if wrong is not null then
    perform app.refuse_fields(wrong);
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
    from unnest(app.claims_of(app.booking_of_hold(ended), ended.id, 'hold', null)) want
    -- offset 0: looked up for each, as in app.conflicts.
    cross join lateral (
      select
      from public.calendar_claims it
      where it.subject_id = want.subject_id and it.lane = want.lane and it.during && want.during
        and it.slot_id <> want.slot_id and (it.expires_at is null or it.expires_at > clock_timestamp())
      offset 0
    ) claim);
begin
  if reason = 'confirmed' then
    perform app.refuse('hold_confirmed', 'This hold is a booking already.', jsonb_build_object(
      'session_ids', (
        select jsonb_agg(coalesce(hold.session_id, hold.id) order by hold.start_time, hold.id)
        from public.session_holds hold
        where hold.organization_id = ended.organization_id and hold.batch_key = ended.batch_key)));
  end if;
  perform app.refuse('hold_expired', 'This hold has ended.', jsonb_build_object(
    'reason', reason,
    'still_free', still_free and ended.start_time > clock_timestamp()));
end
$$;
comment on function app.refuse_ended_hold is
  'Refuses a hold that is no more. still_free: whether holding the same time again would succeed now. One that was confirmed is '
  'the sessions of session_ids.';

create function app.check_units_of_move(organization uuid, holds public.session_holds[], request jsonb)
returns void
language plpgsql
set search_path = ''
as $$
declare
  moves app.booking[] := array(select app.booking_of_hold(hold) from unnest(holds) hold where hold.session_id is not null);
  conflicts jsonb;
begin
  if moves = '{}' then
    return;
  end if;
  if app.override_reason(organization, request) is null then
    conflicts := app.unit_conflicts(moves, array(select hold.session_id from unnest(holds) hold));
    if conflicts <> '[]' then
      perform app.refuse_conflicts(moves, conflicts);
    end if;
  end if;
  perform app.permit_override(organization, request);
  perform app.record_overrides(organization, request, 'session_holds', holds[1].id);
end
$$;
comment on function app.check_units_of_move is
  'Refuses a move to a day or week that lacks the units: a hold that moves a session reserves none, since the session has its own.';

create function app.asked_place_of_service(request jsonb, hold uuid)
returns text
language plpgsql
immutable
set search_path = ''
as $$
begin
  if not request ? 'occurrences' then
    return request -> 'session' ->> 'place_of_service';
  end if;
  return coalesce(
    (select item -> 'session' ->> 'place_of_service'
      from jsonb_array_elements(request -> 'occurrences') item
      where (item ->> 'hold_key')::uuid = hold),
    request -> 'session' ->> 'place_of_service');
end
$$;
comment on function app.asked_place_of_service is 'The place of service that a confirmation asks for a hold, or for all of them.';

create function app.book_holds(organization uuid, hold_key uuid, request jsonb)
returns jsonb
language plpgsql
set search_path = ''
as $$
declare
  holds public.session_holds[] := array(
    select it from public.session_holds it where it.organization_id = organization and hold_key in (it.id, it.batch_key));
  ended public.session_holds;
  confirmed jsonb;
begin
  -- A move also frees time, whenever that is: its subjects are locked whole.
  if holds[1].session_id is null then
    perform app.lock_bookings(array(select app.booking_of_hold(hold) from unnest(holds) hold));
  else
    perform app.lock_subjects(array(
      select subject.id
      from unnest(holds) hold
      left join public.sessions moved on moved.organization_id = organization and moved.id = hold.session_id
      cross join lateral (values
        (hold.therapist_id), (hold.client_id), (hold.room_id), (moved.therapist_id), (moved.room_id)) as subject (id)));
  end if;
  holds := array(
    select it
    from public.session_holds it
    where it.organization_id = organization and it.batch_key = hold_key
    order by it.start_time, it.id
    for update);

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
    join public.sessions moved on moved.organization_id = organization and moved.id = hold.session_id
    where moved.status <> 'scheduled')
  then
    perform app.refuse_ended_hold(holds[1], 'session_not_scheduled');
  elsif exists (
    -- Whoever held it decided by what the session was then.
    select
    from unnest(holds) hold
    join public.sessions moved on moved.organization_id = organization and moved.id = hold.session_id
    where moved.updated_at > hold.created_at)
  then
    perform app.refuse_ended_hold(holds[1], 'session_changed');
  end if;
  perform app.check_parties(
    organization, party.therapist_id, party.client_id, party.service, party.moments)
  from (
    select hold.therapist_id, hold.client_id, service, array_agg(hold.start_time) as moments
    from unnest(holds) hold
    join public.services service on service.organization_id = hold.organization_id and service.id = hold.service_id
    group by hold.therapist_id, hold.client_id, service
  ) party;
  perform app.check_confirmation(holds, request);
  perform app.check_units_of_move(organization, holds, request);

  -- A session takes over its hold's claims, and with that the hold is confirmed (app.end_turned_holds).
  -- A call holds new times, or the new time of one session: what has nothing to write fires no triggers.
  if holds[1].session_id is null then
    insert into public.sessions (
      id, organization_id, therapist_id, client_id, room_id, service_id, client_lane, group_id, team_id, series_id,
      occurrence_start, takes_every_lane, buffer_before_minutes, buffer_after_minutes, start_time, end_time, time_zone,
      place_of_service)
    select
      hold.id, hold.organization_id, hold.therapist_id, hold.client_id, hold.room_id, hold.service_id, hold.client_lane,
      hold.group_id, hold.team_id, hold.series_id, hold.occurrence_start, hold.takes_every_lane, hold.buffer_before_minutes,
      hold.buffer_after_minutes, hold.start_time, hold.end_time, hold.time_zone, app.asked_place_of_service(request, hold.id)
    from unnest(holds) hold;
  else
    update public.sessions session
    set therapist_id = hold.therapist_id, room_id = hold.room_id, start_time = hold.start_time, end_time = hold.end_time,
      time_zone = hold.time_zone, claim_id = hold.id, takes_every_lane = hold.takes_every_lane,
      buffer_before_minutes = hold.buffer_before_minutes, buffer_after_minutes = hold.buffer_after_minutes,
      place_of_service = coalesce(app.asked_place_of_service(request, hold.id), session.place_of_service)
    from unnest(holds) hold
    where session.organization_id = organization and session.id = hold.session_id;
  end if;
  confirmed := app.sessions_json(organization, array(select coalesce(hold.session_id, hold.id) from unnest(holds) hold));
  if holds[1].series_id is not null then
    update public.session_series series
    set status = 'active'
    where series.organization_id = organization and series.id = holds[1].series_id and series.status = 'held';
  end if;

  return jsonb_build_object(
    'session', confirmed -> 0,
    'sessions', confirmed,
    'rounded_duration_minutes', (
      select sum((session ->> 'rounded_duration_minutes')::integer) from jsonb_array_elements(confirmed) session));
end
$$;
comment on function app.book_holds is
  'Turns every hold of a key into a session, or into the new time of the session it moves. Whether the caller may, its '
  'callers have checked.';

create function app.confirm_sessions(organization uuid, request jsonb)
returns jsonb
language plpgsql
set search_path = ''
as $$
declare
  hold_key uuid := (request ->> 'hold_key')::uuid;
  holds public.session_holds[] := array(
    select it from public.session_holds it where it.organization_id = organization and hold_key in (it.id, it.batch_key));
begin
  -- Also of no hold at all: the request may name another clinic's beside a row of one's own.
  if holds = '{}' then
    perform app.refuse('not_found', 'There is no such hold.');
  elsif holds[1].created_by is distinct from auth.uid() or holds[1].waitlist_entry_id is not null then
    perform app.refuse('forbidden', 'Only the user who made a hold can confirm it; an offer is answered on the waitlist.');
  end if;
  if cardinality(holds) = 1 and holds[1].batch_key <> hold_key then
    perform app.refuse_field('hold_key', 'part_of_a_batch', 'This hold is one of a batch: confirm the batch''s key.');
  end if;
  perform app.check_caller(organization, party.therapist_id, party.client_id)
  from (select distinct hold.therapist_id, hold.client_id from unnest(holds) hold) party;
  return app.book_holds(organization, hold_key, request);
end
$$;
comment on function app.confirm_sessions is
  'Confirms what the caller held. Answers the data of the HTTP contract.';
