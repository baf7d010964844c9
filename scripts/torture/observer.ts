// Looks on while the users go on: each look is one snapshot of what is claimed and of the units. Also calls the jobs
// that seal the trail, and keeps what they sealed, as somebody outside would.

import postgres, { type Sql } from "postgres";
import { readHead } from "../audit/trail.ts";
import { pause } from "./users.ts";
import { TIME_ZONE } from "./world.ts";

/** A stretch of somebody's time, in milliseconds since 1970. */
export interface Taken {
  id: string;
  subject: string;
  lane: number;
  slot: string;
  start: number;
  end: number;
}

export interface Balance {
  id: string;
  units: number;
  reserved: number;
  scheduled: number;
  used: number;
  overridden: number;
  /** Units that holds, sessions to come and sessions delivered take of it, by their rows. */
  reservedByRows: number;
  scheduledByRows: number;
  usedByRows: number;
}

export interface Snapshot {
  claims: Taken[];
  /** The same by the rows that claim: live holds and sessions. */
  bookings: Taken[];
  balances: Balance[];
}

/** Of what begins after some moment; units are always counted of all. */
export async function takeSnapshot(sql: Sql, organizations: string[], after: string): Promise<Snapshot> {
  return sql.begin("isolation level repeatable read read only", async (transaction) => {
    const claims = await transaction<Taken[]>`
      select claim_id as id, subject_id as subject, lane, slot_id as slot,
        extract(epoch from lower(during))::double precision * 1000 as start,
        extract(epoch from upper(during))::double precision * 1000 as end
      from public.calendar_claims
      where organization_id = any (${organizations}::uuid[]) and (expires_at is null or expires_at > clock_timestamp())
        and lower(during) > ${after}::text::timestamptz`;
    const bookings = await transaction<Taken[]>`
      with live as (
        select id, therapist_id, client_id, room_id, client_lane, slot_id, start_time, end_time
        from public.sessions
        where organization_id = any (${organizations}::uuid[]) and status in ('scheduled', 'in_progress', 'completed')
          and start_time > ${after}::text::timestamptz
        union all
        select id, therapist_id, client_id, room_id, client_lane, slot_id, start_time, end_time
        from public.session_holds
        where organization_id = any (${organizations}::uuid[]) and status = 'held' and expires_at > clock_timestamp()
          and start_time > ${after}::text::timestamptz
        union all
        select id, therapist_id, null, null, null, id, start_time, end_time
        from public.availability_exceptions
        where organization_id = any (${organizations}::uuid[]) and kind = 'time_off' and status = 'active'
          and beside_exception_id is null and start_time > ${after}::text::timestamptz)
      select live.id, taken.subject, taken.lane, live.slot_id as slot,
        extract(epoch from live.start_time)::double precision * 1000 as start,
        extract(epoch from live.end_time)::double precision * 1000 as end
      from live
      cross join lateral (values
        (live.therapist_id, 0), (live.client_id, live.client_lane::integer), (live.room_id, 0)) taken (subject, lane)
      where taken.subject is not null`;
    const balances = await transaction<Balance[]>`
      with taking as (
        select client_id, service_id, 'reserved' as what, start_time, end_time
        from public.session_holds
        where organization_id = any (${organizations}::uuid[]) and status = 'held' and session_id is null
        union all
        select client_id, service_id, case status when 'completed' then 'used' else 'scheduled' end,
          coalesce(actual_start_time, start_time), coalesce(actual_end_time, end_time)
        from public.sessions
        where organization_id = any (${organizations}::uuid[]) and status in ('scheduled', 'in_progress', 'completed')),
      -- Of each code and day; a unit is 15 minutes, and counts once 8 of them are passed.
      taken as (
        select taking.client_id, service.cpt_code, (taking.start_time at time zone ${TIME_ZONE})::date as day, taking.what,
          sum(floor((extract(epoch from taking.end_time - taking.start_time) / 60 + 7) / 15))::double precision as units
        from taking
        join public.services service on service.id = taking.service_id
        group by 1, 2, 3, 4)
      select it.id, it.units, it.reserved_units as reserved, it.scheduled_units as scheduled, it.used_units as used,
        it.overridden_units as overridden,
        coalesce(sum(taken.units) filter (where taken.what = 'reserved'), 0)::double precision as "reservedByRows",
        coalesce(sum(taken.units) filter (where taken.what = 'scheduled'), 0)::double precision as "scheduledByRows",
        coalesce(sum(taken.units) filter (where taken.what = 'used'), 0)::double precision as "usedByRows"
      from public.authorizations it
      left join taken on taken.client_id = it.client_id and taken.cpt_code = any (it.cpt_codes)
        and taken.day between it.starts_on and it.ends_on
      where it.organization_id = any (${organizations}::uuid[])
      group by it.id`;
    return { claims: [...claims], bookings: [...bookings], balances: [...balances] };
  }) as Promise<Snapshot>;
}

export interface Observer {
  snapshots: number;
  /** The hashes of seals that were read, each once its transaction was over. */
  heads: string[];
  stop(): Promise<void>;
}

/** Looks every so often; whoever watches is told of each snapshot. A database that is down is looked at later. */
export function observe(
  databaseUrl: string,
  organizations: string[],
  everyMs: number,
  watch: (snapshot: Snapshot) => void,
): Observer {
  const sql = postgres(databaseUrl, {
    max: 1,
    onnotice: () => {},
    connect_timeout: 5,
    backoff: () => 0.1,
    // Its queries read much and often: to compile them takes longer than to run them.
    connection: { jit: "off" },
  });
  let stopped = false;
  const observer: Observer = {
    snapshots: 0,
    heads: [],
    stop: async () => {
      stopped = true;
      await looking;
      await sql.end({ timeout: 1 });
    },
  };
  const look = async (): Promise<void> => {
    watch(await takeSnapshot(sql, organizations, "today"));
    observer.snapshots++;
    await sql`select audit.seal()`;
    const head = await readHead(sql);
    if (head && head.hash !== observer.heads.at(-1)) observer.heads.push(head.hash);
  };
  const looking = (async () => {
    while (!stopped) {
      await look().catch(() => pause(100));
      for (let waited = 0; waited < everyMs && !stopped; waited += 50) await pause(Math.min(50, everyMs));
    }
  })();
  return observer;
}
