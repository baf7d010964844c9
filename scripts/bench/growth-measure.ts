// What the `growth` benchmark asks of two networks, of one directly after the other, so that whatever else the machine does
// slows both.

import type { Sql } from "postgres";
import { type Figures, type Kind, kinds } from "./growth-report.ts";
import { spread } from "./harness.ts";
import { queryAs } from "./records-measure.ts";
import { book, call, undo } from "./scheduling-measure.ts";
import type { Clinic } from "./scheduling-network.ts";
import { searchRequest, seriesRequest } from "./scheduling-requests.ts";

/** Therapists who are booked in turn and searched together. */
export const searched = 10;
/** Each therapist is booked once, and Postgres weighs a custom plan against a generic one up to the sixth call. */
const warmUp = searched;

export interface Side {
  sql: Sql;
  clinic: Clinic;
  /** An hour with each of the therapists. */
  requests: object[];
}

export async function sideOf(sql: Sql, clinic: Clinic): Promise<Side> {
  const requests: object[] = [];
  for (let at = 0; at < searched; at++) requests.push(await seriesRequest(sql, clinic, at, 1, 7));
  return { sql, clinic, requests };
}

/** Microseconds in the server, for the `number`th time. */
const ways: Record<Kind, (side: Side, number: number) => Promise<number>> = {
  book: async ({ sql, clinic, requests }, number) => {
    const booked = await book(sql, clinic, requests.slice(number % searched, (number % searched) + 1));
    await undo(sql, booked.holdKeys);
    return booked.hold + booked.confirm;
  },
  search: async ({ sql, clinic }) => {
    const therapist_ids = clinic.therapists.slice(0, searched);
    const wanted = { ...searchRequest(clinic, clinic.clients[0] ?? ""), therapist_ids };
    const found = await call(sql, clinic, "find_open_times", [wanted]);
    if (!("data" in found.answer)) throw new Error(`nothing was searched: ${JSON.stringify(found.answer)}`);
    return found.us;
  },
  week: ({ sql, clinic }, number) =>
    queryAs(sql, clinic.claims, weekOf(clinic, clinic.therapists[number % searched] ?? "")),
};

/** Pairs of each kind, after some that are not counted; who begins alternates. */
export async function compareInTurns(
  small: Side,
  grown: Side,
  repetitions: number,
): Promise<Record<Kind, Figures>> {
  const pairs: Record<Kind, { small: number; grown: number }[]> = { book: [], search: [], week: [] };
  for (let number = -warmUp; number < repetitions; number++) {
    for (const kind of kinds) {
      const ask = (side: Side): Promise<number> => ways[kind](side, number + warmUp);
      const pair = { small: 0, grown: 0 };
      if (number % 2 === 0) pair.small = await ask(small);
      pair.grown = await ask(grown);
      if (number % 2 !== 0) pair.small = await ask(small);
      if (number >= 0) pairs[kind].push(pair);
    }
  }
  const figuresOf = (kind: Kind): Figures => ({
    small: spread(pairs[kind].map((pair) => pair.small)),
    grown: spread(pairs[kind].map((pair) => pair.grown)),
    times: spread(pairs[kind].map((pair) => pair.grown / pair.small)),
  });
  return { book: figuresOf("book"), search: figuresOf("search"), week: figuresOf("week") };
}

/** A therapist's week, as PostgREST reads it for an app. */
const weekOf = ({ rangeStart }: Clinic, therapist: string): string => `
  select coalesce(json_agg(it), '[]')::jsonb
  from (
    select id, client_id, service_id, start_time, end_time, time_zone, status
    from public.sessions
    where therapist_id = '${therapist}' and start_time >= '${rangeStart.toISOString()}'
      and start_time < timestamptz '${rangeStart.toISOString()}' + interval '7 days'
    order by start_time, id
  ) it`;

/**
 * What app.ledger_faults() looks for, in the one clinic that is booked: in ten million sessions it would take longer than
 * all measurements. That nothing overlaps is the exclusion constraint's to say, under which the ledger was built.
 */
export async function ledgerFaults(sql: Sql, organization: string): Promise<number> {
  const [row] = await sql<{ faults: number }[]>`
    with owed as (
      select claim.*
      from public.session_holds hold
      cross join lateral unnest(app.claims_of_hold(hold)) claim
      where hold.organization_id = ${organization}
      union all
      select claim.*
      from public.sessions session
      cross join lateral unnest(app.claims_of_session(session)) claim
      where session.organization_id = ${organization}
      union all
      select claim.*
      from public.availability_exceptions exception
      cross join lateral unnest(app.claims_of_exception(exception)) claim
      where exception.organization_id = ${organization}
    ),
    claimed as (
      select claim.*
      from public.calendar_claims claim
      where claim.organization_id = ${organization}
    )
    select count(*)::integer as faults
    from owed
    full join claimed using (claim_id, subject_id, lane, part)
    where owed is distinct from claimed`;
  return row?.faults ?? Number.NaN;
}
