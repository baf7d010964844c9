/**
 * Encryption of note texts: compact JWE (RFC 7516, `dir` + A256GCM) under a key of the client, which is itself a JWE
 * under a master key. What a text belongs to stands in its protected header, which the cipher authenticates, so a
 * ciphertext that is put into another row does not open.
 */
import { base64url, CompactEncrypt, compactDecrypt } from "jose";

/** What a note's text is bound to. `version` counts the saved versions of the note from 1. */
export interface NoteBinding {
  readonly organization: string;
  readonly client: string;
  readonly session: string;
  readonly note: string;
  readonly author: string;
  readonly version: number;
  readonly kind: string;
}

/** The key of a client's notes, opened. Never stored, logged or sent. */
export interface ClientKey {
  readonly id: string;
  readonly bytes: Uint8Array<ArrayBuffer>;
}

/** A client's key as the database has it, and whose it must be. */
export interface WrappedKey {
  readonly keyId: string;
  readonly organization: string;
  readonly client: string;
  readonly wrapped: string;
}

/** Why something does not open. */
export type Unreadable =
  | "master_key_missing"
  | "key_wrong"
  | "text_tampered"
  | "bound_elsewhere"
  | "digest_mismatch";

/** A text or a key that does not open. The message names the reason and nothing else. */
export class UnreadableError extends Error {
  override readonly name = "UnreadableError";
  constructor(readonly reason: Unreadable) {
    super(reason);
  }
}

/** HOLDFAST_NOTE_KEYS is missing or is not what it should be. The message never quotes it. */
export class NoteKeysError extends Error {
  override readonly name = "NoteKeysError";
}

/** The live master keys; new client keys are wrapped by the current one. */
export interface MasterKeys {
  readonly current: string;
  readonly keys: ReadonlyMap<string, Uint8Array<ArrayBuffer>>;
}

const KEY_BYTES = 32;
const KEY_ID = /^[A-Za-z0-9._-]{1,40}$/;
const ACCEPTED = { keyManagementAlgorithms: ["dir"], contentEncryptionAlgorithms: ["A256GCM"] };
const DIGEST_USE = new TextEncoder().encode("holdfast note digest v1");

/**
 * Reads the secret HOLDFAST_NOTE_KEYS: `{"current": "k1", "keys": {"k1": "<32 bytes, base64url>"}}`.
 *
 * @throws NoteKeysError when it is absent or malformed.
 */
export function readMasterKeys(secret: string | undefined): MasterKeys {
  if (!secret) throw new NoteKeysError("HOLDFAST_NOTE_KEYS is not set");
  const keys = new Map<string, Uint8Array<ArrayBuffer>>();
  let current: unknown;
  try {
    const parsed = JSON.parse(secret) as { current?: unknown; keys?: Record<string, unknown> };
    current = parsed.current;
    for (const [id, encoded] of Object.entries(parsed.keys ?? {})) {
      const bytes = new Uint8Array(base64url.decode(String(encoded)));
      if (!KEY_ID.test(id) || bytes.length !== KEY_BYTES) throw new NoteKeysError();
      keys.set(id, bytes);
    }
  } catch {
    throw new NoteKeysError("HOLDFAST_NOTE_KEYS is not a set of 32-byte keys");
  }
  if (typeof current !== "string" || !keys.has(current)) {
    throw new NoteKeysError("HOLDFAST_NOTE_KEYS does not hold its current key");
  }
  return { current, keys };
}

/** A new key for a client's notes. */
export function makeClientKey(): ClientKey {
  return { id: crypto.randomUUID(), bytes: crypto.getRandomValues(new Uint8Array(KEY_BYTES)) };
}

/** Wraps a client's key by the current master key, bound to whose it is. */
export async function wrapKey(
  key: ClientKey,
  { organization, client }: Pick<NoteBinding, "organization" | "client">,
  masters: MasterKeys,
): Promise<string> {
  return new CompactEncrypt(key.bytes)
    .setProtectedHeader({
      alg: "dir",
      enc: "A256GCM",
      kid: masters.current,
      key: key.id,
      org: organization,
      client,
    })
    .encrypt(masters.keys.get(masters.current) as Uint8Array<ArrayBuffer>);
}

/**
 * Opens a wrapped key, by whichever live master key wrapped it.
 *
 * @throws UnreadableError `master_key_missing` when that is none of the live ones, `key_wrong` when it does not open or
 *   is another client's.
 */
export async function unwrapKey(stored: WrappedKey, masters: MasterKeys): Promise<ClientKey> {
  const opened = await compactDecrypt(
    stored.wrapped,
    ({ kid = "" }) => {
      const master = masters.keys.get(kid);
      if (!master) throw new UnreadableError("master_key_missing");
      return master;
    },
    ACCEPTED,
  ).catch((error: unknown) => {
    throw error instanceof UnreadableError ? error : new UnreadableError("key_wrong");
  });
  const { key, org, client } = opened.protectedHeader;
  const isTheirs = key === stored.keyId && org === stored.organization && client === stored.client;
  if (!isTheirs || opened.plaintext.length !== KEY_BYTES) throw new UnreadableError("key_wrong");
  return { id: stored.keyId, bytes: new Uint8Array(opened.plaintext) };
}

/** Encrypts a text under its client's key, bound to what it belongs to. */
export async function encryptNote(text: string, bound: NoteBinding, key: ClientKey): Promise<string> {
  return new CompactEncrypt(new TextEncoder().encode(text))
    .setProtectedHeader({ alg: "dir", enc: "A256GCM", kid: key.id, ...header(bound) })
    .encrypt(key.bytes);
}

/**
 * Decrypts a text of the row that `bound` describes.
 *
 * @throws UnreadableError `text_tampered` when it does not open under the key, `bound_elsewhere` when it belongs to
 *   another row, version or author.
 */
export async function decryptNote(ciphertext: string, bound: NoteBinding, key: ClientKey): Promise<string> {
  const opened = await compactDecrypt(ciphertext, key.bytes, ACCEPTED).catch(() => {
    throw new UnreadableError("text_tampered");
  });
  const expected: Record<string, unknown> = { kid: key.id, ...header(bound) };
  const found: Record<string, unknown> = { ...opened.protectedHeader };
  if (Object.keys(expected).some((field) => found[field] !== expected[field])) {
    throw new UnreadableError("bound_elsewhere");
  }
  return new TextDecoder("utf-8", { fatal: true, ignoreBOM: true }).decode(opened.plaintext);
}

function header({ organization: org, client, session, note, author, version, kind }: NoteBinding) {
  return { org, client, session, note, author, version, kind };
}

/**
 * The digest of a text that a signature binds: HMAC-SHA-256 in hexadecimal, under a key derived (HKDF, RFC 5869) from
 * the client's, so that whoever has the database cannot test guesses of a short note against it.
 */
export async function digestNote(text: string, key: ClientKey): Promise<string> {
  const secret = await crypto.subtle.importKey("raw", key.bytes, "HKDF", false, ["deriveKey"]);
  const mac = await crypto.subtle.deriveKey(
    { name: "HKDF", hash: "SHA-256", salt: new Uint8Array(), info: DIGEST_USE },
    secret,
    { name: "HMAC", hash: "SHA-256", length: 256 },
    false,
    ["sign"],
  );
  const digest = await crypto.subtle.sign("HMAC", mac, new TextEncoder().encode(text));
  return Array.from(new Uint8Array(digest), (byte) => byte.toString(16).padStart(2, "0")).join("");
}
