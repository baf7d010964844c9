// `npm run bench -- <benchmark>`: measures on a temporary stack, prints a table and keeps docs/benchmarks.md.

import { parseArgs } from "node:util";
import { runRls } from "./bench/rls.ts";

const usage = `usage: npm run bench -- rls [--rows 1000000] [--repetitions 200] [--json file] [--try file.sql]
`;

const { positionals, values } = parseArgs({
  allowPositionals: true,
  options: {
    rows: { type: "string", default: "1000000" },
    repetitions: { type: "string", default: "200" },
    json: { type: "string" },
    try: { type: "string" },
  },
});
const [rows, repetitions] = [Number(values.rows), Number(values.repetitions)];
const valid = Number.isInteger(rows) && rows >= 1000 && Number.isInteger(repetitions) && repetitions >= 10;
if (positionals.length !== 1 || positionals[0] !== "rls" || !valid) {
  process.stderr.write(usage);
  process.exitCode = 2;
} else if (!(await runRls({ rows, repetitions, json: values.json, try: values.try }))) {
  process.stderr.write("a query reads the whole table of sessions: see the table\n");
  process.exitCode = 1;
}
