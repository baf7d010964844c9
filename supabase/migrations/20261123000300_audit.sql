-- Audit: what happened, who did it, and what was refused.
--
-- Promises
--   * audit.events is append-only for everybody, the owner and the service role included: no grant, and a trigger, on
--     the table and on each partition, that refuses UPDATE, DELETE and TRUNCATE. Who may switch triggers off, a
--     superuser, is found out by the seals (audit.seals).
--   * A refusal is on record although what it attempted was undone.
--   * Every event is of a known type (audit.event_types).
--   * No PHI: ids, codes and counts only. Of the reads and refused reads of a client's record, also the address that they came
--     from, which nobody but the subject access report gives out.

create schema audit;
comment on schema audit is 'Append-only event log. Not exposed by the API: read through RPCs.';

create function audit.refuse_change()
returns trigger
language plpgsql
set search_path = ''
as $$
begin
  raise exception using errcode = '42501', message = pg_catalog.format('%I.%I is append-only', tg_table_schema, tg_table_name);
end
$$;
comment on function audit.refuse_change is 'Keeps a table of the audit trail append-only for every role.';

-- ---------------------------------------------------------------------------------------------------------
-- Events
-- ---------------------------------------------------------------------------------------------------------

create function audit.knows_event_type(name text)
returns boolean
language plpgsql
immutable
set search_path = ''
as $$
begin
  return false;
end
$$;
comment on function audit.knows_event_type is
  'Whether audit.event_types has the name. audit.add_event_types writes it anew from that table, which only grows.';

create table audit.events (
  id bigint generated always as identity,
  occurred_at timestamptz not null default clock_timestamp(),
  organization_id uuid,
  actor_id uuid default auth.uid(),
  action text not null,
  decision text not null default 'allow',
  code text,
  table_name text,
  row_id uuid,
  -- As the functions take it; whatever else a direct caller sends is not kept.
  request_id text default substring(
    nullif(current_setting('request.headers', true), '')::jsonb ->> 'x-request-id' from '^[A-Za-z0-9._-]{1,64}$'),
  details jsonb not null default '{}',
  client_id uuid,
  ip inet,
  user_agent text,
  -- The transaction that wrote it: what sealing goes by (audit.seal). In another cluster more is added (audit.continue_trail).
  written_in xid8 not null default pg_current_xact_id(),
  primary key (id, occurred_at),
  -- Not a foreign key, which would lock one and the same row of event_types for every writer of an event; and not a list in
  -- the check, which would be read anew for every statement: that takes longer than writing the event.
  constraint events_action_known check (audit.knows_event_type(action)),
  constraint events_action_form check (action ~ '^[a-z_]+\.[a-z_]+$'),
  constraint events_decision_known check (decision in ('allow', 'deny')),
  constraint events_deny_has_code check (decision = 'allow' or code is not null),
  -- So that the subject access report misses none.
  constraint events_read_names_client check (client_id is not null or action not like '%.read' or decision = 'deny'),
  -- Sealing writes the moment as a number.
  constraint events_occurred_at_finite check (isfinite(occurred_at))
) partition by range (occurred_at);
comment on table audit.events is
  'One row an event, a partition a month (UTC). actor_id is null for automation and for plain SQL.';
comment on column audit.events.code is 'For a deny: the problem code that the caller was given.';
create index events_organization_id_occurred_at_idx on audit.events (organization_id, occurred_at desc);
comment on column audit.events.client_id is
  'Whose record was read, or refused to be: written by app.record_access and app.refusal, null for everything else.';
comment on column audit.events.ip is 'PHI: the address that a read, or a refused one, came from.';
comment on column audit.events.user_agent is 'PHI: what the browser or app of a read, or a refused one, called itself.';
-- Partial, so that bookings do not pay for them. The report reads the first, the detection of unusual access the second.
create index events_client_id_id_idx on audit.events (client_id, id) where client_id is not null;
create index events_accesses_idx on audit.events (organization_id, occurred_at) where client_id is not null or decision = 'deny';
create index events_written_in_id_idx on audit.events (written_in, id);
create trigger append_only before update or delete or truncate on audit.events
  for each statement execute function audit.refuse_change();
alter table audit.events enable row level security;

create function audit.protect_partition(partition regclass, what text)
returns void
language plpgsql
set search_path = ''
as $$
begin
  -- Neither row-level security nor a statement trigger of the parent counts for who names the partition itself.
  execute pg_catalog.format('alter table %s enable row level security', partition);
  execute pg_catalog.format(
    'create trigger append_only before update or delete or truncate on %s for each statement execute function audit.refuse_change()',
    partition);
  execute pg_catalog.format('comment on table %s is %L', partition, what);
end
$$;
comment on function audit.protect_partition is 'Gives a partition of audit.events the protection of the whole.';

create table audit.events_default partition of audit.events default;
select audit.protect_partition('audit.events_default', 'Events of months without a partition, so that none is ever lost.');

create function audit.ensure_partitions(months_ahead integer default 12, first_month date default null)
returns integer
language plpgsql
set search_path = ''
-- To attach locks the default partition against its readers too. Behind one that takes long, a copy of the whole say, all others
-- would wait: rather try again tomorrow.
set lock_timeout = '2s'
as $$
declare
  this_month timestamp := pg_catalog.date_trunc('month', pg_catalog.now() at time zone 'UTC');
  month timestamp;
  partition text;
  made integer := 0;
begin
  for month in
    select it.month
    from pg_catalog.generate_series(
      least(pg_catalog.date_trunc('month', first_month::timestamp), this_month - interval '1 month'),
      this_month + pg_catalog.make_interval(months => months_ahead), '1 month') it (month)
  loop
    partition := 'events_' || pg_catalog.to_char(month, 'YYYY_MM');
    -- A month that the default partition has taken events of stays there: they are append-only, so they do not move.
    continue when pg_catalog.to_regclass('audit.' || partition) is not null
      or exists (
        select from audit.events_default event
        where event.occurred_at >= month at time zone 'UTC'
          and event.occurred_at < (month + interval '1 month') at time zone 'UTC');
    -- Made apart and attached: unlike "partition of", this does not keep writers of the other months waiting.
    execute pg_catalog.format(
      'create table audit.%I (like audit.events including defaults including constraints)', partition);
    execute pg_catalog.format(
      'alter table audit.events attach partition audit.%I for values from (%L) to (%L)',
      partition, month at time zone 'UTC', (month + interval '1 month') at time zone 'UTC');
    perform audit.protect_partition(
      ('audit.' || partition)::regclass, pg_catalog.format('Events of %s (UTC).', pg_catalog.to_char(month, 'YYYY-MM')));
    made := made + 1;
  end loop;
  return made;
end
$$;
comment on function audit.ensure_partitions is
  'Makes the monthly partitions of audit.events from last month, or an earlier first_month, to months_ahead, for a job to call once '
  'a day. Returns how many it made. A month that is already in the default partition stays there.';
select audit.ensure_partitions();

-- ---------------------------------------------------------------------------------------------------------
-- Types
-- ---------------------------------------------------------------------------------------------------------

create table audit.event_types (
  name text primary key,
  summary text not null,
  -- A name that ends so is a read of a client's record: audit.events then has its client_id.
  reads_client boolean not null generated always as (name like '%.read') stored,
  constraint event_types_name_form check (name ~ '^[a-z_]+\.[a-z_]+$')
);
comment on table audit.event_types is 'The names that audit.events.action takes. They are added by migrations, and never taken away.';
alter table audit.event_types enable row level security;

create function audit.add_event_types(types jsonb)
returns void
language plpgsql
set search_path = ''
as $$
begin
  insert into audit.event_types (name, summary)
  select added.key, added.value from pg_catalog.jsonb_each_text(types) added;
  execute pg_catalog.format(
    'create or replace function audit.knows_event_type(name text) returns boolean language plpgsql immutable '
    'set search_path = '''' as $body$ begin return name = any (%L::text[]); end $body$',
    (select pg_catalog.array_agg(type.name order by type.name) from audit.event_types type));
end
$$;
comment on function audit.add_event_types is
  'Used by migrations only: {"name": "summary"} of the types of events that the domain writes. No other is accepted.';

-- ---------------------------------------------------------------------------------------------------------
-- Access to a client's record
-- ---------------------------------------------------------------------------------------------------------

create function audit.denies_access(code text)
returns boolean
language plpgsql
immutable
set search_path = ''
as $$
begin
  return code in ('forbidden', 'not_found', 'mfa_required');
end
$$;
comment on function audit.denies_access is
  'Whether the code of a refusal says that somebody reached for what is not theirs, rather than for what cannot be.';

create function app.record_accesses(
  organization uuid, action text, of_table text, of_rows uuid[], clients uuid[], details jsonb default '{}',
  denied uuid[] default '{}')
returns void
language plpgsql
set search_path = ''
as $$
begin
  insert into audit.events (
    organization_id, action, decision, code, table_name, row_id, client_id, details, ip, user_agent)
  select organization, record_accesses.action,
    case when access.row_id = any (denied) then 'deny' else 'allow' end,
    case when access.row_id = any (denied) then 'not_found' end,
    of_table, access.row_id, access.client_id, record_accesses.details, caller.address, caller.agent
  from unnest(of_rows, clients) access (row_id, client_id)
  cross join (select app.caller_address(), left(app.request_header('user-agent'), 500)) caller (address, agent);
end
$$;
comment on function app.record_accesses is
  'Puts on record that the caller read rows of clients'' records, an event a row, and from where the request came. Those of '
  'denied were asked for and not given.';

create function app.record_access(
  organization uuid, action text, of_table text, of_row uuid, client uuid, details jsonb default '{}')
returns void
language plpgsql
set search_path = ''
as $$
begin
  perform app.record_accesses(organization, action, of_table, array[of_row], array[client], details);
end
$$;
comment on function app.record_access is
  'Puts on record that the caller read something of a client''s record, or worked in it, and from where the request came.';

-- ---------------------------------------------------------------------------------------------------------
-- Reading
-- ---------------------------------------------------------------------------------------------------------

create function app.list_audit_events(organization uuid, before_id bigint, max_rows integer)
returns setof audit.events
language plpgsql
stable
security definer
set search_path = ''
as $$
begin
  if not coalesce(
    organization = any (app.org_ids_with_permission('view_audit'))
      and organization <> all (app.org_ids_needing_second_factor()),
    false)
  then
    raise exception using errcode = '42501', message = 'not allowed to read this audit trail';
  end if;
  return query
    select event.id, event.occurred_at, event.organization_id, event.actor_id, event.action, event.decision,
      event.code, event.table_name, event.row_id, event.request_id, event.details, event.client_id, event.ip, event.user_agent,
      event.written_in
    from audit.events event
    where event.organization_id = organization and (before_id is null or event.id < before_id)
    order by event.id desc
    limit least(greatest(max_rows, 1), 1000);
end
$$;
comment on function app.list_audit_events is
  'Definer: audit.events has no grants. Answers only to those who hold view_audit in the organization.';

create function public.list_audit_events(organization uuid, before_id bigint default null, max_rows integer default 100)
returns table (
  id bigint, occurred_at timestamptz, actor_id uuid, action text, decision text, code text, table_name text,
  row_id uuid, request_id text, details jsonb)
language sql
stable
security invoker
set search_path = ''
as $$
  select event.id, event.occurred_at, event.actor_id, event.action, event.decision, event.code,
    event.table_name, event.row_id, event.request_id, event.details
  from app.list_audit_events(organization, before_id, max_rows) event
$$;
comment on function public.list_audit_events is
  'The organization''s audit trail, newest first; for admins. Page on with before_id = the last id seen. '
  'At most 1000 rows a call. Raises 42501 for anybody else.';

grant execute on function app.list_audit_events, public.list_audit_events to authenticated;

create function app.denied_attempts(since timestamptz default '-infinity', until timestamptz default 'infinity')
returns setof audit.events
language plpgsql
stable
security definer
set search_path = ''
as $$
declare
  organizations uuid[] := app.org_ids_with_permission('view_audit');
  barred uuid[] := app.org_ids_needing_second_factor();
begin
  return query
    select event.id, event.occurred_at, event.organization_id, event.actor_id, event.action, event.decision,
      event.code, event.table_name, event.row_id, event.request_id, event.details, event.client_id, event.ip, event.user_agent,
      event.written_in
    from audit.events event
    where event.decision = 'deny'
      -- Here and not in the caller, so that only the months asked for are read.
      and event.occurred_at >= since
      and event.occurred_at <= until
      and event.organization_id = any (organizations)
      and event.organization_id <> all (barred);
end
$$;
comment on function app.denied_attempts is
  'Definer: audit.events has no grants. Gives the denials of organizations where the caller holds view_audit.';

create view public.denied_attempts with (security_invoker = true) as
  select denied.id, denied.occurred_at, denied.organization_id, denied.actor_id, denied.action, denied.code,
    denied.table_name, denied.request_id
  from app.denied_attempts() denied;
comment on view public.denied_attempts is 'For admins: what was refused, to whom, when.';
grant execute on function app.denied_attempts to authenticated;
grant select on public.denied_attempts to authenticated;

create function public.list_denied_attempts(
  organization uuid, by_user uuid default null, since timestamptz default now() - interval '30 days',
  until timestamptz default now(), before_id bigint default null, max_rows integer default 100
)
returns setof public.denied_attempts
language sql
stable
security invoker
set search_path = ''
as $$
  select denied.id, denied.occurred_at, denied.organization_id, denied.actor_id, denied.action, denied.code,
    denied.table_name, denied.request_id
  from app.denied_attempts(since, until) denied
  where denied.organization_id = organization
    and (by_user is null or denied.actor_id = by_user)
    and (before_id is null or denied.id < before_id)
  order by denied.id desc
  limit least(greatest(max_rows, 1), 1000)
$$;
comment on function public.list_denied_attempts is
  'Denied attempts in an organization, newest first, by user and time; for admins, empty for others. Page on with before_id.';
grant execute on function public.list_denied_attempts to authenticated;
