// What the `scheduling` benchmark found, and how docs/benchmarks.md says it.

import { count, type Spread, table } from "./harness.ts";
import type { Network } from "./network.ts";
import type { TableReads } from "./scheduling-measure.ts";

/** Microseconds; `…Times` are medians of the ratios within a run, which a busy machine moves less than either side. */
export interface Search {
  one: Spread;
  candidates: Spread;
  candidatesTimes: number;
  days: Spread;
  daysTimes: number;
  /** Calls of one therapist and day that make up the search. */
  calls: number;
  /** Start times found. */
  offers: number;
  /** Medians of the parts of one call. */
  parts: { part: string; us: number }[];
}

export interface Conflict {
  granted: Spread;
  refused: Spread;
  refusedTimes: number;
}

export interface Series {
  name: string;
  occurrences: number;
  hold: Spread;
  confirm: Spread;
  both: Spread;
  /** Of the first one. */
  times: number;
}

export interface CaseReads {
  name: string;
  times: number;
  tables: TableReads[];
}

export interface Report {
  machine: string;
  repetitions: number;
  network: Network;
  /** Sessions of the searched therapists in the days that are searched. */
  booked: number;
  /** Rows of the ledger. */
  claimed: number;
  reads: CaseReads[];
  search: Search;
  conflict: Conflict;
  series: Series[];
}

export function describe(report: Report): string {
  const { machine, repetitions, network, booked, claimed, search, conflict, series, reads } = report;
  const figures = (name: string, value: Spread, ratio = 1): string[] => [
    name,
    milliseconds(value.median),
    range(value),
    times(ratio),
  ];
  const head = (name: string): string[] => [name, "ms", "p10–p90", "times"];
  const whole = search.one.median;
  const known = search.parts.reduce((sum, { us }) => sum + us, 0);
  const parts = [...search.parts, { part: "the rest: admission, rules, intersections", us: whole - known }];
  const scanned = reads.flatMap(({ name, tables }) =>
    tables.filter(({ sequential }) => sequential > 0).map((it) => `${it.table} by ${name}`),
  );
  return [
    `${machine}. Each figure: ${repetitions} runs of each side after warm-up; the search by single days ${Math.ceil(repetitions / 5)}.`,
    `${count(network.sessions)} sessions of ${count(network.organizations)} organizations and ${count(network.therapists)} therapists, as many holds, ${count(claimed)} claims. ${count(booked)} sessions are in the 31 days that are searched; ${count(search.offers)} starts are open.`,
    table(head("50 therapists × 31 days"), [
      figures("one call of find_open_times", search.one),
      figures("every start tried against sessions, as owner", search.candidates, search.candidatesTimes),
      figures(`${count(search.calls)} calls of a therapist and a day`, search.days, search.daysTimes),
    ]),
    "Where the time of the one call goes, part by part:",
    table(
      ["part", "ms", "share"],
      parts.map(({ part, us }) => [part, milliseconds(us), `${Math.round((100 * us) / whole)} %`]),
    ),
    "Booking a series:",
    table(
      [
        "hold and confirm",
        "hold ms",
        "p10–p90",
        "confirm ms",
        "p10–p90",
        "both ms",
        "ms an occurrence",
        "times",
      ],
      series.map(({ name, occurrences, hold, confirm, both, times: ratio }) => [
        name,
        milliseconds(hold.median),
        range(hold),
        milliseconds(confirm.median),
        range(confirm),
        milliseconds(both.median),
        (both.median / 1000 / occurrences).toFixed(2),
        times(ratio),
      ]),
    ),
    "Being refused:",
    table(head("hold of one time within full days"), [
      figures("granted", conflict.granted),
      figures("refused, with the nearest open times", conflict.refused, conflict.refusedTimes),
    ]),
    "What the calls read, a call:",
    table(
      ["call", "table", "sequential scans", "index scans", "entries a scan"],
      reads.flatMap((it) => it.tables.flatMap((of) => readRows(it, of))),
      2,
    ),
    scanned.length === 0
      ? "No call read one of these tables as a whole."
      : `SEQUENTIAL SCANS: ${scanned.join("; ")}.`,
  ].join("\n\n");
}

/** A row for the table, and one for each index that was used. */
function readRows(
  { name, times: calls }: CaseReads,
  { table: of, sequential, indexes }: TableReads,
): string[][] {
  const rows = indexes.map((index) => [
    name,
    index.name,
    "",
    (index.scans / calls).toFixed(1),
    (index.entries / index.scans).toFixed(1),
  ]);
  return [[name, of, String(sequential), rows.length === 0 ? "0" : "", ""], ...rows];
}

function milliseconds(us: number): string {
  return (us / 1000).toFixed(us < 100_000 ? 1 : 0);
}

function range({ p10, p90 }: Spread): string {
  return `${milliseconds(p10)}–${milliseconds(p90)}`;
}

function times(ratio: number): string {
  return ratio.toFixed(ratio < 10 ? 2 : 1);
}

/** Whether some call read a large table as a whole. */
export function fault({ reads }: Report): string | undefined {
  const whole = reads.some(({ tables }) => tables.some(({ sequential }) => sequential > 0));
  return whole ? "a large table is read as a whole: see the table" : undefined;
}
