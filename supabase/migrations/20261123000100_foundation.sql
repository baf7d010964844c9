-- Foundation: what every later domain stands on.
--
-- Promises
--   * Nothing is reachable by an API role unless a migration grants it by name: the default privileges that
--     a hosted project gives to anon, authenticated and service_role are taken away here, once.
--   * `public` holds tables with row-level security and thin `security invoker` functions; `app` holds what
--     they stand on and is not exposed; `audit` is append-only and not exposed.
--   * Who wrote a row and when is stamped by one trigger, never by the caller.

create schema if not exists extensions;
create schema app;
comment on schema app is 'Helpers of policies, security definer bodies of RPCs, trigger functions. Not exposed by the API.';

create extension if not exists btree_gist with schema extensions;

alter default privileges revoke execute on functions from public;
alter default privileges in schema public revoke all on tables from anon, authenticated, service_role;
alter default privileges in schema public revoke all on sequences from anon, authenticated, service_role;
alter default privileges in schema public revoke all on functions from anon, authenticated, service_role;

-- Policies and invoker RPCs call functions of `app` by name, so the callers need to see the schema. Each
-- function in it is still granted by name.
grant usage on schema app to authenticated, service_role;

-- ---------------------------------------------------------------------------------------------------------
-- Ids
-- ---------------------------------------------------------------------------------------------------------

create function app.new_id()
returns uuid
language plpgsql
volatile
set search_path = ''
as $$
begin
  -- A random id with the milliseconds since 1970 in its first six bytes; of the version, 4 and 7 share a bit.
  return encode(
    set_bit(set_bit(
      overlay(
        uuid_send(gen_random_uuid())
        placing substring(int8send(floor(extract(epoch from clock_timestamp()) * 1000)::bigint) from 3) from 1 for 6),
      52, 1), 53, 1),
    'hex')::uuid;
end
$$;
comment on function app.new_id is
  'An id of what every booking writes: a UUID of version 7 (RFC 9562), so that new rows lie side by side in an index. Random '
  'ones would each need a page of their own from the disk, once the indexes are larger than the memory.';

-- ---------------------------------------------------------------------------------------------------------
-- Refusals
-- ---------------------------------------------------------------------------------------------------------

create function app.refuse(code text, detail text default null, extensions jsonb default '{}')
returns void
language plpgsql
immutable
set search_path = ''
as $$
begin
  raise exception using
    errcode = 'HF000',
    message = code,
    detail = (pg_catalog.jsonb_strip_nulls(pg_catalog.jsonb_build_object('code', code, 'detail', detail)) || extensions)::text;
end
$$;
comment on function app.refuse is
  'Stops an operation with a problem of the HTTP contract. app.run_operation catches it (SQLSTATE HF000), '
  'undoes what the operation wrote, records the refusal and returns the problem. Detail never holds PHI.';

create function app.refuse_fields(errors jsonb)
returns void
language plpgsql
immutable
set search_path = ''
as $$
begin
  perform app.refuse('validation_failed', 'The request has values that cannot be accepted.',
    pg_catalog.jsonb_build_object('errors', errors));
end
$$;
comment on function app.refuse_fields is 'app.refuse for fields of the request: an array of {field, code, message}.';

create function app.refuse_field(field text, code text, message text)
returns void
language plpgsql
immutable
set search_path = ''
as $$
begin
  perform app.refuse_fields(pg_catalog.jsonb_build_array(
    pg_catalog.jsonb_build_object('field', field, 'code', code, 'message', message)));
end
$$;
comment on function app.refuse_field is 'app.refuse_fields for a single field.';

create function app.refuse_change()
returns trigger
language plpgsql
set search_path = ''
as $$
begin
  raise exception using
    errcode = 'check_violation',
    schema = tg_table_schema, table = tg_table_name, constraint = tg_argv[0],
    message = pg_catalog.format('%s: constraint "%s"', tg_argv[1], tg_argv[0]);
end
$$;
comment on function app.refuse_change is
  'Refuses what its trigger fires on, for every role, under the name of a rule: its arguments are that name and the sentence.';

create function app.grant_select_without_phi(target regclass)
returns void
language plpgsql
set search_path = ''
as $$
begin
  execute pg_catalog.format('grant select (%s) on %s to authenticated, service_role', (
      select pg_catalog.string_agg(pg_catalog.quote_ident(attribute.attname), ', ' order by attribute.attnum)
      from pg_catalog.pg_attribute attribute
      where attribute.attrelid = target and attribute.attnum > 0 and not attribute.attisdropped
        and coalesce(pg_catalog.col_description(target, attribute.attnum) !~ '^PHI: ', true)),
    target);
end
$$;
comment on function app.grant_select_without_phi is
  'Used by migrations only: lets the API read a table but for its PHI, which RPCs read and put on record. To be called after '
  'the columns of the table are commented, and again after one is added.';

-- ---------------------------------------------------------------------------------------------------------
-- Stamps
-- ---------------------------------------------------------------------------------------------------------

create function app.stamp_row()
returns trigger
language plpgsql
set search_path = ''
as $$
declare
  caller constant uuid := auth.uid();
begin
  if tg_op = 'INSERT' then
    new.created_at := pg_catalog.clock_timestamp();
    new.created_by := caller;
  else
    new.created_at := old.created_at;
    new.created_by := old.created_by;
  end if;
  new.updated_at := pg_catalog.clock_timestamp();
  new.updated_by := caller;

  if tg_argv[0] = 'status' then
    if tg_op = 'INSERT' then
      new.status_changed_at := new.created_at;
      new.status_changed_by := new.created_by;
    elsif new.status is distinct from old.status then
      new.status_changed_at := new.updated_at;
      new.status_changed_by := new.updated_by;
    else
      new.status_changed_at := old.status_changed_at;
      new.status_changed_by := old.status_changed_by;
    end if;
  end if;

  if tg_argv[1] = 'version' then
    new.version := case when tg_op = 'INSERT' then 1 else old.version + 1 end;
  end if;
  return new;
end
$$;
comment on function app.stamp_row is
  'Stamps created_at/by and updated_at/by; with the argument ''status'' also status_changed_at/by, and with a '
  'second argument ''version'' the row version. The caller''s own values for these columns are ignored.';

create function app.add_stamps(target regclass, variadic kinds text[] default '{}')
returns void
language plpgsql
set search_path = ''
as $$
begin
  execute pg_catalog.format(
    'create trigger stamp_row before insert or update on %s for each row execute function app.stamp_row(%s)',
    target,
    (select pg_catalog.string_agg(pg_catalog.quote_literal(kind), ', ') from pg_catalog.unnest(kinds) kind));
end
$$;
comment on function app.add_stamps is 'Used by migrations only: puts the stamp_row trigger on a table.';

-- ---------------------------------------------------------------------------------------------------------
-- Time zones
-- ---------------------------------------------------------------------------------------------------------

create table app.time_zones (
  name text primary key
);
comment on table app.time_zones is
  'The IANA time zone names this Postgres knows, as a table, so that a zone column can be a foreign key.';
insert into app.time_zones (name)
select zone.name
from pg_catalog.pg_timezone_names zone
where zone.name !~ '^(posix|right)/' and zone.name not in ('Factory', 'localtime', 'posixrules')
order by zone.name;
alter table app.time_zones enable row level security;

create function app.utc_offset_minutes(moment timestamptz, time_zone text)
returns integer
language plpgsql
stable
set search_path = ''
as $$
begin
  return extract(epoch from (moment at time zone time_zone) - (moment at time zone 'UTC')) / 60;
end
$$;
comment on function app.utc_offset_minutes is 'Minutes east of UTC that an IANA zone observes at an instant.';
