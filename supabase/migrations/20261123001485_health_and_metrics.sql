-- Health and metrics: whether the database serves, for everybody, and how it fares, for operators.
--
-- Promises
--   * health() answers whoever asks, and says nothing by which somebody could choose a moment to attack: not that sealing or a job
--     stands still, not how much there is of anything.
--   * metrics() counts. No row of a person, no name and no organization gets into it. It is for the secret key and for plain SQL.
--   * Neither writes.

create function app.health()
returns jsonb
language plpgsql
stable
security definer
set search_path = ''
as $$
declare
  version text;
  checks jsonb;
begin
  if to_regclass('supabase_migrations.schema_migrations') is not null then
    version := (select max(migration.version) from supabase_migrations.schema_migrations migration);
  end if;
  checks := jsonb_build_array(
    jsonb_build_object('name', 'schema', 'ok', version is not null),
    -- A standby does not write, nor a hosted database whose disk is full.
    jsonb_build_object('name', 'writable',
      'ok', not pg_is_in_recovery() and current_setting('default_transaction_read_only') = 'off'),
    jsonb_build_object('name', 'reference', 'ok', exists (select from public.cpt_codes)));
  return jsonb_build_object(
    'ok', not jsonb_path_exists(checks, '$[*] ? (@.ok == false)'), 'version', version, 'checks', checks);
end
$$;
comment on function app.health is
  'Whether requests can be served. Definer: anon has a grant on nothing, and reads neither the history of migrations nor a table.';

-- The body is parsed now, so anon needs no USAGE on schema app.
create function public.health()
returns jsonb
language sql
stable
security invoker
set search_path = ''
begin atomic
  select app.health();
end;
comment on function public.health is
  'For monitors (GET health): {ok, version, checks: [{name, ok}]}; version is that of the last migration.';
grant execute on function app.health, public.health to anon;

-- ---------------------------------------------------------------------------------------------------------
-- Metrics, a function a domain; what is added stands in app.metrics
-- ---------------------------------------------------------------------------------------------------------

create function app.booking_metrics()
returns table (name text, labels jsonb, value numeric)
language sql
stable
set search_path = ''
as $$
  select 'holds', jsonb_build_object('state', state.name), count(distinct claim.claim_id)
  from (values ('active', false), ('expired_unswept', true)) state (name, is_past)
  left join (
    select claim_id, expires_at <= clock_timestamp() as is_past
    from public.calendar_claims
    where expires_at is not null
  ) claim on claim.is_past = state.is_past
  group by state.name
  union all
  -- Each organization's own today.
  select 'sessions_today', jsonb_build_object('status', status.name), coalesce(sum(today.sessions), 0)
  from (select distinct transition.to_status as name from app.session_transitions transition union select 'scheduled') status
  left join (
    select of_clinic.status, of_clinic.sessions
    from public.organizations clinic
    cross join lateral (
      select date_trunc('day', now() at time zone clinic.time_zone) as midnight) day
    cross join lateral (
      select session.status, count(*) as sessions
      from public.sessions session
      where session.organization_id = clinic.id
        and session.start_time >= day.midnight at time zone clinic.time_zone
        and session.start_time < (day.midnight + interval '1 day') at time zone clinic.time_zone
      group by session.status) of_clinic
  ) today on today.status = status.name
  group by status.name
  union all
  select 'waitlist_waiting', '{}', count(*)
  from public.waitlist_entries entry
  where entry.status = 'waiting'
  union all
  select 'waitlist_offers_open', '{}', count(*)
  from public.session_holds hold
  where hold.open_offer_to is not null and hold.expires_at > clock_timestamp()
$$;
comment on function app.booking_metrics is 'Holds, today''s sessions, the waitlist.';

create function app.call_metrics()
returns table (name text, labels jsonb, value numeric)
language sql
stable
set search_path = ''
as $$
  -- By organization, and those of none: so the index of refusals serves, and not the whole hour is read.
  select 'refusals_last_hour', jsonb_build_object('code', refused.code), count(*)
  from (
    select event.code
    from public.organizations clinic
    join audit.events event on event.organization_id = clinic.id
    where event.decision = 'deny' and event.occurred_at > now() - interval '1 hour'
    union all
    select event.code
    from audit.events event
    where event.organization_id is null and event.decision = 'deny' and event.occurred_at > now() - interval '1 hour'
  ) refused
  group by refused.code
  union all
  select 'calls_this_minute', jsonb_build_object('by', calls.by), coalesce(sum(calls.calls), 0)
  from (
    select 'users' as by, counter.calls
    from app.call_counts counter
    where counter.minute = date_trunc('minute', clock_timestamp())
    union all
    select 'partners', counter.calls
    from app.partner_call_counts counter
    where counter.minute = date_trunc('minute', clock_timestamp())
    union all
    values ('users', 0), ('partners', 0)
  ) calls
  group by calls.by
$$;
comment on function app.call_metrics is 'What was refused, by problem code, and how much is called.';

create function app.trail_metrics()
returns table (name text, labels jsonb, value numeric)
language sql
stable
set search_path = ''
-- From where the last seal ends, along its index, whatever the statistics say: as audit.seal does.
set enable_seqscan = off
set enable_bitmapscan = off
as $$
  with waiting as (
    select count(*) as events, extract(epoch from clock_timestamp() - min(event.occurred_at)) as age
    from audit.events event
    where (event.written_in, event.id) > (
      coalesce((select seal.last_written_in from audit.seals seal order by seal.number desc limit 1), '0'),
      coalesce((select seal.last_event_id from audit.seals seal order by seal.number desc limit 1), 0))
  )
  select 'events_unsealed', '{}'::jsonb, waiting.events::numeric from waiting
  union all
  select 'events_unsealed_oldest_seconds', '{}', coalesce(waiting.age, 0) from waiting
  union all
  -- No row where nothing was ever sealed.
  (select 'last_seal_age_seconds', '{}', extract(epoch from clock_timestamp() - seal.sealed_at)
    from audit.seals seal
    order by seal.number desc
    limit 1)
  union all
  -- Months from this one on without a gap; 0: events of today go to the default partition.
  select 'trail_partitions_ahead', '{}', min(month.place) - 1
  from (
    select place, date_trunc('month', now() at time zone 'UTC') + make_interval(months => place::integer - 1) as month
    from generate_series(1, 121) place
  ) month
  where month.place = 121 or not exists (
    -- A month that was detached has its table still.
    select from pg_inherits attached
    where attached.inhparent = 'audit.events'::regclass
      and attached.inhrelid = to_regclass('audit.events_' || to_char(month.month, 'YYYY_MM')))
  union all
  select 'access_alerts_open', '{}', count(*)
  from public.access_alerts alert
  where alert.status = 'open'
$$;
comment on function app.trail_metrics is 'Sealing and partitions of the audit trail, and alerts that nobody looked at.';

create function app.outbox_metrics()
returns table (name text, labels jsonb, value numeric)
language sql
stable
set search_path = ''
as $$
  with waiting as (
    select event.created_at
    from app.webhook_deliveries delivery
    join app.outbox_events event on event.id = delivery.event_id
    where delivery.status = 'pending'
  )
  select 'outbox_backlog', '{}'::jsonb, count(*)::numeric
  from waiting
  union all
  select 'outbox_oldest_seconds', '{}', coalesce(extract(epoch from clock_timestamp() - min(waiting.created_at)), 0)
  from waiting
  union all
  select 'deliveries_dead_last_day', '{}', count(*)
  from app.webhook_deliveries delivery
  where delivery.status = 'dead' and delivery.ended_at > now() - interval '1 day'
$$;
comment on function app.outbox_metrics is 'What waits to be delivered, for how long the oldest of it, and what was given up.';

create function app.job_metrics()
returns table (name text, labels jsonb, value numeric)
language sql
stable
set search_path = ''
as $$
  -- A job that never went well is overdue from the start.
  select 'jobs_overdue', jsonb_build_object('job', job.name), (
      coalesce(last_run.started_at, '-infinity') < clock_timestamp() - 2 * job.every - interval '1 minute')::integer
  from app.jobs job
  left join lateral (
    select run.started_at
    from app.job_runs run
    where run.job = job.name and run.outcome = 'ok'
    order by run.started_at desc
    limit 1) last_run on true
  union all
  select 'job_failures_last_day', jsonb_build_object('job', job.name), count(run.id)
  from app.jobs job
  left join app.job_runs run
    on run.job = job.name and run.outcome = 'failed' and run.started_at > (select clock_timestamp() - interval '1 day')
  group by job.name
  union all
  select 'forget_overdue_seconds', '{}', greatest(0, extract(epoch from clock_timestamp() - least(
      (select min(key.expires_at) from public.idempotency_keys key),
      (select min(delivery.ended_at) from app.webhook_deliveries delivery where delivery.status <> 'pending') + interval '30 days')))
$$;
comment on function app.job_metrics is
  'By job: 1 where none went well for twice as long as it waits, and how many runs of the last day failed. And for how long what '
  'app.forget_old is to delete has waited for it.';

create function app.database_metrics()
returns table (name text, labels jsonb, value numeric)
language sql
stable
set search_path = ''
as $$
  with client as (
    select activity.state, activity.xact_start, activity.query_start
    from pg_stat_activity activity
    where activity.datname = current_database() and activity.backend_type = 'client backend' and activity.pid <> pg_backend_pid()
  )
  select 'database_size_bytes', '{}'::jsonb, pg_database_size(current_database())::numeric
  union all
  select 'connections', jsonb_build_object('state', state.name), count(client.state)
  from (values ('active'), ('idle'), ('idle in transaction'), ('idle in transaction (aborted)')) state (name)
  left join client on client.state = state.name
  group by state.name
  union all
  select 'connections_allowed', '{}', current_setting('max_connections')::numeric
  union all
  select 'oldest_transaction_seconds', '{}', coalesce(extract(epoch from clock_timestamp() - min(client.xact_start)), 0)
  from client
  union all
  select 'longest_query_seconds', '{}', coalesce(extract(epoch from clock_timestamp() - min(client.query_start)), 0)
  from client
  where client.state = 'active'
  union all
  (select 'dead_tuples', jsonb_build_object('table', stat.schemaname || '.' || stat.relname), stat.n_dead_tup
    from pg_stat_user_tables stat
    where stat.schemaname in ('public', 'app', 'audit') and stat.n_dead_tup > 0
    order by stat.n_dead_tup desc
    limit 10)
$$;
comment on function app.database_metrics is
  'Size, connections, what runs long, and the ten tables with the most dead rows. The asking connection is left out.';

create function app.metrics()
returns table (name text, labels jsonb, value double precision)
language sql
stable
security definer
set search_path = ''
as $$
  select metric.name, metric.labels, round(metric.value, 3)::double precision
  from (
    select it.name, it.labels, it.value from app.booking_metrics() it
    union all
    select it.name, it.labels, it.value from app.call_metrics() it
    union all
    select it.name, it.labels, it.value from app.trail_metrics() it
    union all
    select it.name, it.labels, it.value from app.outbox_metrics() it
    union all
    select it.name, it.labels, it.value from app.job_metrics() it
    union all
    select it.name, it.labels, it.value from app.database_metrics() it
  ) metric
  order by metric.name, metric.labels
$$;
comment on function app.metrics is
  'How the database fares, in numbers. Definer: the service role, who asks, reads neither the audit trail nor the tables of app.';

create function public.metrics()
returns table (name text, labels jsonb, value double precision)
language sql
stable
security invoker
set search_path = ''
as $$
  select metric.name, metric.labels, metric.value from app.metrics() metric
$$;
comment on function public.metrics is
  'For the operator''s monitoring, with the secret key: rows (name, labels, value), described in docs/operations.md.';
grant execute on function app.metrics, public.metrics to service_role;
