-- Holding time: what public.hold_sessions grants, and what it says about a time that is taken.
begin;
select plan(36);

select tests.create_clinic('north'), tests.create_clinic('south'), tests.create_clinic('west');
-- Rosa of North also schedules South.
insert into public.user_roles (organization_id, user_id, role) values (tests.id('south'), tests.id('north rosa login'), 'internal_ops');

-- ---------------------------------------------------------------------------------------------------------
-- One time
-- ---------------------------------------------------------------------------------------------------------

-- acting as Rosa
select tests.authenticate_as(tests.id('north rosa login'));
select tests.keep('held', public.hold_sessions(tests.hold_request(
  'north', array['10:00'], jsonb_build_object('hold_seconds', 60, 'room_id', tests.id('north room')))));
select is(
  array(select jsonb_object_keys(tests.kept('held') -> 'data') order by 1), array['expires_at', 'hold_key', 'holds', 'series_id', 'skipped'],
  'a therapist holds a time of their own, and the answer is that of the contract');
select is(
  tests.kept('held') #> '{data,hold_key}', tests.kept('held') #> '{data,holds,0,hold_key}', 'the key of a single hold is its own');
select results_eq(
  $$ select id, status, therapist_id, client_id, room_id, start_time, end_time, created_by, slot_id, batch_key from public.session_holds $$,
  $$ select key, 'held', tests.id('north rosa'), tests.id('north birch'), tests.id('north room'), tests.at('10:00'), tests.at('11:00'),
      auth.uid(), key, key from (values ((tests.kept('held') #>> '{data,hold_key}')::uuid)) as held (key) $$,
  'the hold is what was asked for, and the caller''s');
select ok(
  (select expires_at - created_at between interval '59 seconds' and interval '60 seconds' from public.session_holds),
  'the hold lasts as long as was asked for');
select is(
  (tests.kept('held') #>> '{data,expires_at}')::timestamptz, (select expires_at from public.session_holds), 'the answer says until when');

-- acting as a scheduler
select tests.authenticate_as(tests.id('north scheduler login'));
select is(
  public.hold_sessions(tests.hold_request('north', array['12:00'])) -> 'problem', null, 'a scheduler holds the time of any therapist of the clinic');
select is(
  public.hold_sessions(tests.hold_request('north', array['10:00'], jsonb_build_object(
    'therapist_id', tests.id('north theo'), 'service_code', '97155'))) -> 'problem',
  null, 'supervision (97155) by another therapist is held beside direct treatment (97153)');
-- acting as Rosa, in the clinic that she schedules
select tests.authenticate_as(tests.id('north rosa login'));
select is(
  public.hold_sessions(tests.hold_request('south', array['10:00'])) -> 'problem', null, 'a user of two clinics books in each by the role they have there');
select tests.clear_authentication();
select is(
  (select expires_at - created_at > interval '299 seconds' from public.session_holds where created_by = tests.id('north scheduler login') limit 1),
  true, 'a hold lasts five minutes when nothing else was asked for');

-- ---------------------------------------------------------------------------------------------------------
-- A time that is taken
-- ---------------------------------------------------------------------------------------------------------

-- acting as Rosa: on her own hold of 10:00
select tests.authenticate_as(tests.id('north rosa login'));
select tests.keep('refused', public.hold_sessions(tests.hold_request(
  'north', array['10:30'], jsonb_build_object('room_id', tests.id('north room')))) -> 'problem');
select is(tests.kept('refused') ->> 'code', 'therapist_conflict', 'a time that the therapist has given is a therapist_conflict');
select is(
  tests.kept('refused') -> 'conflicts',
  (select jsonb_agg(jsonb_build_object(
    'occurrence', 0, 'subject', subject, 'kind', 'hold', 'until', tests.kept('held') #> '{data,expires_at}') order by place)
    from unnest(array['therapist', 'client', 'room']) with ordinality as given (subject, place)),
  'the answer names every subject that is taken, by what kind of claim and until when, and not by whom');
select ok(
  (tests.kept('refused') ->> 'retry_after')::integer between 1 and 60, 'only a hold in the way: retry_after is what is left of it');

-- acting as the owner
select tests.clear_authentication();
select tests.add_session('theo session', 'north', '14:00', '{"therapist": "north theo", "client": "north birch"}');
select tests.add_session('room session', 'north', '15:00', '{"therapist": "north theo", "client": "north cedar", "room": "north room"}');
insert into public.availability_exceptions (organization_id, therapist_id, kind, start_time, end_time, time_zone) values
  (tests.id('north'), tests.id('north rosa'), 'time_off', tests.at('16:00'), tests.at('17:00'), 'America/New_York');
-- acting as Rosa
select tests.authenticate_as(tests.id('north rosa login'));
select is(
  public.hold_sessions(tests.hold_request('north', array[taken.clock], jsonb_build_object('room_id', tests.id('north room')))) #>> '{problem,code}',
  taken.code, taken.name)
from (values
  ('14:00', 'client_conflict', 'a time that the client has given is a client_conflict'),
  ('15:00', 'room_conflict', 'a time that the room is used is a room_conflict'),
  ('16:00', 'therapist_unavailable', 'a time off is therapist_unavailable')
) taken (clock, code, name);
select tests.keep('refused', public.hold_sessions(tests.hold_request('north', array['14:00'])) -> 'problem');
select is(tests.kept('refused') -> 'retry_after', null, 'a session in the way: waiting is no use');
select is(
  (tests.kept('refused') #>> '{conflicts,0,until}')::timestamptz, tests.at('15:00'), 'a session in the way: until its end');
select is((select count(*)::integer from public.session_holds where organization_id = tests.id('north')), 2, 'the refused calls held nothing');

select is(
  array(select jsonb_object_keys(tests.kept('refused')) order by 1), '{alternatives,code,conflicts,detail}'::text[],
  'a refusal says nothing of how the alternatives were looked for');

-- Alternatives
select is(
  array(select (value ->> 'start_time')::timestamptz from jsonb_array_elements(tests.kept('refused') -> 'alternatives')),
  array[tests.at('13:00'), tests.at('15:00'), tests.at('11:00')],
  'the alternatives are the nearest open times of the same length, nearest first');
select is(
  public.hold_sessions(tests.hold_request('north', array['14:00'], tests.times(
    (value ->> 'start_time')::timestamptz, (value ->> 'end_time')::timestamptz))) -> 'problem',
  null, 'what is offered can be held: alternative ' || place)
from jsonb_array_elements(tests.kept('refused') -> 'alternatives') with ordinality as given (value, place);

-- acting as the owner: Birch joined Rosa's clients on the very day, whose first hour is taken
select tests.clear_authentication();
update public.care_team_assignments set starts_on = current_date + 30 where id = tests.id('west rosa birch');
select tests.add_session('first hour', 'west', '00:00');
select tests.authenticate_as(tests.id('west scheduler login'));
select tests.keep('refused', public.hold_sessions(tests.hold_request('west', array['00:00'])) -> 'problem');
select is(
  public.hold_sessions(tests.hold_request('west', array['00:00'], tests.times(
    (value ->> 'start_time')::timestamptz, (value ->> 'end_time')::timestamptz))) -> 'problem',
  null, 'what is offered can be held, also where the assignment begins: alternative ' || place)
from jsonb_array_elements(tests.kept('refused') -> 'alternatives') with ordinality as given (value, place);

-- acting as the owner: Rosa is away for days, but for half an hour within a day of what is wanted
select tests.clear_authentication();
insert into public.availability_exceptions (organization_id, therapist_id, kind, start_time, end_time, time_zone) values
  (tests.id('west'), tests.id('west rosa'), 'time_off', tests.at('00:00', 17), tests.at('13:30', 21), 'America/New_York');
select tests.authenticate_as(tests.id('west scheduler login'));
select is(
  array(select (value ->> 'start_time')::timestamptz from jsonb_array_elements(public.hold_sessions(tests.hold_request(
    'west', array['14:00'], tests.times(tests.at('14:00', 20), tests.at('15:00', 20)))) #> '{problem,alternatives}')),
  array[tests.at('13:30', 21), tests.at('14:30', 21), tests.at('15:30', 21)],
  'where a day has too few, the alternatives are the nearest of a week');

-- ---------------------------------------------------------------------------------------------------------
-- Several times
-- ---------------------------------------------------------------------------------------------------------

-- acting as a scheduler of South, where 10:00 is held and all else is free
select tests.authenticate_as(tests.id('south scheduler login'));
select tests.keep('refused', public.hold_sessions(tests.hold_request('south', array['09:00', '10:00', '11:00'])));
select is(
  tests.kept('refused') #>> '{problem,conflicts,0,occurrence}', '1', 'one time of a batch that is taken refuses it, and is named');
select is_empty($$ select id from public.session_holds where created_by = auth.uid() $$, 'a batch is held whole or not at all');

select tests.keep('held', public.hold_sessions(tests.hold_request('south', array['09:00', '10:00', '11:00'], '{"on_conflict": "skip"}')));
select is(
  array(select (value ->> 'start_time')::timestamptz from jsonb_array_elements(tests.kept('held') #> '{data,holds}')),
  array[tests.at('09:00'), tests.at('11:00')], 'with on_conflict skip the open times of a batch are held');
select results_eq(
  $$ select (value ->> 'occurrence')::integer, (value ->> 'start_time')::timestamptz, value ->> 'code', jsonb_array_length(value -> 'alternatives')
    from jsonb_array_elements(tests.kept('held') #> '{data,skipped}') $$,
  $$ values (1, tests.at('10:00'), 'therapist_conflict', 3) $$, 'what was skipped is named, with its reason and alternatives');
select is_empty(
  $$ select from jsonb_array_elements(tests.kept('held') #> '{data,skipped,0,alternatives}') other
    join public.session_holds hold
      on hold.start_time < (other ->> 'end_time')::timestamptz and hold.end_time > (other ->> 'start_time')::timestamptz $$,
  'no alternative to what was skipped is a time that the same call holds');
select is(
  array(select distinct batch_key from public.session_holds where created_by = auth.uid()),
  array[(tests.kept('held') #>> '{data,hold_key}')::uuid], 'the holds of a batch have one key');
select is(
  public.hold_sessions(tests.hold_request('south', array['09:00', '10:00'], '{"on_conflict": "skip"}')) #>> '{problem,code}',
  'therapist_conflict', 'a batch of which every time is taken is refused, skipping or not');

-- A year of days in one call: the most that a call takes.
select tests.keep('held', public.hold_sessions(tests.hold_request('south', array['09:00'], jsonb_build_object('occurrences', (
  select jsonb_agg(tests.occurrence(tests.at('13:00', day), tests.at('14:00', day))) from generate_series(0, 365) day)))));
select is(jsonb_array_length(tests.kept('held') #> '{data,holds}'), 366, 'a call holds up to 366 times');

select tests.clear_authentication();
select is_empty('select * from app.ledger_faults()', 'the ledger, the holds and the sessions agree');

select * from finish();
rollback;
