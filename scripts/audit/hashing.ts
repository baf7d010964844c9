// What seals are made of, written a second time: nothing here asks the database to hash, so that a function of the
// database that was tampered with proves nothing.

import { createHash } from "node:crypto";

/** A field as text, as Postgres prints it; null is told from empty. */
export type Field = string | null;

const LEAF = Buffer.from([0]);
const NODE = Buffer.from([1]);
const SEAL = Buffer.from([2]);
export const HASH_BYTES = 32;

/** 0x00 for null, else 0x01, the length of the UTF-8 text as four bytes (big-endian), and the text. */
export function encodeFields(fields: readonly Field[]): Buffer {
  let size = 0;
  for (const field of fields) size += field === null ? 1 : 5 + Buffer.byteLength(field);
  const bytes = Buffer.allocUnsafe(size);
  let at = 0;
  for (const field of fields) {
    if (field === null) {
      at = bytes.writeUInt8(0, at);
      continue;
    }
    at = bytes.writeUInt8(1, at);
    const length = bytes.write(field, at + 4);
    bytes.writeUInt32BE(length, at);
    at += 4 + length;
  }
  return bytes;
}

/** sha256(0x00 || the event's fields), RFC 6962 §2.1. */
export function leafHash(fields: readonly Field[]): Buffer {
  return sha256(LEAF, encodeFields(fields));
}

/** The Merkle root of RFC 6962 §2.1 over at least one leaf hash. */
export function merkleRoot(leaves: readonly Buffer[]): Buffer {
  let level = leaves;
  while (level.length > 1) {
    const above: Buffer[] = [];
    for (let at = 0; at < level.length; at += 2) {
      const [left, right] = [level[at] as Buffer, level[at + 1]];
      above.push(right ? sha256(NODE, left, right) : left);
    }
    level = above;
  }
  const [root] = level;
  if (!root) throw new Error("a tree has at least one leaf");
  return root;
}

/** sha256(0x02 || the seal's fields). */
export function sealHash(fields: readonly Field[]): Buffer {
  return sha256(SEAL, encodeFields(fields));
}

function sha256(...parts: Buffer[]): Buffer {
  const hash = createHash("sha256");
  for (const part of parts) hash.update(part);
  return hash.digest();
}
