-- Jobs: what is to be done again and again, by a clock and not by a caller.
--
-- Promises
--   * Each job is declared once, with how often (app.jobs); each run is on record, what it did or why it failed (app.job_runs).
--   * A job may be run at any time and any number of times: one that runs already is left alone, and what is done is not done again.
--   * A job that fails undoes what it did, and stops no other.
--   * pg_cron is the clock where there is one; the local stack, or any other, asks app.due_jobs and calls app.run_job.

create table app.jobs (
  name text primary key,
  summary text not null,
  every interval not null,
  constraint jobs_name_form check (name ~ '^[a-z]+(_[a-z]+)+$'),
  -- Those that app.cron_schedule can say.
  constraint jobs_every_known check (every in ('10 seconds', '1 minute', '15 minutes', '1 hour', '1 day'))
);
comment on table app.jobs is 'What is done by the clock, and how often.';
alter table app.jobs enable row level security;
insert into app.jobs (name, summary, every) values
  ('alert_authorizations', 'Tells outside of authorizations that begin to run low or out.', '1 hour'),
  ('deliver_webhooks', 'Wakes the deliverer when messages are due.', '10 seconds'),
  ('detect_unusual_access', 'Raises alerts of unusual access.', '15 minutes'),
  ('expire_holds', 'Ends expired holds that nobody stumbled over.', '1 minute'),
  ('forget_old', 'Deletes what was kept for a while: keys of calls, messages that were sent, runs of jobs.', '1 hour'),
  ('make_partitions', 'Makes the months to come of the audit trail.', '1 day'),
  ('offer_waitlist', 'Offers freed time to who waits for it.', '1 minute'),
  ('seal_audit', 'Seals what is new on the audit trail.', '1 minute'),
  ('send_insights', 'Wakes the sender of insights when a day is over.', '1 hour');

create table app.job_runs (
  id bigint generated always as identity primary key,
  job text not null references app.jobs (name),
  started_at timestamptz not null,
  finished_at timestamptz not null default clock_timestamp(),
  outcome text not null,
  done integer,
  sqlstate text,
  constraint job_runs_outcome_known check (outcome in ('ok', 'failed')),
  constraint job_runs_says_what_it_did_or_why_not
    check (case outcome when 'ok' then num_nonnulls(done) = 1 and sqlstate is null else sqlstate is not null and done is null end)
);
comment on table app.job_runs is 'The runs of jobs, kept for two weeks. done: how many things were done, often none.';
create index job_runs_job_started_at_idx on app.job_runs (job, started_at desc);
create index job_runs_started_at_idx on app.job_runs using brin (started_at);
alter table app.job_runs enable row level security;

-- ---------------------------------------------------------------------------------------------------------
-- Authorizations
-- ---------------------------------------------------------------------------------------------------------

create table app.told_authorizations (
  organization_id uuid not null,
  authorization_id uuid not null,
  kind text not null,
  told_at timestamptz not null default clock_timestamp(),
  primary key (authorization_id, kind),
  constraint told_authorizations_authorization_fkey
    foreign key (organization_id, authorization_id) references public.authorizations (organization_id, id)
);
comment on table app.told_authorizations is 'What was told of an authorization, and is still so: told again only once it was otherwise.';
alter table app.told_authorizations enable row level security;

create function app.standing_alerts(only_organization uuid default null)
returns table (organization_id uuid, authorization_id uuid, kind text)
language plpgsql
stable
set search_path = ''
as $$
begin
  return query
    select it.organization_id, it.id, alert.kind
    from public.organizations clinic
    join public.authorizations it on it.organization_id = clinic.id
    cross join lateral unnest(app.authorization_alerts(it, (now() at time zone clinic.time_zone)::date)) alert (kind)
    where it.status = 'active' and (only_organization is null or clinic.id = only_organization);
end
$$;
comment on function app.standing_alerts is 'What is to be said of authorizations today, by the calendar of each organization.';

create function app.tell_authorizations(only_organization uuid default null)
returns integer
language plpgsql
set search_path = ''
as $$
declare
  told integer;
begin
  delete from app.told_authorizations before
  where (only_organization is null or before.organization_id = only_organization)
    and (before.authorization_id, before.kind) not in (
      select alert.authorization_id, alert.kind from app.standing_alerts(only_organization) alert);
  with begun as (
    insert into app.told_authorizations (organization_id, authorization_id, kind)
    select alert.organization_id, alert.authorization_id, alert.kind from app.standing_alerts(only_organization) alert
    on conflict do nothing
    returning organization_id, authorization_id, kind
  )
  insert into app.outbox_events (organization_id, type, subject_id, payload)
  select alert.organization_id, 'authorization.' || alert.kind, alert.authorization_id, '{"object": "authorizations"}'
  from begun alert
  order by alert.authorization_id, alert.kind;
  get diagnostics told = row_count;
  return told;
end
$$;
comment on function app.tell_authorizations is
  'Puts in the outbox which authorizations begin to run low, to run out or to be overdrawn, each once. Returns how many.';

-- ---------------------------------------------------------------------------------------------------------
-- Functions that send something outside
-- ---------------------------------------------------------------------------------------------------------

create function app.wake_function(name text)
returns void
language plpgsql
set search_path = ''
as $$
declare
  url text;
  key text;
begin
  -- Dynamic, because a database without pg_net or the vault cannot name them; there, who runs the job calls the function.
  if to_regclass('vault.decrypted_secrets') is null or to_regnamespace('net') is null then
    return;
  end if;
  execute $sql$
    select max(decrypted_secret) filter (where name = 'holdfast_functions_url'),
      max(decrypted_secret) filter (where name = 'holdfast_secret_key')
    from vault.decrypted_secrets
  $sql$ into url, key;
  if num_nulls(url, key) = 0 then
    execute $sql$
      select net.http_post(
        url := $1, headers := jsonb_build_object('apikey', $2, 'content-type', 'application/json'), body := '{}'::jsonb,
        timeout_milliseconds := 60000)
    $sql$ using url || '/' || name, key;
  end if;
end
$$;
comment on function app.wake_function is
  'Calls an Edge Function by pg_net, with the secret key, if the vault has holdfast_functions_url and holdfast_secret_key.';

create function app.wake_deliverer()
returns integer
language plpgsql
set search_path = ''
as $$
declare
  moment constant timestamptz := clock_timestamp();
  due integer;
begin
  -- Who ends an endpoint does not see what is being written at that moment, which nobody would ever send.
  update app.webhook_deliveries delivery
  set status = 'dead', ended_at = moment, lease_id = null
  where delivery.id in (
    select left_over.id
    from app.webhook_deliveries left_over
    join app.webhook_endpoints endpoint on endpoint.id = left_over.endpoint_id
    where left_over.status = 'pending' and left_over.next_attempt_at <= moment and endpoint.status <> 'active'
    for no key update of left_over skip locked);
  select count(*) into due
  from app.webhook_deliveries delivery
  where delivery.status = 'pending' and delivery.next_attempt_at <= moment;
  if due > 0 then
    perform app.wake_function('webhooks-deliver');
  end if;
  return due;
end
$$;
comment on function app.wake_deliverer is
  'Calls the Edge Function webhooks-deliver when deliveries are due; what is due to an endpoint that was ended is dead. Returns how many are due.';

create function app.wake_insights()
returns integer
language plpgsql
set search_path = ''
as $$
declare
  due integer := (select count(*) from app.due_insights());
begin
  if due > 0 then
    perform app.wake_function('insights-send');
  end if;
  return due;
end
$$;
comment on function app.wake_insights is 'Calls the Edge Function insights-send when organizations have a day to send. Returns how many do.';

-- ---------------------------------------------------------------------------------------------------------
-- What was kept for a while
-- ---------------------------------------------------------------------------------------------------------

-- At most so many of each kind a run: some seconds, and in a day millions.
create function app.forget_old(at_most integer default 200000)
returns integer
language plpgsql
set search_path = ''
as $$
declare
  -- Constants: what is volatile finds nothing by an index, and of what a subquery gives the planner expects a third of the table.
  moment constant timestamptz := clock_timestamp();
  long_ago constant timestamptz := moment - interval '30 days';
  forgotten integer := 0;
  deleted integer;
begin
  delete from public.idempotency_keys
  where (organization_id, user_id, operation, key) in (
    select it.organization_id, it.user_id, it.operation, it.key
    from public.idempotency_keys it
    where it.expires_at <= moment
    limit at_most
    for update skip locked);
  get diagnostics deleted = row_count;
  forgotten := forgotten + deleted;
  delete from app.webhook_deliveries
  where id in (
    select it.id from app.webhook_deliveries it
    where it.status <> 'pending' and it.ended_at < long_ago
    limit at_most
    for update skip locked);
  get diagnostics deleted = row_count;
  forgotten := forgotten + deleted;
  delete from app.outbox_events
  where id in (
    select it.id from app.outbox_events it
    where it.created_at < long_ago
      and not exists (
        select from app.webhook_deliveries delivery
        where delivery.organization_id = it.organization_id and delivery.event_id = it.id)
    order by it.id
    limit at_most);
  get diagnostics deleted = row_count;
  forgotten := forgotten + deleted;
  delete from app.job_runs it where it.started_at < moment - interval '14 days';
  get diagnostics deleted = row_count;
  return forgotten + deleted;
end
$$;
comment on function app.forget_old is
  'Deletes expired idempotency keys, deliveries that ended 30 days ago, events as old that nothing waits for, runs of two weeks ago. '
  'Returns how many rows.';

-- ---------------------------------------------------------------------------------------------------------
-- Running
-- ---------------------------------------------------------------------------------------------------------

create function app.run_job(job text)
returns jsonb
language plpgsql
security definer
set search_path = ''
as $$
declare
  started constant timestamptz := clock_timestamp();
  done integer;
  failure text;
begin
  if not exists (select from app.jobs it where it.name = job) then
    raise exception using errcode = '22023', message = 'there is no such job';
  end if;
  if not pg_try_advisory_xact_lock(hashtextextended('job ' || job, 0)) then
    return jsonb_build_object('job', job, 'outcome', 'running');
  end if;
  begin
    done := case job
      when 'alert_authorizations' then app.tell_authorizations()
      when 'deliver_webhooks' then app.wake_deliverer()
      when 'detect_unusual_access' then app.sweep_unusual_access()
      when 'expire_holds' then app.sweep_expired_holds()
      when 'forget_old' then app.forget_old()
      when 'make_partitions' then audit.ensure_partitions()
      when 'offer_waitlist' then app.sweep_waitlist()
      when 'seal_audit' then audit.seal()
      when 'send_insights' then app.wake_insights()
    end;
  exception
    -- "others" leaves out a run that a statement timeout or an operator ends.
    when query_canceled or others then
      get stacked diagnostics failure = returned_sqlstate;
  end;
  insert into app.job_runs (job, started_at, outcome, done, sqlstate)
  values (run_job.job, started, case when failure is null then 'ok' else 'failed' end, done, failure);
  return jsonb_strip_nulls(jsonb_build_object(
    'job', job, 'outcome', case when failure is null then 'ok' else 'failed' end, 'done', done, 'sqlstate', failure));
end
$$;
comment on function app.run_job is
  'Runs a job of app.jobs, unless it runs already, and puts the run on record. Definer: jobs reach what no API role does; granted to '
  'the service role only.';

create function public.run_job(job text)
returns jsonb
language sql
security invoker
set search_path = ''
as $$
  select app.run_job(job)
$$;
comment on function public.run_job is 'For a clock outside the database, with the secret key: runs a job. Answers {job, outcome, done | sqlstate}.';
grant execute on function app.run_job, public.run_job to service_role;

create function app.due_jobs()
returns text[]
language plpgsql
stable
set search_path = ''
as $$
begin
  return array(
    select job.name
    from app.jobs job
    where not exists (
      select from app.job_runs run where run.job = job.name and run.started_at > (select clock_timestamp()) - job.every)
    order by job.every, job.name);
end
$$;
comment on function app.due_jobs is 'The jobs that have not run for as long as they are to wait, for a clock that is not pg_cron.';

create function app.cron_schedule(every interval)
returns text
language sql
immutable
set search_path = ''
as $$
  select case every
    when '10 seconds' then '10 seconds'
    when '1 minute' then '* * * * *'
    when '15 minutes' then '*/15 * * * *'
    when '1 hour' then '7 * * * *'
    when '1 day' then '23 3 * * *'
  end
$$;
comment on function app.cron_schedule is 'How often, as pg_cron takes it.';

create function app.schedule_jobs()
returns integer
language plpgsql
set search_path = ''
as $$
declare
  job app.jobs;
  scheduled integer := 0;
begin
  if to_regnamespace('cron') is null then
    return 0;
  end if;
  for job in select it.name, it.summary, it.every from app.jobs it order by it.name loop
    -- A name that is scheduled already is scheduled anew.
    execute 'select cron.schedule($1, $2, $3)'
    using 'holdfast ' || job.name, app.cron_schedule(job.every), format('select app.run_job(%L)', job.name);
    scheduled := scheduled + 1;
  end loop;
  -- Of each run it keeps a row of its own, for good: some 13,000 a day.
  execute 'select cron.schedule($1, $2, $3)'
  using 'holdfast forget runs of pg_cron', '30 3 * * *',
    'delete from cron.job_run_details where end_time < now() - interval ''7 days''';
  return scheduled;
end
$$;
comment on function app.schedule_jobs is 'Schedules every job with pg_cron, where it is there; says how many. May be called again.';

-- Where the server has the extension but may not load it, the migration goes on, and `npm run doctor` says what is missing.
do $$
declare
  wanted record;
begin
  for wanted in
    select extension.name, home.schema
    from (values ('pg_cron', 'pg_catalog'), ('pg_net', 'extensions')) home (name, schema)
    join pg_catalog.pg_available_extensions extension using (name)
    order by extension.name
  loop
    begin
      execute format('create extension if not exists %I with schema %I', wanted.name, wanted.schema);
    exception
      when others then
        raise warning '% is not loaded: %', wanted.name, sqlerrm;
    end;
  end loop;
  perform app.schedule_jobs();
end
$$;
