/** The backend, for who is signed in: supabase-js for rows, Holdfast for everything that has rules. */
import { createClient } from "@supabase/supabase-js";
import { publishableKey, url } from "holdfast-config";
import type { Database } from "../lib/database.types.ts";
import { createHoldfast } from "../lib/index.ts";

export const supabase = createClient<Database>(url, publishableKey, {
  // Ends with the tab: on a shared computer at a front desk nobody finds the session of who sat there before.
  auth: { storage: sessionStorage, storageKey: keyOfTab(), detectSessionInUrl: false },
});

/**
 * Under one key supabase-js tells every tab of each sign-in, with its token, and of each sign-out: this tab would look signed
 * out by another's, with its own session still there. So the key is the tab's own.
 */
function keyOfTab(): string {
  const known = Object.keys(sessionStorage).find((key) => /^holdfast-auth-[0-9a-f-]{36}$/.test(key));
  return known ?? `holdfast-auth-${crypto.randomUUID()}`;
}

export const holdfast = createHoldfast(supabase);

/** The rows of a query, or its error thrown. */
export async function rows<Row>(
  query: PromiseLike<{ data: Row[] | null; error: Error | null }>,
): Promise<Row[]> {
  const { data, error } = await query;
  if (error) throw error;
  return data ?? [];
}
