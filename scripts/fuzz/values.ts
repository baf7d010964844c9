// Values that have broken something somewhere: each is a value of JSON, or text in the place of one.

import fc from "fast-check";
import { MARK } from "../../supabase/tests/leaks/marks.ts";
import { INJECTIONS } from "./injections.ts";

export type Json = null | boolean | number | string | Json[] | { [name: string]: Json };

/** Text that stands in the JSON as it is, where no JSON value can say it. */
export const verbatim = (text: string): string => `\u{f8ff}${text}\u{f8ff}`;

/** The JSON of a value, with what is to stand in it verbatim. */
export function toText(value: unknown): string {
  return (JSON.stringify(value) ?? "null").replace(/"\u{f8ff}([^\u{f8ff}]*)\u{f8ff}"/gu, (_, text: string) =>
    JSON.parse(`"${text}"`),
  );
}

const NUMBERS = [
  0,
  -0,
  1,
  -1,
  0.1,
  2 ** 31 - 1,
  2 ** 31,
  -(2 ** 31) - 1,
  2 ** 53,
  2 ** 63,
  1e308,
  -1e308,
  5e-324,
  9_999_999_999_999,
];
const RAW_NUMBERS = [
  "1e400",
  "-1e400",
  "1e-400",
  "00",
  "NaN",
  "Infinity",
  "1.",
  "0x10",
  "9".repeat(400),
  "1E+2",
];

const TIMES = [
  "0000-01-01T00:00:00Z",
  "0001-01-01T00:00:00Z",
  "9999-12-31T23:59:59Z",
  "9999-12-31T23:59:59-14:00",
  "10000-01-01T00:00:00Z",
  "294276-12-31T23:59:59Z",
  "294277-01-01T00:00:00Z",
  "-4713-11-24T00:00:00Z",
  "4713-01-01 BC",
  "infinity",
  "-infinity",
  "now",
  "today",
  "epoch",
  "allballs",
  "2027-03-14T02:30:00-08:00",
  "2026-11-01T01:30:00-07:00",
  "2026-12-31T23:59:60Z",
  "2026-02-30T00:00:00Z",
  "2027-01-01T24:00:00Z",
  "2027-01-01T00:00:00+15:59",
  "2027-01-01T00:00:00+16:00",
  "2027-01-01T00:00:00+99:99",
  "2027-01-01T00:00:00",
  "2027-01-01",
  "2027-13-01",
  "2027-W01-1",
  "20270101T000000Z",
  "2027-01-01T00:00:00.000000001Z",
  "2027-01-01T00:00:00.9999999Z",
  "2027-1-1T0:0:0Z",
  "0000-00-00",
  "9999-12-31",
  "0001-01-01",
  "2027-02",
  "9999-12",
  "0000-01",
  "24:00",
  "23:59:60",
  "-1:00",
  "12:00+05",
  "25:00",
];
const ZONES = [
  "UTC",
  "America/Los_Angeles",
  "Australia/Lord_Howe",
  "Pacific/Kiritimati",
  "utc",
  "Etc/GMT+14",
  "posix/UTC",
  "EST5EDT",
  "PST8PDT",
  "Factory",
  "localtime",
  "+05:30",
  "<+03>-3",
  "UTC0",
  "America/Nowhere",
  "../../etc/passwd",
  "Europe/London\u0000",
];
const RULES = [
  "FREQ=DAILY;COUNT=3",
  "FREQ=WEEKLY;BYDAY=MO;COUNT=2",
  "FREQ=SECONDLY",
  "FREQ=DAILY;COUNT=0",
  "FREQ=DAILY;COUNT=99999999",
  "FREQ=YEARLY;BYMONTH=2;BYMONTHDAY=30",
  "FREQ=DAILY;INTERVAL=0;COUNT=2",
  "FREQ=DAILY;UNTIL=99991231T235959Z",
  "FREQ=DAILY;COUNT=1e9",
  "FREQ=WEEKLY;BYDAY=XX",
  "FREQ=",
  ";;;",
  "FREQ=DAILY;FREQ=WEEKLY",
  "FREQ=MINUTELY;COUNT=400",
  "FREQ=YEARLY;BYWEEKNO=53;COUNT=1",
  "FREQ=MONTHLY;BYDAY=5MO;BYSETPOS=-366;COUNT=3",
  "DTSTART:20270101T000000Z\nRRULE:FREQ=DAILY",
  "FREQ=DAILY;BYHOUR=25;COUNT=1",
];
const TEXTS = [
  "",
  " ",
  "\u00a0",
  "\t\n",
  "\u0000",
  "a\u0000b",
  "\ud800",
  "\udfff\ud800",
  "\ufeff",
  "\u202e",
  "\u200b",
  "\u0301",
  "I\u0307",
  "ß",
  "ﬃ",
  "👩‍👩‍👧",
  "\u{10ffff}",
  "Ω≈ç√",
  "é".normalize("NFD"),
  "%00",
  "%s%n%d",
  "#{7*7}",
  "{{7*7}}",
  "<script>alert(1)</script>",
  "../../../etc/passwd",
  "..\\..\\",
  "file:///etc/passwd",
  "http://127.0.0.1:1/",
  "http://[::1]/",
  "https://hooks.example.com@127.0.0.1/",
  "javascript:0",
  "\r\nSet-Cookie: a=b",
  "\\",
  '"',
  "null",
  "undefined",
  "true",
  "[object Object]",
  "__proto__",
  "constructor",
  "NaN",
  "1e309",
  "0x1F",
  "00000000-0000-0000-0000-000000000000",
  "ffffffff-ffff-ffff-ffff-ffffffffffff",
  "{00000000-0000-0000-0000-000000000000}",
  "{}",
  "{a,b}",
  '{"',
  "(,)",
  "[1,2)",
  "$1",
  "$$",
  "E'\\x00'",
  "\\x00",
  MARK,
  `${MARK} Jones`,
  `x${MARK}@example.com`,
  "a".repeat(256),
  "é".repeat(501),
  "a".repeat(10_000),
];
const deep = (depth: number, open: string, close: string): string =>
  verbatim(open.repeat(depth) + close.repeat(depth));
const DEEP = [
  deep(100, "[", "]"),
  deep(3_000, "[", "]"),
  verbatim(`${'{"a":'.repeat(500)}1${"}".repeat(500)}`),
];

/** Names that an object may have besides its own. */
export const NAMES = [
  "__proto__",
  "constructor",
  "prototype",
  "toString",
  "hasOwnProperty",
  "",
  "$where",
  "\u0000",
  "a.b",
  "0",
  `${MARK} Jones`,
  "organization_id",
];

const strings = fc.oneof(
  { weight: 3, arbitrary: fc.constantFrom(...TEXTS) },
  { weight: 3, arbitrary: fc.constantFrom(...TIMES) },
  { weight: 1, arbitrary: fc.constantFrom(...ZONES) },
  { weight: 1, arbitrary: fc.constantFrom(...RULES) },
  { weight: 2, arbitrary: fc.constantFrom(...INJECTIONS) },
  { weight: 1, arbitrary: fc.string({ unit: "binary", maxLength: 30 }) },
);
const scalars = fc.oneof(
  { weight: 5, arbitrary: strings },
  { weight: 2, arbitrary: fc.constantFrom<Json>(...NUMBERS) },
  { weight: 1, arbitrary: fc.constantFrom<Json>(...RAW_NUMBERS.map(verbatim)) },
  { weight: 2, arbitrary: fc.constantFrom<Json>(null, true, false) },
);

/** Anything but what belongs there. */
export const hostile: fc.Arbitrary<Json> = fc.oneof(
  { weight: 12, arbitrary: scalars },
  { weight: 2, arbitrary: fc.array(scalars, { maxLength: 3 }) },
  { weight: 1, arbitrary: fc.constantFrom<Json>({}, [], [[]], [null], { "": null }, { length: 3 }) },
  { weight: 1, arbitrary: fc.dictionary(fc.constantFrom(...NAMES, "id"), scalars, { maxKeys: 3 }) },
  {
    weight: 1,
    arbitrary: fc
      .integer({ min: 50, max: 2_000 })
      .chain((length) => scalars.map((item) => Array<Json>(length).fill(item))),
  },
  { weight: 1, arbitrary: fc.constantFrom<Json>(...DEEP) },
);

/** Times, zones and rules of which some are good. */
export const plausible = {
  time: fc.constantFrom(...TIMES),
  zone: fc.oneof(
    { weight: 4, arbitrary: fc.constant("UTC") },
    { weight: 1, arbitrary: fc.constantFrom(...ZONES) },
  ),
  rule: fc.constantFrom(...RULES),
};
