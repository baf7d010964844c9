// `npm run drift -- --remote <postgres url>`: how a live database differs from what the migrations make of an empty one.
// It only reads. The report goes to stdout, progress to stderr; exit code 0: no drift, 1: drift, 2: nothing compared.

import { parseArgs } from "node:util";
import { compare, type Difference } from "./drift/compare.ts";
import { report } from "./drift/report.ts";
import { type Snapshot, snapshotOf } from "./drift/snapshot.ts";
import { connectionError, parseRemote, type Remote, RemoteError } from "./remote.ts";
import { type Stack, startStack } from "./stack/index.ts";

const usage = `Usage: npm run drift -- --remote <postgres url> [--json]

Compares policies, grants, functions, triggers, tables and the rest of the schemas public, app and audit of a live
database with what supabase/migrations make of an empty one. It only reads.

  --remote   postgres://user@host:5432/postgres, with the password in it or in the environment as PGPASSWORD
  --json     print the differences as JSON

Exit code 0: no drift; 1: drift; 2: wrong usage or no connection.
`;

interface Command {
  remote: Remote;
  json: boolean;
}

const started = performance.now();
const progress = (line: string): void => {
  process.stderr.write(`${((performance.now() - started) / 1000).toFixed(1).padStart(5)} s  ${line}\n`);
};

process.exitCode = await main();

async function main(): Promise<number> {
  // Read before anything can fail, so that a failure too is told as asked.
  const json = process.argv.includes("--json");
  try {
    const command = parseCommand();
    if (!command) {
      process.stdout.write(usage);
      return 0;
    }
    const differences = await findDrift(command.remote);
    process.stdout.write(json ? inJson({ drift: differences.length > 0, differences }) : report(differences));
    return differences.length > 0 ? 1 : 0;
  } catch (error) {
    // Whatever it was, nothing was compared: Node's own exit code for it, 1, would be read as drift.
    const { code, message } =
      error instanceof RemoteError ? error : new RemoteError("unexpected", String(error));
    process.stderr.write(`drift: ${message} (${code})\n`);
    if (json) process.stdout.write(inJson({ error: { code, message } }));
    return 2;
  }
}

/** Undefined: help is asked for. */
function parseCommand(): Command | undefined {
  const { remote, json, help } = parseOptions();
  if (help) return undefined;
  if (!remote) throw new RemoteError("usage", `--remote is missing.\n\n${usage}`);
  return { remote: parseRemote(remote), json };
}

function parseOptions(): { remote?: string | undefined; json: boolean; help: boolean } {
  try {
    return parseArgs({
      options: {
        remote: { type: "string" },
        json: { type: "boolean", default: false },
        help: { type: "boolean", default: false },
      },
    }).values;
  } catch {
    // What parseArgs says repeats the argument, which may be the URL with its password.
    throw new RemoteError("usage", `there is an argument too many, or one without its value.\n\n${usage}`);
  }
}

async function findDrift(remote: Remote): Promise<Difference[]> {
  progress(`reading ${remote.label}`);
  // Before the reference: an address that does not answer is known in a moment.
  const live = await snapshotOf(remote.url).catch((error) => Promise.reject(connectionError(error, remote)));
  progress("making the reference: a temporary database with the migrations of this checkout");
  const reference = await referenceSnapshot();
  warnOfOtherVersions(reference, live);
  return compare(reference, live);
}

async function referenceSnapshot(): Promise<Snapshot> {
  let stack: Stack | undefined;
  for (const signal of ["SIGINT", "SIGTERM"] as const) {
    // Before the stack is up there is nothing to end in order: its watchdog ends what has started.
    process.once(signal, () => void Promise.resolve(stack?.stop()).then(() => process.exit(130)));
  }
  try {
    stack = await startStack({ functions: false, log: progress });
    return await snapshotOf(stack.databaseUrl);
  } catch (error) {
    const reason = error instanceof Error ? error.message : String(error);
    throw new RemoteError("reference_failed", `The reference database could not be made: ${reason}`);
  } finally {
    await stack?.stop();
  }
}

/** Differences that have a plain cause are read otherwise: it is named beside them. */
function warnOfOtherVersions(reference: Snapshot, live: Snapshot): void {
  if (live.serverVersion !== reference.serverVersion) {
    progress(
      `note: the live database is Postgres ${live.serverVersion}, the reference ${reference.serverVersion}; ` +
        "the two may print the same definition in other words",
    );
  }
  const pending = reference.migrations.filter((version) => !live.migrations.includes(version));
  const unknown = live.migrations.filter((version) => !reference.migrations.includes(version));
  if (live.migrations.length === 0) return;
  if (pending.length > 0) progress(`note: not yet pushed to the live database: ${pending.join(", ")}`);
  if (unknown.length > 0) progress(`note: pushed, but not in this checkout: ${unknown.join(", ")}`);
}

function inJson(value: object): string {
  return `${JSON.stringify(value, null, 2)}\n`;
}
