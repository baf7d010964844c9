// What a booking writes, row by row, and the same rows as plain SQL: the limit that the `booking` benchmark measures against.
//
// One real hold and one real confirmation are made and looked at: which tables they wrote to, by the server's own count,
// and what stands in the rows. From that come the statements of the bare side. So they follow the schema, and a table
// that a booking begins to write to fails the run until the bare side writes to it too.

import type { Sql, TransactionSql } from "postgres";

/** Rows that a transaction inserted, updated and deleted, by table. */
export type Written = Record<string, { inserted: number; updated: number; deleted: number }>;

export interface Template {
  hold: Written;
  confirm: Written;
  /** The statements of the two transactions, over the variables v_hold, v_therapist, v_client, v_start, v_end, v_user. */
  holdSql: string;
  confirmSql: string;
}

type Row = Record<string, unknown>;

export interface Place {
  claims: string;
  therapist: string;
  client: string;
  start: Date;
  end: Date;
}

/** Books once by the RPCs and writes down how it would be done by hand. */
export async function readTemplate(sql: Sql, place: Place): Promise<Template> {
  // So that the call's count is an update of a row, as it is in use.
  await sql.begin((transaction) =>
    hold(transaction, { ...place, start: later(place.end), end: later(later(place.end)) }),
  );
  await flushCounts(sql);
  const held = await sql.begin(async (transaction) => {
    const key = await hold(transaction, place);
    const written = await writtenBy(transaction);
    return { key, written, rows: await insertedRows(transaction, written) };
  });
  const [holdRow] = await sql<{ row: Row }[]>`
    select to_jsonb(it) as row from public.session_holds it where it.id = ${held.key}`;
  const claimRows = await claimsOf(sql, held.key);
  await flushCounts(sql);
  const confirmed = await sql.begin(async (transaction) => {
    await confirm(transaction, place, held.key);
    const written = await writtenBy(transaction);
    return { written, rows: await insertedRows(transaction, written) };
  });
  const [bookedRow] = await sql<{ row: Row }[]>`
    select to_jsonb(it) as row from public.session_holds it where it.id = ${held.key}`;
  if (!holdRow || !bookedRow) throw new Error("the hold was not written");

  const known = { v_hold: held.key, v_therapist: place.therapist, v_client: place.client };
  const columns = await columnsOf(sql, [...Object.keys(held.written), ...Object.keys(confirmed.written)]);
  const spell = (table: string, column: string, value: unknown): string => {
    const type = columns[table]?.[column] ?? "text";
    for (const [name, id] of Object.entries(known)) if (value === id) return name;
    if (value === null || value === undefined) return "null";
    if (table === "audit.events" && column === "actor_id") return "v_user";
    if (/_by$/.test(column) && type === "uuid") return "v_user";
    if (type === "tstzrange") return "tstzrange(v_start, v_end)";
    if (type === "timestamp with time zone") {
      const at = Date.parse(String(value));
      if (at === place.start.getTime()) return "v_start";
      if (at === place.end.getTime()) return "v_end";
      return column === "expires_at" ? "clock_timestamp() + interval '5 minutes'" : "clock_timestamp()";
    }
    if (column === "id" && type === "uuid") return "gen_random_uuid()";
    const text = Array.isArray(value) && type.endsWith("[]") ? arrayText(value) : textOf(value);
    return `${literal(text)}::${type}`;
  };
  const insert = (table: string, rows: Row[]): string => {
    const names = Object.keys(columns[table] ?? {});
    const values = rows.map((row) => `(${names.map((name) => spell(table, name, row[name])).join(", ")})`);
    return `insert into ${table} (${names.join(", ")}) values ${values.join(", ")};`;
  };
  const statements = ({ written, rows }: { written: Written; rows: Map<string, Row[]> }): string[] =>
    Object.entries(written).flatMap(([table, { inserted, updated, deleted }]) => {
      if (deleted > 0) throw new Error(`a booking deletes from ${table}: the bare side does not yet`);
      const made = rows.get(table) ?? [];
      const lines = made.length > 0 ? [insert(table, made)] : [];
      if (updated === 0) return lines;
      if (table === "app.call_counts" && updated === 1 && inserted === 0) return [countCall];
      if (written === confirmed.written && inserted === 0) {
        if (table === "public.session_holds" && updated === 1)
          return [`update ${table} set ${changes(table, holdRow.row, bookedRow.row)} where id = v_hold;`];
        if (table === "public.calendar_claims" && updated === claimRows.length)
          return [`update ${table} set kind = 'session', expires_at = null where claim_id = v_hold;`];
      }
      throw new Error(`a booking updates ${updated} rows of ${table}: the bare side does not yet`);
    });
  const changes = (table: string, before: Row, after: Row): string =>
    Object.keys(columns[table] ?? {})
      .filter((column) => JSON.stringify(before[column]) !== JSON.stringify(after[column]))
      .map((column) => `${column} = ${spell(table, column, after[column])}`)
      .join(", ");
  // Parents first, for the foreign keys.
  const byParents = (lines: string[]): string =>
    lines
      .sort((a, b) => Number(a.includes("session_charges")) - Number(b.includes("session_charges")))
      .join("\n");
  return {
    hold: held.written,
    confirm: confirmed.written,
    holdSql: byParents(statements(held)),
    confirmSql: byParents(statements(confirmed)),
  };
}

/** The statement by which calls are counted, for the user's row. */
const countCall = `
  insert into app.call_counts as counter (user_id, organization_id, minute, calls)
  values (v_user, md5('organization 0')::uuid, date_trunc('minute', clock_timestamp()), 1)
  on conflict (user_id, organization_id) do update set minute = excluded.minute,
    calls = case when counter.minute = excluded.minute then counter.calls + 1 else 1 end;`;

/** Until they are flushed, the server's counts of a transaction include those before it. */
export async function flushCounts(sql: Sql): Promise<void> {
  await sql`select pg_stat_force_next_flush()`;
}

/** What the open transaction has written, to any table but the partitions' parents. */
export async function writtenBy(transaction: TransactionSql): Promise<Written> {
  await transaction`reset role`;
  const rows = await transaction<{ name: string; inserted: number; updated: number; deleted: number }[]>`
    select case when it.schemaname = 'audit' and it.relname like 'events_%' then 'audit.events'
        else it.schemaname || '.' || it.relname end as name,
      it.n_tup_ins::integer as inserted, it.n_tup_upd::integer as updated, it.n_tup_del::integer as deleted
    from pg_stat_xact_user_tables it
    where it.n_tup_ins + it.n_tup_upd + it.n_tup_del > 0
    order by name`;
  return Object.fromEntries(
    rows.map(({ name, inserted, updated, deleted }) => [name, { inserted, updated, deleted }]),
  );
}

async function insertedRows(transaction: TransactionSql, written: Written): Promise<Map<string, Row[]>> {
  const found = new Map<string, Row[]>();
  for (const [table, { inserted, updated }] of Object.entries(written)) {
    if (inserted === 0) continue;
    if (updated > 0) throw new Error(`a booking inserts into ${table} and updates it in one transaction`);
    // Its subtransactions have later numbers, and nobody else writes.
    const rows = await transaction.unsafe<{ row: Row }[]>(`
      select to_jsonb(it) as row from ${table} it
      where it.xmin::text::bigint >= (pg_current_xact_id()::xid)::text::bigint`);
    if (rows.length !== inserted)
      throw new Error(`${inserted} rows went into ${table}, and ${rows.length} are found`);
    found.set(
      table,
      rows.map(({ row }) => row),
    );
  }
  return found;
}

async function hold(transaction: TransactionSql, place: Place): Promise<string> {
  const request = {
    therapist_id: place.therapist,
    client_id: place.client,
    service_code: "97153",
    time_zone: "UTC",
    occurrences: [
      {
        start_time: place.start.toISOString(),
        end_time: place.end.toISOString(),
        start_time_offset_minutes: 0,
        end_time_offset_minutes: 0,
      },
    ],
  };
  const answer = await ask(transaction, place.claims, "hold_sessions", request);
  if (!answer.data?.hold_key) throw new Error(`not held: ${JSON.stringify(answer)}`);
  return answer.data.hold_key;
}

async function confirm(transaction: TransactionSql, place: Place, hold_key: string): Promise<void> {
  const answer = await ask(transaction, place.claims, "confirm_sessions", { hold_key, time_zone: "UTC" });
  if (!answer.data) throw new Error(`not confirmed: ${JSON.stringify(answer)}`);
}

async function ask(
  transaction: TransactionSql,
  claims: string,
  rpc: string,
  request: object,
): Promise<{ data?: { hold_key?: string } }> {
  await transaction`select set_config('role', 'authenticated', true), set_config('request.jwt.claims', ${claims}, true)`;
  const [row] = await transaction.unsafe<{ answer: { data?: { hold_key?: string } } }[]>(
    `select public.${rpc}(${literal(JSON.stringify(request))}::jsonb) as answer`,
  );
  return row?.answer ?? {};
}

async function claimsOf(sql: Sql, claim: string): Promise<Row[]> {
  return sql<Row[]>`select subject_id from public.calendar_claims where claim_id = ${claim}`;
}

/** The columns that a statement names, with their types: neither generated ones nor those that the server fills in. */
async function columnsOf(sql: Sql, tables: string[]): Promise<Record<string, Record<string, string>>> {
  const rows = await sql<{ table: string; column: string; type: string }[]>`
    select wanted.name as table, it.attname as column, format_type(it.atttypid, null) as type
    from unnest(${[...new Set(tables)]}::text[]) wanted (name)
    join pg_attribute it on it.attrelid = wanted.name::regclass
    where it.attnum > 0 and not it.attisdropped and it.attgenerated = '' and it.attidentity = ''
      and not (wanted.name = 'audit.events' and it.attname in ('occurred_at', 'written_in', 'request_id'))
    order by wanted.name, it.attnum`;
  const columns: Record<string, Record<string, string>> = {};
  for (const { table, column, type } of rows) columns[table] = { ...columns[table], [column]: type };
  return columns;
}

const later = (date: Date): Date => new Date(date.getTime() + 3_600_000);
const textOf = (value: unknown): string =>
  typeof value === "object" ? JSON.stringify(value) : String(value);
const arrayText = (values: unknown[]): string =>
  `{${values.map((value) => JSON.stringify(String(value))).join(",")}}`;
export const literal = (value: string): string => `'${value.replaceAll("'", "''")}'`;
