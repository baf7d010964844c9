// What the reference says of the RPCs that src/lib calls whose arguments have names of their own, in place of one `request`: by
// name, in alphabetical order. The generated types decide which arguments there are, and which may be left out.

import { z } from "zod";
import {
  accountTokensSchema,
  brokenGlassSchema,
  chosenOrganizationSchema,
  issuedTokenSchema,
  revokedAccountSchema,
} from "../../src/lib/access.ts";
import { auditEventsSchema, deniedAttemptsSchema } from "../../src/lib/audit-trail.ts";
import { archivedClientSchema } from "../../src/lib/clients.ts";
import type { Database } from "../../src/lib/database.types.ts";
import { guid, instant } from "../../src/lib/fields.ts";

type Functions = Database["public"]["Functions"];
// The generated types do not say which arguments may be null.
type Argument<Args, Name extends keyof Args> = z.ZodType<unknown, NonNullable<Args[Name]> | null>;
type Arguments<Args> = {
  [Name in keyof Args]-?: Record<never, never> extends Pick<Args, Name>
    ? z.ZodOptional<Argument<Args, Name>>
    : Argument<Args, Name>;
};

interface NamedRpc<Args> {
  /** The page of docs/ that explains it. */
  docs: string;
  arguments: Arguments<Args>;
  /** What stands in the answer: `data`, alone or with `replayed`; rows by themselves; nothing at all. */
  answers: "data" | "data and replayed" | "nothing" | "rows";
  data: z.ZodType;
}
type NamedRpcs<Names extends keyof Functions> = { [Name in Names]: NamedRpc<Functions[Name]["Args"]> };

const idempotencyKey = z
  .string()
  .regex(/^[\x21-\x7e]{1,255}$/)
  .describe("Names this attempt, as Idempotency-Key does for the functions.");
const auditPage = { before_id: z.int().optional(), max_rows: z.int().min(1).max(1000).optional() };

export const NAMED_RPCS: NamedRpcs<
  | "archive_client"
  | "break_glass"
  | "choose_organization"
  | "create_service_account"
  | "list_audit_events"
  | "list_denied_attempts"
  | "list_service_account_tokens"
  | "revoke_service_account"
  | "rotate_service_account_token"
> = {
  archive_client: {
    docs: "clients.md",
    arguments: { client: guid, idempotency_key: idempotencyKey.optional() },
    answers: "data and replayed",
    data: archivedClientSchema,
  },
  break_glass: {
    docs: "access.md",
    arguments: {
      organization: guid,
      reason: z.string().min(10).max(500),
      minutes: z.int().min(1).max(240).optional(),
    },
    answers: "data",
    data: brokenGlassSchema,
  },
  choose_organization: {
    docs: "access.md",
    arguments: { organization: guid.nullable() },
    answers: "nothing",
    data: chosenOrganizationSchema,
  },
  create_service_account: {
    docs: "partners.md",
    arguments: {
      organization: guid,
      name: z.string().min(1).max(200),
      scopes: z.array(z.enum(["enrolment:write", "schedule:read"])).min(1),
      expires_at: instant.nullable().optional(),
    },
    answers: "data",
    data: issuedTokenSchema,
  },
  list_audit_events: {
    docs: "audit.md",
    arguments: { organization: guid, ...auditPage },
    answers: "rows",
    data: auditEventsSchema,
  },
  list_denied_attempts: {
    docs: "audit.md",
    arguments: {
      organization: guid,
      by_user: guid.optional(),
      since: instant.optional(),
      until: instant.optional(),
      ...auditPage,
    },
    answers: "rows",
    data: deniedAttemptsSchema,
  },
  list_service_account_tokens: {
    docs: "partners.md",
    arguments: { account: guid },
    answers: "rows",
    data: accountTokensSchema,
  },
  revoke_service_account: {
    docs: "partners.md",
    arguments: { account: guid },
    answers: "data",
    data: revokedAccountSchema,
  },
  rotate_service_account_token: {
    docs: "partners.md",
    arguments: { account: guid, overlap_minutes: z.int().min(0).max(10_080).optional() },
    answers: "data",
    data: issuedTokenSchema,
  },
};
