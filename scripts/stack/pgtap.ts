// Puts pgTAP beside the embedded Postgres, which does not ship it. pgTAP is plain SQL, so files packaged for another
// build of Postgres serve as they are.

import { execFile } from "node:child_process";
import { existsSync } from "node:fs";
import { cp, mkdtemp, rename, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { promisify } from "node:util";
import { packageDir } from "./paths.ts";

/** Copies the extension's files unless they are there. Safe to run from several processes at once. */
export async function installPgtap(extensionDir: string): Promise<void> {
  const control = join(extensionDir, "pgtap.control");
  if (existsSync(control)) return;
  const archive = join(packageDir("@electric-sql/pglite-pgtap"), "dist", "pgtap.tar.gz");
  const unpacked = await mkdtemp(join(tmpdir(), "holdfast-pgtap-"));
  try {
    // Without -z and with a relative path, so that the tar of Windows and macOS takes it too.
    await promisify(execFile)("tar", ["-xf", archive], { cwd: unpacked });
    const source = join(unpacked, "share", "postgresql", "extension");
    const isControl = (path: string): boolean => path.endsWith(".control");
    await cp(source, extensionDir, { recursive: true, filter: (path) => !isControl(path) });
    // The control file is what Postgres looks for: it goes last and at once, never half written.
    const staged = `${control}.${process.pid}`;
    await cp(join(source, "pgtap.control"), staged);
    await rename(staged, control);
  } finally {
    await rm(unpacked, { recursive: true, force: true });
  }
}
