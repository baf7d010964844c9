// `npm run bench -- records`: what encryption and the audit trail cost, where a note is written or read, an hour booked, a
// record opened; and how fast a long trail is sealed and verified.

import postgres, { type Sql } from "postgres";
import { readNotes, saveNote } from "../../supabase/functions/_shared/notes.ts";
import type { Ask } from "../../supabase/functions/_shared/serve.ts";
import { verify } from "../audit/verify.ts";
import type { Stack } from "../stack/index.ts";
import type { Size } from "./benchmark.ts";
import { machineLine, prepareServer, progress, type Spread, spread, withStack } from "./harness.ts";
import { loadNetwork } from "./network.ts";
import { countEvents, createPlainNotes, fillTrail, muted, queryAs } from "./records-measure.ts";
import type { Report, Side, Way } from "./records-report.ts";
import { asOwner, book, call, createMeasures, undo } from "./scheduling-measure.ts";
import { type Clinic, fillCalendars } from "./scheduling-network.ts";
import { seriesRequest } from "./scheduling-requests.ts";

/** Sessions of the network: two clinics. None of these calls reads more of it than its own rows. */
const networkSessions = 50_000;
/** As an RBT's note of a session of two hours. */
const noteText = "The client asked for a break with a picture card in 8 of 10 trials, at most once prompted. "
  .repeat(22)
  .slice(0, 2_000);
const warmUp = 8;

export async function runRecords(size: Size): Promise<Report> {
  return withStack((stack) => makeReport(stack, size));
}

async function makeReport(stack: Stack, { rows, repetitions }: Size): Promise<Report> {
  // Where the functions look for them.
  process.env.HOLDFAST_NOTE_KEYS = stack.functionsEnv.HOLDFAST_NOTE_KEYS;
  await prepareServer(stack.adminDatabaseUrl);
  progress("making two clinics");
  await loadNetwork(stack.adminDatabaseUrl, networkSessions, []);
  const clinic = await fillCalendars(stack.adminDatabaseUrl);
  const connect = (): Sql =>
    postgres(stack.databaseUrl, { max: 1, onnotice: () => {}, connection: { timezone: "UTC" } });
  const sql = connect();
  try {
    await createMeasures(sql);
    await createPlainNotes(sql);
    progress("writing and reading notes");
    const { writes, reads } = await measureNotes({ sql, connect, clinic, repetitions });
    progress("booking");
    const { bookings, eventsOfABooking } = await measureBookings({
      sql,
      connect,
      clinic,
      repetitions,
    });
    progress("reading clients");
    const clients = await measureClients(sql, clinic, repetitions);
    progress(`filling the trail to ${rows.toLocaleString("en")} events`);
    await fillTrail(sql, rows);
    const trail = await measureTrail(sql);
    const noteCharacters = noteText.length;
    const machine = await machineLine(sql);
    return {
      machine,
      repetitions,
      noteCharacters,
      writes,
      reads,
      bookings,
      eventsOfABooking,
      clients,
      trail,
    };
  } finally {
    await sql.end();
  }
}

interface Setting {
  sql: Sql;
  connect: () => Sql;
  clinic: Clinic;
  repetitions: number;
}

/** What one run costs. `number` counts the runs of all sides. */
type Run<Figure> = (sql: Sql, number: number) => Promise<Figure>;

/**
 * The figures of a way with the audit trail on, and with it muted: half of the runs of each, and again, so that what a
 * busy machine does to one it does to the other. Each half on a connection of its own: a plan that was made while the trail
 * was muted has nothing in it that would let it be made anew.
 */
async function onAndMuted<Figure>(
  { sql, connect, repetitions }: Setting,
  run: Run<Figure>,
): Promise<{ on: Figure[]; off: Figure[] }> {
  let number = 0;
  const half = async (): Promise<Figure[]> => {
    const own = connect();
    const figures: Figure[] = [];
    try {
      for (let at = -warmUp; at < Math.ceil(repetitions / 2); at++) {
        const figure = await run(own, number++);
        if (at >= 0) figures.push(figure);
      }
    } finally {
      await own.end();
    }
    return figures;
  };
  const on = await half();
  const off = await muted(sql, half);
  return { on: [...on, ...(await half())], off: [...off, ...(await muted(sql, half))] };
}

async function repeated<Figure>(
  repetitions: number,
  run: (number: number) => Promise<Figure>,
): Promise<Figure[]> {
  for (let number = 0; number < warmUp; number++) await run(number);
  const figures: Figure[] = [];
  for (let number = 0; number < repetitions; number++) figures.push(await run(warmUp + number));
  return figures;
}

const ratio = (one: Spread, other: Spread): number => one.median / other.median;

function pick<Value>(values: readonly Value[], number: number): Value {
  const value = values[number % values.length];
  if (value === undefined) throw new Error("nothing to pick from");
  return value;
}

// ---------------------------------------------------------------------------------------------------------
// Notes
// ---------------------------------------------------------------------------------------------------------

interface Delivered {
  session: string;
  claims: string;
}

interface Spent {
  server: number;
  crypto: number;
}

/** Sessions that therapists delivered, one therapist's after the other's. Every client has a key by then. */
async function delivered(sql: Sql, clinic: Clinic, atLeast: number): Promise<Delivered[]> {
  const rows = await sql<{ session: string; user: string; first: boolean }[]>`
    select session.id as session, therapist.user_id as user,
      row_number() over (partition by session.client_id order by session.start_time, session.id) = 1 as first
    from public.sessions session
    join public.therapists therapist on therapist.id = session.therapist_id
    join public.care_team_assignments team on team.therapist_id = therapist.id and team.client_id = session.client_id
    where session.organization_id = ${clinic.organization} and session.status = 'completed'
      and therapist.credential = 'RBT' and team.team_role = 'therapist'
    order by therapist.id, session.start_time`;
  const as = (user: string): string =>
    JSON.stringify({ sub: user, session_id: user, role: "authenticated", aal: "aal1" });
  const sessions: Delivered[] = [];
  for (const { session, user, first } of rows) {
    if (sessions.length === atLeast) return sessions;
    if (first) await spend(sql, as(user), (ask) => saveNote(save(session), ask));
    else sessions.push({ session, claims: as(user) });
  }
  throw new Error("too few sessions were delivered");
}

const save = (session_id: string) => ({ action: "save", version: 0, session_id, text: noteText }) as const;

/** Does what the Edge Function does, as a user: the time in the server, and the time between its calls. */
async function spend(sql: Sql, claims: string, work: (ask: Ask) => Promise<unknown>): Promise<Spent> {
  let server = 0;
  let waited = 0;
  const started = performance.now();
  await work(async (rpc, request) => {
    const asked = performance.now();
    const { us, answer } = await call(sql, { claims }, rpc, [request as object]);
    waited += performance.now() - asked;
    server += us;
    if (!("data" in answer)) throw new Error(`${rpc}: ${JSON.stringify(answer)}`);
    return { data: answer.data, replayed: false };
  });
  return { server, crypto: (performance.now() - started - waited) * 1000 };
}

async function measureNotes(setting: Setting) {
  const { sql, clinic, repetitions } = setting;
  const sessions = await delivered(sql, clinic, 4 * (warmUp + Math.ceil(repetitions / 2)));
  const written = await onAndMuted(setting, (own, number) => {
    const { session, claims } = pick(sessions, number);
    return spend(own, claims, (ask) => saveNote(save(session), ask));
  });
  const read = await onAndMuted(setting, (own, number) => {
    const { session, claims } = pick(sessions, number);
    return spend(own, claims, (ask) => readNotes({ session_id: session }, ask));
  });
  const insert = await repeated(repetitions, (number) => {
    const { session, claims } = pick(sessions, number);
    return queryAs(
      sql,
      claims,
      `with written as (insert into bench.notes (session_id, text) values ('${session}', '${noteText}') returning id)
       select to_jsonb(written) from written`,
    );
  });
  const select = await repeated(repetitions, (number) => {
    const { session, claims } = pick(sessions, number);
    return queryAs(
      sql,
      claims,
      `select jsonb_agg(to_jsonb(note)) from bench.notes note where session_id = '${session}'`,
    );
  });
  return { writes: waysOf(written, insert), reads: waysOf(read, select) };
}

function waysOf({ on, off }: { on: Spent[]; off: Spent[] }, plain: number[]): Way[] {
  const base = spread(plain);
  const server = (spent: Spent[]): Spread => spread(spent.map((it) => it.server));
  const both = spread(on.map(({ server, crypto }) => server + crypto));
  const alone = server(off);
  const crypto = spread([...on, ...off].map((it) => it.crypto));
  return [
    { name: "audited and encrypted", server: server(on), crypto, both, times: ratio(both, alone) },
    { name: "the same calls, neither", server: alone, crypto: null, both: alone, times: 1 },
    {
      name: "a plain table, one policy",
      server: base,
      crypto: null,
      both: base,
      times: ratio(base, alone),
    },
  ];
}

// ---------------------------------------------------------------------------------------------------------
// Bookings, clients, the trail
// ---------------------------------------------------------------------------------------------------------

async function measureBookings(setting: Setting) {
  const { sql, clinic } = setting;
  const { on, off } = await onAndMuted(setting, async (own, number) => {
    const request = await seriesRequest(own, clinic, number % clinic.therapists.length, 1, 7);
    const { hold, confirm, holdKeys } = await book(own, clinic, [request]);
    await undo(own, holdKeys);
    return hold + confirm;
  });
  const before = await countEvents(sql);
  const { holdKeys } = await book(sql, clinic, [await seriesRequest(sql, clinic, 0, 1, 7)]);
  const eventsOfABooking = (await countEvents(sql)) - before;
  await undo(sql, holdKeys);
  return { bookings: sidesOf("audited", on, "with the trail muted", off), eventsOfABooking };
}

async function measureClients(sql: Sql, clinic: Clinic, repetitions: number): Promise<Side[]> {
  const rows = await sql<{ id: string }[]>`
    select id from public.clients where organization_id = ${clinic.organization} order by id limit 500`;
  const hundred = (number: number): string[] =>
    Array.from({ length: 100 }, (_, at) => pick(rows, number * 37 + at).id);
  const fields =
    "full_name, given_name, family_name, date_of_birth, sex, address_line, city, state, postal_code, phone, diagnosis_codes".split(
      ", ",
    );
  const pairs = await repeated(repetitions, async (number) => {
    const ids = hundred(number);
    const request = { organization_id: clinic.organization, ids, fields };
    const { us, answer } = await call(sql, clinic, "read_clients", [request]);
    const owner = await asOwner(
      sql,
      `select jsonb_agg(to_jsonb(it)) from (
        select id, status, ${fields} from public.clients where id = any('{${ids}}'::uuid[])) it`,
    );
    const read = (answer as { data?: { clients: unknown[] } }).data?.clients.length;
    if (read !== 100 || (owner.answer as unknown[]).length !== 100) {
      throw new Error(`not 100 clients were read: ${JSON.stringify(answer).slice(0, 300)}`);
    }
    return { rpc: us, owner: owner.us };
  });
  return sidesOf(
    "read_clients, each read on record",
    pairs.map(({ rpc }) => rpc),
    "select as the tables' owner",
    pairs.map(({ owner }) => owner),
  );
}

function sidesOf(name: string, figures: number[], otherName: string, others: number[]): Side[] {
  const [ms, base] = [spread(figures), spread(others)];
  return [
    { name, ms, times: ratio(ms, base) },
    { name: otherName, ms: base, times: 1 },
  ];
}

async function measureTrail(sql: Sql): Promise<Report["trail"]> {
  progress("sealing");
  const sealing = performance.now();
  for (let made = 1; made > 0; ) {
    const [row] = await sql<{ made: number }[]>`select audit.seal() as made`;
    made = row?.made ?? 0;
  }
  const sealSeconds = (performance.now() - sealing) / 1000;
  progress("verifying");
  const verifying = performance.now();
  const { finding, events, seals } = await verify(sql);
  if (finding) throw new Error(`the trail is not as it was sealed: ${finding.what}`);
  return { events, seals, sealSeconds, verifySeconds: (performance.now() - verifying) / 1000 };
}
