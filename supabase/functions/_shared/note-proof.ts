/**
 * Proofs that a save comes from this function: HMAC-SHA-256 (RFC 2104) over what is saved, under a key that is derived
 * from a master key and opens nothing. The database has that key too (app.note_writers) and verifies.
 */
import type { MasterKeys, NoteBinding } from "./note-crypto.ts";

/** What a save hands to the database besides what its note is bound to. */
export interface SavedNote {
  /** The version that was written over. */
  readonly version: number;
  readonly key_id: string;
  readonly wrapped_key?: string;
  readonly master_key_id?: string;
  readonly ciphertext: string;
  readonly text_digest: string;
}

const PROOF_USE = new TextEncoder().encode("holdfast note proof v1");
const HMAC = { name: "HMAC", hash: "SHA-256", length: 256 };

/** The key for proofs that belongs to a master key (HKDF-SHA-256, RFC 5869). 32 bytes. */
export async function proofKey(master: Uint8Array<ArrayBuffer>): Promise<Uint8Array<ArrayBuffer>> {
  const secret = await crypto.subtle.importKey("raw", master, "HKDF", false, ["deriveBits"]);
  const derived = { name: "HKDF", hash: "SHA-256", salt: new Uint8Array(), info: PROOF_USE };
  return new Uint8Array(await crypto.subtle.deriveBits(derived, secret, HMAC.length));
}

/** The proof of a save, in hexadecimal, under the current master key. */
export async function proveSave(
  saved: SavedNote,
  { organization, client, session, author, kind, note }: Omit<NoteBinding, "version">,
  masters: MasterKeys,
): Promise<string> {
  const fields = [
    "holdfast note v1",
    organization,
    client,
    session,
    author,
    kind,
    note,
    saved.version,
    saved.key_id,
    saved.wrapped_key ?? "",
    saved.master_key_id ?? "",
    saved.ciphertext,
    saved.text_digest,
  ];
  const bytes = await proofKey(masters.keys.get(masters.current) as Uint8Array<ArrayBuffer>);
  const key = await crypto.subtle.importKey("raw", bytes, HMAC, false, ["sign"]);
  const proof = await crypto.subtle.sign("HMAC", key, new TextEncoder().encode(fields.join("\n")));
  return Array.from(new Uint8Array(proof), (byte) => byte.toString(16).padStart(2, "0")).join("");
}
