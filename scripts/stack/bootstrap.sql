-- What a hosted Supabase project has before its first migration, for a bare Postgres.
--
-- Runs as the superuser supabase_admin in one transaction, after the inner server has made its tables in auth and
-- storage, and again at every start: each statement leaves an existing database as it is. Where the local server lacks
-- something that hosted gives through its own extensions (supautils, the Realtime server), the nearest plain grant or
-- table stands here, with a comment that says so.

set local client_min_messages = warning;

-- Roles ---------------------------------------------------------------------------------------------------------------

do $$
declare
  role_name text;
begin
  foreach role_name in array array[
    'postgres', 'anon', 'authenticated', 'service_role', 'authenticator',
    'supabase_auth_admin', 'supabase_storage_admin', 'supabase_realtime_admin'
  ] loop
    if not exists (select from pg_catalog.pg_roles r where r.rolname = role_name) then
      execute format('create role %I', role_name);
    end if;
  end loop;
end
$$;

-- The role of migrations is no superuser on hosted; a migration that needs one must fail here too.
alter role postgres with login nosuperuser createdb createrole replication bypassrls password 'postgres';
alter role anon with nologin inherit;
alter role authenticated with nologin inherit;
alter role service_role with nologin inherit bypassrls;
alter role authenticator with login noinherit;
alter role supabase_auth_admin with nologin noinherit createrole;
alter role supabase_storage_admin with nologin noinherit createrole;
alter role supabase_realtime_admin with nologin noinherit;

grant anon, authenticated, service_role to authenticator;
grant anon, authenticated, service_role to postgres with admin option;
grant pg_monitor, pg_read_all_data, pg_signal_backend to postgres;
-- Hosted lets postgres write policies on storage.objects and realtime.messages through supautils, without being in these
-- roles; plain Postgres asks for the table's owner.
grant supabase_storage_admin, supabase_realtime_admin to postgres;
-- By supautils on a hosted project: who loads a dump switches triggers off (scripts/backup).
grant set on parameter session_replication_role to postgres;

alter role anon set statement_timeout = '3s';
alter role authenticated set statement_timeout = '8s';
alter role authenticator set statement_timeout = '8s';
alter role authenticator set lock_timeout = '8s';
alter role postgres set search_path = "$user", public, extensions;
alter role supabase_admin set search_path = "$user", public, extensions;
alter role supabase_auth_admin set search_path = auth;
alter role supabase_storage_admin set search_path = storage;

-- Database and schemas ------------------------------------------------------------------------------------------------

alter database postgres owner to postgres;
alter database postgres set search_path = "$user", public, extensions;
-- `supabase db advisors` (splinter) reads which schemas the API exposes from here, and misses most lints without it.
alter database postgres set pgrst.db_schemas = 'public';

-- Schema public belongs to pg_database_owner, so to postgres. Nothing is granted on future tables: the project sets
-- auto_expose_new_tables = false, and its migrations write every grant.
revoke create on schema public from public;
grant usage on schema public to anon, authenticated, service_role;

create schema if not exists extensions authorization postgres;
grant usage on schema extensions to anon, authenticated, service_role;
create extension if not exists pgcrypto with schema extensions;
create extension if not exists "uuid-ossp" with schema extensions;
create extension if not exists pg_stat_statements with schema extensions;
create extension if not exists pgtap with schema extensions;

-- auth ----------------------------------------------------------------------------------------------------------------

create schema if not exists auth;
alter schema auth owner to supabase_admin;

-- Columns and tables that hosted has and the inner server has no use for: seeds and policies name them.
alter table auth.users add column if not exists instance_id uuid;
alter table auth.users add column if not exists is_super_admin boolean;
alter table auth.identities alter column id set default gen_random_uuid();

do $$
begin
  if to_regtype('auth.factor_type') is null then
    create type auth.factor_type as enum ('totp', 'webauthn', 'phone');
  end if;
  if to_regtype('auth.factor_status') is null then
    create type auth.factor_status as enum ('unverified', 'verified');
  end if;
end
$$;

create table if not exists auth.mfa_factors (
  id uuid primary key,
  user_id uuid not null references auth.users (id) on delete cascade,
  friendly_name text,
  factor_type auth.factor_type not null,
  status auth.factor_status not null,
  created_at timestamptz not null,
  updated_at timestamptz not null,
  secret text,
  phone text,
  last_challenged_at timestamptz
);

-- Hosted's definitions. The inner server's own read only the one-claim settings, and a test that sets
-- request.jwt.claims, as pgTAP tests do, would act as nobody.
create or replace function auth.uid() returns uuid language sql stable as $$
  select coalesce(
    nullif(current_setting('request.jwt.claim.sub', true), ''),
    (nullif(current_setting('request.jwt.claims', true), '')::jsonb ->> 'sub')
  )::uuid
$$;

create or replace function auth.role() returns text language sql stable as $$
  select coalesce(
    nullif(current_setting('request.jwt.claim.role', true), ''),
    (nullif(current_setting('request.jwt.claims', true), '')::jsonb ->> 'role')
  )::text
$$;

create or replace function auth.email() returns text language sql stable as $$
  select coalesce(
    nullif(current_setting('request.jwt.claim.email', true), ''),
    (nullif(current_setting('request.jwt.claims', true), '')::jsonb ->> 'email')
  )::text
$$;

create or replace function auth.jwt() returns jsonb language sql stable as $$
  select coalesce(
    nullif(current_setting('request.jwt.claim', true), ''),
    nullif(current_setting('request.jwt.claims', true), '')
  )::jsonb
$$;

grant usage, create on schema auth to supabase_auth_admin;
grant usage on schema auth to postgres, anon, authenticated, service_role;
grant all on all tables in schema auth to postgres, supabase_auth_admin;
grant all on all sequences in schema auth to postgres, supabase_auth_admin;
grant all on all routines in schema auth to postgres, supabase_auth_admin;
grant execute on function auth.uid(), auth.role(), auth.email(), auth.jwt() to anon, authenticated, service_role;

-- storage -------------------------------------------------------------------------------------------------------------

create schema if not exists storage;
grant all on schema storage to supabase_storage_admin;
grant usage on schema storage to postgres, anon, authenticated, service_role;

do $$
declare
  relation text;
begin
  foreach relation in array array['storage.buckets', 'storage.objects'] loop
    if to_regclass(relation) is not null then
      execute format('alter table %s owner to supabase_storage_admin', to_regclass(relation));
      execute format('alter table %s enable row level security', to_regclass(relation));
      -- As hosted: row level security is the door, and it is shut until a migration writes a policy.
      execute format('grant all on table %s to postgres, anon, authenticated, service_role', to_regclass(relation));
    end if;
  end loop;
end
$$;

grant execute on all functions in schema storage to postgres, anon, authenticated, service_role;

-- realtime ------------------------------------------------------------------------------------------------------------

-- What Realtime's own migrations make: broadcast from triggers, and policies on who may join a private topic. The gateway
-- carries the messages (realtime.ts), from the write-ahead log as hosted does. Hosted makes a partition a day and drops it
-- after three; here one takes every day, and what is old goes at the next start.
create schema if not exists realtime;
alter schema realtime owner to supabase_admin;

do $$
begin
  -- As an earlier bootstrap made it.
  if exists (select from pg_catalog.pg_class where oid = to_regclass('realtime.messages') and relkind = 'r') then
    drop table realtime.messages;
  end if;
end
$$;

create table if not exists realtime.messages (
  topic text not null,
  extension text not null,
  payload jsonb,
  event text,
  private boolean default false,
  updated_at timestamp not null default now(),
  inserted_at timestamp not null default now(),
  id uuid not null default gen_random_uuid(),
  binary_payload bytea,
  constraint messages_payload_exclusive check (payload is null or binary_payload is null),
  primary key (id, inserted_at)
) partition by range (inserted_at);
alter table realtime.messages owner to supabase_realtime_admin;
alter table realtime.messages enable row level security;
create index if not exists messages_inserted_at_topic_index on realtime.messages (inserted_at desc, topic)
  where extension = 'broadcast' and private is true;
create table if not exists realtime.messages_of_every_day partition of realtime.messages default;
alter table realtime.messages_of_every_day owner to supabase_realtime_admin;
delete from realtime.messages where inserted_at < now() - interval '3 days';

do $$
begin
  if not exists (select from pg_catalog.pg_publication where pubname = 'supabase_realtime_messages_publication') then
    -- The columns that the gateway reads, in their order. Hosted publishes all.
    create publication supabase_realtime_messages_publication
      for table realtime.messages (topic, payload, event, private, id)
      with (publish = 'insert', publish_via_partition_root = true);
  end if;
end
$$;

create or replace function realtime.topic() returns text language sql stable as $$
  select nullif(current_setting('realtime.topic', true), '')::text
$$;

create or replace function realtime.send(payload jsonb, event text, topic text, private boolean default true)
returns void language plpgsql as $$
declare
  generated_id uuid;
  final_payload jsonb;
begin
  begin
    generated_id := gen_random_uuid();
    final_payload := case
      when payload ? 'id' then payload else jsonb_set(payload, '{id}', to_jsonb(generated_id)) end;
    execute format('SET LOCAL realtime.topic TO %L', topic);
    insert into realtime.messages (id, payload, event, topic, private, extension)
    values (generated_id, final_payload, event, topic, private, 'broadcast');
  exception when others then
    -- As hosted: a message that cannot be sent never undoes the change it tells of.
    raise warning 'WarnSendingBroadcastMessage: %', sqlerrm;
  end;
end
$$;

create or replace function realtime.broadcast_changes(
  topic_name text,
  event_name text,
  operation text,
  table_name text,
  table_schema text,
  new record,
  old record,
  level text default 'ROW'
)
returns void language plpgsql as $$
begin
  if level = 'STATEMENT' then
    raise exception 'function can only be triggered for each row, not for each statement';
  end if;
  if operation not in ('INSERT', 'UPDATE', 'DELETE') then
    raise exception 'Unexpected operation type: %', operation;
  end if;
  perform realtime.send(
    jsonb_build_object(
      'id', gen_random_uuid(),
      'operation', operation,
      'table', table_name,
      'schema', table_schema,
      'record', case when operation <> 'DELETE' then to_jsonb(new) end,
      'old_record', case when operation <> 'INSERT' then to_jsonb(old) end
    ),
    event_name,
    topic_name
  );
end
$$;

grant usage on schema realtime to anon, authenticated, service_role;
grant usage on schema realtime to postgres with grant option;
grant usage, create on schema realtime to supabase_realtime_admin with grant option;
grant all on realtime.messages to postgres;
grant select, insert, update on realtime.messages to anon, authenticated, service_role;
grant execute on all functions in schema realtime to postgres, anon, authenticated, service_role;
alter function realtime.topic() owner to supabase_realtime_admin;
alter function realtime.send(jsonb, text, text, boolean) owner to supabase_realtime_admin;
alter function realtime.broadcast_changes(text, text, text, text, text, record, record, text) owner to supabase_realtime_admin;

do $$
begin
  if not exists (select from pg_catalog.pg_publication where pubname = 'supabase_realtime') then
    create publication supabase_realtime;
  end if;
end
$$;
alter publication supabase_realtime owner to postgres;

-- REST schema cache ---------------------------------------------------------------------------------------------------

-- Hosted tells the REST server of every change of the schema; the gateway listens on the same channel.
create or replace function extensions.pgrst_ddl_watch() returns event_trigger language plpgsql as $$
begin
  notify pgrst, 'reload schema';
end
$$;

do $$
begin
  if not exists (select from pg_catalog.pg_event_trigger where evtname = 'pgrst_ddl_watch') then
    create event trigger pgrst_ddl_watch on ddl_command_end execute function extensions.pgrst_ddl_watch();
  end if;
  if not exists (select from pg_catalog.pg_event_trigger where evtname = 'pgrst_drop_watch') then
    create event trigger pgrst_drop_watch on sql_drop execute function extensions.pgrst_ddl_watch();
  end if;
end
$$;
