// The contracts as JSON Schema (2020-12, the dialect of OpenAPI 3.1): requests as a caller writes them, answers and problems
// as they are sent.

import { z } from "zod";
import { PROBLEM_CODES, type ProblemCode, problemSchema } from "../../src/lib/problems.ts";
import { NAMED_RPCS } from "./named-rpcs.ts";
import { ANSWER_NAMES, OPERATIONS } from "./operations.ts";
import { RPCS } from "./rpcs.ts";

export type Json = Record<string, unknown>;

/** `sessions-hold` → `SessionsHold`; `hold_expired` → `HoldExpired`. */
export const pascal = (name: string): string =>
  name.replace(/(?:^|[-_])([a-z])/g, (_, letter: string) => letter.toUpperCase());
export const problemName = (code: ProblemCode): string => `${pascal(code)}Problem`;
export const requestName = (operation: string): string => `${pascal(operation)}Request`;
export const dataName = (rpc: string): string => `${pascal(rpc)}Data`;

/** Every schema of the reference by its name. */
export function componentSchemas(): Record<string, Json> {
  const variants = (problemSchema as unknown as { options: z.ZodType[] }).options;
  const problems = PROBLEM_CODES.map((code, index) => [problemName(code), variants[index]]);
  const requests = Object.entries(OPERATIONS).map(([name, { request }]) => [requestName(name), request]);
  // Several RPCs may share a schema; each has it by its own name.
  const asked = Object.entries(RPCS).map(([name, { request }]) => [requestName(name), request.clone()]);
  const named = Object.entries(NAMED_RPCS).map(([name, rpc]) => [
    requestName(name),
    z.strictObject(rpc.arguments),
  ]);
  const answered = Object.entries({ ...RPCS, ...NAMED_RPCS }).map(([name, { data }]) => [
    dataName(name),
    data.clone(),
  ]);
  return {
    ...converted(Object.fromEntries([...requests, ...asked, ...named]), "input"),
    ...converted({ ...ANSWER_NAMES, ...Object.fromEntries([...problems, ...answered]) }, "output"),
  };
}

/** The name under which an answer's schema stands in the reference. */
export function answerName(schema: z.ZodType): string {
  const [name] = Object.entries(ANSWER_NAMES).find(([, named]) => named === schema) ?? [];
  if (!name) throw new Error("An answer of OPERATIONS has no name in ANSWER_NAMES.");
  return name;
}

function converted(schemas: Record<string, z.ZodType>, io: "input" | "output"): Record<string, Json> {
  const registry = z.registry<{ id: string }>();
  for (const [id, schema] of Object.entries(schemas)) registry.add(schema, { id });
  const { schemas: named } = z.toJSONSchema(registry, {
    io,
    unrepresentable: "any",
    uri: (id) => `#/components/schemas/${id}`,
    override: ({ zodSchema, jsonSchema }) => plainly(zodSchema, jsonSchema as Json, io),
  });
  return Object.fromEntries(
    Object.entries(named).map(([id, { $id: _, $schema: __, id: ___, ...schema }]) => [id, schema as Json]),
  );
}

/** What JSON Schema cannot say for itself, or what zod would say of it that is not meant. */
function plainly(schema: z.core.$ZodType, json: Json, io: "input" | "output"): void {
  const { def } = schema._zod;
  // Requests are judged in steps, from the rough form to the exact one: the last is what a caller must meet.
  if (def.type === "pipe") {
    const { $schema: _, ...exact } = z.toJSONSchema((def as z.core.$ZodPipeDef).out as z.ZodType, {
      io,
      unrepresentable: "any",
      override: (context) => plainly(context.zodSchema, context.jsonSchema as Json, io),
    });
    for (const key of Object.keys(json)) if (key !== "minItems" && key !== "maxItems") delete json[key];
    Object.assign(json, exact);
  }
  // A newer server may answer more than an app knows.
  if (io === "output" && json.additionalProperties === false) delete json.additionalProperties;
  // The formats say it shorter.
  if (json.format === "date-time" || json.format === "date" || json.format === "uuid") delete json.pattern;
  for (const [bound, limit] of [
    ["minimum", Number.MIN_SAFE_INTEGER],
    ["maximum", Number.MAX_SAFE_INTEGER],
  ] as const) {
    if (json[bound] === limit) delete json[bound];
  }
}
