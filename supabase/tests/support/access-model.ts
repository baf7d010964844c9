// Unusual access and the subject access report as plain TypeScript over plain events: docs/unusual-access.md, written down
// a second time, without a look at the SQL.

export interface AccessEvent {
  actor: string;
  /** Null: the refused call named nobody's record. */
  client: string | null;
  at: Date;
  action: string;
  /** Of a refusal. */
  code: string | null;
}

export interface Thresholds {
  clients_a_day: number;
  deviations: number;
  opens_at: string;
  closes_at: string;
  open_weekdays: number[];
  off_hours_reads: number;
  unassigned_clients: number;
  denials: number;
  denial_minutes: number;
}

export interface Clinic {
  zone: string;
  thresholds: Thresholds;
  /** Pairs of "actor client". */
  assigned: Set<string>;
  /** Pairs of "actor client": who stands for whom. */
  families: Set<string>;
  schedulers: Set<string>;
}

const ACCESS_DENIALS = ["forbidden", "not_found", "mfa_required"];
const WEEKDAYS = ["Mon", "Tue", "Wed", "Thu", "Fri", "Sat", "Sun"];

/** What a clock on the wall of the zone shows. */
export function wallClock(zone: string, at: Date): { day: string; time: string; weekday: number } {
  const parts = new Intl.DateTimeFormat("en-CA", {
    timeZone: zone,
    hourCycle: "h23",
    year: "numeric",
    month: "2-digit",
    day: "2-digit",
    hour: "2-digit",
    minute: "2-digit",
    weekday: "short",
  }).formatToParts(at);
  const part = (type: string) => parts.find((one) => one.type === type)?.value ?? "";
  return {
    day: `${part("year")}-${part("month")}-${part("day")}`,
    time: `${part("hour")}:${part("minute")}`,
    weekday: WEEKDAYS.indexOf(part("weekday").slice(0, 3)) + 1,
  };
}

/** "actor kind" of everything that is unusual on a day. */
export function unusualAccess(clinic: Clinic, events: AccessEvent[], day: string): string[] {
  const { zone, thresholds } = clinic;
  const reads = events.filter(({ action, code }) => code === null && action.endsWith(".read"));
  const dayOf = ({ at }: AccessEvent) => wallClock(zone, at).day;
  const today = reads.filter((event) => dayOf(event) === day);
  const daysBefore = Array.from({ length: 30 }, (_, ago) =>
    new Date(Date.parse(day) - (ago + 1) * 86_400_000).toISOString().slice(0, 10),
  );
  const clientsOf = (some: AccessEvent[]) => new Set(some.map(({ client }) => client)).size;

  const found: string[] = [];
  for (const actor of new Set(events.map((event) => event.actor))) {
    const mine = today.filter((event) => event.actor === actor);
    const counts = daysBefore
      .map((before) => clientsOf(reads.filter((event) => event.actor === actor && dayOf(event) === before)))
      .filter((count) => count > 0);
    if (clientsOf(mine) >= thresholds.clients_a_day && isFarAbove(clientsOf(mine), counts, thresholds)) {
      found.push(`${actor} many_clients`);
    }

    const offHours = mine.filter(({ at, client }) => {
      if (clinic.families.has(`${actor} ${client}`)) return false;
      const { time, weekday } = wallClock(zone, at);
      const open = thresholds.open_weekdays.includes(weekday);
      return !open || time < thresholds.opens_at || time >= thresholds.closes_at;
    });
    if (offHours.length >= thresholds.off_hours_reads) found.push(`${actor} off_hours`);

    const strangers = mine.filter(
      ({ client, action }) =>
        !clinic.assigned.has(`${actor} ${client}`) &&
        !clinic.families.has(`${actor} ${client}`) &&
        !(action === "client.read" && clinic.schedulers.has(actor)),
    );
    if (clientsOf(strangers) >= thresholds.unassigned_clients) found.push(`${actor} unassigned_reads`);

    const denials = events.filter(
      (event) => event.actor === actor && ACCESS_DENIALS.includes(event.code ?? ""),
    );
    const isBurst = denials.some((last) => {
      const earlier = denials.filter(({ at }) => {
        const ago = last.at.getTime() - at.getTime();
        return ago >= 0 && ago <= thresholds.denial_minutes * 60_000;
      });
      return dayOf(last) === day && earlier.length >= thresholds.denials;
    });
    if (isBurst) found.push(`${actor} repeated_denials`);
  }
  return found.sort();
}

/** Above mean + deviations x standard deviation; all times the number of days, so that whole numbers stay whole. */
function isFarAbove(clients: number, counts: number[], { deviations }: Thresholds): boolean {
  if (counts.length === 0) return true;
  const total = counts.reduce((sum, count) => sum + count, 0);
  const squares = counts.reduce((sum, count) => sum + count * count, 0);
  return clients * counts.length - total > deviations * Math.sqrt(counts.length * squares - total * total);
}

/** The events of a client's report in some time, newest first. */
export function accessReport(events: AccessEvent[], client: string, from: Date, to: Date): AccessEvent[] {
  return events
    .filter((event) => event.client === client && event.at >= from && event.at < to)
    .filter(({ action, code }) => code !== null || action.endsWith(".read"))
    .reverse();
}
