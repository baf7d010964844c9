// Every statement that an app, a function, a policy or a job makes has a good plan where the tables are large. All of them
// are run, and the plans that the server took are judged. Here on a small network with sequential scans made dear, so that
// one is left only where no index would do; `npm run plans` is the same at a million sessions with nothing made dear.

import { writeFile } from "node:fs/promises";
import { join } from "node:path";
import postgres, { type Sql, type TransactionSql } from "postgres";
import { afterAll, beforeAll, describe, expect, inject, it } from "vitest";
import { machineLine, prepareServer } from "../../../scripts/bench/harness.ts";
import { loadNetwork, settle } from "../../../scripts/bench/network.ts";
import { roles } from "../../../scripts/bench/rls-cases.ts";
import { fillCalendars } from "../../../scripts/bench/scheduling-network.ts";
import {
  type Captured,
  captureSettings,
  type PlanNode,
  readCaptured,
  startCapture,
  stopCapture,
} from "../../../scripts/plans/capture.ts";
import { readCatalog, smallTables, unseenStatements } from "../../../scripts/plans/catalog.ts";
import { exceptions, isException } from "../../../scripts/plans/exceptions.ts";
import { type Catalog, type Finding, judge } from "../../../scripts/plans/judge.ts";
import { multiply } from "../../../scripts/plans/multiply.ts";
import { ask, questionsOfEveryRole, runJobs } from "../../../scripts/plans/reads.ts";
import { linesOf, type Report } from "../../../scripts/plans/report.ts";
import type { Stack } from "../../../scripts/stack/index.ts";
import { startOwnStack } from "../support/own-stack.ts";

const { HOLDFAST_PLANS_ROWS: fullSize, HOLDFAST_PLANS_REPORT: reportFile } = process.env;
const rows = Number(fullSize ?? 5_000);
/** A table that any way to read is good for. Where sequential scans are dear, an index is asked for earlier. */
const fewRows = fullSize ? rows / 100 : 500;
/** Of the clinics that do everything, so that no table of tenants is empty. */
const copies = Math.max(60, rows / 500);

/** What the network has besides: what triggers, which are off, would add. */
const link = [
  ...roles.flatMap((role) => role.link ?? []),
  `insert into public.access_thresholds (organization_id, created_at, updated_at)
   select id, created_at, updated_at from public.organizations`,
];
/** No operation fills them; a clinic fills them in with a few rows of its own. */
const settingsOfClinics = [
  "app.told_authorizations",
  "public.buffer_rules",
  "public.cancellation_rules",
  "public.client_preferred_hours",
  "public.payer_modifiers",
  "public.payer_rules",
  "public.service_consents",
  "public.session_teams",
];

let own: Stack;
let admin: Sql;
let catalog: Catalog;
let captured: Captured[];
let unseen: string[];
let findings: Finding[];

beforeAll(async () => {
  own = await startOwnStack({ settings: captureSettings });
  admin = postgres(own.adminDatabaseUrl, { max: 1, onnotice: () => {} });
  await prepareServer(own.adminDatabaseUrl);
  await loadNetwork(own.adminDatabaseUrl, rows, link);
  await fillCalendars(own.adminDatabaseUrl);
  // The flows' helpers talk to the stack that their file is given: from here on, to this one.
  Object.assign(inject("stack"), own);
  const { runEveryFlow } = await import("../leaks/flows.ts");
  const network = await organizations();
  await runEveryFlow();
  const clinics = (await organizations()).filter((id) => !network.includes(id));
  await multiply(admin, clinics, copies);
  await settle(admin);
  if (!fullSize) await admin`alter system set enable_seqscan = off`;
  const askers = await questionsOfEveryRole(admin, clinics);
  await startCapture(admin);
  await runEveryFlow();
  // A plan is made before it is known who asks: here one who manages, one who gives sessions and a family are enough.
  await ask(
    admin,
    askers.filter(({ role }) => fullSize || ["admin", "therapist", "client"].includes(role)),
  );
  await runJobs(admin);
  const { dataDir } = (await (await fetch(`${own.url}/health`)).json()) as { dataDir: string };
  const logFile = join(dataDir, "postgres.log");
  await stopCapture(admin, logFile);
  captured = await readCaptured(logFile);
  unseen = await unseenStatements(admin, captured);
  catalog = await readCatalog(admin, fewRows);
  findings = captured.flatMap((plan) => judge(plan, catalog));
  if (reportFile) await writeFile(reportFile, JSON.stringify(await report()));
}, 3_600_000);
afterAll(async () => {
  await admin?.end();
  await own?.stop();
});

async function organizations(): Promise<string[]> {
  return (await admin<{ id: string }[]>`select id from public.organizations`).map(({ id }) => id);
}

async function report(): Promise<Report> {
  const counted = await admin<[{ sessions: number; organizations: number }]>`
    select (select count(*)::integer from public.sessions) as sessions,
      (select count(*)::integer from public.organizations) as organizations`;
  return {
    machine: await machineLine(admin),
    ...counted[0],
    plans: captured.length,
    statements: new Set(captured.map(({ queryId }) => queryId)).size,
    findings: linesOf(findings.filter((finding) => !isException(finding))),
  };
}

describe("every statement", () => {
  it("that the server counted has a plan that is judged", () => {
    expect(captured.length).toBeGreaterThan(10_000);
    expect(unseen).toEqual([]);
  });

  it("reads tables of tenants that are filled, each but those that a clinic sets up by hand", async () => {
    expect(await smallTables(admin, copies)).toEqual(settingsOfClinics);
  });

  it("finds its rows by an index, calls no function for each of many, and expects about what it gets", () => {
    expect(linesOf(findings.filter((finding) => !isException(finding)))).toEqual([]);
  });

  // Where tables are small none is needed.
  if (fullSize) {
    it("that is an exception is one still", () => {
      for (const { of, within } of exceptions) {
        expect(findings).toContainEqual(expect.objectContaining({ of, within }));
      }
    });
  }
});

describe("a fault is found when it is planted:", () => {
  const therapist = { user: "therapist 1", filter: "therapist_id = md5('therapist 1')::uuid" };
  const operator = { user: null, filter: "organization_id = md5('organization 0')::uuid" };
  type Asker = typeof therapist | typeof operator;

  /** What is found in the plan of somebody's sessions, after a change that is undone. */
  async function faultsAfter(change: string, asker: Asker = therapist): Promise<string[]> {
    const undone = new Error("undone");
    let found: Finding[] = [];
    const planted = admin.begin(async (transaction) => {
      await transaction.unsafe(change);
      const plan = await planOf(transaction, asker);
      found = judge(
        { queryId: "", text: "", within: [], login: "", plan },
        await readCatalog(transaction, fewRows),
      );
      throw undone;
    });
    await expect(planted).rejects.toBe(undone);
    return [...new Set(found.map(({ fault, of }) => `${fault}: ${of}`))];
  }

  async function planOf(sql: TransactionSql, { user, filter }: Asker): Promise<PlanNode> {
    if (user !== null) {
      const id = `md5('user ${user}')::uuid`;
      await sql.unsafe(`
        select set_config('request.jwt.claims', public.custom_access_token_hook(jsonb_build_object('user_id', ${id}, 'claims',
          jsonb_build_object('sub', ${id}, 'session_id', ${id}, 'role', 'authenticated', 'aal', 'aal2'))) ->> 'claims', true)`);
      await sql.unsafe("set local role authenticated");
    }
    const [row] = await sql.unsafe<{ "QUERY PLAN": [{ Plan: PlanNode }] }[]>(
      `explain (analyze, verbose, timing off, format json) select id from public.sessions where ${filter}`,
    );
    await sql.unsafe("reset role");
    if (!row) throw new Error("explain gave no plan");
    return row["QUERY PLAN"][0].Plan;
  }

  it("none where nothing is", async () => {
    expect(await faultsAfter("select")).toEqual([]);
    expect(await faultsAfter("select", operator)).toEqual([]);
  });

  it("an index that is gone", async () => {
    const [{ drops }] = await admin<[{ drops: string }]>`
      select string_agg(format('drop index %s', indexrelid::regclass), '; ') as drops
      from pg_index
      where indrelid = 'public.sessions'::regclass and not indisunique and not indisexclusion`;
    expect(await faultsAfter(drops)).toEqual(["reads the whole table: public.sessions"]);
  });

  it("an index that another column leads", async () => {
    const [{ drops }] = await admin<[{ drops: string }]>`
      select string_agg(format('drop index %s', indexrelid::regclass), '; ') as drops
      from pg_index
      join pg_attribute on attrelid = indrelid and attnum = indkey[0] and attname = 'therapist_id'
      where indrelid = 'public.sessions'::regclass and not indisunique and not indisexclusion`;
    const led = `
      ${drops};
      create index planted on public.sessions (organization_id, therapist_id);
      set local enable_seqscan = off`;
    // A bitmap's plan names the index, another the table.
    expect((await faultsAfter(led)).join()).toMatch(/^reads the whole index: (planted|public\.sessions)$/);
  });

  it("a policy that asks a function for each row", async () => {
    const policy = `
      create function app.planted(organization uuid) returns boolean language plpgsql stable security definer
        set search_path = '' as $$ begin return exists (select from public.user_roles); end $$;
      grant execute on function app.planted to authenticated;
      create policy planted on public.sessions as restrictive for select to authenticated using (app.planted(organization_id))`;
    expect(await faultsAfter(policy)).toEqual(["calls a function for each row: public.sessions"]);
  });

  it("an estimate that is far off", async () => {
    const everyValueOnce = `
      update pg_statistic
      set stadistinct = -1, stakind1 = 0, stakind2 = 0, stakind3 = 0, stakind4 = 0, stakind5 = 0
      where starelid = 'public.sessions'::regclass`;
    expect(await faultsAfter(everyValueOnce, operator)).toEqual(["expects too few rows: public.sessions"]);
  });
});
