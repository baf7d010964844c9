// A stack to be fuzzed: nothing else uses it, and its keys are at hand.

import postgres, { type Sql } from "postgres";
import type { StackHealth } from "../stack/gateway.ts";
import { type StackOptions, startStack } from "../stack/index.ts";
import { loadKeys, type StackKeys } from "../stack/keys.ts";

/** Where requests go, and what signs tokens there. */
export interface Target {
  url: string;
  keys: StackKeys;
}

export interface FuzzStack extends Target {
  databaseUrl: string;
  /** As the owner: arranges, and looks behind the policies. */
  sql: Sql;
  /** What functions and gateway have written. */
  lines: string[];
  stop(): Promise<void>;
}

export async function startFuzzStack(options: StackOptions = {}): Promise<FuzzStack> {
  const lines: string[] = [];
  const stack = await startStack({ log: (line) => lines.push(line), ...options });
  const { dataDir } = (await (await fetch(`${stack.url}/health`)).json()) as StackHealth;
  const sql = postgres(stack.databaseUrl, { max: 2, onnotice: () => {} });
  // The world's notes are encrypted as the functions do it.
  process.env.HOLDFAST_NOTE_KEYS = stack.functionsEnv.HOLDFAST_NOTE_KEYS;
  return {
    url: stack.url,
    databaseUrl: stack.databaseUrl,
    keys: await loadKeys(dataDir),
    sql,
    lines,
    stop: async () => {
      await sql.end();
      await stack.stop();
    },
  };
}
