-- Partner sync: the one thing a service account's token opens.
--
-- Promises
--   * A token reaches one RPC, public.partner_sync, and there only what its account's scopes name and its account
--     referred: no names, no ids of clients, nothing of another account or organization.
--   * A partner's calls are on record, allowed and denied.
--   * A token that is unknown, expired or revoked, or of a disabled account, gets one and the same answer.

create table app.partner_call_counts (
  organization_id uuid not null,
  service_account_id uuid not null,
  minute timestamptz not null,
  calls integer not null,
  exceeded text,
  primary key (organization_id, service_account_id),
  constraint partner_call_counts_service_account_fkey
    foreign key (organization_id, service_account_id) references public.service_accounts (organization_id, id),
  constraint partner_call_counts_exceeded_known check (exceeded in ('own', 'organization'))
) with (fillfactor = 50);
comment on table app.partner_call_counts is 'Calls per service account in the current minute, for the rate limit.';

create table app.partner_idempotency_keys (
  organization_id uuid not null,
  service_account_id uuid not null,
  key text not null,
  request_hash bytea not null,
  response jsonb not null,
  expires_at timestamptz not null default clock_timestamp() + interval '24 hours',
  primary key (organization_id, service_account_id, key),
  constraint partner_idempotency_keys_service_account_fkey
    foreign key (organization_id, service_account_id) references public.service_accounts (organization_id, id)
);
comment on table app.partner_idempotency_keys is
  'As idempotency_keys, for enrolments by service accounts: successes that may be asked for again within 24 hours.';

alter table public.referrals
  add column service_account_id uuid,
  add constraint referrals_service_account_fkey
    foreign key (organization_id, service_account_id) references public.service_accounts (organization_id, id),
  add constraint referrals_once_per_service_account unique (organization_id, service_account_id, reference),
  add constraint referrals_referred_by_one check (service_account_id is null or created_by is null);
select audit.watch('public.referrals', 'reference');
comment on column public.referrals.service_account_id is
  'Who referred, when it was a partner''s software; created_by is then null. Written by app.partner_sync only.';

alter table app.partner_call_counts enable row level security;
alter table app.partner_idempotency_keys enable row level security;

create function app.partner_refusal(organization uuid, account uuid, operation text, problem jsonb)
returns jsonb
language plpgsql
set search_path = ''
as $$
begin
  insert into audit.events (organization_id, action, decision, code, table_name, row_id, details)
  values (organization, 'partner.' || operation, 'deny', problem ->> 'code', 'service_accounts', account,
    jsonb_strip_nulls(jsonb_build_object('service_account_id', account, 'reason', problem -> 'reason')));
  return jsonb_build_object('problem', problem);
end
$$;
comment on function app.partner_refusal is 'As app.refusal, with the service account in the place of a user.';

create function app.refuse_partner_token(organization uuid, account uuid, operation text)
returns jsonb
language plpgsql
set search_path = ''
as $$
declare
  since timestamptz := clock_timestamp() - interval '1 minute';
  problem jsonb := '{"code": "unauthenticated"}';
  is_recorded boolean := case
    when organization is null then exists (
      select
      from audit.events event
      where event.organization_id is null and event.occurred_at > since
        and event.action like 'partner.%' and event.row_id is null)
    else exists (
      select
      from audit.events event
      where event.organization_id = organization and event.occurred_at > since
        and event.action like 'partner.%' and event.code = 'unauthenticated' and event.row_id = account)
  end;
begin
  -- Anybody may send such tokens, as many as they like: one line a minute says it, and the trail does not fill.
  if is_recorded then
    return jsonb_build_object('problem', problem);
  end if;
  return app.partner_refusal(organization, account, operation, problem);
end
$$;
comment on function app.refuse_partner_token is
  'The one answer to a token that does not count, whatever the reason; on record once a minute and account.';

create function app.count_partner_call(organization uuid, account uuid, operation text)
returns jsonb
language plpgsql
set search_path = ''
as $$
declare
  this_minute timestamptz := date_trunc('minute', clock_timestamp());
  so_far integer;
  limit_exceeded text;
begin
  insert into app.partner_call_counts as counter (organization_id, service_account_id, minute, calls)
  values (organization, account, this_minute, 1)
  on conflict (organization_id, service_account_id) do update
  set minute = this_minute,
    calls = case when counter.minute = this_minute then counter.calls + 1 else 1 end,
    exceeded = case when counter.minute = this_minute then counter.exceeded end
  returning calls, exceeded into so_far, limit_exceeded;
  if limit_exceeded is not null then
    return jsonb_build_object('problem', app.rate_limited(this_minute, limit_exceeded));
  end if;

  limit_exceeded := app.exceeded_limit(organization, so_far, this_minute);
  if limit_exceeded is null then
    return null;
  end if;
  update app.partner_call_counts counter
  set exceeded = limit_exceeded
  where counter.organization_id = organization and counter.service_account_id = account;
  return app.partner_refusal(organization, account, operation, app.rate_limited(this_minute, limit_exceeded));
end
$$;
comment on function app.count_partner_call is
  'As app.count_call, for a service account: the refusal when an allowance of the minute is used up, else null.';

create function app.partner_reference(request jsonb)
returns text
language plpgsql
immutable
set search_path = ''
as $$
declare
  reference text := request ->> 'reference';
begin
  if reference !~ '^[A-Za-z0-9._/-]{1,64}$' then
    perform app.refuse_field('reference', 'invalid_format', 'Must be 1 to 64 of A-Z a-z 0-9 . _ / -');
  end if;
  return reference;
end
$$;
comment on function app.partner_reference is 'The reference that a partner''s request names, null when it names none.';

create function app.partner_enrol(organization uuid, account uuid, request jsonb)
returns jsonb
language plpgsql
set search_path = ''
as $$
declare
  wanted text := app.partner_reference(request);
  referral record;
  is_new boolean;
begin
  if wanted is null then
    perform app.refuse_field('reference', 'required', 'Required.');
  end if;
  insert into public.referrals (organization_id, service_account_id, reference)
  values (organization, account, wanted)
  on conflict (organization_id, service_account_id, reference) do nothing;
  is_new := found;
  select it.id, it.status into referral
  from public.referrals it
  where it.organization_id = organization and it.service_account_id = account and it.reference = wanted;

  insert into audit.events (organization_id, action, table_name, row_id, details)
  values (organization, 'partner.enrol', 'referrals', referral.id,
    jsonb_build_object('service_account_id', account, 'created', is_new));
  return jsonb_build_object('reference', wanted, 'status', referral.status, 'created', is_new);
end
$$;
comment on function app.partner_enrol is
  'Refers a client under the partner''s own reference, once: again, it answers what became of the referral.';

create function app.partner_schedule(organization uuid, account uuid, request jsonb)
returns jsonb
language plpgsql
stable
set search_path = ''
as $$
declare
  page_size constant integer := 100;
  wanted text := app.partner_reference(request);
  from_time timestamptz := coalesce((request ->> 'from')::timestamptz, clock_timestamp());
  to_time timestamptz := coalesce((request ->> 'to')::timestamptz, from_time + interval '92 days');
  answer record;
begin
  if not isfinite(from_time) or not isfinite(to_time) then
    perform app.refuse_field('from', 'invalid_value', 'Must be an instant.');
  elsif to_time <= from_time then
    perform app.refuse_field('to', 'too_small', 'Must be after from.');
  elsif to_time > from_time + interval '92 days' then
    perform app.refuse_field('to', 'too_big', 'Must be at most 92 days after from.');
  end if;

  with page as (
    select it.reference, it.status, it.client_id, row_number() over (order by it.reference) as position
    from public.referrals it
    where it.organization_id = organization
      and it.service_account_id = account
      and (wanted is null or it.reference = wanted)
      and (request ->> 'after' is null or it.reference > request ->> 'after')
    order by it.reference
    limit page_size + 1
  )
  select
    coalesce(
      jsonb_agg(
        jsonb_build_object(
          'reference', page.reference,
          'status', page.status,
          'client_status', client.status,
          'sessions', booked.sessions)
        order by page.position) filter (where page.position <= page_size),
      '[]') as referrals,
    case when count(*) > page_size then max(page.reference) filter (where page.position = page_size) end as next_page
  into answer
  from page
  left join public.clients client on client.organization_id = organization and client.id = page.client_id
  cross join lateral (
    select coalesce(
      jsonb_agg(
        jsonb_build_object(
          'start_time', session.start_time,
          'end_time', session.end_time,
          'time_zone', session.time_zone,
          'status', session.status)
        order by session.start_time, session.end_time),
      '[]') as sessions
    from public.sessions session
    where session.organization_id = organization
      and session.client_id = page.client_id
      and session.start_time >= from_time
      and session.start_time < to_time) booked;

  if wanted is not null and answer.referrals = '[]' then
    perform app.refuse('not_found', 'There is no referral with this reference.');
  end if;
  return jsonb_build_object(
    'from', from_time, 'to', to_time, 'referrals', answer.referrals, 'next', answer.next_page);
end
$$;
comment on function app.partner_schedule is
  'What became of the clients that the account referred: status, and the sessions that start within at most 92 days. No '
  'names, no ids. At most 100 referrals; next is what to ask on with as after.';

create function app.partner_replay(organization uuid, account uuid, of_key text, hash bytea)
returns jsonb
language plpgsql
set search_path = ''
as $$
declare
  known record;
begin
  perform app.take_key(of_key, hashtextextended(concat_ws(' ', organization, account, of_key), 2));

  -- All that have expired, so that nobody need sweep the table.
  delete from app.partner_idempotency_keys kept
  where kept.organization_id = organization and kept.service_account_id = account
    and kept.expires_at <= clock_timestamp();
  select kept.request_hash, kept.response into known
  from app.partner_idempotency_keys kept
  where kept.organization_id = organization and kept.service_account_id = account and kept.key = of_key;
  if known.request_hash <> hash then
    perform app.refuse('idempotency_key_reused', 'This Idempotency-Key was used with another request.');
  end if;
  return known.response;
end
$$;
comment on function app.partner_replay is 'As app.replay, for a service account.';

create function app.partner_sync(token text, request jsonb, idempotency_key text)
returns jsonb
language plpgsql
security definer
set search_path = ''
set lock_timeout = '5s'
set timezone = 'UTC'
as $$
declare
  operation text := case when request ->> 'operation' in ('enrol', 'schedule') then request ->> 'operation' else 'call' end;
  needed_scope text := case operation when 'enrol' then 'enrolment:write' when 'schedule' then 'schedule:read' end;
  request_hash bytea := sha256(convert_to(request::text, 'UTF8'));
  account record;
  data jsonb;
  refusal text;
begin
  -- The account acts, not whoever may be signed in beside it: stamps and the audit trail must not name them.
  perform set_config('request.jwt.claims', '', true), set_config('request.jwt.claim.sub', '', true);

  select owner.id, owner.organization_id, owner.scopes, issued.id as token_id,
    issued.revoked_at is null
      and issued.expires_at > clock_timestamp()
      and owner.disabled_at is null
      and (owner.expires_at is null or owner.expires_at > clock_timestamp()) as is_live
  into account
  from public.service_account_tokens issued
  join public.service_accounts owner
    on owner.organization_id = issued.organization_id and owner.id = issued.service_account_id
  where issued.token_hash = sha256(convert_to(token, 'UTF8'));
  if not coalesce(account.is_live, false) then
    return app.refuse_partner_token(account.organization_id, account.id, operation);
  end if;

  update public.service_account_tokens issued
  set last_used_at = clock_timestamp()
  where issued.id = account.token_id
    and (issued.last_used_at is null or issued.last_used_at <= clock_timestamp() - interval '1 minute');

  if operation = 'enrol' and idempotency_key is not null and needed_scope = any (account.scopes) then
    begin
      data := app.partner_replay(account.organization_id, account.id, idempotency_key, request_hash);
      if data is not null then
        return jsonb_build_object('data', data, 'replayed', true);
      end if;
    exception
      when sqlstate 'HF000' then
        get stacked diagnostics refusal = pg_exception_detail;
    end;
  end if;
  -- As in app.run_operation: a refused call counts, only a replay does not.
  data := app.count_partner_call(account.organization_id, account.id, operation);
  if data is not null then
    return data;
  elsif refusal is not null then
    return app.partner_refusal(account.organization_id, account.id, operation, refusal::jsonb);
  end if;

  begin
    perform app.check_answer_is_whole('partner_sync');
    if needed_scope is null then
      perform app.refuse_field('operation', 'invalid_value', 'Must be enrol or schedule.');
    elsif not needed_scope = any (account.scopes) then
      perform app.refuse('forbidden', 'This service account does not have the scope for it.');
    end if;

    if operation = 'schedule' then
      data := app.partner_schedule(account.organization_id, account.id, request);
      insert into audit.events (organization_id, action, table_name, row_id, details)
      values (account.organization_id, 'partner.schedule', 'service_accounts', account.id,
        jsonb_build_object(
          'service_account_id', account.id, 'referrals', jsonb_array_length(data -> 'referrals')));
      return jsonb_build_object('data', data, 'replayed', false);
    end if;

    data := app.partner_enrol(account.organization_id, account.id, request);
    if idempotency_key is not null then
      insert into app.partner_idempotency_keys (organization_id, service_account_id, key, request_hash, response)
      values (account.organization_id, account.id, idempotency_key, request_hash, data);
    end if;
    return jsonb_build_object('data', data, 'replayed', false);
  exception
    when sqlstate 'HF000' then
      get stacked diagnostics refusal = pg_exception_detail;
      return app.partner_refusal(account.organization_id, account.id, operation, refusal::jsonb);
    when data_exception or program_limit_exceeded or statement_too_complex or check_violation or not_null_violation then
      get stacked diagnostics refusal = constraint_name;
      return app.partner_refusal(account.organization_id, account.id, operation, app.impossible_value(refusal));
  end;
end
$$;
comment on function app.partner_sync is
  'Runs a partner''s call. Definer: the caller is anon, who has a grant on nothing; what it may do is decided by the '
  'token, which is verified here against its hash, and by the scopes of the token''s account.';

-- The body is parsed now and not when it is called, so anon needs no USAGE on schema app: it reaches by name nothing in it.
create function public.partner_sync(token text, request jsonb, idempotency_key text default null)
returns jsonb
language sql
security invoker
set search_path = ''
begin atomic
  select app.partner_sync(token, request, idempotency_key);
end;
comment on function public.partner_sync is
  'For service accounts (POST partner-sync): enrols a client or reads the schedule of those enrolled, as the account of '
  'the token. Answers {data, replayed} or {problem}.';

grant execute on function app.partner_sync, public.partner_sync to anon, authenticated;
