// One run: everything there is to fuzz, by so many cases, the same for the same seed.

import postgres, { type Sql } from "postgres";
import { marksIn } from "../../supabase/tests/leaks/scan.ts";
import { compareTwins } from "./noninterference.ts";
import { fuzzOverHttp } from "./over-http.ts";
import { injectOverRest, plantProbe } from "./over-rest.ts";
import { fuzzOverSql } from "./rpc-over-sql.ts";
import type { FuzzStack } from "./stack.ts";
import { Tally } from "./tally.ts";
import { edgeFunctions, rpcs } from "./targets.ts";
import { tryTokens } from "./tokens.ts";
import { buildWorld } from "./world.ts";

export interface Plan {
  /** About how many; access tokens come on top. */
  cases: number;
  seed: number;
  /** Only the function or RPC of this name. */
  only?: string | undefined;
  /** How many work at the same time, each on clinics of its own. */
  lanes?: number;
}

/** Of a hundred cases, over SQL, of twins, over HTTP, and of injections over REST. */
const SHARES = { sql: 0.65, twins: 0.1, http: 0.2, injections: 0.05 };
/** So many calls change clinics so much that the next target gets new ones. */
const WORN = 40;

export async function fuzz(
  stack: FuzzStack,
  { cases, seed, only, lanes = 3 }: Plan,
  log = (_: string) => {},
): Promise<Tally> {
  const tally = new Tally(log);
  const { sql } = stack;
  const isMeant = ({ name }: { name: string }) => only === undefined || name === only;
  const [asked, functions] = [(await rpcs(sql)).filter(isMeant), edgeFunctions().filter(isMeant)];
  const each = (share: number, targets: number) => Math.max(1, Math.ceil((cases * share) / (targets || 1)));

  await inLanes(asked, lanes, async (take) => {
    const connection = postgres(stack.databaseUrl, { max: 1, onnotice: () => {} });
    const world = await buildWorld(sql);
    for (let rpc = take(); rpc; rpc = take()) {
      await fuzzOverSql(connection, world, [rpc], { cases: each(SHARES.sql, asked.length), seed }, tally);
    }
    await connection.end();
  });
  log(`${tally.cases} cases over SQL`);

  // One connection by itself: it has triggers on every table until it is done.
  const places = each(SHARES.twins, asked.length);
  await compareTwins(sql, await buildWorld(sql), asked, { seed, places }, tally);
  log(`${tally.cases} cases with twins`);

  const overHttp = [...functions, ...functions, ...asked];
  await inLanes(overHttp, lanes, async (take) => {
    let world = await buildWorld(sql);
    const plan = { cases: each(SHARES.http, overHttp.length), seed };
    for (let target = take(); target; target = take()) {
      await fuzzOverHttp(sql, stack, world, [target], { ...plan, seed: plan.seed++ }, tally);
      if (plan.cases > WORN) world = await buildWorld(sql);
    }
  });
  log(`${tally.cases} cases with those over HTTP`);

  if (only === undefined) {
    const world = await buildWorld(sql);
    await plantProbe(sql);
    await injectOverRest(sql, stack, world, { cases: Math.ceil(cases * SHARES.injections), seed }, tally);
    await tryTokens(sql, stack, world, tally);
  }
  await lookBehind(stack, tally);
  return tally;
}

/** Some at a time take from the same list until nothing is left. */
async function inLanes<Item>(
  items: readonly Item[],
  lanes: number,
  work: (take: () => Item | undefined) => Promise<void>,
) {
  const left = [...items];
  await Promise.all(Array.from({ length: Math.min(lanes, left.length) }, () => work(() => left.shift())));
}

/** What must hold after anything at all: the books agree, and no log line has PHI in it. */
async function lookBehind({ sql, lines }: FuzzStack, tally: Tally): Promise<void> {
  const found = { target: "afterwards", caller: "nobody", sent: "" };
  for (const name of await faultFinders(sql)) {
    const faults = await sql.unsafe(`select to_jsonb(fault) as fault from app.${name}() fault`);
    if (faults.length > 0)
      tally.find({ ...found, what: `${name} finds faults`, seen: JSON.stringify(faults[0]) });
  }
  const line = lines.find((text) => marksIn(text).length > 0);
  if (line) tally.find({ ...found, what: "a log line has PHI", seen: line });
}

async function faultFinders(sql: Sql): Promise<string[]> {
  const rows = await sql`
    select proname from pg_proc
    where pronamespace = 'app'::regnamespace and proname ~ '_faults$' and pronargs = 0`;
  return rows.map(({ proname }) => proname);
}
