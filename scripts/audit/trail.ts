// The audit trail as it lies in the database, read and nothing more. Everything comes as text, so that what is hashed is
// what Postgres prints, whatever JavaScript would make of it.

import type { Sql } from "postgres";
import type { Field } from "./hashing.ts";

/** The place of an event in the order of sealing. */
export interface Place {
  writtenIn: bigint;
  id: bigint;
}

export interface Seal {
  number: bigint;
  format: number;
  eventCount: number;
  eventIds: string[];
  /** Empty where it was not asked for. */
  leafHashes: Buffer;
  last: Place;
  firstAt: string;
  lastAt: string;
  root: Buffer;
  previousHash: Buffer;
  hash: Buffer;
  sealedAt: string;
}

export interface Event {
  place: Place;
  /** In the order of the table's columns. */
  fields: Field[];
}

export interface Head {
  seals: string;
  events: string;
  hash: string;
  sealed_at: string;
}

/** The latest seal, or null where nothing is sealed. */
export async function readHead(sql: Sql): Promise<Head | null> {
  const [row] = await sql<[Head?]>`
    select number::text as seals, encode(hash, 'hex') as hash, to_json(sealed_at at time zone 'UTC') #>> '{}' || 'Z' as sealed_at,
      (select coalesce(sum(event_count), 0)::text from audit.seals) as events
    from audit.seals seal
    order by seal.number desc
    limit 1`;
  return row ?? null;
}

interface SealRow {
  number: string;
  format: number;
  event_count: number;
  event_ids: string;
  leaf_hashes: Buffer;
  last_written_in: string;
  last_event_id: string;
  first_at: string;
  last_at: string;
  root: Buffer;
  previous_hash: Buffer;
  hash: Buffer;
  sealed_at: string;
}

/** The seals after a number and up to another, in order, at most `limit`. */
export async function readSeals(sql: Sql, after: bigint, upTo: bigint, limit: number): Promise<Seal[]> {
  const rows = await sql<SealRow[]>`
    select number::text, format, event_count, array_to_string(event_ids, ',') as event_ids, leaf_hashes,
      last_written_in::text, last_event_id::text, (extract(epoch from first_at) * 1000000)::bigint::text as first_at,
      (extract(epoch from last_at) * 1000000)::bigint::text as last_at, root, previous_hash, hash,
      (extract(epoch from sealed_at) * 1000000)::bigint::text as sealed_at
    from audit.seals seal
    where seal.number > ${after.toString()} and seal.number <= ${upTo.toString()}
    order by seal.number
    limit ${limit}`;
  return rows.map((row) => ({
    number: BigInt(row.number),
    format: row.format,
    eventCount: row.event_count,
    eventIds: row.event_ids === "" ? [] : row.event_ids.split(","),
    leafHashes: row.leaf_hashes,
    last: { writtenIn: BigInt(row.last_written_in), id: BigInt(row.last_event_id) },
    firstAt: row.first_at,
    lastAt: row.last_at,
    root: row.root,
    previousHash: row.previous_hash,
    hash: row.hash,
    sealedAt: row.sealed_at,
  }));
}

// Ordered by the table's columns, qualified: the bare names are those of the texts that are selected.
const eventColumns = [
  "id::text",
  "(extract(epoch from occurred_at) * 1000000)::bigint::text",
  "organization_id::text",
  "actor_id::text",
  "action",
  "decision",
  "code",
  "table_name",
  "row_id::text",
  "request_id",
  "details::text",
  "client_id::text",
  "ip::text",
  "user_agent",
  "written_in::text",
].join(", ");

/** The events after one place and up to another, in the order of sealing. */
export async function readEvents(sql: Sql, after: Place, upTo: Place): Promise<Event[]> {
  const rows = await sql
    .unsafe(
      `select ${eventColumns} from audit.events event
      where (event.written_in, event.id) > ($1::text::xid8, $2::text::bigint)
        and (event.written_in, event.id) <= ($3::text::xid8, $4::text::bigint)
      order by event.written_in, event.id`,
      [after.writtenIn, after.id, upTo.writtenIn, upTo.id].map(String),
      { prepare: true },
    )
    .values();
  return (rows as unknown as Field[][]).map(eventOf);
}

/** The events with an id, wherever they are. */
export async function findEvents(sql: Sql, id: string): Promise<Event[]> {
  const rows = await sql
    .unsafe(
      `select ${eventColumns} from audit.events event
      where event.id = $1::text::bigint
      order by event.written_in, event.occurred_at`,
      [id],
    )
    .values();
  return (rows as unknown as Field[][]).map(eventOf);
}

/** How many events lie after a place: the ones not sealed yet. */
export async function countEventsAfter(sql: Sql, { writtenIn, id }: Place): Promise<number> {
  const [row] = await sql<[{ count: number }]>`
    select count(*)::double precision as count from audit.events
    where (written_in, id) > (${String(writtenIn)}::text::xid8, ${String(id)}::text::bigint)`;
  return row.count;
}

function eventOf(fields: Field[]): Event {
  return {
    place: { writtenIn: BigInt(fields.at(-1) as string), id: BigInt(fields[0] as string) },
    fields,
  };
}
