// Attendance over real HTTP: through supabase-js and src/lib, with bad input, and against a plain model of the statuses.

import { randomUUID } from "node:crypto";
import fc from "fast-check";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import {
  completeRequestSchema,
  correctRequestSchema,
  startRequestSchema,
} from "../../../src/lib/attendance.ts";
import { fieldErrors } from "../../../src/lib/fields.ts";
import {
  completeSession,
  correctAttendance,
  evvRecords,
  HoldfastError,
  listNoShowCandidates,
  markNoShow,
  startSession,
} from "../../../src/lib/index.ts";
import { bookPast, mark, past, sessionRow } from "../support/attendance.ts";
import { type Clinic, createClinic } from "../support/clinic.ts";
import { expectLedgerIsSound, sql } from "../support/stack.ts";

let clinic: Clinic;
beforeAll(async () => {
  clinic = await createClinic();
});
afterAll(() => expectLedgerIsSound());

const refusal = (attempt: Promise<unknown>) =>
  attempt.then(
    () => undefined,
    (error: unknown) => (error instanceof HoldfastError ? error.problem : error),
  );

describe("attendance through supabase-js and src/lib", () => {
  it("a therapist starts and completes, an admin corrects, and the records say where", async () => {
    const [rosa, admin] = await Promise.all([clinic.rosa.user.client(), clinic.admin.client()]);
    const sessionId = await bookPast(clinic, 8);
    const [open] = (await listNoShowCandidates(rosa, { organizationId: clinic.id })).sessions;
    expect(open).toMatchObject({ id: sessionId, status: "scheduled", version: 1 });

    const started = await startSession(rosa, {
      sessionId,
      version: 1,
      actualStartTime: past(8.1),
      location: { method: "gps", latitude: 34.05, longitude: -118.24, accuracyMeters: 9 },
    });
    expect(started.sessions).toEqual([
      expect.objectContaining({
        id: sessionId,
        status: "in_progress",
        actualEndTime: null,
        attendance: null,
      }),
    ]);
    const request = { sessionId, actualEndTime: past(9) };
    const idempotencyKey = randomUUID();
    const completed = await completeSession(rosa, request, { idempotencyKey });
    expect(completed.sessions[0]).toMatchObject({ status: "completed", attendance: "attended", version: 3 });
    expect(await completeSession(rosa, request, { idempotencyKey })).toEqual(completed);

    const page = await evvRecords(admin, { organizationId: clinic.id, from: past(0), to: past(24) });
    expect(page.records).toEqual([
      expect.objectContaining({
        sessionId,
        serviceCode: "97153",
        clientId: clinic.aspen,
        therapistId: clinic.rosa.id,
        startLocation: expect.objectContaining({
          method: "gps",
          latitude: 34.05,
          recordedBy: clinic.rosa.user.id,
        }),
        endLocation: null,
        missing: ["end_location"],
      }),
    ]);
    expect(Date.parse(page.records[0]?.startTime ?? "")).toBe(Date.parse(past(8.1)));

    const corrected = await correctAttendance(admin, {
      sessionId,
      version: 3,
      status: "no_show",
      reason: "The wrong client",
    });
    expect(corrected.sessions[0]).toMatchObject({
      status: "no_show",
      attendance: "no_show",
      actualStartTime: null,
    });
  });

  it("refuses as HoldfastError, with the fields spelled as the app spells them, and writes nothing", async () => {
    const [rosa, theo] = await Promise.all([clinic.rosa.user.client(), clinic.theo.user.client()]);
    const sessionId = await bookPast(clinic, 10);
    expect(await refusal(startSession(rosa, { sessionId }))).toMatchObject({
      code: "validation_failed",
      errors: [{ field: "actualStartTime", code: "required" }],
    });
    expect(await refusal(startSession(rosa, { sessionId, version: 9 }))).toMatchObject({
      code: "stale_version",
      version: 1,
    });
    expect(await refusal(markNoShow(theo, { sessionId }))).toMatchObject({ code: "not_found" });
    expect(await refusal(markNoShow(await clinic.scheduler.client(), { sessionId }))).toMatchObject({
      code: "forbidden",
    });
    expect(await sessionRow(sessionId)).toMatchObject({ status: "scheduled", version: 1 });
    const { error } = await rosa
      .from("sessions")
      .update({ status: "no_show" } as never)
      .eq("id", sessionId);
    expect(error?.code).toBe("42501");
    const hidden = await rosa.from("attendance_marks" as never).select();
    expect(hidden.error?.code).toBe("42501");
  });
});

describe("the schemas", () => {
  const id = "0b6a7f3e-5d2c-4b8a-9c1d-2e3f4a5b6c7d";
  const [noon, one] = ["2026-03-01T12:00:00Z", "2026-03-01T13:00:00Z"];
  const times = { actual_start_time: noon, actual_end_time: one };
  const cases = [
    [startRequestSchema, { session_id: id, colour: "blue" }, "colour"],
    [startRequestSchema, { session_id: 7 }, "session_id"],
    [startRequestSchema, { session_id: id, actual_start_time: "noon" }, "actual_start_time"],
    [startRequestSchema, { session_id: id, location: { method: "gps", latitude: 1 } }, "location.longitude"],
    [startRequestSchema, { session_id: id, location: { method: "manual" } }, "location.reason"],
    [startRequestSchema, { session_id: id, location: { method: "telephony" } }, "location.device_id"],
    [startRequestSchema, { session_id: id, location: { method: "guess" } }, "location.method"],
    [completeRequestSchema, { session_id: id, actual_start_time: noon }, "actual_end_time"],
    [
      completeRequestSchema,
      { session_id: id, actual_start_time: one, actual_end_time: noon },
      "actual_end_time",
    ],
    [
      completeRequestSchema,
      { session_id: id, actual_start_time: noon, actual_end_time: "2026-03-02T12:00:01Z" },
      "actual_end_time",
    ],
    [correctRequestSchema, { session_id: id, version: 1, status: "no_show", reason: " " }, "reason"],
    [correctRequestSchema, { session_id: id, version: 1, status: "cancelled", reason: "x" }, "status"],
    [
      correctRequestSchema,
      { session_id: id, version: 1, status: "no_show", reason: "x", actual_start_time: noon },
      "actual_start_time",
    ],
  ] as const;
  it.each(cases)("refuse, and name the field: case %#", (schema, request, field) => {
    const { error } = schema.safeParse(request);
    expect(error && fieldErrors(error).map((one) => one.field)).toContain(field);
  });
  it("take a correction with both times", () => {
    const request = { session_id: id, version: 1, status: "completed", reason: "x", ...times };
    expect(correctRequestSchema.safeParse(request).success).toBe(true);
  });
});

// A plain model: which status leads where, by which operation, and what it is called when it does not.
type Operation = "start_session" | "complete_session" | "mark_no_show" | "cancel" | `correct to ${Corrected}`;
type Corrected = "scheduled" | "completed" | "no_show";
const MOVES: Record<string, Partial<Record<Operation, string>>> = {
  scheduled: {
    start_session: "in_progress",
    complete_session: "completed",
    mark_no_show: "no_show",
    cancel: "cancelled",
  },
  in_progress: {
    complete_session: "completed",
    mark_no_show: "no_show",
    "correct to scheduled": "scheduled",
    "correct to completed": "completed",
    "correct to no_show": "no_show",
  },
  completed: { "correct to scheduled": "scheduled", "correct to no_show": "no_show" },
  no_show: { "correct to scheduled": "scheduled", "correct to completed": "completed" },
  cancelled: {},
};
const OPERATIONS = [...new Set(Object.values(MOVES).flatMap((moves) => Object.keys(moves)))] as Operation[];
const ATTENDANCE: Record<string, string> = {
  completed: "attended",
  no_show: "no_show",
  cancelled: "cancelled_by_clinic",
};
const TIMES: Record<string, [boolean, boolean]> = { in_progress: [true, false], completed: [true, true] };

async function attempt(operation: Operation, id: string, daysAgo: number, was: string, version: number) {
  const [began, ended] = [past(14.1, daysAgo), past(14.9, daysAgo)];
  if (operation === "cancel") {
    const client = await clinic.admin.client();
    return client.rpc("cancel_sessions", { request: { session_ids: [id], cancelled_by: "clinic" } });
  }
  if (operation.startsWith("correct to ")) {
    const status = operation.replace("correct to ", "");
    const times = status === "completed" && { actual_start_time: began, actual_end_time: ended };
    const request = { session_id: id, version, status, reason: "A slip", ...times };
    return mark(clinic.admin, "correct_attendance", request);
  }
  return mark(clinic.rosa.user, operation, {
    session_id: id,
    ...((operation === "start_session" || (operation === "complete_session" && was === "scheduled")) && {
      actual_start_time: began,
    }),
    ...(operation === "complete_session" && { actual_end_time: ended }),
  });
}

it("whatever is asked in whatever order, a session has the status that the model says, and its times with it", async () => {
  const orders = fc.array(fc.constantFrom(...OPERATIONS), { minLength: 1, maxLength: 8 });
  // Each on a day of its own, later than the one before: who is still in a session begins no other.
  let daysAgo = 100;
  await fc.assert(
    fc.asyncProperty(orders, async (operations) => {
      daysAgo -= 1;
      const id = await bookPast(clinic, 14, { daysAgo });
      let status = "scheduled";
      for (const operation of operations) {
        await attempt(operation, id, daysAgo, status, (await sessionRow(id)).version);
        status = MOVES[status]?.[operation] ?? status;
        const row = await sessionRow(id);
        const times = [row.actual_start_time !== null, row.actual_end_time !== null];
        expect([row.status, row.attendance, times]).toEqual([
          status,
          ATTENDANCE[status] ?? null,
          TIMES[status] ?? [false, false],
        ]);
        const claims = await sql`select from public.calendar_claims where claim_id = ${id}`;
        expect(claims).toHaveLength(status === "cancelled" || status === "no_show" ? 0 : 2);
      }
      await sql`
        update public.sessions set status = 'no_show', actual_start_time = null
        where id = ${id} and status = 'in_progress'`;
    }),
    { numRuns: 40, endOnFailure: true },
  );
});
