-- Tenancy: organizations, who belongs to them in which role, and the functions that answer "may this user".
--
-- Promises
--   * A membership is read from user_roles in the statement that uses it: a revoked or expired role loses
--     access at once, whatever the JWT still says.
--   * So does who signs out, changes the password or is banned, and a session that is too old: app.caller.
--   * The JWT claim org_id narrows what a user of several organizations sees; it never grants anything.
--   * Roles are never deleted: who had which role, when, and by whom stays on record.

create table public.organizations (
  id uuid primary key default gen_random_uuid(),
  name text not null,
  time_zone text not null references app.time_zones (name),
  requires_mfa boolean not null default false,
  calls_per_minute integer not null default 300,
  total_calls_per_minute integer not null default 6000,
  cancellation_notice_hours integer not null default 24,
  waitlist_offer_minutes integer not null default 120,
  created_at timestamptz not null,
  created_by uuid,
  updated_at timestamptz not null,
  updated_by uuid,
  constraint organizations_name_length check (length(name) between 1 and 200),
  constraint organizations_calls_per_minute_range check (calls_per_minute between 1 and 100000),
  constraint organizations_total_calls_per_minute_range check (total_calls_per_minute between 1 and 1000000),
  constraint organizations_cancellation_notice_range check (cancellation_notice_hours between 0 and 336),
  constraint organizations_waitlist_offer_range check (waitlist_offer_minutes between 5 and 2880)
);
comment on table public.organizations is 'A clinic: the tenant. Every tenant row names its organization.';
comment on column public.organizations.requires_mfa is 'When true, booking demands a second factor (aal2) from everybody.';
comment on column public.organizations.calls_per_minute is 'Calls of booking operations allowed per user and minute.';
comment on column public.organizations.total_calls_per_minute is
  'Calls allowed per minute to all users and service accounts of the clinic together, so that none starves the others.';
comment on column public.organizations.cancellation_notice_hours is
  'A session cancelled by its therapist or client with less notice is a late cancellation.';
comment on column public.organizations.waitlist_offer_minutes is 'How long a time that came free is held for who waits for it.';
select app.add_stamps('public.organizations');

create table public.roles (
  role text primary key,
  summary text not null,
  requires_mfa boolean not null default false,
  constraint roles_role_form check (role ~ '^[a-z]+(_[a-z]+)*$')
);
comment on table public.roles is 'The roles there are, what each is, and whether it demands a second factor.';
insert into public.roles (role, summary, requires_mfa) values
  ('client', 'Patient or guardian: own appointments, through the family views', false),
  ('therapist', 'RBT or BT: own sessions and the clients on whose care team they are', false),
  ('supervisor', 'BCBA or care manager: as a therapist, and the caseload of those they supervise', false),
  ('psychiatrist', 'Consulting reviewer: reads the records of clients assigned for review', false),
  ('internal_ops', 'Scheduling, billing, compliance: the organization''s schedule and billing', false),
  ('partner_provider', 'Referring practice: status and schedule summary of clients it referred', false),
  ('admin', 'Clinic administrator: the whole organization, roles included', false),
  ('super_admin', 'Platform operator: tenants; records only by break-glass', true),
  ('system_service', 'Automation: what its scopes name', false);

create table public.user_roles (
  id uuid primary key default gen_random_uuid(),
  organization_id uuid references public.organizations (id),
  user_id uuid not null references auth.users (id),
  role text not null references public.roles (role),
  kind text not null default 'standing',
  reason text,
  granted_by uuid,
  expires_at timestamptz,
  revoked_at timestamptz,
  created_at timestamptz not null,
  created_by uuid,
  updated_at timestamptz not null,
  updated_by uuid,
  constraint user_roles_organization_id_id_key unique (organization_id, id),
  constraint user_roles_organization_required check (organization_id is not null or role = 'super_admin'),
  constraint user_roles_kind_known check (kind in ('standing', 'temporary', 'break_glass')),
  constraint user_roles_temporary_has_end_and_reason
    check (kind = 'standing' or (coalesce(isfinite(expires_at), false) and reason is not null)),
  constraint user_roles_reason_length check (length(reason) between 10 and 500),
  constraint user_roles_super_admin_in_organization_by_break_glass
    check ((role = 'super_admin' and organization_id is not null) = (kind = 'break_glass')),
  constraint user_roles_break_glass_at_most_4_hours
    check (kind <> 'break_glass' or expires_at <= created_at + interval '4 hours'),
  -- Two live grants of one role would let a revocation leave one standing.
  constraint user_roles_no_second_live_grant exclude using gist (
    user_id with =,
    coalesce(organization_id, '00000000-0000-0000-0000-000000000000') with =,
    role with =,
    tstzrange(created_at, greatest(created_at, coalesce(least(revoked_at, expires_at), 'infinity'))) with &&)
);
comment on table public.user_roles is
  'User x organization x role. History is kept: a role ends by revoked_at or expires_at. Temporary access and '
  'break-glass are rows with a reason and an end. A super_admin has one row without an organization.';
comment on column public.user_roles.reason is 'PHI: free text, why access was given.';
create index user_roles_user_id_idx on public.user_roles (user_id);
create index user_roles_role_idx on public.user_roles (role);
select app.add_stamps('public.user_roles');

create function app.stamp_grant()
returns trigger
language plpgsql
set search_path = ''
as $$
begin
  new.granted_by := coalesce((select auth.uid()), new.granted_by);
  return new;
end
$$;
comment on function app.stamp_grant is 'Who grants a role is who is signed in, not who the row says.';
create trigger stamp_grant before insert on public.user_roles for each row execute function app.stamp_grant();

-- History is kept: that a role was revoked or expired, and when, is not taken back.
create trigger keep_revocation before update of revoked_at on public.user_roles
  for each row when (old.revoked_at is not null and new.revoked_at is distinct from old.revoked_at)
  execute function app.refuse_change(
    'user_roles_revoked_for_good', 'a role that has ended stays ended, grant it anew');
create trigger keep_expiry before update of expires_at on public.user_roles
  for each row when (old.expires_at <= now() and new.expires_at is distinct from old.expires_at)
  execute function app.refuse_change(
    'user_roles_revoked_for_good', 'a role that has ended stays ended, grant it anew');

-- Nobody raises themselves: an admin for a while stays one for that while, unless another one says otherwise.
create trigger keep_own_end before update of expires_at on public.user_roles
  for each row when (old.user_id = auth.uid() and old.expires_at < coalesce(new.expires_at, 'infinity'))
  execute function app.refuse_change(
    'user_roles_prolonged_by_another', 'nobody prolongs a role of their own');

create function app.stamp_end()
returns trigger
language plpgsql
set search_path = ''
as $$
begin
  if (select auth.uid()) is null then
    return new;
  end if;
  if new.revoked_at is not null then
    new.revoked_at := clock_timestamp();
  end if;
  if new.expires_at < now() and new.expires_at is distinct from old.expires_at then
    new.expires_at := now();
  end if;
  return new;
end
$$;
comment on function app.stamp_end is
  'A role that somebody signed in ends, ends then: dated back, it would not be what its holder had when they read a record.';
create trigger stamp_end before update of revoked_at, expires_at on public.user_roles
  for each row when (old.revoked_at is null)
  execute function app.stamp_end();

create table public.role_permissions (
  role text not null references public.roles (role),
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
  ('internal_ops', 'manage_availability'),
  ('admin', 'manage_availability'),
  ('admin', 'override_availability'),
  ('internal_ops', 'manage_authorizations'),
  ('internal_ops', 'manage_billing'),
  ('admin', 'manage_authorizations'),
  ('admin', 'manage_billing'),
  ('admin', 'override_authorization'),
  ('admin', 'archive_clients'),
  ('admin', 'manage_insights'),
  ('admin', 'manage_roles'),
  ('admin', 'manage_service_accounts'),
  ('admin', 'manage_webhooks'),
  ('admin', 'view_audit'),
  ('therapist', 'view_clients'),
  ('supervisor', 'view_clients'),
  ('psychiatrist', 'view_clients'),
  ('internal_ops', 'view_clients'),
  ('admin', 'view_clients'),
  ('therapist', 'view_schedule'),
  ('supervisor', 'view_schedule'),
  ('psychiatrist', 'view_schedule'),
  ('internal_ops', 'view_schedule'),
  ('admin', 'view_schedule'),
  ('therapist', 'view_therapists'),
  ('supervisor', 'view_therapists'),
  ('psychiatrist', 'view_therapists'),
  ('internal_ops', 'view_therapists'),
  ('admin', 'view_therapists'),
  ('admin', 'manage_therapists'),
  ('client', 'view_own_appointments'),
  ('partner_provider', 'view_referrals'),
  ('super_admin', 'view_tenants');

-- ---------------------------------------------------------------------------------------------------------
-- "May this user": the one place that answers it
-- ---------------------------------------------------------------------------------------------------------
-- Each answers only about app.caller(). org_ids_with_role is security definer because it reads user_roles on behalf
-- of policies, those of user_roles among them; the others stand on it. plpgsql stable in the array form: evaluated
-- once a statement as an InitPlan, where a per-row form costs two orders of magnitude. For the same reason a helper
-- puts what another helper answers into a variable first: in a WHERE it may be asked for every row.

create function app.caller()
returns uuid
language plpgsql
stable
security definer
set search_path = ''
as $$
declare
  -- The same as in supabase/config.toml, [auth.sessions]: Auth asks at a refresh, this in between.
  longest constant interval := '12 hours';
  longest_idle constant interval := '30 minutes';
  claims constant jsonb := auth.jwt();
  claimed_user constant uuid := claims ->> 'sub';
  claimed_session constant uuid := claims ->> 'session_id';
begin
  return (
    select login.id
    from auth.sessions session
    join auth.users login on login.id = session.user_id
    where session.id = claimed_session
      and session.user_id = claimed_user
      and session.created_at > now() - longest
      -- Auth keeps this time without a zone, in UTC.
      and coalesce(session.refreshed_at at time zone 'UTC', session.created_at) > now() - longest_idle
      and (session.not_after is null or session.not_after > now())
      and (login.banned_until is null or login.banned_until <= now()));
end
$$;
comment on function app.caller is
  'The user of the token, if not banned and the token''s session is alive: not signed out, not too old, not idle for too '
  'long. Otherwise null, also for a token without a session. Definer: reads auth.sessions and auth.users for policies.';

-- Of somebody else than the caller, who is asked by app.caller.
create function app.may_sign_in(user_id uuid)
returns boolean
language plpgsql
stable
set search_path = ''
as $$
begin
  return exists (
    select
    from auth.users login
    where login.id = user_id
      and login.deleted_at is null
      and (login.banned_until is null or login.banned_until <= now()));
end
$$;
comment on function app.may_sign_in is 'Whether the login is there, neither banned nor deleted softly.';

create function app.org_ids_with_role(variadic roles text[])
returns uuid[]
language plpgsql
stable
security definer
set search_path = ''
as $$
declare
  caller uuid := app.caller();
  active_organization uuid := nullif(auth.jwt() ->> 'org_id', '')::uuid;
begin
  return array(
    select membership.organization_id
    from public.user_roles membership
    where membership.user_id = caller
      and membership.role = any (roles)
      and membership.organization_id is not null
      and membership.revoked_at is null
      and (membership.expires_at is null or membership.expires_at > now())
      and (active_organization is null or membership.organization_id = active_organization)
      -- Who runs the platform no more has no use of a glass that was broken before.
      and (membership.kind <> 'break_glass' or app.is_super_admin()));
end
$$;
comment on function app.org_ids_with_role is
  'Organizations in which the caller has one of the roles now. Definer: reads user_roles for policies.';

create function app.is_super_admin()
returns boolean
language plpgsql
stable
security definer
set search_path = ''
as $$
declare
  caller uuid := app.caller();
begin
  -- Never null, which `if not` would take for yes.
  return coalesce(auth.jwt() ->> 'aal' = 'aal2', false) and exists (
    select
    from public.user_roles membership
    where membership.user_id = caller
      and membership.role = 'super_admin'
      and membership.organization_id is null
      and membership.revoked_at is null
      and (membership.expires_at is null or membership.expires_at > now()));
end
$$;
comment on function app.is_super_admin is
  'Whether the caller runs the platform, with a second factor. Definer: reads user_roles for policies.';

create function app.org_ids_needing_second_factor()
returns uuid[]
language plpgsql
stable
security definer
set search_path = ''
as $$
declare
  caller uuid := auth.uid();
begin
  if auth.jwt() ->> 'aal' = 'aal2' then
    return '{}';
  end if;
  return array(
    select distinct membership.organization_id
    from public.user_roles membership
    join public.organizations organization on organization.id = membership.organization_id
    join public.roles held on held.role = membership.role
    where membership.user_id = caller
      and membership.revoked_at is null
      and (membership.expires_at is null or membership.expires_at > now())
      and (organization.requires_mfa or held.requires_mfa));
end
$$;
comment on function app.org_ids_needing_second_factor is
  'Organizations that, or the caller''s role in which, demand a second factor that this token lacks. Definer: reads '
  'user_roles and organizations for policies.';

create function app.require_second_factor(target regclass)
returns void
language plpgsql
set search_path = ''
as $$
begin
  execute pg_catalog.format(
    'create policy second_factor on %s as restrictive for all to authenticated '
    'using (organization_id is null or organization_id <> all ((select app.org_ids_needing_second_factor())::uuid[])) '
    'with check (organization_id is null or organization_id <> all ((select app.org_ids_needing_second_factor())::uuid[]))',
    target);
end
$$;
comment on function app.require_second_factor is
  'Used by migrations only: no row of a tenant table is in reach before the second factor that its organization demands.';

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
  app.caller, app.org_ids_with_role, app.org_ids, app.org_ids_with_permission, app.user_has_role_for_org, app.is_super_admin,
  app.org_ids_needing_second_factor
to authenticated;

-- ---------------------------------------------------------------------------------------------------------
-- Grants and policies
-- ---------------------------------------------------------------------------------------------------------

alter table public.organizations enable row level security;
alter table public.roles enable row level security;
alter table public.user_roles enable row level security;
alter table public.role_permissions enable row level security;

grant
  select (id, name, time_zone, requires_mfa, cancellation_notice_hours, waitlist_offer_minutes),
  insert (name, time_zone, requires_mfa),
  update (name, time_zone, requires_mfa, cancellation_notice_hours, waitlist_offer_minutes)
on public.organizations to authenticated;
select app.grant_select_without_phi('public.user_roles');
grant
  insert (organization_id, user_id, role, kind, reason, expires_at),
  update (expires_at, revoked_at)
on public.user_roles to authenticated;
grant select on public.roles, public.role_permissions to authenticated;
grant select,
  insert (
    id, name, time_zone, requires_mfa, calls_per_minute, total_calls_per_minute, cancellation_notice_hours,
    waitlist_offer_minutes),
  update (
    name, time_zone, requires_mfa, calls_per_minute, total_calls_per_minute, cancellation_notice_hours,
    waitlist_offer_minutes)
on public.organizations to service_role;
grant
  insert (organization_id, user_id, role, kind, reason, granted_by, expires_at),
  update (expires_at, revoked_at)
on public.user_roles to service_role;
grant select on public.roles, public.role_permissions to service_role;

create policy "members see their organization and super admins every tenant" on public.organizations
  for select to authenticated
  using (
    id = any ((select app.org_ids())::uuid[])
    or (select app.is_super_admin())
  );

create policy "super admins make tenants" on public.organizations
  for insert to authenticated
  with check ((select app.is_super_admin()));

create policy "admins change their organization and super admins every tenant" on public.organizations
  for update to authenticated
  using (
    id = any ((select app.org_ids_with_role('admin'))::uuid[])
    or (select app.is_super_admin())
  )
  with check (
    id = any ((select app.org_ids_with_role('admin'))::uuid[])
    or (select app.is_super_admin())
  );

create policy second_factor on public.organizations as restrictive
  for update to authenticated
  using (id <> all ((select app.org_ids_needing_second_factor())::uuid[]))
  with check (id <> all ((select app.org_ids_needing_second_factor())::uuid[]));

create policy "users see their own roles and admins those of the organization" on public.user_roles
  for select to authenticated
  using (
    user_id = (select app.caller())
    or organization_id = any ((select app.org_ids_with_role('admin'))::uuid[])
  );

create policy "admins grant roles of their organization" on public.user_roles
  for insert to authenticated
  with check (
    organization_id = any ((select app.org_ids_with_role('admin'))::uuid[])
    and role not in ('super_admin', 'system_service')
  );

create policy "admins end roles of their organization" on public.user_roles
  for update to authenticated
  using (organization_id = any ((select app.org_ids_with_role('admin'))::uuid[]))
  with check (organization_id = any ((select app.org_ids_with_role('admin'))::uuid[]));

select app.require_second_factor('public.user_roles');

create policy "everybody signed in reads what roles there are" on public.roles
  for select to authenticated
  using (true);

create policy "everybody signed in reads what a role may do" on public.role_permissions
  for select to authenticated
  using (true);
