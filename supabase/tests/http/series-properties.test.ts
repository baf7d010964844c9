// Random series, random sequences of edits: after each the database is what a plain model says, and the ledger is sound.
// The Edge Function's own expansion makes the requests; the RPC is called on a connection, as the user.

import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { expandRecurrence } from "../../../src/lib/recurrence.ts";
import { type SeriesData, seriesDataSchema, seriesRequestSchema } from "../../../src/lib/series.ts";
import { localToInstant } from "../../../src/lib/timezone.ts";
import { withOccurrences } from "../../functions/_shared/occurrences.ts";
import { type Clinic, createClinic, TIME_ZONE } from "../support/clinic.ts";
import {
  bookSeries,
  localTime,
  type RpcAnswer,
  readSeries,
  readSessions,
  rpc,
  type SessionRow,
  wall,
} from "../support/series.ts";
import { type Model, type ModelSession, modelEdit, type Outcome } from "../support/series-model.ts";
import { expectLedgerIsSound, sql } from "../support/stack.ts";

type Change =
  | {
      kind: "edit";
      series: number;
      from: number | null;
      days: number;
      minutes: number;
      length: number;
      freq: "DAILY" | "WEEKLY" | "WEEKDAYS";
      interval: number;
      count: number;
      therapist: "rosa" | "theo" | undefined;
      skip: boolean;
    }
  | { kind: "cancel"; session: number }
  | { kind: "move"; session: number; days: number; minutes: number };

const place = fc.nat({ max: 30 });
// Mostly small changes, which keep places, meet what is there, and come back to where they were.
const editOf = fc.record({
  kind: fc.constant("edit" as const),
  series: fc.nat({ max: 4 }),
  from: fc.oneof({ weight: 1, arbitrary: fc.constant(null) }, { weight: 3, arbitrary: fc.nat({ max: 6 }) }),
  days: fc.oneof(
    { weight: 4, arbitrary: fc.constant(0) },
    { weight: 1, arbitrary: fc.integer({ min: -2, max: 7 }) },
  ),
  minutes: fc.oneof(
    { weight: 3, arbitrary: fc.constant(0) },
    { weight: 1, arbitrary: fc.constantFrom(-60, -30, 30, 60, 240) },
  ),
  length: fc.constantFrom(60, 60, 60, 45, 90),
  freq: fc.constantFrom("DAILY" as const, "WEEKLY" as const, "WEEKLY" as const, "WEEKDAYS" as const),
  interval: fc.constantFrom(1, 1, 1, 2),
  count: fc.integer({ min: 1, max: 14 }),
  therapist: fc.constantFrom(undefined, undefined, undefined, "rosa" as const, "theo" as const),
  skip: fc.boolean(),
});
const change: fc.Arbitrary<Change> = fc.oneof(
  { weight: 5, arbitrary: editOf },
  { weight: 2, arbitrary: fc.record({ kind: fc.constant("cancel" as const), session: place }) },
  {
    weight: 2,
    arbitrary: fc.record({
      kind: fc.constant("move" as const),
      session: place,
      days: fc.integer({ min: -1, max: 7 }),
      minutes: fc.constantFrom(0, 30, 120),
    }),
  },
);
const beginning = fc.record({
  freq: fc.constantFrom("DAILY", "WEEKLY"),
  // A month or so ahead; the last of the longest series are a spring, and a clock change, later.
  day: fc.integer({ min: 30, max: 100 }),
  clock: fc.constantFrom("09:00", "09:30", "02:15"),
  count: fc.integer({ min: 1, max: 12 }),
});

// One that reaches what chance may not, on whatever weekday it runs: settles what was cancelled, begins before what it keeps,
// meets another client's session, and leaves out the time to which one was moved by hand.
const edit: Change & { kind: "edit" } = {
  kind: "edit",
  series: 0,
  from: null,
  days: 0,
  minutes: 0,
  length: 60,
  freq: "DAILY",
  interval: 1,
  count: 6,
  therapist: undefined,
  skip: false,
};
const examples: [{ freq: string; day: number; clock: string; count: number }, Change[]][] = [
  [
    { freq: "DAILY", day: 40, clock: "09:00", count: 6 },
    [
      { kind: "cancel", session: 0 },
      edit,
      { ...edit, from: 3, days: -2 },
      { ...edit, minutes: 60, therapist: "theo" },
      { kind: "move", session: 0, days: 5, minutes: 0 },
      { ...edit, from: 5, count: 3, skip: true },
    ],
  ],
  // What stays of the series is a cancelled session of the rule that it had before.
  [
    { freq: "DAILY", day: 30, clock: "09:00", count: 4 },
    [
      { kind: "cancel", session: 0 },
      { ...edit, minutes: 240, count: 1 },
      { ...edit, from: 1, days: 0, count: 1 },
    ],
  ],
];

const tally: Record<string, number> = {};
const count = (what: string, by = 1) => {
  tally[what] = (tally[what] ?? 0) + by;
};

/** The sessions of the database, in the model's terms. */
async function modelSessions(clinic: Clinic): Promise<ModelSession[]> {
  const clients = await sql`select id, client_id from public.sessions where organization_id = ${clinic.id}`;
  const clientOf = new Map(clients.map(({ id, client_id }) => [id, client_id]));
  return (await readSessions(clinic)).map((row) => ({
    id: row.id,
    series: row.series_id,
    client: clientOf.get(row.id),
    therapist: row.therapist_id,
    start: Date.parse(row.start),
    end: Date.parse(row.end),
    occurrence: row.occurrence === null ? null : Date.parse(row.occurrence),
    status: row.status as ModelSession["status"],
    version: row.version,
  }));
}

async function modelSeries(clinic: Clinic): Promise<Model["series"]> {
  const rows =
    await sql`select id, client_id, duration_minutes from public.session_series where organization_id = ${clinic.id}`;
  const rowOf = new Map(rows.map((row) => [row.id, row]));
  return (await readSeries(clinic)).map((row) => ({
    id: row.id,
    continues: row.continues_series_id,
    client: rowOf.get(row.id)?.client_id,
    therapist: row.therapist_id,
    minutes: rowOf.get(row.id)?.duration_minutes,
    version: row.version,
    status: row.status as "active" | "ended",
  }));
}

const byId = (a: { id: string }, b: { id: string }) => (a.id < b.id ? -1 : 1);

async function expectModel(clinic: Clinic, model: Model): Promise<void> {
  expect((await modelSessions(clinic)).sort(byId)).toEqual([...model.sessions].sort(byId));
  expect((await modelSeries(clinic)).sort(byId)).toEqual([...model.series].sort(byId));
  await expectLedgerIsSound();
}

/** The wall clock of an instant, changed, as the app of a scheduler would. */
function shifted(instant: number, days: number, minutes: number): string {
  const parts = new Intl.DateTimeFormat("sv-SE", {
    timeZone: TIME_ZONE,
    dateStyle: "short",
    timeStyle: "medium",
  }).format(instant);
  const moved = new Date(Date.parse(`${parts.replace(" ", "T")}Z`) + days * 86_400_000 + minutes * 60_000);
  return moved.toISOString().slice(0, 19);
}

const RULES = {
  DAILY: "FREQ=DAILY",
  WEEKLY: "FREQ=WEEKLY",
  WEEKDAYS: "FREQ=DAILY;BYDAY=MO,TU,WE,TH,FR",
};

async function applyEdit(clinic: Clinic, model: Model, change: Change & { kind: "edit" }): Promise<Model> {
  const series = model.series[change.series % model.series.length];
  if (!series) throw new Error("there is no series");
  const places = model.sessions
    .filter((session) => session.series === series.id && session.occurrence !== null)
    .map((session) => Number(session.occurrence))
    .sort((a, b) => a - b);
  const anchor = change.from === null ? places[0] : places[change.from % places.length];
  // Everything of it was dropped or taken over: nothing to take the wall clock of.
  if (anchor === undefined) return model;

  const times = wall(shifted(anchor, change.days, change.minutes), change.length);
  const asked = withOccurrences(
    seriesRequestSchema.parse({
      series_id: series.id,
      version: series.version,
      time_zone: TIME_ZONE,
      ...times,
      recurrence: { rule: `${RULES[change.freq]};INTERVAL=${change.interval};COUNT=${change.count}` },
      ...(change.from === null ? {} : { from: new Date(anchor).toISOString() }),
      ...(change.therapist && { therapist_id: clinic[change.therapist].id }),
      on_conflict: change.skip ? "skip" : "abort",
    }),
  );
  // A weekday rule from a Sunday: the expansion refuses it, and nothing is asked.
  if ("errors" in asked) return model;
  const { occurrences, recurrence } = asked.ask as {
    occurrences: { start_time: string; end_time: string }[];
    recurrence: { rule: string };
  };

  const expected = modelEdit(model, {
    series: series.id,
    from: change.from === null ? 0 : anchor,
    occurrences: occurrences.map((one) => ({
      start: Date.parse(one.start_time),
      end: Date.parse(one.end_time),
    })),
    therapist: change.therapist && clinic[change.therapist].id,
    skip: change.skip,
  });
  const preview = await rpc<unknown>(clinic.scheduler, "update_series", {
    ...(asked.ask as object),
    preview: true,
  });
  const before = await readEverything(clinic);
  const answer = await rpc<SeriesData>(clinic.scheduler, "update_series", asked.ask as object);
  if ("refused" in expected) {
    count(`refused ${expected.refused}`);
    const code = answer.problem?.code ?? "nothing";
    expect(/_(conflict|unavailable)$/.test(code) ? "conflict" : code).toBe(expected.refused);
    expect(await readEverything(clinic)).toEqual(before);
    return model;
  }
  return accepted(clinic, model, expected, answer, preview, recurrence.rule);
}

const readEverything = async (clinic: Clinic) => [await readSessions(clinic), await readSeries(clinic)];

async function accepted(
  clinic: Clinic,
  model: Model,
  expected: Exclude<Outcome, { refused: string }>,
  answer: RpcAnswer<SeriesData>,
  preview: RpcAnswer<unknown>,
  rule: string,
): Promise<Model> {
  expect(answer.problem).toBeUndefined();
  const data = seriesDataSchema.parse(answer.data);
  const { lists } = expected;
  for (const list of ["moved", "unchanged", "cancelled", "settled"] as const) {
    expect([...data[list]].sort(), list).toEqual([...lists[list]].sort());
    count(list, lists[list].length);
  }
  expect(data.skipped.map(({ start_time }) => Date.parse(start_time))).toEqual(lists.skipped);
  expect(data.added.map(({ start_time }) => Date.parse(start_time))).toEqual(
    expected.added.map(({ start }) => start),
  );
  count("skipped", lists.skipped.length);
  count("added", expected.added.length);
  count(expected.split ? "split" : "in place");
  expect(data.series.rule).toBe(rule);
  const { moved, unchanged, cancelled, settled, skipped } = data;
  expect(preview.data).toMatchObject({ moved, unchanged, cancelled, settled, skipped });

  const added = expected.added.map((one, index) => ({ ...one, id: String(data.added[index]?.id) }));
  const named = <T extends { series: string | null }>(one: T) =>
    one.series === "" ? { ...one, series: data.series.id } : one;
  const next = {
    sessions: [...expected.sessions, ...added].map(named),
    series: expected.series.map((one) => (one.id === "" ? { ...one, id: data.series.id } : one)),
  };
  await expectModel(clinic, next);
  await expectRulesSayWhatIsTrue(clinic, [data.series.id, ...model.series.map(({ id }) => id)]);
  return next;
}

/** Rule and exdates name every occurrence that is scheduled, and otherwise only what was cancelled. */
async function expectRulesSayWhatIsTrue(clinic: Clinic, ids: string[]): Promise<void> {
  const sessions = await readSessions(clinic);
  for (const row of await readSeries(clinic)) {
    if (!ids.includes(row.id)) continue;
    const start = localToInstant(row.local_start, TIME_ZONE);
    const expanded = expandRecurrence({
      rule: String(row.rule),
      timeZone: TIME_ZONE,
      start: start.toISOString(),
      end: new Date(start.getTime() + 3_600_000).toISOString(),
      exdates: row.exdates,
    });
    const starts = expanded.ok ? expanded.occurrences.map((one) => one.start.toISOString()) : [];
    if (!expanded.ok) expect(expanded.errors.map(({ code }) => code)).toEqual(["all_excluded"]);
    const own = sessions.filter(({ series_id }) => series_id === row.id);
    const of = (rows: SessionRow[]) => rows.map(({ occurrence }) => String(occurrence));
    const scheduled = of(own.filter(({ status }) => status === "scheduled"));
    const cancelled = of(own.filter(({ status }) => status === "cancelled"));
    expect(starts).toEqual(expect.arrayContaining(scheduled));
    expect([...scheduled, ...cancelled]).toEqual(expect.arrayContaining(starts));
  }
}

async function applyCancel(clinic: Clinic, model: Model, { session }: Change & { kind: "cancel" }) {
  const live = model.sessions.filter(({ status }) => status === "scheduled");
  const victim = live[session % Math.max(1, live.length)];
  if (!victim) return model;
  const answer = await rpc(clinic.scheduler, "cancel_sessions", {
    session_ids: [victim.id],
    cancelled_by: "client",
  });
  expect(answer.problem).toBeUndefined();
  const next = { ...victim, status: "cancelled" as const, version: victim.version + 1 };
  const sessions = model.sessions.map((one) => (one === victim ? next : one));
  // Its occurrence goes to the exception dates, and a series of which nothing is left has ended.
  const series = model.series.map((one) => {
    if (one.id !== victim.series) return one;
    const left = sessions.some((its) => its.series === one.id && its.status === "scheduled");
    return { ...one, version: one.version + 1, status: left ? one.status : ("ended" as const) };
  });
  return { sessions, series };
}

async function applyMove(clinic: Clinic, model: Model, change: Change & { kind: "move" }): Promise<Model> {
  const live = model.sessions.filter(({ status }) => status === "scheduled");
  const moved = live[change.session % Math.max(1, live.length)];
  if (!moved) return model;
  const held = await rpc<{ hold_key: string }>(clinic.scheduler, "hold_sessions", {
    therapist_id: moved.therapist,
    client_id: moved.client,
    service_code: "97153",
    time_zone: TIME_ZONE,
    session_id: moved.id,
    occurrences: [wall(shifted(moved.start, change.days, change.minutes))],
  });
  if (!held.data) return model;
  const { hold_key } = held.data;
  const answer = await rpc<{ session: { start_time: string; end_time: string } }>(
    clinic.scheduler,
    "confirm_sessions",
    { hold_key },
  );
  expect(answer.problem).toBeUndefined();
  const next = {
    ...moved,
    start: Date.parse(String(answer.data?.session.start_time)),
    end: Date.parse(String(answer.data?.session.end_time)),
    version: moved.version + 1,
  };
  count("moved by hand");
  return { ...model, sessions: model.sessions.map((one) => (one === moved ? next : one)) };
}

describe("any series under any sequence of edits", () => {
  it("is what the model says after each, and the ledger is sound", { timeout: 300_000 }, async () => {
    await fc.assert(
      fc.asyncProperty(
        beginning,
        fc.array(change, { minLength: 3, maxLength: 9 }),
        async ({ freq, day, clock, count: howMany }, changes) => {
          const clinic = await createClinic();
          await bookSeries(clinic, localTime(day, clock), `FREQ=${freq};COUNT=${howMany}`);
          await bookSeries(clinic, localTime(day + 1, "10:15"), "FREQ=DAILY;COUNT=5", {
            therapist_id: clinic.theo.id,
            client_id: clinic.birch,
          });
          let model: Model = {
            sessions: await modelSessions(clinic),
            series: await modelSeries(clinic),
          };
          for (const one of changes) {
            if (one.kind === "edit") model = await applyEdit(clinic, model, one);
            else if (one.kind === "cancel") model = await applyCancel(clinic, model, one);
            else model = await applyMove(clinic, model, one);
            await expectModel(clinic, model);
          }
        },
      ),
      {
        numRuns: 14,
        examples,
      },
    );
    // The sequences reach every rule of the model, or this test says less than it seems to.
    for (const what of [
      "moved",
      "unchanged",
      "added",
      "cancelled",
      "settled",
      "skipped",
      "split",
      "in place",
      "moved by hand",
      "refused conflict",
      "refused validation_failed",
    ]) {
      expect(tally[what] ?? 0, `${what} of ${JSON.stringify(tally)}`).toBeGreaterThan(0);
    }
  });
});
