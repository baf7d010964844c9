// The TypeScript of pages, judged by the project's own compiler settings: a page is one module, as if its blocks were put
// into a file beside README.md.

import ts from "typescript";
import { projectPath } from "../stack/paths.ts";
import type { Block } from "./blocks.ts";

/** What the samples take for granted: who is signed in, whose ids, and what an app does with an answer. */
const GIVEN = `
  type Client = import("@supabase/supabase-js").SupabaseClient;
  declare const supabase: Client;
  declare const [url, publishableKey, email, password]: string[] & [string, string, string, string];
  declare const [therapistId, clientId, organizationId]: [string, string, string];
  declare const user: { id: string };
  declare function offer(times: unknown): void;
  declare function show(line: string): void;
`;

/** What the compiler says of the blocks, by page and line. */
export function typeFaults(blocks: Block[]): string[] {
  const pages = new Map<string, Block[]>();
  for (const block of blocks) pages.set(block.page, [...(pages.get(block.page) ?? []), block]);
  const files = new Map<string, string>([[projectPath("samples.d.ts"), GIVEN]]);
  for (const [page, own] of pages) {
    // Each block on its own lines, so that a fault is where the page has it.
    const lines: string[] = [];
    for (const { line, code } of own) {
      while (lines.length < line - 1) lines.push("");
      lines.push(...code.trimEnd().split("\n"));
    }
    files.set(projectPath(`${page.replaceAll("/", "-")}.ts`), `${lines.join("\n")}\nexport {};\n`);
  }
  const { config } = ts.readConfigFile(projectPath("tsconfig.json"), ts.sys.readFile);
  const { options } = ts.parseJsonConfigFileContent(config, ts.sys, projectPath("."));
  const settings: ts.CompilerOptions = {
    ...options,
    noUnusedLocals: false,
    paths: { holdfast: [projectPath("src", "lib", "index.ts")] },
  };
  const host = ts.createCompilerHost(settings);
  const { readFile, fileExists, getSourceFile } = host;
  host.readFile = (path) => files.get(path) ?? readFile(path);
  host.fileExists = (path) => files.has(path) || fileExists(path);
  host.getSourceFile = (path, target, ...rest) => {
    const text = files.get(path);
    return text === undefined
      ? getSourceFile(path, target, ...rest)
      : ts.createSourceFile(path, text, target);
  };
  const program = ts.createProgram([...files.keys()], settings, host);
  const sources = [...files.keys()].map((path) => program.getSourceFile(path));
  return sources
    .flatMap((source) => [
      ...program.getSyntacticDiagnostics(source),
      ...program.getSemanticDiagnostics(source),
    ])
    .map(({ file, start = 0, messageText }) => {
      const line = (file?.getLineAndCharacterOfPosition(start).line ?? 0) + 1;
      return `${file?.fileName.replace(projectPath("."), "")}:${line} ${ts.flattenDiagnosticMessageText(messageText, " ")}`;
    });
}
