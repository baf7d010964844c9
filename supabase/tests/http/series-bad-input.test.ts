// Requests about series that no series can be: each is a 422 that names the field, and nothing is written.

import { beforeAll, describe, expect, it } from "vitest";
import { call, countRows, expectProblem, holdBody } from "../support/calls.ts";
import { type Clinic, createClinic } from "../support/clinic.ts";
import { bookSeries, editBody, localTime, wall } from "../support/series.ts";
import { sql } from "../support/stack.ts";

describe("bad input", () => {
  let booked: Clinic;
  let stranger: Clinic;
  let series_id: string;
  beforeAll(async () => {
    [booked, stranger] = await Promise.all([createClinic(), createClinic()]);
    series_id = (await bookSeries(booked, localTime(40, "09:00"), "FREQ=DAILY;COUNT=3")).series_id;
  });
  const when = (rule: string) => ({ ...wall(localTime(40, "09:00")), recurrence: { rule } });
  const weekly = "FREQ=WEEKLY;COUNT=3";

  it.each<[string, object, string, string]>([
    ["an unknown zone", { ...when(weekly), time_zone: "Mars/Olympus" }, "time_zone", "invalid_value"],
    ["an impossible rule", when("FREQ=YEARLY;BYMONTH=2;BYMONTHDAY=30;COUNT=3"), "recurrence.rule", ""],
    ["no rule at all", when("every Monday"), "recurrence.rule", "invalid_format"],
    [
      "UNTIL before the start",
      when("FREQ=DAILY;UNTIL=20200101T000000Z"),
      "recurrence.rule",
      "until_before_start",
    ],
    [
      "COUNT and UNTIL together",
      when("FREQ=DAILY;COUNT=3;UNTIL=20990101T000000Z"),
      "recurrence.rule",
      "not_allowed",
    ],
    ["400 occurrences", when("FREQ=DAILY;COUNT=400"), "recurrence.rule", "too_many"],
    [
      "another zone in the recurrence",
      { ...wall(localTime(40, "09:00")), recurrence: { rule: weekly, time_zone: "Europe/Paris" } },
      "recurrence.time_zone",
      "not_the_same",
    ],
    [
      "an exdate that is none",
      { ...wall(localTime(40, "09:00")), recurrence: { rule: weekly, exdates: ["tomorrow"] } },
      "recurrence.exdates[0]",
      "invalid_format",
    ],
  ])("%s is a 422 that names the field, for a hold, a preview and an edit", async (_, body, field, code) => {
    const before = await countRows(booked);
    const answers = await Promise.all([
      call("sessions-hold", booked.scheduler, holdBody(booked, body)),
      call("sessions-preview", booked.scheduler, holdBody(booked, body)),
      call("sessions-series", booked.scheduler, { ...(await editBody(series_id, {})), ...body }),
    ]);
    for (const answer of answers) {
      const { errors } = await expectProblem(answer, "validation_failed");
      expect(errors[0]?.field).toBe(field);
      if (code) expect(errors[0]?.code).toBe(code);
    }
    expect(await countRows(booked)).toEqual(before);
  });

  it.each<[string, object, string, string]>([
    ["no version", { ...when(weekly), version: undefined }, "version", "required"],
    ["no recurrence and no occurrences", wall(localTime(40, "09:00")), "recurrence", "required"],
    [
      "both",
      { recurrence: { rule: weekly }, occurrences: [wall(localTime(40, "09:00"))] },
      "recurrence",
      "not_allowed",
    ],
    ["no start", { recurrence: { rule: weekly } }, "start_time", "required"],
    ["a wish", { ...when(weekly), on_conflict: "hope" }, "on_conflict", "invalid_value"],
    ["an unknown field", { ...when(weekly), colour: "red" }, "colour", "unknown_field"],
    ["a from that is no time", { ...when(weekly), from: "monday" }, "from", "invalid_format"],
    [
      "the past",
      { ...wall("2020-01-06T09:00"), recurrence: { rule: weekly } },
      "occurrences[0].start_time",
      "in_the_past",
    ],
    [
      "a start before what stays",
      { ...when(weekly), from: wall(localTime(41, "09:00")).start_time },
      "start_time",
      "before_what_stays",
    ],
  ])("of an edit: %s is a 422 that names the field", async (_, body, field, code) => {
    const request = { ...(await editBody(series_id, {})), ...body };
    const { errors } = await expectProblem(
      await call("sessions-series", booked.scheduler, request),
      "validation_failed",
    );
    expect(errors).toContainEqual(expect.objectContaining({ field, code }));
  });

  it("an offset that is not the zone's is refused", async () => {
    const occurrences = [{ ...wall(localTime(40, "09:00")), start_time_offset_minutes: 0 }];
    const { errors } = await expectProblem(
      await call("sessions-series", booked.scheduler, await editBody(series_id, { occurrences })),
      "offset_mismatch",
    );
    expect(errors[0]?.field).toBe("occurrences[0].start_time_offset_minutes");
  });

  it("a series of another clinic, or of a colleague, is not found", async () => {
    const body = await editBody(series_id, when(weekly));
    await expectProblem(await call("sessions-series", stranger.scheduler, body), "not_found");
    await expectProblem(await call("sessions-series", booked.theo.user, body), "not_found");
    const [series] = await sql`select version from public.session_series where id = ${series_id}`;
    expect(series?.version).toBe(body.version);
  });
});
