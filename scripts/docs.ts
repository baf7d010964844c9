// `npm run docs`: writes docs/roles.md and docs/schema.md from a database made of the migrations as they are.

import { writeFile } from "node:fs/promises";
import { resolve } from "node:path";
import { fileURLToPath } from "node:url";
import postgres, { type Sql } from "postgres";
import { argumentsOf } from "./arguments.ts";
import { loadMatrix } from "./docs/matrix.ts";
import { rolesPage } from "./docs/roles.ts";
import { schemaPage } from "./docs/schema.ts";
import { startStack } from "./stack/index.ts";
import { projectPath } from "./stack/paths.ts";

/** What is written, by the names of the pages. The matrix must have been loaded. */
export const GENERATED: Readonly<Record<string, (sql: Sql) => Promise<string>>> = {
  "roles.md": rolesPage,
  "schema.md": schemaPage,
};

async function main(): Promise<void> {
  argumentsOf("Usage: npm run docs. Writes docs/roles.md and docs/schema.md.\n", {});
  const stack = await startStack({ functions: false });
  const sql = postgres(stack.databaseUrl, { max: 1, onnotice: () => {} });
  try {
    await loadMatrix(stack.databaseUrl);
    for (const [name, page] of Object.entries(GENERATED)) {
      await writeFile(projectPath("docs", name), await page(sql));
      process.stdout.write(`Wrote docs/${name}\n`);
    }
  } finally {
    await sql.end();
    await stack.stop();
  }
}

if (process.argv[1] && resolve(process.argv[1]) === fileURLToPath(import.meta.url)) await main();
