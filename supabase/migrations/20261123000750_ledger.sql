-- Ledger: how holds and sessions keep calendar_claims and the audit trail.
--
-- Promises
--   * A hold or a session exists exactly as long as its claims do: one statement writes both.
--   * Every hold, confirmation, release, expiry, move and cancellation leaves an audit event, whoever wrote it.
--   * app.ledger_faults() is empty: holds, sessions and claims agree.

-- ---------------------------------------------------------------------------------------------------------
-- Before a row is written: its facts, and its place in the queue
-- ---------------------------------------------------------------------------------------------------------

create function app.prepare_booking()
returns trigger
language plpgsql
security definer
set search_path = ''
as $$
begin
  -- An unknown service is refused by its foreign key, not by a lane that is missing.
  new.client_lane := coalesce(
    (select service.client_lane
      from public.services service
      where service.organization_id = new.organization_id and service.id = new.service_id),
    0);
  if tg_op = 'INSERT' and tg_table_name = 'sessions' then
    new.claim_id := coalesce(new.claim_id, new.id);
  end if;

  -- Freeing time needs no place in the queue, and asking for one while holding the row could wait in a circle.
  if new.status in ('held', 'scheduled', 'in_progress', 'completed') then
    perform app.lock_subjects(array[new.therapist_id, new.client_id, new.room_id]);
  end if;
  return new;
end
$$;
comment on function app.prepare_booking is
  'Fills the lane from the service and the claim from the row itself, and locks the subjects, so that a writer that '
  'goes round the RPCs queues like them. Definer: reads services for writers that may not.';
create trigger prepare_booking
  before insert or update of therapist_id, client_id, room_id, service_id, group_id, start_time, end_time, claim_id, status
  on public.sessions for each row execute function app.prepare_booking();
create trigger prepare_booking
  before insert or update of therapist_id, client_id, room_id, service_id, session_id, start_time, end_time, status
  on public.session_holds for each row execute function app.prepare_booking();

-- ---------------------------------------------------------------------------------------------------------
-- After the rows are written: the ledger and the audit trail
-- ---------------------------------------------------------------------------------------------------------

create function app.claims_of_hold(hold public.session_holds)
returns public.calendar_claims[]
language plpgsql
immutable
set search_path = ''
as $$
begin
  if hold.status <> 'held' then
    return '{}';
  end if;
  return app.claims_of(
    hold.id, 'hold', hold.organization_id, hold.therapist_id, hold.client_id, hold.room_id, hold.client_lane,
    tstzrange(hold.start_time, hold.end_time), hold.slot_id, hold.expires_at);
end
$$;
comment on function app.claims_of_hold is 'What a hold claims: nothing once it has ended.';

create function app.claims_of_session(session public.sessions)
returns public.calendar_claims[]
language plpgsql
immutable
set search_path = ''
as $$
begin
  if session.status not in ('scheduled', 'in_progress', 'completed') then
    return '{}';
  end if;
  return app.claims_of(
    session.claim_id, 'session', session.organization_id, session.therapist_id, session.client_id, session.room_id,
    session.client_lane, tstzrange(session.start_time, session.end_time), session.slot_id, null);
end
$$;
comment on function app.claims_of_session is 'What a session claims: nothing once it is cancelled or a no-show.';

-- These plan once and by index. A connection that planned when the tables were empty would else read them whole
-- until the next ANALYZE, and planning anew for every call costs more than the work itself.

create function app.keep_ledger_for_holds()
returns trigger
language plpgsql
security definer
set search_path = ''
set plan_cache_mode = force_generic_plan
set enable_seqscan = off
as $$
declare
  changed uuid[];
  desired public.calendar_claims[];
begin
  if tg_op = 'INSERT' then
    perform app.write_claims(array(
      select claim from new_rows hold cross join lateral unnest(app.claims_of_hold(hold)) claim));
    insert into audit.events (organization_id, action, table_name, row_id)
    select hold.organization_id, 'hold.created', 'session_holds', hold.id from new_rows hold order by hold.start_time;
    return null;
  end if;

  if tg_op = 'UPDATE' then
    select coalesce(array_agg(before.id), '{}') into changed
    from old_rows before
    join new_rows hold on hold.id = before.id
    where app.claims_of_hold(before) <> app.claims_of_hold(hold);
    desired := array(
      select claim
      from new_rows hold
      join old_rows before on before.id = hold.id and before.id = any (changed)
      cross join lateral unnest(app.claims_of_hold(hold)) claim);
  else
    changed := array(select hold.id from old_rows hold);
    desired := '{}';
  end if;
  perform app.replace_claims(changed, 'hold', desired);
  if tg_op = 'UPDATE' then
    insert into audit.events (organization_id, action, table_name, row_id)
    select hold.organization_id, 'hold.' || hold.status, 'session_holds', hold.id
    from new_rows hold
    join old_rows before on before.id = hold.id and before.status <> hold.status
    order by hold.start_time;
  end if;
  return null;
end
$$;
comment on function app.keep_ledger_for_holds is
  'Keeps claims and audit in step with session_holds, a statement at a time. Definer: nobody else writes either.';
create trigger keep_ledger_after_insert after insert on public.session_holds
  referencing new table as new_rows for each statement execute function app.keep_ledger_for_holds();
create trigger keep_ledger_after_update after update on public.session_holds
  referencing old table as old_rows new table as new_rows for each statement execute function app.keep_ledger_for_holds();
create trigger keep_ledger_after_delete after delete on public.session_holds
  referencing old table as old_rows for each statement execute function app.keep_ledger_for_holds();

create function app.end_turned_holds(claim_ids uuid[])
returns void
language plpgsql
set search_path = ''
as $$
begin
  update public.session_holds hold
  set status = 'confirmed'
  where hold.id = any (claim_ids) and hold.status = 'held';
end
$$;
comment on function app.end_turned_holds is
  'A session that takes over a hold''s claims confirms the hold: the two cannot be done apart.';

create function app.keep_ledger_for_sessions()
returns trigger
language plpgsql
security definer
set search_path = ''
set plan_cache_mode = force_generic_plan
set enable_seqscan = off
as $$
declare
  changed uuid[];
  desired public.calendar_claims[];
begin
  if tg_op = 'INSERT' then
    perform app.write_claims(array(
      select claim from new_rows session cross join lateral unnest(app.claims_of_session(session)) claim));
    insert into audit.events (organization_id, action, table_name, row_id)
    select session.organization_id, 'session.' || session.status, 'sessions', session.id
    from new_rows session
    order by session.start_time;
    perform app.end_turned_holds(array(select session.claim_id from new_rows session));
    return null;
  end if;

  if tg_op = 'UPDATE' then
    select coalesce(array_agg(before.claim_id), '{}') into changed
    from old_rows before
    join new_rows session on session.id = before.id
    where app.claims_of_session(before) <> app.claims_of_session(session);
    desired := array(
      select claim
      from new_rows session
      join old_rows before on before.id = session.id and before.claim_id = any (changed)
      cross join lateral unnest(app.claims_of_session(session)) claim);
  else
    changed := array(select session.claim_id from old_rows session);
    desired := '{}';
  end if;
  perform app.replace_claims(changed, 'session', desired);
  if tg_op = 'UPDATE' then
    insert into audit.events (organization_id, action, table_name, row_id)
    select session.organization_id, change.action, 'sessions', session.id
    from new_rows session
    join old_rows before on before.id = session.id
    cross join lateral (
      select 'session.' || session.status
      where session.status <> before.status
      union all
      select 'session.moved'
      where (session.therapist_id, session.client_id, session.room_id, session.start_time, session.end_time)
        is distinct from (before.therapist_id, before.client_id, before.room_id, before.start_time, before.end_time)
    ) change (action)
    order by session.start_time;
    perform app.end_turned_holds(array(select session.claim_id from new_rows session));
  end if;
  return null;
end
$$;
comment on function app.keep_ledger_for_sessions is
  'Keeps claims and audit in step with sessions, a statement at a time. Definer: nobody else writes either.';
create trigger keep_ledger_after_insert after insert on public.sessions
  referencing new table as new_rows for each statement execute function app.keep_ledger_for_sessions();
create trigger keep_ledger_after_update after update on public.sessions
  referencing old table as old_rows new table as new_rows for each statement execute function app.keep_ledger_for_sessions();
create trigger keep_ledger_after_delete after delete on public.sessions
  referencing old table as old_rows for each statement execute function app.keep_ledger_for_sessions();

-- ---------------------------------------------------------------------------------------------------------
-- Expiry
-- ---------------------------------------------------------------------------------------------------------

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

create function app.expire_holds_in_the_way(wanted public.calendar_claims[])
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
begin
  return app.expire_holds(array(
    select distinct claim.claim_id
    from public.calendar_claims claim
    where claim.expires_at <= clock_timestamp()
    limit at_most));
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
  )
  select 'missing from the ledger', owed.claim_id
  from owed
  left join public.calendar_claims claim using (claim_id, subject_id, lane)
  where claim is distinct from owed
  union all
  select 'nobody''s claim', claim.claim_id
  from public.calendar_claims claim
  left join owed using (claim_id, subject_id, lane)
  where claim.kind in ('hold', 'session') and owed is distinct from claim
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
$$;
comment on function app.ledger_faults is
  'The invariant: holds, sessions and the ledger agree, and nothing overlaps. Empty when all is well. For operators and tests.';
