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
  primary key (claim_id, subject_id, lane),
  constraint calendar_claims_subject_kind_known check (subject_kind in ('therapist', 'client', 'room')),
  constraint calendar_claims_kind_known check (kind in ('hold', 'session', 'time_off', 'buffer')),
  constraint calendar_claims_only_holds_expire check ((kind = 'hold') = (expires_at is not null)),
  constraint calendar_claims_during_bounded check (
    not isempty(during) and lower_inc(during) and not upper_inc(during)
    and not lower_inf(during) and not upper_inf(during)),
  constraint calendar_claims_no_overlap exclude using gist (
    subject_id with =, lane with =, during with &&, slot_id with <>)
) with (fillfactor = 85);
comment on table public.calendar_claims is
  'Every claim on anybody''s time: one row per claim and subject. Kept by triggers on the rows that claim time.';
comment on column public.calendar_claims.lane is
  'A subject can be claimed once per lane at a time. Therapists and rooms have lane 0; a client has 0 (direct '
  'treatment) and 1 (supervision beside it).';
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
declare
  subject_key bigint;
begin
  for subject_key in
    select distinct uuid_hash_extended(subject.id, 0) as key
    from unnest(subject_ids) as subject (id)
    where subject.id is not null
    order by key
  loop
    perform pg_advisory_xact_lock(subject_key);
  end loop;
end
$$;
comment on function app.lock_subjects is
  'Queues behind other writers of these subjects'' time, until the end of the transaction. Always in one order, '
  'so two callers never wait for each other. Take it before any row lock.';

-- ---------------------------------------------------------------------------------------------------------
-- What is claimed, what is open
-- ---------------------------------------------------------------------------------------------------------

-- Every booking asks these several times. They are plpgsql because it keeps its plans, and arrays because an
-- expression without a query costs next to nothing.

create function app.claims_of(
  claim_id uuid, kind text, organization_id uuid, therapist_id uuid, client_id uuid, room_id uuid,
  client_lane smallint, during tstzrange, slot_id uuid, expires_at timestamptz
)
returns public.calendar_claims[]
language plpgsql
immutable
set search_path = ''
as $$
declare
  claims public.calendar_claims[] := array[
    row(claim_id, therapist_id, 0, 'therapist', organization_id, during, slot_id, kind, expires_at),
    row(claim_id, client_id, client_lane, 'client', organization_id, during, slot_id, kind, expires_at)
  ]::public.calendar_claims[];
begin
  if room_id is not null then
    claims := claims
      || row(claim_id, room_id, 0, 'room', organization_id, during, slot_id, kind, expires_at)::public.calendar_claims;
  end if;
  return claims;
end
$$;
comment on function app.claims_of is 'The claims that one booking of a therapist, a client and perhaps a room makes.';

create function app.blocking_claims(wanted public.calendar_claims)
returns setof public.calendar_claims
language plpgsql
stable
set search_path = ''
as $$
begin
  return query
    select
      claim.claim_id, claim.subject_id, claim.lane, claim.subject_kind, claim.organization_id, claim.during,
      claim.slot_id, claim.kind, claim.expires_at
    from public.calendar_claims claim
    where claim.subject_id = wanted.subject_id
      and claim.lane = wanted.lane
      and claim.during && wanted.during
      and claim.slot_id <> wanted.slot_id
      and (claim.expires_at is null or claim.expires_at > clock_timestamp());
end
$$;
comment on function app.blocking_claims is 'The live claims that stand in the way of a wanted one.';

create function app.open_time(wanted public.calendar_claims[], within tstzrange)
returns tstzmultirange
language plpgsql
stable
set search_path = ''
as $$
begin
  return (
    select tstzmultirange(within) - coalesce(range_agg(claim.during), '{}'::tstzmultirange)
    from unnest(wanted) want
    cross join lateral app.blocking_claims(row(
      want.claim_id, want.subject_id, want.lane, want.subject_kind, want.organization_id, within,
      want.slot_id, want.kind, want.expires_at)::public.calendar_claims) claim);
end
$$;
comment on function app.open_time is
  'The parts of a range in which none of the wanted claims'' subjects is taken: the range minus what is claimed.';

-- ---------------------------------------------------------------------------------------------------------
-- Writing
-- ---------------------------------------------------------------------------------------------------------

create function app.write_claims(desired public.calendar_claims[])
returns void
language plpgsql
set search_path = ''
as $$
declare
  turned integer;
  moved integer;
  added integer;
begin
  -- A claim whose time stays as it is conflicts with nothing: the usual way of a hold that is confirmed.
  update public.calendar_claims claim
  set kind = want.kind, expires_at = want.expires_at
  from unnest(desired) want
  where claim.claim_id = want.claim_id and claim.subject_id = want.subject_id and claim.lane = want.lane
    and claim.during = want.during and claim.slot_id = want.slot_id;
  get diagnostics turned = row_count;
  if turned = cardinality(desired) then
    return;
  end if;

  perform app.expire_holds_in_the_way(desired);

  update public.calendar_claims claim
  set kind = want.kind, expires_at = want.expires_at, during = want.during, slot_id = want.slot_id
  from unnest(desired) want
  where claim.claim_id = want.claim_id and claim.subject_id = want.subject_id and claim.lane = want.lane
    and (claim.during <> want.during or claim.slot_id <> want.slot_id);
  get diagnostics moved = row_count;

  insert into public.calendar_claims (
    claim_id, subject_id, lane, subject_kind, organization_id, during, slot_id, kind, expires_at)
  select
    want.claim_id, want.subject_id, want.lane, want.subject_kind, want.organization_id, want.during,
    want.slot_id, want.kind, want.expires_at
  from unnest(desired) want
  where not exists (
    select
    from public.calendar_claims claim
    where claim.claim_id = want.claim_id and claim.subject_id = want.subject_id and claim.lane = want.lane)
  order by want.subject_id, want.lane, lower(want.during)
  on conflict do nothing;
  get diagnostics added = row_count;

  -- A plain insert would wait inside the exclusion constraint, and callers that wait there deadlock. So the
  -- insert skips what conflicts, and a claim that is missing afterwards is the conflict.
  if turned + moved + added < cardinality(desired) then
    raise exception using
      errcode = 'exclusion_violation',
      schema = 'public', table = 'calendar_claims', constraint = 'calendar_claims_no_overlap',
      message = 'conflicting claim violates exclusion constraint "calendar_claims_no_overlap"';
  end if;
end
$$;
comment on function app.write_claims is
  'Makes the ledger hold the desired claims: turns or moves those it has and adds the others, or raises 23P01.';

create function app.free_claims(claim_ids uuid[], of_kind text, except_claims public.calendar_claims[])
returns void
language plpgsql
set search_path = ''
as $$
begin
  delete from public.calendar_claims claim
  where claim.claim_id = any (claim_ids)
    and claim.kind = of_kind
    and not exists (
      select
      from unnest(except_claims) kept
      where kept.claim_id = claim.claim_id and kept.subject_id = claim.subject_id and kept.lane = claim.lane);
end
$$;
comment on function app.free_claims is
  'Frees the time of claims of one kind. A hold that was confirmed frees nothing: its claims are a session''s by then.';

create function app.replace_claims(claim_ids uuid[], of_kind text, desired public.calendar_claims[])
returns void
language plpgsql
set search_path = ''
as $$
begin
  perform app.free_claims(claim_ids, of_kind, desired);
  if desired <> '{}' then
    perform app.write_claims(desired);
  end if;
end
$$;
comment on function app.replace_claims is 'Frees what these claims no longer are and writes what they are now.';
