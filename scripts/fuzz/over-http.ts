// Edge Functions and RPCs over HTTP: requests by their contracts and what is made of them, and raw bytes.

import fc from "fast-check";
import type { Sql } from "postgres";
import { type Caller, callersOf, tokenOf } from "./callers.ts";
import { differences, digestOf } from "./digest.ts";
import { type Answer, exchange, type Sent } from "./http.ts";
import { requestsOf, requestsOfNames, textsOf } from "./requests.ts";
import { rpcCases } from "./rpc-cases.ts";
import type { Target } from "./stack.ts";
import type { Tally } from "./tally.ts";
import type { EdgeFunction, Rpc } from "./targets.ts";
import { hostile, toText } from "./values.ts";
import {
  faultsOfProblem,
  faultsOfRefusal,
  faultsOfSuccess,
  faultsOfText,
  jsonOf,
  type Outcome,
} from "./verdicts.ts";
import type { World } from "./world.ts";

const BATCH = 10;
/** Functions give up on the database after ten seconds; who delivers webhooks goes on claiming for thirty. */
const DEADLINE_MS = 60_000;
/** Of more than this a gateway refuses to read on. */
const LARGE = 200_000;

interface HttpCase {
  target: string;
  isFunction: boolean;
  caller: Caller;
  method: string;
  headers: [string, string][];
  body: Buffer;
  framing?: Sent["framing"];
}

/** Makes so many calls of each function and RPC, and finds what a refused one wrote. */
export async function fuzzOverHttp(
  sql: Sql,
  stack: Target,
  world: World,
  targets: readonly (EdgeFunction | Rpc)[],
  { cases, seed }: { cases: number; seed: number },
  tally: Tally,
): Promise<void> {
  for (const target of targets) {
    const drawn = fc.sample("args" in target ? overRest(target, world) : ofFunction(target, world), {
      numRuns: cases,
      seed,
    });
    for (let from = 0; from < drawn.length; from += BATCH) {
      const batch = drawn.slice(from, from + BATCH);
      const before = await digestOf(sql, world);
      const outcomes: Outcome[] = [];
      for (const one of batch) outcomes.push(await make(stack, world, one, tally));
      if (outcomes.includes("done")) continue;
      const changed = differences(before, await digestOf(sql, world));
      if (changed.length > 0) await findWriter(sql, stack, world, batch, changed, tally);
    }
  }
}

/** Sends each of a batch again by itself, until one writes. */
async function findWriter(
  sql: Sql,
  stack: Target,
  world: World,
  batch: HttpCase[],
  changed: string[],
  tally: Tally,
) {
  let writer: HttpCase | undefined;
  for (const one of batch) {
    const before = await digestOf(sql, world);
    await make(stack, world, one, null);
    if (differences(before, await digestOf(sql, world)).length > 0) writer ??= one;
  }
  const { target, caller, body } = writer ?? (batch[0] as HttpCase);
  const what = writer ? "writes although it refuses" : "something was written while all was refused";
  tally.find({ target, caller: caller.name, sent: body.toString(), what, seen: changed.join(", ") });
}

async function make(stack: Target, world: World, one: HttpCase, tally: Tally | null): Promise<Outcome> {
  const { target, isFunction, caller, method, body, framing } = one;
  const credentials = await credentialsOf(stack, world, one);
  const given = new Set(one.headers.map(([name]) => name));
  const headers = [...credentials.filter(([name]) => !given.has(name)), ...one.headers];
  const path = isFunction ? `/functions/v1/${target}` : `/rest/v1/rpc/${target}`;
  let answer: Answer;
  let faults: string[];
  let outcome: Outcome = "refused";
  try {
    answer = await exchange(
      stack.url,
      { method, path, headers, body, ...(framing && { framing }) },
      DEADLINE_MS,
    );
    ({ outcome, faults } = judge(answer, one, world));
  } catch (error) {
    answer = { status: 0, headers: {}, body: String(error) };
    faults = ["does not end in time"];
  }
  tally?.count(isFunction ? target : `rpc/${target}`, outcome);
  const sent = `${method} ${JSON.stringify(one.headers)} ${framing ?? ""}\n${body.toString()}`;
  const seen = `${answer.status} ${answer.body}`;
  for (const what of faults)
    tally?.find({ target: isFunction ? target : `rpc/${target}`, caller: caller.name, sent, what, seen });
  // Who goes away without an answer does not know what was done.
  return answer.status === 0 ? "done" : outcome;
}

function judge(answer: Answer, one: HttpCase, world: World): { outcome: Outcome; faults: string[] } {
  const { status, headers, body } = answer;
  const sent = one.body.toString();
  if (status >= 200 && status < 300) {
    const problem = (jsonOf(body) as { problem?: unknown } | null)?.problem;
    if (problem) return { outcome: "refused", faults: faultsOfRefusal(problem) };
    const isOperator = one.caller.role === "service_role" || one.target === "webhooks-deliver";
    return { outcome: "done", faults: isOperator ? [] : faultsOfSuccess(body, sent, world) };
  }
  // What is no HTTP, or too much of it, the server in front refuses, and closes.
  if (status === 0 || (status === 400 && body === "") || status === 431)
    return { outcome: "unheard", faults: one.framing || one.headers.length > 0 ? [] : [`${status}`] };
  // HEAD answers have no body.
  if (one.isFunction) {
    if (one.method === "OPTIONS") return { outcome: "refused", faults: [] };
    // It is there to say so, after three seconds in which a busy machine had not answered it.
    if (one.target === "health" && status === 503) return { outcome: "refused", faults: [] };
    const faults =
      one.method === "HEAD" ? [] : faultsOfProblem(body, status, headers["content-type"] ?? null);
    return {
      outcome: "refused",
      faults: [...faults, ...(headers["x-request-id"] ? [] : ["has no X-Request-Id"])],
    };
  }
  if (one.method === "HEAD") return { outcome: "unheard", faults: status >= 500 ? [`${status}`] : [] };
  return { outcome: "unheard", faults: faultsOfRest(status, body, sent) };
}

/** PostgREST's own refusals: an error of Postgres as it was read with the arguments, or of its own. */
function faultsOfRest(status: number, body: string, sent: string): string[] {
  const { code, message = "" } = (jsonOf(body) ?? {}) as { code?: string; message?: string };
  const isOfArguments =
    /^(22|54|PGRST|42501|42846)/.test(code ?? "") || [401, 404, 405, 406, 413, 415].includes(status);
  if (status >= 500 && !code?.startsWith("54")) return [`${status} ${code}: ${message.slice(0, 80)}`];
  if (!isOfArguments) return [`${status} ${code}: ${message.slice(0, 80)}`];
  // A value that is no uuid is quoted by PostgREST: it was the caller's own.
  return faultsOfText(body).filter((fault) => !sent.includes(fault.split(": ")[1] ?? "-"));
}

async function credentialsOf(
  stack: Target,
  world: World,
  { caller, isFunction, target }: HttpCase,
): Promise<[string, string][]> {
  if (caller.role === "service_role") return [["apikey", stack.keys.secretKey]];
  const key: [string, string] = ["apikey", stack.keys.publishableKey];
  if (isFunction && target === "partner-sync")
    return [key, ["authorization", `Bearer ${world.home.serviceToken}`]];
  if (!caller.user) return [key];
  return [key, ["authorization", `Bearer ${await tokenOf(stack.keys, stack.url, caller.user)}`]];
}

const JSON_TYPE: [string, string] = ["content-type", "application/json"];

function overRest(rpc: Rpc, world: World): fc.Arbitrary<HttpCase> {
  const asked = rpcCases(rpc, world).map(({ caller, args }) => ({
    target: rpc.name,
    isFunction: false,
    caller,
    method: "POST",
    headers: [JSON_TYPE],
    body: Buffer.from(args),
  }));
  return fc.oneof({ weight: 6, arbitrary: asked }, { weight: 1, arbitrary: roughened(asked) });
}

function ofFunction({ name, schema }: EdgeFunction, world: World): fc.Arbitrary<HttpCase> {
  const service: Caller = { name: "service_role", role: "service_role" };
  const callers = callersOf(world);
  const caller =
    name === "webhooks-deliver" ? fc.constant(service) : fc.constantFrom(...callers.slice(0, 3), ...callers);
  const requests = schema ? requestsOf(schema, world) : requestsOfNames([], world);
  const asked = fc.tuple(caller, textsOf(requests)).map(([caller, text]) => ({
    target: name,
    isFunction: true,
    caller,
    method: name === "health" ? "GET" : "POST",
    headers: [JSON_TYPE],
    body: Buffer.from(text),
  }));
  return fc.oneof({ weight: 4, arbitrary: asked }, { weight: 1, arbitrary: roughened(asked) });
}

const HEADERS: [string, string][] = [
  ["idempotency-key", "a"],
  ["idempotency-key", "k".repeat(256)],
  ["idempotency-key", "a b"],
  ["idempotency-key", "\xe9"],
  ["idempotency-key", ""],
  ["idempotency-key", "'; drop table x; --"],
  ["x-request-id", "../../x"],
  ["x-request-id", "x".repeat(500)],
  ["x-request-id", "a\tb"],
  ["content-type", "text/plain"],
  ["content-type", "application/x-www-form-urlencoded"],
  ["content-type", "multipart/form-data; boundary=x"],
  ["content-type", "application/json; charset=utf-16"],
  ["content-type", "application/xml"],
  ["content-type", ""],
  ["content-encoding", "gzip"],
  ["content-encoding", "br"],
  ["accept", "text/csv"],
  ["accept", "application/vnd.pgrst.object+json"],
  ["accept", "application/vnd.pgrst.plan"],
  ["accept", "*/*;q=0"],
  ["prefer", "tx=rollback"],
  ["prefer", "params=single-object"],
  ["prefer", "return=representation,count=exact"],
  ["accept-profile", "app"],
  ["content-profile", "audit"],
  ["range", "0-'"],
  ["range", "bytes=-1"],
  ["origin", "null"],
  ["authorization", "Bearer "],
  ["authorization", "Basic YTpi"],
  ["authorization", "Bearer a.b.c"],
  ["cookie", "a=b"],
  ["x-http-method-override", "DELETE"],
  ["x-forwarded-for", "'; select 1--"],
  ["x-forwarded-for", "127.0.0.1, ::1, x"],
  ["cf-connecting-ip", "not an address"],
  ["user-agent", "u".repeat(5_000)],
  ["user-agent", "\x01'\";--"],
  ["if-none-match", "*"],
  ["x-large", "x".repeat(20_000)],
];

/** The same with other headers, another method, other bytes or another framing. */
function roughened(asked: fc.Arbitrary<HttpCase>): fc.Arbitrary<HttpCase> {
  const header = fc.constantFrom(...HEADERS);
  const method = fc.constantFrom("GET", "HEAD", "PUT", "PATCH", "DELETE", "OPTIONS", "TRACE", "QUERY");
  const bytes = fc.oneof(
    fc.uint8Array({ maxLength: 200 }).map((array) => Buffer.from(array)),
    fc.constantFrom(
      Buffer.alloc(0),
      Buffer.from("\ufeff{}"),
      Buffer.from("{}", "utf16le"),
      Buffer.from([0x7b, 0x22, 0xff, 0x22, 0x7d]),
      Buffer.from([0xed, 0xa0, 0x80]),
      Buffer.from([0x1f, 0x8b, 8, 0, 0, 0, 0, 0]),
      Buffer.from("[".repeat(LARGE)),
      Buffer.from(`{"a":"${"x".repeat(1_000_000)}"}`),
      Buffer.alloc(LARGE, 0),
      Buffer.from(`[${"1,".repeat(LARGE)}1]`),
      Buffer.from("{}{}"),
      Buffer.from("NaN"),
      Buffer.from("// no\n{}"),
      Buffer.from("{'a':1}"),
    ),
    hostile.map((value) => Buffer.from(toText(value))),
  );
  return fc.oneof(
    fc.tuple(asked, fc.array(header, { minLength: 1, maxLength: 3 })).map(([one, headers]) => ({
      ...one,
      headers: [...one.headers.filter(([name]) => !headers.some(([other]) => other === name)), ...headers],
    })),
    fc.tuple(asked, method).map(([one, method]) => ({ ...one, method })),
    fc.tuple(asked, bytes).map(([one, body]) => ({ ...one, body })),
    fc
      .tuple(asked, fc.nat())
      .map(([one, at]) => ({ ...one, body: one.body.subarray(0, at % (one.body.length + 1)) })),
    fc
      .tuple(asked, fc.constantFrom("chunked", "cut", "too short") as fc.Arbitrary<Sent["framing"]>)
      .map(([one, framing]) => ({ ...one, ...(framing && { framing }) })),
  );
}
