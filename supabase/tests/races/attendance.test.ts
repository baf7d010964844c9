// Races about one session: many who start it, who completes while another cancels, moves, or says that nobody came.

import { beforeEach, expect, it } from "vitest";
import { bookPast, past, sessionRow } from "../support/attendance.ts";
import { time } from "../support/calls.ts";
import { type Clinic, createClinic, TIME_ZONE } from "../support/clinic.ts";
import { rpc, withDatabaseClients } from "../support/concurrency.ts";
import { expectLedgerIsSound, sql } from "../support/stack.ts";

let clinic: Clinic;
let session_id: string;
beforeEach(async () => {
  clinic = await createClinic();
  session_id = await bookPast(clinic, 9);
});

/** All at once, each on a connection of its own. */
const race = (calls: [string, object][]) =>
  withDatabaseClients(calls.length, (client, index) => {
    const [name, request] = calls[index] as [string, object];
    return rpc(client, clinic.admin, name, { session_id, ...request });
  });
const began = { actual_start_time: past(9) };
const complete: [string, object] = ["complete_session", { ...began, actual_end_time: past(10) }];
const many = (call: [string, object], howMany: number) => Array.from({ length: howMany }, () => call);

it("16 start the same session: one does, and it is marked once", async () => {
  const answers = await race(many(["start_session", began], 16));
  expect(answers.filter((answer) => answer.data)).toHaveLength(1);
  expect(new Set(answers.flatMap((answer) => answer.problem?.code ?? []))).toEqual(
    new Set(["validation_failed"]),
  );
  const marks = await sql`select event from public.attendance_marks where session_id = ${session_id}`;
  expect(marks).toEqual([{ event: "start" }]);
  await expectLedgerIsSound();
});

it("8 complete a session while 8 cancel it: it is one of the two, and says so everywhere", async () => {
  const cancel: [string, object] = ["cancel_sessions", { session_ids: [session_id], cancelled_by: "clinic" }];
  const answers = await race([...many(complete, 8), ...many(cancel, 8)]);
  const completed = answers.slice(0, 8).filter((answer) => answer.data);
  const { status, attendance } = await sessionRow(session_id);
  expect([completed.length, status, attendance]).toEqual(
    completed.length === 1 ? [1, "completed", "attended"] : [0, "cancelled", "cancelled_by_clinic"],
  );
  await expectLedgerIsSound();
});

it("8 complete a session while 8 move it: what took place is where it was booked", async () => {
  const { start_time } = await sql`select start_time from public.sessions where id = ${session_id}`.then(
    ([row]) => row as { start_time: Date },
  );
  const move: [string, object] = ["move_session", { version: 1, ...time(30, 16), time_zone: TIME_ZONE }];
  const answers = await race([...many(complete, 8), ...many(move, 8)]);
  const moved = answers.slice(8).filter((answer) => answer.data);
  const completed = answers.slice(0, 8).filter((answer) => answer.data);
  expect(moved.length + completed.length).toBe(1);
  const [row] = await sql`select status, start_time from public.sessions where id = ${session_id}`;
  expect(row).toEqual(
    completed.length === 1
      ? { status: "completed", start_time }
      : { status: "scheduled", start_time: new Date(time(30, 16).start_time) },
  );
  await expectLedgerIsSound();
});

it("8 complete a session while 8 say that nobody came: one is believed", async () => {
  const answers = await race([...many(complete, 8), ...many(["mark_no_show", {}], 8)]);
  expect(answers.filter((answer) => answer.data)).toHaveLength(1);
  expect(["completed", "no_show"]).toContain((await sessionRow(session_id)).status);
  await expectLedgerIsSound();
});

it("a therapist starts two sessions at once: one of them", async () => {
  const other = await bookPast(clinic, 11, { client: clinic.birch });
  const answers = await race([
    ...many(["start_session", began], 4),
    ...many(["start_session", { session_id: other, actual_start_time: past(11) }], 4),
  ]);
  expect(answers.filter((answer) => answer.data)).toHaveLength(1);
  const running = await sql`
    select id from public.sessions where organization_id = ${clinic.id} and status = 'in_progress'`;
  expect(running).toHaveLength(1);
  await expectLedgerIsSound();
});
