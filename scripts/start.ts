// `npm start`: the interactive stack, on fixed ports, with the seeded clinic; what is changed in it stays until
// `npm run reset`. Progress goes to stderr, what one wants to copy goes to stdout.

import postgres from "postgres";
import { argumentsOf } from "./arguments.ts";
import { type PageServer, servePage } from "./page/server.ts";
import { type Stack, startStack } from "./stack/index.ts";
import { persistentDataDir } from "./stack/paths.ts";
import { isPortFree, portHolder } from "./stack/ports.ts";
import { clusterName } from "./stack/postgres.ts";
import { inUse, isForeign, stackHealth } from "./stack/state.ts";

// Those of `supabase start`, so that an app's settings serve both; the environment may name others.
const ports = {
  api: Number(process.env.HOLDFAST_API_PORT ?? 54321),
  db: Number(process.env.HOLDFAST_DB_PORT ?? 54322),
};
const pagePort = Number(process.env.HOLDFAST_PAGE_PORT ?? 54323);

argumentsOf(
  "Usage: npm start. HOLDFAST_API_PORT, HOLDFAST_DB_PORT, HOLDFAST_PAGE_PORT and HOLDFAST_DATA_DIR choose where.\n",
  {},
);

/** The password of every login in supabase/seed.sql. */
const seedPassword = "holdfast-demo";

const started = performance.now();
const progress = (line: string): void => {
  const seconds = ((performance.now() - started) / 1000).toFixed(1);
  process.stderr.write(`${seconds.padStart(6)} s  ${line}\n`);
};

await main();

async function main(): Promise<void> {
  const obstacles = await findObstacles();
  if (obstacles.length > 0) {
    for (const obstacle of obstacles) process.stderr.write(`${obstacle}\n`);
    process.exit(1);
  }
  let stack: Stack | undefined;
  let page: PageServer | undefined;
  let interrupted = false;
  const end = async (): Promise<void> => {
    if (interrupted) return;
    interrupted = true;
    // Before the stack is up there is nothing to end in order: its watchdog ends what has started.
    await page?.stop();
    await stack?.stop();
    progress("stopped");
    process.exit(0);
  };
  for (const signal of ["SIGINT", "SIGTERM", "SIGHUP"] as const) process.on(signal, () => void end());

  try {
    const receiver = process.env.HOLDFAST_WEBHOOK_TEST_RECEIVER;
    stack = await startStack({
      dataDir: persistentDataDir,
      ports,
      seed: true,
      clock: true,
      log: progress,
      // The local functions reach nothing but this machine: with this, webhooks go to a receiver on it (docs/webhooks.md).
      ...(receiver && { functionsEnv: { HOLDFAST_WEBHOOK_TEST_RECEIVER: receiver } }),
    });
    page = await servePage(stack, pagePort);
  } catch (error) {
    process.stderr.write(`${error instanceof Error ? error.message : String(error)}\n`);
    process.exit(1);
  }
  progress("ready");
  process.stdout.write(await describe(stack, page));
}

/** What keeps the stack from starting, in sentences. */
async function findObstacles(): Promise<string[]> {
  const busy = await inUse(persistentDataDir);
  if (busy) return [`Already running: ${busy}. Stop it first (Ctrl-C where it runs).`];
  if (await isForeign(persistentDataDir)) {
    return [
      `${persistentDataDir} has files that npm start did not put there: HOLDFAST_DATA_DIR names an empty folder, or none yet.`,
    ];
  }
  const taken = await Promise.all([
    portObstacle(ports.api, "API", "HOLDFAST_API_PORT"),
    portObstacle(ports.db, "database", "HOLDFAST_DB_PORT"),
    portObstacle(pagePort, "page", "HOLDFAST_PAGE_PORT"),
  ]);
  return taken.filter((obstacle) => obstacle !== undefined);
}

async function portObstacle(port: number, use: string, variable: string): Promise<string | undefined> {
  if (!Number.isInteger(port) || port < 1 || port > 65_535) {
    return `${variable} is no port: a whole number from 1 to 65535.`;
  }
  if (await isPortFree(port)) return undefined;
  const other = await stackHealth(`http://127.0.0.1:${port}`);
  if (other) {
    return `Port ${port} (${use}) is taken by another Holdfast stack, process ${other.pid}, on ${other.dataDir}.`;
  }
  const holder = await portHolder(port);
  if (!holder) return `Port ${port} (${use}) is taken by a process this user may not see.`;
  const ours = holder.command.includes(`cluster_name=${clusterName}`) ? " another Holdfast stack's" : "";
  return `Port ${port} (${use}) is taken by${ours} process ${holder.pid}: ${holder.command.slice(0, 200)}`;
}

async function describe(stack: Stack, page: PageServer): Promise<string> {
  const lines = [
    "",
    `URL              ${stack.url}`,
    `Publishable key  ${stack.publishableKey}`,
    `Secret key       ${stack.secretKey}`,
    `Database URL     ${stack.databaseUrl}`,
    `Page             ${page.url}`,
  ];
  const logins = await seededLogins(stack);
  if (logins.length > 0) {
    const width = Math.max(...logins.map(({ role }) => role.length));
    lines.push("", `Logins (password ${seedPassword}):`);
    for (const { role, email } of logins) lines.push(`  ${role.padEnd(width)}  ${email}`);
  }
  // A scheduler sees the seeded sessions.
  const email =
    logins.find(({ role }) => role === "internal_ops")?.email ?? logins[0]?.email ?? "you@example.test";
  // On a Node without WebSocket of its own, supabase-js refuses to start unless it is given one.
  const needsWs = typeof globalThis.WebSocket === "undefined";
  lines.push(
    "",
    ...(needsWs ? ['import ws from "ws";'] : []),
    'import { createClient } from "@supabase/supabase-js";',
    `const supabase = createClient("${stack.url}", "${stack.publishableKey}"${needsWs ? ", { realtime: { transport: ws } }" : ""});`,
    `await supabase.auth.signInWithPassword({ email: "${email}", password: "${seedPassword}" });`,
    'const { data, error } = await supabase.from("sessions").select("id, start_time, end_time, status").limit(5);',
    "console.log(error ?? data);",
    "",
    "Ctrl-C stops it; the data stays. `npm run reset` removes the data.",
    "",
  );
  return `${lines.join("\n")}\n`;
}

interface Login {
  role: string;
  email: string;
}

/** Who can sign in, one line a user, read from the database so that it is true after the seed has changed. */
async function seededLogins(stack: Stack): Promise<Login[]> {
  const sql = postgres(stack.adminDatabaseUrl, { max: 1, onnotice: () => {} });
  try {
    const [known] = await sql`select to_regclass('public.user_roles') is not null as known`;
    if (!known?.known) return [];
    return await sql<Login[]>`
      select string_agg(distinct r.role, ', ' order by r.role) as role, u.email
      from auth.users u
      join public.user_roles r on r.user_id = u.id
      where r.revoked_at is null and u.email is not null
      group by u.id, u.email
      order by min(r.role), u.email
      limit 40
    `;
  } finally {
    await sql.end();
  }
}
