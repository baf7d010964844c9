// Storage as an account ends: on a stack of its own, because a bucket that a test makes would be one that the matrix does
// not name.

import { createClient, type SupabaseClient } from "@supabase/supabase-js";
import postgres, { type Sql } from "postgres";
import { afterAll, beforeAll, expect, it } from "vitest";
import ws from "ws";
import type { Stack } from "../../../scripts/stack/index.ts";
import { startOwnStack } from "../support/own-stack.ts";

const password = "correct horse battery staple";
const organization = "5ca1ab1e-0000-4000-8000-000000000001";
const path = `${organization}/plan.txt`;

let stack: Stack;
let sql: Sql;
let client: SupabaseClient;
let userId: string;
let token: string;

beforeAll(async () => {
  stack = await startOwnStack({ functions: false });
  sql = postgres(stack.databaseUrl, { max: 1, onnotice: () => {} });
  await sql.unsafe(`
    insert into storage.buckets (id, name, public) values ('files', 'files', false);
    create policy "members read files" on storage.objects for select to authenticated
      using (bucket_id = 'files' and split_part(name, '/', 1) = any ((select app.org_ids())::text[]));
    create policy "members add files" on storage.objects for insert to authenticated
      with check (bucket_id = 'files' and split_part(name, '/', 1) = any ((select app.org_ids())::text[]));
    insert into public.organizations (id, name, time_zone) values ('${organization}', 'Clinic', 'UTC')`);
  client = createClient(stack.url, stack.publishableKey, {
    auth: { persistSession: false, autoRefreshToken: false },
    // Node 20 has no WebSocket of its own.
    realtime: { transport: ws as unknown as typeof WebSocket },
  });
  const { data, error } = await client.auth.signUp({ email: "rosa@test.example", password });
  if (error || !data.user) throw error;
  userId = data.user.id;
});
afterAll(async () => {
  await sql.end();
  await stack.stop();
});

/** A new session, and a file that its token may read. */
async function begin(): Promise<void> {
  await sql`update auth.users set banned_until = null where id = ${userId}`;
  await sql`insert into public.user_roles (organization_id, user_id, role)
    select ${organization}, ${userId}, 'admin' where not exists (select from public.user_roles where revoked_at is null)`;
  const { data, error } = await client.auth.signInWithPassword({ email: "rosa@test.example", password });
  if (error) throw error;
  token = data.session.access_token;
}

/** What a token may do in storage: read what there is, and add to it. */
async function mayRead(): Promise<boolean> {
  const response = await fetch(`${stack.url}/storage/v1/object/files/${path}`, {
    headers: { apikey: stack.publishableKey, authorization: `Bearer ${token}` },
  });
  return response.ok;
}
async function mayAdd(name: string): Promise<boolean> {
  const response = await fetch(`${stack.url}/storage/v1/object/files/${name}`, {
    method: "POST",
    headers: { apikey: stack.publishableKey, authorization: `Bearer ${token}`, "content-type": "text/plain" },
    body: "a plan",
  });
  return response.ok;
}

const endings: Record<string, () => Promise<unknown>> = {
  "signed out": () => client.auth.signOut(),
  "given a new password": () =>
    sql`update auth.users set encrypted_password = 'another' where id = ${userId}`,
  "idle for too long": () =>
    sql`update auth.sessions set created_at = now() - interval '31 minutes', refreshed_at = null where user_id = ${userId}`,
  "signed in too long ago": () =>
    sql`update auth.sessions set created_at = now() - interval '721 minutes' where user_id = ${userId}`,
  banned: () => sql`update auth.users set banned_until = now() + interval '1 day' where id = ${userId}`,
  "without a role any more": () =>
    sql`update public.user_roles set revoked_at = now() where user_id = ${userId} and revoked_at is null`,
};

it("is shut to a token that is still good, once its user is signed out, too long in, banned or without a role", async () => {
  await begin();
  expect(await mayAdd(path)).toBe(true);
  for (const [how, end] of Object.entries(endings)) {
    const [before] = await sql`select encrypted_password from auth.users where id = ${userId}`;
    await begin();
    expect(await mayRead(), how).toBe(true);
    await end();
    expect(await mayRead(), how).toBe(false);
    expect(await mayAdd(`${organization}/${crypto.randomUUID()}.txt`), how).toBe(false);
    await sql`update auth.users set encrypted_password = ${before?.encrypted_password} where id = ${userId}`;
  }
});
