/**
 * Who saw what, on the wire: what the RPCs `client_access_report`, `read_access_alerts` and `acknowledge_alert` take and
 * answer.
 */
import { z } from "zod";
import { guid, instant, text } from "./fields.ts";

/** Most rows of one page. */
export const MAX_ACCESS_PAGE = 200;

const limit = z.int().min(1).max(MAX_ACCESS_PAGE);

export const accessReportRequestSchema = z.strictObject({
  client_id: guid,
  from: instant.optional(),
  /** Left out: the end itself. */
  to: instant.optional(),
  /** `next` of the page before. */
  after: z.int().min(1).optional(),
  limit: limit.optional(),
});

/** One access to a client's record, or one that was refused. */
export const accessEntrySchema = z.object({
  at: instant,
  /** `note.read`, `consent.read`, ...; of a refusal `rpc.<operation>`. */
  action: z.string(),
  /** The kind of record: the table. */
  record: z.string().nullable(),
  decision: z.enum(["allow", "deny"]),
  /** Why it was refused. */
  code: z.string().nullable(),
  /** It was the caller. */
  is_self: z.boolean(),
  /** What the reader was in the organization then; none: somebody from elsewhere. */
  roles: z.array(z.string()),
  therapist_name: z.string().nullable(),
  /** Where it came from: the address for admins, its network for the family. */
  address: z.string().nullable(),
  // For admins.
  actor_id: guid.nullish(),
  row_id: guid.nullish(),
  request_id: z.string().nullish(),
  user_agent: z.string().nullish(),
});

export const accessReportSchema = z.object({
  client_id: guid,
  entries: z.array(accessEntrySchema),
  /** What to ask on with as `after`; null: there is no more. */
  next: z.int().nullable(),
});

const status = z.enum(["open", "acknowledged"]);

export const accessAlertsRequestSchema = z.strictObject({
  organization_id: guid,
  status: status.optional(),
  /** `next` of the page before. */
  after: guid.optional(),
  limit: limit.optional(),
});

export const accessAlertSchema = z.object({
  id: guid,
  kind: z.enum([
    "break_glass",
    "note_unreadable",
    "many_clients",
    "off_hours",
    "unassigned_reads",
    "repeated_denials",
  ]),
  actor_id: guid.nullable(),
  /** The day that was unusual; null for what has no duration. */
  window_start: instant.nullable(),
  window_end: instant.nullable(),
  /** Counts, by name: docs/unusual-access.md. */
  figures: z.record(z.string(), z.number()).nullable(),
  grant_id: guid.nullable(),
  note_id: guid.nullable(),
  status,
  created_at: instant,
  acknowledged_at: instant.nullable(),
  acknowledged_by: guid.nullable(),
  acknowledged_reason: z.string().nullable(),
});

export const accessAlertsSchema = z.object({ alerts: z.array(accessAlertSchema), next: guid.nullable() });

export const acknowledgeAlertRequestSchema = z.strictObject({ alert_id: guid, reason: text(500) });

export const acknowledgedAlertSchema = z.object({
  alert_id: guid,
  acknowledged_at: instant,
  acknowledged_by: guid,
  /** It had been before: who, when and why stay as they were. */
  already_acknowledged: z.boolean(),
});
