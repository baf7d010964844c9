-- The invariant query finds each kind of fault: planted by hand, in a ledger that was sound before.
begin;
select plan(12);

select tests.create_clinic('north'), tests.create_clinic('south'), tests.create_clinic('west');
select tests.add_session('session', 'north', '10:00'), tests.add_hold('hold', 'north', '12:00');
insert into public.availability_exceptions (id, organization_id, therapist_id, kind, start_time, end_time, time_zone)
values (tests.id('time off'), tests.id('north'), tests.id('north rosa'), 'time_off', tests.at('16:00'), tests.at('17:00'), 'America/New_York');
select tests.add_group('group', 'north', '18:00');
select is_empty('select * from app.ledger_faults()', 'a sound ledger has no faults');

-- Each plant is undone before the next: the faults that a statement makes, and nothing else.
create function pg_temp.faults_after(plant text) returns setof text language plpgsql as $$
declare
  found text[];
begin
  begin
    execute plant;
    found := array(select distinct fault || ': ' || coalesce(
      (select label from unnest(array['session', 'hold', 'time off', 'group', 'planted']) label where tests.id(label) = claim_id), '?') from app.ledger_faults() order by 1);
    raise exception sqlstate 'UNDO0';
  exception
    when sqlstate 'UNDO0' then
      return query select unnest(found);
  end;
end
$$;
create function pg_temp.plant_claim(label text, clock text, kind text) returns void language sql as $$
  insert into public.calendar_claims (claim_id, subject_id, lane, subject_kind, organization_id, during, slot_id, kind)
  values (tests.id(label), tests.id('north rosa'), 0, 'therapist', tests.id('north'),
    tstzrange(tests.at(clock), tests.at(clock) + interval '1 hour'), tests.id(label), kind)
$$;

-- acting as the owner, who alone can do such things
select set_eq(
  format('select pg_temp.faults_after(%L)', planted.statement), planted.faults, planted.name)
from (values
  ($$ delete from public.calendar_claims where claim_id = tests.id('session') and subject_kind = 'client' $$,
    array['missing from the ledger: session'], 'a session''s claim that is missing is found'),
  ($$ delete from public.calendar_claims where claim_id = tests.id('hold') $$,
    array['missing from the ledger: hold'], 'a hold''s claims that are missing are found'),
  ($$ select pg_temp.plant_claim('planted', '14:00', 'session') $$,
    array['nobody''s claim: planted'], 'a claim that is nobody''s is found'),
  ($$ update public.calendar_claims set during = tstzrange(tests.at('10:00'), tests.at('10:30')) where claim_id = tests.id('session') $$,
    array['missing from the ledger: session', 'nobody''s claim: session'], 'a claim at another time than its session''s is found'),
  ($$ update public.calendar_claims set expires_at = expires_at + interval '1 second' where claim_id = tests.id('hold') $$,
    array['missing from the ledger: hold', 'nobody''s claim: hold'], 'a claim that outlives its hold is found'),
  ($$ update public.session_holds set status = 'confirmed' where id = tests.id('hold') $$,
    array['confirmed without a session: hold'], 'a hold that was confirmed into nothing is found'),
  ($$ alter table public.calendar_claims drop constraint calendar_claims_no_overlap;
    select pg_temp.plant_claim('planted', '10:30', 'time_off') $$,
    array['double booked: session', 'double booked: planted', 'nobody''s claim: planted'], 'two claims on one time are found'),
  ($$ delete from public.calendar_claims where claim_id = tests.id('time off') $$,
    array['missing from the ledger: time off'], 'time off''s claim that is missing is found'),
  ($$ select pg_temp.plant_claim('planted', '14:00', 'time_off') $$,
    array['nobody''s claim: planted'], 'a claim of time off that nobody entered is found'),
  ($$ update public.session_groups set members = 1 where id = tests.id('group') $$,
    array['members miscounted: group'], 'a group whose members are miscounted is found')
) planted (statement, faults, name);

select is_empty('select * from app.ledger_faults()', 'every plant was undone');

select * from finish();
rollback;
