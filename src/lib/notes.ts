/**
 * Session notes on the wire. The text is encrypted in the function and never stands in the database; who may do what
 * with a note, the database says.
 */
import { z } from "zod";
import { type Fields, guid, type Issue, instant, notAllowed, required, text, together } from "./fields.ts";

/** Longest text of a note, in UTF-16 code units. */
export const MAX_NOTE_LENGTH = 200_000;

export const noteKindSchema = z.enum(["session", "addendum", "summary"]);
const version = z.int().min(0).max(999_999);

const saveSchema = together(
  z.strictObject({
    action: z.literal("save"),
    /** A note of the session unless said otherwise; a summary is what the family reads once it is released. */
    kind: noteKindSchema.optional(),
    session_id: guid.optional(),
    /** The signed note that an addendum corrects. */
    addends_note_id: guid.optional(),
    /** The draft's version that the text was written over; 0 for a new one. */
    version,
    text: text(MAX_NOTE_LENGTH),
  }),
  subjectIssues,
);

const readSchema = together(
  z.strictObject({ action: z.literal("read"), note_id: guid.optional(), session_id: guid.optional() }),
  ({ note_id: note, session_id: session }) => {
    if (note === undefined && session === undefined) return [required("session_id")];
    return note !== undefined && session !== undefined
      ? [notAllowed("session_id", "Not allowed together with note_id.")]
      : [];
  },
);

const signed = { note_id: guid, version };

/** `POST session-notes`: one of five actions. */
export const noteRequestSchema = z.discriminatedUnion("action", [
  saveSchema,
  readSchema,
  z.strictObject({ action: z.literal("sign"), ...signed }),
  z.strictObject({ action: z.literal("cosign"), ...signed }),
  z.strictObject({ action: z.literal("release_summary"), note_id: guid }),
]);

function subjectIssues({ kind, session_id: session, addends_note_id: addended }: Fields): Issue[] {
  if (kind === "addendum") {
    if (addended === undefined) return [required("addends_note_id")];
    return session === undefined
      ? []
      : [notAllowed("session_id", "An addendum is of the note that it addends.")];
  }
  if (addended !== undefined) return [notAllowed("addends_note_id", "Only allowed with the kind addendum.")];
  return session === undefined ? [required("session_id")] : [];
}

/** A note without its text. Signed by its author; `cosigned` by a supervisor where `needs_cosignature`. */
export const noteSchema = z.object({
  id: guid,
  session_id: guid,
  client_id: guid,
  author_id: guid,
  kind: noteKindSchema,
  addends_note_id: guid.nullable(),
  status: z.enum(["draft", "signed", "cosigned"]),
  version: z.int(),
  needs_cosignature: z.boolean(),
  signed_at: instant.nullable(),
  cosigned_by: guid.nullable(),
  cosigned_at: instant.nullable(),
  released_at: instant.nullable(),
  updated_at: instant,
});

export const noteWithTextSchema = noteSchema.extend({
  /** Null: it does not open. Not to be shown as blank. */
  text: z.string().nullable(),
  /** Why it does not open, where others of its session do: its key was destroyed, or a reason of `note_unreadable`. */
  unreadable: z
    .enum([
      "key_destroyed",
      "master_key_missing",
      "key_wrong",
      "text_tampered",
      "bound_elsewhere",
      "digest_mismatch",
    ])
    .nullable(),
});

/** The answer to every action but `read`. */
export const noteResponseSchema = z.object({ data: z.object({ note: noteSchema }) });
/** The answer to `read`: the notes of the session that the caller may read, the oldest first; or the one asked for. */
export const notesResponseSchema = z.object({ data: z.object({ notes: z.array(noteWithTextSchema) }) });

/** RPC `find_notes_to_cosign`: a page of at most `limit` (1 to 200, else 50) notes after the last one seen. */
export const notesToCosignRequestSchema = z.strictObject({
  organization_id: guid,
  limit: z.int().min(1).max(200).optional(),
  after_note_id: guid.optional(),
});

/** Signed notes that wait for the caller's signature, the longest waiting first. `has_more`: ask again after the last. */
export const notesToCosignSchema = z.object({
  notes: z.array(
    z.object({
      id: guid,
      session_id: guid,
      client_id: guid,
      therapist_id: guid,
      author_id: guid,
      kind: noteKindSchema,
      version: z.int(),
      signed_at: instant,
    }),
  ),
  has_more: z.boolean(),
});

export type NoteRequest = z.input<typeof noteRequestSchema>;
export type Note = z.output<typeof noteSchema>;
export type NoteWithText = z.output<typeof noteWithTextSchema>;

export const destroyClientKeyRequestSchema = z.strictObject({ client_id: guid });
/** Of one that is destroyed, when; of one that is only proposed, by whom: the second admin destroys it. */
export const clientKeySchema = z.object({
  client_id: z.guid(),
  key_id: z.guid(),
  status: z.enum(["active", "destroyed"]),
  proposed_by: z.guid().nullable(),
  proposed_at: instant.nullable(),
  destroyed_at: instant.nullable(),
});
