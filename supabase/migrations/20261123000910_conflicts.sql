-- Conflicts: what stands in the way of a booking, and what is open instead.
--
-- Promises
--   * What a booking is refused for names the blocker's kind, until when, and the nearest bookable times; never who.
--   * What is offered can be held.

create function app.conflicts(bookings app.booking[], ignoring uuid[] default '{}')
returns jsonb
language plpgsql
stable
set search_path = ''
as $$
declare
  found jsonb;
begin
  with wanted as (
    select booking.index, want.*
    from unnest(bookings) booking
    cross join lateral unnest(app.claims_of(booking, booking.slot_id, 'session', null)) want
  ),
  -- Materialized: the join below would else work the hours out anew for every booking.
  working as materialized (
    select party.therapist_id, app.available_time(party.organization_id, party.therapist_id, party.within) as available
    from (
      select booking.organization_id, booking.therapist_id,
        range_agg(tstzrange(booking.start_time, booking.end_time)) as within
      from unnest(bookings) booking
      group by booking.organization_id, booking.therapist_id
    ) party
  ),
  blocker as (
    select booking.index, 'therapist' as subject, 'unavailable' as kind, null::timestamptz as until
    from unnest(bookings) booking
    join working on working.therapist_id = booking.therapist_id
    where not working.available @> tstzrange(booking.start_time, booking.end_time)
    union
    -- A session that only the wanted buffer would meet leaves the time itself to nobody else.
    select wanted.index, claim.subject_kind,
      case when wanted.kind = 'buffer' and claim.kind = 'session' then 'buffer' else claim.kind end,
      coalesce(claim.expires_at, upper(claim.during))
    from wanted
    -- offset 0: looked up for each, whatever the planner makes of the number of claims.
    cross join lateral (
      select it.subject_kind, it.kind, it.expires_at, it.during, it.slot_id
      from public.calendar_claims it
      where it.subject_id = wanted.subject_id and it.lane = wanted.lane and it.during && wanted.during
        and it.slot_id <> wanted.slot_id and (it.expires_at is null or it.expires_at > clock_timestamp())
      offset 0
    ) claim
    -- What moves leaves its own time; a hold in the same slot stays where it is.
    where not (claim.slot_id = any (ignoring) and claim.expires_at is null)
    union
    -- The bookings among themselves: slots that share a subject must not meet, buffers included. Those of one slot may.
    select later.index, later.subject_kind,
      case when lower(later.during) < later.taken_until then later.kind else 'buffer' end, later.busy_until
    from (
      select taken.index, taken.subject_kind, taken.kind, taken.during, max(upper(taken.during)) over earlier as busy_until,
        -- As above: what meets only their buffer leaves the time itself to nobody else.
        max(upper(taken.during)) filter (where taken.kind <> 'buffer') over earlier as taken_until
      from (
        select
          wanted.index, wanted.subject_id, wanted.lane, wanted.slot_id, wanted.subject_kind, wanted.kind, wanted.during,
          min(lower(wanted.during)) over (partition by wanted.subject_id, wanted.lane, wanted.slot_id) as slot_start
        from wanted
      ) taken
      window earlier as (
        partition by taken.subject_id, taken.lane
        order by taken.slot_start, taken.slot_id groups between unbounded preceding and 1 preceding)
    ) later
    where lower(later.during) < later.busy_until
  )
  select jsonb_agg(jsonb_build_object(
      'occurrence', blocker.index, 'subject', blocker.subject, 'kind', blocker.kind, 'until', blocker.until)
    order by blocker.index, array_position(array['therapist', 'client', 'room'], blocker.subject),
      blocker.kind = 'buffer', blocker.until)
  into found
  from blocker;
  return coalesce(found, '[]');
end
$$;
comment on function app.conflicts is
  'What stands in the way of bookings that are to be made together, as the wire has it: hours the therapist does not '
  'work, claims of the ledger (but of the slots to ignore: those being moved), and the bookings themselves.';

create function app.meets_claims(bookings app.booking[])
returns boolean
language plpgsql
stable
set search_path = ''
as $$
begin
  return exists (
    select
    from unnest(bookings) booking
    cross join lateral unnest(app.claims_of(booking, booking.slot_id, 'session', null)) want
    -- offset 0: looked up for each, as above.
    cross join lateral (
      select
      from public.calendar_claims it
      where it.subject_id = want.subject_id and it.lane = want.lane and it.during && want.during
        and it.slot_id <> want.slot_id and (it.expires_at is null or it.expires_at > clock_timestamp())
      offset 0
    ) claim);
end
$$;
comment on function app.meets_claims is 'Whether any of the bookings meets a claim of the ledger: the cheapest part of app.conflicts.';

create function app.conflict_code(conflicts jsonb)
returns text
language plpgsql
immutable
set search_path = ''
as $$
begin
  return case
    when conflicts -> 0 ->> 'subject' = 'therapist' and conflicts -> 0 ->> 'kind' in ('unavailable', 'time_off', 'buffer')
      then 'therapist_unavailable'
    when conflicts -> 0 ->> 'subject' = 'authorization' and conflicts -> 0 ->> 'kind' = 'missing' then 'authorization_missing'
    when conflicts -> 0 ->> 'subject' = 'authorization' then 'authorization_exhausted'
    else (conflicts -> 0 ->> 'subject') || '_conflict'
  end;
end
$$;
comment on function app.conflict_code is 'The problem code of the first conflict.';

create function app.conflicts_of_occurrence(conflicts jsonb, occurrence integer)
returns jsonb
language plpgsql
immutable
set search_path = ''
as $$
begin
  if conflicts = '[]' then
    return null;
  end if;
  return (
    select jsonb_agg(conflict)
    from jsonb_array_elements(conflicts) conflict
    where (conflict ->> 'occurrence')::integer = occurrence);
end
$$;
comment on function app.conflicts_of_occurrence is 'The conflicts of one occurrence; null when it has none.';

create function app.is_of_time(conflicts jsonb)
returns boolean
language plpgsql
immutable
set search_path = ''
as $$
begin
  return conflicts -> 0 ->> 'subject' <> 'authorization';
end
$$;
comment on function app.is_of_time is 'Whether another time might help: where units are missing, none is offered.';

create function app.retry_after(conflicts jsonb)
returns integer
language plpgsql
stable
set search_path = ''
as $$
begin
  return (
    select case when bool_and(conflict ->> 'kind' = 'hold') then greatest(1, ceil(extract(epoch from
      max((conflict ->> 'until')::timestamptz) - clock_timestamp()))::integer) end
    from jsonb_array_elements(conflicts) conflict);
end
$$;
comment on function app.retry_after is 'Seconds until the last blocking hold ends; null when anything but holds is in the way.';

-- ---------------------------------------------------------------------------------------------------------
-- Open time: the one algebra of what is offered
-- ---------------------------------------------------------------------------------------------------------

create function app.narrowed(open_time tstzmultirange, buffer_before_minutes smallint, buffer_after_minutes smallint)
returns tstzmultirange
language plpgsql
immutable
set search_path = ''
as $$
begin
  if buffer_before_minutes = 0 and buffer_after_minutes = 0 then
    return open_time;
  end if;
  return coalesce((
    select range_agg(tstzrange(inner_part.starts, inner_part.ends))
    from unnest(open_time) part
    cross join lateral (values (
      lower(part) + make_interval(mins => buffer_before_minutes),
      upper(part) - make_interval(mins => buffer_after_minutes))) as inner_part (starts, ends)
    where inner_part.ends > inner_part.starts), '{}');
end
$$;
comment on function app.narrowed is 'Where a session may lie so that it and its buffers are within open time.';

create function app.barred_time(booking app.booking, within tstzrange)
returns tstzmultirange
language plpgsql
stable
set search_path = ''
as $$
begin
  return coalesce((
    select range_agg(tstzrange(
      app.local_to_instant(lower(barred.days)::timestamp, barred.time_zone),
      -- What starts on the last of the days may end after it.
      app.local_to_instant(upper(barred.days)::timestamp, barred.time_zone) + (booking.end_time - booking.start_time)))
    from (
      select clinic.time_zone,
        daterange(coverage.starts_on, coverage.ends_on, '[]') * daterange(rule.starts_on, rule.ends_on, '[]') * daterange(
          (lower(within) at time zone clinic.time_zone)::date, (upper(within) at time zone clinic.time_zone)::date, '[]') as days
      from public.client_coverages coverage
      join public.payer_rules rule on rule.organization_id = coverage.organization_id and rule.payer_id = coverage.payer_id
      join public.organizations clinic on clinic.id = coverage.organization_id
      where coverage.organization_id = booking.organization_id
        and coverage.client_id = booking.client_id
        and not rule.allows_concurrent_supervision
    ) barred
    where not isempty(barred.days)), '{}');
end
$$;
comment on function app.barred_time is
  'Where, on the days of a range on which a payer bars supervision beside direct treatment (app.bars_concurrency), a session '
  'like the booking could lie.';

create function app.bookable_time(booking app.booking, within tstzrange, ignoring uuid[] default '{}')
returns tstzmultirange
language plpgsql
stable
set search_path = ''
as $$
declare
  -- What is claimed just outside may need, or be needed as, a buffer.
  widened tstzrange := tstzrange(
    lower(within) - make_interval(mins => booking.buffer_before_minutes),
    upper(within) + make_interval(mins => booking.buffer_after_minutes));
  open_time tstzmultirange := app.available_time(booking.organization_id, booking.therapist_id, tstzmultirange(within));
  barred tstzmultirange;
begin
  if isempty(open_time) then
    return open_time;
  end if;
  open_time := open_time * app.narrowed(
    app.unclaimed_time(booking.therapist_id, 0::smallint, widened, ignoring),
    booking.buffer_before_minutes, booking.buffer_after_minutes);
  open_time := open_time * app.unclaimed_time(booking.client_id, booking.client_lane, within, ignoring);
  if booking.client_lane <> 0 then
    barred := app.barred_time(booking, within);
    if not isempty(barred) then
      open_time := open_time * (tstzmultirange(within) - barred
        + app.unclaimed_time(booking.client_id, (1 - booking.client_lane)::smallint, within, ignoring));
    end if;
  end if;
  if booking.room_id is not null then
    open_time := open_time * app.narrowed(
      app.unclaimed_time(booking.room_id, 0::smallint, widened, ignoring),
      booking.buffer_before_minutes, booking.buffer_after_minutes);
  end if;
  return open_time;
end
$$;
comment on function app.bookable_time is
  'Within a range, the time in which a session like the booking can lie: the therapist works, and nothing claims '
  'therapist, client, room or the buffers. Of the times of the booking itself only how long it lasts matters.';

create function app.nearest_bookable_times(
  booking app.booking, besides tstzmultirange, ignoring uuid[], how_many integer default 3
)
returns table (start_time timestamptz, end_time timestamptz)
language plpgsql
stable
set search_path = ''
as $$
declare
  length interval := booking.end_time - booking.start_time;
  zone text := (select clinic.time_zone from public.organizations clinic where clinic.id = booking.organization_id);
  assigned datemultirange := app.days_on_care_team(booking.organization_id, booking.therapist_id, booking.client_id);
  reach interval;
  starts timestamptz[];
begin
  -- What is open within a day is nearer than all that lies further off, and mostly enough.
  foreach reach in array array[interval '1 day', interval '7 days'] loop
    starts := array(
      with gap as (
        select range.lower_bound, range.upper_bound - length as last_start
        from unnest(app.bookable_time(booking, tstzrange(
          greatest(booking.start_time - reach, date_bin('5 minutes', clock_timestamp(), 'epoch') + interval '5 minutes'),
          greatest(booking.start_time, clock_timestamp()) + reach + length), ignoring) - besides) as open (during)
        cross join lateral (values (lower(open.during), upper(open.during))) as range (lower_bound, upper_bound)
        where range.upper_bound - range.lower_bound >= length
      ),
      -- In each gap the start nearest to the wanted one, and its neighbours at the session's own length.
      candidate as (
        select nearest.start_time + step.number * length as start_time
        from gap
        cross join lateral (
          values (least(greatest(booking.start_time, gap.lower_bound), gap.last_start))) as nearest (start_time)
        cross join generate_series(1 - how_many, how_many - 1) as step (number)
        where nearest.start_time + step.number * length between gap.lower_bound and gap.last_start
      )
      select candidate.start_time
      from candidate
      where assigned @> (candidate.start_time at time zone zone)::date
      order by abs(extract(epoch from candidate.start_time - booking.start_time)), candidate.start_time
      limit how_many);
    exit when cardinality(starts) = how_many;
  end loop;
  return query select found.starts, found.starts + length from unnest(starts) with ordinality found (starts, place) order by found.place;
end
$$;
comment on function app.nearest_bookable_times is
  'The open times of the same length nearest to the wanted one, within seven days either way, not in the past, and on '
  'days when the therapist is on the client''s care team, nor in the times besides.';

create function app.alternatives(booking app.booking, besides tstzmultirange default '{}', ignoring uuid[] default '{}')
returns jsonb
language plpgsql
stable
set search_path = ''
as $$
begin
  return coalesce(
    (select jsonb_agg(jsonb_build_object(
        'occurrence', booking.index, 'start_time', open.start_time, 'end_time', open.end_time))
      from app.nearest_bookable_times(booking, besides, ignoring) open),
    '[]');
end
$$;
comment on function app.alternatives is 'Nearest bookable times of a booking, as the wire has them.';

create function app.times_besides(bookings app.booking[], index integer)
returns tstzmultirange
language plpgsql
immutable
set search_path = ''
as $$
begin
  return (
    select coalesce(range_agg(tstzrange(
      other.start_time - make_interval(mins => other.buffer_before_minutes + other.buffer_after_minutes),
      other.end_time + make_interval(mins => other.buffer_before_minutes + other.buffer_after_minutes))), '{}')
    from unnest(bookings) other
    where other.index <> times_besides.index);
end
$$;
comment on function app.times_besides is
  'What the other bookings of a call want, with what they keep free: no alternative for one of them.';

create function app.refuse_conflicts(bookings app.booking[], conflicts jsonb, ignoring uuid[] default '{}')
returns void
language plpgsql
stable
set search_path = ''
as $$
declare
  blocked app.booking := (
    select booking from unnest(bookings) booking where booking.index = (conflicts -> 0 ->> 'occurrence')::integer limit 1);
  -- Several clients of a group or technicians of a team must all be free; what suits one of them is no offer.
  alone boolean := (select count(*) = 1 from unnest(bookings) booking where booking.index = blocked.index);
begin
  perform app.refuse(
    app.conflict_code(conflicts),
    case when app.is_of_time(conflicts) then 'The time is not open.' else 'The authorized units do not suffice.' end,
    jsonb_strip_nulls(jsonb_build_object(
      'conflicts', conflicts,
      'retry_after', app.retry_after(conflicts),
      'alternatives_to', case when alone and app.is_of_time(conflicts) then jsonb_build_object(
        'booking', blocked, 'besides', app.times_besides(bookings, blocked.index), 'ignoring', ignoring) end)));
end
$$;
comment on function app.refuse_conflicts is
  'Refuses bookings that are to be made together, for the first conflict, with all conflicts. The nearest open times are '
  'looked for once the refusal has undone the operation (app.with_alternatives): until then others wait for its subjects.';

create function app.with_alternatives(problem jsonb)
returns jsonb
language plpgsql
stable
set search_path = ''
as $$
declare
  sought constant jsonb := problem -> 'alternatives_to';
begin
  if not problem ? 'conflicts' then
    return problem;
  end if;
  return problem - 'alternatives_to' || jsonb_build_object('alternatives', case
    when sought is null then '[]'
    else app.alternatives(
      jsonb_populate_record(null::app.booking, sought -> 'booking'), (sought ->> 'besides')::tstzmultirange,
      array(select slot.id::uuid from jsonb_array_elements_text(sought -> 'ignoring') slot (id)))
  end);
end
$$;
comment on function app.with_alternatives is
  'The problem of app.refuse_conflicts with the nearest open times; any other as it is.';
