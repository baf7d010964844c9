import fc from "fast-check";
import { CompactEncrypt } from "jose";
import { describe, expect, it } from "vitest";
import {
  decryptNote,
  digestNote,
  encryptNote,
  makeClientKey,
  type NoteBinding,
  NoteKeysError,
  readMasterKeys,
  UnreadableError,
  unwrapKey,
  wrapKey,
} from "./note-crypto.ts";

const bytes = (fill: number) => Buffer.alloc(32, fill).toString("base64url");
const secretOf = (current: string, ...ids: string[]) =>
  JSON.stringify({ current, keys: Object.fromEntries(ids.map((id) => [id, bytes(id.charCodeAt(1))])) });
const masters = readMasterKeys(secretOf("k2", "k1", "k2"));

const text = fc.string({ unit: "grapheme", maxLength: 300 });
const bindings: fc.Arbitrary<NoteBinding> = fc.record({
  organization: fc.uuid(),
  client: fc.uuid(),
  session: fc.uuid(),
  note: fc.uuid(),
  author: fc.uuid(),
  version: fc.integer({ min: 1, max: 999 }),
  kind: fc.constantFrom("session", "addendum", "summary"),
});

const unreadable = (reason: string) => new UnreadableError(reason as UnreadableError["reason"]);

describe("a note", () => {
  it("opens to the text that was closed in it, whatever the text", () =>
    fc.assert(
      fc.asyncProperty(text, bindings, async (note, bound) => {
        const key = makeClientKey();
        expect(await decryptNote(await encryptNote(note, bound, key), bound, key)).toBe(note);
      }),
    ));

  it.each(["\ufeffbegins with a byte order mark", "מלמטה למעלה \u202e abc", "👩‍👩‍👧", "\r\n\t"])(
    "keeps %j as it is",
    async (note) => {
      const [bound] = fc.sample(bindings, 1) as [NoteBinding];
      const key = makeClientKey();
      expect(await decryptNote(await encryptNote(note, bound, key), bound, key)).toBe(note);
    },
  );

  it("does not open in another place: each bound field counts by itself", () =>
    fc.assert(
      fc.asyncProperty(text, bindings, bindings, async (note, bound, elsewhere) => {
        const key = makeClientKey();
        const ciphertext = await encryptNote(note, bound, key);
        for (const field of Object.keys(bound) as (keyof NoteBinding)[]) {
          if (bound[field] === elsewhere[field]) continue;
          const moved = { ...bound, [field]: elsewhere[field] };
          await expect(decryptNote(ciphertext, moved, key)).rejects.toEqual(unreadable("bound_elsewhere"));
        }
      }),
      { numRuns: 30 },
    ));

  it("does not open when any character of it was altered", () =>
    fc.assert(
      fc.asyncProperty(text, bindings, fc.nat(), async (note, bound, position) => {
        const key = makeClientKey();
        const ciphertext = await encryptNote(note, bound, key);
        const at = position % ciphertext.length;
        const other = ciphertext[at] === "A" ? "Q" : "A";
        const altered = ciphertext.slice(0, at) + other + ciphertext.slice(at + 1);
        await expect(decryptNote(altered, bound, key)).rejects.toEqual(unreadable("text_tampered"));
      }),
    ));

  it("does not open under another client's key, nor under another that calls itself the same", async () => {
    const [bound] = fc.sample(bindings, 1) as [NoteBinding];
    const key = makeClientKey();
    const ciphertext = await encryptNote("text", bound, key);
    const impostor = { ...makeClientKey(), id: key.id };
    await expect(decryptNote(ciphertext, bound, impostor)).rejects.toEqual(unreadable("text_tampered"));
    await expect(decryptNote(ciphertext, bound, { ...key, id: "other" })).rejects.toEqual(
      unreadable("bound_elsewhere"),
    );
  });

  it("does not open when it was encrypted in another way, under the right key too", async () => {
    const [bound] = fc.sample(bindings, 1) as [NoteBinding];
    const key = makeClientKey();
    const wrapped = await new CompactEncrypt(new TextEncoder().encode("text"))
      .setProtectedHeader({ alg: "A256GCMKW", enc: "A256GCM" })
      .encrypt(key.bytes);
    await expect(decryptNote(wrapped, bound, key)).rejects.toEqual(unreadable("text_tampered"));
  });

  it("is another ciphertext each time, and says nothing of its text", async () => {
    const [bound] = fc.sample(bindings, 1) as [NoteBinding];
    const key = makeClientKey();
    const [one, two] = [
      await encryptNote("the marked text", bound, key),
      await encryptNote("the marked text", bound, key),
    ];
    expect(one).not.toBe(two);
    expect(Buffer.from(one, "base64").toString()).not.toContain("marked");
  });
});

describe("the digest of a text", () => {
  it("is the same under the same key, and another for another text or key", () =>
    fc.assert(
      fc.asyncProperty(text, text, async (one, other) => {
        const key = makeClientKey();
        const digest = await digestNote(one, key);
        expect(digest).toMatch(/^[0-9a-f]{64}$/);
        expect(await digestNote(one, key)).toBe(digest);
        expect(await digestNote(one, makeClientKey())).not.toBe(digest);
        if (one !== other) expect(await digestNote(other, key)).not.toBe(digest);
      }),
    ));
});

describe("a client's key", () => {
  const whose = { organization: "o", client: "c" };

  it("opens under any live master key, whichever is current", async () => {
    const key = makeClientKey();
    const wrapped = await wrapKey(key, whose, readMasterKeys(secretOf("k1", "k1")));
    expect(await unwrapKey({ keyId: key.id, wrapped, ...whose }, masters)).toEqual(key);
  });

  it("says which is missing when its master key is gone, and does not open under another of its name", async () => {
    const key = makeClientKey();
    const wrapped = await wrapKey(key, whose, masters);
    const stored = { keyId: key.id, wrapped, ...whose };
    await expect(unwrapKey(stored, readMasterKeys(secretOf("k1", "k1")))).rejects.toEqual(
      unreadable("master_key_missing"),
    );
    const impostor = readMasterKeys(JSON.stringify({ current: "k2", keys: { k2: bytes(9) } }));
    await expect(unwrapKey(stored, impostor)).rejects.toEqual(unreadable("key_wrong"));
  });

  it.each([{ keyId: "other" }, { organization: "other" }, { client: "other" }])(
    "does not open as that of somebody else: %j",
    async (change) => {
      const key = makeClientKey();
      const wrapped = await wrapKey(key, whose, masters);
      await expect(unwrapKey({ keyId: key.id, wrapped, ...whose, ...change }, masters)).rejects.toEqual(
        unreadable("key_wrong"),
      );
    },
  );
});

describe("the master keys", () => {
  it.each([
    undefined,
    "",
    "nonsense",
    "null",
    "{}",
    JSON.stringify({ current: "k1", keys: {} }),
    JSON.stringify({ current: "k2", keys: { k1: bytes(1) } }),
    JSON.stringify({ current: "k1", keys: { k1: "c2hvcnQ" } }),
    JSON.stringify({ current: "k 1", keys: { "k 1": bytes(1) } }),
    JSON.stringify({ keys: { k1: bytes(1) } }),
  ])("are not %j, and what is refused is not quoted", (secret) => {
    expect(() => readMasterKeys(secret)).toThrow(NoteKeysError);
    try {
      readMasterKeys(secret);
    } catch (error) {
      expect(String(error)).not.toContain(bytes(1));
    }
  });
});
