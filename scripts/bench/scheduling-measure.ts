// Calls the booking RPCs as a user and times them in the server.
//
// As in the `rls` benchmark, no round trip blurs the figures: a call is a transaction that sets role and claims as
// PostgREST does, and what is timed is the call and its commit. Ways of many calls are spared a round trip each.

import type { Sql } from "postgres";
import type { Clinic } from "./scheduling-network.ts";

export async function createMeasures(sql: Sql): Promise<void> {
  await sql.unsafe(`
    create schema if not exists bench;

    create or replace procedure bench.call(
      claims text, operation text, requests jsonb[], inout us float8, inout answer jsonb)
    language plpgsql
    as $$
    declare
      started timestamptz;
      request jsonb;
    begin
      us := 0;
      foreach request in array requests loop
        perform set_config('role', 'authenticated', true), set_config('request.jwt.claims', claims, true);
        started := clock_timestamp();
        execute format('select public.%I($1)', operation) into answer using request;
        commit;
        us := us + extract(epoch from clock_timestamp() - started) * 1e6;
      end loop;
    end
    $$;

    create or replace procedure bench.as_owner(query text, inout us float8, inout answer jsonb)
    language plpgsql
    as $$
    declare
      started timestamptz := clock_timestamp();
    begin
      execute query into answer;
      commit;
      us := extract(epoch from clock_timestamp() - started) * 1e6;
    end
    $$;

    create or replace procedure bench.book(
      claims text, requests jsonb[], inout hold_us float8, inout confirm_us float8, inout hold_keys uuid[])
    language plpgsql
    as $$
    declare
      started timestamptz;
      request jsonb;
      held jsonb;
      booked jsonb;
    begin
      hold_us := 0;
      confirm_us := 0;
      hold_keys := '{}';
      foreach request in array requests loop
        perform set_config('role', 'authenticated', true), set_config('request.jwt.claims', claims, true);
        started := clock_timestamp();
        held := public.hold_sessions(request);
        commit;
        hold_us := hold_us + extract(epoch from clock_timestamp() - started) * 1e6;
        request := jsonb_build_object('hold_key', held -> 'data' ->> 'hold_key', 'time_zone', request ->> 'time_zone');
        perform set_config('role', 'authenticated', true), set_config('request.jwt.claims', claims, true);
        started := clock_timestamp();
        booked := public.confirm_sessions(request);
        commit;
        confirm_us := confirm_us + extract(epoch from clock_timestamp() - started) * 1e6;
        if held ? 'problem' or booked ? 'problem' then
          raise exception 'not booked: % %', held -> 'problem', booked -> 'problem';
        end if;
        hold_keys := hold_keys || (held -> 'data' ->> 'hold_key')::uuid;
      end loop;
    end
    $$;

    -- With the settings of app.run_operation, in which these functions run otherwise.
    create or replace function bench.split(
      organization uuid, therapists uuid[], client uuid, within tstzrange, zone text)
    returns table (part text, us float8)
    language plpgsql
    set search_path = ''
    set plan_cache_mode = force_generic_plan
    set enable_seqscan = off
    as $$
    declare
      started timestamptz := clock_timestamp();
      hour interval := interval '1 hour';
      open_time tstzmultirange[];
      starts timestamptz[];
      answers jsonb[];
    begin
      perform app.assigned_time(organization, therapist, client, within) from unnest(therapists) therapist;
      part := 'care team (assigned_time)';
      us := extract(epoch from clock_timestamp() - started) * 1e6;
      return next;
      started := clock_timestamp();
      perform app.available_time(organization, therapist, tstzmultirange(within)) from unnest(therapists) therapist;
      part := 'hours (available_time)';
      us := extract(epoch from clock_timestamp() - started) * 1e6;
      return next;
      started := clock_timestamp();
      perform app.unclaimed_time(therapist, 0::smallint, within) from unnest(therapists) therapist;
      part := 'claims of the therapists (unclaimed_time)';
      us := extract(epoch from clock_timestamp() - started) * 1e6;
      return next;
      started := clock_timestamp();
      perform app.unclaimed_time(client, 0::smallint, within) from unnest(therapists);
      part := 'claims of the client, once a therapist (unclaimed_time)';
      us := extract(epoch from clock_timestamp() - started) * 1e6;
      return next;

      open_time := array(
        select app.available_time(organization, therapist, tstzmultirange(within))
          * app.unclaimed_time(therapist, 0::smallint, within) * app.unclaimed_time(client, 0::smallint, within)
        from unnest(therapists) therapist);
      started := clock_timestamp();
      starts := array(
        select start_time from unnest(open_time) one cross join lateral app.starts_on_grid(one, hour, hour / 4, zone) start_time);
      part := 'starts (starts_on_grid)';
      us := extract(epoch from clock_timestamp() - started) * 1e6;
      return next;
      started := clock_timestamp();
      perform to_jsonb(starts);
      part := 'JSON';
      us := extract(epoch from clock_timestamp() - started) * 1e6;
      return next;
    end
    $$;
  `);
}

/** Makes the calls one after the other. Microseconds of all of them, and what the last one answered. */
export async function call(
  sql: Sql,
  { claims }: Pick<Clinic, "claims">,
  operation: string,
  requests: object[],
): Promise<{ us: number; answer: Record<string, unknown> }> {
  const [row] = await sql.unsafe<{ us: number; answer: Record<string, unknown> }[]>(
    `call bench.call(${literal(claims)}, ${literal(operation)}, ${jsonArray(requests)}, null, null)`,
  );
  if (!row) throw new Error("bench.call gave no row");
  return row;
}

export interface Booking {
  hold: number;
  confirm: number;
  holdKeys: string[];
}

/** Holds and confirms each request, in microseconds of all holds and of all confirmations. Throws when one is refused. */
export async function book(sql: Sql, { claims }: Clinic, requests: object[]): Promise<Booking> {
  const [row] = await sql.unsafe<{ hold_us: number; confirm_us: number; hold_keys: string[] }[]>(
    `call bench.book(${literal(claims)}, ${jsonArray(requests)}, null, null, null)`,
  );
  if (!row) throw new Error("bench.book gave no row");
  return { hold: row.hold_us, confirm: row.confirm_us, holdKeys: row.hold_keys };
}

/** Takes back what `book` or a hold wrote, as the tables' owner: the ledger follows, the audit trail stays. */
export async function undo(sql: Sql, holdKeys: string[]): Promise<void> {
  await sql.begin(async (transaction) => {
    const holds = transaction`
      select id from public.session_holds where batch_key = any(${holdKeys}::uuid[])`;
    await transaction`delete from public.sessions where id in (${holds})`;
    await transaction`delete from public.session_holds where batch_key = any(${holdKeys}::uuid[])`;
    await transaction`delete from public.session_series where id = any(${holdKeys}::uuid[])`;
  });
}

/** Runs a query that answers one JSON document, as the tables' owner. */
export async function asOwner(sql: Sql, query: string): Promise<{ us: number; answer: unknown }> {
  const [row] = await sql.unsafe<{ us: number; answer: unknown }[]>(
    `call bench.as_owner(${literal(query)}, null, null)`,
  );
  if (!row) throw new Error("bench.as_owner gave no row");
  return row;
}

// ---------------------------------------------------------------------------------------------------------
// How the tables were read
// ---------------------------------------------------------------------------------------------------------

const watched = [
  "sessions",
  "calendar_claims",
  "session_holds",
  "therapist_availability",
  "availability_exceptions",
  "care_team_assignments",
];

export interface TableReads {
  table: string;
  sequential: number;
  /** Index name, how often it was scanned and how many entries were read from it. */
  indexes: { name: string; scans: number; entries: number }[];
}

/** What `run` read of the watched tables, by the server's own count. Nothing else may run beside it. */
export async function readsOf(sql: Sql, run: () => Promise<void>): Promise<TableReads[]> {
  const before = await counters(sql);
  await run();
  const after = await counters(sql);
  return after.map(({ table, sequential, indexes }, at) => ({
    table,
    sequential: sequential - (before[at]?.sequential ?? 0),
    indexes: indexes
      .map(({ name, scans, entries }, index) => ({
        name,
        scans: scans - (before[at]?.indexes[index]?.scans ?? 0),
        entries: entries - (before[at]?.indexes[index]?.entries ?? 0),
      }))
      .filter(({ scans }) => scans > 0),
  }));
}

async function counters(sql: Sql): Promise<TableReads[]> {
  // The connection's own counts go out when its statement ends: the next one sees them.
  await sql`select pg_stat_force_next_flush()`;
  return sql<TableReads[]>`
    select it.relname as table, it.seq_scan::float8 as sequential,
      (select jsonb_agg(jsonb_build_object(
          'name', index.indexrelname, 'scans', index.idx_scan, 'entries', index.idx_tup_read) order by index.indexrelname)
        from pg_stat_user_indexes index
        where index.relid = it.relid) as indexes
    from pg_stat_user_tables it
    where it.schemaname = 'public' and it.relname = any(${watched})
    order by array_position(${watched}::text[], it.relname::text)`;
}

function literal(value: string): string {
  return `'${value.replaceAll("'", "''")}'`;
}

function jsonArray(values: object[]): string {
  return `array[${values.map((value) => literal(JSON.stringify(value))).join(", ")}]::jsonb[]`;
}
