-- Attendance: every status by everybody through every operation; times, places, corrections; what is on record; the lists.
begin;
select plan(338);

select tests.create_clinic('north'), tests.create_clinic('south'), tests.create_clinic('west');
-- Sue supervises Rosa today; Pat is Birch's parent.
select tests.create_user('sue login'), tests.create_user('pat login');
insert into public.user_roles (organization_id, user_id, role) values
  (tests.id('north'), tests.id('sue login'), 'supervisor'), (tests.id('north'), tests.id('pat login'), 'client');
insert into public.therapists (id, organization_id, user_id, display_name, credential)
values (tests.id('sue'), tests.id('north'), tests.id('sue login'), 'Sue', 'BCBA');
insert into public.supervisions (organization_id, supervisor_id, therapist_id, starts_on) values (tests.id('north'), tests.id('sue'), tests.id('north rosa'), current_date - 30);
insert into public.client_guardians (organization_id, client_id, user_id, relationship, starts_on)
values (tests.id('north'), tests.id('north birch'), tests.id('pat login'), 'parent', current_date - 30);

create function pg_temp.yesterday(clock text) returns timestamptz language sql as $$ select tests.at(clock, -32) $$;
create function pg_temp.wire(moment timestamptz) returns text language sql as $$ select to_jsonb(moment) #>> '{}' $$;
create function pg_temp.outcome(answer jsonb) returns text language sql as $$
  select coalesce(
    (answer #>> '{problem,errors,0,field}') || ' ' || (answer #>> '{problem,errors,0,code}'), answer #>> '{problem,code}',
    answer #>> '{data,sessions,0,status}', answer ->> 'data')
$$;
create function pg_temp.ask(operation text, request jsonb) returns text language plpgsql as $$
declare
  answer jsonb;
begin
  execute format('select public.%I($1)', operation) into answer using request;
  return pg_temp.outcome(answer);
end
$$;
grant execute on function pg_temp.yesterday, pg_temp.wire, pg_temp.outcome, pg_temp.ask to authenticated;

-- ---------------------------------------------------------------------------------------------------------
-- Every status x operation x person
-- ---------------------------------------------------------------------------------------------------------

create function pg_temp.request_of(operation text, was text) returns jsonb language sql as $$
  select jsonb_build_object('session_id', tests.id('it')) || case
    when operation = 'start_session' then jsonb_build_object('actual_start_time', pg_temp.wire(pg_temp.yesterday('10:03')))
    when operation = 'complete_session' then jsonb_build_object('actual_end_time', pg_temp.wire(pg_temp.yesterday('10:50')))
      || case when was = 'scheduled' then jsonb_build_object('actual_start_time', pg_temp.wire(pg_temp.yesterday('10:03'))) else '{}' end
    when operation = 'mark_no_show' then '{"reason": "Nobody was at home"}'
    when operation = 'correct to completed' then jsonb_build_object('version', 1, 'reason', 'A slip', 'status', 'completed',
      'actual_start_time', pg_temp.wire(pg_temp.yesterday('10:03')), 'actual_end_time', pg_temp.wire(pg_temp.yesterday('10:50')))
    else jsonb_build_object('version', 1, 'reason', 'A slip', 'status', replace(operation, 'correct to ', '')) end
$$;
create function pg_temp.attempt(login text, was text, operation text) returns text language plpgsql as $$
declare
  request jsonb;
begin
  perform tests.add_session('it', 'north', '10:00', jsonb_build_object(
    'day', -32, 'status', was, 'cancelled_by', case when was = 'cancelled' then 'clinic' end));
  request := pg_temp.request_of(operation, was);
  perform tests.authenticate_as(tests.id(login));
  raise exception using errcode = 'HF999',
    message = pg_temp.ask(case when operation ~ '^correct' then 'correct_attendance' else operation end, request);
exception
  when sqlstate 'HF999' then
    return sqlerrm;
end
$$;
create function pg_temp.expected(person text, was text, operation text) returns text language sql as $$
  select case
    when person in ('colleague', 'stranger') then 'not_found'
    when person in ('scheduler', 'parent') then 'forbidden'
    when person = 'therapist' and operation ~ '^correct' then 'forbidden'
    when operation = 'start_session' then case when was = 'scheduled' then 'in_progress' else 'session_id not_scheduled' end
    when operation = 'complete_session' then case when was in ('scheduled', 'in_progress') then 'completed' else 'session_id not_in_progress' end
    when operation = 'mark_no_show' then case when was in ('scheduled', 'in_progress') then 'no_show' else 'session_id not_open' end
    when was in ('scheduled', 'cancelled') then 'session_id not_marked'
    when operation = 'correct to no_show' and was = 'no_show' then 'status unchanged'
    when operation = 'correct to in_progress' then 'status invalid_value'
    else replace(operation, 'correct to ', '') end
$$;
select is(
  pg_temp.attempt(person.login, was, operation), pg_temp.expected(person.name, was, operation),
  format('%s, %s, by the %s', operation, was, person.name))
from (values ('therapist', 'north rosa login'), ('supervisor', 'sue login'), ('admin', 'north admin login'), ('colleague', 'north theo login'),
  ('scheduler', 'north scheduler login'), ('parent', 'pat login'), ('stranger', 'south admin login')) person (name, login)
cross join unnest(array['scheduled', 'in_progress', 'completed', 'no_show', 'cancelled']) was
cross join unnest(array['start_session', 'complete_session', 'mark_no_show', 'correct to scheduled', 'correct to completed', 'correct to no_show',
  'correct to in_progress']) operation;
select tests.clear_authentication();

-- ---------------------------------------------------------------------------------------------------------
-- A visit, from its start to its correction
-- ---------------------------------------------------------------------------------------------------------

select tests.add_session('visit', 'north', '10:00');
update public.sessions set start_time = now() - interval '5 minutes', end_time = now() + interval '55 minutes' where id = tests.id('visit');
create function pg_temp.visit(changes jsonb default '{}') returns jsonb language sql as $$ select jsonb_build_object('session_id', tests.id('visit')) || changes $$;
grant execute on function pg_temp.visit to authenticated;

select tests.authenticate_as(tests.id('north rosa login'));
select is(pg_temp.ask('start_session', pg_temp.visit('{"version": 1}')), 'stale_version', 'who starts what has changed since is told so');
select is(
  pg_temp.ask('start_session', pg_temp.visit('{"version": 2, "location": {"method": "gps", "latitude": 40.7, "longitude": -74, "accuracy_meters": 12}}')),
  'in_progress', 'a therapist starts their session');
select is(pg_temp.ask('start_session', pg_temp.visit()), 'session_id not_scheduled', 'and not twice');
select results_eq(
  $$ select actual_start_time between now() and clock_timestamp(), actual_end_time, attendance from public.sessions where id = tests.id('visit') $$,
  $$ values (true, null::timestamptz, null::text) $$, 'it began now, and nobody has attended yet');
select is(
  pg_temp.ask('complete_session', pg_temp.visit(jsonb_build_object('actual_start_time', pg_temp.wire(now())) || jsonb_build_object('actual_end_time', pg_temp.wire(clock_timestamp())))),
  'actual_start_time not_allowed', 'completing does not change when it began');
select is(pg_temp.ask('complete_session', pg_temp.visit('{"location": {"method": "manual", "place": "Home", "reason": "No signal"}}')), 'completed', 'and completes it');
select is((select attendance from public.sessions where id = tests.id('visit')), 'attended', 'which was attended');
select is(
  pg_temp.ask('correct_attendance', pg_temp.visit('{"version": 4, "status": "no_show", "reason": "Wrong client"}')), 'forbidden', 'what is marked is not the therapist''s to correct');
select tests.authenticate_as(tests.id('sue login'));
select is(
  pg_temp.ask('correct_attendance', pg_temp.visit('{"version": 4, "status": "no_show", "reason": "Wrong client", "whole_group": true}')), 'no_show', 'but the supervisor''s');
select is(
  pg_temp.ask('correct_attendance', pg_temp.visit('{"status": "scheduled", "reason": "Wrong"}')), 'version required', 'a correction says what was seen');
select is(
  pg_temp.ask('correct_attendance', pg_temp.visit('{"version": 5, "status": "scheduled", "reason": " "}')), 'reason size', 'and why');
select is(
  pg_temp.ask('correct_attendance', pg_temp.visit('{"version": 5, "status": "scheduled", "reason": "x", "actual_end_time": "2026-01-01T10:00:00Z"}')),
  'actual_end_time not_allowed', 'and no times of what did not take place');
select tests.clear_authentication();
select results_eq(
  $$ select status, attendance, num_nonnulls(actual_start_time, actual_end_time), corrected_at is not null from public.sessions where id = tests.id('visit') $$,
  $$ values ('no_show', 'no_show', 0, true) $$, 'a correction takes back what did not take place');
select results_eq(
  $$ select event, status, method, actual_time is not null, reason, created_by from public.attendance_marks where session_id = tests.id('visit') order by created_at $$,
  $$ values ('start', 'in_progress', 'gps', true, null, tests.id('north rosa login')), ('end', 'completed', 'manual', true, 'No signal', tests.id('north rosa login')),
    ('correction', 'no_show', null, false, 'Wrong client', tests.id('sue login')) $$, 'every mark is kept, with who made it and how');
select results_eq(
  $$ select action, details #>> '{before,status}', details #>> '{after,status}', details #>> '{after,attendance}' from audit.events
    where row_id = tests.id('visit') and action ~ '^session\.' and action not in ('session.scheduled', 'session.moved') order by id $$,
  $$ values ('session.started', 'scheduled', 'in_progress', null), ('session.completed', 'in_progress', 'completed', 'attended'), ('session.corrected', 'completed', 'no_show', 'no_show') $$,
  'the trail says what it was and became');
select is_empty(
  $$ select id from audit.events where organization_id = tests.id('north') and details::text ~ 'Wrong client|No signal|40\.7|Home' $$, 'and neither why nor where');
select is_empty(
  $$ select key from public.idempotency_keys where organization_id = tests.id('north') and response::text ~ 'Wrong client|40\.7' $$, 'nor do the kept answers');
select throws_ok(statement, '23514', null, 'a mark stays: ' || statement)
from unnest(array[
  $$ update public.attendance_marks set reason = 'x' where session_id = tests.id('visit') $$, $$ delete from public.attendance_marks where session_id = tests.id('visit') $$
]) statement;
select results_eq(
  $$ select tests.truncate_calls('{public.attendance_marks}') $$, $$ values ('public.attendance_marks app.refuse_change') $$, 'nor are all removed at once');

-- ---------------------------------------------------------------------------------------------------------
-- Times
-- ---------------------------------------------------------------------------------------------------------

select tests.add_session('late', 'north', '10:00', '{"day": -32}'), tests.add_session('next', 'north', '11:00', '{"day": -32}'), tests.add_session('far', 'north', '10:00');
select tests.authenticate_as(tests.id('north rosa login'));
select is(pg_temp.ask(operation, jsonb_build_object('session_id', tests.id(label)) || times), wanted, name)
from (values
  ('start_session', 'late', '{}'::jsonb, 'actual_start_time required', 'what is over began when the caller says'),
  ('start_session', 'far', '{}', 'actual_start_time too_early', 'what is next month does not begin now'),
  ('mark_no_show', 'far', '{}', 'session_id in_the_future', 'nor has anybody missed it'),
  ('complete_session', 'late', '{}', 'actual_start_time required', 'what was never started ended at a time, and began'),
  ('start_session', 'late', jsonb_build_object('actual_start_time', pg_temp.wire(pg_temp.yesterday('09:29'))), 'actual_start_time too_early', 'a session begins 30 minutes early at most'),
  ('start_session', 'late', jsonb_build_object('actual_start_time', pg_temp.wire(clock_timestamp() + interval '3 minutes')), 'actual_start_time in_the_future', 'not in the future'),
  ('start_session', 'late', '{"actual_start_time": "infinity"}', 'actual_start_time invalid_format', 'nor at the end of time'),
  ('start_session', 'late', '{"actual_start_time": "now"}', 'actual_start_time invalid_format', 'at a time in ISO 8601'),
  ('start_session', 'late', '{"actual_start_time": "2026-02-30T10:00:00Z"}', 'actual_start_time invalid_format', 'that there is'),
  ('start_session', 'late', '{"actual_start_time": "2026-02-20T10:00:00"}', 'actual_start_time invalid_format', 'with its offset'),
  ('start_session', 'late', '{"session_id": null}', 'not_found', 'of a session'),
  ('complete_session', 'late', jsonb_build_object('actual_start_time', pg_temp.wire(pg_temp.yesterday('10:03')), 'actual_end_time', pg_temp.wire(pg_temp.yesterday('10:02'))),
    'actual_end_time not_after_start', 'it ends after its start'),
  ('complete_session', 'late', jsonb_build_object('actual_start_time', pg_temp.wire(pg_temp.yesterday('10:03')), 'actual_end_time', pg_temp.wire(pg_temp.yesterday('10:03'))),
    'actual_end_time not_after_start', 'and takes time'),
  ('complete_session', 'late', jsonb_build_object('actual_start_time', pg_temp.wire(pg_temp.yesterday('10:03') ), 'actual_end_time', pg_temp.wire(clock_timestamp() + interval '3 minutes')),
    'actual_end_time in_the_future', 'and has ended'),
  ('start_session', 'late', jsonb_build_object('actual_start_time', pg_temp.wire(pg_temp.yesterday('10:00')), 'location', '[]'::jsonb), 'location invalid_type', 'a location is an object'),
  ('start_session', 'late', '{"actual_start_time": "2026-02-20T10:00:00Z", "location": {}}', 'location.method invalid_value', 'of a method'),
  ('start_session', 'late', '{"location": {"method": "gps", "latitude": 91, "longitude": 0}, "actual_start_time": "2026-02-20T10:00:00Z"}', 'location.latitude invalid_value', 'on this earth'),
  ('start_session', 'late', '{"location": {"method": "gps", "latitude": "1", "longitude": 0}, "actual_start_time": "2026-02-20T10:00:00Z"}', 'location.latitude invalid_value', 'a latitude is a number'),
  ('start_session', 'late', '{"location": {"method": "gps", "latitude": 1}, "actual_start_time": "2026-02-20T10:00:00Z"}', 'location.longitude required', 'with all that GPS gives'),
  ('start_session', 'late', '{"location": {"method": "manual"}, "actual_start_time": "2026-02-20T10:00:00Z"}', 'location.reason required', 'or why it is by hand'),
  ('start_session', 'late', '{"location": {"method": "telephony", "device_id": "a b"}, "actual_start_time": "2026-02-20T10:00:00Z"}', 'location.device_id invalid_format', 'a device has an id'),
  ('start_session', 'late', '{"location": {"method": "manual", "reason": " "}, "actual_start_time": "2026-02-20T10:00:00Z"}', 'location.reason size', 'a reason is not blank'),
  ('mark_no_show', 'late', '{"reason": ""}', 'reason size', 'nor is that of a no-show'),
  ('mark_no_show', 'late', '{"whole_group": true}', 'whole_group not_in_a_group', 'a session alone is no group')
) refused (operation, label, times, wanted, name);
select results_eq(
  $$ select distinct status, version from public.sessions where id in (tests.id('late'), tests.id('far')) $$, $$ values ('scheduled', 1) $$, 'what was refused changed nothing');

select is(
  pg_temp.ask('complete_session', jsonb_build_object('session_id', tests.id('late'), 'actual_start_time', pg_temp.wire(pg_temp.yesterday('10:10')),
    'actual_end_time', pg_temp.wire(pg_temp.yesterday('11:20')))), 'completed', 'what ran late is marked later, in one step');
select is(
  pg_temp.ask('start_session', jsonb_build_object('session_id', tests.id('next'), 'actual_start_time', pg_temp.wire(pg_temp.yesterday('11:19')))),
  'actual_start_time overlaps_another', 'a therapist was not in two sessions at once');
select is(
  pg_temp.ask('start_session', jsonb_build_object('session_id', tests.id('next'), 'actual_start_time', pg_temp.wire(pg_temp.yesterday('11:20')))),
  'in_progress', 'but in one after the other');
select is(
  pg_temp.ask('complete_session', jsonb_build_object('session_id', tests.id('next'))), 'actual_end_time required', 'what has been over for a while ended when the caller says');
select is(
  pg_temp.ask('complete_session', jsonb_build_object('session_id', tests.id('next'), 'actual_end_time', pg_temp.wire(pg_temp.yesterday('11:20') + interval '24 hours 1 second'))),
  'actual_end_time too_long', 'a session lasts a day at most');
select tests.clear_authentication();
select throws_ok(
  $$ update public.sessions set actual_start_time = pg_temp.yesterday('11:00') where id = tests.id('next') $$, '23P01', null, 'by whatever way it is written');
select is(
  (select count(*)::integer from public.calendar_claims where claim_id in (tests.id('late'), tests.id('next')) and during in (
    tstzrange(pg_temp.yesterday('10:00'), pg_temp.yesterday('11:00')), tstzrange(pg_temp.yesterday('11:00'), pg_temp.yesterday('12:00')))),
  4, 'the calendar keeps what was booked');

-- Clocks that change: New York, 2 November 2025, when 01:00 to 02:00 happened twice; and over midnight.
select tests.add_session('night', 'north', '10:00', '{"day": -40}');
update public.sessions set start_time = '2025-11-02T03:30:00Z', end_time = '2025-11-02T07:30:00Z' where id = tests.id('night');
select tests.authenticate_as(tests.id('north rosa login'));
select is(
  pg_temp.ask('complete_session', jsonb_build_object('session_id', tests.id('night'), 'actual_start_time', '2025-11-01T23:45:00-04:00', 'actual_end_time', '2025-11-02T02:15:00-05:00')),
  'completed', 'a session over midnight and a change of the clock is completed');
select is((select actual_end_time - actual_start_time from public.sessions where id = tests.id('night')), interval '3 hours 30 minutes', 'and lasts what elapsed');
select tests.clear_authentication();

-- ---------------------------------------------------------------------------------------------------------
-- Groups
-- ---------------------------------------------------------------------------------------------------------

select tests.add_group('the group', 'north', '14:00');
update public.session_groups set start_time = pg_temp.yesterday('14:00'), end_time = pg_temp.yesterday('15:00') where id = tests.id('the group');
select tests.add_session(client, 'north', '14:00', jsonb_build_object('day', -32, 'service', 'north 97154', 'group', 'the group', 'client', 'north ' || client))
from unnest(array['aspen', 'birch', 'cedar']) client;
select tests.authenticate_as(tests.id('north rosa login'));
-- The session in progress since yesterday would go on through this one.
select is(
  pg_temp.ask('complete_session', jsonb_build_object('session_id', tests.id('next'), 'actual_end_time', pg_temp.wire(pg_temp.yesterday('12:05')))), 'completed', 'what was forgotten is completed');
select is(pg_temp.ask('mark_no_show', jsonb_build_object('session_id', tests.id('cedar'))), 'no_show', 'one member of a group does not come');
select tests.keep('started', public.start_session(jsonb_build_object(
  'session_id', tests.id('birch'), 'whole_group', true, 'actual_start_time', pg_temp.wire(pg_temp.yesterday('14:02')))));
select results_eq(
  $$ select (session ->> 'id')::uuid from jsonb_array_elements(tests.kept('started') #> '{data,sessions}') session order by 1 $$,
  $$ select id from unnest(array[tests.id('aspen'), tests.id('birch')]) id order by 1 $$, 'the others begin together');
select is(
  pg_temp.ask('complete_session', jsonb_build_object('session_id', tests.id('aspen'), 'actual_end_time', pg_temp.wire(pg_temp.yesterday('14:30')))), 'completed', 'one leaves early');
select is(
  pg_temp.ask('complete_session', jsonb_build_object('session_id', tests.id('birch'), 'whole_group', true, 'actual_end_time', pg_temp.wire(pg_temp.yesterday('15:00')))),
  'completed', 'and the rest at the end');
select results_eq(
  $$ select attendance, actual_end_time from public.sessions where id in (tests.id('aspen'), tests.id('birch'), tests.id('cedar')) order by actual_end_time $$,
  $$ values ('attended', pg_temp.yesterday('14:30')), ('attended', pg_temp.yesterday('15:00')), ('no_show', null) $$, 'each has the attendance of their own');
select tests.clear_authentication();
select is((select members::integer from public.session_groups where id = tests.id('the group')), 2, 'who did not come is no member any more');

-- ---------------------------------------------------------------------------------------------------------
-- A no-show frees its time
-- ---------------------------------------------------------------------------------------------------------

select tests.add_session('missed', 'north', '16:00', '{"day": -32}');
select tests.authenticate_as(tests.id('north admin login'));
select is(pg_temp.ask('mark_no_show', jsonb_build_object('session_id', tests.id('missed'))), 'no_show', 'a no-show');
select tests.clear_authentication();
select tests.add_session('instead', 'north', '16:30', '{"day": -32}');
select tests.authenticate_as(tests.id('north admin login'));
select is(
  pg_temp.ask('correct_attendance', jsonb_build_object('session_id', tests.id('missed'), 'version', 2, 'status', 'scheduled', 'reason', 'Late')),
  'session_id time_taken', 'is not taken back when its time was given to another');
select tests.clear_authentication();
update public.sessions set status = 'cancelled', cancelled_by = 'clinic' where id = tests.id('instead');
select tests.authenticate_as(tests.id('north admin login'));
select is(
  pg_temp.ask('correct_attendance', jsonb_build_object('session_id', tests.id('missed'), 'version', 2, 'status', 'scheduled', 'reason', 'Late')), 'scheduled', 'and is when it is free');
select tests.clear_authentication();
select is((select count(*)::integer from public.calendar_claims where claim_id = tests.id('missed')), 2, 'then it claims its time again');

-- ---------------------------------------------------------------------------------------------------------
-- Lists
-- ---------------------------------------------------------------------------------------------------------

select tests.add_session('of theo', 'north', '16:00', '{"day": -32, "therapist": "north theo", "client": "north cedar"}'), tests.add_session('just begun', 'north', '10:00', '{"day": 1}');
update public.sessions set start_time = now() - interval '14 minutes', end_time = now() + interval '46 minutes' where id = tests.id('just begun');
create function pg_temp.candidates(changes jsonb default '{}') returns text[] language sql as $$
  select array_agg(coalesce((select label from unnest(array['missed', 'of theo', 'just begun']) label where tests.id(label) = (session ->> 'id')::uuid), 'another') order by session ->> 'start_time', session ->> 'id')
  from jsonb_array_elements(public.list_no_show_candidates(jsonb_build_object('organization_id', tests.id('north')) || changes) #> '{data,sessions}') session
$$;
grant execute on function pg_temp.candidates to authenticated;
select is(pg_temp.candidates(asked.changes), asked.labels, asked.name)
from (values ('north rosa login', '{}'::jsonb, array['missed'], 'a therapist is asked about their own'), ('north theo login', '{}', array['of theo'], 'and a colleague about theirs'),
  ('sue login', '{}', array['missed'], 'a supervisor about those of who they supervise'), ('north rosa login', '{"late_minutes": 13}', array['missed', 'just begun'], 'as late as one asks'),
  ('north rosa login', jsonb_build_object('after', tests.id('of theo')), array['missed'], 'a colleague''s session is no place in one''s own list'),
  ('north theo login', jsonb_build_object('after', tests.id('missed')), array['of theo'], 'nor for the colleague')) asked (login, changes, labels, name)
cross join lateral tests.authenticate_as(tests.id(asked.login));
select tests.authenticate_as(tests.id('north scheduler login'));
select tests.keep('first', public.list_no_show_candidates(jsonb_build_object('organization_id', tests.id('north'), 'limit', 1)) -> 'data');
select tests.keep('second', public.list_no_show_candidates(jsonb_build_object('organization_id', tests.id('north'), 'limit', 1, 'after', tests.kept('first') -> 'next')) -> 'data');
select set_eq(
  $$ select (tests.kept(page) #>> '{sessions,0,id}')::uuid from unnest(array['first', 'second']) page $$, array[tests.id('missed'), tests.id('of theo')], 'schedulers about all, a page at a time');
select is(
  public.list_no_show_candidates(jsonb_build_object('organization_id', tests.id('north'), 'after', tests.kept('second') -> 'next')) -> 'data', '{"sessions": [], "next": null}', 'until there are none');
select is(pg_temp.ask('list_no_show_candidates', jsonb_build_object('organization_id', tests.id('north')) || changes), wanted, format('a page is of a size: %s', changes))
from (values ('{"limit": 0}'::jsonb, 'limit invalid_value'), ('{"limit": 501}', 'limit invalid_value'), ('{"limit": 1.5}', 'limit invalid_value'), ('{"late_minutes": 0}', 'late_minutes size')) refused (changes, wanted);
select tests.authenticate_as(tests.id('pat login'));
select is(pg_temp.ask('list_no_show_candidates', jsonb_build_object('organization_id', tests.id('north'))), 'forbidden', 'families are not asked');
select tests.clear_authentication();
select is((select status from public.sessions where id = tests.id('missed')), 'scheduled', 'and nothing is set');

create function pg_temp.evv(changes jsonb default '{}') returns jsonb language sql as $$
  select public.evv_records(jsonb_build_object('organization_id', tests.id('north'), 'from', pg_temp.wire(pg_temp.yesterday('00:00')), 'to', pg_temp.wire(now() + interval '1 hour')) || changes)
$$;
grant execute on function pg_temp.evv to authenticated;
update public.sessions set status = 'cancelled', cancelled_by = 'clinic' where id = tests.id('just begun');
-- A visit that was taken back and took place after all: its first place is not where it was.
select tests.authenticate_as(tests.id('north admin login'));
select is(
  pg_temp.ask('correct_attendance', pg_temp.visit('{"version": 5, "status": "scheduled", "reason": "It is on"}')), 'scheduled', 'a visit is taken back');
select is(pg_temp.ask('start_session', pg_temp.visit()), 'in_progress', 'and begins anew, from where nobody says');
select tests.authenticate_as(tests.id('north rosa login'));
select is(pg_temp.evv() #>> '{problem,code}', 'forbidden', 'a therapist reads no records of visits');
select tests.authenticate_as(tests.id('north scheduler login'));
select tests.keep('records', pg_temp.evv() -> 'data');
select is(
  (select record - array['start_time', 'time_zone', 'date'] from jsonb_array_elements(tests.kept('records') -> 'records') record where record ->> 'session_id' = tests.id('visit')::text),
  jsonb_build_object('session_id', tests.id('visit'), 'service_code', '97153', 'cpt_code', '97153', 'client_id', tests.id('north birch'), 'therapist_id', tests.id('north rosa'),
    'end_time', null, 'start_location', null, 'end_location', null, 'missing', array['end_location', 'end_time', 'start_location']), 'a record says what is missing');
select is(
  (select array_agg(record ->> 'session_id') from jsonb_array_elements(tests.kept('records') -> 'records') record),
  (select array_agg(id::text order by start_time, id) from public.sessions where status in ('in_progress', 'completed') and start_time >= pg_temp.yesterday('00:00')), 'there is one of every visit');
select tests.authenticate_as(tests.id('north rosa login'));
select is(pg_temp.ask('complete_session', pg_temp.visit('{"location": {"method": "fixed_device", "device_id": "box-7"}}')), 'completed', 'the visit ends at a device');
select tests.authenticate_as(tests.id('north admin login'));
select is(
  (select record #>> '{end_location,device_id}' || ' ' || (record ->> 'missing') from jsonb_array_elements(pg_temp.evv() #> '{data,records}') record where record ->> 'session_id' = tests.id('visit')::text),
  'box-7 ["start_location"]', 'and the record says which');
select is(pg_temp.evv('{"limit": 2}') #>> '{data,next}', tests.kept('records') #>> '{records,1,session_id}', 'a page says where the next begins');
select is(
  pg_temp.evv(jsonb_build_object('after', tests.kept('records') #> '{records,1,session_id}', 'limit', 1)) #>> '{data,records,0,session_id}', tests.kept('records') #>> '{records,2,session_id}',
  'which goes on there');
select is(pg_temp.outcome(pg_temp.evv(changes)), wanted, format('records are of some time: %s', changes))
from (values ('{"to": null}'::jsonb, 'to required'), ('{"from": "yesterday"}', 'from invalid_format'), ('{"to": "2001-01-01T00:00:00Z"}', 'to not_after_start')) refused (changes, wanted);
select tests.clear_authentication();
select is(
  (select count(*)::integer from audit.events
    where organization_id = tests.id('north') and action = 'evv.read' and actor_id = tests.id('north scheduler login') and client_id is not null),
  jsonb_array_length(tests.kept('records') -> 'records'), 'each record that was read is on record');
select is_empty('select * from app.ledger_faults()', 'the ledger, the holds and the sessions agree');

select * from finish();
rollback;
