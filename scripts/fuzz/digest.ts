// What two clinics are, in one row a table: whatever a refused call wrote, changes it.

import type { Sql, TransactionSql } from "postgres";
import type { World } from "./world.ts";

/** The rows of a table as a number and a hash. */
export type Digest = Record<string, string>;

/**
 * That a call came, what was read for it and that it was refused is on record, and nothing else of it. Webhooks are sent
 * by whoever delivers, for every clinic.
 */
const LEFT_OUT =
  "^(audit\\.events_|public\\.denied_attempts$|public\\.service_account_tokens$|app\\.(partner_)?call_counts$|app\\.webhook_)";

let statement: string | undefined;

/** To be asked by the owner. */
export async function digestOf(sql: Sql | TransactionSql, { home, foreign }: World): Promise<Digest> {
  statement ??= await statementOf(sql);
  const [row] = await sql.unsafe(statement, [[home.id, foreign.id] as never]);
  return row?.digest;
}

/** The tables whose rows differ. */
export function differences(before: Digest, after: Digest): string[] {
  return Object.keys({ ...before, ...after }).filter((table) => before[table] !== after[table]);
}

async function statementOf(sql: Sql | TransactionSql): Promise<string> {
  const tables = await sql<{ name: string }[]>`
    select format('%I.%I', space.nspname, relation.relname) as name
    from pg_class relation
    join pg_namespace space on space.oid = relation.relnamespace
    join pg_attribute owner on owner.attrelid = relation.oid and owner.attname = 'organization_id'
    where space.nspname in ('public', 'app', 'audit') and relation.relkind in ('r', 'p')
      and format('%I.%I', space.nspname, relation.relname) !~ ${LEFT_OUT}
    order by 1`;
  const parts = tables.map(({ name }) => {
    const records =
      name === "audit.events" ? " and decision = 'allow' and action !~ '[.]read$|^webhook'" : "";
    return `'${name}', (
      select count(*) || ' ' || coalesce(sum(hashtextextended(it::text, 0)::numeric), 0)
      from ${name} it where organization_id = any ($1::uuid[])${records})`;
  });
  // Functions take a hundred arguments at most.
  const objects: string[] = [];
  for (let from = 0; from < parts.length; from += 40) {
    objects.push(`jsonb_build_object(${parts.slice(from, from + 40).join(", ")})`);
  }
  return `select ${objects.join(" || ")} as digest`;
}
