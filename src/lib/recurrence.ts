/**
 * Occurrences of a recurrence rule (RFC 5545 §3.3.10) in an IANA time zone.
 *
 * A rule repeats the *wall clock* of its start (DTSTART), for every FREQ: it is expanded in floating local time, and
 * each local start is then mapped to an instant by RFC 5545 §3.3.5 (§3.8.5.3 applies it to recurrences): a time that
 * the clock jumps over moves forward by the gap, one that occurs twice is the first. So an hourly rule names 01:30 and
 * 02:30 once each on the day the clock goes back, two hours apart. Where a moved time lands on another occurrence
 * (hourly, on the day the clock goes forward), the two are one and are counted once.
 *
 * rrule answers one question only: which days of one year BYMONTH, BYMONTHDAY, BYYEARDAY and BYDAY admit. Periods,
 * times of the day, BYWEEKNO, BYSETPOS, COUNT and UNTIL are worked out here, since rrule 2.8.1 cannot be interrupted
 * (`FREQ=HOURLY;INTERVAL=24;BYHOUR=5` from 09:00 never returns) and is wrong on several of them (see
 * recurrence-rfc5545.test.ts).
 */
import * as rruleModule from "rrule";
import type { FieldError } from "./problems.ts";
import {
  FREQUENCIES,
  normalized,
  parseRule,
  type Rule,
  refusal,
  sorted,
  tooMany,
  untilInstant,
  type WeekdayPart,
} from "./recurrence-rule.ts";
import { localToInstant, offsetMinutes } from "./timezone.ts";
import { isTimeZone } from "./timezone-name.ts";

/** Most occurrences of one rule, unless the caller says otherwise. */
export const DEFAULT_MAX_OCCURRENCES = 366;
/** How far after its start a rule is followed. */
export const HORIZON_YEARS = 100;

/** A rule with its DTSTART. */
export interface Recurrence {
  /**
   * An RFC 5545 RECUR value, with or without `RRULE:` before it, with COUNT or UNTIL. UNTIL ending in `Z` is an instant;
   * without `Z` it is local time in `timeZone`; a DATE stands for the end of that local day. All are inclusive.
   */
  rule: string;
  /** IANA name. */
  timeZone: string;
  /** Start of the first occurrence: an instant, ISO 8601 with offset, in whole seconds. */
  start: string;
  /** End of the first occurrence, likewise. Every occurrence lasts exactly as long, whatever the clock does. */
  end: string;
  /**
   * What to leave out, after COUNT: local date-times (`2027-03-01T09:00`), instants with offset, or local dates
   * (`2027-03-01`: every occurrence whose local start is on that day). One that matches no occurrence is allowed.
   */
  exdates?: readonly string[] | undefined;
}

/** One occurrence. Offsets are minutes east of UTC. */
export interface RecurrenceOccurrence {
  /** The wall clock that the rule names (`2027-03-01T09:00:00`), also where the clock jumps over it. */
  localStart: string;
  start: Date;
  end: Date;
  startOffsetMinutes: number;
  endOffsetMinutes: number;
}

/**
 * The occurrences in order of time, and what a series is to remember: its rule (in capitals, without `RRULE:`), the
 * local time of its start, and the local starts that the exdates left out. Or what is wrong, by the request's own field
 * names.
 */
export type RecurrenceResult =
  | { ok: true; occurrences: RecurrenceOccurrence[]; rule: string; localStart: string; exdates: string[] }
  | { ok: false; errors: FieldError[] };

// Local time is kept as milliseconds (days, seconds of the day) since 1970, as if its fields were UTC.
const DAY_MS = 86_400_000;
const DAY_SECONDS = 86_400;
const MINUTE_MS = 60_000;
// Offsets of less than a minute ended in 1972; and four digits must do for the year of every local time.
const FIRST_YEAR = 1973;
const LAST_YEAR = 9_800;
const INSTANT =
  /^([1-9]\d{3}-\d{2}-\d{2}T\d{2}:\d{2}(?::\d{2}(?:\.\d+)?)?)(?:Z|([+-])([01]\d|2[0-3]):([0-5]\d))$/;
const LOCAL = /^[1-9]\d{3}-\d{2}-\d{2}T\d{2}:\d{2}(?::\d{2})?$/;
const DATE = /^[1-9]\d{3}-\d{2}-\d{2}$/;

// To Node and Deno rrule is CommonJS, with everything under `default`; to bundlers a module that has no `default`.
// The copy keeps bundlers from warning of the one that is not there.
const loaded: typeof rruleModule & { default?: typeof rruleModule } = { ...rruleModule };
const { RRule, Weekday } = loaded.default ?? loaded;

/**
 * Expands a recurrence, all of it or not at all: nothing is silently cut off. Never throws for any string; the work is
 * bounded by `maxOccurrences` and `HORIZON_YEARS`.
 *
 * Refused are, among others: a rule that RFC 5545 does not allow; one without COUNT and UNTIL (`unbounded`); more than
 * `maxOccurrences` occurrences, before exdates (`too_many`); one that goes on beyond the horizon (`too_far`); a start
 * that the rule does not name, which the RFC leaves undefined (`not_an_occurrence`); a start in the second pass of an
 * hour that occurs twice, which no rule can name (`ambiguous_second`).
 *
 * The RFC does not say: of BYWEEKNO without a day, the day of the week is the start's; with BYWEEKNO, a year is one of
 * whole weeks, so that every other year's week 1 is what it says; COUNT counts in the order of the wall clock.
 */
export function expandRecurrence(
  recurrence: Recurrence,
  { maxOccurrences = DEFAULT_MAX_OCCURRENCES }: { maxOccurrences?: number } = {},
): RecurrenceResult {
  const { timeZone, exdates = [] } = recurrence;
  const parsed = parseRule(recurrence.rule, maxOccurrences);
  const start = parseInstant(recurrence.start);
  const end = parseInstant(recurrence.end);
  const errors = [
    ...("errors" in parsed ? parsed.errors : []),
    ...(isTimeZone(timeZone)
      ? []
      : [refusal("time_zone", "invalid_value", "Must be the name of an IANA time zone.")]),
    ...startErrors(start),
    ...(end === undefined
      ? [refusal("end_time", "invalid_format", "Must be an ISO 8601 time with offset.")]
      : []),
  ];
  if (errors.length > 0 || "errors" in parsed || start === undefined || end === undefined)
    return refused(...errors);

  const { rule } = parsed;
  const startLocal = start + offsetMinutes(new Date(start), timeZone) * MINUTE_MS;
  const until = rule.UNTIL === undefined ? undefined : untilInstant(rule.UNTIL, timeZone);
  const exclusion = parseExdates(exdates, timeZone, maxOccurrences);
  if ("errors" in exclusion) return refused(...exclusion.errors);
  if (end <= start) return refused(refusal("end_time", "too_small", "Must be after start_time."));
  if (toInstant(startLocal, timeZone) !== start) {
    const message = "Must not be in the second pass of an hour that occurs twice: a rule means the first.";
    return refused(refusal("start_time", "ambiguous_second", message));
  }
  if (until !== undefined && until < start) {
    return refused(refusal("recurrence.rule", "until_before_start", "UNTIL must not be before start_time."));
  }

  const starts = findStarts(rule, { startLocal, until, timeZone, maxOccurrences });
  if ("code" in starts) return refused(starts);

  const named = [...starts]
    .sort(([a], [b]) => a - b)
    .map(([instant, local]) => ({ instant, localStart: localText(local) }));
  const excluded = named.filter(
    ({ instant, localStart }) =>
      exclusion.instants.has(instant) || exclusion.dates.has(localStart.slice(0, 10)),
  );
  const occurrences = named
    .filter((one) => !excluded.includes(one))
    .map(({ instant, localStart }) => {
      const [from, to] = [new Date(instant), new Date(instant + end - start)];
      return {
        localStart,
        start: from,
        end: to,
        startOffsetMinutes: offsetMinutes(from, timeZone),
        endOffsetMinutes: offsetMinutes(to, timeZone),
      };
    });
  if (occurrences.length === 0) {
    return refused(refusal("recurrence.exdates", "all_excluded", "Must leave at least one occurrence."));
  }
  return {
    ok: true,
    occurrences,
    rule: normalized(recurrence.rule),
    localStart: localText(startLocal),
    exdates: excluded.map(({ localStart }) => localStart),
  };
}

/** The starts of all occurrences, instant to local time; or why there are none to be had. */
function findStarts(
  rule: Rule,
  {
    startLocal,
    until,
    timeZone,
    maxOccurrences,
  }: {
    startLocal: number;
    until: number | undefined;
    timeZone: string;
    maxOccurrences: number;
  },
): Map<number, number> | FieldError {
  const horizon = startLocal + HORIZON_YEARS * 365.25 * DAY_MS;
  // A local time is within two days of the instant that it names (a day for its offset, a day for a gap).
  const last = Math.min(horizon, (until ?? horizon) + 2 * DAY_MS);
  const starts = new Map<number, number>();
  let late = 0;

  for (const local of localStarts(rule, startLocal, last)) {
    if (starts.size === 0 && local !== startLocal) {
      return refusal("start_time", "not_an_occurrence", "Must be an occurrence of recurrence.rule.");
    }
    const instant = toInstant(local, timeZone);
    if (until !== undefined && instant > until) {
      // A time in a gap moves past later ones, which may still be in time; after any other, all are too late.
      if (instant + offsetMinutes(new Date(instant), timeZone) * MINUTE_MS === local) return starts;
      // The gap's times are before UNTIL by the wall clock: that many are too many too, and Samoa's gap was a day.
      if (++late > maxOccurrences) return tooMany(maxOccurrences);
      continue;
    }
    starts.set(instant, local);
    if (starts.size > maxOccurrences) return tooMany(maxOccurrences);
    if (starts.size === rule.COUNT) return starts;
  }

  if (starts.size === 0) return refusal("recurrence.rule", "no_occurrences", "Must have an occurrence.");
  if (until !== undefined && until <= horizon) return starts;
  const message = `Must end within ${HORIZON_YEARS} years of start_time.`;
  return refusal("recurrence.rule", "too_far", message);
}

/** The local times that a rule names from `start` to `last`, in order. */
function* localStarts(rule: Rule, start: number, last: number): Generator<number> {
  const sets = FREQUENCIES.indexOf(rule.FREQ) < FREQUENCIES.indexOf("DAILY") ? clockSets : daySets;
  const startDay = Math.floor(start / DAY_MS);
  for (const { days, times, positions } of sets(rule, start, last)) {
    for (const local of positions ? atPositions(days, times, positions) : atAll(days, times, startDay)) {
      if (local > last) return;
      if (local >= start) yield local;
    }
  }
}

/** The occurrences of one period of a rule: each of its days at each of its times, or those at BYSETPOS. */
type PeriodSet = { days: number[]; times: number[]; positions?: number[] | undefined };

function* atAll(days: number[], times: number[], fromDay: number): Generator<number> {
  for (const day of days) {
    if (day < fromDay) continue;
    for (const time of times) yield day * DAY_MS + time * 1_000;
  }
}

function atPositions(days: number[], times: number[], positions: number[]): number[] {
  // By arithmetic, since a year of seconds is too long to be listed.
  const total = days.length * times.length;
  const indexes = positions.map((position) => (position > 0 ? position - 1 : total + position));
  return sorted(indexes).flatMap((index) => {
    const day = days[Math.floor(index / times.length)];
    const time = times[index % times.length];
    return day === undefined || time === undefined ? [] : [day * DAY_MS + time * 1_000];
  });
}

/** The periods of a DAILY, WEEKLY, MONTHLY or YEARLY rule. The first is the whole one that the start is in. */
function* daySets(rule: Rule, start: number, last: number): Generator<PeriodSet> {
  const clock = clockOf(start);
  const times = timesOfDay(
    rule.BYHOUR ?? [clock.hour],
    rule.BYMINUTE ?? [clock.minute],
    rule.BYSECOND ?? [clock.second],
  );
  const first = periodOf(rule, Math.floor(start / DAY_MS));
  let current: number | undefined;
  let days: number[] = [];
  for (const day of admittedDays(rule, start, last)) {
    const period = periodOf(rule, day) - first;
    if (period < 0 || period % rule.INTERVAL !== 0) continue;
    if (period !== current && days.length > 0) {
      yield { days, times, positions: rule.BYSETPOS };
      days = [];
    }
    current = period;
    days.push(day);
  }
  if (days.length > 0) yield { days, times, positions: rule.BYSETPOS };
}

/** The number of the period that a day is in; those of one frequency are numbered without a gap. */
function periodOf(rule: Rule, day: number): number {
  if (rule.FREQ === "DAILY") return day;
  if (rule.FREQ === "WEEKLY") return weekStart(day, rule.WKST) / 7;
  const date = new Date(day * DAY_MS);
  if (rule.FREQ === "MONTHLY") return date.getUTCFullYear() * 12 + date.getUTCMonth();
  return rule.BYWEEKNO ? yearOf(weekStart(day, rule.WKST) + 3) : date.getUTCFullYear();
}

/** The periods of an HOURLY, MINUTELY or SECONDLY rule. */
function* clockSets(rule: Rule, start: number, last: number): Generator<PeriodSet> {
  const { INTERVAL, BYSETPOS } = rule;
  const { seconds, slots, within } = clockSlots(rule, clockOf(start));
  const times = BYSETPOS ? atPositions([0], within, BYSETPOS).map((ms) => ms / 1_000) : within;
  if (times.length === 0) return;

  // A day takes the slots of one remainder: found by look-up, so that a day without any costs nothing.
  const byRemainder = new Map<number, number[]>();
  for (const slot of slots) {
    const remainder = (slot / seconds) % INTERVAL;
    const known = byRemainder.get(remainder);
    if (known) known.push(slot);
    else byRemainder.set(remainder, [slot]);
  }
  const startDay = Math.floor(start / DAY_MS);
  const startSlot = Math.floor((start - startDay * DAY_MS) / 1_000 / seconds);
  for (const day of admittedDays(rule, start, last)) {
    if (day < startDay) continue;
    const remainder = modulo(startSlot - (day - startDay) * (DAY_SECONDS / seconds), INTERVAL);
    for (const slot of byRemainder.get(remainder) ?? []) {
      yield { days: [day], times: times.map((time) => slot + time) };
    }
  }
}

/** The hours, minutes or seconds of a day that a rule admits, as seconds of the day; and its times within one. */
function clockSlots(rule: Rule, { minute, second }: { minute: number; second: number }) {
  const { BYHOUR = upTo(24), BYMINUTE = upTo(60), BYSECOND = upTo(60) } = rule;
  if (rule.FREQ === "SECONDLY") {
    return { seconds: 1, slots: timesOfDay(BYHOUR, BYMINUTE, BYSECOND), within: [0] };
  }
  const bySecond = rule.BYSECOND ?? [second];
  if (rule.FREQ === "MINUTELY") {
    return { seconds: 60, slots: timesOfDay(BYHOUR, BYMINUTE, [0]), within: bySecond };
  }
  const within = timesOfDay([0], rule.BYMINUTE ?? [minute], bySecond);
  return { seconds: 3_600, slots: timesOfDay(BYHOUR, [0], [0]), within };
}

/** The days that a rule's date parts admit, in order, of the years from the one before `start` to the one after `last`. */
function* admittedDays(rule: Rule, start: number, last: number): Generator<number> {
  const date = new Date(start);
  const weekday = modulo(Math.floor(start / DAY_MS) + 3, 7);
  const { BYMONTH, BYMONTHDAY, BYYEARDAY, BYWEEKNO, BYDAY } = rule;

  // What the rule leaves open is the start's (RFC 5545 §3.3.10).
  const open = !BYMONTHDAY && !BYYEARDAY && !BYDAY;
  const byTheMonth = open && !BYWEEKNO && (rule.FREQ === "YEARLY" || rule.FREQ === "MONTHLY");
  const byTheWeek = open && (BYWEEKNO !== undefined || rule.FREQ === "WEEKLY");
  const month = byTheMonth && rule.FREQ === "YEARLY" ? [date.getUTCMonth() + 1] : undefined;
  // rrule counts the Mondays of `1MO` in each month that BYMONTH names, and without BYMONTH in the year.
  const months = BYMONTH ?? month ?? (rule.FREQ === "MONTHLY" ? upTo(13).slice(1) : undefined);
  const monthDays = BYMONTHDAY ?? (byTheMonth ? [date.getUTCDate()] : undefined);
  const weekdays = BYDAY ?? (byTheWeek ? [{ weekday, nth: undefined }] : undefined);

  for (let year = date.getUTCFullYear() - 1; year <= yearOf(last / DAY_MS) + 1; year++) {
    const rrule = new RRule(
      {
        freq: RRule.YEARLY,
        // Two periods on is past rrule's last year: it looks at this one year only.
        interval: 10_000,
        dtstart: new Date(Date.UTC(year, 0, 1)),
        bymonth: months ?? null,
        bymonthday: monthDays ?? null,
        byyearday: BYYEARDAY ?? null,
        byweekday: rruleWeekdays(weekdays),
      },
      true,
    );
    for (const found of rrule.all()) {
      const day = found.getTime() / DAY_MS;
      if (!BYWEEKNO || isInWeeks(day, BYWEEKNO, rule.WKST)) yield day;
    }
  }
}

/** BYDAY as rrule takes it. It would intersect `MO,2TU`, not unite them: then plain days become all their ordinals. */
function rruleWeekdays(parts: WeekdayPart[] | undefined) {
  if (parts === undefined) return upTo(7);
  if (parts.every(({ nth }) => nth === undefined)) return parts.map(({ weekday }) => weekday);
  return parts.flatMap(({ weekday, nth }) =>
    (nth === undefined ? upTo(54).slice(1) : [nth]).map((n) => new Weekday(weekday, n)),
  );
}

/** Week 1 is the first with at least four days in its year; −1 the last. */
function isInWeeks(day: number, numbers: number[], wkst: number): boolean {
  const firstWeek = (year: number) => weekStart(Date.UTC(year, 0, 4) / DAY_MS, wkst);
  const start = weekStart(day, wkst);
  const year = yearOf(start + 3);
  const number = (start - firstWeek(year)) / 7 + 1;
  const weeks = (firstWeek(year + 1) - firstWeek(year)) / 7;
  return numbers.includes(number) || numbers.includes(number - weeks - 1);
}

function parseExdates(
  exdates: readonly string[],
  timeZone: string,
  max: number,
): { instants: Set<number>; dates: Set<string> } | { errors: FieldError[] } {
  if (exdates.length > max) {
    return { errors: [refusal("recurrence.exdates", "too_many", `Must have at most ${max} items.`)] };
  }
  const read = exdates.map((text) => ({
    date: DATE.test(text) && parseInstant(`${text}T00:00Z`) !== undefined ? text : undefined,
    instant:
      parseInstant(text) ??
      (parseInstant(`${text}Z`) !== undefined && LOCAL.test(text)
        ? localToInstant(text, timeZone).getTime()
        : undefined),
  }));
  const errors = read.flatMap(({ date, instant }, index) =>
    date === undefined && instant === undefined
      ? [
          refusal(
            `recurrence.exdates[${index}]`,
            "invalid_format",
            "Must be a date, a local time or an instant.",
          ),
        ]
      : [],
  );
  if (errors.length > 0) return { errors };
  return {
    instants: new Set(read.flatMap(({ instant }) => instant ?? [])),
    dates: new Set(read.flatMap(({ date }) => date ?? [])),
  };
}

function startErrors(start: number | undefined): FieldError[] {
  if (start === undefined)
    return [refusal("start_time", "invalid_format", "Must be an ISO 8601 time with offset.")];
  const year = yearOf(start / DAY_MS);
  if (start % 1_000 !== 0 || year < FIRST_YEAR || year > LAST_YEAR) {
    const message = `Must be a whole second of the years ${FIRST_YEAR} to ${LAST_YEAR}.`;
    return [refusal("start_time", "invalid_value", message)];
  }
  return [];
}

/** Milliseconds since 1970 of an ISO 8601 time with offset; undefined for anything else, `2027-02-30T…` included. */
function parseInstant(text: string): number | undefined {
  const [, local, sign, hours, minutes] = INSTANT.exec(text) ?? [];
  if (local === undefined) return undefined;
  try {
    const offset = (Number(hours ?? 0) * 60 + Number(minutes ?? 0)) * MINUTE_MS;
    const [seconds = "", fraction = ""] = local.split(".");
    const milliseconds = Math.floor(Number(`0.${fraction || 0}`) * 1_000);
    return localToInstant(seconds, "UTC").getTime() + milliseconds - (sign === "-" ? -offset : offset);
  } catch {
    return undefined;
  }
}

function toInstant(local: number, timeZone: string): number {
  return localToInstant(localText(local), timeZone).getTime();
}

function localText(local: number): string {
  return new Date(local).toISOString().slice(0, 19);
}

function clockOf(local: number) {
  const date = new Date(local);
  return { hour: date.getUTCHours(), minute: date.getUTCMinutes(), second: date.getUTCSeconds() };
}

function timesOfDay(hours: number[], minutes: number[], seconds: number[]): number[] {
  return hours.flatMap((hour) =>
    minutes.flatMap((minute) => seconds.map((second) => hour * 3_600 + minute * 60 + second)),
  );
}

function weekStart(day: number, wkst: number): number {
  return day - modulo(day + 3 - wkst, 7);
}

function yearOf(day: number): number {
  return new Date(day * DAY_MS).getUTCFullYear();
}

function modulo(value: number, divisor: number): number {
  return ((value % divisor) + divisor) % divisor;
}

function upTo(length: number): number[] {
  return Array.from({ length }, (_, index) => index);
}

function refused(...errors: FieldError[]): RecurrenceResult {
  return { ok: false, errors };
}
