/**
 * A batch of professional claims, with all that an 837P file says of them. The database fills it from what was handed
 * to billing (`read_billing_batch`); amounts are cents, dates are the clinic's days.
 */
import { z } from "zod";
import { guid, refusal } from "./fields.ts";

/** What the basic character set of X12 can spell, less the delimiters that our files use (`* : ~ ^`). */
const X12_TEXT = /^[A-Z0-9 !"&'()+,\-./;?=]+$/;

/**
 * Text as a claim carries it: capitals without accents, one line.
 *
 * @returns the text in the basic character set, or null when it has letters that the set cannot spell.
 */
export function claimText(value: string): string | null {
  const plain = value
    .normalize("NFKD")
    .replace(/\p{M}/gu, "")
    .replace(/[\u2018\u2019\u02bc]/g, "'")
    .replace(/[\u2010-\u2014]/g, "-")
    .replace(/\s+/g, " ")
    .trim()
    .toUpperCase();
  return X12_TEXT.test(plain) ? plain : null;
}

/** Plain text of a claim, at most `max` characters as it will be written. */
function spelled(max: number) {
  return z
    .string()
    .max(500)
    .transform((value, context) => {
      const plain = claimText(value);
      if (plain === null) {
        const message = "Must be in letters that a claim can carry: A to Z, digits and common punctuation.";
        context.addIssue({ code: "custom", ...refusal("not_x12_text", message) });
        return z.NEVER;
      }
      if (plain.length > max) {
        context.addIssue({ code: "custom", ...refusal("too_big", `Must be at most ${max} characters.`) });
        return z.NEVER;
      }
      return plain;
    });
}

/** Says whether ten digits are a National Provider Identifier: the last one is Luhn's check digit over 80840 and the rest. */
export function isNpi(digits: string): boolean {
  if (!/^\d{10}$/.test(digits)) return false;
  const sum = [...`80840${digits}`].reverse().reduce((total, digit, place) => {
    const value = Number(digit) * (place % 2 === 1 ? 2 : 1);
    return total + (value > 9 ? value - 9 : value);
  }, 0);
  return sum % 10 === 0;
}

const npi = z.string().refine(isNpi, refusal("not_an_npi", "Must be a National Provider Identifier."));
const day = z.iso.date();
const taxonomy = z.string().regex(/^[0-9A-Z]{10}$/, "Must be a taxonomy code of ten characters.");
const modifier = z.string().regex(/^[0-9A-Z]{2}$/, "Must be two characters.");
const diagnosis = z.string().regex(/^[A-Z][0-9][0-9A-Z](\.?[0-9A-Z]{1,4})?$/, "Must be an ICD-10-CM code.");
const address = {
  line: spelled(55),
  city: spelled(30),
  state: z.string().regex(/^[A-Z]{2}$/, "Must be the two letters of a state."),
  postal_code: z.string().regex(/^\d{5}(-?\d{4})?$/, "Must be a ZIP code."),
};
const person = {
  given_name: spelled(35),
  family_name: spelled(60),
  date_of_birth: day,
  sex: z.enum(["F", "M", "U"]),
  ...address,
};

export const claimLineSchema = z.strictObject({
  service_date: day,
  cpt_code: z.string().regex(/^\d{4}[0-9T]$/, "Must be a CPT code."),
  modifiers: z.array(modifier).max(4),
  units: z.int().min(1).max(999),
  charge_cents: z.int().min(0).max(99_999_999),
  place_of_service: z.string().regex(/^\d{2}$/, "Must be two digits."),
});

export const claimSchema = z.strictObject({
  /** The claim's own number, at most 20 characters: what the payer's answer names it by. */
  claim_number: spelled(20),
  /** Whose rows the claim was read from: no file says them, but what cannot be written is named by them. */
  client_id: guid.optional(),
  payer_id: guid.optional(),
  therapist_id: guid.optional(),
  /** 1 original, 7 replaces, 8 voids an earlier claim, which `payer_claim_number` names. */
  frequency: z.enum(["1", "7", "8"]),
  payer_claim_number: spelled(50).nullable(),
  authorization_number: spelled(50).nullable(),
  diagnosis_codes: z.array(diagnosis).min(1).max(12),
  payer: z.strictObject({
    name: spelled(60),
    payer_code: spelled(80),
    filing_indicator: z.enum(["12", "16", "BL", "CH", "CI", "HM", "MB", "MC", "OF", "ZZ"]),
  }),
  /** Who holds the policy; the client, when `patient` is null. Of anybody else a file says name and number only. */
  subscriber: z.strictObject({ ...person, member_id: spelled(80) }),
  patient: z.strictObject({ ...person, relationship: z.enum(["spouse", "child", "other"]) }).nullable(),
  rendering_provider: z.strictObject({
    given_name: spelled(35),
    family_name: spelled(60),
    npi,
    taxonomy_code: taxonomy.nullable(),
  }),
  lines: z.array(claimLineSchema).min(1).max(50),
});

export const claimBatchSchema = z.strictObject({
  /** 1 to 999,999,999, never used before towards this receiver. */
  control_number: z.int().min(1).max(999_999_999),
  /** Whether the receiver is to process it, or only to check it. */
  usage: z.enum(["production", "test"]),
  /** The clinic's wall clock, `2027-03-01T14:05`. */
  created_at: z.string().regex(/^\d{4}-\d{2}-\d{2}T\d{2}:\d{2}$/, "Must be a local date and time."),
  submitter: z.strictObject({
    name: spelled(60),
    submitter_code: z.string().regex(/^[A-Z0-9]{2,15}$/, "Must be 2 to 15 letters and digits."),
    contact_name: spelled(60),
    phone: z.string().regex(/^\d{10}$/, "Must be ten digits."),
  }),
  receiver: z.strictObject({
    name: spelled(60),
    receiver_code: z.string().regex(/^[A-Z0-9]{2,15}$/, "Must be 2 to 15 letters and digits."),
  }),
  billing_provider: z.strictObject({
    name: spelled(60),
    npi,
    tax_id: z.string().regex(/^\d{9}$/, "Must be nine digits."),
    taxonomy_code: taxonomy,
    ...address,
    postal_code: z.string().regex(/^\d{5}-?\d{4}$/, "Must be a ZIP code of nine digits."),
  }),
  claims: z.array(claimSchema).min(1).max(5_000),
});

export type ClaimLine = z.output<typeof claimLineSchema>;
export type Claim = z.output<typeof claimSchema>;
export type ClaimBatch = z.output<typeof claimBatchSchema>;
