// Starts and stops the Deno process that hosts the Edge Functions.

import { type ChildProcess, spawn } from "node:child_process";
import { existsSync } from "node:fs";
import { readdir } from "node:fs/promises";
import { createRequire } from "node:module";
import { homedir } from "node:os";
import { dirname, join } from "node:path";
import { createInterface } from "node:readline";
import { fileURLToPath } from "node:url";
import { packageDir, projectPath, projectRoot } from "./paths.ts";

export interface FunctionsHost {
  /** Each function answers at `${url}/<name>`. */
  url: string;
  names: string[];
  pid: number;
  stop(): Promise<void>;
}

/** The project's Edge Functions: folders of supabase/functions whose name does not start with `_`. */
export async function functionNames(): Promise<string[]> {
  const entries = await readdir(projectPath("supabase", "functions"), { withFileTypes: true }).catch(
    () => [],
  );
  return entries
    .filter((entry) => entry.isDirectory() && !/^[_.]/.test(entry.name))
    .map((entry) => entry.name)
    .sort();
}

/**
 * Serves the project's Edge Functions on a free loopback port, with `env` as their environment, until stopped or until
 * this process ends. Throws with the function's own error when one does not load. A test may start a second host with an
 * environment of its own, for instance a SUPABASE_URL where nobody answers.
 */
export async function startFunctions(
  env: Record<string, string>,
  log: (line: string) => void = () => {},
): Promise<FunctionsHost> {
  const functionsDir = projectPath("supabase", "functions");
  const args = [
    ...denoArguments(),
    fileURLToPath(new URL("./functions-host.ts", import.meta.url)),
    functionsDir,
  ];
  const child = spawn(denoBinary(), args, {
    cwd: projectRoot,
    stdio: ["pipe", "pipe", "pipe"],
    detached: process.platform !== "win32",
    env: { ...systemEnv(), ...env },
  });
  child.stdin.on("error", () => {});
  const exited = new Promise<void>((resolve) => child.once("close", () => resolve()));
  const { port, functions } = await announcement(child, exited, log);
  return {
    url: `http://127.0.0.1:${port}`,
    names: functions,
    pid: child.pid ?? 0,
    stop: async () => {
      if (child.exitCode === null && child.signalCode === null) child.kill("SIGKILL");
      await exited;
    },
  };
}

/** How Deno runs a function: with its import map, and with what it may do. */
export function denoArguments(): string[] {
  const importMap = projectPath("supabase", "functions", "import_map.json");
  return [
    "run",
    "--no-prompt",
    "--no-lock",
    // Packages come from node_modules, as installed by npm; nothing is fetched at run time.
    "--no-remote",
    "--cached-only",
    "--node-modules-dir=manual",
    ...(existsSync(importMap) ? [`--import-map=${importMap}`] : []),
    // A function may talk to this machine and read the project, and no more.
    "--allow-net=127.0.0.1",
    "--allow-env",
    `--allow-read=${projectRoot}`,
  ];
}

/** What Deno itself needs of this process's environment. The functions get nothing else of it. */
export function systemEnv(): Record<string, string> {
  const wanted = [
    "PATH",
    "HOME",
    "USERPROFILE",
    "SYSTEMROOT",
    "TEMP",
    "TMPDIR",
    "DENO_DIR",
    "XDG_CACHE_HOME",
  ];
  const env: Record<string, string> = { HOME: homedir(), NO_COLOR: "1", DENO_NO_UPDATE_CHECK: "1" };
  for (const name of wanted) {
    const value = process.env[name];
    if (value !== undefined) env[name] = value;
  }
  return env;
}

/** The binary itself: through the package's wrapper script a kill would end the wrapper and leave Deno. */
export function denoBinary(): string {
  const file = process.platform === "win32" ? "deno.exe" : "deno";
  const installed = join(packageDir("deno/package.json"), file);
  if (existsSync(installed)) return installed;
  const libc = process.platform === "linux" ? "-glibc" : "";
  const name = `@deno/${process.platform}-${process.arch}${libc}/package.json`;
  const fromDeno = createRequire(join(packageDir("deno/package.json"), "package.json"));
  return join(dirname(fromDeno.resolve(name)), file);
}

interface Announcement {
  port: number;
  functions: string[];
}

async function announcement(
  child: ChildProcess,
  exited: Promise<void>,
  log: (line: string) => void,
): Promise<Announcement> {
  if (!child.stdout || !child.stderr) throw new Error("the functions host has no output");
  let errors = "";
  let listening = false;
  createInterface({ input: child.stderr }).on("line", (line) => {
    if (listening) log(`functions: ${line}`);
    else errors += `${line}\n`;
  });
  const announced = new Promise<Announcement>((resolve, reject) => {
    child.once("error", reject);
    createInterface({ input: child.stdout as NodeJS.ReadableStream }).on("line", (line) => {
      if (listening) return log(`functions: ${line}`);
      try {
        const message: Announcement = JSON.parse(line);
        listening = true;
        resolve(message);
      } catch {
        // A function that logs while it loads.
        log(`functions: ${line}`);
      }
    });
  });
  const failed = exited.then(() => {
    throw new Error(`the functions host did not start:\n${errors.trim()}`);
  });
  failed.catch(() => {});
  return Promise.race([announced, failed]);
}
