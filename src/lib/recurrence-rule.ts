/**
 * The text of a recurrence rule: an RFC 5545 RECUR value (§3.3.10), read strictly. recurrence.ts expands what it gives.
 */
import type { FieldError } from "./problems.ts";
import { localToInstant } from "./timezone.ts";

/** Shortest period first. */
export const FREQUENCIES = [
  "SECONDLY",
  "MINUTELY",
  "HOURLY",
  "DAILY",
  "WEEKLY",
  "MONTHLY",
  "YEARLY",
] as const;
const WEEKDAYS = ["MO", "TU", "WE", "TH", "FR", "SA", "SU"];
const LISTS = {
  BYSECOND: { min: 0, max: 60, signed: false },
  BYMINUTE: { min: 0, max: 59, signed: false },
  BYHOUR: { min: 0, max: 23, signed: false },
  BYMONTHDAY: { min: 1, max: 31, signed: true },
  BYYEARDAY: { min: 1, max: 366, signed: true },
  BYWEEKNO: { min: 1, max: 53, signed: true },
  BYMONTH: { min: 1, max: 12, signed: false },
  BYSETPOS: { min: 1, max: 366, signed: true },
} as const;

type Frequency = (typeof FREQUENCIES)[number];
type ListPart = keyof typeof LISTS;
/** One item of BYDAY, Monday 0: `-1FR` is `{ weekday: 4, nth: -1 }`. */
export type WeekdayPart = { weekday: number; nth: number | undefined };
/** A rule by its parts. Lists are in order, without repetition. */
export type Rule = Partial<Record<ListPart, number[]>> & {
  FREQ: Frequency;
  INTERVAL: number;
  WKST: number;
  COUNT?: number;
  UNTIL?: string;
  BYDAY?: WeekdayPart[];
};

const MAX_LENGTH = 5_000;
const UNTIL = /^([1-9]\d{3})(\d{2})(\d{2})(?:T(\d{2})(\d{2})(\d{2})(Z?))?$/;

/** The rule in capitals, without the name of the property: as it is compared and kept. */
export function normalized(text: string): string {
  return text.toUpperCase().replace(/^RRULE:/, "");
}

/** A rule by its parts, each as RFC 5545 allows it; or everything that is wrong with it. */
export function parseRule(text: string, maxOccurrences: number): { rule: Rule } | { errors: FieldError[] } {
  const errors: FieldError[] = [];
  const refuse = (code: string, message: string) => errors.push(refusal("recurrence.rule", code, message));
  const parts = new Map<string, string>();
  const rule: Rule = { FREQ: "DAILY", INTERVAL: 1, WKST: 0 };

  if (text.length > MAX_LENGTH || !/^[!-~]*$/.test(text)) {
    refuse("invalid_format", `Must be a single line without spaces, of at most ${MAX_LENGTH} characters.`);
    return { errors };
  }
  for (const part of normalized(text).split(";")) {
    const [name = "", value] = part.split(/=(.*)/s);
    if (value === undefined || !/^[A-Z][A-Z0-9-]{0,29}$/.test(name)) {
      refuse("invalid_format", "Must be parts such as FREQ=WEEKLY;COUNT=10.");
      return { errors };
    }
    if (parts.has(name)) refuse("duplicate", `Must have ${name} only once.`);
    else if (!parsePart(rule, name, value)) {
      if (isPartName(name)) refuse("invalid_value", `Must have a value of RFC 5545 for ${name}.`);
      else refuse("unsupported", `Must not have ${name}: it is no part of an RFC 5545 rule.`);
    }
    parts.set(name, value);
  }
  if (!parts.has("FREQ")) refuse("required", "Must have FREQ.");
  if (errors.length > 0) return { errors };

  for (const message of combinationErrors(rule)) refuse("not_allowed", message);
  if (rule.COUNT !== undefined && rule.UNTIL !== undefined)
    refuse("not_allowed", "Give COUNT or UNTIL, not both.");
  if (rule.COUNT === undefined && rule.UNTIL === undefined) refuse("unbounded", "Give COUNT or UNTIL.");
  if (rule.COUNT !== undefined && rule.COUNT > maxOccurrences) errors.push(tooMany(maxOccurrences));
  return errors.length > 0 ? { errors } : { rule };
}

/** Puts one part into the rule, or says that its name or value is not one of RFC 5545's. */
function parsePart(rule: Rule, name: string, value: string): boolean {
  if (isListPart(name)) {
    const values = parseList(value, LISTS[name]);
    // No clock here shows a leap second: RFC 5545 §3.3.12 then has it as the second before.
    if (values)
      rule[name] = name === "BYSECOND" ? sorted(values.map((second) => Math.min(second, 59))) : values;
    return values !== undefined;
  }
  switch (name) {
    case "FREQ": {
      const frequency = FREQUENCIES.find((known) => known === value);
      if (frequency) rule.FREQ = frequency;
      return frequency !== undefined;
    }
    case "INTERVAL":
    case "COUNT":
      rule[name] = Number(value);
      return /^\d+$/.test(value) && rule[name] > 0 && (name === "COUNT" || Number.isSafeInteger(rule[name]));
    case "WKST":
      rule.WKST = WEEKDAYS.indexOf(value);
      return rule.WKST >= 0;
    case "UNTIL":
      rule.UNTIL = value;
      return untilInstant(value, "UTC") !== undefined;
    case "BYDAY": {
      const days = value.split(",").map(parseWeekday);
      rule.BYDAY = days.filter((day) => day !== undefined);
      return rule.BYDAY.length === days.length;
    }
    default:
      return false;
  }
}

function isListPart(name: string): name is ListPart {
  return Object.hasOwn(LISTS, name);
}

function isPartName(name: string): boolean {
  return isListPart(name) || ["FREQ", "INTERVAL", "COUNT", "WKST", "UNTIL", "BYDAY"].includes(name);
}

function parseList(text: string, { min, max, signed }: (typeof LISTS)[ListPart]): number[] | undefined {
  const pattern = new RegExp(`^${signed ? "[+-]?" : ""}\\d{1,${String(max).length}}$`);
  const values = text.split(",").map((item) => (pattern.test(item) ? Number(item) : Number.NaN));
  return values.every((value) => Math.abs(value) >= min && Math.abs(value) <= max)
    ? sorted(values)
    : undefined;
}

function parseWeekday(text: string): WeekdayPart | undefined {
  const [, nth, name = ""] = /^([+-]?\d{1,2})?([A-Z]{2})$/.exec(text) ?? [];
  const weekday = WEEKDAYS.indexOf(name);
  const ordinal = nth === undefined ? undefined : Number(nth);
  if (weekday < 0 || ordinal === 0 || Math.abs(ordinal ?? 1) > 53) return undefined;
  return { weekday, nth: ordinal };
}

/** What RFC 5545 §3.3.10 says that parts must not do together. */
function combinationErrors(rule: Rule): string[] {
  const { FREQ, BYDAY, BYSETPOS, BYWEEKNO } = rule;
  const ordinals = BYDAY?.some(({ nth }) => nth !== undefined);
  const others = [...Object.keys(LISTS), "BYDAY"].some(
    (name) => name !== "BYSETPOS" && Object.hasOwn(rule, name),
  );
  return [
    ...(ordinals && FREQ !== "MONTHLY" && FREQ !== "YEARLY"
      ? ["BYDAY can only have numbers with FREQ=MONTHLY or FREQ=YEARLY."]
      : []),
    ...(ordinals && BYWEEKNO ? ["BYDAY cannot have numbers together with BYWEEKNO."] : []),
    ...(rule.BYMONTHDAY && FREQ === "WEEKLY" ? ["BYMONTHDAY is not for FREQ=WEEKLY."] : []),
    ...(rule.BYYEARDAY && ["DAILY", "WEEKLY", "MONTHLY"].includes(FREQ)
      ? [`BYYEARDAY is not for FREQ=${FREQ}.`]
      : []),
    ...(BYWEEKNO && FREQ !== "YEARLY" ? ["BYWEEKNO is only for FREQ=YEARLY."] : []),
    ...(BYSETPOS && !others ? ["BYSETPOS needs another BY part."] : []),
  ];
}

/** The last instant that UNTIL admits; undefined for what is no date or time. */
export function untilInstant(text: string, timeZone: string): number | undefined {
  const [, year, month, day, hour = "23", minute = "59", second = "59", utc] = UNTIL.exec(text) ?? [];
  try {
    const local = `${year}-${month}-${day}T${hour}:${minute}:${second === "60" ? "59" : second}`;
    return localToInstant(local, utc ? "UTC" : timeZone).getTime();
  } catch {
    return undefined;
  }
}

/** In order of value, each once. */
export function sorted(numbers: number[]): number[] {
  return [...new Set(numbers)].sort((a, b) => a - b);
}

export function tooMany(max: number): FieldError {
  return refusal("recurrence.rule", "too_many", `Must have at most ${max} occurrences.`);
}

export function refusal(field: string, code: string, message: string): FieldError {
  return { field, code, message };
}
