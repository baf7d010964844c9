/** What the audit trail says to admins, as `list_audit_events` and `list_denied_attempts` give it. */
import { z } from "zod";

// Of a row, as PostgREST spells it: `Date` reads it.
const instant = z.string();

export const deniedAttemptsSchema = z.array(
  z.object({
    id: z.int(),
    occurred_at: instant,
    organization_id: z.guid(),
    actor_id: z.guid().nullable(),
    action: z.string(),
    code: z.string().nullable(),
    table_name: z.string().nullable(),
    request_id: z.string().nullable(),
  }),
);

export const auditEventsSchema = z.array(
  z.object({
    id: z.int(),
    occurred_at: instant,
    actor_id: z.guid().nullable(),
    action: z.string(),
    decision: z.enum(["allow", "deny"]),
    code: z.string().nullable(),
    table_name: z.string().nullable(),
    row_id: z.guid().nullable(),
    request_id: z.string().nullable(),
    details: z.unknown(),
  }),
);
