// The writer of calendars, read by a reader that is not ours (support/icalendar.ts).

import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { readCalendar } from "../../tests/support/icalendar.ts";
import { type CalendarEvent, toCalendar } from "./icalendar.ts";

const EVENT: CalendarEvent = {
  id: "6ff3a2f4-27e0-4c3f-bb0f-3c8b3c9f0a11",
  start_time: "2027-03-14T09:30:00+00:00",
  end_time: "2027-03-14T03:30:00-07:00",
  changed_at: "2027-01-02T03:04:05.678901+00:00",
  version: 3,
  cancelled: false,
};

const instant = fc.date({ min: new Date("2020-01-01"), max: new Date("2060-01-01"), noInvalidDate: true });
const anyEvent = fc.record({
  id: fc.uuid(),
  start_time: instant.map((moment) => moment.toISOString()),
  end_time: instant.map((moment) => moment.toISOString().replace("Z", "000+00:00")),
  changed_at: instant.map((moment) => moment.toISOString()),
  version: fc.integer({ min: 1, max: 2 ** 31 - 1 }),
  cancelled: fc.boolean(),
});
const second = (moment: string | undefined) => Math.floor(Date.parse(moment ?? "") / 1000);

describe("a calendar", () => {
  it("says when, how often it changed and nothing else of a session", () => {
    const calendar = readCalendar(toCalendar([EVENT]));
    expect(calendar.properties).toMatchObject({ version: "2.0", prodid: "-//Holdfast//Calendar feed//EN" });
    expect(calendar.events).toEqual([
      {
        uid: EVENT.id,
        dtstamp: "2027-01-02T03:04:05Z",
        "last-modified": "2027-01-02T03:04:05Z",
        sequence: "2",
        dtstart: "2027-03-14T09:30:00Z",
        dtend: "2027-03-14T10:30:00Z",
        summary: "Session",
        status: "CONFIRMED",
        transp: "OPAQUE",
        class: "PRIVATE",
      },
    ]);
  });

  it("shows a cancelled session as cancelled, and its time as free", () => {
    const [event] = readCalendar(toCalendar([{ ...EVENT, cancelled: true }])).events;
    expect(event).toMatchObject({ status: "CANCELLED", transp: "TRANSPARENT" });
  });

  it("keeps one UID for a session that moves, with a higher sequence", () => {
    const moved = { ...EVENT, start_time: "2027-03-14T10:00:00Z", version: 4 };
    const [before, after] = [EVENT, moved].map((event) => readCalendar(toCalendar([event])).events[0]);
    expect(after?.uid).toBe(before?.uid);
    expect(Number(after?.sequence)).toBe(Number(before?.sequence) + 1);
  });

  it("gives back every instant to the second, in UTC, and all of it in short lines ended by CRLF", () => {
    fc.assert(
      fc.property(fc.array(anyEvent, { maxLength: 4 }), (events) => {
        const source = toCalendar(events);
        expect(source).toMatch(/^(?:[ -~]{1,75}\r\n)+$/);
        const { events: read } = readCalendar(source);
        expect(read.map(({ uid }) => uid)).toEqual(events.map(({ id }) => id));
        for (const [index, event] of events.entries()) {
          const { dtstart, dtend, dtstamp } = read[index] ?? {};
          expect([dtstart, dtend, dtstamp].every((moment) => moment?.endsWith("Z"))).toBe(true);
          expect([dtstart, dtend, dtstamp].map(second)).toEqual(
            [event.start_time, event.end_time, event.changed_at].map(second),
          );
        }
      }),
    );
  });

  it("is no more than a heading when there is nothing", () => {
    expect(readCalendar(toCalendar([])).events).toEqual([]);
  });

  it("is the same text for the same sessions", () => {
    expect(toCalendar([EVENT])).toBe(toCalendar([{ ...EVENT }]));
  });
});
