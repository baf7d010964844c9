-- Cancel: holds are released, sessions cancelled.
--
-- Promises
--   * Cancelling is idempotent and says what it found.
--   * Time is free again at once.

create function app.release_holds(organization uuid, hold_key uuid)
returns jsonb
language plpgsql
set search_path = ''
as $$
declare
  holds public.session_holds[] := array(
    select it from public.session_holds it where hold_key in (it.id, it.batch_key));
  outcome jsonb;
begin
  if holds[1].created_by is distinct from auth.uid() and not app.may_book(organization, holds[1].therapist_id) then
    perform app.refuse('forbidden', 'You may not release this hold.');
  end if;
  perform app.lock_subjects(array(
    select subject.id
    from unnest(holds) hold
    cross join lateral (values (hold.therapist_id), (hold.client_id), (hold.room_id)) as subject (id)));
  holds := array(
    select it from public.session_holds it where hold_key in (it.id, it.batch_key) order by it.id for update);
  perform app.expire_holds(array(select hold.id from unnest(holds) hold));

  update public.session_holds hold
  set status = 'released'
  where hold.id in (select found.id from unnest(holds) found) and hold.status = 'held';

  -- holds is what was found, the table what has become of it.
  select jsonb_build_object(
    'cancelled', coalesce(jsonb_agg(entry.item) filter (where found.status = 'held' and now_row.status = 'released'), '[]'),
    'already_cancelled', coalesce(jsonb_agg(entry.item) filter (
      where now_row.status = 'expired' or found.status = 'released'), '[]'),
    'not_cancellable', coalesce(jsonb_agg(entry.item || '{"reason": "confirmed"}') filter (
      where now_row.status = 'confirmed'), '[]'))
  into outcome
  from unnest(holds) found
  join public.session_holds now_row on now_row.id = found.id
  cross join lateral (values (jsonb_build_object('id', found.id, 'kind', 'hold'))) as entry (item);
  return outcome;
end
$$;
comment on function app.release_holds is 'Releases a hold, or all holds of a batch''s key. Ended holds are no error.';

create function app.cancel_found_sessions(session_ids uuid[], by_whom text, reason text)
returns jsonb
language plpgsql
set search_path = ''
as $$
declare
  sessions public.sessions[];
  outcome jsonb;
begin
  perform app.lock_subjects(array(
    select subject.id
    from public.sessions session
    cross join lateral (values (session.therapist_id), (session.client_id), (session.room_id)) as subject (id)
    where session.id = any (session_ids)));
  sessions := array(select it from public.sessions it where it.id = any (session_ids) order by it.id for update);

  update public.sessions session
  set status = 'cancelled', cancelled_by = by_whom, cancellation_reason = reason
  where session.id = any (session_ids) and session.status = 'scheduled';

  select jsonb_build_object(
    'cancelled', coalesce(jsonb_agg(entry.item) filter (where found.status = 'scheduled'), '[]'),
    'already_cancelled', coalesce(jsonb_agg(entry.item) filter (where found.status = 'cancelled'), '[]'),
    'not_cancellable', coalesce(jsonb_agg(entry.item || jsonb_build_object('reason', found.status)) filter (
      where found.status not in ('scheduled', 'cancelled')), '[]'))
  into outcome
  from unnest(sessions) found
  cross join lateral (values (jsonb_build_object('id', found.id, 'kind', 'session'))) as entry (item);
  return outcome;
end
$$;
comment on function app.cancel_found_sessions is 'Cancels those of the sessions that are scheduled and says what the others are.';

create function app.cancel_sessions(organization uuid, request jsonb)
returns jsonb
language plpgsql
set search_path = ''
as $$
declare
  by_whom text := request ->> 'cancelled_by';
  any_therapist boolean := organization = any (app.org_ids_with_permission('book_any_session'));
  own_therapists uuid[] := case
    when organization = any (app.org_ids_with_permission('book_own_sessions')) then app.my_therapist_ids()
    else '{}'
  end;
  wanted uuid[];
  found uuid[];
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

  if request ? 'series_id' and request ->> 'from' is null then
    perform app.refuse_field('from', 'required', 'Say from when the series is cancelled.');
  end if;

  if request ? 'series_id' then
    wanted := array(
      select session.id
      from public.sessions session
      where session.organization_id = organization
        and session.series_id = (request ->> 'series_id')::uuid
        and session.start_time >= (request ->> 'from')::timestamptz);
  else
    wanted := array(select distinct id::uuid from jsonb_array_elements_text(request -> 'session_ids') id);
  end if;
  found := array(
    select session.id
    from public.sessions session
    where session.organization_id = organization and session.id = any (wanted)
      and (any_therapist or session.therapist_id = any (own_therapists)));
  if cardinality(found) <> cardinality(wanted) then
    perform app.refuse('not_found', 'There is no such session.');
  end if;
  return app.cancel_found_sessions(found, by_whom, request ->> 'reason');
end
$$;
comment on function app.cancel_sessions is 'Releases holds or cancels sessions. Answers the data of the HTTP contract.';
