-- Consents: signing, terminating, reading.
--
-- Promises
--   * Only who stands for a client today signs for it, over REST, where the edge's headers reach the database.
--   * Signing what is signed is refused; terminating what is terminated answers as it did.
--   * Reading who signed from where is on record, and so is being refused it.

create function app.may_see_client(organization uuid, client uuid)
returns boolean
language plpgsql
stable
set search_path = ''
as $$
begin
  return client = any (app.my_client_ids())
    or organization = any (app.org_ids_with_role('internal_ops', 'admin'))
      and exists (select from public.clients it where it.organization_id = organization and it.id = client);
end
$$;
comment on function app.may_see_client is 'Whether the client is the caller''s to see, so that a refusal may say that there is one.';

create function app.check_guardian(organization uuid, client uuid, or_admin boolean)
returns void
language plpgsql
stable
set search_path = ''
as $$
begin
  if exists (
      select
      from public.clients it
      where it.organization_id = organization and it.id = client and it.id = any (app.guarded_client_ids()))
    or or_admin and organization = any (app.org_ids_with_role('admin')) and app.may_see_client(organization, client)
  then
    return;
  elsif app.may_see_client(organization, client) then
    perform app.refuse('forbidden', 'This is for those who stand for the client.');
  end if;
  perform app.refuse('not_found', 'There is no such client.');
end
$$;
comment on function app.check_guardian is 'Refuses who does not stand for the client today, nor is admin where admins may too.';

create function app.plain_text(request jsonb, field text, shortest integer, longest integer)
returns text
language plpgsql
stable
set search_path = ''
as $$
declare
  given text := trim(request ->> field);
begin
  if given is null or jsonb_typeof(request -> field) <> 'string' then
    perform app.refuse_field(field, 'required', 'Required.');
  elsif length(given) not between shortest and longest then
    perform app.refuse_field(field, 'size', format('Must be %s to %s characters.', shortest, longest));
  -- C0, DEL and C1; and the marks that make text read otherwise than it is stored.
  elsif given ~ E'[\\u0001-\\u001f\\u007f-\\u009f\\u202a-\\u202e\\u2066-\\u2069]' then
    perform app.refuse_field(field, 'invalid_format', 'Must be text without control characters.');
  end if;
  return given;
end
$$;
comment on function app.plain_text is 'A line of text of the request without the space around it, or a refusal.';

create function app.sign_consent(organization uuid, request jsonb)
returns jsonb
language plpgsql
set search_path = ''
as $$
declare
  client uuid := (request ->> 'client_id')::uuid;
  name text;
  form public.consent_forms;
  signature public.consent_signatures;
begin
  perform app.require_fields(request, 'client_id', 'form_id', 'typed_name');
  perform app.check_guardian(organization, client, false);
  name := app.plain_text(request, 'typed_name', 2, 200);
  perform app.lock_subjects(array[client]);
  select * into form
  from public.consent_forms it
  where it.organization_id = organization and it.id = (request ->> 'form_id')::uuid and it.status <> 'draft'
  for share;
  if form.id is null then
    perform app.refuse('not_found', 'There is no such form.');
  elsif form.status <> 'published' then
    perform app.refuse_field('form_id', 'not_published', 'This version is not signed any more.');
  elsif (select it.status <> 'active' from public.clients it where it.organization_id = organization and it.id = client) then
    perform app.refuse_field('client_id', 'archived', 'This client is archived.');
  elsif exists (
    select
    from public.consent_signatures live
    where live.organization_id = organization and live.client_id = client and live.form_code = form.form_code
      and live.terminated_at is null)
  then
    perform app.refuse('already_signed', 'A signature of this form is live. Terminate it first.');
  elsif app.caller_address() is null then
    -- No evidence, no signature: a defect of what stands in front of the database, not of the request.
    perform app.refuse('internal_error', 'The address of the caller did not reach the database.');
  end if;

  insert into public.consent_signatures (organization_id, client_id, form_id, typed_name)
  values (organization, client, form.id, name)
  returning * into signature;
  insert into audit.events (organization_id, action, table_name, row_id)
  values (organization, 'consent.signed', 'consent_signatures', signature.id);
  -- Kept with the idempotency key: ids and times only.
  return jsonb_build_object(
    'signature_id', signature.id, 'client_id', client, 'form_id', form.id, 'form_code', form.form_code,
    'version', form.version, 'signed_at', signature.signed_at, 'body_digest', encode(signature.body_digest, 'hex'));
end
$$;
comment on function app.sign_consent is
  'Signs a published form for a client in the caller''s name; who, when and from where are the database''s to say.';

create function app.terminate_consent(organization uuid, request jsonb)
returns jsonb
language plpgsql
set search_path = ''
as $$
declare
  signature public.consent_signatures;
  reason text;
  already boolean;
begin
  perform app.require_fields(request, 'signature_id', 'reason');
  select * into signature
  from public.consent_signatures it
  where it.organization_id = organization and it.id = (request ->> 'signature_id')::uuid;
  perform app.check_guardian(organization, signature.client_id, true);
  reason := app.plain_text(request, 'reason', 1, 500);
  perform app.lock_subjects(array[signature.client_id]);
  select * into signature
  from public.consent_signatures it
  where it.organization_id = organization and it.id = signature.id
  for update;
  already := signature.terminated_at is not null;
  if not already then
    update public.consent_signatures it
    set termination_reason = reason
    where it.organization_id = organization and it.id = signature.id
    returning it.* into signature;
    insert into audit.events (organization_id, action, table_name, row_id)
    values (organization, 'consent.terminated', 'consent_signatures', signature.id);
  end if;
  return jsonb_build_object(
    'signature_id', signature.id, 'client_id', signature.client_id, 'form_code', signature.form_code,
    'terminated_at', signature.terminated_at, 'already_terminated', already);
end
$$;
comment on function app.terminate_consent is
  'Ends a signature, with a reason. What has ended stays as it ended: the reason of a second call is not kept.';

create function app.read_consents(organization uuid, request jsonb)
returns jsonb
language plpgsql
set search_path = ''
as $$
declare
  client uuid := (request ->> 'client_id')::uuid;
  for_admin boolean := organization = any (app.org_ids_with_role('admin'));
  found jsonb;
begin
  perform app.require_fields(request, 'client_id');
  perform app.check_guardian(organization, client, true);
  select coalesce(jsonb_agg(jsonb_build_object(
      'signature_id', signature.id,
      'form_id', form.id,
      'form_code', form.form_code,
      'version', form.version,
      'title', form.title,
      'typed_name', signature.typed_name,
      'signed_by', signature.signed_by,
      'signed_at', signature.signed_at,
      -- Those who stand for a client do not all live together: as in the access report, nobody's home.
      'ip_address', app.shown_address(signature.ip_address, for_admin or signature.signed_by = auth.uid()),
      'user_agent', case when for_admin or signature.signed_by = auth.uid() then signature.user_agent end,
      'body_digest', encode(signature.body_digest, 'hex'),
      'terminated_at', signature.terminated_at,
      'terminated_by', signature.terminated_by,
      'termination_reason', signature.termination_reason)
    order by signature.signed_at desc, signature.id), '[]')
  into found
  from public.consent_signatures signature
  join public.consent_forms form on form.organization_id = signature.organization_id and form.id = signature.form_id
  where signature.organization_id = organization and signature.client_id = client;
  perform app.record_access(
    organization, 'consent.read', 'clients', client, client, jsonb_build_object('rows', jsonb_array_length(found)));
  return jsonb_build_object('client_id', client, 'consents', found);
end
$$;
comment on function app.read_consents is
  'A client''s signatures, live and ended, newest first; for its family, whom it tells of others'' addresses the network only, and '
  'admins. On record.';
