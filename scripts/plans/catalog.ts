// What the judgment of plans needs of the catalog, and what shows that it left nothing out.

import type { ISql, Sql } from "postgres";
import type { Captured } from "./capture.ts";
import type { Catalog } from "./judge.ts";

export async function readCatalog(sql: ISql, fewRows: number): Promise<Catalog> {
  const relations = await sql<{ name: string; rows: number }[]>`
    select format('%s.%s', nspname, relname) as name, reltuples::float8 as rows
    from pg_class
    join pg_namespace space on space.oid = relnamespace
    where relkind in ('r', 'i') and nspname in ('public', 'app', 'audit', 'auth', 'storage')`;
  const indexes = await sql<{ name: string; lead: string }[]>`
    select format('%s.%s', nspname, relname) as name, attname as lead
    from pg_index index
    join pg_class relation on relation.oid = indexrelid
    join pg_namespace space on space.oid = relnamespace
    join pg_am method on method.oid = relam
    join pg_attribute on attrelid = indrelid and attnum = indkey[0]
    where amname = 'btree' and nspname in ('public', 'app', 'audit', 'auth', 'storage')`;
  const functions = await sql<{ name: string }[]>`
    select format('%s.%s', nspname, proname) as name
    from pg_proc
    join pg_namespace space on space.oid = pronamespace
    where nspname in ('public', 'app', 'audit') and provolatile <> 'i'`;
  return {
    rows: new Map(relations.map(({ name, rows }) => [name, rows])),
    leads: new Map(indexes.map(({ name, lead }) => [name, lead])),
    readers: new Set(functions.map(({ name }) => name)),
    fewRows,
  };
}

/** Statements that pg_stat_statements counted and of which no plan was captured. */
export async function unseenStatements(sql: Sql, captured: readonly Captured[]): Promise<string[]> {
  const seen = new Set(captured.map(({ queryId }) => queryId));
  const statements = await sql<{ id: string; query: string }[]>`
    select queryid::text as id, query from extensions.pg_stat_statements`;
  // The switch of the capture itself, and these questions, run beside it.
  const own = /pg_stat_statements|pg_reload_conf|pg_class|pg_proc/;
  return statements.filter(({ id, query }) => !seen.has(id) && !own.test(query)).map(({ query }) => query);
}

/** Tables of tenants with less than a row for each of the clinics, whose plans say little. */
export async function smallTables(sql: Sql, copies: number): Promise<string[]> {
  const rows = await sql<{ name: string }[]>`
    select format('%s.%s', nspname, relname) as name
    from pg_class relation
    join pg_namespace space on space.oid = relnamespace
    where relkind in ('r', 'p') and not relispartition and nspname in ('public', 'app', 'audit')
      and exists (
        select from pg_attribute where attrelid = relation.oid and attname = 'organization_id' and not attisdropped)
      and reltuples < ${copies}
    order by 1`;
  return rows.map(({ name }) => name);
}
