-- Webhook delivery: what the Edge Function webhooks-deliver claims, and what becomes of it.
--
-- Promises
--   * At least once: what was claimed and not recorded is due again when its lease ends, under the same id.
--   * Several deliverers at once send each message once a lease, and of one subject never a later event before the earlier is
--     delivered or dead.
--   * Receivers that are slow keep waiting whom they belong to, and no other organization.
--   * Only the service role claims and records; the secrets leave the database on no other way.

create function app.webhook_message(event app.outbox_events)
returns text
language plpgsql
stable
set search_path = ''
set timezone = 'UTC'
as $$
begin
  return jsonb_build_object(
    'type', event.type,
    'timestamp', to_char(event.created_at, 'YYYY-MM-DD"T"HH24:MI:SS.US"Z"'),
    'data', event.payload || jsonb_build_object('id', event.subject_id, 'organization_id', event.organization_id));
end
$$;
comment on function app.webhook_message is 'The body that is signed and sent, the same bytes in every attempt: {type, timestamp, data}.';

create function app.claim_webhook_deliveries(request jsonb)
returns jsonb
language plpgsql
security definer
set search_path = ''
as $$
declare
  lease constant uuid := gen_random_uuid();
  only_organization constant uuid := request ->> 'organization_id';
  at_most constant integer := app.page_size(request, 50);
  -- Of whom so many are on their way, more would take the deliverers from all others.
  busy constant uuid[] := array(
    select leased.organization_id
    from app.webhook_deliveries leased
    where leased.lease_id is not null and leased.status = 'pending' and leased.next_attempt_at > (select clock_timestamp())
    group by leased.organization_id
    having count(*) >= 50);
  deliveries jsonb;
begin
  with due as (
    select delivery.id
    from app.webhook_deliveries delivery
    where delivery.status = 'pending' and delivery.next_attempt_at <= (select clock_timestamp())
      and (only_organization is null or delivery.organization_id = only_organization)
      and delivery.organization_id <> all (busy)
      and exists (
        select from app.webhook_endpoints endpoint where endpoint.id = delivery.endpoint_id and endpoint.status = 'active')
      and not exists (
        select from app.webhook_deliveries earlier
        where earlier.endpoint_id = delivery.endpoint_id and earlier.subject_id = delivery.subject_id
          and earlier.status = 'pending' and earlier.event_id < delivery.event_id)
    -- What was never tried goes first, so that an endpoint that is down does not keep the others waiting.
    order by delivery.attempts, delivery.next_attempt_at
    limit at_most
    for no key update skip locked
  ), claimed as (
    update app.webhook_deliveries delivery
    set lease_id = lease, next_attempt_at = clock_timestamp() + interval '60 seconds'
    from due
    where delivery.id = due.id
    returning delivery.id, delivery.organization_id, delivery.endpoint_id, delivery.event_id
  )
  select jsonb_agg(jsonb_build_object(
      'id', claimed.id, 'url', endpoint.url, 'body', app.webhook_message(event),
      'secrets', (
        select jsonb_agg('whsec_' || encode(signing.secret, 'base64') order by signing.created_at desc)
        from app.webhook_secrets signing
        where signing.organization_id = claimed.organization_id and signing.endpoint_id = claimed.endpoint_id
          and (signing.expires_at is null or signing.expires_at > clock_timestamp())))
    order by claimed.event_id)
  into deliveries
  from claimed
  join app.webhook_endpoints endpoint on endpoint.id = claimed.endpoint_id
  join app.outbox_events event on event.id = claimed.event_id;
  return jsonb_build_object('lease_id', lease, 'deliveries', coalesce(deliveries, '[]'));
end
$$;
comment on function app.claim_webhook_deliveries is
  'Deliveries that are due, each the oldest of its subject, for 60 seconds the caller''s alone: {organization_id?, limit?}; none of an '
  'organization of which 50 are on their way. Definer: '
  'nobody reads secrets but who signs with them; granted to the service role only.';

create function app.end_webhook_endpoint(endpoint uuid, as_status text)
returns void
language plpgsql
set search_path = ''
as $$
begin
  update app.webhook_endpoints it set status = as_status where it.id = endpoint and it.status <> as_status;
  update app.webhook_deliveries delivery
  set status = 'dead', ended_at = clock_timestamp(), lease_id = null
  where delivery.endpoint_id = endpoint and delivery.status = 'pending';
end
$$;
comment on function app.end_webhook_endpoint is 'Sends nothing more to an endpoint; what waited is dead, and may be replayed when it is active again.';

create function app.record_webhook_attempt(request jsonb)
returns jsonb
language plpgsql
security definer
set search_path = ''
as $$
declare
  answered constant integer := request ->> 'status_code';
  delivery app.webhook_deliveries;
  wait interval;
begin
  -- Endpoints are locked before their deliveries, here and where admins change them.
  perform
  from app.webhook_endpoints endpoint
  where endpoint.id = (
    select it.endpoint_id from app.webhook_deliveries it where it.id = (request ->> 'delivery_id')::uuid)
  for no key update;
  select it.* into delivery
  from app.webhook_deliveries it
  where it.id = (request ->> 'delivery_id')::uuid and it.status = 'pending' and it.lease_id = (request ->> 'lease_id')::uuid
  for no key update;
  -- Its lease is another's by now, who will say.
  if not found then
    return '{"recorded": false}';
  end if;

  insert into app.webhook_attempts (delivery_id, number, duration_ms, status_code, error)
  select delivery.id, coalesce(max(before.number), 0) + 1, (request ->> 'duration_ms')::integer, answered, request ->> 'error'
  from app.webhook_attempts before
  where before.delivery_id = delivery.id;
  wait := (select retry.wait from app.webhook_retries retry where retry.attempt = delivery.attempts + 1);

  update app.webhook_deliveries it
  set attempts = it.attempts + 1, lease_id = null,
    status = outcome.status,
    ended_at = case when outcome.status <> 'pending' then clock_timestamp() end,
    -- Up to a fifth longer, so that what failed together does not come back together.
    next_attempt_at = clock_timestamp() + coalesce(wait * (1 + random() / 5), '0')
  from (
    select case
      when answered between 200 and 299 then 'delivered'
      when answered = 410 or wait is null then 'dead'
      else 'pending'
    end
  ) outcome (status)
  where it.id = delivery.id
  returning it.* into delivery;
  -- What comes after it cannot be sent before it: due by then and not now, or each claim would look at it in vain.
  if delivery.status = 'pending' then
    update app.webhook_deliveries it
    set next_attempt_at = delivery.next_attempt_at
    where it.id in (
      select behind.id
      from app.webhook_deliveries behind
      where behind.endpoint_id = delivery.endpoint_id and behind.subject_id = delivery.subject_id
        and behind.event_id > delivery.event_id and behind.status = 'pending' and behind.next_attempt_at < delivery.next_attempt_at
      -- Whoever changes many at once is not waited for: that could be a deadlock.
      for no key update skip locked);
  end if;
  if answered = 410 then
    perform app.end_webhook_endpoint(delivery.endpoint_id, 'gone');
  end if;
  return '{"recorded": true}';
end
$$;
comment on function app.record_webhook_attempt is
  'What came of a delivery: {delivery_id, lease_id, duration_ms, status_code | error}. 2xx ends it, 410 ends the endpoint, all else is tried '
  'again. Definer: nobody else writes deliveries; granted to the service role only.';

create function public.claim_webhook_deliveries(request jsonb, idempotency_key text default null)
returns jsonb
language plpgsql
security invoker
set search_path = ''
as $$
begin
  return jsonb_build_object('data', app.claim_webhook_deliveries(request), 'replayed', false);
exception
  -- Raised, it would carry the value.
  when data_exception or sqlstate 'HF000' then
    return '{"problem": {"code": "validation_failed"}}';
end
$$;
comment on function public.claim_webhook_deliveries is 'For the Edge Function webhooks-deliver, with the secret key: what is due. Answers {data, replayed}.';

create function public.record_webhook_attempt(request jsonb, idempotency_key text default null)
returns jsonb
language plpgsql
security invoker
set search_path = ''
as $$
begin
  return jsonb_build_object('data', app.record_webhook_attempt(request), 'replayed', false);
exception
  -- Raised, it would carry the value.
  when data_exception or sqlstate 'HF000' then
    return '{"problem": {"code": "validation_failed"}}';
end
$$;
comment on function public.record_webhook_attempt is
  'For the Edge Function webhooks-deliver, with the secret key: what came of a delivery. Answers {data, replayed}.';

grant execute on function
  app.claim_webhook_deliveries, app.record_webhook_attempt, public.claim_webhook_deliveries, public.record_webhook_attempt
to service_role;
