/**
 * What every Edge Function that does something does, in one place: authentication, idempotency key, body, validation, one RPC
 * as the caller, and the answer.
 */
import type { z } from "zod";
import { fieldErrors, IDEMPOTENCY_KEY } from "../../../src/lib/fields.ts";
import { type Problem, toProblem } from "../../../src/lib/problems.ts";
import { readJson } from "./body.ts";
import { type Authenticate, signedInUser } from "./callers.ts";
import type { Asked } from "./occurrences.ts";
import { success } from "./respond.ts";
import { callRpc, type RpcAnswer, type RpcCall } from "./rpc.ts";
import { type Reply, traced } from "./traced.ts";

/** Calls an RPC as the caller; the caller's idempotency key goes with the one that has the effect, or leads up to it. */
export type Ask = (
  rpc: string,
  request: unknown,
  key?: "with the caller's idempotency key",
) => Promise<RpcAnswer>;

/** For whom a function works, and under which id it is traced. */
export type Context = Pick<RpcCall, "caller" | "requestId">;

/** One Edge Function. */
export type FunctionSpec<Schema extends z.ZodType> = CommonSpec<Schema> &
  (
    | {
        /** The RPC that does the work; where a function does several things, the one for this request. */
        readonly rpc: string | ((request: z.output<Schema>) => string);
        readonly converse?: undefined;
      }
    | {
        readonly rpc?: undefined;
        /** Where one RPC cannot do the work, because the function does what the database must not see. */
        readonly converse: (request: z.output<Schema>, ask: Ask, context: Context) => Promise<RpcAnswer>;
      }
  );

interface CommonSpec<Schema extends z.ZodType> {
  /** Its name, for the log. */
  readonly name: string;
  /** The schema of its request. */
  readonly request: Schema;
  /** Who may call; left out, signed-in users. */
  readonly authenticate?: Authenticate;
  /** The status of a success. */
  readonly status: 200 | 201;
  /** The form in which the RPC is asked, or why it is not; left out, the parsed request itself. */
  readonly toRpc?: (request: z.output<Schema>) => Asked;
  /** Spells a field of the RPC's request as the caller spelled it; left out, they are the same. */
  readonly callerField?: (field: string, request: z.output<Schema>) => string;
  /** How long the RPC may take, in milliseconds. */
  readonly timeoutMs?: number;
}

const RPC_TIMEOUT_MS = 10_000;

/**
 * Builds a function's fetch handler. Every answer is JSON: `{data}`, or a problem (RFC 9457) for every failure, a
 * defect of ours included.
 */
export function serve<Schema extends z.ZodType>(spec: FunctionSpec<Schema>) {
  return traced(spec.name, "POST", (request, requestId) => handle(spec, request, requestId));
}

async function handle<Schema extends z.ZodType>(
  spec: FunctionSpec<Schema>,
  request: Request,
  requestId: string,
): Promise<Reply> {
  const caller = await (spec.authenticate ?? signedInUser)(request);
  if (caller === null) return { problem: toProblem("unauthenticated") };

  const idempotencyKey = request.headers.get("idempotency-key");
  if (idempotencyKey !== null && !IDEMPOTENCY_KEY.test(idempotencyKey)) {
    return { problem: toProblem("idempotency_key_invalid") };
  }

  const body = await readJson(request);
  if ("problem" in body) return body;

  const parsed = spec.request.safeParse(body.json);
  if (!parsed.success) {
    return { problem: toProblem("validation_failed", { errors: fieldErrors(parsed.error) }) };
  }

  const asked = spec.toRpc ? spec.toRpc(parsed.data) : { ask: parsed.data };
  if ("errors" in asked) return { problem: toProblem("validation_failed", { errors: asked.errors }) };

  const ask: Ask = (rpc, ask, key) =>
    callRpc({
      rpc,
      request: ask,
      idempotencyKey: key ? idempotencyKey : null,
      caller,
      requestId,
      timeoutMs: spec.timeoutMs ?? RPC_TIMEOUT_MS,
    });
  const answer = spec.converse
    ? await spec.converse(parsed.data, ask, { caller, requestId })
    : await ask(
        typeof spec.rpc === "string" ? spec.rpc : spec.rpc(parsed.data),
        asked.ask,
        "with the caller's idempotency key",
      );
  if ("data" in answer) {
    return { response: success(requestId, spec.status, answer.data, answer.replayed) };
  }

  const { callerField } = spec;
  const problem = callerField
    ? withFields(answer.problem, (field) => callerField(field, parsed.data))
    : answer.problem;
  return { problem, cause: answer.sqlstate };
}

function withFields(problem: Problem, spelled: (field: string) => string): Problem {
  if (!("errors" in problem)) return problem;
  return { ...problem, errors: problem.errors.map((error) => ({ ...error, field: spelled(error.field) })) };
}
