/** The backend, for who is signed in: supabase-js for rows, Holdfast for everything that has rules. */
import { createClient } from "@supabase/supabase-js";
import { publishableKey, url } from "holdfast-config";
import type { Database } from "../lib/database.types.ts";
import { createHoldfast } from "../lib/index.ts";

export const supabase = createClient<Database>(url, publishableKey, {
  // Ends with the tab: on a shared computer at a front desk nobody finds the session of who sat there before.
  auth: { storage: sessionStorage, detectSessionInUrl: false },
});

export const holdfast = createHoldfast(supabase);

/** The rows of a query, or its error thrown. */
export async function rows<Row>(
  query: PromiseLike<{ data: Row[] | null; error: Error | null }>,
): Promise<Row[]> {
  const { data, error } = await query;
  if (error) throw error;
  return data ?? [];
}
