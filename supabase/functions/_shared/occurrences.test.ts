import { describe, expect, it } from "vitest";
import { holdRequestSchema } from "../../../src/lib/contracts.ts";
import { asTheCallerWrote, withOccurrences } from "./occurrences.ts";

const TIME = {
  start_time: "2027-03-02T09:00:00-08:00",
  end_time: "2027-03-02T10:00:00-08:00",
  start_time_offset_minutes: -480,
  end_time_offset_minutes: -480,
};
const WHO = {
  therapist_id: "11111111-1111-1111-1111-111111111111",
  client_id: "22222222-2222-2222-2222-222222222222",
  service_code: "97153",
  time_zone: "America/Los_Angeles",
};
const asked = (request: object) => withOccurrences(holdRequestSchema.parse({ ...WHO, ...request }));

describe("a request to hold", () => {
  it("reaches the database as a list of occurrences, whichever form it had", () => {
    expect(asked(TIME)).toEqual(asked({ occurrences: [TIME] }));
    expect(asked(TIME)).toEqual({
      ask: { ...WHO, occurrences: [TIME], hold_seconds: 300, on_conflict: "abort" },
    });
  });

  it("reaches it with its recurrence expanded, by the wall clock, and what the series is to remember", () => {
    const recurrence = { rule: "rrule:freq=weekly;count=3", exdates: ["2027-03-09"] };
    expect(asked({ ...TIME, recurrence })).toEqual({
      ask: {
        ...WHO,
        hold_seconds: 300,
        on_conflict: "abort",
        occurrences: [
          { ...TIME, start_time: "2027-03-02T17:00:00.000Z", end_time: "2027-03-02T18:00:00.000Z" },
          {
            start_time: "2027-03-16T16:00:00.000Z",
            end_time: "2027-03-16T17:00:00.000Z",
            start_time_offset_minutes: -420,
            end_time_offset_minutes: -420,
          },
        ],
        recurrence: {
          rule: "FREQ=WEEKLY;COUNT=3",
          local_start: "2027-03-02T09:00:00",
          exdates: ["2027-03-09T09:00:00"],
        },
      },
    });
  });

  it("does not reach it with a rule that cannot be", () => {
    expect(asked({ ...TIME, recurrence: { rule: "FREQ=WEEKLY" } })).toMatchObject({
      errors: [{ field: "recurrence.rule", code: "unbounded" }],
    });
  });
});

describe("a field the database names", () => {
  it("is spelled as the caller wrote it: a single time is no list", () => {
    expect(asTheCallerWrote("occurrences[0].start_time", {})).toBe("start_time");
    expect(asTheCallerWrote("occurrences[0].start_time", { occurrences: [] })).toBe(
      "occurrences[0].start_time",
    );
    expect(asTheCallerWrote("occurrences[7].start_time", { recurrence: {} })).toBe(
      "occurrences[7].start_time",
    );
  });
});
