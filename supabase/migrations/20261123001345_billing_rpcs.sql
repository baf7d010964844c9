-- RPCs of billing; what they promise stands where they are made (billing_batches, billing_rpcs).

create function public.attach_sessions(request jsonb, idempotency_key text default null)
returns jsonb
language sql
security invoker
set search_path = ''
as $$
  select app.run_operation('attach_sessions', request, idempotency_key)
$$;
comment on function public.attach_sessions is
  'Attaches completed sessions to new claims, which freezes them: {session_ids, accept_overdrawn}. For who bills. Answers '
  '{data, replayed} or {problem}.';

create function public.void_case(request jsonb, idempotency_key text default null)
returns jsonb
language sql
security invoker
set search_path = ''
as $$
  select app.run_operation('void_case', request, idempotency_key)
$$;
comment on function public.void_case is
  'Takes a claim back, so that its sessions can be changed: {case_id}. For who bills. Answers '
  '{data, replayed} or {problem}.';

create function public.rebill_case(request jsonb, idempotency_key text default null)
returns jsonb
language sql
security invoker
set search_path = ''
as $$
  select app.run_operation('rebill_case', request, idempotency_key)
$$;
comment on function public.rebill_case is
  'Bills anew what was sent and is void: {case_id, action: replace or take_back, payer_claim_number}. For who bills. Answers '
  '{data, replayed} or {problem}.';

create function public.settle_case(request jsonb, idempotency_key text default null)
returns jsonb
language sql
security invoker
set search_path = ''
as $$
  select app.run_operation('settle_case', request, idempotency_key)
$$;
comment on function public.settle_case is
  'Records what the payer made of a claim: {case_id, status: paid, denied or closed}. For who bills. Answers '
  '{data, replayed} or {problem}.';

create function public.create_billing_batch(request jsonb, idempotency_key text default null)
returns jsonb
language sql
security invoker
set search_path = ''
as $$
  select app.run_operation('create_billing_batch', request, idempotency_key)
$$;
comment on function public.create_billing_batch is
  'Puts open claims into a batch: {case_ids, usage: production or test}. For who bills. Answers '
  '{data, replayed} or {problem}.';

create function public.read_billing_batch(request jsonb, idempotency_key text default null)
returns jsonb
language sql
security invoker
set search_path = ''
as $$
  select app.run_operation('read_billing_batch', request, idempotency_key)
$$;
comment on function public.read_billing_batch is
  'All that a file of a batch says, as claimBatchSchema has it: {batch_id}; on record. For who bills. Answers '
  '{data, replayed} or {problem}.';

create function public.export_billing_batch(request jsonb, idempotency_key text default null)
returns jsonb
language sql
security invoker
set search_path = ''
as $$
  select app.run_operation('export_billing_batch', request, idempotency_key)
$$;
comment on function public.export_billing_batch is
  'Says that the file of a batch went out, which submits its claims but for a test: {batch_id, claims: how many}. For who bills. Answers '
  '{data, replayed} or {problem}.';

grant execute on function
  public.attach_sessions,
  public.void_case,
  public.rebill_case,
  public.settle_case,
  public.create_billing_batch,
  public.read_billing_batch,
  public.export_billing_batch
to authenticated;
