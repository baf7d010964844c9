// `npm run doctor -- --remote <postgres url>`: whether a live database is run as docs/compliance.md asks. It only reads, and
// prints counts, settings and names of tables, never a row. The table goes to stdout; exit code 0: nothing failed,
// 1: a check failed, 2: nothing was checked.

import { parseArgs } from "node:util";
import postgres from "postgres";
import type { Finding } from "./doctor/checks.ts";
import { examine } from "./doctor/examine.ts";
import { projectMigrations } from "./doctor/migrations.ts";
import { tableOf } from "./doctor/table.ts";
import { connectionError, parseRemote, type Remote, RemoteError } from "./remote.ts";

const usage = `Usage: npm run doctor -- --remote <postgres url> [--json]

Checks how a live database is set up and kept, and lists what only its operator can look up. It only reads.

  --remote   postgres://postgres@host:5432/postgres, with the password in it or in the environment as PGPASSWORD
  --json     print the findings as JSON

Exit code 0: nothing failed, warnings perhaps; 1: a check failed; 2: wrong usage or no connection.
`;

const json = process.argv.includes("--json");

process.exitCode = await main();

async function main(): Promise<number> {
  try {
    const remote = parseCommand();
    if (!remote) {
      process.stdout.write(usage);
      return 0;
    }
    const findings = await examineRemote(remote);
    const failed = findings.filter(({ state }) => state === "fail").length;
    process.stdout.write(json ? inJson({ failed, findings }) : tableOf(findings));
    return failed > 0 ? 1 : 0;
  } catch (error) {
    const { code, message } =
      error instanceof RemoteError ? error : new RemoteError("unexpected", String(error));
    process.stderr.write(`doctor: ${message} (${code})\n`);
    if (json) process.stdout.write(inJson({ error: { code, message } }));
    return 2;
  }
}

/** Undefined: help is asked for. */
function parseCommand(): Remote | undefined {
  const text = { type: "string" } as const;
  const flag = { type: "boolean", default: false } as const;
  let values: { remote?: string | undefined; help: boolean };
  try {
    values = parseArgs({ options: { remote: text, json: flag, help: flag } }).values;
  } catch {
    // What parseArgs says repeats the argument, which may be the URL with its password.
    throw new RemoteError("usage", `there is an argument too many, or one without its value.\n\n${usage}`);
  }
  if (values.help) return undefined;
  if (!values.remote) throw new RemoteError("usage", `--remote is missing.\n\n${usage}`);
  return parseRemote(values.remote);
}

async function examineRemote(remote: Remote): Promise<Finding[]> {
  const migrations = await projectMigrations();
  const sql = postgres(remote.url, { max: 1, connect_timeout: 15, onnotice: () => {} });
  try {
    // One snapshot for all of it, in which nothing can be written.
    return (await sql.begin("isolation level repeatable read read only", (transaction) =>
      examine(transaction, migrations),
    )) as Finding[];
  } catch (error) {
    throw connectionError(error, remote);
  } finally {
    await sql.end({ timeout: 5 });
  }
}

function inJson(value: object): string {
  return `${JSON.stringify(value, null, 2)}\n`;
}
