// docs/quickstart.md as a reader does it: its commands and its script, as they stand, on a backend of its own. What a block
// prints is what the page shows below it.

import { type ChildProcess, execFile, spawn } from "node:child_process";
import { chmod, mkdtemp, rm, symlink, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { promisify } from "node:util";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { type Block, blocksOf } from "./docs/blocks.ts";
import { projectPath } from "./stack/paths.ts";
import { freePort } from "./stack/ports.ts";

const blocks = blocksOf("docs/quickstart.md");
const [install, paste, ...commands] = blocks.filter(({ language }) => language === "sh");
const script = blocks.filter(({ language }) => language === "ts");

/** Between the outputs of two blocks. */
const MARK = "\u001e";

let folder: string;
let backend: ChildProcess;
let printed = "";

beforeAll(async () => {
  // The project by another name, with a place for quickstart.ts that is not in its way.
  folder = await mkdtemp(join(tmpdir(), "holdfast-quickstart-"));
  // Where root runs the tests, Postgres' own user must be able to pass.
  await chmod(folder, 0o755);
  for (const name of ["node_modules", "package.json", "scripts", "src", "supabase", "tsconfig.json"]) {
    await symlink(projectPath(name), join(folder, name));
  }
  const env = {
    ...process.env,
    HOLDFAST_DATA_DIR: join(folder, "data"),
    HOLDFAST_API_PORT: String(await freePort()),
    HOLDFAST_DB_PORT: String(await freePort()),
  };
  const [first, ...others] = (install?.code ?? "").trim().split("\n");
  // What it installs is there: the tests run on it.
  expect(first).toBe("npm ci");
  backend = spawn("bash", ["-c", `exec ${others.join("\n")}`], { cwd: folder, env, detached: true });
  await new Promise<void>((resolve, reject) => {
    for (const stream of [backend.stdout, backend.stderr]) {
      stream?.on("data", (chunk) => {
        printed += chunk;
        if (printed.includes("Ctrl-C stops it")) resolve();
      });
    }
    backend.once("close", () => reject(new Error(printed)));
  });
});
afterAll(async () => {
  // Ctrl-C goes to all that the command started.
  if (backend?.pid && backend.exitCode === null) {
    const closed = new Promise((resolve) => backend.once("close", resolve));
    process.kill(-backend.pid, "SIGINT");
    await closed;
  }
  await rm(folder, { recursive: true, force: true });
});

/** The block that says what to paste, with what the backend printed by these names. */
function pasted(): string {
  return (paste?.code ?? "").replace(/<([^>]+)>/g, (_, label: string) => {
    const [, value] = new RegExp(`^${label} +(\\S+)$`, "m").exec(printed) ?? [];
    expect(value, `npm start prints ${label}`).toBeDefined();
    return value ?? "";
  });
}

async function bash(lines: string[]): Promise<string[]> {
  const text = ["set -euo pipefail", pasted(), ...lines].join("\n");
  const { stdout } = await promisify(execFile)("bash", ["-c", text], { cwd: folder });
  return stdout.split(`${MARK}\n`);
}

/** Ids, times that are not those which the page names itself, and what a countdown says are other ones each time. */
const lasting = (text: string): string =>
  text
    .replace(/[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}/g, "<id>")
    .replace(/20(?!31)\d\d-\d\d-\d\dT[\d:.]+(Z|[+-]\d\d:\d\d)/g, "<time>")
    .replace(/^(?:held for \d+ s\n)+/gm, "held for <seconds> s\n")
    .trim();

const shownBelow = (block: Block): string => {
  const next = blocks[blocks.indexOf(block) + 1];
  return next?.language === "text" ? next.code : "";
};

describe("docs/quickstart.md", () => {
  it("is a script that prints what the page shows, also the second time", async () => {
    await writeFile(
      join(folder, "quickstart.ts"),
      script.map(({ code }) => `${code}\nconsole.log("${MARK}");\n`).join(""),
    );
    const outputs = await bash(["npx tsx quickstart.ts", "npx tsx quickstart.ts"]);
    expect(script.length).toBeGreaterThan(4);
    expect(outputs.slice(0, -1)).toHaveLength(2 * script.length);
    for (const [index, block] of [...script, ...script].entries()) {
      expect(lasting(outputs[index] ?? ""), `line ${block.line}`).toBe(lasting(shownBelow(block)));
    }
  });

  it("has commands of the shell that print what it shows", async () => {
    const outputs = await bash(commands.map(({ code }) => `${code}\necho "${MARK}"`));
    expect(commands.length).toBeGreaterThan(2);
    expect(outputs.slice(0, -1)).toHaveLength(commands.length);
    for (const [index, block] of commands.entries()) {
      expect(lasting(outputs[index] ?? ""), `line ${block.line}`).toBe(lasting(shownBelow(block)));
    }
  });

  it("shows nothing that nobody compares", () => {
    const compared = [...script, ...commands].filter((block) => shownBelow(block) !== "");
    expect(blocks.filter(({ language }) => language === "text")).toHaveLength(compared.length);
    expect(blocks).toHaveLength(script.length + commands.length + compared.length + 2);
  });
});
