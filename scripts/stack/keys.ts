// The secrets of one stack: the key pair that signs access tokens, the two API keys, and the secret shared with the
// inner server. Made once per data directory and kept there, so that a session survives a restart as on a hosted project.

import { randomBytes } from "node:crypto";
import { readFile, rename, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { calculateJwkThumbprint, exportJWK, generateKeyPair, importJWK, type JWK } from "jose";

export interface StackKeys {
  kid: string;
  signingKey: CryptoKey;
  verifyingKey: CryptoKey;
  /** The public half, as `/auth/v1/.well-known/jwks.json` answers it. */
  jwks: { keys: JWK[] };
  publishableKey: string;
  secretKey: string;
  /** HS256 secret between the gateway and the inner server; it never leaves this machine. */
  innerSecret: string;
  /** The functions' secret HOLDFAST_NOTE_KEYS: kept, or what was written before a restart could not be read. */
  noteKeys: string;
}

interface KeyFile {
  privateJwk: JWK;
  publishableKey: string;
  secretKey: string;
  innerSecret: string;
  noteKeys: string;
}

/** Reads the keys of a data directory, or makes them. */
export async function loadKeys(dataDir: string): Promise<StackKeys> {
  const path = join(dataDir, "keys.json");
  const stored = await readFile(path, "utf8").catch(() => undefined);
  const file: KeyFile = stored ? JSON.parse(stored) : await makeKeys(path);
  // A data directory from before there were notes.
  if (file.noteKeys === undefined) await keep(path, Object.assign(file, { noteKeys: makeNoteKeys() }));
  const { d: _private, ...publicJwk } = file.privateJwk;
  const kid = await calculateJwkThumbprint(publicJwk);
  return {
    kid,
    signingKey: await asymmetric(file.privateJwk),
    verifyingKey: await asymmetric(publicJwk),
    jwks: { keys: [{ ...publicJwk, kid, alg: "ES256", use: "sig", key_ops: ["verify"], ext: true }] },
    publishableKey: file.publishableKey,
    secretKey: file.secretKey,
    innerSecret: file.innerSecret,
    noteKeys: file.noteKeys,
  };
}

async function makeKeys(path: string): Promise<KeyFile> {
  const pair = await generateKeyPair("ES256", { extractable: true });
  const file: KeyFile = {
    privateJwk: await exportJWK(pair.privateKey),
    publishableKey: `sb_publishable_${randomBytes(24).toString("base64url")}`,
    secretKey: `sb_secret_${randomBytes(24).toString("base64url")}`,
    innerSecret: randomBytes(48).toString("base64url"),
    noteKeys: makeNoteKeys(),
  };
  await keep(path, file);
  return file;
}

/** A value of HOLDFAST_NOTE_KEYS with one new key, which is the current one. */
export function makeNoteKeys(): string {
  const id = `k${randomBytes(4).toString("hex")}`;
  return JSON.stringify({ current: id, keys: { [id]: randomBytes(32).toString("base64url") } });
}

async function keep(path: string, file: KeyFile): Promise<void> {
  const staged = `${path}.new`;
  await writeFile(staged, JSON.stringify(file, null, 2), { mode: 0o600 });
  await rename(staged, path);
}

async function asymmetric(jwk: JWK): Promise<CryptoKey> {
  const key = await importJWK(jwk, "ES256");
  if (key instanceof Uint8Array) throw new Error("the signing key of the stack is not an ES256 key");
  return key;
}
