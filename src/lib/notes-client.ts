/**
 * Session notes for apps: write, read, sign and co-sign them, and release a summary to the family.
 */
import type { SupabaseClient } from "@supabase/supabase-js";
import type { z } from "zod";
import { type CallOptions, call } from "./call.ts";
import { callRpc } from "./call-rpc.ts";
import { type Camel, fromWire, toWire } from "./casing.ts";
import {
  clientKeySchema,
  type Note as NoteOnTheWire,
  type NoteRequest,
  type NoteWithText as NoteWithTextOnTheWire,
  noteResponseSchema,
  notesResponseSchema,
  type notesToCosignRequestSchema,
  notesToCosignSchema,
} from "./notes.ts";

type Action<Name extends NoteRequest["action"]> = Extract<NoteRequest, { action: Name }>;

/** A text over a version of a draft; `version` 0 begins one. */
export type NoteSaveRequest = Camel<Omit<Action<"save">, "action">>;
/** A note, or all of a session that the caller may read. */
export type NoteReadRequest = Camel<Omit<Action<"read">, "action">>;
/** A note in the version that the signer has read. */
export type NoteSignRequest = Camel<Omit<Action<"sign">, "action">>;
/** The summary to release. */
export type SummaryReleaseRequest = Camel<Omit<Action<"release_summary">, "action">>;

/** A page of the notes that wait for the caller's signature. */
export type NotesToCosignRequest = Camel<z.input<typeof notesToCosignRequestSchema>>;
/** The notes of a page, the longest waiting first; with `hasMore`, ask again with the last one's id as `afterNoteId`. */
export type NotesToCosign = Camel<z.output<typeof notesToCosignSchema>>;

/** The key of a client's notes: still `active`, and who proposed to destroy it; or `destroyed`. */
export type ClientKey = Camel<z.output<typeof clientKeySchema>>;

/** A note without its text. */
export type Note = Camel<NoteOnTheWire>;
/** A note as its readers see it; `text` is null where it does not open, and `unreadable` says why. */
export type NoteWithText = Note &
  (
    | { text: string; unreadable: null }
    | { text: null; unreadable: NonNullable<NoteWithTextOnTheWire["unreadable"]> }
  );

/**
 * Saves a draft: a new version over the one that `version` names.
 *
 * @throws HoldfastError `stale_version` with the current one, `note_signed`, `validation_failed` (`sessionId`
 *   `session_cancelled`), `forbidden` for who reads but does not write, `not_found`, `note_unreadable` when the client's key
 *   does not open; and what every call may meet.
 */
export async function saveNote(
  supabase: SupabaseClient,
  request: NoteSaveRequest,
  options: CallOptions = {},
): Promise<Note> {
  return act(supabase, { action: "save", ...request }, options);
}

/**
 * Reads a note, or those of a session. Every read is put on record. One that does not open is among those of its session that do, with
 * `unreadable` in place of its text.
 *
 * @throws HoldfastError `not_found`; where none opens, `note_unreadable` with its reason (admins are alerted) or
 *   `key_destroyed`; and what every call may meet.
 */
export async function readNotes(
  supabase: SupabaseClient,
  request: NoteReadRequest,
  options: CallOptions = {},
): Promise<NoteWithText[]> {
  const { data } = await call(
    supabase,
    "session-notes",
    toWire({ action: "read", ...request }),
    notesResponseSchema,
    options,
  );
  // Either there is a text, or why there is none.
  return data.notes.map((note) => fromWire(note) as NoteWithText);
}

/**
 * Signs one's own draft. From then on it does not change; what is wrong is corrected by an addendum.
 *
 * @throws HoldfastError `note_signed`, `stale_version`, `forbidden`, `not_found`, `note_unreadable`; and what every call
 *   may meet.
 */
export async function signNote(
  supabase: SupabaseClient,
  request: NoteSignRequest,
  options: CallOptions = {},
): Promise<Note> {
  return act(supabase, { action: "sign", ...request }, options);
}

/**
 * Co-signs a signed note of somebody whom the caller supervises.
 *
 * @throws HoldfastError as `signNote`; `validation_failed` (`noteId` `not_signed`, `not_asked_for`).
 */
export async function cosignNote(
  supabase: SupabaseClient,
  request: NoteSignRequest,
  options: CallOptions = {},
): Promise<Note> {
  return act(supabase, { action: "cosign", ...request }, options);
}

/**
 * The signed notes of those whom the caller supervises that wait for the second signature.
 *
 * @throws HoldfastError `forbidden` for who is no supervisor there, `validation_failed` (`limit`, `afterNoteId`),
 *   `not_found`; and what every call may meet.
 */
export async function findNotesToCosign(
  supabase: SupabaseClient,
  request: NotesToCosignRequest,
  options: CallOptions = {},
): Promise<NotesToCosign> {
  return fromWire(
    await callRpc(supabase, "find_notes_to_cosign", toWire(request), notesToCosignSchema, options),
  );
}

/**
 * Lets the family read a signed summary. Twice is no error.
 *
 * @throws HoldfastError `validation_failed` (`noteId` `not_a_summary`, `not_signed`, `not_cosigned`), `forbidden`,
 *   `not_found`; and what every call may meet.
 */
export async function releaseSummary(
  supabase: SupabaseClient,
  request: SummaryReleaseRequest,
  options: CallOptions = {},
): Promise<Note> {
  return act(supabase, { action: "release_summary", ...request }, options);
}

/**
 * Proposes to destroy the key of a client's notes; called by another admin within 24 hours, destroys it. No note under it can be
 * read again.
 *
 * @throws HoldfastError `forbidden`, `not_found`; and what every call may meet.
 */
export async function destroyClientKey(
  supabase: SupabaseClient,
  request: { clientId: string },
  options: CallOptions = {},
): Promise<ClientKey> {
  return fromWire(await callRpc(supabase, "destroy_client_key", toWire(request), clientKeySchema, options));
}

/** One action on a note, and the note as it is after it. */
async function act(
  supabase: SupabaseClient,
  request: Camel<NoteRequest>,
  options: CallOptions,
): Promise<Note> {
  const { data } = await call(supabase, "session-notes", toWire(request), noteResponseSchema, options);
  return fromWire(data.note);
}
