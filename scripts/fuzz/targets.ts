// What there is to fuzz, as the catalog, config.toml and the contracts say: what is new is fuzzed without a word here.

import { readdirSync, readFileSync } from "node:fs";
import type { Sql } from "postgres";
import { z } from "zod";
import { OPERATIONS } from "../openapi/operations.ts";
import { projectPath } from "../stack/paths.ts";

export interface Argument {
  name: string;
  type: string;
  isOptional: boolean;
}

/** A function of the API's schema that some role of the API may execute. */
export interface Rpc {
  name: string;
  args: Argument[];
  roles: string[];
  /** Every member of its request that the database's code speaks of. */
  vocabulary: string[];
  /** Of the argument `request`: the contract, where one has these members. */
  schema: z.ZodType | null;
}

export interface EdgeFunction {
  name: string;
  /** Null where it takes no body or its contract is its own. */
  schema: z.ZodType | null;
}

interface Contract {
  name: string;
  schema: z.ZodType;
}

/** The functions that config.toml names, with the contracts by which they are documented. */
export function edgeFunctions(): EdgeFunction[] {
  const config = readFileSync(projectPath("supabase", "config.toml"), "utf8");
  const names = [...config.matchAll(/^\[functions\.([\w-]+)\]/gm)].map(([, name]) => String(name));
  return names.sort().map((name) => ({ name, schema: OPERATIONS[name]?.request ?? null }));
}

export async function rpcs(sql: Sql): Promise<Rpc[]> {
  const [functions, schemas] = await Promise.all([exposed(sql), requestSchemas()]);
  const sources = await sourcesOf(sql);
  return functions.map((rpc) => {
    const vocabulary = vocabularyOf(rpc.name, sources);
    return { ...rpc, vocabulary, schema: named(schemas, rpc.name) ?? closest(schemas, vocabulary) };
  });
}

async function exposed(sql: Sql): Promise<Omit<Rpc, "vocabulary" | "schema">[]> {
  return sql<Omit<Rpc, "vocabulary" | "schema">[]>`
    select proc.proname as name,
      array(
        select role from unnest('{anon,authenticated,service_role}'::text[]) role
        where has_function_privilege(role, proc.oid, 'execute')) as roles,
      coalesce((
        select json_agg(json_build_object(
          'name', arg.name, 'type', arg.type::regtype::text,
          'isOptional', arg.place > proc.pronargs - proc.pronargdefaults) order by arg.place)
        from unnest(proc.proargnames, coalesce(proc.proallargtypes, proc.proargtypes::oid[]), proc.proargmodes)
          with ordinality as arg (name, type, mode, place)
        where coalesce(arg.mode, 'i') in ('i', 'b')), '[]') as args
    from pg_proc proc
    where proc.pronamespace = 'public'::regnamespace and proc.prorettype <> 'trigger'::regtype
      and exists (
        select from unnest('{anon,authenticated,service_role}'::text[]) role
        where has_function_privilege(role, proc.oid, 'execute'))
    order by 1`;
}

/** The bodies of the database's own functions by name. */
async function sourcesOf(sql: Sql): Promise<Map<string, string>> {
  const rows = await sql`
    select proname as name, string_agg(prosrc, ' ') as source
    from pg_proc where pronamespace in ('app'::regnamespace, 'public'::regnamespace)
    group by 1`;
  return new Map(rows.map(({ name, source }) => [name, source]));
}

/** What is asked of a request, `->> 'start_time'`, in the code of an operation and in all that it calls. */
function vocabularyOf(operation: string, sources: Map<string, string>): string[] {
  const found = new Set<string>();
  const seen = new Set<string>(["run_operation", "target_organization", "client_of", "refusal"]);
  const visit = (name: string): void => {
    const source = sources.get(name);
    if (source === undefined || seen.has(name)) return;
    seen.add(name);
    // What has no request to read has no members of it to name.
    if (name !== operation && !/\brequest\b|\bitem\b|\boccurrence\b/.test(source)) return;
    for (const [, member] of source.matchAll(/->>? ?'(\w+)'/g)) found.add(String(member));
    for (const [, called] of source.matchAll(/\bapp\.(\w+) ?\(/g)) visit(String(called));
  };
  visit(operation);
  // The thin RPC and the operation behind it have one name.
  const inner = sources.get(operation) ?? "";
  for (const [, member] of inner.matchAll(/->>? ?'(\w+)'/g)) found.add(String(member));
  return [...found].sort();
}

/** Every contract of a request that src/lib exports. */
async function requestSchemas(): Promise<Contract[]> {
  const files = readdirSync(projectPath("src", "lib")).filter((name) => /^[\w-]+\.ts$/.test(name));
  const sources = files.filter((name) => /export const \w+RequestSchema/.test(read(name)));
  const modules = await Promise.all(
    sources.map((name) => import(/* @vite-ignore */ `../../src/lib/${name}`)),
  );
  return modules.flatMap((module) =>
    Object.entries(module).flatMap(([name, value]) =>
      name.endsWith("RequestSchema") && value instanceof z.ZodType
        ? variantsOf(value).map((schema) => ({ name, schema }))
        : [],
    ),
  );
}

/** The contract of the function or of the RPC by its name. */
function named(contracts: Contract[], rpc: string): z.ZodType | null {
  const camel = rpc.replace(/_([a-z])/g, (_, letter: string) => letter.toUpperCase());
  const found = contracts.find(({ name }) => name === `${camel}RequestSchema`)?.schema;
  return OPERATIONS[rpc.replaceAll("_", "-")]?.request ?? found ?? null;
}

const read = (name: string): string => readFileSync(projectPath("src", "lib", name), "utf8");

/** A contract that is one of several is each of them. */
function variantsOf(schema: z.ZodType): z.ZodType[] {
  const { def } = schema._zod as unknown as { def: { type: string; options?: z.ZodType[] } };
  return def.type === "union" ? (def.options ?? []).flatMap(variantsOf) : [schema];
}

/** The contract whose members are those of the vocabulary, as far as any is. */
function closest(contracts: Contract[], vocabulary: string[]): z.ZodType | null {
  let best: { schema: z.ZodType | null; likeness: number } = { schema: null, likeness: 0.25 };
  for (const { schema } of contracts) {
    const { shape } = schema._zod.def as unknown as { shape?: Record<string, unknown> };
    const members = Object.keys(shape ?? {}).filter((name) => name !== "action");
    const shared = members.filter((name) => vocabulary.includes(name)).length;
    // Every member counts; of the vocabulary, which names more than one operation may take, less.
    const likeness = shared / (members.length + 0.3 * (vocabulary.length - shared) || 1);
    if (likeness > best.likeness) best = { schema, likeness };
  }
  return best.schema;
}
