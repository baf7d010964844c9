import { execFile } from "node:child_process";
import { fileURLToPath } from "node:url";
import { promisify } from "node:util";
import { expect, it } from "vitest";

it("npm run demo holds, is refused, confirms, cancels, searches, holds a series, shows the audit trail, and ends by itself", async () => {
  const script = fileURLToPath(new URL("demo.ts", import.meta.url));
  const { stdout, stderr } = await promisify(execFile)(process.execPath, ["--import", "tsx", script]);
  expect(stdout.match(/→ \d+/g)).toEqual(["→ 201", "→ 409", "→ 200", "→ 200", "→ 200", "→ 201"]);
  expect(stdout).toContain('"code": "therapist_conflict"');
  expect(stdout).toMatch(/hold\.created +allow/);
  expect(stdout).toMatch(/rpc\.hold_sessions +deny \(therapist_conflict\)/);
  expect(stdout).toMatch(/session\.cancelled +allow/);
  expect(stderr).toContain("stopped");
});
