// Runs a file of scripts/ as its npm command does.

import { spawn } from "node:child_process";
import { fileURLToPath } from "node:url";

export interface Ran {
  /** Null when a signal ended it. */
  code: number | null;
  stdout: string;
  stderr: string;
}

export interface RunOptions {
  /** Instead of this process's own. */
  env?: NodeJS.ProcessEnv;
  /** Told of what was printed so far, each time there is more; `kill` ends the command as a crash does. */
  watch?: (soFar: Ran, kill: () => void) => void;
}

/** `runScript("audit", "verify")` is `npm run audit -- verify`. Resolves when it has ended, whatever its exit code. */
export function runScript(name: string, args: string[], { env, watch }: RunOptions = {}): Promise<Ran> {
  const script = fileURLToPath(new URL(`../../../scripts/${name}.ts`, import.meta.url));
  const child = spawn(process.execPath, ["--import", "tsx", script, ...args], { env: env ?? process.env });
  const ran: Ran = { code: null, stdout: "", stderr: "" };
  for (const stream of ["stdout", "stderr"] as const) {
    child[stream].setEncoding("utf8").on("data", (chunk: string) => {
      ran[stream] += chunk;
      watch?.(ran, () => child.kill("SIGKILL"));
    });
  }
  return new Promise((resolve) => child.once("close", (code) => resolve({ ...ran, code })));
}
