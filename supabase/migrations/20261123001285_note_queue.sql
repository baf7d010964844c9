-- Note queue: what waits for a supervisor's signature.
--
-- Promises
--   * A supervisor is told of every signed note that they could co-sign today, and of no other; ids and times, no text.

create index session_notes_to_cosign_idx on public.session_notes (organization_id, signed_at, id)
  where status = 'signed' and needs_cosignature;

create function app.find_notes_to_cosign(organization uuid, request jsonb)
returns jsonb
language plpgsql
stable
set search_path = ''
as $$
declare
  max_rows integer := app.page_size(request);
  supervised uuid[] := app.caseload_therapist_ids();
  own uuid[] := app.my_therapist_ids();
  last_seen public.session_notes;
  found_notes jsonb;
begin
  if not organization = any (app.org_ids_with_role('supervisor')) then
    perform app.refuse('forbidden', 'Only supervisors co-sign notes.');
  end if;
  if request ->> 'after_note_id' is not null then
    select it.* into last_seen
    from public.session_notes it
    where it.organization_id = organization and it.id = (request ->> 'after_note_id')::uuid and it.status <> 'draft'
      and it.therapist_id = any (supervised);
    if not found then
      perform app.refuse_field('after_note_id', 'unknown', 'Not a note of this list.');
    end if;
  end if;

  -- One more than asked for says whether there are more.
  select coalesce(jsonb_agg(jsonb_build_object(
    'id', note.id, 'session_id', note.session_id, 'client_id', note.client_id, 'therapist_id', note.therapist_id,
    'author_id', note.author_id, 'kind', note.kind, 'version', note.current_version, 'signed_at', note.signed_at)
    order by note.signed_at, note.id), '[]')
  into found_notes
  from (
    select it.*
    from public.session_notes it
    where it.organization_id = organization and it.status = 'signed' and it.needs_cosignature
      and it.therapist_id = any (supervised) and not it.therapist_id = any (own) and it.author_id <> auth.uid()
      and (last_seen.id is null or (it.signed_at, it.id) > (last_seen.signed_at, last_seen.id))
    order by it.signed_at, it.id
    limit max_rows + 1
  ) note;
  return jsonb_build_object(
    'notes', jsonb_path_query_array(found_notes, '$[0 to $last]', jsonb_build_object('last', max_rows - 1)),
    'has_more', jsonb_array_length(found_notes) > max_rows);
end
$$;
comment on function app.find_notes_to_cosign is
  'The signed notes that wait for the caller''s signature, the longest waiting first, a page at a time.';
