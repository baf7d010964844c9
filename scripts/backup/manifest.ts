// What a backup says of itself: `manifest.json`, written last, so that a folder without it is no backup.

import { readFile, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { z } from "zod";
import { CommandError } from "../remote.ts";

const manifestSchema = z.strictObject({
  format: z.literal(1),
  taken_at: z.iso.datetime({ offset: true }),
  /** Restored only where the same migrations were pushed. */
  migrations: z.array(z.string()),
  /** The hash of the trail's latest seal; null, nothing was sealed. */
  head: z.string().nullable(),
  /** The first month for which the trail has a partition. */
  trail_from: z.iso.date(),
  tables: z.array(
    z.strictObject({
      name: z.string(),
      columns: z.array(z.string()),
      rows: z.int().nonnegative(),
      /** In the backup's folder: what COPY writes, as gzip. */
      file: z.string().regex(/^[\w.]+\.copy\.gz$/),
      /** Of the file, in hex. */
      sha256: z.string().length(64),
    }),
  ),
  sequences: z.array(z.strictObject({ name: z.string(), last: z.string(), called: z.boolean() })),
});
export type Manifest = z.output<typeof manifestSchema>;

const FILE = "manifest.json";

export async function readManifest(folder: string): Promise<Manifest> {
  const text = await readFile(join(folder, FILE), "utf8").catch(() => undefined);
  if (text === undefined) {
    throw new CommandError("no_backup", "There is no backup in that folder: it has no manifest.json.");
  }
  try {
    return manifestSchema.parse(JSON.parse(text));
  } catch {
    throw new CommandError("no_backup", "The manifest.json of that folder is not one of a backup.");
  }
}

export const writeManifest = (folder: string, manifest: Manifest): Promise<void> =>
  writeFile(join(folder, FILE), `${JSON.stringify(manifest, null, 2)}\n`, { mode: 0o600, flag: "wx" });
