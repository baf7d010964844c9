-- Webhook RPCs: how admins say where events go, see what became of them, and send them again.
--
-- Promises
--   * Only who holds manage_webhooks, in their own organization; each change is on record, without the URL, which may hold a key.
--   * A secret is shown by the call that makes it and never again, not even to the same call sent twice.

select audit.add_event_types($$ {
  "rpc.read_webhook_deliveries": "A call was refused.",
  "rpc.read_webhook_endpoints": "A call was refused.",
  "rpc.replay_webhook_deliveries": "A call was refused.",
  "rpc.rotate_webhook_secret": "A call was refused.",
  "rpc.save_webhook_endpoint": "A call was refused.",
  "webhook.replayed": "Messages to an endpoint are sent again.",
  "webhook.rotated": "An endpoint was given a new secret.",
  "webhook.saved": "It was said where events are sent, and which."
} $$);

create function app.check_webhook_manager(organization uuid)
returns void
language plpgsql
stable
set search_path = ''
as $$
begin
  if not organization = any (app.org_ids_with_permission('manage_webhooks')) then
    perform app.refuse('forbidden', 'Your role may not manage webhooks.');
  end if;
end
$$;
comment on function app.check_webhook_manager is 'Refuses who may not manage webhooks of the organization.';

create function app.lock_webhook_endpoint(organization uuid, request jsonb)
returns app.webhook_endpoints
language plpgsql
set search_path = ''
as $$
declare
  endpoint app.webhook_endpoints;
begin
  select it.* into endpoint
  from app.webhook_endpoints it
  where it.organization_id = organization and it.id = (request ->> 'endpoint_id')::uuid
  for no key update;
  if not found then
    perform app.refuse('not_found', 'There is no such endpoint in your organization.');
  end if;
  return endpoint;
end
$$;
comment on function app.lock_webhook_endpoint is 'The endpoint that a request names, locked; refuses where the organization has none such.';

create function app.issue_webhook_secret(organization uuid, endpoint uuid)
returns text
language plpgsql
set search_path = ''
as $$
declare
  -- 244 random bits, as app.new_service_token.
  made constant bytea := sha256(uuid_send(gen_random_uuid()) || uuid_send(gen_random_uuid()));
begin
  insert into app.webhook_secrets (organization_id, endpoint_id, secret) values (organization, endpoint, made);
  return 'whsec_' || encode(made, 'base64');
end
$$;
comment on function app.issue_webhook_secret is 'Makes a signing secret, in the form of the specification: whsec_ and 32 bytes in base64.';

create function app.wanted_event_types(request jsonb)
returns text[]
language plpgsql
stable
set search_path = ''
as $$
declare
  given constant jsonb := nullif(request -> 'event_types', 'null');
  wanted text[];
begin
  if given is null then
    return null;
  elsif jsonb_typeof(given) <> 'array' or jsonb_array_length(given) not between 1 and 100 then
    perform app.refuse_field('event_types', 'invalid_value', 'Must be a list of types of events, or left out for all.');
  end if;
  wanted := array(select distinct it.name from jsonb_array_elements_text(given) it (name) order by it.name);
  if not wanted <@ array(select known.name from app.webhook_event_types known) then
    perform app.refuse_field('event_types', 'invalid_value', 'Must be types of events that are told (docs/webhooks.md).');
  end if;
  return wanted;
end
$$;
comment on function app.wanted_event_types is 'The types of events a request names, null for all, or a refusal.';

create function app.webhook_url(request jsonb)
returns text
language plpgsql
stable
set search_path = ''
as $$
declare
  given constant text := app.plain_text(request, 'url', 1, 2000);
  -- Hosts are the same in any case; paths are not.
  url constant text := lower(substring(given from '^[^/]*//[^/?#]*')) || substring(given from '^[^/]*//[^/?#]*(.*)$');
begin
  if coalesce(
    url !~ '^https://([a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?\.)+[a-z][a-z0-9-]{0,61}[a-z0-9](:443)?([/?][!"$-~]*)?$', true)
  then
    perform app.refuse_field('url', 'invalid_format', 'Must be an https URL of a public host name, on port 443, without a fragment.');
  end if;
  return url;
end
$$;
comment on function app.webhook_url is 'The URL of a request, or a refusal. The constraint of the table has the same form.';

create function app.save_webhook_endpoint(organization uuid, request jsonb)
returns jsonb
language plpgsql
set search_path = ''
as $$
declare
  endpoint app.webhook_endpoints;
  secret text;
begin
  perform app.check_webhook_manager(organization);
  if request ->> 'endpoint_id' is null then
    -- One after the other, or two at once would both be the last one allowed.
    perform pg_advisory_xact_lock(hashtextextended('webhook endpoints of ' || organization, 0));
    if (select count(*) >= 20 from app.webhook_endpoints it where it.organization_id = organization) then
      perform app.refuse_field('url', 'too_many', 'An organization has at most 20 endpoints.');
    end if;
    insert into app.webhook_endpoints (organization_id, url, description, event_types)
    values (organization, app.webhook_url(request),
      case when request ->> 'description' is null then '' else app.plain_text(request, 'description', 0, 200) end,
      app.wanted_event_types(request))
    on conflict (organization_id, url) do nothing
    returning * into endpoint;
    if endpoint.id is null then
      perform app.refuse_field('url', 'duplicate', 'There is an endpoint with this URL already.');
    end if;
    secret := app.issue_webhook_secret(organization, endpoint.id);
  else
    endpoint := app.lock_webhook_endpoint(organization, request);
    if request ? 'url' then
      endpoint.url := app.webhook_url(request);
    end if;
    if request ? 'description' then
      endpoint.description := app.plain_text(request, 'description', 0, 200);
    end if;
    if request ? 'event_types' then
      endpoint.event_types := app.wanted_event_types(request);
    end if;
    if exists (
      select from app.webhook_endpoints other
      where other.organization_id = organization and other.url = endpoint.url and other.id <> endpoint.id)
    then
      perform app.refuse_field('url', 'duplicate', 'There is an endpoint with this URL already.');
    end if;
    update app.webhook_endpoints it
    set description = endpoint.description, event_types = endpoint.event_types
    where it.organization_id = organization and it.id = endpoint.id;
    -- By itself, since it is part of a key: to set it waits for every booking that is told at that moment.
    update app.webhook_endpoints it
    set url = endpoint.url
    where it.organization_id = organization and it.id = endpoint.id and it.url <> endpoint.url;
    if request ? 'status' then
      if coalesce(request ->> 'status' not in ('active', 'disabled'), true) then
        perform app.refuse_field('status', 'invalid_value', 'Must be active or disabled.');
      elsif request ->> 'status' = 'disabled' then
        perform app.end_webhook_endpoint(endpoint.id, 'disabled');
      else
        update app.webhook_endpoints it
        set status = 'active'
        where it.organization_id = organization and it.id = endpoint.id and it.status <> 'active';
      end if;
    end if;
  end if;
  insert into audit.events (organization_id, action, table_name, row_id, details)
  select organization, 'webhook.saved', 'webhook_endpoints', it.id, jsonb_build_object('status', it.status, 'event_types', it.event_types)
  from app.webhook_endpoints it
  where it.organization_id = organization and it.id = endpoint.id;
  return app.webhook_endpoint_json(organization, endpoint.id)
    || case when secret is null then '{}' else jsonb_build_object('secret', secret) end;
end
$$;
comment on function app.save_webhook_endpoint is
  'Makes an endpoint, or with endpoint_id changes what is given of it. To disable one ends what waits for it.';

create function app.webhook_endpoint_json(organization uuid, endpoint uuid)
returns jsonb
language plpgsql
stable
set search_path = ''
as $$
begin
  return (
    select jsonb_build_object(
      'endpoint_id', it.id, 'url', it.url, 'description', it.description, 'event_types', it.event_types, 'status', it.status,
      'created_at', it.created_at, 'updated_at', it.updated_at,
      'pending', (select count(*) from app.webhook_deliveries waiting where waiting.endpoint_id = it.id and waiting.status = 'pending'),
      'previous_secret_ends_at', (
        select max(signing.expires_at)
        from app.webhook_secrets signing
        where signing.organization_id = it.organization_id and signing.endpoint_id = it.id and signing.expires_at > clock_timestamp()))
    from app.webhook_endpoints it
    where it.organization_id = organization and it.id = endpoint);
end
$$;
comment on function app.webhook_endpoint_json is 'An endpoint as admins are shown it.';

create function app.rotate_webhook_secret(organization uuid, request jsonb)
returns jsonb
language plpgsql
set search_path = ''
as $$
declare
  endpoint app.webhook_endpoints;
  overlap integer := 24;
begin
  perform app.check_webhook_manager(organization);
  endpoint := app.lock_webhook_endpoint(organization, request);
  if request ->> 'overlap_hours' is not null then
    if jsonb_typeof(request -> 'overlap_hours') <> 'number' or request ->> 'overlap_hours' !~ '^\d{1,3}$'
      or (request ->> 'overlap_hours')::integer > 168
    then
      perform app.refuse_field('overlap_hours', 'invalid_value', 'Must be a whole number from 0 to 168.');
    end if;
    overlap := (request ->> 'overlap_hours')::integer;
  end if;
  -- Two sign at most: one that had an end already has it now.
  delete from app.webhook_secrets signing
  where signing.organization_id = organization and signing.endpoint_id = endpoint.id and signing.expires_at is not null;
  update app.webhook_secrets signing
  set expires_at = clock_timestamp() + make_interval(hours => overlap)
  where signing.organization_id = organization and signing.endpoint_id = endpoint.id;
  insert into audit.events (organization_id, action, table_name, row_id, details)
  values (organization, 'webhook.rotated', 'webhook_endpoints', endpoint.id, jsonb_build_object('overlap_hours', overlap));
  return jsonb_build_object('secret', app.issue_webhook_secret(organization, endpoint.id))
    || app.webhook_endpoint_json(organization, endpoint.id);
end
$$;
comment on function app.rotate_webhook_secret is
  'Makes a new secret, shown this once; the one before it signs along for overlap_hours (24 if left out, at most 168).';

create function app.read_webhook_endpoints(organization uuid, request jsonb)
returns jsonb
language plpgsql
stable
set search_path = ''
as $$
begin
  perform app.check_webhook_manager(organization);
  return jsonb_build_object('endpoints', (
    select coalesce(jsonb_agg(app.webhook_endpoint_json(organization, it.id) order by it.created_at, it.id), '[]')
    from app.webhook_endpoints it
    where it.organization_id = organization));
end
$$;
comment on function app.read_webhook_endpoints is 'The endpoints of an organization, oldest first.';

create function app.read_webhook_deliveries(organization uuid, request jsonb)
returns jsonb
language plpgsql
stable
set search_path = ''
as $$
declare
  endpoint constant uuid := (
    select it.id from app.webhook_endpoints it
    where it.organization_id = organization and it.id = (request ->> 'endpoint_id')::uuid);
  wanted constant text := request ->> 'status';
  size constant integer := app.page_size(request);
  page jsonb;
begin
  perform app.check_webhook_manager(organization);
  if endpoint is null then
    perform app.refuse('not_found', 'There is no such endpoint in your organization.');
  elsif wanted not in ('pending', 'delivered', 'dead') then
    perform app.refuse_field('status', 'invalid_value', 'Must be pending, delivered or dead.');
  end if;
  select coalesce(jsonb_agg(it.shown order by it.event_id desc), '[]') into page
  from (
    select delivery.event_id, jsonb_build_object(
      'delivery_id', delivery.id, 'type', event.type, 'subject_id', delivery.subject_id, 'status', delivery.status,
      'created_at', delivery.created_at, 'ended_at', delivery.ended_at,
      'next_attempt_at', case when delivery.status = 'pending' then delivery.next_attempt_at end,
      'attempts', (
        select coalesce(jsonb_agg(jsonb_build_object(
            'number', attempt.number, 'attempted_at', attempt.attempted_at, 'duration_ms', attempt.duration_ms,
            'status_code', attempt.status_code, 'error', attempt.error) order by attempt.number), '[]')
        from app.webhook_attempts attempt
        where attempt.delivery_id = delivery.id)) as shown
    from app.webhook_deliveries delivery
    join app.outbox_events event on event.id = delivery.event_id
    where delivery.organization_id = organization and delivery.endpoint_id = endpoint
      and (wanted is null or delivery.status = wanted)
      and (request ->> 'after' is null or delivery.event_id < (
        select last.event_id from app.webhook_deliveries last
        where last.organization_id = organization and last.endpoint_id = endpoint and last.id = (request ->> 'after')::uuid))
    order by delivery.event_id desc
    limit size + 1
  ) it;
  return jsonb_build_object(
    'deliveries', case when jsonb_array_length(page) > size then page - size else page end,
    'next', case when jsonb_array_length(page) > size then page -> (size - 1) -> 'delivery_id' end);
end
$$;
comment on function app.read_webhook_deliveries is 'What was and is to be sent to an endpoint, newest first, with each attempt.';

create function app.replay_webhook_deliveries(organization uuid, request jsonb)
returns jsonb
language plpgsql
set search_path = ''
as $$
declare
  endpoint app.webhook_endpoints;
  named constant jsonb := nullif(request -> 'delivery_ids', 'null');
  ids uuid[];
  replayed integer;
begin
  perform app.check_webhook_manager(organization);
  endpoint := app.lock_webhook_endpoint(organization, request);
  if endpoint.status <> 'active' then
    perform app.refuse_field('endpoint_id', 'not_active', 'The endpoint is not active.');
  elsif named is not null and (jsonb_typeof(named) <> 'array' or jsonb_array_length(named) not between 1 and 200) then
    perform app.refuse_field('delivery_ids', 'invalid_value', 'Must be 1 to 200 deliveries, or left out for all that are dead.');
  end if;
  ids := case when named is null
    then array(
      select delivery.id
      from app.webhook_deliveries delivery
      where delivery.organization_id = organization and delivery.endpoint_id = endpoint.id and delivery.status = 'dead'
      order by delivery.event_id
      limit 1000)
    else array(select it.id::uuid from jsonb_array_elements_text(named) it (id))
  end;
  update app.webhook_deliveries delivery
  set status = 'pending', attempts = 0, next_attempt_at = clock_timestamp(), ended_at = null
  where delivery.organization_id = organization and delivery.endpoint_id = endpoint.id and delivery.id = any (ids)
    and delivery.status <> 'pending';
  get diagnostics replayed = row_count;
  insert into audit.events (organization_id, action, table_name, row_id, details)
  values (organization, 'webhook.replayed', 'webhook_endpoints', endpoint.id, jsonb_build_object('deliveries', replayed));
  return jsonb_build_object('endpoint_id', endpoint.id, 'replayed', replayed);
end
$$;
comment on function app.replay_webhook_deliveries is
  'Sends deliveries again, as the same messages: those named, delivered ones too, or the oldest 1000 that are dead.';

-- ---------------------------------------------------------------------------------------------------------
-- The RPCs: thin, and through app.run_operation
-- ---------------------------------------------------------------------------------------------------------

create function public.save_webhook_endpoint(request jsonb, idempotency_key text default null)
returns jsonb
language sql
security invoker
set search_path = ''
as $$
  select app.run_operation('save_webhook_endpoint', request, idempotency_key)
$$;
comment on function public.save_webhook_endpoint is
  'For admins: makes an endpoint, {organization_id, url, description?, event_types?}, and shows its secret; or changes one, {organization_id, endpoint_id, ...}. Answers {data, replayed} or {problem}.';

create function public.rotate_webhook_secret(request jsonb, idempotency_key text default null)
returns jsonb
language sql
security invoker
set search_path = ''
as $$
  select app.run_operation('rotate_webhook_secret', request, idempotency_key)
$$;
comment on function public.rotate_webhook_secret is
  'For admins: a new secret, shown this once: {organization_id, endpoint_id, overlap_hours?}. Answers {data, replayed} or {problem}.';

create function public.read_webhook_endpoints(request jsonb, idempotency_key text default null)
returns jsonb
language sql
security invoker
set search_path = ''
as $$
  select app.run_operation('read_webhook_endpoints', request, idempotency_key)
$$;
comment on function public.read_webhook_endpoints is
  'For admins: the endpoints: {organization_id}. Answers {data, replayed} or {problem}.';

create function public.read_webhook_deliveries(request jsonb, idempotency_key text default null)
returns jsonb
language sql
security invoker
set search_path = ''
as $$
  select app.run_operation('read_webhook_deliveries', request, idempotency_key)
$$;
comment on function public.read_webhook_deliveries is
  'For admins: what was sent to an endpoint, newest first: {organization_id, endpoint_id, status?, after?, limit?}. Answers {data, replayed} or {problem}.';

create function public.replay_webhook_deliveries(request jsonb, idempotency_key text default null)
returns jsonb
language sql
security invoker
set search_path = ''
as $$
  select app.run_operation('replay_webhook_deliveries', request, idempotency_key)
$$;
comment on function public.replay_webhook_deliveries is
  'For admins: sends again: {organization_id, endpoint_id, delivery_ids?}; left out, what is dead. Answers {data, replayed} or {problem}.';

grant execute on function
  public.save_webhook_endpoint,
  public.rotate_webhook_secret,
  public.read_webhook_endpoints,
  public.read_webhook_deliveries,
  public.replay_webhook_deliveries
to authenticated;
