// What the `functions` benchmark found, as the page says and draws it.

import { type Spread, table } from "./harness.ts";
import { barChart } from "./plot.ts";

/** Milliseconds, and bytes. */
export interface FunctionFigures {
  name: string;
  /** From the start of the process to the first answer. */
  ready: Spread;
  /** The median of what that is more than the bare function's start of the same round. */
  added: number;
  imports: number;
  /** The first request, and the second. */
  first: number;
  second: number;
  /** Modules of the function with all it imports; minified, and gzipped. */
  modules: number;
  bytes: number;
  gzipped: number;
}

export interface Report {
  machine: string;
  repetitions: number;
  figures: FunctionFigures[];
}

const ms = (value: number): string => value.toFixed(value < 10 ? 1 : 0);
const kb = (bytes: number): string => (bytes / 1000).toFixed(bytes < 10_000 ? 1 : 0);

export function describe({ machine, repetitions, figures }: Report): string {
  const base = figures[0]?.ready.median ?? Number.NaN;
  return [
    `${machine}. Each figure: the median of ${repetitions} starts, all functions in turn.`,
    table(
      [
        "function",
        "first answer, ms",
        "p10–p90",
        "times",
        "added ms",
        "imports ms",
        "first request",
        "second request",
        "modules",
        "kB",
        "kB gzipped",
      ],
      figures.map((it) => [
        it.name,
        ms(it.ready.median),
        `${ms(it.ready.p10)}–${ms(it.ready.p90)}`,
        (it.ready.median / base).toFixed(2),
        ms(it.added),
        ms(it.imports),
        ms(it.first),
        ms(it.second),
        String(it.modules),
        kb(it.bytes),
        kb(it.gzipped),
      ]),
    ),
    "![From the start of a function to its first answer](images/functions.svg)",
  ].join("\n\n");
}

export function plots({ figures }: Report): Record<string, string> {
  const parts = (it: FunctionFigures) => [
    { name: "Deno", value: Math.max(0, it.ready.median - it.imports - it.first) },
    { name: "imports", value: it.imports },
    { name: "first request", value: it.first },
  ];
  return {
    "functions.svg": barChart({
      title: "From the start of a function to its first answer",
      description: figures.map((it) => `${it.name} ${ms(it.ready.median)} ms`).join(", "),
      x: { label: "milliseconds" },
      bars: figures.map((it) => ({ name: it.name, parts: parts(it) })),
    }),
  };
}
