// What there is at the end, read as it lies in the tables.

import postgres, { type Sql } from "postgres";
import { verify } from "../audit/verify.ts";
import { type Snapshot, takeSnapshot } from "./observer.ts";
import type { Clinic } from "./world.ts";

export interface HoldRow {
  id: string;
  batch_key: string;
  therapist_id: string;
  client_id: string;
  session_id: string | null;
  group_id: string | null;
  waitlist_entry_id: string | null;
  start: number;
  end: number;
  status: string;
}

export interface SessionRow {
  id: string;
  therapist_id: string;
  client_id: string;
  room_id: string | null;
  group_id: string | null;
  start: number;
  end: number;
  status: string;
  version: number;
  actualStart: number | null;
  actualEnd: number | null;
  placeOfService: string | null;
}

/** Units of each charge of a session, and of each claim that it stands on. */
export type Charges = Record<"planned" | "actual" | "billed", number[]>;

export interface NoteRow {
  id: string;
  version: number;
  /** How many versions are kept. */
  versions: number;
  /** As its author reads it over HTTP; absent where that was not asked. */
  text?: string;
}

export interface Final {
  holds: Map<string, HoldRow>;
  sessions: Map<string, SessionRow>;
  notes: Map<string, NoteRow>;
  /** The status of each entry of the waitlist. */
  entries: Map<string, string>;
  /** The status of each stretch of time off. */
  off: Map<string, string>;
  /** By session. */
  charges: Map<string, Partial<Charges>>;
  snapshot: Snapshot;
  /** `${action} ${row}`, of what was allowed. */
  events: Map<string, number>;
  /** `${organization} ${action} ${code}`, of what was refused. */
  refusals: Map<string, number>;
  /** Which tenant a row is of. */
  owners: Map<string, string>;
  trail: { finding: string | null; unsealed: number | null; lostHeads: number };
  /** What the project's own check says; told, and not part of the verdict. */
  ledgerFaults: number;
}

export async function readFinal(databaseUrl: string, clinics: Clinic[], heads: string[]): Promise<Final> {
  const sql = postgres(databaseUrl, { max: 1, onnotice: () => {} });
  try {
    for (;;) {
      const [sealed] = await sql<{ made: number }[]>`select audit.seal() as made`;
      if (!sealed?.made) break;
    }
    const report = await verify(sql);
    const kept = await sql`select 1 from audit.seals where encode(hash, 'hex') in ${sql(["", ...heads])}`;
    const ids = clinics.map(({ id }) => id);
    const [faults] = await sql<{ count: number }[]>`
      select count(*)::integer as count from app.ledger_faults() fault
      join public.calendar_claims claim using (claim_id) where claim.organization_id in ${sql(ids)}`;
    return {
      ...(await readRows(sql, ids)),
      ...(await readEvents(sql, ids)),
      notes: await readNotes(sql, ids),
      entries: await readEntries(sql, ids),
      off: await readOff(sql, ids),
      charges: await readCharges(sql, ids),
      snapshot: await takeSnapshot(sql, ids, "-infinity"),
      trail: {
        finding: report.finding?.what ?? null,
        unsealed: report.unsealed,
        lostHeads: heads.length - kept.length,
      },
      ledgerFaults: faults?.count ?? 0,
    };
  } finally {
    await sql.end({ timeout: 1 });
  }
}

async function readRows(sql: Sql, ids: string[]): Promise<Pick<Final, "holds" | "sessions" | "owners">> {
  const holds = new Map<string, HoldRow>();
  const sessions = new Map<string, SessionRow>();
  const owners = new Map<string, string>();
  const epoch = (column: string) => sql.unsafe(`extract(epoch from ${column})::double precision * 1000`);
  await sql<(HoldRow & { organization_id: string })[]>`
    select id, organization_id, batch_key, therapist_id, client_id, session_id, group_id, waitlist_entry_id,
      ${epoch("start_time")} as start, ${epoch("end_time")} as end, status
    from public.session_holds where organization_id in ${sql(ids)}`.cursor(5000, (rows) => {
    for (const { organization_id, ...row } of rows) {
      holds.set(row.id, row);
      owners.set(row.id, organization_id).set(row.batch_key, organization_id);
    }
  });
  await sql<(SessionRow & { organization_id: string })[]>`
    select id, organization_id, therapist_id, client_id, room_id, group_id,
      ${epoch("start_time")} as start, ${epoch("end_time")} as end, status, version,
      ${epoch("actual_start_time")} as "actualStart", ${epoch("actual_end_time")} as "actualEnd",
      place_of_service as "placeOfService"
    from public.sessions where organization_id in ${sql(ids)}`.cursor(5000, (rows) => {
    for (const { organization_id, ...row } of rows) {
      sessions.set(row.id, row);
      owners.set(row.id, organization_id);
    }
  });
  for (const table of TABLES_WITH_IDS) {
    const rows = await sql<{ id: string; organization_id: string }[]>`
      select id, organization_id from public.${sql(table)} where organization_id in ${sql(ids)}`;
    for (const row of rows) owners.set(row.id, row.organization_id);
  }
  const people = await sql<{ user_id: string; organization_id: string }[]>`
    select user_id, organization_id from public.user_roles where organization_id in ${sql(ids)}`;
  for (const row of people) owners.set(row.user_id, row.organization_id);
  for (const id of ids) owners.set(id, id);
  return { holds, sessions, owners };
}

/** Of the other tables whose ids an answer could give away. */
const TABLES_WITH_IDS = [
  "therapists",
  "clients",
  "rooms",
  "services",
  "session_groups",
  "session_series",
  "session_notes",
  "authorizations",
  "payers",
  "waitlist_entries",
  "billing_cases",
  "availability_exceptions",
];

async function readEntries(sql: Sql, ids: string[]): Promise<Map<string, string>> {
  const rows = await sql<{ id: string; status: string }[]>`
    select id, status from public.waitlist_entries where organization_id in ${sql(ids)}`;
  return new Map(rows.map(({ id, status }) => [id, status]));
}

/** Without what is kept beside it, which no answer names. */
async function readOff(sql: Sql, ids: string[]): Promise<Map<string, string>> {
  const rows = await sql<{ id: string; status: string }[]>`
    select id, status from public.availability_exceptions
    where organization_id in ${sql(ids)} and beside_exception_id is null`;
  return new Map(rows.map(({ id, status }) => [id, status]));
}

async function readCharges(sql: Sql, ids: string[]): Promise<Final["charges"]> {
  const charges: Final["charges"] = new Map();
  interface Row {
    session_id: string;
    kind: keyof Charges;
    units: number;
  }
  await sql<Row[]>`
    select session_id, kind, units from public.session_charges where organization_id in ${sql(ids)}
    union all
    select session_id, 'billed', units from public.billing_lines
    where organization_id in ${sql(ids)} and status = 'billed'`.cursor(10_000, (rows) => {
    for (const { session_id, kind, units } of rows) {
      const of = charges.get(session_id) ?? {};
      of[kind] = [...(of[kind] ?? []), units];
      charges.set(session_id, of);
    }
  });
  return charges;
}

async function readNotes(sql: Sql, ids: string[]): Promise<Map<string, NoteRow>> {
  const rows = await sql<NoteRow[]>`
    select note.id, note.current_version as version, count(*)::integer as versions
    from public.session_notes note
    join public.session_note_versions it on it.organization_id = note.organization_id and it.note_id = note.id
    where note.organization_id in ${sql(ids)}
    group by note.id, note.current_version`;
  return new Map(rows.map((row) => [row.id, row]));
}

async function readEvents(sql: Sql, ids: string[]): Promise<Pick<Final, "events" | "refusals">> {
  const events = new Map<string, number>();
  const refusals = new Map<string, number>();
  interface Counted {
    what: string;
    decision: string;
    count: number;
  }
  await sql<Counted[]>`
    select decision, count(*)::integer as count,
      case decision when 'allow' then action || ' ' || row_id
        else coalesce(organization_id::text, 'none') || ' ' || action || ' ' || code end as what
    from audit.events
    where (organization_id in ${sql(ids)} or organization_id is null)
      and (decision = 'deny' or row_id is not null)
    group by decision, what`.cursor(10_000, (rows) => {
    for (const { what, decision, count } of rows) (decision === "allow" ? events : refusals).set(what, count);
  });
  return { events, refusals };
}
