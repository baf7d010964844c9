import { randomUUID } from "node:crypto";
import { beforeAll, describe, expect, it } from "vitest";
import { MAX_REFERRALS, type PartnerEnrolData, type PartnerScheduleData } from "../../../src/lib/partner.ts";
import { cancel, expectData, expectProblem } from "../support/calls.ts";
import { type Clinic, createClinic } from "../support/clinic.ts";
import {
  accept,
  book,
  create,
  DAY_MS,
  enrol,
  events,
  referralsOf,
  refused,
  rotate,
  rpc,
  schedule,
  sync,
} from "../support/partner.ts";
import { sql, stack } from "../support/stack.ts";

let clinic: Clinic;
let elsewhere: Clinic;
beforeAll(async () => {
  [clinic, elsewhere] = await Promise.all([createClinic(), createClinic()]);
});

describe("a partner that enrols", () => {
  it("makes a referral in the name of its account, once for each reference", async () => {
    const account = await create(clinic);
    const reference = `case/${randomUUID()}`;
    expect(await enrol(account.token, reference)).toEqual({ reference, status: "submitted", created: true });
    expect(await enrol(account.token, reference)).toEqual({ reference, status: "submitted", created: false });
    const rows = (await referralsOf(clinic)).filter((row) => row.reference === reference);
    expect(rows).toEqual([
      { reference, status: "submitted", created_by: null, service_account_id: account.account_id },
    ]);
    const [row] = await sql`select id from public.referrals where reference = ${reference}`;
    const allowed = { action: "partner.enrol", decision: "allow", code: null, actor_id: null };
    expect(await events(clinic, account)).toEqual(
      [true, false].map((created) => ({
        ...allowed,
        table_name: "referrals",
        row_id: row?.id,
        details: { service_account_id: account.account_id, created },
      })),
    );
  });

  it("makes one referral also when 16 calls come at once", async () => {
    const account = await create(clinic);
    const reference = randomUUID();
    const answers = await Promise.all(Array.from({ length: 16 }, () => enrol(account.token, reference)));
    expect(answers.filter(({ created }) => created)).toHaveLength(1);
    expect((await referralsOf(clinic)).filter((row) => row.reference === reference)).toHaveLength(1);
  });

  it("is not in the way of a rotation, nor the rotation in its: neither waits for what the other has", async () => {
    const account = await create(clinic);
    const [rotating] = await sql.begin(async (enrolling) => {
      // What an enrolment locks first: its token's row; then, by the referral's foreign key, the account's.
      await enrolling`
        update public.service_account_tokens set last_used_at = now()
        where service_account_id = ${account.account_id}`;
      const rotation = rotate(clinic, account);
      for (let waiting = false; !waiting; ) {
        const [row] = await enrolling<[{ waiting: boolean }]>`
          select exists (
            select from pg_stat_activity where pg_backend_pid() = any (pg_blocking_pids(pid))) as waiting`;
        waiting = row.waiting;
      }
      await enrolling`
        insert into public.referrals (organization_id, service_account_id, reference)
        values (${clinic.id}, ${account.account_id}, ${randomUUID()})`;
      // In a list, so that the transaction does not wait for it.
      return [() => rotation];
    });
    await schedule((await rotating()).token);
  });

  it("does not meet another account's reference, nor a person's", async () => {
    const [one, two] = [await create(clinic), await create(clinic)];
    const reference = randomUUID();
    await sql`insert into public.referrals (organization_id, reference) values (${clinic.id}, ${reference})`;
    expect((await enrol(one.token, reference)).created).toBe(true);
    expect((await enrol(two.token, reference)).created).toBe(true);
    expect((await schedule(one.token)).referrals).toHaveLength(1);
  });

  it("gets the first success again for the same Idempotency-Key, and 422 for another request with it", async () => {
    const account = await create(clinic);
    const headers = { "idempotency-key": randomUUID() };
    const request = { operation: "enrol", reference: randomUUID() };
    const first = await sync(account.token, request, headers);
    const second = await sync(account.token, request, headers);
    expect([first.headers.get("idempotency-replayed"), second.headers.get("idempotency-replayed")]).toEqual([
      null,
      "true",
    ]);
    expect(await second.json()).toEqual(await first.json());
    const other = { ...request, reference: randomUUID() };
    await expectProblem(await sync(account.token, other, headers), "idempotency_key_reused");
    await expectProblem(
      await sync(account.token, other, { "idempotency-key": "not one" }),
      "idempotency_key_invalid",
    );
    // Another account's key is another key; and after 24 hours it is forgotten.
    await expectData(await sync((await create(clinic)).token, other, headers), 200);
    await sql`update app.partner_idempotency_keys set expires_at = now() where service_account_id = ${account.account_id}`;
    await expectData(await sync(account.token, other, headers), 200);
  });

  it("acts as the account although somebody is signed in beside it", async () => {
    const account = await create(clinic);
    const reference = randomUUID();
    const args = { token: account.token, request: { operation: "enrol", reference } };
    const { data, problem } = await rpc<PartnerEnrolData>(clinic.rosa.user, "partner_sync", args);
    expect(problem).toBeUndefined();
    expect(data?.created).toBe(true);
    const [row] =
      await sql`select created_by, updated_by from public.referrals where reference = ${reference}`;
    expect(row).toEqual({ created_by: null, updated_by: null });
    expect((await events(clinic, account)).map(({ actor_id }) => actor_id)).toEqual([null]);
  });
});

describe("a partner that reads the schedule", () => {
  it("takes the answer whole: a cast that fails would tell of it and leave no record", async () => {
    const account = await create(clinic);
    const reference = randomUUID();
    await enrol(account.token, reference);
    for (const answer of ["pgrst_scalar", "partner_sync"]) {
      const query = `select=pgrst_scalar:${answer}->data->>referrals::integer`;
      const response = await fetch(`${stack.url}/rest/v1/rpc/partner_sync?${query}`, {
        method: "POST",
        headers: { apikey: stack.publishableKey, "content-type": "application/json" },
        body: JSON.stringify({ token: account.token, request: { operation: "schedule" } }),
      });
      expect(await response.text()).not.toContain(reference);
    }
    expect((await events(clinic, account)).at(-1)).toMatchObject({
      action: "partner.schedule",
      decision: "deny",
    });
  });

  it("sees status and times of those it referred, and not a word more", async () => {
    const at = await createClinic();
    const account = await create(at);
    await enrol(account.token, "taken");
    await enrol(account.token, "waiting");
    await accept(at, "taken", at.aspen);
    const booked = await book(at, 20, 17);
    const moved = await book(at, 21, 17);
    await cancel(at.scheduler, {
      session_ids: [moved.id],
      cancelled_by: "clinic",
      reason: "A private reason",
    });
    await book(at, 20, 19, { client_id: at.birch });

    const response = await sync(account.token, { operation: "schedule" });
    const text = await response.text();
    const { data } = JSON.parse(text) as { data: PartnerScheduleData };
    const sessionOf = ({ start_time, end_time }: typeof booked, status: string) => ({
      start_time,
      end_time,
      time_zone: "America/Los_Angeles",
      status,
    });
    expect(data.referrals).toEqual([
      {
        reference: "taken",
        status: "accepted",
        client_status: "active",
        sessions: [sessionOf(booked, "scheduled"), sessionOf(moved, "cancelled")],
      },
      { reference: "waiting", status: "submitted", client_status: null, sessions: [] },
    ]);
    expect(Date.parse(data.to) - Date.parse(data.from)).toBe(92 * DAY_MS);
    expect(text).not.toMatch(/[0-9a-f]{8}-[0-9a-f]{4}-|A client|A therapist|private|Room|97153/);
    expect((await events(at, account)).at(-1)).toMatchObject({
      action: "partner.schedule",
      decision: "allow",
      table_name: "service_accounts",
      row_id: account.account_id,
      details: { service_account_id: account.account_id, referrals: 2 },
    });

    await sql`update public.referrals set status = 'declined', client_id = null where reference = 'taken' and organization_id = ${at.id}`;
    expect((await schedule(account.token, { reference: "taken" })).referrals).toEqual([
      { reference: "taken", status: "declined", client_status: null, sessions: [] },
    ]);
  });

  it("sees the sessions that start in the time it asks for, from included and to not", async () => {
    const at = await createClinic();
    const account = await create(at);
    await enrol(account.token, "one");
    await accept(at, "one", at.aspen);
    const [first, second] = [await book(at, 30, 17), await book(at, 31, 17)];
    const starts = async (from: string, to: string) =>
      (await schedule(account.token, { from, to })).referrals[0]?.sessions.map((it) => it.start_time);
    expect(await starts(first.start_time, second.start_time)).toEqual([first.start_time]);
    expect(await starts(first.end_time, second.end_time)).toEqual([second.start_time]);
    // 92 days to the second are not too many.
    const longest = { from: "2027-01-01T00:00:00-08:00", to: "2027-04-03T00:00:00-08:00" };
    expect((await schedule(account.token, longest)).referrals).toHaveLength(1);
  });

  it("pages through many referrals without losing one", async () => {
    const at = await createClinic();
    const account = await create(at);
    const references = Array.from({ length: 2 * MAX_REFERRALS + 1 }, (_, index) => `r${1000 + index}`);
    await sql`
      insert into public.referrals (organization_id, service_account_id, reference)
      select ${at.id}, ${account.account_id}, unnest(${references}::text[])`;
    const seen: string[] = [];
    let after: string | null = null;
    let calls = 0;
    do {
      const page = await schedule(account.token, after === null ? {} : { after });
      seen.push(...page.referrals.map(({ reference }) => reference));
      after = page.next;
      calls += 1;
    } while (after !== null && calls < 10);
    expect([seen, calls]).toEqual([references, 3]);
    await sql`delete from public.referrals where organization_id = ${at.id} and reference = ${references.at(-1) ?? ""}`;
    expect((await schedule(account.token, { after: references[MAX_REFERRALS - 1] })).next).toBeNull();
  });

  it("sees nothing of another account, of a person's referrals, or of another clinic", async () => {
    const at = await createClinic();
    const [mine, other, foreign] = [await create(at), await create(at), await create(elsewhere)];
    await enrol(mine.token, "mine");
    await accept(at, "mine", at.aspen);
    await sql`
      insert into public.referrals (organization_id, reference, status, client_id)
      values (${at.id}, 'by-a-person', 'accepted', ${at.birch})`;
    await book(at, 40, 17);
    for (const account of [other, foreign]) {
      expect((await schedule(account.token)).referrals).toEqual([]);
      await refused(account.token, { operation: "schedule", reference: "mine" }, "not_found");
    }
    await refused(mine.token, { operation: "schedule", reference: "by-a-person" }, "not_found");
    await enrol(foreign.token, "mine");
    expect((await schedule(foreign.token)).referrals).toEqual([
      { reference: "mine", status: "submitted", client_status: null, sessions: [] },
    ]);
    expect((await schedule(mine.token)).referrals[0]?.sessions).toHaveLength(1);
    // Not even an owner can tie an account to another clinic's referral or client.
    await expect(
      sql`update public.referrals set service_account_id = ${foreign.account_id} where reference = 'by-a-person' and organization_id = ${at.id}`,
    ).rejects.toMatchObject({ constraint_name: "referrals_service_account_fkey" });
  });
});
