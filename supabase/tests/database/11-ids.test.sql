-- Ids that follow time: what bookings write lies side by side in an index.
begin;
select plan(4);

create temporary table made as
select number, clock_timestamp() as before, app.new_id() as id, clock_timestamp() as after from generate_series(1, 500) number;

select ok(
  (select bool_and(id::text ~ '^[0-9a-f]{8}-[0-9a-f]{4}-7[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}$') from made),
  'a new id is a UUID of version 7');
select is((select count(distinct id) from made), 500::bigint, 'no two are equal');
select is((select count(distinct right(id::text, 12)) from made), 500::bigint, 'what follows the time is random');
select ok(
  (select bool_and(since between floor(extract(epoch from before) * 1000) and floor(extract(epoch from after) * 1000))
    from made
    cross join lateral (select ('x' || lpad(left(replace(id::text, '-', ''), 12), 16, '0'))::bit(64)::bigint as since) time),
  'it begins with the milliseconds since 1970');

select * from finish();
rollback;
