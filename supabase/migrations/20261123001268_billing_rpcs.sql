-- Handing sessions to billing: attach them to claims, batch and export those, take them back and bill anew.
--
-- Promises
--   * A call is all or nothing, and a refusal names each session, or each missing fact of a claim, by whose it is.
--   * What had been sent to a payer is billed again only as what replaces it, or after it was taken back there.
--   * Only who may bill reads what claims say of people, and each reading is on record.

create function app.check_biller(organization uuid)
returns void
language plpgsql
stable
set search_path = ''
as $$
begin
  if not organization = any (app.org_ids_with_permission('manage_billing')) then
    perform app.refuse('forbidden', 'Claims are for who bills.');
  end if;
end
$$;
comment on function app.check_biller is 'Refuses who may not bill.';

create function app.lock_billing(organization uuid)
returns void
language plpgsql
set search_path = ''
as $$
begin
  perform pg_advisory_xact_lock(hashtextextended('billing ' || organization, 0));
end
$$;
comment on function app.lock_billing is
  'One call at a time of an organization''s billing: numbers have no gaps, and what is decided on stays. After app.lock_sessions.';

-- ---------------------------------------------------------------------------------------------------------
-- Attaching
-- ---------------------------------------------------------------------------------------------------------

create type app.billing_candidate as (
  session_id uuid,
  client_id uuid,
  payer_id uuid,
  therapist_id uuid,
  authorization_id uuid,
  place_of_service text,
  service_date date,
  cpt_code text,
  modifiers text[],
  units integer,
  unit_cents integer,
  fault text
);

create function app.billing_candidates(organization uuid, session_ids uuid[], accepts_overdrawn boolean, replaced uuid)
returns setof app.billing_candidate
language plpgsql
stable
set search_path = ''
as $$
begin
  return query
    with charge as materialized (
      select it
      from public.session_charges it
      where it.organization_id = organization and it.session_id = any (session_ids) and it.kind = 'actual'
    ),
    -- Of a day of which something was billed: what its charges would be by now.
    restated as materialized (
      select derived.session_id, derived.units, derived.modifiers, derived.mue_limit
      from app.derive_charges(array(
        select source.input
        from app.charge_sources(array(
          select distinct row(organization, session.client_id, (charge.it).service_date)::app.client_day
          from charge
          join public.sessions session on session.id = (charge.it).session_id), 'actual') source)) derived
    ),
    differing as materialized (
      select session.client_id, line.service_date
      from restated
      join public.billing_lines line on line.session_id = restated.session_id and line.status = 'billed'
      join public.sessions session on session.id = line.session_id
      join public.session_charges billed on billed.session_id = line.session_id and billed.kind = 'actual'
      -- Beyond the limit by what came before it: nobody has said why.
      where (restated.units, restated.modifiers) is distinct from (line.units, line.modifiers)
        or restated.mue_limit is not null and billed.mue_limit is null
    )
    select
      session.id, session.client_id, (charge.it).payer_id, session.therapist_id, covering.id,
      (charge.it).place_of_service, (charge.it).service_date, (charge.it).cpt_code, (charge.it).modifiers, (charge.it).units,
      rate.unit_cents,
      case
        when app.is_billed(session.id) then 'already_billed'
        when session.status <> 'completed' or charge.it is null then 'not_completed'
        when (charge.it).units = 0 then 'no_units'
        when (charge.it).payer_id is null then 'no_payer'
        when (app.coverage_on(organization, session.client_id, (charge.it).payer_id, (charge.it).service_date)).id is null
          then 'no_coverage'
        -- Booked as any two digits.
        when place.code is null then 'no_place_of_service'
        when '{code_not_in_force,code_not_for_credential}'::text[] && (charge.it).warnings then 'code_not_billable'
        when (charge.it).mue_limit is not null and (charge.it).overridden_at is null then 'mue_not_overridden'
        when covering.id is null and payer.requires_authorization then 'no_authorization'
        when draw.overridden_units > 0 and not accepts_overdrawn then 'overdrawn'
        when rate.unit_cents is null then 'no_rate'
        when (coalesce(profile.requires_signature, true) or rule.requires_cosignature) and not exists (
          select
          from public.session_notes note
          where note.session_id = session.id and note.therapist_id = session.therapist_id and note.kind = 'session'
            and (note.status = 'cosigned' or note.status = 'signed' and not note.needs_cosignature))
          then 'note_not_signed'
        when (session.client_id, (charge.it).service_date) in (select differing.client_id, differing.service_date from differing)
          then 'day_differs'
        when exists (
          select
          from public.billing_lines line
          join public.billing_cases sent on sent.id = line.case_id and sent.batch_id is not null
          where line.session_id = session.id and line.status = 'void' and sent.id is distinct from replaced
            and not exists (
              select
              from public.billing_cases newer
              where newer.organization_id = organization and newer.replaces_case_id = sent.id
                and (newer.status <> 'void' or newer.batch_id is not null)))
          then 'sent_before'
      end
    from public.sessions session
    left join charge on (charge.it).session_id = session.id
    left join public.payers payer on payer.organization_id = organization and payer.id = (charge.it).payer_id
    left join public.places_of_service place on place.code = (charge.it).place_of_service
    cross join app.billing_profile(organization, clock_timestamp()) profile
    left join app.current_draws(session_ids) draw on draw.booking_id = session.id
    -- A claim names no other payer's.
    left join public.authorizations covering on covering.id = draw.authorization_id and covering.payer_id = (charge.it).payer_id
    cross join lateral (select app.rate_of(organization, (charge.it).payer_id, charge.it) as unit_cents) rate
    -- Of the payer as a whole: a rule of the code alone does not say it.
    cross join lateral app.payer_rule(organization, (charge.it).payer_id, null, (charge.it).service_date) rule
    where session.organization_id = organization and session.id = any (session_ids);
end
$$;
comment on function app.billing_candidates is 'What sessions would be billed as, and what is in the way of it.';

create function app.bill(
  organization uuid, session_ids uuid[], accepts_overdrawn boolean, replaced uuid default null, known_as text default null)
returns uuid[]
language plpgsql
set search_path = ''
as $$
declare
  found app.billing_candidate[] := array(
    select it from app.billing_candidates(organization, session_ids, accepts_overdrawn, replaced) it order by it.service_date, it.session_id);
  errors jsonb;
  made uuid[];
begin
  select jsonb_agg(jsonb_build_object('field', 'sessions.' || it.session_id, 'code', it.fault, 'message', reason.message))
  into errors
  from unnest(found) it
  join (values
    ('already_billed', 'It is on a claim already.'),
    ('not_completed', 'Only what took place is billed.'),
    ('no_units', 'It comes to no unit.'),
    ('no_payer', 'No coverage was known when it was charged: enter that of its day, then the operator runs app.reprice.'),
    ('no_coverage', 'Its payer does not cover the client that day any more: put the coverage right, or the operator runs app.reprice.'),
    ('no_place_of_service', 'It says no place of service, or one that claims do not know.'),
    ('code_not_billable', 'The code was not in force that day, or asks for a higher credential.'),
    ('mue_not_overridden', 'It exceeds the limit of units: record why (override_mue).'),
    ('no_authorization', 'The payer asks for an authorization.'),
    ('overdrawn', 'It took more than was authorized: send accept_overdrawn, or leave it out.'),
    ('no_rate', 'The payer has no rate for the code that day.'),
    ('note_not_signed', 'Its therapist has not signed its note, or nobody has co-signed it.'),
    ('day_differs', 'With it, something billed of that day would be charged otherwise: void that claim first.'),
    ('sent_before', 'It was sent on a claim that is void: rebill that case.')
  ) as reason (fault, message) on reason.fault = it.fault;
  if errors is not null then
    perform app.refuse_fields(errors);
  end if;

  with placed as materialized (
    select it.*, coverage.id as coverage_id, (row_number() over (
        partition by it.client_id, it.payer_id, coverage.id, it.therapist_id, it.place_of_service, it.authorization_id,
          date_trunc('month', it.service_date)
        order by it.service_date, it.session_id) - 1)::integer as place
    from unnest(found) it
    -- What a claim says of the policy is true of each of its days.
    cross join lateral app.coverage_on(organization, it.client_id, it.payer_id, it.service_date) coverage
  ),
  claim as materialized (
    select gen_random_uuid() as id, it.client_id, it.payer_id, it.therapist_id, it.place_of_service, it.authorization_id,
      it.coverage_id, date_trunc('month', it.service_date)::date as month, it.place / 50 as part
    from placed it
    group by 2, 3, 4, 5, 6, 7, 8, 9
  ),
  opened as (
    insert into public.billing_cases (
      id, organization_id, claim_number, client_id, payer_id, therapist_id, authorization_id, place_of_service, month, frequency,
      replaces_case_id, payer_claim_number)
    select
      claim.id, organization,
      coalesce((select max(it.claim_number) from public.billing_cases it where it.organization_id = organization), 0)
        + (row_number() over (order by claim.month, claim.client_id, claim.part))::integer,
      claim.client_id, claim.payer_id, claim.therapist_id, claim.authorization_id, claim.place_of_service, claim.month,
      case when replaced is null then '1' else '7' end, replaced, known_as
    from claim
    returning id, claim_number
  ),
  written as (
    insert into public.billing_lines (
      organization_id, case_id, session_id, line_number, service_date, cpt_code, modifiers, units, unit_cents, place_of_service)
    select
      organization, claim.id, it.session_id, it.place % 50 + 1, it.service_date, it.cpt_code, it.modifiers, it.units, it.unit_cents,
      it.place_of_service
    from placed it
    join claim on (claim.client_id, claim.payer_id, claim.therapist_id, claim.place_of_service, claim.month, claim.part)
        = (it.client_id, it.payer_id, it.therapist_id, it.place_of_service, date_trunc('month', it.service_date)::date, it.place / 50)
      and (claim.authorization_id, claim.coverage_id) is not distinct from (it.authorization_id, it.coverage_id)
  )
  select array_agg(opened.id order by opened.claim_number) into made from opened;
  return made;
end
$$;
comment on function app.bill is
  'Makes claims of sessions that are locked: one for each coverage, therapist, place, authorization and month, 50 lines at most.';

create function app.cases_json(organization uuid, case_ids uuid[])
returns jsonb
language plpgsql
stable
set search_path = ''
as $$
begin
  return (
    select jsonb_agg(jsonb_build_object(
        'case_id', it.id, 'claim_number', to_char(it.claim_number, 'FM000000000'), 'frequency', it.frequency, 'status', it.status,
        'client_id', it.client_id, 'payer_id', it.payer_id, 'therapist_id', it.therapist_id, 'authorization_id', it.authorization_id,
        'month', to_char(it.month, 'YYYY-MM'), 'session_ids', summed.session_ids, 'units', summed.units,
        'charge_cents', summed.charge_cents)
      order by it.claim_number)
    from public.billing_cases it
    cross join lateral (
      select coalesce(jsonb_agg(line.session_id order by line.line_number), '[]') as session_ids,
        coalesce(sum(line.units), 0) as units, coalesce(sum(line.charge_cents), 0) as charge_cents
      from public.billing_lines line
      where line.case_id = it.id
    ) summed
    where it.organization_id = organization and it.id = any (case_ids));
end
$$;
comment on function app.cases_json is 'Claims as the wire has them.';

create function app.distinct_ids(request jsonb, field text, most integer)
returns uuid[]
language plpgsql
immutable
set search_path = ''
as $$
declare
  given text[];
begin
  if jsonb_typeof(request -> field) is distinct from 'array' then
    perform app.refuse_field(field, 'required', 'Must be a list of ids.');
  end if;
  given := array(select jsonb_array_elements_text(request -> field));
  if cardinality(given) not between 1 and most then
    perform app.refuse_field(field, 'size', format('Name 1 to %s.', most));
  elsif array_position(given, null) is not null
    or (select count(distinct lower(it)) from unnest(given) it) < cardinality(given)
  then
    perform app.refuse_field(field, 'duplicate', 'Must not repeat an earlier one.');
  end if;
  return given::uuid[];
end
$$;
comment on function app.distinct_ids is 'A list of ids of the request, or a refusal.';

create function app.attach_sessions(organization uuid, request jsonb)
returns jsonb
language plpgsql
set search_path = ''
as $$
declare
  wanted uuid[];
  made uuid[];
begin
  perform app.check_biller(organization);
  wanted := app.distinct_ids(request, 'session_ids', 366);
  if jsonb_typeof(coalesce(request -> 'accept_overdrawn', 'false')) <> 'boolean' then
    perform app.refuse_field('accept_overdrawn', 'invalid_type', 'Must be a boolean.');
  elsif cardinality(wanted) > (
    select count(*) from public.sessions it where it.organization_id = organization and it.id = any (wanted))
  then
    perform app.refuse('not_found', 'There is no such session.');
  end if;
  perform app.lock_sessions(organization, wanted);
  perform app.lock_billing(organization);
  made := app.bill(organization, wanted, coalesce((request ->> 'accept_overdrawn')::boolean, false));
  return jsonb_build_object('cases', app.cases_json(organization, made));
end
$$;
comment on function app.attach_sessions is 'Attaches sessions to new claims, which freezes them. Answers the data of the RPC.';

-- ---------------------------------------------------------------------------------------------------------
-- What becomes of a claim
-- ---------------------------------------------------------------------------------------------------------

create function app.lock_case(organization uuid, request jsonb)
returns public.billing_cases
language plpgsql
set search_path = ''
as $$
declare
  found public.billing_cases;
begin
  perform app.check_biller(organization);
  perform app.require_fields(request, 'case_id');
  perform app.lock_sessions(organization, array(
    select line.session_id
    from public.billing_lines line
    where line.organization_id = organization and line.case_id = (request ->> 'case_id')::uuid));
  perform app.lock_billing(organization);
  select it.* into found
  from public.billing_cases it
  where it.organization_id = organization and it.id = (request ->> 'case_id')::uuid
  for update;
  if found.id is null then
    perform app.refuse('not_found', 'There is no such case.');
  end if;
  return found;
end
$$;
comment on function app.lock_case is 'A case of the organization, locked with its sessions, or a refusal.';

create function app.void_case(organization uuid, request jsonb)
returns jsonb
language plpgsql
set search_path = ''
as $$
declare
  voided public.billing_cases := app.lock_case(organization, request);
begin
  if voided.status in ('closed', 'void') then
    perform app.refuse_field('case_id', voided.status, 'It is closed, or void already.');
  elsif voided.status = 'open' and exists (
    select
    from public.billing_lines sent
    join public.billing_lines anew on anew.session_id = sent.session_id and anew.status = 'billed' and anew.case_id <> voided.id
    where sent.case_id = voided.replaces_case_id)
  then
    perform app.refuse_field('case_id', 'billed_anew', 'The payer would have its sessions twice: void the claim that bills them anew first.');
  end if;
  update public.billing_lines it set status = 'void' where it.organization_id = organization and it.case_id = voided.id;
  -- What was not sent leaves its batch.
  update public.billing_cases it
  set status = 'void', batch_id = case when voided.status <> 'open' then voided.batch_id end
  where it.organization_id = organization and it.id = voided.id;
  return jsonb_build_object('cases', app.cases_json(organization, array[voided.id]));
end
$$;
comment on function app.void_case is
  'Takes a claim back: its lines are void and its sessions can be changed. What the payer was sent is for rebill_case to replace.';

create function app.rebill_case(organization uuid, request jsonb)
returns jsonb
language plpgsql
set search_path = ''
as $$
declare
  sent public.billing_cases := app.lock_case(organization, request);
  known_as text := app.plain_text(request, 'payer_claim_number', 1, 50);
  chargeable uuid[];
  made uuid[];
begin
  if sent.status <> 'void' or sent.batch_id is null then
    perform app.refuse_field('case_id', 'not_void', 'Only a case that was sent and is void is billed again: void it first.');
  elsif exists (
    select
    from public.billing_cases newer
    where newer.organization_id = organization and newer.replaces_case_id = sent.id
      and (newer.status <> 'void' or newer.batch_id is not null))
  then
    perform app.refuse_field('case_id', 'replaced', 'It was replaced already.');
  elsif not coalesce(request ->> 'action' in ('replace', 'take_back'), false) then
    perform app.refuse_field('action', 'invalid_value', 'Must be replace or take_back.');
  end if;
  if request ->> 'action' = 'replace' then
    chargeable := array(
      select line.session_id
      from public.billing_lines line
      join public.session_charges charge on charge.session_id = line.session_id and charge.kind = 'actual' and charge.units > 0
      where line.organization_id = organization and line.case_id = sent.id);
    if chargeable = '{}' then
      perform app.refuse_field('action', 'nothing_to_bill', 'Nothing of it is charged any more: take_back.');
    end if;
    made := app.bill(organization, chargeable, true, sent.id, known_as);
    if cardinality(made) > 1 or exists (
      select
      from public.billing_cases anew
      where anew.organization_id = organization and anew.id = made[1] and anew.payer_id <> sent.payer_id)
    then
      perform app.refuse_field(
        'action', 'not_one_claim', 'It is more than one claim by now, or another payer''s: take_back, then attach the sessions.');
    end if;
  else
    insert into public.billing_cases (
      organization_id, claim_number, client_id, payer_id, therapist_id, authorization_id, place_of_service, month, frequency,
      replaces_case_id, payer_claim_number)
    select
      organization, max(it.claim_number) + 1, sent.client_id, sent.payer_id, sent.therapist_id, sent.authorization_id,
      sent.place_of_service, sent.month, '8', sent.id, known_as
    from public.billing_cases it
    where it.organization_id = organization
    returning array[id] into made;
    insert into public.billing_lines (
      organization_id, case_id, session_id, status, line_number, service_date, cpt_code, modifiers, units, unit_cents, place_of_service)
    select
      organization, made[1], line.session_id, 'reversal', line.line_number, line.service_date, line.cpt_code, line.modifiers,
      line.units, line.unit_cents, line.place_of_service
    from public.billing_lines line
    where line.organization_id = organization and line.case_id = sent.id;
  end if;
  return jsonb_build_object('cases', app.cases_json(organization, made));
end
$$;
comment on function app.rebill_case is
  'Bills anew what was sent and is void: a claim of its sessions as they are charged by now (replace, frequency 7), or one that '
  'takes it back (take_back, frequency 8).';

create function app.settle_case(organization uuid, request jsonb)
returns jsonb
language plpgsql
set search_path = ''
as $$
declare
  sent public.billing_cases := app.lock_case(organization, request);
begin
  if not coalesce(request ->> 'status' in ('paid', 'denied', 'closed'), false) then
    perform app.refuse_field('status', 'invalid_value', 'Must be paid, denied or closed.');
  elsif not (
    sent.status = 'submitted'
    or sent.status = 'paid' and request ->> 'status' = 'closed'
    or sent.status = 'denied' and request ->> 'status' in ('paid', 'closed'))
  then
    perform app.refuse_field('status', 'not_possible', 'The case is not waiting for that.');
  end if;
  update public.billing_cases it set status = request ->> 'status' where it.organization_id = organization and it.id = sent.id;
  return jsonb_build_object('cases', app.cases_json(organization, array[sent.id]));
end
$$;
comment on function app.settle_case is 'Records what the payer made of a claim.';

-- ---------------------------------------------------------------------------------------------------------
-- Reconciliation
-- ---------------------------------------------------------------------------------------------------------

create function app.billing_faults()
returns table (fault text, case_id uuid, session_id uuid)
language plpgsql
stable
set search_path = ''
as $$
begin
  return query
    select 'not_as_charged', line.case_id, line.session_id
    from public.billing_lines line
    join public.billing_cases it on it.id = line.case_id
    join public.sessions session on session.id = line.session_id
    left join public.session_charges charge on charge.session_id = line.session_id and charge.kind = 'actual'
    where line.status = 'billed'
      and (session.status, session.client_id, charge.therapist_id, charge.payer_id, charge.service_date, charge.cpt_code,
        charge.modifiers, charge.units, charge.place_of_service)
      is distinct from ('completed', it.client_id, it.therapist_id, it.payer_id, line.service_date, line.cpt_code,
        line.modifiers, line.units, line.place_of_service)
    union all
    select 'of_another_claim', line.case_id, line.session_id
    from public.billing_lines line
    join public.billing_cases it on it.id = line.case_id
    where line.place_of_service <> it.place_of_service or date_trunc('month', line.service_date) <> it.month
      or line.status <> 'void' and line.status <> case it.frequency when '8' then 'reversal' else 'billed' end
      or (line.status = 'void') <> (it.status = 'void')
    union all
    select 'without_lines', it.id, null
    from public.billing_cases it
    where not exists (select from public.billing_lines line where line.case_id = it.id)
    union all
    select 'batch_and_case_differ', it.id, null
    from public.billing_cases it
    join public.billing_batches batch on batch.id = it.batch_id
    -- A test file leaves its claims as they are.
    where (batch.status = 'draft' or batch.usage = 'test') <> (it.status = 'open');
end
$$;
comment on function app.billing_faults is 'Claims that do not agree with the sessions, the charges or the batch that they are of. Empty.';
