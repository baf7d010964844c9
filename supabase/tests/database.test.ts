// Runs the pgTAP files of supabase/tests/database, each in a session of its own as role postgres, and reports every
// assertion as a test. With Docker, `supabase test db` runs the same files.

import { readdirSync, readFileSync } from "node:fs";
import { fileURLToPath } from "node:url";
import postgres from "postgres";
import { Parser } from "tap-parser";
import { describe, expect, it } from "vitest";
import { sql, stack } from "./support/stack.ts";

const folder = fileURLToPath(new URL("database/", import.meta.url));
const files = readdirSync(folder)
  .filter((name) => name.endsWith(".test.sql"))
  .sort();

await sql`create extension if not exists pgtap with schema extensions`;
for (const file of files) {
  const { assertions, failure } = await run(file);
  describe(file, () => {
    for (const { name, ok, diag } of assertions) {
      it(name, () => expect(ok, JSON.stringify(diag, null, 2)).toBe(true));
    }
    it("ran to its end, with as many assertions as planned", () => expect(failure).toBeUndefined());
  });
}

interface Assertion {
  name: string;
  ok: boolean;
  diag: unknown;
}

async function run(file: string): Promise<{ assertions: Assertion[]; failure: string | undefined }> {
  const client = postgres(stack.databaseUrl, { max: 1, onnotice: () => {} });
  const assertions: Assertion[] = [];
  let failure: string | undefined;
  const parser = new Parser((results) => {
    if (results.failures.some((one) => "tapError" in one)) failure = JSON.stringify(results.failures);
    else if (results.plan.start === null) failure = "no plan";
  });
  parser.on("assert", ({ id, name, ok, diag }) =>
    assertions.push({ name: name || `assertion ${id}`, ok, diag }),
  );
  try {
    const results = await client.unsafe(readFileSync(folder + file, "utf8")).simple();
    for (const line of tapLines(results)) parser.write(`${line}\n`);
    parser.end();
  } catch (error) {
    failure = error instanceof Error ? error.message : String(error);
  } finally {
    await client.end();
  }
  return { assertions, failure };
}

/** What a file's statements returned, in order: pgTAP's functions answer in TAP, one text column. */
function tapLines(results: readonly unknown[]): string[] {
  return results
    .flat(2)
    .flatMap((row) => (row && typeof row === "object" ? Object.values(row) : []))
    .filter((value) => typeof value === "string");
}
