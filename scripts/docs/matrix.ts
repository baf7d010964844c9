// The matrix of who may do what, put on a database: what supabase/tests/database/88 and 89 commit, without their tests.

import { readFileSync } from "node:fs";
import postgres from "postgres";
import { projectPath } from "../stack/paths.ts";

/** Makes the schema `access` what the files say. May be called again, and while others use it. */
export async function loadMatrix(databaseUrl: string): Promise<void> {
  const connection = postgres(databaseUrl, { max: 1, onnotice: () => {} });
  try {
    for (const file of ["88-matrix-worlds.test.sql", "89-matrix.test.sql"]) {
      const text = readFileSync(projectPath("supabase", "tests", "database", file), "utf8");
      const [committed = ""] = text.split("\ncommit;\n");
      await connection.unsafe(`${committed}\ncommit;`).simple();
    }
  } finally {
    await connection.end();
  }
}
