/** What an organization lets the makers of its software know: for apps of admins, by RPC over REST. */
import type { SupabaseClient } from "@supabase/supabase-js";
import type { z } from "zod";
import type { CallOptions } from "./call.ts";
import { callRpc } from "./call-rpc.ts";
import { type Camel, fromWire, toWire } from "./casing.ts";
import {
  insightsSchema,
  type readInsightsRequestSchema,
  type saveInsightsRequestSchema,
} from "./insights.ts";

/** Whose insights. */
export type ReadInsightsRequest = Camel<z.input<typeof readInsightsRequestSchema>>;
/** Whose insights, and whether they are sent from now on. */
export type SaveInsightsRequest = Camel<z.input<typeof saveInsightsRequestSchema>>;
/** Whether insights are sent, and what those of the last day are or would be. */
export type Insights = Camel<z.output<typeof insightsSchema>>;

/**
 * Whether an organization sends insights, and exactly what is sent or would be.
 *
 * @throws HoldfastError `forbidden`, `not_found`; and what every call may meet.
 */
export async function readInsights(
  supabase: SupabaseClient,
  request: ReadInsightsRequest,
  options: CallOptions = {},
): Promise<Insights> {
  return shown(await callRpc(supabase, "read_insights", toWire(request), insightsSchema, options));
}

/**
 * Turns insights on, from this day on, or off, at once.
 *
 * @throws HoldfastError `forbidden`, `not_found`, `validation_failed`; and what every call may meet.
 */
export async function saveInsights(
  supabase: SupabaseClient,
  request: SaveInsightsRequest,
  options: CallOptions = {},
): Promise<Insights> {
  return shown(await callRpc(supabase, "save_insights", toWire(request), insightsSchema, options));
}

/** The message is shown as it is sent: what it counts by are codes, and no names of fields. */
function shown(insights: z.output<typeof insightsSchema>): Insights {
  return { ...fromWire(insights), preview: insights.preview };
}
