-- Billing: the claims that completed sessions go to their payers on. A billing case is one claim, a line one session of it.
--
-- Promises
--   * What a line says of its session stays: lines, cases and batches change their status and nothing else, nothing is deleted.
--   * A session is on one live claim at most, whoever writes and at every isolation level.
--   * While it is, its clinical and billing facts and its actual charge do not change, for nobody, the owner of the tables
--     included: sessions_frozen_while_billed. Voiding the claim is the way out.
--   * Live lines say what the sessions' actual charges say: app.billing_faults() is empty.

-- ---------------------------------------------------------------------------------------------------------
-- What claims need to know
-- ---------------------------------------------------------------------------------------------------------

create table public.billing_profiles (
  id uuid primary key default gen_random_uuid(),
  organization_id uuid not null references public.organizations (id),
  legal_name text not null,
  npi text not null,
  tax_id text not null,
  taxonomy_code text not null,
  street text not null,
  town text not null,
  region text not null,
  zip text not null,
  contact_name text not null,
  contact_number text not null,
  submitter_code text not null,
  receiver_name text not null,
  receiver_code text not null,
  requires_signature boolean not null default true,
  starts_on date not null,
  ends_on date,
  created_at timestamptz not null,
  created_by uuid,
  updated_at timestamptz not null,
  updated_by uuid,
  constraint billing_profiles_organization_id_id_key unique (organization_id, id),
  -- The lengths are those of an 837P claim.
  constraint billing_profiles_legal_name_length check (length(legal_name) between 1 and 60),
  -- The last digit is Luhn's over 80840 and the others; of every second one, the digits of its double count.
  constraint billing_profiles_npi_valid check (
    case when npi ~ '^[0-9]{10}$' then (
      24 + substr(npi, 2, 1)::integer + substr(npi, 4, 1)::integer + substr(npi, 6, 1)::integer + substr(npi, 8, 1)::integer + substr(npi, 10, 1)::integer
      + substr(translate(npi, '0123456789', '0246813579'), 1, 1)::integer
      + substr(translate(npi, '0123456789', '0246813579'), 3, 1)::integer
      + substr(translate(npi, '0123456789', '0246813579'), 5, 1)::integer
      + substr(translate(npi, '0123456789', '0246813579'), 7, 1)::integer
      + substr(translate(npi, '0123456789', '0246813579'), 9, 1)::integer) % 10 = 0
    else false end),
  constraint billing_profiles_tax_id_form check (tax_id ~ '^[0-9]{9}$'),
  constraint billing_profiles_taxonomy_code_form check (taxonomy_code ~ '^[0-9A-Z]{10}$'),
  constraint billing_profiles_street_length check (length(street) between 1 and 55),
  constraint billing_profiles_town_length check (length(town) between 2 and 30),
  constraint billing_profiles_region_form check (region ~ '^[A-Z]{2}$'),
  constraint billing_profiles_zip_form check (zip ~ '^[0-9]{5}-?[0-9]{4}$'),
  constraint billing_profiles_contact_name_length check (length(contact_name) between 1 and 60),
  constraint billing_profiles_contact_number_form check (contact_number ~ '^[0-9]{10}$'),
  constraint billing_profiles_submitter_code_form check (submitter_code ~ '^[A-Z0-9]{2,15}$'),
  constraint billing_profiles_receiver_name_length check (length(receiver_name) between 1 and 60),
  constraint billing_profiles_receiver_code_form check (receiver_code ~ '^[A-Z0-9]{2,15}$'),
  constraint billing_profiles_date_order check (ends_on >= starts_on),
  constraint billing_profiles_one_a_day exclude using gist (
    organization_id with =, daterange(starts_on, ends_on, '[]') with &&)
);
comment on table public.billing_profiles is
  'Who an organization is on its claims, and to whom its files go: a clearinghouse, or a payer. From starts_on to ends_on '
  'inclusive, in its zone.';
comment on column public.billing_profiles.requires_signature is
  'Whether a session is billed only with a signed note, co-signed where that is asked for.';
select app.add_stamps('public.billing_profiles');

create function app.billing_profile(organization uuid, at_time timestamptz)
returns public.billing_profiles
language plpgsql
stable
set search_path = ''
as $$
declare
  found public.billing_profiles;
begin
  select profile.* into found
  from public.billing_profiles profile
  join public.organizations clinic on clinic.id = profile.organization_id
  where profile.organization_id = organization
    and (at_time at time zone clinic.time_zone)::date between profile.starts_on and coalesce(profile.ends_on, 'infinity');
  return found;
end
$$;
comment on function app.billing_profile is 'Who an organization was for its payers at a time; null when it had not entered that.';

create table public.payer_rates (
  id uuid primary key default gen_random_uuid(),
  organization_id uuid not null,
  payer_id uuid not null,
  cpt_code text not null references public.cpt_codes (code),
  modifier text,
  credential text references public.credentials (code),
  unit_cents integer not null,
  starts_on date not null,
  ends_on date,
  created_at timestamptz not null,
  created_by uuid,
  updated_at timestamptz not null,
  updated_by uuid,
  constraint payer_rates_organization_id_id_key unique (organization_id, id),
  constraint payer_rates_payer_fkey
    foreign key (organization_id, payer_id) references public.payers (organization_id, id),
  constraint payer_rates_modifier_form check (modifier ~ '^[0-9A-Z]{2}$'),
  constraint payer_rates_unit_cents_range check (unit_cents between 1 and 1000000),
  constraint payer_rates_date_order check (ends_on >= starts_on),
  constraint payer_rates_one_a_day exclude using gist (
    payer_id with =, organization_id with =, cpt_code with =, coalesce(modifier, '') with =, coalesce(credential, '') with =,
    daterange(starts_on, ends_on, '[]') with &&)
);
comment on table public.payer_rates is
  'What a unit of a code is charged to a payer, in cents, from starts_on to ends_on inclusive; with a modifier, or by a '
  'credential, or (null) any. Of several that fit, the one that names most is taken, and of those the one that names the modifier.';
create index payer_rates_payer_idx on public.payer_rates (organization_id, payer_id);
create index payer_rates_cpt_code_idx on public.payer_rates (cpt_code);
create index payer_rates_credential_idx on public.payer_rates (credential);
select app.add_stamps('public.payer_rates');

create function app.rate_of(organization uuid, payer uuid, charge public.session_charges)
returns integer
language plpgsql
stable
set search_path = ''
as $$
begin
  return (
    select rate.unit_cents
    from public.payer_rates rate
    where rate.organization_id = organization and rate.payer_id = payer and rate.cpt_code = charge.cpt_code
      and (rate.modifier is null or rate.modifier = any (charge.modifiers))
      and (rate.credential is null or rate.credential = charge.credential)
      and charge.service_date between rate.starts_on and coalesce(rate.ends_on, 'infinity')
    order by num_nonnulls(rate.modifier, rate.credential) desc, array_position(charge.modifiers, rate.modifier) nulls last
    limit 1);
end
$$;
comment on function app.rate_of is 'Cents a unit of a charge costs its payer on its day; null when nobody entered a rate.';

alter table public.payers
  add column payer_code text,
  add column filing_indicator text,
  add constraint payers_payer_code_form check (payer_code ~ '^[A-Za-z0-9-]{2,80}$'),
  add constraint payers_filing_indicator_known
    check (filing_indicator in ('12', '16', 'BL', 'CH', 'CI', 'HM', 'MB', 'MC', 'OF', 'ZZ'));
comment on column public.payers.payer_code is 'What the receiver of the claims knows the payer by.';
comment on column public.payers.filing_indicator is 'The kind of insurance, as X12 codes it: CI commercial, BL Blue Cross, MC Medicaid, CH Tricare, ...';

alter table public.therapists
  add column npi text,
  add column taxonomy_code text,
  add column legal_given text,
  add column legal_family text,
  -- As billing_profiles_npi_valid; null for who has none.
  add constraint therapists_npi_valid check (
    case when npi is null then true when npi ~ '^[0-9]{10}$' then (
      24 + substr(npi, 2, 1)::integer + substr(npi, 4, 1)::integer + substr(npi, 6, 1)::integer + substr(npi, 8, 1)::integer + substr(npi, 10, 1)::integer
      + substr(translate(npi, '0123456789', '0246813579'), 1, 1)::integer
      + substr(translate(npi, '0123456789', '0246813579'), 3, 1)::integer
      + substr(translate(npi, '0123456789', '0246813579'), 5, 1)::integer
      + substr(translate(npi, '0123456789', '0246813579'), 7, 1)::integer
      + substr(translate(npi, '0123456789', '0246813579'), 9, 1)::integer) % 10 = 0
    else false end),
  add constraint therapists_taxonomy_code_form check (taxonomy_code ~ '^[0-9A-Z]{10}$'),
  add constraint therapists_legal_given_length check (length(legal_given) between 1 and 35),
  add constraint therapists_legal_family_length check (length(legal_family) between 1 and 60);
comment on column public.therapists.legal_given is 'First name, as the register of NPIs has it: who delivered the care, on a claim.';
comment on column public.therapists.legal_family is 'Last name, as the register of NPIs has it.';

-- ---------------------------------------------------------------------------------------------------------
-- Batches, cases and lines
-- ---------------------------------------------------------------------------------------------------------

create table public.billing_batches (
  id uuid primary key default gen_random_uuid(),
  organization_id uuid not null references public.organizations (id),
  receiver_code text not null,
  control_number integer not null,
  usage text not null,
  status text not null default 'draft',
  status_changed_at timestamptz not null,
  status_changed_by uuid,
  created_at timestamptz not null,
  created_by uuid,
  updated_at timestamptz not null,
  updated_by uuid,
  constraint billing_batches_organization_id_id_key unique (organization_id, id),
  constraint billing_batches_control_number_key unique (organization_id, receiver_code, control_number),
  constraint billing_batches_control_number_range check (control_number between 1 and 999999999),
  constraint billing_batches_usage_known check (usage in ('production', 'test')),
  constraint billing_batches_status_known check (status in ('draft', 'exported'))
);
comment on table public.billing_batches is 'Claims that go to a receiver in one file, whose control number is never used again towards it.';
select app.add_stamps('public.billing_batches', 'status');

create table public.billing_cases (
  id uuid primary key default gen_random_uuid(),
  organization_id uuid not null,
  claim_number integer not null,
  client_id uuid not null,
  payer_id uuid not null,
  therapist_id uuid not null,
  authorization_id uuid,
  place_of_service text not null references public.places_of_service (code),
  month date not null,
  frequency text not null default '1',
  replaces_case_id uuid,
  payer_claim_number text,
  batch_id uuid,
  status text not null default 'open',
  status_changed_at timestamptz not null,
  status_changed_by uuid,
  created_at timestamptz not null,
  created_by uuid,
  updated_at timestamptz not null,
  updated_by uuid,
  constraint billing_cases_organization_id_id_key unique (organization_id, id),
  constraint billing_cases_claim_number_key unique (organization_id, claim_number),
  constraint billing_cases_client_fkey
    foreign key (organization_id, client_id) references public.clients (organization_id, id),
  constraint billing_cases_payer_fkey
    foreign key (organization_id, payer_id) references public.payers (organization_id, id),
  constraint billing_cases_therapist_fkey
    foreign key (organization_id, therapist_id) references public.therapists (organization_id, id),
  constraint billing_cases_authorization_fkey
    foreign key (organization_id, authorization_id) references public.authorizations (organization_id, id),
  constraint billing_cases_replaces_fkey
    foreign key (organization_id, replaces_case_id) references public.billing_cases (organization_id, id),
  constraint billing_cases_batch_fkey
    foreign key (organization_id, batch_id) references public.billing_batches (organization_id, id),
  constraint billing_cases_claim_number_positive check (claim_number > 0),
  constraint billing_cases_month_begins check (month = date_trunc('month', month)),
  constraint billing_cases_frequency_known check (frequency in ('1', '7', '8')),
  constraint billing_cases_replaces_when_not_the_first check (
    num_nonnulls(replaces_case_id, payer_claim_number) = case frequency when '1' then 0 else 2 end),
  constraint billing_cases_payer_claim_number_length check (length(payer_claim_number) between 1 and 50),
  constraint billing_cases_status_known check (status in ('open', 'submitted', 'paid', 'denied', 'closed', 'void')),
  constraint billing_cases_batch_of_the_submitted check (status in ('open', 'void') or batch_id is not null)
);
comment on table public.billing_cases is
  'A claim: sessions of one client, payer, therapist, place, authorization and month. open, then submitted with its batch, then '
  'what the payer makes of it; void when it was taken back.';
comment on column public.billing_cases.frequency is 'As X12 codes it: 1 the first claim, 7 replaces, 8 takes back what replaces_case_id had been sent as.';
comment on column public.billing_cases.payer_claim_number is 'PHI: names the client''s claim at the payer: the one that is replaced or taken back.';
create index billing_cases_client_idx on public.billing_cases (organization_id, client_id);
create index billing_cases_payer_idx on public.billing_cases (organization_id, payer_id);
create index billing_cases_therapist_idx on public.billing_cases (organization_id, therapist_id);
create index billing_cases_authorization_idx on public.billing_cases (organization_id, authorization_id) where authorization_id is not null;
create index billing_cases_batch_idx on public.billing_cases (organization_id, batch_id) where batch_id is not null;
create index billing_cases_place_of_service_idx on public.billing_cases (place_of_service);
create index billing_cases_replaces_idx on public.billing_cases (organization_id, replaces_case_id) where replaces_case_id is not null;
-- One that was sent stands, even void: it is the one to replace next.
create unique index billing_cases_replaced_once_idx on public.billing_cases (replaces_case_id)
  where replaces_case_id is not null and (status <> 'void' or batch_id is not null);
select app.add_stamps('public.billing_cases', 'status');

create table public.billing_lines (
  id uuid primary key default gen_random_uuid(),
  organization_id uuid not null,
  case_id uuid not null,
  session_id uuid not null,
  status text not null default 'billed',
  line_number smallint not null,
  service_date date not null,
  cpt_code text not null,
  modifiers text[] not null,
  units integer not null,
  unit_cents integer not null,
  charge_cents integer not null generated always as (units * unit_cents) stored,
  place_of_service text not null,
  status_changed_at timestamptz not null,
  status_changed_by uuid,
  created_at timestamptz not null,
  created_by uuid,
  updated_at timestamptz not null,
  updated_by uuid,
  constraint billing_lines_organization_id_id_key unique (organization_id, id),
  constraint billing_lines_number_key unique (case_id, line_number),
  constraint billing_lines_case_fkey
    foreign key (organization_id, case_id) references public.billing_cases (organization_id, id),
  constraint billing_lines_session_fkey
    foreign key (organization_id, session_id) references public.sessions (organization_id, id),
  constraint billing_lines_status_known check (status in ('billed', 'reversal', 'void')),
  constraint billing_lines_at_most_fifty check (line_number between 1 and 50),
  constraint billing_lines_units_range check (units between 1 and 999),
  constraint billing_lines_unit_cents_range check (unit_cents between 0 and 1000000),
  constraint billing_lines_charge_range check (charge_cents <= 99999999),
  constraint billing_lines_at_most_four_modifiers check (cardinality(modifiers) <= 4)
);
comment on table public.billing_lines is
  'A session on a claim, with the facts of its actual charge as they were. billed: its session is frozen; reversal: repeats a void line '
  'on the claim that takes it back; void.';
create unique index billing_lines_one_live_per_session_idx on public.billing_lines (session_id) where status = 'billed';
create index billing_lines_session_idx on public.billing_lines (organization_id, session_id);
create index billing_lines_case_idx on public.billing_lines (organization_id, case_id);
select app.add_stamps('public.billing_lines', 'status');

-- ---------------------------------------------------------------------------------------------------------
-- What stays
-- ---------------------------------------------------------------------------------------------------------

create function app.keep_billing_facts()
returns trigger
language plpgsql
set search_path = ''
as $$
declare
  passing constant text[] := array['status', 'status_changed_at', 'status_changed_by', 'updated_at', 'updated_by', 'batch_id'];
  changes_batch boolean := to_jsonb(old) -> 'batch_id' is distinct from to_jsonb(new) -> 'batch_id';
  rule text;
begin
  if to_jsonb(old) - passing <> to_jsonb(new) - passing or (changes_batch and old.status <> 'open') then
    rule := tg_table_name || '_facts_stay';
  elsif old.status <> new.status and (old.status || ' ' || new.status) <> all (tg_argv) then
    rule := tg_table_name || '_status_transition';
  else
    return null;
  end if;
  raise exception using
    errcode = 'check_violation', schema = tg_table_schema, table = tg_table_name, constraint = rule,
    message = format('what was billed stays: constraint "%s"', rule);
end
$$;
comment on function app.keep_billing_facts is
  'Of what was billed only the status changes, by the moves in the arguments; a case that is open goes into a batch or out of it.';
create trigger keep_facts after update on public.billing_batches
  for each row execute function app.keep_billing_facts('draft exported');
create trigger keep_facts after update on public.billing_cases
  for each row execute function app.keep_billing_facts(
    'open submitted', 'open void', 'submitted paid', 'submitted denied', 'submitted closed', 'submitted void', 'paid closed',
    'paid void', 'denied paid', 'denied closed', 'denied void');
create trigger keep_facts after update on public.billing_lines
  for each row execute function app.keep_billing_facts('billed void', 'reversal void');
create trigger keep_rows before delete on public.billing_batches
  for each row execute function app.refuse_change('billing_batches_facts_stay', 'what was billed stays');
create trigger keep_rows before delete on public.billing_cases
  for each row execute function app.refuse_change('billing_cases_facts_stay', 'what was billed stays');
create trigger keep_rows before delete on public.billing_lines
  for each row execute function app.refuse_change('billing_lines_facts_stay', 'what was billed stays');
create trigger keep_table before truncate on public.billing_batches
  for each statement execute function app.refuse_change('billing_batches_facts_stay', 'what was billed stays');
create trigger keep_table before truncate on public.billing_cases
  for each statement execute function app.refuse_change('billing_cases_facts_stay', 'what was billed stays');
create trigger keep_table before truncate on public.billing_lines
  for each statement execute function app.refuse_change('billing_lines_facts_stay', 'what was billed stays');

create function app.is_billed(session uuid)
returns boolean
language plpgsql
stable
security definer
set search_path = ''
as $$
begin
  return exists (select from public.billing_lines line where line.session_id = session and line.status = 'billed');
end
$$;
comment on function app.is_billed is
  'Whether a session is on a live claim. Definer: who reads what is unbilled need not see the lines.';
grant execute on function app.is_billed to authenticated;

create function app.keep_billed_session()
returns trigger
language plpgsql
security definer
set search_path = ''
as $$
begin
  if app.is_billed((to_jsonb(old) ->> tg_argv[0])::uuid) then
    raise exception using
      errcode = 'check_violation', schema = tg_table_schema, table = tg_table_name, constraint = 'sessions_frozen_while_billed',
      message = 'the session is on a claim, which is to be voided first: constraint "sessions_frozen_while_billed"';
  end if;
  return case tg_op when 'DELETE' then old else new end;
end
$$;
comment on function app.keep_billed_session is
  'Freezes what a claim was made of. Definer: writers of sessions need not see the claims.';
-- Only what is completed is billed: nothing is looked up while sessions are booked and moved.
create trigger freeze_billed before update on public.sessions
  for each row when (
    old.status = 'completed'
    and (old.organization_id, old.therapist_id, old.client_id, old.service_id, old.group_id, old.team_id, old.place_of_service,
      old.start_time, old.end_time, old.time_zone, old.status, old.actual_start_time, old.actual_end_time)
    is distinct from (new.organization_id, new.therapist_id, new.client_id, new.service_id, new.group_id, new.team_id, new.place_of_service,
      new.start_time, new.end_time, new.time_zone, new.status, new.actual_start_time, new.actual_end_time))
  execute function app.keep_billed_session('id');
create trigger freeze_billed before update or delete on public.session_charges
  for each row when (old.kind = 'actual')
  execute function app.keep_billed_session('session_id');

-- ---------------------------------------------------------------------------------------------------------
-- Grants and policies
-- ---------------------------------------------------------------------------------------------------------

alter table public.billing_profiles enable row level security;
alter table public.payer_rates enable row level security;
alter table public.billing_batches enable row level security;
alter table public.billing_cases enable row level security;
alter table public.billing_lines enable row level security;

grant insert (payer_code, filing_indicator), update (payer_code, filing_indicator) on public.payers to authenticated, service_role;
grant
  insert (npi, taxonomy_code, legal_given, legal_family),
  update (npi, taxonomy_code, legal_given, legal_family)
on public.therapists to authenticated, service_role;
grant select,
  insert (
    organization_id, legal_name, npi, tax_id, taxonomy_code, street, town, region, zip, contact_name, contact_number,
    submitter_code, receiver_name, receiver_code, requires_signature, starts_on, ends_on),
  update (
    legal_name, npi, tax_id, taxonomy_code, street, town, region, zip, contact_name, contact_number, submitter_code,
    receiver_name, receiver_code, requires_signature, starts_on, ends_on)
on public.billing_profiles to authenticated, service_role;
grant select,
  insert (organization_id, payer_id, cpt_code, modifier, credential, unit_cents, starts_on, ends_on),
  update (unit_cents, starts_on, ends_on)
on public.payer_rates to authenticated, service_role;
-- Written by RPCs only.
select app.grant_select_without_phi('public.billing_batches');
select app.grant_select_without_phi('public.billing_cases');
select app.grant_select_without_phi('public.billing_lines');

create policy "those who bill see the profile" on public.billing_profiles
  for select to authenticated
  using (organization_id = any ((select app.org_ids_with_role('internal_ops', 'admin', 'super_admin'))::uuid[]));
create policy "those who bill add the profile" on public.billing_profiles
  for insert to authenticated
  with check (organization_id = any ((select app.org_ids_with_role('internal_ops', 'admin'))::uuid[]));
create policy "those who bill change the profile" on public.billing_profiles
  for update to authenticated
  using (organization_id = any ((select app.org_ids_with_role('internal_ops', 'admin'))::uuid[]))
  with check (organization_id = any ((select app.org_ids_with_role('internal_ops', 'admin'))::uuid[]));

create policy "those who bill see the rates" on public.payer_rates
  for select to authenticated
  using (organization_id = any ((select app.org_ids_with_role('internal_ops', 'admin', 'super_admin'))::uuid[]));
create policy "those who bill add rates" on public.payer_rates
  for insert to authenticated
  with check (organization_id = any ((select app.org_ids_with_role('internal_ops', 'admin'))::uuid[]));
create policy "those who bill change rates" on public.payer_rates
  for update to authenticated
  using (organization_id = any ((select app.org_ids_with_role('internal_ops', 'admin'))::uuid[]))
  with check (organization_id = any ((select app.org_ids_with_role('internal_ops', 'admin'))::uuid[]));

create policy "those who bill see the batches" on public.billing_batches
  for select to authenticated
  using (organization_id = any ((select app.org_ids_with_role('internal_ops', 'admin', 'super_admin'))::uuid[]));
create policy "those who bill see the cases" on public.billing_cases
  for select to authenticated
  using (organization_id = any ((select app.org_ids_with_role('internal_ops', 'admin', 'super_admin'))::uuid[]));
create policy "those who bill see the lines" on public.billing_lines
  for select to authenticated
  using (organization_id = any ((select app.org_ids_with_role('internal_ops', 'admin', 'super_admin'))::uuid[]));

select app.require_second_factor('public.billing_profiles');
select app.require_second_factor('public.payer_rates');
select app.require_second_factor('public.billing_batches');
select app.require_second_factor('public.billing_cases');
select app.require_second_factor('public.billing_lines');
