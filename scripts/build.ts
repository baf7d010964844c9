// `npm run build`: writes the client as a package into dist/: one ES module with its types, and the contracts (zod schemas)
// apart from it, for apps that want to judge a request before they send it.

import { execFile } from "node:child_process";
import { readdir, readFile, rm, writeFile } from "node:fs/promises";
import { join, resolve } from "node:path";
import { fileURLToPath } from "node:url";
import { promisify } from "node:util";
import { type InputOptions, type RolldownBuild, rolldown } from "rolldown";
import { argumentsOf } from "./arguments.ts";
import { projectPath } from "./stack/paths.ts";

const SUPABASE = "@supabase/supabase-js";
// What builds schemas and does nothing else: a schema that nobody reads is left out. A name that is missing here costs size.
const BUILDERS = ["z", "clock", "line", "list", "ofDays", "pageOf", "text", "together"];

/** How src/lib becomes as small as it can: for the package, and for the page. */
export const forBrowsers = {
  platform: "browser",
  resolve: { alias: { zod: projectPath("scripts", "package", "zod.ts") } },
  treeshake: { manualPureFunctions: [...BUILDERS] },
} as const satisfies InputOptions;

/** A module of the package: its file, its text, and whether it is loaded only when it is needed. */
export interface Module {
  file: string;
  code: string;
  lazy: boolean;
}

/** An entry of src/lib with all it needs but supabase-js; zod by `scripts/package/zod.ts`. */
export async function bundle(entry: string, { minify = false } = {}): Promise<Module[]> {
  const build = await rolldown({
    input: entry,
    external: [SUPABASE],
    ...forBrowsers,
  });
  return written(build, minify);
}

/** The contracts, with zod itself beside them. */
async function bundleSchemas(): Promise<Module[]> {
  const build = await rolldown({
    input: projectPath("src", "lib", "schemas.ts"),
    platform: "browser",
    external: [SUPABASE, "zod"],
  });
  return written(build, false);
}

async function written(build: RolldownBuild, minify: boolean): Promise<Module[]> {
  try {
    const { output } = await build.generate({
      format: "esm",
      chunkFileNames: "[name].js",
      minify: minify || "dce-only",
    });
    return output.flatMap((part) =>
      part.type === "chunk" ? [{ file: part.fileName, code: part.code, lazy: part.isDynamicEntry }] : [],
    );
  } finally {
    await build.close();
  }
}

/** Writes the package into a folder, which is emptied first. */
export async function buildPackage(folder: string): Promise<void> {
  await rm(folder, { recursive: true, force: true });
  await writeTypes(join(folder, "types"));
  const modules = [...(await bundle(projectPath("src", "lib", "index.ts"))), ...(await bundleSchemas())];
  for (const { file, code } of modules) await writeFile(join(folder, file), code);
  await writeFile(join(folder, "package.json"), `${JSON.stringify(await manifest(), null, 2)}\n`);
}

async function manifest() {
  const { name, version, description, license, dependencies } = JSON.parse(
    await readFile(projectPath("package.json"), "utf8"),
  );
  const entry = (module: string) => ({ types: `./types/${module}.d.ts`, default: `./${module}.js` });
  return {
    name,
    version,
    description,
    license,
    type: "module",
    sideEffects: false,
    exports: { ".": entry("index"), "./schemas": entry("schemas"), "./timezone": entry("timezone") },
    files: ["*.js", "types"],
    // The types and the schemas are zod's; index.js holds what it needs of it.
    dependencies: { zod: dependencies.zod },
    peerDependencies: { [SUPABASE]: `^${dependencies[SUPABASE]}` },
  };
}

async function writeTypes(folder: string): Promise<void> {
  // Without Node's types: what an app runs in a browser must not know them.
  const project = projectPath("scripts", "package", "tsconfig.json");
  await promisify(execFile)(projectPath("node_modules", ".bin", "tsc"), ["-p", project, "--outDir", folder]);
  for (const name of await readdir(folder)) {
    const text = await readFile(join(folder, name), "utf8");
    await writeFile(join(folder, name), text.replace(/(["']\.\/[\w-]+)\.ts(["'])/g, "$1.js$2"));
  }
}

if (process.argv[1] && resolve(process.argv[1]) === fileURLToPath(import.meta.url)) {
  argumentsOf("Usage: npm run build. Writes the package for apps into dist/.\n", {});
  const folder = projectPath("dist");
  await buildPackage(folder);
  process.stdout.write(`Wrote ${folder}\n`);
}
