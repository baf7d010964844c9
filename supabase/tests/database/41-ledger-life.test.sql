-- How claims come and go with the rows that make them: ending, expiring, moving, confirming, deleting.
begin;
select plan(34);

select tests.create_clinic('north'), tests.create_clinic('south'), tests.create_clinic('west');

create function pg_temp.claims_of(label text) returns bigint language sql as $$
  select count(*) from public.calendar_claims where claim_id = tests.id(label)
$$;
create function pg_temp.events_of(label text) returns text[] language sql as $$
  select array_agg(action order by id) from audit.events where row_id = tests.id(label)
$$;

-- ---------------------------------------------------------------------------------------------------------
-- A session that ends
-- ---------------------------------------------------------------------------------------------------------

-- acting as the service role
select tests.authenticate_as_service_role();
select tests.add_session('cancelled', 'north', '08:00'), tests.add_session('no_show', 'north', '09:00'), tests.add_session('kept', 'north', '10:00');
select tests.clear_authentication();
update public.sessions set status = 'cancelled', cancelled_by = 'client' where id = tests.id('cancelled');
update public.sessions set status = 'no_show' where id = tests.id('no_show');
update public.sessions set status = 'in_progress', actual_start_time = start_time where id = tests.id('kept');
select tests.authenticate_as_service_role();
select lives_ok($$ select tests.add_session('after cancelled', 'north', '08:00') $$, 'a cancelled session frees its time at once');
select lives_ok($$ select tests.add_session('after no_show', 'north', '09:00') $$, 'a no-show frees its time at once');
select throws_ok($$ select tests.add_session('fourth', 'north', '10:00') $$, '23P01', null, 'a session in progress keeps its time');
select tests.clear_authentication();
update public.sessions set status = 'completed', actual_end_time = end_time where id = tests.id('kept');
select tests.authenticate_as_service_role();
select throws_ok($$ select tests.add_session('fourth', 'north', '10:00') $$, '23P01', null, 'a completed session keeps its time');
select lives_ok(
  $$ select tests.add_session('recorded', 'north', '08:00', '{"status": "cancelled", "cancelled_by": "clinic"}') $$,
  'a session that is written as cancelled claims nothing');
select tests.clear_authentication();
select is(
  array[pg_temp.claims_of('cancelled'), pg_temp.claims_of('no_show'), pg_temp.claims_of('kept'), pg_temp.claims_of('recorded')],
  array[0, 0, 2, 0]::bigint[], 'the ledger has the claims of live sessions only');

-- ---------------------------------------------------------------------------------------------------------
-- A hold that ends
-- ---------------------------------------------------------------------------------------------------------

select tests.add_hold('held', 'north', '11:00'), tests.add_hold('released', 'north', '12:00');
update public.session_holds set status = 'released' where id = tests.id('released');
select tests.authenticate_as_service_role();
select throws_ok($$ select tests.add_session('fourth', 'north', '11:00') $$, '23P01', null, 'a hold stands in the way of a direct insert');
select lives_ok($$ select tests.add_session('after released', 'north', '12:00') $$, 'a released hold frees its time at once');

-- acting as the owner: holds whose time is up, which nobody has swept
select tests.clear_authentication();
select tests.add_hold('expired ' || clock, 'north', clock, '{"expires_in": "-1 second"}')
from unnest(array['13:00', '14:00', '15:00', '16:00', '17:00']) clock;
select is(
  (select count(*)::integer from public.calendar_claims where organization_id = tests.id('north') and expires_at < now()), 10,
  'expired holds keep their claims in the ledger until somebody needs the time');

-- acting as the service role
select tests.authenticate_as_service_role();
select lives_ok(
  $$ select tests.add_session('direct', 'north', '13:30', '{"length": "15 minutes"}') $$,
  'the time of an expired hold can be taken by a direct insert without any sweep');
-- acting as Rosa
select tests.authenticate_as(tests.id('north rosa login'));
select tests.keep('taken', public.hold_sessions(tests.hold_request('north', array['14:00'])));
select is(tests.kept('taken') -> 'problem', null, 'the time of an expired hold can be held by somebody else without any sweep');
-- acting as the service role
select tests.authenticate_as_service_role();
select lives_ok(
  $$ update public.sessions set start_time = tests.at('15:00'), end_time = tests.at('16:00') where id = tests.id('direct') $$,
  'a session can be moved to the time of an expired hold without any sweep');

select tests.clear_authentication();
select is(
  array(select status from public.session_holds where id in (tests.id('expired 13:00'), tests.id('expired 14:00'), tests.id('expired 15:00'))),
  array['expired', 'expired', 'expired'], 'a hold whose time was taken is marked as expired');
select is(pg_temp.events_of('expired 13:00'), array['hold.created', 'hold.expired'], 'its expiry is on record');
select is(
  (select array_agg(status) from public.session_holds where id in (tests.id('expired 16:00'), tests.id('expired 17:00'))),
  array['held', 'held'], 'an expired hold that is in nobody''s way stays as it is');
select is(app.sweep_expired_holds(1), 1, 'a sweep ends as many expired holds as it was told to');
select cmp_ok(app.sweep_expired_holds(), '>=', 1, 'a sweep ends the other expired holds');
-- Again: what others held may have expired meanwhile, so the number says nothing of these.
select app.sweep_expired_holds();
select is(
  array[pg_temp.claims_of('held'), pg_temp.claims_of('expired 16:00'), pg_temp.claims_of('expired 17:00')], array[2, 0, 0]::bigint[],
  'a sweep frees the claims of expired holds and leaves those of live ones');
select is(pg_temp.events_of('expired 17:00'), array['hold.created', 'hold.expired'], 'a swept hold''s expiry is on record, once however often one sweeps');

-- ---------------------------------------------------------------------------------------------------------
-- A session that moves
-- ---------------------------------------------------------------------------------------------------------

-- acting as the service role
select tests.authenticate_as_service_role();
select tests.add_session('moving', 'north', '18:00', '{"room": "north room"}');
update public.sessions set start_time = tests.at('19:00'), end_time = tests.at('20:00'), therapist_id = tests.id('north theo'), room_id = null
where id = tests.id('moving');
select tests.clear_authentication();
select results_eq(
  $$ select subject_id, lower(during) from public.calendar_claims where claim_id = tests.id('moving') order by subject_kind $$,
  $$ values (tests.id('north birch'), tests.at('19:00')), (tests.id('north theo'), tests.at('19:00')) $$,
  'moving a session by a direct update moves its claims');
select is(pg_temp.events_of('moving'), array['session.scheduled', 'session.moved'], 'the move is on record');
select tests.authenticate_as_service_role();
select lives_ok($$ select tests.add_session('after moved', 'north', '18:00', '{"room": "north room"}') $$, 'a moved session frees the time it had');
select throws_ok(
  $$ update public.sessions set start_time = tests.at('18:30'), end_time = tests.at('19:30') where id = tests.id('moving') $$,
  '23P01', null, 'a session cannot be moved over another');
select lives_ok(
  $$ update public.sessions set start_time = tests.at('19:15'), end_time = tests.at('20:15') where id = tests.id('moving') $$,
  'a session does not stand in its own way');
select throws_ok(
  $$ update public.sessions
    set id = gen_random_uuid(), start_time = tests.at('21:00'), end_time = tests.at('22:00')
    where id = tests.id('moving') $$,
  '42501', null, 'a session keeps its id: the ledger follows it by that');
select throws_ok(
  $$ update public.sessions set claim_id = tests.id('held') where id = tests.id('moving') $$,
  '42501', null, 'a session takes over no claim but by confirming the hold');

-- ---------------------------------------------------------------------------------------------------------
-- Confirming
-- ---------------------------------------------------------------------------------------------------------

-- acting as Rosa
select tests.authenticate_as(tests.id('north rosa login'));
select tests.keep('held', public.hold_sessions(tests.hold_request('north', array['07:00'], jsonb_build_object('room_id', tests.id('north room')))));
select tests.clear_authentication();
create temp view updates as
select pg_stat_get_xact_tuples_updated('public.calendar_claims'::regclass) as all_updates,
  pg_stat_get_xact_tuples_hot_updated('public.calendar_claims'::regclass) as hot_updates,
  pg_stat_get_xact_tuples_deleted('public.calendar_claims'::regclass) as deletes;
select tests.keep('before', (select to_jsonb(updates) from updates));
select tests.authenticate_as(tests.id('north rosa login'));
select tests.keep('confirmed', public.confirm_sessions(jsonb_build_object('hold_key', tests.kept('held') #>> '{data,hold_key}')));
select tests.clear_authentication();
select results_eq(
  $$ select (all_updates - (tests.kept('before') ->> 'all_updates')::bigint), hot_updates - (tests.kept('before') ->> 'hot_updates')::bigint,
      deletes - (tests.kept('before') ->> 'deletes')::bigint from updates $$,
  'values (3::bigint, 3::bigint, 0::bigint)',
  'confirming turns the hold''s three claims in place, by HOT updates, and deletes none');
select is_empty(
  $$ select index.indexrelid::regclass
    from pg_index index
    where index.indrelid = 'public.session_holds'::regclass
      and pg_get_indexdef(index.indexrelid) ~ '\m(status|status_changed_at|status_changed_by|updated_at|updated_by)\M' $$,
  'no index covers what confirming changes of a hold, so that it is updated in place as well');
select results_eq(
  $$ select claim.kind, claim.expires_at, claim.subject_kind
    from public.calendar_claims claim
    join public.sessions session on session.claim_id = claim.claim_id
    where claim.claim_id = (tests.kept('held') #>> '{data,hold_key}')::uuid
      and session.id = (tests.kept('confirmed') #>> '{data,session,id}')::uuid
    order by claim.subject_kind $$,
  $$ values ('session', null::timestamptz, 'client'), ('session', null, 'room'), ('session', null, 'therapist') $$,
  'a confirmed session keeps the id of its hold''s claims, which no longer expire');

-- ---------------------------------------------------------------------------------------------------------
-- Deleting, which only the owner can
-- ---------------------------------------------------------------------------------------------------------

delete from public.sessions where id = tests.id('moving');
delete from public.session_holds where id = tests.id('held');
select is(
  array[pg_temp.claims_of('moving'), pg_temp.claims_of('held')], array[0, 0]::bigint[], 'deleting a session or a hold frees its time');

-- ---------------------------------------------------------------------------------------------------------
-- Without the ledger
-- ---------------------------------------------------------------------------------------------------------

select is_empty('select * from app.ledger_faults()', 'the ledger, the holds and the sessions agree');
alter table public.sessions disable trigger user;
alter table public.sessions enable trigger prepare_booking;
alter table public.sessions enable trigger stamp_row;
select tests.add_session('bare', 'south', '10:00');
select is(pg_temp.claims_of('bare'), 0::bigint, 'with its triggers off, a session claims nothing');
select throws_ok(
  $$ select tests.add_session('bare 2', 'south', '10:30', '{"client": "south aspen"}') $$,
  '23P01', 'conflicting key value violates exclusion constraint "sessions_no_overlap"',
  'even then no therapist has two live sessions at once');
select lives_ok(
  $$ select tests.add_session('bare 3', 'south', '10:30', '{"client": "south aspen", "status": "cancelled", "cancelled_by": "clinic"}') $$,
  'only live sessions count');

select * from finish();
rollback;
