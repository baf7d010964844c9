// Where things are, found from this file and never from the working directory, so that the stack starts the same
// from a test, from npm or from an editor.

import { existsSync } from "node:fs";
import { createRequire } from "node:module";
import { dirname, join, resolve } from "node:path";
import { fileURLToPath } from "node:url";

const require = createRequire(import.meta.url);

/** The folder that holds package.json and supabase/. */
export const projectRoot = fileURLToPath(new URL("../../", import.meta.url)).replace(/[\\/]$/, "");

/** The data directory of the interactive stack (`npm start`); the environment may name another. */
export const persistentDataDir = resolve(process.env.HOLDFAST_DATA_DIR ?? join(projectRoot, ".holdfast"));

/** A path inside the project. */
export function projectPath(...parts: string[]): string {
  return join(projectRoot, ...parts);
}

/** The folder an installed npm package lives in. Throws when it is not installed. */
export function packageDir(name: string): string {
  let dir = dirname(require.resolve(name));
  while (!existsSync(join(dir, "package.json"))) dir = dirname(dir);
  return dir;
}
