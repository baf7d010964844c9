-- Consents: what families agree to, who signed it, and which services ask for it.
--
-- Promises
--   * A published form says the same for ever; what changes is a new version.
--   * A signature's time, signer, address, user agent and digest are taken by the database from the request itself,
--     whoever writes the row and whatever the row says.
--   * A client has at most one live signature of a form. It is never changed and never deleted, only terminated, once.

create table public.consent_forms (
  id uuid primary key default gen_random_uuid(),
  organization_id uuid not null references public.organizations (id),
  form_code text not null,
  version integer not null,
  title text not null,
  body text not null,
  status text not null default 'draft',
  published_at timestamptz,
  status_changed_at timestamptz not null,
  status_changed_by uuid,
  created_at timestamptz not null,
  created_by uuid,
  updated_at timestamptz not null,
  updated_by uuid,
  constraint consent_forms_code_key unique (organization_id, id, form_code),
  constraint consent_forms_version_unique unique (organization_id, form_code, version),
  constraint consent_forms_form_code_form check (form_code ~ '^[a-z][a-z0-9_]{0,39}$'),
  constraint consent_forms_version_range check (version between 1 and 9999),
  -- One line: the digest of what is signed stands on it.
  constraint consent_forms_title_form check (title ~ '^[^\n\r]{1,200}$'),
  constraint consent_forms_body_length check (length(body) between 1 and 50000),
  constraint consent_forms_status_known check (status in ('draft', 'published', 'retired')),
  constraint consent_forms_published_when_not_draft check ((published_at is null) = (status = 'draft'))
);
comment on table public.consent_forms is
  'What families are asked to agree to, in versions; form_code is the organization''s own name for it (telehealth). The text '
  'is the same for everybody: it holds no PHI.';
comment on column public.consent_forms.body is 'What is signed.';
create unique index consent_forms_one_published_idx on public.consent_forms (organization_id, form_code)
  where status = 'published';
select app.add_stamps('public.consent_forms', 'status');

create function app.keep_published_form()
returns trigger
language plpgsql
set search_path = ''
as $$
begin
  if new.status is distinct from old.status
    and (old.status, new.status) not in (('draft', 'published'), ('published', 'retired'))
  then
    raise exception using
      errcode = 'check_violation',
      schema = 'public', table = 'consent_forms', constraint = 'consent_forms_status_transition',
      message = format(
        'a form cannot go from %s to %s: constraint "consent_forms_status_transition"', old.status, new.status);
  end if;
  if old.status <> 'draft'
    and (new.form_code, new.version, new.title, new.body, new.published_at)
      is distinct from (old.form_code, old.version, old.title, old.body, old.published_at)
  then
    raise exception using
      errcode = 'check_violation',
      schema = 'public', table = 'consent_forms', constraint = 'consent_forms_published_text_stays',
      message = 'a published form does not change: constraint "consent_forms_published_text_stays"';
  end if;
  if old.status = 'draft' then
    new.published_at := case when new.status = 'published' then clock_timestamp() end;
  end if;
  return new;
end
$$;
comment on function app.keep_published_form is
  'Forms go from draft to published to retired, and say what they said from the moment they are published, whoever writes.';
create trigger keep_published_form before update on public.consent_forms
  for each row execute function app.keep_published_form();

create function app.start_as_draft()
returns trigger
language plpgsql
set search_path = ''
as $$
begin
  new.status := 'draft';
  new.published_at := null;
  return new;
end
$$;
comment on function app.start_as_draft is 'Every form starts as a draft, so that publishing is a change of its own, on its stamps.';
create trigger start_as_draft before insert on public.consent_forms
  for each row execute function app.start_as_draft();

create table public.consent_signatures (
  id uuid primary key default gen_random_uuid(),
  organization_id uuid not null,
  client_id uuid not null,
  form_id uuid not null,
  form_code text not null,
  signed_by uuid not null,
  typed_name text not null,
  signed_at timestamptz not null,
  ip_address inet not null,
  user_agent text,
  body_digest bytea not null,
  terminated_at timestamptz,
  terminated_by uuid,
  termination_reason text,
  constraint consent_signatures_client_fkey
    foreign key (organization_id, client_id) references public.clients (organization_id, id),
  constraint consent_signatures_form_fkey
    foreign key (organization_id, form_id, form_code) references public.consent_forms (organization_id, id, form_code),
  constraint consent_signatures_typed_name_length check (length(typed_name) between 2 and 200),
  constraint consent_signatures_user_agent_length check (length(user_agent) between 1 and 500),
  constraint consent_signatures_terminated_with_reason check ((terminated_at is null) = (termination_reason is null)),
  constraint consent_signatures_termination_reason_length check (length(termination_reason) between 1 and 500)
);
comment on table public.consent_signatures is
  'Who signed which form for which client. Live until terminated. Written by RPCs only; what is PHI in it is read by '
  'public.read_consents only.';
comment on column public.consent_signatures.typed_name is 'PHI: the signer''s name.';
comment on column public.consent_signatures.ip_address is 'PHI: where the signer was.';
comment on column public.consent_signatures.user_agent is 'PHI: the signer''s device.';
comment on column public.consent_signatures.termination_reason is 'PHI: free text.';
comment on column public.consent_signatures.body_digest is 'SHA-256 of the form as it was signed: app.form_digest.';
create index consent_signatures_client_idx on public.consent_signatures (client_id);
create index consent_signatures_form_idx on public.consent_signatures (organization_id, form_id);
create unique index consent_signatures_one_live_idx on public.consent_signatures (client_id, form_code)
  where terminated_at is null;

create table public.service_consents (
  id uuid primary key default gen_random_uuid(),
  organization_id uuid not null,
  service_id uuid not null,
  form_code text not null,
  starts_on date not null,
  ends_on date,
  created_at timestamptz not null,
  created_by uuid,
  updated_at timestamptz not null,
  updated_by uuid,
  constraint service_consents_service_fkey
    foreign key (organization_id, service_id) references public.services (organization_id, id),
  constraint service_consents_date_order check (ends_on >= starts_on),
  constraint service_consents_no_repeat exclude using gist (
    service_id with =, organization_id with =, form_code with =, daterange(starts_on, ends_on, '[]') with &&)
);
comment on table public.service_consents is
  'Which consents a service asks for from starts_on to ends_on inclusive, in the organization''s zone: who books it on such '
  'a day needs a live signature of the client''s, whenever the session is.';
create index service_consents_service_idx on public.service_consents (organization_id, service_id);
select app.add_stamps('public.service_consents');

-- ---------------------------------------------------------------------------------------------------------
-- What the database takes itself
-- ---------------------------------------------------------------------------------------------------------

create function app.form_digest(form public.consent_forms)
returns bytea
language plpgsql
immutable
set search_path = ''
as $$
begin
  return sha256(convert_to(
    form.form_code || ' ' || form.version || E'\n' || form.title || E'\n\n' || form.body, 'UTF8'));
end
$$;
comment on function app.form_digest is
  'SHA-256 of a form in UTF-8: a line with its code and version, a line with its title, an empty line, its body.';

create function app.request_header(name text)
returns text
language plpgsql
stable
set search_path = ''
as $$
begin
  return nullif(trim(nullif(current_setting('request.headers', true), '')::jsonb ->> name), '');
end
$$;
comment on function app.request_header is 'A header of the REST request being answered, by its lowercase name; null outside of one.';

create function app.caller_address()
returns inet
language plpgsql
stable
set search_path = ''
as $$
declare
  -- Cloudflare, in front of every hosted project, overwrites the first whatever a caller sends. To the second every
  -- proxy appends whom it heard from, so only its last element is not the caller's to choose.
  given text := coalesce(
    app.request_header('cf-connecting-ip'),
    trim(substring(app.request_header('x-forwarded-for') from '[^,]*$')));
begin
  return case when pg_input_is_valid(given, 'inet') then given::inet end;
end
$$;
comment on function app.caller_address is
  'The address that the platform''s edge heard this request from; null when it does not say. docs/consents.md says what an '
  'operator''s own proxy must do.';

create function app.take_signature()
returns trigger
language plpgsql
security definer
set search_path = ''
as $$
declare
  form public.consent_forms;
begin
  select * into form
  from public.consent_forms it
  where it.organization_id = new.organization_id and it.id = new.form_id
  for share;
  if form.status is distinct from 'published' then
    raise exception using
      errcode = 'check_violation',
      schema = 'public', table = 'consent_signatures', constraint = 'consent_signatures_form_published',
      message = 'only a published form is signed: constraint "consent_signatures_form_published"';
  end if;
  new.form_code := form.form_code;
  new.body_digest := app.form_digest(form);
  new.signed_by := auth.uid();
  new.signed_at := clock_timestamp();
  new.ip_address := app.caller_address();
  new.user_agent := left(app.request_header('user-agent'), 500);
  new.terminated_at := null;
  new.terminated_by := null;
  new.termination_reason := null;
  return new;
end
$$;
comment on function app.take_signature is
  'Writes what a signature proves from the request and the form; what the writer says of it is ignored. Definer: reads the '
  'form for writers that may not.';
create trigger take_signature before insert on public.consent_signatures
  for each row execute function app.take_signature();

create function app.keep_signature()
returns trigger
language plpgsql
set search_path = ''
as $$
begin
  -- Whose organization it is, the keys to its client and form hold.
  if tg_op = 'UPDATE' and old.terminated_at is null and new.termination_reason is not null
    and (new.id, new.client_id, new.form_id, new.form_code, new.signed_by, new.typed_name, new.signed_at, new.ip_address,
        new.user_agent, new.body_digest)
      is not distinct from (old.id, old.client_id, old.form_id, old.form_code, old.signed_by, old.typed_name,
        old.signed_at, old.ip_address, old.user_agent, old.body_digest)
  then
    new.terminated_at := clock_timestamp();
    new.terminated_by := auth.uid();
    return new;
  elsif tg_op = 'UPDATE' and to_jsonb(new) - 'organization_id' = to_jsonb(old) - 'organization_id' then
    return new;
  end if;
  raise exception using
    errcode = 'check_violation',
    schema = 'public', table = 'consent_signatures', constraint = 'consent_signatures_immutable',
    message = 'a signature is terminated once, and nothing else of it changes: constraint "consent_signatures_immutable"';
end
$$;
comment on function app.keep_signature is
  'A signature changes by being terminated, with the reason given and the time and user of the call, and in no other way.';
create trigger keep_signature before update or delete on public.consent_signatures
  for each row execute function app.keep_signature();

-- TRUNCATE asks no row.
create trigger refuse_truncation before truncate on public.consent_signatures
  for each statement execute function app.refuse_change(
    'consent_signatures_immutable', 'signatures are kept');

create function app.check_service_consent()
returns trigger
language plpgsql
security definer
set search_path = ''
as $$
begin
  if not exists (
    select
    from public.consent_forms form
    where form.organization_id = new.organization_id and form.form_code = new.form_code and form.status = 'published')
  then
    raise exception using
      errcode = 'check_violation',
      schema = 'public', table = 'service_consents', constraint = 'service_consents_form_published',
      message = 'a service asks for a published form: constraint "service_consents_form_published"';
  end if;
  return new;
end
$$;
comment on function app.check_service_consent is
  'A form that nobody can sign would close the service to everybody. Definer: reads forms, whatever the writer may read.';
create trigger check_service_consent before insert on public.service_consents
  for each row execute function app.check_service_consent();

create function app.missing_consents(organization uuid, client uuid, service uuid)
returns text[]
language plpgsql
stable
set search_path = ''
as $$
begin
  return array(
    select distinct asked.form_code
    from public.service_consents asked
    join public.organizations clinic on clinic.id = asked.organization_id
    where asked.organization_id = organization
      and asked.service_id = service
      and (now() at time zone clinic.time_zone)::date >= asked.starts_on
      and (asked.ends_on is null or (now() at time zone clinic.time_zone)::date <= asked.ends_on)
      and not exists (
        select
        from public.consent_signatures signature
        where signature.organization_id = organization
          and signature.client_id = client
          and signature.form_code = asked.form_code
          and signature.terminated_at is null)
    order by asked.form_code);
end
$$;
comment on function app.missing_consents is
  'The forms that the service asks for today and of which the client has no live signature, of whatever version.';

-- ---------------------------------------------------------------------------------------------------------
-- Grants and policies
-- ---------------------------------------------------------------------------------------------------------

alter table public.consent_forms enable row level security;
alter table public.consent_signatures enable row level security;
alter table public.service_consents enable row level security;

grant select,
  insert (organization_id, form_code, version, title, body),
  update (title, body, status)
on public.consent_forms to authenticated, service_role;
-- No grant to write, to nobody, and none to read what is PHI in it.
grant select (id, organization_id, client_id, form_id, form_code, signed_by, signed_at, body_digest, terminated_at, terminated_by)
on public.consent_signatures to authenticated, service_role;
grant select,
  insert (organization_id, service_id, form_code, starts_on, ends_on),
  update (ends_on)
on public.service_consents to authenticated, service_role;

create policy "members and families read forms and admins drafts too" on public.consent_forms
  for select to authenticated
  using (
    status <> 'draft' and organization_id = any ((select app.org_ids_with_role(
      'client', 'therapist', 'supervisor', 'psychiatrist', 'internal_ops'))::uuid[])
    or organization_id = any ((select app.org_ids_with_role('admin', 'super_admin'))::uuid[])
  );
create policy "admins write forms" on public.consent_forms
  for insert to authenticated
  with check (organization_id = any ((select app.org_ids_with_role('admin'))::uuid[]));
create policy "admins change, publish and retire forms" on public.consent_forms
  for update to authenticated
  using (organization_id = any ((select app.org_ids_with_role('admin'))::uuid[]))
  with check (organization_id = any ((select app.org_ids_with_role('admin'))::uuid[]));

create policy "families, care teams and schedulers see what is signed" on public.consent_signatures
  for select to authenticated
  using (
    client_id = any ((select app.my_client_ids())::uuid[])
    or client_id = any ((select app.guarded_client_ids())::uuid[])
    or organization_id = any ((select app.org_ids_with_role('internal_ops', 'admin', 'super_admin'))::uuid[])
  );

create policy "who books and families see what services ask for" on public.service_consents
  for select to authenticated
  using (organization_id = any ((select app.org_ids_with_role(
    'client', 'therapist', 'supervisor', 'internal_ops', 'admin', 'super_admin'))::uuid[]));
create policy "schedulers say what services ask for" on public.service_consents
  for insert to authenticated
  with check (organization_id = any ((select app.org_ids_with_role('internal_ops', 'admin'))::uuid[]));
create policy "schedulers end what services ask for" on public.service_consents
  for update to authenticated
  using (organization_id = any ((select app.org_ids_with_role('internal_ops', 'admin'))::uuid[]))
  with check (organization_id = any ((select app.org_ids_with_role('internal_ops', 'admin'))::uuid[]));

select app.require_second_factor('public.consent_forms');
select app.require_second_factor('public.consent_signatures');
select app.require_second_factor('public.service_consents');
