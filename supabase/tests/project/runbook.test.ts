// docs/operations.md is read in a hurry: what it names is there, and what can be signalled is in it.

import { readdirSync, readFileSync } from "node:fs";
import { fileURLToPath } from "node:url";
import { describe, expect, it } from "vitest";
import { byHand, checks } from "../../../scripts/doctor/checks.ts";
import { PROBLEMS } from "../../../src/lib/problems.ts";
import { sql } from "../support/stack.ts";

const root = fileURLToPath(new URL("../../../", import.meta.url));
const page = readFileSync(`${root}docs/operations.md`, "utf8");
const flowing = page.replace(/\s+/g, " ");
const all = (pattern: RegExp): string[] => [
  ...new Set([...page.matchAll(pattern)].map(([, found = ""]) => found)),
];

describe("what the runbook names", () => {
  it("are npm scripts that there are, with commands that they have", () => {
    const scripts: Record<string, string> = JSON.parse(readFileSync(`${root}package.json`, "utf8")).scripts;
    const named = all(/npm run ([a-z]+)/g);
    expect(named.length).toBeGreaterThan(5);
    expect(named.filter((name) => !(name in scripts))).toEqual([]);
    for (const command of all(/npm run ([a-z]+ -- [a-z]+)/g)) {
      const [script = "", , word = ""] = command.split(" ");
      const source = readFileSync(`${root}${scripts[script]?.replace("tsx ", "")}`, "utf8");
      expect(source, command).toMatch(
        new RegExp(`npm run ${script} -- ([a-z|]*\\|)?${word}|^  ${word} `, "m"),
      );
    }
    for (const [, script = "", options = ""] of page.matchAll(/npm run ([a-z]+) -- ([^`\n]*)/g)) {
      const source = readFileSync(`${root}${scripts[script]?.replace("tsx ", "")}`, "utf8");
      for (const [option] of options.matchAll(/--[a-z]+/g))
        expect(source, `${script} ${option}`).toContain(option);
    }
  });

  it("are Edge Functions that there are", () => {
    const functions = readdirSync(`${root}supabase/functions`);
    expect(all(/functions\/v1\/([a-z-]+)/g).filter((name) => !functions.includes(name))).toEqual([]);
  });

  it("are other pages that there are", () => {
    const pages = readdirSync(`${root}docs`);
    expect(all(/\]\(([a-z-]+\.md)/g).filter((name) => !pages.includes(name))).toEqual([]);
  });

  it("is SQL that the database takes", async () => {
    const blocks = all(/```sql\n([^`]*)```/g).flatMap((block) => block.split(";"));
    const inline = all(/`((?:select|delete from) [^`]*)`/g);
    const statements = [...blocks, ...inline].map((text) => text.trim()).filter((text) => text !== "");
    expect(statements.length).toBeGreaterThan(10);
    // pg_cron is hosted's.
    for (const statement of statements.filter((text) => !text.includes("cron."))) {
      const whole = statement.replaceAll(/'<[a-z ]+>'/g, "'00000000-0000-0000-0000-000000000000'");
      await expect(sql.unsafe(`explain ${whole}`), statement).resolves.toBeDefined();
    }
  });

  it("are functions, tables, columns, settings, codes and fields that there are", async () => {
    const known = await sql<{ name: string }[]>`
      select name from public.metrics()
      union select proname from pg_proc where pronamespace in ('public'::regnamespace, 'app'::regnamespace, 'audit'::regnamespace)
      union select pronamespace::regnamespace || '.' || proname from pg_proc
        where pronamespace in ('public'::regnamespace, 'app'::regnamespace, 'audit'::regnamespace)
      union select schemaname || '.' || relname from pg_stat_all_tables
      union select attname from pg_attribute join pg_class on pg_class.oid = attrelid
        where relnamespace in ('public'::regnamespace, 'app'::regnamespace, 'audit'::regnamespace)
      union select name from pg_settings
      -- What alerts, problems and holds are told apart by.
      union select unnest(array['break_glass', 'note_unreadable', 'repeated_denials', 'master_key_missing', 'not_from_the_function',
        'in_flight', 'own_limit', 'organization_limit',
        'expired_unswept', 'duration_ms', 'request_id', 'audit.events.request_id'])`;
    const names = new Set([
      ...known.map(({ name }) => name),
      ...Object.keys(PROBLEMS),
      ...OFTEN_WITHOUT_ROWS,
    ]);
    const named = all(/`([a-z]+(?:[_.][a-z]+)+)`/g);
    expect(named.length).toBeGreaterThan(30);
    expect(named.filter((name) => !names.has(name) && !name.endsWith(".md"))).toEqual([]);
  });
});

/** Numbers that have no row while there is nothing to count. */
const OFTEN_WITHOUT_ROWS = ["refusals_last_hour", "last_seal_age_seconds", "dead_tuples"];

describe("what can be signalled is in the runbook:", () => {
  it("each number", async () => {
    const metrics = await sql<{ name: string }[]>`select distinct name from public.metrics()`;
    const names = new Set([...metrics.map(({ name }) => name), ...OFTEN_WITHOUT_ROWS]);
    expect([...names].filter((name) => !page.includes(`\n| \`${name}\` `))).toEqual([]);
  });

  it("each check of doctor", () => {
    const names = [...checks([]), ...byHand].map(({ name }) => name);
    expect(names.filter((name) => !flowing.includes(`_${name}_`))).toEqual([]);
  });

  it("each problem that is ours and not the caller's", () => {
    const ours = Object.entries(PROBLEMS).filter(([, { status }]) => status >= 500);
    expect(ours.map(([code]) => code).filter((code) => !page.includes(`**\`${code}\``))).toEqual([]);
  });

  it("each field of the log", () => {
    for (const field of ["level", "function", "request_id", "status", "code", "cause", "duration_ms"]) {
      expect(page).toContain(`\n| \`${field}\` `);
    }
  });
});
