import { defineConfig } from "vitest/config";

/** Files that give the modules they load another stack or another environment. */
const alone = [
  "supabase/functions/**/*.test.ts",
  "supabase/tests/leaks/*.test.ts",
  "supabase/tests/plans/*.test.ts",
];
const timeouts = { testTimeout: 120_000, hookTimeout: 120_000 };

// One stack serves every file: tests keep out of each other's way by each making a clinic of its own.
export default defineConfig({
  test: {
    globalSetup: "supabase/tests/support/global-setup.ts",
    reporters: ["default", "./supabase/tests/support/summary-reporter.ts"],
    maxWorkers: 4,
    projects: [
      {
        test: {
          name: "together",
          include: ["src/**/*.test.ts", "scripts/**/*.test.ts", "supabase/tests/**/*.test.ts"],
          exclude: alone,
          // What files import is loaded once a worker, which is a fifth of the time that all take.
          isolate: false,
          setupFiles: "supabase/tests/support/every-file.ts",
          ...timeouts,
        },
      },
      {
        test: {
          name: "alone",
          include: alone,
          setupFiles: "supabase/tests/support/every-file.ts",
          ...timeouts,
        },
      },
    ],
  },
});
