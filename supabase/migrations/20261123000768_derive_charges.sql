-- Deriving charges: codes, modifiers and units of a client's day, from sessions and rules.
--
-- Promises
--   * app.derive_charges is pure: the same sessions and rules give the same charges, here and in src/lib/charges.ts.

create type app.charge_input as (
  session_id uuid,
  client_id uuid,
  service_date date,
  start_time timestamptz,
  end_time timestamptz,
  cpt_code text,
  code_in_force boolean,
  lane smallint,
  team_id uuid,
  provider_id uuid,
  may_bill boolean,
  modifiers text[],
  telehealth_modifier text,
  rounding text,
  pools_minutes boolean,
  daily_unit_cap integer,
  bars_concurrency boolean,
  mue_limit integer
);
comment on type app.charge_input is 'A session and what the rules of its day say of it: all that its charge depends on.';

create type app.charge as (
  session_id uuid,
  modifiers text[],
  minutes integer,
  units integer,
  rounded_minutes integer,
  warnings text[],
  mue_limit integer,
  mue_units integer
);
comment on type app.charge is 'What app.derive_charges makes of a session.';

create type app.client_day as (organization_id uuid, client_id uuid, day date);
comment on type app.client_day is 'The sessions of a client that start on a day in the organization''s zone: what is priced together.';

create function app.units(minutes integer, rounding text default 'midpoint')
returns integer
language plpgsql
immutable
strict
set search_path = ''
as $$
begin
  return case rounding when 'floor' then minutes / 15 else (minutes + 7) / 15 end;
end
$$;
comment on function app.units is
  '15-minute units of one code. midpoint (CPT) and eight_minute (Medicare): under 8 minutes 0, 8 to 22 1, 23 to 37 2, ...; '
  'floor: full units only.';

create function app.derive_charges(inputs app.charge_input[])
returns setof app.charge
language plpgsql
immutable
set search_path = ''
-- The plan is kept from a call about one session, and nested loops would read all sessions of a large call for each.
set enable_nestloop = off
as $$
begin
  return query
  with given as (
    select it.*,
      it.team_id is not null and row_number() over (
        partition by it.client_id, it.service_date, it.team_id order by it.start_time, it.session_id) > 1 as is_repeated
    from unnest(inputs) it
  ),
  direct as (
    select it.client_id, it.service_date, range_agg(tstzrange(it.start_time, it.end_time)) as during
    from given it
    where it.lane = 0
    group by it.client_id, it.service_date
  ),
  timed as (
    select given.*, barred.seconds > 0 as is_barred,
      case when given.is_repeated then 0 else
        floor((extract(epoch from given.end_time - given.start_time) - barred.seconds) / 60)::integer end as minutes,
      -- Whose minutes are added before they are rounded.
      case when given.pools_minutes or given.rounding = 'eight_minute' then given.provider_id else given.session_id end as pool
    from given
    left join direct
      on given.lane <> 0 and given.bars_concurrency
      and direct.client_id = given.client_id and direct.service_date = given.service_date
    cross join lateral (
      select coalesce(sum(extract(epoch from upper(part) - lower(part))), 0) as seconds
      from unnest(direct.during * tstzmultirange(tstzrange(given.start_time, given.end_time))) part
    ) barred
  ),
  -- Medicare: the minutes of all codes together say how many units there are. Each code has its full ones, and what is
  -- left goes to those with most minutes over.
  eight as (
    select code.client_id, code.service_date, code.provider_id, code.cpt_code,
      code.minutes / 15 + (
        row_number() over (
          partition by code.client_id, code.service_date, code.provider_id
          order by code.minutes % 15 desc, code.starts, code.cpt_code collate "C")
        <= (sum(code.minutes) over whole + 7) / 15 - sum(code.minutes / 15) over whole)::integer as units
    from (
      select it.client_id, it.service_date, it.provider_id, it.cpt_code,
        sum(it.minutes)::integer as minutes, min(it.start_time) as starts
      from timed it
      where it.rounding = 'eight_minute'
      group by it.client_id, it.service_date, it.provider_id, it.cpt_code
    ) code
    window whole as (partition by code.client_id, code.service_date, code.provider_id)
  ),
  pooled as (
    select timed.*,
      coalesce(eight.units, app.units((sum(timed.minutes) over pool)::integer, timed.rounding)) as pool_units,
      app.units((sum(timed.minutes) over upto)::integer, timed.rounding) as units_upto,
      lead(timed.session_id) over upto is null as is_last
    from timed
    left join eight
      on timed.rounding = 'eight_minute' and eight.client_id = timed.client_id and eight.service_date = timed.service_date
      and eight.provider_id = timed.provider_id and eight.cpt_code = timed.cpt_code
    window
      pool as (partition by timed.client_id, timed.service_date, timed.cpt_code, timed.rounding, timed.pool),
      upto as (pool order by timed.start_time, timed.session_id)
  ),
  -- Each session has what the units up to it grow by, so that the day's total is the pool's.
  allotted as (
    select it.*, it.allotted_upto - coalesce(lag(it.allotted_upto) over (
      partition by it.client_id, it.service_date, it.cpt_code, it.rounding, it.pool
      order by it.start_time, it.session_id), 0) as allotted
    from (
      select pooled.*,
        case when pooled.is_last then pooled.pool_units else least(pooled.pool_units, pooled.units_upto) end as allotted_upto
      from pooled
    ) it
  ),
  capped as (
    select it.*,
      (least(it.daily_unit_cap, it.allotted_of_day) - least(it.daily_unit_cap, it.allotted_of_day - it.allotted))::integer as units
    from (
      select allotted.*, sum(allotted.allotted) over (
        partition by allotted.client_id, allotted.service_date, allotted.cpt_code
        order by allotted.start_time, allotted.session_id) as allotted_of_day
      from allotted
    ) it
  ),
  counted as (
    select capped.*,
      capped.units > 0 and sum(capped.units) over (code_day order by capped.start_time, capped.session_id) > capped.mue_limit
        as is_over,
      (sum(capped.units) over code_day)::integer as units_of_day
    from capped
    window code_day as (partition by capped.client_id, capped.service_date, capped.cpt_code)
  )
  select it.session_id,
    (case
      when it.telehealth_modifier is null or it.telehealth_modifier = any (it.modifiers) then it.modifiers
      else it.modifiers || it.telehealth_modifier
    end)[1:4],
    it.minutes, it.units, it.units * 15,
    array_remove(array[
      case when it.is_over then 'mue_exceeded' end,
      case when it.units < it.allotted then 'unit_cap' end,
      case when not it.code_in_force then 'code_not_in_force' end,
      case when not it.may_bill then 'code_not_for_credential' end,
      case when it.is_barred then 'concurrent_not_allowed' end,
      case when it.is_repeated then 'team_counted_once' end], null),
    case when it.is_over then it.mue_limit end,
    case when it.is_over then it.units_of_day end
  from counted it;
end
$$;
comment on function app.derive_charges is
  'The charges of sessions, a client''s whole day at a time. Pure: no table is read. Of a team, one technician''s time counts. '
  'Where the payer bars supervision beside direct treatment, the minutes they share count for the direct treatment only.';
