-- Charges: what a session is billed as, by the payer's rules of its day.
--
-- Promises
--   * A session has a planned charge from the moment it is booked, and an actual one once it is completed with its actual
--     times. Statement triggers on sessions keep both, whoever writes.
--   * A session belongs to the day it starts on in the organization's zone. Minutes are elapsed ones, not the wall clock's.
--   * A charge is priced by the rules of its own day, and by the credential that its therapist had when it began. Its code is
--     that of what was booked: a service that sessions are of keeps its code.

create table public.session_charges (
  id uuid primary key default app.new_id(),
  organization_id uuid not null,
  session_id uuid not null,
  therapist_id uuid not null,
  kind text not null,
  service_date date not null,
  cpt_code text not null,
  modifiers text[] not null,
  minutes integer not null,
  units integer not null,
  rounded_minutes integer not null,
  credential text not null,
  place_of_service text,
  payer_id uuid,
  warnings text[] not null,
  mue_limit integer,
  mue_units integer,
  override_reason text,
  overridden_at timestamptz,
  overridden_by uuid,
  created_at timestamptz not null,
  created_by uuid,
  updated_at timestamptz not null,
  updated_by uuid,
  constraint session_charges_organization_id_id_key unique (organization_id, id),
  constraint session_charges_one_of_a_kind unique (session_id, kind),
  constraint session_charges_session_fkey
    foreign key (organization_id, session_id) references public.sessions (organization_id, id) on delete cascade,
  constraint session_charges_therapist_fkey
    foreign key (organization_id, therapist_id) references public.therapists (organization_id, id),
  constraint session_charges_payer_fkey
    foreign key (organization_id, payer_id) references public.payers (organization_id, id),
  constraint session_charges_kind_known check (kind in ('planned', 'actual')),
  constraint session_charges_not_negative check (minutes >= 0 and units >= 0),
  constraint session_charges_rounded_units check (rounded_minutes = units * 15),
  constraint session_charges_at_most_four_modifiers check (cardinality(modifiers) <= 4),
  constraint session_charges_warnings_known check (warnings <@ array[
    'mue_exceeded', 'unit_cap', 'code_not_in_force', 'code_not_for_credential', 'concurrent_not_allowed', 'team_counted_once']),
  constraint session_charges_limit_of_the_exceeded check (
    ('mue_exceeded' = any (warnings)) = (mue_limit is not null) and (mue_limit is null) = (mue_units is null)),
  constraint session_charges_override_whole check (
    num_nonnulls(override_reason, overridden_at) in (0, 2) and (overridden_at is null or mue_limit is not null)),
  constraint session_charges_override_reason_length check (length(override_reason) between 1 and 500)
);
comment on table public.session_charges is
  'What a session is billed as: planned from the moment it is booked, actual once it is completed. Kept by triggers on '
  'sessions. A cancelled session keeps its planned charge as it was.';
comment on column public.session_charges.service_date is 'The day it starts on, in the organization''s zone.';
comment on column public.session_charges.minutes is 'Minutes that count, before rounding.';
comment on column public.session_charges.credential is 'The therapist''s credential when the session began; of a planned charge, as far as that was known.';
comment on column public.session_charges.mue_units is 'Units of the code in the client''s day; null unless they exceed mue_limit.';
comment on column public.session_charges.override_reason is 'PHI: why more units than the limit were necessary.';
create index session_charges_therapist_idx on public.session_charges (therapist_id);
create index session_charges_payer_idx on public.session_charges (payer_id) where payer_id is not null;
create index session_charges_service_date_idx on public.session_charges (organization_id, service_date);
select app.add_stamps('public.session_charges');

create function app.charge_sources(days app.client_day[], of_kind text)
returns table (organization_id uuid, input app.charge_input, credential text, place_of_service text, payer_id uuid)
language plpgsql
stable
set search_path = ''
set enable_nestloop = on
as $$
declare
  is_planned constant boolean := of_kind = 'planned';
  -- Sessions are found by their planned start: round the day in any zone, and actual times within a week of the plan.
  reach constant interval := case when is_planned then interval '15 hours' else interval '7 days' end;
begin
  return query
  select
    session.organization_id,
    row(
      session.id, session.client_id, of_day.day, time.starts, time.ends, code.code,
      of_day.day between code.starts_on and coalesce(code.ends_on, 'infinity'),
      session.client_lane, session.team_id, session.therapist_id, held.level >= code.minimum_level,
      coalesce(
        app.payer_modifiers(session.organization_id, of_day.payer, code.code, held.code, session.place_of_service, of_day.day),
        array_remove(array[held.modifier], null)),
      case when place.is_telehealth then rule.telehealth_modifier end,
      rule.rounding, rule.pools_minutes, rule.daily_unit_cap,
      session.client_lane <> 0 and app.bars_concurrency(
        session.organization_id, session.client_id, tstzrange(time.starts, time.starts, '[]')),
      (select mue.units_per_day
        from public.mue_limits mue
        where mue.cpt_code = code.code
          and mue.programme = coalesce(
            (select payer.programme from public.payers payer where payer.id = of_day.payer), 'commercial')
          and of_day.day between mue.starts_on and coalesce(mue.ends_on, 'infinity'))
    )::app.charge_input,
    held.code, session.place_of_service, of_day.payer
  from (
    select it.organization_id, it.client_id, it.day, clinic.time_zone, it.day::timestamp at time zone 'UTC' as midnight,
      app.payer_of(it.organization_id, it.client_id, it.day) as payer
    from unnest(days) it
    join public.organizations clinic on clinic.id = it.organization_id
    -- A fence: the payer is looked up once a day, and not wherever it is named.
    offset 0
  ) of_day
  -- offset 0: looked up for each day by client and time, whatever the planner makes of the number of days.
  cross join lateral (
    select it.id, it.organization_id, it.client_id, it.therapist_id, it.service_id, it.client_lane, it.team_id,
      it.place_of_service, it.status, it.start_time, it.end_time, it.actual_start_time, it.actual_end_time
    from public.sessions it
    where it.client_id = of_day.client_id
      and it.start_time between of_day.midnight - reach and of_day.midnight + interval '1 day' + reach
    offset 0
  ) session
  cross join lateral (values (
    case when is_planned then session.start_time else session.actual_start_time end,
    case when is_planned then session.end_time else session.actual_end_time end)) as time (starts, ends)
  join public.services service
    on service.organization_id = session.organization_id and service.id = session.service_id
  join public.cpt_codes code on code.code = service.cpt_code
  join public.therapists therapist
    on therapist.organization_id = session.organization_id and therapist.id = session.therapist_id
  join public.credentials held on held.code = coalesce(
    (select it.credential
      from app.former_credentials it
      where it.organization_id = session.organization_id and it.therapist_id = session.therapist_id and it.until > time.starts
      order by it.until
      limit 1),
    therapist.credential)
  left join public.places_of_service place on place.code = session.place_of_service
  cross join lateral app.payer_rule(session.organization_id, of_day.payer, code.code, of_day.day) rule
  where session.organization_id = of_day.organization_id
    and (time.starts at time zone of_day.time_zone)::date = of_day.day
    and case when is_planned
      then session.status in ('scheduled', 'in_progress', 'completed')
      else session.status = 'completed' and session.actual_start_time is not null and session.actual_end_time is not null end;
end
$$;
comment on function app.charge_sources is
  'The sessions of clients'' days with what the rules of the day say of them, and the credentials of the time.';

create function app.write_charges(days app.client_day[], of_kind text)
returns void
language plpgsql
set search_path = ''
-- As app.derive_charges.
set enable_nestloop = off
as $$
begin
  with source as materialized (
    select it.organization_id, it.input, it.credential, it.place_of_service, it.payer_id
    from app.charge_sources(days, of_kind) it
  )
  insert into public.session_charges as charge (
    organization_id, session_id, therapist_id, kind, service_date, cpt_code, modifiers, minutes, units, rounded_minutes,
    credential, place_of_service, payer_id, warnings, mue_limit, mue_units)
  select
    source.organization_id, (source.input).session_id, (source.input).provider_id, of_kind, (source.input).service_date,
    (source.input).cpt_code, derived.modifiers, derived.minutes, derived.units, derived.rounded_minutes,
    source.credential, source.place_of_service, source.payer_id, derived.warnings, derived.mue_limit, derived.mue_units
  from app.derive_charges(array(select source.input from source)) derived
  join source on (source.input).session_id = derived.session_id
  order by derived.session_id
  on conflict (session_id, kind) do update
  set therapist_id = excluded.therapist_id, service_date = excluded.service_date, cpt_code = excluded.cpt_code,
    modifiers = excluded.modifiers, minutes = excluded.minutes, units = excluded.units,
    rounded_minutes = excluded.rounded_minutes, credential = excluded.credential,
    place_of_service = excluded.place_of_service, payer_id = excluded.payer_id, warnings = excluded.warnings,
    mue_limit = excluded.mue_limit, mue_units = excluded.mue_units,
    -- What was found necessary was so many units over that limit, and no other number.
    (override_reason, overridden_at, overridden_by) = (
      select charge.override_reason, charge.overridden_at, charge.overridden_by
      where charge.mue_limit = excluded.mue_limit and charge.mue_units = excluded.mue_units)
  where (
      charge.therapist_id, charge.service_date, charge.cpt_code, charge.modifiers, charge.minutes, charge.units,
      charge.credential, charge.place_of_service, charge.payer_id, charge.warnings, charge.mue_limit, charge.mue_units)
    is distinct from (
      excluded.therapist_id, excluded.service_date, excluded.cpt_code, excluded.modifiers, excluded.minutes, excluded.units,
      excluded.credential, excluded.place_of_service, excluded.payer_id, excluded.warnings, excluded.mue_limit,
      excluded.mue_units)
    -- What was billed stays, whatever else there is of its day by now: billing asks again when that is to be billed.
    and (charge.kind = 'planned' or not app.is_billed(charge.session_id));
end
$$;
comment on function app.write_charges is 'Derives the charges of clients'' days and writes those that are new or changed.';

create function app.keep_charges()
returns trigger
language plpgsql
security definer
set search_path = ''
set plan_cache_mode = force_generic_plan
set enable_seqscan = off
as $$
declare
  changed uuid[];
  days app.client_day[];
  actual_days app.client_day[];
begin
  if tg_op = 'INSERT' then
    select
      array_agg(distinct row(
        session.organization_id, session.client_id, (session.start_time at time zone clinic.time_zone)::date)::app.client_day),
      array_agg(distinct row(
        session.organization_id, session.client_id,
        (session.actual_start_time at time zone clinic.time_zone)::date)::app.client_day)
        filter (where session.status = 'completed' and session.actual_start_time is not null)
    into days, actual_days
    from new_rows session
    join public.organizations clinic on clinic.id = session.organization_id
    where session.status in ('scheduled', 'in_progress', 'completed');
  else
    -- Not joined, for the reason given at app.keep_ledger_for_holds.
    changed := array(
      select it.id
      from (
        select before.id, before.therapist_id, before.client_id, before.service_id, before.team_id, before.place_of_service,
          before.start_time, before.end_time, before.actual_start_time, before.actual_end_time,
          before.status in ('scheduled', 'in_progress', 'completed'), before.status = 'completed'
        from old_rows before
        except
        select after.id, after.therapist_id, after.client_id, after.service_id, after.team_id, after.place_of_service,
          after.start_time, after.end_time, after.actual_start_time, after.actual_end_time,
          after.status in ('scheduled', 'in_progress', 'completed'), after.status = 'completed'
        from new_rows after
      ) it);
    if changed = '{}' then
      return null;
    end if;
    select
      array_agg(distinct row(
        version.organization_id, version.client_id,
        (version.start_time at time zone clinic.time_zone)::date)::app.client_day),
      array_agg(distinct row(
        version.organization_id, version.client_id,
        (version.actual_start_time at time zone clinic.time_zone)::date)::app.client_day)
        filter (where version.actual_start_time is not null and version.status = 'completed')
    into days, actual_days
    from (
      select before.id, before.organization_id, before.client_id, before.start_time, before.actual_start_time, before.status
      from old_rows before
      union all
      select after.id, after.organization_id, after.client_id, after.start_time, after.actual_start_time, after.status
      from new_rows after
    ) version
    join public.organizations clinic on clinic.id = version.organization_id
    where version.id = any (changed);
    delete from public.session_charges charge
    where charge.session_id = any (changed) and charge.kind = 'actual'
      and not exists (
        select
        from public.sessions session
        where session.id = charge.session_id and session.status = 'completed'
          and session.actual_start_time is not null and session.actual_end_time is not null);
  end if;

  if days is not null then
    perform app.write_charges(days, 'planned');
  end if;
  if actual_days is not null then
    perform app.write_charges(actual_days, 'actual');
  end if;
  return null;
end
$$;
comment on function app.keep_charges is
  'Keeps the charges of the written sessions and of what is priced with them. Definer: nobody else writes charges.';
create trigger keep_charges_of_new after insert on public.sessions
  referencing new table as new_rows
  for each statement execute function app.keep_charges();
create trigger keep_charges_of_changed after update on public.sessions
  referencing old table as old_rows new table as new_rows
  for each statement execute function app.keep_charges();

create function app.keep_booked_code()
returns trigger
language plpgsql
set search_path = ''
as $$
begin
  -- Whoever is booking the service holds its key: what they book is seen below.
  perform from public.services it where it.organization_id = old.organization_id and it.id = old.id for update;
  if exists (
    select from public.sessions session where session.organization_id = old.organization_id and session.service_id = old.id)
  then
    raise exception using
      errcode = 'check_violation',
      schema = tg_table_schema, table = tg_table_name, constraint = 'services_code_of_sessions_stays',
      message = 'sessions are of that code, make another service: constraint "services_code_of_sessions_stays"';
  end if;
  return new;
end
$$;
comment on function app.keep_booked_code is
  'Refuses another code for a service that sessions are of: with the next change of their day they would be charged as what nobody delivered.';
create trigger keep_booked_code before update of cpt_code on public.services
  for each row when (new.cpt_code <> old.cpt_code) execute function app.keep_booked_code();

create function app.reprice(session uuid)
returns void
language plpgsql
set search_path = ''
as $$
declare
  planned_days app.client_day[];
  actual_days app.client_day[];
begin
  select
    array[row(it.organization_id, it.client_id, (it.start_time at time zone clinic.time_zone)::date)::app.client_day],
    array[row(it.organization_id, it.client_id, (it.actual_start_time at time zone clinic.time_zone)::date)::app.client_day]
  into planned_days, actual_days
  from public.sessions it
  join public.organizations clinic on clinic.id = it.organization_id
  where it.id = session;
  perform app.write_charges(planned_days, 'planned');
  perform app.write_charges(actual_days, 'actual');
end
$$;
comment on function app.reprice is
  'Derives the charges of a session''s day anew, by the rules and the credentials that hold for that day as they are '
  'written now. For operators, after one was put right.';

create function app.planned_units(
  organization uuid, client uuid, service uuid, therapist uuid, start_time timestamptz, end_time timestamptz
)
returns integer
language plpgsql
stable
set search_path = ''
as $$
declare
  day date := (start_time at time zone (
    select clinic.time_zone from public.organizations clinic where clinic.id = organization))::date;
  code text := (
    select it.cpt_code from public.services it where it.organization_id = organization and it.id = service);
  rule public.payer_rules := app.payer_rule(organization, app.payer_of(organization, client, day), code, day);
begin
  return least(
    app.units(floor(extract(epoch from end_time - start_time) / 60)::integer, rule.rounding), rule.daily_unit_cap);
end
$$;
comment on function app.planned_units is
  'Units that a booking takes by itself under its payer''s rule of the day, whatever else is booked that day. The therapist '
  'makes no difference to the number yet.';

-- ---------------------------------------------------------------------------------------------------------
-- Override
-- ---------------------------------------------------------------------------------------------------------

create function app.override_mue(organization uuid, request jsonb)
returns jsonb
language plpgsql
set search_path = ''
as $$
declare
  session public.sessions := app.find_seen_session(organization, (request ->> 'session_id')::uuid);
  charge public.session_charges;
  reason text := btrim(request ->> 'reason');
begin
  if not (organization = any (app.org_ids_with_role('admin'))
    or session.therapist_id = any (app.caseload_therapist_ids())
      and organization = any (app.org_ids_with_role('supervisor')))
  then
    perform app.refuse('forbidden', 'Only an admin, or a supervisor of the session, may exceed a limit.');
  end if;
  if reason is null or length(reason) not between 1 and 500 then
    perform app.refuse_field('reason', 'length', 'A reason of 1 to 500 characters is asked for.');
  end if;
  -- Of the two charges the actual one is what will be billed.
  select it.* into charge
  from public.session_charges it
  where it.organization_id = organization and it.session_id = session.id
  order by it.kind
  limit 1
  for update;
  if charge.mue_limit is null then
    perform app.refuse_field('session_id', 'not_exceeded', 'The session''s charge does not exceed a limit.');
  end if;
  update public.session_charges it
  set override_reason = reason, overridden_at = clock_timestamp(), overridden_by = auth.uid()
  where it.organization_id = organization and it.id = charge.id;
  insert into audit.events (organization_id, action, table_name, row_id, details)
  values (organization, 'charge.mue_overridden', 'session_charges', charge.id, jsonb_build_object(
    'kind', charge.kind, 'cpt_code', charge.cpt_code, 'limit', charge.mue_limit, 'units', charge.mue_units));
  return jsonb_build_object(
    'session_id', session.id, 'kind', charge.kind, 'cpt_code', charge.cpt_code, 'mue_limit', charge.mue_limit,
    'mue_units', charge.mue_units);
end
$$;
comment on function app.override_mue is
  'Records that a session''s units beyond the MUE limit were necessary. The limit warns; the record is what a claim needs.';

-- ---------------------------------------------------------------------------------------------------------
-- Grants and policies
-- ---------------------------------------------------------------------------------------------------------

alter table public.session_charges enable row level security;

-- The reason of an override is read where the records are, not with the charges.
grant select (
  id, organization_id, session_id, therapist_id, kind, service_date, cpt_code, modifiers, minutes, units, rounded_minutes,
  credential, place_of_service, payer_id, warnings, mue_limit, mue_units, overridden_at, overridden_by, created_at, created_by,
  updated_at, updated_by)
on public.session_charges to authenticated, service_role;

create policy "those who deliver a session and those who bill see its charges" on public.session_charges
  for select to authenticated
  using (
    therapist_id = any ((select app.caseload_therapist_ids())::uuid[])
    or organization_id = any ((select app.org_ids_with_role('internal_ops', 'admin', 'super_admin'))::uuid[])
  );

select app.require_second_factor('public.session_charges');

