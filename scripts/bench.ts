// `npm run bench -- <benchmark>`: measures on a temporary stack, prints tables and keeps docs/benchmarks.md.

import { parseArgs } from "node:util";
import { runRecords } from "./bench/records.ts";
import { runRls } from "./bench/rls.ts";
import { runScheduling } from "./bench/scheduling.ts";

const usage = `usage: npm run bench -- rls [--rows 1000000] [--repetitions 200] [--json file] [--try file.sql]
       npm run bench -- scheduling [--rows 1000000] [--repetitions 20] [--json file]
       npm run bench -- records [--rows 1000000] [--repetitions 200] [--json file]
`;

const { positionals, values } = parseArgs({
  allowPositionals: true,
  options: {
    rows: { type: "string", default: "1000000" },
    repetitions: { type: "string" },
    json: { type: "string" },
    try: { type: "string" },
  },
});
const benchmarks = {
  rls: { fewestRows: 1000, repetitions: 200, run: runRls },
  // One clinic of fifty therapists, and another one beside it.
  scheduling: { fewestRows: 50_000, repetitions: 20, run: runScheduling },
  records: { fewestRows: 10_000, repetitions: 200, run: runRecords },
};
const [name = "", ...others] = positionals;
const benchmark =
  others.length === 0 && Object.hasOwn(benchmarks, name)
    ? benchmarks[name as keyof typeof benchmarks]
    : undefined;
const rows = Number(values.rows);
const repetitions = Number(values.repetitions ?? benchmark?.repetitions);
if (
  !benchmark ||
  !(Number.isInteger(rows) && rows >= benchmark.fewestRows) ||
  !(Number.isInteger(repetitions) && repetitions >= 10) ||
  (values.try !== undefined && name !== "rls")
) {
  process.stderr.write(usage);
  process.exitCode = 2;
} else if (!(await benchmark.run({ rows, repetitions, json: values.json, try: values.try }))) {
  process.stderr.write("a large table is read as a whole: see the table\n");
  process.exitCode = 1;
}
