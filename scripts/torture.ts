// `npm run torture`: attacks a stack of its own the way the best databases attack themselves, and prints what it survived.

import { writeFile } from "node:fs/promises";
import { argumentsOf } from "./arguments.ts";
import { type Stack, startStack } from "./stack/index.ts";
import { plantAll } from "./torture/plantings.ts";
import { quartersOf } from "./torture/pulse.ts";
import { anomaliesIn, type Report, torture } from "./torture/run.ts";

const usage = `usage: npm run torture -- [--operations 1000000] [--faults 500] [--minutes n] [--seed n] [--json file]
                          [--users 24] [--http-users 2] [--clinics 24] [--history folder]
       npm run torture -- --plantings [--seed n] [--json file]

Lets users loose on a stack of its own, over SQL and HTTP, breaks it under them, and checks what they were told against
what is there (docs/torture.md). With --plantings, it
plants known bugs instead, one after the other, and says whether each is found. Exit code 0: no anomaly, or every planted
bug found; 1: otherwise; 2: wrong usage.
`;

const { values } = argumentsOf(usage, {
  options: {
    operations: { type: "string", default: "1000000" },
    faults: { type: "string", default: "500" },
    minutes: { type: "string" },
    seed: { type: "string", default: String(Date.now() % 1_000_000) },
    json: { type: "string" },
    users: { type: "string", default: "24" },
    "http-users": { type: "string", default: "2" },
    clinics: { type: "string", default: "24" },
    history: { type: "string" },
    plantings: { type: "boolean", default: false },
  },
});
const whole = (text: string): number => (/^\d+$/.test(text) ? Number(text) : Number.NaN);
const options = {
  seed: whole(values.seed),
  operations: whole(values.operations),
  faults: whole(values.faults),
  minutes: values.minutes === undefined ? undefined : Number(values.minutes),
  sqlUsers: whole(values.users),
  httpUsers: whole(values["http-users"]),
  clinics: whole(values.clinics),
  slots: 200,
  history: values.history,
  log: (line: string) => process.stderr.write(`${line}\n`),
};

if (Object.values(options).some((value) => Number.isNaN(value)) || options.clinics < 2) {
  process.stderr.write(usage);
  process.exitCode = 2;
} else {
  tolerateTheDriver();
  // Between the faults, so that it can be read what came before: the function says which error it was, its answer does not.
  const log = (line: string): void => {
    if (line.includes('"code":"internal_error"')) options.log(line);
  };
  const stack = await startStack({ functions: !values.plantings, log });
  const interrupt = (): void => void stack.stop().then(() => process.exit(130));
  process.once("SIGINT", interrupt);
  try {
    process.exitCode = (await (values.plantings ? plant(stack) : run(stack))) ? 0 : 1;
  } catch (error) {
    process.stderr.write(`${(error as Error).stack}\n`);
    process.exitCode = 1;
  } finally {
    await stack.stop();
    process.off("SIGINT", interrupt);
  }
}

/** Whether there was no anomaly. */
async function run(stack: Stack): Promise<boolean> {
  const report = await torture(stack, options);
  await keep(report);
  print(report);
  return anomaliesIn(report) === 0;
}

/** Whether every planted bug was found. */
async function plant(stack: Stack): Promise<boolean> {
  const planted = await plantAll(stack, options.seed, options.log);
  await keep(planted);
  for (const { name, found, missed } of planted) {
    const verdict = missed.length === 0 ? "found" : `NOT FOUND, no ${missed.join(", ")}`;
    process.stdout.write(`${name}: ${verdict} (${list(found)})\n`);
  }
  return planted.every(({ missed }) => missed.length === 0);
}

async function keep(result: object): Promise<void> {
  if (values.json) await writeFile(values.json, `${JSON.stringify(result, null, 2)}\n`);
}

/**
 * What the driver throws where nobody can catch it: it writes to a socket that is gone when a connection is cut while it
 * says who it is; nobody awaits its connection that cancels a statement, nor its question for the types of arrays. What
 * is awaited ends up in the catch above.
 */
function tolerateTheDriver(): void {
  process.on("uncaughtException", (error: Error & { code?: string }) => {
    const isNoConnection = /^(CONNECT_TIMEOUT|CONNECTION_\w+|E[A-Z]+|57P0[1-5]|53300)$/.test(
      error.code ?? "",
    );
    const isTheDrivers = error instanceof TypeError && error.stack?.includes("postgres/src/connection.js");
    if (isTheDrivers || isNoConnection) return;
    process.stderr.write(`${error.stack}\n`);
    process.exit(1);
  });
}

function print(report: Report): void {
  const faults = Object.values(report.faults).reduce((sum, count) => sum + count, 0);
  process.stdout.write(
    [
      `seed          ${report.seed}`,
      `operations    ${report.operations} in ${report.seconds} s (${list(report.operationsByKind)})`,
      `attempts      ${report.attempts} (${list(report.answers)})`,
      `faults        ${faults} (${list(report.faults)})`,
      `disturbances  ${list(report.disturbances)}`,
      `recovered     ${report.recovered} operations that had no answer`,
      `looked at     ${report.snapshots} snapshots, ${report.seals} seals, ${list(report.rows)}`,
      `memory        ${memoryIn(report)}`,
      `anomalies     ${anomaliesIn(report)} (${list(report.anomalies)})`,
      ...report.examples.map(({ kind, what }) => `  ${kind}: ${what}`),
      "",
    ].join("\n"),
  );
}

/** Postgres and Deno were started anew by faults, so theirs is of what they come to again and again. */
function memoryIn({ beats }: Report): string {
  const quarters = quartersOf(beats);
  if (!quarters) return "not looked at in less than four minutes";
  return Object.entries(quarters)
    .map(([name, { first, last }]) => `${name} ${first} MB in the first quarter and ${last} MB in the last`)
    .join(", ");
}

function list(counts: object): string {
  const entries = Object.entries(counts).sort(([, a], [, b]) => b - a);
  return entries.map(([name, count]) => `${name} ${count}`).join(", ") || "none";
}
