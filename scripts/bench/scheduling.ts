// `npm run bench -- scheduling`: searching open times, booking a series and refusing a hold, each beside another way.

import { isDeepStrictEqual } from "node:util";
import postgres, { type Sql } from "postgres";
import type { Size } from "./benchmark.ts";
import { machineLine, prepareServer, progress, quantile, spread, withStack } from "./harness.ts";
import { loadNetwork } from "./network.ts";
import { asOwner, book, call, createMeasures, readsOf, undo } from "./scheduling-measure.ts";
import { type Clinic, fillCalendars, searchedClients } from "./scheduling-network.ts";
import type { CaseReads, Conflict, Report, Search, Series } from "./scheduling-report.ts";
import {
  candidateQuery,
  dayRequests,
  holdRequest,
  middle,
  searchRequest,
  seriesRequest,
  takenStart,
} from "./scheduling-requests.ts";

export async function runScheduling({ rows, repetitions }: Size): Promise<Report> {
  return withStack(async (stack) => {
    await prepareServer(stack.adminDatabaseUrl);
    progress(`making ${rows.toLocaleString("en")} sessions`);
    const network = await loadNetwork(stack.adminDatabaseUrl, rows, []);
    progress("filling calendars and the ledger");
    const clinic = await fillCalendars(stack.adminDatabaseUrl);
    return measureAll(stack.databaseUrl, clinic, { network, repetitions });
  });
}

/** Measures a clinic that is ready. */
async function measureAll(
  databaseUrl: string,
  clinic: Clinic,
  { network, repetitions }: Pick<Report, "network" | "repetitions">,
): Promise<Report> {
  // As the role that owns the tables: the procedures take the user's role for the call alone.
  const connect = (): Sql =>
    postgres(databaseUrl, { max: 1, onnotice: () => {}, connection: { timezone: "UTC" } });
  // One connection for the plans, so that it plans for itself, and another that is warm for the figures.
  const [fresh, sql] = [connect(), connect()];
  try {
    await createMeasures(sql);
    progress("counting what is read");
    const reads = await checkReads(fresh, sql, clinic);
    progress("searching");
    const search = await measureSearch(sql, clinic, repetitions);
    progress("being refused");
    const conflict = await measureConflict(sql, clinic, repetitions);
    progress("booking series");
    const series = await measureSeries(sql, clinic, repetitions);
    const { booked, claimed } = clinic;
    return {
      machine: await machineLine(sql),
      repetitions,
      network,
      booked,
      claimed,
      reads,
      search,
      conflict,
      series,
    };
  } finally {
    await Promise.all([fresh.end(), sql.end()]);
  }
}

/** Runs `run` for every repetition and returns the figures, after some runs that are not counted. */
async function repeated<Figures>(
  repetitions: number,
  run: (number: number) => Promise<Figures>,
): Promise<Figures[]> {
  // Postgres weighs a custom plan against a generic one up to the sixth call.
  const warmUp = Math.min(6, repetitions);
  const figures: Figures[] = [];
  for (let number = -warmUp; number < repetitions; number++) {
    const figure = await run(number + warmUp);
    if (number >= 0) figures.push(figure);
  }
  return figures;
}

const median = (values: number[]): number => quantile(values, 0.5);

const pick = <Value>(values: readonly Value[], number: number): Value => {
  const value = values[number % values.length];
  if (value === undefined) throw new Error("nothing to pick from");
  return value;
};

// ---------------------------------------------------------------------------------------------------------
// Searching
// ---------------------------------------------------------------------------------------------------------

interface Found {
  data?: { therapists: { therapist_id: string; start_times: string[] }[] };
}

async function find(
  sql: Sql,
  clinic: Clinic,
  requests: object[],
): Promise<{ us: number; found: NonNullable<Found["data"]>["therapists"] }> {
  const { us, answer } = await call(sql, clinic, "find_open_times", requests);
  const found = (answer as Found).data?.therapists;
  if (!found) throw new Error(`nothing was searched: ${JSON.stringify(answer)}`);
  return { us, found };
}

async function measureSearch(sql: Sql, clinic: Clinic, repetitions: number): Promise<Search> {
  const searched = clinic.clients.slice(0, searchedClients);
  const offers: number[] = [];
  const runs = await repeated(repetitions, async (number) => {
    const client = pick(searched, number);
    const one = await find(sql, clinic, [searchRequest(clinic, client)]);
    const candidates = await asOwner(sql, candidateQuery(clinic, client));
    if (!isDeepStrictEqual(one.found, candidates.answer))
      throw new Error("the two searches found different times");
    offers.push(one.found.reduce((sum, { start_times }) => sum + start_times.length, 0));
    return { one: one.us, candidates: candidates.us };
  });
  const days: { one: number; days: number }[] = [];
  for (let number = 0; number < Math.ceil(repetitions / 5); number++) {
    const client = pick(searched, number);
    const one = await find(sql, clinic, [searchRequest(clinic, client)]);
    days.push({ one: one.us, days: (await find(sql, clinic, dayRequests(clinic, client))).us });
  }
  return {
    calls: dayRequests(clinic, pick(searched, 0)).length,
    offers: median(offers),
    one: spread(runs.map(({ one }) => one)),
    candidates: spread(runs.map(({ candidates }) => candidates)),
    candidatesTimes: median(runs.map(({ one, candidates }) => candidates / one)),
    days: spread(days.map(({ days }) => days)),
    daysTimes: median(days.map(({ one, days }) => days / one)),
    parts: await splitSearch(sql, clinic, repetitions),
  };
}

async function splitSearch(sql: Sql, clinic: Clinic, repetitions: number): Promise<Search["parts"]> {
  const parts = new Map<string, number[]>();
  await repeated(repetitions, async (number) => {
    const rows = await sql<{ part: string; us: number }[]>`
      select part, us
      from bench.split(${clinic.organization}, ${clinic.therapists}::uuid[], ${pick(clinic.clients.slice(0, searchedClients), number)},
        tstzrange(${clinic.rangeStart}, ${clinic.rangeEnd}), ${clinic.timeZone})`;
    for (const { part, us } of rows) parts.set(part, [...(parts.get(part) ?? []), us]);
  });
  return [...parts].map(([part, us]) => ({ part, us: median(us) }));
}

// ---------------------------------------------------------------------------------------------------------
// Holding and confirming
// ---------------------------------------------------------------------------------------------------------

interface Held {
  data?: { hold_key: string };
  problem?: { code: string; alternatives: object[] };
}

async function measureConflict(sql: Sql, clinic: Clinic, repetitions: number): Promise<Conflict> {
  const runs = await repeated(repetitions, async (number) => {
    const therapist = number % clinic.therapists.length;
    const { found } = await find(sql, clinic, [
      {
        ...searchRequest(clinic, pick(clinic.clients, therapist)),
        therapist_ids: [pick(clinic.therapists, therapist)],
        range_start: middle(clinic).toISOString(),
      },
    ]);
    const open = found[0]?.start_times[0];
    if (!open) throw new Error("a calendar is full to the end");
    const taken = await takenStart(sql, clinic, therapist);
    const refused = await call(sql, clinic, "hold_sessions", [
      await holdRequest(sql, clinic, therapist, taken),
    ]);
    const { problem } = refused.answer as Held;
    if (problem?.code !== "therapist_conflict" || problem.alternatives.length === 0) {
      throw new Error(`not refused with alternatives: ${JSON.stringify(refused.answer)}`);
    }
    const granted = await call(sql, clinic, "hold_sessions", [
      await holdRequest(sql, clinic, therapist, open),
    ]);
    const { data } = granted.answer as Held;
    if (!data) throw new Error(`not granted: ${JSON.stringify(granted.answer)}`);
    await undo(sql, [data.hold_key]);
    return { granted: granted.us, refused: refused.us };
  });
  return {
    granted: spread(runs.map(({ granted }) => granted)),
    refused: spread(runs.map(({ refused }) => refused)),
    refusedTimes: median(runs.map(({ granted, refused }) => refused / granted)),
  };
}

/** A request of several occurrences as requests of one each. */
function single(request: object): object[] {
  const { occurrences } = request as { occurrences: object[] };
  return occurrences.map((occurrence) => ({ ...request, occurrences: [occurrence] }));
}

async function measureSeries(sql: Sql, clinic: Clinic, repetitions: number): Promise<Series[]> {
  const sizes = [
    {
      name: "52 weekly, one call each",
      occurrences: 52,
      daysApart: 7,
      calls: (request: object) => [request],
    },
    { name: "52 weekly, 52 single calls each", occurrences: 52, daysApart: 7, calls: single },
    {
      name: "366 daily, one call each",
      occurrences: 366,
      daysApart: 1,
      calls: (request: object) => [request],
    },
  ];
  const runs = await repeated(repetitions, async (number) => {
    const therapist = number % clinic.therapists.length;
    const figures = [];
    for (const { occurrences, daysApart, calls } of sizes) {
      const request = await seriesRequest(sql, clinic, therapist, occurrences, daysApart);
      const { hold, confirm, holdKeys } = await book(sql, clinic, calls(request));
      await undo(sql, holdKeys);
      figures.push({ hold, confirm });
    }
    return figures;
  });
  return sizes.map(({ name, occurrences }, size) => {
    const figures = runs.map((run) => pick(run, size));
    return {
      name,
      occurrences,
      hold: spread(figures.map(({ hold }) => hold)),
      confirm: spread(figures.map(({ confirm }) => confirm)),
      both: spread(figures.map(({ hold, confirm }) => hold + confirm)),
      times: median(
        runs.map((run) => {
          const [one, other] = [pick(run, 0), pick(run, size)];
          return (other.hold + other.confirm) / (one.hold + one.confirm);
        }),
      ),
    };
  });
}

// ---------------------------------------------------------------------------------------------------------
// What is read
// ---------------------------------------------------------------------------------------------------------

/** Counts what every kind of call reads, seven times each: past the sixth, where a plan may become a generic one. */
async function checkReads(fresh: Sql, owner: Sql, clinic: Clinic): Promise<CaseReads[]> {
  const times = 7;
  const written: string[] = [];
  const taken = await takenStart(owner, clinic, 0);
  const search = searchRequest(clinic, pick(clinic.clients, 0));
  const refused = await holdRequest(owner, clinic, 0, taken);
  const series = await Promise.all(
    Array.from({ length: times }, (_, therapist) => seriesRequest(owner, clinic, therapist, 52, 7)),
  );
  const cases = [
    { name: "search, 50 therapists × 31 days", run: async () => void (await find(fresh, clinic, [search])) },
    {
      name: "refused hold with alternatives",
      run: async () => void (await call(fresh, clinic, "hold_sessions", [refused])),
    },
    {
      name: "hold and confirm of 52",
      run: async (number: number) =>
        void written.push(...(await book(fresh, clinic, [pick(series, number)])).holdKeys),
    },
  ];
  const reads: CaseReads[] = [];
  for (const { name, run } of cases) {
    const tables = await readsOf(fresh, async () => {
      for (let number = 0; number < times; number++) await run(number);
    });
    reads.push({ name, times, tables });
  }
  await undo(owner, written);
  return reads;
}
