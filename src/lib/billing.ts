/**
 * Billing on the wire: what the RPCs `attach_sessions`, `void_case`, `rebill_case`, `settle_case`, `create_billing_batch` and
 * `export_billing_batch` take and answer. What `read_billing_batch` answers is `claimBatchSchema`.
 */
import { z } from "zod";
import { guid, list, text } from "./fields.ts";

const count = z.int().nonnegative();

export const attachSessionsRequestSchema = z.strictObject({
  session_ids: list(guid),
  /** Also those that took more than was authorized. */
  accept_overdrawn: z.boolean().optional(),
});

export const voidCaseRequestSchema = z.strictObject({ case_id: guid });

export const rebillCaseRequestSchema = z.strictObject({
  case_id: guid,
  /** `replace`: by what its sessions are charged now; `take_back`: by nothing. */
  action: z.enum(["replace", "take_back"]),
  /** What the payer calls the claim that it was sent. */
  payer_claim_number: text(50),
});

export const settleCaseRequestSchema = z.strictObject({
  case_id: guid,
  status: z.enum(["paid", "denied", "closed"]),
});

export const createBillingBatchRequestSchema = z.strictObject({
  case_ids: z.array(guid).min(1).max(5_000),
  /** Whether the receiver is to process it, or only to check it: a test leaves its claims open, for another batch. */
  usage: z.enum(["production", "test"]),
});

export const readBillingBatchRequestSchema = z.strictObject({ batch_id: guid });

/** `claims`: how many the file has, so that one that was voided meanwhile is not said to have gone out. */
export const exportBillingBatchRequestSchema = z.strictObject({ batch_id: guid, claims: z.int().min(1) });

/** A claim, with the sum of its lines. */
export const billingCaseSchema = z.object({
  case_id: guid,
  claim_number: z.string(),
  /** 1 the first claim, 7 replaces another, 8 takes it back. */
  frequency: z.enum(["1", "7", "8"]),
  status: z.enum(["open", "submitted", "paid", "denied", "closed", "void"]),
  client_id: guid,
  payer_id: guid,
  therapist_id: guid,
  authorization_id: guid.nullable(),
  /** The month of its services, `2027-03`. */
  month: z.string(),
  session_ids: z.array(guid),
  units: count,
  charge_cents: count,
});

export const billingCasesSchema = z.object({ cases: z.array(billingCaseSchema) });

export const exportedBatchSchema = z.object({
  batch_id: guid,
  control_number: z.int(),
  status: z.enum(["draft", "exported"]),
});

export const billingBatchSchema = exportedBatchSchema.extend({ case_ids: z.array(guid) });
