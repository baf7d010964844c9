-- Cancelling: holds by key, sessions by id, a series from a moment on; idempotent, and it says what it found.
begin;
select plan(39);

select tests.create_clinic('north'), tests.create_clinic('south'), tests.create_clinic('west');
insert into public.user_roles (organization_id, user_id, role) values (tests.id('south'), tests.id('north rosa login'), 'therapist');

create function tests.cancel(request jsonb) returns jsonb language sql set search_path = '' as $$
  select public.cancel_sessions(request || case when request ? 'hold_key' then '{}' else '{"cancelled_by": "client", "reason": "ill"}'::jsonb end)
$$;
-- The answer as words: which ids, by label, in which list.
create function tests.outcome(answer jsonb, labels text[]) returns text[] language sql set search_path = '' as $$
  select coalesce(array_agg(concat_ws(' ', label, list.key, item ->> 'kind', item ->> 'reason') order by label), '{}')
  from pg_catalog.jsonb_each(answer -> 'data') list
  cross join lateral pg_catalog.jsonb_array_elements(list.value) item
  join pg_catalog.unnest(labels) label on tests.id(label) = (item ->> 'id')::uuid
$$;
grant execute on function tests.cancel, tests.outcome to authenticated;

select
  tests.add_session('one', 'north', '08:00'), tests.add_session('two', 'north', '09:00'), tests.add_session('done', 'north', '10:00'),
  tests.add_session('missed', 'north', '11:00'), tests.add_session('of theo', 'north', '08:00', '{"therapist": "north theo", "client": "north cedar"}'),
  tests.add_session('of south', 'south', '08:00'),
  tests.add_hold('hold', 'north', '12:00'), tests.add_hold('expired', 'north', '13:00', '{"expires_in": "-1 second"}');
update public.sessions set status = 'in_progress', actual_start_time = start_time where id = tests.id('done');
update public.sessions set status = 'no_show' where id = tests.id('missed');

-- ---------------------------------------------------------------------------------------------------------
-- Sessions by id
-- ---------------------------------------------------------------------------------------------------------

-- acting as Rosa
select tests.authenticate_as(tests.id('north rosa login'));
select is(
  tests.outcome(tests.cancel(jsonb_build_object('session_ids', array[tests.id('one'), tests.id('done'), tests.id('missed')])), array['one', 'done', 'missed']),
  array['done not_cancellable session in_progress', 'missed not_cancellable session no_show', 'one cancelled session'],
  'a scheduled session is cancelled; what cannot be is named with its status');
select results_eq(
  $$ select status, cancelled_by, status_changed_by,
      public.read_texts(jsonb_build_object('organization_id', tests.id('north'), 'table', 'sessions', 'ids', array[id])) #>> '{data,texts,0,text}'
    from public.sessions where id = tests.id('one') $$,
  $$ values ('cancelled', 'client', auth.uid(), 'ill') $$, 'the session says who cancelled it, and on record, why');
select is(
  tests.outcome(tests.cancel(jsonb_build_object('session_ids', array[tests.id('one'), tests.id('one')])), array['one']),
  array['one already_cancelled session'], 'cancelling again changes nothing and says so');
select is(public.hold_sessions(tests.hold_request('north', array['08:00'])) -> 'problem', null, 'the time of a cancelled session can be held at once');

select is(tests.cancel(jsonb_build_object('session_ids', refused.ids)) #>> '{problem,code}', 'not_found', refused.name)
from (values
  (array[tests.id('of theo')], 'a colleague''s session is not found'),
  (array[tests.id('of south')], 'a session of the user''s other clinic is not theirs either'),
  (array[tests.id('two'), tests.id('of theo')], 'one session that is not the caller''s refuses the call'),
  (array[tests.id('two'), tests.id('of south')], 'sessions of two clinics are not cancelled in one call'),
  (array[tests.id('two'), tests.id('nothing')], 'one session that does not exist refuses the call')
) refused (ids, name);
select tests.authenticate_as(tests.id('south admin login'));
select is(tests.cancel(jsonb_build_object('session_ids', array[tests.id('two')])) #>> '{problem,code}', 'not_found', 'another clinic''s session is not found');
select tests.clear_authentication();
select is(
  array(select distinct status from public.sessions where id in (tests.id('two'), tests.id('of theo'), tests.id('of south'))), array['scheduled'],
  'the refused calls cancelled nothing');

-- acting as a scheduler
select tests.authenticate_as(tests.id('north scheduler login'));
select is(
  tests.outcome(tests.cancel(jsonb_build_object('session_ids', array[tests.id('two'), tests.id('of theo')])), array['two', 'of theo']),
  array['of theo cancelled session', 'two cancelled session'], 'a scheduler cancels any session of the clinic');

-- ---------------------------------------------------------------------------------------------------------
-- Holds by key
-- ---------------------------------------------------------------------------------------------------------

-- acting as Theo, who did not make the hold and may not book Rosa
select tests.authenticate_as(tests.id('north theo login'));
select is(tests.cancel(jsonb_build_object('hold_key', tests.id('hold'))) #>> '{problem,code}', 'forbidden', 'a colleague does not release a hold');
-- acting as an admin of South, who names a therapist of their own beside it
select tests.authenticate_as(tests.id('south admin login'));
select is(
  tests.cancel(jsonb_build_object('hold_key', tests.id('hold'), 'therapist_id', tests.id('south rosa'))) #>> '{problem,code}', 'not_found',
  'another clinic''s hold is not found, whatever is named beside it');
select tests.clear_authentication();
select is((select status from public.session_holds where id = tests.id('hold')), 'held', 'nor released');
select tests.authenticate_as(tests.id('north theo login'));
-- acting as Rosa, whose time it is
select tests.authenticate_as(tests.id('north rosa login'));
select is(
  tests.outcome(tests.cancel(jsonb_build_object('hold_key', tests.id('hold'))), array['hold']), array['hold cancelled hold'],
  'a therapist releases a hold on their time');
select is(
  tests.outcome(tests.cancel(jsonb_build_object('hold_key', tests.id('hold'))), array['hold']), array['hold already_cancelled hold'],
  'releasing again changes nothing and says so');
select is(
  tests.outcome(tests.cancel(jsonb_build_object('hold_key', tests.id('expired'))), array['expired']), array['expired already_cancelled hold'],
  'releasing an expired hold is no error');
select is((select status from public.session_holds where id = tests.id('expired')), 'expired', 'it has expired, and was not released');

select tests.keep('batch', public.hold_sessions(tests.hold_request('north', array['14:00', '15:00'])) -> 'data');
select is(
  jsonb_array_length(tests.cancel(jsonb_build_object('hold_key', tests.kept('batch') #> '{holds,0,hold_key}')) #> '{data,cancelled}'), 1,
  'the key of one hold releases that one');
select is(
  (select array_agg(key || ' ' || jsonb_array_length(value) order by key) from jsonb_each(
    tests.cancel(jsonb_build_object('hold_key', tests.kept('batch') -> 'hold_key')) -> 'data')),
  array['already_cancelled 1', 'cancelled 1', 'not_cancellable 0'], 'the key of a batch releases what is left of it');

-- ---------------------------------------------------------------------------------------------------------
-- A series from a moment on
-- ---------------------------------------------------------------------------------------------------------

select tests.keep('series', public.hold_sessions(tests.hold_request('north', array['16:00', '17:00', '18:00'])) #> '{data,hold_key}');
select is(public.confirm_sessions(jsonb_build_object('hold_key', tests.kept('series'))) -> 'problem', null, 'a series is booked');
select is(
  tests.outcome(tests.cancel(jsonb_build_object('hold_key', tests.kept('series'))), '{}'), '{}', 'a confirmed batch''s key cancels no session');
select is(
  jsonb_array_length(tests.cancel(jsonb_build_object('series_id', tests.kept('series'), 'from', tests.at('17:00'))) #> '{data,cancelled}'), 2,
  'a series is cancelled from a moment on');
select results_eq(
  $$ select start_time, status from public.sessions where series_id = (tests.kept('series') #>> '{}')::uuid order by start_time $$,
  $$ values (tests.at('16:00'), 'scheduled'), (tests.at('17:00'), 'cancelled'), (tests.at('18:00'), 'cancelled') $$,
  'the sessions before that moment stay');
select is(
  tests.cancel(jsonb_build_object('series_id', tests.kept('series'), 'from', tests.at('20:00'))) #> '{data,cancelled}', '[]', 'of which nothing is left to cancel');
select tests.authenticate_as(tests.id('north theo login'));
select is(
  tests.cancel(jsonb_build_object('series_id', tests.kept('series'), 'from', moment)) #>> '{problem,code}', 'not_found', 'a colleague is not told until when it goes')
from unnest(array[tests.at('16:00'), tests.at('20:00')]) moment;
select tests.authenticate_as(tests.id('north rosa login'));

-- The first was moved behind the second, and the third before it: this and following are places in the series.
select tests.keep('moved', public.hold_sessions(tests.hold_request('north', array['01:00', '02:00', '03:00', '04:00'])) #> '{data,hold_key}');
select public.confirm_sessions(jsonb_build_object('hold_key', tests.kept('moved')));
select public.move_session(tests.occurrence(tests.at(given.clock), tests.at(given.clock) + interval '1 hour')
  || jsonb_build_object('session_id', session.id, 'version', session.version, 'time_zone', 'America/New_York'))
from (values ('01:00', '06:00'), ('03:00', '00:00')) given (place, clock)
join public.sessions session
  on session.series_id = (tests.kept('moved') #>> '{}')::uuid and session.occurrence_start = tests.at(given.place);
select is(
  jsonb_array_length(tests.cancel(jsonb_build_object('series_id', tests.kept('moved'), 'from', tests.at('03:00'))) #> '{data,cancelled}'), 2,
  'a series is cancelled from one of its occurrences on');
select results_eq(
  $$ select occurrence_start, status from public.sessions where series_id = (tests.kept('moved') #>> '{}')::uuid order by occurrence_start $$,
  $$ values (tests.at('01:00'), 'scheduled'), (tests.at('02:00'), 'scheduled'), (tests.at('03:00'), 'cancelled'), (tests.at('04:00'), 'cancelled') $$,
  'wherever they were moved to');

-- ---------------------------------------------------------------------------------------------------------
-- Requests that say too little or too much: a problem each, never a constraint's message with the row in it
-- ---------------------------------------------------------------------------------------------------------

select is(public.cancel_sessions(refused.request) #>> '{problem,errors,0,code}', refused.code, refused.name)
from (values
  (jsonb_build_object('series_id', tests.kept('series'), 'hold_key', tests.kept('series'), 'from', now()), 'exactly_one', 'one kind of thing is cancelled a call'),
  (jsonb_build_object('series_id', tests.kept('series'), 'from', now()), 'required', 'who cancelled must be said'),
  (jsonb_build_object('series_id', tests.kept('series'), 'from', now(), 'cancelled_by', 'nobody'), 'required', 'who cancelled must be somebody known'),
  (jsonb_build_object('series_id', tests.kept('series'), 'cancelled_by', 'client'), 'required', 'from when a series is cancelled must be said')
) refused (request, code, name);

select lives_ok(
  format('select public.cancel_sessions(%L)', jsonb_build_object(
    'session_ids', array[(select id from public.sessions where start_time = tests.at('16:00'))], 'cancelled_by', 'client', 'reason', reason)),
  name)
from (values
  (repeat('a fever ', 63), 'a reason of over 500 characters is answered, not raised with the text in the error'),
  ('', 'an empty reason is answered, not raised')
) given (reason, name);
select is((select status from public.sessions where start_time = tests.at('16:00')), 'scheduled', 'and nothing was cancelled');
select lives_ok(
  $$ select public.cancel_sessions('{"hold_key": "not a key"}') $$, 'a key that is no uuid is answered, not raised');

select tests.clear_authentication();
select is_empty('select * from app.ledger_faults()', 'the ledger, the holds and the sessions agree');

select * from finish();
rollback;
