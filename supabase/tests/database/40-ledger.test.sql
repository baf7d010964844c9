-- One ledger of claimed time: what excludes what, for every subject, whoever writes.
begin;
select plan(37);

select tests.create_clinic('north'), tests.create_clinic('south'), tests.create_clinic('west');

create function pg_temp.claim_of(label text) returns table (subject text, lane integer, kind text, during tstzrange) language sql as $$
  select subject_kind, lane, kind, during from public.calendar_claims where claim_id = tests.id(label) order by subject_kind
$$;

-- ---------------------------------------------------------------------------------------------------------
-- One claim a subject, a lane and a time
-- ---------------------------------------------------------------------------------------------------------

-- acting as the service role: the least restricted writer there is
select tests.authenticate_as_service_role();
select tests.add_session('first', 'north', '10:00', '{"room": "north room"}');
select tests.clear_authentication();
select results_eq(
  $$ select subject, lane, kind from pg_temp.claim_of('first') $$,
  $$ values ('client', 0, 'session'), ('room', 0, 'session'), ('therapist', 0, 'session') $$,
  'a session claims the time of its therapist, client and room');
select results_eq(
  $$ select distinct during from pg_temp.claim_of('first') $$,
  $$ values (tstzrange(tests.at('10:00'), tests.at('11:00'), '[)')) $$,
  'a claim has its start and not its end');

select tests.authenticate_as_service_role();
select throws_ok(
  format('select tests.add_session(%L, %L, %L, %L)', 'second', 'north', refused.clock, refused.changes), '23P01', null, refused.name)
from (values
  ('10:30', '{"client": "north aspen"}', 'a therapist is not booked twice at once'),
  ('10:59:59', '{"client": "north aspen"}', 'a therapist is not booked a second before a session ends'),
  ('09:00', '{"client": "north aspen", "length": "4 hours"}', 'a therapist is not booked around a session'),
  ('10:15', '{"client": "north aspen", "length": "1 minute"}', 'a therapist is not booked within a session'),
  ('10:30', '{"client": "north aspen", "service": "north 97155"}', 'a therapist has one lane: supervising is no way to be in two places'),
  ('10:30', '{"therapist": "north theo"}', 'a client is not booked twice at once in one lane'),
  ('10:30', '{"therapist": "north theo", "client": "north cedar", "room": "north room"}', 'a room is not booked twice at once')
) refused (clock, changes, name);

select lives_ok(
  format('select tests.add_session(%L, %L, %L, %L)', allowed.name, allowed.clinic, allowed.clock, allowed.changes), allowed.name)
from (values
  ('north', '11:00', '{"room": "north room"}', 'a session may start when another ends'),
  ('north', '09:00', '{"room": "north room"}', 'a session may end when another starts'),
  ('north', '10:00', '{"therapist": "north theo", "service": "north 97155"}',
    'a client may be supervised (97155) by another therapist beside direct treatment (97153)'),
  ('south', '10:00', '{"room": "south room"}', 'another clinic''s sessions do not stand in the way')
) allowed (clinic, clock, changes, name);
select throws_ok(
  $$ select tests.add_session('third', 'north', '10:30', '{"therapist": "north theo", "service": "north 97155"}') $$,
  '23P01', null, 'a client is not supervised twice at once');

-- ---------------------------------------------------------------------------------------------------------
-- Groups
-- ---------------------------------------------------------------------------------------------------------

select tests.add_group('group', 'north', '13:00');
select lives_ok(
  format('select tests.add_session(%L, %L, %L, %L)', client || ' member', 'north', '13:00',
    jsonb_build_object('client', client, 'service', 'north 97154', 'group', 'group', 'room', 'north room')), name)
from (values
  ('north aspen', 'a client joins a group'),
  ('north birch', 'another client joins it: the members share the therapist''s time and the room')
) allowed (client, name);
select throws_ok(
  format('select tests.add_session(%L, %L, %L, %L)', 'third', 'north', refused.clock, refused.changes), refused.sqlstate, null, refused.name)
from (values
  ('13:00', '{"client": "north cedar", "service": "north 97154"}', '23P01', 'a group session outside the group is as exclusive as any'),
  ('13:00', '{"client": "north cedar", "group": "group"}', '23503', 'a one-to-one session cannot join a group'),
  ('13:30', '{"client": "north cedar", "service": "north 97154", "group": "group"}', '23503', 'a member has the group''s time'),
  ('13:00', '{"client": "north cedar", "service": "north 97154", "group": "group", "therapist": "north theo"}', '23503', 'a member has the group''s therapist'),
  ('13:00', '{"client": "north birch", "service": "north 97154", "group": "group"}', '23505', 'a client is in a group once')
) refused (clock, changes, sqlstate, name);
select throws_ok(
  $$ select tests.add_group('another', 'north', '20:00', '{"service": "north 97153"}') $$, '23503', null, 'a one-to-one service has no groups');
select throws_ok(
  $$ insert into public.session_groups (id, organization_id, therapist_id, service_id, start_time, end_time)
    values (tests.id('first'), tests.id('north'), tests.id('north rosa'), tests.id('north 97154'), tests.at('10:00'), tests.at('11:00')) $$,
  '42501', null, 'a group cannot take the id, and so the slot, of a one-to-one session');
select throws_ok(
  $$ update public.services set is_group = false where id = tests.id('north 97154') $$,
  '23503', null, 'a service with groups stays a group service');
select throws_ok(
  $$ update public.sessions set start_time = tests.at('20:00'), end_time = tests.at('21:00') where id = tests.id('north birch member') $$,
  '23503', null, 'a member is not moved out of its group''s time');
select throws_ok(
  $$ update public.session_groups set start_time = tests.at('10:30'), end_time = tests.at('11:30') where id = tests.id('group') $$,
  '23P01', null, 'a group is not moved over another session');
select lives_ok(
  $$ update public.session_groups set start_time = tests.at('20:00'), end_time = tests.at('21:00') where id = tests.id('group') $$,
  'a group can be moved');
select tests.clear_authentication();
select results_eq(
  $$ select subject_kind, lower(during) from public.calendar_claims where slot_id = tests.id('group') order by subject_kind $$,
  $$ select kind, tests.at('20:00') from unnest(array['client', 'client', 'room', 'room', 'therapist', 'therapist']) kind $$,
  'moving a group moves the claims of its members');

-- ---------------------------------------------------------------------------------------------------------
-- Time off and buffers: rows that no table of this version makes, under the same constraint
-- ---------------------------------------------------------------------------------------------------------

-- acting as the owner
select tests.clear_authentication();
insert into public.calendar_claims (claim_id, subject_id, lane, subject_kind, organization_id, during, slot_id, kind)
select tests.id(kind), tests.id('north rosa'), 0, 'therapist', tests.id('north'), during, tests.id(kind), kind
from (values
  ('time_off', tstzrange(tests.at('15:00'), tests.at('16:00'))),
  ('buffer', tstzrange(tests.at('16:00'), tests.at('16:10')))
) claimed (kind, during);
-- acting as the service role
select tests.authenticate_as_service_role();
select throws_ok($$ select tests.add_session('fourth', 'north', '15:30') $$, '23P01', null, 'time off stands in the way of a session');
select throws_ok($$ select tests.add_session('fourth', 'north', '16:05') $$, '23P01', null, 'a buffer stands in the way of a session');
select throws_ok(
  $$ update public.sessions set start_time = tests.at('15:00'), end_time = tests.at('16:00') where id = tests.id('first') $$,
  '23P01', null, 'a session cannot be moved into time off');
select lives_ok($$ select tests.add_session('fourth', 'north', '16:10') $$, 'a session may start when a buffer ends');

-- ---------------------------------------------------------------------------------------------------------
-- What a claim must be
-- ---------------------------------------------------------------------------------------------------------

-- acting as the owner: even by hand
select tests.clear_authentication();
select throws_ok(
  format(
    $$ insert into public.calendar_claims (claim_id, subject_id, lane, subject_kind, organization_id, during, slot_id, kind)
      values (gen_random_uuid(), tests.id('north theo'), 0, 'therapist', tests.id('north'), %L, gen_random_uuid(), 'time_off') $$, during),
  '23514', null, name)
from (values
  ('empty', 'a claim is not of no time'),
  ('[2030-01-01,)', 'a claim has an end'),
  ('[2030-01-01 10:00+00,2030-01-01 11:00+00]', 'a claim does not have its end')
) refused (during, name);

select is_empty('select * from app.ledger_faults()', 'the ledger, the holds and the sessions agree');
select is(
  (select count(*)::integer from public.sessions where organization_id = tests.id('north')), 7, 'the refused sessions left nothing');

select * from finish();
rollback;
