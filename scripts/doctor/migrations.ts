// The migrations of this checkout, as the Supabase CLI's history names them.

import { readdir } from "node:fs/promises";
import { projectPath } from "../stack/paths.ts";

/** Versions, in order. */
export async function projectMigrations(): Promise<string[]> {
  const files = await readdir(projectPath("supabase", "migrations"));
  return files.flatMap((file) => file.match(/^(\d+)_.*\.sql$/)?.[1] ?? []).sort();
}
