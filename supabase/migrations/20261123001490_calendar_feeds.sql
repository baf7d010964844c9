-- Calendar feeds: one's own sessions in a calendar app, by an address that holds a token.
--
-- Promises
--   * A token is shown once and kept only as its SHA-256. It opens one question, app.read_calendar, which only functions with the
--     secret key may ask. Nobody becomes a caller by a token: app.caller does not know of feeds.
--   * A feed tells when and nothing else: no name, no service, no place.
--   * It tells no session that its owner could not read at that moment, signed in as they were when they made it. It ends with
--     their role, their guardianship or therapist row, after a year at most, and while they are banned.
--   * A token that is unknown, revoked, expired or of somebody who may no longer gets one and the same answer.

select audit.add_event_types($$ {
  "calendar_feed.asked": "A calendar app asked for a feed: once an hour, or once a day when it is refused.",
  "calendar_feed.created": "The address of a calendar feed was given out.",
  "calendar_feed.revoked": "A calendar feed was ended.",
  "rpc.create_calendar_feed": "A call was refused.",
  "rpc.read_calendar_feeds": "A call was refused.",
  "rpc.revoke_calendar_feed": "A call was refused."
} $$);

create table app.calendar_feeds (
  id uuid primary key default gen_random_uuid(),
  organization_id uuid not null references public.organizations (id),
  user_id uuid not null references auth.users (id),
  therapist_id uuid,
  client_id uuid,
  second_factor boolean not null,
  token_hash bytea not null,
  expires_at timestamptz not null,
  revoked_at timestamptz,
  last_used_at timestamptz,
  created_at timestamptz not null,
  created_by uuid,
  updated_at timestamptz not null,
  updated_by uuid,
  constraint calendar_feeds_organization_id_id_key unique (organization_id, id),
  constraint calendar_feeds_therapist_fkey
    foreign key (organization_id, therapist_id) references public.therapists (organization_id, id),
  constraint calendar_feeds_client_fkey
    foreign key (organization_id, client_id) references public.clients (organization_id, id),
  constraint calendar_feeds_of_one check (num_nonnulls(therapist_id, client_id) = 1),
  constraint calendar_feeds_token_hash_unique unique (token_hash),
  constraint calendar_feeds_token_hash_length check (octet_length(token_hash) = 32),
  constraint calendar_feeds_at_most_a_year check (expires_at <= created_at + interval '1 year')
) with (fillfactor = 85);
comment on table app.calendar_feeds is
  'Addresses by which a calendar app reads its owner''s own sessions, or those of a client whom the owner stands for.';
comment on column app.calendar_feeds.therapist_id is 'Whose sessions: the owner''s own therapist row; null in the feed of a family.';
comment on column app.calendar_feeds.client_id is 'Whose sessions, in the feed of a family.';
comment on column app.calendar_feeds.second_factor is
  'Whether its owner had given a second factor. Where one is demanded, only such a feed is answered: a calendar app has none to give.';
comment on column app.calendar_feeds.last_used_at is
  'When a calendar app last asked, to the hour; to the day once it is refused. In no index, so that moving it stays within the page (HOT).';
create index calendar_feeds_user_idx on app.calendar_feeds (user_id);
create index calendar_feeds_therapist_idx on app.calendar_feeds (organization_id, therapist_id);
create index calendar_feeds_client_idx on app.calendar_feeds (organization_id, client_id);
select app.add_stamps('app.calendar_feeds');
alter table app.calendar_feeds enable row level security;

create table app.calendar_read_counts (
  organization_id uuid not null,
  feed_id uuid not null,
  minute timestamptz not null,
  calls integer not null,
  primary key (organization_id, feed_id),
  constraint calendar_read_counts_feed_fkey
    foreign key (organization_id, feed_id) references app.calendar_feeds (organization_id, id)
) with (fillfactor = 50);
comment on table app.calendar_read_counts is 'Reads per calendar feed in the current minute, for the rate limit.';
alter table app.calendar_read_counts enable row level security;

-- ---------------------------------------------------------------------------------------------------------
-- For the owner: create, revoke, look over
-- ---------------------------------------------------------------------------------------------------------

create function app.my_schedule(organization uuid)
returns uuid
language plpgsql
stable
set search_path = ''
as $$
declare
  caller uuid := app.caller();
  caseload uuid[] := app.caseload_therapist_ids();
begin
  return (
    select therapist.id
    from public.therapists therapist
    where therapist.organization_id = organization and therapist.user_id = caller and therapist.id = any (caseload));
end
$$;
comment on function app.my_schedule is 'The therapist row of an organization that is the caller, where the caller delivers services.';

create function app.create_calendar_feed(organization uuid, request jsonb)
returns jsonb
language plpgsql
set search_path = ''
as $$
declare
  most constant integer := 10;
  client uuid := (request ->> 'client_id')::uuid;
  therapist uuid;
  ends timestamptz := coalesce((request ->> 'expires_at')::timestamptz, now() + interval '1 year');
  token text := app.new_service_token('hfc_');
  made uuid;
begin
  if client is not null then
    perform app.check_guardian(organization, client, false);
  else
    therapist := app.my_schedule(organization);
    if therapist is null then
      perform app.refuse('forbidden', 'You have no schedule of your own here.');
    end if;
  end if;
  if ends <= now() or ends > now() + interval '1 year' then
    perform app.refuse_field('expires_at', 'invalid_value', 'Must be in the future, and within a year.');
  end if;
  -- One after the other, or two at once would both be the last one allowed.
  perform pg_advisory_xact_lock(hashtextextended('calendar feeds of ' || auth.uid(), 0));
  if most <= (
    select count(*)
    from app.calendar_feeds feed
    where feed.organization_id = organization and feed.user_id = auth.uid() and feed.revoked_at is null and feed.expires_at > now())
  then
    perform app.refuse_field(
      case when client is null then 'organization_id' else 'client_id' end, 'too_many',
      format('You have %s feeds already: revoke one first.', most));
  end if;

  insert into app.calendar_feeds as feed (
    organization_id, user_id, therapist_id, client_id, second_factor, token_hash, expires_at)
  values (
    organization, auth.uid(), therapist, client, coalesce(auth.jwt() ->> 'aal' = 'aal2', false),
    sha256(convert_to(token, 'UTF8')), ends)
  returning feed.id into made;
  insert into audit.events (organization_id, action, table_name, row_id, details)
  values (organization, 'calendar_feed.created', 'calendar_feeds', made,
    jsonb_strip_nulls(jsonb_build_object('therapist_id', therapist, 'client_id', client, 'expires_at', ends)));
  return jsonb_build_object('feed_id', made, 'token', token, 'expires_at', ends);
end
$$;
comment on function app.create_calendar_feed is
  'Makes a feed of the caller''s own schedule, or of the sessions of a client whom the caller stands for. The one place that '
  'knows the token; it returns it.';

create function app.revoke_calendar_feed(organization uuid, request jsonb)
returns jsonb
language plpgsql
set search_path = ''
as $$
declare
  wanted uuid := (request ->> 'feed_id')::uuid;
  is_admin boolean := organization = any (app.org_ids_with_role('admin'));
  ended timestamptz;
begin
  perform app.require_fields(request, 'feed_id');
  update app.calendar_feeds feed
  set revoked_at = clock_timestamp()
  where feed.organization_id = organization and feed.id = wanted and feed.revoked_at is null
    and (feed.user_id = auth.uid() or is_admin);
  if found then
    insert into audit.events (organization_id, action, table_name, row_id)
    values (organization, 'calendar_feed.revoked', 'calendar_feeds', wanted);
  end if;
  select feed.revoked_at into ended
  from app.calendar_feeds feed
  where feed.organization_id = organization and feed.id = wanted and (feed.user_id = auth.uid() or is_admin);
  if ended is null then
    perform app.refuse('not_found', 'There is no such feed.');
  end if;
  return jsonb_build_object('feed_id', wanted, 'revoked_at', ended);
end
$$;
comment on function app.revoke_calendar_feed is
  'Ends a feed at once, for its owner or an admin; ending it again is no error.';

create function app.read_calendar_feeds(organization uuid, request jsonb)
returns jsonb
language plpgsql
stable
set search_path = ''
as $$
declare
  rows_asked integer := app.page_size(request);
  after uuid := (request ->> 'after')::uuid;
  is_admin boolean := organization = any (app.org_ids_with_role('admin'));
  feeds jsonb;
  last_shown text;
begin
  with page as (
    select feed.id, feed.user_id, feed.therapist_id, feed.client_id, feed.created_at, feed.expires_at, feed.last_used_at,
      feed.revoked_at, row_number() over (order by feed.id) as place
    from app.calendar_feeds feed
    where feed.organization_id = organization
      and (feed.user_id = auth.uid() or is_admin)
      and (after is null or feed.id > after)
    order by feed.id
    -- One more says that there is a next page.
    limit rows_asked + 1
  )
  select
    coalesce(jsonb_agg(
      jsonb_build_object(
        'feed_id', page.id,
        'user_id', page.user_id,
        'therapist_id', page.therapist_id,
        'client_id', page.client_id,
        'created_at', page.created_at,
        'expires_at', page.expires_at,
        'last_used_at', page.last_used_at,
        'revoked_at', page.revoked_at)
      order by page.place) filter (where page.place <= rows_asked), '[]'),
    case when count(*) > rows_asked then max(page.id::text) filter (where page.place = rows_asked) end
  into feeds, last_shown
  from page;
  return jsonb_build_object('feeds', feeds, 'next', last_shown);
end
$$;
comment on function app.read_calendar_feeds is
  'The caller''s feeds in an organization, for an admin everybody''s; never a token. A page at a time, by id.';

create function public.create_calendar_feed(request jsonb, idempotency_key text default null)
returns jsonb
language sql
security invoker
set search_path = ''
as $$
  select app.run_operation('create_calendar_feed', request, idempotency_key)
$$;
comment on function public.create_calendar_feed is
  'A calendar feed of the caller''s own schedule, {organization_id}, or of the sessions of a client whom the caller stands for, '
  '{client_id}; expires_at. Its token is shown this once. Answers {data, replayed} or {problem}.';

create function public.revoke_calendar_feed(request jsonb, idempotency_key text default null)
returns jsonb
language sql
security invoker
set search_path = ''
as $$
  select app.run_operation('revoke_calendar_feed', request, idempotency_key)
$$;
comment on function public.revoke_calendar_feed is
  'Ends a calendar feed, {feed_id}, at once: one''s own, for admins anybody''s. Answers {data, replayed} or {problem}.';

create function public.read_calendar_feeds(request jsonb, idempotency_key text default null)
returns jsonb
language sql
security invoker
set search_path = ''
as $$
  select app.run_operation('read_calendar_feeds', request, idempotency_key)
$$;
comment on function public.read_calendar_feeds is
  'The caller''s calendar feeds, for admins everybody''s: {organization_id, after, limit}. Answers {data, replayed} or {problem}.';

grant execute on function public.create_calendar_feed, public.revoke_calendar_feed, public.read_calendar_feeds to authenticated;

-- ---------------------------------------------------------------------------------------------------------
-- For calendar apps
-- ---------------------------------------------------------------------------------------------------------

create function app.feed_counts(feed app.calendar_feeds)
returns boolean
language plpgsql
stable
set search_path = ''
as $$
declare
  -- What app.org_ids_with_role answers of the caller, of the owner.
  roles text[] := array(
    select membership.role
    from public.user_roles membership
    where membership.organization_id = feed.organization_id
      and membership.user_id = feed.user_id
      and membership.revoked_at is null
      and (membership.expires_at is null or membership.expires_at > now()));
begin
  return feed.revoked_at is null
    and feed.expires_at > now()
    and app.may_sign_in(feed.user_id)
    -- As app.org_ids_needing_second_factor.
    and (feed.second_factor or not exists (
      select
      from public.organizations clinic
      join public.roles held on held.role = any (roles)
      where clinic.id = feed.organization_id and (clinic.requires_mfa or held.requires_mfa)))
    -- As app.caseload_therapist_ids, without those whom the owner supervises; as app.guarded_client_ids.
    and case when feed.client_id is null
      then roles && '{therapist,supervisor}' and exists (
        select
        from public.therapists therapist
        where therapist.organization_id = feed.organization_id and therapist.id = feed.therapist_id
          and therapist.user_id = feed.user_id and therapist.status = 'active')
      else 'client' = any (roles) and exists (
        select
        from public.client_guardians guardian
        join public.organizations clinic on clinic.id = guardian.organization_id
        where guardian.organization_id = feed.organization_id and guardian.client_id = feed.client_id
          and guardian.user_id = feed.user_id
          and (now() at time zone clinic.time_zone)::date >= guardian.starts_on
          and (guardian.ends_on is null or (now() at time zone clinic.time_zone)::date <= guardian.ends_on)) end;
end
$$;
comment on function app.feed_counts is
  'Whether a feed is answered now: neither revoked nor expired, and its owner could read these sessions by signing in as when it '
  'was made. The policies ask about the caller, and nobody is; that both say the same is a test.';

create function app.count_calendar_read(organization uuid, feed uuid)
returns jsonb
language plpgsql
set search_path = ''
as $$
declare
  allowed integer := least(30, (select clinic.calls_per_minute from public.organizations clinic where clinic.id = organization));
  this_minute timestamptz := date_trunc('minute', clock_timestamp());
  so_far integer;
begin
  insert into app.calendar_read_counts as counter (organization_id, feed_id, minute, calls)
  values (organization, feed, this_minute, 1)
  on conflict (organization_id, feed_id) do update
  set minute = this_minute, calls = case when counter.minute = this_minute then counter.calls + 1 else 1 end
  returning calls into so_far;
  if so_far = allowed + 1 then
    insert into audit.events (organization_id, action, decision, code, table_name, row_id)
    values (organization, 'calendar_feed.asked', 'deny', 'rate_limited', 'calendar_feeds', feed);
  end if;
  return case when so_far > allowed then app.rate_limited(this_minute) end;
end
$$;
comment on function app.count_calendar_read is 'As app.count_call, for a calendar feed: the problem when the minute''s allowance is used up.';

create function app.note_calendar_read(feed app.calendar_feeds, counts boolean)
returns void
language plpgsql
set search_path = ''
as $$
begin
  update app.calendar_feeds it
  set last_used_at = clock_timestamp()
  where it.id = feed.id
    and (it.last_used_at is null
      or it.last_used_at <= clock_timestamp() - case when counts then interval '1 hour' else interval '1 day' end);
  if found then
    insert into audit.events (organization_id, action, decision, code, table_name, row_id)
    values (feed.organization_id, 'calendar_feed.asked', case when counts then 'allow' else 'deny' end,
      case when not counts then 'not_found' end, 'calendar_feeds', feed.id);
  end if;
end
$$;
comment on function app.note_calendar_read is
  'Puts on record that a feed was asked for. Apps ask every few minutes, also for what ended years ago: not each time.';

create function app.calendar_events(feed app.calendar_feeds)
returns jsonb
language plpgsql
stable
set search_path = ''
set plan_cache_mode = force_generic_plan
set enable_seqscan = off
as $$
declare
  most constant integer := 2000;
begin
  return (
    select coalesce(
      jsonb_agg(
        jsonb_build_object(
          'id', shown.id,
          'start_time', shown.start_time,
          'end_time', shown.end_time,
          'changed_at', shown.updated_at,
          'version', shown.version,
          'cancelled', shown.status = 'cancelled')
        order by shown.start_time, shown.id),
      '[]')
    from (
      select session.id, session.start_time, session.end_time, session.updated_at, session.version, session.status
      from public.sessions session
      where session.organization_id = feed.organization_id
        and (session.therapist_id = feed.therapist_id or session.client_id = feed.client_id)
        and session.start_time >= now() - interval '30 days'
        and session.start_time < now() + interval '180 days'
      order by session.start_time, session.id
      limit most
    ) shown);
end
$$;
comment on function app.calendar_events is
  'The sessions of a feed from 30 days ago to 180 days ahead, at most 2000, cancelled ones among them: when, and nothing else.';

create function app.read_calendar(request jsonb)
returns jsonb
language plpgsql
security definer
set search_path = ''
set timezone = 'UTC'
as $$
declare
  refused constant jsonb := '{"problem": {"code": "not_found", "detail": "There is no such calendar."}}';
  feed app.calendar_feeds;
  counts boolean;
  problem jsonb;
begin
  select it.id, it.organization_id, it.user_id, it.therapist_id, it.client_id, it.second_factor, it.token_hash, it.expires_at,
    it.revoked_at, it.last_used_at, it.created_at, it.created_by, it.updated_at, it.updated_by
  into feed
  from app.calendar_feeds it
  where it.token_hash = case
    when request ->> 'token_hash' ~ '^[0-9a-f]{64}$' then decode(request ->> 'token_hash', 'hex') end;
  if feed.id is null then
    return refused;
  end if;

  counts := app.feed_counts(feed);
  if counts then
    problem := app.count_calendar_read(feed.organization_id, feed.id);
    if problem is not null then
      return jsonb_build_object('problem', problem);
    end if;
  end if;
  perform app.note_calendar_read(feed, counts);
  if not counts then
    return refused;
  end if;
  return jsonb_build_object('data', jsonb_build_object('events', app.calendar_events(feed)), 'replayed', false);
end
$$;
comment on function app.read_calendar is
  'What a feed shows now. Definer: the service role has no grant on feeds; what may be seen is decided by the token''s hash and by '
  'what the feed''s owner may.';

create function public.read_calendar(request jsonb, idempotency_key text default null)
returns jsonb
language sql
security invoker
set search_path = ''
as $$
  select app.read_calendar(request)
$$;
comment on function public.read_calendar is
  'For GET calendar-feed, with the secret key: the sessions of a feed, {token_hash}, the SHA-256 of its token in hex. It changes '
  'nothing, so the key counts for nothing. Answers {data: {events}, replayed} or {problem}.';

grant execute on function app.read_calendar, public.read_calendar to service_role;
