import { afterAll, beforeAll, describe, expect, it } from "vitest";
import {
  addAvailabilityException,
  cancelAvailabilityException,
  cancelSessions,
  HoldfastError,
  requestSessionHold,
  setAvailability,
} from "../../../src/lib/index.ts";
import { call, confirm, expectData, expectProblem, hold, holdBody, time } from "../support/calls.ts";
import { type Clinic, createClinic, TIME_ZONE } from "../support/clinic.ts";
import { expectLedgerIsSound, sql } from "../support/stack.ts";

let clinic: Clinic;
beforeAll(async () => {
  clinic = await createClinic();
});
afterAll(() => expectLedgerIsSound());

/** The wire's time fields of a stretch of the future, in the client's names. */
function span(dayFromNow: number, hour: number, minutes = 60) {
  const { start_time: startTime, end_time: endTime } = time(dayFromNow, hour, minutes);
  return { startTime, endTime, timeZone: TIME_ZONE };
}

const instants = (items: { startTime: string; endTime: string }[]) =>
  items.map(({ startTime, endTime }) => [Date.parse(startTime), Date.parse(endTime)]);

describe("availability through supabase-js and src/lib", () => {
  it("sets weekly hours, and names what is booked outside of them", async () => {
    const own = await createClinic();
    const scheduler = await own.scheduler.client();
    const { session } = await confirm(own.rosa.user, (await hold(own, time(30, 8))).hold_key);
    const day = (moment: Date) => moment.toISOString().slice(0, 10);
    const from = day(new Date(Date.now() + 86_400_000));
    const answer = await setAvailability(scheduler, {
      therapistId: own.rosa.id,
      timeZone: TIME_ZONE,
      effectiveFrom: from,
      hours: [1, 2, 3, 4, 5, 6, 7].map((weekday) => ({ weekday, localStart: "09:00", localEnd: "17:00" })),
    });
    expect(answer.hours).toHaveLength(7);
    expect(answer.hours[0]).toMatchObject({
      weekday: 1,
      localStart: "09:00",
      localEnd: "17:00",
      effectiveFrom: from,
      effectiveUntil: null,
      timeZone: TIME_ZONE,
    });
    // 08:00 UTC is the middle of the night in Los Angeles.
    expect(answer.sessionsOutside.map(({ id }) => id)).toEqual([session.id]);
    const refused = requestSessionHold(scheduler, {
      therapistId: own.rosa.id,
      clientId: own.birch,
      serviceCode: "97153",
      ...span(31, 8),
    });
    await expect(refused).rejects.toMatchObject({ code: "therapist_unavailable" });
  });

  it("asks what becomes of what is booked in time off, and does as it is told", async () => {
    const scheduler = await clinic.scheduler.client();
    const { session } = await confirm(clinic.rosa.user, (await hold(clinic, time(30, 18))).hold_key);
    const held = await hold(clinic, time(30, 20));
    const request = {
      kind: "time_off" as const,
      therapistId: clinic.rosa.id,
      ...span(30, 17, 240),
      note: "at a conference",
    };

    const refusal = await addAvailabilityException(scheduler, request).catch((error: unknown) => error);
    if (!(refusal instanceof HoldfastError) || refusal.code !== "sessions_in_the_way") throw refusal;
    expect((refusal.problem as { sessions: unknown[] }).sessions).toEqual([
      {
        id: session.id,
        kind: "session",
        therapistId: clinic.rosa.id,
        startTime: session.start_time,
        endTime: session.end_time,
      },
      expect.objectContaining({ id: held.hold_key, kind: "hold" }),
    ]);

    const kept = await addAvailabilityException(scheduler, { ...request, onConflict: "keep" });
    expect(kept.kept.map(({ id }) => id)).toEqual([session.id, held.hold_key]);
    expect(instants(kept.exceptions)).toEqual(
      [time(30, 17), time(30, 19)].map((one) => [Date.parse(one.start_time), Date.parse(one.end_time)]),
    );
    const rest = await addAvailabilityException(scheduler, {
      ...request,
      onConflict: "cancel",
      cancelledBy: "therapist",
      reason: "ill",
    });
    expect(rest.cancelled).toEqual([
      { id: held.hold_key, kind: "hold" },
      { id: session.id, kind: "session", late: false },
    ]);
    expect(rest.exceptions).toHaveLength(2);
    expect(rest.kept).toEqual([]);

    const [first] = rest.exceptions;
    const undo = { exceptionId: first?.id ?? "" };
    expect(await cancelAvailabilityException(scheduler, undo)).toMatchObject({
      exception: { id: first?.id, kind: "time_off", status: "cancelled" },
      alreadyCancelled: false,
      sessionsOutside: [],
    });
    expect(await cancelAvailabilityException(scheduler, undo)).toMatchObject({ alreadyCancelled: true });
    // The time off that kept what was there is still in force.
    await expectProblem(
      await call("sessions-hold", clinic.rosa.user, holdBody(clinic, time(30, 18))),
      "therapist_unavailable",
    );
    await cancelAvailabilityException(scheduler, { exceptionId: kept.exceptions[0]?.id ?? "" });
    await hold(clinic, time(30, 18));
  });

  it("names what was kept in time off as outside of the hours only where it is", async () => {
    const own = await createClinic();
    const scheduler = await own.scheduler.client();
    const { session } = await confirm(own.rosa.user, (await hold(own, time(30, 18))).hold_key);
    const off = { kind: "time_off" as const, therapistId: own.rosa.id, ...span(30, 17, 240) };
    await addAvailabilityException(scheduler, { ...off, onConflict: "keep" });
    const hours = async (localStart: string) => {
      const { sessionsOutside } = await setAvailability(scheduler, {
        therapistId: own.rosa.id,
        timeZone: "UTC",
        effectiveFrom: new Date(Date.now() + 86_400_000).toISOString().slice(0, 10),
        hours: [1, 2, 3, 4, 5, 6, 7].map((weekday) => ({ weekday, localStart, localEnd: "24:00" })),
      });
      return sessionsOutside.map(({ id }) => id);
    };
    expect(await hours("17:00")).toEqual([]);
    expect(await hours("19:00")).toEqual([session.id]);
  });

  it("closes the whole organization for a holiday, and opens extra hours on it", async () => {
    const own = await createClinic();
    const admin = await own.admin.client();
    await addAvailabilityException(admin, {
      kind: "holiday",
      organizationId: own.id,
      ...span(40, 8, 1440),
    });
    const ask = () =>
      requestSessionHold(admin, {
        therapistId: own.theo.id,
        clientId: own.aspen,
        serviceCode: "97153",
        ...span(40, 18),
      });
    await expect(ask()).rejects.toMatchObject({ code: "therapist_unavailable" });
    await addAvailabilityException(admin, { kind: "extra_hours", therapistId: own.theo.id, ...span(40, 18) });
    expect((await ask()).holds).toHaveLength(1);
  });

  it("says of a cancelled session whether that was late", async () => {
    const rosa = await clinic.rosa.user.client();
    const soon = Math.ceil(Date.now() / 3_600_000) * 3_600_000 + 3_600_000;
    const held = await requestSessionHold(rosa, {
      therapistId: clinic.rosa.id,
      clientId: clinic.aspen,
      serviceCode: "97153",
      timeZone: TIME_ZONE,
      startTime: new Date(soon),
      endTime: new Date(soon + 3_600_000),
    });
    const { session } = await confirm(clinic.rosa.user, held.holdKey);
    const outcome = await cancelSessions(rosa, { sessionIds: [session.id], cancelledBy: "client" });
    expect(outcome.cancelled).toEqual([{ id: session.id, kind: "session", late: true }]);
  });
});

describe("POST availability", () => {
  const hours = (changes: object = {}) => ({
    action: "set_hours",
    therapist_id: clinic.rosa.id,
    time_zone: TIME_ZONE,
    effective_from: "2027-01-01",
    hours: [],
    ...changes,
  });
  const off = (changes: object = {}) => ({
    action: "add_exception",
    kind: "time_off",
    therapist_id: clinic.rosa.id,
    time_zone: TIME_ZONE,
    ...time(60, 16),
    ...changes,
  });
  const nineToFive = { weekday: 1, local_start: "09:00", local_end: "17:00" };

  const refusals: [string, () => unknown, string[]][] = [
    ["an unknown action", () => ({ action: "retire" }), ["action"]],
    ["no action", () => ({}), ["action"]],
    ["hours in an unknown zone", () => hours({ time_zone: "Mars/Olympus" }), ["time_zone"]],
    [
      "a weekday of 9",
      () => hours({ hours: [nineToFive, { ...nineToFive, weekday: 9 }] }),
      ["hours[1].weekday"],
    ],
    [
      "hours of zero minutes",
      () => hours({ hours: [{ ...nineToFive, local_end: "09:00" }] }),
      ["hours[0].local_end"],
    ],
    [
      "hours that end before they start",
      () => hours({ hours: [{ ...nineToFive, local_end: "08:00" }] }),
      ["hours[0].local_end"],
    ],
    [
      "a clock that shows 25:00",
      () => hours({ hours: [{ ...nineToFive, local_end: "25:00" }] }),
      ["hours[0].local_end"],
    ],
    [
      "availability that overlaps itself",
      () =>
        hours({
          hours: [
            nineToFive,
            { ...nineToFive, weekday: 2 },
            { ...nineToFive, local_start: "16:59", local_end: "24:00" },
          ],
        }),
      ["hours[2]"],
    ],
    ["101 hours", () => hours({ hours: Array(101).fill({}) }), ["hours"]],
    ["a last day before the first", () => hours({ effective_until: "2026-12-31" }), ["effective_until"]],
    ["a first day twenty years ahead", () => hours({ effective_from: "2047-01-01" }), ["effective_from"]],
    ["a last day twenty years ahead", () => hours({ effective_until: "2047-01-01" }), ["effective_until"]],
    [
      "a day that the calendar does not have",
      () => hours({ effective_from: "2027-02-30" }),
      ["effective_from"],
    ],
    ["fields of another action", () => hours({ exception_id: clinic.id }), ["exception_id"]],
    ["an unknown kind", () => off({ kind: "nap" }), ["kind"]],
    ["time off in an unknown zone", () => off({ time_zone: "Mars/Olympus" }), ["time_zone"]],
    ["time off of zero minutes", () => off(time(60, 16, 0)), ["end_time"]],
    ["time off over ten years", () => off({ end_time: time(3660, 16).end_time }), ["end_time"]],
    ["time off in fifteen years", () => off({ ...time(5475, 16) }), ["start_time"]],
    ["time off of nobody", () => off({ therapist_id: undefined }), ["therapist_id"]],
    ["time off of an organization", () => off({ organization_id: clinic.id }), ["organization_id"]],
    [
      "a holiday of one therapist",
      () => off({ kind: "holiday", organization_id: clinic.id }),
      ["therapist_id"],
    ],
    ["a holiday of nobody", () => off({ kind: "holiday", therapist_id: undefined }), ["organization_id"]],
    ["who cancelled, when nothing is cancelled", () => off({ cancelled_by: "client" }), ["cancelled_by"]],
    ["an unknown way with conflicts", () => off({ on_conflict: "ignore" }), ["on_conflict"]],
    ["a blank note", () => off({ note: " " }), ["note"]],
    [
      "an exception that is no id",
      () => ({ action: "cancel_exception", exception_id: "christmas" }),
      ["exception_id"],
    ],
  ];
  it.each(refusals)("refuses %s, by name", async (_, body, fields) => {
    const before = await rows();
    const problem = await expectProblem(
      await call("availability", clinic.scheduler, body()),
      "validation_failed",
    );
    expect(problem.errors.map(({ field }) => field).sort()).toEqual(fields.sort());
    expect(await rows()).toEqual(before);
  });

  it("refuses an offset that the zone does not have then", async () => {
    const body = off({ start_time_offset_minutes: 60 });
    const problem = await expectProblem(
      await call("availability", clinic.scheduler, body),
      "offset_mismatch",
    );
    expect(problem.errors.map(({ field }) => field)).toEqual(["start_time_offset_minutes"]);
  });

  it("is for schedulers and admins: therapists change nobody's availability, their own included", async () => {
    const before = await rows();
    await expectProblem(await call("availability", clinic.rosa.user, hours()), "forbidden");
    await expectProblem(await call("availability", clinic.rosa.user, off()), "forbidden");
    const elsewhere = await createClinic();
    await expectProblem(await call("availability", elsewhere.admin, hours()), "not_found");
    await expectProblem(await call("availability", elsewhere.admin, off()), "not_found");
    const { exceptions } = await expectData<{ exceptions: { id: string }[] }>(
      await call("availability", elsewhere.admin, off({ therapist_id: elsewhere.rosa.id })),
      200,
    );
    const undo = { action: "cancel_exception", exception_id: exceptions[0]?.id };
    await expectProblem(await call("availability", clinic.admin, undo), "not_found");
    await expectProblem(await call("availability", elsewhere.rosa.user, undo), "forbidden");
    await expectProblem(await call("availability", null, undo), "unauthenticated");
    expect(await rows()).toEqual(before);
  });

  it("gives the first answer again for the same idempotency key", async () => {
    const key = { "Idempotency-Key": crypto.randomUUID() };
    const first = await call("availability", clinic.scheduler, off(time(61, 16)), key);
    const again = await call("availability", clinic.scheduler, off(time(61, 16)), key);
    expect(await again.json()).toEqual(await first.json());
    expect(again.headers.get("idempotency-replayed")).toBe("true");
  });

  async function rows() {
    return sql`
      select weekday::text as what, local_start::text || effective_from as starts, effective_until::text as ends
      from public.therapist_availability where organization_id = ${clinic.id}
      union all
      select kind, start_time::text, status from public.availability_exceptions where organization_id = ${clinic.id}
      order by 1, 2, 3`;
  }
});
