// `npm run audit -- head|verify|seal|continue --db <postgres url>`: proves that nobody changed the audit trail. The answer goes to
// stdout, progress to stderr; exit code 0: all is well, 1: something is not as it was sealed, 2: nothing was verified.

import type { Sql } from "postgres";
import { readHead } from "./audit/trail.ts";
import { type VerifyOptions, verify } from "./audit/verify.ts";
import { printJson, runCommand, tellProgress, withDatabase } from "./command.ts";
import { CommandError, parseRemote } from "./remote.ts";

const usage = `Usage: npm run audit -- <command> --db <postgres url> [options]

Commands
  verify     recompute every hash from the rows and name the first altered, missing or inserted one
  head       print the latest seal, to be kept where the database's operators cannot write
  seal       seal what is not sealed yet, as the database's own job does
  continue   once a dump is loaded into another cluster, before anybody writes: let the trail go on there

Options
  --db, --remote   postgres://user@host:5432/postgres, with the password in it or in the environment as PGPASSWORD
  --head           verify: the hash of a seal that was printed earlier must be in the chain
  --from, --to     verify: only the events of this time (ISO 8601, the end left out); the chain of seals is checked whole
  --json           print the answer as JSON

Exit code 0: all is well; 1: not as it was sealed; 2: wrong usage or no connection.
`;

const commandNames = ["verify", "head", "seal", "continue"] as const;

const text = { type: "string" } as const;
const options = {
  db: text,
  remote: text,
  head: text,
  from: text,
  to: text,
  json: { type: "boolean", default: false },
} as const;

process.exitCode = await runCommand("audit", usage, { allowPositionals: true, options }, async (given) => {
  const { db, remote, head, from, to, json } = given.values;
  const name = commandNames.find((known) => known === given.positionals[0]);
  if (given.positionals.length !== 1 || name === undefined) {
    throw new CommandError("usage", `one command is asked for: ${commandNames.join(", ")}.`);
  }
  const url = db ?? remote;
  if (!url) throw new CommandError("usage", "--db is missing.");
  if (name !== "verify" && (head ?? from ?? to) !== undefined) {
    throw new CommandError("usage", "--head, --from and --to belong to verify.");
  }
  if (head !== undefined && !/^[0-9a-f]{64}$/.test(head)) {
    throw new CommandError(
      "usage",
      "--head is not a hash: 64 hexadecimal digits, as the command head prints them.",
    );
  }
  const range = { from: microseconds("--from", from), to: microseconds("--to", to) };
  if (range.from !== undefined && range.to !== undefined && range.from >= range.to) {
    throw new CommandError("usage", "--from is not before --to.");
  }
  return withDatabase(parseRemote(url), (sql) => {
    if (name === "head") return printHead(sql, json);
    if (name === "seal") return seal(sql, json);
    if (name === "continue") return continueTrail(sql, json);
    return verifyTrail(sql, { head, ...range }, json);
  });
});

async function verifyTrail(sql: Sql, what: Omit<VerifyOptions, "progress">, json: boolean): Promise<number> {
  const report = await verify(sql, {
    ...what,
    progress: ({ seals, ofSeals, events }) => tellProgress(`${seals} of ${ofSeals} seals, ${events} events`),
  });
  if (json) printJson({ ok: report.finding === null, ...report });
  else if (report.finding) process.stdout.write(`NOT AS IT WAS SEALED: ${report.finding.what}\n`);
  else {
    process.stdout.write(
      `OK: ${report.events} events are as ${report.seals} seals have them. ` +
        `Not sealed yet, and so not proved: ${report.unsealed}.\nhead ${report.head ?? "none"}\n`,
    );
  }
  return report.finding ? 1 : 0;
}

async function printHead(sql: Sql, json: boolean): Promise<number> {
  const latest = await readHead(sql);
  if (json) printJson({ head: latest });
  else if (!latest) process.stdout.write("Nothing is sealed yet.\n");
  else {
    process.stdout.write(
      `${latest.hash}\nseal ${latest.seals} of ${latest.sealed_at}, ${latest.events} events up to here\n`,
    );
  }
  return 0;
}

async function seal(sql: Sql, json: boolean): Promise<number> {
  let made = 0;
  for (;;) {
    // A transaction each, so that an interrupted run keeps what it did.
    const [row] = await sql<[{ made: number }]>`select audit.seal(10) as made`;
    if (row.made === 0) break;
    made += row.made;
    tellProgress(`${made} seals`);
  }
  if (json) printJson({ seals_made: made });
  else process.stdout.write(`${made} seals made.\n`);
  return 0;
}

async function continueTrail(sql: Sql, json: boolean): Promise<number> {
  const [row] = await sql<[{ added: string }]>`select audit.continue_trail()::text as added`;
  if (json) printJson(row);
  else process.stdout.write(`The trail goes on: ${row.added} is added to the ids of transactions.\n`);
  return 0;
}

function microseconds(option: string, value: string | undefined): bigint | undefined {
  if (value === undefined) return undefined;
  const time = Date.parse(value);
  if (!/^\d{4}-\d\d-\d\d/.test(value) || Number.isNaN(time)) {
    throw new CommandError("usage", `${option} is not a date or a time in ISO 8601.`);
  }
  return BigInt(time) * 1000n;
}
