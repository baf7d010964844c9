-- Availability by call: a therapist's weekly hours.
--
-- Promises
--   * Only who holds manage_availability changes when somebody works.
--   * Setting hours touches no day outside of the span it names.
--   * What is booked and now lies outside of the therapist's hours is named.

create function app.check_availability_manager(organization uuid)
returns void
language plpgsql
stable
set search_path = ''
as $$
begin
  if not organization = any (app.org_ids_with_permission('manage_availability')) then
    perform app.refuse('forbidden', 'You may not change when therapists work.');
  end if;
end
$$;
comment on function app.check_availability_manager is 'Refuses a caller who may not change availability in the organization.';

create function app.check_therapist(organization uuid, therapist uuid)
returns void
language plpgsql
stable
set search_path = ''
as $$
begin
  if therapist is null then
    perform app.refuse_field('therapist_id', 'required', 'Say whose time it is.');
  elsif not exists (
    select from public.therapists it where it.organization_id = organization and it.id = therapist)
  then
    perform app.refuse('not_found', 'There is no such therapist.');
  end if;
end
$$;
comment on function app.check_therapist is 'Refuses a therapist who is none of the organization''s.';

create function app.date_in(request jsonb, field text)
returns date
language plpgsql
stable
set search_path = ''
as $$
declare
  given text := request ->> field;
begin
  if given is null then
    return null;
  elsif given !~ '^\d{4}-\d{2}-\d{2}$' or not pg_input_is_valid(given, 'date') then
    perform app.refuse_field(field, 'invalid_format', 'Must be a day such as 2027-03-14.');
  elsif given::date not between current_date - interval '10 years' and current_date + interval '10 years' then
    perform app.refuse_field(field, 'out_of_range', 'Must be within ten years of today.');
  end if;
  return given::date;
end
$$;
comment on function app.date_in is 'A day of a request, at most ten years from today; null when it is not given.';

create function app.moment_in(request jsonb, field text)
returns timestamptz
language plpgsql
stable
set search_path = ''
as $$
declare
  given text := request ->> field;
begin
  if given is null then
    perform app.refuse_field(field, 'required', 'Required.');
  elsif not pg_input_is_valid(given, 'timestamptz') then
    perform app.refuse_field(field, 'invalid_format', 'Must be an instant such as 2027-03-14T09:00:00-07:00.');
  elsif given::timestamptz not between now() - interval '10 years' and now() + interval '10 years' then
    perform app.refuse_field(field, 'out_of_range', 'Must be within ten years of today.');
  end if;
  return given::timestamptz;
end
$$;
comment on function app.moment_in is 'An instant of a request, at most ten years from now.';

create function app.sessions_outside(organization uuid, therapist uuid, within tstzrange)
returns jsonb
language plpgsql
stable
set search_path = ''
as $$
begin
  return (
    with ahead as (
      select session.id, session.client_id, session.series_id, session.start_time, session.end_time
      from public.sessions session
      where session.organization_id = organization and session.therapist_id = therapist
        and session.status = 'scheduled' and session.start_time > clock_timestamp()
        and session.start_time < upper(within) and session.end_time > lower(within)
    ),
    working as (
      -- Time off is no matter of hours: what was kept in it is judged by the hours as if there was none.
      select app.available_time(
        organization, therapist, range_agg(tstzrange(ahead.start_time, ahead.end_time)), kept_too => true) as available
      from ahead
    )
    select coalesce(jsonb_agg(jsonb_build_object(
      'id', ahead.id, 'therapist_id', therapist, 'client_id', ahead.client_id, 'series_id', ahead.series_id,
      'start_time', ahead.start_time, 'end_time', ahead.end_time) order by ahead.start_time, ahead.id), '[]')
    from ahead
    cross join working
    where not working.available @> tstzrange(ahead.start_time, ahead.end_time));
end
$$;
comment on function app.sessions_outside is
  'The scheduled sessions of a therapist still to come that touch a range and lie outside of the hours the therapist works.';

-- ---------------------------------------------------------------------------------------------------------
-- Weekly hours
-- ---------------------------------------------------------------------------------------------------------

create function app.hours_in(request jsonb, effective_from date, effective_until date)
returns app.weekly_hours[]
language plpgsql
stable
set search_path = ''
as $$
declare
  clock constant text := '^([01][0-9]|2[0-3]):[0-5][0-9]$';
  wrong jsonb;
  hours app.weekly_hours[];
begin
  if coalesce(jsonb_typeof(request -> 'hours'), '') <> 'array' then
    perform app.refuse_field('hours', 'required', 'A list of weekly hours; empty when the therapist does not work.');
  elsif jsonb_array_length(request -> 'hours') > 100 then
    perform app.refuse_field('hours', 'size', 'A week has at most 100 stretches of hours.');
  end if;

  with given as (
    select
      item.position - 1 as index,
      case when item.value ->> 'weekday' ~ '^[1-7]$' then (item.value ->> 'weekday')::smallint end as weekday,
      case when item.value ->> 'local_start' ~ clock then (item.value ->> 'local_start')::time end as local_start,
      case
        when item.value ->> 'local_end' ~ clock or item.value ->> 'local_end' = '24:00' then (item.value ->> 'local_end')::time
      end as local_end
    from jsonb_array_elements(request -> 'hours') with ordinality as item (value, position)
  ),
  fault (index, field, code, message) as (
    select given.index, '.weekday', 'out_of_range', 'Must be 1 (Monday) to 7 (Sunday).'
    from given
    where given.weekday is null
    union all
    select given.index, '.local_start', 'invalid_format', 'Must be a wall-clock time from 00:00 to 23:59.'
    from given
    where given.local_start is null
    union all
    select given.index, '.local_end', 'invalid_format', 'Must be a wall-clock time from 00:00 to 24:00.'
    from given
    where given.local_end is null
    union all
    select given.index, '.local_end', 'not_after_start', 'Must be after local_start.'
    from given
    where given.local_end <= given.local_start
    union all
    select given.index, '', 'overlaps_another', 'Overlaps other hours of this list.'
    from given
    where exists (
      select
      from given earlier
      where earlier.index < given.index and earlier.weekday = given.weekday
        and earlier.local_start < given.local_end and earlier.local_end > given.local_start)
  )
  select
    (select jsonb_agg(
        jsonb_build_object(
          'field', format('hours[%s]%s', fault.index, fault.field), 'code', fault.code, 'message', fault.message)
        order by fault.index)
      from fault),
    array(
      select row(
        given.weekday, given.local_start, given.local_end, effective_from, effective_until,
        request ->> 'time_zone')::app.weekly_hours
      from given)
  into wrong, hours;
  if wrong is not null then
    perform app.refuse_fields(wrong);
  end if;
  return hours;
end
$$;
comment on function app.hours_in is 'The weekly hours of a request, or a refusal that names each hour that cannot be.';

create function app.clear_hours(organization uuid, therapist uuid, first_day date, last_day date)
returns void
language plpgsql
set search_path = ''
as $$
declare
  -- Rows that begin before and end after are two afterwards.
  on_both_sides public.therapist_availability[] := array(
    select it
    from public.therapist_availability it
    where it.organization_id = organization and it.therapist_id = therapist
      and it.effective_from < first_day and (it.effective_until is null or it.effective_until > last_day));
begin
  delete from public.therapist_availability it
  where it.organization_id = organization and it.therapist_id = therapist
    and it.effective_from >= first_day and (last_day is null or it.effective_until <= last_day);
  update public.therapist_availability it
  set effective_until = first_day - 1
  where it.organization_id = organization and it.therapist_id = therapist
    and it.effective_from < first_day and (it.effective_until is null or it.effective_until >= first_day);
  update public.therapist_availability it
  set effective_from = last_day + 1
  where it.organization_id = organization and it.therapist_id = therapist
    and it.effective_from between first_day and last_day and (it.effective_until is null or it.effective_until > last_day);
  insert into public.therapist_availability (
    organization_id, therapist_id, weekday, local_start, local_end, effective_from, effective_until, time_zone)
  select
    organization, therapist, rest.weekday, rest.local_start, rest.local_end, last_day + 1, rest.effective_until, rest.time_zone
  from unnest(on_both_sides) rest
  where last_day is not null;
end
$$;
comment on function app.clear_hours is
  'Takes away a therapist''s weekly hours between two days (null: from the first day on); what lies before and after stays.';

create function app.set_availability(organization uuid, request jsonb)
returns jsonb
language plpgsql
set search_path = ''
as $$
declare
  therapist uuid := (request ->> 'therapist_id')::uuid;
  first_day date := app.date_in(request, 'effective_from');
  last_day date := app.date_in(request, 'effective_until');
  hours app.weekly_hours[];
begin
  perform app.check_availability_manager(organization);
  perform app.check_therapist(organization, therapist);
  perform app.check_time_zone(request ->> 'time_zone');
  if first_day is null then
    perform app.refuse_field('effective_from', 'required', 'Say from which day on.');
  elsif last_day < first_day then
    perform app.refuse_field('effective_until', 'before_start', 'Must not be before effective_from.');
  end if;
  hours := app.hours_in(request, first_day, last_day);

  perform app.lock_subjects(array[therapist]);
  perform app.clear_hours(organization, therapist, first_day, last_day);
  insert into public.therapist_availability (
    organization_id, therapist_id, weekday, local_start, local_end, effective_from, effective_until, time_zone)
  select
    organization, therapist, hour.weekday, hour.local_start, hour.local_end, hour.effective_from, hour.effective_until,
    hour.time_zone
  from unnest(hours) hour;
  insert into audit.events (organization_id, action, table_name, details)
  values (organization, 'availability.set', 'therapist_availability', jsonb_strip_nulls(jsonb_build_object(
    'therapist_id', therapist, 'effective_from', first_day, 'effective_until', last_day, 'hours', cardinality(hours))));

  return jsonb_build_object(
    'therapist_id', therapist,
    'hours', coalesce(
      (select jsonb_agg(
          jsonb_build_object(
            'id', it.id, 'weekday', it.weekday,
            'local_start', left(it.local_start::text, 5), 'local_end', left(it.local_end::text, 5),
            'effective_from', it.effective_from, 'effective_until', it.effective_until, 'time_zone', it.time_zone)
          order by it.effective_from, it.weekday, it.local_start)
        from public.therapist_availability it
        where it.organization_id = organization and it.therapist_id = therapist
          and (it.effective_until is null or it.effective_until >= first_day)),
      '[]'),
    'sessions_outside', app.sessions_outside(organization, therapist, tstzrange('-infinity', 'infinity')));
end
$$;
comment on function app.set_availability is
  'Makes a therapist''s weekly hours between two days exactly those of the request. Answers the data of the HTTP contract.';
