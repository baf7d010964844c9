-- Reschedule: sessions move, change places, or go to a substitute.
--
-- Promises
--   * A call is all or nothing, and one statement: however many sessions it changes, none is nowhere in between.
--   * Nothing that moves stands in its own way; whatever stays does, holds of the same slot included.
--   * Who decides by what has changed since is told so (stale_version), and nothing is written.
--   * A group moves with all its members, a team's time with all of its; what has ended stays where it was.
--   * Where a session takes place is said until a claim says it: who accepts an offer does not know, and plans change.

create type app.session_change as (
  session public.sessions,
  place app.booking,
  time_zone text
);

-- ---------------------------------------------------------------------------------------------------------
-- Finding and locking
-- ---------------------------------------------------------------------------------------------------------

create function app.find_seen_version(organization uuid, wanted uuid, version integer, field text)
returns public.sessions
language plpgsql
stable
set search_path = ''
as $$
declare
  session public.sessions;
begin
  select it.* into session from public.sessions it where it.organization_id = organization and it.id = wanted;
  if session.id is null or not app.may_book(organization, session.therapist_id) then
    perform app.refuse('not_found', 'There is no such session.');
  elsif session.version <> version then
    perform app.refuse('stale_version', 'The session has changed since.',
      jsonb_build_object('version', session.version, 'reason', field));
  end if;
  return session;
end
$$;
comment on function app.find_seen_version is
  'A session that the caller may book, as they last saw it where they say so (version); or a refusal.';

create function app.find_own_session(organization uuid, wanted uuid, version integer, field text)
returns public.sessions
language plpgsql
stable
set search_path = ''
as $$
declare
  session public.sessions := app.find_seen_version(organization, wanted, version, field);
begin
  if session.status <> 'scheduled' then
    perform app.refuse_field(field, 'not_scheduled', 'Only a scheduled session can be moved.');
  end if;
  return session;
end
$$;
comment on function app.find_own_session is
  'A scheduled session that the caller may move, as the caller last saw it; or a refusal.';

create function app.with_slot_mates(organization uuid, session_ids uuid[])
returns uuid[]
language plpgsql
stable
set search_path = ''
as $$
begin
  return array(
    select named.id
    from public.sessions named
    where named.organization_id = organization and named.id = any (session_ids)
    union
    select mate.id
    from public.sessions named
    join public.sessions mate
      on mate.organization_id = named.organization_id
      and (mate.group_id = named.group_id or mate.team_id = named.team_id)
      and mate.status in ('scheduled', 'in_progress', 'completed')
    where named.organization_id = organization and named.id = any (session_ids)
    order by 1);
end
$$;
comment on function app.with_slot_mates is 'Sessions, and the live ones that share a group or team with them.';

-- ---------------------------------------------------------------------------------------------------------
-- Checking
-- ---------------------------------------------------------------------------------------------------------

create function app.service_of(session public.sessions)
returns public.services
language sql
stable
set search_path = ''
as $$
  select it from public.services it where it.organization_id = session.organization_id and it.id = session.service_id
$$;
comment on function app.service_of is 'The service of a session.';

create function app.changed(
  index integer, session public.sessions, therapist uuid, room uuid, start_time timestamptz, end_time timestamptz,
  time_zone text
)
returns app.session_change
language plpgsql
stable
set search_path = ''
as $$
begin
  return row(
    session,
    app.as_booked(
      app.booking_for(
        index, session.organization_id, therapist, session.client_id, room, app.service_of(session), session.slot_id,
        start_time, end_time),
      session),
    time_zone)::app.session_change;
end
$$;
comment on function app.changed is 'A session and its new place, with the buffers and lanes of the rules of today, or its own (app.as_booked).';

create function app.fault_of(change app.session_change)
returns jsonb
language plpgsql
stable
set search_path = ''
as $$
begin
  -- Same slot, so the ledger would not mind.
  if (change.session).team_id is not null and (change.place).therapist_id <> (change.session).therapist_id
    and exists (
      select
      from unnest(app.members_of((change.session).organization_id, (change.session).team_id)) member
      where member.therapist_id = (change.place).therapist_id)
  then
    return '{"field": "therapist_id", "code": "already_in_it", "message": "The therapist is in this team already."}';
  end if;
  return app.party_fault(
    (change.session).organization_id, (change.place).therapist_id, (change.place).client_id,
    app.service_of(change.session), (change.place).start_time);
end
$$;
comment on function app.fault_of is
  'Why the therapist cannot have the session in its new place, whoever asks: {field, code, message}; null when they can.';

create function app.check_change(change app.session_change, session_field text, therapist_field text, time_field text)
returns void
language plpgsql
stable
set search_path = ''
as $$
declare
  fault jsonb;
begin
  perform app.check_caller(
    (change.session).organization_id, (change.place).therapist_id, (change.place).client_id);
  fault := app.fault_of(change);
  if fault is not null then
    perform app.refuse_fault(
      case
        when (change.place).therapist_id <> (change.session).therapist_id then therapist_field
        when fault ->> 'code' = 'not_assigned' then time_field
        else session_field
      end,
      fault);
  end if;
end
$$;
comment on function app.check_change is
  'Refuses a change that the caller may not make or nobody can, by the name of the field that makes it impossible.';

create function app.check_new_time(request jsonb)
returns app.occurrence
language plpgsql
stable
set search_path = ''
as $$
declare
  wanted app.occurrence := row(
    null, request ->> 'start_time', request ->> 'end_time', request ->> 'start_time_offset_minutes',
    request ->> 'end_time_offset_minutes')::app.occurrence;
begin
  perform app.check_time_zone(request ->> 'time_zone');
  perform app.check_times(array[wanted]);
  perform app.check_offsets(array[wanted], request ->> 'time_zone');
  return wanted;
end
$$;
comment on function app.check_new_time is 'The time that a request moves a session to, or a refusal.';

create function app.places_held(organization uuid, slot uuid, index integer)
returns jsonb
language plpgsql
stable
set search_path = ''
as $$
begin
  return coalesce((
    select jsonb_agg(jsonb_build_object(
      'occurrence', index, 'subject', 'therapist', 'kind', 'hold', 'until', member.held_until))
    from unnest(app.members_of(organization, slot)) member
    where member.held_until is not null), '[]');
end
$$;
comment on function app.places_held is
  'The holds of places in a group or team, as conflicts: who was promised a place at a time is not moved to another.';

-- ---------------------------------------------------------------------------------------------------------
-- Writing
-- ---------------------------------------------------------------------------------------------------------

create function app.leave_the_ended(organization uuid, slots uuid[])
returns void
language plpgsql
set search_path = ''
as $$
begin
  perform app.expire_holds(array(
    select hold.id
    from public.session_holds hold
    where hold.organization_id = organization
      and (hold.group_id = any (slots) or hold.team_id = any (slots))
      and hold.status = 'held' and hold.expires_at <= clock_timestamp()));
  update public.sessions session
  set group_id = null, team_id = null
  where session.organization_id = organization
    and (session.group_id = any (slots) or session.team_id = any (slots))
    and session.status in ('cancelled', 'no_show');
  update public.session_holds hold
  set group_id = null, team_id = null
  where hold.organization_id = organization
    and (hold.group_id = any (slots) or hold.team_id = any (slots))
    and hold.status <> 'held';
end
$$;
comment on function app.leave_the_ended is
  'Takes what has ended out of groups and teams that are to move: a cancelled session was cancelled at its own time, and '
  'the foreign key would move it along.';

create function app.write_changes(organization uuid, changes app.session_change[])
returns jsonb
language plpgsql
set search_path = ''
as $$
declare
  moved_slots uuid[] := array(
    select distinct (change.session).slot_id
    from unnest(changes) change
    where ((change.session).group_id is not null and (change.place).therapist_id <> (change.session).therapist_id)
      or (num_nonnulls((change.session).group_id, (change.session).team_id) = 1
        and ((change.place).start_time, (change.place).end_time)
          is distinct from ((change.session).start_time, (change.session).end_time)));
  written uuid[];
begin
  if moved_slots <> '{}' then
    perform app.leave_the_ended(organization, moved_slots);
  end if;

  -- Groups, teams and sessions in one statement: at its end, when the foreign keys look, they agree again.
  with change as (
    select
      (given.session).id, (given.session).slot_id, (given.place).therapist_id, (given.place).room_id,
      (given.place).start_time, (given.place).end_time, given.time_zone, (given.place).takes_every_lane,
      (given.place).buffer_before_minutes, (given.place).buffer_after_minutes
    from unnest(changes) given
  ),
  moved_group as (
    update public.session_groups slot
    set therapist_id = change.therapist_id, start_time = change.start_time, end_time = change.end_time
    from (select distinct on (change.slot_id) change.* from change) change
    where slot.organization_id = organization and slot.id = any (moved_slots) and slot.id = change.slot_id
  ),
  moved_team as (
    update public.session_teams slot
    set start_time = change.start_time, end_time = change.end_time
    from (select distinct on (change.slot_id) change.* from change) change
    where slot.organization_id = organization and slot.id = any (moved_slots) and slot.id = change.slot_id
  ),
  moved as (
    update public.sessions session
    set therapist_id = change.therapist_id, room_id = change.room_id, start_time = change.start_time,
      end_time = change.end_time, time_zone = change.time_zone, takes_every_lane = change.takes_every_lane,
      buffer_before_minutes = change.buffer_before_minutes, buffer_after_minutes = change.buffer_after_minutes
    from change
    where session.organization_id = organization and session.id = change.id
    returning session.id
  )
  select array_agg(moved.id) into written from moved;
  return app.sessions_json(organization, written);
end
$$;
comment on function app.write_changes is 'Puts sessions, with their groups and teams, into their new places. Answers them as the wire has them.';

-- ---------------------------------------------------------------------------------------------------------
-- Move
-- ---------------------------------------------------------------------------------------------------------

create function app.move_session(organization uuid, request jsonb)
returns jsonb
language plpgsql
set search_path = ''
as $$
declare
  named_id uuid := (request ->> 'session_id')::uuid;
  version integer := (request ->> 'version')::integer;
  room uuid := (request ->> 'room_id')::uuid;
  wanted app.occurrence;
  named public.sessions;
  therapist uuid;
  ids uuid[];
  sessions public.sessions[];
  changes app.session_change[];
  plan app.booking_plan;
  conflicts jsonb;
begin
  perform app.require_fields(request, 'session_id', 'version', 'start_time', 'end_time', 'start_time_offset_minutes',
    'end_time_offset_minutes', 'time_zone');
  wanted := app.check_new_time(request);
  named := app.find_own_session(organization, named_id, version, 'session_id');
  therapist := coalesce((request ->> 'therapist_id')::uuid, named.therapist_id);
  perform app.check_room(organization, room);

  ids := app.with_slot_mates(organization, array[named_id]);
  sessions := app.lock_sessions(organization, ids, array[therapist, room]);
  named := app.find_own_session(organization, named_id, version, 'session_id');
  if app.with_slot_mates(organization, array[named_id]) <> ids then
    perform app.start_over();
  elsif exists (select from unnest(sessions) session where session.status <> 'scheduled') then
    perform app.refuse_field('session_id', 'not_scheduled', 'A session of this group or team has begun.');
  end if;

  -- The therapist of a group is one for all; of a team, only the named session's technician can change.
  changes := array(
    select app.changed(
      0, session, case when session.id = named_id or named.group_id is not null then therapist else session.therapist_id end,
      case when request ? 'room_id' then room else session.room_id end, wanted.start_time, wanted.end_time,
      request ->> 'time_zone')
    from unnest(sessions) session);
  perform app.check_change(change, 'session_id', 'therapist_id', 'start_time') from unnest(changes) change;

  plan.organization_id := organization;
  plan.bookings := array(select change.place from unnest(changes) change);
  conflicts := app.standing_conflicts(plan, request, '{}', ids);
  -- Whose room only is another asks for no other hours.
  if (therapist, wanted.start_time, wanted.end_time) = (named.therapist_id, named.start_time, named.end_time) then
    conflicts := coalesce(
      (select jsonb_agg(conflict) from jsonb_array_elements(conflicts) conflict where conflict ->> 'kind' <> 'unavailable'), '[]');
  end if;
  perform app.permit_override(organization, request);
  if num_nonnulls(named.group_id, named.team_id) = 1 then
    conflicts := app.places_held(organization, named.slot_id, 0) || conflicts;
  end if;
  if conflicts <> '[]' then
    perform app.refuse_conflicts(plan.bookings, conflicts, array[named.slot_id]);
  end if;
  perform app.record_overrides(organization, request, 'sessions', named_id);
  return jsonb_build_object('sessions', app.write_changes(organization, changes));
end
$$;
comment on function app.move_session is
  'Moves a session, or the group or team it is in, at once. Answers the data of the HTTP contract.';

-- ---------------------------------------------------------------------------------------------------------
-- Swap
-- ---------------------------------------------------------------------------------------------------------

create function app.swappable(organization uuid, request jsonb, id_field text, version_field text)
returns public.sessions
language plpgsql
stable
set search_path = ''
as $$
declare
  session public.sessions := app.find_own_session(
    organization, (request ->> id_field)::uuid, (request ->> version_field)::integer, id_field);
begin
  if num_nonnulls(session.group_id, session.team_id) > 0 then
    perform app.refuse_field(id_field, 'in_a_group', 'A session in a group or team is moved, not swapped.');
  elsif session.start_time <= clock_timestamp() then
    perform app.refuse_field(id_field, 'in_the_past', 'It has begun.');
  end if;
  return session;
end
$$;
comment on function app.swappable is 'A session of a request to swap, or a refusal.';

create function app.swap_sessions(organization uuid, request jsonb)
returns jsonb
language plpgsql
set search_path = ''
as $$
declare
  one public.sessions;
  other public.sessions;
  changes app.session_change[];
  bookings app.booking[];
  conflicts jsonb;
begin
  perform app.require_fields(request, 'session_id', 'version', 'other_session_id', 'other_version', 'exchange');
  if request ->> 'exchange' not in ('times', 'therapists') then
    perform app.refuse_field('exchange', 'unknown', 'Must be times or therapists.');
  elsif (request ->> 'session_id')::uuid = (request ->> 'other_session_id')::uuid then
    perform app.refuse_field('other_session_id', 'duplicate', 'Must be another session.');
  end if;
  one := app.swappable(organization, request, 'session_id', 'version');
  other := app.swappable(organization, request, 'other_session_id', 'other_version');
  perform app.lock_sessions(organization, array[one.id, other.id], '{}');
  one := app.swappable(organization, request, 'session_id', 'version');
  other := app.swappable(organization, request, 'other_session_id', 'other_version');

  if request ->> 'exchange' = 'times' then
    changes := array[
      app.changed(0, one, one.therapist_id, other.room_id, other.start_time, other.end_time, other.time_zone),
      app.changed(1, other, other.therapist_id, one.room_id, one.start_time, one.end_time, one.time_zone)];
  else
    changes := array[
      app.changed(0, one, other.therapist_id, one.room_id, one.start_time, one.end_time, one.time_zone),
      app.changed(1, other, one.therapist_id, other.room_id, other.start_time, other.end_time, other.time_zone)];
  end if;
  perform app.check_change(changes[1], 'session_id', 'session_id', 'session_id');
  perform app.check_change(changes[2], 'other_session_id', 'other_session_id', 'other_session_id');

  bookings := array[changes[1].place, changes[2].place];
  conflicts := app.conflicts(bookings, array[one.slot_id, other.slot_id])
    || app.unit_conflicts(bookings, array[one.id, other.id]);
  if conflicts <> '[]' then
    -- Alternatives are for moving one of them: the other would be where it is.
    perform app.refuse_conflicts(bookings, conflicts);
  end if;
  return jsonb_build_object('sessions', app.write_changes(organization, changes));
end
$$;
comment on function app.swap_sessions is
  'Two sessions exchange times and rooms, or therapists. Answers the data of the HTTP contract.';

-- ---------------------------------------------------------------------------------------------------------
-- Place of service
-- ---------------------------------------------------------------------------------------------------------

create function app.find_session_to_place(organization uuid, request jsonb)
returns public.sessions
language plpgsql
stable
set search_path = ''
as $$
declare
  session public.sessions := app.find_seen_version(
    organization, (request ->> 'session_id')::uuid, (request ->> 'version')::integer, 'session_id');
begin
  if session.status in ('cancelled', 'no_show') then
    perform app.refuse_field('session_id', 'not_open', 'It does not take place.');
  end if;
  return session;
end
$$;
comment on function app.find_session_to_place is
  'A session that the caller may book and that takes place or took place, as the caller last saw it; or a refusal.';

create function app.set_place_of_service(organization uuid, request jsonb)
returns jsonb
language plpgsql
set search_path = ''
as $$
declare
  place text := request ->> 'place_of_service';
  session public.sessions;
begin
  perform app.require_fields(request, 'session_id', 'place_of_service');
  if not exists (select from public.places_of_service known where known.code = place) then
    perform app.refuse_field('place_of_service', 'unknown', 'Not a place that claims know.');
  end if;
  session := app.find_session_to_place(organization, request);
  perform app.lock_sessions(organization, array[session.id]);
  session := app.find_session_to_place(organization, request);
  update public.sessions it
  set place_of_service = place
  where it.organization_id = organization and it.id = session.id and it.place_of_service is distinct from place;
  return jsonb_build_object('session', app.sessions_json(organization, array[session.id]) -> 0);
end
$$;
comment on function app.set_place_of_service is
  'Says where a session takes place, or took place while it is on no claim. Answers the data of the contract.';
