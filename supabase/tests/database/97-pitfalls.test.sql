-- The pitfalls of row-level security that the other files do not name: each a question to the catalog.
begin;
select plan(15);

create temp view our_uniques as
select index.indrelid, table_class.relname as table_name, index_class.relname as index_name,
  array(
    select attribute.attname::text
    from unnest(index.indkey) key
    join pg_attribute attribute on attribute.attrelid = index.indrelid and attribute.attnum = key) as columns
from pg_index index
join pg_class index_class on index_class.oid = index.indexrelid
join pg_class table_class on table_class.oid = index.indrelid
where index.indisunique and table_class.relnamespace = 'public'::regnamespace
  and exists (
    select
    from pg_attribute attribute
    where attribute.attrelid = index.indrelid and attribute.attname = 'organization_id');

-- A unique violation tells that a value exists. Ids are random; anything a person chooses is unique per tenant only.
select is_empty(
  $$ select table_name, index_name, columns from our_uniques
    where not 'organization_id' = any (columns)
      and not exists (
        select from unnest(columns) name
        join pg_attribute attribute on attribute.attrelid = indrelid and attribute.attname = name
        where attribute.atttypid = 'uuid'::regtype)
      -- A hash of 244 random bits.
      and index_name <> 'service_account_tokens_token_hash_unique' $$,
  'no unique key tells one tenant of another tenant''s values');

-- It is looked at before references are: of two ids of another clinic it would tell whether they have to do with each other.
select is_empty(
  $$ select conrelid::regclass, conname from pg_constraint
    where contype = 'x' and has_any_column_privilege('authenticated', conrelid, 'insert')
      and pg_get_constraintdef(oid) !~ 'organization_id' $$,
  'nor does an exclusion of what users add');

select is_empty(
  $$ select policy.polname, policy.polrelid::regclass from pg_policy policy
    join pg_class class on class.oid = policy.polrelid
    where class.relnamespace in ('public'::regnamespace, 'app'::regnamespace, 'audit'::regnamespace)
      and policy.polcmd = 'w' and policy.polwithcheck is null and policy.polpermissive $$,
  'every update policy checks the row as it was and as it will be');

select is_empty(
  $$ select polrelid::regclass, polcmd from pg_policy
    where polpermissive and polrelid in (select oid from pg_class where relnamespace = 'public'::regnamespace)
    group by polrelid, polcmd
    having count(*) > 1 $$,
  'no two permissive policies of one command add up to more than either says');

-- RETURNING, which PostgREST uses, reads what it wrote: a role that may write must be able to see.
select is_empty(
  $$ select policy.polrelid::regclass from pg_policy policy
    join pg_class class on class.oid = policy.polrelid
    where class.relnamespace = 'public'::regnamespace and policy.polcmd in ('a', 'w') and policy.polpermissive
      and not exists (
        select from pg_policy reading where reading.polrelid = policy.polrelid and reading.polcmd in ('r', '*') and reading.polpermissive) $$,
  'every table that users write has a policy by which they read it');

-- && and friends are not leakproof: under row-level security they cannot use their index.
select is_empty(
  $$ select polname, polrelid::regclass from pg_policy
    where pg_get_expr(polqual, polrelid) ~ '&&|@>|<@|~~\*|ilike' $$,
  'no policy compares with an operator that is not leakproof');

-- A column REVOKE under a table grant does nothing: writes are granted by column only.
select is_empty(
  $$ select class.relname, granted.grantee::regrole, granted.privilege_type from pg_class class
    cross join lateral aclexplode(class.relacl) granted
    where class.relnamespace = 'public'::regnamespace and class.relkind in ('r', 'p', 'v')
      and granted.grantee in ('authenticated'::regrole, 'anon'::regrole, 'service_role'::regrole)
      and granted.privilege_type <> 'SELECT' $$,
  'inserts and updates are granted by column, never on a whole table');

-- ---------------------------------------------------------------------------------------------------------
-- Every RPC that takes a request, found in the catalog: who is nobody here learns nothing
-- ---------------------------------------------------------------------------------------------------------

select tests.create_clinic('north'), tests.create_clinic('south'), tests.create_clinic('west');
select tests.create_user('noah login');
select tests.fill_schedule('north'), tests.add_session('a session', 'north', '10:00'), tests.add_hold('a hold', 'north', '12:00'),
  tests.add_group('a group', 'north', '14:00');
select tests.add_note('a note', 'north', 'a session');
select tests.add_document('a document', 'north');

create temp view operations as
select proname::text as name from pg_proc where pronamespace = 'public'::regnamespace and proargnames[1] = 'request'
  and has_function_privilege('authenticated', oid, 'execute');
create temp table requests (field text, row_label text);
insert into requests values
  ('therapist_id', 'north rosa'), ('client_id', 'north birch'), ('session_id', 'a session'), ('hold_key', 'a hold'),
  ('series_id', 'north series'), ('group_id', 'a group'), ('team_id', 'north team'), ('exception_id', 'north time off'),
  ('waitlist_entry_id', 'north entry'), ('organization_id', 'north'), ('session_ids', 'a session'), ('therapist_ids', 'north rosa'),
  ('signature_id', 'north signature'), ('form_id', 'north telehealth 1'),
  ('document_id', 'a document'),
  ('client_ids', 'north birch'), ('note_id', 'a note'), ('addends_note_id', 'a note');
-- What each operation answers to a request with the id of a row of North, or of none.
create function pg_temp.answers(login text, of_north boolean, beside jsonb default '{}', of_operation text default null) returns table (operation text, field text, code text) language plpgsql as $$
declare
  row_label text;
  named jsonb;
begin
  for operation in select name from operations where of_operation is null or name = of_operation loop
    delete from app.call_counts where user_id = tests.id(login);
    for field, row_label in select requests.field, requests.row_label from requests loop
      named := to_jsonb(case when of_north then tests.id(row_label) else gen_random_uuid() end);
      perform tests.authenticate_as(tests.id(login));
      execute format('select public.%I(%L) #>> ''{problem,code}''', operation,
        jsonb_build_object(field, case when field ~ 's$' then jsonb_build_array(named) else named end) || beside)
      into code;
      perform tests.clear_authentication();
      return next;
    end loop;
  end loop;
end
$$;

select cmp_ok((select count(*)::integer from operations), '>=', 16, 'there are operations to check');
select is_empty(
  $$ select name from operations where has_function_privilege('anon', format('public.%I(jsonb, text)', name), 'execute') $$,
  'anon calls no operation');
select is_empty(
  $$ select operation, field, code from pg_temp.answers(null, true) where code is distinct from 'unauthenticated' $$,
  'nor does a token without a user');
select is_empty(
  $$ select operation, field, code from pg_temp.answers('south admin login', true) where code is distinct from 'not_found' $$,
  'to the admin of another clinic no row of this one exists, by whatever id');
select is_empty(
  $$ select operation, field, code from pg_temp.answers('noah login', true) where code is distinct from 'not_found' $$,
  'nor to a user without a role');
select is_empty(
  $$ select operation, field, code from pg_temp.answers('north admin login', false) where code is distinct from 'not_found' $$,
  'to an admin there is no row by an id that is nobody''s');
select is_empty(
  $$ select answer.field, answer.code
    from pg_temp.answers('south admin login', false, jsonb_build_object('organization_id', tests.id('south')), 'read_attendance') answer
    where answer.field <> 'organization_id' and answer.code is distinct from 'not_found' $$,
  'nor when one''s own clinic is named beside it, so that an id of another clinic is not told from one that nobody has');


select tests.authenticate_as(tests.id('south admin login'));
select throws_ok(
  format(
    $$ insert into public.care_team_assignments (organization_id, therapist_id, client_id, team_role, starts_on)
      values (%L, %L, %L, 'therapist', current_date) $$, tests.id('south'), tests.id('north rosa'), tests.id('north birch')),
  '23503', null, 'nor whom of another clinic''s clients its therapists treat');
select tests.clear_authentication();

select * from finish();
rollback;
