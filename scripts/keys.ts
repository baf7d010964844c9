// `npm run keys`: the master keys of the notes, which the secret HOLDFAST_NOTE_KEYS of the functions holds.
//
// All its commands take the secret's value from the environment, so that no key stands in a list of processes. Rotating stops and
// goes on where it was: what is done is seen by the rows.

import { randomBytes } from "node:crypto";
import { resolve } from "node:path";
import { fileURLToPath } from "node:url";
import type postgres from "postgres";
import type { Sql } from "postgres";
import {
  type MasterKeys,
  NoteKeysError,
  readMasterKeys,
  UnreadableError,
  unwrapKey,
  wrapKey,
} from "../supabase/functions/_shared/note-crypto.ts";
import { proofKey } from "../supabase/functions/_shared/note-proof.ts";
import { runCommand, withDatabase } from "./command.ts";
import { CommandError, parseRemote } from "./remote.ts";

const BATCH = 200;

const usage = `Usage: HOLDFAST_NOTE_KEYS=<value> npm run keys -- <command> [--db <postgres url>]

Commands
  generate   print a value for the secret: what HOLDFAST_NOTE_KEYS has, if it is set, and a new key as the current one
  admit      tell the database by which keys the functions prove what they save; before the secret is set
  rotate     re-wrap every client's key by the current one; never touches a note

Options
  --db       admit, rotate: postgres://user@host:5432/postgres, with the password in it or in the environment as PGPASSWORD
  --anyway   admit: even if the value opens none of the clients' keys that there are, as where the key they need is lost

Exit code 0: done; 1: a key does not open; 2: wrong usage, no keys, or no connection.
`;

/** A value of HOLDFAST_NOTE_KEYS with a new key as the current one, beside those that `secret` has. */
export function generateKeys(secret: string | undefined): string {
  const id = `k${new Date().toISOString().slice(0, 10).replaceAll("-", "")}-${randomBytes(3).toString("hex")}`;
  // Read first, so that a damaged value is not carried on.
  const live = secret ? readMasterKeys(secret).keys : new Map<string, Uint8Array>();
  const kept = [...live].map(([name, bytes]) => [name, Buffer.from(bytes).toString("base64url")]);
  return JSON.stringify({
    current: id,
    keys: { ...Object.fromEntries(kept), [id]: randomBytes(32).toString("base64url") },
  });
}

/**
 * Lets the database accept notes from functions that have these master keys, and from no others. What it is given proves
 * who saves, and opens nothing.
 */
export async function admitKeys(sql: Sql, masters: MasterKeys): Promise<void> {
  const ids = [...masters.keys.keys()];
  const proofs = await Promise.all([...masters.keys.values()].map(proofKey));
  await sql.begin(async (transaction) => {
    await transaction`delete from app.note_writers where master_key_id <> all (${ids}::text[])`;
    await transaction`
      insert into app.note_writers (master_key_id, proof_key)
      select given.id, decode(given.proof_key, 'hex')
      from unnest(${ids}::text[], ${proofs.map((key) => Buffer.from(key).toString("hex"))}::text[]) given (id, proof_key)
      on conflict (master_key_id) do update set proof_key = excluded.proof_key`;
  });
}

export interface Rotation {
  rewrapped: number;
  /** Ids of the keys that no live master key opens; they are left as they are. */
  unreadable: string[];
}

/**
 * Wraps every live client key by the current master key, a batch at a time, each batch in a transaction of its own.
 * Writers go on meanwhile: a note names its client's key, which stays the same under its new wrapping.
 */
export async function rotateKeys(
  sql: Sql,
  masters: MasterKeys,
  progress: (rewrapped: number) => void = () => {},
): Promise<Rotation> {
  const rotation: Rotation = { rewrapped: 0, unreadable: [] };
  for (;;) {
    const batch = await sql.begin((transaction) => rewrapBatch(transaction, masters, rotation.unreadable));
    if (batch.seen === 0) return rotation;
    rotation.rewrapped += batch.rewrapped;
    progress(rotation.rewrapped);
  }
}

async function rewrapBatch(
  transaction: postgres.TransactionSql,
  masters: MasterKeys,
  unreadable: string[],
): Promise<{ seen: number; rewrapped: number }> {
  const rows = await transaction<
    { id: string; organization_id: string; client_id: string; wrapped_key: string }[]
  >`
    select id, organization_id, client_id, wrapped_key
    from public.client_keys
    where status = 'active' and master_key_id <> ${masters.current} and id <> all (${unreadable}::uuid[])
    order by id
    limit ${BATCH}
    for update`;
  const done: { id: string; wrapped: string }[] = [];
  for (const row of rows) {
    const whose = { organization: row.organization_id, client: row.client_id };
    try {
      const key = await unwrapKey({ keyId: row.id, wrapped: row.wrapped_key, ...whose }, masters);
      done.push({ id: row.id, wrapped: await wrapKey(key, whose, masters) });
    } catch (error) {
      if (!(error instanceof UnreadableError)) throw error;
      unreadable.push(row.id);
    }
  }
  await transaction`
    update public.client_keys key
    set wrapped_key = done.wrapped, master_key_id = ${masters.current}
    from unnest(${done.map(({ id }) => id)}::uuid[], ${done.map(({ wrapped }) => wrapped)}::text[]) done (id, wrapped)
    where key.id = done.id`;
  return { seen: rows.length, rewrapped: done.length };
}

/** Whether the master keys are those of this database: they open one of its client keys, or it has none yet. */
async function areOfDatabase(sql: Sql, masters: MasterKeys): Promise<boolean> {
  const rows = await sql<{ id: string; organization_id: string; client_id: string; wrapped_key: string }[]>`
    select distinct on (master_key_id) id, organization_id, client_id, wrapped_key
    from public.client_keys
    where status = 'active'
    order by master_key_id, created_at desc`;
  for (const row of rows) {
    const whose = { organization: row.organization_id, client: row.client_id };
    try {
      await unwrapKey({ keyId: row.id, wrapped: row.wrapped_key, ...whose }, masters);
      return true;
    } catch (error) {
      if (!(error instanceof UnreadableError)) throw error;
    }
  }
  return rows.length === 0;
}

async function run(db: string | undefined, anyway: boolean, positionals: string[]): Promise<number> {
  const [command = "", ...others] = positionals;
  if (others.length > 0 || !["generate", "admit", "rotate"].includes(command)) {
    throw new CommandError("usage", "one command is asked for: generate, admit or rotate.");
  }
  const secret = process.env.HOLDFAST_NOTE_KEYS;
  if (command === "generate") {
    if (db !== undefined) throw new CommandError("usage", "generate asks no database.");
    process.stdout.write(`${withKeys(() => generateKeys(secret))}\n`);
    return 0;
  }
  if (!db) throw new CommandError("usage", "--db is missing.");
  const remote = parseRemote(db);
  const masters = withKeys(() => readMasterKeys(secret));
  return withDatabase(remote, (sql) =>
    command === "admit" ? admit(sql, masters, anyway) : rotate(sql, masters),
  );
}

/** What reads the environment's keys, and says of bad ones no more than that. */
function withKeys<Result>(read: () => Result): Result {
  try {
    return read();
  } catch (error) {
    if (error instanceof NoteKeysError) throw new CommandError("note_keys", `${error.message}.`);
    throw error;
  }
}

async function admit(sql: Sql, masters: MasterKeys, anyway: boolean): Promise<number> {
  // Of another project's value the functions would prove nothing, and every save be refused from now on.
  if (!anyway && !(await areOfDatabase(sql, masters))) {
    throw new CommandError(
      "note_keys",
      "HOLDFAST_NOTE_KEYS opens none of the clients' keys of this database: nothing was changed (--anyway admits it).",
    );
  }
  await admitKeys(sql, masters);
  process.stdout.write(`Notes are taken from functions that have ${[...masters.keys.keys()].join(", ")}.\n`);
  return 0;
}

async function rotate(sql: Sql, masters: MasterKeys): Promise<number> {
  const report = (count: number) => process.stdout.write(`${count} keys are wrapped by ${masters.current}\n`);
  const { rewrapped, unreadable } = await rotateKeys(sql, masters, report);
  process.stdout.write(`Done: ${rewrapped} re-wrapped.\n`);
  if (unreadable.length === 0) return 0;
  process.stderr.write(`${unreadable.length} keys do not open:\n${unreadable.join("\n")}\n`);
  return 1;
}

if (process.argv[1] && resolve(process.argv[1]) === fileURLToPath(import.meta.url)) {
  process.exitCode = await runCommand(
    "keys",
    usage,
    {
      allowPositionals: true,
      options: { db: { type: "string" }, anyway: { type: "boolean", default: false } },
    },
    ({ values, positionals }) => run(values.db, values.anyway, positionals),
  );
}
