// `npm run bench -- http`: a booking from end to end, and where each millisecond of it goes.
//
// The gateway runs in this process, so Node itself says when a request came in and when its answer was out: of a function's
// request, of what the gateway asks the functions' host, and of the RPC that comes back. One request is made at a time, so that each
// of these moments belongs to it. The statement's time is Postgres' own (pg_stat_statements).

import { subscribe, unsubscribe } from "node:diagnostics_channel";
import type { ClientRequest, IncomingMessage } from "node:http";
import postgres from "postgres";
import type { Size } from "./benchmark.ts";
import { machineLine, prepareServer, progress, spread, withStack } from "./harness.ts";
import type { Parts, Report } from "./http-report.ts";
import { type Answer, type Asker, type Job, prepareHttp, startAsker } from "./http-setup.ts";

const warmUp = 20;

export async function runHttp({ rows, repetitions }: Size): Promise<Report> {
  return withStack(async (stack) => {
    await prepareServer(stack.adminDatabaseUrl);
    progress(`making ${rows.toLocaleString("en")} sessions`);
    const { target } = await prepareHttp(stack, rows, 1);
    const admin = postgres(stack.adminDatabaseUrl, { max: 1, onnotice: () => {} });
    const asker = await startAsker(target);
    try {
      await admin`create extension if not exists pg_stat_statements with schema extensions`;
      const run = (what: Extract<Job, { kind: "one by one" }>["what"], calls: number) =>
        listen(asker, { kind: "one by one", what, calls });
      progress("warming up");
      for (const what of ["book", "bad body", "nobody"] as const) await run(what, warmUp);
      progress("booking");
      await admin`select extensions.pg_stat_statements_reset()`;
      const booked = await run("book", repetitions);
      const statements = await admin<{ name: string; ms: number; calls: number }[]>`
        select case when query ~* 'hold_sessions' then 'hold' else 'confirm' end as name,
          sum(total_exec_time) as ms, sum(calls)::integer as calls
        from extensions.pg_stat_statements
        where query ~* '(hold|confirm)_sessions' and toplevel
        group by 1`;
      const sql = (name: string): number => {
        const it = statements.find((one) => one.name === name);
        if (!it || it.calls < repetitions)
          throw new Error(`Postgres counted ${it?.calls ?? 0} calls of ${name}`);
        return it.ms / it.calls;
      };
      progress("being refused");
      const [badBody, nobody] = [await run("bad body", repetitions), await run("nobody", repetitions)];
      expectStatuses(badBody, 422);
      expectStatuses(nobody, 401);
      const function_ = (timed: Timed[]): number => mean(timed.map(({ host }) => host));
      // Of a refused request the function does just so much: without a token nothing, with one and a bad body the proof of it.
      const handling = function_(nobody);
      const verifying = Math.max(0, function_(badBody) - handling);
      const operations = (["hold", "confirm"] as const).map((operation) => {
        const timed = booked.filter(({ answer }) => answer.operation === operation);
        expectStatuses(timed, operation === "hold" ? 201 : 200);
        const of = (pick: (it: Timed) => number): number => mean(timed.map(pick));
        const parts: Parts = {
          client: of(({ answer, gateway }) => answer.ms - gateway),
          gateway: of(({ gateway, host }) => gateway - host),
          handling,
          verifying,
          asking: of(({ host, rpc }) => host - rpc) - handling - verifying,
          rest: of(({ rpc }) => rpc) - sql(operation),
          sql: sql(operation),
        };
        return {
          operation,
          ms: spread(timed.map(({ answer }) => answer.ms)),
          mean: of(({ answer }) => answer.ms),
          parts,
        };
      });
      return { machine: await machineLine(admin), repetitions, operations };
    } finally {
      asker.stop();
      await admin.end();
    }
  }, {});
}

const mean = (values: number[]): number => values.reduce((sum, value) => sum + value, 0) / values.length;

/** Milliseconds of one request. */
interface Timed {
  answer: Answer;
  /** From the request's arrival at the gateway until its answer is out. */
  gateway: number;
  /** Of that, the time of the functions' host. */
  host: number;
  /** Of that, the time of the RPC at the gateway's other door. */
  rpc: number;
}

function expectStatuses(timed: Timed[], status: number): void {
  const other = timed.find(({ answer }) => answer.status !== status);
  if (timed.length === 0 || other) throw new Error(`not ${status}: ${JSON.stringify(other?.answer)}`);
}

/** Runs a job and puts to each answer what this process saw of it. */
async function listen(asker: Asker, job: Extract<Job, { kind: "one by one" }>): Promise<Timed[]> {
  const seen: Omit<Timed, "answer">[] = [];
  const open = new Map<object, number>();
  let current = { gateway: 0, host: 0, rpc: 0 };
  const begin = (message: unknown): void => {
    const { request } = message as { request: IncomingMessage | ClientRequest };
    if ("url" in request && request.url?.startsWith("/functions/")) current = { gateway: 0, host: 0, rpc: 0 };
    open.set(request, performance.now());
  };
  const end = (message: unknown): void => {
    const { request } = message as { request: IncomingMessage | ClientRequest };
    const took = performance.now() - (open.get(request) ?? Number.NaN);
    open.delete(request);
    if (!("url" in request)) current.host = took;
    else if (request.url?.startsWith("/rest/")) current.rpc = took;
    else if (request.url?.startsWith("/functions/")) seen.push({ ...current, gateway: took });
  };
  const channels: [string, typeof begin][] = [
    ["http.server.request.start", begin],
    ["http.client.request.start", begin],
    ["http.server.response.finish", end],
    ["http.client.response.finish", end],
  ];
  for (const [name, listener] of channels) subscribe(name, listener);
  try {
    const answers = await asker.run(job);
    if (answers.length !== seen.length)
      throw new Error(`${answers.length} answers to ${seen.length} requests`);
    return answers.map((answer, at) => ({ answer, ...(seen[at] ?? current) }));
  } finally {
    for (const [name, listener] of channels) unsubscribe(name, listener);
  }
}
