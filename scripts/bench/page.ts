// docs/benchmarks.json holds the figures; the parts of docs/benchmarks.md between the markers and the plots are made of it.

import { mkdir, readFile, writeFile } from "node:fs/promises";
import type { Benchmark } from "./benchmark.ts";

export type Reports = Record<string, unknown>;
type Benchmarks = Record<string, Pick<Benchmark<unknown>, "describe" | "plots">>;

const docs = new URL("../../docs/", import.meta.url);
export const pageFile = new URL("benchmarks.md", docs);
const jsonFile = new URL("benchmarks.json", docs);
const imageFile = (name: string): URL => new URL(`images/${name}`, docs);

export async function readReports(): Promise<Reports> {
  return JSON.parse(await readFile(jsonFile, "utf8"));
}

/** The page and the plots of these reports, each by its file. */
export function render(
  page: string,
  reports: Reports,
  benchmarks: Benchmarks,
  summary: (reports: Reports) => string,
): Map<string, string> {
  const files = new Map<string, string>();
  let text = replaceBlock(page, "summary", summary(reports));
  for (const [name, { describe, plots }] of Object.entries(benchmarks)) {
    const report = reports[name];
    if (report === undefined)
      throw new Error(`docs/benchmarks.json has no ${name}: npm run bench -- ${name}`);
    text = replaceBlock(text, name, describe(report));
    for (const [file, plot] of Object.entries(plots?.(report) ?? {}))
      files.set(imageFile(file).pathname, plot);
  }
  return files.set(pageFile.pathname, text);
}

/** Puts `text` between `<!-- name:start -->` and `<!-- name:end -->` of a page; what stands around them stays. */
export function replaceBlock(page: string, name: string, text: string): string {
  const [start, end] = [`<!-- ${name}:start -->`, `<!-- ${name}:end -->`];
  const [from, to] = [page.indexOf(start), page.indexOf(end)];
  if (from < 0 || to < from) throw new Error(`the page has no markers ${start} … ${end}`);
  return `${page.slice(0, from + start.length)}\n${text.trim()}\n${page.slice(to)}`;
}

/** Keeps one benchmark's report and makes page and plots anew. */
export async function keep(
  name: string,
  report: unknown,
  benchmarks: Benchmarks,
  summary: (reports: Reports) => string,
): Promise<void> {
  const reports = { ...(await readReports()), [name]: report };
  // A line a benchmark, so that a change of one shows as that.
  const lines = Object.entries(reports).map(
    ([it, figures]) => `"${it}": ${JSON.stringify(figures, shorter)}`,
  );
  await writeFile(jsonFile, `{\n${lines.join(",\n")}\n}\n`);
  const kept = await readReports();
  await mkdir(imageFile(""), { recursive: true });
  const page = await readFile(pageFile, "utf8");
  const known = Object.fromEntries(Object.entries(benchmarks).filter(([it]) => it in kept));
  for (const [file, text] of render(page, kept, known, summary)) await writeFile(file, text);
}

/** Microseconds have no more digits that mean something. */
const shorter = (_: string, value: unknown): unknown =>
  typeof value === "number" ? Number(value.toPrecision(9)) : value;
