// The plans that the server ran, as auto_explain writes them to its log: each statement's, those inside functions and of
// foreign keys included, under the role and the settings that it ran with, and with the rows that each step gave.

import { createReadStream } from "node:fs";
import { createInterface } from "node:readline";
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
  await switchCapture(admin, 0);
  await admin`select extensions.pg_stat_statements_reset()`;
}

export async function stopCapture(admin: Sql): Promise<void> {
  await switchCapture(admin, -1);
}

async function switchCapture(admin: Sql, minDuration: 0 | -1): Promise<void> {
  await admin.unsafe(`alter system set "auto_explain.log_min_duration" = ${minDuration}`);
  await admin`select pg_reload_conf()`;
}

const entry = /^\d{4}-\d\d-\d\d \S+ \S+ \[\d+\] (\S*) (\w+): {2}(.*)$/;

/** All that the log has. A pipe carries it, whole messages at a time: one that cannot be read is an error. */
export async function readCaptured(logFile: string): Promise<Captured[]> {
  const captured: Captured[] = [];
  let login = "";
  let json: string[] | undefined;
  let context: string[] | undefined;
  const finish = (): void => {
    if (json) captured.push(capturedOf(login, json.join("\n"), context ?? []));
    json = undefined;
    context = undefined;
  };
  for await (const line of createInterface({ input: createReadStream(logFile), crlfDelay: Infinity })) {
    const [, user = "", kind, message = ""] = entry.exec(line) ?? [];
    if (kind === "CONTEXT" && json) context = [message];
    else if (kind !== undefined) {
      finish();
      login = user;
      if (/^duration: \S+ ms {2}plan:$/.test(message)) json = [];
    } else if (context) context.push(line);
    else json?.push(line);
  }
  finish();
  return captured;
}

function capturedOf(login: string, json: string, context: string[]): Captured {
  const { Plan, ...rest } = JSON.parse(json) as { Plan: PlanNode } & Record<string, unknown>;
  return {
    // A 64-bit number, which JSON.parse would round.
    queryId: /"Query Identifier": (-?\d+)/.exec(json)?.[1] ?? "",
    text: String(rest["Query Text"]),
    within: context.flatMap((line) => {
      const [, name] = /(?:PL\/pgSQL|SQL) function "?([\w.]+)"?/.exec(line) ?? [];
      return name ? [name] : [];
    }),
    login,
    plan: Plan,
  };
}

/** Every node of a plan, the root first, each with those above it, the nearest first. */
export function* nodesOf(node: PlanNode, above: PlanNode[] = []): Generator<[PlanNode, PlanNode[]]> {
  yield [node, above];
  for (const child of node.Plans ?? []) yield* nodesOf(child, [node, ...above]);
}
