/**
 * Charges for apps: exceed a limit of units on purpose. Charges themselves are read as rows of `session_charges`.
 */
import type { SupabaseClient } from "@supabase/supabase-js";
import type { z } from "zod";
import type { CallOptions } from "./call.ts";
import { callRpc } from "./call-rpc.ts";
import { type Camel, fromWire, toWire } from "./casing.ts";
import { overriddenMueSchema, type overrideMueRequestSchema } from "./mue-override.ts";

/** Whose session's units were necessary, and why. */
export type OverrideMueRequest = Camel<z.input<typeof overrideMueRequestSchema>>;
/** What was exceeded. */
export type OverriddenMue = Camel<z.output<typeof overriddenMueSchema>>;

/**
 * Records why a session's units may exceed the MUE limit of its day (warning `mue_exceeded`). For admins, and for
 * supervisors of the session's therapist. When the units change afterwards, the reason no longer holds.
 *
 * @throws HoldfastError `forbidden`, `not_found`, `validation_failed` (`sessionId` `not_exceeded`, `reason` `length`); and
 *   what every call may meet.
 */
export async function overrideMue(
  supabase: SupabaseClient,
  request: OverrideMueRequest,
  options: CallOptions = {},
): Promise<OverriddenMue> {
  return fromWire(await callRpc(supabase, "override_mue", toWire(request), overriddenMueSchema, options));
}
