// Gives every test file a stack to talk to: the one named by the environment (a machine with Docker and
// `supabase start`), or a local one that lives as long as the run.

import type { TestProject } from "vitest/node";
import { generateKeys } from "../../../scripts/keys.ts";
import { startStack } from "../../../scripts/stack/index.ts";
import { makeTemplate } from "../../../scripts/stack/template.ts";

export interface TestStack {
  url: string;
  publishableKey: string;
  secretKey: string;
  /** As role postgres, the one that migrations run as. */
  databaseUrl: string;
  /** What the functions host needs to be started again with a change. Absent where the stack is not ours. */
  functionsEnv?: Record<string, string>;
}

declare module "vitest" {
  export interface ProvidedContext {
    stack: TestStack;
    /** What the stacks of tests that need their own start as copies of. */
    template: string;
  }
}

export async function setup(project: TestProject): Promise<() => Promise<void>> {
  // Functions tell of each request; what went well would drown the rest.
  const log = (line: string) => line.startsWith('functions: {"level":"info"') || console.error(line);
  const template = await makeTemplate(log);
  project.provide("template", template.folder);
  const given = stackFromEnvironment();
  if (given) {
    project.provide("stack", given);
    return template.remove;
  }
  const {
    stop,
    adminDatabaseUrl: _,
    crash: __,
    ...stack
  } = await startStack({
    template: template.folder,
    log,
    // Two live master keys, so that a test may rotate all keys of the shared database while others go on.
    functionsEnv: {
      HOLDFAST_NOTE_KEYS: generateKeys(generateKeys(undefined)),
      // What one file piles up must not refuse another's.
      HOLDFAST_MAX_IN_FLIGHT: "1000",
    },
  });
  project.provide("stack", stack);
  return async () => {
    await stop();
    await template.remove();
  };
}

function stackFromEnvironment(): TestStack | undefined {
  const { SUPABASE_URL, SUPABASE_PUBLISHABLE_KEY, SUPABASE_SECRET_KEY, SUPABASE_DB_URL } = process.env;
  if (!SUPABASE_URL) return undefined;
  if (!SUPABASE_PUBLISHABLE_KEY || !SUPABASE_SECRET_KEY || !SUPABASE_DB_URL) {
    throw new Error(
      "With SUPABASE_URL, the tests also need SUPABASE_PUBLISHABLE_KEY, SUPABASE_SECRET_KEY and SUPABASE_DB_URL.",
    );
  }
  return {
    url: SUPABASE_URL,
    publishableKey: SUPABASE_PUBLISHABLE_KEY,
    secretKey: SUPABASE_SECRET_KEY,
    databaseUrl: SUPABASE_DB_URL,
  };
}
