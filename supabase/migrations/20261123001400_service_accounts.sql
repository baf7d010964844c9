-- Service accounts: how a partner organization's software enrols clients and reads their schedule, without a login.
--
-- Promises
--   * A token is shown once and kept only as its SHA-256; it ends within a year, and at once when revoked.
--   * A token reaches one RPC, public.partner_sync, and there only what its account's scopes name and its account
--     referred: no names, no ids of clients, nothing of another account or organization.
--   * Only who holds manage_service_accounts makes, rotates or ends an account; each is on record, as are the partner's
--     calls, allowed and denied.
--   * A token that is unknown, expired or revoked, or of a disabled account, gets one and the same answer.

create table public.service_accounts (
  id uuid primary key default gen_random_uuid(),
  organization_id uuid not null references public.organizations (id),
  name text not null,
  scopes text[] not null,
  expires_at timestamptz,
  disabled_at timestamptz,
  created_at timestamptz not null,
  created_by uuid,
  updated_at timestamptz not null,
  updated_by uuid,
  constraint service_accounts_organization_id_id_key unique (organization_id, id),
  constraint service_accounts_name_length check (length(name) between 1 and 200),
  constraint service_accounts_scopes_known
    check (scopes <@ array['enrolment:write', 'schedule:read'] and cardinality(scopes) between 1 and 2)
);
comment on table public.service_accounts is
  'A partner organization''s software. Written by create_service_account and revoke_service_account only; never deleted.';
comment on column public.service_accounts.scopes is
  'enrolment:write refers clients; schedule:read reads status and schedule of those it referred.';
comment on column public.service_accounts.expires_at is 'When the account ends by itself; null when only its tokens do.';
comment on column public.service_accounts.disabled_at is 'Ended by an admin: none of its tokens counts any more.';
select app.add_stamps('public.service_accounts');

create table public.service_account_tokens (
  id uuid primary key default gen_random_uuid(),
  organization_id uuid not null,
  service_account_id uuid not null,
  token_hash bytea not null,
  prefix text not null,
  expires_at timestamptz not null,
  revoked_at timestamptz,
  last_used_at timestamptz,
  created_at timestamptz not null,
  created_by uuid,
  updated_at timestamptz not null,
  updated_by uuid,
  constraint service_account_tokens_service_account_fkey
    foreign key (organization_id, service_account_id) references public.service_accounts (organization_id, id),
  constraint service_account_tokens_token_hash_unique unique (token_hash),
  constraint service_account_tokens_token_hash_length check (octet_length(token_hash) = 32),
  constraint service_account_tokens_prefix_form check (prefix ~ '^hf_[A-Za-z0-9_-]{6}$'),
  constraint service_account_tokens_at_most_a_year check (expires_at <= created_at + interval '1 year')
) with (fillfactor = 85);
comment on table public.service_account_tokens is
  'Tokens of service accounts, as SHA-256; the token itself stands nowhere. No API access: read through '
  'list_service_account_tokens.';
comment on column public.service_account_tokens.prefix is 'The token''s first nine characters, for people to tell tokens apart.';
comment on column public.service_account_tokens.last_used_at is
  'Moved at most once a minute; in no index, so that moving it stays within the page (HOT).';
create index service_account_tokens_service_account_idx
  on public.service_account_tokens (organization_id, service_account_id);
select app.add_stamps('public.service_account_tokens');

create table app.partner_call_counts (
  organization_id uuid not null,
  service_account_id uuid not null,
  minute timestamptz not null,
  calls integer not null,
  primary key (organization_id, service_account_id),
  constraint partner_call_counts_service_account_fkey
    foreign key (organization_id, service_account_id) references public.service_accounts (organization_id, id)
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
comment on column public.referrals.service_account_id is
  'Who referred, when it was a partner''s software; created_by is then null. Written by app.partner_sync only.';

-- ---------------------------------------------------------------------------------------------------------
-- Tokens
-- ---------------------------------------------------------------------------------------------------------

-- Two random uuids are 244 random bits from the same source as gen_random_bytes, which is not to be counted on in a
-- fixed schema: pgcrypto lives where a project's history has put it. The hash makes of them 32 bytes without a pattern.
create function app.new_service_token()
returns text
language plpgsql
volatile
set search_path = ''
as $$
begin
  return 'hf_' || rtrim(
    translate(
      encode(sha256(uuid_send(gen_random_uuid()) || uuid_send(gen_random_uuid())), 'base64'),
      '+/', '-_'),
    '=');
end
$$;
comment on function app.new_service_token is 'A new random token: hf_ and 32 bytes in base64url.';

create function app.issue_service_token(organization uuid, account uuid)
returns jsonb
language plpgsql
volatile
set search_path = ''
as $$
declare
  token text := app.new_service_token();
  ends timestamptz;
begin
  insert into public.service_account_tokens as issued (
    organization_id, service_account_id, token_hash, prefix, expires_at)
  select owner.organization_id, owner.id, sha256(convert_to(token, 'UTF8')), left(token, 9),
    least(owner.expires_at, clock_timestamp() + interval '1 year')
  from public.service_accounts owner
  where owner.organization_id = organization and owner.id = account
  returning issued.expires_at into ends;
  return jsonb_build_object('account_id', account, 'token', token, 'token_expires_at', ends);
end
$$;
comment on function app.issue_service_token is
  'Makes a token for an account, for a year or until the account ends. The one place that knows the token; it returns it.';

-- ---------------------------------------------------------------------------------------------------------
-- For admins: create, rotate, revoke
-- ---------------------------------------------------------------------------------------------------------

create function app.create_service_account(organization uuid, request jsonb)
returns jsonb
language plpgsql
set search_path = ''
as $$
declare
  wanted_name text := trim(request ->> 'name');
  wanted_scopes text[] := array(
    select distinct scope from jsonb_array_elements_text(request -> 'scopes') scope order by scope);
  ends timestamptz := (request ->> 'expires_at')::timestamptz;
  account uuid;
begin
  if coalesce(length(wanted_name) not between 1 and 200 or wanted_name ~ '[[:cntrl:]]', true) then
    perform app.refuse_field('name', 'invalid_value', 'Must be 1 to 200 characters.');
  elsif not coalesce(wanted_scopes <@ array['enrolment:write', 'schedule:read'], false) or wanted_scopes = '{}' then
    perform app.refuse_field('scopes', 'invalid_value', 'Must be one or more of enrolment:write, schedule:read.');
  elsif ends <= clock_timestamp() or not isfinite(ends) then
    perform app.refuse_field('expires_at', 'invalid_value', 'Must be in the future.');
  end if;

  insert into public.service_accounts (organization_id, name, scopes, expires_at)
  values (organization, wanted_name, wanted_scopes, ends)
  returning id into account;
  insert into audit.events (organization_id, action, table_name, row_id, details)
  values (organization, 'service_account.created', 'service_accounts', account,
    jsonb_strip_nulls(jsonb_build_object('scopes', wanted_scopes, 'expires_at', ends)));
  return app.issue_service_token(organization, account);
end
$$;
comment on function app.create_service_account is 'Makes an account with its first token. Part of app.manage_service_accounts.';

create function app.rotate_service_account_token(organization uuid, request jsonb)
returns jsonb
language plpgsql
set search_path = ''
as $$
declare
  account uuid := (request ->> 'account_id')::uuid;
  overlap integer := (request ->> 'overlap_minutes')::integer;
  ends timestamptz;
begin
  if overlap is null or overlap not between 0 and 10080 then
    perform app.refuse_field('overlap_minutes', 'invalid_value', 'Must be 0 to 10080 minutes.');
  end if;
  -- Two rotations at once come one after the other, so that neither leaves the other's token without an end. No stronger
  -- lock: an enrolment holds its token's row when it asks for a key share of the account's.
  perform
  from public.service_accounts it
  where it.organization_id = organization and it.id = account
    and it.disabled_at is null and (it.expires_at is null or it.expires_at > clock_timestamp())
  for no key update;
  if not found then
    perform app.refuse_field('account', 'ended', 'The account is disabled or expired: create another one.');
  end if;

  ends := clock_timestamp() + make_interval(mins => overlap);
  update public.service_account_tokens issued
  set expires_at = ends
  where issued.organization_id = organization and issued.service_account_id = account
    and issued.revoked_at is null and issued.expires_at > ends;
  insert into audit.events (organization_id, action, table_name, row_id, details)
  values (organization, 'service_account.rotated', 'service_accounts', account,
    jsonb_build_object('overlap_minutes', overlap));
  return app.issue_service_token(organization, account);
end
$$;
comment on function app.rotate_service_account_token is
  'Makes a new token; those before it end after the overlap, or earlier when they would anyway. Part of '
  'app.manage_service_accounts.';

create function app.revoke_service_account(organization uuid, request jsonb)
returns jsonb
language plpgsql
set search_path = ''
as $$
declare
  account uuid := (request ->> 'account_id')::uuid;
  ended timestamptz;
begin
  update public.service_accounts it
  set disabled_at = clock_timestamp()
  where it.organization_id = organization and it.id = account and it.disabled_at is null;
  if found then
    insert into audit.events (organization_id, action, table_name, row_id)
    values (organization, 'service_account.revoked', 'service_accounts', account);
  end if;
  update public.service_account_tokens issued
  set revoked_at = clock_timestamp()
  where issued.organization_id = organization and issued.service_account_id = account and issued.revoked_at is null;
  select it.disabled_at into ended
  from public.service_accounts it
  where it.organization_id = organization and it.id = account;
  return jsonb_build_object('account_id', account, 'disabled_at', ended);
end
$$;
comment on function app.revoke_service_account is
  'Ends an account and every token of it at once; ending it again is no error. Part of app.manage_service_accounts.';

create function app.manage_service_accounts(operation text, request jsonb)
returns jsonb
language plpgsql
security definer
set search_path = ''
set timezone = 'UTC'
as $$
declare
  organization uuid;
  data jsonb;
  refusal text;
begin
  if auth.uid() is null then
    return app.refusal(null, operation, '{"code": "unauthenticated"}');
  end if;
  organization := case operation
    when 'create_service_account' then (
      select clinic.id from public.organizations clinic where clinic.id = (request ->> 'organization_id')::uuid)
    else (
      select account.organization_id
      from public.service_accounts account
      where account.id = (request ->> 'account_id')::uuid)
  end;
  data := app.count_call(organization, operation);
  if data is not null then
    return data;
  end if;

  begin
    if organization is null or not organization = any (app.org_ids()) then
      perform app.refuse('not_found', 'There is no such organization or service account.');
    elsif organization = any (app.org_ids_needing_second_factor()) then
      perform app.refuse('mfa_required', 'This organization, or your role in it, asks for a second factor.');
    elsif not organization = any (app.org_ids_with_permission('manage_service_accounts')) then
      perform app.refuse('forbidden', 'Your role may not manage service accounts.');
    end if;
    data := case operation
      when 'create_service_account' then app.create_service_account(organization, request)
      when 'rotate_service_account_token' then app.rotate_service_account_token(organization, request)
      when 'revoke_service_account' then app.revoke_service_account(organization, request)
    end;
    return jsonb_build_object('data', data);
  exception
    when sqlstate 'HF000' then
      get stacked diagnostics refusal = pg_exception_detail;
      return app.refusal(organization, operation, refusal::jsonb);
    when data_exception or check_violation or not_null_violation then
      get stacked diagnostics refusal = constraint_name;
      return app.refusal(organization, operation, app.impossible_value(refusal));
  end;
end
$$;
comment on function app.manage_service_accounts is
  'Runs one of the operations on service accounts for the caller. Definer: nobody has a grant to write service accounts '
  'or tokens. Checks auth.uid() for manage_service_accounts itself. Not app.run_operation, which would keep the answer, '
  'and with it the token, for an idempotency key.';

create function public.create_service_account(
  organization uuid, name text, scopes text[], expires_at timestamptz default null
)
returns jsonb
language sql
security invoker
set search_path = ''
as $$
  select app.manage_service_accounts('create_service_account', jsonb_build_object(
    'organization_id', organization, 'name', name, 'scopes', coalesce(scopes, '{}'), 'expires_at', expires_at))
$$;
comment on function public.create_service_account is
  'For admins: a service account for a partner and its first token, shown this once. scopes: enrolment:write, '
  'schedule:read. Answers {data: {account_id, token, token_expires_at}} or {problem}.';

create function public.rotate_service_account_token(account uuid, overlap_minutes integer default 60)
returns jsonb
language sql
security invoker
set search_path = ''
as $$
  select app.manage_service_accounts('rotate_service_account_token', jsonb_build_object(
    'account_id', account, 'overlap_minutes', overlap_minutes))
$$;
comment on function public.rotate_service_account_token is
  'For admins: a new token, shown this once; the old one ends after overlap_minutes (0 to 10080). Answers {data: '
  '{account_id, token, token_expires_at}} or {problem}.';

create function public.revoke_service_account(account uuid)
returns jsonb
language sql
security invoker
set search_path = ''
as $$
  select app.manage_service_accounts('revoke_service_account', jsonb_build_object('account_id', account))
$$;
comment on function public.revoke_service_account is
  'For admins: ends a service account and its tokens at once. Answers {data: {account_id, disabled_at}} or {problem}.';

create function app.list_service_account_tokens(account uuid)
returns table (
  prefix text, created_at timestamptz, expires_at timestamptz, revoked_at timestamptz, last_used_at timestamptz)
language plpgsql
stable
security definer
set search_path = ''
as $$
begin
  return query
    select issued.prefix, issued.created_at, issued.expires_at, issued.revoked_at, issued.last_used_at
    from public.service_account_tokens issued
    join public.service_accounts owner
      on owner.organization_id = issued.organization_id and owner.id = issued.service_account_id
    where owner.id = account
      and owner.organization_id = any (app.org_ids_with_permission('manage_service_accounts'))
      and owner.organization_id <> all (app.org_ids_needing_second_factor())
    order by issued.created_at desc;
end
$$;
comment on function app.list_service_account_tokens is
  'Definer: the tokens'' table has no grants. Answers only to those who hold manage_service_accounts; never the hash.';

create function public.list_service_account_tokens(account uuid)
returns table (
  prefix text, created_at timestamptz, expires_at timestamptz, revoked_at timestamptz, last_used_at timestamptz)
language sql
stable
security invoker
set search_path = ''
as $$
  select issued.prefix, issued.created_at, issued.expires_at, issued.revoked_at, issued.last_used_at
  from app.list_service_account_tokens(account) issued
$$;
comment on function public.list_service_account_tokens is
  'For admins: the tokens of an account, newest first: which are live and when each was last used. Empty for others.';

grant execute on function
  app.manage_service_accounts, app.list_service_account_tokens, public.create_service_account,
  public.rotate_service_account_token, public.revoke_service_account, public.list_service_account_tokens
to authenticated;

-- ---------------------------------------------------------------------------------------------------------
-- For partners: enrol and schedule
-- ---------------------------------------------------------------------------------------------------------

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
  allowed integer := (select clinic.calls_per_minute from public.organizations clinic where clinic.id = organization);
  this_minute timestamptz := date_trunc('minute', clock_timestamp());
  so_far integer;
  problem jsonb;
begin
  insert into app.partner_call_counts as counter (organization_id, service_account_id, minute, calls)
  values (organization, account, this_minute, 1)
  on conflict (organization_id, service_account_id) do update
  set minute = this_minute, calls = case when counter.minute = this_minute then counter.calls + 1 else 1 end
  returning calls into so_far;
  if so_far <= allowed then
    return null;
  end if;

  problem := jsonb_build_object(
    'code', 'rate_limited',
    'detail', 'Too many calls in this minute.',
    'retry_after', ceil(extract(epoch from this_minute + interval '1 minute' - clock_timestamp())));
  return case when so_far = allowed + 1
    then app.partner_refusal(organization, account, operation, problem)
    else jsonb_build_object('problem', problem)
  end;
end
$$;
comment on function app.count_partner_call is
  'As app.count_call, for a service account: the refusal when the minute''s allowance is used up, else null.';

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
  if of_key !~ '^[!-~]{1,255}$' then
    perform app.refuse('idempotency_key_invalid', 'Idempotency-Key takes 1 to 255 visible ASCII characters.');
  end if;
  if not pg_try_advisory_xact_lock(hashtextextended(concat_ws(' ', organization, account, of_key), 2)) then
    perform app.refuse('idempotency_in_flight', 'A call with this Idempotency-Key is being processed.',
      jsonb_build_object('retry_after', 1));
  end if;

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

  data := app.count_partner_call(account.organization_id, account.id, operation);
  if data is not null then
    return data;
  end if;
  update public.service_account_tokens issued
  set last_used_at = clock_timestamp()
  where issued.id = account.token_id
    and (issued.last_used_at is null or issued.last_used_at <= clock_timestamp() - interval '1 minute');

  begin
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

    if idempotency_key is not null then
      data := app.partner_replay(account.organization_id, account.id, idempotency_key, request_hash);
      if data is not null then
        return jsonb_build_object('data', data, 'replayed', true);
      end if;
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
    when data_exception or check_violation or not_null_violation then
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

-- ---------------------------------------------------------------------------------------------------------
-- Grants and policies
-- ---------------------------------------------------------------------------------------------------------

alter table public.service_accounts enable row level security;
alter table public.service_account_tokens enable row level security;
alter table app.partner_call_counts enable row level security;
alter table app.partner_idempotency_keys enable row level security;

grant select on public.service_accounts to authenticated;

create policy "admins see the service accounts of their organization" on public.service_accounts
  for select to authenticated
  using (organization_id = any ((select app.org_ids_with_permission('manage_service_accounts'))::uuid[]));
select app.require_second_factor('public.service_accounts');
