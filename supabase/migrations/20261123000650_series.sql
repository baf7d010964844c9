-- Series: what a batch of bookings repeats.
--
-- Promises
--   * A series is a recurrence rule with its zone and local start, or a plain list of times (no rule).
--   * Its occurrences are sessions. One that is moved or cancelled keeps its series and its place in it.

create function app.is_recurrence_rule(rule text)
returns boolean
language sql
immutable
set search_path = ''
as $$
  select rule ~* pg_catalog.format('^(%1$s)(;(%1$s))*$',
    'FREQ=(SECOND|MINUTE|HOUR|WEEK|MONTH|YEAR)LY|FREQ=DAILY|UNTIL=[0-9]{8}(T[0-9]{6}Z?)?|WKST=(MO|TU|WE|TH|FR|SA|SU)'
    '|BYDAY=([+-]?[0-9]{0,2}(MO|TU|WE|TH|FR|SA|SU),?)+'
    '|(COUNT|INTERVAL|BYSECOND|BYMINUTE|BYHOUR|BYMONTHDAY|BYYEARDAY|BYWEEKNO|BYMONTH|BYSETPOS)=[0-9,+-]+')
$$;
comment on function app.is_recurrence_rule is
  'Whether a text has the form of an RFC 5545 RECUR: the column is on record, so it must have no room for anything else.';

create function app.whole_minutes(starts timestamptz, ends timestamptz)
returns integer
language plpgsql
immutable
set search_path = ''
as $$
begin
  return greatest(1, round(extract(epoch from ends - starts) / 60));
end
$$;
comment on function app.whole_minutes is 'How long a series'' occurrence lasts, as duration_minutes has it.';

create table public.session_series (
  id uuid primary key default gen_random_uuid(),
  organization_id uuid not null,
  therapist_id uuid,
  client_id uuid,
  service_id uuid not null,
  time_zone text not null references app.time_zones (name),
  rule text,
  local_start timestamp not null,
  duration_minutes integer not null,
  exdates timestamp[] not null default '{}',
  continues_series_id uuid,
  version integer not null default 1,
  status text not null default 'held',
  status_changed_at timestamptz not null,
  status_changed_by uuid,
  created_at timestamptz not null,
  created_by uuid,
  updated_at timestamptz not null,
  updated_by uuid,
  constraint session_series_organization_id_id_key unique (organization_id, id),
  constraint session_series_therapist_fkey
    foreign key (organization_id, therapist_id) references public.therapists (organization_id, id),
  constraint session_series_client_fkey
    foreign key (organization_id, client_id) references public.clients (organization_id, id),
  constraint session_series_service_fkey
    foreign key (organization_id, service_id) references public.services (organization_id, id),
  constraint session_series_continues_fkey
    foreign key (organization_id, continues_series_id) references public.session_series (organization_id, id),
  constraint session_series_rule_form check (app.is_recurrence_rule(rule)),
  constraint session_series_rule_length check (length(rule) between 1 and 1050),
  constraint session_series_duration_range check (duration_minutes between 1 and 1440),
  constraint session_series_time_finite check (
    isfinite(local_start) and timestamp 'infinity' <> all (exdates) and timestamp '-infinity' <> all (exdates)),
  constraint session_series_status_known check (status in ('held', 'active', 'ended'))
);
comment on table public.session_series is
  'What sessions repeat: an RRULE (RFC 5545) from local_start in time_zone, or a plain list of times. held until its '
  'holds are confirmed, ended when nothing of it is booked from some day on.';
comment on column public.session_series.client_id is 'Null for a series of groups, whose clients are those of its sessions.';
comment on column public.session_series.therapist_id is 'Null for a series of teams, whose therapists are those of its sessions.';
comment on column public.session_series.rule is 'RFC 5545 RECUR, without the RRULE: prefix; null for a plain list of times. Requests have at most 1000 characters; an '
  'edit may put an UNTIL in the place of a COUNT.';
comment on column public.session_series.local_start is 'Wall clock of time_zone: DTSTART.';
comment on column public.session_series.exdates is
  'Occurrences, by their local start, that the rule names and that are not to be booked: left out, skipped or cancelled.';
comment on column public.session_series.continues_series_id is 'The series whose rest this one took over when it was edited.';
create index session_series_therapist_idx on public.session_series (therapist_id);
create index session_series_client_idx on public.session_series (client_id);
create index session_series_service_idx on public.session_series (organization_id, service_id);
create index session_series_continues_idx on public.session_series (organization_id, continues_series_id)
  where continues_series_id is not null;
select app.add_stamps('public.session_series', 'status', 'version');

alter table public.session_series enable row level security;
grant select on public.session_series to authenticated, service_role;

create policy "caseloads and reviewers see series, care teams a team's" on public.session_series
  for select to authenticated
  using (
    therapist_id = any ((select app.caseload_therapist_ids())::uuid[])
    or client_id = any ((select app.reviewed_client_ids())::uuid[])
    or (therapist_id is null and client_id = any ((select app.my_client_ids())::uuid[]))
    or organization_id = any ((select app.org_ids_with_role('internal_ops', 'admin', 'super_admin'))::uuid[])
  );
select app.require_second_factor('public.session_series');
