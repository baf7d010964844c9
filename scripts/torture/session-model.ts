// The part of the model that knows sessions: which operation made which version, where it put the session, and what was
// marked. The versions of a session, 1 to the last, must each be of one operation.

import type { AnomalyKind } from "./anomalies.ts";
import type { Final, SessionRow } from "./final.ts";
import type { Entry } from "./history.ts";

export interface SessionAnswer {
  id: string;
  version: number;
  therapist_id: string;
  client_id: string;
  room_id: string | null;
  group_id: string | null;
  service_code: string;
  start_time: string;
  end_time: string;
  status: string;
  place_of_service?: string | null;
  actual_start_time?: string | null;
  actual_end_time?: string | null;
}

/** What an edit of a series answers: of most sessions, ids. */
interface SeriesAnswer {
  series: { id: string };
  moved: string[];
  unchanged: string[];
  cancelled: string[];
  added: SessionAnswer[];
}

interface Version {
  place: string;
  status: string;
  took: string;
  placeOfService: string | null;
}

interface Story {
  versions: Map<number, Version>;
  cancels: number;
  /** The versions of a group's members also count what the group does to them. */
  ofGroup: boolean;
  /** What edits of its series did, whose answers name no version: surely, at most, and how often it was moved. */
  edits: { least: number; most: number; moves: number; starts: Set<number> };
}

/** What the model tells its checker. */
export interface Findings {
  find(kind: AnomalyKind, what: string): void;
  /** Of events on record, there are so many, or between so many and so many. */
  expectEvents(what: string, least: number, most?: number): void;
}

/** What comes after these is nothing: no operation of the run corrects what was marked. */
const SETTLED = ["completed", "no_show"];
const EVENTS = { in_progress: "started", completed: "completed", no_show: "no_show" };

export class SessionModel {
  private readonly stories = new Map<string, Story>();

  constructor(
    private readonly final: Final,
    private readonly findings: Findings,
  ) {}

  addVersions(sessions: readonly SessionAnswer[], operation: number): void {
    for (const session of sessions) {
      const story = this.storyOf(session.id);
      story.ofGroup ||= session.group_id !== null;
      if (story.versions.has(session.version)) {
        this.findings.find(
          "effect_doubled",
          `version ${session.version} of session ${session.id} was made twice, again by ${operation}`,
        );
      }
      story.versions.set(session.version, {
        place: placeOfAnswer(session),
        status: session.status,
        took: [session.actual_start_time, session.actual_end_time].map(momentOf).join(" "),
        placeOfService: session.place_of_service ?? null,
      });
    }
  }

  addCancel(id: string): void {
    this.storyOf(id).cancels++;
  }

  addSeriesEdit({ request, data, operation }: Pick<Entry, "request" | "data" | "operation">): void {
    const { series, moved, unchanged, cancelled, added } = data as SeriesAnswer;
    this.addVersions(added, operation);
    for (const id of cancelled) this.addCancel(id);
    for (const id of moved) {
      const { edits } = this.storyOf(id);
      edits.least++;
      edits.most++;
      edits.moves++;
      for (const { start_time } of request.occurrences as { start_time: string }[])
        edits.starts.add(Date.parse(start_time));
    }
    for (const id of unchanged) {
      const { edits } = this.storyOf(id);
      // In a series that continues it, it is another's; in the same one its place in it may be another.
      if (series.id !== request.series_id) edits.least++;
      edits.most++;
    }
  }

  private storyOf(id: string): Story {
    let story = this.stories.get(id);
    if (!story) {
      const edits = { least: 0, most: 0, moves: 0, starts: new Set<number>() };
      story = { versions: new Map(), cancels: 0, ofGroup: false, edits };
      this.stories.set(id, story);
    }
    return story;
  }

  check(): void {
    const { find, expectEvents } = this.findings;
    for (const [id, story] of this.stories) {
      const row = this.final.sessions.get(id);
      if (!row) {
        find("effect_lost", `session ${id} was acknowledged and is not there`);
        continue;
      }
      if (story.cancels > 0 !== (row.status === "cancelled")) {
        const kind = story.cancels > 0 ? "effect_lost" : "effect_unacknowledged";
        const what = `session ${id} was cancelled ${story.cancels} times by what was answered, and is ${row.status}`;
        find(kind, what);
      }
      if (story.cancels > 1) find("effect_doubled", `session ${id} was cancelled ${story.cancels} times`);
      this.checkVersions(id, story, row);
      this.checkMarks(id, story, row);
      expectEvents(`session.scheduled ${id}`, 1);
      expectEvents(`session.cancelled ${id}`, row.status === "cancelled" ? 1 : 0);
    }
    for (const id of this.final.sessions.keys()) {
      if (!this.stories.has(id))
        find("effect_unacknowledged", `session ${id} is there and no answer tells of it`);
    }
  }

  private checkVersions(id: string, { versions, cancels, ofGroup, edits }: Story, row: SessionRow): void {
    if (ofGroup) return;
    const { find, expectEvents } = this.findings;
    const due = row.version - cancels;
    const last = Math.max(0, ...versions.keys());
    const is = `session ${id} is at version ${row.version}`;
    if (last > due) {
      find("effect_lost", `${is}, and version ${last} was acknowledged`);
    } else if (versions.size + edits.most < due) {
      find("effect_unacknowledged", `${is}, and answers tell of ${versions.size + edits.most + cancels}`);
    } else if (versions.size + edits.least > due) {
      find("effect_lost", `${is}, and answers tell of ${versions.size + edits.least + cancels}`);
    } else if (
      versions.get(last)?.place !== placeOfRow(row) &&
      !(last < due && edits.starts.has(row.start))
    ) {
      find("effect_altered", `session ${id} is not where version ${last} put it`);
    } else if (last > 0 && versions.get(last)?.placeOfService !== row.placeOfService) {
      find("effect_altered", `session ${id} is not said to be where version ${last} says`);
    }
    let moves = edits.moves;
    // After a version that no answer names, it may have been moved or not.
    let maybe = 0;
    for (const [version, { place }] of versions) {
      const before = versions.get(version - 1);
      if (version > 1 && !before) maybe++;
      else if (before && before.place !== place) moves++;
    }
    expectEvents(`session.moved ${id}`, moves, moves + maybe);
  }

  private checkMarks(id: string, { versions, cancels, ofGroup }: Story, row: SessionRow): void {
    const { find, expectEvents } = this.findings;
    const statuses = new Set<string>();
    let last = 0;
    for (const [version, { status }] of versions) {
      statuses.add(status);
      last = Math.max(last, version);
      if (SETTLED.includes(status) && version < row.version && !ofGroup)
        find("settled_changed", `session ${id} was ${status} at version ${version} and is at ${row.version}`);
    }
    for (const [status, event] of Object.entries(EVENTS))
      expectEvents(`session.${event} ${id}`, statuses.has(status) ? 1 : 0);
    const told = versions.get(last);
    if (!told || cancels > 0 || row.status === "cancelled") return;
    if (told.status !== row.status) {
      const kind = row.status === "scheduled" ? "effect_lost" : "effect_unacknowledged";
      find(kind, `session ${id} was last told to be ${told.status}, and is ${row.status}`);
    } else if (row.status === "completed" && told.took !== `${row.actualStart} ${row.actualEnd}`) {
      find("effect_altered", `session ${id} took place at other times than was acknowledged`);
    }
  }
}

const momentOf = (time: string | null | undefined): number | null => (time ? Date.parse(time) : null);

const placeOfAnswer = ({ therapist_id, client_id, room_id, start_time, end_time }: SessionAnswer): string =>
  [therapist_id, client_id, room_id ?? "", Date.parse(start_time), Date.parse(end_time)].join(" ");

const placeOfRow = ({ therapist_id, client_id, room_id, start, end }: SessionRow): string =>
  [therapist_id, client_id, room_id ?? "", start, end].join(" ");
