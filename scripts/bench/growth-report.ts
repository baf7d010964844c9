// What the `growth` benchmark found, as the page says and draws it.

import { count, type Spread, table } from "./harness.ts";
import type { Network } from "./network.ts";
import { lineChart } from "./plot.ts";

export const operations = {
  book: "hold and confirm",
  search: "open times",
  week: "a therapist's week",
} as const;
export type Kind = keyof typeof operations;
export const kinds = Object.keys(operations) as Kind[];

export interface Figures {
  /** Microseconds. */
  small: Spread;
  grown: Spread;
  /** How many times as long, of the pairs. */
  times: Spread;
}

export interface Point extends Record<Kind, Figures> {
  network: Network;
  /** Rows of the ledger. */
  claimed: number;
  /** Of the database on disk. */
  bytes: number;
}

export interface Report {
  machine: string;
  repetitions: number;
  /** Therapists in a search. */
  searched: number;
  /** Sessions of the small network. */
  smallest: number;
  points: Point[];
}

const ms = (us: number): string => (us / 1000).toFixed(2);
const between = ({ p10, p90 }: Spread, written: (value: number) => string): string =>
  `${written(p10)}–${written(p90)}`;
const ratio = (value: number): string => value.toFixed(2);

/** How many times as long as in the small network beside it. */
export function grownTimes({ points }: Report, kind: Kind): number {
  return points.at(-1)?.[kind].times.median ?? Number.NaN;
}

export function describe({ machine, repetitions, searched, smallest, points }: Report): string {
  return [
    `${machine}. Each figure: the median of ${repetitions} pairs after warm-up (and the smallest and largest tenth).`,
    `How many times as long as in the network of ${count(smallest)} sessions beside it. The first row compares two networks of that size, which differ in nothing:`,
    table(
      ["sessions", "claims", "GB on disk", ...kinds.flatMap((kind) => [operations[kind], "p10–p90"])],
      points.map(({ network, claimed, bytes, ...figures }) => [
        count(network.sessions),
        count(claimed),
        (bytes / 1e9).toFixed(1),
        ...kinds.flatMap((kind) => [ratio(figures[kind].times.median), between(figures[kind].times, ratio)]),
      ]),
    ),
    `Milliseconds of the server, on either side. Open times are those of ${searched} therapists in 31 days.`,
    table(
      ["sessions", ...kinds.flatMap((kind) => [operations[kind], "p10–p90", `at ${count(smallest)}`])],
      points.map(({ network, ...figures }) => [
        count(network.sessions),
        ...kinds.flatMap((kind) => [
          ms(figures[kind].grown.median),
          between(figures[kind].grown, ms),
          ms(figures[kind].small.median),
        ]),
      ]),
    ),
    "![How many times as long a call takes as the network grows](images/growth.svg)",
  ].join("\n\n");
}

export function plots({ smallest, points }: Report): Record<string, string> {
  return {
    "growth.svg": lineChart({
      title: "How many times as long a call takes as the network grows",
      description: points
        .map(
          (point) =>
            `${count(point.network.sessions)} sessions: ${kinds.map((kind) => `${operations[kind]} ${ratio(point[kind].times.median)}`).join(", ")}.`,
        )
        .join(" "),
      x: { label: "sessions", log: true, ticks: points.map(({ network }) => network.sessions) },
      y: { label: `times as long as at ${count(smallest)} sessions` },
      lines: kinds.map((kind) => ({
        name: operations[kind],
        points: points.map((point) => ({ x: point.network.sessions, y: point[kind].times.median })),
      })),
    }),
  };
}
