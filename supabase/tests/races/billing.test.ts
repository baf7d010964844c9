// Billing at once: the same sessions attached, corrected, voided and exported by many on connections of their own.

import { beforeEach, expect, it } from "vitest";
import {
  type BillingClinic,
  createBillingClinic,
  deliver,
  expectBillingIsSound,
} from "../support/billing.ts";
import { createUser, type User } from "../support/clinic.ts";
import { rpc, rpcWithin, withDatabaseClients } from "../support/concurrency.ts";
import { expectLedgerIsSound, sql } from "../support/stack.ts";

interface Answer {
  data?: { cases?: { case_id: string; session_ids: string[] }[]; control_number?: number };
  problem?: { code: string; errors?: { code: string }[] };
}

let clinic: BillingClinic;
let billers: User[];
beforeEach(async () => {
  clinic = await createBillingClinic();
  billers = await Promise.all(Array.from({ length: 8 }, () => createUser("internal_ops", clinic.id)));
});

const race = (howMany: number, of: (index: number) => [name: string, request: object]) =>
  withDatabaseClients(howMany, async (client, index) => {
    const [name, request] = of(index);
    return (await rpc(client, billers[index % 8] as User, name, request)) as Answer;
  });
const codesOf = (answers: Answer[]) =>
  answers.map(({ problem }) => problem?.errors?.[0]?.code ?? problem?.code ?? "done").sort();

it("16 attach overlapping sessions at once: each session is on one claim", async () => {
  const sessions = await Promise.all([8, 10, 12, 14].map((hour) => deliver(clinic, { hour })));
  const pair = (index: number) => [sessions[index % 4], sessions[(index + 1) % 4]];
  const answers = await race(16, (index) => ["attach_sessions", { session_ids: pair(index) }]);
  const codes = codesOf(answers);
  expect(new Set(codes)).toEqual(new Set(["already_billed", "done"]));
  const lines = await sql`
    select session_id from public.billing_lines where organization_id = ${clinic.id} and status = 'billed'`;
  expect(new Set(lines.map(({ session_id }) => session_id)).size).toBe(lines.length);
  expect(lines).toHaveLength(2 * codes.filter((code) => code === "done").length);
  await expectBillingIsSound(clinic);
  await expectLedgerIsSound();
});

it("attaching and correcting at once: the claim says what the session says, or the correction is refused", async () => {
  for (let round = 0; round < 6; round++) {
    const session = await deliver(clinic, { daysAgo: 4 + round });
    const [row] =
      await sql`select version, actual_start_time, actual_end_time from public.sessions where id = ${session}`;
    const answers = await withDatabaseClients(2, async (client, index) =>
      index === 0
        ? ((await rpc(client, billers[0] as User, "attach_sessions", { session_ids: [session] })) as Answer)
        : ((await rpc(client, clinic.admin, "correct_attendance", {
            session_id: session,
            version: row?.version,
            status: "completed",
            actual_start_time: row?.actual_start_time.toISOString(),
            actual_end_time: new Date(row?.actual_end_time.getTime() - 30 * 60_000).toISOString(),
            reason: "A slip",
          })) as Answer),
    );
    const [attached, corrected] = answers;
    expect(attached?.problem).toBeUndefined();
    expect([undefined, "session_billed"]).toContain(corrected?.problem?.code);
    const [line] = await sql`select units from public.billing_lines where session_id = ${session}`;
    expect(line?.units).toBe(corrected?.problem ? 4 : 2);
  }
  await expectBillingIsSound(clinic);
});

it("writers that go round the RPCs wait for who attaches, and are refused", async () => {
  const session = await deliver(clinic);
  const [outcome] = await withDatabaseClients(1, async (writer) => {
    const [writing] = await writer`select pg_backend_pid() as pid`;
    let change: Promise<string> | undefined;
    let isOver = false;
    await sql.begin(async (transaction) => {
      await rpcWithin(transaction, billers[0] as User, "attach_sessions", { session_ids: [session] });
      change = writer`update public.sessions set place_of_service = '12' where id = ${session}`
        .then(
          () => "changed",
          (error: { constraint_name: string }) => error.constraint_name,
        )
        .finally(() => {
          isOver = true;
        });
      const isWaiting = () => sql`select from pg_locks where pid = ${writing?.pid} and not granted`;
      while (!isOver && (await isWaiting()).length === 0);
    });
    return change;
  });
  expect(outcome).toBe("sessions_frozen_while_billed");
  await expectBillingIsSound(clinic);
});

it("8 batches and the voiding of their claims at once: control numbers do not repeat, no claim is in two", async () => {
  const sessions = await Promise.all(
    ["11", "12", "02", "10"].map((place, index) => deliver(clinic, { hour: 8 + 2 * index, place })),
  );
  const made = (await race(1, () => ["attach_sessions", { session_ids: sessions }]))[0]?.data?.cases ?? [];
  expect(made).toHaveLength(4);
  const answers = await race(12, (index) => {
    const { case_id } = made[index % 4] as { case_id: string };
    return index < 8
      ? ["create_billing_batch", { case_ids: [case_id], usage: "production" }]
      : ["void_case", { case_id }];
  });
  expect(new Set(codesOf(answers))).toEqual(new Set(["done", "not_open"]));
  const numbers = answers.flatMap(({ data }) => (data?.control_number ? [data.control_number] : []));
  expect(new Set(numbers).size).toBe(numbers.length);
  expect(numbers.length).toBeLessThanOrEqual(4);
  const live =
    await sql`select from public.billing_cases where organization_id = ${clinic.id} and status <> 'void'`;
  expect(live).toHaveLength(0);
  await expectBillingIsSound(clinic);
});
