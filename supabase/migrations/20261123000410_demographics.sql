-- Demographics: what a client's record and an 837P claim need to know of a person.
--
-- Promises
--   * All of it is PHI: no API role reads it, but by RPCs that put it on record (client_reads).
--   * Whoever writes, what is written has the form that a claim takes.

alter table public.clients
  add column given_name text,
  add column family_name text,
  add column date_of_birth date,
  add column sex text,
  add column address_line text,
  add column city text,
  add column state text,
  add column postal_code text,
  add column phone text,
  add column diagnosis_codes text[] not null default '{}',
  -- The lengths are those of an 837P claim.
  add constraint clients_given_name_length check (length(given_name) between 1 and 35),
  add constraint clients_family_name_length check (length(family_name) between 1 and 60),
  -- Somewhere on earth it is tomorrow already.
  add constraint clients_date_of_birth_range check (date_of_birth between '1900-01-01' and (updated_at at time zone 'UTC')::date + 1),
  add constraint clients_sex_known check (sex in ('F', 'M', 'U')),
  add constraint clients_address_line_length check (length(address_line) between 1 and 55),
  add constraint clients_city_length check (length(city) between 2 and 30),
  add constraint clients_state_form check (state ~ '^[A-Z]{2}$'),
  add constraint clients_postal_code_form check (postal_code ~ '^[0-9]{5}(-[0-9]{4})?$'),
  add constraint clients_phone_form check (phone ~ '^\+[1-9][0-9]{6,14}$'),
  add constraint clients_diagnosis_codes_form check (
    array_to_string(diagnosis_codes, ' ', '?')
      ~ '^([A-Z][0-9][0-9A-Z](\.[0-9A-Z]{1,4})?( [A-Z][0-9][0-9A-Z](\.[0-9A-Z]{1,4})?){0,11})?$'
    -- No code has a space in it, and the list has one dimension.
    and string_to_array(array_to_string(diagnosis_codes, ' ', '?'), ' ') = diagnosis_codes);
comment on column public.clients.given_name is 'PHI: first name, as on the insurance card.';
comment on column public.clients.family_name is 'PHI: last name, as on the insurance card.';
comment on column public.clients.date_of_birth is 'PHI: date of birth.';
comment on column public.clients.sex is 'PHI: F, M or U (unknown), as payers take it.';
comment on column public.clients.address_line is 'PHI: street and number.';
comment on column public.clients.city is 'PHI: city of the address.';
comment on column public.clients.state is 'PHI: state of the address, by its USPS code.';
comment on column public.clients.postal_code is 'PHI: ZIP or ZIP+4 code of the address.';
comment on column public.clients.phone is 'PHI: phone number, E.164.';
comment on column public.clients.diagnosis_codes is 'PHI: ICD-10-CM codes, at most 12, the principal one first.';

-- Users write clients by RPCs (save_client); automation with the secret key.
grant
  insert (
    given_name, family_name, date_of_birth, sex, address_line, city, state, postal_code, phone, diagnosis_codes),
  update (
    given_name, family_name, date_of_birth, sex, address_line, city, state, postal_code, phone, diagnosis_codes)
on public.clients to service_role;
