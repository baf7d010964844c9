// SQL injection where a caller's words come near SQL: filters, ordering, columns, limits and headers of REST, arguments of RPCs,
// paths of Storage, fields of Auth. No clock is asked whether one worked: each would call a function that counts.

import fc from "fast-check";
import type { Sql } from "postgres";
import { tokenOf } from "./callers.ts";
import { differences, digestOf } from "./digest.ts";
import { type Answer, exchange } from "./http.ts";
import { INJECTIONS } from "./injections.ts";
import type { Target } from "./stack.ts";
import type { Tally } from "./tally.ts";
import { faultsOfSuccess, jsonOf } from "./verdicts.ts";
import type { World } from "./world.ts";

const DEADLINE_MS = 30_000;
const BATCH = 25;

interface Attempt {
  target: string;
  method: string;
  path: string;
  headers: [string, string][];
  body: string;
}

/** Gives every role a function that counts its calls, beyond any rollback. */
export async function plantProbe(sql: Sql): Promise<void> {
  await sql.unsafe(`
    create sequence app.fuzz_probes minvalue 0 start 0;
    create function public.fuzz_probe() returns text language sql volatile security definer set search_path = '' as
      $$ select nextval('app.fuzz_probes')::text $$;
    grant execute on function public.fuzz_probe to anon, authenticated, service_role`);
}

/** How often anything called it. */
export async function probes(sql: Sql): Promise<number> {
  const [row] =
    await sql`select case when is_called then last_value + 1 else 0 end as calls from app.fuzz_probes`;
  return Number(row?.calls);
}

export async function injectOverRest(
  sql: Sql,
  stack: Target,
  world: World,
  { cases, seed }: { cases: number; seed: number },
  tally: Tally,
): Promise<void> {
  const tables = await readable(sql);
  const authorization = `Bearer ${await tokenOf(stack.keys, stack.url, world.home.people.admin)}`;
  const drawn = fc.sample(attempts(tables), { numRuns: cases, seed });
  for (let from = 0; from < drawn.length; from += BATCH) {
    const batch = drawn.slice(from, from + BATCH);
    const before = await digestOf(sql, world);
    const called = await probes(sql);
    for (const attempt of batch) await make(stack, world, attempt, authorization, tally);
    const changed = differences(before, await digestOf(sql, world));
    const sent = batch.map(({ method, path, body }) => `${method} ${path} ${body}`).join("\n");
    const found = { target: "injection", caller: "admin", sent };
    if (changed.length > 0) tally.find({ ...found, what: "something was written", seen: changed.join(", ") });
    if ((await probes(sql)) > called)
      tally.find({ ...found, what: "SQL of the caller was run", seen: "the probe was called" });
  }
}

/** Tables and views of the API with the columns that somebody signed in may read. */
async function readable(sql: Sql): Promise<{ name: string; columns: string[] }[]> {
  return sql<{ name: string; columns: string[] }[]>`
    select relation.relname as name, array_agg(attribute.attname::text) as columns
    from pg_class relation
    join pg_attribute attribute on attribute.attrelid = relation.oid and attnum > 0 and not attisdropped
    where relation.relnamespace = 'public'::regnamespace and relation.relkind in ('r', 'p', 'v')
      and has_column_privilege('authenticated', relation.oid, attnum, 'select')
    group by 1
    order by 1`;
}

/** Spelled as an attacker would: percent-encoded, but for what may stand in a URL as it is. */
const spelled = (text: string): string =>
  encodeURIComponent(text).replace(/%2C/g, ",").replace(/%28/g, "(").replace(/%29/g, ")");

function attempts(tables: { name: string; columns: string[] }[]): fc.Arbitrary<Attempt> {
  const injection = fc.constantFrom(...INJECTIONS);
  const column = fc
    .constantFrom(...tables)
    .chain(({ name, columns }) => fc.tuple(fc.constant(name), fc.constantFrom(...columns)));
  const query = fc
    .tuple(
      column,
      injection,
      fc.constantFrom(...QUERIES),
      fc.constantFrom("GET", "GET", "GET", "DELETE", "PATCH"),
    )
    .map(
      ([[table, name], text, spell, method]): Attempt => ({
        target: "rest",
        method,
        path: `/rest/v1/${table}?${spell(name, spelled(text))}`,
        headers: [],
        body: method === "PATCH" ? "{}" : "",
      }),
    );
  const header = fc
    .tuple(
      column,
      injection,
      fc.constantFrom(
        "range",
        "prefer",
        "accept-profile",
        "accept",
        "x-request-id",
        "x-client-info",
        "user-agent",
      ),
    )
    .map(
      ([[table], text, name]): Attempt => ({
        target: "rest",
        method: "GET",
        path: `/rest/v1/${table}?limit=1`,
        headers: [[name, text.replace(/[^\x20-\x7e]/g, "?")]],
        body: "",
      }),
    );
  const elsewhere = fc
    .tuple(injection, fc.constantFrom(...PLACES))
    .map(([text, place]) => place(text, spelled(text)));
  return fc.oneof(
    { weight: 6, arbitrary: query },
    { weight: 1, arbitrary: header },
    { weight: 2, arbitrary: elsewhere },
  );
}

const QUERIES: ((column: string, text: string) => string)[] = [
  (column, text) => `${column}=eq.${text}`,
  (column, text) => `${column}=neq.${text}`,
  (column, text) => `${column}=in.(${text})`,
  (column, text) => `${column}=in.("${text}")`,
  (column, text) => `${column}=like.${text}`,
  (column, text) => `${column}=is.${text}`,
  (column, text) => `${column}=fts.${text}`,
  (column, text) => `${column}=cs.{${text}}`,
  (column, text) => `${column}=not.eq.${text}`,
  (column, text) => `${column}=${text}`,
  (column, text) => `or=(${column}.eq.${text},${text})`,
  (column, text) => `and=(${column}.eq.1,or(${text}))`,
  (column, text) => `${text}=eq.${column}`,
  (column, text) => `order=${column}.${text}`,
  (_, text) => `order=${text}`,
  (_, text) => `select=${text}`,
  (column, text) => `select=${column},${text}`,
  (column, text) => `select=${column}::${text}`,
  (column, text) => `select=${text}:${column}`,
  (column, text) => `select=${column}->>${text}`,
  (_, text) => `limit=${text}`,
  (_, text) => `offset=${text}`,
  (_, text) => `columns=${text}`,
  (_, text) => `on_conflict=${text}`,
  (column, text) => `select=organizations(${column},${text})`,
];

const post = (target: string, path: string, body: object): Attempt => ({
  target,
  method: "POST",
  path,
  headers: [["content-type", "application/json"]],
  body: JSON.stringify(body),
});
const get = (target: string, path: string): Attempt => ({
  target,
  method: "GET",
  path,
  headers: [],
  body: "",
});
const PLACES: ((text: string, spelled: string) => Attempt)[] = [
  (_, spelled) => get("rest", `/rest/v1/${spelled}`),
  (_, spelled) => get("rest", `/rest/v1/rpc/${spelled}`),
  (_, spelled) => get("rest", `/rest/v1/rpc/list_audit_events?organization=${spelled}`),
  (text) =>
    post("rest", "/rest/v1/rpc/read_clients", {
      request: { organization_id: text, search: text },
      idempotency_key: text,
    }),
  (text) => post("rest", "/rest/v1/rpc/list_audit_events", { organization: text, [text]: text }),
  (text) =>
    post("functions", "/functions/v1/sessions-hold", {
      client_id: text,
      service_code: text,
      time_zone: text,
    }),
  (text) =>
    post("functions", "/functions/v1/sessions-cancel", {
      session_ids: [text],
      reason: text,
      cancelled_by: "clinic",
    }),
  (_, spelled) => get("functions", `/functions/v1/${spelled}`),
  (_, spelled) => get("storage", `/storage/v1/object/authenticated/client-documents/${spelled}`),
  (_, spelled) => get("storage", `/storage/v1/object/${spelled}/x`),
  (text) =>
    post("storage", "/storage/v1/object/list/client-documents", {
      prefix: text,
      search: text,
      sortBy: { column: text, order: text },
    }),
  (text) => post("storage", "/storage/v1/object/sign/client-documents/x", { expiresIn: text }),
  (text) =>
    post("auth", "/auth/v1/token?grant_type=password", { email: `${text}@test.example`, password: text }),
  (text) => post("auth", "/auth/v1/token?grant_type=refresh_token", { refresh_token: text }),
  (text) => post("auth", "/auth/v1/recover", { email: text }),
];

async function make(
  stack: Target,
  world: World,
  attempt: Attempt,
  authorization: string,
  tally: Tally,
): Promise<void> {
  const { target, method, path, headers, body } = attempt;
  const given = new Set(headers.map(([name]) => name));
  const all: [string, string][] = [
    ["apikey", stack.keys.publishableKey],
    ["authorization", authorization],
  ];
  const sent = {
    method,
    path,
    headers: [...all.filter(([name]) => !given.has(name)), ...headers],
    body: Buffer.from(body),
  };
  let answer: Answer;
  try {
    answer = await exchange(stack.url, sent, DEADLINE_MS);
  } catch (error) {
    answer = { status: 0, headers: {}, body: String(error) };
  }
  const name = `injection: ${target}`;
  tally.count(name, answer.status < 300 ? "done" : "refused");
  for (const what of faultsOf(answer, `${path} ${body}`, world)) {
    const seen = `${answer.status} ${answer.body}`;
    tally.find({
      target: name,
      caller: "admin",
      sent: `${method} ${decodeURI(path)} ${JSON.stringify(headers)} ${body}`,
      what,
      seen,
    });
  }
}

function faultsOf({ status, body }: Answer, sent: string, world: World): string[] {
  const { code, message } = (jsonOf(body) ?? {}) as { code?: unknown; message?: unknown };
  // Where PostgREST says 400 to what it cannot parse, the local API server says this; the database has not heard of it.
  const isUnparsed = code === "SUP" || body.startsWith('{"error":"server_error"');
  // To change what is a summary of many rows Postgres refuses before it asks who may.
  const isView = code === "55000" && /^cannot (delete from|update) view/.test(String(message));
  // The type of a cast stands in SQL as it is, for PostgREST too, which takes only letters and digits.
  const [, near] = /^syntax error at or near "(\w+)"$/.exec(String(message)) ?? [];
  const isTypeName = near !== undefined && sent.includes(`::${near}`);
  return [
    ...(status === 0 || (status >= 500 && !isUnparsed && !isView) ? [`${status}: ${body.slice(0, 80)}`] : []),
    // The words of the caller were read as SQL, and not as a value.
    ...(code === "42601" && !/ in tsquery/.test(String(message)) && !isTypeName ? ["is read as SQL"] : []),
    ...faultsOfSuccess(body, sent, world),
    // What is PHI, REST shows to nobody.
    ...(body.includes(world.home.word) ? ["shows PHI"] : []),
  ];
}
