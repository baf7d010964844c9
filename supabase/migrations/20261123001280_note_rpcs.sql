-- Note calls: prepare, save, read, sign, co-sign, release, report what does not open, destroy a client's key.
--
-- Promises
--   * Every read is on record, and so is every refusal.
--   * A key and the first note under it are written together or not at all, and only as the function made them.
--   * What is signed is the version that the signer had before them, by its digest.

-- ---------------------------------------------------------------------------------------------------------
-- Writing
-- ---------------------------------------------------------------------------------------------------------

create function app.note_saved_under(organization uuid, of_key text)
returns public.session_notes
language plpgsql
stable
set search_path = ''
as $$
declare
  note public.session_notes;
begin
  select it.* into note
  from public.idempotency_keys known
  join public.session_notes it
    on it.organization_id = known.organization_id and it.id = (known.response #>> '{note,id}')::uuid
  where known.organization_id = organization and known.user_id = auth.uid() and known.operation = 'save_note'
    and known.key = of_key and known.expires_at > clock_timestamp() and app.may_read_note(it);
  return note;
end
$$;
comment on function app.note_saved_under is
  'The note that the caller saved under an Idempotency-Key and may read still; null when there is none.';

create function app.prepare_note(organization uuid, request jsonb)
returns jsonb
language plpgsql
stable
set search_path = ''
as $$
declare
  -- A save that was done and not heard of is found again, whatever has become of the session and the note since.
  note public.session_notes := app.note_saved_under(organization, request ->> 'saved_under');
begin
  if note.id is null then
    note := app.note_to_write(organization, request);
  end if;
  return jsonb_build_object(
    'organization_id', organization, 'client_id', note.client_id, 'session_id', note.session_id,
    'author_id', note.author_id, 'kind', note.kind, 'note_id', note.id, 'version', note.current_version,
    'key', (
      select jsonb_build_object(
        'key_id', key.id, 'wrapped_key', key.wrapped_key, 'master_key_id', key.master_key_id)
      from public.client_keys key
      where key.organization_id = organization and key.client_id = note.client_id and key.status = 'active'));
end
$$;
comment on function app.prepare_note is 'What the function needs to encrypt a text: what is bound in it, and the client''s wrapped key if there is one.';

create function app.check_saved_forms(request jsonb)
returns void
language plpgsql
stable
set search_path = ''
as $$
declare
  jwe constant text := '^[A-Za-z0-9_-]+\.\.[A-Za-z0-9_-]+\.[A-Za-z0-9_-]+\.[A-Za-z0-9_-]+$';
  wrong jsonb;
begin
  select jsonb_agg(jsonb_build_object('field', given.field, 'code', 'invalid_format', 'message', 'Not of the form of this field.'))
  into wrong
  from (values
    ('version', request ->> 'version' ~ '^\d{1,6}$'),
    ('ciphertext', length(request ->> 'ciphertext') <= 1500000 and request ->> 'ciphertext' ~ jwe),
    ('text_digest', request ->> 'text_digest' ~ '^[0-9a-f]{64}$'),
    ('proof', request ->> 'proof' ~ '^[0-9a-f]{64}$'),
    ('key_id', pg_input_is_valid(request ->> 'key_id', 'uuid')),
    ('new_note_id', pg_input_is_valid(coalesce(request ->> 'new_note_id', gen_random_uuid()::text), 'uuid')),
    ('wrapped_key', request ->> 'wrapped_key' is null
      or length(request ->> 'wrapped_key') <= 2000 and request ->> 'wrapped_key' ~ jwe),
    ('master_key_id', (request ->> 'wrapped_key' is null or request ->> 'master_key_id' is not null)
      and coalesce(request ->> 'master_key_id', 'none') ~ '^[A-Za-z0-9._-]{1,40}$')
  ) given (field, is_well_formed)
  where given.is_well_formed is distinct from true;
  if wrong is not null then
    perform app.refuse_fields(wrong);
  end if;
end
$$;
comment on function app.check_saved_forms is 'Refuses what cannot be a ciphertext, a digest or a key, before anything is read as one.';

create function app.save_note(organization uuid, request jsonb)
returns jsonb
language plpgsql
set search_path = ''
as $$
declare
  note public.session_notes := app.note_to_write(organization, request);
  key public.client_keys;
begin
  perform app.check_saved_forms(request);
  perform app.lock_notes(note.client_id);
  note := app.note_to_write(organization, request);
  if (request ->> 'version')::integer <> note.current_version then
    perform app.refuse('stale_version', 'The draft has another version by now.',
      jsonb_build_object('version', note.current_version));
  end if;
  perform app.check_note_proof(note, request);

  select it.* into key
  from public.client_keys it
  where it.organization_id = organization and it.client_id = note.client_id and it.status = 'active'
  for update;
  if key.id is distinct from (request ->> 'key_id')::uuid and (key.id is not null or request ->> 'wrapped_key' is null) then
    perform app.refuse('stale_version', 'The client has another key by now.',
      jsonb_build_object('version', note.current_version, 'reason', 'client_key'));
  end if;
  if key.id is null then
    if exists (select from public.client_keys it where it.id = (request ->> 'key_id')::uuid) then
      perform app.refuse_field('key_id', 'taken', 'There is a key with this id.');
    end if;
    insert into public.client_keys (id, organization_id, client_id, wrapped_key, master_key_id)
    values ((request ->> 'key_id')::uuid, organization, note.client_id, request ->> 'wrapped_key', request ->> 'master_key_id')
    returning * into key;
    insert into audit.events (organization_id, action, table_name, row_id, details)
    values (organization, 'note_key.made', 'client_keys', key.id, jsonb_build_object('client_id', key.client_id));
  end if;

  if note.current_version > 0 then
    update public.session_notes it
    set current_version = it.current_version + 1
    where it.organization_id = organization and it.id = note.id
    returning it.* into note;
  else
    if request ->> 'new_note_id' is null
      or exists (select from public.session_notes it where it.id = (request ->> 'new_note_id')::uuid)
    then
      perform app.refuse_field('new_note_id', 'taken', 'A new note needs an id of its own.');
    end if;
    insert into public.session_notes (
      id, organization_id, session_id, client_id, therapist_id, author_id, kind, addends_note_id, needs_cosignature)
    values (
      (request ->> 'new_note_id')::uuid, organization, note.session_id, note.client_id, note.therapist_id, note.author_id,
      note.kind, note.addends_note_id, app.needs_cosignature(organization, note.therapist_id, note.session_id))
    returning * into note;
  end if;
  insert into public.session_note_versions (organization_id, note_id, client_id, key_id, number, ciphertext, text_digest)
  values (organization, note.id, note.client_id, key.id, note.current_version, request ->> 'ciphertext',
    decode(request ->> 'text_digest', 'hex'));
  perform app.record_note(note, 'note.saved');
  return jsonb_build_object('note', app.note_json(note));
end
$$;
comment on function app.save_note is
  'Adds a version to the caller''s draft, or begins one; with the client''s first note, its key. Of two first writers one '
  'key wins, and the other is told to encrypt again (stale_version, reason client_key).';

-- ---------------------------------------------------------------------------------------------------------
-- Signing
-- ---------------------------------------------------------------------------------------------------------

create function app.check_signed_text(note public.session_notes, request jsonb)
returns void
language plpgsql
stable
set search_path = ''
as $$
begin
  if coalesce(request ->> 'version' !~ '^\d{1,6}$', true) then
    perform app.refuse_field('version', 'required', 'Required: the version that is signed.');
  elsif (request ->> 'version')::integer <> note.current_version then
    perform app.refuse('stale_version', 'The draft has another version by now.',
      jsonb_build_object('version', note.current_version));
  elsif not exists (
    select
    from public.session_note_versions version
    where version.organization_id = note.organization_id and version.note_id = note.id
      and version.number = note.current_version
      and encode(version.text_digest, 'hex') = request ->> 'text_digest')
  then
    perform app.refuse_field('text_digest', 'mismatch', 'Not the digest of the version that is signed.');
  end if;
end
$$;
comment on function app.check_signed_text is 'Refuses a signature that is not under the text as it was last saved.';

create function app.sign_note(organization uuid, request jsonb)
returns jsonb
language plpgsql
set search_path = ''
as $$
declare
  note public.session_notes := app.find_note(organization, (request ->> 'note_id')::uuid);
  session public.sessions;
begin
  perform app.lock_notes(note.client_id);
  note := app.find_note(organization, note.id);
  select it.* into session from public.sessions it where it.organization_id = organization and it.id = note.session_id;
  if note.author_id <> auth.uid() then
    perform app.refuse('forbidden', 'Only its author signs a note.');
  end if;
  if note.status <> 'draft' then
    perform app.refuse('note_signed', 'The note is signed already.');
  end if;
  perform app.check_session_of_note(organization, session);
  if clock_timestamp() < least(session.start_time, session.actual_start_time) then
    perform app.refuse_field('note_id', 'session_not_begun', 'A note is signed once its session has begun.');
  end if;
  perform app.check_signed_text(note, request);

  update public.session_notes it
  set status = 'signed', signed_by = auth.uid(), signed_at = clock_timestamp(),
    text_digest = decode(request ->> 'text_digest', 'hex'),
    needs_cosignature = app.needs_cosignature(organization, note.therapist_id, note.session_id)
  where it.organization_id = organization and it.id = note.id
  returning it.* into note;
  perform app.record_note(note, 'note.signed');
  return jsonb_build_object('note', app.note_json(note));
end
$$;
comment on function app.sign_note is 'Signs the caller''s draft in the version and with the digest that the request names. From then on it does not change.';

create function app.cosign_note(organization uuid, request jsonb)
returns jsonb
language plpgsql
set search_path = ''
as $$
declare
  note public.session_notes := app.find_note(organization, (request ->> 'note_id')::uuid);
begin
  perform app.lock_notes(note.client_id);
  note := app.find_note(organization, note.id);
  if note.author_id = auth.uid() or not app.supervises(organization, note.therapist_id) then
    perform app.refuse('forbidden', 'Only a supervisor of its author co-signs a note.');
  elsif note.status = 'draft' then
    perform app.refuse_field('note_id', 'not_signed', 'Its author has not signed it yet.');
  elsif note.status = 'cosigned' then
    perform app.refuse('note_signed', 'The note is co-signed already.', '{"reason": "cosigned"}');
  elsif not note.needs_cosignature then
    perform app.refuse_field('note_id', 'not_asked_for', 'This note needs no second signature.');
  end if;
  perform app.check_signed_text(note, request);

  update public.session_notes it
  set status = 'cosigned', cosigned_by = auth.uid(), cosigned_at = clock_timestamp()
  where it.organization_id = organization and it.id = note.id
  returning it.* into note;
  perform app.record_note(note, 'note.cosigned');
  return jsonb_build_object('note', app.note_json(note));
end
$$;
comment on function app.cosign_note is 'A supervisor''s signature under a signed note that needs one.';

create function app.release_summary(organization uuid, request jsonb)
returns jsonb
language plpgsql
set search_path = ''
as $$
declare
  note public.session_notes := app.find_note(organization, (request ->> 'note_id')::uuid);
begin
  perform app.lock_notes(note.client_id);
  note := app.find_note(organization, note.id);
  if not (app.may_write_notes(organization, note.therapist_id) or app.supervises(organization, note.therapist_id)) then
    perform app.refuse('forbidden', 'Only its author or their supervisor releases a summary.');
  elsif note.kind <> 'summary' then
    perform app.refuse_field('note_id', 'not_a_summary', 'Only a summary is released to the family.');
  elsif note.status = 'draft' then
    perform app.refuse_field('note_id', 'not_signed', 'Its author has not signed it yet.');
  elsif note.needs_cosignature and note.status <> 'cosigned' then
    perform app.refuse_field('note_id', 'not_cosigned', 'A supervisor has not signed it yet.');
  end if;
  if note.released_at is null then
    update public.session_notes it
    set released_by = auth.uid(), released_at = clock_timestamp()
    where it.organization_id = organization and it.id = note.id
    returning it.* into note;
    perform app.record_note(note, 'note.released');
  end if;
  return jsonb_build_object('note', app.note_json(note));
end
$$;
comment on function app.release_summary is 'Lets the family read a summary that is signed, and co-signed where it needs that. Twice is no error.';

-- ---------------------------------------------------------------------------------------------------------
-- Reading
-- ---------------------------------------------------------------------------------------------------------

create function app.read_note(organization uuid, request jsonb)
returns jsonb
language plpgsql
set search_path = ''
as $$
declare
  wanted uuid := (request ->> 'note_id')::uuid;
  session public.sessions;
  note public.session_notes;
  found_notes public.session_notes[] := '{}';
  opened jsonb;
begin
  if wanted is not null then
    found_notes := array[app.find_note(organization, wanted)];
  else
    select it.* into session
    from public.sessions it
    where it.organization_id = organization and it.id = (request ->> 'session_id')::uuid;
    for note in
      select it.*
      from public.session_notes it
      where it.organization_id = organization and it.session_id = session.id
      order by it.created_at, it.id
    loop
      if app.may_read_note(note) then
        found_notes := found_notes || note;
      end if;
    end loop;
    -- An empty list says that there is a session: only to who may read what is written of it.
    if found_notes = '{}' and (session.id is null or not (
      app.may_read_notes(organization, session.therapist_id, session.client_id)
      or session.client_id = any (app.guarded_client_ids())))
    then
      perform app.refuse('not_found', 'There is no such session.');
    end if;
  end if;

  select jsonb_agg(app.note_json(it) || jsonb_build_object(
    'organization_id', organization, 'key_id', version.key_id, 'wrapped_key', key.wrapped_key,
    'ciphertext', version.ciphertext, 'text_digest', encode(coalesce(it.text_digest, version.text_digest), 'hex'))
    order by it.created_at, it.id)
  into opened
  from unnest(found_notes) it
  left join public.session_note_versions version
    on version.organization_id = it.organization_id and version.note_id = it.id and version.number = it.current_version
  left join public.client_keys key on key.organization_id = version.organization_id and key.id = version.key_id;
  -- One without a key_id was tampered with, which is for the function to say.
  if not jsonb_path_exists(opened, '$[*] ? (@.key_id == null || @.wrapped_key != null)') then
    perform app.refuse('key_destroyed', 'The key of this client''s notes was destroyed; they cannot be read again.');
  end if;

  foreach note in array found_notes loop
    perform app.record_note(note, 'note.read');
  end loop;
  return jsonb_build_object('notes', coalesce(opened, '[]'));
end
$$;
comment on function app.read_note is
  'A note, or those of a session that the caller may read, with ciphertext and wrapped key. Each is put on record as read. Those whose '
  'key was destroyed have no wrapped key; where there are no others, it is refused.';

create function app.report_unreadable_note(organization uuid, request jsonb)
returns jsonb
language plpgsql
set search_path = ''
as $$
declare
  note public.session_notes;
  session public.sessions;
  why text := request ->> 'reason';
begin
  if coalesce(not why in ('master_key_missing', 'key_wrong', 'text_tampered', 'bound_elsewhere', 'digest_mismatch'), true) then
    perform app.refuse_field('reason', 'invalid_value', 'Not a reason why a note does not open.');
  end if;
  if request ->> 'note_id' is not null then
    note := app.find_note(organization, (request ->> 'note_id')::uuid);
  else
    -- Nothing is written yet: it is the client's key that does not open.
    select it.* into session
    from public.sessions it
    where it.organization_id = organization and it.id = (request ->> 'session_id')::uuid;
    if session.id is null or not app.may_read_notes(organization, session.therapist_id, session.client_id) then
      perform app.refuse('not_found', 'There is no such session.');
    end if;
  end if;
  insert into public.access_alerts (organization_id, kind, actor_id, note_id)
  values (organization, 'note_unreadable', auth.uid(), note.id)
  on conflict do nothing;
  insert into audit.events (organization_id, action, decision, code, table_name, row_id, details)
  values (organization, 'note.unreadable', 'deny', 'note_unreadable', 'session_notes', note.id,
    jsonb_build_object('client_id', coalesce(note.client_id, session.client_id), 'reason', why));
  return jsonb_build_object('reported', true);
end
$$;
comment on function app.report_unreadable_note is
  'Puts on record that a note, or a client''s key, does not open, and alerts the admins: one open alert a note.';

-- ---------------------------------------------------------------------------------------------------------
-- Destroying a key
-- ---------------------------------------------------------------------------------------------------------

create function app.destroy_client_key(organization uuid, request jsonb)
returns jsonb
language plpgsql
set search_path = ''
as $$
declare
  key public.client_keys;
  wanted uuid := (request ->> 'client_id')::uuid;
  is_proposed boolean;
begin
  if not organization = any (app.org_ids_with_role('admin')) then
    perform app.refuse('forbidden', 'Only admins destroy the key of a client''s notes.');
  end if;
  if wanted is null then
    perform app.refuse_field('client_id', 'required', 'Required.');
  end if;
  perform app.lock_notes(wanted);
  select it.* into key
  from public.client_keys it
  where it.organization_id = organization and it.client_id = wanted and it.status = 'active'
  for update;
  if not found then
    perform app.refuse('not_found', 'The client has no key.');
  end if;

  -- It takes two admins: who proposed it must be one still.
  is_proposed := coalesce(key.proposed_at > clock_timestamp() - interval '24 hours', false)
    and 'admin' = any (app.roles_at(organization, key.proposed_by, clock_timestamp()))
    and app.may_sign_in(key.proposed_by);
  if is_proposed and key.proposed_by <> auth.uid() then
    update public.client_keys it
    set status = 'destroyed', wrapped_key = null, destroyed_by = auth.uid(), destroyed_at = clock_timestamp()
    where it.organization_id = organization and it.id = key.id
    returning it.* into key;
    insert into audit.events (organization_id, action, table_name, row_id, details)
    values (organization, 'note_key.destroyed', 'client_keys', key.id,
      jsonb_build_object('client_id', key.client_id, 'proposed_by', key.proposed_by));
  elsif not is_proposed then
    update public.client_keys it
    set proposed_by = auth.uid(), proposed_at = clock_timestamp()
    where it.organization_id = organization and it.id = key.id
    returning it.* into key;
    insert into audit.events (organization_id, action, table_name, row_id, details)
    values (organization, 'note_key.proposed', 'client_keys', key.id, jsonb_build_object('client_id', key.client_id));
  end if;
  return jsonb_build_object('client_id', key.client_id, 'key_id', key.id, 'status', key.status,
    'proposed_by', key.proposed_by, 'proposed_at', key.proposed_at, 'destroyed_at', key.destroyed_at);
end
$$;
comment on function app.destroy_client_key is
  'The first admin proposes, another one confirms within 24 hours, while the first is admin; then no note of the client under this key can be read again.';
