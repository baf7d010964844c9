// The matrix (supabase/tests/database/89-matrix.test.sql) over REST: every cell with the token that the persona really
// has, each persona in a throw-away clinic of its own. What is allowed is really written.

import { randomUUID } from "node:crypto";
import type { SupabaseClient } from "@supabase/supabase-js";
import { describe, expect, it } from "vitest";
import { loadMatrix } from "../../../scripts/docs/matrix.ts";
import { NAMED_RPCS } from "../../../scripts/openapi/named-rpcs.ts";
import { RPCS } from "../../../scripts/openapi/rpcs.ts";
import { createUser, type User } from "../support/clinic.ts";
import { rpcRequestFaults } from "../support/reference.ts";
import { connect, sql, stack } from "../support/stack.ts";

type Json = Record<string, unknown>;
type Outcome = "allow" | "deny" | string;

interface Cell {
  relation: string;
  command: "select" | "insert" | "update" | "delete" | "call";
  persona: string;
  allowed: boolean;
  name: string;
  scope: string;
  key_column: string;
  is_view: boolean;
  key: string;
  new_row: Json;
  change: Json;
  arguments: Json;
}

interface Tried extends Cell {
  outcome: Outcome;
  /** The row as its owner sees it. */
  before: unknown;
  after: unknown;
}

/** Errors by which PostgREST says that the caller may not. A view without a way to write says so before it asks who writes. */
const REFUSALS = ["42501"];
const VIEW_REFUSALS = ["42501", "55000"];
const PROBLEMS = ["forbidden", "not_found", "mfa_required", "unauthenticated"];

await loadMatrix(stack.databaseUrl);

const run = randomUUID();
const personas = await sql<{ persona: string; database_role: string; aal: string | null }[]>`
  select persona, database_role, aal from access.personas order by persona`;
await createWorld("elsewhere");
const actors = await Promise.all(
  personas.map(async ({ persona, database_role, aal }) => {
    const user = await createWorld(persona);
    const client =
      database_role === "anon"
        ? connect()
        : database_role === "service_role"
          ? connect(stack.secretKey)
          : await signIn(user, aal);
    await sql`select access.end_access(${`${run} ${persona}`})`;
    // The relations come from the catalog, so the generated types say nothing about them.
    return { persona, user, client: client as unknown as SupabaseClient, cells: await cellsOf(persona) };
  }),
);

// Side by side, since each has a clinic of its own; those who may write elsewhere go last, so that nobody else finds a
// row changed there. Within a persona in order: a line may stand on what an earlier one left alone.
const writesElsewhere = ({ cells }: (typeof actors)[number]): boolean =>
  cells.some((cell) => cell.allowed && cell.scope === "other organization" && cell.command !== "select");
const tried = new Map<string, Tried[]>();
await Promise.all(actors.filter((actor) => !writesElsewhere(actor)).map(tryAll));
for (const actor of actors.filter(writesElsewhere)) await tryAll(actor);

describe.each(actors)("$persona", ({ persona }) => {
  const cells = tried.get(persona) ?? [];
  it("has cells in the matrix", () => expect(cells.length).toBeGreaterThan(100));

  it.each(cells)("$name", ({ outcome, before, after, ...cell }) => {
    expect(outcome).toBe(cell.allowed ? "allow" : "deny");
    if (cell.allowed || cell.is_view || cell.command === "call" || cell.command === "insert") return;
    expect(before, "the row that was hidden exists").toBeDefined();
    expect(after, "the row is unchanged").toEqual(before);
  });
});

it("every RPC of docs/openapi.json was answered here, and each answer is held against it (support/stack.ts)", () => {
  const answered = new Map(
    [...tried.values()]
      .flat()
      .flatMap((it) =>
        it.command === "call" && it.outcome === "allow" ? [[it.relation, it.arguments]] : [],
      ),
  );
  for (const rpc of Object.keys({ ...RPCS, ...NAMED_RPCS })) {
    expect(answered.has(rpc), rpc).toBe(true);
    expect(rpcRequestFaults(rpc, answered.get(rpc)), `the reference refuses the request of ${rpc}`).toEqual(
      [],
    );
  }
});

it("no bucket of storage is listed to anybody but the secret key", async () => {
  for (const { persona, client } of actors) {
    const { data } = await client.storage.listBuckets();
    const ids = (data ?? []).map(({ id }) => id);
    expect(ids, persona).toEqual(persona === "service_role" ? ["client-documents"] : []);
  }
});

async function createWorld(persona: string): Promise<User> {
  const user = await createUser();
  await sql`select access.create_world(${run}, ${persona}, ${user.id})`;
  return user;
}

/** A real sign-in; aal2 as the auth server would give it after a second factor. */
async function signIn(user: User, aal: string | null): Promise<SupabaseClient> {
  const client = (await user.client()) as unknown as SupabaseClient;
  if (aal === "aal2") {
    await sql`update auth.sessions set aal = 'aal2' where user_id = ${user.id}`;
    const { error } = await client.auth.refreshSession();
    if (error) throw error;
  }
  const token = JSON.parse(Buffer.from((await user.token()).split(".")[1] ?? "", "base64url").toString());
  if (token.aal !== aal || token.sub !== user.id) throw new Error(`the token of ${user.email} is not ${aal}`);
  return client;
}

async function cellsOf(persona: string): Promise<Cell[]> {
  const world = `${run} ${persona}`;
  return sql<Cell[]>`
    select
      cell.relation, cell.command, cell.scope, cell.persona, cell.allowed, cell.name, relation.key_column,
      exists (select from pg_views where schemaname = 'public' and viewname = cell.relation) as is_view,
      case when relation.key_column is not null then access.target(${world}, cell.relation, cell.scope) end as key,
      case when cell.command = 'insert' then access.new_row(${world}, cell.relation, cell.scope) end as new_row,
      case when cell.command = 'update' then access.change(${world}, cell.relation) end as change,
      case when cell.command = 'call' then access.arguments(${world}, cell.relation, cell.scope) end as arguments
    from access.cells cell
    join access.relations relation using (relation)
    where cell.persona = ${persona} and cell.command <> 'execute'
    order by cell.line`;
}

async function tryAll({ persona, user, client, cells }: (typeof actors)[number]): Promise<void> {
  const results: Tried[] = [];
  let calls = 0;
  for (const cell of cells) {
    // Whom a clinic does not admit may call sixty times in a minute.
    if (cell.command === "call" && calls++ % 50 === 0) {
      await sql`delete from app.call_counts where user_id = ${user.id}`;
    }
    const before = await rowOf(cell);
    const outcome = await attempt(client, cell);
    const after = cell.command === "select" || cell.allowed ? before : await rowOf(cell);
    results.push({ ...cell, before, outcome, after });
  }
  tried.set(persona, results);
}

/** The row of a cell as the owner sees it. */
async function rowOf(cell: Cell): Promise<unknown> {
  if (cell.is_view || !["select", "update", "delete"].includes(cell.command)) return undefined;
  const [row] = await sql`
    select to_jsonb(it) as row from ${sql(`public.${cell.relation}`)} it
    where ${sql(`it.${cell.key_column}`)}::text = ${cell.key}`;
  return row?.row;
}

async function attempt(client: SupabaseClient, cell: Cell): Promise<Outcome> {
  if (cell.command === "call") return call(client, cell);
  const { data, error } = await write(client, cell);
  if (error) {
    const refusals = cell.is_view ? VIEW_REFUSALS : REFUSALS;
    return refusals.includes(error.code) ? "deny" : `${error.code} ${error.message}`;
  }
  // An insert that is not refused has written; of the others, the rows tell.
  return cell.command === "insert" || (data ?? []).length > 0 ? "allow" : "deny";
}

function write(client: SupabaseClient, cell: Cell) {
  const table = client.from(cell.relation);
  const { key_column: column, key } = cell;
  switch (cell.command) {
    case "insert":
      return table.insert(cell.new_row);
    case "update":
      return table.update(cell.change).eq(column, key).select(column);
    case "delete":
      return table.delete().eq(column, key).select(column);
    default:
      return table.select(column).eq(column, key);
  }
}

async function call(client: SupabaseClient, cell: Cell): Promise<Outcome> {
  const { data, error } = await client.rpc(cell.relation, cell.arguments);
  if (error) return REFUSALS.includes(error.code) ? "deny" : `${error.code} ${error.message}`;
  if (Array.isArray(data)) return data.length > 0 ? "allow" : "deny";
  const code: string | undefined = data?.problem?.code;
  if (code === undefined) return "allow";
  return PROBLEMS.includes(code) ? "deny" : code;
}
