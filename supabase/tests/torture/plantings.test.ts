// Every bug that is planted on purpose is found: without that, to find nothing would mean nothing.

import { beforeAll, describe, expect, it } from "vitest";
import { PLANTINGS, type Planted } from "../../../scripts/torture/plantings.ts";
import { runTorture } from "../support/torture.ts";

describe("a planted bug is found", () => {
  let planted: Planted[];
  beforeAll(async () => {
    const { result, stderr } = await runTorture("--plantings", "--seed", "1");
    planted = result ?? [];
    expect(planted.length, stderr).toBe(PLANTINGS.length);
  }, 240_000);

  it.each(PLANTINGS.map(({ name }) => name))("%s", (name) => {
    expect(planted.find((one) => one.name === name)).toMatchObject({ missed: [] });
  });
});
