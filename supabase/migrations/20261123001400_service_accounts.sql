-- Service accounts: how a partner organization's software enrols clients and reads their schedule, without a login.
--
-- Promises
--   * A token is shown once and kept only as its SHA-256; it ends within a year, and at once when revoked.
--   * Only who holds manage_service_accounts makes, rotates or ends an account; each is on record.

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

-- ---------------------------------------------------------------------------------------------------------
-- Tokens
-- ---------------------------------------------------------------------------------------------------------

-- Two random uuids are 244 random bits from the same source as gen_random_bytes, which is not to be counted on in a
-- fixed schema: pgcrypto lives where a project's history has put it. The hash makes of them 32 bytes without a pattern.
create function app.new_service_token(prefix text default 'hf_')
returns text
language plpgsql
volatile
set search_path = ''
as $$
begin
  return prefix || rtrim(
    translate(
      encode(sha256(uuid_send(gen_random_uuid()) || uuid_send(gen_random_uuid())), 'base64'),
      '+/', '-_'),
    '=');
end
$$;
comment on function app.new_service_token is 'A new random token: a prefix and 32 bytes in base64url.';

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
    least(owner.expires_at, clock_timestamp() + interval '1 year', app.admin_until(organization))
  from public.service_accounts owner
  where owner.organization_id = organization and owner.id = account
  returning issued.expires_at into ends;
  return jsonb_build_object('account_id', account, 'token', token, 'token_expires_at', ends);
end
$$;
comment on function app.issue_service_token is
  'Makes a token for an account, for a year or until the account, or the role of the admin who makes it, ends. The one place '
  'that knows the token; it returns it.';

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
set lock_timeout = '5s'
as $$
declare
  organization uuid;
  data jsonb;
  refusal text;
begin
  if app.caller() is null then
    return app.refuse_unauthenticated(operation);
  end if;
  organization := case operation
    when 'create_service_account' then (
      select clinic.id from public.organizations clinic where clinic.id = (request ->> 'organization_id')::uuid)
    else (
      select account.organization_id
      from public.service_accounts account
      where account.id = (request ->> 'account_id')::uuid)
  end;
  data := app.count_call(organization, operation, is_admitted => organization = any (app.org_ids()));
  if data is not null then
    return data;
  end if;

  begin
    perform app.admit_caller(organization);
    if not organization = any (app.org_ids_with_permission('manage_service_accounts')) then
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
-- Grants and policies
-- ---------------------------------------------------------------------------------------------------------

alter table public.service_accounts enable row level security;
alter table public.service_account_tokens enable row level security;

grant select on public.service_accounts to authenticated;

create policy "admins see the service accounts of their organization" on public.service_accounts
  for select to authenticated
  using (organization_id = any ((select app.org_ids_with_permission('manage_service_accounts'))::uuid[]));
select app.require_second_factor('public.service_accounts');

select audit.watch('public.service_accounts');
-- The time of its last use would be an event a minute, and nothing of a secret belongs into the trail.
select audit.watch('public.service_account_tokens', 'last_used_at', 'token_hash', 'prefix');
