// One run of everything that the project does, with marks wherever a person's data may stand. What each call is asked and
// answers, the recorder keeps; here they only have to succeed.

import { randomUUID } from "node:crypto";
import { expect } from "vitest";
import { calendarFeedUrl } from "../../../src/lib/index.ts";
import { bookPast, past } from "../support/attendance.ts";
import { authorize, cover } from "../support/authorizations.ts";
import { createBillingClinic, deliver } from "../support/billing.ts";
import {
  call,
  cancel,
  confirm,
  expectData,
  type FunctionName,
  hold,
  holdBody,
  time,
} from "../support/calls.ts";
import { createClient, createUser, TIME_ZONE, type User } from "../support/clinic.ts";
import { callRest, publishForm } from "../support/consents.ts";
import { announce, put } from "../support/documents.ts";
import { createNotesClinic, type NotesClinic, save } from "../support/notes.ts";
import { create, rotate, rpc, sync } from "../support/partner.ts";
import { bookSeries, localTime, wall } from "../support/series.ts";
import { sql, stack } from "../support/stack.ts";
import { joinBody, offersOf } from "../support/waitlist.ts";
import { FILE_MARK, MARK, NOTE_MARK, VALUES } from "./marks.ts";

interface Row {
  id: string;
  version: number;
}

/** Of all the answers, what a later call needs. */
interface Data {
  alerts: Row[];
  authorization_id: string;
  batch_id: string;
  cases: { case_id: string }[];
  client_id: string;
  endpoint_id: string;
  entry: Row;
  exceptions: Row[];
  feeds: { feed_id: string }[];
  hold_key: string;
  note: Row;
  session: Row;
  sessions: Row[];
  signature_id: string;
  token: string;
  url: string;
}

/** What every call of an app says besides its body. */
const sent = () => ({ "idempotency-key": randomUUID(), "user-agent": `${MARK}/1.0` });

async function ask(name: FunctionName, user: User, body: object): Promise<Data> {
  const response = await call(name, user, body, sent());
  return expectData<Data>(response, name === "sessions-hold" || name === "sessions-join" ? 201 : 200);
}

async function askRpc(name: string, user: User, request: object): Promise<Data> {
  const { body } = await callRest(
    name,
    user,
    { request, idempotency_key: randomUUID() },
    { headers: sent() },
  );
  expect(body, `${name}: ${JSON.stringify(body)}`).toHaveProperty("data");
  return body.data as unknown as Data;
}

async function askPlain(name: string, user: User, args: object): Promise<void> {
  const { status, body } = await callRest(name, user, args, { headers: sent() });
  expect(status, `${name}: ${JSON.stringify(body)}`).toBeLessThan(300);
  expect(body, name).not.toHaveProperty("problem");
}

/** Two times that are open, to book and to move to. */
const later = (session: Row, when: object) => ({
  session_id: session.id,
  version: session.version,
  time_zone: TIME_ZONE,
  ...when,
});

export async function runEveryFlow(): Promise<NotesClinic> {
  const clinic = await createNotesClinic();
  for (const flow of [
    hooks,
    people,
    booking,
    waiting,
    visits,
    units,
    notes,
    consents,
    documents,
    partners,
    calendars,
    billing,
    oversight,
  ]) {
    await flow(clinic);
  }
  return clinic;
}

async function people(clinic: NotesClinic): Promise<void> {
  const { admin } = clinic;
  const { client_id } = await askRpc("save_client", admin, {
    organization_id: clinic.id,
    full_name: `${MARK} the First`,
    given_name: MARK,
    family_name: `${MARK}son`,
    date_of_birth: VALUES.date_of_birth,
    sex: "F",
    address_line: `1 ${MARK} Street`,
    city: MARK,
    state: "OR",
    postal_code: VALUES.postal_code,
    phone: VALUES.phone,
    diagnosis_codes: [VALUES.diagnosis],
  });
  const [payer] = await sql`
    insert into public.payers (organization_id, name) values (${clinic.id}, 'A payer') returning id`;
  await askRpc("save_coverage", admin, {
    client_id,
    payer_id: payer?.id,
    starts_on: "2026-01-01",
    member_id: `${MARK}-1`,
    relationship_to_subscriber: "child",
    subscriber_given_name: MARK,
    subscriber_family_name: MARK,
    subscriber_date_of_birth: VALUES.subscriber_date_of_birth,
  });
  await askRpc("read_clients", admin, { organization_id: clinic.id, ids: [client_id] });
  await askRpc("read_clients", admin, { organization_id: clinic.id, search: MARK });
  await askPlain("archive_client", admin, { client: client_id });
  await askPlain("choose_organization", admin, { organization: clinic.id });
}

async function booking(clinic: NotesClinic): Promise<void> {
  const { scheduler, rosa, theo } = clinic;
  await ask("sessions-preview", scheduler, holdBody(clinic, time(40, 8)));
  await ask("sessions-availability", scheduler, {
    client_id: clinic.aspen,
    service_code: "97153",
    duration_minutes: 60,
    range_start: time(40, 8).start_time,
    range_end: time(40, 12).start_time,
    time_zone: TIME_ZONE,
  });
  const book = async (hour: number, changes: object = {}) => {
    const held = await ask("sessions-hold", scheduler, holdBody(clinic, time(40, hour), changes));
    const { session } = await ask("sessions-confirm", scheduler, { hold_key: held.hold_key });
    return session;
  };
  const one = await book(8);
  const other = await book(9, { client_id: clinic.birch });
  const { sessions } = await ask("sessions-reschedule", scheduler, {
    action: "move",
    ...later(one, time(40, 10)),
  });
  const [moved] = sessions;
  await ask("sessions-reschedule", scheduler, {
    action: "swap",
    session_id: moved?.id,
    version: moved?.version,
    other_session_id: other.id,
    other_version: other.version,
    exchange: "times",
  });
  await ask("sessions-reschedule", scheduler, {
    action: "substitute",
    therapist_id: rosa.id,
    substitute_id: theo.id,
    from: time(40, 0).start_time,
    to: time(41, 0).start_time,
  });
  await ask("sessions-cancel", scheduler, {
    session_ids: [one.id],
    cancelled_by: "clinic",
    reason: `${MARK} is ill`,
  });
  await askRpc("read_texts", scheduler, { organization_id: clinic.id, table: "sessions", ids: [one.id] });

  const series = await bookSeries(clinic, localTime(50, "09:00:00"), "FREQ=DAILY;COUNT=3");
  await ask("sessions-series", scheduler, {
    series_id: series.series_id,
    version: 2,
    time_zone: TIME_ZONE,
    ...wall(localTime(50, "10:00:00")),
    recurrence: { rule: "FREQ=DAILY;COUNT=3" },
  });
  const group = { client_id: undefined, client_ids: [clinic.aspen], service_code: "97154", capacity: 3 };
  const held = await hold(clinic, time(60, 9), group, scheduler);
  await confirm(scheduler, held.hold_key);
  const [row] = await sql`select group_id from public.sessions where id = ${held.holds[0]?.hold_key ?? ""}`;
  await ask("sessions-join", scheduler, { group_id: row?.group_id, client_id: clinic.birch });

  const day = time(62, 0).start_time.slice(0, 10);
  await ask("availability", scheduler, {
    action: "set_hours",
    therapist_id: theo.id,
    time_zone: TIME_ZONE,
    effective_from: day,
    effective_until: day,
    hours: [],
  });
  const off = { action: "add_exception", kind: "time_off", therapist_id: theo.id, time_zone: TIME_ZONE };
  const { exceptions } = await ask("availability", scheduler, {
    ...off,
    ...time(63, 9),
    note: `${MARK} is ill`,
  });
  await ask("availability", scheduler, {
    action: "cancel_exception",
    exception_id: exceptions[0]?.id,
  });
}

async function waiting(clinic: NotesClinic): Promise<void> {
  const { parent, scheduler } = clinic;
  const left = await ask("waitlist", scheduler, joinBody(clinic.birch));
  await ask("waitlist", scheduler, { action: "leave", waitlist_entry_id: left.entry.id });
  await ask("waitlist", parent, joinBody(clinic.aspen));
  const { hold_key } = await hold(clinic, time(70, 18), { client_id: clinic.birch }, scheduler);
  const { session } = await confirm(scheduler, hold_key);
  await cancel(scheduler, { session_ids: [session.id], cancelled_by: "clinic" });
  const offer = (await offersOf(clinic)).find(({ live }) => live);
  await ask("waitlist", parent, { action: "answer", hold_key: offer?.id, answer: "accept" });
}

async function visits(clinic: NotesClinic): Promise<void> {
  const { rosa, scheduler, admin } = clinic;
  const { latitude, longitude, accuracy_meters } = VALUES;
  const location = {
    method: "gps",
    latitude,
    longitude,
    accuracy_meters,
    device_id: MARK,
    place: MARK,
    reason: MARK,
  };
  const [done, missed] = [await bookPast(clinic, 9), await bookPast(clinic, 11)];
  await askRpc("list_no_show_candidates", scheduler, { organization_id: clinic.id });
  await askRpc("start_session", rosa.user, { session_id: done, actual_start_time: past(9), location });
  await askRpc("set_place_of_service", scheduler, { session_id: done, place_of_service: "12" });
  const { sessions } = await askRpc("complete_session", rosa.user, {
    session_id: done,
    actual_end_time: past(10),
    location,
  });
  await askRpc("mark_no_show", rosa.user, { session_id: missed, reason: `${MARK} did not come` });
  await askRpc("correct_attendance", admin, {
    session_id: done,
    version: sessions[0]?.version,
    status: "no_show",
    reason: `${MARK} was not there`,
  });
  const [from, to] = [time(-5, 0).start_time, time(0, 0).start_time];
  await askRpc("evv_records", scheduler, { organization_id: clinic.id, from, to });
}

async function units(clinic: NotesClinic): Promise<void> {
  const { admin, scheduler } = clinic;
  const client = await createClient(clinic.id);
  await sql`
    insert into public.care_team_assignments (organization_id, therapist_id, client_id, team_role, starts_on)
    values (${clinic.id}, ${clinic.rosa.id}, ${client}, 'therapist', current_date - 30)`;
  const payer = await cover(clinic, client);
  const { authorization_id } = await askRpc("save_authorization", admin, {
    client_id: client,
    payer_id: payer,
    authorization_number: `${MARK}-7`,
    cpt_codes: ["97153"],
    starts_on: "2026-01-01",
    ends_on: time(300, 0).start_time.slice(0, 10),
    units: 2,
  });
  const { hold_key } = await ask("sessions-hold", admin, {
    ...holdBody(clinic, time(80, 9, 540), { client_id: client }),
    authorization_override: { reason: `${MARK} is in a crisis` },
  });
  const { session } = await ask("sessions-confirm", admin, { hold_key });
  await askRpc("override_mue", admin, {
    session_id: session.id,
    reason: `${MARK} needs it`,
  });
  await askRpc("read_authorizations", scheduler, { client_id: client });
  await askRpc("read_authorization_alerts", scheduler, { organization_id: clinic.id });
  await askRpc("close_authorization", admin, { authorization_id });
  await authorize(clinic, clinic.birch, { units: 1000 });
}

async function notes(clinic: NotesClinic): Promise<void> {
  const { rosa, bea, parent, admin, otherAdmin } = clinic;
  const write = async (kind: string): Promise<string> => {
    const body = {
      action: "save",
      kind,
      version: 0,
      session_id: clinic.session,
      text: `${NOTE_MARK} ${kind}`,
    };
    const { note } = await ask("session-notes", rosa.user, body);
    return note.id;
  };
  const act = (user: User, action: string, note_id: string) =>
    ask("session-notes", user, {
      action,
      note_id,
      ...(action === "sign" || action === "cosign" ? { version: 1 } : {}),
    });
  const note = await write("session");
  await act(rosa.user, "sign", note);
  await askRpc("find_notes_to_cosign", bea.user, { organization_id: clinic.id });
  await act(bea.user, "cosign", note);
  await act(rosa.user, "read", note);
  const summary = await write("summary");
  await act(rosa.user, "sign", summary);
  await act(bea.user, "cosign", summary);
  await act(bea.user, "release_summary", summary);
  await ask("session-notes", parent, { action: "read", session_id: clinic.session });
  const addendum = await save(
    rosa.user,
    { kind: "addendum", addends_note_id: note },
    `${NOTE_MARK} addendum`,
  );
  await askRpc("report_unreadable_note", rosa.user, { note_id: addendum.id, reason: "key_wrong" });
  const erased = await createClient(clinic.id);
  await sql`
    insert into public.care_team_assignments (organization_id, therapist_id, client_id, team_role, starts_on)
    values (${clinic.id}, ${rosa.id}, ${erased}, 'therapist', current_date - 30)`;
  const { hold_key } = await hold(clinic, time(33, 16), { client_id: erased }, clinic.scheduler);
  const { session } = await confirm(clinic.scheduler, hold_key);
  await save(rosa.user, { session_id: session.id }, `${NOTE_MARK} erased`);
  for (const user of [admin, otherAdmin]) await askRpc("destroy_client_key", user, { client_id: erased });
}

async function consents(clinic: NotesClinic): Promise<void> {
  const { id: form_id } = await publishForm(clinic);
  const { signature_id } = await askRpc("sign_consent", clinic.parent, {
    client_id: clinic.aspen,
    form_id,
    typed_name: `${MARK} Parent`,
  });
  await askRpc("read_consents", clinic.parent, { client_id: clinic.aspen });
  await askRpc("terminate_consent", clinic.parent, { signature_id, reason: `${MARK} moved away` });
}

async function documents(clinic: NotesClinic): Promise<void> {
  const { admin } = clinic;
  const file = new Blob([`%PDF-1.7 ${FILE_MARK}`], { type: "application/pdf" });
  const announced = await announce(clinic, admin, {
    title: `${MARK}: an assessment`,
    file_name: `${MARK}.pdf`,
    size_bytes: file.size,
  });
  const document_id = announced.document.id;
  expect((await put(announced, file)).error).toBeNull();
  await ask("documents", admin, { action: "finish", document_id });
  await ask("documents", admin, { action: "list", client_id: clinic.aspen });
  const { url } = await ask("documents", admin, { action: "read", document_id });
  expect(await (await fetch(url)).text()).toContain(FILE_MARK);
  await ask("documents", admin, { action: "delete", document_id, reason: `${MARK} asked for it` });
}

async function partners(clinic: NotesClinic): Promise<void> {
  const account = await create(clinic);
  const { token } = await rotate(clinic, account);
  await expectData(await sync(token, { operation: "enrol", reference: "case/1" }, sent()), 200);
  await expectData(await sync(token, { operation: "schedule" }, sent()), 200);
  await askPlain("list_service_account_tokens", clinic.admin, { account: account.account_id });
  await rpc(clinic.admin, "revoke_service_account", { account: account.account_id });
}

async function calendars(clinic: NotesClinic): Promise<void> {
  const { token } = await askRpc("create_calendar_feed", clinic.rosa.user, { organization_id: clinic.id });
  expect(await (await fetch(calendarFeedUrl(stack.url, token))).text()).toContain("BEGIN:VEVENT");
  const { feeds } = await askRpc("read_calendar_feeds", clinic.rosa.user, { organization_id: clinic.id });
  await askRpc("revoke_calendar_feed", clinic.rosa.user, { feed_id: feeds[0]?.feed_id });
}

async function oversight(clinic: NotesClinic): Promise<void> {
  const { admin } = clinic;
  const operator = await createUser();
  await sql`insert into public.user_roles (user_id, role) values (${operator.id}, 'super_admin')`;
  const client = await operator.client();
  await sql`update auth.sessions set aal = 'aal2' where user_id = ${operator.id}`;
  await client.auth.refreshSession();
  await askPlain("break_glass", operator, { organization: clinic.id, reason: `${MARK} cannot be reached` });
  const { alerts } = await askRpc("read_access_alerts", admin, { organization_id: clinic.id });
  await askRpc("acknowledge_alert", admin, {
    alert_id: alerts[0]?.id,
    reason: `${MARK} was reached`,
  });
  await askRpc("client_access_report", admin, { client_id: clinic.aspen });
  expect((await fetch(`${stack.url}/functions/v1/health`)).status).toBe(200);
  const due = { organization_id: clinic.id };
  await expectData(await call("webhooks-deliver", null, due, { ...sent(), apikey: stack.secretKey }), 200);
  await expectData(await call("insights-send", null, due, { ...sent(), apikey: stack.secretKey }), 200);
  for (const list of ["list_audit_events", "list_denied_attempts"]) {
    await askPlain(list, admin, { organization: clinic.id });
  }
}

/** First of all, so that there is an endpoint for whatever happens then. */
async function hooks(clinic: NotesClinic): Promise<void> {
  const { admin } = clinic;
  const organization_id = clinic.id;
  const url = "https://hooks.example.com/holdfast";
  const { endpoint_id } = await askRpc("save_webhook_endpoint", admin, { organization_id, url });
  await askRpc("save_insights", admin, { organization_id, enabled: true });
  await askRpc("read_insights", admin, { organization_id });
  for (const name of [
    "rotate_webhook_secret",
    "read_webhook_endpoints",
    "read_webhook_deliveries",
    "replay_webhook_deliveries",
  ]) {
    await askRpc(name, admin, { organization_id, endpoint_id });
  }
}

/** In a clinic of its own, whose claims lack nothing. */
async function billing(): Promise<void> {
  const clinic = await createBillingClinic();
  const { scheduler } = clinic;
  const sent = async (daysAgo: number) => {
    const { cases } = await askRpc("attach_sessions", scheduler, {
      session_ids: [await deliver(clinic, { daysAgo })],
    });
    const case_id = cases[0]?.case_id;
    const { batch_id } = await askRpc("create_billing_batch", scheduler, {
      case_ids: [case_id],
      usage: "production",
    });
    await askRpc("read_billing_batch", scheduler, { batch_id });
    await askRpc("export_billing_batch", scheduler, { batch_id, claims: 1 });
    return case_id;
  };
  const wrong = await sent(3);
  await askRpc("void_case", scheduler, { case_id: wrong });
  await askRpc("rebill_case", scheduler, { case_id: wrong, action: "take_back", payer_claim_number: MARK });
  await askRpc("settle_case", scheduler, { case_id: await sent(4), status: "paid" });

  const day = (daysAgo: number) => new Date(Date.now() - daysAgo * 86_400_000).toISOString().slice(0, 10);
  const organization_id = clinic.id;
  for (const name of [
    "read_attendance",
    "read_authorization_units",
    "read_cancellations",
    "read_missing_notes",
    "read_unbilled_sessions",
    "read_utilization",
  ]) {
    await askRpc(name, scheduler, { organization_id, from: day(30), to: day(0) });
  }
  await askRpc("supervision_months", scheduler, { organization_id, month: day(0).slice(0, 7) });
}
