import { createHash, randomUUID } from "node:crypto";
import { beforeAll, describe, expect, it } from "vitest";
import { startFunctions } from "../../../scripts/stack/index.ts";
import { SERVICE_SCOPES, type ServiceScope } from "../../../src/lib/partner.ts";
import { PROBLEMS } from "../../../src/lib/problems.ts";
import { call, expectData, expectProblem } from "../support/calls.ts";
import { type Clinic, createClinic } from "../support/clinic.ts";
import {
  type Account,
  ANYTHING,
  create,
  events,
  issued,
  refused,
  rotate,
  rpc,
  schedule,
  sync,
} from "../support/partner.ts";
import { connect, sql, stack } from "../support/stack.ts";

let clinic: Clinic;
beforeAll(async () => {
  clinic = await createClinic();
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

  it("is answered again with its key though the minute's calls are used up", async () => {
    const at = await createClinic();
    const { token } = await create(at);
    await sql`update public.organizations set calls_per_minute = 1 where id = ${at.id}`;
    const headers = { "idempotency-key": randomUUID() };
    const enrol = (reference: string) => sync(token, { operation: "enrol", reference }, headers);
    const first = await expectData(await enrol("a"), 200);
    // At most one minute begins meanwhile, so two of them are of one that is used up.
    const others = [await enrol("b"), await enrol("b"), await enrol("b")];
    expect(others.filter(({ status }) => status === 429).length).toBeGreaterThanOrEqual(2);
    const again = await enrol("a");
    expect([again.status, again.headers.get("idempotency-replayed")]).toEqual([200, "true"]);
    expect(await expectData(again, 200)).toEqual(first);
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

  it("stands on what anon may do: one function, and the one for monitors, no table, not a name in app", async () => {
    const executable = await sql`
      select pronamespace::regnamespace || '.' || proname as name
      from pg_proc
      where pronamespace in ('public'::regnamespace, 'app'::regnamespace, 'audit'::regnamespace)
        and has_function_privilege('anon', oid, 'execute')
        and not exists (
          select from pg_depend where classid = 'pg_proc'::regclass and objid = pg_proc.oid and deptype = 'e')
      order by 1`;
    expect(executable.map(({ name }) => name)).toEqual([
      "app.health",
      "app.partner_sync",
      "public.health",
      "public.partner_sync",
    ]);
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
    expect(issued.length).toBeGreaterThan(20);
    const tables = await sql<{ schema: string; name: string }[]>`
      select relnamespace::regnamespace::text as schema, relname as name
      from pg_class
      where relkind in ('r', 'p', 'm')
        and not relispartition
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
