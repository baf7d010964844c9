// What becomes of claims when something about them changes: a policy's number, or the mind of who took one back.

import { expect, it } from "vitest";
import { setPlaceOfService } from "../../../src/lib/attendance-client.ts";
import { attachSessions, createBillingBatch, rebillCase, voidCase } from "../../../src/lib/billing-client.ts";
import { exportBatchCsv } from "../../../src/lib/claims-export.ts";
import {
  createBillingClinic,
  deliver,
  expectBillingIsSound,
  refusal,
  versionOf,
} from "../support/billing.ts";
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

it("what bills a session anew is sent with what takes it back or after it, and not before", async () => {
  const clinic = await createBillingClinic();
  const app = (await clinic.scheduler.client()) as never;
  const batchOf = (...caseIds: string[]) => createBillingBatch(app, { caseIds, usage: "production" });
  const billedAnew = async (daysAgo: number) => {
    const sessionIds = [await deliver(clinic, { daysAgo })];
    const [sent] = await attachSessions(app, { sessionIds });
    const caseId = sent?.caseId as string;
    await exportBatchCsv(app, await batchOf(caseId));
    await voidCase(app, { caseId });
    const reversal = await rebillCase(app, { caseId, action: "take_back", payerClaimNumber: "P-1" });
    const [anew] = await attachSessions(app, { sessionIds });
    return [anew?.caseId as string, reversal.caseId] as const;
  };
  await exportBatchCsv(app, await batchOf(...(await billedAnew(3))));
  const [anew, reversal] = await billedAnew(4);
  const [later, earlier] = [await batchOf(anew), await batchOf(reversal)];
  expect(await refusal(exportBatchCsv(app, later))).toEqual(["batchId not_taken_back"]);
  await exportBatchCsv(app, earlier);
  await exportBatchCsv(app, later);
  await expectBillingIsSound(clinic);
});

it("a test file leaves its claims open, for another batch", async () => {
  const clinic = await createBillingClinic();
  const app = (await clinic.scheduler.client()) as never;
  const cases = await attachSessions(app, { sessionIds: [await deliver(clinic)] });
  const caseIds = cases.map(({ caseId }) => caseId);
  const tested = await createBillingBatch(app, { caseIds, usage: "test" });
  const file = await exportBatchCsv(app, tested);
  const rows = () => sql`
    select claim.status, batch.status as batch from public.billing_cases claim
    join public.billing_batches batch on batch.id = claim.batch_id where claim.id = any (${caseIds}::uuid[])`;
  expect(await rows()).toEqual([{ status: "open", batch: "exported" }]);
  expect(await exportBatchCsv(app, tested)).toBe(file);
  await expectBillingIsSound(clinic);
  const sent = await createBillingBatch(app, { caseIds, usage: "production" });
  await exportBatchCsv(app, sent);
  expect(await rows()).toEqual([{ status: "submitted", batch: "exported" }]);
  expect(await refusal(exportBatchCsv(app, tested))).toEqual(["batchId empty"]);
  await expectBillingIsSound(clinic);
});

it("a session is billed with a note that its own therapist signed", async () => {
  const clinic = await createBillingClinic();
  const app = (await clinic.scheduler.client()) as never;
  await sql`update public.billing_profiles set requires_signature = true where organization_id = ${clinic.id}`;
  const session = await deliver(clinic);
  const signedBy = ({ id, user }: typeof clinic.rosa) => sql`
    insert into public.session_notes (
      id, organization_id, session_id, client_id, therapist_id, author_id, kind, status, needs_cosignature, signed_by, signed_at, text_digest)
    values (gen_random_uuid(), ${clinic.id}, ${session}, ${clinic.aspen}, ${id}, ${user.id}, 'session', 'signed', false, ${user.id}, now(),
      sha256(''))`;
  await signedBy(clinic.theo);
  expect(await refusal(attachSessions(app, { sessionIds: [session] }))).toEqual([
    `sessions.${session} note_not_signed`,
  ]);
  await signedBy(clinic.rosa);
  expect(await attachSessions(app, { sessionIds: [session] })).toHaveLength(1);
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

it("what was sent to the wrong payer is taken back there, not replaced at the right one", async () => {
  const clinic = await createBillingClinic();
  const app = (await clinic.scheduler.client()) as never;
  const sessionIds = [await deliver(clinic)];
  const send = async (...caseIds: string[]) =>
    exportBatchCsv(app, await createBillingBatch(app, { caseIds, usage: "production" }));
  const [sent] = await attachSessions(app, { sessionIds });
  const caseId = sent?.caseId as string;
  await send(caseId);
  await voidCase(app, { caseId });
  await sql`update public.client_coverages set ends_on = current_date - 10 where client_id = ${clinic.aspen}`;
  await sql`
    insert into public.client_coverages (organization_id, client_id, payer_id, member_id, starts_on)
    values (${clinic.id}, ${clinic.aspen}, ${clinic.otherPayer}, 'OTHERNUMBER', current_date - 9)`;
  await sql`select app.reprice(${sessionIds[0] as string})`;
  const rebilled = (action: "replace" | "take_back") =>
    rebillCase(app, { caseId, action, payerClaimNumber: "P-1" });
  expect(await refusal(rebilled("replace"))).toEqual(["action not_one_claim"]);
  const reversal = await rebilled("take_back");
  expect(reversal).toMatchObject({ frequency: "8", payerId: clinic.payer });
  const [anew] = await attachSessions(app, { sessionIds });
  expect(anew).toMatchObject({ frequency: "1", payerId: clinic.otherPayer });
  // The number that the wrong payer knows the client by is still in the coverage that was cut short.
  expect(await send(reversal.caseId)).toContain(`,M${clinic.aspen.slice(0, 8).toUpperCase()},`);
  expect(await send(anew?.caseId as string)).toContain(",OTHERNUMBER,");
  await expectBillingIsSound(clinic);
});

it("a session without a place of service is billed once whoever may book it says where it took place", async () => {
  const clinic = await createBillingClinic();
  const app = (await clinic.scheduler.client()) as never;
  const sessionId = await deliver(clinic, { place: null });
  const sessionIds = [sessionId];
  expect(await refusal(attachSessions(app, { sessionIds }))).toEqual([
    `sessions.${sessionId} no_place_of_service`,
  ]);
  const seen = await versionOf(sessionId);
  const { session } = await setPlaceOfService(app, { sessionId, version: seen, placeOfService: "12" });
  expect(session).toMatchObject({ id: sessionId, placeOfService: "12", version: seen + 1 });
  expect(await refusal(setPlaceOfService(app, { sessionId, version: seen, placeOfService: "03" }))).toBe(
    "stale_version",
  );
  const [claim] = await attachSessions(app, { sessionIds });
  expect(claim).toMatchObject({ sessionIds });
  // A claim says it by now.
  expect(await refusal(setPlaceOfService(app, { sessionId, placeOfService: "03" }))).toBe("session_billed");
  await expectBillingIsSound(clinic);
});
