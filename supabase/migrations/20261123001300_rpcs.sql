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
-- Who waits for a lock keeps a connection that others need: sooner given up than at the end of the statement's time.
set lock_timeout = '5s'
as $$
declare
  organization uuid;
  request_hash bytea;
  data jsonb;
  refusal text;
  is_repeat boolean := false;
begin
  if app.caller() is null then
    return app.refuse_unauthenticated(operation);
  end if;
  -- Asked before a save, and the save may be done already.
  if operation = 'prepare_note' and idempotency_key is not null then
    request := request || jsonb_build_object('saved_under', idempotency_key);
  end if;
  -- A question has no effect that must not be repeated, and its answer may be large, or PHI that is not to be kept.
  if operation in (
    'find_open_times', 'preview_sessions', 'read_consents', 'read_clients', 'read_texts', 'prepare_note', 'read_note',
    'report_unreadable_note', 'finish_document', 'find_documents', 'read_document', 'list_no_show_candidates', 'evv_records',
    'find_notes_to_cosign', 'client_access_report', 'read_access_alerts', 'read_authorizations', 'read_authorization_alerts',
    -- A secret is shown once.
    'save_webhook_endpoint', 'rotate_webhook_secret', 'create_calendar_feed',
    'read_calendar_feeds',
    'read_insights',
    'read_webhook_endpoints', 'read_webhook_deliveries',
    'read_attendance', 'read_cancellations', 'read_utilization', 'read_authorization_units', 'read_unbilled_sessions',
    'read_missing_notes', 'supervision_months', 'read_billing_batch')
    or operation = 'update_series' and request ->> 'preview' = 'true'
  then
    idempotency_key := null;
  end if;

  begin
    if jsonb_typeof(request) is distinct from 'object' then
      perform app.refuse_field('body', 'invalid_type', 'Must be an object.');
    end if;
    perform app.check_answer_is_whole(operation);
    -- The same text is another ciphertext each time, and perhaps under a new key: its digest says that it is the same.
    request_hash := sha256(convert_to((request - case operation
      when 'save_note' then '{ciphertext,key_id,wrapped_key,master_key_id,new_note_id,proof}'::text[] else '{}' end)::text, 'UTF8'));
    organization := app.target_organization(request);
    perform app.admit_caller(organization, operation in ('read_clients', 'read_texts'));
    if idempotency_key is not null then
      data := app.replay(organization, operation, idempotency_key, request_hash);
      if data is not null then
        return jsonb_build_object('data', data, 'replayed', true);
      end if;
    end if;
    -- What it leads up to is a replay.
    if operation = 'prepare_note' then
      is_repeat := (app.note_saved_under(organization, request ->> 'saved_under')).id is not null;
    end if;
  exception
    when sqlstate 'HF000' then
      get stacked diagnostics refusal = pg_exception_detail;
    when data_exception then
      refusal := app.impossible_value();
  end;

  -- Outside the blocks that are undone: a refused call counts, only a replay does not.
  if not is_repeat then
    data := app.count_call(organization, operation, is_admitted => refusal is null);
  end if;
  if data is not null then
    return data;
  elsif refusal is not null then
    return app.refusal(organization, operation, refusal::jsonb, request);
  end if;

  for attempt in 1..5 loop
    begin
      -- Not an expression, which would make every function of the list ready for each call.
      case operation
        when 'hold_sessions' then data := app.hold_sessions(organization, request);
        when 'preview_sessions' then data := app.preview_sessions(organization, request);
        when 'find_open_times' then data := app.find_open_times(organization, request);
        when 'confirm_sessions' then data := app.confirm_sessions(organization, request);
        when 'cancel_sessions' then data := app.cancel_sessions(organization, request);
        when 'start_session' then data := app.start_session(organization, request);
        when 'complete_session' then data := app.complete_session(organization, request);
        when 'mark_no_show' then data := app.mark_no_show(organization, request);
        when 'correct_attendance' then data := app.correct_attendance(organization, request);
        when 'list_no_show_candidates' then data := app.list_no_show_candidates(organization, request);
        when 'evv_records' then data := app.evv_records(organization, request);
        when 'join_slot' then data := app.join_slot(organization, request);
        when 'move_session' then data := app.move_session(organization, request);
        when 'swap_sessions' then data := app.swap_sessions(organization, request);
        when 'substitute_therapist' then data := app.substitute_therapist(organization, request);
        when 'set_place_of_service' then data := app.set_place_of_service(organization, request);
        when 'update_series' then data := app.update_series(organization, request);
        when 'set_availability' then data := app.set_availability(organization, request);
        when 'add_exception' then data := app.add_exception(organization, request);
        when 'cancel_exception' then data := app.cancel_exception(organization, request);
        when 'join_waitlist' then data := app.join_waitlist(organization, request);
        when 'leave_waitlist' then data := app.leave_waitlist(organization, request);
        when 'answer_offer' then data := app.answer_offer(organization, request);
        when 'prepare_note' then data := app.prepare_note(organization, request);
        when 'save_note' then data := app.save_note(organization, request);
        when 'read_note' then data := app.read_note(organization, request);
        when 'sign_note' then data := app.sign_note(organization, request);
        when 'cosign_note' then data := app.cosign_note(organization, request);
        when 'find_notes_to_cosign' then data := app.find_notes_to_cosign(organization, request);
        when 'release_summary' then data := app.release_summary(organization, request);
        when 'report_unreadable_note' then data := app.report_unreadable_note(organization, request);
        when 'destroy_client_key' then data := app.destroy_client_key(organization, request);
        when 'override_mue' then data := app.override_mue(organization, request);
        when 'archive_client' then data := app.archive_client(organization, request);
        when 'read_clients' then data := app.read_clients(organization, request);
        when 'read_texts' then data := app.read_texts(organization, request);
        when 'save_client' then data := app.save_client(organization, request);
        when 'save_coverage' then data := app.save_coverage(organization, request);
        when 'sign_consent' then data := app.sign_consent(organization, request);
        when 'terminate_consent' then data := app.terminate_consent(organization, request);
        when 'read_consents' then data := app.read_consents(organization, request);
        when 'request_document' then data := app.request_document(organization, request);
        when 'finish_document' then data := app.finish_document(organization, request);
        when 'find_documents' then data := app.find_documents(organization, request);
        when 'read_document' then data := app.read_document(organization, request);
        when 'delete_document' then data := app.delete_document(organization, request);
        when 'client_access_report' then data := app.client_access_report(organization, request);
        when 'read_access_alerts' then data := app.read_access_alerts(organization, request);
        when 'acknowledge_alert' then data := app.acknowledge_alert(organization, request);
        when 'save_authorization' then data := app.save_authorization(organization, request);
        when 'close_authorization' then data := app.close_authorization(organization, request);
        when 'read_authorizations' then data := app.read_authorizations(organization, request);
        when 'read_authorization_alerts' then data := app.read_authorization_alerts(organization, request);
        when 'read_insights' then data := app.read_insights(organization, request);
        when 'save_insights' then data := app.save_insights(organization, request);
        when 'save_webhook_endpoint' then data := app.save_webhook_endpoint(organization, request);
        when 'rotate_webhook_secret' then data := app.rotate_webhook_secret(organization, request);
        when 'read_webhook_endpoints' then data := app.read_webhook_endpoints(organization, request);
        when 'read_webhook_deliveries' then data := app.read_webhook_deliveries(organization, request);
        when 'replay_webhook_deliveries' then data := app.replay_webhook_deliveries(organization, request);
        when 'create_calendar_feed' then data := app.create_calendar_feed(organization, request);
        when 'revoke_calendar_feed' then data := app.revoke_calendar_feed(organization, request);
        when 'read_calendar_feeds' then data := app.read_calendar_feeds(organization, request);
        when 'read_attendance' then data := app.read_attendance(organization, request);
        when 'read_cancellations' then data := app.read_cancellations(organization, request);
        when 'read_utilization' then data := app.read_utilization(organization, request);
        when 'read_authorization_units' then data := app.read_authorization_units(organization, request);
        when 'read_unbilled_sessions' then data := app.read_unbilled_sessions(organization, request);
        when 'read_missing_notes' then data := app.read_missing_notes(organization, request);
        when 'supervision_months' then data := app.supervision_months(organization, request);
        when 'attach_sessions' then data := app.attach_sessions(organization, request);
        when 'void_case' then data := app.void_case(organization, request);
        when 'rebill_case' then data := app.rebill_case(organization, request);
        when 'settle_case' then data := app.settle_case(organization, request);
        when 'create_billing_batch' then data := app.create_billing_batch(organization, request);
        when 'read_billing_batch' then data := app.read_billing_batch(organization, request);
        when 'export_billing_batch' then data := app.export_billing_batch(organization, request);
      end case;
      -- Returned and not raised: what it wrote, the record of who was denied what, stays.
      if data ? 'problem' then
        return data;
      end if;
      if idempotency_key is not null then
        insert into public.idempotency_keys (organization_id, user_id, operation, key, request_hash, response)
        values (organization, auth.uid(), operation, idempotency_key, request_hash, data);
      end if;
      return jsonb_build_object('data', data, 'replayed', false);
    exception
      when sqlstate 'HF000' then
        get stacked diagnostics refusal = pg_exception_detail;
        return app.refusal(organization, operation, app.with_alternatives(refusal::jsonb), request);
      -- Somebody wrote round the queue: by now they are done, so the next attempt sees what they wrote.
      when deadlock_detected or exclusion_violation then
        null;
      -- What a direct caller of the RPC may send and the functions' schemas do not let through. Raised, it would
      -- carry the row.
      when data_exception or program_limit_exceeded or statement_too_complex or check_violation or not_null_violation then
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

create function public.preview_sessions(request jsonb, idempotency_key text default null)
returns jsonb
language sql
security invoker
set search_path = ''
as $$
  select app.run_operation('preview_sessions', request, idempotency_key)
$$;
comment on function public.preview_sessions is
  'Lists the occurrences of a request to hold with their conflicts, and writes nothing (POST sessions-preview). '
  'Answers {data, replayed} or {problem}.';

create function public.find_open_times(request jsonb, idempotency_key text default null)
returns jsonb
language sql
security invoker
set search_path = ''
as $$
  select app.run_operation('find_open_times', request, idempotency_key)
$$;
comment on function public.find_open_times is
  'Finds times that can be held (POST sessions-availability). Answers {data, replayed} or {problem}.';

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

create function public.join_slot(request jsonb, idempotency_key text default null)
returns jsonb
language sql
security invoker
set search_path = ''
as $$
  select app.run_operation('join_slot', request, idempotency_key)
$$;
comment on function public.join_slot is
  'Holds a place in a group or team that exists (POST sessions-join). Answers {data, replayed} or {problem}.';

create function public.move_session(request jsonb, idempotency_key text default null)
returns jsonb
language sql
security invoker
set search_path = ''
as $$
  select app.run_operation('move_session', request, idempotency_key)
$$;
comment on function public.move_session is
  'Moves a session, or a group or team with its members (POST sessions-reschedule). '
  'Answers {data, replayed} or {problem}.';

create function public.swap_sessions(request jsonb, idempotency_key text default null)
returns jsonb
language sql
security invoker
set search_path = ''
as $$
  select app.run_operation('swap_sessions', request, idempotency_key)
$$;
comment on function public.swap_sessions is
  'Exchanges the times or the therapists of two sessions (POST sessions-reschedule). '
  'Answers {data, replayed} or {problem}.';

create function public.substitute_therapist(request jsonb, idempotency_key text default null)
returns jsonb
language sql
security invoker
set search_path = ''
as $$
  select app.run_operation('substitute_therapist', request, idempotency_key)
$$;
comment on function public.substitute_therapist is
  'Gives a therapist''s sessions of some hours to another (POST sessions-reschedule). '
  'Answers {data, replayed} or {problem}.';

create function public.update_series(request jsonb, idempotency_key text default null)
returns jsonb
language sql
security invoker
set search_path = ''
as $$
  select app.run_operation('update_series', request, idempotency_key)
$$;
comment on function public.update_series is
  'Changes a series from some occurrence on (POST sessions-series). Answers {data, replayed} or {problem}.';

create function public.set_availability(request jsonb, idempotency_key text default null)
returns jsonb
language sql
security invoker
set search_path = ''
as $$
  select app.run_operation('set_availability', request, idempotency_key)
$$;
comment on function public.set_availability is
  'Sets a therapist''s weekly hours from some day on (POST availability). Answers {data, replayed} or {problem}.';

create function public.add_exception(request jsonb, idempotency_key text default null)
returns jsonb
language sql
security invoker
set search_path = ''
as $$
  select app.run_operation('add_exception', request, idempotency_key)
$$;
comment on function public.add_exception is
  'Enters time off, extra hours or a holiday (POST availability). Answers {data, replayed} or {problem}.';

create function public.cancel_exception(request jsonb, idempotency_key text default null)
returns jsonb
language sql
security invoker
set search_path = ''
as $$
  select app.run_operation('cancel_exception', request, idempotency_key)
$$;
comment on function public.cancel_exception is
  'Takes back time off, extra hours or a holiday (POST availability). Answers {data, replayed} or {problem}.';

create function public.join_waitlist(request jsonb, idempotency_key text default null)
returns jsonb
language sql
security invoker
set search_path = ''
as $$
  select app.run_operation('join_waitlist', request, idempotency_key)
$$;
comment on function public.join_waitlist is
  'Puts a client on the waitlist (POST waitlist). Answers {data, replayed} or {problem}.';

create function public.leave_waitlist(request jsonb, idempotency_key text default null)
returns jsonb
language sql
security invoker
set search_path = ''
as $$
  select app.run_operation('leave_waitlist', request, idempotency_key)
$$;
comment on function public.leave_waitlist is
  'Takes a client off the waitlist (POST waitlist). Answers {data, replayed} or {problem}.';

create function public.answer_offer(request jsonb, idempotency_key text default null)
returns jsonb
language sql
security invoker
set search_path = ''
as $$
  select app.run_operation('answer_offer', request, idempotency_key)
$$;
comment on function public.answer_offer is
  'Accepts or declines a time that the waitlist offers (POST waitlist). Answers {data, replayed} or {problem}.';

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

-- run_operation is not exposed by the API; it takes the operation's name so that the RPCs share one body.
grant execute on function
  app.run_operation, public.archive_client,
  public.hold_sessions,
  public.preview_sessions,
  public.find_open_times,
  public.confirm_sessions,
  public.cancel_sessions,
  public.join_slot,
  public.move_session,
  public.swap_sessions,
  public.substitute_therapist,
  public.update_series,
  public.set_availability,
  public.add_exception,
  public.cancel_exception,
  public.join_waitlist,
  public.leave_waitlist,
  public.answer_offer
to authenticated;
