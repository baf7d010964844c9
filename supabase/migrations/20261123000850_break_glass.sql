-- Break-glass: how the platform's operator reads a tenant's records in an emergency, and how everybody learns of it.
--
-- Promises
--   * A super_admin sees no record without a reason, a second factor and an end at most four hours away.
--   * The organization's admins are alerted in the same transaction, and may end it.
--   * Granting, ending and being refused a role are on record.

create table public.access_alerts (
  id uuid primary key default gen_random_uuid(),
  organization_id uuid not null references public.organizations (id),
  kind text not null,
  actor_id uuid,
  grant_id uuid,
  note_id uuid,
  window_start timestamptz,
  window_end timestamptz,
  figures jsonb,
  status text not null default 'open',
  acknowledged_reason text,
  status_changed_at timestamptz not null,
  status_changed_by uuid,
  created_at timestamptz not null,
  created_by uuid,
  updated_at timestamptz not null,
  updated_by uuid,
  constraint access_alerts_organization_id_id_key unique (organization_id, id),
  constraint access_alerts_grant_fkey
    foreign key (organization_id, grant_id) references public.user_roles (organization_id, id),
  constraint access_alerts_note_fkey
    foreign key (organization_id, note_id) references public.session_notes (organization_id, id),
  constraint access_alerts_kind_known check (kind in (
    'break_glass', 'note_unreadable', 'many_clients', 'off_hours', 'unassigned_reads', 'repeated_denials')),
  constraint access_alerts_status_known check (status in ('open', 'acknowledged')),
  constraint access_alerts_acknowledged_with_reason check ((status = 'acknowledged') = (acknowledged_reason is not null)),
  constraint access_alerts_reason_length check (length(acknowledged_reason) between 1 and 500),
  -- Who did it, when, and how much: what is detected has all of them, and nothing else has a window.
  constraint access_alerts_detected_is_whole check (
    case when kind in ('many_clients', 'off_hours', 'unassigned_reads', 'repeated_denials')
      then actor_id is not null and window_start < window_end and window_end is not null and figures is not null
      else window_start is null and window_end is null and figures is null end)
);
comment on table public.access_alerts is
  'What an organization''s admins should look at; acknowledged by acknowledge_alert. Why a role was taken stands in the grant''s row.';
comment on column public.access_alerts.figures is 'Counts only, and what they were compared with: docs/unusual-access.md.';
comment on column public.access_alerts.acknowledged_reason is 'PHI: free text, what the admin found. Read by read_access_alerts.';
create index access_alerts_newest_idx on public.access_alerts (organization_id, created_at, id);
-- The detection may look at a day as often as it likes.
create unique index access_alerts_one_per_window_idx on public.access_alerts (organization_id, actor_id, kind, window_start)
  where window_start is not null;
create index access_alerts_grant_idx on public.access_alerts (organization_id, grant_id);
create index access_alerts_note_idx on public.access_alerts (organization_id, note_id);
-- Without a note it is a client's key that does not open: one open alert an organization.
create unique index access_alerts_one_open_per_note_idx on public.access_alerts (organization_id, note_id)
  nulls not distinct where kind = 'note_unreadable' and status = 'open';
select app.add_stamps('public.access_alerts', 'status');

alter table public.access_alerts enable row level security;
grant select (
  id, organization_id, kind, actor_id, grant_id, note_id, window_start, window_end, figures, status, status_changed_at,
  status_changed_by, created_at, created_by, updated_at, updated_by)
on public.access_alerts to authenticated, service_role;
create policy "admins see alerts" on public.access_alerts
  for select to authenticated
  using (organization_id = any ((select app.org_ids_with_role('admin'))::uuid[]));
select app.require_second_factor('public.access_alerts');

create function app.announce_alerts()
returns trigger
language plpgsql
security definer
set search_path = ''
as $$
begin
  perform app.emit(raised.organization_id, 'access_alert.raised', raised.id, jsonb_build_object('kind', raised.kind))
  from new_rows raised;
  return null;
end
$$;
comment on function app.announce_alerts is 'Tells of alerts outside, in the transaction that raises them. Definer: nobody writes the outbox.';
create trigger announce_alerts after insert on public.access_alerts
  referencing new table as new_rows
  for each statement execute function app.announce_alerts();

create function app.break_glass(organization uuid, reason text, minutes integer)
returns jsonb
language plpgsql
security definer
set search_path = ''
set timezone = 'UTC'
as $$
declare
  granted public.user_roles;
begin
  if app.caller() is null then
    return app.refuse_unauthenticated('break_glass');
  elsif not app.is_super_admin() then
    -- Counted, or anybody could fill the trail of any clinic.
    return coalesce(
      app.count_call(organization, 'break_glass', is_admitted => false),
      app.refusal(organization, 'break_glass', '{"code": "forbidden"}'));
  elsif not exists (select from public.organizations clinic where clinic.id = organization) then
    return app.refusal(null, 'break_glass', '{"code": "not_found"}');
  elsif reason is null or length(trim(reason)) not between 10 and 500 then
    return app.refusal(organization, 'break_glass', app.impossible_value('reason'));
  elsif minutes is null or minutes not between 1 and 240 then
    return app.refusal(organization, 'break_glass', app.impossible_value('minutes'));
  end if;

  -- A second one replaces the first: its end and its reason count.
  update public.user_roles membership
  set revoked_at = clock_timestamp()
  where membership.user_id = auth.uid() and membership.organization_id = organization
    and membership.kind = 'break_glass' and membership.revoked_at is null and membership.expires_at > clock_timestamp();
  insert into public.user_roles (organization_id, user_id, role, kind, reason, expires_at)
  values (organization, auth.uid(), 'super_admin', 'break_glass', trim(reason),
    clock_timestamp() + make_interval(mins => minutes))
  returning * into granted;
  insert into public.access_alerts (organization_id, kind, actor_id, grant_id)
  values (organization, 'break_glass', auth.uid(), granted.id);
  return jsonb_build_object('data', jsonb_build_object('grant_id', granted.id, 'expires_at', granted.expires_at));
end
$$;
comment on function app.break_glass is
  'Definer: writes user_roles and alerts that a super_admin has no grant to write. Checks app.is_super_admin itself.';

create function public.break_glass(organization uuid, reason text, minutes integer default 60)
returns jsonb
language plpgsql
security invoker
set search_path = ''
as $$
begin
  return app.break_glass(organization, reason, minutes);
end
$$;
comment on function public.break_glass is
  'For super admins with a second factor: read access to one organization''s records for 1 to 240 minutes, with a '
  'reason of 10 to 500 characters. Alerts the organization''s admins. Answers {data: {grant_id, expires_at}} or {problem}.';
grant execute on function app.break_glass, public.break_glass to authenticated;

create function app.record_role_change()
returns trigger
language plpgsql
security definer
set search_path = ''
as $$
begin
  insert into audit.events (organization_id, action, table_name, row_id, details)
  values (
    new.organization_id,
    case
      when tg_op = 'INSERT' and new.kind = 'break_glass' then 'access.break_glass'
      when tg_op = 'INSERT' then 'role.granted'
      when new.revoked_at is not null and old.revoked_at is null then 'role.revoked'
      else 'role.changed'
    end,
    'user_roles', new.id,
    jsonb_strip_nulls(jsonb_build_object(
      'user_id', new.user_id, 'role', new.role, 'kind', new.kind, 'expires_at', new.expires_at)));
  return null;
end
$$;
comment on function app.record_role_change is 'Puts every change of who may do what on record. Definer: nobody writes audit.events.';
create trigger record_role_change after insert or update on public.user_roles
  for each row execute function app.record_role_change();
