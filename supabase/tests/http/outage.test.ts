// On a stack of its own: what its operator does to it would be felt by other tests.

import { chmod, mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import postgres from "postgres";
import { afterAll, beforeAll, expect, it, vi } from "vitest";
import type { Stack } from "../../../scripts/stack/index.ts";
import { runningPostgresPid } from "../../../scripts/stack/postgres.ts";
import { toProblem } from "../../../src/lib/problems.ts";
import { startOwnStack } from "../support/own-stack.ts";
import { runScript } from "../support/run-script.ts";

let folder: string;
let local: Stack;
const lines: string[] = [];
beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), "holdfast-outage-"));
  // Where root runs the tests, Postgres' own user must be able to pass.
  await chmod(folder, 0o755);
  local = await startOwnStack({ dataDir: join(folder, "data"), log: (line) => void lines.push(line) });
});
afterAll(async () => {
  await local.stop();
  await rm(folder, { recursive: true, force: true });
});

it("metrics follow the sealing of the trail, and show a transaction that stays open", async () => {
  const sql = postgres(local.databaseUrl, { max: 1, onnotice: () => {} });
  const other = postgres(local.databaseUrl, { max: 1, onnotice: () => {} });
  const metric = async (name: string): Promise<number | undefined> => {
    const [row] =
      await sql`select value::double precision as value from public.metrics() where name = ${name}`;
    return row?.value;
  };
  try {
    const write = () => sql`insert into audit.events (action) values ('trail.continued')`;
    await write();
    expect(await metric("events_unsealed")).toBeGreaterThan(0);
    expect(await metric("last_seal_age_seconds")).toBeUndefined();
    expect((await sql`select audit.seal() as made`)[0]?.made).toBeGreaterThan(0);
    expect([await metric("events_unsealed"), await metric("events_unsealed_oldest_seconds")]).toEqual([0, 0]);
    expect(await metric("last_seal_age_seconds")).toBeLessThan(60);
    await write();
    expect(await metric("events_unsealed")).toBe(1);

    await other.begin(async (transaction) => {
      await transaction`select 1`;
      expect(await metric("oldest_transaction_seconds")).toBeGreaterThan(0);
      const [open] = await sql`
        select value::integer as value from public.metrics() where name = 'connections' and labels ->> 'state' = 'idle in transaction'`;
      expect(open?.value).toBe(1);
    });
  } finally {
    await Promise.all([sql.end(), other.end()]);
  }
});

it("`npm run metrics` prints them as Prometheus reads them", async () => {
  const run = (...args: string[]) => runScript("metrics", args);
  const { stdout } = await run("--remote", local.databaseUrl);
  const lines = stdout.trimEnd().split("\n");
  const form = /^(# TYPE holdfast_[a-z_]+ gauge|holdfast_[a-z_]+(\{[a-z]+="[^"\\]*"\})? \d+(\.\d+)?)$/;
  expect(lines.filter((line) => !form.test(line))).toEqual([]);
  expect(lines).toContain('holdfast_sessions_today{status="scheduled"} 0');
  expect(lines).toContain("holdfast_trail_partitions_ahead 13");
  const types = lines.filter((line) => line.startsWith("#"));
  expect(new Set(types).size).toBe(types.length);

  const wrong = await run("--remote", "postgres://postgres:secret-word@127.0.0.1:9/postgres");
  expect(wrong).toMatchObject({
    code: 2,
    stdout: "",
    stderr: expect.stringMatching(/^metrics: (?!.*secret-word).*ECONNREFUSED/),
  });
  expect(await run("--remote")).toMatchObject({ code: 2, stderr: expect.stringContaining("Usage") });
});

it("functions answer 503 with Retry-After while there is no connection to be had, and as before once there is", async () => {
  // A token of the right form, which the database is asked about.
  const ask = () =>
    fetch(`${local.url}/functions/v1/partner-sync`, {
      method: "POST",
      headers: { authorization: `Bearer hf_${"a".repeat(43)}`, "content-type": "application/json" },
      body: '{"operation": "schedule"}',
    });
  const crowd = () => Promise.all(Array.from({ length: 40 }, ask));
  const taken: postgres.Sql[] = [];
  const take = async (): Promise<boolean> => {
    const client = postgres(local.adminDatabaseUrl, { max: 1, onnotice: () => {} });
    taken.push(client);
    return client`select 1`.then(
      () => true,
      (error: { code?: string }) => {
        expect(error.code).toBe("53300");
        return false;
      },
    );
  };
  // What the API reads of the schema at its first call is not what is tried here.
  expect((await ask()).status).toBe(401);
  try {
    while (await take());
    const refused = (await crowd()).filter(({ status }) => status !== 401);
    expect(refused.length).toBeGreaterThan(0);
    for (const response of refused) {
      expect([response.status, response.headers.get("retry-after")]).toEqual([503, "1"]);
      expect(await response.json()).toEqual(toProblem("unavailable", { retry_after: 1 }));
    }
    expect(lines.some((line) => line.includes('"code":"unavailable","cause":"53300"'))).toBe(true);
  } finally {
    await Promise.all(taken.map((client) => client.end()));
  }
  expect((await crowd()).map(({ status }) => status)).toEqual(Array.from({ length: 40 }, () => 401));
});

it("health is 503 within its time, with Retry-After, when Postgres is stopped; functions are alive all the same", async () => {
  const health = (path = "") =>
    fetch(`${local.url}/functions/v1/health${path}`, { headers: { "x-request-id": "outage" } });
  expect((await health()).status).toBe(200);

  process.kill((await runningPostgresPid(join(folder, "data"))) as number, "SIGINT");
  await vi.waitFor(
    async () => expect(await runningPostgresPid(join(folder, "data"))).toBeUndefined(),
    30_000,
  );

  const started = performance.now();
  const response = await health();
  expect(performance.now() - started).toBeLessThan(5_000);
  expect([
    response.status,
    response.headers.get("retry-after"),
    response.headers.get("cache-control"),
  ]).toEqual([503, "5", "no-store"]);
  expect(await response.json()).toEqual(toProblem("unavailable", { retry_after: 5 }));
  expect((await health("/live")).status).toBe(200);
  expect(lines.some((line) => line.includes('"request_id":"outage","status":503,"code":"unavailable"'))).toBe(
    true,
  );
});
