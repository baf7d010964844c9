/**
 * What sessions are billed as: the same rules as `app.derive_charges` in the database, for an app that shows a charge
 * before it is booked. A differential test holds the two together.
 */

/** How a payer rounds minutes to units of 15: see `units`. */
export type Rounding = "midpoint" | "floor" | "eight_minute";

export type ChargeWarning =
  | "mue_exceeded"
  | "unit_cap"
  | "code_not_in_force"
  | "code_not_for_credential"
  | "concurrent_not_allowed"
  | "team_counted_once";

/** A session and what the rules of its day say of it: all that its charge depends on. */
export interface ChargeInput {
  /** A UUID in lower case. */
  sessionId: string;
  clientId: string;
  /** The day it starts on in the organization's zone, `YYYY-MM-DD`. */
  serviceDate: string;
  /** ISO 8601 with offset, to the millisecond; so minutes are elapsed ones, over midnight and changes of the clock too. */
  startTime: string;
  endTime: string;
  cptCode: string;
  /** Whether the code may be billed at all on that day. */
  codeInForce: boolean;
  /** 0 direct treatment, 1 supervision beside it. */
  lane: number;
  /** The slot that several technicians share (0362T, 0373T); one technician's time counts. */
  teamId: string | null;
  providerId: string;
  /** Whether the provider's credential may bill the code. */
  mayBill: boolean;
  /** The payer's for the credential, place and code; else the credential's own. */
  modifiers: readonly string[];
  /** The payer's (95 or GT) when the place of service is telehealth, else null. */
  telehealthModifier: string | null;
  rounding: Rounding;
  /** Whether the minutes of a client, day, code and provider are added before they are rounded. */
  poolsMinutes: boolean;
  /** Most units of the code in the client's day that the payer takes. */
  dailyUnitCap: number | null;
  /** Whether the payer bars supervision beside direct treatment. */
  barsConcurrency: boolean;
  /** The medically unlikely number of units of the code in the client's day: a warning. */
  mueLimit: number | null;
}

export interface Charge {
  sessionId: string;
  /** At most four, in the order of the claim. */
  modifiers: string[];
  /** Whole minutes that count, before rounding. */
  minutes: number;
  units: number;
  roundedMinutes: number;
  warnings: ChargeWarning[];
  /** With `mue_exceeded`: the limit, and the units of the code in the client's day. */
  mueLimit: number | null;
  mueUnits: number | null;
}

const MINUTES_PER_UNIT = 15;
const MINUTES_BEFORE_MIDPOINT = 7;
const MOST_MODIFIERS = 4;

/**
 * Billable units of one code of `minutes` minutes. `midpoint` is CPT's rule: a unit of time is attained when its midpoint
 * is passed, so the first begins at 8 minutes, the second at 23, …: `floor((minutes + 7) / 15)`. `eight_minute`
 * (Medicare) is the same for a single code, and differs where several are billed on a day. `floor` counts full units only.
 *
 * @param minutes length of the service in minutes, zero or more; a part of a minute counts for nothing.
 * @returns whole units.
 * @throws RangeError when `minutes` is negative or not finite.
 */
export function units(minutes: number, rounding: Rounding = "midpoint"): number {
  if (!Number.isFinite(minutes) || minutes < 0) throw new RangeError("minutes must be zero or more");
  const before = rounding === "floor" ? 0 : MINUTES_BEFORE_MIDPOINT;
  return Math.floor((Math.floor(minutes) + before) / MINUTES_PER_UNIT);
}

/**
 * The length that is billed: `units(minutes, rounding)` in minutes.
 *
 * @returns a multiple of 15 minutes.
 * @throws RangeError as `units`.
 */
export function roundedMinutes(minutes: number, rounding: Rounding = "midpoint"): number {
  return units(minutes, rounding) * MINUTES_PER_UNIT;
}

/**
 * The charges of sessions, in the order of the sessions. To be asked for a client's whole day at a time: pooling, caps,
 * limits, teams and concurrency look at the other sessions of the day.
 *
 * Units are allotted to the sessions of a pool in time order: each has what the units up to it grow by, so that the
 * day's total is that of the pooled minutes. Where the payer bars concurrency, the minutes that supervision shares with
 * direct treatment count for the direct treatment only.
 */
export function deriveCharges(sessions: readonly ChargeInput[]): Charge[] {
  const charges = new Map<string, Charge>();
  for (const day of groups(sessions, ({ clientId, serviceDate }) => [clientId, serviceDate])) {
    for (const charge of deriveDay(day.sort(byTime))) charges.set(charge.sessionId, charge);
  }
  return sessions.flatMap(({ sessionId }) => charges.get(sessionId) ?? []);
}

interface Timed extends ChargeInput {
  minutes: number;
  isBarred: boolean;
  isRepeated: boolean;
}

/** One client's sessions of one day, in time order. */
function deriveDay(day: readonly ChargeInput[]): Charge[] {
  const timed = day.map((session, index) => countMinutes(session, index, day));
  const allotted = allotUnits(timed);
  return [...groups(timed, ({ cptCode }) => [cptCode])].flatMap((ofCode) => {
    let before = 0;
    const capped = ofCode.map((session) => {
      const own = allotted.get(session.sessionId) ?? 0;
      const cap = session.dailyUnitCap ?? Number.POSITIVE_INFINITY;
      const counted = Math.min(cap, before + own) - Math.min(cap, before);
      before += own;
      return { session, own, counted };
    });
    const total = capped.reduce((sum, { counted }) => sum + counted, 0);
    let upTo = 0;
    return capped.map(({ session, own, counted }): Charge => {
      upTo += counted;
      const isOver = counted > 0 && session.mueLimit !== null && upTo > session.mueLimit;
      const warnings: [ChargeWarning, boolean][] = [
        ["mue_exceeded", isOver],
        ["unit_cap", counted < own],
        ["code_not_in_force", !session.codeInForce],
        ["code_not_for_credential", !session.mayBill],
        ["concurrent_not_allowed", session.isBarred],
        ["team_counted_once", session.isRepeated],
      ];
      return {
        sessionId: session.sessionId,
        modifiers: modifiersOf(session),
        minutes: session.minutes,
        units: counted,
        roundedMinutes: counted * MINUTES_PER_UNIT,
        warnings: warnings.flatMap(([code, given]) => (given ? [code] : [])),
        mueLimit: isOver ? session.mueLimit : null,
        mueUnits: isOver ? total : null,
      };
    });
  });
}

function modifiersOf({ modifiers, telehealthModifier }: ChargeInput): string[] {
  const all =
    telehealthModifier === null || modifiers.includes(telehealthModifier)
      ? modifiers
      : [...modifiers, telehealthModifier];
  return all.slice(0, MOST_MODIFIERS);
}

function countMinutes(session: ChargeInput, index: number, day: readonly ChargeInput[]): Timed {
  const [start, end] = [Date.parse(session.startTime), Date.parse(session.endTime)];
  const shared = session.barsConcurrency && session.lane !== 0 ? sharedTime(start, end, day) : 0;
  const isRepeated =
    session.teamId !== null && day.slice(0, index).some(({ teamId }) => teamId === session.teamId);
  const minutes = isRepeated ? 0 : Math.floor((end - start - shared) / 60_000);
  return { ...session, minutes, isBarred: shared > 0, isRepeated };
}

/** Milliseconds of a span in which some direct treatment of the day goes on. `day` is in time order. */
function sharedTime(start: number, end: number, day: readonly ChargeInput[]): number {
  let shared = 0;
  let reached = start;
  for (const direct of day) {
    if (direct.lane !== 0) continue;
    const from = Math.max(reached, Date.parse(direct.startTime));
    const to = Math.min(end, Date.parse(direct.endTime));
    if (to <= from) continue;
    shared += to - from;
    reached = to;
  }
  return shared;
}

/** The units of each session of a day, before any cap. */
function allotUnits(day: readonly Timed[]): Map<string, number> {
  const allotted = new Map<string, number>();
  const pools = groups(day, (session) => [
    session.cptCode,
    session.rounding,
    session.poolsMinutes || session.rounding === "eight_minute" ? session.providerId : session.sessionId,
  ]);
  const ofEight = eightMinuteUnits([...pools].filter(([first]) => first?.rounding === "eight_minute"));
  for (const pool of pools) {
    const total = ofEight.get(pool);
    let minutes = 0;
    let before = 0;
    for (const [index, session] of pool.entries()) {
      minutes += session.minutes;
      const upTo = units(minutes, session.rounding);
      const given = total === undefined ? upTo : index === pool.length - 1 ? total : Math.min(total, upTo);
      allotted.set(session.sessionId, given - before);
      before = given;
    }
  }
  return allotted;
}

/**
 * Medicare's rule (CMS Claims Processing Manual, chapter 5, §20.2): the minutes of all codes of a provider's day together
 * say how many units there are. Each code has its full ones, and what is left goes to those with most minutes over.
 *
 * @param pools sessions of one code and provider each.
 */
function eightMinuteUnits(pools: Timed[][]): Map<Timed[], number> {
  const found = new Map<Timed[], number>();
  for (const codes of groups(pools, ([first]) => [first?.providerId ?? ""])) {
    const sums = codes.map((pool) => ({
      pool,
      minutes: pool.reduce((sum, { minutes }) => sum + minutes, 0),
    }));
    const full = (minutes: number) => Math.floor(minutes / MINUTES_PER_UNIT);
    const all = sums.reduce((sum, { minutes }) => sum + minutes, 0);
    const left = units(all) - sums.reduce((sum, { minutes }) => sum + full(minutes), 0);
    sums.sort(
      (a, b) =>
        (b.minutes % MINUTES_PER_UNIT) - (a.minutes % MINUTES_PER_UNIT) ||
        startOf(a.pool) - startOf(b.pool) ||
        compare(codeOf(a.pool), codeOf(b.pool)),
    );
    for (const [rank, { pool, minutes }] of sums.entries()) {
      found.set(pool, full(minutes) + (rank < left ? 1 : 0));
    }
  }
  return found;
}

const startOf = ([first]: Timed[]): number => (first ? Date.parse(first.startTime) : 0);
const codeOf = ([first]: Timed[]): string => first?.cptCode ?? "";

function byTime(a: ChargeInput, b: ChargeInput): number {
  return Date.parse(a.startTime) - Date.parse(b.startTime) || compare(a.sessionId, b.sessionId);
}

function compare(a: string, b: string): number {
  return a < b ? -1 : a > b ? 1 : 0;
}

/** Items with the same key together, each group in the order of the items. */
function groups<T>(items: Iterable<T>, keyOf: (item: T) => string[]): T[][] {
  const found = new Map<string, T[]>();
  for (const item of items) {
    const key = JSON.stringify(keyOf(item));
    const group = found.get(key);
    if (group) group.push(item);
    else found.set(key, [item]);
  }
  return [...found.values()];
}
