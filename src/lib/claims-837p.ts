/**
 * A claim batch as an 837P file: ASC X12 005010X222A1, health care claim, professional. One interchange, one functional
 * group, one transaction set; one subscriber level, and where somebody else holds the policy one patient level, a claim.
 */
import { z } from "zod";
import { type Claim, type ClaimBatch, type ClaimLine, claimBatchSchema } from "./claim-batch.ts";
import { HoldfastError, toAppProblem } from "./errors.ts";
import { fieldErrors } from "./fields.ts";
import { toProblem } from "./problems.ts";

const ELEMENT = "*";
const COMPONENT = ":";
const SEGMENT = "~\n";
const GUIDE = "005010X222A1";

type Segment = readonly (string | number)[];
type Address = { line: string; city: string; state: string; postal_code: string };
type Person = Address & { given_name: string; family_name: string; date_of_birth: string; sex: string };

/**
 * Writes the file.
 *
 * @param batch as `read_billing_batch` answers it: snake_case, amounts in cents, dates as `2027-03-01`.
 * @returns the text of the file, ASCII, one segment a line.
 * @throws HoldfastError `validation_failed` naming each field that a claim cannot carry, such as a name in letters
 *   outside the X12 character set, or an NPI with a wrong check digit.
 */
export function render837P(batch: unknown): string {
  const interchange = interchangeOf(parseClaimBatch(batch));
  return interchange.map((segment) => spelledOut(segment) + SEGMENT).join("");
}

/**
 * A batch as a file will say it: names in capitals, and so on.
 *
 * @throws HoldfastError `validation_failed`, as `render837P`.
 */
export function parseClaimBatch(batch: unknown): ClaimBatch {
  const parsed = claimBatchSchema.safeParse(batch);
  if (!parsed.success) {
    // Once, however many claims say it.
    const issues = new Map(
      parsed.error.issues.map((issue) => {
        const path = sourceOf(batch, issue.path);
        return [JSON.stringify([path, issue.code, issue.message]), { ...issue, path }];
      }),
    );
    const errors = fieldErrors(new z.ZodError([...issues.values()]));
    throw new HoldfastError(toAppProblem(toProblem("validation_failed", { errors })));
  }
  return parsed.data;
}

type Path = z.core.$ZodIssue["path"];

/** Where what a claim says is put right, named as what it lacks is: `clients.<id>.family_name`. */
function sourceOf(batch: unknown, path: Path): Path {
  const [list, index, part = "", field = ""] = path;
  if (list !== "claims" || typeof index !== "number") return path;
  const claim = (batch as { claims: Record<string, unknown>[] }).claims[index] ?? {};
  // Who holds the policy is the client, where no patient is named beside them.
  const whose = part === "subscriber" && claim.patient === null ? "patient" : String(part);
  const [rows, id] = OWNERS[whose] ?? [];
  if (rows === undefined || id === undefined || typeof claim[id] !== "string") return path;
  if (whose === "diagnosis_codes") return [rows, claim[id], ...path.slice(2)];
  return [rows, claim[id], COLUMNS[`${whose}.${String(field)}`] ?? field];
}

const OWNERS: Record<string, [rows: string, id: string]> = {
  payer: ["payers", "payer_id"],
  subscriber: ["clients", "client_id"],
  patient: ["clients", "client_id"],
  diagnosis_codes: ["clients", "client_id"],
  rendering_provider: ["therapists", "therapist_id"],
};

/** Where a row's column has another name than the claim's field. */
const COLUMNS: Record<string, string> = {
  "rendering_provider.given_name": "legal_given",
  "rendering_provider.family_name": "legal_family",
  "subscriber.given_name": "subscriber_given_name",
  "subscriber.family_name": "subscriber_family_name",
  "subscriber.date_of_birth": "subscriber_date_of_birth",
  "subscriber.line": "address_line",
  "patient.line": "address_line",
};

function interchangeOf(batch: ClaimBatch): Segment[] {
  const { submitter_code: sender } = batch.submitter;
  const { receiver_code: receiver } = batch.receiver;
  const control = batch.control_number;
  const nine = String(control).padStart(9, "0");
  const date = digits(batch.created_at.slice(0, 10));
  const time = digits(batch.created_at.slice(11));
  const transaction = transactionOf(batch, date, time);
  return [
    [
      ...["ISA", "00", " ".repeat(10), "00", " ".repeat(10)],
      ...["ZZ", sender.padEnd(15), "ZZ", receiver.padEnd(15), date.slice(2), time],
      ...["^", "00501", nine, 0, batch.usage === "production" ? "P" : "T", COMPONENT],
    ],
    ["GS", "HC", sender, receiver, date, time, control, "X", GUIDE],
    ...transaction,
    // The count includes ST and SE.
    ["SE", transaction.length + 1, "0001"],
    ["GE", 1, control],
    ["IEA", 1, nine],
  ];
}

function transactionOf(batch: ClaimBatch, date: string, time: string): Segment[] {
  const { submitter, receiver, billing_provider: billing } = batch;
  const segments: Segment[] = [
    ["ST", "837", "0001", GUIDE],
    ["BHT", "0019", "00", batch.control_number, date, time, "CH"],
    ["NM1", "41", "2", submitter.name, "", "", "", "", "46", submitter.submitter_code],
    ["PER", "IC", submitter.contact_name, "TE", submitter.phone],
    ["NM1", "40", "2", receiver.name, "", "", "", "", "46", receiver.receiver_code],
    ["HL", 1, "", "20", 1],
    ["PRV", "BI", "PXC", billing.taxonomy_code],
    ["NM1", "85", "2", billing.name, "", "", "", "", "XX", billing.npi],
    ...addressOf(billing),
    ["REF", "EI", billing.tax_id],
  ];
  let level = 1;
  for (const claim of batch.claims) {
    const { patient, subscriber, payer } = claim;
    level += 1;
    segments.push(
      ["HL", level, 1, "22", patient ? 1 : 0],
      ["SBR", "P", patient ? "" : "18", "", "", "", "", "", "", payer.filing_indicator],
      [
        "NM1",
        "IL",
        "1",
        subscriber.family_name,
        subscriber.given_name,
        "",
        "",
        "",
        "MI",
        subscriber.member_id,
      ],
      // Where somebody else is the patient, the guide has address and birth in the patient's loop only.
      ...(patient ? [] : [...addressOf(subscriber), bornOf(subscriber)]),
      ["NM1", "PR", "2", payer.name, "", "", "", "", "PI", payer.payer_code],
    );
    if (patient) {
      segments.push(
        ["HL", level + 1, level, "23", 0],
        ["PAT", { spouse: "01", child: "19", other: "G8" }[patient.relationship]],
        ["NM1", "QC", "1", patient.family_name, patient.given_name],
        ...addressOf(patient),
        bornOf(patient),
      );
      level += 1;
    }
    segments.push(...claimOf(claim));
  }
  return segments;
}

function claimOf(claim: Claim): Segment[] {
  const { claim_number: number, rendering_provider: rendering, lines } = claim;
  const place = lines[0]?.place_of_service;
  const total = lines.reduce((sum, line) => sum + line.charge_cents, 0);
  // Who signs, assigns and releases: the signature is on file, the payer pays the provider.
  const head: Segment[] = [
    [
      "CLM",
      number,
      dollars(total),
      "",
      "",
      [place, "B", claim.frequency].join(COMPONENT),
      "Y",
      "A",
      "Y",
      "Y",
    ],
  ];
  if (claim.authorization_number !== null) head.push(["REF", "G1", claim.authorization_number]);
  if (claim.payer_claim_number !== null) head.push(["REF", "F8", claim.payer_claim_number]);
  const diagnoses = claim.diagnosis_codes.map((code, index) =>
    [index === 0 ? "ABK" : "ABF", code.replace(".", "")].join(COMPONENT),
  );
  head.push(["HI", ...diagnoses]);
  head.push([
    ...["NM1", "82", "1", rendering.family_name, rendering.given_name, "", "", "", "XX", rendering.npi],
  ]);
  if (rendering.taxonomy_code !== null) head.push(["PRV", "PE", "PXC", rendering.taxonomy_code]);
  const pointer = claim.diagnosis_codes
    .slice(0, 4)
    .map((_, index) => index + 1)
    .join(COMPONENT);
  return [...head, ...lines.flatMap((line, index) => lineOf(line, index + 1, number, place, pointer))];
}

function lineOf(
  line: ClaimLine,
  number: number,
  claimNumber: string,
  place: string | undefined,
  pointer: string,
): Segment[] {
  const procedure = ["HC", line.cpt_code, ...line.modifiers].join(COMPONENT);
  const elsewhere = line.place_of_service === place ? "" : line.place_of_service;
  return [
    ["LX", number],
    ["SV1", procedure, dollars(line.charge_cents), "UN", line.units, elsewhere, "", pointer],
    ["DTP", "472", "D8", digits(line.service_date)],
    ["REF", "6R", `${claimNumber}-${number}`],
  ];
}

function addressOf({ line, city, state, postal_code: zip }: Address): Segment[] {
  return [
    ["N3", line],
    ["N4", city, state, digits(zip)],
  ];
}

function bornOf(person: Person): Segment {
  return ["DMG", "D8", digits(person.date_of_birth), person.sex];
}

/** Cents as X12 writes a decimal number: no zeros after the last digit that counts. */
function dollars(cents: number): string {
  return String(cents / 100);
}

function digits(value: string): string {
  return value.replace(/\D/g, "");
}

/** Empty elements at the end of a segment are left out. */
function spelledOut(segment: Segment): string {
  const text = segment.map(String).join(ELEMENT);
  return segment[0] === "ISA" ? text : text.replace(/\*+$/, "");
}
