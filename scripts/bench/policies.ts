// `npm run bench -- policies`: our policy on sessions beside those of common tutorials, on copies of the same table.

import postgres, { type Sql } from "postgres";
import type { Size } from "./benchmark.ts";
import { machineLine, prepareServer, progress, quantile, spread, withStack } from "./harness.ts";
import { loadNetwork } from "./network.ts";
import type { Report } from "./policies-report.ts";
import { samplesOf } from "./rls.ts";
import { queriesOf, roles } from "./rls-cases.ts";
import { createMeasure, measure, type Sample, statementsOf } from "./rls-measure.ts";

/** Who asks: one whose rows are few, and one who sees the whole organization. */
const asked = ["therapist", "internal_ops"];
/** Reading the whole table for every statement takes long: few runs of few users show it. */
const fewSamples = 3;

/** What tutorials teach, each with USING as they write it. Their tables have no policies of their own, which is kind to them. */
export const policies = {
  subqueries: `
    organization_id in (
      select membership.organization_id from bench.memberships membership
      where membership.user_id = auth.uid() and membership.role = 'internal_ops')
    or therapist_id in (select therapist.id from bench.therapists therapist where therapist.user_id = auth.uid())`,
  join: `
    exists (
      select
      from bench.memberships membership
      left join bench.therapists therapist
        on therapist.user_id = membership.user_id and therapist.organization_id = membership.organization_id
      where membership.user_id = auth.uid() and membership.organization_id = it.organization_id
        and (membership.role = 'internal_ops' or therapist.id = it.therapist_id))`,
  function: "bench.may_see(organization_id, therapist_id)",
} as const;

export type Policy = keyof typeof policies;

export async function runPolicies({ rows, repetitions }: Size): Promise<Report> {
  return withStack(async ({ adminDatabaseUrl, databaseUrl }) => {
    const sql = postgres(databaseUrl, { max: 1, onnotice: () => {}, connection: { timezone: "UTC" } });
    try {
      await prepareServer(adminDatabaseUrl);
      await createMeasure(sql);
      progress(`making ${rows.toLocaleString("en")} sessions`);
      const network = await loadNetwork(
        adminDatabaseUrl,
        rows,
        roles.flatMap((role) => role.link ?? []),
      );
      await createCopies(sql);
      const results: Report["results"] = [];
      for (const role of roles.filter(({ name }) => asked.includes(name))) {
        progress(`measuring as ${role.name}`);
        const samples = await samplesOf(sql, role);
        for (const query of queriesOf(role)) {
          const { plain, rls } = statementsOf(role, query);
          const of = async (statement: string, users: Sample[], times: number) => {
            const timings = await measure(sql, { plain, rls: statement }, users, "prepared", times);
            const sides = { plain: spread(timings.plain), rls: spread(timings.rls) };
            return { ...sides, ratio: sides.rls.median / sides.plain.median };
          };
          const naive = async (policy: Policy) =>
            of(
              rls.replace("public.sessions", `bench.sessions_${policy} it`),
              samples.slice(0, fewSamples),
              Math.max(3, Math.round(repetitions / 20)),
            );
          results.push({
            role: role.name,
            query: query.name,
            ours: await of(rls, samples, repetitions),
            subqueries: await naive("subqueries"),
            join: await naive("join"),
            function: await naive("function"),
          });
        }
      }
      const worst = quantile(
        results.map(({ subqueries, ours }) => subqueries.rls.median / ours.rls.median),
        1,
      );
      return { machine: await machineLine(sql), repetitions, network, results, worst };
    } finally {
      await sql.end();
    }
  });
}

async function createCopies(sql: Sql): Promise<void> {
  await sql.unsafe(`
    grant usage on schema bench to authenticated;
    create table bench.memberships as select user_id, organization_id, role from public.user_roles;
    create unique index on bench.memberships (user_id, organization_id, role);
    create table bench.therapists as select id, user_id, organization_id from public.therapists;
    create unique index on bench.therapists (id);
    create index on bench.therapists (user_id);
    grant select on bench.memberships, bench.therapists to authenticated;

    create function bench.may_see(organization uuid, therapist uuid)
    returns boolean
    language sql
    stable
    security definer
    set search_path = ''
    as $$
      select exists (
          select from bench.memberships it
          where it.user_id = auth.uid() and it.organization_id = organization and it.role = 'internal_ops')
        or exists (select from bench.therapists it where it.id = therapist and it.user_id = auth.uid())
    $$;
    grant execute on function bench.may_see to authenticated;
  `);
  for (const [name, using] of Object.entries(policies)) {
    const table = `bench.sessions_${name}`;
    await sql.unsafe(`
      create table ${table} (like public.sessions including defaults including indexes including generated);
      insert into ${table} (${copiedColumns})
      select ${copiedColumns} from public.sessions order by start_time;
      alter table ${table} enable row level security;
      create policy "as tutorials have it" on ${table} as permissive for select to authenticated
        using (${using.replaceAll("it.", `sessions_${name}.`)});
      grant select on ${table} to authenticated;
    `);
  }
  for (const name of Object.keys(policies)) await sql.unsafe(`vacuum (analyze) bench.sessions_${name}`);
}

/** What the queries read, and what must not be null. */
const copiedColumns = `
  id, claim_id, organization_id, therapist_id, client_id, service_id, room_id, client_lane, takes_every_lane,
  buffer_before_minutes, buffer_after_minutes, start_time, end_time, time_zone, status, status_changed_at, created_at, updated_at`;
