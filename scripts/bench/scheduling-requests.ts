// What the `scheduling` benchmark asks for: bodies of the RPCs, and the query that one would write without them.

import type { Sql } from "postgres";
import { type Clinic, fullDays } from "./scheduling-network.ts";

export interface SearchRequest {
  client_id: string;
  therapist_ids: string[];
  service_code: string;
  duration_minutes: number;
  step_minutes: number;
  range_start: string;
  range_end: string;
  time_zone: string;
}

/** An hour's session of a client with any of the therapists in the whole range. */
export function searchRequest(clinic: Clinic, client: string): SearchRequest {
  return {
    client_id: client,
    therapist_ids: clinic.therapists,
    service_code: "97153",
    duration_minutes: 60,
    step_minutes: 15,
    range_start: clinic.rangeStart.toISOString(),
    range_end: clinic.rangeEnd.toISOString(),
    time_zone: clinic.timeZone,
  };
}

/** The same search in calls of one therapist and one day each. */
export function dayRequests(clinic: Clinic, client: string): SearchRequest[] {
  const day = (number: number): string =>
    new Date(clinic.rangeStart.getTime() + number * 24 * 60 * 60 * 1000).toISOString();
  return clinic.therapists.flatMap((therapist) =>
    Array.from({ length: fullDays }, (_, number) => ({
      ...searchRequest(clinic, client),
      therapist_ids: [therapist],
      range_start: day(number),
      range_end: day(number + 1),
    })),
  );
}

/**
 * The same search as a query over sessions that tries every start of the grid, with the answer in the same form. It
 * is spared what the RPC does besides: holds, time off, buffers, holidays, care teams and who asks.
 */
export function candidateQuery({ organization, ...clinic }: Clinic, client: string): string {
  const zone = `'${clinic.timeZone}'`;
  const therapists = clinic.therapists.map((id) => `'${id}'`).join(", ");
  const free = (subject: string): string => `
    not exists (
      select from public.sessions busy
      where ${subject} and busy.status in ('scheduled', 'in_progress', 'completed')
        and busy.start_time < candidate.start_time + interval '1 hour' and busy.end_time > candidate.start_time
        -- A session lasts a day at most: said for the index.
        and busy.start_time > candidate.start_time - interval '24 hours')`;
  return `
    select to_jsonb(array(
      select jsonb_build_object('therapist_id', therapist.id, 'start_times', to_jsonb(array(
        select candidate.start_time
        from generate_series(
          timestamptz '${clinic.rangeStart.toISOString()}',
          timestamptz '${clinic.rangeEnd.toISOString()}' - interval '1 hour', interval '15 minutes'
        ) candidate (start_time)
        cross join lateral (select candidate.start_time at time zone ${zone} as starts) clock
        where exists (
            select from public.therapist_availability hours
            where hours.organization_id = '${organization}' and hours.therapist_id = therapist.id
              and hours.weekday = extract(isodow from clock.starts) and clock.starts::date >= hours.effective_from
              and clock.starts >= clock.starts::date + hours.local_start
              and clock.starts + interval '1 hour' <= clock.starts::date + hours.local_end)
          and ${free("busy.therapist_id = therapist.id")}
          and ${free(`busy.client_id = '${client}'`)}
        order by candidate.start_time)))
      from public.therapists therapist
      where therapist.id in (${therapists})
      order by therapist.id))`;
}

/** Occurrences of an hour, some days apart, after the days that are full: at an hour the therapist and client have free. */
export async function seriesRequest(
  sql: Sql,
  clinic: Clinic,
  therapist: number,
  occurrences: number,
  daysApart: number,
): Promise<object> {
  const [row] = await sql<{ times: object[] }[]>`
    select jsonb_agg(jsonb_build_object(
      'start_time', start_time, 'end_time', start_time + interval '1 hour',
      'start_time_offset_minutes', app.utc_offset_minutes(start_time, ${clinic.timeZone}),
      'end_time_offset_minutes', app.utc_offset_minutes(start_time + interval '1 hour', ${clinic.timeZone}))
      order by start_time) as times
    from generate_series(0, ${occurrences - 1}::integer) number
    cross join lateral (
      select (
        (${clinic.rangeEnd}::timestamptz at time zone ${clinic.timeZone})::date
        + make_interval(days => 4 + number * ${daysApart}, hours => 8 + 2 * ((${therapist} + 2) % 4))
      ) at time zone ${clinic.timeZone} as start_time
    ) wanted`;
  return {
    therapist_id: clinic.therapists[therapist],
    client_id: clinic.clients[therapist],
    service_code: "97153",
    time_zone: clinic.timeZone,
    occurrences: row?.times,
  };
}

/** A hold of an hour within the full days that is granted, if `start` is open, or refused, if it is a session's. */
export async function holdRequest(
  sql: Sql,
  clinic: Clinic,
  therapist: number,
  start: string,
): Promise<object> {
  const [row] = await sql<{ minutes: number }[]>`
    select app.utc_offset_minutes(${start}::timestamptz, ${clinic.timeZone}) as minutes`;
  const end = new Date(Date.parse(start) + 60 * 60 * 1000).toISOString();
  return {
    therapist_id: clinic.therapists[therapist],
    client_id: clinic.clients[therapist],
    service_code: "97153",
    time_zone: clinic.timeZone,
    occurrences: [
      {
        start_time: start,
        end_time: end,
        start_time_offset_minutes: row?.minutes,
        end_time_offset_minutes: row?.minutes,
      },
    ],
  };
}

/** The start of the therapist's first session after the middle of the full days. */
export async function takenStart(sql: Sql, clinic: Clinic, therapist: number): Promise<string> {
  const [row] = await sql<{ start_time: Date }[]>`
    select start_time from public.sessions
    where therapist_id = ${clinic.therapists[therapist] ?? null} and start_time > ${middle(clinic)}
    order by start_time
    limit 1`;
  if (!row) throw new Error("the calendar is not full");
  return row.start_time.toISOString();
}

/** The middle of the full days: as many sessions before as after. */
export function middle(clinic: Clinic): Date {
  return new Date((clinic.rangeStart.getTime() + clinic.rangeEnd.getTime()) / 2);
}
