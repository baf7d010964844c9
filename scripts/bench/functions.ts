// `npm run bench -- functions`: how long a function takes from its start to its first answer, and what its imports weigh.

import { spawn } from "node:child_process";
import { createInterface } from "node:readline";
import { fileURLToPath } from "node:url";
import { gzipSync } from "node:zlib";
import { exportJWK, generateKeyPair, SignJWT } from "jose";
import { rolldown } from "rolldown";
import { denoArguments, denoBinary, functionNames, systemEnv } from "../stack/functions.ts";
import { projectPath, projectRoot } from "../stack/paths.ts";
import type { Size } from "./benchmark.ts";
import type { FunctionFigures, Report } from "./functions-report.ts";
import { hostLine, progress, type Spread, spread } from "./harness.ts";

const host = fileURLToPath(new URL("./function-host.ts", import.meta.url));
const bare = { name: "bare", file: fileURLToPath(new URL("./bare-function.ts", import.meta.url)) };
/** Nobody answers there: a request that is refused needs nobody. */
const url = "http://127.0.0.1:9";

export async function runFunctions({ repetitions }: Size, names?: string[]): Promise<Report> {
  const files = (names ?? (await functionNames())).map((name) => ({
    name,
    file: projectPath("supabase", "functions", name, "index.ts"),
  }));
  const { env, token } = await credentials();
  const starts = new Map<string, Start[]>();
  // In turns, so that what a busy machine does to one it does to all; the first round fills Deno's caches.
  for (let round = -1; round < repetitions; round++) {
    progress(
      round < 0 ? "starting every function once" : `starting every function, ${round + 1} of ${repetitions}`,
    );
    for (const { name, file } of [bare, ...files]) {
      const start = await startOnce(file, env, token);
      if (round >= 0) starts.set(name, [...(starts.get(name) ?? []), start]);
    }
  }
  progress("bundling");
  const figures: FunctionFigures[] = [];
  const spreadOf = (name: string, pick: (start: Start) => number): Spread =>
    spread((starts.get(name) ?? []).map(pick));
  for (const { name, file } of [bare, ...files]) {
    const added = (starts.get(name) ?? []).map(
      ({ ready }, round) => ready - (starts.get(bare.name)?.[round]?.ready ?? Number.NaN),
    );
    figures.push({
      name,
      ready: spreadOf(name, ({ ready }) => ready),
      added: spread(added).median,
      imports: spreadOf(name, ({ imports }) => imports).median,
      first: spreadOf(name, ({ first }) => first).median,
      second: spreadOf(name, ({ second }) => second).median,
      ...(await weigh(file)),
    });
  }
  return { machine: hostLine(), repetitions, figures };
}

/** Milliseconds. */
interface Start {
  /** From the start of the process to its first answer. */
  ready: number;
  imports: number;
  /** Of that, the first request; and the one after it. */
  first: number;
  second: number;
}

/** Starts a function in a process of its own and asks it twice. */
async function startOnce(file: string, env: Record<string, string>, token: string): Promise<Start> {
  const started = performance.now();
  const child = spawn(denoBinary(), [...denoArguments(), "--quiet", host, file], {
    cwd: projectRoot,
    stdio: ["ignore", "pipe", "inherit"],
    env: { ...systemEnv(), ...env },
  });
  const exited = new Promise<void>((resolve) => child.once("close", () => resolve()));
  try {
    const { port, importMs } = await new Promise<{ port: number; importMs: number }>((resolve, reject) => {
      createInterface({ input: child.stdout }).once("line", (line) => resolve(JSON.parse(line)));
      void exited.then(() => reject(new Error(`${file} did not start`)));
    });
    const ask = async (): Promise<number> => {
      const before = performance.now();
      const headers = { authorization: `Bearer ${token}`, "content-type": "application/json" };
      const response = await fetch(`http://127.0.0.1:${port}/`, { method: "POST", headers, body: "{}" });
      await response.text();
      if (response.status < 400 || response.status >= 500)
        throw new Error(`${file} answered ${response.status}`);
      return performance.now() - before;
    };
    const first = await ask();
    const ready = performance.now() - started;
    return { ready, imports: importMs, first, second: await ask() };
  } finally {
    child.kill("SIGKILL");
    await exited;
  }
}

/** A project's environment, and a token that is valid there. */
async function credentials(): Promise<{ env: Record<string, string>; token: string }> {
  const { publicKey, privateKey } = await generateKeyPair("ES256", { extractable: true });
  const kid = "bench";
  const jwk = { ...(await exportJWK(publicKey)), kid, alg: "ES256", use: "sig" };
  const token = await new SignJWT({ role: "authenticated" })
    .setProtectedHeader({ alg: "ES256", kid, typ: "JWT" })
    .setSubject(crypto.randomUUID())
    .setIssuer(`${url}/auth/v1`)
    .setAudience("authenticated")
    .setExpirationTime("1h")
    .sign(privateKey);
  const env = {
    SUPABASE_URL: url,
    SUPABASE_PUBLISHABLE_KEYS: '{"default": "sb_publishable_bench"}',
    SUPABASE_SECRET_KEYS: '{"default": "sb_secret_bench"}',
    SUPABASE_JWKS: JSON.stringify({ keys: [jwk] }),
  };
  return { env, token };
}

/** The function with all it imports, as one minified module. */
async function weigh(file: string): Promise<{ modules: number; bytes: number; gzipped: number }> {
  const build = await rolldown({ input: file, platform: "node", external: /^node:/, logLevel: "silent" });
  try {
    const { output } = await build.generate({ format: "esm", minify: true });
    const chunks = output.flatMap((part) => (part.type === "chunk" ? [part] : []));
    const code = chunks.map((chunk) => chunk.code).join("");
    const modules = new Set(chunks.flatMap((chunk) => chunk.moduleIds));
    return { modules: modules.size, bytes: Buffer.byteLength(code), gzipped: gzipSync(code).length };
  } finally {
    await build.close();
  }
}
