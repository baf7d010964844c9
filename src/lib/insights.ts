/** Insights on the wire: what the RPCs `read_insights` and `save_insights` take and answer, and the message that is sent. */
import { z } from "zod";
import { guid, instant } from "./fields.ts";

/** How many of each code, rounded down to tens; null is fewer than eleven. */
const counts = z.record(z.string(), z.int().min(10).nullable());

/** What is sent of one day: counts and codes, and nothing that says whose. */
export const insightsMessageSchema = z.strictObject({
  type: z.literal("insights.day"),
  /** Random, made anew each time insights are turned on; null while they are off. */
  sender: guid.nullable(),
  /** By the calendar of the organization. */
  day: z.iso.date(),
  /** Sessions of the day by status. */
  sessions: counts,
  /** Sessions of the day by CPT code. */
  services: counts,
  /** Refused calls of the day by code of the problem. */
  refusals: counts,
});

export const readInsightsRequestSchema = z.strictObject({ organization_id: guid });
export const saveInsightsRequestSchema = z.strictObject({ organization_id: guid, enabled: z.boolean() });
export const insightsSchema = z.object({
  enabled: z.boolean(),
  enabled_at: instant.nullable(),
  /** The first day that is yet to be sent. */
  next_day: z.iso.date().nullable(),
  /** What is sent of the last day that is over, or would be. */
  preview: insightsMessageSchema,
});

/** What the Edge Function claims; no message, nothing is due. */
export const insightsClaimSchema = z.union([
  z.object({ lease_id: guid, message: insightsMessageSchema }),
  z.object({ message: z.null() }),
]);
