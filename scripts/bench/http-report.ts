// What the `http` benchmark found, as the page says and draws it.

import { type Spread, table } from "./harness.ts";
import { barChart } from "./plot.ts";

/** Means, in milliseconds: they add up. */
export interface Parts {
  client: number;
  gateway: number;
  handling: number;
  verifying: number;
  asking: number;
  rest: number;
  sql: number;
}

export interface Report {
  machine: string;
  repetitions: number;
  operations: { operation: string; ms: Spread; mean: number; parts: Parts }[];
}

const names: Record<keyof Parts, string> = {
  client: "the caller and its connection",
  gateway: "gateway, on the way to the function",
  handling: "function: a request that names nobody",
  verifying: "function: token and body verified",
  asking: "function: the call and its answer",
  rest: "REST: gateway, stand-in for PostgREST, commit",
  sql: "SQL: the RPC itself",
};
const keys = Object.keys(names) as (keyof Parts)[];
const ms = (value: number): string => value.toFixed(2);

export function describe({ machine, repetitions, operations }: Report): string {
  const total = (part: (it: Report["operations"][number]) => number): number =>
    operations.reduce((sum, it) => sum + part(it), 0);
  const whole = total((it) => it.mean);
  return [
    `${machine}. Each figure: the mean of ${repetitions} requests, one at a time, in milliseconds.`,
    table(
      ["where", ...operations.map(({ operation }) => operation), "both", "share"],
      [
        ...keys.map((key) => [
          names[key],
          ...operations.map(({ parts }) => ms(parts[key])),
          ms(total(({ parts }) => parts[key])),
          `${Math.round((100 * total(({ parts }) => parts[key])) / whole)} %`,
        ]),
        ["end to end", ...operations.map((it) => ms(it.mean)), ms(whole), "100 %"],
        ["median", ...operations.map((it) => ms(it.ms.median)), "", ""],
        ["p10–p90", ...operations.map((it) => `${ms(it.ms.p10)}–${ms(it.ms.p90)}`), "", ""],
      ],
    ),
    "![Where each millisecond of a booking over HTTP goes](images/http-parts.svg)",
  ].join("\n\n");
}

export function plots({ operations }: Report): Record<string, string> {
  return {
    "http-parts.svg": barChart({
      title: "Where each millisecond of a booking over HTTP goes",
      description: operations
        .map(
          ({ operation, parts }) =>
            `${operation}: ${keys.map((key) => `${names[key]} ${ms(parts[key])} ms`).join(", ")}.`,
        )
        .join(" "),
      x: { label: "milliseconds" },
      bars: operations.map(({ operation, parts }) => ({
        name: operation,
        parts: keys.map((key) => ({ name: names[key], value: Math.max(0, parts[key]) })),
      })),
    }),
  };
}
