import { createClient } from "@supabase/supabase-js";
import postgres from "postgres";
import { afterAll, beforeAll, expect, it } from "vitest";
import ws from "ws";
import type { Stack } from "../../../scripts/stack/index.ts";
import { startOwnStack } from "../support/own-stack.ts";

let local: Stack;
beforeAll(async () => {
  local = await startOwnStack({ seed: true });
});
afterAll(() => local.stop());

/** Every ACL of the schemas that hold our objects, as text. */
async function grants(): Promise<unknown> {
  const sql = postgres(local.databaseUrl, { max: 1 });
  try {
    return await sql`
      select 'relation' as kind, oid::regclass::text as name, relacl::text as acl
      from pg_class
      where relnamespace in ('public'::regnamespace, 'app'::regnamespace, 'audit'::regnamespace)
      union all
      select 'column', attrelid::regclass || '.' || attname, attacl::text
      from pg_attribute
      where attacl is not null
      union all
      select 'function', oid::regprocedure::text, proacl::text
      from pg_proc
      where pronamespace in ('public'::regnamespace, 'app'::regnamespace, 'audit'::regnamespace)
      union all
      select 'schema', nspname, nspacl::text
      from pg_namespace
      where nspname !~ '^pg_(toast_)?temp'
      union all
      select 'default', defaclrole::regrole || ' ' || defaclnamespace::regnamespace || ' ' || defaclobjtype::text, defaclacl::text
      from pg_default_acl
      order by 1, 2`;
  } finally {
    await sql.end();
  }
}

it("grants are what the migrations say, before and after the stack has served requests", async () => {
  const before = await grants();
  const app = createClient(local.url, local.publishableKey, {
    auth: { persistSession: false, autoRefreshToken: false },
    realtime: { transport: ws as unknown as typeof WebSocket },
  });
  const signedIn = await app.auth.signInWithPassword({
    email: "rosa@willowcreek.example",
    password: "holdfast-demo",
  });
  expect(signedIn.error).toBeNull();
  expect((await app.from("therapists").select("id")).data).toHaveLength(4);
  expect((await app.rpc("cancel_sessions", { request: {} })).error).toBeNull();
  expect((await app.functions.invoke("sessions-hold", { body: {} })).error).not.toBeNull();
  expect(await grants()).toEqual(before);
});
