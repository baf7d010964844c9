// `npm run fuzz`: sends hostile requests to every Edge Function and every RPC, on a stack of its own, and says what broke.
// What is found names the seed's case, ready to be sent again.

import { argumentsOf } from "./arguments.ts";
import { fuzz } from "./fuzz/run.ts";
import { startFuzzStack } from "./fuzz/stack.ts";
import type { Tally } from "./fuzz/tally.ts";

const usage = `Usage: npm run fuzz -- [--cases 10000] [--seed 1] [--only <function or RPC>] [--json]

Exit code 0: nothing was found; 1: something was; 2: wrong usage, or it could not go on.
`;

const { values } = argumentsOf(usage, {
  options: {
    cases: { type: "string", default: "10000" },
    seed: { type: "string", default: "1" },
    only: { type: "string" },
    json: { type: "boolean", default: false },
  },
});
const [cases, seed] = [Number(values.cases), Number(values.seed)];
if (!(Number.isSafeInteger(cases) && cases > 0 && Number.isSafeInteger(seed))) {
  process.stderr.write(`--cases and --seed take whole numbers.\n\n${usage}`);
  process.exit(2);
}

const started = Date.now();
const stack = await startFuzzStack();
try {
  const tally = await fuzz(stack, { cases, seed, only: values.only }, (line) =>
    process.stderr.write(`${line}\n`),
  );
  if (tally.cases > 0) {
    process.stdout.write(values.json ? `${JSON.stringify(reportOf(tally), null, 2)}\n` : textOf(tally));
    process.exitCode = tally.findings.length > 0 ? 1 : 0;
  } else {
    process.stderr.write(`fuzz: there is no function or RPC ${values.only}.\n`);
    process.exitCode = 2;
  }
} catch (error) {
  // Said before anything is stopped: what still works then fails of that.
  process.stderr.write(`fuzz: ${error instanceof Error ? error.stack : error}\n`);
  process.exitCode = 2;
} finally {
  await stack.stop();
}

function reportOf(tally: Tally) {
  return {
    cases: tally.cases,
    seed,
    seconds: Math.round((Date.now() - started) / 1_000),
    targets: Object.fromEntries(tally.targets),
    findings: tally.findings,
    repeated: tally.repeated,
  };
}

function textOf(tally: Tally): string {
  const { seconds, findings } = reportOf(tally);
  const width = Math.max(...[...tally.targets.keys()].map((name) => name.length));
  const lines = [...tally.targets]
    .sort(([one], [other]) => one.localeCompare(other))
    .map(
      ([name, { cases, done, refused, unheard }]) =>
        `${name.padEnd(width)} ${String(cases).padStart(7)} cases: ${done} done, ${refused} refused, ${unheard} unheard`,
    );
  const found = findings.map(
    ({ target, what, caller, sent, seen }) =>
      `\n${target}: ${what}\n  as ${caller}: ${sent}\n  seen: ${seen}`,
  );
  const total = `${tally.cases} cases in ${seconds} s, seed ${seed}: ${findings.length} findings`;
  return `${[...lines, ...found, total].join("\n")}\n`;
}
