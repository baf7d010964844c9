/**
 * Documents on the wire: files of a client in a private bucket. An upload is announced first, then Storage takes it, once;
 * a reader gets a link of 60 seconds.
 */
import { z } from "zod";
import { guid, instant, refusal, text } from "./fields.ts";

/** Largest document, in bytes: 25 MiB. */
export const MAX_DOCUMENT_BYTES = 26_214_400;
/** The bucket of all documents. */
export const DOCUMENT_BUCKET = "client-documents";
/** Seconds that a link to a document opens. */
export const DOCUMENT_LINK_SECONDS = 60;

/** What clinics scan, photograph and write: nothing that a browser would run, nothing that holds other files. */
export const documentTypeSchema = z.enum([
  "application/pdf",
  "image/png",
  "image/jpeg",
  "image/webp",
  "image/heic",
  "application/vnd.openxmlformats-officedocument.wordprocessingml.document",
]);
/** Schedulers deal with authorizations, consents and insurance, and with no other kind. */
export const documentKindSchema = z.enum([
  "assessment",
  "authorization",
  "consent",
  "insurance",
  "plan",
  "report",
  "other",
]);

// The marks that make text read otherwise than it is stored (UAX #9).
const TURNS_ROUND = /[\n\r\t\u202a-\u202e\u2066-\u2069]/;
const line = (max: number) =>
  text(max).refine(
    (value) => !TURNS_ROUND.test(value),
    refusal("invalid_format", "Must be text without control characters."),
  );
const fileName = line(255).refine(
  (value) => !/[/\\]|^\.{1,2}$/.test(value.trim()),
  refusal("invalid_format", "Must be a name, without a path."),
);

/** `POST documents`: one of five actions. */
export const documentRequestSchema = z.discriminatedUnion("action", [
  z.strictObject({
    action: z.literal("upload"),
    client_id: guid,
    kind: documentKindSchema,
    title: line(200),
    file_name: fileName,
    content_type: documentTypeSchema,
    size_bytes: z.int().min(1).max(MAX_DOCUMENT_BYTES),
    /** What a family uploads it always sees. */
    visible_to_family: z.boolean().optional(),
  }),
  z.strictObject({ action: z.literal("finish"), document_id: guid }),
  z.strictObject({ action: z.literal("list"), client_id: guid }),
  z.strictObject({ action: z.literal("read"), document_id: guid }),
  z.strictObject({ action: z.literal("delete"), document_id: guid, reason: line(500) }),
]);

/** A document without its title. It is awaited until `upload_expires_at`, then it has expired. */
export const documentSchema = z.object({
  id: guid,
  client_id: guid,
  kind: documentKindSchema,
  content_type: documentTypeSchema,
  size_bytes: z.int(),
  visible_to_family: z.boolean(),
  status: z.enum(["awaiting_upload", "stored", "expired"]),
  upload_expires_at: instant,
  stored_at: instant.nullable(),
  uploaded_by: guid.nullable(),
  deleted_at: instant.nullable(),
});
export const titledDocumentSchema = documentSchema.extend({ title: z.string(), file_name: z.string() });

/** The answer to `finish` and `delete`. */
export const documentResponseSchema = z.object({ data: z.object({ document: documentSchema }) });
/** The answer to `upload`: where to put the object. `upload` is null when a repeated call finds it stored already. */
export const documentUploadResponseSchema = z.object({
  data: z.object({
    document: documentSchema,
    upload: z.object({ bucket: z.string(), path: z.string(), token: z.string() }).nullable(),
  }),
});
/** The answer to `list`: what is stored and the caller may read, newest first. */
export const documentsResponseSchema = z.object({
  data: z.object({ client_id: guid, documents: z.array(titledDocumentSchema) }),
});
/** The answer to `read`: a link that opens until `expires_at`, for whoever has it. */
export const documentLinkResponseSchema = z.object({
  data: z.object({ document: titledDocumentSchema, url: z.string(), expires_at: instant }),
});

export type DocumentRequest = z.input<typeof documentRequestSchema>;
export type Document = z.output<typeof documentSchema>;
export type TitledDocument = z.output<typeof titledDocumentSchema>;
