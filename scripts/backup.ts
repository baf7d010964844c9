// `npm run backup -- dump|restore|prove --db <postgres url>`: a copy of everything in files, and a restored database proved.
// Progress goes to stderr, the answer to stdout; exit code 0: done and proved, 1: it does not hold, 2: nothing was done.

import type { Sql } from "postgres";
import { dump } from "./backup/dump.ts";
import { prove } from "./backup/prove.ts";
import { restore } from "./backup/restore.ts";
import { runCommand, tellProgress, withDatabase } from "./command.ts";
import { CommandError, parseRemote } from "./remote.ts";

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

const text = { type: "string" } as const;
const config = {
  allowPositionals: true,
  options: { db: text, to: text, from: text, head: text },
} as const;

process.exitCode = await runCommand("backup", usage, config, async ({ values, positionals }) => {
  const [name, ...others] = positionals;
  const { db, to, from, head } = values;
  if (others.length > 0 || !["dump", "restore", "prove"].includes(name ?? "")) {
    throw new CommandError("usage", "one command is asked for: dump, restore or prove.");
  }
  if (!db) throw new CommandError("usage", "--db is missing.");
  const folder = { dump: to, restore: from, prove: undefined }[name as "dump"];
  if (name !== "prove" && !folder) {
    throw new CommandError("usage", `${name} needs ${name === "dump" ? "--to" : "--from"}, a folder.`);
  }
  if ((name !== "dump" && to) || (name !== "restore" && from) || (name !== "prove" && head)) {
    throw new CommandError("usage", "--to belongs to dump, --from to restore, --head to prove.");
  }
  if (head !== undefined && !/^[0-9a-f]{64}$/.test(head)) {
    throw new CommandError(
      "usage",
      "--head is not a hash: 64 hexadecimal digits, as `npm run audit -- head` prints them.",
    );
  }
  return withDatabase(parseRemote(db), (sql) =>
    name === "prove" ? proved(sql, head) : copy(sql, name as "dump" | "restore", folder as string),
  );
});

async function copy(sql: Sql, name: "dump" | "restore", folder: string): Promise<number> {
  const work = name === "dump" ? dump : restore;
  const { tables, head } = await work(sql, folder, tellProgress).catch((error) => {
    const { code, message } = error as NodeJS.ErrnoException;
    // Of the folder, and not of the connection.
    if (/^(EACCES|EDQUOT|EEXIST|EISDIR|ENOSPC|ENOTDIR|EPERM|EROFS)$/.test(code ?? "")) {
      throw new CommandError("folder_unusable", `The folder cannot be written: ${message}.`);
    }
    throw error;
  });
  const rows = tables.reduce((sum, table) => sum + table.rows, 0);
  const done = name === "dump" ? "A backup" : "Restored and proved:";
  process.stdout.write(`${done} of ${rows} rows in ${tables.length} tables.\nhead ${head ?? "none"}\n`);
  return 0;
}

async function proved(sql: Sql, head: string | undefined): Promise<number> {
  const { findings, foreignKeys, events, seals } = await prove(sql, { head, progress: tellProgress });
  for (const finding of findings) process.stdout.write(`DOES NOT HOLD: ${finding}\n`);
  if (findings.length === 0) {
    process.stdout.write(
      `OK: ${foreignKeys} foreign keys, the ledgers, ${events} events by ${seals} seals.\n`,
    );
  }
  return findings.length === 0 ? 0 : 1;
}
