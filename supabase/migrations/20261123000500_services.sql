-- Services: what a session delivers, its CPT code, and whether it may run beside another one.
--
-- Promises
--   * Every service names a CPT code of the reference table.
--   * A service's lane decides concurrency: a client can be in one session per lane at a time. 97153 (direct)
--     and 97155 (supervision with protocol modification) are in different lanes, so they may overlap, unless the
--     client's payer bars it (payers.sql).
--   * Who may deliver a service, and whether clients share its slot or technicians do, stands in its row.

create table public.cpt_codes (
  code text primary key,
  description text not null,
  minimum_level smallint not null default 1,
  starts_on date not null default '2019-01-01',
  ends_on date,
  constraint cpt_codes_code_form check (code ~ '^[0-9]{4}[0-9T]$'),
  constraint cpt_codes_description_length check (length(description) between 1 and 200),
  constraint cpt_codes_minimum_level_range check (minimum_level between 1 and 4),
  constraint cpt_codes_date_order check (ends_on >= starts_on)
);
comment on table public.cpt_codes is
  'ABA procedure codes, all in units of 15 minutes, described in our own words. Reference data, the same for everybody.';
comment on column public.cpt_codes.minimum_level is
  'The least credential (credentials.level) that may bill the code: 1 a technician, 2 somebody with a degree.';
comment on column public.cpt_codes.ends_on is 'The last day on which the code may be billed; null while it may.';
insert into public.cpt_codes (code, description, minimum_level) values
  ('97151', 'Assessment by a qualified professional', 2),
  ('97152', 'Supporting assessment by a technician', 1),
  ('97153', 'One-to-one treatment by protocol', 1),
  ('97154', 'Group treatment by protocol', 1),
  ('97155', 'Treatment with protocol modification, may run beside 97153', 2),
  ('97156', 'Caregiver guidance', 2),
  ('97157', 'Guidance for several families', 2),
  ('97158', 'Group treatment with protocol modification', 2),
  ('0362T', 'Assessment with two or more technicians', 1),
  ('0373T', 'Treatment with two or more technicians', 1);

create table public.services (
  id uuid primary key default gen_random_uuid(),
  organization_id uuid not null references public.organizations (id),
  service_code text not null,
  name text not null,
  cpt_code text not null references public.cpt_codes (code),
  client_lane smallint not null default 0,
  is_group boolean not null default false,
  group_capacity smallint not null default 8,
  is_team boolean not null default false,
  credentials text[],
  created_at timestamptz not null,
  created_by uuid,
  updated_at timestamptz not null,
  updated_by uuid,
  constraint services_organization_id_id_key unique (organization_id, id),
  constraint services_code_unique unique (organization_id, service_code),
  constraint services_lane_key unique (organization_id, id, client_lane),
  constraint services_group_key unique (organization_id, id, is_group),
  constraint services_team_key unique (organization_id, id, is_team),
  constraint services_service_code_length check (length(service_code) between 1 and 20),
  constraint services_name_length check (length(name) between 1 and 200),
  constraint services_client_lane_known check (client_lane in (0, 1)),
  constraint services_group_or_team check (not (is_group and is_team)),
  constraint services_group_capacity_range check (group_capacity between 2 and 50),
  constraint services_credentials_not_empty check (credentials <> '{}')
);
comment on table public.services is 'What an organization offers. service_code is the organization''s own name for it.';
comment on column public.services.client_lane is
  'Which of the client''s lanes the service takes: 0 direct treatment, 1 supervision beside it.';
comment on column public.services.is_group is
  'Whether several clients share one slot of the therapist (97154, 97157, 97158).';
comment on column public.services.group_capacity is 'Most clients of a group, where the call that makes it does not say.';
comment on column public.services.is_team is 'Whether several technicians share one slot of the client (0362T, 0373T).';
comment on column public.services.credentials is 'Credentials that may deliver the service; null when any may.';
create index services_cpt_code_idx on public.services (cpt_code);
select app.add_stamps('public.services');

alter table public.cpt_codes enable row level security;
alter table public.services enable row level security;

grant select on public.cpt_codes to authenticated;
grant select on public.cpt_codes to service_role;
grant select,
  insert (id, organization_id, service_code, name, cpt_code, client_lane, is_group, group_capacity, is_team, credentials),
  update (service_code, name, cpt_code, client_lane, is_group, group_capacity, is_team, credentials)
on public.services to authenticated, service_role;

create policy "everybody signed in reads the codes" on public.cpt_codes
  for select to authenticated
  using (true);

create policy "members see the services" on public.services
  for select to authenticated
  using (organization_id = any ((select app.org_ids_with_role(
    'therapist', 'supervisor', 'psychiatrist', 'internal_ops', 'admin', 'super_admin'))::uuid[]));

create policy "schedulers add services" on public.services
  for insert to authenticated
  with check (organization_id = any ((select app.org_ids_with_role('internal_ops', 'admin'))::uuid[]));
create policy "schedulers change services" on public.services
  for update to authenticated
  using (organization_id = any ((select app.org_ids_with_role('internal_ops', 'admin'))::uuid[]))
  with check (organization_id = any ((select app.org_ids_with_role('internal_ops', 'admin'))::uuid[]));

select app.require_second_factor('public.services');
