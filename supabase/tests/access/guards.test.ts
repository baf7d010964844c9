// The route guards of src/lib/guards.ts against the catalog, and against what each role sees over REST.

import { randomUUID } from "node:crypto";
import type { SupabaseClient } from "@supabase/supabase-js";
import { beforeAll, describe, expect, it } from "vitest";
import type { Database } from "../../../src/lib/database.types.ts";
import {
  canEnter,
  PERMISSIONS,
  type Permission,
  ROLES,
  ROUTE_GUARDS,
  type Role,
  type Route,
  type RouteGuard,
} from "../../../src/lib/guards.ts";
import { type Clinic, createClinic, createUser, TIME_ZONE, type User } from "../support/clinic.ts";
import { sql } from "../support/stack.ts";

type App = SupabaseClient<Database>;

const GUARDS = Object.entries(ROUTE_GUARDS) as [Route, RouteGuard][];
const ALLOWED = GUARDS.flatMap(([route, guard]) => guard.roles.map((role) => ({ route, guard, role })));
/** What names a client, tells of their treatment, or of what somebody did. */
const SENSITIVE = new Set<string>([
  "clients",
  "care_team_assignments",
  "sessions",
  "waitlist_entries",
  "waitlist_times",
  "family_clients",
  "family_sessions",
  "denied_attempts",
  "list_audit_events",
  "list_denied_attempts",
]);

const sourcesOf = (guard: RouteGuard): string[] => [
  ...new Set([...guard.policies.map(({ table }) => table), ...guard.views, ...guard.functions]),
];
const REFUSED = GUARDS.flatMap(([route, guard]) => {
  const sensitive = sourcesOf(guard).filter((source) => SENSITIVE.has(source));
  const refused = ROLES.filter((role) => sensitive.length > 0 && !guard.roles.includes(role));
  return refused.map((role) => ({ route, role, sensitive }));
});

let clinic: Clinic;
/** One user a role, with what the role needs to have something to see. */
let users: Record<Role, User>;

beforeAll(async () => {
  clinic = await createClinic();
  const member = async (role: Role) => {
    const user = await createUser();
    const organization = role === "super_admin" ? null : clinic.id;
    await sql`
      insert into public.user_roles (user_id, organization_id, role) values (${user.id}, ${organization}, ${role})`;
    return user;
  };
  users = {
    client: await member("client"),
    therapist: clinic.rosa.user,
    supervisor: await member("supervisor"),
    psychiatrist: await member("psychiatrist"),
    internal_ops: clinic.scheduler,
    partner_provider: await member("partner_provider"),
    admin: clinic.admin,
    super_admin: await member("super_admin"),
    system_service: await member("system_service"),
  };

  // Rosa's session with Aspen: the supervisor supervises her, the psychiatrist reviews Aspen, a parent has a login.
  await sql`
    insert into public.sessions (
      organization_id, therapist_id, client_id, service_id, start_time, end_time, time_zone)
    select ${clinic.id}, ${clinic.rosa.id}, ${clinic.aspen}, service.id,
      now() + interval '1 day', now() + interval '25 hours', ${TIME_ZONE}
    from public.services service
    where service.organization_id = ${clinic.id} and service.service_code = '97153'`;
  const colleague = async (user: User, credential: string) => {
    const id = randomUUID();
    await sql`
      insert into public.therapists (id, organization_id, user_id, display_name, credential)
      values (${id}, ${clinic.id}, ${user.id}, 'A therapist', ${credential})`;
    return id;
  };
  await sql`
    insert into public.supervisions (organization_id, supervisor_id, therapist_id, starts_on)
    values (${clinic.id}, ${await colleague(users.supervisor, "BCBA")}, ${clinic.rosa.id}, current_date - 30)`;
  await sql`
    insert into public.care_team_assignments (organization_id, therapist_id, client_id, team_role, starts_on)
    values (${clinic.id}, ${await colleague(users.psychiatrist, "MD")}, ${clinic.aspen}, 'psychiatrist', current_date - 30)`;
  await sql`
    insert into public.client_guardians (organization_id, client_id, user_id, relationship, starts_on)
    values (${clinic.id}, ${clinic.aspen}, ${users.client.id}, 'parent', current_date - 30)`;

  await sql`
    with entry as (
      insert into public.waitlist_entries (
        organization_id, client_id, service_id, duration_minutes, wanted_from, time_zone)
      select ${clinic.id}, ${clinic.aspen}, service.id, 60, current_date, ${TIME_ZONE}
      from public.services service
      where service.organization_id = ${clinic.id} and service.service_code = '97153'
      returning id)
    insert into public.waitlist_times (organization_id, entry_id, client_id, weekday, local_start, local_end)
    select ${clinic.id}, entry.id, ${clinic.aspen}, 1, '08:00', '18:00' from entry`;
  await sql`
    insert into public.availability_exceptions (organization_id, therapist_id, kind, start_time, end_time, time_zone)
    values (${clinic.id}, ${clinic.rosa.id}, 'time_off', now() + interval '30 days', now() + interval '31 days', ${TIME_ZONE})`;

  const partner = await users.partner_provider.client();
  await succeed(partner.from("referrals").insert({ organization_id: clinic.id, reference: "R-1" } as never));
  // Refused, and on record.
  await succeed((await users.therapist.client()).rpc("archive_client", { client: clinic.aspen }));
  await signInWithSecondFactor(users.super_admin);
});

/** The stack has no second factor to type in; the session's row says what a real one would have made of it. */
async function signInWithSecondFactor(user: User): Promise<void> {
  const { auth } = await user.client();
  await sql`update auth.sessions set aal = 'aal2' where user_id = ${user.id}`;
  const { error } = await auth.refreshSession();
  expect(error).toBeNull();
}

async function succeed<Data>(request: PromiseLike<{ data: Data; error: unknown }>): Promise<Data> {
  const { data, error } = await request;
  expect(error).toBeNull();
  return data;
}

const KEYS: Record<string, string> = {
  family_clients: "client_id",
  family_sessions: "session_id",
  referral_summaries: "referral_id",
};

/** Reads a table, view or RPC as an app does; how many rows came, or the SQLSTATE of the refusal. */
async function read(app: App, name: string): Promise<number | string | undefined> {
  // Which names there are is what the guards say, so the types cannot follow.
  const { data, error } = name.startsWith("list_")
    ? await app.rpc(name as "list_audit_events", { organization: clinic.id })
    : await app
        .from(name as "clients")
        .select(KEYS[name] ?? "id")
        .limit(5);
  return error ? error.code : data?.length;
}

/** What somebody meets who may see nothing: no rows, and from the audit trail a refusal. */
const nothing = (source: string) => (source === "list_audit_events" ? "42501" : 0);

describe("the catalog", () => {
  it("has every policy that a guard relies on, on the table that it names", async () => {
    const known = await sql`select tablename, policyname from pg_policies where schemaname = 'public'`;
    const names = known.map(({ tablename, policyname }) => `${tablename}: ${policyname}`);
    for (const [route, { policies }] of GUARDS) {
      for (const { table, policy } of policies) expect(names, route).toContain(`${table}: ${policy}`);
    }
  });

  it("has every view and RPC that a guard relies on, and they run as their caller", async () => {
    const [known] = await sql`
      select
        array(
          select relname from pg_class
          where relnamespace = 'public'::regnamespace and relkind = 'v' and 'security_invoker=true' = any (reloptions)
        ) as views,
        array(
          select proname from pg_proc where pronamespace = 'public'::regnamespace and not prosecdef
        ) as functions`;
    for (const [route, guard] of GUARDS) {
      for (const view of guard.views) expect(known?.views, route).toContain(view);
      for (const name of guard.functions) expect(known?.functions, route).toContain(name);
    }
  });

  it("knows the same roles and permissions as the guards' types", async () => {
    const roles = await sql`select role from public.roles`;
    expect(roles.map(({ role }) => role).sort()).toEqual([...ROLES].sort());
    const permissions = await sql`select distinct permission from public.role_permissions`;
    expect(permissions.map(({ permission }) => permission).sort()).toEqual([...PERMISSIONS].sort());
  });

  it("gives a guard's permissions to exactly the roles that it allows", async () => {
    const rows = await sql<{ role: Role; permission: Permission }[]>`
      select role, permission from public.role_permissions`;
    const has = (role: Role, permission: Permission) =>
      rows.some((row) => row.role === role && row.permission === permission);
    for (const [route, { roles, permissions }] of GUARDS) {
      if (permissions.length === 0) continue;
      const able = ROLES.filter((role) => permissions.every((permission) => has(role, permission)));
      expect([...roles].sort(), route).toEqual(able.sort());
    }
  });
});

describe("a role that a guard allows", () => {
  it.each(ALLOWED)("$role has something to see behind $route", async ({ guard, role }) => {
    const app = await users[role].client();
    const sources = sourcesOf(guard);
    expect(sources).not.toEqual([]);
    for (const source of sources) expect(await read(app, source), source).toBeGreaterThan(0);
  });

  /** One lawful use of each writing policy that a guard names. */
  const uses: Record<string, (app: App) => PromiseLike<{ data: unknown; error: unknown }>> = {
    "admins add therapists": (app) =>
      app
        .from("therapists")
        .insert({ organization_id: clinic.id, display_name: "Somebody new", credential: "RBT" } as never)
        .select("id"),
    "referring practices refer": (app) =>
      app
        .from("referrals")
        .insert({ organization_id: clinic.id, reference: "R-2" } as never)
        .select("id"),
    "admins grant roles of their organization": (app) =>
      app
        .from("user_roles")
        .insert({ organization_id: clinic.id, user_id: users.system_service.id, role: "therapist" } as never)
        .select("id"),
    // The role that the use above granted.
    "admins end roles of their organization": (app) =>
      app
        .from("user_roles")
        .update({ revoked_at: new Date().toISOString() })
        .match({ organization_id: clinic.id, user_id: users.system_service.id, role: "therapist" })
        .select("id"),
    "super admins make tenants": (app) =>
      app
        .from("organizations")
        .insert({ name: "A new clinic", time_zone: TIME_ZONE } as never)
        .select("id"),
    "admins change their organization and super admins every tenant": (app) =>
      app.from("organizations").update({ name: "A renamed clinic" }).eq("id", clinic.id).select("id"),
  };

  it("can write what the guard's writing policies are for", async () => {
    const writing =
      await sql`select policyname from pg_policies where schemaname = 'public' and cmd <> 'SELECT'`;
    const names = new Set(writing.map(({ policyname }) => policyname));
    for (const { route, guard, role } of ALLOWED) {
      for (const { policy } of guard.policies.filter(({ policy }) => names.has(policy))) {
        const use = uses[policy];
        if (!use) throw new Error(`${route} names a writing policy that this test does not use: ${policy}`);
        expect(await succeed(use(await users[role].client())), `${role}: ${policy}`).toHaveLength(1);
      }
    }
  });

  it("is let in by what an app reads of its own roles, and so is nobody else", async () => {
    for (const role of ROLES) {
      const visitor = await readVisitor(await users[role].client(), users[role].id);
      for (const [route, guard] of GUARDS) {
        const path = route.replace(/:\w+/, randomUUID());
        expect(canEnter(path, visitor), `${role} at ${path}`).toBe(guard.roles.includes(role));
      }
    }
  });
});

/** As docs/guards.md shows it. */
async function readVisitor(supabase: App, userId: string) {
  const live = await supabase
    .from("user_roles")
    .select("role")
    .eq("user_id", userId)
    .is("revoked_at", null)
    .or(`expires_at.is.null,expires_at.gt.${new Date().toISOString()}`);
  const roles = (live.data ?? []).map(({ role }) => role as Role);
  const granted = await supabase.from("role_permissions").select("permission").in("role", roles);
  return { roles, permissions: (granted.data ?? []).map(({ permission }) => permission as Permission) };
}

describe("a role that a guard does not allow", () => {
  it.each(REFUSED)("$role sees nothing sensitive behind $route", async ({ role, sensitive }) => {
    const app = await users[role].client();
    for (const source of sensitive) {
      expect(await read(app, source), source).toBe(nothing(source));
    }
  });

  it("is the case for somebody with a login and no role, at every route", async () => {
    const stranger = await (await createUser()).client();
    for (const source of new Set(GUARDS.flatMap(([, guard]) => sourcesOf(guard)))) {
      expect(await read(stranger, source), source).toBe(nothing(source));
    }
  });
});
