/**
 * Who calls a function, and how the database is told.
 */
import process from "node:process";
import { resolveEnv, verifyAuth } from "@supabase/server/core";

/**
 * A signed-in user by their verified JWT, as whom row-level security sees the call; a service account by its token, which
 * the RPC takes as an argument and verifies itself; or the project's own jobs by the secret key, as the service role.
 */
export type Caller =
  | { readonly jwt: string }
  | { readonly serviceToken: string }
  | { readonly secretKey: string };

/** Finds the caller of a request; null when nobody is named, or not by anything that can be valid. */
export type Authenticate = (request: Request) => Promise<Caller | null>;

const LOCAL_ISSUER = /^http:\/\/(127\.0\.0\.1|localhost):\d+\/auth\/v1$/;
const SERVICE_TOKEN = /^Bearer +(hf_[A-Za-z0-9_-]{43})$/i;

/** The signed-in user, once their token's signature, expiry, audience and issuer are verified. */
export const signedInUser: Authenticate = async (request) => {
  const { data: env } = resolveEnv();
  // Without keys every token would look forged, and a deployment's mistake would pass for the caller's.
  if (!env?.jwks) throw new TypeError("no JWKS is configured");
  const { data, error } = await verifyAuth(request, { auth: "user" });
  if (error && error.status >= 500) throw error;
  return data?.token && data.jwtClaims && isForUs(data.jwtClaims, env.url) ? { jwt: data.token } : null;
};

/** Whether a token is of this project's users: it ends, and is meant for signed-in users. Signed with our key may be others too. */
function isForUs({ aud, exp, iss }: Readonly<Record<string, unknown>>, url: string): boolean {
  return typeof exp === "number" && [aud].flat().includes("authenticated") && isIssuer(iss, url);
}

/**
 * Whether this project's own Auth issued a token. With a custom domain Auth calls itself by another name than
 * SUPABASE_URL: then the secret HOLDFAST_JWT_ISSUER says which.
 */
function isIssuer(issuer: unknown, url: string): boolean {
  const named = process.env.HOLDFAST_JWT_ISSUER;
  if (named) return issuer === named;
  // `supabase start` gives functions the API's name inside Docker, and Auth signs with the one outside.
  if (new URL(url).hostname === "kong") return LOCAL_ISSUER.test(String(issuer));
  return issuer === `${url}/auth/v1`;
}

/** A service account. Only the token's form is judged here: whether it counts, the database knows. */
export const serviceAccount: Authenticate = async (request) => {
  const [, serviceToken] = request.headers.get("authorization")?.match(SERVICE_TOKEN) ?? [];
  return serviceToken === undefined ? null : { serviceToken };
};

/** The project's own jobs, by the secret key in the header `apikey`. */
export const secretKey: Authenticate = async (request) => {
  const { data: env } = resolveEnv();
  // Without keys every call would look forged, and a deployment's mistake would pass for the caller's.
  if (!env || Object.keys(env.secretKeys).length === 0) throw new TypeError("no secret key is configured");
  const { error } = await verifyAuth(request, { auth: "secret:*" });
  const given = request.headers.get("apikey");
  return error || given === null ? null : { secretKey: given };
};

/** The project itself, for who is no user and comes with what only a function of the project may ask about. */
export function theProjectItself(): Caller {
  const { data: env } = resolveEnv();
  const key = env?.secretKeys.default ?? Object.values(env?.secretKeys ?? {})[0];
  if (key === undefined) throw new TypeError("no secret key is configured");
  return { secretKey: key };
}
