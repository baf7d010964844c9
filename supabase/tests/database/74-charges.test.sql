-- Charges: that every session has its planned one, and every completed session its actual one, by the rules of its own day.
begin;
select plan(60);

create function pg_temp.book(label text, clinic text, starts timestamptz, ends timestamptz, changes jsonb default '{}')
returns uuid
language sql
as $$
  insert into public.sessions (
    organization_id, therapist_id, client_id, service_id, start_time, end_time, time_zone, place_of_service)
  values (
    tests.id(clinic), tests.id(coalesce(changes ->> 'therapist', clinic || ' rosa')),
    tests.id(coalesce(changes ->> 'client', clinic || ' birch')),
    tests.id(coalesce(changes ->> 'service', clinic || ' 97153')), starts, ends, 'America/New_York', changes ->> 'place')
  returning tests.name_row(label, id)
$$;
create function pg_temp.rule(payer text, clinic text, starts date, ends date, changes jsonb default '{}')
returns void
language sql
as $$
  insert into public.payer_rules (
    organization_id, payer_id, cpt_code, starts_on, ends_on, rounding, pools_minutes, daily_unit_cap, telehealth_modifier,
    allows_concurrent_supervision)
  values (
    tests.id(clinic), tests.id(payer), changes ->> 'code', starts, ends, coalesce(changes ->> 'rounding', 'midpoint'),
    coalesce((changes ->> 'pools')::boolean, false), (changes ->> 'cap')::smallint, coalesce(changes ->> 'telehealth', '95'),
    coalesce((changes ->> 'concurrent')::boolean, true))
$$;
create function pg_temp.cover(clinic text, client text, payer text, programme text default 'commercial')
returns void
language sql
as $$
  insert into public.payers (id, organization_id, name, programme) values (tests.id(payer), tests.id(clinic), payer, programme);
  insert into public.client_coverages (organization_id, client_id, payer_id, starts_on)
  values (tests.id(clinic), tests.id(clinic || ' ' || client), tests.id(payer), '2020-01-01')
$$;
create function pg_temp.complete(session text, starts timestamptz, ends timestamptz)
returns void
language sql
as $$
  update public.sessions set status = 'completed', actual_start_time = starts, actual_end_time = ends where id = tests.id(session)
$$;
create function pg_temp.units(session text, kind text default 'planned')
returns integer
language sql
as $$
  select charge.units from public.session_charges charge where charge.session_id = tests.id(session) and charge.kind = $2
$$;
create function pg_temp.charge(session text, kind text default 'planned')
returns public.session_charges
language sql
as $$
  select charge from public.session_charges charge where charge.session_id = tests.id(session) and charge.kind = $2
$$;

-- ---------------------------------------------------------------------------------------------------------
-- Units
-- ---------------------------------------------------------------------------------------------------------

-- By counting the minutes at which a unit begins: 8, 23, 38, ... (CPT, and Medicare for one code), or 15, 30, 45, ...
select results_eq(
  format($$ select minutes, app.units(minutes, %L) from generate_series(0, 600) minutes $$, rule.rounding),
  format($$
    select minutes, (select count(*)::integer from generate_series(%s, 600, 15) begins where begins <= minutes)
    from generate_series(0, 600) minutes $$, rule.first_unit),
  'at every minute from 0 to 600, units are those that have begun: ' || rule.rounding)
from (values ('midpoint', 8), ('eight_minute', 8), ('floor', 15)) rule (rounding, first_unit);
select is(app.units(22), 1, 'rounding is by the midpoint where nothing else is said');

-- ---------------------------------------------------------------------------------------------------------
-- From booking to completion
-- ---------------------------------------------------------------------------------------------------------

select tests.create_clinic('north');
select pg_temp.book('plain', 'north', '2027-03-01 14:00Z', '2027-03-01 15:08Z', '{"place": "12"}');
select results_eq(
  $$ select (charge).kind, (charge).cpt_code, (charge).modifiers, (charge).minutes, (charge).units, (charge).rounded_minutes,
      (charge).credential, (charge).place_of_service, (charge).payer_id, (charge).service_date, (charge).warnings
    from pg_temp.charge('plain') charge $$,
  $$ values ('planned', '97153', '{HM}'::text[], 68, 5, 75, 'RBT', '12', null::uuid, '2027-03-01'::date, '{}'::text[]) $$,
  'a session has its planned charge when it is booked; without a payer by the midpoint rule and the credential''s modifier');
select is((pg_temp.charge('plain', 'actual')).id, null, 'and no actual one');
update public.sessions set end_time = '2027-03-01 15:07Z' where id = tests.id('plain');
select is(pg_temp.units('plain'), 4, 'one that is moved is derived anew');
update public.sessions set place_of_service = '02' where id = tests.id('plain');
select is((pg_temp.charge('plain')).modifiers, '{HM,95}', 'by video it carries the telehealth modifier');
update public.therapists set credential = 'BCBA' where id = tests.id('north theo');
update public.sessions set therapist_id = tests.id('north theo') where id = tests.id('plain');
select is((pg_temp.charge('plain')).modifiers, '{HO,95}', 'with another therapist it has their credential''s modifier');
update public.sessions set service_id = tests.id('north 97154') where id = tests.id('plain');
select is((pg_temp.charge('plain')).cpt_code, '97154', 'and with another service its code');
select pg_temp.complete('plain', '2027-03-01 14:05Z', '2027-03-01 14:40Z');
select is(array[pg_temp.units('plain'), pg_temp.units('plain', 'actual')], array[4, 2], 'completed, it has both: what was planned and what took place');
update public.sessions set actual_end_time = '2027-03-01 14:45Z' where id = tests.id('plain');
select is(pg_temp.units('plain', 'actual'), 3, 'actual times that are put right are charged anew');
select throws_ok(
  $$ update public.sessions set actual_end_time = actual_start_time where id = tests.id('plain') $$, '23514',
  'new row for relation "sessions" violates check constraint "sessions_actual_time_order"', 'an actual end is after the start');
select pg_temp.book('cancelled', 'north', '2027-03-01 18:00Z', '2027-03-01 19:00Z');
update public.sessions set status = 'cancelled', cancelled_by = 'clinic' where id = tests.id('cancelled');
select is(array[pg_temp.units('cancelled'), pg_temp.units('cancelled', 'actual')], array[4, null], 'a cancelled session keeps its plan and has no actual charge');

-- acting as Rosa, through the RPCs
select tests.authenticate_as(tests.id('north rosa login'));
select tests.keep('held', public.hold_sessions(tests.hold_request('north', array['08:00'])) -> 'data');
select tests.keep('booked', public.confirm_sessions(jsonb_build_object('hold_key', tests.kept('held') -> 'hold_key')) #> '{data,session}');
select is(
  array[tests.kept('booked') -> 'cpt_code', tests.kept('booked') -> 'modifiers', tests.kept('booked') -> 'units'],
  array['"97153"'::jsonb, '["HM"]'::jsonb, to_jsonb((select units from public.session_charges where session_id = (tests.kept('booked') ->> 'id')::uuid))],
  'a confirmation answers the planned charge');
select throws_ok(
  $$ update public.session_charges set units = 1 $$, '42501', null, 'nobody writes a charge');
select throws_ok(
  $$ select override_reason from public.session_charges $$, '42501', null, 'why a limit was exceeded is not read with the charges');
select tests.clear_authentication();

-- ---------------------------------------------------------------------------------------------------------
-- Whose day it is
-- ---------------------------------------------------------------------------------------------------------

-- A rule that counts full units only begins on a day of the clinic's zone, at its midnight.
select tests.create_clinic(zone.clinic), pg_temp.cover(zone.clinic, 'birch', zone.clinic || ' payer')
from (values ('angeles'), ('sydney')) zone (clinic);
update public.organizations set time_zone = 'America/Los_Angeles' where id = tests.id('angeles');
update public.organizations set time_zone = 'Australia/Sydney' where id = tests.id('sydney');
create temp table midnights (clinic text, day date, midnight timestamptz);
insert into midnights values
  -- An ordinary day, the days on which the clocks change, and those after them.
  ('angeles', '2027-01-05', '2027-01-05 08:00Z'), ('angeles', '2027-03-14', '2027-03-14 08:00Z'), ('angeles', '2027-03-15', '2027-03-15 07:00Z'),
  ('angeles', '2026-11-01', '2026-11-01 07:00Z'), ('angeles', '2026-11-02', '2026-11-02 08:00Z'),
  ('sydney', '2027-01-05', '2027-01-04 13:00Z'), ('sydney', '2027-04-04', '2027-04-03 13:00Z'), ('sydney', '2027-04-05', '2027-04-04 14:00Z'),
  ('sydney', '2026-10-04', '2026-10-03 14:00Z'), ('sydney', '2026-10-05', '2026-10-04 13:00Z');
-- Each is tried under a rule that ends the day before and one that begins.
create function pg_temp.units_round_midnight(at midnights)
returns integer[]
language plpgsql
as $$
declare
  units integer[];
begin
  delete from public.session_charges where organization_id = tests.id(at.clinic);
  delete from public.calendar_claims where organization_id = tests.id(at.clinic);
  delete from public.sessions where organization_id = tests.id(at.clinic);
  delete from public.payer_rules where organization_id = tests.id(at.clinic);
  perform pg_temp.rule(at.clinic || ' payer', at.clinic, '2020-01-01', at.day - 1);
  perform pg_temp.rule(at.clinic || ' payer', at.clinic, at.day, null, '{"rounding": "floor"}');
  insert into public.sessions (organization_id, therapist_id, client_id, service_id, start_time, end_time, time_zone)
  select tests.id(at.clinic), tests.id(at.clinic || ' rosa'), tests.id(at.clinic || ' birch'), tests.id(at.clinic || ' 97153'), starts, ends, 'UTC'
  from (values
    (at.midnight - interval '1 minute', at.midnight + interval '22 minutes'),
    (at.midnight + interval '22 minutes', at.midnight + interval '45 minutes')) it (starts, ends);
  select array_agg(charge.units order by session.start_time)
    || array_agg(app.planned_units(session.organization_id, session.client_id, session.service_id, session.therapist_id, session.start_time, session.end_time) order by session.start_time)
    || array_agg(charge.service_date - at.day order by session.start_time)
  into units
  from public.session_charges charge
  join public.sessions session on session.id = charge.session_id
  where session.organization_id = tests.id(at.clinic);
  return units;
end
$$;
select is(
  pg_temp.units_round_midnight(at), array[2, 1, 2, 1, -1, 0],
  format('a session of 23 minutes is priced by the rule of the day it starts on in its clinic''s zone: %s, %s', at.clinic, at.day))
from midnights at;

select pg_temp.book('spring', 'north', '2027-03-14 01:00 America/New_York', '2027-03-14 04:00 America/New_York');
select pg_temp.book('autumn', 'north', '2026-11-01 00:30 America/New_York', '2026-11-01 03:30 America/New_York');
select is(array[(pg_temp.charge('spring')).minutes, (pg_temp.charge('autumn')).minutes], array[120, 240], 'minutes are elapsed ones where the clock changes');
select pg_temp.book('night', 'north', '2027-03-02 23:00 America/New_York', '2027-03-03 02:00 America/New_York');
select is(array[(pg_temp.charge('night')).units::text, (pg_temp.charge('night')).service_date::text], array['12', '2027-03-02'], 'a session over midnight belongs to the day it starts on, whole');

-- ---------------------------------------------------------------------------------------------------------
-- Rules
-- ---------------------------------------------------------------------------------------------------------

select pg_temp.cover('north', 'birch', 'pooling'), pg_temp.rule('pooling', 'north', '2020-01-01', null, '{"pools": true}');
select pg_temp.book('first', 'north', '2027-05-03 14:00Z', '2027-05-03 14:07Z'), pg_temp.book('second', 'north', '2027-05-03 15:00Z', '2027-05-03 15:07Z');
select is(array[pg_temp.units('first'), pg_temp.units('second')], array[0, 1], 'minutes that a payer pools are added before they are rounded');
select pg_temp.book('earlier', 'north', '2027-05-03 13:00Z', '2027-05-03 13:07Z');
select is(array[pg_temp.units('earlier'), pg_temp.units('first'), pg_temp.units('second')], array[0, 1, 0], 'the day''s other sessions are derived anew with a new one');
update public.sessions set status = 'cancelled', cancelled_by = 'client' where id = tests.id('first');
select is(array[pg_temp.units('earlier'), pg_temp.units('second')], array[0, 1], 'and without one that is cancelled');
update public.sessions set start_time = start_time + interval '1 day', end_time = end_time + interval '1 day' where id = tests.id('earlier');
select is(array[pg_temp.units('earlier'), pg_temp.units('second')], array[0, 0], 'a session that moves away leaves its old day and joins the new one');
select pg_temp.complete('earlier', '2027-05-04 13:00Z', '2027-05-04 13:07Z'), pg_temp.complete('second', '2027-05-04 15:00Z', '2027-05-04 15:07Z');
select is(array[pg_temp.units('earlier', 'actual'), pg_temp.units('second', 'actual')], array[0, 1], 'actual minutes are pooled by the day they took place on');

select pg_temp.rule('pooling', 'north', '2020-01-01', null, '{"code": "97155", "cap": 3, "rounding": "floor"}');
select pg_temp.book('capped', 'north', '2027-05-10 14:00Z', '2027-05-10 16:00Z', '{"service": "north 97155", "therapist": "north theo"}');
select is(array[(pg_temp.charge('capped')).units::text, (pg_temp.charge('capped')).warnings::text], array['3', '{unit_cap}'], 'the rule of a code goes before that of every code');
select is(app.planned_units(
  tests.id('north'), tests.id('north birch'), tests.id('north 97155'), tests.id('north theo'), '2027-05-10 14:00Z', '2027-05-10 14:44Z'), 2,
  'what a booking would take is known before it is made');
select throws_ok(
  $$ select pg_temp.rule('pooling', 'north', '2026-01-01', '2026-01-01') $$, '23P01',
  'conflicting key value violates exclusion constraint "payer_rules_one_a_day"', 'a payer has one rule a day');
select throws_ok(
  $$ select pg_temp.rule('pooling', 'north', '2026-01-01', null, '{"code": "97156", "concurrent": false}') $$, '23514',
  'new row for relation "payer_rules" violates check constraint "payer_rules_of_every_code"', 'concurrency is barred for every code or not at all');

select pg_temp.cover('north', 'aspen', 'strict', 'medicaid'), pg_temp.rule('strict', 'north', '2020-01-01', null, '{"concurrent": false, "telehealth": "GT"}');
insert into public.sessions (organization_id, therapist_id, client_id, service_id, start_time, end_time, time_zone, takes_every_lane)
select tests.id('north'), tests.id('north ' || who), tests.id('north aspen'), tests.id('north ' || code), starts, ends, 'UTC', false
from (values ('rosa', '97153', '2027-05-10 18:00Z'::timestamptz, '2027-05-10 20:00Z'::timestamptz), ('theo', '97155', '2027-05-10 19:30Z', '2027-05-10 21:00Z'))
  booked (who, code, starts, ends);
select results_eq(
  $$ select charge.cpt_code, charge.minutes, charge.warnings from public.session_charges charge
    join public.sessions session on session.id = charge.session_id
    where session.client_id = tests.id('north aspen') order by charge.cpt_code $$,
  $$ values ('97153', 120, '{}'::text[]), ('97155', 60, '{concurrent_not_allowed}') $$,
  'where a payer bars both at once, the minutes they share count for the direct treatment');
select pg_temp.book('unqualified', 'north', '2027-05-11 18:00Z', '2027-05-11 19:00Z', '{"service": "north 97155", "client": "north aspen"}');
select is((pg_temp.charge('unqualified')).warnings, '{code_not_for_credential}', 'a code that asks for more than the credential is warned of');

insert into public.payer_modifiers (organization_id, payer_id, cpt_code, credential, place_of_service, modifiers, starts_on, ends_on) values
  (tests.id('north'), tests.id('strict'), null, null, null, '{U1}', '2027-06-01', null),
  (tests.id('north'), tests.id('strict'), null, 'RBT', null, '{U2}', '2027-06-02', null),
  (tests.id('north'), tests.id('strict'), null, null, '12', '{U3}', '2027-06-03', '2027-06-04'),
  (tests.id('north'), tests.id('strict'), '97153', null, null, '{U4}', '2027-06-04', null),
  (tests.id('north'), tests.id('strict'), null, 'RBT', '12', '{U5,U6}', '2027-06-06', null),
  (tests.id('north'), tests.id('strict'), '97153', 'RBT', '10', '{}', '2027-06-06', null);
select pg_temp.book('on ' || day.day, 'north', (day.day || ' 14:00Z')::timestamptz, (day.day || ' 15:00Z')::timestamptz, jsonb_build_object('client', 'north aspen', 'place', day.place))
from (values ('2027-05-31', '12'), ('2027-06-01', '12'), ('2027-06-02', '12'), ('2027-06-03', '12'), ('2027-06-04', '12'), ('2027-06-06', '12'), ('2027-06-07', '10')) day (day, place);
select results_eq(
  $$ select charge.modifiers from public.session_charges charge
    where charge.organization_id = tests.id('north') and charge.service_date between '2027-05-31' and '2027-06-07' order by charge.service_date $$,
  $$ values ('{HM}'::text[]), ('{U1}'), ('{U2}'), ('{U2}'), ('{U4}'), ('{U5,U6}'), ('{GT}') $$,
  'of the modifiers that a payer asks for on the day those that name most are taken, then by code, then by credential');

-- ---------------------------------------------------------------------------------------------------------
-- Limits and their override
-- ---------------------------------------------------------------------------------------------------------

select pg_temp.book('long', 'north', '2027-07-05 12:00Z', '2027-07-05 20:07Z', '{"client": "north aspen"}');
select is((pg_temp.charge('long')).warnings, '{}', 'the limit itself is no excess: 32 units of 97153');
update public.sessions set end_time = '2027-07-05 20:08Z' where id = tests.id('long');
select is(
  (select array[array_to_string(charge.warnings, ','), charge.mue_limit::text, charge.mue_units::text] from pg_temp.charge('long') charge),
  array['mue_exceeded', '32', '33'], 'one unit more is warned of, with the limit and the units');
insert into public.services (id, organization_id, service_code, name, cpt_code) values (tests.id('assessing'), tests.id('north'), 'A', 'Assessment', '97151');
select pg_temp.book(client || ' assessed', 'north', ('2027-07-0' || day || ' 12:00Z')::timestamptz, ('2027-07-0' || day || ' 15:00Z')::timestamptz,
  jsonb_build_object('service', 'assessing', 'client', 'north ' || client))
from (values ('aspen', 6), ('birch', 7)) it (client, day);
select is(
  array[(pg_temp.charge('aspen assessed')).mue_limit, (pg_temp.charge('birch assessed')).mue_limit], array[null, 8], 'a limit is that of the payer''s programme');
select pg_temp.book('before limits', 'north', '2020-07-06 02:00Z', '2020-07-06 20:00Z', '{"client": "north aspen"}');
select is((pg_temp.charge('before limits')).mue_limit, null, 'a day before the limits has none');

select tests.authenticate_as(tests.id('north rosa login'));
select tests.keep('by_rosa', public.override_mue(jsonb_build_object('session_id', tests.id('long'), 'reason', 'A crisis')));
select tests.authenticate_as(tests.id('north theo login'));
select is(
  array[tests.kept('by_rosa') #>> '{problem,code}', public.override_mue(jsonb_build_object('session_id', tests.id('long'), 'reason', 'A crisis')) #>> '{problem,code}'],
  array['forbidden', 'not_found'], 'that there is a session is for those to know who see it');
select tests.authenticate_as(tests.id('north admin login'));
select is(
  public.override_mue(jsonb_build_object('session_id', tests.id('on 2027-06-01'), 'reason', 'Because')) #>> '{problem,errors,0,code}', 'not_exceeded',
  'there is nothing to override where no limit is exceeded');
select is(
  public.override_mue(jsonb_build_object('session_id', tests.id('long'), 'reason', '  ')) #>> '{problem,errors,0,field}', 'reason', 'a reason is asked for');
select is(
  public.override_mue(jsonb_build_object('session_id', tests.id('long'), 'reason', 'A crisis')) -> 'data',
  jsonb_build_object('session_id', tests.id('long'), 'kind', 'planned', 'cpt_code', '97153', 'mue_limit', 32, 'mue_units', 33), 'an admin may exceed a limit, and says why');
select tests.clear_authentication();
select results_eq(
  $$ select (charge).override_reason, (charge).overridden_by from pg_temp.charge('long') charge $$, $$ values ('A crisis', tests.id('north admin login')) $$,
  'who said so, and why, stays with the charge');
select results_eq(
  $$ select event.details from audit.events event where event.organization_id = tests.id('north') and event.action = 'charge.mue_overridden' $$,
  $$ values ('{"kind": "planned", "cpt_code": "97153", "limit": 32, "units": 33}'::jsonb) $$, 'and on record, without the reason');
update public.sessions set place_of_service = '12' where id = tests.id('long');
select isnt((pg_temp.charge('long')).overridden_at, null, 'another change leaves the override');
update public.sessions set end_time = '2027-07-05 20:30Z' where id = tests.id('long');
select is((pg_temp.charge('long')).overridden_at, null, 'other units must be justified anew');

-- ---------------------------------------------------------------------------------------------------------
-- Pricing again
-- ---------------------------------------------------------------------------------------------------------

select pg_temp.book(label, 'north', starts::timestamptz, starts::timestamptz + interval '1 hour')
from (values ('before', '2027-05-03 14:00Z'), ('after', '2027-08-02 14:00Z')) it (label, starts);
select tests.authenticate_as(tests.id('north admin login'));
update public.therapists set credential = 'BCBA' where id = tests.id('north rosa');
select tests.clear_authentication();
-- As if that were done in summer, and what was delivered before it recorded after it.
update app.former_credentials set until = '2027-07-01Z' where therapist_id = tests.id('north rosa');
select pg_temp.complete('before', '2027-05-03 14:00Z', '2027-05-03 15:00Z'), pg_temp.complete('after', '2027-08-02 14:00Z', '2027-08-02 15:00Z');
select is(
  array[(pg_temp.charge('before', 'actual')).modifiers::text, (pg_temp.charge('after', 'actual')).modifiers::text], array['{HM}', '{HO}'],
  'what was delivered is charged by the credential of its own time, whenever it was booked and is recorded');
update public.sessions set status = 'no_show', actual_start_time = null, actual_end_time = null, corrected_at = '2027-07-02Z'
where id = tests.id('before');
update public.sessions set corrected_at = '2027-07-03Z', status = 'completed',
  actual_start_time = '2027-05-03 14:00Z', actual_end_time = '2027-05-03 15:00Z' where id = tests.id('before');
select is((pg_temp.charge('before', 'actual')).credential, 'RBT', 'and so it is when it was corrected, and corrected back');
update public.payer_modifiers set modifiers = '{U9}' where payer_id = tests.id('strict') and modifiers = '{U2}';
update public.payer_modifiers set ends_on = '2027-06-03' where payer_id = tests.id('strict') and modifiers = '{U1}';
select app.reprice(tests.id('on ' || day)) from unnest(array['2027-06-01', '2027-06-02']) day;
select is(
  array[(pg_temp.charge('on 2027-06-01')).modifiers::text, (pg_temp.charge('on 2027-06-02')).modifiers::text], array['{U1}', '{U9}'],
  'an old session is priced again by the rules of its own day, as they are written now');
select is(
  array[(pg_temp.charge('on 2027-06-02')).credential, (pg_temp.charge('on 2027-06-03')).credential], array['RBT', 'RBT'], 'and by the credential of that day');
select throws_ok(
  $$ insert into public.services (organization_id, service_code, name, cpt_code, credentials) values (tests.id('north'), 'X', 'X', '97153', '{RBT,QQ}') $$,
  '23514', null, 'a service asks for credentials that there are');

select tests.authenticate_as(tests.id('north admin login'));
select throws_ok(
  format($$ update public.services set cpt_code = '97155' where id = %L $$, tests.id('north 97153')), '23514', null,
  'what was booked as one code is not charged as another, because somebody changes its service');
select lives_ok(
  $$ insert into public.services (organization_id, service_code, name, cpt_code) values (tests.id('north'), 'Y', 'Y', '97153');
    update public.services set cpt_code = '97155' where service_code = 'Y' $$, 'nothing is in the way of it before');
select tests.clear_authentication();

select * from finish();
rollback;
