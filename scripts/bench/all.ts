// All benchmarks, in the order in which they run. The sizes of the full run are those of docs/benchmarks.md.

import type { Benchmark } from "./benchmark.ts";
import { runBooking } from "./booking.ts";
import * as booking from "./booking-report.ts";
import { runFunctions } from "./functions.ts";
import * as functions from "./functions-report.ts";
import { runGrowth } from "./growth.ts";
import * as growth from "./growth-report.ts";
import { runHttp } from "./http.ts";
import * as http from "./http-report.ts";
import { runLoad } from "./load.ts";
import * as load from "./load-report.ts";
import { runPolicies } from "./policies.ts";
import * as policies from "./policies-report.ts";
import { runRecords } from "./records.ts";
import * as records from "./records-report.ts";
import { runRls } from "./rls.ts";
import * as rls from "./rls-report.ts";
import { runScheduling } from "./scheduling.ts";
import * as scheduling from "./scheduling-report.ts";

const none = { rows: 0, repetitions: 0, seconds: 0, minutes: 0 };

/** As the command knows them; each keeps its own form of report. */
export const benchmarks = {
  booking: {
    full: { ...none, rows: 50_000, repetitions: 3, seconds: 1 },
    quick: { ...none, rows: 25_000, repetitions: 1, seconds: 0.2 },
    // One clinic of fifty therapists.
    fewestRows: 25_000,
    takes: 240,
    run: runBooking,
    ...booking,
  } satisfies Benchmark<booking.Report>,
  scheduling: {
    full: { ...none, rows: 1_000_000, repetitions: 20 },
    quick: { ...none, rows: 50_000, repetitions: 4 },
    // One clinic of fifty therapists, and another one beside it.
    fewestRows: 50_000,
    takes: 150,
    run: runScheduling,
    ...scheduling,
  } satisfies Benchmark<scheduling.Report>,
  records: {
    full: { ...none, rows: 1_000_000, repetitions: 200 },
    quick: { ...none, rows: 10_000, repetitions: 10 },
    fewestRows: 10_000,
    takes: 75,
    run: runRecords,
    ...records,
  } satisfies Benchmark<records.Report>,
  rls: {
    full: { ...none, rows: 1_000_000, repetitions: 200 },
    quick: { ...none, rows: 20_000, repetitions: 10 },
    fewestRows: 1_000,
    takes: 95,
    run: runRls,
    ...rls,
  } satisfies Benchmark<rls.Report>,
  policies: {
    full: { ...none, rows: 100_000, repetitions: 200 },
    quick: { ...none, rows: 10_000, repetitions: 10 },
    fewestRows: 1_000,
    takes: 60,
    run: runPolicies,
    ...policies,
  } satisfies Benchmark<policies.Report>,
  growth: {
    full: { ...none, rows: 1_000_000, repetitions: 200 },
    quick: { ...none, rows: 20_000, repetitions: 5 },
    fewestRows: 10_000,
    takes: 180,
    run: runGrowth,
    ...growth,
  } satisfies Benchmark<growth.Report>,
  http: {
    full: { ...none, rows: 50_000, repetitions: 200 },
    quick: { ...none, rows: 50_000, repetitions: 10 },
    fewestRows: 50_000,
    takes: 50,
    run: runHttp,
    ...http,
  } satisfies Benchmark<http.Report>,
  functions: {
    full: { ...none, repetitions: 9 },
    quick: { ...none, repetitions: 1 },
    fewestRows: 0,
    takes: 60,
    run: runFunctions,
    ...functions,
  } satisfies Benchmark<functions.Report>,
  load: {
    full: { ...none, rows: 50_000, minutes: 2 },
    quick: { ...none, rows: 50_000, minutes: 0.1 },
    fewestRows: 50_000,
    takes: 190,
    run: runLoad,
    ...load,
  } satisfies Benchmark<load.Report>,
};

export type Name = keyof typeof benchmarks;
export const names = Object.keys(benchmarks) as Name[];

/** A benchmark whose report is handed on as it is. */
export const benchmarkOf = (name: Name): Benchmark<unknown> => benchmarks[name];
