/** A claim batch as a table: CSV (RFC 4180), a row for each line of each claim, for a spreadsheet or a billing program. */
import type { ClaimBatch } from "./claim-batch.ts";
import { parseClaimBatch } from "./claims-837p.ts";

const COLUMNS = [
  "control_number",
  "claim_number",
  "frequency",
  "payer_claim_number",
  "line_number",
  "service_date",
  "cpt_code",
  "modifiers",
  "units",
  "charge",
  "place_of_service",
  "diagnosis_codes",
  "authorization_number",
  "payer_name",
  "payer_code",
  "member_id",
  "patient_family_name",
  "patient_given_name",
  "patient_date_of_birth",
  "rendering_npi",
  "rendering_family_name",
  "rendering_given_name",
] as const;

/**
 * Writes the table: a row of names, then the lines. Amounts are dollars with two decimals, dates `2027-03-01`, lists are
 * separated by spaces.
 *
 * A text that a spreadsheet would take for a formula (it begins with `=`, `+`, `-`, `@`) has an apostrophe before it.
 *
 * @param batch as `read_billing_batch` answers it.
 * @returns the text of the file, lines ended by CR LF.
 * @throws HoldfastError `validation_failed`, as `render837P`.
 */
export function renderClaimsCsv(batch: unknown): string {
  const rows = rowsOf(parseClaimBatch(batch));
  return [COLUMNS, ...rows].map((row) => `${row.map(cell).join(",")}\r\n`).join("");
}

function rowsOf({ control_number, claims }: ClaimBatch): (string | number)[][] {
  return claims.flatMap((claim) => {
    const patient = claim.patient ?? claim.subscriber;
    const { rendering_provider: rendering } = claim;
    return claim.lines.map((line, index) => [
      control_number,
      claim.claim_number,
      claim.frequency,
      claim.payer_claim_number ?? "",
      index + 1,
      line.service_date,
      line.cpt_code,
      line.modifiers.join(" "),
      line.units,
      (line.charge_cents / 100).toFixed(2),
      line.place_of_service,
      claim.diagnosis_codes.join(" "),
      claim.authorization_number ?? "",
      claim.payer.name,
      claim.payer.payer_code,
      claim.subscriber.member_id,
      patient.family_name,
      patient.given_name,
      patient.date_of_birth,
      rendering.npi,
      rendering.family_name,
      rendering.given_name,
    ]);
  });
}

function cell(value: string | number): string {
  const text = String(value);
  const harmless = /^[=+\-@]/.test(text) ? `'${text}` : text;
  return /[",\r\n]/.test(harmless) ? `"${harmless.replaceAll('"', '""')}"` : harmless;
}
