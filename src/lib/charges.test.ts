import { describe, expect, it } from "vitest";
import { type ChargeInput, deriveCharges, type Rounding, roundedMinutes, units } from "./charges.ts";

// The first minute of each unit, as the CPT midpoint rule's published tables list them, and so on every 15 minutes.
const FIRST_MINUTES = [8, 23, 38, 53, 68, 83, 98, 113];
const firstMinuteOfUnit = (rounding: Rounding, unit: number) =>
  rounding === "floor" ? 15 * unit : (FIRST_MINUTES[unit - 1] ?? 15 * unit - 7);

const MINUTES = Array.from({ length: 601 }, (_, minute) => minute);
const ROUNDINGS: Rounding[] = ["midpoint", "floor", "eight_minute"];

/** A session of a minute's count from 09:00 UTC on; what is not said is plain. */
function session(id: number, from: number, to: number, changes: Partial<ChargeInput> = {}): ChargeInput {
  const at = (minute: number) => new Date(Date.UTC(2027, 0, 4, 9, minute)).toISOString();
  return {
    sessionId: `00000000-0000-4000-8000-${String(id).padStart(12, "0")}`,
    clientId: "a client",
    serviceDate: "2027-01-04",
    startTime: at(from),
    endTime: at(to),
    cptCode: "97153",
    codeInForce: true,
    lane: 0,
    teamId: null,
    providerId: "a provider",
    mayBill: true,
    modifiers: ["HM"],
    telehealthModifier: null,
    rounding: "midpoint",
    poolsMinutes: false,
    dailyUnitCap: null,
    barsConcurrency: false,
    mueLimit: null,
    ...changes,
  };
}
const unitsOf = (...day: ChargeInput[]) => deriveCharges(day).map((charge) => charge.units);

describe.each(ROUNDINGS)("units by the rule %s", (rounding) => {
  it.each(MINUTES)("of %i minutes are those whose first minute is reached", (minute) => {
    let expected = 0;
    while (minute >= firstMinuteOfUnit(rounding, expected + 1)) expected += 1;
    expect(units(minute, rounding)).toBe(expected);
    expect(roundedMinutes(minute, rounding)).toBe(expected * 15);
    expect(unitsOf(session(1, 0, minute, { rounding }))).toEqual([expected]);
  });
});

describe("units", () => {
  it("do not count a part of a minute", () => {
    expect(units(7.99)).toBe(0);
    expect(units(22.99)).toBe(1);
  });

  it("are whole for a whole day", () => {
    expect(units(24 * 60)).toBe(96);
  });

  it.each([-1, Number.NaN, Number.POSITIVE_INFINITY])("are refused for %d minutes", (minutes) => {
    expect(() => units(minutes)).toThrow(RangeError);
  });
});

describe("a day's charges", () => {
  it("add the minutes of a pool before they are rounded, and give each session what the units grow by", () => {
    const day = [session(1, 0, 7), session(2, 10, 17), session(3, 20, 29)];
    expect(unitsOf(...day)).toEqual([0, 0, 1]);
    const pooled = day.map((it) => ({ ...it, poolsMinutes: true }));
    expect(unitsOf(...pooled)).toEqual([0, 1, 1]);
    expect(unitsOf(...pooled.toReversed())).toEqual([1, 1, 0]);
  });

  it("pool neither other codes nor other providers", () => {
    const of = (id: number, changes: Partial<ChargeInput>) =>
      session(id, 10 * id, 10 * id + 7, { poolsMinutes: true, ...changes });
    expect(unitsOf(of(1, {}), of(2, { cptCode: "97156" }), of(3, { providerId: "another" }))).toEqual([
      0, 0, 0,
    ]);
  });

  // CMS Claims Processing Manual, chapter 5, §20.2, examples 1, 2, 3 and 5.
  it.each([
    [
      [24, 23],
      [2, 1],
    ],
    [
      [20, 20],
      [2, 1],
    ],
    [
      [33, 7],
      [2, 1],
    ],
    [
      [18, 13, 10, 8],
      [1, 1, 1, 0],
    ],
    [
      [7, 7, 7],
      [1, 0, 0],
    ],
  ])("follow Medicare's examples: %j minutes of different codes are %j units", (minutes, expected) => {
    const codes = ["97153", "97154", "97155", "97156"];
    const day = minutes.map((length, index) =>
      session(index, 60 * index, 60 * index + length, {
        rounding: "eight_minute",
        cptCode: codes[index] ?? "",
      }),
    );
    expect(unitsOf(...day)).toEqual(expected);
  });

  it("count no more units than the payer's cap, the first ones of the day", () => {
    const day = [0, 60, 120].map((from, id) => session(id, from, from + 60, { dailyUnitCap: 6 }));
    expect(deriveCharges(day).map(({ units: counted, warnings }) => [counted, warnings])).toEqual([
      [4, []],
      [2, ["unit_cap"]],
      [0, ["unit_cap"]],
    ]);
  });

  it("warn from the session on that goes beyond the limit, and not at the limit", () => {
    const at = (to: number) => [session(1, 0, 240, { mueLimit: 32 }), session(2, 240, to, { mueLimit: 32 })];
    expect(deriveCharges(at(480)).flatMap(({ warnings }) => warnings)).toEqual([]);
    expect(deriveCharges(at(487)).flatMap(({ warnings }) => warnings)).toEqual([]);
    expect(deriveCharges(at(488))).toMatchObject([
      { warnings: [], mueLimit: null, mueUnits: null },
      { warnings: ["mue_exceeded"], mueLimit: 32, mueUnits: 33 },
    ]);
  });

  it("count minutes that supervision shares with direct treatment once, for the treatment, where the payer bars both", () => {
    const bars = { barsConcurrency: true };
    const supervision = session(3, 30, 150, { ...bars, cptCode: "97155", lane: 1 });
    const day = [session(1, 0, 60, bars), session(2, 50, 90, bars), supervision];
    expect(deriveCharges(day)).toMatchObject([
      { minutes: 60, warnings: [] },
      { minutes: 40, warnings: [] },
      { minutes: 60, warnings: ["concurrent_not_allowed"] },
    ]);
    expect(deriveCharges([...day.slice(0, 2), { ...supervision, barsConcurrency: false }])[2]).toMatchObject({
      minutes: 120,
      warnings: [],
    });
  });

  it("count one technician of a team", () => {
    const day = [1, 2].map((id) => session(id, 0, 60, { teamId: "a team" }));
    expect(deriveCharges(day)).toMatchObject([
      { units: 4, warnings: [] },
      { units: 0, warnings: ["team_counted_once"] },
    ]);
  });

  it("carry at most four modifiers, the telehealth one behind the others and once", () => {
    const of = (modifiers: string[]) =>
      deriveCharges([session(1, 0, 60, { modifiers, telehealthModifier: "95" })])[0]?.modifiers;
    expect(of(["HM"])).toEqual(["HM", "95"]);
    expect(of(["95", "HM"])).toEqual(["95", "HM"]);
    expect(of(["U1", "U2", "U3", "U4"])).toEqual(["U1", "U2", "U3", "U4"]);
  });

  it("warn of codes that may not be billed", () => {
    const [charge] = deriveCharges([session(1, 0, 60, { mayBill: false, codeInForce: false })]);
    expect(charge?.warnings).toEqual(["code_not_in_force", "code_not_for_credential"]);
  });
});
