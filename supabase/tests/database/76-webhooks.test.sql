-- Webhooks: what is told, to whom, once and in order, and when it is tried again.
begin;
select plan(80);
select tests.create_clinic('north'), tests.create_clinic('south');

create function pg_temp.as_admin(rpc text, request jsonb) returns jsonb language plpgsql as $$
declare
  answer jsonb;
begin
  perform tests.authenticate_as(tests.id('north admin login'));
  -- With a key, under which no secret may be kept.
  execute format('select public.%I($1, $2)', rpc) into answer
  using jsonb_build_object('organization_id', tests.id('north')) || request, gen_random_uuid()::text;
  perform tests.clear_authentication();
  return answer;
end
$$;
create function pg_temp.wrong_field(url text) returns text language sql as $$
  select pg_temp.as_admin('save_webhook_endpoint', jsonb_build_object('url', url)) #>> '{problem,errors,0,field}'
$$;
create function pg_temp.claim(at_most integer default 50, clinic text default 'north') returns jsonb language sql as $$
  select app.claim_webhook_deliveries(jsonb_build_object('organization_id', tests.id(clinic), 'limit', at_most))
$$;
create function pg_temp.answer(claim jsonb, outcome jsonb) returns setof jsonb language sql as $$
  select app.record_webhook_attempt(jsonb_build_object(
    'delivery_id', delivery -> 'id', 'lease_id', claim -> 'lease_id', 'duration_ms', 5) || outcome)
  from jsonb_array_elements(claim -> 'deliveries') delivery
$$;
create function pg_temp.types(claim jsonb) returns text language sql as $$
  select string_agg((delivery ->> 'body')::jsonb ->> 'type', ' ' order by place)
  from jsonb_array_elements(claim -> 'deliveries') with ordinality it (delivery, place)
$$;
create function pg_temp.make_due() returns void language sql as $$
  update app.webhook_deliveries set next_attempt_at = clock_timestamp() where organization_id = tests.id('north') and status = 'pending'
$$;

-- ---------------------------------------------------------------------------------------------------------
-- Endpoints
-- ---------------------------------------------------------------------------------------------------------

select tests.keep('made', pg_temp.as_admin('save_webhook_endpoint', '{"url": "https://Hooks.Example.com/Path?key=1", "description": "Billing"}'));
select matches(tests.kept('made') #>> '{data,secret}', '^whsec_[A-Za-z0-9+/]{43}=$', 'a new endpoint comes with its secret, in the form of the specification');
select is(tests.kept('made') #>> '{data,url}', 'https://hooks.example.com/Path?key=1', 'the host is the same in any case, the path is not');
select is(tests.kept('made') #>> '{data,status}', 'active', 'and it is active');
select tests.name_row('endpoint', (tests.kept('made') #>> '{data,endpoint_id}')::uuid);
select is_empty(
  $$ select from public.idempotency_keys where organization_id = tests.id('north') and response::text ~ 'whsec_' $$, 'no answer with a secret is kept');
select is_empty(
  $$ select from audit.events where organization_id = tests.id('north') and details::text ~ 'whsec_|key=1' $$, 'the trail has neither secret nor URL');
select is(
  (select details -> 'status' from audit.events where organization_id = tests.id('north') and action = 'webhook.saved'), '"active"', 'but that it was made');
select is(pg_temp.as_admin('read_webhook_endpoints', '{}') #>> '{data,endpoints,0,secret}', null, 'the secret is not shown again');
select is(pg_temp.wrong_field('https://hooks.example.com/Path?key=1'), 'url', 'the same URL twice is refused');
select is(pg_temp.wrong_field(url), 'url', 'no endpoint is at ' || url)
from unnest(array[
  'http://hooks.example.com/', 'https://localhost/', 'https://127.0.0.1/', 'https://2130706433/', 'https://0x7f.1/', 'https://[::1]/',
  'https://10.0.0.1/', 'https://user@hooks.example.com/', 'https://hooks.example.com:8443/', 'https://hooks.example.com:443@10.0.0.1/',
  'https://hooks.example.com/#part', 'https://hooks.example.com\@10.0.0.1/', 'https://hooks.example.com/a b', 'ftp://hooks.example.com/',
  'https://hooks..example.com/', 'https://intranet/']) url;
select throws_ok(
  $$ insert into app.webhook_endpoints (organization_id, url) values (tests.id('north'), 'https://10.0.0.1/') $$, '23514', null,
  'nor does the table take it');
select is(
  pg_temp.as_admin('save_webhook_endpoint', '{"url": "https://a.example.com/", "event_types": ["session.unknown"]}') #>> '{problem,errors,0,field}',
  'event_types', 'an unknown type of event is refused');
select is(
  pg_temp.as_admin('save_webhook_endpoint', jsonb_build_object('endpoint_id', tests.id('nobody'), 'status', 'disabled')) #>> '{problem,code}',
  'not_found', 'an endpoint of elsewhere is not found');
select is_empty(
  $$ select name from app.webhook_event_types where name !~ '^(access_alert|authorization)\.' except select name from audit.event_types $$,
  'what is told of is an event of the trail, or emitted by name');

-- ---------------------------------------------------------------------------------------------------------
-- What is told
-- ---------------------------------------------------------------------------------------------------------

select is(pg_temp.claim() -> 'deliveries', '[]', 'nothing is due');
insert into app.webhook_endpoints (id, organization_id, url, event_types)
values (tests.id('south endpoint'), tests.id('south'), 'https://hooks.example.com/', '{hold.expired,hold.released}');
select tests.add_hold('hold', 'north', '09:00'), tests.add_hold('south hold', 'south', '09:00');
select is(pg_temp.types(pg_temp.claim()), 'hold.created', 'what happens is due at once');
select is_empty(
  $$ select from app.outbox_events where organization_id = tests.id('south') and type = 'hold.created' $$, 'nothing is put aside where nobody listens');
select is(pg_temp.claim() -> 'deliveries', '[]', 'while it is leased it is nobody else''s');
select pg_temp.make_due();
select tests.keep('claim', pg_temp.claim());
select is(
  (tests.kept('claim') #>> '{deliveries,0,body}')::jsonb - 'timestamp',
  jsonb_build_object('type', 'hold.created', 'data', jsonb_build_object(
    'id', tests.id('hold'), 'organization_id', tests.id('north'), 'object', 'session_holds')),
  'when the lease ends it is due again; a message has ids and codes, and nothing else');
select is(
  tests.kept('claim') #> '{deliveries,0,secrets}', jsonb_build_array(tests.kept('made') #>> '{data,secret}'), 'it is to be signed with the secret that was shown');
savepoint undone;
select tests.add_hold('undone hold', 'north', '11:00');
rollback to savepoint undone;
select is(
  (select count(*) from app.webhook_deliveries where organization_id = tests.id('north')), 1::bigint, 'what is undone is not told');
insert into audit.events (organization_id, action, decision, code, row_id) values (tests.id('north'), 'session.scheduled', 'deny', 'forbidden', tests.id('hold'));
select is(
  (select count(*) from app.webhook_deliveries where organization_id = tests.id('north')), 1::bigint, 'nor is what is refused');
update app.webhook_endpoints set status = 'disabled' where id = tests.id('endpoint');
select pg_temp.make_due();
select is(pg_temp.claim() -> 'deliveries', '[]', 'to an endpoint that is not active nothing is sent that came in between');
update app.webhook_endpoints set status = 'active' where id = tests.id('endpoint');
select tests.keep('claim', pg_temp.claim());

-- in order
update public.session_holds set status = 'released' where id = tests.id('hold');
select tests.add_hold('other hold', 'north', '12:00');
select is(pg_temp.types(pg_temp.claim()), 'hold.created', 'of a subject nothing is sent before what came earlier; of another it is');
select results_eq(
  $$ select pg_temp.answer(tests.kept('claim') || jsonb_build_object('lease_id', gen_random_uuid()), '{"status_code": 200}') $$,
  $$ values ('{"recorded": false}'::jsonb) $$, 'who has no lease records nothing');
select results_eq(
  $$ select pg_temp.answer(tests.kept('claim'), '{"status_code": 204}') $$, $$ values ('{"recorded": true}'::jsonb) $$, 'who has it does');
select is(pg_temp.types(pg_temp.claim()), 'hold.released', 'then the next is due');

select is_empty(
  $$ select from app.webhook_deliveries where organization_id = tests.id('south') or endpoint_id = tests.id('south endpoint') $$,
  'the endpoint of another clinic is told nothing of it');

-- ---------------------------------------------------------------------------------------------------------
-- Trying again
-- ---------------------------------------------------------------------------------------------------------

select tests.name_row('failing', (
  select id from app.webhook_deliveries where organization_id = tests.id('north') and subject_id = tests.id('other hold')));
create function pg_temp.fail(times integer) returns setof interval language plpgsql as $$
begin
  for attempt in 1..times loop
    perform pg_temp.make_due();
    perform pg_temp.answer(pg_temp.claim(), '{"status_code": 500}');
    return query select next_attempt_at - clock_timestamp() from app.webhook_deliveries where id = tests.id('failing');
  end loop;
end
$$;
update app.webhook_deliveries set attempts = 0 where id = tests.id('failing');
create temp table waits as select row_number() over () as attempt, wait from pg_temp.fail(9) wait;
select is_empty(
  $$ select attempt, waits.wait from waits join app.webhook_retries planned using (attempt)
    where waits.wait not between planned.wait - interval '1 second' and planned.wait * 1.2 $$,
  'after a failure it waits as planned, and up to a fifth longer');
select is((select count(*) from waits), 9::bigint, 'nine times');
select isnt_empty(
  $$ select from waits join app.webhook_retries planned using (attempt) where attempt > 2 and waits.wait > planned.wait * 1.005 $$,
  'so that what failed together does not come back together');
select is((select status from app.webhook_deliveries where id = tests.id('failing')), 'pending', 'it is not given up yet');
select count(*) from pg_temp.fail(1);
select is((select status from app.webhook_deliveries where id = tests.id('failing')), 'dead', 'after the tenth failure it is dead');
select is((select count(*) from app.webhook_attempts where delivery_id = tests.id('failing')), 10::bigint, 'with every attempt in the log');

select tests.keep('dead', pg_temp.as_admin('read_webhook_deliveries', jsonb_build_object('endpoint_id', tests.id('endpoint'), 'status', 'dead', 'limit', 1)));
select is(tests.kept('dead') #>> '{data,deliveries,0,attempts,9,status_code}', '500', 'which admins see');
select isnt(tests.kept('dead') #>> '{data,next}', null, 'page by page');
select is(
  pg_temp.as_admin('read_webhook_deliveries', jsonb_build_object(
    'endpoint_id', tests.id('endpoint'), 'status', 'dead', 'limit', 1, 'after', tests.kept('dead') #> '{data,next}')) #>> '{data,next}',
  null, 'to the last');

select is(
  pg_temp.as_admin('replay_webhook_deliveries', jsonb_build_object(
    'endpoint_id', tests.id('endpoint'), 'delivery_ids', jsonb_build_array(tests.id('failing'), tests.id('nobody')))) #>> '{data,replayed}',
  '1', 'a dead one is sent again');
select is(
  (select jsonb_agg(delivery -> 'id') from jsonb_array_elements(pg_temp.claim() -> 'deliveries') delivery),
  jsonb_build_array(tests.id('failing')), 'at once, as the same message');
select is(
  pg_temp.as_admin('replay_webhook_deliveries', jsonb_build_object('endpoint_id', tests.id('endpoint'))) #>> '{data,replayed}',
  '1', 'or all that are dead, and not what was delivered');
select is(
  pg_temp.as_admin('replay_webhook_deliveries', jsonb_build_object(
    'endpoint_id', tests.id('endpoint'), 'delivery_ids', jsonb_build_array(tests.id('failing')))) #>> '{data,replayed}',
  '0', 'nor what is on its way');
select is(
  pg_temp.as_admin(rpc, jsonb_build_object('endpoint_id', tests.id('south endpoint'))) #>> '{problem,code}', 'not_found',
  'nobody calls ' || rpc || ' for the endpoint of another clinic')
from unnest(array['save_webhook_endpoint', 'rotate_webhook_secret', 'read_webhook_deliveries', 'replay_webhook_deliveries']) rpc;

-- ---------------------------------------------------------------------------------------------------------
-- Secrets
-- ---------------------------------------------------------------------------------------------------------

select tests.keep('rotated', pg_temp.as_admin('rotate_webhook_secret', jsonb_build_object('endpoint_id', tests.id('endpoint'))));
select is_empty(
  $$ select from public.idempotency_keys where organization_id = tests.id('north') and response::text ~ 'whsec_' $$, 'nor of one with a new secret');
select pg_temp.make_due();
select is(
  pg_temp.claim(1) #> '{deliveries,0,secrets}', jsonb_build_array(tests.kept('rotated') #>> '{data,secret}', tests.kept('made') #>> '{data,secret}'),
  'after a rotation both sign, the new one first');
select pg_temp.as_admin('rotate_webhook_secret', jsonb_build_object('endpoint_id', tests.id('endpoint')));
select pg_temp.make_due();
select is(jsonb_array_length(pg_temp.claim(1) #> '{deliveries,0,secrets}'), 2, 'never more than two');
select tests.keep('again', pg_temp.as_admin('rotate_webhook_secret', jsonb_build_object('endpoint_id', tests.id('endpoint'), 'overlap_hours', 0)));
select pg_temp.make_due();
select is(
  pg_temp.claim(1) #> '{deliveries,0,secrets}', jsonb_build_array(tests.kept('again') #>> '{data,secret}'), 'without an overlap the new one alone');
select is(
  pg_temp.as_admin('rotate_webhook_secret', jsonb_build_object('endpoint_id', tests.id('endpoint'), 'overlap_hours', 169)) #>> '{problem,errors,0,field}',
  'overlap_hours', 'an overlap of more than a week is refused');

-- ---------------------------------------------------------------------------------------------------------
-- The end of an endpoint
-- ---------------------------------------------------------------------------------------------------------

select pg_temp.make_due();
select tests.keep('last', pg_temp.claim(1));
select pg_temp.answer(tests.kept('last'), '{"status_code": 410}');
select is((select status from app.webhook_endpoints where id = tests.id('endpoint')), 'gone', 'an endpoint that answers 410 is gone');
select is_empty(
  $$ select from app.webhook_deliveries where endpoint_id = tests.id('endpoint') and status = 'pending' $$, 'and what waited for it is dead');
select tests.add_hold('unheard hold', 'north', '15:00');
select app.emit(tests.id('north'), 'session.moved', tests.id('hold'));
select is_empty(
  $$ select from app.outbox_events where subject_id = tests.id('unheard hold')
    union all select from app.webhook_deliveries where endpoint_id = tests.id('endpoint') and status = 'pending' $$,
  'nothing more is put aside for it');
select is(
  pg_temp.as_admin('replay_webhook_deliveries', jsonb_build_object('endpoint_id', tests.id('endpoint'))) #>> '{problem,errors,0,field}',
  'endpoint_id', 'nor again');
select is(
  pg_temp.as_admin('save_webhook_endpoint', jsonb_build_object(
    'endpoint_id', tests.id('endpoint'), 'status', 'active', 'event_types', '["hold.released"]'::jsonb)) #>> '{data,status}',
  'active', 'until an admin makes it active');
select cmp_ok(
  (pg_temp.as_admin('replay_webhook_deliveries', jsonb_build_object('endpoint_id', tests.id('endpoint'))) #>> '{data,replayed}')::integer, '>', 0,
  'then what was dead may be sent again');
select is_empty(
  $$ select from app.webhook_deliveries
    where endpoint_id = tests.id('endpoint') and (status = 'dead' or status = 'pending' and next_attempt_at > clock_timestamp()) $$,
  'and is due at once, however long it was to wait');
select pg_temp.claim();
select tests.add_hold('hold it does not want', 'north', '16:00');
select is(pg_temp.claim() -> 'deliveries', '[]', 'which it is told of no more than it wants');
update public.session_holds set status = 'released' where id = tests.id('hold it does not want');
select is(pg_temp.types(pg_temp.claim()), 'hold.released', 'and no less');

-- behind one that failed
select app.emit(tests.id('north'), 'hold.released', tests.id('queue')) from generate_series(1, 2);
select pg_temp.answer(pg_temp.claim(), '{"status_code": 500}');
select is_empty(
  $$ select from app.webhook_deliveries where subject_id = tests.id('queue') and next_attempt_at <= clock_timestamp() $$,
  'what comes after one that failed is not due before it, and no claim looks at it');
select pg_temp.make_due();
select pg_temp.answer(pg_temp.claim(), '{"status_code": 204}');
select is(jsonb_array_length(pg_temp.claim() -> 'deliveries'), 1, 'it is, once that is delivered');

-- out of a long queue
select app.emit(tests.id('north'), 'hold.released', gen_random_uuid()) from generate_series(1, 5000);
analyze app.webhook_deliveries;
create function pg_temp.rows_read() returns bigint language sql volatile as $$
  select seq_tup_read + idx_tup_fetch from pg_stat_xact_user_tables where relid = 'app.webhook_deliveries'::regclass
$$;
create temporary table before as select pg_temp.rows_read() as rows_read;
select is(jsonb_array_length(pg_temp.claim(at_most => 1) -> 'deliveries'), 1, 'of thousands that are due one is claimed');
select cmp_ok(pg_temp.rows_read() - before.rows_read, '<', 500::bigint, 'without a look at all of them') from before;

-- ---------------------------------------------------------------------------------------------------------
-- Slow receivers
-- ---------------------------------------------------------------------------------------------------------

select pg_temp.make_due();
select app.emit(tests.id('north'), 'hold.released', gen_random_uuid()) from generate_series(1, 120);
select tests.keep('slow', pg_temp.claim());
select is(jsonb_array_length(tests.kept('slow') -> 'deliveries'), 50, 'fifty messages of a clinic are under way');
select is(pg_temp.claim() -> 'deliveries', '[]', 'meanwhile no more of them, or deliverers would have none left for other clinics');
select pg_temp.answer(tests.kept('slow'), '{"status_code": 204}');
select is(jsonb_array_length(pg_temp.claim() -> 'deliveries'), 50, 'then the next fifty');

select * from finish();
rollback;
