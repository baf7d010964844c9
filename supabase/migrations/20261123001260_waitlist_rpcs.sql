-- Waitlist calls: join, leave, and answer what is offered.
--
-- Promises
--   * Schedulers, a client's care team and its family put it on the waitlist and take it off; its family, its schedulers
--     and the therapist whose time it is answer an offer.
--   * Accepting an offer books it; declining or leaving passes it on in the same transaction.

-- ---------------------------------------------------------------------------------------------------------
-- What the wire sees
-- ---------------------------------------------------------------------------------------------------------

create function app.waitlist_entry_json(entry_id uuid)
returns jsonb
language plpgsql
stable
set search_path = ''
as $$
begin
  return (
    select jsonb_build_object(
      'id', entry.id,
      'client_id', entry.client_id,
      'service_code', service.service_code,
      'therapist_id', entry.therapist_id,
      'duration_minutes', entry.duration_minutes,
      'wanted_from', entry.wanted_from,
      'wanted_until', entry.wanted_until,
      'time_zone', entry.time_zone,
      'status', entry.status,
      'wanted_times', (
        select jsonb_agg(jsonb_build_object(
            'weekday', wanted.weekday,
            'local_start', left(wanted.local_start::text, 5),
            'local_end', left(wanted.local_end::text, 5))
          order by wanted.weekday, wanted.local_start)
        from public.waitlist_times wanted
        where wanted.organization_id = entry.organization_id and wanted.entry_id = entry.id),
      'offer', (
        select jsonb_build_object(
          'hold_key', offer.id, 'therapist_id', offer.therapist_id, 'start_time', offer.start_time,
          'end_time', offer.end_time, 'expires_at', offer.expires_at)
        from public.session_holds offer
        where offer.organization_id = entry.organization_id and offer.waitlist_entry_id = entry.id
          and offer.status = 'held' and offer.expires_at > clock_timestamp()))
    from public.waitlist_entries entry
    join public.services service on service.organization_id = entry.organization_id and service.id = entry.service_id
    where entry.id = entry_id);
end
$$;
comment on function app.waitlist_entry_json is 'An entry of the waitlist as the wire has it, with the offer that it has now.';

create function app.may_wait_for(organization uuid, client uuid)
returns boolean
language plpgsql
stable
set search_path = ''
as $$
begin
  return exists (select from public.clients it where it.organization_id = organization and it.id = client)
    and (organization = any (app.org_ids_with_role('internal_ops', 'admin'))
      or organization = any (app.org_ids_with_role('therapist', 'supervisor')) and client = any (app.my_client_ids())
      or client = any (app.guarded_client_ids()));
end
$$;
comment on function app.may_wait_for is
  'Whether the caller may put the client on the waitlist and take it off: schedulers, its care team, its family.';

-- ---------------------------------------------------------------------------------------------------------
-- Join and leave
-- ---------------------------------------------------------------------------------------------------------

create function app.check_wanted_forms(request jsonb)
returns void
language plpgsql
stable
set search_path = ''
as $$
declare
  wrong jsonb;
begin
  select jsonb_agg(jsonb_build_object(
    'field', given.field,
    'code', case when given.value is null then 'required' else 'invalid_value' end,
    'message', case when given.value is null then 'Required.' else 'Not a value of this field.' end))
  into wrong
  from (
    select scalar.field, request ->> scalar.field, scalar.type, scalar.needed
    from (values
      ('duration_minutes', 'integer', true), ('wanted_from', 'date', true), ('wanted_until', 'date', false)
    ) scalar (field, type, needed)
    union all
    select format('wanted_times[%s].%s', item.position - 1, part.field), item.value ->> part.field, part.type, true
    from jsonb_array_elements(nullif(request -> 'wanted_times', 'null')) with ordinality item (value, position)
    cross join (values ('weekday', 'integer'), ('local_start', 'time'), ('local_end', 'time')) part (field, type)
  ) given (field, value, type, needed)
  where case
    when given.value is null then given.needed
    when given.type = 'time' and given.value !~ '^\d\d:\d\d$' then true
    else not pg_input_is_valid(given.value, given.type)
  end;
  if wrong is not null then
    perform app.refuse_fields(wrong);
  end if;
end
$$;
comment on function app.check_wanted_forms is 'Refuses what is no number, no date or no time of the day, before anything is read as one.';

create function app.check_wanted(hours app.weekly_hours[], duration_minutes integer, today date)
returns void
language plpgsql
stable
set search_path = ''
as $$
declare
  first_day date := hours[1].effective_from;
  last_day date := hours[1].effective_until;
  wrong jsonb;
begin
  with given as (
    select position - 1 as index, weekday, local_start, local_end
    from unnest(hours) with ordinality hour (
      weekday, local_start, local_end, effective_from, effective_until, time_zone, position)
  ),
  fault (field, code, message) as (
    select 'duration_minutes', 'out_of_range', 'A session lasts 1 to 1440 minutes.'
    where duration_minutes not between 1 and 1440
    union all
    select 'wanted_from', 'in_the_past', 'The day is past.'
    where first_day < today
    union all
    select 'wanted_until', 'before_wanted_from', 'Must not be before wanted_from.'
    where last_day < first_day
    union all
    select day.field, 'too_far', 'Must be within two years from today.'
    from (values ('wanted_from', first_day), ('wanted_until', last_day)) day (field, value)
    where day.value > today + 731
    union all
    select format('wanted_times[%s].weekday', given.index), 'out_of_range', 'Must be 1 (Monday) to 7 (Sunday).'
    from given
    where given.weekday not between 1 and 7
    union all
    select format('wanted_times[%s]', given.index), 'not_after_start', 'The end must be after the start.'
    from given
    where given.local_end <= given.local_start
    union all
    select format('wanted_times[%s]', given.index), 'shorter_than_session', 'Shorter than the session itself.'
    from given
    where given.local_end > given.local_start
      and given.local_end - given.local_start < make_interval(mins => duration_minutes)
    union all
    select format('wanted_times[%s]', given.index), 'overlaps_another', 'Overlaps an earlier one.'
    from given
    where exists (
      select
      from given earlier
      where earlier.index < given.index and earlier.weekday = given.weekday
        and earlier.local_start < given.local_end and given.local_start < earlier.local_end)
  )
  select jsonb_agg(jsonb_build_object('field', fault.field, 'code', fault.code, 'message', fault.message)) into wrong
  from fault;
  if wrong is not null then
    perform app.refuse_fields(wrong);
  end if;
end
$$;
comment on function app.check_wanted is 'Refuses hours, days and lengths that nobody could be offered anything for.';

create function app.join_waitlist(organization uuid, request jsonb)
returns jsonb
language plpgsql
set search_path = ''
as $$
declare
  client uuid := (request ->> 'client_id')::uuid;
  therapist public.therapists;
  zone text := request ->> 'time_zone';
  service public.services;
  hours app.weekly_hours[];
  entry uuid;
begin
  if client is null or not app.may_wait_for(organization, client) then
    perform app.refuse('not_found', 'There is no such client.');
  end if;
  perform app.check_wanted_forms(request);
  perform app.check_time_zone(zone);
  hours := array(
    select row(
      least(9, greatest(0, (item.value ->> 'weekday')::integer)), item.value ->> 'local_start', item.value ->> 'local_end',
      request ->> 'wanted_from', request ->> 'wanted_until', zone)::app.weekly_hours
    from jsonb_array_elements(nullif(request -> 'wanted_times', 'null')) with ordinality item (value, position)
    order by item.position);
  if cardinality(hours) not between 1 and 50 then
    perform app.refuse_field('wanted_times', 'size', 'Name 1 to 50 times.');
  end if;
  perform app.check_wanted(hours, (request ->> 'duration_minutes')::integer, (clock_timestamp() at time zone zone)::date);

  service := app.find_service(organization, request ->> 'service_code');
  if service.is_group or service.is_team then
    perform app.refuse_field('service_code', 'not_waited_for', 'Places in groups and teams are not offered by the waitlist.');
  end if;
  if request ->> 'therapist_id' is not null then
    select * into therapist
    from public.therapists it
    where it.organization_id = organization and it.id = (request ->> 'therapist_id')::uuid;
    if therapist.id is null then
      perform app.refuse('not_found', 'There is no such therapist.');
    elsif therapist.status <> 'active' then
      perform app.refuse_field('therapist_id', 'inactive', 'This therapist takes no sessions.');
    elsif not therapist.credential = any (service.credentials) then
      perform app.refuse_field('therapist_id', 'not_qualified', 'The service asks for another credential.');
    end if;
  end if;

  perform app.lock_subjects(array[client]);
  if exists (
    select from public.clients it where it.organization_id = organization and it.id = client and it.status <> 'active')
  then
    perform app.refuse_field('client_id', 'archived', 'This client is archived.');
  end if;
  if exists (
    select
    from public.waitlist_entries waiting
    where waiting.organization_id = organization and waiting.client_id = client and waiting.service_id = service.id
      and waiting.status = 'waiting')
  then
    perform app.refuse_field('client_id', 'already_waiting', 'This client waits for the service already.');
  end if;

  insert into public.waitlist_entries (
    organization_id, client_id, service_id, therapist_id, duration_minutes, wanted_from, wanted_until, time_zone)
  values (
    organization, client, service.id, therapist.id, (request ->> 'duration_minutes')::integer,
    (request ->> 'wanted_from')::date, (request ->> 'wanted_until')::date, zone)
  returning id into entry;
  insert into public.waitlist_times (organization_id, entry_id, client_id, weekday, local_start, local_end)
  select organization, entry, client, hour.weekday, hour.local_start, hour.local_end
  from unnest(hours) hour;
  insert into audit.events (organization_id, action, table_name, row_id)
  values (organization, 'waitlist.joined', 'waitlist_entries', entry);
  return jsonb_build_object('entry', app.waitlist_entry_json(entry));
end
$$;
comment on function app.join_waitlist is 'Puts a client on the waitlist. Answers the data of the HTTP contract.';

create function app.leave_waitlist(organization uuid, request jsonb)
returns jsonb
language plpgsql
set search_path = ''
as $$
declare
  entry public.waitlist_entries;
  offers uuid[];
begin
  select * into entry
  from public.waitlist_entries it
  where it.organization_id = organization and it.id = (request ->> 'waitlist_entry_id')::uuid;
  if entry.id is null or not app.may_wait_for(organization, entry.client_id) then
    perform app.refuse('not_found', 'There is no such entry of the waitlist.');
  end if;
  perform app.lock_subjects(array(
    select offer.therapist_id
    from public.session_holds offer
    where offer.organization_id = organization and offer.waitlist_entry_id = entry.id and offer.status = 'held'
  ) || entry.client_id);

  update public.waitlist_entries it
  set status = 'withdrawn'
  where it.organization_id = organization and it.id = entry.id and it.status = 'waiting';
  if found then
    insert into audit.events (organization_id, action, table_name, row_id)
    values (organization, 'waitlist.withdrawn', 'waitlist_entries', entry.id);
    offers := array(
      select offer.id
      from public.session_holds offer
      where offer.organization_id = organization and offer.waitlist_entry_id = entry.id and offer.status = 'held');
    perform app.end_offers(organization, offers);
    perform app.pass_on_offers(organization, offers);
  end if;
  return jsonb_build_object('entry', app.waitlist_entry_json(entry.id));
end
$$;
comment on function app.leave_waitlist is
  'Takes an entry off the waitlist; what it was offered passes on. An entry that waits no more stays what it is.';

-- ---------------------------------------------------------------------------------------------------------
-- Answer
-- ---------------------------------------------------------------------------------------------------------

create function app.answer_offer(organization uuid, request jsonb)
returns jsonb
language plpgsql
set search_path = ''
as $$
declare
  offer public.session_holds;
  data jsonb := '{}';
begin
  select * into offer
  from public.session_holds it
  where it.organization_id = organization and it.id = (request ->> 'hold_key')::uuid and it.waitlist_entry_id is not null;
  if offer.id is null
    or not (app.may_book(organization, offer.therapist_id) or offer.client_id = any (app.guarded_client_ids()))
  then
    perform app.refuse('not_found', 'There is no such offer.');
  end if;

  case request ->> 'answer'
    when 'accept' then
      -- Claims carry it, and a family does not see it.
      if request -> 'session' ->> 'place_of_service' is not null and not app.may_book(organization, offer.therapist_id) then
        perform app.refuse_field('session', 'not_allowed', 'The clinic says where a session takes place.');
      end if;
      data := app.book_holds(organization, offer.id, jsonb_build_object('session', request -> 'session'));
      if not app.may_book(organization, offer.therapist_id) then
        data := (select jsonb_build_object('appointment', to_jsonb(own)) from app.family_sessions() own where own.session_id = offer.id);
      end if;
      update public.waitlist_entries entry
      set status = 'booked'
      where entry.organization_id = organization and entry.id = offer.waitlist_entry_id;
      insert into audit.events (organization_id, action, table_name, row_id)
      values (organization, 'waitlist.booked', 'waitlist_entries', offer.waitlist_entry_id);
    when 'decline' then
      perform app.lock_subjects(array[offer.therapist_id, offer.client_id]);
      perform app.end_offers(organization, array[offer.id]);
      if exists (
        select
        from public.session_holds it
        where it.organization_id = organization and it.id = offer.id and it.status = 'confirmed')
      then
        perform app.refuse_ended_hold(offer, 'confirmed');
      end if;
      perform app.pass_on_offers(organization, array[offer.id]);
    else
      perform app.refuse_field('answer', 'unknown', 'Must be accept or decline.');
  end case;
  return data || jsonb_build_object('entry', app.waitlist_entry_json(offer.waitlist_entry_id));
end
$$;
comment on function app.answer_offer is
  'Accepts an offer, which books it, or declines it, which passes it on. Declining what has ended unused is no error. A family '
  'is told of what it booked as family_sessions shows it.';
