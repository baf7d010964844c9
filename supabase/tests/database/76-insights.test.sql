-- Insights: off until turned on, counts and codes only, no few of anything, what is shown is what is sent, and off at once.
begin;
select plan(29);
select tests.create_clinic('north');
select tests.create_clinic('south');

create function pg_temp.yesterday() returns date language sql as $$ select (now() at time zone 'America/New_York')::date - 1 $$;
create function pg_temp.ask(operation text, changes jsonb default '{}', person text default 'north admin') returns jsonb language plpgsql as $$
declare
  answer jsonb;
begin
  perform tests.authenticate_as(tests.id(person || ' login'));
  answer := app.run_operation(operation, jsonb_build_object('organization_id', tests.id('north')) || changes, null);
  perform tests.clear_authentication();
  return answer;
end
$$;
create function pg_temp.claim() returns jsonb language sql as $$
  select app.claim_insights(jsonb_build_object('organization_id', tests.id('north')))
$$;
create function pg_temp.record(claim jsonb, status integer default null) returns jsonb language sql as $$
  select app.record_insights(jsonb_build_object('lease_id', claim ->> 'lease_id', 'status_code', status))
$$;
-- As if it had been turned on three days ago.
create function pg_temp.go_back() returns void language sql as $$
  update app.insights set next_day = pg_temp.yesterday() - 2, next_attempt_at = now() where organization_id = tests.id('north')
$$;
create function pg_temp.let_time_pass() returns void language sql as $$
  update app.insights set next_attempt_at = now() where organization_id = tests.id('north')
$$;

-- Twelve that are scheduled, ten that were cancelled, on the clinic's yesterday; and one right before and right after it.
insert into public.sessions (organization_id, therapist_id, client_id, service_id, start_time, end_time, time_zone, status, cancelled_by)
select tests.id('north'), tests.id('north rosa'), tests.id('north birch'), tests.id('north 97153'), begins, begins + interval '30 minutes',
  'America/New_York', case when number < 12 then 'scheduled' else 'cancelled' end, case when number >= 12 then 'clinic' end
from generate_series(0, 21) number
cross join lateral (select (pg_temp.yesterday() + time '00:00' + number * interval '30 minutes') at time zone 'America/New_York') at (begins)
union all
select tests.id('north'), tests.id('north rosa'), tests.id('north birch'), tests.id('north 97153'), begins, begins + interval '30 minutes',
  'America/New_York', 'scheduled', null
from unnest(array[-30, 1440]) minutes
cross join lateral (select (pg_temp.yesterday() + minutes * interval '1 minute') at time zone 'America/New_York') at (begins);

-- As many in another clinic, of which nothing is told here.
insert into public.sessions (organization_id, therapist_id, client_id, service_id, start_time, end_time, time_zone)
select tests.id('south'), tests.id('south rosa'), tests.id('south birch'), tests.id('south 97153'), begins, begins + interval '30 minutes', 'America/New_York'
from generate_series(0, 40) number
cross join lateral (select (pg_temp.yesterday() + time '00:00' + number * interval '30 minutes') at time zone 'America/New_York') at (begins);
insert into audit.events (organization_id, occurred_at, action, decision, code)
select tests.id(clinic), (pg_temp.yesterday() + time '12:00') at time zone 'America/New_York', 'rpc.hold_sessions', 'deny', code
from (values ('south', 'forbidden', 30), ('north', 'not_found', 25), ('north', 'client_conflict', 3)) it (clinic, code, number), generate_series(1, it.number);

select is(pg_temp.ask('read_insights', person => 'north rosa') #>> '{problem,code}', 'forbidden', 'a therapist does not see insights');
select is(pg_temp.ask('save_insights', '{"enabled": true}', 'north rosa') #>> '{problem,code}', 'forbidden', 'and does not turn them on');
select is(pg_temp.ask('save_insights', '{"enabled": true}', 'south admin') #>> '{problem,code}', 'not_found', 'nor does the admin of another clinic');
select is_empty($$ select from app.insights where organization_id in (tests.id('north'), tests.id('south')) $$, 'at first nobody sends any');
select is(pg_temp.claim(), '{"message": null}', 'so nothing is claimed');

create temp table shown on commit drop as select pg_temp.ask('read_insights') -> 'data' as data;
select is((select data ->> 'enabled' from shown), 'false', 'an admin sees that they are off');
select is(
  (select data -> 'preview' from shown),
  jsonb_build_object('type', 'insights.day', 'sender', null, 'day', pg_temp.yesterday(), 'sessions', '{"scheduled": 10, "cancelled": null}'::jsonb,
    'services', '{"97153": 20}'::jsonb, 'refusals', '{"not_found": 20, "client_conflict": null}'::jsonb),
  'and what would be sent: of the clinic''s yesterday, of ten or fewer not how many, nor does it follow from the others');
select is(
  app.rounded_counts('{"a": 1, "b": 10, "c": 11, "d": 19, "e": 20, "f": 109}'), '{"a": null, "b": null, "c": 10, "d": 10, "e": 20, "f": 100}',
  'what is not few is sent in tens');
select is(
  pg_temp.ask('read_insights', jsonb_build_object('organization_id', tests.id('south')), 'south admin') #> '{data,preview,sessions}', '{"scheduled": 40}',
  'to each clinic its own');
select is(pg_temp.ask('save_insights', '{"enabled": "yes"}') #>> '{problem,code}', 'validation_failed', 'neither yes nor no turns nothing on');
select is(pg_temp.ask('save_insights') #>> '{problem,code}', 'validation_failed', 'nor does nothing');
select is(pg_temp.ask('save_insights', '{"enabled": true}') #>> '{data,enabled}', 'true', 'an admin turns them on');
select is(
  (pg_temp.ask('save_insights', '{"enabled": true}') #>> '{data,next_day}')::date, pg_temp.yesterday() + 1,
  'from today on, and twice is once');
select is(
  (select array_agg(action) from audit.events where organization_id = tests.id('north') and action ~ '^insights\.'), '{insights.enabled}',
  'which is on record, once');
select is(pg_temp.claim(), '{"message": null}', 'a day that is not over is not sent');

select pg_temp.go_back();
create temp table claimed on commit drop as select pg_temp.claim() as claim;
select is((select claim #>> '{message,day}' from claimed)::date, pg_temp.yesterday() - 2, 'a day that is over is');
select is(pg_temp.claim(), '{"message": null}', 'to one sender at a time');
select is((select pg_temp.record(claim, 204) from claimed), '{"recorded": true}', 'what was taken is recorded');
select is((select pg_temp.record(claim, 204) from claimed), '{"recorded": false}', 'once');
select pg_temp.claim() as claim into temp again;
select is((select claim #>> '{message,day}' from again)::date, pg_temp.yesterday() - 1, 'then comes the next day');
select pg_temp.record(claim, 500) from again;
select is(pg_temp.claim(), '{"message": null}', 'what was not taken waits');
select pg_temp.let_time_pass();
select is((pg_temp.claim() #>> '{message,day}')::date, pg_temp.yesterday() - 1, 'and is sent again');
update app.insights set next_day = pg_temp.yesterday(), next_attempt_at = now() where organization_id = tests.id('north');
drop table again;
select pg_temp.claim() as claim into temp again;
select is(
  (select claim -> 'message' from again), pg_temp.ask('read_insights') #> '{data,preview}', 'what is sent of a day is what is shown of it');
update app.insights set next_day = pg_temp.yesterday() - 400, next_attempt_at = now() where organization_id = tests.id('north');
select is((pg_temp.claim() #>> '{message,day}')::date, pg_temp.yesterday() - 6, 'of a long silence the last week is caught up');

select pg_temp.let_time_pass();
drop table again;
select pg_temp.claim() as claim into temp again;
select is(pg_temp.ask('save_insights', '{"enabled": false}') #>> '{data,enabled}', 'false', 'an admin turns them off');
select is(pg_temp.claim(), '{"message": null}', 'and nothing is claimed any more');
select is((select pg_temp.record(claim, 204) from again), '{"recorded": false}', 'nor is anything recorded of what was under way');
select is_empty($$ select from app.insights where organization_id = tests.id('north') $$, 'nothing of it is kept');
select isnt(
  pg_temp.ask('save_insights', '{"enabled": true}') #>> '{data,preview,sender}', (select claim #>> '{message,sender}' from again),
  'who turns them on again sends under another name');

select * from finish();
rollback;
