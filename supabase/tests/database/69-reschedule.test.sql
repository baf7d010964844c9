-- Rescheduling: sessions move, change places, or go to a substitute; whole or not at all.
begin;
select plan(96);

select tests.create_clinic('north'), tests.create_clinic('south');
insert into public.services (id, organization_id, service_code, name, cpt_code, is_team) values
  (tests.id('north 0373T'), tests.id('north'), '0373T', '0373T', '0373T', true);
insert into public.services (id, organization_id, service_code, name, cpt_code, credentials) values
  (tests.id('north 97151'), tests.id('north'), '97151', '97151', '97151', '{BCBA}');

create function tests.place(label text) returns text language sql stable security definer set search_path = '' as $$
  select pg_catalog.concat_ws(' ', therapist.display_name,
    pg_catalog.to_char(session.start_time at time zone 'America/New_York', 'HH24:MI'), room.name, session.version)
  from public.sessions session
  join public.therapists therapist on therapist.id = session.therapist_id
  left join public.rooms room on room.id = session.room_id
  where session.id = tests.id(label)
$$;
create function tests.said(answer jsonb) returns text language sql stable set search_path = '' as $$
  select coalesce(
    pg_catalog.concat_ws(' ', answer #>> '{problem,code}',
      coalesce(answer #>> '{problem,errors,0,field}', answer #>> '{problem,conflicts,0,kind}', answer #>> '{problem,reason}'),
      coalesce(answer #>> '{problem,errors,0,code}', answer #>> '{problem,version}')),
    '')
$$;
create function tests.move(label text, clock text, changes jsonb default '{}') returns jsonb language sql set search_path = '' as $$
  select public.move_session(tests.occurrence(tests.at(clock), tests.at(clock) + interval '1 hour') || pg_catalog.jsonb_build_object(
    'session_id', tests.id(label), 'version', 1, 'time_zone', 'America/New_York') || changes)
$$;
create function tests.swap(one text, other text, exchange text default 'times', changes jsonb default '{}') returns jsonb language sql set search_path = '' as $$
  select public.swap_sessions(pg_catalog.jsonb_build_object(
    'session_id', tests.id(one), 'version', 1, 'other_session_id', tests.id(other), 'other_version', 1, 'exchange', exchange) || changes)
$$;
create function tests.substitute(day integer, changes jsonb default '{}') returns jsonb language sql set search_path = '' as $$
  select public.substitute_therapist(pg_catalog.jsonb_build_object(
    'therapist_id', tests.id('north rosa'), 'substitute_id', tests.id('north theo'),
    'from', tests.at('00:00', day), 'to', tests.at('00:00', day + 1)) || changes)
$$;
grant execute on function tests.place, tests.said, tests.move, tests.swap, tests.substitute to authenticated;

-- ---------------------------------------------------------------------------------------------------------
-- Moving one session
-- ---------------------------------------------------------------------------------------------------------

select tests.add_session('morning', 'north', '10:00', '{"room": "north room"}');
select tests.add_session('noon', 'north', '12:00', '{"client": "north aspen"}');
select tests.add_session('theos', 'north', '12:00', '{"therapist": "north theo", "client": "north cedar", "room": "north room"}');
select tests.add_session('south session', 'south', '10:00');
select tests.add_session('done', 'north', '06:00', '{"status": "cancelled", "cancelled_by": "client"}');
-- acting as Rosa
select tests.authenticate_as(tests.id('north rosa login'));
select tests.keep('moved', tests.move('morning', '10:30'));
select is(tests.place('morning'), 'north rosa 10:30 room 2', 'a session moves into its own time, keeps its room, and has a version more');
select is(tests.kept('moved') #>> '{data,sessions,0,version}', '2', 'the answer is the session as it is now');
select is(tests.said(tests.move('morning', '09:00')), 'stale_version session_id 2', 'a session that has changed since is not moved, and its version is told');
select is(tests.said(tests.move('morning', given.clock, '{"version": 2}' || given.changes)), given.said, given.name)
from (values
  ('12:30', '{}', 'therapist_conflict session', 'a session does not move over another of its therapist'),
  ('12:30', jsonb_build_object('therapist_id', tests.id('north theo')), 'forbidden', 'a therapist gives no session to a colleague'),
  ('09:00', jsonb_build_object('version', null), 'validation_failed version required', 'without a version nothing moves'),
  ('09:00', '{"time_zone": "Mars/Olympus"}', 'validation_failed time_zone unknown', 'an unknown zone is named'),
  ('09:00', '{"time_zone": "UTC"}', 'offset_mismatch start_time_offset_minutes offset_mismatch', 'an offset of another zone is named'),
  ('09:00', jsonb_build_object('room_id', tests.id('south room')), 'not_found', 'another clinic''s room is not found'),
  ('09:00', jsonb_build_object('session_id', tests.id('south session')), 'not_found', 'nor its session'),
  ('09:00', jsonb_build_object('session_id', tests.id('theos'), 'version', 1), 'not_found', 'nor a colleague''s'),
  ('09:00', jsonb_build_object('session_id', tests.id('done'), 'version', 1), 'validation_failed session_id not_scheduled', 'a cancelled session does not move'),
  ('09:00', tests.occurrence(now() - interval '2 hours', now() - interval '1 hour'), 'validation_failed start_time in_the_past', 'nothing moves into the past'),
  ('09:00', tests.occurrence(tests.at('09:00'), tests.at('09:00')), 'validation_failed end_time not_after_start', 'nothing ends before it starts'),
  ('09:00', '{"override_availability": true}', 'forbidden', 'who may not overrides no hours')
) given (clock, changes, said, name);
select is(tests.place('morning'), 'north rosa 10:30 room 2', 'refused, a move changes nothing');

-- acting as a scheduler
select tests.authenticate_as(tests.id('north scheduler login'));
select is(tests.said(tests.move('noon', '09:00', jsonb_build_object('therapist_id', tests.id('north theo')))),
  'validation_failed therapist_id not_assigned', 'a session goes to nobody outside of the client''s care team');
select is(tests.said(tests.move('noon', '12:00', jsonb_build_object('room_id', tests.id('north room')))), 'room_conflict session',
  'a session does not move into a room that is used');
select is(tests.said(tests.move('morning', '12:30', jsonb_build_object('version', 2, 'therapist_id', tests.id('north theo'), 'room_id', null))),
  'therapist_conflict session', 'nor to a therapist who is busy');
select tests.move('morning', '14:00', jsonb_build_object('version', 2, 'therapist_id', tests.id('north theo'), 'room_id', null));
select is(tests.place('morning'), 'north theo 14:00 3', 'a session moves to another time and therapist and out of its room at once');
select is(public.hold_sessions(tests.hold_request('north', array['10:30'])) -> 'problem', null, 'what it left is free');
select tests.clear_authentication();
delete from public.therapist_availability where therapist_id = tests.id('north theo');
insert into public.therapist_availability (organization_id, therapist_id, weekday, local_start, local_end, effective_from, time_zone)
select tests.id('north'), tests.id('north theo'), weekday, '08:00', '17:00', '2020-01-01', 'America/New_York' from generate_series(1, 7) weekday;
select tests.authenticate_as(tests.id('north admin login'));
select is(tests.said(tests.move('morning', '17:00', '{"version": 3}')), 'therapist_unavailable unavailable', 'a session does not move out of its therapist''s hours');
select is(tests.move('morning', '17:00', '{"version": 3, "override_availability": true}') -> 'problem', null, 'but for who may override them');
select tests.clear_authentication();
select is(
  array(select action from audit.events where row_id = tests.id('morning') order by id),
  array['session.scheduled', 'session.moved', 'session.moved', 'availability.overridden', 'session.moved'], 'every move is on record');

-- An occurrence of a series
select tests.authenticate_as(tests.id('north scheduler login'));
select tests.keep('series', public.confirm_sessions(jsonb_build_object('hold_key', public.hold_sessions(
  tests.hold_request('north', array['18:00', '20:00'])) #> '{data,hold_key}')));
select tests.name_row('occurrence', (tests.kept('series') #>> '{data,session,id}')::uuid);
select tests.move('occurrence', '22:00');
select results_eq(
  $$ select series_id, occurrence_start, start_time from public.sessions where id = tests.id('occurrence') $$,
  $$ select (tests.kept('series') #>> '{data,session,series_id}')::uuid, tests.at('18:00'), tests.at('22:00') $$,
  'an occurrence that moves stays in its series, in its place');

-- ---------------------------------------------------------------------------------------------------------
-- Moving a group or a team
-- ---------------------------------------------------------------------------------------------------------

select tests.clear_authentication();
delete from public.therapist_availability where therapist_id = tests.id('north theo');
select tests.work_round_the_clock('north theo');
create function tests.add_pair(label text, clock text) returns void language sql set search_path = '' as $$
  select tests.add_group(label, 'north', clock);
  select tests.add_session(label || ' aspen', 'north', clock, pg_catalog.jsonb_build_object('client', 'north aspen', 'service', 'north 97154', 'group', label));
  select tests.add_session(label || ' birch', 'north', clock, pg_catalog.jsonb_build_object('service', 'north 97154', 'group', label));
$$;
select tests.add_pair('pair', '07:00');
update public.sessions set status = 'cancelled', cancelled_by = 'client' where id = tests.id('pair aspen');
select tests.add_session('pair aspen again', 'north', '07:00', '{"client": "north aspen", "service": "north 97154", "group": "pair"}');
select tests.authenticate_as(tests.id('north scheduler login'));
select tests.keep('moved', tests.move('pair birch', '07:30'));
select is(jsonb_array_length(tests.kept('moved') #> '{data,sessions}'), 2, 'a member moves with the whole group');
select is(
  array[tests.place('pair birch'), tests.place('pair aspen again'), tests.place('pair aspen')],
  array['north rosa 07:30 2', 'north rosa 07:30 2', 'north rosa 07:00 3'], 'but for who had left it: a cancelled session stays at its time');
select is(
  (select row(start_time, members)::text from public.session_groups where id = tests.id('pair')), row(tests.at('07:30'), 2::smallint)::text,
  'the group is at the new time, with its members');
select is(tests.said(tests.move('pair birch', '09:00', jsonb_build_object('version', 2, 'therapist_id', tests.id('north theo')))),
  'validation_failed therapist_id not_assigned', 'a group goes to nobody who is not on every member''s care team');
select is(tests.said(tests.move('pair birch', '11:30', '{"version": 2}')), 'therapist_conflict session',
  'a group does not move over another session of its therapist');
select is(jsonb_array_length(tests.move('pair birch', '11:30', '{"version": 2}') #> '{problem,conflicts}'), 2,
  'what is in the way of a group is said once, not once a member: the session''s therapist and client');
select tests.keep('place', public.join_slot(jsonb_build_object('group_id', tests.id('pair'), 'client_id', tests.id('north cedar'))));
select is(tests.said(tests.kept('place')), 'validation_failed client_id not_assigned', 'cedar is not Rosa''s');
select public.cancel_sessions(jsonb_build_object('session_ids', jsonb_build_array(tests.id('pair aspen again')), 'cancelled_by', 'client'));
select tests.keep('place', public.join_slot(jsonb_build_object('group_id', tests.id('pair'), 'client_id', tests.id('north aspen'))));
select is(tests.said(tests.move('pair birch', '09:00', '{"version": 2}')), 'therapist_conflict hold',
  'a group does not move while somebody is promised a place in it at its time');
select public.cancel_sessions(jsonb_build_object('hold_key', tests.kept('place') #> '{data,hold_key}'));
select is(tests.move('pair birch', '09:00', '{"version": 2}') -> 'problem', null, 'and moves when the promise has ended');

-- A team
select tests.clear_authentication();
insert into public.session_teams (id, organization_id, client_id, service_id, start_time, end_time)
select tests.id('team'), tests.id('north'), tests.id('north birch'), tests.id('north 0373T'), tests.at('05:00', 1), tests.at('06:00', 1);
insert into public.sessions (id, organization_id, therapist_id, client_id, service_id, team_id, start_time, end_time, time_zone)
select tests.id('team ' || name), tests.id('north'), tests.id('north ' || name), tests.id('north birch'), tests.id('north 0373T'),
  tests.id('team'), tests.at('05:00', 1), tests.at('06:00', 1), 'America/New_York'
from unnest(array['rosa', 'theo']) name;
select tests.authenticate_as(tests.id('north rosa login'));
select is(tests.said(tests.move('team rosa', '05:30')), 'forbidden', 'a therapist does not move a team in which colleagues are');
select tests.authenticate_as(tests.id('north scheduler login'));
select is(tests.said(tests.move('team rosa', '05:30', jsonb_build_object('therapist_id', tests.id('north theo')))),
  'validation_failed therapist_id already_in_it', 'nobody is in a team twice');
select tests.move('team rosa', '05:30', tests.occurrence(tests.at('05:30', 1), tests.at('06:30', 1)));
select is(array[tests.place('team rosa'), tests.place('team theo')], array['north rosa 05:30 2', 'north theo 05:30 2'],
  'a team''s time is one for all its technicians');

-- ---------------------------------------------------------------------------------------------------------
-- Swapping two
-- ---------------------------------------------------------------------------------------------------------

select tests.clear_authentication();
select tests.add_session('first', 'north', '10:00', '{"day": 2, "room": "north room"}');
select tests.add_session('second', 'north', '11:00', '{"day": 2, "client": "north aspen"}');
select tests.add_session('third', 'north', '10:00', '{"day": 3, "therapist": "north theo"}');
select tests.add_session('fourth', 'north', '10:00', '{"day": 4}');
select tests.add_session('beside', 'north', '10:30', '{"day": 4, "therapist": "north theo", "client": "north cedar"}');
select tests.authenticate_as(tests.id('north rosa login'));
select is(tests.said(tests.swap('first', 'third')), 'not_found', 'a therapist swaps no session with a colleague');
select is(jsonb_array_length(tests.swap('first', 'second') #> '{data,sessions}'), 2, 'two neighbours change places in one step');
select is(array[tests.place('first'), tests.place('second')], array['north rosa 11:00 2', 'north rosa 10:00 room 2'],
  'times and rooms change places, therapists stay');
select is(tests.said(tests.swap('first', 'fourth')), 'stale_version session_id 2', 'a swap says of the first session that it has changed');
select is(tests.said(tests.swap('fourth', 'first')), 'stale_version other_session_id 2', 'or of the other');
select tests.authenticate_as(tests.id('north scheduler login'));
select is(tests.swap('third', 'fourth', 'therapists') #>> '{problem,conflicts,0,occurrence}', '1',
  'a swap that one of the two cannot make is refused, and says which');
select is(array[tests.place('third'), tests.place('fourth')], array['north theo 10:00 1', 'north rosa 10:00 1'], 'and neither moves');
select public.cancel_sessions(jsonb_build_object('session_ids', jsonb_build_array(tests.id('beside')), 'cancelled_by', 'client'));
select tests.swap('third', 'fourth', 'therapists');
select is(array[tests.place('third'), tests.place('fourth')], array['north rosa 10:00 2', 'north theo 10:00 2'], 'therapists change places, times stay');
select is(tests.said(answer), said, name)
from (values
  (tests.swap('second', 'second', 'times', '{"version": 2}'), 'validation_failed other_session_id duplicate', 'a session does not swap with itself'),
  (tests.swap('second', 'pair birch', 'times', '{"version": 2, "other_version": 3}'), 'validation_failed other_session_id in_a_group', 'nor with a group'),
  (tests.swap('done', 'third', 'times', '{"other_version": 2}'), 'validation_failed session_id not_scheduled', 'nor one that is cancelled'),
  (tests.swap('second', 'third', 'rooms', '{"version": 2}'), 'validation_failed exchange unknown', 'only times or therapists are exchanged'),
  (tests.swap('second', 'fourth', 'therapists', '{"version": 2, "other_version": 2}'), 'validation_failed session_id not_assigned',
    'nobody is swapped onto a client of another team')
) refused (answer, said, name);

-- A hold that would move one of the two stays where it is, and stands in the way of the other.
select tests.clear_authentication();
select tests.add_session('moving', 'north', '10:00', '{"day": 6}');
select tests.add_session('partner', 'north', '14:00', '{"day": 6, "client": "north aspen"}');
select tests.authenticate_as(tests.id('north scheduler login'));
select public.hold_sessions(tests.hold_request('north', array['10:00'], jsonb_build_object('session_id', tests.id('moving'))
  || tests.times(tests.at('10:30', 6), tests.at('11:30', 6))));
select is(tests.said(tests.swap('moving', 'partner')), 'therapist_conflict hold', 'a time held for moving one of two sessions is not the other''s');
select tests.keep('stays', public.hold_sessions(tests.hold_request('north', array['10:00'], jsonb_build_object(
  'session_id', tests.id('partner'), 'client_id', tests.id('north aspen')) || tests.times(tests.at('14:00', 6), tests.at('15:00', 6)))));
select is(
  public.confirm_sessions(jsonb_build_object('hold_key', tests.kept('stays') #>> '{data,hold_key}', 'session', '{"place_of_service": "12"}'::jsonb))
    #>> '{data,session,place_of_service}', '12', 'a move to the same time says where a session takes place');

-- ---------------------------------------------------------------------------------------------------------
-- A substitute
-- ---------------------------------------------------------------------------------------------------------

select tests.clear_authentication();
select tests.add_session('s1', 'north', '09:00', '{"day": 10}');
select tests.add_session('s2', 'north', '11:00', '{"day": 10, "client": "north aspen"}');
select tests.add_session('s3', 'north', '13:00', '{"day": 10}');
select tests.add_session('s0', 'north', '09:00', '{"day": 11}');
select tests.add_session('theos own', 'north', '13:30', '{"day": 10, "therapist": "north theo", "client": "north cedar"}');
select tests.authenticate_as(tests.id('north rosa login'));
select is(tests.said(tests.substitute(10)), 'forbidden', 'only who books for everybody names a substitute');
select tests.authenticate_as(tests.id('north scheduler login'));
select is(tests.said(tests.substitute(10)), 'validation_failed substitute_id not_assigned', 'a substitute is on the care teams');
select is(tests.said(tests.substitute(10, '{"assign_to_care_team": true}')), 'therapist_conflict session', 'and is free, for all of the sessions');
select is(
  array(select tests.place(label) from unnest(array['s1', 's2', 's3']) label),
  array['north rosa 09:00 1', 'north rosa 11:00 1', 'north rosa 13:00 1'], 'or none of them goes');
select tests.keep('some', tests.substitute(10, '{"on_conflict": "skip"}') -> 'data');
select results_eq(
  $$ select value ->> 'id', value ->> 'code' from jsonb_array_elements(tests.kept('some') -> 'skipped') order by 2 $$,
  $$ values (tests.id('s2')::text, 'not_assigned'), (tests.id('s3')::text, 'therapist_conflict') $$,
  'who skips is told which sessions did not go, and why');
select is(tests.place('s1'), 'north theo 09:00 2', 'and the others go');
savepoint before;
select tests.clear_authentication();
update public.therapists set user_id = tests.id('north scheduler login') where id = tests.id('north theo');
select tests.authenticate_as(tests.id('north scheduler login'));
select is(
  tests.said(tests.substitute(10, jsonb_build_object('assign_to_care_team', true, 'session_ids', jsonb_build_array(tests.id('s2'))))), 'forbidden',
  'nobody assigns themselves');
select is(
  tests.said(tests.substitute(10, jsonb_build_object('session_ids', jsonb_build_array(tests.id('s3'))))), 'therapist_conflict session',
  'who is on the team is a substitute like any');
select tests.clear_authentication();
insert into public.user_roles (organization_id, user_id, role) values (tests.id('north'), tests.id('north scheduler login'), 'admin');
select tests.authenticate_as(tests.id('north scheduler login'));
select is(
  tests.said(tests.substitute(10, jsonb_build_object('assign_to_care_team', true, 'session_ids', jsonb_build_array(tests.id('s2'))))), '',
  'but for an admin');
rollback to before;
select tests.substitute(10, jsonb_build_object('assign_to_care_team', true, 'session_ids', jsonb_build_array(tests.id('s2'))));
select is(array[tests.place('s2'), tests.place('s3')], array['north theo 11:00 2', 'north rosa 13:00 1'], 'named sessions go alone');
select results_eq(
  $$ select starts_on, ends_on from public.care_team_assignments where client_id = tests.id('north aspen') and therapist_id = tests.id('north theo') $$,
  $$ values (tests.at('12:00', 10)::date, tests.at('12:00', 10)::date) $$, 'a substitute is put on the care team for that day, and no other');
select is(tests.said(tests.substitute(10, changes)), said, name)
from (values
  (jsonb_build_object('session_ids', jsonb_build_array(tests.id('s0'))), 'validation_failed session_ids not_to_be_given', 'a session of another day is not given'),
  (jsonb_build_object('session_ids', jsonb_build_array(tests.id('south session'))), 'not_found', 'another clinic''s is not found'),
  (jsonb_build_object('substitute_id', tests.id('south theo')), 'not_found', 'nor is another clinic''s therapist'),
  (jsonb_build_object('substitute_id', tests.id('north rosa')), 'validation_failed substitute_id duplicate', 'nobody substitutes themselves'),
  (jsonb_build_object('to', tests.at('00:00', 10)), 'validation_failed to not_after_from', 'no time is given backwards'),
  (jsonb_build_object('to', tests.at('01:00', 41)), 'validation_failed to too_long', 'nor more than 31 days of it')
) refused (changes, said, name);

-- A group goes whole, a team's session by itself
select tests.clear_authentication();
update public.session_groups set start_time = tests.at('09:00', 12), end_time = tests.at('10:00', 12) where id = tests.id('pair');
select tests.add_session('pair aspen back', 'north', '09:00', '{"day": 12, "client": "north aspen", "service": "north 97154", "group": "pair"}');
select tests.authenticate_as(tests.id('north scheduler login'));
select is(jsonb_array_length(tests.substitute(12, '{"on_conflict": "skip"}') #> '{data,skipped}'), 2, 'where one member cannot go, none of the group does');
select is(
  jsonb_array_length(tests.substitute(12, jsonb_build_object(
    'assign_to_care_team', true, 'session_ids', jsonb_build_array(tests.id('pair birch')))) #> '{data,substituted}'),
  2, 'named by one member, a group goes with all, and the answer has them');
select is(
  array[tests.place('pair aspen back'), tests.place('pair birch'), (select therapist_id::text from public.session_groups where id = tests.id('pair'))],
  array['north theo 09:00 2', 'north theo 09:00 5', tests.id('north theo')::text], 'each of them with the substitute');
select is(tests.substitute(1, '{"on_conflict": "skip"}') #>> '{data,skipped,0,code}', 'already_in_it', 'a technician is no substitute in the own team');

-- What has begun is nobody else's any more.
select tests.clear_authentication();
insert into public.sessions (id, organization_id, therapist_id, client_id, service_id, start_time, end_time, time_zone)
select tests.id('begun'), tests.id('north'), tests.id('north rosa'), tests.id('north birch'), tests.id('north 97153'),
  now() - interval '1 hour', now() + interval '1 hour', 'America/New_York';
select tests.authenticate_as(tests.id('north scheduler login'));
select is(
  public.substitute_therapist(jsonb_build_object('therapist_id', tests.id('north rosa'), 'substitute_id', tests.id('north theo'),
    'from', now() - interval '1 day', 'to', now() + interval '1 hour')) -> 'data',
  '{"substituted": [], "skipped": []}', 'a session that has begun stays with who began it; nothing to give is no error');
select is(tests.said(tests.swap('begun', 's3')), 'validation_failed session_id in_the_past', 'and is not swapped');

-- A team's other technicians stay where they are, with what they keep free in the room they use.
select tests.clear_authentication();
insert into public.therapists (id, organization_id, display_name, credential) values (tests.id('north uma'), tests.id('north'), 'north uma', 'RBT');
insert into public.buffer_rules (organization_id, therapist_id, minutes_after) values (tests.id('north'), tests.id('north uma'), 15);
insert into public.session_teams (id, organization_id, client_id, service_id, start_time, end_time)
select tests.id('trio'), tests.id('north'), tests.id('north birch'), tests.id('north 0373T'), tests.at('10:00', 14), tests.at('11:00', 14);
insert into public.sessions (id, organization_id, therapist_id, client_id, room_id, service_id, team_id, start_time, end_time, time_zone)
select tests.id('trio ' || name), tests.id('north'), tests.id('north ' || name), tests.id('north birch'), room, tests.id('north 0373T'),
  tests.id('trio'), tests.at('10:00', 14), tests.at('11:00', 14), 'America/New_York'
from (values ('rosa', null), ('uma', tests.id('north room'))) given (name, room);
select tests.add_session('next in the room', 'north', '11:20', '{"day": 14, "room": "north room"}');
insert into public.buffer_rules (organization_id, therapist_id, minutes_before) values (tests.id('north'), tests.id('north theo'), 10);
select tests.authenticate_as(tests.id('north scheduler login'));
select is(tests.said(tests.substitute(14)), 'room_conflict buffer', 'a substitute''s buffer does not meet that of a technician who stays in the team');

-- Two sessions without a pause, and then a rule that asks for one.
select tests.clear_authentication();
select tests.add_session('first', 'north', '09:00', '{"day": 16}'), tests.add_session('second', 'north', '10:00', '{"day": 16}');
insert into public.buffer_rules (organization_id, minutes_after) values (tests.id('north'), 10);
select tests.authenticate_as(tests.id('north scheduler login'));
select is(
  tests.said(tests.move('first', '09:00', tests.occurrence(tests.at('09:00', 16), tests.at('10:00', 16)) || jsonb_build_object('room_id', tests.id('north room')))),
  '', 'where only the room is another, a session keeps the buffers that it was booked with');
select tests.clear_authentication();
select results_eq(
  $$ select room_id, buffer_after_minutes::integer from public.sessions where id = tests.id('first') $$, $$ values (tests.id('north room'), 0) $$, 'and is there');
select tests.authenticate_as(tests.id('north scheduler login'));
select is(
  tests.said(public.hold_sessions(tests.hold_request('north', array['09:00', '10:00']) || jsonb_build_object('occurrences', jsonb_build_array(
    tests.occurrence(tests.at('12:00', 16), tests.at('13:00', 16)), tests.occurrence(tests.at('13:00', 16), tests.at('14:00', 16)))))),
  'therapist_unavailable buffer', 'what a new booking lacks is the pause, and not the time');
select is(
  tests.said(tests.substitute(16, '{"assign_to_care_team": true}')), 'therapist_unavailable buffer',
  'they do not go to a substitute of whom another pause is asked');
select tests.clear_authentication();
delete from public.buffer_rules where therapist_id = tests.id('north theo');
select tests.authenticate_as(tests.id('north scheduler login'));
select is(tests.said(tests.substitute(16, '{"assign_to_care_team": true}')), '', 'and go as they stand to one of whom the same is');

-- A session that was kept when its therapist took the day off.
select tests.clear_authentication();
select tests.add_session('kept', 'north', '09:00', '{"day": 17}');
select tests.authenticate_as(tests.id('north scheduler login'));
select ok(public.add_exception(tests.occurrence(tests.at('08:00', 17), tests.at('18:00', 17)) || jsonb_build_object(
  'kind', 'time_off', 'therapist_id', tests.id('north rosa'), 'time_zone', 'America/New_York', 'on_conflict', 'keep')) ? 'data', 'a day off keeps a session');
select is(
  tests.said(tests.move('kept', '09:00', tests.occurrence(tests.at('09:00', 17), tests.at('10:00', 17)) || jsonb_build_object('room_id', tests.id('north room')))),
  '', 'which may change its room');
select is(
  tests.said(tests.move('kept', '09:00', tests.occurrence(tests.at('09:00', 17), tests.at('09:45', 17)) || '{"version": 2}')), 'therapist_unavailable unavailable',
  'and not its time there');

-- ---------------------------------------------------------------------------------------------------------
-- Where a session takes place
-- ---------------------------------------------------------------------------------------------------------

select tests.clear_authentication();
create function tests.place_at(label text, place text, changes jsonb default '{}') returns text language sql set search_path = '' as $$
  select tests.said(answer) || coalesce(answer #>> '{data,session,place_of_service}', '')
  from public.set_place_of_service(pg_catalog.jsonb_build_object('session_id', tests.id(label), 'place_of_service', place) || changes) answer
$$;
grant execute on function tests.place_at to authenticated;
select tests.add_session('placeless', 'north', '20:00', '{"day": 15}'),
  tests.add_session('given up', 'north', '22:00', '{"day": 15, "status": "cancelled", "cancelled_by": "client"}');
select tests.authenticate_as(tests.id('north ' || given.login || ' login')), is(
  tests.place_at(given.label, given.place, given.changes), given.outcome, given.name)
from (values
  ('theo', 'placeless', '12', '{}'::jsonb, 'not_found', 'a colleague does not say where a session takes place'),
  ('rosa', 'placeless', '12', '{}', '12', 'who delivers it does'),
  ('scheduler', 'placeless', '03', '{"version": 1}', 'stale_version session_id 2', 'who has not seen that is told'),
  ('scheduler', 'placeless', '03', '{"version": 2}', '03', 'and who has says otherwise'),
  ('scheduler', 'placeless', '03', '{"version": 3}', '03', 'or the same'),
  ('scheduler', 'placeless', '00', '{}', 'validation_failed place_of_service unknown', 'a place that claims do not know is refused'),
  ('scheduler', 'placeless', null, '{}', 'validation_failed place_of_service required', 'and so is none'),
  ('scheduler', 'given up', '12', '{}', 'validation_failed session_id not_open', 'what is cancelled takes place nowhere')
) given (login, label, place, changes, outcome, name);
select tests.clear_authentication();
select results_eq(
  $$ select place_of_service, version from public.sessions where id = tests.id('placeless') $$, $$ values ('03', 3) $$,
  'saying the same again writes nothing');
select is(
  (select place_of_service from public.session_charges where session_id = tests.id('placeless')), '03', 'its charge follows');
select results_eq(
  $$ select details #>> '{after,place_of_service}', actor_id from audit.events where row_id = tests.id('placeless') and action = 'row.updated' order by id $$,
  $$ values ('12', tests.id('north rosa login')), ('03', tests.id('north scheduler login')) $$, 'and it is on record who said what');
select tests.clear_authentication();
select is_empty('select * from app.ledger_faults()', 'the ledger, the holds and the sessions agree');

select * from finish();
rollback;
