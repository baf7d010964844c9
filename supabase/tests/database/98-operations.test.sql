-- Health and metrics: what they answer to whom, and that a number follows what it counts.
-- One snapshot, so that what other files commit meanwhile is not counted.
begin isolation level repeatable read;
select plan(37);

-- ---------------------------------------------------------------------------------------------------------
-- Health
-- ---------------------------------------------------------------------------------------------------------

-- acting as anon
select tests.act_as('anon', '{"role": "anon"}');
select is(
  public.health(),
  '{"ok": true, "checks": [{"ok": true, "name": "schema"}, {"ok": true, "name": "writable"}, {"ok": true, "name": "reference"}]}'::jsonb
    || jsonb_build_object('version', public.health() -> 'version'),
  'a monitor that signs in nowhere is told that all is well, and nothing besides');
select throws_ok('select public.metrics()', '42501', null, 'and no numbers');
select tests.clear_authentication();
select is(
  public.health() ->> 'version', (select max(version) from supabase_migrations.schema_migrations),
  'the version is that of the last migration');

set local default_transaction_read_only = on;
select is(public.health() -> 'ok', 'false', 'a database that takes no writes is not well');
select is(
  jsonb_path_query_array(public.health(), '$.checks[*] ? (@.ok == false).name'), '["writable"]', 'and the check says which way');
set local default_transaction_read_only = off;

create temp view provolatility as
select proname::text as name, provolatile::text as kind from pg_proc
where proname in ('health', 'metrics') and pronamespace in ('app'::regnamespace, 'public'::regnamespace);
select set_eq('select kind from provolatility', array['s'], 'neither health nor metrics writes');

-- ---------------------------------------------------------------------------------------------------------
-- Metrics
-- ---------------------------------------------------------------------------------------------------------

create function pg_temp.metric(of_name text, of_labels jsonb default '{}') returns numeric language sql volatile as $$
  select it.value::numeric from public.metrics() it where it.name = of_name and it.labels = of_labels
$$;

select set_eq(
  $$ select distinct name from public.metrics() where name not in ('refusals_last_hour', 'last_seal_age_seconds', 'dead_tuples') $$,
  array['holds', 'sessions_today', 'waitlist_waiting', 'waitlist_offers_open', 'calls_this_minute', 'events_unsealed',
    'events_unsealed_oldest_seconds', 'trail_partitions_ahead', 'access_alerts_open', 'outbox_backlog', 'outbox_oldest_seconds', 'deliveries_dead_last_day',
    'jobs_overdue', 'job_failures_last_day', 'forget_overdue_seconds', 'database_size_bytes', 'connections', 'connections_allowed', 'oldest_transaction_seconds', 'longest_query_seconds'],
  'these numbers are there always, also where there is nothing to count');
select is_empty('select name, labels from public.metrics() group by 1, 2 having count(*) > 1', 'each number is there once');
select is_empty(
  $$ select name from public.metrics() where value is null or value < 0 or name !~ '^[a-z_]+$' $$, 'and is a number');
select set_eq(
  $$ select labels ->> 'status' from public.metrics() where name = 'sessions_today' $$,
  $$ select unnest(array['scheduled', 'in_progress', 'completed', 'no_show', 'cancelled']) $$,
  'every status of a session has a number');
select is_empty(
  $$ select name, label.value from public.metrics() cross join lateral jsonb_each_text(labels) label
    where label.key not in ('state', 'status', 'code', 'by', 'job', 'table') or label.value !~ '^[a-z0-9_. ()]+$' $$,
  'labels are words of the schema: no id, no name, nothing of a person');

select tests.create_clinic('north');
select tests.fill_schedule('north');
create temp table before (name text, labels jsonb, value numeric);
create function pg_temp.remember() returns void language sql as $$
  truncate before;
  insert into before select name, labels, value from public.metrics();
$$;
create function pg_temp.grown(of_name text, of_labels jsonb default '{}') returns numeric language sql volatile as $$
  select coalesce(pg_temp.metric(of_name, of_labels), 0)
    - coalesce((select value from before where name = of_name and labels = of_labels), 0)
$$;

select pg_temp.remember();
select tests.add_hold('a hold', 'north', '12:00');
-- Others' holds run out by the clock, so only the sum of both is certain.
select is(
  pg_temp.grown('holds', '{"state": "active"}') + pg_temp.grown('holds', '{"state": "expired_unswept"}'), 1::numeric,
  'a hold is counted once, however many subjects it claims');
select cmp_ok(pg_temp.metric('holds', '{"state": "active"}'), '>=', 1::numeric, 'as active');
update public.session_holds set expires_at = clock_timestamp() where id = tests.id('a hold');
select cmp_ok(
  pg_temp.grown('holds', '{"state": "expired_unswept"}'), '>=', 1::numeric, 'and, once its time has run out, as one that nobody swept');

-- Where it is a day ahead of UTC, and where the day begins: whatever the hour, one of them is of another day in UTC.
update public.organizations set time_zone = 'Pacific/Kiritimati' where id = tests.id('north');
select pg_temp.remember();
create function pg_temp.book(label text, hour integer) returns void language plpgsql as $$
declare
  starts timestamptz := (date_trunc('day', now() at time zone 'Pacific/Kiritimati') + make_interval(hours => hour)) at time zone 'Pacific/Kiritimati';
begin
  perform tests.add_session(label, 'north', '09:00', '{"status": "cancelled", "cancelled_by": "clinic"}');
  update public.sessions set start_time = starts, end_time = starts + interval '1 hour' where id = tests.id(label);
end
$$;
select pg_temp.book('early', 1), pg_temp.book('late', 23);
select is(pg_temp.grown('sessions_today', '{"status": "cancelled"}'), 2::numeric, 'sessions of today are those of the clinic''s own day');
select pg_temp.book('yesterday', -1), pg_temp.book('tomorrow', 24);
select is(pg_temp.grown('sessions_today', '{"status": "cancelled"}'), 2::numeric, 'not of the day before or after');

select pg_temp.remember();
insert into audit.events (organization_id, action, decision, code, occurred_at) values
  (tests.id('north'), 'rpc.hold_sessions', 'deny', 'tested_here', clock_timestamp()),
  (null, 'rpc.hold_sessions', 'deny', 'tested_here', clock_timestamp()),
  (tests.id('north'), 'rpc.hold_sessions', 'deny', 'tested_here', now() - interval '61 minutes'),
  (tests.id('north'), 'rpc.hold_sessions', 'allow', 'tested_here', clock_timestamp());
select is(
  pg_temp.metric('refusals_last_hour', '{"code": "tested_here"}'), 2::numeric,
  'the refusals of the last hour are counted by code, also those of no organization');
select is(pg_temp.grown('events_unsealed'), 4::numeric, 'an event waits for a seal from when it is written');
select cmp_ok(pg_temp.metric('events_unsealed_oldest_seconds'), '>=', 3660::numeric, 'and the longest wait shows');

insert into app.call_counts (user_id, minute, calls) values
  (gen_random_uuid(), date_trunc('minute', clock_timestamp()), 7),
  (gen_random_uuid(), date_trunc('minute', clock_timestamp()) + interval '1 minute', 7),
  (gen_random_uuid(), date_trunc('minute', clock_timestamp()) - interval '1 minute', 1000000);
select cmp_ok(pg_temp.metric('calls_this_minute', '{"by": "users"}'), '>=', 7::numeric, 'calls of this minute are counted');
select cmp_ok(pg_temp.metric('calls_this_minute', '{"by": "users"}'), '<', 1000000::numeric, 'and of no minute before');

insert into app.webhook_endpoints (organization_id, url) values (tests.id('north'), 'https://hooks.example.com/north');
select pg_temp.remember();
select app.emit(tests.id('north'), 'session.confirmed', gen_random_uuid());
select is(pg_temp.grown('outbox_backlog'), 1::numeric, 'a message that nobody has taken yet waits');
select app.emit(tests.id('south'), 'session.confirmed', gen_random_uuid());
select is(pg_temp.grown('outbox_backlog'), 1::numeric, 'an event that nobody asked to be told of does not');
update app.webhook_deliveries set status = 'dead', ended_at = clock_timestamp() where organization_id = tests.id('north') and status = 'pending';
select is(
  array[pg_temp.grown('outbox_backlog'), pg_temp.grown('deliveries_dead_last_day')], array[0, 1]::numeric[], 'what is given up waits no more, and shows for a day');
insert into public.access_alerts (organization_id, kind) values (tests.id('north'), 'note_unreadable');
select is(pg_temp.grown('access_alerts_open'), 1::numeric, 'an alert is open');
update public.access_alerts set status = 'acknowledged', acknowledged_reason = 'Looked into' where organization_id = tests.id('north');
select is(pg_temp.grown('access_alerts_open'), 0::numeric, 'until somebody looked at it');

insert into app.jobs (name, summary, every) values ('count_stars', 'Counts stars.', '1 hour');
select is(pg_temp.metric('jobs_overdue', '{"job": "count_stars"}'), 1::numeric, 'a job that never went well is overdue');
insert into app.job_runs (job, started_at, outcome, sqlstate) values ('count_stars', clock_timestamp(), 'failed', '22012');
select is(pg_temp.metric('jobs_overdue', '{"job": "count_stars"}'), 1::numeric, 'one that only fails is');
select is(pg_temp.metric('job_failures_last_day', '{"job": "count_stars"}'), 1::numeric, 'and its failures are counted');
insert into app.job_runs (job, started_at, outcome, sqlstate, done) values
  ('count_stars', clock_timestamp() - interval '25 hours', 'failed', '22012', null),
  ('count_stars', clock_timestamp() - interval '122 minutes', 'ok', null, 0);
select is(pg_temp.metric('jobs_overdue', '{"job": "count_stars"}'), 1::numeric, 'one that went well long ago is overdue');
select is(pg_temp.metric('job_failures_last_day', '{"job": "count_stars"}'), 1::numeric, 'failures of the day before are not counted');
insert into app.job_runs (job, started_at, outcome, done) values ('count_stars', clock_timestamp() - interval '120 minutes', 'ok', 0);
select is(pg_temp.metric('jobs_overdue', '{"job": "count_stars"}'), 0::numeric, 'one that went well within twice its time is not');

create function pg_temp.key_that_ended(ago interval) returns void language sql as $$
  insert into public.idempotency_keys (organization_id, user_id, operation, key, request_hash, response, expires_at)
  values (tests.id('north'), tests.id('north admin login'), 'hold_sessions', md5(ago::text), '', '{}', now() - ago)
$$;
select pg_temp.key_that_ended('100 days');
select cmp_ok(pg_temp.metric('forget_overdue_seconds'), '>=', 8640000::numeric, 'what nobody forgets shows by its age');
select pg_temp.key_that_ended(age) from (select interval '1 day' + interval '1 second' * i as age from generate_series(1, 10001) i) it;
select app.forget_old();
select is_empty(
  $$ select from public.idempotency_keys where organization_id = tests.id('north') $$, 'more than ten thousand of a kind are forgotten at once');
select cmp_ok(pg_temp.metric('forget_overdue_seconds'), '<', 8640000::numeric, 'and what was forgotten does not');

select cmp_ok(pg_temp.metric('trail_partitions_ahead'), '>=', 13::numeric, 'the trail has partitions for this month and a year');
-- Last of all, since readers of the trail wait for it.
do $$
begin
  execute format(
    'alter table audit.events detach partition audit.events_%s', to_char((now() at time zone 'UTC') + interval '2 months', 'YYYY_MM'));
end
$$;
select is(pg_temp.metric('trail_partitions_ahead'), 2::numeric, 'and is told as far as the first gap');

select * from finish();
rollback;
