import { expect, it } from "vitest";
import { runScript } from "../supabase/tests/support/run-script.ts";

it("npm run demo holds, is refused, confirms, cancels, searches, holds a series, shows the audit trail, and ends by itself", async () => {
  const { code, stdout, stderr } = await runScript("demo", []);
  expect(code, stderr).toBe(0);
  expect(stdout.match(/→ \d+/g)).toEqual(["→ 201", "→ 409", "→ 200", "→ 200", "→ 200", "→ 201"]);
  expect(stdout).toContain('"code": "therapist_conflict"');
  expect(stdout).toMatch(/hold\.created +allow/);
  expect(stdout).toMatch(/rpc\.hold_sessions +deny \(therapist_conflict\)/);
  expect(stdout).toMatch(/session\.cancelled +allow/);
  expect(stderr).toContain("stopped");
});
