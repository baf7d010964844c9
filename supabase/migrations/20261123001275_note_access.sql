-- Note access: who may read and write notes, and finding the one that a request is about.
--
-- Promises
--   * A session's therapist writes and signs its notes; their supervisors and admins read them, a reviewer what is
--     signed, the family a summary once it is released. To everybody else there is no such note.

-- ---------------------------------------------------------------------------------------------------------
-- Who may
-- ---------------------------------------------------------------------------------------------------------

create function app.may_write_notes(organization uuid, therapist uuid)
returns boolean
language plpgsql
stable
set search_path = ''
as $$
begin
  return therapist = any (app.my_therapist_ids())
    and organization = any (app.org_ids_with_role('therapist', 'supervisor'));
end
$$;
comment on function app.may_write_notes is 'Whether the caller is the therapist, and delivers services.';

create function app.supervises(organization uuid, therapist uuid)
returns boolean
language plpgsql
stable
set search_path = ''
as $$
begin
  return organization = any (app.org_ids_with_role('supervisor'))
    and therapist = any (app.caseload_therapist_ids())
    and not therapist = any (app.my_therapist_ids());
end
$$;
comment on function app.supervises is 'Whether the caller supervises the therapist today.';

create function app.may_read_notes(organization uuid, therapist uuid, client uuid)
returns boolean
language plpgsql
stable
set search_path = ''
as $$
begin
  return therapist = any (app.caseload_therapist_ids())
    or organization = any (app.org_ids_with_role('admin'))
    or client = any (app.reviewed_client_ids());
end
$$;
comment on function app.may_read_notes is
  'Whether notes of the therapist''s sessions with the client are the caller''s to read: their own, those of who they '
  'supervise, the organization''s for admins, those of a client that they review.';

create function app.may_read_note(note public.session_notes)
returns boolean
language plpgsql
stable
set search_path = ''
as $$
begin
  return note.therapist_id = any (app.caseload_therapist_ids())
    or note.organization_id = any (app.org_ids_with_role('admin'))
    or (note.status <> 'draft' and note.client_id = any (app.reviewed_client_ids()))
    or (note.released_at is not null and note.client_id = any (app.guarded_client_ids()));
end
$$;
comment on function app.may_read_note is
  'Whether the caller may read this note: as app.may_read_notes, but a reviewer only what is signed, and families a '
  'released summary.';

-- ---------------------------------------------------------------------------------------------------------
-- Finding
-- ---------------------------------------------------------------------------------------------------------

create function app.find_note(organization uuid, wanted uuid)
returns public.session_notes
language plpgsql
stable
set search_path = ''
as $$
declare
  note public.session_notes;
begin
  select it.* into note from public.session_notes it where it.organization_id = organization and it.id = wanted;
  if not found or not app.may_read_note(note) then
    perform app.refuse('not_found', 'There is no such note.');
  end if;
  return note;
end
$$;
comment on function app.find_note is 'The note, or a refusal as if it did not exist.';

create function app.lock_notes(client uuid)
returns void
language plpgsql
set search_path = ''
as $$
begin
  perform pg_advisory_xact_lock(hashtextextended('notes ' || client, 2));
end
$$;
comment on function app.lock_notes is 'Who writes notes or keys of a client, one after the other.';

create function app.check_session_of_note(organization uuid, session public.sessions)
returns void
language plpgsql
stable
set search_path = ''
as $$
begin
  if not app.may_write_notes(organization, session.therapist_id) then
    perform app.refuse('forbidden', 'Only the therapist of the session writes and signs its notes.');
  end if;
  if session.status = 'cancelled' then
    perform app.refuse_field('session_id', 'session_cancelled', 'The session was cancelled.');
  end if;
end
$$;
comment on function app.check_session_of_note is 'Refuses who does not write notes of the session, or a session that takes none.';

create function app.note_to_write(organization uuid, request jsonb)
returns public.session_notes
language plpgsql
stable
set search_path = ''
as $$
declare
  wanted_kind text := coalesce(request ->> 'kind', 'session');
  addended public.session_notes;
  session public.sessions;
  note public.session_notes;
begin
  if not wanted_kind in ('session', 'addendum', 'summary') then
    perform app.refuse_field('kind', 'invalid_value', 'Must be session, addendum or summary.');
  end if;
  if wanted_kind = 'addendum' then
    if request ->> 'addends_note_id' is null then
      perform app.refuse_field('addends_note_id', 'required', 'Required.');
    end if;
    addended := app.find_note(organization, (request ->> 'addends_note_id')::uuid);
  elsif request ->> 'session_id' is null then
    perform app.refuse_field('session_id', 'required', 'Required.');
  end if;
  select it.* into session
  from public.sessions it
  where it.organization_id = organization
    and it.id = coalesce(addended.session_id, (request ->> 'session_id')::uuid);
  if not found or not app.may_read_notes(organization, session.therapist_id, session.client_id) then
    perform app.refuse('not_found', 'There is no such session.');
  end if;
  perform app.check_session_of_note(organization, session);
  if wanted_kind = 'addendum' and addended.kind <> 'session' then
    perform app.refuse_field('addends_note_id', 'not_a_session_note', 'Only the note of a session takes addenda.');
  elsif wanted_kind = 'addendum' and addended.status = 'draft' then
    perform app.refuse_field('addends_note_id', 'not_signed', 'A draft is changed, not addended.');
  end if;

  select it.* into note
  from public.session_notes it
  where it.organization_id = organization and it.session_id = session.id and it.author_id = auth.uid()
    and it.kind = wanted_kind and it.addends_note_id is not distinct from addended.id
    and (it.kind = 'session' or it.status = 'draft');
  if note.status <> 'draft' then
    perform app.refuse('note_signed', 'A signed note does not change; write an addendum.');
  end if;
  if note.id is null then
    note.organization_id := organization;
    note.session_id := session.id;
    note.client_id := session.client_id;
    note.therapist_id := session.therapist_id;
    note.author_id := auth.uid();
    note.kind := wanted_kind;
    note.addends_note_id := addended.id;
    note.current_version := 0;
  end if;
  return note;
end
$$;
comment on function app.note_to_write is
  'The caller''s draft of this kind, of the session or to the note that the request names; where there is none yet, what '
  'it would be, without an id and with version 0. Refuses who may not write it.';

create function app.note_json(note public.session_notes)
returns jsonb
language plpgsql
immutable
set search_path = ''
as $$
begin
  return jsonb_build_object(
    'id', note.id, 'session_id', note.session_id, 'client_id', note.client_id, 'author_id', note.author_id,
    'kind', note.kind, 'addends_note_id', note.addends_note_id, 'status', note.status, 'version', note.current_version,
    'needs_cosignature', note.needs_cosignature, 'signed_at', note.signed_at, 'cosigned_by', note.cosigned_by,
    'cosigned_at', note.cosigned_at, 'released_at', note.released_at, 'updated_at', note.updated_at);
end
$$;
comment on function app.note_json is 'A note as the wire has it, without its text.';

create function app.record_note(note public.session_notes, action text, changes jsonb default '{}')
returns void
language plpgsql
set search_path = ''
as $$
begin
  perform app.record_access(note.organization_id, action, 'session_notes', note.id, note.client_id,
    jsonb_build_object('client_id', note.client_id, 'session_id', note.session_id, 'kind', note.kind,
      'version', note.current_version) || changes);
end
$$;
comment on function app.record_note is 'Puts on record what was done with a note: ids and numbers, never text.';
