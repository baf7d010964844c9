-- The pitfalls of row-level security that the other files do not name: each a question to the catalog.
begin;
select plan(6);

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

select * from finish();
rollback;
