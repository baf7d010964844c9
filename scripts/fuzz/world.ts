// Two clinics with the same people, sessions and papers in each, so that whatever one of them is shown of the other is a leak.
// What is PHI in them is marked, in each with its own word besides.

import { randomUUID } from "node:crypto";
import type { Sql } from "postgres";
import { saveNote, signNote } from "../../supabase/functions/_shared/notes.ts";
import type { Ask } from "../../supabase/functions/_shared/serve.ts";
import { MARK, NOTE_MARK, VALUES } from "../../supabase/tests/leaks/marks.ts";
import { claimsOf } from "./callers.ts";

/** Of everybody in a clinic by what they are; `nobody` has a login and no role. */
export type People = Record<
  "admin" | "internal_ops" | "therapist" | "supervisor" | "psychiatrist" | "client" | "nobody",
  string
>;

export interface Clinic {
  id: string;
  /** Stands in everything that is PHI of this clinic, and nowhere else. */
  word: string;
  people: People;
  /** Ids of its rows by table; of holds also the keys. */
  ids: Map<string, string[]>;
  serviceToken: string;
}

export interface World {
  home: Clinic;
  foreign: Clinic;
}

const DAY_MS = 86_400_000;

/** An hour of a day from now, UTC. */
export function hourOf(day: number, hour: number): string {
  return new Date((Math.floor(Date.now() / DAY_MS) + day) * DAY_MS + hour * 3_600_000).toISOString();
}
export const dayOf = (day: number): string => hourOf(day, 0).slice(0, 10);

export async function buildWorld(sql: Sql): Promise<World> {
  return { home: await buildClinic(sql, `${MARK}home`), foreign: await buildClinic(sql, `${MARK}abroad`) };
}

async function buildClinic(sql: Sql, word: string): Promise<Clinic> {
  const id = randomUUID();
  await sql`
    insert into public.organizations (id, name, time_zone, calls_per_minute, total_calls_per_minute)
    values (${id}, ${`Clinic ${id}`}, 'UTC', 100000, 1000000)`;
  const people: People = {
    admin: await addUser(sql, id, "admin"),
    internal_ops: await addUser(sql, id, "internal_ops"),
    therapist: await addUser(sql, id, "therapist"),
    supervisor: await addUser(sql, id, "supervisor"),
    psychiatrist: await addUser(sql, id, "psychiatrist"),
    client: await addUser(sql, id, "client"),
    nobody: await addUser(sql, id, null),
  };
  const clinic: Clinic = { id, word, people, ids: new Map(), serviceToken: "" };
  await addRows(sql, clinic);
  await doThings(sql, clinic);
  clinic.ids = await idsOf(sql, id);
  return clinic;
}

async function addUser(sql: Sql, organization: string, role: string | null): Promise<string> {
  const id = randomUUID();
  await sql`insert into auth.users (id, email, created_at) values (${id}, ${`${id}@test.example`}, now())`;
  await sql`insert into auth.sessions (id, user_id, created_at) values (${id}, ${id}, now())`;
  if (role) {
    await sql`insert into public.user_roles (organization_id, user_id, role) values (${organization}, ${id}, ${role})`;
  }
  return id;
}

/** What an owner writes: people, prices, and sessions that were and will be. */
async function addRows(sql: Sql, { id, word, people }: Clinic): Promise<void> {
  const insert = (table: string, rows: Record<string, unknown>[]) =>
    sql`insert into ${sql(`public.${table}`)} ${sql(rows.map((row) => ({ organization_id: id, ...row })))}`;
  const since = { starts_on: "2020-01-01" };
  const services = ["97153", "97155", "97154"].map((code) => ({
    id: randomUUID(),
    service_code: code,
    name: "Therapy",
    cpt_code: code,
    client_lane: code === "97155" ? 1 : 0,
    is_group: code === "97154",
  }));
  await insert("services", services);
  const therapists = (
    [
      ["therapist", "RBT"],
      ["supervisor", "BCBA"],
      ["psychiatrist", "MD"],
    ] as const
  ).map(([role, credential]) => ({
    id: randomUUID(),
    user_id: people[role],
    display_name: "A therapist",
    credential,
    npi: "1245319599",
    taxonomy_code: "106S00000X",
    legal_given: "Ann",
    legal_family: "Delivers",
  }));
  await insert("therapists", therapists);
  const [rosa, bea, reviewer] = therapists.map((row) => row.id) as [string, string, string];
  const clients = [0, 1, 2].map((index) => ({
    id: randomUUID(),
    full_name: `${word} the First`,
    given_name: word,
    family_name: `${word}son`,
    date_of_birth: VALUES.date_of_birth,
    sex: "F",
    address_line: `${index} ${word} Street`,
    city: word,
    state: "OR",
    postal_code: VALUES.postal_code,
    phone: VALUES.phone,
    diagnosis_codes: [VALUES.diagnosis],
  }));
  await insert("clients", clients);
  const [aspen, birch] = clients.map((row) => row.id) as [string, string, string];
  await insert("rooms", [{ name: "A room" }]);
  await insert(
    "therapist_availability",
    [rosa, bea].flatMap((therapist_id) =>
      [1, 2, 3, 4, 5, 6, 7].map((weekday) => ({
        therapist_id,
        weekday,
        local_start: "00:00",
        local_end: "24:00",
        effective_from: "2020-01-01",
        time_zone: "UTC",
      })),
    ),
  );
  await insert("care_team_assignments", [
    ...[rosa, bea].flatMap((therapist_id) =>
      [aspen, birch].map((client_id) => ({ therapist_id, client_id, team_role: "therapist", ...since })),
    ),
    { therapist_id: reviewer, client_id: aspen, team_role: "psychiatrist", ...since },
  ]);
  await insert("supervisions", [{ supervisor_id: bea, therapist_id: rosa, ...since }]);
  await insert("client_guardians", [
    { client_id: aspen, user_id: people.client, relationship: "parent", ...since },
  ]);
  const payer_id = randomUUID();
  await insert("payers", [{ id: payer_id, name: "A payer", payer_code: "12345", filing_indicator: "CI" }]);
  await insert("payer_rates", [{ payer_id, cpt_code: "97153", unit_cents: 1_517, ...since }]);
  await insert(
    "client_coverages",
    [aspen, birch].map((client_id) => ({
      client_id,
      payer_id,
      member_id: word,
      relationship_to_subscriber: "child",
      subscriber_given_name: word,
      subscriber_family_name: word,
      subscriber_date_of_birth: VALUES.subscriber_date_of_birth,
      ...since,
    })),
  );
  await insert("authorizations", [
    {
      client_id: aspen,
      payer_id,
      authorization_number: word,
      cpt_codes: ["97153"],
      ends_on: dayOf(700),
      units: 100_000,
      ...since,
    },
  ]);
  await insert("billing_profiles", [
    {
      legal_name: "A clinic",
      npi: "1234567893",
      tax_id: "123456789",
      taxonomy_code: "103K00000X",
      street: "Street 1",
      town: "Town",
      region: "CA",
      zip: "900010001",
      contact_name: "Who bills",
      contact_number: "5555550100",
      submitter_code: "SENDER",
      receiver_name: "Receiver",
      receiver_code: "RECEIVER",
      requires_signature: false,
      ...since,
    },
  ]);
  await insert("consent_forms", [
    { form_code: "telehealth", version: 1, title: "A form", body: "What is agreed to." },
  ]);
  await sql`update public.consent_forms set status = 'published' where organization_id = ${id}`;
  const session = (day: number, changes: object = {}) => ({
    therapist_id: rosa,
    client_id: aspen,
    service_id: services[0]?.id,
    start_time: hourOf(day, 9),
    end_time: hourOf(day, 10),
    time_zone: "UTC",
    place_of_service: "11",
    ...changes,
  });
  for (const day of [-5, -4, -3]) {
    const took = { actual_start_time: hourOf(day, 9), actual_end_time: hourOf(day, 10) };
    await insert("sessions", [session(day, { status: "completed", ...took })]);
  }
  for (const day of [-2, 3, 4]) await insert("sessions", [session(day)]);
  await insert("sessions", [session(5, { client_id: birch, therapist_id: bea })]);
  await insert("sessions", [
    session(6, { status: "cancelled", cancelled_by: "client", cancellation_reason: word }),
  ]);
  await insert("access_alerts", [{ kind: "break_glass" }]);
}

/** What only operations write, in the order in which they need each other. Notes need HOLDFAST_NOTE_KEYS in the environment. */
async function doThings(sql: Sql, clinic: Clinic): Promise<void> {
  const { id, word, people } = clinic;
  const one = async (table: string, where = "true"): Promise<string> => {
    const [row] = await sql.unsafe(
      `select id from public.${table} where organization_id = $1 and ${where} order by created_at, id limit 1`,
      [id],
    );
    return row?.id;
  };
  const call = async (who: keyof People, rpc: string, args: object): Promise<Record<string, string>> =>
    sql.begin(async (transaction) => {
      await transaction`select set_config('request.jwt.claims', ${claimsOf(people[who])}, true)`;
      await transaction`select set_config('request.headers', '{"cf-connecting-ip": "203.0.113.9"}', true)`;
      await transaction`set local role authenticated`;
      const named = Object.keys(args).map((name) => `"${name}" => _."${name}"`);
      const types = Object.entries(args).map(
        ([name, value]) =>
          `"${name}" ${Array.isArray(value) ? "text[]" : typeof value === "object" ? "jsonb" : "text"}`,
      );
      const casts = named.map((pair) => (/"(organization|account)"/.test(pair) ? `${pair}::uuid` : pair));
      const [row] = await transaction.unsafe(
        `select public.${rpc}(${casts}) as answer from json_to_record($1::text::json) as _(${types})`,
        [JSON.stringify(args)],
      );
      if (!row?.answer?.data) throw new Error(`the world: ${rpc} answered ${JSON.stringify(row?.answer)}`);
      return row.answer.data;
    });
  const ask = (who: keyof People, rpc: string, request: object) => call(who, rpc, { request });
  const [client_id, therapist_id] = [await one("clients"), await one("therapists", "credential = 'RBT'")];
  const held = (day: number, changes: object = {}) => ({
    therapist_id,
    client_id,
    service_code: "97153",
    time_zone: "UTC",
    hold_seconds: 900,
    occurrences: [
      {
        start_time: hourOf(day, 12),
        end_time: hourOf(day, 13),
        start_time_offset_minutes: 0,
        end_time_offset_minutes: 0,
      },
    ],
    ...changes,
  });
  await ask("admin", "save_webhook_endpoint", { organization_id: id, url: "https://hooks.example.com/x" });
  const group = { client_id: undefined, client_ids: [client_id], service_code: "97154", capacity: 3 };
  const { hold_key } = await ask("internal_ops", "hold_sessions", held(10, group));
  await ask("internal_ops", "confirm_sessions", { hold_key });
  await ask("internal_ops", "hold_sessions", held(11));
  await ask("admin", "hold_sessions", held(12));
  const daily = { rule: "FREQ=DAILY;COUNT=2", exdates: [], local_start: hourOf(13, 12).slice(0, 19) };
  const series = { recurrence: daily, occurrences: [13, 14].map((day) => held(day).occurrences[0]) };
  const repeated = await ask("internal_ops", "hold_sessions", held(13, series));
  await ask("internal_ops", "confirm_sessions", { hold_key: repeated.hold_key });
  await ask("internal_ops", "join_waitlist", {
    client_id,
    service_code: "97153",
    duration_minutes: 60,
    wanted_from: dayOf(1),
    time_zone: "UTC",
    wanted_times: [{ weekday: 1, local_start: "08:00", local_end: "18:00" }],
  });
  await ask("admin", "add_exception", {
    kind: "time_off",
    therapist_id,
    time_zone: "UTC",
    note: word,
    start_time: hourOf(20, 9),
    end_time: hourOf(20, 10),
    start_time_offset_minutes: 0,
    end_time_offset_minutes: 0,
  });
  await ask("client", "sign_consent", { client_id, form_id: await one("consent_forms"), typed_name: word });
  await ask("admin", "request_document", {
    client_id,
    kind: "assessment",
    title: word,
    file_name: `${word}.pdf`,
    content_type: "application/pdf",
    size_bytes: 100,
  });
  const sessions = [await one("sessions", "status = 'completed'")];
  const { cases } = (await ask("internal_ops", "attach_sessions", { session_ids: sessions })) as unknown as {
    cases: { case_id: string }[];
  };
  await ask("internal_ops", "create_billing_batch", { case_ids: [cases[0]?.case_id], usage: "test" });
  const { token = "" } = await call("admin", "create_service_account", {
    organization: id,
    name: "A practice",
    scopes: ["enrolment:write", "schedule:read"],
  });
  clinic.serviceToken = token;
  const asTherapist: Ask = async (rpc, request) => ({
    data: await ask("therapist", rpc, request as object),
    replayed: false,
  });
  const write = async (session_id: string, kind: "session" | "summary"): Promise<string> => {
    const text = `${NOTE_MARK} ${word}`;
    const answer = await saveNote({ action: "save", kind, version: 0, session_id, text }, asTherapist);
    return (answer as { data: { note: { id: string } } }).data.note.id;
  };
  const session_id = await one("sessions", "status = 'completed'");
  await write(session_id, "session");
  const note_id = await write(session_id, "summary");
  await signNote({ action: "sign", note_id, version: 1 }, asTherapist);
}

/** The ids of a clinic's rows, as the catalog knows where they stand. */
async function idsOf(sql: Sql, organization: string): Promise<Map<string, string[]>> {
  const tables = await sql<{ schema: string; name: string }[]>`
    select space.nspname as schema, relation.relname as name
    from pg_class relation
    join pg_namespace space on space.oid = relation.relnamespace
    join pg_attribute owner on owner.attrelid = relation.oid and owner.attname = 'organization_id'
    join pg_attribute id on id.attrelid = relation.oid and id.attname = 'id' and id.atttypid = 'uuid'::regtype
    where space.nspname in ('public', 'app') and relation.relkind = 'r'
    order by 2`;
  const found = new Map<string, string[]>([["organizations", [organization]]]);
  for (const { schema, name } of tables) {
    const rows =
      await sql`select id from ${sql(`${schema}.${name}`)} where organization_id = ${organization}`;
    if (rows.length > 0)
      found.set(
        name,
        rows.map(({ id }) => id),
      );
  }
  const keys = await sql`select batch_key from public.session_holds where organization_id = ${organization}`;
  found.get("session_holds")?.push(...keys.map(({ batch_key }) => batch_key));
  return found;
}
