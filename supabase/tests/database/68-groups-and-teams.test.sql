-- Groups and teams: several clients in one slot, several technicians on one client; and what may run beside what.
begin;
select plan(60);

select tests.create_clinic('north'), tests.create_clinic('south');
-- A fourth client, a third technician, and a service that several technicians deliver together.
insert into public.clients (id, organization_id, full_name) values (tests.id('north dune'), tests.id('north'), 'north dune');
insert into public.therapists (id, organization_id, display_name, credential) values (tests.id('north uma'), tests.id('north'), 'north uma', 'RBT');
select tests.work_round_the_clock('north uma');
insert into public.care_team_assignments (organization_id, therapist_id, client_id, team_role, starts_on)
select tests.id('north'), tests.id('north ' || given.therapist), tests.id('north ' || given.client), 'therapist', current_date - 30
from (values ('rosa', 'cedar'), ('rosa', 'dune'), ('uma', 'birch')) given (therapist, client);
insert into public.services (id, organization_id, service_code, name, cpt_code, is_team) values
  (tests.id('north 0373T'), tests.id('north'), '0373T', '0373T', '0373T', true);

create function tests.ids(variadic labels text[]) returns jsonb language sql stable set search_path = '' as $$
  select pg_catalog.jsonb_agg(tests.id(label)) from pg_catalog.unnest(labels) label
$$;
create function tests.group_request(clock text, clients jsonb, changes jsonb default '{}') returns jsonb language sql stable set search_path = '' as $$
  select tests.hold_request('north', array[clock], '{"service_code": "97154"}') - 'client_id'
    || pg_catalog.jsonb_build_object('client_ids', clients) || changes
$$;
create function tests.team_request(clock text, therapists jsonb, changes jsonb default '{}') returns jsonb language sql stable set search_path = '' as $$
  select tests.hold_request('north', array[clock], '{"service_code": "0373T"}') - 'therapist_id'
    || pg_catalog.jsonb_build_object('therapist_ids', therapists) || changes
$$;
create function tests.confirm(held jsonb) returns jsonb language sql set search_path = '' as $$
  select public.confirm_sessions(pg_catalog.jsonb_build_object('hold_key', held #>> '{data,hold_key}'))
$$;
create function tests.join(slot jsonb, party text) returns jsonb language sql set search_path = '' as $$
  select public.join_slot(pg_catalog.jsonb_strip_nulls(pg_catalog.jsonb_build_object(
    'group_id', slot -> 'group_id', 'team_id', slot -> 'team_id',
    case when slot ->> 'group_id' is null then 'therapist_id' else 'client_id' end, tests.id(party))))
$$;
create function tests.leave(session jsonb) returns jsonb language sql set search_path = '' as $$
  select public.cancel_sessions(pg_catalog.jsonb_build_object(
    'session_ids', pg_catalog.jsonb_build_array(session ->> 'id'), 'cancelled_by', 'client'))
$$;
create function tests.members(slot jsonb) returns integer language sql stable security definer set search_path = '' as $$
  select members from public.session_groups where id = (slot ->> 'group_id')::uuid
$$;
create function tests.said(answer jsonb) returns text language sql stable set search_path = '' as $$
  select pg_catalog.concat_ws(' ', answer #>> '{problem,code}', answer #>> '{problem,errors,0,field}', answer #>> '{problem,errors,0,code}')
$$;
create function tests.supervise(clock text, day integer) returns jsonb language sql set search_path = '' as $$
  select public.hold_sessions(tests.hold_request('north', array['08:00'], pg_catalog.jsonb_build_object(
    'service_code', '97155', 'therapist_id', tests.id('north theo'))
    || tests.times(tests.at(clock, day), tests.at(clock, day) + interval '1 hour')))
$$;
create function tests.hold_at(clock text) returns jsonb language sql set search_path = '' as $$
  select public.hold_sessions(tests.hold_request('north', array['08:00'], tests.times(tests.at(clock, 6), tests.at(clock, 6) + interval '1 hour')))
$$;
grant execute on function
  tests.supervise, tests.hold_at, tests.ids, tests.group_request, tests.team_request, tests.confirm, tests.join, tests.leave, tests.members, tests.said
to authenticated;

-- ---------------------------------------------------------------------------------------------------------
-- A group
-- ---------------------------------------------------------------------------------------------------------

-- acting as a scheduler
select tests.authenticate_as(tests.id('north scheduler login'));
select tests.keep('booked', tests.confirm(public.hold_sessions(tests.group_request(
  '10:00', tests.ids('north aspen', 'north birch'), jsonb_build_object('capacity', 3, 'room_id', tests.id('north room'))))));
select tests.keep('aspen', tests.kept('booked') #> array['data', 'sessions', (case when tests.kept('booked') #>> '{data,sessions,0,client_id}' = tests.id('north aspen')::text then '0' else '1' end)]);
select results_eq(
  $$ select count(*)::integer, count(distinct session.group_id)::integer, count(distinct session.client_id)::integer,
      min(slot.members)::integer, min(slot.capacity)::integer
    from public.sessions session join public.session_groups slot on slot.id = session.group_id $$,
  $$ values (2, 1, 2, 2, 3) $$, 'several clients are booked into one group, which counts them');
select is(
  tests.said(public.hold_sessions(tests.group_request('12:00', tests.ids('north aspen', 'north birch'), '{"service_code": "97153"}'))),
  'validation_failed client_ids not_a_group_service', 'a service that is not for groups takes one client');
select is(
  tests.said(public.hold_sessions(tests.group_request('12:00', tests.ids('north aspen', 'north birch', 'north cedar'), '{"capacity": 2}'))),
  'validation_failed client_ids over_capacity', 'a group does not begin with more clients than it takes');
select is(
  tests.said(public.hold_sessions(tests.hold_request('north', array['10:30'], jsonb_build_object('client_id', tests.id('north cedar'))))),
  'therapist_conflict', 'beside a group its therapist has no time for anybody else');

-- Joining
select tests.keep('joined', tests.join(tests.kept('aspen'), 'north cedar'));
select is(
  array(select jsonb_object_keys(tests.kept('joined') -> 'data') order by 1), array['expires_at', 'hold_key', 'holds', 'series_id', 'skipped'],
  'joining is a hold, and answers as one');
select results_eq(
  $$ select therapist_id, client_id, room_id, start_time, end_time, time_zone, group_id, created_by from public.session_holds
    where id = (tests.kept('joined') #>> '{data,hold_key}')::uuid $$,
  $$ select tests.id('north rosa'), tests.id('north cedar'), tests.id('north room'), tests.at('10:00'), tests.at('11:00'),
      'America/New_York', (tests.kept('aspen') ->> 'group_id')::uuid, auth.uid() $$,
  'who joins takes the group''s therapist, time, zone and room');
select is(tests.members(tests.kept('aspen')), 3, 'a held place is taken');
select is(tests.said(tests.join(tests.kept('aspen'), 'north cedar')), 'validation_failed client_id already_in_it', 'a place is held once a client');
select is(tests.said(tests.join(tests.kept('aspen'), 'north dune')), 'group_full', 'no place is left when as many are held as the group takes');
select is(
  tests.confirm(tests.kept('joined')) #>> '{data,session,group_id}', tests.kept('aspen') ->> 'group_id', 'confirmed, it is a session of the group');
select is(tests.said(tests.join(tests.kept('aspen'), 'north aspen')), 'validation_failed client_id already_in_it', 'who has a session in the group does not join it');

-- Leaving
select is(tests.leave(tests.kept('aspen')) #>> '{data,cancelled,0,kind}', 'session', 'leaving is cancelling');
select is(tests.members(tests.kept('aspen')), 2, 'who leaves gives up the place');
select tests.keep('joined', tests.join(tests.kept('aspen'), 'north dune'));
select is(tests.kept('joined') -> 'problem', null, 'a place that was given up can be taken');
-- acting as the owner: that hold's time runs out
select tests.clear_authentication();
update public.session_holds set expires_at = clock_timestamp() - interval '1 second' where id = (tests.kept('joined') #>> '{data,hold_key}')::uuid;
select tests.authenticate_as(tests.id('north scheduler login'));
select is(tests.join(tests.kept('aspen'), 'north aspen') -> 'problem', null, 'an expired hold keeps no place');
select tests.clear_authentication();
select is(
  (select status from public.session_holds where id = (tests.kept('joined') #>> '{data,hold_key}')::uuid), 'expired',
  'and whoever takes the place ends it');
select throws_ok(
  format('update public.session_groups set capacity = 2 where id = %L', tests.kept('aspen') ->> 'group_id'), '23514', null,
  'whoever writes, a group has no more members than its capacity');

-- ---------------------------------------------------------------------------------------------------------
-- Who can join what
-- ---------------------------------------------------------------------------------------------------------

select tests.add_group('past', 'north', '10:00');
update public.session_groups set start_time = now() - interval '1 hour', end_time = now() + interval '1 hour' where id = tests.id('past');
select tests.add_group('south group', 'south', '10:00');
select tests.add_group('open', 'north', '13:00');
insert into public.session_teams (id, organization_id, client_id, service_id, start_time, end_time)
values (tests.id('aspen team'), tests.id('north'), tests.id('north aspen'), tests.id('north 0373T'), tests.at('03:00'), tests.at('04:00'));
select tests.add_group('theo group', 'north', '13:00', '{"therapist": "north theo"}');
select tests.add_session('busy', 'north', '13:00', '{"therapist": "north theo", "client": "north cedar"}');
select tests.authenticate_as(tests.id('north scheduler login'));
select is(tests.said(public.join_slot(request.body)), request.said, request.name)
from (values
  (jsonb_build_object('group_id', tests.id('past'), 'client_id', tests.id('north birch')), 'validation_failed group_id in_the_past',
    'a group that has begun is not joined'),
  (jsonb_build_object('group_id', tests.id('south group'), 'client_id', tests.id('north birch')), 'not_found',
    'another clinic''s group is not found'),
  (jsonb_build_object('group_id', tests.id('south group')), 'not_found', 'nor is it by itself'),
  (jsonb_build_object('group_id', tests.id('open'), 'client_id', tests.id('south birch')), 'not_found', 'another clinic''s client is not found'),
  (jsonb_build_object('group_id', tests.id('theo group'), 'client_id', tests.id('north aspen')), 'validation_failed client_id not_assigned',
    'a client joins only who is on their care team'),
  (jsonb_build_object('group_id', tests.id('open')), 'validation_failed client_id required', 'joining a group needs a client'),
  (jsonb_build_object('team_id', tests.id('open'), 'group_id', tests.id('open'), 'client_id', tests.id('north birch')),
    'validation_failed group_id exactly_one', 'one joins a group or a team'),
  (jsonb_build_object('client_id', tests.id('north birch')), 'validation_failed group_id exactly_one', 'and not nothing'),
  (jsonb_build_object('group_id', tests.id('open'), 'client_id', tests.id('north birch'), 'hold_seconds', 29),
    'validation_failed hold_seconds out_of_range', 'a place is held as long as any hold'),
  (jsonb_build_object('group_id', tests.id('open'), 'client_id', tests.id('north cedar')), 'client_conflict',
    'a client who is elsewhere at the time cannot join')
) request (body, said, name);
-- acting as Theo
select tests.authenticate_as(tests.id('north theo login'));
select is(
  public.join_slot(jsonb_build_object(kind || '_id', tests.id(other), party, tests.id(whose))) #- '{problem,instance}',
  public.join_slot(jsonb_build_object(kind || '_id', tests.id('none'), party, tests.id(whose))) #- '{problem,instance}',
  'of a ' || kind || ' that is not theirs to see a therapist is told what they are told of none')
from (values ('group', 'open', 'client_id', 'north birch'), ('team', 'aspen team', 'therapist_id', 'north theo')) asked (kind, other, party, whose);
select tests.authenticate_as(tests.id('north rosa login'));

-- acting as the owner: hours and buffers change after a group was booked, and another one has become empty
select tests.clear_authentication();
select tests.add_group('late', 'north', '20:00');
select tests.add_session('late birch', 'north', '20:00', '{"service": "north 97154", "group": "late"}');
select tests.add_session('after', 'north', '21:00', '{"client": "north cedar"}');
delete from public.therapist_availability where therapist_id = tests.id('north rosa');
insert into public.buffer_rules (organization_id, minutes_after) values (tests.id('north'), 15);
select tests.authenticate_as(tests.id('north scheduler login'));
select is(public.join_slot(jsonb_build_object('group_id', tests.id('late'), 'client_id', tests.id('north aspen'))) -> 'problem', null,
  'a group that takes place takes a client more, whatever hours and buffers are for new bookings');
select tests.keep('refused', public.join_slot(jsonb_build_object('group_id', tests.id('open'), 'client_id', tests.id('north birch'))));
select is(
  array[tests.said(tests.kept('refused')), tests.kept('refused') #>> '{problem,conflicts,0,kind}', tests.kept('refused') #>> '{problem,alternatives}'],
  array['therapist_unavailable', 'unavailable', '[]'], 'an empty group is joined only when its therapist works; another time is no place in it');
select tests.clear_authentication();
delete from public.buffer_rules;
select tests.work_round_the_clock('north rosa');
select tests.authenticate_as(tests.id('north scheduler login'));
select tests.keep('joined', public.join_slot(jsonb_build_object('group_id', tests.id('open'), 'client_id', tests.id('north birch'))));
select is(tests.kept('joined') -> 'problem', null, 'an empty group can be joined when its therapist is free');
select public.cancel_sessions(jsonb_build_object('hold_key', tests.kept('joined') #>> '{data,hold_key}'));
select tests.clear_authentication();
select tests.add_session('in its place', 'north', '13:30', '{"client": "north dune"}');
select tests.authenticate_as(tests.id('north scheduler login'));
select is(
  tests.said(public.join_slot(jsonb_build_object('group_id', tests.id('open'), 'client_id', tests.id('north birch')))), 'therapist_conflict',
  'and not when the therapist was booked in its place');

-- ---------------------------------------------------------------------------------------------------------
-- Teams
-- ---------------------------------------------------------------------------------------------------------

select tests.clear_authentication();
insert into public.buffer_rules (organization_id, therapist_id, minutes_before) values (tests.id('north'), tests.id('north theo'), 10);
select tests.authenticate_as(tests.id('north scheduler login'));
select tests.keep('booked', tests.confirm(public.hold_sessions(tests.team_request(
  '15:00', tests.ids('north rosa', 'north theo'), jsonb_build_object('room_id', tests.id('north room'))))));
select is(jsonb_array_length(tests.kept('booked') #> '{data,sessions}'), 2,
  'several technicians are booked on one client and in one room, also when they keep unlike buffers');
select is(
  (select count(distinct team_id)::integer from public.sessions where team_id is not null and client_id = tests.id('north birch')), 1,
  'and are one team');
select is(
  tests.said(public.hold_sessions(tests.team_request('17:00', tests.ids('north rosa', 'north theo'), '{"service_code": "97153"}'))),
  'validation_failed therapist_ids not_a_team_service', 'a service that is not for teams takes one technician');
-- A batch of several technicians, held by a scheduler
select tests.keep('for_two', public.hold_sessions(tests.team_request('06:00', tests.ids('north rosa', 'north theo'))) -> 'data');
select tests.authenticate_as(tests.id('north rosa login'));
select tests.keep('by_rosa', public.cancel_sessions(jsonb_build_object('hold_key', tests.kept('for_two') -> 'hold_key')));
select tests.authenticate_as(tests.id('north theo login'));
select is(
  array[tests.said(tests.kept('by_rosa')), tests.said(public.cancel_sessions(jsonb_build_object('hold_key', tests.kept('for_two') -> 'hold_key')))],
  array['forbidden', 'forbidden'], 'a technician does not release what is held for a colleague too');
select is(
  public.cancel_sessions(jsonb_build_object('hold_key', (
    select hold -> 'hold_key' from jsonb_array_elements(tests.kept('for_two') -> 'holds') hold where hold ->> 'therapist_id' = tests.id('north theo')::text)))
    #>> '{data,cancelled,0,kind}', 'hold', 'but their own place');
select tests.authenticate_as(tests.id('north scheduler login'));
select is(
  jsonb_array_length(public.cancel_sessions(jsonb_build_object('hold_key', tests.kept('for_two') -> 'hold_key')) #> '{data,cancelled}'), 1,
  'who holds it releases the rest');
select is(
  tests.said(public.hold_sessions(tests.hold_request('north', array['15:30'], jsonb_build_object('therapist_id', tests.id('north uma'))))),
  'client_conflict', 'beside a team its client has no time for another session');
select tests.keep('joined', tests.join(tests.kept('booked') #> '{data,session}', 'north uma'));
select is(tests.confirm(tests.kept('joined')) #>> '{data,session,team_id}', tests.kept('booked') #>> '{data,session,team_id}',
  'a technician joins a team');
select is(tests.said(tests.join(tests.kept('booked') #> '{data,session}', 'north uma')), 'validation_failed therapist_id already_in_it',
  'and does so once');
select is(
  tests.said(public.join_slot(jsonb_build_object('team_id', tests.kept('booked') #>> '{data,session,team_id}'))),
  'validation_failed therapist_id required', 'joining a team needs a technician');
select is(
  tests.said(public.hold_sessions(tests.hold_request('north', array['15:30'], jsonb_build_object(
    'therapist_id', tests.id('north theo'), 'client_id', tests.id('north cedar'))))),
  'therapist_conflict', 'a technician in a team is taken');
select tests.leave(session) from jsonb_array_elements(tests.kept('booked') #> '{data,sessions}') session
where session ->> 'therapist_id' = tests.id('north theo')::text;
select is(
  public.hold_sessions(tests.hold_request('north', array['15:30'], jsonb_build_object(
    'therapist_id', tests.id('north theo'), 'client_id', tests.id('north cedar')))) -> 'problem',
  null, 'one who left the team is free, while the others stay');
select is(tests.said(tests.join(tests.kept('booked') #> '{data,session}', 'north theo')), 'therapist_conflict',
  'who is elsewhere at the time cannot join');
select tests.clear_authentication();
delete from public.buffer_rules;

-- ---------------------------------------------------------------------------------------------------------
-- Supervision beside direct treatment
-- ---------------------------------------------------------------------------------------------------------

insert into public.payers (id, organization_id, name) values
  (tests.id('strict'), tests.id('north'), 'strict'), (tests.id('lenient'), tests.id('north'), 'lenient');
insert into public.payer_rules (organization_id, payer_id, starts_on, allows_concurrent_supervision) values
  (tests.id('north'), tests.id('strict'), '2020-01-01', false), (tests.id('north'), tests.id('lenient'), '2020-01-01', true);
insert into public.client_coverages (organization_id, client_id, payer_id, starts_on, ends_on) values
  (tests.id('north'), tests.id('north birch'), tests.id('strict'), tests.at('0:00')::date, tests.at('0:00', 2)::date),
  (tests.id('north'), tests.id('north birch'), tests.id('lenient'), tests.at('0:00', 3)::date, null);
select tests.add_session('direct ' || day, 'north', '08:00', jsonb_build_object('day', day)) from unnest(array[1, 4]) day;
select tests.authenticate_as(tests.id('north scheduler login'));
select is(tests.said(tests.supervise('08:30', 1)), 'client_conflict', 'a payer that bars it lets no supervision (97155) run beside direct treatment (97153)');
select is(tests.supervise('08:30', 4) -> 'problem', null, 'where the payer of the day allows it, they overlap');
select is(tests.supervise('10:00', 1) -> 'problem', null, 'supervision alone is nobody''s to bar');
select is(
  tests.said(public.hold_sessions(tests.hold_request('north', array['08:00'], tests.times(tests.at('10:30', 1), tests.at('11:30', 1))))),
  'client_conflict', 'nor does direct treatment run beside supervision that the payer wants alone');

-- ---------------------------------------------------------------------------------------------------------
-- Buffers
-- ---------------------------------------------------------------------------------------------------------

select tests.clear_authentication();
insert into public.buffer_rules (organization_id, service_id, therapist_id, minutes_before, minutes_after) values
  (tests.id('north'), null, null, 5, 5),
  (tests.id('north'), tests.id('north 97155'), null, 10, 10),
  (tests.id('north'), null, tests.id('north rosa'), 15, 15),
  (tests.id('north'), tests.id('north 97155'), tests.id('north rosa'), 20, 0);
select results_eq(
  $$ select (buffer).minutes_before::integer, (buffer).minutes_after::integer
    from (values ('theo', '97153'), ('theo', '97155'), ('rosa', '97153'), ('rosa', '97155')) given (therapist, service)
    cross join lateral app.buffer_of(tests.id('north'), tests.id('north ' || therapist), tests.id('north ' || service)) buffer $$,
  $$ values (5, 5), (10, 10), (15, 15), (20, 0) $$,
  'the rule for therapist and service counts before the therapist''s, the service''s, and the organization''s');
select tests.authenticate_as(tests.id('north scheduler login'));
select tests.keep('booked', tests.confirm(tests.hold_at('10:00')));
select tests.keep('refused', tests.hold_at('11:10'));
select is(
  array[tests.said(tests.kept('refused')), tests.kept('refused') #>> '{problem,conflicts,0,kind}'], array['therapist_unavailable', 'buffer'],
  'a session too close to another is refused for its buffer: nobody else has the time');
select is((tests.kept('refused') #>> '{problem,alternatives,0,start_time}')::timestamptz, tests.at('11:30', 6),
  'and what is offered keeps the buffers of both');
select is(tests.hold_at('11:30') -> 'problem', null, 'what keeps both buffers is held');
select is(
  public.move_session(tests.occurrence(tests.at('09:50', 6), tests.at('10:50', 6)) || jsonb_build_object(
    'session_id', tests.kept('booked') #> '{data,session,id}', 'version', 1, 'time_zone', 'America/New_York')) -> 'problem',
  null, 'its own buffers do not stand in the way of moving a session');
select is(
  tests.said(public.move_session(tests.occurrence(tests.at('10:10', 6), tests.at('11:10', 6)) || jsonb_build_object(
    'session_id', tests.kept('booked') #> '{data,session,id}', 'version', 2, 'time_zone', 'America/New_York'))),
  'therapist_unavailable', 'another''s do');
select tests.clear_authentication();
update public.buffer_rules set minutes_before = 0, minutes_after = 0;
select is(
  (select (buffer_before_minutes, buffer_after_minutes)::text from public.sessions where id = (tests.kept('booked') #>> '{data,session,id}')::uuid),
  '(15,15)', 'a booking keeps the buffers it was made with');

-- Who joined one time of a group's series is not of the series.
select tests.create_user('north parent login');
insert into public.user_roles (organization_id, user_id, role) values (tests.id('north'), tests.id('north parent login'), 'client');
insert into public.client_guardians (organization_id, client_id, user_id, relationship, starts_on)
values (tests.id('north'), tests.id('north birch'), tests.id('north parent login'), 'parent', current_date - 30);
insert into public.cancellation_rules (organization_id, role, minimum_notice_hours) values (tests.id('north'), 'client', 1);
select tests.authenticate_as(tests.id('north scheduler login'));
select tests.keep('weekly', tests.confirm(public.hold_sessions(tests.group_request('14:00', tests.ids('north aspen', 'north birch'), jsonb_build_object(
  'capacity', 3, 'occurrences', jsonb_build_array(
    tests.occurrence(tests.at('14:00', 8), tests.at('15:00', 8)), tests.occurrence(tests.at('14:00', 15), tests.at('15:00', 15))))))));
select tests.keep('guest', tests.confirm(tests.join(tests.kept('weekly') #> '{data,sessions,0}', 'north cedar')));
select tests.authenticate_as(tests.id('north parent login'));
select is(
  public.cancel_sessions(jsonb_build_object('cancelled_by', 'client', 'session_ids', (
    select jsonb_agg(it -> 'id') from jsonb_array_elements(tests.kept('weekly') #> '{data,sessions}') it
    where it ->> 'client_id' = tests.id('north birch')::text))) #> '{data,staying}', '[]', 'a family learns of nobody else in a group that it leaves');
select tests.authenticate_as(tests.id('north scheduler login'));
select is(
  public.cancel_sessions(jsonb_build_object(
    'series_id', tests.kept('weekly') #> '{data,sessions,0,series_id}', 'from', now(), 'cancelled_by', 'clinic')) #> '{data,staying}',
  jsonb_build_array(jsonb_build_object('id', tests.kept('guest') #> '{data,session,id}', 'kind', 'session')),
  'who cancels a group''s series is told who joined one time of it and stays');
select tests.clear_authentication();

select is_empty('select * from app.ledger_faults()', 'the ledger, the holds and the sessions agree');

select * from finish();
rollback;
