-- Confirming: what public.confirm_sessions makes of holds, and moving a session.
begin;
select plan(50);

select tests.create_clinic('north'), tests.create_clinic('south'), tests.create_clinic('west');
-- Rosa of North also schedules South.
insert into public.user_roles (organization_id, user_id, role) values (tests.id('south'), tests.id('north rosa login'), 'internal_ops');

create function tests.hold(name text, request jsonb) returns void language sql set search_path = '' as $$
  select tests.keep(name, public.hold_sessions(request) -> 'data')
$$;
create function tests.confirm(name text, changes jsonb default '{}') returns jsonb language sql set search_path = '' as $$
  select public.confirm_sessions(pg_catalog.jsonb_build_object('hold_key', tests.kept(name) -> 'hold_key') || changes)
$$;
create function tests.code_of(answer jsonb) returns text language sql set search_path = '' as $$
  select pg_catalog.concat_ws(
    ' ', answer #>> '{problem,code}', answer #>> '{problem,reason}', answer #>> '{problem,errors,0,field}', answer #>> '{problem,errors,0,code}')
$$;
create function tests.items(name text, how_many integer, more jsonb default '{}') returns jsonb language sql set search_path = '' as $$
  select pg_catalog.jsonb_build_object('occurrences', pg_catalog.jsonb_agg(
    (tests.occurrence((hold ->> 'start_time')::timestamptz, (hold ->> 'end_time')::timestamptz) - 'start_time' - 'end_time')
      || pg_catalog.jsonb_build_object('hold_key', hold -> 'hold_key') || more order by place))
  from pg_catalog.jsonb_array_elements(tests.kept(name) -> 'holds') with ordinality as given (hold, place)
  where place <= how_many
$$;
grant execute on function tests.hold, tests.confirm, tests.code_of, tests.items to authenticated;

-- ---------------------------------------------------------------------------------------------------------
-- One hold
-- ---------------------------------------------------------------------------------------------------------

-- acting as Rosa
select tests.authenticate_as(tests.id('north rosa login'));
select tests.hold('single', tests.hold_request(
  'north', array['10:00'], tests.times(tests.at('10:00'), tests.at('10:52')) || jsonb_build_object('room_id', tests.id('north room'))));
select tests.keep('confirmed', tests.confirm('single', '{"session": {"place_of_service": "12"}}') -> 'data');
select is(
  array(select jsonb_object_keys(tests.kept('confirmed')) order by 1), array['rounded_duration_minutes', 'session', 'sessions'],
  'the holder confirms a hold, and the answer is that of the contract');
select results_eq(
  $$ select id, status, organization_id, therapist_id, client_id, room_id, service_id, start_time, end_time, place_of_service,
      created_by, series_id from public.sessions $$,
  $$ select (tests.kept('confirmed') #>> '{session,id}')::uuid, 'scheduled', tests.id('north'), tests.id('north rosa'), tests.id('north birch'),
      tests.id('north room'), tests.id('north 97153'), tests.at('10:00'), tests.at('10:52'), '12', auth.uid(), null::uuid $$,
  'the session is what was held, and the caller''s');
select is(tests.kept('confirmed') #>> '{session,cpt_code}', '97153', 'the session is billed under its service''s code');
select is(
  array[tests.kept('confirmed') #>> '{session,units}', tests.kept('confirmed') ->> 'rounded_duration_minutes'], array['3', '45'],
  '52 minutes are three units of fifteen minutes: the seven left over are under the midpoint');
select is((select status from public.session_holds), 'confirmed', 'the hold has ended as confirmed');
select is(
  (tests.confirm('single') -> 'problem') - 'detail',
  jsonb_build_object('code', 'hold_confirmed', 'session_ids', jsonb_build_array(tests.kept('confirmed') #> '{session,id}')),
  'a hold is confirmed once, and says what it has become');
select is((select count(*)::integer from public.sessions), 1, 'confirming twice makes no second session');

select tests.hold('misplaced', tests.hold_request('north', array['11:00']));
select lives_ok(
  $$ select tests.confirm('misplaced', '{"session": {"place_of_service": "999"}}') $$,
  'a place of service that is none is answered, not raised with the row in the error');
select is((select status from public.session_holds where id = (tests.kept('misplaced') ->> 'hold_key')::uuid), 'held', 'and nothing was confirmed');

-- ---------------------------------------------------------------------------------------------------------
-- Whose hold
-- ---------------------------------------------------------------------------------------------------------

select tests.hold('rosas', tests.hold_request('north', array['12:00']));
-- acting as others
select tests.authenticate_as(tests.id('north theo login'));
select is(tests.code_of(tests.confirm('rosas')), 'forbidden', 'a colleague does not confirm a hold');
select tests.authenticate_as(tests.id('north admin login'));
select is(tests.code_of(tests.confirm('rosas')), 'forbidden', 'nor does an admin: only the user who made it');
select tests.authenticate_as(tests.id('south admin login'));
select is(tests.code_of(tests.confirm('rosas')), 'not_found', 'another clinic''s hold does not exist for a user');
select is(
  tests.code_of(tests.confirm('rosas', jsonb_build_object('therapist_id', tests.id('south rosa')))), 'not_found', 'whatever of one''s own is named beside it');
select is(
  public.confirm_sessions(jsonb_build_object('hold_key', gen_random_uuid(), 'therapist_id', tests.id('south rosa'))) #>> '{problem,code}', 'not_found',
  'nor is a key that nobody has');
select is(public.confirm_sessions(jsonb_build_object('hold_key', tests.id('nothing'))) #>> '{problem,code}', 'not_found', 'a key that was never given is not found');
select tests.clear_authentication();
select is((select status from public.session_holds where id = (tests.kept('rosas') ->> 'hold_key')::uuid), 'held', 'the refused calls left the hold as it was');

-- acting as the owner: what was true when the time was held is no more
update public.clients set status = 'archived' where id = tests.id('north birch');
select tests.authenticate_as(tests.id('north rosa login'));
select is(tests.code_of(tests.confirm('rosas')), 'validation_failed client_id archived', 'a client who was archived meanwhile is not booked');
select tests.clear_authentication();
update public.clients set status = 'active' where id = tests.id('north birch');
update public.user_roles set revoked_at = now() where id = tests.id('north rosa role');
select tests.authenticate_as(tests.id('north rosa login'));
select is(tests.code_of(tests.confirm('rosas')), 'not_found', 'who lost their role meanwhile confirms nothing');
select tests.clear_authentication();
insert into public.user_roles (organization_id, user_id, role) values (tests.id('north'), tests.id('north rosa login'), 'therapist');

-- ---------------------------------------------------------------------------------------------------------
-- A hold that has ended
-- ---------------------------------------------------------------------------------------------------------

update public.session_holds set expires_at = clock_timestamp() where id = (tests.kept('rosas') ->> 'hold_key')::uuid;
select tests.authenticate_as(tests.id('north rosa login'));
select is(
  (tests.confirm('rosas') -> 'problem') - 'detail', '{"code": "hold_expired", "reason": "expired", "still_free": true}',
  'an expired hold is not confirmed, and the answer says that the time is still free');
select tests.hold('again', tests.hold_request('north', array['12:00']));
select isnt(tests.kept('again') ->> 'hold_key', null, 'time that is still free can be held again');
select is(
  (tests.confirm('rosas') -> 'problem') - 'detail', '{"code": "hold_expired", "reason": "expired", "still_free": false}',
  'an expired hold whose time was taken is not confirmed, and the answer says that');
select is(public.cancel_sessions(jsonb_build_object('hold_key', tests.kept('again') -> 'hold_key')) -> 'problem', null, 'a holder releases a hold');
select is(
  (tests.confirm('again') -> 'problem') - 'detail', '{"code": "hold_expired", "reason": "released", "still_free": true}', 'a released hold is not confirmed');

-- ---------------------------------------------------------------------------------------------------------
-- A batch
-- ---------------------------------------------------------------------------------------------------------

select tests.hold('batch', tests.hold_request('north', array['13:00', '14:00', '15:00']));
select is(tests.code_of(tests.confirm('batch', refused.changes)), refused.problem, refused.name)
from (values
  (tests.items('batch', 2), 'validation_failed occurrences not_the_batch', 'half a batch is not confirmed by naming half its holds'),
  (jsonb_build_object('hold_key', tests.kept('batch') #> '{holds,0,hold_key}'), 'validation_failed hold_key part_of_a_batch',
    'half a batch is not confirmed by the key of one hold'),
  (tests.items('batch', 3, jsonb_build_object('hold_key', tests.kept('batch') #> '{holds,0,hold_key}')),
    'validation_failed occurrences not_the_batch', 'half a batch is not confirmed by naming one hold three times'),
  (tests.items('batch', 3, '{"start_time_offset_minutes": 0}'), 'offset_mismatch occurrences[0].start_time_offset_minutes offset_mismatch',
    'offsets that the zone does not observe are refused at confirm too'),
  (tests.items('batch', 3, '{"cpt": {"code": "97155"}}'), 'validation_failed occurrences[0].cpt.code not_the_services',
    'a code that is not the held service''s is refused'),
  ('{"time_zone": "America/Los_Angeles"}', 'validation_failed time_zone not_the_holds', 'a zone that is not the hold''s is refused')
) refused (changes, problem, name);
select is(
  (select array_agg(distinct status) from public.session_holds where batch_key = (tests.kept('batch') ->> 'hold_key')::uuid), array['held'],
  'the refused calls left the batch as it was');

select tests.keep('confirmed', tests.confirm('batch',
  jsonb_set(tests.items('batch', 3, '{"cpt": {"code": "97153"}, "session": {"place_of_service": "03"}}'), '{occurrences,1,session,place_of_service}', '"11"')
  #- '{occurrences,2,session}'
  || '{"time_zone": "America/New_York", "session": {"place_of_service": "12"}}') -> 'data');
select results_eq(
  $$ select start_time, place_of_service, status from public.sessions where series_id = (tests.kept('batch') ->> 'hold_key')::uuid order by start_time $$,
  $$ select tests.at(clock), place, 'scheduled' from (values ('13:00', '03'), ('14:00', '11'), ('15:00', '12')) said (clock, place) $$,
  'a batch becomes a series of sessions, each with what was said of it');
select is(
  array(select value -> 'id' from jsonb_array_elements(tests.kept('confirmed') -> 'sessions')),
  array(select value -> 'hold_key' from jsonb_array_elements(tests.kept('batch') -> 'holds')), 'the answer lists the sessions in their order');
select is(
  tests.confirm('batch') #> '{problem,session_ids}', (select jsonb_agg(value -> 'id') from jsonb_array_elements(tests.kept('confirmed') -> 'sessions')),
  'nor is a batch confirmed twice: it has become these sessions');

-- acting as Rosa: one hold of a batch expires
select tests.hold('batch', tests.hold_request('north', array['17:00', '18:00']));
select tests.clear_authentication();
update public.session_holds set expires_at = clock_timestamp() where id = (tests.kept('batch') #>> '{holds,1,hold_key}')::uuid;
select tests.authenticate_as(tests.id('north rosa login'));
select is(tests.code_of(tests.confirm('batch')), 'hold_expired expired', 'a batch of which one hold has ended is not confirmed');
select is_empty(
  $$ select id from public.sessions where series_id = (tests.kept('batch') ->> 'hold_key')::uuid $$, 'a batch is confirmed whole or not at all');

-- acting as Rosa in South, where she schedules
select tests.hold('south', tests.hold_request('south', array['10:00']));
select is(tests.confirm('south') #>> '{data,session,organization_id}', tests.id('south')::text, 'a user of two clinics confirms in each');

-- ---------------------------------------------------------------------------------------------------------
-- Moving
-- ---------------------------------------------------------------------------------------------------------

select tests.keep('session', tests.kept('confirmed') #> '{sessions,2}');
select tests.hold('move', tests.hold_request('north', array['15:30'], jsonb_build_object('session_id', tests.kept('session') -> 'id')));
select isnt(tests.kept('move'), null, 'a session does not stand in the way of its own move');
select is(
  tests.code_of(public.hold_sessions(tests.hold_request('north', array['15:30']))), 'therapist_conflict',
  'until the move is confirmed the session keeps its time, and the hold keeps the new one');
select tests.keep('moved', tests.confirm('move') #> '{data,session}');
select is(
  tests.kept('moved') - 'units' - 'rounded_duration_minutes' - 'start_time' - 'end_time',
  (tests.kept('session') || '{"version": 2}') - 'units' - 'rounded_duration_minutes' - 'start_time' - 'end_time',
  'a moved session keeps its id and everything but its time; its version counts on');
select is((tests.kept('moved') ->> 'start_time')::timestamptz, tests.at('15:30'), 'a moved session has the new time');
select is(tests.confirm('move') #> '{problem,session_ids}', jsonb_build_array(tests.kept('moved') -> 'id'), 'a move is confirmed once');
select is(
  public.hold_sessions(tests.hold_request('north', array['15:00'], tests.times(tests.at('15:00'), tests.at('15:30')))) -> 'problem', null,
  'a moved session frees the time it had');

-- acting as Rosa: a session that is moved directly while its move is held
select tests.keep('stale', public.hold_sessions( tests.hold_request('north', array['20:00'], jsonb_build_object('session_id', tests.kept('session') -> 'id'))) -> 'data');
select is(
  public.move_session(tests.occurrence(tests.at('22:00'), tests.at('22:30')) || jsonb_build_object(
    'session_id', tests.kept('session') -> 'id', 'version', 2, 'time_zone', 'America/New_York')) #>> '{problem}', null, 'a session can be moved while another move is held');
select is(tests.code_of(public.confirm_sessions(jsonb_build_object('hold_key', tests.kept('stale') -> 'hold_key'))), 'hold_expired session_changed', 'which is not confirmed then: its holder knew another session');
select is(
  (select start_time from public.sessions where id = (tests.kept('session') ->> 'id')::uuid), tests.at('22:00'), 'the session stays where it was moved to');
select public.cancel_sessions(jsonb_build_object('hold_key', tests.kept('stale') -> 'hold_key'));

-- acting as Rosa: a session that is cancelled while its move is held
select tests.hold('move', tests.hold_request('north', array['20:00'], jsonb_build_object('session_id', tests.kept('session') -> 'id')));
select is(
  public.cancel_sessions(jsonb_build_object('session_ids', jsonb_build_array(tests.kept('session') -> 'id'), 'cancelled_by', 'client')) -> 'problem',
  null, 'a session can be cancelled while its move is held');
select is(tests.code_of(tests.confirm('move')), 'hold_expired session_not_scheduled', 'the move of a session that was cancelled is not confirmed');
select is(
  (select status from public.sessions where id = (tests.kept('session') ->> 'id')::uuid), 'cancelled', 'it stays cancelled');

select tests.clear_authentication();
select is_empty('select * from app.ledger_faults()', 'the ledger, the holds and the sessions agree');

select results_eq(
  $$ select kind, bool_and(id::text like '______________7%'), count(*) > 1
    from (
      select 'batch' as kind, batch_key as id from public.session_holds where organization_id = tests.id('north')
      union all select 'charge', id from public.session_charges where organization_id = tests.id('north')
      union all select 'hold', id from public.session_holds where organization_id = tests.id('north')
      union all select 'session', id from public.sessions where organization_id = tests.id('north')
    ) written
    group by kind order by kind $$,
  $$ values ('batch', true, true), ('charge', true, true), ('hold', true, true), ('session', true, true) $$,
  'the ids of what bookings write follow time');

select * from finish();
rollback;
