// Differences in words. What a live database calls its things is printed, but never obeyed: control characters that
// could steer a terminal are shown by their number.

import type { Difference, FactDifference } from "./compare.ts";
import type { Kind } from "./snapshot.ts";

const headings: Record<Kind, string> = {
  role: "Roles",
  schema: "Schemas",
  policy: "Policies",
  grant: "Grants",
  "default privilege": "Default privileges",
  function: "Functions",
  trigger: "Triggers",
  rule: "Rules",
  table: "Tables",
  column: "Columns",
  constraint: "Constraints",
  index: "Indexes",
  view: "Views",
  "materialized view": "Materialized views",
  sequence: "Sequences",
  type: "Types",
};

/** Lines of an unexpected function that are shown; `--json` has them all. */
const shownLines = 20;

/** The report that a person reads: `no drift`, or every difference under the heading of its kind. */
export function report(differences: Difference[]): string {
  if (differences.length === 0) return "no drift\n";
  const lines: string[] = [];
  let heading: Kind | undefined;
  for (const difference of differences) {
    if (difference.kind !== heading) lines.push("", headings[difference.kind]);
    heading = difference.kind;
    lines.push(
      `  ${difference.change}: ${difference.name}`,
      ...describe(difference).map((line) => `    ${line}`),
    );
  }
  const count = differences.length === 1 ? "1 difference" : `${differences.length} differences`;
  return `${printable([`drift: ${count}`, ...lines].join("\n"))}\n`;
}

function describe({ change, facts }: Difference): string[] {
  // What a missing item should be stands in the migrations.
  if (change === "missing") return [];
  return facts.flatMap(change === "changed" ? describeChange : describeFound);
}

function describeChange({ fact, expected, found }: FactDifference): string[] {
  if (![expected, found].some((value) => value?.includes("\n"))) {
    return [`${fact}: expected ${expected ?? "none"}, found ${found ?? "none"}`];
  }
  return [
    `${fact}: expected (-), found (+)`,
    ...changedLines(expected ?? "", found ?? "").map((line) => `  ${line}`),
  ];
}

function describeFound({ fact, found }: FactDifference): string[] {
  const lines = (found ?? "").split("\n");
  if (lines.length === 1) return [`${fact}: ${found}`];
  const rest = lines.length - shownLines;
  return [
    `${fact}:`,
    ...lines.slice(0, shownLines).map((line) => `  ${line}`),
    ...(rest > 0 ? [`  ... and ${rest} more lines`] : []),
  ];
}

/** The lines that only one of two texts has, `- ` the first's and `+ ` the second's, in the order of the text. */
export function changedLines(expected: string, found: string): string[] {
  const [a, b] = [expected.split("\n"), found.split("\n")];
  const common = longestCommon(a, b);
  const lines: string[] = [];
  let [i, j] = [0, 0];
  while (i < a.length || j < b.length) {
    if (i < a.length && j < b.length && a[i] === b[j]) {
      i++;
      j++;
    } else if (j >= b.length || (i < a.length && common(i + 1, j) >= common(i, j + 1))) {
      lines.push(`- ${a[i++]}`);
    } else {
      lines.push(`+ ${b[j++]}`);
    }
  }
  return lines;
}

/** How many lines the rests of two texts, from a line of each, have in common and in the same order. */
function longestCommon(a: string[], b: string[]): (i: number, j: number) => number {
  const width = b.length + 1;
  const lengths = new Uint32Array((a.length + 1) * width);
  const at = (i: number, j: number): number => lengths[i * width + j] ?? 0;
  for (let i = a.length - 1; i >= 0; i--) {
    for (let j = b.length - 1; j >= 0; j--) {
      lengths[i * width + j] = a[i] === b[j] ? at(i + 1, j + 1) + 1 : Math.max(at(i + 1, j), at(i, j + 1));
    }
  }
  return at;
}

function printable(text: string): string {
  return text.replace(
    /[^\P{C}\n\t]/gu,
    (character) => `\\u{${(character.codePointAt(0) ?? 0).toString(16)}}`,
  );
}
