-- RPCs: the one way in for apps that change something.
--
-- Promises
--   * Every call goes through app.run_operation: membership, second factor, idempotency, rate limit, one transaction.

-- Planned once and by index, for the reason given at app.keep_ledger_for_holds.

create function app.run_operation(operation text, request jsonb, idempotency_key text)
returns jsonb
language plpgsql
security definer
set search_path = ''
set timezone = 'UTC'
set plan_cache_mode = force_generic_plan
set enable_seqscan = off
as $$
declare
  organization uuid;
  request_hash bytea := sha256(convert_to(request::text, 'UTF8'));
  data jsonb;
  refusal text;
begin
  if auth.uid() is null then
    return app.refusal(null, operation, '{"code": "unauthenticated"}');
  end if;

  begin
    organization := app.target_organization(operation, request);
    perform app.admit_caller(organization);
    if idempotency_key is not null then
      data := app.replay(organization, operation, idempotency_key, request_hash);
      if data is not null then
        return jsonb_build_object('data', data, 'replayed', true);
      end if;
    end if;
  exception
    when sqlstate 'HF000' then
      get stacked diagnostics refusal = pg_exception_detail;
    when data_exception then
      refusal := app.impossible_value();
  end;

  -- Outside the blocks that are undone: a refused call counts, only a replay does not.
  data := app.count_call(organization, operation);
  if data is not null then
    return data;
  elsif refusal is not null then
    return app.refusal(organization, operation, refusal::jsonb);
  end if;

  for attempt in 1..5 loop
    begin
      data := case operation
        when 'hold_sessions' then app.hold_sessions(organization, request)
        when 'confirm_sessions' then app.confirm_sessions(organization, request)
        when 'cancel_sessions' then app.cancel_sessions(organization, request)
        when 'archive_client' then app.archive_client(organization, request)
      end;
      if idempotency_key is not null then
        insert into public.idempotency_keys (organization_id, user_id, operation, key, request_hash, response)
        values (organization, auth.uid(), operation, idempotency_key, request_hash, data);
      end if;
      return jsonb_build_object('data', data, 'replayed', false);
    exception
      when sqlstate 'HF000' then
        get stacked diagnostics refusal = pg_exception_detail;
        return app.refusal(organization, operation, refusal::jsonb);
      -- Somebody wrote round the queue: by now they are done, so the next attempt sees what they wrote.
      when deadlock_detected or exclusion_violation then
        null;
      -- What a direct caller of the RPC may send and the functions' schemas do not let through. Raised, it would
      -- carry the row.
      when data_exception or check_violation or not_null_violation then
        get stacked diagnostics refusal = constraint_name;
        return app.refusal(organization, operation, app.impossible_value(refusal));
    end;
  end loop;
  return app.refusal(organization, operation, '{"code": "unavailable", "retry_after": 1}');
end
$$;
comment on function app.run_operation is
  'Runs one of the operations for the caller. Definer: booking writes tables on which '
  'no API role has a grant; every operation checks auth.uid() against the roles itself (app.admit_caller, app.may_book).';

create function public.hold_sessions(request jsonb, idempotency_key text default null)
returns jsonb
language sql
security invoker
set search_path = ''
as $$
  select app.run_operation('hold_sessions', request, idempotency_key)
$$;
comment on function public.hold_sessions is
  'Holds times of a therapist with a client (POST sessions-hold). Answers {data, replayed} or {problem}.';

create function public.confirm_sessions(request jsonb, idempotency_key text default null)
returns jsonb
language sql
security invoker
set search_path = ''
as $$
  select app.run_operation('confirm_sessions', request, idempotency_key)
$$;
comment on function public.confirm_sessions is
  'Turns holds into sessions (POST sessions-confirm). Answers {data, replayed} or {problem}.';

create function public.cancel_sessions(request jsonb, idempotency_key text default null)
returns jsonb
language sql
security invoker
set search_path = ''
as $$
  select app.run_operation('cancel_sessions', request, idempotency_key)
$$;
comment on function public.cancel_sessions is
  'Releases holds or cancels sessions (POST sessions-cancel). Answers {data, replayed} or {problem}.';

create function public.archive_client(client uuid, idempotency_key text default null)
returns jsonb
language sql
security invoker
set search_path = ''
as $$
  select app.run_operation('archive_client', jsonb_build_object('client_id', client), idempotency_key)
$$;
comment on function public.archive_client is
  'Archives a client for whom nothing is booked. For admins. Answers {data, replayed} or {problem}.';

-- run_operation is not exposed by the API; it takes the operation's name so that the three RPCs share one body.
grant execute on function
  app.run_operation, public.hold_sessions, public.confirm_sessions, public.cancel_sessions, public.archive_client
to authenticated;
