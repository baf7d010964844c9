// `npm run plans`: the tests of plans at the size of a large network, without anything that is made dear. Keeps docs/plans.md.

import { readFile, rm, writeFile } from "node:fs/promises";
import { startVitest } from "vitest/node";
import { argumentsOf } from "./arguments.ts";
import { replaceBlock } from "./bench/page.ts";
import { describe } from "./plans/report.ts";

const usage = "Usage: npm run plans -- [--rows 1000000], 50000 at least. Writes docs/plans.md.\n";
const { values } = argumentsOf(usage, { options: { rows: { type: "string", default: "1000000" } } });
const rows = Number(values.rows);
if (!Number.isInteger(rows) || rows < 50_000) {
  process.stderr.write(usage);
  process.exit(2);
}
const report = new URL(`../node_modules/.plans-${process.pid}.json`, import.meta.url);
Object.assign(process.env, { HOLDFAST_PLANS_ROWS: String(rows), HOLDFAST_PLANS_REPORT: report.pathname });
const vitest = await startVitest("test", ["supabase/tests/plans"], { watch: false });
await vitest.close();
const json = await readFile(report, "utf8").catch(() => undefined);
await rm(report, { force: true });
if (json) {
  const text = describe(JSON.parse(json));
  process.stdout.write(`${text}\n`);
  const page = new URL("../docs/plans.md", import.meta.url);
  await writeFile(page, replaceBlock(await readFile(page, "utf8"), "plans", text));
}
