// What ends an account's access, over real HTTP: the token in the caller's hand is still good by its signature and its
// expiry, and the next request with it finds nothing.

import { readFileSync } from "node:fs";
import type { SupabaseClient } from "@supabase/supabase-js";
import { afterEach, beforeAll, describe, expect, it } from "vitest";
import { projectPath } from "../../../scripts/stack/paths.ts";
import { call, expectData, expectProblem, holdBody, time } from "../support/calls.ts";
import { type Clinic, createClinic, createUser, type User } from "../support/clinic.ts";
import { connect, sql, stack } from "../support/stack.ts";

let clinic: Clinic;
beforeAll(async () => {
  clinic = await createClinic();
});
// Each test holds the same time.
afterEach(() => sql`delete from public.session_holds where organization_id = ${clinic.id}`);

const NEW_PASSWORD = "another horse, another staple";
const sessionOf = (token: string): string =>
  JSON.parse(Buffer.from(token.split(".")[1] ?? "", "base64url").toString()).session_id;

/** Asks with a token as it was issued, whatever has become of its session. */
async function access(token: string) {
  const headers = { authorization: `Bearer ${token}` };
  const rest = async (path: string, init: RequestInit = {}) =>
    (
      await fetch(`${stack.url}/rest/v1/${path}`, {
        ...init,
        headers: { ...headers, apikey: stack.publishableKey, "content-type": "application/json" },
      })
    ).json();
  const answer = await rest("rpc/find_open_times", { method: "POST", body: JSON.stringify({ request: {} }) });
  return {
    clients: (await rest("clients?select=id")).length,
    roles: (await rest("user_roles?select=id")).length,
    rpc: answer.problem?.code,
    called: await call("sessions-hold", null, holdBody(clinic, time(40, 16)), headers),
  };
}

/** Each way in which the session or the account of a signed-in user ends. */
const endings: Record<string, (user: User, token: string) => Promise<unknown>> = {
  "signed out": async (user) => (await user.client()).auth.signOut({ scope: "local" }),
  "signed out from another device": async (user) => {
    const other = await signIn(user);
    return other.auth.signOut({ scope: "global" });
  },
  "given a new password by themselves": async (user) =>
    (await user.client()).auth.updateUser({ password: NEW_PASSWORD }),
  "given a new password by an operator": (user) =>
    sql`update auth.users set encrypted_password = 'reset' where id = ${user.id}`,
  "idle for too long": (_, token) =>
    sql`update auth.sessions set refreshed_at = (now() - interval '31 minutes') at time zone 'UTC', created_at = now() - interval '2 hours'
      where id = ${sessionOf(token)}`,
  "idle since the sign-in": (_, token) =>
    sql`update auth.sessions set refreshed_at = null, created_at = now() - interval '31 minutes' where id = ${sessionOf(token)}`,
  "signed in too long ago": (_, token) =>
    sql`update auth.sessions set refreshed_at = now() at time zone 'UTC', created_at = now() - interval '12 hours 1 minute'
      where id = ${sessionOf(token)}`,
  "ended by Auth at a time": (_, token) =>
    sql`update auth.sessions set not_after = now() - interval '1 second' where id = ${sessionOf(token)}`,
  banned: (user) => sql`update auth.users set banned_until = now() + interval '1 day' where id = ${user.id}`,
};

async function signIn(user: User, password = "correct horse battery staple"): Promise<SupabaseClient> {
  const client = connect();
  const { error } = await client.auth.signInWithPassword({ email: user.email, password });
  if (error) throw error;
  return client;
}

describe("a token that is still good", () => {
  it.each(Object.keys(endings))("opens nothing once its user is %s", async (how) => {
    const user = await createUser("admin", clinic.id);
    const token = await user.token();
    const before = await access(token);
    expect(before).toMatchObject({ clients: 3, rpc: "not_found" });
    expect(before.roles).toBeGreaterThan(0);
    await expectData(before.called, 201);
    await endings[how]?.(user, token);

    const { called, ...seen } = await access(token);
    expect(seen).toEqual({ clients: 0, roles: 0, rpc: "unauthenticated" });
    await expectProblem(called, "unauthenticated");
  });

  it("opens nothing of an organization once its user's role there is revoked", async () => {
    const user = await createUser("admin", clinic.id);
    const token = await user.token();
    await sql`update public.user_roles set revoked_at = now() where user_id = ${user.id}`;
    const { called, ...seen } = await access(token);
    expect(seen).toMatchObject({ clients: 0, rpc: "not_found" });
    await expectProblem(called, "not_found");
  });

  it("is nobody's once its user is deleted", async () => {
    const user = await createUser();
    const token = await user.token();
    await sql`delete from auth.users where id = ${user.id}`;
    const { called, ...seen } = await access(token);
    expect(seen).toEqual({ clients: 0, roles: 0, rpc: "unauthenticated" });
    await expectProblem(called, "unauthenticated");
  });
});

describe("a session", () => {
  it("ends for one device only when its user signs out there", async () => {
    const user = await createUser("admin", clinic.id);
    const other = await signIn(user);
    await (await user.client()).auth.signOut({ scope: "local" });
    expect((await other.from("clients").select("id")).data).toHaveLength(3);
  });

  it("ends on every device by a new password, which then signs in anew", async () => {
    const user = await createUser("admin", clinic.id);
    const [first, second] = [await signIn(user), await signIn(user)];
    const { error } = await first.auth.updateUser({ password: NEW_PASSWORD });
    expect(error).toBeNull();
    for (const client of [first, second]) {
      expect((await client.auth.refreshSession()).error?.status).toBe(400);
    }
    const anew = await signIn(user, NEW_PASSWORD);
    expect((await anew.from("clients").select("id")).data).toHaveLength(3);
  });

  it("goes on as long as it is refreshed, and keeps what else of the account changes", async () => {
    const user = await createUser("admin", clinic.id);
    const client = await user.client();
    const id = sessionOf(await user.token());
    await sql`update auth.sessions
      set created_at = now() - interval '11 hours', refreshed_at = (now() - interval '29 minutes') at time zone 'UTC' where id = ${id}`;
    expect((await client.from("clients").select("id")).data).toHaveLength(3);
    expect((await client.auth.refreshSession()).error).toBeNull();
    const [row] =
      await sql`select refreshed_at at time zone 'UTC' > now() - interval '1 minute' as moved from auth.sessions where id = ${id}`;
    expect(row).toEqual({ moved: true });
    expect((await client.auth.updateUser({ data: { theme: "dark" } })).error).toBeNull();
    expect((await client.from("clients").select("id")).data).toHaveLength(3);
  });

  it("is limited by Auth as it is by the database", () => {
    const config = readFileSync(projectPath("supabase", "config.toml"), "utf8");
    const database = readFileSync(
      projectPath("supabase", "migrations", "20261123000200_tenancy.sql"),
      "utf8",
    );
    const [, hours] = config.match(/^timebox = "(\d+)h"$/m) ?? [];
    const [, minutes] = config.match(/^inactivity_timeout = "(\d+)m"$/m) ?? [];
    expect(database).toContain(`longest constant interval := '${hours} hours';`);
    expect(database).toContain(`longest_idle constant interval := '${minutes} minutes';`);
    // A token must end before its session is idle, or a user at work is signed out.
    const [, expiry] = config.match(/^jwt_expiry = (\d+)$/m) ?? [];
    expect(Number(expiry)).toBeLessThanOrEqual(Number(minutes) * 30);
  });
});

describe("config.toml", () => {
  it("takes back nothing that operators turn on: what it declares is pushed at each release", () => {
    const config = readFileSync(projectPath("supabase", "config.toml"), "utf8");
    expect(config).not.toMatch(/^(enable_confirmations|\[auth\.(captcha|rate_limit|email\.smtp))/m);
    const [, length] = config.match(/^minimum_password_length = (\d+)$/m) ?? [];
    expect(Number(length)).toBeGreaterThanOrEqual(12);
  });
});

describe("the trail of an account", () => {
  it("has sign-ins, ends of sessions and changes of the password, and nothing of device and address", async () => {
    const user = await createUser();
    const client = await signIn(user);
    await client.auth.updateUser({ password: NEW_PASSWORD });
    await (await signIn(user, NEW_PASSWORD)).auth.signOut();
    const events = await sql`
      select action, details from audit.events where actor_id = ${user.id} order by id`;
    const actions = events.map(({ action }) => action);
    expect(actions).toEqual([
      // The fixture's own session is the first to begin; both end by the new password.
      "account.signed_in",
      "account.signed_in",
      "account.session_ended",
      "account.session_ended",
      "account.password_changed",
      "account.signed_in",
      "account.session_ended",
    ]);
    expect(events.every(({ details }) => JSON.stringify(details) === "{}")).toBe(true);
  });
});
