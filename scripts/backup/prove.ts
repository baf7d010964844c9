// What must be true of a database that was restored, by a backup of ours or by the platform: every rule that a copy could
// break, since constraints that are triggers do not look at what is copied.

import type { Sql } from "postgres";
import { verify } from "../audit/verify.ts";

export interface Proof {
  /** What does not hold, in sentences; none, and all does. */
  findings: string[];
  foreignKeys: number;
  /** Of the audit trail: events that are as sealed. */
  events: number;
  seals: number;
}

/** Reads foreign keys, the ledger of time, the balances of authorizations, what is billed, and the trail against its seals. */
export async function prove(
  sql: Sql,
  options: { head?: string | undefined; progress?: (line: string) => void } = {},
): Promise<Proof> {
  const { head, progress = () => {} } = options;
  const findings: string[] = [];
  // As long as it takes, whatever the server's limit for a statement.
  await sql`set statement_timeout = 0`;
  const keys = await foreignKeys(sql);
  for (const key of keys) {
    const [broken] = await sql.unsafe(`select from ${key.source} child where ${key.condition} limit 1`);
    if (broken) findings.push(`${key.source} has rows whose ${key.name} names none`);
  }
  progress(`${keys.length} foreign keys hold`);
  for (const [view, what] of Object.entries(FAULTS)) {
    const [{ faults }] = await sql.unsafe<[{ faults: number }]>(
      `select count(*)::integer as faults from app.${view}()`,
    );
    if (faults > 0) findings.push(`${what}: ${faults} (select * from app.${view}())`);
    else progress(`${what}: none`);
  }
  const trail = await verify(sql, { head });
  if (trail.finding) findings.push(`the audit trail: ${trail.finding.what}`);
  else progress(`${trail.events} events are as ${trail.seals} seals have them`);
  return { findings, foreignKeys: keys.length, events: trail.events, seals: trail.seals };
}

const FAULTS = {
  ledger_faults: "faults of the ledger of claimed time",
  authorization_faults: "faults of the balances of authorizations",
  billing_faults: "faults of what is billed",
};

interface ForeignKey {
  name: string;
  source: string;
  /** True of a row of `child` that names none. */
  condition: string;
}

/** Those of our own schemas; of a partitioned table, the one of the whole. */
function foreignKeys(sql: Sql): Promise<ForeignKey[]> {
  return sql<ForeignKey[]>`
    select key.conname as name, key.conrelid::regclass::text as source,
      string_agg(format('child.%I is not null', ours.attname), ' and ')
        || format(' and not exists (select from %s parent where ', key.confrelid::regclass)
        || string_agg(format('parent.%I = child.%I', theirs.attname, ours.attname), ' and ') || ')' as condition
    from pg_constraint key
    cross join lateral unnest(key.conkey, key.confkey) as pair (ours, theirs)
    join pg_attribute ours on ours.attrelid = key.conrelid and ours.attnum = pair.ours
    join pg_attribute theirs on theirs.attrelid = key.confrelid and theirs.attnum = pair.theirs
    where key.contype = 'f' and key.conparentid = 0
      and key.connamespace in ('app'::regnamespace, 'audit'::regnamespace, 'public'::regnamespace)
    group by key.oid, key.conname, key.conrelid, key.confrelid
    order by 2, 1`;
}
