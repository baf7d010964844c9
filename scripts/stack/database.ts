// A stack's database: Postgres, what a hosted project has before its first migration, and all migrations.

import { chmod, cp, mkdir, mkdtemp } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join, resolve } from "node:path";
import postgres, { type Sql } from "postgres";
import { bootstrapDatabase } from "./bootstrap.ts";
import type { StackKeys } from "./keys.ts";
import type { InnerServer } from "./lite.ts";
import { migrationsRecord, pushMigrations } from "./migrations.ts";
import { type PostgresOptions, type PostgresServer, startPostgres } from "./postgres.ts";

export interface DatabaseOptions extends PostgresOptions {
  keys: StackKeys;
  log: (line: string) => void;
}

/** What was started, so that it can be undone in reverse order. */
export type Undo = (() => Promise<unknown>)[];

/** Undoes all of it; what fails is told and keeps nothing else from being undone. */
export async function undoAll(undo: Undo, log: (line: string) => void): Promise<void> {
  for (const step of undo.reverse()) await step().catch((error) => log(`stop: ${error}`));
}

/** Starts the database and brings it up to date. Whatever it started is in `undo`, also when it rejects. */
export async function startDatabase(
  { keys, log, ...options }: DatabaseOptions,
  undo: Undo,
): Promise<{ server: PostgresServer; inner: InnerServer; admin: Sql }> {
  const { dataDir, template } = options;
  // Loaded while Postgres starts: the largest module of all.
  const lite = import("./lite.ts");
  lite.catch(() => {});
  if (template) {
    await cp(join(template, migrationsRecord), join(dataDir, migrationsRecord), { force: false });
  }
  const server = await startPostgres(options);
  undo.push(() => server.stop());
  log("Postgres is up");
  const { createInnerServer } = await lite;
  const inner = createInnerServer(server.adminDatabaseUrl, keys, dataDir, log);
  undo.push(() => inner.stop());
  const admin = postgres(server.adminDatabaseUrl, { max: 8, onnotice: () => {} });
  undo.push(() => admin.end({ timeout: 1 }));
  await inner.ensureSystemSchema();
  await bootstrapDatabase(admin);
  const migrations = await pushMigrations(server.databaseUrl, dataDir);
  log(`${migrations.count} migrations are applied`);
  for (const file of migrations.edited) {
    log(`WARNING: ${file} was edited after this database took it; \`npm run reset\` makes a new one`);
  }
  return { server, inner, admin };
}

/** The folder of a stack; without a wanted one a new temporary folder. */
export async function makeDataDir(wanted: string | undefined): Promise<string> {
  const dataDir = wanted ? resolve(wanted) : await mkdtemp(join(tmpdir(), "holdfast-"));
  await mkdir(dataDir, { recursive: true });
  // Started by root, Postgres runs as another user and must be able to pass through to its own folder, not to read here.
  if (process.getuid?.() === 0) await chmod(dataDir, 0o711);
  else await chmod(dataDir, 0o700);
  return dataDir;
}
