// The inner server: Auth, REST and Storage as @supabase/lite implements them, on the stack's Postgres. It is alpha and
// for development only; the gateway in front of it gives what it lacks.

import { AsyncLocalStorage } from "node:async_hooks";
import { join } from "node:path";
import { App, setExperimental } from "@supabase/lite";
import { createPostgresConnection } from "@supabase/lite/postgres";
import type { StackKeys } from "./keys.ts";
import { filesystemStorage } from "./storage.ts";

export interface InnerServer {
  /** Creates what it needs in the schemas auth and storage. */
  ensureSystemSchema(): Promise<void>;
  fetch(request: Request): Promise<Response>;
  /** Forgets what it knows of tables and functions, as PostgREST does on `notify pgrst, 'reload schema'`. */
  reloadSchema(): Promise<void>;
  stop(): Promise<void>;
}

/** Seconds an access token lives, as in supabase/config.toml. */
export const jwtExpirySeconds = 900;

// The inner server hands JSON over as text already; the driver's own serializer would make a JSON string of it.
const json = (oid: number) => ({
  to: oid,
  from: [oid],
  serialize: (value: unknown) => (typeof value === "string" ? value : JSON.stringify(value)),
  parse: (text: string) => JSON.parse(text),
});

// PostgREST has Postgres make JSON of the rows, which writes moments by ISO 8601; the inner server takes the driver's text.
const moment = (oid: number) => ({
  to: oid,
  from: [oid],
  serialize: (value: unknown) => value,
  parse: (text: string) => text.replace(" ", "T").replace(/([+-]\d\d)$/, "$1:00"),
});

/** What REST requests see, as PostgREST sets it from `api.extra_search_path`. */
const searchPath = "public, extensions";

/**
 * A connection that is cut at the wrong moment can leave the driver waiting for ever. No statement takes as long as this:
 * then the driver is given up, and the next request has a new one.
 */
const driverDeadlineMs = 20_000;

export function createInnerServer(
  adminDatabaseUrl: string,
  keys: StackKeys,
  dataDir: string,
  log: (line: string) => void,
  deadlineMs = driverDeadlineMs,
): InnerServer {
  let current = build(adminDatabaseUrl, keys, dataDir);
  const ending: Promise<unknown>[] = [];

  /** What asks the database answers in time, or the driver is renewed. */
  async function answer(request: Request, call: Call): Promise<Response> {
    const used = current;
    const answered = used.app.fetch(request);
    if (!new URL(request.url).pathname.startsWith("/rest/")) {
      return withErrorCode(await answered, call);
    }
    let timer: NodeJS.Timeout | number | undefined;
    const late = new Promise<undefined>((resolve) => {
      timer = setTimeout(resolve, deadlineMs);
    });
    const inTime = await Promise.race([answered, late]).finally(() => clearTimeout(timer));
    if (inTime) return withErrorCode(inTime, call);
    answered.catch(() => {});
    if (used === current) {
      log("inner server: its driver does not answer, and is renewed");
      ending.push(used.connection.driver.end({ timeout: 0 }));
      current = build(adminDatabaseUrl, keys, dataDir);
    }
    const message = "Timed out acquiring connection from connection pool.";
    return Response.json({ code: "PGRST003", message, details: null, hint: null }, { status: 504 });
  }

  return {
    ensureSystemSchema: () => calls.run({ log }, () => current.app.ensureSystemSchema()),
    fetch: (request) => {
      const call: Call = { log };
      return calls.run(call, () => answer(request, call));
    },
    reloadSchema: () => current.connection.clearSchemaCache(),
    // With a limit: a query whose Postgres is gone is waited for without end.
    stop: async () => {
      await Promise.all([...ending, current.connection.driver.end({ timeout: 1 })]);
    },
  };
}

function build(adminDatabaseUrl: string, keys: StackKeys, dataDir: string) {
  const connection = createPostgresConnection({
    url: adminDatabaseUrl,
    postgresOptions: {
      max: 32,
      onnotice: () => {},
      types: { json: json(114), jsonb: json(3802), timestamp: moment(1114), timestamptz: moment(1184) },
      // The time limits as PostgREST has them of its roles on hosted.
      connection: {
        application_name: "holdfast-api",
        search_path: searchPath,
        statement_timeout: 8_000,
        lock_timeout: 8_000,
      },
    },
  });
  // At its first sight of row level security it grants ALL on every table to anon and authenticated, which would undo
  // the migrations' grants. Told beforehand that the roles are in place, it leaves every ACL alone.
  Object.assign(connection, { rlsState: "active" });
  setExperimental("storage", true);
  const app = new App({
    connection,
    api: { schemas: ["public"], extra_search_path: ["public", "extensions"], max_rows: 1000 },
    // The migration history is the Supabase CLI's, and must belong to its role.
    db: { migrations: { enabled: false } },
    auth: {
      enabled: true,
      jwt_secret: keys.innerSecret,
      jwt_expiry: jwtExpirySeconds,
      publishable_key: keys.publishableKey,
      secret_key: keys.secretKey,
      enable_signup: true,
      enable_refresh_token_rotation: true,
      minimum_password_length: 12,
      email: { enable_signup: true, enable_confirmations: false },
    },
    storage: { enabled: true, file_size_limit: "50MiB" },
    studio: { enabled: false },
  });
  app._storageAdapter = filesystemStorage(join(dataDir, "storage"));
  return { connection, app };
}

interface Call {
  log: (line: string) => void;
  /** Whether the schema could not be read: the inner server takes that for a database without tables and functions. */
  isBlind?: boolean;
  /** The database's error, if the call met one. */
  refusal?: { code: string; message: string; detail?: string; hint?: string };
}

// The inner server prints every refused statement to the console, stack trace and data included. The client has the
// answer already; a test run would drown in them. Only what is printed from inside a call to it is caught.
const calls = new AsyncLocalStorage<Call>();

for (const method of ["error", "warn"] as const) {
  const print = console[method].bind(console);
  console[method] = (...values: unknown[]) => {
    const call = calls.getStore();
    if (!call) return print(...values);
    const text = values.map((value) => (value instanceof Error ? value.message : String(value))).join(" ");
    const refusal = values.find((value) => typeof (value as Partial<Call["refusal"]>)?.code === "string");
    const notice = text.startsWith("EXPERIMENTAL FEATURES ENABLED");
    if (text.startsWith("Introspection failed:")) call.isBlind = true;
    if (refusal) call.refusal = refusal as NonNullable<Call["refusal"]>;
    else if (!notice) call.log(`inner server: ${text.split("\n")[0]}`);
  };
}

/** Of the errors it does not know, exclusion and check violations among them, the inner server keeps no code. PostgREST does. */
async function withErrorCode(answer: Response, { refusal, isBlind }: Call): Promise<Response> {
  if (isBlind) {
    const message = "Could not query the database for the schema cache. Retrying.";
    return Response.json({ code: "PGRST002", message, details: null, hint: null }, { status: 503 });
  }
  const unreadable = { code: "22P02", message: "invalid input syntax", details: null, hint: null };
  // Its driver, and not the database, has seen that an argument is not of its type.
  if (refusal && /^(ERR_|MAX_PARAMETERS)/.test(refusal.code))
    return Response.json(unreadable, { status: 400 });
  if (answer.status !== 500) return answer;
  const body: { code?: unknown; message?: unknown } = await answer
    .clone()
    .json()
    .catch(() => ({}));
  if (body.code !== "SUP") return answer;
  if (!refusal) {
    // It has stumbled over a value itself, before the database saw it.
    const stumbled = String(body.message).startsWith("TypeError: ");
    return stumbled ? Response.json(unreadable, { status: 400 }) : answer;
  }
  const { code, message, detail = null, hint = null } = refusal;
  // The driver's own words for a database that does not answer (ECONNREFUSED, EPIPE) are no SQLSTATE, which has a digit.
  if (!/^(?=.*\d)[0-9A-Z]{5}$/.test(code)) {
    const noAnswer = "Could not connect with the database due to an internal error.";
    return Response.json({ code: "PGRST001", message: noAnswer, details: null, hint: null }, { status: 503 });
  }
  return Response.json({ code, message, details: detail, hint }, { status: statusOf(code) });
}

/** PostgREST's table of HTTP statuses, for the classes that the inner server leaves out. */
function statusOf(sqlstate: string): number {
  if (sqlstate.startsWith("53")) return 503;
  return /^(08|09|25|28|2D|38|39|3B|40|54|55|57|58|F0|HV|XX)/.test(sqlstate) ? 500 : 400;
}
