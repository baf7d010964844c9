-- Authorizations: entering, closing, reading, and what asks for attention.
--
-- Promises
--   * Only who runs the schedule or the clinic enters and reads them; each reading is on record.
--   * An authorization is never made smaller than what is taken of it.
--   * What is booked already when an authorization is entered draws on it; what does not fit is counted as overridden.

create function app.check_authorizer(organization uuid)
returns void
language plpgsql
stable
set search_path = ''
as $$
begin
  if not organization = any (app.org_ids_with_permission('manage_authorizations')) then
    perform app.refuse('forbidden', 'Authorizations are for who plans sessions.');
  end if;
end
$$;
comment on function app.check_authorizer is 'Refuses who may not see and enter authorizations.';

create function app.find_authorization(organization uuid, wanted uuid)
returns public.authorizations
language plpgsql
stable
set search_path = ''
as $$
declare
  found public.authorizations;
begin
  select it.* into found from public.authorizations it where it.organization_id = organization and it.id = wanted;
  if found.id is null then
    perform app.refuse('not_found', 'There is no such authorization.');
  end if;
  return found;
end
$$;
comment on function app.find_authorization is 'An authorization of the organization, or a refusal.';

create function app.authorization_json(it public.authorizations)
returns jsonb
language plpgsql
stable
set search_path = ''
as $$
declare
  taken integer := it.reserved_units + it.scheduled_units + it.used_units;
begin
  return jsonb_build_object(
    'authorization_id', it.id, 'client_id', it.client_id, 'payer_id', it.payer_id,
    'authorization_number', it.authorization_number, 'kind', it.kind, 'cpt_codes', to_jsonb(it.cpt_codes),
    'starts_on', it.starts_on, 'ends_on', it.ends_on, 'units', it.units, 'weekly_units', it.weekly_units,
    'monthly_units', it.monthly_units, 'low_balance_percent', it.low_balance_percent, 'expiring_days', it.expiring_days,
    'status', it.status, 'reserved_units', it.reserved_units, 'scheduled_units', it.scheduled_units,
    'used_units', it.used_units, 'overridden_units', it.overridden_units, 'remaining_units', it.units - taken,
    'periods', coalesce((
      select jsonb_agg(jsonb_build_object(
          'period', period.period, 'period_start', period.period_start, 'taken_units', period.taken_units,
          'cap_units', period.cap_units, 'remaining_units', period.cap_units - period.taken_units)
        order by period.period desc, period.period_start)
      from public.authorization_periods period
      where period.organization_id = it.organization_id and period.authorization_id = it.id and period.taken_units > 0), '[]'));
end
$$;
comment on function app.authorization_json is 'An authorization with its balances, by week and month too, as the wire has it.';

create function app.check_codes(codes text[])
returns void
language plpgsql
stable
set search_path = ''
as $$
begin
  if coalesce(cardinality(codes), 0) not between 1 and 20 then
    perform app.refuse_field('cpt_codes', 'size', 'Name 1 to 20 codes.');
  elsif exists (select from unnest(codes) given where not exists (select from public.cpt_codes it where it.code = given)) then
    perform app.refuse_field('cpt_codes', 'unknown', 'There is no such code.');
  elsif (select count(distinct code) from unnest(codes) code) < cardinality(codes) then
    perform app.refuse_field('cpt_codes', 'duplicate', 'Names a code twice.');
  end if;
end
$$;
comment on function app.check_codes is 'Refuses a group of codes that cannot be one.';

create function app.check_amounts(wanted public.authorizations)
returns void
language plpgsql
stable
set search_path = ''
as $$
declare
  wrong text;
begin
  if wanted.kind not in ('billable', 'schedule_only') then
    perform app.refuse_field('kind', 'unknown', 'Must be billable or schedule_only.');
  elsif wanted.starts_on < '1900-01-01' then
    perform app.refuse_field('starts_on', 'out_of_range', 'Must be of the years 1900 to 9999.');
  elsif wanted.ends_on > '9999-12-31' then
    perform app.refuse_field('ends_on', 'out_of_range', 'Must be of the years 1900 to 9999.');
  elsif wanted.ends_on < wanted.starts_on then
    perform app.refuse_field('ends_on', 'before_start', 'Must not be before starts_on.');
  elsif wanted.kind = 'billable' and wanted.units is null then
    perform app.refuse_field('units', 'required', 'Say how many units are authorized.');
  end if;
  for wrong in
    select given.field
    from (values ('units', wanted.units), ('weekly_units', wanted.weekly_units), ('monthly_units', wanted.monthly_units))
      as given (field, units)
    where given.units is not null and (wanted.kind = 'schedule_only' or given.units not between 1 and 1000000)
  loop
    if wanted.kind = 'schedule_only' then
      perform app.refuse_field(wrong, 'not_allowed', 'What is schedule_only has no units.');
    end if;
    perform app.refuse_field(wrong, 'out_of_range', 'Must be 1 to 1000000.');
  end loop;
  if wanted.low_balance_percent not between 0 and 100 then
    perform app.refuse_field('low_balance_percent', 'out_of_range', 'Must be 0 to 100.');
  elsif wanted.expiring_days not between 0 and 365 then
    perform app.refuse_field('expiring_days', 'out_of_range', 'Must be 0 to 365.');
  end if;
end
$$;
comment on function app.check_amounts is 'Refuses dates, amounts and thresholds that no authorization has.';

create function app.check_taken(wanted public.authorizations)
returns void
language plpgsql
stable
set search_path = ''
as $$
declare
  taken integer := wanted.reserved_units + wanted.scheduled_units + wanted.used_units;
  busiest integer;
begin
  if exists (
    select
    from public.authorization_entries entry
    where entry.organization_id = wanted.organization_id and entry.authorization_id = wanted.id)
    and wanted.kind <> (
      select it.kind
      from public.authorizations it
      where it.organization_id = wanted.organization_id and it.id = wanted.id)
  then
    perform app.refuse_field('kind', 'in_use', 'Sessions draw on it already.');
  elsif taken > wanted.units then
    perform app.refuse_field('units', 'below_taken', format('%s units are taken.', taken));
  end if;
  select max(it.taken_units) into busiest
  from public.authorization_periods it
  where it.organization_id = wanted.organization_id and it.authorization_id = wanted.id and it.period = 'week';
  if busiest > wanted.weekly_units then
    perform app.refuse_field('weekly_units', 'below_taken', format('%s units are taken in a week.', busiest));
  end if;
  select max(it.taken_units) into busiest
  from public.authorization_periods it
  where it.organization_id = wanted.organization_id and it.authorization_id = wanted.id and it.period = 'month';
  if busiest > wanted.monthly_units then
    perform app.refuse_field('monthly_units', 'below_taken', format('%s units are taken in a month.', busiest));
  end if;
end
$$;
comment on function app.check_taken is 'Refuses to make an authorization smaller than what is taken of it.';

create function app.draw_what_is_booked(covering public.authorizations)
returns void
language plpgsql
set search_path = ''
as $$
declare
  booked uuid[] := array(
    select unnest(app.booked_between(covering.organization_id, covering.client_id, covering.starts_on, covering.ends_on))
    union
    -- Also what it may not cover any more.
    select entry.booking_id
    from public.authorization_entries entry
    where entry.organization_id = covering.organization_id and entry.authorization_id = covering.id);
begin
  perform app.follow_units(booked, booked, anew => true);
end
$$;
comment on function app.draw_what_is_booked is
  'What was booked before the authorization was entered or changed draws on it, by start: what is beyond it is counted as '
  'overridden, what it covers no more draws nothing of it.';

create function app.save_authorization(organization uuid, request jsonb)
returns jsonb
language plpgsql
set search_path = ''
as $$
declare
  wanted public.authorizations;
  saved public.authorizations;
begin
  perform app.check_authorizer(organization);
  if request ->> 'authorization_id' is null then
    perform app.require_fields(
      request, 'client_id', 'payer_id', 'authorization_number', 'cpt_codes', 'starts_on', 'ends_on');
    wanted.organization_id := organization;
    wanted.client_id := (request ->> 'client_id')::uuid;
    wanted.payer_id := (request ->> 'payer_id')::uuid;
    wanted.kind := coalesce(request ->> 'kind', 'billable');
    wanted.low_balance_percent := coalesce((request ->> 'low_balance_percent')::smallint, 20);
    wanted.expiring_days := coalesce((request ->> 'expiring_days')::smallint, 30);
    wanted.reserved_units := 0;
    wanted.scheduled_units := 0;
    wanted.used_units := 0;
    perform app.check_client(organization, wanted.client_id);
    if not exists (select from public.payers it where it.organization_id = organization and it.id = wanted.payer_id) then
      perform app.refuse('not_found', 'There is no such payer.');
    end if;
    perform app.lock_clients(array[wanted.client_id]);
  else
    wanted := app.find_authorization(organization, (request ->> 'authorization_id')::uuid);
    perform app.lock_clients(array[wanted.client_id]);
    perform from public.authorizations it where it.organization_id = organization and it.id = wanted.id for update;
    wanted := app.find_authorization(organization, wanted.id);
    if wanted.status <> 'active' then
      perform app.refuse_field('authorization_id', 'closed', 'It is closed.');
    elsif (request ->> 'client_id')::uuid <> wanted.client_id or (request ->> 'payer_id')::uuid <> wanted.payer_id then
      perform app.refuse_field('client_id', 'not_allowed', 'Client and payer stay; enter another authorization.');
    end if;
  end if;
  if request ->> 'authorization_number' is not null then
    wanted.authorization_number := app.plain_text(request, 'authorization_number', 1, 100);
  end if;
  -- What is left out stays; null takes a cap away.
  wanted := jsonb_populate_record(wanted, request - '{authorization_id,client_id,payer_id,organization_id,status,authorization_number,reserved_units,scheduled_units,used_units,overridden_units,id}'::text[]);
  perform app.check_codes(wanted.cpt_codes);
  perform app.check_amounts(wanted);
  if wanted.id is not null then
    perform app.check_taken(wanted);
  end if;
  if exists (
    select
    from public.authorization_codes code
    where code.organization_id = organization and code.client_id = wanted.client_id and code.payer_id = wanted.payer_id
      and code.cpt_code = any (wanted.cpt_codes)
      and code.during && daterange(wanted.starts_on, wanted.ends_on, '[]')
      and code.authorization_id is distinct from wanted.id)
  then
    perform app.refuse_field('cpt_codes', 'overlaps_another',
      'Another authorization of this client and payer is in force for one of the codes on these days.');
  end if;

  if wanted.id is null then
    insert into public.authorizations (
      organization_id, client_id, payer_id, authorization_number, kind, cpt_codes, starts_on, ends_on, units, weekly_units,
      monthly_units, low_balance_percent, expiring_days)
    values (
      organization, wanted.client_id, wanted.payer_id, wanted.authorization_number, wanted.kind, wanted.cpt_codes,
      wanted.starts_on, wanted.ends_on, wanted.units, wanted.weekly_units, wanted.monthly_units, wanted.low_balance_percent,
      wanted.expiring_days)
    returning id into wanted.id;
  else
    update public.authorizations it
    set authorization_number = wanted.authorization_number, kind = wanted.kind, cpt_codes = wanted.cpt_codes,
      starts_on = wanted.starts_on, ends_on = wanted.ends_on, units = wanted.units, weekly_units = wanted.weekly_units,
      monthly_units = wanted.monthly_units, low_balance_percent = wanted.low_balance_percent,
      expiring_days = wanted.expiring_days
    where it.organization_id = organization and it.id = wanted.id;
  end if;
  saved := app.find_authorization(organization, wanted.id);
  perform app.draw_what_is_booked(saved);
  saved := app.find_authorization(organization, wanted.id);
  -- Kept with the idempotency key: ids and units only.
  return jsonb_build_object(
    'authorization_id', saved.id, 'status', saved.status,
    'remaining_units', saved.units - saved.reserved_units - saved.scheduled_units - saved.used_units,
    'overridden_units', saved.overridden_units);
end
$$;
comment on function app.save_authorization is 'Enters an authorization, or changes one that is in force. Answers the data of the RPC.';

create function app.close_authorization(organization uuid, request jsonb)
returns jsonb
language plpgsql
set search_path = ''
as $$
declare
  found public.authorizations;
begin
  perform app.check_authorizer(organization);
  perform app.require_fields(request, 'authorization_id');
  found := app.find_authorization(organization, (request ->> 'authorization_id')::uuid);
  perform app.lock_subjects(array[found.client_id]);
  update public.authorizations it
  set status = 'closed'
  where it.organization_id = organization and it.id = found.id and it.status = 'active';
  return jsonb_build_object('authorization_id', found.id, 'status', 'closed');
end
$$;
comment on function app.close_authorization is
  'No new booking draws on it from now on; what is booked stays with it. Closing it twice is no error.';

create function app.read_authorizations(organization uuid, request jsonb)
returns jsonb
language plpgsql
set search_path = ''
as $$
declare
  client uuid := (request ->> 'client_id')::uuid;
  found jsonb;
begin
  perform app.check_authorizer(organization);
  if client is not null then
    perform app.check_client(organization, client);
  end if;
  select coalesce(jsonb_agg(app.authorization_json(page) order by page.ends_on, page.id), '[]') into found
  from (
    select it.*
    from public.authorizations it
    where it.organization_id = organization and (client is null or it.client_id = client)
      and (coalesce((request ->> 'closed_too')::boolean, false) or it.status = 'active')
      and it.id > coalesce((request ->> 'after')::uuid, '00000000-0000-0000-0000-000000000000')
    order by it.id
    limit 200
  ) page;
  perform app.record_accesses(organization, 'authorization.read', 'authorizations',
    array(select (entry ->> 'authorization_id')::uuid from jsonb_array_elements(found) entry),
    array(select (entry ->> 'client_id')::uuid from jsonb_array_elements(found) entry));
  return jsonb_build_object('authorizations', found);
end
$$;
comment on function app.read_authorizations is
  'Authorizations of a client or of the organization with their balances, 200 at a time: the next are after the greatest id. '
  'On record, for their numbers.';

create function app.authorization_alerts(it public.authorizations, today date)
returns text[]
language plpgsql
immutable
set search_path = ''
as $$
begin
  if it.status <> 'active' or it.ends_on < today then
    return '{}';
  end if;
  return array_remove(array[
    case when it.ends_on < today + it.expiring_days then 'expiring' end,
    case when (it.units - it.reserved_units - it.scheduled_units - it.used_units) * 100 <= it.units * it.low_balance_percent
      then 'low_balance' end,
    case when it.overridden_units > 0 then 'overdrawn' end], null);
end
$$;
comment on function app.authorization_alerts is 'What is to be said of an authorization on a day: expiring, low_balance, overdrawn.';

create function app.read_authorization_alerts(organization uuid, request jsonb)
returns jsonb
language plpgsql
stable
set search_path = ''
as $$
declare
  today date := (select (clock_timestamp() at time zone clinic.time_zone)::date from public.organizations clinic where clinic.id = organization);
begin
  perform app.check_authorizer(organization);
  return jsonb_build_object('alerts', coalesce((
    select jsonb_agg(jsonb_build_object(
        'authorization_id', it.id, 'client_id', it.client_id, 'kind', alert.kind, 'ends_on', it.ends_on, 'units', it.units,
        'remaining_units', it.units - it.reserved_units - it.scheduled_units - it.used_units,
        'overridden_units', it.overridden_units)
      order by it.ends_on, it.id, alert.kind)
    from public.authorizations it
    cross join lateral unnest(app.authorization_alerts(it, today)) as alert (kind)
    where it.organization_id = organization and it.status = 'active'), '[]'));
end
$$;
comment on function app.read_authorization_alerts is
  'Authorizations in force that run low, run out soon, or of which more was taken than authorized.';
