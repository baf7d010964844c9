// What an edit of a series means, in plain TypeScript: the oracle of the property tests. It knows nothing of SQL, and of
// the calendar only days, and that two sessions with a therapist or a client in common must not overlap.

import { TIME_ZONE } from "./clinic.ts";

export interface ModelSession {
  id: string;
  series: string | null;
  client: string;
  therapist: string;
  start: number;
  end: number;
  occurrence: number | null;
  status: "scheduled" | "cancelled";
  version: number;
}

export interface ModelSeries {
  id: string;
  continues: string | null;
  client: string;
  therapist: string;
  /** How long each occurrence of its rule lasts. */
  minutes: number;
  version: number;
  status: "active" | "ended";
}

export interface Model {
  sessions: ModelSession[];
  series: ModelSeries[];
}

export interface Edit {
  series: string;
  from: number;
  occurrences: { start: number; end: number }[];
  therapist: string | undefined;
  skip: boolean;
}

/** A session that has to be booked; the database gives its id. */
export type Added = Omit<ModelSession, "id">;

export type Outcome =
  | { refused: string }
  | {
      sessions: ModelSession[];
      series: ModelSeries[];
      /** Whether a new series takes the rest; then its id, here `""`, is the database's to give. */
      split: boolean;
      lists: {
        moved: string[];
        unchanged: string[];
        cancelled: string[];
        settled: string[];
        skipped: number[];
      };
      added: Added[];
    };

const isLive = ({ status }: { status: string }) => status === "scheduled";
const byOccurrence = (a: ModelSession, b: ModelSession) => Number(a.occurrence) - Number(b.occurrence);

const days = new Intl.DateTimeFormat("sv-SE", { timeZone: TIME_ZONE });
const dayOf = (instant: number | null) => days.format(Number(instant));

type Taken = Pick<ModelSession, "start" | "end" | "therapist" | "client">;
const collide = (a: Taken, b: Taken) =>
  a.start < b.end && b.start < a.end && (a.therapist === b.therapist || a.client === b.client);

export function modelEdit(model: Model, edit: Edit): Outcome {
  const series = model.series.find(({ id }) => id === edit.series) as ModelSeries;
  const own = model.sessions.filter((session) => session.series === series.id);
  const affected = own.filter((session) => isLive(session) && Number(session.occurrence) >= edit.from);
  const kept = own.filter((session) => Number(session.occurrence) < edit.from);
  const split = kept.length > 0;
  affected.sort(byOccurrence);
  if (kept.some((session) => Number(session.occurrence) >= Number(edit.occurrences[0]?.start))) {
    return { refused: "validation_failed" };
  }

  const line = new Set<string>();
  for (let id: string | null = series.id; id !== null; ) {
    line.add(id);
    id = model.series.find((one) => one.id === id)?.continues ?? null;
  }
  // The only one of a day is the same occurrence at whatever hour.
  const isAloneOnItsDay = (start: number) =>
    edit.occurrences.filter((other) => dayOf(other.start) === dayOf(start)).length === 1;
  const affectedOn = (start: number) =>
    affected.filter(({ occurrence }) => dayOf(occurrence) === dayOf(start));
  const settles = ({ occurrence }: ModelSession, start: number) =>
    occurrence === start ||
    (dayOf(occurrence) === dayOf(start) && isAloneOnItsDay(start) && affectedOn(start).length === 0);
  const settled = model.sessions.filter(
    (session) =>
      line.has(String(session.series)) &&
      !affected.includes(session) &&
      Number(session.occurrence) >= edit.from &&
      edit.occurrences.some(({ start }) => settles(session, start)),
  );
  const places = edit.occurrences.filter(({ start }) => !settled.some((session) => settles(session, start)));

  // Who has a place that is named again keeps it, or the day; the others take the places that are left, in order.
  const placeOf = new Map<ModelSession, (typeof places)[number]>();
  for (const session of affected) {
    const place = places.find(
      ({ start }) =>
        start === session.occurrence ||
        (dayOf(session.occurrence) === dayOf(start) &&
          isAloneOnItsDay(start) &&
          affectedOn(start).length === 1),
    );
    if (place) placeOf.set(session, place);
  }
  const taken = new Set(placeOf.values());
  const open = places.filter((place) => !taken.has(place));
  for (const session of affected) {
    if (placeOf.has(session)) continue;
    const place = open.shift();
    if (place) placeOf.set(session, place);
  }

  const becomes = new Map<ModelSession, ModelSession>();
  const lists = { moved: [] as string[], unchanged: [] as string[], cancelled: [] as string[] };
  const inSeries = split ? "" : series.id;
  for (const session of affected) {
    const place = placeOf.get(session);
    if (!place) {
      lists.cancelled.push(session.id);
      const version = session.version + 1;
      becomes.set(session, { ...session, status: "cancelled", series: null, occurrence: null, version });
      continue;
    }
    const byHand =
      session.start !== session.occurrence || session.end - session.start !== series.minutes * 60_000;
    const therapist = byHand ? session.therapist : (edit.therapist ?? session.therapist);
    const time = byHand ? { start: session.start, end: session.end } : place;
    const next = { ...session, ...time, therapist, series: inSeries, occurrence: place.start };
    const moves =
      next.start !== session.start || next.end !== session.end || next.therapist !== session.therapist;
    lists[moves ? "moved" : "unchanged"].push(session.id);
    if (moves || next.series !== session.series || next.occurrence !== session.occurrence) next.version++;
    becomes.set(session, next);
  }

  const therapist = edit.therapist ?? series.therapist;
  const additions: Added[] = open.map(({ start, end }) => ({
    series: inSeries,
    client: series.client,
    therapist,
    start,
    end,
    occurrence: start,
    status: "scheduled",
    version: 1,
  }));

  const stays = model.sessions.filter(
    (session) =>
      isLive(session) && (!becomes.has(session) || lists.unchanged.includes(becomes.get(session)?.id ?? "")),
  );
  const isBlocked = (wanted: Taken) => stays.some((session) => collide(session, wanted));
  const movedSessions = [...becomes.values()].filter(({ id }) => lists.moved.includes(id));
  const blocked = additions.filter(isBlocked);
  const nothingLeft =
    lists.unchanged.length === 0 && movedSessions.length === 0 && blocked.length === additions.length;
  if (movedSessions.some(isBlocked) || (blocked.length > 0 && (!edit.skip || nothingLeft))) {
    return { refused: "conflict" };
  }

  const [first] = edit.occurrences;
  const minutes = first ? (first.end - first.start) / 60_000 : series.minutes;
  const edited: ModelSeries = split
    ? { ...series, id: "", continues: series.id, version: 1, status: "active", therapist, minutes }
    : { ...series, version: series.version + 1, status: "active", therapist, minutes };
  return {
    split,
    sessions: model.sessions.map((session) => becomes.get(session) ?? session),
    series: model.series
      .map((one) => {
        if (one !== series) return one;
        return split ? { ...one, status: "ended" as const, version: one.version + 1 } : edited;
      })
      .concat(split ? [edited] : []),
    lists: {
      ...lists,
      settled: settled.map(({ id }) => id),
      skipped: blocked.map(({ start }) => start),
    },
    added: additions.filter((one) => !blocked.includes(one)),
  };
}
