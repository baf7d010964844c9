// What the `policies` benchmark found, as the page says and draws it.

import { count, type Spread, table } from "./harness.ts";
import type { Network } from "./network.ts";
import { barChart } from "./plot.ts";

/** Microseconds of a statement without and with a policy. */
interface Figures {
  plain: Spread;
  rls: Spread;
  ratio: number;
}

interface Result {
  role: string;
  query: string;
  ours: Figures;
  subqueries: Figures;
  join: Figures;
  function: Figures;
}

export interface Report {
  machine: string;
  repetitions: number;
  network: Network;
  results: Result[];
  /** How many times as long the subqueries of a tutorial took as our policy, where that was most. */
  worst: number;
}

const ways = {
  ours: "ours",
  subqueries: "in (…) or in (…)",
  join: "join",
  function: "function of the row",
} as const;
const wayNames = Object.keys(ways) as (keyof typeof ways)[];
const ms = (us: number): string => (us < 10_000 ? (us / 1000).toFixed(2) : (us / 1000).toFixed(0));
const times = (ratio: number): string => (ratio < 10 ? ratio.toFixed(2) : count(ratio));

export function describe({ machine, repetitions, network, results }: Report): string {
  return [
    `${machine}. Ours: ${repetitions} runs of each side after warm-up; the others a twentieth of that.`,
    `${count(network.sessions)} sessions of ${count(network.organizations)} organizations. Milliseconds in the server; \`times\` is relative to the same query without a policy, run in turns.`,
    table(
      ["role", "query", "no policy", ...wayNames.flatMap((way) => [ways[way], "times"])],
      results.map((result) => [
        result.role,
        result.query,
        ms(result.ours.plain.median),
        ...wayNames.flatMap((way) => [ms(result[way].rls.median), times(result[way].ratio)]),
      ]),
      2,
    ),
    "![A query under four policies](images/policies.svg)",
  ].join("\n\n");
}

export function plots({ results, network }: Report): Record<string, string> {
  const shown =
    results.find(({ role, query }) => role === "therapist" && query.startsWith("my week")) ?? results[0];
  if (!shown) return {};
  const bars = wayNames.map((way) => ({ name: ways[way], value: shown[way].rls.median / 1000 }));
  return {
    "policies.svg": barChart({
      title: `A ${shown.role}'s query "${shown.query}" under four policies`,
      description: `Among ${count(network.sessions)} sessions, in milliseconds: ${bars.map(({ name, value }) => `${name} ${value.toFixed(2)}`).join(", ")}.`,
      x: { label: "milliseconds", log: true },
      bars: bars.map(({ name, value }) => ({ name, parts: [{ name: "milliseconds", value }] })),
    }),
  };
}
