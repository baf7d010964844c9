// `npm run doctor -- --remote <postgres url>`: whether a live database is run as docs/compliance.md asks. It only reads, and
// prints counts, settings and names of tables, never a row. The table goes to stdout; exit code 0: nothing failed,
// 1: a check failed, 2: nothing was checked.

import { printJson, runCommand, withDatabase } from "./command.ts";
import type { Finding } from "./doctor/checks.ts";
import { examine } from "./doctor/examine.ts";
import { projectMigrations } from "./doctor/migrations.ts";
import { tableOf } from "./doctor/table.ts";
import { CommandError, parseRemote } from "./remote.ts";

const usage = `Usage: npm run doctor -- --remote <postgres url> [--json]

Checks how a live database is set up and kept, and lists what only its operator can look up. It only reads.

  --remote   postgres://postgres@host:5432/postgres, with the password in it or in the environment as PGPASSWORD
  --json     print the findings as JSON

Exit code 0: nothing failed, warnings perhaps; 1: a check failed; 2: wrong usage or no connection.
`;

process.exitCode = await runCommand(
  "doctor",
  usage,
  { options: { remote: { type: "string" }, json: { type: "boolean", default: false } } },
  async ({ values: { remote, json } }) => {
    if (!remote) throw new CommandError("usage", "--remote is missing.");
    const migrations = await projectMigrations();
    // One snapshot for all of it, in which nothing can be written.
    const findings = await withDatabase(
      parseRemote(remote),
      (sql) =>
        sql.begin("isolation level repeatable read read only", (transaction) =>
          examine(transaction, migrations),
        ) as Promise<Finding[]>,
    );
    const failed = findings.filter(({ state }) => state === "fail").length;
    if (json) printJson({ failed, findings });
    else process.stdout.write(tableOf(findings));
    return failed > 0 ? 1 : 0;
  },
);
