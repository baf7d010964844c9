-- Supervision: whether each technician's month has the supervision that the certifying board asks for, while it can be mended.
--
-- Promises
--   * A technician is who has a credential of level 1 (RBT, BT). Supervised is the time in which a session of theirs and a
--     supervision session (lane 1) of somebody of a higher level are with the same client at once.
--   * What took place counts by its actual times, what is still to come as it is booked.
--   * Minutes count in the month in which they fall, a contact in the month in which it begins; months are the organization's.

create table app.supervision_rules (
  starts_on date primary key,
  share numeric not null,
  contacts smallint not null,
  individual_contacts smallint not null,
  observing_contacts smallint not null,
  constraint supervision_rules_share_range check (share between 0 and 1),
  constraint supervision_rules_contacts_range check (
    contacts >= 0 and individual_contacts between 0 and contacts and observing_contacts between 0 and contacts)
);
comment on table app.supervision_rules is
  'What a month of a technician needs, from starts_on to the next rule: a share of its minutes, and real-time contacts, of which '
  'some without other technicians and some observing the client. The same for everybody: the board''s.';
insert into app.supervision_rules (starts_on, share, contacts, individual_contacts, observing_contacts) values
  ('2016-01-01', 0.05, 2, 1, 1);
alter table app.supervision_rules enable row level security;

create type app.supervision_counts as (
  minutes integer,
  supervised_minutes integer,
  contacts integer,
  individual_contacts integer
);
comment on type app.supervision_counts is 'What a technician''s month has of work and of supervision.';

create function app.supervision_of(organization uuid, technicians uuid[], within tstzrange)
returns table (therapist_id uuid, done app.supervision_counts, forecast app.supervision_counts)
language plpgsql
stable
set search_path = ''
as $$
declare
  -- Sessions are found by their planned start; actual times are within a week of it.
  since timestamptz := lower(within) - interval '8 days';
  until timestamptz := upper(within) + interval '8 days';
begin
  return query
  with work as materialized (
    select it.therapist_id, it.client_id, it.team_id, it.status = 'completed' as is_done, time.during
    from public.sessions it
    cross join lateral (values (case when it.status = 'completed'
      then tstzrange(it.actual_start_time, it.actual_end_time) else tstzrange(it.start_time, it.end_time) end)) as time (during)
    where it.organization_id = organization and it.therapist_id = any (technicians)
      and it.start_time >= since and it.start_time < until
      and it.status in ('scheduled', 'in_progress', 'completed')
  ),
  supervision as materialized (
    select it.therapist_id, it.client_id, it.group_id, it.slot_id, it.status = 'completed' as is_done, time.during
    from public.sessions it
    join public.therapists supervisor on supervisor.organization_id = it.organization_id and supervisor.id = it.therapist_id
    join public.credentials held on held.code = supervisor.credential and held.level > 1
    cross join lateral (values (case when it.status = 'completed'
      then tstzrange(it.actual_start_time, it.actual_end_time) else tstzrange(it.start_time, it.end_time) end)) as time (during)
    where it.organization_id = organization and it.client_lane = 1
      and it.client_id = any (array(select distinct work.client_id from work))
      and it.start_time >= since and it.start_time < until
      and it.status in ('scheduled', 'in_progress', 'completed')
  ),
  joint as materialized (
    select work.therapist_id, supervision.slot_id, work.is_done and supervision.is_done as is_done,
      -- Of a team, every technician is supervised at once; so are those whose clients share the supervisor's group.
      work.team_id is null and supervision.group_id is null as is_individual,
      work.during * supervision.during as during
    from work
    join supervision on supervision.client_id = work.client_id and supervision.during && work.during
  ),
  contact as (
    select joint.therapist_id, counted.is_done, joint.slot_id, bool_and(joint.is_individual) as is_individual
    from joint
    join (values (true), (false)) counted (is_done) on joint.is_done or not counted.is_done
    group by joint.therapist_id, counted.is_done, joint.slot_id
    having min(lower(joint.during)) <@ within
  ),
  counted as (
    select technician.id as technician, of_kind.is_done, row(
      app.minutes_of((select range_agg(work.during) from work
        where work.therapist_id = technician.id and (work.is_done or not of_kind.is_done)) * tstzmultirange(within)),
      app.minutes_of((select range_agg(joint.during) from joint
        where joint.therapist_id = technician.id and (joint.is_done or not of_kind.is_done)) * tstzmultirange(within)),
      (select count(*) from contact where contact.therapist_id = technician.id and contact.is_done = of_kind.is_done),
      (select count(*) from contact
        where contact.therapist_id = technician.id and contact.is_done = of_kind.is_done and contact.is_individual)
    )::app.supervision_counts as counts
    from unnest(technicians) technician (id)
    cross join (values (true), (false)) of_kind (is_done)
  )
  select it.technician, it.counts, whole.counts
  from counted it
  join counted whole on whole.technician = it.technician and not whole.is_done
  where it.is_done;
end
$$;
comment on function app.supervision_of is
  'Work and supervision of technicians within a month: what is done, and what it comes to with what is booked.';

create function app.supervision_json(counts app.supervision_counts)
returns jsonb
language plpgsql
immutable
set search_path = ''
as $$
begin
  return jsonb_build_object(
    'minutes', counts.minutes, 'supervised_minutes', counts.supervised_minutes,
    'share', round(counts.supervised_minutes / nullif(counts.minutes, 0)::numeric, 4),
    'contacts', counts.contacts, 'individual_contacts', counts.individual_contacts,
    -- Supervision is found beside a session with the client: who supervises observes.
    'observing_contacts', counts.contacts);
end
$$;
comment on function app.supervision_json is 'Counts of supervision as the wire has them.';

create function app.supervision_row(therapist uuid, done app.supervision_counts, forecast app.supervision_counts, rule app.supervision_rules)
returns jsonb
language plpgsql
immutable
set search_path = ''
as $$
declare
  required_minutes integer := ceil(rule.share * forecast.minutes);
  shortfall jsonb := jsonb_build_object(
    'supervised_minutes', greatest(0, required_minutes - forecast.supervised_minutes),
    'contacts', greatest(0, rule.contacts - forecast.contacts),
    'individual_contacts', greatest(0, rule.individual_contacts - forecast.individual_contacts),
    'observing_contacts', greatest(0, rule.observing_contacts - forecast.contacts));
  nothing constant jsonb :=
    '{"supervised_minutes": 0, "contacts": 0, "individual_contacts": 0, "observing_contacts": 0}';
begin
  return jsonb_build_object(
    'therapist_id', therapist,
    'done', app.supervision_json(done),
    'forecast', app.supervision_json(forecast),
    'required', case when forecast.minutes = 0 then nothing else jsonb_build_object(
      'supervised_minutes', required_minutes, 'contacts', rule.contacts, 'individual_contacts', rule.individual_contacts,
      'observing_contacts', rule.observing_contacts) end,
    'shortfall', case when forecast.minutes = 0 then nothing else shortfall end,
    'status', case
      when forecast.minutes = 0 then 'not_required'
      when shortfall <> nothing then 'short'
      when done.supervised_minutes >= required_minutes and done.contacts >= rule.contacts
        and done.individual_contacts >= rule.individual_contacts then 'met'
      else 'on_track' end);
end
$$;
comment on function app.supervision_row is
  'A technician''s month against the rule. The shortfall is what is neither done nor booked, measured by the month as it is '
  'booked. A month without work needs no supervision.';

create function app.supervision_months(organization uuid, request jsonb)
returns jsonb
language plpgsql
stable
set search_path = ''
as $$
declare
  asked app.report_asked := app.report_reach(organization, request);
  after text[] := app.report_after(request, 'uuid');
  month date;
  within tstzrange;
  rule app.supervision_rules;
  rows jsonb[];
  keys text[];
begin
  perform app.require_fields(request, 'month');
  if request ->> 'month' !~ '^\d{4}-(0[1-9]|1[0-2])$' then
    perform app.refuse_field('month', 'invalid_format', 'Must be a month such as 2027-03.');
  elsif asked.client_id is not null then
    perform app.refuse_field('client_id', 'not_allowed', 'A technician''s month is that of all clients.');
  end if;
  -- As a day of the month, since the year 0000 is none.
  month := app.date_in(jsonb_build_object('month', (request ->> 'month') || '-01'), 'month');
  within := tstzrange(
    app.local_to_instant(month::timestamp, asked.time_zone),
    app.local_to_instant(month + interval '1 month', asked.time_zone));
  select it.* into rule
  from app.supervision_rules it
  where it.starts_on <= month
  order by it.starts_on desc
  limit 1;

  select
    array_agg(app.supervision_row(counted.therapist_id, counted.done, counted.forecast, rule) order by counted.therapist_id),
    array_agg(counted.therapist_id::text order by counted.therapist_id)
  into rows, keys
  from app.supervision_of(organization, array(
    select it.id
    from public.therapists it
    join public.credentials held on held.code = it.credential and held.level = 1
    where it.organization_id = organization and it.id > after[1]::uuid and app.reports_on(asked, it.id, null)
      -- Who has left is listed where they worked.
      and (it.status = 'active' or exists (
        select
        from public.sessions session
        where session.therapist_id = it.id and session.start_time < upper(within) and session.end_time > lower(within)
          and session.start_time > lower(within) - interval '24 hours' and session.status <> 'cancelled'))
    order by it.id
    limit asked.size + 1), within) counted;
  return app.report_page(rows, keys, asked.size) || jsonb_build_object(
    'month', request ->> 'month', 'required_share', rule.share);
end
$$;
comment on function app.supervision_months is
  'The supervision of each technician in a month: done, forecast, required and short of, by therapist.';
