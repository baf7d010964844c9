-- Documents: what is kept of a client as files, in a private bucket, and who may put them there.
--
-- Promises
--   * An object of the bucket is written once, under the path of a row that awaits it, as large and of the type that was
--     announced, within 15 minutes; whoever writes, the secret key included. It is never overwritten, moved or removed.
--   * No user reads or lists objects: the one way in is a link of 60 seconds, which the function `documents` gives once
--     public.read_document has put the read on record.
--   * A row is there before its object is, and says `stored` from the moment that it is.

insert into storage.buckets (id, name, public, file_size_limit, allowed_mime_types)
values (
  'client-documents', 'client-documents', false, 26214400,
  -- What clinics scan, photograph and write. Nothing that a browser would run (HTML, SVG), nothing that holds other files.
  array['application/pdf', 'image/png', 'image/jpeg', 'image/webp', 'image/heic',
    'application/vnd.openxmlformats-officedocument.wordprocessingml.document'])
on conflict (id) do update
set public = excluded.public, file_size_limit = excluded.file_size_limit, allowed_mime_types = excluded.allowed_mime_types;

create table public.documents (
  id uuid primary key default gen_random_uuid(),
  organization_id uuid not null,
  client_id uuid not null,
  kind text not null,
  title text not null,
  file_name text not null,
  content_type text not null,
  size_bytes integer not null,
  visible_to_family boolean not null default false,
  status text not null default 'awaiting_upload',
  upload_expires_at timestamptz not null default clock_timestamp() + interval '15 minutes',
  path text not null generated always as (organization_id::text || '/' || client_id::text || '/' || id::text) stored,
  etag text,
  stored_at timestamptz,
  deleted_at timestamptz,
  deleted_by uuid,
  deletion_reason text,
  status_changed_at timestamptz not null,
  status_changed_by uuid,
  created_at timestamptz not null,
  created_by uuid,
  updated_at timestamptz not null,
  updated_by uuid,
  constraint documents_organization_id_id_key unique (organization_id, id),
  constraint documents_client_fkey
    foreign key (organization_id, client_id) references public.clients (organization_id, id),
  constraint documents_kind_known check (
    kind in ('assessment', 'authorization', 'consent', 'insurance', 'plan', 'report', 'other')),
  constraint documents_title_length check (length(title) between 1 and 200),
  -- A name, not a way to a file.
  constraint documents_file_name_form check (file_name ~ '^[^/\\]{1,255}$' and file_name !~ '^\.{1,2}$'),
  constraint documents_content_type_known check (content_type in (
    'application/pdf', 'image/png', 'image/jpeg', 'image/webp', 'image/heic',
    'application/vnd.openxmlformats-officedocument.wordprocessingml.document')),
  constraint documents_size_bytes_range check (size_bytes between 1 and 26214400),
  constraint documents_status_known check (status in ('awaiting_upload', 'stored')),
  constraint documents_stored_at_a_time check ((status = 'stored') = (stored_at is not null)),
  constraint documents_deleted_with_reason check (
    num_nonnulls(deleted_at, deletion_reason) <> 1 and (deleted_by is null or deleted_at is not null)),
  constraint documents_deletion_reason_length check (length(deletion_reason) between 1 and 500)
);
comment on table public.documents is
  'A file of a client: what it is, and where in the bucket client-documents. Who uploads it is created_by. A row that still '
  'awaits its upload at upload_expires_at has expired. Read and written by RPCs only. Deleting hides; the object stays.';
comment on column public.documents.title is 'PHI: free text.';
comment on column public.documents.file_name is 'PHI: as the uploader''s device has it.';
comment on column public.documents.deletion_reason is 'PHI: free text.';
comment on column public.documents.etag is 'Storage''s digest of the object.';
create index documents_client_idx on public.documents (organization_id, client_id);
create index documents_path_idx on public.documents (path);
create index documents_awaiting_idx on public.documents (created_by) where status = 'awaiting_upload';
select app.add_stamps('public.documents', 'status');

create trigger keep_document before update on public.documents
  for each row when (
    (old.id, old.organization_id, old.client_id, old.kind, old.content_type, old.size_bytes, old.upload_expires_at)
      is distinct from (new.id, new.organization_id, new.client_id, new.kind, new.content_type, new.size_bytes, new.upload_expires_at)
    or old.deleted_at is not null
    or old.status = 'stored' and (old.status, old.etag, old.stored_at) is distinct from (new.status, new.etag, new.stored_at))
  execute function app.refuse_change('documents_unchanged', 'what a document is stays, and a deleted one stays deleted');
create trigger keep_document_row before delete on public.documents
  for each row execute function app.refuse_change('documents_unchanged', 'documents are kept');
create trigger keep_documents before truncate on public.documents
  for each statement execute function app.refuse_change('documents_unchanged', 'documents are kept');

-- ---------------------------------------------------------------------------------------------------------
-- Who may
-- ---------------------------------------------------------------------------------------------------------

create function app.treated_client_ids()
returns uuid[]
language plpgsql
stable
set search_path = ''
as $$
begin
  return app.care_team_client_ids(
    app.caseload_therapist_ids(), app.org_ids_with_role('therapist', 'supervisor'), '{therapist,supervisor}');
end
$$;
comment on function app.treated_client_ids is
  'Clients whom the caller, or a therapist whom the caller supervises, treats or supervises today.';

create function app.is_for_schedulers(kind text)
returns boolean
language plpgsql
immutable
set search_path = ''
as $$
begin
  return kind in ('authorization', 'consent', 'insurance');
end
$$;
comment on function app.is_for_schedulers is 'Whether documents of this kind are what scheduling and billing need.';

create function app.may_add_document(organization uuid, client uuid, kind text)
returns boolean
language plpgsql
stable
set search_path = ''
as $$
begin
  return client = any (app.treated_client_ids())
    or client = any (app.guarded_client_ids())
    or organization = any (app.org_ids_with_role('admin'))
    or app.is_for_schedulers(kind) and organization = any (app.org_ids_with_role('internal_ops'));
end
$$;
comment on function app.may_add_document is
  'Whether the caller may upload a document of this kind: care team, family, admins; schedulers what is theirs.';

create function app.readable_documents(organization uuid, client uuid)
returns setof public.documents
language plpgsql
stable
set search_path = ''
as $$
declare
  sees_all boolean := client = any (app.treated_client_ids())
    or client = any (app.reviewed_client_ids())
    or organization = any (app.org_ids_with_role('admin'));
  is_family boolean := client = any (app.guarded_client_ids());
  is_scheduler boolean := organization = any (app.org_ids_with_role('internal_ops'));
begin
  return query
    select document.*
    from public.documents document
    where document.organization_id = organization and document.client_id = client
      and document.status = 'stored' and document.deleted_at is null
      and (sees_all
        or is_family and document.visible_to_family
        or is_scheduler and app.is_for_schedulers(document.kind));
end
$$;
comment on function app.readable_documents is
  'What is stored of the client and the caller may read: care team, reviewer and admins all; schedulers what is theirs; the '
  'family what is visible to it.';

create function app.uploadable_paths()
returns text[]
language plpgsql
stable
security definer
set search_path = ''
as $$
declare
  caller uuid := auth.uid();
  barred uuid[] := app.org_ids_needing_second_factor();
begin
  return array(
    select document.path
    from public.documents document
    where document.created_by = caller
      and document.status = 'awaiting_upload'
      and document.upload_expires_at > clock_timestamp()
      and document.organization_id <> all (barred)
      and app.may_add_document(document.organization_id, document.client_id, document.kind));
end
$$;
comment on function app.uploadable_paths is
  'Where the caller may put an object now: the documents that they announced and may still add. Definer: for the policy on '
  'storage.objects; nobody reads documents.';
grant execute on function app.uploadable_paths to authenticated;

-- ---------------------------------------------------------------------------------------------------------
-- The bucket
-- ---------------------------------------------------------------------------------------------------------

create function app.uploader_may_add(document public.documents)
returns boolean
language plpgsql
set search_path = ''
as $$
declare
  -- Both settings that auth.uid() may read.
  callers_claims text := coalesce(current_setting('request.jwt.claims', true), '');
  callers_sub text := coalesce(current_setting('request.jwt.claim.sub', true), '');
  last_session uuid := (
    select session.id
    from auth.sessions session
    where session.user_id = document.created_by
    -- Auth keeps the time of a refresh without a zone, in UTC.
    order by coalesce(session.refreshed_at at time zone 'UTC', session.created_at) desc
    limit 1);
  may_add boolean;
begin
  perform
    set_config('request.jwt.claims', jsonb_build_object('sub', document.created_by, 'session_id', last_session)::text, true),
    set_config('request.jwt.claim.sub', '', true);
  may_add := app.may_add_document(document.organization_id, document.client_id, document.kind);
  perform set_config('request.jwt.claims', callers_claims, true), set_config('request.jwt.claim.sub', callers_sub, true);
  return may_add;
end
$$;
comment on function app.uploader_may_add is
  'Whether who announced a document, and is signed in still, may add it by now. Asked in their name: the rule knows callers only.';

create function app.take_upload()
returns trigger
language plpgsql
security definer
set search_path = ''
as $$
declare
  taken public.documents;
begin
  -- Storage notes when an object was last read; that changes nothing of it.
  if tg_op = 'UPDATE' and (new.bucket_id, new.name, new.version, new.metadata)
    is not distinct from (old.bucket_id, old.name, old.version, old.metadata)
  then
    return null;
  end if;
  if tg_op = 'INSERT' or (new.bucket_id, new.name) = (old.bucket_id, old.name) then
    update public.documents document
    set status = 'stored', stored_at = clock_timestamp(), etag = new.metadata ->> 'eTag'
    where document.path = new.name
      and document.status = 'awaiting_upload'
      and document.upload_expires_at > clock_timestamp()
      and document.deleted_at is null
      -- A link knows no user: what it was given for must hold when it is used.
      and exists (
        select
        from public.clients client
        where client.organization_id = document.organization_id and client.id = document.client_id and client.status = 'active')
      and app.uploader_may_add(document)
      -- Storage asks whether it may insert before it has the bytes, undoes that, and inserts with their size afterwards.
      and (not coalesce(new.metadata ? 'size', false)
        or (split_part(new.metadata ->> 'mimetype', ';', 1), (new.metadata ->> 'size')::bigint)
          = (document.content_type, document.size_bytes::bigint))
    returning document.* into taken;
    if taken.id is not null then
      insert into audit.events (organization_id, action, table_name, row_id, details)
      values (taken.organization_id, 'document.stored', 'documents', taken.id,
        jsonb_build_object('client_id', taken.client_id, 'kind', taken.kind));
      return null;
    end if;
  end if;
  -- The code that Storage answers with 403.
  raise exception using errcode = 'insufficient_privilege', message = 'no document awaits this object';
end
$$;
comment on function app.take_upload is
  'Takes an object for the document that awaits it, or refuses it, whoever writes. Definer: Storage''s roles have no grant on '
  'documents.';
create trigger take_upload after insert on storage.objects
  for each row when (new.bucket_id = 'client-documents') execute function app.take_upload();
create trigger take_update after update on storage.objects
  for each row when ('client-documents' in (old.bucket_id, new.bucket_id)) execute function app.take_upload();

create function app.keep_objects()
returns trigger
language plpgsql
set search_path = ''
as $$
begin
  raise exception using errcode = 'insufficient_privilege', message = 'documents are kept';
end
$$;
comment on function app.keep_objects is 'Refuses to remove an object of the bucket of documents, or to open the bucket, for every role.';
create trigger keep_documents before delete on storage.objects
  for each row when (old.bucket_id = 'client-documents') execute function app.keep_objects();
create trigger keep_documents_private before update on storage.buckets
  for each row when (old.id = 'client-documents' and (new.public or new.id <> old.id)) execute function app.keep_objects();

-- ---------------------------------------------------------------------------------------------------------
-- Nobody reads documents but the RPCs, which put every read on record; nor objects but by their links.
-- ---------------------------------------------------------------------------------------------------------

alter table public.documents enable row level security;

create policy "who announced a document uploads it" on storage.objects
  for insert to authenticated
  with check (bucket_id = 'client-documents' and name = any ((select app.uploadable_paths())::text[]));
-- Restrictive: no policy of another bucket, however wide, opens this one.
create policy "documents are uploaded where they are awaited" on storage.objects
  as restrictive for insert to authenticated
  with check (bucket_id <> 'client-documents' or name = any ((select app.uploadable_paths())::text[]));
create policy "documents are not uploaded by nobody" on storage.objects
  as restrictive for insert to anon
  with check (bucket_id <> 'client-documents');
create policy "documents are read by link" on storage.objects
  as restrictive for select to authenticated, anon
  using (bucket_id <> 'client-documents');
create policy "documents are not overwritten or moved" on storage.objects
  as restrictive for update to authenticated, anon
  using (bucket_id <> 'client-documents')
  with check (bucket_id <> 'client-documents');
create policy "documents are not removed" on storage.objects
  as restrictive for delete to authenticated, anon
  using (bucket_id <> 'client-documents');
