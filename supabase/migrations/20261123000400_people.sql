-- People: therapists, clients, who is whose care team, supervisor or guardian; and rooms, the third thing that can
-- be booked.
--
-- Promises
--   * A row that points into another organization cannot be written by anybody: every reference carries
--     organization_id in a composite foreign key.
--   * A therapist sees the clients on whose care team they are today, a supervisor also those of the therapists they
--     supervise today, a psychiatrist those assigned for review; schedulers and admins see their organization's;
--     families and referring practices see views of their own (families.sql). Nobody else sees a client.
--   * Clients are never deleted: they are archived. Who they are is PHI: no API role reads it but by RPCs, on record.

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
  constraint therapists_status_known check (status in ('active', 'inactive'))
);
comment on table public.therapists is 'A person whose time is booked to deliver services; user_id when they have a login.';
create index therapists_user_id_idx on public.therapists (user_id);
select app.add_stamps('public.therapists', 'status');
-- Else what somebody has read and written would be another's from then on.
create trigger keep_login before update of user_id on public.therapists
  for each row when (auth.uid() is not null and old.user_id is not null and new.user_id is distinct from old.user_id)
  execute function app.refuse_change('therapists_login_stays', 'a therapist is who they are');

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
comment on column public.clients.full_name is 'PHI: the client''s name, as the clinic writes it.';
-- One order for the list, for a search in it and for its pages; "C", so that it is the same on every machine.
create index clients_by_name_idx on public.clients (organization_id, (lower(full_name) collate "C"), id);
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
  -- organization_id here and below: references are looked at after it, and another clinic's rows would be told by which
  -- of the two a row violates.
  constraint care_team_assignments_no_repeat exclude using gist (
    therapist_id with =, client_id with =, team_role with =, organization_id with =, daterange(starts_on, ends_on, '[]') with &&)
);
comment on table public.care_team_assignments is
  'Therapist x client x team role, from starts_on to ends_on inclusive, in the organization''s zone. '
  'Sessions are booked only between members of a care team.';
create index care_team_assignments_organization_idx on public.care_team_assignments (organization_id);
create index care_team_assignments_therapist_idx on public.care_team_assignments (therapist_id);
create index care_team_assignments_client_idx on public.care_team_assignments (client_id);
select app.add_stamps('public.care_team_assignments');

create table public.supervisions (
  id uuid primary key default gen_random_uuid(),
  organization_id uuid not null,
  supervisor_id uuid not null,
  therapist_id uuid not null,
  starts_on date not null,
  ends_on date,
  created_at timestamptz not null,
  created_by uuid,
  updated_at timestamptz not null,
  updated_by uuid,
  constraint supervisions_supervisor_fkey
    foreign key (organization_id, supervisor_id) references public.therapists (organization_id, id),
  constraint supervisions_therapist_fkey
    foreign key (organization_id, therapist_id) references public.therapists (organization_id, id),
  constraint supervisions_of_somebody_else check (supervisor_id <> therapist_id),
  constraint supervisions_date_order check (ends_on >= starts_on),
  constraint supervisions_no_repeat exclude using gist (
    supervisor_id with =, therapist_id with =, organization_id with =, daterange(starts_on, ends_on, '[]') with &&)
);
comment on table public.supervisions is
  'Who supervises whose work, from starts_on to ends_on inclusive. Both are therapists of the organization.';
create index supervisions_supervisor_idx on public.supervisions (organization_id, supervisor_id);
create index supervisions_therapist_idx on public.supervisions (therapist_id);
select app.add_stamps('public.supervisions');

create table public.client_guardians (
  id uuid primary key default gen_random_uuid(),
  organization_id uuid not null,
  client_id uuid not null,
  user_id uuid not null references auth.users (id),
  relationship text not null,
  starts_on date not null,
  ends_on date,
  created_at timestamptz not null,
  created_by uuid,
  updated_at timestamptz not null,
  updated_by uuid,
  constraint client_guardians_client_fkey
    foreign key (organization_id, client_id) references public.clients (organization_id, id),
  constraint client_guardians_relationship_known check (relationship in ('self', 'parent', 'legal_guardian')),
  constraint client_guardians_date_order check (ends_on >= starts_on),
  constraint client_guardians_no_repeat exclude using gist (
    client_id with =, user_id with =, organization_id with =, daterange(starts_on, ends_on, '[]') with &&)
);
comment on table public.client_guardians is
  'Whose login stands for a client: the client, a parent or a legal guardian. Counts only with the role client.';
create index client_guardians_client_idx on public.client_guardians (organization_id, client_id);
create index client_guardians_user_id_idx on public.client_guardians (user_id);
select app.add_stamps('public.client_guardians');

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
declare
  caller uuid := auth.uid();
  organizations uuid[] := app.org_ids_with_role('therapist', 'supervisor', 'psychiatrist');
begin
  if organizations = '{}' then
    return '{}';
  end if;
  return array(
    select therapist.id
    from public.therapists therapist
    where therapist.user_id = caller
      and therapist.status = 'active'
      and therapist.organization_id = any (organizations));
end
$$;
comment on function app.my_therapist_ids is
  'Therapist rows that are the caller, in organizations where the caller has such a role now. Definer: for policies.';

create function app.caseload_therapist_ids()
returns uuid[]
language plpgsql
stable
security definer
set search_path = ''
set plan_cache_mode = force_generic_plan
set enable_seqscan = off
as $$
declare
  caller uuid := auth.uid();
  delivering uuid[] := app.org_ids_with_role('therapist', 'supervisor');
  supervising uuid[];
  mine uuid[];
begin
  if delivering = '{}' then
    return '{}';
  end if;
  mine := array(
    select therapist.id
    from public.therapists therapist
    where therapist.user_id = caller
      and therapist.status = 'active'
      and therapist.organization_id = any (delivering));
  supervising := app.org_ids_with_role('supervisor');
  if supervising = '{}' then
    return mine;
  end if;
  return mine || array(
    select supervision.therapist_id
    from public.supervisions supervision
    join public.organizations clinic on clinic.id = supervision.organization_id
    where supervision.organization_id = any (supervising)
      and supervision.supervisor_id = any (mine)
      and (now() at time zone clinic.time_zone)::date >= supervision.starts_on
      and (supervision.ends_on is null or (now() at time zone clinic.time_zone)::date <= supervision.ends_on));
end
$$;
comment on function app.caseload_therapist_ids is
  'The caller''s own therapist rows, where the caller delivers services, and those the caller supervises today. A '
  'psychiatrist has no caseload but the clients assigned for review. Definer: for policies.';

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

create function app.days_on_care_team(organization uuid, therapist uuid, client uuid)
returns datemultirange
language plpgsql
stable
set search_path = ''
as $$
begin
  return coalesce((
    select range_agg(daterange(assignment.starts_on, assignment.ends_on, '[]'))
    from public.care_team_assignments assignment
    where assignment.organization_id = organization
      and assignment.therapist_id = therapist
      and assignment.client_id = client), '{}');
end
$$;
comment on function app.days_on_care_team is
  'The days when the therapist is on the client''s care team, for who asks about many: app.is_on_care_team of each.';

create function app.care_team_client_ids(therapists uuid[], organizations uuid[], team_roles text[])
returns uuid[]
language plpgsql
stable
security definer
set search_path = ''
set plan_cache_mode = force_generic_plan
set enable_seqscan = off
as $$
begin
  if therapists = '{}' then
    return '{}';
  end if;
  return array(
    select distinct assignment.client_id
    from public.organizations clinic
    -- The clinic's day once, not once an assignment.
    cross join lateral (select (now() at time zone clinic.time_zone)::date as today offset 0) clock
    join public.care_team_assignments assignment
      on assignment.organization_id = clinic.id and assignment.therapist_id = any (therapists)
    where clinic.id = any (organizations)
      and assignment.team_role = any (team_roles)
      and clock.today >= assignment.starts_on
      and (assignment.ends_on is null or clock.today <= assignment.ends_on));
end
$$;
comment on function app.care_team_client_ids is
  'Clients on whose care team one of the therapists is today. Definer: for my_client_ids and reviewed_client_ids; not '
  'granted to callers.';

create function app.my_client_ids()
returns uuid[]
language plpgsql
stable
security definer
set search_path = ''
as $$
begin
  return app.care_team_client_ids(
    app.caseload_therapist_ids(),
    app.org_ids_with_role('therapist', 'supervisor'),
    '{therapist,supervisor,psychiatrist}') || app.reviewed_client_ids();
end
$$;
comment on function app.my_client_ids is
  'Clients on whose care team the caller, or a therapist the caller supervises, is today, and those the caller reviews. '
  'Definer: for policies.';

create function app.reviewed_client_ids()
returns uuid[]
language plpgsql
stable
security definer
set search_path = ''
as $$
declare
  reviewing uuid[] := app.org_ids_with_role('psychiatrist');
begin
  if reviewing = '{}' then
    return '{}';
  end if;
  return app.care_team_client_ids(app.my_therapist_ids(), reviewing, '{psychiatrist}');
end
$$;
comment on function app.reviewed_client_ids is
  'Clients assigned to the caller for psychiatric review today. Definer: for policies.';

create function app.guarded_client_ids()
returns uuid[]
language plpgsql
stable
security definer
set search_path = ''
set plan_cache_mode = force_generic_plan
set enable_seqscan = off
as $$
declare
  caller uuid := auth.uid();
  organizations uuid[] := app.org_ids_with_role('client');
  barred uuid[] := app.org_ids_needing_second_factor();
begin
  if organizations = '{}' then
    return '{}';
  end if;
  return array(
    select guardian.client_id
    from public.client_guardians guardian
    join public.organizations clinic on clinic.id = guardian.organization_id
    where guardian.user_id = caller
      and guardian.organization_id = any (organizations)
      and guardian.organization_id <> all (barred)
      and (now() at time zone clinic.time_zone)::date >= guardian.starts_on
      and (guardian.ends_on is null or (now() at time zone clinic.time_zone)::date <= guardian.ends_on));
end
$$;
comment on function app.guarded_client_ids is 'Clients for whom the caller stands today. Definer: for the family views and the waitlist''s policies.';

grant execute on function
  app.my_therapist_ids, app.caseload_therapist_ids, app.my_client_ids, app.reviewed_client_ids, app.guarded_client_ids
to authenticated;

-- ---------------------------------------------------------------------------------------------------------
-- Grants and policies
-- ---------------------------------------------------------------------------------------------------------

alter table public.therapists enable row level security;
alter table public.clients enable row level security;
alter table public.rooms enable row level security;
alter table public.care_team_assignments enable row level security;
alter table public.supervisions enable row level security;
alter table public.client_guardians enable row level security;

-- What admins write over REST and what automation writes with the secret key are the same columns.
grant select,
  insert (id, organization_id, user_id, display_name, credential),
  update (user_id, display_name, credential, status)
on public.therapists to authenticated, service_role;
-- Users write clients by RPCs (save_client, archive_client).
select app.grant_select_without_phi('public.clients');
grant
  insert (id, organization_id, full_name),
  update (full_name, status, deleted_at)
on public.clients to service_role;
grant select,
  insert (id, organization_id, name),
  update (name)
on public.rooms to authenticated, service_role;
grant select,
  insert (organization_id, therapist_id, client_id, team_role, starts_on, ends_on),
  update (ends_on)
on public.care_team_assignments to authenticated, service_role;
grant select,
  insert (organization_id, supervisor_id, therapist_id, starts_on, ends_on),
  update (ends_on)
on public.supervisions to authenticated, service_role;
grant select,
  insert (organization_id, client_id, user_id, relationship, starts_on, ends_on),
  update (ends_on)
on public.client_guardians to authenticated, service_role;

create policy role_scoped_select on public.therapists
  for select to authenticated
  using (organization_id = any ((select app.org_ids_with_role(
    'therapist', 'supervisor', 'psychiatrist', 'internal_ops', 'admin', 'super_admin'))::uuid[]));

create policy role_scoped_select on public.clients
  for select to authenticated
  using (
    id = any ((select app.my_client_ids())::uuid[])
    or organization_id = any ((select app.org_ids_with_role('internal_ops', 'admin', 'super_admin'))::uuid[])
  );

create policy "members see the rooms" on public.rooms
  for select to authenticated
  using (organization_id = any ((select app.org_ids_with_role(
    'therapist', 'supervisor', 'internal_ops', 'admin', 'super_admin'))::uuid[]));

create policy "care team members see their team and schedulers every team" on public.care_team_assignments
  for select to authenticated
  using (
    therapist_id = any ((select app.caseload_therapist_ids())::uuid[])
    or client_id = any ((select app.my_client_ids())::uuid[])
    or organization_id = any ((select app.org_ids_with_role('internal_ops', 'admin', 'super_admin'))::uuid[])
  );

create policy "supervisors and the supervised see it, and schedulers all" on public.supervisions
  for select to authenticated
  using (
    supervisor_id = any ((select app.my_therapist_ids())::uuid[])
    or therapist_id = any ((select app.my_therapist_ids())::uuid[])
    or organization_id = any ((select app.org_ids_with_role('internal_ops', 'admin', 'super_admin'))::uuid[])
  );

create policy "guardians see their own and admins every one" on public.client_guardians
  for select to authenticated
  using (
    (user_id = (select auth.uid()) and organization_id = any ((select app.org_ids_with_role('client'))::uuid[]))
    or organization_id = any ((select app.org_ids_with_role('admin', 'super_admin'))::uuid[])
  );

create policy "admins add therapists" on public.therapists
  for insert to authenticated
  with check (organization_id = any ((select app.org_ids_with_role('admin'))::uuid[]));
create policy "admins change therapists" on public.therapists
  for update to authenticated
  using (organization_id = any ((select app.org_ids_with_role('admin'))::uuid[]))
  with check (organization_id = any ((select app.org_ids_with_role('admin'))::uuid[]));

create policy "schedulers add rooms" on public.rooms
  for insert to authenticated
  with check (organization_id = any ((select app.org_ids_with_role('internal_ops', 'admin'))::uuid[]));
create policy "schedulers change rooms" on public.rooms
  for update to authenticated
  using (organization_id = any ((select app.org_ids_with_role('internal_ops', 'admin'))::uuid[]))
  with check (organization_id = any ((select app.org_ids_with_role('internal_ops', 'admin'))::uuid[]));

create policy "admins assign care teams" on public.care_team_assignments
  for insert to authenticated
  with check (organization_id = any ((select app.org_ids_with_role('admin'))::uuid[]));
create policy "admins end assignments" on public.care_team_assignments
  for update to authenticated
  using (organization_id = any ((select app.org_ids_with_role('admin'))::uuid[]))
  with check (organization_id = any ((select app.org_ids_with_role('admin'))::uuid[]));

create policy "admins assign supervisors" on public.supervisions
  for insert to authenticated
  with check (organization_id = any ((select app.org_ids_with_role('admin'))::uuid[]));
create policy "admins end supervisions" on public.supervisions
  for update to authenticated
  using (organization_id = any ((select app.org_ids_with_role('admin'))::uuid[]))
  with check (organization_id = any ((select app.org_ids_with_role('admin'))::uuid[]));

create policy "admins name guardians" on public.client_guardians
  for insert to authenticated
  with check (organization_id = any ((select app.org_ids_with_role('admin'))::uuid[]));
create policy "admins end guardianships" on public.client_guardians
  for update to authenticated
  using (organization_id = any ((select app.org_ids_with_role('admin'))::uuid[]))
  with check (organization_id = any ((select app.org_ids_with_role('admin'))::uuid[]));

select app.require_second_factor('public.therapists');
select app.require_second_factor('public.clients');
select app.require_second_factor('public.rooms');
select app.require_second_factor('public.care_team_assignments');
select app.require_second_factor('public.supervisions');
select app.require_second_factor('public.client_guardians');
