// Nothing leaks: everything that the project does is done once with marked PHI, then again by somebody who may not, and
// with marks in every field. After that no mark is anywhere but in the columns that are for it.

import { readFile } from "node:fs/promises";
import { join } from "node:path";
import postgres, { type Sql } from "postgres";
import { afterAll, beforeAll, describe, expect, inject, it } from "vitest";
import { functionNames } from "../../../scripts/stack/functions.ts";
import { type FunctionsHost, type Stack, startFunctions } from "../../../scripts/stack/index.ts";
import { startOwnStack } from "../support/own-stack.ts";
import { COLUMNS, FILE_MARK, MARK, NOTE_MARK } from "./marks.ts";
import { type Exchange, type Recorder, startRecorder } from "./recorder.ts";
import { marksIn, marksInFiles } from "./scan.ts";
import { hasSucceeded, isProblem, operationOf, type Variant, variantsOf } from "./variants.ts";

const FEED_TOKEN = /hfc_[\w-]{43}/;
const lines: string[] = [];
let own: Stack;
let host: FunctionsHost;
let recorder: Recorder;
let admin: Sql;
let dataDir: string;
/** What succeeded, by apps and by functions on their behalf. */
let successes: Exchange[];

beforeAll(async () => {
  const log = (line: string): void => void lines.push(line);
  own = await startOwnStack({ log, functions: false });
  recorder = await startRecorder(own.url);
  const issuer = `${own.url}/auth/v1`;
  host = await startFunctions(
    { ...own.functionsEnv, SUPABASE_URL: recorder.url, HOLDFAST_JWT_ISSUER: issuer },
    log,
  );
  recorder.functionsUrl = host.url;
  dataDir = ((await (await fetch(`${own.url}/health`)).json()) as { dataDir: string }).dataDir;
  admin = postgres(own.adminDatabaseUrl, { max: 2, onnotice: () => {} });
  // As hosted projects log; and every statement too, for what stands in its text. Parameters hold what they are given.
  await admin`alter system set log_statement = 'ddl'`;
  await admin`alter system set log_min_duration_statement = 0`;
  await admin`alter system set log_parameter_max_length = 0`;
  await admin`select pg_reload_conf()`;
  await admin`create extension if not exists pg_stat_statements schema extensions`;

  // The tests' helpers talk to the stack that their file is given: from here on, to this one.
  Object.assign(inject("stack"), own, { url: recorder.url });
  const { runEveryFlow } = await import("./flows.ts");
  await runEveryFlow();
  successes = recorder.exchanges.filter(hasSucceeded);

  const { createClinic } = await import("../support/clinic.ts");
  const stranger = `Bearer ${await (await createClinic()).admin.token()}`;
  const { again, marked } = variantsOf(successes);
  const calls = [
    ...again.map((variant) => ({ ...variant, changes: { authorization: stranger } })),
    ...marked.map((variant) => ({ ...variant, changes: {} })),
  ];
  const repeatAll = async () => {
    for (let next = calls.pop(); next; next = calls.pop()) await repeat(next, next.changes);
  };
  await Promise.all([repeatAll(), repeatAll(), repeatAll(), repeatAll()]);
}, 300_000);
afterAll(async () => {
  await admin?.end();
  await host?.stop();
  await recorder?.stop();
  await own?.stop();
});

/** Makes the call, under no idempotency key. */
async function repeat({ of: { method, url, headers }, body }: Variant, changes: object): Promise<void> {
  const { "idempotency-key": _, ...same } = headers;
  await (await fetch(recorder.url + url, { method, headers: { ...same, ...changes }, body })).text();
}

/** The columns, outside of those for PHI, in which some row has a mark. */
async function leakyColumns(sql: Sql): Promise<string[]> {
  const tables = await sql<{ name: string; columns: string[] }[]>`
    select format('%I.%I', space.nspname, relation.relname) as name, array_agg(attribute.attname::text) as columns
    from pg_class relation
    join pg_namespace space on space.oid = relation.relnamespace
    join pg_attribute attribute on attribute.attrelid = relation.oid and attnum > 0 and not attisdropped
    where space.nspname in ('public', 'app', 'audit', 'auth', 'storage', 'realtime')
      and relation.relkind in ('r', 'p') and not relation.relispartition
      and coalesce(col_description(relation.oid, attnum), '') not like 'PHI:%'
    group by 1
    order by 1`;
  const found: string[] = [];
  for (const { name, columns } of tables) {
    for (const column of columns) {
      const rows = await sql.unsafe(`select distinct "${column}"::text as value from ${name}`);
      if (rows.some(({ value }) => value !== null && marksIn(value).length > 0))
        found.push(`${name}.${column}`);
    }
  }
  return found;
}

const serverLog = () => readFile(join(dataDir, "postgres.log"), "utf8");
/** The lines with a mark. Looked for in all at once first: there are many, and most often there is none. */
const linesWithMarks = (text: string) =>
  marksIn(text).length === 0 ? [] : text.split("\n").filter((line) => marksIn(line).length > 0);
const operations = async () => {
  const [row] = await admin`select pg_get_functiondef('app.run_operation'::regproc) as body`;
  return [...String(row?.body).matchAll(/when '(\w+)' then app\./g)].map(([, name]) => String(name));
};

describe("the flows", () => {
  it("are of every Edge Function, every operation and every function that the API has", async () => {
    // What monitors ask takes no body: there is nothing in it to vary, so it is no success to repeat.
    const asked = recorder.exchanges.filter(({ method, url, status }) => {
      return method === "GET" && url.startsWith("/functions/v1/") && status < 300;
    });
    const done = new Set([...successes, ...asked].map((exchange) => operationOf(exchange).split(" ")[0]));
    const callable = await admin`
      select proname as name
      from pg_proc
      where pronamespace = 'public'::regnamespace and has_function_privilege('authenticated', oid, 'execute')`;
    const names = callable.map(({ name }) => `rpc/${name}`);
    const all = [...names, ...(await operations()).map((name) => `rpc/${name}`), ...(await functionNames())];
    expect(all.length).toBeGreaterThan(60);
    expect(all.filter((name) => !done.has(name))).toEqual([]);
  });

  it("leave a mark in every column that holds PHI, where it can hold one", async () => {
    const columns = await admin<{ name: string; source: string; attribute: string }[]>`
      select format('%s.%s.%s', nspname, relname, attname) as name, format('%I.%I', nspname, relname) as source,
        attname as attribute
      from pg_attribute
      join pg_class relation on relation.oid = attrelid
      join pg_namespace space on space.oid = relnamespace
      where not relispartition and col_description(attrelid, attnum) like 'PHI:%'
      order by name`;
    expect(columns.map(({ name }) => name)).toEqual(Object.keys(COLUMNS).sort());
    for (const { name, source, attribute } of columns) {
      const expected = COLUMNS[name];
      if (!expected || "unmarked" in expected) continue;
      const rows = await admin.unsafe(`select "${attribute}"::text as value from ${source}`);
      expect(
        rows.some(({ value }) => value?.includes(expected.mark)),
        name,
      ).toBe(true);
    }
  });

  it("are refused to strangers, and refused with marks in their fields", () => {
    const refusals = recorder.exchanges.filter(({ status, answer }) => status >= 400 || isProblem(answer));
    expect(refusals.filter(({ body }) => marksIn(body).length > 0).length).toBeGreaterThan(200);
    expect(
      refusals.filter(({ status }) => status >= 500).map(({ url, body, answer }) => [url, body, answer]),
    ).toEqual([]);
  });
});

describe("no mark is", () => {
  it("in a refusal", () => {
    const refusals = recorder.exchanges.filter(({ status, answer }) => status >= 400 || isProblem(answer));
    const leaks = refusals.filter(({ answer }) => marksIn(answer).length > 0);
    expect(leaks.map(({ url, body, answer }) => ({ url, body, answer }))).toEqual([]);
  });

  it("in a URL, or in a header of an answer", () => {
    expect(recorder.exchanges.length).toBeGreaterThan(500);
    const leaks = recorder.exchanges.filter(
      ({ url, answerHeaders }) => marksIn(url + answerHeaders).length > 0,
    );
    expect(leaks.map(({ url, answerHeaders }) => ({ url, answerHeaders }))).toEqual([]);
  });

  it("in a log line of the functions, the gateway or the API", () => {
    expect(linesWithMarks(lines.join("\n"))).toEqual([]);
  });

  it("in the log of the database, all statements included, nor in its statistics", async () => {
    const log = await serverLog();
    expect(log).toContain("duration:");
    expect(linesWithMarks(log)).toEqual([]);
    const statements = await admin`select query from extensions.pg_stat_statements`;
    expect(statements.length).toBeGreaterThan(100);
    expect(statements.filter(({ query }) => marksIn(query ?? "").length > 0)).toEqual([]);
  });

  it("of a calendar's address in any log: whoever has it reads the calendar", async () => {
    expect(recorder.exchanges.some(({ url }) => FEED_TOKEN.test(url))).toBe(true);
    expect(lines.filter((line) => FEED_TOKEN.test(line))).toEqual([]);
    expect(FEED_TOKEN.test(await serverLog())).toBe(false);
  });

  it("in a column that is not for PHI: audit trail, outbox, alerts, broadcasts and kept answers among them", async () => {
    expect(await admin`select event from realtime.messages limit 1`).toHaveLength(1);
    expect(await leakyColumns(admin)).toEqual([]);
  });

  it("of a note's text or a document's bytes in the data directory, the write-ahead log included", async () => {
    await admin`checkpoint`;
    const found = await marksInFiles(join(dataDir, "postgres"));
    expect(found.filter(({ marks }) => marks.includes(NOTE_MARK) || marks.includes(FILE_MARK))).toEqual([]);
    // The scan sees what there is: the marks that the database has are in its tables and in its log of changes.
    const files = found.filter(({ marks }) => marks.includes(MARK)).map(({ file }) => file);
    expect(files.some((file) => file.includes("/base/"))).toBe(true);
    expect(files.some((file) => file.includes("/pg_wal/"))).toBe(true);
  });
});

// Last: what is planted stays in the logs and in the data directory.
describe("the scan finds what is planted:", () => {
  it("a body that a function logs, next to what functions do log", async () => {
    const before = lines.length;
    await admin`alter function public.find_open_times rename to find_no_times`;
    const search = successes.find((exchange) => operationOf(exchange) === "sessions-availability");
    if (!search) throw new Error("no open times were searched");
    await repeat({ of: search, body: search.body }, {});
    await admin`alter function public.find_no_times rename to find_open_times`;
    expect(lines.slice(before).join("\n")).toContain('"function":"sessions-availability"');
    for (const body of successes
      .map((exchange) => exchange.body)
      .filter((text) => marksIn(text).length > 0)) {
      expect(linesWithMarks([...lines, `functions: ${body}`].join("\n"))).toHaveLength(1);
    }
  });

  it("a name in an error that the database raises, and in a statement's text", async () => {
    for (const statement of [
      `do $$ begin raise 'no such client: ${MARK}'; end $$`,
      `select count(*) from public.clients where full_name = '${MARK}'`,
    ]) {
      const before = linesWithMarks(await serverLog()).length;
      await admin.unsafe(statement).catch(() => {});
      // The server's log comes through a pipe.
      await expect
        .poll(async () => linesWithMarks(await serverLog()).length, { timeout: 30_000 })
        .toBeGreaterThan(before);
    }
  });

  it("a name in the details of an event, in the outbox and in a kept answer", async () => {
    for (const [table, plant] of [
      [
        "audit.events.details",
        (sql: Sql) => sql`
        insert into audit.events (action, details)
        values ('hold.created', ${sql.json({ note: btoa(`for ${MARK}`) })})`,
      ],
      [
        "app.outbox_events.payload",
        (sql: Sql) => sql`
        insert into app.outbox_events (organization_id, type, subject_id, payload)
        select id, 'access_alert.raised', id, ${sql.json({ name: MARK.toUpperCase() })}
        from public.organizations limit 1`,
      ],
      [
        "public.idempotency_keys.response",
        (sql: Sql) => sql`
        update public.idempotency_keys set response = ${sql.json({ text: NOTE_MARK })}
        where ctid = (select min(ctid) from public.idempotency_keys)`,
      ],
    ] as const) {
      const undo = new Error("undone");
      const planted = admin.begin(async (transaction) => {
        await plant(transaction as unknown as Sql);
        expect(await leakyColumns(transaction as unknown as Sql)).toEqual([table]);
        throw undo;
      });
      await expect(planted).rejects.toBe(undo);
    }
  });

  it("a name in a URL, in a refusal and in a header", async () => {
    const before = recorder.exchanges.length;
    await fetch(`${recorder.url}/rest/v1/clients?full_name=eq.${encodeURIComponent(`${MARK} the First`)}`);
    expect(marksIn(recorder.exchanges[before]?.url ?? "")).toEqual([MARK]);
    expect(marksIn(JSON.stringify({ code: "not_found", detail: `No ${MARK}.` }))).toEqual([MARK]);
    expect(marksIn(`content-disposition: attachment; filename=${encodeURIComponent(`${MARK}.pdf`)}`)).toEqual(
      [MARK],
    );
  });

  it("the text of a note in the data directory, as it is and in base64", async () => {
    await admin`create table app.planted as select ${`x ${NOTE_MARK}`}::text as text`;
    await admin`create table app.planted_in_base64 as select ${btoa(`"${NOTE_MARK}"`)}::text as text`;
    await admin`checkpoint`;
    const found = await marksInFiles(join(dataDir, "postgres", "base"));
    for (const table of ["app.planted", "app.planted_in_base64"]) {
      const [row] = await admin`select pg_relation_filepath(${table}) as path`;
      expect(found.find(({ file }) => file.endsWith(row?.path))?.marks, table).toEqual([NOTE_MARK]);
    }
  });
});
