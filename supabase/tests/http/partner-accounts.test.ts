import { createHash } from "node:crypto";
import { beforeAll, describe, expect, it } from "vitest";
import { SERVICE_SCOPES } from "../../../src/lib/partner.ts";
import type { ProblemCode } from "../../../src/lib/problems.ts";
import { type Clinic, createClinic, createUser, type User } from "../support/clinic.ts";
import { accountsSeen, create, DAY_MS, rotate, rpc, schedule } from "../support/partner.ts";
import { sql, stack } from "../support/stack.ts";

let clinic: Clinic;
let elsewhere: Clinic;
beforeAll(async () => {
  [clinic, elsewhere] = await Promise.all([createClinic(), createClinic()]);
});

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
      select action, actor_id, details from audit.events where row_id = ${account.account_id} and action like 'service_account.%'`;
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
    // Other files make accounts of their own meanwhile.
    const ours = [clinic.id, elsewhere.id];
    const count = async () =>
      sql`select
        (select count(*) from public.service_accounts where organization_id = any (${ours})) as accounts,
        (select count(*) from public.service_account_tokens where organization_id = any (${ours})) as tokens,
        (select count(*) from public.service_account_tokens
          where organization_id = any (${ours})
            and (revoked_at is not null or expires_at < now() + interval '1 day')) as ended`;
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
