// Proves the audit trail against its seals, or names the first thing that is not as it was sealed. It only reads, holds
// no transaction open, and recomputes every hash from the rows themselves.

import type { Sql } from "postgres";
import { HASH_BYTES, leafHash, merkleRoot, sealHash } from "./hashing.ts";
import {
  countEventsAfter,
  type Event,
  findEvents,
  type Place,
  readEvents,
  readHead,
  readSeals,
  type Seal,
} from "./trail.ts";

export interface VerifyOptions {
  /** Microseconds since 1970: only seals with events from here on have their events read. */
  from?: bigint | undefined;
  /** Microseconds since 1970: only seals with events before this. */
  to?: bigint | undefined;
  /** The hash, in hex, of a seal that was exported earlier. */
  head?: string | undefined;
  /** Told after every group of seals. */
  progress?: (done: { seals: bigint; ofSeals: bigint; events: number }) => void;
}

export type FindingKind =
  /** An event is not what was sealed. */
  | "altered"
  /** A sealed event is gone. */
  | "missing"
  /** An event lies among the sealed ones and was not there when they were sealed. */
  | "inserted"
  /** A seal is not what it was, or is gone. */
  | "seal_broken"
  /** The head that was exported is not in the chain: it was made anew, or cut off. */
  | "head_unknown";

export interface Finding {
  kind: FindingKind;
  seal: string | null;
  event: string | null;
  what: string;
}

export interface Report {
  /** Null: all is as it was sealed. */
  finding: Finding | null;
  seals: number;
  /** Events whose rows were read and compared. */
  events: number;
  /** Events that no seal has yet: nothing is proved of them. Null where a finding ended the work. */
  unsealed: number | null;
  /** The last seal, in hex. */
  head: string | null;
}

/** A group of seals is read at once: many small ones or few large ones. */
const SEALS_AT_ONCE = 64;
const EVENTS_AT_ONCE = 8192;

class Found extends Error {
  constructor(readonly finding: Finding) {
    super(finding.what);
  }
}

export async function verify(sql: Sql, options: VerifyOptions = {}): Promise<Report> {
  const report: Report = { finding: null, seals: 0, events: 0, unsealed: null, head: null };
  try {
    // What is sealed from here on is left for the next time: the trail goes on while it is read.
    const end = BigInt((await readHead(sql))?.seals ?? 0);
    let previous: Seal | undefined;
    let headSeen = false;
    while ((previous?.number ?? 0n) < end) {
      const seals = await readSeals(sql, previous?.number ?? 0n, end, SEALS_AT_ONCE);
      const start = previous;
      for (const seal of seals) {
        checkSeal(seal, previous);
        headSeen ||= seal.hash.toString("hex") === options.head;
        previous = seal;
        report.seals++;
      }
      if (seals.length === 0) throw broken(previous, "the seals after it are missing");
      for (const group of groupsOf(seals, start, options)) {
        await checkEvents(sql, group, () => report.events++);
      }
      options.progress?.({ seals: previous?.number ?? 0n, ofSeals: end, events: report.events });
    }
    report.head = previous?.hash.toString("hex") ?? null;
    if (options.head !== undefined && !headSeen) {
      throw new Found({
        kind: "head_unknown",
        seal: null,
        event: null,
        what: `No seal has the hash ${options.head}: the chain was made anew, or cut off before that seal.`,
      });
    }
    report.unsealed = await countEventsAfter(sql, endOf(previous));
  } catch (error) {
    if (!(error instanceof Found)) throw error;
    report.finding = error.finding;
  }
  return report;
}

const endOf = (seal: Seal | undefined): Place => seal?.last ?? { writtenIn: 0n, id: 0n };

function broken(seal: Seal | undefined, what: string): Found {
  const number = seal?.number.toString() ?? null;
  return new Found({ kind: "seal_broken", seal: number, event: null, what: `Seal ${number ?? 0}: ${what}.` });
}

/** The seal follows from the one before, and is in itself what it says. */
function checkSeal(seal: Seal, previous: Seal | undefined): void {
  const expected = (previous?.number ?? 0n) + 1n;
  if (seal.number !== expected) {
    throw new Found({
      kind: "seal_broken",
      seal: expected.toString(),
      event: null,
      what: `Seal ${expected} is missing: seal ${seal.number} comes next.`,
    });
  }
  if (seal.format !== 1) throw broken(seal, `its format, ${seal.format}, is not one that this program knows`);
  const leaves = leavesOf(seal);
  if (leaves.length !== seal.eventCount || seal.eventIds.length !== seal.eventCount || leaves.length === 0) {
    throw broken(seal, "it does not have as many events as it counts");
  }
  if (!merkleRoot(leaves).equals(seal.root)) throw broken(seal, "its leaf hashes do not give its root");
  const fields = [
    seal.number.toString(),
    seal.format.toString(),
    seal.eventCount.toString(),
    seal.eventIds.join(","),
    seal.last.writtenIn.toString(),
    seal.last.id.toString(),
    seal.firstAt,
    seal.lastAt,
    seal.root.toString("hex"),
    seal.previousHash.toString("hex"),
    seal.sealedAt,
  ];
  if (!sealHash(fields).equals(seal.hash)) throw broken(seal, "what it says does not give its hash");
  if (!seal.previousHash.equals(previous?.hash ?? Buffer.alloc(HASH_BYTES))) {
    throw broken(seal, "it does not follow from the seal before it, which is not the one that was there");
  }
}

function leavesOf({ leafHashes }: Seal): Buffer[] {
  return Array.from({ length: Math.floor(leafHashes.length / HASH_BYTES) }, (_, at) =>
    leafHashes.subarray(at * HASH_BYTES, (at + 1) * HASH_BYTES),
  );
}

interface Group {
  /** Where the seal before the first ends. */
  after: Place;
  seals: Seal[];
}

/** Neighbouring seals of the range, as many as are worth one query. */
function* groupsOf(seals: Seal[], before: Seal | undefined, { from, to }: VerifyOptions): Generator<Group> {
  let group: Group | undefined;
  let size = 0;
  let previous = before;
  for (const seal of seals) {
    const isInRange =
      (from === undefined || BigInt(seal.lastAt) >= from) && (to === undefined || BigInt(seal.firstAt) < to);
    if (group && (!isInRange || size + seal.eventCount > EVENTS_AT_ONCE)) {
      yield group;
      group = undefined;
    }
    if (isInRange) {
      if (!group) size = 0;
      group ??= { after: endOf(previous), seals: [] };
      group.seals.push(seal);
      size += seal.eventCount;
    }
    previous = seal;
  }
  if (group) yield group;
}

/** The rows between the ends of the seals are the sealed ones, no more, no fewer, each as it was. */
async function checkEvents(sql: Sql, { after, seals }: Group, count: () => void): Promise<void> {
  const events = await readEvents(sql, after, endOf(seals.at(-1)));
  let next = 0;
  for (const seal of seals) {
    const due = new Set(seal.eventIds);
    const leaves = leavesOf(seal);
    for (const [index, id] of seal.eventIds.entries()) {
      const event = events[next];
      const foundId = event?.place.id.toString();
      if (!event || foundId !== id) {
        const isExtra = event && isUpTo(event.place, seal.last) && !due.has(foundId as string);
        throw isExtra ? inserted(event, seal) : await missing(sql, id, seal);
      }
      if (!leafHash(event.fields).equals(leaves[index] as Buffer)) throw altered(event, seal);
      due.delete(id);
      next++;
      count();
    }
    const extra = events[next];
    if (extra && isUpTo(extra.place, seal.last)) throw inserted(extra, seal);
  }
}

const isUpTo = (a: Place, b: Place): boolean =>
  a.writtenIn < b.writtenIn || (a.writtenIn === b.writtenIn && a.id <= b.id);

function inserted(event: Event, seal: Seal): Found {
  const id = event.place.id.toString();
  const what = `Event ${id} was inserted: ${told(event)} lies among the events of seal ${seal.number}, which does not have it.`;
  return new Found({ kind: "inserted", seal: seal.number.toString(), event: id, what });
}

function altered(event: Event, seal: Seal): Found {
  const id = event.place.id.toString();
  const what = `Event ${id} was altered: as it stands, ${told(event)}, it does not have the hash that seal ${seal.number} has of it.`;
  return new Found({ kind: "altered", seal: seal.number.toString(), event: id, what });
}

/** An event that is not in its place may have been given another transaction id: then it is altered, not gone. */
async function missing(sql: Sql, id: string, seal: Seal): Promise<Found> {
  const [elsewhere] = await findEvents(sql, id);
  if (elsewhere) return altered(elsewhere, seal);
  const what = `Event ${id} is missing: seal ${seal.number} has it, sealed ${moment(seal.sealedAt)}.`;
  return new Found({ kind: "missing", seal: seal.number.toString(), event: id, what });
}

function told({ fields }: Event): string {
  const [, occurredAt, , , action, decision, , table, row] = fields;
  const where = table ? ` (${[table, row].filter(Boolean).join(" ")})` : "";
  return `"${action}" ${decision} of ${moment(occurredAt as string)}${where}`;
}

function moment(microseconds: string): string {
  const date = new Date(Number(BigInt(microseconds) / 1000n));
  return Number.isNaN(date.getTime()) ? `${microseconds} µs` : date.toISOString();
}
