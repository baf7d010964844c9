// What is of another clinic makes no difference: an RPC answers its ids as it answers ids that nobody has, whatever of one's
// own is named beside them, and leaves its rows alone. docs/fuzz.md, _Twins_.

import { randomUUID } from "node:crypto";
import fc from "fast-check";
import type { Sql, TransactionSql } from "postgres";
import { type Caller, callersOf } from "./callers.ts";
import { plainArguments } from "./rpc-cases.ts";
import { actingAs, statementOf } from "./rpc-over-sql.ts";
import type { Tally } from "./tally.ts";
import type { Rpc } from "./targets.ts";
import { type Members, type Place, placesOf } from "./twins.ts";
import type { Json } from "./values.ts";
import type { World } from "./world.ts";

export interface TwinPlan {
  seed: number;
  /** As whom; everybody at home who is not said. */
  callers?: readonly (keyof World["home"]["people"])[];
  /** What is named of one's own; everything that says whose a request is, unless said. */
  anchors?: readonly string[];
  /** How many places of an RPC are looked at, as far as there are as many. */
  places?: number;
  /** How many rows of the other clinic stand in one place, one after the other. */
  twins?: number;
}

/** So many requests are drawn to find some that are granted. */
const DRAWN = 12;
const UNDONE = new Error("undone");

/** The members that say whose a request is, in the order in which they are asked. */
export async function anchorsOf(sql: Sql): Promise<string[]> {
  const [row] =
    await sql`select prosrc from pg_proc where oid = 'app.target_organization(jsonb)'::regprocedure`;
  const named = [...String(row?.prosrc).matchAll(/request ->>? '(\w+)'/g)].map(([, name]) => String(name));
  return [...new Set(named)];
}

/** Compares the answers of every RPC that a signed-in user may call. */
export async function compareTwins(
  sql: Sql,
  world: World,
  rpcs: readonly Rpc[],
  plan: TwinPlan,
  tally: Tally,
): Promise<void> {
  const anchors = plan.anchors ?? (await anchorsOf(sql));
  const callers = callersOf(world).filter(
    ({ name, role }) =>
      role === "authenticated" && ((plan.callers as readonly string[] | undefined)?.includes(name) ?? true),
  );
  const { seed, places = Number.POSITIVE_INFINITY } = plan;
  await sql
    .begin(async (transaction) => {
      await watch(transaction, world);
      for (const [index, rpc] of rpcs.filter(({ roles }) => roles.includes("authenticated")).entries()) {
        const drawn = fc.sample(plainArguments(rpc, world), { numRuns: Math.min(DRAWN, places), seed });
        const bare = rpc.args.some(({ name }) => name === "request") ? [{ request: {} }] : [];
        // Where there are fewer places to look at than people, each is somebody's turn.
        for (const caller of some(callers, places, seed + index)) {
          const bases = [...bare, ...(await bestOf(transaction, rpc, caller, drawn))];
          const all = bases.flatMap((base) => placesOf(rpc, world, base, anchors));
          for (const place of some(all, places / callers.length, seed + index)) {
            await comparePlace(transaction, rpc, caller, place, plan, tally);
          }
        }
      }
      throw UNDONE;
    })
    .catch((error) => {
      if (error !== UNDONE) throw error;
    });
}

/** One that the caller is granted, or else is refused: it gets further. */
async function bestOf(sql: TransactionSql, rpc: Rpc, caller: Caller, drawn: Members[]): Promise<Members[]> {
  for (const args of drawn) {
    if ((await answerOf(sql, rpc, caller, args, randomUUID())).outcome === "done") return [args];
  }
  return drawn.slice(0, 1);
}

async function comparePlace(
  sql: TransactionSql,
  rpc: Rpc,
  caller: Caller,
  place: Place,
  { twins = 1, seed }: TwinPlan,
  tally: Tally,
): Promise<void> {
  const call = (id: string) => answerOf(sql, rpc, caller, place.args(id), id);
  for (const twin of some(place.twins, twins, seed + tally.cases)) {
    const [answer, expected] = [await call(twin), await call(nobodys(twin))];
    tally.count(`twins: ${rpc.name}`, answer.outcome);
    const found = { target: rpc.name, caller: caller.name, sent: JSON.stringify(place.args(twin)) };
    if (answer.touched) {
      tally.find({ ...found, what: `writes rows of another clinic by ${place.name}`, seen: answer.touched });
    }
    if (answer.text === expected.text) continue;
    // What differs each time, ids and moments of what is new, says nothing; nor does a minute that ended in between.
    const others = [expected, await call(nobodys(twin)), await call(nobodys(twin))].map(({ json }) => json);
    const [wanted, ...got] = [expected, answer, await call(twin)].map(({ json }) =>
      JSON.stringify(steady(json, others)),
    );
    if (got.includes(wanted as string)) continue;
    const seen = `${answer.text} and not ${expected.text}`;
    tally.find({ ...found, what: `tells another clinic's ${place.name}`, seen });
  }
}

/** At most so many of them, and one at least; which, the seed says. */
function some<Item>(items: readonly Item[], most: number, seed: number): Item[] {
  const length = Math.min(Math.max(1, Math.ceil(most)), items.length);
  const drawn = fc.shuffledSubarray([...items], { minLength: length, maxLength: length });
  return fc.sample(drawn, { numRuns: 1, seed })[0] ?? [];
}

/** An id that nobody has, next to that one: what comes behind the one in some order, comes behind the other. */
const nobodys = (id: string): string => id.slice(0, -8) + randomUUID().slice(0, 8);

interface Answer {
  json: Json;
  text: string;
  outcome: "done" | "refused" | "unheard";
  /** The table in which a row of the other clinic was written. */
  touched?: string;
}

/** What is answered, with the id that was asked for left out; nothing of the call stays. */
async function answerOf(
  sql: TransactionSql,
  rpc: Rpc,
  caller: Caller,
  args: Members,
  id: string,
): Promise<Answer> {
  await sql.unsafe(actingAs(caller)).simple();
  let answer: Omit<Answer, "text">;
  try {
    const [row] = await sql.unsafe(statementOf(rpc), [JSON.stringify(args)], { prepare: true });
    answer = { json: row?.answer, outcome: row?.answer?.problem ? "refused" : "done" };
  } catch (error) {
    const { code = "", message } = error as { code?: string; message: string };
    answer = { json: { code, message }, outcome: "unheard", ...(code === TOUCHED && { touched: message }) };
  }
  await sql.unsafe("rollback to savepoint call; release savepoint call").simple();
  const text = (JSON.stringify(answer.json) ?? "null").replaceAll(id, "<id>");
  return { ...answer, json: JSON.parse(text), text };
}

/** The answer without what is not the same in all of the others. */
function steady(answer: Json, others: (Json | undefined)[]): Json {
  const [first, ...rest] = others;
  const kind = shapeOf(first);
  if (rest.every((other) => JSON.stringify(other) === JSON.stringify(first))) return answer;
  if (kind === "plain" || rest.some((other) => shapeOf(other) !== kind)) return null;
  if (shapeOf(answer) !== kind) return answer;
  return Object.entries(answer as object).map(([name, value]) => [
    name,
    steady(
      value,
      others.map((other) => (other as Members)[name]),
    ),
  ]);
}

const shapeOf = (value: Json | undefined): string =>
  Array.isArray(value)
    ? `list of ${value.length}`
    : typeof value === "object" && value !== null
      ? "object"
      : "plain";

/** Of no class that an operation catches. */
const TOUCHED = "ZZ911";
/** Of the other clinic's trail only what is not a refusal: that may be on record there. */
const COUNTED: Record<string, string> = { "audit.events": " and new.decision <> 'deny'" };

/** Raises where a row of the other clinic is written; until the transaction ends. */
async function watch(sql: TransactionSql, { foreign }: World): Promise<void> {
  await sql.unsafe(`
    create function app.fuzz_touched() returns trigger language plpgsql as $touched$
    begin raise sqlstate '${TOUCHED}' using message = tg_table_schema || '.' || tg_table_name; end $touched$`);
  for (const name of await tenantTables(sql)) {
    await sql
      .unsafe(`
        create trigger fuzz_written after insert or update on ${name} for each row
        when (new.organization_id = '${foreign.id}'${COUNTED[name] ?? ""}) execute function app.fuzz_touched();
        create trigger fuzz_removed after delete on ${name} for each row
        when (old.organization_id = '${foreign.id}') execute function app.fuzz_touched()`)
      .simple();
  }
}

async function tenantTables(sql: TransactionSql): Promise<string[]> {
  const tables = await sql<{ name: string }[]>`
    select format('%I.%I', space.nspname, relation.relname) as name
    from pg_class relation
    join pg_namespace space on space.oid = relation.relnamespace
    join pg_attribute owner on owner.attrelid = relation.oid and owner.attname = 'organization_id'
    where space.nspname in ('public', 'app', 'audit') and relation.relkind in ('r', 'p') and not relation.relispartition
    order by 1`;
  return tables.map(({ name }) => name);
}
