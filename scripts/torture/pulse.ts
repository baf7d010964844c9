// Each minute of a run: how many operations a second, and how much memory its processes have.

import { memoryOfStack } from "../bench/memory.ts";

export interface Beat {
  /** Seconds since the run began. */
  at: number;
  operations: number;
  perSecond: number;
  /** Megabytes of this process (users, observer, gateway), of Postgres with all connections, and of the Edge Functions. */
  memory?: { node: number; postgres: number; functions: number };
}

const MINUTE_MS = 60_000;

export interface Pulse {
  beats: Beat[];
  stop(): void;
}

export function takePulse(operations: () => number, log: (line: string) => void): Pulse {
  const began = performance.now();
  const beats: Beat[] = [];
  const beat = async (): Promise<void> => {
    const at = (performance.now() - began) / 1000;
    const before = beats.at(-1) ?? { at: 0, operations: 0 };
    const soFar = operations();
    const perSecond = (soFar - before.operations) / (at - before.at);
    const next: Beat = { at: Math.round(at), operations: soFar, perSecond: Math.round(perSecond) };
    beats.push(next);
    const used = await memoryOfStack();
    if (used) {
      const [node, postgres, functions] = [used.gateway, used.postgres, used.functions].map(Math.round);
      next.memory = { node, postgres, functions } as Beat["memory"] & object;
    }
    log(`minute ${beats.length}: ${soFar} operations, ${next.perSecond} a second; ${told(next.memory)}`);
  };
  const timer = setInterval(() => void beat(), MINUTE_MS);
  return { beats, stop: () => clearInterval(timer) };
}

const told = (memory: Beat["memory"]): string =>
  memory ? `${memory.node} MB in Node, ${memory.postgres} in Postgres, ${memory.functions} in Deno` : "";

/** The mean of the first quarter of the minutes and that of the last, of each; undefined before there are four. */
export function quartersOf(
  beats: readonly Beat[],
): Record<string, { first: number; last: number }> | undefined {
  const memories = beats.flatMap(({ memory }) => (memory ? [memory] : []));
  const quarter = Math.floor(memories.length / 4);
  if (quarter === 0) return undefined;
  const mean = (of: typeof memories, name: "node" | "postgres" | "functions"): number =>
    Math.round(of.reduce((sum, memory) => sum + memory[name], 0) / of.length);
  return Object.fromEntries(
    (["node", "postgres", "functions"] as const).map((name) => [
      name,
      { first: mean(memories.slice(0, quarter), name), last: mean(memories.slice(-quarter), name) },
    ]),
  );
}
