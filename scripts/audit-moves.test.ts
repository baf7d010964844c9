// The trail goes on in another cluster: a dump of it is loaded into an empty one, whose transaction ids are lower.

import { pipeline } from "node:stream/promises";
import postgres, { type Sql } from "postgres";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { startOwnStack } from "../supabase/tests/support/own-stack.ts";
import { type Head, readHead } from "./audit/trail.ts";
import { verify } from "./audit/verify.ts";
import type { Stack } from "./stack/index.ts";

let stacks: Stack[];
/** The superuser of each cluster. */
let from: Sql;
let to: Sql;
let headBefore: Head;

const write = (sql: Sql, count: number) => sql`
  insert into audit.events (action, details)
  select 'hold.created', jsonb_build_object('n', n) from generate_series(1, ${count}::integer) n`;

/** What a dump does that keeps the data of a table: rows as they are, no trigger fired. */
async function copy(table: string): Promise<void> {
  const rows = await from`copy (select * from audit.${from(table)}) to stdout`.readable();
  await to.begin(async (sql) => {
    await sql`set local session_replication_role = replica`;
    await sql`delete from audit.${sql(table)}`;
    await pipeline(rows, await sql`copy audit.${sql(table)} from stdin`.writable());
  });
}

beforeAll(async () => {
  stacks = await Promise.all([startOwnStack({ functions: false }), startOwnStack({ functions: false })]);
  [from, to] = stacks.map(({ adminDatabaseUrl }) =>
    postgres(adminDatabaseUrl, { max: 2, onnotice: () => {} }),
  ) as [Sql, Sql];
  // The older cluster is far ahead.
  await from`create temp table spent (n integer)`;
  await from.unsafe(`do $$ begin
    for n in 1..5000 loop
      begin insert into pg_temp.spent values (n); exception when others then raise; end;
    end loop;
  end $$`);
  await write(from, 50);
  await from`select audit.seal()`;
  await write(from, 7);
  headBefore = (await readHead(from)) as Head;
  await copy("events");
  await copy("seals");
  await to`select setval(pg_get_serial_sequence('audit.events', 'id'), (select max(id) from audit.events))`;
});
afterAll(async () => {
  await Promise.all([from.end({ timeout: 1 }), to.end({ timeout: 1 })]);
  await Promise.all(stacks.map((stack) => stack.stop()));
});

describe("a trail that was loaded into another cluster", () => {
  it("proves there what it proved before", async () => {
    const [before, after] = [await verify(from), await verify(to, { head: headBefore.hash })];
    expect(after).toEqual(before);
    expect(after).toMatchObject({ finding: null, unsealed: 7 });
  });

  it("is not sealed on by itself, since what is written there would seem to be older", async () => {
    await expect(to`select audit.seal()`).rejects.toMatchObject({ code: "55000" });
  });

  it("goes on once it is told so: what was not sealed yet, and what is written there", async () => {
    await to`select audit.continue_trail()`;
    await write(to, 20);
    // A transaction that is still open holds up what comes after it, as in every cluster.
    const open = await to.reserve();
    await open`begin`;
    await open`insert into audit.events (action) values ('hold.created')`;
    await write(to, 1);
    const [sealed] = await to`select audit.seal() as made`;
    const between = await verify(to, { head: headBefore.hash });
    await open`commit`;
    open.release();
    expect(sealed?.made).toBe(1);
    expect(between).toMatchObject({ finding: null, unsealed: 1 });
    expect((await to`select audit.seal() as made`)[0]?.made).toBe(1);
    const report = await verify(to, { head: headBefore.hash });
    expect(report).toMatchObject({ finding: null, unsealed: 0, seals: Number(headBefore.seals) + 2 });
    expect(report.events).toBe((await to`select count(*)::integer as n from audit.events`)[0]?.n);
  });

  it("goes on a second time, in a third cluster, with greater numbers still", async () => {
    const [one] = await to`select max(written_in)::text as last from audit.events`;
    await to`select audit.continue_trail()`;
    await write(to, 1);
    const [other] = await to`select written_in::text as last from audit.events order by id desc limit 1`;
    expect(BigInt(other?.last)).toBeGreaterThan(BigInt(one?.last));
    await to`select audit.seal()`;
    expect(await verify(to, { head: headBefore.hash })).toMatchObject({ finding: null, unsealed: 0 });
  });

  it.each([
    ["altered", "update audit.events set details = '{}' where id = $1"],
    ["missing", "delete from audit.events where id = $1"],
    [
      "inserted",
      "insert into audit.events (action, written_in) select 'hold.created', written_in from audit.events where id = $1",
    ],
  ])("shows an event that was %s while it moved", async (kind, change) => {
    const sealed = (
      await to`select event_ids[3] as id from audit.seals where number = ${headBefore.seals}`
    )[0]?.id;
    const undo = new Error("undo");
    await to
      .begin(async (sql) => {
        await sql`set local session_replication_role = replica`;
        await sql.unsafe(change, [sealed]);
        expect((await verify(sql as unknown as Sql)).finding).toMatchObject({ kind });
        throw undo;
      })
      .catch((error) => expect(error).toBe(undo));
  });

  it("keeps its eras for good", async () => {
    await expect(to`update audit.eras set added = 1`).rejects.toMatchObject({ code: "42501" });
  });
});
