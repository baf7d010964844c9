// `npm run metrics -- --remote <postgres url>`: the numbers of public.metrics() in Prometheus' text format, for a collector that runs
// commands. It only reads. Exit code 0: printed, 2: wrong usage or no connection.

import { parseArgs } from "node:util";
import postgres from "postgres";
import { connectionError, parseRemote, type Remote, RemoteError } from "./remote.ts";

const usage = `Usage: npm run metrics -- --remote <postgres url>

  --remote   postgres://postgres@host:5432/postgres, with the password in it or in the environment as PGPASSWORD

Exit code 0: printed; 2: wrong usage or no connection.
`;

interface Metric {
  name: string;
  labels: Record<string, string>;
  value: number;
}

process.exitCode = await main();

async function main(): Promise<number> {
  try {
    const remote = parseCommand();
    process.stdout.write(remote ? inPrometheusText(await readMetrics(remote)) : usage);
    return 0;
  } catch (error) {
    const { code, message } =
      error instanceof RemoteError ? error : new RemoteError("unexpected", String(error));
    process.stderr.write(`metrics: ${message} (${code})\n`);
    return 2;
  }
}

/** Undefined: help is asked for. */
function parseCommand(): Remote | undefined {
  const { remote, help } = parseOptions();
  if (help) return undefined;
  if (!remote) throw new RemoteError("usage", `--remote is missing.\n\n${usage}`);
  return parseRemote(remote);
}

function parseOptions() {
  try {
    return parseArgs({ options: { remote: { type: "string" }, help: { type: "boolean", default: false } } })
      .values;
  } catch {
    // What parseArgs says repeats the argument, which may be the URL with its password.
    throw new RemoteError("usage", `there is an argument too many, or one without its value.\n\n${usage}`);
  }
}

async function readMetrics(remote: Remote): Promise<Metric[]> {
  const sql = postgres(remote.url, { max: 1, connect_timeout: 15, onnotice: () => {} });
  try {
    return await sql<Metric[]>`select name, labels, value from public.metrics()`;
  } catch (error) {
    throw connectionError(error, remote);
  } finally {
    await sql.end({ timeout: 5 });
  }
}

/** The rows come in order of their names, as the format asks. */
function inPrometheusText(metrics: Metric[]): string {
  const lines = metrics.flatMap(({ name, labels, value }, place) => {
    const pairs = Object.entries(labels).map(([label, of]) => `${label}="${of}"`);
    const type = metrics[place - 1]?.name === name ? [] : [`# TYPE holdfast_${name} gauge`];
    return [...type, `holdfast_${name}${pairs.length > 0 ? `{${pairs}}` : ""} ${value}`];
  });
  return `${lines.join("\n")}\n`;
}
