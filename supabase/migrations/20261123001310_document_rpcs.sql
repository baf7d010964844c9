-- The RPCs of documents, as those of booking: thin, and through app.run_operation.

create function public.request_document(request jsonb, idempotency_key text default null)
returns jsonb
language sql
security invoker
set search_path = ''
as $$
  select app.run_operation('request_document', request, idempotency_key)
$$;
comment on function public.request_document is
  'Announces a document that is to be uploaded (for POST documents). Answers {data, replayed} or {problem}.';

create function public.finish_document(request jsonb, idempotency_key text default null)
returns jsonb
language sql
security invoker
set search_path = ''
as $$
  select app.run_operation('finish_document', request, idempotency_key)
$$;
comment on function public.finish_document is
  'What became of an upload (POST documents). Answers {data, replayed} or {problem}.';

create function public.find_documents(request jsonb, idempotency_key text default null)
returns jsonb
language sql
security invoker
set search_path = ''
as $$
  select app.run_operation('find_documents', request, idempotency_key)
$$;
comment on function public.find_documents is
  'The documents of a client that the caller may read; on record (POST documents). Answers {data, replayed} or {problem}.';

create function public.read_document(request jsonb, idempotency_key text default null)
returns jsonb
language sql
security invoker
set search_path = ''
as $$
  select app.run_operation('read_document', request, idempotency_key)
$$;
comment on function public.read_document is
  'Puts on record that a document is read (for POST documents, which gives the link). Answers {data, replayed} or {problem}.';

create function public.delete_document(request jsonb, idempotency_key text default null)
returns jsonb
language sql
security invoker
set search_path = ''
as $$
  select app.run_operation('delete_document', request, idempotency_key)
$$;
comment on function public.delete_document is
  'Hides a document: {document_id, reason} (POST documents). Answers {data, replayed} or {problem}.';

grant execute on function
  public.request_document,
  public.finish_document,
  public.find_documents,
  public.read_document,
  public.delete_document
to authenticated;
