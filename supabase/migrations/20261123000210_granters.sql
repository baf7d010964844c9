-- Who grants for a while: nobody outlives the end of their role by what they gave while they had it.
--
-- Promises
--   * A role that an admin for a while grants, to whomever, or prolongs, ends no later than their own.
--   * Servers, jobs and whoever breaks the glass are bound by rules of their own.

create function app.admin_until(organization uuid)
returns timestamptz
language plpgsql
stable
set search_path = ''
as $$
begin
  return (
    select max(coalesce(membership.expires_at, 'infinity'))
    from public.user_roles membership
    where membership.organization_id = organization and membership.user_id = (select auth.uid())
      and membership.role = 'admin'
      and membership.revoked_at is null
      and (membership.expires_at is null or membership.expires_at > now()));
end
$$;
comment on function app.admin_until is
  'When the caller''s being an admin of the organization ends; infinity when it does not, null when they are none.';

create function app.keep_within_granters_end()
returns trigger
language plpgsql
security definer
set search_path = ''
as $$
begin
  if app.admin_until(new.organization_id) < coalesce(new.expires_at, 'infinity') then
    raise exception using
      errcode = 'check_violation',
      schema = tg_table_schema, table = tg_table_name, constraint = 'user_roles_within_granters_end',
      message = 'nobody grants a role beyond the end of their own: constraint "user_roles_within_granters_end"';
  end if;
  return new;
end
$$;
comment on function app.keep_within_granters_end is
  'Refuses to a signed-in admin what would outlive their being one. Definer: it asks the same whatever role writes.';
create trigger keep_within_granters_end before insert on public.user_roles
  for each row when (new.kind <> 'break_glass')
  execute function app.keep_within_granters_end();
create trigger prolong_within_granters_end before update of expires_at on public.user_roles
  for each row when (old.expires_at < coalesce(new.expires_at, 'infinity'))
  execute function app.keep_within_granters_end();
