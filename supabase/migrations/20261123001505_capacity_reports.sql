-- Reports of what there is against what is taken: therapists' time, and authorized units.
--
-- Promises
--   * Time that several sessions of a group share counts once.
--   * Minutes are elapsed ones: a night in which the clock changes is as long as it was.

create function app.minutes_of(during tstzmultirange)
returns integer
language plpgsql
immutable
set search_path = ''
as $$
begin
  return coalesce((select floor(sum(extract(epoch from upper(part) - lower(part))) / 60) from unnest(during) part), 0);
end
$$;
comment on function app.minutes_of is 'How many whole minutes ranges of time last together.';

create function app.read_utilization(organization uuid, request jsonb)
returns jsonb
language plpgsql
stable
set search_path = ''
as $$
declare
  asked app.report_asked := app.report_of_days(organization, request);
  after text[] := app.report_after(request, 'uuid');
  within tstzmultirange := tstzmultirange(tstzrange(asked.since, asked.until));
  rows jsonb[];
  keys text[];
begin
  if asked.client_id is not null then
    perform app.refuse_field('client_id', 'not_allowed', 'A therapist''s time is that of all clients.');
  end if;
  select
    array_agg(
      jsonb_build_object(
        'therapist_id', page.id, 'available_minutes', time.available, 'scheduled_minutes', time.scheduled,
        'delivered_minutes', time.delivered,
        'scheduled_share', round(time.scheduled / nullif(time.available, 0)::numeric, 4),
        'delivered_share', round(time.delivered / nullif(time.available, 0)::numeric, 4))
      order by page.id),
    array_agg(page.id::text order by page.id)
  into rows, keys
  from (
    -- Who takes no sessions any more has no time for them, whatever hours were left standing.
    select it.id,
      within * tstzmultirange(tstzrange(null, case it.status when 'inactive' then it.status_changed_at end)) as employed
    from public.therapists it
    where it.organization_id = organization and it.id > after[1]::uuid and app.reports_on(asked, it.id, null)
    order by it.id
    limit asked.size + 1
  ) page
  cross join lateral (
    select range_agg(tstzrange(away.start_time, away.end_time)) as during
    from public.availability_exceptions away
    where away.organization_id = organization and away.therapist_id = page.id and away.kind = 'time_off'
      and away.status = 'active' and away.start_time < asked.until and away.end_time > asked.since
  ) time_off
  cross join lateral (
    select range_agg(tstzrange(it.start_time, it.end_time)) as during
    from public.sessions it
    -- A session lasts a day at most.
    where it.therapist_id = page.id and it.start_time > asked.since - interval '24 hours' and it.start_time < asked.until
      and it.status in ('scheduled', 'in_progress', 'completed')
  ) booked
  cross join lateral (
    select range_agg(tstzrange(it.actual_start_time, it.actual_end_time)) as during
    from public.sessions it
    -- Actual times are within a week of the plan, as for charges.
    where it.therapist_id = page.id and it.start_time > asked.since - interval '8 days'
      and it.start_time < asked.until + interval '8 days' and it.status = 'completed'
  ) delivered
  cross join lateral (values (
    app.minutes_of(app.available_time(organization, page.id, page.employed) - coalesce(time_off.during, '{}')),
    app.minutes_of(booked.during * within), app.minutes_of(delivered.during * within))) as time (available, scheduled, delivered);
  return app.report_page(rows, keys, asked.size);
end
$$;
comment on function app.read_utilization is
  'Of each therapist the minutes available (weekly hours and extra hours without holidays and time off, until they became inactive), booked and delivered. A '
  'share may exceed 1: sessions may be booked outside of hours, on purpose.';

create function app.read_authorization_units(organization uuid, request jsonb)
returns jsonb
language plpgsql
stable
set search_path = ''
as $$
declare
  asked app.report_asked := app.report_of_days(organization, request);
  after text[] := app.report_after(request, 'date', 'uuid');
  rows jsonb[];
  keys text[];
begin
  perform app.check_authorizer(organization);
  if asked.therapist_id is not null then
    perform app.refuse_field('therapist_id', 'not_allowed', 'Units are authorized for a client, whoever delivers them.');
  end if;
  select
    array_agg(
      jsonb_build_object(
        'authorization_id', page.id, 'client_id', page.client_id, 'payer_id', page.payer_id, 'kind', page.kind,
        'cpt_codes', page.cpt_codes, 'starts_on', page.starts_on, 'ends_on', page.ends_on, 'status', page.status,
        'units', page.units, 'reserved_units', page.reserved_units, 'scheduled_units', page.scheduled_units,
        'used_units', page.used_units, 'overridden_units', page.overridden_units,
        'remaining_units', page.units - page.reserved_units - page.scheduled_units - page.used_units)
      order by page.ends_on, page.id),
    array_agg(page.ends_on || '/' || page.id order by page.ends_on, page.id)
  into rows, keys
  from (
    select it.id, it.client_id, it.payer_id, it.kind, it.cpt_codes, it.starts_on, it.ends_on, it.status, it.units,
      it.reserved_units, it.scheduled_units, it.used_units, it.overridden_units
    from public.authorizations it
    where it.organization_id = organization and it.starts_on <= asked.last_day and it.ends_on >= asked.first_day
      and (it.ends_on, it.id) > (after[1]::date, after[2]::uuid)
      and (asked.client_id is null or it.client_id = asked.client_id)
    order by it.ends_on, it.id
    limit asked.size + 1
  ) page;
  return app.report_page(rows, keys, asked.size);
end
$$;
comment on function app.read_authorization_units is
  'The authorizations of some of the days with their units, by the day they end. Without their numbers: read_authorizations.';
