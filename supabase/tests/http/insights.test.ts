// Insights over real HTTP: nothing leaves before an admin says so, what leaves is what was shown, and nothing leaves afterwards.

import { afterAll, beforeAll, beforeEach, expect, it } from "vitest";
import { type FunctionsHost, startFunctions } from "../../../scripts/stack/index.ts";
import { readInsights, saveInsights } from "../../../src/lib/index.ts";
import { insightsMessageSchema } from "../../../src/lib/insights.ts";
import { expectData, expectProblem } from "../support/calls.ts";
import { type Clinic, createClinic } from "../support/clinic.ts";
import { sql, stack } from "../support/stack.ts";
import { answer, type Receiver, startReceiver } from "../support/webhooks.ts";

let receiver: Receiver;
let host: FunctionsHost;
let path: string;
beforeAll(async () => {
  receiver = await startReceiver();
  path = `/${crypto.randomUUID()}`;
  host = await startFunctions({
    ...stack.functionsEnv,
    HOLDFAST_INSIGHTS_URL: `https://insights.example.com${path}`,
    HOLDFAST_WEBHOOK_TEST_RECEIVER: receiver.origin,
  });
});
afterAll(async () => {
  await host.stop();
  await receiver.stop();
});

let clinic: Clinic;
beforeEach(async () => {
  clinic = await createClinic();
});

const send = (to: { url: string } = host, key = stack.secretKey) =>
  fetch(`${to.url}/insights-send`, {
    method: "POST",
    headers: { apikey: key, "content-type": "application/json" },
    body: JSON.stringify({ organization_id: clinic.id }),
  });
const turn = async (enabled: boolean) =>
  saveInsights(await clinic.admin.client(), { organizationId: clinic.id, enabled });
/** As if it had been turned on some days ago. */
const passDays = (days: number) =>
  sql`update app.insights set next_day = next_day - ${days}::integer, next_attempt_at = now() where organization_id = ${clinic.id}`;
const sentBy = (sender: string | null) =>
  receiver
    .received(path)
    .map(({ body }) => insightsMessageSchema.parse(JSON.parse(body)))
    .filter((message) => message.sender === sender);

it("sends nothing unasked, then what was shown, and nothing once turned off", async () => {
  expect(await expectData(await send(), 200)).toEqual({ attempted: 0, taken: 0 });
  const { preview } = await turn(true);
  await passDays(1);
  expect(await expectData(await send(), 200)).toEqual({ attempted: 1, taken: 1 });
  expect(sentBy(preview.sender)).toEqual([preview]);
  expect(await expectData(await send(), 200)).toEqual({ attempted: 0, taken: 0 });

  await passDays(1);
  expect(await turn(false)).toMatchObject({ enabled: false, nextDay: null });
  expect(await expectData(await send(), 200)).toEqual({ attempted: 0, taken: 0 });
  expect(sentBy(preview.sender)).toHaveLength(1);
});

it("shows the counts by the codes themselves, as they are sent", async () => {
  await sql`
    insert into audit.events (organization_id, action, decision, code, occurred_at)
    select it.id, 'rpc.hold_sessions', 'deny', 'therapist_conflict',
      ((now() at time zone it.time_zone)::date - 1 + time '12:00') at time zone it.time_zone
    from public.organizations it
    cross join generate_series(1, 20)
    where it.id = ${clinic.id}`;
  const { preview } = await turn(true);
  expect(preview.refusals).toEqual({ therapist_conflict: 20 });
  await passDays(1);
  await send();
  expect(sentBy(preview.sender)).toEqual([preview]);
});

it("sends again what was not taken", async () => {
  const { preview } = await turn(true);
  await passDays(1);
  receiver.on(path, answer(503));
  expect(await expectData(await send(), 200)).toEqual({ attempted: 1, taken: 0 });
  receiver.on(path, answer(204));
  await sql`update app.insights set next_attempt_at = now() where organization_id = ${clinic.id}`;
  expect(await expectData(await send(), 200)).toEqual({ attempted: 1, taken: 1 });
  expect(sentBy(preview.sender)).toEqual([preview, preview]);
});

it("sends nothing where nobody said where to", async () => {
  await turn(true);
  await passDays(1);
  expect(await expectData(await send({ url: `${stack.url}/functions/v1` }), 200)).toEqual({
    attempted: 0,
    taken: 0,
  });
  expect(
    (await readInsights(await clinic.admin.client(), { organizationId: clinic.id })).nextDay,
  ).not.toBeNull();
});

it("is sent by the secret key alone", async () => {
  await expectProblem(await send(host, stack.publishableKey), "unauthenticated");
});
