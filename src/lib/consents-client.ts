/**
 * Consents for apps: sign a form, end a signature, list what is signed.
 */
import type { SupabaseClient } from "@supabase/supabase-js";
import type { z } from "zod";
import type { CallOptions } from "./call.ts";
import { callRpc } from "./call-rpc.ts";
import { type Camel, fromWire, toWire } from "./casing.ts";
import {
  type consentSchema,
  consentsSchema,
  endedConsentSchema,
  type listConsentsRequestSchema,
  type signConsentRequestSchema,
  signedConsentSchema,
  type terminateConsentRequestSchema,
} from "./consents.ts";

/** Which form is signed for which client, and the signer's name as typed. */
export type SignConsentRequest = Camel<z.input<typeof signConsentRequestSchema>>;
/** Which signature ends, and why. */
export type TerminateConsentRequest = Camel<z.input<typeof terminateConsentRequestSchema>>;
/** Whose signatures. */
export type ListConsentsRequest = Camel<z.input<typeof listConsentsRequestSchema>>;

/** A new signature. */
export type SignedConsent = Camel<z.output<typeof signedConsentSchema>>;
/** A signature that has ended. */
export type EndedConsent = Camel<z.output<typeof endedConsentSchema>>;
/** A signature with who gave it, when, from where; live while `terminatedAt` is null. */
export type Consent = Camel<z.output<typeof consentSchema>>;

/**
 * Signs a published form for a client, in the name of who is signed in, who must stand for the client. Time, address,
 * user agent and digest are the database's to take.
 *
 * @throws HoldfastError `already_signed`, `forbidden`, `not_found`, `validation_failed` (`formId` `not_published` when a
 *   newer version took its place); and what every call may meet.
 */
export async function signConsent(
  supabase: SupabaseClient,
  request: SignConsentRequest,
  options: CallOptions = {},
): Promise<SignedConsent> {
  return fromWire(await callRpc(supabase, "sign_consent", toWire(request), signedConsentSchema, options));
}

/**
 * Ends a signature. For those who stand for the client, and admins. Ending it twice is no error: `alreadyTerminated`
 * says so.
 *
 * @throws HoldfastError `forbidden`, `not_found`, `validation_failed`; and what every call may meet.
 */
export async function terminateConsent(
  supabase: SupabaseClient,
  request: TerminateConsentRequest,
  options: CallOptions = {},
): Promise<EndedConsent> {
  return fromWire(await callRpc(supabase, "terminate_consent", toWire(request), endedConsentSchema, options));
}

/**
 * A client's signatures, live and ended, newest first. For those who stand for the client, and admins; each reading is on
 * record.
 *
 * @throws HoldfastError `forbidden`, `not_found`; and what every call may meet.
 */
export async function listConsents(
  supabase: SupabaseClient,
  request: ListConsentsRequest,
  options: CallOptions = {},
): Promise<Consent[]> {
  const { consents } = await callRpc(supabase, "read_consents", toWire(request), consentsSchema, options);
  return fromWire(consents);
}
