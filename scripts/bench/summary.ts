// What was aimed at, and what came out: the first table of docs/benchmarks.md.

import type { Report as Booking } from "./booking-report.ts";
import { type Report as Growth, grownTimes } from "./growth-report.ts";
import { count, quantile, table } from "./harness.ts";
import type { Report as Load } from "./load-report.ts";
import type { Reports } from "./page.ts";
import type { Report as Policies } from "./policies-report.ts";
import type { Report as Records } from "./records-report.ts";
import { type Report as Rls, aim as rlsAim } from "./rls-report.ts";
import type { Report as Scheduling } from "./scheduling-report.ts";

interface Row {
  what: string;
  aim: string;
  found: string;
  met: boolean;
}

const rows = {
  booking: ({ memory, hot }: Booking): Row[] => {
    const ratios = memory.map(
      ({ sides }) => sides.find(({ side }) => side === "holdfast")?.ratio ?? Number.NaN,
    );
    const [ours, unsafe] = [
      hot.find(({ side }) => side === "holdfast"),
      hot.find(({ side }) => side === "copies"),
    ];
    if (!ours || !unsafe) throw new Error("the report of booking lacks a side");
    return [
      {
        what: "Hold and confirm at SQL, of the limit: the same rows by bare SQL, 1 to 32 clients",
        aim: "≥ 0.8",
        found: `${Math.min(...ratios).toFixed(2)}–${Math.max(...ratios).toFixed(2)}`,
        met: Math.min(...ratios) >= 0.8,
      },
      {
        what: "32 clients at 4 therapists, of the same rows after an unsafe check",
        aim: "≥ 0.8",
        found: `${ours.ratio.toFixed(2)}; double bookings ${count(ours.doubleBookings)}, there ${count(unsafe.doubleBookings)}`,
        met: ours.ratio >= 0.8,
      },
      {
        what: "The same: p99 of an attempt",
        aim: "< 50 ms",
        found: `${(ours.p99 / 1000).toFixed(0)} ms`,
        met: ours.p99 < 50_000,
      },
      {
        what: "The same: deadlocks that reached a caller",
        aim: "0",
        found: count(ours.deadlocks),
        met: ours.deadlocks === 0,
      },
    ];
  },
  scheduling: ({ series }: Scheduling): Row[] => {
    const times = series[1]?.times ?? Number.NaN;
    return [
      {
        what: "52 occurrences in one call, beside 52 calls",
        aim: "≥ 8",
        found: times.toFixed(1),
        met: times >= 8,
      },
    ];
  },
  rls: ({ results, networks }: Rls): Row[] => {
    const largest = results.filter(({ sessions }) => sessions === networks.at(-1)?.sessions);
    const ratios = largest.map(({ prepared }) => prepared.ratio);
    const added = quantile(
      largest.map(({ prepared }) => prepared.added),
      0.5,
    );
    const within = ratios.filter((ratio) => ratio <= rlsAim).length;
    return [
      {
        what: `Reads under RLS, of the same without, at ${count(networks.at(-1)?.sessions ?? 0)} sessions`,
        aim: `≤ ${rlsAim}`,
        found: `${within} of ${ratios.length}; median ${quantile(ratios, 0.5).toFixed(2)}, ${count(added)} µs added`,
        met: within === ratios.length,
      },
    ];
  },
  records: ({ bookings }: Records): Row[] => {
    const share = 100 * ((bookings[0]?.times ?? Number.NaN) - 1);
    return [
      {
        what: "Audit, of a booking with the trail muted",
        aim: "≤ 15 %",
        found: `${count(share)} %`,
        met: share <= 15,
      },
    ];
  },
  load: ({ steady }: Load): Row[] => {
    const worst = Math.max(...steady.operations.map(({ p50, p99 }) => p99 / p50));
    return [
      {
        what: "p99 under load, of p50, where it is most",
        aim: "≤ 5",
        found: worst.toFixed(1),
        met: worst <= 5,
      },
    ];
  },
  growth: (report: Growth): Row[] => {
    const times = (["book", "search", "week"] as const).map((key) => grownTimes(report, key));
    const [first, last] = [report.points[0], report.points.at(-1)];
    return [
      {
        what: `Hold and confirm, open times, a week: from ${count(first?.network.sessions ?? 0)} to ${count(last?.network.sessions ?? 0)} sessions`,
        aim: "flat (≤ 1.2)",
        found: times.map((it) => it.toFixed(2)).join(", "),
        met: Math.max(...times) <= 1.2,
      },
    ];
  },
  policies: ({ worst }: Policies): Row[] => [
    {
      what: "Subqueries in policies, as tutorials have them, of ours, where it is most",
      aim: "",
      found: count(worst),
      met: true,
    },
  ],
};

export function summarize(reports: Reports): string {
  const found = Object.entries(rows).flatMap(([name, rowsOf]) =>
    reports[name] === undefined ? [] : (rowsOf as (report: unknown) => Row[])(reports[name]),
  );
  return table(
    ["what, as a ratio in the same run", "aim", "found", "met"],
    found.map(({ what, aim, found, met }) => [what, aim, found, aim === "" ? "" : met ? "yes" : "**no**"]),
  );
}
