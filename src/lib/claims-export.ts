/**
 * A batch of claims as a file. Apart from the client: the rules of what a claim can carry are as large as all the rest, and
 * few apps write files.
 */
import type { SupabaseClient } from "@supabase/supabase-js";
import { z } from "zod";
import { exportedBatchSchema, type readBillingBatchRequestSchema } from "./billing.ts";
import type { CallOptions } from "./call.ts";
import { callRpc } from "./call-rpc.ts";
import { type Camel, toWire } from "./casing.ts";
import { render837P } from "./claims-837p.ts";
import { renderClaimsCsv } from "./claims-csv.ts";

/** Which batch. */
export type BillingBatchRequest = Camel<z.input<typeof readBillingBatchRequestSchema>>;

/**
 * The file of a batch as an 837P claim, and the word that it goes out: its claims are submitted, but for a test. Again, it is
 * the same file.
 * It is PHI: the reading is on record, and the file is yours to keep safe.
 *
 * @throws HoldfastError `forbidden`, `not_found`, `validation_failed` (each missing fact by whose it is:
 *   `clients.<id>.memberId`, `therapists.<id>.npi`, ...; or each that a claim cannot spell; or `claims` `changed`; or `batchId`
 *   `not_taken_back`, where a session would be billed twice, or `empty`; then nothing is submitted); and what every call may meet.
 */
export async function exportBatch837P(
  supabase: SupabaseClient,
  request: BillingBatchRequest,
  options: CallOptions = {},
): Promise<string> {
  return exportBatch(supabase, request, render837P, options);
}

/** The same as a table for spreadsheets: see `renderClaimsCsv`. Throws as `exportBatch837P`. */
export async function exportBatchCsv(
  supabase: SupabaseClient,
  request: BillingBatchRequest,
  options: CallOptions = {},
): Promise<string> {
  return exportBatch(supabase, request, renderClaimsCsv, options);
}

// What else it says, the writer of the file checks.
const readBatchSchema = z.looseObject({ claims: z.array(z.unknown()) });

async function exportBatch(
  supabase: SupabaseClient,
  request: BillingBatchRequest,
  render: (batch: unknown) => string,
  options: CallOptions,
): Promise<string> {
  const wire = toWire(request);
  // Written before it counts as sent: what cannot be written is not submitted.
  const batch = await callRpc(supabase, "read_billing_batch", wire, readBatchSchema, options);
  const file = render(batch);
  const sent = { ...wire, claims: batch.claims.length };
  await callRpc(supabase, "export_billing_batch", sent, exportedBatchSchema, options);
  return file;
}
