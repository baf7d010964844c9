/**
 * Billing for apps: attach sessions to claims, batch those, take them back and bill anew. For those with
 * `manage_billing`. What claims, lines and batches there are, apps read from `billing_cases`, `billing_lines` and
 * `billing_batches`.
 */
import type { SupabaseClient } from "@supabase/supabase-js";
import type { z } from "zod";
import {
  type attachSessionsRequestSchema,
  billingBatchSchema,
  type billingCaseSchema,
  billingCasesSchema,
  type createBillingBatchRequestSchema,
  type rebillCaseRequestSchema,
  type settleCaseRequestSchema,
  type voidCaseRequestSchema,
} from "./billing.ts";
import type { CallOptions } from "./call.ts";
import { callRpc } from "./call-rpc.ts";
import { type Camel, fromWire, toWire } from "./casing.ts";

/** Which sessions. */
export type AttachSessionsRequest = Camel<z.input<typeof attachSessionsRequestSchema>>;
/** Which claim. */
export type VoidCaseRequest = Camel<z.input<typeof voidCaseRequestSchema>>;
/** Which claim, how, and what the payer calls it. */
export type RebillCaseRequest = Camel<z.input<typeof rebillCaseRequestSchema>>;
/** Which claim, and what became of it. */
export type SettleCaseRequest = Camel<z.input<typeof settleCaseRequestSchema>>;
/** Which claims. */
export type CreateBillingBatchRequest = Camel<z.input<typeof createBillingBatchRequestSchema>>;

/** A claim. */
export type BillingCase = Camel<z.output<typeof billingCaseSchema>>;
/** Claims that go to the receiver in one file. */
export type BillingBatch = Camel<z.output<typeof billingBatchSchema>>;

/**
 * Attaches sessions to new claims: one for each client, payer, therapist, place, authorization and month, of at most 50
 * lines. From then on the sessions are frozen. All or nothing.
 *
 * @throws HoldfastError `forbidden`, `not_found`, `validation_failed` (`sessions.<id>` with the reason of each session that
 *   cannot be billed: `already_billed`, `not_completed`, `note_not_signed`, ...); and what every call may meet.
 */
export async function attachSessions(
  supabase: SupabaseClient,
  request: AttachSessionsRequest,
  options: CallOptions = {},
): Promise<BillingCase[]> {
  return casesOf(supabase, "attach_sessions", request, options);
}

/**
 * Takes a claim back: its sessions can be changed again. One that was sent is to be billed anew by `rebillCase`.
 *
 * @throws HoldfastError `forbidden`, `not_found`, `validation_failed` (`caseId` `void` or `closed`); and what every call may
 *   meet.
 */
export async function voidCase(
  supabase: SupabaseClient,
  request: VoidCaseRequest,
  options: CallOptions = {},
): Promise<BillingCase> {
  return onlyOne(await casesOf(supabase, "void_case", request, options));
}

/**
 * Bills anew what was sent and is void: a claim that replaces it with what its sessions are charged now, or one that takes it
 * back.
 *
 * @throws HoldfastError `forbidden`, `not_found`, `validation_failed` (`caseId` `not_void` or `replaced`; `action`
 *   `nothing_to_bill` or `not_one_claim`; `sessions.<id>`); and what every call may meet.
 */
export async function rebillCase(
  supabase: SupabaseClient,
  request: RebillCaseRequest,
  options: CallOptions = {},
): Promise<BillingCase> {
  return onlyOne(await casesOf(supabase, "rebill_case", request, options));
}

/**
 * Records what the payer made of a claim.
 *
 * @throws HoldfastError `forbidden`, `not_found`, `validation_failed` (`status` `not_possible`); and what every call may meet.
 */
export async function settleCase(
  supabase: SupabaseClient,
  request: SettleCaseRequest,
  options: CallOptions = {},
): Promise<BillingCase> {
  return onlyOne(await casesOf(supabase, "settle_case", request, options));
}

/**
 * Puts open claims into a batch, with the next control number towards the receiver of the billing profile.
 *
 * @throws HoldfastError `forbidden`, `not_found`, `validation_failed` (`caseIds` `not_open`; `billingProfile` `required`); and
 *   what every call may meet.
 */
export async function createBillingBatch(
  supabase: SupabaseClient,
  request: CreateBillingBatchRequest,
  options: CallOptions = {},
): Promise<BillingBatch> {
  return fromWire(
    await callRpc(supabase, "create_billing_batch", toWire(request), billingBatchSchema, options),
  );
}

async function casesOf(
  supabase: SupabaseClient,
  rpc: "attach_sessions" | "void_case" | "rebill_case" | "settle_case",
  request: Record<string, unknown>,
  options: CallOptions,
): Promise<BillingCase[]> {
  return fromWire(await callRpc(supabase, rpc, toWire(request), billingCasesSchema, options)).cases;
}

function onlyOne([first]: BillingCase[]): BillingCase {
  if (!first) throw new Error("the RPC answers one case");
  return first;
}
