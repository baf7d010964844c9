-- The second factor: where an organization or a role demands one, a token without it reaches nothing sensitive. And the
-- active organization, which a user chooses and a claim names.
begin;
select plan(32);

select tests.create_clinic('north'), tests.create_clinic('south'), tests.create_clinic('west');
-- Dora is admin of North, and stands for Birch there; she treats in South.
select tests.create_user('dora login');
insert into public.user_roles (id, organization_id, user_id, role) values
  (tests.id('dora north role'), tests.id('north'), tests.id('dora login'), 'admin'),
  (tests.id('dora client role'), tests.id('north'), tests.id('dora login'), 'client'),
  (tests.id('dora partner role'), tests.id('north'), tests.id('dora login'), 'partner_provider'),
  (tests.id('dora south role'), tests.id('south'), tests.id('dora login'), 'therapist');
insert into public.therapists (id, organization_id, user_id, display_name, credential) values
  (tests.id('north dora'), tests.id('north'), tests.id('dora login'), 'dora', 'BCBA'), (tests.id('south dora'), tests.id('south'), tests.id('dora login'), 'dora', 'BCBA');
insert into public.supervisions (organization_id, supervisor_id, therapist_id, starts_on) values (tests.id('north'), tests.id('north dora'), tests.id('north theo'), current_date - 30);
insert into public.client_guardians (organization_id, client_id, user_id, relationship, starts_on) values
  (tests.id('north'), tests.id('north birch'), tests.id('dora login'), 'parent', current_date - 30);
select set_config('request.jwt.claims', jsonb_build_object('sub', tests.id('dora login'))::text, true);
insert into public.referrals (organization_id, reference) values (tests.id('north'), 'R-1');
select tests.clear_authentication();
insert into public.access_alerts (organization_id, kind) values (tests.id('north'), 'break_glass');
insert into audit.events (organization_id, action, decision, code) values (tests.id('north'), 'rpc.hold_sessions', 'deny', 'forbidden');
insert into public.service_accounts (organization_id, name, scopes) values (tests.id('north'), 'partner', '{schedule:read}');
select tests.add_session('a session', 'north', '10:00'), tests.add_hold('a hold', 'north', '12:00'), tests.add_group('a group', 'north', '14:00');
select tests.fill_schedule('north');
select tests.fill_billing('north');

create temp view sensitive as
select 'user_roles' as name, organization_id from public.user_roles
union all select 'therapists', organization_id from public.therapists
union all select 'clients', organization_id from public.clients
union all select 'rooms', organization_id from public.rooms
union all select 'services', organization_id from public.services
union all select 'care_team_assignments', organization_id from public.care_team_assignments
union all select 'supervisions', organization_id from public.supervisions
union all select 'client_guardians', organization_id from public.client_guardians
union all select 'sessions', organization_id from public.sessions
union all select 'session_holds', organization_id from public.session_holds
union all select 'session_groups', organization_id from public.session_groups
union all select 'payers', organization_id from public.payers
union all select 'client_coverages', organization_id from public.client_coverages
union all select 'payer_rules', organization_id from public.payer_rules
union all select 'payer_modifiers', organization_id from public.payer_modifiers
union all select 'billing_profiles', organization_id from public.billing_profiles
union all select 'payer_rates', organization_id from public.payer_rates
union all select 'billing_batches', organization_id from public.billing_batches
union all select 'billing_cases', organization_id from public.billing_cases
union all select 'billing_lines', organization_id from public.billing_lines
union all select 'session_charges', organization_id from public.session_charges
union all select 'therapist_availability', organization_id from public.therapist_availability
union all select 'client_preferred_hours', organization_id from public.client_preferred_hours
union all select 'availability_exceptions', organization_id from public.availability_exceptions
union all select 'buffer_rules', organization_id from public.buffer_rules
union all select 'session_series', organization_id from public.session_series
union all select 'session_teams', organization_id from public.session_teams
union all select 'waitlist_entries', organization_id from public.waitlist_entries
union all select 'waitlist_times', organization_id from public.waitlist_times
union all select 'cancellation_rules', organization_id from public.cancellation_rules
union all select 'consent_forms', organization_id from public.consent_forms
union all select 'consent_signatures', organization_id from public.consent_signatures
union all select 'service_consents', organization_id from public.service_consents
union all select 'referrals', organization_id from public.referrals
union all select 'access_alerts', organization_id from public.access_alerts
union all select 'access_thresholds', organization_id from public.access_thresholds
union all select 'service_accounts', organization_id from public.service_accounts
union all select 'family_clients', organization_id from public.family_clients
union all select 'family_sessions', null from public.family_sessions
union all select 'referral_summaries', organization_id from public.referral_summaries
union all select 'denied_attempts', organization_id from public.denied_attempts
union all select 'session_attendance', organization_id from public.session_attendance
union all select 'unbilled_sessions', organization_id from public.unbilled_sessions;
alter view sensitive set (security_invoker = true);
create function pg_temp.seen(clinic text) returns bigint language sql as $$
  select count(distinct name) from sensitive where coalesce(organization_id, tests.id('north')) = tests.id(clinic)
$$;
create function pg_temp.code(answer jsonb) returns text language sql as $$ select coalesce(answer #>> '{problem,code}', 'granted') $$;
grant select on sensitive to authenticated;
grant execute on function pg_temp.seen, pg_temp.code to authenticated;

-- ---------------------------------------------------------------------------------------------------------
-- What an organization demands
-- ---------------------------------------------------------------------------------------------------------

-- acting as Dora
select tests.authenticate_as(tests.id('dora login'));
select is(pg_temp.seen('north'), 41::bigint, 'where no second factor is demanded, a token without one sees every sensitive relation');
select tests.clear_authentication();
update public.organizations set requires_mfa = true where id = tests.id('north');
select tests.authenticate_as(tests.id('dora login'));
select is(pg_temp.seen('north'), 0::bigint, 'where an organization demands one, a token without it sees nothing in the next statement');
select isnt(pg_temp.seen('south'), 0::bigint, 'and still sees what another organization shows');
select set_eq('select id from public.organizations', array[tests.id('north'), tests.id('south')], 'the organization itself stays in sight, so that an app can ask for the factor');
select throws_ok(statement.write, '42501', null, statement.name)
from (values
  ($$ insert into public.clients (organization_id, full_name) values (tests.id('north'), 'new') $$, 'an admin without it adds no client'),
  ($$ insert into public.user_roles (organization_id, user_id, role) values (tests.id('north'), tests.id('south rosa login'), 'admin') $$, 'an admin without it grants no role'),
  ($$ select id from public.list_audit_events(tests.id('north')) $$, 'an admin without it does not read the trail')
) statement (write, name);
select is_empty(
  $$ update public.organizations set requires_mfa = false where id = tests.id('north') returning id $$, 'an admin without it does not do away with the demand');
select is_empty('select id from public.list_denied_attempts(tests.id(''north''))', 'an admin without it lists no denied attempt');
select results_eq(
  $$ select pg_temp.code(public.hold_sessions(tests.hold_request('north', array['15:00'])))
    union all select pg_temp.code(public.confirm_sessions(jsonb_build_object('hold_key', tests.id('a hold'))))
    union all select pg_temp.code(public.cancel_sessions(jsonb_build_object('session_ids', jsonb_build_array(tests.id('a session')), 'cancelled_by', 'clinic')))
    union all select pg_temp.code(public.archive_client(tests.id('north aspen'))) $$,
  array_fill('mfa_required'::text, array[4]), 'booking and archiving answer mfa_required');
create function pg_temp.called(rpc text) returns text language plpgsql as $$
declare answer jsonb;
begin
  execute format('select public.%I(jsonb_build_object(''organization_id'', tests.id(''north'')))', rpc) into answer;
  return pg_temp.code(answer);
end
$$;
select is_empty(
  $$ select proname, pg_temp.called(proname) from pg_proc
    where pronamespace = 'public'::regnamespace and proargnames[1] = 'request' and has_function_privilege(oid, 'execute') and pg_temp.called(proname) <> 'mfa_required' $$,
  'and so does every other operation');
select tests.authenticate_as(tests.id('dora login'), 'aal2');
select is(pg_temp.seen('north'), 41::bigint, 'with the second factor everything is in sight again');
select is(pg_temp.code(public.archive_client(tests.id('north aspen'))), 'granted', 'and operations are granted');
select tests.authenticate_as(tests.id('dora login'), 'aal3');
select is(pg_temp.seen('north'), 0::bigint, 'a level that is not known is no second factor');
select tests.authenticate_as(tests.id('dora login'), null);
select is(pg_temp.seen('north'), 0::bigint, 'a token that says nothing of it has none');

-- ---------------------------------------------------------------------------------------------------------
-- What a role demands
-- ---------------------------------------------------------------------------------------------------------

select tests.clear_authentication();
select is((select array_agg(role) from public.roles where requires_mfa), array['super_admin'], 'a super_admin needs a second factor from the start');
update public.organizations set requires_mfa = false where id = tests.id('north');
update public.roles set requires_mfa = true where role = 'therapist';
select tests.authenticate_as(tests.id('dora login'));
select is(pg_temp.seen('south'), 0::bigint, 'where a role demands one, a token without it sees nothing of that organization');
select is(pg_temp.seen('north'), 41::bigint, 'and still sees where the user has other roles');
select tests.clear_authentication();
update public.user_roles set expires_at = now() where id = tests.id('dora south role');
insert into public.user_roles (organization_id, user_id, role) values (tests.id('south'), tests.id('dora login'), 'internal_ops');
select tests.authenticate_as(tests.id('dora login'));
select isnt(pg_temp.seen('south'), 0::bigint, 'a role that has expired demands nothing');

-- ---------------------------------------------------------------------------------------------------------
-- The active organization
-- ---------------------------------------------------------------------------------------------------------

select tests.clear_authentication();
create function pg_temp.claims() returns jsonb language sql as $$
  select (public.custom_access_token_hook(jsonb_build_object('user_id', tests.id('dora login'), 'claims', '{}'::jsonb)) -> 'claims') - 'therapist_id'
$$;
select is(pg_temp.claims(), '{}', 'before a choice, a token of a user of two organizations names none');
select tests.authenticate_as(tests.id('dora login'));
select lives_ok($$ select public.choose_organization(tests.id('south')) $$, 'a member chooses an organization');
select throws_ok($$ select public.choose_organization(tests.id('west')) $$, '42501', 'not a member of this organization', 'nobody chooses one that they are no member of');
select results_eq('select organization_id from public.active_organizations', array[tests.id('south')], 'the choice stands');
select tests.clear_authentication();
select is(pg_temp.claims(), jsonb_build_object('org_id', tests.id('south'), 'org_role', 'internal_ops'), 'the next token names it, and the role there');
-- acting as Dora, narrowed to South
select tests.authenticate_as(tests.id('dora login'), 'aal1', jsonb_build_object('org_id', tests.id('south')));
select is(pg_temp.seen('north'), 1::bigint, 'a narrowed token sees of the other organization only the roles that are its user''s');
select lives_ok($$ select public.choose_organization(tests.id('north')) $$, 'a narrowed token may choose the other organization');
select tests.clear_authentication();
select is(pg_temp.claims(), jsonb_build_object('org_id', tests.id('north'), 'org_role', 'admin'), 'of several roles in it, the token names the first in rank');
update public.user_roles set revoked_at = now() where organization_id = tests.id('north') and user_id = tests.id('dora login');
select is(pg_temp.claims(), jsonb_build_object('org_id', tests.id('south'), 'org_role', 'internal_ops'), 'a choice of an organization that is left counts no more');
select tests.authenticate_as(tests.id('dora login'));
select throws_ok($$ select public.choose_organization(tests.id('north')) $$, '42501', 'not a member of this organization', 'nor can it be chosen again');
select lives_ok('select public.choose_organization(null)', 'a choice can be taken back');
select is_empty('select user_id from public.active_organizations', 'and is gone then');
select tests.authenticate_as(null);
select throws_ok($$ select public.choose_organization(tests.id('north')) $$, '42501', null, 'a token without a user chooses nothing');
select tests.clear_authentication();

select * from finish();
rollback;
