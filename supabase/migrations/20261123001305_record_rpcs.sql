-- The RPCs of notes, consents, charges and authorizations, as those of booking: thin, and through app.run_operation.

create function public.prepare_note(request jsonb, idempotency_key text default null)
returns jsonb
language sql
security invoker
set search_path = ''
as $$
  select app.run_operation('prepare_note', request, idempotency_key)
$$;
comment on function public.prepare_note is
  'What is needed to encrypt a note of a session (for POST session-notes). Answers {data, replayed} or {problem}.';

create function public.save_note(request jsonb, idempotency_key text default null)
returns jsonb
language sql
security invoker
set search_path = ''
as $$
  select app.run_operation('save_note', request, idempotency_key)
$$;
comment on function public.save_note is
  'Saves the ciphertext of a draft (for POST session-notes). Answers {data, replayed} or {problem}.';

create function public.read_note(request jsonb, idempotency_key text default null)
returns jsonb
language sql
security invoker
set search_path = ''
as $$
  select app.run_operation('read_note', request, idempotency_key)
$$;
comment on function public.read_note is
  'A note, or those of a session, as ciphertext; each read is put on record (for POST session-notes). Answers {data, replayed} or {problem}.';

create function public.sign_note(request jsonb, idempotency_key text default null)
returns jsonb
language sql
security invoker
set search_path = ''
as $$
  select app.run_operation('sign_note', request, idempotency_key)
$$;
comment on function public.sign_note is
  'Signs a draft, which does not change from then on (for POST session-notes). Answers {data, replayed} or {problem}.';

create function public.cosign_note(request jsonb, idempotency_key text default null)
returns jsonb
language sql
security invoker
set search_path = ''
as $$
  select app.run_operation('cosign_note', request, idempotency_key)
$$;
comment on function public.cosign_note is
  'A supervisor signs a signed note (for POST session-notes). Answers {data, replayed} or {problem}.';

create function public.find_notes_to_cosign(request jsonb, idempotency_key text default null)
returns jsonb
language sql
security invoker
set search_path = ''
as $$
  select app.run_operation('find_notes_to_cosign', request, idempotency_key)
$$;
comment on function public.find_notes_to_cosign is
  'The signed notes that wait for the caller''s signature: {organization_id, limit, after_note_id}. Answers {data, replayed} or {problem}.';

create function public.release_summary(request jsonb, idempotency_key text default null)
returns jsonb
language sql
security invoker
set search_path = ''
as $$
  select app.run_operation('release_summary', request, idempotency_key)
$$;
comment on function public.release_summary is
  'Lets the family read a signed summary (POST session-notes). Answers {data, replayed} or {problem}.';

create function public.report_unreadable_note(request jsonb, idempotency_key text default null)
returns jsonb
language sql
security invoker
set search_path = ''
as $$
  select app.run_operation('report_unreadable_note', request, idempotency_key)
$$;
comment on function public.report_unreadable_note is
  'Alerts the admins to a note that does not open (for POST session-notes). Answers {data, replayed} or {problem}.';

create function public.destroy_client_key(request jsonb, idempotency_key text default null)
returns jsonb
language sql
security invoker
set search_path = ''
as $$
  select app.run_operation('destroy_client_key', request, idempotency_key)
$$;
comment on function public.destroy_client_key is
  'Two admins, one after the other within 24 hours: no note under the clients key can be read again. Answers {data, replayed} or {problem}.';

create function public.override_mue(request jsonb, idempotency_key text default null)
returns jsonb
language sql
security invoker
set search_path = ''
as $$
  select app.run_operation('override_mue', request, idempotency_key)
$$;
comment on function public.override_mue is
  'Records why a session''s units may exceed the MUE limit of the day. Answers {data, replayed} or {problem}.';

create function public.sign_consent(request jsonb, idempotency_key text default null)
returns jsonb
language sql
security invoker
set search_path = ''
as $$
  select app.run_operation('sign_consent', request, idempotency_key)
$$;
comment on function public.sign_consent is
  'Signs a consent form for a client: {client_id, form_id, typed_name}. For those who stand for the client. '
  'Answers {data, replayed} or {problem}.';

create function public.terminate_consent(request jsonb, idempotency_key text default null)
returns jsonb
language sql
security invoker
set search_path = ''
as $$
  select app.run_operation('terminate_consent', request, idempotency_key)
$$;
comment on function public.terminate_consent is
  'Ends a signature: {signature_id, reason}. For those who stand for the client, and admins. Answers {data, replayed} or {problem}.';

create function public.read_consents(request jsonb, idempotency_key text default null)
returns jsonb
language sql
security invoker
set search_path = ''
as $$
  select app.run_operation('read_consents', request, idempotency_key)
$$;
comment on function public.read_consents is
  'A client''s signatures, who gave them and from where: {client_id}. For those who stand for the client, and admins; on '
  'record. Answers {data, replayed} or {problem}.';

create function public.save_authorization(request jsonb, idempotency_key text default null)
returns jsonb
language sql
security invoker
set search_path = ''
as $$
  select app.run_operation('save_authorization', request, idempotency_key)
$$;
comment on function public.save_authorization is
  'Enters or changes an authorization: {authorization_id} or {client_id, payer_id}, and what it says. For who plans sessions. '
  'Answers {data, replayed} or {problem}.';

create function public.close_authorization(request jsonb, idempotency_key text default null)
returns jsonb
language sql
security invoker
set search_path = ''
as $$
  select app.run_operation('close_authorization', request, idempotency_key)
$$;
comment on function public.close_authorization is
  'Closes an authorization: {authorization_id}. For who plans sessions. '
  'Answers {data, replayed} or {problem}.';

create function public.read_authorizations(request jsonb, idempotency_key text default null)
returns jsonb
language sql
security invoker
set search_path = ''
as $$
  select app.run_operation('read_authorizations', request, idempotency_key)
$$;
comment on function public.read_authorizations is
  'Authorizations with their balances: {client_id} or {organization_id}; on record. For who plans sessions. '
  'Answers {data, replayed} or {problem}.';

create function public.read_authorization_alerts(request jsonb, idempotency_key text default null)
returns jsonb
language sql
security invoker
set search_path = ''
as $$
  select app.run_operation('read_authorization_alerts', request, idempotency_key)
$$;
comment on function public.read_authorization_alerts is
  'Authorizations that run low, run out soon or are overdrawn: {organization_id}. For who plans sessions. '
  'Answers {data, replayed} or {problem}.';

grant execute on function
  public.sign_consent,
  public.terminate_consent,
  public.read_consents,
  public.prepare_note,
  public.save_note,
  public.read_note,
  public.sign_note,
  public.cosign_note,
  public.find_notes_to_cosign,
  public.release_summary,
  public.report_unreadable_note,
  public.destroy_client_key,
  public.override_mue,
  public.save_authorization,
  public.close_authorization,
  public.read_authorizations,
  public.read_authorization_alerts
to authenticated;
