// The findings as an aligned table for people.

import type { Finding } from "./checks.ts";

// A longer cell, as the list of what the server logs, moves what is beside it and not the whole table.
const MAX_WIDTH = 60;

/** One line a finding: check, state, what was found, what to do. */
export function tableOf(findings: Finding[]): string {
  const lines = [
    ["check", "state", "found", "to do"],
    ...findings.map(({ name, state, found, todo }) => [name, state, found, todo]),
  ];
  const widths = [0, 1, 2].map((column) =>
    Math.max(...lines.map((line) => line[column]?.length ?? 0).filter((length) => length <= MAX_WIDTH)),
  );
  const text = lines
    .map((line) =>
      line
        .map((cell, column) => cell.padEnd(widths[column] ?? 0))
        .join("  ")
        .trimEnd(),
    )
    .join("\n");
  const count = (state: Finding["state"]): number => findings.filter((it) => it.state === state).length;
  return `${text}\n\n${count("ok")} ok, ${count("warn")} to look at, ${count("fail")} failed, ${count("by hand")} by hand\n`;
}
