// `npm run keys` as its operators run it, on a stack of its own.

import { randomUUID } from "node:crypto";
import postgres, { type Sql } from "postgres";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import {
  makeClientKey,
  readMasterKeys,
  unwrapKey,
  wrapKey,
} from "../supabase/functions/_shared/note-crypto.ts";
import { startOwnStack } from "../supabase/tests/support/own-stack.ts";
import { runScript } from "../supabase/tests/support/run-script.ts";
import type { Stack } from "./stack/index.ts";

const HOW_MANY = 1000;

let stack: Stack;
let sql: Sql;
let first: string;
let second: string;

/** Runs the command; `killAt` ends it, as a crash does, when its output has that. */
function run(args: string[], secret?: string, killAt?: string) {
  const { HOLDFAST_NOTE_KEYS: _, ...env } = process.env;
  return runScript("keys", args, {
    env: { ...env, ...(secret === undefined ? {} : { HOLDFAST_NOTE_KEYS: secret }) },
    watch: ({ stdout }, kill) => {
      if (killAt !== undefined && stdout.includes(killAt)) kill();
    },
  });
}

const wrappedBy = async (secret: string) => {
  const { current } = readMasterKeys(secret);
  const [row] = await sql`
    select count(*)::integer as n from public.client_keys where master_key_id = ${current} and status = 'active'`;
  return row?.n;
};

beforeAll(async () => {
  stack = await startOwnStack({ functions: false });
  sql = postgres(stack.databaseUrl, { max: 2, onnotice: () => {} });
  first = (await run(["generate"])).stdout.trim();
  const [clinic] =
    await sql`insert into public.organizations (name, time_zone) values ('North', 'UTC') returning id`;
  const masters = readMasterKeys(first);
  const rows = await Promise.all(
    Array.from({ length: HOW_MANY }, async () => {
      const [client, key] = [randomUUID(), makeClientKey()];
      return {
        client,
        key: key.id,
        wrapped: await wrapKey(key, { organization: clinic?.id, client }, masters),
      };
    }),
  );
  const list = (name: "client" | "key" | "wrapped") => rows.map((row) => row[name]);
  await sql`
    insert into public.clients (id, organization_id, full_name)
    select id, ${clinic?.id}, 'A client' from unnest(${list("client")}::uuid[]) id`;
  await sql`
    insert into public.client_keys (id, organization_id, client_id, wrapped_key, master_key_id)
    select id, ${clinic?.id}, client, wrapped, ${masters.current}
    from unnest(${list("key")}::uuid[], ${list("client")}::uuid[], ${list("wrapped")}::text[]) given (id, client, wrapped)`;
});
afterAll(async () => {
  await sql.end({ timeout: 1 });
  await stack.stop();
});

describe("npm run keys", () => {
  it("generates a value, and a next one that has the old keys too", async () => {
    const { code, stdout } = await run(["generate"], first);
    expect(code).toBe(0);
    second = stdout.trim();
    expect(JSON.parse(second).keys).toMatchObject(JSON.parse(first).keys);
    expect(JSON.parse(second).current).not.toBe(JSON.parse(first).current);
  });

  it.each([
    [[], 2],
    [["rotate"], 2],
    [["admit"], 2],
    [["generate", "more"], 2],
    [["rotate", "--db", "postgres://somebody:hunter2@127.0.0.1:1/postgres"], 2],
  ])("%j ends with %i, and says neither key nor password", async (args, code) => {
    const found = await run(args, first);
    expect(found.code).toBe(code);
    for (const hidden of [...Object.values(JSON.parse(first).keys), "hunter2"]) {
      expect(found.stdout + found.stderr).not.toContain(hidden);
    }
  });

  it.each(["", "nonsense", '{"current": "k1", "keys": {"k1": "c2hvcnQ"}}'])(
    "takes nothing to the database with the secret %j",
    async (secret) => {
      for (const command of ["rotate", "admit"]) {
        const { code, stderr } = await run([command, "--db", stack.databaseUrl], secret);
        expect([code, stderr]).toEqual([
          2,
          `keys: HOLDFAST_NOTE_KEYS is not ${secret ? "a set of 32-byte keys" : "set"}. (note_keys)\n`,
        ]);
      }
      expect(await wrappedBy(first)).toBe(HOW_MANY);
    },
  );

  it("admits the keys that a value has, and no others", async () => {
    const admitted = async () =>
      (await sql`select master_key_id, proof_key from app.note_writers order by master_key_id`).map(
        (row) => row,
      );
    expect((await run(["admit", "--db", stack.databaseUrl], second)).code).toBe(0);
    const both = await admitted();
    expect(both.map(({ master_key_id }) => master_key_id)).toEqual(
      Object.keys(JSON.parse(second).keys).sort(),
    );
    // What is derived is not the key itself.
    const masters = [...readMasterKeys(second).keys.values()].map((bytes) =>
      Buffer.from(bytes).toString("hex"),
    );
    for (const { proof_key } of both) expect(masters).not.toContain(proof_key.toString("hex"));
    // Another project's value would shut out the functions that write now.
    const other = (await run(["generate"])).stdout.trim();
    const refused = await run(["admit", "--db", stack.databaseUrl], other);
    expect([refused.code, refused.stderr]).toEqual([2, expect.stringContaining("nothing was changed")]);
    expect(await admitted()).toEqual(both);
    expect((await run(["admit", "--anyway", "--db", stack.databaseUrl], other)).code).toBe(0);
    expect((await admitted()).map(({ master_key_id }) => master_key_id)).toEqual([JSON.parse(other).current]);
    expect((await run(["admit", "--db", stack.databaseUrl], first)).code).toBe(0);
    expect((await admitted()).map(({ master_key_id }) => master_key_id)).toEqual([JSON.parse(first).current]);
  });

  it("names every client key that the value does not open, and leaves it as it is", async () => {
    const other = (await run(["generate"])).stdout.trim();
    const { code, stderr } = await run(["rotate", "--db", stack.databaseUrl], other);
    expect([code, stderr]).toEqual([1, expect.stringContaining(`${HOW_MANY} keys do not open`)]);
    expect(await wrappedBy(first)).toBe(HOW_MANY);
  });

  it("goes on where a rotation was killed, and every key opens under the new master key alone", async () => {
    const killed = await run(["rotate", "--db", stack.databaseUrl], second, "200 keys");
    expect(killed.code).toBeNull();
    const done = await wrappedBy(second);
    expect(done).toBeGreaterThanOrEqual(200);
    const rest = await run(["rotate", "--db", stack.databaseUrl], second);
    expect(rest.code).toBe(0);
    expect(await wrappedBy(second)).toBe(HOW_MANY);

    const { current, keys } = JSON.parse(second);
    const alone = readMasterKeys(JSON.stringify({ current, keys: { [current]: keys[current] } }));
    const rows = await sql`select id, organization_id, client_id, wrapped_key from public.client_keys`;
    for (const row of rows) {
      const stored = { keyId: row.id, organization: row.organization_id, client: row.client_id };
      expect((await unwrapKey({ ...stored, wrapped: row.wrapped_key }, alone)).id).toBe(row.id);
    }
  });
});
