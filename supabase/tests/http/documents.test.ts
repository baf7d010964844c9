// Documents through the real function and the real Storage API: who uploads, lists, reads and deletes which; what a link
// is good for; and what is refused.

import { randomUUID } from "node:crypto";
import { beforeAll, describe, expect, it } from "vitest";
import {
  deleteDocument,
  HoldfastError,
  listDocuments,
  readDocument,
  uploadDocument,
} from "../../../src/lib/index.ts";
import { call, expectData, expectProblem } from "../support/calls.ts";
import { createClinic, type User } from "../support/clinic.ts";
import {
  announce,
  announcement,
  documents,
  kept,
  letUploadExpire,
  link,
  list,
  operatorsBucket,
  PDF,
  put,
  store,
  type Upload,
} from "../support/documents.ts";
import { createNotesClinic, type NotesClinic } from "../support/notes.ts";
import { sql } from "../support/stack.ts";

let clinic: NotesClinic;
beforeAll(async () => {
  clinic = await createNotesClinic();
});

const refusedFields = async (response: Response) =>
  (await expectProblem(response, "validation_failed")).errors.map(({ field, code }) => `${field} ${code}`);

describe("a document", () => {
  it("is announced, uploaded and read by a link, and is the same bytes again", async () => {
    const announced = await announce(clinic, clinic.rosa.user);
    expect(announced.document).toMatchObject({ status: "awaiting_upload", kind: "assessment" });
    expect(announced.path).toBe(`${clinic.id}/${clinic.aspen}/${announced.document.id}`);
    expect((await put(announced)).error).toBeNull();
    const finish = { action: "finish", document_id: announced.document.id };
    const finished = await expectData<Upload>(await documents(clinic.rosa.user, finish), 200);
    expect(finished.document).toMatchObject({ status: "stored", size_bytes: PDF.size });
    // Twice is no error.
    expect(await expectData(await documents(clinic.rosa.user, finish), 200)).toEqual(finished);

    const { url, document } = await link(clinic.bea.user, announced.document.id);
    expect(document).toMatchObject({ title: "Marked: an assessment", file_name: "marked aspen.pdf" });
    const answer = await fetch(url);
    expect(answer.status).toBe(200);
    expect(answer.headers.get("content-type")).toBe("application/pdf");
    expect(await answer.text()).toBe(await PDF.text());
    // No URL holds PHI.
    expect(url).not.toMatch(/marked|aspen\.pdf|Marked/);
  });

  it("speaks camelCase to apps", async () => {
    const app = await clinic.rosa.user.client();
    const upload = { clientId: clinic.birch, kind: "report" as const, title: "A report", fileName: "r.pdf" };
    const options = { idempotencyKey: randomUUID() };
    const stored = await uploadDocument(app, { ...upload, file: PDF }, options);
    expect(stored).toMatchObject({ status: "stored", visibleToFamily: false, sizeBytes: PDF.size });
    // A retry whose first answer was lost finds it stored.
    expect(await uploadDocument(app, { ...upload, file: PDF }, options)).toMatchObject({
      id: stored.id,
      status: "stored",
    });
    expect(await listDocuments(app, clinic.birch)).toMatchObject([{ id: stored.id, title: "A report" }]);
    const { url } = await readDocument(app, stored.id);
    expect((await fetch(url)).status).toBe(200);
    const deleted = await deleteDocument(app, { documentId: stored.id, reason: "Wrong client" });
    expect(deleted.deletedAt).not.toBeNull();
    expect(await listDocuments(app, clinic.birch)).toEqual([]);
    const late = await readDocument(app, stored.id).catch((error: unknown) => error);
    expect(late).toBeInstanceOf(HoldfastError);
    expect((late as HoldfastError).code).toBe("not_found");
  });

  it("leaves nothing of its name on record, and its reads and lists do", async () => {
    const own = await createNotesClinic();
    const { id } = await store(own, own.rosa.user);
    await list(own.rosa.user, own.aspen);
    await link(own.rosa.user, id);
    await expectProblem(await documents(own.otherParent, { action: "read", document_id: id }), "not_found");
    await expectData(
      await documents(own.rosa.user, { action: "delete", document_id: id, reason: "Marked" }),
      200,
    );
    const events = await sql`
      select action, decision, actor_id, row_id, details from audit.events
      where organization_id = ${own.id} and (action ~ 'document' or table_name = 'documents') order by id`;
    const keys = await sql`select * from public.idempotency_keys where organization_id = ${own.id}`;
    expect(JSON.stringify([events, keys])).not.toMatch(/[Mm]arked/);
    expect(events.filter(({ action }) => action !== "row.updated")).toMatchObject([
      { action: "row.inserted", row_id: id },
      { action: "document.requested", actor_id: own.rosa.user.id, row_id: id },
      { action: "document.stored", row_id: id },
      { action: "document_list.read", actor_id: own.rosa.user.id, row_id: own.aspen },
      { action: "document.read", actor_id: own.rosa.user.id, row_id: id, decision: "allow" },
      { action: "rpc.read_document", actor_id: own.otherParent.id, decision: "deny" },
      { action: "document.deleted", actor_id: own.rosa.user.id, row_id: id },
    ]);
  });
});

describe("a link", () => {
  it("says that it lives 60 seconds, and when they are over", async () => {
    const { id } = await store(clinic, clinic.rosa.user);
    const { url, expires_at } = await link(clinic.rosa.user, id);
    const token = new URL(url).searchParams.get("token") ?? "";
    const { iat, exp } = JSON.parse(Buffer.from(token.split(".")[1] ?? "", "base64url").toString());
    expect(exp - iat).toBe(60);
    expect(Date.parse(expires_at)).toBe(exp * 1_000);
    expect((await fetch(url)).status).toBe(200);
  });

  it("opens nothing when its time is over, nor with a time that its reader wrote", async () => {
    const { path } = await store(clinic, clinic.rosa.user);
    const { data } = await operatorsBucket().createSignedUrl(path, 1);
    const url = new URL(data?.signedUrl ?? "");
    const [header, body = "", signature] = (url.searchParams.get("token") ?? "").split(".");
    const claims = JSON.parse(Buffer.from(body, "base64url").toString());
    // Not a guess: to the moment that the link names.
    await new Promise((resolve) => setTimeout(resolve, claims.exp * 1_000 - Date.now() + 1));
    expect((await fetch(url)).status).toBe(400);
    const longer = Buffer.from(JSON.stringify({ ...claims, exp: claims.exp + 3_600 })).toString("base64url");
    url.searchParams.set("token", `${header}.${longer}.${signature}`);
    expect((await fetch(url)).status).toBe(400);
  });

  it("opens the one document and no other", async () => {
    const [one, other] = [await store(clinic, clinic.rosa.user), await store(clinic, clinic.rosa.user)];
    const { url } = await link(clinic.rosa.user, one.id);
    expect((await fetch(url.replace(one.path, other.path))).ok).toBe(false);
  });

  it("is not given anew once the document is deleted; the object stays", async () => {
    const { id, path } = await store(clinic, clinic.parent);
    const remove = { action: "delete", document_id: id, reason: "Not ours" };
    await expectProblem(await documents(clinic.theo.user, remove), "forbidden");
    const first = await expectData<Upload>(await documents(clinic.parent, remove), 200);
    const again = await documents(clinic.admin, { ...remove, reason: "Another" });
    expect(await expectData<Upload>(again, 200)).toEqual(first);
    for (const user of [clinic.parent, clinic.admin, clinic.rosa.user]) {
      await expectProblem(await documents(user, { action: "read", document_id: id }), "not_found");
      await expectProblem(await documents(user, { action: "finish", document_id: id }), "not_found");
    }
    expect((await operatorsBucket().download(path)).data?.size).toBe(PDF.size);
  });
});

describe("who", () => {
  type Who = keyof NotesClinic | "rosa" | "theo" | "bea" | "birchs";
  const userOf = (name: Who): User => {
    const found = clinic[name as keyof NotesClinic];
    return (typeof found === "object" && "user" in found ? found.user : found) as User;
  };
  const everybody: Who[] = [
    "rosa",
    "theo",
    "bea",
    "admin",
    "otherAdmin",
    "scheduler",
    "parent",
    "otherParent",
    "reviewer",
    "partner",
  ];

  it.each<[string, Who[], object]>([
    ["an assessment", ["rosa", "theo", "bea", "admin", "otherAdmin", "reviewer"], {}],
    [
      "a plan for the family",
      ["rosa", "theo", "bea", "admin", "otherAdmin", "reviewer", "parent"],
      { kind: "plan", visible_to_family: true },
    ],
    [
      "an insurance card",
      ["rosa", "theo", "bea", "admin", "otherAdmin", "reviewer", "scheduler"],
      { kind: "insurance" },
    ],
  ])("reads and lists %s of Aspen: %j", async (_, readers, changes) => {
    const { id } = await store(clinic, clinic.admin, changes);
    for (const name of everybody) {
      const user = userOf(name);
      const response = await documents(user, { action: "read", document_id: id });
      if (readers.includes(name)) {
        const { url } = await expectData<{ url: string }>(response, 200);
        expect((await fetch(url)).status, name).toBe(200);
      } else await expectProblem(response, "not_found");
      const listed = await documents(user, { action: "list", client_id: clinic.aspen });
      const ids = listed.ok
        ? (await expectData<{ documents: { id: string }[] }>(listed, 200)).documents.map((it) => it.id)
        : [];
      expect(ids.includes(id), name).toBe(readers.includes(name));
      if (["otherParent", "partner"].includes(name)) expect(listed.status).toBe(404);
    }
  });

  it.each<[string, Who[], Who[]]>([
    ["assessment", ["rosa", "theo", "bea", "admin", "otherAdmin", "parent"], ["scheduler", "reviewer"]],
    ["authorization", ["rosa", "theo", "bea", "admin", "otherAdmin", "parent", "scheduler"], ["reviewer"]],
  ])("uploads a document of the kind %s of Aspen: %j", async (kind, may, forbidden) => {
    for (const name of everybody) {
      const response = await documents(userOf(name), announcement(clinic, { kind }));
      if (may.includes(name)) {
        const { document, upload } = await expectData<Upload>(response, 200);
        expect(document.visible_to_family, name).toBe(name === "parent");
        expect((await put(upload ?? { path: "", token: "" })).error, name).toBeNull();
      } else await expectProblem(response, forbidden.includes(name) ? "forbidden" : "not_found");
    }
  });

  it("is of another clinic finds nothing", async () => {
    const other = await createClinic();
    const { id } = await store(clinic, clinic.rosa.user);
    for (const user of [other.admin, other.rosa.user]) {
      await expectProblem(await documents(user, announcement(clinic)), "not_found");
      await expectProblem(await documents(user, { action: "read", document_id: id }), "not_found");
      await expectProblem(
        await documents(user, { action: "delete", document_id: id, reason: "x" }),
        "not_found",
      );
      await expectProblem(await documents(user, { action: "list", client_id: clinic.aspen }), "not_found");
    }
    await expectProblem(await documents(null, { action: "read", document_id: id }), "unauthenticated");
  });

  it("loses the role loses uploads at once, links that were given before included", async () => {
    const own = await createNotesClinic();
    const announced = await announce(own, own.rosa.user);
    const { id } = await store(own, own.rosa.user);
    const storage = (await own.rosa.user.client()).storage.from(announced.bucket);
    await sql`update public.user_roles set revoked_at = now() where user_id = ${own.rosa.user.id}`;
    expect((await put(announced)).error).not.toBeNull();
    expect((await storage.upload(announced.path, PDF, { contentType: PDF.type })).error).not.toBeNull();
    expect((await storage.createSignedUploadUrl(announced.path)).error).not.toBeNull();
    await expectProblem(await documents(own.rosa.user, { action: "read", document_id: id }), "not_found");
    expect((await kept(own)).objects).toHaveLength(1);
  });
});

describe("what cannot be", () => {
  it.each<[string, object, string]>([
    ["a type that is not kept", { content_type: "text/html" }, "content_type invalid_value"],
    ["an image that a browser runs", { content_type: "image/svg+xml" }, "content_type invalid_value"],
    ["an empty file", { size_bytes: 0 }, "size_bytes too_small"],
    ["a file that is too large", { size_bytes: 26_214_401 }, "size_bytes too_big"],
    ["half a byte", { size_bytes: 1.5 }, "size_bytes invalid_type"],
    ["a way up", { file_name: "../../etc/passwd" }, "file_name invalid_format"],
    ["a way on Windows", { file_name: "c:\\x.pdf" }, "file_name invalid_format"],
    ["two dots", { file_name: ".." }, "file_name invalid_format"],
    ["NUL", { file_name: "a\u0000.pdf" }, "file_name invalid_format"],
    ["half a pair", { file_name: "a\ud800.pdf" }, "file_name invalid_format"],
    ["a name that reads backwards", { file_name: "a\u202efdp.exe" }, "file_name invalid_format"],
    ["two lines", { title: "a\nb" }, "title invalid_format"],
    ["a blank title", { title: "  " }, "title too_small"],
    ["a title that is too long", { title: "x".repeat(201) }, "title too_big"],
    ["another kind", { kind: "secret" }, "kind invalid_value"],
    ["a word for a truth", { visible_to_family: "yes" }, "visible_to_family invalid_type"],
  ])("is refused by its field: %s", async (_, changes, expected) => {
    const before = await kept(clinic);
    expect(await refusedFields(await documents(clinic.rosa.user, announcement(clinic, changes)))).toEqual([
      expected,
    ]);
    // Round the function's schema as well.
    const { action: _action, ...request } = announcement(clinic, changes);
    const { data, error } = await (await clinic.rosa.user.client()).rpc(
      "request_document" as never,
      { request } as never,
    );
    const answer = data as { problem?: { code: string; errors?: { field: string }[] } } | null;
    const [field] = expected.split(" ");
    // NUL and half a pair are no JSON to Postgres: it refuses the call before anything of ours sees it.
    if (error) expect(expected).toBe("file_name invalid_format");
    else expect(answer?.problem).toMatchObject({ code: "validation_failed", errors: [{ field }] });
    expect(await kept(clinic)).toEqual(before);
  });

  it("is a document of an archived client, nor an upload that was announced before", async () => {
    const own = await createNotesClinic();
    const announced = await announce(own, own.admin, { client_id: own.unassigned });
    const { error } = await (await own.admin.client()).rpc("archive_client", { client: own.unassigned });
    expect(error).toBeNull();
    expect(
      await refusedFields(await documents(own.admin, announcement(own, { client_id: own.unassigned }))),
    ).toEqual(["client_id archived"]);
    expect((await put(announced)).error).not.toBeNull();
    expect((await kept(own)).objects).toEqual([]);
  });

  it("is to finish without an upload, or after its time", async () => {
    const announced = await announce(clinic, clinic.rosa.user);
    const finish = { action: "finish", document_id: announced.document.id };
    expect(await refusedFields(await documents(clinic.rosa.user, finish))).toEqual([
      "document_id not_uploaded",
    ]);
    await expectProblem(await documents(clinic.theo.user, finish), "not_found");
    await letUploadExpire(announced.document.id);
    expect(await refusedFields(await documents(clinic.rosa.user, finish))).toEqual(["document_id expired"]);
    expect((await put(announced)).error).not.toBeNull();
    expect(await refusedFields(await documents(clinic.rosa.user, finish))).toEqual(["document_id expired"]);
  });

  it("is to repeat an announcement after its time: the answer is why", async () => {
    const headers = { "idempotency-key": randomUUID() };
    const first = await expectData<Upload>(
      await documents(clinic.rosa.user, announcement(clinic), headers),
      200,
    );
    const again = await documents(clinic.rosa.user, announcement(clinic), headers);
    expect(again.headers.get("idempotency-replayed")).toBe("true");
    expect((await expectData<Upload>(again, 200)).upload?.path).toBe(first.upload?.path);
    await letUploadExpire(first.document.id);
    expect(await refusedFields(await documents(clinic.rosa.user, announcement(clinic), headers))).toEqual([
      "document_id expired",
    ]);
  });

  it("is an unknown action, or a path of the caller's own", async () => {
    expect(await refusedFields(await call("documents", clinic.rosa.user, { action: "sign" }))).toEqual([
      "action invalid_value",
    ]);
    const response = await documents(clinic.rosa.user, announcement(clinic, { path: `${clinic.id}/x` }));
    expect(await refusedFields(response)).toEqual(["path unknown_field"]);
  });
});
