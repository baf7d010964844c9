-- Batches: claims go to their receiver in files. What a file says is what read_billing_batch answers: the shape that
-- src/lib/claim-batch.ts checks and src/lib/claims-837p.ts writes.
--
-- Promises
--   * A batch that lacks a fact of a claim is neither read nor exported: each missing fact is named by whose it is.
--   * An exported batch reads as it was sent, whatever becomes of its claims; who the people on them are is read anew.
--   * What bills a session anew is not sent before what takes it back.
--   * A test file changes no claim: it can be written again until its claims go into another batch.

create function app.create_billing_batch(organization uuid, request jsonb)
returns jsonb
language plpgsql
set search_path = ''
as $$
declare
  wanted uuid[];
  profile public.billing_profiles := app.billing_profile(organization, clock_timestamp());
  made public.billing_batches;
begin
  perform app.check_biller(organization);
  wanted := app.distinct_ids(request, 'case_ids', 5000);
  if not coalesce(request ->> 'usage' in ('production', 'test'), false) then
    perform app.refuse_field('usage', 'invalid_value', 'Must be production or test.');
  end if;
  perform app.lock_billing(organization);
  if cardinality(wanted) > (
    select count(*) from public.billing_cases it where it.organization_id = organization and it.id = any (wanted))
  then
    perform app.refuse('not_found', 'There is no such case.');
  elsif exists (
    select
    from public.billing_cases it
    left join public.billing_batches batch on batch.id = it.batch_id
    where it.organization_id = organization and it.id = any (wanted) and (it.status <> 'open' or batch.usage = 'production'))
  then
    perform app.refuse_field('case_ids', 'not_open', 'A case is in a batch already, or is not open.');
  end if;
  if profile.id is null then
    perform app.refuse_field('billing_profile', 'required', 'The organization has no billing profile.');
  end if;
  insert into public.billing_batches (organization_id, receiver_code, control_number, usage)
  select organization, profile.receiver_code, coalesce(max(it.control_number), 0) + 1, request ->> 'usage'
  from public.billing_batches it
  where it.organization_id = organization and it.receiver_code = profile.receiver_code
  returning * into made;
  update public.billing_cases it set batch_id = made.id where it.organization_id = organization and it.id = any (wanted);
  return jsonb_build_object(
    'batch_id', made.id, 'control_number', made.control_number, 'status', made.status, 'case_ids', to_jsonb(wanted));
end
$$;
comment on function app.create_billing_batch is 'Puts open claims, which may have been tested, into a new batch with the next control number. Answers the data of the RPC.';

create function app.lock_batch(organization uuid, request jsonb)
returns public.billing_batches
language plpgsql
set search_path = ''
as $$
declare
  found public.billing_batches;
begin
  perform app.check_biller(organization);
  perform app.require_fields(request, 'batch_id');
  perform app.lock_billing(organization);
  select it.* into found
  from public.billing_batches it
  where it.organization_id = organization and it.id = (request ->> 'batch_id')::uuid;
  if found.id is null then
    perform app.refuse('not_found', 'There is no such batch.');
  elsif not exists (select from public.billing_cases it where it.organization_id = organization and it.batch_id = found.id) then
    perform app.refuse_field('batch_id', 'empty', 'All its claims are void, or in another batch.');
  elsif found.status = 'draft' and found.usage = 'production' and exists (
    select
    from public.billing_cases anew
    join public.billing_lines line on line.case_id = anew.id and line.status = 'billed'
    join public.billing_lines taken on taken.session_id = line.session_id and taken.status = 'reversal'
    join public.billing_cases reversal on reversal.id = taken.case_id and reversal.status = 'open'
    where anew.organization_id = organization and anew.batch_id = found.id and reversal.batch_id is distinct from found.id)
  then
    perform app.refuse_field('batch_id', 'not_taken_back', 'The payer would have a session twice: send the claim that takes it back first.');
  end if;
  return found;
end
$$;
comment on function app.lock_batch is 'A batch of the organization that can be sent, or was, with claims in it; or a refusal.';

create function app.coverage_on(organization uuid, client uuid, payer uuid, day date, or_other boolean default false)
returns public.client_coverages
language plpgsql
stable
set search_path = ''
as $$
declare
  found public.client_coverages;
begin
  select it.* into found
  from public.client_coverages it
  where it.organization_id = organization and it.client_id = client and it.payer_id = payer
    and (or_other or day between it.starts_on and coalesce(it.ends_on, 'infinity'))
  order by day between it.starts_on and coalesce(it.ends_on, 'infinity') desc, it.starts_on <= day desc, it.starts_on desc
  limit 1;
  return found;
end
$$;
comment on function app.coverage_on is
  'A client''s coverage by a payer on a day; null when there is none any more. or_other: of other days then, for what is taken back '
  'from who turned out not to cover that one.';

create function app.refuse_incomplete_batch(batch public.billing_batches)
returns void
language plpgsql
stable
set search_path = ''
as $$
declare
  errors jsonb := (
    select jsonb_agg(jsonb_build_object('field', it.field, 'code', 'required', 'message', 'A claim needs it.') order by it.field)
    from (
      select distinct concat_ws('.', wanted.whose, wanted.id, fact.key) as field
      from public.billing_cases claim
      join public.clients client on client.id = claim.client_id
      join public.payers payer on payer.id = claim.payer_id
      join public.therapists therapist on therapist.id = claim.therapist_id
      cross join lateral app.coverage_on(
        claim.organization_id, claim.client_id, claim.payer_id,
        (select min(line.service_date) from public.billing_lines line where line.case_id = claim.id), claim.frequency = '8') coverage
      cross join lateral (values
        ('clients', client.id, jsonb_build_object(
          'given_name', client.given_name, 'family_name', client.family_name, 'date_of_birth', client.date_of_birth,
          'sex', client.sex, 'address_line', client.address_line, 'city', client.city, 'state', client.state,
          'postal_code', client.postal_code, 'diagnosis_codes', nullif(client.diagnosis_codes, '{}'),
          'member_id', coverage.member_id)),
        ('payers', payer.id, jsonb_build_object('payer_code', payer.payer_code, 'filing_indicator', payer.filing_indicator)),
        ('therapists', therapist.id, jsonb_build_object(
          'npi', therapist.npi, 'legal_given', therapist.legal_given, 'legal_family', therapist.legal_family))
      ) as wanted (whose, id, facts)
      cross join lateral jsonb_each(wanted.facts) fact
      where claim.batch_id = batch.id and fact.value = 'null'
      union all
      select 'billing_profile' where (app.billing_profile(batch.organization_id, batch.created_at)).id is null
      order by 1
      limit 100
    ) it);
begin
  if errors is not null then
    perform app.refuse_fields(errors);
  end if;
end
$$;
comment on function app.refuse_incomplete_batch is 'Refuses a batch whose claims lack facts: clients.<id>.member_id, therapists.<id>.npi, ...; at most 100.';

create function app.claim_json(claim public.billing_cases)
returns jsonb
language plpgsql
stable
set search_path = ''
as $$
begin
  return (
    select jsonb_build_object(
      'claim_number', to_char(claim.claim_number, 'FM000000000'), 'client_id', claim.client_id, 'payer_id', claim.payer_id,
      'therapist_id', claim.therapist_id, 'frequency', claim.frequency,
      'payer_claim_number', claim.payer_claim_number,
      'authorization_number', (select it.authorization_number from public.authorizations it where it.id = claim.authorization_id),
      'diagnosis_codes', to_jsonb(client.diagnosis_codes),
      'payer', jsonb_build_object('name', payer.name, 'payer_code', payer.payer_code, 'filing_indicator', payer.filing_indicator),
      -- Of who holds the policy for a client, sex and address are not on file: unknown, and the client's.
      'subscriber', jsonb_build_object('member_id', coverage.member_id) || it.address || case
        when coalesce(coverage.relationship_to_subscriber, 'self') = 'self' then it.person
        else jsonb_build_object(
          'given_name', coverage.subscriber_given_name, 'family_name', coverage.subscriber_family_name,
          'date_of_birth', coverage.subscriber_date_of_birth, 'sex', 'U') end,
      'patient', case when coverage.relationship_to_subscriber <> 'self' then
        it.person || it.address || jsonb_build_object('relationship', coverage.relationship_to_subscriber) end,
      'rendering_provider', jsonb_build_object(
        'given_name', therapist.legal_given, 'family_name', therapist.legal_family, 'npi', therapist.npi,
        'taxonomy_code', therapist.taxonomy_code),
      'lines', summed.lines)
    from public.clients client
    join public.payers payer on payer.id = claim.payer_id
    join public.therapists therapist on therapist.id = claim.therapist_id
    cross join lateral (
      select min(line.service_date) as first_day, jsonb_agg(jsonb_build_object(
          'service_date', line.service_date, 'cpt_code', line.cpt_code, 'modifiers', to_jsonb(line.modifiers), 'units', line.units,
          'charge_cents', line.charge_cents, 'place_of_service', line.place_of_service)
        order by line.line_number) as lines
      from public.billing_lines line
      where line.case_id = claim.id
    ) summed
    cross join lateral app.coverage_on(
      claim.organization_id, claim.client_id, claim.payer_id, summed.first_day, claim.frequency = '8') coverage
    cross join lateral (values (
      jsonb_build_object(
        'given_name', client.given_name, 'family_name', client.family_name, 'date_of_birth', client.date_of_birth, 'sex', client.sex),
      jsonb_build_object(
        'line', client.address_line, 'city', client.city, 'state', client.state, 'postal_code', client.postal_code)
    )) as it (person, address)
    where client.id = claim.client_id);
end
$$;
comment on function app.claim_json is 'A claim with all that a file says of it, and whose rows that is from.';

create function app.read_billing_batch(organization uuid, request jsonb)
returns jsonb
language plpgsql
set search_path = ''
as $$
declare
  batch public.billing_batches := app.lock_batch(organization, request);
  profile public.billing_profiles := app.billing_profile(organization, batch.created_at);
  zone text := (select clinic.time_zone from public.organizations clinic where clinic.id = organization);
  claims jsonb;
begin
  perform app.refuse_incomplete_batch(batch);
  select jsonb_agg(app.claim_json(it) order by it.claim_number) into claims
  from public.billing_cases it
  where it.organization_id = organization and it.batch_id = batch.id;
  perform app.record_accesses(organization, 'billing_batch.read', 'billing_cases', array_agg(it.id), array_agg(it.client_id))
  from public.billing_cases it
  where it.organization_id = organization and it.batch_id = batch.id;
  return jsonb_build_object(
    'control_number', batch.control_number, 'usage', batch.usage,
    'created_at', to_char(batch.created_at at time zone zone, 'YYYY-MM-DD"T"HH24:MI'),
    'submitter', jsonb_build_object(
      'name', profile.legal_name, 'submitter_code', profile.submitter_code, 'contact_name', profile.contact_name,
      'phone', profile.contact_number),
    'receiver', jsonb_build_object('name', profile.receiver_name, 'receiver_code', batch.receiver_code),
    'billing_provider', jsonb_build_object(
      'name', profile.legal_name, 'npi', profile.npi, 'tax_id', profile.tax_id, 'taxonomy_code', profile.taxonomy_code,
      'line', profile.street, 'city', profile.town, 'state', profile.region, 'postal_code', profile.zip),
    'claims', claims);
end
$$;
comment on function app.read_billing_batch is 'All that a file of the batch says. On record for each client, or refused for what is missing.';

create function app.export_billing_batch(organization uuid, request jsonb)
returns jsonb
language plpgsql
set search_path = ''
as $$
declare
  batch public.billing_batches := app.lock_batch(organization, request);
begin
  perform app.require_fields(request, 'claims');
  if (request ->> 'claims')::integer <> (
    select count(*) from public.billing_cases it where it.organization_id = organization and it.batch_id = batch.id)
  then
    perform app.refuse_field('claims', 'changed', 'A claim was voided meanwhile: read the batch again.');
  end if;
  if batch.status = 'draft' then
    perform app.refuse_incomplete_batch(batch);
    update public.billing_cases it
    set status = 'submitted'
    where it.organization_id = organization and it.batch_id = batch.id and batch.usage = 'production';
    update public.billing_batches it set status = 'exported' where it.organization_id = organization and it.id = batch.id;
  end if;
  return jsonb_build_object('batch_id', batch.id, 'control_number', batch.control_number, 'status', 'exported');
end
$$;
comment on function app.export_billing_batch is
  'Says that the file of a batch went out: its claims are submitted, but for a test. Doing so twice is no error.';
