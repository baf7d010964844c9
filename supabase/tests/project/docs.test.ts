// README and docs/ hold together: links lead somewhere, each page is found, and every block of code runs, is of the right
// types, or names a command, a statement, an option that there is.

import { execFile } from "node:child_process";
import { existsSync } from "node:fs";
import { promisify } from "node:util";
import { describe, expect, it } from "vitest";
import { type Block, blocksOf, pages, textOf } from "../../../scripts/docs/blocks.ts";
import { commandFault, commandsOf, supabaseCommands } from "../../../scripts/docs/commands.ts";
import { anchorsOf, linksOf } from "../../../scripts/docs/links.ts";
import { typeFaults } from "../../../scripts/docs/typecheck.ts";
import { supabaseCli } from "../../../scripts/stack/migrations.ts";
import { projectPath } from "../../../scripts/stack/paths.ts";
import { createClinic } from "../support/clinic.ts";
import { create } from "../support/partner.ts";
import { sql, stack } from "../support/stack.ts";

/** Blocks that a test elsewhere runs as they stand: pages with the languages, and the test. */
const RUN_ELSEWHERE: Record<string, string> = {
  "docs/client.md js": "scripts/build.test.ts",
  "docs/quickstart.md sh": "scripts/quickstart.test.ts",
  "docs/webhooks.md js": "supabase/functions/_shared/webhook-signature.test.ts",
};
/** What is shown and not run. */
const SHOWN = ["http", "json", "mermaid", "text"];
/** SQL of extensions that only hosted has. */
const HOSTED_ONLY = /\b(?:cron|vault)\./;

const all = pages().flatMap(blocksOf);
const isRunElsewhere = ({ page, language }: Block): boolean => `${page} ${language}` in RUN_ELSEWHERE;
const of = (...languages: string[]): Block[] =>
  all.filter((block) => languages.includes(block.language) && !isRunElsewhere(block));

describe("links", () => {
  it.each(pages())("of %s lead to files and headings that there are", (page) => {
    const broken = linksOf(page).filter(({ path, anchor }) => {
      if (!existsSync(projectPath(path))) return true;
      return anchor !== "" && !(path.endsWith(".md") && anchorsOf(path).includes(anchor));
    });
    expect(broken).toEqual([]);
  });

  it("lead from README to every page, by as many steps as it takes", () => {
    const found = new Set(["README.md"]);
    for (const page of found) {
      if (!page.endsWith(".md") || !existsSync(projectPath(page))) continue;
      for (const { path } of linksOf(page)) found.add(path);
    }
    expect(pages().filter((page) => !found.has(page))).toEqual([]);
  });

  it("have anchors as GitHub makes them", () => {
    expect(anchorsOf("docs/booking.md")).toContain("post-sessions-hold--201");
    expect(anchorsOf("docs/errors.md")).toContain("therapist_conflict--409");
  });
});

describe("code", () => {
  it("is in a language that something here checks, or shown", () => {
    const known = ["js", "plpgsql", "sh", "sql", "ts", ...SHOWN];
    expect(
      all.filter(({ language }) => !known.includes(language)).map(({ page, line }) => `${page}:${line}`),
    ).toEqual([]);
    expect(all.length).toBeGreaterThan(60);
  });

  it("that a test elsewhere runs is named there", () => {
    for (const [block, test] of Object.entries(RUN_ELSEWHERE)) {
      const [page = "", language] = block.split(" ");
      expect(
        blocksOf(page).some((it) => it.language === language),
        block,
      ).toBe(true);
      expect(textOf(test), block).toContain(page.replace("docs/", ""));
    }
  });

  it("in JSON can be parsed", () => {
    for (const { page, line, code } of of("json"))
      expect(() => JSON.parse(code), `${page}:${line}`).not.toThrow();
  });

  it("in TypeScript is of the right types, and a mistake is found", () => {
    const blocks = of("ts", "js");
    const wrong = { page: "docs/wrong.md", line: 3, language: "ts", code: "supabase.frmo('sessions');" };
    expect(blocks.length).toBeGreaterThan(5);
    expect(typeFaults([...blocks, wrong])).toEqual([
      expect.stringMatching(/docs-wrong\.md\.ts:3 Property 'frmo' does not exist/),
    ]);
  });

  it("in SQL is what the database takes", async () => {
    const statements = of("sql").flatMap(({ page, line, code }) =>
      code
        .replace(/--.*$/gm, "")
        .split(";")
        .map((text) => ({ at: `${page}:${line}`, text: text.trim() })),
    );
    const asked = statements.filter(({ text }) => text !== "" && !HOSTED_ONLY.test(text));
    expect(asked.length).toBeGreaterThan(10);
    for (const { at, text } of asked) {
      const whole = text.replaceAll(/'<[^>]+>'/g, "'00000000-0000-0000-0000-000000000000'");
      await expect(sql.unsafe(`explain ${whole}`), `${at} ${text}`).resolves.toBeDefined();
    }
  });

  it("in PL/pgSQL can be the body of a function", async () => {
    for (const { page, line, code } of of("plpgsql")) {
      const body = `create function pg_temp.sample() returns void language plpgsql set search_path = '' as $$ begin ${code} end $$`;
      await expect(
        sql.begin((tx) => tx.unsafe(body)),
        `${page}:${line}`,
      ).resolves.toBeDefined();
    }
  });
});

describe("commands", () => {
  it("are ones that there are, with options that they take", async () => {
    const cli = supabaseCommands(await supabaseCli(["--completions", "bash"]), await supabaseCli(["--help"]));
    const named = pages().flatMap((page) =>
      // What is run needs no look, and what was decided or changed once may name what is gone.
      /quickstart|CHANGELOG|decisions/.test(page)
        ? []
        : commandsOf(page).map((command) => ({ page, command })),
    );
    expect(named.length).toBeGreaterThan(80);
    const faults = named.map(({ page, command }) => [page, command, commandFault(command, cli)]);
    expect(faults.filter(([, , fault]) => fault !== undefined)).toEqual([]);
    for (const [command, fault] of [
      ["npx supabase db push --remote --dry-run", undefined],
      ["npx supabase db pusch", "supabase db has no pusch"],
      ["npx supabase link --ref x", "supabase link takes no --ref"],
      ["npx supabase lnik", "supabase has no lnik"],
      ["npm run dotcor", "no script dotcor"],
      ["npm run keys -- admit --url x", "keys takes no --url"],
      ["npm run audit -- verfy", "audit takes no verfy"],
      ["rm -rf x", "nothing here checks rm"],
    ] as const) {
      expect([command, commandFault(command, cli)]).toEqual([command, fault]);
    }
  });

  it("of curl answer, with what the page shows below them", async () => {
    const { token } = await create(await createClinic());
    const blocks = all.filter((block) => block.code.includes("curl ") && !isRunElsewhere(block));
    expect(blocks.length).toBeGreaterThan(2);
    for (const block of blocks) {
      // Those of this block alone, at the backend that is here.
      const lines = block.code
        .replaceAll("\\\n", " ")
        .split("\n")
        .filter((line) => line.startsWith("curl "));
      const text = lines.join("\n").replaceAll(/https:\/\/(?:PROJECT|<ref>)\.supabase\.co/g, stack.url);
      const { stdout } = await promisify(execFile)("bash", ["-euc", text], {
        env: { ...process.env, HOLDFAST_TOKEN: token },
      });
      const shown = all[all.indexOf(block) + 1];
      const answer = JSON.parse(stdout);
      const documented =
        shown?.page === block.page && shown.language === "json"
          ? JSON.parse(shown.code)
          : { data: answer.data };
      expect(Object.keys(answer), `${block.page}:${block.line}`).toEqual(["data"]);
      expect(Object.keys(answer.data).sort(), `${block.page}:${block.line}`).toEqual(
        Object.keys(documented.data).sort(),
      );
    }
  });
});
