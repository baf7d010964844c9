-- Sessions: groups, sessions and holds as rows.
--
-- Promises
--   * public.sessions is safe by itself: no therapist has two live sessions at once outside a group's slot.
--   * The members of a group share its therapist, service and time, and are never more than its capacity. The members
--     of a team share its client, service and time.
--   * A session's status moves only along app.session_transitions, and no API role writes it but through RPCs.
--   * What took place has its actual times, and nothing else has. Attendance is read off the status: there is no second truth.
--   * No therapist was in two sessions at once, by the actual times either, outside a group's slot.

create table public.session_groups (
  id uuid primary key default gen_random_uuid(),
  organization_id uuid not null,
  therapist_id uuid not null,
  service_id uuid not null,
  is_group boolean not null default true,
  start_time timestamptz not null,
  end_time timestamptz not null,
  capacity smallint not null default 8,
  members smallint not null default 0,
  created_at timestamptz not null,
  created_by uuid,
  updated_at timestamptz not null,
  updated_by uuid,
  constraint session_groups_members_key
    unique (organization_id, id, therapist_id, service_id, start_time, end_time),
  constraint session_groups_therapist_fkey
    foreign key (organization_id, therapist_id) references public.therapists (organization_id, id),
  constraint session_groups_service_fkey
    foreign key (organization_id, service_id, is_group) references public.services (organization_id, id, is_group),
  constraint session_groups_of_group_services_only check (is_group),
  constraint session_groups_time_order check (end_time > start_time),
  constraint session_groups_capacity_range check (capacity between 1 and 50),
  constraint session_groups_not_over_capacity check (members between 0 and capacity)
);
comment on table public.session_groups is
  'One slot of a therapist that several clients share. Every member session has the group''s therapist, service and '
  'time, by foreign key: moving the group moves its members.';
comment on column public.session_groups.members is 'Live holds and sessions in the group. Counted by the ledger only.';
create index session_groups_therapist_idx on public.session_groups (therapist_id);
create index session_groups_service_idx on public.session_groups (organization_id, service_id);
select app.add_stamps('public.session_groups');

create table public.session_teams (
  id uuid primary key default gen_random_uuid(),
  organization_id uuid not null,
  client_id uuid not null,
  service_id uuid not null,
  is_team boolean not null default true,
  start_time timestamptz not null,
  end_time timestamptz not null,
  created_at timestamptz not null,
  created_by uuid,
  updated_at timestamptz not null,
  updated_by uuid,
  constraint session_teams_members_key
    unique (organization_id, id, client_id, service_id, start_time, end_time),
  constraint session_teams_client_fkey
    foreign key (organization_id, client_id) references public.clients (organization_id, id),
  constraint session_teams_service_fkey
    foreign key (organization_id, service_id, is_team) references public.services (organization_id, id, is_team),
  constraint session_teams_of_team_services_only check (is_team),
  constraint session_teams_time_order check (end_time > start_time)
);
comment on table public.session_teams is
  'One slot of a client that several technicians share (0362T, 0373T). Every member session has the team''s client, '
  'service and time, by foreign key: moving the team moves its members.';
create index session_teams_client_idx on public.session_teams (client_id);
create index session_teams_service_idx on public.session_teams (organization_id, service_id);
select app.add_stamps('public.session_teams');

create table public.sessions (
  id uuid primary key default gen_random_uuid(),
  organization_id uuid not null,
  therapist_id uuid not null,
  client_id uuid not null,
  room_id uuid,
  service_id uuid not null,
  client_lane smallint not null,
  takes_every_lane boolean not null,
  buffer_before_minutes smallint not null,
  buffer_after_minutes smallint not null,
  group_id uuid,
  team_id uuid,
  start_time timestamptz not null,
  end_time timestamptz not null,
  time_zone text not null references app.time_zones (name),
  slot_id uuid not null generated always as (coalesce(group_id, team_id, id)) stored,
  claim_id uuid not null,
  series_id uuid,
  occurrence_start timestamptz,
  status text not null default 'scheduled',
  place_of_service text,
  actual_start_time timestamptz,
  actual_end_time timestamptz,
  attendance text generated always as (
    case status
      when 'completed' then 'attended'
      when 'no_show' then 'no_show'
      when 'cancelled' then 'cancelled_by_' || cancelled_by
    end) stored,
  corrected_at timestamptz,
  cancelled_by text,
  cancellation_reason text,
  cancellation_notice_minutes integer,
  late_cancellation boolean,
  version integer not null default 1,
  status_changed_at timestamptz not null,
  status_changed_by uuid,
  created_at timestamptz not null,
  created_by uuid,
  updated_at timestamptz not null,
  updated_by uuid,
  constraint sessions_organization_id_id_key unique (organization_id, id),
  constraint sessions_claim_id_key unique (claim_id),
  constraint sessions_therapist_fkey
    foreign key (organization_id, therapist_id) references public.therapists (organization_id, id),
  constraint sessions_client_fkey
    foreign key (organization_id, client_id) references public.clients (organization_id, id),
  constraint sessions_room_fkey
    foreign key (organization_id, room_id) references public.rooms (organization_id, id),
  constraint sessions_service_fkey
    foreign key (organization_id, service_id, client_lane) references public.services (organization_id, id, client_lane),
  constraint sessions_group_fkey
    foreign key (organization_id, group_id, therapist_id, service_id, start_time, end_time)
    references public.session_groups (organization_id, id, therapist_id, service_id, start_time, end_time)
    on update cascade,
  constraint sessions_team_fkey
    foreign key (organization_id, team_id, client_id, service_id, start_time, end_time)
    references public.session_teams (organization_id, id, client_id, service_id, start_time, end_time)
    on update cascade,
  constraint sessions_series_fkey
    foreign key (organization_id, series_id) references public.session_series (organization_id, id),
  constraint sessions_group_or_team check (num_nonnulls(group_id, team_id) <= 1),
  constraint sessions_occurrence_of_a_series check ((series_id is null) = (occurrence_start is null)),
  constraint sessions_buffer_range
    check (buffer_before_minutes between 0 and 240 and buffer_after_minutes between 0 and 240),
  constraint sessions_time_order check (end_time > start_time),
  constraint sessions_at_most_a_day check (end_time - start_time <= interval '24 hours'),
  constraint sessions_time_finite check (isfinite(start_time) and isfinite(end_time)),
  constraint sessions_status_known
    check (status in ('scheduled', 'in_progress', 'completed', 'no_show', 'cancelled')),
  constraint sessions_place_of_service_form check (place_of_service ~ '^[0-9]{2}$'),
  constraint sessions_actual_time_order check (actual_end_time > actual_start_time),
  constraint sessions_actual_at_most_a_day check (actual_end_time - actual_start_time <= interval '24 hours'),
  constraint sessions_actual_time_finite check (isfinite(actual_start_time) and isfinite(actual_end_time)),
  constraint sessions_actual_times_of_what_took_place check (
    case status
      when 'completed' then num_nonnulls(actual_start_time, actual_end_time) = 2
      when 'in_progress' then actual_start_time is not null and actual_end_time is null
      else num_nonnulls(actual_start_time, actual_end_time) = 0
    end),
  constraint sessions_cancelled_by_known check (cancelled_by in ('therapist', 'client', 'clinic')),
  constraint sessions_cancelled_by_somebody check ((status = 'cancelled') = (cancelled_by is not null)),
  constraint sessions_cancellation_reason_length check (length(cancellation_reason) between 1 and 500),
  constraint sessions_notice_of_the_cancelled check (
    (status = 'cancelled' or num_nonnulls(cancellation_notice_minutes, late_cancellation) = 0)),
  -- Checked at the end of a statement: two sessions that change places would meet half-way.
  constraint sessions_no_overlap exclude using gist (
    therapist_id with =, tstzrange(start_time, end_time) with &&, slot_id with <>
  ) where (status in ('scheduled', 'in_progress', 'completed')) deferrable initially immediate,
  -- One that has not ended goes on for ever, so that no other begins.
  constraint sessions_no_actual_overlap exclude using gist (
    therapist_id with =, tstzrange(actual_start_time, actual_end_time) with &&, slot_id with <>
  ) where (actual_start_time is not null) deferrable initially immediate
) with (fillfactor = 85);
comment on table public.sessions is 'A booked session of one therapist with one client. Cancelled, never deleted.';
comment on column public.sessions.cancellation_reason is 'PHI: free text.';
comment on column public.sessions.actual_start_time is
  'When it began: what is billed. The booked time stays as it is, and so do its claims.';
comment on column public.sessions.attendance is
  'attended, no_show, or cancelled_by_ whom; null while it is open. Derived, so that it cannot differ from the status.';
comment on column public.sessions.corrected_at is 'When its marking was last corrected (correct_attendance).';
comment on column public.sessions.slot_id is
  'The slot of its group or team, or one of its own: only members of a group or a team share a slot.';
comment on column public.sessions.takes_every_lane is
  'Whether nothing may run beside it on its client: the client''s payer barred that when it was booked.';
comment on column public.sessions.buffer_before_minutes is 'Kept free before it for therapist and room, as the rules were when it was booked.';
comment on column public.sessions.claim_id is
  'Its claims in the ledger: its own id, or that of the hold that last moved it. Written by the ledger''s functions only.';
comment on column public.sessions.series_id is 'The series this session is an occurrence of; null when it was booked alone.';
comment on column public.sessions.occurrence_start is
  'Where the series put it: an occurrence that was moved keeps its place in the series (RFC 5545 RECURRENCE-ID).';
comment on column public.sessions.late_cancellation is
  'Whether therapist or client cancelled with less notice than the organization asked for that day.';
-- With what the policy tests, so that counting an organization's sessions need not visit the rows.
create index sessions_organization_id_start_time_idx on public.sessions (organization_id, start_time)
  include (therapist_id, client_id);
create index sessions_therapist_id_start_time_idx on public.sessions (therapist_id, start_time);
create index sessions_client_id_start_time_idx on public.sessions (client_id, start_time);
create unique index sessions_client_once_per_group_idx on public.sessions (group_id, client_id)
  where group_id is not null and status in ('scheduled', 'in_progress', 'completed');
create unique index sessions_therapist_once_per_team_idx on public.sessions (team_id, therapist_id)
  where team_id is not null and status in ('scheduled', 'in_progress', 'completed');
create index sessions_team_idx on public.sessions (team_id) where team_id is not null;
create index sessions_series_idx on public.sessions (series_id, occurrence_start) where series_id is not null;
create index sessions_group_idx on public.sessions (group_id) where group_id is not null;
create index sessions_room_idx on public.sessions (room_id) where room_id is not null;
create index sessions_service_idx on public.sessions (service_id);
select app.add_stamps('public.sessions', 'status', 'version');

create table public.session_holds (
  id uuid primary key default app.new_id(),
  organization_id uuid not null,
  batch_key uuid not null,
  therapist_id uuid not null,
  client_id uuid not null,
  room_id uuid,
  service_id uuid not null,
  client_lane smallint not null,
  takes_every_lane boolean not null,
  buffer_before_minutes smallint not null,
  buffer_after_minutes smallint not null,
  group_id uuid,
  team_id uuid,
  series_id uuid,
  occurrence_start timestamptz,
  waitlist_entry_id uuid,
  session_id uuid,
  start_time timestamptz not null,
  end_time timestamptz not null,
  time_zone text not null references app.time_zones (name),
  slot_id uuid not null generated always as (coalesce(group_id, team_id, session_id, id)) stored,
  status text not null default 'held',
  open_offer_to uuid generated always as (case status when 'held' then waitlist_entry_id end) stored,
  expires_at timestamptz not null,
  status_changed_at timestamptz not null,
  status_changed_by uuid,
  created_at timestamptz not null,
  created_by uuid,
  updated_at timestamptz not null,
  updated_by uuid,
  constraint session_holds_organization_id_id_key unique (organization_id, id),
  constraint session_holds_therapist_fkey
    foreign key (organization_id, therapist_id) references public.therapists (organization_id, id),
  constraint session_holds_client_fkey
    foreign key (organization_id, client_id) references public.clients (organization_id, id),
  constraint session_holds_room_fkey
    foreign key (organization_id, room_id) references public.rooms (organization_id, id),
  constraint session_holds_service_fkey
    foreign key (organization_id, service_id, client_lane) references public.services (organization_id, id, client_lane),
  constraint session_holds_session_fkey
    foreign key (organization_id, session_id) references public.sessions (organization_id, id),
  constraint session_holds_group_fkey
    foreign key (organization_id, group_id, therapist_id, service_id, start_time, end_time)
    references public.session_groups (organization_id, id, therapist_id, service_id, start_time, end_time)
    on update cascade,
  constraint session_holds_team_fkey
    foreign key (organization_id, team_id, client_id, service_id, start_time, end_time)
    references public.session_teams (organization_id, id, client_id, service_id, start_time, end_time)
    on update cascade,
  constraint session_holds_series_fkey
    foreign key (organization_id, series_id) references public.session_series (organization_id, id),
  constraint session_holds_waitlist_entry_fkey
    foreign key (organization_id, waitlist_entry_id, client_id)
    references public.waitlist_entries (organization_id, id, client_id),
  constraint session_holds_group_team_or_move check (num_nonnulls(group_id, team_id, session_id) <= 1),
  constraint session_holds_occurrence_of_a_series check ((series_id is null) = (occurrence_start is null)),
  constraint session_holds_buffer_range
    check (buffer_before_minutes between 0 and 240 and buffer_after_minutes between 0 and 240),
  constraint session_holds_time_order check (end_time > start_time),
  constraint session_holds_at_most_a_day check (end_time - start_time <= interval '24 hours'),
  constraint session_holds_time_finite check (isfinite(start_time) and isfinite(end_time)),
  constraint session_holds_at_most_900_seconds check (
    expires_at <= created_at + case when waitlist_entry_id is null then interval '900 seconds' else interval '48 hours' end),
  constraint session_holds_status_known check (status in ('held', 'confirmed', 'released', 'expired'))
)
-- Room for the one update of every hold, where it ends: of a batch, all in one transaction.
with (fillfactor = 50);
comment on table public.session_holds is
  'A promise of time to whoever created the row (created_by), for 30 to 900 seconds; or an offer to who waits for it, for '
  'up to 48 hours. Rows stay when the hold ends.';
comment on column public.session_holds.waitlist_entry_id is 'The entry of the waitlist that this time is offered to.';
comment on column public.session_holds.open_offer_to is
  'The entry that it is a live offer to. A column and not the index''s predicate: no index covers the status of a hold, so that '
  'confirming one is a HOT update.';
comment on column public.session_holds.batch_key is 'The key of the whole request; equal to id when it held one time only.';
comment on column public.session_holds.session_id is 'The session being moved: its own claim does not stand in the way.';
create index session_holds_batch_key_idx on public.session_holds (batch_key);
create index session_holds_created_by_idx on public.session_holds (created_by);
-- Not after organization_id: a policy and an app ask by the other alone, which an index that organization_id leads does not find.
create index session_holds_therapist_idx on public.session_holds (therapist_id);
create index session_holds_client_idx on public.session_holds (client_id);
create index session_holds_service_idx on public.session_holds (service_id);
create index session_holds_session_idx on public.session_holds (session_id) where session_id is not null;
create index session_holds_group_idx on public.session_holds (group_id) where group_id is not null;
create index session_holds_team_idx on public.session_holds (team_id) where team_id is not null;
create index session_holds_series_idx on public.session_holds (series_id) where series_id is not null;
create index session_holds_waitlist_entry_idx on public.session_holds (waitlist_entry_id)
  where waitlist_entry_id is not null;
create unique index session_holds_one_offer_per_entry_idx on public.session_holds (open_offer_to)
  where open_offer_to is not null;
create index session_holds_room_idx on public.session_holds (room_id) where room_id is not null;
select app.add_stamps('public.session_holds', 'status');

-- ---------------------------------------------------------------------------------------------------------
-- Status
-- ---------------------------------------------------------------------------------------------------------

create table app.session_transitions (
  from_status text not null,
  to_status text not null,
  by_correction boolean not null default false,
  primary key (from_status, to_status)
);
comment on table app.session_transitions is
  'The permitted moves of sessions.status; those by_correction only for who corrects what was marked (sessions.corrected_at).';
insert into app.session_transitions (from_status, to_status, by_correction) values
  ('in_progress', 'scheduled', true),
  ('completed', 'scheduled', true),
  ('completed', 'no_show', true),
  ('no_show', 'scheduled', true),
  ('no_show', 'completed', true);
insert into app.session_transitions (from_status, to_status) values
  ('scheduled', 'in_progress'),
  -- Marked when it was over, with both its times.
  ('scheduled', 'completed'),
  ('scheduled', 'no_show'),
  ('scheduled', 'cancelled'),
  ('in_progress', 'completed'),
  ('in_progress', 'no_show');
alter table app.session_transitions enable row level security;

create function app.check_session_transition()
returns trigger
language plpgsql
security definer
set search_path = ''
as $$
begin
  if not exists (
    select
    from app.session_transitions permitted
    where permitted.from_status = old.status and permitted.to_status = new.status
      and (not permitted.by_correction or new.corrected_at is distinct from old.corrected_at))
  then
    raise exception using
      errcode = 'check_violation',
      schema = 'public', table = 'sessions', constraint = 'sessions_status_transition',
      message = format('a session cannot go from %s to %s: constraint "sessions_status_transition"', old.status, new.status);
  end if;
  return new;
end
$$;
comment on function app.check_session_transition is 'Definer: writers of sessions have no grant on the transitions.';
create trigger check_transition before update of status on public.sessions
  for each row when (new.status is distinct from old.status) execute function app.check_session_transition();

-- ---------------------------------------------------------------------------------------------------------
-- Grants and policies
-- ---------------------------------------------------------------------------------------------------------

alter table public.sessions enable row level security;
alter table public.session_holds enable row level security;
alter table public.session_groups enable row level security;
alter table public.session_teams enable row level security;

grant select on public.session_holds, public.session_groups, public.session_teams to authenticated;
select app.grant_select_without_phi('public.sessions');
-- Nobody updates a status or an actual time: marking and cancelling are RPCs', which ask who may. Automation with the secret
-- key may bring in sessions of the past as they were.
grant
  insert (
    organization_id, therapist_id, client_id, room_id, service_id, group_id, team_id, start_time, end_time, time_zone,
    status, place_of_service, actual_start_time, actual_end_time, cancelled_by, cancellation_reason),
  update (
    therapist_id, client_id, room_id, service_id, group_id, team_id, start_time, end_time, time_zone, place_of_service)
on public.sessions to service_role;
grant select,
  insert (organization_id, therapist_id, service_id, start_time, end_time, capacity),
  update (therapist_id, service_id, start_time, end_time, capacity)
on public.session_groups to service_role;
grant select,
  insert (organization_id, client_id, service_id, start_time, end_time),
  update (client_id, service_id, start_time, end_time)
on public.session_teams to service_role;
grant select on public.session_holds to service_role;

create policy sessions_scoped_access on public.sessions
  for select to authenticated
  using (
    therapist_id = any ((select app.caseload_therapist_ids())::uuid[])
    or organization_id = any ((select app.org_ids_with_role('internal_ops', 'admin', 'super_admin'))::uuid[])
    or client_id = any ((select app.reviewed_client_ids())::uuid[])
  );

-- By the policy, or as a family, which sees its sessions in views.
create function app.find_seen_session(organization uuid, wanted uuid)
returns public.sessions
language plpgsql
stable
set search_path = ''
as $$
declare
  session public.sessions;
begin
  select it.* into session
  from public.sessions it
  where it.organization_id = organization
    and it.id = wanted
    and (
      it.therapist_id = any (app.caseload_therapist_ids())
      or organization = any (app.org_ids_with_role('internal_ops', 'admin'))
      or it.client_id = any (app.reviewed_client_ids())
      or it.client_id = any (app.guarded_client_ids()));
  if session.id is null then
    perform app.refuse('not_found', 'There is no such session.');
  end if;
  return session;
end
$$;
comment on function app.find_seen_session is
  'The session, or a refusal: to who does not see it, as if there were none.';

create policy "holders see their holds, families their offers, schedulers all" on public.session_holds
  for select to authenticated
  using (
    (created_by = (select auth.uid()) and organization_id = any ((select app.org_ids())::uuid[]))
    or (waitlist_entry_id is not null and client_id = any ((select app.guarded_client_ids())::uuid[]))
    or therapist_id = any ((select app.caseload_therapist_ids())::uuid[])
    or organization_id = any ((select app.org_ids_with_role('internal_ops', 'admin', 'super_admin'))::uuid[])
  );

create policy "therapists see their groups and schedulers every group" on public.session_groups
  for select to authenticated
  using (
    therapist_id = any ((select app.caseload_therapist_ids())::uuid[])
    or organization_id = any ((select app.org_ids_with_role('internal_ops', 'admin', 'super_admin'))::uuid[])
  );

create policy "care teams and schedulers see the teams of a client" on public.session_teams
  for select to authenticated
  using (
    client_id = any ((select app.my_client_ids())::uuid[])
    or organization_id = any ((select app.org_ids_with_role('internal_ops', 'admin', 'super_admin'))::uuid[])
  );

select app.require_second_factor('public.sessions');
select app.require_second_factor('public.session_holds');
select app.require_second_factor('public.session_groups');
select app.require_second_factor('public.session_teams');
