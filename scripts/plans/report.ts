// What a run found, for the terminal, and for docs/plans.md after a full one.

import type { Finding } from "./judge.ts";

/** The findings of the same fault at the same place, as one line. */
export function linesOf(findings: readonly Finding[]): string[] {
  const places = new Map<string, Finding[]>();
  for (const finding of findings) {
    const place = `${finding.within} ${finding.fault}: ${finding.of}`;
    places.set(place, [...(places.get(place) ?? []), finding]);
  }
  return [...places].sort().map(([place, [first, ...others]]) => {
    const times = others.length > 0 ? `, ${others.length + 1} times` : "";
    return `${place} (${first?.detail}${times})\n    ${first?.text.trim().replace(/\s+/g, " ").slice(0, 300)}`;
  });
}

export interface Report {
  machine: string;
  sessions: number;
  organizations: number;
  /** How often a statement ran. */
  plans: number;
  /** Different statements, by pg_stat_statements. */
  statements: number;
  findings: string[];
}

export function describe({ machine, sessions, organizations, plans, statements, findings }: Report): string {
  const count = (value: number): string => value.toLocaleString("en");
  return [
    `${new Date().toISOString().slice(0, 10)}, ${machine}.`,
    `${count(sessions)} sessions of ${count(organizations)} organizations; ${count(plans)} plans of ${count(statements)} statements: ${
      findings.length === 0 ? "no fault." : `${findings.length} faults.`
    }`,
    ...(findings.length > 0 ? [["```text", ...findings, "```"].join("\n")] : []),
  ].join("\n\n");
}
