-- Audit: what happened, who did it, and what was refused.
--
-- Promises
--   * audit.events is append-only for everybody, the service role included: no grant, and a trigger that
--     refuses UPDATE, DELETE and TRUNCATE.
--   * A refusal is on record although what it attempted was undone.
--   * No PHI: ids, codes and counts only.

create schema audit;
comment on schema audit is 'Append-only event log. Not exposed by the API: read through RPCs.';

create table audit.events (
  id bigint generated always as identity primary key,
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
  constraint events_action_form check (action ~ '^[a-z_]+\.[a-z_]+$'),
  constraint events_decision_known check (decision in ('allow', 'deny')),
  constraint events_deny_has_code check (decision = 'allow' or code is not null)
);
comment on table audit.events is 'One row an event. actor_id is null for automation and for plain SQL.';
comment on column audit.events.code is 'For a deny: the problem code that the caller was given.';
create index events_organization_id_occurred_at_idx on audit.events (organization_id, occurred_at desc);

create function audit.refuse_change()
returns trigger
language plpgsql
set search_path = ''
as $$
begin
  raise exception using errcode = '42501', message = 'audit.events is append-only';
end
$$;
comment on function audit.refuse_change is 'Keeps audit.events append-only for every role.';
create trigger append_only before update or delete or truncate on audit.events
  for each statement execute function audit.refuse_change();

alter table audit.events enable row level security;

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
      event.code, event.table_name, event.row_id, event.request_id, event.details
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

create function app.denied_attempts()
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
      event.code, event.table_name, event.row_id, event.request_id, event.details
    from audit.events event
    where event.decision = 'deny'
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
  from public.denied_attempts denied
  where denied.organization_id = organization
    and (by_user is null or denied.actor_id = by_user)
    and denied.occurred_at >= since
    and denied.occurred_at <= until
    and (before_id is null or denied.id < before_id)
  order by denied.id desc
  limit least(greatest(max_rows, 1), 1000)
$$;
comment on function public.list_denied_attempts is
  'Denied attempts in an organization, newest first, by user and time; for admins, empty for others. Page on with before_id.';
grant execute on function public.list_denied_attempts to authenticated;
