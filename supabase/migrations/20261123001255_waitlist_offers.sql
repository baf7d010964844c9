-- Waitlist offers: time that comes free is offered to who waits for it, first come first served.
--
-- Promises
--   * An offer is a hold: nobody else can have its time while it lasts, and accepting it is confirming the hold.
--   * Nobody is offered a time twice, nor two times at once, and no time is offered to two.
--   * What one client lets go, by an answer or by silence, passes to the next.
--
-- Freed time is not kept anywhere: it is the future time of cancelled sessions that nothing claims by now. So an offer
-- that could not be made for the moment is made by the next cancellation, refusal or sweep; nothing is forgotten.

create function app.freed_time(organization uuid, therapist uuid)
returns tstzrange[]
language plpgsql
stable
set search_path = ''
as $$
declare
  this_moment timestamptz := clock_timestamp();
begin
  return array(
    select tstzrange(session.start_time, session.end_time)
    from public.sessions session
    where session.organization_id = organization and session.therapist_id = therapist
      and session.status = 'cancelled'
      -- A therapist who cancels is not there.
      and session.cancelled_by <> 'therapist'
      and session.start_time > this_moment - interval '24 hours'
      and session.end_time > this_moment
    order by session.start_time);
end
$$;
comment on function app.freed_time is
  'What clients and clinic gave back of a therapist''s time to come, taken by somebody else since or not.';

create function app.first_start(
  entry public.waitlist_entries, booking app.booking, freed tstzrange[], open_time tstzmultirange
)
returns timestamptz
language plpgsql
stable
set search_path = ''
as $$
declare
  length interval := booking.end_time - booking.start_time;
  wanted tstzmultirange := app.expand_hours(
    array(
      select row(
        hours.weekday, hours.local_start, hours.local_end, entry.wanted_from, entry.wanted_until,
        entry.time_zone)::app.weekly_hours
      from public.waitlist_times hours
      where hours.organization_id = entry.organization_id and hours.entry_id = entry.id),
    open_time);
  on_the_team tstzmultirange := app.assigned_time(
    entry.organization_id, booking.therapist_id, entry.client_id, range_merge(open_time));
  let_go tstzmultirange := (
    select range_agg(tstzrange(given_back.start_time, given_back.end_time))
    from (
      select offer.start_time, offer.end_time
      from public.session_holds offer
      where offer.organization_id = entry.organization_id and offer.waitlist_entry_id = entry.id
        and offer.therapist_id = booking.therapist_id
      union all
      select session.start_time, session.end_time
      from public.sessions session
      where session.client_id = entry.client_id and session.therapist_id = booking.therapist_id
        and session.cancelled_by = 'client' and session.start_time > lower(open_time) - interval '24 hours'
    ) given_back);
  part tstzrange;
  first_start timestamptz;
begin
  for part in
    select possible
    from unnest(wanted * on_the_team - coalesce(let_go, '{}')) possible
    where upper(possible) - lower(possible) >= length
    order by possible
  loop
    -- Offsets of all zones of today are whole quarters of an hour, so quarters of the clock are quarters of the epoch.
    select min(candidate.start_time) into first_start
    from unnest(app.bookable_time(booking, part) * app.authorized_time(booking, part)) piece
    cross join lateral (
      select date_bin('15 minutes', lower(piece) + interval '15 minutes' - interval '1 microsecond', 'epoch')
      union all
      select lower(range) from unnest(freed) range where lower(range) >= lower(piece)
    ) candidate (start_time)
    where candidate.start_time + length <= upper(piece);
    if first_start is not null then
      return first_start;
    end if;
  end loop;
  return null;
end
$$;
comment on function app.first_start is
  'Where in open time the session that an entry waits for could start first: when the client wants to come, the '
  'therapist is on its care team, units are authorized, and nothing is in the way; on a quarter of an hour or where freed time starts. Not in '
  'what the client gave back itself: sessions it cancelled, offers it refused or let expire. Null when nowhere.';

create function app.take_entry(organization uuid, entry_id uuid, client uuid)
returns boolean
language plpgsql
set search_path = ''
as $$
begin
  -- The time's own subjects are the caller's by now. To queue here for one more, out of order, could wait in a circle.
  -- So a client whose calendar is being written at this moment is passed over, and keeps its place.
  if not pg_try_advisory_xact_lock(uuid_hash_extended(client, 0)) then
    return false;
  end if;
  perform
  from public.waitlist_entries entry
  where entry.organization_id = organization and entry.id = entry_id and entry.status = 'waiting'
  for update skip locked;
  if not found then
    return false;
  end if;
  -- An offer that has run out may not have been ended by anybody yet.
  perform app.expire_holds(array(
    select offer.id
    from public.session_holds offer
    where offer.organization_id = organization and offer.waitlist_entry_id = entry_id and offer.status = 'held'));
  return not exists (
    select
    from public.session_holds offer
    where offer.organization_id = organization and offer.waitlist_entry_id = entry_id and offer.status = 'held');
end
$$;
comment on function app.take_entry is
  'Makes an entry and its client''s calendar ours until the transaction ends, without waiting. False when it is somebody '
  'else''s now, waits no more, or has an offer.';

create function app.write_offer(plan app.booking_plan, booking app.booking, held_until timestamptz, entry_id uuid)
returns void
language plpgsql
set search_path = ''
as $$
declare
  -- Both settings that auth.uid() may read.
  callers_claims text := coalesce(current_setting('request.jwt.claims', true), '');
  callers_sub text := coalesce(current_setting('request.jwt.claim.sub', true), '');
begin
  perform set_config('request.jwt.claims', '', true), set_config('request.jwt.claim.sub', '', true);
  perform app.write_holds(plan, array[booking], held_until, null, null, entry_id);
  insert into audit.events (organization_id, action, table_name, row_id)
  values (plan.organization_id, 'waitlist.offered', 'waitlist_entries', entry_id);
  perform set_config('request.jwt.claims', callers_claims, true), set_config('request.jwt.claim.sub', callers_sub, true);
end
$$;
comment on function app.write_offer is
  'Writes an offer in nobody''s name (created_by, actor): whoever freed the time, perhaps another family, must not see, '
  'confirm or release it as its holder.';

create function app.offer_time(organization uuid, therapist uuid, at_most integer default null)
returns integer
language plpgsql
set search_path = ''
as $$
declare
  freed tstzrange[];
  freed_time tstzmultirange;
  open_time tstzmultirange;
  offer_minutes integer;
  plan app.booking_plan;
  booking app.booking;
  candidate record;
  entry public.waitlist_entries;
  first_start timestamptz;
  made integer := 0;
begin
  -- Mostly nobody waits, and all of a therapist's freed time is more to read.
  if not exists (
    select
    from public.waitlist_entries waiting
    where waiting.organization_id = organization and waiting.status = 'waiting'
      and coalesce(waiting.therapist_id, therapist) = therapist)
  then
    return 0;
  end if;
  freed := app.freed_time(organization, therapist);
  if freed = '{}' then
    return 0;
  end if;
  offer_minutes := (select clinic.waitlist_offer_minutes from public.organizations clinic where clinic.id = organization);
  freed_time := (select range_agg(range) from unnest(freed) range);
  open_time := freed_time * tstzmultirange(tstzrange(clock_timestamp(), null))
    * app.unclaimed_time(therapist, 0::smallint, range_merge(freed_time));

  for candidate in
    select waiting as entry, offered as service
    from public.waitlist_entries waiting
    join public.services offered on offered.organization_id = waiting.organization_id and offered.id = waiting.service_id
    join public.clients client on client.organization_id = waiting.organization_id and client.id = waiting.client_id
    join public.therapists worker on worker.organization_id = waiting.organization_id and worker.id = therapist
    where waiting.organization_id = organization and waiting.status = 'waiting'
      and coalesce(waiting.therapist_id, therapist) = therapist
      and worker.status = 'active'
      and (offered.credentials is null or worker.credential = any (offered.credentials))
      and not offered.is_group and not offered.is_team
      and client.status = 'active'
      and app.missing_consents(organization, waiting.client_id, waiting.service_id) = '{}'
      and not exists (
        select
        from public.session_holds offer
        where offer.organization_id = organization and offer.waitlist_entry_id = waiting.id
          and offer.status = 'held' and offer.expires_at > clock_timestamp())
    order by waiting.created_at, waiting.id
  loop
    exit when isempty(open_time) or made >= at_most;
    entry := candidate.entry;
    plan.organization_id := organization;
    plan.service := candidate.service;
    plan.time_zone := entry.time_zone;
    booking := app.booking_for(
      0, organization, therapist, entry.client_id, null, plan.service, gen_random_uuid(),
      lower(open_time), lower(open_time) + make_interval(mins => entry.duration_minutes));
    -- Looked at before anything is locked, and again after: who has no use for the time is not kept waiting.
    continue when app.first_start(entry, booking, freed, open_time) is null;
    if not pg_try_advisory_xact_lock(uuid_hash_extended(therapist, 0)) then
      -- Somebody books this therapist now. Later entries must not get what this one might.
      return made;
    end if;
    continue when not app.take_entry(organization, entry.id, entry.client_id);
    first_start := app.first_start(entry, booking, freed, open_time);
    continue when first_start is null;

    booking := app.booking_for(
      0, organization, therapist, entry.client_id, null, plan.service, booking.slot_id,
      first_start, first_start + make_interval(mins => entry.duration_minutes));
    perform app.write_offer(
      plan, booking, least(clock_timestamp() + make_interval(mins => offer_minutes), first_start), entry.id);
    open_time := open_time - tstzmultirange(tstzrange(booking.start_time, booking.end_time));
    made := made + 1;
  end loop;
  return made;
end
$$;
comment on function app.offer_time is
  'Offers what is open of a therapist''s freed time to who waits for it, first come first served; says how many offers it '
  'made. Waits for nobody, so it can be called with any locks held.';

create function app.offer_freed_time(organization uuid, session_ids uuid[])
returns void
language plpgsql
set search_path = ''
as $$
begin
  perform app.offer_time(organization, freed.therapist_id)
  from (
    select session.therapist_id
    from public.sessions session
    where session.organization_id = organization and session.id = any (session_ids)
    group by session.therapist_id
    order by min(session.start_time), session.therapist_id
  ) freed;
end
$$;
comment on function app.offer_freed_time is 'Offers the time of sessions that were cancelled. Called when all that the operation claims is claimed.';

create function app.pass_on_offers(organization uuid, hold_ids uuid[])
returns void
language plpgsql
set search_path = ''
as $$
begin
  perform app.offer_time(organization, ended.therapist_id)
  from (
    select offer.therapist_id
    from public.session_holds offer
    where offer.organization_id = organization and offer.id = any (hold_ids) and offer.waitlist_entry_id is not null
    group by offer.therapist_id
    order by min(offer.start_time), offer.therapist_id
  ) ended;
end
$$;
comment on function app.pass_on_offers is 'Offers the time of those of the holds that were offers to the next. Other holds are left alone.';

create function app.sweep_waitlist(at_most integer default 100, only_organization uuid default null)
returns integer
language plpgsql
set search_path = ''
as $$
declare
  place record;
  made integer := 0;
begin
  for place in
    select distinct waiting.organization_id, assignment.therapist_id
    from public.waitlist_entries waiting
    join public.care_team_assignments assignment
      on assignment.organization_id = waiting.organization_id and assignment.client_id = waiting.client_id
    where waiting.status = 'waiting'
      and (only_organization is null or waiting.organization_id = only_organization)
      and coalesce(waiting.therapist_id, assignment.therapist_id) = assignment.therapist_id
    order by waiting.organization_id, assignment.therapist_id
  loop
    exit when made >= at_most;
    made := made + app.offer_time(place.organization_id, place.therapist_id, at_most - made);
  end loop;
  return made;
end
$$;
comment on function app.sweep_waitlist is
  'Offers freed time that is open, for a cron job: what was offered to somebody who let it expire, what could not be '
  'offered when it came free, what somebody waits for since. Returns how many offers it made.';

create function app.end_offers(organization uuid, offer_ids uuid[])
returns void
language plpgsql
set search_path = ''
as $$
begin
  perform app.expire_holds(offer_ids);
  update public.session_holds offer
  set status = 'released'
  where offer.organization_id = organization and offer.id = any (offer_ids) and offer.status = 'held';
end
$$;
comment on function app.end_offers is 'Ends offers: what has run out has expired, what has not is released.';
