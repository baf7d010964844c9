/** Service accounts of partners, for admins: docs/partners.md. */
import type { SupabaseClient } from "@supabase/supabase-js";
import type { z } from "zod";
import { accountTokensSchema, issuedTokenSchema, revokedAccountSchema } from "./access.ts";
import type { CallOptions } from "./call.ts";
import { callNamed, readRows } from "./call-rpc.ts";
import { type Camel, fromWire, toWire } from "./casing.ts";

/** Whose partner, its name, what it may, and when the account ends, if it does. */
export interface CreateServiceAccountRequest {
  organizationId: string;
  name: string;
  scopes: ("enrolment:write" | "schedule:read")[];
  expiresAt?: Date | string;
}
/** Which account. */
export interface ServiceAccountRequest {
  accountId: string;
}
/** Which account, and how many minutes its old token counts on: 0 to 10080 (60). */
export interface RotateServiceAccountTokenRequest extends ServiceAccountRequest {
  overlapMinutes?: number;
}

/** A token, shown this once. */
export type IssuedServiceAccountToken = Camel<z.output<typeof issuedTokenSchema>>;
/** An account that has ended. */
export type RevokedServiceAccount = Camel<z.output<typeof revokedAccountSchema>>;
/** A token by its first characters; never itself. */
export type ServiceAccountToken = Camel<z.output<typeof accountTokensSchema>[number]>;

/**
 * Makes an account and its first token. The token is shown this once and not kept, so the call is not repeated by itself.
 *
 * @throws HoldfastError `forbidden`, `mfa_required`, `not_found`, `validation_failed`; and what every call may meet.
 */
export async function createServiceAccount(
  supabase: SupabaseClient,
  { organizationId: organization, ...account }: CreateServiceAccountRequest,
  options: CallOptions = {},
): Promise<IssuedServiceAccountToken> {
  const named = toWire({ organization, ...account });
  return issued(supabase, "create_service_account", named, options);
}

/**
 * Makes a new token; the old one ends after the overlap. It is shown this once and not kept, so the call is not repeated by
 * itself.
 *
 * @throws HoldfastError `forbidden`, `mfa_required`, `not_found`, `validation_failed`; and what every call may meet.
 */
export async function rotateServiceAccountToken(
  supabase: SupabaseClient,
  { accountId: account, overlapMinutes: overlap_minutes }: RotateServiceAccountTokenRequest,
  options: CallOptions = {},
): Promise<IssuedServiceAccountToken> {
  return issued(supabase, "rotate_service_account_token", { account, overlap_minutes }, options);
}

/**
 * Ends an account and its tokens at once, for good.
 *
 * @throws HoldfastError `forbidden`, `mfa_required`, `not_found`; and what every call may meet.
 */
export async function revokeServiceAccount(
  supabase: SupabaseClient,
  { accountId: account }: ServiceAccountRequest,
  options: CallOptions = {},
): Promise<RevokedServiceAccount> {
  return fromWire(
    await callNamed(supabase, "revoke_service_account", { account }, revokedAccountSchema, options),
  );
}

/**
 * The tokens of an account, newest first: which are live, and when each was last used. To who is no admin there is none.
 *
 * @throws HoldfastError what every call may meet.
 */
export async function listServiceAccountTokens(
  supabase: SupabaseClient,
  { accountId: account }: ServiceAccountRequest,
  options: CallOptions = {},
): Promise<ServiceAccountToken[]> {
  return fromWire(
    await readRows(supabase, "list_service_account_tokens", { account }, accountTokensSchema, options),
  );
}

async function issued(
  supabase: SupabaseClient,
  rpc: "create_service_account" | "rotate_service_account_token",
  named: Record<string, unknown>,
  options: CallOptions,
): Promise<IssuedServiceAccountToken> {
  return fromWire(await callNamed(supabase, rpc, named, issuedTokenSchema, { ...options, maxAttempts: 1 }));
}
