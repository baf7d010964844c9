-- Tokens: what an access token says of its user, and which of several organizations is the active one.
--
-- Promises
--   * A claim only narrows: every policy reads memberships from tables, and org_id takes away the others.
--   * A user of several organizations chooses; the choice counts from the next refresh of the session on.

create table public.active_organizations (
  user_id uuid primary key references auth.users (id),
  organization_id uuid not null references public.organizations (id),
  created_at timestamptz not null,
  created_by uuid,
  updated_at timestamptz not null,
  updated_by uuid
);
comment on table public.active_organizations is 'The organization that a user of several works in now. Written by choose_organization.';
create index active_organizations_organization_id_idx on public.active_organizations (organization_id);
select app.add_stamps('public.active_organizations');

create function app.choose_organization(organization uuid)
returns void
language plpgsql
security definer
set search_path = ''
as $$
begin
  if organization is null then
    delete from public.active_organizations choice where choice.user_id = app.caller();
    return;
  end if;
  -- Not app.org_ids(): the present token may be narrowed to another organization.
  if not exists (
    select
    from public.user_roles membership
    where membership.user_id = app.caller()
      and membership.organization_id = organization
      and membership.revoked_at is null
      and (membership.expires_at is null or membership.expires_at > now()))
  then
    raise exception using errcode = '42501', message = 'not a member of this organization';
  end if;
  insert into public.active_organizations (user_id, organization_id)
  values (auth.uid(), organization)
  on conflict (user_id) do update set organization_id = excluded.organization_id;
end
$$;
comment on function app.choose_organization is
  'Definer: reads the caller''s memberships past the token''s narrowing, and writes a table without grants.';

create function public.choose_organization(organization uuid)
returns void
language plpgsql
security invoker
set search_path = ''
as $$
begin
  perform app.choose_organization(organization);
end
$$;
comment on function public.choose_organization is
  'Chooses the organization to work in; null for all. Counts from the next refresh of the session on. Raises 42501 for '
  'an organization the caller is no member of.';
grant execute on function app.choose_organization, public.choose_organization to authenticated;

alter table public.active_organizations enable row level security;
grant select (user_id, organization_id) on public.active_organizations to authenticated;
create policy "users see their own choice" on public.active_organizations
  for select to authenticated
  using (user_id = (select app.caller()));

create function app.token_claims(of_user uuid)
returns jsonb
language plpgsql
stable
security definer
set search_path = ''
as $$
declare
  organizations uuid[] := array(
    select distinct membership.organization_id
    from public.user_roles membership
    where membership.user_id = of_user
      and membership.organization_id is not null
      and membership.revoked_at is null
      and (membership.expires_at is null or membership.expires_at > now()));
  chosen uuid := (select choice.organization_id from public.active_organizations choice where choice.user_id = of_user);
begin
  -- Without a choice among several there is nothing to narrow to.
  if chosen is null or not chosen = any (organizations) then
    if cardinality(organizations) <> 1 then
      return '{}';
    end if;
    chosen := organizations[1];
  end if;
  return jsonb_strip_nulls(jsonb_build_object(
    'org_id', chosen,
    'org_role', (
      select membership.role
      from public.user_roles membership
      where membership.user_id = of_user
        and membership.organization_id = chosen
        and membership.revoked_at is null
        and (membership.expires_at is null or membership.expires_at > now())
      order by array_position(
        array['admin', 'internal_ops', 'supervisor', 'psychiatrist', 'therapist', 'partner_provider', 'client'],
        membership.role)
      limit 1),
    'therapist_id', (
      select therapist.id
      from public.therapists therapist
      where therapist.user_id = of_user and therapist.organization_id = chosen and therapist.status = 'active')));
end
$$;
comment on function app.token_claims is
  'org_id, org_role and therapist_id for an access token. Definer: the auth server reads no tenant table itself.';

create function public.custom_access_token_hook(event jsonb)
returns jsonb
language sql
stable
security invoker
set search_path = ''
as $$
  select jsonb_set(event, '{claims}', (event -> 'claims') || app.token_claims((event ->> 'user_id')::uuid))
$$;
comment on function public.custom_access_token_hook is
  'Supabase Auth hook: adds org_id, org_role and therapist_id to access tokens. For the auth server only.';

grant usage on schema app to supabase_auth_admin;
grant execute on function app.token_claims, public.custom_access_token_hook to supabase_auth_admin;
