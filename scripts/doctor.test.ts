import postgres, { type Sql } from "postgres";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { startOwnStack } from "../supabase/tests/support/own-stack.ts";
import { runScript } from "../supabase/tests/support/run-script.ts";
import type { Finding } from "./doctor/checks.ts";
import { examine } from "./doctor/examine.ts";
import { projectMigrations } from "./doctor/migrations.ts";
import type { Stack } from "./stack/index.ts";
import { freePort } from "./stack/ports.ts";

let stack: Stack;
let admin: Sql;

beforeAll(async () => {
  stack = await startOwnStack({ functions: false });
  admin = postgres(stack.adminDatabaseUrl, { max: 1, onnotice: () => {} });
});
afterAll(async () => {
  await admin.end();
  await stack.stop();
});

/** What is found after a change, which does not stay. */
async function findingsAfter(change: string): Promise<Finding[]> {
  let findings: Finding[] = [];
  const undo = new Error("undo");
  await admin
    .begin(async (transaction) => {
      await transaction.unsafe(
        `${change}; set local session_replication_role = origin; set local role postgres`,
      );
      findings = await examine(transaction, await projectMigrations());
      throw undo;
    })
    .catch((error) => {
      if (error !== undo) throw error;
    });
  return findings;
}

/** Checks that do not say ok, with their state. */
const complaints = (findings: Finding[]): string[] =>
  findings
    .filter(({ state }) => state === "warn" || state === "fail")
    .map(({ state, name, found }) => `${state}: ${name}: ${found}`);

const allJobs = [
  ...["alert_authorizations", "deliver_webhooks", "detect_unusual_access", "expire_holds", "forget_old"],
  ...["make_partitions", "offer_waitlist", "seal_audit", "send_insights"],
];

// A development stack has neither TLS nor pg_cron, and says so.
const always = [
  "warn: TLS of this connection: not encrypted, server setting ssl off",
  "warn: jobs of pg_cron: no pg_cron",
  `warn: jobs without a good run lately: ${allJobs.join(", ")}`,
];

const organization = `insert into public.organizations (id, name, time_zone, requires_mfa)
  values (md5('clinic')::uuid, 'Secret Clinic', 'UTC', true)`;
const login = (name: string) =>
  `insert into auth.users (id, email) values (md5('${name}')::uuid, '${name}@secret.example')`;
const role = (name: string, of: string, where: string) =>
  `insert into public.user_roles (organization_id, user_id, role) values (${where}, md5('${name}')::uuid, '${of}')`;
const factor = (name: string) =>
  `insert into auth.mfa_factors (id, user_id, factor_type, status, created_at, updated_at)
   values (gen_random_uuid(), md5('${name}')::uuid, 'totp', 'verified', now(), now())`;
const inClinic = "md5('clinic')::uuid";
/** A clinic that gives no cause for complaint. */
const clinic = [organization, login("admin"), role("admin", "admin", inClinic), factor("admin")].join(";\n");
const operators = (howMany: number) =>
  Array.from({ length: howMany }, (_, index) =>
    [login(`operator${index}`), role(`operator${index}`, "super_admin", "null")].join(";\n"),
  ).join(";\n");
// As rows come to be that no trigger saw.
const silently = "set local session_replication_role = replica";
const key = (master: string) => `insert into public.client_keys
  (id, organization_id, client_id, wrapped_key, master_key_id, status_changed_at, created_at, updated_at)
  values (gen_random_uuid(), ${inClinic}, gen_random_uuid(), 'aaaa..bbbb.cccc.dddd', '${master}', now(), now(), now())`;
const jobs = (
  commands: string[],
) => `create schema cron; create table cron.job (command text, active boolean);
  insert into cron.job select unnest(array[${commands.map((command) => `'select app.run_job(''${command}'')'`).join(",")}]::text[]), true`;

const plants: Record<string, [change: string, ...said: string[]]> = {
  "a migration that was not pushed": [
    "delete from supabase_migrations.schema_migrations where version = '20261123000300'",
    "fail: migrations applied: missing 20261123000300",
  ],
  "a migration of another checkout": [
    "insert into supabase_migrations.schema_migrations (version) values ('20991231000000')",
    "fail: migrations applied: unknown 20991231000000",
  ],
  "row-level security off": [
    "alter table public.rooms disable row level security; alter table audit.events_default disable row level security",
    "fail: tables without row-level security: audit.events_default, rooms",
  ],
  "a column open to anon": [
    "grant select (id) on public.rooms to anon",
    "fail: tables open to nobody signed in: rooms",
  ],
  "a table that anon may empty": [
    "grant truncate on public.rooms to anon",
    "fail: tables open to nobody signed in: rooms",
  ],
  "a trigger switched off": [
    "alter table audit.seals disable trigger append_only",
    "fail: triggers switched off: append_only on audit.seals",
  ],
  "a trigger on accounts dropped": [
    "drop trigger sign_out_everywhere on auth.users",
    "fail: triggers on accounts that are gone: sign_out_everywhere",
  ],
  "the token hook open to users": [
    "grant execute on function public.custom_access_token_hook to authenticated",
    "fail: roles the token hook is wrong for: authenticated",
  ],
  "the token hook closed to Auth": [
    "revoke execute on function public.custom_access_token_hook from supabase_auth_admin",
    "fail: roles the token hook is wrong for: supabase_auth_admin",
  ],
  "an extension dropped": ["drop extension pgcrypto cascade", "fail: extensions missing: pgcrypto"],
  "helpers of a test suite": ["create schema tests", "fail: schemas of tests: tests"],
  "md5 hashes": ["set local password_encryption = 'md5'", "fail: hashes of database passwords: md5"],
  "statements with their values in the log": [
    "set local log_statement = 'mod'",
    "fail: values in the server's log: log_statement mod, log_min_duration_statement -1, log_parameter_max_length -1, on_error 0, log_min_error_statement error, log_min_duration_sample -1, log_transaction_sample_rate 0",
  ],
  "slow statements with their parameters in the log": [
    "set local log_min_duration_statement = 100",
    "fail: values in the server's log: log_statement none, log_min_duration_statement 100ms, log_parameter_max_length -1, on_error 0, log_min_error_statement error, log_min_duration_sample -1, log_transaction_sample_rate 0",
  ],
  "parameters of errors in the log": [
    "set local log_parameter_max_length_on_error = 64",
    "fail: values in the server's log: log_statement none, log_min_duration_statement -1, log_parameter_max_length -1, on_error 64B, log_min_error_statement error, log_min_duration_sample -1, log_transaction_sample_rate 0",
  ],
  "samples of statements with their parameters in the log": [
    "set local log_transaction_sample_rate = 1",
    "fail: values in the server's log: log_statement none, log_min_duration_statement -1, log_parameter_max_length -1, on_error 0, log_min_error_statement error, log_min_duration_sample -1, log_transaction_sample_rate 1",
  ],
  "roles that log what others do not, in whatever spelling": [
    "alter role authenticator set log_statement = 'ALL'; alter role anon set log_min_duration_sample = 0",
    "fail: roles and databases that log otherwise: anon log_min_duration_sample=0, authenticator log_statement=ALL",
  ],
  "a month without a partition": [
    `do $$ begin execute format('drop table audit.events_%s', to_char((now() at time zone 'UTC') + interval '1 month', 'YYYY_MM')); end $$`,
    `fail: months of the audit trail without a partition: ${nextMonth()}`,
  ],
  "sealing that has stopped for an hour": [
    "insert into audit.events (action, occurred_at) values ('row.updated', now() - interval '61 minutes')",
    "warn: events waiting for a seal: 1, the oldest for 01:01:00",
  ],
  "sealing that has stopped for days": [
    "insert into audit.events (action, occurred_at) values ('row.updated', now() - interval '2 days')",
    "fail: events waiting for a seal: 1, the oldest for 2 days",
  ],
  "a month whose partition was detached": [
    `do $$ begin execute format('alter table audit.events detach partition audit.events_%s', to_char((now() at time zone 'UTC') + interval '1 month', 'YYYY_MM')); end $$`,
    `fail: months of the audit trail without a partition: ${nextMonth()}`,
  ],
  "an organization without a second factor": [
    `${clinic}; update public.organizations set requires_mfa = false`,
    "warn: organizations that do without a second factor: 1",
  ],
  "an admin without a second factor": [
    `${clinic}; update auth.mfa_factors set status = 'unverified'`,
    "warn: admins without a verified second factor: 1",
  ],
  "an organization whose only admin's role is revoked": [
    `${clinic}; update public.user_roles set revoked_at = now()`,
    "warn: organizations without an admin: 1",
  ],
  "operators without a second factor": [
    operators(2),
    "fail: super_admins without a verified second factor: 2",
  ],
  "too many operators": [
    `${operators(4)}; ${[0, 1, 2, 3].map((index) => factor(`operator${index}`)).join(";\n")}`,
    "warn: super_admins: 4",
  ],
  "an alert nobody looks at": [
    `${clinic}; ${silently}; insert into public.access_alerts (organization_id, kind, created_at, updated_at, status_changed_at)
      values (${inClinic}, 'break_glass', now() - interval '25 hours', now(), now())`,
    "warn: alerts nobody looked at for a day: 1",
  ],
  "a service token that nobody uses": [
    `${clinic}; ${silently}; insert into public.service_account_tokens
        (organization_id, service_account_id, token_hash, prefix, expires_at, created_at, updated_at)
      values (${inClinic}, gen_random_uuid(), sha256('x'), 'hf_abcdef', now() + interval '1 day', now() - interval '91 days', now())`,
    "warn: service tokens unused for 90 days: 1",
  ],
  "a partner's last token that is used and ends soon": [
    [
      clinic,
      ...["left", "rotated", "unused"].map(
        (name) => `insert into public.service_accounts (id, organization_id, name, scopes)
          values (md5('${name}')::uuid, ${inClinic}, 'Secret partner', '{schedule:read}')`,
      ),
      ...[
        ["left", "29 days", "now()"],
        ["rotated", "1 day", "now()"],
        ["rotated", "300 days", "null"],
        ["unused", "29 days", "now() - interval '31 days'"],
      ].map(
        ([name, ends, used]) => `insert into public.service_account_tokens
            (organization_id, service_account_id, token_hash, prefix, expires_at, last_used_at)
          values (${inClinic}, md5('${name}')::uuid, sha256('${name} ${ends}'), 'hf_abcdef', now() + interval '${ends}', ${used})`,
      ),
    ].join(";\n"),
    "warn: service accounts whose last token ends within 30 days: 1",
  ],
  "an endpoint that ended itself": [
    `${clinic}; insert into app.webhook_endpoints (organization_id, url, status) values
      (${inClinic}, 'https://secret.example.com/', 'gone'), (${inClinic}, 'https://off.example.com/', 'disabled')`,
    "warn: webhook endpoints that answered 410: 1",
  ],
  "a master key that was not rotated away": [
    `${clinic}; ${silently}; ${key("k1")}; ${key("k2")}`,
    "warn: master keys of notes in use: k1, k2",
  ],
  "a hold that ran out, was not ended and claims no time": [
    `${clinic}; ${silently}; insert into public.session_holds
        (organization_id, batch_key, therapist_id, client_id, service_id, client_lane, takes_every_lane, buffer_before_minutes,
          buffer_after_minutes, start_time, end_time, time_zone, expires_at, status_changed_at, created_at, updated_at)
      values (${inClinic}, gen_random_uuid(), gen_random_uuid(), gen_random_uuid(), gen_random_uuid(), 0, false, 0, 0,
        now() + interval '1 day', now() + interval '25 hours', 'UTC', now() - interval '2 hours', now(), now(), now())`,
    "warn: holds expired for an hour and not ended: 1",
    "fail: faults of the ledger: 2",
  ],
};

function nextMonth(): string {
  const now = new Date();
  return new Date(Date.UTC(now.getUTCFullYear(), now.getUTCMonth() + 1, 1)).toISOString().slice(0, 7);
}

describe("the doctor", () => {
  it("complains of nothing but TLS and jobs on a new stack, and of nothing more once a clinic is in order", async () => {
    expect(complaints(await findingsAfter("select 1"))).toEqual(always);
    expect(complaints(await findingsAfter(`${clinic}; ${operators(1)}; ${factor("operator0")}`))).toEqual(
      always,
    );
  });

  it.each(Object.keys(plants))("finds %s, and nothing else", async (fault) => {
    const [change = "", ...said] = plants[fault] ?? [];
    const findings = await findingsAfter(change);
    expect(complaints(findings).filter((line) => !always.includes(line))).toEqual(said);
    expect(findings.filter(({ state, todo }) => state !== "ok" && todo === "")).toEqual([]);
    expect(JSON.stringify(findings)).not.toMatch(/secret/i);
  });

  it("knows the jobs of pg_cron, and which are missing or off", async () => {
    const found = async (change: string) =>
      (await findingsAfter(change)).find(({ name }) => name === "jobs of pg_cron");
    expect(await found(jobs(allJobs))).toMatchObject({ state: "ok", found: "all there" });
    expect(
      await found(`${jobs(allJobs)}; update cron.job set active = false where command ~ 'seal'`),
    ).toMatchObject({
      state: "warn",
      found: "without seal_audit",
    });
  });

  it("knows the jobs that are run and fail each time", async () => {
    const found = await findingsAfter(`insert into app.job_runs (job, started_at, outcome, done, sqlstate)
      select name, now(), case when name = 'seal_audit' then 'failed' else 'ok' end,
        case when name <> 'seal_audit' then 0 end, case when name = 'seal_audit' then '57014' end
      from app.jobs`);
    expect(found.find(({ name }) => name === "jobs without a good run lately")).toMatchObject({
      state: "warn",
      found: "seal_audit",
    });
  });

  it("finds a foreign key that is not looked at", async () => {
    const said = complaints(await findingsAfter("alter table app.webhook_secrets disable trigger all"));
    expect(said).toContainEqual(
      expect.stringMatching(
        /^fail: triggers switched off: RI_ConstraintTrigger_c_\d+ on app.webhook_secrets/,
      ),
    );
  });

  it("goes on past a check that cannot be read, and counts it as failed", async () => {
    const said = complaints(await findingsAfter("drop table public.access_alerts cascade"));
    expect(said).toContain("fail: alerts nobody looked at for a day: could not be read (42P01)");
    expect(said).toEqual(expect.arrayContaining(always));
    expect(complaints(await findingsAfter("drop schema app cascade"))).toContain(
      "fail: faults of the ledger: could not be read (3F000)",
    );
  });

  it("has a fault planted for every check but the server's version", async () => {
    const names = (await findingsAfter("select 1"))
      .filter(({ state }) => state !== "by hand")
      .map(({ name }) => name);
    const planted = [...Object.values(plants).flatMap(([, ...said]) => said), ...always].map(
      (line) => line.split(": ")[1],
    );
    expect(names.filter((name) => !planted.includes(name))).toEqual(["server version"]);
  });
});

const doctor = (...args: string[]) => runScript("doctor", args);

describe("npm run doctor", () => {
  it("prints an aligned table and exits with 0 where nothing failed, with 1 where something did", async () => {
    const well = await doctor("--remote", stack.databaseUrl);
    expect(well.code, well.stderr).toBe(0);
    const lines = well.stdout.split("\n");
    const at = lines[0]?.indexOf("state") ?? -1;
    const rows = lines.slice(1, lines.indexOf(""));
    expect(rows.length).toBeGreaterThan(20);
    expect(lines[0]?.length).toBeLessThan(140);
    for (const row of rows) expect(row.slice(at)).toMatch(/^(ok|warn|by hand) /);
    expect(well.stdout).toMatch(/\n\d+ ok, 3 to look at, 0 failed, 8 by hand\n$/);

    await admin`grant select on public.rooms to anon`;
    const failed = await doctor("--json", "--remote", stack.databaseUrl);
    await admin`revoke select on public.rooms from anon`;
    expect(failed.code, failed.stderr).toBe(1);
    expect(JSON.parse(failed.stdout)).toMatchObject({ failed: 1 });
  });

  it("exits with 2 where nothing could be checked, and never says the password", async () => {
    const port = await freePort();
    for (const args of [
      [],
      ["--remote"],
      ["--remote", "postgres:secret-word"],
      ["--remote", `postgres://postgres:secret-word@127.0.0.1:${port}/postgres`],
      ["--remote", stack.databaseUrl.replace(/\/postgres$/, "/nowhere")],
    ]) {
      const run = await doctor(...args);
      expect(run.code, run.stdout).toBe(2);
      expect(run.stdout).toBe("");
      expect(run.stderr).toMatch(/^doctor: .*\(\w+\)$/ms);
      expect(run.stderr).not.toContain("secret-word");
    }
  });
});
