// What a run is going to do, from its seed alone: the steps of each user and the faults. A step says what is wanted and
// by which of the rows that are there then, by number; which rows these are, the run decides. So the plan of a seed is
// the same every time, and the schedule is not.

import { type Random, randomOf } from "./random.ts";

/** What happens to a single request on its way. */
export type Disturbance =
  /** Its answer is lost: the connection is cut once the answer comes, so after the commit. */
  | "cut_answer"
  /** The connection is cut as soon as the request is out, whatever becomes of it. */
  | "cut_request"
  /** The network takes its time, both ways. */
  | "slow"
  /** Sent twice at once, with one Idempotency-Key. */
  | "duplicate"
  /** The statement is cancelled while it runs. */
  | "cancelled";

const KINDS = {
  hold: 34,
  hold_batch: 3,
  hold_group: 2,
  hold_move: 2,
  confirm: 25,
  release: 5,
  cancel: 13,
  move: 8,
  swap: 4,
  join: 3,
  repeat: 4,
  trespass: 2,
  stranger: 1,
  substitute: 3,
  read_series: 1,
  edit_series: 3,
  wait: 0.5,
  stop_waiting: 0.2,
  read_offers: 1.5,
  answer_offer: 2,
  start: 2,
  complete: 3,
  no_show: 1,
  bill: 1,
  place: 1.5,
  time_off: 0.6,
  back_on: 0.4,
  read: 20,
  role: 0.6,
  sweep: 0.3,
} as const;

export type Kind = keyof typeof KINDS | "note";

export interface Step {
  kind: Kind;
  clinic: number;
  /** Numbers from 0 to before 1: of the therapists, the clients, the users, the rows that there are, one. */
  therapist: number;
  client: number;
  user: number;
  row: number;
  other: number;
  /** Half hours after the first that can be booked. */
  slot: number;
  halfHours: number;
  room: boolean;
  supervision: boolean;
  seconds: number;
  disturbance: Disturbance | null;
  /** Of a slow network, or before a statement is cancelled. */
  delayMs: number;
}

export interface Scale {
  clinics: number;
  /** Half hours that can be booked, ten hours a day. */
  slots: number;
  /** Sessions of each clinic that are over and not marked. */
  overdue?: number;
}

/** What a run is to have more or less of than usual. */
export interface Mix {
  weights?: Partial<Record<Kind, number>>;
  /** The share of requests that are disturbed on their way. */
  disturbed?: number;
  faultKinds?: readonly FaultKind[];
}

/** The steps of one user, without end. Only over HTTP are notes written. */
export function* stepsOf(seed: number, worker: number, scale: Scale & Mix, http: boolean): Generator<Step> {
  const { clinics, slots, disturbed = 0.04 } = scale;
  const random = randomOf(seed, worker);
  const weights: Partial<Record<Kind, number>> = { ...KINDS, ...(http && { note: 8 }), ...scale.weights };
  for (;;) {
    yield {
      kind: random.weighted(weights),
      clinic: random.below(clinics),
      therapist: random.next(),
      client: random.next(),
      user: random.next(),
      row: random.next(),
      other: random.next(),
      slot: slotOf(random, slots),
      halfHours: 1 + random.below(3),
      room: random.chance(0.2),
      supervision: random.chance(0.15),
      seconds: random.chance(0.2) ? 30 : 900,
      disturbance: random.chance(disturbed) ? random.weighted(DISTURBANCES) : null,
      delayMs: random.below(60),
    };
  }
}

const DISTURBANCES: Record<Disturbance, number> = {
  cut_answer: 3,
  cut_request: 2,
  slow: 3,
  duplicate: 6,
  cancelled: 2,
};

/** A quarter of all wishes is for a tenth of the time. */
function slotOf(random: Random, slots: number): number {
  return random.below(random.chance(0.25) ? Math.max(1, Math.floor(slots / 10)) : slots);
}

const FAULTS = {
  /** SIGKILL to the whole of Postgres, then started again. */
  kill_postgres: 3,
  /** SIGKILL to one of its processes: it ends all others and recovers by itself. */
  kill_backend: 2,
  /** SIGKILL to the Edge Functions, started again. */
  kill_functions: 1,
  /** The administrator ends the connections of half of the callers. */
  end_connections: 4,
  /** All connections of callers are cut at once, halfway through whatever they do. */
  cut_network: 4,
  /** Every place for a connection is taken, and callers must connect anew. */
  exhaust_connections: 1,
  /** Something else writes and syncs to the same disk without end, and checkpoints are forced. */
  slow_disk: 1,
  /** Holds run out long before their time, as when the clock jumps ahead. */
  clock: 6,
} as const;

export type FaultKind = keyof typeof FAULTS;
export const FAULT_KINDS = Object.keys(FAULTS) as FaultKind[];

export interface Fault {
  kind: FaultKind;
  /** Once so many operations were begun. */
  at: number;
  clinic: number;
  share: number;
  ms: number;
}

/** The faults of a run, evenly spread but for chance; every kind comes before any comes a second time. */
export function faultsOf(seed: number, count: number, operations: number, scale: Scale & Mix): Fault[] {
  const { clinics, faultKinds = FAULT_KINDS } = scale;
  const random = randomOf(seed, -2);
  const gap = operations / (count + 1);
  const order = faultKinds
    .map((kind) => ({ kind, place: random.next() }))
    .sort((a, b) => a.place - b.place)
    .map(({ kind }) => kind);
  const weights = Object.fromEntries(faultKinds.map((kind) => [kind, FAULTS[kind]]));
  return Array.from({ length: count }, (_, index) => ({
    kind: order[index] ?? random.weighted<FaultKind>(weights),
    at: Math.floor((index + 0.5 + random.next()) * gap),
    clinic: random.below(clinics),
    share: random.next(),
    ms: 200 + random.below(800),
  }));
}
