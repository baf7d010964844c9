// The faults: what befalls the whole stack while its users go on.

import { mkdtemp, open, rm } from "node:fs/promises";
import { connect, type Socket } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import postgres, { type Sql } from "postgres";
import type { Stack } from "../stack/index.ts";
import { APPLICATION, type Caller } from "./callers.ts";
import { now, type Outcome, ownEntry, type Recorder } from "./history.ts";
import type { Fault, FaultKind } from "./plan.ts";
import { pause } from "./users.ts";
import type { Clinic } from "./world.ts";

export interface Target {
  stack: Stack;
  callers: Caller[];
  clinics: Clinic[];
  recorder: Recorder;
}

/** Does what the fault says and waits until it is over; what it was told to break may still be recovering. */
export async function inflict(fault: Fault, target: Target): Promise<void> {
  const admin = postgres(target.stack.adminDatabaseUrl, { max: 1, onnotice: () => {}, connect_timeout: 5 });
  try {
    await FAULTS[fault.kind](fault, target, admin);
  } finally {
    await admin.end({ timeout: 0 });
  }
}

type Inflict = (fault: Fault, target: Target, admin: Sql) => Promise<void>;

const FAULTS: Record<FaultKind, Inflict> = {
  kill_postgres: async ({ ms }, { stack }) => {
    await stack.crash.killDatabase();
    await pause(ms / 10);
    await stack.crash.restartDatabase();
  },

  kill_backend: async ({ share }, { stack }, admin) => {
    const backends = await admin<{ pid: number }[]>`
      select pid from pg_stat_activity where application_name = ${APPLICATION} order by pid`;
    const victim = backends[Math.floor(share * backends.length)];
    if (!victim) return;
    process.kill(victim.pid, "SIGKILL");
    await answers(stack);
  },

  kill_functions: async ({ ms }, { stack }) => {
    await stack.crash.killFunctions();
    await pause(ms / 10);
    await stack.crash.restartFunctions();
  },

  end_connections: async (_, __, admin) => {
    await admin`
      select pg_terminate_backend(pid) from pg_stat_activity where application_name = ${APPLICATION} and pid % 2 = 0`;
  },

  cut_network: async (_, { callers }) => {
    for (const caller of callers) caller.cut();
  },

  exhaust_connections: async ({ ms }, { stack }, admin) => {
    const [limit] = await admin<
      { most: number }[]
    >`select current_setting('max_connections')::integer as most`;
    const sockets: Socket[] = [];
    // Nobody answers the server's question for a password: each takes a place all the same.
    for (let taken = 0; taken < (limit?.most ?? 0); taken++)
      sockets.push(askForConnection(stack.databaseUrl));
    await pause(300);
    // Who is in stays in, so some have to come again.
    await admin`
      select pg_terminate_backend(pid) from pg_stat_activity where application_name = ${APPLICATION} and pid % 2 = 1`;
    await pause(ms);
    for (const socket of sockets) socket.destroy();
  },

  slow_disk: async ({ ms }, _, admin) => {
    const folder = await mkdtemp(join(tmpdir(), "holdfast-slow-disk-"));
    const file = await open(join(folder, "ballast"), "w");
    const chunk = Buffer.alloc(8 << 20, 1);
    const until = performance.now() + ms;
    try {
      for (let written = 0; performance.now() < until; written = (written + 1) % 32) {
        await file.write(chunk, 0, chunk.length, written * chunk.length);
        await file.sync();
        if (written % 8 === 0) await admin`checkpoint`;
      }
    } finally {
      await file.close();
      await rm(folder, { recursive: true, force: true });
    }
  },

  clock: async ({ clinic }, { clinics, recorder }, admin) => {
    const jumped = clinics[clinic] as Clinic;
    const began = now();
    // As the owner and by the table's triggers; queued like any writer, as if it had happened between two calls.
    const jump = () => admin`
      with queue as materialized (
        select app.lock_subjects(array_agg(subject)) from (
          select id from public.therapists where organization_id = ${jumped.id}
          union select id from public.clients where organization_id = ${jumped.id}
          union select id from public.rooms where organization_id = ${jumped.id}) it (subject))
      update public.session_holds hold set expires_at = clock_timestamp() - interval '1 second'
      from queue
      where hold.organization_id = ${jumped.id} and hold.status = 'held' and hold.expires_at > clock_timestamp()`;
    let outcome: Outcome = "ok";
    await jump().catch(() => {
      outcome = "unknown";
    });
    recorder.record(ownEntry(jumped, "clock", {}, began, outcome));
  },
};

/** Asks for a connection as role postgres, and says no more. */
function askForConnection(databaseUrl: string): Socket {
  const socket = connect(Number(new URL(databaseUrl).port), "127.0.0.1");
  socket.on("error", () => {});
  const body = Buffer.from("user\0postgres\0database\0postgres\0\0");
  const head = Buffer.alloc(8);
  head.writeInt32BE(8 + body.length, 0);
  head.writeInt32BE(196_608, 4);
  socket.write(Buffer.concat([head, body]));
  return socket;
}

/** Waits until Postgres takes questions again. */
export async function answers(stack: Stack): Promise<void> {
  for (let tries = 0; tries < 300; tries++) {
    const sql = postgres(stack.adminDatabaseUrl, { max: 1, onnotice: () => {}, connect_timeout: 2 });
    try {
      await sql`select 1`;
      return;
    } catch {
      await pause(100);
    } finally {
      await sql.end({ timeout: 0 });
    }
  }
  throw new Error("Postgres does not come back");
}
