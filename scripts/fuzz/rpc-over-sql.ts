// RPCs as PostgREST would call them, without HTTP between: hundreds of calls a second. What is refused stays in the
// transaction and what succeeds is undone, so that after a batch the clinics are as they were, or a refusal wrote.

import fc from "fast-check";
import type { Sql, TransactionSql } from "postgres";
import { type Caller, claimsOf } from "./callers.ts";
import { differences, digestOf } from "./digest.ts";
import { type RpcCase, rpcCases } from "./rpc-cases.ts";
import type { Tally } from "./tally.ts";
import type { Rpc } from "./targets.ts";
import { faultsOfError, faultsOfRefusal, faultsOfSuccess, type Outcome } from "./verdicts.ts";
import type { World } from "./world.ts";

const BATCH = 25;
/** For a call of some milliseconds, on a machine that has other things to do. */
const TIMEOUT = "20s";
const UNDONE = new Error("undone");

/** Makes so many calls of each RPC on the connection. */
export async function fuzzOverSql(
  sql: Sql,
  world: World,
  rpcs: readonly Rpc[],
  { cases, seed }: { cases: number; seed: number },
  tally: Tally,
): Promise<void> {
  for (const rpc of rpcs) {
    const drawn = fc.sample(rpcCases(rpc, world), { numRuns: cases, seed });
    for (let from = 0; from < drawn.length; from += BATCH) {
      await makeCalls(sql, world, drawn.slice(from, from + BATCH), tally);
    }
  }
}

/** Makes the calls, and finds the one that wrote although it was refused. */
export async function makeCalls(sql: Sql, world: World, calls: RpcCase[], tally: Tally): Promise<void> {
  const changed = await changesBy(sql, world, calls, tally);
  if (changed.length === 0) return;
  for (const call of calls) {
    const tables = await changesBy(sql, world, [call], null);
    if (tables.length > 0) report(tally, call, "writes although it refuses", tables.join(", "));
  }
}

/** The tables in which the calls that were refused have changed something. */
async function changesBy(sql: Sql, world: World, calls: RpcCase[], tally: Tally | null): Promise<string[]> {
  let changed: string[] = [];
  await sql
    .begin(async (transaction) => {
      await transaction.unsafe(`set local statement_timeout = '${TIMEOUT}'`);
      const before = await digestOf(transaction, world);
      for (const call of calls) await makeCall(transaction, world, call, tally);
      await transaction`reset role`;
      changed = differences(before, await digestOf(transaction, world));
      throw UNDONE;
    })
    .catch((error) => {
      if (error !== UNDONE) throw error;
    });
  return changed;
}

async function makeCall(
  sql: TransactionSql,
  world: World,
  call: RpcCase,
  tally: Tally | null,
): Promise<void> {
  const { rpc, args } = call;
  await sql.unsafe(actingAs(call.caller)).simple();
  let outcome: Outcome = "done";
  let faults: string[] = [];
  let seen = "";
  try {
    const [row] = await sql.unsafe(statementOf(rpc), [args]);
    const answer = row?.answer;
    seen = JSON.stringify(answer) ?? "";
    if (answer?.problem) {
      outcome = "refused";
      faults = faultsOfRefusal(answer.problem);
    } else {
      // What is checked at the end of a transaction, now.
      await sql`set constraints all immediate`;
      // Jobs are of every tenant.
      if (call.caller.role !== "service_role") faults = faultsOfSuccess(seen, args, world);
    }
  } catch (error) {
    const failure = error as { code?: string; message: string; where?: string };
    outcome = "unheard";
    seen = `${failure.code}: ${failure.message} ${failure.where ?? ""}`;
    faults = faultsOfError(failure);
  }
  await sql.unsafe(outcome === "refused" ? "release savepoint call" : "rollback to savepoint call").simple();
  tally?.count(rpc.name, outcome);
  if (tally) for (const fault of faults) report(tally, call, fault, seen);
}

function report(tally: Tally, { rpc, caller, args }: RpcCase, what: string, seen: string): void {
  tally.find({ target: rpc.name, caller: caller.name, sent: args, what, seen });
}

export function actingAs({ role, user }: Caller): string {
  const claims = user ? claimsOf(user) : JSON.stringify({ role });
  return `
    reset role; savepoint call;
    select set_config('request.jwt.claims', '${claims}', true),
      set_config('request.headers', '{"cf-connecting-ip": "203.0.113.9", "user-agent": "fuzz"}', true);
    set local role ${role}`;
}

/** The call as PostgREST writes it: arguments from one JSON object, by name. Those left out have their defaults. */
export function statementOf({ name, args }: Rpc): string {
  if (args.length === 0)
    return `select to_jsonb(it) as answer from (select $1::text) given, public.${name}() it`;
  const given = args.map((arg) => `"${arg.name}" => _."${arg.name}"`);
  const types = args.map((arg) => `"${arg.name}" ${arg.type}`);
  return `
    select to_jsonb(it) as answer
    from json_to_record($1::text::json) as _(${types}), lateral public.${name}(${given}) it`;
}
