import { createClient as createSupabase, type SupabaseClient } from "@supabase/supabase-js";
import { decodeJwt, exportJWK, generateKeyPair, SignJWT, UnsecuredJWT } from "jose";
import { beforeAll, describe, expect, it } from "vitest";
import WebSocket from "ws";
import { startFunctions } from "../../../scripts/stack/index.ts";
import { loadKeys } from "../../../scripts/stack/keys.ts";
import { createHoldfast } from "../../../src/lib/index.ts";
import { call, expectProblem, holdBody, time } from "../support/calls.ts";
import { type Clinic, createClinic, createUser, PASSWORD, TIME_ZONE } from "../support/clinic.ts";
import { connect, sql, stack } from "../support/stack.ts";

let clinic: Clinic;
let forgeries: Record<string, string>;

beforeAll(async () => {
  clinic = await createClinic();
  const claims = {
    sub: clinic.admin.id,
    role: "authenticated",
    aud: "authenticated",
    iss: `${stack.url}/auth/v1`,
    exp: Math.floor(Date.now() / 1000) + 3600,
  };
  const real = await clinic.rosa.user.token();
  const [header, payload, signature] = real.split(".") as [string, string, string];
  const guessed = new TextEncoder().encode("super-secret-jwt-token-with-at-least-32-characters-long");
  const altered = Buffer.from(
    JSON.stringify({ ...JSON.parse(Buffer.from(payload, "base64url").toString()), sub: clinic.admin.id }),
  ).toString("base64url");
  const otherProject = await generateKeyPair("ES256");
  const { kid } = JSON.parse(Buffer.from(header, "base64url").toString());
  forgeries = {
    "another project's key under this one's kid": await new SignJWT(claims)
      .setProtectedHeader({ alg: "ES256", kid })
      .sign(otherProject.privateKey),
    "no algorithm": new UnsecuredJWT(claims).encode(),
    "a guessed secret": await new SignJWT(claims).setProtectedHeader({ alg: "HS256" }).sign(guessed),
    "another user's id under a real signature": `${header}.${altered}.${signature}`,
    "no token at all": "not-a-token",
  };
});

describe("a forged token", () => {
  it("is refused by the functions and never taken for an anonymous call", async () => {
    for (const [how, token] of Object.entries(forgeries)) {
      const response = await call("sessions-hold", null, holdBody(clinic, time(30, 16)), {
        authorization: `Bearer ${token}`,
      });
      expect(response.headers.get("www-authenticate"), how).toContain("Bearer");
      await expectProblem(response, "unauthenticated");
    }
  });

  it("is refused beside the secret key as well: it does not become the service role", async () => {
    for (const [how, token] of Object.entries(forgeries)) {
      const response = await fetch(`${stack.url}/rest/v1/sessions?select=id`, {
        headers: { apikey: stack.secretKey, authorization: `Bearer ${token}` },
      });
      expect(response.status, how).toBe(401);
    }
  });

  it("is refused by the REST API", async () => {
    for (const [how, token] of Object.entries(forgeries)) {
      const response = await fetch(`${stack.url}/rest/v1/sessions?select=id`, {
        headers: { apikey: stack.publishableKey, authorization: `Bearer ${token}` },
      });
      expect(response.status, how).toBe(401);
    }
  });
});

// With keys of our own, so that tokens can be signed that the stack would never issue.
describe.runIf(stack.functionsEnv)("a token with a good signature", () => {
  it("is refused once it has expired or when another issued it, and taken otherwise", async () => {
    const { publicKey, privateKey } = await generateKeyPair("ES256");
    const jwk = { ...(await exportJWK(publicKey)), kid: "ours", alg: "ES256", use: "sig" };
    const host = await startFunctions(
      { ...stack.functionsEnv, SUPABASE_JWKS: JSON.stringify({ keys: [jwk] }) },
      () => {},
    );
    const callWith = async (expiry: string, issuer = `${stack.url}/auth/v1`) => {
      const token = await new SignJWT({ role: "authenticated" })
        .setProtectedHeader({ alg: "ES256", kid: "ours" })
        .setSubject(clinic.rosa.user.id)
        .setAudience("authenticated")
        .setIssuer(issuer)
        .setIssuedAt("2 hours ago")
        .setExpirationTime(expiry)
        .sign(privateKey);
      return fetch(`${host.url}/sessions-hold`, {
        method: "POST",
        headers: { authorization: `Bearer ${token}` },
        body: "{}",
      });
    };
    try {
      await expectProblem(await callWith("1 hour ago"), "unauthenticated");
      await expectProblem(await callWith("1 hour", "https://elsewhere.example/auth/v1"), "unauthenticated");
      await expectProblem(await callWith("1 hour"), "validation_failed");
    } finally {
      await host.stop();
    }
  });
});

describe("the secret key beside a user's token", () => {
  it("runs as the user, under the user's policies", async () => {
    const elsewhere = await createClinic();
    const response = await fetch(`${stack.url}/rest/v1/therapists?select=organization_id`, {
      headers: { apikey: stack.secretKey, authorization: `Bearer ${await elsewhere.admin.token()}` },
    });
    const rows = (await response.json()) as { organization_id: string }[];
    expect(new Set(rows.map((row) => row.organization_id))).toEqual(new Set([elsewhere.id]));
  });
});

describe("without a login", () => {
  it("nothing is readable and no RPC can be called", async () => {
    const anonymous = connect();
    for (const table of ["organizations", "sessions", "session_holds", "clients", "therapists"] as const) {
      const { data, error } = await anonymous.from(table).select("*");
      expect(data, table).toBeNull();
      expect(error?.code, table).toBe("42501");
    }
    const { error } = await anonymous.rpc("hold_sessions", { request: {} });
    expect(error?.code).toBe("42501");
  });
});

describe("an access token", () => {
  it("carries what the hook adds: organization, role and therapist", async () => {
    const token = await clinic.rosa.user.token();
    const claims = JSON.parse(Buffer.from(token.split(".")[1] ?? "", "base64url").toString());
    expect(claims).toMatchObject({
      org_id: clinic.id,
      org_role: "therapist",
      therapist_id: clinic.rosa.id,
      aal: "aal1",
    });
  });

  it("has its claims renewed by a refresh", async () => {
    const client = await clinic.theo.user.client();
    const { data, error } = await client.auth.refreshSession();
    expect(error).toBeNull();
    const claims = JSON.parse(
      Buffer.from(data.session?.access_token.split(".")[1] ?? "", "base64url").toString(),
    );
    expect(claims).toMatchObject({ sub: clinic.theo.user.id, org_id: clinic.id });
  });
});

describe("a device whose clock is slow", () => {
  /** Somebody signed in with a token that has ended, which their device takes for good for ten minutes more. */
  async function slowDevice(): Promise<{ supabase: SupabaseClient; signedOut: () => Promise<unknown> }> {
    const own = connect();
    const { email } = clinic.admin;
    const { session } = (await own.auth.signInWithPassword({ email, password: PASSWORD })).data;
    const { dataDir } = (await (await fetch(`${stack.url}/health`)).json()) as { dataDir: string };
    const { kid, signingKey } = await loadKeys(dataDir);
    const now = Math.floor(Date.now() / 1_000);
    const ended = await new SignJWT({ ...decodeJwt(session?.access_token ?? ""), exp: now - 60 })
      .setProtectedHeader({ alg: "ES256", kid, typ: "JWT" })
      .sign(signingKey);
    const stored = new Map<string, string>();
    const supabase = createSupabase(stack.url, stack.publishableKey, {
      auth: {
        autoRefreshToken: false,
        storageKey: "slow",
        storage: {
          getItem: (key) => stored.get(key) ?? null,
          setItem: (key, value) => void stored.set(key, value),
          removeItem: (key) => void stored.delete(key),
        },
      },
      realtime: { transport: WebSocket as unknown as typeof globalThis.WebSocket },
    });
    await supabase.auth.initialize();
    stored.set("slow", JSON.stringify({ ...session, access_token: ended, expires_at: now + 600 }));
    return { supabase, signedOut: () => own.auth.signOut({ scope: "local" }) };
  }

  it("has its token renewed when the server says that it has ended, and the call made", async () => {
    const search = {
      clientId: clinic.aspen,
      serviceCode: "97153",
      durationMinutes: 60,
      timeZone: TIME_ZONE,
      rangeStart: time(40, 16).start_time,
      rangeEnd: time(40, 18).start_time,
    };
    const bySearch = (await slowDevice()).supabase;
    expect(await createHoldfast(bySearch).sessions.findOpenTimes(search)).toHaveLength(2);
    const byRpc = (await slowDevice()).supabase;
    const { preview } = await createHoldfast(byRpc).insights.readInsights({ organizationId: clinic.id });
    expect(preview.type).toBe("insights.day");
  });

  it("hears changes, by a renewed token", async () => {
    const { supabase } = await slowDevice();
    const status = await new Promise((onStatus) => {
      createHoldfast(supabase).changes.subscribe({ organizationId: clinic.id }, () => {}, { onStatus });
    });
    expect(status).toBe("live");
    await supabase.removeAllChannels();
  });

  it("is told to sign in when its session has ended too", async () => {
    const { supabase, signedOut } = await slowDevice();
    await signedOut();
    const read = createHoldfast(supabase).insights.readInsights({ organizationId: clinic.id });
    await expect(read).rejects.toMatchObject({ code: "unauthenticated" });
  });
});

describe("a user of two organizations", () => {
  it("sees both, chooses one, and after the next refresh sees only that one", async () => {
    const second = await createClinic();
    const user = await createUser("admin", clinic.id);
    await sql`insert into public.user_roles (organization_id, user_id, role) values (${second.id}, ${user.id}, 'admin')`;
    const client = await user.client();
    const seen = async () =>
      (await client.from("organizations").select("id").order("id")).data?.map((row) => row.id);
    const both = [clinic.id, second.id].sort();
    expect(await seen()).toEqual(both);

    expect((await client.rpc("choose_organization", { organization: second.id })).error).toBeNull();
    expect(await seen()).toEqual(both);
    const { data } = await client.auth.refreshSession();
    const claims = JSON.parse(
      Buffer.from(data.session?.access_token.split(".")[1] ?? "", "base64url").toString(),
    );
    expect(claims).toMatchObject({ org_id: second.id, org_role: "admin" });
    expect(await seen()).toEqual([second.id]);

    const elsewhere = await createClinic();
    const refused = await client.rpc("choose_organization", { organization: elsewhere.id });
    expect(refused.error?.code).toBe("42501");
  });

  it("loses an organization in the next statement when the role there is revoked, and all when banned", async () => {
    const user = await createUser("internal_ops", clinic.id);
    const client = await user.client();
    const therapists = async () => (await client.from("therapists").select("id")).data?.length;
    expect(await therapists()).toBe(2);
    await sql`update auth.users set banned_until = now() + interval '1 hour' where id = ${user.id}`;
    expect(await therapists()).toBe(0);
    await sql`update auth.users set banned_until = null where id = ${user.id}`;
    expect(await therapists()).toBe(2);
    await sql`update public.user_roles set revoked_at = now() where user_id = ${user.id}`;
    expect(await therapists()).toBe(0);
  });
});

describe("a second factor", () => {
  it("is asked for where the organization demands it: aal1 sees no row, aal2 sees them", async () => {
    const strict = await createClinic();
    await sql`update public.organizations set requires_mfa = true where id = ${strict.id}`;
    const client = await strict.admin.client();
    const seen = async () => (await client.from("clients").select("id")).data?.length;
    expect(await seen()).toBe(0);
    await sql`update auth.sessions set aal = 'aal2' where user_id = ${strict.admin.id}`;
    await client.auth.refreshSession();
    expect(await seen()).toBe(3);
  });
});

describe("a browser", () => {
  it("may call the functions from another origin, with the headers that apps send", async () => {
    const response = await fetch(`${stack.url}/functions/v1/sessions-hold`, {
      method: "OPTIONS",
      headers: {
        origin: "https://app.example",
        "access-control-request-method": "POST",
        "access-control-request-headers":
          "authorization, apikey, content-type, idempotency-key, x-client-info",
      },
    });
    expect(response.ok).toBe(true);
    expect(response.headers.get("access-control-allow-origin")).toBe("*");
    for (const header of ["authorization", "apikey", "content-type", "idempotency-key", "x-client-info"]) {
      expect(response.headers.get("access-control-allow-headers")?.toLowerCase()).toContain(header);
    }
  });

  it("may read the answer's headers, also of a problem", async () => {
    const response = await call("sessions-hold", null, {}, { origin: "https://app.example" });
    expect(response.headers.get("access-control-allow-origin")).toBe("*");
    const exposed = response.headers.get("access-control-expose-headers")?.toLowerCase();
    for (const header of ["idempotency-replayed", "retry-after", "x-request-id"])
      expect(exposed).toContain(header);
    expect(response.headers.get("x-request-id")).toMatch(/^[\w.-]{1,64}$/);
  });
});
