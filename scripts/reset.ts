// `npm run reset`: removes the interactive stack's data, so that the next `npm start` begins with the seeded clinic.

import { existsSync } from "node:fs";
import { rm } from "node:fs/promises";
import { argumentsOf } from "./arguments.ts";
import { persistentDataDir } from "./stack/paths.ts";
import { inUse, isForeign } from "./stack/state.ts";

argumentsOf(
  `Usage: npm run reset. Removes what npm start keeps: ${persistentDataDir}, or HOLDFAST_DATA_DIR.\n`,
  {},
);

const busy = await inUse(persistentDataDir);
if (busy) {
  process.stderr.write(`Not removed: ${busy}. Stop it first (Ctrl-C where it runs).\n`);
  process.exit(1);
}
if (await isForeign(persistentDataDir)) {
  process.stderr.write(`Not removed: ${persistentDataDir} has files that npm start did not put there.\n`);
  process.exit(1);
}
const existed = existsSync(persistentDataDir);
await rm(persistentDataDir, { recursive: true, force: true });
process.stdout.write(existed ? `Removed ${persistentDataDir}\n` : "Nothing to remove.\n");
