import type { Reporter, TestModule, Vitest } from "vitest/node";

/** Ends the run with one plain line, `N passed, N failed`, that any reader of the output can count on. */
export default class SummaryReporter implements Reporter {
  private vitest: Vitest | undefined;

  onInit(vitest: Vitest): void {
    this.vitest = vitest;
  }

  onTestRunEnd(modules: readonly TestModule[], unhandledErrors: readonly unknown[]): void {
    let passed = 0;
    let skipped = 0;
    // A file that does not load and an error outside a test are failures too.
    let failed = unhandledErrors.length;
    for (const module of modules) {
      const states = [...module.children.allTests()].map((test) => test.result().state);
      passed += states.filter((state) => state === "passed").length;
      skipped += states.filter((state) => state === "skipped").length;
      failed += states.filter((state) => state === "failed" || state === "pending").length;
      failed += module.errors().length;
    }
    // After the default reporter has written its own summary.
    this.vitest?.onClose(() =>
      console.log(`${passed} passed, ${failed} failed${skipped ? `, ${skipped} skipped` : ""}`),
    );
  }
}
