// What is of another clinic makes no difference to any RPC, and a comparison that is left out is found.

import { afterAll, beforeAll, describe, expect, inject, it } from "vitest";
import { compareTwins, type TwinPlan } from "../../../scripts/fuzz/noninterference.ts";
import { type FuzzStack, startFuzzStack } from "../../../scripts/fuzz/stack.ts";
import { Tally } from "../../../scripts/fuzz/tally.ts";
import { type Rpc, rpcs } from "../../../scripts/fuzz/targets.ts";
import { TWIN_PLANTINGS } from "../../../scripts/fuzz/twin-plantings.ts";
import { buildWorld, type World } from "../../../scripts/fuzz/world.ts";

const PLAN: TwinPlan = { seed: 1, callers: ["admin"], anchors: ["organization_id", "therapist_id"] };
let stack: FuzzStack;
let world: World;
let asked: Rpc[];

beforeAll(async () => {
  stack = await startFuzzStack({ template: inject("template") });
  world = await buildWorld(stack.sql);
  asked = (await rpcs(stack.sql)).filter(({ roles }) => roles.includes("authenticated"));
});
afterAll(() => stack?.stop());

async function compared(of: readonly Rpc[], changes: Partial<TwinPlan> = {}): Promise<Tally> {
  const tally = new Tally();
  await compareTwins(stack.sql, world, of, { ...PLAN, ...changes }, tally);
  return tally;
}

describe("every RPC that a signed-in user may call", () => {
  let tally: Tally;
  beforeAll(async () => {
    tally = await compared(asked);
  });

  it("answers an id of another clinic as one that nobody has, and leaves its rows alone", () => {
    expect(tally.findings).toEqual([]);
  });

  it("is asked, with all that takes an id", () => {
    const takesIds = asked.filter(({ args }) => args.some(({ type }) => type === "jsonb" || type === "uuid"));
    expect(takesIds.length).toBeGreaterThan(80);
    expect(
      takesIds.filter(({ name }) => !tally.targets.has(`twins: ${name}`)).map(({ name }) => name),
    ).toEqual([]);
  });

  it("is not only refused", () => {
    expect([...tally.targets.values()].filter(({ done }) => done > 0).length).toBeGreaterThan(30);
  });
});

describe("it is found that", () => {
  it.each(TWIN_PLANTINGS)("$name", async ({ plant, undo, of, finds }) => {
    for (const statement of plant) await stack.sql.unsafe(statement);
    const { findings } = await compared(
      asked.filter(({ name }) => of.includes(name)),
      { twins: 10 },
    );
    for (const statement of undo) await stack.sql.unsafe(statement);
    expect(findings.map(({ what }) => what)).toContainEqual(expect.stringMatching(finds));
  });
});
