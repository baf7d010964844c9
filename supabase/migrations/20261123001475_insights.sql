-- Insights: what an organization lets the makers of its software know, to see how Holdfast is used.
--
-- Promises
--   * Off until an admin turns it on; a row of app.insights is that consent, and goes with it: nothing is claimed afterwards.
--   * A message is counts by codes of one day that is over, and no id, name, time or text; a count below 11 is left out as few, the others are
--     rounded down to tens: to the unit, the total of one list less the counts of another would give the few away.
--   * What is shown beforehand is made by the function that makes what is sent.
--   * It goes to the one address of the function's environment, and to none where that is unset.

select audit.add_event_types($$ {
  "insights.disabled": "An organization sends no insights any more.",
  "insights.enabled": "An organization sends insights.",
  "insights.sent": "Counts of a day were sent.",
  "rpc.read_insights": "A call was refused.",
  "rpc.save_insights": "A call was refused."
} $$);

create table app.insights (
  organization_id uuid primary key references public.organizations (id),
  -- Made anew each time it is turned on, so that a receiver can add up days and not tell which clinic it is.
  sender uuid not null default gen_random_uuid(),
  enabled_at timestamptz not null default clock_timestamp(),
  next_day date not null,
  attempts integer not null default 0,
  next_attempt_at timestamptz not null default clock_timestamp(),
  lease_id uuid,
  constraint insights_sender_key unique (sender)
);
comment on table app.insights is 'Who sends insights, and from which day on they are yet to be sent.';
alter table app.insights enable row level security;

create function app.rounded_counts(counts jsonb)
returns jsonb
language sql
immutable
set search_path = ''
as $$
  select coalesce(jsonb_object_agg(it.key, case when it.value::bigint >= 11 then it.value::bigint / 10 * 10 end), '{}')
  from jsonb_each(counts) it
$$;
comment on function app.rounded_counts is
  'Counts below 11 become null: few enough to be somebody. Eleven is the bound of CMS for cells of tables that are passed on, which '
  'must not follow from others either: so these are rounded down to tens.';

create function app.insights_message(organization uuid, day date)
returns jsonb
language plpgsql
stable
set search_path = ''
as $$
declare
  zone constant text := (select clinic.time_zone from public.organizations clinic where clinic.id = organization);
  begins constant timestamptz := day::timestamp at time zone zone;
  ends constant timestamptz := (day + 1)::timestamp at time zone zone;
begin
  return jsonb_build_object(
    'type', 'insights.day',
    'sender', (select it.sender from app.insights it where it.organization_id = organization),
    'day', day,
    'sessions', app.rounded_counts((
      select coalesce(jsonb_object_agg(counted.status, counted.number), '{}')
      from (
        select session.status, count(*) as number
        from public.sessions session
        where session.organization_id = organization and session.start_time >= begins and session.start_time < ends
        group by session.status) counted)),
    'services', app.rounded_counts((
      select coalesce(jsonb_object_agg(counted.cpt_code, counted.number), '{}')
      from (
        select service.cpt_code, count(*) as number
        from public.sessions session
        join public.services service on service.id = session.service_id
        where session.organization_id = organization and session.start_time >= begins and session.start_time < ends
        group by service.cpt_code) counted)),
    'refusals', app.rounded_counts((
      select coalesce(jsonb_object_agg(counted.code, counted.number), '{}')
      from (
        select event.code, count(*) as number
        from audit.events event
        where event.organization_id = organization and event.decision = 'deny'
          and event.occurred_at >= begins and event.occurred_at < ends and event.code is not null
        group by event.code) counted)));
end
$$;
comment on function app.insights_message is
  'What is sent of a day of the organization''s calendar: sessions by status and by procedure code, refusals by code of the problem.';

create function app.last_insights_day(organization uuid)
returns date
language sql
stable
set search_path = ''
as $$
  select (clock_timestamp() at time zone clinic.time_zone)::date - 1 from public.organizations clinic where clinic.id = organization
$$;
comment on function app.last_insights_day is 'The last day that is over on the organization''s calendar.';

create function app.insights_json(organization uuid)
returns jsonb
language plpgsql
stable
set search_path = ''
as $$
declare
  consent app.insights;
begin
  select it.* into consent from app.insights it where it.organization_id = organization;
  return jsonb_build_object(
    'enabled', consent.organization_id is not null,
    'enabled_at', consent.enabled_at,
    'next_day', consent.next_day,
    'preview', app.insights_message(organization, app.last_insights_day(organization)));
end
$$;
comment on function app.insights_json is 'Whether an organization sends insights, and what those of the last day are or would be.';

create function app.check_insights_manager(organization uuid)
returns void
language plpgsql
stable
set search_path = ''
as $$
begin
  if not organization = any (app.org_ids_with_permission('manage_insights')) then
    perform app.refuse('forbidden', 'Your role may not manage insights.');
  end if;
end
$$;
comment on function app.check_insights_manager is 'Refuses who may not manage insights of the organization.';

create function app.read_insights(organization uuid, request jsonb)
returns jsonb
language plpgsql
stable
set search_path = ''
as $$
begin
  perform app.check_insights_manager(organization);
  return app.insights_json(organization);
end
$$;
comment on function app.read_insights is 'Whether insights are sent, and exactly what.';

create function app.save_insights(organization uuid, request jsonb)
returns jsonb
language plpgsql
set search_path = ''
as $$
declare
  changed boolean;
begin
  perform app.check_insights_manager(organization);
  if coalesce(jsonb_typeof(request -> 'enabled'), '') <> 'boolean' then
    perform app.refuse_field('enabled', 'invalid_type', 'Must be true or false.');
  end if;
  if (request ->> 'enabled')::boolean then
    insert into app.insights (organization_id, next_day) values (organization, app.last_insights_day(organization) + 1)
    on conflict (organization_id) do nothing;
  else
    delete from app.insights it where it.organization_id = organization;
  end if;
  changed := found;
  if changed then
    insert into audit.events (organization_id, action)
    values (organization, case when (request ->> 'enabled')::boolean then 'insights.enabled' else 'insights.disabled' end);
  end if;
  return app.insights_json(organization);
end
$$;
comment on function app.save_insights is 'Turns insights on, from the day that it is, or off, at once.';

-- ---------------------------------------------------------------------------------------------------------
-- Sending
-- ---------------------------------------------------------------------------------------------------------

create function app.due_insights(only_organization uuid default null)
returns setof uuid
language sql
stable
set search_path = ''
as $$
  select it.organization_id
  from app.insights it
  join public.organizations clinic on clinic.id = it.organization_id
  -- As last_insights_day, which would be called for each.
  where it.next_attempt_at <= clock_timestamp() and it.next_day < (clock_timestamp() at time zone clinic.time_zone)::date
    and (only_organization is null or it.organization_id = only_organization)
$$;
comment on function app.due_insights is 'Organizations with a day to send.';

create function app.claim_insights(request jsonb)
returns jsonb
language plpgsql
security definer
set search_path = ''
as $$
declare
  organization uuid;
  consent app.insights;
begin
  select it.organization_id into organization
  from app.insights it
  where it.organization_id in (select due from app.due_insights((request ->> 'organization_id')::uuid) due)
  order by it.next_attempt_at, it.organization_id
  limit 1
  for no key update skip locked;
  update app.insights it
  set lease_id = gen_random_uuid(), next_attempt_at = clock_timestamp() + interval '60 seconds',
    -- Days that could not be sent for a week are let go.
    next_day = greatest(it.next_day, app.last_insights_day(it.organization_id) - 6)
  where it.organization_id = organization
    -- Asked again under the lock: another sender may have claimed it, and sent it, after the first question.
    and it.organization_id in (select due from app.due_insights(organization) due)
  returning it.* into consent;
  if not found then
    return '{"message": null}';
  end if;
  return jsonb_build_object(
    'lease_id', consent.lease_id,
    'message', app.insights_message(consent.organization_id, consent.next_day));
end
$$;
comment on function app.claim_insights is
  'One message that is due, for 60 seconds the caller''s alone: {organization_id?}. Definer: it counts what no API role reads; granted '
  'to the service role only.';

create function app.record_insights(request jsonb)
returns jsonb
language plpgsql
security definer
set search_path = ''
as $$
declare
  sent constant boolean := coalesce((request ->> 'status_code')::integer between 200 and 299, false);
  organization uuid;
begin
  update app.insights it
  set lease_id = null,
    next_day = it.next_day + sent::integer,
    attempts = case when sent then 0 else least(it.attempts + 1, 9) end,
    next_attempt_at = clock_timestamp() + case when sent then interval '0' else interval '1 minute' * 2 ^ it.attempts end
  where it.lease_id = (request ->> 'lease_id')::uuid
  returning it.organization_id into organization;
  -- Turned off meanwhile, or another's by now.
  if organization is null then
    return '{"recorded": false}';
  end if;
  if sent then
    insert into audit.events (organization_id, action) values (organization, 'insights.sent');
  end if;
  return '{"recorded": true}';
end
$$;
comment on function app.record_insights is
  'What came of a message: {lease_id, status_code?}. Anything but 2xx is tried again, less and less often. Definer: nobody else '
  'writes it; granted to the service role only.';

-- ---------------------------------------------------------------------------------------------------------
-- The RPCs
-- ---------------------------------------------------------------------------------------------------------

create function public.read_insights(request jsonb, idempotency_key text default null)
returns jsonb
language sql
security invoker
set search_path = ''
as $$
  select app.run_operation('read_insights', request, idempotency_key)
$$;
comment on function public.read_insights is
  'For admins: whether insights are sent, and exactly what: {organization_id}. Answers {data, replayed} or {problem}.';

create function public.save_insights(request jsonb, idempotency_key text default null)
returns jsonb
language sql
security invoker
set search_path = ''
as $$
  select app.run_operation('save_insights', request, idempotency_key)
$$;
comment on function public.save_insights is
  'For admins: turns insights on or off: {organization_id, enabled}. Answers {data, replayed} or {problem}.';

create function public.claim_insights(request jsonb, idempotency_key text default null)
returns jsonb
language plpgsql
security invoker
set search_path = ''
as $$
begin
  return jsonb_build_object('data', app.claim_insights(request), 'replayed', false);
exception
  -- Raised, it would carry the value.
  when data_exception then
    return '{"problem": {"code": "validation_failed"}}';
end
$$;
comment on function public.claim_insights is 'For the Edge Function insights-send, with the secret key: a message that is due. Answers {data, replayed}.';

create function public.record_insights(request jsonb, idempotency_key text default null)
returns jsonb
language plpgsql
security invoker
set search_path = ''
as $$
begin
  return jsonb_build_object('data', app.record_insights(request), 'replayed', false);
exception
  -- Raised, it would carry the value.
  when data_exception then
    return '{"problem": {"code": "validation_failed"}}';
end
$$;
comment on function public.record_insights is 'For the Edge Function insights-send, with the secret key: what came of a message. Answers {data, replayed}.';

grant execute on function public.read_insights, public.save_insights to authenticated;
grant execute on function app.claim_insights, app.record_insights, public.claim_insights, public.record_insights to service_role;
