/**
 * Who calls a function, and how the database is told.
 */
import { resolveEnv, verifyAuth } from "@supabase/server/core";

/**
 * A signed-in user by their verified JWT, as whom row-level security sees the call; or a service account by its token,
 * which the RPC takes as an argument and verifies itself.
 */
export type Caller = { readonly jwt: string } | { readonly serviceToken: string };

/** Finds the caller of a request; null when nobody is named, or not by anything that can be valid. */
export type Authenticate = (request: Request) => Promise<Caller | null>;

const SERVICE_TOKEN = /^Bearer +(hf_[A-Za-z0-9_-]{43})$/i;

/** The signed-in user, once their token's signature and expiry are verified. */
export const signedInUser: Authenticate = async (request) => {
  // Without keys every token would look forged, and a deployment's mistake would pass for the caller's.
  if (!resolveEnv().data?.jwks) throw new TypeError("no JWKS is configured");
  const { data, error } = await verifyAuth(request, { auth: "user" });
  if (error && error.status >= 500) throw error;
  return data?.token ? { jwt: data.token } : null;
};

/** A service account. Only the token's form is judged here: whether it counts, the database knows. */
export const serviceAccount: Authenticate = async (request) => {
  const [, serviceToken] = request.headers.get("authorization")?.match(SERVICE_TOKEN) ?? [];
  return serviceToken === undefined ? null : { serviceToken };
};
