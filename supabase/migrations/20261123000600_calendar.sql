-- Calendar: one ledger of claimed time.
--
-- Promises
--   * No subject (therapist, client, room) is claimed twice at once in one lane, whatever claims it and whoever
--     writes: one exclusion constraint over holds, sessions, time off and buffers, at every isolation level.
--   * The ledger follows the rows that claim time; nobody writes it by hand, and no API role can see it.
--   * An expired hold never blocks: whoever needs its time ends it in the same transaction.
--   * Writers queue on advisory locks of the subjects, taken in one order, before they touch the constraint.

create table public.calendar_claims (
  claim_id uuid not null,
  subject_id uuid not null,
  lane smallint not null,
  subject_kind text not null,
  organization_id uuid not null,
  during tstzrange not null,
  slot_id uuid not null,
  kind text not null,
  expires_at timestamptz,
  part smallint not null default 0,
  primary key (claim_id, subject_id, lane, part),
  constraint calendar_claims_subject_kind_known check (subject_kind in ('therapist', 'client', 'room')),
  constraint calendar_claims_kind_known check (kind in ('hold', 'session', 'time_off', 'buffer')),
  constraint calendar_claims_holds_and_their_buffers_expire check (
    case kind when 'hold' then expires_at is not null when 'buffer' then true else expires_at is null end),
  constraint calendar_claims_part_known check (part = 0 and kind <> 'buffer' or part in (1, 2) and kind = 'buffer'),
  constraint calendar_claims_during_bounded check (
    not isempty(during) and lower_inc(during) and not upper_inc(during)
    and not lower_inf(during) and not upper_inf(during)),
  constraint calendar_claims_no_overlap exclude using gist (
    subject_id with =, lane with =, during with &&, slot_id with <>)
)
-- Room for the one update of every claim, where its hold is confirmed: of a batch, all in one transaction.
with (fillfactor = 50);
comment on table public.calendar_claims is
  'Every claim on anybody''s time: one row per claim and subject. Kept by triggers on the rows that claim time.';
comment on column public.calendar_claims.lane is
  'A subject can be claimed once per lane at a time. Therapists and rooms have lane 0; a client has 0 (direct '
  'treatment) and 1 (supervision beside it).';
comment on column public.calendar_claims.part is '0 the time itself, 1 and 2 the buffers before and after it.';
comment on column public.calendar_claims.slot_id is
  'Claims of one slot do not conflict with each other: the members of a group, or a session and the hold that moves it.';
comment on column public.calendar_claims.claim_id is
  'The hold''s claim becomes the session''s: confirming changes kind and expires_at only, which no btree or gist '
  'index covers, so it is a HOT update and the time is never free in between.';
-- BRIN does not stand in the way of HOT updates.
create index calendar_claims_expires_at_idx on public.calendar_claims using brin (expires_at);

alter table public.calendar_claims enable row level security;

-- ---------------------------------------------------------------------------------------------------------
-- Locks
-- ---------------------------------------------------------------------------------------------------------

create function app.lock_subjects(subject_ids uuid[])
returns void
language plpgsql
set search_path = ''
as $$
begin
  perform pg_advisory_xact_lock(subject.key)
  from (
    select distinct uuid_hash_extended(wanted.id, 0) as key
    from unnest(subject_ids) as wanted (id)
    where wanted.id is not null
    order by key
    -- A fence: the locks are taken of what is sorted.
    offset 0
  ) subject;
end
$$;
comment on function app.lock_subjects is
  'Queues behind other writers of these subjects'' time, until the end of the transaction. Always in one order, '
  'so two callers never wait for each other. Take it before any row lock.';

-- ---------------------------------------------------------------------------------------------------------
-- What is claimed, what is open
-- ---------------------------------------------------------------------------------------------------------

-- What a booking takes of the calendar, before it has an id and after.
create type app.booking as (
  index integer,
  organization_id uuid,
  therapist_id uuid,
  client_id uuid,
  room_id uuid,
  client_lane smallint,
  takes_every_lane boolean,
  buffer_before_minutes smallint,
  buffer_after_minutes smallint,
  slot_id uuid,
  start_time timestamptz,
  end_time timestamptz,
  service_id uuid
);

create function app.lock_bookings(bookings app.booking[])
returns void
language plpgsql
set search_path = ''
as $$
declare
  booking app.booking;
  subject uuid;
  first_hour bigint;
  last_hour bigint;
  whole bigint[] := '{}';
  shared bigint[] := '{}';
  hours bigint[] := '{}';
begin
  foreach booking in array bookings loop
    -- What is no time is refused by the row's own constraints.
    continue when (isfinite(booking.start_time) and isfinite(booking.end_time)) is not true;
    first_hour := floor(extract(epoch from
      booking.start_time - make_interval(mins => booking.buffer_before_minutes)) / 3600);
    last_hour := ceil(extract(epoch from
      booking.end_time + make_interval(mins => booking.buffer_after_minutes)) / 3600) - 1;
    whole := whole || uuid_hash_extended(booking.client_id, 0);
    foreach subject in array array_remove(array[booking.therapist_id, booking.room_id], null) loop
      shared := shared || uuid_hash_extended(subject, 0);
      -- Of sixteen hours in turn, so that a batch of a year takes few locks.
      for hour in first_hour..least(last_hour, first_hour + 15) loop
        hours := hours || uuid_hash_extended(subject, 1 + (hour & 15));
      end loop;
    end loop;
  end loop;
  perform case when wanted.is_shared then pg_advisory_xact_lock_shared(wanted.key) else pg_advisory_xact_lock(wanted.key) end
  from (
    select distinct claimed.rank, claimed.key, claimed.key = any (shared) as is_shared
    from (select 1, unnest(whole || shared) union all select 2, unnest(hours)) claimed (rank, key)
    order by claimed.rank, claimed.key
    -- A fence, as above.
    offset 0
  ) wanted;
end
$$;
comment on function app.lock_bookings is
  'Queues behind other writers of the time that bookings take, until the end of the transaction: of the client whole, whose units '
  'are counted, but of therapist and room only by the hour, so that who wants another hour does not wait. Who locks a subject whole '
  '(app.lock_subjects) waits for all, and all for them. Subjects first and then hours, each in one order, so nobody waits in a circle.';

-- A row of the ledger that is to be. A type of its own: for an array of the table's, every query copies the constraints.
create type app.claim as (
  claim_id uuid,
  subject_id uuid,
  lane smallint,
  subject_kind text,
  organization_id uuid,
  during tstzrange,
  slot_id uuid,
  kind text,
  expires_at timestamptz,
  part smallint
);

-- Every booking asks these several times. They are plpgsql because it keeps its plans, and arrays because an
-- expression without a query costs next to nothing.

create function app.claims_of(booking app.booking, claim_id uuid, kind text, expires_at timestamptz)
returns app.claim[]
language plpgsql
immutable
set search_path = ''
as $$
declare
  during tstzrange := tstzrange(booking.start_time, booking.end_time);
  claims app.claim[] := array[
    row(claim_id, booking.therapist_id, 0, 'therapist', booking.organization_id, during, booking.slot_id, kind,
      expires_at, 0),
    row(claim_id, booking.client_id, booking.client_lane, 'client', booking.organization_id, during, booking.slot_id,
      kind, expires_at, 0)
  ]::app.claim[];
  buffers tstzrange[] := array[
    tstzrange(booking.start_time - make_interval(mins => booking.buffer_before_minutes), booking.start_time),
    tstzrange(booking.end_time, booking.end_time + make_interval(mins => booking.buffer_after_minutes))];
begin
  if booking.takes_every_lane then
    claims := claims || row(claim_id, booking.client_id, 1 - booking.client_lane, 'client', booking.organization_id,
      during, booking.slot_id, kind, expires_at, 0)::app.claim;
  end if;
  if booking.room_id is not null then
    claims := claims || row(claim_id, booking.room_id, 0, 'room', booking.organization_id, during, booking.slot_id,
      kind, expires_at, 0)::app.claim;
  end if;
  for side in 1..2 loop
    if not isempty(buffers[side]) then
      claims := claims || row(claim_id, booking.therapist_id, 0, 'therapist', booking.organization_id, buffers[side],
        booking.slot_id, 'buffer', expires_at, side)::app.claim;
      if booking.room_id is not null then
        claims := claims || row(claim_id, booking.room_id, 0, 'room', booking.organization_id, buffers[side],
          booking.slot_id, 'buffer', expires_at, side)::app.claim;
      end if;
    end if;
  end loop;
  return claims;
end
$$;
comment on function app.claims_of is
  'The claims that a booking makes: on its therapist, its client (in both lanes where the payer bars concurrency), '
  'perhaps a room, and the buffers of therapist and room.';

create function app.unclaimed_time(subject uuid, of_lane smallint, within tstzrange, ignoring uuid[] default '{}')
returns tstzmultirange
language plpgsql
stable
set search_path = ''
as $$
begin
  return (
    select tstzmultirange(within) - coalesce(range_agg(claim.during), '{}'::tstzmultirange)
    from public.calendar_claims claim
    where claim.subject_id = subject
      and claim.lane = of_lane
      and claim.during && within
      and not (claim.slot_id = any (ignoring) and claim.expires_at is null)
      and (claim.expires_at is null or claim.expires_at > clock_timestamp()));
end
$$;
comment on function app.unclaimed_time is
  'The parts of a range in which nothing claims a subject in a lane, but for the slots to ignore (those being moved).';

-- ---------------------------------------------------------------------------------------------------------
-- Writing
-- ---------------------------------------------------------------------------------------------------------

create function app.add_claims(desired app.claim[], there integer default 0)
returns void
language plpgsql
set search_path = ''
as $$
declare
  added integer;
begin
  -- A plain insert would wait inside the exclusion constraint, and callers that wait there deadlock. So the
  -- insert skips what conflicts, and a claim that is missing when no expired hold is in the way is the conflict.
  for attempt in 1..2 loop
    insert into public.calendar_claims (
      claim_id, subject_id, lane, subject_kind, organization_id, during, slot_id, kind, expires_at, part)
    select
      want.claim_id, want.subject_id, want.lane, want.subject_kind, want.organization_id, want.during,
      want.slot_id, want.kind, want.expires_at, want.part
    from unnest(desired) want
    where not exists (
      select
      from public.calendar_claims claim
      where claim.claim_id = want.claim_id and claim.subject_id = want.subject_id and claim.lane = want.lane
        and claim.part = want.part)
    order by want.subject_id, want.lane, lower(want.during)
    on conflict do nothing;
    get diagnostics added = row_count;
    there := there + added;
    if there = cardinality(desired) then
      return;
    end if;
    perform app.expire_holds_in_the_way(desired);
  end loop;
  raise exception using
    errcode = 'exclusion_violation',
    schema = 'public', table = 'calendar_claims', constraint = 'calendar_claims_no_overlap',
    message = 'conflicting claim violates exclusion constraint "calendar_claims_no_overlap"';
end
$$;
comment on function app.add_claims is
  'Adds those of the desired claims that the ledger does not have, or raises 23P01. there: how many of them it has.';

create function app.write_claims(desired app.claim[])
returns void
language plpgsql
set search_path = ''
as $$
declare
  turned integer;
begin
  -- A claim whose time stays as it is conflicts with nothing: the usual way of a hold that is confirmed. `is not
  -- distinct from`, so that the claim is found by its key: the constraint's index takes ten times as long.
  update public.calendar_claims claim
  set kind = want.kind, expires_at = want.expires_at
  from unnest(desired) want
  where claim.claim_id = want.claim_id and claim.subject_id = want.subject_id and claim.lane = want.lane
    and claim.part = want.part and (claim.during, claim.slot_id) is not distinct from (want.during, want.slot_id);
  get diagnostics turned = row_count;
  if turned = cardinality(desired) then
    return;
  end if;

  -- What moves is taken up whole and put down anew: two claims that change places would meet half-way.
  delete from public.calendar_claims claim
  using unnest(desired) want
  where claim.claim_id = want.claim_id and claim.subject_id = want.subject_id and claim.lane = want.lane
    and claim.part = want.part and (claim.during <> want.during or claim.slot_id <> want.slot_id);
  perform app.add_claims(desired, turned);
end
$$;
comment on function app.write_claims is
  'Makes the ledger hold the desired claims: turns or moves those it has and adds the others, or raises 23P01.';

create function app.free_claims(claim_ids uuid[], of_hold boolean, except_claims app.claim[])
returns void
language plpgsql
set search_path = ''
as $$
begin
  delete from public.calendar_claims claim
  where claim.claim_id = any (claim_ids)
    and (claim.expires_at is not null) = of_hold
    and not exists (
      select
      from unnest(except_claims) kept
      where kept.claim_id = claim.claim_id and kept.subject_id = claim.subject_id and kept.lane = claim.lane
        and kept.part = claim.part);
end
$$;
comment on function app.free_claims is
  'Frees the time of claims that expire, or of claims that do not. A hold that was confirmed frees nothing: its claims '
  'are a session''s by then.';

create function app.replace_claims(claim_ids uuid[], of_hold boolean, desired app.claim[])
returns void
language plpgsql
set search_path = ''
as $$
begin
  perform app.free_claims(claim_ids, of_hold, desired);
  if desired <> '{}' then
    perform app.write_claims(desired);
  end if;
end
$$;
comment on function app.replace_claims is 'Frees what these claims no longer are and writes what they are now.';
