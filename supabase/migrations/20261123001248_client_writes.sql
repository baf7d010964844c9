-- Records of clients by call: saving who they are, and who pays for them.
--
-- Promises
--   * Users write clients and coverages in no other way.
--   * What is wrong is said of every field at once, in words of its own; what a row is made of, by constraints too.
--   * An answer holds no PHI: it is kept with the idempotency key.

create function app.record_faults(request jsonb, today date)
returns jsonb
language plpgsql
stable
set search_path = ''
as $$
declare
  dates constant text[] := '{date_of_birth,subscriber_date_of_birth,starts_on,ends_on}';
  faults jsonb;
begin
  select jsonb_agg(jsonb_build_object('field', rule.field, 'code', 'invalid_value', 'message', rule.message) order by rule.place)
  into faults
  from (values
    (1, 'full_name', '^.{1,200}$', 'Must be 1 to 200 characters.'),
    (2, 'given_name', '^.{1,35}$', 'Must be 1 to 35 characters.'),
    (3, 'family_name', '^.{1,60}$', 'Must be 1 to 60 characters.'),
    (4, 'date_of_birth', null, 'Must be a date from 1900-01-01 to today.'),
    (5, 'sex', '^[FMU]$', 'Must be F, M or U.'),
    (6, 'address_line', '^.{1,55}$', 'Must be 1 to 55 characters.'),
    (7, 'city', '^.{2,30}$', 'Must be 2 to 30 characters.'),
    (8, 'state', '^(A[AEKLPRSZ]|C[AOT]|D[CE]|F[LM]|G[AU]|HI|I[ADLN]|K[SY]|LA|M[ADEHINOPST]|N[CDEHJMVY]|O[HKR]|P[ARW]|RI|S[CD]|T[NX]|U[MT]|V[AIT]|W[AIVY])$',
      'Must be the USPS code of a state or territory.'),
    (9, 'postal_code', '^[0-9]{5}(-[0-9]{4})?$', 'Must be a ZIP or ZIP+4 code.'),
    (10, 'phone', '^\+[1-9][0-9]{6,14}$', 'Must be a number as +15035550100.'),
    (11, 'member_id', '^[A-Za-z0-9-]{2,80}$', 'Must be 2 to 80 letters, digits and hyphens.'),
    (12, 'relationship_to_subscriber', '^(self|child|spouse|other)$', 'Must be self, child, spouse or other.'),
    (13, 'subscriber_given_name', '^.{1,35}$', 'Must be 1 to 35 characters.'),
    (14, 'subscriber_family_name', '^.{1,60}$', 'Must be 1 to 60 characters.'),
    (15, 'subscriber_date_of_birth', null, 'Must be a date from 1900-01-01 to today.'),
    (16, 'starts_on', null, 'Must be a date.'),
    (17, 'ends_on', null, 'Must be a date.')
  ) as rule (place, field, form, message)
  cross join lateral (select trim(request ->> rule.field) as text, request -> rule.field as value) given
  where given.text is not null
    and (jsonb_typeof(given.value) <> 'string'
      -- As app.plain_text has it.
      or given.text ~ E'[\\u0001-\\u001f\\u007f-\\u009f\\u202a-\\u202e\\u2066-\\u2069]'
      or given.text !~ rule.form
      or rule.field = any (dates) and case
        when given.text !~ '^[0-9]{4}-[0-9]{2}-[0-9]{2}$' or not pg_input_is_valid(given.text, 'date') then true
        when rule.field ~ 'birth' then given.text::date not between '1900-01-01' and today
        else false end);
  return faults;
end
$$;
comment on function app.record_faults is
  'What is wrong with the fields of a client or a coverage, as errors of the contract; null when nothing is. A field that is '
  'absent or null has no fault.';

create function app.diagnosis_faults(codes jsonb)
returns jsonb
language plpgsql
immutable
set search_path = ''
as $$
begin
  if coalesce(codes, 'null') = 'null' then
    return null;
  elsif jsonb_typeof(codes) <> 'array' or jsonb_array_length(codes) > 12 then
    return '[{"field": "diagnosis_codes", "code": "size", "message": "Must be at most 12 codes."}]';
  end if;
  return (
    select jsonb_agg(
      jsonb_build_object(
        'field', format('diagnosis_codes[%s]', given.place - 1),
        'code', case when given.is_code then 'duplicate' else 'invalid_format' end,
        'message', case when given.is_code then 'Must not repeat an earlier one.' else 'Must be an ICD-10-CM code, as F84.0.' end)
      order by given.place)
    from (
      select listed.place,
        jsonb_typeof(listed.value) = 'string'
          and listed.value #>> '{}' ~ '^[A-Z][0-9][0-9A-Z](\.[0-9A-Z]{1,4})?$' as is_code,
        row_number() over (partition by listed.value order by listed.place) > 1 as is_repeated
      from jsonb_array_elements(codes) with ordinality as listed (value, place)
    ) given
    where not given.is_code or given.is_repeated);
end
$$;
comment on function app.diagnosis_faults is 'What is wrong with a list of ICD-10-CM codes, as errors of the contract; null when nothing is.';

create function app.fields_given(request jsonb, known text[])
returns jsonb
language sql
immutable
set search_path = ''
as $$
  select coalesce(
    jsonb_object_agg(
      given.key,
      case jsonb_typeof(given.value) when 'string' then to_jsonb(trim(given.value #>> '{}')) else given.value end),
    '{}')
  from jsonb_each(request) given
  where given.key = any (known)
$$;
comment on function app.fields_given is 'The fields of a request that are the row''s to take, without the space around texts.';

create function app.refuse_unless_scheduler(organization uuid)
returns date
language plpgsql
stable
set search_path = ''
as $$
begin
  if not organization = any (app.org_ids_with_role('internal_ops', 'admin')) then
    perform app.refuse('forbidden', 'Schedulers and admins keep the records of clients.');
  end if;
  return (
    select (now() at time zone clinic.time_zone)::date from public.organizations clinic where clinic.id = organization);
end
$$;
comment on function app.refuse_unless_scheduler is 'Refuses who does not keep the records of clients; the clinic''s day for who does.';

create function app.save_client(organization uuid, request jsonb)
returns jsonb
language plpgsql
set search_path = ''
as $$
declare
  known constant text[] := '{full_name,given_name,family_name,date_of_birth,sex,address_line,city,state,postal_code,phone,diagnosis_codes}';
  today date := app.refuse_unless_scheduler(organization);
  is_new boolean := request ->> 'client_id' is null;
  faults jsonb;
  client public.clients;
begin
  faults := coalesce(app.record_faults(request, today), '[]')
    || coalesce(app.diagnosis_faults(request -> 'diagnosis_codes'), '[]');
  if request ->> 'full_name' is null and (is_new or request ? 'full_name') then
    faults := jsonb_build_object('field', 'full_name', 'code', 'required', 'message', 'Required.') || faults;
  end if;
  if faults <> '[]' then
    perform app.refuse_fields(faults);
  end if;

  if not is_new then
    select * into client
    from public.clients it
    where it.organization_id = organization and it.id = (request ->> 'client_id')::uuid
    for no key update;
    if client.id is null then
      perform app.refuse('not_found', 'There is no such client.');
    end if;
  end if;
  client := jsonb_populate_record(client, app.fields_given(request, known));
  client.diagnosis_codes := coalesce(client.diagnosis_codes, '{}');
  if is_new then
    insert into public.clients (
      organization_id, full_name, given_name, family_name, date_of_birth, sex, address_line, city, state, postal_code,
      phone, diagnosis_codes)
    values (
      organization, client.full_name, client.given_name, client.family_name, client.date_of_birth, client.sex,
      client.address_line, client.city, client.state, client.postal_code, client.phone, client.diagnosis_codes)
    returning id into client.id;
  else
    update public.clients it
    set full_name = client.full_name, given_name = client.given_name, family_name = client.family_name,
      date_of_birth = client.date_of_birth, sex = client.sex, address_line = client.address_line, city = client.city,
      state = client.state, postal_code = client.postal_code, phone = client.phone, diagnosis_codes = client.diagnosis_codes
    where it.organization_id = organization and it.id = client.id;
  end if;
  return jsonb_build_object('client_id', client.id, 'created', is_new);
end
$$;
comment on function app.save_client is
  'Adds a client, or changes the fields that are given, null to empty one. The row''s change is the event. Answers no PHI: '
  'the answer is kept with the idempotency key.';

create function app.save_coverage(organization uuid, request jsonb)
returns jsonb
language plpgsql
set search_path = ''
as $$
declare
  known constant text[] := '{starts_on,ends_on,member_id,relationship_to_subscriber,subscriber_given_name,subscriber_family_name,subscriber_date_of_birth}';
  today date := app.refuse_unless_scheduler(organization);
  is_new boolean := request ->> 'coverage_id' is null;
  faults jsonb := app.record_faults(request, today);
  coverage public.client_coverages;
begin
  perform app.require_fields(request, 'client_id');
  if is_new then
    perform app.require_fields(request, 'payer_id', 'starts_on');
  end if;
  if faults is not null then
    perform app.refuse_fields(faults);
  end if;
  -- Its payer decides what a booking claims. Locked, so that two coverages of one client do not meet half-way.
  perform app.lock_subjects(array[(request ->> 'client_id')::uuid]);
  if is_new then
    coverage.organization_id := organization;
    coverage.client_id := (request ->> 'client_id')::uuid;
    coverage.payer_id := (request ->> 'payer_id')::uuid;
    perform app.check_client(organization, coverage.client_id);
    if not exists (
      select from public.payers payer where payer.organization_id = organization and payer.id = coverage.payer_id)
    then
      perform app.refuse_field('payer_id', 'unknown', 'There is no such payer.');
    end if;
  else
    select * into coverage
    from public.client_coverages it
    where it.organization_id = organization and it.id = (request ->> 'coverage_id')::uuid
      and it.client_id = (request ->> 'client_id')::uuid
    for no key update;
    if coverage.id is null then
      perform app.refuse('not_found', 'There is no such coverage.');
    end if;
  end if;
  coverage := jsonb_populate_record(coverage, app.fields_given(request, known));
  perform app.check_coverage(coverage);

  if is_new then
    insert into public.client_coverages (
      organization_id, client_id, payer_id, starts_on, ends_on, member_id, relationship_to_subscriber,
      subscriber_given_name, subscriber_family_name, subscriber_date_of_birth)
    values (
      organization, coverage.client_id, coverage.payer_id, coverage.starts_on, coverage.ends_on, coverage.member_id,
      coverage.relationship_to_subscriber, coverage.subscriber_given_name, coverage.subscriber_family_name,
      coverage.subscriber_date_of_birth)
    returning id into coverage.id;
  else
    update public.client_coverages it
    set starts_on = coverage.starts_on, ends_on = coverage.ends_on, member_id = coverage.member_id,
      relationship_to_subscriber = coverage.relationship_to_subscriber,
      subscriber_given_name = coverage.subscriber_given_name, subscriber_family_name = coverage.subscriber_family_name,
      subscriber_date_of_birth = coverage.subscriber_date_of_birth
    where it.organization_id = organization and it.id = coverage.id;
  end if;
  return jsonb_build_object('coverage_id', coverage.id, 'client_id', coverage.client_id, 'created', is_new);
end
$$;
comment on function app.save_coverage is
  'Adds a coverage of a client, or changes the fields that are given, null to empty one; its client and payer stay. Answers '
  'no PHI, as app.save_client.';

create function app.check_coverage(coverage public.client_coverages)
returns void
language plpgsql
stable
set search_path = ''
as $$
declare
  is_somebody_else boolean := coalesce(coverage.relationship_to_subscriber, 'self') <> 'self';
  faults jsonb;
begin
  select jsonb_agg(
    jsonb_build_object(
      'field', subscriber.field,
      'code', case when is_somebody_else then 'required' else 'not_allowed' end,
      'message', case when is_somebody_else then 'Required.' else 'Only where somebody else holds the policy.' end)
    order by subscriber.place)
  into faults
  from (values
    (1, 'subscriber_given_name', coverage.subscriber_given_name),
    (2, 'subscriber_family_name', coverage.subscriber_family_name),
    (3, 'subscriber_date_of_birth', coverage.subscriber_date_of_birth::text)
  ) as subscriber (place, field, value)
  where (subscriber.value is null) = is_somebody_else;
  if faults is not null then
    perform app.refuse_fields(faults);
  elsif coverage.starts_on is null then
    perform app.refuse_field('starts_on', 'required', 'Required.');
  elsif coverage.ends_on < coverage.starts_on then
    perform app.refuse_field('ends_on', 'too_small', 'Must not be before starts_on.');
  elsif exists (
    select
    from public.client_coverages other
    where other.organization_id = coverage.organization_id and other.client_id = coverage.client_id
      and other.id is distinct from coverage.id
      and daterange(other.starts_on, other.ends_on, '[]') && daterange(coverage.starts_on, coverage.ends_on, '[]'))
  then
    perform app.refuse_field('starts_on', 'overlap', 'The client has a payer on some of these days.');
  end if;
end
$$;
comment on function app.check_coverage is 'Refuses a coverage that does not hang together, or that overlaps another of the client.';
