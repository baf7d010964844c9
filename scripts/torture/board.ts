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

interface Answered {
  hold_key?: string;
  sessions?: KnownSession[];
  cancelled?: { id: string }[];
  note?: { session_id: string; version: number };
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

  learn(ask: Ask, data: unknown): void {
    const { hold_key, sessions = [], cancelled = [], note } = (data ?? {}) as Answered;
    if (hold_key) add(this.holds, { key: hold_key, user: ask.user.id });
    for (const { id, version, therapist_id, group_id } of sessions as (KnownSession & {
      group_id: string | null;
    })[]) {
      const known = this.known.get(id);
      if (known) Object.assign(known, { version: Math.max(version, known.version), therapist_id });
      else {
        const session = { id, version, therapist_id };
        this.known.set(id, session);
        const dropped = add(this.sessions, session);
        if (dropped) this.known.delete(dropped.id);
        if (group_id && !this.groups.includes(group_id)) add(this.groups, group_id);
      }
    }
    for (const { id } of cancelled) this.forget(id);
    if (note) {
      const authors = this.notes.get(note.session_id)?.authors ?? new Set();
      this.notes.set(note.session_id, { version: note.version, authors: authors.add(ask.user.id) });
    }
  }

  remember(sent: Sent): void {
    add(this.sent, sent);
  }

  private forget(id: string): void {
    const known = this.known.get(id);
    if (!known) return;
    this.known.delete(id);
    this.sessions.splice(this.sessions.indexOf(known), 1);
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
