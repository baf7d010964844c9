// `npm run bench -- booking`: hold and confirm a second, against the same rows by bare SQL and against what one would write.

import postgres, { type Sql } from "postgres";
import type { Size } from "./benchmark.ts";
import type { Contest, Report, SideFigures, Throughput } from "./booking-report.ts";
import { flushCounts, literal, readTemplate, type Template, writtenBy } from "./booking-rows.ts";
import { createTables, mostClients, prepareBooking } from "./booking-setup.ts";
import { createSides, doubleBookings, type Loop, runSegment, type Side, sides } from "./booking-sides.ts";
import { machineLine, prepareServer, progress, quantile, spread, withStack } from "./harness.ts";
import { loadNetwork } from "./network.ts";
import { type Clinic, fillCalendars } from "./scheduling-network.ts";

/** Clients at once; with the waits of a disk only some of them. */
const clientCounts = [1, 2, 4, 8, 16, 32];
const onDisk = [1, 8, 32];

interface Setting {
  sql: Sql;
  connections: Sql[];
  claims: string[];
  clinic: Clinic;
  size: Size;
  /** Where nothing is booked yet; moves on with every segment. */
  base: Date;
}

export async function runBooking(size: Size, counts = clientCounts): Promise<Report> {
  return withStack(async ({ adminDatabaseUrl, databaseUrl }) => {
    await prepareServer(adminDatabaseUrl);
    progress(`making ${size.rows.toLocaleString("en")} sessions`);
    await loadNetwork(adminDatabaseUrl, size.rows, []);
    const clinic = await fillCalendars(adminDatabaseUrl);
    await prepareBooking(adminDatabaseUrl);
    const connect = (): Sql =>
      postgres(databaseUrl, { max: 1, onnotice: () => {}, connection: { timezone: "UTC" } });
    const sql = connect();
    const connections = Array.from({ length: mostClients }, connect);
    try {
      await createTables(sql);
      const claims = await claimsOfBookers(sql);
      const setting = { sql, connections, claims, clinic, size, base: firstHour(clinic) };
      const template = await calibrate(setting);
      await createSides(sql, template);
      await checkRows(setting, template);
      const memory = await measureThroughput(setting, counts, "in memory");
      const hot = await measureHot(setting, Math.max(...counts));
      const machine = await machineLine(sql);
      await setFsync(adminDatabaseUrl, true);
      const disk = await measureThroughput(
        setting,
        counts.filter((clients) => onDisk.includes(clients)),
        "waiting for the disk",
      );
      const { seconds, repetitions } = size;
      const rowsOfABooking = { hold: template.hold, confirm: template.confirm };
      return { machine, seconds, repetitions, rowsOfABooking, memory, disk, hot };
    } finally {
      await Promise.all([sql, ...connections].map((it) => it.end()));
    }
  });
}

/** A whole hour long after what the network has booked. */
function firstHour({ rangeEnd }: Clinic): Date {
  const day = 24 * 3_600_000;
  return new Date(Math.ceil((rangeEnd.getTime() + 300 * day) / day) * day);
}

async function claimsOfBookers(sql: Sql): Promise<string[]> {
  const rows = await sql<{ claims: string }[]>`
    select public.custom_access_token_hook(jsonb_build_object('user_id', booker.id, 'claims', jsonb_build_object(
      'sub', booker.id, 'session_id', booker.id, 'role', 'authenticated', 'aal', 'aal2'))) ->> 'claims' as claims
    from generate_series(1, ${mostClients}::integer) number
    cross join lateral (select md5('booker ' || number)::uuid as id) booker
    order by number`;
  return rows.map(({ claims }) => claims);
}

const hours = (count: number): number => count * 3_600_000;

async function calibrate(setting: Setting): Promise<Template> {
  const { sql, clinic, claims, base } = setting;
  const [own] = claims;
  const [therapist] = clinic.therapists;
  const [client] = clinic.clients;
  if (!own || !therapist || !client) throw new Error("the clinic is empty");
  const end = new Date(base.getTime() + hours(1));
  const template = await readTemplate(sql, { claims: own, therapist, client, start: base, end });
  setting.base = new Date(base.getTime() + hours(24));
  return template;
}

/** Fails unless the bare side writes to every table what a booking by the RPCs writes to it. */
async function checkRows(setting: Setting, template: Template): Promise<void> {
  const { sql, clinic, base, claims } = setting;
  const [therapist = "", client = ""] = [clinic.therapists[1], clinic.clients[1]];
  const user = JSON.parse(claims[0] ?? "{}").sub as string;
  const end = new Date(base.getTime() + hours(1));
  const run = async (body: string, hold: string) => {
    const values: Record<string, string> = {
      v_hold: hold,
      v_therapist: therapist,
      v_client: client,
      v_user: user,
    };
    const text = Object.entries(values)
      .reduce((done, [name, value]) => done.replaceAll(name, `${literal(value)}::uuid`), body)
      .replaceAll("v_start", `${literal(base.toISOString())}::timestamptz`)
      .replaceAll("v_end", `${literal(end.toISOString())}::timestamptz`);
    await flushCounts(sql);
    return sql.begin(async (transaction) => {
      await transaction.unsafe(text);
      return writtenBy(transaction);
    });
  };
  const hold = crypto.randomUUID();
  await withoutTriggers(sql, async () => {
    const sameAs = (bare: object, ours: object): boolean => JSON.stringify(bare) === JSON.stringify(ours);
    const [held, confirmed] = [await run(template.holdSql, hold), await run(template.confirmSql, hold)];
    if (!sameAs(held, template.hold) || !sameAs(confirmed, template.confirm)) {
      throw new Error(
        `bare SQL writes other rows: ${JSON.stringify([held, confirmed])} for ${JSON.stringify([template.hold, template.confirm])}`,
      );
    }
  });
  setting.base = new Date(base.getTime() + hours(24));
}

const triggered = ["session_holds", "sessions", "calendar_claims", "session_charges"];

/** Runs something with the triggers of the tables off, those of foreign keys excepted. */
async function withoutTriggers<Result>(sql: Sql, run: () => Promise<Result>): Promise<Result> {
  const turn = async (what: "disable" | "enable"): Promise<void> => {
    for (const table of triggered) await sql.unsafe(`alter table public.${table} ${what} trigger user`);
  };
  await turn("disable");
  try {
    return await run();
  } finally {
    await turn("enable");
  }
}

async function setFsync(adminUrl: string, on: boolean): Promise<void> {
  const admin = postgres(adminUrl, { max: 1, onnotice: () => {} });
  try {
    for (const setting of ["fsync", "full_page_writes"])
      await admin.unsafe(`alter system set ${setting} = ${on ? "on" : "off"}`);
    await admin`select pg_reload_conf()`;
    while ((await admin`show fsync`)[0]?.fsync !== (on ? "on" : "off"));
    await admin`checkpoint`;
  } finally {
    await admin.end();
  }
}

/** One segment of a side, and the rows it left per booking. */
async function segment(setting: Setting, side: Side, clients: number, hot: boolean): Promise<Loop[]> {
  const { sql, connections, claims, clinic, size, base } = setting;
  const run = (): Promise<Loop[]> =>
    runSegment(connections, claims, clinic.therapists, { side, clients, hot, base, seconds: size.seconds });
  const before = await countRows(sql);
  const loops = side === "bare" ? await withoutTriggers(sql, run) : await run();
  const booked = loops.reduce((sum, loop) => sum + loop.booked, 0);
  if (booked === 0) throw new Error(`${side} booked nothing in ${size.seconds} s`);
  if (side === "holdfast" || side === "bare") {
    const added = (await countRows(sql)).map((count, at) => count - (before[at] ?? 0));
    const [holds = 0, claimed = 0, sessions = 0, charges = 0] = added;
    const written = loops.reduce((sum, { warmed }) => sum + warmed, booked);
    if ([holds, sessions, charges, claimed / 2].some((count) => count !== written)) {
      throw new Error(`${side} left ${added} holds, claims, sessions and charges for ${written} bookings`);
    }
  }
  const attempts = hot
    ? loops.reduce((sum, loop) => sum + loop.attempts, 0) / 8
    : Math.max(...loops.map((loop) => loop.attempts)) / Math.floor(clinic.therapists.length / clients);
  setting.base = new Date(base.getTime() + hours(Math.ceil(attempts) + 2));
  return loops;
}

async function countRows(sql: Sql): Promise<number[]> {
  const [row] = await sql<{ counts: number[] }[]>`
    select array[
      (select count(*) from public.session_holds), (select count(*) from public.calendar_claims),
      (select count(*) from public.sessions), (select count(*) from public.session_charges)]::float8[] as counts`;
  return row?.counts ?? [];
}

const perSecond = (loops: Loop[]): number =>
  loops.reduce((sum, { booked, seconds }) => sum + booked / seconds, 0);

function figuresOf(side: Side, rounds: Loop[][], limit: Loop[][]): SideFigures {
  const rates = rounds.map(perSecond);
  const us = rounds.flat().flatMap((loop) => loop.us);
  return {
    side,
    perSecond: spread(rates),
    ratio: quantile(
      rates.map((rate, round) => rate / perSecond(limit[round] ?? [])),
      0.5,
    ),
    p50: quantile(us, 0.5),
    p99: quantile(us, 0.99),
  };
}

async function measureThroughput(setting: Setting, counts: number[], where: string): Promise<Throughput[]> {
  const results: Throughput[] = [];
  for (const clients of counts) {
    progress(`${clients} clients book, ${where}`);
    const rounds = await roundsOf(setting, clients, false);
    results.push({ clients, sides: sides.map((side) => figuresOf(side, rounds[side], rounds.bare)) });
  }
  return results;
}

/** Every side in turn, as often as there are repetitions. */
async function roundsOf(setting: Setting, clients: number, hot: boolean): Promise<Record<Side, Loop[][]>> {
  const rounds: Record<Side, Loop[][]> = { holdfast: [], bare: [], copies: [], check: [], locks: [] };
  for (let round = 0; round < setting.size.repetitions; round++)
    for (const side of sides) rounds[side].push(await segment(setting, side, clients, hot));
  return rounds;
}

async function measureHot(setting: Setting, clients: number): Promise<Contest[]> {
  progress(`${clients} clients want four therapists`);
  const from = setting.base;
  const rounds: Record<Side, Loop[][]> = { holdfast: [], bare: [], copies: [], check: [], locks: [] };
  const doubled: Record<Side, number> = { holdfast: 0, bare: 0, copies: 0, check: 0, locks: 0 };
  for (let round = 0; round < setting.size.repetitions; round++) {
    for (const side of sides) {
      const base = setting.base;
      rounds[side].push(await segment(setting, side, clients, true));
      doubled[side] += await doubleBookings(setting.sql, side, base);
    }
  }
  const faults = await setting.sql`select fault from app.ledger_faults() limit 1`;
  if (faults.length > 0)
    throw new Error(`the ledger is not sound after ${from.toISOString()}: ${faults[0]?.fault}`);
  return sides.map((side) => {
    const loops = rounds[side].flat();
    const sum = (key: "booked" | "refused" | "deadlocks"): number =>
      loops.reduce((total, loop) => total + loop[key], 0);
    return {
      ...figuresOf(side, rounds[side], rounds.copies),
      booked: sum("booked"),
      refused: sum("refused"),
      deadlocks: sum("deadlocks"),
      doubleBookings: doubled[side],
    };
  });
}
