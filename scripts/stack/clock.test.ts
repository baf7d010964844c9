// The stack's clock in a stack of its own: every job runs and succeeds, and what happens is told outside without anybody asking.

import postgres from "postgres";
import { afterAll, beforeAll, expect, it } from "vitest";
import { startOwnStack } from "../../supabase/tests/support/own-stack.ts";
import { type Receiver, startReceiver } from "../../supabase/tests/support/webhooks.ts";
import type { Stack } from "./index.ts";

let receiver: Receiver;
let local: Stack;
let sql: postgres.Sql;
beforeAll(async () => {
  receiver = await startReceiver();
  local = await startOwnStack({
    clock: true,
    functionsEnv: { HOLDFAST_WEBHOOK_TEST_RECEIVER: receiver.origin },
  });
  sql = postgres(local.databaseUrl, { max: 1, onnotice: () => {} });
});
afterAll(async () => {
  await sql?.end();
  await local?.stop();
  await receiver.stop();
});

it("runs every job at the start, each without failing, and tells outside what happened", async () => {
  const runs = () =>
    sql<{ job: string; outcome: string }[]>`select distinct job, outcome from app.job_runs order by job`;
  const jobs = await sql<{ name: string }[]>`select name from app.jobs order by name`;
  await expect
    .poll(runs, { timeout: 30_000, interval: 100 })
    .toEqual(jobs.map(({ name }) => ({ job: name, outcome: "ok" })));

  await sql`
    with clinic as (insert into public.organizations (name, time_zone) values ('A clinic', 'UTC') returning id), endpoint as (
      insert into app.webhook_endpoints (organization_id, url) select id, 'https://hooks.example.com/clock' from clinic
      returning id, organization_id)
    insert into app.webhook_secrets (organization_id, endpoint_id, secret)
    select organization_id, id, sha256('') from endpoint`;
  await sql`select app.emit(organization_id, 'session.moved', id) from app.webhook_endpoints`;
  // As if it were long ago that these ran last. No job runs now: its record, not yet written, could not be taken away.
  await sql`delete from app.job_runs where job in ('deliver_webhooks', 'seal_audit')`;
  await expect.poll(() => receiver.received("/clock").length, { timeout: 30_000, interval: 100 }).toBe(1);
  const seals = () => sql`select number from audit.seals`;
  // A transaction that was still open when the job ran puts the seal off to the next minute.
  await expect.poll(seals, { timeout: 90_000, interval: 100 }).not.toEqual([]);
});
