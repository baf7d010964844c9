// The plans that the server ran, as auto_explain writes them to its log: each statement's, those inside functions and of
// foreign keys included, under the role and the settings that it ran with, and with the rows that each step gave.

import { createReadStream } from "node:fs";
import { open } from "node:fs/promises";
import { setTimeout } from "node:timers/promises";
import type { Sql } from "postgres";

export interface PlanNode {
  "Node Type": string;
  "Parent Relationship"?: string;
  "Join Type"?: string;
  Schema?: string;
  "Relation Name"?: string;
  Alias?: string;
  "Index Name"?: string;
  "Index Cond"?: string;
  "Recheck Cond"?: string;
  Filter?: string;
  "Join Filter"?: string;
  "Function Name"?: string;
  "CTE Name"?: string;
  "Subplan Name"?: string;
  "Plan Rows": number;
  "Actual Rows": number;
  "Actual Loops": number;
  "Rows Removed by Filter"?: number;
  "Rows Removed by Index Recheck"?: number;
  Plans?: PlanNode[];
}

export interface Captured {
  /** As in pg_stat_statements. */
  queryId: string;
  text: string;
  /** The functions it ran in, the innermost first; none for what an app or a test sent. */
  within: string[];
  /** Who was connected: `postgres` is an operator or a job, `supabase_admin` the API. */
  login: string;
  plan: PlanNode;
}

/** What a server must be started with. */
export const captureSettings = {
  shared_preload_libraries: "pg_stat_statements,auto_explain",
  "pg_stat_statements.track": "all",
  "pg_stat_statements.track_utility": "off",
  log_line_prefix: "%m [%p] %u ",
  "auto_explain.log_format": "json",
  "auto_explain.log_verbose": "on",
  "auto_explain.log_analyze": "on",
  "auto_explain.log_timing": "off",
  "auto_explain.log_nested_statements": "on",
  "auto_explain.log_parameter_max_length": "0",
};

/** From here on every plan is logged, and counted anew. */
export async function startCapture(admin: Sql): Promise<void> {
  await admin`create extension if not exists pg_stat_statements schema extensions`;
  await switchCapture(admin, "0");
  await admin`select extensions.pg_stat_statements_reset()`;
}

/** Returns once the log is written to its end. */
export async function stopCapture(admin: Sql, logFile: string): Promise<void> {
  await switchCapture(admin, "-1");
  const end = "the capture has ended";
  await admin.unsafe(`do $$ begin raise log '${end}'; end $$`);
  while (!(await tailOf(logFile)).includes(end)) await setTimeout(20);
}

async function tailOf(file: string): Promise<string> {
  const handle = await open(file);
  try {
    const { size } = await handle.stat();
    const tail = Buffer.alloc(Math.min(size, 1000));
    await handle.read(tail, 0, tail.length, size - tail.length);
    return tail.toString("utf8");
  } finally {
    await handle.close();
  }
}

async function switchCapture(admin: Sql, minDuration: "0" | "-1"): Promise<void> {
  await admin.unsafe(`alter system set "auto_explain.log_min_duration" = ${minDuration}`);
  await admin`select pg_reload_conf()`;
  for (;;) {
    const [row] = await admin`select current_setting('auto_explain.log_min_duration') as now`;
    if (row?.now === minDuration) return;
  }
}

const entry = /^\S+ \S+ \S+ \[\d+\] (\S*) (\w+): {2}/;
const planned = /^duration: \S+ ms {2}plan:\n/;

/** All that the log has. A plan that cannot be read is an error. */
export async function readCaptured(logFile: string): Promise<Captured[]> {
  const captured: Captured[] = [];
  let unread: { login: string; json: string } | undefined;
  for await (const message of messagesOf(logFile)) {
    const [head, login = "", kind] = entry.exec(message) ?? [""];
    const text = message.slice(head.length);
    if (unread) captured.push(capturedOf(unread.login, unread.json, kind === "CONTEXT" ? text : ""));
    const json = text.replace(planned, "");
    unread = json === text ? undefined : { login, json };
  }
  return captured;
}

/** The log's messages, each with the lines that belong to it. */
async function* messagesOf(logFile: string): AsyncGenerator<string> {
  let rest = "";
  for await (const chunk of createReadStream(logFile, { encoding: "utf8", highWaterMark: 1 << 20 })) {
    const messages = (rest + chunk).split(/\n(?=\d{4}-\d\d-\d\d \d\d:)/);
    rest = messages.pop() ?? "";
    yield* messages;
  }
  // The last one is that the capture has ended.
}

function capturedOf(login: string, json: string, context: string): Captured {
  const { Plan, ...rest } = JSON.parse(json) as { Plan: PlanNode } & Record<string, unknown>;
  return {
    // A 64-bit number, which JSON.parse would round.
    queryId: /"Query Identifier": (-?\d+)/.exec(json)?.[1] ?? "",
    text: String(rest["Query Text"]),
    within: [...context.matchAll(/^\t?(?:PL\/pgSQL|SQL) function "?([\w.]+)"?/gm)].map(([, name]) =>
      String(name),
    ),
    login,
    plan: Plan,
  };
}

/** Every node of a plan, the root first, each with those above it, the nearest first. */
export function* nodesOf(node: PlanNode, above: PlanNode[] = []): Generator<[PlanNode, PlanNode[]]> {
  yield [node, above];
  for (const child of node.Plans ?? []) yield* nodesOf(child, [node, ...above]);
}
