-- Notes: what a therapist writes of a session, as ciphertext, and the keys that open it.
--
-- Promises
--   * The database has neither the text nor a key that opens it: a text is a compact JWE under a key of its client, and
--     that key stands here wrapped by a master key that only the Edge Function has.
--   * A signed note is immutable for everybody, whoever writes: what is wrong is corrected by an addendum.
--   * No note is signed before its session begins, nor co-signed before it is signed.
--   * A draft keeps its versions; a version is never changed or removed.
--   * A destroyed key is gone for good, and it takes two admins within a day.

create table public.client_keys (
  id uuid primary key,
  organization_id uuid not null,
  client_id uuid not null,
  wrapped_key text,
  master_key_id text not null,
  status text not null default 'active',
  proposed_by uuid,
  proposed_at timestamptz,
  destroyed_by uuid,
  destroyed_at timestamptz,
  status_changed_at timestamptz not null,
  status_changed_by uuid,
  created_at timestamptz not null,
  created_by uuid,
  updated_at timestamptz not null,
  updated_by uuid,
  constraint client_keys_client_key unique (organization_id, id, client_id),
  constraint client_keys_client_fkey
    foreign key (organization_id, client_id) references public.clients (organization_id, id),
  -- The five parts of a compact JWE (RFC 7516 §3.1); the second is empty: the key encrypts directly.
  constraint client_keys_wrapped_key_form check (
    wrapped_key ~ '^[A-Za-z0-9_-]+\.\.[A-Za-z0-9_-]+\.[A-Za-z0-9_-]+\.[A-Za-z0-9_-]+$' and length(wrapped_key) <= 2000),
  constraint client_keys_master_key_id_form check (master_key_id ~ '^[A-Za-z0-9._-]{1,40}$'),
  constraint client_keys_status_known check (status in ('active', 'destroyed')),
  constraint client_keys_destroyed_is_gone check ((status = 'destroyed') = (wrapped_key is null)),
  constraint client_keys_destroyed_by_somebody check (
    (status = 'destroyed') = (destroyed_by is not null) and (destroyed_by is null) = (destroyed_at is null)),
  constraint client_keys_proposed_by_somebody check ((proposed_by is null) = (proposed_at is null)),
  constraint client_keys_destroyed_by_two_within_a_day check (
    destroyed_by is null
    or (proposed_by is not null and proposed_by <> destroyed_by and destroyed_at <= proposed_at + interval '24 hours'))
);
comment on table public.client_keys is
  'The key of a client''s notes, wrapped (compact JWE) by the master key that master_key_id names. wrapped_key is null once '
  'the key is destroyed: then no text under it can be read again.';
create unique index client_keys_one_active_idx on public.client_keys (organization_id, client_id) where status = 'active';
create index client_keys_client_idx on public.client_keys (organization_id, client_id);
create index client_keys_master_key_id_idx on public.client_keys (master_key_id) where status = 'active';
select app.add_stamps('public.client_keys', 'status');

-- A destroyed key and the record of who destroyed it do not change.
create trigger keep_destruction before update or delete on public.client_keys
  for each row when (old.status = 'destroyed') execute function app.refuse_change(
    'client_keys_destroyed_for_good', 'a destroyed key stays destroyed');

create table public.session_notes (
  id uuid primary key,
  organization_id uuid not null,
  session_id uuid not null,
  client_id uuid not null,
  therapist_id uuid not null,
  author_id uuid not null references auth.users (id),
  kind text not null,
  addends_note_id uuid,
  status text not null default 'draft',
  current_version integer not null default 1,
  needs_cosignature boolean not null,
  text_digest bytea,
  signed_by uuid,
  signed_at timestamptz,
  cosigned_by uuid,
  cosigned_at timestamptz,
  released_by uuid,
  released_at timestamptz,
  status_changed_at timestamptz not null,
  status_changed_by uuid,
  created_at timestamptz not null,
  created_by uuid,
  updated_at timestamptz not null,
  updated_by uuid,
  constraint session_notes_organization_id_id_key unique (organization_id, id),
  constraint session_notes_client_key unique (organization_id, id, client_id),
  constraint session_notes_session_fkey
    foreign key (organization_id, session_id) references public.sessions (organization_id, id),
  constraint session_notes_client_fkey
    foreign key (organization_id, client_id) references public.clients (organization_id, id),
  constraint session_notes_therapist_fkey
    foreign key (organization_id, therapist_id) references public.therapists (organization_id, id),
  constraint session_notes_addended_fkey
    foreign key (organization_id, addends_note_id, client_id)
    references public.session_notes (organization_id, id, client_id),
  constraint session_notes_kind_known check (kind in ('session', 'addendum', 'summary')),
  constraint session_notes_addendum_of_a_note check ((kind = 'addendum') = (addends_note_id is not null)),
  constraint session_notes_status_known check (status in ('draft', 'signed', 'cosigned')),
  constraint session_notes_current_version_positive check (current_version >= 1),
  constraint session_notes_signed_by_its_author check (
    case when status = 'draft'
      then num_nonnulls(text_digest, signed_by, signed_at) = 0
      else num_nonnulls(text_digest, signed_by, signed_at) = 3 and signed_by = author_id
    end),
  constraint session_notes_cosigned_by_another check (
    case when status = 'cosigned'
      then needs_cosignature and num_nonnulls(cosigned_by, cosigned_at) = 2 and cosigned_by <> author_id
      else num_nonnulls(cosigned_by, cosigned_at) = 0
    end),
  constraint session_notes_cosigned_after_signed check (cosigned_at >= signed_at),
  constraint session_notes_digest_length check (octet_length(text_digest) = 32),
  constraint session_notes_released_when_final check (
    num_nonnulls(released_by, released_at) = 0
    or (num_nonnulls(released_by, released_at) = 2 and kind = 'summary'
      and (status = 'cosigned' or (status = 'signed' and not needs_cosignature))))
);
comment on table public.session_notes is
  'A note of a session, an addendum to one, or the summary that the family may read once it is released. The text is in '
  'session_note_versions, as ciphertext. therapist_id is the session''s when it was begun.';
comment on column public.session_notes.text_digest is
  'What was signed: the digest of the text, keyed by the client''s key, so that nobody can guess a text by it.';
comment on column public.session_notes.needs_cosignature is 'Whether the author''s credential or the client''s payer asks for a supervisor''s signature.';
create unique index session_notes_one_each_idx on public.session_notes (session_id, author_id, kind)
  where kind = 'session' or (kind = 'summary' and status = 'draft');
create unique index session_notes_one_draft_addendum_idx on public.session_notes (addends_note_id, author_id)
  where kind = 'addendum' and status = 'draft';
create index session_notes_session_idx on public.session_notes (organization_id, session_id);
create index session_notes_client_idx on public.session_notes (organization_id, client_id);
create index session_notes_therapist_idx on public.session_notes (organization_id, therapist_id);
create index session_notes_addended_idx on public.session_notes (organization_id, addends_note_id) where addends_note_id is not null;
create index session_notes_author_id_idx on public.session_notes (author_id);
select app.add_stamps('public.session_notes', 'status');

create table public.session_note_versions (
  id uuid primary key default gen_random_uuid(),
  organization_id uuid not null,
  note_id uuid not null,
  client_id uuid not null,
  key_id uuid not null,
  number integer not null,
  ciphertext text not null,
  text_digest bytea not null,
  created_at timestamptz not null default clock_timestamp(),
  created_by uuid default auth.uid(),
  constraint session_note_versions_number_key unique (organization_id, note_id, number),
  constraint session_note_versions_note_fkey
    foreign key (organization_id, note_id, client_id)
    references public.session_notes (organization_id, id, client_id),
  constraint session_note_versions_client_fkey
    foreign key (organization_id, client_id) references public.clients (organization_id, id),
  constraint session_note_versions_key_fkey
    foreign key (organization_id, key_id, client_id) references public.client_keys (organization_id, id, client_id),
  constraint session_note_versions_ciphertext_form check (
    ciphertext ~ '^[A-Za-z0-9_-]+\.\.[A-Za-z0-9_-]+\.[A-Za-z0-9_-]+\.[A-Za-z0-9_-]+$'),
  constraint session_note_versions_ciphertext_length check (octet_length(ciphertext) <= 1500000),
  constraint session_note_versions_digest_length check (octet_length(text_digest) = 32)
);
comment on table public.session_note_versions is
  'What was saved of a note, each time: a compact JWE (A256GCM) whose protected header binds organization, client, session, '
  'note, author, version and kind. Rows are only added, and only while the note is a draft.';
comment on column public.session_note_versions.ciphertext is 'PHI: the text of a note, encrypted.';
create index session_note_versions_client_idx on public.session_note_versions (organization_id, client_id);
create index session_note_versions_key_idx on public.session_note_versions (organization_id, key_id);

-- ---------------------------------------------------------------------------------------------------------
-- What does not change
-- ---------------------------------------------------------------------------------------------------------

create function app.keep_note()
returns trigger
language plpgsql
set search_path = ''
as $$
declare
  -- A supervisor's signature, the release of a summary, and the stamps of both.
  added constant text[] := '{cosigned_by,cosigned_at,released_by,released_at,status,status_changed_at,status_changed_by,updated_at,updated_by}';
  is_addition boolean;
begin
  is_addition := (to_jsonb(old) - added) = (to_jsonb(new) - added)
    and (old.status = new.status or (old.status = 'signed' and new.status = 'cosigned'))
    and (old.cosigned_at is null or (old.cosigned_at, old.cosigned_by) = (new.cosigned_at, new.cosigned_by))
    and (old.released_at is null
      or coalesce((old.released_at, old.released_by) = (new.released_at, new.released_by), false));
  if not is_addition then
    raise exception using
      errcode = 'check_violation',
      schema = 'public', table = 'session_notes', constraint = 'session_notes_signed_for_good',
      message = 'a signed note does not change, write an addendum: constraint "session_notes_signed_for_good"';
  end if;
  return new;
end
$$;
comment on function app.keep_note is 'A signed note takes a second signature, and a summary its release; nothing else, for every role.';
create trigger keep_note before update on public.session_notes
  for each row when (old.status <> 'draft') execute function app.keep_note();
create trigger keep_note_row before delete on public.session_notes
  for each row when (old.status <> 'draft') execute function app.refuse_change(
    'session_notes_signed_for_good', 'a signed note does not change, write an addendum');
create trigger keep_notes before truncate on public.session_notes
  for each statement execute function app.refuse_change(
    'session_notes_signed_for_good', 'a signed note does not change, write an addendum');

create function app.keep_signature_after_start()
returns trigger
language plpgsql
set search_path = ''
as $$
begin
  if exists (
    select
    from public.sessions it
    where it.organization_id = new.organization_id and it.id = new.session_id
      and new.signed_at < least(it.start_time, it.actual_start_time))
  then
    raise exception using
      errcode = 'check_violation',
      schema = 'public', table = 'session_notes', constraint = 'session_notes_signed_after_start',
      message = 'a note is signed once its session has begun: constraint "session_notes_signed_after_start"';
  end if;
  return new;
end
$$;
comment on function app.keep_signature_after_start is
  'A note says what took place: none is signed before its session begins, as planned or as it really did, for every role.';
create trigger keep_signature_after_start before insert or update of signed_at on public.session_notes
  for each row when (new.signed_at is not null) execute function app.keep_signature_after_start();

create function app.keep_note_version()
returns trigger
language plpgsql
set search_path = ''
as $$
begin
  -- A share lock, so that a note is not signed while a version is added to it.
  if tg_op = 'INSERT' then
    perform from public.session_notes note
    where note.organization_id = new.organization_id and note.id = new.note_id and note.status = 'draft'
      and note.current_version = new.number
    for share;
    if found then
      return new;
    end if;
  end if;
  raise exception using
    errcode = 'check_violation',
    schema = 'public', table = 'session_note_versions', constraint = 'session_note_versions_only_added',
    message = 'a draft''s versions are only added, each after the last: constraint "session_note_versions_only_added"';
end
$$;
comment on function app.keep_note_version is 'Versions are added to drafts, in order; none is changed or removed, for every role.';
create trigger keep_version before insert or update or delete on public.session_note_versions
  for each row execute function app.keep_note_version();
create trigger keep_versions before truncate on public.session_note_versions
  for each statement execute function app.keep_note_version();

-- ---------------------------------------------------------------------------------------------------------
-- Nobody reads or writes these but the RPCs, which put every read on record.
-- ---------------------------------------------------------------------------------------------------------

alter table public.client_keys enable row level security;
alter table public.session_notes enable row level security;
alter table public.session_note_versions enable row level security;

create function app.needs_cosignature(organization uuid, therapist uuid, session uuid)
returns boolean
language plpgsql
stable
set search_path = ''
as $$
begin
  return exists (
      select from public.therapists it
      where it.organization_id = organization and it.id = therapist and it.credential in ('BT', 'RBT'))
    or exists (
      select
      from public.sessions it
      join public.organizations clinic on clinic.id = it.organization_id
      cross join lateral (values (
        (coalesce(it.actual_start_time, it.start_time) at time zone clinic.time_zone)::date)) as local (day)
      -- Said for every code or not at all.
      cross join lateral app.payer_rule(organization, app.payer_of(organization, it.client_id, local.day), null, local.day) rule
      where it.organization_id = organization and it.id = session and rule.requires_cosignature);
end
$$;
comment on function app.needs_cosignature is
  'Whether a supervisor must sign too: of technicians every note, and of everybody where the payer of the session''s day asks for it.';
