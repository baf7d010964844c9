import { describe, expect, it } from "vitest";
import type { z } from "zod";
import { cancelRequestSchema, confirmRequestSchema, holdRequestSchema } from "./contracts.ts";
import { fieldErrors } from "./fields.ts";

const KEY = "5f0c6f0e-6f7a-4f0e-9a53-1d8f6a0b7c11";
const OTHER_KEY = "5f0c6f0e-6f7a-4f0e-9a53-1d8f6a0b7c22";
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
const HOLD = { ...WHO, ...TIME };
const CONFIRM_OCCURRENCE = { hold_key: KEY, start_time_offset_minutes: -480, end_time_offset_minutes: -480 };

/** What a schema refuses, as `field code`. */
function refused(schema: z.ZodType, request: unknown): string[] {
  const parsed = schema.safeParse(request);
  return parsed.success ? [] : fieldErrors(parsed.error).map(({ field, code }) => `${field} ${code}`);
}

function without(request: Record<string, unknown>, ...fields: string[]) {
  return Object.fromEntries(Object.entries(request).filter(([field]) => !fields.includes(field)));
}

describe("a hold request", () => {
  it("is accepted with a single time, and gets its defaults", () => {
    expect(holdRequestSchema.parse(HOLD)).toEqual({ ...HOLD, hold_seconds: 300, on_conflict: "abort" });
  });

  it("is accepted with 366 occurrences", () => {
    expect(refused(holdRequestSchema, { ...WHO, occurrences: Array(366).fill(TIME) })).toEqual([]);
  });

  it("is accepted with null for what it does not use, and at every limit", () => {
    const end_time = "2027-03-03T09:00:00-08:00";
    const request = { ...HOLD, end_time, session_id: null, room_id: null, hold_seconds: 900 };
    expect(refused(holdRequestSchema, request)).toEqual([]);
    expect(refused(holdRequestSchema, { ...HOLD, hold_seconds: 30, service_code: "x".repeat(20) })).toEqual(
      [],
    );
  });

  it.each<[string, unknown, string[]]>([
    ["that is not an object", [], ["body invalid_type"]],
    ["that is null", null, ["body invalid_type"]],
    ["with an unknown field", { ...HOLD, colour: "red" }, ["colour unknown_field"]],
    ["with a recurrence without a rule", { ...HOLD, recurrence: {} }, ["recurrence.rule required"]],
    [
      "with a recurrence of another time zone",
      { ...HOLD, recurrence: { rule: "FREQ=DAILY;COUNT=2", time_zone: "America/New_York" } },
      ["recurrence.time_zone not_the_same"],
    ],
    [
      "with a recurrence beside occurrences",
      { ...WHO, occurrences: [TIME], recurrence: { rule: "FREQ=DAILY;COUNT=2" } },
      ["recurrence not_allowed"],
    ],
    ["of nobody", { ...TIME, ...WHO, therapist_id: undefined }, ["therapist_id required"]],
    ["of one therapist and several", { ...HOLD, therapist_ids: [KEY] }, ["therapist_ids not_allowed"]],
    [
      "of a client twice",
      { ...HOLD, client_id: undefined, client_ids: [KEY, KEY] },
      ["client_ids[1] duplicate"],
    ],
    ["with a number for a time", { ...HOLD, start_time: 5 }, ["start_time invalid_type"]],
    ["with a time without offset", { ...HOLD, end_time: "2027-03-02T10:00:00" }, ["end_time invalid_format"]],
    [
      "with a day that no calendar has",
      { ...HOLD, start_time: "2027-02-30T09:00:00Z" },
      ["start_time invalid_format"],
    ],
    [
      "that ends before it starts",
      { ...HOLD, end_time: "2027-03-02T08:00:00-08:00" },
      ["end_time too_small"],
    ],
    ["of zero length", { ...HOLD, end_time: "2027-03-02T17:00:00Z" }, ["end_time too_small"]],
    ["of more than 24 hours", { ...HOLD, end_time: "2027-03-03T09:00:01-08:00" }, ["end_time too_big"]],
    ["with a hold over 900 s", { ...HOLD, hold_seconds: 901 }, ["hold_seconds too_big"]],
    ["with a hold under 30 s", { ...HOLD, hold_seconds: 29 }, ["hold_seconds too_small"]],
    ["with a hold of a part of a second", { ...HOLD, hold_seconds: 60.5 }, ["hold_seconds invalid_type"]],
    [
      "with a fraction for an offset",
      { ...HOLD, start_time_offset_minutes: 0.5 },
      ["start_time_offset_minutes invalid_type"],
    ],
    ["with an id that is none", { ...HOLD, client_id: "7" }, ["client_id invalid_format"]],
    ["with an unknown time zone", { ...HOLD, time_zone: "Mars/Olympus" }, ["time_zone invalid_value"]],
    ["with an offset for a time zone", { ...HOLD, time_zone: "-08:00" }, ["time_zone invalid_value"]],
    ["with an empty service code", { ...HOLD, service_code: "" }, ["service_code too_small"]],
    ["with a long service code", { ...HOLD, service_code: "x".repeat(21) }, ["service_code too_big"]],
    [
      "with a NUL in its service code",
      { ...HOLD, service_code: "97\u0000153" },
      ["service_code invalid_format"],
    ],
    ["with another conflict policy", { ...HOLD, on_conflict: "ignore" }, ["on_conflict invalid_value"]],
    ["without occurrences in its list", { ...WHO, occurrences: [] }, ["occurrences too_small"]],
    ["with 367 occurrences", { ...WHO, occurrences: Array(367).fill(TIME) }, ["occurrences too_big"]],
    [
      "with 10 000 wrong occurrences",
      { ...WHO, occurrences: Array(10_000).fill({}) },
      ["occurrences too_big"],
    ],
    [
      "with both forms of time",
      { ...HOLD, occurrences: [TIME] },
      [
        "start_time not_allowed",
        "end_time not_allowed",
        "start_time_offset_minutes not_allowed",
        "end_time_offset_minutes not_allowed",
      ],
    ],
    [
      "without any time",
      WHO,
      [
        "start_time required",
        "end_time required",
        "start_time_offset_minutes required",
        "end_time_offset_minutes required",
      ],
    ],
    [
      "that moves one session to several times",
      { ...WHO, occurrences: [TIME, TIME], session_id: KEY },
      ["session_id not_allowed"],
    ],
    [
      "with a wrong occurrence among right ones",
      { ...WHO, occurrences: [TIME, { ...TIME, end_time: TIME.start_time, room: 1 }] },
      ["occurrences[1].room unknown_field", "occurrences[1].end_time too_small"],
    ],
  ])("%s is refused by field", (_, request, expected) => {
    expect(refused(holdRequestSchema, request)).toEqual(expected);
  });

  it.each(Object.keys(HOLD))("without %s is refused", (field) => {
    expect(refused(holdRequestSchema, without(HOLD, field))).toEqual([`${field} required`]);
  });

  it("names every field that is wrong at once", () => {
    const request = { ...HOLD, therapist_id: 1, end_time: TIME.start_time, hold_seconds: 0, colour: "red" };
    expect(refused(holdRequestSchema, request).sort()).toEqual([
      "colour unknown_field",
      "end_time too_small",
      "hold_seconds too_small",
      "therapist_id invalid_type",
    ]);
  });

  it("gets at most 20 errors", () => {
    const unknown = Object.fromEntries(Array.from({ length: 10_000 }, (_, n) => [`field_${n}`, n]));
    expect(refused(holdRequestSchema, { ...HOLD, ...unknown })).toHaveLength(20);
    expect(refused(holdRequestSchema, { ...WHO, occurrences: Array(366).fill({}) })).toHaveLength(20);
  });

  it("never sees its own values in an error", () => {
    const secret = "Jane Doe 1980-01-01";
    const request = Object.fromEntries(
      Object.keys({ ...HOLD, on_conflict: 0 }).map((field) => [field, secret]),
    );
    const parsed = holdRequestSchema.safeParse({ ...request, [secret]: secret });
    expect(JSON.stringify(fieldErrors(parsed.error as z.ZodError))).not.toContain("Jane");
  });
});

describe("a confirm request", () => {
  it("is accepted with the key alone, and with everything", () => {
    expect(refused(confirmRequestSchema, { hold_key: KEY })).toEqual([]);
    const occurrence = { ...CONFIRM_OCCURRENCE, session: { place_of_service: "12" }, cpt: { code: "0362T" } };
    const request = {
      hold_key: KEY,
      session: {},
      occurrences: [occurrence],
      time_zone: "Australia/Lord_Howe",
    };
    expect(refused(confirmRequestSchema, request)).toEqual([]);
  });

  it.each<[string, unknown, string[]]>([
    ["without a key", {}, ["hold_key required"]],
    [
      "with a place of service of one digit",
      { hold_key: KEY, session: { place_of_service: "2" } },
      ["session.place_of_service invalid_format"],
    ],
    [
      "with an unknown session field",
      { hold_key: KEY, session: { note: "x" } },
      ["session.note unknown_field"],
    ],
    ["with an unknown time zone", { hold_key: KEY, time_zone: "X/Y" }, ["time_zone invalid_value"]],
    ["with an empty list", { hold_key: KEY, occurrences: [] }, ["occurrences too_small"]],
    ["with null in its list", { hold_key: KEY, occurrences: [null] }, ["occurrences[0] invalid_type"]],
    [
      "with too long a list",
      { hold_key: KEY, occurrences: Array(10_000).fill(null) },
      ["occurrences too_big"],
    ],
    [
      "that names a hold twice",
      {
        hold_key: KEY,
        occurrences: [CONFIRM_OCCURRENCE, { ...CONFIRM_OCCURRENCE, hold_key: KEY.toUpperCase() }],
      },
      ["occurrences[1].hold_key duplicate"],
    ],
    [
      "with a CPT code that is none",
      { hold_key: KEY, occurrences: [{ ...CONFIRM_OCCURRENCE, cpt: { code: "9715" } }] },
      ["occurrences[0].cpt.code invalid_format"],
    ],
  ])("%s is refused by field", (_, request, expected) => {
    expect(refused(confirmRequestSchema, request)).toEqual(expected);
  });
});

describe("a cancel request", () => {
  const BY = { cancelled_by: "clinic" };

  it.each<[string, unknown]>([
    ["a hold key", { hold_key: KEY }],
    ["a hold key, with who and why", { hold_key: KEY, reason: "Client is ill.\nCall back.", ...BY }],
    ["session ids", { session_ids: [KEY, OTHER_KEY], ...BY }],
    ["a series from a time", { series_id: KEY, from: "2027-03-02T00:00:00Z", ...BY }],
  ])("is accepted with %s", (_, request) => {
    expect(refused(cancelRequestSchema, request)).toEqual([]);
  });

  it.each<[string, unknown, string[]]>([
    ["without a target", { reason: "x" }, ["hold_key required"]],
    ["with two targets", { hold_key: KEY, session_ids: [KEY], ...BY }, ["session_ids not_allowed"]],
    [
      "with three targets",
      { hold_key: KEY, session_ids: [KEY], series_id: KEY, from: TIME.start_time },
      ["session_ids not_allowed", "series_id not_allowed"],
    ],
    ["of sessions by nobody", { session_ids: [KEY] }, ["cancelled_by required"]],
    ["of a series by nobody, from no time", { series_id: KEY }, ["from required", "cancelled_by required"]],
    ["of a hold from a time", { hold_key: KEY, from: TIME.start_time }, ["from not_allowed"]],
    ["by somebody else", { session_ids: [KEY], cancelled_by: "payer" }, ["cancelled_by invalid_value"]],
    ["of no sessions", { session_ids: [], ...BY }, ["session_ids too_small"]],
    ["of a session twice", { session_ids: [KEY, OTHER_KEY, KEY], ...BY }, ["session_ids[2] duplicate"]],
    ["of 10 000 sessions", { session_ids: Array(10_000).fill(KEY), ...BY }, ["session_ids too_big"]],
    ["with a blank reason", { hold_key: KEY, reason: "  " }, ["reason too_small"]],
    ["with a reason of 501 characters", { hold_key: KEY, reason: "x".repeat(501) }, ["reason too_big"]],
    ["with half a character in its reason", { hold_key: KEY, reason: "\ud800" }, ["reason invalid_format"]],
  ])("%s is refused by field", (_, request, expected) => {
    expect(refused(cancelRequestSchema, request)).toEqual(expected);
  });
});
