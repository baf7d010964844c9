// A copy of everything as of one moment: one transaction reads all tables, so no booking is in it by half.

import { createHash } from "node:crypto";
import { createWriteStream } from "node:fs";
import { mkdir, readdir, rm } from "node:fs/promises";
import { join } from "node:path";
import { Transform } from "node:stream";
import { pipeline } from "node:stream/promises";
import { createGzip } from "node:zlib";
import type { Sql } from "postgres";
import { readHead } from "../audit/trail.ts";
import { CommandError } from "../remote.ts";
import { type Manifest, writeManifest } from "./manifest.ts";
import { findFirstMonth, findMigrations, findSequences, findTables, plainly, type Table } from "./tables.ts";

/** Writes a backup into a folder that is new or empty. */
export async function dump(
  sql: Sql,
  folder: string,
  progress: (line: string) => void = () => {},
): Promise<Manifest> {
  await mkdir(folder, { recursive: true, mode: 0o700 });
  if ((await readdir(folder)).length > 0) {
    throw new CommandError("folder_not_empty", "The folder is not empty: a backup gets one of its own.");
  }
  try {
    const manifest = await readAll(sql, folder, progress);
    await writeManifest(folder, manifest);
    return manifest;
  } catch (error) {
    // Half a backup is patients' records that nobody looks after.
    for (const name of await readdir(folder)) await rm(join(folder, name));
    throw error;
  }
}

async function readAll(sql: Sql, folder: string, progress: (line: string) => void): Promise<Manifest> {
  // Of a file that cannot be written. The driver then cannot roll back, in the middle of a copy, and says that instead.
  let failure: unknown;
  const reading = sql.begin("isolation level repeatable read read only", async (transaction) => {
    const inside = transaction as unknown as Sql;
    await plainly(inside);
    const tables: Manifest["tables"] = [];
    for (const table of await findTables(inside)) {
      const file = `${table.name.replaceAll('"', "")}.copy.gz`;
      const written = await write(inside, table, join(folder, file)).catch((error: unknown) => {
        failure = error;
        throw error;
      });
      tables.push({ ...table, file, ...written });
      progress(`${table.name}: ${written.rows} rows`);
    }
    return {
      format: 1 as const,
      taken_at: new Date().toISOString(),
      migrations: await findMigrations(inside),
      head: (await readHead(inside))?.hash ?? null,
      trail_from: await findFirstMonth(inside),
      tables,
      sequences: await findSequences(inside),
    };
  }) as Promise<Manifest>;
  return reading.catch((error: unknown) => {
    throw failure ?? error;
  });
}

async function write(
  sql: Sql,
  { name, columns }: Table,
  path: string,
): Promise<{ rows: number; sha256: string }> {
  const hash = createHash("sha256");
  let rows = 0;
  const copy = await sql.unsafe(`copy (select ${columns.join(", ")} from ${name}) to stdout`).readable();
  await pipeline(
    copy,
    // A row is a line: COPY writes what is a line break within a value as \n.
    through((chunk) => {
      for (const byte of chunk) if (byte === 0x0a) rows += 1;
    }),
    createGzip({ level: 6 }),
    through((chunk) => hash.update(chunk)),
    createWriteStream(path, { mode: 0o600, flags: "wx" }),
  );
  // The driver pauses its socket for a reader that is slower, and lets it rest where the last rows came meanwhile: a read wakes it.
  copy._read(0);
  return { rows, sha256: hash.digest("hex") };
}

function through(look: (chunk: Buffer) => void): Transform {
  return new Transform({
    transform(chunk: Buffer, _encoding, done) {
      look(chunk);
      done(null, chunk);
    },
  });
}
