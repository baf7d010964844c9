// `npm run torture` itself, short: a run with every kind of fault finds nothing.

import { describe, expect, it } from "vitest";
import { FAULT_KINDS, faultsOf, stepsOf } from "../../../scripts/torture/plan.ts";
import type { Report } from "../../../scripts/torture/run.ts";
import { runTorture } from "../support/torture.ts";

const SCALE = { clinics: 2, slots: 60 };

describe("the plan of a seed", () => {
  const first = (seed: number, worker = 0) => {
    const steps = stepsOf(seed, worker, SCALE, false);
    return Array.from({ length: 50 }, () => steps.next().value);
  };

  it("is the same every time, and another for another seed or user", () => {
    expect(first(7)).toEqual(first(7));
    expect(first(8)).not.toEqual(first(7));
    expect(first(7, 1)).not.toEqual(first(7));
    expect(faultsOf(7, 20, 1000, SCALE)).toEqual(faultsOf(7, 20, 1000, SCALE));
    expect(faultsOf(8, 20, 1000, SCALE)).not.toEqual(faultsOf(7, 20, 1000, SCALE));
  });

  it("has every kind of fault before any comes again, in the order of the operations", () => {
    const faults = faultsOf(7, FAULT_KINDS.length + 5, 1000, SCALE);
    expect(faults.slice(0, FAULT_KINDS.length).map(({ kind }) => kind)).toHaveLength(FAULT_KINDS.length);
    expect(new Set(faults.slice(0, FAULT_KINDS.length).map(({ kind }) => kind)).size).toBe(
      FAULT_KINDS.length,
    );
    expect(faults.map(({ at }) => at)).toEqual(faults.map(({ at }) => at).sort((a, b) => a - b));
  });
});

describe("npm run torture", () => {
  it("finds nothing wrong after every kind of fault, over SQL and HTTP", { timeout: 180_000 }, async () => {
    const small = ["--operations", "300", "--faults", String(FAULT_KINDS.length), "--clinics", "2"];
    const { code, stdout, stderr, result } = await runTorture(
      ...small,
      "--users",
      "8",
      "--http-users",
      "2",
      "--seed",
      "11",
    );
    const report = result as Report;
    expect({ code, examples: report?.examples }, stderr + stdout).toEqual({ code: 0, examples: [] });
    expect(Object.keys(report.faults).sort()).toEqual([...FAULT_KINDS].sort());
    expect(report.operations).toBeGreaterThanOrEqual(300);
    expect(report.rows.sessions).toBeGreaterThan(0);
    expect(report.recovered).toBeGreaterThan(0);
    expect(stdout).toMatch(/^seed {10}11\n[\s\S]*\nanomalies {5}0 /);
  });

  it("refuses what it does not understand", async () => {
    const { code, stderr } = await runTorture("--operations", "many");
    expect([code, stderr]).toEqual([2, expect.stringContaining("usage:")]);
  });
});
