-- Cancel: holds are released, sessions cancelled.
--
-- Promises
--   * Cancelling is idempotent and says what it found.
--   * Time is free again at once, and is offered to who waits for it.
--   * Every cancelled session says with how much notice, and whether that was late, whoever cancels it by whatever way.
--   * What is cancelled of a series is not booked by it again.

create table public.cancellation_rules (
  id uuid primary key default gen_random_uuid(),
  organization_id uuid not null references public.organizations (id),
  role text not null references public.roles (role),
  minimum_notice_hours integer not null,
  created_at timestamptz not null,
  created_by uuid,
  updated_at timestamptz not null,
  updated_by uuid,
  constraint cancellation_rules_one_per_role unique (organization_id, role),
  constraint cancellation_rules_of_those_who_cancel check (role in ('client', 'therapist', 'supervisor', 'internal_ops', 'admin')),
  constraint cancellation_rules_notice_range check (minimum_notice_hours between 0 and 336)
);
comment on table public.cancellation_rules is
  'Until how many hours before the start a role may cancel what it may cancel at all. Without a rule staff may cancel '
  'until the session begins to be delivered, and families may not cancel.';
create index cancellation_rules_role_idx on public.cancellation_rules (role);
select app.add_stamps('public.cancellation_rules');

alter table public.cancellation_rules enable row level security;
grant select,
  insert (organization_id, role, minimum_notice_hours),
  update (minimum_notice_hours)
on public.cancellation_rules to authenticated, service_role;
create policy "members read until when they may cancel" on public.cancellation_rules
  for select to authenticated
  using (organization_id = any ((select app.org_ids_with_role(
    'client', 'therapist', 'supervisor', 'internal_ops', 'admin', 'super_admin'))::uuid[]));
create policy "admins add cancellation rules" on public.cancellation_rules
  for insert to authenticated
  with check (organization_id = any ((select app.org_ids_with_role('admin'))::uuid[]));
create policy "admins change cancellation rules" on public.cancellation_rules
  for update to authenticated
  using (organization_id = any ((select app.org_ids_with_role('admin'))::uuid[]))
  with check (organization_id = any ((select app.org_ids_with_role('admin'))::uuid[]));
select app.require_second_factor('public.cancellation_rules');

create function app.release_holds(organization uuid, hold_key uuid)
returns jsonb
language plpgsql
set search_path = ''
as $$
declare
  holds public.session_holds[] := array(
    select it from public.session_holds it where it.organization_id = organization and hold_key in (it.id, it.batch_key));
  outcome jsonb;
begin
  if holds = '{}' then
    perform app.refuse('not_found', 'There is no such hold.');
  elsif exists (
    -- A batch may be of several therapists.
    select
    from (
      select distinct hold.therapist_id from unnest(holds) hold where hold.created_by is distinct from auth.uid()
    ) party
    where not app.may_book(organization, party.therapist_id))
  then
    perform app.refuse('forbidden', 'You may not release this hold.');
  end if;
  perform app.lock_subjects(array(
    select subject.id
    from unnest(holds) hold
    cross join lateral (values (hold.therapist_id), (hold.client_id), (hold.room_id)) as subject (id)));
  holds := array(
    select it
    from public.session_holds it
    where it.organization_id = organization and hold_key in (it.id, it.batch_key)
    order by it.id
    for update);
  perform app.expire_holds(array(select hold.id from unnest(holds) hold));

  update public.session_holds hold
  set status = 'released'
  where hold.organization_id = organization and hold.id in (select found.id from unnest(holds) found) and hold.status = 'held';

  -- holds is what was found, the table what has become of it.
  select jsonb_build_object(
    'cancelled', coalesce(jsonb_agg(entry.item) filter (where found.status = 'held' and now_row.status = 'released'), '[]'),
    'already_cancelled', coalesce(jsonb_agg(entry.item) filter (
      where now_row.status = 'expired' or found.status = 'released'), '[]'),
    'not_cancellable', coalesce(jsonb_agg(entry.item || '{"reason": "confirmed"}') filter (
      where now_row.status = 'confirmed'), '[]'))
  into outcome
  from unnest(holds) found
  join public.session_holds now_row on now_row.organization_id = organization and now_row.id = found.id
  cross join lateral (values (jsonb_build_object('id', found.id, 'kind', 'hold'))) as entry (item);
  perform app.pass_on_offers(organization, array(select found.id from unnest(holds) found));
  return outcome;
end
$$;
comment on function app.release_holds is 'Releases a hold, or all holds of a batch''s key. Ended holds are no error.';

-- ---------------------------------------------------------------------------------------------------------
-- Sessions
-- ---------------------------------------------------------------------------------------------------------

create function app.note_cancellation()
returns trigger
language plpgsql
security definer
set search_path = ''
as $$
declare
  notice interval := new.start_time - clock_timestamp();
begin
  new.cancellation_notice_minutes := floor(extract(epoch from notice) / 60);
  new.late_cancellation := new.cancelled_by in ('therapist', 'client') and notice < (
    select make_interval(hours => clinic.cancellation_notice_hours)
    from public.organizations clinic
    where clinic.id = new.organization_id);
  return new;
end
$$;
comment on function app.note_cancellation is
  'Writes the notice that a cancelled session had, by the organization''s rule of today. Definer: whoever cancels need not '
  'be able to read the rule.';
create trigger note_cancellation before update of status on public.sessions
  for each row when (new.status = 'cancelled' and old.status <> 'cancelled')
  execute function app.note_cancellation();

create function app.leave_series(session_ids uuid[])
returns void
language plpgsql
set search_path = ''
as $$
declare
  series_ids uuid[] := array(
    select series.id
    from public.session_series series
    where series.id in (select session.series_id from public.sessions session where session.id = any (session_ids))
    order by series.id
    for update);
begin
  update public.session_series series
  set
    exdates = array(
      select known.local_start from unnest(series.exdates) known (local_start)
      union
      select session.occurrence_start at time zone series.time_zone
      from public.sessions session
      where session.series_id = series.id and session.id = any (session_ids)
      order by 1),
    status = case
      when exists (
        select
        from public.sessions session
        where session.organization_id = series.organization_id and session.series_id = series.id
          and session.status = 'scheduled' and session.start_time > clock_timestamp())
        -- What is held for it may yet be booked.
        or exists (
          select
          from public.session_holds hold
          where hold.organization_id = series.organization_id and hold.series_id = series.id
            and hold.status = 'held' and hold.expires_at > clock_timestamp())
        then series.status
      else 'ended'
    end
  where series.id = any (series_ids);
end
$$;
comment on function app.leave_series is
  'Puts cancelled occurrences on their series'' exception dates, and ends a series of which nothing is left.';

create function app.lock_sessions(organization uuid, session_ids uuid[], and_subjects uuid[] default '{}')
returns public.sessions[]
language plpgsql
set search_path = ''
as $$
declare
  seen public.sessions[] := array(
    select it from public.sessions it where it.organization_id = organization and it.id = any (session_ids));
  locked public.sessions[];
begin
  perform app.lock_subjects(and_subjects || array(
    select subject.id
    from unnest(seen) session
    cross join lateral (values (session.therapist_id), (session.client_id), (session.room_id)) as subject (id)));
  locked := array(
    select it
    from public.sessions it
    where it.organization_id = organization and it.id = any (session_ids)
    order by it.id
    for update);
  if exists (
    select
    from unnest(seen) before
    join unnest(locked) session on session.id = before.id
    where (session.therapist_id, session.client_id, session.room_id)
      is distinct from (before.therapist_id, before.client_id, before.room_id))
  then
    perform app.start_over();
  end if;
  return array(select session from unnest(locked) session order by session.start_time, session.id);
end
$$;
comment on function app.lock_sessions is
  'The sessions, by start, once their subjects and the others are locked; starts over when they are no longer theirs.';

create function app.end_sessions(organization uuid, session_ids uuid[], by_whom text, reason text)
returns jsonb
language plpgsql
set search_path = ''
as $$
declare
  ended uuid[];
begin
  with cancelled as (
    update public.sessions session
    set status = 'cancelled', cancelled_by = by_whom, cancellation_reason = reason
    where session.organization_id = organization and session.id = any (session_ids) and session.status = 'scheduled'
    returning session.id
  )
  select coalesce(array_agg(cancelled.id), '{}') into ended from cancelled;
  perform app.leave_series(ended);
  return coalesce(
    (select jsonb_agg(
        jsonb_build_object('id', session.id, 'kind', 'session', 'late', session.late_cancellation)
        order by session.start_time, session.id)
      from public.sessions session
      where session.organization_id = organization and session.id = any (ended)),
    '[]');
end
$$;
comment on function app.end_sessions is
  'Cancels those of the sessions that are scheduled, and answers them as the wire has them. Offering their time is the caller''s.';

-- ---------------------------------------------------------------------------------------------------------
-- Who may cancel, until when
-- ---------------------------------------------------------------------------------------------------------

create type app.cancellation_limits as (
  any_session double precision,
  own_sessions double precision,
  own_therapists uuid[],
  own_clients double precision,
  clients uuid[]
);

create function app.least_notice(organization uuid, of_permission text)
returns double precision
language plpgsql
stable
set search_path = ''
as $$
begin
  return (
    select min(coalesce(rule.minimum_notice_hours::double precision, '-infinity'))
    from public.role_permissions granted
    left join public.cancellation_rules rule on rule.organization_id = organization and rule.role = granted.role
    where granted.permission = of_permission
      and organization = any (app.org_ids_with_role(granted.role)));
end
$$;
comment on function app.least_notice is
  'The least notice, in hours, that the caller''s roles with the permission must give; -infinity without a rule, null without '
  'such a role.';

create function app.limits_of_caller(organization uuid, by_whom text)
returns app.cancellation_limits
language plpgsql
stable
set search_path = ''
as $$
declare
  limits app.cancellation_limits;
begin
  limits.any_session := app.least_notice(organization, 'book_any_session');
  limits.own_sessions := app.least_notice(organization, 'book_own_sessions');
  limits.own_therapists := app.my_therapist_ids();
  limits.clients := app.guarded_client_ids();
  if by_whom = 'client' then
    limits.own_clients := (
      select rule.minimum_notice_hours
      from public.cancellation_rules rule
      where rule.organization_id = organization and rule.role = 'client');
  end if;
  return limits;
end
$$;
comment on function app.limits_of_caller is
  'What the caller''s roles let them cancel as whom, and until how many hours before. Families only as the client.';

create function app.notice_required(limits app.cancellation_limits, therapist uuid, client uuid)
returns double precision
language plpgsql
immutable
set search_path = ''
as $$
begin
  return least(
    limits.any_session,
    case when therapist = any (limits.own_therapists) then limits.own_sessions end,
    case when client = any (limits.clients) then limits.own_clients end);
end
$$;
comment on function app.notice_required is
  'The notice, in hours, that a caller must give to cancel a session; null when they may not cancel it at all.';

create function app.those_who_stay(organization uuid, sessions public.sessions[], limits app.cancellation_limits)
returns jsonb
language plpgsql
stable
set search_path = ''
as $$
declare
  named uuid[] := array(select session.id from unnest(sessions) session);
begin
  if not exists (select from unnest(sessions) session where session.group_id is not null or session.team_id is not null) then
    return '[]';
  end if;
  return coalesce(
    (select jsonb_agg(jsonb_build_object('id', mate.id, 'kind', 'session') order by mate.start_time, mate.id)
      from public.sessions mate
      where mate.organization_id = organization and mate.id = any (app.with_slot_mates(organization, named))
        and mate.id <> all (named) and mate.status = 'scheduled'
        and app.notice_required(limits, mate.therapist_id, mate.client_id) is not null),
    '[]');
end
$$;
comment on function app.those_who_stay is
  'Who is in a group or team with sessions that are cancelled and was not named, as one who joined a single time of a series: those that the '
  'caller might cancel.';

create function app.cancel_found_sessions(
  organization uuid, session_ids uuid[], limits app.cancellation_limits, by_whom text, reason text
)
returns jsonb
language plpgsql
set search_path = ''
as $$
declare
  sessions public.sessions[] := app.lock_sessions(organization, session_ids);
  this_moment timestamptz := clock_timestamp();
  too_late uuid[] := array(
    select found.id
    from unnest(sessions) found
    where found.status = 'scheduled'
      and extract(epoch from found.start_time - this_moment) / 3600
        < app.notice_required(limits, found.therapist_id, found.client_id));
  cancelled jsonb;
  outcome jsonb;
begin
  -- Given to another therapist while this call was waiting.
  if exists (
    select from unnest(sessions) found where app.notice_required(limits, found.therapist_id, found.client_id) is null)
  then
    perform app.refuse('not_found', 'There is no such session.');
  end if;
  cancelled := app.end_sessions(
    organization, array(select id from unnest(session_ids) id where not id = any (too_late)), by_whom, reason);

  select jsonb_build_object(
    'cancelled', cancelled,
    'already_cancelled', coalesce(jsonb_agg(entry.item) filter (where found.status = 'cancelled'), '[]'),
    'not_cancellable', coalesce(
      jsonb_agg(entry.item || jsonb_build_object('reason', entry.obstacle)) filter (where entry.obstacle is not null), '[]'),
    'staying', app.those_who_stay(organization, sessions, limits))
  into outcome
  from unnest(sessions) found
  cross join lateral (values (
    jsonb_build_object('id', found.id, 'kind', 'session'),
    case
      when found.id = any (too_late) then 'too_late'
      when found.status not in ('scheduled', 'cancelled') then found.status
    end)) as entry (item, obstacle);

  perform app.offer_freed_time(
    organization, array(select (item ->> 'id')::uuid from jsonb_array_elements(cancelled) item));
  return outcome;
end
$$;
comment on function app.cancel_found_sessions is
  'Cancels those of the sessions that are scheduled and that the caller still may cancel, and says what the others are.';

create function app.refuse_foreign_sessions(session_ids uuid[], organization uuid, limits app.cancellation_limits, by_whom text)
returns void
language plpgsql
stable
set search_path = ''
as $$
declare
  of_family boolean;
begin
  select
    count(*) = cardinality(session_ids)
      and bool_and(session.organization_id = organization and session.client_id = any (limits.clients))
  into of_family
  from public.sessions session
  where session.id = any (session_ids);
  if not of_family then
    perform app.refuse('not_found', 'There is no such session.');
  elsif by_whom <> 'client' and exists (
    select
    from public.cancellation_rules rule
    where rule.organization_id = organization and rule.role = 'client')
  then
    perform app.refuse_field('cancelled_by', 'not_allowed', 'Families cancel as the client.');
  end if;
  perform app.refuse('forbidden', 'This clinic does not let families cancel.');
end
$$;
comment on function app.refuse_foreign_sessions is
  'Refuses to cancel sessions that are not the caller''s. A family knows its own sessions, so it is told why.';

create function app.cancel_sessions(organization uuid, request jsonb)
returns jsonb
language plpgsql
set search_path = ''
as $$
declare
  by_whom text := request ->> 'cancelled_by';
  limits app.cancellation_limits;
  wanted uuid[];
  foreign_ids uuid[];
begin
  if num_nonnulls(request -> 'hold_key', request -> 'session_ids', request -> 'series_id') <> 1 then
    perform app.refuse_field('', 'exactly_one', 'Give exactly one of hold_key, session_ids, or series_id with from.');
  end if;
  if request ? 'hold_key' then
    return app.release_holds(organization, (request ->> 'hold_key')::uuid);
  end if;
  if by_whom is null or by_whom not in ('therapist', 'client', 'clinic') then
    perform app.refuse_field('cancelled_by', 'required', 'Say who cancelled: therapist, client or clinic.');
  end if;
  if length(request ->> 'reason') not between 1 and 500 then
    perform app.refuse_field('reason', 'size', 'A reason has 1 to 500 characters.');
  end if;
  if request ? 'series_id' and request ->> 'from' is null then
    perform app.refuse_field('from', 'required', 'Say from when the series is cancelled.');
  end if;

  if request ? 'series_id' then
    wanted := array(
      select session.id
      from public.sessions session
      where session.organization_id = organization
        and session.series_id = (request ->> 'series_id')::uuid
        -- By its place in the series, as an edit goes: this and following, wherever one of them was moved to. But what was
        -- moved ahead and has begun is past.
        and session.occurrence_start >= (request ->> 'from')::timestamptz
        and session.start_time >= least((request ->> 'from')::timestamptz, clock_timestamp()));
  else
    wanted := array(select distinct id::uuid from jsonb_array_elements_text(request -> 'session_ids') id);
  end if;
  limits := app.limits_of_caller(organization, by_whom);
  foreign_ids := array(
    select asked.id
    from unnest(wanted) as asked (id)
    where not exists (
      select
      from public.sessions session
      where session.organization_id = organization and session.id = asked.id
        and app.notice_required(limits, session.therapist_id, session.client_id) is not null));
  if foreign_ids <> '{}' then
    perform app.refuse_foreign_sessions(foreign_ids, organization, limits, by_whom);
  end if;
  -- That nothing is left of a series is for those to know whose it is, or was.
  if request ? 'series_id' and wanted = '{}' and not exists (
    select
    from (
      select series.therapist_id, series.client_id
      from public.session_series series
      where series.organization_id = organization and series.id = (request ->> 'series_id')::uuid
      union all
      select session.therapist_id, session.client_id
      from public.sessions session
      where session.organization_id = organization and session.series_id = (request ->> 'series_id')::uuid
    ) party
    where app.notice_required(limits, party.therapist_id, party.client_id) is not null)
  then
    perform app.refuse('not_found', 'There is no such session.');
  end if;
  return app.cancel_found_sessions(organization, wanted, limits, by_whom, request ->> 'reason');
end
$$;
comment on function app.cancel_sessions is 'Releases holds or cancels sessions. Answers the data of the HTTP contract.';
