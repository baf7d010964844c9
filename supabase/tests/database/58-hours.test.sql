-- Hours: what booking by public.hold_sessions makes of when a therapist works.
begin;
select plan(22);

select tests.create_clinic('north');
-- Rosa works 9 to 17 on the day of the tests; Theo round the clock.
delete from public.therapist_availability where therapist_id = tests.id('north rosa');
insert into public.therapist_availability (
  organization_id, therapist_id, weekday, local_start, local_end, effective_from, time_zone)
select tests.id('north'), tests.id('north rosa'), extract(isodow from tests.at('12:00') at time zone 'America/New_York'), span.*, '2020-01-01',
  'America/New_York'
from (values ('09:00'::time, '12:00'::time), ('12:00', '17:00')) as span (local_start, local_end);

create function pg_temp.add_exception(kind text, starts text, ends text)
returns void
language sql
as $$
  insert into public.availability_exceptions (organization_id, therapist_id, kind, start_time, end_time, time_zone)
  values (
    tests.id('north'), case when kind <> 'holiday' then tests.id('north rosa') end, kind, tests.at(starts), tests.at(ends),
    'America/New_York')
$$;

create function tests.outcome(clock text, changes jsonb default '{}')
returns text
language plpgsql
as $$
declare
  answer jsonb := public.hold_sessions(tests.hold_request('north', array[clock], changes));
begin
  if answer -> 'data' is not null then
    perform public.cancel_sessions(jsonb_build_object('hold_key', answer #> '{data,hold_key}'));
    return 'held';
  end if;
  return concat_ws(' ', answer #>> '{problem,code}', answer #>> '{problem,conflicts,0,kind}', answer #>> '{problem,errors,0,code}');
end
$$;
grant execute on function tests.outcome to authenticated;

select tests.authenticate_as(tests.id('north scheduler login'));
select results_eq(
  $$ select clock, tests.outcome(clock) from unnest(array['08:00', '08:30', '09:00', '11:30', '16:00', '16:30', '17:00']) clock $$,
  $$ values
    ('08:00', 'therapist_unavailable unavailable'), ('08:30', 'therapist_unavailable unavailable'), ('09:00', 'held'),
    ('11:30', 'held'), ('16:00', 'held'), ('16:30', 'therapist_unavailable unavailable'),
    ('17:00', 'therapist_unavailable unavailable') $$,
  'a session lies within hours whole; hours that meet are one');
select is(tests.outcome('08:00', jsonb_build_object('therapist_id', tests.id('north theo'))), 'held', 'hours are each therapist''s own');
select is(
  public.hold_sessions(tests.hold_request('north', array['08:00'])) #> '{problem,alternatives,0,start_time}',
  to_jsonb(tests.at('09:00')), 'the nearest alternative is within hours');
select is(
  public.hold_sessions(tests.hold_request('north', array['08:00'])) #> '{problem,retry_after}', null,
  'hours do not come free by waiting');

-- ---------------------------------------------------------------------------------------------------------
-- Exceptions
-- ---------------------------------------------------------------------------------------------------------

select tests.clear_authentication();
select pg_temp.add_exception('extra_hours', '17:00', '19:00');
select tests.authenticate_as(tests.id('north scheduler login'));
select is(tests.outcome('16:30'), 'held', 'extra hours add to the hours');
select is(tests.outcome('18:30'), 'therapist_unavailable unavailable', 'and end when they end');

select tests.clear_authentication();
select pg_temp.add_exception('holiday', '10:00', '18:00');
select tests.authenticate_as(tests.id('north scheduler login'));
select is(tests.outcome('10:00'), 'therapist_unavailable unavailable', 'on a holiday nobody works');
select is(
  tests.outcome('10:00', jsonb_build_object('therapist_id', tests.id('north theo'))), 'therapist_unavailable unavailable',
  'nor does a colleague');
select is(tests.outcome('09:00'), 'held', 'a holiday can be a part of a day');
select is(tests.outcome('17:30'), 'held', 'extra hours count on a holiday');

select tests.clear_authentication();
select pg_temp.add_exception('time_off', '17:00', '18:00');
select tests.authenticate_as(tests.id('north scheduler login'));
select is(tests.outcome('17:30'), 'therapist_unavailable time_off', 'time off is taken, extra hours or not');

-- acting as a user who may not override
select is(tests.outcome('08:00', '{"override_availability": true}'), 'forbidden', 'a scheduler does not override hours');
select tests.authenticate_as(tests.id('north rosa login'));
select is(tests.outcome('08:00', '{"override_availability": true}'), 'forbidden', 'nor does the therapist');
-- acting as an admin
select tests.authenticate_as(tests.id('north admin login'));
select is(tests.outcome('08:00', '{"override_availability": true}'), 'held', 'an admin may, when they say so');
select is(tests.outcome('08:00'), 'therapist_unavailable unavailable', 'and not without saying so');
select is(
  tests.outcome('17:30', '{"override_availability": true}'), 'therapist_unavailable time_off', 'time off is not overridden');
select tests.clear_authentication();
select results_eq(
  $$ select actor_id, action, decision from audit.events where action = 'availability.overridden' and organization_id = tests.id('north') $$,
  $$ values (tests.id('north admin login'), 'availability.overridden', 'allow') $$,
  'what was overridden, and by whom, is on record');

-- ---------------------------------------------------------------------------------------------------------
-- Credentials
-- ---------------------------------------------------------------------------------------------------------

update public.services set credentials = '{BCBA}' where id = tests.id('north 97155');
select tests.authenticate_as(tests.id('north scheduler login'));
select is(
  tests.outcome('09:00', '{"service_code": "97155"}'), 'validation_failed not_qualified', 'a service can ask for a credential');
select tests.clear_authentication();
update public.therapists set credential = 'BCBA' where id = tests.id('north rosa');
select tests.authenticate_as(tests.id('north scheduler login'));
select is(tests.outcome('09:00', '{"service_code": "97155"}'), 'held', 'whoever has it may deliver the service');
select tests.clear_authentication();
select throws_ok(
  $$ update public.services set credentials = '{PhD}' where id = tests.id('north 97155') $$, '23514', null, 'credentials are known ones');
select is_empty('select * from app.ledger_faults()', 'the ledger, the holds and the exceptions agree');

-- ---------------------------------------------------------------------------------------------------------
-- Changes of the clock
-- ---------------------------------------------------------------------------------------------------------

select is(
  app.expand_hours(
    array[row(6, '22:00', '23:30', '2020-01-01', null, 'America/Nuuk')::app.weekly_hours],
    '{[2027-03-28 00:00:00-01, 2027-03-28 01:00:00-01)}'),
  '{[2027-03-28 00:00:00-01, 2027-03-28 00:30:00-01)}'::tstzmultirange,
  'hours that the clock jumps over into the next day are found on that day, as they are in a longer range');

select * from finish();
rollback;
