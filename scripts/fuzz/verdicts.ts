// What an answer may be. Everything else is a finding.

import { PROBLEM_CODES, type Problem, problemFromRefusal, problemSchema } from "../../src/lib/problems.ts";
import { marksIn } from "../../supabase/tests/leaks/scan.ts";
import type { World } from "./world.ts";

export interface Finding {
  target: string;
  what: string;
  /** As whom, and what was sent: enough to send it again. */
  caller: string;
  sent: string;
  /** What came back, or was seen. */
  seen: string;
}

/** How an answer ended. */
export type Outcome = "done" | "refused" | "unheard";

/** What no answer may say: where the code is, what the database said, what a statement was. */
const INTERNALS =
  /PL\/pgSQL|SQLSTATE|\bat [^ ]+\.[jt]s:\d|\bat .{1,80}\(.{1,200}:\d+:\d+\)|node_modules|\/supabase\/functions|violates|relation "|syntax error|pg_catalog|duplicate key|Key \(|stack depth|deno:/i;
const UUID = /[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}/gi;

/** What is wrong with a success: it shows what is of the other clinic. */
export function faultsOfSuccess(answer: string, sent: string, { foreign }: World): string[] {
  const shown = new Set(answer.match(UUID) ?? []);
  const theirs = [...foreign.ids.values(), Object.values(foreign.people)].flat();
  const sentToo = sent.toLowerCase();
  const leaked = theirs.filter((id) => shown.has(id) && !sentToo.includes(id));
  return [
    ...(leaked.length > 0 ? ["shows ids of another tenant"] : []),
    ...(answer.includes(foreign.word) ? ["shows PHI of another tenant"] : []),
  ];
}

/** What is wrong with a refusal in the form in which RPCs answer it. */
export function faultsOfRefusal(refusal: unknown): string[] {
  const text = JSON.stringify(refusal);
  const { code } = refusal as { code?: string };
  if (!PROBLEM_CODES.includes(code as never)) return ["a code that is not in the catalogue"];
  try {
    const problem: object = problemFromRefusal(refusal as { code: string });
    const lost = Object.entries(refusal as object).filter(
      ([name, value]) => value !== null && !(name in problem),
    );
    return [
      ...lost.map(([name]) => `a member that is not documented: ${name}`),
      ...faultsOfText(text),
      ...faultsOfCode(code),
    ];
  } catch {
    return ["a problem of another shape than is documented"];
  }
}

/** What is wrong with a problem as an Edge Function answers it. */
export function faultsOfProblem(answer: string, status: number, type: string | null): string[] {
  const parsed = problemSchema.safeParse(jsonOf(answer));
  if (!parsed.success) return [`${status} with a body that is no problem`];
  const problem: Problem = parsed.data;
  return [
    ...(problem.status === status ? [] : [`${problem.code} with the status ${status}`]),
    ...(type?.startsWith("application/problem+json") ? [] : [`a problem as ${type}`]),
    ...faultsOfText(answer),
    ...faultsOfCode(problem.code),
  ];
}

/** Where one caller at a time asks of a system that is well, neither is ever right. */
const faultsOfCode = (code?: string): string[] =>
  code === "internal_error" || code === "unavailable" ? [`answers ${code}`] : [];

export function faultsOfText(text: string): string[] {
  return [
    ...(INTERNALS.test(text) ? [`says what is inside: ${INTERNALS.exec(text)?.[0]}`] : []),
    ...marksIn(text).map((mark) => `says PHI or repeats the request: ${mark}`),
  ];
}

/**
 * What is wrong with an error that was raised, and not answered: an RPC that takes a request never does, and what was raised
 * while the arguments were read, before any code of ours, only if it is no fault of theirs.
 */
export function faultsOfError(error: { code?: string; message: string; where?: string }): string[] {
  const { code = "none", message, where = "" } = error;
  if (code === "57014") return ["does not end in time"];
  // No grant: PostgREST answers 401 or 403.
  if (code === "42501") return [];
  const isInside = /function/.test(where);
  // Jobs are started by name, by who runs the project.
  if (/function run_job|app\.run_job/.test(where) && code === "22023") return [];
  // JSON that Postgres cannot read or hold; a value that is not of the argument's type. Ours has not run.
  if (!isInside && /^(22|54)/.test(code)) return [];
  return [`raises ${code}: ${message.slice(0, 120)}`];
}

export function jsonOf(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return undefined;
  }
}
