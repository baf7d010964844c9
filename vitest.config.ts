import { defineConfig } from "vitest/config";

// One stack serves every file: tests keep out of each other's way by each making a clinic of its own.
export default defineConfig({
  test: {
    include: [
      "src/**/*.test.ts",
      "supabase/functions/**/*.test.ts",
      "scripts/**/*.test.ts",
      "supabase/tests/**/*.test.ts",
    ],
    globalSetup: "supabase/tests/support/global-setup.ts",
    reporters: ["default", "./supabase/tests/support/summary-reporter.ts"],
    testTimeout: 60_000,
    hookTimeout: 60_000,
    maxWorkers: 4,
  },
});
