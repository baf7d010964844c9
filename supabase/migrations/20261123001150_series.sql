-- Series: editing "this and following" or "all", extending and shortening are one operation.
--
-- Promises
--   * The past is never touched, nor what is not scheduled (in_progress, completed, no_show, cancelled).
--   * What is edited are the series' scheduled sessions whose place in it (occurrence_start) is at `from` or later. A
--     session whose place the new occurrences name keeps it, and one keeps its day where each is the only one of that day; the
--     others take, in order, the places that are left.
--     Sessions keep their id, notes and history; what stays as it is is not even updated. So extending is the same rule
--     with a later end: what exists does not change, what is missing is booked.
--   * A session that was moved by hand (of a rule also: made longer or shorter) keeps its own time, therapist and room: it
--     only gets its new place in the series.
--   * What is too many is cancelled by the clinic and leaves the series. What is missing is booked, with room and place
--     of service as the series' other sessions have.
--   * An occurrence that was cancelled, delivered or missed is not booked again by naming its time again, nor another time of
--     a day that has no other: `settled` names it and the series' exdates leave that time out.
--   * If anything of the series comes before what is edited, the series is split: its rule ends with the last
--     occurrence that stays, and a series that continues it takes the rest, with the sessions edited.
--   * All conflicts are found at once. A session that exists is never left behind: if its new place is blocked, the edit
--     is refused. With on_conflict skip, an occurrence that would have to be added and is blocked is left out and reported.
--   * A preview answers the same lists, and the conflicts, and writes nothing.

create type app.series_edit as (
  organization_id uuid,
  series public.session_series,
  service public.services,
  starts_from timestamptz,
  -- The last occurrence that stays as it is; null where none comes before what is edited.
  last_kept timestamptz,
  time_zone text,
  occurrences app.occurrence[],
  settled public.sessions[],
  -- The starts of those of the occurrences that they settle.
  left_out timestamptz[]
);

-- What becomes of one session, or of one occurrence that has none: keep, move, drop, add.
create type app.series_step as (
  kind text,
  session public.sessions,
  occurrence app.occurrence,
  booking app.booking
);

create function app.rule_until(rule text, until timestamptz)
returns text
language sql
immutable
set search_path = ''
as $$
  select ltrim(regexp_replace(rule, '(^|;)(COUNT|UNTIL)=[^;]*', '', 'gi'), ';')
    || ';UNTIL=' || to_char(until at time zone 'UTC', 'YYYYMMDD"T"HH24MISS"Z"')
$$;
comment on function app.rule_until is
  'The rule, ended at an instant: COUNT or UNTIL become UNTIL in UTC (RFC 5545 3.3.10). Null for a plain list.';

create function app.edited_sessions(series uuid, starts_from timestamptz)
returns setof public.sessions
language plpgsql
stable
set search_path = ''
as $$
begin
  return query
    select session.*
    from public.sessions session
    where session.series_id = series
      and session.organization_id = (select it.organization_id from public.session_series it where it.id = series)
      and session.status = 'scheduled'
      and session.occurrence_start >= starts_from
      and session.start_time > clock_timestamp();
end
$$;
comment on function app.edited_sessions is 'The sessions of a series that an edit from some occurrence on is about.';

create function app.settled_places(edited public.session_series, starts_from timestamptz, occurrences app.occurrence[], time_zone text)
returns table (session public.sessions, place timestamptz)
language plpgsql
stable
set search_path = ''
as $$
begin
  return query
    with recursive line as (
      select edited.id, edited.continues_series_id
      union all
      select earlier.id, earlier.continues_series_id
      from line
      join public.session_series earlier
        on earlier.organization_id = edited.organization_id and earlier.id = line.continues_series_id
    ),
    known as (
      select it, (it.occurrence_start at time zone settled_places.time_zone)::date as day,
        it.id in (select open.id from app.edited_sessions(edited.id, starts_from) open) as is_edited
      from line
      join public.sessions it on it.organization_id = edited.organization_id and it.series_id = line.id
      where it.occurrence_start >= starts_from
    ),
    of_day as (
      select wanted.start_time, local.day, count(*) over (partition by local.day) as places
      from unnest(occurrences) wanted
      cross join lateral (values ((wanted.start_time at time zone settled_places.time_zone)::date)) as local (day)
    )
    select known.it, of_day.start_time
    from known
    join of_day
      on of_day.start_time = (known.it).occurrence_start
      or of_day.day = known.day and of_day.places = 1
        and not exists (select from known other where other.day = known.day and other.is_edited)
    where not known.is_edited;
end
$$;
comment on function app.settled_places is
  'Sessions of a series, or of those it continues, that an edit does not touch, each with the occurrence that it names again: the '
  'same time, or the only one of a day on which the series has nothing else.';

-- ---------------------------------------------------------------------------------------------------------
-- What is asked for
-- ---------------------------------------------------------------------------------------------------------

create function app.find_series(organization uuid, request jsonb)
returns public.session_series
language plpgsql
stable
set search_path = ''
as $$
declare
  found public.session_series;
  grouped boolean;
begin
  select * into found
  from public.session_series it
  where it.organization_id = organization and it.id = (request ->> 'series_id')::uuid;
  if found.id is null or not coalesce(app.may_book(organization, found.therapist_id), false) then
    perform app.refuse('not_found', 'There is no such series.');
  end if;
  select service.is_group or service.is_team into grouped
  from public.services service
  where service.organization_id = organization and service.id = found.service_id;
  if grouped or found.client_id is null or found.therapist_id is null then
    perform app.refuse_field('series_id', 'of_a_group', 'A series of groups or teams is not edited as a whole: move its slots.');
  elsif found.status = 'held' then
    perform app.refuse_field('series_id', 'not_booked', 'Nothing of this series is booked yet: confirm its holds first.');
  end if;
  return found;
end
$$;
comment on function app.find_series is 'The series that a request names, or a refusal where it cannot be edited.';

create function app.check_series_request(organization uuid, request jsonb)
returns void
language plpgsql
stable
set search_path = ''
as $$
begin
  if (request ->> 'version')::integer is null then
    perform app.refuse_field('version', 'required', 'Say which version of the series you have seen.');
  elsif request ->> 'on_conflict' not in ('abort', 'skip') then
    perform app.refuse_field('on_conflict', 'unknown', 'Must be abort or skip.');
  elsif jsonb_typeof(request -> 'occurrences') is distinct from 'array' then
    perform app.refuse_field('occurrences', 'required', 'Give the occurrences.');
  elsif request ? 'recurrence'
    and coalesce(length(request -> 'recurrence' ->> 'rule'), 0) not between 1 and 1000
  then
    perform app.refuse_field('recurrence.rule', 'size', 'A rule has 1 to 1000 characters.');
  elsif not app.is_recurrence_rule(request -> 'recurrence' ->> 'rule') then
    perform app.refuse_field('recurrence.rule', 'invalid_format', 'Must be a rule by RFC 5545, as FREQ=WEEKLY;BYDAY=MO.');
  end if;
  perform app.check_time_zone(request ->> 'time_zone');
  perform app.check_room(organization, (request ->> 'room_id')::uuid);
end
$$;
comment on function app.check_series_request is 'Refuses a request to edit a series that makes no sense for any series.';

create function app.check_series_caller(series public.session_series, therapist uuid, starts_from timestamptz)
returns void
language plpgsql
stable
set search_path = ''
as $$
begin
  perform app.check_caller(series.organization_id, party.therapist_id, series.client_id)
  from (
    select series.therapist_id
    union
    select therapist where therapist is not null
    union
    select session.therapist_id from app.edited_sessions(series.id, starts_from) session
  ) party (therapist_id);
end
$$;
comment on function app.check_series_caller is
  'Refuses a caller who may not book every therapist, old and new, of what is edited, with the client.';

create function app.read_series_edit(series public.session_series, starts_from timestamptz, request jsonb)
returns app.series_edit
language plpgsql
stable
set search_path = ''
as $$
declare
  edit app.series_edit;
begin
  edit.organization_id := series.organization_id;
  edit.series := series;
  edit.starts_from := starts_from;
  edit.time_zone := request ->> 'time_zone';
  edit.occurrences := app.occurrences_of(request);
  edit.service := (
    select service
    from public.services service
    where service.organization_id = series.organization_id and service.id = series.service_id);
  edit.last_kept := (
    select max(session.occurrence_start)
    from public.sessions session
    where session.organization_id = series.organization_id and session.series_id = series.id
      and session.occurrence_start < starts_from);
  select
    coalesce(array_agg(settled.session order by (settled.session).occurrence_start, (settled.session).id), '{}'),
    coalesce(array_agg(settled.place), '{}')
  into edit.settled, edit.left_out
  from app.settled_places(series, starts_from, edit.occurrences, edit.time_zone) settled;

  perform app.check_times(edit.occurrences);
  perform app.check_offsets(edit.occurrences, edit.time_zone);
  if (select min(occurrence.start_time) from unnest(edit.occurrences) occurrence) <= edit.last_kept then
    perform app.refuse_field('start_time', 'before_what_stays', 'Must be after the occurrences that stay as they are.');
  end if;
  return edit;
end
$$;
comment on function app.read_series_edit is 'What an edit is about, read once its subjects are locked.';

-- ---------------------------------------------------------------------------------------------------------
-- What becomes of each session
-- ---------------------------------------------------------------------------------------------------------

create function app.series_steps(edit app.series_edit, request jsonb)
returns app.series_step[]
language plpgsql
stable
set search_path = ''
as $$
declare
  -- What a session that is added has in common with the others: the latest one, if any is not cancelled.
  pattern public.sessions := (
    select session
    from public.sessions session
    where session.organization_id = edit.organization_id and session.series_id = (edit.series).id
    order by session.status = 'cancelled', session.occurrence_start desc
    limit 1);
begin
  return array(
    with named as (
      select occurrence, local.day, count(*) over (partition by local.day) = 1 as is_alone
      from unnest(edit.occurrences) occurrence
      cross join lateral (values ((occurrence.start_time at time zone edit.time_zone)::date)) as local (day)
    ),
    place as (
      select named.* from named where (named.occurrence).start_time <> all (edit.left_out)
    ),
    edited as (
      select session, row_number() over (partition by session.occurrence_start order by session.id) as twin, local.day,
        count(*) over (partition by local.day) = 1 as is_alone
      from app.edited_sessions((edit.series).id, edit.starts_from) session
      cross join lateral (values ((session.occurrence_start at time zone edit.time_zone)::date)) as local (day)
    ),
    own as (
      select edited.session, place.occurrence
      from edited
      join place
        on (place.occurrence).start_time = (edited.session).occurrence_start and edited.twin = 1
        or place.day = edited.day and place.is_alone and edited.is_alone
    ),
    other as (
      select edited.session, row_number() over (order by (edited.session).occurrence_start, (edited.session).id) as number
      from edited
      where (edited.session).id not in (select (own.session).id from own)
    ),
    left_over as (
      select place.occurrence, row_number() over (order by (place.occurrence).start_time) as number
      from place
      where (place.occurrence).index not in (select (own.occurrence).index from own)
    ),
    pair as (
      select own.session, own.occurrence from own
      union all
      select other.session, left_over.occurrence from other full join left_over using (number)
    ),
    wanted as (
      select pair.session, pair.occurrence,
        coalesce((request ->> 'therapist_id')::uuid, (pair.session).therapist_id, (edit.series).therapist_id) as therapist,
        case
          when request ? 'room_id' then (request ->> 'room_id')::uuid
          when (pair.session).id is not null then (pair.session).room_id
          else pattern.room_id
        end as room
      from pair
    ),
    step as (
      select wanted.*,
        case
          when (wanted.occurrence).index is null then 'drop'
          when (wanted.session).id is null then 'add'
          when (wanted.session).start_time <> (wanted.session).occurrence_start then 'keep'
          -- Moved to end at another time. Of a list, each lasts as long as was asked for it.
          when (edit.series).rule is not null
            and app.whole_minutes((wanted.session).start_time, (wanted.session).end_time) <> (edit.series).duration_minutes
            then 'keep'
          when ((wanted.session).start_time, (wanted.session).end_time, (wanted.session).time_zone,
              (wanted.session).therapist_id, (wanted.session).room_id)
            is not distinct from ((wanted.occurrence).start_time, (wanted.occurrence).end_time, edit.time_zone,
              wanted.therapist, wanted.room)
            then 'keep'
          else 'move'
        end as kind
      from wanted
    )
    select row(
      step.kind, step.session, step.occurrence,
      case when step.kind in ('move', 'add') then app.as_booked(
        app.booking_for(
          (step.occurrence).index, edit.organization_id, step.therapist, (edit.series).client_id, step.room, edit.service,
          coalesce((step.session).slot_id, gen_random_uuid()), (step.occurrence).start_time, (step.occurrence).end_time),
        step.session) end
    )::app.series_step
    from step
    order by coalesce((step.occurrence).start_time, (step.session).occurrence_start));
end
$$;
comment on function app.series_steps is
  'What becomes of each session, and which occurrences are missing. A session keeps a place that is named again, or the only place '
  'of a day of which it is the only one; the rest is paired in order, so that whatever is too many or missing is at the end.';

create function app.slots_given_up(steps app.series_step[])
returns uuid[]
language plpgsql
stable
set search_path = ''
as $$
begin
  return array(
    select (step.session).slot_id
    from unnest(steps) step
    where step.kind in ('move', 'drop')
      -- The slot is also that of a hold which is about to move the session, and what that holds is taken.
      and not exists (
        select
        from public.session_holds hold
        where hold.organization_id = (step.session).organization_id and hold.session_id = (step.session).id
          and hold.status = 'held'));
end
$$;
comment on function app.slots_given_up is 'The slots of sessions that leave their time: it stands in nobody''s way.';

create function app.check_series_parties(edit app.series_edit, bookings app.booking[])
returns void
language plpgsql
stable
set search_path = ''
as $$
begin
  perform app.check_parties(edit.organization_id, party.therapist_id, (edit.series).client_id, edit.service, party.moments)
  from (
    select booking.therapist_id, array_agg(booking.start_time) as moments
    from unnest(bookings) booking
    group by booking.therapist_id
  ) party;
end
$$;
comment on function app.check_series_parties is 'app.check_parties for each therapist of the places that sessions are to take.';

create function app.skipped_addition(blocked app.booking, bookings app.booking[], conflicts jsonb, ignoring uuid[])
returns jsonb
language plpgsql
stable
set search_path = ''
as $$
declare
  reasons jsonb := app.conflicts_of_occurrence(conflicts, blocked.index);
begin
  return jsonb_build_object(
    'occurrence', blocked.index, 'start_time', blocked.start_time, 'end_time', blocked.end_time,
    'code', app.conflict_code(reasons),
    'conflicts', reasons,
    'alternatives', case
      when app.is_of_time(reasons) then app.alternatives(blocked, app.times_besides(bookings, blocked.index), ignoring)
      else '[]'
    end);
end
$$;
comment on function app.skipped_addition is
  'An occurrence that is not booked, why, and the open times nearest to it, as they will be after the edit.';
