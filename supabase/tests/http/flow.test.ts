import { beforeAll, describe, expect, it } from "vitest";
import {
  bookSession,
  cancelSessionHold,
  cancelSessions,
  confirmSessionBooking,
  HoldfastError,
  requestSessionHold,
} from "../../../src/lib/index.ts";
import { cancel, confirm, countRows, hold, letExpire, time } from "../support/calls.ts";
import { type Clinic, createClinic, TIME_ZONE } from "../support/clinic.ts";
import { expectLedgerIsSound, sql } from "../support/stack.ts";

let clinic: Clinic;
beforeAll(async () => {
  clinic = await createClinic();
});

describe("the booking flow through supabase-js and src/lib", () => {
  const request = (dayFromNow: number) => ({
    therapistId: clinic.rosa.id,
    clientId: clinic.aspen,
    serviceCode: "97153",
    timeZone: TIME_ZONE,
    startTime: time(dayFromNow, 18).start_time,
    endTime: time(dayFromNow, 18).end_time,
  });

  it("holds, refuses the next caller with a useful answer, confirms, and cancels", async () => {
    const rosa = await clinic.rosa.user.client();
    const scheduler = await clinic.scheduler.client();

    const held = await requestSessionHold(rosa, request(30));
    expect(held.holds).toHaveLength(1);
    expect(held.holdKey).toBe(held.holds[0]?.holdKey);

    const refusal = await requestSessionHold(scheduler, request(30)).catch((error: unknown) => error);
    expect(refusal).toBeInstanceOf(HoldfastError);
    expect(refusal).toMatchObject({
      code: "therapist_conflict",
      problem: {
        conflicts: [
          { occurrence: 0, subject: "therapist", kind: "hold", until: held.expiresAt },
          { occurrence: 0, subject: "client", kind: "hold", until: held.expiresAt },
        ],
      },
    });

    const { session } = await confirmSessionBooking(rosa, {
      holdKey: held.holdKey,
      session: { placeOfService: "12" },
    });
    expect(session).toMatchObject({
      id: held.holdKey,
      status: "scheduled",
      cptCode: "97153",
      placeOfService: "12",
      units: 4,
      roundedDurationMinutes: 60,
    });

    const visible = await rosa.from("sessions").select("id, status").eq("id", session.id);
    expect(visible.data).toEqual([{ id: session.id, status: "scheduled" }]);

    const outcome = await cancelSessions(rosa, {
      sessionIds: [session.id],
      cancelledBy: "client",
      reason: "ill",
    });
    expect(outcome.cancelled).toEqual([{ id: session.id, kind: "session", late: false }]);
    await expectLedgerIsSound();
  });

  it("books in one call, and releases the hold when confirming fails", async () => {
    const rosa = await clinic.rosa.user.client();
    const booked = await bookSession(rosa, request(31));
    expect(booked.session.status).toBe("scheduled");

    const failure = await bookSession(rosa, {
      ...request(32),
      session: { placeOfService: "not a place" },
    }).catch((error: unknown) => error);
    expect(failure).toMatchObject({ code: "validation_failed" });
    // Its time is open again: the same request is held at once.
    const again = await requestSessionHold(rosa, request(32));
    await cancelSessionHold(rosa, { holdKey: again.holdKey });
    await expectLedgerIsSound();
  });

  it("names each step in the audit trail, for admins only", async () => {
    const own = await createClinic();
    const held = await hold(own, time(30, 18));
    const { session } = await confirm(own.rosa.user, held.hold_key);
    await cancel(own.rosa.user, { session_ids: [session.id], cancelled_by: "clinic" });

    const admin = await own.admin.client();
    const { data } = await admin.rpc("list_audit_events", { organization: own.id });
    // The clinic was made by plain SQL, which has no actor; what came over HTTP has one, and a request id.
    const calls = data?.filter((event) => event.actor_id) ?? [];
    expect(calls.map((event) => event.action).reverse()).toEqual([
      "hold.created",
      "session.scheduled",
      "hold.confirmed",
      "session.cancelled",
    ]);
    expect(new Set(calls.map((event) => event.actor_id))).toEqual(new Set([own.rosa.user.id]));
    expect(calls.every((event) => event.request_id)).toBe(true);

    // What a direct caller puts into the header is kept only if it can be a request id.
    const { error } = await admin
      .rpc("cancel_sessions", { request: {} })
      .setHeader("x-request-id", "not one: Jane Doe");
    expect(error).toBeNull();
    const [denied] = await sql`
      select request_id from audit.events where actor_id = ${own.admin.id} order by id desc limit 1`;
    expect(denied).toEqual({ request_id: null });

    const rosa = await own.rosa.user.client();
    const refused = await rosa.rpc("list_audit_events", { organization: own.id });
    expect(refused.error?.code).toBe("42501");
  });
});

describe("holds", () => {
  it("hold a batch as one, each time with a key of its own", async () => {
    const held = await hold(clinic, { occurrences: [time(40, 16), time(41, 16), time(42, 16)] });
    expect(held.holds).toHaveLength(3);
    expect(held.holds.map((one) => one.hold_key)).not.toContain(held.hold_key);

    const { sessions, rounded_duration_minutes } = await confirm(clinic.rosa.user, held.hold_key);
    expect(sessions).toHaveLength(3);
    expect(new Set(sessions.map((session) => session.series_id))).toEqual(new Set([held.hold_key]));
    expect(rounded_duration_minutes).toBe(180);
    await expectLedgerIsSound();
  });

  it("skip what is taken when asked to, and say which, why, and what is open instead", async () => {
    await hold(clinic, time(51, 16));
    const held = await hold(
      clinic,
      { occurrences: [time(50, 16), time(51, 16), time(52, 16)] },
      { on_conflict: "skip", client_id: clinic.birch },
    );
    expect(held.holds).toHaveLength(2);
    expect(held.skipped).toHaveLength(1);
    expect(held.skipped[0]).toMatchObject({ occurrence: 1, code: "therapist_conflict" });
    expect(held.skipped[0]?.alternatives.length).toBeGreaterThan(0);
    await expectLedgerIsSound();
  });

  it("last as long as asked, 300 seconds when not", async () => {
    const seconds = (expiresAt: string) => (Date.parse(expiresAt) - Date.now()) / 1000;
    const standard = await hold(clinic, time(53, 16));
    expect(seconds(standard.expires_at)).toBeGreaterThan(280);
    expect(seconds(standard.expires_at)).toBeLessThanOrEqual(300.5);
    const short = await hold(clinic, time(53, 18), { hold_seconds: 30 });
    expect(seconds(short.expires_at)).toBeLessThanOrEqual(30.5);
  });

  it("free their time the moment they expire, without a sweep", async () => {
    const first = await hold(clinic, time(54, 16));
    await letExpire(first.hold_key);
    const second = await hold(clinic, time(54, 16), {}, clinic.scheduler);
    expect(second.hold_key).not.toBe(first.hold_key);
    const [row] = await sql`select status from public.session_holds where id = ${first.hold_key}`;
    expect(row?.status).toBe("expired");
    await expectLedgerIsSound();
  });

  it("offer alternatives that can be held at once", async () => {
    const taken = await hold(clinic, time(55, 16));
    const response = await requestSessionHold(await clinic.scheduler.client(), {
      therapistId: clinic.rosa.id,
      clientId: clinic.aspen,
      serviceCode: "97153",
      timeZone: TIME_ZONE,
      startTime: time(55, 16).start_time,
      endTime: time(55, 16).end_time,
    }).catch((error: unknown) => error);
    if (!(response instanceof HoldfastError) || response.code !== "therapist_conflict") throw response;
    const { alternatives } = response.problem as { alternatives: { startTime: string; endTime: string }[] };
    expect(alternatives).toHaveLength(3);
    for (const { startTime, endTime } of alternatives) {
      const held = await requestSessionHold(await clinic.scheduler.client(), {
        therapistId: clinic.rosa.id,
        clientId: clinic.aspen,
        serviceCode: "97153",
        timeZone: TIME_ZONE,
        startTime,
        endTime,
      });
      expect(held.holds).toHaveLength(1);
    }
    await cancel(clinic.rosa.user, { hold_key: taken.hold_key });
    await expectLedgerIsSound();
  });

  it("move a session: its own claim does not stand in the way, and its old time is free after", async () => {
    const { session } = await confirm(clinic.rosa.user, (await hold(clinic, time(56, 16, 120))).hold_key);
    const overlapping = await hold(clinic, time(56, 17, 120), { session_id: session.id });
    const moved = await confirm(clinic.rosa.user, overlapping.hold_key);
    expect(moved.session.id).toBe(session.id);
    expect(moved.session.version).toBe(session.version + 1);
    expect(Date.parse(moved.session.start_time)).toBe(Date.parse(time(56, 17).start_time));
    await hold(clinic, time(56, 16));
    await expectLedgerIsSound();
  });

  it("let 97155 run beside 97153 for one client, but not 97153 beside 97153", async () => {
    await hold(clinic, time(57, 16));
    await hold(
      clinic,
      time(57, 16),
      { therapist_id: clinic.theo.id, service_code: "97155" },
      clinic.theo.user,
    );
    const before = await countRows(clinic);
    const second = requestSessionHold(await clinic.scheduler.client(), {
      therapistId: clinic.theo.id,
      clientId: clinic.aspen,
      serviceCode: "97153",
      timeZone: TIME_ZONE,
      startTime: time(57, 16).start_time,
      endTime: time(57, 16).end_time,
    });
    await expect(second).rejects.toMatchObject({ code: "therapist_conflict" });
    expect(await countRows(clinic)).toEqual(before);
    await expectLedgerIsSound();
  });
});

describe("cancelling", () => {
  it("is idempotent and says what it found", async () => {
    const { session } = await confirm(clinic.rosa.user, (await hold(clinic, time(60, 16))).hold_key);
    const body = { session_ids: [session.id], cancelled_by: "therapist", reason: "ill" };
    expect(await cancel(clinic.rosa.user, body)).toMatchObject({
      cancelled: [{ id: session.id, kind: "session" }],
    });
    expect(await cancel(clinic.rosa.user, body)).toMatchObject({
      cancelled: [],
      already_cancelled: [{ id: session.id, kind: "session" }],
    });
    // Its time is open again at once.
    await hold(clinic, time(60, 16), {}, clinic.scheduler);
    await expectLedgerIsSound();
  });

  it("releases a whole batch by its key, and one of it by its own", async () => {
    const held = await hold(clinic, { occurrences: [time(61, 16), time(62, 16), time(63, 16)] });
    const [first] = held.holds;
    const one = await cancel(clinic.rosa.user, { hold_key: first?.hold_key });
    expect(one.cancelled).toEqual([{ id: first?.hold_key, kind: "hold" }]);
    const rest = await cancel(clinic.rosa.user, { hold_key: held.hold_key });
    expect(rest.cancelled).toHaveLength(2);
    expect(rest.already_cancelled).toEqual([{ id: first?.hold_key, kind: "hold" }]);
    await expectLedgerIsSound();
  });

  it("says of a confirmed hold and of a running session that they cannot be cancelled so", async () => {
    const held = await hold(clinic, time(64, 16));
    const { session } = await confirm(clinic.rosa.user, held.hold_key);
    expect((await cancel(clinic.rosa.user, { hold_key: held.hold_key })).not_cancellable).toEqual([
      { id: held.hold_key, kind: "hold", reason: "confirmed" },
    ]);
    await sql`update public.sessions set status = 'in_progress', actual_start_time = start_time where id = ${session.id}`;
    const outcome = await cancel(clinic.admin, { session_ids: [session.id], cancelled_by: "clinic" });
    expect(outcome.not_cancellable).toEqual([{ id: session.id, kind: "session", reason: "in_progress" }]);
    await expectLedgerIsSound();
  });

  it("cancels a series from a moment on and leaves what came before", async () => {
    const held = await hold(clinic, { occurrences: [time(65, 16), time(66, 16), time(67, 16)] });
    const { sessions } = await confirm(clinic.rosa.user, held.hold_key);
    const outcome = await cancel(clinic.rosa.user, {
      series_id: held.hold_key,
      from: time(66, 16).start_time,
      cancelled_by: "client",
    });
    expect(outcome.cancelled.map((entry) => entry.id).sort()).toEqual(
      sessions
        .slice(1)
        .map((session) => session.id)
        .sort(),
    );
    await expectLedgerIsSound();
  });
});
