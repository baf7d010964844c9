/**
 * What stands between a note's text and the database: each action asks the RPCs as the caller, and encrypts or decrypts
 * in between. No transaction spans two of them: a save names the version that it was made for.
 */
import process from "node:process";
import { z } from "zod";
import { guid } from "../../../src/lib/fields.ts";
import { type NoteRequest, type NoteWithText, noteSchema } from "../../../src/lib/notes.ts";
import { type Problem, toProblem } from "../../../src/lib/problems.ts";
import {
  type ClientKey,
  decryptNote,
  digestNote,
  encryptNote,
  type MasterKeys,
  makeClientKey,
  NoteKeysError,
  readMasterKeys,
  UnreadableError,
  unwrapKey,
  wrapKey,
} from "./note-crypto.ts";
import { proveSave } from "./note-proof.ts";
import type { RpcAnswer } from "./rpc.ts";
import type { Ask } from "./serve.ts";

type Action<Name extends NoteRequest["action"]> = Extract<NoteRequest, { action: Name }>;

const preparedSchema = z.object({
  organization_id: guid,
  client_id: guid,
  session_id: guid,
  author_id: guid,
  kind: z.string(),
  note_id: guid.nullable(),
  key: z.object({ key_id: guid, wrapped_key: z.string() }).nullable(),
});

const storedSchema = z.object({
  notes: z.array(
    noteSchema.extend({
      organization_id: guid,
      // A row whose ciphertext is gone has none of these: it does not open.
      key_id: guid.nullable(),
      wrapped_key: z.string().nullable(),
      ciphertext: z.string().nullable(),
      text_digest: z.string().nullable(),
    }),
  ),
});
type Stored = z.output<typeof storedSchema>["notes"][number];

// Somebody else may write the client's first note at the same moment; then theirs is the key.
const ATTEMPTS = 3;

/** Encrypts a text and saves it as the next version of the caller's draft. */
export async function saveNote(request: Action<"save">, ask: Ask): Promise<RpcAnswer> {
  const { action: _, text, ...subject } = request;
  let answer: RpcAnswer = { problem: toProblem("unavailable", { retry_after: 1 }) };
  for (let attempt = 1; attempt <= ATTEMPTS; attempt++) {
    // With the key, since a save that was done is found again even where another would be refused by now.
    const asked = await ask(
      "prepare_note",
      { ...subject, version: undefined },
      "with the caller's idempotency key",
    );
    if ("problem" in asked) return asked;
    const prepared = preparedSchema.parse(asked.data);
    // Without master keys nothing can be saved: a defect of the deployment, whatever the client's key is.
    const masters = readMasterKeys(process.env.HOLDFAST_NOTE_KEYS);
    const opened = await keyFor(prepared, masters);
    if ("unreadable" in opened) return report(ask, { session_id: prepared.session_id }, opened.unreadable);

    const note = prepared.note_id ?? crypto.randomUUID();
    const bound = {
      organization: prepared.organization_id,
      client: prepared.client_id,
      session: prepared.session_id,
      author: prepared.author_id,
      kind: prepared.kind,
      note,
      version: request.version + 1,
    };
    const saved = {
      version: request.version,
      ciphertext: await encryptNote(text, bound, opened.key),
      text_digest: await digestNote(text, opened.key),
      key_id: opened.key.id,
      ...opened.wrapped,
    };
    answer = await ask(
      "save_note",
      { ...subject, new_note_id: note, ...saved, proof: await proveSave(saved, bound, masters) },
      "with the caller's idempotency key",
    );
    if (!("problem" in answer)) return answer;
    const { code, reason } = answer.problem;
    const isOtherKey =
      (code === "stale_version" && reason === "client_key") ||
      // The digest is under a key made here: of this same save, repeated before it had ended, it is another than the first one's.
      (code === "idempotency_key_reused" && prepared.key === null);
    if (!isOtherKey) return answer;
  }
  return answer;
}

/** The client's key, opened; or a new one with what the database keeps of it. */
async function keyFor(
  prepared: z.output<typeof preparedSchema>,
  masters: MasterKeys,
): Promise<
  | { key: ClientKey; wrapped: { wrapped_key?: string; master_key_id?: string } }
  | { unreadable: UnreadableError }
> {
  const whose = { organization: prepared.organization_id, client: prepared.client_id };
  if (prepared.key === null) {
    const key = makeClientKey();
    const wrapped_key = await wrapKey(key, whose, masters);
    return { key, wrapped: { wrapped_key, master_key_id: masters.current } };
  }
  const { key_id: keyId, wrapped_key: wrapped } = prepared.key;
  try {
    return { key: await unwrapKey({ keyId, wrapped, ...whose }, masters), wrapped: {} };
  } catch (error) {
    if (error instanceof UnreadableError) return { unreadable: error };
    throw error;
  }
}

/**
 * Reads and decrypts. Of one that does not open the admins are alerted; among others of its session it is named without its text.
 */
export async function readNotes(request: Omit<Action<"read">, "action">, ask: Ask): Promise<RpcAnswer> {
  const { note_id, session_id } = request;
  const answer = await ask("read_note", { note_id, session_id });
  if ("problem" in answer) return answer;
  const notes: NoteWithText[] = [];
  let refusal: { problem: Problem } | undefined;
  for (const stored of storedSchema.parse(answer.data).notes) {
    const note = noteSchema.parse(stored);
    if (stored.key_id !== null && stored.wrapped_key === null) {
      notes.push({ ...note, text: null, unreadable: "key_destroyed" });
      continue;
    }
    try {
      notes.push({ ...note, text: (await open(stored)).text, unreadable: null });
    } catch (error) {
      if (!(error instanceof UnreadableError)) throw error;
      refusal = await report(ask, { note_id: note.id }, error);
      // Nothing is shown as unreadable that the admins were not told of.
      if (refusal.problem.code !== "note_unreadable") return refusal;
      notes.push({ ...note, text: null, unreadable: error.reason });
    }
  }
  if (refusal && notes.every(({ text }) => text === null)) return refusal;
  return { data: { notes }, replayed: false };
}

/**
 * Signs or co-signs: what the signature binds is the digest of a text that opens, and is the one that was saved. A note
 * that does not open is not signed.
 */
export async function signNote(request: Action<"sign"> | Action<"cosign">, ask: Ask): Promise<RpcAnswer> {
  const { note_id, version } = request;
  const answer = await ask("read_note", { note_id });
  if ("problem" in answer) return answer;
  const [stored] = storedSchema.parse(answer.data).notes;
  if (stored === undefined) return { problem: toProblem("not_found") };
  try {
    const text_digest = (await open(stored)).digest;
    const rpc = request.action === "sign" ? "sign_note" : "cosign_note";
    return await ask(rpc, { note_id, version, text_digest }, "with the caller's idempotency key");
  } catch (error) {
    if (error instanceof UnreadableError) return report(ask, { note_id }, error);
    throw error;
  }
}

/** Lets the family read a summary. */
export function releaseSummary({ note_id }: Action<"release_summary">, ask: Ask): Promise<RpcAnswer> {
  return ask("release_summary", { note_id }, "with the caller's idempotency key");
}

/** The text of a stored note and its digest. Throws UnreadableError, and nothing that tells of the text. */
async function open(stored: Stored): Promise<{ text: string; digest: string }> {
  const { key_id: keyId, wrapped_key: wrapped, ciphertext } = stored;
  if (keyId === null || wrapped === null || ciphertext === null) throw new UnreadableError("text_tampered");
  const whose = { organization: stored.organization_id, client: stored.client_id };
  const key = await unwrapKey({ keyId, wrapped, ...whose }, liveMasterKeys());
  const bound = {
    ...whose,
    session: stored.session_id,
    note: stored.id,
    author: stored.author_id,
    version: stored.version,
    kind: stored.kind,
  };
  const text = await decryptNote(ciphertext, bound, key);
  const digest = await digestNote(text, key);
  if (digest !== stored.text_digest) throw new UnreadableError("digest_mismatch");
  return { text, digest };
}

/** To a reader, a deployment without keys is one whose key for this note is missing. */
function liveMasterKeys(): MasterKeys {
  try {
    return readMasterKeys(process.env.HOLDFAST_NOTE_KEYS);
  } catch (error) {
    throw error instanceof NoteKeysError ? new UnreadableError("master_key_missing") : error;
  }
}

/** Alerts the admins, and answers why: never a blank note. */
async function report(
  ask: Ask,
  what: { note_id: string } | { session_id: string },
  { reason }: UnreadableError,
): Promise<{ problem: Problem }> {
  const answer = await ask("report_unreadable_note", { ...what, reason });
  return { problem: "problem" in answer ? answer.problem : toProblem("note_unreadable", { reason }) };
}
