// What the users of a clinic know from the answers they were given: from this they choose what to do next. It may be
// out of date, and that is as it is with users.

import type { Ask, Caller } from "./callers.ts";

export interface KnownHold {
  key: string;
  user: string;
}

export interface KnownSession {
  id: string;
  version: number;
  therapist_id: string;
  series_id: string | null;
  start_time: string;
  end_time: string;
  status: string;
}

export interface KnownSeries {
  id: string;
  version: number;
}

/** An operation that was begun, to be sent again later: late, out of order, or because nobody knows what came of it. */
export interface Sent {
  operation: number;
  via: Caller["via"];
  attempts: number;
  /** Whether it was ever answered that it is done. */
  done: boolean;
  ask: Ask;
  forbidden: boolean;
}

type SessionOfAnswer = KnownSession & { group_id: string | null };

interface Answered {
  hold_key?: string;
  session?: SessionOfAnswer;
  sessions?: SessionOfAnswer[];
  substituted?: SessionOfAnswer[];
  added?: SessionOfAnswer[];
  series?: KnownSeries;
  exceptions?: { id: string }[];
  /** Of a series, ids. */
  cancelled?: ({ id: string } | string)[];
  note?: { session_id: string; version: number };
  entry?: { id: string; status: string };
}

const LIMIT = 400;

export class Board {
  readonly holds: KnownHold[] = [];
  readonly groups: string[] = [];
  readonly sessions: KnownSession[] = [];
  /** By session. */
  readonly notes = new Map<string, { version: number; authors: Set<string> }>();
  readonly sent: Sent[] = [];
  /** One change of the temporary role at a time, so that it is known since when it is revoked. */
  roleChanging = false;
  roleRevoked = false;
  private readonly known = new Map<string, KnownSession>();

  /** Sessions whose time is over and that were arranged: not marked, begun, and marked for good. */
  readonly overdue: KnownSession[];
  readonly started: KnownSession[] = [];
  readonly ended: KnownSession[] = [];
  readonly series: KnownSeries[] = [];
  /** Entries of the waitlist, and what it offers. */
  readonly waiting: string[] = [];
  readonly offers: string[] = [];
  /** Time off that can be taken back. */
  readonly off: string[] = [];

  constructor(overdue: readonly KnownSession[]) {
    this.overdue = overdue.map((session) => ({ ...session }));
    for (const session of this.overdue) this.known.set(session.id, session);
  }

  learn(ask: Ask, data: unknown): void {
    if (ask.name === "read_series") this.series.splice(0, LIMIT, ...(data as KnownSeries[]));
    else if (ask.name === "read_offers") {
      this.offers.splice(0, LIMIT, ...(data as { id: string }[]).map(({ id }) => id));
    } else this.learnEffect(ask, data);
  }

  private learnEffect(ask: Ask, data: unknown): void {
    const answer = (data ?? {}) as Answered;
    if (answer.hold_key) add(this.holds, { key: answer.hold_key, user: ask.user.id });
    if (answer.session) this.meet(answer.session);
    for (const session of answer.sessions ?? answer.substituted ?? answer.added ?? []) this.meet(session);
    for (const { id } of answer.exceptions ?? []) add(this.off, id);
    for (const one of answer.cancelled ?? []) this.forget(typeof one === "string" ? one : one.id);
    const { note, entry, series } = answer;
    if (note) {
      const authors = this.notes.get(note.session_id)?.authors ?? new Set();
      this.notes.set(note.session_id, { version: note.version, authors: authors.add(ask.user.id) });
    }
    if (entry?.status === "waiting" && !this.waiting.includes(entry.id)) add(this.waiting, entry.id);
    if (series) {
      const { id, version } = series;
      const known = this.series.find((one) => one.id === id);
      if (known) known.version = Math.max(known.version, version);
      else add(this.series, { id, version });
    }
  }

  private meet({ group_id, ...session }: SessionOfAnswer): void {
    const { id, version, therapist_id, series_id, start_time, end_time, status } = session;
    const known = this.known.get(id);
    const latest = { version, therapist_id, series_id, start_time, end_time, status };
    if (!known) {
      const met = { id, ...latest };
      this.known.set(id, met);
      const dropped = add(this.sessions, met);
      if (dropped) this.known.delete(dropped.id);
      if (group_id && !this.groups.includes(group_id)) add(this.groups, group_id);
    } else if (version > known.version) {
      Object.assign(known, latest);
      if (status === "in_progress") this.pass(known, this.overdue, this.started);
      else if (status !== "scheduled") {
        this.pass(known, this.overdue, this.ended);
        this.pass(known, this.started, this.ended);
      }
    }
  }

  /** From one list to another, if it is there. */
  private pass(session: KnownSession, from: KnownSession[], to: KnownSession[]): void {
    const at = from.indexOf(session);
    if (at < 0) return;
    from.splice(at, 1);
    add(to, session);
  }

  remember(sent: Sent): void {
    add(this.sent, sent);
  }

  private forget(id: string): void {
    const known = this.known.get(id);
    if (!known) return;
    this.known.delete(id);
    for (const list of [this.sessions, this.overdue]) {
      const at = list.indexOf(known);
      if (at >= 0) list.splice(at, 1);
    }
    this.notes.delete(id);
  }
}

/** Adds to a list that keeps the latest; what was dropped for it. */
function add<Item>(items: Item[], item: Item): Item | undefined {
  items.push(item);
  return items.length > LIMIT ? items.shift() : undefined;
}

/** The item that a number from 0 to before 1 points at. */
export const pick = <Item>(items: readonly Item[], at: number): Item | undefined =>
  items[Math.floor(at * items.length)];

/** The same, taken off the list. */
export function take<Item>(items: Item[], at: number): Item | undefined {
  return items.splice(Math.floor(at * items.length), 1)[0];
}
