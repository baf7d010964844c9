// The page says what the figures say, and the measurements that compare themselves do so at the smallest size. How long
// anything takes is not looked at.

import { existsSync, readFileSync } from "node:fs";
import postgres from "postgres";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { benchmarkOf, names } from "./bench/all.ts";
import { runBooking } from "./bench/booking.ts";
import * as booking from "./bench/booking-report.ts";
import { sides } from "./bench/booking-sides.ts";
import { indexedAfterwards } from "./bench/bulk-load.ts";
import { runFunctions } from "./bench/functions.ts";
import * as functions from "./bench/functions-report.ts";
import { sharing } from "./bench/harness.ts";
import { runHttp } from "./bench/http.ts";
import * as http from "./bench/http-report.ts";
import { pageFile, readReports, render } from "./bench/page.ts";
import { barChart, lineChart } from "./bench/plot.ts";
import { summarize } from "./bench/summary.ts";
import { type Stack, startStack } from "./stack/index.ts";

const all = Object.fromEntries(names.map((name) => [name, benchmarkOf(name)]));
const page = readFileSync(pageFile, "utf8");

describe("docs/benchmarks.md", () => {
  it("is what docs/benchmarks.json says, and so are its plots", async () => {
    for (const [file, text] of render(page, await readReports(), all, summarize)) {
      expect(existsSync(file), file).toBe(true);
      expect(readFileSync(file, "utf8") === text, `run \`npm run bench\`: ${file}`).toBe(true);
    }
  });

  it("shows every plot, and no others", async () => {
    const plotted = [...render(page, await readReports(), all, summarize).keys()].flatMap(
      (file) => file.match(/images\/[a-z-]+\.svg$/)?.[0] ?? [],
    );
    expect(plotted.length).toBeGreaterThan(4);
    const shown = [...page.matchAll(/!\[[^\]]+\]\((images\/[^)]+)\)/g)].map(([, file]) => file);
    expect(shown.sort()).toEqual(plotted.sort());
  });

  it("says of a changed figure that the page is old", async () => {
    const reports = structuredClone(await readReports());
    const growth = reports.growth as { points: { week: { times: { median: number } } }[] };
    for (const point of growth.points) point.week.times.median *= 2;
    expect(render(page, reports, all, summarize).get(pageFile.pathname)).not.toBe(page);
  });

  it("has no part without figures", async () => {
    const { booking: _, ...others } = await readReports();
    expect(() => render(page, others, all, summarize)).toThrow("has no booking");
  });
});

describe("a plot", () => {
  const charts = {
    lines: lineChart({
      title: "Two <lines>",
      description: 'One "up", one down',
      x: { label: "clients", log: true },
      y: { label: "a second" },
      lines: [
        { name: "up", points: [1, 10, 100].map((x) => ({ x, y: x })) },
        { name: "down", points: [1, 10, 100].map((x) => ({ x, y: 100 - x })) },
      ],
    }),
    bars: barChart({
      title: "Bars & parts",
      description: "Two bars",
      x: { label: "milliseconds" },
      bars: [
        {
          name: "a",
          parts: [
            { name: "one", value: 1 },
            { name: "two", value: 3 },
          ],
        },
        {
          name: "b",
          parts: [
            { name: "one", value: 2 },
            { name: "two", value: 0 },
          ],
        },
      ],
    }),
  };

  it.each(Object.entries(charts))("of %s has a title, a description, labels, and two grounds", (_, svg) => {
    expect(svg).toMatch(/role="img" aria-labelledby="title description"/);
    expect(svg).toMatch(/<title id="title">[^<]+<\/title>\n<desc id="description">[^<]+<\/desc>/);
    expect(svg).toContain("prefers-color-scheme: dark");
    expect(svg).not.toMatch(/NaN|undefined|<lines>|Infinity/);
    expect(svg).not.toMatch(/&(?!amp;|lt;|quot;)/);
  });

  it("puts greater values higher, and further to the right", () => {
    const [up = ""] = [...charts.lines.matchAll(/ d="(M[^"]+)"/g)].map(([, path]) => path);
    const heights = [...up.matchAll(/,([\d.]+)/g)].map(([, y]) => Number(y));
    expect(heights).toHaveLength(3);
    expect(heights).toEqual([...heights].sort((a, b) => b - a));
    const widths = [...charts.bars.matchAll(/<rect class="fill c\d"[^>]* width="([\d.]+)"/g)].map(([, w]) =>
      Number(w),
    );
    const [one = 0, three = 0, two = 0, none] = widths;
    expect([three / one, two / one, none].map((it) => Math.round((it ?? Number.NaN) * 10) / 10)).toEqual([
      3, 2, 0,
    ]);
  });
});

describe("on a stack", () => {
  let stack: Stack;
  beforeAll(async () => {
    stack = await startStack();
  });
  afterAll(() => stack?.stop());

  it("rows that are loaded before their indexes are under the table's constraints, and refused when they break one", async () => {
    const sql = postgres(stack.adminDatabaseUrl, { max: 1 });
    try {
      await sql`
      create temporary table visits (
        id integer primary key,
        during int4range,
        constraint visits_no_overlap exclude using gist (during with &&))`;
      const load = (...during: string[]): Promise<void> =>
        indexedAfterwards(
          sql,
          ["visits"],
          async () => {
            await sql`
            insert into visits (id, during)
            select number, during::int4range from unnest(${during}::text[]) with ordinality made (during, number)`;
          },
          ["select from visits one join visits other on one.id < other.id and one.during && other.during"],
        );
      await load("[1,3)", "[3,5)");
      expect(
        await sql`select from pg_index where indrelid = 'visits'::regclass and not (indisready and indisvalid)`,
      ).toHaveLength(0);
      await expect(sql`insert into visits values (3, '[4,6)')`).rejects.toThrow("visits_no_overlap");
      await expect(sql`insert into visits values (2, '[6,8)')`).rejects.toThrow("visits_pkey");
      await sql`truncate visits`;
      await expect(load("[1,4)", "[3,5)")).rejects.toThrow("made against the rules");
    } finally {
      await sql.end();
    }
  });

  /** Each has its own checks that its sides do the same work, and throws when they do not. `npm run bench -- --quick` runs the rest. */
  it("a booking by SQL and by HTTP and a function's start are measured at the smallest size, and no fault is found", async () => {
    const size = { rows: 2_000, repetitions: 3, seconds: 0.02, minutes: 0 };
    await sharing(stack, async () => {
      const booked = await runBooking({ ...size, repetitions: 1 }, [2]);
      expect(booked.memory.map(({ sides: those }) => those.map(({ side }) => side))).toEqual([[...sides]]);
      expect(booked.rowsOfABooking.confirm["public.sessions"]).toEqual({
        inserted: 1,
        updated: 0,
        deleted: 0,
      });
      expect(booking.fault(booked)).toBeUndefined();
      const texts = [
        booking.describe(booked),
        http.describe(await runHttp(size)),
        functions.describe(await runFunctions({ ...size, repetitions: 1 }, ["health"])),
      ];
      for (const text of texts) expect(text).not.toMatch(/undefined|NaN|null/);
    });
    const sql = postgres(stack.adminDatabaseUrl, { max: 1 });
    const faults = await sql`select fault, claim_id from app.ledger_faults()`.finally(() => sql.end());
    expect(faults).toHaveLength(0);
  });
});
