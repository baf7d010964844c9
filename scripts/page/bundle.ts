// The page as the browser gets it: its modules, src/lib and supabase-js in one script, and beside it the files as they are.

import { readdir, readFile } from "node:fs/promises";
import { extname } from "node:path";
import { type Plugin, rolldown } from "rolldown";
import { forBrowsers } from "../build.ts";
import { projectPath } from "../stack/paths.ts";

/** What the page is told of its backend. */
export interface PageConfig {
  url: string;
  publishableKey: string;
}

export interface PageFile {
  type: string;
  body: string;
}

const TYPES: Readonly<Record<string, string>> = {
  ".css": "text/css; charset=utf-8",
  ".html": "text/html; charset=utf-8",
  ".svg": "image/svg+xml",
};
const SCRIPT = "text/javascript; charset=utf-8";

/** Every file of the page, by its path: `/` is the document. */
export async function bundlePage({ url, publishableKey }: PageConfig): Promise<Map<string, PageFile>> {
  const files = new Map<string, PageFile>();
  for (const name of await readdir(projectPath("src", "page"))) {
    const type = TYPES[extname(name)];
    if (!type) continue;
    const body = await readFile(projectPath("src", "page", name), "utf8");
    files.set(name === "index.html" ? "/" : `/${name}`, { type, body });
  }
  for (const [path, body] of await bundleScripts()) files.set(path, { type: SCRIPT, body });
  // By name: who calls may hold more than the page is to know, such as the secret key.
  const settings = [
    `export const url = ${JSON.stringify(url)};`,
    `export const publishableKey = ${JSON.stringify(publishableKey)};`,
  ];
  files.set("/config.js", { type: SCRIPT, body: settings.join("\n") });
  return files;
}

/** What `holdfast-config` stands for: it is not part of the bundle, so one bundle serves every backend. */
const configBeside: Plugin = {
  name: "config",
  resolveId: (name) => (name === "holdfast-config" ? { id: "/config.js", external: true } : null),
};

async function bundleScripts(): Promise<[path: string, code: string][]> {
  const build = await rolldown({
    input: projectPath("src", "page", "main.ts"),
    ...forBrowsers,
    plugins: [configBeside],
    // The page always needs the time zones that src/lib loads lazily.
    checks: { ineffectiveDynamicImport: false },
  });
  try {
    const { output } = await build.generate({ format: "esm", chunkFileNames: "[name].js", minify: true });
    return output.flatMap((part) => (part.type === "chunk" ? [[`/${part.fileName}`, part.code]] : []));
  } finally {
    await build.close();
  }
}
