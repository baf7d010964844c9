/** In which organization one works, and how the platform's operators get in when they must: docs/access.md. */
import type { SupabaseClient } from "@supabase/supabase-js";
import type { z } from "zod";
import { brokenGlassSchema, chosenOrganizationSchema } from "./access.ts";
import type { CallOptions } from "./call.ts";
import { callNamed, readRows } from "./call-rpc.ts";
import { type Camel, fromWire } from "./casing.ts";

/** Which organization, why (10 to 500 characters), and for how long: 1 to 240 minutes (60). */
export interface BreakGlassRequest {
  organizationId: string;
  reason: string;
  minutes?: number;
}
/** The grant, and when it ends by itself. */
export type BrokenGlass = Camel<z.output<typeof brokenGlassSchema>>;

/**
 * Read access to an organization's records, for super admins with a second factor. Its admins are alerted. It is not repeated
 * by itself.
 *
 * @throws HoldfastError `forbidden`, `mfa_required`, `not_found`, `validation_failed`; and what every call may meet.
 */
export async function breakGlass(
  supabase: SupabaseClient,
  { organizationId: organization, reason, minutes }: BreakGlassRequest,
  options: CallOptions = {},
): Promise<BrokenGlass> {
  const named = { organization, reason, minutes };
  const once = { ...options, maxAttempts: 1 };
  return fromWire(await callNamed(supabase, "break_glass", named, brokenGlassSchema, once));
}

/**
 * Chooses which of one's organizations to work in, or all (null). It counts from the next `supabase.auth.refreshSession()` on.
 *
 * @throws HoldfastError `forbidden` for who is no member there; and what every call may meet.
 */
export async function chooseOrganization(
  supabase: SupabaseClient,
  { organizationId: organization }: { organizationId: string | null },
  options: CallOptions = {},
): Promise<void> {
  await readRows(supabase, "choose_organization", { organization }, chosenOrganizationSchema, options);
}
