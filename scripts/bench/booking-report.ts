// What the `booking` benchmark found, as the page says and draws it.

import type { Written } from "./booking-rows.ts";
import type { Side } from "./booking-sides.ts";
import { count, type Spread, table } from "./harness.ts";
import { lineChart } from "./plot.ts";

export interface SideFigures {
  side: Side;
  /** Bookings. */
  perSecond: Spread;
  /** Of the rounds' ratios to the limit, or to the unsafe side where all want the same: the median. */
  ratio: number;
  /** Microseconds of an attempt, hold and confirm. */
  p50: number;
  p99: number;
}

export interface Throughput {
  clients: number;
  sides: SideFigures[];
}

export interface Contest extends SideFigures {
  booked: number;
  refused: number;
  deadlocks: number;
  doubleBookings: number;
}

export interface Report {
  machine: string;
  seconds: number;
  repetitions: number;
  /** Rows that the two transactions of a booking write. */
  rowsOfABooking: { hold: Written; confirm: Written };
  /** Without waits for the disk, and with them. */
  memory: Throughput[];
  disk: Throughput[];
  hot: Contest[];
}

const names: Record<Side, string> = {
  holdfast: "Holdfast",
  bare: "the limit: the same rows, bare SQL",
  copies: "the same rows, checked, no constraint",
  check: "check, then insert one row",
  locks: "advisory locks, check, insert one row",
};

const ms = (us: number): string => (us / 1000).toFixed(2);
const range = ({ p10, p90 }: Spread): string => `${count(p10)}–${count(p90)}`;

export function describe(report: Report): string {
  const { machine, seconds, repetitions, rowsOfABooking, memory, disk, hot } = report;
  const throughput = (rows: Throughput[]): string =>
    table(
      [
        "bookings a second",
        ...rows.map(({ clients }) => `${clients} ${clients === 1 ? "client" : "clients"}`),
      ],
      (rows[0]?.sides ?? []).map(({ side }) => [
        names[side],
        ...rows.map(({ sides }) => {
          const it = sides.find((one) => one.side === side);
          return it ? `${count(it.perSecond.median)} (${range(it.perSecond)})` : "";
        }),
      ]),
    );
  const ratios = table(
    ["Holdfast", ...memory.map(({ clients }) => `${clients} ${clients === 1 ? "client" : "clients"}`)],
    [
      ["of the limit", ...memory.map(({ sides }) => ratioOf(sides))],
      [
        "of the limit, with fsync",
        ...memory.map(({ clients }) => ratioOf(disk.find((it) => it.clients === clients)?.sides ?? [])),
      ],
      [
        "ms of a booking, p50",
        ...memory.map(({ sides }) => ms(figureOf(sides, "holdfast")?.p50 ?? Number.NaN)),
      ],
      [
        "ms of a booking, p99",
        ...memory.map(({ sides }) => ms(figureOf(sides, "holdfast")?.p99 ?? Number.NaN)),
      ],
      ["ms of the limit, p50", ...memory.map(({ sides }) => ms(figureOf(sides, "bare")?.p50 ?? Number.NaN))],
    ],
  );
  const rows = Object.values(rowsOfABooking)
    .map((written) =>
      Object.entries(written)
        .map(([name, { inserted, updated }]) =>
          [inserted ? `${inserted} into ${name}` : "", updated ? `${updated} of ${name} updated` : ""]
            .filter(Boolean)
            .join(", "),
        )
        .join(", "),
    )
    .map((text, at) => `${at === 0 ? "Hold" : "Confirm"}: ${text}.`);
  return [
    `${machine}. Each figure: the median of ${repetitions} rounds of ${seconds} s a side, in turns (and the smallest and largest tenth).`,
    `Rows of a booking, on both sides. ${rows.join(" ")}`,
    throughput(memory),
    "![Bookings a second by clients at once](images/booking-throughput.svg)",
    "The ratio is the median of the rounds' ratios:",
    ratios,
    "With fsync on, so that every commit waits for the disk:",
    throughput(disk),
    "32 clients want four therapists at times that overlap in part. `times` is relative to the same rows written after a check alone:",
    table(
      [
        "way",
        "bookings a second",
        "p10–p90",
        "times",
        "p50 ms",
        "p99 ms",
        "refused",
        "deadlocks",
        "double bookings",
      ],
      hot.map((it) => [
        names[it.side],
        count(it.perSecond.median),
        range(it.perSecond),
        it.ratio.toFixed(2),
        ms(it.p50),
        ms(it.p99),
        `${Math.round((100 * it.refused) / (it.booked + it.refused + it.deadlocks))} %`,
        count(it.deadlocks),
        count(it.doubleBookings),
      ]),
    ),
  ].join("\n\n");
}

const figureOf = (sides: SideFigures[], side: Side): SideFigures | undefined =>
  sides.find((it) => it.side === side);
const ratioOf = (sides: SideFigures[]): string => figureOf(sides, "holdfast")?.ratio.toFixed(2) ?? "";

export function plots({ memory }: Report): Record<string, string> {
  const shown: Side[] = ["check", "locks", "bare", "holdfast"];
  return {
    "booking-throughput.svg": lineChart({
      title: "Bookings a second by clients at once",
      description: memory
        .map(
          ({ clients, sides }) =>
            `${clients} clients: ${shown.map((side) => `${names[side]} ${count(figureOf(sides, side)?.perSecond.median ?? 0)}`).join(", ")}.`,
        )
        .join(" "),
      x: { label: "clients at once", log: true, ticks: memory.map(({ clients }) => clients) },
      y: { label: "bookings a second", log: true },
      lines: shown.map((side) => ({
        name: names[side],
        points: memory.map(({ clients, sides }) => ({
          x: clients,
          y: figureOf(sides, side)?.perSecond.median ?? Number.NaN,
        })),
      })),
    }),
  };
}

/** Holdfast may be slow; it may not book anybody twice, nor give a caller a deadlock. */
export function fault({ hot }: Report): string | undefined {
  const ours = hot.find(({ side }) => side === "holdfast");
  if (ours && ours.doubleBookings > 0) return `Holdfast booked ${ours.doubleBookings} times twice`;
  if (ours && ours.deadlocks > 0) return `${ours.deadlocks} callers met a deadlock`;
  return undefined;
}
