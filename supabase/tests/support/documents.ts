import type { Document, TitledDocument } from "../../../src/lib/documents.ts";
import { call, expectData } from "./calls.ts";
import type { Clinic, User } from "./clinic.ts";
import { connect, sql, stack } from "./stack.ts";

export const BUCKET = "client-documents";
/** A PDF as far as anybody here looks. */
export const PDF = new Blob(["%PDF-1.7 Marked: an assessment"], { type: "application/pdf" });

export interface Upload {
  document: Document;
  upload: { bucket: string; path: string; token: string } | null;
}
export interface Link {
  document: TitledDocument;
  url: string;
  expires_at: string;
}

export function documents(
  user: User | null,
  body: object,
  headers: Record<string, string> = {},
): Promise<Response> {
  return call("documents", user, body, headers);
}

/** The announcement of a PDF of Aspen. */
export function announcement(clinic: Clinic, changes: object = {}): Record<string, unknown> {
  return {
    action: "upload",
    client_id: clinic.aspen,
    kind: "assessment",
    title: "Marked: an assessment",
    file_name: "marked aspen.pdf",
    content_type: PDF.type,
    size_bytes: PDF.size,
    ...changes,
  };
}

/** An upload that was announced and not made yet. */
export async function announce(clinic: Clinic, user: User, changes: object = {}) {
  const { document, upload } = await expectData<Upload>(
    await documents(user, announcement(clinic, changes)),
    200,
  );
  if (!upload) throw new Error("there is nothing to upload");
  return { document, ...upload };
}

/** Gives Storage the object, as an app does: nobody is signed in, the token says it all. */
export function put({ path, token }: { path: string; token: string }, file: Blob = PDF) {
  return connect().storage.from(BUCKET).uploadToSignedUrl(path, token, file, { contentType: file.type });
}

/** A document that is stored; where. */
export async function store(clinic: Clinic, user: User, changes: object = {}) {
  const announced = await announce(clinic, user, changes);
  const { error } = await put(announced);
  if (error) throw error;
  return { id: announced.document.id, path: announced.path };
}

export async function link(user: User, document_id: string): Promise<Link> {
  return expectData<Link>(await documents(user, { action: "read", document_id }), 200);
}

export async function list(user: User, client_id: string): Promise<TitledDocument[]> {
  const response = await documents(user, { action: "list", client_id });
  return (await expectData<{ documents: TitledDocument[] }>(response, 200)).documents;
}

/** What the clinic has: rows, and objects of the bucket. */
export async function kept(clinic: Clinic) {
  const rows = await sql`
    select id, status, deleted_at is not null as deleted from public.documents where organization_id = ${clinic.id} order by id`;
  const objects = await sql`
    select name, version, metadata from storage.objects
    where bucket_id = ${BUCKET} and name like ${`${clinic.id}/%`} order by name`;
  return { rows: [...rows], objects: [...objects] };
}

/** The bucket with the secret key, as an operator's script has it. */
export const operatorsBucket = () => connect(stack.secretKey).storage.from(BUCKET);

/** Lets the time for an upload run out, by the clock of the row: past the trigger that keeps rows as they are. */
export async function letUploadExpire(id: string): Promise<void> {
  await sql.begin(async (transaction) => {
    await transaction`alter table public.documents disable trigger keep_document`;
    await transaction`
      update public.documents set upload_expires_at = clock_timestamp() - interval '1 second' where id = ${id}`;
    await transaction`alter table public.documents enable trigger keep_document`;
  });
}
