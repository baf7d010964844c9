-- Payers: who pays for a client's services, and by which rules on which day.
--
-- Promises
--   * A client is covered by at most one payer a day, and a payer has at most one rule a day for each code and one for all.
--   * A rule begins and ends at midnight in the organization's zone.
--   * Where the payer of the day bars supervision beside direct treatment, the supervision takes the client whole.

create table public.payers (
  id uuid primary key default gen_random_uuid(),
  organization_id uuid not null references public.organizations (id),
  name text not null,
  programme text not null default 'commercial',
  requires_authorization boolean not null default false,
  no_show_uses_units boolean not null default false,
  created_at timestamptz not null,
  created_by uuid,
  updated_at timestamptz not null,
  updated_by uuid,
  constraint payers_organization_id_id_key unique (organization_id, id),
  constraint payers_name_unique unique (organization_id, name),
  constraint payers_name_length check (length(name) between 1 and 200),
  constraint payers_programme_known check (programme in ('commercial', 'medicaid'))
);
comment on table public.payers is 'An insurer or programme that pays for services.';
comment on column public.payers.programme is 'Whose table of MUE limits applies: mue_limits.programme.';
comment on column public.payers.requires_authorization is 'Whether nothing is booked for its clients without an authorization.';
comment on column public.payers.no_show_uses_units is 'Whether a session that the client missed takes its authorized units all the same.';
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

-- ---------------------------------------------------------------------------------------------------------
-- Rules
-- ---------------------------------------------------------------------------------------------------------

create table public.payer_rules (
  id uuid primary key default gen_random_uuid(),
  organization_id uuid not null,
  payer_id uuid not null,
  cpt_code text references public.cpt_codes (code),
  starts_on date not null,
  ends_on date,
  rounding text not null default 'midpoint',
  pools_minutes boolean not null default false,
  daily_unit_cap smallint,
  telehealth_modifier text not null default '95',
  allows_concurrent_supervision boolean not null default true,
  requires_cosignature boolean not null default false,
  created_at timestamptz not null,
  created_by uuid,
  updated_at timestamptz not null,
  updated_by uuid,
  constraint payer_rules_organization_id_id_key unique (organization_id, id),
  constraint payer_rules_payer_fkey
    foreign key (organization_id, payer_id) references public.payers (organization_id, id),
  constraint payer_rules_date_order check (ends_on >= starts_on),
  constraint payer_rules_rounding_known check (rounding in ('midpoint', 'floor', 'eight_minute')),
  constraint payer_rules_daily_unit_cap_range check (daily_unit_cap between 1 and 96),
  constraint payer_rules_telehealth_modifier_known check (telehealth_modifier in ('95', 'GT')),
  constraint payer_rules_of_every_code check (
    cpt_code is null or (allows_concurrent_supervision and not requires_cosignature)),
  constraint payer_rules_one_a_day exclude using gist (
    payer_id with =, organization_id with =, coalesce(cpt_code, '') with =, daterange(starts_on, ends_on, '[]') with &&)
);
comment on table public.payer_rules is
  'What a payer makes of minutes, from starts_on to ends_on inclusive, in the organization''s zone: for one code, or for '
  'every code that has no rule of its own that day. Without a rule the defaults of these columns hold.';
comment on column public.payer_rules.rounding is
  'midpoint: CPT''s, a unit once 8 of its 15 minutes are passed; floor: full units only; eight_minute: Medicare''s, over all '
  'codes of a provider''s day together.';
comment on column public.payer_rules.pools_minutes is
  'Whether the minutes of a client, day, code and provider are added before they are rounded. eight_minute always does.';
comment on column public.payer_rules.daily_unit_cap is 'Most units of the code that the payer takes for a client in a day.';
comment on column public.payer_rules.allows_concurrent_supervision is
  'Whether 97155 may run beside 97153 on one client: most payers allow it, TRICARE bars it. Said for every code or not at all.';
comment on column public.payer_rules.requires_cosignature is
  'Whether a supervisor must co-sign every note, whoever wrote it. Said for every code or not at all.';
create index payer_rules_payer_idx on public.payer_rules (organization_id, payer_id);
create index payer_rules_cpt_code_idx on public.payer_rules (cpt_code);
select app.add_stamps('public.payer_rules');

create table public.payer_modifiers (
  id uuid primary key default gen_random_uuid(),
  organization_id uuid not null,
  payer_id uuid not null,
  cpt_code text references public.cpt_codes (code),
  credential text references public.credentials (code),
  place_of_service text references public.places_of_service (code),
  modifiers text[] not null,
  starts_on date not null,
  ends_on date,
  created_at timestamptz not null,
  created_by uuid,
  updated_at timestamptz not null,
  updated_by uuid,
  constraint payer_modifiers_organization_id_id_key unique (organization_id, id),
  constraint payer_modifiers_payer_fkey
    foreign key (organization_id, payer_id) references public.payers (organization_id, id),
  constraint payer_modifiers_date_order check (ends_on >= starts_on),
  constraint payer_modifiers_at_most_four check (cardinality(modifiers) <= 4),
  constraint payer_modifiers_form
    check (array_position(modifiers, null) is null and array_to_string(modifiers, ' ') ~ '^([0-9A-Z]{2}( [0-9A-Z]{2})*)?$'),
  constraint payer_modifiers_one_a_day exclude using gist (
    payer_id with =, organization_id with =, coalesce(cpt_code, '') with =, coalesce(credential, '') with =,
    coalesce(place_of_service, '') with =, daterange(starts_on, ends_on, '[]') with &&)
);
comment on table public.payer_modifiers is
  'The modifiers a payer asks for, in order, in place of the credential''s own one; null stands for any. Of several that '
  'fit, the one that names most is taken, and of those the one that names the code, then the credential.';
create index payer_modifiers_payer_idx on public.payer_modifiers (organization_id, payer_id);
create index payer_modifiers_cpt_code_idx on public.payer_modifiers (cpt_code);
create index payer_modifiers_credential_idx on public.payer_modifiers (credential);
create index payer_modifiers_place_of_service_idx on public.payer_modifiers (place_of_service);
select app.add_stamps('public.payer_modifiers');

create function app.payer_of(organization uuid, client uuid, day date)
returns uuid
language plpgsql
stable
set search_path = ''
as $$
begin
  return (
    select coverage.payer_id
    from public.client_coverages coverage
    where coverage.organization_id = organization and coverage.client_id = client
      and day between coverage.starts_on and coalesce(coverage.ends_on, 'infinity'));
end
$$;
comment on function app.payer_of is 'The payer that covers a client on a day; null when none does.';

create function app.payer_rule(organization uuid, payer uuid, code text, day date)
returns public.payer_rules
language plpgsql
stable
set search_path = ''
as $$
declare
  found public.payer_rules;
begin
  select rule.* into found
  from public.payer_rules rule
  where rule.organization_id = organization and rule.payer_id = payer
    and (rule.cpt_code is null or rule.cpt_code = code)
    and day between rule.starts_on and coalesce(rule.ends_on, 'infinity')
  order by rule.cpt_code nulls last
  limit 1;
  found.rounding := coalesce(found.rounding, 'midpoint');
  found.pools_minutes := coalesce(found.pools_minutes, false);
  found.telehealth_modifier := coalesce(found.telehealth_modifier, '95');
  return found;
end
$$;
comment on function app.payer_rule is
  'The rule of a payer for a code on a day: the code''s own, else the one of every code, else the defaults.';

create function app.payer_modifiers(organization uuid, payer uuid, code text, credential text, place text, day date)
returns text[]
language plpgsql
stable
set search_path = ''
as $$
begin
  return (
    select asked.modifiers
    from public.payer_modifiers asked
    where asked.organization_id = organization and asked.payer_id = payer
      and (asked.cpt_code is null or asked.cpt_code = code)
      and (asked.credential is null or asked.credential = payer_modifiers.credential)
      and (asked.place_of_service is null or asked.place_of_service = place)
      and day between asked.starts_on and coalesce(asked.ends_on, 'infinity')
    order by num_nonnulls(asked.cpt_code, asked.credential, asked.place_of_service) desc,
      asked.cpt_code nulls last, asked.credential nulls last
    limit 1);
end
$$;
comment on function app.payer_modifiers is
  'The modifiers that a payer asks for on a day; null when it leaves them to the credential.';

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
    join public.payer_rules rule on rule.organization_id = coverage.organization_id and rule.payer_id = coverage.payer_id
    join public.organizations clinic on clinic.id = coverage.organization_id
    where coverage.organization_id = organization
      and coverage.client_id = client
      and not rule.allows_concurrent_supervision
      and not isempty(
        daterange(coverage.starts_on, coverage.ends_on, '[]') * daterange(rule.starts_on, rule.ends_on, '[]') * daterange(
          (lower(during) at time zone clinic.time_zone)::date, (upper(during) at time zone clinic.time_zone)::date, '[]')));
end
$$;
comment on function app.bars_concurrency is
  'Whether a payer of the client on any day of the range bars supervision beside direct treatment. A client without a '
  'payer is not barred.';

alter table public.payers enable row level security;
alter table public.client_coverages enable row level security;
alter table public.payer_rules enable row level security;
alter table public.payer_modifiers enable row level security;

grant select,
  insert (organization_id, name, programme, requires_authorization, no_show_uses_units),
  update (name, programme, requires_authorization, no_show_uses_units)
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
-- What a rule is of stays; a mistake in what it says is put right in its row, which the audit trail shows.
grant select,
  insert (
    organization_id, payer_id, cpt_code, starts_on, ends_on, rounding, pools_minutes, daily_unit_cap, telehealth_modifier,
    allows_concurrent_supervision, requires_cosignature),
  update (
    starts_on, ends_on, rounding, pools_minutes, daily_unit_cap, telehealth_modifier, allows_concurrent_supervision,
    requires_cosignature)
on public.payer_rules to authenticated, service_role;
grant select,
  insert (organization_id, payer_id, cpt_code, credential, place_of_service, modifiers, starts_on, ends_on),
  update (modifiers, starts_on, ends_on)
on public.payer_modifiers to authenticated, service_role;

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

create policy "those who deliver or schedule see the the payers rules" on public.payer_rules
  for select to authenticated
  using (organization_id = any ((select app.org_ids_with_role(
    'therapist', 'supervisor', 'internal_ops', 'admin', 'super_admin'))::uuid[]));
create policy "schedulers add payers rules" on public.payer_rules
  for insert to authenticated
  with check (organization_id = any ((select app.org_ids_with_role('internal_ops', 'admin'))::uuid[]));
create policy "schedulers change payers rules" on public.payer_rules
  for update to authenticated
  using (organization_id = any ((select app.org_ids_with_role('internal_ops', 'admin'))::uuid[]))
  with check (organization_id = any ((select app.org_ids_with_role('internal_ops', 'admin'))::uuid[]));

create policy "those who deliver or schedule see the the payers modifiers" on public.payer_modifiers
  for select to authenticated
  using (organization_id = any ((select app.org_ids_with_role(
    'therapist', 'supervisor', 'internal_ops', 'admin', 'super_admin'))::uuid[]));
create policy "schedulers add payers modifiers" on public.payer_modifiers
  for insert to authenticated
  with check (organization_id = any ((select app.org_ids_with_role('internal_ops', 'admin'))::uuid[]));
create policy "schedulers change payers modifiers" on public.payer_modifiers
  for update to authenticated
  using (organization_id = any ((select app.org_ids_with_role('internal_ops', 'admin'))::uuid[]))
  with check (organization_id = any ((select app.org_ids_with_role('internal_ops', 'admin'))::uuid[]));

select app.require_second_factor('public.payers');
select app.require_second_factor('public.client_coverages');
select app.require_second_factor('public.payer_rules');
select app.require_second_factor('public.payer_modifiers');
