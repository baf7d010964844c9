-- Reports of sessions: who came and who cancelled, what is not billed, and what nobody has written a note of.
--
-- Promises
--   * A report tells nobody of a session whose row they could not read: the views read with the rights of their reader, and the
--     RPCs ask app.reports_on of every row.
--   * A day or a month is one of the organization's zone, and a session is of the day on which it was booked to start.
--   * Pages go by the key of their rows: each row once, whatever is added meanwhile.

-- ---------------------------------------------------------------------------------------------------------
-- Rows
-- ---------------------------------------------------------------------------------------------------------

create view public.session_attendance with (security_invoker = true) as
  select
    session.id as session_id, session.organization_id, session.therapist_id, session.client_id, session.service_id,
    session.start_time, session.end_time, session.attendance,
    floor(extract(epoch from session.end_time - session.start_time) / 60)::integer as planned_minutes,
    floor(extract(epoch from session.actual_end_time - session.actual_start_time) / 60)::integer as delivered_minutes,
    session.cancellation_notice_minutes, session.late_cancellation, session.status_changed_at as marked_at
  from public.sessions session
  where session.status in ('completed', 'no_show', 'cancelled');
comment on view public.session_attendance is
  'What came of each session that is over or cancelled: attended, no_show or cancelled_by_ whom, with what notice. Read it by '
  'organization_id and start_time.';

create view public.unbilled_sessions with (security_invoker = true) as
  select
    session.id as session_id, session.organization_id, session.therapist_id, session.client_id, charge.service_date,
    charge.cpt_code, charge.modifiers, charge.minutes, charge.units, charge.payer_id, charge.warnings
  from public.session_charges charge
  join public.sessions session on session.organization_id = charge.organization_id and session.id = charge.session_id
  where charge.kind = 'actual' and charge.units > 0 and session.status = 'completed'
    and not app.is_billed(session.id);
comment on view public.unbilled_sessions is
  'Completed sessions with units to bill that no live line of billing has. Read it by organization_id and service_date.';

grant select on public.session_attendance, public.unbilled_sessions to authenticated;

-- ---------------------------------------------------------------------------------------------------------
-- What a report is asked for, and its pages
-- ---------------------------------------------------------------------------------------------------------

create type app.report_asked as (
  organization_id uuid,
  time_zone text,
  -- Whose rows the caller may see: everybody's, or these therapists' and these clients'.
  everybodys boolean,
  therapist_ids uuid[],
  client_ids uuid[],
  -- What the caller wants of them; null: all.
  therapist_id uuid,
  client_id uuid,
  first_day date,
  last_day date,
  since timestamptz,
  until timestamptz,
  size integer
);
comment on type app.report_asked is 'A request for a report: whose rows, of which time, how many a page.';

create function app.report_reach(organization uuid, request jsonb, reviewers_too boolean default false)
returns app.report_asked
language plpgsql
stable
set search_path = ''
as $$
declare
  asked app.report_asked;
  reviews boolean := reviewers_too and organization = any (app.org_ids_with_role('psychiatrist'));
begin
  asked.organization_id := organization;
  asked.time_zone := (select clinic.time_zone from public.organizations clinic where clinic.id = organization);
  asked.everybodys := organization = any (app.org_ids_with_role('internal_ops', 'admin'));
  if not asked.everybodys and not reviews and not organization = any (app.org_ids_with_role('therapist', 'supervisor')) then
    perform app.refuse('forbidden', 'This report is for who delivers sessions, schedulers and admins.');
  end if;
  asked.therapist_ids := app.caseload_therapist_ids();
  asked.client_ids := case when reviews then app.reviewed_client_ids() else '{}' end;
  asked.therapist_id := (request ->> 'therapist_id')::uuid;
  asked.client_id := (request ->> 'client_id')::uuid;
  asked.size := app.page_size(request);
  return asked;
end
$$;
comment on function app.report_reach is
  'Whose rows a report tells the caller of, as the policies of sessions have it: a therapist''s own, a supervisor''s caseload''s, '
  'a reviewer''s clients'' where the report is for reviewers, schedulers'' and admins'' all.';

create function app.report_of_days(organization uuid, request jsonb, reviewers_too boolean default false)
returns app.report_asked
language plpgsql
stable
set search_path = ''
as $$
declare
  asked app.report_asked := app.report_reach(organization, request, reviewers_too);
begin
  perform app.require_fields(request, 'from', 'to');
  asked.first_day := app.date_in(request, 'from');
  asked.last_day := app.date_in(request, 'to');
  if asked.last_day < asked.first_day then
    perform app.refuse_field('to', 'before_start', 'Must not be before from.');
  elsif asked.last_day - asked.first_day >= 366 then
    perform app.refuse_field('to', 'too_long', 'A report covers at most 366 days.');
  end if;
  asked.since := app.local_to_instant(asked.first_day::timestamp, asked.time_zone);
  asked.until := app.local_to_instant((asked.last_day + 1)::timestamp, asked.time_zone);
  return asked;
end
$$;
comment on function app.report_of_days is 'A report of the days from `from` to `to`, both included, of the organization''s zone.';

create function app.reports_on(asked app.report_asked, therapist uuid, client uuid)
returns boolean
language plpgsql
immutable
set search_path = ''
as $$
begin
  return (asked.everybodys or therapist = any (asked.therapist_ids) or client = any (asked.client_ids))
    and (asked.therapist_id is null or therapist = asked.therapist_id)
    and (asked.client_id is null or client = asked.client_id);
end
$$;
comment on function app.reports_on is 'Whether a row of the therapist with the client is of a report.';

create function app.report_after(request jsonb, variadic types text[])
returns text[]
language plpgsql
stable
set search_path = ''
as $$
declare
  parts text[] := string_to_array(request ->> 'after', '/');
begin
  if parts is null then
    -- Before every row.
    return array(
      select case type when 'uuid' then '00000000-0000-0000-0000-000000000000' when 'text' then '' else '-infinity' end
      from unnest(types) with ordinality given (type, place)
      order by place);
  elsif cardinality(parts) <> cardinality(types) or exists (
    select
    from unnest(parts, types) given (part, type)
    where not pg_input_is_valid(part, type))
  then
    perform app.refuse_field('after', 'invalid_value', 'Must be what an earlier page gave as next.');
  end if;
  return parts;
end
$$;
comment on function app.report_after is 'The key of the last row of the page before, in parts of these types.';

create function app.report_page(rows jsonb[], keys text[], size integer)
returns jsonb
language plpgsql
immutable
set search_path = ''
as $$
begin
  return jsonb_build_object(
    'rows', to_jsonb(coalesce(rows[1:size], '{}')),
    'next', case when cardinality(rows) > size then keys[size] end);
end
$$;
comment on function app.report_page is 'A page of rows and what the next one is asked for by. One row more than the size says that there is one.';

create function app.moment_key(moment timestamptz)
returns text
language plpgsql
stable
set search_path = ''
as $$
begin
  return to_char(moment at time zone 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS.US"Z"');
end
$$;
comment on function app.moment_key is 'A moment in a page''s key, to the microsecond.';

-- ---------------------------------------------------------------------------------------------------------
-- The reports
-- ---------------------------------------------------------------------------------------------------------

create function app.read_attendance(organization uuid, request jsonb)
returns jsonb
language plpgsql
stable
set search_path = ''
as $$
declare
  asked app.report_asked := app.report_of_days(organization, request, reviewers_too => true);
  after text[] := app.report_after(request, 'date', 'uuid', 'text');
  -- The months before are on the pages before.
  since timestamptz := app.local_to_instant(greatest(asked.first_day, after[1]::date)::timestamp, asked.time_zone);
  rows jsonb[];
  keys text[];
begin
  select
    array_agg(
      jsonb_build_object(
        'month', page.month, 'therapist_id', page.therapist_id, 'attendance', page.attendance, 'sessions', page.sessions,
        'planned_minutes', page.planned_minutes, 'delivered_minutes', page.delivered_minutes,
        'late_cancellations', page.late_cancellations)
      order by page.month, page.therapist_id, page.attendance collate "C"),
    array_agg(
      concat_ws('/', page.month, page.therapist_id, page.attendance)
      order by page.month, page.therapist_id, page.attendance collate "C")
  into rows, keys
  from (
    select counted.*
    from (
      select
        date_trunc('month', it.start_time at time zone asked.time_zone)::date as month, it.therapist_id, it.attendance,
        count(*) as sessions, sum(it.planned_minutes) as planned_minutes,
        coalesce(sum(it.delivered_minutes), 0) as delivered_minutes,
        count(*) filter (where it.late_cancellation) as late_cancellations
      from public.session_attendance it
      where it.organization_id = organization and it.start_time >= since and it.start_time < asked.until
        and app.reports_on(asked, it.therapist_id, it.client_id)
      group by 1, 2, 3
    ) counted
    where (counted.month, counted.therapist_id, counted.attendance collate "C") > (after[1]::date, after[2]::uuid, after[3])
    order by counted.month, counted.therapist_id, counted.attendance collate "C"
    limit asked.size + 1
  ) page;
  return app.report_page(rows, keys, asked.size);
end
$$;
comment on function app.read_attendance is
  'How many sessions of each therapist came to what in each month, in sessions and minutes. Months at the ends count the days '
  'that were asked for.';

create function app.read_cancellations(organization uuid, request jsonb)
returns jsonb
language plpgsql
stable
set search_path = ''
as $$
declare
  asked app.report_asked := app.report_of_days(organization, request, reviewers_too => true);
  after text[] := app.report_after(request, 'timestamptz', 'uuid');
  since timestamptz := greatest(asked.since, after[1]::timestamptz);
  rows jsonb[];
  keys text[];
begin
  select
    array_agg(
      jsonb_build_object(
        'session_id', page.session_id, 'therapist_id', page.therapist_id, 'client_id', page.client_id,
        'service_id', page.service_id, 'start_time', page.start_time, 'end_time', page.end_time,
        'cancelled_by', replace(page.attendance, 'cancelled_by_', ''), 'cancelled_at', page.marked_at,
        'notice_minutes', page.cancellation_notice_minutes, 'is_late', coalesce(page.late_cancellation, false))
      order by page.start_time, page.session_id),
    array_agg(app.moment_key(page.start_time) || '/' || page.session_id order by page.start_time, page.session_id)
  into rows, keys
  from (
    select it.*
    from public.session_attendance it
    where it.organization_id = organization and it.start_time >= since and it.start_time < asked.until
      and (it.start_time, it.session_id) > (after[1]::timestamptz, after[2]::uuid)
      and it.attendance like 'cancelled%'
      and app.reports_on(asked, it.therapist_id, it.client_id)
    order by it.start_time, it.session_id
    limit asked.size + 1
  ) page;
  return app.report_page(rows, keys, asked.size);
end
$$;
comment on function app.read_cancellations is
  'The cancelled sessions by the time they were booked for: by whom, when, and with how much notice. Why is PHI: read_texts.';

create function app.read_unbilled_sessions(organization uuid, request jsonb)
returns jsonb
language plpgsql
stable
set search_path = ''
as $$
declare
  asked app.report_asked := app.report_of_days(organization, request);
  after text[] := app.report_after(request, 'date', 'uuid');
  since date := greatest(asked.first_day, after[1]::date);
  rows jsonb[];
  keys text[];
begin
  select
    array_agg(
      jsonb_build_object(
        'session_id', page.session_id, 'therapist_id', page.therapist_id, 'client_id', page.client_id,
        'service_date', page.service_date, 'cpt_code', page.cpt_code, 'modifiers', page.modifiers, 'minutes', page.minutes,
        'units', page.units, 'payer_id', page.payer_id, 'warnings', page.warnings)
      order by page.service_date, page.session_id),
    array_agg(page.service_date || '/' || page.session_id order by page.service_date, page.session_id)
  into rows, keys
  from (
    select it.*
    from public.unbilled_sessions it
    where it.organization_id = organization and it.service_date >= since and it.service_date <= asked.last_day
      and (it.service_date, it.session_id) > (after[1]::date, after[2]::uuid)
      and app.reports_on(asked, it.therapist_id, it.client_id)
    order by it.service_date, it.session_id
    limit asked.size + 1
  ) page;
  return app.report_page(rows, keys, asked.size);
end
$$;
comment on function app.read_unbilled_sessions is 'Completed sessions with units that are not billed yet, by day of service.';

create function app.read_missing_notes(organization uuid, request jsonb)
returns jsonb
language plpgsql
stable
set search_path = ''
as $$
declare
  asked app.report_asked := app.report_of_days(organization, request);
  after text[] := app.report_after(request, 'timestamptz', 'uuid');
  since timestamptz := greatest(asked.since, after[1]::timestamptz);
  rows jsonb[];
  keys text[];
begin
  select
    array_agg(
      jsonb_build_object(
        'session_id', page.id, 'therapist_id', page.therapist_id, 'client_id', page.client_id, 'service_id', page.service_id,
        'start_time', page.start_time, 'end_time', page.end_time, 'has_draft', exists (
          select
          from public.session_notes draft
          where draft.organization_id = organization and draft.session_id = page.id and draft.therapist_id = page.therapist_id
            and draft.kind = 'session'))
      order by page.start_time, page.id),
    array_agg(app.moment_key(page.start_time) || '/' || page.id order by page.start_time, page.id)
  into rows, keys
  from (
    select it.id, it.therapist_id, it.client_id, it.service_id, it.start_time, it.end_time
    from public.sessions it
    where it.organization_id = organization and it.start_time >= since and it.start_time < asked.until
      and (it.start_time, it.id) > (after[1]::timestamptz, after[2]::uuid)
      and it.status = 'completed'
      and app.reports_on(asked, it.therapist_id, it.client_id)
      and not exists (
        select
        from public.session_notes written
        where written.organization_id = organization and written.session_id = it.id and written.therapist_id = it.therapist_id
          and written.kind = 'session' and written.status <> 'draft')
    order by it.start_time, it.id
    limit asked.size + 1
  ) page;
  return app.report_page(rows, keys, asked.size);
end
$$;
comment on function app.read_missing_notes is 'Completed sessions of which their therapist has signed no note, the oldest first; a draft is no note yet.';
