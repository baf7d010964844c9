// `npm run metrics -- --remote <postgres url>`: the numbers of public.metrics() in Prometheus' text format, for a collector that runs
// commands. It only reads. Exit code 0: printed, 2: wrong usage or no connection.

import { parseArgs } from "node:util";
import postgres from "postgres";
import { connectionError, parseRemote, type Remote, RemoteError } from "./remote.ts";

const usage = `Usage: npm run metrics -- --remote <postgres url>

  --remote   postgres://postgres@host:5432/postgres, with the password in it or in the environment as PGPASSWORD
`;

interface Metric {
  name: string;
  labels: Record<string, string>;
  value: number;
}

process.exitCode = await main();

async function main(): Promise<number> {
  try {
    process.stdout.write(inPrometheusText(await readMetrics(parseCommand())));
    return 0;
  } catch (error) {
    const { code, message } =
      error instanceof RemoteError ? error : new RemoteError("unexpected", String(error));
    process.stderr.write(`metrics: ${message} (${code})\n`);
    return 2;
  }
}

function parseCommand(): Remote {
  try {
    const { remote } = parseArgs({ options: { remote: { type: "string" } } }).values;
    if (remote) return parseRemote(remote);
  } catch (error) {
    if (error instanceof RemoteError) throw error;
    // What parseArgs says repeats the argument, which may be the URL with its password.
  }
  throw new RemoteError("usage", usage);
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
