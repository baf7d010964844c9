// What every benchmark needs: progress, a server's settings, order statistics, a line that says what it ran on, tables.

import { availableParallelism, loadavg, totalmem } from "node:os";
import postgres, { type Sql } from "postgres";
import { type Stack, type StackOptions, startStack } from "../stack/index.ts";

const started = performance.now();

/** Says on stderr how far a run is; stdout is for results. */
export function progress(line: string): void {
  process.stderr.write(`${((performance.now() - started) / 1000).toFixed(1).padStart(6)} s  ${line}\n`);
}

/** Settings for a database that is thrown away, and nothing that runs by itself beside the measurement. */
export async function prepareServer(adminUrl: string): Promise<void> {
  const admin = postgres(adminUrl, { max: 1, onnotice: () => {} });
  try {
    for (const setting of [
      "fsync = off",
      "full_page_writes = off",
      "max_wal_size = '8GB'",
      "autovacuum = off",
    ]) {
      await admin.unsafe(`alter system set ${setting}`);
    }
    await admin`select pg_reload_conf()`;
    await admin.unsafe("grant create on database postgres to postgres");
    // The reload is a signal: give it time before the settings are read.
    await new Promise((resolve) => setTimeout(resolve, 200));
  } finally {
    await admin.end();
  }
}

/** The value below which `share` of the values lie, by nearest rank. */
export function quantile(values: readonly number[], share: number): number {
  const sorted = [...values].sort((a, b) => a - b);
  return sorted[Math.min(sorted.length - 1, Math.floor(share * sorted.length))] ?? Number.NaN;
}

export interface Spread {
  median: number;
  p10: number;
  p90: number;
}

export function spread(values: readonly number[]): Spread {
  return { median: quantile(values, 0.5), p10: quantile(values, 0.1), p90: quantile(values, 0.9) };
}

/** Settings of the server that move figures like these. */
const settings = ["shared_buffers", "work_mem", "effective_cache_size", "random_page_cost", "jit", "fsync"];

/** One line on what the figures were made on. No name of a machine or of a person. */
export async function machineLine(sql: Sql): Promise<string> {
  const [server] = await sql<{ version: string }[]>`select current_setting('server_version') as version`;
  const values = await sql<{ name: string; value: string }[]>`
    select name, current_setting(name) as value from unnest(${settings}::text[]) with ordinality as wanted (name, place)
    order by place`;
  return [
    hostLine(),
    `Postgres ${server?.version}`,
    values.map(({ name, value }) => `${name} ${value}`).join(", "),
  ].join(" · ");
}

/** The part of it that needs no database. */
export function hostLine(): string {
  return [
    `${availableParallelism()} cores`,
    `${Math.round(totalmem() / 2 ** 30)} GB memory`,
    `${process.platform} ${process.arch}`,
    `Node ${process.versions.node}`,
    `load average ${Math.round(loadavg()[0] ?? 0)}`,
  ].join(" · ");
}

/** A markdown table whose columns also line up in a terminal. The first column is text, the others are figures. */
export function table(head: string[], rows: string[][], textColumns = 1): string {
  const widths = head.map((title, column) =>
    Math.max(3, title.length, ...rows.map((row) => row[column]?.length ?? 0)),
  );
  const line = (cells: string[]): string =>
    `| ${cells
      .map((cell, column) =>
        column < textColumns ? cell.padEnd(widths[column] ?? 0) : cell.padStart(widths[column] ?? 0),
      )
      .join(" | ")} |`;
  const rule = widths.map((width, column) =>
    column < textColumns ? "-".repeat(width) : `${"-".repeat(width - 1)}:`,
  );
  return [line(head), line(rule), ...rows.map(line)].join("\n");
}

/** A figure as people read it: without decimals, with commas. */
export const count = (value: number): string => Math.round(value).toLocaleString("en");

let shared: Stack | undefined;

/** Lets the benchmarks that `run` runs share a stack, as a test has no time for one each. */
export async function sharing(stack: Stack, run: () => Promise<void>): Promise<void> {
  shared = stack;
  try {
    await run();
  } finally {
    shared = undefined;
  }
}

async function cleared(stack: Stack): Promise<Stack> {
  const sql = postgres(stack.databaseUrl, { max: 1, onnotice: () => {} });
  await sql`drop schema if exists bench cascade`.finally(() => sql.end());
  return stack;
}

/** Runs a benchmark on a stack of its own, which is stopped whatever comes, an interruption included. */
export async function withStack<Result>(
  run: (stack: Stack) => Promise<Result>,
  options: StackOptions = { functions: false },
): Promise<Result> {
  if (shared) return run(await cleared(shared));
  progress(options.functions === false ? "starting Postgres" : "starting the stack");
  const stack = await startStack(options);
  const interrupt = (): void => void stack.stop().then(() => process.exit(130));
  for (const signal of ["SIGINT", "SIGTERM"] as const) process.once(signal, interrupt);
  try {
    return await run(stack);
  } finally {
    await stack.stop();
    for (const signal of ["SIGINT", "SIGTERM"] as const) process.off(signal, interrupt);
    progress("stopped");
  }
}
