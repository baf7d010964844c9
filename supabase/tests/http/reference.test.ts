// docs/openapi.json against the running functions: everything that it says can be done is done once, as it says to ask, and
// answered as it says. Every other call of these tests is checked by support/calls.ts, refusals included.

import { randomUUID } from "node:crypto";
import { expect, it } from "vitest";
import { call, type FunctionName, time } from "../support/calls.ts";
import { TIME_ZONE, type User } from "../support/clinic.ts";
import { announcement, put, type Upload } from "../support/documents.ts";
import { createNotesClinic } from "../support/notes.ts";
import { create, sync } from "../support/partner.ts";
import {
  DEEDS,
  expectAsDocumented,
  requestFaults,
  rpcFaults,
  rpcRequestFaults,
} from "../support/reference.ts";
import { bookSeries, editBody, localTime, wall } from "../support/series.ts";
import { expectLedgerIsSound } from "../support/stack.ts";
import { ANY_TIME, createAssignedClient, offersOf } from "../support/waitlist.ts";

type Data = Record<string, unknown>;

it("everything that the reference documents can be done, and is answered as documented", async () => {
  const clinic = await createNotesClinic();
  const { admin, scheduler, rosa, theo, aspen, birch } = clinic;
  const done = new Set<string>();

  /** Does one thing: the request and its answer are those of the reference. */
  async function doing(deed: string, ask: (name: string, body: object) => Promise<Response>, body: object) {
    const [name = "", what = ""] = deed.split(": ");
    expect(requestFaults(name, body), `the reference refuses the request of ${deed}`).toEqual([]);
    const response = await ask(name, body);
    const answer = (await response.clone().json()) as { data: Data };
    expect(response.ok, `${deed} answers ${JSON.stringify(answer)}`).toBe(true);
    await expectAsDocumented(name, response, what);
    done.add(deed);
    return answer.data;
  }
  const by = (user: User, deed: string, body: object) =>
    doing(deed, (name, body) => call(name as FunctionName, user, body), body);

  const who = { therapist_id: rosa.id, client_id: aspen, service_code: "97153", time_zone: TIME_ZONE };
  const book = async (when: object, changes: object = {}) => {
    const { hold_key } = await by(scheduler, "sessions-hold", { ...who, ...when, ...changes });
    const { session } = await by(scheduler, "sessions-confirm", { hold_key });
    return session as { id: string; version: number; group_id: string };
  };
  const seen = ({ id, version }: { id: string; version: number }) => ({ session_id: id, version });

  await by(rosa.user, "sessions-preview", { ...who, ...time(40, 16) });
  await by(rosa.user, "sessions-availability", {
    client_id: aspen,
    service_code: "97153",
    duration_minutes: 60,
    range_start: time(40, 0).start_time,
    range_end: time(41, 0).start_time,
    time_zone: TIME_ZONE,
  });
  const [one, other] = [await book(time(40, 16)), await book(time(40, 18))];
  await by(scheduler, "sessions-reschedule: move", {
    action: "move",
    ...seen(one),
    ...time(41, 16),
    time_zone: TIME_ZONE,
  });
  await by(scheduler, "sessions-reschedule: swap", {
    action: "swap",
    ...seen({ ...one, version: one.version + 1 }),
    other_session_id: other.id,
    other_version: other.version,
    exchange: "times",
  });
  await by(scheduler, "sessions-reschedule: substitute", {
    action: "substitute",
    therapist_id: rosa.id,
    substitute_id: theo.id,
    from: time(40, 0).start_time,
    to: time(42, 0).start_time,
  });
  const group = await book(time(42, 16), {
    service_code: "97154",
    client_id: undefined,
    client_ids: [aspen],
    capacity: 2,
  });
  await by(scheduler, "sessions-join", { group_id: group.group_id, client_id: birch });

  const start = localTime(50, "09:00");
  const { series_id } = await bookSeries(clinic, start, "FREQ=WEEKLY;COUNT=3");
  const edit = await editBody(series_id, wall(start), { recurrence: { rule: "FREQ=WEEKLY;COUNT=4" } });
  await by(scheduler, "sessions-series: preview", { ...edit, preview: true });
  await by(scheduler, "sessions-series: update", edit);

  await by(scheduler, "availability: set_hours", {
    action: "set_hours",
    therapist_id: theo.id,
    time_zone: TIME_ZONE,
    effective_from: localTime(200, "").slice(0, 10),
    hours: [{ weekday: 1, local_start: "09:00", local_end: "24:00" }],
  });
  const { exceptions } = await by(scheduler, "availability: add_exception", {
    action: "add_exception",
    kind: "time_off",
    therapist_id: theo.id,
    time_zone: TIME_ZONE,
    ...time(60, 12, 720),
  });
  const [{ id: exception_id }] = exceptions as [{ id: string }];
  await by(scheduler, "availability: cancel_exception", { action: "cancel_exception", exception_id });

  const waiting = {
    action: "join",
    service_code: "97153",
    duration_minutes: 60,
    wanted_from: localTime(1, "").slice(0, 10),
    time_zone: TIME_ZONE,
    wanted_times: ANY_TIME,
  };
  for (const answer of ["decline", "accept"]) {
    const client_id = await createAssignedClient(clinic);
    const freed = await book(time(70, answer === "accept" ? 16 : 18));
    await by(scheduler, "waitlist: join", { ...waiting, client_id });
    await by(scheduler, "sessions-cancel", {
      session_ids: [freed.id],
      cancelled_by: "client",
      reason: "Ill.",
    });
    const offer = (await offersOf(clinic)).find((offer) => offer.client_id === client_id && offer.live);
    const deed = answer === "accept" ? "waitlist: answer" : "waitlist: answer with decline";
    const { entry } = await by(scheduler, deed, { action: "answer", hold_key: offer?.id, answer });
    const { id: waitlist_entry_id } = entry as { id: string };
    if (answer === "decline") await by(scheduler, "waitlist: leave", { action: "leave", waitlist_entry_id });
  }

  const note = { session_id: clinic.session, kind: "summary", version: 0, text: "A summary." };
  const saved = await by(rosa.user, "session-notes: save", { action: "save", ...note });
  const { id: note_id } = saved.note as { id: string };
  await by(rosa.user, "session-notes: sign", { action: "sign", note_id, version: 1 });
  await by(clinic.bea.user, "session-notes: cosign", { action: "cosign", note_id, version: 1 });
  await by(clinic.bea.user, "session-notes: release_summary", { action: "release_summary", note_id });
  await by(rosa.user, "session-notes: read", { action: "read", session_id: clinic.session });

  const upload = (await by(admin, "documents: upload", announcement(clinic))) as unknown as Upload;
  if (upload.upload) await put(upload.upload);
  const document_id = upload.document.id;
  await by(admin, "documents: finish", { action: "finish", document_id });
  await by(admin, "documents: list", { action: "list", client_id: aspen });
  await by(admin, "documents: read", { action: "read", document_id });
  await by(admin, "documents: delete", { action: "delete", document_id, reason: "Entered twice." });

  const { token } = await create(clinic);
  const partner = (deed: string, body: object) => doing(deed, (_, body) => sync(token, body), body);
  await partner("partner-sync: enrol", { operation: "enrol", reference: `case/${randomUUID()}` });
  await partner("partner-sync: schedule", { operation: "schedule" });

  expect([...done].sort()).toEqual([...DEEDS].sort());
  await expectLedgerIsSound();
});

it("the reference refuses a request that the function refuses for its form", async () => {
  const body = { therapist_id: 7, colour: "blue", hold_seconds: 1 };
  const faults = requestFaults("sessions-hold", body).join("\n");
  for (const field of ["/therapist_id", "colour", "/hold_seconds", "service_code"]) {
    expect(faults).toContain(field);
  }
});

it("an answer of an RPC that is not documented is found", () => {
  const data = { client_id: randomUUID(), consents: [] };
  expect(rpcFaults("read_consents", { data, replayed: false })).toEqual([]);
  expect(rpcFaults("read_consents", { problem: { code: "forbidden", detail: "No." } })).toEqual([]);
  for (const other of [
    { data },
    { data: { ...data, more: 1 }, replayed: false },
    { data: { consents: [] }, replayed: false },
    { data, replayed: false, more: 1 },
    { problem: { code: "unheard_of" } },
  ]) {
    expect(rpcFaults("read_consents", other), JSON.stringify(other)).not.toEqual([]);
  }
});

it("of an RPC with named arguments, a request and an answer that are not documented are found", () => {
  const token = { prefix: "hf_1", created_at: "", expires_at: "", revoked_at: null, last_used_at: null };
  const glass = { data: { grant_id: randomUUID(), expires_at: new Date().toISOString() } };
  expect(rpcFaults("list_service_account_tokens", [token])).toEqual([]);
  expect(rpcFaults("break_glass", glass)).toEqual([]);
  expect(rpcFaults("choose_organization", undefined)).toEqual([]);
  for (const [name, other] of [
    ["list_service_account_tokens", [{ ...token, hash: "1" }]],
    ["list_service_account_tokens", { problem: { code: "forbidden" } }],
    ["break_glass", { ...glass, replayed: false }],
    ["choose_organization", null],
  ] as const) {
    expect(rpcFaults(name, other), `${name} ${JSON.stringify(other)}`).not.toEqual([]);
  }
  const asked = { organization: randomUUID(), reason: "A patient is in danger." };
  expect(rpcRequestFaults("break_glass", asked)).toEqual([]);
  for (const other of [{ ...asked, minutes: 241 }, { reason: asked.reason }, { ...asked, more: 1 }]) {
    expect(rpcRequestFaults("break_glass", other), JSON.stringify(other)).not.toEqual([]);
  }
});

it("an answer that is not documented is found", async () => {
  const answer = (status: number, body: object, headers: Record<string, string> = {}) =>
    new Response(JSON.stringify(body), {
      status,
      headers: { "content-type": "application/json", "x-request-id": "1", ...headers },
    });
  const cancelled = { data: { cancelled: [], already_cancelled: [], not_cancellable: [] } };
  await expectAsDocumented("sessions-cancel", answer(200, cancelled));
  for (const [name, other] of Object.entries({
    "another status": answer(201, cancelled),
    "a member more": answer(200, { data: { ...cancelled.data, more: 1 } }),
    "a member less": answer(200, { data: { cancelled: [], already_cancelled: [] } }),
    "another media type": answer(200, cancelled, { "content-type": "text/plain" }),
    "another header": answer(200, cancelled, { "retry-after": "1" }),
  })) {
    await expect(expectAsDocumented("sessions-cancel", other), name).rejects.toThrow();
  }
});
