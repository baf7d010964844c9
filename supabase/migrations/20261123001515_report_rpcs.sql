-- Reports: the RPCs that apps call, over REST. Each answers a page {rows, next}.

create function public.read_attendance(request jsonb, idempotency_key text default null)
returns jsonb
language sql
security invoker
set search_path = ''
as $$
  select app.run_operation('read_attendance', request, idempotency_key)
$$;
comment on function public.read_attendance is
  'How many sessions came to what, by month, therapist and cause: {organization_id, from, to, therapist_id, client_id, after, limit}. Answers {data, replayed} or {problem}.';

create function public.read_cancellations(request jsonb, idempotency_key text default null)
returns jsonb
language sql
security invoker
set search_path = ''
as $$
  select app.run_operation('read_cancellations', request, idempotency_key)
$$;
comment on function public.read_cancellations is
  'The cancelled sessions with the notice that was given: {organization_id, from, to, therapist_id, client_id, after, limit}. Answers {data, replayed} or {problem}.';

create function public.read_utilization(request jsonb, idempotency_key text default null)
returns jsonb
language sql
security invoker
set search_path = ''
as $$
  select app.run_operation('read_utilization', request, idempotency_key)
$$;
comment on function public.read_utilization is
  'Therapists'' booked and delivered time against their availability: {organization_id, from, to, therapist_id, after, limit}. Answers {data, replayed} or {problem}.';

create function public.read_authorization_units(request jsonb, idempotency_key text default null)
returns jsonb
language sql
security invoker
set search_path = ''
as $$
  select app.run_operation('read_authorization_units', request, idempotency_key)
$$;
comment on function public.read_authorization_units is
  'Authorized units and what is taken of them: {organization_id, from, to, client_id, after, limit}. Answers {data, replayed} or {problem}.';

create function public.read_unbilled_sessions(request jsonb, idempotency_key text default null)
returns jsonb
language sql
security invoker
set search_path = ''
as $$
  select app.run_operation('read_unbilled_sessions', request, idempotency_key)
$$;
comment on function public.read_unbilled_sessions is
  'Completed sessions that are not billed: {organization_id, from, to, therapist_id, client_id, after, limit}. Answers {data, replayed} or {problem}.';

create function public.read_missing_notes(request jsonb, idempotency_key text default null)
returns jsonb
language sql
security invoker
set search_path = ''
as $$
  select app.run_operation('read_missing_notes', request, idempotency_key)
$$;
comment on function public.read_missing_notes is
  'Completed sessions without a signed note: {organization_id, from, to, therapist_id, client_id, after, limit}. Answers {data, replayed} or {problem}.';

create function public.supervision_months(request jsonb, idempotency_key text default null)
returns jsonb
language sql
security invoker
set search_path = ''
as $$
  select app.run_operation('supervision_months', request, idempotency_key)
$$;
comment on function public.supervision_months is
  'The supervision of technicians in a month, done and forecast: {organization_id, month, therapist_id, after, limit}. Answers {data, replayed} or {problem}.';

grant execute on function
  public.read_attendance,
  public.read_cancellations,
  public.read_utilization,
  public.read_authorization_units,
  public.read_unbilled_sessions,
  public.read_missing_notes,
  public.supervision_months
to authenticated;
