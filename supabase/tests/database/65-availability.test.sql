-- Weekly hours: wall clocks at the edges of daylight saving time, and the days that setting them changes.
begin;
select plan(53);

select tests.create_clinic('north'), tests.create_clinic('south');

-- ---------------------------------------------------------------------------------------------------------
-- A wall clock as an instant. The instants are written out: no library computed them.
-- ---------------------------------------------------------------------------------------------------------

select is(app.local_to_instant(wall.clock::timestamp, wall.zone), wall.expected::timestamptz, format('%s in %s: %s', wall.clock, wall.zone, wall.name))
from (values
  ('2027-03-14 01:59', 'America/Los_Angeles', '2027-03-14 09:59Z', 'the last minute before the gap'),
  ('2027-03-14 02:00', 'America/Los_Angeles', '2027-03-14 10:00Z', 'the gap''s first moment is its end'),
  ('2027-03-14 02:30', 'America/Los_Angeles', '2027-03-14 10:30Z', 'a time in the gap moves forward by the gap'),
  ('2027-03-14 03:00', 'America/Los_Angeles', '2027-03-14 10:00Z', 'the clock goes on after the gap'),
  ('2027-11-07 00:59', 'America/Los_Angeles', '2027-11-07 07:59Z', 'the last minute that occurs once'),
  ('2027-11-07 01:30', 'America/Los_Angeles', '2027-11-07 08:30Z', 'of two, the first'),
  ('2027-11-07 02:00', 'America/Los_Angeles', '2027-11-07 10:00Z', 'after both'),
  ('2027-10-03 02:30', 'Australia/Sydney', '2027-10-02 16:30Z', 'in the south, the gap is in October'),
  ('2027-04-04 02:30', 'Australia/Sydney', '2027-04-03 15:30Z', 'and what occurs twice in April'),
  ('2027-04-04 03:00', 'Australia/Sydney', '2027-04-03 17:00Z', 'after both'),
  ('2027-10-03 02:15', 'Australia/Lord_Howe', '2027-10-02 15:45Z', 'a gap of half an hour moves by half an hour'),
  ('2027-10-03 02:30', 'Australia/Lord_Howe', '2027-10-02 15:30Z', 'after the gap of half an hour'),
  ('2027-04-04 01:45', 'Australia/Lord_Howe', '2027-04-03 14:45Z', 'half an hour occurs twice: the first'),
  ('2027-04-04 02:00', 'Australia/Lord_Howe', '2027-04-03 15:30Z', 'after both halves'),
  ('2027-03-14 02:30', 'America/Phoenix', '2027-03-14 09:30Z', 'a zone that never changes')
) wall (clock, zone, expected, name);

-- ---------------------------------------------------------------------------------------------------------
-- Hours on the days when the clock changes
-- ---------------------------------------------------------------------------------------------------------

create function tests.set_hours(therapist text, first_day text, last_day text, hours jsonb, zone text default 'America/New_York')
returns jsonb language sql set search_path = '' as $$
  select public.set_availability(pg_catalog.jsonb_build_object(
    'therapist_id', tests.id(therapist), 'time_zone', zone, 'effective_from', first_day, 'effective_until', last_day, 'hours', hours))
$$;
create function tests.on_sundays(local_start text, local_end text) returns jsonb language sql set search_path = '' as $$
  select pg_catalog.jsonb_build_array(pg_catalog.jsonb_build_object('weekday', 7, 'local_start', local_start, 'local_end', local_end))
$$;
grant execute on function tests.set_hours, tests.on_sundays to authenticated;

-- acting as a scheduler
select tests.authenticate_as(tests.id('north scheduler login'));
select is(tests.set_hours('north rosa', first_day, last_day, hours, zone) -> 'problem', null, format('Sunday hours in %s from %s', zone, first_day))
from (values
  ('2027-03-01', '2027-03-31', tests.on_sundays('01:00', '04:00'), 'America/Los_Angeles'),
  ('2027-11-01', '2027-11-30', tests.on_sundays('01:00', '04:00'), 'America/Los_Angeles'),
  ('2027-04-01', '2027-04-30', tests.on_sundays('01:00', '04:00'), 'Australia/Sydney'),
  ('2027-10-01', '2027-10-31', tests.on_sundays('01:00', '04:00'), 'Australia/Lord_Howe')
) given (first_day, last_day, hours, zone);
select tests.clear_authentication();
select is(
  app.available_time(tests.id('north'), tests.id('north rosa'), tstzmultirange(tstzrange(starts::timestamptz, ends::timestamptz))), expected::tstzmultirange, name)
from (values
  ('2027-03-13 12:00Z', '2027-03-15 12:00Z', '{["2027-03-14 09:00Z","2027-03-14 11:00Z")}', 'one to four is two hours when Los Angeles springs forward'),
  ('2027-11-06 12:00Z', '2027-11-08 12:00Z', '{["2027-11-07 08:00Z","2027-11-07 12:00Z")}', 'and four when it falls back'),
  ('2027-04-03 00:00Z', '2027-04-05 00:00Z', '{["2027-04-03 14:00Z","2027-04-03 18:00Z")}', 'four in Sydney in April'),
  ('2027-10-02 00:00Z', '2027-10-04 00:00Z', '{["2027-10-02 14:30Z","2027-10-02 17:00Z")}', 'two and a half on Lord Howe in October'),
  ('2027-03-14 09:30Z', '2027-03-14 10:15Z', '{["2027-03-14 09:30Z","2027-03-14 10:15Z")}', 'only what was asked about is answered')
) day (starts, ends, expected, name);

select tests.authenticate_as(tests.id('north scheduler login'));
select tests.set_hours('north rosa', '2027-04-01', '2027-04-30', tests.on_sundays('01:00', '04:00'), 'Australia/Lord_Howe');
select tests.set_hours('north rosa', '2027-03-01', '2027-03-31', tests.on_sundays('02:00', '03:00'), 'America/Los_Angeles');
select tests.clear_authentication();
select is(
  app.available_time(tests.id('north'), tests.id('north rosa'), '{["2027-04-03 00:00Z","2027-04-05 00:00Z")}'),
  '{["2027-04-03 14:00Z","2027-04-03 17:30Z")}', 'three and a half on Lord Howe in April');
select is(
  app.available_time(tests.id('north'), tests.id('north rosa'), '{["2027-03-13 12:00Z","2027-03-15 12:00Z")}'),
  '{}', 'hours that the clock jumps over are none that day');
select is(
  app.available_time(tests.id('north'), tests.id('north rosa'), '{["2027-03-20 12:00Z","2027-03-22 06:00Z")}'),
  '{["2027-03-21 09:00Z","2027-03-21 10:00Z")}', 'and are an hour a week later');

-- ---------------------------------------------------------------------------------------------------------
-- What setting changes, and what it leaves
-- ---------------------------------------------------------------------------------------------------------

delete from public.therapist_availability where therapist_id = tests.id('north rosa');
insert into public.therapist_availability (organization_id, therapist_id, weekday, local_start, local_end, effective_from, effective_until, time_zone)
select tests.id('north'), tests.id('north rosa'), given.weekday, '08:00', '12:00', first_day::date, last_day::date, given.zone
from (values
  (1, '2026-01-01', null, 'America/New_York'), (2, '2026-01-01', '2027-05-10', 'America/New_York'),
  (3, '2027-05-10', null, 'America/New_York'), (4, '2027-05-05', '2027-05-20', 'America/New_York'),
  (5, '2026-01-01', '2027-04-30', 'America/New_York'), (6, '2027-06-01', null, 'America/New_York'),
  (7, '2026-01-01', null, 'America/Chicago')
) given (weekday, first_day, last_day, zone);

create function tests.hours_of(therapist text) returns setof text language sql set search_path = '' as $$
  select pg_catalog.concat_ws(' ', it.weekday, it.local_start, it.local_end, it.effective_from, it.effective_until, it.time_zone)
  from public.therapist_availability it where it.therapist_id = tests.id(therapist)
$$;
select tests.authenticate_as(tests.id('north scheduler login'));
select tests.keep('answer', tests.set_hours('north rosa', '2027-05-01', '2027-05-31',
  '[{"weekday": 1, "local_start": "09:00", "local_end": "12:00"}, {"weekday": 1, "local_start": "12:00", "local_end": "24:00"}]'));
select tests.clear_authentication();
select set_eq(
  $$ select * from tests.hours_of('north rosa') $$,
  array[
    '1 08:00:00 12:00:00 2026-01-01 2027-04-30 America/New_York', '1 08:00:00 12:00:00 2027-06-01 America/New_York',
    '2 08:00:00 12:00:00 2026-01-01 2027-04-30 America/New_York', '3 08:00:00 12:00:00 2027-06-01 America/New_York',
    '5 08:00:00 12:00:00 2026-01-01 2027-04-30 America/New_York', '6 08:00:00 12:00:00 2027-06-01 America/New_York',
    '7 08:00:00 12:00:00 2026-01-01 2027-04-30 America/Chicago', '7 08:00:00 12:00:00 2027-06-01 America/Chicago',
    '1 09:00:00 12:00:00 2027-05-01 2027-05-31 America/New_York', '1 12:00:00 24:00:00 2027-05-01 2027-05-31 America/New_York'],
  'hours inside the span go, hours over its edges are cut, in whatever zone, and the others stay');
select is(
  (select array_agg(concat_ws(' ', hour ->> 'weekday', hour ->> 'local_start', hour ->> 'local_end', hour ->> 'effective_from') order by position)
    from jsonb_array_elements(tests.kept('answer') #> '{data,hours}') with ordinality as it (hour, position)),
  array['1 09:00 12:00 2027-05-01', '1 12:00 24:00 2027-05-01', '1 08:00 12:00 2027-06-01', '3 08:00 12:00 2027-06-01', '6 08:00 12:00 2027-06-01', '7 08:00 12:00 2027-06-01'],
  'the answer has the hours in effect from the first day on, in order');
select results_eq(
  $$ select actor_id, action, decision, table_name, details from audit.events where organization_id = tests.id('north') order by id desc limit 1 $$,
  $$ values (tests.id('north scheduler login'), 'availability.set', 'allow', 'therapist_availability', jsonb_build_object(
    'therapist_id', tests.id('north rosa'), 'effective_from', '2027-05-01', 'effective_until', '2027-05-31', 'hours', 2)) $$,
  'it is on record');

select tests.authenticate_as(tests.id('north admin login'));
select is(tests.set_hours('north rosa', '2027-04-15', null, '[]') -> 'problem', null, 'without an end, and without hours');
select tests.clear_authentication();
select set_eq(
  $$ select * from tests.hours_of('north rosa') $$,
  array[
    '1 08:00:00 12:00:00 2026-01-01 2027-04-14 America/New_York', '2 08:00:00 12:00:00 2026-01-01 2027-04-14 America/New_York',
    '5 08:00:00 12:00:00 2026-01-01 2027-04-14 America/New_York', '7 08:00:00 12:00:00 2026-01-01 2027-04-14 America/Chicago'],
  'the therapist does not work any more, and history stays');
select is((select count(*)::integer from tests.hours_of('north theo')), 7, 'nobody else''s hours change');

-- ---------------------------------------------------------------------------------------------------------
-- What is booked and lies outside now
-- ---------------------------------------------------------------------------------------------------------

select
  tests.add_session('inside', 'north', '10:00', '{"therapist": "north theo"}'), tests.add_session('over the end', 'north', '11:30', '{"therapist": "north theo"}'),
  tests.add_session('evening', 'north', '18:00', '{"therapist": "north theo"}'), tests.add_session('past', 'north', '18:00', '{"therapist": "north theo", "day": -60}'),
  tests.add_session('cancelled', 'north', '20:00', '{"therapist": "north theo", "status": "cancelled", "cancelled_by": "clinic"}'),
  tests.add_session('of rosa', 'north', '20:00', '{"client": "north aspen"}');
select tests.authenticate_as(tests.id('north scheduler login'));
select tests.keep('answer', tests.set_hours('north theo', '2026-01-01', null,
  (select jsonb_agg(jsonb_build_object('weekday', day, 'local_start', '08:00', 'local_end', '12:00')) from generate_series(1, 7) day)));
select tests.clear_authentication();
select is(
  tests.kept('answer') #> '{data,sessions_outside}',
  jsonb_build_array(
    jsonb_build_object('id', tests.id('over the end'), 'therapist_id', tests.id('north theo'), 'client_id', tests.id('north birch'), 'series_id', null,
      'start_time', to_jsonb(tests.at('11:30') at time zone 'UTC') #>> '{}' || '+00:00', 'end_time', to_jsonb(tests.at('12:30') at time zone 'UTC') #>> '{}' || '+00:00'),
    jsonb_build_object('id', tests.id('evening'), 'therapist_id', tests.id('north theo'), 'client_id', tests.id('north birch'), 'series_id', null,
      'start_time', to_jsonb(tests.at('18:00') at time zone 'UTC') #>> '{}' || '+00:00', 'end_time', to_jsonb(tests.at('19:00') at time zone 'UTC') #>> '{}' || '+00:00')),
  'scheduled sessions to come that are not wholly inside are named, by ids and times');
select is((select status from public.sessions where id = tests.id('evening')), 'scheduled', 'they stand');

-- ---------------------------------------------------------------------------------------------------------
-- Who may not, and what cannot be
-- ---------------------------------------------------------------------------------------------------------

select tests.authenticate_as(tests.id('north rosa login'));
select is(tests.set_hours('north rosa', '2027-01-01', null, '[]') #>> '{problem,code}', 'forbidden', 'a therapist does not set hours, not even their own');
select tests.authenticate_as(tests.id('south scheduler login'));
select is(tests.set_hours('north rosa', '2027-01-01', null, '[]') #>> '{problem,code}', 'not_found', 'another clinic''s therapist is not found');
select is(
  public.set_availability(jsonb_build_object('therapist_id', tests.id('nobody'), 'organization_id', tests.id('south'), 'hours', '[]'::jsonb)) #>> '{problem,code}',
  'not_found', 'nor is one who does not exist, in an organization of the caller''s');

select tests.authenticate_as(tests.id('north scheduler login'));
select is(
  (select array_agg(error ->> 'field' order by error ->> 'field') from jsonb_array_elements(public.set_availability(jsonb_build_object(
    'therapist_id', tests.id('north rosa'), 'time_zone', 'America/New_York', 'effective_from', '2027-01-01',
    'hours', '[{"weekday": 1, "local_start": "09:00", "local_end": "17:00"}]'::jsonb) || refused.changes) #> '{problem,errors}') error),
  refused.fields, refused.name)
from (values
  ('{"time_zone": "Mars/Olympus"}'::jsonb, array['time_zone'], 'an unknown zone'),
  ('{"time_zone": null}', array['time_zone'], 'no zone'),
  ('{"effective_from": null}', array['effective_from'], 'no first day'),
  ('{"effective_from": "2027-02-30"}', array['effective_from'], 'a day that the calendar does not have'),
  ('{"effective_from": "infinity"}', array['effective_from'], 'for ever'),
  ('{"effective_from": "2047-01-01"}', array['effective_from'], 'a first day twenty years ahead'),
  ('{"effective_until": "2047-01-01"}', array['effective_until'], 'a last day twenty years ahead'),
  ('{"effective_until": "2026-12-31"}', array['effective_until'], 'an end before the start'),
  ('{"hours": 7}', array['hours'], 'hours that are no list'),
  ('{"hours": [{"weekday": 1, "local_start": "09:00", "local_end": "10:00"}, {"weekday": 9, "local_start": "09:00", "local_end": "10:00"}]}', array['hours[1].weekday'], 'a weekday of 9'),
  ('{"hours": [{"weekday": 1, "local_start": "09:00", "local_end": "09:00"}]}', array['hours[0].local_end'], 'hours of zero minutes'),
  ('{"hours": [{"weekday": 1, "local_start": "24:00", "local_end": "25:00"}, 7]}', array['hours[0].local_end', 'hours[0].local_start', 'hours[1].local_end', 'hours[1].local_start', 'hours[1].weekday'], 'times that no clock shows, and no object'),
  ('{"hours": [{"weekday": 1, "local_start": "09:00", "local_end": "10:00"}, {"weekday": 2, "local_start": "09:00", "local_end": "10:00"}, {"weekday": 1, "local_start": "09:30", "local_end": "11:00"}]}', array['hours[2]'], 'hours that overlap each other')
) refused (changes, fields, name);
select tests.clear_authentication();
select is((select count(*)::integer from tests.hours_of('north rosa')), 4, 'the refused calls changed nothing');

-- Without it the hours of a whole clinic are read for each of its therapists: a search costs the more, the larger the clinic.
select has_index('public', 'therapist_availability', 'therapist_availability_organization_idx',
  array['organization_id', 'therapist_id'], 'a therapist''s hours are found by one index');

select * from finish();
rollback;
