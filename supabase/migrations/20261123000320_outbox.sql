-- Outbox: what the world outside is to be told, written in the transaction in which it happened.
--
-- Promises
--   * An event is there if and only if what it tells of was committed.
--   * No PHI: type, ids, codes.
--   * No API role reaches it; what delivers events reads them in order of id, and keeps those of one subject in order.

create table app.outbox_events (
  id bigint generated always as identity primary key,
  -- Null: of the platform, and of no tenant.
  organization_id uuid,
  type text not null,
  subject_id uuid not null,
  payload jsonb not null default '{}',
  created_at timestamptz not null default clock_timestamp(),
  constraint outbox_events_organization_id_id_key unique (organization_id, id),
  constraint outbox_events_type_form check (type ~ '^[a-z_]+\.[a-z_]+$'),
  constraint outbox_events_payload_is_small_object check (jsonb_typeof(payload) = 'object' and length(payload::text) <= 4000)
);
comment on table app.outbox_events is
  'Events to be delivered, oldest first. subject_id is the row that an event is about: events of one subject are delivered in order.';
comment on column app.outbox_events.payload is 'Ids and codes only. Who is allowed to know more asks for it by subject_id.';
-- For what is old: events come in the order of their time, and BRIN costs who writes them next to nothing.
create index outbox_events_created_at_idx on app.outbox_events using brin (created_at) with (pages_per_range = 16);
alter table app.outbox_events enable row level security;

create function app.emit(organization uuid, type text, subject uuid, payload jsonb default '{}')
returns void
language plpgsql
set search_path = ''
as $$
begin
  insert into app.outbox_events (organization_id, type, subject_id, payload) values (organization, type, subject, payload);
end
$$;
comment on function app.emit is 'Puts an event in the outbox: for definer functions, which alone may write it.';
