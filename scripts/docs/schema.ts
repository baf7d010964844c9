// docs/schema.md: the tables of each domain as a Mermaid entity diagram, from the catalog of a migrated database.

import type { Sql } from "postgres";
import { DOMAIN_TITLES, domainOf } from "./domains.ts";

interface Column {
  table: string;
  name: string;
  type: string;
  is_key: boolean;
  is_foreign: boolean;
  is_phi: boolean;
}
interface Reference {
  from: string;
  to: string;
  columns: string[];
  is_optional: boolean;
  is_unique: boolean;
}
interface Table {
  name: string;
  comment: string;
}

const SCHEMAS = ["public", "app", "audit"];
/** What every table has, by the same trigger. */
const STAMPS = [
  "created_at",
  "created_by",
  "updated_at",
  "updated_by",
  "status_changed_at",
  "status_changed_by",
];

/** The page, of a migrated database. */
export async function schemaPage(sql: Sql): Promise<string> {
  const [tables, columns, references] = await Promise.all([
    readTables(sql),
    readColumns(sql),
    readReferences(sql),
  ]);
  const sections = DOMAIN_TITLES.flatMap((title) => {
    const own = tables.filter(({ name }) => domainOf(name) === title);
    return own.length === 0 ? [] : [section(title, own, columns, references)];
  });
  return `${[INTRODUCTION, ...sections].join("\n\n")}\n`;
}

function section(title: string, tables: Table[], columns: Column[], references: Reference[]): string {
  const names = tables.map(({ name }) => name);
  const lines = [
    ...tables.flatMap(({ name }) => [
      `  ${entity(name)} {`,
      ...columns.filter(({ table }) => table === name).map((column) => `    ${attribute(column)}`),
      "  }",
    ]),
    ...references
      .filter(({ from }) => names.includes(from))
      .map((reference) => `  ${relationship(reference)}`),
  ];
  const about = tables.map(({ name, comment }) => {
    const phi = columns.filter((column) => column.table === name && column.is_phi);
    const marked = phi.map((column) => `\`${column.name}\``).join(", ");
    return `| \`${name}\` | ${comment.replaceAll("|", "\\|").replaceAll("\n", " ")} | ${marked} |`;
  });
  return [
    `## ${title}`,
    `\`\`\`mermaid\nerDiagram\n${lines.join("\n")}\n\`\`\``,
    ["| table | what it is | PHI |", "| --- | --- | --- |", ...about].join("\n"),
  ].join("\n\n");
}

const idOf = (table: string): string => table.replace(".", "_");
const entity = (table: string): string => (table.includes(".") ? `${idOf(table)}["${table}"]` : table);

function attribute({ type, name, is_key, is_foreign, is_phi }: Column): string {
  const keys = [...(is_key ? ["PK"] : []), ...(is_foreign ? ["FK"] : [])].join(", ");
  return [type, name, keys, is_phi ? '"PHI"' : ""].filter((part) => part !== "").join(" ");
}

/** How many of which: `||` one, `|o` none or one, `o{` any number. */
function relationship({ from, to, columns, is_optional, is_unique }: Reference): string {
  return `${idOf(to)} ${is_optional ? "|o" : "||"}--${is_unique ? "o|" : "o{"} ${idOf(from)} : "${columns.join(", ")}"`;
}

/** `sessions`, `app.jobs`: what is not in public says where it is. */
const shown = (sql: Sql) =>
  sql`case when space.nspname = 'public' then '' else space.nspname || '.' end || it.relname`;

function readTables(sql: Sql): Promise<Table[]> {
  return sql<Table[]>`
    select ${shown(sql)} as name, coalesce(obj_description(it.oid, 'pg_class'), '') as comment
    from pg_class it
    join pg_namespace space on space.oid = it.relnamespace
    where space.nspname = any (${SCHEMAS}) and it.relkind in ('r', 'p') and not it.relispartition
    order by array_position(${SCHEMAS}, space.nspname::text), it.relname`;
}

function readColumns(sql: Sql): Promise<Column[]> {
  return sql<Column[]>`
    select ${shown(sql)} as table, field.attname as name,
      replace(replace(format_type(field.atttypid, null), 'timestamp with time zone', 'timestamptz'), ' ', '_') as type,
      exists (select from pg_constraint rule
        where rule.conrelid = it.oid and rule.contype = 'p' and field.attnum = any (rule.conkey)) as is_key,
      exists (select from pg_constraint rule
        where rule.conrelid = it.oid and rule.contype = 'f' and field.attnum = any (rule.conkey)) as is_foreign,
      coalesce(col_description(it.oid, field.attnum) ~ '^PHI: ', false) as is_phi
    from pg_class it
    join pg_namespace space on space.oid = it.relnamespace
    join pg_attribute field on field.attrelid = it.oid and field.attnum > 0 and not field.attisdropped
    where space.nspname = any (${SCHEMAS}) and it.relkind in ('r', 'p') and not it.relispartition
      and field.attname <> all (${STAMPS})
    order by it.relname, field.attnum`;
}

/** Foreign keys by the columns that they are told apart by: all but organization_id, which every key has. */
function readReferences(sql: Sql): Promise<Reference[]> {
  return sql<Reference[]>`
    select ${shown(sql)} as from,
      case when target_space.nspname = 'public' then '' else target_space.nspname || '.' end || target.relname as to,
      array(select field.attname::text from pg_attribute field
        where field.attrelid = it.oid and field.attnum = any (rule.conkey) and field.attname <> 'organization_id'
        order by field.attnum) as columns,
      exists (select from pg_attribute field
        where field.attrelid = it.oid and field.attnum = any (rule.conkey) and not field.attnotnull) as is_optional,
      exists (select from pg_index key
        where key.indrelid = it.oid and key.indisunique and key.indpred is null and key.indexprs is null
          and key.indkey::int2[] <@ rule.conkey) as is_unique
    from pg_constraint rule
    join pg_class it on it.oid = rule.conrelid
    join pg_namespace space on space.oid = it.relnamespace
    join pg_class target on target.oid = rule.confrelid
    join pg_namespace target_space on target_space.oid = target.relnamespace
    where rule.contype = 'f' and space.nspname = any (${SCHEMAS}) and not it.relispartition
      and target_space.nspname = any (${SCHEMAS}) and rule.conparentid = 0
      and not (target.relname = 'organizations' and target_space.nspname = 'public')
      and target.relname <> 'time_zones'
    order by it.relname, rule.conname`;
}

const INTRODUCTION = `# The schema

\`npm run docs\` writes this page from the catalog of a migrated database; a test compares. GitHub draws the diagrams (Mermaid).

Left out of all of them: the stamps of who wrote a row and when (\`created_at\`, \`updated_by\`, …), partitions, foreign keys to
\`organizations\` and time zones. Every table of a tenant has \`organization_id\`, and its foreign keys hold it too, so a row cannot point into
another organization. A line is named by the columns of its key besides. Columns marked PHI are granted to nobody: calls read them,
on record ([audit.md](audit.md)). Tables of \`app\` and \`audit\` are not reachable by the API. Who may do what is in [roles.md](roles.md).`;
