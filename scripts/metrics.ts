// `npm run metrics -- --remote <postgres url>`: the numbers of public.metrics() in Prometheus' text format, for a collector that runs
// commands. It only reads. Exit code 0: printed, 2: wrong usage or no connection.

import { runCommand, withDatabase } from "./command.ts";
import { CommandError, parseRemote } from "./remote.ts";

const usage = `Usage: npm run metrics -- --remote <postgres url>

  --remote   postgres://postgres@host:5432/postgres, with the password in it or in the environment as PGPASSWORD

Exit code 0: printed; 2: wrong usage or no connection.
`;

interface Metric {
  name: string;
  labels: Record<string, string>;
  value: number;
}

process.exitCode = await runCommand(
  "metrics",
  usage,
  { options: { remote: { type: "string" } } },
  async ({ values: { remote } }) => {
    if (!remote) throw new CommandError("usage", "--remote is missing.");
    const metrics = await withDatabase(
      parseRemote(remote),
      (sql) => sql<Metric[]>`select name, labels, value from public.metrics()`,
    );
    process.stdout.write(inPrometheusText(metrics));
    return 0;
  },
);

/** The rows come in order of their names, as the format asks. */
function inPrometheusText(metrics: Metric[]): string {
  const lines = metrics.flatMap(({ name, labels, value }, place) => {
    const pairs = Object.entries(labels).map(([label, of]) => `${label}="${of}"`);
    const type = metrics[place - 1]?.name === name ? [] : [`# TYPE holdfast_${name} gauge`];
    return [...type, `holdfast_${name}${pairs.length > 0 ? `{${pairs}}` : ""} ${value}`];
  });
  return `${lines.join("\n")}\n`;
}
