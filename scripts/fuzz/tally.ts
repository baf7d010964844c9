// What a run did and what it found.

import type { Finding, Outcome } from "./verdicts.ts";

export interface Count {
  cases: number;
  done: number;
  refused: number;
  /** Refused before any code of ours: not JSON, not a type, no such function, no grant. */
  unheard: number;
}

export class Tally {
  readonly targets = new Map<string, Count>();
  readonly findings: Finding[] = [];
  readonly #kinds = new Set<string>();
  #unheard = 0;
  readonly #log: (line: string) => void;

  constructor(log: (line: string) => void = () => {}) {
    this.#log = log;
  }

  count(target: string, outcome: Outcome): void {
    const counts = this.targets.get(target) ?? { cases: 0, done: 0, refused: 0, unheard: 0 };
    counts.cases += 1;
    counts[outcome] += 1;
    this.targets.set(target, counts);
  }

  /** The first of each kind is kept: the others say no more. */
  find(finding: Finding): void {
    const kind = `${finding.target} ${finding.what}`;
    if (this.#kinds.has(kind)) {
      this.#unheard += 1;
      return;
    }
    this.#kinds.add(kind);
    const short = { ...finding, sent: finding.sent.slice(0, 2_000), seen: finding.seen.slice(0, 1_000) };
    this.findings.push(short);
    this.#log(`FOUND ${finding.target}: ${finding.what}: ${short.seen.slice(0, 200)}`);
  }

  /** How many findings were of a kind that was known by then. */
  get repeated(): number {
    return this.#unheard;
  }

  get cases(): number {
    return [...this.targets.values()].reduce((sum, { cases }) => sum + cases, 0);
  }
}
