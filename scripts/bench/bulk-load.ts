// Fills large tables as a restore does: the rows by several connections at once, and the indexes afterwards.
//
// Put one by one into two dozen indexes, ten million sessions and their claims would take hours. The constraints are those
// of the migrations, and hold for what is loaded as for what is booked.

import postgres, { type Sql } from "postgres";
import { progress } from "./harness.ts";

/** More would only wait for the disk. */
export const writers = 4;

/** Connections that fill tables: no triggers, so that what they would write must be loaded too. */
export async function loading<Result>(
  adminUrl: string,
  load: (sql: Sql) => Promise<Result>,
): Promise<Result> {
  const sql = postgres(adminUrl, {
    max: writers,
    onnotice: () => {},
    connection: {
      session_replication_role: "replica",
      synchronous_commit: "off",
      timezone: "UTC",
      work_mem: "256MB",
      maintenance_work_mem: "512MB",
      // A GiST index that is larger is built by buffers, which spares two thirds of the way down the tree.
      effective_cache_size: "64MB",
      // As many indexes are built at once as there are connections.
      max_parallel_maintenance_workers: 0,
    },
  });
  try {
    return await load(sql);
  } finally {
    await sql.end();
  }
}

/** Runs the statements, begun in this order, by all connections; of what takes long, it says how far it is. */
export async function inParts(sql: Sql, what: string, statements: string[]): Promise<void> {
  let done = 0;
  let said = performance.now();
  await Promise.all(
    statements.map(async (statement) => {
      await sql.unsafe(statement);
      done += 1;
      if (performance.now() - said < 10_000) return;
      said = performance.now();
      progress(`${what}: ${done} of ${statements.length}`);
    }),
  );
}

/**
 * Fills tables while no row goes into their indexes, then builds these. `nothing` are queries that must find nothing:
 * what the exclusion constraints say, for Postgres would look every row up again to see that they hold.
 */
export async function indexedAfterwards(
  sql: Sql,
  tables: string[],
  fill: () => Promise<void>,
  nothing: string[],
): Promise<void> {
  const indexes = await sql<{ name: string; excludes: boolean }[]>`
    update pg_index it set indisready = false, indisvalid = false, indisexclusion = false
    from (select indexrelid, indisexclusion as excludes from pg_index) before
    where it.indrelid = any (${tables}::text[]::regclass[]) and before.indexrelid = it.indexrelid
    returning it.indexrelid::regclass::text as name, before.excludes`;
  const named = (excludes: boolean): string[] =>
    indexes.filter((index) => index.excludes === excludes).map(({ name }) => name);
  await fill();
  for (const query of nothing) {
    if ((await sql.unsafe(`${query} limit 1`)).length > 0)
      throw new Error(`made against the rules: ${query}`);
  }
  // What takes longest begins first.
  await inParts(
    sql,
    "indexes",
    [...named(true), ...named(false)].map((name) => `reindex index ${name}`),
  );
  await sql`
    update pg_index set indisexclusion = true
    where indexrelid = any (${named(true)}::text[]::regclass[])`;
}
