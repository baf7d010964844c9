-- Operations: what every booking call has in common, whatever it does.
--
-- Promises
--   * One call is one transaction: its effect, its audit events and its idempotency key are written together
--     or not at all, so a crash leaves both or neither.
--   * A refusal undoes everything the call wrote, is put on record, and is returned, not raised: its record stays.
--   * The same Idempotency-Key and request give the first success again for 24 hours; refusals are not kept.
--   * No caller meets a deadlock: the operation is tried again, and at worst the answer is `unavailable`.

create table public.idempotency_keys (
  organization_id uuid not null references public.organizations (id),
  user_id uuid not null references auth.users (id),
  operation text not null,
  key text not null,
  request_hash bytea not null,
  response jsonb not null,
  created_at timestamptz not null default clock_timestamp(),
  expires_at timestamptz not null default clock_timestamp() + interval '24 hours',
  primary key (organization_id, user_id, operation, key),
  constraint idempotency_keys_key_form check (key ~ '^[!-~]{1,255}$')
);
comment on table public.idempotency_keys is
  'Successes that may be asked for again (IETF draft idempotency-key-header), for 24 hours. Holds ids, times and codes, no PHI column and '
  'no text; of an accepted offer also the names of therapist and service, as its family was told. No API access.';
create index idempotency_keys_user_id_idx on public.idempotency_keys (user_id);
create index idempotency_keys_expires_at_idx on public.idempotency_keys (expires_at);
alter table public.idempotency_keys enable row level security;

create table app.call_counts (
  user_id uuid not null,
  organization_id uuid,
  minute timestamptz not null,
  calls integer not null,
  exceeded text,
  constraint call_counts_key unique nulls not distinct (user_id, organization_id),
  constraint call_counts_exceeded_known check (exceeded in ('own', 'organization'))
) with (fillfactor = 50);
comment on table app.call_counts is
  'Calls per user in the current minute, for the rate limits. A row is the caller''s own, so counting makes nobody wait for a '
  'colleague.';
comment on column app.call_counts.organization_id is
  'Whose allowance they use; null for calls that were not admitted, or anybody could use up a clinic''s.';
comment on column app.call_counts.exceeded is
  'The limit that a call of this minute went beyond; the refusal is on record then, and the rest of the minute is refused too.';
-- Only the first call of a minute changes an entry of it; the others change no index at all.
create index call_counts_organization_id_minute_idx on app.call_counts (organization_id, minute);
alter table app.call_counts enable row level security;

create function app.table_of(operation text)
returns text
language plpgsql
immutable
set search_path = ''
as $$
begin
  -- Not an expression, which would be made ready with all its branches for each refusal.
  case
    when operation in ('hold_sessions', 'preview_sessions', 'find_open_times', 'join_slot') then return 'session_holds';
    when operation in (
      'confirm_sessions', 'cancel_sessions', 'move_session', 'swap_sessions', 'substitute_therapist', 'move_group', 'set_place_of_service',
      'start_session', 'complete_session', 'mark_no_show', 'correct_attendance', 'list_no_show_candidates',
      'read_attendance', 'read_cancellations', 'read_utilization', 'read_missing_notes', 'supervision_months') then return 'sessions';
    when operation = 'evv_records' then return 'attendance_marks';
    when operation = 'update_series' then return 'session_series';
    when operation = 'set_availability' then return 'therapist_availability';
    when operation in ('add_exception', 'cancel_exception') then return 'availability_exceptions';
    when operation in ('join_waitlist', 'leave_waitlist', 'answer_offer') then return 'waitlist_entries';
    when operation in ('archive_client', 'client_access_report', 'read_clients', 'save_client') then return 'clients';
    when operation in ('read_access_alerts', 'acknowledge_alert') then return 'access_alerts';
    when operation = 'save_coverage' then return 'client_coverages';
    when operation ~ '_authorization' then return 'authorizations';
    when operation in ('sign_consent', 'terminate_consent', 'read_consents') then return 'consent_signatures';
    when operation ~ 'note$|^release_summary$|^find_notes' then return 'session_notes';
    when operation = 'destroy_client_key' then return 'client_keys';
    when operation ~ '_documents?$' then return 'documents';
    when operation in ('override_mue', 'read_unbilled_sessions') then return 'session_charges';
    when operation in ('attach_sessions', 'void_case', 'rebill_case', 'settle_case') then return 'billing_cases';
    when operation ~ '_billing_batch$' then return 'billing_batches';
    when operation = 'break_glass' then return 'user_roles';
    when operation ~ 'service_account' then return 'service_accounts';
    when operation ~ 'webhook' then return 'webhook_endpoints';
    when operation ~ '_insights$' then return 'insights';
    when operation ~ '_calendar_feeds?$' then return 'calendar_feeds';
    else return null;
  end case;
end
$$;
comment on function app.table_of is 'What an operation writes, or would have written.';

create function app.refusal(organization uuid, operation text, problem jsonb, request jsonb default null)
returns jsonb
language plpgsql
set search_path = ''
as $$
declare
  denies_access boolean := coalesce(audit.denies_access(problem ->> 'code'), false);
begin
  insert into audit.events (organization_id, action, decision, code, client_id, ip, user_agent, table_name, details)
  select organization, 'rpc.' || operation, 'deny', problem ->> 'code', reached.client_id,
    case when denies_access then app.caller_address() end,
    case when denies_access then left(app.request_header('user-agent'), 500) end,
    app.table_of(operation),
    jsonb_strip_nulls(jsonb_build_object('conflicts', problem -> 'conflicts', 'reason', problem -> 'reason'))
  from unnest(coalesce(
    nullif(case when denies_access then app.clients_of(organization, request) end, '{}'), array[null::uuid])) reached (client_id);
  return jsonb_build_object('problem', problem);
end
$$;
comment on function app.refusal is 
  'Puts a refused call on record (codes and kinds only; of a refused access also whose record, and from where) and wraps its '
  'problem as the answer.';

create function app.rate_limited(minute timestamptz, whose text default 'own')
returns jsonb
language plpgsql
stable
set search_path = ''
as $$
begin
  return jsonb_build_object(
    'code', 'rate_limited',
    'detail', case whose
      when 'organization' then 'Too many calls of your organization in this minute.'
      else 'Too many calls in this minute.'
    end,
    'reason', whose || '_limit',
    -- The minute may be over, where the count waited for another call of the same caller.
    'retry_after', greatest(1, ceil(extract(epoch from minute + interval '1 minute' - clock_timestamp()))));
end
$$;
comment on function app.rate_limited is
  'The problem of a caller whose allowance for the minute is used up, their own or the whole organization''s.';

create function app.exceeded_limit(organization uuid, own_calls integer, this_minute timestamptz)
returns text
language plpgsql
stable
set search_path = ''
as $$
begin
  -- A call beyond somebody's own limit was refused, and takes nothing from the others. What others have begun and not yet ended
  -- does not show: so many too many may pass.
  return (
    select case
      when own_calls > clinic.calls_per_minute then 'own'
      when clinic.total_calls_per_minute < (
        select coalesce(sum(least(counter.calls, clinic.calls_per_minute)), 0)
        from app.call_counts counter
        where counter.organization_id = clinic.id and counter.minute = this_minute
      ) + (
        select coalesce(sum(least(counter.calls, clinic.calls_per_minute)), 0)
        from app.partner_call_counts counter
        where counter.organization_id = clinic.id and counter.minute = this_minute
      ) then 'organization'
    end
    from public.organizations clinic
    where clinic.id = organization);
end
$$;
comment on function app.exceeded_limit is
  'The limit of an organization that a caller''s call, counted already, goes beyond: own, organization, or null.';

create function app.count_call(organization uuid, operation text, is_admitted boolean)
returns jsonb
language plpgsql
set search_path = ''
as $$
declare
  whose uuid := case when is_admitted then organization end;
  this_minute timestamptz := date_trunc('minute', clock_timestamp());
  so_far integer;
  limit_exceeded text;
begin
  insert into app.call_counts as counter (user_id, organization_id, minute, calls)
  values (auth.uid(), whose, this_minute, 1)
  on conflict (user_id, organization_id) do update
  set minute = this_minute,
    calls = case when counter.minute = this_minute then counter.calls + 1 else 1 end,
    exceeded = case when counter.minute = this_minute then counter.exceeded end
  returning calls, exceeded into so_far, limit_exceeded;
  -- On record once a minute, so that a flood does not fill the audit trail.
  if limit_exceeded is not null then
    return jsonb_build_object('problem', app.rate_limited(this_minute, limit_exceeded));
  end if;

  limit_exceeded := case
    when is_admitted then app.exceeded_limit(organization, so_far, this_minute)
    -- Of a stranger the same for every id, or the limit of another clinic would say that there is such a row.
    when so_far > case
      when organization = any (app.org_ids())
        then (select clinic.calls_per_minute from public.organizations clinic where clinic.id = organization)
      else 60
    end then 'own'
  end;
  if limit_exceeded is null then
    return null;
  end if;
  update app.call_counts counter
  set exceeded = limit_exceeded
  where counter.user_id = auth.uid() and counter.organization_id is not distinct from whose;
  return app.refusal(organization, operation, app.rate_limited(this_minute, limit_exceeded));
end
$$;
comment on function app.count_call is
  'Counts a call of the caller, admitted to the organization or not; the refusal when an allowance of the minute is used up, '
  'else null.';

create function app.refuse_unauthenticated(operation text)
returns jsonb
language plpgsql
set search_path = ''
as $$
begin
  -- A token outlives its session by minutes, in which its calls could else fill the trail.
  if auth.uid() is not null and app.count_call(null, operation, is_admitted => false) is not null then
    return '{"problem": {"code": "unauthenticated"}}';
  end if;
  return app.refusal(null, operation, '{"code": "unauthenticated"}');
end
$$;
comment on function app.refuse_unauthenticated is
  'The answer to a call without a live session: on record as often in a minute as a stranger may call, the same whether it is or not.';

create function app.target_organization(request jsonb)
returns uuid
language plpgsql
stable
set search_path = ''
as $$
declare
  named text;
begin
  -- The first of these that is named decides, whether it names a row or not: were the next one asked for an id that nobody has, the
  -- answer would tell it from that of a row of another clinic. That the others are of the same organization is the operation's to check.
  -- Those that bookings name first and each by itself, since all of a query is made ready whatever it comes to need.
  named := coalesce(request ->> 'therapist_id', request -> 'therapist_ids' ->> 0);
  if named is not null then
    return (select therapist.organization_id from public.therapists therapist where therapist.id = named::uuid);
  end if;
  named := coalesce(request ->> 'client_id', request -> 'client_ids' ->> 0);
  if named is not null then
    return (select client.organization_id from public.clients client where client.id = named::uuid);
  end if;
  named := coalesce(request ->> 'session_id', request -> 'session_ids' ->> 0);
  if named is not null then
    return (select session.organization_id from public.sessions session where session.id = named::uuid);
  end if;
  named := request ->> 'hold_key';
  if named is not null then
    return (select hold.organization_id from public.session_holds hold where named::uuid in (hold.id, hold.batch_key) limit 1);
  end if;
  return case
    when request ->> 'series_id' is not null
      then (select it.organization_id from public.session_series it where it.id = (request ->> 'series_id')::uuid)
    when request ->> 'group_id' is not null
      then (select it.organization_id from public.session_groups it where it.id = (request ->> 'group_id')::uuid)
    when request ->> 'team_id' is not null
      then (select it.organization_id from public.session_teams it where it.id = (request ->> 'team_id')::uuid)
    when request ->> 'exception_id' is not null
      then (select it.organization_id from public.availability_exceptions it where it.id = (request ->> 'exception_id')::uuid)
    when request ->> 'waitlist_entry_id' is not null
      then (select it.organization_id from public.waitlist_entries it where it.id = (request ->> 'waitlist_entry_id')::uuid)
    when request ->> 'signature_id' is not null
      then (select it.organization_id from public.consent_signatures it where it.id = (request ->> 'signature_id')::uuid)
    when request ->> 'form_id' is not null
      then (select it.organization_id from public.consent_forms it where it.id = (request ->> 'form_id')::uuid)
    when request ->> 'authorization_id' is not null
      then (select it.organization_id from public.authorizations it where it.id = (request ->> 'authorization_id')::uuid)
    when coalesce(request ->> 'case_id', request -> 'case_ids' ->> 0) is not null then (
      select it.organization_id
      from public.billing_cases it
      where it.id = coalesce(request ->> 'case_id', request -> 'case_ids' ->> 0)::uuid)
    when request ->> 'batch_id' is not null
      then (select it.organization_id from public.billing_batches it where it.id = (request ->> 'batch_id')::uuid)
    when coalesce(request ->> 'note_id', request ->> 'addends_note_id') is not null then (
      select it.organization_id
      from public.session_notes it
      where it.id = coalesce(request ->> 'note_id', request ->> 'addends_note_id')::uuid)
    when request ->> 'document_id' is not null
      then (select it.organization_id from public.documents it where it.id = (request ->> 'document_id')::uuid)
    when request ->> 'feed_id' is not null
      then (select it.organization_id from app.calendar_feeds it where it.id = (request ->> 'feed_id')::uuid)
    when request ->> 'alert_id' is not null
      then (select it.organization_id from public.access_alerts it where it.id = (request ->> 'alert_id')::uuid)
    else (select clinic.id from public.organizations clinic where clinic.id = (request ->> 'organization_id')::uuid)
  end;
end
$$;
comment on function app.target_organization is 'The organization whose rows a request is about; null when there is no such row.';

create function app.clients_of(organization uuid, request jsonb)
returns uuid[]
language plpgsql
stable
set search_path = ''
as $$
declare
  named uuid[] := array(
    -- What is no id names nobody, and hides none of the others.
    select case when pg_input_is_valid(given.id, 'uuid') then given.id::uuid end
    from unnest(array[
      request ->> 'client_id', request -> 'client_ids' ->> 0, request ->> 'note_id', request ->> 'addends_note_id',
      request ->> 'document_id', request ->> 'signature_id', request ->> 'session_id', request -> 'session_ids' ->> 0])
      with ordinality as given (id, place)
    order by given.place);
begin
  return array(
    select client.id from public.clients client where client.organization_id = organization and client.id = any (named[1:2])
    union
    select note.client_id from public.session_notes note where note.organization_id = organization and note.id = any (named[3:4])
    union
    select document.client_id from public.documents document where document.organization_id = organization and document.id = named[5]
    union
    select signature.client_id
    from public.consent_signatures signature
    where signature.organization_id = organization and signature.id = named[6]
    union
    select session.client_id from public.sessions session where session.organization_id = organization and session.id = any (named[7:8]));
end
$$;
comment on function app.clients_of is
  'Whose records a request that is refused reached for, by all the ids in it: of one alone, another client''s named beside it would take the place.';

create function app.admit_caller(organization uuid, or_break_glass boolean default false)
returns void
language plpgsql
set search_path = ''
as $$
begin
  if organization is null
    or not organization = any (app.org_ids())
      and not (or_break_glass and organization = any (app.org_ids_with_role('super_admin')))
  then
    perform app.refuse('not_found', 'There is no such row in your organizations.');
  end if;
  if organization = any (app.org_ids_needing_second_factor()) then
    perform app.refuse('mfa_required', 'This organization, or your role in it, asks for a second factor.');
  end if;
end
$$;
comment on function app.admit_caller is
  'Refuses callers from elsewhere (as if the row did not exist) or without a required second factor.';

create function app.check_answer_is_whole(operation text)
returns void
language plpgsql
stable
set search_path = ''
as $$
begin
  -- As REST names what a function answers: "read_clients"."pgrst_scalar", by the local stack "read_clients" -> 'data'.
  if current_query() ~ ('"' || operation || '" *(\."|->)') then
    perform app.refuse_field('select', 'not_allowed', 'An answer is taken whole: a call has no select, filter or order.');
  end if;
end
$$;
comment on function app.check_answer_is_whole is
  'Refuses a call over REST that takes its answer apart: ?select= with a cast that fails has the value in its error, and undoes the '
  'record that it was read.';

create function app.take_key(of_key text, lock bigint)
returns void
language plpgsql
set search_path = ''
as $$
begin
  if of_key !~ '^[!-~]{1,255}$' then
    perform app.refuse('idempotency_key_invalid', 'Idempotency-Key takes 1 to 255 visible ASCII characters.');
  end if;
  if not pg_try_advisory_xact_lock(lock) then
    perform app.refuse('idempotency_in_flight', 'A call with this Idempotency-Key is being processed.',
      jsonb_build_object('retry_after', 1));
  end if;
end
$$;
comment on function app.take_key is
  'Holds an Idempotency-Key until the end of the transaction, or refuses one that is malformed or held by another call.';

create function app.replay(organization uuid, of_operation text, of_key text, hash bytea)
returns jsonb
language plpgsql
set search_path = ''
as $$
declare
  known public.idempotency_keys;
begin
  perform app.take_key(of_key, hashtextextended(concat_ws(' ', organization, auth.uid(), of_operation, of_key), 1));

  delete from public.idempotency_keys
  where organization_id = organization and user_id = auth.uid() and operation = of_operation and key = of_key
    and expires_at <= clock_timestamp();
  select * into known
  from public.idempotency_keys
  where organization_id = organization and user_id = auth.uid() and operation = of_operation and key = of_key;

  if known.request_hash <> hash then
    perform app.refuse('idempotency_key_reused', 'This Idempotency-Key was used with another request.');
  end if;
  return known.response;
end
$$;
comment on function app.replay is
  'The answer this key already has, null when it has none, or a refusal. Holds the key until the end of the transaction.';

create function app.page_size(request jsonb, usual integer default 50, largest integer default 200)
returns integer
language plpgsql
immutable
set search_path = ''
as $$
begin
  if coalesce(request -> 'limit', 'null') = 'null' then
    return usual;
  elsif jsonb_typeof(request -> 'limit') <> 'number' or request ->> 'limit' !~ '^[1-9][0-9]{0,3}$'
    or (request ->> 'limit')::integer > largest
  then
    perform app.refuse_field('limit', 'invalid_value', format('Must be a whole number from 1 to %s.', largest));
  end if;
  return (request ->> 'limit')::integer;
end
$$;
comment on function app.page_size is 'How many rows a page of a list has: the limit of the request, or the usual number.';

create function app.impossible_value(rule text default null)
returns jsonb
language plpgsql
immutable
set search_path = ''
as $$
begin
  if rule = 'sessions_frozen_while_billed' then
    return jsonb_build_object(
      'code', 'session_billed', 'detail', 'The session is on a claim: void the claim (void_case), then change the session.');
  end if;
  return jsonb_strip_nulls(jsonb_build_object(
    'code', 'validation_failed',
    'detail', 'The request has values that cannot be accepted.',
    'reason', nullif(rule, '')));
end
$$;
comment on function app.impossible_value is
  'The problem for a value that a type or a constraint refused; the constraint''s name, and nothing of the row.';
