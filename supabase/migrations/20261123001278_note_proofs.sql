-- Note proofs: that what is saved of a note comes from the function that encrypts.
--
-- Promises
--   * A text or a key that only claims to be one is not saved, not even for who may write the note: the function proves each
--     save with a key that its callers do not have (HMAC, RFC 2104).
--   * That key opens nothing: it is derived from a master key (HKDF), and one does not lead back to the other.

create table app.note_writers (
  master_key_id text primary key,
  proof_key bytea not null,
  constraint note_writers_master_key_id_form check (master_key_id ~ '^[A-Za-z0-9._-]{1,40}$'),
  constraint note_writers_proof_key_length check (octet_length(proof_key) = 32)
);
comment on table app.note_writers is
  'What proofs of saves are verified by: for each live master key of the function session-notes the key derived from it for that. '
  'Written by `npm run keys -- admit`.';
alter table app.note_writers enable row level security;

-- Not pgcrypto's hmac, which is not to be counted on in a fixed schema (see app.new_service_token).
create function app.hmac_sha256(message bytea, key bytea)
returns bytea
language plpgsql
immutable
set search_path = ''
as $$
declare
  inner_pad bytea := decode(repeat('36', 64), 'hex');
  outer_pad bytea := decode(repeat('5c', 64), 'hex');
begin
  for place in 0..length(key) - 1 loop
    inner_pad := set_byte(inner_pad, place, get_byte(inner_pad, place) # get_byte(key, place));
    outer_pad := set_byte(outer_pad, place, get_byte(outer_pad, place) # get_byte(key, place));
  end loop;
  return sha256(outer_pad || sha256(inner_pad || message));
end
$$;
comment on function app.hmac_sha256 is 'HMAC-SHA-256 (RFC 2104), for keys of at most 64 bytes.';

create function app.check_note_proof(note public.session_notes, request jsonb)
returns void
language plpgsql
stable
set search_path = ''
as $$
declare
  -- None of these can have a line break in it (app.check_saved_forms).
  saved bytea := convert_to(array_to_string(array[
    'holdfast note v1', note.organization_id::text, note.client_id::text, note.session_id::text, note.author_id::text,
    note.kind, coalesce(note.id::text, request ->> 'new_note_id'), request ->> 'version', request ->> 'key_id',
    request ->> 'wrapped_key', request ->> 'master_key_id', request ->> 'ciphertext', request ->> 'text_digest'
  ], E'\n', ''), 'UTF8');
begin
  if not exists (
    select
    from app.note_writers writer
    where encode(app.hmac_sha256(saved, writer.proof_key), 'hex') = request ->> 'proof')
  then
    perform app.refuse('forbidden', 'Notes are saved by the function session-notes, whose keys the database must know.',
      '{"reason": "not_from_the_function"}');
  end if;
end
$$;
comment on function app.check_note_proof is
  'Refuses a save that the function session-notes has not made for this note, author and version.';
