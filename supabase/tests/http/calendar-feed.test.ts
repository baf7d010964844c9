// Calendar feeds over real HTTP, as a calendar app asks: by an address and nothing else. What it is given is read by a
// reader of RFC 5545 that is not ours (support/icalendar.ts).

import { createHash, randomBytes } from "node:crypto";
import { beforeEach, describe, expect, it } from "vitest";
import { startFunctions } from "../../../scripts/stack/functions.ts";
import {
  calendarFeedUrl,
  createCalendarFeed,
  HoldfastError,
  listCalendarFeeds,
  revokeCalendarFeed,
} from "../../../src/lib/index.ts";
import { call, cancel, confirm, expectData, expectProblem, hold, time } from "../support/calls.ts";
import { type Clinic, createClinic, TIME_ZONE, type User } from "../support/clinic.ts";
import { readCalendar } from "../support/icalendar.ts";
import { expectLedgerIsSound, sql, stack } from "../support/stack.ts";
import { createFamily } from "../support/waitlist.ts";

let clinic: Clinic;
beforeEach(async () => {
  clinic = await createClinic();
});

async function feedOf(user: User, request: { clientId?: string; expiresAt?: string } = {}) {
  const whose = request.clientId ? {} : { organizationId: clinic.id };
  const feed = await createCalendarFeed(await user.client(), { ...whose, ...request });
  return { ...feed, url: calendarFeedUrl(stack.url, feed.token) };
}

async function book(day: number, hour: number, changes: object = {}) {
  const { hold_key } = await hold(clinic, time(day, hour), changes, clinic.scheduler);
  return (await confirm(clinic.scheduler, hold_key)).session;
}

const read = async (url: string) => readCalendar(await (await fetch(url)).text()).events;
const utc = (moment: string) => new Date(moment).toISOString().replace(/\.\d+/, "");
const problemOf = (attempt: Promise<unknown>) =>
  attempt.then(
    () => undefined,
    (error: unknown) => (error instanceof HoldfastError ? error.problem : error),
  );

describe("a feed of one's own schedule", () => {
  it("is iCalendar with when, and no name of anybody or anything", async () => {
    const session = await book(3, 16);
    const { url } = await feedOf(clinic.rosa.user);
    const response = await fetch(url);
    expect(response.status).toBe(200);
    expect(Object.fromEntries(response.headers)).toMatchObject({
      "content-type": "text/calendar; charset=utf-8",
      "cache-control": "private, no-cache",
      etag: expect.stringMatching(/^"[0-9a-f]{64}"$/),
      "referrer-policy": "no-referrer",
      "x-content-type-options": "nosniff",
    });
    const source = await response.text();
    expect(source).not.toMatch(/A client|A therapist|therapy|Clinic|97153/);
    expect(readCalendar(source).events).toEqual([
      {
        uid: session.id,
        dtstamp: expect.any(String),
        "last-modified": expect.any(String),
        sequence: "0",
        dtstart: utc(session.start_time),
        dtend: utc(session.end_time),
        summary: "Session",
        status: "CONFIRMED",
        transp: "OPAQUE",
        class: "PRIVATE",
      },
    ]);
  });

  it("follows a session that moves and is cancelled, under one UID and with a higher sequence each time", async () => {
    const session = await book(3, 16);
    const { url } = await feedOf(clinic.rosa.user);
    const [booked] = await read(url);
    await expectData(
      await call("sessions-reschedule", clinic.scheduler, {
        action: "move",
        session_id: session.id,
        version: session.version,
        ...time(3, 19),
        time_zone: TIME_ZONE,
      }),
      200,
    );
    const [moved] = await read(url);
    await cancel(clinic.scheduler, { session_ids: [session.id], cancelled_by: "clinic" });
    const [cancelled] = await read(url);

    const events = [booked, moved, cancelled];
    expect(events.map((event) => event?.uid)).toEqual([session.id, session.id, session.id]);
    expect(events.map((event) => event?.status)).toEqual(["CONFIRMED", "CONFIRMED", "CANCELLED"]);
    expect(moved?.dtstart).toBe(utc(time(3, 19).start_time));
    expect(cancelled?.dtstart).toBe(moved?.dtstart);
    const sequences = events.map((event) => Number(event?.sequence));
    expect(sequences).toEqual([...new Set(sequences)].sort((a, b) => a - b));
    await expectLedgerIsSound();
  });
});

describe("a family's feed", () => {
  it("has the child's sessions and not another child's, and no name", async () => {
    const parent = await createFamily(clinic, clinic.aspen);
    const session = await book(3, 16);
    await book(3, 18, { client_id: clinic.birch });
    const { url } = await feedOf(parent, { clientId: clinic.aspen });
    expect((await read(url)).map(({ uid, summary }) => [uid, summary])).toEqual([[session.id, "Session"]]);
    expect(await problemOf(feedOf(parent, { clientId: clinic.birch }))).toMatchObject({ code: "not_found" });
  });

  it("ends with the guardianship", async () => {
    const parent = await createFamily(clinic, clinic.aspen);
    const { url } = await feedOf(parent, { clientId: clinic.aspen });
    expect((await fetch(url)).status).toBe(200);
    await sql`update public.client_guardians set ends_on = current_date - 2 where user_id = ${parent.id}`;
    await expectProblem(await fetch(url), "not_found");
  });
});

describe("an app that asks again", () => {
  it("is told 304 until something changes, by HEAD as by GET", async () => {
    const session = await book(3, 16);
    const { url } = await feedOf(clinic.rosa.user);
    const etag = (await fetch(url)).headers.get("etag") ?? "";
    for (const known of [etag, `W/${etag}`, `"other", ${etag}`]) {
      const again = await fetch(url, { headers: { "If-None-Match": known } });
      expect([again.status, again.headers.get("etag"), await again.text()]).toEqual([304, etag, ""]);
    }
    const head = await fetch(url, { method: "HEAD" });
    expect([head.status, head.headers.get("etag"), await head.text()]).toEqual([200, etag, ""]);
    expect((await fetch(url, { method: "HEAD", headers: { "If-None-Match": etag } })).status).toBe(304);

    await cancel(clinic.scheduler, { session_ids: [session.id], cancelled_by: "clinic" });
    const changed = await fetch(url, { headers: { "If-None-Match": etag } });
    expect(changed.status).toBe(200);
    expect(changed.headers.get("etag")).not.toBe(etag);
    await changed.text();
  });

  it("is told to wait when it asks too often, and it alone", async () => {
    const [feed, other] = [await feedOf(clinic.rosa.user), await feedOf(clinic.rosa.user)];
    await sql`update public.organizations set calls_per_minute = 1 where id = ${clinic.id}`;
    // Three fall into two minutes at most, so two of them into one.
    const answers = await Promise.all([1, 2, 3].map(() => fetch(feed.url)));
    const [refused] = answers.filter(({ status }) => status !== 200);
    expect(Number(refused?.headers.get("retry-after"))).toBeGreaterThan(0);
    await expectProblem(refused as Response, "rate_limited");
    expect((await fetch(other.url)).status).toBe(200);
  });
});

describe("an address that does not count", () => {
  it("gets one and the same answer, whatever the reason", async () => {
    const revoked = await feedOf(clinic.rosa.user);
    const mine = await clinic.rosa.user.client();
    const first = await revokeCalendarFeed(mine, { feedId: revoked.feedId });
    expect(await revokeCalendarFeed(mine, { feedId: revoked.feedId })).toEqual(first);
    const ended = await feedOf(clinic.theo.user);
    await sql`update public.user_roles set expires_at = now() where user_id = ${clinic.theo.user.id}`;
    const expired = await feedOf(clinic.rosa.user);
    await sql`
      update app.calendar_feeds set created_at = now() - interval '1 hour', expires_at = now()
      where id = ${expired.feedId}`;
    const unknown = calendarFeedUrl(stack.url, `hfc_${randomBytes(32).toString("base64url")}`);
    const answers = await Promise.all(
      [revoked.url, ended.url, expired.url, unknown].map(async (url) => {
        const response = await fetch(url);
        const headers = Object.fromEntries(response.headers);
        delete headers["x-request-id"];
        delete headers.date;
        return [response.status, headers, await response.text()];
      }),
    );
    expect(answers[0]?.[0]).toBe(404);
    expect(answers[1]).toEqual(answers[0]);
    expect(answers[2]).toEqual(answers[0]);
    expect(answers[3]).toEqual(answers[0]);
  });

  it.each([
    ["no token", ""],
    ["a token of another kind", `/hf_${"a".repeat(43)}.ics`],
    ["a token too long", `/hfc_${"a".repeat(44)}.ics`],
    ["something like SQL", "/hfc_'%20or%20true--.ics"],
    ["half an escape", "/%E0%A4%A.ics"],
  ])("is refused with %s", async (_, path) => {
    await expectProblem(await fetch(`${stack.url}/functions/v1/calendar-feed${path}`), "not_found");
  });

  it("takes a token in the path only, and no other method than GET and HEAD", async () => {
    const { url, token } = await feedOf(clinic.rosa.user);
    const bare = `${stack.url}/functions/v1/calendar-feed`;
    await expectProblem(await fetch(bare, { headers: { authorization: `Bearer ${token}` } }), "not_found");
    await expectProblem(await fetch(`${bare}?token=${token}`), "not_found");
    const posted = await fetch(url, { method: "POST", body: "{}" });
    expect(posted.headers.get("allow")).toBe("GET, HEAD, OPTIONS");
    await expectProblem(posted, "method_not_allowed");
    expect((await fetch(url.replace(/\.ics$/, ""))).status).toBe(200);
  });

  it("opens nothing else: not the RPCs of its owner, not the partners' function", async () => {
    const { token } = await feedOf(clinic.rosa.user);
    const rest = await fetch(`${stack.url}/rest/v1/sessions?select=id`, {
      headers: { apikey: stack.publishableKey, authorization: `Bearer ${token}` },
    });
    expect(rest.status).toBe(401);
    const partner = await fetch(`${stack.url}/functions/v1/partner-sync`, {
      method: "POST",
      headers: { authorization: `Bearer ${token}`, "content-type": "application/json" },
      body: "{}",
    });
    expect(partner.status).toBe(401);
  });
});

describe("the question that a token opens", () => {
  it("is asked by functions only, also by who knows a token's hash", async () => {
    const { token } = await feedOf(clinic.rosa.user);
    const hash = createHash("sha256").update(token).digest("hex");
    const asked = (key: string, bearer?: string) =>
      fetch(`${stack.url}/rest/v1/rpc/read_calendar`, {
        method: "POST",
        headers: {
          apikey: key,
          "content-type": "application/json",
          ...(bearer && { authorization: `Bearer ${bearer}` }),
        },
        body: JSON.stringify({ request: { token_hash: hash } }),
      });
    const refused = [
      await asked(stack.publishableKey),
      await asked(stack.publishableKey, await clinic.rosa.user.token()),
      await asked(stack.publishableKey, await clinic.admin.token()),
    ];
    for (const response of refused) {
      expect([401, 403]).toContain(response.status);
      expect(await response.json()).toMatchObject({ code: "42501" });
    }
    expect(await (await asked(stack.secretKey)).json()).toHaveProperty("data.events");
  });
});

describe("the address of a feed", () => {
  it.runIf(stack.functionsEnv)(
    "is in no log line and no answer, also when everything goes wrong",
    async () => {
      const { token } = await feedOf(clinic.rosa.user);
      const told = async (env: Record<string, string>) => {
        const lines: string[] = [];
        const host = await startFunctions({ ...stack.functionsEnv, ...env }, (line) => void lines.push(line));
        try {
          const response = await fetch(`${host.url}/calendar-feed/${token}.ics`);
          lines.push(JSON.stringify([...response.headers]), await response.text());
        } finally {
          await host.stop();
        }
        return lines.join("\n");
      };
      const answers = [
        await told({}),
        await told({ SUPABASE_URL: "http://127.0.0.1:9" }),
        await told({ SUPABASE_SECRET_KEYS: "{}" }),
      ];
      expect(answers[0]).toContain("BEGIN:VCALENDAR");
      expect(answers[1]).toContain('"code":"unavailable"');
      expect(answers[2]).toContain('"code":"internal_error"');
      for (const text of answers) expect(text).not.toContain(token.slice(4));
    },
  );
});

describe("feeds", () => {
  it("are listed a page at a time, without their tokens; an admin sees and ends everybody's", async () => {
    const made = [
      await feedOf(clinic.rosa.user),
      await feedOf(clinic.rosa.user),
      await feedOf(clinic.theo.user),
    ];
    const admin = await clinic.admin.client();
    const first = await listCalendarFeeds(admin, { organizationId: clinic.id, limit: 2 });
    const rest = await listCalendarFeeds(admin, {
      organizationId: clinic.id,
      limit: 2,
      after: first.next ?? "",
    });
    const listed = [...first.feeds, ...rest.feeds];
    expect(rest.next).toBeNull();
    expect(listed.map(({ feedId }) => feedId)).toEqual(made.map(({ feedId }) => feedId).sort());
    for (const { token } of made) expect(JSON.stringify([first, rest])).not.toContain(token);
    const own = await listCalendarFeeds(await clinic.theo.user.client(), { organizationId: clinic.id });
    expect(own.feeds.map(({ feedId, lastUsedAt }) => [feedId, lastUsedAt])).toEqual([
      [made[2]?.feedId, null],
    ]);

    await revokeCalendarFeed(admin, { feedId: made[2]?.feedId ?? "" });
    await expectProblem(await fetch(made[2]?.url ?? ""), "not_found");
  });

  it("are ten for each user at most, and revoking one makes room", async () => {
    const made = await Promise.all(Array.from({ length: 10 }, () => feedOf(clinic.rosa.user)));
    expect(await problemOf(feedOf(clinic.rosa.user))).toMatchObject({ code: "validation_failed" });
    await revokeCalendarFeed(await clinic.rosa.user.client(), { feedId: made[0]?.feedId ?? "" });
    expect((await feedOf(clinic.rosa.user)).token).toMatch(/^hfc_/);
  });

  it("do not repeat a token for an idempotency key, which would keep it", async () => {
    const mine = await clinic.rosa.user.client();
    const make = () => createCalendarFeed(mine, { organizationId: clinic.id }, { idempotencyKey: "again" });
    const [first, second] = [await make(), await make()];
    expect(second.token).not.toBe(first.token);
    const [{ kept }] = await sql<[{ kept: number }]>`
      select count(*)::integer as kept from public.idempotency_keys where user_id = ${clinic.rosa.user.id}`;
    expect(kept).toBe(0);
  });
});
