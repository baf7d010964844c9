-- Bookings are locked by the hour: whatever two of them claim in common, they have a lock in common.
begin;
select plan(7);

select tests.create_clinic('north');

create function pg_temp.booking(client text, starts integer, lasts integer, buffer integer default 0)
returns app.booking language sql as $$
  select row(
    0, tests.id('north'), tests.id('north rosa'), tests.id(client), tests.id('north room'), 0, false, buffer, buffer,
    gen_random_uuid(), moment, moment + make_interval(mins => lasts), null)::app.booking
  from (select date_trunc('hour', tests.at('10:00')) + make_interval(mins => starts)) begins (moment)
$$;

-- The locks that bookings take, given back at once.
create function pg_temp.locks_of(variadic bookings app.booking[]) returns text[] language plpgsql as $$
declare
  found text[];
begin
  begin
    perform app.lock_bookings(bookings);
    found := array(
      select concat_ws(' ', lock.mode, lock.classid, lock.objid)
      from pg_locks lock where lock.pid = pg_backend_pid() and lock.locktype = 'advisory');
    raise exception sqlstate 'UNDO0';
  exception
    when sqlstate 'UNDO0' then
      return found;
  end;
end
$$;
create function pg_temp.exclusive_locks_of(booking app.booking) returns text[] language sql as $$
  select array(select lock from unnest(pg_temp.locks_of(booking)) lock where lock like 'ExclusiveLock %')
$$;

select is(
  cardinality(pg_temp.locks_of(pg_temp.booking('aspen', 0, 60))), 5,
  'an hour takes its client, therapist and room in common, and an hour of either');
select is(
  cardinality(pg_temp.exclusive_locks_of(pg_temp.booking('aspen', 0, 60))), 3, 'of which therapist and room are shared');
select is(cardinality(pg_temp.locks_of(pg_temp.booking('aspen', 15, 60))), 7, 'a time within two hours takes both');
select is(cardinality(pg_temp.locks_of(pg_temp.booking('aspen', 0, 60, 15))), 9, 'buffers are locked like the time itself');
select is(
  cardinality(pg_temp.locks_of(variadic array(
    select pg_temp.booking('aspen', 300 * number, 480, 10) from generate_series(1, 366) number))),
  3 + 2 * 16, 'a batch of a year takes no more locks than a day');
select is(
  pg_temp.exclusive_locks_of(pg_temp.booking('aspen', 0, 60)) && pg_temp.exclusive_locks_of(pg_temp.booking('birch', 60, 60)),
  false, 'who wants another hour takes other locks');

create temporary table tried as
select client, booking, pg_temp.exclusive_locks_of(booking) as locks
from generate_series(1, 40) number
cross join lateral (values ('aspen', 37, 53, 7), ('birch', 41, 29, 11)) by_turns (client, a, b, c)
cross join lateral pg_temp.booking(
  client, 5 * (number * a % 400), 15 + 5 * (number * b % 250), number * c % 45) booking;
select results_eq(
  $$
    select count(*) > 100, count(*) filter (where not one.locks && other.locks)
    from tried one
    join tried other on one.client = 'aspen' and other.client = 'birch'
    where exists (
      select
      from unnest(app.claims_of(one.booking, gen_random_uuid(), 'session', null)) mine
      join unnest(app.claims_of(other.booking, gen_random_uuid(), 'session', null)) theirs
        on theirs.subject_id = mine.subject_id and theirs.lane = mine.lane and theirs.during && mine.during)
  $$,
  'values (true, 0::bigint)', 'many claim a time in common, buffers included, and each two of those have a lock in common');

select * from finish();
rollback;
