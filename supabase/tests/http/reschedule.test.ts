import { randomUUID } from "node:crypto";
import { beforeAll, describe, expect, it } from "vitest";
import type { ConfirmData, Session } from "../../../src/lib/contracts.ts";
import { TIME_FIELDS } from "../../../src/lib/fields.ts";
import { joinSlot } from "../../../src/lib/join-client.ts";
import type { ProblemCode } from "../../../src/lib/problems.ts";
import { moveSession, substituteTherapist, swapSessions } from "../../../src/lib/reschedule-client.ts";
import { call, confirm, countRows, expectProblem, hold, time } from "../support/calls.ts";
import { type Clinic, createClinic, TIME_ZONE, type User } from "../support/clinic.ts";
import { expectLedgerIsSound, sql } from "../support/stack.ts";

let clinic: Clinic;
beforeAll(async () => {
  clinic = await createClinic();
});

async function book(when: object, changes: object = {}): Promise<Session> {
  const held = await hold(clinic, when, changes, clinic.scheduler);
  return (await confirm(clinic.scheduler, held.hold_key)).session;
}

function bookGroup(when: object, capacity = 2): Promise<ConfirmData> {
  const group = {
    client_id: undefined,
    client_ids: [clinic.aspen],
    service_code: "97154",
    capacity,
  };
  return hold(clinic, when, group, clinic.scheduler).then((held) => confirm(clinic.scheduler, held.hold_key));
}

const moveBody = (session: { id: string; version: number }, when: object, changes: object = {}) => ({
  action: "move",
  session_id: session.id,
  version: session.version,
  time_zone: TIME_ZONE,
  ...when,
  ...changes,
});

describe("src/lib over HTTP", () => {
  it("moves a session, and answers it as it is now", async () => {
    const session = await book(time(30, 16));
    const { sessions } = await moveSession(await clinic.rosa.user.client(), {
      sessionId: session.id,
      version: session.version,
      timeZone: TIME_ZONE,
      startTime: new Date(time(30, 16, 30).end_time),
      endTime: time(30, 16, 90).end_time,
    });
    expect(sessions).toMatchObject([{ id: session.id, version: session.version + 1, status: "scheduled" }]);
    expect(Date.parse(sessions[0]?.startTime ?? "")).toBe(Date.parse(time(30, 16, 30).end_time));
    await expectLedgerIsSound();
  });

  it("swaps two sessions", async () => {
    const [one, other] = [await book(time(31, 16)), await book(time(31, 17), { client_id: clinic.birch })];
    const { sessions } = await swapSessions(await clinic.rosa.user.client(), {
      sessionId: one.id,
      version: one.version,
      otherSessionId: other.id,
      otherVersion: other.version,
      exchange: "times",
    });
    expect(sessions.map((session) => session.id)).toEqual([other.id, one.id]);
    await expectLedgerIsSound();
  });

  it("gives a day to a substitute, and says what stays", async () => {
    const own = await createClinic();
    const bookThere = async (when: object, changes: object = {}) => {
      const held = await hold(own, when, changes, own.scheduler);
      return (await confirm(own.scheduler, held.hold_key)).session;
    };
    const first = await bookThere(time(32, 16));
    const second = await bookThere(time(32, 17));
    await bookThere(time(32, 17), { therapist_id: own.theo.id, client_id: own.birch });
    const result = await substituteTherapist(await own.scheduler.client(), {
      therapistId: own.rosa.id,
      substituteId: own.theo.id,
      from: new Date(time(32, 0).start_time),
      to: time(33, 0).start_time,
      onConflict: "skip",
    });
    expect(result.substituted).toMatchObject([{ id: first.id, therapistId: own.theo.id }]);
    expect(result.skipped).toMatchObject([
      {
        id: second.id,
        code: "therapist_conflict",
        conflicts: [{ occurrence: 1, subject: "therapist", kind: "session" }],
      },
    ]);
    await expectLedgerIsSound();
  });

  it("joins a group, which is confirmed and left like any booking", async () => {
    const { session } = await bookGroup(time(34, 16));
    const rosa = await clinic.rosa.user.client();
    const held = await joinSlot(rosa, { groupId: session.group_id ?? "", clientId: clinic.birch });
    expect(held.holds).toHaveLength(1);
    const joined = await confirm(clinic.rosa.user, held.holdKey);
    expect(joined.session.group_id).toBe(session.group_id);
    await expectLedgerIsSound();
  });

  it("repeats a move with the same idempotency key without moving again", async () => {
    const session = await book(time(35, 16));
    const body = moveBody(session, time(35, 18));
    const headers = { "idempotency-key": randomUUID() };
    const first = await call("sessions-reschedule", clinic.rosa.user, body, headers);
    const again = await call("sessions-reschedule", clinic.rosa.user, body, headers);
    expect(again.headers.get("idempotency-replayed")).toBe("true");
    expect(await again.json()).toEqual(await first.json());
  });
});

describe("refusals", () => {
  it("say of a stale version what it is now, and change nothing", async () => {
    const session = await book(time(36, 16));
    const before = await countRows(clinic);
    const response = await call(
      "sessions-reschedule",
      clinic.rosa.user,
      moveBody({ ...session, version: session.version + 1 }, time(36, 18)),
    );
    const problem = await expectProblem(response, "stale_version");
    expect(problem).toMatchObject({ version: session.version, reason: "session_id" });
    expect(await countRows(clinic)).toEqual(before);
    const [row] = await sql`select version, start_time from public.sessions where id = ${session.id}`;
    expect(row).toEqual({ version: session.version, start_time: new Date(session.start_time) });
  });

  it("say what is in the way of a move, and what is open, which a move can then have", async () => {
    const session = await book(time(37, 16));
    await book(time(37, 18), { client_id: clinic.birch });
    const response = await call("sessions-reschedule", clinic.rosa.user, moveBody(session, time(37, 18)));
    const { conflicts, alternatives } = await expectProblem(response, "therapist_conflict");
    expect(conflicts).toMatchObject([{ occurrence: 0, subject: "therapist", kind: "session" }]);
    expect(alternatives).toHaveLength(3);
    const { sessions } = await moveSession(await clinic.rosa.user.client(), {
      sessionId: session.id,
      version: session.version,
      timeZone: TIME_ZONE,
      startTime: alternatives[0]?.start_time ?? "",
      endTime: alternatives[0]?.end_time ?? "",
    });
    expect(sessions).toHaveLength(1);
    await expectLedgerIsSound();
  });

  it("say that a group is full", async () => {
    const { session } = await bookGroup(time(38, 16), 1);
    const response = await call("sessions-join", clinic.scheduler, {
      group_id: session.group_id,
      client_id: clinic.birch,
    });
    await expectProblem(response, "group_full");
  });
});

describe("bad input", () => {
  const session = { id: randomUUID(), version: 1 };
  const ids = () => ({ therapist_id: clinic.rosa.id, substitute_id: clinic.theo.id });
  const hours = { from: time(40, 0).start_time, to: time(41, 0).start_time };
  const swap = {
    action: "swap",
    session_id: session.id,
    version: 1,
    other_session_id: randomUUID(),
    other_version: 1,
  };

  const rescheduling: [name: string, body: () => object, fields: string[]][] = [
    ["no action", () => ({}), ["action"]],
    ["another action", () => ({ action: "cancel" }), ["action"]],
    ["a move without a version", () => moveBody(session, time(40, 16), { version: undefined }), ["version"]],
    ["a version of zero", () => moveBody(session, time(40, 16), { version: 0 }), ["version"]],
    ["a version that is text", () => moveBody(session, time(40, 16), { version: "1" }), ["version"]],
    ["a move without times", () => moveBody(session, {}), TIME_FIELDS],
    ["a move of no length", () => moveBody(session, time(40, 16, 0)), ["end_time"]],
    ["a move to more than a day", () => moveBody(session, time(40, 16, 1_441)), ["end_time"]],
    ["an unknown zone", () => moveBody(session, time(40, 16), { time_zone: "Mars/Olympus" }), ["time_zone"]],
    ["a swap's field in a move", () => moveBody(session, time(40, 16), { exchange: "times" }), ["exchange"]],
    ["a therapist of null", () => moveBody(session, time(40, 16), { therapist_id: null }), ["therapist_id"]],
    ["a swap of nothing in particular", () => swap, ["exchange"]],
    [
      "a swap with itself",
      () => ({ ...swap, exchange: "times", other_session_id: session.id }),
      ["other_session_id"],
    ],
    ["a substitute without hours", () => ({ action: "substitute", ...ids() }), ["from", "to"]],
    ["hours backwards", () => ({ action: "substitute", ...ids(), from: hours.to, to: hours.from }), ["to"]],
    [
      "more than 31 days",
      () => ({ action: "substitute", ...ids(), ...hours, to: time(71, 1).start_time }),
      ["to"],
    ],
    [
      "a therapist as their own substitute",
      () => ({ action: "substitute", ...ids(), ...hours, substitute_id: clinic.rosa.id }),
      ["substitute_id"],
    ],
    [
      "one session twice",
      () => ({ action: "substitute", ...ids(), ...hours, session_ids: [session.id, session.id] }),
      ["session_ids[1]"],
    ],
    ["no session", () => ({ action: "substitute", ...ids(), ...hours, session_ids: [] }), ["session_ids"]],
    [
      "dates without a time",
      () => ({ action: "substitute", ...ids(), ...hours, from: "2027-01-01" }),
      ["from"],
    ],
  ];
  it.each(rescheduling)("sessions-reschedule refuses %s and names the field", async (_, body, fields) => {
    const response = await call("sessions-reschedule", clinic.scheduler, body());
    const { errors } = await expectProblem(response, "validation_failed");
    expect(errors.map((error) => error.field)).toEqual(fields);
  });

  const joining: [name: string, body: object, fields: string[]][] = [
    ["neither group nor team", {}, ["group_id"]],
    ["a group without a client", { group_id: session.id }, ["client_id"]],
    ["a team without a therapist", { team_id: session.id }, ["therapist_id"]],
    ["a group and a team", { group_id: session.id, client_id: session.id, team_id: session.id }, ["team_id"]],
    [
      "a client in a team",
      { team_id: session.id, therapist_id: session.id, client_id: session.id },
      ["client_id"],
    ],
    ["a hold too short", { group_id: session.id, client_id: session.id, hold_seconds: 29 }, ["hold_seconds"]],
    ["what is no id", { group_id: "the blue one", client_id: session.id }, ["group_id"]],
    ["an unknown field", { group_id: session.id, client_id: session.id, capacity: 9 }, ["capacity"]],
  ];
  it.each(joining)("sessions-join refuses %s and names the field", async (_, body, fields) => {
    const response = await call("sessions-join", clinic.scheduler, body);
    const { errors } = await expectProblem(response, "validation_failed");
    expect(errors.map((error) => error.field)).toEqual(fields);
  });

  it("says of what does not exist, and of another clinic's, the same", async () => {
    const elsewhere = await createClinic();
    const other = (
      await confirm(
        elsewhere.scheduler,
        (
          await hold(elsewhere, time(40, 16), {}, elsewhere.scheduler)
        ).hold_key,
      )
    ).session;
    const asked: [user: User, body: object, code: ProblemCode][] = [
      [clinic.scheduler, moveBody(session, time(40, 16)), "not_found"],
      [clinic.scheduler, moveBody(other, time(40, 18)), "not_found"],
      [elsewhere.scheduler, moveBody(other, time(40, 18), { therapist_id: clinic.rosa.id }), "not_found"],
      [elsewhere.scheduler, moveBody(other, time(40, 18), { room_id: clinic.room }), "not_found"],
      [clinic.scheduler, { action: "substitute", ...ids(), ...hours, session_ids: [other.id] }, "not_found"],
      [clinic.rosa.user, { action: "substitute", ...ids(), ...hours }, "forbidden"],
    ];
    for (const [user, body, code] of asked) {
      await expectProblem(await call("sessions-reschedule", user, body), code);
    }
    await expectProblem(
      await call("sessions-reschedule", null, moveBody(session, time(40, 16))),
      "unauthenticated",
    );
  });

  it("names an offset that is not the zone's by its own field", async () => {
    const booked = await book(time(42, 16));
    const response = await call(
      "sessions-reschedule",
      clinic.scheduler,
      moveBody(booked, time(42, 18), { start_time_offset_minutes: 0 }),
    );
    const { errors } = await expectProblem(response, "offset_mismatch");
    expect(errors.map((error) => error.field)).toEqual(["start_time_offset_minutes"]);
  });
});
