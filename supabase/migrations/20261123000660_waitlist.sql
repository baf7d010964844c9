-- Waitlist: who waits for a time to come free, and when they could come.
--
-- Promises
--   * An entry has at most one live offer, and the offer is a hold (session_holds.waitlist_entry_id): nobody else can
--     have the time while it lasts.
--   * A client waits for a service once.

create table public.waitlist_entries (
  id uuid primary key default gen_random_uuid(),
  organization_id uuid not null,
  client_id uuid not null,
  service_id uuid not null,
  therapist_id uuid,
  duration_minutes integer not null,
  wanted_from date not null,
  wanted_until date,
  time_zone text not null references app.time_zones (name),
  status text not null default 'waiting',
  status_changed_at timestamptz not null,
  status_changed_by uuid,
  created_at timestamptz not null,
  created_by uuid,
  updated_at timestamptz not null,
  updated_by uuid,
  constraint waitlist_entries_organization_id_id_key unique (organization_id, id),
  constraint waitlist_entries_client_key unique (organization_id, id, client_id),
  constraint waitlist_entries_client_fkey
    foreign key (organization_id, client_id) references public.clients (organization_id, id),
  constraint waitlist_entries_service_fkey
    foreign key (organization_id, service_id) references public.services (organization_id, id),
  constraint waitlist_entries_therapist_fkey
    foreign key (organization_id, therapist_id) references public.therapists (organization_id, id),
  constraint waitlist_entries_duration_range check (duration_minutes between 1 and 1440),
  constraint waitlist_entries_date_order check (wanted_until >= wanted_from),
  constraint waitlist_entries_status_known check (status in ('waiting', 'booked', 'withdrawn'))
);
comment on table public.waitlist_entries is
  'A client who waits for a time of a service, with a therapist or any of the care team, first come first served.';
create index waitlist_entries_client_idx on public.waitlist_entries (client_id);
create index waitlist_entries_service_idx on public.waitlist_entries (organization_id, service_id);
create index waitlist_entries_therapist_idx on public.waitlist_entries (organization_id, therapist_id);
create unique index waitlist_entries_one_waiting_idx on public.waitlist_entries (client_id, service_id)
  where status = 'waiting';
create index waitlist_entries_waiting_idx on public.waitlist_entries (organization_id, created_at) where status = 'waiting';
select app.add_stamps('public.waitlist_entries', 'status');

create table public.waitlist_times (
  id uuid primary key default gen_random_uuid(),
  organization_id uuid not null,
  entry_id uuid not null,
  client_id uuid not null,
  weekday smallint not null,
  local_start time not null,
  local_end time not null,
  created_at timestamptz not null,
  created_by uuid,
  updated_at timestamptz not null,
  updated_by uuid,
  constraint waitlist_times_entry_fkey
    foreign key (organization_id, entry_id, client_id)
    references public.waitlist_entries (organization_id, id, client_id),
  constraint waitlist_times_weekday_known check (weekday between 1 and 7),
  constraint waitlist_times_time_order check (local_end > local_start),
  constraint waitlist_times_no_overlap exclude using gist (
    entry_id with =, weekday with =,
    int4range(extract(epoch from local_start)::integer, extract(epoch from local_end)::integer) with &&)
);
comment on table public.waitlist_times is
  'When a waiting client could come: weekly hours by the wall clock of the entry''s zone.';
comment on column public.waitlist_times.weekday is 'ISO 8601: 1 is Monday, 7 is Sunday.';
create index waitlist_times_organization_idx on public.waitlist_times (organization_id);
create index waitlist_times_entry_idx on public.waitlist_times (entry_id);
create index waitlist_times_client_idx on public.waitlist_times (client_id);
select app.add_stamps('public.waitlist_times');

alter table public.waitlist_entries enable row level security;
alter table public.waitlist_times enable row level security;
-- Written by RPCs: joining takes an entry and its times together.
grant select on public.waitlist_entries, public.waitlist_times to authenticated, service_role;

create policy "families, care teams and schedulers see who waits" on public.waitlist_entries
  for select to authenticated
  using (
    client_id = any ((select app.my_client_ids())::uuid[])
    or client_id = any ((select app.guarded_client_ids())::uuid[])
    or organization_id = any ((select app.org_ids_with_role('internal_ops', 'admin', 'super_admin'))::uuid[])
  );
create policy "families, care teams and schedulers see wanted times" on public.waitlist_times
  for select to authenticated
  using (
    client_id = any ((select app.my_client_ids())::uuid[])
    or client_id = any ((select app.guarded_client_ids())::uuid[])
    or organization_id = any ((select app.org_ids_with_role('internal_ops', 'admin', 'super_admin'))::uuid[])
  );
select app.require_second_factor('public.waitlist_entries');
select app.require_second_factor('public.waitlist_times');
