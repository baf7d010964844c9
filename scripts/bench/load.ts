// `npm run bench -- load --minutes N`: schedulers at work over HTTP for minutes, then far too many at once, then as before.

import postgres from "postgres";
import type { Size } from "./benchmark.ts";
import { machineLine, prepareServer, progress, quantile, withStack } from "./harness.ts";
import { type Answer, prepareHttp, startAsker } from "./http-setup.ts";
import type { Memory, OperationFigures, Report } from "./load-report.ts";
import { memoryOfStack } from "./memory.ts";

/** Users at once in the steady phases, and in the burst; each asks again as soon as it has its answer. */
const usual = { usersAtWork: 8, usersInBurst: 128 };
/** How much slower than in the steady load a second may be that counts as recovered. */
const recoveredBelow = 1.5;
const memorySamples = 24;

export async function runLoad({ rows, minutes }: Size, users = usual): Promise<Report> {
  const { usersAtWork, usersInBurst } = users;
  return withStack(async (stack) => {
    await prepareServer(stack.adminDatabaseUrl);
    progress(`making ${rows.toLocaleString("en")} sessions`);
    const { target } = await prepareHttp(stack, rows, 32);
    const admin = postgres(stack.adminDatabaseUrl, { max: 1, onnotice: () => {} });
    const asker = await startAsker(target);
    try {
      const seconds = Math.max(0.5, minutes * 60);
      const shorter = Math.max(0.5, Math.min(15, seconds / 6));
      progress("warming up");
      await asker.run({ kind: "mixed", users: usersAtWork, seconds: shorter, burst: false });
      progress(`${usersAtWork} users for ${Math.round(seconds)} s`);
      const { result: steady, memory } = await watched(seconds, () =>
        asker.run({ kind: "mixed", users: usersAtWork, seconds, burst: false }),
      );
      progress(`${usersInBurst} users for ${Math.round(shorter)} s`);
      const burst = await asker.run({ kind: "mixed", users: usersInBurst, seconds: shorter, burst: true });
      progress("recovering");
      const after = await asker.run({ kind: "mixed", users: usersAtWork, seconds: shorter, burst: false });
      const faults = await admin`select fault from app.ledger_faults() limit 1`;
      if (faults.length > 0) throw new Error(`the ledger is not sound after the load: ${faults[0]?.fault}`);
      const usualMs = new Map(figuresOf(steady, seconds).map(({ operation, p50 }) => [operation, p50]));
      return {
        machine: await machineLine(admin),
        seconds,
        usersAtWork,
        usersInBurst,
        steady: { operations: figuresOf(steady, seconds), statuses: statusesOf(steady) },
        burst: { seconds: shorter, operations: figuresOf(burst, shorter), statuses: statusesOf(burst) },
        recoverySeconds: recoveryOf(after, usualMs),
        memory,
      };
    } finally {
      asker.stop();
      await admin.end();
    }
  }, {});
}

function figuresOf(answers: Answer[], seconds: number): OperationFigures[] {
  const operations = [...new Set(answers.map(({ operation }) => operation))].sort();
  return operations
    .map((operation) => {
      const done = answers.filter((it) => it.operation === operation && it.status < 400).map(({ ms }) => ms);
      return {
        operation,
        perSecond: done.length / seconds,
        p50: quantile(done, 0.5),
        p95: quantile(done, 0.95),
        p99: quantile(done, 0.99),
      };
    })
    .filter(({ perSecond }) => perSecond > 0);
}

function statusesOf(answers: Answer[]): Report["steady"]["statuses"] {
  return [...new Set(answers.map(({ status }) => status))].sort().map((status) => {
    const those = answers.filter((it) => it.status === status);
    return { status, count: those.length, retryAfter: those.filter(({ retryAfter }) => retryAfter).length };
  });
}

/** Seconds after the burst until half of a second's answers came about as fast as in the steady load; null: not at all. */
function recoveryOf(answers: Answer[], usual: Map<string, number>): number | null {
  const last = Math.max(...answers.map(({ at }) => at));
  for (let second = 0; second * 1000 < last; second++) {
    const slower = answers
      .filter(({ at }) => at >= second * 1000 && at < (second + 1) * 1000)
      .map(({ operation, ms }) => ms / (usual.get(operation) ?? Number.NaN));
    if (slower.length > 0 && quantile(slower, 0.5) < recoveredBelow) return second;
  }
  return null;
}

/** Runs something and looks at the processes' memory meanwhile. */
async function watched<Result>(
  seconds: number,
  run: () => Promise<Result>,
): Promise<{ result: Result; memory: Memory[] }> {
  const memory: Memory[] = [];
  const began = performance.now();
  const look = async (): Promise<void> => {
    const used = await memoryOfStack();
    if (used) memory.push({ at: (performance.now() - began) / 1000, ...used });
  };
  const timer = setInterval(() => void look(), Math.max(1000, (seconds * 1000) / memorySamples));
  try {
    return { result: await run(), memory };
  } finally {
    clearInterval(timer);
  }
}
