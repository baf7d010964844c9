import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { DEFAULT_MAX_OCCURRENCES, expandRecurrence, HORIZON_YEARS, type Recurrence } from "./recurrence.ts";

const DAY_MS = 86_400_000;
const WEEKDAYS = ["SU", "MO", "TU", "WE", "TH", "FR", "SA"];

const base: Recurrence = {
  rule: "FREQ=DAILY;COUNT=2",
  timeZone: "America/Los_Angeles",
  start: "2027-03-01T09:00:00-08:00",
  end: "2027-03-01T10:00:00-08:00",
};

/** What holds of every answer. */
function expectSound(recurrence: Recurrence) {
  const result = expandRecurrence(recurrence);
  if (!result.ok) {
    expect(result.errors.length).toBeGreaterThan(0);
    return;
  }
  const length = Date.parse(recurrence.end) - Date.parse(recurrence.start);
  expect(result.occurrences.length).toBeGreaterThan(0);
  expect(result.occurrences.length).toBeLessThanOrEqual(DEFAULT_MAX_OCCURRENCES);
  for (const [index, { start, end }] of result.occurrences.entries()) {
    expect(end.getTime() - start.getTime()).toBe(length);
    const before = result.occurrences[index - 1]?.start.getTime() ?? Number.NEGATIVE_INFINITY;
    expect(start.getTime()).toBeGreaterThan(before);
  }
}

describe("any string", () => {
  const odd = fc.oneof(
    fc.string({ unit: "binary", maxLength: 60 }),
    fc.constantFrom("__proto__", "toString=1", "FREQ=__proto__;COUNT=1", "FREQ=DAILY;constructor=1;COUNT=1"),
    fc.string({
      unit: fc.constantFrom(..."0123456789TZ-+:.,;= ", "BY", "FREQ=", "COUNT=", "UNTIL="),
      maxLength: 30,
    }),
  );

  it("gets an answer in every field", () => {
    fc.assert(
      fc.property(fc.constantFrom("rule", "timeZone", "start", "end"), odd, (field, text) => {
        expectSound({ ...base, [field]: text });
      }),
      { numRuns: 2_000 },
    );
  });

  it("gets an answer as an exdate", () => {
    fc.assert(fc.property(fc.array(odd), (exdates) => expectSound({ ...base, exdates })));
  });

  it("gets an answer where it is nearly a rule", () => {
    const numbers = fc
      .array(fc.oneof(fc.integer({ min: -60, max: 60 }), fc.constantFrom(365, -366, 999_999_999)), {
        minLength: 1,
        maxLength: 4,
      })
      .map((list) => list.join());
    const value = fc.oneof(
      numbers,
      fc.subarray(WEEKDAYS, { minLength: 1 }).map((days) => days.join()),
      fc.constantFrom("1MO,-1FR,TU", "20270302", "20280301T000000Z", "99991231", "19991231"),
    );
    const name = fc.constantFrom(
      ...["INTERVAL", "COUNT", "UNTIL", "WKST", "BYSECOND", "BYMINUTE", "BYHOUR", "BYDAY"],
      ...["BYMONTHDAY", "BYYEARDAY", "BYWEEKNO", "BYMONTH", "BYSETPOS"],
    );
    const frequency = fc.constantFrom(
      "SECONDLY",
      "MINUTELY",
      "HOURLY",
      "DAILY",
      "WEEKLY",
      "MONTHLY",
      "YEARLY",
    );
    fc.assert(
      fc.property(
        frequency,
        fc.uniqueArray(fc.tuple(name, value), { selector: ([part]) => part }),
        (freq, parts) => {
          const rule = [`FREQ=${freq}`, ...parts.map((part) => part.join("="))].join(";");
          expectSound({ ...base, rule });
          expectSound({ ...base, rule: `${rule};COUNT=3` });
        },
      ),
      { numRuns: 1_000 },
    );
  });
});

interface Parts {
  frequency: "DAILY" | "WEEKLY" | "MONTHLY" | "YEARLY";
  interval: number;
  months: number[];
  monthDays: number[];
  weekdays: number[];
  position: number | undefined;
}

/** The number of the period that a day is in. */
function period(day: number, frequency: Parts["frequency"]): number {
  const date = new Date(day * DAY_MS);
  if (frequency === "YEARLY") return date.getUTCFullYear();
  if (frequency === "MONTHLY") return date.getUTCFullYear() * 12 + date.getUTCMonth();
  // 1970-01-01 was a Thursday, the fourth day of a week from Monday on.
  return frequency === "WEEKLY" ? Math.floor((day + 3) / 7) : day;
}

/** The first `count` days within the horizon, by looking at every day there is. */
function daysByLooking(parts: Parts, first: number, count: number): number[] {
  const { frequency, interval, months, monthDays, weekdays, position } = parts;
  const begun = new Date(first * DAY_MS);
  const open = monthDays.length === 0 && weekdays.length === 0;
  const admitted = (day: number) => {
    const date = new Date(day * DAY_MS);
    const [month, monthDay] = [date.getUTCMonth() + 1, date.getUTCDate()];
    const fromEnd = monthDay - 1 - new Date(Date.UTC(date.getUTCFullYear(), month, 0)).getUTCDate();
    return (
      (period(day, frequency) - period(first, frequency)) % interval === 0 &&
      (months.length === 0 || months.includes(month)) &&
      (monthDays.length === 0 || monthDays.includes(monthDay) || monthDays.includes(fromEnd)) &&
      (weekdays.length === 0 || weekdays.includes(date.getUTCDay())) &&
      (!open || frequency !== "WEEKLY" || date.getUTCDay() === begun.getUTCDay()) &&
      (!open || !["MONTHLY", "YEARLY"].includes(frequency) || monthDay === begun.getUTCDate()) &&
      (!open || frequency !== "YEARLY" || months.length > 0 || month === begun.getUTCMonth() + 1)
    );
  };
  const last = first + HORIZON_YEARS * 365.25;
  const found: number[] = [];
  let of: number[] = [];
  for (let day = first - 366; found.length < count && day < last + 366; day++) {
    if (period(day, frequency) < period(first, frequency)) continue;
    if (admitted(day)) of.push(day);
    if (period(day + 1, frequency) === period(day, frequency)) continue;
    const chosen = position === undefined ? of : of.slice(position - 1, position);
    found.push(...chosen.filter((each) => each >= first && each <= last));
    of = [];
  }
  return found.slice(0, count);
}

function ruleOf({ frequency, interval, months, monthDays, weekdays, position }: Parts): string {
  return [
    `FREQ=${frequency};INTERVAL=${interval}`,
    ...(months.length > 0 ? [`BYMONTH=${months.join()}`] : []),
    ...(monthDays.length > 0 ? [`BYMONTHDAY=${monthDays.join()}`] : []),
    ...(weekdays.length > 0 ? [`BYDAY=${weekdays.map((weekday) => WEEKDAYS[weekday]).join()}`] : []),
    ...(position === undefined ? [] : [`BYSETPOS=${position}`]),
  ].join(";");
}

describe("a rule of days", () => {
  const parts: fc.Arbitrary<Parts> = fc
    .record({
      frequency: fc.constantFrom("DAILY", "WEEKLY", "MONTHLY", "YEARLY"),
      interval: fc.integer({ min: 1, max: 5 }),
      months: fc.oneof(
        fc.constant<number[]>([]),
        fc.uniqueArray(fc.integer({ min: 1, max: 12 }), { maxLength: 4 }),
      ),
      monthDays: fc.oneof(
        fc.constant<number[]>([]),
        fc.uniqueArray(fc.oneof(fc.integer({ min: 1, max: 31 }), fc.integer({ min: -31, max: -1 })), {
          maxLength: 5,
        }),
      ),
      weekdays: fc.uniqueArray(fc.integer({ min: 0, max: 6 }), { maxLength: 4 }),
      position: fc.option(fc.integer({ min: 1, max: 3 }), { nil: undefined }),
    })
    .map((all) => ({
      ...all,
      monthDays: all.frequency === "WEEKLY" ? [] : all.monthDays,
      position: all.weekdays.length > 0 ? all.position : undefined,
    }));

  it("names the days that looking at every day finds", () => {
    const firstDay = fc.integer({ min: 20_454, max: 21_914 });
    const lengths = { compared: 0, refused: 0 };
    fc.assert(
      fc.property(parts, firstDay, fc.integer({ min: 1, max: 40 }), (rule, day, count) => {
        // A rule whose start is no occurrence of it is refused: begin where it does occur.
        const first = daysByLooking(rule, day, 1)[0] ?? day;
        const expected = daysByLooking(rule, first, count);
        const start = new Date(first * DAY_MS + DAY_MS / 2).toISOString();
        const end = new Date(first * DAY_MS + DAY_MS / 2 + 60_000).toISOString();
        const result = expandRecurrence({
          rule: `${ruleOf(rule)};COUNT=${count}`,
          timeZone: "UTC",
          start,
          end,
        });
        if (expected[0] !== first || expected.length < count) {
          expect(result.ok).toBe(false);
          lengths.refused++;
          return;
        }
        lengths.compared++;
        expect(result).toMatchObject({ ok: true });
        if (!result.ok) return;
        expect(result.occurrences.map((occurrence) => occurrence.localStart)).toEqual(
          expected.map((each) => new Date(each * DAY_MS + DAY_MS / 2).toISOString().slice(0, 19)),
        );
      }),
      { numRuns: 300 },
    );
    expect(lengths.compared).toBeGreaterThan(lengths.refused);
  });
});
