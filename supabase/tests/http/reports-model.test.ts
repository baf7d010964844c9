// Reports against a recount by hand of random months, round a change of the clock and a change of the month.

import fc from "fast-check";
import { expect, it } from "vitest";
import {
  readAttendance,
  readAuthorizationUnits,
  readCancellations,
  readMissingNotes,
  readSupervision,
  readUnbilledSessions,
  readUtilization,
  units,
} from "../../../src/lib/index.ts";
import { authorize } from "../support/authorizations.ts";
import type { User } from "../support/clinic.ts";
import {
  type BookedSession,
  createReportsClinic,
  dayOf,
  during,
  lasts,
  minutesOf,
  months,
  type ReportsClinic,
  sessionsOf,
  stretch,
  write,
  writeExceptions,
} from "../support/reports.ts";

const RUNS = 3;
const FROM = "2026-10-30";
const TO = "2026-11-03";

type Page<Row> = { rows: Row[]; next: string | null };

/** All pages of a report, a few rows each. */
async function all<Row>(
  report: (supabase: never, request: never) => Promise<Page<Row>>,
  user: User,
  request: object,
): Promise<Row[]> {
  const supabase = await user.client();
  const rows: Row[] = [];
  let after: string | null = null;
  do {
    const page: Page<Row> = await report(
      supabase as never,
      { limit: 25, ...request, ...(after !== null && { after }) } as never,
    );
    rows.push(...page.rows);
    after = page.next;
  } while (after !== null);
  return rows;
}

const byText = (a: unknown, b: unknown) => (JSON.stringify(a) < JSON.stringify(b) ? -1 : 1);
const isAsked = (day: string) => day >= FROM && day <= TO;
const total = (numbers: number[]) => numbers.reduce((sum, number) => sum + number, 0);

function attendanceOf(sessions: BookedSession[]) {
  const groups = new Map<string, BookedSession[]>();
  for (const it of sessions) {
    if (it.status === "scheduled" || !isAsked(dayOf(it.start))) continue;
    const cause = { completed: "attended", no_show: "no_show", cancelled: `cancelled_by_${it.cancelledBy}` }[
      it.status
    ];
    const key = `${dayOf(it.start).slice(0, 7)}-01 ${it.therapist} ${cause}`;
    groups.set(key, [...(groups.get(key) ?? []), it]);
  }
  return [...groups].map(([key, members]) => {
    const [month, therapistId, attendance] = key.split(" ");
    return {
      month,
      therapistId,
      attendance,
      sessions: members.length,
      plannedMinutes: total(members.map(lasts)),
      deliveredMinutes: total(members.map(({ actual }) => (actual ? lasts(actual) : 0))),
      lateCancellations: 0,
    };
  });
}

function supervisionOf(sessions: BookedSession[], technician: string, month: string) {
  const isIn = (day: string) => day.startsWith(month);
  const counts = (counted: BookedSession[]) => {
    const work = counted.filter(({ therapist }) => therapist === technician);
    const minutes = minutesOf(work.map(during), isIn);
    const supervised = new Set<number>();
    let contacts = 0;
    for (const supervision of counted.filter(({ supervises }) => supervises)) {
      const shared = [...minutesOf([during(supervision)])].filter((minute) =>
        work.some(
          (it) =>
            it.client === supervision.client &&
            during(it).start.getTime() <= minute &&
            minute < during(it).end.getTime(),
        ),
      );
      for (const minute of shared) if (minutes.has(minute)) supervised.add(minute);
      if (shared.length > 0 && isIn(dayOf(new Date(Math.min(...shared))))) contacts += 1;
    }
    return {
      minutes: minutes.size,
      supervisedMinutes: supervised.size,
      share: minutes.size === 0 ? null : Math.round((supervised.size / minutes.size) * 1e4) / 1e4,
      contacts,
      individualContacts: contacts,
      observingContacts: contacts,
    };
  };
  const live = sessions.filter(({ status }) => status === "scheduled" || status === "completed");
  const [done, forecast] = [counts(live.filter(({ status }) => status === "completed")), counts(live)];
  const isNeeded = forecast.minutes > 0;
  const required = {
    supervisedMinutes: Math.ceil((forecast.minutes * 5) / 100),
    contacts: isNeeded ? 2 : 0,
    individualContacts: isNeeded ? 1 : 0,
    observingContacts: isNeeded ? 1 : 0,
  };
  const names = ["supervisedMinutes", "contacts", "individualContacts", "observingContacts"] as const;
  const lacks = (given: typeof done) =>
    Object.fromEntries(names.map((name) => [name, Math.max(0, required[name] - given[name])]));
  const isEnough = (given: typeof done) => Object.values(lacks(given)).every((lack) => lack === 0);
  const status = !isNeeded
    ? "not_required"
    : !isEnough(forecast)
      ? "short"
      : isEnough(done)
        ? "met"
        : "on_track";
  return { therapistId: technician, done, forecast, required, shortfall: lacks(forecast), status };
}

let clinic: ReportsClinic;
let sessions: BookedSession[];
const seen = new Set<string>();

async function expectSessionReports(): Promise<void> {
  const request = { organizationId: clinic.id, from: FROM, to: TO };
  const { admin } = clinic;
  expect((await all(readAttendance, admin, request)).sort(byText)).toEqual(
    attendanceOf(sessions).sort(byText),
  );

  const inOrder = sessions
    .filter(({ start }) => isAsked(dayOf(start)))
    .sort((a, b) => a.start.getTime() - b.start.getTime() || (a.id < b.id ? -1 : 1));
  const cancelled = await all(readCancellations, admin, request);
  expect(cancelled.map(({ sessionId, cancelledBy }) => [sessionId, cancelledBy])).toEqual(
    inOrder.filter(({ status }) => status === "cancelled").map(({ id, cancelledBy }) => [id, cancelledBy]),
  );
  const missing = await all(readMissingNotes, admin, request);
  expect(missing.map(({ sessionId, hasDraft }) => [sessionId, hasDraft])).toEqual(
    inOrder
      .filter(({ status, note }) => status === "completed" && note !== "signed")
      .map(({ id, note }) => [id, note === "draft"]),
  );
  const unbilled = await all(readUnbilledSessions, admin, request);
  expect(
    unbilled.map(({ sessionId, serviceDate, units: billed }) => [serviceDate, sessionId, billed]),
  ).toEqual(
    sessions
      .flatMap(({ id, actual }) =>
        actual && isAsked(dayOf(actual.start)) && units(lasts(actual)) > 0
          ? [[dayOf(actual.start), id, units(lasts(actual))]]
          : [],
      )
      .sort(byText),
  );
}

async function expectUtilization(
  off: ReturnType<typeof stretch>,
  holiday: ReturnType<typeof stretch>,
): Promise<void> {
  // Their hours are round the clock: every minute of the days, 60 more for the hour that comes twice.
  const whole = minutesOf([
    { start: new Date("2026-10-30T07:00:00Z"), end: new Date("2026-11-04T08:00:00Z") },
  ]);
  expect(whole.size).toBe(5 * 1440 + 60);
  const rows = await all(readUtilization, clinic.admin, {
    organizationId: clinic.id,
    from: FROM,
    to: TO,
    limit: 2,
  });
  for (const { id } of [clinic.rosa, clinic.theo, clinic.bea]) {
    const away = minutesOf(id === clinic.rosa.id ? [off, holiday] : [holiday]);
    const own = sessions.filter(({ therapist }) => therapist === id);
    const booked = own.filter(({ status }) => status === "scheduled" || status === "completed");
    const available = [...whole].filter((minute) => !away.has(minute)).length;
    const scheduled = minutesOf(booked, isAsked).size;
    const delivered = minutesOf(
      own.flatMap(({ actual }) => actual ?? []),
      isAsked,
    ).size;
    const share = (minutes: number) => Math.round((minutes / available) * 1e4) / 1e4;
    expect(rows.filter(({ therapistId }) => therapistId === id)).toEqual([
      {
        therapistId: id,
        availableMinutes: available,
        scheduledMinutes: scheduled,
        deliveredMinutes: delivered,
        scheduledShare: share(scheduled),
        deliveredShare: share(delivered),
      },
    ]);
  }
}

async function expectSupervision(): Promise<void> {
  for (const month of ["2026-10", "2026-11"]) {
    const rows = await all(readSupervision, clinic.admin, { organizationId: clinic.id, month, limit: 1 });
    const expected = [clinic.rosa.id, clinic.theo.id].sort().map((id) => supervisionOf(sessions, id, month));
    expect(rows).toEqual(expected);
    for (const { status } of rows) seen.add(status);
  }
}

async function expectUnits(authorization: string): Promise<void> {
  const [row] = await all(readAuthorizationUnits, clinic.admin, {
    organizationId: clinic.id,
    from: FROM,
    to: TO,
  });
  const own = sessions.filter(({ client, supervises }) => client === clinic.aspen && !supervises);
  const taken = (status: string) =>
    total(own.filter((it) => it.status === status).map((it) => units(lasts(during(it)))));
  expect(row).toMatchObject({
    authorizationId: authorization,
    usedUnits: taken("completed"),
    scheduledUnits: taken("scheduled"),
    reservedUnits: 0,
    overriddenUnits: 0,
    remainingUnits: 5000 - taken("completed") - taken("scheduled"),
  });
}

/** What each person reads of the views, by the policies, is what the RPCs count for them. */
async function expectNobodyIsToldMore(): Promise<void> {
  const request = { organizationId: clinic.id, from: "2026-10-01", to: "2026-11-30" };
  const everybody: [User, boolean][] = [
    [clinic.admin, true],
    [clinic.scheduler, true],
    [clinic.rosa.user, true],
    [clinic.theo.user, true],
    [clinic.bea.user, true],
    [clinic.reviewer, false],
  ];
  for (const [user, delivers] of everybody) {
    const supabase = await user.client();
    const rows = async (view: "session_attendance" | "unbilled_sessions") =>
      (await supabase.from(view).select("session_id").eq("organization_id", clinic.id)).data ?? [];
    const attendance = await rows("session_attendance");
    expect(attendance.length).toBeGreaterThan(0);
    const counted = await all(readAttendance, user, { ...request, limit: 200 });
    expect(total(counted.map((row) => row.sessions))).toBe(attendance.length);
    if (!delivers) continue;
    const ids = (await all(readUnbilledSessions, user, { ...request, limit: 200 })).map(
      (row) => row.sessionId,
    );
    expect(ids.sort()).toEqual((await rows("unbilled_sessions")).map((row) => row.session_id ?? "").sort());
  }
}

it(`say what a recount by hand says, of ${RUNS} random months`, async () => {
  const property = fc.asyncProperty(months, async (drawn) => {
    clinic = await createReportsClinic();
    const authorization = await authorize(clinic, clinic.aspen, { units: 5000 });
    sessions = sessionsOf(clinic, drawn);
    const [off, holiday] = [stretch(drawn.timeOff), stretch(drawn.holiday)];
    await write(clinic, sessions);
    await writeExceptions(clinic, off, holiday);
    await expectSessionReports();
    await expectUtilization(off, holiday);
    await expectSupervision();
    await expectUnits(authorization);
    await expectNobodyIsToldMore();
  });
  await fc.assert(property, { numRuns: RUNS, endOnFailure: true });
  expect(seen.size).toBeGreaterThan(1);
}, 120_000);
