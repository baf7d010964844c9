-- Document calls: announce an upload, see what became of it, list, read, delete.
--
-- Promises
--   * Every list and every read is on record, and so is every refusal.
--   * What is announced here is what Storage takes: client, type, size, once.
--   * A deleted document is not found again, and no new link to it is given.

create function app.document_json(document public.documents)
returns jsonb
language plpgsql
stable
set search_path = ''
as $$
begin
  return jsonb_build_object(
    'id', document.id, 'client_id', document.client_id, 'kind', document.kind, 'content_type', document.content_type,
    'size_bytes', document.size_bytes, 'visible_to_family', document.visible_to_family,
    'status', case
      when document.status = 'awaiting_upload' and document.upload_expires_at <= clock_timestamp() then 'expired'
      else document.status end,
    'upload_expires_at', document.upload_expires_at, 'stored_at', document.stored_at,
    'uploaded_by', document.created_by, 'deleted_at', document.deleted_at);
end
$$;
comment on function app.document_json is 'A document as the wire has it, without what is PHI in it: it is kept with idempotency keys.';

create function app.record_document(document public.documents, action text)
returns void
language plpgsql
set search_path = ''
as $$
begin
  perform app.record_access(
    document.organization_id, action, 'documents', document.id, document.client_id, jsonb_build_object('kind', document.kind));
end
$$;
comment on function app.record_document is 'Puts on record what was done with a document: ids and kind only.';

create function app.find_document(organization uuid, wanted uuid)
returns public.documents
language plpgsql
stable
set search_path = ''
as $$
declare
  document public.documents;
begin
  select it.* into document from public.documents it where it.organization_id = organization and it.id = wanted;
  if not found or not (
    exists (select from app.readable_documents(organization, document.client_id) it where it.id = document.id)
    or document.created_by = auth.uid() and app.may_add_document(organization, document.client_id, document.kind)
    or document.deleted_at is not null and organization = any (app.org_ids_with_role('admin')))
  then
    perform app.refuse('not_found', 'There is no such document.');
  end if;
  return document;
end
$$;
comment on function app.find_document is
  'The document, or a refusal as if it did not exist. Who uploads it finds it before it is stored, they and admins also when '
  'it is deleted.';

-- ---------------------------------------------------------------------------------------------------------
-- Uploading
-- ---------------------------------------------------------------------------------------------------------

create function app.check_document_fields(request jsonb)
returns void
language plpgsql
stable
set search_path = ''
as $$
declare
  size text := request ->> 'size_bytes';
begin
  perform app.require_fields(request, 'client_id', 'kind', 'title', 'file_name', 'content_type', 'size_bytes');
  perform app.plain_text(request, 'title', 1, 200);
  if app.plain_text(request, 'file_name', 1, 255) ~ '[/\\]|^\.{1,2}$' then
    perform app.refuse_field('file_name', 'invalid_format', 'Must be a name, without a path.');
  elsif not request ->> 'kind' in ('assessment', 'authorization', 'consent', 'insurance', 'plan', 'report', 'other') then
    perform app.refuse_field('kind', 'invalid_value', 'Not a kind of document.');
  elsif not exists (
    select
    from storage.buckets bucket
    where bucket.id = 'client-documents' and request ->> 'content_type' = any (bucket.allowed_mime_types))
  then
    perform app.refuse_field('content_type', 'invalid_value', 'Not a type that is kept.');
  elsif jsonb_typeof(request -> 'size_bytes') <> 'number' or size !~ '^\d{1,15}$' then
    perform app.refuse_field('size_bytes', 'invalid_type', 'Must be a number of bytes.');
  elsif size::bigint < 1 then
    perform app.refuse_field('size_bytes', 'too_small', 'Must not be empty.');
  elsif size::bigint > 26214400 then
    perform app.refuse_field('size_bytes', 'too_big', 'Must be at most 25 MiB.');
  elsif request ? 'visible_to_family' and jsonb_typeof(request -> 'visible_to_family') <> 'boolean' then
    perform app.refuse_field('visible_to_family', 'invalid_type', 'Must be true or false.');
  end if;
end
$$;
comment on function app.check_document_fields is 'Refuses what cannot be a document, field by field.';

create function app.request_document(organization uuid, request jsonb)
returns jsonb
language plpgsql
set search_path = ''
as $$
declare
  wanted uuid := (request ->> 'client_id')::uuid;
  is_family boolean := wanted = any (app.guarded_client_ids());
  client public.clients;
  document public.documents;
begin
  perform app.lock_subjects(array[wanted]);
  select it.* into client from public.clients it where it.organization_id = organization and it.id = wanted;
  if not found or not (is_family or app.may_see_client(organization, wanted)) then
    perform app.refuse('not_found', 'There is no such client.');
  end if;
  perform app.check_document_fields(request);
  if not app.may_add_document(organization, wanted, request ->> 'kind') then
    perform app.refuse('forbidden', 'Your role does not add documents of this kind for the client.');
  elsif client.status <> 'active' then
    perform app.refuse_field('client_id', 'archived', 'This client is archived.');
  end if;

  insert into public.documents (
    organization_id, client_id, kind, title, file_name, content_type, size_bytes, visible_to_family)
  values (
    organization, wanted, request ->> 'kind', app.plain_text(request, 'title', 1, 200),
    app.plain_text(request, 'file_name', 1, 255), request ->> 'content_type', (request ->> 'size_bytes')::integer,
    -- What a family brings it can see again.
    is_family or coalesce((request ->> 'visible_to_family')::boolean, false))
  returning * into document;
  perform app.record_document(document, 'document.requested');
  return jsonb_build_object('document', app.document_json(document), 'path', document.path);
end
$$;
comment on function app.request_document is 'Announces an upload: 15 minutes in which Storage takes this object, once.';

create function app.finish_document(organization uuid, request jsonb)
returns jsonb
language plpgsql
stable
set search_path = ''
as $$
declare
  document public.documents;
begin
  perform app.require_fields(request, 'document_id');
  document := app.find_document(organization, (request ->> 'document_id')::uuid);
  if document.deleted_at is not null then
    perform app.refuse('not_found', 'There is no such document.');
  elsif document.status = 'awaiting_upload' and document.upload_expires_at <= clock_timestamp() then
    perform app.refuse_field('document_id', 'expired', 'It was not uploaded in time. Announce it again.');
  elsif document.status = 'awaiting_upload' then
    perform app.refuse_field('document_id', 'not_uploaded', 'It has not been uploaded yet.');
  end if;
  return jsonb_build_object('document', app.document_json(document));
end
$$;
comment on function app.finish_document is
  'What became of an upload, by what Storage has written: stored, or a refusal that says why not. Twice is no error.';

-- ---------------------------------------------------------------------------------------------------------
-- Reading
-- ---------------------------------------------------------------------------------------------------------

create function app.find_documents(organization uuid, request jsonb)
returns jsonb
language plpgsql
set search_path = ''
as $$
declare
  wanted uuid := (request ->> 'client_id')::uuid;
  found_documents jsonb;
begin
  perform app.require_fields(request, 'client_id');
  if not exists (select from public.clients it where it.organization_id = organization and it.id = wanted)
    or not (wanted = any (app.guarded_client_ids()) or app.may_see_client(organization, wanted))
  then
    perform app.refuse('not_found', 'There is no such client.');
  end if;
  select coalesce(jsonb_agg(
    app.document_json(document) || jsonb_build_object('title', document.title, 'file_name', document.file_name)
    order by document.stored_at desc, document.id), '[]')
  into found_documents
  from app.readable_documents(organization, wanted) document;
  perform app.record_access(organization, 'document_list.read', 'clients', wanted, wanted,
    jsonb_build_object('rows', jsonb_array_length(found_documents)));
  return jsonb_build_object('client_id', wanted, 'documents', found_documents);
end
$$;
comment on function app.find_documents is
  'What is stored of a client and the caller may read, newest first, with titles and file names; on record.';

create function app.read_document(organization uuid, request jsonb)
returns jsonb
language plpgsql
set search_path = ''
as $$
declare
  document public.documents;
begin
  perform app.require_fields(request, 'document_id');
  document := app.find_document(organization, (request ->> 'document_id')::uuid);
  if document.status = 'awaiting_upload' and document.deleted_at is null then
    perform app.refuse_field('document_id', 'not_uploaded', 'It has not been uploaded yet.');
  elsif not exists (select from app.readable_documents(organization, document.client_id) it where it.id = document.id) then
    perform app.refuse('not_found', 'There is no such document.');
  end if;
  perform app.record_document(document, 'document.read');
  return jsonb_build_object(
    'document', app.document_json(document) || jsonb_build_object('title', document.title, 'file_name', document.file_name),
    'path', document.path);
end
$$;
comment on function app.read_document is
  'Puts on record that a document is read, and says where it is: the function signs a link to it, which nobody else can.';

-- ---------------------------------------------------------------------------------------------------------
-- Deleting
-- ---------------------------------------------------------------------------------------------------------

create function app.delete_document(organization uuid, request jsonb)
returns jsonb
language plpgsql
set search_path = ''
as $$
declare
  document public.documents;
  reason text;
begin
  perform app.require_fields(request, 'document_id', 'reason');
  document := app.find_document(organization, (request ->> 'document_id')::uuid);
  if document.created_by is distinct from auth.uid() and not organization = any (app.org_ids_with_role('admin')) then
    perform app.refuse('forbidden', 'Only who uploaded a document, or an admin, deletes it.');
  end if;
  reason := app.plain_text(request, 'reason', 1, 500);
  update public.documents it
  set deleted_at = clock_timestamp(), deleted_by = auth.uid(), deletion_reason = reason
  where it.organization_id = organization and it.id = document.id and it.deleted_at is null
  returning it.* into document;
  if found then
    perform app.record_document(document, 'document.deleted');
  else
    select it.* into document
    from public.documents it
    where it.organization_id = organization and it.id = (request ->> 'document_id')::uuid;
  end if;
  return jsonb_build_object('document', app.document_json(document));
end
$$;
comment on function app.delete_document is
  'Hides a document, with a reason; its object stays. Twice is no error: the first reason is kept.';
