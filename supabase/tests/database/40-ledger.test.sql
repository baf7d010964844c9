-- One ledger of claimed time: what excludes what, for every subject, whoever writes.
begin;
select plan(55);

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
update public.session_groups set capacity = 2 where id = tests.id('group');
select throws_ok(
  $$ select tests.add_session('third', 'north', '13:00', '{"client": "north cedar", "service": "north 97154", "group": "group"}') $$,
  '23514', null, 'a group takes no more than its capacity');
select throws_ok(
  $$ update public.session_groups set capacity = 1 where id = tests.id('group') $$, '23514', null, 'nor is its capacity set below its members');
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
-- Teams
-- ---------------------------------------------------------------------------------------------------------

select tests.clear_authentication();
insert into public.services (id, organization_id, service_code, name, cpt_code, is_team)
values (tests.id('north 0373T'), tests.id('north'), '0373T', '0373T', '0373T', true);
-- acting as the service role
select tests.authenticate_as_service_role();
insert into public.session_teams (organization_id, client_id, service_id, start_time, end_time)
select tests.id('north'), tests.id('north birch'), tests.id('north 0373T'), tests.at('07:00'), tests.at('08:00')
returning tests.name_row('team', id);
create function pg_temp.add_technician(technician text, client text default 'north birch', clock text default '07:00') returns uuid
language sql as $$
  insert into public.sessions (organization_id, therapist_id, client_id, service_id, team_id, start_time, end_time, time_zone)
  values (tests.id('north'), tests.id(technician), tests.id(client), tests.id('north 0373T'), tests.id('team'),
    tests.at(clock), tests.at(clock) + interval '1 hour', 'America/New_York')
  returning tests.name_row(technician || ' technician', id)
$$;
select lives_ok($$ select pg_temp.add_technician('north rosa') $$, 'a technician joins a team');
select throws_ok(format('select pg_temp.add_technician(%s)', refused.arguments), refused.sqlstate, null, refused.name)
from (values
  ($$ 'north rosa' $$, '23505', 'a technician is in a team once'),
  ($$ 'north theo', 'north cedar' $$, '23503', 'a member has the team''s client'),
  ($$ 'north theo', 'north birch', '07:30' $$, '23503', 'a member has the team''s time')
) refused (arguments, sqlstate, name);
select lives_ok($$ select pg_temp.add_technician('north theo') $$, 'another technician joins it: they share the client''s time');
select throws_ok(
  $$ select tests.add_session('third', 'north', '07:30', '{"therapist": "north theo"}') $$, '23P01', null, 'a team takes the time of its client and technicians');
select lives_ok(
  $$ update public.session_teams set start_time = tests.at('06:00'), end_time = tests.at('07:00') where id = tests.id('team') $$,
  'a team can be moved');
select tests.clear_authentication();
select results_eq(
  $$ select subject_kind, lower(during) from public.calendar_claims where slot_id = tests.id('team') order by subject_kind $$,
  $$ select kind, tests.at('06:00') from unnest(array['client', 'client', 'therapist', 'therapist']) kind $$,
  'moving a team moves the claims of its members');

-- ---------------------------------------------------------------------------------------------------------
-- Time off and buffers, under the same constraint
-- ---------------------------------------------------------------------------------------------------------

-- acting as the owner
insert into public.availability_exceptions (id, organization_id, therapist_id, kind, start_time, end_time, time_zone)
select tests.id(kind), tests.id('north'), case kind when 'holiday' then null else tests.id('north rosa') end, kind,
  tests.at('15:00'), tests.at('16:00'), 'America/New_York'
from unnest(array['time_off', 'holiday', 'extra_hours']) kind;
insert into public.buffer_rules (organization_id, service_id, minutes_before, minutes_after)
values (tests.id('north'), tests.id('north 97153'), 15, 10);
select set_eq(
  $$ select kind from public.calendar_claims where claim_id in (tests.id('time_off'), tests.id('holiday'), tests.id('extra_hours')) $$,
  array['time_off'], 'time off claims its time; holidays and extra hours claim nothing');
-- acting as the service role
select tests.authenticate_as_service_role();
select throws_ok($$ select tests.add_session('fourth', 'north', '15:30') $$, '23P01', null, 'time off stands in the way of a session');
select throws_ok(
  $$ update public.sessions set start_time = tests.at('15:00'), end_time = tests.at('16:00') where id = tests.id('first') $$,
  '23P01', null, 'a session cannot be moved into time off');
select throws_ok(
  $$ select tests.add_session('fourth', 'north', '16:00') $$, '23P01', null, 'time off stands in the way of the buffer before a session');
select tests.add_session('fourth', 'north', '16:15', '{"room": "north room", "length": "30 minutes"}');
select tests.clear_authentication();
select results_eq(
  $$ select subject, lower(during), upper(during) from pg_temp.claim_of('fourth') where kind = 'buffer' order by 1, 2 $$,
  $$ values
    ('room', tests.at('16:00'), tests.at('16:15')), ('room', tests.at('16:45'), tests.at('16:55')),
    ('therapist', tests.at('16:00'), tests.at('16:15')), ('therapist', tests.at('16:45'), tests.at('16:55')) $$,
  'the buffers of a session claim the time of its therapist and room, before it and after');
-- acting as the service role
select tests.authenticate_as_service_role();
select throws_ok(
  format('select tests.add_session(%L, %L, %L, %L)', 'fifth', 'north', refused.clock, refused.changes), '23P01', null, refused.name)
from (values
  ('16:50', '{"client": "north aspen", "service": "north 97155"}', 'a buffer stands in the way of its therapist''s next session'),
  ('16:50', '{"therapist": "north theo", "client": "north cedar", "room": "north room", "service": "north 97155"}',
    'a buffer stands in the way of the next session in the room'),
  ('17:05', '{"client": "north aspen"}', 'a buffer stands in the way of the next one')
) refused (clock, changes, name);
select lives_ok(
  format('select tests.add_session(%L, %L, %L, %L)', allowed.name, 'north', allowed.clock, allowed.changes), allowed.name)
from (values
  ('16:45', '{"therapist": "north theo", "service": "north 97155"}', 'a buffer leaves the client free'),
  ('16:55', '{"client": "north aspen", "service": "north 97155"}', 'a session may start when a buffer ends')
) allowed (clock, changes, name);
-- acting as the owner
select tests.clear_authentication();
select throws_ok(
  $$ insert into public.availability_exceptions (organization_id, therapist_id, kind, start_time, end_time, time_zone)
    values (tests.id('north'), tests.id('north rosa'), 'time_off', tests.at('10:30'), tests.at('10:45'), 'America/New_York') $$,
  '23P01', null, 'time off is not written over a session');
update public.availability_exceptions set status = 'cancelled' where id = tests.id('time_off');
select tests.authenticate_as_service_role();
select lives_ok(
  $$ select tests.add_session('in the time off', 'north', '15:00', '{"service": "north 97155"}') $$, 'time off that is cancelled frees its time at once');

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
  (select count(*)::integer from public.sessions where organization_id = tests.id('north')), 12, 'the refused sessions left nothing');

select * from finish();
rollback;
