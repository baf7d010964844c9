// What is checked about the project as a whole: style, types, and that what stands in two places agrees.

import { execFile } from "node:child_process";
import { existsSync, readdirSync, readFileSync } from "node:fs";
import { fileURLToPath } from "node:url";
import { promisify } from "node:util";
import { describe, expect, it } from "vitest";
import { supabaseCli } from "../../../scripts/stack/migrations.ts";
import { generateTypes } from "../../../scripts/types.ts";
import { CONSTRAINT_PROBLEMS } from "../../../src/lib/constraints.ts";
import { sql, stack } from "../support/stack.ts";

const root = fileURLToPath(new URL("../../../", import.meta.url));
const read = (path: string): string => readFileSync(root + path, "utf8");

/** Runs a command of the project; a failure carries what it printed. */
async function run(command: string, ...args: string[]): Promise<string> {
  try {
    const { stdout } = await promisify(execFile)(`${root}node_modules/.bin/${command}`, args, {
      cwd: root,
      maxBuffer: 64 * 1024 * 1024,
    });
    return stdout;
  } catch (error) {
    const { stdout, stderr } = error as { stdout: string; stderr: string };
    throw new Error(`${command} ${args.join(" ")}\n${stdout}\n${stderr}`);
  }
}

describe("the code", { timeout: 600_000 }, () => {
  it("is linted and formatted", () => run("biome", "ci", "--error-on-warnings", "."));
  it("type-checks under Node", () => run("tsc", "--project", "."));
  it("type-checks in a browser: the page, without Node's types", () =>
    run("tsc", "--project", "src/page", "--noEmit"));
  it("type-checks under Deno", () => {
    const functions = readdirSync(`${root}supabase/functions`)
      .map((name) => `supabase/functions/${name}/index.ts`)
      .filter((path) => existsSync(root + path));
    return run(
      "deno",
      "check",
      ...functions,
      "scripts/bench/function-host.ts",
      "scripts/stack/functions-host.ts",
    );
  });

  it("can be installed on every platform: the lock has every optional package that a dependency names", () => {
    const { packages } = JSON.parse(read("package-lock.json")) as {
      packages: Record<string, { optionalDependencies?: Record<string, string> }>;
    };
    const named = Object.values(packages).flatMap((entry) => Object.keys(entry.optionalDependencies ?? {}));
    const locked = Object.keys(packages).map((path) => path.replace(/^.*node_modules\//, ""));
    expect(named.filter((name) => !locked.includes(name))).toEqual([]);
  });

  it("names every version once: Deno's import map has those of package.json", () => {
    const { imports } = JSON.parse(read("supabase/functions/import_map.json")) as {
      imports: Record<string, string>;
    };
    const { dependencies, devDependencies } = JSON.parse(read("package.json")) as Record<
      string,
      Record<string, string>
    >;
    const versions = { ...dependencies, ...devDependencies };
    for (const [name, target] of Object.entries(imports)) {
      const [, packageName = "", version] = target.match(/^npm:(@?[^@]+)@([^/]+)/) ?? [];
      expect(version, name).toBe(versions[packageName]);
    }
  });
});

describe("the database", () => {
  it("was migrated by a role that is not a superuser", async () => {
    const [role] = await sql`
      select rolsuper from pg_roles where rolname = current_user and current_user = 'postgres'`;
    expect(role).toEqual({ rolsuper: false });
    const strangers = await sql`
      select oid::regclass from pg_class
      where relnamespace in ('public'::regnamespace, 'app'::regnamespace, 'audit'::regnamespace)
        and relowner <> 'postgres'::regrole`;
    expect(strangers).toEqual([]);
  });

  it("gives the Supabase advisors nothing to warn of", async () => {
    const args = ["db", "advisors", "--level", "warn", "--fail-on", "warn", "--output", "json"];
    const output = await supabaseCli([...args, `--remote=${stack.databaseUrl}?sslmode=disable`]);
    expect(output).toBeDefined();
  });

  it("has the types of src/lib/database.types.ts (npm run types)", async () => {
    expect(await generateTypes(stack.databaseUrl)).toBe(read("src/lib/database.types.ts"));
  });

  it("has no constraint without a problem code in src/lib/constraints.ts, and no code without a constraint", async () => {
    const constraints = await sql<{ name: string }[]>`
      select distinct conname as name
      from pg_constraint
      where connamespace = 'public'::regnamespace and contype in ('c', 'f', 'p', 'u', 'x')
      union
      select indexrelid::regclass::text
      from pg_index
      join pg_class on pg_class.oid = indexrelid
      where relnamespace = 'public'::regnamespace and indisunique
        and not exists (select from pg_constraint where conindid = indexrelid)
      union
      -- What triggers enforce under a constraint's name.
      select unnest(array[
        'attendance_marks_only_added', 'authorization_entries_only_added', 'billing_batches_facts_stay', 'billing_batches_status_transition',
        'billing_cases_facts_stay', 'billing_cases_status_transition', 'billing_lines_facts_stay', 'billing_lines_status_transition',
        'sessions_frozen_while_billed', 'client_keys_destroyed_for_good', 'consent_forms_published_text_stays',
        'consent_forms_status_transition', 'consent_signatures_form_published', 'consent_signatures_immutable', 'documents_unchanged',
        'service_consents_form_published', 'services_code_of_sessions_stays', 'services_credentials_known',
        'session_notes_signed_after_start', 'session_notes_signed_for_good', 'session_note_versions_only_added', 'sessions_status_transition',
        'therapists_login_stays', 'user_roles_prolonged_by_another', 'user_roles_revoked_for_good', 'user_roles_within_granters_end'])`;
    expect(Object.keys(CONSTRAINT_PROBLEMS).sort()).toEqual(constraints.map(({ name }) => name).sort());
  });
});
