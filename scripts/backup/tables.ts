// What a backup holds, read from the catalog of the database at hand, so that a table of a later migration is in it unasked.

import type { Sql } from "postgres";

export interface Table {
  /** `schema.name`, each quoted where it must be. */
  name: string;
  /** Without those that are generated. */
  columns: string[];
}

/** Sign-ins end with the copy: who restores an older state must not bring back sessions that were ended since. */
const LEFT_OUT = [
  "auth.audit_log_entries",
  "auth.flow_state",
  "auth.mfa_amr_claims",
  "auth.mfa_challenges",
  "auth.oauth_authorizations",
  "auth.one_time_tokens",
  "auth.refresh_tokens",
  "auth.saml_relay_states",
  "auth.schema_migrations",
  "auth.sessions",
  "storage.migrations",
];

/** The tables of Holdfast, of Auth and of Storage, a partitioned one as a whole. */
export async function findTables(sql: Sql): Promise<Table[]> {
  return sql<Table[]>`
    select it.oid::regclass::text as name,
      array_agg(quote_ident(attribute.attname) order by attribute.attnum) as columns
    from (
      select class.oid, home.nspname, class.relname
      from pg_class class
      join pg_namespace home on home.oid = class.relnamespace
      where home.nspname in ('app', 'audit', 'auth', 'public', 'storage')
        and class.relkind in ('r', 'p') and not class.relispartition
        and home.nspname || '.' || class.relname <> all (${LEFT_OUT})) it
    join pg_attribute attribute
      on attribute.attrelid = it.oid and attribute.attnum > 0 and not attribute.attisdropped and attribute.attgenerated = ''
    group by it.oid, it.nspname, it.relname
    order by it.nspname, it.relname`;
}

export interface Sequence {
  name: string;
  /** As a text, since it may be larger than a number is exact. */
  last: string;
  called: boolean;
}

export async function findSequences(sql: Sql): Promise<Sequence[]> {
  const names = await sql<{ name: string }[]>`
    select class.oid::regclass::text as name
    from pg_class class
    join pg_namespace home on home.oid = class.relnamespace
    where class.relkind = 'S' and home.nspname in ('app', 'audit', 'public')
    order by 1`;
  const sequences: Sequence[] = [];
  for (const { name } of names) {
    const [state] = await sql.unsafe<[Omit<Sequence, "name">]>(
      `select last_value::text as last, is_called as called from ${name}`,
    );
    sequences.push({ name, ...state });
  }
  return sequences;
}

/** The versions of the migrations that were pushed. */
export async function findMigrations(sql: Sql): Promise<string[]> {
  const rows = await sql<{ version: string }[]>`
    select version from supabase_migrations.schema_migrations order by version`;
  return rows.map(({ version }) => version);
}

/** The first month that the audit trail has a partition of, as the date of its first day. */
export async function findFirstMonth(sql: Sql): Promise<string> {
  const [row] = await sql<[{ month: string }]>`
    select to_date(min(partition.relname), '"events_"YYYY_MM')::text as month
    from pg_inherits attached
    join pg_class partition on partition.oid = attached.inhrelid
    where attached.inhparent = 'audit.events'::regclass and partition.relname ~ '^events_\\d{4}_\\d{2}$'`;
  return row.month;
}

/**
 * Times and numbers as every server reads them; an error instead of fewer rows, should a policy apply to who is connected; and no limit
 * of time, which a hosted project has for every statement: a large table takes longer.
 */
export const plainly = (sql: Sql) =>
  sql.unsafe(
    "set local statement_timeout = 0; set local timezone = 'UTC'; set local datestyle = 'ISO'; set local intervalstyle = 'postgres'; " +
      "set local extra_float_digits = 1; set local row_security = off; set local search_path = ''",
  );
