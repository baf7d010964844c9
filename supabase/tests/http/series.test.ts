// Series over HTTP: holding and previewing a recurrence, and editing what was booked.

import { randomUUID } from "node:crypto";
import { beforeEach, describe, expect, it } from "vitest";
import { type PreviewData, previewDataSchema } from "../../../src/lib/contracts.ts";
import { HoldfastError } from "../../../src/lib/index.ts";
import {
  type SeriesPreviewData,
  seriesDataSchema,
  seriesPreviewDataSchema,
} from "../../../src/lib/series.ts";
import { previewSeriesUpdate, previewSessions, updateSeries } from "../../../src/lib/series-client.ts";
import {
  call,
  cancel,
  confirm,
  countRows,
  expectData,
  expectProblem,
  hold,
  holdBody,
} from "../support/calls.ts";
import { type Clinic, createClinic, TIME_ZONE } from "../support/clinic.ts";
import {
  bookSeries,
  edit,
  editBody,
  localTime,
  previewEdit,
  readSeries,
  readSessions,
  wall,
} from "../support/series.ts";
import { expectLedgerIsSound } from "../support/stack.ts";

/** What the clock on the clinic's wall shows, by Intl and not by the code under test. */
const clockOf = (instant: string) =>
  new Intl.DateTimeFormat("en-GB", { timeZone: TIME_ZONE, timeStyle: "short" }).format(new Date(instant));
const localOf = (instant: string) =>
  new Intl.DateTimeFormat("sv-SE", { timeZone: TIME_ZONE, dateStyle: "short", timeStyle: "medium" })
    .format(new Date(instant))
    .replace(" ", "T");

let clinic: Clinic;
beforeEach(async () => {
  clinic = await createClinic();
});

describe("holding a recurrence", () => {
  it("keeps the wall clock of a weekly series across every clock change of a year", async () => {
    const { sessions } = await bookSeries(clinic, localTime(30, "09:00"), "FREQ=WEEKLY;COUNT=52");
    expect(sessions).toHaveLength(52);
    expect(new Set(sessions.map(({ start_time }) => clockOf(start_time)))).toEqual(new Set(["09:00"]));
    expect(new Set(sessions.map(({ start_time }) => new Date(start_time).getUTCHours())).size).toBe(2);
    await expectLedgerIsSound();
  });

  it("holds 366 occurrences in one call, and stores the rule", async () => {
    const { series_id, sessions } = await bookSeries(
      clinic,
      localTime(30, "09:00"),
      "RRULE:FREQ=DAILY;COUNT=366",
    );
    expect(sessions).toHaveLength(366);
    expect(await readSeries(clinic)).toMatchObject([
      {
        id: series_id,
        rule: "FREQ=DAILY;COUNT=366",
        local_start: localTime(30, "09:00:00"),
        status: "active",
      },
    ]);
    await expectLedgerIsSound();
  });

  it("skips what is taken: each with its reason and the nearest open times, and the series' exdates hold them", async () => {
    await hold(clinic, wall(localTime(31, "09:00")), {}, clinic.scheduler);
    await hold(
      clinic,
      wall(localTime(33, "09:30")),
      { therapist_id: clinic.theo.id, client_id: clinic.birch },
      clinic.scheduler,
    );
    const held = await hold(clinic, wall(localTime(30, "09:00")), {
      client_id: clinic.birch,
      recurrence: { rule: "FREQ=DAILY;COUNT=6", exdates: [localTime(34, "09:00")] },
      on_conflict: "skip",
    });
    expect(held.holds).toHaveLength(3);
    expect(
      held.skipped.map(({ code, start_time, alternatives }) => [
        localOf(start_time),
        code,
        alternatives.length,
      ]),
    ).toEqual([
      [localTime(31, "09:00:00"), "therapist_conflict", 3],
      [localTime(33, "09:00:00"), "client_conflict", 3],
    ]);
    const [series] = await readSeries(clinic);
    expect(series?.exdates).toEqual([31, 33, 34].map((day) => localTime(day, "09:00:00")));

    const offered = held.skipped[0]?.alternatives[0];
    const length = Date.parse(String(offered?.end_time)) - Date.parse(String(offered?.start_time));
    expect(length).toBe(3_600_000);
    await hold(clinic, wall(localOf(String(offered?.start_time))), { client_id: clinic.birch });
    await expectLedgerIsSound();
  });

  it("previews every occurrence with its conflicts, and writes nothing", async () => {
    await hold(clinic, wall(localTime(31, "09:00")), {}, clinic.scheduler);
    const before = await countRows(clinic);
    const body = holdBody(clinic, wall(localTime(30, "09:00")), {
      recurrence: { rule: "FREQ=DAILY;COUNT=3" },
    });
    const data = await expectData<PreviewData>(await call("sessions-preview", clinic.rosa.user, body), 200);
    const { occurrences } = previewDataSchema.parse(data);
    expect(occurrences.map(({ start_time }) => localOf(start_time))).toEqual(
      [30, 31, 32].map((day) => localTime(day, "09:00:00")),
    );
    expect(occurrences.map(({ conflicts, alternatives }) => [conflicts.length, alternatives.length])).toEqual(
      [
        [0, 0],
        [2, 3],
        [0, 0],
      ],
    );
    expect(occurrences[1]?.conflicts[0]).toMatchObject({ subject: "therapist", kind: "hold" });

    expect(await countRows(clinic)).toEqual(before);

    const camel = await previewSessions(await clinic.rosa.user.client(), {
      therapistId: clinic.rosa.id,
      clientId: clinic.aspen,
      serviceCode: "97153",
      timeZone: TIME_ZONE,
      startTime: wall(localTime(30, "09:00")).start_time,
      endTime: wall(localTime(30, "09:00")).end_time,
      recurrence: { rule: "FREQ=DAILY;COUNT=3" },
    });
    expect(camel.occurrences[1]?.startTimeOffsetMinutes).toBe(occurrences[1]?.start_time_offset_minutes);
  });
});

it("a preview offers no time that another occurrence of the same request wants", async () => {
  await hold(clinic, wall(localTime(30, "09:00")), {}, clinic.scheduler);
  // The hours after the blocked one are wanted themselves: the nearest open ones are before it.
  const body = holdBody(clinic, wall(localTime(30, "09:00")), {
    recurrence: { rule: "FREQ=HOURLY;COUNT=3" },
  });
  const data = await expectData<PreviewData>(await call("sessions-preview", clinic.rosa.user, body), 200);
  expect(data.occurrences[0]?.alternatives.map(({ start_time }) => localOf(start_time)).sort()).toEqual(
    ["06:00:00", "07:00:00", "08:00:00"].map((clock) => localTime(30, clock)),
  );
});

describe("editing a series", () => {
  let series_id: string;
  let ids: string[];
  const day = (index: number) => 40 + 7 * index;
  const weekly = (rule: string, index = 0, clock = "09:00", minutes = 60) => ({
    ...wall(localTime(day(index), clock), minutes),
    recurrence: { rule },
  });
  const own = async (id = series_id) =>
    (await readSessions(clinic)).filter((session) => session.series_id === id);

  beforeEach(async () => {
    const booked = await bookSeries(clinic, localTime(day(0), "09:00"), "FREQ=WEEKLY;COUNT=5");
    series_id = booked.series_id;
    ids = booked.sessions.map(({ id }) => id);
  });

  it("this: a session that is moved by itself keeps its series and its place in it", async () => {
    const held = await hold(clinic, wall(localTime(day(1) + 1, "11:00")), { session_id: ids[1] });
    const { session } = await confirm(clinic.rosa.user, held.hold_key);
    expect(session).toMatchObject({ id: ids[1], series_id });
    const moved = (await own()).find(({ id }) => id === ids[1]);
    expect(moved?.occurrence).toBe(wall(localTime(day(1), "09:00")).start_time);

    const data = await edit(
      clinic.rosa.user,
      await editBody(series_id, weekly("FREQ=WEEKLY;COUNT=5", 0, "10:00")),
    );
    expect(data.unchanged).toEqual([ids[1]]);
    const still = (await own()).find(({ id }) => id === ids[1]);
    expect(still?.start).toBe(wall(localTime(day(1) + 1, "11:00")).start_time);
    expect(still?.occurrence).toBe(wall(localTime(day(1), "10:00")).start_time);
    await expectLedgerIsSound();
  });

  it("this and following: the rest moves and is a series that continues the first", async () => {
    const body = await editBody(series_id, weekly("FREQ=WEEKLY;COUNT=3", 2, "13:00", 90), {
      from: wall(localTime(day(2), "09:00")).start_time,
    });
    const data = seriesDataSchema.parse(await edit(clinic.rosa.user, body));
    expect(data).toMatchObject({
      moved: ids.slice(2),
      unchanged: [],
      added: [],
      cancelled: [],
      settled: [],
      skipped: [],
      series: {
        continues_series_id: series_id,
        rule: "FREQ=WEEKLY;COUNT=3",
        time_zone: TIME_ZONE,
        local_start: localTime(day(2), "13:00:00"),
        exdates: [],
        version: 1,
        status: "active",
      },
    });
    const rest = await own(data.series.id);
    expect(rest.map(({ id }) => id)).toEqual(ids.slice(2));
    expect(rest.map(({ start }) => localOf(start))).toEqual(
      [2, 3, 4].map((index) => localTime(day(index), "13:00:00")),
    );
    expect(rest.map(({ end }) => clockOf(end))).toEqual(["14:30", "14:30", "14:30"]);
    expect((await own()).map(({ id, version }) => [id, version])).toEqual(
      ids.slice(0, 2).map((id) => [id, 1]),
    );
    const until = wall(localTime(day(1), "09:00")).start_time.replace(/[-:]|\.000/g, "");
    expect((await readSeries(clinic))[0]).toMatchObject({
      rule: `FREQ=WEEKLY;UNTIL=${until}`,
      status: "ended",
    });
    await expectLedgerIsSound();
  });

  it("all: every session moves, across the clock change too, and the series stays the same", async () => {
    const { series_id: year } = await bookSeries(clinic, localTime(30, "06:00"), "FREQ=MONTHLY;COUNT=10", {
      therapist_id: clinic.theo.id,
      client_id: clinic.birch,
    });
    const data = await edit(
      clinic.scheduler,
      await editBody(year, {
        ...wall(localTime(30, "07:15")),
        recurrence: { rule: "FREQ=MONTHLY;COUNT=10" },
      }),
    );
    expect(data.series).toMatchObject({ id: year, continues_series_id: null, version: 3 });
    expect(data.moved).toHaveLength(10);
    expect(new Set((await own(year)).map(({ start }) => clockOf(start)))).toEqual(new Set(["07:15"]));
    await expectLedgerIsSound();
  });

  it("extends: what exists is not touched", async () => {
    const before = await own();
    const body = await editBody(series_id, weekly("FREQ=WEEKLY;COUNT=8"));
    const preview = seriesPreviewDataSchema.parse(await previewEdit(clinic.rosa.user, body));
    expect(preview).toMatchObject({ unchanged: ids, conflicts: [], series: { id: series_id } });
    expect(preview.added.map(({ id }) => id)).toEqual([null, null, null]);
    expect(await own()).toEqual(before);

    const data = await edit(clinic.rosa.user, body);
    expect(data.unchanged).toEqual(ids);
    expect(data.added.map(({ start_time }) => localOf(start_time))).toEqual(
      [5, 6, 7].map((index) => localTime(day(index), "09:00:00")),
    );
    expect(data.added[0]).toMatchObject({ series_id, service_code: "97153", status: "scheduled", units: 4 });
    expect((await own()).slice(0, 5)).toEqual(before);
    await expectLedgerIsSound();
  });

  it("previews an edit anew each time, whatever its idempotency key, and keeps no preview", async () => {
    const headers = { "idempotency-key": randomUUID() };
    const body = { ...(await editBody(series_id, weekly("FREQ=WEEKLY;COUNT=6"))), preview: true };
    const preview = async () =>
      expectData<SeriesPreviewData>(await call("sessions-series", clinic.rosa.user, body, headers), 200);
    const before = await countRows(clinic);
    expect((await preview()).conflicts).toEqual([]);
    expect(await countRows(clinic)).toEqual(before);
    await hold(clinic, wall(localTime(day(5), "09:00")), { client_id: clinic.birch });
    expect((await preview()).conflicts).toMatchObject([{ subject: "therapist", kind: "hold" }]);
  });

  it("shortens, and a cancelled session stays cancelled when the series is extended again", async () => {
    await cancel(clinic.rosa.user, { session_ids: [ids[1]], cancelled_by: "client" });
    const shorter = await edit(clinic.rosa.user, await editBody(series_id, weekly("FREQ=WEEKLY;COUNT=3")));
    expect(shorter).toMatchObject({
      unchanged: [ids[0], ids[2]],
      cancelled: [ids[3], ids[4]],
      settled: [ids[1]],
    });
    expect(shorter.series.exdates).toEqual([localTime(day(1), "09:00:00")]);
    const longer = await edit(clinic.rosa.user, await editBody(series_id, weekly("FREQ=WEEKLY;COUNT=6")));
    expect(longer).toMatchObject({ unchanged: [ids[0], ids[2]], cancelled: [], settled: [ids[1]] });
    expect(longer.added.map(({ start_time }) => localOf(start_time))).toEqual(
      [3, 4, 5].map((index) => localTime(day(index), "09:00:00")),
    );
    await expectLedgerIsSound();
  });

  it("adds a weekday to the rule without moving anybody, and leaves out exdates", async () => {
    const [year = 0, month = 1, date = 1] = localTime(day(0), "").slice(0, 10).split("-").map(Number);
    const names = ["SU", "MO", "TU", "WE", "TH", "FR", "SA"];
    const weekday = new Date(Date.UTC(year, month - 1, date)).getUTCDay();
    const days = `${names[weekday]},${names[(weekday + 1) % 7]}`;
    const rule = `FREQ=WEEKLY;WKST=${names[weekday]};BYDAY=${days};COUNT=10`;
    const data = await edit(
      clinic.rosa.user,
      await editBody(series_id, {
        ...wall(localTime(day(0), "09:00")),
        recurrence: { rule, exdates: [localTime(day(2) + 1, "09:00")] },
      }),
    );
    expect(data).toMatchObject({ unchanged: ids, moved: [], cancelled: [] });
    expect(data.added.map(({ start_time }) => localOf(start_time))).toEqual(
      [0, 1, 3, 4].map((index) => localTime(day(index) + 1, "09:00:00")),
    );
    expect(data.series).toMatchObject({ rule, exdates: [localTime(day(2) + 1, "09:00:00")] });
  });

  it("gives the rest to another therapist, by who may book for both", async () => {
    const body = await editBody(series_id, weekly("FREQ=WEEKLY;COUNT=3", 2), {
      from: wall(localTime(day(2), "09:00")).start_time,
      therapist_id: clinic.theo.id,
    });
    await expectProblem(await call("sessions-series", clinic.rosa.user, body), "forbidden");
    const data = await edit(clinic.scheduler, body);
    expect(data.moved).toEqual(ids.slice(2));
    const all = await readSessions(clinic);
    expect(all.map(({ therapist_id }) => therapist_id)).toEqual([
      ...Array(2).fill(clinic.rosa.id),
      ...Array(3).fill(clinic.theo.id),
    ]);
    // Rosa's hours are free again at once.
    await hold(clinic, wall(localTime(day(2), "09:00")), { client_id: clinic.birch });
    await expectLedgerIsSound();
  });

  it("refuses with every conflict at once, and with skip leaves out only what would be added", async () => {
    for (const index of [5, 7]) {
      await hold(clinic, wall(localTime(day(index), "09:30")), { client_id: clinic.birch });
    }
    const body = await editBody(series_id, weekly("FREQ=WEEKLY;COUNT=8"));
    const before = await readSessions(clinic);
    const problem = await expectProblem(
      await call("sessions-series", clinic.rosa.user, body),
      "therapist_conflict",
    );
    expect(problem.conflicts.map(({ occurrence, kind }) => [occurrence, kind])).toEqual([
      [5, "hold"],
      [7, "hold"],
    ]);
    expect(problem.retry_after).toBeGreaterThan(0);
    expect(await readSessions(clinic)).toEqual(before);

    const data = await edit(clinic.rosa.user, { ...body, on_conflict: "skip" });
    expect(data.skipped).toMatchObject([
      { occurrence: 5, code: "therapist_conflict", conflicts: [{ kind: "hold" }] },
      { occurrence: 7, code: "therapist_conflict", conflicts: [{ kind: "hold" }] },
    ]);
    expect(data.skipped.every(({ alternatives }) => alternatives.length === 3)).toBe(true);
    expect(data.added).toHaveLength(1);
    expect(data.series.exdates).toEqual([5, 7].map((index) => localTime(day(index), "09:00:00")));
    await expectLedgerIsSound();
  });

  it("takes a plain list of times too", async () => {
    const occurrences = [0, 3, 4].map((index) => wall(localTime(day(index) + 2, "16:00")));
    const data = await edit(clinic.rosa.user, await editBody(series_id, { occurrences }));
    expect(data).toMatchObject({ moved: ids.slice(0, 3), cancelled: ids.slice(3), series: { rule: null } });
    await expectLedgerIsSound();
  });

  it("is replayed by its idempotency key, and refused for a stale version", async () => {
    const body = await editBody(series_id, weekly("FREQ=WEEKLY;COUNT=6"));
    const headers = { "Idempotency-Key": "an-edit" };
    const first = await call("sessions-series", clinic.rosa.user, body, headers);
    const again = await call("sessions-series", clinic.rosa.user, body, headers);
    expect(again.headers.get("idempotency-replayed")).toBe("true");
    expect(await again.json()).toEqual(await first.json());
    const problem = await expectProblem(
      await call("sessions-series", clinic.rosa.user, body),
      "stale_version",
    );
    expect(problem.version).toBe(Number(body.version) + 1);
  });

  it("works through src/lib, with offsets filled in", async () => {
    const rosa = await clinic.rosa.user.client();
    const { start_time, end_time } = wall(localTime(day(0), "10:00"));
    const request = {
      seriesId: series_id,
      version: 2,
      timeZone: TIME_ZONE,
      startTime: new Date(start_time),
      endTime: end_time,
      recurrence: { rule: "FREQ=WEEKLY;COUNT=5" },
    };
    const preview = await previewSeriesUpdate(rosa, request);
    expect(preview).toMatchObject({ moved: ids, conflicts: [] });
    const updated = await updateSeries(rosa, request);
    expect(updated).toMatchObject({ moved: ids, series: { id: series_id, version: 3 } });
    const stale = await updateSeries(rosa, request).catch((error: unknown) => error);
    expect(stale).toBeInstanceOf(HoldfastError);
    expect(stale).toMatchObject({ code: "stale_version", problem: { version: 3 } });
  });

  it("cancelling from a moment on leaves what came before", async () => {
    const outcome = await cancel(clinic.rosa.user, {
      series_id,
      from: wall(localTime(day(3), "09:00")).start_time,
      cancelled_by: "clinic",
    });
    expect(outcome.cancelled.map(({ id }) => id).sort()).toEqual(ids.slice(3).sort());
    expect((await own()).map(({ status }) => status)).toEqual([
      ...Array(3).fill("scheduled"),
      ...Array(2).fill("cancelled"),
    ]);
    await expectLedgerIsSound();
  });

  it("takes 366 occurrences in one call", async () => {
    const body = await editBody(series_id, {
      ...wall(localTime(day(0), "09:00")),
      recurrence: { rule: "FREQ=DAILY;COUNT=366" },
    });
    const data = await edit(clinic.rosa.user, body);
    expect(data.unchanged).toEqual(ids);
    expect(data.added).toHaveLength(361);
    const shift = await editBody(series_id, {
      ...wall(localTime(day(0), "09:30")),
      recurrence: { rule: "FREQ=DAILY;COUNT=366" },
    });
    expect((await edit(clinic.rosa.user, shift)).moved).toHaveLength(366);
    await expectLedgerIsSound();
  });
});
