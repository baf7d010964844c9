-- Who belongs where: memberships are read in the statement that uses them; a claim narrows and never grants.
begin;
select plan(34);

select tests.create_clinic('north'), tests.create_clinic('south'), tests.create_clinic('west');

-- Dora runs North's clinic and treats in South; Noah has a login and no role; West is nobody's of theirs.
select tests.create_user('dora login'), tests.create_user('noah login');
insert into public.user_roles (organization_id, user_id, role) values
  (tests.id('north'), tests.id('dora login'), 'admin'),
  (tests.id('south'), tests.id('dora login'), 'therapist');
insert into public.therapists (id, organization_id, user_id, display_name, credential) values
  (tests.id('south dora'), tests.id('south'), tests.id('dora login'), 'dora', 'BCBA');

-- ---------------------------------------------------------------------------------------------------------
-- A therapist is one person
-- ---------------------------------------------------------------------------------------------------------

-- acting as West's admin
select tests.authenticate_as(tests.id('west admin login'));
select throws_ok(
  format($$ update public.therapists set user_id = %s where id = tests.id('west rosa') $$, login), '23514',
  'a therapist is who they are: constraint "therapists_login_stays"', name)
from (values
  ($$ tests.id('noah login') $$, 'nobody becomes another therapist, with what that one has read and written'),
  ('null', 'nor does a therapist become nobody')
) refused (login, name);
insert into public.therapists (id, organization_id, display_name, credential) values (tests.id('west uma'), tests.id('west'), 'uma', 'RBT');
select lives_ok(
  $$ update public.therapists set user_id = tests.id('noah login') where id = tests.id('west uma') $$, 'who has had no login is given one');
-- acting as the owner
select tests.clear_authentication();
select lives_ok(
  $$ update public.therapists set user_id = null where id = tests.id('west uma') $$, 'a mistake is for who runs the platform to mend');

-- ---------------------------------------------------------------------------------------------------------
-- A role ends at once
-- ---------------------------------------------------------------------------------------------------------

-- acting as North's admin
select tests.authenticate_as(tests.id('north admin login'));
select is((select count(*)::integer from public.clients), 3, 'an admin sees the clients of the clinic');

-- acting as the owner
select tests.clear_authentication();
update public.user_roles set revoked_at = now() where id = tests.id('north admin role');
-- acting as North's admin, with the token from before
select tests.authenticate_as(tests.id('north admin login'), 'aal1', jsonb_build_object('org_id', tests.id('north'), 'org_role', 'admin'));
select is_empty('select id from public.clients', 'a revoked role sees nothing in the next statement, whatever the token says');
select is_empty('select id from public.organizations', 'a revoked role belongs to no organization');
select isnt_empty(
  $$ select id from public.user_roles where revoked_at is not null $$, 'a user still sees that a role of theirs has ended');
select tests.clear_authentication();
select is(
  (select count(*)::integer from public.clients where organization_id = tests.id('north')), 3, 'the clients that were hidden exist');

update public.user_roles set expires_at = now() + interval '1 hour' where id = tests.id('south admin role');
select tests.authenticate_as(tests.id('south admin login'));
select is((select count(*)::integer from public.clients), 3, 'a role that will expire counts until then');
select tests.clear_authentication();
update public.user_roles set expires_at = now() where id = tests.id('south admin role');
select tests.authenticate_as(tests.id('south admin login'));
select is_empty('select id from public.clients', 'an expired role sees nothing in the next statement');
select tests.clear_authentication();

select lives_ok(
  $$ insert into public.user_roles (organization_id, user_id, role)
    values (tests.id('north'), tests.id('north admin login'), 'admin') $$,
  'a revoked role can be granted again as a new row');
select throws_ok(
  $$ insert into public.user_roles (organization_id, user_id, role)
    values (tests.id('north'), tests.id('north admin login'), 'admin') $$,
  '23P01', null, 'a role is granted once at a time');

-- ---------------------------------------------------------------------------------------------------------
-- Two organizations, and the claim that chooses one
-- ---------------------------------------------------------------------------------------------------------

-- acting as Dora
select tests.authenticate_as(tests.id('dora login'));
select set_eq(
  'select id from public.organizations', array[tests.id('north'), tests.id('south')],
  'a user of two organizations sees both and no third');
select set_eq(
  'select distinct organization_id from public.clients', array[tests.id('north')],
  'a role in one organization gives nothing in the other: Dora is admin of North, and on no care team of South');

-- acting as Dora, who chose South
select tests.authenticate_as(tests.id('dora login'), 'aal1', jsonb_build_object('org_id', tests.id('south')));
select set_eq('select id from public.organizations', array[tests.id('south')], 'with the claim org_id a user sees that organization only');
select is_empty('select id from public.clients', 'the claim hides what the other organization''s role would show');

-- acting as Dora, with a claim for West
select tests.authenticate_as(
  tests.id('dora login'), 'aal1',
  jsonb_build_object('org_id', tests.id('west'), 'org_role', 'admin', 'therapist_id', tests.id('west rosa')));
select is_empty(
  $$ select id from public.organizations union all select id from public.therapists union all select id from public.clients
    union all select id from public.services union all select id from public.rooms $$,
  'a claim for an organization that the user has no role in grants nothing there');
select tests.clear_authentication();
select is(
  (select count(*)::integer from public.clients where organization_id = tests.id('west')), 3, 'the clients that the claim did not show exist');

-- ---------------------------------------------------------------------------------------------------------
-- Nobody
-- ---------------------------------------------------------------------------------------------------------

create temp view everything as
select 'organizations' as name from public.organizations
union all select 'user_roles' from public.user_roles
union all select 'therapists' from public.therapists
union all select 'clients' from public.clients
union all select 'rooms' from public.rooms
union all select 'care_team_assignments' from public.care_team_assignments
union all select 'services' from public.services
union all select 'sessions' from public.sessions
union all select 'session_groups' from public.session_groups
union all select 'session_holds' from public.session_holds
union all select 'payers' from public.payers
union all select 'payer_rules' from public.payer_rules
union all select 'payer_modifiers' from public.payer_modifiers
union all select 'billing_profiles' from (select id from public.billing_profiles) billing_profiles
union all select 'payer_rates' from (select id from public.payer_rates) payer_rates
union all select 'billing_batches' from (select id from public.billing_batches) billing_batches
union all select 'billing_cases' from (select id from public.billing_cases) billing_cases
union all select 'billing_lines' from (select id from public.billing_lines) billing_lines
union all select 'session_charges' from (select id from public.session_charges) charge
union all select 'client_coverages' from public.client_coverages
union all select 'therapist_availability' from public.therapist_availability
union all select 'client_preferred_hours' from public.client_preferred_hours
union all select 'availability_exceptions' from public.availability_exceptions
union all select 'buffer_rules' from public.buffer_rules
union all select 'session_series' from public.session_series
union all select 'session_teams' from public.session_teams
union all select 'waitlist_entries' from public.waitlist_entries
union all select 'waitlist_times' from public.waitlist_times
union all select 'cancellation_rules' from public.cancellation_rules
union all select 'consent_forms' from public.consent_forms
union all select 'consent_signatures' from (select id from public.consent_signatures) signature
union all select 'service_consents' from public.service_consents
union all select 'supervisions' from public.supervisions
union all select 'client_guardians' from public.client_guardians
union all select 'referrals' from public.referrals
union all select 'access_alerts' from (select id from public.access_alerts) alert
union all select 'access_thresholds' from public.access_thresholds
union all select 'active_organizations' from public.active_organizations
union all select 'service_accounts' from public.service_accounts
union all select 'family_clients' from public.family_clients
union all select 'family_sessions' from public.family_sessions
union all select 'referral_summaries' from public.referral_summaries
union all select 'denied_attempts' from public.denied_attempts
union all select 'session_attendance' from public.session_attendance
union all select 'unbilled_sessions' from public.unbilled_sessions;
alter view everything set (security_invoker = true);
grant select on everything to authenticated;
select tests.add_session('a session', 'north', '10:00');
select tests.add_hold('a hold', 'north', '12:00');
select tests.add_group('a group', 'north', '14:00');
select tests.fill_schedule('north');
select tests.add_session('a session of the past', 'north', '10:00', '{"day": -3, "status": "completed"}');
insert into public.supervisions (organization_id, supervisor_id, therapist_id, starts_on) values
  (tests.id('north'), tests.id('north rosa'), tests.id('north theo'), current_date - 30);
insert into public.client_guardians (organization_id, client_id, user_id, relationship, starts_on) values
  (tests.id('north'), tests.id('north birch'), tests.id('dora login'), 'parent', current_date - 30);
insert into public.referrals (organization_id, reference) values (tests.id('north'), 'R-1');
insert into public.access_alerts (organization_id, kind) values (tests.id('north'), 'break_glass');
insert into public.active_organizations (user_id, organization_id) values (tests.id('north theo login'), tests.id('north'));
insert into public.service_accounts (organization_id, name, scopes) values (tests.id('north'), 'partner', '{schedule:read}');
select tests.fill_billing('north');
select is((select count(distinct name)::integer from everything), 41, 'every tenant table has a row that could be seen');

-- acting as Noah, who has no role
select tests.authenticate_as(tests.id('noah login'));
select is_empty('select name from everything', 'a signed-in user without a role sees no tenant''s row');
-- acting as an anonymous sign-in: authenticated to Postgres all the same
select tests.authenticate_as(tests.id('noah login'), 'aal1', '{"is_anonymous": true}');
select is_empty('select name from everything', 'an anonymous sign-in sees no tenant''s row');
-- acting as a token without a user
select tests.authenticate_as(null);
select is_empty('select name from everything', 'a token without a user sees no tenant''s row');
select is_empty('select unnest(app.org_ids())', 'a token without a user belongs nowhere');
-- acting as anon
select tests.act_as('anon', '{"role": "anon"}');
select throws_ok('select id from public.organizations', '42501', null, 'anon reads no table');
select tests.clear_authentication();

-- acting as a platform operator
insert into public.user_roles (user_id, role) values (tests.id('noah login'), 'super_admin');
select tests.authenticate_as(tests.id('noah login'), 'aal2');
select set_eq(
  'select distinct name from everything', array['user_roles', 'organizations'],
  'a super_admin sees no tenant''s records: only that the role is theirs, and which tenants there are');
select tests.authenticate_as(tests.id('noah login'));
select set_eq(
  'select distinct name from everything', array['user_roles'],
  'a super_admin without a second factor sees no tenant: only that the role is theirs');
select tests.clear_authentication();

-- ---------------------------------------------------------------------------------------------------------
-- Access tokens
-- ---------------------------------------------------------------------------------------------------------

create function pg_temp.claims_of(login text) returns jsonb language sql as $$
  select (public.custom_access_token_hook(jsonb_build_object(
    'user_id', tests.id(login), 'claims', jsonb_build_object('aal', 'aal1'))) -> 'claims') - 'aal'
$$;
select is(
  pg_temp.claims_of('north rosa login'),
  jsonb_build_object('org_id', tests.id('north'), 'org_role', 'therapist', 'therapist_id', tests.id('north rosa')),
  'the token of a therapist of one organization names it, the role and the therapist');
select is(
  pg_temp.claims_of('north scheduler login'),
  jsonb_build_object('org_id', tests.id('north'), 'org_role', 'internal_ops'),
  'the token of a user who is no therapist has no therapist_id');
select is(pg_temp.claims_of('dora login'), '{}', 'the token of a user of two organizations names none: there is nothing chosen yet');
select is(pg_temp.claims_of('south admin login'), '{}', 'the token of a user whose only role has expired names nothing');
select is(
  public.custom_access_token_hook(jsonb_build_object(
    'user_id', tests.id('north rosa login'), 'claims', '{"aal": "aal2", "email": "r@tests.example"}'::jsonb))
    #- '{claims,org_id}' #- '{claims,org_role}' #- '{claims,therapist_id}',
  jsonb_build_object('user_id', tests.id('north rosa login'), 'claims', '{"aal": "aal2", "email": "r@tests.example"}'::jsonb),
  'the hook leaves every other part of the token as it was');
select set_eq(
  $$ select proc.proname || ' ' || role.rolname
    from pg_proc proc
    cross join pg_roles role
    where proc.oid in ('public.custom_access_token_hook(jsonb)'::regprocedure, 'app.token_claims(uuid)'::regprocedure)
      and role.rolname in ('anon', 'authenticated', 'service_role', 'authenticator', 'supabase_auth_admin')
      and has_function_privilege(role.oid, proc.oid, 'execute') $$,
  array['custom_access_token_hook supabase_auth_admin', 'token_claims supabase_auth_admin'],
  'only the auth server may ask for a user''s claims');
select tests.authenticate_as(tests.id('north rosa login'));
select throws_ok(
  $$ select public.custom_access_token_hook(jsonb_build_object('user_id', auth.uid(), 'claims', '{}'::jsonb)) $$,
  '42501', null, 'a user cannot call the token hook');
select tests.clear_authentication();

select * from finish();
rollback;
