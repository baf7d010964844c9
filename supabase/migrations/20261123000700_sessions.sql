-- Sessions: holds, sessions, and how both keep the ledger and the audit trail.
--
-- Promises
--   * A hold or a session exists exactly as long as its claims do: one statement writes both.
--   * public.sessions is safe by itself: no therapist has two live sessions at once outside a group's slot.
--   * A session's status moves only along app.session_transitions.
--   * Every hold, confirmation, release, expiry, move and cancellation leaves an audit event, whoever wrote it.

create table public.session_groups (
  id uuid primary key default gen_random_uuid(),
  organization_id uuid not null,
  therapist_id uuid not null,
  service_id uuid not null,
  is_group boolean not null default true,
  start_time timestamptz not null,
  end_time timestamptz not null,
  created_at timestamptz not null,
  created_by uuid,
  updated_at timestamptz not null,
  updated_by uuid,
  constraint session_groups_members_key
    unique (organization_id, id, therapist_id, service_id, start_time, end_time),
  constraint session_groups_therapist_fkey
    foreign key (organization_id, therapist_id) references public.therapists (organization_id, id),
  constraint session_groups_service_fkey
    foreign key (organization_id, service_id, is_group) references public.services (organization_id, id, is_group),
  constraint session_groups_of_group_services_only check (is_group),
  constraint session_groups_time_order check (end_time > start_time)
);
comment on table public.session_groups is
  'One slot of a therapist that several clients share. Every member session has the group''s therapist, service and '
  'time, by foreign key: moving the group moves its members.';
create index session_groups_therapist_idx on public.session_groups (organization_id, therapist_id);
create index session_groups_service_idx on public.session_groups (organization_id, service_id);
select app.add_stamps('public.session_groups');

create table public.sessions (
  id uuid primary key default gen_random_uuid(),
  organization_id uuid not null,
  therapist_id uuid not null,
  client_id uuid not null,
  room_id uuid,
  service_id uuid not null,
  client_lane smallint not null,
  group_id uuid,
  start_time timestamptz not null,
  end_time timestamptz not null,
  time_zone text not null references app.time_zones (name),
  slot_id uuid not null generated always as (coalesce(group_id, id)) stored,
  claim_id uuid not null,
  series_id uuid,
  status text not null default 'scheduled',
  place_of_service text,
  cancelled_by text,
  cancellation_reason text,
  version integer not null default 1,
  status_changed_at timestamptz not null,
  status_changed_by uuid,
  created_at timestamptz not null,
  created_by uuid,
  updated_at timestamptz not null,
  updated_by uuid,
  constraint sessions_organization_id_id_key unique (organization_id, id),
  constraint sessions_claim_id_key unique (claim_id),
  constraint sessions_therapist_fkey
    foreign key (organization_id, therapist_id) references public.therapists (organization_id, id),
  constraint sessions_client_fkey
    foreign key (organization_id, client_id) references public.clients (organization_id, id),
  constraint sessions_room_fkey
    foreign key (organization_id, room_id) references public.rooms (organization_id, id),
  constraint sessions_service_fkey
    foreign key (organization_id, service_id, client_lane) references public.services (organization_id, id, client_lane),
  constraint sessions_group_fkey
    foreign key (organization_id, group_id, therapist_id, service_id, start_time, end_time)
    references public.session_groups (organization_id, id, therapist_id, service_id, start_time, end_time)
    on update cascade,
  constraint sessions_time_order check (end_time > start_time),
  constraint sessions_at_most_a_day check (end_time - start_time <= interval '24 hours'),
  constraint sessions_time_finite check (isfinite(start_time) and isfinite(end_time)),
  constraint sessions_status_known
    check (status in ('scheduled', 'in_progress', 'completed', 'no_show', 'cancelled')),
  constraint sessions_place_of_service_form check (place_of_service ~ '^[0-9]{2}$'),
  constraint sessions_cancelled_by_known check (cancelled_by in ('therapist', 'client', 'clinic')),
  constraint sessions_cancelled_by_somebody check ((status = 'cancelled') = (cancelled_by is not null)),
  constraint sessions_cancellation_reason_length check (length(cancellation_reason) between 1 and 500),
  constraint sessions_no_overlap exclude using gist (
    therapist_id with =, tstzrange(start_time, end_time) with &&, slot_id with <>
  ) where (status in ('scheduled', 'in_progress', 'completed'))
) with (fillfactor = 85);
comment on table public.sessions is 'A booked session of one therapist with one client. Cancelled, never deleted.';
comment on column public.sessions.cancellation_reason is 'PHI: free text.';
comment on column public.sessions.slot_id is 'The group''s slot, or one of its own: only members of a group share a slot.';
comment on column public.sessions.claim_id is
  'Its claims in the ledger: its own id, or that of the hold that last moved it. Written by the ledger''s functions only.';
comment on column public.sessions.series_id is 'The batch this session was booked in; null when it was booked alone.';
create index sessions_organization_id_start_time_idx on public.sessions (organization_id, start_time);
create index sessions_therapist_id_start_time_idx on public.sessions (therapist_id, start_time);
create index sessions_client_id_start_time_idx on public.sessions (client_id, start_time);
create index sessions_series_id_start_time_idx on public.sessions (series_id, start_time);
create unique index sessions_client_once_per_group_idx on public.sessions (group_id, client_id)
  where group_id is not null and status in ('scheduled', 'in_progress', 'completed');
create index sessions_group_idx on public.sessions (organization_id, group_id) where group_id is not null;
create index sessions_room_idx on public.sessions (organization_id, room_id) where room_id is not null;
create index sessions_service_idx on public.sessions (organization_id, service_id);
select app.add_stamps('public.sessions', 'status', 'version');

create table public.session_holds (
  id uuid primary key default gen_random_uuid(),
  organization_id uuid not null,
  batch_key uuid not null,
  therapist_id uuid not null,
  client_id uuid not null,
  room_id uuid,
  service_id uuid not null,
  client_lane smallint not null,
  session_id uuid,
  start_time timestamptz not null,
  end_time timestamptz not null,
  time_zone text not null references app.time_zones (name),
  slot_id uuid not null generated always as (coalesce(session_id, id)) stored,
  status text not null default 'held',
  expires_at timestamptz not null,
  status_changed_at timestamptz not null,
  status_changed_by uuid,
  created_at timestamptz not null,
  created_by uuid,
  updated_at timestamptz not null,
  updated_by uuid,
  constraint session_holds_organization_id_id_key unique (organization_id, id),
  constraint session_holds_therapist_fkey
    foreign key (organization_id, therapist_id) references public.therapists (organization_id, id),
  constraint session_holds_client_fkey
    foreign key (organization_id, client_id) references public.clients (organization_id, id),
  constraint session_holds_room_fkey
    foreign key (organization_id, room_id) references public.rooms (organization_id, id),
  constraint session_holds_service_fkey
    foreign key (organization_id, service_id, client_lane) references public.services (organization_id, id, client_lane),
  constraint session_holds_session_fkey
    foreign key (organization_id, session_id) references public.sessions (organization_id, id),
  constraint session_holds_time_order check (end_time > start_time),
  constraint session_holds_at_most_a_day check (end_time - start_time <= interval '24 hours'),
  constraint session_holds_time_finite check (isfinite(start_time) and isfinite(end_time)),
  constraint session_holds_at_most_900_seconds check (expires_at <= created_at + interval '900 seconds'),
  constraint session_holds_status_known check (status in ('held', 'confirmed', 'released', 'expired'))
) with (fillfactor = 85);
comment on table public.session_holds is
  'A promise of time to whoever created the row (created_by), for 30 to 900 seconds. Rows stay when the hold ends.';
comment on column public.session_holds.batch_key is 'The key of the whole request; equal to id when it held one time only.';
comment on column public.session_holds.session_id is 'The session being moved: its own claim does not stand in the way.';
create index session_holds_batch_key_idx on public.session_holds (batch_key);
create index session_holds_therapist_idx on public.session_holds (organization_id, therapist_id);
create index session_holds_client_idx on public.session_holds (organization_id, client_id);
create index session_holds_service_idx on public.session_holds (organization_id, service_id);
create index session_holds_session_idx on public.session_holds (organization_id, session_id) where session_id is not null;
create index session_holds_room_idx on public.session_holds (organization_id, room_id) where room_id is not null;
select app.add_stamps('public.session_holds', 'status');

-- ---------------------------------------------------------------------------------------------------------
-- Status
-- ---------------------------------------------------------------------------------------------------------

create table app.session_transitions (
  from_status text not null,
  to_status text not null,
  primary key (from_status, to_status)
);
comment on table app.session_transitions is 'The permitted moves of sessions.status.';
insert into app.session_transitions (from_status, to_status) values
  ('scheduled', 'in_progress'),
  ('scheduled', 'no_show'),
  ('scheduled', 'cancelled'),
  ('in_progress', 'completed'),
  ('in_progress', 'no_show');
alter table app.session_transitions enable row level security;

create function app.check_session_transition()
returns trigger
language plpgsql
security definer
set search_path = ''
as $$
begin
  if not exists (
    select
    from app.session_transitions permitted
    where permitted.from_status = old.status and permitted.to_status = new.status)
  then
    raise exception using
      errcode = 'check_violation',
      schema = 'public', table = 'sessions', constraint = 'sessions_status_transition',
      message = format('a session cannot go from %s to %s: constraint "sessions_status_transition"', old.status, new.status);
  end if;
  return new;
end
$$;
comment on function app.check_session_transition is 'Definer: writers of sessions have no grant on the transitions.';
create trigger check_transition before update of status on public.sessions
  for each row when (new.status is distinct from old.status) execute function app.check_session_transition();

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
  perform app.free_claims(changed, 'hold', desired);
  if desired <> '{}' then
    perform app.write_claims(desired);
  end if;
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
  perform app.free_claims(changed, 'session', desired);
  if desired <> '{}' then
    perform app.write_claims(desired);
  end if;
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

-- ---------------------------------------------------------------------------------------------------------
-- Grants and policies
-- ---------------------------------------------------------------------------------------------------------

alter table public.sessions enable row level security;
alter table public.session_holds enable row level security;
alter table public.session_groups enable row level security;

grant select on public.sessions, public.session_holds to authenticated;
grant select on public.session_groups to authenticated;
grant select,
  insert (
    organization_id, therapist_id, client_id, room_id, service_id, group_id, start_time, end_time, time_zone, status,
    place_of_service, cancelled_by, cancellation_reason),
  update (
    therapist_id, client_id, room_id, service_id, group_id, start_time, end_time, time_zone, status,
    place_of_service, cancelled_by, cancellation_reason)
on public.sessions to service_role;
grant select,
  insert (organization_id, therapist_id, service_id, start_time, end_time),
  update (therapist_id, service_id, start_time, end_time)
on public.session_groups to service_role;
grant select on public.session_holds to service_role;

create policy sessions_scoped_access on public.sessions
  for select to authenticated
  using (
    therapist_id = any ((select app.my_therapist_ids())::uuid[])
    or organization_id = any ((select app.org_ids_with_role('internal_ops', 'admin'))::uuid[])
  );

create policy "holders see their holds and schedulers every hold" on public.session_holds
  for select to authenticated
  using (
    (created_by = (select auth.uid()) and organization_id = any ((select app.org_ids())::uuid[]))
    or therapist_id = any ((select app.my_therapist_ids())::uuid[])
    or organization_id = any ((select app.org_ids_with_role('internal_ops', 'admin'))::uuid[])
  );

create policy "therapists see their groups and schedulers every group" on public.session_groups
  for select to authenticated
  using (
    therapist_id = any ((select app.my_therapist_ids())::uuid[])
    or organization_id = any ((select app.org_ids_with_role('internal_ops', 'admin'))::uuid[])
  );
