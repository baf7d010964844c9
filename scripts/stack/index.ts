// The local stack: one call gives a server that supabase-js takes for a hosted Supabase project, without Docker and
// without a network. Postgres, the inner API server and the Edge Functions start side by side; migrations go on as an
// operator would push them.

import { rm } from "node:fs/promises";
import postgres, { type Sql } from "postgres";
import { readMasterKeys } from "../../supabase/functions/_shared/note-crypto.ts";
import { admitKeys } from "../keys.ts";
import { startClock } from "./clock.ts";
import { makeDataDir, startDatabase, type Undo, undoAll } from "./database.ts";
import { type FunctionsHost, functionNames, startFunctions } from "./functions.ts";
import { startGateway } from "./gateway.ts";
import { loadKeys, type StackKeys } from "./keys.ts";
import { applySeed } from "./migrations.ts";
import type { PostgresServer } from "./postgres.ts";
import { startRealtime } from "./realtime.ts";
import { inUse, markRunning, markStopped } from "./state.ts";
import { createTokenService } from "./tokens.ts";
import { startWatchdog } from "./watchdog.ts";

export { type FunctionsHost, startFunctions } from "./functions.ts";

export interface StackOptions {
  /** Where the database, keys and files are kept. Absent: a temporary folder, removed at stop. */
  dataDir?: string;
  /** A folder that `makeTemplate` made: a new database starts as its copy, which spares it the migrations. */
  template?: string;
  /** TCP ports on 127.0.0.1. Absent: free ones. */
  ports?: { api: number; db: number };
  /** Apply supabase/seed.sql, once per database. Default false. */
  seed?: boolean;
  /** Host the Edge Functions. Default true; a test of the database alone starts faster without. */
  functions?: boolean;
  /** Run the jobs by the clock. Default false, so that a test says itself what happens when. */
  clock?: boolean;
  /** More settings of Postgres, those that only a start can change among them. */
  settings?: Record<string, string>;
  /** Told of progress and of what the functions write, a line at a time. */
  log?: (line: string) => void;
  /** More environment for the Edge Functions, as `supabase secrets set` gives it. */
  functionsEnv?: Record<string, string>;
}

export interface Stack {
  url: string;
  publishableKey: string;
  secretKey: string;
  /** Role postgres, as migrations run: not a superuser. */
  databaseUrl: string;
  /** Role supabase_admin, the superuser. */
  adminDatabaseUrl: string;
  /** What `startFunctions` needs to host the functions a second time against this stack. */
  functionsEnv: Record<string, string>;
  /** For who puts the stack to the test: parts of it die as in a crash and come back. Each waits until it is done. */
  crash: Crash;
  /** Ends everything the stack started. May be called more than once. */
  stop(): Promise<void>;
}

export interface Crash {
  killDatabase(): Promise<void>;
  restartDatabase(): Promise<void>;
  /** Whatever the functions were doing is cut off. */
  killFunctions(): Promise<void>;
  restartFunctions(): Promise<void>;
}

/** Starts a stack and resolves when it serves. Rejects, with everything ended, when a part does not start. */
export async function startStack(options: StackOptions = {}): Promise<Stack> {
  const log = options.log ?? (() => {});
  const temporary = options.dataDir === undefined;
  const dataDir = await makeDataDir(options.dataDir);
  const busy = temporary ? undefined : await inUse(dataDir);
  if (busy) throw new Error(busy);

  // Undone in reverse order, by stop() and by a start that fails halfway.
  const undo: Undo = [];
  let stopped: Promise<void> | undefined;
  const stop = (): Promise<void> => {
    stopped ??= undoAll(undo, log);
    return stopped;
  };

  try {
    const watchdog = startWatchdog();
    undo.push(() => watchdog.release());
    if (temporary) {
      watchdog.removeAtEnd(dataDir);
      undo.push(() => rm(dataDir, { recursive: true, force: true }));
    }
    const keys = await loadKeys(dataDir);
    const gateway = await startGateway(keys, dataDir, options.ports?.api ?? 0, log);
    undo.push(() => gateway.stop());
    const functionsEnv = { ...edgeFunctionEnv(gateway.url, keys), ...options.functionsEnv };

    const startDatabaseAndBackends = async (): Promise<PostgresServer> => {
      const { template, settings } = options;
      const port = options.ports?.db;
      const { server, inner, admin } = await startDatabase(
        { dataDir, template, port, temporary, settings, watchdog, keys, log },
        undo,
      );
      await admitNoteKeys(server.databaseUrl, functionsEnv.HOLDFAST_NOTE_KEYS);
      if (options.seed && (await applySeed(admin, server.databaseUrl))) log("the seed is applied");
      await inner.reloadSchema();
      await reloadOnSchemaChange(admin, () => inner.reloadSchema());
      gateway.backends.inner = inner;
      const tokens = createTokenService(keys, `${gateway.url}/auth/v1`, admin);
      const realtime = startRealtime(keys, tokens, admin, server.adminDatabaseUrl, log);
      undo.push(() => realtime.stop());
      gateway.backends.tokens = tokens;
      gateway.backends.realtime = realtime;
      return server;
    };

    let functionsHost: FunctionsHost | undefined;
    const stopFunctionsHost = async (): Promise<void> => {
      gateway.backends.functions = undefined;
      if (!functionsHost) return;
      await functionsHost.stop();
      watchdog.unwatch(functionsHost.pid);
      functionsHost = undefined;
    };

    const startFunctionsHost = async (): Promise<void> => {
      const names = options.functions === false ? [] : await functionNames();
      if (names.length === 0) {
        gateway.backends.functions = { url: gateway.url, names };
        return;
      }
      const host = await startFunctions(functionsEnv, log);
      functionsHost = host;
      watchdog.watch(host.pid, "SIGKILL");
      gateway.backends.functions = { url: host.url, names: host.names };
      log(`${names.length} functions are served`);
    };

    const [{ databaseUrl, adminDatabaseUrl, kill, restart }] = await allSettledOrThrow(
      startDatabaseAndBackends(),
      startFunctionsHost().then(() => undo.push(stopFunctionsHost)),
    );
    const database = { databaseUrl, adminDatabaseUrl };
    if (options.clock) {
      undo.push(startClock({ ...database, url: gateway.url, secretKey: keys.secretKey, log }));
    }
    if (!temporary) {
      await markRunning(dataDir, { url: gateway.url, databaseUrl: database.databaseUrl });
      undo.push(() => markStopped(dataDir));
    }
    return {
      url: gateway.url,
      publishableKey: keys.publishableKey,
      secretKey: keys.secretKey,
      ...database,
      functionsEnv,
      crash: {
        killDatabase: kill,
        restartDatabase: restart,
        killFunctions: stopFunctionsHost,
        restartFunctions: startFunctionsHost,
      },
      stop,
    };
  } catch (error) {
    await stop();
    throw error;
  }
}

/** The environment hosted gives every Edge Function, as far as it concerns access, and the secrets an operator sets. */
function edgeFunctionEnv(url: string, keys: StackKeys): Record<string, string> {
  return {
    SUPABASE_URL: url,
    SUPABASE_PUBLISHABLE_KEYS: JSON.stringify({ default: keys.publishableKey }),
    SUPABASE_SECRET_KEYS: JSON.stringify({ default: keys.secretKey }),
    SUPABASE_JWKS: JSON.stringify(keys.jwks),
    HOLDFAST_NOTE_KEYS: keys.noteKeys,
  };
}

/** What an operator does with `npm run keys -- admit`. */
async function admitNoteKeys(databaseUrl: string, secret: string | undefined): Promise<void> {
  const sql = postgres(databaseUrl, { max: 1, onnotice: () => {} });
  try {
    await admitKeys(sql, readMasterKeys(secret));
  } finally {
    await sql.end();
  }
}

/** Waits for both even if one fails, so that whatever started can be ended. */
async function allSettledOrThrow<A, B>(first: Promise<A>, second: Promise<B>): Promise<[A, B]> {
  const [a, b] = await Promise.allSettled([first, second]);
  if (a.status === "rejected") throw a.reason;
  if (b.status === "rejected") throw b.reason;
  return [a.value, b.value];
}

async function reloadOnSchemaChange(admin: Sql, reload: () => Promise<void>): Promise<void> {
  await admin.listen("pgrst", (payload) => {
    if (payload === "" || payload === "reload schema") void reload().catch(() => {});
  });
}
