-- Cancellation policy: who may cancel what until when, how much notice there was, and what becomes of the series.
begin;
select plan(53);

select tests.create_clinic('north'), tests.create_clinic('south');
select tests.create_user('north parent login'), tests.create_user('north stranger login');
insert into public.user_roles (organization_id, user_id, role)
select tests.id('north'), tests.id(login), 'client' from unnest(array['north parent login', 'north stranger login']) login;
insert into public.client_guardians (organization_id, client_id, user_id, relationship, starts_on)
values (tests.id('north'), tests.id('north birch'), tests.id('north parent login'), 'parent', current_date - 30);
update public.organizations set cancellation_notice_hours = 24 where id = tests.id('north');

-- A session of Rosa with Birch, an hour, so long from now.
create function tests.session_in(label text, wait interval, client text default 'north birch', therapist text default 'north rosa') returns void
language sql set search_path = '' as $$
  insert into public.sessions (id, organization_id, therapist_id, client_id, service_id, start_time, end_time, time_zone)
  values (tests.id(label), tests.id('north'), tests.id(therapist), tests.id(client), tests.id('north 97153'),
    now() + wait, now() + wait + interval '1 hour', 'America/New_York')
$$;
create function tests.cancel_as(by_whom text, variadic labels text[]) returns jsonb language sql set search_path = '' as $$
  select public.cancel_sessions(pg_catalog.jsonb_build_object('cancelled_by', by_whom,
    'session_ids', (select pg_catalog.jsonb_agg(tests.id(label)) from pg_catalog.unnest(labels) label)))
$$;
-- The answer as words: what became of each session.
create function tests.fate(answer jsonb, variadic labels text[]) returns text[] language sql set search_path = '' as $$
  select coalesce(pg_catalog.array_agg(pg_catalog.concat_ws(' ', label, list.key, item ->> 'reason',
    case item ->> 'late' when 'true' then 'late' when 'false' then 'in time' end) order by label), array[answer #>> '{problem,code}'])
  from pg_catalog.jsonb_each(answer -> 'data') list
  cross join lateral pg_catalog.jsonb_array_elements(list.value) item
  join pg_catalog.unnest(labels) label on tests.id(label) = (item ->> 'id')::uuid
$$;
grant execute on function tests.cancel_as, tests.fate to authenticated;

select tests.session_in('a day', '24 hours 10 seconds'), tests.session_in('under a day', '26 hours'), tests.session_in('two days', '48 hours 10 seconds'),
  tests.session_in('soon', '3 hours'), tests.session_in('begun', '-10 minutes'), tests.session_in('of aspen', '5 hours', 'north aspen'), tests.session_in('of theo', '5 hours', 'north cedar', 'north theo');
update public.sessions set start_time = now() + interval '22 hours 59 minutes 30 seconds', end_time = now() + interval '23 hours 40 minutes' where id = tests.id('under a day');
savepoint booked;

-- ---------------------------------------------------------------------------------------------------------
-- Notice, and whether it was late
-- ---------------------------------------------------------------------------------------------------------

-- acting as Rosa
select tests.authenticate_as(tests.id('north rosa login'));
select is(
  tests.fate(tests.cancel_as('client', 'a day', 'under a day', 'begun'), 'a day', 'under a day', 'begun'),
  array['a day cancelled in time', 'begun cancelled late', 'under a day cancelled late'],
  'a client who gives the day''s notice is in time, and late with less');
select is(tests.fate(tests.cancel_as('therapist', 'soon'), 'soon'), array['soon cancelled late'], 'a therapist is late as well');
select tests.clear_authentication();
select results_eq(
  $$ select cancellation_notice_minutes, late_cancellation from public.sessions where id in (tests.id('a day'), tests.id('under a day'), tests.id('begun'), tests.id('soon')) order by start_time $$,
  $$ values (-10 - 1, true), (179, true), (22 * 60 + 59, true), (24 * 60, false) $$,
  'the notice is kept in whole minutes, negative after the start');
rollback to booked;
select tests.authenticate_as(tests.id('north scheduler login'));
select is(tests.fate(tests.cancel_as('clinic', 'soon', 'begun'), 'soon', 'begun'), array['begun cancelled in time', 'soon cancelled in time'], 'a clinic is never late');
select is(tests.fate(tests.cancel_as('client', 'soon'), 'soon'), array['soon already_cancelled'], 'cancelling again tells nothing of late');
select tests.clear_authentication();
select is((select late_cancellation from public.sessions where id = tests.id('soon')), false, 'nor makes it late');
select is(
  (select num_nonnulls(cancellation_notice_minutes, late_cancellation) from public.sessions where id = tests.id('a day')), 0, 'what is not cancelled has no notice');
rollback to booked;
update public.organizations set cancellation_notice_hours = 2 where id = tests.id('north');
select tests.authenticate_as(tests.id('north scheduler login'));
select is(tests.fate(tests.cancel_as('client', 'soon'), 'soon'), array['soon cancelled in time'], 'what is late is the organization''s to say');
rollback to booked;
update public.sessions set status = 'cancelled', cancelled_by = 'client' where id = tests.id('soon');
select results_eq(
  $$ select cancellation_notice_minutes, late_cancellation from public.sessions where id = tests.id('soon') $$,
  $$ values (179, true) $$, 'who cancels by plain SQL leaves the notice, too');
rollback to booked;

-- ---------------------------------------------------------------------------------------------------------
-- Staff: any time while scheduled, or as long as the rule of their roles says
-- ---------------------------------------------------------------------------------------------------------

insert into public.cancellation_rules (organization_id, role, minimum_notice_hours) values (tests.id('north'), 'therapist', 24), (tests.id('south'), 'internal_ops', 300), (tests.id('south'), 'therapist', 0);
select tests.authenticate_as(tests.id('north rosa login'));
select is(
  tests.fate(tests.cancel_as('client', 'a day', 'under a day', 'soon', 'begun'), 'a day', 'under a day', 'soon', 'begun'),
  array['a day cancelled in time', 'begun not_cancellable too_late', 'soon not_cancellable too_late', 'under a day not_cancellable too_late'],
  'with a rule, a therapist cancels as long as there is that much notice; the others are cancelled');
select tests.clear_authentication();
update public.sessions set status = 'cancelled', cancelled_by = 'clinic' where id = tests.id('begun');
select tests.authenticate_as(tests.id('north rosa login'));
select is(tests.fate(tests.cancel_as('client', 'begun'), 'begun'), array['begun already_cancelled'], 'what is cancelled already is not too late');
select tests.clear_authentication();
select is((select array_agg(distinct status) from public.sessions where id in (tests.id('soon'), tests.id('under a day'))), array['scheduled'], 'what was too late stands');
select tests.authenticate_as(tests.id('north scheduler login'));
select is(tests.fate(tests.cancel_as('clinic', 'soon'), 'soon'), array['soon cancelled in time'], 'a role without a rule cancels any time');
rollback to booked;

insert into public.cancellation_rules (organization_id, role, minimum_notice_hours)
values (tests.id('north'), 'therapist', 24), (tests.id('north'), 'internal_ops', 4), (tests.id('north'), 'admin', 0);
insert into public.user_roles (organization_id, user_id, role) values (tests.id('north'), tests.id('north rosa login'), 'internal_ops');
select tests.authenticate_as(tests.id('north rosa login'));
select is(
  tests.fate(tests.cancel_as('client', 'under a day', 'soon', 'of theo'), 'under a day', 'soon', 'of theo'),
  array['of theo cancelled late', 'soon not_cancellable too_late', 'under a day cancelled late'], 'of several roles the most lenient counts');
select tests.authenticate_as(tests.id('north admin login'));
select is(tests.fate(tests.cancel_as('clinic', 'soon', 'begun'), 'soon', 'begun'), array['begun not_cancellable too_late', 'soon cancelled in time'], 'a rule of no hours ends at the start');
rollback to booked;

insert into public.cancellation_rules (organization_id, role, minimum_notice_hours) values (tests.id('north'), 'therapist', 24), (tests.id('north'), 'supervisor', 2);
insert into public.user_roles (organization_id, user_id, role) values (tests.id('north'), tests.id('north rosa login'), 'supervisor');
select tests.authenticate_as(tests.id('north rosa login'));
select is(tests.fate(tests.cancel_as('client', 'soon'), 'soon'), array['soon cancelled late'], 'also of two roles that book their own');
rollback to booked;

insert into public.cancellation_rules (organization_id, role, minimum_notice_hours) values (tests.id('north'), 'therapist', 4);
insert into public.user_roles (organization_id, user_id, role) values (tests.id('north'), tests.id('north rosa login'), 'supervisor');
update public.user_roles set revoked_at = now() where user_id = tests.id('north rosa login') and role = 'supervisor';
select tests.authenticate_as(tests.id('north rosa login'));
select is(tests.fate(tests.cancel_as('client', 'soon'), 'soon'), array['soon not_cancellable too_late'], 'a role that was revoked does not count');
select is(tests.fate(tests.cancel_as('client', 'of theo'), 'of theo'), array['not_found'], 'a colleague''s session stays the colleague''s');
rollback to booked;

-- ---------------------------------------------------------------------------------------------------------
-- Families: only where the organization lets them, only their own, only as the client
-- ---------------------------------------------------------------------------------------------------------

select tests.authenticate_as(tests.id('north parent login'));
select is(tests.fate(tests.cancel_as('client', 'two days'), 'two days'), array['forbidden'], 'without a rule for families they do not cancel');
select is(tests.fate(tests.cancel_as('clinic', 'two days'), 'two days'), array['forbidden'], 'as whomever');
select tests.clear_authentication();
insert into public.cancellation_rules (organization_id, role, minimum_notice_hours) values (tests.id('north'), 'client', 24);
select tests.authenticate_as(tests.id('north parent login'));
select is(
  tests.fate(tests.cancel_as('client', 'two days', 'soon'), 'two days', 'soon'), array['soon not_cancellable too_late', 'two days cancelled in time'],
  'with a rule they cancel their child''s session, in time');
select is(tests.cancel_as(by_whom, 'a day') #>> '{problem,errors,0,field}', 'cancelled_by', format('not as the %s', by_whom))
from unnest(array['therapist', 'clinic']) by_whom;
select is(tests.fate(tests.cancel_as('client', 'of aspen'), 'of aspen'), array['not_found'], 'another family''s session is not found');
select is(tests.fate(tests.cancel_as('clinic', 'of aspen'), 'of aspen'), array['not_found'], 'whoever is said to cancel');
select is(tests.fate(tests.cancel_as('client', 'a day', 'of aspen'), 'a day'), array['not_found'], 'one session that is not theirs refuses the call');
select is(tests.fate(tests.cancel_as('clinic', 'a day', 'nothing'), 'a day'), array['not_found'], 'and so does one that does not exist');
select tests.authenticate_as(tests.id('north stranger login'));
select is(tests.fate(tests.cancel_as('client', 'a day'), 'a day'), array['not_found'], 'who stands for nobody cancels nothing');
select tests.clear_authentication();
update public.client_guardians set ends_on = current_date - 2 where user_id = tests.id('north parent login');
select tests.authenticate_as(tests.id('north parent login'));
select is(tests.fate(tests.cancel_as('client', 'a day'), 'a day'), array['not_found'], 'nor who did so until lately');
select tests.clear_authentication();
select is((select status from public.sessions where id = tests.id('a day')), 'scheduled', 'the refused calls cancelled nothing');
rollback to booked;

-- A parent who works here: as the client by the families' rule, of the client only.
insert into public.cancellation_rules (organization_id, role, minimum_notice_hours) values (tests.id('north'), 'client', 2), (tests.id('north'), 'therapist', 24);
insert into public.user_roles (organization_id, user_id, role) values (tests.id('north'), tests.id('north rosa login'), 'client');
insert into public.client_guardians (organization_id, client_id, user_id, relationship, starts_on)
values (tests.id('north'), tests.id('north birch'), tests.id('north rosa login'), 'parent', current_date - 30);
select tests.authenticate_as(tests.id('north rosa login'));
select is(tests.fate(tests.cancel_as('therapist', 'soon'), 'soon'), array['soon not_cancellable too_late'], 'as the therapist, by the therapists'' rule');
select is(tests.fate(tests.cancel_as('client', 'soon', 'of aspen'), 'soon', 'of aspen'), array['of aspen not_cancellable too_late', 'soon cancelled late'], 'as the client, by the families''');
rollback to booked;

-- ---------------------------------------------------------------------------------------------------------
-- Series
-- ---------------------------------------------------------------------------------------------------------

create function tests.series() returns uuid language sql set search_path = '' as $$ select (tests.kept('series') #>> '{}')::uuid $$;
create function tests.occurrence_ids() returns uuid[] language sql stable set search_path = '' as $$
  select array_agg(id order by start_time) from public.sessions where series_id = tests.series()
$$;
create function tests.local(variadic clocks text[]) returns timestamp[] language sql set search_path = '' as $$
  select coalesce(pg_catalog.array_agg(tests.at(clock) at time zone 'America/New_York' order by clock), '{}') from pg_catalog.unnest(clocks) clock
$$;
grant execute on function tests.series, tests.occurrence_ids to authenticated;
select tests.authenticate_as(tests.id('north rosa login'));
select tests.keep('series', public.hold_sessions(tests.hold_request('north', array['08:00', '10:00', '12:00', '14:00'])) #> '{data,hold_key}');
select public.confirm_sessions(jsonb_build_object('hold_key', tests.series()));
select is(cardinality(tests.occurrence_ids()), 4, 'four sessions are a series');
select tests.clear_authentication();
-- It was moved, and keeps its place.
update public.sessions set start_time = tests.at('16:00'), end_time = tests.at('17:00') where id = (tests.occurrence_ids())[2];
savepoint repeated;

select tests.authenticate_as(tests.id('north rosa login'));
select is(
  jsonb_array_length(public.cancel_sessions(jsonb_build_object('session_ids', array[(select id from public.sessions where start_time = tests.at('16:00'))], 'cancelled_by', 'client')) #> '{data,cancelled}'),
  1, 'an occurrence that was moved is cancelled');
select tests.clear_authentication();
select results_eq(
  $$ select exdates, status from public.session_series where id = tests.series() $$, $$ values (tests.local('10:00'), 'active') $$,
  'its place in the series is one of the exception dates');
select tests.authenticate_as(tests.id('north rosa login'));
select is(
  jsonb_array_length(public.cancel_sessions(jsonb_build_object('series_id', tests.series(), 'from', tests.at('12:00'), 'cancelled_by', 'client')) #> '{data,cancelled}'),
  2, 'the rest is cancelled from a moment on');
select tests.clear_authentication();
select results_eq(
  $$ select exdates, status from public.session_series where id = tests.series() $$, $$ values (tests.local('10:00', '12:00', '14:00'), 'active') $$,
  'and is on the exception dates; the series goes on while something of it is to come');
select tests.authenticate_as(tests.id('north rosa login'));
select public.cancel_sessions(jsonb_build_object('series_id', tests.series(), 'from', tests.at('00:00'), 'cancelled_by', 'client'));
select tests.clear_authentication();
select results_eq(
  $$ select exdates, status from public.session_series where id = tests.series() $$, $$ values (tests.local('08:00', '10:00', '12:00', '14:00'), 'ended') $$,
  'a series of which nothing is to come has ended, and names each date once');
rollback to repeated;

update public.sessions set start_time = now() - interval '2 hours', end_time = now() - interval '1 hour' where id = (tests.occurrence_ids())[1];
update public.sessions set status = 'no_show' where id = (tests.occurrence_ids())[2];
select tests.authenticate_as(tests.id('north rosa login'));
select is(
  jsonb_array_length(public.cancel_sessions(jsonb_build_object('series_id', tests.series(), 'from', now(), 'cancelled_by', 'client')) #> '{data,cancelled}'), 2,
  'what is to come of it is cancelled');
select tests.clear_authentication();
select is((select status from public.session_series where id = tests.series()), 'ended', 'what is past does not keep it');
rollback to repeated;

insert into public.session_holds (organization_id, batch_key, therapist_id, client_id, service_id, series_id, occurrence_start, start_time, end_time, time_zone, expires_at)
select it.organization_id, gen_random_uuid(), it.therapist_id, it.client_id, it.service_id, it.series_id, tests.at('18:00'), tests.at('18:00'), tests.at('19:00'), it.time_zone, now() + interval '5 minutes'
from public.sessions it where it.series_id = tests.series() limit 1;
select tests.authenticate_as(tests.id('north rosa login'));
select public.cancel_sessions(jsonb_build_object('series_id', tests.series(), 'from', now(), 'cancelled_by', 'client'));
select tests.clear_authentication();
select is((select status from public.session_series where id = tests.series()), 'active', 'what is held for it keeps it');
rollback to repeated;

insert into public.cancellation_rules (organization_id, role, minimum_notice_hours) values (tests.id('north'), 'therapist', 336);
update public.sessions set start_time = tests.at('08:00', -25), end_time = tests.at('09:00', -25) where id = (tests.occurrence_ids())[1];
select tests.authenticate_as(tests.id('north rosa login'));
select tests.keep('rest', public.cancel_sessions(jsonb_build_object('series_id', tests.series(), 'from', now(), 'cancelled_by', 'client')));
select is(
  array[jsonb_array_length(tests.kept('rest') #> '{data,cancelled}'), jsonb_array_length(tests.kept('rest') #> '{data,not_cancellable}')], array[3, 1],
  'of a series, what is too late is left');
select tests.clear_authentication();
select results_eq(
  $$ select exdates, status from public.session_series where id = tests.series() $$, $$ values (tests.local('10:00', '12:00', '14:00'), 'active') $$, 'and stays in the series');
rollback to repeated;

-- ---------------------------------------------------------------------------------------------------------
-- Freed time is offered; groups stay
-- ---------------------------------------------------------------------------------------------------------

create table tests.freed (organization_id uuid, session_ids uuid[]);
create or replace function app.offer_freed_time(organization uuid, session_ids uuid[]) returns void language sql set search_path = '' as $$
  insert into tests.freed values (organization, session_ids)
$$;
insert into public.cancellation_rules (organization_id, role, minimum_notice_hours) values (tests.id('north'), 'therapist', 24);
select tests.authenticate_as(tests.id('north rosa login'));
select tests.cancel_as('client', 'two days', 'soon');
select tests.clear_authentication();
select results_eq(
  $$ select organization_id, session_ids from tests.freed $$, $$ values (tests.id('north'), array[tests.id('two days')]) $$, 'what was cancelled is offered, and nothing else');
rollback to repeated;

select tests.add_group('group', 'north', '20:00');
select tests.add_session('member', 'north', '20:00', '{"group": "group", "service": "north 97154"}'),
  tests.add_session('other member', 'north', '20:00', '{"group": "group", "service": "north 97154", "client": "north aspen"}');
select is((select members::integer from public.session_groups where id = tests.id('group')), 2, 'a group of two');
select tests.authenticate_as(tests.id('north rosa login'));
select is(tests.fate(tests.cancel_as('client', 'member'), 'member'), array['member cancelled in time'], 'a member leaves');
select tests.clear_authentication();
select is((select members::integer from public.session_groups where id = tests.id('group')), 1, 'the others stay');
select is((select status from public.sessions where id = tests.id('other member')), 'scheduled', 'with their session');
select is_empty('select * from app.ledger_faults()', 'the ledger is sound');

-- ---------------------------------------------------------------------------------------------------------
-- The rules themselves
-- ---------------------------------------------------------------------------------------------------------

select tests.authenticate_as(tests.id('north admin login'));
select lives_ok(
  $$ insert into public.cancellation_rules (organization_id, role, minimum_notice_hours) values (tests.id('north'), 'client', 48) $$, 'an admin makes a rule');
select tests.authenticate_as(tests.id('north scheduler login'));
select throws_ok(
  $$ insert into public.cancellation_rules (organization_id, role, minimum_notice_hours) values (tests.id('north'), 'therapist', 48) $$, '42501', null, 'a scheduler does not');
select is_empty($$ update public.cancellation_rules set minimum_notice_hours = 0 returning id $$, 'nor changes one');
select tests.authenticate_as(tests.id('north parent login'));
select results_eq($$ select role, minimum_notice_hours from public.cancellation_rules $$, $$ values ('client', 48) $$, 'a family reads until when it may cancel, unchanged');

select * from finish();
rollback;
