// Loads a backup into an empty stack and proves it, in one transaction: a copy that does not hold leaves nothing behind.

import { createHash } from "node:crypto";
import { createReadStream } from "node:fs";
import { join } from "node:path";
import { pipeline } from "node:stream/promises";
import { createGunzip } from "node:zlib";
import type { Sql } from "postgres";
import { CommandError } from "../remote.ts";
import { type Manifest, readManifest } from "./manifest.ts";
import { prove } from "./prove.ts";
import { findMigrations, findTables, plainly } from "./tables.ts";

/** Restores into a database to which the same migrations were pushed and in which there is no organization and no user. */
export async function restore(
  sql: Sql,
  folder: string,
  progress: (line: string) => void = () => {},
): Promise<Manifest> {
  const manifest = await readManifest(folder);
  for (const table of manifest.tables) await checkFile(folder, table);
  progress(`${manifest.tables.length} files are as they were written`);

  await sql.begin(async (transaction) => {
    const inside = transaction as unknown as Sql;
    await plainly(inside);
    const tables = await checkTarget(inside, manifest);
    // Those of the backup, or the events of months that are gone by would all lie in the default partition, for good.
    await inside`select audit.ensure_partitions(first_month => ${manifest.trail_from})`;
    // No trigger fires: rows come as they were. So foreign keys are not looked at either, and are proved below.
    await inside`set local session_replication_role = replica`;
    for (const { name, columns, file, rows } of tables) {
      // What the migrations put there themselves: the backup has it too.
      await inside.unsafe(`delete from ${name}`);
      await pipeline(
        createReadStream(join(folder, file)),
        createGunzip(),
        await inside.unsafe(`copy ${name} (${columns.join(", ")}) from stdin`).writable(),
      );
      const [loaded] = await inside.unsafe<[{ rows: number }]>(
        `select count(*)::integer as rows from ${name}`,
      );
      if (loaded.rows !== rows) {
        throw new CommandError("rows_differ", `${name} has ${loaded.rows} rows and not ${rows}.`);
      }
      progress(`${name}: ${rows} rows`);
    }
    for (const { name, last, called } of manifest.sequences) {
      await inside`select setval(${name}::text::regclass, ${last}::text::bigint, ${called})`;
    }
    await inside`set local session_replication_role = origin`;
    const { findings } = await prove(inside, { head: manifest.head ?? undefined, progress });
    if (findings.length > 0) {
      throw new CommandError(
        "not_proved",
        `Nothing was restored, since it does not hold: ${findings.join("; ")}.`,
        1,
      );
    }
    // The ids of transactions begin anew here: docs/audit.md.
    await inside`select audit.continue_trail()`;
  });
  progress("committed");
  await sql`analyze`;
  return manifest;
}

async function checkFile(folder: string, { name, file, sha256 }: Manifest["tables"][number]): Promise<void> {
  const hash = createHash("sha256");
  try {
    await pipeline(createReadStream(join(folder, file)), hash);
  } catch {
    throw new CommandError("file_missing", `The backup has no ${file}, which is to hold ${name}.`);
  }
  if (hash.digest("hex") !== sha256) {
    throw new CommandError("file_altered", `${file} is not as it was written.`);
  }
}

/** The tables to load: those that the catalog has by these names, which are in the statements as they are. */
async function checkTarget(sql: Sql, manifest: Manifest): Promise<Manifest["tables"]> {
  const [state] = await sql<[{ used: boolean }]>`
    select exists (select from public.organizations) or exists (select from auth.users) as used`;
  if (state.used) {
    throw new CommandError(
      "not_empty",
      "There are organizations or users already: restore into an empty project.",
    );
  }
  const migrations = await findMigrations(sql);
  if (migrations.join() !== manifest.migrations.join()) {
    throw new CommandError(
      "migrations_differ",
      "The migrations are not those of the backup: check out its commit, `npx supabase db push`, restore, and push the later ones then.",
    );
  }
  const present = new Map((await findTables(sql)).map(({ name, columns }) => [name, columns]));
  const lost = ({ name, columns }: Manifest["tables"][number]) =>
    columns.filter((column) => !present.get(name)?.includes(column));
  const missing = manifest.tables.filter((table) => table.rows > 0 && lost(table).length > 0);
  if (missing.length > 0) {
    const what = missing.map((table) => `${table.name} (${lost(table).join(", ")})`).join(", ");
    throw new CommandError("columns_missing", `The database has no place for ${what}.`);
  }
  // A platform's table that was empty there may be missing here, or have other columns.
  return manifest.tables.filter((table) => present.has(table.name) && lost(table).length === 0);
}
