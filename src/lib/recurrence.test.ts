import { describe, expect, it } from "vitest";
import { wallClock } from "../../supabase/tests/support/wall-clock.ts";
import { DEFAULT_MAX_OCCURRENCES, expandRecurrence, HORIZON_YEARS, type Recurrence } from "./recurrence.ts";

const HOUR_MS = 3_600_000;
const DAY_MS = 24 * HOUR_MS;
const LA = "America/Los_Angeles";
const MONDAY = "2027-03-01T09:00:00-08:00";

function expand(rule: string, more: Partial<Recurrence> = {}, limits?: { maxOccurrences: number }) {
  const start = more.start ?? MONDAY;
  const ms = Date.parse(start);
  const end = Number.isNaN(ms) ? MONDAY : new Date(ms + HOUR_MS).toISOString();
  return expandRecurrence({ rule, timeZone: LA, start, end, ...more }, limits);
}

function occurrences(...given: Parameters<typeof expand>) {
  const result = expand(...given);
  if (!result.ok) throw new Error(JSON.stringify(result.errors));
  return result.occurrences;
}

const starts = (...given: Parameters<typeof expand>) =>
  occurrences(...given).map(({ start }) => start.toISOString());

const localStarts = (...given: Parameters<typeof expand>) =>
  occurrences(...given).map(({ localStart }) => localStart.slice(0, 16));

function refusals(...given: Parameters<typeof expand>): string[] {
  const result = expand(...given);
  return result.ok ? [] : result.errors.map(({ field, code }) => `${field}: ${code}`);
}

/** The first instant that shows `local`; if none does, the one that shows it moved on by the gap. */
function instantByIntl(local: string, timeZone: string): number {
  const wanted = Date.parse(`${local}Z`);
  const [before, after] = [-DAY_MS, DAY_MS].map((ms) => wallClock(wanted + ms, timeZone) - (wanted + ms));
  const offsets = [before ?? 0, after ?? 0];
  const shown = offsets
    .map((offset) => wanted - offset)
    .filter((instant) => wallClock(instant, timeZone) === wanted);
  if (shown.length > 0) return Math.min(...shown);
  const gap = Math.max(...offsets) - Math.min(...offsets);
  const moved = wanted + gap - Math.max(...offsets);
  expect(wallClock(moved, timeZone)).toBe(wanted + gap);
  return moved;
}

/** The same by trying every quarter of an hour of two days. */
function instantBySearch(local: string, timeZone: string): number {
  const wanted = Date.parse(`${local}Z`);
  const quarters = Array.from({ length: 193 }, (_, index) => wanted - DAY_MS + index * 900_000);
  const shows = (wall: number) => quarters.find((instant) => wallClock(instant, timeZone) === wall);
  const gap = wallClock(wanted + DAY_MS, timeZone) - wallClock(wanted - DAY_MS, timeZone) - 2 * DAY_MS;
  return shows(wanted) ?? shows(wanted + gap) ?? Number.NaN;
}

describe("the clock of an occurrence", () => {
  it.each([
    ["America/Los_Angeles", "2027-03-07T02:30", "2027-03-14T02:30", "2027-03-14T10:30:00.000Z"],
    ["America/Los_Angeles", "2026-10-25T01:30", "2026-11-01T01:30", "2026-11-01T08:30:00.000Z"],
    ["America/Los_Angeles", "2027-10-31T01:30", "2027-11-07T01:30", "2027-11-07T08:30:00.000Z"],
    ["Australia/Sydney", "2026-09-27T02:30", "2026-10-04T02:30", "2026-10-03T16:30:00.000Z"],
    ["Australia/Sydney", "2027-03-28T02:30", "2027-04-04T02:30", "2027-04-03T15:30:00.000Z"],
    ["Australia/Lord_Howe", "2026-09-27T02:15", "2026-10-04T02:15", "2026-10-03T15:45:00.000Z"],
    ["Australia/Lord_Howe", "2027-03-28T01:45", "2027-04-04T01:45", "2027-04-03T14:45:00.000Z"],
    ["America/Phoenix", "2027-03-07T02:30", "2027-03-14T02:30", "2027-03-14T09:30:00.000Z"],
    ["America/Phoenix", "2026-10-25T01:30", "2026-11-01T01:30", "2026-11-01T08:30:00.000Z"],
  ])("is kept in %s from %s to %s", (timeZone, first, second, instant) => {
    const start = new Date(instantBySearch(first, timeZone)).toISOString();
    const [, found] = occurrences("FREQ=WEEKLY;COUNT=2", { timeZone, start });
    expect(found?.localStart).toBe(`${second}:00`);
    expect(found?.start.toISOString()).toBe(instant);
    expect(instantBySearch(second, timeZone)).toBe(Date.parse(instant));
    expect(found?.startOffsetMinutes).toBe(
      (wallClock(Date.parse(instant), timeZone) - Date.parse(instant)) / 60_000,
    );
  });

  it("is what Intl shows, weekly through a year in every zone", () => {
    for (const timeZone of Intl.supportedValuesOf("timeZone")) {
      const start = new Date(instantByIntl("2026-09-06T02:15", timeZone)).toISOString();
      const found = occurrences("FREQ=WEEKLY;COUNT=53", { timeZone, start });
      expect(found, timeZone).toHaveLength(53);
      for (const { localStart, start: at, end, startOffsetMinutes, endOffsetMinutes } of found) {
        expect(at.getTime(), `${timeZone} ${localStart}`).toBe(instantByIntl(localStart, timeZone));
        expect(end.getTime() - at.getTime()).toBe(HOUR_MS);
        expect(at.getTime() + startOffsetMinutes * 60_000).toBe(wallClock(at.getTime(), timeZone));
        expect(end.getTime() + endOffsetMinutes * 60_000).toBe(wallClock(end.getTime(), timeZone));
      }
    }
  });

  it("leaves an occurrence its length across a change, and each end its own offset", () => {
    const [, found] = occurrences("FREQ=DAILY;COUNT=2", {
      start: "2027-03-13T01:30:00-08:00",
      end: "2027-03-13T02:30:00-08:00",
    });
    expect(found).toEqual({
      localStart: "2027-03-14T01:30:00",
      start: new Date("2027-03-14T09:30:00Z"),
      end: new Date("2027-03-14T10:30:00Z"),
      startOffsetMinutes: -480,
      endOffsetMinutes: -420,
    });
  });

  it("names an hourly occurrence once where two fall on one instant, and counts it once", () => {
    const start = "2027-03-14T00:30:00-08:00";
    expect(localStarts("FREQ=HOURLY;COUNT=4", { start })).toEqual(
      ["00:30", "01:30", "03:30", "04:30"].map((time) => `2027-03-14T${time}`),
    );
    expect(localStarts("FREQ=DAILY;BYHOUR=0,2,3;BYMINUTE=30;UNTIL=20270314", { start })).toEqual([
      "2027-03-14T00:30",
      "2027-03-14T03:30",
    ]);
  });

  it("leaves out the second pass of an hour, also of an hourly rule", () => {
    expect(starts("FREQ=HOURLY;COUNT=3", { start: "2027-11-07T00:30:00-07:00" })).toEqual([
      "2027-11-07T07:30:00.000Z",
      "2027-11-07T08:30:00.000Z",
      "2027-11-07T10:30:00.000Z",
    ]);
  });

  it("gives times that move past others in order, and those only up to UNTIL", () => {
    const start = "2027-03-14T00:00:00-08:00";
    const times = (rule: string) => starts(rule, { start }).map((instant) => instant.slice(11, 16));
    expect(times("FREQ=MINUTELY;INTERVAL=45;COUNT=6")).toEqual([
      "08:00",
      "08:45",
      "09:30",
      "10:00",
      "10:15",
      "10:45",
    ]);
    expect(times("FREQ=MINUTELY;INTERVAL=45;UNTIL=20270314T100500Z")).toEqual([
      "08:00",
      "08:45",
      "09:30",
      "10:00",
    ]);
  });
});

describe("UNTIL", () => {
  it.each([
    ["20270303T170000Z", 3, "is an instant, and the occurrence at it is in"],
    ["20270303T165959Z", 2, "is an instant, and a second earlier leaves it out"],
    ["20270303T090000", 3, "without Z is local time"],
    ["20270303T085959", 2, "without Z is local time, to the second"],
    ["20270303", 3, "as a date is the whole local day"],
  ])("=%s gives %i: %s", (until, count) => {
    expect(starts(`FREQ=DAILY;UNTIL=${until}`)).toHaveLength(count);
  });

  it("as a date ends with the local day, not with UTC's", () => {
    const start = "2027-03-01T23:30:00-08:00";
    expect(localStarts("FREQ=DAILY;UNTIL=20270302", { start })).toEqual([
      "2027-03-01T23:30",
      "2027-03-02T23:30",
    ]);
  });
});

describe("an exdate", () => {
  it.each([
    ["2027-03-02T09:00", "a local time"],
    ["2027-03-02T09:00:00", "a local time with seconds"],
    ["2027-03-02T17:00:00Z", "an instant"],
    ["2027-03-02T12:00:00-05:00", "an instant with another offset"],
    ["2027-03-02", "a local day"],
  ])("%s, %s, leaves out what it matches, after COUNT", (exdate) => {
    expect(localStarts("FREQ=DAILY;COUNT=3", { exdates: [exdate] })).toEqual([
      "2027-03-01T09:00",
      "2027-03-03T09:00",
    ]);
  });

  it("may match nothing, and a day all of its occurrences", () => {
    const exdates = ["2027-03-02T09:01", "2031-01-01", "2027-03-01"];
    const rule = "FREQ=DAILY;BYHOUR=9,10;COUNT=4";
    expect(localStarts(rule, { exdates })).toEqual(["2027-03-02T09:00", "2027-03-02T10:00"]);
  });

  it.each([
    "",
    "tomorrow",
    "2027-02-30",
    "2027-02-30T09:00",
    "2027-03-02T25:00",
    "20270302",
    "2027-03-02T09:00+99:00",
  ])("'%s' is refused by its index", (exdate) => {
    expect(refusals("FREQ=DAILY;COUNT=3", { exdates: ["2027-03-02", exdate] })).toEqual([
      "recurrence.exdates[1]: invalid_format",
    ]);
  });

  it("must leave an occurrence, and not be one of more than the rule may have", () => {
    const exdates = ["2027-03-01", "2027-03-02"];
    expect(refusals("FREQ=DAILY;COUNT=2", { exdates })).toEqual(["recurrence.exdates: all_excluded"]);
    expect(refusals("FREQ=DAILY;COUNT=2", { exdates: new Array(367).fill("2027-03-02") })).toEqual([
      "recurrence.exdates: too_many",
    ]);
  });
});

const REFUSED_RULES: (readonly [rule: string, code: string])[] = [
  ["FREQ=DAILY", "unbounded"],
  ["FREQ=DAILY;COUNT=2;UNTIL=20270401", "not_allowed"],
  ["FREQ=DAILY;COUNT=367", "too_many"],
  ["FREQ=DAILY;COUNT=99999999999999999999999", "too_many"],
  ["FREQ=DAILY;UNTIL=20280301", "too_many"],
  ["FREQ=SECONDLY;UNTIL=99991231", "too_many"],
  ["FREQ=YEARLY;COUNT=200", "too_far"],
  ["FREQ=YEARLY;UNTIL=99991231", "too_far"],
  ["FREQ=DAILY;INTERVAL=999999999;COUNT=2", "too_far"],
  ["FREQ=DAILY;UNTIL=20270228", "until_before_start"],
  ["FREQ=DAILY;UNTIL=20270301T165959Z", "until_before_start"],
  ["COUNT=2", "required"],
  ["", "invalid_format"],
  ["RRULE:", "invalid_format"],
  ["FREQ=DAILY;COUNT=2;", "invalid_format"],
  [" FREQ=DAILY;COUNT=2", "invalid_format"],
  ["FREQ=DAILY;COUNT=2\r\nRRULE:FREQ=DAILY;COUNT=3", "invalid_format"],
  ["DTSTART:20270301T090000\nRRULE:FREQ=DAILY;COUNT=2", "invalid_format"],
  ["FREQ=DAILY;COUNT=2;WKST=ſU", "invalid_format"],
  ["FREQ=DAILY;COUNT=2;COUNT=2", "duplicate"],
  ...[
    "BYEASTER=0",
    "RSCALE=GREGORIAN",
    "SKIP=OMIT",
    "X-NAME=1",
    "DTSTART=20270301T090000",
    "TZID=UTC",
    "A=1",
  ].map((part) => [`FREQ=DAILY;COUNT=2;${part}`, "unsupported"] as const),
  ...[
    ...["FREQ=", "FREQ=FORTNIGHTLY", "FREQ=0", "FREQ=DAILY;INTERVAL=0", "FREQ=DAILY;INTERVAL=-1"],
    ...["FREQ=DAILY;INTERVAL=1.5", "FREQ=DAILY;INTERVAL=99999999999999999999", "FREQ=DAILY;WKST=XX"],
    ...["FREQ=DAILY;BYSECOND=61", "FREQ=DAILY;BYMINUTE=60", "FREQ=DAILY;BYHOUR=24", "FREQ=DAILY;BYHOUR=-1"],
    ...["FREQ=DAILY;BYHOUR=", "FREQ=DAILY;BYHOUR=9,,10", "FREQ=DAILY;BYHOUR=009", "FREQ=DAILY;BYMONTH=0"],
    ...["FREQ=DAILY;BYMONTH=13", "FREQ=MONTHLY;BYMONTHDAY=0", "FREQ=MONTHLY;BYMONTHDAY=32"],
    ...["FREQ=YEARLY;BYYEARDAY=367", "FREQ=YEARLY;BYYEARDAY=0", "FREQ=YEARLY;BYWEEKNO=54"],
    ...["FREQ=MONTHLY;BYDAY=0MO", "FREQ=MONTHLY;BYDAY=54MO", "FREQ=WEEKLY;BYDAY=MON", "FREQ=WEEKLY;BYDAY=1"],
    ...["FREQ=MONTHLY;BYDAY=MO;BYSETPOS=0", "FREQ=MONTHLY;BYDAY=MO;BYSETPOS=367"],
  ].map((rule) => [`${rule};COUNT=2`, "invalid_value"] as const),
  ...[
    "COUNT=0",
    "COUNT=-1",
    "COUNT=two",
    "UNTIL=20270230",
    "UNTIL=2027-03-05",
    "UNTIL=20270305T090000+0100",
  ].map((part) => [`FREQ=DAILY;${part}`, "invalid_value"] as const),
  ...[
    ...["FREQ=WEEKLY;BYDAY=1MO", "FREQ=DAILY;BYDAY=-1FR", "FREQ=YEARLY;BYWEEKNO=9;BYDAY=1MO"],
    ...["FREQ=WEEKLY;BYMONTHDAY=1", "FREQ=DAILY;BYYEARDAY=60", "FREQ=WEEKLY;BYYEARDAY=60"],
    ...["FREQ=MONTHLY;BYYEARDAY=60", "FREQ=MONTHLY;BYWEEKNO=9", "FREQ=DAILY;BYSETPOS=1"],
  ].map((rule) => [`${rule};COUNT=2`, "not_allowed"] as const),
  ...["SECONDLY", "MINUTELY", "HOURLY", "DAILY", "MONTHLY", "YEARLY"].map(
    (freq) => [`FREQ=${freq};BYMONTH=2;BYMONTHDAY=30;COUNT=1`, "no_occurrences"] as const,
  ),
  ["FREQ=HOURLY;INTERVAL=24;BYHOUR=5;COUNT=2", "no_occurrences"],
  ["FREQ=SECONDLY;BYSECOND=0;BYSETPOS=2;COUNT=2", "no_occurrences"],
];

describe("a rule", () => {
  it("may stand after RRULE: and in small letters", () => {
    expect(starts("rrule:freq=weekly;byday=mo;count=2")).toEqual(starts("FREQ=WEEKLY;BYDAY=MO;COUNT=2"));
  });

  it.each(REFUSED_RULES)("%s is refused: %s", (rule, code) => {
    expect(refusals(rule)).toEqual([`recurrence.rule: ${code}`]);
  });

  it("is refused part by part, with the names of what it may not have", () => {
    const result = expand("FREQ=DAILY;BYEASTER=0;BYHOUR=24;X-MOON=FULL");
    const messages = result.ok ? [] : result.errors.map(({ message }) => message);
    expect(messages.map((message) => /BYEASTER|BYHOUR|X-MOON/.exec(message)?.[0])).toEqual([
      "BYEASTER",
      "BYHOUR",
      "X-MOON",
    ]);
  });

  it("may have as many occurrences as its caller allows, and no more", () => {
    expect(starts("FREQ=DAILY;COUNT=366")).toHaveLength(DEFAULT_MAX_OCCURRENCES);
    expect(starts("FREQ=DAILY;UNTIL=20280229")).toHaveLength(DEFAULT_MAX_OCCURRENCES);
    expect(starts("FREQ=DAILY;COUNT=3", {}, { maxOccurrences: 3 })).toHaveLength(3);
    expect(refusals("FREQ=DAILY;COUNT=4", {}, { maxOccurrences: 3 })).toEqual(["recurrence.rule: too_many"]);
    expect(refusals("FREQ=DAILY;UNTIL=20270304", {}, { maxOccurrences: 3 })).toEqual([
      "recurrence.rule: too_many",
    ]);
  });

  it("is followed to its horizon", () => {
    expect(starts(`FREQ=YEARLY;COUNT=${HORIZON_YEARS}`)).toHaveLength(HORIZON_YEARS);
    expect(refusals(`FREQ=YEARLY;COUNT=${HORIZON_YEARS + 2}`)).toEqual(["recurrence.rule: too_far"]);
    expect(starts("FREQ=YEARLY;INTERVAL=90;UNTIL=20300101")).toHaveLength(1);
  });

  it("does not take long over a day that Samoa did not have", () => {
    const start = "2011-12-29T23:59:59-10:00";
    const rule = "FREQ=SECONDLY;UNTIL=20111230T100001Z";
    expect(refusals(rule, { start, timeZone: "Pacific/Apia" })).toEqual(["recurrence.rule: too_many"]);
  });

  it("takes a leap second for the one before", () => {
    const start = "2027-03-01T09:00:59-08:00";
    expect(localStarts("FREQ=MINUTELY;BYSECOND=59,60;COUNT=2", { start })).toEqual([
      "2027-03-01T09:00",
      "2027-03-01T09:01",
    ]);
  });

  it("takes a year of week numbers as whole weeks, from December on", () => {
    const start = "2024-12-30T09:00:00-08:00";
    expect(localStarts("FREQ=YEARLY;INTERVAL=2;BYWEEKNO=1;COUNT=3", { start })).toEqual([
      "2024-12-30T09:00",
      "2027-01-04T09:00",
      "2029-01-01T09:00",
    ]);
    expect(
      localStarts("FREQ=YEARLY;BYWEEKNO=-1;BYDAY=SU;COUNT=2", { start: "2027-01-03T09:00:00-08:00" }),
    ).toEqual(["2027-01-03T09:00", "2028-01-02T09:00"]);
  });
});

describe("a start", () => {
  it("must be an occurrence", () => {
    expect(refusals("FREQ=WEEKLY;BYDAY=TU;COUNT=2")).toEqual(["start_time: not_an_occurrence"]);
    expect(refusals("FREQ=DAILY;BYHOUR=10;COUNT=2")).toEqual(["start_time: not_an_occurrence"]);
  });

  it("cannot be the second of two passes, and can be the first", () => {
    const rule = "FREQ=DAILY;COUNT=2";
    expect(refusals(rule, { start: "2027-11-07T01:30:00-08:00" })).toEqual(["start_time: ambiguous_second"]);
    expect(starts(rule, { start: "2027-11-07T01:30:00-07:00" })[0]).toBe("2027-11-07T08:30:00.000Z");
  });

  it.each([
    [{ start: "2027-03-01T09:00:00" }, "start_time: invalid_format"],
    [{ start: "2027-02-30T09:00:00Z" }, "start_time: invalid_format"],
    [{ start: "soon" }, "start_time: invalid_format"],
    [{ start: "2027-03-01T09:00:00.5Z" }, "start_time: invalid_value"],
    [{ start: "1910-03-01T09:00:00Z" }, "start_time: invalid_value"],
    [{ start: "9801-01-01T00:00:00Z" }, "start_time: invalid_value"],
    [{ end: "later" }, "end_time: invalid_format"],
    [{ end: MONDAY }, "end_time: too_small"],
    [{ timeZone: "Mars/Olympus" }, "time_zone: invalid_value"],
    [{ timeZone: "+02:00" }, "time_zone: invalid_value"],
  ])("or what goes with it is refused: %o", (more, refusal) => {
    expect(refusals("FREQ=DAILY;COUNT=2", more)).toEqual([refusal]);
  });
});
