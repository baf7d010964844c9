-- Open times: what can be booked, for one therapist or fifty, in one answer.
--
-- Promises
--   * What is offered, an immediate hold accepts: both stand on the same algebra (app.bookable_time) and the same rules
--     about who may be booked and what is authorized.
--   * Starts lie on a grid of the wall clock of the zone asked for, across changes of the clock.

create function app.starts_on_grid(open_time tstzmultirange, length interval, step interval, time_zone text)
returns setof timestamptz
language plpgsql
stable
set search_path = ''
as $$
declare
  -- The grid is one of local time. Every offset that the zone observes in the time gives its instants of the grid, and
  -- those count that have this offset themselves.
  utc_offsets integer[] := array(
    select distinct app.utc_offset_minutes(moment, time_zone)
    from (
      select generate_series(lower(open_time), upper(open_time), interval '12 hours')
      union all
      select upper(open_time)
    ) sampled (moment));
begin
  return query
  select candidate.start_time
  from unnest(open_time) part
  cross join unnest(utc_offsets) grid (minutes)
  cross join lateral generate_series(
    date_bin(step, lower(part), timestamptz 'epoch' - make_interval(mins => grid.minutes)), upper(part) - length, step
  ) candidate (start_time)
  where candidate.start_time >= lower(part)
    and (cardinality(utc_offsets) = 1
      or app.utc_offset_minutes(candidate.start_time, time_zone) = grid.minutes)
  order by candidate.start_time;
end
$$;
comment on function app.starts_on_grid is
  'Where a session of the length can start in open time, on the wall clock''s grid of the step (from local midnight).';

create function app.assigned_time(organization uuid, therapist uuid, client uuid, within tstzrange)
returns tstzmultirange
language plpgsql
stable
set search_path = ''
as $$
declare
  zone text := (select clinic.time_zone from public.organizations clinic where clinic.id = organization);
begin
  return coalesce((
    select range_agg(assigned.during * within)
    from public.care_team_assignments assignment
    cross join lateral (
      select tstzrange(
        app.local_to_instant(assignment.starts_on::timestamp, zone),
        case when assignment.ends_on is not null
          then app.local_to_instant((assignment.ends_on + 1)::timestamp, zone) end) as during
      offset 0
    ) assigned
    where assignment.organization_id = organization
      and assignment.therapist_id = therapist
      and assignment.client_id = client
      and assigned.during && within), '{}');
end
$$;
comment on function app.assigned_time is 'When, within a range, the therapist is on the client''s care team, by the days of the organization''s zone.';

create function app.authorized_time(booking app.booking, within tstzrange)
returns tstzmultirange
language plpgsql
stable
set search_path = ''
as $$
declare
  zone text := (select clinic.time_zone from public.organizations clinic where clinic.id = booking.organization_id);
  length interval := booking.end_time - booking.start_time;
  authorized tstzmultirange := '{}';
  day date;
begin
  -- Of whom nobody covers, nobody asks.
  if not exists (
    select
    from public.client_coverages coverage
    where coverage.organization_id = booking.organization_id and coverage.client_id = booking.client_id)
  then
    return tstzmultirange(within);
  end if;
  -- Units are found by the day, whatever its hour.
  for day in select app.local_dates(within, zone) loop
    booking.start_time := app.local_to_instant(day::timestamp, zone);
    booking.end_time := booking.start_time + length;
    if app.unit_conflicts(array[booking]) = '[]' then
      authorized := authorized
        + tstzmultirange(tstzrange(booking.start_time, app.local_to_instant((day + 1)::timestamp, zone)) * within);
    end if;
  end loop;
  return authorized;
end
$$;
comment on function app.authorized_time is
  'When, within a range, a session like the booking would find its authorized units, or needs none.';

create function app.open_starts(
  booking app.booking, within tstzrange, authorized tstzmultirange, step interval, time_zone text, preferred_only boolean
)
returns timestamptz[]
language plpgsql
stable
set search_path = ''
as $$
declare
  length interval := booking.end_time - booking.start_time;
  -- The start must be one that can be booked: as app.check_times has it, and on an authorized day of the care team. A session may end
  -- after it.
  startable tstzmultirange := app.assigned_time(booking.organization_id, booking.therapist_id, booking.client_id, within)
    * authorized * tstzmultirange(tstzrange(clock_timestamp() + interval '1 minute', clock_timestamp() + interval '10 years'));
  open_time tstzmultirange;
begin
  if isempty(startable) then
    return '{}';
  end if;
  open_time := app.bookable_time(booking, within);
  if preferred_only then
    open_time := open_time * app.preferred_time(booking.organization_id, booking.client_id, tstzmultirange(within));
  end if;
  return array(
    select start_time
    from app.starts_on_grid(open_time, length, step, time_zone) start_time
    where startable @> start_time);
end
$$;
comment on function app.open_starts is
  'When sessions like the booking can start within a range: a minute from now at the earliest, so that there is time to ask.';

create function app.check_search(request jsonb)
returns void
language plpgsql
stable
set search_path = ''
as $$
declare
  range_start timestamptz := (request ->> 'range_start')::timestamptz;
  range_end timestamptz := (request ->> 'range_end')::timestamptz;
  duration integer := (request ->> 'duration_minutes')::integer;
  step integer := coalesce((request ->> 'step_minutes')::integer, 15);
begin
  if duration is null or duration not between 1 and 1440 then
    perform app.refuse_field('duration_minutes', 'out_of_range', 'A session lasts 1 to 1440 minutes.');
  elsif step not between 5 and 1440 or 1440 % step <> 0 then
    perform app.refuse_field('step_minutes', 'out_of_range', 'Must be 5 to 1440 minutes, and divide a day.');
  elsif range_start is null or not isfinite(range_start) then
    perform app.refuse_field('range_start', 'required', 'Say from when.');
  elsif range_end is null or range_end <= range_start then
    perform app.refuse_field('range_end', 'not_after_start', 'The end must be after the start.');
  elsif range_end > range_start + interval '31 days' then
    perform app.refuse_field('range_end', 'too_long', 'A search covers at most 31 days.');
  elsif request ->> 'client_id' is null then
    perform app.refuse_field('client_id', 'required', 'Say for which client.');
  elsif jsonb_array_length(request -> 'therapist_ids') not between 1 and 50 then
    perform app.refuse_field('therapist_ids', 'size', 'A search names 1 to 50 therapists.');
  end if;
  perform app.check_time_zone(request ->> 'time_zone');
end
$$;
comment on function app.check_search is 'Refuses a search that cannot be answered.';

create function app.searched_therapists(organization uuid, request jsonb, service public.services, within tstzrange)
returns uuid[]
language plpgsql
stable
set search_path = ''
as $$
declare
  client uuid := (request ->> 'client_id')::uuid;
  any_therapist boolean := organization = any (app.org_ids_with_permission('book_any_session'));
  own uuid[] := case
    when organization = any (app.org_ids_with_permission('book_own_sessions')) then app.my_therapist_ids()
    else '{}'
  end;
  -- Without them nobody could hold what was offered.
  consents_are_live boolean := app.missing_consents(organization, client, service.id) = '{}';
  named uuid[];
begin
  if request -> 'therapist_ids' is not null then
    named := app.ids_of(request, 'therapist_id');
    -- As app.check_caller does it for one therapist.
    if (select count(*) from public.therapists it where it.organization_id = organization and it.id = any (named))
      <> cardinality(named)
    then
      perform app.refuse('not_found', 'There is no such therapist.');
    elsif not any_therapist and not named <@ own then
      perform app.refuse('forbidden', 'You may not book sessions of this therapist.');
    end if;
  end if;
  -- Fifty of those who could: who asks for more is answered by name.
  return array(
    select therapist.id
    from public.therapists therapist
    where therapist.organization_id = organization
      and consents_are_live
      and (named is null or therapist.id = any (named))
      and therapist.status = 'active'
      and (service.credentials is null or therapist.credential = any (service.credentials))
      and (any_therapist or therapist.id = any (own))
      and not isempty(app.assigned_time(organization, therapist.id, client, within))
    order by therapist.id
    limit 50);
end
$$;
comment on function app.searched_therapists is
  'The therapists named, or any that the caller may book, who are qualified and at some time of the range assigned; none for '
  'a client without the consents that the service asks for.';

create function app.find_open_times(organization uuid, request jsonb)
returns jsonb
language plpgsql
stable
set search_path = ''
as $$
declare
  zone text := request ->> 'time_zone';
  client uuid := (request ->> 'client_id')::uuid;
  room uuid := (request ->> 'room_id')::uuid;
  step interval := make_interval(mins => coalesce((request ->> 'step_minutes')::integer, 15));
  preferred_only boolean := coalesce((request ->> 'preferred_hours_only')::boolean, false);
  length interval := make_interval(mins => (request ->> 'duration_minutes')::integer);
  within tstzrange;
  service public.services;
  authorized tstzmultirange;
  found jsonb;
begin
  perform app.check_search(request);
  within := tstzrange((request ->> 'range_start')::timestamptz, (request ->> 'range_end')::timestamptz);
  service := app.find_service(organization, request ->> 'service_code');
  perform app.check_client(organization, client);
  perform app.check_room(organization, room);
  if (select it.status <> 'active' from public.clients it where it.organization_id = organization and it.id = client) then
    perform app.refuse_field('client_id', 'archived', 'This client is archived.');
  end if;

  -- The same whoever delivers it.
  authorized := app.authorized_time(
    app.booking_for(0, organization, null, client, room, service, client, lower(within), lower(within) + length), within);
  -- An array turned to jsonb whole: jsonb_agg of as many times is fifteen times slower.
  found := to_jsonb(array(
    select jsonb_build_object('therapist_id', therapist, 'start_times', to_jsonb(app.open_starts(
      app.booking_for(
        0, organization, therapist, client, room, service, therapist, lower(within), lower(within) + length),
      within, authorized, step, zone, preferred_only)))
    from unnest(app.searched_therapists(organization, request, service, within)) with ordinality as searched (therapist, position)
    order by position));
  return jsonb_build_object(
    'duration_minutes', (request ->> 'duration_minutes')::integer, 'time_zone', zone, 'therapists', found);
end
$$;
comment on function app.find_open_times is
  'The start times at which the client can be booked with each therapist. Answers the data of the HTTP contract.';
