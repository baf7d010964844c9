-- What public.hold_sessions refuses, with which code, to whom; and that a refusal leaves nothing behind.
begin;
select plan(49);

select tests.create_clinic('north'), tests.create_clinic('south'), tests.create_clinic('west');
insert into public.user_roles (organization_id, user_id, role) values (tests.id('south'), tests.id('north rosa login'), 'therapist');
select tests.add_session('scheduled', 'north', '08:00');
select tests.add_session('cancelled', 'north', '08:00', '{"day": 1, "status": "cancelled", "cancelled_by": "clinic"}');
select tests.add_session('with aspen', 'north', '08:00', '{"day": 2, "client": "north aspen"}');
select tests.add_session('of theo', 'north', '08:00', '{"day": 3, "therapist": "north theo"}');
select tests.add_group('group', 'north', '08:00', '{"therapist": "north theo"}');
select tests.add_session('member', 'north', '08:00', '{"therapist": "north theo", "client": "north cedar", "service": "north 97154", "group": "group"}');
select tests.add_session('of south', 'south', '08:00');
insert into public.clients (id, organization_id, full_name, status) values (tests.id('north gone'), tests.id('north'), 'gone', 'archived');
insert into public.care_team_assignments (organization_id, therapist_id, client_id, team_role, starts_on, ends_on) values
  (tests.id('north'), tests.id('north rosa'), tests.id('north gone'), 'therapist', current_date - 9, null),
  (tests.id('north'), tests.id('north rosa'), tests.id('north cedar'), 'therapist', current_date - 9, current_date + 29);
insert into public.therapists (id, organization_id, display_name, credential, status) values
  (tests.id('north ina'), tests.id('north'), 'ina', 'RBT', 'inactive');
insert into public.care_team_assignments (organization_id, therapist_id, client_id, team_role, starts_on) values
  (tests.id('north'), tests.id('north ina'), tests.id('north birch'), 'therapist', current_date - 9);
select tests.create_user('north patient login'), tests.create_user('stranger login');
insert into public.user_roles (organization_id, user_id, role) values (tests.id('north'), tests.id('north patient login'), 'client');
insert into public.client_guardians (organization_id, client_id, user_id, relationship, starts_on) values
  (tests.id('north'), tests.id('north cedar'), tests.id('north patient login'), 'parent', current_date - 9);

-- ---------------------------------------------------------------------------------------------------------
-- Whom and what a user may book
-- ---------------------------------------------------------------------------------------------------------

-- acting as each user in turn: the code of the problem, and of the field where there is one
create function tests.refused_with(login text, request jsonb) returns text language plpgsql set search_path = '' as $$
declare
  problem jsonb;
begin
  perform tests.authenticate_as(tests.id(login));
  problem := public.hold_sessions(request) -> 'problem';
  perform tests.clear_authentication();
  return concat_ws(' ', problem ->> 'code', problem #>> '{errors,0,field}', problem #>> '{errors,0,code}');
end
$$;

select is(
  tests.refused_with(refused.login, tests.hold_request(refused.clinic, array['10:00'], (
    select coalesce(jsonb_object_agg(key, case when key ~ '_id$' then to_jsonb(tests.id(value)) else to_jsonb(value) end), '{}')
    from jsonb_each_text(refused.changes)))),
  refused.problem, refused.name)
from (values
  ('south theo login', 'north', '{}'::jsonb, 'not_found', 'another clinic''s therapist does not exist for a user'),
  ('stranger login', 'north', '{}', 'not_found', 'no therapist exists for a user without a role'),
  ('north rosa login', 'north', '{"therapist_id": "nobody"}', 'not_found', 'a therapist who does not exist is not found'),
  ('north rosa login', 'south', '{}', 'not_found', 'a user of two clinics books in each only by the role they have there'),
  ('north rosa login', 'north', '{"client_id": "south birch"}', 'not_found', 'another clinic''s client is not found'),
  ('north scheduler login', 'north', '{"client_id": "south birch"}', 'not_found', 'another clinic''s client is not found by a scheduler'),
  ('north theo login', 'north', '{"client_id": "north aspen"}', 'not_found', 'a client of nobody''s concern to the therapist is not found'),
  ('north patient login', 'north', '{}', 'not_found', 'who stands for another client does not learn that this one exists'),
  ('north patient login', 'north', '{"client_id": "north cedar"}', 'forbidden', 'who stands for the client is told that they may not book'),
  ('north patient login', 'north', '{"client_id": "south birch"}', 'not_found', 'nor does another clinic''s client exist for a family'),
  ('north theo login', 'north', '{}', 'forbidden', 'a therapist books no colleague''s time'),
  ('north rosa login', 'north', '{"client_id": "north gone"}', 'validation_failed client_id archived', 'an archived client is not booked'),
  ('north scheduler login', 'north', '{"client_id": "north gone"}', 'validation_failed client_id archived', 'a scheduler books no archived client'),
  ('north scheduler login', 'north', '{"therapist_id": "north theo", "client_id": "north aspen"}',
    'validation_failed client_id not_assigned', 'a client is booked with their care team only'),
  ('north rosa login', 'north', '{"client_id": "north cedar"}',
    'validation_failed client_id not_assigned', 'a client is booked only while the assignment lasts'),
  ('north scheduler login', 'north', '{"therapist_id": "north ina"}', 'validation_failed therapist_id inactive', 'an inactive therapist is not booked'),
  ('north rosa login', 'north', '{"room_id": "south room"}', 'not_found', 'another clinic''s room is not found'),
  ('north rosa login', 'north', '{"room_id": "nowhere"}', 'not_found', 'a room that does not exist is not found'),
  ('north rosa login', 'north', '{"service_code": "97158"}', 'validation_failed service_code unknown', 'a service that the clinic has not is refused'),
  ('north rosa login', 'north', '{"session_id": "of south"}', 'not_found', 'another clinic''s session is not moved'),
  ('north scheduler login', 'north', '{"session_id": "of south"}', 'not_found', 'another clinic''s session is not moved by a scheduler'),
  ('north rosa login', 'north', '{"session_id": "of theo"}', 'not_found', 'a colleague''s session is not moved'),
  ('north rosa login', 'north', '{"session_id": "with aspen"}', 'validation_failed session_id another_session', 'a move keeps the client'),
  ('north scheduler login', 'north', '{"session_id": "of theo", "therapist_id": "north theo", "service_code": "97155"}',
    'validation_failed session_id another_session', 'a move keeps the service'),
  ('north rosa login', 'north', '{"session_id": "cancelled"}', 'validation_failed session_id not_scheduled', 'a cancelled session is not moved'),
  ('north theo login', 'north', '{"therapist_id": "north theo", "client_id": "north cedar", "session_id": "member", "service_code": "97154"}',
    'validation_failed session_id in_a_group', 'a member of a group is not moved alone'),
  ('north rosa login', 'north', '{"time_zone": "Mars/Olympus_Mons"}', 'validation_failed time_zone unknown', 'a time zone that does not exist is refused'),
  ('north rosa login', 'north', '{"hold_seconds": "29"}', 'validation_failed hold_seconds out_of_range', 'a hold of under 30 seconds is refused'),
  ('north rosa login', 'north', '{"hold_seconds": "901"}', 'validation_failed hold_seconds out_of_range', 'a hold of over 900 seconds is refused'),
  ('north rosa login', 'north', '{"time_zone": "America/Los_Angeles"}', 'offset_mismatch occurrences[0].start_time_offset_minutes offset_mismatch',
    'offsets of another time zone are refused')
) refused (login, clinic, changes, problem, name);

-- ---------------------------------------------------------------------------------------------------------
-- Times
-- ---------------------------------------------------------------------------------------------------------

select is(
  tests.refused_with('north rosa login', tests.hold_request('north', array['10:00'], refused.changes)), refused.problem, refused.name)
from (values
  (tests.times(tests.at('10:00'), tests.at('10:00')), 'validation_failed occurrences[0].end_time not_after_start', 'no time at all is refused'),
  (tests.times(tests.at('10:00'), tests.at('09:00')), 'validation_failed occurrences[0].end_time not_after_start', 'an end before the start is refused'),
  (tests.times(tests.at('10:00'), tests.at('10:00') + interval '24 hours 1 second'), 'validation_failed occurrences[0].end_time too_long', 'over 24 hours is refused'),
  (tests.times(tests.at('10:00', -31), tests.at('11:00', -31)), 'validation_failed occurrences[0].start_time in_the_past', 'the past is refused'),
  (tests.times(tests.at('10:00', 3700), tests.at('11:00', 3700)), 'validation_failed occurrences[0].start_time too_far', 'what is over ten years away is refused'),
  ('{"occurrences": []}', 'validation_failed occurrences size', 'no occurrence at all is refused'),
  ('{"client_ids": []}', 'validation_failed client_ids size', 'nor is time held for no client'),
  ('{"therapist_ids": []}', 'validation_failed therapist_ids size', 'or of no therapist, whom nobody would ask about'),
  (jsonb_build_object('occurrences', (
    select jsonb_agg(tests.occurrence(tests.at('10:00', day), tests.at('11:00', day))) from generate_series(1, 367) day)),
    'validation_failed occurrences size', 'more than 366 occurrences are refused'),
  (jsonb_build_object('session_id', tests.id('scheduled'), 'occurrences', jsonb_build_array(
    tests.occurrence(tests.at('10:00'), tests.at('11:00')), tests.occurrence(tests.at('12:00'), tests.at('13:00')))),
    'validation_failed session_id one_occurrence', 'a session is moved to one time'),
  (jsonb_build_object('occurrences', jsonb_build_array(
    tests.occurrence(tests.at('10:00'), tests.at('12:00')), tests.occurrence(tests.at('15:00'), tests.at('16:00')),
    tests.occurrence(tests.at('11:59'), tests.at('13:00')))),
    'validation_failed occurrences[2].start_time overlaps_another', 'occurrences that overlap each other are refused'),
  (jsonb_build_object('occurrences', jsonb_build_array(tests.occurrence(tests.at('10:00'), tests.at('11:00')) - 'end_time_offset_minutes')),
    'offset_mismatch occurrences[0].end_time_offset_minutes offset_mismatch', 'an offset that is missing is refused'),
  (jsonb_build_object('occurrences', jsonb_build_array(
    tests.occurrence(tests.at('10:00'), tests.at('11:00')) || '{"start_time": "infinity", "end_time": "infinity"}')),
    'validation_failed occurrences[0].end_time not_after_start', 'infinity is refused')
) refused (changes, problem, name);

select tests.authenticate_as(tests.id('north rosa login'));
select is(
  public.hold_sessions(tests.hold_request('north', array['10:00'], jsonb_build_object('occurrences', jsonb_build_array(
    tests.occurrence(tests.at('10:00'), tests.at('11:00')) || '{"end_time_offset_minutes": 0}')))) #> '{problem,errors,0,expected}',
  to_jsonb(tests.offset_of(tests.at('11:00'))), 'the answer to a wrong offset says the right one');
select tests.clear_authentication();

-- acting as a token without a user, and as anon
select tests.authenticate_as(null);
select is(public.hold_sessions(tests.hold_request('north', array['10:00'])) #>> '{problem,code}', 'unauthenticated', 'a token without a user holds nothing');
select tests.act_as('anon', '{"role": "anon"}');
select throws_ok($$ select public.hold_sessions('{}') $$, '42501', null, 'anon calls no RPC');
select tests.clear_authentication();

select is_empty(
  $$ select id from public.session_holds where organization_id in (tests.id('north'), tests.id('south')) $$, 'the refused calls held nothing');
select is_empty(
  $$ select claim_id from public.calendar_claims where kind = 'hold' and organization_id in (tests.id('north'), tests.id('south')) $$,
  'the refused calls claimed nothing');
select is(
  (select count(*)::integer from audit.events
    where occurred_at >= now() and decision = 'deny' and action = 'rpc.hold_sessions'
      and (organization_id in (tests.id('north'), tests.id('south')) or organization_id is null)),
  45, 'every refusal is on record');

select * from finish();
rollback;
