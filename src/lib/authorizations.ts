/**
 * Authorizations on the wire: what the RPCs `save_authorization`, `close_authorization`, `read_authorizations` and
 * `read_authorization_alerts` take and answer.
 */
import { z } from "zod";
import { guid, list, text } from "./fields.ts";

const day = z.iso.date();
const units = z.int().min(1).max(1_000_000);
const count = z.int().nonnegative();
const kind = z.enum(["billable", "schedule_only"]);

const terms = {
  authorization_number: text(100),
  /** `schedule_only`: sessions need it, and take no units of it. */
  kind: kind.optional(),
  /** The group of codes that it covers: 1 to 20. */
  cpt_codes: list(text(5)),
  /** The first day and the last one, in the organization's zone. */
  starts_on: day,
  ends_on: day,
  units: units.optional(),
  /** Most units of a week (from Monday) and of a month; null for no cap. */
  weekly_units: units.nullable().optional(),
  monthly_units: units.nullable().optional(),
  /** Alerts: when so little of the units, in percent, is left; so many days before the end. */
  low_balance_percent: z.int().min(0).max(100).optional(),
  expiring_days: z.int().min(0).max(365).optional(),
};

export const enterAuthorizationRequestSchema = z.strictObject({ client_id: guid, payer_id: guid, ...terms });

/** What is left out stays. */
export const changeAuthorizationRequestSchema = z.strictObject({
  authorization_id: guid,
  ...z.object(terms).partial().shape,
});

export const closeAuthorizationRequestSchema = z.strictObject({ authorization_id: guid });

/** Of a client, or of the organization: 200 at a time, by id, those after `after`. */
export const listAuthorizationsRequestSchema = z.strictObject({
  client_id: guid.optional(),
  organization_id: guid.optional(),
  closed_too: z.boolean().optional(),
  after: guid.optional(),
});

export const listAuthorizationAlertsRequestSchema = z.strictObject({ organization_id: guid });

export const savedAuthorizationSchema = z.object({
  authorization_id: guid,
  status: z.enum(["active", "closed"]),
  remaining_units: count.nullable(),
  overridden_units: count,
});

export const closedAuthorizationSchema = z.object({ authorization_id: guid, status: z.literal("closed") });

/** An authorization with what is taken of it, in all and by week and month. */
export const authorizationSchema = z.object({
  authorization_id: guid,
  client_id: guid,
  payer_id: guid,
  authorization_number: z.string(),
  kind,
  cpt_codes: z.array(z.string()),
  starts_on: day,
  ends_on: day,
  units: units.nullable(),
  weekly_units: units.nullable(),
  monthly_units: units.nullable(),
  low_balance_percent: z.int(),
  expiring_days: z.int(),
  status: z.enum(["active", "closed"]),
  /** On hold, booked, delivered; and what was taken beyond the authorization, which is in none of these. */
  reserved_units: count,
  scheduled_units: count,
  used_units: count,
  overridden_units: count,
  remaining_units: count.nullable(),
  periods: z.array(
    z.object({
      period: z.enum(["week", "month"]),
      period_start: day,
      taken_units: count,
      cap_units: units.nullable(),
      remaining_units: count.nullable(),
    }),
  ),
});

export const authorizationsSchema = z.object({ authorizations: z.array(authorizationSchema) });

/** Why an authorization asks for attention: it runs low, runs out soon, or more was taken than authorized. */
export const authorizationAlertSchema = z.object({
  authorization_id: guid,
  client_id: guid,
  kind: z.enum(["expiring", "low_balance", "overdrawn"]),
  ends_on: day,
  units: units.nullable(),
  remaining_units: count.nullable(),
  overridden_units: count,
});

export const authorizationAlertsSchema = z.object({ alerts: z.array(authorizationAlertSchema) });
