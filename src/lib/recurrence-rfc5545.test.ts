import * as rruleModule from "rrule";
import { describe, expect, it } from "vitest";
import { expandRecurrence } from "./recurrence.ts";

const ZONE = "America/New_York";
const HOURS_WEST = { EDT: 4, EST: 5 } as const;

/** `EDT 1997-09: 2 3-5` as the instants of these days at 09:00, or at the times of `at`. */
function instants(days: string, at: readonly string[] = ["09:00"]): string[] {
  let zone: keyof typeof HOURS_WEST = "EDT";
  let month = "";
  return days.split(/\s+/).flatMap((token) => {
    if (token === "EDT" || token === "EST") {
      zone = token;
      return [];
    }
    if (token.endsWith(":")) {
      month = token.slice(0, -1);
      return [];
    }
    const [from = 0, to = from] = token.split("-").map(Number);
    return Array.from({ length: to - from + 1 }, (_, index) => index + from).flatMap((day) =>
      at.map((time) => {
        const local = Date.parse(`${month}-${String(day).padStart(2, "0")}T${time}:00Z`);
        return new Date(local + HOURS_WEST[zone] * 3_600_000).toISOString();
      }),
    );
  });
}

function expand(rule: string, start: string, more: { exdates?: string[] } = {}) {
  const end = new Date(Date.parse(start) + 3_600_000).toISOString();
  return expandRecurrence({ rule, timeZone: ZONE, start, end, ...more });
}

function starts(rule: string, start: string): string[] {
  const result = expand(rule, start);
  return result.ok
    ? result.occurrences.map((occurrence) => occurrence.start.toISOString())
    : result.errors.map(({ field, code }) => `${field}: ${code}`);
}

/** The examples of RFC 5545 §3.8.5.3; those without an end have a COUNT of what the RFC lists. */
const EXAMPLES: [name: string, rule: string, expected: string][] = [
  ["daily for 10 occurrences", "FREQ=DAILY;COUNT=10", "EDT 1997-09: 2-11"],
  [
    "daily until December 24, 1997",
    "FREQ=DAILY;UNTIL=19971224T000000Z",
    "EDT 1997-09: 2-30 1997-10: 1-25 EST 26-31 1997-11: 1-30 1997-12: 1-23",
  ],
  [
    "every other day",
    "FREQ=DAILY;INTERVAL=2;COUNT=47",
    `EDT 1997-09: 2 4 6 8 10 12 14 16 18 20 22 24 26 28 30 1997-10: 2 4 6 8 10 12 14 16 18 20 22 24 EST 26 28 30
    1997-11: 1 3 5 7 9 11 13 15 17 19 21 23 25 27 29 1997-12: 1 3`,
  ],
  ["every 10 days, 5 occurrences", "FREQ=DAILY;INTERVAL=10;COUNT=5", "EDT 1997-09: 2 12 22 1997-10: 2 12"],
  [
    "every day in January, yearly",
    "FREQ=YEARLY;UNTIL=20000131T140000Z;BYMONTH=1;BYDAY=SU,MO,TU,WE,TH,FR,SA",
    "EST 1998-01: 1-31 1999-01: 1-31 2000-01: 1-31",
  ],
  [
    "every day in January, daily",
    "FREQ=DAILY;UNTIL=20000131T140000Z;BYMONTH=1",
    "EST 1998-01: 1-31 1999-01: 1-31 2000-01: 1-31",
  ],
  [
    "weekly for 10 occurrences",
    "FREQ=WEEKLY;COUNT=10",
    "EDT 1997-09: 2 9 16 23 30 1997-10: 7 14 21 EST 28 1997-11: 4",
  ],
  [
    "weekly until December 24, 1997",
    "FREQ=WEEKLY;UNTIL=19971224T000000Z",
    "EDT 1997-09: 2 9 16 23 30 1997-10: 7 14 21 EST 28 1997-11: 4 11 18 25 1997-12: 2 9 16 23",
  ],
  [
    "every other week",
    "FREQ=WEEKLY;INTERVAL=2;WKST=SU;COUNT=13",
    "EDT 1997-09: 2 16 30 1997-10: 14 EST 28 1997-11: 11 25 1997-12: 9 23 1998-01: 6 20 1998-02: 3 17",
  ],
  [
    "weekly on Tuesday and Thursday until a time",
    "FREQ=WEEKLY;UNTIL=19971007T000000Z;WKST=SU;BYDAY=TU,TH",
    "EDT 1997-09: 2 4 9 11 16 18 23 25 30 1997-10: 2",
  ],
  [
    "weekly on Tuesday and Thursday, 10 times",
    "FREQ=WEEKLY;COUNT=10;WKST=SU;BYDAY=TU,TH",
    "EDT 1997-09: 2 4 9 11 16 18 23 25 30 1997-10: 2",
  ],
  [
    "every other week on Monday, Wednesday and Friday",
    "FREQ=WEEKLY;INTERVAL=2;UNTIL=19971224T000000Z;WKST=SU;BYDAY=MO,WE,FR",
    `EDT 1997-09: 1 3 5 15 17 19 29 1997-10: 1 3 13 15 17 EST 27 29 31 1997-11: 10 12 14 24 26 28
    1997-12: 8 10 12 22`,
  ],
  [
    "every other week on Tuesday and Thursday",
    "FREQ=WEEKLY;INTERVAL=2;COUNT=8;WKST=SU;BYDAY=TU,TH",
    "EDT 1997-09: 2 4 16 18 30 1997-10: 2 14 16",
  ],
  [
    "monthly on the first Friday for 10 occurrences",
    "FREQ=MONTHLY;COUNT=10;BYDAY=1FR",
    `EDT 1997-09: 5 1997-10: 3 EST 1997-11: 7 1997-12: 5 1998-01: 2 1998-02: 6 1998-03: 6 1998-04: 3
    EDT 1998-05: 1 1998-06: 5`,
  ],
  [
    "monthly on the first Friday until December 24, 1997",
    "FREQ=MONTHLY;UNTIL=19971224T000000Z;BYDAY=1FR",
    "EDT 1997-09: 5 1997-10: 3 EST 1997-11: 7 1997-12: 5",
  ],
  [
    "every other month on the first and last Sunday",
    "FREQ=MONTHLY;INTERVAL=2;COUNT=10;BYDAY=1SU,-1SU",
    "EDT 1997-09: 7 28 EST 1997-11: 2 30 1998-01: 4 25 1998-03: 1 29 EDT 1998-05: 3 31",
  ],
  [
    "monthly on the second-to-last Monday",
    "FREQ=MONTHLY;COUNT=6;BYDAY=-2MO",
    "EDT 1997-09: 22 1997-10: 20 EST 1997-11: 17 1997-12: 22 1998-01: 19 1998-02: 16",
  ],
  [
    "monthly on the third-to-the-last day",
    "FREQ=MONTHLY;BYMONTHDAY=-3;COUNT=6",
    "EDT 1997-09: 28 EST 1997-10: 29 1997-11: 28 1997-12: 29 1998-01: 29 1998-02: 26",
  ],
  [
    "monthly on the 2nd and 15th",
    "FREQ=MONTHLY;COUNT=10;BYMONTHDAY=2,15",
    "EDT 1997-09: 2 15 1997-10: 2 15 EST 1997-11: 2 15 1997-12: 2 15 1998-01: 2 15",
  ],
  [
    "monthly on the first and last day",
    "FREQ=MONTHLY;COUNT=10;BYMONTHDAY=1,-1",
    "EDT 1997-09: 30 1997-10: 1 EST 31 1997-11: 1 30 1997-12: 1 31 1998-01: 1 31 1998-02: 1",
  ],
  [
    "every 18 months on the 10th thru 15th",
    "FREQ=MONTHLY;INTERVAL=18;COUNT=10;BYMONTHDAY=10,11,12,13,14,15",
    "EDT 1997-09: 10-15 EST 1999-03: 10-13",
  ],
  [
    "every Tuesday, every other month",
    "FREQ=MONTHLY;INTERVAL=2;BYDAY=TU;COUNT=18",
    "EDT 1997-09: 2 9 16 23 30 EST 1997-11: 4 11 18 25 1998-01: 6 13 20 27 1998-03: 3 10 17 24 31",
  ],
  [
    "yearly in June and July",
    "FREQ=YEARLY;COUNT=10;BYMONTH=6,7",
    `EDT 1997-06: 10 1997-07: 10 1998-06: 10 1998-07: 10 1999-06: 10 1999-07: 10 2000-06: 10 2000-07: 10
    2001-06: 10 2001-07: 10`,
  ],
  [
    "every other year on January, February and March",
    "FREQ=YEARLY;INTERVAL=2;COUNT=10;BYMONTH=1,2,3",
    `EST 1997-03: 10 1999-01: 10 1999-02: 10 1999-03: 10 2001-01: 10 2001-02: 10 2001-03: 10 2003-01: 10
    2003-02: 10 2003-03: 10`,
  ],
  [
    "every third year on the 1st, 100th and 200th day",
    "FREQ=YEARLY;INTERVAL=3;COUNT=10;BYYEARDAY=1,100,200",
    `EST 1997-01: 1 EDT 1997-04: 10 1997-07: 19 EST 2000-01: 1 EDT 2000-04: 9 2000-07: 18 EST 2003-01: 1
    EDT 2003-04: 10 2003-07: 19 EST 2006-01: 1`,
  ],
  [
    "every 20th Monday of the year",
    "FREQ=YEARLY;BYDAY=20MO;COUNT=3",
    "EDT 1997-05: 19 1998-05: 18 1999-05: 17",
  ],
  [
    "Monday of week number 20",
    "FREQ=YEARLY;BYWEEKNO=20;BYDAY=MO;COUNT=3",
    "EDT 1997-05: 12 1998-05: 11 1999-05: 17",
  ],
  [
    "every Thursday in March",
    "FREQ=YEARLY;BYMONTH=3;BYDAY=TH;COUNT=11",
    "EST 1997-03: 13 20 27 1998-03: 5 12 19 26 1999-03: 4 11 18 25",
  ],
  [
    "every Thursday in June, July and August",
    "FREQ=YEARLY;BYDAY=TH;BYMONTH=6,7,8;COUNT=39",
    `EDT 1997-06: 5 12 19 26 1997-07: 3 10 17 24 31 1997-08: 7 14 21 28 1998-06: 4 11 18 25 1998-07: 2 9 16 23 30
    1998-08: 6 13 20 27 1999-06: 3 10 17 24 1999-07: 1 8 15 22 29 1999-08: 5 12 19 26`,
  ],
  [
    "every Friday the 13th, from the first of them",
    "FREQ=MONTHLY;BYDAY=FR;BYMONTHDAY=13;COUNT=5",
    "EST 1998-02: 13 1998-03: 13 1998-11: 13 EDT 1999-08: 13 2000-10: 13",
  ],
  [
    "the first Saturday that follows the first Sunday of the month",
    "FREQ=MONTHLY;BYDAY=SA;BYMONTHDAY=7,8,9,10,11,12,13;COUNT=10",
    `EDT 1997-09: 13 1997-10: 11 EST 1997-11: 8 1997-12: 13 1998-01: 10 1998-02: 7 1998-03: 7
    EDT 1998-04: 11 1998-05: 9 1998-06: 13`,
  ],
  [
    "U.S. Presidential Election day",
    "FREQ=YEARLY;INTERVAL=4;BYMONTH=11;BYDAY=TU;BYMONTHDAY=2,3,4,5,6,7,8;COUNT=3",
    "EST 1996-11: 5 2000-11: 7 2004-11: 2",
  ],
  [
    "the third of Tuesday, Wednesday or Thursday in the month",
    "FREQ=MONTHLY;COUNT=3;BYDAY=TU,WE,TH;BYSETPOS=3",
    "EDT 1997-09: 4 1997-10: 7 EST 1997-11: 6",
  ],
  [
    "the second-to-last weekday of the month",
    "FREQ=MONTHLY;BYDAY=MO,TU,WE,TH,FR;BYSETPOS=-2;COUNT=7",
    "EDT 1997-09: 29 EST 1997-10: 30 1997-11: 27 1997-12: 30 1998-01: 29 1998-02: 26 1998-03: 30",
  ],
  ["WKST Monday", "FREQ=WEEKLY;INTERVAL=2;COUNT=4;BYDAY=TU,SU;WKST=MO", "EDT 1997-08: 5 10 19 24"],
  ["WKST Sunday", "FREQ=WEEKLY;INTERVAL=2;COUNT=4;BYDAY=TU,SU;WKST=SU", "EDT 1997-08: 5 17 19 31"],
  [
    "an invalid date that is ignored",
    "FREQ=MONTHLY;BYMONTHDAY=15,30;COUNT=5",
    "EST 2007-01: 15 30 2007-02: 15 EDT 2007-03: 15 30",
  ],
];

const TWENTY_MINUTES = [9, 10, 11, 12, 13, 14, 15, 16].flatMap((hour) =>
  ["00", "20", "40"].map((minute) => `${String(hour).padStart(2, "0")}:${minute}`),
);

describe("the examples of RFC 5545", () => {
  it.each(EXAMPLES)("give what the RFC says: %s", (_, rule, expected) => {
    const [first = ""] = instants(expected);
    expect(starts(rule, first)).toEqual(instants(expected));
  });

  it.each([
    // The RFC's UNTIL=19970902T170000Z is 13:00 in New York, not the 17:00 that the example is about.
    ["FREQ=HOURLY;INTERVAL=3;UNTIL=19970902T210000Z", ["09:00", "12:00", "15:00"]],
    ["FREQ=MINUTELY;INTERVAL=15;COUNT=6", ["09:00", "09:15", "09:30", "09:45", "10:00", "10:15"]],
    ["FREQ=MINUTELY;INTERVAL=90;COUNT=4", ["09:00", "10:30", "12:00", "13:30"]],
  ])("give what the RFC says within a day: %s", (rule, times) => {
    expect(starts(rule, "1997-09-02T09:00:00-04:00")).toEqual(instants("EDT 1997-09: 2", times));
  });

  it.each([
    "FREQ=DAILY;BYHOUR=9,10,11,12,13,14,15,16;BYMINUTE=0,20,40;COUNT=48",
    "FREQ=MINUTELY;INTERVAL=20;BYHOUR=9,10,11,12,13,14,15,16;COUNT=48",
  ])("give every 20 minutes from 9:00 to 16:40: %s", (rule) => {
    expect(starts(rule, "1997-09-02T09:00:00-04:00")).toEqual(instants("EDT 1997-09: 2-3", TWENTY_MINUTES));
  });

  it("are refused where the start is no Friday the 13th, which the RFC mends with an exdate", () => {
    const result = expand("FREQ=MONTHLY;BYDAY=FR;BYMONTHDAY=13;COUNT=5", "1997-09-02T09:00:00-04:00", {
      exdates: ["1997-09-02T09:00"],
    });
    expect(result).toMatchObject({ errors: [{ field: "start_time", code: "not_an_occurrence" }] });
  });
});

describe("what rrule gets wrong", () => {
  const { RRule, rrulestr } = (rruleModule as { default?: typeof rruleModule }).default ?? rruleModule;
  const byRrule = (rule: string, start: string) =>
    rrulestr(rule, { dtstart: new Date(`${start}Z`) })
      .all()
      .map((date) => date.toISOString().slice(0, 16));
  const byUs = (rule: string, start: string) => {
    const end = new Date(Date.parse(`${start}Z`) + 1_000).toISOString();
    const result = expandRecurrence({ rule, timeZone: "UTC", start: `${start}Z`, end });
    return result.ok ? result.occurrences.map(({ localStart }) => localStart.slice(0, 16)) : result.errors;
  };

  it.each([
    {
      what: "a position that a period does not have",
      rule: "FREQ=MONTHLY;BYMONTHDAY=29,30,31;BYSETPOS=-3;COUNT=3",
      start: "2027-01-29T09:00",
      expected: ["2027-01-29T09:00", "2027-03-29T09:00", "2027-05-29T09:00"],
    },
    {
      what: "two positions that are one",
      rule: "FREQ=MONTHLY;BYDAY=1MO;BYSETPOS=1,-1;COUNT=3",
      start: "2027-03-01T09:00",
      expected: ["2027-03-01T09:00", "2027-04-05T09:00", "2027-05-03T09:00"],
    },
    {
      what: "positions in a week that the start is in the middle of",
      rule: "FREQ=WEEKLY;BYDAY=MO,WE,FR;BYSETPOS=2;COUNT=2",
      start: "2027-03-03T09:00",
      expected: ["2027-03-03T09:00", "2027-03-10T09:00"],
    },
    {
      what: "numbered and plain weekdays together",
      rule: "FREQ=MONTHLY;BYDAY=MO,1TU;COUNT=6",
      start: "2027-03-01T09:00",
      expected: ["01", "02", "08", "15", "22", "29"].map((day) => `2027-03-${day}T09:00`),
    },
    {
      what: "hours of a minutely rule",
      rule: "FREQ=MINUTELY;INTERVAL=90;BYHOUR=9,12,15;COUNT=4",
      start: "2027-03-01T09:00",
      expected: ["2027-03-01T09:00", "2027-03-01T12:00", "2027-03-01T15:00", "2027-03-02T09:00"],
    },
    {
      what: "times that are not in order",
      rule: "FREQ=DAILY;BYHOUR=15,9;COUNT=3",
      start: "2027-03-01T09:00",
      expected: ["2027-03-01T09:00", "2027-03-01T15:00", "2027-03-02T09:00"],
    },
    {
      what: "week 53 of years that have none",
      rule: "FREQ=YEARLY;BYWEEKNO=53;BYDAY=SA;COUNT=4",
      start: "2027-01-02T09:00",
      expected: ["2027-01-02T09:00", "2033-01-01T09:00", "2038-01-02T09:00", "2044-01-02T09:00"],
    },
  ])("is right here: $what", ({ rule, start, expected }) => {
    expect(byUs(rule, start)).toEqual(expected);
    expect(byRrule(rule, start)).not.toEqual(expected);
  });

  it("does not reach the question it is asked here: the days of a single year", () => {
    const dtstart = new Date("2028-01-01T00:00:00Z");
    const days = new RRule({
      freq: RRule.YEARLY,
      interval: 10_000,
      dtstart,
      byweekday: [0, 1, 2, 3, 4, 5, 6],
    });
    expect(days.all()).toHaveLength(366);
  });
});
