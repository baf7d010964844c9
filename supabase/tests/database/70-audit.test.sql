-- The audit trail: what is put on record, who reads it, and that nobody changes it.
begin;
select plan(45);

select tests.create_clinic('north'), tests.create_clinic('south'), tests.create_clinic('west');
-- Dora is admin of North and a therapist of South; Noah belongs nowhere.
select tests.create_user('dora login'), tests.create_user('noah login');
insert into public.user_roles (organization_id, user_id, role) values
  (tests.id('north'), tests.id('dora login'), 'admin'),
  (tests.id('south'), tests.id('dora login'), 'therapist');

create function pg_temp.trail(clinic text) returns text[] language sql as $$
  select coalesce(array_agg(concat_ws(' ', action, nullif(decision, 'allow'), code) order by id), '{}')
  from audit.events where organization_id = tests.id(clinic) and action !~ '^(role|row)\.'
$$;
select is(pg_temp.trail('north'), '{}', 'a new clinic has nothing on record but its rows and who was given a role');
select results_eq(
  $$ select event.row_id, event.details from audit.events event where event.organization_id = tests.id('north') and event.action ~ '^role\.' order by event.row_id $$,
  $$ select given.id, jsonb_build_object('user_id', given.user_id, 'role', given.role, 'kind', 'standing')
    from public.user_roles given where given.organization_id = tests.id('north') order by given.id $$,
  'every role that is granted is on record, with whose it is');

-- ---------------------------------------------------------------------------------------------------------
-- What is put on record
-- ---------------------------------------------------------------------------------------------------------

-- acting as Rosa
select tests.authenticate_as(tests.id('north rosa login'));
select set_config('request.headers', '{"x-request-id": "request-7"}', true);
select tests.keep('held', public.hold_sessions(tests.hold_request('north', array['10:00', '11:00'])) -> 'data');
select tests.keep('sessions', public.confirm_sessions(jsonb_build_object('hold_key', tests.kept('held') -> 'hold_key')) #> '{data,sessions}');
select tests.keep('move', public.hold_sessions(tests.hold_request(
  'north', array['12:00'], jsonb_build_object('session_id', tests.kept('sessions') #> '{0,id}'))) -> 'data');
select tests.keep('moved', public.confirm_sessions(jsonb_build_object('hold_key', tests.kept('move') -> 'hold_key')));
select tests.keep('cancelled', public.cancel_sessions(jsonb_build_object(
  'session_ids', jsonb_build_array(tests.kept('sessions') #> '{0,id}'), 'cancelled_by', 'client', 'reason', 'north birch has a fever')));
select tests.keep('released', public.cancel_sessions(jsonb_build_object('hold_key',
  public.hold_sessions(tests.hold_request('north', array['13:00'])) #> '{data,hold_key}')));
select tests.keep('refused', public.hold_sessions(tests.hold_request('north', array['10:30', '11:30'])));
select tests.keep('forbidden', public.hold_sessions(tests.hold_request('north', array['15:00'], jsonb_build_object('therapist_id', tests.id('north theo')))));
select set_config('request.headers', '', true);
-- acting as the owner
select tests.clear_authentication();
select is(
  pg_temp.trail('north'),
  array['hold.created', 'hold.created', 'session.scheduled', 'session.scheduled', 'hold.confirmed', 'hold.confirmed',
    'hold.created', 'session.moved', 'hold.confirmed', 'session.cancelled', 'hold.created', 'hold.released',
    'rpc.hold_sessions deny therapist_conflict', 'rpc.hold_sessions deny forbidden'],
  'holding, confirming, moving, cancelling, releasing and being refused are on record, once a row and in order');
select is(
  (select array_agg(distinct actor_id) from audit.events where organization_id = tests.id('north') and action !~ '^(role|row)\.'), array[tests.id('north rosa login')],
  'an event says who did it');
select is(
  (select array_agg(distinct request_id) from audit.events where organization_id = tests.id('north') and action !~ '^(role|row)\.'), array['request-7'],
  'an event says in which request');
select is_empty(
  $$ select id from audit.events where organization_id = tests.id('north') and occurred_at not between now() and clock_timestamp() $$,
  'an event says when');
select set_eq(
  $$ select table_name, row_id from audit.events where organization_id = tests.id('north') and action = 'session.scheduled' $$,
  $$ select 'sessions', (value ->> 'id')::uuid from jsonb_array_elements(tests.kept('sessions')) $$, 'an event says which row');
select results_eq(
  $$ select details #>> '{conflicts,0,subject}', details #>> '{conflicts,0,kind}' from audit.events
    where organization_id = tests.id('north') and code = 'therapist_conflict' $$,
  $$ values ('therapist', 'session') $$, 'a refusal says what stood in the way');
select is(
  (select count(*)::integer from public.session_holds where organization_id = tests.id('north') and status = 'held'), 0,
  'the record of a refusal stays, while what the call attempted was undone');

-- Before and after
create function pg_temp.details(of_action text, clinic text default 'north') returns setof jsonb language sql as $$
  select details from audit.events where organization_id = tests.id(clinic) and action = of_action order by id
$$;
select is(
  (select details from pg_temp.details('session.moved') details),
  jsonb_build_object(
    'before', jsonb_build_object('start_time', tests.at('10:00'), 'end_time', tests.at('11:00')),
    'after', jsonb_build_object('start_time', tests.at('12:00'), 'end_time', tests.at('13:00'))),
  'a move says what was and what became, and of nothing else');
select is(
  (select details #- '{after,cancellation_notice_minutes}' from pg_temp.details('session.cancelled') details),
  '{"before": {"status": "scheduled", "cancelled_by": null, "late_cancellation": null, "cancellation_notice_minutes": null, "attendance": null},
    "after": {"status": "cancelled", "cancelled_by": "client", "late_cancellation": false, "attendance": "cancelled_by_client"}, "withheld": ["cancellation_reason"]}',
  'a cancellation says all but its reason, and that there is one');
select is(
  app.change_details('{"cancellation_reason": "a fever", "status": "cancelled", "updated_at": "x"}', '{"cancellation_reason": "the flu", "status": "cancelled", "updated_at": "y"}'),
  '{"before": null, "after": null, "withheld": ["cancellation_reason"]}', 'of another reason alone it says that there is another, and neither');
select is(app.change_details('{"status": "held", "updated_at": "x"}', '{"status": "held", "updated_at": "y"}'), null, 'of stamps alone nothing');
select is(
  (select array_agg(distinct details) from pg_temp.details('hold.released') details),
  array['{"before": {"status": "held"}, "after": {"status": "released"}}'::jsonb], 'the end of a hold says what it was');
select is(
  ((select details from pg_temp.details('hold.created') details limit 1) -> 'after') - '{batch_key,expires_at,client_lane,takes_every_lane,time_zone}'::text[],
  jsonb_build_object('therapist_id', tests.id('north rosa'), 'client_id', tests.id('north birch'), 'service_id', tests.id('north 97153'),
    'start_time', tests.at('10:00'), 'end_time', tests.at('11:00'), 'status', 'held', 'series_id', tests.kept('held') -> 'series_id',
    'occurrence_start', tests.at('10:00'), 'buffer_before_minutes', 0, 'buffer_after_minutes', 0),
  'a hold says what is held');
select is_empty($$ select details from pg_temp.details('session.scheduled') details where not details -> 'after' ?& '{therapist_id,client_id,start_time,status}' $$,
  'a session says what is booked');
select set_eq(
  $$ select attribute.attname::text from pg_attribute attribute
    where attribute.attrelid in ('public.sessions'::regclass, 'public.session_holds'::regclass)
      and col_description(attribute.attrelid, attribute.attnum) ~ '^PHI: ' $$,
  'select unnest(app.withheld_from_events())', 'of every column of sessions and holds with PHI events say only that it changed');

-- acting as the service role, and as plain SQL
select tests.authenticate_as_service_role();
select tests.add_session('direct', 'south', '10:00');
update public.sessions set place_of_service = '12' where id = tests.id('direct');
select tests.clear_authentication();
update public.sessions set status = 'in_progress', actual_start_time = start_time where id = tests.id('direct');
select tests.add_hold('expired', 'south', '12:00', '{"expires_in": "-1 second"}');
select app.sweep_expired_holds();
select is(
  pg_temp.trail('south'), array['session.scheduled', 'session.started', 'hold.created', 'hold.expired'],
  'writing round the RPCs is on record too, and so is an expiry');
select is(
  (select array_agg(distinct actor_id) from audit.events where organization_id = tests.id('south')), array[null::uuid],
  'an event of automation names nobody');

select results_eq(
  $$ select action, details from audit.events where organization_id = tests.id('south') and row_id = tests.id('direct') and action ~ '^row' $$,
  $$ values ('row.updated', '{"before": {"place_of_service": null}, "after": {"place_of_service": "12"}}'::jsonb) $$,
  'so is a change that is no step of a session''s');
update public.sessions set place_of_service = place_of_service where id = tests.id('direct');
delete from public.session_holds where id = tests.id('expired');
select results_eq(
  $$ select row_id, details #>> '{before,status}' from audit.events where organization_id = tests.id('south') and action ~ '^row\.(deleted|updated)' and id > (
    select max(id) from audit.events where row_id = tests.id('direct')) $$,
  $$ select tests.id('expired'), 'expired' $$, 'and a hold that the owner deletes; a change of nothing is not');
select tests.add_session('reason', 'south', '16:00', '{"status": "cancelled", "cancelled_by": "client"}');
update public.sessions set cancellation_reason = 'a fever' where id = tests.id('reason');
select results_eq(
  $$ select action, details -> 'withheld' from audit.events where row_id = tests.id('reason') order by id desc limit 1 $$,
  $$ values ('row.updated', '["cancellation_reason"]'::jsonb) $$, 'a reason given later is on record, without what it is');

-- acting as Theo of North, in South
select tests.authenticate_as(tests.id('north theo login'));
select is(public.hold_sessions(tests.hold_request('south', array['15:00'])) #>> '{problem,code}', 'not_found', 'a stranger is refused');
select tests.clear_authentication();
select is(
  (select action || ' ' || code from audit.events where organization_id = tests.id('south') and actor_id = tests.id('north theo login')),
  'rpc.hold_sessions not_found', 'the clinic that a stranger reached for has it on record');

-- PHI
select is_empty(
  $$ select event.id from audit.events event
    join public.clients client on client.organization_id = event.organization_id and event.details::text ilike '%' || client.full_name || '%'
    where event.organization_id in (tests.id('north'), tests.id('south')) $$,
  'no event holds a client''s name');
select is_empty(
  $$ select id from audit.events where organization_id = tests.id('north') and details::text ~ 'fever' $$, 'no event holds the free text of a cancellation');
select is_empty(
  $$ select distinct key from audit.events cross join lateral jsonb_object_keys(details) key
    where organization_id in (tests.id('north'), tests.id('south')) and key not in ('conflicts', 'reason')
      and not (action ~ '^role\.' and key in ('user_id', 'role', 'kind', 'expires_at'))
      and not (action ~ '^(row|hold|session)\.' and key in ('key', 'before', 'after', 'withheld')) $$,
  'the details of an event are codes and kinds only');

-- ---------------------------------------------------------------------------------------------------------
-- Nobody changes it
-- ---------------------------------------------------------------------------------------------------------

-- acting as the owner: the trigger stops even that
select throws_ok(attempt.statement, '42501', 'audit.events is append-only', attempt.name)
from (values
  ('update audit.events set action = action', 'the owner does not change an event'),
  ('delete from audit.events', 'the owner does not delete an event'),
  ('delete from audit.events where false', 'not even a delete of nothing passes')
) attempt (statement, name);
select results_eq(
  $$ select tests.truncate_calls('{audit.events}') $$, $$ values ('audit.events audit.refuse_change') $$, 'nor truncates the trail');
-- acting as the service role, and as an admin
select tests.authenticate_as_service_role();
select throws_ok('delete from audit.events', '42501', 'permission denied for schema audit', 'the service role does not reach the trail');
select throws_ok(
  $$ insert into audit.events (action) values ('hold.created') $$, '42501', 'permission denied for schema audit', 'the service role forges no event');
select tests.authenticate_as(tests.id('north admin login'));
select throws_ok('select id from audit.events', '42501', 'permission denied for schema audit', 'an admin does not reach the trail but through its RPC');

-- ---------------------------------------------------------------------------------------------------------
-- Who reads it
-- ---------------------------------------------------------------------------------------------------------

select is(
  (select count(*)::integer from public.list_audit_events(tests.id('north')) where action !~ '^row\.'), 19, 'an admin reads the clinic''s trail');
select results_eq(
  $$ select action from public.list_audit_events(tests.id('north'), max_rows => 2) $$,
  $$ values ('rpc.hold_sessions'), ('rpc.hold_sessions') $$, 'the newest come first, as many as were asked for');
select is(
  (select count(*) from public.list_audit_events(tests.id('north'), before_id => (
    select min(id) from public.list_audit_events(tests.id('north'), max_rows => 5)))),
  (select count(*) - 5 from public.list_audit_events(tests.id('north'))), 'a reader pages on with the last id seen');

-- acting as everybody else, and as Dora, who is admin of one clinic and not of the other
select throws_ok(
  format('select id from public.list_audit_events(%L)', tests.id(reader.clinic)), '42501', 'not allowed to read this audit trail', reader.name)
from (values
  ('north rosa login', '{}'::jsonb, 'north', 'a therapist does not read the trail'),
  ('north scheduler login', '{}', 'north', 'a scheduler does not read the trail'),
  ('south admin login', '{}', 'north', 'an admin of another clinic does not read the trail'),
  ('dora login', '{}', 'south', 'an admin of one clinic does not read the trail of another that they work in'),
  ('dora login', jsonb_build_object('org_id', tests.id('south')), 'north', 'nor the one of their own while another is active'),
  ('dora login', '{}', null, 'nor one of no clinic'),
  ('noah login', '{}', 'north', 'who has no role does not read the trail')
) reader (login, claims, clinic, name)
cross join lateral tests.authenticate_as(tests.id(reader.login), 'aal1', reader.claims);
select tests.authenticate_as(tests.id('dora login'));
select is((select count(*)::integer from public.list_audit_events(tests.id('north')) where action !~ '^row\.'), 19, 'who is admin there reads it');

select tests.clear_authentication();
select * from finish();
rollback;
