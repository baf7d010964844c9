/** The audit trail for apps of admins: docs/audit.md. */
import type { SupabaseClient } from "@supabase/supabase-js";
import type { z } from "zod";
import { auditEventsSchema, deniedAttemptsSchema } from "./audit-trail.ts";
import type { CallOptions } from "./call.ts";
import { readRows } from "./call-rpc.ts";
import { type Camel, fromWire } from "./casing.ts";

/** Whose trail, and which page: the `id` of the last event seen as `beforeId`, 1 to 1000 events (100). */
export interface AuditEventsRequest {
  organizationId: string;
  beforeId?: number;
  limit?: number;
}
/** The same of what was refused: of one user, in a stretch of time; the last 30 days, unless said otherwise. */
export interface DeniedAttemptsRequest extends AuditEventsRequest {
  userId?: string;
  since?: Date | string;
  until?: Date | string;
}

type EventOnTheWire = z.output<typeof auditEventsSchema>[number];
/** Something that happened, or was refused (`decision`). `details` has the names of columns as the tables have them. */
export type AuditEvent = Camel<Omit<EventOnTheWire, "details">> & { details: unknown };
/** Something that was refused. */
export type DeniedAttempt = Camel<z.output<typeof deniedAttemptsSchema>[number]>;

/**
 * An organization's audit trail, newest first. For admins.
 *
 * @throws HoldfastError `forbidden`; and what every call may meet.
 */
export async function listAuditEvents(
  supabase: SupabaseClient,
  { organizationId, beforeId, limit }: AuditEventsRequest,
  options: CallOptions = {},
): Promise<AuditEvent[]> {
  const named = { organization: organizationId, before_id: beforeId, max_rows: limit };
  const events = await readRows(supabase, "list_audit_events", named, auditEventsSchema, options);
  return events.map(({ details, ...event }) => ({ ...fromWire(event), details }));
}

/**
 * What was refused in an organization, newest first. For admins; to everybody else there is none.
 *
 * @throws HoldfastError what every call may meet.
 */
export async function listDeniedAttempts(
  supabase: SupabaseClient,
  { organizationId, userId, beforeId, limit, ...span }: DeniedAttemptsRequest,
  options: CallOptions = {},
): Promise<DeniedAttempt[]> {
  const named = {
    organization: organizationId,
    by_user: userId,
    before_id: beforeId,
    max_rows: limit,
    ...span,
  };
  return fromWire(await readRows(supabase, "list_denied_attempts", named, deniedAttemptsSchema, options));
}
