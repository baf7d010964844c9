// Runs `npm run torture` in a process of its own: on stacks of its own, since what is broken there would be felt by others.

import { execFile } from "node:child_process";
import { mkdtemp, readFile, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { promisify } from "node:util";

/** What it exits with, says and keeps as JSON. */
export async function runTorture(...options: string[]) {
  const script = fileURLToPath(new URL("../../../scripts/torture.ts", import.meta.url));
  const folder = await mkdtemp(join(tmpdir(), "holdfast-torture-test-"));
  const file = join(folder, "result.json");
  const args = ["--import", "tsx", script, "--json", file, ...options];
  try {
    const { code, stdout, stderr } = await promisify(execFile)(process.execPath, args).then(
      (said) => ({ code: 0, ...said }),
      (error: { code: number; stdout: string; stderr: string }) => error,
    );
    const json = await readFile(file, "utf8").catch(() => "null");
    return { code, stdout, stderr, result: JSON.parse(json) };
  } finally {
    await rm(folder, { recursive: true, force: true });
  }
}
