// What a data directory knows of the stack that runs on it, so that a second start, a reset and the type generator can
// find it instead of damaging it.

import { readdir, readFile, rm, writeFile } from "node:fs/promises";
import { join } from "node:path";
import type { StackHealth } from "./gateway.ts";
import { runningPostgresPid } from "./postgres.ts";

export interface RunningStack {
  pid: number;
  url: string;
  databaseUrl: string;
}

/** Notes that this process runs a stack on the data directory. */
export async function markRunning(dataDir: string, stack: Omit<RunningStack, "pid">): Promise<void> {
  const state: RunningStack = { pid: process.pid, ...stack };
  await writeFile(join(dataDir, "stack.json"), JSON.stringify(state, null, 2), { mode: 0o600 });
}

export async function markStopped(dataDir: string): Promise<void> {
  await rm(join(dataDir, "stack.json"), { force: true });
}

/** The stack that runs on a data directory, if one answers there. */
export async function findRunningStack(dataDir: string): Promise<RunningStack | undefined> {
  const stored = await readFile(join(dataDir, "stack.json"), "utf8").catch(() => undefined);
  if (!stored) return undefined;
  const stack: RunningStack = JSON.parse(stored);
  const health = await stackHealth(stack.url);
  return health?.dataDir === dataDir ? { ...stack, pid: health.pid } : undefined;
}

/** Why the data directory is in use, in words for a person; undefined when it is not. */
export async function inUse(dataDir: string): Promise<string | undefined> {
  const stack = await findRunningStack(dataDir);
  if (stack) return `a stack runs on ${dataDir}: ${stack.url}, process ${stack.pid}`;
  const pid = await runningPostgresPid(dataDir);
  return pid ? `a Postgres runs on ${dataDir}: process ${pid}` : undefined;
}

/** All that a stack puts into its data directory. */
const ITS_FILES = [
  "binaries",
  "keys.json",
  "migrations.json",
  "postgres",
  "postgres.log",
  "postgres.password",
  "stack.json",
  "storage",
];

/** Whether a folder has something in it that no stack put there: HOLDFAST_DATA_DIR may name any. */
export async function isForeign(dataDir: string): Promise<boolean> {
  const names: string[] = await readdir(dataDir).catch(() => []);
  // The keys come first; a folder `postgres` alone is another server's.
  return (
    names.length > 0 && !(names.includes("keys.json") && names.every((name) => ITS_FILES.includes(name)))
  );
}

/** What answers at a URL, if it is a Holdfast stack. */
export async function stackHealth(url: string): Promise<StackHealth | undefined> {
  try {
    const response = await fetch(`${url}/health`, { signal: AbortSignal.timeout(1000) });
    const health = (await response.json()) as Partial<StackHealth>;
    return health.stack === "holdfast" ? (health as StackHealth) : undefined;
  } catch {
    return undefined;
  }
}
