// docs/roles.md and docs/schema.md are what the database says, and the diagrams are ones that Mermaid draws.

import { readFileSync } from "node:fs";
import { beforeAll, describe, expect, it } from "vitest";
import { loadMatrix } from "../../../scripts/docs/matrix.ts";
import { GENERATED } from "../../../scripts/docs.ts";
import { projectPath } from "../../../scripts/stack/paths.ts";
import { sql, stack } from "../support/stack.ts";

const read = (page: string): string => readFileSync(projectPath("docs", page), "utf8");

describe("the generated pages", () => {
  beforeAll(() => loadMatrix(stack.databaseUrl));

  it.each(Object.entries(GENERATED))("%s is current (npm run docs)", async (name, page) => {
    expect(read(name) === (await page(sql)), "run `npm run docs`").toBe(true);
  });

  it("roles.md names every relation of the matrix, and every role", async () => {
    const page = read("roles.md");
    const names = await sql<{ name: string }[]>`
      select relation as name from access.relations where relation <> 'custom_access_token_hook'
      union select role from public.roles`;
    expect(names.length).toBeGreaterThan(100);
    expect(
      names.map(({ name }) => name).filter((name) => !new RegExp(`\`${name}(\\(\\))?\``).test(page)),
    ).toEqual([]);
  });

  it("roles.md says of no role more or less than the matrix does", async () => {
    // By another way than the page is made: each line that somebody may, without looking at which rows.
    const cells = await sql<
      { relation: string; command: string; persona: string; is_call: boolean; allowed: boolean }[]
    >`
      select relation, command, persona, relation.key_column is null as is_call, bool_or(allowed) as allowed
      from access.cells join access.relations relation using (relation)
      where command <> 'execute'
      group by 1, 2, 3, 4`;
    const said = new Set(rowsOf(read("roles.md")));
    const verbs: Record<string, string> = {
      select: "read",
      insert: "add",
      update: "change",
      delete: "delete",
    };
    const known = [
      "client",
      "therapist",
      "supervisor",
      "psychiatrist",
      "internal_ops",
      "partner_provider",
      "admin",
    ];
    for (const { relation, command, persona, is_call, allowed } of cells.filter((it) =>
      known.includes(it.persona),
    )) {
      const what = is_call ? `${relation}()` : `${relation} ${verbs[command]}`;
      expect([what, persona, said.has(`${what} ${persona}`)]).toEqual([what, persona, allowed]);
    }
  });
});

/** Each `relation command persona` with something in its cell. */
function rowsOf(page: string): string[] {
  let columns: string[] = [];
  return page.split("\n").flatMap((line) => {
    const [what = "", ...cells] = line.split(" | ").map((cell) => cell.replace(/^\| ?| \|$/g, ""));
    if (what === "") columns = cells;
    const [, relation, commands] = /^`(\w+(?:\(\))?)` ?(.*)$/.exec(what) ?? [];
    if (!relation || !line.startsWith("| `") || columns.length === 0) return [];
    return columns.slice(0, -1).flatMap((column, index) => {
      if (cells[index] === "·") return [];
      return (commands || "()")
        .split(", ")
        .map((command) => `${relation}${command === "()" ? "" : ` ${command}`} ${column}`);
    });
  });
}

describe("the diagrams of schema.md", () => {
  const page = read("schema.md");
  const diagrams = [...page.matchAll(/^```mermaid\n([\s\S]*?)^```$/gm)].map(([, text = ""]) =>
    text.trimEnd().split("\n"),
  );

  it("have nothing but what the grammar of Mermaid's entity diagrams has", () => {
    const faults = diagrams.flatMap(faultsOf);
    expect(diagrams.length).toBeGreaterThan(5);
    expect(faults).toEqual([]);
  });

  it("would be refused with a type of two words, a dot in a name, a brace left open, a line to nowhere", () => {
    const good = ["erDiagram", "  a {", "    uuid id PK", "  }", '  a ||--o{ a : "id"'];
    expect(faultsOf(good)).toEqual([]);
    for (const [index, line] of [
      [0, "erdiagram"],
      [1, "  app.a {"],
      [2, "    double precision id"],
      [3, "  "],
      [4, '  a |--o{ a : "id"'],
      [4, "  a ||--o{ a : two words"],
    ] as const) {
      expect(faultsOf(good.with(index, line)), line).not.toEqual([]);
    }
  });

  it("have every table once, and mark every column of PHI", async () => {
    const drawn = diagrams.flatMap((lines) =>
      lines.flatMap((line) => /^ {2}(\w+?)(?:\["(.+)"\])? \{$/.exec(line)?.slice(1) ?? []).filter(Boolean),
    );
    const tables = await sql<{ name: string }[]>`
      select tablename as name from pg_tables where schemaname = 'public'
      union select schemaname || '.' || tablename from pg_tables
      where schemaname in ('app', 'audit') and tablename !~ '^events_(default|[0-9_]+)$'`;
    for (const { name } of tables)
      expect([name, drawn.filter((table) => table === name).length]).toEqual([name, 1]);
    const [phi] = await sql<[{ columns: number }]>`
      select count(*)::integer as columns from pg_description
      where objsubid > 0 and description like 'PHI: %' and objoid in (
        select oid from pg_class where relkind in ('r', 'p') and not relispartition
          and relnamespace in ('public'::regnamespace, 'app'::regnamespace, 'audit'::regnamespace))`;
    expect(page.match(/ "PHI"$/gm)?.length).toBe(phi.columns);
  });
});

/** The lines that are not of the grammar: https://mermaid.js.org/syntax/entityRelationshipDiagram.html. */
function faultsOf([head = "", ...lines]: string[]): string[] {
  const faults = head === "erDiagram" ? [] : [head];
  let open = false;
  for (const line of lines) {
    const opens = /^ {2}[a-z]\w*(\["[a-z._]+"\])? \{$/.test(line);
    const closes = line === "  }";
    const good = open
      ? closes || /^ {4}[a-z]\w*(\[\])? [a-z]\w*( (PK|FK|UK)(, (PK|FK|UK))*)?( "[^"]*")?$/.test(line)
      : opens || /^ {2}[a-z]\w* (\|\||\|o)--(o\{|o\|) [a-z]\w* : "[a-z_, ]+"$/.test(line);
    if (!good) faults.push(line);
    open = closes ? false : open || opens;
  }
  return open ? [...faults, "left open"] : faults;
}
