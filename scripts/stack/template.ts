// A database that others start as a copy of: most of the time that a new stack takes is its migrations.

import { rm } from "node:fs/promises";
import { makeDataDir, startDatabase, type Undo, undoAll } from "./database.ts";
import { loadKeys } from "./keys.ts";
import { startWatchdog } from "./watchdog.ts";

export interface Template {
  /** For `StackOptions.template`. */
  folder: string;
  remove(): Promise<void>;
}

/** Makes a database with all migrations and nothing else, and stops it. */
export async function makeTemplate(log: (line: string) => void): Promise<Template> {
  const watchdog = startWatchdog();
  const folder = await makeDataDir(undefined);
  watchdog.removeAtEnd(folder);
  const remove = async (): Promise<void> => {
    await rm(folder, { recursive: true, force: true });
    await watchdog.release();
  };
  const undo: Undo = [];
  try {
    const keys = await loadKeys(folder);
    await startDatabase({ dataDir: folder, temporary: true, watchdog, keys, log }, undo);
    await undoAll(undo, log);
    return { folder, remove };
  } catch (error) {
    await undoAll(undo, log);
    await remove();
    throw error;
  }
}
