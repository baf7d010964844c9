// The subject access report over real HTTP: what each kind of reader leaves in it, who gets it, and what of it.

import { beforeEach, describe, expect, it } from "vitest";
import {
  type AccessEntry,
  acknowledgeAlert,
  getAccessReport,
  HoldfastError,
  listAccessAlerts,
  listConsents,
} from "../../../src/lib/index.ts";
import { type Clinic, createClinic, createUser, type User } from "../support/clinic.ts";
import { callRest } from "../support/consents.ts";
import { sql } from "../support/stack.ts";
import { createFamily } from "../support/waitlist.ts";

let clinic: Clinic;
let parent: User;
beforeEach(async () => {
  clinic = await createClinic();
  parent = await createFamily(clinic, clinic.aspen);
});

const report = async (user: User, request: object = {}) =>
  getAccessReport(await user.client(), { clientId: clinic.aspen, ...request });
const problemOf = (attempt: Promise<unknown>) =>
  attempt.then(
    () => undefined,
    (error: unknown) => (error instanceof HoldfastError ? error.problem : error),
  );
const short = ({ action, decision, code }: AccessEntry) => [action, decision, code].filter(Boolean).join(" ");

describe("the subject access report", () => {
  it("has who read the record and who was refused, newest first, and the report itself from then on", async () => {
    await listConsents(await parent.client(), { clientId: clinic.aspen });
    await problemOf(listConsents(await clinic.rosa.user.client(), { clientId: clinic.aspen }));
    const stranger = (await createClinic()).admin;
    await problemOf(listConsents(await stranger.client(), { clientId: clinic.aspen }));

    const first = await report(clinic.admin);
    expect(first.entries.map(short)).toEqual([
      "rpc.read_consents deny not_found",
      "rpc.read_consents deny forbidden",
      "consent.read allow",
    ]);
    expect(first.entries.map(({ actorId, roles, isSelf }) => [actorId, roles, isSelf])).toEqual([
      [stranger.id, [], false],
      [clinic.rosa.user.id, ["therapist"], false],
      [parent.id, ["client"], false],
    ]);
    const second = await report(clinic.admin);
    expect(short(second.entries[0] as AccessEntry)).toBe("access_report.read allow");
    expect(second.entries[0]).toMatchObject({ actorId: clinic.admin.id, isSelf: true, record: "clients" });
    expect(second.entries.slice(1)).toEqual(first.entries);
    expect((await getAccessReport(await clinic.admin.client(), { clientId: clinic.birch })).entries).toEqual(
      [],
    );
  });

  it("tells admins the login, address and browser; the family the role, the therapist's name and the network", async () => {
    await callRest(
      "read_consents",
      clinic.rosa.user,
      { request: { client_id: clinic.aspen } },
      {
        headers: { "cf-connecting-ip": "203.0.113.77", "user-agent": "Browser" },
      },
    );
    const [row] = await sql`
      select host(ip) as ip, user_agent from audit.events
      where organization_id = ${clinic.id} and client_id = ${clinic.aspen}`;
    const [toAdmin] = (await report(clinic.admin)).entries;
    expect(toAdmin).toMatchObject({
      actorId: clinic.rosa.user.id,
      therapistName: "A therapist",
      address: row?.ip,
      userAgent: "Browser",
    });
    expect(toAdmin?.address).toMatch(/^[\d.]+$/);
    const toFamily = (await report(parent)).entries.find(({ decision }) => decision === "deny");
    expect(toFamily).toEqual({
      at: toAdmin?.at,
      action: "rpc.read_consents",
      record: "consent_signatures",
      decision: "deny",
      code: "forbidden",
      isSelf: false,
      roles: ["therapist"],
      therapistName: "A therapist",
      address: toAdmin?.address?.replace(/\d+$/, "0/24"),
    });
  });

  it("has a refused reach for a document of the client also where the request names another client beside it", async () => {
    const sibling = await createFamily(clinic, clinic.birch);
    const [document] = await sql`
      insert into public.documents (organization_id, client_id, kind, title, file_name, content_type, size_bytes)
      values (${clinic.id}, ${clinic.aspen}, 'plan', 'Plan', 'plan.pdf', 'application/pdf', 1)
      returning id`;
    const request = { document_id: document?.id, client_id: clinic.birch, note_id: "none" };
    const { body } = await callRest("read_document", sibling, { request });
    expect(body.problem?.code).toBe("not_found");
    expect((await report(clinic.admin)).entries.map(short)).toEqual(["rpc.read_document deny not_found"]);
  });

  it("is for admins and the family alone; to others the client is what it was", async () => {
    const sibling = await createFamily(clinic, clinic.birch);
    const elsewhere = (await createClinic()).admin;
    const readers = [
      clinic.rosa.user,
      clinic.theo.user,
      clinic.scheduler,
      sibling,
      elsewhere,
      await createUser(),
    ];
    const codes = await Promise.all(
      readers.map(async (user) => ((await problemOf(report(user))) as { code: string } | undefined)?.code),
    );
    expect(codes).toEqual(["forbidden", "forbidden", "forbidden", "not_found", "not_found", "not_found"]);
    expect(await problemOf(report(clinic.admin))).toBeUndefined();
    expect(await problemOf(report(parent))).toBeUndefined();
    await sql`
      update public.client_guardians set ends_on = current_date - 2
      where client_id = ${clinic.aspen} and user_id = ${parent.id}`;
    expect(await problemOf(report(parent))).toMatchObject({ code: "not_found" });
  });

  it("pages without losing or repeating an entry, and keeps to a time", async () => {
    for (let n = 0; n < 5; n++) await report(parent);
    const { entries: all, next: end } = await report(clinic.admin);
    expect([all.length, end]).toEqual([5, null]);
    const paged: AccessEntry[] = [];
    let after: number | undefined;
    do {
      const page = await report(clinic.admin, { limit: 2, ...(after && { after }) });
      paged.push(...page.entries);
      after = page.next ?? undefined;
    } while (after);
    // The reading itself is in every later page's report, but never in a page that is further on.
    expect(paged.filter(({ actorId }) => actorId === parent.id)).toEqual(all);
    const [from, to] = [all[3]?.at as string, all[1]?.at as string];
    expect((await report(clinic.admin, { from, to })).entries).toEqual([all[2], all[3]]);
  });

  it.each([
    ["limit", { limit: 0 }],
    ["limit", { limit: 201 }],
    ["limit", { limit: 1.5 }],
    ["after", { after: -1 }],
    ["after", { after: "x" }],
    ["to", { from: "2026-02-02T00:00:00Z", to: "2026-02-02T00:00:00Z" }],
  ])("refuses an impossible %s with 422, naming it", async (field, change) => {
    const request = { client_id: clinic.aspen, ...change };
    const { body } = await callRest("client_access_report", clinic.admin, { request });
    expect(body.problem).toMatchObject({ code: "validation_failed", errors: [{ field }] });
  });

  it("does not come from a header that somebody else can write", async () => {
    await callRest(
      "read_consents",
      parent,
      { request: { client_id: clinic.aspen } },
      {
        headers: { "x-forwarded-for": "198.51.100.66", "x-real-ip": "198.51.100.66" },
      },
    );
    const [entry] = (await report(clinic.admin)).entries;
    expect(entry?.address).toBe("127.0.0.1");
  });
});

describe("alerts", () => {
  const raise = (actor: User, hours: number) => sql`
    insert into public.access_alerts (organization_id, kind, actor_id, window_start, window_end, figures)
    select ${clinic.id}, 'off_hours', ${actor.id}, start, start + interval '1 day', '{"reads": 30, "clients": 4}'
    from (select now() - make_interval(hours => ${hours}) as start) day`;

  it("are listed newest first, page by page, and acknowledged with a reason", async () => {
    for (const hours of [1, 2, 3]) await raise(clinic.rosa.user, hours);
    const app = await clinic.admin.client();
    const request = { organizationId: clinic.id };
    const { alerts, next } = await listAccessAlerts(app, request);
    expect(next).toBeNull();
    expect(alerts).toHaveLength(3);
    expect(alerts[0]).toMatchObject({
      kind: "off_hours",
      actorId: clinic.rosa.user.id,
      figures: { reads: 30, clients: 4 },
      status: "open",
      acknowledgedAt: null,
    });
    const first = await listAccessAlerts(app, { ...request, limit: 2 });
    const second = await listAccessAlerts(app, { ...request, limit: 2, after: first.next as string });
    expect([...first.alerts, ...second.alerts]).toEqual(alerts);
    expect(second.next).toBeNull();

    const alertId = alerts[1]?.id as string;
    const done = await acknowledgeAlert(app, { alertId, reason: "On call that night" });
    expect(done).toMatchObject({ alertId, acknowledgedBy: clinic.admin.id, alreadyAcknowledged: false });
    const { alerts: acknowledged } = await listAccessAlerts(app, { ...request, status: "acknowledged" });
    expect(acknowledged).toMatchObject([{ id: alertId, acknowledgedReason: "On call that night" }]);
    expect((await listAccessAlerts(app, { ...request, status: "open" })).alerts).toHaveLength(2);
  });

  it("are for admins of the organization alone", async () => {
    await raise(clinic.rosa.user, 1);
    const [alert] = await sql`select id from public.access_alerts where organization_id = ${clinic.id}`;
    const elsewhere = (await createClinic()).admin;
    for (const user of [clinic.rosa.user, clinic.scheduler, parent, elsewhere]) {
      const app = await user.client();
      const code = user === elsewhere ? "not_found" : "forbidden";
      expect(await problemOf(listAccessAlerts(app, { organizationId: clinic.id }))).toMatchObject({ code });
      const attempt = acknowledgeAlert(app, { alertId: alert?.id, reason: "Mine" });
      expect(await problemOf(attempt)).toMatchObject({ code });
    }
  });

  it("about an admin are another admin's to acknowledge, as long as there is one", async () => {
    await raise(clinic.admin, 1);
    const [alert] = await sql`select id from public.access_alerts where organization_id = ${clinic.id}`;
    const request = { alertId: alert?.id, reason: "It was me" };
    const other = await createUser("admin", clinic.id);
    expect(await problemOf(acknowledgeAlert(await clinic.admin.client(), request))).toMatchObject({
      code: "forbidden",
    });
    await sql`update public.user_roles set revoked_at = now() where user_id = ${other.id}`;
    expect(await problemOf(acknowledgeAlert(await clinic.admin.client(), request))).toBeUndefined();
  });
});
