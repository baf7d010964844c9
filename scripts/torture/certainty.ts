// What callers knew they had, and when: from the answer that gave it to them until the next request that may change it.
// Two of these of one person that overlap, on the calendar and in the moment, are a double booking whatever the tables
// say. Groups are left out: their members share a time, and a request about one changes all.

import { type Entry, isKeyed } from "./history.ts";

interface Place {
  subjects: string[];
  start: number;
  end: number;
  slot: string;
}

interface Touch {
  began: number;
  ended: number;
  place: Place | null;
  /** A hold is nobody's after this. */
  until: number;
}

interface Had extends Place {
  id: string;
  from: number;
  until: number;
}

const HALF_HOUR_MS = 1_800_000;
/** Two clocks of one machine are compared, each read at another moment. */
const SLACK_MS = 50;

export class Certainty {
  /** By operation, of its first attempt: it may have had its effect ever since. */
  private readonly begun = new Map<number, number>();
  private readonly touches = new Map<string, Touch[]>();
  private readonly groups = new Set<string>();
  /** Who was ever in a series, and the edits of it: they may have changed any of these. */
  private readonly members = new Map<string, Set<string>>();
  private readonly edits = new Map<string, Touch[]>();
  private readonly batches = new Map<string, string[]>();
  /** When holds may have run out before their time. */
  private readonly clocks = new Map<string, Pick<Touch, "began" | "ended">[]>();
  private readonly organizations = new Map<string, string>();

  see(entry: Entry): void {
    const { operation, name, outcome, request, organization } = entry;
    if (name === "clock") {
      const clocks = this.clocks.get(organization) ?? [];
      clocks.push({ began: entry.began, ended: outcome === "ok" ? entry.ended : Number.POSITIVE_INFINITY });
      this.clocks.set(organization, clocks);
      return;
    }
    if (!isKeyed(name) || outcome === "refused" || outcome === "broken" || entry.forbidden) return;
    const first = this.begun.get(operation) ?? entry.began;
    this.begun.set(operation, first);
    const span = { began: first, ended: outcome === "ok" ? entry.ended : Number.POSITIVE_INFINITY };
    // Whatever it names may have changed, also where there is no answer.
    for (const id of namedIn(request, this.batches)) this.touch(id, { ...span, place: null, until: 0 });
    if (name === "update_series") {
      const series = request.series_id as string;
      this.edits.set(series, [...(this.edits.get(series) ?? []), { ...span, place: null, until: 0 }]);
    }
    if (outcome === "ok" && name === "add_exception") {
      const { cancelled } = entry.data as { cancelled: { id: string }[] };
      for (const { id } of cancelled) this.touch(id, { ...span, place: null, until: 0 });
    } else if (outcome === "ok") this.learn(entry, span, organization);
  }

  private learn(
    { name, data, request }: Entry,
    span: Pick<Touch, "began" | "ended">,
    organization: string,
  ): void {
    const answer = data as {
      hold_key?: string;
      holds?: HoldOfAnswer[];
      session?: SessionOfAnswer;
      sessions?: SessionOfAnswer[];
      substituted?: SessionOfAnswer[];
      added?: SessionOfAnswer[];
      series?: { id: string };
      moved?: string[];
      unchanged?: string[];
    };
    const service = String(request.service_code);
    const holds = answer.holds ?? [];
    if (answer.hold_key)
      this.batches.set(
        answer.hold_key,
        holds.map(({ hold_key }) => hold_key),
      );
    for (const hold of holds) {
      if (name === "join_slot" || service === "97154") this.groups.add(hold.hold_key);
      this.organizations.set(hold.hold_key, organization);
      const place = placeOf(hold, service, (request.room_id as string) ?? null);
      if (typeof request.session_id === "string") place.slot = request.session_id;
      else place.slot = hold.hold_key;
      this.touch(hold.hold_key, { ...span, place, until: Date.parse(hold.expires_at) - SLACK_MS });
    }
    for (const id of [...(answer.moved ?? []), ...(answer.unchanged ?? [])]) this.join(answer.series?.id, id);
    const { session: one, sessions = answer.substituted ?? answer.added ?? (one ? [one] : []) } = answer;
    for (const session of sessions) {
      if (session.group_id) this.groups.add(session.id);
      this.join(session.series_id ?? answer.series?.id, session.id);
      if (session.status === "no_show") continue;
      const place = { ...placeOf(session, session.service_code, session.room_id), slot: session.id };
      this.touch(session.id, { ...span, place, until: Number.POSITIVE_INFINITY });
    }
  }

  private join(series: string | null | undefined, id: string): void {
    if (series) this.members.set(series, (this.members.get(series) ?? new Set()).add(id));
  }

  private touch(id: string, touch: Touch): void {
    const touches = this.touches.get(id);
    if (touches) touches.push(touch);
    else this.touches.set(id, [touch]);
  }

  faults(): string[] {
    for (const [series, edits] of this.edits) {
      for (const id of this.members.get(series) ?? []) for (const edit of edits) this.touch(id, edit);
    }
    const bySubject = new Map<string, Had[]>();
    for (const [id, touches] of this.touches) {
      if (this.groups.has(id)) continue;
      const clocks = this.clocks.get(this.organizations.get(id) ?? "") ?? [];
      for (const touch of touches) {
        if (!touch.place) continue;
        const until = Math.min(
          touch.until,
          ...touches
            .filter((other) => other !== touch && other.ended > touch.began && !isSame(other, touch))
            .map(({ began }) => began),
          ...(Number.isFinite(touch.until)
            ? clocks.filter(({ ended }) => ended > touch.began).map(({ began }) => began)
            : []),
        );
        if (until <= touch.ended) continue;
        const had = { id, ...touch.place, from: touch.ended, until };
        for (const subject of had.subjects) {
          for (let cell = had.start; cell < had.end; cell += HALF_HOUR_MS) {
            const key = `${subject} ${cell}`;
            const list = bySubject.get(key);
            if (list) list.push(had);
            else bySubject.set(key, [had]);
          }
        }
      }
    }
    const found = new Set<string>();
    for (const [key, list] of bySubject) {
      list.sort((a, b) => a.from - b.from);
      let open: Had[] = [];
      for (const one of list) {
        open = open.filter(({ until }) => until > one.from);
        for (const other of open) {
          if (other.slot !== one.slot) found.add(`${other.id} and ${one.id} were both had at once: ${key}`);
        }
        open.push(one);
      }
    }
    return [...found];
  }
}

interface HoldOfAnswer {
  hold_key: string;
  therapist_id: string;
  client_id: string;
  start_time: string;
  end_time: string;
  expires_at: string;
}

interface SessionOfAnswer extends Omit<HoldOfAnswer, "hold_key" | "expires_at"> {
  id: string;
  room_id: string | null;
  group_id: string | null;
  series_id?: string | null;
  service_code: string;
  status?: string;
}

/** The touch that its request made, beside the one that its answer makes. */
const isSame = (other: Touch, touch: Touch): boolean =>
  other.began === touch.began && other.ended === touch.ended;

function placeOf(
  booking: Omit<HoldOfAnswer, "hold_key" | "expires_at">,
  service: string,
  room: string | null,
): Place {
  const lane = service === "97155" ? 1 : 0;
  const subjects = [booking.therapist_id, `${booking.client_id}/${lane}`, ...(room ? [room] : [])];
  return { subjects, start: Date.parse(booking.start_time), end: Date.parse(booking.end_time), slot: "" };
}

function namedIn(request: Record<string, unknown>, batches: Map<string, string[]>): string[] {
  const {
    hold_key,
    session_ids = [],
    session_id,
    other_session_id,
  } = request as Record<string, string | string[]>;
  const key = hold_key as string | undefined;
  const holds = key ? (batches.get(key) ?? [key]) : [];
  return [...holds, ...session_ids, session_id, other_session_id].filter(
    (id): id is string => typeof id === "string",
  );
}
