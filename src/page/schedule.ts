/** What is in a therapist's week, and what a booking chooses from: rows that this user may see, and names that are on record. */
import type { ClientRecord } from "../lib/index.ts";
import { holdfast, rows, supabase } from "./backend.ts";
import { addDays } from "./clock.ts";
import type { Visitor } from "./visitor.ts";

export interface Therapist {
  id: string;
  name: string;
}

/** A session or a hold; those of a group share their slot and are one entry. */
export interface Entry {
  kind: "session" | "hold";
  /** Of the sessions, or of the holds: one, or as many as a group has members. */
  ids: string[];
  start: string;
  end: string;
  status: string;
  serviceName: string;
  clientNames: string[];
  /** Of a hold: what confirms it, by when, and whether this user may. */
  hold?: { holdKey: string; expiresAt: string; mine: boolean };
}

/** Whose weeks the visitor may choose from: those who book for everybody from all, who treats from their own. */
export async function readTherapists(visitor: Visitor): Promise<Therapist[]> {
  const all = supabase
    .from("therapists")
    .select("id, display_name")
    .eq("organization_id", visitor.clinic.id)
    .eq("status", "active")
    .order("display_name");
  const choosable = visitor.permissions.includes("book_any_session")
    ? all
    : all.eq("user_id", visitor.userId);
  return (await rows(choosable)).map(({ id, display_name }) => ({ id, name: display_name }));
}

/** Live holds and sessions of the seven days from a Monday on, in order of time. */
export async function readWeek(visitor: Visitor, therapistId: string, monday: string): Promise<Entry[]> {
  const from = visitor.clock.instantOf(monday, "00:00").toISOString();
  const to = visitor.clock.instantOf(addDays(monday, 7), "00:00").toISOString();
  const common = "id, slot_id, client_id, service_id, start_time, end_time, status" as const;
  const [sessions, holds, services] = await Promise.all([
    rows(
      supabase
        .from("sessions")
        .select(common)
        .eq("therapist_id", therapistId)
        .neq("status", "cancelled")
        .lt("start_time", to)
        .gt("end_time", from)
        .order("start_time"),
    ),
    rows(
      supabase
        .from("session_holds")
        .select(`${common}, batch_key, expires_at, created_by`)
        .eq("therapist_id", therapistId)
        .eq("status", "held")
        .gt("expires_at", new Date(holdfast.now()).toISOString())
        .lt("start_time", to)
        .gt("end_time", from)
        .order("start_time"),
    ),
    readServices(visitor),
  ]);
  const names = await readClientNames(
    visitor,
    [...sessions, ...holds].map(({ client_id }) => client_id),
  );
  const entries = new Map<string, Entry>();
  const add = (kind: Entry["kind"], row: (typeof sessions)[number], hold?: Entry["hold"]) => {
    const entry = entries.get(row.slot_id) ?? {
      kind,
      ids: [],
      start: row.start_time,
      end: row.end_time,
      status: row.status,
      serviceName: services.find(({ id }) => id === row.service_id)?.name ?? "Session",
      clientNames: [],
      ...(hold && { hold }),
    };
    entry.ids.push(row.id);
    entry.clientNames.push(names.get(row.client_id) ?? "A client");
    entries.set(row.slot_id, entry);
  };
  for (const row of sessions) add("session", row);
  for (const row of holds) {
    const mine = row.created_by === visitor.userId;
    add("hold", row, { holdKey: row.batch_key, expiresAt: row.expires_at, mine });
  }
  return [...entries.values()].sort((a, b) => Date.parse(a.start) - Date.parse(b.start));
}

/** Services for one client and one therapist: what the page books. */
export async function readServices(visitor: Visitor) {
  return rows(
    supabase
      .from("services")
      .select("id, service_code, name, is_group, is_team")
      .eq("organization_id", visitor.clinic.id)
      .order("service_code"),
  );
}

// Each reading of a client is on record; who looks at ten weeks has read a name once, and not ten times. Only in memory.
const known = new Map<string, string>();

/** Forgets whose names were read: for when somebody signs out. */
export function forgetNames(): void {
  known.clear();
}

async function readClientNames(visitor: Visitor, ids: string[]): Promise<Map<string, string>> {
  const unknown = [...new Set(ids)].filter((id) => !known.has(id)).slice(0, 100);
  if (unknown.length > 0) {
    const request = { organizationId: visitor.clinic.id, ids: unknown, fields: ["full_name" as const] };
    learn(await holdfast.clients.readClients(request));
  }
  return known;
}

/** A client's id and name. */
export type NamedClient = readonly [id: string, name: string];

// What one call reads.
const MOST_OFFERED = 100;
// Of those found, a list that can still be read.
const MOST_FOUND = 25;

/** The clients that the visitor may book for, by name; undefined where they are too many to offer all of them. */
export async function readClients(visitor: Visitor): Promise<NamedClient[] | undefined> {
  const clients = await rows(
    supabase
      .from("clients")
      .select("id")
      .eq("organization_id", visitor.clinic.id)
      .eq("status", "active")
      .limit(MOST_OFFERED + 1),
  );
  if (clients.length > MOST_OFFERED) return undefined;
  const ids = clients.map(({ id }) => id);
  const names = await readClientNames(visitor, ids);
  return ids
    .map((id) => [id, names.get(id) ?? "A client"] as const)
    .sort(([, one], [, other]) => one.localeCompare(other));
}

/** Those of whom a word of the name begins so, and whether there are more. Only as many pages as it takes: archived clients are in them. */
export async function searchClients(visitor: Visitor, search: string) {
  const found: NamedClient[] = [];
  let after: string | null = null;
  do {
    const page = await holdfast.clients.listClients({
      organizationId: visitor.clinic.id,
      fields: ["full_name"],
      limit: MOST_FOUND,
      search,
      ...(after !== null && { after }),
    });
    learn(page.clients);
    for (const { id, status, fullName } of page.clients)
      if (status === "active") found.push([id, fullName ?? "A client"]);
    after = page.next;
  } while (after !== null && found.length < MOST_FOUND);
  return { found, more: after !== null };
}

function learn(clients: ClientRecord[]): void {
  for (const { id, fullName } of clients) known.set(id, fullName ?? "A client");
}
