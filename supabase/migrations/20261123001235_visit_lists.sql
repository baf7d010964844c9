-- Visit lists: what should have begun and was not marked, and the records of electronic visit verification.
--
-- Promises
--   * Nothing is marked by the clock: what should have begun is listed for a person to decide.
--   * Where visits were is read by billing and admins only, and on record.

create function app.list_no_show_candidates(organization uuid, request jsonb)
returns jsonb
language plpgsql
set search_path = ''
as $$
declare
  size integer := app.page_size(request, 100, 500);
  late_by numeric := coalesce((request ->> 'late_minutes')::numeric, 15);
  after public.sessions;
  everybodys boolean := organization = any (app.org_ids_with_role('internal_ops', 'admin'));
  therapists uuid[] := app.caseload_therapist_ids();
  found jsonb;
begin
  perform app.require_fields(request, 'organization_id');
  if not everybodys and not organization = any (app.org_ids_with_role('therapist', 'supervisor')) then
    perform app.refuse('forbidden', 'This is for who delivers sessions, schedulers and admins.');
  elsif late_by not between 1 and 10080 then
    perform app.refuse_field('late_minutes', 'size', 'Must be 1 to 10080.');
  end if;
  -- Where a colleague's session stands among one's own would tell when it is.
  select it.* into after
  from public.sessions it
  where it.organization_id = organization and it.id = (request ->> 'after')::uuid
    and (everybodys or it.therapist_id = any (therapists));
  select coalesce(jsonb_agg(app.session_json(page.session) order by (page.session).start_time, (page.session).id), '[]')
  into found
  from (
    select session
    from public.sessions session
    where session.organization_id = organization
      and session.status = 'scheduled'
      and session.start_time < clock_timestamp() - make_interval(secs => late_by * 60)
      and (everybodys or session.therapist_id = any (therapists))
      and (after.id is null or (session.start_time, session.id) > (after.start_time, after.id))
    order by session.start_time, session.id
    limit size
  ) page;
  return jsonb_build_object(
    'sessions', found, 'next', case when jsonb_array_length(found) = size then found -> -1 -> 'id' end);
end
$$;
comment on function app.list_no_show_candidates is
  'Scheduled sessions whose start passed by more than late_minutes (15), oldest first, a page at a time: a therapist''s own, a '
  'supervisor''s caseload, schedulers'' and admins'' all. Nothing is set.';

create function app.place_of_mark(session uuid, of_event text)
returns jsonb
language sql
stable
set search_path = ''
as $$
  select jsonb_strip_nulls(jsonb_build_object(
    'method', mark.method, 'latitude', mark.latitude, 'longitude', mark.longitude, 'accuracy_meters', mark.accuracy_meters,
    'place', mark.place, 'device_id', mark.device_id, 'reason', mark.reason, 'recorded_at', mark.created_at, 'recorded_by', mark.created_by))
  from public.attendance_marks mark
  join public.sessions owner on owner.organization_id = mark.organization_id and owner.id = mark.session_id
  where owner.id = session and mark.event = of_event and mark.method is not null
    -- Not from before it was taken back.
    and not exists (
      select
      from public.attendance_marks later
      where later.organization_id = mark.organization_id and later.session_id = mark.session_id
        and later.created_at > mark.created_at and later.status in ('scheduled', 'no_show'))
  order by mark.created_at desc
  limit 1
$$;
comment on function app.place_of_mark is 'Where a visit began or ended, as it was marked last; null when no place was given.';

create function app.evv_records(organization uuid, request jsonb)
returns jsonb
language plpgsql
set search_path = ''
as $$
declare
  size integer := app.page_size(request, 100, 500);
  since timestamptz := app.moment_of(request, 'from');
  until timestamptz := app.moment_of(request, 'to');
  after public.sessions;
  found jsonb;
begin
  perform app.require_fields(request, 'organization_id', 'from', 'to');
  if not organization = any (app.org_ids_with_role('internal_ops', 'admin')) then
    perform app.refuse('forbidden', 'This is for billing and admins.');
  elsif until <= since then
    perform app.refuse_field('to', 'not_after_start', 'Must be after from.');
  end if;
  select it.* into after
  from public.sessions it
  where it.organization_id = organization and it.id = (request ->> 'after')::uuid;
  select coalesce(jsonb_agg(jsonb_build_object(
      'session_id', page.id,
      'service_code', service.service_code,
      'cpt_code', service.cpt_code,
      'client_id', page.client_id,
      'therapist_id', page.therapist_id,
      'date', (page.actual_start_time at time zone page.time_zone)::date,
      'time_zone', page.time_zone,
      'start_time', page.actual_start_time,
      'end_time', page.actual_end_time,
      'start_location', place.start,
      'end_location', place.finish,
      'missing', (
        select coalesce(jsonb_agg(lacking.element order by lacking.element), '[]')
        from (values ('end_time', page.actual_end_time is null), ('start_location', place.start is null), ('end_location', place.finish is null))
          lacking (element, is_missing)
        where lacking.is_missing))
    order by page.start_time, page.id), '[]')
  into found
  from (
    select session.id, session.service_id, session.client_id, session.therapist_id, session.time_zone, session.start_time,
      session.actual_start_time, session.actual_end_time
    from public.sessions session
    where session.organization_id = organization
      and session.status in ('in_progress', 'completed')
      and session.start_time >= since and session.start_time < until
      and (after.id is null or (session.start_time, session.id) > (after.start_time, after.id))
    order by session.start_time, session.id
    limit size
  ) page
  join public.services service on service.organization_id = organization and service.id = page.service_id
  cross join lateral (values (app.place_of_mark(page.id, 'start'), app.place_of_mark(page.id, 'end'))) place (start, finish);
  perform app.record_accesses(organization, 'evv.read', 'sessions',
    array(select (record ->> 'session_id')::uuid from jsonb_array_elements(found) record),
    array(select (record ->> 'client_id')::uuid from jsonb_array_elements(found) record));
  return jsonb_build_object(
    'records', found, 'next', case when jsonb_array_length(found) = size then found -> -1 -> 'session_id' end);
end
$$;
comment on function app.evv_records is
  'The visits booked from since until before until, by booked start, a page at a time: service, recipient, date, location, provider, '
  'start and end of each, and which of them are missing. For billing and admins, and on record.';
