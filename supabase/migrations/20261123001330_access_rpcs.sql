-- Who saw what: the subject access report, and the list of alerts.
--
-- Promises
--   * Admins and the family are told of every read of a client's record, and of every one that was refused.
--   * The family learns which role, and a therapist's name; not whose login it was, nor anybody's exact address.
--   * Reading the report is a read of the record, and on it.

create function app.shown_address(address inet, whole boolean)
returns text
language sql
immutable
set search_path = ''
as $$
  select case when whole then host(address)
    else network(set_masklen(address, case family(address) when 4 then 24 else 48 end))::text end
$$;
comment on function app.shown_address is 'An address, or only the network that it is of.';

create function app.client_access_report(organization uuid, request jsonb)
returns jsonb
language plpgsql
set search_path = ''
set plan_cache_mode = force_generic_plan
set enable_seqscan = off
as $$
declare
  client uuid := (request ->> 'client_id')::uuid;
  from_time timestamptz := coalesce((request ->> 'from')::timestamptz, '-infinity');
  to_time timestamptz := coalesce((request ->> 'to')::timestamptz, 'infinity');
  rows_asked integer := app.page_size(request);
  for_admin boolean := organization = any (app.org_ids_with_role('admin'));
  reads text[] := array(select type.name from audit.event_types type where type.reads_client);
  entries jsonb;
  last_shown bigint;
begin
  perform app.require_fields(request, 'client_id');
  perform app.check_guardian(organization, client, true);
  if to_time <= from_time then
    perform app.refuse_field('to', 'too_small', 'Must be after from.');
  elsif request ->> 'after' !~ '^\d{1,15}$' then
    perform app.refuse_field('after', 'invalid_value', 'Must be what an earlier page gave as next.');
  end if;

  with page as (
    select event.id, event.occurred_at, event.actor_id, event.action, event.decision, event.code, event.table_name,
      event.row_id, event.request_id, event.ip, event.user_agent, row_number() over (order by event.id desc) as place
    from audit.events event
    where event.client_id = client
      and event.organization_id = organization
      and (event.action = any (reads) or event.decision = 'deny')
      and event.occurred_at >= from_time
      and event.occurred_at < to_time
      and (request ->> 'after' is null or event.id < (request ->> 'after')::bigint)
    order by event.id desc
    -- One more says that there is a next page.
    limit rows_asked + 1
  )
  select
    coalesce(jsonb_agg(
      jsonb_build_object(
        'at', page.occurred_at,
        'action', page.action,
        'record', page.table_name,
        'decision', page.decision,
        'code', page.code,
        'is_self', page.actor_id is not distinct from auth.uid(),
        'roles', app.roles_at(organization, page.actor_id, page.occurred_at),
        'therapist_name', (
          select therapist.display_name
          from public.therapists therapist
          where therapist.organization_id = organization and therapist.user_id = page.actor_id),
        'address', app.shown_address(page.ip, for_admin))
      || case when for_admin then jsonb_build_object(
        'actor_id', page.actor_id, 'row_id', page.row_id, 'request_id', page.request_id, 'user_agent', page.user_agent)
        else '{}' end
      order by page.place) filter (where page.place <= rows_asked), '[]'),
    case when count(*) > rows_asked then min(page.id) filter (where page.place <= rows_asked) end
  into entries, last_shown
  from page;

  perform app.record_access(organization, 'access_report.read', 'clients', client, client,
    jsonb_build_object('rows', jsonb_array_length(entries)));
  return jsonb_build_object('client_id', client, 'entries', entries, 'next', last_shown);
end
$$;
comment on function app.client_access_report is
  'Who read a client''s record, or was refused to, newest first: for admins, and with less of each reader for the family. Is on '
  'record itself, from the next report on.';

create function app.read_access_alerts(organization uuid, request jsonb)
returns jsonb
language plpgsql
stable
set search_path = ''
as $$
declare
  wanted_status text := request ->> 'status';
  rows_asked integer := app.page_size(request);
  after_alert record;
  alerts jsonb;
  last_shown uuid;
begin
  if not organization = any (app.org_ids_with_role('admin')) then
    perform app.refuse('forbidden', 'Only admins read the alerts.');
  elsif not wanted_status in ('open', 'acknowledged') then
    perform app.refuse_field('status', 'invalid_value', 'Must be open or acknowledged.');
  end if;
  if request ->> 'after' is not null then
    select it.created_at, it.id into after_alert
    from public.access_alerts it
    where it.organization_id = organization and it.id = (request ->> 'after')::uuid;
    if not found then
      perform app.refuse_field('after', 'invalid_value', 'Must be what an earlier page gave as next.');
    end if;
  else
    select 'infinity'::timestamptz as created_at, null::uuid as id into after_alert;
  end if;

  with page as (
    select it.id, it.kind, it.actor_id, it.window_start, it.window_end, it.figures, it.grant_id, it.note_id, it.status,
      it.status_changed_at, it.status_changed_by, it.acknowledged_reason, it.created_at,
      row_number() over (order by it.created_at desc, it.id desc) as place
    from public.access_alerts it
    where it.organization_id = organization
      and (wanted_status is null or it.status = wanted_status)
      and (it.created_at < after_alert.created_at or (it.created_at = after_alert.created_at and it.id < after_alert.id))
    order by it.created_at desc, it.id desc
    limit rows_asked + 1
  )
  select
    coalesce(jsonb_agg(jsonb_build_object(
      'id', page.id, 'kind', page.kind, 'actor_id', page.actor_id, 'window_start', page.window_start,
      'window_end', page.window_end, 'figures', page.figures, 'grant_id', page.grant_id, 'note_id', page.note_id,
      'status', page.status, 'created_at', page.created_at,
      'acknowledged_at', case when page.status = 'acknowledged' then page.status_changed_at end,
      'acknowledged_by', case when page.status = 'acknowledged' then page.status_changed_by end,
      'acknowledged_reason', page.acknowledged_reason)
      order by page.place) filter (where page.place <= rows_asked), '[]'),
    case when count(*) > rows_asked then (array_agg(page.id) filter (where page.place = rows_asked))[1] end
  into alerts, last_shown
  from page;
  return jsonb_build_object('alerts', alerts, 'next', last_shown);
end
$$;
comment on function app.read_access_alerts is 'An organization''s alerts, newest first; for admins.';

create function app.acknowledge_alert(organization uuid, request jsonb)
returns jsonb
language plpgsql
set search_path = ''
as $$
declare
  alert public.access_alerts;
  reason text;
  already boolean;
begin
  perform app.require_fields(request, 'alert_id', 'reason');
  if not organization = any (app.org_ids_with_role('admin')) then
    perform app.refuse('forbidden', 'Only admins acknowledge alerts.');
  end if;
  reason := app.plain_text(request, 'reason', 1, 500);
  select it.* into alert
  from public.access_alerts it
  where it.organization_id = organization and it.id = (request ->> 'alert_id')::uuid
  for update;
  if not found then
    perform app.refuse('not_found', 'There is no such alert.');
  end if;
  already := alert.status = 'acknowledged';
  -- Who reports a note that does not open is not whom that alert is about.
  if alert.actor_id = auth.uid() and alert.kind <> 'note_unreadable' and not already and exists (
    select
    from public.user_roles other
    where other.organization_id = organization and other.role = 'admin' and other.user_id <> auth.uid()
      and 'admin' = any (app.roles_at(organization, other.user_id, clock_timestamp())))
  then
    perform app.refuse('forbidden', 'An alert about oneself is for another admin to look at.');
  end if;
  if not already then
    update public.access_alerts it
    set status = 'acknowledged', acknowledged_reason = reason
    where it.organization_id = organization and it.id = alert.id
    returning it.* into alert;
  end if;
  return jsonb_build_object('alert_id', alert.id, 'acknowledged_at', alert.status_changed_at,
    'acknowledged_by', alert.status_changed_by, 'already_acknowledged', already);
end
$$;
comment on function app.acknowledge_alert is
  'An admin has looked at an alert, and says what it was. What is acknowledged stays as it was; where there is another admin, '
  'nobody acknowledges what is about themselves.';

create function public.client_access_report(request jsonb, idempotency_key text default null)
returns jsonb
language sql
security invoker
set search_path = ''
as $$
  select app.run_operation('client_access_report', request, idempotency_key)
$$;
comment on function public.client_access_report is
  'Who read a client''s record, when and from where, and who was refused: {client_id, from, to, after, limit}. For admins and '
  'those who stand for the client; on record. Answers {data, replayed} or {problem}.';

create function public.read_access_alerts(request jsonb, idempotency_key text default null)
returns jsonb
language sql
security invoker
set search_path = ''
as $$
  select app.run_operation('read_access_alerts', request, idempotency_key)
$$;
comment on function public.read_access_alerts is
  'An organization''s alerts: {organization_id, status, after, limit}. For admins. Answers {data, replayed} or {problem}.';

create function public.acknowledge_alert(request jsonb, idempotency_key text default null)
returns jsonb
language sql
security invoker
set search_path = ''
as $$
  select app.run_operation('acknowledge_alert', request, idempotency_key)
$$;
comment on function public.acknowledge_alert is
  'Says what an alert was: {alert_id, reason}. For admins. Answers {data, replayed} or {problem}.';

grant execute on function public.client_access_report, public.read_access_alerts, public.acknowledge_alert to authenticated;
