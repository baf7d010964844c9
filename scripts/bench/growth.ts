// `npm run bench -- growth`: booking, searching and reading in networks of 10 000 to 10 million sessions, each in turns with
// the same in a small network that stays beside it.

import postgres, { type Sql } from "postgres";
import type { Stack } from "../stack/index.ts";
import type { Size } from "./benchmark.ts";
import { compareInTurns, ledgerFaults, type Side, searched, sideOf } from "./growth-measure.ts";
import type { Point, Report } from "./growth-report.ts";
import { count, machineLine, prepareServer, progress, withStack } from "./harness.ts";
import { loadNetwork, type Network, settle } from "./network.ts";
import { createPlainNotes } from "./records-measure.ts";
import { createMeasures } from "./scheduling-measure.ts";
import { type Clinic, fillCalendars } from "./scheduling-network.ts";

const smallest = 10_000;
const sizes = [smallest, 100_000, 1_000_000, 10_000_000];

/** As docs/scaling.md says of a network of clinics; the small one has the same. */
const options = { functions: false, settings: { shared_buffers: "2GB" } };

interface Made {
  stack: Stack;
  network: Network;
  clinic: Clinic;
}

export async function runGrowth({ rows, repetitions, soFar }: Size): Promise<Report> {
  return withStack(
    (smallStack) =>
      withStack(async (grownStack) => {
        for (const stack of [smallStack, grownStack]) await prepare(stack);
        const small = await makeNetwork(smallStack, smallest);
        const report: Report = { machine: "", repetitions, searched, smallest, points: [] };
        for (const size of [...sizes.filter((it) => it < rows), rows]) {
          const grown = await makeNetwork(grownStack, size);
          progress(`measuring, in turns with ${count(smallest)} sessions`);
          const { machine, ...point } = await measure(small, grown, repetitions);
          report.machine = machine;
          report.points.push(point);
          await soFar?.(report);
        }
        return report;
      }, options),
    options,
  );
}

async function prepare({ adminDatabaseUrl, databaseUrl }: Stack): Promise<void> {
  await prepareServer(adminDatabaseUrl);
  await connected(databaseUrl, async (sql) => {
    await createMeasures(sql);
    await createPlainNotes(sql);
  });
}

async function makeNetwork(stack: Stack, size: number): Promise<Made> {
  progress(`making ${count(size)} sessions`);
  const network = await loadNetwork(stack.adminDatabaseUrl, size, []);
  progress("filling calendars and the ledger");
  return { stack, network, clinic: await fillCalendars(stack.adminDatabaseUrl) };
}

async function measure(small: Made, grown: Made, repetitions: number): Promise<Point & { machine: string }> {
  // What was booked there beside earlier sizes is gone, but its rows and index entries would be passed over again and again.
  await connected(small.stack.adminDatabaseUrl, settle);
  // Connections of their own for each size: a plan that was made for a small table may stay.
  return connected(small.stack.databaseUrl, (smallSql) =>
    connected(grown.stack.databaseUrl, async (grownSql) => {
      const sides: [Side, Side] = [
        await sideOf(smallSql, small.clinic),
        await sideOf(grownSql, grown.clinic),
      ];
      const figures = await compareInTurns(...sides, repetitions);
      progress("comparing the ledgers");
      for (const { sql, clinic } of sides) {
        const faults = await ledgerFaults(sql, clinic.organization);
        if (faults > 0) throw new Error(`the ledger has ${faults} faults`);
      }
      const { network, clinic } = grown;
      return {
        machine: await machineLine(grownSql),
        network,
        claimed: clinic.claimed,
        bytes: await sizeOf(grownSql),
        ...figures,
      };
    }),
  );
}

async function sizeOf(sql: Sql): Promise<number> {
  const [row] = await sql<{ bytes: number }[]>`
    select pg_database_size(current_database())::float8 as bytes`;
  return row?.bytes ?? Number.NaN;
}

async function connected<Result>(url: string, run: (sql: Sql) => Promise<Result>): Promise<Result> {
  const sql = postgres(url, { max: 1, onnotice: () => {}, connection: { timezone: "UTC" } });
  try {
    return await run(sql);
  } finally {
    await sql.end();
  }
}
