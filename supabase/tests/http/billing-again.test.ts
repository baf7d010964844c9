// What becomes of claims when something about them changes: a policy's number, or the mind of who took one back.

import { expect, it } from "vitest";
import { attachSessions, createBillingBatch, rebillCase, voidCase } from "../../../src/lib/billing-client.ts";
import { exportBatchCsv } from "../../../src/lib/claims-export.ts";
import { createBillingClinic, deliver, expectBillingIsSound, refusal } from "../support/billing.ts";
import { sql } from "../support/stack.ts";

it("a claim that takes back is not itself taken back, unsent, once its sessions are billed anew", async () => {
  const clinic = await createBillingClinic();
  const app = (await clinic.scheduler.client()) as never;
  const sessionIds = [await deliver(clinic)];
  const [sent] = await attachSessions(app, { sessionIds });
  const { batchId } = await createBillingBatch(app, {
    caseIds: [sent?.caseId as string],
    usage: "production",
  });
  await exportBatchCsv(app, { batchId });
  await voidCase(app, { caseId: sent?.caseId as string });
  const takenBack = () =>
    rebillCase(app, { caseId: sent?.caseId as string, action: "take_back", payerClaimNumber: "P-1" });
  const reversal = await takenBack();
  const [anew] = await attachSessions(app, { sessionIds });
  // Without it the payer would have been sent the same sessions twice.
  expect(await refusal(voidCase(app, { caseId: reversal.caseId }))).toEqual(["caseId billed_anew"]);
  await voidCase(app, { caseId: anew?.caseId as string });
  await voidCase(app, { caseId: reversal.caseId });
  expect(await refusal(attachSessions(app, { sessionIds }))).toEqual([
    `sessions.${sessionIds[0]} sent_before`,
  ]);
  expect(await takenBack()).toMatchObject({ frequency: "8" });
  await expectBillingIsSound(clinic);
});

it("a claim names one policy: it is another where the client's number at the payer changed", async () => {
  const clinic = await createBillingClinic();
  const app = (await clinic.scheduler.client()) as never;
  // Two days of one month, whatever today is.
  const daysAgo = new Date().getDate() > 3 ? 1 : 10;
  const sessionIds = [await deliver(clinic, { daysAgo: daysAgo + 1 }), await deliver(clinic, { daysAgo })];
  await sql`
    update public.client_coverages set ends_on = current_date - ${daysAgo + 1}::integer where client_id = ${clinic.aspen}`;
  await sql`
    insert into public.client_coverages (organization_id, client_id, payer_id, member_id, starts_on)
    values (${clinic.id}, ${clinic.aspen}, ${clinic.payer}, 'NEWNUMBER', current_date - ${daysAgo}::integer)`;
  const cases = await attachSessions(app, { sessionIds });
  const { batchId } = await createBillingBatch(app, {
    caseIds: cases.map(({ caseId }) => caseId),
    usage: "production",
  });
  const lines = (await exportBatchCsv(app, { batchId })).trim().split("\r\n").slice(1);
  const [later] = await sql`
    select service_date::text as day from public.session_charges where session_id = ${sessionIds[1] as string} and kind = 'actual'`;
  expect(lines).toHaveLength(2);
  expect(lines.filter((line) => line.includes("NEWNUMBER"))).toEqual([expect.stringContaining(later?.day)]);
  await expectBillingIsSound(clinic);
});
