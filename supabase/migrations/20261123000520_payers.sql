-- Payers: who pays for a client's services, and what they allow at once.
--
-- Promises
--   * A client is covered by at most one payer a day.
--   * Where the payer of the day bars supervision beside direct treatment, the supervision takes the client whole.

create table public.payers (
  id uuid primary key default gen_random_uuid(),
  organization_id uuid not null references public.organizations (id),
  name text not null,
  allows_concurrent_supervision boolean not null default true,
  requires_cosignature boolean not null default false,
  created_at timestamptz not null,
  created_by uuid,
  updated_at timestamptz not null,
  updated_by uuid,
  constraint payers_organization_id_id_key unique (organization_id, id),
  constraint payers_name_unique unique (organization_id, name),
  constraint payers_name_length check (length(name) between 1 and 200)
);
comment on table public.payers is 'An insurer or programme that pays for services.';
comment on column public.payers.allows_concurrent_supervision is
  'Whether 97155 may run beside 97153 on one client: most payers allow it, TRICARE bars it.';
comment on column public.payers.requires_cosignature is 'Whether a supervisor must co-sign every note, whoever wrote it.';
select app.add_stamps('public.payers');

create table public.client_coverages (
  id uuid primary key default gen_random_uuid(),
  organization_id uuid not null,
  client_id uuid not null,
  payer_id uuid not null,
  starts_on date not null,
  ends_on date,
  member_id text,
  relationship_to_subscriber text,
  subscriber_given_name text,
  subscriber_family_name text,
  subscriber_date_of_birth date,
  created_at timestamptz not null,
  created_by uuid,
  updated_at timestamptz not null,
  updated_by uuid,
  constraint client_coverages_client_fkey
    foreign key (organization_id, client_id) references public.clients (organization_id, id),
  constraint client_coverages_payer_fkey
    foreign key (organization_id, payer_id) references public.payers (organization_id, id),
  constraint client_coverages_date_order check (ends_on >= starts_on),
  -- The lengths are those of an 837P claim.
  constraint client_coverages_member_id_form check (member_id ~ '^[A-Za-z0-9-]{2,80}$'),
  constraint client_coverages_relationship_known
    check (relationship_to_subscriber in ('self', 'child', 'spouse', 'other')),
  constraint client_coverages_subscriber_when_somebody_else check (
    num_nonnulls(subscriber_given_name, subscriber_family_name, subscriber_date_of_birth)
      = case when coalesce(relationship_to_subscriber, 'self') = 'self' then 0 else 3 end),
  constraint client_coverages_subscriber_given_name_length check (length(subscriber_given_name) between 1 and 35),
  constraint client_coverages_subscriber_family_name_length check (length(subscriber_family_name) between 1 and 60),
  constraint client_coverages_subscriber_date_of_birth_range
    check (subscriber_date_of_birth between '1900-01-01' and (updated_at at time zone 'UTC')::date + 1),
  constraint client_coverages_one_payer_a_day exclude using gist (
    client_id with =, daterange(starts_on, ends_on, '[]') with &&)
);
comment on table public.client_coverages is
  'Which payer covers a client, from starts_on to ends_on inclusive, in the organization''s zone.';
comment on column public.client_coverages.member_id is 'PHI: the client''s number with the payer.';
comment on column public.client_coverages.relationship_to_subscriber is 'PHI: what the client is to who holds the policy.';
comment on column public.client_coverages.subscriber_given_name is 'PHI: first name of who holds the policy, when it is not the client.';
comment on column public.client_coverages.subscriber_family_name is 'PHI: last name of who holds the policy, when it is not the client.';
comment on column public.client_coverages.subscriber_date_of_birth is 'PHI: date of birth of who holds the policy, when it is not the client.';
create index client_coverages_client_idx on public.client_coverages (organization_id, client_id);
create index client_coverages_payer_idx on public.client_coverages (organization_id, payer_id);
select app.add_stamps('public.client_coverages');

create function app.bars_concurrency(organization uuid, client uuid, during tstzrange)
returns boolean
language plpgsql
stable
set search_path = ''
as $$
begin
  return exists (
    select
    from public.client_coverages coverage
    join public.payers payer on payer.organization_id = coverage.organization_id and payer.id = coverage.payer_id
    join public.organizations clinic on clinic.id = coverage.organization_id
    where coverage.organization_id = organization
      and coverage.client_id = client
      and not payer.allows_concurrent_supervision
      and (upper(during) at time zone clinic.time_zone)::date >= coverage.starts_on
      and (coverage.ends_on is null or (lower(during) at time zone clinic.time_zone)::date <= coverage.ends_on));
end
$$;
comment on function app.bars_concurrency is
  'Whether a payer of the client on any day of the range bars supervision beside direct treatment. A client without a '
  'payer is not barred.';

alter table public.payers enable row level security;
alter table public.client_coverages enable row level security;

grant select,
  insert (organization_id, name, allows_concurrent_supervision, requires_cosignature),
  update (name, allows_concurrent_supervision, requires_cosignature)
on public.payers to authenticated, service_role;
-- Users write coverages by an RPC (save_coverage).
select app.grant_select_without_phi('public.client_coverages');
grant
  insert (
    organization_id, client_id, payer_id, starts_on, ends_on, member_id, relationship_to_subscriber,
    subscriber_given_name, subscriber_family_name, subscriber_date_of_birth),
  update (
    starts_on, ends_on, member_id, relationship_to_subscriber, subscriber_given_name, subscriber_family_name,
    subscriber_date_of_birth)
on public.client_coverages to service_role;

create policy "those who deliver or schedule see the payers" on public.payers
  for select to authenticated
  using (organization_id = any ((select app.org_ids_with_role(
    'therapist', 'supervisor', 'internal_ops', 'admin', 'super_admin'))::uuid[]));
create policy "schedulers add payers" on public.payers
  for insert to authenticated
  with check (organization_id = any ((select app.org_ids_with_role('internal_ops', 'admin'))::uuid[]));
create policy "schedulers change payers" on public.payers
  for update to authenticated
  using (organization_id = any ((select app.org_ids_with_role('internal_ops', 'admin'))::uuid[]))
  with check (organization_id = any ((select app.org_ids_with_role('internal_ops', 'admin'))::uuid[]));

create policy "schedulers see coverages" on public.client_coverages
  for select to authenticated
  using (organization_id = any ((select app.org_ids_with_role('internal_ops', 'admin', 'super_admin'))::uuid[]));

select app.require_second_factor('public.payers');
select app.require_second_factor('public.client_coverages');
