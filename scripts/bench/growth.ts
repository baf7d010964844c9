// `npm run bench -- growth`: booking, searching and reading in networks of 10 000 to 10 million sessions.

import postgres, { type Sql } from "postgres";
import type { Size } from "./benchmark.ts";
import type { Point, Report } from "./growth-report.ts";
import { machineLine, prepareServer, progress, spread, withStack } from "./harness.ts";
import { loadNetwork } from "./network.ts";
import { createPlainNotes, queryAs } from "./records-measure.ts";
import { book, call, createMeasures, undo } from "./scheduling-measure.ts";
import { type Clinic, fillCalendars } from "./scheduling-network.ts";
import { searchRequest, seriesRequest } from "./scheduling-requests.ts";

const searched = 10;
const warmUp = 8;

export async function runGrowth({ rows, repetitions }: Size): Promise<Report> {
  const sizes = [10_000, 100_000, 1_000_000, 10_000_000].filter((size) => size < rows);
  return withStack(async ({ adminDatabaseUrl, databaseUrl }) => {
    await prepareServer(adminDatabaseUrl);
    const points: Point[] = [];
    let machine = "";
    for (const size of [...sizes, rows]) {
      progress(`making ${size.toLocaleString("en")} sessions`);
      const network = await loadNetwork(adminDatabaseUrl, size, []);
      const clinic = await fillCalendars(adminDatabaseUrl);
      // A connection of its own for each size: a plan that was made for a small table may stay.
      const sql = postgres(databaseUrl, { max: 1, onnotice: () => {}, connection: { timezone: "UTC" } });
      try {
        await createMeasures(sql);
        if (points.length === 0) await createPlainNotes(sql);
        progress("measuring");
        points.push({ network, claimed: clinic.claimed, ...(await measureAt(sql, clinic, repetitions)) });
        machine = await machineLine(sql);
      } finally {
        await sql.end();
      }
    }
    return { machine, repetitions, searched, points };
  });
}

async function measureAt(sql: Sql, clinic: Clinic, repetitions: number) {
  const therapists = clinic.therapists.slice(0, searched);
  const figures = { book: [] as number[], search: [] as number[], week: [] as number[] };
  for (let number = -warmUp; number < repetitions; number++) {
    const at = (number + warmUp) % therapists.length;
    const request = await seriesRequest(sql, clinic, at, 1, 7);
    const booked = await book(sql, clinic, [request]);
    await undo(sql, booked.holdKeys);
    const wanted = { ...searchRequest(clinic, clinic.clients[0] ?? ""), therapist_ids: therapists };
    const found = await call(sql, clinic, "find_open_times", [wanted]);
    if (!("data" in found.answer)) throw new Error(`nothing was searched: ${JSON.stringify(found.answer)}`);
    const week = await queryAs(sql, clinic.claims, weekOf(clinic, therapists[at] ?? ""));
    if (number < 0) continue;
    figures.book.push(booked.hold + booked.confirm);
    figures.search.push(found.us);
    figures.week.push(week);
  }
  return { book: spread(figures.book), search: spread(figures.search), week: spread(figures.week) };
}

/** A therapist's week, as PostgREST reads it for an app. */
const weekOf = ({ rangeStart }: Clinic, therapist: string): string => `
  select coalesce(json_agg(it), '[]')::jsonb
  from (
    select id, client_id, service_id, start_time, end_time, time_zone, status
    from public.sessions
    where therapist_id = '${therapist}' and start_time >= '${rangeStart.toISOString()}'
      and start_time < timestamptz '${rangeStart.toISOString()}' + interval '7 days'
    order by start_time, id
  ) it`;
