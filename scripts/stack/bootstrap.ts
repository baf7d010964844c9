// Turns a bare database into what a hosted project is before its first migration (bootstrap.sql says what that is).

import { readFile } from "node:fs/promises";
import type { Sql } from "postgres";

/** Runs bootstrap.sql as the superuser. The inner server must have made its tables in auth and storage before. */
export async function bootstrapDatabase(admin: Sql): Promise<void> {
  const statements = await readFile(new URL("./bootstrap.sql", import.meta.url), "utf8");
  await admin.begin((transaction) => transaction.unsafe(statements));
}
