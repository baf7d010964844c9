-- Join: a place in a group or a team that exists.
--
-- Promises
--   * A group never has more members than its capacity, however many ask for the last place at once.
--   * Who joins takes the slot as it is: its time, service and zone, and what its members keep free around it.

-- ---------------------------------------------------------------------------------------------------------
-- What operations on something that exists have in common
-- ---------------------------------------------------------------------------------------------------------

create function app.require_fields(request jsonb, variadic fields text[])
returns void
language plpgsql
immutable
set search_path = ''
as $$
declare
  missing jsonb := (
    select jsonb_agg(
      jsonb_build_object('field', asked.field, 'code', 'required', 'message', 'Required.') order by asked.place)
    from unnest(fields) with ordinality as asked (field, place)
    where request ->> asked.field is null);
begin
  if missing is not null then
    perform app.refuse_fields(missing);
  end if;
end
$$;
comment on function app.require_fields is 'Refuses a request without these fields, for callers who come round the functions'' schemas.';

create function app.start_over()
returns void
language plpgsql
immutable
set search_path = ''
as $$
begin
  raise exception using
    errcode = 'deadlock_detected',
    message = 'what was read before its subjects were locked has changed';
end
$$;
comment on function app.start_over is
  'Ends an attempt whose locks are not those of what it is about any more: app.run_operation makes another.';

create function app.party_fault(organization uuid, therapist uuid, client uuid, service public.services, moment timestamptz)
returns jsonb
language plpgsql
stable
set search_path = ''
as $$
declare
  problem text;
begin
  perform app.check_parties(organization, therapist, client, service, array[moment]);
  return null;
exception
  when sqlstate 'HF000' then
    get stacked diagnostics problem = pg_exception_detail;
    return coalesce(
      problem::jsonb #> '{errors,0}',
      jsonb_build_object(
        'field', 'client_id', 'code', problem::jsonb ->> 'code', 'message', problem::jsonb ->> 'detail',
        'forms', problem::jsonb -> 'forms'));
end
$$;
comment on function app.party_fault is
  'What app.check_parties would refuse, {field, code, message}, for an operation whose request names the parties otherwise; '
  'null when nothing. Of missing consents also {forms}.';

create function app.refuse_fault(field text, fault jsonb)
returns void
language plpgsql
immutable
set search_path = ''
as $$
begin
  if fault ->> 'code' = 'consent_required' then
    perform app.refuse_missing_consents(array(select jsonb_array_elements_text(fault -> 'forms')));
  end if;
  perform app.refuse_field(field, fault ->> 'code', fault ->> 'message');
end
$$;
comment on function app.refuse_fault is 'Refuses for a fault of app.party_fault, by the name that the request has for the field.';

create type app.slot_member as (
  id uuid,
  therapist_id uuid,
  client_id uuid,
  room_id uuid,
  time_zone text,
  buffer_before_minutes smallint,
  buffer_after_minutes smallint,
  held_until timestamptz
);

create function app.members_of(organization uuid, slot uuid)
returns app.slot_member[]
language plpgsql
stable
set search_path = ''
as $$
begin
  return array(
    select row(member.id, member.therapist_id, member.client_id, member.room_id, member.time_zone,
      member.buffer_before_minutes, member.buffer_after_minutes, member.held_until)::app.slot_member
    from (
      select session.id, session.therapist_id, session.client_id, session.room_id, session.time_zone,
        session.buffer_before_minutes, session.buffer_after_minutes, null::timestamptz as held_until
      from public.sessions session
      where session.organization_id = organization
        and (session.group_id = slot or session.team_id = slot)
        and session.status in ('scheduled', 'in_progress', 'completed')
      union all
      select hold.id, hold.therapist_id, hold.client_id, hold.room_id, hold.time_zone,
        hold.buffer_before_minutes, hold.buffer_after_minutes, hold.expires_at
      from public.session_holds hold
      where hold.organization_id = organization
        and (hold.group_id = slot or hold.team_id = slot)
        and hold.status = 'held' and hold.expires_at > clock_timestamp()
    ) member
    order by member.held_until nulls first, member.id);
end
$$;
comment on function app.members_of is
  'The live sessions and then the live holds (held_until) in a group or a team.';

-- ---------------------------------------------------------------------------------------------------------
-- Joining
-- ---------------------------------------------------------------------------------------------------------

create type app.joined_slot as (
  id uuid,
  therapist_id uuid,
  client_id uuid,
  service_id uuid,
  start_time timestamptz,
  end_time timestamptz
);

create function app.slot_to_join(organization uuid, request jsonb)
returns app.joined_slot
language plpgsql
stable
set search_path = ''
as $$
declare
  slot app.joined_slot;
begin
  if num_nonnulls(request ->> 'group_id', request ->> 'team_id') <> 1 then
    perform app.refuse_field('group_id', 'exactly_one', 'Give group_id with client_id, or team_id with therapist_id.');
  end if;
  if request ->> 'group_id' is not null then
    perform app.require_fields(request, 'client_id');
    select it.id, it.therapist_id, (request ->> 'client_id')::uuid, it.service_id, it.start_time, it.end_time into slot
    from public.session_groups it
    where it.organization_id = organization and it.id = (request ->> 'group_id')::uuid;
  else
    perform app.require_fields(request, 'therapist_id');
    select it.id, (request ->> 'therapist_id')::uuid, it.client_id, it.service_id, it.start_time, it.end_time into slot
    from public.session_teams it
    where it.organization_id = organization and it.id = (request ->> 'team_id')::uuid;
  end if;
  -- As the policies of groups and teams; the family knows its child's.
  if slot.id is null or not (
    organization = any (app.org_ids_with_role('internal_ops', 'admin', 'super_admin'))
    or request ->> 'group_id' is not null and slot.therapist_id = any (app.caseload_therapist_ids())
    or request ->> 'team_id' is not null and slot.client_id = any (app.my_client_ids() || app.guarded_client_ids()))
  then
    perform app.refuse('not_found', 'There is no such group or team.');
  end if;
  perform app.check_caller(organization, slot.therapist_id, slot.client_id);
  return slot;
end
$$;
comment on function app.slot_to_join is
  'The group or team of a request with the therapist and client of the session that joining it makes, or a refusal.';

create function app.check_joining(
  organization uuid, slot app.joined_slot, service public.services, members app.slot_member[]
)
returns void
language plpgsql
stable
set search_path = ''
as $$
declare
  slot_field text := case when service.is_group then 'group_id' else 'team_id' end;
  party_field text := case when service.is_group then 'client_id' else 'therapist_id' end;
  fault jsonb := app.party_fault(organization, slot.therapist_id, slot.client_id, service, slot.start_time);
begin
  if slot.start_time <= clock_timestamp() then
    perform app.refuse_field(slot_field, 'in_the_past', 'It has begun.');
  elsif exists (
    select
    from unnest(members) member
    where member.therapist_id = slot.therapist_id and member.client_id = slot.client_id)
  then
    perform app.refuse_field(party_field, 'already_in_it', 'Has a place in it already.');
  elsif fault is not null then
    perform app.refuse_fault(
      case when fault ->> 'code' = 'not_assigned' or fault ->> 'field' = party_field then party_field else slot_field end, fault);
  elsif service.is_group
    and cardinality(members) >= (
      select it.capacity from public.session_groups it where it.organization_id = organization and it.id = slot.id)
  then
    perform app.refuse('group_full', 'Every place in this group is taken.');
  end if;
end
$$;
comment on function app.check_joining is 'Refuses who cannot join, whoever asks.';

create function app.join_slot(organization uuid, request jsonb)
returns jsonb
language plpgsql
set search_path = ''
as $$
declare
  slot app.joined_slot := app.slot_to_join(organization, request);
  hold_seconds integer := coalesce((request ->> 'hold_seconds')::integer, 300);
  members app.slot_member[] := app.members_of(organization, slot.id);
  rooms uuid[];
  plan app.booking_plan;
  booking app.booking;
  conflicts jsonb;
begin
  if hold_seconds not between 30 and 900 then
    perform app.refuse_field('hold_seconds', 'out_of_range', 'A hold lasts 30 to 900 seconds.');
  end if;
  -- A group's places are counted under its therapist's lock, a team's under its client's.
  perform app.lock_subjects(
    array[slot.therapist_id, slot.client_id] || array(select member.room_id from unnest(members) member));
  if app.slot_to_join(organization, request) is distinct from slot then
    perform app.start_over();
  end if;
  members := app.members_of(organization, slot.id);

  plan.organization_id := organization;
  plan.service := (select it from public.services it where it.organization_id = organization and it.id = slot.service_id);
  plan.time_zone := coalesce(
    members[1].time_zone, (select clinic.time_zone from public.organizations clinic where clinic.id = organization));
  perform app.check_joining(organization, slot, plan.service, members);

  rooms := array(select distinct member.room_id from unnest(members) member);
  booking := app.booking_for(
    0, organization, slot.therapist_id, slot.client_id, case when cardinality(rooms) = 1 then rooms[1] end,
    plan.service, slot.id, slot.start_time, slot.end_time);
  if (plan.service).is_group and members <> '{}' then
    booking.buffer_before_minutes := members[1].buffer_before_minutes;
    booking.buffer_after_minutes := members[1].buffer_after_minutes;
  end if;
  -- The therapist of a group with members is there already: one client more asks for no other hours.
  conflicts := coalesce(
    (select jsonb_agg(conflict)
      from jsonb_array_elements(app.conflicts(array[booking])) conflict
      where not ((plan.service).is_group and members <> '{}' and conflict ->> 'kind' = 'unavailable')),
    '[]') || app.unit_conflicts(array[booking]);
  if conflicts <> '[]' then
    -- The time is the slot's: no other one would be a place in it.
    perform app.refuse(app.conflict_code(conflicts), 'The time is not open.', jsonb_strip_nulls(jsonb_build_object(
      'conflicts', conflicts, 'retry_after', app.retry_after(conflicts), 'alternatives', '[]'::jsonb)));
  end if;
  return app.write_holds(
      plan, array[booking], clock_timestamp() + make_interval(secs => hold_seconds), app.new_id(), null)
    || '{"skipped": []}';
end
$$;
comment on function app.join_slot is
  'Holds a place in a group for a client, or in a team for a therapist. Answers the data of the HTTP contract.';
