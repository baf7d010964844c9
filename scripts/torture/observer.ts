// Looks on while the users go on: each look is one snapshot of what is claimed and of the units. Also calls the jobs
// that seal the trail, and keeps what they sealed, as somebody outside would.

import postgres, { type Sql } from "postgres";
import { readHead } from "../audit/trail.ts";
import { pause } from "./users.ts";

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
  /** Half hours that live holds and sessions take of it, by their rows. */
  reservedHalfHours: number;
  scheduledHalfHours: number;
}

export interface Snapshot {
  claims: Taken[];
  /** The same by the rows that claim: live holds and sessions. */
  bookings: Taken[];
  balances: Balance[];
}

export async function takeSnapshot(sql: Sql, organizations: string[]): Promise<Snapshot> {
  return sql.begin("isolation level repeatable read read only", async (transaction) => {
    const claims = await transaction<Taken[]>`
      select claim_id as id, subject_id as subject, lane, slot_id as slot,
        extract(epoch from lower(during))::double precision * 1000 as start,
        extract(epoch from upper(during))::double precision * 1000 as end
      from public.calendar_claims
      where organization_id = any (${organizations}::uuid[]) and (expires_at is null or expires_at > clock_timestamp())`;
    const bookings = await transaction<Taken[]>`
      with live as (
        select id, therapist_id, client_id, room_id, client_lane, slot_id, start_time, end_time
        from public.sessions
        where organization_id = any (${organizations}::uuid[]) and status in ('scheduled', 'in_progress', 'completed')
        union all
        select id, therapist_id, client_id, room_id, client_lane, slot_id, start_time, end_time
        from public.session_holds
        where organization_id = any (${organizations}::uuid[]) and status = 'held' and expires_at > clock_timestamp())
      select live.id, taken.subject, taken.lane, live.slot_id as slot,
        extract(epoch from live.start_time)::double precision * 1000 as start,
        extract(epoch from live.end_time)::double precision * 1000 as end
      from live
      cross join lateral (values
        (live.therapist_id, 0), (live.client_id, live.client_lane::integer), (live.room_id, 0)) taken (subject, lane)
      where taken.subject is not null`;
    const balances = await transaction<Balance[]>`
      select it.id, it.units, it.reserved_units as reserved, it.scheduled_units as scheduled, it.used_units as used,
        it.overridden_units as overridden,
        (select coalesce(sum(extract(epoch from hold.end_time - hold.start_time) / 1800), 0)::double precision
          from public.session_holds hold
          join public.services service on service.id = hold.service_id
          where hold.client_id = it.client_id and service.cpt_code = any (it.cpt_codes)
            and hold.status = 'held' and hold.session_id is null) as "reservedHalfHours",
        (select coalesce(sum(extract(epoch from session.end_time - session.start_time) / 1800), 0)::double precision
          from public.sessions session
          join public.services service on service.id = session.service_id
          where session.client_id = it.client_id and service.cpt_code = any (it.cpt_codes)
            and session.status = 'scheduled') as "scheduledHalfHours"
      from public.authorizations it
      where it.organization_id = any (${organizations}::uuid[])`;
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
  const sql = postgres(databaseUrl, { max: 1, onnotice: () => {}, connect_timeout: 5, backoff: () => 0.1 });
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
    watch(await takeSnapshot(sql, organizations));
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
