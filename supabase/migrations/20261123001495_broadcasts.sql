-- Broadcasts: who has a calendar open hears at once that something in it changed.
--
-- Promises
--   * A broadcast says that something changed, and in which span of time: the app reads again, under its own policies. It
--     holds ids, codes and times; no name, no text, and nobody's id but on a topic where it may be read.
--   * Whoever hears a topic may read all that its messages tell of. A client's topic tells what a family sees: appointments
--     and offers, neither holds nor who else is in a group.
--   * A change that cannot be told of happens all the same.
--   * Clients of Realtime send nothing: there is no policy to insert.
--
-- At most once: what was sent while nobody was connected is not sent again, so an app that was away reads again.

create type app.calendar_change as (
  object text,
  type text,
  id uuid,
  organization_id uuid,
  therapist_id uuid,
  client_id uuid,
  start_time timestamptz,
  end_time timestamptz
);
comment on type app.calendar_change is
  'Something in calendars that is other than before: what happened to which row (its table, its id), on whose calendars, where.';

create function app.broadcast(changes app.calendar_change[])
returns void
language plpgsql
set search_path = ''
as $$
begin
  if changes = '{}' then
    return;
  end if;
  -- Not realtime.send, which takes a savepoint for every message: here it is one for all that a statement changed.
  insert into realtime.messages (topic, extension, private, event, payload)
  select told.topic, 'broadcast', true, change.type,
    jsonb_strip_nulls(jsonb_build_object(
      'object', change.object,
      'ids', jsonb_agg(distinct change.id),
      'therapist_ids', jsonb_agg(distinct told.therapist_id) filter (where told.therapist_id is not null),
      'start_time', min(change.start_time),
      'end_time', max(change.end_time)))
  from unnest(changes) change
  cross join lateral (values
    ('organization:' || change.organization_id, change.therapist_id),
    ('therapist:' || change.therapist_id, null),
    ('client:' || change.client_id, null)
  ) told (topic, therapist_id)
  where told.topic is not null
  group by told.topic, change.object, change.type;
exception
  -- Realtime makes a partition a day, and may be late with it.
  when others then
    raise warning 'changes of calendars were not broadcast: %', sqlstate;
end
$$;
comment on function app.broadcast is
  'One message for each topic and type of change. For the triggers that tell of changes, which run as the owner.';

create function app.tell_of_sessions()
returns trigger
language plpgsql
security definer
set search_path = ''
as $$
begin
  if tg_op = 'INSERT' then
    perform app.broadcast(array(
      select row(
        'sessions', app.session_event(session.status), session.id, session.organization_id, session.therapist_id,
        session.client_id, session.start_time, session.end_time)::app.calendar_change
      from new_rows session));
  else
    -- Where it was and where it is: who loses a session hears of that, and not of where it went.
    perform app.broadcast(array(
      select row(
        'sessions', happened.type, session.id, session.organization_id, place.therapist_id,
        place.client_id, place.start_time, place.end_time)::app.calendar_change
      from old_rows before
      join new_rows session on session.id = before.id
      cross join lateral (
        select case
          when session.corrected_at is distinct from before.corrected_at then 'session.corrected'
          when session.status <> before.status then app.session_event(session.status)
          when (session.therapist_id, session.client_id, session.room_id, session.start_time, session.end_time)
            is distinct from (before.therapist_id, before.client_id, before.room_id, before.start_time, before.end_time)
            then 'session.moved'
        end
      ) happened (type)
      cross join lateral (values
        (before.therapist_id, before.client_id, before.start_time, before.end_time),
        (session.therapist_id, session.client_id, session.start_time, session.end_time)
      ) place (therapist_id, client_id, start_time, end_time)
      where happened.type is not null));
  end if;
  return null;
end
$$;
comment on function app.tell_of_sessions is 'Broadcasts what a statement did to sessions. Definer: who books does not write realtime.messages.';
create trigger tell_after_insert after insert on public.sessions
  referencing new table as new_rows for each statement execute function app.tell_of_sessions();
create trigger tell_after_update after update on public.sessions
  referencing old table as old_rows new table as new_rows for each statement execute function app.tell_of_sessions();

create function app.tell_of_holds()
returns trigger
language plpgsql
security definer
set search_path = ''
as $$
begin
  -- A family hears of holds only if they are offers to it.
  if tg_op = 'INSERT' then
    perform app.broadcast(array(
      select row(
        'session_holds', case when hold.waitlist_entry_id is null then 'hold.created' else 'waitlist.offered' end, hold.id,
        hold.organization_id, hold.therapist_id, case when hold.waitlist_entry_id is not null then hold.client_id end,
        hold.start_time, hold.end_time)::app.calendar_change
      from new_rows hold
      where hold.status = 'held'));
  else
    -- Of one that was confirmed, its session tells.
    perform app.broadcast(array(
      select row(
        'session_holds', 'hold.' || hold.status, hold.id,
        hold.organization_id, hold.therapist_id, case when hold.waitlist_entry_id is not null then hold.client_id end,
        hold.start_time, hold.end_time)::app.calendar_change
      from new_rows hold
      join old_rows before on before.id = hold.id and before.status = 'held'
      where hold.status in ('released', 'expired')));
  end if;
  return null;
end
$$;
comment on function app.tell_of_holds is 'Broadcasts holds that were made and that ended. Definer: who holds does not write realtime.messages.';
create trigger tell_after_insert after insert on public.session_holds
  referencing new table as new_rows for each statement execute function app.tell_of_holds();
create trigger tell_after_update after update on public.session_holds
  referencing old table as old_rows new table as new_rows for each statement execute function app.tell_of_holds();

create function app.tell_of_exceptions()
returns trigger
language plpgsql
security definer
set search_path = ''
as $$
begin
  perform app.broadcast(array(
    select row(
      'availability_exceptions',
      exception.kind || case exception.status when 'active' then '.entered' else '.cancelled' end, exception.id,
      exception.organization_id, whose.therapist_id, null,
      exception.start_time, exception.end_time)::app.calendar_change
    from new_rows exception
    -- A holiday is everybody's.
    cross join lateral (
      select exception.therapist_id
      union all
      select therapist.id
      from public.therapists therapist
      where exception.therapist_id is null and therapist.organization_id = exception.organization_id
        and therapist.status = 'active'
    ) whose (therapist_id)));
  return null;
end
$$;
comment on function app.tell_of_exceptions is
  'Broadcasts time off, extra hours and holidays. Definer: who enters them does not write realtime.messages.';
create trigger tell_after_insert after insert on public.availability_exceptions
  referencing new table as new_rows for each statement execute function app.tell_of_exceptions();
create trigger tell_after_update after update on public.availability_exceptions
  referencing new table as new_rows for each statement execute function app.tell_of_exceptions();

-- ---------------------------------------------------------------------------------------------------------
-- Who hears what
-- ---------------------------------------------------------------------------------------------------------

create function app.audible_topic()
returns text
language plpgsql
stable
security definer
set search_path = ''
as $$
declare
  asked constant text := realtime.topic();
  kind text;
  subject uuid;
  organization uuid;
begin
  if asked is null or asked !~ '^(organization|therapist|client):[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$' then
    return null;
  end if;
  kind := split_part(asked, ':', 1);
  subject := split_part(asked, ':', 2)::uuid;
  organization := case kind
    when 'organization' then subject
    when 'therapist' then (select therapist.organization_id from public.therapists therapist where therapist.id = subject)
    else (select client.organization_id from public.clients client where client.id = subject)
  end;
  if organization = any (app.org_ids_needing_second_factor()) then
    return null;
  end if;
  -- As sessions_scoped_access, family_sessions and the policy of holds: who may read everything that the topic can tell of. So
  -- not who reviews a client, to whom offers to the family are not shown.
  if organization = any (app.org_ids_with_role('internal_ops', 'admin', 'super_admin'))
    or kind = 'therapist' and subject = any (app.caseload_therapist_ids())
    or kind = 'client' and subject = any (app.guarded_client_ids())
  then
    return asked;
  end if;
  return null;
end
$$;
comment on function app.audible_topic is
  'The topic that Realtime asks about, if the caller may hear it, else null: an organization''s for who runs its schedule; a '
  'therapist''s for the therapist, who supervises, and them; a client''s for the family and them. Definer: '
  'looks up whose the topic is.';
grant execute on function app.audible_topic to authenticated;

create policy "who may read a calendar hears of its changes" on realtime.messages
  for select to authenticated
  using (extension = 'broadcast' and topic = (select app.audible_topic()));

-- Restrictive: no policy of another app on the same project, however wide, opens these topics, or lets anybody speak on them.
create policy "calendars are heard by who may read them, and nobody speaks" on realtime.messages
  as restrictive for all to authenticated
  using (topic !~ '^(organization|therapist|client):' or topic = (select app.audible_topic()))
  with check (topic !~ '^(organization|therapist|client):');
create policy "nobody hears or speaks of calendars without a login" on realtime.messages
  as restrictive for all to anon
  using (topic !~ '^(organization|therapist|client):')
  with check (topic !~ '^(organization|therapist|client):');
