// What the `records` benchmark does to the database besides calling it: muting the audit trail, a table of notes as one
// would make it without this project, and a trail that is long enough to seal.

import type { Sql } from "postgres";

/** A table of notes in plain text under one policy, and a way to time a query as a user. */
export async function createPlainNotes(sql: Sql): Promise<void> {
  await sql.unsafe(`
    create table bench.notes (
      id uuid primary key default gen_random_uuid(),
      session_id uuid not null,
      author_id uuid not null default auth.uid(),
      text text not null,
      created_at timestamptz not null default now()
    );
    create index on bench.notes (session_id);
    alter table bench.notes enable row level security;
    create policy "own notes" on bench.notes to authenticated using (author_id = (select auth.uid()));
    grant usage on schema bench to authenticated;
    grant select, insert on bench.notes to authenticated;

    create procedure bench.query(claims text, query text, inout us float8, inout answer jsonb)
    language plpgsql
    as $$
    declare
      started timestamptz;
    begin
      perform set_config('role', 'authenticated', true), set_config('request.jwt.claims', claims, true);
      started := clock_timestamp();
      execute query into answer;
      commit;
      us := extract(epoch from clock_timestamp() - started) * 1e6;
    end
    $$;
  `);
}

/** Microseconds of a query that answers one JSON document, as a user. */
export async function queryAs(sql: Sql, claims: string, query: string): Promise<number> {
  const [row] = await sql<
    { us: number; answer: unknown }[]
  >`call bench.query(${claims}, ${query}, null, null)`;
  if (!row?.answer) throw new Error("the query answered nothing");
  return row.us;
}

/** The triggers that do nothing but write events. */
const recorders = `
  select format('%s %%s trigger %I', trigger.tgrelid::regclass, trigger.tgname) as trigger
  from pg_trigger trigger
  join pg_proc function on function.oid = trigger.tgfoid
  join pg_class relation on relation.oid = trigger.tgrelid
  where relation.relnamespace = 'public'::regnamespace and function.proname ~ '^record_'
    and function.prosrc ~ 'insert into audit.events'`;

/**
 * Runs something with the audit trail muted: its triggers are off, and what functions write into it goes nowhere.
 */
export async function muted<Result>(sql: Sql, run: () => Promise<Result>): Promise<Result> {
  const triggers = (await sql.unsafe<{ trigger: string }[]>(recorders)).map(({ trigger }) => trigger);
  if (triggers.length === 0) throw new Error("no trigger writes events");
  const turn = async (what: "disable" | "enable"): Promise<void> => {
    for (const trigger of triggers) await sql.unsafe(`alter table ${trigger.replace("%s", what)}`);
  };
  await turn("disable");
  await sql`create rule muted as on insert to audit.events do instead nothing`;
  try {
    const before = await countEvents(sql);
    const result = await run();
    if ((await countEvents(sql)) !== before)
      throw new Error("an event was written while the trail was muted");
    return result;
  } finally {
    await sql`drop rule muted on audit.events`;
    await turn("enable");
  }
}

export async function countEvents(sql: Sql): Promise<number> {
  const [row] = await sql<{ events: number }[]>`select count(*)::integer as events from audit.events`;
  return row?.events ?? 0;
}

/** Adds events until there are so many, as bookings write them, each a thousand in a transaction of their own. */
export async function fillTrail(sql: Sql, events: number): Promise<void> {
  const missing = events - (await countEvents(sql));
  await sql.unsafe(`
    do $$
    begin
      for written in 0 .. ${Math.max(0, Math.ceil(missing / 1000) - 1)} loop
        insert into audit.events (organization_id, actor_id, action, table_name, row_id, details)
        select md5('organization 0')::uuid, md5('actor ' || number % 50)::uuid, 'session.scheduled', 'sessions',
          gen_random_uuid(), '{"after": {"status": "scheduled", "place_of_service": "12"}}'
        from generate_series(1, least(1000, ${missing} - written * 1000)) number;
        commit;
      end loop;
    end
    $$`);
  await sql.unsafe("vacuum (analyze) audit.events");
}
