// What the `rls` benchmark found, as the page says it.

import { count, type Spread, table } from "./harness.ts";
import type { Network } from "./network.ts";

/** Microseconds of a statement's two sides. */
export interface Figures {
  plain: Spread;
  rls: Spread;
  ratio: number;
  /** The median of what RLS added to the run beside it. */
  added: number;
}

export interface Result {
  sessions: number;
  role: string;
  query: string;
  /** How the server found the sessions under RLS: the indexes, or `Seq Scan`. */
  access: string[];
  prepared: Figures;
  planned: Figures;
}

export interface Report {
  machine: string;
  repetitions: number;
  networks: Network[];
  results: Result[];
}

/** The ratio the project promises for every query an app makes (issue 3). */
export const aim = 1.3;

/** Odd, so that each sample is measured with either side first. */
export const samplesPerRole = 25;

export function describe({ machine, repetitions, networks, results }: Report): string {
  const largest = networks.at(-1);
  const atLargest = results.filter(({ sessions }) => sessions === largest?.sessions);
  const detail = table(
    [
      "role",
      "query",
      "no RLS",
      "p10–p90",
      "RLS",
      "p10–p90",
      "ratio",
      "added µs",
      "planned each time",
      "added µs",
    ],
    atLargest.map(({ role, query, prepared, planned }) => [
      role,
      query,
      milliseconds(prepared.plain.median),
      range(prepared.plain),
      milliseconds(prepared.rls.median),
      range(prepared.rls),
      mark(prepared.ratio),
      prepared.added.toFixed(0),
      mark(planned.ratio),
      planned.added.toFixed(0),
    ]),
    2,
  );
  const growth = table(
    [
      "role",
      "query",
      ...networks.map(({ sessions }) => `ratio at ${count(sessions)}`),
      ...networks.map(({ sessions }) => `µs at ${count(sessions)}`),
    ],
    atLargest.map(({ role, query }) => {
      const series = networks.map(({ sessions }) =>
        results.find(
          (result) => result.role === role && result.query === query && result.sessions === sessions,
        ),
      );
      return [
        role,
        query,
        ...series.map((result) => mark(result?.prepared.ratio ?? Number.NaN)),
        ...series.map((result) => (result?.prepared.added ?? Number.NaN).toFixed(0)),
      ];
    }),
    2,
  );
  const within = atLargest.filter(({ prepared }) => prepared.ratio <= aim).length;
  const scans = results.filter(({ access }) => access.includes("Seq Scan"));
  return [
    `${machine}. Each figure: ${repetitions} runs of each side after warm-up, over ${samplesPerRole} users.`,
    `${count(largest?.sessions ?? 0)} sessions of ${count(largest?.organizations ?? 0)} organizations, ${count(largest?.therapists ?? 0)} therapists and ${count(largest?.clients ?? 0)} clients. Milliseconds in the server; ratios over ${aim} are bold.`,
    detail,
    `At most ${aim}: ${within} of ${atLargest.length}. ${
      scans.length === 0
        ? "No query read the table of sessions as a whole, at any size."
        : `SEQUENTIAL SCANS of sessions: ${scans.map(({ role, query, sessions }) => `${query} as ${role} at ${count(sessions)}`).join("; ")}.`
    }`,
    "How it grows, from a network of one small clinic on:",
    growth,
  ].join("\n\n");
}

function milliseconds(us: number): string {
  return (us / 1000).toFixed(3);
}

function range({ p10, p90 }: Spread): string {
  return `${milliseconds(p10)}–${milliseconds(p90)}`;
}

function mark(ratio: number): string {
  return ratio > aim ? `**${ratio.toFixed(2)}**` : ratio.toFixed(2);
}

/** Whether some query read the whole table of sessions. */
export function fault({ results }: Report): string | undefined {
  const scans = results.filter(({ access }) => access.includes("Seq Scan"));
  return scans.length > 0 ? `${scans.length} queries read the table of sessions as a whole` : undefined;
}
