// The pages of the documentation, and the blocks of code in them.

import { readdirSync, readFileSync } from "node:fs";
import { projectPath } from "../stack/paths.ts";

export interface Block {
  page: string;
  /** Of its first line of code, from 1. */
  line: number;
  /** What stands behind the opening fence: `ts`, `sh`, `json`, … */
  language: string;
  code: string;
}

/** Every page: those of the project's folder, and of docs. */
export function pages(): string[] {
  const markdown = (folder: string) =>
    readdirSync(projectPath(folder)).filter((name) => name.endsWith(".md"));
  return [...markdown("."), ...markdown("docs").map((name) => `docs/${name}`)].sort();
}

export const textOf = (page: string): string => readFileSync(projectPath(page), "utf8");

/** The fenced blocks of a page, in order; those in a list without their indentation. */
export function blocksOf(page: string): Block[] {
  const text = textOf(page);
  return [...text.matchAll(/^([ \t]*)```([^\n`]*)\n([\s\S]*?)^\1```[ \t]*$/gm)].map((found) => {
    const [, indentation = "", language = "", code = ""] = found;
    return {
      page,
      line: text.slice(0, found.index).split("\n").length + 1,
      language: language.trim(),
      code: code.replace(new RegExp(`^${indentation}`, "gm"), ""),
    };
  });
}
