// The commands that pages name: whether there is such a command, with such options.

import { readFileSync } from "node:fs";
import { posix } from "node:path";
import { projectPath } from "../stack/paths.ts";
import { blocksOf, textOf } from "./blocks.ts";

/** The commands of a page: those of its shell blocks, and those that stand in a sentence. */
export function commandsOf(page: string): string[] {
  const blocks = blocksOf(page).filter(({ language }) => language === "sh");
  const lines = blocks.flatMap(({ code }) => code.replaceAll("\\\n", " ").split("\n"));
  const sentences = textOf(page).replace(/^([ \t]*)```[\s\S]*?^\1```[ \t]*$/gm, "");
  const inline = [...sentences.matchAll(/`((?:npx supabase|npm) [^`]*)`/g)].map(([, code = ""]) => code);
  return [...lines, ...inline]
    .flatMap((line) => line.replace(/(^|\s)#.*$/, "").split("&&"))
    .map((line) => line.replace(/\s+/g, " ").trim())
    .filter((line) => line !== "");
}

/** Its own words: without variables set for it, and without what is quoted. */
const wordsOf = (command: string): string[] =>
  command
    .replace(/^(?:[A-Z_]+=(?:'[^']*'|\S*) )+/, "")
    .replace(/'[^']*'|"[^"]*"/g, "…")
    .split(" ");

const scripts: Record<string, string> = JSON.parse(readFileSync(projectPath("package.json"), "utf8")).scripts;

/** What is wrong with a command, or nothing. `cli` is what `supabaseCommands` read. */
export function commandFault(command: string, cli: Map<string, Set<string>>): string | undefined {
  const [program = "", ...words] = wordsOf(command);
  if (program === "npm") return npmFault(words);
  if (program === "npx" && words[0] === "supabase") return supabaseFault(words.slice(1), cli);
  return program === "git" || program === "curl" ? undefined : `nothing here checks ${program}`;
}

function npmFault([verb = "", ...words]: string[]): string | undefined {
  if (verb === "ci") return undefined;
  const [name = "", dashes, ...values] =
    verb === "run" ? words.filter((word) => word !== "--silent") : [verb, ...words];
  const script = scripts[name];
  if (!script) return `no script ${name}`;
  // A script says what it takes, or a file that it imports. A first word is a command of its own, or the name of a file.
  const path = script.replace("tsx ", "");
  if (dashes !== "--" || !path.endsWith(".ts")) return undefined;
  const source = [path, ...importsOf(path)].map((file) => readFileSync(projectPath(file), "utf8")).join("\n");
  const [first = "", ...others] = values.map((value) => value.replace(/^\[/, "").replace(/[\].,]+$/, ""));
  const unknown = [first, ...others].filter(
    (value, index) =>
      (value.startsWith("--") || (index === 0 && /^[a-z]+$/.test(value))) && !source.includes(value),
  );
  return unknown.length === 0 ? undefined : `${name} takes no ${unknown.join(" ")}`;
}

/** Files of the project that a script names in its imports, by their paths. */
function importsOf(path: string): string[] {
  const source = readFileSync(projectPath(path), "utf8");
  return [...source.matchAll(/ from "(\..+)";$/gm)].map(([, file]) =>
    posix.join(posix.dirname(path), String(file)),
  );
}

function supabaseFault(words: string[], cli: Map<string, Set<string>>): string | undefined {
  const end = words.findIndex((_, index) => !cli.has(words.slice(0, index + 1).join(" ")));
  const name = words.slice(0, end === -1 ? undefined : end).join(" ");
  const flags = cli.get(name);
  if (!flags || name === "") return `supabase has no ${words[0]}`;
  // What follows a group is one of its commands.
  const next = words[name === "" ? 0 : name.split(" ").length];
  const isGroup = [...cli.keys()].some((other) => other.startsWith(`${name} `));
  if (isGroup && next !== undefined) return `supabase ${name} has no ${next}`;
  const unknown = words
    .flatMap((word) => /^--?[a-z][a-z-]*/.exec(word) ?? [])
    .filter((flag) => !flags.has(flag));
  return unknown.length === 0 ? undefined : `supabase ${name} takes no ${unknown.join(" ")}`;
}

/** The commands of the installed CLI with their options, from what it completes for bash, and says of the options of all. */
export function supabaseCommands(completions: string, help: string): Map<string, Set<string>> {
  const bodies = completions.split(/^_supabase(?=\w*\(\)$)/m).slice(1);
  const names = new Map<string, string>();
  const found = new Map<string, Set<string>>();
  for (const body of bodies) {
    const id = body.slice(0, body.indexOf("()"));
    const name = names.get(id) ?? "";
    // A command's own branches say how its subcommands are spelled.
    for (const [, word = "", call = ""] of body.matchAll(/^ {6}([a-z][a-z-]*)\)\n {8}_supabase(\w+) /gm)) {
      names.set(call, `${name} ${word}`.trim());
    }
    const flags = [...body.matchAll(/_filtered_flags\+="([^"]*)"/g)].flatMap(([, some = ""]) =>
      some.trim().split(" "),
    );
    found.set(name, new Set(flags));
  }
  const globals = help.match(/(?<=^ {2}(?:--[a-z-]+, )?)--?[a-z-]+/gm) ?? [];
  return new Map([...found].map(([name, flags]) => [name, new Set([...flags, ...globals])]));
}
