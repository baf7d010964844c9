// `npm run backup -- dump|restore|prove --db <postgres url>`: a copy of everything in files, and a restored database proved.
// Progress goes to stderr, the answer to stdout; exit code 0: done and proved, 1: it does not hold, 2: nothing was done.

import { parseArgs } from "node:util";
import postgres, { type Sql } from "postgres";
import { dump } from "./backup/dump.ts";
import { BackupError } from "./backup/error.ts";
import { prove } from "./backup/prove.ts";
import { restore } from "./backup/restore.ts";
import { connectionError, parseRemote, type Remote, RemoteError } from "./remote.ts";

const usage = `Usage: npm run backup -- <command> --db <postgres url> [options]

Commands
  dump       copy everything as of one moment into a new folder, --to
  restore    load such a folder, --from, into an empty project with the same migrations, and prove it; all or nothing
  prove      of a database restored in whatever way: foreign keys, the ledger, balances, what is billed, the audit trail

Options
  --db       postgres://user@host:5432/postgres, with the password in it or in the environment as PGPASSWORD;
             not a pooler in transaction mode
  --to       dump: the folder, new or empty
  --from     restore: the folder
  --head     prove: the hash of a seal that was printed earlier must be in the trail

Exit code 0: done, and it holds; 1: it does not hold; 2: nothing was done.
`;

const started = performance.now();
process.exitCode = await main();

async function main(): Promise<number> {
  try {
    const command = parseCommand();
    if (!command) {
      process.stdout.write(usage);
      return 0;
    }
    return await withDatabase(command.remote, command.run);
  } catch (error) {
    const known = error instanceof RemoteError || error instanceof BackupError;
    const { code, message } = known ? error : new BackupError("unexpected", String(error));
    process.stderr.write(`backup: ${message} (${code})\n`);
    return code === "not_proved" ? 1 : 2;
  }
}

async function withDatabase(remote: Remote, work: (sql: Sql) => Promise<number>): Promise<number> {
  const sql = postgres(remote.url, { max: 1, connect_timeout: 15, onnotice: () => {} });
  try {
    return await work(sql);
  } catch (error) {
    if (error instanceof BackupError) throw error;
    const { code, message } = error as NodeJS.ErrnoException;
    // Of the folder, and not of the connection.
    if (/^(EACCES|EDQUOT|EEXIST|EISDIR|ENOSPC|ENOTDIR|EPERM|EROFS)$/.test(code ?? "")) {
      throw new BackupError("folder_unusable", `The folder cannot be written: ${message}.`);
    }
    throw connectionError(error, remote);
  } finally {
    await sql.end({ timeout: 5 });
  }
}

/** Undefined: help is asked for. */
function parseCommand(): { remote: Remote; run: (sql: Sql) => Promise<number> } | undefined {
  const { values, positionals } = parseOptions();
  if (values.help) return undefined;
  const [name, ...others] = positionals;
  const { to, from, head } = values;
  if (others.length > 0 || !["dump", "restore", "prove"].includes(name ?? "")) {
    throw misuse("one command is asked for: dump, restore or prove.");
  }
  if (!values.db) throw misuse("--db is missing.");
  const folder = { dump: to, restore: from, prove: undefined }[name as "dump"];
  if (name !== "prove" && !folder)
    throw misuse(`${name} needs ${name === "dump" ? "--to" : "--from"}, a folder.`);
  if ((name !== "dump" && to) || (name !== "restore" && from) || (name !== "prove" && head)) {
    throw misuse("--to belongs to dump, --from to restore, --head to prove.");
  }
  if (head !== undefined && !/^[0-9a-f]{64}$/.test(head)) {
    throw misuse("--head is not a hash: 64 hexadecimal digits, as `npm run audit -- head` prints them.");
  }
  return {
    remote: parseRemote(values.db),
    run: async (sql) => {
      if (name === "prove") return proved(sql, head);
      const work = name === "dump" ? dump : restore;
      const { tables, head: sealed } = await work(sql, folder as string, progress);
      const rows = tables.reduce((sum, table) => sum + table.rows, 0);
      const done = name === "dump" ? "A backup" : "Restored and proved:";
      process.stdout.write(`${done} of ${rows} rows in ${tables.length} tables.\nhead ${sealed ?? "none"}\n`);
      return 0;
    },
  };
}

async function proved(sql: Sql, head: string | undefined): Promise<number> {
  const { findings, foreignKeys, events, seals } = await prove(sql, { head, progress });
  for (const finding of findings) process.stdout.write(`DOES NOT HOLD: ${finding}\n`);
  if (findings.length === 0) {
    process.stdout.write(
      `OK: ${foreignKeys} foreign keys, the ledgers, ${events} events by ${seals} seals.\n`,
    );
  }
  return findings.length === 0 ? 0 : 1;
}

function progress(line: string): void {
  process.stderr.write(`${((performance.now() - started) / 1000).toFixed(1).padStart(6)} s  ${line}\n`);
}

function parseOptions() {
  const text = { type: "string" } as const;
  try {
    return parseArgs({
      allowPositionals: true,
      options: { db: text, to: text, from: text, head: text, help: { type: "boolean", default: false } },
    });
  } catch {
    // What parseArgs says repeats the argument, which may be the URL with its password.
    throw misuse("there is an unknown option, or one without its value.");
  }
}

function misuse(what: string): BackupError {
  return new BackupError("usage", `${what} See npm run backup -- --help.`);
}
