/**
 * Consents on the wire: what the RPCs `sign_consent`, `terminate_consent` and `read_consents` take and answer. They are
 * called over REST, with no function between, so that the database sees the headers that the platform's edge wrote.
 */
import { z } from "zod";
import { guid, instant, text } from "./fields.ts";

const sha256 = z.string().regex(/^[0-9a-f]{64}$/);

export const signConsentRequestSchema = z.strictObject({
  client_id: guid,
  form_id: guid,
  /** The signer's name, as typed: 2 to 200 characters. */
  typed_name: text(200),
});

export const terminateConsentRequestSchema = z.strictObject({
  signature_id: guid,
  reason: text(500),
});

export const listConsentsRequestSchema = z.strictObject({ client_id: guid });

export const signedConsentSchema = z.object({
  signature_id: guid,
  client_id: guid,
  form_id: guid,
  form_code: z.string(),
  version: z.int(),
  signed_at: instant,
  /** SHA-256, in hex, of the form in UTF-8: `<form_code> <version>\n<title>\n\n<body>`. */
  body_digest: sha256,
});

export const endedConsentSchema = z.object({
  signature_id: guid,
  client_id: guid,
  form_code: z.string(),
  terminated_at: instant,
  /** It had ended before: nothing changed, and the reason given now is not kept. */
  already_terminated: z.boolean(),
});

/** A signature with all that is on record of it. */
export const consentSchema = z.object({
  signature_id: guid,
  form_id: guid,
  form_code: z.string(),
  version: z.int(),
  title: z.string(),
  typed_name: z.string(),
  signed_by: guid,
  signed_at: instant,
  /** For the family, of a signature that another of it gave: only the network, `198.51.100.0/24`. */
  ip_address: z.string(),
  /** Null to the family, of a signature that another of it gave. */
  user_agent: z.string().nullable(),
  body_digest: sha256,
  terminated_at: instant.nullable(),
  terminated_by: guid.nullable(),
  termination_reason: z.string().nullable(),
});

export const consentsSchema = z.object({ client_id: guid, consents: z.array(consentSchema) });
