-- What is true of every table, function, constraint and policy, read from the catalog: whatever a migration adds is
-- held to it without a new test, and each failure lists the offenders.
begin;
select plan(45);

create temp view our_tables as
select class.oid, class.oid::regclass::text as name, schema.nspname as schema_name, class.relname, class.relrowsecurity, class.relkind
from pg_class class
join pg_namespace schema on schema.oid = class.relnamespace
where schema.nspname in ('public', 'app', 'audit') and class.relkind in ('r', 'p', 'v', 'm', 'f');

create temp view our_functions as
select
  proc.oid, proc.oid::regprocedure::text as name, schema.nspname as schema_name, proc.proname, proc.prosecdef,
  coalesce('search_path=""' = any (proc.proconfig), false) as has_empty_search_path, proc.provolatile
from pg_proc proc
join pg_namespace schema on schema.oid = proc.pronamespace
where schema.nspname in ('public', 'app', 'audit')
  and not exists (select from pg_depend where classid = 'pg_proc'::regclass and objid = proc.oid and deptype = 'e');

create temp view our_grants as
select our_tables.name, our_tables.schema_name, role_name, privilege
from our_tables
cross join unnest(array['anon', 'authenticated', 'service_role']) role_name
cross join unnest(array['SELECT', 'INSERT', 'UPDATE', 'DELETE', 'TRUNCATE', 'REFERENCES', 'TRIGGER']) privilege
where has_table_privilege(role_name, our_tables.oid, privilege)
  or (privilege in ('SELECT', 'INSERT', 'UPDATE', 'REFERENCES')
    and has_any_column_privilege(role_name, our_tables.oid, privilege));

create temp view our_constraints as
select con.oid, con.conname, con.contype, our_tables.oid as table_oid, our_tables.name, our_tables.relname, con.conkey, con.confrelid, con.coninhcount
from pg_constraint con
join our_tables on our_tables.oid = con.conrelid;

create temp view our_policies as
select policy.polname, policy.polcmd, policy.polroles, our_tables.name,
  concat_ws(' ', pg_get_expr(policy.polqual, policy.polrelid), pg_get_expr(policy.polwithcheck, policy.polrelid)) as rule
from pg_policy policy
join our_tables on our_tables.oid = policy.polrelid;

-- ---------------------------------------------------------------------------------------------------------
-- The views above see something
-- ---------------------------------------------------------------------------------------------------------

select isnt_empty('select from our_tables', 'there are tables to check');
select isnt_empty('select from our_functions', 'there are functions to check');
select isnt_empty('select from our_grants', 'there are grants to check');
select isnt_empty($$ select from our_constraints where contype = 'f' $$, 'there are foreign keys to check');
select isnt_empty('select from our_policies', 'there are policies to check');

-- ---------------------------------------------------------------------------------------------------------
-- Who reaches what
-- ---------------------------------------------------------------------------------------------------------

select is_empty(
  $$ select name from our_tables where not relrowsecurity and relkind <> 'v' $$, 'every table has row-level security');
select is_empty($$ select name, privilege from our_grants where role_name = 'anon' $$, 'anon has no grant on any table');
select is_empty(
  $$ select name, privilege from our_grants
    where role_name = 'authenticated' and privilege not in ('SELECT', 'INSERT', 'UPDATE') $$,
  'users delete nothing');
select is_empty(
  $$ select our_tables.name, role_name, privilege from our_tables
    cross join unnest(array['authenticated', 'service_role']) role_name
    cross join unnest(array['INSERT', 'UPDATE']) privilege
    where has_table_privilege(role_name, our_tables.oid, privilege) $$,
  'every grant to write names its columns');
select set_eq(
  $$ select concat_ws(' ', lower(privilege), our_tables.name, string_agg(attribute.attname, ' ' order by attribute.attname))
    from our_tables
    cross join unnest(array['INSERT', 'UPDATE']) privilege
    join pg_attribute attribute on attribute.attrelid = our_tables.oid and attribute.attnum > 0 and not attribute.attisdropped
    where has_column_privilege('authenticated', our_tables.oid, attribute.attnum, privilege)
    group by our_tables.name, privilege $$,
  array[
    'insert organizations name requires_mfa time_zone',
    'update organizations cancellation_notice_hours name requires_mfa time_zone waitlist_offer_minutes',
    'insert user_roles expires_at kind organization_id reason role user_id',
    'update user_roles expires_at revoked_at',
    'insert therapists credential display_name id legal_family legal_given npi organization_id taxonomy_code user_id',
    'update therapists credential display_name legal_family legal_given npi status taxonomy_code user_id',
    'insert rooms id name organization_id',
    'update rooms name',
    'insert care_team_assignments client_id ends_on organization_id starts_on team_role therapist_id',
    'update care_team_assignments ends_on',
    'insert supervisions ends_on organization_id starts_on supervisor_id therapist_id',
    'update supervisions ends_on',
    'insert client_guardians client_id ends_on organization_id relationship starts_on user_id',
    'update client_guardians ends_on',
    'insert services client_lane cpt_code credentials group_capacity id is_group is_team name organization_id service_code',
    'update services client_lane cpt_code credentials group_capacity is_group is_team name service_code',
    'insert payers filing_indicator name no_show_uses_units organization_id payer_code programme requires_authorization',
    'update payers filing_indicator name no_show_uses_units payer_code programme requires_authorization',
    'insert billing_profiles contact_name contact_number ends_on legal_name npi organization_id receiver_code receiver_name region requires_signature starts_on street submitter_code tax_id taxonomy_code town zip',
    'update billing_profiles contact_name contact_number ends_on legal_name npi receiver_code receiver_name region requires_signature starts_on street submitter_code tax_id taxonomy_code town zip',
    'insert payer_rates cpt_code credential ends_on modifier organization_id payer_id starts_on unit_cents',
    'update payer_rates ends_on starts_on unit_cents',
    'insert payer_rules allows_concurrent_supervision cpt_code daily_unit_cap ends_on organization_id payer_id pools_minutes requires_cosignature rounding starts_on telehealth_modifier',
    'update payer_rules allows_concurrent_supervision daily_unit_cap ends_on pools_minutes requires_cosignature rounding starts_on telehealth_modifier',
    'insert payer_modifiers cpt_code credential ends_on modifiers organization_id payer_id place_of_service starts_on',
    'update payer_modifiers ends_on modifiers starts_on',
    'insert consent_forms body form_code organization_id title version',
    'update consent_forms body status title',
    'insert service_consents ends_on form_code organization_id service_id starts_on',
    'update service_consents ends_on',
    'insert client_preferred_hours client_id effective_from effective_until local_end local_start organization_id time_zone weekday',
    'update client_preferred_hours effective_from effective_until local_end local_start time_zone weekday',
    'insert buffer_rules minutes_after minutes_before organization_id service_id therapist_id',
    'update buffer_rules minutes_after minutes_before',
    'insert cancellation_rules minimum_notice_hours organization_id role',
    'update cancellation_rules minimum_notice_hours',
    'insert referrals organization_id reference',
    'update referrals client_id status',
    'update access_thresholds clients_a_day closes_at denial_minutes denials deviations off_hours_reads open_weekdays opens_at unassigned_clients'],
  'users write exactly these columns');
select is_empty(
  $$ select name, privilege from our_grants where role_name = 'authenticated' and schema_name <> 'public' $$,
  'users read no table outside public');
select is_empty(
  $$ select name, privilege from our_grants where role_name = 'service_role' and privilege not in ('SELECT', 'INSERT', 'UPDATE') $$,
  'the service role deletes nothing');
select is_empty(
  $$ select name, privilege from our_grants
    where role_name = 'service_role'
      and (name in ('calendar_claims', 'authorizations', 'authorization_codes', 'authorization_periods', 'authorization_entries',
          'idempotency_keys', 'client_keys', 'session_notes', 'session_note_versions', 'documents', 'attendance_marks')
        or schema_name in ('app', 'audit')) $$,
  'the service role has no grant on the ledger, the authorizations, the idempotency keys, the notes and their keys, the documents, the marks, the audit trail or anything in app');
select set_eq(
  $$ select distinct name from our_grants where role_name = 'authenticated' $$,
  array['organizations', 'roles', 'user_roles', 'role_permissions', 'active_organizations', 'therapists', 'clients', 'rooms',
    'care_team_assignments', 'supervisions', 'client_guardians', 'cpt_codes', 'services', 'payers', 'client_coverages',
    'credentials', 'places_of_service', 'mue_limits', 'payer_rules', 'payer_modifiers', 'session_charges',
    'billing_profiles', 'payer_rates', 'billing_batches', 'billing_cases', 'billing_lines',
    'consent_forms', 'consent_signatures', 'service_consents',
    'therapist_availability', 'client_preferred_hours', 'availability_exceptions', 'buffer_rules', 'session_series', 'session_groups',
    'session_teams', 'sessions', 'session_holds', 'waitlist_entries', 'waitlist_times', 'cancellation_rules', 'referrals', 'access_alerts', 'access_thresholds', 'service_accounts', 'family_clients', 'family_sessions', 'referral_summaries', 'denied_attempts',
    'session_attendance', 'unbilled_sessions'],
  'users read exactly these tables and views');
select is(
  array[has_schema_privilege('anon', 'app', 'usage'), has_schema_privilege('anon', 'audit', 'usage'),
    has_schema_privilege('authenticated', 'audit', 'usage'), has_schema_privilege('service_role', 'audit', 'usage')],
  array[false, false, false, false],
  'no API role enters audit, and anon does not enter app');

select is_empty(
  $$ select name from our_functions
    where has_function_privilege('anon', oid, 'execute')
      -- Whoever has a service token is nobody who is signed in: the function verifies the token first of all.
      and (schema_name, proname) not in (('public', 'partner_sync'), ('app', 'partner_sync'))
      -- Monitors sign in nowhere; what they are told is for everybody.
      and (schema_name, proname) not in (('public', 'health'), ('app', 'health')) $$,
  'no function is executable by anon but the one that takes service tokens and the one for monitors');
select is_empty(
  $$ select our_functions.name from our_functions
    join pg_proc proc on proc.oid = our_functions.oid
    cross join lateral aclexplode(coalesce(proc.proacl, acldefault('f', proc.proowner))) granted
    where granted.grantee = 0 $$,
  'no function is executable by public');
select set_eq(
  $$ select proname::text from our_functions where schema_name = 'public' and has_function_privilege('authenticated', oid, 'execute') $$,
  array['hold_sessions', 'preview_sessions', 'find_open_times', 'confirm_sessions', 'cancel_sessions', 'join_slot', 'move_session',
    'swap_sessions', 'substitute_therapist', 'update_series', 'set_availability', 'add_exception', 'cancel_exception', 'join_waitlist',
    'leave_waitlist', 'answer_offer',
    'prepare_note', 'save_note', 'read_note', 'sign_note', 'cosign_note', 'find_notes_to_cosign', 'release_summary', 'report_unreadable_note', 'destroy_client_key',
    'override_mue',
    'archive_client', 'choose_organization', 'break_glass',
    'sign_consent', 'terminate_consent', 'read_consents',
    'request_document', 'finish_document', 'find_documents', 'read_document', 'delete_document',
    'start_session', 'complete_session', 'mark_no_show', 'correct_attendance', 'list_no_show_candidates', 'evv_records',
    'set_place_of_service',
    'client_access_report', 'read_access_alerts', 'acknowledge_alert',
    'read_clients', 'read_texts', 'save_client', 'save_coverage',
    'save_authorization', 'close_authorization', 'read_authorizations', 'read_authorization_alerts',
    'read_insights', 'save_insights',
    'save_webhook_endpoint', 'rotate_webhook_secret', 'read_webhook_endpoints', 'read_webhook_deliveries', 'replay_webhook_deliveries',
    'create_calendar_feed', 'revoke_calendar_feed', 'read_calendar_feeds',
    'read_attendance', 'read_cancellations', 'read_utilization', 'read_authorization_units', 'read_unbilled_sessions', 'read_missing_notes',
    'supervision_months',
    'attach_sessions', 'void_case', 'rebill_case', 'settle_case', 'create_billing_batch', 'read_billing_batch', 'export_billing_batch',
    'list_audit_events', 'list_denied_attempts', 'create_service_account', 'rotate_service_account_token', 'revoke_service_account',
    'list_service_account_tokens', 'partner_sync'],
  'users call exactly these functions of public');
select set_eq(
  $$ select proname::text from our_functions where schema_name <> 'public' and has_function_privilege('authenticated', oid, 'execute') $$,
  array['caller', 'org_ids', 'org_ids_with_role', 'org_ids_with_permission', 'user_has_role_for_org', 'is_super_admin',
    'org_ids_needing_second_factor', 'my_therapist_ids', 'caseload_therapist_ids', 'my_client_ids', 'reviewed_client_ids',
    'audible_topic',
    'uploadable_paths',
    'is_billed',
    'guarded_client_ids', 'family_clients', 'family_sessions', 'referral_summaries', 'denied_attempts', 'choose_organization', 'break_glass',
    'run_operation', 'list_audit_events', 'manage_service_accounts', 'list_service_account_tokens', 'partner_sync'],
  'policies and RPCs of users stand on exactly these functions of app');
select set_eq(
  $$ select schema_name || '.' || proname from our_functions where has_function_privilege('service_role', oid, 'execute') $$,
  array['app.claim_webhook_deliveries', 'app.record_webhook_attempt', 'app.run_job', 'app.metrics',
    'app.claim_insights', 'app.record_insights', 'public.claim_insights', 'public.record_insights',
    'app.read_calendar', 'public.read_calendar',
    'public.claim_webhook_deliveries', 'public.record_webhook_attempt', 'public.run_job', 'public.metrics'],
  'the service role calls what clocks, senders, calendar feeds and monitoring call, and no other function');

create table public.made_later (id integer);
create function public.made_later() returns integer language sql set search_path = '' as 'select 1';
select is_empty(
  $$ select role_name, privilege from our_grants where name = 'made_later' $$,
  'a table that a later migration adds is granted to nobody until it says so');
select is_empty(
  $$ select role_name from unnest(array['anon', 'authenticated', 'service_role']) role_name
    where has_function_privilege(role_name, 'public.made_later()', 'execute') $$,
  'a function that a later migration adds is granted to nobody until it says so');
drop function public.made_later();
drop table public.made_later;

-- ---------------------------------------------------------------------------------------------------------
-- Functions
-- ---------------------------------------------------------------------------------------------------------

select is_empty(
  $$ select name from our_functions where prosecdef and schema_name <> 'app' $$, 'every security definer function lives in app');
select is_empty('select name from our_functions where not has_empty_search_path', 'every function has an empty search_path');
select is_empty(
  $$ select name from our_functions where prosecdef and obj_description(oid, 'pg_proc') !~ 'Definer: ' $$,
  'every security definer function says why it needs the power');

-- ---------------------------------------------------------------------------------------------------------
-- Comments and names
-- ---------------------------------------------------------------------------------------------------------

select is_empty(
  $$ select name from our_tables where obj_description(oid, 'pg_class') is null
    union all select name from our_functions where obj_description(oid, 'pg_proc') is null $$,
  'every table and every function has a comment');
select is_empty(
  $$ select our_tables.name, attribute.attname from our_tables
    join pg_attribute attribute on attribute.attrelid = our_tables.oid and attribute.attnum > 0 and not attribute.attisdropped
    where attribute.attname ~ '(full_name|given_name|family_name|first_name|last_name|typed_name|birth|^sex$|phone|email|address|^city$|^state$|postal|member_id|subscriber|diagnos|reason|note|comment|user_agent)'
      and (attribute.attname !~ '_id$' or attribute.attname = 'member_id')
      -- A partition has the columns of its table.
      and not (select class.relispartition from pg_class class where class.oid = our_tables.oid)
      -- Of units, not of an address.
      and (our_tables.name, attribute.attname) <> ('authorization_entries', 'state')
      and coalesce(col_description(our_tables.oid, attribute.attnum), '') !~ '^PHI: ' $$,
  'every column whose name sounds like health information has a comment that begins with PHI:');
select set_eq(
  $$ select our_tables.name || '.' || attribute.attname from our_tables
    join pg_attribute attribute on attribute.attrelid = our_tables.oid and attribute.attnum > 0
    where col_description(our_tables.oid, attribute.attnum) ~ '^PHI: ' $$,
  array[
    'authorizations.authorization_number', 'authorization_entries.reason', 'billing_cases.payer_claim_number',
    'consent_signatures.typed_name', 'consent_signatures.ip_address', 'consent_signatures.user_agent', 'consent_signatures.termination_reason',
    'clients.full_name', 'clients.given_name', 'clients.family_name', 'clients.date_of_birth', 'clients.sex', 'clients.address_line',
    'clients.city', 'clients.state', 'clients.postal_code', 'clients.phone', 'clients.diagnosis_codes',
    'client_coverages.member_id', 'client_coverages.relationship_to_subscriber', 'client_coverages.subscriber_given_name',
    'client_coverages.subscriber_family_name', 'client_coverages.subscriber_date_of_birth',
    'sessions.cancellation_reason', 'availability_exceptions.note', 'user_roles.reason',
    'documents.title', 'documents.file_name', 'documents.deletion_reason',
    'session_charges.override_reason',
    'session_note_versions.ciphertext',
    'attendance_marks.latitude', 'attendance_marks.longitude', 'attendance_marks.accuracy_meters', 'attendance_marks.place',
    'attendance_marks.device_id', 'attendance_marks.reason',
    'access_alerts.acknowledged_reason', 'audit.events.ip', 'audit.events.user_agent'],
  'these columns hold PHI, and no other');
create temp view phi as
select our_tables.oid, our_tables.name, attribute.attnum, attribute.attname
from our_tables
join pg_attribute attribute on attribute.attrelid = our_tables.oid and attribute.attnum > 0 and not attribute.attisdropped
where col_description(our_tables.oid, attribute.attnum) ~ '^PHI: ';
select is_empty(
  $$ select phi.name, phi.attname, role_name from phi
    cross join unnest(array['anon', 'authenticated', 'service_role']) role_name
    where has_column_privilege(role_name, phi.oid, phi.attnum, 'SELECT') $$,
  'no API role reads a column of PHI, not even the service role: that is for RPCs, which put it on record');
select is_empty(
  $$ select phi.name, phi.attname, rule.ev_class::regclass from phi
    join pg_depend used on used.refclassid = 'pg_class'::regclass and used.refobjid = phi.oid and used.refobjsubid in (0, phi.attnum)
    join pg_rewrite rule on used.classid = 'pg_rewrite'::regclass and used.objid = rule.oid
    -- Not those of this file.
    where rule.ev_class in (select oid from our_tables)
    union all
    select our_tables.name, attribute.attname, our_tables.oid from our_tables
    join pg_attribute attribute on attribute.attrelid = our_tables.oid and attribute.attnum > 0
    where our_tables.relkind = 'v' and attribute.attname in (select phi.attname from phi) $$,
  'no view shows a column of PHI, nor one that is named as such');
select is_empty(
  $$ select our_functions.name, argument.name from our_functions
    join pg_proc proc on proc.oid = our_functions.oid
    cross join lateral unnest(proc.proargnames, proc.proargmodes) argument (name, mode)
    where has_function_privilege('authenticated', our_functions.oid, 'execute') and argument.mode = 't'
      and argument.name in (select phi.attname from phi) $$,
  'no function that users call returns a column of PHI as rows, which would leave no record');
select is_empty(
  $$ select name, conname from our_constraints
    where contype in ('c', 'x') and coninhcount = 0 and (conname !~ ('^' || relname || '_[a-z]') or conname ~ '_check[0-9]*$|_excl[0-9]*$') $$,
  'every check and exclusion constraint is named <table>_<rule>');

-- ---------------------------------------------------------------------------------------------------------
-- Keys
-- ---------------------------------------------------------------------------------------------------------

create temp view tenant_tables as
select attribute.attrelid as oid, attribute.attnum
from pg_attribute attribute
join our_tables on our_tables.oid = attribute.attrelid
where attribute.attname = 'organization_id';

select is_empty(
  $$ select con.name, con.conname from our_constraints con
    join tenant_tables here on here.oid = con.table_oid
    join tenant_tables there on there.oid = con.confrelid
    where con.contype = 'f' and not here.attnum = any (con.conkey) $$,
  'every reference between tenant tables carries organization_id');
select is_empty(
  $$ select our_tables.name, attribute.attname from our_tables
    join pg_attribute attribute on attribute.attrelid = our_tables.oid and attribute.attname ~ '_id$'
    join pg_class target on target.relname = regexp_replace(attribute.attname, '_id$', 's') and target.relnamespace = 'public'::regnamespace
    where our_tables.schema_name = 'public' and our_tables.relkind <> 'v' and not exists (
      select from our_constraints con
      where con.table_oid = our_tables.oid and con.contype = 'f' and con.confrelid = target.oid and attribute.attnum = any (con.conkey))
      -- A claim's subjects and organization are those of the row that makes it; its writer is a trigger.
      and not (our_tables.name = 'calendar_claims' and attribute.attname = 'organization_id')
      -- The client of its entry, bound by the key to the entry.
      and not (our_tables.name = 'waitlist_times' and attribute.attname = 'client_id')
      -- A composite key to a tenant table binds the organization too.
      and not (attribute.attname = 'organization_id' and exists (
        select from our_constraints con
        where con.table_oid = our_tables.oid and con.contype = 'f' and attribute.attnum = any (con.conkey))) $$,
  'every column named after a table is a foreign key to it');
-- An index serves a key when one of the key's columns leads it, other than organization_id where there is a better one;
-- a partial index serves when it leaves out only rows without the reference.
select is_empty(
  $$ select con.name, con.conname from our_constraints con
    where con.contype = 'f'
      -- Zones are never deleted: docs/decisions.md.
      and con.confrelid <> 'app.time_zones'::regclass
      and not exists (
      select from pg_index index
      where index.indrelid = con.table_oid and index.indisvalid
        and (index.indpred is null or pg_get_expr(index.indpred, index.indrelid) ~ '^\(\w+ IS NOT NULL\)$')
        and index.indkey[0] = any (con.conkey)
        and (cardinality(con.conkey) = 1
          or index.indkey[1] = any (con.conkey)
          or index.indkey[0] not in (select attnum from tenant_tables where tenant_tables.oid = con.table_oid))) $$,
  'every foreign key has an index that one of its columns leads');
-- One branch of an OR without an index of its own, and the whole table is read. After organization_id a column has none: a policy does not
-- say of which organization its people are.
select is_empty(
  $$ select used.tablename, used.attname
    from (
      select distinct policy.tablename, attribute.attname, attribute.attnum, attribute.attrelid
      from pg_policies policy
      cross join lateral regexp_matches(concat_ws(' ', policy.qual, policy.with_check), '\m(\w+) (?:=|<>) (?:ANY|ALL|\( SELECT)', 'g') compared
      join pg_attribute attribute on attribute.attrelid = format('public.%I', policy.tablename)::regclass and attribute.attname = compared[1]
      where policy.schemaname = 'public'
    ) used
    where not exists (
      select from pg_index index
      where index.indrelid = used.attrelid and index.indisvalid and index.indpred is null and index.indkey[0] = used.attnum) $$,
  'every column that a policy compares leads an index');

-- ---------------------------------------------------------------------------------------------------------
-- Policies
-- ---------------------------------------------------------------------------------------------------------

select is_empty(
  $$ select name, polname from our_policies where polroles <> array['authenticated'::regrole::oid] $$,
  'every policy is to authenticated and nobody else');
select is_empty(
  $$ select our_tables.name from our_tables
    join tenant_tables using (oid)
    where our_tables.relkind <> 'v'
      and exists (select from our_grants
        where our_grants.name = our_tables.name and role_name = 'authenticated')
      -- Its rows are the user's own choice, and say no more than the token does.
      and our_tables.name <> 'active_organizations'
      and not exists (
        select from pg_policies policy
        where policy.schemaname = 'public' and policy.tablename = our_tables.relname and policy.policyname = 'second_factor'
          and policy.permissive = 'RESTRICTIVE' and policy.cmd = 'ALL' and policy.roles = array['authenticated']::name[]
          and policy.qual ~ 'org_ids_needing_second_factor' and policy.with_check ~ 'org_ids_needing_second_factor') $$,
  'every tenant table that users reach has the restrictive policy second_factor for every command');
select set_eq(
  $$ select tablename::text || ' ' || lower(cmd) from pg_policies where schemaname = 'public' and permissive = 'RESTRICTIVE' $$,
  array['organizations update', 'user_roles all', 'therapists all', 'clients all', 'rooms all', 'care_team_assignments all',
    'supervisions all', 'client_guardians all', 'services all', 'payers all', 'client_coverages all', 'therapist_availability all',
    'client_preferred_hours all', 'availability_exceptions all', 'buffer_rules all', 'session_series all', 'sessions all', 'session_holds all',
    'payer_rules all', 'payer_modifiers all', 'session_charges all',
    'billing_profiles all', 'payer_rates all', 'billing_batches all', 'billing_cases all', 'billing_lines all',
    'consent_forms all', 'consent_signatures all', 'service_consents all',
    'session_groups all', 'session_teams all', 'waitlist_entries all', 'waitlist_times all', 'cancellation_rules all', 'referrals all', 'access_alerts all', 'access_thresholds all', 'service_accounts all'],
  'these policies restrict, and no other');
select is_empty(
  $$ select tablename, cmd from pg_policies where schemaname = 'public' and permissive = 'PERMISSIVE' group by 1, 2 having count(*) > 1 $$,
  'every table has one permissive policy a command, since permissive policies add up');
select is_empty(
  $$ select tablename, policyname from pg_policies
    where schemaname = 'public' and permissive = 'PERMISSIVE' and (cmd = 'ALL' or (cmd = 'UPDATE' and (qual is null or with_check is null))) $$,
  'every permissive policy is of one command, and one for update says which rows and what they may become');
select is_empty(
  $$ select name, polname from our_policies where octet_length(polname::text) = 63 $$,
  'every policy has the name that its migration gives it: Postgres cuts at 63 bytes');
select is_empty(
  $$ select name, polname from our_policies where rule ~ 'user_metadata' $$,
  'no policy trusts user_metadata, which users write themselves');
select is_empty(
  $$ select name, polname from our_policies
    where regexp_replace(rule, 'SELECT (app|auth)\.\w+\(', '', 'g') ~ '(app|auth)\.\w+\(' $$,
  'every policy asks its functions once a statement, not once a row');
select is_empty(
  $$ select our_tables.name from our_tables
    join pg_class class on class.oid = our_tables.oid and class.relkind = 'v'
    where not coalesce(class.reloptions, '{}') && array['security_invoker=true', 'security_invoker=on'] $$,
  'every view reads with the rights of its reader');

select * from finish();
rollback;
