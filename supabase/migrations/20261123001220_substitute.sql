-- Substitute: a therapist's sessions of some hours go to another.
--
-- Promises
--   * All of them or none; or with on_conflict skip those that can, and why the others cannot.
--   * A group goes whole or stays whole.

create function app.check_substitution(organization uuid, request jsonb)
returns void
language plpgsql
stable
set search_path = ''
as $$
declare
  starts timestamptz := (request ->> 'from')::timestamptz;
  ends timestamptz := (request ->> 'to')::timestamptz;
begin
  if not organization = any (app.org_ids_with_permission('book_any_session')) then
    perform app.refuse('forbidden', 'You may not give a therapist''s sessions to another.');
  elsif coalesce((request ->> 'assign_to_care_team')::boolean, false)
    and not organization = any (app.org_ids_with_role('internal_ops', 'admin'))
  then
    perform app.refuse('forbidden', 'You may not assign therapists to care teams.');
  end if;
  perform app.require_fields(request, 'therapist_id', 'substitute_id', 'from', 'to');
  if request ->> 'on_conflict' not in ('abort', 'skip') then
    perform app.refuse_field('on_conflict', 'unknown', 'Must be abort or skip.');
  elsif ends <= starts then
    perform app.refuse_field('to', 'not_after_from', 'Must be after from.');
  elsif ends > starts + interval '744 hours' then
    perform app.refuse_field('to', 'too_long', 'Must be at most 31 days after from.');
  elsif (request ->> 'substitute_id')::uuid = (request ->> 'therapist_id')::uuid then
    perform app.refuse_field('substitute_id', 'duplicate', 'Must be another therapist.');
  elsif not exists (
    select
    from public.therapists it
    where it.organization_id = organization and it.id = (request ->> 'substitute_id')::uuid)
  then
    perform app.refuse('not_found', 'There is no such therapist.');
  elsif coalesce((request ->> 'assign_to_care_team')::boolean, false)
    and not organization = any (app.org_ids_with_role('admin'))
    and exists (
      select
      from public.therapists it
      where it.organization_id = organization and it.id = (request ->> 'substitute_id')::uuid and it.user_id = auth.uid())
  then
    perform app.refuse('forbidden', 'Nobody but an admin assigns themselves to care teams.');
  end if;
end
$$;
comment on function app.check_substitution is 'Refuses a substitution that the caller may not ask for or that cannot be.';

create function app.sessions_to_give(organization uuid, request jsonb)
returns uuid[]
language plpgsql
stable
set search_path = ''
as $$
declare
  therapist uuid := (request ->> 'therapist_id')::uuid;
  named uuid[] := array(select distinct id::uuid from jsonb_array_elements_text(request -> 'session_ids') id);
  found uuid[];
begin
  if request ->> 'session_ids' is not null and exists (
    select
    from unnest(named) given
    where not exists (select from public.sessions it where it.organization_id = organization and it.id = given))
  then
    perform app.refuse('not_found', 'There is no such session.');
  end if;
  found := array(
    select session.id
    from public.sessions session
    where session.therapist_id = therapist and session.organization_id = organization
      and session.status = 'scheduled'
      and session.start_time >= (request ->> 'from')::timestamptz
      and session.start_time < (request ->> 'to')::timestamptz
      and session.start_time > clock_timestamp()
      and (request ->> 'session_ids' is null or session.id = any (named))
    order by session.id);
  if not named <@ found then
    perform app.refuse_field('session_ids', 'not_to_be_given',
      'Each must be a scheduled session of the therapist that starts between from and to and has not begun.');
  end if;
  return array(
    select session.id
    from public.sessions session
    where session.organization_id = organization and session.id = any (app.with_slot_mates(organization, found))
      and session.therapist_id = therapist
    order by session.id);
end
$$;
comment on function app.sessions_to_give is
  'The sessions of a request to substitute: the therapist''s own of teams, and of groups every live member.';

create function app.substitution_fault(change app.session_change, assign boolean)
returns jsonb
language plpgsql
stable
set search_path = ''
as $$
declare
  fault jsonb := app.fault_of(change);
begin
  if (change.session).status <> 'scheduled' then
    return '{"code": "not_scheduled", "message": "A session of this group has begun."}';
  elsif assign and fault ->> 'code' = 'not_assigned' then
    return null;
  end if;
  return fault;
end
$$;
comment on function app.substitution_fault is 'Why the substitute cannot have a session, be the time open or not; null when they can.';

create function app.substitution_conflicts(changes app.session_change[])
returns jsonb
language plpgsql
stable
set search_path = ''
as $$
declare
  -- A team's slot is not left by its other technicians, so it is not to be ignored.
  leaving uuid[] := array(
    select distinct (change.session).slot_id from unnest(changes) change where (change.session).team_id is null);
  conflicts jsonb := app.conflicts(array(select change.place from unnest(changes) change), leaving);
  held jsonb;
begin
  select coalesce(jsonb_agg(conflict), '[]') into held
  from (
    select distinct (change.session).organization_id, (change.session).group_id, (change.place).index
    from unnest(changes) change
    where (change.session).group_id is not null
  ) slot
  cross join lateral jsonb_array_elements(app.places_held(slot.organization_id, slot.group_id, slot.index)) conflict;
  return held || conflicts;
end
$$;
comment on function app.substitution_conflicts is 'What stands in the way of giving these sessions to the substitute, together.';

create function app.assign_for_days(organization uuid, changes app.session_change[])
returns void
language plpgsql
set search_path = ''
as $$
begin
  insert into public.care_team_assignments (organization_id, therapist_id, client_id, team_role, starts_on, ends_on)
  select distinct organization, (change.place).therapist_id, (change.place).client_id, 'therapist', local.day, local.day
  from unnest(changes) change
  join public.organizations clinic on clinic.id = organization
  cross join lateral (values (((change.place).start_time at time zone clinic.time_zone)::date)) as local (day)
  where not app.is_on_care_team(
    organization, (change.place).therapist_id, (change.place).client_id, local.day);
end
$$;
comment on function app.assign_for_days is
  'Puts the substitute on the care teams for the days of the sessions, and for no day more: it opens the clients'' records.';

create function app.substitute_therapist(organization uuid, request jsonb)
returns jsonb
language plpgsql
set search_path = ''
as $$
declare
  substitute uuid := (request ->> 'substitute_id')::uuid;
  assign boolean := coalesce((request ->> 'assign_to_care_team')::boolean, false);
  skips boolean := coalesce(request ->> 'on_conflict', 'abort') = 'skip';
  ids uuid[];
  sessions public.sessions[];
  changes app.session_change[];
  faults jsonb;
  conflicts jsonb;
  blocked integer[];
  skipped jsonb := '[]';
begin
  perform app.check_substitution(organization, request);
  ids := app.sessions_to_give(organization, request);
  sessions := app.lock_sessions(organization, ids, array[(request ->> 'therapist_id')::uuid, substitute]);
  if app.sessions_to_give(organization, request) <> ids then
    perform app.start_over();
  end if;
  changes := array(
    select app.changed(
      (dense_rank() over (order by session.start_time, session.slot_id) - 1)::integer, session, substitute,
      session.room_id, session.start_time, session.end_time, session.time_zone)
    from unnest(sessions) session);

  -- What cannot go is left out, and what is left is looked at again, until all that is left can go.
  loop
    faults := (
      select jsonb_object_agg((change.place).index, fault)
      from unnest(changes) change
      cross join lateral app.substitution_fault(change, assign) fault
      where fault is not null);
    conflicts := '[]';
    if faults is null then
      conflicts := app.substitution_conflicts(changes);
    end if;
    blocked := array(
      select key::integer from jsonb_object_keys(faults) key
      union
      select (conflict ->> 'occurrence')::integer from jsonb_array_elements(conflicts) conflict);
    exit when blocked = '{}';
    if not skips and faults is not null then
      perform app.refuse_fault('substitute_id', fault)
      from jsonb_each(faults) as found (key, fault) order by key::integer limit 1;
    elsif not skips then
      perform app.refuse_conflicts(array(select change.place from unnest(changes) change), conflicts);
    end if;
    skipped := skipped || (
      select jsonb_agg(jsonb_build_object(
        'id', (change.session).id,
        'code', coalesce(faults -> (change.place).index::text ->> 'code', app.conflict_code(reasons)),
        'conflicts', coalesce(reasons, '[]')) order by (change.session).start_time, (change.session).id)
      from unnest(changes) change
      cross join lateral app.conflicts_of_occurrence(conflicts, (change.place).index) reasons
      where (change.place).index = any (blocked));
    changes := array(select change from unnest(changes) change where not (change.place).index = any (blocked));
  end loop;

  if assign then
    perform app.assign_for_days(organization, changes);
  end if;
  return jsonb_build_object('substituted', app.write_changes(organization, changes), 'skipped', skipped);
end
$$;
comment on function app.substitute_therapist is
  'Gives the scheduled sessions of a therapist''s hours to a substitute. Answers the data of the HTTP contract.';
