import { createHash } from "node:crypto";
import fc from "fast-check";
import postgres, { type Sql, type TransactionSql } from "postgres";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { startOwnStack } from "../supabase/tests/support/own-stack.ts";
import { runScript } from "../supabase/tests/support/run-script.ts";
import { encodeFields, merkleRoot } from "./audit/hashing.ts";
import { type Head, readHead } from "./audit/trail.ts";
import { type Report, type VerifyOptions, verify } from "./audit/verify.ts";
import type { Stack } from "./stack/index.ts";

let stack: Stack;
/** As the superuser. */
let admin: Sql;
let heads: Head[];
/** The ids of all events, in the order of sealing: three seals of 100, the last of which is of 50, and 5 unsealed. */
let ids: string[];

const event = (sql: Sql | TransactionSql, count: number) => sql`
  insert into audit.events (organization_id, actor_id, action, decision, code, table_name, row_id, request_id, details)
  select gen_random_uuid(), nullif(gen_random_uuid(), gen_random_uuid()), 'rpc.hold_sessions', 'deny', 'forbidden', null, null,
    case when n % 2 = 0 then 'request-é' end, jsonb_build_object('ü', n, 'b', null, 'x', 1.50, 'q', '"\\')
  from generate_series(1, ${count}::integer) n`;

beforeAll(async () => {
  stack = await startOwnStack({ functions: false });
  admin = postgres(stack.adminDatabaseUrl, { max: 2, onnotice: () => {} });
  // The seals of what migrations and setup put on record, if anything, come first.
  await admin`select audit.seal()`;
  heads = [];
  for (const count of [100, 100, 50]) {
    await event(admin, count);
    await admin`select audit.seal()`;
    heads.push((await readHead(admin)) as Head);
  }
  await event(admin, 5);
  ids = (await admin`select id::text from audit.events order by written_in, events.id`).map(({ id }) => id);
});
afterAll(async () => {
  await admin.end();
  await stack.stop();
});

/** The report on a trail that a superuser has tampered with, triggers off; nothing of it stays. */
async function verifyAfter(
  tamper: (sql: TransactionSql) => Promise<unknown>,
  options?: VerifyOptions,
): Promise<Report> {
  let report: Report | undefined;
  const undo = new Error("undo");
  await admin
    .begin(async (transaction) => {
      await transaction`set local session_replication_role = replica`;
      await tamper(transaction);
      report = await verify(transaction as unknown as Sql, options);
      throw undo;
    })
    .catch((error) => {
      if (error !== undo) throw error;
    });
  return report as Report;
}

const idAt = (index: number): string => ids[index] as string;
const sealOf = (which: number): string => heads[which]?.seals as string;
const last = () => heads.at(-1) as Head;

describe("a trail that nobody touched", () => {
  it("is as it was sealed, and what is not sealed yet is counted", async () => {
    expect(await verify(admin)).toEqual({
      finding: null,
      seals: Number(last().seals),
      events: ids.length - 5,
      unsealed: 5,
      head: last().hash,
    });
  });

  it("contains every head that was exported", async () => {
    for (const { hash } of heads) expect((await verify(admin, { head: hash })).finding).toBeNull();
  });

  it("can be proved for a time only, with the whole chain of seals", async () => {
    const report = await verify(admin, { from: BigInt(Date.now() + 3_600_000) * 1000n });
    expect(report).toMatchObject({ finding: null, seals: Number(last().seals), events: 0 });
  });
});

describe("a superuser who switches the triggers off", () => {
  const columns: Record<string, string> = {
    occurred_at: "occurred_at = occurred_at + interval '1 microsecond'",
    organization_id: "organization_id = gen_random_uuid()",
    actor_id: "actor_id = null",
    action: "action = 'hold.created'",
    decision: "decision = 'allow'",
    code: "code = 'not_found'",
    table_name: "table_name = ''",
    row_id: "row_id = gen_random_uuid()",
    request_id: "request_id = 'other'",
    details: `details = details || '{"b": 1}'`,
    client_id: "client_id = gen_random_uuid()",
    ip: "ip = '198.51.100.66'",
    user_agent: "user_agent = 'other'",
    written_in: "written_in = (written_in::text::bigint + 1)::text::xid8",
  };
  it.each(Object.entries(columns))("is found out altering %s, and the event is named", async (_, change) => {
    const id = idAt(ids.length - 105);
    const { finding } = await verifyAfter((sql) =>
      sql.unsafe(`update audit.events set ${change} where id = ${id}`),
    );
    expect(finding).toMatchObject({ kind: "altered", event: id, seal: sealOf(1) });
  });

  it("is found out deleting an event, wherever it stands", async () => {
    for (const index of [0, ids.length - 105, ids.length - 6]) {
      const { finding } = await verifyAfter((sql) => sql`delete from audit.events where id = ${idAt(index)}`);
      expect(finding).toMatchObject({ kind: "missing", event: idAt(index) });
    }
  });

  it("is found out deleting all of them", async () => {
    const { finding } = await verifyAfter((sql) => sql`delete from audit.events`);
    expect(finding).toMatchObject({ kind: "missing", event: idAt(0) });
  });

  it("is found out inserting an event among the sealed ones, with an id of its own or another's", async () => {
    const at = idAt(ids.length - 105);
    for (const id of [`(select max(id) + 1 from audit.events)`, "-1", at]) {
      const { finding } = await verifyAfter((sql) =>
        sql.unsafe(`
          insert into audit.events (id, action, written_in, occurred_at) overriding system value
          select ${id}, 'hold.created', written_in, '2001-01-01' from audit.events where id = ${at}`),
      );
      if (id === at) expect(finding?.event).toBe(at);
      else expect(finding).toMatchObject({ kind: "inserted" });
    }
  });

  it("is found out inserting a second event under the id of the last that was sealed", async () => {
    const id = idAt(ids.length - 6);
    const { finding } = await verifyAfter(
      (sql) => sql`
        insert into audit.events (id, action, written_in, occurred_at) overriding system value
        select id, 'hold.created', written_in, '2001-01-01' from audit.events where id = ${id}`,
    );
    expect(finding?.event).toBe(id);
  });

  it("is found out inserting an event before the first that was sealed", async () => {
    const { finding } = await verifyAfter(
      (sql) => sql`insert into audit.events (action, written_in) values ('hold.created', '1')`,
    );
    expect(finding).toMatchObject({ kind: "inserted", seal: "1" });
  });

  it("is named by the first of several changes", async () => {
    const { finding } = await verifyAfter(async (sql) => {
      await sql`delete from audit.events where id = ${idAt(ids.length - 60)}`;
      await sql`update audit.events set code = 'x' where id = ${idAt(ids.length - 90)}`;
    });
    expect(finding).toMatchObject({ kind: "altered", event: idAt(ids.length - 90) });
  });

  const seals: Record<string, string> = {
    event_count: "event_count = event_count + 1",
    event_ids: "event_ids = event_ids[2:] || event_ids[1]",
    leaf_hashes: "leaf_hashes = substring(leaf_hashes from 33) || substring(leaf_hashes for 32)",
    last_written_in: "last_written_in = (last_written_in::text::bigint - 1)::text::xid8",
    last_event_id: "last_event_id = last_event_id - 1",
    first_at: "first_at = first_at - interval '1 second'",
    last_at: "last_at = last_at + interval '1 second'",
    root: "root = sha256('x')",
    previous_hash: "previous_hash = sha256('x')",
    hash: "hash = sha256('x')",
    sealed_at: "sealed_at = sealed_at + interval '1 microsecond'",
    format: "format = 2",
  };
  it.each(Object.entries(seals))("is found out altering %s of a seal", async (_, change) => {
    const { finding } = await verifyAfter(async (sql) => {
      await sql`alter table audit.seals drop constraint seals_members_counted`;
      await sql.unsafe(`update audit.seals set ${change} where number = ${sealOf(1)}`);
    });
    expect(finding).toMatchObject({ kind: "seal_broken", seal: sealOf(1) });
  });

  it("is found out altering an event and making its seal anew: the next seal does not follow from it", async () => {
    const { finding } = await verifyAfter((sql) => rewrite(sql, sealOf(1), sealOf(1)));
    expect(finding).toMatchObject({ kind: "seal_broken", seal: sealOf(2) });
  });

  it("is found out making all later seals anew too, by a head that was exported, and only by that", async () => {
    const forge = (sql: TransactionSql) => rewrite(sql, sealOf(1), sealOf(2));
    expect((await verifyAfter(forge)).finding).toBeNull();
    expect((await verifyAfter(forge, { head: last().hash })).finding).toMatchObject({ kind: "head_unknown" });
    expect((await verifyAfter(forge, { head: heads[0]?.hash })).finding).toBeNull();
  });

  it("is found out taking a seal away, the last one by its head", async () => {
    const drop = (number: string) => (sql: TransactionSql) =>
      sql`delete from audit.seals where number = ${number}`;
    expect((await verifyAfter(drop(sealOf(1)))).finding).toMatchObject({
      kind: "seal_broken",
      seal: sealOf(1),
    });
    expect(await verifyAfter(drop(sealOf(2)))).toMatchObject({ finding: null, unsealed: 55 });
    expect((await verifyAfter(drop(sealOf(2)), { head: last().hash })).finding).toMatchObject({
      kind: "head_unknown",
    });
  });
});

/** What a careful forger does: alters an event of the first seal and makes it and its followers anew. */
async function rewrite(sql: TransactionSql, first: string, upTo: string): Promise<void> {
  await sql`
    update audit.events set code = 'forged'
    where id = (select event_ids[7] from audit.seals where number = ${first})`;
  for (let number = BigInt(first); number <= BigInt(upTo); number++) {
    await sql`
      update audit.seals seal
      set leaf_hashes = (
          select string_agg(audit.leaf_hash(event), '' order by event.written_in, event.id)
          from audit.events event where event.id = any (seal.event_ids)),
        previous_hash = coalesce((select hash from audit.seals where number = seal.number - 1), seal.previous_hash)
      where number = ${number.toString()}`;
    await sql`update audit.seals set root = audit.merkle_root(leaf_hashes) where number = ${number.toString()}`;
    await sql`update audit.seals seal set hash = audit.seal_hash(seal) where number = ${number.toString()}`;
  }
}

describe("what is hashed", () => {
  it("is the same bytes in SQL and in TypeScript, and no two lists have the same", async () => {
    const text = fc.string({ unit: "grapheme" }).map((value) => value.replaceAll("\0", ""));
    const fields = fc.array(fc.option(text), { minLength: 1, maxLength: 4 });
    await fc.assert(
      fc.asyncProperty(fields, fields, async (one, other) => {
        const [row] = await admin`select audit.encode_fields(variadic ${one}::text[]) as bytes`;
        expect(encodeFields(one).equals(row?.bytes)).toBe(true);
        expect(encodeFields(one).equals(encodeFields(other))).toBe(
          JSON.stringify(one) === JSON.stringify(other),
        );
      }),
      { numRuns: 100 },
    );
  });

  it("has the Merkle root of RFC 6962 for any number of leaves, in SQL and in TypeScript", async () => {
    const sha = (...parts: Buffer[]) => createHash("sha256").update(Buffer.concat(parts)).digest();
    // The definition of the RFC, word for word: split at the largest power of two below the number.
    const mth = (leaves: Buffer[]): Buffer => {
      if (leaves.length === 1) return leaves[0] as Buffer;
      const split = 2 ** Math.floor(Math.log2(leaves.length - 1));
      return sha(Buffer.from([1]), mth(leaves.slice(0, split)), mth(leaves.slice(split)));
    };
    for (const count of [...Array.from({ length: 20 }, (_, index) => index + 1), 100, 257]) {
      const leaves = Array.from({ length: count }, (_, index) => sha(Buffer.from(String(index))));
      const [row] = await admin`select audit.merkle_root(${Buffer.concat(leaves)}) as root`;
      expect(merkleRoot(leaves).equals(mth(leaves)), `${count}`).toBe(true);
      expect(mth(leaves).equals(row?.root), `${count}`).toBe(true);
    }
  });
});

describe("npm run audit", () => {
  const run = (...args: string[]) => runScript("audit", args);

  it("prints the head, verifies and seals as role postgres, and ends with 0", async () => {
    const db = ["--db", stack.databaseUrl];
    const head = await run("head", ...db, "--json");
    expect(head.code).toBe(0);
    expect(JSON.parse(head.stdout)).toEqual({ head: last() });
    const verified = await run("verify", ...db, "--head", last().hash);
    expect(verified).toMatchObject({ code: 0, stdout: expect.stringMatching(/^OK: \d+ events/) });
    expect(verified.stderr).toContain("events");
    const sealed = await run("seal", "--remote", stack.databaseUrl, "--json");
    expect([sealed.code, JSON.parse(sealed.stdout)]).toEqual([0, { seals_made: 1 }]);
  });

  it("ends with 2 where nothing could be verified, and never says the password", async () => {
    const unreachable = "postgres://somebody:hunter2@127.0.0.1:1/postgres";
    for (const args of [
      [],
      ["verify"],
      ["prove", "--db", unreachable],
      ["verify", "--db", unreachable],
      ["verify", "--db", unreachable, "--head", "abc"],
      ["verify", "--db", unreachable, "--from", "yesterday"],
      ["head", "--db", unreachable, "--from", "2026-01-01"],
      ["verify", "--db", stack.databaseUrl, "--from", "2026-02-01", "--to", "2026-01-01"],
      ["verify", "--dbb", unreachable],
    ]) {
      const { code, stdout, stderr } = await run(...args);
      expect([args.join(" "), code]).toEqual([args.join(" "), 2]);
      expect(stdout + stderr).not.toContain("hunter2");
    }
  });

  it("ends with 1 and names the event that a superuser altered", async () => {
    const id = idAt(ids.length - 105);
    await admin.begin(async (sql) => {
      await sql`set local session_replication_role = replica`;
      await sql`update audit.events set actor_id = null where id = ${id}`;
    });
    const { code, stdout } = await run("verify", "--db", stack.databaseUrl);
    expect([code, stdout]).toEqual([1, expect.stringContaining(`Event ${id} was altered`)]);
    const { stdout: inJson } = await run("verify", "--db", stack.databaseUrl, "--json");
    expect(JSON.parse(inJson)).toMatchObject({ ok: false, finding: { kind: "altered", event: id } });
  });
});
