// Calls of RPCs: their arguments as one JSON object, as PostgREST takes them.

import fc from "fast-check";
import type { z } from "zod";
import { withOccurrences } from "../../supabase/functions/_shared/occurrences.ts";
import { type Caller, callersOf } from "./callers.ts";
import { requestsOf, requestsOfNames, textsOf } from "./requests.ts";
import type { Rpc } from "./targets.ts";
import { hostile, type Json, toText } from "./values.ts";
import type { World } from "./world.ts";

export interface RpcCase {
  rpc: Rpc;
  caller: Caller;
  /** The JSON of the arguments. */
  args: string;
}

/** Calls of one RPC by anybody, most often by who may. */
export function rpcCases(rpc: Rpc, world: World): fc.Arbitrary<RpcCase> {
  const callers = callersOf(world);
  const may = rpc.roles.includes("service_role")
    ? [{ name: "service_role", role: "service_role" as const }]
    : callers.filter(({ name }) => name === "admin" || name === "internal_ops" || name === "therapist");
  const caller = fc.oneof(
    { weight: 3, arbitrary: fc.constantFrom<Caller>(...may) },
    { weight: 2, arbitrary: fc.constantFrom(...callers) },
  );
  return fc.record({ rpc: fc.constant(rpc), caller, args: argumentsOf(rpc, world) });
}

function argumentsOf(rpc: Rpc, world: World): fc.Arbitrary<string> {
  const members = rpc.args.map(({ name, type, isOptional }) => {
    const given = argument(rpc, name, type, world).map((text) => `${JSON.stringify(name)}:${text}`);
    return isOptional ? fc.option(given, { nil: "", freq: 2 }) : given;
  });
  return fc.tuple(...members).map((texts) => `{${texts.filter((text) => text !== "").join(",")}}`);
}

/** What an Edge Function makes of a request that keeps to its contract, before it asks the RPC. */
function asFunctionsAsk(schema: z.ZodType, request: Json): Json {
  const { action: _, ...asked } = request as Record<string, Json>;
  const isForTimes =
    ("start_time" in asked || "occurrences" in asked) && ("service_code" in asked || "series_id" in asked);
  if (!isForTimes || !schema.safeParse(request).success) return asked;
  const spelled = withOccurrences(asked as unknown as Parameters<typeof withOccurrences>[0]);
  return "ask" in spelled ? (spelled.ask as Json) : asked;
}

const KEYS = ["a", "key-1", "", " ", "a b", "é", "k".repeat(255), "k".repeat(256), "\u0000", "'; select 1--"];

/** Requests that keep to the contract, or else of what the code speaks of. */
function requestsAsked({ schema, vocabulary }: Rpc, world: World): fc.Arbitrary<Json> {
  return schema
    ? requestsOf(schema, world).map((request) => asFunctionsAsk(schema, request))
    : requestsOfNames(vocabulary, world);
}

/** Arguments as they should be. */
export function plainArguments(rpc: Rpc, world: World): fc.Arbitrary<Record<string, Json>> {
  const members = rpc.args
    .filter(({ name }) => name !== "idempotency_key")
    .map(({ name, type }): [string, fc.Arbitrary<Json>] => [
      name,
      type === "jsonb"
        ? requestsAsked(rpc, world)
        : requestsOfNames([name], world).map((record) => (record as Record<string, Json>)[name] ?? null),
    ]);
  return fc.record(Object.fromEntries(members));
}

function argument(rpc: Rpc, name: string, type: string, world: World): fc.Arbitrary<string> {
  if (name === "idempotency_key") return fc.oneof(fc.uuid(), fc.constantFrom(...KEYS)).map(toText);
  if (type === "jsonb") {
    const loose = requestsOfNames(rpc.vocabulary, world);
    const asked = requestsAsked(rpc, world);
    const both = fc
      .tuple(asked, loose)
      .map(([request, more]) => ({ ...(more as object), ...(request as object) }) as Json);
    return textsOf(
      fc.oneof(
        { weight: 6, arbitrary: asked },
        { weight: 1, arbitrary: both },
        { weight: 1, arbitrary: loose },
      ),
    );
  }
  // Typed: PostgREST itself refuses most of what is not of the type.
  const good = requestsOfNames([name], world).map((record) =>
    toText((record as Record<string, unknown>)[name] ?? null),
  );
  return fc.oneof({ weight: 4, arbitrary: good }, { weight: 1, arbitrary: hostile.map(toText) });
}
