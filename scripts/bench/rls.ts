// `npm run bench -- rls`: what row-level security costs the queries an app makes, and whether that grows with the table.

import { readFile } from "node:fs/promises";
import postgres, { type Sql } from "postgres";
import type { Size } from "./benchmark.ts";
import { machineLine, prepareServer, progress, quantile, spread, withStack } from "./harness.ts";
import { loadNetwork, type Network } from "./network.ts";
import { type Query, queriesOf, type Role, roles } from "./rls-cases.ts";
import {
  createMeasure,
  type Mode,
  measure,
  nodesOf,
  planUnderRls,
  type Sample,
  statementsOf,
} from "./rls-measure.ts";
import { type Figures, type Report, type Result, samplesPerRole } from "./rls-report.ts";

/** `file`: SQL to run after the migrations, to try a change on a million rows. */
export async function runRls({ rows, repetitions }: Size, file?: string): Promise<Report> {
  return withStack(async (stack) => {
    // As the role that owns the tables, so that one connection can be itself and, in a transaction, `authenticated`.
    const sql = postgres(stack.databaseUrl, { max: 1, onnotice: () => {}, connection: { timezone: "UTC" } });
    try {
      await prepareServer(stack.adminDatabaseUrl);
      await createMeasure(sql);
      if (file) await sql.unsafe(await readFile(file, "utf8"));
      const report: Report = { machine: await machineLine(sql), repetitions, networks: [], results: [] };
      for (const size of [rows / 100, rows / 10, rows]) {
        progress(`making ${Math.round(size).toLocaleString("en")} sessions`);
        const link = roles.flatMap((role) => role.link ?? []);
        const network = await loadNetwork(stack.adminDatabaseUrl, size, link);
        report.networks.push(network);
        for (const role of roles) {
          progress(`measuring as ${role.name}`);
          const samples = await samplesOf(sql, role);
          for (const query of queriesOf(role)) {
            report.results.push(await resultOf(sql, network, role, query, samples, repetitions));
          }
        }
      }
      return report;
    } finally {
      await sql.end();
    }
  });
}

/** Users of the role from all over the network, each with something to ask for. */
export async function samplesOf(sql: Sql, role: Role): Promise<Sample[]> {
  const more = Object.entries(role.values ?? {})
    .map(([key, value]) => `, '${key}', ${value}`)
    .join("");
  // Claims as an access token of hosted Auth has them, through the project's hook.
  const rows = await sql.unsafe<{ claims: string; parameters: Record<string, string> }[]>(
    `
    with member as (
      select membership.user_id, membership.organization_id, membership.role, own.id as therapist_id, round
      from generate_series(1, ${samplesPerRole}) as round
      cross join public.user_roles membership
      left join public.therapists own
        on own.user_id = membership.user_id and own.organization_id = membership.organization_id
      where membership.role = $1
      order by round, md5(membership.user_id::text)
      limit ${samplesPerRole}
    )
    select
      public.custom_access_token_hook(jsonb_build_object('user_id', member.user_id, 'claims', jsonb_build_object(
        'iss', 'https://project.example/auth/v1', 'sub', member.user_id, 'aud', 'authenticated', 'role', 'authenticated',
        'exp', 2000000000, 'iat', 1900000000, 'email', member.user_id || '@bench.example', 'phone', '', 'aal', 'aal2',
        'amr', '[{"method": "password", "timestamp": 1900000000}, {"method": "totp", "timestamp": 1900000000}]'::jsonb,
        'app_metadata', '{"provider": "email", "providers": ["email"]}'::jsonb, 'user_metadata', '{"email_verified": true}'::jsonb,
        'session_id', member.user_id, 'is_anonymous', false))) ->> 'claims' as claims,
      jsonb_build_object(
        'organization', member.organization_id,
        'therapist', team.therapist_id,
        'client', team.client_id,
        'monday', monday, 'next_monday', monday + interval '7 days',
        'day', monday + interval '1 day' * (round % 5), 'next_day', monday + interval '1 day' * (round % 5 + 1),
        'month', monday - interval '28 days', 'next_month', monday${more}) as parameters
    from member
    cross join lateral (
      select assignment.therapist_id, assignment.client_id
      from public.care_team_assignments assignment
      where assignment.organization_id = member.organization_id
        and assignment.therapist_id = coalesce(member.therapist_id, assignment.therapist_id)
        and (assignment.team_role = 'therapist' or member.role = 'psychiatrist' and assignment.team_role = member.role)
      order by md5(member.round || assignment.id::text)
      limit 1
    ) team
    cross join lateral (
      select (date_trunc('week', now() at time zone 'UTC') - interval '7 days' * (5 + round % 20)) at time zone 'UTC' as monday
    ) clock`,
    [role.name],
  );
  if (rows.length !== samplesPerRole) throw new Error(`the network has no users who are ${role.name}`);
  return rows.map(({ claims, parameters }) => ({ claims, values: parameters }));
}

async function resultOf(
  sql: Sql,
  network: Network,
  role: Role,
  query: Query,
  samples: Sample[],
  repetitions: number,
): Promise<Result> {
  const statements = statementsOf(role, query);
  const access = new Set<string>();
  for (const sample of samples) {
    for (const node of nodesOf(await planUnderRls(sql, statements.rls, sample))) {
      if (node["Relation Name"] === "sessions" && node["Node Type"] === "Seq Scan") access.add("Seq Scan");
      if (node["Index Name"]?.startsWith("sessions_")) access.add(node["Index Name"]);
    }
  }
  const figures = async (mode: Mode): Promise<Figures> => {
    const { rls, plain } = await measure(sql, statements, samples, mode, repetitions);
    const sides = { plain: spread(plain), rls: spread(rls) };
    const added = rls.map((us, run) => us - (plain[run] ?? Number.NaN));
    return { ...sides, ratio: sides.rls.median / sides.plain.median, added: quantile(added, 0.5) };
  };
  return {
    sessions: network.sessions,
    role: role.name,
    query: query.name,
    access: [...access].sort(),
    prepared: await figures("prepared"),
    planned: await figures("planned"),
  };
}
