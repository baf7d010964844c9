// A short run of `npm run fuzz`, on a stack of its own; and that the run finds what is planted.

import { createServer } from "node:http";
import type { AddressInfo } from "node:net";
import { afterAll, beforeAll, describe, expect, inject, it } from "vitest";
import { tokenOf } from "../../../scripts/fuzz/callers.ts";
import { exchange } from "../../../scripts/fuzz/http.ts";
import { fuzzOverHttp } from "../../../scripts/fuzz/over-http.ts";
import { injectOverRest } from "../../../scripts/fuzz/over-rest.ts";
import { fuzzOverSql } from "../../../scripts/fuzz/rpc-over-sql.ts";
import { fuzz } from "../../../scripts/fuzz/run.ts";
import { type FuzzStack, startFuzzStack } from "../../../scripts/fuzz/stack.ts";
import { Tally } from "../../../scripts/fuzz/tally.ts";
import { edgeFunctions, rpcs } from "../../../scripts/fuzz/targets.ts";
import { buildWorld, type World } from "../../../scripts/fuzz/world.ts";
import { functionNames } from "../../../scripts/stack/functions.ts";

const SEED = 1;
let stack: FuzzStack;
let tally: Tally;
let world: World;
let exposed: string[];

beforeAll(async () => {
  stack = await startFuzzStack({ template: inject("template") });
  exposed = (await rpcs(stack.sql)).map(({ name }) => name);
  tally = await fuzz(stack, { cases: 250, seed: SEED });
  world = await buildWorld(stack.sql);
}, 300_000);
afterAll(() => stack?.stop());

describe("a short run", () => {
  it("finds nothing", () => {
    expect(tally.findings).toEqual([]);
  });

  it("is of every Edge Function, and of every RPC over SQL and over HTTP", async () => {
    expect(exposed.length).toBeGreaterThan(80);
    expect(edgeFunctions().map(({ name }) => name)).toEqual(await functionNames());
    const targets = [...exposed, ...exposed.map((name) => `rpc/${name}`), ...(await functionNames())];
    expect(targets.filter((name) => !tally.targets.has(name))).toEqual([]);
  });

  it("gets through to what is done, and not only to what refuses", () => {
    const counts = [...tally.targets].filter(([name]) => !/^(token|injection|twins):/.test(name));
    expect(counts.filter(([, { done }]) => done > 0).length).toBeGreaterThan(15);
    expect(counts.filter(([, { refused }]) => refused > 0).length).toBeGreaterThan(80);
  });

  it("shows every bad token at every door", () => {
    for (const door of ["auth", "documents", "functions", "rest", "rpc", "storage"]) {
      const counts = tally.targets.get(`token: ${door}`);
      expect(counts?.refused, door).toBeGreaterThan(40);
      expect(counts?.done, door).toBe(0);
    }
  });
});

describe("the local stack answers as hosted does", () => {
  const send = async (method: string, args: object) => {
    const token = await tokenOf(stack.keys, stack.url, world.home.people.admin);
    const headers: [string, string][] = [
      ["apikey", stack.keys.publishableKey],
      ["authorization", `Bearer ${token}`],
      ["content-type", "application/json"],
    ];
    const path = "/rest/v1/rpc/create_service_account";
    return exchange(stack.url, { method, path, headers, body: Buffer.from(JSON.stringify(args)) }, 20_000);
  };

  it("to a method that it does not know", async () => {
    expect((await send("TRACE", {})).status).toBe(405);
  });

  it.each([{ expires_at: 1 }, { expires_at: { toString: 1 } }, { scopes: "\u001f" }])(
    "to an argument that is not of its type: %j",
    async (wrong) => {
      const { status, body } = await send("POST", {
        organization: world.home.id,
        name: "A practice",
        scopes: ["schedule:read"],
        ...wrong,
      });
      expect([status, JSON.parse(body).code]).toEqual([400, "22P02"]);
    },
  );
});

describe("what is planted is found:", () => {
  /** What is found of an RPC with this body. */
  async function plant(body: string): Promise<string[]> {
    await stack.sql.unsafe(`
      create or replace function public.planted(request jsonb, idempotency_key text default null)
      returns jsonb language plpgsql security definer set search_path = '' as $planted$ begin ${body} end $planted$;
      grant execute on function public.planted to authenticated`);
    const found = new Tally();
    const planted = (await rpcs(stack.sql)).filter(({ name }) => name === "planted");
    await fuzzOverSql(stack.sql, world, planted, { cases: 40, seed: SEED }, found);
    await stack.sql`drop function public.planted`;
    return found.findings.map(({ what }) => what).sort();
  }
  const refusal = (members: string) =>
    `return jsonb_build_object('problem', jsonb_build_object('code', 'not_found'${members}));`;

  it("nothing, in an RPC that refuses as it should", async () => {
    expect(await plant(refusal(""))).toEqual([]);
  });

  it("an error that is raised, and one that is ours", async () => {
    expect(await plant("perform 1 / 0; return '{}';")).toEqual(["raises 22012: division by zero"]);
    expect(await plant(`return '{"problem": {"code": "internal_error"}}';`)).toEqual([
      "answers internal_error",
    ]);
  });

  it("a value that is read as what it is not", async () => {
    expect(await plant(`perform (request ->> 'version')::integer; ${refusal("")}`)).toContainEqual(
      expect.stringContaining("raises 22P02: invalid input syntax for type integer"),
    );
  });

  it("a code, a member and a shape that are not documented", async () => {
    expect(await plant(`return '{"problem": {"code": "broken"}}';`)).toEqual([
      "a code that is not in the catalogue",
    ]);
    expect(await plant(refusal(", 'row', 1"))).toEqual(["a member that is not documented: row"]);
    expect(await plant(refusal(", 'detail', 1"))).toEqual(["a problem of another shape than is documented"]);
  });

  it("what the database said, and somebody's name, in a refusal", async () => {
    expect(await plant(refusal(`, 'detail', 'relation "x" violates a rule'`))).toEqual([
      expect.stringContaining("says what is inside"),
    ]);
    const names = `(select 'No ' || full_name from public.clients where full_name like 'Zqx%' limit 1)`;
    expect(await plant(refusal(`, 'detail', ${names}`))).toContain(
      "says PHI or repeats the request: Zqxvorpal",
    );
  });

  it("a row of another clinic", async () => {
    const row = (of: string) =>
      `return (select jsonb_agg(client.${of}) from public.clients client where organization_id = '${world.foreign.id}');`;
    expect(await plant(row("id"))).toEqual(["shows ids of another tenant"]);
    expect(await plant(row("full_name"))).toEqual(["shows PHI of another tenant"]);
  });

  it("something written before it was refused, by the one call in many that wrote it", async () => {
    const writes = `insert into public.rooms (organization_id, name) values ('${world.home.id}', gen_random_uuid()::text);`;
    expect(await plant(`if request ? 'organization_id' then ${writes} end if; ${refusal("")}`)).toEqual([
      "writes although it refuses",
    ]);
  });

  it("SQL made of a caller's words", async () => {
    const onEveryTable = (statement: string) =>
      stack.sql.unsafe(`
        do $do$
        declare target regclass;
        begin
          for target in select oid from pg_class where relnamespace = 'public'::regnamespace and relkind = 'r' loop
            execute format('${statement}', target);
          end loop;
        end $do$`);
    await onEveryTable(
      "create policy planted on %s as restrictive for select using (public.fuzz_probe() is not null)",
    );
    const found = new Tally();
    await injectOverRest(stack.sql, stack, world, { cases: 25, seed: SEED }, found);
    await onEveryTable("drop policy planted on %s");
    expect(found.findings.map(({ what }) => what)).toContain("SQL of the caller was run");
  });

  it("an Edge Function that answers with a stack trace, with a name, or without a problem", async () => {
    const answers = [
      [500, "TypeError: x\n    at handle (file:///app/index.ts:1:2)"],
      [404, '{"message": "no"}'],
      [200, JSON.stringify({ data: { name: world.foreign.word } })],
    ] as const;
    for (const [status, body] of answers) {
      const server = createServer((_, response) =>
        response.writeHead(status, { "x-request-id": "1" }).end(body),
      );
      await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
      const url = `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
      const found = new Tally();
      const [target] = edgeFunctions();
      if (!target) throw new Error("there is no function");
      await fuzzOverHttp(
        stack.sql,
        { url, keys: stack.keys },
        world,
        [target],
        { cases: 5, seed: SEED },
        found,
      );
      await new Promise((resolve) => server.close(resolve));
      expect(found.findings.length, body).toBeGreaterThan(0);
    }
  });
});
