-- Time off, extra hours and holidays: what is in the way is named, cancelled or kept; and taking back.
begin;
select plan(76);

select tests.create_clinic('north'), tests.create_clinic('south');

-- A request over Rosa's time between two clock times.
create function tests.add_exception(kind text, starts text, ends text, changes jsonb default '{}') returns jsonb language sql set search_path = '' as $$
  select public.add_exception(pg_catalog.jsonb_build_object('kind', kind, 'time_zone', 'America/New_York')
    || tests.occurrence(tests.at(starts), tests.at(ends))
    || case kind when 'holiday' then pg_catalog.jsonb_build_object('organization_id', tests.id('north'))
      else pg_catalog.jsonb_build_object('therapist_id', tests.id('north rosa')) end
    || changes)
$$;
create function tests.clocks(item jsonb) returns text language sql set search_path = '' as $$
  select pg_catalog.to_char((item ->> 'start_time')::timestamptz at time zone 'America/New_York', 'HH24:MI') || '-'
    || pg_catalog.to_char((item ->> 'end_time')::timestamptz at time zone 'America/New_York', 'HH24:MI')
$$;
-- The answer as words: what was entered, cancelled and kept, and what is in the way.
create function tests.said(answer jsonb, labels text[] default '{}') returns text[] language sql set search_path = '' as $$
  select coalesce(pg_catalog.array_agg(said.line order by said.place, said.line), '{}')
  from (
    select 1, 'off ' || tests.clocks(item) from pg_catalog.jsonb_array_elements(answer #> '{data,exceptions}') item
    union all
    select 2, pg_catalog.concat_ws(' ', list.name, item ->> 'kind', coalesce((select label from pg_catalog.unnest(labels) label where tests.id(label) = (item ->> 'id')::uuid), '?'), tests.clocks(item))
    from (values ('cancelled', answer #> '{data,cancelled}'), ('kept', answer #> '{data,kept}'), ('in the way', answer #> '{problem,sessions}')) list (name, items)
    cross join lateral pg_catalog.jsonb_array_elements(list.items) item
    union all
    select 3, pg_catalog.concat_ws(' ', answer #>> '{problem,code}', answer #>> '{problem,errors,0,field}', answer #>> '{problem,errors,0,code}') where answer ? 'problem'
  ) said (place, line)
$$;
create function tests.claims_of(therapist text) returns setof text language sql set search_path = '' as $$
  select claim.kind || ' ' || pg_catalog.to_char(lower(claim.during) at time zone 'America/New_York', 'HH24:MI') || '-' || pg_catalog.to_char(upper(claim.during) at time zone 'America/New_York', 'HH24:MI')
  from public.calendar_claims claim where claim.subject_id = tests.id(therapist) and claim.during && pg_catalog.tstzrange(tests.at('00:00'), tests.at('00:00', 1))
$$;
grant execute on function tests.add_exception, tests.clocks, tests.said to authenticated;

-- ---------------------------------------------------------------------------------------------------------
-- Time off
-- ---------------------------------------------------------------------------------------------------------

-- acting as Rosa
select tests.authenticate_as(tests.id('north rosa login'));
select is(tests.said(tests.add_exception('time_off', '08:00', '12:00')), array['forbidden'], 'a therapist does not enter their own time off');
-- acting as a scheduler
select tests.authenticate_as(tests.id('north scheduler login'));
select is(tests.said(tests.add_exception('time_off', '08:00', '12:00', '{"note": "at a conference"}')), array['off 08:00-12:00'], 'time off over free time is entered');
select is(
  public.hold_sessions(tests.hold_request('north', array['11:00'])) #>> '{problem,code}', 'therapist_unavailable', 'it cannot be booked over');
select is(tests.said(tests.add_exception('time_off', '09:00', '12:00')), array['validation_failed start_time already_off'], 'what is off already is refused by name');
select is(tests.said(tests.add_exception('time_off', '07:00', '13:00')), array['off 07:00-08:00', 'off 12:00-13:00'], 'of time off that overlaps other time off, the rest is added');
select tests.clear_authentication();
select set_eq(
  $$ select action, actor_id from audit.events where organization_id = tests.id('north') and action like 'time_off.%' $$,
  $$ values ('time_off.entered', tests.id('north scheduler login')) $$, 'time off is on record');
update public.availability_exceptions set status = 'cancelled' where organization_id = tests.id('north');

insert into public.buffer_rules (organization_id, minutes_before, minutes_after) values (tests.id('north'), 0, 30);
select
  tests.add_session('morning', 'north', '09:00'), tests.add_session('noon', 'north', '12:00'), tests.add_session('running', 'north', '14:00'),
  tests.add_session('before', 'north', '06:30'), tests.add_session('of theo', 'north', '10:30', '{"therapist": "north theo", "client": "north cedar"}'),
  tests.add_hold('held', 'north', '10:30'), tests.add_hold('expired', 'north', '16:00', '{"expires_in": "-1 second"}');
update public.sessions set status = 'in_progress', actual_start_time = start_time where id = tests.id('running');
create function tests.all_labels() returns text[] language sql set search_path = '' as $$
  select array['morning', 'noon', 'running', 'before', 'of theo', 'held', 'expired', 'late']
$$;
grant execute on function tests.all_labels to authenticated;

select tests.authenticate_as(tests.id('north scheduler login'));
select is(
  tests.said(tests.add_exception('time_off', '08:00', '17:00'), tests.all_labels()),
  array['in the way hold held 10:30-11:30', 'in the way session morning 09:00-10:00', 'in the way session noon 12:00-13:00', 'in the way session running 14:00-15:00', 'sessions_in_the_way'],
  'live holds and sessions in the way are named; an expired hold is not, nor are other therapists''');
select is(
  tests.said(tests.add_exception('time_off', '07:45', '08:45', '{"on_conflict": "abort"}'), tests.all_labels()),
  array['in the way session before 06:30-07:30', 'sessions_in_the_way'], 'a session''s buffer is in the way, too');
select is(
  tests.add_exception('time_off', '08:00', '10:00') #> '{problem,sessions,0}',
  jsonb_build_object('id', tests.id('morning'), 'kind', 'session', 'therapist_id', tests.id('north rosa'),
    'start_time', to_jsonb(tests.at('09:00') at time zone 'UTC') #>> '{}' || '+00:00', 'end_time', to_jsonb(tests.at('10:00') at time zone 'UTC') #>> '{}' || '+00:00'),
  'by id, kind, therapist and times, and nothing else');
select tests.clear_authentication();
select is_empty($$ select id from public.availability_exceptions where organization_id = tests.id('north') and status = 'active' $$, 'the refused calls entered nothing');

savepoint asked;
-- keep
select tests.authenticate_as(tests.id('north scheduler login'));
select is(
  tests.said(tests.add_exception('time_off', '07:45', '17:00', '{"on_conflict": "keep"}'), tests.all_labels()),
  array['off 08:00-09:00', 'off 13:30-14:00', 'off 15:30-17:00',
    'kept hold held 10:30-11:30', 'kept session before 06:30-07:30', 'kept session morning 09:00-10:00', 'kept session noon 12:00-13:00', 'kept session running 14:00-15:00'],
  'keep: time off goes round sessions, holds and their buffers');
select tests.clear_authentication();
select set_eq(
  $$ select * from tests.claims_of('north rosa') $$,
  array['session 06:30-07:30', 'buffer 07:30-08:00', 'time_off 08:00-09:00', 'session 09:00-10:00', 'buffer 10:00-10:30', 'hold 10:30-11:30', 'buffer 11:30-12:00',
    'session 12:00-13:00', 'buffer 13:00-13:30', 'time_off 13:30-14:00', 'session 14:00-15:00', 'buffer 15:00-15:30', 'time_off 15:30-17:00'],
  'the ledger has all of it, and the expired hold no more');
select is((select status from public.session_holds where id = tests.id('expired')), 'expired', 'the hold whose time was needed has ended');
select is_empty('select * from app.ledger_faults()', 'the ledger is sound');
select tests.authenticate_as(tests.id('north scheduler login'));
select is(
  tests.said(tests.add_exception('time_off', '09:00', '10:15', '{"on_conflict": "keep"}')), array['validation_failed on_conflict nothing_left'],
  'when what is kept leaves nothing, that is refused by name');
select tests.clear_authentication();
create function tests.open_hours() returns text[] language sql set search_path = '' as $$
  select coalesce(pg_catalog.array_agg(pg_catalog.to_char(start::timestamptz at time zone 'America/New_York', 'HH24:MI')), '{}')
  from pg_catalog.jsonb_array_elements_text(public.find_open_times(pg_catalog.jsonb_build_object(
    'client_id', tests.id('north birch'), 'therapist_ids', pg_catalog.jsonb_build_array(tests.id('north rosa')), 'service_code', '97153',
    'duration_minutes', 60, 'step_minutes', 60, 'time_zone', 'America/New_York',
    'range_start', tests.at('08:00'), 'range_end', tests.at('17:00'))) #> '{data,therapists,0,start_times}') start
$$;
grant execute on function tests.open_hours to authenticated;
select tests.authenticate_as(tests.id('north scheduler login'));
select public.cancel_sessions(jsonb_build_object(
  'session_ids', jsonb_build_array(tests.id('morning'), tests.id('noon')), 'cancelled_by', 'client')) -> 'problem';
select public.cancel_sessions(jsonb_build_object('hold_key', tests.id('held'))) -> 'problem';
select is(tests.open_hours(), '{}', 'what is kept and then cancelled or released leaves the therapist off');
select public.cancel_exception(jsonb_build_object('exception_id', it.id)) -> 'problem'
from public.availability_exceptions it
where it.organization_id = tests.id('north') and it.status = 'active' and it.start_time = tests.at('08:00');
select is(
  tests.open_hours(), '{08:00,09:00,10:00,11:00,12:00}', 'until the time off before it is taken back');
select tests.clear_authentication();
select is_empty('select * from app.ledger_faults()', 'the ledger is sound');
rollback to asked;

-- cancel
select tests.authenticate_as(tests.id('north scheduler login'));
select tests.keep('answer', tests.add_exception('time_off', '07:45', '17:00', '{"on_conflict": "cancel", "cancelled_by": "therapist", "reason": "ill"}'));
select is(
  tests.said(tests.kept('answer'), tests.all_labels()),
  array['off 08:00-14:00', 'off 15:30-17:00', 'cancelled hold held', 'cancelled session morning', 'cancelled session noon', 'kept session before 06:30-07:30', 'kept session running 14:00-15:00'],
  'cancel: what is scheduled or held goes, what is running stays, and so does what only has its buffer in the way');
select tests.clear_authentication();
select results_eq(
  $$ select id, status, cancelled_by, cancellation_reason, late_cancellation from public.sessions where organization_id = tests.id('north') and status <> 'scheduled' order by start_time $$,
  $$ values (tests.id('morning'), 'cancelled', 'therapist', 'ill', false), (tests.id('noon'), 'cancelled', 'therapist', 'ill', false), (tests.id('running'), 'in_progress', null, null, null) $$,
  'the sessions say who cancelled, why, and whether that was late');
select is((select status from public.session_holds where id = tests.id('held')), 'released', 'the hold is released');
select set_eq(
  $$ select * from tests.claims_of('north rosa') $$,
  array['session 06:30-07:30', 'buffer 07:30-08:00', 'time_off 08:00-14:00', 'session 14:00-15:00', 'buffer 15:00-15:30', 'time_off 15:30-17:00'], 'the ledger has the rest');
select is_empty($$ select * from public.calendar_claims where claim_id in (tests.id('morning'), tests.id('held')) $$, 'the clients and rooms of what was cancelled are free');
select is_empty('select * from app.ledger_faults()', 'the ledger is sound');
rollback to asked;

select tests.authenticate_as(tests.id('north scheduler login'));
select is(
  tests.said(tests.add_exception('time_off', '12:15', '12:45', '{"on_conflict": "cancel"}'), tests.all_labels()),
  array['off 12:15-12:45', 'cancelled session noon'], 'time off inside a session cancels the session');
select tests.clear_authentication();
select is((select cancelled_by from public.sessions where id = tests.id('noon')), 'clinic', 'it is the clinic that cancels, unless somebody else is named');
select tests.authenticate_as(tests.id('north scheduler login'));
select is(
  tests.said(tests.add_exception('time_off', '14:15', '14:45', '{"on_conflict": "cancel"}')), array['validation_failed on_conflict nothing_left'],
  'a running session is not cancelled, whatever is asked');
rollback to asked;

-- ---------------------------------------------------------------------------------------------------------
-- Extra hours
-- ---------------------------------------------------------------------------------------------------------

update public.therapist_availability set local_start = '08:00', local_end = '15:00' where organization_id = tests.id('north');
select tests.authenticate_as(tests.id('north scheduler login'));
select is(public.hold_sessions(tests.hold_request('north', array['18:00'])) #>> '{problem,code}', 'therapist_unavailable', 'the evening cannot be booked');
select tests.keep('extra', tests.add_exception('extra_hours', '14:00', '20:00'));
select is(tests.said(tests.kept('extra')), array['off 14:00-20:00'], 'extra hours are entered over what is booked, whole');
select is(public.confirm_sessions(jsonb_build_object('hold_key', public.hold_sessions(tests.hold_request('north', array['18:00'])) #>> '{data,hold_key}')) -> 'problem', null, 'and can be booked');
select tests.keep('undone', public.cancel_exception(jsonb_build_object('exception_id', tests.kept('extra') #>> '{data,exceptions,0,id}')));
select is(tests.kept('undone') #>> '{data,exception,status}', 'cancelled', 'extra hours are taken back');
select is(
  (select array_agg(tests.clocks(item)) from jsonb_array_elements(tests.kept('undone') #> '{data,sessions_outside}') item), array['18:00-19:00'],
  'and what is booked in them is named');
select is(
  public.cancel_exception(jsonb_build_object('exception_id', tests.kept('extra') #>> '{data,exceptions,0,id}')) #>> '{data,already_cancelled}', 'true', 'taking back again is no error');
select is(tests.kept('undone') #>> '{data,already_cancelled}', 'false', 'the first time it was not');
select is(public.hold_sessions(tests.hold_request('north', array['19:30'])) #>> '{problem,code}', 'therapist_unavailable', 'the evening cannot be booked any more');
rollback to asked;

-- ---------------------------------------------------------------------------------------------------------
-- Holidays
-- ---------------------------------------------------------------------------------------------------------

select tests.authenticate_as(tests.id('north scheduler login'));
select is(
  tests.said(tests.add_exception('holiday', '07:45', '13:00'), tests.all_labels()),
  array['in the way hold held 10:30-11:30', 'in the way session morning 09:00-10:00', 'in the way session noon 12:00-13:00', 'in the way session of theo 10:30-11:30', 'sessions_in_the_way'],
  'a holiday names what is booked of any therapist; buffers are not in its way');
select tests.keep('holiday', tests.add_exception('holiday', '07:45', '18:00', '{"on_conflict": "keep"}'));
select is(
  tests.said(tests.kept('holiday'), tests.all_labels()),
  array['off 07:45-18:00', 'kept hold held 10:30-11:30', 'kept session morning 09:00-10:00', 'kept session noon 12:00-13:00', 'kept session of theo 10:30-11:30', 'kept session running 14:00-15:00'],
  'a holiday that keeps them is one, and they stand');
select is(public.hold_sessions(tests.hold_request('north', array['16:00'])) #>> '{problem,code}', 'therapist_unavailable', 'on a holiday nobody is booked');
select is(
  public.hold_sessions(tests.hold_request('north', array['16:00'], jsonb_build_object('therapist_id', tests.id('north theo')))) #>> '{problem,code}',
  'therapist_unavailable', 'with any therapist');
select is(public.cancel_exception(jsonb_build_object('exception_id', tests.kept('holiday') #>> '{data,exceptions,0,id}')) -> 'problem', null, 'a holiday is taken back');
select is(public.hold_sessions(tests.hold_request('north', array['16:00'])) -> 'problem', null, 'and the day can be booked again');
rollback to asked;

select tests.authenticate_as(tests.id('north scheduler login'));
select tests.add_exception('extra_hours', '08:00', '10:00');
select is(
  tests.said(tests.add_exception('holiday', '07:45', '15:00', '{"on_conflict": "cancel"}'), tests.all_labels()),
  array['off 07:45-15:00', 'cancelled hold held', 'cancelled session noon', 'cancelled session of theo', 'kept session running 14:00-15:00'],
  'a holiday cancels what is booked of any therapist, but for what is in somebody''s extra hours');
select tests.clear_authentication();
select results_eq(
  $$ select kind, therapist_id from public.availability_exceptions where organization_id = tests.id('north') and kind = 'holiday' $$,
  $$ values ('holiday', null::uuid) $$, 'it is the organization''s');
select is_empty('select * from app.ledger_faults()', 'the ledger is sound');
rollback to asked;

select tests.authenticate_as(tests.id('north scheduler login'));
select tests.add_exception('extra_hours', '12:30', '13:30');
select is(
  tests.said(tests.add_exception('holiday', '12:30', '13:00')), array['off 12:30-13:00'],
  'what begins before the holiday is not in its way either, when the rest is in extra hours');
rollback to asked;

-- ---------------------------------------------------------------------------------------------------------
-- Taking back time off
-- ---------------------------------------------------------------------------------------------------------

select tests.authenticate_as(tests.id('north scheduler login'));
select tests.keep('off', tests.add_exception('time_off', '17:00', '18:00'));
select is(public.cancel_exception(jsonb_build_object('exception_id', tests.kept('off') #>> '{data,exceptions,0,id}')) #> '{data,sessions_outside}', '[]', 'time off is taken back');
select is(public.hold_sessions(tests.hold_request('north', array['17:00'])) -> 'problem', null, 'and its time can be booked at once');
select is(
  tests.said(tests.add_exception('time_off', '17:00', '18:00', '{"on_conflict": "keep"}')), array['validation_failed on_conflict nothing_left'],
  'cancelled time off is off no more');
select tests.authenticate_as(tests.id('north rosa login'));
select is(public.cancel_exception(jsonb_build_object('exception_id', tests.kept('off') #>> '{data,exceptions,0,id}')) #>> '{problem,code}', 'forbidden', 'a therapist does not take back their own');
select tests.authenticate_as(tests.id('south scheduler login'));
select is(public.cancel_exception(jsonb_build_object('exception_id', tests.kept('off') #>> '{data,exceptions,0,id}')) #>> '{problem,code}', 'not_found', 'another clinic''s is not found');
select is(
  public.cancel_exception(jsonb_build_object('therapist_id', tests.id('south rosa'), 'exception_id', tests.kept('off') #>> '{data,exceptions,0,id}')) #>> '{problem,code}',
  'not_found', 'not even with a therapist of the caller''s beside it');
select is(
  public.cancel_exception(jsonb_build_object('organization_id', tests.id('south'), 'exception_id', tests.id('nothing'))) #>> '{problem,code}',
  'not_found', 'nor is one that does not exist');
select is(tests.said(tests.add_exception('time_off', '19:00', '20:00')), array['not_found'], 'another clinic''s therapist gets no time off');
select is(tests.said(tests.add_exception('holiday', '19:00', '20:00')), array['not_found'], 'nor another clinic a holiday');
select is(
  tests.said(tests.add_exception('time_off', '19:00', '20:00', jsonb_build_object('client_id', tests.id('south aspen'), 'therapist_id', tests.id('nobody')))),
  array['not_found'], 'nor a therapist who does not exist');
rollback to asked;

-- ---------------------------------------------------------------------------------------------------------
-- A cancelled occurrence leaves its series
-- ---------------------------------------------------------------------------------------------------------

select tests.authenticate_as(tests.id('north scheduler login'));
select tests.keep('series', public.hold_sessions(tests.hold_request('north', array['18:00', '20:00'])) #> '{data,hold_key}');
select public.confirm_sessions(jsonb_build_object('hold_key', tests.kept('series')));
select tests.add_exception('time_off', '18:00', '19:00', '{"on_conflict": "cancel"}');
select tests.clear_authentication();
select results_eq(
  $$ select exdates, status from public.session_series where id = (tests.kept('series') #>> '{}')::uuid $$,
  $$ values (array[tests.at('18:00') at time zone 'America/New_York'], 'active') $$, 'its local start is one of the exception dates');

-- ---------------------------------------------------------------------------------------------------------
-- What cannot be
-- ---------------------------------------------------------------------------------------------------------

select tests.authenticate_as(tests.id('north scheduler login'));
select is(
  (select array_agg(error ->> 'field' order by error ->> 'field') from jsonb_array_elements(
    tests.add_exception('time_off', '21:00', '22:00', refused.changes) #> '{problem,errors}') error),
  refused.fields, refused.name)
from (values
  ('{"kind": "nap"}'::jsonb, array['kind'], 'an unknown kind'),
  ('{"kind": null}', array['kind'], 'no kind'),
  ('{"kind": "holiday"}', array['therapist_id'], 'a holiday of one therapist'),
  (jsonb_build_object('kind', 'holiday', 'therapist_id', null, 'client_id', tests.id('north birch')), array['organization_id'], 'a holiday of nobody'),
  (jsonb_build_object('therapist_id', null, 'organization_id', tests.id('north')), array['therapist_id'], 'time off of nobody'),
  ('{"time_zone": "Mars/Olympus"}', array['time_zone'], 'an unknown zone'),
  (jsonb_build_object('end_time', tests.at('21:00')), array['end_time'], 'zero minutes'),
  (jsonb_build_object('end_time', tests.at('20:00')), array['end_time'], 'an end before the start'),
  (jsonb_build_object('end_time', tests.at('21:01', 366)), array['end_time'], 'over 366 days'),
  (jsonb_build_object('end_time', now() + interval '11 years'), array['end_time'], 'ten years'),
  ('{"start_time": "-infinity"}', array['start_time'], 'since ever'),
  ('{"start_time": "yesterday, I think"}', array['start_time'], 'what is no instant'),
  ('{"start_time": null}', array['start_time'], 'no start'),
  ('{"start_time_offset_minutes": 0}', array['start_time_offset_minutes'], 'another offset'),
  ('{"end_time_offset_minutes": null}', array['end_time_offset_minutes'], 'no offset'),
  ('{"on_conflict": "ignore"}', array['on_conflict'], 'an unknown way with conflicts'),
  ('{"cancelled_by": "nobody"}', array['cancelled_by'], 'cancelled by somebody unknown'),
  (jsonb_build_object('reason', repeat('x', 501)), array['reason'], 'a reason of 501 characters'),
  (jsonb_build_object('note', repeat('x', 501)), array['note'], 'a note of 501 characters')
) refused (changes, fields, name);
select tests.clear_authentication();
select is_empty('select * from app.ledger_faults()', 'the ledger is sound');

select * from finish();
rollback;
