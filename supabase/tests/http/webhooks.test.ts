// Webhooks from the booking to the receiver, over real HTTP: signed so that the published library accepts them, sent again until
// they are taken, in order, and to nobody who should not be told.

import { Webhook } from "standardwebhooks";
import { afterAll, beforeAll, beforeEach, describe, expect, it } from "vitest";
import {
  HoldfastError,
  listWebhookDeliveries,
  listWebhookEndpoints,
  replayWebhookDeliveries,
  rotateWebhookSecret,
  saveWebhookEndpoint,
  webhookMessageSchema,
} from "../../../src/lib/index.ts";
import { webhookEventTypeSchema } from "../../../src/lib/webhooks.ts";
import { call, cancel, confirm, expectData, expectProblem, hold, time } from "../support/calls.ts";
import { type Clinic, createClinic } from "../support/clinic.ts";
import { connect, sql, stack } from "../support/stack.ts";
import {
  addEndpoint,
  answer,
  deliver,
  makeDue,
  type Received,
  type Receiver,
  startDeliverer,
  startReceiver,
} from "../support/webhooks.ts";

let receiver: Receiver;
let host: Awaited<ReturnType<typeof startDeliverer>>;
beforeAll(async () => {
  receiver = await startReceiver();
  host = await startDeliverer(receiver);
});
afterAll(async () => {
  await host.stop();
  await receiver.stop();
});

let clinic: Clinic;
beforeEach(async () => {
  clinic = await createClinic();
});

/** The headers as the published library takes them. */
const plain = ({ headers }: Received) => headers as Record<string, string>;
const verified = (secret: string, message: Received) =>
  webhookMessageSchema.parse(new Webhook(secret).verify(message.body, plain(message)));
const log = async (endpointId: string) =>
  (await listWebhookDeliveries(await clinic.admin.client(), { organizationId: clinic.id, endpointId }))
    .deliveries;
/** One event to tell of. */
const emit = (type = "session.scheduled", subject: string = crypto.randomUUID()) =>
  sql`select app.emit(${clinic.id}, ${type}, ${subject})`;

describe("a booking", () => {
  it("is told step by step, in order, signed, by ids and codes alone", async () => {
    const { path, secret } = await addEndpoint(clinic);
    const { hold_key } = await hold(clinic, time(20, 17));
    const { session } = await confirm(clinic.rosa.user, hold_key);
    await cancel(clinic.rosa.user, {
      session_ids: [session.id],
      cancelled_by: "clinic",
      reason: "Fever of Aspen",
    });
    expect(await expectData(await deliver(host, clinic), 200)).toEqual({ attempted: 4, delivered: 4 });

    const messages = receiver.received(path);
    const told = messages.map((message) => verified(secret, message));
    expect(told.map(({ type, data }) => [type, data.id, data.object])).toEqual([
      ["hold.created", session.id, "session_holds"],
      ["session.scheduled", session.id, "sessions"],
      ["hold.confirmed", session.id, "session_holds"],
      ["session.cancelled", session.id, "sessions"],
    ]);
    for (const { body, headers } of messages) {
      expect(Object.keys(JSON.parse(body).data).sort()).toEqual(["id", "object", "organization_id"]);
      expect(headers).toMatchObject({ "content-type": "application/json", host: "hooks.example.com" });
    }
    expect(messages.map(({ body }) => body).join()).not.toMatch(/Fever|A client|A therapist/);
    expect(new Set(messages.map(({ headers }) => headers["webhook-id"])).size).toBe(4);
  });

  it("is told to each endpoint of the clinic that wants it, and to no other clinic's", async () => {
    const elsewhere = await addEndpoint(await createClinic());
    const all = await addEndpoint(clinic);
    const some = await addEndpoint(clinic, { eventTypes: ["hold.released"] });
    const { hold_key } = await hold(clinic, time(20, 17));
    await cancel(clinic.rosa.user, { hold_key });
    await deliver(host, clinic);
    const types = (path: string) => receiver.received(path).map(({ body }) => JSON.parse(body).type);
    expect(types(all.path)).toEqual(["hold.created", "hold.released"]);
    expect(types(some.path)).toEqual(["hold.released"]);
    expect(types(elsewhere.path)).toEqual([]);
  });
});

describe("a message that is not taken", () => {
  it.each([[500], [404], [302]])(
    "but answered %i is sent again as the same message, then is in the log as delivered",
    async (status) => {
      const { path, secret, endpointId } = await addEndpoint(clinic);
      receiver.on(path, answer(status));
      await emit();
      expect(await expectData(await deliver(host, clinic), 200)).toEqual({ attempted: 1, delivered: 0 });
      receiver.on(path, answer(200));
      await deliver(host, clinic);
      expect(receiver.received(path), "it waits").toHaveLength(1);
      await makeDue(clinic);
      await deliver(host, clinic);

      const [first, second] = receiver.received(path) as [Received, Received];
      expect(verified(secret, second)).toEqual(verified(secret, first));
      expect(second.headers["webhook-id"]).toBe(first.headers["webhook-id"]);
      expect(await log(endpointId)).toMatchObject([
        { status: "delivered", attempts: [{ statusCode: status }, { statusCode: 200 }] },
      ]);
    },
  );

  it("keeps back what comes later of its session, and nothing else", async () => {
    const { path } = await addEndpoint(clinic);
    const [session, other] = [crypto.randomUUID(), crypto.randomUUID()];
    receiver.on(path, (response, { body }) =>
      answer(body.includes(session) ? 503 : 200)(response, { path, headers: {}, body }),
    );
    await emit("session.scheduled", session);
    await emit("session.cancelled", session);
    await emit("session.scheduled", other);
    await deliver(host, clinic);
    const told = () =>
      receiver
        .received(path)
        .map(({ body }) => JSON.parse(body))
        .map(({ type, data }) => [type, data.id]);
    expect(told()).toEqual(
      expect.arrayContaining([
        ["session.scheduled", session],
        ["session.scheduled", other],
      ]),
    );
    expect(told()).toHaveLength(2);
    receiver.on(path, answer(200));
    await makeDue(clinic);
    await deliver(host, clinic);
    expect(told().slice(2)).toEqual([
      ["session.scheduled", session],
      ["session.cancelled", session],
    ]);
  });

  it("because its deliverer was killed between sending and recording is sent again under its id", async () => {
    const { path } = await addEndpoint(clinic);
    const doomed = await startDeliverer(receiver);
    const arrived = new Promise<void>((resolve) => receiver.on(path, () => resolve()));
    await emit();
    const interrupted = deliver(doomed, clinic).catch(() => "interrupted");
    await arrived;
    await doomed.stop();
    await interrupted;
    receiver.on(path, answer(200));
    await deliver(host, clinic);
    expect(receiver.received(path), "its lease is not over").toHaveLength(1);
    await makeDue(clinic);
    await deliver(host, clinic);
    const [first, second] = receiver.received(path) as [Received, Received];
    expect(second.headers["webhook-id"]).toBe(first.headers["webhook-id"]);
  });

  it("is sent again when an admin asks for it, also once it is dead or was delivered", async () => {
    const { path, endpointId } = await addEndpoint(clinic);
    await emit();
    await deliver(host, clinic);
    const [delivery] = await log(endpointId);
    const admin = await clinic.admin.client();
    const again = { organizationId: clinic.id, endpointId, deliveryIds: [delivery?.deliveryId ?? ""] };
    expect(await replayWebhookDeliveries(admin, again)).toMatchObject({ replayed: 1 });
    await deliver(host, clinic);
    const ids = receiver.received(path).map(({ headers }) => headers["webhook-id"]);
    expect(ids).toEqual([ids[0], ids[0]]);
  });

  it("is recorded by why, where there is no answer", async () => {
    const { endpointId } = await addEndpoint(clinic);
    await emit();
    // The stack's own functions have no test receiver, and hooks.example.com has no address for them.
    const response = await call(
      "webhooks-deliver",
      null,
      { organization_id: clinic.id },
      { apikey: stack.secretKey },
    );
    expect(await expectData(response, 200)).toEqual({ attempted: 1, delivered: 0 });
    expect(await log(endpointId)).toMatchObject([
      { status: "pending", attempts: [{ statusCode: null, error: "not_resolved" }] },
    ]);
  });
});

describe("an endpoint", () => {
  it("that answers 410 is told nothing more", async () => {
    const { path, endpointId } = await addEndpoint(clinic);
    receiver.on(path, answer(410));
    await emit();
    await emit();
    await deliver(host, clinic);
    await emit();
    await makeDue(clinic);
    await deliver(host, clinic);
    expect(receiver.received(path)).toHaveLength(2);
    const { endpoints } = await listWebhookEndpoints(await clinic.admin.client(), {
      organizationId: clinic.id,
    });
    expect(endpoints).toMatchObject([{ endpointId, status: "gone", pending: 0 }]);
  });

  it("may change its secret over: for a while either verifies", async () => {
    const { path, secret, endpointId } = await addEndpoint(clinic);
    const admin = await clinic.admin.client();
    const rotated = await rotateWebhookSecret(admin, {
      organizationId: clinic.id,
      endpointId,
      overlapHours: 1,
    });
    await emit();
    await deliver(host, clinic);
    await sql`update app.webhook_secrets set expires_at = clock_timestamp() where endpoint_id = ${endpointId} and expires_at is not null`;
    await emit();
    await deliver(host, clinic);
    const [during, after] = receiver.received(path) as [Received, Received];
    expect(verified(secret, during)).toEqual(verified(rotated.secret, during));
    expect(verified(rotated.secret, after).type).toBe("session.scheduled");
    expect(() => verified(secret, after)).toThrow("No matching signature");
  });

  it("is for admins alone", async () => {
    const scheduler = await clinic.scheduler.client();
    const codeOf = (attempt: Promise<unknown>) =>
      attempt.then(
        () => "done",
        (error: unknown) => (error instanceof HoldfastError ? error.problem.code : error),
      );
    const wanted = { organizationId: clinic.id, url: "https://hooks.example.com/" };
    expect(await codeOf(saveWebhookEndpoint(scheduler, wanted))).toBe("forbidden");
    expect(await codeOf(listWebhookEndpoints(scheduler, { organizationId: clinic.id }))).toBe("forbidden");
    const stranger = await (await createClinic()).admin.client();
    expect(await codeOf(saveWebhookEndpoint(stranger, wanted))).toBe("not_found");
  });
});

describe("the deliverer", () => {
  it("works for the secret key alone", async () => {
    for (const key of [stack.publishableKey, "sb_secret_forged", ""]) {
      await expectProblem(await deliver(host, clinic, key), "unauthenticated");
    }
    await expectProblem(
      await call("webhooks-deliver", clinic.admin, { organization_id: clinic.id }),
      "unauthenticated",
    );
  });

  it("is the only one that is given secrets", async () => {
    for (const client of [connect(), await clinic.admin.client()]) {
      const { data, error } = await client.rpc("claim_webhook_deliveries", {
        request: { organization_id: clinic.id },
      });
      expect([data, error?.code]).toEqual([null, "42501"]);
    }
  });
});

it("the contract names the types of events that the database tells of", async () => {
  const types = await sql<{ name: string }[]>`select name from app.webhook_event_types order by name`;
  expect(webhookEventTypeSchema.options).toEqual(types.map(({ name }) => name));
});
