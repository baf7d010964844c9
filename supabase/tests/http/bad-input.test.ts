import { randomUUID } from "node:crypto";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import type { ProblemCode } from "../../../src/lib/problems.ts";
import {
  call,
  confirm,
  countRows,
  expectProblem,
  type FunctionName,
  hold,
  holdBody,
  letExpire,
  time,
} from "../support/calls.ts";
import { assign, type Clinic, createClient, createClinic, createTherapist } from "../support/clinic.ts";
import { expectLedgerIsSound, sql } from "../support/stack.ts";

let clinic: Clinic;
let elsewhere: Clinic;
beforeAll(async () => {
  [clinic, elsewhere] = await Promise.all([createClinic(), createClinic()]);
});
afterAll(() => expectLedgerIsSound());

/** The call is refused with the code, names the fields, and leaves nothing behind. */
async function expectRefusal(
  name: FunctionName,
  body: unknown,
  code: ProblemCode,
  fields: string[] = [],
  user = clinic.rosa.user,
  headers: Record<string, string> = {},
): Promise<void> {
  const before = await countRows(clinic);
  const problem = await expectProblem(await call(name, user, body, headers), code);
  if (fields.length > 0) {
    expect("errors" in problem ? problem.errors.map((error) => error.field).sort() : []).toEqual(
      fields.sort(),
    );
  }
  expect(await countRows(clinic)).toEqual(before);
}

describe("sessions-hold refuses", () => {
  const refusals: [string, () => unknown | Promise<unknown>, ProblemCode, string[]?][] = [
    ["a body that is not an object", () => [], "validation_failed"],
    [
      "wrong types",
      () => holdBody(clinic, time(30, 16), { therapist_id: 7, service_code: null }),
      "validation_failed",
      ["therapist_id", "service_code"],
    ],
    [
      "unknown fields",
      () => holdBody(clinic, time(30, 16), { colour: "blue" }),
      "validation_failed",
      ["colour"],
    ],
    [
      "an end before the start",
      () => holdBody(clinic, { ...time(30, 16), end_time: time(30, 15).start_time }),
      "validation_failed",
      ["end_time"],
    ],
    ["a length of zero", () => holdBody(clinic, time(30, 16, 0)), "validation_failed", ["end_time"]],
    ["more than 24 hours", () => holdBody(clinic, time(30, 16, 1441)), "validation_failed", ["end_time"]],
    ["a start in the past", () => holdBody(clinic, time(-1, 16)), "validation_failed", ["start_time"]],
    [
      "a start in the past inside a batch",
      () => holdBody(clinic, { occurrences: [time(30, 16), time(-1, 16)] }),
      "validation_failed",
      ["occurrences[1].start_time"],
    ],
    [
      "a hold over 900 seconds",
      () => holdBody(clinic, time(30, 16), { hold_seconds: 901 }),
      "validation_failed",
      ["hold_seconds"],
    ],
    [
      "a hold under 30 seconds",
      () => holdBody(clinic, time(30, 16), { hold_seconds: 29 }),
      "validation_failed",
      ["hold_seconds"],
    ],
    [
      "10 000 occurrences",
      () => holdBody(clinic, { occurrences: Array(10_000).fill(time(30, 16)) }),
      "validation_failed",
      ["occurrences"],
    ],
    ["no occurrence", () => holdBody(clinic, { occurrences: [] }), "validation_failed", ["occurrences"]],
    [
      "a time and occurrences",
      () => holdBody(clinic, { ...time(30, 16), occurrences: [time(31, 16)] }),
      "validation_failed",
    ],
    [
      "occurrences that overlap each other",
      () => holdBody(clinic, { occurrences: [time(30, 16, 90), time(30, 17)] }),
      "validation_failed",
      ["occurrences[1].start_time"],
    ],
    [
      "an unknown time zone",
      () => holdBody(clinic, time(30, 16), { time_zone: "Mars/Olympus" }),
      "validation_failed",
      ["time_zone"],
    ],
    [
      "an offset the zone does not have then",
      () => holdBody(clinic, time(30, 16), { end_time_offset_minutes: 0 }),
      "offset_mismatch",
      ["end_time_offset_minutes"],
    ],
    [
      "an offset in a batch the zone does not have then",
      () =>
        holdBody(clinic, { occurrences: [time(30, 16), { ...time(31, 16), start_time_offset_minutes: 0 }] }),
      "offset_mismatch",
      ["occurrences[1].start_time_offset_minutes"],
    ],
    [
      "a service the clinic does not offer",
      () => holdBody(clinic, time(30, 16), { service_code: "99999" }),
      "validation_failed",
      ["service_code"],
    ],
    [
      "a therapist who does not exist",
      () => holdBody(clinic, time(30, 16), { therapist_id: randomUUID() }),
      "not_found",
    ],
    [
      "a foreign tenant's therapist",
      () => holdBody(clinic, time(30, 16), { therapist_id: elsewhere.rosa.id }),
      "not_found",
    ],
    [
      "a foreign tenant's client",
      () => holdBody(clinic, time(30, 16), { client_id: elsewhere.aspen }),
      "not_found",
    ],
    [
      "a foreign tenant's room",
      () => holdBody(clinic, time(30, 16), { room_id: elsewhere.room }),
      "not_found",
    ],
    [
      "a colleague's time",
      () => holdBody(clinic, time(30, 16), { therapist_id: clinic.theo.id }),
      "forbidden",
    ],
    [
      "a client the therapist cannot see",
      () => holdBody(clinic, time(30, 16), { client_id: clinic.unassigned }),
      "not_found",
    ],
    [
      "to move a session that does not exist",
      () => holdBody(clinic, time(30, 16), { session_id: randomUUID() }),
      "not_found",
    ],
    [
      "to move a session to several times",
      () => holdBody(clinic, { occurrences: [time(30, 16), time(31, 16)] }, { session_id: randomUUID() }),
      "validation_failed",
      ["session_id"],
    ],
  ];
  for (const [what, body, code, fields] of refusals) {
    it(what, async () => expectRefusal("sessions-hold", await body(), code, fields));
  }

  it("malformed JSON", () => expectRefusal("sessions-hold", "{", "invalid_json"));

  it("an unassigned client, whoever asks", () =>
    expectRefusal(
      "sessions-hold",
      holdBody(clinic, time(30, 16), { client_id: clinic.unassigned }),
      "validation_failed",
      ["client_id"],
      clinic.admin,
    ));

  it("an archived client", async () => {
    const archived = await createClient(clinic.id);
    await assign(clinic.id, clinic.rosa.id, archived);
    await sql`update public.clients set status = 'archived' where id = ${archived}`;
    await expectRefusal(
      "sessions-hold",
      holdBody(clinic, time(30, 16), { client_id: archived }),
      "validation_failed",
      ["client_id"],
    );
  });

  it("a therapist who left", async () => {
    const left = await createTherapist(clinic.id);
    await assign(clinic.id, left.id, clinic.aspen);
    await sql`update public.therapists set status = 'inactive' where id = ${left.id}`;
    const body = holdBody(clinic, time(30, 16), { therapist_id: left.id });
    await expectRefusal("sessions-hold", body, "validation_failed", ["therapist_id"], clinic.admin);
  });

  it("a user of another organization, as if nothing were there", () =>
    expectRefusal("sessions-hold", holdBody(clinic, time(30, 16)), "not_found", [], elsewhere.admin));

  it("an idempotency key of 300 characters, and one with a space", async () => {
    for (const key of ["k".repeat(300), "two words"]) {
      await expectRefusal(
        "sessions-hold",
        holdBody(clinic, time(30, 16)),
        "idempotency_key_invalid",
        [],
        clinic.rosa.user,
        { "idempotency-key": key },
      );
    }
  });
});

describe("sessions-confirm refuses", () => {
  const confirmBody = (hold_key: string, changes: object = {}) => ({ hold_key, ...changes });
  const offsets = { start_time_offset_minutes: 0, end_time_offset_minutes: 0 };

  it("a key that nobody holds", () =>
    expectRefusal("sessions-confirm", confirmBody(randomUUID()), "not_found"));

  it("another user's hold key, of the same clinic and of another", async () => {
    const { hold_key } = await hold(clinic, time(70, 16));
    await expectRefusal("sessions-confirm", confirmBody(hold_key), "forbidden", [], clinic.theo.user);
    await expectRefusal("sessions-confirm", confirmBody(hold_key), "not_found", [], elsewhere.rosa.user);
  });

  it("a second confirmation", async () => {
    const { hold_key } = await hold(clinic, time(71, 16));
    await confirm(clinic.rosa.user, hold_key);
    await expectRefusal("sessions-confirm", confirmBody(hold_key), "hold_confirmed");
  });

  it("an expired hold, and a released one", async () => {
    const expired = await hold(clinic, time(72, 16));
    await letExpire(expired.hold_key);
    await expectRefusal("sessions-confirm", confirmBody(expired.hold_key), "hold_expired");
    const released = await hold(clinic, time(73, 16));
    await call("sessions-cancel", clinic.rosa.user, { hold_key: released.hold_key });
    await expectRefusal("sessions-confirm", confirmBody(released.hold_key), "hold_expired");
  });

  it("half a batch: one of its keys, some of its occurrences, or a batch of which one has expired", async () => {
    const held = await hold(clinic, { occurrences: [time(74, 16), time(75, 16)] });
    const [first] = held.holds;
    await expectRefusal("sessions-confirm", confirmBody(first?.hold_key ?? ""), "validation_failed", [
      "hold_key",
    ]);
    await expectRefusal(
      "sessions-confirm",
      confirmBody(held.hold_key, { occurrences: [{ hold_key: first?.hold_key, ...offsets }] }),
      "validation_failed",
      ["occurrences"],
    );
    await letExpire(first?.hold_key ?? "");
    await expectRefusal("sessions-confirm", confirmBody(held.hold_key), "hold_expired");
  });

  it("offsets, codes and zones that are not those of what was held", async () => {
    const { hold_key, holds } = await hold(clinic, time(76, 16));
    const good = time(76, 16);
    const occurrence = {
      hold_key: holds[0]?.hold_key,
      start_time_offset_minutes: good.start_time_offset_minutes,
      end_time_offset_minutes: good.end_time_offset_minutes,
    };
    await expectRefusal(
      "sessions-confirm",
      confirmBody(hold_key, { occurrences: [{ ...occurrence, start_time_offset_minutes: 5 }] }),
      "offset_mismatch",
      ["occurrences[0].start_time_offset_minutes"],
    );
    await expectRefusal(
      "sessions-confirm",
      confirmBody(hold_key, { occurrences: [{ ...occurrence, cpt: { code: "97155" } }] }),
      "validation_failed",
      ["occurrences[0].cpt.code"],
    );
    await expectRefusal(
      "sessions-confirm",
      confirmBody(hold_key, { time_zone: "UTC" }),
      "validation_failed",
      ["time_zone"],
    );
    await confirm(clinic.rosa.user, hold_key, { occurrences: [{ ...occurrence, cpt: { code: "97153" } }] });
  });

  it("a holder whose role was revoked since", async () => {
    const temporary = await createTherapist(clinic.id);
    await assign(clinic.id, temporary.id, clinic.birch);
    const { hold_key } = await hold(
      clinic,
      time(77, 16),
      { therapist_id: temporary.id, client_id: clinic.birch },
      temporary.user,
    );
    await sql`update public.user_roles set revoked_at = now() where user_id = ${temporary.user.id}`;
    await expectRefusal("sessions-confirm", confirmBody(hold_key), "not_found", [], temporary.user);
  });

  it("a client who was archived since", async () => {
    const client = await createClient(clinic.id);
    await assign(clinic.id, clinic.rosa.id, client);
    const { hold_key } = await hold(clinic, time(78, 16), { client_id: client });
    await sql`update public.clients set status = 'archived' where id = ${client}`;
    await expectRefusal("sessions-confirm", confirmBody(hold_key), "validation_failed", ["client_id"]);
  });
});

describe("sessions-cancel refuses", () => {
  it("no target, two targets, and a session without who cancelled", async () => {
    await expectRefusal("sessions-cancel", {}, "validation_failed");
    await expectRefusal(
      "sessions-cancel",
      { hold_key: randomUUID(), session_ids: [randomUUID()], cancelled_by: "clinic" },
      "validation_failed",
    );
    await expectRefusal("sessions-cancel", { session_ids: [randomUUID()] }, "validation_failed", [
      "cancelled_by",
    ]);
  });

  it("a session of nobody, of a colleague, and of another clinic, and cancels none of the others", async () => {
    const { session } = await confirm(clinic.rosa.user, (await hold(clinic, time(80, 16))).hold_key);
    const body = (...ids: string[]) => ({ session_ids: ids, cancelled_by: "clinic" });
    await expectRefusal("sessions-cancel", body(session.id, randomUUID()), "not_found");
    await expectRefusal("sessions-cancel", body(session.id), "not_found", [], clinic.theo.user);
    await expectRefusal("sessions-cancel", body(session.id), "not_found", [], elsewhere.admin);
    const [row] = await sql`select status from public.sessions where id = ${session.id}`;
    expect(row?.status).toBe("scheduled");
  });

  it("a colleague's hold", async () => {
    const { hold_key } = await hold(clinic, time(81, 16));
    await expectRefusal("sessions-cancel", { hold_key }, "forbidden", [], clinic.theo.user);
  });
});

it("bodies of 10 MB get their answer, also twelve at once: nobody's connection is cut while they write", async () => {
  const body = JSON.stringify(holdBody(clinic, time(30, 16), { service_code: "x".repeat(10_000_000) }));
  const answers = await Promise.all(
    Array.from({ length: 12 }, () => call("sessions-hold", clinic.rosa.user, body)),
  );
  await Promise.all(answers.map((answer) => expectProblem(answer, "payload_too_large")));
});
