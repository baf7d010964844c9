-- Reading PHI by call: who clients are, and free texts. No table shows them.
--
-- Promises
--   * Every client and every text that is asked for is an event of its own, allow or deny, with who, which row and when;
--     a deny stays on record although its answer is a problem.
--   * A row that is not the caller's to see is answered as one that there is not.

create function app.ids_in(request jsonb)
returns uuid[]
language plpgsql
stable
set search_path = ''
as $$
declare
  given jsonb := request -> 'ids';
  ids uuid[];
begin
  if jsonb_typeof(given) <> 'array' then
    perform app.refuse_field('ids', 'invalid_type', 'Must be an array.');
  elsif jsonb_array_length(given) not between 1 and 100 then
    perform app.refuse_field('ids', 'size', 'Must be 1 to 100 ids.');
  end if;
  ids := array(
    select distinct named.id::uuid
    from jsonb_array_elements_text(given) as named (id)
    where pg_input_is_valid(named.id, 'uuid'));
  if cardinality(ids) <> jsonb_array_length(given) then
    perform app.refuse_field('ids', 'invalid_value', 'Must be ids, each of them once.');
  end if;
  return ids;
end
$$;
comment on function app.ids_in is 'The ids that a request to read asks for, or a refusal.';

create function app.without(ids uuid[], others uuid[])
returns uuid[]
language sql
immutable
set search_path = ''
begin atomic
  select array(select id from unnest(ids) id except select other from unnest(others) other);
end;
comment on function app.without is 'The ids that are not among the others.';

create function app.clients_among(organization uuid, ids uuid[])
returns uuid[]
language sql
stable
set search_path = ''
begin atomic
  select array(
    select client.id
    from unnest(ids) with ordinality as wanted (id, place)
    left join public.clients client on client.organization_id = organization and client.id = wanted.id
    order by wanted.place);
end;
comment on function app.clients_among is 'The ids, each in its place, with null for what is no client of the organization.';

-- ---------------------------------------------------------------------------------------------------------
-- Clients
-- ---------------------------------------------------------------------------------------------------------

create function app.client_fields_in(organization uuid, request jsonb)
returns text[]
language plpgsql
stable
set search_path = ''
as $$
declare
  known constant text[] := '{full_name,given_name,family_name,date_of_birth,sex,address_line,city,state,postal_code,phone,diagnosis_codes}';
  given jsonb := request -> 'fields';
  fields text[];
begin
  if coalesce(given, 'null') = 'null' then
    return known;
  elsif jsonb_typeof(given) <> 'array' then
    perform app.refuse_field('fields', 'invalid_type', 'Must be an array.');
  end if;
  fields := array(select distinct jsonb_array_elements_text(given));
  if not fields <@ (known || 'coverages'::text) or fields = '{}' then
    perform app.refuse_field('fields', 'unknown', 'Must be names of fields of a client.');
  elsif 'coverages' = any (fields)
    and not organization = any (app.org_ids_with_role('internal_ops', 'admin', 'super_admin'))
  then
    perform app.refuse('forbidden', 'Who pays for whom is the schedulers'' to know.');
  end if;
  return fields;
end
$$;
comment on function app.client_fields_in is
  'What a request asks to know of clients: all that is known but the coverages, unless it names less, or them.';

create function app.read_clients(organization uuid, request jsonb)
returns jsonb
language plpgsql
set search_path = ''
-- The caller's scope decides by which index the list is read.
set plan_cache_mode = force_custom_plan
as $$
declare
  everybody boolean := organization = any (app.org_ids_with_role('internal_ops', 'admin', 'super_admin'));
  mine uuid[] := case when everybody then '{}' else app.my_client_ids() || app.guarded_client_ids() end;
  by_id boolean := coalesce(request -> 'ids', 'null') <> 'null';
  fields text[] := app.client_fields_in(organization, request);
  page_size integer := app.page_size(request, 25, 100);
  asked uuid[];
  search text;
  after_id uuid;
  after_name text;
  found uuid[];
begin
  if by_id then
    asked := app.ids_in(request);
    if num_nonnulls(request ->> 'search', request ->> 'after', request ->> 'limit') > 0 then
      perform app.refuse_field('ids', 'not_allowed', 'Either ids, or a search and its pages.');
    end if;
  end if;
  if request ->> 'search' is not null then
    search := ' ' || lower(app.plain_text(request, 'search', 1, 100));
  end if;
  if request ->> 'after' is not null then
    select client.id, lower(client.full_name) into after_id, after_name
    from public.clients client
    where client.organization_id = organization and client.id = (request ->> 'after')::uuid
      and (everybody or client.id = any (mine));
    if after_id is null then
      perform app.refuse_field('after', 'unknown', 'Must be the next of an earlier answer.');
    end if;
  end if;

  found := array(
    select client.id
    from public.clients client
    where client.organization_id = organization
      and (everybody or client.id = any (mine))
      and (not by_id or client.id = any (asked))
      and (search is null or strpos(' ' || lower(client.full_name), search) > 0)
      and (after_id is null or (lower(client.full_name) collate "C", client.id) > (after_name collate "C", after_id))
    order by lower(client.full_name) collate "C", client.id
    -- One more than a page, to know whether there is a next.
    limit case when not by_id then page_size + 1 end);
  perform app.record_accesses(
    organization, 'client.read', 'clients', listed.ids, app.clients_among(organization, listed.ids),
    jsonb_build_object('fields', fields), app.without(listed.ids, found))
  from (values (coalesce(asked, found[:page_size]))) listed (ids);
  if by_id and found = '{}' then
    return jsonb_build_object('problem', jsonb_build_object('code', 'not_found', 'detail', 'There is no such client.'));
  end if;

  return jsonb_build_object(
    'clients', (
      select coalesce(jsonb_agg(
        jsonb_build_object('id', client.id, 'status', client.status)
          || (
            select coalesce(jsonb_object_agg(field, row.whole -> field), '{}')
            from unnest(fields) field
            where field <> 'coverages')
          || case when 'coverages' = any (fields)
            then jsonb_build_object('coverages', app.coverages_of(organization, client.id))
            else '{}' end
        order by read.place), '[]')
      from unnest(case when by_id then found else found[:page_size] end) with ordinality as read (id, place)
      join public.clients client on client.organization_id = organization and client.id = read.id
      -- Once a client, and not once a field.
      cross join lateral (select to_jsonb(client) as whole offset 0) as row),
    'next', case when not by_id and cardinality(found) > page_size then found[page_size] end);
end
$$;
comment on function app.read_clients is
  'Clients by their ids, or the list in the order of their names, searched by how a word of the name begins. The care team '
  'and the family read their own, schedulers and break-glass the organization''s. Each client is an event client.read.';

create function app.coverages_of(organization uuid, client uuid)
returns jsonb
language sql
stable
set search_path = ''
begin atomic
  select coalesce(jsonb_agg(
    jsonb_build_object(
      'id', coverage.id,
      'payer_id', coverage.payer_id,
      'starts_on', coverage.starts_on,
      'ends_on', coverage.ends_on,
      'member_id', coverage.member_id,
      'relationship_to_subscriber', coverage.relationship_to_subscriber,
      'subscriber_given_name', coverage.subscriber_given_name,
      'subscriber_family_name', coverage.subscriber_family_name,
      'subscriber_date_of_birth', coverage.subscriber_date_of_birth)
    order by coverage.starts_on desc), '[]')
  from public.client_coverages coverage
  where coverage.organization_id = organization and coverage.client_id = client;
end;
comment on function app.coverages_of is 'Who pays for a client, latest first, as the wire has it.';

-- ---------------------------------------------------------------------------------------------------------
-- Free texts
-- ---------------------------------------------------------------------------------------------------------

create function app.read_texts(organization uuid, request jsonb)
returns jsonb
language plpgsql
set search_path = ''
as $$
declare
  of_table text := request ->> 'table';
  asked uuid[];
  caseload uuid[] := app.caseload_therapist_ids();
  reviewed uuid[] := app.reviewed_client_ids();
  everybody boolean := organization = any (app.org_ids_with_role('internal_ops', 'admin', 'super_admin'));
  delivers boolean := organization = any (app.org_ids_with_role('therapist', 'supervisor'));
  administers boolean := organization = any (app.org_ids_with_role('admin'));
  texts jsonb;
begin
  perform app.require_fields(request, 'table', 'ids');
  asked := app.ids_in(request);
  -- Each by the rule of its table's own policy.
  case of_table
    when 'sessions' then
      select jsonb_object_agg(session.id, session.cancellation_reason) into texts
      from public.sessions session
      where session.organization_id = organization and session.id = any (asked)
        and (everybody or session.therapist_id = any (caseload) or session.client_id = any (reviewed));
    when 'availability_exceptions' then
      select jsonb_object_agg(exception.id, exception.note) into texts
      from public.availability_exceptions exception
      where exception.organization_id = organization and exception.id = any (asked)
        and (everybody or exception.therapist_id = any (caseload) or exception.therapist_id is null and delivers);
    when 'user_roles' then
      select jsonb_object_agg(membership.id, membership.reason) into texts
      from public.user_roles membership
      where membership.organization_id = organization and membership.id = any (asked)
        and (administers or membership.user_id = auth.uid());
    else
      perform app.refuse_field('table', 'unknown', 'Must be sessions, availability_exceptions or user_roles.');
  end case;

  perform app.record_accesses(
    organization, case of_table when 'sessions' then 'text.read' else 'staff_text.viewed' end, of_table, asked,
    array(
      select session.client_id
      from unnest(asked) with ordinality as wanted (id, place)
      left join public.sessions session on session.organization_id = organization and session.id = wanted.id
      order by wanted.place),
    '{}', app.without(asked, array(select jsonb_object_keys(texts)::uuid)));
  if texts is null then
    return jsonb_build_object('problem', jsonb_build_object('code', 'not_found', 'detail', 'There is no such row.'));
  end if;
  return jsonb_build_object('texts', (
    select jsonb_agg(jsonb_build_object('id', read.key, 'text', read.value) order by read.key)
    from jsonb_each(texts) read));
end
$$;
comment on function app.read_texts is
  'The free text of rows, which their tables do not show: why sessions were cancelled, notes of time off, why roles were given. '
  'For who sees the row; each row is an event text.read.';
