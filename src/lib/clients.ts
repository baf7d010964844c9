/**
 * Records of clients on the wire: what the RPCs `read_clients`, `read_texts`, `save_client` and `save_coverage` take and
 * answer. They are the one way to what is PHI of a client: no table shows it.
 */
import { z } from "zod";
import {
  duplicateIssues,
  type Fields,
  guid,
  type Issue,
  instant,
  notAllowed,
  refusal,
  required,
  text,
  together,
} from "./fields.ts";

/** Most rows that one call reads. */
export const MAX_READ = 100;
/** Most diagnoses of a client: as many as an 837P claim carries. */
export const MAX_DIAGNOSES = 12;

/** What is known of a client; `coverages` are read by schedulers only, when they ask. */
export const CLIENT_FIELDS = [
  "full_name",
  "given_name",
  "family_name",
  "date_of_birth",
  "sex",
  "address_line",
  "city",
  "state",
  "postal_code",
  "phone",
  "diagnosis_codes",
  "coverages",
] as const;

/** States, district and territories by their USPS codes. */
export const US_STATES = (
  "AA AE AK AL AP AR AS AZ CA CO CT DC DE FL FM GA GU HI IA ID IL IN KS KY LA MA MD ME MH MI MN MO MP MS MT NC ND NE " +
  "NH NJ NM NV NY OH OK OR PA PR PW RI SC SD TN TX UM UT VA VI VT WA WI WV WY"
).split(" ");

/** One line, whose length is that of the text without the space around it. */
const line = (max: number, min = 1) =>
  text(max)
    .refine((value) => !/[\n\r\t]/.test(value), refusal("invalid_format", "Must be one line."))
    .refine(
      (value) => value.trim().length >= min,
      refusal("too_small", `Must be at least ${min} characters.`),
    );
const state = z.enum(US_STATES, "Must be the USPS code of a state or territory.");
// What the clinic's today is, the database says.
const dateOfBirth = z.iso
  .date()
  .refine((day) => day >= "1900-01-01", refusal("invalid_value", "Must be a date from 1900-01-01 to today."));
const diagnosis = z
  .string()
  .regex(/^[A-Z][0-9][0-9A-Z](\.[0-9A-Z]{1,4})?$/, "Must be an ICD-10-CM code, as F84.0.");

/** Lists of ids: their number is judged before they are. */
const ids = z.array(z.custom<string>()).min(1).max(MAX_READ).pipe(z.array(guid));
const idIssues = ({ ids }: Fields): Issue[] =>
  Array.isArray(ids) ? duplicateIssues(ids, (index) => ["ids", index]) : [];
const fields = z.array(z.enum(CLIENT_FIELDS)).min(1).optional();

export const readClientsRequestSchema = together(
  z.strictObject({ organization_id: guid, ids, fields }),
  idIssues,
);
export const listClientsRequestSchema = z.strictObject({
  organization_id: guid,
  /** How a word of the name begins. */
  search: line(100).optional(),
  /** The `next` of the page before. */
  after: guid.optional(),
  limit: z.int().min(1).max(MAX_READ).optional(),
  fields,
});
export const readTextsRequestSchema = together(
  z.strictObject({
    organization_id: guid,
    table: z.enum(["sessions", "availability_exceptions", "user_roles"]),
    ids,
  }),
  idIssues,
);

const demographics = {
  given_name: line(35).nullable().optional(),
  family_name: line(60).nullable().optional(),
  date_of_birth: dateOfBirth.nullable().optional(),
  sex: z.enum(["F", "M", "U"]).nullable().optional(),
  address_line: line(55).nullable().optional(),
  city: line(30, 2).nullable().optional(),
  state: state.nullable().optional(),
  postal_code: z
    .string()
    .regex(/^\d{5}(-\d{4})?$/, "Must be a ZIP or ZIP+4 code.")
    .nullable()
    .optional(),
  phone: z
    .string()
    .regex(/^\+[1-9]\d{6,14}$/, "Must be a number as +15035550100.")
    .nullable()
    .optional(),
  diagnosis_codes: z.array(diagnosis).max(MAX_DIAGNOSES).nullable().optional(),
};

/** Without `client_id` a new client; with it a change of the fields that are given, null to empty one. */
export const saveClientRequestSchema = together(
  z.strictObject({
    organization_id: guid.optional(),
    client_id: guid.optional(),
    full_name: line(200).optional(),
    ...demographics,
  }),
  ({ client_id: client, organization_id: organization, full_name: name, diagnosis_codes: codes }) => [
    ...(client === undefined && organization === undefined ? [required("organization_id")] : []),
    ...(client === undefined && name === undefined ? [required("full_name")] : []),
    ...(Array.isArray(codes) ? duplicateIssues(codes, (index) => ["diagnosis_codes", index]) : []),
  ],
);

/** Without `coverage_id` a new coverage; with it a change of the fields that are given, null to empty one. */
export const saveCoverageRequestSchema = together(
  z.strictObject({
    client_id: guid,
    coverage_id: guid.optional(),
    payer_id: guid.optional(),
    starts_on: z.iso.date().optional(),
    ends_on: z.iso.date().nullable().optional(),
    member_id: z
      .string()
      .regex(/^[A-Za-z0-9-]{2,80}$/, "Must be 2 to 80 letters, digits and hyphens.")
      .nullable()
      .optional(),
    relationship_to_subscriber: z.enum(["self", "child", "spouse", "other"]).nullable().optional(),
    subscriber_given_name: line(35).nullable().optional(),
    subscriber_family_name: line(60).nullable().optional(),
    subscriber_date_of_birth: dateOfBirth.nullable().optional(),
  }),
  ({ coverage_id: coverage, payer_id: payer, starts_on: start }) => {
    if (coverage !== undefined) {
      return payer === undefined ? [] : [notAllowed("payer_id", "Another payer is another coverage.")];
    }
    return [
      ...(payer === undefined ? [required("payer_id")] : []),
      ...(start === undefined ? [required("starts_on")] : []),
    ];
  },
);

const coverageSchema = z.object({
  id: guid,
  payer_id: guid,
  starts_on: z.iso.date(),
  ends_on: z.iso.date().nullable(),
  member_id: z.string().nullable(),
  relationship_to_subscriber: z.string().nullable(),
  subscriber_given_name: z.string().nullable(),
  subscriber_family_name: z.string().nullable(),
  subscriber_date_of_birth: z.iso.date().nullable(),
});

/** A client: id, status, and of the rest what was asked for. */
export const clientRecordSchema = z.object({
  id: guid,
  status: z.enum(["active", "archived"]),
  full_name: z.string().optional(),
  given_name: z.string().nullable().optional(),
  family_name: z.string().nullable().optional(),
  date_of_birth: z.iso.date().nullable().optional(),
  sex: z.enum(["F", "M", "U"]).nullable().optional(),
  address_line: z.string().nullable().optional(),
  city: z.string().nullable().optional(),
  state: z.string().nullable().optional(),
  postal_code: z.string().nullable().optional(),
  phone: z.string().nullable().optional(),
  diagnosis_codes: z.array(z.string()).optional(),
  coverages: z.array(coverageSchema).optional(),
});
export const clientsSchema = z.object({ clients: z.array(clientRecordSchema), next: guid.nullable() });
export const textsSchema = z.object({ texts: z.array(z.object({ id: guid, text: z.string().nullable() })) });
export const savedClientSchema = z.object({ client_id: guid, created: z.boolean() });
export const savedCoverageSchema = z.object({ coverage_id: guid, client_id: guid, created: z.boolean() });

export const archivedClientSchema = z.object({
  client_id: z.guid(),
  status: z.literal("archived"),
  archived_at: instant,
});
