-- Visits: what was marked of a session, by whom, when, why, and from where. What electronic visit verification (EVV, 21st
-- Century Cures Act §12006) asks for beside the session itself.
--
-- Promises
--   * Marks are only added, for every role.
--   * Where somebody was is read by an RPC only, which puts every read on record.

create table public.attendance_marks (
  id uuid primary key default gen_random_uuid(),
  organization_id uuid not null,
  session_id uuid not null,
  event text not null,
  status text not null,
  actual_time timestamptz,
  method text,
  latitude double precision,
  longitude double precision,
  accuracy_meters double precision,
  place text,
  device_id text,
  reason text,
  created_at timestamptz not null default clock_timestamp(),
  created_by uuid default auth.uid(),
  constraint attendance_marks_organization_id_id_key unique (organization_id, id),
  constraint attendance_marks_session_fkey
    foreign key (organization_id, session_id) references public.sessions (organization_id, id),
  constraint attendance_marks_event_known check (event in ('start', 'end', 'no_show', 'correction')),
  constraint attendance_marks_status_known check (status in ('scheduled', 'in_progress', 'completed', 'no_show')),
  constraint attendance_marks_time_of_start_and_end check ((event in ('start', 'end')) = (actual_time is not null)),
  constraint attendance_marks_method_known check (method in ('gps', 'telephony', 'fixed_device', 'manual')),
  constraint attendance_marks_place_of_start_and_end check (method is null or event in ('start', 'end')),
  constraint attendance_marks_place_by_method check (
    case method
      when 'gps' then num_nonnulls(latitude, longitude) = 2
      when 'manual' then reason is not null
      when 'telephony' then device_id is not null
      when 'fixed_device' then device_id is not null
      else num_nonnulls(latitude, longitude, accuracy_meters, place, device_id) = 0
    end),
  constraint attendance_marks_correction_has_a_reason check (event <> 'correction' or reason is not null),
  constraint attendance_marks_position_range check (
    latitude between -90 and 90 and longitude between -180 and 180 and accuracy_meters between 0 and 100000),
  constraint attendance_marks_place_length check (length(place) between 1 and 300),
  constraint attendance_marks_device_id_form check (device_id ~ '^[!-~]{1,100}$'),
  constraint attendance_marks_reason_length check (length(reason) between 1 and 500)
);
comment on table public.attendance_marks is
  'What was marked of a session: that it began or ended (actual_time: when, by who marks; created_at: when it was marked) and from '
  'where, that the client did not come, or a correction. status is what the session came to. Rows are only added.';
comment on column public.attendance_marks.latitude is 'PHI: where the visit was, often the client''s home.';
comment on column public.attendance_marks.longitude is 'PHI: where the visit was, often the client''s home.';
comment on column public.attendance_marks.accuracy_meters is 'PHI: how exact the position is.';
comment on column public.attendance_marks.place is 'PHI: free text, often the client''s home.';
comment on column public.attendance_marks.device_id is 'PHI: the telephone line or the device, often the client''s.';
comment on column public.attendance_marks.reason is 'PHI: free text.';
create index attendance_marks_session_idx on public.attendance_marks (organization_id, session_id, created_at);

create trigger keep_mark before update or delete on public.attendance_marks
  for each row execute function app.refuse_change('attendance_marks_only_added', 'what was marked stays, correct it by another mark');
create trigger keep_marks before truncate on public.attendance_marks
  for each statement execute function app.refuse_change('attendance_marks_only_added', 'what was marked stays, correct it by another mark');

-- Written and read by RPCs only: no grant, no policy.
alter table public.attendance_marks enable row level security;
