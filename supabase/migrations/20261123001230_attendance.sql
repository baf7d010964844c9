-- Attendance: sessions are started, completed, marked as no-shows, and corrected.
--
-- Promises
--   * Only the session's therapist, who supervises them today, or an admin marks; supervisors and admins correct.
--   * Who marks what has changed since is told so (stale_version); a mark is all or nothing, of a whole group too.
--   * What is marked later has the times that the caller gives; when and by whom it was marked is on record beside them.
--   * Actual times never move claims: the calendar keeps what was booked. A no-show frees its time.

-- ---------------------------------------------------------------------------------------------------------
-- Who may, and which session
-- ---------------------------------------------------------------------------------------------------------

create function app.find_session_to_mark(organization uuid, request jsonb, corrects boolean)
returns public.sessions
language plpgsql
stable
set search_path = ''
as $$
declare
  session public.sessions := app.find_seen_session(organization, (request ->> 'session_id')::uuid);
  is_admin boolean := organization = any (app.org_ids_with_role('admin'));
begin
  if not (is_admin or session.therapist_id = any (app.caseload_therapist_ids())) then
    perform app.refuse('forbidden', 'Only its therapist, who supervises them, or an admin marks a session.');
  elsif corrects and not (is_admin or app.supervises(organization, session.therapist_id)) then
    perform app.refuse('forbidden', 'Only who supervises the therapist, or an admin, corrects what was marked.');
  elsif session.version <> (request ->> 'version')::integer then
    perform app.refuse('stale_version', 'The session has changed since.',
      jsonb_build_object('version', session.version, 'reason', 'session_id'));
  end if;
  return session;
end
$$;
comment on function app.find_session_to_mark is
  'The session that a request marks or corrects, as the caller last saw it; or a refusal, as if it did not exist to who does not see it.';

create function app.sessions_to_mark(organization uuid, request jsonb, corrects boolean)
returns public.sessions[]
language plpgsql
set search_path = ''
as $$
declare
  whole_group boolean := coalesce((request ->> 'whole_group')::boolean, false);
  named public.sessions;
  ids uuid[];
  locked public.sessions[];
begin
  perform app.require_fields(request, 'session_id');
  named := app.find_session_to_mark(organization, request, corrects);
  if whole_group and named.group_id is null then
    perform app.refuse_field('whole_group', 'not_in_a_group', 'The session is in no group.');
  end if;
  ids := case when whole_group then app.with_slot_mates(organization, array[named.id]) else array[named.id] end;
  locked := app.lock_sessions(organization, ids);
  named := app.find_session_to_mark(organization, request, corrects);
  if whole_group and app.with_slot_mates(organization, array[named.id]) <> ids then
    perform app.start_over();
  end if;
  return array(
    select session
    from unnest(locked) session
    where session.status = named.status
    order by session.id <> named.id, session.id);
end
$$;
comment on function app.sessions_to_mark is
  'The session, locked, and with whole_group the members of its group that are as it is: who is marked already stays so.';

-- ---------------------------------------------------------------------------------------------------------
-- Times and places
-- ---------------------------------------------------------------------------------------------------------

create function app.marking_grace()
returns interval
language sql
immutable
set search_path = ''
as $$
  select interval '30 minutes'
$$;
comment on function app.marking_grace is
  'How long before its booked start a session may begin; how long after its end the present is taken for when it ended.';

create function app.moment_of(request jsonb, field text)
returns timestamptz
language plpgsql
stable
set search_path = ''
as $$
begin
  -- Postgres also reads "now", "tomorrow", "infinity", and what has no offset.
  if request ->> field !~ '^\d{4}-\d\d-\d\dT\d\d:\d\d(:\d\d(\.\d{1,9})?)?(Z|[+-]\d\d:\d\d)$' then
    perform app.refuse_field(field, 'invalid_format', 'Must be a time in ISO 8601 with its offset.');
  end if;
  return (request ->> field)::timestamptz;
exception
  when data_exception then
    perform app.refuse_field(field, 'invalid_format', 'There is no such time.');
end
$$;
comment on function app.moment_of is 'A time of the request, null when it has none, or a refusal that names the field.';

create function app.check_actual_times(session public.sessions, began timestamptz, ended timestamptz)
returns void
language plpgsql
stable
set search_path = ''
as $$
declare
  -- Clocks of telephones differ a little.
  latest timestamptz := clock_timestamp() + interval '1 minute';
begin
  if began > latest then
    perform app.refuse_field('actual_start_time', 'in_the_future', 'It has not begun yet.');
  elsif began < session.start_time - app.marking_grace() then
    perform app.refuse_field('actual_start_time', 'too_early', 'A session begins at most 30 minutes before its booked start.');
  elsif began > session.end_time + interval '24 hours' then
    perform app.refuse_field('actual_start_time', 'too_late', 'A session begins at most a day after its booked end.');
  elsif ended > latest then
    perform app.refuse_field('actual_end_time', 'in_the_future', 'It has not ended yet.');
  elsif ended <= began then
    perform app.refuse_field('actual_end_time', 'not_after_start', 'The end must be after the start.');
  elsif ended - began > interval '24 hours' then
    perform app.refuse_field('actual_end_time', 'too_long', 'A session lasts at most 24 hours.');
  elsif exists (
    select
    from public.sessions other
    where other.therapist_id = session.therapist_id
      and other.actual_start_time is not null
      and tstzrange(other.actual_start_time, other.actual_end_time) && tstzrange(began, ended)
      and other.slot_id <> session.slot_id)
  then
    perform app.refuse_field('actual_start_time', 'overlaps_another', 'The therapist was in another session then: complete or correct that one.');
  end if;
end
$$;
comment on function app.check_actual_times is
  'Refuses actual times that the session cannot have; ended is null while it goes on. What lasts is counted in elapsed time.';

create function app.check_location(location jsonb)
returns void
language plpgsql
stable
set search_path = ''
as $$
declare
  -- By the names that an answer has for them.
  given jsonb := '{}';
  wanted record;
begin
  if location is null then
    return;
  elsif jsonb_typeof(location) <> 'object' then
    perform app.refuse_field('location', 'invalid_type', 'Must be an object.');
  end if;
  given := (
    select coalesce(jsonb_object_agg('location.' || entry.key, entry.value), '{}') from jsonb_each(jsonb_strip_nulls(location)) entry);
  if not coalesce(given ->> 'location.method' in ('gps', 'telephony', 'fixed_device', 'manual'), false) then
    perform app.refuse_field('location.method', 'invalid_value', 'Must be gps, telephony, fixed_device or manual.');
  end if;
  for wanted in
    select number.field, number.lowest, number.highest
    from (values ('location.latitude', -90, 90), ('location.longitude', -180, 180), ('location.accuracy_meters', 0, 100000))
      number (field, lowest, highest)
    where given ? number.field
  loop
    if jsonb_typeof(given -> wanted.field) <> 'number'
      or (given ->> wanted.field)::numeric not between wanted.lowest and wanted.highest
    then
      perform app.refuse_field(
        wanted.field, 'invalid_value', format('Must be a number from %s to %s.', wanted.lowest, wanted.highest));
    end if;
  end loop;
  perform app.plain_text(given, line.field, 1, line.longest)
  from (values ('location.place', 300), ('location.device_id', 100), ('location.reason', 500)) line (field, longest)
  where given ? line.field;
  if given ->> 'location.device_id' !~ '^[!-~]+$' then
    perform app.refuse_field('location.device_id', 'invalid_format', 'Must be visible ASCII characters.');
  end if;
  perform app.require_fields(given, variadic case given ->> 'location.method'
    when 'gps' then '{location.latitude,location.longitude}'
    when 'manual' then '{location.reason}'
    else '{location.device_id}' end::text[]);
end
$$;
comment on function app.check_location is
  'Refuses a location that lacks what its method needs: {method, latitude, longitude, accuracy_meters, place, device_id, reason}.';

-- ---------------------------------------------------------------------------------------------------------
-- Writing
-- ---------------------------------------------------------------------------------------------------------

create function app.write_marks(sessions public.sessions[], event text, location jsonb, reason text)
returns void
language plpgsql
set search_path = ''
as $$
begin
  insert into public.attendance_marks (
    organization_id, session_id, event, status, actual_time, method, latitude, longitude, accuracy_meters, place, device_id, reason)
  select
    session.organization_id, session.id, event, session.status,
    case event when 'start' then session.actual_start_time when 'end' then session.actual_end_time end,
    location ->> 'method', (location ->> 'latitude')::double precision, (location ->> 'longitude')::double precision,
    (location ->> 'accuracy_meters')::double precision, location ->> 'place', location ->> 'device_id',
    coalesce(location ->> 'reason', reason)
  from unnest(sessions) session;
end
$$;
comment on function app.write_marks is 'Puts what was marked on record beside the sessions, which have it already.';

create function app.set_attendance(sessions public.sessions[], new_status text, began timestamptz, ended timestamptz, correction timestamptz default null)
returns public.sessions[]
language plpgsql
set search_path = ''
as $$
declare
  written public.sessions[];
begin
  with marked as (
    update public.sessions session
    set
      status = new_status,
      actual_start_time = case when new_status in ('in_progress', 'completed') then coalesce(began, session.actual_start_time) end,
      actual_end_time = ended,
      corrected_at = coalesce(correction, session.corrected_at)
    from unnest(sessions) given
    where session.organization_id = given.organization_id and session.id = given.id
    returning session
  )
  select array_agg(marked.session order by (marked.session).id) into written from marked;
  return written;
end
$$;
comment on function app.set_attendance is 'Writes a status with its actual times in one statement. Answers the sessions as they are now.';

create function app.marked(sessions public.sessions[])
returns jsonb
language plpgsql
stable
set search_path = ''
as $$
begin
  return jsonb_build_object('sessions', (
    select jsonb_agg(app.session_json(session) || jsonb_build_object(
      'actual_start_time', session.actual_start_time, 'actual_end_time', session.actual_end_time, 'attendance', session.attendance))
    from unnest(sessions) session));
end
$$;
comment on function app.marked is 'What marking answers: the sessions with what took place of them.';

create function app.start_session(organization uuid, request jsonb)
returns jsonb
language plpgsql
set search_path = ''
as $$
declare
  sessions public.sessions[] := app.sessions_to_mark(organization, request, false);
  began timestamptz := app.moment_of(request, 'actual_start_time');
  location jsonb := nullif(request -> 'location', 'null');
begin
  if sessions[1].status <> 'scheduled' then
    perform app.refuse_field('session_id', 'not_scheduled', 'Only a scheduled session can begin.');
  elsif began is null and clock_timestamp() > sessions[1].end_time then
    perform app.refuse_field('actual_start_time', 'required', 'Its booked time is over: say when it began.');
  end if;
  began := coalesce(began, clock_timestamp());
  perform app.check_location(location);
  perform app.check_actual_times(session, began, null) from unnest(sessions) session;
  sessions := app.set_attendance(sessions, 'in_progress', began, null);
  perform app.write_marks(sessions, 'start', location, null);
  return app.marked(sessions);
end
$$;
comment on function app.start_session is 'Marks that a session has begun: now, or when the caller says.';

create function app.complete_session(organization uuid, request jsonb)
returns jsonb
language plpgsql
set search_path = ''
as $$
declare
  sessions public.sessions[] := app.sessions_to_mark(organization, request, false);
  began timestamptz := app.moment_of(request, 'actual_start_time');
  ended timestamptz := app.moment_of(request, 'actual_end_time');
  location jsonb := nullif(request -> 'location', 'null');
  was text := sessions[1].status;
begin
  if was not in ('scheduled', 'in_progress') then
    perform app.refuse_field('session_id', 'not_in_progress', 'Only a session that is scheduled or in progress can be completed.');
  elsif was = 'scheduled' then
    perform app.require_fields(request, 'actual_start_time', 'actual_end_time');
  elsif began is not null then
    perform app.refuse_field('actual_start_time', 'not_allowed', 'It has begun already: correct_attendance changes when.');
  end if;
  perform app.check_location(location);
  if ended is null and exists (
    select
    from unnest(sessions) session
    where clock_timestamp() > app.marking_grace()
      + greatest(session.end_time, session.actual_start_time + (session.end_time - session.start_time)))
  then
    perform app.refuse_field('actual_end_time', 'required', 'Its time has been over for a while: say when it ended.');
  end if;
  ended := coalesce(ended, clock_timestamp());
  perform app.check_actual_times(session, coalesce(began, session.actual_start_time), ended) from unnest(sessions) session;
  sessions := app.set_attendance(sessions, 'completed', began, ended);
  if was = 'scheduled' then
    perform app.write_marks(sessions, 'start', location, null);
  end if;
  perform app.write_marks(sessions, 'end', location, null);
  return app.marked(sessions);
end
$$;
comment on function app.complete_session is
  'Marks that a session has ended: now, or when the caller says; one that was not started, with both its times.';

create function app.optional_reason(request jsonb)
returns text
language plpgsql
stable
set search_path = ''
as $$
begin
  return case when request ->> 'reason' is not null then app.plain_text(request, 'reason', 1, 500) end;
end
$$;
comment on function app.optional_reason is 'The reason of a request that need not give one.';

create function app.mark_no_show(organization uuid, request jsonb)
returns jsonb
language plpgsql
set search_path = ''
as $$
declare
  sessions public.sessions[] := app.sessions_to_mark(organization, request, false);
  reason text := app.optional_reason(request);
begin
  if sessions[1].status not in ('scheduled', 'in_progress') then
    perform app.refuse_field('session_id', 'not_open', 'Only a session that is scheduled or in progress can be a no-show.');
  elsif sessions[1].start_time > clock_timestamp() then
    perform app.refuse_field('session_id', 'in_the_future', 'It was not to begin yet.');
  end if;
  sessions := app.set_attendance(sessions, 'no_show', null, null);
  perform app.write_marks(sessions, 'no_show', null, reason);
  return app.marked(sessions);
end
$$;
comment on function app.mark_no_show is 'Marks that the client did not come, once the session was to begin. What was entered as its start is taken back.';

create function app.check_time_still_free(session public.sessions)
returns void
language plpgsql
set search_path = ''
as $$
declare
  claims app.claim[] := app.claims_of(app.booking_of_session(session), session.claim_id, 'session', null);
begin
  if session.status <> 'no_show' then
    return;
  end if;
  perform app.expire_holds_in_the_way(claims);
  if exists (
    select
    from unnest(claims) want
    join public.calendar_claims claim
      on claim.subject_id = want.subject_id and claim.lane = want.lane and claim.during && want.during
    where claim.slot_id <> want.slot_id)
    or exists (
      select
      from public.sessions mate
      where mate.organization_id = session.organization_id and mate.group_id = session.group_id
        and mate.client_id = session.client_id and mate.id <> session.id
        and mate.status in ('scheduled', 'in_progress', 'completed'))
    or exists (
      select
      from public.session_groups slot
      where slot.organization_id = session.organization_id and slot.id = session.group_id and slot.members >= slot.capacity)
  then
    perform app.refuse_field('session_id', 'time_taken', 'The time that the no-show freed was given to another booking.');
  end if;
end
$$;
comment on function app.check_time_still_free is 'Refuses to take back a no-show whose time was booked since.';

create function app.correct_attendance(organization uuid, request jsonb)
returns jsonb
language plpgsql
set search_path = ''
as $$
declare
  sessions public.sessions[];
  became text := request ->> 'status';
  began timestamptz := app.moment_of(request, 'actual_start_time');
  ended timestamptz := app.moment_of(request, 'actual_end_time');
  reason text;
begin
  perform app.require_fields(request, 'session_id', 'version', 'status', 'reason');
  sessions := app.sessions_to_mark(organization, request - 'whole_group', true);
  reason := app.plain_text(request, 'reason', 1, 500);
  if sessions[1].status not in ('in_progress', 'completed', 'no_show') then
    perform app.refuse_field('session_id', 'not_marked', 'Only what was marked can be corrected.');
  elsif became not in ('scheduled', 'completed', 'no_show') then
    perform app.refuse_field('status', 'invalid_value', 'Must be scheduled, completed or no_show.');
  elsif became = 'completed' then
    perform app.require_fields(request, 'actual_start_time', 'actual_end_time');
    perform app.check_actual_times(sessions[1], began, ended);
  elsif num_nonnulls(began, ended) > 0 then
    perform app.refuse_field(
      case when began is null then 'actual_end_time' else 'actual_start_time' end, 'not_allowed', 'Only what took place has actual times.');
  end if;
  if became = sessions[1].status
    and (began, ended) is not distinct from (sessions[1].actual_start_time, sessions[1].actual_end_time)
  then
    perform app.refuse_field('status', 'unchanged', 'It is so already.');
  end if;
  perform app.check_time_still_free(sessions[1]);
  sessions := app.set_attendance(sessions, became, began, ended, clock_timestamp());
  perform app.write_marks(sessions, 'correction', null, reason);
  return app.marked(sessions);
end
$$;
comment on function app.correct_attendance is
  'Corrects what was marked of a session: that it took place at other times, that it did not, or that nothing is marked yet.';
