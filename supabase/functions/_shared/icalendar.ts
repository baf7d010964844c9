/**
 * Sessions as iCalendar text (RFC 5545). Times are UTC, so the text needs no VTIMEZONE; and it is made of nothing but the
 * sessions, so the same sessions give the same text.
 */

/** A session, as a calendar shows it: when, and nothing else. */
export interface CalendarEvent {
  readonly id: string;
  /** ISO 8601 with offset, as all times here. */
  readonly start_time: string;
  readonly end_time: string;
  /** When the session was last changed, and how often it was. */
  readonly changed_at: string;
  /** From 1 on. */
  readonly version: number;
  readonly cancelled: boolean;
}

/**
 * A whole calendar object, its lines ended by CRLF. All text in it is ours, so nothing is to be escaped (§3.3.11), and the
 * longest line, that of a uuid, is shorter than the 75 octets at which lines are folded (§3.1).
 */
export function toCalendar(events: readonly CalendarEvent[]): string {
  const lines = [
    "BEGIN:VCALENDAR",
    "VERSION:2.0",
    "PRODID:-//Holdfast//Calendar feed//EN",
    "CALSCALE:GREGORIAN",
    "NAME:Sessions",
    "X-WR-CALNAME:Sessions",
    // How often to ask again, by RFC 7986 §5.7 and as older apps read it.
    "REFRESH-INTERVAL;VALUE=DURATION:PT1H",
    "X-PUBLISHED-TTL:PT1H",
    ...events.flatMap(toEvent),
    "END:VCALENDAR",
  ];
  return lines.map((line) => `${line}\r\n`).join("");
}

function toEvent(event: CalendarEvent): string[] {
  return [
    "BEGIN:VEVENT",
    `UID:${event.id}`,
    // Without a METHOD it says when the session was last changed (§3.8.7.2), not when it was asked for.
    `DTSTAMP:${utc(event.changed_at)}`,
    `LAST-MODIFIED:${utc(event.changed_at)}`,
    `SEQUENCE:${event.version - 1}`,
    `DTSTART:${utc(event.start_time)}`,
    `DTEND:${utc(event.end_time)}`,
    "SUMMARY:Session",
    `STATUS:${event.cancelled ? "CANCELLED" : "CONFIRMED"}`,
    `TRANSP:${event.cancelled ? "TRANSPARENT" : "OPAQUE"}`,
    "CLASS:PRIVATE",
    "END:VEVENT",
  ];
}

/** An instant as DATE-TIME in UTC, form 2 (§3.3.5). */
function utc(moment: string): string {
  return `${new Date(moment).toISOString().slice(0, 19).replace(/[-:]/g, "")}Z`;
}
