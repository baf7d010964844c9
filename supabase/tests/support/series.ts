import type { ConfirmData } from "../../../src/lib/contracts.ts";
import type { SeriesData, SeriesPreviewData } from "../../../src/lib/series.ts";
import { localToInstant, offsetMinutes } from "../../../src/lib/timezone.ts";
import { call, confirm, expectData, hold } from "./calls.ts";
import { type Clinic, claimsOf, TIME_ZONE, type User } from "./clinic.ts";
import { sql } from "./stack.ts";

/** The four time fields of a wall-clock time in the clinic's zone. */
export function wall(local: string, minutes = 60) {
  const start = localToInstant(local, TIME_ZONE);
  const end = new Date(start.getTime() + minutes * 60_000);
  return {
    start_time: start.toISOString(),
    end_time: end.toISOString(),
    start_time_offset_minutes: offsetMinutes(start, TIME_ZONE),
    end_time_offset_minutes: offsetMinutes(end, TIME_ZONE),
  };
}

/** A wall-clock time so many days after today's date, by calendar arithmetic. */
export function localTime(dayFromNow: number, clock: string): string {
  return `${new Date(Date.now() + dayFromNow * 86_400_000).toISOString().slice(0, 10)}T${clock}`;
}

export interface SeriesRow {
  id: string;
  continues_series_id: string | null;
  rule: string | null;
  local_start: string;
  exdates: string[];
  version: number;
  status: string;
  therapist_id: string;
}

export interface SessionRow {
  id: string;
  series_id: string | null;
  start: string;
  occurrence: string | null;
  end: string;
  status: string;
  therapist_id: string;
  version: number;
}

const iso = (date: Date) => date.toISOString();

/** The series of a clinic, as they are in the database. */
export async function readSeries(clinic: Clinic): Promise<SeriesRow[]> {
  return sql<SeriesRow[]>`
    select id, continues_series_id, rule, to_char(local_start, 'YYYY-MM-DD"T"HH24:MI:SS') as local_start, version, status,
      therapist_id,
      array(select to_char(exdate, 'YYYY-MM-DD"T"HH24:MI:SS') from unnest(exdates) exdate order by exdate) as exdates
    from public.session_series
    where organization_id = ${clinic.id}
    order by created_at`;
}

/** The sessions of a clinic, as they are in the database, by start. */
export async function readSessions(clinic: Clinic): Promise<SessionRow[]> {
  const rows = await sql`
    select id, series_id, start_time, end_time, occurrence_start, status, therapist_id, version
    from public.sessions
    where organization_id = ${clinic.id}
    order by start_time, id`;
  return rows.map((row) => ({
    id: row.id,
    series_id: row.series_id,
    start: iso(row.start_time),
    end: iso(row.end_time),
    occurrence: row.occurrence_start && iso(row.occurrence_start),
    status: row.status,
    therapist_id: row.therapist_id,
    version: row.version,
  }));
}

/** Holds and confirms a series of Rosa with Aspen that begins at a wall-clock time. */
export async function bookSeries(
  clinic: Clinic,
  local: string,
  rule: string,
  changes: object = {},
): Promise<{ series_id: string; sessions: ConfirmData["sessions"] }> {
  const held = await hold(clinic, wall(local), { recurrence: { rule }, ...changes }, clinic.scheduler);
  const { sessions } = await confirm(clinic.scheduler, held.hold_key);
  return { series_id: String(held.series_id), sessions };
}

/** The body of a sessions-series by the version that the series has now. */
export async function editBody(series_id: string, when: object, changes: object = {}) {
  const [series] = await sql`select version from public.session_series where id = ${series_id}`;
  return { series_id, version: series?.version, time_zone: TIME_ZONE, ...when, ...changes };
}

export async function edit(user: User, body: object): Promise<SeriesData> {
  return expectData(await call("sessions-series", user, body), 200);
}

export async function previewEdit(user: User, body: object): Promise<SeriesPreviewData> {
  return expectData(await call("sessions-series", user, { ...body, preview: true }), 200);
}

type Rpc = "update_series" | "hold_sessions" | "confirm_sessions" | "cancel_sessions";
export type RpcAnswer<Data> = { data?: Data; problem?: { code: string; errors?: { field: string }[] } };

/** Calls an RPC on a database connection as a user, as PostgREST would. */
export async function rpc<Data>(user: User, name: Rpc, request: object): Promise<RpcAnswer<Data>> {
  return sql.begin(async (transaction) => {
    await transaction`select set_config('request.jwt.claims', ${claimsOf(user)}, true)`;
    await transaction`set local role authenticated`;
    const [row] =
      await transaction`select public.${transaction(name)}(${transaction.json(request as never)}) as answer`;
    return row?.answer;
  }) as Promise<RpcAnswer<Data>>;
}
