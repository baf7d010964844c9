-- Expiry of holds, and the invariant of the ledger.
--
-- Promises
--   * An expired hold is in nobody's way, swept or not.
--   * app.ledger_faults() is empty: holds, sessions, time off and claims agree.

create function app.expire_holds(hold_ids uuid[])
returns integer
language plpgsql
set search_path = ''
as $$
declare
  ended integer;
begin
  -- Rows are locked in one order; a hold that another transaction is ending right now has ended either way.
  with due as (
    select hold.id
    from public.session_holds hold
    where hold.id = any (hold_ids) and hold.status = 'held' and hold.expires_at <= clock_timestamp()
    order by hold.id
    for update
  )
  update public.session_holds hold
  set status = 'expired'
  from due
  where hold.id = due.id;
  get diagnostics ended = row_count;
  return ended;
end
$$;
comment on function app.expire_holds is 'Ends those of the holds whose time is up: frees their claims, with an audit event.';

create function app.expire_holds_in_the_way(wanted app.claim[])
returns void
language plpgsql
set search_path = ''
as $$
declare
  expired uuid[];
begin
  expired := array(
    select claim.claim_id
    from unnest(wanted) want
    join public.calendar_claims claim
      on claim.subject_id = want.subject_id and claim.lane = want.lane and claim.during && want.during
    where claim.slot_id <> want.slot_id and claim.expires_at <= clock_timestamp());
  if expired <> '{}' then
    perform app.expire_holds(expired);
  end if;
end
$$;
comment on function app.expire_holds_in_the_way is 'Whoever needs the time of an expired hold ends it, in the same transaction.';

create function app.sweep_expired_holds(at_most integer default 1000)
returns integer
language plpgsql
set search_path = ''
as $$
declare
  due uuid[] := array(
    select hold.id
    from public.calendar_claims claim
    join public.session_holds hold on hold.id = claim.claim_id and hold.status = 'held'
    -- Few claims expire, which the planner would not know; a subquery, since what is volatile finds nothing by an index.
    where claim.expires_at is not null and claim.expires_at <= (select clock_timestamp())
      and claim.subject_kind = 'therapist' and claim.kind = 'hold'
    limit at_most
    -- What somebody ends or confirms right now has ended either way.
    for update of hold skip locked);
begin
  return app.expire_holds(due);
exception
  -- Of a caller who needs the same times: they end what is in their way, and the next sweep the rest.
  when deadlock_detected then
    return 0;
end
$$;
comment on function app.sweep_expired_holds is
  'Ends expired holds that nobody stumbled over, for a cron job. Nothing depends on it running. Returns how many.';

-- ---------------------------------------------------------------------------------------------------------
-- The invariant
-- ---------------------------------------------------------------------------------------------------------

create function app.ledger_faults()
returns table (fault text, claim_id uuid)
language sql
stable
set search_path = ''
as $$
  with owed as (
    select claim.* from public.session_holds hold cross join lateral unnest(app.claims_of_hold(hold)) claim
    union all
    select claim.* from public.sessions session cross join lateral unnest(app.claims_of_session(session)) claim
    union all
    select claim.*
    from public.availability_exceptions exception
    cross join lateral unnest(app.claims_of_exception(exception)) claim
  )
  select 'missing from the ledger', owed.claim_id
  from owed
  left join public.calendar_claims claim using (claim_id, subject_id, lane, part)
  where claim is distinct from owed
  union all
  select 'nobody''s claim', claim.claim_id
  from public.calendar_claims claim
  left join owed using (claim_id, subject_id, lane, part)
  where owed is distinct from claim
  union all
  select 'double booked', claim.claim_id
  from public.calendar_claims claim
  join public.calendar_claims other
    on other.subject_id = claim.subject_id and other.lane = claim.lane and other.during && claim.during
  where other.slot_id <> claim.slot_id
  union all
  select 'confirmed without a session', hold.id
  from public.session_holds hold
  where hold.status = 'confirmed'
    and not exists (select from public.sessions session where session.id = coalesce(hold.session_id, hold.id))
  union all
  select 'members miscounted', slot.id
  from public.session_groups slot
  where slot.members <> (select count(*) from app.claims_of_group(slot))
$$;
comment on function app.ledger_faults is
  'The invariant: holds, sessions, time off and the ledger agree, and nothing overlaps. Empty when all is well. For '
  'operators and tests.';
