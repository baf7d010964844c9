-- Tenancy: organizations, who belongs to them in which role, and the functions that answer "may this user".
--
-- Promises
--   * A membership is read from user_roles in the statement that uses it: a revoked or expired role loses
--     access at once, whatever the JWT still says.
--   * The JWT claim org_id narrows what a user of several organizations sees; it never grants anything.
--   * Roles are never deleted: who had which role, when, and by whom stays on record.

create table public.organizations (
  id uuid primary key default gen_random_uuid(),
  name text not null,
  time_zone text not null references app.time_zones (name),
  requires_mfa boolean not null default false,
  calls_per_minute integer not null default 300,
  created_at timestamptz not null,
  created_by uuid,
  updated_at timestamptz not null,
  updated_by uuid,
  constraint organizations_name_length check (length(name) between 1 and 200),
  constraint organizations_calls_per_minute_range check (calls_per_minute between 1 and 100000)
);
comment on table public.organizations is 'A clinic: the tenant. Every tenant row names its organization.';
comment on column public.organizations.requires_mfa is 'When true, booking demands a second factor (aal2) from everybody.';
comment on column public.organizations.calls_per_minute is 'Calls of booking operations allowed per user and minute.';
select app.add_stamps('public.organizations');

create table public.user_roles (
  id uuid primary key default gen_random_uuid(),
  organization_id uuid not null references public.organizations (id),
  user_id uuid not null references auth.users (id),
  role text not null,
  granted_by uuid,
  expires_at timestamptz,
  revoked_at timestamptz,
  created_at timestamptz not null,
  created_by uuid,
  updated_at timestamptz not null,
  updated_by uuid,
  constraint user_roles_role_known check (role in (
    'client', 'therapist', 'supervisor', 'psychiatrist', 'internal_ops', 'partner_provider', 'admin',
    'super_admin', 'system_service'))
);
comment on table public.user_roles is 'User x organization x role. History is kept: a role ends by revoked_at or expires_at.';
create unique index user_roles_one_live_grant_idx on public.user_roles (user_id, organization_id, role)
  where revoked_at is null;
create index user_roles_user_id_idx on public.user_roles (user_id);
create index user_roles_organization_id_idx on public.user_roles (organization_id);
select app.add_stamps('public.user_roles');

create function app.keep_revocation()
returns trigger
language plpgsql
set search_path = ''
as $$
begin
  raise exception using
    errcode = 'check_violation',
    schema = 'public', table = 'user_roles', constraint = 'user_roles_revoked_for_good',
    message = 'a revoked role stays revoked, grant it anew: constraint "user_roles_revoked_for_good"';
end
$$;
comment on function app.keep_revocation is 'History is kept: what was revoked, and when, is not taken back.';
create trigger keep_revocation before update of revoked_at on public.user_roles
  for each row when (old.revoked_at is not null and new.revoked_at is distinct from old.revoked_at)
  execute function app.keep_revocation();

create table public.role_permissions (
  role text not null,
  permission text not null,
  primary key (role, permission),
  constraint role_permissions_permission_form check (permission ~ '^[a-z]+(_[a-z]+)+$')
);
comment on table public.role_permissions is 'Which role may do what, as data. The same for every organization.';
insert into public.role_permissions (role, permission) values
  ('therapist', 'book_own_sessions'),
  ('supervisor', 'book_own_sessions'),
  ('internal_ops', 'book_any_session'),
  ('admin', 'book_any_session'),
  ('admin', 'view_audit');

-- ---------------------------------------------------------------------------------------------------------
-- "May this user": the one place that answers it
-- ---------------------------------------------------------------------------------------------------------
-- Each answers only about auth.uid(). org_ids_with_role is security definer because it reads user_roles on behalf
-- of policies, those of user_roles among them; the others stand on it. plpgsql stable in the array form: evaluated
-- once a statement as an InitPlan, where a per-row form costs two orders of magnitude.

create function app.org_ids_with_role(variadic roles text[])
returns uuid[]
language plpgsql
stable
security definer
set search_path = ''
as $$
declare
  active_organization uuid := nullif(auth.jwt() ->> 'org_id', '')::uuid;
begin
  return array(
    select distinct membership.organization_id
    from public.user_roles membership
    where membership.user_id = auth.uid()
      and membership.role = any (roles)
      and membership.revoked_at is null
      and (membership.expires_at is null or membership.expires_at > now())
      and (active_organization is null or membership.organization_id = active_organization));
end
$$;
comment on function app.org_ids_with_role is
  'Organizations in which the caller has one of the roles now. Definer: reads user_roles for policies.';

create function app.org_ids()
returns uuid[]
language plpgsql
stable
set search_path = ''
as $$
begin
  return app.org_ids_with_role(
    'client', 'therapist', 'supervisor', 'psychiatrist', 'internal_ops', 'partner_provider', 'admin',
    'system_service');
end
$$;
comment on function app.org_ids is
  'Organizations the caller belongs to now. A super_admin belongs to none: it sees records by break-glass only.';

create function app.org_ids_with_permission(wanted text)
returns uuid[]
language plpgsql
stable
set search_path = ''
as $$
begin
  return app.org_ids_with_role(variadic array(
    select granted.role from public.role_permissions granted where granted.permission = wanted));
end
$$;
comment on function app.org_ids_with_permission is 'Organizations in which the caller has a role with the permission.';

create function app.user_has_role_for_org(organization uuid, variadic roles text[])
returns boolean
language plpgsql
stable
set search_path = ''
as $$
begin
  return organization = any (app.org_ids_with_role(variadic roles));
end
$$;
comment on function app.user_has_role_for_org is 'Whether the caller has one of the roles in the organization now.';

grant execute on function
  app.org_ids_with_role, app.org_ids, app.org_ids_with_permission, app.user_has_role_for_org
to authenticated;

-- ---------------------------------------------------------------------------------------------------------
-- Grants and policies
-- ---------------------------------------------------------------------------------------------------------

alter table public.organizations enable row level security;
alter table public.user_roles enable row level security;
alter table public.role_permissions enable row level security;

grant select (id, name, time_zone, requires_mfa) on public.organizations to authenticated;
grant select on public.user_roles, public.role_permissions to authenticated;
grant select,
  insert (id, name, time_zone, requires_mfa, calls_per_minute),
  update (name, time_zone, requires_mfa, calls_per_minute)
on public.organizations to service_role;
grant select,
  insert (organization_id, user_id, role, granted_by, expires_at),
  update (expires_at, revoked_at)
on public.user_roles to service_role;
grant select on public.role_permissions to service_role;

create policy "members see their organization" on public.organizations
  for select to authenticated
  using (id = any ((select app.org_ids())::uuid[]));

create policy "users see their own roles and admins those of the organization" on public.user_roles
  for select to authenticated
  using (
    user_id = (select auth.uid())
    or organization_id = any ((select app.org_ids_with_role('admin'))::uuid[])
  );

create policy "everybody signed in reads what a role may do" on public.role_permissions
  for select to authenticated
  using (true);
