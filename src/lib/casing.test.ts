import fc from "fast-check";
import { describe, expect, expectTypeOf, it } from "vitest";
import { type Camel, camelName, fromWire, type Snake, snakeName, toWire } from "./casing.ts";

const word = fc.stringMatching(/^[a-z][a-z0-9]{0,6}$/);
const snakeKey = fc
  .tuple(word, fc.array(fc.oneof(word, fc.stringMatching(/^[0-9]{1,3}$/)), { maxLength: 3 }))
  .map(([first, rest]) => [first, ...rest].join("_"));
const wireValue = fc.letrec<{ value: unknown }>((tie) => ({
  value: fc.oneof(
    { depthSize: "small" },
    fc.string(),
    fc.integer(),
    fc.boolean(),
    fc.constant(null),
    fc.array(tie("value"), { maxLength: 4 }),
    fc.dictionary(snakeKey, tie("value"), { maxKeys: 5, noNullPrototype: true }),
  ),
})).value;

describe("casing", () => {
  it("spells every snake_case name the same after going to camelCase and back", () => {
    fc.assert(fc.property(snakeKey, (name) => snakeName(camelName(name)) === name));
  });

  it("gives every wire value back unchanged after fromWire and toWire", () => {
    fc.assert(
      fc.property(wireValue, (value) => {
        expect(toWire(fromWire(value))).toEqual(value);
      }),
    );
  });

  it("never renames two keys of one object to the same name", () => {
    fc.assert(
      fc.property(fc.uniqueArray(snakeKey), (names) => new Set(names.map(camelName)).size === names.length),
    );
  });

  it("renames keys at every depth and leaves values alone", () => {
    expect(fromWire({ hold_key: "a_b", holds: [{ start_time: null, line_1: "x_y" }] })).toEqual({
      holdKey: "a_b",
      holds: [{ startTime: null, line_1: "x_y" }],
    });
  });

  it("writes an instant as ISO 8601, and an invalid one as null", () => {
    expect(toWire({ startTime: new Date(0), endTime: new Date(Number.NaN) })).toEqual({
      start_time: "1970-01-01T00:00:00.000Z",
      end_time: null,
    });
  });

  it("gives types the names that it gives values", () => {
    type Wire = { hold_key: string; line_1: number; holds: { expires_at: string | null }[] };
    type App = { holdKey: string; line_1: number; holds: { expiresAt: string | null }[] };
    expectTypeOf<Camel<Wire>>().toEqualTypeOf<App>();
    expectTypeOf<Snake<App>>().toEqualTypeOf<Wire>();
  });
});
