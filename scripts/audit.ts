// `npm run audit -- head|verify|seal|continue --db <postgres url>`: proves that nobody changed the audit trail. The answer goes to
// stdout, progress to stderr; exit code 0: all is well, 1: something is not as it was sealed, 2: nothing was verified.

import { parseArgs } from "node:util";
import postgres, { type Sql } from "postgres";
import { readHead } from "./audit/trail.ts";
import { verify } from "./audit/verify.ts";
import { connectionError, parseRemote, type Remote, RemoteError } from "./remote.ts";

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

interface Command {
  name: (typeof commandNames)[number];
  remote: Remote;
  head: string | undefined;
  from: bigint | undefined;
  to: bigint | undefined;
  json: boolean;
}

const started = performance.now();
const json = process.argv.includes("--json");

process.exitCode = await main();

async function main(): Promise<number> {
  try {
    const command = parseCommand();
    if (!command) {
      process.stdout.write(usage);
      return 0;
    }
    return await withDatabase(command.remote, (sql) => run(command, sql));
  } catch (error) {
    const { code, message } =
      error instanceof RemoteError ? error : new RemoteError("unexpected", String(error));
    process.stderr.write(`audit: ${message} (${code})\n`);
    if (json) print({ error: { code, message } });
    return 2;
  }
}

async function withDatabase(remote: Remote, work: (sql: Sql) => Promise<number>): Promise<number> {
  const sql = postgres(remote.url, { max: 1, connect_timeout: 15, onnotice: () => {} });
  try {
    return await work(sql);
  } catch (error) {
    throw connectionError(error, remote);
  } finally {
    await sql.end({ timeout: 5 });
  }
}

async function run(command: Command, sql: Sql): Promise<number> {
  if (command.name === "head") return head(sql);
  if (command.name === "seal") return seal(sql);
  if (command.name === "continue") return continueTrail(sql);
  const report = await verify(sql, { ...command, progress });
  if (json) print({ ok: report.finding === null, ...report });
  else if (report.finding) process.stdout.write(`NOT AS IT WAS SEALED: ${report.finding.what}\n`);
  else {
    process.stdout.write(
      `OK: ${report.events} events are as ${report.seals} seals have them. ` +
        `Not sealed yet, and so not proved: ${report.unsealed}.\nhead ${report.head ?? "none"}\n`,
    );
  }
  return report.finding ? 1 : 0;
}

async function head(sql: Sql): Promise<number> {
  const latest = await readHead(sql);
  if (json) print({ head: latest });
  else if (!latest) process.stdout.write("Nothing is sealed yet.\n");
  else {
    process.stdout.write(
      `${latest.hash}\nseal ${latest.seals} of ${latest.sealed_at}, ${latest.events} events up to here\n`,
    );
  }
  return 0;
}

async function seal(sql: Sql): Promise<number> {
  let made = 0;
  for (;;) {
    // A transaction each, so that an interrupted run keeps what it did.
    const [row] = await sql<[{ made: number }]>`select audit.seal(10) as made`;
    if (row.made === 0) break;
    made += row.made;
    note(`${made} seals`);
  }
  if (json) print({ seals_made: made });
  else process.stdout.write(`${made} seals made.\n`);
  return 0;
}

async function continueTrail(sql: Sql): Promise<number> {
  const [row] = await sql<[{ added: string }]>`select audit.continue_trail()::text as added`;
  if (json) print(row);
  else process.stdout.write(`The trail goes on: ${row.added} is added to the ids of transactions.\n`);
  return 0;
}

function progress({ seals, ofSeals, events }: { seals: bigint; ofSeals: bigint; events: number }): void {
  note(`${seals} of ${ofSeals} seals, ${events} events`);
}

function note(line: string): void {
  process.stderr.write(`${((performance.now() - started) / 1000).toFixed(1).padStart(6)} s  ${line}\n`);
}

function print(value: object): void {
  process.stdout.write(`${JSON.stringify(value, null, 2)}\n`);
}

/** Undefined: help is asked for. */
function parseCommand(): Command | undefined {
  const { values, positionals } = parseOptions();
  if (values.help) return undefined;
  const name = commandNames.find((known) => known === positionals[0]);
  if (positionals.length !== 1 || name === undefined) {
    throw misuse(`one command is asked for: ${commandNames.join(", ")}.`);
  }
  const url = values.db ?? values.remote;
  if (!url) throw misuse("--db is missing.");
  if (name !== "verify" && (values.head ?? values.from ?? values.to) !== undefined) {
    throw misuse("--head, --from and --to belong to verify.");
  }
  if (values.head !== undefined && !/^[0-9a-f]{64}$/.test(values.head)) {
    throw misuse("--head is not a hash: 64 hexadecimal digits, as the command head prints them.");
  }
  return {
    name,
    remote: parseRemote(url),
    head: values.head,
    from: microseconds("--from", values.from),
    to: microseconds("--to", values.to),
    json: values.json,
  };
}

function parseOptions() {
  const text = { type: "string" } as const;
  const flag = { type: "boolean", default: false } as const;
  try {
    return parseArgs({
      allowPositionals: true,
      options: { db: text, remote: text, head: text, from: text, to: text, json: flag, help: flag },
    });
  } catch {
    // What parseArgs says repeats the argument, which may be the URL with its password.
    throw misuse("there is an unknown option, or one without its value.");
  }
}

function microseconds(option: string, value: string | undefined): bigint | undefined {
  if (value === undefined) return undefined;
  const time = Date.parse(value);
  if (!/^\d{4}-\d\d-\d\d/.test(value) || Number.isNaN(time)) {
    throw misuse(`${option} is not a date or a time in ISO 8601.`);
  }
  return BigInt(time) * 1000n;
}

function misuse(what: string): RemoteError {
  return new RemoteError("usage", `${what}\n\n${usage}`);
}
