import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import fc from "fast-check";
import postgres, { type Sql } from "postgres";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { startOwnStack } from "../supabase/tests/support/own-stack.ts";
import { runScript } from "../supabase/tests/support/run-script.ts";
import { parseCsv } from "./reference/csv.ts";
import { readReference } from "./reference/read.ts";
import type { Stack } from "./stack/index.ts";

let stack: Stack;
let sql: Sql;
let folder: string;

beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), "reference-"));
  stack = await startOwnStack({ functions: false });
  sql = postgres(stack.databaseUrl, { max: 1, onnotice: () => {} });
});
afterAll(async () => {
  await sql.end();
  await stack.stop();
  await rm(folder, { recursive: true });
});

/** The command as a user runs it. */
const run = (...options: string[]) => runScript("reference", options);
async function load(lines: string[], ...options: string[]) {
  const path = join(folder, "file.csv");
  await writeFile(path, lines.join("\n"));
  return run("load", path, "--remote", stack.databaseUrl, ...options);
}
const limits = () => sql`
  select units_per_day, starts_on::text, ends_on::text from public.mue_limits
  where cpt_code = '97151' and programme = 'commercial' order by starts_on`;
const loads = async () =>
  (await sql`select details from audit.events where action = 'reference.loaded'`).length;
const LIMITS = "cpt_code,programme,units_per_day,starts_on,ends_on,source";

describe("a file of limits", () => {
  const file = [LIMITS, '97151,commercial,12,2027-01-01,,"CMS, 2027"', "97151,commercial,16,2028-01-01,,CMS"];

  it("is refused as a whole when rows are bad, each named with its line and column", async () => {
    const before = await limits();
    const bad = [
      ...file.slice(0, 2),
      "9715,commercial,0,2027-02-30,,",
      "97151,medicaid,8,2027-01-01,2026-01-01,x",
    ];
    const { code, stderr } = await load(bad);
    expect(code).toBe(1);
    expect(
      stderr
        .trim()
        .split("\n")
        .map((line) => line.replace(/^.*file\.csv:/, "")),
    ).toEqual([
      "3: cpt_code: is not a CPT code like 97153 or 0373T",
      "3: units_per_day: is not a number from 1 to 96",
      "3: starts_on: is not a day like 2027-01-31",
      "3: source: 1 to 200 characters are asked for",
      "4: ends_on: is before starts_on",
    ]);
    expect(await limits()).toEqual(before);
  });

  it("is shown and not written in a dry run; loaded, it ends what it follows, with one event", async () => {
    const [before, events] = [await limits(), await loads()];
    const shown = await load(file.slice(0, 2), "--dry-run");
    expect(shown).toMatchObject({ code: 0, stderr: "" });
    expect(shown.stdout.trim().split("\n")).toEqual([
      "ended 97151 commercial 2021-01-01: ends_on - -> 2026-12-31",
      "added 97151 commercial 2027-01-01: units_per_day 12, ends_on -, source CMS, 2027",
      "mue_limits: 2 to change.",
    ]);
    expect([await limits(), await loads()]).toEqual([before, events]);

    expect((await load(file.slice(0, 2))).code).toBe(0);
    expect(await limits()).toEqual([
      { units_per_day: 8, starts_on: "2021-01-01", ends_on: "2026-12-31" },
      { units_per_day: 12, starts_on: "2027-01-01", ends_on: null },
    ]);
    expect(await loads()).toBe(events + 1);
    const again = await load(file.slice(0, 2));
    expect(again.stdout.trim()).toBe("mue_limits: 0 changed.");
    expect(await loads()).toBe(events + 1);
  });

  it("is refused when two of its rows hold on one day, and when a code is unknown", async () => {
    const before = await limits();
    expect(await load(file)).toMatchObject({
      code: 1,
      stderr: expect.stringContaining("mue_limits_one_a_day"),
    });
    const unknown = [LIMITS, "99999,commercial,12,2027-01-01,,CMS"];
    expect(await load(unknown)).toMatchObject({
      code: 1,
      stderr: expect.stringContaining("mue_limits_cpt_code_fkey"),
    });
    expect(await limits()).toEqual(before);
  });
});

describe("other files", () => {
  it.each([
    [["code,description,level,modifier", "QASP,A qualified autism professional,2,HN"], "added QASP"],
    [["modifier,level,code,description", "HM,1,RBT,Registered technician"], "changed RBT"],
    [["code,description,is_telehealth", "15,In a mobile unit,false"], "added 15"],
    [
      [
        "code,description,minimum_level,starts_on,ends_on",
        "97158,Group treatment with protocol modification,2,2019-01-01,2030-12-31",
      ],
      "ended 97158",
    ],
  ])("are told by their header: %j", async (lines, first) => {
    const { code, stdout } = await load(lines);
    expect([code, stdout.slice(0, first.length)]).toEqual([0, first]);
    expect((await load(lines)).stdout).toMatch(/: 0 changed\.\n$/);
  });

  it("are refused without a header that is known", async () => {
    const { code, stderr } = await load(["code,name", "1,2"]);
    expect([code, stderr]).toEqual([
      1,
      expect.stringContaining("file.csv:1: the header is that of no kind of file"),
    ]);
  });
});

describe("the command", () => {
  it.each([
    [[]],
    [["load"]],
    [["load", "x.csv"]],
    [["load", "x.csv", "--local", "--remote", "postgres://h/d"]],
    [["load", "x.csv", "--what"]],
  ])("explains itself when it is called with %j", async (options) => {
    expect(await run(...options)).toMatchObject({
      code: 2,
      stdout: "",
      stderr: expect.stringContaining("Usage:"),
    });
  });

  it("does not show the password of a database that it cannot reach", async () => {
    const { code, stderr } = await load([LIMITS], "--remote", "postgres://user:hunter2@127.0.0.1:1/postgres");
    expect([code, stderr]).toEqual([2, expect.stringContaining("ECONNREFUSED")]);
    expect(stderr).not.toContain("hunter2");
  });
});

describe("CSV", () => {
  it("is read as RFC 4180 writes it", () => {
    const quoted = (cell: string) => `"${cell.replaceAll('"', '""')}"`;
    const cell = fc.string({ unit: fc.constantFrom("a", '"', ",", "\n", "\r", " ", "é") });
    const rows = fc.array(fc.array(cell, { minLength: 2, maxLength: 4 }), { minLength: 1 });
    fc.assert(
      fc.property(rows, fc.constantFrom("\n", "\r\n"), fc.boolean(), (given, newline, endsInOne) => {
        const text =
          given.map((cells) => cells.map(quoted).join(",")).join(newline) + (endsInOne ? newline : "");
        expect(parseCsv(text).map(({ cells }) => cells)).toEqual(given);
      }),
    );
  });

  it("counts lines, quoted ones too, and skips empty lines and a byte order mark", () => {
    expect(parseCsv('\uFEFFa,b\n\n"x\ny",1\nz,\n')).toEqual([
      { line: 1, cells: ["a", "b"] },
      { line: 3, cells: ["x\ny", "1"] },
      { line: 5, cells: ["z", ""] },
    ]);
  });

  it.each(['a,b\nc,"d', 'a,b\nc"d,e', 'a,b\n"c"d,e'])("is refused where a quote is astray: %j", (text) => {
    expect(readReference(text)).toEqual([expect.objectContaining({ line: 2, column: "" })]);
  });

  it("is refused when a row has more cells than the header, or stands there twice", () => {
    const places = "code,description,is_telehealth\n";
    expect(readReference(`${places}15,x,false,y`)).toEqual([expect.objectContaining({ line: 2 })]);
    expect(readReference(`${places}15,x,false\n15,y,maybe\n15,z,true`)).toEqual([
      { line: 3, column: "is_telehealth", message: "is neither true nor false" },
      { line: 4, column: "code", message: "the file has this row already" },
    ]);
  });
});
