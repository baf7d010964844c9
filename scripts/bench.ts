// `npm run bench`: measures on temporary stacks and prints tables; a run of the full size keeps docs/benchmarks.* as well.

import { argumentsOf } from "./arguments.ts";
import { benchmarkOf, type Name, names } from "./bench/all.ts";
import type { Size } from "./bench/benchmark.ts";
import { progress } from "./bench/harness.ts";
import { keep } from "./bench/page.ts";
import { runRls } from "./bench/rls.ts";
import { summarize } from "./bench/summary.ts";

const usage = `usage: npm run bench                    all benchmarks, about 20 minutes; writes docs/benchmarks.*
       npm run bench -- --quick         all of them in about 3 minutes, and writes nothing
       npm run bench -- <name>… [--quick] [--rows N] [--repetitions N] [--minutes N]
       npm run bench -- rls --try file.sql
names: ${names.join(", ")}
`;

const wanted = readArguments();
if (!wanted) {
  process.stderr.write(usage);
  process.exitCode = 2;
} else {
  const faults: string[] = [];
  for (const [at, { name, size }] of wanted.runs.entries()) {
    const left = wanted.runs
      .slice(at)
      .reduce((sum, run) => sum + (wanted.quick ? 20 : benchmarkOf(run.name).takes), 0);
    progress(`${name}: ${at + 1} of ${wanted.runs.length}, about ${Math.ceil(left / 60)} min to the end`);
    const benchmark = benchmarkOf(name);
    const kept = async (report: unknown): Promise<void> => {
      if (wanted.quick || wanted.file) return;
      await keep(name, report, Object.fromEntries(names.map((it) => [it, benchmarkOf(it)])), summarize);
    };
    const report = wanted.file
      ? await runRls(size, wanted.file)
      : await benchmark.run({ ...size, soFar: kept });
    process.stdout.write(`## ${name}\n\n${benchmark.describe(report)}\n\n`);
    await kept(report);
    const fault = benchmark.fault?.(report);
    if (fault) faults.push(`${name}: ${fault}`);
  }
  for (const fault of faults) process.stderr.write(`${fault}\n`);
  if (faults.length > 0) process.exitCode = 1;
}

interface Wanted {
  runs: { name: Name; size: Size }[];
  quick: boolean;
  file: string | undefined;
}

function readArguments(): Wanted | undefined {
  const { positionals, values } = argumentsOf(usage, {
    allowPositionals: true,
    options: {
      rows: { type: "string" },
      repetitions: { type: "string" },
      minutes: { type: "string" },
      quick: { type: "boolean", default: false },
      try: { type: "string" },
    },
  });
  if (!positionals.every((name): name is Name => (names as string[]).includes(name))) return undefined;
  const chosen = positionals.length > 0 ? positionals : names;
  if (values.try !== undefined && (chosen.length > 1 || chosen[0] !== "rls")) return undefined;
  const numbers = Object.entries({
    rows: values.rows,
    repetitions: values.repetitions,
    minutes: values.minutes,
  })
    .filter(([, text]) => text !== undefined)
    .map(([key, text]) => [key, Number(text)] as const);
  // What is said of a size holds for one benchmark: they mean different things by it.
  if (numbers.length > 0 && positionals.length !== 1) return undefined;
  if (!numbers.every(([key, value]) => value > 0 && (key === "minutes" || Number.isInteger(value))))
    return undefined;
  const runs = chosen.map((name) => {
    const { full, quick } = benchmarkOf(name);
    return { name, size: { ...(values.quick ? quick : full), ...Object.fromEntries(numbers) } };
  });
  if (!runs.every(({ name, size }) => size.rows >= benchmarkOf(name).fewestRows)) return undefined;
  return { runs, quick: values.quick, file: values.try };
}
