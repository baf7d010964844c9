-- What is true of every table, function, constraint and policy, read from the catalog: whatever a migration adds is
-- held to it without a new test, and each failure lists the offenders.
begin;
select plan(34);

create temp view our_tables as
select class.oid, class.oid::regclass::text as name, schema.nspname as schema_name, class.relname, class.relrowsecurity
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
select con.oid, con.conname, con.contype, our_tables.oid as table_oid, our_tables.name, our_tables.relname, con.conkey, con.confrelid
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

select is_empty('select name from our_tables where not relrowsecurity', 'every table has row-level security');
select is_empty($$ select name, privilege from our_grants where role_name = 'anon' $$, 'anon has no grant on any table');
select is_empty(
  $$ select name, privilege from our_grants where role_name = 'authenticated' and privilege <> 'SELECT' $$,
  'users write no table directly');
select is_empty(
  $$ select name, privilege from our_grants where role_name = 'authenticated' and schema_name <> 'public' $$,
  'users read no table outside public');
select is_empty(
  $$ select name, privilege from our_grants where role_name = 'service_role' and privilege not in ('SELECT', 'INSERT', 'UPDATE') $$,
  'the service role deletes nothing');
select is_empty(
  $$ select name, privilege from our_grants
    where role_name = 'service_role'
      and (name in ('calendar_claims', 'idempotency_keys') or schema_name in ('app', 'audit')) $$,
  'the service role has no grant on the ledger, the idempotency keys, the audit trail or anything in app');
select set_eq(
  $$ select distinct name from our_grants where role_name = 'authenticated' $$,
  array['organizations', 'user_roles', 'role_permissions', 'therapists', 'clients', 'rooms', 'care_team_assignments',
    'cpt_codes', 'services', 'session_groups', 'sessions', 'session_holds'],
  'users read exactly these tables');
select is(
  array[has_schema_privilege('anon', 'app', 'usage'), has_schema_privilege('anon', 'audit', 'usage'),
    has_schema_privilege('authenticated', 'audit', 'usage'), has_schema_privilege('service_role', 'audit', 'usage')],
  array[false, false, false, false],
  'no API role enters audit, and anon does not enter app');

select is_empty(
  $$ select name from our_functions where has_function_privilege('anon', oid, 'execute') $$,
  'no function is executable by anon');
select is_empty(
  $$ select our_functions.name from our_functions
    join pg_proc proc on proc.oid = our_functions.oid
    cross join lateral aclexplode(coalesce(proc.proacl, acldefault('f', proc.proowner))) granted
    where granted.grantee = 0 $$,
  'no function is executable by public');
select set_eq(
  $$ select proname::text from our_functions where schema_name = 'public' and has_function_privilege('authenticated', oid, 'execute') $$,
  array['hold_sessions', 'confirm_sessions', 'cancel_sessions', 'list_audit_events'],
  'users call exactly these functions of public');
select set_eq(
  $$ select proname::text from our_functions where schema_name <> 'public' and has_function_privilege('authenticated', oid, 'execute') $$,
  array['org_ids', 'org_ids_with_role', 'org_ids_with_permission', 'user_has_role_for_org', 'my_therapist_ids', 'my_client_ids',
    'run_operation', 'list_audit_events'],
  'policies and RPCs of users stand on exactly these functions of app');
select is_empty(
  $$ select name from our_functions where has_function_privilege('service_role', oid, 'execute') $$,
  'the service role calls no function');

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
    where attribute.attname ~ '(full_name|first_name|last_name|birth|phone|email|address|diagnos|reason|note|comment)'
      and coalesce(col_description(our_tables.oid, attribute.attnum), '') !~ '^PHI: ' $$,
  'every column whose name sounds like health information has a comment that begins with PHI:');
select set_eq(
  $$ select our_tables.name || '.' || attribute.attname from our_tables
    join pg_attribute attribute on attribute.attrelid = our_tables.oid and attribute.attnum > 0
    where col_description(our_tables.oid, attribute.attnum) ~ '^PHI: ' $$,
  array['clients.full_name', 'sessions.cancellation_reason'],
  'these columns hold PHI, and no other');
select is_empty(
  $$ select name, conname from our_constraints
    where contype in ('c', 'x') and (conname !~ ('^' || relname || '_[a-z]') or conname ~ '_check[0-9]*$|_excl[0-9]*$') $$,
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
    where our_tables.schema_name = 'public' and not exists (
      select from our_constraints con
      where con.table_oid = our_tables.oid and con.contype = 'f' and con.confrelid = target.oid and attribute.attnum = any (con.conkey))
      -- A claim's subjects and organization are those of the row that makes it; its writer is a trigger.
      and not (our_tables.name = 'calendar_claims' and attribute.attname = 'organization_id')
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

-- ---------------------------------------------------------------------------------------------------------
-- Policies
-- ---------------------------------------------------------------------------------------------------------

select is_empty(
  $$ select name, polname from our_policies where polroles <> array['authenticated'::regrole::oid] $$,
  'every policy is to authenticated and nobody else');
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
