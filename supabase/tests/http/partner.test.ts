import { createHash, randomUUID } from "node:crypto";
import { beforeAll, describe, expect, it } from "vitest";
import { startFunctions } from "../../../scripts/stack/index.ts";
import {
  MAX_REFERRALS,
  type PartnerEnrolData,
  type PartnerRequest,
  type PartnerScheduleData,
  partnerEnrolResponseSchema,
  partnerScheduleResponseSchema,
  SERVICE_SCOPES,
  type ServiceScope,
} from "../../../src/lib/partner.ts";
import { PROBLEMS, type ProblemCode } from "../../../src/lib/problems.ts";
import { call, cancel, confirm, expectData, expectProblem, hold, time } from "../support/calls.ts";
import { type Clinic, createClinic, createUser, type User } from "../support/clinic.ts";
import { connect, sql, stack } from "../support/stack.ts";

interface Account {
  account_id: string;
  token: string;
  token_expires_at: string;
}
type Answer<Data> = { data?: Data; replayed?: boolean; problem?: { code: ProblemCode; errors?: unknown } };

/** Every token that this file was given, to look for at its end. */
const issued: string[] = [];
const DAY_MS = 86_400_000;

let clinic: Clinic;
let elsewhere: Clinic;
beforeAll(async () => {
  [clinic, elsewhere] = await Promise.all([createClinic(), createClinic()]);
});

/** An RPC over REST, as a user or, without one, as anybody who has the publishable key. */
async function rpc<Data>(user: User | null, name: string, args: object): Promise<Answer<Data>> {
  const response = await fetch(`${stack.url}/rest/v1/rpc/${name}`, {
    method: "POST",
    headers: {
      apikey: stack.publishableKey,
      "content-type": "application/json",
      ...(user && { authorization: `Bearer ${await user.token()}` }),
    },
    body: JSON.stringify(args),
  });
  const body = (await response.json()) as Answer<Data> & { code?: ProblemCode };
  return response.ok ? body : { problem: { code: body.code as ProblemCode } };
}

async function create(
  at: Clinic,
  scopes: readonly ServiceScope[] = SERVICE_SCOPES,
  changes: object = {},
): Promise<Account> {
  const args = { organization: at.id, name: "Referring practice", scopes, ...changes };
  return kept(await rpc<Account>(at.admin, "create_service_account", args));
}

async function rotate(at: Clinic, account: Account, changes: object = {}): Promise<Account> {
  const args = { account: account.account_id, ...changes };
  return kept(await rpc<Account>(at.admin, "rotate_service_account_token", args));
}

function kept({ data, problem }: Answer<Account>): Account {
  if (!data) throw new Error(JSON.stringify(problem));
  issued.push(data.token);
  return data;
}

async function sync(token: string | null, body: unknown, headers: Record<string, string> = {}) {
  return fetch(`${stack.url}/functions/v1/partner-sync`, {
    method: "POST",
    headers: {
      "content-type": "application/json",
      ...(token !== null && { authorization: `Bearer ${token}` }),
      ...headers,
    },
    body: JSON.stringify(body),
  });
}

async function enrol(token: string, reference: string): Promise<PartnerEnrolData> {
  const data = await expectData<unknown>(await sync(token, { operation: "enrol", reference }), 200);
  return partnerEnrolResponseSchema.parse({ data }).data;
}

async function schedule(token: string, request: object = {}): Promise<PartnerScheduleData> {
  const data = await expectData<unknown>(await sync(token, { operation: "schedule", ...request }), 200);
  expect(Object.keys(data as object).sort()).toEqual(["from", "next", "referrals", "to"]);
  return partnerScheduleResponseSchema.parse({ data }).data;
}

/** The clinic takes the referral for one of its clients. */
async function accept(at: Clinic, reference: string, client: string): Promise<void> {
  const admin = await at.admin.client();
  const { error, data } = await admin
    .from("referrals")
    .update({ status: "accepted", client_id: client })
    .eq("reference", reference)
    .select("id");
  expect(error).toBeNull();
  expect(data).toHaveLength(1);
}

async function book(at: Clinic, day: number, hour: number, changes: object = {}) {
  const { hold_key } = await hold(at, time(day, hour), changes, at.scheduler);
  return (await confirm(at.scheduler, hold_key)).session;
}

const events = (at: Clinic | null, account: Account | null, action = "partner.%") => sql`
  select action, decision, code, table_name, row_id, actor_id, details
  from audit.events
  where organization_id is not distinct from ${at?.id ?? null}
    and action like ${action}
    and (${account?.account_id ?? null}::text is null
      or details ->> 'service_account_id' = ${account?.account_id ?? null})
  order by id`;

const referralsOf = (at: Clinic) => sql`
  select reference, status, created_by, service_account_id
  from public.referrals
  where organization_id = ${at.id} and service_account_id is not null
  order by reference`;

async function refused<Code extends ProblemCode>(token: string | null, request: unknown, code: Code) {
  return expectProblem(await sync(token, request), code);
}

async function accountsSeen(user: User, { account_id }: Account): Promise<unknown> {
  const response = await fetch(`${stack.url}/rest/v1/service_accounts?select=*&id=eq.${account_id}`, {
    headers: { apikey: stack.publishableKey, authorization: `Bearer ${await user.token()}` },
  });
  return response.json();
}

const ANYTHING: PartnerRequest = { operation: "schedule" };

describe("an admin", () => {
  it("creates an account and is shown its token once; kept are its hash and first characters", async () => {
    const before = Date.now();
    const account = await create(clinic, ["schedule:read", "schedule:read"], {
      name: "  Northside Pediatrics ",
    });
    expect(account.token).toMatch(/^hf_[A-Za-z0-9_-]{43}$/);
    const year = Date.parse(account.token_expires_at) - before;
    expect(year).toBeGreaterThan(364 * DAY_MS);
    expect(year).toBeLessThan(367 * DAY_MS);

    const [token] = await sql`
      select token_hash, prefix, last_used_at, revoked_at, created_by
      from public.service_account_tokens
      where service_account_id = ${account.account_id}`;
    expect(token).toEqual({
      token_hash: createHash("sha256").update(account.token).digest(),
      prefix: account.token.slice(0, 9),
      last_used_at: null,
      revoked_at: null,
      created_by: clinic.admin.id,
    });
    const [row] = await sql`
      select name, scopes, created_by from public.service_accounts where id = ${account.account_id}`;
    expect(row).toEqual({
      name: "Northside Pediatrics",
      scopes: ["schedule:read"],
      created_by: clinic.admin.id,
    });
    const recorded = await sql`
      select action, actor_id, details from audit.events where row_id = ${account.account_id}`;
    expect(recorded).toEqual([
      {
        action: "service_account.created",
        actor_id: clinic.admin.id,
        details: { scopes: ["schedule:read"] },
      },
    ]);
  });

  it("can let the account end by itself, and its token no later", async () => {
    const ends = new Date(Date.now() + 30 * DAY_MS).toISOString();
    const account = await create(clinic, SERVICE_SCOPES, { expires_at: ends });
    expect(Date.parse(account.token_expires_at)).toBe(Date.parse(ends));
    const rotated = await rotate(clinic, account);
    expect(Date.parse(rotated.token_expires_at)).toBe(Date.parse(ends));
  });

  it("is told what is wrong with an account that cannot be", async () => {
    const wrong: [object, string][] = [
      [{ name: "   " }, "name"],
      [{ name: null }, "name"],
      [{ name: "x".repeat(201) }, "name"],
      [{ name: "Two\nlines" }, "name"],
      [{ scopes: [] }, "scopes"],
      [{ scopes: null }, "scopes"],
      [{ scopes: [null] }, "scopes"],
      [{ scopes: ["schedule:read", "schedule:write"] }, "scopes"],
      [{ expires_at: new Date(Date.now() - 1000).toISOString() }, "expires_at"],
      [{ expires_at: "infinity" }, "expires_at"],
      [{ expires_at: "-infinity" }, "expires_at"],
    ];
    for (const [change, field] of wrong) {
      const { problem } = await rpc(clinic.admin, "create_service_account", {
        organization: clinic.id,
        name: "Practice",
        scopes: ["schedule:read"],
        ...change,
      });
      expect(problem, JSON.stringify(change)).toMatchObject({
        code: "validation_failed",
        errors: [{ field }],
      });
    }
    const account = await create(clinic);
    for (const overlap_minutes of [-1, 10_081, null]) {
      const { problem } = await rpc(clinic.admin, "rotate_service_account_token", {
        account: account.account_id,
        overlap_minutes,
      });
      expect(problem).toMatchObject({ code: "validation_failed", errors: [{ field: "overlap_minutes" }] });
    }
  });

  it("sees the accounts of the own clinic and when their tokens were used; nobody else does", async () => {
    const account = await create(elsewhere, ["schedule:read"]);
    await schedule(account.token);
    const args = { account: account.account_id };
    const list = (await rpc(elsewhere.admin, "list_service_account_tokens", args)) as unknown;
    expect(list).toEqual([
      {
        prefix: account.token.slice(0, 9),
        created_at: expect.any(String),
        expires_at: expect.any(String),
        revoked_at: null,
        last_used_at: expect.any(String),
      },
    ]);
    expect(await accountsSeen(elsewhere.admin, account)).toHaveLength(1);
    for (const user of [elsewhere.scheduler, elsewhere.rosa.user, clinic.admin]) {
      expect(await accountsSeen(user, account)).toEqual([]);
      expect(await rpc(user, "list_service_account_tokens", args)).toEqual([]);
    }
  });

  it("alone may manage accounts: everybody else is refused, on record, and nothing is written", async () => {
    const account = await create(clinic, ["schedule:read"]);
    const count = async () =>
      sql`select
        (select count(*) from public.service_accounts) as accounts,
        (select count(*) from public.service_account_tokens) as tokens,
        (select count(*) from public.service_account_tokens
          where revoked_at is not null or expires_at < now() + interval '1 day') as ended`;
    const before = await count();
    const stranger = await createUser();
    const callers: [User, ProblemCode][] = [
      [clinic.scheduler, "forbidden"],
      [clinic.rosa.user, "forbidden"],
      [elsewhere.admin, "not_found"],
      [stranger, "not_found"],
    ];
    const calls: [string, object][] = [
      ["create_service_account", { organization: clinic.id, name: "Practice", scopes: ["schedule:read"] }],
      ["rotate_service_account_token", { account: account.account_id }],
      ["revoke_service_account", { account: account.account_id }],
    ];
    for (const [name, args] of calls) {
      for (const [user, code] of callers) {
        expect((await rpc(user, name, args)).problem?.code, name).toBe(code);
        const [denied] = await sql`
          select action, code from audit.events
          where actor_id = ${user.id} and decision = 'deny' order by id desc limit 1`;
        expect(denied).toEqual({ action: `rpc.${name}`, code });
      }
      expect((await rpc(null, name, args)).problem?.code, name).toBe("42501");
    }
    expect(await count()).toEqual(before);
    await schedule(account.token);
  });

  it("needs the second factor where the clinic asks for one", async () => {
    const strict = await createClinic();
    const account = await create(strict);
    await sql`update public.organizations set requires_mfa = true where id = ${strict.id}`;
    for (const [name, args] of [
      ["create_service_account", { organization: strict.id, name: "Practice", scopes: ["schedule:read"] }],
      ["rotate_service_account_token", { account: account.account_id }],
      ["revoke_service_account", { account: account.account_id }],
    ] as const) {
      expect((await rpc(strict.admin, name, args)).problem?.code, name).toBe("mfa_required");
    }
    const args = { account: account.account_id };
    expect(await rpc(strict.admin, "list_service_account_tokens", args)).toEqual([]);
    expect(await accountsSeen(strict.admin, account)).toEqual([]);
    // The partner has no factors: its token is what the clinic decided.
    await schedule(account.token);
  });

  it("writes no account or token round the RPCs, nor does the secret key", async () => {
    const account = await create(clinic);
    const token = await clinic.admin.token();
    for (const [table, column] of [
      ["service_accounts", "id"],
      ["service_account_tokens", "service_account_id"],
    ]) {
      for (const headers of [
        { apikey: stack.publishableKey, authorization: `Bearer ${token}` },
        { apikey: stack.secretKey },
      ]) {
        for (const [method, body] of [
          ["POST", { organization_id: clinic.id, name: "x", scopes: ["schedule:read"] }],
          ["PATCH", { updated_at: new Date().toISOString() }],
          ["DELETE", undefined],
        ] as const) {
          const response = await fetch(`${stack.url}/rest/v1/${table}?${column}=eq.${account.account_id}`, {
            method,
            headers: { ...headers, "content-type": "application/json" },
            ...(body && {
              body: JSON.stringify(table === "service_accounts" ? body : { ...body, name: undefined }),
            }),
          });
          const { code } = (await response.json()) as { code: string };
          expect(["42501", "PGRST204"], `${method} ${table}`).toContain(code);
        }
      }
    }
    for (const headers of [
      { apikey: stack.publishableKey, authorization: `Bearer ${token}` },
      { apikey: stack.secretKey },
    ]) {
      const response = await fetch(`${stack.url}/rest/v1/service_account_tokens?select=prefix`, { headers });
      expect(((await response.json()) as { code: string }).code).toBe("42501");
    }
  });
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

describe("the scopes", () => {
  it("are what an account may do, and a refusal is on record with the account", async () => {
    const requests = {
      "enrolment:write": { operation: "enrol", reference: "scoped" },
      "schedule:read": ANYTHING,
    };
    for (const scope of SERVICE_SCOPES) {
      const account = await create(clinic, [scope]);
      const other = SERVICE_SCOPES.find((one) => one !== scope) as ServiceScope;
      await expectData(await sync(account.token, requests[scope]), 200);
      await refused(account.token, requests[other], "forbidden");
      expect((await events(clinic, account)).at(-1)).toEqual({
        action: `partner.${requests[other].operation}`,
        decision: "deny",
        code: "forbidden",
        table_name: "service_accounts",
        row_id: account.account_id,
        actor_id: null,
        details: { service_account_id: account.account_id },
      });
      await sql`update public.service_accounts set scopes = array[${other}] where id = ${account.account_id}`;
      await refused(account.token, requests[scope], "forbidden");
      await expectData(await sync(account.token, requests[other]), 200);
    }
    expect(await sql`select from public.referrals where reference = 'scoped'`).toHaveLength(2);
  });
});

describe("a token ends", () => {
  it("in the next call, whatever ends it, and every answer is the same", async () => {
    const past = () => new Date(Date.now() - 1000);
    const ends: Record<string, (account: Account) => PromiseLike<unknown>> = {
      "the account is revoked": async ({ account_id }) => {
        const first = await rpc(clinic.admin, "revoke_service_account", { account: account_id });
        expect(first.data).toEqual({ account_id, disabled_at: expect.any(String) });
        // Again is no error, changes nothing, and is not on record again.
        expect(await rpc(clinic.admin, "revoke_service_account", { account: account_id })).toEqual(first);
        expect(
          await sql`select action from audit.events where row_id = ${account_id} and action like 'service_account.%' order by id`,
        ).toEqual([{ action: "service_account.created" }, { action: "service_account.revoked" }]);
      },
      "the account is disabled": ({ account_id }) =>
        sql`update public.service_accounts set disabled_at = now() where id = ${account_id}`,
      "the account expires": ({ account_id }) =>
        sql`update public.service_accounts set expires_at = ${past()} where id = ${account_id}`,
      "the token expires": ({ account_id }) =>
        sql`update public.service_account_tokens set expires_at = ${past()} where service_account_id = ${account_id}`,
      "the token is revoked": ({ account_id }) =>
        sql`update public.service_account_tokens set revoked_at = now() where service_account_id = ${account_id}`,
      "it is rotated without overlap": (account) => rotate(clinic, account, { overlap_minutes: 0 }),
    };
    const answerTo = async (token: string) => {
      const response = await sync(token, ANYTHING, { "x-request-id": "the-same" });
      return [response.status, response.headers.get("www-authenticate"), await response.text()];
    };
    const unknown = await answerTo(`hf_${"A".repeat(43)}`);
    expect(JSON.parse(String(unknown[2]))).toEqual({
      type: "tag:holdfast,2026:problem/unauthenticated",
      title: PROBLEMS.unauthenticated.title,
      status: 401,
      code: "unauthenticated",
    });
    for (const [how, end] of Object.entries(ends)) {
      const account = await create(clinic);
      await schedule(account.token);
      await end(account);
      expect(await answerTo(account.token), how).toEqual(unknown);
      await refused(account.token, { operation: "enrol", reference: "too-late" }, "unauthenticated");
      // On record for the clinic, once a minute.
      expect(
        (await events(clinic, account)).filter(({ code }) => code === "unauthenticated"),
        how,
      ).toHaveLength(1);
    }
    expect(await sql`select from public.referrals where reference = 'too-late'`).toHaveLength(0);
  });

  it("after the overlap of a rotation, and until then both tokens count", async () => {
    const account = await create(clinic);
    const next = await rotate(clinic, account);
    expect(next.account_id).toBe(account.account_id);
    expect(next.token).not.toBe(account.token);
    await schedule(account.token);
    await schedule(next.token);
    const hash = createHash("sha256").update(account.token).digest();
    const [row] = await sql`
      select extract(epoch from expires_at - now())::integer as seconds
      from public.service_account_tokens where token_hash = ${hash}`;
    expect(row?.seconds).toBeGreaterThan(3500);
    expect(row?.seconds).toBeLessThanOrEqual(3600);
    // A later rotation with a longer overlap does not prolong what is already ending.
    const last = await rotate(clinic, account, { overlap_minutes: 600 });
    const [same] = await sql`
      select extract(epoch from expires_at - now())::integer as seconds
      from public.service_account_tokens where token_hash = ${hash}`;
    expect(same?.seconds).toBeLessThanOrEqual(3600);
    await sql`update public.service_account_tokens set expires_at = now() where token_hash = ${hash}`;
    await refused(account.token, ANYTHING, "unauthenticated");
    await schedule(next.token);
    await schedule(last.token);
    const recorded = await sql`
      select actor_id, details from audit.events
      where row_id = ${account.account_id} and action = 'service_account.rotated'
      order by id`;
    expect(recorded).toEqual(
      [60, 600].map((overlap_minutes) => ({ actor_id: clinic.admin.id, details: { overlap_minutes } })),
    );
  });

  it("for good: a revoked account's token is not rotated", async () => {
    const account = await create(clinic);
    await rpc(clinic.admin, "revoke_service_account", { account: account.account_id });
    const { problem } = await rpc(clinic.admin, "rotate_service_account_token", {
      account: account.account_id,
    });
    expect(problem).toMatchObject({
      code: "validation_failed",
      errors: [{ field: "account", code: "ended" }],
    });
  });

  it("within a year, whoever writes it", async () => {
    const account = await create(clinic);
    await expect(
      sql`update public.service_account_tokens set expires_at = now() + interval '13 months' where service_account_id = ${account.account_id}`,
    ).rejects.toMatchObject({ constraint_name: "service_account_tokens_at_most_a_year" });
  });
});

describe("a call", () => {
  it("moves the token's last use, at most once a minute", async () => {
    const account = await create(clinic);
    const lastUse = async () => {
      const [row] = await sql`
        select last_used_at from public.service_account_tokens where service_account_id = ${account.account_id}`;
      return row?.last_used_at as Date | null;
    };
    expect(await lastUse()).toBeNull();
    await schedule(account.token);
    const first = await lastUse();
    expect(Date.now() - Number(first)).toBeLessThan(60_000);
    await schedule(account.token);
    expect(await lastUse()).toEqual(first);
    await sql`
      update public.service_account_tokens set last_used_at = now() - interval '61 seconds'
      where service_account_id = ${account.account_id}`;
    await schedule(account.token);
    expect(Number(await lastUse())).toBeGreaterThanOrEqual(Number(first));
  });

  it("counts against the clinic's calls per minute, for each account by itself", async () => {
    const at = await createClinic();
    const [busy, quiet] = [await create(at), await create(at)];
    await sql`update public.organizations set calls_per_minute = 3 where id = ${at.id}`;
    // Not across the turn of a minute.
    const left = 60_000 - (Date.now() % 60_000);
    if (left < 10_000) await new Promise((resolve) => setTimeout(resolve, left));
    for (let count = 0; count < 3; count++) await schedule(busy.token);
    for (let count = 0; count < 3; count++) {
      const response = await sync(busy.token, ANYTHING);
      expect(Number(response.headers.get("retry-after"))).toBeGreaterThan(0);
      await expectProblem(response, "rate_limited");
    }
    await schedule(quiet.token);
    const denied = (await events(at, busy)).filter(({ decision }) => decision === "deny");
    expect(denied.map(({ code }) => code)).toEqual(["rate_limited"]);
  });

  it("that its contract does not know is refused with the field", async () => {
    const { token } = await create(clinic);
    const wrong: [unknown, string, string][] = [
      [{}, "operation", "required"],
      [{ operation: "delete" }, "operation", "invalid_value"],
      [[], "body", "invalid_type"],
      [{ operation: "enrol" }, "reference", "required"],
      [{ operation: "enrol", reference: "Jane Doe" }, "reference", "invalid_format"],
      [{ operation: "enrol", reference: "x".repeat(65) }, "reference", "invalid_format"],
      [{ operation: "enrol", reference: "x", from: "2027-01-01T00:00:00Z" }, "from", "unknown_field"],
      [{ operation: "schedule", client_id: randomUUID() }, "client_id", "unknown_field"],
      [{ operation: "schedule", from: "2027-01-01" }, "from", "invalid_format"],
      [
        { operation: "schedule", from: "2027-01-01T00:00:00Z", to: "2027-01-01T00:00:00Z" },
        "to",
        "too_small",
      ],
      [{ operation: "schedule", from: "2027-01-01T00:00:00Z", to: "2027-04-03T00:00:01Z" }, "to", "too_big"],
      [{ operation: "schedule", to: "2020-01-01T00:00:00Z" }, "to", "too_small"],
      [{ operation: "schedule", to: "2099-01-01T00:00:00Z" }, "to", "too_big"],
    ];
    for (const [request, field, code] of wrong) {
      const problem = await refused(token, request, "validation_failed");
      expect(problem.errors, JSON.stringify(request)).toEqual([{ field, code, message: expect.any(String) }]);
    }
    const get = await fetch(`${stack.url}/functions/v1/partner-sync`, {
      headers: { authorization: `Bearer ${token}` },
    });
    await expectProblem(get, "method_not_allowed");
  });

  it("of the RPC itself is held to the same rules, and never ends in an error", async () => {
    const { token } = await create(clinic);
    const wrong: unknown[] = [
      null,
      [],
      7,
      {},
      { operation: { enrol: 1 } },
      { operation: "call", reference: "unasked" },
      { reference: "unasked" },
      { operation: "enrol", reference: "Jane Doe" },
      { operation: "enrol", reference: ["a b"] },
      { operation: "enrol", reference: null },
      { operation: "schedule", from: "infinity" },
      { operation: "schedule", to: "infinity" },
      { operation: "schedule", from: "-infinity", to: "infinity" },
      { operation: "schedule", from: "294276-12-31T00:00:00Z" },
      { operation: "schedule", from: "yesterday-ish" },
      { operation: "schedule", from: 5 },
      { operation: "schedule", from: "2027-01-01", to: "2027-06-01" },
      { operation: "schedule", reference: "'; drop table public.clients; --" },
    ];
    for (const request of wrong) {
      const { problem } = await rpc(null, "partner_sync", { token, request });
      expect(problem?.code, JSON.stringify(request)).toBe("validation_failed");
    }
    for (const idempotency_key of ["", "a b", "x".repeat(256)]) {
      const request = { operation: "enrol", reference: randomUUID() };
      const { problem } = await rpc(null, "partner_sync", { token, request, idempotency_key });
      expect(problem?.code).toBe("idempotency_key_invalid");
    }
    for (const stranger of [null, "", "hf_", "x".repeat(100_000)]) {
      const { problem } = await rpc(null, "partner_sync", { token: stranger, request: ANYTHING });
      expect(problem?.code).toBe("unauthenticated");
    }
  });

  it("without a service token is nobody's: not a user's, a key's or a token's of another form", async () => {
    const { token } = await create(clinic);
    const wrong = [
      null,
      await clinic.admin.token(),
      stack.publishableKey,
      stack.secretKey,
      `${token}x`,
      token.slice(0, -1),
      `xx${token}`,
    ];
    for (const other of wrong) await refused(other, ANYTHING, "unauthenticated");
    const basic = await sync(null, ANYTHING, { authorization: `Basic ${btoa(`${token}:`)}` });
    await expectProblem(basic, "unauthenticated");
    await expectProblem(await sync(null, ANYTHING, { apikey: token }), "unauthenticated");
  });

  it("with unknown tokens, however many, is one line a minute on record", async () => {
    const count = async () => (await events(null, null)).length;
    await refused(`hf_${"B".repeat(43)}`, ANYTHING, "unauthenticated");
    const before = await count();
    for (let index = 0; index < 20; index++)
      await refused(`hf_${"C".repeat(43)}`, ANYTHING, "unauthenticated");
    expect((await count()) - before).toBeLessThanOrEqual(1);
  });
});

describe("the token", () => {
  it("opens no other function, RPC, table, bucket or account", async () => {
    const { token } = await create(clinic);
    for (const name of ["sessions-hold", "sessions-confirm", "sessions-cancel"] as const) {
      await expectProblem(
        await call(name, null, {}, { authorization: `Bearer ${token}` }),
        "unauthenticated",
      );
    }
    const functions = await sql<{ name: string }[]>`
      select distinct proname as name from pg_proc where pronamespace = 'public'::regnamespace order by 1`;
    const tables = await sql<{ name: string }[]>`
      select relname as name from pg_class
      where relnamespace = 'public'::regnamespace and relkind in ('r', 'p', 'v', 'm')`;
    expect(functions.map(({ name }) => name)).toContain("hold_sessions");
    expect(tables.map(({ name }) => name)).toContain("sessions");
    const doors: [string, string][] = [
      ...functions.map(({ name }): [string, string] => ["POST", `rest/v1/rpc/${name}`]),
      ...tables.flatMap(({ name }): [string, string][] => [
        ["GET", `rest/v1/${name}?select=*`],
        ["POST", `rest/v1/${name}`],
        ["PATCH", `rest/v1/${name}?id=eq.${randomUUID()}`],
        ["DELETE", `rest/v1/${name}?id=eq.${randomUUID()}`],
      ]),
      ["GET", "auth/v1/user"],
      ["GET", "auth/v1/admin/users"],
      ["GET", "storage/v1/bucket"],
    ];
    for (const [method, path] of doors) {
      for (const headers of [
        { apikey: stack.publishableKey, authorization: `Bearer ${token}` },
        { apikey: token },
        { apikey: token, authorization: `Bearer ${token}` },
      ]) {
        const response = await fetch(`${stack.url}/${path}`, {
          method,
          headers: { ...headers, "content-type": "application/json" },
          ...(method === "POST" || method === "PATCH" ? { body: "{}" } : {}),
        });
        expect([401, 403], `${method} ${path}: ${await response.text()}`).toContain(response.status);
      }
    }
  });

  it("stands on what anon may do: one function, no table, not a name in app", async () => {
    const executable = await sql`
      select pronamespace::regnamespace || '.' || proname as name
      from pg_proc
      where pronamespace in ('public'::regnamespace, 'app'::regnamespace, 'audit'::regnamespace)
        and has_function_privilege('anon', oid, 'execute')
        and not exists (
          select from pg_depend where classid = 'pg_proc'::regclass and objid = pg_proc.oid and deptype = 'e')
      order by 1`;
    expect(executable.map(({ name }) => name)).toEqual(["app.partner_sync", "public.partner_sync"]);
    const readable = await sql`
      select oid::regclass::text as name
      from pg_class
      where relnamespace in ('public'::regnamespace, 'app'::regnamespace, 'audit'::regnamespace)
        and relkind in ('r', 'p', 'v', 'm')
        and has_any_column_privilege('anon', oid, 'select, insert, update, references')`;
    expect(readable).toEqual([]);
    const [schemas] = await sql`
      select has_schema_privilege('anon', 'app', 'usage') as app, has_schema_privilege('anon', 'audit', 'usage') as audit`;
    expect(schemas).toEqual({ app: false, audit: false });
    expect((await rpc(null, "hold_sessions", { request: {} })).problem?.code).toBe("42501");
    const { error } = await connect().from("referrals").select("id");
    expect(error?.code).toBe("42501");
  });

  it.runIf(stack.functionsEnv)(
    "is in no log line and no error, also when everything goes wrong",
    async () => {
      const account = await create(clinic);
      const calls = [
        ANYTHING,
        { operation: "enrol", reference: account.token },
        { operation: account.token },
        { operation: "schedule", [account.token]: account.token },
      ];
      const tell = async (env: Record<string, string>) => {
        const lines: string[] = [];
        const host = await startFunctions({ ...stack.functionsEnv, ...env }, (line) => void lines.push(line));
        try {
          for (const body of calls) {
            const response = await fetch(`${host.url}/partner-sync`, {
              method: "POST",
              headers: { authorization: `Bearer ${account.token}`, "x-request-id": "traced" },
              body: JSON.stringify(body),
            });
            lines.push(String(response.status), JSON.stringify([...response.headers]), await response.text());
          }
        } finally {
          await host.stop();
        }
        return lines.join("\n");
      };
      const secret = account.token.slice(9);
      const nobodyThere = await tell({ SUPABASE_URL: "http://127.0.0.1:9" });
      expect(nobodyThere).toContain('"code":"unavailable"');
      expect(nobodyThere).toContain('"request_id":"traced"');
      const unconfigured = await tell({ SUPABASE_PUBLISHABLE_KEYS: "{}" });
      expect(unconfigured).toContain('"code":"internal_error"');
      const working = await tell({});
      // The reference is the partner's own word, and this one is long enough to be one.
      for (const text of [nobodyThere, unconfigured, working.replaceAll(/\{"data".*/g, "")]) {
        expect(text).not.toContain(secret);
      }
      await sql`delete from public.referrals where reference = ${account.token}`;
    },
  );

  // Last, so that whatever the tests above made is looked at.
  it("stands nowhere in the database, in no spelling", async () => {
    expect(issued.length).toBeGreaterThan(30);
    const tables = await sql<{ schema: string; name: string }[]>`
      select relnamespace::regnamespace::text as schema, relname as name
      from pg_class
      where relkind in ('r', 'p', 'm')
        and relnamespace::regnamespace::text in ('public', 'app', 'audit')`;
    const spellings = (token: string) => [
      token.slice(3),
      Buffer.from(token).toString("hex"),
      Buffer.from(token.slice(3)).toString("base64").replaceAll("=", ""),
      Buffer.from(token.slice(3), "base64url").toString("hex"),
      Buffer.from(token.slice(3), "base64url").toString("base64").replaceAll("=", ""),
    ];
    const lookFor = async (needles: string[]) => {
      const found: string[] = [];
      for (const { schema, name } of tables) {
        // A row as text has every column: text, jsonb and arrays as they are, bytea in hex.
        const rows = await sql`
          select 1 from ${sql(schema)}.${sql(name)} looked
          where exists (
            select from unnest(${needles}::text[]) needle where position(needle in looked::text) > 0)
          limit 1`;
        if (rows.length > 0) found.push(`${schema}.${name}`);
      }
      return found;
    };
    expect(await lookFor(issued.flatMap(spellings))).toEqual([]);
    // The search finds what is there: hashes in bytea, prefixes in text, ids in jsonb.
    const [token = ""] = issued;
    const hash = createHash("sha256").update(token).digest("hex");
    expect(await lookFor([hash])).toEqual(["public.service_account_tokens"]);
    expect(await lookFor([token.slice(0, 9)])).toEqual(["public.service_account_tokens"]);
    expect(await lookFor(["overlap_minutes"])).toEqual(["audit.events"]);
  });
});
