// Random events of two clinics, in random zones and round the changes of their clocks: what the database calls unusual, and
// what it puts in a client's report, is what a plain recount says.

import { randomUUID } from "node:crypto";
import fc from "fast-check";
import type { ReservedSql } from "postgres";
import { expect, it } from "vitest";
import {
  type AccessEvent,
  accessReport,
  type Clinic,
  unusualAccess,
  wallClock,
} from "../support/access-model.ts";
import { claimsOf } from "../support/clinic.ts";
import { sql } from "../support/stack.ts";

const RUNS = 40;
const MINUTE_MS = 60_000;
const DAY_MS = 86_400_000;
const ZONES = ["America/New_York", "Australia/Lord_Howe", "America/Phoenix", "Asia/Tokyo", "America/Havana"];
/** Round a change of the clock in New York and Havana, in Lord Howe, and round none. */
const DAYS = ["2031-03-09", "2031-11-02", "2031-04-06", "2031-10-05", "2031-07-09"];
const PEOPLE = 3;
const CLIENTS = 5;

const events = fc.array(
  fc.record({
    actor: fc.nat(PEOPLE - 1),
    client: fc.nat(CLIENTS - 1),
    // Mostly on the day itself or the ones beside it, some as far back as the baseline goes and further.
    day: fc.oneof(
      { weight: 3, arbitrary: fc.integer({ min: -1, max: 1 }) },
      fc.integer({ min: -32, max: 0 }),
    ),
    // Half hours more often than not: opening, closing and midnight are met.
    minute: fc.oneof(
      fc.nat(47).map((half) => half * 30),
      fc.nat(1439),
    ),
    what: fc.constantFrom(
      "note.read",
      "client.read",
      "note.saved",
      "forbidden",
      "not_found",
      "validation_failed",
    ),
  }),
  { maxLength: 60 },
);
const pairs = fc.uniqueArray(fc.tuple(fc.nat(PEOPLE - 1), fc.nat(CLIENTS - 1)), {
  selector: ([actor, client]) => `${actor} ${client}`,
});
const clinics = fc.record({
  zone: fc.constantFrom(...ZONES),
  events,
  assigned: pairs,
  families: pairs,
  scheduler: fc.boolean(),
  thresholds: fc.record({
    clients_a_day: fc.integer({ min: 1, max: 4 }),
    deviations: fc.constantFrom(0, 0.5, 1, 2),
    opens_at: fc.constantFrom("00:00", "06:00", "08:30"),
    closes_at: fc.constantFrom("17:00", "21:00", "24:00"),
    open_weekdays: fc.subarray([1, 2, 3, 4, 5, 6, 7]),
    off_hours_reads: fc.integer({ min: 1, max: 4 }),
    unassigned_clients: fc.integer({ min: 1, max: 3 }),
    denials: fc.integer({ min: 1, max: 4 }),
    denial_minutes: fc.constantFrom(1, 30, 60, 1440),
  }),
});

it("the database finds unusual, and reports, exactly what a recount does", async () => {
  const seen = new Set<string>();
  await fc.assert(
    fc.asyncProperty(fc.constantFrom(...DAYS), fc.tuple(clinics, clinics), async (day, recipes) => {
      const connection = await sql.reserve();
      try {
        await connection`begin`;
        for (const written of await Promise.all(recipes.map((recipe) => write(connection, recipe, day)))) {
          await compare(connection, written, day, seen);
        }
      } finally {
        await connection`rollback`;
        connection.release();
      }
    }),
    { numRuns: RUNS },
  );
  // Agreement about nothing proves nothing.
  expect([...seen].sort()).toEqual([
    "a report",
    "many_clients",
    "off_hours",
    "repeated_denials",
    "unassigned_reads",
  ]);
}, 120_000);

interface Written {
  id: string;
  admin: string;
  clinic: Clinic;
  clients: string[];
  /** In the order of writing. */
  events: AccessEvent[];
}

async function write(connection: ReservedSql, recipe: Recipe, day: string): Promise<Written> {
  const id = randomUUID();
  const people = Array.from({ length: PEOPLE }, () => randomUUID());
  const clients = Array.from({ length: CLIENTS }, () => randomUUID());
  const admin = randomUUID();
  const person = (index: number) => people[index] as string;
  const named = ([actor, client]: readonly [number, number]) =>
    [person(actor), clients[client] as string] as const;
  const assigned = recipe.assigned.map(named);
  const families = recipe.families.map(named);
  const happened: AccessEvent[] = recipe.events.map(({ actor, client, day: days, minute, what }) => ({
    actor: person(actor),
    client: clients[client] as string,
    at: new Date(Date.parse(day) + days * DAY_MS + minute * MINUTE_MS),
    action: what.includes(".") ? what : "rpc.read_note",
    code: what.includes(".") ? null : what,
  }));
  await connection`
    insert into auth.users (id, email)
    select person, person || '@test.example' from unnest(${[...people, admin]}::uuid[]) person`;
  await connection`insert into auth.sessions (id, user_id, created_at) values (${admin}, ${admin}, now())`;
  await connection`insert into public.organizations (id, name, time_zone) values (${id}, 'A clinic', ${recipe.zone})`;
  await connection`
    update public.access_thresholds set ${connection(recipe.thresholds)} where organization_id = ${id}`;
  await connection`
    insert into public.clients ${connection(clients.map((client) => ({ id: client, organization_id: id, full_name: "A client" })))}`;
  await connection`
    insert into public.therapists (id, organization_id, user_id, display_name, credential)
    select person, ${id}, person, 'A therapist', 'RBT' from unnest(${people}::uuid[]) person`;
  await connection`insert into public.user_roles (organization_id, user_id, role) values (${id}, ${admin}, 'admin')`;
  if (recipe.scheduler) {
    await connection`
      insert into public.user_roles (organization_id, user_id, role) values (${id}, ${person(0)}, 'internal_ops')`;
  }
  for (const [therapist, client] of assigned) {
    await connection`
      insert into public.care_team_assignments (organization_id, therapist_id, client_id, team_role, starts_on)
      values (${id}, ${therapist}, ${client}, 'therapist', '2020-01-01')`;
  }
  for (const [guardian, client] of families) {
    await connection`
      insert into public.client_guardians (organization_id, user_id, client_id, relationship, starts_on)
      values (${id}, ${guardian}, ${client}, 'parent', '2020-01-01')`;
  }
  for (const { actor, client, at, action, code } of happened) {
    await connection`
      insert into audit.events (organization_id, actor_id, client_id, occurred_at, action, decision, code)
      values (${id}, ${actor}, ${client}, ${at}, ${action}, ${code === null ? "allow" : "deny"}, ${code})`;
  }
  const clinic: Clinic = {
    zone: recipe.zone,
    thresholds: recipe.thresholds,
    assigned: new Set(assigned.map((pair) => pair.join(" "))),
    families: new Set(families.map((pair) => pair.join(" "))),
    schedulers: new Set(recipe.scheduler ? [person(0)] : []),
  };
  return { id, admin, clinic, clients, events: happened };
}

type Recipe = typeof clinics extends fc.Arbitrary<infer R> ? R : never;

async function compare(
  connection: ReservedSql,
  written: Written,
  day: string,
  seen: Set<string>,
): Promise<void> {
  const { id, clinic, clients, events: happened } = written;
  for (const offset of [-1, 0, 1]) {
    const about = new Date(Date.parse(day) + offset * DAY_MS).toISOString().slice(0, 10);
    const found = await connection<{ actor_id: string; kind: string }[]>`
      select actor_id, kind from app.unusual_access(${id}, ${about})`;
    const expected = unusualAccess(clinic, happened, about);
    expect(found.map(({ actor_id, kind }) => `${actor_id} ${kind}`).sort()).toEqual(expected);
    for (const one of expected) seen.add(one.split(" ")[1] as string);
    await connection`select app.detect_unusual_access(${id}, ${about})`;
    const [again] = await connection`select app.detect_unusual_access(${id}, ${about}) as raised`;
    expect(again?.raised).toBe(0);
    const alerts = await connection<{ window_start: Date; window_end: Date }[]>`
      select window_start, window_end from public.access_alerts
      where organization_id = ${id} and (window_start at time zone ${clinic.zone})::date = ${about}`;
    expect(alerts).toHaveLength(expected.length);
    for (const { window_start: start, window_end: end } of alerts) {
      const inside = [start, new Date(end.getTime() - 1)].map((at) => wallClock(clinic.zone, at).day);
      const outside = [new Date(start.getTime() - 1), end].map((at) => wallClock(clinic.zone, at).day);
      expect(inside).toEqual([about, about]);
      expect(outside).not.toContain(about);
    }
  }

  const [from, to] = [new Date(Date.parse(day) - DAY_MS), new Date(Date.parse(day) + DAY_MS / 2)];
  await connection`select set_config('request.jwt.claims', ${claimsOf({ id: written.admin })}, true)`;
  for (const client of clients) {
    const expected = accessReport(happened, client, from, to);
    expect(await readReport(connection, client, from, to)).toEqual(
      expected.map(({ at, action, code, actor }) => ({ at: at.toISOString(), action, code, actor })),
    );
    if (expected.length > 0) seen.add("a report");
  }
  await connection`select set_config('request.jwt.claims', '', true)`;
}

interface Page {
  entries: { at: string; action: string; code: string | null; actor_id: string }[];
  next: number | null;
}

/** All pages of a report, two entries each. */
async function readReport(connection: ReservedSql, client: string, from: Date, to: Date): Promise<unknown[]> {
  const entries: unknown[] = [];
  let after: number | null = null;
  do {
    const request: string = JSON.stringify({ client_id: client, from, to, after, limit: 2 });
    const [row] = await connection<[{ answer: { data: Page } }]>`
      select public.client_access_report(${request}::text::jsonb) as answer`;
    const { data } = row.answer;
    expect(data.entries.length).toBeLessThanOrEqual(2);
    entries.push(
      ...data.entries.map(({ at, action, code, actor_id }) => ({
        at: new Date(at).toISOString(),
        action,
        code,
        actor: actor_id,
      })),
    );
    after = data.next;
  } while (after !== null);
  return entries;
}
