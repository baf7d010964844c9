/** Days and times as the clinic's wall clock shows them, wherever the browser is. Days are ISO dates: `2027-03-14`. */
import { localToInstant } from "../lib/timezone.ts";

const LOCALE = "en-US";
const DAY_MS = 86_400_000;

export interface Clock {
  zone: string;
  /** `America/Los_Angeles, PST`. */
  nameAt(instant: Date): string;
  /** The day of an instant. */
  dayOf(instant: Date | string): string;
  /** Hours since midnight on the wall clock: 9.5 at half past nine. */
  hourOf(instant: Date | string): number;
  /** The instant of a day and a time, `09:30`. */
  instantOf(day: string, time: string): Date;
  /** `10:00 AM`. */
  time(instant: string): string;
  /** `10:00 AM – 12:00 PM`. */
  times(start: string, end: string): string;
  /** `Mon, Nov 30, 10:00 AM – 12:00 PM`. */
  dayAndTimes(start: string, end: string): string;
  /** `Nov 30, 2026, 10:00:04 AM`. */
  moment(instant: string): string;
}

export function clockOf(zone: string): Clock {
  const format = (options: Intl.DateTimeFormatOptions) =>
    new Intl.DateTimeFormat(LOCALE, { timeZone: zone, ...options });
  const time = format({ hour: "numeric", minute: "2-digit" });
  const dayAndTime = format({
    weekday: "short",
    month: "short",
    day: "numeric",
    hour: "numeric",
    minute: "2-digit",
  });
  const moment = format({ dateStyle: "medium", timeStyle: "medium" });
  const fields = format({
    year: "numeric",
    month: "2-digit",
    day: "2-digit",
    hour: "2-digit",
    minute: "2-digit",
    hourCycle: "h23",
  });
  const name = format({ timeZoneName: "short" });

  const fieldsOf = (instant: Date | string): Record<string, string> =>
    Object.fromEntries(fields.formatToParts(new Date(instant)).map(({ type, value }) => [type, value]));
  return {
    zone,
    nameAt: (instant) => {
      const short = name.formatToParts(instant).find(({ type }) => type === "timeZoneName")?.value;
      return `${zone.replace(/_/g, " ")}, ${short}`;
    },
    dayOf: (instant) => {
      const { year, month, day } = fieldsOf(instant);
      return `${year}-${month}-${day}`;
    },
    hourOf: (instant) => {
      const { hour, minute } = fieldsOf(instant);
      return Number(hour) + Number(minute) / 60;
    },
    instantOf: (day, at) => localToInstant(`${day}T${at}`, zone),
    time: (instant) => time.format(new Date(instant)),
    times: (start, end) => time.formatRange(new Date(start), new Date(end)),
    dayAndTimes: (start, end) => dayAndTime.formatRange(new Date(start), new Date(end)),
    moment: (instant) => moment.format(new Date(instant)),
  };
}

/** A day so many days later. */
export function addDays(day: string, days: number): string {
  return new Date(Date.parse(day) + days * DAY_MS).toISOString().slice(0, 10);
}

/** The Monday of a day's week. */
export function mondayOf(day: string): string {
  return addDays(day, -((new Date(day).getUTCDay() + 6) % 7));
}

/** A day in words; as it names no instant, no zone has a say. */
export function dayName(day: string, options: Intl.DateTimeFormatOptions): string {
  return new Intl.DateTimeFormat(LOCALE, { timeZone: "UTC", ...options }).format(new Date(day));
}

/** `November 30 – December 6, 2026`. */
export function weekName(monday: string): string {
  const format = new Intl.DateTimeFormat(LOCALE, { timeZone: "UTC", dateStyle: "long" });
  return format.formatRange(new Date(monday), new Date(addDays(monday, 6)));
}
