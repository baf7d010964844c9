import { type ChildProcess, spawn } from "node:child_process";
import { chmod, mkdir, mkdtemp, readdir, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import postgres from "postgres";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { freePort } from "./stack/ports.ts";

let env: NodeJS.ProcessEnv;
let dataDir: string;
const running = new Set<ChildProcess>();

beforeAll(async () => {
  const folder = await mkdtemp(join(tmpdir(), "holdfast-start-"));
  // Where root runs the tests, Postgres' own user must be able to pass.
  await chmod(folder, 0o755);
  dataDir = join(folder, "data");
  env = {
    ...process.env,
    HOLDFAST_DATA_DIR: dataDir,
    HOLDFAST_API_PORT: String(await freePort()),
    HOLDFAST_DB_PORT: String(await freePort()),
    HOLDFAST_PAGE_PORT: String(await freePort()),
  };
});
afterAll(async () => {
  for (const child of running) child.kill("SIGTERM");
  await rm(join(dataDir, ".."), { recursive: true, force: true });
});

interface Run {
  child: ChildProcess;
  output(): string;
  exit: Promise<number | null>;
}

function command(script: "start" | "reset", changes: NodeJS.ProcessEnv = {}, args: string[] = []): Run {
  const path = fileURLToPath(new URL(`${script}.ts`, import.meta.url));
  const child = spawn(process.execPath, ["--import", "tsx", path, ...args], { env: { ...env, ...changes } });
  running.add(child);
  let text = "";
  for (const stream of [child.stdout, child.stderr]) stream?.on("data", (chunk) => (text += chunk));
  const exit = new Promise<number | null>((resolve) => child.once("close", resolve));
  exit.then(() => running.delete(child));
  return { child, output: () => text, exit };
}

/** Starts the stack and waits until it says how to use it. */
async function start(): Promise<Run & { databaseUrl: string }> {
  const run = command("start");
  await new Promise<void>((resolve, reject) => {
    run.child.stdout?.on("data", () => run.output().includes("Ctrl-C stops it") && resolve());
    run.exit.then(() => reject(new Error(run.output())));
  });
  return { ...run, databaseUrl: run.output().match(/Database URL\s+(\S+)/)?.[1] ?? "" };
}

async function stop(run: Run): Promise<void> {
  run.child.kill("SIGINT");
  expect(await run.exit, run.output()).toBe(0);
}

async function organizations(databaseUrl: string, rename?: string): Promise<string[]> {
  const sql = postgres(databaseUrl, { max: 1 });
  try {
    if (rename) await sql`update public.organizations set name = ${rename}`;
    return (await sql`select name from public.organizations`).map((row) => row.name);
  } finally {
    await sql.end();
  }
}

describe("npm start and npm run reset", () => {
  it("keep the data over a restart, name what holds a port, and start afresh after a reset", async () => {
    const first = await start();
    for (const said of [
      "URL",
      "Publishable key",
      "Secret key",
      "admin@willowcreek.example",
      "holdfast-demo",
    ]) {
      expect(first.output()).toContain(said);
    }
    const page = `http://127.0.0.1:${env.HOLDFAST_PAGE_PORT}`;
    expect(first.output()).toContain(page);
    expect(await (await fetch(page)).text()).toContain("<title>Holdfast</title>");
    expect(await organizations(first.databaseUrl, "Renamed")).toEqual(["Renamed"]);

    const second = command("start");
    expect(await second.exit).toBe(1);
    expect(second.output()).toContain(`process ${first.child.pid}`);

    const elsewhere = command("start", { HOLDFAST_DATA_DIR: `${dataDir}-2` });
    expect(await elsewhere.exit).toBe(1);
    expect(elsewhere.output()).toContain(
      `Port ${env.HOLDFAST_API_PORT} (API) is taken by another Holdfast stack`,
    );
    expect(elsewhere.output()).toMatch(
      new RegExp(`Port ${env.HOLDFAST_PAGE_PORT} \\(page\\) is taken by process ${first.child.pid}:`),
    );

    const early = command("reset");
    expect(await early.exit).toBe(1);
    await stop(first);

    const third = await start();
    expect(await organizations(third.databaseUrl)).toEqual(["Renamed"]);
    await stop(third);

    const reset = command("reset");
    expect(await reset.exit, reset.output()).toBe(0);
    const fourth = await start();
    expect(await organizations(fourth.databaseUrl)).toEqual(["Willow Creek ABA"]);
    await stop(fourth);
  });

  it("touch no folder that is not theirs, do nothing for an argument, and take no port that is none", async () => {
    const folder = join(dataDir, "..", "home");
    await mkdir(folder);
    await writeFile(join(folder, "thesis.txt"), "");
    // As a stack's own is called, and other programs' too.
    await writeFile(join(folder, "keys.json"), "{}");
    const home = { HOLDFAST_DATA_DIR: folder };
    const runs = [
      command("reset", home),
      command("start", home),
      command("reset", {}, ["--help"]),
      command("reset", {}, ["--hard"]),
      command("start", { HOLDFAST_API_PORT: "70000" }),
    ];
    const ends = await Promise.all(runs.map(async (run) => [await run.exit, run.output()]));
    expect(ends).toEqual([
      [1, expect.stringMatching(/^Not removed: .*home has files that npm start did not put there/)],
      [1, expect.stringMatching(/home has files that npm start did not put there/)],
      [0, expect.stringMatching(/^Usage: npm run reset/)],
      [2, expect.stringMatching(/^Unknown option '--hard'\n\nUsage: npm run reset/)],
      [1, "HOLDFAST_API_PORT is no port: a whole number from 1 to 65535.\n"],
    ]);
    expect((await readdir(folder)).sort()).toEqual(["keys.json", "thesis.txt"]);
  });
});
