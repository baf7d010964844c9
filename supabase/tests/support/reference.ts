import { readFileSync } from "node:fs";
import { Ajv2020, type ValidateFunction } from "ajv/dist/2020.js";
import formats from "ajv-formats";
import { expect } from "vitest";
import { OPERATIONS } from "../../../scripts/openapi/operations.ts";
import { answerName } from "../../../scripts/openapi/schemas.ts";
import { OPENAPI_PATH } from "../../../scripts/openapi.ts";

type Json = Record<string, unknown>;
interface Content {
  content: Record<string, { schema: Json }>;
}
interface Answered extends Content {
  $ref?: string;
  headers: Record<string, unknown>;
}
interface Reference {
  paths: Record<string, { post: { requestBody: Content; responses: Record<string, Answered> } }>;
  components: { responses: Record<string, Answered>; schemas: Record<string, Json> };
}

const reference: Reference = JSON.parse(readFileSync(OPENAPI_PATH, "utf8"));
const ajv = new Ajv2020({ strict: false, allErrors: true });
formats.default(ajv);
// What the reference leaves open for newer servers is closed here: this server answers nothing that it does not document.
const { schemas } = reference.components;
const answered = Object.entries(schemas).map(([name, schema]) => [
  name,
  name.endsWith("Request") ? schema : closed(schema),
]);
ajv.addSchema({ $id: "reference", components: { schemas: Object.fromEntries(answered) } });
const validators = new Map<string, ValidateFunction>();

function closed(schema: unknown): unknown {
  if (Array.isArray(schema)) return schema.map(closed);
  if (typeof schema !== "object" || schema === null) return schema;
  const members = Object.fromEntries(Object.entries(schema).map(([key, value]) => [key, closed(value)]));
  return "properties" in members ? { additionalProperties: false, ...members } : members;
}

function faults(schema: Json, value: unknown): string[] {
  const text = JSON.stringify(schema);
  const validate = validators.get(text) ?? ajv.compile(JSON.parse(text.replaceAll('"#/', '"reference#/')));
  validators.set(text, validate);
  if (validate(value)) return [];
  return (validate.errors ?? []).map(
    ({ instancePath, message, params }) => `${instancePath} ${message} ${JSON.stringify(params)}`,
  );
}

/** What the reference finds wrong with a request of an Edge Function. */
export const requestFaults = (name: string, body: unknown): string[] => {
  const schema = schemas[
    `${name.replace(/(?:^|-)([a-z])/g, (_, letter: string) => letter.toUpperCase())}Request`
  ] as Json;
  return faults(schema, body);
};

const APPLICATION_JSON = "application/json";

/** What the reference finds wrong with the arguments of an RPC. */
export const rpcRequestFaults = (name: string, named: unknown): string[] =>
  faults(reference.paths[`/rpc/${name}`]?.post.requestBody.content[APPLICATION_JSON]?.schema ?? {}, named);

/** What the reference finds wrong with the answer of an RPC, which is undefined where there is none; of others it says nothing. */
export function rpcFaults(name: string, answer: unknown): string[] {
  const operation = reference.paths[`/rpc/${name}`]?.post;
  if (!operation) return [];
  const schema = operation.responses[200]?.content[APPLICATION_JSON]?.schema;
  if (!schema) return answer === undefined ? [] : ["answers something"];
  const [success = schema, refusal] = (schema.anyOf ?? []) as Json[];
  const isRefused = refusal && typeof answer === "object" && answer !== null && "problem" in answer;
  return faults(closed(isRefused ? refusal : success) as Json, answer);
}

/** Every name under which a function does something: one, or one for each action. */
export const DEEDS = Object.entries(OPERATIONS).flatMap(([name, { answers }]) =>
  Object.keys(answers).map((what) => (what === "" ? name : `${name}: ${what}`)),
);

/**
 * The answer of an Edge Function is one that docs/openapi.json documents: its status, media type, headers and body. With
 * `what`, a success is that of this action.
 */
export async function expectAsDocumented(name: string, response: Response, what?: string): Promise<void> {
  const operation = reference.paths[`/${name}`]?.post;
  // That every function has an operation, scripts/openapi.test.ts asks.
  if (!operation) return;
  const found = operation.responses[response.status];
  expect(found, `docs/openapi.json has no ${response.status} for ${name}`).toBeDefined();
  const documented = (
    found?.$ref ? reference.components.responses[found.$ref.split("/").at(-1) ?? ""] : found
  ) as Answered;
  const type = response.headers.get("content-type")?.split(";")[0] ?? "";
  expect(Object.keys(documented.content), name).toContain(type);
  expect(response.headers.get("x-request-id"), name).not.toBeNull();
  for (const header of ["retry-after", "idempotency-replayed"]) {
    const names = Object.keys(documented.headers).map((header) => header.toLowerCase());
    if (response.headers.has(header)) expect(names, name).toContain(header);
  }
  const answer = what === undefined ? undefined : OPERATIONS[name]?.answers[what];
  const schema = answer
    ? { $ref: `#/components/schemas/${answerName(answer)}` }
    : (documented.content[type]?.schema ?? {});
  const body = (await response.clone().json()) as Json;
  // Of alternatives, a fault of one says little: the discriminator says which one is meant.
  const { discriminator } = schema as { discriminator?: { mapping: Record<string, string> } };
  const codes = discriminator?.mapping;
  if (codes) expect(Object.keys(codes), `problems of ${name} in OPERATIONS`).toContain(body.code);
  const meant = codes ? { $ref: codes[String(body.code)] } : schema;
  expect(
    faults(meant, body),
    `${name} answers ${response.status} otherwise than docs/openapi.json says`,
  ).toEqual([]);
}
