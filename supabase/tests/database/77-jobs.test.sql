-- Jobs: each run is on record, one at a time, and none does twice what is done.
begin;
select plan(35);
select tests.create_clinic('north');

create function pg_temp.last_run(of_job text) returns app.job_runs language sql as $$
  select run.* from app.job_runs run where run.job = of_job order by run.id desc limit 1
$$;

-- what a job is
select is_empty($$ select name from app.jobs where app.cron_schedule(every) is null $$, 'every job has a schedule that pg_cron takes');
select matches(
  (select prosrc from pg_proc where oid = 'app.run_job'::regproc), format('when %L then ', name), format('%s is a job that can be run', name))
from app.jobs order by name;
select throws_ok($$ select app.run_job('drop_everything') $$, '22023', null, 'nothing else is');

-- authorizations, told once
insert into public.payers (id, organization_id, name) values (tests.id('payer'), tests.id('north'), 'Payer');
insert into public.authorizations (id, organization_id, client_id, payer_id, authorization_number, cpt_codes, starts_on, ends_on, units, low_balance_percent, expiring_days)
values (tests.id('authorization'), tests.id('north'), tests.id('north aspen'), tests.id('payer'), 'A-1', '{97153}', current_date - 30, current_date + 20, 100, 10, 30);
create function pg_temp.told() returns text[] language sql as $$
  select array(select event.type from app.outbox_events event where event.organization_id = tests.id('north') and event.type like 'authorization.%' order by event.id)
$$;
select is(app.tell_authorizations(tests.id('north')), 1, 'an authorization that ends soon is told of');
select is(app.tell_authorizations(tests.id('north')), 0, 'once');
update public.authorizations set ends_on = current_date + 200 where id = tests.id('authorization');
select is(app.tell_authorizations(tests.id('north')), 0, 'not when it is so no more');
update public.authorizations set ends_on = current_date + 10 where id = tests.id('authorization');
select is(app.tell_authorizations(tests.id('north')), 1, 'and again when it is so again');
select is(pg_temp.told(), '{authorization.expiring,authorization.expiring}', 'by type and id');

-- a run on record
select is(app.run_job('make_partitions') ->> 'outcome', 'ok', 'a job says that it ran');
select is((pg_temp.last_run('make_partitions')).done, 0, 'and the record says what it did, also when that was nothing');
select ok((pg_temp.last_run('make_partitions')).started_at <= (pg_temp.last_run('make_partitions')).finished_at, 'and when');
select ok('make_partitions' <> all (app.due_jobs()), 'it is not due for a while');
update app.job_runs set started_at = now() - interval '25 hours' where job = 'make_partitions';
select ok('make_partitions' = any (app.due_jobs()), 'and then it is');

-- a failure
create or replace function app.sweep_unusual_access(days integer default 2, only_organization uuid default null) returns integer language plpgsql set search_path = '' as $$
begin
  update public.organizations set name = 'Broken' where id = tests.id('north');
  raise exception using errcode = '22012';
end
$$;
select is(app.run_job('detect_unusual_access'), '{"job": "detect_unusual_access", "outcome": "failed", "sqlstate": "22012"}', 'a job that fails says so');
select is((pg_temp.last_run('detect_unusual_access')).sqlstate, '22012', 'which is on record');
select isnt((select name from public.organizations where id = tests.id('north')), 'Broken', 'and it undoes what it did');
create or replace function app.sweep_unusual_access(days integer default 2, only_organization uuid default null) returns integer language plpgsql set search_path = '' as $$
begin
  raise exception using errcode = 'query_canceled';
end
$$;
select is(app.run_job('detect_unusual_access') ->> 'sqlstate', '57014', 'so does one that is ended: by a statement timeout, say');
select is((pg_temp.last_run('detect_unusual_access')).sqlstate, '57014', 'and it is on record, so that the clock waits before it tries again');

-- what was kept for a while
create function pg_temp.old_delivery(label text, ended text, status text) returns void language sql as $$
  with event as (
    insert into app.outbox_events (organization_id, type, subject_id, created_at)
    values (tests.id('north'), 'session.moved', tests.id(label), now() - ended::interval - interval '1 hour') returning id
  )
  insert into app.webhook_deliveries (id, organization_id, endpoint_id, event_id, subject_id, status, ended_at)
  select tests.id(label), tests.id('north'), tests.id('endpoint'), event.id, tests.id(label), status,
    case when status <> 'pending' then now() - ended::interval end
  from event
$$;
insert into app.webhook_endpoints (id, organization_id, url, event_types) values (tests.id('endpoint'), tests.id('north'), 'https://hooks.example.com/', '{note.signed}');
select pg_temp.old_delivery('old', '31 days', 'delivered'), pg_temp.old_delivery('old and dead', '31 days', 'dead'),
  pg_temp.old_delivery('old and waiting', '31 days', 'pending'), pg_temp.old_delivery('recent', '29 days', 'delivered');
insert into public.idempotency_keys (organization_id, user_id, operation, key, request_hash, response, expires_at)
select tests.id('north'), tests.id('north admin login'), 'hold_sessions', key, '', '{}', now() + ends
from (values ('over', interval '-1 second'), ('live', interval '1 hour')) it (key, ends);
update app.job_runs set started_at = now() - interval '15 days' where job = 'make_partitions';
select ok(app.forget_old() >= 6, 'what is old is forgotten');
select set_eq(
  $$ select id from app.webhook_deliveries where organization_id = tests.id('north') $$,
  array[tests.id('old and waiting'), tests.id('recent')], 'deliveries that ended a month ago, and none that waits');
select set_eq(
  $$ select subject_id from app.outbox_events where organization_id = tests.id('north') and type = 'session.moved' $$,
  array[tests.id('old and waiting'), tests.id('recent')], 'with their events');
select results_eq(
  $$ select key from public.idempotency_keys where organization_id = tests.id('north') $$, array['live'], 'expired keys of calls, and no live one');
select is((pg_temp.last_run('make_partitions')).id, null, 'and runs of two weeks ago');

-- the clock of a hosted project, as far as its functions are called here
select is(app.schedule_jobs(), 0, 'without pg_cron nothing is scheduled');
create schema cron;
create table cron.asked (name text primary key, schedule text, command text);
create function cron.schedule(text, text, text) returns bigint language sql as $$
  insert into cron.asked values ($1, $2, $3) on conflict (name) do update set schedule = excluded.schedule returning 1::bigint
$$;
select app.schedule_jobs(), app.schedule_jobs();
select set_eq(
  'select name, schedule, command from cron.asked',
  $$ select 'holdfast ' || name as name, app.cron_schedule(every) as schedule, format('select app.run_job(%L)', name) as command from app.jobs
    union all
    select 'holdfast forget runs of pg_cron', '30 3 * * *',
      'delete from cron.job_run_details where end_time < now() - interval ''7 days''' $$,
  'with it every job is, once, and what it keeps of runs itself is deleted');
create schema vault;
create schema net;
create table vault.decrypted_secrets (name text, decrypted_secret text);
create table net.asked (url text, headers jsonb);
create function net.http_post(url text, headers jsonb, body jsonb, timeout_milliseconds integer) returns bigint language sql as $$
  insert into net.asked values (url, headers) returning 1::bigint
$$;
select app.wake_deliverer();
select is_empty('select from net.asked', 'without its secrets nobody is woken');
insert into vault.decrypted_secrets values ('holdfast_functions_url', 'https://ref.supabase.co/functions/v1'), ('holdfast_secret_key', 'the key');
select app.wake_deliverer();
select results_eq(
  $$ select url, headers ->> 'apikey' from net.asked $$, $$ values ('https://ref.supabase.co/functions/v1/webhooks-deliver', 'the key') $$,
  'with them the deliverer is, when a message is due');

select * from finish();
rollback;
