// Mutation: drops each policy, and turns each into `true`, one at a time, and reports which changes no test notices.
//
// On a stack of its own. Each mutant lives in the transaction of a pgTAP file, which rolls it back. 10-catalog is left
// out on purpose: it reads the policies' text, and what is asked here is whether behaviour is tested.

import { readdirSync, readFileSync } from "node:fs";
import { fileURLToPath } from "node:url";
import postgres, { type Sql } from "postgres";
import { argumentsOf } from "../../../scripts/arguments.ts";
import { startStack } from "../../../scripts/stack/index.ts";

interface Policy {
  table: string;
  name: string;
  command: string;
  /** Has the clause, and one that is not `true` as it is. */
  has_using: boolean;
  has_check: boolean;
}

interface Mutant {
  table: string;
  what: string;
  statement: string;
}

const { positionals } = argumentsOf("Usage: npm run mutation -- [part of a table's name]\n", {
  allowPositionals: true,
});
const folder = fileURLToPath(new URL("../database/", import.meta.url));
const all = readdirSync(folder)
  .filter((name) => name.endsWith(".test.sql"))
  .sort();
/** Those that commit what the others stand on. */
const groundwork = all.filter((name) => /^(00|88|89)/.test(name));
/** The cheapest first: one that notices is enough. */
const files = [
  ...all.filter((name) => /^(9[1-9]|20|30)/.test(name)),
  ...all.filter((name) => /^(90|7)/.test(name)),
];

const stack = await startStack({ functions: false });
try {
  const db = postgres(stack.databaseUrl, { max: 1, onnotice: () => {} });
  await db`create extension if not exists pgtap with schema extensions`;
  for (const file of groundwork) await db.unsafe(readFileSync(folder + file, "utf8")).simple();
  const alive = new Map<string, Set<string>>();
  for (const file of files) alive.set(file, new Set(await failures(db, file)));
  for (const [file, failing] of alive) {
    for (const name of failing) console.log(`fails without any mutant: ${file}: ${name}`);
  }

  const survivors: Mutant[] = [];
  const mutants = (await mutantsOf(db)).filter((mutant) => mutant.table.includes(positionals[0] ?? ""));
  for (const mutant of mutants) {
    const noticed = await noticedBy(db, mutant, alive);
    console.log(
      `${noticed ? "killed  " : "SURVIVED"} ${mutant.table}: ${mutant.what}${noticed ? ` (${noticed})` : ""}`,
    );
    if (!noticed) survivors.push(mutant);
  }
  const killed = mutants.length - survivors.length;
  console.log(
    `${killed} of ${mutants.length} mutants killed: ${((100 * killed) / mutants.length).toFixed(1)} %`,
  );
  await db.end();
} finally {
  await stack.stop();
}

async function mutantsOf(db: Sql): Promise<Mutant[]> {
  const policies = await db<Policy[]>`
    select tablename as table, policyname as name, cmd as command, coalesce(qual <> 'true', false) as has_using,
      coalesce(with_check <> 'true', false) as has_check
    from pg_policies
    where schemaname = 'public'
    order by tablename, policyname`;
  return policies.flatMap(({ table, name, command, has_using, has_check }) => {
    const policy = `"${name.replaceAll('"', '""')}" on public.${table}`;
    const of = (change: string, statement: string): Mutant => ({
      table,
      what: `${command} "${name}" ${change}`,
      statement,
    });
    return [
      of("dropped", `drop policy ${policy}`),
      ...(has_using ? [of("using (true)", `alter policy ${policy} using (true)`)] : []),
      ...(has_check ? [of("with check (true)", `alter policy ${policy} with check (true)`)] : []),
    ];
  });
}

/** The file and test that fail with the mutant and do not without it. */
async function noticedBy(
  db: Sql,
  mutant: Mutant,
  alive: Map<string, Set<string>>,
): Promise<string | undefined> {
  for (const file of files) {
    const before = `set local access.chosen = '${mutant.table}'; ${mutant.statement};`;
    const failed = await failures(db, file, before);
    const found = failed.find((name) => !alive.get(file)?.has(name));
    if (found) return `${file}: ${found}`;
  }
  return undefined;
}

/** The names of a file's failing tests, or the error it stopped at, after `first` in the same transaction. */
async function failures(db: Sql, file: string, first = ""): Promise<string[]> {
  // Apart from the file: a mutant that cannot be made is an error here, not a mutant that is noticed.
  await db.unsafe(`begin; ${first}`).simple();
  try {
    const results = await db.unsafe(readFileSync(folder + file, "utf8")).simple();
    return results
      .flat(2)
      .flatMap((row) => (row && typeof row === "object" ? Object.values(row) : []))
      .filter((line): line is string => typeof line === "string")
      .flatMap((line) => /^not ok \d+ - (.*)/.exec(line)?.[1] ?? []);
  } catch (error) {
    return [`stopped: ${error instanceof Error ? error.message : String(error)}`];
  } finally {
    await db.unsafe("rollback").simple();
  }
}
