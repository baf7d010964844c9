import type { SupabaseClient } from "@supabase/supabase-js";
import { describe, expect, it } from "vitest";
import { HoldfastError, toAppProblem } from "./errors.ts";
import { withLiveToken } from "./live-token.ts";
import { toProblem } from "./problems.ts";

/** Somebody signed in; how often their token was renewed. */
function signedIn() {
  const state = { token: 0, renewals: 0 };
  const session = () => ({ data: { session: { access_token: `token ${state.token}` } } });
  const auth = {
    getSession: async () => session(),
    refreshSession: async () => {
      state.token = ++state.renewals;
      return session();
    },
  };
  return { supabase: { auth } as unknown as SupabaseClient, state };
}

const refuse = (code: "unauthenticated" | "forbidden") => {
  throw new HoldfastError(toAppProblem(toProblem(code)));
};

describe("a call with a live token", () => {
  it("is made again with a new token when the one it had was refused, as often as one ends", async () => {
    const { supabase, state } = signedIn();
    for (const ended of ["token 0", "token 1"]) {
      const attempt = async () =>
        `token ${state.token}` === ended ? refuse("unauthenticated") : `token ${state.token}`;
      expect(await withLiveToken(supabase, attempt)).toBe(`token ${state.renewals}`);
    }
    expect(state.renewals).toBe(2);
  });

  it("renews no token for another refusal, nor one that was refused when it was new", async () => {
    const { supabase, state } = signedIn();
    const attempt = async () => refuse("unauthenticated");
    await expect(withLiveToken(supabase, async () => refuse("forbidden"))).rejects.toThrow(HoldfastError);
    expect(state.renewals).toBe(0);
    for (const _ of [1, 2, 3]) {
      await expect(withLiveToken(supabase, attempt)).rejects.toMatchObject({ code: "unauthenticated" });
    }
    expect(state.renewals).toBe(1);
  });

  it("is refused as it was where supabase-js has no session, or no auth", async () => {
    const nobody = { auth: { getSession: async () => ({ data: { session: null } }) } };
    for (const supabase of [nobody, {}] as unknown as SupabaseClient[]) {
      await expect(withLiveToken(supabase, async () => refuse("unauthenticated"))).rejects.toMatchObject({
        code: "unauthenticated",
      });
    }
  });
});
