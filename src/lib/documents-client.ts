/**
 * Documents for apps: upload, list, read by link, delete.
 */
import type { SupabaseClient } from "@supabase/supabase-js";
import { type CallOptions, call } from "./call.ts";
import { type Camel, fromWire, toWire } from "./casing.ts";
import {
  type Document as DocumentOnTheWire,
  type DocumentRequest,
  documentLinkResponseSchema,
  documentResponseSchema,
  documentsResponseSchema,
  documentUploadResponseSchema,
  type TitledDocument as TitledDocumentOnTheWire,
} from "./documents.ts";
import { HoldfastError, isHoldfastError, toAppProblem } from "./errors.ts";
import { toProblem } from "./problems.ts";
import { unlessGivenUp } from "./retry.ts";

type Action<Name extends DocumentRequest["action"]> = Camel<
  Omit<Extract<DocumentRequest, { action: Name }>, "action">
>;

/** A file and what it is; its type and size are the file's own. */
export type DocumentUpload = Omit<Action<"upload">, "contentType" | "sizeBytes"> & { file: Blob };
export type DocumentDeletion = Action<"delete">;

/** A document without its title. */
export type ClientDocument = Camel<DocumentOnTheWire>;
/** A document as its readers see it. */
export type TitledDocument = Camel<TitledDocumentOnTheWire>;
/** A link to a document. Whoever has it opens it until `expiresAt`: do not keep it, do not send it on. */
export interface DocumentLink {
  document: TitledDocument;
  url: string;
  expiresAt: string;
}

const RETRY_SECONDS = 1;

/**
 * Uploads a file: announces it, gives it to Storage, and asks what became of it.
 *
 * @throws HoldfastError `validation_failed` (`contentType`, `sizeBytes`, `fileName`, ...; `clientId` `archived`;
 *   `documentId` `expired` when the upload took longer than 15 minutes), `forbidden` for a kind that is not the caller's,
 *   `not_found`, `unavailable` when the file did not arrive: again with the same idempotency key; and what every call may
 *   meet.
 */
export async function uploadDocument(
  supabase: SupabaseClient,
  { file, ...about }: DocumentUpload,
  options: CallOptions = {},
): Promise<ClientDocument> {
  const request = toWire({ action: "upload", ...about, contentType: file.type, sizeBytes: file.size });
  const { data } = await call(supabase, "documents", request, documentUploadResponseSchema, options);
  if (data.upload === null) return fromWire(data.document);

  const { bucket, path, token } = data.upload;
  // supabase-js takes no signal here: the bytes may go on, unawaited.
  const put = await unlessGivenUp(
    supabase.storage.from(bucket).uploadToSignedUrl(path, token, file, { contentType: file.type }),
    options.signal,
  );
  try {
    return await finishDocument(supabase, data.document.id, options);
  } catch (error) {
    // Storage's own words are not passed on: that it is not there is what counts.
    if (!(put.error && isNotUploaded(error))) throw error;
    const problem = toProblem("unavailable", { retry_after: RETRY_SECONDS });
    throw new HoldfastError(toAppProblem(problem), { cause: put.error });
  }
}

function isNotUploaded(error: unknown): boolean {
  return (
    isHoldfastError(error, "validation_failed") &&
    error.problem.errors.some(({ code }) => code === "not_uploaded")
  );
}

/**
 * What became of an upload that an app made by itself.
 *
 * @throws HoldfastError `validation_failed` (`documentId` `not_uploaded`, `expired`), `not_found`; and what every call may
 *   meet.
 */
export async function finishDocument(
  supabase: SupabaseClient,
  documentId: string,
  options: CallOptions = {},
): Promise<ClientDocument> {
  const request = toWire({ action: "finish", documentId });
  const { data } = await call(supabase, "documents", request, documentResponseSchema, options);
  return fromWire(data.document);
}

/**
 * The documents of a client that the caller may read, newest first. Listing is put on record.
 *
 * @throws HoldfastError `not_found`; and what every call may meet.
 */
export async function listDocuments(
  supabase: SupabaseClient,
  clientId: string,
  options: CallOptions = {},
): Promise<TitledDocument[]> {
  const request = toWire({ action: "list", clientId });
  const { data } = await call(supabase, "documents", request, documentsResponseSchema, options);
  return data.documents.map((document) => fromWire(document));
}

/**
 * A link of 60 seconds to a document. Every link is put on record as a read.
 *
 * @throws HoldfastError `not_found`, also for a deleted document, `validation_failed` (`documentId` `not_uploaded`); and
 *   what every call may meet.
 */
export async function readDocument(
  supabase: SupabaseClient,
  documentId: string,
  options: CallOptions = {},
): Promise<DocumentLink> {
  const request = toWire({ action: "read", documentId });
  const { data } = await call(supabase, "documents", request, documentLinkResponseSchema, options);
  return fromWire(data);
}

/**
 * Hides a document for good; its object stays. For who uploaded it, and admins. Twice is no error.
 *
 * @throws HoldfastError `forbidden`, `not_found`; and what every call may meet.
 */
export async function deleteDocument(
  supabase: SupabaseClient,
  request: DocumentDeletion,
  options: CallOptions = {},
): Promise<ClientDocument> {
  const body = toWire({ action: "delete", ...request });
  const { data } = await call(supabase, "documents", body, documentResponseSchema, options);
  return fromWire(data.document);
}
