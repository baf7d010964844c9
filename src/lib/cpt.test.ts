import { describe, expect, it } from "vitest";
import { roundedMinutes, units } from "./cpt.ts";

// The first minute of each unit, as the CPT midpoint rule's published tables list them.
const FIRST_MINUTE_OF_UNIT = [8, 23, 38, 53, 68, 83, 98, 113];

describe("CPT units", () => {
  it.each(Array.from({ length: 121 }, (_, minute) => minute))(
    "of %i minutes are the units whose midpoint is passed",
    (minute) => {
      expect(units(minute)).toBe(FIRST_MINUTE_OF_UNIT.filter((first) => minute >= first).length);
    },
  );

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

  it.each([
    [7, 0],
    [8, 15],
    [22, 15],
    [23, 30],
    [60, 60],
    [67, 60],
    [68, 75],
  ])("bill %i minutes as %i", (minutes, billed) => {
    expect(roundedMinutes(minutes)).toBe(billed);
  });
});
