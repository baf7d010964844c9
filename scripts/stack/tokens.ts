// Access tokens as hosted Auth issues them: ES256 with a `kid`, claims passed through the project's custom access token
// hook. The inner server signs HS256 and knows no hook, so its tokens are swapped here on the way out and back in.

import { decodeJwt, errors, type JWTPayload, jwtVerify, SignJWT } from "jose";
import type { Sql } from "postgres";
import type { StackKeys } from "./keys.ts";

/** The part of Auth's answers that this file reads. */
export interface AuthSession {
  access_token: string;
  expires_in?: number;
  expires_at?: number;
  user?: {
    phone?: string;
    app_metadata?: Record<string, unknown>;
    user_metadata?: Record<string, unknown>;
    is_anonymous?: boolean;
  };
}

export interface TokenService {
  /** The claims of a token that this stack issued and that has not expired. Throws InvalidToken otherwise. */
  verify(token: string): Promise<JWTPayload>;
  /** The same claims as the inner server accepts them. */
  inner(claims: JWTPayload): Promise<string>;
  /** Runs the hook over a session the inner server opened and gives the session with its outward access token. */
  issue<Session extends AuthSession>(session: Session, authenticationMethod: string): Promise<Session>;
}

export class InvalidToken extends Error {
  readonly expired: boolean;
  constructor(message: string, expired = false) {
    super(message);
    this.expired = expired;
  }
}

/** The hook refused the sign-in, or failed. `status` is what it asked for. */
export class HookRefused extends Error {
  readonly status: number;
  readonly code: string;
  constructor(status: number, code: string, message: string) {
    super(message);
    this.status = status;
    this.code = code;
  }
}

/** Claims Auth demands of what the hook gives back: it may add to them, not take them away. */
const requiredClaims = [
  "iss",
  "aud",
  "exp",
  "iat",
  "sub",
  "role",
  "aal",
  "session_id",
  "email",
  "is_anonymous",
];

export function createTokenService(keys: StackKeys, issuer: string, admin: Sql): TokenService {
  const innerKey = new TextEncoder().encode(keys.innerSecret);

  const sign = (claims: JWTPayload): Promise<string> =>
    new SignJWT(claims).setProtectedHeader({ alg: "ES256", kid: keys.kid, typ: "JWT" }).sign(keys.signingKey);

  return {
    verify: async (token) => {
      try {
        const { payload } = await jwtVerify(token, keys.verifyingKey, {
          algorithms: ["ES256"],
          issuer,
          audience: "authenticated",
          requiredClaims: ["sub", "exp", "role"],
        });
        return payload;
      } catch (error) {
        const expired = error instanceof errors.JWTExpired;
        throw new InvalidToken(
          expired ? "JWT expired" : "JWT invalid or not issued by this project",
          expired,
        );
      }
    },

    inner: (claims) => new SignJWT(claims).setProtectedHeader({ alg: "HS256", typ: "JWT" }).sign(innerKey),

    issue: async (session, authenticationMethod) => {
      const { sub, session_id, email, exp, iat } = decodeJwt(session.access_token);
      if (!sub || !exp || !iat) throw new Error("the inner server issued a token without sub, exp or iat");
      const { user } = session;
      const claims = {
        iss: issuer,
        sub,
        aud: "authenticated",
        exp,
        iat,
        email: email ?? "",
        phone: user?.phone ?? "",
        app_metadata: user?.app_metadata ?? {},
        user_metadata: user?.user_metadata ?? {},
        role: "authenticated",
        // There is no MFA here; a test that needs aal2 writes it to auth.sessions and refreshes the session.
        aal: await sessionAal(admin, session_id),
        amr: [{ method: signInMethod(authenticationMethod), timestamp: iat }],
        session_id,
        is_anonymous: user?.is_anonymous ?? false,
      };
      const final = await runHook(admin, {
        user_id: sub,
        claims,
        authentication_method: authenticationMethod,
      });
      const issued = { ...session, access_token: await sign(final) };
      // The hook may shorten the token's life, never the answer's truth about it.
      if (final.exp) issued.expires_at = final.exp;
      if (final.exp && final.iat) issued.expires_in = final.exp - final.iat;
      return issued;
    },
  };
}

/** A refreshed session still says how its user once signed in. */
function signInMethod(authenticationMethod: string): string {
  return authenticationMethod === "token_refresh" ? "password" : authenticationMethod;
}

async function sessionAal(admin: Sql, sessionId: unknown): Promise<string> {
  if (typeof sessionId !== "string") return "aal1";
  const [session] = await admin<
    { aal: string | null }[]
  >`select aal from auth.sessions where id = ${sessionId}`;
  return session?.aal ?? "aal1";
}

interface HookEvent {
  user_id: string | undefined;
  claims: JWTPayload;
  authentication_method: string;
}

/** As Auth runs it: as supabase_auth_admin, two seconds at most, in a transaction of its own. */
async function runHook(admin: Sql, event: HookEvent): Promise<JWTPayload> {
  const [found] = await admin`select to_regprocedure('public.custom_access_token_hook(jsonb)') as hook`;
  if (!found?.hook) return event.claims;
  let answer: { claims?: JWTPayload; error?: { http_code?: number; message?: string } } | undefined;
  try {
    answer = await admin.begin(async (transaction) => {
      await transaction`set local statement_timeout = '2s'`;
      await transaction`set local role supabase_auth_admin`;
      const [row] = await transaction`
        select public.custom_access_token_hook(${transaction.json(JSON.parse(JSON.stringify(event)))}) as answer
      `;
      return row?.answer;
    });
  } catch (error) {
    const reason = error instanceof Error ? error.message : String(error);
    throw new HookRefused(
      500,
      "unexpected_failure",
      `Error running hook custom_access_token_hook: ${reason}`,
    );
  }
  if (answer?.error) {
    const { http_code = 500, message = "The hook refused the request" } = answer.error;
    throw new HookRefused(http_code, "unexpected_failure", message);
  }
  const claims = answer?.claims;
  const missing = requiredClaims.filter((name) => claims?.[name] === undefined);
  if (!claims || missing.length > 0) {
    const message = `output claims do not conform to the expected schema: missing ${missing.join(", ")}`;
    throw new HookRefused(500, "unexpected_failure", message);
  }
  return claims;
}
