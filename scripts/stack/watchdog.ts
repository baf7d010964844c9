// Guarantees that no Postgres or Deno outlives the Node process that started it. Exit handlers cannot promise that
// (nothing runs on kill -9, and handlers of a library change how its host exits), so a small process of its own does.

import { spawn } from "node:child_process";
import { fileURLToPath } from "node:url";

export interface Watchdog {
  /** End this process with `signal` when the stack's process is gone. */
  watch(pid: number, signal: NodeJS.Signals): void;
  unwatch(pid: number): void;
  /** Remove this folder when the stack's process is gone. */
  removeAtEnd(folder: string): void;
  /** Lets the watchdog go; whatever it still watches is ended and removed first. */
  release(): Promise<void>;
}

export function startWatchdog(): Watchdog {
  const script = fileURLToPath(new URL("./watchdog-process.mjs", import.meta.url));
  const child = spawn(process.execPath, [script], {
    stdio: ["pipe", "ignore", "ignore"],
    // Its own process group: a Ctrl-C in the terminal must not reach it before its work is done.
    detached: true,
    // The host's NODE_OPTIONS (loaders, inspectors) are none of its business.
    env: { PATH: process.env.PATH ?? "" },
  });
  child.unref();
  const gone = new Promise<void>((resolve) => child.once("close", () => resolve()));
  child.stdin.on("error", () => {});
  const tell = (message: Record<string, unknown>): void => {
    child.stdin.write(`${JSON.stringify(message)}\n`);
  };
  return {
    watch: (pid, signal) => tell({ watch: pid, signal }),
    unwatch: (pid) => tell({ unwatch: pid }),
    removeAtEnd: (folder) => tell({ remove: folder }),
    release: async () => {
      child.ref();
      child.stdin.end();
      await gone;
    },
  };
}
