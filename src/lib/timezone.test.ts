import { getTimezoneOffset } from "date-fns-tz";
import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { localToInstant, offsetMinutes } from "./timezone.ts";
import { isTimeZone } from "./timezone-name.ts";

const ZONES = [
  "America/Los_Angeles",
  "America/Phoenix",
  "America/St_Johns",
  "Australia/Sydney",
  "Australia/Lord_Howe",
  "Africa/Casablanca",
  "Asia/Kathmandu",
  "Europe/Dublin",
  "Pacific/Chatham",
  "UTC",
];

/** The offset by the runtime's own calendar: the wall clock it shows, read as UTC, minus the instant. */
function offsetByIntl(instant: Date, timeZone: string): number {
  const parts = new Intl.DateTimeFormat("en-US", {
    timeZone,
    hourCycle: "h23",
    year: "numeric",
    month: "numeric",
    day: "numeric",
    hour: "numeric",
    minute: "numeric",
    second: "numeric",
  }).formatToParts(instant);
  const field = (type: string) => Number(parts.find((part) => part.type === type)?.value);
  const wall = Date.UTC(
    field("year"),
    field("month") - 1,
    field("day"),
    field("hour"),
    field("minute"),
    field("second"),
  );
  return (wall - Math.floor(instant.getTime() / 1_000) * 1_000) / 60_000;
}

// The last instant before each change of the clock, the first after it, and the offsets on either side.
const EDGES = [
  { zone: "America/Los_Angeles", change: "2027-03-14T10:00:00Z", before: -480, after: -420 },
  { zone: "America/Los_Angeles", change: "2026-11-01T09:00:00Z", before: -420, after: -480 },
  { zone: "America/Los_Angeles", change: "2027-11-07T09:00:00Z", before: -420, after: -480 },
  { zone: "Australia/Sydney", change: "2027-04-03T16:00:00Z", before: 660, after: 600 },
  { zone: "Australia/Sydney", change: "2026-10-03T16:00:00Z", before: 600, after: 660 },
  { zone: "Australia/Lord_Howe", change: "2027-04-03T15:00:00Z", before: 660, after: 630 },
  { zone: "Australia/Lord_Howe", change: "2026-10-03T15:30:00Z", before: 630, after: 660 },
  { zone: "America/Phoenix", change: "2027-03-14T10:00:00Z", before: -420, after: -420 },
  { zone: "America/Phoenix", change: "2026-11-01T09:00:00Z", before: -420, after: -420 },
];

describe("offsetMinutes", () => {
  it.each(EDGES)(
    "turns exactly when the clock of $zone does at $change",
    ({ zone, change, before, after }) => {
      const instant = new Date(change);
      expect(offsetMinutes(new Date(instant.getTime() - 1), zone)).toBe(before);
      expect(offsetMinutes(instant, zone)).toBe(after);
    },
  );

  it("agrees with Intl at every instant in every zone", () => {
    const instants = fc.date({
      min: new Date("2000-01-01T00:00:00Z"),
      max: new Date("2037-12-31T00:00:00Z"),
      noInvalidDate: true,
    });
    fc.assert(
      fc.property(instants, fc.constantFrom(...ZONES), (instant, zone) => {
        expect(offsetMinutes(instant, zone)).toBe(offsetByIntl(instant, zone));
      }),
      { numRuns: 500 },
    );
  });

  it("agrees with Intl at every hour around every edge", () => {
    for (const { zone, change } of EDGES) {
      for (let hour = -30; hour <= 30; hour++) {
        const instant = new Date(Date.parse(change) + hour * 3_600_000);
        expect(offsetMinutes(instant, zone), `${zone} ${instant.toISOString()}`).toBe(
          offsetByIntl(instant, zone),
        );
      }
    }
  });

  it("cannot be had from date-fns-tz's getTimezoneOffset, which is an hour off on the day of a change", () => {
    const afternoonBefore = new Date("2027-03-14T05:00:00Z");
    expect(offsetMinutes(afternoonBefore, "America/Los_Angeles")).toBe(-480);
    expect(getTimezoneOffset("America/Los_Angeles", afternoonBefore)).not.toBe(-480 * 60_000);
  });

  it("reads an instant from its ISO string", () => {
    expect(offsetMinutes("2027-03-14T01:59:59-08:00", "America/Los_Angeles")).toBe(-480);
  });

  it("refuses what is no instant and what is no time zone", () => {
    expect(() => offsetMinutes("yesterday", "UTC")).toThrow(RangeError);
    expect(() => offsetMinutes(new Date(), "Mars/Olympus")).toThrow(RangeError);
  });
});

describe("isTimeZone", () => {
  it.each([...ZONES, "Etc/GMT+5", "America/Argentina/Buenos_Aires"])("knows %s", (zone) => {
    expect(isTimeZone(zone)).toBe(true);
  });

  it.each(["", "+02:00", "-08", "Mars/Olympus", "America/Los_Angeles ", "a".repeat(65)])(
    "refuses '%s'",
    (zone) => {
      expect(isTimeZone(zone)).toBe(false);
    },
  );
});

describe("localToInstant", () => {
  it.each([
    ["America/Los_Angeles", "2027-03-14T02:30", "2027-03-14T10:30:00.000Z"], // 03:30 PDT
    ["America/Los_Angeles", "2027-03-14T02:00", "2027-03-14T10:00:00.000Z"],
    ["Australia/Sydney", "2026-10-04T02:30", "2026-10-03T16:30:00.000Z"], // 03:30 AEDT
    ["Australia/Lord_Howe", "2026-10-04T02:15", "2026-10-03T15:45:00.000Z"], // 02:45, half an hour on
  ])("moves a time that %s does not have (%s) forward by the gap", (zone, local, instant) => {
    expect(localToInstant(local, zone).toISOString()).toBe(instant);
  });

  it.each([
    ["America/Los_Angeles", "2026-11-01T01:30", "2026-11-01T08:30:00.000Z"], // PDT
    ["America/Los_Angeles", "2027-11-07T01:00", "2027-11-07T08:00:00.000Z"],
    ["Australia/Sydney", "2027-04-04T02:30", "2027-04-03T15:30:00.000Z"], // AEDT
    ["Australia/Lord_Howe", "2027-04-04T01:45", "2027-04-03T14:45:00.000Z"],
  ])("takes the first where %s has a time twice (%s)", (zone, local, instant) => {
    expect(localToInstant(local, zone).toISOString()).toBe(instant);
  });

  it.each([
    ["America/Los_Angeles", "2027-03-14T01:59:59.999", "2027-03-14T09:59:59.999Z"],
    ["America/Los_Angeles", "2027-03-14T03:00", "2027-03-14T10:00:00.000Z"],
    ["America/Los_Angeles", "2026-11-01T02:00", "2026-11-01T10:00:00.000Z"],
    ["Australia/Sydney", "2027-04-04T03:00", "2027-04-03T17:00:00.000Z"],
    ["America/Phoenix", "2027-03-14T02:30", "2027-03-14T09:30:00.000Z"],
    ["Pacific/Apia", "2011-12-30T12:00", "2011-12-30T22:00:00.000Z"], // a whole day that Samoa skipped
  ])("is exact beside the change of %s (%s)", (zone, local, instant) => {
    expect(localToInstant(local, zone).toISOString()).toBe(instant);
  });

  it("finds, for every instant, an instant that shows the same wall clock and is not later", () => {
    const instants = fc.date({
      min: new Date("2000-01-01T00:00:00Z"),
      max: new Date("2037-12-31T00:00:00Z"),
      noInvalidDate: true,
    });
    fc.assert(
      fc.property(instants, fc.constantFrom(...ZONES), (instant, zone) => {
        const wall = (at: Date) =>
          new Date(at.getTime() + offsetByIntl(at, zone) * 60_000).toISOString().slice(0, -1);
        const found = localToInstant(wall(instant), zone);
        expect(wall(found)).toBe(wall(instant));
        expect(found.getTime()).toBeLessThanOrEqual(instant.getTime());
      }),
      { numRuns: 500 },
    );
  });

  it.each([
    "2027-02-30T10:00",
    "0027-03-14T10:00",
    "2027-01-01T24:00",
    "2027-01-01T10:60",
    "2027-01-01T10:00Z",
    "2027-01-01",
    "soon",
  ])("refuses %s", (local) => {
    expect(() => localToInstant(local, "America/Los_Angeles")).toThrow(RangeError);
  });
});
