// Sealing while many write and commit out of order: no event is missed, none is sealed twice, nobody waits. On a stack of
// its own, since a transaction of another test would hold up what may be sealed.

import postgres, { type Sql } from "postgres";
import { afterAll, beforeAll, expect, it } from "vitest";
import { verify } from "../../../scripts/audit/verify.ts";
import type { Stack } from "../../../scripts/stack/index.ts";
import { startOwnStack } from "../support/own-stack.ts";

let stack: Stack;
let sql: Sql;
beforeAll(async () => {
  stack = await startOwnStack({ functions: false });
  sql = postgres(stack.databaseUrl, { max: 20, onnotice: () => {} });
});
afterAll(async () => {
  await sql.end();
  await stack.stop();
});

const write = (by: postgres.ISql, count = 1) => by<{ id: string }[]>`
  insert into audit.events (action) select 'hold.created' from generate_series(1, ${count}::integer) returning id::text`;
const seal = async (): Promise<number> =>
  Number((await sql`select audit.seal(batch_size => 7) as made`)[0]?.made);

async function isSealed(id: string | undefined): Promise<boolean> {
  const [row] = await sql`
    select exists (select from audit.seals where ${String(id)}::bigint = any (event_ids)) as sealed`;
  return row?.sealed;
}

async function expectEachSealedOnce(): Promise<void> {
  while ((await seal()) > 0) {}
  const [counts] = await sql`
    select
      (select count(*) from audit.events) as events,
      (select count(*) from audit.seals cross join unnest(event_ids)) as sealed,
      (select count(distinct id) from audit.seals cross join unnest(event_ids) id) as different`;
  expect(counts).toEqual({ events: counts?.events, sealed: counts?.events, different: counts?.events });
  expect(await verify(sql)).toMatchObject({ finding: null, unsealed: 0, events: Number(counts?.events) });
}

it("an event that commits after others with larger ids is sealed after them, not missed", async () => {
  const late = await sql.reserve();
  await late`begin`;
  const [first] = await write(late);
  const [second] = await write(sql);
  expect(BigInt(first?.id as string) < BigInt(second?.id as string)).toBe(true);
  await seal();
  expect([await isSealed(first?.id), await isSealed(second?.id)]).toEqual([false, false]);
  await late`commit`;
  late.release();
  await seal();
  expect([await isSealed(first?.id), await isSealed(second?.id)]).toEqual([true, true]);
  await expectEachSealedOnce();
});

it("while a sealer is at work and not done, events are written and another sealer leaves it alone", async () => {
  await write(sql, 20);
  const sealer = await sql.reserve();
  await sealer`begin`;
  const [row] = await sealer`select audit.seal(batch_size => 7) as made`;
  expect(row?.made).toBeGreaterThan(0);
  // Were there a lock to wait for, this would fail by its time limit.
  const [mine] = await sql.begin(async (writer) => {
    await writer`set local lock_timeout = '1ms'`;
    return write(writer);
  });
  expect(mine).toBeDefined();
  expect(await seal()).toBe(0);
  await sealer`rollback`;
  sealer.release();
  await expectEachSealedOnce();
});

it("months to come are not made while a long copy reads the trail, behind which all other readers would wait", async () => {
  const copying = await sql.reserve();
  await copying`begin isolation level repeatable read read only`;
  await copying`select count(*) from audit.events`;
  await expect(sql`select audit.ensure_partitions(13)`).rejects.toMatchObject({ code: "55P03" });
  await copying`commit`;
  copying.release();
  expect(await sql`select audit.ensure_partitions(13) as made`).toEqual([{ made: 1 }]);
});

it("many writers, some of whom give up, and two sealers: every event is sealed exactly once, and the trail verifies", async () => {
  let writing = 12;
  const writers = Array.from({ length: 12 }, async (_, writer) => {
    for (let turn = 0; turn < 40; turn++) {
      await sql
        .begin(async (transaction) => {
          await write(transaction, 1 + ((writer + turn) % 3));
          // Gives others the time to overtake: more statements, of which some write.
          for (let step = 0; step < (writer * turn) % 5; step++) await transaction`select 1`;
          if (turn % 4 === 0) await write(transaction);
          if ((writer + turn) % 9 === 0) throw new Error("gives up");
        })
        .catch((error) => {
          if (error.message !== "gives up") throw error;
        });
    }
    writing--;
  });
  const sealers = Array.from({ length: 2 }, async () => {
    let made = 0;
    while (writing > 0) made += await seal();
    return made;
  });
  const [made] = await Promise.all([Promise.all(sealers), Promise.all(writers)]);
  expect(made.reduce((sum, count) => sum + count)).toBeGreaterThan(10);
  await expectEachSealedOnce();
});
