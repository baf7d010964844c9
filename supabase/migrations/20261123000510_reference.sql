-- Reference data: what the codes, credentials, places and limits are that charges are derived from.
--
-- Promises
--   * The same for every organization; read by everybody signed in, written by the platform's operator only
--     (`npm run reference`).
--   * What changes with time has the days on which it holds, so that an old session is priced as of its own day.
--   * So has a therapist's credential: what it was, until when, is kept whoever changes it.

create table public.credentials (
  code text primary key,
  description text not null,
  level smallint not null,
  modifier text,
  constraint credentials_code_form check (code ~ '^[A-Za-z][A-Za-z0-9-]{0,19}$'),
  constraint credentials_description_length check (length(description) between 1 and 200),
  constraint credentials_level_range check (level between 1 and 4),
  constraint credentials_modifier_form check (modifier ~ '^[0-9A-Z]{2}$')
);
comment on table public.credentials is 'What a therapist is qualified as.';
comment on column public.credentials.level is '1 below a bachelor''s degree, 2 bachelor, 3 master, 4 doctorate.';
comment on column public.credentials.modifier is
  'The modifier that says the level, where a payer names no other (payer_modifiers); null when none does.';
insert into public.credentials (code, description, level, modifier) values
  ('BT', 'Behavior technician', 1, 'HM'),
  ('RBT', 'Registered behavior technician', 1, 'HM'),
  ('BCaBA', 'Assistant behavior analyst, with a bachelor''s degree', 2, 'HN'),
  ('BCBA', 'Behavior analyst, with a master''s degree', 3, 'HO'),
  ('BCBA-D', 'Behavior analyst, with a doctorate', 4, 'HP'),
  ('MD', 'Physician', 4, null);

alter table public.therapists
  add constraint therapists_credential_fkey foreign key (credential) references public.credentials (code);
create index therapists_credential_idx on public.therapists (credential);

create table app.former_credentials (
  organization_id uuid not null,
  therapist_id uuid not null,
  credential text not null references public.credentials (code),
  until timestamptz not null,
  primary key (therapist_id, until),
  constraint former_credentials_therapist_fkey
    foreign key (organization_id, therapist_id) references public.therapists (organization_id, id) on delete cascade
);
comment on table app.former_credentials is
  'Which credential a therapist had until when, before the next one or that of today: what was delivered is charged by the one of its own '
  'time, whenever it is recorded.';
create index former_credentials_organization_idx on app.former_credentials (organization_id, therapist_id);
create index former_credentials_credential_idx on app.former_credentials (credential);
alter table app.former_credentials enable row level security;

create function app.keep_former_credential()
returns trigger
language plpgsql
security definer
set search_path = ''
as $$
begin
  insert into app.former_credentials (organization_id, therapist_id, credential, until)
  values (old.organization_id, old.id, old.credential, now())
  -- Of one transaction the first: what it had in between nobody ever was.
  on conflict (therapist_id, until) do nothing;
  return null;
end
$$;
comment on function app.keep_former_credential is 'Keeps the credential that a therapist had until now. Definer: nobody else writes it.';
create trigger keep_former_credential after update of credential on public.therapists
  for each row when (new.credential <> old.credential) execute function app.keep_former_credential();

create function app.check_service_credentials()
returns trigger
language plpgsql
set search_path = ''
as $$
begin
  if exists (
    select from unnest(new.credentials) named
    where not exists (select from public.credentials known where known.code = named))
  then
    raise exception using
      errcode = 'check_violation',
      schema = 'public', table = 'services', constraint = 'services_credentials_known',
      message = 'there is no such credential: constraint "services_credentials_known"';
  end if;
  return new;
end
$$;
comment on function app.check_service_credentials is 'An array has no foreign key: every credential of a service is a known one.';
create trigger check_credentials before insert or update of credentials on public.services
  for each row when (new.credentials is not null) execute function app.check_service_credentials();

create table public.places_of_service (
  code text primary key,
  description text not null,
  is_telehealth boolean not null default false,
  constraint places_of_service_code_form check (code ~ '^[0-9]{2}$'),
  constraint places_of_service_description_length check (length(description) between 1 and 200)
);
comment on table public.places_of_service is 'Where a service is given, by CMS''s two-digit code, described in our own words.';
comment on column public.places_of_service.is_telehealth is 'Whether a charge there carries the payer''s telehealth modifier.';
insert into public.places_of_service (code, description, is_telehealth) values
  ('02', 'By video, the client not at home', true),
  ('03', 'At school', false),
  ('04', 'In a shelter', false),
  ('10', 'By video, the client at home', true),
  ('11', 'In the practice', false),
  ('12', 'At the client''s home', false),
  ('14', 'In a group home', false),
  ('22', 'In a hospital, as an outpatient', false),
  ('49', 'In an independent clinic', false),
  ('53', 'In a community mental health center', false),
  ('99', 'Elsewhere, as in the community', false);

create table public.mue_limits (
  cpt_code text not null references public.cpt_codes (code),
  programme text not null,
  units_per_day smallint not null,
  starts_on date not null,
  ends_on date,
  source text not null,
  primary key (cpt_code, programme, starts_on),
  constraint mue_limits_programme_known check (programme in ('commercial', 'medicaid')),
  constraint mue_limits_units_per_day_range check (units_per_day between 1 and 96),
  constraint mue_limits_date_order check (ends_on >= starts_on),
  constraint mue_limits_source_length check (length(source) between 1 and 200),
  constraint mue_limits_one_a_day exclude using gist (
    cpt_code with =, programme with =, daterange(starts_on, ends_on, '[]') with &&)
);
comment on table public.mue_limits is
  'Medically unlikely edits: units of a code for one client in a day that are exceeded only with a documented reason.';
insert into public.mue_limits (cpt_code, programme, units_per_day, starts_on, source)
select given.code, programme,
  case when programme = 'medicaid' then given.medicaid else given.commercial end, '2021-01-01', 'CMS NCCI MUE table, 2021'
from (values
  ('97151', 8, 32), ('97152', 16, 16), ('97153', 32, 32), ('97154', 18, 18), ('97155', 24, 24), ('97156', 16, 16),
  ('97157', 16, 16), ('97158', 16, 16), ('0362T', 16, 16), ('0373T', 24, 24)) as given (code, commercial, medicaid)
cross join unnest('{commercial,medicaid}'::text[]) programme;

alter table public.credentials enable row level security;
alter table public.places_of_service enable row level security;
alter table public.mue_limits enable row level security;

grant select on public.credentials, public.places_of_service, public.mue_limits to authenticated, service_role;

create policy "everybody signed in reads the credentials" on public.credentials
  for select to authenticated
  using (true);
create policy "everybody signed in reads the places" on public.places_of_service
  for select to authenticated
  using (true);
create policy "everybody signed in reads the limits" on public.mue_limits
  for select to authenticated
  using (true);
