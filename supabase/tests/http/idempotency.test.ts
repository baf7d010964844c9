import { randomUUID } from "node:crypto";
import { beforeAll, describe, expect, it } from "vitest";
import type { ConfirmData, HoldData } from "../../../src/lib/contracts.ts";
import { call, countRows, expectData, expectProblem, hold, holdBody, time } from "../support/calls.ts";
import { type Clinic, createClinic } from "../support/clinic.ts";
import { expectLedgerIsSound, sql } from "../support/stack.ts";

let clinic: Clinic;
beforeAll(async () => {
  clinic = await createClinic();
});

describe("the same Idempotency-Key", () => {
  it("gives the first success again, for hold, confirm and cancel, and writes nothing", async () => {
    const key = randomUUID();
    const headers = { "idempotency-key": key };
    const steps = async () => {
      const holding = await call("sessions-hold", clinic.rosa.user, holdBody(clinic, time(30, 16)), headers);
      const replayed = [holding.headers.get("idempotency-replayed")];
      const held = await expectData<HoldData>(holding, 201);
      const confirming = await call(
        "sessions-confirm",
        clinic.rosa.user,
        { hold_key: held.hold_key },
        headers,
      );
      replayed.push(confirming.headers.get("idempotency-replayed"));
      const confirmed = await expectData<ConfirmData>(confirming, 200);
      const cancelling = await call(
        "sessions-cancel",
        clinic.rosa.user,
        { session_ids: [confirmed.session.id], cancelled_by: "client" },
        headers,
      );
      replayed.push(cancelling.headers.get("idempotency-replayed"));
      return { data: [held, confirmed, await expectData(cancelling, 200)], replayed };
    };
    const first = await steps();
    const before = await countRows(clinic);
    const second = await steps();
    expect(first.replayed).toEqual([null, null, null]);
    expect(second.replayed).toEqual(["true", "true", "true"]);
    expect(second.data).toEqual(first.data);
    expect(await countRows(clinic)).toEqual(before);
  });

  it("does not keep a refusal: the retry may succeed", async () => {
    const headers = { "idempotency-key": randomUUID() };
    const taken = await hold(clinic, time(31, 16));
    const body = holdBody(clinic, time(31, 16));
    await expectProblem(await call("sessions-hold", clinic.scheduler, body, headers), "therapist_conflict");
    await call("sessions-cancel", clinic.rosa.user, { hold_key: taken.hold_key });
    await expectData(await call("sessions-hold", clinic.scheduler, body, headers), 201);
  });

  it("is another key for another user", async () => {
    const headers = { "idempotency-key": randomUUID() };
    await expectData(
      await call("sessions-hold", clinic.rosa.user, holdBody(clinic, time(32, 16)), headers),
      201,
    );
    const other = await call("sessions-hold", clinic.scheduler, holdBody(clinic, time(33, 16)), headers);
    expect(other.headers.get("idempotency-replayed")).toBeNull();
    await expectData(other, 201);
  });

  it("is forgotten after 24 hours", async () => {
    const key = randomUUID();
    const headers = { "idempotency-key": key };
    await expectData(
      await call("sessions-hold", clinic.rosa.user, holdBody(clinic, time(34, 16)), headers),
      201,
    );
    const [row] = await sql`
      update public.idempotency_keys
      set expires_at = clock_timestamp() - interval '1 second'
      where key = ${key}
      returning extract(epoch from expires_at - created_at) as was`;
    expect(row).toBeDefined();
    await expectData(
      await call("sessions-hold", clinic.rosa.user, holdBody(clinic, time(35, 16)), headers),
      201,
    );
  });

  it("sent by 16 callers at once has one effect, and every answer is that success or `in flight`", async () => {
    const headers = { "idempotency-key": randomUUID() };
    const body = holdBody(clinic, time(36, 16));
    const responses = await Promise.all(
      Array.from({ length: 16 }, () => call("sessions-hold", clinic.rosa.user, body, headers)),
    );
    const keys = new Set<string>();
    for (const response of responses) {
      const answer = (await response.json()) as { data?: HoldData; code?: string };
      if (answer.data) keys.add(answer.data.hold_key);
      else expect(answer.code).toBe("idempotency_in_flight");
    }
    expect(keys.size).toBe(1);
    const [row] = await sql`
      select count(*)::integer as holds
      from public.session_holds
      where organization_id = ${clinic.id} and start_time = ${time(36, 16).start_time}`;
    expect(row?.holds).toBe(1);
    await expectLedgerIsSound();
  });
});
