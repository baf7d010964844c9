/**
 * The token of who is signed in, where it has ended and the device does not know: supabase-js renews tokens by the device's
 * clock, and the server judges them by its own.
 */
import type { SupabaseClient } from "@supabase/supabase-js";
import { isHoldfastError } from "./errors.ts";

/** A token that was new and refused all the same, as when the session has ended: to renew it again is no use. */
const useless = new WeakMap<SupabaseClient, string>();

/** One attempt of a call. Refused as `unauthenticated`, which did nothing, it is made once more with a token that is renewed. */
export async function withLiveToken<Answer>(
  supabase: SupabaseClient,
  attempt: () => Promise<Answer>,
): Promise<Answer> {
  try {
    return await attempt();
  } catch (error) {
    const token = isHoldfastError(error, "unauthenticated") && (await renewToken(supabase));
    if (!token) throw error;
    return attempt().catch((again: unknown) => {
      if (isHoldfastError(again, "unauthenticated")) useless.set(supabase, token);
      throw again;
    });
  }
}

/** A new token; undefined where nobody is signed in, or the session has ended. Never rejects. */
export async function renewToken(supabase: SupabaseClient): Promise<string | undefined> {
  try {
    const { session } = (await supabase.auth.getSession()).data;
    if (!session || session.access_token === useless.get(supabase)) return undefined;
    return (await supabase.auth.refreshSession()).data.session?.access_token;
  } catch {
    // With `accessToken`, an app has its tokens from elsewhere, and supabase-js no auth.
    return undefined;
  }
}
