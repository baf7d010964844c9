-- RPCs of clients' records; what they promise stands where they are made (client_reads, client_writes).

create function public.read_clients(request jsonb, idempotency_key text default null)
returns jsonb
language sql
security invoker
set search_path = ''
as $$
  select app.run_operation('read_clients', request, idempotency_key)
$$;
comment on function public.read_clients is
  'Who clients are: {organization_id, ids} or {organization_id, search, after, limit}, and fields. For their care team, their '
  'family and schedulers; each client is on record. Answers {data, replayed} or {problem}.';

create function public.read_texts(request jsonb, idempotency_key text default null)
returns jsonb
language sql
security invoker
set search_path = ''
as $$
  select app.run_operation('read_texts', request, idempotency_key)
$$;
comment on function public.read_texts is
  'The free texts of sessions, availability_exceptions or user_roles: {organization_id, table, ids}. For who sees the row; '
  'each is on record. Answers {data, replayed} or {problem}.';

create function public.save_client(request jsonb, idempotency_key text default null)
returns jsonb
language sql
security invoker
set search_path = ''
as $$
  select app.run_operation('save_client', request, idempotency_key)
$$;
comment on function public.save_client is
  'Adds a client, {organization_id, full_name, ...}, or changes one, {client_id, ...}. For schedulers. Answers {data, '
  'replayed} or {problem}.';

create function public.save_coverage(request jsonb, idempotency_key text default null)
returns jsonb
language sql
security invoker
set search_path = ''
as $$
  select app.run_operation('save_coverage', request, idempotency_key)
$$;
comment on function public.save_coverage is
  'Adds who pays for a client, {client_id, payer_id, starts_on, ...}, or changes it, {client_id, coverage_id, ...}. For '
  'schedulers. Answers {data, replayed} or {problem}.';

grant execute on function
  public.read_clients,
  public.read_texts,
  public.save_client,
  public.save_coverage
to authenticated;
