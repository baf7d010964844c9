// `npm run types`: writes src/lib/database.types.ts from the schema, so that no row type is kept by hand. It makes a
// temporary stack of the migrations as they are; with `-- --running` it reads the interactive stack, whose migrations may
// be older than the files.

import { writeFile } from "node:fs/promises";
import { resolve } from "node:path";
import { fileURLToPath } from "node:url";
import { argumentsOf } from "./arguments.ts";
import { startStack } from "./stack/index.ts";
import { supabaseCli } from "./stack/migrations.ts";
import { persistentDataDir, projectPath } from "./stack/paths.ts";
import { findRunningStack } from "./stack/state.ts";

/** The TypeScript types of schema public of a database, as `supabase gen types` writes them. */
export async function generateTypes(databaseUrl: string): Promise<string> {
  const remote = `--remote=${databaseUrl}?sslmode=disable`;
  return supabaseCli(["gen", "types", "--lang=typescript", "--schema", "public", remote]);
}

async function main(): Promise<void> {
  const { values } = argumentsOf("Usage: npm run types [-- --running]. Writes src/lib/database.types.ts.\n", {
    options: { running: { type: "boolean", default: false } },
  });
  const running = values.running ? await findRunningStack(persistentDataDir) : undefined;
  const path = projectPath("src", "lib", "database.types.ts");
  if (running) {
    await writeFile(path, await generateTypes(running.databaseUrl));
  } else {
    const stack = await startStack({ functions: false });
    try {
      await writeFile(path, await generateTypes(stack.databaseUrl));
    } finally {
      await stack.stop();
    }
  }
  process.stdout.write(`Wrote ${path}\n`);
}

if (process.argv[1] && resolve(process.argv[1]) === fileURLToPath(import.meta.url)) await main();
