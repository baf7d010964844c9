import { createServer, type IncomingHttpHeaders, type Server } from "node:http";
import type { AddressInfo } from "node:net";
import { createClient, type SupabaseClient } from "@supabase/supabase-js";
import { afterEach, beforeEach, describe, expect, it, vi } from "vitest";
import WebSocket from "ws";
import {
  bookSession,
  cancelSessionHold,
  cancelSessions,
  confirmSessionBooking,
  requestSessionHold,
  type SessionHoldRequest,
} from "./client.ts";
import { type HoldfastError, isHoldfastError } from "./errors.ts";
import { findOpenTimes } from "./open-times-client.ts";
import { PROBLEM_MEDIA_TYPE, toProblem } from "./problems.ts";

const KEY = "5f0c6f0e-6f7a-4f0e-9a53-1d8f6a0b7c11";
const WHO = { therapistId: KEY, clientId: KEY, serviceCode: "97153", timeZone: "America/Los_Angeles" };
const TIME = { startTime: new Date("2027-03-14T09:30:00Z"), endTime: "2027-03-14T03:30:00-07:00" };
const REQUEST: SessionHoldRequest = { ...WHO, ...TIME };
const EXPIRES = "2027-03-01T00:05:00.123456+00:00";
const HOLD = {
  hold_key: KEY,
  therapist_id: KEY,
  client_id: KEY,
  start_time: "2027-03-14T09:30:00Z",
  end_time: "2027-03-14T10:30:00Z",
  expires_at: EXPIRES,
};
const HELD = { data: { hold_key: KEY, series_id: null, expires_at: EXPIRES, holds: [HOLD], skipped: [] } };
const SESSION = {
  id: KEY,
  organization_id: KEY,
  therapist_id: KEY,
  client_id: KEY,
  room_id: null,
  service_code: "97153",
  cpt_code: "97153",
  modifiers: [],
  start_time: HOLD.start_time,
  end_time: HOLD.end_time,
  time_zone: "America/Los_Angeles",
  status: "scheduled",
  place_of_service: null,
  series_id: null,
  group_id: null,
  team_id: null,
  units: 4,
  rounded_duration_minutes: 60,
  version: 1,
};
const CONFIRMED = { data: { session: SESSION, sessions: [SESSION], rounded_duration_minutes: 60 } };
const RELEASED = {
  data: { cancelled: [{ id: KEY, kind: "hold" }], already_cancelled: [], not_cancellable: [] },
};
const NOT_RELEASED = {
  data: {
    cancelled: [],
    already_cancelled: [],
    not_cancellable: [{ id: KEY, kind: "hold", reason: "confirmed" }],
  },
};
const EXPIRED = toProblem("hold_expired", { still_free: true });
const UNAVAILABLE = toProblem("unavailable", { retry_after: 0 });

/** What the stand-in answers to one call: a body with its status, a broken connection, no end of a refusal, or nothing at all. */
type Answer =
  | { status: number; body: unknown; type?: string; headers?: Record<string, string> }
  | "broken"
  | "endless"
  | "silent";
const ok = (body: unknown, status = 200): Answer => ({ status, body });
const refused = (problem: { status: number }): Answer => ({
  status: problem.status,
  body: problem,
  type: PROBLEM_MEDIA_TYPE,
  headers: { "x-request-id": "request-1" },
});

interface Call {
  name: string;
  body: Record<string, unknown>;
  headers: IncomingHttpHeaders;
}

let server: Server;
let supabase: SupabaseClient;
let calls: Call[];
let answers: Answer[];

/** Answers the calls that come, in order. */
function answering(...list: Answer[]) {
  answers = list;
}

const called = () => calls.map(({ name }) => name);
const keys = () => new Set(calls.map(({ headers }) => headers["idempotency-key"]));

beforeEach(async () => {
  calls = [];
  answers = [];
  server = createServer(async (request, response) => {
    let text = "";
    for await (const chunk of request) text += chunk;
    calls.push({
      name: request.url?.split("/").at(-1) ?? "",
      body: JSON.parse(text),
      headers: request.headers,
    });
    const answer = answers.shift() ?? { status: 500, body: "no answer was prepared" };
    if (answer === "silent") return;
    if (answer === "broken") return void request.socket.destroy();
    if (answer === "endless")
      return void response.writeHead(409, { "content-type": PROBLEM_MEDIA_TYPE }).write("{");
    const { status, body, type = "application/json", headers = {} } = answer;
    response.writeHead(status, { "content-type": type, ...headers });
    response.end(typeof body === "string" ? body : JSON.stringify(body));
  });
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  const { port } = server.address() as AddressInfo;
  supabase = createClient(`http://127.0.0.1:${port}`, "sb_publishable_test", {
    auth: { persistSession: false, autoRefreshToken: false },
    realtime: { transport: WebSocket as unknown as typeof globalThis.WebSocket },
  });
});

afterEach(() => {
  vi.restoreAllMocks();
  server.closeAllConnections();
  server.close();
});

/** The HoldfastError that a call rejects with. */
async function errorOf(promise: Promise<unknown>): Promise<HoldfastError> {
  const error = await promise.then(
    () => new Error("it resolved"),
    (reason: unknown) => reason,
  );
  if (!isHoldfastError(error)) throw error;
  return error;
}

describe("findOpenTimes", () => {
  it("is a HoldfastError, and not a wrong offset, where the device does not know the time zone", async () => {
    const therapists = [{ therapist_id: KEY, start_times: [HOLD.start_time] }];
    answering(ok({ data: { duration_minutes: 60, time_zone: "Mars/Olympus", therapists } }));
    const range = { rangeStart: TIME.startTime, rangeEnd: TIME.endTime };
    const search = {
      ...range,
      clientId: KEY,
      serviceCode: "97153",
      durationMinutes: 60,
      timeZone: "Mars/Olympus",
    };
    await expect(findOpenTimes(supabase, search)).rejects.toMatchObject({
      code: "validation_failed",
      problem: { errors: [{ field: "timeZone", code: "unknown" }] },
    });
  });
});

describe("requestSessionHold", () => {
  it("sends snake_case with offsets computed on each side of a DST change, and gives camelCase back", async () => {
    answering(ok(HELD, 201));
    const hold = await requestSessionHold(supabase, REQUEST);
    expect(calls[0]?.name).toBe("sessions-hold");
    expect(calls[0]?.body).toEqual({
      therapist_id: KEY,
      client_id: KEY,
      service_code: "97153",
      time_zone: "America/Los_Angeles",
      start_time: "2027-03-14T09:30:00.000Z",
      end_time: "2027-03-14T03:30:00-07:00",
      start_time_offset_minutes: -480,
      end_time_offset_minutes: -420,
    });
    expect(hold).toMatchObject({ holdKey: KEY, expiresAt: EXPIRES, holds: [{ startTime: HOLD.start_time }] });
  });

  it("computes the offsets of every occurrence, and leaves those alone that are given", async () => {
    answering(ok(HELD, 201));
    const occurrences = [TIME, { ...TIME, startTimeOffsetMinutes: 1, endTimeOffsetMinutes: 2 }];
    await requestSessionHold(supabase, { ...WHO, occurrences });
    expect(calls[0]?.body.occurrences).toMatchObject([
      { start_time_offset_minutes: -480, end_time_offset_minutes: -420 },
      { start_time_offset_minutes: 1, end_time_offset_minutes: 2 },
    ]);
  });

  it("leaves a time that is none for the server to refuse", async () => {
    answering(refused(toProblem("validation_failed")));
    const error = await errorOf(
      requestSessionHold(supabase, { ...REQUEST, startTime: new Date(Number.NaN) }),
    );
    expect(error.code).toBe("validation_failed");
    expect(calls[0]?.body).toMatchObject({ start_time: null, start_time_offset_minutes: 0 });
  });

  it("gives each call an idempotency key of its own, or the caller's", async () => {
    answering(ok(HELD, 201), ok(HELD, 201), ok(HELD, 201));
    await requestSessionHold(supabase, REQUEST);
    await requestSessionHold(supabase, REQUEST);
    await requestSessionHold(supabase, REQUEST, { idempotencyKey: "mine" });
    expect(keys().size).toBe(3);
    expect(keys()).toContain("mine");
    expect([...keys()].every((key) => typeof key === "string" && key.length > 0)).toBe(true);
  });

  it("throws a conflict with its conflicts, alternatives and seconds to wait", async () => {
    const alternative = { start_time: HOLD.end_time, end_time: "2027-03-14T11:30:00Z" };
    const conflict = { occurrence: 0, subject: "therapist", kind: "hold", until: EXPIRES } as const;
    answering(
      refused(
        toProblem("therapist_conflict", {
          conflicts: [conflict],
          alternatives: [alternative],
          retry_after: 120,
        }),
      ),
    );
    const error = await errorOf(requestSessionHold(supabase, REQUEST));
    if (!isHoldfastError(error, "therapist_conflict")) throw error;
    expect(error.problem.conflicts).toEqual([conflict]);
    expect(error.problem.alternatives).toEqual([
      { startTime: HOLD.end_time, endTime: "2027-03-14T11:30:00Z" },
    ]);
    expect(error).toMatchObject({ status: 409, retryAfter: 120, requestId: "request-1" });
  });

  it.each<[string, Answer, string]>([
    ["a broken connection", "broken", "unavailable"],
    ["a page of a proxy", { status: 502, body: "<html>", type: "text/html" }, "unavailable"],
    ["the platform's own 401", ok({ code: 401, message: "Invalid JWT" }, 401), "unauthenticated"],
    ["the platform's own 429", ok({}, 429), "rate_limited"],
    ["a function that is not there", ok({}, 404), "unavailable"],
    [
      "a refusal by a newer server's code",
      refused({
        ...toProblem("hold_confirmed", { session_ids: [KEY] }),
        code: "not_yet_thought_of",
      } as never),
      "internal_error",
    ],
    [
      "a Retry-After that is no number of seconds",
      { status: 503, body: {}, headers: { "retry-after": "Infinity" } },
      "unavailable",
    ],
    ["a success that cannot be read", ok({ data: { hold_key: 7 } }), "internal_error"],
  ])("calls %s by a code", async (_, answer, code) => {
    answering(answer);
    expect((await errorOf(requestSessionHold(supabase, REQUEST))).code).toBe(code);
  });

  it("refuses an idempotency key that no header can carry, without asking", async () => {
    const error = await errorOf(requestSessionHold(supabase, REQUEST, { idempotencyKey: "Łódź" }));
    expect([error.code, calls]).toEqual(["idempotency_key_invalid", []]);
  });

  it("rejects with the signal's reason when the caller gives up", async () => {
    answering("silent");
    const controller = new AbortController();
    const reason = new Error("the user left");
    setTimeout(() => controller.abort(reason), 50);
    await expect(requestSessionHold(supabase, REQUEST, { signal: controller.signal })).rejects.toBe(reason);
  });

  it("rejects with the signal's reason also when the caller gives up while a refusal's body comes", async () => {
    answering("endless");
    const controller = new AbortController();
    const reason = new Error("the user left");
    const held = requestSessionHold(supabase, REQUEST, { signal: controller.signal });
    setTimeout(() => controller.abort(reason), 50);
    await expect(held).rejects.toBe(reason);
  });
});

describe("confirmSessionBooking, cancelSessionHold and cancelSessions", () => {
  it("confirm by key", async () => {
    answering(ok(CONFIRMED));
    const { session, sessions } = await confirmSessionBooking(supabase, {
      holdKey: KEY,
      session: { placeOfService: "12" },
    });
    expect(calls[0]).toMatchObject({
      name: "sessions-confirm",
      body: { hold_key: KEY, session: { place_of_service: "12" } },
    });
    expect([session.roundedDurationMinutes, sessions.length]).toEqual([60, 1]);
  });

  it("release a hold by key", async () => {
    answering(ok(RELEASED));
    const { cancelled, notCancellable } = await cancelSessionHold(supabase, {
      holdKey: KEY,
      reason: "changed",
    });
    expect(calls[0]).toMatchObject({ name: "sessions-cancel", body: { hold_key: KEY, reason: "changed" } });
    expect([cancelled, notCancellable]).toEqual([[{ id: KEY, kind: "hold" }], []]);
  });

  it("cancel sessions by id, and a series from an instant", async () => {
    answering(ok(RELEASED), ok(RELEASED));
    await cancelSessions(supabase, { sessionIds: [KEY], cancelledBy: "clinic" });
    await cancelSessions(supabase, { seriesId: KEY, from: new Date(0), cancelledBy: "client" });
    expect(calls.map(({ body }) => body)).toEqual([
      { session_ids: [KEY], cancelled_by: "clinic" },
      { series_id: KEY, from: "1970-01-01T00:00:00.000Z", cancelled_by: "client" },
    ]);
  });
});

describe("bookSession", () => {
  it("holds and confirms under one idempotency key", async () => {
    answering(ok(HELD, 201), ok(CONFIRMED));
    const booked = await bookSession(supabase, { ...REQUEST, session: { placeOfService: "12" } });
    expect(called()).toEqual(["sessions-hold", "sessions-confirm"]);
    expect(calls[0]?.body).not.toHaveProperty("session");
    expect(calls[1]?.body).toEqual({ hold_key: KEY, session: { place_of_service: "12" } });
    expect(keys().size).toBe(1);
    expect([booked.session.id, booked.skipped]).toEqual([KEY, []]);
  });

  it("throws the hold's error and does nothing more", async () => {
    answering(refused(toProblem("client_conflict")));
    expect((await errorOf(bookSession(supabase, REQUEST))).code).toBe("client_conflict");
    expect(called()).toEqual(["sessions-hold"]);
  });

  it("releases the hold and throws the confirm's error when confirming is refused", async () => {
    answering(ok(HELD, 201), refused(EXPIRED), ok(RELEASED));
    expect((await errorOf(bookSession(supabase, REQUEST))).code).toBe("hold_expired");
    expect(called()).toEqual(["sessions-hold", "sessions-confirm", "sessions-cancel"]);
    expect(calls[2]?.body).toEqual({ hold_key: KEY });
  });

  it("throws the confirm's error also when releasing fails", async () => {
    answering(ok(HELD, 201), refused(EXPIRED), refused(toProblem("internal_error")));
    expect((await errorOf(bookSession(supabase, REQUEST))).code).toBe("hold_expired");
  });

  it.each<[string, Answer]>([
    ["the connection breaks", "broken"],
    ["the server cannot say", refused(UNAVAILABLE)],
    ["the server fails", refused(toProblem("internal_error"))],
    ["the first is still being processed", refused(toProblem("idempotency_in_flight", { retry_after: 0 }))],
  ])("asks once more with the same key when %s while confirming", async (_, answer) => {
    answering(ok(HELD, 201), answer, ok(CONFIRMED));
    const booked = await bookSession(supabase, REQUEST);
    expect(booked.session.id).toBe(KEY);
    expect(called()).toEqual(["sessions-hold", "sessions-confirm", "sessions-confirm"]);
    expect(keys().size).toBe(1);
    expect(calls[1]?.body).toEqual(calls[2]?.body);
  });

  it("releases the hold when the second answer is no better", async () => {
    answering(ok(HELD, 201), "broken", refused(UNAVAILABLE), ok(RELEASED));
    expect((await errorOf(bookSession(supabase, REQUEST))).code).toBe("unavailable");
    expect(called()).toEqual(["sessions-hold", "sessions-confirm", "sessions-confirm", "sessions-cancel"]);
  });

  it("keeps the hold after `unavailable` for who can repeat the booking with a key of their own", async () => {
    const options = { idempotencyKey: "mine" };
    answering(ok(HELD, 201), "broken", refused(UNAVAILABLE));
    expect((await errorOf(bookSession(supabase, REQUEST, options))).code).toBe("unavailable");
    answering(ok(HELD, 201), ok(CONFIRMED));
    expect((await bookSession(supabase, REQUEST, options)).session.id).toBe(KEY);
    expect(called()).not.toContain("sessions-cancel");
    expect([...keys()]).toEqual(["mine"]);
  });

  it("reports the booking when the release shows that it was made after all", async () => {
    answering(ok(HELD, 201), "broken", refused(UNAVAILABLE), ok(NOT_RELEASED), ok(CONFIRMED));
    expect((await bookSession(supabase, REQUEST)).session.id).toBe(KEY);
  });

  it("releases the hold when the caller gives up while confirming", async () => {
    answering(ok(HELD, 201), "silent", ok(RELEASED));
    const controller = new AbortController();
    const reason = new Error("the user left");
    const booking = bookSession(supabase, REQUEST, { signal: controller.signal });
    booking.catch(() => {});
    await vi.waitUntil(() => called().includes("sessions-confirm"), 30_000);
    controller.abort(reason);
    await expect(booking).rejects.toBe(reason);
    expect(called()).toEqual(["sessions-hold", "sessions-confirm", "sessions-cancel"]);
  });

  it("does not wait for ever for the release when the caller gives up on a dead connection", async () => {
    answering(ok(HELD, 201), "silent", "silent");
    const [caller, patience] = [new AbortController(), new AbortController()];
    vi.spyOn(AbortSignal, "timeout").mockReturnValue(patience.signal);
    const reason = new Error("the user left");
    const booking = bookSession(supabase, REQUEST, { signal: caller.signal });
    booking.catch(() => {});
    await vi.waitUntil(() => called().includes("sessions-confirm"), 30_000);
    caller.abort(reason);
    await vi.waitUntil(() => called().includes("sessions-cancel"), 30_000);
    patience.abort();
    await expect(booking).rejects.toBe(reason);
  });
});
