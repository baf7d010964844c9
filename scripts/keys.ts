// `npm run keys`: the master keys of the notes, which the secret HOLDFAST_NOTE_KEYS of the functions holds.
//
//   npm run keys -- generate               a value for the secret: what HOLDFAST_NOTE_KEYS has, and a new key as the current one
//   npm run keys -- admit --db <url>       tells the database by which keys the functions prove what they save; before they are set
//   npm run keys -- rotate --db <url>      re-wraps every client's key by the current one; never touches a note
//
// All take the secret's value from the environment, so that no key stands in a list of processes. Rotating stops and goes
// on where it was: what is done is seen by the rows.

import { randomBytes } from "node:crypto";
import { resolve } from "node:path";
import { fileURLToPath } from "node:url";
import { parseArgs } from "node:util";
import postgres, { type Sql } from "postgres";
import {
  type MasterKeys,
  readMasterKeys,
  UnreadableError,
  unwrapKey,
  wrapKey,
} from "../supabase/functions/_shared/note-crypto.ts";
import { proofKey } from "../supabase/functions/_shared/note-proof.ts";

const BATCH = 200;

const usage = `usage: HOLDFAST_NOTE_KEYS=<value> npm run keys -- generate
       HOLDFAST_NOTE_KEYS=<value> npm run keys -- admit --db <url>
       HOLDFAST_NOTE_KEYS=<value> npm run keys -- rotate --db <url>
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

async function main(): Promise<void> {
  const { positionals, values } = parseArgs({
    allowPositionals: true,
    options: { db: { type: "string" } },
  });
  const secret = process.env.HOLDFAST_NOTE_KEYS;
  const [command, ...others] = positionals;
  if (command === "generate" && others.length === 0 && values.db === undefined) {
    process.stdout.write(`${generateKeys(secret)}\n`);
  } else if (command === "admit" && others.length === 0 && values.db !== undefined) {
    await admit(values.db, readMasterKeys(secret));
  } else if (command === "rotate" && others.length === 0 && values.db !== undefined) {
    await rotate(values.db, readMasterKeys(secret));
  } else {
    process.stderr.write(usage);
    process.exitCode = 2;
  }
}

async function withDatabase(url: string, work: (sql: Sql) => Promise<void>): Promise<void> {
  const sql = postgres(url, { max: 1, onnotice: () => {} });
  try {
    await work(sql);
  } finally {
    await sql.end();
  }
}

function admit(url: string, masters: MasterKeys): Promise<void> {
  return withDatabase(url, async (sql) => {
    await admitKeys(sql, masters);
    process.stdout.write(
      `Notes are taken from functions that have ${[...masters.keys.keys()].join(", ")}.\n`,
    );
  });
}

function rotate(url: string, masters: MasterKeys): Promise<void> {
  return withDatabase(url, async (sql) => {
    const report = (count: number) =>
      process.stdout.write(`${count} keys are wrapped by ${masters.current}\n`);
    const { rewrapped, unreadable } = await rotateKeys(sql, masters, report);
    process.stdout.write(`Done: ${rewrapped} re-wrapped.\n`);
    if (unreadable.length > 0) {
      process.stderr.write(`${unreadable.length} keys do not open:\n${unreadable.join("\n")}\n`);
      process.exitCode = 1;
    }
  });
}

if (process.argv[1] && resolve(process.argv[1]) === fileURLToPath(import.meta.url)) {
  await main().catch((error: unknown) => {
    // The database's error may quote a row.
    process.stderr.write(
      `keys: ${error instanceof Error ? `${error.name}: ${(error as { code?: string }).code ?? error.message}` : "failed"}\n`,
    );
    process.exitCode = 1;
  });
}
