-- People: therapists, clients, who is on whose care team; and rooms, the third thing that can be booked.
--
-- Promises
--   * A row that points into another organization cannot be written by anybody: every reference carries
--     organization_id in a composite foreign key.
--   * A therapist sees the clients on whose care team they are today; schedulers and admins see their
--     organization's clients; nobody else sees a client.
--   * Clients are never deleted: they are archived.

create table public.therapists (
  id uuid primary key default gen_random_uuid(),
  organization_id uuid not null references public.organizations (id),
  user_id uuid references auth.users (id),
  display_name text not null,
  credential text not null,
  status text not null default 'active',
  status_changed_at timestamptz not null,
  status_changed_by uuid,
  created_at timestamptz not null,
  created_by uuid,
  updated_at timestamptz not null,
  updated_by uuid,
  constraint therapists_organization_id_id_key unique (organization_id, id),
  constraint therapists_one_per_user unique (organization_id, user_id),
  constraint therapists_display_name_length check (length(display_name) between 1 and 200),
  constraint therapists_credential_known check (credential in ('BT', 'RBT', 'BCaBA', 'BCBA', 'BCBA-D', 'MD')),
  constraint therapists_status_known check (status in ('active', 'inactive'))
);
comment on table public.therapists is 'A person whose time is booked to deliver services; user_id when they have a login.';
create index therapists_user_id_idx on public.therapists (user_id);
select app.add_stamps('public.therapists', 'status');

create table public.clients (
  id uuid primary key default gen_random_uuid(),
  organization_id uuid not null references public.organizations (id),
  full_name text not null,
  status text not null default 'active',
  deleted_at timestamptz,
  status_changed_at timestamptz not null,
  status_changed_by uuid,
  created_at timestamptz not null,
  created_by uuid,
  updated_at timestamptz not null,
  updated_by uuid,
  constraint clients_organization_id_id_key unique (organization_id, id),
  constraint clients_full_name_length check (length(full_name) between 1 and 200),
  constraint clients_status_known check (status in ('active', 'archived')),
  constraint clients_archived_when_deleted check (deleted_at is null or status = 'archived')
);
comment on table public.clients is 'A person who receives services. Archived, never deleted.';
comment on column public.clients.full_name is 'PHI: the client''s name.';
select app.add_stamps('public.clients', 'status');

create table public.rooms (
  id uuid primary key default gen_random_uuid(),
  organization_id uuid not null references public.organizations (id),
  name text not null,
  created_at timestamptz not null,
  created_by uuid,
  updated_at timestamptz not null,
  updated_by uuid,
  constraint rooms_organization_id_id_key unique (organization_id, id),
  constraint rooms_name_unique unique (organization_id, name),
  constraint rooms_name_length check (length(name) between 1 and 100)
);
comment on table public.rooms is 'A room that one session at a time can use.';
select app.add_stamps('public.rooms');

create table public.care_team_assignments (
  id uuid primary key default gen_random_uuid(),
  organization_id uuid not null,
  therapist_id uuid not null,
  client_id uuid not null,
  team_role text not null,
  starts_on date not null,
  ends_on date,
  created_at timestamptz not null,
  created_by uuid,
  updated_at timestamptz not null,
  updated_by uuid,
  constraint care_team_assignments_therapist_fkey
    foreign key (organization_id, therapist_id) references public.therapists (organization_id, id),
  constraint care_team_assignments_client_fkey
    foreign key (organization_id, client_id) references public.clients (organization_id, id),
  constraint care_team_assignments_team_role_known
    check (team_role in ('therapist', 'supervisor', 'psychiatrist')),
  constraint care_team_assignments_date_order check (ends_on >= starts_on),
  constraint care_team_assignments_no_repeat exclude using gist (
    therapist_id with =, client_id with =, team_role with =, daterange(starts_on, ends_on, '[]') with &&)
);
comment on table public.care_team_assignments is
  'Therapist x client x team role, from starts_on to ends_on inclusive, in the organization''s zone. '
  'Sessions are booked only between members of a care team.';
create index care_team_assignments_therapist_idx on public.care_team_assignments (organization_id, therapist_id);
create index care_team_assignments_client_idx on public.care_team_assignments (organization_id, client_id);
select app.add_stamps('public.care_team_assignments');

-- ---------------------------------------------------------------------------------------------------------
-- "Mine": definer for the same reason as in tenancy; each answers only about auth.uid()
-- ---------------------------------------------------------------------------------------------------------

create function app.my_therapist_ids()
returns uuid[]
language plpgsql
stable
security definer
set search_path = ''
as $$
begin
  return array(
    select therapist.id
    from public.therapists therapist
    where therapist.user_id = auth.uid()
      and therapist.status = 'active'
      and therapist.organization_id = any (app.org_ids_with_role('therapist', 'supervisor')));
end
$$;
comment on function app.my_therapist_ids is
  'Therapist rows that are the caller, in organizations where the caller has such a role now. Definer: for policies.';

create function app.is_on_care_team(organization uuid, therapist uuid, client uuid, on_day date)
returns boolean
language plpgsql
stable
set search_path = ''
as $$
begin
  return exists (
    select
    from public.care_team_assignments assignment
    where assignment.organization_id = organization
      and assignment.therapist_id = therapist
      and assignment.client_id = client
      and on_day >= assignment.starts_on
      and (assignment.ends_on is null or on_day <= assignment.ends_on));
end
$$;
comment on function app.is_on_care_team is 'Whether the therapist is on the client''s care team on a day.';

create function app.my_client_ids()
returns uuid[]
language plpgsql
stable
security definer
set search_path = ''
as $$
begin
  return array(
    select distinct assignment.client_id
    from public.therapists therapist
    join public.organizations organization on organization.id = therapist.organization_id
    join public.care_team_assignments assignment
      on assignment.organization_id = therapist.organization_id and assignment.therapist_id = therapist.id
    where therapist.id = any (app.my_therapist_ids())
      and (now() at time zone organization.time_zone)::date >= assignment.starts_on
      and (assignment.ends_on is null
        or (now() at time zone organization.time_zone)::date <= assignment.ends_on));
end
$$;
comment on function app.my_client_ids is 'Clients on whose care team the caller is today. Definer: for policies.';

grant execute on function app.my_therapist_ids, app.my_client_ids to authenticated;

-- ---------------------------------------------------------------------------------------------------------
-- Grants and policies
-- ---------------------------------------------------------------------------------------------------------

alter table public.therapists enable row level security;
alter table public.clients enable row level security;
alter table public.rooms enable row level security;
alter table public.care_team_assignments enable row level security;

grant select on public.therapists, public.clients, public.rooms, public.care_team_assignments to authenticated;
grant select,
  insert (id, organization_id, user_id, display_name, credential),
  update (user_id, display_name, credential, status)
on public.therapists to service_role;
grant select,
  insert (id, organization_id, full_name),
  update (full_name, status, deleted_at)
on public.clients to service_role;
grant select,
  insert (id, organization_id, name),
  update (name)
on public.rooms to service_role;
grant select,
  insert (organization_id, therapist_id, client_id, team_role, starts_on, ends_on),
  update (ends_on)
on public.care_team_assignments to service_role;

create policy role_scoped_select on public.therapists
  for select to authenticated
  using (organization_id = any ((select app.org_ids_with_role(
    'therapist', 'supervisor', 'psychiatrist', 'internal_ops', 'admin'))::uuid[]));

create policy role_scoped_select on public.clients
  for select to authenticated
  using (
    id = any ((select app.my_client_ids())::uuid[])
    or organization_id = any ((select app.org_ids_with_role('internal_ops', 'admin'))::uuid[])
  );

create policy "members see the rooms" on public.rooms
  for select to authenticated
  using (organization_id = any ((select app.org_ids_with_role(
    'therapist', 'supervisor', 'internal_ops', 'admin'))::uuid[]));

create policy "care team members see their team and schedulers every team" on public.care_team_assignments
  for select to authenticated
  using (
    therapist_id = any ((select app.my_therapist_ids())::uuid[])
    or client_id = any ((select app.my_client_ids())::uuid[])
    or organization_id = any ((select app.org_ids_with_role('internal_ops', 'admin'))::uuid[])
  );

-- ---------------------------------------------------------------------------------------------------------
-- Access tokens
-- ---------------------------------------------------------------------------------------------------------

create function app.token_claims(of_user uuid)
returns jsonb
language sql
stable
security definer
set search_path = ''
as $$
  with memberships as (
    select membership.organization_id, membership.role
    from public.user_roles membership
    where membership.user_id = of_user
      and membership.revoked_at is null
      and (membership.expires_at is null or membership.expires_at > now())
  ),
  -- Only a user of exactly one organization gets a claim: it narrows, and there is nothing to narrow to
  -- before a user of several has chosen.
  active as (
    select membership.organization_id
    from memberships membership
    group by membership.organization_id
    having (select count(distinct other.organization_id) from memberships other) = 1
  )
  select coalesce(
    (select jsonb_strip_nulls(jsonb_build_object(
      'org_id', active.organization_id,
      'org_role', (
        select membership.role
        from memberships membership
        order by array_position(array['admin', 'internal_ops', 'supervisor', 'therapist'], membership.role),
          membership.role
        limit 1),
      'therapist_id', (
        select therapist.id
        from public.therapists therapist
        where therapist.user_id = of_user
          and therapist.organization_id = active.organization_id
          and therapist.status = 'active')))
    from active),
    '{}')
$$;
comment on function app.token_claims is
  'org_id, org_role and therapist_id for an access token. Definer: the auth server reads no tenant table itself.';

create function public.custom_access_token_hook(event jsonb)
returns jsonb
language sql
stable
security invoker
set search_path = ''
as $$
  select jsonb_set(event, '{claims}', (event -> 'claims') || app.token_claims((event ->> 'user_id')::uuid))
$$;
comment on function public.custom_access_token_hook is
  'Supabase Auth hook: adds org_id, org_role and therapist_id to access tokens. For the auth server only.';

grant usage on schema app to supabase_auth_admin;
grant execute on function app.token_claims, public.custom_access_token_hook to supabase_auth_admin;
