-- Ledger: how holds, sessions and time off keep calendar_claims and the audit trail.
--
-- Promises
--   * A hold, a session or time off exists exactly as long as its claims do: one statement writes both.
--   * Every hold, confirmation, release, expiry, move and cancellation leaves an audit event, whoever wrote it.

-- ---------------------------------------------------------------------------------------------------------
-- Before a row is written: its facts, and its place in the queue
-- ---------------------------------------------------------------------------------------------------------

create function app.prepare_booking()
returns trigger
language plpgsql
security definer
set search_path = ''
as $$
declare
  buffer app.buffer;
begin
  -- A session brings the lane of its hold, whose foreign key keeps the service's as it is; a wrong one is refused by its own.
  if new.client_lane is null or tg_op = 'UPDATE' and new.service_id <> old.service_id then
    -- So is an unknown service, and not by a lane that is missing.
    new.client_lane := coalesce(
      (select service.client_lane
        from public.services service
        where service.organization_id = new.organization_id and service.id = new.service_id),
      0);
  end if;
  if tg_op = 'INSERT' then
    if tg_table_name = 'sessions' then
      new.claim_id := coalesce(new.claim_id, new.id);
    end if;
    -- What the rules of the day make of it; later rules do not change it.
    new.takes_every_lane := coalesce(new.takes_every_lane,
      new.client_lane <> 0 and app.bars_concurrency(
        new.organization_id, new.client_id, tstzrange(new.start_time, new.start_time, '[]')));
    if new.buffer_before_minutes is null or new.buffer_after_minutes is null then
      buffer := app.buffer_of(new.organization_id, new.therapist_id, new.service_id);
      new.buffer_before_minutes := coalesce(new.buffer_before_minutes, buffer.minutes_before);
      new.buffer_after_minutes := coalesce(new.buffer_after_minutes, buffer.minutes_after);
    end if;
  end if;

  -- Freeing time needs no place in the queue, and asking for one while holding the row could wait in a circle.
  if new.status in ('held', 'scheduled', 'in_progress', 'completed') then
    perform app.lock_bookings(array[row(
      0, new.organization_id, new.therapist_id, new.client_id, new.room_id, new.client_lane, new.takes_every_lane,
      new.buffer_before_minutes, new.buffer_after_minutes, null, new.start_time, new.end_time, new.service_id)::app.booking]);
  end if;
  return new;
end
$$;
comment on function app.prepare_booking is
  'Fills what the service, the payer and the buffer rules say and the claim from the row itself, and locks the subjects, '
  'so that a writer that goes round the RPCs queues like them. Definer: reads reference rows for writers that may not.';
create trigger prepare_booking
  before insert or update of therapist_id, client_id, room_id, service_id, group_id, team_id, start_time, end_time, claim_id, status
  on public.sessions for each row execute function app.prepare_booking();
create trigger prepare_booking
  before insert or update of therapist_id, client_id, room_id, service_id, session_id, start_time, end_time, status
  on public.session_holds for each row execute function app.prepare_booking();

-- ---------------------------------------------------------------------------------------------------------
-- After the rows are written: the ledger and the audit trail
-- ---------------------------------------------------------------------------------------------------------

create function app.booking_of_hold(hold public.session_holds)
returns app.booking
language plpgsql
immutable
set search_path = ''
as $$
begin
  return row(
    0, hold.organization_id, hold.therapist_id, hold.client_id, hold.room_id, hold.client_lane, hold.takes_every_lane,
    hold.buffer_before_minutes, hold.buffer_after_minutes, hold.slot_id, hold.start_time, hold.end_time,
    hold.service_id)::app.booking;
end
$$;
comment on function app.booking_of_hold is 'What a hold takes of the calendar.';

create function app.booking_of_session(session public.sessions)
returns app.booking
language plpgsql
immutable
set search_path = ''
as $$
begin
  return row(
    0, session.organization_id, session.therapist_id, session.client_id, session.room_id, session.client_lane,
    session.takes_every_lane, session.buffer_before_minutes, session.buffer_after_minutes, session.slot_id,
    session.start_time, session.end_time, session.service_id)::app.booking;
end
$$;
comment on function app.booking_of_session is 'What a session takes of the calendar.';

create function app.claims_of_hold(hold public.session_holds)
returns app.claim[]
language plpgsql
immutable
set search_path = ''
as $$
begin
  if hold.status <> 'held' then
    return '{}';
  end if;
  return app.claims_of(app.booking_of_hold(hold), hold.id, 'hold', hold.expires_at);
end
$$;
comment on function app.claims_of_hold is 'What a hold claims: nothing once it has ended.';

create function app.claims_of_exception(exception public.availability_exceptions)
returns app.claim[]
language plpgsql
immutable
set search_path = ''
as $$
begin
  if exception.kind <> 'time_off' or exception.status <> 'active' or exception.beside_exception_id is not null then
    return '{}';
  end if;
  return array[row(
    exception.id, exception.therapist_id, 0, 'therapist', exception.organization_id,
    tstzrange(exception.start_time, exception.end_time), exception.id, 'time_off', null, 0)::app.claim];
end
$$;
comment on function app.claims_of_exception is
  'What time off claims; holidays and extra hours claim nothing, nor does time off where something was kept.';

create function app.claims_of_session(session public.sessions)
returns app.claim[]
language plpgsql
immutable
set search_path = ''
as $$
begin
  if session.status not in ('scheduled', 'in_progress', 'completed') then
    return '{}';
  end if;
  return app.claims_of(app.booking_of_session(session), session.claim_id, 'session', null);
end
$$;
comment on function app.claims_of_session is 'What a session claims: nothing once it is cancelled or a no-show.';

-- These plan once and by index. A connection that planned when the tables were empty would else read them whole
-- until the next ANALYZE, and planning anew for every call costs more than the work itself.

create function app.claims_of_group(slot public.session_groups)
returns setof public.calendar_claims
language sql
stable
set search_path = ''
as $$
  select claim.*
  from public.calendar_claims claim
  where claim.subject_id = slot.therapist_id
    and claim.lane = 0
    and claim.during && tstzrange(slot.start_time, slot.end_time)
    and claim.slot_id = slot.id
    and claim.part = 0
$$;
comment on function app.claims_of_group is 'What the members of a group claim of its therapist, found by the therapist''s time.';

create function app.count_members(group_ids uuid[])
returns void
language plpgsql
set search_path = ''
as $$
begin
  if group_ids = '{}' then
    return;
  end if;
  perform app.expire_holds(array(
    select claim.claim_id
    from public.session_groups slot
    cross join lateral app.claims_of_group(slot) claim
    where slot.id = any (group_ids) and claim.expires_at <= clock_timestamp()));
  -- The therapist's lock is ours, for these hours at least, so nobody else joins or leaves. More than the capacity is refused by its constraint.
  update public.session_groups slot
  set members = (select count(*) from app.claims_of_group(slot))
  where slot.id = any (group_ids) and slot.members <> (select count(*) from app.claims_of_group(slot));
end
$$;
comment on function app.count_members is 'Counts the live holds and sessions of groups.';

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
  desired app.claim[];
begin
  if tg_op = 'INSERT' then
    perform app.add_claims(array(
      select claim from new_rows hold cross join lateral unnest(app.claims_of_hold(hold)) claim));
    insert into audit.events (organization_id, action, table_name, row_id, details)
    select hold.organization_id, 'hold.created', 'session_holds', hold.id, app.change_details(null, to_jsonb(hold))
    from new_rows hold
    order by hold.start_time;
    perform app.count_members(array(select hold.group_id from new_rows hold where hold.group_id is not null));
    return null;
  end if;

  if tg_op = 'UPDATE' then
    if not exists (select from new_rows) then
      return null;
    end if;
    -- Grouped, not joined: the plan is kept from a call that changed one row, and joins by reading all for each.
    changed := array(
      select version.id
      from (
        select before.id, app.claims_of_hold(before) as claims from old_rows before
        union all
        select hold.id, app.claims_of_hold(hold) from new_rows hold
      ) version
      group by version.id
      having count(distinct version.claims) > 1);
    desired := array(
      select claim
      from new_rows hold
      cross join lateral unnest(app.claims_of_hold(hold)) claim
      where hold.id = any (changed));
  else
    changed := array(select hold.id from old_rows hold);
    desired := '{}';
  end if;
  perform app.replace_claims(changed, true, desired);
  if tg_op = 'UPDATE' then
    insert into audit.events (organization_id, action, table_name, row_id, details)
    select
      (hold.versions[2] ->> 'organization_id')::uuid,
      case when details -> 'after' ? 'status' then 'hold.' || (details #>> '{after,status}') else 'row.updated' end,
      'session_holds', hold.id, details
    from (
      select version.id, array_agg(version.contents order by version.is_new) as versions
      from (
        select before.id, false, to_jsonb(before) from old_rows before
        union all
        select hold.id, true, to_jsonb(hold) from new_rows hold
      ) version (id, is_new, contents)
      group by version.id
    ) hold
    cross join lateral app.change_details(hold.versions[1], hold.versions[2]) details
    where details is not null
    order by (hold.versions[2] ->> 'start_time')::timestamptz;
  else
    insert into audit.events (organization_id, action, table_name, row_id, details)
    select hold.organization_id, 'row.deleted', 'session_holds', hold.id, app.change_details(to_jsonb(hold), null)
    from old_rows hold
    order by hold.start_time;
  end if;
  perform app.count_members(array(select hold.group_id from old_rows hold where hold.group_id is not null));
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

create function app.session_event(status text)
returns text
language plpgsql
immutable
set search_path = ''
as $$
begin
  return 'session.' || case status when 'in_progress' then 'started' else status end;
end
$$;
comment on function app.session_event is 'The type of the event that a session has come to a status.';

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
  desired app.claim[];
begin
  if tg_op = 'INSERT' then
    perform app.write_claims(array(
      select claim from new_rows session cross join lateral unnest(app.claims_of_session(session)) claim));
    insert into audit.events (organization_id, action, table_name, row_id, details)
    select session.organization_id, app.session_event(session.status), 'sessions', session.id,
      app.change_details(null, to_jsonb(session))
    from new_rows session
    order by session.start_time;
    perform app.end_turned_holds(array(select session.claim_id from new_rows session));
    perform app.count_members(array(select session.group_id from new_rows session where session.group_id is not null));
    return null;
  end if;

  if tg_op = 'UPDATE' then
    if not exists (select from new_rows) then
      return null;
    end if;
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
  perform app.replace_claims(changed, false, desired);
  if tg_op = 'UPDATE' then
    insert into audit.events (organization_id, action, table_name, row_id, details)
    select session.organization_id, change.action, 'sessions', session.id, details
    from new_rows session
    join old_rows before on before.id = session.id
    cross join lateral app.change_details(to_jsonb(before), to_jsonb(session)) details
    cross join lateral (
      select case
        when details -> 'after' ? 'corrected_at' then 'session.corrected'
        when details -> 'after' ? 'status' then app.session_event(session.status)
        when details -> 'after' ?| '{therapist_id,client_id,room_id,start_time,end_time}' then 'session.moved'
        else 'row.updated'
      end
    ) change (action)
    where details is not null
    order by session.start_time;
    perform app.end_turned_holds(array(select session.claim_id from new_rows session));
    perform app.count_members(array(select session.group_id from new_rows session where session.group_id is not null));
  end if;
  if tg_op = 'DELETE' then
    insert into audit.events (organization_id, action, table_name, row_id, details)
    select session.organization_id, 'row.deleted', 'sessions', session.id, app.change_details(to_jsonb(session), null)
    from old_rows session
    order by session.start_time;
  end if;
  perform app.count_members(array(select session.group_id from old_rows session where session.group_id is not null));
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

create function app.keep_ledger_for_exceptions()
returns trigger
language plpgsql
security definer
set search_path = ''
as $$
begin
  if tg_op = 'INSERT' then
    perform app.replace_claims('{}', false, app.claims_of_exception(new));
  else
    perform app.replace_claims(array[old.id], false, app.claims_of_exception(new));
  end if;
  if tg_op = 'INSERT' or new.status <> old.status then
    insert into audit.events (organization_id, action, table_name, row_id)
    values (
      new.organization_id, new.kind || case new.status when 'active' then '.entered' else '.cancelled' end,
      'availability_exceptions', new.id);
  end if;
  return null;
end
$$;
comment on function app.keep_ledger_for_exceptions is
  'Keeps claims and audit in step with time off, extra hours and holidays. Definer: nobody else writes either.';
create trigger keep_ledger after insert or update on public.availability_exceptions
  for each row execute function app.keep_ledger_for_exceptions();
