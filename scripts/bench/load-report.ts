// What the `load` benchmark found, as the page says and draws it.

import { count, quantile, table } from "./harness.ts";
import { lineChart } from "./plot.ts";

/** Milliseconds of the answers that are no refusals. */
export interface OperationFigures {
  operation: string;
  perSecond: number;
  p50: number;
  p95: number;
  p99: number;
}

/** Megabytes at a second. */
export interface Memory {
  at: number;
  postgres: number;
  functions: number;
  gateway: number;
}

interface Phase {
  operations: OperationFigures[];
  /** Answers by status, and how many of them had a Retry-After. */
  statuses: { status: number; count: number; retryAfter: number }[];
}

export interface Report {
  machine: string;
  seconds: number;
  usersAtWork: number;
  usersInBurst: number;
  steady: Phase;
  burst: Phase & { seconds: number };
  recoverySeconds: number | null;
  memory: Memory[];
}

const parts = { postgres: "Postgres", functions: "Deno", gateway: "gateway and REST, in Node" } as const;
const keys = Object.keys(parts) as (keyof typeof parts)[];

/** The last quarter of the time beside the second one: what is kept at the beginning is no leak. */
function memoryOver(memory: Memory[], key: keyof typeof parts): { before: number; after: number } {
  const quarter = Math.floor(memory.length / 4);
  const median = (some: Memory[]): number =>
    quantile(
      some.map((it) => it[key]),
      0.5,
    );
  return { before: median(memory.slice(quarter, 2 * quarter)), after: median(memory.slice(-quarter)) };
}

export function describe(report: Report): string {
  const { machine, seconds, usersAtWork, usersInBurst, steady, burst, recoverySeconds, memory } = report;
  const latencies = ({ operations }: Phase): string =>
    table(
      ["operation", "a second", "p50 ms", "p95 ms", "p99 ms", "p99 ÷ p50"],
      operations.map((it) => [
        it.operation,
        it.perSecond.toFixed(1),
        it.p50.toFixed(1),
        it.p95.toFixed(1),
        it.p99.toFixed(1),
        (it.p99 / it.p50).toFixed(1),
      ]),
    );
  const statuses = ({ statuses }: Phase): string =>
    statuses
      .map(({ status, count: times, retryAfter }) =>
        status === 429 || status === 503
          ? `${count(times)} × ${status}, ${count(retryAfter)} of them with Retry-After`
          : `${count(times)} × ${status}`,
      )
      .join(", ");
  return [
    `${machine}. ${usersAtWork} users without a pause for ${count(seconds)} s, after warm-up.`,
    latencies(steady),
    `Answers: ${statuses(steady)}.`,
    `Then ${usersInBurst} users for ${count(burst.seconds)} s, among them some who call more often in a minute than their clinic may:`,
    latencies(burst),
    `Answers: ${statuses(burst)}. ${
      recoverySeconds === null
        ? "It did NOT recover while it was watched."
        : `Answers came as before ${recoverySeconds === 0 ? "within the first second" : `after ${count(recoverySeconds)} s`}.`
    }`,
    ...(memory.length < 8
      ? []
      : [
          "Memory of the processes' own in the steady load, in MB:",
          table(
            ["process", "second quarter", "last quarter", "times"],
            keys.map((key) => {
              const { before, after } = memoryOver(memory, key);
              return [parts[key], count(before), count(after), (after / before).toFixed(2)];
            }),
          ),
          "![Memory in the steady load](images/load-memory.svg)",
        ]),
  ].join("\n\n");
}

export function plots({ memory }: Report): Record<string, string> {
  if (memory.length < 8) return {};
  return {
    "load-memory.svg": lineChart({
      title: "Memory in the steady load",
      description: keys
        .map((key) => {
          const { before, after } = memoryOver(memory, key);
          return `${parts[key]}: ${count(before)} MB in the second quarter, ${count(after)} MB in the last.`;
        })
        .join(" "),
      x: { label: "seconds" },
      y: { label: "megabytes" },
      lines: keys.map((key) => ({
        name: parts[key],
        points: memory.map((it) => ({ x: it.at, y: it[key] })),
      })),
    }),
  };
}

/** A refusal for want of capacity says when to come back. */
export function fault({ steady, burst }: Report): string | undefined {
  const silent = [...steady.statuses, ...burst.statuses].find(
    ({ status, count: times, retryAfter }) => (status === 429 || status === 503) && retryAfter < times,
  );
  if (silent) return `${silent.count - silent.retryAfter} answers with ${silent.status} have no Retry-After`;
  const broken = [...steady.statuses, ...burst.statuses].find(
    ({ status }) => status >= 500 && status !== 503,
  );
  return broken ? `${broken.count} answers with ${broken.status}` : undefined;
}
