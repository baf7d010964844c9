-- Webhooks: where an organization wants to be told what happens, and what is to be sent there.
--
-- Promises
--   * Which events are told outside is one declared list, app.webhook_event_types. An event is put in the outbox, and a delivery
--     made for each endpoint that wants it, in the transaction of what it tells of: it is told if that happened, and only then.
--   * A message holds ids and codes, no PHI: who may know more asks for it by the id.
--   * No API role reaches these tables; admins see them through RPCs. A signing secret is shown once, when it is made.
--   * An organization without an endpoint pays for none of it but one look.

create table app.webhook_event_types (
  name text primary key,
  summary text not null,
  constraint webhook_event_types_name_form check (name ~ '^[a-z_]+\.[a-z_]+$')
);
comment on table app.webhook_event_types is
  'The events that are told outside: of those the trail has, by app.publish_events; the others by who calls app.emit.';
alter table app.webhook_event_types enable row level security;
insert into app.webhook_event_types (name, summary) values
  ('access_alert.raised', 'Unusual access, a broken glass or a note that does not open: admins should look.'),
  ('authorization.expiring', 'An authorization ends soon.'),
  ('authorization.low_balance', 'An authorization has few units left.'),
  ('authorization.overdrawn', 'More was booked than was authorized, on purpose.'),
  ('consent.signed', 'A consent was signed.'),
  ('consent.terminated', 'A consent was ended.'),
  ('document.stored', 'A document was uploaded.'),
  ('hold.confirmed', 'A hold became a session, which has the hold''s id unless it existed before.'),
  ('hold.created', 'Time was held.'),
  ('hold.expired', 'A hold ran out.'),
  ('hold.released', 'A hold was given back.'),
  ('note.cosigned', 'A note was co-signed.'),
  ('note.signed', 'A note was signed.'),
  ('session.cancelled', 'A session was cancelled.'),
  ('session.completed', 'A session took place.'),
  ('session.corrected', 'What was marked of a session was corrected.'),
  ('session.moved', 'A session was given other people, another room or another time.'),
  ('session.no_show', 'The client did not come to a session.'),
  ('session.scheduled', 'A session was booked.'),
  ('session.started', 'A session began.'),
  ('waitlist.booked', 'An offer was accepted.'),
  ('waitlist.joined', 'A client was put on the waitlist.'),
  ('waitlist.offered', 'Freed time was offered to who waits for it.'),
  ('waitlist.withdrawn', 'A client was taken off the waitlist.');

-- ---------------------------------------------------------------------------------------------------------
-- Endpoints
-- ---------------------------------------------------------------------------------------------------------

create table app.webhook_endpoints (
  id uuid primary key default gen_random_uuid(),
  organization_id uuid not null references public.organizations (id),
  url text not null,
  description text not null default '',
  event_types text[],
  status text not null default 'active',
  status_changed_at timestamptz not null,
  status_changed_by uuid,
  created_at timestamptz not null,
  created_by uuid,
  updated_at timestamptz not null,
  updated_by uuid,
  constraint webhook_endpoints_organization_id_id_key unique (organization_id, id),
  constraint webhook_endpoints_organization_id_url_key unique (organization_id, url),
  -- A name with a dot and a last label of letters: no address in any of its spellings, no name of this machine or its network,
  -- no other port, no user. What the name resolves to is judged at each delivery.
  constraint webhook_endpoints_url_form check (
    length(url) <= 2000
    and url ~ '^https://([a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?\.)+[a-z][a-z0-9-]{0,61}[a-z0-9](:443)?([/?][!"$-~]*)?$'),
  constraint webhook_endpoints_description_length check (length(description) <= 200),
  constraint webhook_endpoints_event_types_some check (cardinality(event_types) > 0 and array_position(event_types, null) is null),
  constraint webhook_endpoints_status_known check (status in ('active', 'disabled', 'gone'))
);
comment on table app.webhook_endpoints is 'Where an organization wants to be told of events.';
comment on column app.webhook_endpoints.event_types is 'What it wants to be told of; null: everything.';
comment on column app.webhook_endpoints.status is 'disabled: by an admin. gone: it answered 410, an admin may make it active again.';
select app.add_stamps('app.webhook_endpoints', 'status');
alter table app.webhook_endpoints enable row level security;

create table app.webhook_secrets (
  id uuid primary key default gen_random_uuid(),
  organization_id uuid not null,
  endpoint_id uuid not null,
  secret bytea not null,
  created_at timestamptz not null default clock_timestamp(),
  expires_at timestamptz,
  constraint webhook_secrets_endpoint_fkey
    foreign key (organization_id, endpoint_id) references app.webhook_endpoints (organization_id, id),
  constraint webhook_secrets_secret_length check (length(secret) = 32)
);
comment on table app.webhook_secrets is
  'What messages are signed with: as it is, since a signature needs it. The newest has no end; the one before it signs along until it ends.';
create index webhook_secrets_endpoint_idx on app.webhook_secrets (organization_id, endpoint_id);
alter table app.webhook_secrets enable row level security;

-- ---------------------------------------------------------------------------------------------------------
-- Deliveries
-- ---------------------------------------------------------------------------------------------------------

create table app.webhook_retries (
  attempt integer primary key,
  wait interval not null,
  constraint webhook_retries_attempt_positive check (attempt > 0),
  constraint webhook_retries_wait_positive check (wait > '0')
);
comment on table app.webhook_retries is
  'How long is waited after an attempt failed, by its number; after one without a row the delivery is dead. As the specification suggests.';
insert into app.webhook_retries (attempt, wait) values
  (1, '5 seconds'), (2, '5 minutes'), (3, '30 minutes'), (4, '2 hours'), (5, '5 hours'), (6, '10 hours'), (7, '14 hours'),
  (8, '20 hours'), (9, '24 hours');
alter table app.webhook_retries enable row level security;

create table app.webhook_deliveries (
  -- Also what the receiver knows the message by, in every attempt.
  id uuid primary key default gen_random_uuid(),
  organization_id uuid not null,
  endpoint_id uuid not null,
  event_id bigint not null,
  subject_id uuid not null,
  status text not null default 'pending',
  attempts integer not null default 0,
  next_attempt_at timestamptz not null default clock_timestamp(),
  lease_id uuid,
  created_at timestamptz not null default clock_timestamp(),
  ended_at timestamptz,
  constraint webhook_deliveries_endpoint_fkey
    foreign key (organization_id, endpoint_id) references app.webhook_endpoints (organization_id, id),
  constraint webhook_deliveries_event_fkey foreign key (organization_id, event_id) references app.outbox_events (organization_id, id),
  constraint webhook_deliveries_one_per_event_and_endpoint unique (endpoint_id, event_id),
  constraint webhook_deliveries_status_known check (status in ('pending', 'delivered', 'dead')),
  constraint webhook_deliveries_attempts_not_negative check (attempts >= 0),
  constraint webhook_deliveries_ends_once check ((status = 'pending') = (ended_at is null))
) with (fillfactor = 85);
comment on table app.webhook_deliveries is
  'An event on its way to an endpoint. Of one subject, only the oldest pending one is sent. Who claims one moves next_attempt_at to '
  'the end of the lease and leaves its lease_id.';
-- As they are claimed, so that a claim reads what it takes and not all that waits.
create index webhook_deliveries_due_idx on app.webhook_deliveries (attempts, next_attempt_at) where status = 'pending';
create index webhook_deliveries_leased_idx on app.webhook_deliveries (organization_id) where lease_id is not null;
create index webhook_deliveries_ended_idx on app.webhook_deliveries (ended_at) where status <> 'pending';
create index webhook_deliveries_in_order_idx on app.webhook_deliveries (endpoint_id, subject_id, event_id) where status = 'pending';
create index webhook_deliveries_organization_id_event_id_idx on app.webhook_deliveries (organization_id, event_id);
alter table app.webhook_deliveries enable row level security;

create table app.webhook_attempts (
  delivery_id uuid not null references app.webhook_deliveries (id) on delete cascade,
  number integer not null,
  attempted_at timestamptz not null default clock_timestamp(),
  duration_ms integer not null,
  status_code integer,
  error text,
  primary key (delivery_id, number),
  constraint webhook_attempts_answered_or_failed check (num_nonnulls(status_code, error) = 1),
  constraint webhook_attempts_status_code_range check (status_code between 100 and 999),
  constraint webhook_attempts_error_form check (error ~ '^[a-z_]{1,40}$'),
  constraint webhook_attempts_duration_not_negative check (duration_ms >= 0)
);
comment on table app.webhook_attempts is 'The log of deliveries: what an endpoint answered, or why it did not. Nothing of the answer''s text.';
alter table app.webhook_attempts enable row level security;

-- ---------------------------------------------------------------------------------------------------------
-- From the trail to the outbox to the endpoints
-- ---------------------------------------------------------------------------------------------------------

create function app.publish_events()
returns trigger
language plpgsql
security definer
set search_path = ''
as $$
begin
  -- The one look that an organization without an endpoint pays for: an insert of nothing costs ten times as much.
  if not exists (
    select
    from new_rows event
    join app.webhook_endpoints endpoint on endpoint.organization_id = event.organization_id and endpoint.status = 'active')
  then
    return null;
  end if;
  insert into app.outbox_events (organization_id, type, subject_id, payload)
  select event.organization_id, event.action, event.row_id, jsonb_build_object('object', event.table_name)
  from new_rows event
  where event.decision = 'allow' and event.row_id is not null
    and exists (
      select from app.webhook_endpoints endpoint
      where endpoint.organization_id = event.organization_id and endpoint.status = 'active'
        and (endpoint.event_types is null or event.action = any (endpoint.event_types)))
    and exists (select from app.webhook_event_types published where published.name = event.action)
  order by event.id;
  return null;
end
$$;
comment on function app.publish_events is
  'Puts events of the trail in the outbox that somebody wants to be told of. Definer: who writes the trail need not reach the outbox.';
create trigger publish_events after insert on audit.events
  referencing new table as new_rows for each statement execute function app.publish_events();

create function app.fan_out_events()
returns trigger
language plpgsql
security definer
set search_path = ''
as $$
begin
  insert into app.webhook_deliveries (organization_id, endpoint_id, event_id, subject_id)
  select event.organization_id, endpoint.id, event.id, event.subject_id
  from new_rows event
  join app.webhook_endpoints endpoint on endpoint.organization_id = event.organization_id
  where endpoint.status = 'active' and (endpoint.event_types is null or event.type = any (endpoint.event_types))
  order by event.id, endpoint.id;
  return null;
end
$$;
comment on function app.fan_out_events is
  'Makes a delivery of each event for each endpoint that wants it. Definer: who emits an event need not reach the deliveries.';
create trigger fan_out_events after insert on app.outbox_events
  referencing new table as new_rows for each statement execute function app.fan_out_events();
