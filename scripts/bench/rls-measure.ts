// Runs one query as a user under row-level security and as the tables' owner without it, in turn, and times both.
//
// The clock is in the server: a round trip through a client costs more than most of these statements, and would hide the
// difference. Each run is a transaction of its own that sets role and claims as PostgREST does, and the statement has
// PostgREST's form, one JSON document of the rows. Timed is the statement alone: parsing, planning, running.

import type { Sql } from "postgres";
import { type Query, type Role, sourceOf } from "./rls-cases.ts";

/** A user of a role, what the user asks for, and the claims of the user's access token. */
export interface Sample {
  claims: string;
  values: Record<string, string>;
}

/** How the statement reaches the server: prepared once a connection, as PostgREST does by default, or planned each time. */
export type Mode = "prepared" | "planned";

export interface Statements {
  rls: string;
  plain: string;
}

/** Microseconds of each run, both sides in the order they were made. */
export interface Timings {
  rls: number[];
  plain: number[];
}

export async function createMeasure(sql: Sql): Promise<void> {
  await sql.unsafe(`
    create schema if not exists bench;
    create or replace procedure bench.measure(
      rls text[], plain text[], claims text[], repetitions integer, inout rls_us float8[], inout plain_us float8[],
      inout differing integer)
    language plpgsql
    as $$
    declare
      sample integer;
      started timestamptz;
      bodies text[];
      body text;
      us float8;
    begin
      rls_us := '{}';
      plain_us := '{}';
      differing := 0;
      for run in 0 .. repetitions - 1 loop
        sample := run % cardinality(rls) + 1;
        bodies := '{}';
        for side in 0 .. 1 loop
          -- The first of a pair finds the caches colder: each side is first every other time.
          if (run + side) % 2 = 0 then
            perform set_config('role', 'authenticated', true), set_config('request.jwt.claims', claims[sample], true),
              set_config('request.method', 'GET', true), set_config('request.path', '/sessions', true);
            started := clock_timestamp();
            execute rls[sample] into body;
            us := extract(epoch from clock_timestamp() - started) * 1e6;
            rls_us := rls_us || us;
          else
            perform set_config('request.method', 'GET', true), set_config('request.path', '/sessions', true);
            started := clock_timestamp();
            execute plain[sample] into body;
            us := extract(epoch from clock_timestamp() - started) * 1e6;
            plain_us := plain_us || us;
          end if;
          bodies := bodies || body;
          commit;
        end loop;
        if bodies[1] is distinct from bodies[2] or bodies[1] is null then
          differing := differing + 1;
        end if;
      end loop;
    end
    $$;
  `);
}

/** Both forms of a query: as an app sends it, and with the rows the role may see spelt out. */
export function statementsOf(role: Role, query: Query): Statements {
  const { relation, columns, plain } = sourceOf(role);
  const statement = (from: string, filter: string): string =>
    query.count
      ? `select count(*)::text from ${from} where ${filter}`
      : `select coalesce(json_agg(row), '[]')::text from (
          select ${columns} from ${from} where ${filter} order by start_time, id
        ) row`;
  // A filter on the very column already stays within what the role sees: who writes by hand would not say it twice.
  const [column] = role.sees.split(" ");
  const within = query.filter.includes(`${column} = `);
  return {
    rls: statement(relation, query.filter),
    plain: statement(plain, within ? query.filter : `${query.filter} and ${role.sees}`),
  };
}

/** Times `repetitions` runs of each side over the samples, after two of each sample that are not counted. */
export async function measure(
  sql: Sql,
  { rls, plain }: Statements,
  samples: Sample[],
  mode: Mode,
  repetitions: number,
): Promise<Timings> {
  const calls = {
    rls: await callsOf(sql, "rls", rls, samples, mode),
    plain: await callsOf(sql, "plain", plain, samples, mode),
  };
  const claims = samples.map((sample) => sample.claims);
  const run = async (times: number): Promise<Timings> => {
    // Without parameters: inside a transaction, or as one extended query, the procedure could not commit.
    const [row] = await sql.unsafe<{ rls_us: number[]; plain_us: number[]; differing: number }[]>(
      `call bench.measure(${textArray(calls.rls)}, ${textArray(calls.plain)}, ${textArray(claims)}, ${times}, null, null, null)`,
    );
    if (!row) throw new Error("bench.measure gave no row");
    if (row.differing > 0) {
      throw new Error(`${row.differing} of ${times} runs gave other rows under RLS than without it: ${rls}`);
    }
    return { rls: row.rls_us, plain: row.plain_us };
  };
  await run(2 * samples.length);
  const timings = await run(repetitions);
  if (mode === "prepared") await sql.unsafe("deallocate rls; deallocate plain");
  return timings;
}

/** The text to execute for each sample. */
async function callsOf(
  sql: Sql,
  name: string,
  statement: string,
  samples: Sample[],
  mode: Mode,
): Promise<string[]> {
  const names = parametersOf(statement);
  if (mode === "planned")
    return samples.map((sample) => fill(statement, (key) => literal(parameterOf(sample, key))));
  await sql.unsafe(`prepare ${name} as ${fill(statement, (key) => `$${names.indexOf(key) + 1}`)}`);
  return samples.map(
    (sample) => `execute ${name} (${names.map((key) => literal(parameterOf(sample, key))).join(", ")})`,
  );
}

export interface PlanNode {
  "Node Type": string;
  "Relation Name"?: string;
  "Index Name"?: string;
  Plans?: PlanNode[];
}

/** The plan of a query under RLS, as the sample's user. Only the plan: nothing runs. */
export async function planUnderRls(sql: Sql, statement: string, sample: Sample): Promise<PlanNode> {
  const filled = fill(statement, (key) => literal(parameterOf(sample, key)));
  return sql.begin(async (transaction) => {
    await transaction`select set_config('role', 'authenticated', true), set_config('request.jwt.claims', ${sample.claims}, true)`;
    const [row] = await transaction.unsafe<{ "QUERY PLAN": { Plan: PlanNode }[] }[]>(
      `explain (format json) ${filled}`,
    );
    const plan = row?.["QUERY PLAN"][0]?.Plan;
    if (!plan) throw new Error("explain gave no plan");
    return plan;
  });
}

/** Every node of a plan, the root first. */
export function nodesOf(plan: PlanNode): PlanNode[] {
  return [plan, ...(plan.Plans ?? []).flatMap(nodesOf)];
}

function parametersOf(statement: string): string[] {
  return [...new Set([...statement.matchAll(parameter)].map((match) => match[1] ?? ""))];
}

/** `:name`, but not the second colon of a cast. */
const parameter = /(?<!:):([a-z_]+)/g;

function fill(statement: string, value: (key: string) => string): string {
  return statement.replace(parameter, (_, key: string) => value(key));
}

function parameterOf(sample: Sample, key: string): string {
  const value = sample.values[key];
  if (value === undefined) throw new Error(`a sample has no :${key}`);
  return value;
}

function literal(value: string): string {
  return `'${value.replaceAll("'", "''")}'`;
}

function textArray(values: string[]): string {
  return `array[${values.map(literal).join(", ")}]::text[]`;
}
