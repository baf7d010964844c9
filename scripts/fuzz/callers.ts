// As whom calls are made: over SQL by the claims that PostgREST would set, over HTTP by a token that the stack's key has signed.

import { SignJWT } from "jose";
import type { StackKeys } from "../stack/keys.ts";
import type { People, World } from "./world.ts";

export interface Caller {
  name: string;
  /** The database's role. */
  role: "anon" | "authenticated" | "service_role";
  /** Who is signed in. */
  user?: string;
}

const SECONDS = 3_600;

/** What an access token says of a user; their session has their id. */
export const claimsOf = (user: string): string =>
  JSON.stringify({ sub: user, session_id: user, role: "authenticated", aal: "aal2" });

/** Everybody at home, and one with no login at all. Nobody is of the other clinic. */
export function callersOf({ home }: World): Caller[] {
  const members = Object.entries(home.people as People).map(
    ([name, user]): Caller => ({ name, role: "authenticated", user }),
  );
  return [...members, { name: "anon", role: "anon" }];
}

/** An access token of a user as Auth issues them, but for the changes. */
export function tokenOf(
  keys: StackKeys,
  url: string,
  user: string,
  changes: Record<string, unknown> = {},
): Promise<string> {
  const now = Math.floor(Date.now() / 1000);
  return new SignJWT({
    iss: `${url}/auth/v1`,
    sub: user,
    aud: "authenticated",
    exp: now + SECONDS,
    iat: now,
    role: "authenticated",
    aal: "aal2",
    session_id: user,
    email: `${user}@test.example`,
    is_anonymous: false,
    ...changes,
  })
    .setProtectedHeader({ alg: "ES256", kid: keys.kid, typ: "JWT" })
    .sign(keys.signingKey);
}
