-- Exceptions by call: time off, extra hours and holidays are entered and taken back.
--
-- Promises
--   * Only who holds manage_availability enters or takes back; a therapist does not enter their own time off.
--   * Over what is booked, time off and holidays do nothing but say what is in the way, until told to cancel it or to keep
--     it. What is kept keeps its time and its buffers, and the rest is off; when it ends, its time is off, too.
--   * A session is cancelled only for its own time: where nothing but its buffer is in the way, it is kept.

create function app.exception_json(exception public.availability_exceptions)
returns jsonb
language sql
immutable
set search_path = ''
as $$
  select jsonb_build_object(
    'id', exception.id, 'kind', exception.kind, 'therapist_id', exception.therapist_id, 'start_time', exception.start_time,
    'end_time', exception.end_time, 'time_zone', exception.time_zone, 'status', exception.status)
$$;
comment on function app.exception_json is 'An exception as the wire has it, without its note.';

create function app.exception_in(organization uuid, request jsonb)
returns public.availability_exceptions
language plpgsql
stable
set search_path = ''
as $$
declare
  wanted public.availability_exceptions;
begin
  wanted.organization_id := organization;
  wanted.kind := request ->> 'kind';
  wanted.therapist_id := (request ->> 'therapist_id')::uuid;
  wanted.time_zone := request ->> 'time_zone';
  wanted.note := request ->> 'note';
  if wanted.kind is null or wanted.kind not in ('time_off', 'extra_hours', 'holiday') then
    perform app.refuse_field('kind', 'unknown', 'Must be time_off, extra_hours or holiday.');
  elsif wanted.kind <> 'holiday' then
    perform app.check_therapist(organization, wanted.therapist_id);
  elsif wanted.therapist_id is not null then
    perform app.refuse_field('therapist_id', 'not_allowed', 'A holiday is the whole organization''s.');
  elsif (request ->> 'organization_id')::uuid is distinct from organization then
    perform app.refuse_field('organization_id', 'required', 'Say whose holiday it is.');
  end if;
  wanted.start_time := app.moment_in(request, 'start_time');
  wanted.end_time := app.moment_in(request, 'end_time');
  if wanted.end_time <= wanted.start_time then
    perform app.refuse_field('end_time', 'not_after_start', 'The end must be after the start.');
  elsif wanted.end_time - wanted.start_time > interval '366 days' then
    perform app.refuse_field('end_time', 'too_long', 'At most 366 days at once.');
  end if;
  perform app.check_time_zone(wanted.time_zone);
  perform app.check_offsets(
    array[row(
      null, wanted.start_time, wanted.end_time, request ->> 'start_time_offset_minutes',
      request ->> 'end_time_offset_minutes')::app.occurrence],
    wanted.time_zone);
  if length(wanted.note) not between 1 and 500 then
    perform app.refuse_field('note', 'size', 'A note has 1 to 500 characters.');
  elsif request ->> 'on_conflict' not in ('abort', 'cancel', 'keep') then
    perform app.refuse_field('on_conflict', 'unknown', 'Must be abort, cancel or keep.');
  elsif request ->> 'cancelled_by' not in ('therapist', 'client', 'clinic') then
    perform app.refuse_field('cancelled_by', 'unknown', 'Must be therapist, client or clinic.');
  elsif length(request ->> 'reason') not between 1 and 500 then
    perform app.refuse_field('reason', 'size', 'A reason has 1 to 500 characters.');
  end if;
  return wanted;
end
$$;
comment on function app.exception_in is 'The exception that a request wants, or a refusal that names the field.';

create type app.appointment as (
  id uuid,
  kind text,
  therapist_id uuid,
  start_time timestamptz,
  end_time timestamptz
);

create function app.appointment_json(appointment app.appointment)
returns jsonb
language sql
immutable
set search_path = ''
as $$
  select jsonb_build_object(
    'id', appointment.id, 'kind', appointment.kind, 'therapist_id', appointment.therapist_id,
    'start_time', appointment.start_time, 'end_time', appointment.end_time)
$$;
comment on function app.appointment_json is 'A session or hold that is in the way, as the wire has it: ids and times only.';

create function app.appointments_in_the_way(wanted public.availability_exceptions, therapists uuid[])
returns setof app.appointment
language plpgsql
stable
set search_path = ''
as $$
declare
  within tstzrange := tstzrange(wanted.start_time, wanted.end_time);
begin
  return query
  with claimed as (
    select distinct claim.claim_id, claim.expires_at is not null as by_hold
    from unnest(therapists) therapist
    join public.calendar_claims claim on claim.subject_id = therapist and claim.lane = 0 and claim.during && within
    -- A holiday claims nothing, so nobody's buffer meets it.
    where (claim.kind <> 'buffer' or wanted.kind = 'time_off')
      and (claim.expires_at is null or claim.expires_at > clock_timestamp())
  ),
  appointment as (
    select hold.id, 'hold' as kind, hold.therapist_id, hold.start_time, hold.end_time
    from claimed
    join public.session_holds hold on hold.organization_id = wanted.organization_id and hold.id = claimed.claim_id
    where claimed.by_hold
    union all
    select session.id, 'session', session.therapist_id, session.start_time, session.end_time
    from claimed
    join public.sessions session on session.organization_id = wanted.organization_id and session.claim_id = claimed.claim_id
    where not claimed.by_hold
  )
  select appointment.id, appointment.kind, appointment.therapist_id, appointment.start_time, appointment.end_time
  from appointment
  -- Who has extra hours on a holiday works on it.
  where wanted.kind = 'time_off' or not coalesce((
    select range_agg(tstzrange(extra.start_time, extra.end_time))
    from public.availability_exceptions extra
    where extra.organization_id = wanted.organization_id and extra.therapist_id = appointment.therapist_id
      and extra.kind = 'extra_hours' and extra.status = 'active'
      and extra.start_time < appointment.end_time and extra.end_time > appointment.start_time
    ) @> tstzrange(appointment.start_time, appointment.end_time) * within, false);
end
$$;
comment on function app.appointments_in_the_way is
  'The live sessions and holds of therapists whose time, or for time off whose buffers, an exception would take.';

-- ---------------------------------------------------------------------------------------------------------
-- Entering
-- ---------------------------------------------------------------------------------------------------------

create function app.end_appointments(organization uuid, appointments app.appointment[], by_whom text, reason text)
returns jsonb
language plpgsql
set search_path = ''
as $$
declare
  released jsonb;
begin
  perform hold.id
  from public.session_holds hold
  where hold.organization_id = organization
    and hold.id in (select it.id from unnest(appointments) it where it.kind = 'hold')
  order by hold.id
  for update;
  with ended as (
    update public.session_holds hold
    set status = 'released'
    where hold.organization_id = organization and hold.status = 'held'
      and hold.id in (select it.id from unnest(appointments) it where it.kind = 'hold')
    returning hold.id, hold.start_time
  )
  select coalesce(
    jsonb_agg(jsonb_build_object('id', ended.id, 'kind', 'hold') order by ended.start_time, ended.id), '[]')
  into released
  from ended;
  return released || app.end_sessions(
    organization, array(select it.id from unnest(appointments) it where it.kind = 'session'), by_whom, reason);
end
$$;
comment on function app.end_appointments is
  'Releases the holds and cancels the scheduled sessions among appointments. Answers those it ended, as the wire has them.';

create function app.settle_appointments(wanted public.availability_exceptions, therapists uuid[], request jsonb)
returns jsonb
language plpgsql
set search_path = ''
as $$
declare
  policy text := coalesce(request ->> 'on_conflict', 'abort');
  found app.appointment[];
  cancelled jsonb := '[]';
begin
  -- Whose sessions may be cancelled is known before the locks, so that they are taken in one order; what is in the way is
  -- read again behind them.
  perform app.lock_sessions(
    wanted.organization_id,
    case
      when policy = 'cancel' then array(
        select it.id from app.appointments_in_the_way(wanted, therapists) it where it.kind = 'session')
      else '{}'
    end,
    therapists);
  found := array(select it from app.appointments_in_the_way(wanted, therapists) it);
  if policy = 'abort' and found <> '{}' then
    perform app.refuse('sessions_in_the_way', 'Sessions or holds are in this time.', jsonb_build_object(
      'sessions', (select jsonb_agg(app.appointment_json(it) order by it.start_time, it.id) from unnest(found) it)));
  end if;
  if policy = 'cancel' then
    cancelled := app.end_appointments(
      wanted.organization_id,
      array(
        select it
        from unnest(found) it
        where it.start_time < wanted.end_time and it.end_time > wanted.start_time),
      coalesce(request ->> 'cancelled_by', 'clinic'), request ->> 'reason');
  end if;
  return jsonb_build_object(
    'cancelled', cancelled,
    'kept', coalesce(
      (select jsonb_agg(app.appointment_json(it) order by it.start_time, it.id)
        from unnest(found) it
        where not exists (
          select from jsonb_array_elements(cancelled) ended where (ended ->> 'id')::uuid = it.id)),
      '[]'));
end
$$;
comment on function app.settle_appointments is
  'Locks the therapists, and refuses, cancels or keeps what is in the way of an exception, as the request says.';

create function app.add_exception(organization uuid, request jsonb)
returns jsonb
language plpgsql
set search_path = ''
as $$
declare
  wanted public.availability_exceptions;
  therapists uuid[];
  settled jsonb := '{"cancelled": [], "kept": []}';
  pieces tstzmultirange;
  off_already tstzmultirange;
  entered jsonb;
begin
  perform app.check_availability_manager(organization);
  wanted := app.exception_in(organization, request);
  pieces := tstzmultirange(tstzrange(wanted.start_time, wanted.end_time));
  therapists := case
    when wanted.kind <> 'holiday' then array[wanted.therapist_id]
    else array(select it.id from public.therapists it where it.organization_id = organization)
  end;
  if wanted.kind = 'extra_hours' then
    perform app.lock_subjects(therapists);
  else
    settled := app.settle_appointments(wanted, therapists, request);
  end if;
  if wanted.kind = 'time_off' then
    -- Round what is off already, what is kept, and its buffers.
    pieces := app.unclaimed_time(wanted.therapist_id, 0::smallint, tstzrange(wanted.start_time, wanted.end_time));
    if isempty(pieces) and settled -> 'kept' = '[]' then
      perform app.refuse_field('start_time', 'already_off', 'The therapist is off already in all of this time.');
    elsif isempty(pieces) then
      perform app.refuse_field('on_conflict', 'nothing_left', 'What is kept leaves nothing of this time.');
    end if;
    off_already := (
      select range_agg(tstzrange(it.start_time, it.end_time))
      from public.availability_exceptions it
      where it.organization_id = organization and it.therapist_id = wanted.therapist_id and it.kind = 'time_off'
        and it.status = 'active' and it.start_time < wanted.end_time and it.end_time > wanted.start_time);
  end if;

  with written as (
    insert into public.availability_exceptions as exception (
      organization_id, therapist_id, kind, start_time, end_time, time_zone, note)
    select organization, wanted.therapist_id, wanted.kind, lower(piece), upper(piece), wanted.time_zone, wanted.note
    from unnest(pieces) piece
    order by piece
    returning exception
  )
  select jsonb_agg(app.exception_json(written.exception) order by (written.exception).start_time) into entered from written;
  if wanted.kind = 'time_off' then
    insert into public.availability_exceptions (
      organization_id, therapist_id, kind, start_time, end_time, time_zone, note, beside_exception_id)
    select organization, wanted.therapist_id, 'time_off', lower(kept), upper(kept), wanted.time_zone, wanted.note, nearest.id
    from unnest(
      tstzmultirange(tstzrange(wanted.start_time, wanted.end_time)) - pieces - coalesce(off_already, '{}')) kept
    cross join lateral (
      select (piece ->> 'id')::uuid as id
      from jsonb_array_elements(entered) piece
      order by greatest(lower(kept) - (piece ->> 'end_time')::timestamptz, (piece ->> 'start_time')::timestamptz - upper(kept)),
        piece ->> 'start_time'
      limit 1
    ) nearest;
  end if;
  -- Now that the therapist is off: what came free beside the time off, and for the clients' other therapists.
  perform app.offer_freed_time(organization, array(
    select (ended ->> 'id')::uuid
    from jsonb_array_elements(settled -> 'cancelled') ended
    where ended ->> 'kind' = 'session'));
  return jsonb_build_object('exceptions', entered) || settled;
end
$$;
comment on function app.add_exception is
  'Enters time off (a row for each stretch that is not off or kept, and one beside it that claims nothing for each that is kept), '
  'extra hours, or a holiday. Answers the data of the HTTP contract.';

-- ---------------------------------------------------------------------------------------------------------
-- Taking back
-- ---------------------------------------------------------------------------------------------------------

create function app.cancel_exception(organization uuid, request jsonb)
returns jsonb
language plpgsql
set search_path = ''
as $$
declare
  wanted uuid := (request ->> 'exception_id')::uuid;
  exception public.availability_exceptions;
  already boolean;
begin
  perform app.check_availability_manager(organization);
  -- Whose it is never changes; a holiday only opens time, which needs no queue.
  perform app.lock_subjects(array(
    select it.therapist_id
    from public.availability_exceptions it
    where it.organization_id = organization and it.id = wanted));
  select it.* into exception
  from public.availability_exceptions it
  where it.organization_id = organization and it.id = wanted
  for update;
  if exception.id is null then
    perform app.refuse('not_found', 'There is no such exception.');
  end if;
  already := exception.status = 'cancelled';
  if not already then
    update public.availability_exceptions it
    set status = 'cancelled'
    where it.organization_id = organization and wanted in (it.id, it.beside_exception_id) and it.status = 'active';
    exception.status := 'cancelled';
  end if;
  return jsonb_build_object(
    'exception', app.exception_json(exception),
    'already_cancelled', already,
    'sessions_outside', case
      when exception.kind = 'extra_hours' then app.sessions_outside(
        organization, exception.therapist_id, tstzrange(exception.start_time, exception.end_time))
      else '[]'
    end);
end
$$;
comment on function app.cancel_exception is
  'Takes back an exception; doing so again is no error. Answers the data of the HTTP contract.';
