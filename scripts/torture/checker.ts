// Decides whether what callers were told is true. It knows the history, what lies in the tables at the end and the
// snapshots in between; nothing here asks the database or runs any of the project's code.
//
// The method is that of a Jepsen test. An operation without an answer may or may not have had its effect; it was asked
// again with its key until it was answered, so in the end each has one answer, and the effects of all answers must be the
// rows there are: none missing, none twice, none left over.

import { createHash } from "node:crypto";
import type { Anomaly, AnomalyKind } from "./anomalies.ts";
import { BillingModel } from "./billing-model.ts";
import { Certainty } from "./certainty.ts";
import type { Final, HoldRow } from "./final.ts";
import { type Entry, isRead } from "./history.ts";
import { Roles } from "./roles.ts";
import { type Findings, type SessionAnswer, SessionModel } from "./session-model.ts";
import { WaitlistModel } from "./waitlist-model.ts";

interface HoldAnswer {
  hold_key: string;
  holds: {
    hold_key: string;
    therapist_id: string;
    client_id: string;
    start_time: string;
    end_time: string;
  }[];
}

/** What the answers to one operation said. */
interface Told {
  digest: string;
  doneFirst: number;
}

const LIMIT_PER_KIND = 20;
const UUID = /[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}/g;

export class Checker {
  readonly counts: Partial<Record<AnomalyKind, number>> = {};
  readonly anomalies: Anomaly[] = [];
  private readonly told = new Map<number, Told>();
  private readonly open = new Map<number, Entry>();
  /** Hold id → whether the operation that made it was answered; with what it said of it. */
  private readonly holds = new Map<
    string,
    { therapist: string; client: string; start: number; end: number }
  >();
  private readonly batches = new Map<string, string[]>();
  private readonly confirmed = new Set<string>();
  private readonly released = new Set<string>();
  private readonly notes = new Map<string, Map<number, string>>();
  private readonly off = new Set<string>();
  private readonly backOn = new Set<string>();
  private readonly refusals = new Map<string, number>();
  private readonly roles = new Roles();
  private readonly certainty = new Certainty();

  private readonly findings: Findings = {
    find: (kind, what) => this.find(kind, what),
    expectEvents: (what, least, most) => this.expectEvents(what, least, most),
  };
  private readonly sessions: SessionModel;
  private readonly waitlist: WaitlistModel;
  private readonly billing: BillingModel;

  constructor(private readonly final: Final) {
    this.sessions = new SessionModel(final, this.findings);
    this.waitlist = new WaitlistModel(final, this.findings);
    this.billing = new BillingModel(final, this.findings);
  }

  find(kind: AnomalyKind, what: string): void {
    const count = (this.counts[kind] ?? 0) + 1;
    this.counts[kind] = count;
    if (count <= LIMIT_PER_KIND) this.anomalies.push({ kind, what });
  }

  /** Takes the next entry of the history, in the order in which they ended. */
  see(entry: Entry): void {
    const { name, outcome, operation, code } = entry;
    if (name === "arrange") {
      this.sessions.addVersions(sessionsOf(entry.data), operation);
      return;
    }
    this.certainty.see(entry);
    if (name === "clock") return;
    this.findLeaks(entry);
    this.roles.see(entry);
    if (outcome === "broken") {
      const said = typeof entry.problem === "string" ? entry.problem : JSON.stringify(entry.problem);
      this.find("broken_answer", `operation ${operation}, ${name} over ${entry.via}: ${code}: ${said}`);
      return;
    }
    if (isRead(name) || name === "sweep") {
      if (name === "read" && outcome === "ok") this.findOverlapsIn(entry);
      return;
    }
    if (outcome === "ok" && entry.forbidden) {
      this.find("forbidden_done", `operation ${operation}, ${name}, was done for who may not`);
      return;
    }
    if (outcome === "refused") this.noteRefusal(entry);
    if (name === "revoke_role" || name === "grant_role") return;
    if (outcome === "ok") this.noteEffect(entry);
    else if (outcome === "unknown") {
      if (!this.told.has(operation)) this.open.set(operation, entry);
    } else if (code !== "idempotency_in_flight") this.open.delete(operation);
  }

  /** What the last operations came to, against what there is. */
  finish(unresolved: number): void {
    if (unresolved > 0 || this.open.size > 0) {
      this.find("unresolved", `${Math.max(unresolved, this.open.size)} operations were never answered`);
    }
    this.checkHolds();
    this.sessions.check();
    this.waitlist.check();
    this.billing.check();
    this.checkNotes();
    this.checkOff();
    this.checkTrail();
    for (const what of this.roles.faults()) this.find("forbidden_done", what);
    for (const what of this.certainty.faults()) this.find("overlap_acknowledged", what);
  }

  // -------------------------------------------------------------------------------------------------------
  // Entry by entry
  // -------------------------------------------------------------------------------------------------------

  private findLeaks(entry: Entry): void {
    const text = JSON.stringify([entry.data, entry.problem]) ?? "";
    for (const [id] of text.matchAll(UUID)) {
      const owner = this.final.owners.get(id);
      if (owner !== undefined && owner !== entry.organization) {
        this.find(
          "leak",
          `operation ${entry.operation}, ${entry.name} over ${entry.via}, shows ${id} of another tenant`,
        );
        return;
      }
    }
  }

  /** One answer is one moment: of the sessions in it no two of a therapist overlap. */
  private findOverlapsIn(entry: Entry): void {
    const rows = (entry.data as SessionAnswer[]).filter(({ status }) => status === "scheduled");
    const last = new Map<string, number>();
    const starts = new Map<string, string>();
    for (const { therapist_id, start_time, end_time } of rows) {
      const [start, end] = [Date.parse(start_time), Date.parse(end_time)];
      const isSameSlot = starts.get(therapist_id) === `${start_time} ${end_time}`;
      if (start < (last.get(therapist_id) ?? 0) && !isSameSlot) {
        this.find(
          "overlap_visible",
          `operation ${entry.operation} reads two sessions of ${therapist_id} at ${start_time}`,
        );
      }
      last.set(therapist_id, end);
      starts.set(therapist_id, `${start_time} ${end_time}`);
    }
  }

  /**
   * Over HTTP it may be the function that refuses, or an earlier call to the database. Who calls too often, as somebody
   * whose role was revoked soon does, is on record once a minute.
   */
  private noteRefusal({ organization, name, code, via, forbidden }: Entry): void {
    if (forbidden || via === "http" || code === "rate_limited") return;
    const about = `${organization} rpc.${name} ${code}`;
    this.refusals.set(about, (this.refusals.get(about) ?? 0) + 1);
  }

  private noteEffect(entry: Entry): void {
    const { operation, replayed } = entry;
    const digest = createHash("sha1").update(canonical(entry.data)).digest("base64");
    const told = this.told.get(operation);
    this.open.delete(operation);
    if (told) {
      if (told.digest !== digest) {
        this.find("effect_doubled", `operation ${operation}, ${entry.name}, was answered with two effects`);
        // What the second answer tells of is an effect too.
        this.addEffect(entry);
      } else if (!replayed && told.doneFirst > 0) {
        this.find("effect_doubled", `operation ${operation}, ${entry.name}, was done anew for its key`);
      }
      if (!replayed) told.doneFirst++;
      return;
    }
    this.told.set(operation, { digest, doneFirst: replayed ? 0 : 1 });
    this.addEffect(entry);
  }

  private addEffect(entry: Entry): void {
    const { name, request, data, operation } = entry;
    if (name === "hold_sessions" || name === "join_slot") {
      this.addHolds(data as HoldAnswer);
    } else if (name === "set_place_of_service") {
      const { session } = data as { session: SessionAnswer };
      if (session.place_of_service !== request.place_of_service)
        this.find("effect_lost", `operation ${operation} said where session ${session.id} is, in vain`);
      // What it says already is no new version.
      if (session.version !== request.version) this.sessions.addVersions([session], operation);
    } else if (name === "cancel_exception") {
      this.backOn.add(request.exception_id as string);
    } else if (name === "cancel_sessions" || name === "add_exception") {
      const { exceptions = [] } = data as { exceptions?: { id: string }[] };
      for (const { id } of exceptions) this.off.add(id);
      for (const { id, kind } of (data as { cancelled: { id: string; kind: string }[] }).cancelled) {
        if (kind === "session") this.sessions.addCancel(id);
        else if (this.released.has(id)) this.find("effect_doubled", `hold ${id} was released twice`);
        else this.released.add(id);
      }
    } else if (name === "update_series") {
      this.sessions.addSeriesEdit(entry);
    } else if (name === "attach_sessions") {
      this.billing.add(data);
    } else if (name === "save_note") {
      const { id, version } = (data as { note: { id: string; version: number } }).note;
      const versions = this.notes.get(id) ?? new Map<number, string>();
      if (versions.has(version))
        this.find("effect_doubled", `version ${version} of note ${id} was saved twice`);
      this.notes.set(id, versions.set(version, request.text as string));
    } else {
      const isAccepted = name === "answer_offer" && request.answer === "accept";
      if (name === "confirm_sessions" || isAccepted) this.addConfirmation(request.hold_key as string);
      if (/_waitlist$|_offer$/.test(name)) this.waitlist.add(entry);
      this.sessions.addVersions(sessionsOf(data), operation);
    }
  }

  private addHolds({ hold_key, holds }: HoldAnswer): void {
    this.batches.set(
      hold_key,
      holds.map((hold) => hold.hold_key),
    );
    for (const hold of holds) {
      if (this.holds.has(hold.hold_key)) this.find("effect_doubled", `hold ${hold.hold_key} was made twice`);
      this.holds.set(hold.hold_key, {
        therapist: hold.therapist_id,
        client: hold.client_id,
        start: Date.parse(hold.start_time),
        end: Date.parse(hold.end_time),
      });
    }
  }

  /** Also of an offer, which is taken by one at most. */
  private addConfirmation(key: string): void {
    for (const id of this.batches.get(key) ?? [key]) {
      if (this.confirmed.has(id)) this.find("effect_doubled", `hold ${id} was confirmed twice`);
      this.confirmed.add(id);
    }
  }

  // -------------------------------------------------------------------------------------------------------
  // At the end
  // -------------------------------------------------------------------------------------------------------

  private checkHolds(): void {
    for (const [id, told] of this.holds) {
      const row = this.final.holds.get(id);
      if (!row) {
        this.find("effect_lost", `hold ${id} was acknowledged and is not there`);
        continue;
      }
      const isAsTold =
        row.therapist_id === told.therapist &&
        row.client_id === told.client &&
        row.start === told.start &&
        row.end === told.end;
      // The holds of a group whose time has passed move along with it no more; a live one keeps the group where it is.
      if (!isAsTold && row.group_id === null)
        this.find("effect_altered", `hold ${id} is not what was acknowledged`);
      this.expectStatus(id, "confirmed", this.confirmed, row);
      this.expectStatus(id, "released", this.released, row);
    }
    for (const [id, row] of this.final.holds) {
      if (row.waitlist_entry_id !== null) {
        this.expectStatus(id, "confirmed", this.confirmed, row);
        if (this.released.has(id)) this.expectStatus(id, "released", this.released, row);
        else this.waitlist.checkOffer(id, row);
      } else if (!this.holds.has(id))
        this.find("effect_unacknowledged", `hold ${id} is there and no answer tells of it`);
      this.expectEvents(`hold.created ${id}`, 1);
      for (const status of ["confirmed", "released", "expired"]) {
        this.expectEvents(`hold.${status} ${id}`, row.status === status ? 1 : 0);
      }
    }
    for (const id of [...this.confirmed, ...this.released]) {
      if (!this.final.holds.has(id))
        this.find("effect_lost", `hold ${id} was confirmed or released and is not there`);
    }
  }

  private expectStatus(id: string, status: string, told: Set<string>, row: HoldRow): void {
    if (told.has(id) && row.status !== status) {
      this.find("effect_lost", `hold ${id} was acknowledged as ${status} and is ${row.status}`);
    } else if (!told.has(id) && row.status === status) {
      this.find("effect_unacknowledged", `hold ${id} is ${status} and no answer tells of it`);
    }
  }

  private checkOff(): void {
    for (const id of this.off) {
      const status = this.final.off.get(id);
      const due = this.backOn.has(id) ? "cancelled" : "active";
      if (status !== due)
        this.find("effect_lost", `time off ${id} is ${status}, and by what was answered ${due}`);
    }
    for (const id of this.final.off.keys()) {
      if (!this.off.has(id))
        this.find("effect_unacknowledged", `time off ${id} is there and no answer tells of it`);
    }
  }

  private checkNotes(): void {
    for (const [id, versions] of this.notes) {
      const row = this.final.notes.get(id);
      const last = Math.max(...versions.keys());
      if (!row || row.version < last)
        this.find("effect_lost", `version ${last} of note ${id} was acknowledged and is not there`);
      else if (row.version !== versions.size || row.versions !== versions.size) {
        this.find(
          "effect_unacknowledged",
          `note ${id} is at version ${row.version}, and answers tell of ${versions.size}`,
        );
      } else if (row.text !== undefined && row.text !== versions.get(last)) {
        this.find("effect_altered", `note ${id} does not say what was saved last`);
      }
      this.expectEvents(`note.saved ${id}`, versions.size);
    }
    for (const id of this.final.notes.keys()) {
      if (!this.notes.has(id))
        this.find("effect_unacknowledged", `note ${id} is there and no answer tells of it`);
    }
  }

  private expectEvents(what: string, least: number, most = least): void {
    const found = this.final.events.get(what) ?? 0;
    if (found < least || found > most)
      this.find("audit_incomplete", `${what}: ${found} events, not ${least}`);
  }

  private checkTrail(): void {
    for (const [about, least] of this.refusals) {
      const found = this.final.refusals.get(about) ?? 0;
      if (found < least)
        this.find("audit_incomplete", `${about}: ${found} refusals on record, and ${least} were answered`);
    }
    const { finding, unsealed, lostHeads } = this.final.trail;
    if (finding) this.find("audit_not_sealed", finding);
    if (unsealed !== 0 && !finding) this.find("audit_not_sealed", `${unsealed} events are not sealed`);
    if (lostHeads > 0) this.find("audit_not_sealed", `${lostHeads} seals that were read are gone`);
  }
}

/** JSON with the keys of objects in order: the same data whichever way it came. */
function canonical(value: unknown): string {
  return JSON.stringify(value, (_, it: unknown) =>
    it && typeof it === "object" && !Array.isArray(it)
      ? Object.fromEntries(Object.entries(it).sort(([a], [b]) => (a < b ? -1 : 1)))
      : it,
  );
}

/** The sessions in an answer, with their versions. */
function sessionsOf(data: unknown): SessionAnswer[] {
  const { sessions, substituted } = data as { sessions?: SessionAnswer[]; substituted?: SessionAnswer[] };
  return sessions ?? substituted ?? [];
}
