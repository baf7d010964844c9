// The reads that apps make without a function: every table and view that the API shows, asked by users of every role for
// what is theirs, for what belongs to a row that they know of, and for a week. And what runs with nobody asking.

import type { Sql } from "postgres";

/** As `max_rows` of supabase/config.toml. */
const page = 1000;

interface Relation {
  name: string;
  columns: string[];
  /** Columns that point to other rows; an app that shows one of these asks for what belongs to it. */
  references: string[];
  /** Has a start_time. */
  timed: boolean;
}

interface Question {
  text: string;
  values: string[];
}

interface Asker {
  role: string;
  claims: string;
  /** By relation. */
  asks: Question[][];
}

/** What two users of each role ask: one of the largest clinic, one of the given organizations. */
export async function questionsOfEveryRole(admin: Sql, organizations: readonly string[]): Promise<Asker[]> {
  const relations = await readable(admin);
  const users = await admin<{ role: string; claims: string; organization: string }[]>`
    with member as (
      select membership.user_id, membership.organization_id, membership.role,
        row_number() over (
          partition by membership.role, membership.organization_id = any (${organizations}::uuid[])
          order by membership.user_id) as place
      from public.user_roles membership
      where membership.revoked_at is null
        and (membership.organization_id = any (${organizations}::uuid[])
          or membership.organization_id = md5('organization 0')::uuid)
        and exists (select from auth.sessions session where session.id = membership.user_id)
    )
    select role, organization_id as organization,
      public.custom_access_token_hook(jsonb_build_object('user_id', user_id, 'claims', jsonb_build_object(
        'sub', user_id, 'session_id', user_id, 'role', 'authenticated', 'aal', 'aal2'))) ->> 'claims' as claims
    from member
    where place = 1`;
  const ofOrganization = new Map<string, Question[][]>();
  for (const organization of new Set(users.map((user) => user.organization))) {
    const asks = relations.map(async (relation) =>
      questionsOf(relation, await knownRow(admin, relation, organization)),
    );
    ofOrganization.set(organization, await Promise.all(asks));
  }
  return users.map(({ role, claims, organization }) => ({
    role,
    claims,
    asks: ofOrganization.get(organization) ?? [],
  }));
}

export async function ask(admin: Sql, askers: readonly Asker[]): Promise<void> {
  for (const { claims, asks } of askers) {
    await admin.begin(async (transaction) => {
      await transaction`select set_config('request.jwt.claims', ${claims}, true)`;
      await transaction`set local role authenticated`;
      for (const questions of asks) {
        await Promise.all(questions.map(({ text, values }) => transaction.unsafe(text, values).raw()));
      }
    });
  }
}

async function readable(admin: Sql): Promise<Relation[]> {
  return admin<Relation[]>`
    select format('%I.%I', 'public', relation.relname) as name,
      array_agg(attribute.attname::text order by attnum) as columns,
      array(
        select distinct it.attname::text
        from pg_constraint key
        join pg_attribute it on it.attrelid = key.conrelid and it.attnum = any (key.conkey)
        where key.conrelid = relation.oid and key.contype in ('f', 'p') and it.atttypid = 'uuid'::regtype
          and has_column_privilege('authenticated', relation.oid, it.attnum, 'select')) as references,
      bool_or(attribute.attname = 'start_time') as timed
    from pg_class relation
    join pg_attribute attribute on attribute.attrelid = relation.oid
    where relation.relnamespace = 'public'::regnamespace and relation.relkind in ('r', 'p', 'v')
      and attribute.attnum > 0 and not attribute.attisdropped
      and has_column_privilege('authenticated', relation.oid, attribute.attnum, 'select')
    group by relation.oid
    order by 1`;
}

/** Of some row of the organization, what an app may know: the ids in it. */
async function knownRow(
  sql: Sql,
  { name, references }: Relation,
  organization: string,
): Promise<Record<string, string | null>> {
  if (!references.includes("organization_id")) return {};
  const [row] = await sql.unsafe<Record<string, string | null>[]>(
    `select ${references} from ${name} where organization_id = $1 limit 1`,
    [organization],
  );
  return row ?? { organization_id: organization };
}

function questionsOf({ name, columns, timed }: Relation, values: Record<string, string | null>): Question[] {
  const all = `select ${columns} from ${name}`;
  const questions: Question[] = [{ text: `${all} limit ${page}`, values: [] }];
  for (const [column, value] of Object.entries(values)) {
    if (value !== null) questions.push({ text: `${all} where ${column} = $1`, values: [value] });
  }
  const aWeek = "start_time >= now() and start_time < now() + interval '7 days'";
  if (timed) questions.push({ text: `${all} where ${aWeek} order by start_time`, values: [] });
  return questions;
}

/** The jobs, and what monitors ask. */
export async function runJobs(sql: Sql): Promise<void> {
  const jobs = await sql<{ name: string }[]>`select name from app.jobs order by name`;
  for (const { name } of jobs) {
    const [run] = await sql<{ answer: { outcome: string } }[]>`select app.run_job(${name}) as answer`;
    if (run?.answer.outcome !== "ok")
      throw new Error(`the job ${name} failed: ${JSON.stringify(run?.answer)}`);
  }
  await sql`select app.due_jobs()`;
  await sql`select app.metrics()`;
  await sql`select app.health()`;
}
