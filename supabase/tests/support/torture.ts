// Runs `npm run torture` in a process of its own: on stacks of its own, since what is broken there would be felt by others.

import { mkdtemp, readFile, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { runScript } from "./run-script.ts";

/** What it exits with, says and keeps as JSON. */
export async function runTorture(...options: string[]) {
  const folder = await mkdtemp(join(tmpdir(), "holdfast-torture-test-"));
  const file = join(folder, "result.json");
  try {
    const ran = await runScript("torture", ["--json", file, ...options]);
    const json = await readFile(file, "utf8").catch(() => "null");
    return { ...ran, result: JSON.parse(json) };
  } finally {
    await rm(folder, { recursive: true, force: true });
  }
}
