// What a file would change, and changing it: in one transaction, with an event in the audit trail.

import type { TransactionSql } from "postgres";
import { type Kind, keyOf, type Row } from "./kinds.ts";
import type { ReferenceFile } from "./read.ts";

export interface Change {
  what: "added" | "changed" | "ended";
  row: Row;
  /** Of a row that is changed or ended. */
  before?: Row;
}

/** The changes that a file asks for. Rows that it does not name stay as they are: codes are ended, never removed. */
export async function planLoad(sql: TransactionSql, { kind, rows }: ReferenceFile): Promise<Change[]> {
  // Nobody loads at the same time.
  await sql`lock table ${sql(`public.${kind.table}`)} in share row exclusive mode`;
  const current = await currentRows(sql, kind);
  const changes: Change[] = [];
  const standing = new Map(current.map((row) => [keyOf(row, kind.key), row]));
  for (const row of rows) {
    const before = standing.get(keyOf(row, kind.key));
    standing.set(keyOf(row, kind.key), row);
    if (!before) changes.push({ what: "added", row });
    else if (differs(kind, before, row)) {
      const isEnd = !differs(kind, { ...before, ends_on: row.ends_on ?? null }, row) && row.ends_on !== null;
      changes.push({ what: isEnd ? "ended" : "changed", row, before });
    }
  }
  return [...endedBy(kind, [...standing.values()], rows), ...changes];
}

/** Rows without an end that another one of the same succession comes after: they end the day before. */
function endedBy({ succession, key }: Kind, standing: Row[], given: Row[]): Change[] {
  if (!succession) return [];
  const named = new Set(given.map((row) => keyOf(row, key)));
  return standing.flatMap((row): Change[] => {
    if (row.ends_on !== null || named.has(keyOf(row, key))) return [];
    const [next] = given
      .filter(
        (it) =>
          keyOf(it, succession) === keyOf(row, succession) && String(it.starts_on) > String(row.starts_on),
      )
      .map(({ starts_on }) => String(starts_on))
      .sort();
    return next ? [{ what: "ended", row: { ...row, ends_on: dayBefore(next) }, before: row }] : [];
  });
}

/** Writes the changes. What the constraints refuse, such as two limits on one day, is the database's error. */
export async function applyLoad(
  sql: TransactionSql,
  { kind }: ReferenceFile,
  changes: Change[],
): Promise<void> {
  const columns = Object.keys(kind.columns);
  const rest = columns.filter((name) => !kind.key.includes(name));
  for (const { row } of changes) {
    await sql`
      insert into ${sql(`public.${kind.table}`)} ${sql(row, ...columns)}
      on conflict (${sql(kind.key)}) do update set ${sql(row, ...rest)}`;
  }
  const count = (what: Change["what"]) => changes.filter((change) => change.what === what).length;
  await sql`
    insert into audit.events (action, table_name, details)
    values ('reference.loaded', ${kind.table}, ${sql.json({
      added: count("added"),
      changed: count("changed"),
      ended: count("ended"),
    })})`;
}

async function currentRows(sql: TransactionSql, kind: Kind): Promise<Row[]> {
  const rows = await sql`select to_jsonb(it) as row from ${sql(`public.${kind.table}`)} it`;
  return rows.map(({ row }) => row as Row);
}

function differs({ columns }: Kind, before: Row, after: Row): boolean {
  return Object.keys(columns).some((name) => before[name] !== after[name]);
}

function dayBefore(day: string): string {
  return new Date(Date.parse(day) - 86_400_000).toISOString().slice(0, 10);
}
