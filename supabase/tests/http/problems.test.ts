import { randomUUID } from "node:crypto";
import { expect, it } from "vitest";
import { startFunctions } from "../../../scripts/stack/index.ts";
import type { ProblemCode } from "../../../src/lib/problems.ts";
import { authorize, cover } from "../support/authorizations.ts";
import {
  call,
  confirm,
  countRows,
  expectProblem,
  hold,
  holdBody,
  letExpire,
  time,
} from "../support/calls.ts";
import { type Clinic, createClinic, TIME_ZONE } from "../support/clinic.ts";
import { publishForm, requireConsent } from "../support/consents.ts";
import { act, createNotesClinic, notes, save, tamper } from "../support/notes.ts";
import { expectLedgerIsSound, sql, stack } from "../support/stack.ts";

/**
 * For every problem code of the contract, a way to meet it. A code without one does not compile. `already_signed` and
 * `session_billed` are met over REST only: consents.test.ts, billing.test.ts.
 */
const produce: Record<
  Exclude<ProblemCode, "internal_error" | "already_signed" | "session_billed">,
  (clinic: Clinic) => Promise<Response>
> = {
  invalid_json: (clinic) => call("sessions-hold", clinic.rosa.user, '{"therapist_id": '),
  idempotency_key_invalid: (clinic) =>
    call("sessions-hold", clinic.rosa.user, holdBody(clinic, time(30, 16)), {
      "idempotency-key": "k".repeat(300),
    }),
  unauthenticated: (clinic) => call("sessions-hold", null, holdBody(clinic, time(30, 16))),
  forbidden: (clinic) =>
    call("sessions-hold", clinic.rosa.user, holdBody(clinic, time(30, 16), { therapist_id: clinic.theo.id })),
  mfa_required: async (clinic) => {
    await sql`update public.organizations set requires_mfa = true where id = ${clinic.id}`;
    return call("sessions-hold", clinic.rosa.user, holdBody(clinic, time(30, 16)));
  },
  not_found: async (clinic) => {
    const elsewhere = await createClinic();
    return call(
      "sessions-hold",
      clinic.admin,
      holdBody(clinic, time(30, 16), { therapist_id: elsewhere.rosa.id }),
    );
  },
  method_not_allowed: (clinic) =>
    clinic.rosa.user.token().then((token) =>
      fetch(`${stack.url}/functions/v1/sessions-hold`, {
        headers: { apikey: stack.publishableKey, authorization: `Bearer ${token}` },
      }),
    ),
  payload_too_large: (clinic) => call("sessions-hold", clinic.rosa.user, `"${"x".repeat(2_200_000)}"`),
  therapist_conflict: async (clinic) => {
    await hold(clinic, time(30, 16));
    return call("sessions-hold", clinic.admin, holdBody(clinic, time(30, 16), { client_id: clinic.birch }));
  },
  client_conflict: async (clinic) => {
    await hold(clinic, time(30, 16));
    return call(
      "sessions-hold",
      clinic.admin,
      holdBody(clinic, time(30, 16), { therapist_id: clinic.theo.id }),
    );
  },
  room_conflict: async (clinic) => {
    await hold(clinic, time(30, 16), { room_id: clinic.room });
    return call(
      "sessions-hold",
      clinic.admin,
      holdBody(clinic, time(30, 16), {
        therapist_id: clinic.theo.id,
        client_id: clinic.birch,
        room_id: clinic.room,
      }),
    );
  },
  therapist_unavailable: async (clinic) => {
    const away = time(30, 0, 1440);
    await sql`
      insert into public.availability_exceptions
        (organization_id, therapist_id, kind, start_time, end_time, time_zone)
      values (${clinic.id}, ${clinic.rosa.id}, 'time_off', ${away.start_time}, ${away.end_time}, ${TIME_ZONE})`;
    return call("sessions-hold", clinic.rosa.user, holdBody(clinic, time(30, 16)));
  },
  sessions_in_the_way: async (clinic) => {
    await hold(clinic, time(30, 16));
    return call("availability", clinic.scheduler, {
      action: "add_exception",
      kind: "time_off",
      therapist_id: clinic.rosa.id,
      time_zone: TIME_ZONE,
      ...time(30, 12, 720),
    });
  },
  group_full: async (clinic) => {
    const group = { service_code: "97154", client_id: undefined, client_ids: [clinic.aspen], capacity: 1 };
    const { holds } = await hold(clinic, time(30, 16), group);
    const [row] = await sql`select group_id from public.session_holds where id = ${holds[0]?.hold_key ?? ""}`;
    return call("sessions-join", clinic.rosa.user, { group_id: row?.group_id, client_id: clinic.birch });
  },
  consent_required: async (clinic) => {
    await requireConsent(clinic, await publishForm(clinic));
    return call("sessions-hold", clinic.rosa.user, holdBody(clinic, time(30, 16)));
  },
  stale_version: async (clinic) => {
    const { hold_key } = await hold(clinic, time(30, 16));
    const { session } = await confirm(clinic.rosa.user, hold_key);
    const move = { action: "move", session_id: session.id, version: 99, time_zone: TIME_ZONE };
    return call("sessions-reschedule", clinic.rosa.user, { ...move, ...time(31, 16) });
  },
  note_signed: async () => {
    const clinic = await createNotesClinic();
    const { id } = await save(clinic.rosa.user, { session_id: clinic.session }, "x");
    await act(clinic.rosa.user, "sign", id);
    return notes(clinic.rosa.user, { action: "sign", note_id: id, version: 1 });
  },
  note_unreadable: async () => {
    const clinic = await createNotesClinic();
    const { id } = await save(clinic.rosa.user, { session_id: clinic.session }, "x");
    await tamper(
      (transaction) =>
        transaction`update public.session_notes set author_id = ${clinic.theo.user.id} where id = ${id}`,
    );
    return notes(clinic.rosa.user, { action: "read", note_id: id });
  },
  key_destroyed: async () => {
    const clinic = await createNotesClinic();
    const { id } = await save(clinic.rosa.user, { session_id: clinic.session }, "x");
    for (const admin of [clinic.admin, clinic.otherAdmin]) {
      await (await admin.client()).rpc("destroy_client_key", { request: { client_id: clinic.aspen } });
    }
    return notes(clinic.rosa.user, { action: "read", note_id: id });
  },
  idempotency_in_flight: async (clinic) => {
    // Another transaction is in the middle of the same call: it holds the key's lock and does not end yet.
    const body = holdBody(clinic, time(30, 16));
    const key = randomUUID();
    return sql.begin(async (transaction) => {
      await transaction`
        select pg_advisory_xact_lock(hashtextextended(
          concat_ws(' ', ${clinic.id}::uuid, ${clinic.rosa.user.id}::uuid, 'hold_sessions', ${key}::text), 1))`;
      return call("sessions-hold", clinic.rosa.user, body, { "idempotency-key": key });
    });
  },
  hold_confirmed: async (clinic) => {
    const { hold_key } = await hold(clinic, time(30, 16));
    await confirm(clinic.rosa.user, hold_key);
    return call("sessions-confirm", clinic.rosa.user, { hold_key });
  },
  hold_expired: async (clinic) => {
    const { hold_key } = await hold(clinic, time(30, 16));
    await letExpire(hold_key);
    return call("sessions-confirm", clinic.rosa.user, { hold_key });
  },
  validation_failed: (clinic) => call("sessions-hold", clinic.rosa.user, { colour: "blue" }),
  authorization_missing: async (clinic) => {
    await cover(clinic, clinic.aspen, { requires_authorization: true });
    return call("sessions-hold", clinic.rosa.user, holdBody(clinic, time(30, 16)));
  },
  authorization_exhausted: async (clinic) => {
    await authorize(clinic, clinic.aspen, { units: 3 });
    return call("sessions-hold", clinic.rosa.user, holdBody(clinic, time(30, 16)));
  },
  offset_mismatch: (clinic) =>
    call(
      "sessions-hold",
      clinic.rosa.user,
      holdBody(clinic, time(30, 16), { start_time_offset_minutes: 60 }),
    ),
  idempotency_key_reused: async (clinic) => {
    const headers = { "idempotency-key": randomUUID() };
    await call("sessions-hold", clinic.rosa.user, holdBody(clinic, time(30, 16)), headers);
    return call("sessions-hold", clinic.rosa.user, holdBody(clinic, time(31, 16)), headers);
  },
  rate_limited: async (clinic) => {
    await sql`update public.organizations set calls_per_minute = 1 where id = ${clinic.id}`;
    const fails = () =>
      call("sessions-confirm", clinic.rosa.user, { hold_key: held.hold_key, time_zone: "UTC" });
    const held = await hold(clinic, time(30, 16));
    // Two more calls cannot both be the first of their minute.
    const [first, second] = [await fails(), await fails()];
    return first.status === 429 ? first : second;
  },
  unavailable: async (clinic) => {
    // The functions as they are, in front of a database API that nobody answers at.
    const host = await startFunctions(
      {
        ...stack.functionsEnv,
        SUPABASE_URL: "http://127.0.0.1:9",
        HOLDFAST_JWT_ISSUER: `${stack.url}/auth/v1`,
      },
      () => {},
    );
    try {
      return await fetch(`${host.url}/sessions-hold`, {
        method: "POST",
        headers: { authorization: `Bearer ${await clinic.rosa.user.token()}` },
        body: JSON.stringify(holdBody(clinic, time(30, 16))),
      });
    } finally {
      await host.stop();
    }
  },
};

for (const [code, meet] of Object.entries(produce) as [
  keyof typeof produce,
  (clinic: Clinic) => Promise<Response>,
][]) {
  // A stack that is not ours has functions that cannot be started a second time.
  it.runIf(code !== "unavailable" || stack.functionsEnv)(
    `${code} is met, and answered as RFC 9457 says`,
    async () => {
      const clinic = await createClinic();
      const response = await meet(clinic);
      const problem = await expectProblem(response, code);
      if ("retry_after" in problem && problem.retry_after) {
        expect(response.headers.get("retry-after")).toBe(String(problem.retry_after));
      }
      await expectLedgerIsSound();
    },
  );
}

it("a conflict says who blocks until when, what is open instead, and when to come back", async () => {
  const clinic = await createClinic();
  const held = await hold(clinic, time(30, 16), { hold_seconds: 60 });
  const before = await countRows(clinic);
  const response = await call("sessions-hold", clinic.admin, holdBody(clinic, time(30, 16)));
  const problem = await expectProblem(response, "therapist_conflict");
  expect(problem.conflicts).toEqual([
    { occurrence: 0, subject: "therapist", kind: "hold", until: held.expires_at },
    { occurrence: 0, subject: "client", kind: "hold", until: held.expires_at },
  ]);
  const seconds = Number(response.headers.get("retry-after"));
  expect(seconds).toBeGreaterThan(50);
  expect(seconds).toBeLessThanOrEqual(60);
  expect(problem.alternatives).toHaveLength(3);
  expect(await countRows(clinic)).toEqual(before);
});

it("a conflict with a session gives no Retry-After: waiting does not help", async () => {
  const clinic = await createClinic();
  const { hold_key } = await hold(clinic, time(30, 16));
  await call("sessions-confirm", clinic.rosa.user, { hold_key });
  const response = await call("sessions-hold", clinic.admin, holdBody(clinic, time(30, 16)));
  const problem = await expectProblem(response, "therapist_conflict");
  expect(problem.conflicts[0]?.kind).toBe("session");
  expect(response.headers.get("retry-after")).toBeNull();
});

it("an ended hold says whether its time is still free", async () => {
  const clinic = await createClinic();
  const first = await hold(clinic, time(30, 16));
  await letExpire(first.hold_key);
  const free = await expectProblem(
    await call("sessions-confirm", clinic.rosa.user, { hold_key: first.hold_key }),
    "hold_expired",
  );
  expect(free.still_free).toBe(true);
  await hold(clinic, time(30, 16), {}, clinic.scheduler);
  const taken = await expectProblem(
    await call("sessions-confirm", clinic.rosa.user, { hold_key: first.hold_key }),
    "hold_expired",
  );
  expect(taken.still_free).toBe(false);
});
