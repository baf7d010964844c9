// Several deliverers at once, some of which crash or fail: every message is delivered, and of a subject never a later one before
// an earlier is through.

import fc from "fast-check";
import { afterAll, expect, it, vi } from "vitest";
import { type Clinic, createClinic, createUser } from "../support/clinic.ts";
import { at, rpc, rpcWithin, withDatabaseClients } from "../support/concurrency.ts";
import { sql } from "../support/stack.ts";
import { addEndpoint, makeDue } from "../support/webhooks.ts";

interface Claim {
  lease_id: string;
  deliveries: { id: string; body: string }[];
}

const clinic: Clinic = await createClinic();
await addEndpoint(clinic);
// The waits are the plan's; here it is about the order, so that none is given up.
afterAll(
  () => sql`update app.webhook_endpoints set status = 'disabled' where organization_id = ${clinic.id}`,
);

const fates = fc.infiniteStream(
  fc.oneof(
    { weight: 4, arbitrary: fc.constant("taken" as const) },
    { weight: 2, arbitrary: fc.constant("refused" as const) },
    // Sent, and not recorded.
    { weight: 1, arbitrary: fc.constant("crash" as const) },
  ),
);

it("every message is delivered, in the order of its subject, whatever fails and whoever sends", async () => {
  await fc.assert(
    fc.asyncProperty(
      fc.array(fc.nat(2), { minLength: 1, maxLength: 14 }),
      fc.array(fates, { minLength: 4, maxLength: 4 }),
      async (subjects, deliverers) => {
        const ids = [0, 1, 2].map(() => crypto.randomUUID());
        for (const subject of subjects) {
          await sql`select app.emit(${clinic.id}, 'session.moved', ${at(ids, subject)})`;
        }
        const planned = await sql<{ id: string; subject: string }[]>`
          select id, subject_id as subject from app.webhook_deliveries
          where organization_id = ${clinic.id} and subject_id = any (${ids}) order by event_id`;
        const taken = new Set<string>();
        const recorded = new Set<string>();
        const premature: string[] = [];
        const sends = new Map<string, number>();
        const refusals = new Map<string, number>();
        const isDone = () => recorded.size === planned.length;

        await withDatabaseClients(4, async (client, index) => {
          const fate = at(deliverers, index)[Symbol.iterator]();
          for (let round = 0; round < 200 && !isDone(); round += 1) {
            const [claimed] = await client<[{ claim: Claim }]>`
              select app.claim_webhook_deliveries(jsonb_build_object('organization_id', ${clinic.id}::text, 'limit', 3)) as claim`;
            const { claim } = claimed;
            for (const { id } of claim.deliveries) {
              const own = planned.findIndex((delivery) => delivery.id === id);
              const earlier = planned
                .slice(0, own)
                .filter(({ subject }) => subject === planned[own]?.subject);
              if (earlier.some((delivery) => !taken.has(delivery.id))) premature.push(id);
              sends.set(id, (sends.get(id) ?? 0) + 1);
              const drawn = fate.next().value;
              // Refused ten times it would be dead, and what comes after it would be sent: 76-webhooks is about that.
              const outcome = drawn === "refused" && (refusals.get(id) ?? 0) >= 8 ? "taken" : drawn;
              if (outcome === "crash") continue;
              if (outcome === "refused") refusals.set(id, (refusals.get(id) ?? 0) + 1);
              if (outcome === "taken") taken.add(id);
              const [answer] = await client<[{ recorded: boolean }]>`
                select (app.record_webhook_attempt(jsonb_build_object(
                  'delivery_id', ${id}::text, 'lease_id', ${claim.lease_id}::text, 'duration_ms', 1,
                  'status_code', ${outcome === "taken" ? 200 : 500}::integer)) -> 'recorded')::boolean as recorded`;
              // Not where the lease was over by then: somebody else has sent it again, or will.
              if (answer.recorded && outcome === "taken") recorded.add(id);
            }
            // The waits are over, and so are the leases: also those of deliverers that are only slow.
            if (index === 0) await makeDue(clinic);
          }
        });

        expect(premature).toEqual([]);
        expect([...sends.keys()].sort()).toEqual(planned.map(({ id }) => id).sort());
        const [left] = await sql`
          select count(*)::integer as pending from app.webhook_deliveries
          where organization_id = ${clinic.id} and subject_id = any (${ids}) and status = 'pending'`;
        expect(left?.pending).toBe(0);
      },
    ),
    { numRuns: 12, endOnFailure: true },
  );
});

it("an endpoint is disabled without waiting for who writes, and what they wrote is dead by the next waking", async () => {
  const other = await createClinic();
  const { endpointId } = await addEndpoint(other);
  const left = () => sql`
    select status, ended_at is null as is_open from app.webhook_deliveries where organization_id = ${other.id}`;
  const disabled = await sql.begin(async (writer) => {
    await writer`select app.emit(${other.id}, 'session.moved', ${crypto.randomUUID()})`;
    return rpc(sql, other.admin, "save_webhook_endpoint", {
      organization_id: other.id,
      endpoint_id: endpointId,
      status: "disabled",
    });
  });
  expect(disabled).toMatchObject({ data: { status: "disabled" } });
  expect([...(await left())]).toEqual([{ status: "pending", is_open: true }]);
  await sql`select app.wake_deliverer()`;
  expect([...(await left())]).toEqual([{ status: "dead", is_open: false }]);
});

it("two admins at once do not both make the last endpoint that a clinic may have", async () => {
  const other = await createClinic();
  const second = await createUser("admin", other.id);
  await second.token();
  await sql`
    insert into app.webhook_endpoints (organization_id, url)
    select ${other.id}, 'https://hooks.example.com/' || number from generate_series(1, 19) number`;
  const asked = (name: string) => ({
    organization_id: other.id,
    url: `https://hooks.example.com/${name}`,
  });
  await sql
    .begin(async (transaction) => {
      const [me] = await transaction`select pg_backend_pid() as pid`;
      await rpcWithin(transaction, other.admin, "save_webhook_endpoint", asked("last"));
      let over = false;
      const beside = rpc(sql, second, "save_webhook_endpoint", asked("one-too-many")).then((answer) => {
        over = true;
        return answer;
      });
      const waitsForMe = () =>
        sql`select from pg_stat_activity where ${me?.pid} = any (pg_blocking_pids(pid))`;
      await vi.waitUntil(async () => over || (await waitsForMe()).length > 0, {
        timeout: 30_000,
        interval: 20,
      });
      // In a list, so that the transaction does not wait for it.
      return [() => beside];
    })
    .then(([beside]) => beside?.());
  const [made] = await sql`
    select count(*)::integer as number from app.webhook_endpoints where organization_id = ${other.id}`;
  expect(made?.number).toBe(20);
});
