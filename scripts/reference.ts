// `npm run reference -- load <file.csv> --remote <postgres url>|--local [--dry-run]`: loads reference data: codes, limits,
// credentials and places of service. Exit code 0: loaded, or shown; 1: the file has faults, or the database refused it, and
// nothing was written; 2: wrong usage or no connection.

import { readFile } from "node:fs/promises";
import type { Sql } from "postgres";
import { runCommand, withDatabase } from "./command.ts";
import { keyOf } from "./reference/kinds.ts";
import { applyLoad, type Change, planLoad } from "./reference/load.ts";
import { type ReferenceFile, readReference } from "./reference/read.ts";
import { CommandError, parseRemote } from "./remote.ts";
import { persistentDataDir } from "./stack/paths.ts";
import { findRunningStack } from "./stack/state.ts";

const usage = `Usage: npm run reference -- load <file.csv> (--remote <postgres url> | --local) [--dry-run]

Loads a file of CPT codes, MUE limits, credentials or places of service; its header says which. Rows that the file does not
name stay as they are. docs/billing.md has the columns.

Options
  --remote     postgres://user@host:5432/postgres, with the password in it or in the environment as PGPASSWORD
  --local      the stack that npm start runs
  --dry-run    show what would be added, changed and ended, and write nothing

Exit code 0: done; 1: the file or a row is refused, and nothing was written; 2: wrong usage or no connection.
`;

const flag = { type: "boolean", default: false } as const;

process.exitCode = await runCommand(
  "reference",
  usage,
  { allowPositionals: true, options: { remote: { type: "string" }, local: flag, "dry-run": flag } },
  async ({ values, positionals }) => {
    const [command, path] = positionals;
    if (command !== "load" || path === undefined || positionals.length !== 2) {
      throw new CommandError("usage", "load and a file are asked for.");
    }
    if ((values.remote === undefined) !== values.local) {
      throw new CommandError("usage", "either --remote or --local is asked for.");
    }
    const url = values.remote ?? (await findRunningStack(persistentDataDir))?.databaseUrl;
    if (!url) throw new CommandError("not_running", "No local stack runs: npm start.");
    const remote = parseRemote(url);
    const file = readReference(await contentOf(path));
    if (!Array.isArray(file)) return withDatabase(remote, (sql) => load(sql, file, values["dry-run"]));
    for (const { line, column, message } of file) {
      process.stderr.write(`${path}:${line}: ${[column, message].filter(Boolean).join(": ")}\n`);
    }
    return 1;
  },
);

async function load(sql: Sql, file: ReferenceFile, dryRun: boolean): Promise<number> {
  try {
    const changes = await sql.begin(async (transaction) => {
      const planned = await planLoad(transaction, file);
      if (!dryRun && planned.length > 0) await applyLoad(transaction, file, planned);
      return planned;
    });
    for (const change of changes) process.stdout.write(`${describe(file, change)}\n`);
    process.stdout.write(`${file.kind.table}: ${changes.length} ${dryRun ? "to change" : "changed"}.\n`);
    return 0;
  } catch (error) {
    const { constraint_name } = error as { constraint_name?: string };
    if (!constraint_name) throw error;
    process.stderr.write(`reference: the rows do not fit: ${constraint_name}. Nothing was written.\n`);
    return 1;
  }
}

function describe({ kind }: ReferenceFile, { what, row, before }: Change): string {
  const columns = Object.keys(kind.columns).filter((name) => !kind.key.includes(name));
  const shown = columns.filter((name) => !before || before[name] !== row[name]);
  const values = shown.map((name) =>
    before ? `${name} ${before[name] ?? "-"} -> ${row[name] ?? "-"}` : `${name} ${row[name] ?? "-"}`,
  );
  return `${what} ${keyOf(row, kind.key)}: ${values.join(", ")}`;
}

async function contentOf(path: string): Promise<string> {
  try {
    return await readFile(path, "utf8");
  } catch {
    throw new CommandError("usage", `${path} cannot be read.`);
  }
}
