// One run: a stack, its users, its faults, and the verdict.

import { mkdir, mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import postgres, { type Sql } from "postgres";
import type { Stack } from "../stack/index.ts";
import { ANOMALIES, type Anomaly, type AnomalyKind } from "./anomalies.ts";
import { Board } from "./board.ts";
import { APPLICATION, type Caller, httpCaller, sqlCaller, type Tokens, UNDISTURBED } from "./callers.ts";
import { Checker } from "./checker.ts";
import { answers, inflict } from "./faults.ts";
import { type Final, readFinal } from "./final.ts";
import { now, ownEntry, type Recorder, readHistory, recordTo } from "./history.ts";
import { observe } from "./observer.ts";
import { type Fault, type FaultKind, faultsOf, type Mix, type Scale, stepsOf } from "./plan.ts";
import { type Beat, takePulse } from "./pulse.ts";
import { personOf } from "./requests.ts";
import { faultsOfSnapshot } from "./snapshots.ts";
import { type Counts, type Play, pause, recover, useUntilDone } from "./users.ts";
import { type Clinic, makeClinics } from "./world.ts";

export interface RunOptions extends Scale, Mix {
  seed: number;
  operations: number;
  faults: number;
  /** Ends sooner than the operations are through. */
  minutes?: number | undefined;
  sqlUsers: number;
  httpUsers: number;
  /** How often a snapshot is taken; a second unless said. */
  lookEveryMs?: number;
  /** Where the history is kept; left out, nowhere. */
  history?: string | undefined;
  log?: (line: string) => void;
}

export interface Report {
  seed: number;
  operations: number;
  attempts: number;
  seconds: number;
  faults: Partial<Record<FaultKind, number>>;
  disturbances: Counts["disturbances"];
  operationsByKind: Record<string, number>;
  answers: Record<string, number>;
  recovered: number;
  snapshots: number;
  seals: number;
  rows: { holds: number; sessions: number; notes: number; events: number };
  ledgerFaults: number;
  /** Minute by minute. */
  beats: Beat[];
  anomalies: Partial<Record<AnomalyKind, number>>;
  examples: Anomaly[];
}

const LOOK_EVERY_MS = 1_000;
/** Sooner than a session that nobody uses ends (app.caller). */
const REFRESH_EVERY_MS = 300_000;

/** So many overdue sessions of a clinic that they last: of a hundred operations five mark one; at most two months of them. */
const overdueOf = ({ operations, clinics, overdue }: RunOptions): number =>
  overdue ?? Math.min(3600, Math.max(90, Math.ceil((operations * 0.04) / clinics)));

/** Lets users loose on a stack, breaks it under them, and says what became of what they were told. */
export async function torture(stack: Stack, options: RunOptions): Promise<Report> {
  const { seed, log = () => {} } = options;
  const folder = options.history ?? (await mkdtemp(join(tmpdir(), "holdfast-torture-")));
  await mkdir(folder, { recursive: true });
  const file = join(folder, `history-${seed}.jsonl`);
  // What is arranged is to last, whatever was planted.
  const connection = { synchronous_commit: "on" };
  const admin = postgres(stack.databaseUrl, { max: 1, onnotice: () => {}, connection });
  const clinics = await makeClinics(admin, { ...options, overdue: overdueOf(options) });
  const recorder = recordTo(file);
  for (const clinic of clinics) {
    recorder.record(ownEntry(clinic, "arrange", {}, now(), "ok", { sessions: clinic.overdue }));
  }
  const tokens: Tokens = new Map();
  const callers = await Promise.all([
    ...Array.from({ length: options.sqlUsers }, () => sqlCaller(stack.databaseUrl)),
    ...Array.from({ length: options.httpUsers }, () => httpCaller(stack.url, stack.publishableKey, tokens)),
  ]);
  const began = performance.now();
  const deadline = began + (options.minutes ?? Number.POSITIVE_INFINITY) * 60_000;
  const counts: Counts = { operations: 0, attempts: 0, byName: {}, byOutcome: {}, disturbances: {} };
  const play: Play = {
    seed,
    places: clinics.map((clinic) => ({ clinic, board: new Board(clinic.overdue) })),
    recorder,
    counts,
    faultsToCome: options.faults,
    goesOn: () =>
      (counts.operations < options.operations || play.faultsToCome > 0) && performance.now() < deadline,
    unresolved: new Map(),
  };
  const found: Anomaly[] = [];
  const organizations = clinics.map(({ id }) => id);
  const observer = observe(
    stack.databaseUrl,
    organizations,
    options.lookEveryMs ?? LOOK_EVERY_MS,
    (snapshot) => {
      found.push(...faultsOfSnapshot(snapshot).slice(0, 20));
    },
  );
  const refresh = setInterval(() => void keepSignedIn(admin).catch(() => {}), REFRESH_EVERY_MS);
  const pulse = takePulse(() => counts.operations, log);
  try {
    const plan = faultsOf(seed, options.faults, options.operations, options);
    const [inflicted] = await Promise.all([
      inflictAll(plan, play, { stack, callers, clinics, recorder }, log),
      ...callers.map((caller, worker) =>
        useUntilDone(play, caller, stepsOf(seed, worker, options, caller.via === "http")),
      ),
    ]);
    const seconds = (performance.now() - began) / 1000;
    pulse.stop();
    log(`${counts.operations} operations in ${seconds.toFixed(1)} s; recovering ${play.unresolved.size}`);
    clearInterval(refresh);
    await answers(stack);
    await settle(admin);
    const recovered = play.unresolved.size;
    await grantAll(admin, clinics, recorder);
    const unresolved = await recover(play);
    await observer.stop();
    const texts = await readNotes(play, callers);
    await recorder.close();

    log("checking");
    const final = await readFinal(stack.databaseUrl, clinics, observer.heads);
    for (const [id, text] of texts) {
      const note = final.notes.get(id);
      if (note) note.text = text;
    }
    const checker = new Checker(final);
    for (const { kind, what } of [...found, ...faultsOfSnapshot(final.snapshot)]) checker.find(kind, what);
    for await (const entry of readHistory(file)) checker.see(entry);
    checker.finish(unresolved);
    return {
      seed,
      operations: counts.operations,
      attempts: counts.attempts,
      seconds: Math.round(seconds * 10) / 10,
      faults: inflicted,
      disturbances: counts.disturbances,
      operationsByKind: counts.byName,
      answers: counts.byOutcome,
      recovered,
      snapshots: observer.snapshots,
      seals: observer.heads.length,
      rows: rowsOf(final),
      ledgerFaults: final.ledgerFaults,
      beats: pulse.beats,
      anomalies: checker.counts,
      examples: checker.anomalies,
    };
  } finally {
    pulse.stop();
    clearInterval(refresh);
    await observer.stop();
    await Promise.all(callers.map((caller) => caller.close()));
    await admin.end({ timeout: 1 });
    if (options.history === undefined) await rm(folder, { recursive: true, force: true });
  }
}

async function inflictAll(
  plan: Fault[],
  play: Play,
  target: Parameters<typeof inflict>[1],
  log: (line: string) => void,
): Promise<Partial<Record<FaultKind, number>>> {
  const inflicted: Partial<Record<FaultKind, number>> = {};
  for (const fault of plan) {
    while (play.goesOn() && play.counts.operations < fault.at) await pause(5);
    if (!play.goesOn()) break;
    // One that meets a database that still recovers from the last is no less a fault.
    const began = performance.now();
    await inflict(fault, target).catch((error) => log(`${fault.kind}: ${error}`));
    inflicted[fault.kind] = (inflicted[fault.kind] ?? 0) + 1;
    play.faultsToCome -= 1;
    const ms = Math.round(performance.now() - began);
    log(`${play.counts.operations} operations, ${play.unresolved.size} open: ${fault.kind} took ${ms} ms`);
  }
  return inflicted;
}

/** Waits until nothing runs that somebody stopped waiting for. */
async function settle(admin: Sql): Promise<void> {
  for (let tries = 0; tries < 100; tries++) {
    const [busy] = await admin<{ count: number }[]>`
      select count(*)::integer as count from pg_stat_activity
      where application_name in (${APPLICATION}, 'holdfast-api') and state <> 'idle'`.catch(() => [
      { count: 1 },
    ]);
    if (busy?.count === 0) return;
    await pause(100);
  }
}

/** Who is asked again must not be told that there is nothing. */
async function grantAll(admin: Sql, clinics: Clinic[], recorder: Recorder): Promise<void> {
  for (const clinic of clinics) {
    const request = { organization_id: clinic.id, user_id: clinic.temporary.id };
    const began = now();
    await admin`
      insert into public.user_roles (organization_id, user_id, role)
      select ${request.organization_id}, ${request.user_id}, 'internal_ops'
      where not exists (
        select from public.user_roles
        where organization_id = ${request.organization_id} and user_id = ${request.user_id} and revoked_at is null)`;
    recorder.record(ownEntry(clinic, "grant_role", request, began, "ok"));
  }
}

/** What Auth does when an app renews its token. */
async function keepSignedIn(admin: Sql): Promise<void> {
  await admin`
    update auth.sessions set refreshed_at = now() at time zone 'UTC'
    where user_id in (select id from auth.users where email like '%@torture.example')`;
}

/** What the notes say, read as their authors read them. */
async function readNotes(play: Play, callers: Caller[]): Promise<Map<string, string>> {
  const texts = new Map<string, string>();
  const asks = play.places.flatMap(({ clinic, board }) =>
    [...board.notes].flatMap(([session_id, { authors }]) =>
      [...authors].map((author) => ({
        name: "read_notes",
        request: { session_id },
        user: personOf(clinic, author),
        key: "read",
      })),
    ),
  );
  const readers = callers.filter(({ via }) => via === "http");
  await Promise.all(
    readers.map(async (caller) => {
      for (let ask = asks.pop(); ask; ask = asks.pop()) {
        const { user } = ask;
        const { data } = await caller.call(ask, UNDISTURBED);
        for (const note of (data as { notes: { id: string; author_id: string; text: string }[] })?.notes ??
          []) {
          if (note.author_id === user.id) texts.set(note.id, note.text);
        }
      }
    }),
  );
  return texts;
}

const rowsOf = ({ holds, sessions, notes, events }: Final): Report["rows"] => ({
  holds: holds.size,
  sessions: sessions.size,
  notes: notes.size,
  events: [...events.values()].reduce((sum, count) => sum + count, 0),
});

export const anomaliesIn = ({ anomalies }: Report): number =>
  ANOMALIES.reduce((sum, kind) => sum + (anomalies[kind] ?? 0), 0);
