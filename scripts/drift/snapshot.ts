// Reads what a database declares. One query serves the live database and the one made of the migrations, so that the two
// can only differ where the databases do.

import { readFile } from "node:fs/promises";
import postgres, { type TransactionSql } from "postgres";

/** In the order of the report: what opens doors first. */
export const kinds = [
  "role",
  "schema",
  "policy",
  "grant",
  "default privilege",
  "function",
  "trigger",
  "rule",
  "table",
  "column",
  "constraint",
  "index",
  "view",
  "materialized view",
  "sequence",
  "type",
] as const;

export type Kind = (typeof kinds)[number];

/** Something a database declares, in words: facts that are absent (no default, no check) are not in `facts`. */
export interface Item {
  kind: Kind;
  name: string;
  /** `<kind> <name>` of the item that this one cannot be without. */
  partOf: string | null;
  /** The partition that this item is or belongs to, and its root. */
  partition: { name: string; of: string } | null;
  facts: Record<string, string>;
}

export interface Snapshot {
  items: Item[];
  /** Versions in the Supabase CLI's migration history; empty where there is none or it may not be read. */
  migrations: string[];
  /** The server's major version: another one may print the same expression in other words. */
  serverVersion: number;
}

// What the printed form of an expression depends on, set alike for every server; and no name is left unqualified.
const settings = `
  set local search_path = '';
  set local datestyle = 'ISO, YMD';
  set local intervalstyle = 'postgres';
  set local timezone = 'UTC';
  set local bytea_output = 'hex';
  set local extra_float_digits = 1;
  set local quote_all_identifiers = off;
  set local standard_conforming_strings = on;
  set local statement_timeout = '60s';
`;

/** Reads a database as a transaction sees it. Of the transaction's own, only settings are changed. */
export async function readSnapshot(transaction: TransactionSql): Promise<Snapshot> {
  const query = await readFile(new URL("./snapshot.sql", import.meta.url), "utf8");
  await transaction.unsafe(settings);
  const items = await transaction.unsafe<Item[]>(query);
  const [server] = await transaction.unsafe<{ version: number; history: boolean }[]>(`
    select
      current_setting('server_version_num')::integer / 10000 as version,
      exists (
        select
        from pg_catalog.pg_class c
        join pg_catalog.pg_namespace n on n.oid = c.relnamespace
        where n.nspname = 'supabase_migrations' and c.relname = 'schema_migrations'
          and has_schema_privilege(n.oid, 'usage') and has_table_privilege(c.oid, 'select')
      ) as history
  `);
  const migrations = server?.history
    ? await transaction.unsafe<{ version: string }[]>(
        "select version from supabase_migrations.schema_migrations order by version",
      )
    : [];
  return {
    items: [...items],
    migrations: migrations.map(({ version }) => version),
    serverVersion: server?.version ?? 0,
  };
}

const connectSeconds = 15;

/** The driver's own limit is for a silent host; at one that talks another protocol it would try again for ever. */
async function within<T>(seconds: number, answer: Promise<T>): Promise<T> {
  let timer: NodeJS.Timeout | undefined;
  const late = new Promise<never>((_, reject) => {
    const error = Object.assign(new Error("no answer in time"), { code: "CONNECT_TIMEOUT" });
    timer = setTimeout(() => reject(error), seconds * 1000);
  });
  try {
    return await Promise.race([answer, late]);
  } finally {
    clearTimeout(timer);
  }
}

/** Connects, reads and disconnects. Rejects with what the driver or the server said. */
export async function snapshotOf(databaseUrl: string): Promise<Snapshot> {
  const { searchParams } = new URL(databaseUrl);
  const sql = postgres(databaseUrl, {
    max: 1,
    connect_timeout: connectSeconds,
    // A connection pooler in transaction mode keeps no prepared statements, and the types are plain ones.
    prepare: false,
    fetch_types: false,
    onnotice: () => {},
    // As psql does: encrypted wherever the server can, unless the URL says otherwise.
    ...(searchParams.has("sslmode") || searchParams.has("ssl") ? {} : { ssl: "prefer" as const }),
  });
  try {
    await within(connectSeconds, sql`select`);
    // One moment of the database: a change made meanwhile is in it whole or not at all.
    return (await sql.begin("isolation level repeatable read read only", readSnapshot)) as Snapshot;
  } finally {
    await sql.end({ timeout: 1 });
  }
}
