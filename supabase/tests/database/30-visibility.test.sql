-- Who sees which rows: the policies, role by role, across three tenants.
begin;
select plan(53);

select tests.create_clinic('north'), tests.create_clinic('south'), tests.create_clinic('west');

-- In every clinic: Rosa has a session with Birch and Theo one with Cedar, and each of them a group and a hold.
select
  tests.add_session(clinic || ' rosa session', clinic, '10:00'),
  tests.add_session(clinic || ' theo session', clinic, '10:00', jsonb_build_object('therapist', clinic || ' theo', 'client', clinic || ' cedar')),
  tests.add_group(clinic || ' rosa group', clinic, '14:00'),
  tests.add_group(clinic || ' theo group', clinic, '14:00', jsonb_build_object('therapist', clinic || ' theo')),
  tests.add_hold(clinic || ' rosa hold', clinic, '12:00'),
  tests.add_hold(clinic || ' theo hold', clinic, '12:00', jsonb_build_object('therapist', clinic || ' theo', 'client', clinic || ' cedar'))
from unnest(array['north', 'south', 'west']) clinic;

-- Rosa of North also treats in South, as an RBT on Aspen's team there. West is strange to everybody.
insert into public.user_roles (id, organization_id, user_id, role) values
  (tests.id('south second rosa role'), tests.id('south'), tests.id('north rosa login'), 'therapist');
insert into public.therapists (id, organization_id, user_id, display_name, credential) values
  (tests.id('south second rosa'), tests.id('south'), tests.id('north rosa login'), 'rosa', 'RBT');
insert into public.care_team_assignments (organization_id, therapist_id, client_id, team_role, starts_on) values
  (tests.id('south'), tests.id('south second rosa'), tests.id('south aspen'), 'therapist', current_date - 1);

-- A login of North for every role that sees less.
insert into public.user_roles (organization_id, user_id, role)
select case when role <> 'super_admin' then tests.id('north') end, tests.create_user('north ' || role || ' login'), role
from unnest(array['client', 'psychiatrist', 'partner_provider', 'system_service', 'super_admin']) role;

-- ---------------------------------------------------------------------------------------------------------
-- Clients and care teams
-- ---------------------------------------------------------------------------------------------------------

-- acting as Theo of North, who belongs to North only
select tests.authenticate_as(tests.id('north theo login'));
select set_eq(
  'select id from public.clients', array[tests.id('north birch'), tests.id('north cedar')],
  'a therapist sees the clients of their own care teams and no other of the clinic');
select set_eq(
  'select distinct client_id from public.care_team_assignments', array[tests.id('north birch'), tests.id('north cedar')],
  'a therapist sees the care teams of their clients, colleagues included, and no other team');
select set_eq(
  $$ select therapist_id from public.care_team_assignments where client_id = tests.id('north birch') $$,
  array[tests.id('north rosa'), tests.id('north theo')], 'a therapist sees who else is on a client''s team');
select set_eq(
  'select id from public.therapists', array[tests.id('north rosa'), tests.id('north theo')],
  'a therapist sees the therapists of the clinic');
select set_eq('select id from public.rooms', array[tests.id('north room')], 'a therapist sees the rooms of the clinic');
select set_eq(
  'select distinct organization_id from public.services', array[tests.id('north')], 'a therapist sees the services of the clinic');
select set_eq(
  'select user_id from public.user_roles', array[tests.id('north theo login')], 'a therapist sees no role but their own');
select throws_ok('select calls_per_minute from public.organizations', '42501', null, 'a member does not read the clinic''s limits');

-- acting as Rosa of North, who is a therapist of South too
select tests.authenticate_as(tests.id('north rosa login'));
select set_eq(
  'select id from public.clients', array[tests.id('north aspen'), tests.id('north birch'), tests.id('south aspen')],
  'a therapist of two clinics sees the clients of their teams in both');
select tests.authenticate_as(tests.id('north rosa login'), 'aal1', jsonb_build_object('org_id', tests.id('south')));
select set_eq('select id from public.clients', array[tests.id('south aspen')], 'the claim org_id narrows that to the clients of one clinic');

-- acting as the owner: Rosa leaves Aspen's team yesterday, joins Cedar's tomorrow
select tests.clear_authentication();
update public.care_team_assignments
set ends_on = (now() at time zone 'America/New_York')::date - 1
where id = tests.id('north rosa aspen');
insert into public.care_team_assignments (organization_id, therapist_id, client_id, team_role, starts_on) values
  (tests.id('north'), tests.id('north rosa'), tests.id('north cedar'), 'therapist', (now() at time zone 'America/New_York')::date + 1);
select tests.authenticate_as(tests.id('north rosa login'), 'aal1', jsonb_build_object('org_id', tests.id('north')));
select set_eq(
  'select id from public.clients', array[tests.id('north birch')],
  'a therapist sees a client from the first day on the team to the last, by the clinic''s calendar');

-- acting as North's scheduler and North's admin
select tests.authenticate_as(tests.id('north scheduler login'));
select set_eq(
  'select id from public.clients', array[tests.id('north aspen'), tests.id('north birch'), tests.id('north cedar')],
  'a scheduler sees the clients of the clinic');
select is((select count(*)::integer from public.care_team_assignments), 5, 'a scheduler sees the care teams of the clinic');
select set_eq(
  'select user_id from public.user_roles', array[tests.id('north scheduler login')], 'a scheduler sees no role but their own');
select tests.authenticate_as(tests.id('north admin login'));
select set_eq(
  'select distinct organization_id from public.user_roles', array[tests.id('north')], 'an admin sees the roles of the clinic, and of no other');
select is((select count(*)::integer from public.user_roles), 8, 'an admin sees every role of the clinic');

-- acting as the roles that see no clients yet
select tests.authenticate_as(tests.id('north psychiatrist login'));
select set_eq(
  'select id from public.therapists', array[tests.id('north rosa'), tests.id('north theo')], 'a psychiatrist sees the therapists of the clinic');
select is_empty('select id from public.clients', 'a psychiatrist without an assignment sees no client');
select tests.authenticate_as(tests.id('north client login'));
select set_eq('select id from public.organizations', array[tests.id('north')], 'a client sees the clinic they belong to');
select is_empty(
  $$ select id from public.clients union all select id from public.therapists union all select id from public.rooms
    union all select id from public.care_team_assignments $$,
  'a client sees nobody else''s record');
select tests.authenticate_as(tests.id('north partner_provider login'));
select is_empty(
  $$ select id from public.clients union all select id from public.therapists union all select id from public.sessions $$,
  'a partner sees no client, therapist or session that was not shared with them');
select tests.authenticate_as(tests.id('north super_admin login'), 'aal2');
select is_empty(
  $$ select id from public.clients union all select id from public.therapists union all select id from public.sessions $$,
  'a platform operator sees no record of a tenant');

-- ---------------------------------------------------------------------------------------------------------
-- Sessions and holds
-- ---------------------------------------------------------------------------------------------------------

select tests.authenticate_as(tests.id('north rosa login'));
select set_eq('select id from public.sessions', array[tests.id('north rosa session')], 'a therapist sees their own sessions and no colleague''s');
select set_eq('select id from public.session_groups', array[tests.id('north rosa group')], 'a therapist sees their own groups and no colleague''s');
select set_eq('select id from public.session_holds', array[tests.id('north rosa hold')], 'a therapist sees the holds on their own time');
select tests.authenticate_as(tests.id('north scheduler login'));
select set_eq(
  'select id from public.sessions', array[tests.id('north rosa session'), tests.id('north theo session')],
  'a scheduler sees the sessions of the clinic');
select set_eq(
  'select id from public.session_groups', array[tests.id('north rosa group'), tests.id('north theo group')],
  'a scheduler sees the groups of the clinic');
select set_eq(
  'select id from public.session_holds', array[tests.id('north rosa hold'), tests.id('north theo hold')],
  'a scheduler sees the holds of the clinic');
select tests.authenticate_as(tests.id('north client login'));
select is_empty(
  'select id from public.sessions union all select id from public.session_holds', 'a client sees nobody else''s session or hold');

-- ---------------------------------------------------------------------------------------------------------
-- The schedule
-- ---------------------------------------------------------------------------------------------------------

-- Rosa's time off and series with Birch, and what else there is to know of Birch; the same in South.
select tests.clear_authentication();
select tests.fill_schedule(clinic) from unnest(array['north', 'south']) clinic;
create temp view schedule as
select 'hours of ' || therapist.display_name as what, hours.organization_id
from public.therapist_availability hours join public.therapists therapist on therapist.id = hours.therapist_id
union select kind, organization_id from public.availability_exceptions
union select 'preferred hours', organization_id from public.client_preferred_hours
union select 'coverage', organization_id from public.client_coverages
union select 'payer', organization_id from public.payers
union select 'rule of a payer', organization_id from public.payer_rules
union select 'modifiers of a payer', organization_id from public.payer_modifiers
union select 'buffer', organization_id from public.buffer_rules
union select 'rule for cancelling', organization_id from public.cancellation_rules
union select 'series', organization_id from public.session_series
union select 'team', organization_id from public.session_teams
union select 'waitlist', organization_id from public.waitlist_entries
union select 'wanted times', organization_id from public.waitlist_times;
alter view schedule set (security_invoker = true);
grant select on schedule to authenticated;

select tests.authenticate_as(tests.id('north rosa login'), 'aal1', jsonb_build_object('org_id', tests.id('north')));
select set_eq(
  'select what from schedule',
  array['hours of north rosa', 'time_off', 'holiday', 'preferred hours', 'payer', 'rule of a payer', 'modifiers of a payer', 'buffer', 'rule for cancelling', 'series', 'team', 'waitlist', 'wanted times'],
  'a therapist sees when they work, what repeats, and who of their clients waits; who pays for whom they do not');
-- acting as Theo, who is on Birch's team too
select tests.authenticate_as(tests.id('north theo login'));
select set_eq(
  'select what from schedule',
  array['hours of north theo', 'holiday', 'preferred hours', 'payer', 'rule of a payer', 'modifiers of a payer', 'buffer', 'rule for cancelling', 'team', 'waitlist', 'wanted times'],
  'a colleague sees neither their hours, nor their time off and why, nor their series');
select tests.authenticate_as(tests.id('north scheduler login'));
select is((select count(*)::integer from schedule where organization_id = tests.id('north')), 15, 'a scheduler sees the whole schedule of the clinic');
select is_empty(
  $$ select what from schedule where organization_id <> tests.id('north') $$, 'and of no other clinic');
select tests.authenticate_as(tests.id('north psychiatrist login'));
select is_empty('select what from schedule', 'a psychiatrist without an assignment sees nothing of the schedule');
select tests.authenticate_as(tests.id('north super_admin login'), 'aal2');
select is_empty('select what from schedule', 'nor does a platform operator');
select tests.authenticate_as(tests.id('north client login'));
select set_eq('select what from schedule', array['rule for cancelling'], 'a login of a family sees until when it may cancel');
select tests.clear_authentication();
insert into public.client_guardians (organization_id, client_id, user_id, relationship, starts_on) values
  (tests.id('north'), tests.id('north birch'), tests.id('north client login'), 'parent', current_date - 1);
select tests.add_hold('north offer', 'north', '18:00');
update public.session_holds set waitlist_entry_id = tests.id('north entry') where id = tests.id('north offer');
select tests.authenticate_as(tests.id('north client login'));
select set_eq(
  'select what from schedule', array['rule for cancelling', 'waitlist', 'wanted times'], 'a guardian sees what their child waits for');
select set_eq('select id from public.session_holds', array[tests.id('north offer')], 'and the time that it is offered, of all that is held for it');
select tests.clear_authentication();

-- acting as Rosa, who has become inactive in North
select tests.clear_authentication();
update public.therapists set status = 'inactive' where id = tests.id('north rosa');
select tests.authenticate_as(tests.id('north rosa login'));
select is_empty('select id from public.sessions', 'an inactive therapist sees no session');
select set_eq('select id from public.clients', array[tests.id('south aspen')], 'an inactive therapist sees no client of the clinic');
select tests.clear_authentication();
select is(
  (select count(*)::integer from public.sessions where therapist_id = tests.id('north rosa')), 1, 'the session that was hidden exists');

-- acting as North's scheduler, who holds a time and then loses the role
select tests.authenticate_as(tests.id('north scheduler login'));
select tests.keep('held', public.hold_sessions(tests.hold_request(
  'north', array['15:00'], jsonb_build_object('therapist_id', tests.id('north theo')))));
select is((select count(*)::integer from public.session_holds where created_by = auth.uid()), 1, 'a user sees the hold they made');
select tests.clear_authentication();
update public.user_roles set revoked_at = now() where id = tests.id('north scheduler role');
select tests.authenticate_as(tests.id('north scheduler login'));
select is_empty('select id from public.session_holds', 'who lost their role sees not even the holds they made');
select tests.clear_authentication();
select is(
  (select count(*)::integer from public.session_holds where created_by = tests.id('north scheduler login')), 1, 'the hold that was hidden exists');

-- ---------------------------------------------------------------------------------------------------------
-- Writing
-- ---------------------------------------------------------------------------------------------------------

-- acting as North's admin, the most that a user can be
select tests.authenticate_as(tests.id('north admin login'));
select throws_ok(attempt.statement, '42501', null, attempt.name)
from (values
  ($$ insert into public.clients (organization_id, full_name) values (tests.id('south'), 'new') $$, 'an admin adds no client to another clinic'),
  ($$ update public.clients set status = 'archived' where id = tests.id('north birch') $$, 'an admin archives no client but through the RPC'),
  ($$ update public.clients set organization_id = tests.id('north') $$, 'an admin moves no client between clinics'),
  ($$ update public.user_roles set role = 'super_admin' where user_id = auth.uid() $$, 'an admin does not raise their own role'),
  ($$ select tests.add_session('direct', 'north', '20:00') $$, 'an admin inserts no session directly'),
  ($$ update public.sessions set start_time = start_time where id = tests.id('north theo session') $$, 'an admin moves no session directly'),
  ($$ delete from public.sessions where id = tests.id('north theo session') $$, 'an admin deletes no session'),
  ($$ update public.session_holds set created_by = auth.uid() $$, 'an admin makes nobody''s hold their own'),
  ($$ select subject_id from public.calendar_claims $$, 'an admin does not read the ledger')
) attempt (statement, name);

select tests.clear_authentication();
select * from finish();
rollback;
