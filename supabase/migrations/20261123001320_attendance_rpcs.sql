-- Attendance: the RPCs that apps call, where a session takes place among them. They go over REST, with no Edge Function between: nothing here needs a secret, a library
-- or an encrypted body.

create function public.start_session(request jsonb, idempotency_key text default null)
returns jsonb
language sql
security invoker
set search_path = ''
as $$
  select app.run_operation('start_session', request, idempotency_key)
$$;
comment on function public.start_session is
  'Marks that a session, or its whole group, has begun. Answers {data, replayed} or {problem}.';

create function public.complete_session(request jsonb, idempotency_key text default null)
returns jsonb
language sql
security invoker
set search_path = ''
as $$
  select app.run_operation('complete_session', request, idempotency_key)
$$;
comment on function public.complete_session is
  'Marks that a session, or its whole group, took place and has ended. Answers {data, replayed} or {problem}.';

create function public.mark_no_show(request jsonb, idempotency_key text default null)
returns jsonb
language sql
security invoker
set search_path = ''
as $$
  select app.run_operation('mark_no_show', request, idempotency_key)
$$;
comment on function public.mark_no_show is
  'Marks that the client did not come. Answers {data, replayed} or {problem}.';

create function public.correct_attendance(request jsonb, idempotency_key text default null)
returns jsonb
language sql
security invoker
set search_path = ''
as $$
  select app.run_operation('correct_attendance', request, idempotency_key)
$$;
comment on function public.correct_attendance is
  'Corrects or takes back what was marked, with a reason; for supervisors and admins. Answers {data, replayed} or {problem}.';

create function public.list_no_show_candidates(request jsonb, idempotency_key text default null)
returns jsonb
language sql
security invoker
set search_path = ''
as $$
  select app.run_operation('list_no_show_candidates', request, idempotency_key)
$$;
comment on function public.list_no_show_candidates is
  'The sessions that should have begun and were not marked, for a person to decide. Answers {data, replayed} or {problem}.';

create function public.evv_records(request jsonb, idempotency_key text default null)
returns jsonb
language sql
security invoker
set search_path = ''
as $$
  select app.run_operation('evv_records', request, idempotency_key)
$$;
comment on function public.evv_records is
  'The six elements of electronic visit verification of each visit, and which are missing; on record. Answers {data, replayed} or {problem}.';

create function public.set_place_of_service(request jsonb, idempotency_key text default null)
returns jsonb
language sql
security invoker
set search_path = ''
as $$
  select app.run_operation('set_place_of_service', request, idempotency_key)
$$;
comment on function public.set_place_of_service is
  'Says where a session takes place, {session_id, version, place_of_service}, while it is on no claim; for who may book it. Answers '
  '{data, replayed} or {problem}.';

grant execute on function
  public.start_session,
  public.complete_session,
  public.mark_no_show,
  public.correct_attendance,
  public.list_no_show_candidates,
  public.evv_records,
  public.set_place_of_service
to authenticated;
