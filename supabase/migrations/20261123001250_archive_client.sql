-- Archive: how a client leaves, instead of being deleted.
--
-- Promises
--   * Only who holds archive_clients archives, and only when nothing is booked any more.
--   * Who is archived waits for nothing any more.
--   * Archiving again is no error.

create function app.archive_client(organization uuid, request jsonb)
returns jsonb
language plpgsql
set search_path = ''
as $$
declare
  wanted uuid := (request ->> 'client_id')::uuid;
  client public.clients;
begin
  if not organization = any (app.org_ids_with_permission('archive_clients')) then
    perform app.refuse('forbidden', 'Your role may not archive clients.');
  end if;
  perform app.lock_subjects(array[wanted]);
  select it.* into client from public.clients it where it.organization_id = organization and it.id = wanted for update;

  if exists (
    select
    from public.sessions session
    where session.organization_id = organization and session.client_id = wanted and session.status in ('scheduled', 'in_progress'))
    or exists (
      select
      from public.session_holds hold
      where hold.organization_id = organization and hold.client_id = wanted and hold.status = 'held'
        and hold.expires_at > clock_timestamp())
  then
    perform app.refuse_field('client_id', 'still_booked', 'Cancel what is booked for the client first.');
  end if;

  update public.clients it
  set status = 'archived', deleted_at = clock_timestamp()
  where it.organization_id = organization and it.id = wanted and it.status <> 'archived'
  returning it.* into client;
  if found then
    insert into audit.events (organization_id, action, table_name, row_id)
    values (organization, 'client.archived', 'clients', wanted);
    with withdrawn as (
      update public.waitlist_entries entry
      set status = 'withdrawn'
      where entry.organization_id = organization and entry.client_id = wanted and entry.status = 'waiting'
      returning entry.id
    )
    insert into audit.events (organization_id, action, table_name, row_id)
    select organization, 'waitlist.withdrawn', 'waitlist_entries', withdrawn.id from withdrawn;
  end if;
  select it.* into client from public.clients it where it.organization_id = organization and it.id = wanted;
  return jsonb_build_object('client_id', client.id, 'status', client.status, 'archived_at', client.deleted_at);
end
$$;
comment on function app.archive_client is 'Archives a client with nothing booked. Answers the client''s id, status and when.';
