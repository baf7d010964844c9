// The project's own schema and seed, put on the database by the same command an operator uses.

import { execFile } from "node:child_process";
import { createHash } from "node:crypto";
import { existsSync } from "node:fs";
import { readdir, readFile, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { promisify } from "node:util";
import postgres, { type Sql } from "postgres";
import { packageDir, projectPath, projectRoot } from "./paths.ts";

/** Runs the Supabase CLI of this project from its root and gives its stdout. An error carries what it printed. */
export async function supabaseCli(args: string[]): Promise<string> {
  const entry = join(packageDir("supabase/package.json"), "dist", "supabase.js");
  try {
    const { stdout } = await promisify(execFile)(process.execPath, [entry, ...args], {
      cwd: projectRoot,
      maxBuffer: 64 * 1024 * 1024,
      // No agent or terminal features, no telemetry: what runs here must run the same everywhere.
      env: { ...process.env, NO_COLOR: "1", DO_NOT_TRACK: "1", SUPABASE_TELEMETRY_DISABLED: "1" },
    });
    return stdout;
  } catch (error) {
    const { stdout = "", stderr = "" } = error as { stdout?: string; stderr?: string };
    const printed = `${stdout}\n${stderr}`.trim() || String(error);
    throw new Error(`supabase ${args[0]} ${args[1]} failed:\n${printed}`);
  }
}

export interface PushedMigrations {
  /** How many files the project has; the database has them all now. */
  count: number;
  /** Files that were edited after this database had taken them. The CLI goes by the version in the name only. */
  edited: string[];
}

/** Where a data directory keeps what was pushed to its database. */
export const migrationsRecord = "migrations.json";

/** Pushes the migrations that the database does not have yet. */
export async function pushMigrations(databaseUrl: string, dataDir: string): Promise<PushedMigrations> {
  const folder = projectPath("supabase", "migrations");
  const files = (await readdir(folder).catch(() => [])).filter((name) => name.endsWith(".sql")).sort();
  const record = join(dataDir, migrationsRecord);
  const taken: Record<string, string> = JSON.parse(await readFile(record, "utf8").catch(() => "{}"));
  if (files.some((file) => !(file in taken))) {
    await supabaseCli(["db", "push", "--yes", `--remote=${databaseUrl}?sslmode=disable`]);
  }
  const edited: string[] = [];
  for (const file of files) {
    const hash = createHash("sha256")
      .update(await readFile(join(folder, file)))
      .digest("hex");
    taken[file] ??= hash;
    if (taken[file] !== hash) edited.push(file);
  }
  await writeFile(record, JSON.stringify(taken, null, 2));
  return { count: files.length, edited };
}

/**
 * Applies supabase/seed.sql as role postgres, once per database. The CLI's `--include-seed` would run a changed file a
 * second time over rows that users have changed meanwhile; a seed is for an empty clinic only. False: nothing to do.
 */
export async function applySeed(admin: Sql, databaseUrl: string): Promise<boolean> {
  const path = projectPath("supabase", "seed.sql");
  if (!existsSync(path)) return false;
  await admin`create table if not exists supabase_migrations.seed_files (path text primary key, hash text not null)`;
  const [seeded] = await admin`select from supabase_migrations.seed_files where path = 'supabase/seed.sql'`;
  if (seeded) return false;
  const statements = await readFile(path, "utf8");
  const hash = createHash("sha256").update(statements).digest("hex");
  const connection = postgres(databaseUrl, { max: 1, onnotice: () => {} });
  try {
    await connection.unsafe(statements);
  } catch (error) {
    const { message, position } = error as { message?: string; position?: string };
    const line = position ? statements.slice(0, Number(position)).split("\n").length : undefined;
    throw new Error(`supabase/seed.sql${line ? ` line ${line}` : ""}: ${message ?? String(error)}`);
  } finally {
    await connection.end();
  }
  await admin`insert into supabase_migrations.seed_files (path, hash) values ('supabase/seed.sql', ${hash})`;
  return true;
}
