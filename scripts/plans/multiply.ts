// Copies the clinics that a run of all operations made, so that every table of tenants is large, those too that the
// network of the benchmarks leaves empty. Every id of a copy is a hash of the original's and the copy's number: what
// belonged together does so in each copy, and whatever constraints held still hold.

import type { Sql } from "postgres";

/** Tables without an organization_id whose rows belong to people of the clinics. */
const byUser = ["auth.users", "auth.sessions", "auth.identities"];
const whole = ["app.call_counts", "app.webhook_attempts", "storage.objects"];

/** Numbers of copies are this far apart. */
const numbersOfACopy = 10_000_000;

interface Column {
  name: string;
  type: string;
  /** It alone, or with others that are no ids either, may not be the same twice in the table. */
  unique: boolean;
}

/** Adds `copies` copies of each of the organizations, with all that is theirs. As the superuser. */
export async function multiply(sql: Sql, organizations: readonly string[], copies: number): Promise<void> {
  const tables = await sql<{ name: string; ofTenant: boolean; columns: Column[] }[]>`
    select format('%I.%I', space.nspname, relation.relname) as name,
      bool_or(attribute.attname = 'organization_id') as "ofTenant",
      jsonb_agg(jsonb_build_object(
        'name', attribute.attname, 'type', format_type(attribute.atttypid, null),
        'unique', exists (
          select from pg_index index
          where index.indrelid = relation.oid and index.indisunique and attribute.attnum = any(index.indkey)
            and not exists (
              select from pg_attribute other
              where other.attrelid = relation.oid and other.attnum = any(index.indkey)
                and other.atttypid = 'uuid'::regtype))
          -- Numbers that the server gave, and those that point to them.
          or attribute.attidentity <> '' or attribute.attname = 'event_id')
        order by attribute.attnum) as columns
    from pg_class relation
    join pg_namespace space on space.oid = relation.relnamespace
    join pg_attribute attribute on attribute.attrelid = relation.oid
    where relation.relkind in ('r', 'p') and not relation.relispartition
      and space.nspname in ('public', 'app', 'audit', 'auth', 'storage')
      and attribute.attnum > 0 and not attribute.attisdropped and attribute.attgenerated = ''
    group by space.nspname, relation.relname`;
  const ids = `'{${organizations}}'::uuid[]`;
  const users = `select user_id from public.user_roles where organization_id = any (${ids})`;
  const sourceOf = (name: string, ofTenant: boolean): string | undefined => {
    if (name === "public.organizations") return `id = any (${ids})`;
    if (byUser.includes(name)) return `${name === "auth.users" ? "id" : "user_id"} in (${users})`;
    if (whole.includes(name)) return "true";
    return ofTenant ? `organization_id = any (${ids})` : undefined;
  };
  await sql.begin(async (transaction) => {
    await transaction.unsafe(
      "set local session_replication_role = replica; set local synchronous_commit = off",
    );
    for (const { name, ofTenant, columns } of tables) {
      const source = sourceOf(name, ofTenant);
      if (!source) continue;
      await transaction.unsafe(`
        insert into ${name} (${columns.map((column) => `"${column.name}"`)})
        overriding system value
        select ${columns.map(copied)}
        from (select * from ${name} where ${source}) original
        cross join generate_series(1, ${copies}) copy`);
    }
    await transaction.unsafe(`
      update app.webhook_deliveries set status = 'delivered', ended_at = created_at
      where status = 'pending' and organization_id <> all (${ids})`);
  });
  // What the copies wrote was sealed when it was new, as it was delivered.
  while ((await sql<[{ seals: number }]>`select audit.seal() as seals`)[0].seals > 0);
}

function copied({ name, type, unique }: Column): string {
  const column = `original."${name}"`;
  const ofId = (id: string): string => `md5(${id} || '/' || copy)::uuid`;
  if (type === "uuid") return ofId(column);
  if (type === "uuid[]") {
    return `case when ${column} is not null then array(
      select ${ofId("member")} from unnest(${column}) with ordinality it (member, place) order by place) end`;
  }
  if (!unique) return column;
  if (type === "bigint") return `${column} + ${numbersOfACopy}::bigint * copy`;
  if (type === "bytea") return `sha256(${column} || int4send(copy))`;
  if (type === "text" || type === "character varying") return `${column} || '/' || copy`;
  // Of a key of many columns, one of the others differs.
  return column;
}
