-- Series, continued: writing what 001150 decides, and the operation.
--
-- Promises
--   * The whole edit, or nothing: the series, its sessions, the ledger and the audit trail.
--   * Of two edits of one version of a series, one wins; the other is told the version that is now.

-- ---------------------------------------------------------------------------------------------------------
-- Writing
-- ---------------------------------------------------------------------------------------------------------

create function app.edited_series(edit app.series_edit, request jsonb, left_out timestamptz[])
returns public.session_series
language plpgsql
stable
set search_path = ''
as $$
declare
  edited public.session_series := edit.series;
  first app.occurrence := (select o from unnest(edit.occurrences) o order by o.start_time limit 1);
begin
  if edit.last_kept is not null then
    edited.id := null;
    edited.continues_series_id := (edit.series).id;
    edited.version := 0;
  end if;
  edited.version := edited.version + 1;
  edited.status := 'active';
  edited.therapist_id := coalesce((request ->> 'therapist_id')::uuid, edited.therapist_id);
  edited.time_zone := edit.time_zone;
  edited.rule := request -> 'recurrence' ->> 'rule';
  edited.local_start := coalesce(
    (request -> 'recurrence' ->> 'local_start')::timestamp, first.start_time at time zone edit.time_zone);
  edited.duration_minutes := app.whole_minutes(first.start_time, first.end_time);
  edited.exdates := array(
    select exdate
    from jsonb_array_elements_text(request -> 'recurrence' -> 'exdates') given (local_time)
    cross join lateral (values (given.local_time::timestamp)) as excluded (exdate)
    union
    select moment at time zone edit.time_zone from unnest(left_out) moment
    order by exdate);
  return edited;
end
$$;
comment on function app.edited_series is 'The series as the edit makes it; a new one, without an id, where it is split.';

create function app.write_series(edit app.series_edit, edited public.session_series)
returns uuid
language plpgsql
set search_path = ''
as $$
declare
  began timestamptz := (edit.series).local_start at time zone (edit.series).time_zone;
  written uuid;
begin
  if edited.id is not null then
    update public.session_series series
    set status = edited.status, therapist_id = edited.therapist_id, time_zone = edited.time_zone, rule = edited.rule,
      local_start = edited.local_start, duration_minutes = edited.duration_minutes, exdates = edited.exdates
    where series.organization_id = edited.organization_id and series.id = edited.id;
    written := edited.id;
  else
    -- All that stays may be of what the rule was before an edit: then the rule ends with its first occurrence, which is left out.
    update public.session_series series
    set status = 'ended', rule = app.rule_until(series.rule, greatest(edit.last_kept, began)),
      exdates = array(
        select exdate
        from unnest(series.exdates) exdate
        where exdate <= edit.last_kept at time zone series.time_zone
        union
        select series.local_start where series.rule is not null and edit.last_kept < began
        order by exdate)
    where series.organization_id = (edit.series).organization_id and series.id = (edit.series).id;
    insert into public.session_series (
      organization_id, therapist_id, client_id, service_id, time_zone, rule, local_start, duration_minutes, exdates,
      continues_series_id, status)
    values (
      edited.organization_id, edited.therapist_id, edited.client_id, edited.service_id, edited.time_zone, edited.rule,
      edited.local_start, edited.duration_minutes, edited.exdates, edited.continues_series_id, edited.status)
    returning id into written;
  end if;
  insert into audit.events (organization_id, action, table_name, row_id)
  values (edit.organization_id, 'series.updated', 'session_series', (edit.series).id);
  return written;
end
$$;
comment on function app.write_series is 'Writes the series, or ends it and begins the one that continues it. Returns which has the edited sessions.';

create function app.added_sessions(edit app.series_edit, steps app.series_step[], series uuid)
returns public.sessions[]
language plpgsql
stable
set search_path = ''
as $$
declare
  place_of_service text := (
    select session.place_of_service
    from public.sessions session
    where session.organization_id = edit.organization_id and session.series_id = (edit.series).id
    order by session.status = 'cancelled', session.occurrence_start desc
    limit 1);
begin
  return array(
    select jsonb_populate_record(null::public.sessions, to_jsonb(step.booking) || jsonb_build_object(
      'id', (step.booking).slot_id, 'service_id', (edit.service).id, 'time_zone', edit.time_zone, 'series_id', series,
      'occurrence_start', (step.booking).start_time, 'status', 'scheduled', 'place_of_service', place_of_service, 'version', 1))
    from unnest(steps) step
    where step.kind = 'add'
    order by (step.booking).start_time);
end
$$;
comment on function app.added_sessions is 'The sessions that are missing, as they will be written.';

create function app.write_series_sessions(edit app.series_edit, steps app.series_step[], series uuid, added public.sessions[])
returns void
language plpgsql
set search_path = ''
as $$
begin
  update public.sessions session
  set status = 'cancelled', cancelled_by = 'clinic', series_id = null, occurrence_start = null
  from unnest(steps) step
  where step.kind = 'drop' and session.organization_id = (edit.series).organization_id and session.id = (step.session).id;

  -- One statement: sessions may take each other's places.
  update public.sessions session
  set series_id = series, occurrence_start = (step.occurrence).start_time, time_zone = edit.time_zone,
    therapist_id = (step.booking).therapist_id, room_id = (step.booking).room_id,
    start_time = (step.booking).start_time, end_time = (step.booking).end_time,
    takes_every_lane = (step.booking).takes_every_lane,
    buffer_before_minutes = (step.booking).buffer_before_minutes,
    buffer_after_minutes = (step.booking).buffer_after_minutes
  from unnest(steps) step
  where step.kind = 'move' and session.organization_id = (edit.series).organization_id and session.id = (step.session).id;

  update public.sessions session
  set series_id = series, occurrence_start = (step.occurrence).start_time
  from unnest(steps) step
  where step.kind = 'keep' and session.organization_id = (edit.series).organization_id and session.id = (step.session).id
    and (session.series_id, session.occurrence_start) is distinct from (series, (step.occurrence).start_time);

  insert into public.sessions (
    id, organization_id, therapist_id, client_id, room_id, service_id, series_id, occurrence_start, takes_every_lane,
    buffer_before_minutes, buffer_after_minutes, start_time, end_time, time_zone, place_of_service)
  select
    session.id, session.organization_id, session.therapist_id, session.client_id, session.room_id, session.service_id,
    series, session.occurrence_start, session.takes_every_lane, session.buffer_before_minutes,
    session.buffer_after_minutes, session.start_time, session.end_time, session.time_zone, session.place_of_service
  from unnest(added) session
  order by session.start_time;
end
$$;
comment on function app.write_series_sessions is 'Cancels, moves, keeps and adds, in this order: what is given up is free for what is moved.';

-- ---------------------------------------------------------------------------------------------------------
-- The operation
-- ---------------------------------------------------------------------------------------------------------

create function app.lock_series(series public.session_series, starts_from timestamptz, request jsonb)
returns void
language plpgsql
set search_path = ''
as $$
begin
  perform app.lock_subjects(array[
      series.therapist_id, series.client_id, (request ->> 'therapist_id')::uuid, (request ->> 'room_id')::uuid]
    || array(
      select subject.id
      from public.sessions session
      cross join lateral (values (session.therapist_id), (session.room_id)) as subject (id)
      where session.organization_id = series.organization_id and session.series_id = series.id
        and session.occurrence_start >= starts_from));
  perform
  from public.session_series it
  where it.organization_id = series.organization_id and it.id = series.id
  for update;
  perform
  from public.sessions session
  where session.organization_id = series.organization_id and session.series_id = series.id
    and session.occurrence_start >= starts_from
  order by session.id
  for update;
end
$$;
comment on function app.lock_series is 'Queues behind other writers of whatever the edit may touch, then locks its rows.';

create function app.session_ids(steps app.series_step[], of_kind text)
returns jsonb
language sql
immutable
set search_path = ''
as $$
  select coalesce(jsonb_agg((step.session).id), '[]') from unnest(steps) step where step.kind = of_kind
$$;
comment on function app.session_ids is 'The sessions of the steps of a kind, as the wire has them.';

create function app.update_series(organization uuid, request jsonb)
returns jsonb
language plpgsql
set search_path = ''
as $$
declare
  is_preview boolean := coalesce((request ->> 'preview')::boolean, false);
  skip_conflicts boolean := coalesce(request ->> 'on_conflict', 'abort') = 'skip';
  -- What has begun is the past, whatever is asked.
  starts_from timestamptz := greatest((request ->> 'from')::timestamptz, clock_timestamp());
  series public.session_series := app.find_series(organization, request);
  edit app.series_edit;
  steps app.series_step[];
  bookings app.booking[];
  ignoring uuid[];
  conflicts jsonb;
  blocked integer[];
  skipped jsonb;
  edited public.session_series;
  added public.sessions[];
begin
  perform app.check_series_request(organization, request);
  perform app.check_series_caller(series, (request ->> 'therapist_id')::uuid, starts_from);
  if not is_preview then
    perform app.lock_series(series, starts_from, request);
    series := app.find_series(organization, request);
    perform app.check_series_caller(series, (request ->> 'therapist_id')::uuid, starts_from);
  end if;
  if series.version <> (request ->> 'version')::integer then
    perform app.refuse('stale_version', 'The series has changed since.', jsonb_build_object('version', series.version));
  end if;

  edit := app.read_series_edit(series, starts_from, request);
  steps := app.series_steps(edit, request);
  bookings := array(select step.booking from unnest(steps) step where step.kind in ('move', 'add'));
  perform app.check_series_parties(edit, bookings);
  ignoring := app.slots_given_up(steps);
  conflicts := app.standing_conflicts(
    row(organization, edit.service, edit.time_zone, null, edit.occurrences, bookings)::app.booking_plan, request, ignoring,
    array(select (step.session).id from unnest(steps) step where step.kind in ('move', 'drop')));
  perform app.permit_override(organization, request);
  blocked := array(select distinct (conflict ->> 'occurrence')::integer from jsonb_array_elements(conflicts) conflict);
  -- What exists is not left behind, and an edit that leaves nothing of the series is none.
  if blocked <> '{}' and not is_preview and (
    not skip_conflicts
    or exists (select from unnest(steps) step where step.kind = 'move' and (step.occurrence).index = any (blocked))
    or not exists (
      select from unnest(steps) step where step.kind <> 'drop' and (step.occurrence).index <> all (blocked)))
  then
    perform app.refuse_conflicts(bookings, conflicts, ignoring);
  end if;

  skipped := '[]';
  if skip_conflicts and blocked <> '{}' then
    select coalesce(jsonb_agg(app.skipped_addition(step.booking, bookings, conflicts, ignoring)), '[]')
    into skipped
    from unnest(steps) step
    where step.kind = 'add' and (step.occurrence).index = any (blocked);
    steps := array(
      select step from unnest(steps) step where step.kind <> 'add' or (step.occurrence).index <> all (blocked));
  end if;
  edited := app.edited_series(edit, request, array(
    select unnest(edit.left_out)
    union
    select (item ->> 'start_time')::timestamptz from jsonb_array_elements(skipped) item));

  added := app.added_sessions(edit, steps, edited.id);
  if not is_preview then
    edited.id := app.write_series(edit, edited);
    perform app.write_series_sessions(edit, steps, edited.id, added);
    perform app.record_overrides(organization, request, 'session_series', edited.id);
    perform app.offer_freed_time(
      organization, array(select (step.session).id from unnest(steps) step where step.kind = 'drop'));
  end if;
  return jsonb_build_object(
    'series', jsonb_build_object(
      'id', edited.id, 'continues_series_id', edited.continues_series_id, 'rule', edited.rule,
      'time_zone', edited.time_zone, 'local_start', edited.local_start, 'exdates', edited.exdates,
      'version', edited.version, 'status', edited.status),
    'moved', app.session_ids(steps, 'move'),
    'unchanged', app.session_ids(steps, 'keep'),
    'added', coalesce(
      (select jsonb_agg(
          -- Nothing has that id, as long as nothing is written.
          app.session_json(session) || case when is_preview then '{"id": null}' else
            jsonb_build_object('series_id', edited.id) end
          order by session.start_time)
        from unnest(added) session),
      '[]'),
    'cancelled', app.session_ids(steps, 'drop'),
    'settled', coalesce((select jsonb_agg(settled.id) from unnest(edit.settled) settled), '[]'),
    'skipped', skipped)
    || case when is_preview then jsonb_build_object('conflicts', conflicts) else '{}' end;
end
$$;
comment on function app.update_series is
  'Edits, extends or shortens a series from some occurrence on, or says what that would do. Answers the data of the HTTP contract.';
