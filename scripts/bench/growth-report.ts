// What the `growth` benchmark found, as the page says and draws it.

import { count, type Spread, table } from "./harness.ts";
import type { Network } from "./network.ts";
import { lineChart } from "./plot.ts";

export interface Point {
  network: Network;
  /** Rows of the ledger. */
  claimed: number;
  /** Microseconds. */
  book: Spread;
  search: Spread;
  week: Spread;
}

export interface Report {
  machine: string;
  repetitions: number;
  /** Therapists in a search. */
  searched: number;
  points: Point[];
}

const operations = { book: "hold and confirm", search: "open times", week: "a therapist's week" } as const;
const keys = Object.keys(operations) as (keyof typeof operations)[];
const ms = (us: number): string => (us / 1000).toFixed(2);

/** How many times as long as in the smallest network. */
export function grownTimes({ points }: Report, key: keyof typeof operations): number {
  return (points.at(-1)?.[key].median ?? Number.NaN) / (points[0]?.[key].median ?? Number.NaN);
}

export function describe(report: Report): string {
  const { machine, repetitions, searched, points } = report;
  const first = points[0];
  return [
    `${machine}. Each figure: the median of ${repetitions} runs after warm-up (and the smallest and largest tenth), in milliseconds of the server. \`times\` is relative to the smallest network.`,
    `Open times are those of ${searched} therapists in 31 days.`,
    table(
      ["sessions", "claims", ...keys.flatMap((key) => [operations[key], "p10–p90", "times"])],
      points.map((point) => [
        count(point.network.sessions),
        count(point.claimed),
        ...keys.flatMap((key) => [
          ms(point[key].median),
          `${ms(point[key].p10)}–${ms(point[key].p90)}`,
          (point[key].median / (first?.[key].median ?? Number.NaN)).toFixed(2),
        ]),
      ]),
    ),
    "![What a call takes as the network grows](images/growth.svg)",
  ].join("\n\n");
}

export function plots({ points }: Report): Record<string, string> {
  return {
    "growth.svg": lineChart({
      title: "What a call takes as the network grows",
      description: points
        .map(
          (point) =>
            `${count(point.network.sessions)} sessions: ${keys.map((key) => `${operations[key]} ${ms(point[key].median)} ms`).join(", ")}.`,
        )
        .join(" "),
      x: { label: "sessions", log: true, ticks: points.map(({ network }) => network.sessions) },
      y: { label: "milliseconds", log: true },
      lines: keys.map((key) => ({
        name: operations[key],
        points: points.map((point) => ({ x: point.network.sessions, y: point[key].median / 1000 })),
      })),
    }),
  };
}
