// The sides of the `booking` benchmark as procedures. Each loops in the server until its time is up, one booking of two
// transactions after the other, with no round trip in between; all choose their times alike and count alike.

import type { Sql } from "postgres";
import { literal, type Template } from "./booking-rows.ts";
import { copied, hotTherapists } from "./booking-setup.ts";

export const sides = ["holdfast", "bare", "copies", "check", "locks"] as const;
export type Side = (typeof sides)[number];

/** What one loop did. */
export interface Loop {
  /** All attempts, and the bookings that came before the count. */
  attempts: number;
  warmed: number;
  booked: number;
  refused: number;
  /** Attempts that ended with 40P01; of Holdfast, those that were answered `unavailable`. */
  deadlocks: number;
  seconds: number;
  /** Microseconds of each attempt. */
  us: number[];
}

/** Where and how long to book. */
export interface Segment {
  side: Side;
  clients: number;
  /** Few therapists, and times that overlap in part; else every loop has therapists of its own. */
  hot: boolean;
  /** The first time that is booked. */
  base: Date;
  seconds: number;
}

export async function createSides(sql: Sql, template: Template): Promise<void> {
  const toCopies = (text: string): string =>
    copied.reduce((done, table) => done.replaceAll(`public.${table} `, `bench.${table} `), text);
  const bodies: Record<Side, { hold: string; confirm: string }> = {
    holdfast: {
      hold: `
        ${asUser}
        answer := public.hold_sessions(jsonb_build_object(
          'therapist_id', v_therapist, 'client_id', v_client, 'service_code', '97153', 'time_zone', 'UTC',
          'occurrences', jsonb_build_array(jsonb_build_object('start_time', v_start, 'end_time', v_end,
            'start_time_offset_minutes', 0, 'end_time_offset_minutes', 0))));
        outcome := case
          when answer ? 'data' then null
          when answer -> 'problem' ->> 'code' in ('therapist_conflict', 'client_conflict') then 'refused'
          when answer -> 'problem' ->> 'code' = 'unavailable' then 'deadlock'
          else 'failed: ' || answer::text end;
        v_hold := (answer -> 'data' ->> 'hold_key')::uuid;`,
      confirm: `
        ${asUser}
        answer := public.confirm_sessions(jsonb_build_object('hold_key', v_hold, 'time_zone', 'UTC'));
        outcome := case
          when answer ? 'data' then null
          when answer -> 'problem' ->> 'code' = 'unavailable' then 'deadlock'
          else 'failed: ' || answer::text end;`,
    },
    bare: {
      hold: `v_hold := gen_random_uuid();\n${template.holdSql}`,
      confirm: template.confirmSql,
    },
    copies: {
      hold: `
        if exists (
          select from bench.calendar_claims claim
          where claim.subject_id in (v_therapist, v_client) and claim.lane = 0
            and claim.during && tstzrange(v_start, v_end)) then
          outcome := 'refused';
        else
          v_hold := gen_random_uuid();
          ${toCopies(template.holdSql)}
        end if;`,
      confirm: toCopies(template.confirmSql),
    },
    check: { hold: `${asUser}\n${checkThenInsert}`, confirm: `${asUser}\n${confirmAppointment}` },
    locks: {
      hold: `
        ${asUser}
        perform pg_advisory_xact_lock(least(key_of_therapist, key_of_client));
        perform pg_advisory_xact_lock(greatest(key_of_therapist, key_of_client));
        ${checkThenInsert}`,
      confirm: `${asUser}\n${confirmAppointment}`,
    },
  };
  for (const side of sides) await sql.unsafe(procedure(side, bodies[side]));
}

/** As PostgREST begins every transaction. */
const asUser = `
  perform set_config('role', 'authenticated', true), set_config('request.jwt.claims', claims, true);`;

/** A session lasts a day at most: said for the index. */
const overlapping = `
  start_time < v_end and start_time > v_start - interval '24 hours' and end_time > v_start and status <> 'cancelled'`;

const checkThenInsert = `
  if exists (select from bench.appointments where therapist_id = v_therapist and ${overlapping})
    or exists (select from bench.appointments where client_id = v_client and ${overlapping})
  then
    outcome := 'refused';
  else
    insert into bench.appointments (organization_id, therapist_id, client_id, start_time, end_time)
    values (md5('organization 0')::uuid, v_therapist, v_client, v_start, v_end)
    returning id into v_hold;
  end if;`;

const confirmAppointment = "update bench.appointments set status = 'confirmed' where id = v_hold;";

function procedure(side: Side, { hold, confirm }: { hold: string; confirm: string }): string {
  const attempt = (body: string): string => `
    begin
      ${body}
    exception
      when deadlock_detected then outcome := 'deadlock';
      when exclusion_violation then outcome := 'refused';
    end;
    commit;`;
  return `
    create procedure bench.run_${side}(
      loop_number integer, loops integer, hot boolean, base timestamptz, start_at timestamptz, end_at timestamptz,
      claims text, therapists uuid[], inout result jsonb)
    language plpgsql
    as $$
    declare
      v_user uuid := (claims::jsonb ->> 'sub')::uuid;
      v_therapist uuid;
      v_client uuid;
      v_start timestamptz;
      v_end timestamptz;
      v_hold uuid;
      key_of_therapist bigint;
      key_of_client bigint;
      answer jsonb;
      outcome text;
      number bigint;
      own integer := cardinality(therapists) / loops;
      place integer;
      attempts bigint := 0;
      counting boolean := false;
      warmed integer := 0;
      booked integer := 0;
      refused integer := 0;
      deadlocks integer := 0;
      us float8[] := '{}';
      began timestamptz;
      started timestamptz;
    begin
      began := clock_timestamp();
      -- However short its time is, it books once that counts.
      while clock_timestamp() < end_at or (not counting or booked = 0) and attempts < 1000 loop
        -- What comes before fills this connection's caches and is not counted.
        if not counting and clock_timestamp() >= start_at then
          counting := true;
          began := clock_timestamp();
          warmed := booked;
          booked := 0;
          refused := 0;
          deadlocks := 0;
          us := '{}';
        end if;
        if hot then
          -- Eight attempts at each hour, two a therapist, at any quarter of it: whoever is late overlaps in part.
          number := nextval('bench.attempts');
          place := number % ${hotTherapists};
          v_start := base + make_interval(mins => (number / ${2 * hotTherapists} * 60 + floor(random() * 4) * 15)::integer);
          v_client := md5('client ' || (place * 10 + floor(random() * 10))::integer)::uuid;
        else
          place := loop_number + loops * (attempts % own)::integer;
          v_start := base + make_interval(hours => (attempts / own)::integer);
          v_client := md5('client ' || place * 10 + (attempts / own % 10)::integer)::uuid;
        end if;
        attempts := attempts + 1;
        v_therapist := therapists[place + 1];
        v_end := v_start + interval '1 hour';
        key_of_therapist := uuid_hash_extended(v_therapist, 0);
        key_of_client := uuid_hash_extended(v_client, 0);
        outcome := null;
        started := clock_timestamp();
        ${attempt(hold)}
        if outcome is null then
          ${attempt(confirm)}
        end if;
        us := us || extract(epoch from clock_timestamp() - started)::float8 * 1e6;
        if outcome is null then
          booked := booked + 1;
        elsif outcome = 'refused' then
          refused := refused + 1;
        elsif outcome = 'deadlock' then
          deadlocks := deadlocks + 1;
        else
          raise exception '%', outcome;
        end if;
      end loop;
      result := jsonb_build_object('attempts', attempts, 'warmed', warmed, 'booked', booked, 'refused', refused, 'deadlocks', deadlocks,
        'seconds', extract(epoch from clock_timestamp() - began), 'us', to_jsonb(us));
    end
    $$;
  `;
}

/** Runs a segment: one connection a client, all at once. */
export async function runSegment(
  connections: Sql[],
  claims: string[],
  therapists: string[],
  { side, clients, hot, base, seconds }: Segment,
): Promise<Loop[]> {
  const first = connections[0];
  if (!first) throw new Error("no connections");
  await first`select setval('bench.attempts', 1, false)`;
  const ids = `array[${therapists.map(literal).join(", ")}]::uuid[]`;
  // The first calls of a connection take 100 ms each: turning triggers off and on makes every plan stale.
  const startAt = Date.now() + Math.max(500 * seconds, 50 * clients);
  const at = (ms: number): string => literal(new Date(ms).toISOString());
  return Promise.all(
    connections.slice(0, clients).map(async (sql, number) => {
      // Without parameters: as one extended query, the procedure could not commit.
      const [row] = await sql.unsafe<{ result: Loop }[]>(`
        call bench.run_${side}(${number}, ${clients}, ${hot}, ${at(base.getTime())}, ${at(startAt)},
          ${at(startAt + seconds * 1000)}, ${literal(claims[number] ?? "")}, ${ids}, null)`);
      if (!row) throw new Error(`bench.run_${side} gave no row`);
      return row.result;
    }),
  );
}

/** Confirmed bookings of a side, from a time on, that begin while another one of the same therapist lasts. */
export async function doubleBookings(sql: Sql, side: Side, from: Date): Promise<number> {
  const table = { holdfast: "public.sessions", bare: "public.sessions", copies: "bench.sessions" } as const;
  const relation = side === "check" || side === "locks" ? "bench.appointments" : table[side];
  const status = relation === "bench.appointments" ? "confirmed" : "scheduled";
  const [row] = await sql.unsafe<{ doubled: number }[]>(`
    select count(*)::integer as doubled
    from (
      select start_time, max(end_time) over (
        partition by therapist_id order by start_time, id rows between unbounded preceding and 1 preceding) as busy_until
      from ${relation}
      where start_time >= ${literal(from.toISOString())} and status = '${status}'
    ) booked
    where start_time < busy_until`);
  return row?.doubled ?? Number.NaN;
}
