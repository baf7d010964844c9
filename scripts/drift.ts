// `npm run drift -- --remote <postgres url>`: how a live database differs from what the migrations make of an empty one.
// It only reads. The report goes to stdout, progress to stderr; exit code 0: no drift, 1: drift, 2: nothing compared.

import { printJson, runCommand, tellProgress } from "./command.ts";
import { compare, type Difference } from "./drift/compare.ts";
import { report } from "./drift/report.ts";
import { type Snapshot, snapshotOf } from "./drift/snapshot.ts";
import { CommandError, connectionError, parseRemote, type Remote } from "./remote.ts";
import { type Stack, startStack } from "./stack/index.ts";

const usage = `Usage: npm run drift -- --remote <postgres url> [--json]

Compares policies, grants, functions, triggers, tables and the rest of the schemas public, app and audit of a live
database with what supabase/migrations make of an empty one. It only reads.

  --remote   postgres://user@host:5432/postgres, with the password in it or in the environment as PGPASSWORD
  --json     print the differences as JSON

Exit code 0: no drift; 1: drift; 2: wrong usage or no connection.
`;

process.exitCode = await runCommand(
  "drift",
  usage,
  { options: { remote: { type: "string" }, json: { type: "boolean", default: false } } },
  async ({ values: { remote, json } }) => {
    if (!remote) throw new CommandError("usage", "--remote is missing.");
    const differences = await findDrift(parseRemote(remote));
    if (json) printJson({ drift: differences.length > 0, differences });
    else process.stdout.write(report(differences));
    return differences.length > 0 ? 1 : 0;
  },
);

async function findDrift(remote: Remote): Promise<Difference[]> {
  tellProgress(`reading ${remote.label}`);
  // Before the reference: an address that does not answer is known in a moment.
  const live = await snapshotOf(remote.url).catch((error) => Promise.reject(connectionError(error, remote)));
  tellProgress("making the reference: a temporary database with the migrations of this checkout");
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
    stack = await startStack({ functions: false, log: tellProgress });
    return await snapshotOf(stack.databaseUrl);
  } catch (error) {
    const reason = error instanceof Error ? error.message : String(error);
    throw new CommandError("reference_failed", `The reference database could not be made: ${reason}`);
  } finally {
    await stack?.stop();
  }
}

/** Differences that have a plain cause are read otherwise: it is named beside them. */
function warnOfOtherVersions(reference: Snapshot, live: Snapshot): void {
  if (live.serverVersion !== reference.serverVersion) {
    tellProgress(
      `note: the live database is Postgres ${live.serverVersion}, the reference ${reference.serverVersion}; ` +
        "the two may print the same definition in other words",
    );
  }
  const pending = reference.migrations.filter((version) => !live.migrations.includes(version));
  const unknown = live.migrations.filter((version) => !reference.migrations.includes(version));
  if (live.migrations.length === 0) return;
  if (pending.length > 0) tellProgress(`note: not yet pushed to the live database: ${pending.join(", ")}`);
  if (unknown.length > 0) tellProgress(`note: pushed, but not in this checkout: ${unknown.join(", ")}`);
}
