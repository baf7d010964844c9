/** Who saw a client's record, and the alerts of unusual access: for apps, by RPC over REST. */
import type { SupabaseClient } from "@supabase/supabase-js";
import type { z } from "zod";
import {
  type accessAlertSchema,
  type accessAlertsRequestSchema,
  accessAlertsSchema,
  type accessEntrySchema,
  type accessReportRequestSchema,
  accessReportSchema,
  type acknowledgeAlertRequestSchema,
  acknowledgedAlertSchema,
} from "./access-report.ts";
import type { CallOptions } from "./call.ts";
import { callRpc } from "./call-rpc.ts";
import { type Camel, fromWire, toWire } from "./casing.ts";
import type { WithDates } from "./time-range.ts";

/** Whose record, in which time, and which page. */
export type AccessReportRequest = WithDates<Camel<z.input<typeof accessReportRequestSchema>>, "from" | "to">;
/** One access to a client's record, or one that was refused. */
export type AccessEntry = Camel<z.output<typeof accessEntrySchema>>;
/** A page of the report, newest first; `next` asks on as `after`. */
export type AccessReport = Camel<z.output<typeof accessReportSchema>>;
/** Whose alerts, and which page. */
export type AccessAlertsRequest = Camel<z.input<typeof accessAlertsRequestSchema>>;
/** Something that admins should look at. */
export type AccessAlert = Camel<z.output<typeof accessAlertSchema>>;
/** A page of alerts, newest first; `next` asks on as `after`. */
export type AccessAlerts = Camel<z.output<typeof accessAlertsSchema>>;
/** Which alert, and what it was. */
export type AlertAcknowledgement = Camel<z.input<typeof acknowledgeAlertRequestSchema>>;
/** An alert that somebody has looked at. */
export type AcknowledgedAlert = Camel<z.output<typeof acknowledgedAlertSchema>>;

/**
 * Who read a client's record, when and from where, and who was refused. For admins, and with less of each reader for those
 * who stand for the client; itself on record, from the next report on.
 *
 * @throws HoldfastError `forbidden`, `not_found`, `validation_failed`; and what every call may meet.
 */
export async function getAccessReport(
  supabase: SupabaseClient,
  request: AccessReportRequest,
  options: CallOptions = {},
): Promise<AccessReport> {
  return fromWire(
    await callRpc(supabase, "client_access_report", toWire(request), accessReportSchema, options),
  );
}

/**
 * An organization's alerts. For admins.
 *
 * @throws HoldfastError `forbidden`, `not_found`, `validation_failed`; and what every call may meet.
 */
export async function listAccessAlerts(
  supabase: SupabaseClient,
  request: AccessAlertsRequest,
  options: CallOptions = {},
): Promise<AccessAlerts> {
  return fromWire(
    await callRpc(supabase, "read_access_alerts", toWire(request), accessAlertsSchema, options),
  );
}

/**
 * Says what an alert was. For admins; one about oneself is for another admin, where there is one.
 *
 * @throws HoldfastError `forbidden`, `not_found`, `validation_failed`; and what every call may meet.
 */
export async function acknowledgeAlert(
  supabase: SupabaseClient,
  request: AlertAcknowledgement,
  options: CallOptions = {},
): Promise<AcknowledgedAlert> {
  return fromWire(
    await callRpc(supabase, "acknowledge_alert", toWire(request), acknowledgedAlertSchema, options),
  );
}
