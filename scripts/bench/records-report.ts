// What the `records` benchmark found, as the page says it.

import { count, type Spread, table } from "./harness.ts";

/** One way to write or read a note: in the server, and in the function that encrypts and decrypts. */
export interface Way {
  name: string;
  server: Spread;
  crypto: Spread | null;
  both: Spread;
  /** Of the same calls without encryption and audit. */
  times: number;
}

export interface Side {
  name: string;
  ms: Spread;
  times: number;
}

export interface Report {
  machine: string;
  repetitions: number;
  noteCharacters: number;
  writes: Way[];
  reads: Way[];
  bookings: Side[];
  /** Events that one booking writes. */
  eventsOfABooking: number;
  clients: Side[];
  trail: { events: number; seals: number; sealSeconds: number; verifySeconds: number };
}

export function describe(report: Report): string {
  const { machine, repetitions, noteCharacters, writes, reads, bookings, clients, trail } = report;
  const ways = (name: string, rows: Way[]): string =>
    table(
      [name, "server ms", "p10–p90", "crypto ms", "both ms", "times"],
      rows.map((way) => [
        way.name,
        ms(way.server.median),
        range(way.server),
        way.crypto ? ms(way.crypto.median) : "",
        ms(way.both.median),
        times(way.times),
      ]),
    );
  const sides = (name: string, rows: Side[]): string =>
    table(
      [name, "ms", "p10–p90", "times"],
      rows.map((side) => [side.name, ms(side.ms.median), range(side.ms), times(side.times)]),
    );
  const rate = (seconds: number): string => count(Math.round(trail.events / seconds));
  return [
    `${machine}. Each figure: ${repetitions} runs of each side, in turns of a half, after warm-up.`,
    `Notes of ${count(noteCharacters)} characters:`,
    ways("write a note", writes),
    ways("read a note", reads),
    `Booking an hour, which writes ${count(report.eventsOfABooking)} events:`,
    sides("hold and confirm", bookings),
    "Records of clients:",
    sides("names and demographics of 100 clients", clients),
    "The trail:",
    table(
      ["what", "seconds", "events a second"],
      [
        [`sealing ${count(trail.events)} events`, trail.sealSeconds.toFixed(1), rate(trail.sealSeconds)],
        [
          `verifying them, in ${count(trail.seals)} seals`,
          trail.verifySeconds.toFixed(1),
          rate(trail.verifySeconds),
        ],
      ],
    ),
  ].join("\n\n");
}

const ms = (us: number): string => (us / 1000).toFixed(2);
const range = ({ p10, p90 }: Spread): string => `${ms(p10)}–${ms(p90)}`;
const times = (ratio: number): string => ratio.toFixed(2);
