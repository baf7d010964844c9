// The bucket of documents by the Storage API itself, as anybody with a token can call it: what supabase-js offers is
// refused to every role, the secret key included where it would change something, but for one upload of what was announced.

import { beforeAll, describe, expect, it } from "vitest";
import type { User } from "../support/clinic.ts";
import {
  announce,
  BUCKET,
  documents,
  kept,
  letUploadExpire,
  link,
  operatorsBucket,
  PDF,
  put,
  store,
} from "../support/documents.ts";
import { createNotesClinic, type NotesClinic } from "../support/notes.ts";
import { connect, sql, stack } from "../support/stack.ts";

const OTHER = new Blob(["%PDF-1.7 another, of another length"], { type: "application/pdf" });
const AS_PDF = { contentType: "application/pdf" };
/** As large as PDF and of its type, so that only the bytes tell them apart. */
const TWIN = new Blob(["x".repeat(PDF.size)], { type: "application/pdf" });

let clinic: NotesClinic;
let stored: { id: string; path: string };
let awaited: Awaited<ReturnType<typeof announce>>;
beforeAll(async () => {
  clinic = await createNotesClinic();
  stored = await store(clinic, clinic.theo.user, { visible_to_family: true });
  // Of Birch, so that whoever tries below has not announced it.
  awaited = await announce(clinic, clinic.otherAdmin, { client_id: clinic.birch });
});

type Bucket = ReturnType<typeof operatorsBucket>;
const bucketOf = async (user: User | null): Promise<Bucket> =>
  (user ? await user.client() : connect()).storage.from(BUCKET);

/** What reads; each with what it answers when it gives nothing. */
const READS: Record<string, (bucket: Bucket) => Promise<unknown>> = {
  "lists the bucket": async (bucket) => (await bucket.list("")).data ?? [],
  "lists a client's folder": async (bucket) => (await bucket.list(`${clinic.id}/${clinic.aspen}`)).data ?? [],
  "searches it": async (bucket) => (await bucket.list("", { search: stored.id })).data ?? [],
  "downloads an object": async (bucket) => (await bucket.download(stored.path)).data ?? [],
  "signs a link": async (bucket) => (await bucket.createSignedUrl(stored.path, 60)).data ?? [],
  "signs links": async (bucket) =>
    ((await bucket.createSignedUrls([stored.path], 60)).data ?? []).filter(({ signedUrl }) => signedUrl),
  "asks about an object": async (bucket) => (await bucket.info(stored.path)).data ?? [],
};
/** What writes. */
const WRITES: Record<string, (bucket: Bucket) => Promise<{ data: unknown; error: unknown }>> = {
  "uploads what nobody announced": (bucket) => bucket.upload(`${clinic.id}/${clinic.aspen}/x`, PDF, AS_PDF),
  "uploads outside of any clinic": (bucket) => bucket.upload("x.pdf", PDF, AS_PDF),
  "uploads over an object": (bucket) => bucket.upload(stored.path, TWIN, AS_PDF),
  "upserts over an object": (bucket) => bucket.upload(stored.path, TWIN, { ...AS_PDF, upsert: true }),
  "updates an object": (bucket) => bucket.update(stored.path, TWIN, AS_PDF),
  "moves an object": (bucket) => bucket.move(stored.path, `${stored.path}2`),
  "moves an object to where one is awaited": (bucket) => bucket.move(stored.path, awaited.path),
  "copies an object": (bucket) => bucket.copy(stored.path, `${stored.path}2`),
  "signs an upload of what nobody announced": (bucket) => bucket.createSignedUploadUrl(`${clinic.id}/x`),
  "signs an upload over an object": (bucket) => bucket.createSignedUploadUrl(stored.path),
  "signs an upsert over an object": (bucket) => bucket.createSignedUploadUrl(stored.path, { upsert: true }),
};

const sees = async () => ({
  ...(await kept(clinic)),
  bytes: await (await operatorsBucket().download(stored.path)).data?.text(),
});

const personas: [string, () => User | null][] = [
  ["anon", () => null],
  ["a therapist of the client", () => clinic.rosa.user],
  ["who uploaded it", () => clinic.theo.user],
  ["a supervisor", () => clinic.bea.user],
  ["an admin", () => clinic.admin],
  ["a scheduler", () => clinic.scheduler],
  ["the family", () => clinic.parent],
  ["another family", () => clinic.otherParent],
  ["the reviewer", () => clinic.reviewer],
  ["a referring practice", () => clinic.partner],
];

describe.each(personas)("%s", (_, user) => {
  it.each(Object.entries(READS))("gets nothing who %s", async (_name, read) => {
    expect(await read(await bucketOf(user()))).toEqual([]);
  });

  it.each(Object.entries(WRITES))("changes nothing who %s", async (_name, write) => {
    const before = await sees();
    const { data, error } = await write(await bucketOf(user()));
    expect(data).toBeNull();
    expect(error).not.toBeNull();
    expect(await sees()).toEqual(before);
  });

  it("changes nothing who uploads, or signs an upload, where somebody else's is awaited", async () => {
    const before = await sees();
    const bucket = await bucketOf(user());
    for (const { error } of [
      await bucket.upload(awaited.path, PDF, AS_PDF),
      await bucket.upload(awaited.path, PDF, { ...AS_PDF, upsert: true }),
      await bucket.createSignedUploadUrl(awaited.path),
      await bucket.createSignedUploadUrl(awaited.path, { upsert: true }),
    ]) {
      expect(error).not.toBeNull();
    }
    expect(await sees()).toEqual(before);
  });

  it("removes nothing, and does not open or remove the bucket", async () => {
    const before = await sees();
    const client = user() ? await (user() as User).client() : connect();
    expect((await client.storage.from(BUCKET).remove([stored.path])).data ?? []).toEqual([]);
    expect((await client.storage.listBuckets()).data ?? []).toEqual([]);
    expect((await client.storage.updateBucket(BUCKET, { public: true })).error).not.toBeNull();
    expect((await client.storage.deleteBucket(BUCKET)).error).not.toBeNull();
    expect(await sees()).toEqual(before);
    const open = await fetch(`${stack.url}/storage/v1/object/public/${BUCKET}/${stored.path}`);
    expect(open.ok).toBe(false);
  });
});

describe("the secret key", () => {
  it.each(Object.entries(WRITES).filter(([name]) => name !== "copies an object"))(
    "changes nothing who %s with it",
    async (_name, write) => {
      const before = await sees();
      expect((await write(operatorsBucket())).error).not.toBeNull();
      expect(await sees()).toEqual(before);
    },
  );

  it("removes no object, and does not open the bucket", async () => {
    const before = await sees();
    const { storage } = connect(stack.secretKey);
    expect((await storage.from(BUCKET).remove([stored.path])).data ?? []).toEqual([]);
    expect((await storage.updateBucket(BUCKET, { public: true })).error).not.toBeNull();
    expect((await storage.getBucket(BUCKET)).data).toMatchObject({
      public: false,
      file_size_limit: 26_214_400,
    });
    expect(await sees()).toEqual(before);
  });
});

describe("an upload", () => {
  it("is made once: by the same link again it is refused, whatever is uploaded", async () => {
    const announced = await announce(clinic, clinic.rosa.user);
    expect((await put(announced)).error).toBeNull();
    for (const again of [PDF, TWIN]) expect((await put(announced, again)).error).not.toBeNull();
    const { url } = await link(clinic.rosa.user, announced.document.id);
    expect(await (await fetch(url)).text()).toBe(await PDF.text());
  });

  it("is made once of two at the same moment", async () => {
    const announced = await announce(clinic, clinic.rosa.user);
    const outcomes = await Promise.all(Array.from({ length: 4 }, () => put(announced)));
    expect(outcomes.filter(({ error }) => error === null)).toHaveLength(1);
    const events = await sql`
      select from audit.events where row_id = ${announced.document.id} and action = 'document.stored'`;
    expect(events).toHaveLength(1);
  });

  it("goes where its link says and nowhere else", async () => {
    const [one, other] = [await announce(clinic, clinic.rosa.user), await announce(clinic, clinic.rosa.user)];
    expect((await put({ path: other.path, token: one.token })).error).not.toBeNull();
    expect((await put({ path: other.path, token: other.token })).error).toBeNull();
    expect((await put(one)).error).toBeNull();
  });

  it("is what was announced, or nothing is kept of it and the right one still may come", async () => {
    const announced = await announce(clinic, clinic.rosa.user);
    const before = await kept(clinic);
    for (const wrong of [
      OTHER,
      new Blob([]),
      new Blob([await PDF.text()], { type: "image/png" }),
      new Blob([await PDF.text()], { type: "text/html" }),
    ]) {
      expect((await put(announced, wrong)).error, `${wrong.type} ${wrong.size}`).not.toBeNull();
    }
    expect(await kept(clinic)).toEqual(before);
    expect((await put(announced)).error).toBeNull();
    const { url } = await link(clinic.rosa.user, announced.document.id);
    expect(await (await fetch(url)).text()).toBe(await PDF.text());
  });

  it("is 25 MiB and not a byte more", async () => {
    const limit = 26_214_400;
    const announced = await announce(clinic, clinic.rosa.user, { size_bytes: limit });
    const bytes = new Uint8Array(limit + 1);
    expect((await put(announced, new Blob([bytes], { type: PDF.type }))).error).not.toBeNull();
    expect((await put(announced, new Blob([bytes.subarray(1)], { type: PDF.type }))).error).toBeNull();
  });

  it("is refused after its 15 minutes, although Storage's link lives two hours", async () => {
    const announced = await announce(clinic, clinic.rosa.user);
    const { exp, iat } = JSON.parse(Buffer.from(announced.token.split(".")[1] ?? "", "base64url").toString());
    expect(exp - iat).toBe(7_200);
    const { upload_expires_at, id } = announced.document;
    const [row] = await sql`select created_at from public.documents where id = ${id}`;
    expect(Math.round((Date.parse(upload_expires_at) - row?.created_at.getTime()) / 1_000)).toBe(900);
    await letUploadExpire(id);
    const before = await kept(clinic);
    expect((await put(announced)).error).not.toBeNull();
    expect(await kept(clinic)).toEqual(before);
  });

  it("is refused once the document is deleted", async () => {
    const announced = await announce(clinic, clinic.rosa.user);
    const remove = { action: "delete", document_id: announced.document.id, reason: "Wrong file" };
    expect((await documents(clinic.rosa.user, remove)).status).toBe(200);
    expect((await put(announced)).error).not.toBeNull();
  });

  it("may be made by the one who announced it without a link, once too", async () => {
    const announced = await announce(clinic, clinic.rosa.user);
    const bucket = await bucketOf(clinic.rosa.user);
    expect((await bucket.upload(announced.path, OTHER, AS_PDF)).error).not.toBeNull();
    expect((await bucket.upload(announced.path, PDF, AS_PDF)).error).toBeNull();
    expect((await bucket.upload(announced.path, PDF, { ...AS_PDF, upsert: true })).error).not.toBeNull();
    expect((await put(announced)).error).not.toBeNull();
    expect((await bucket.download(announced.path)).data).toBeNull();
  });
});
