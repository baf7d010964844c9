// The RPCs of the reference as paths: asked by one `request` or by named arguments, answered in one of four ways.

import { readdirSync, readFileSync } from "node:fs";
import { PROBLEM_CODES } from "../../src/lib/problems.ts";
import { projectPath } from "../stack/paths.ts";
import { NAMED_RPCS } from "./named-rpcs.ts";
import { RPCS } from "./rpcs.ts";
import { dataName, type Json, requestName } from "./schemas.ts";

const schemaRef = (name: string): Json => ({ $ref: `#/components/schemas/${name}` });

/** Where PostgREST is, in a document whose own servers are those of the functions. */
const SERVERS = [
  { url: "https://{project}.supabase.co/rest/v1", variables: { project: { default: "project-ref" } } },
  { url: "http://127.0.0.1:54321/rest/v1", description: "`npm start`" },
];

export function rpcPaths(): Record<string, Json> {
  const summaries = readSummaries();
  return Object.fromEntries(
    Object.entries({ ...RPCS, ...NAMED_RPCS }).map(([name, { docs }]) => [
      `/rpc/${name}`,
      {
        servers: SERVERS,
        post: {
          operationId: name,
          summary: summaries.get(name),
          externalDocs: { url: docs },
          security: [{ user: [] }],
          requestBody: { required: true, content: { "application/json": { schema: requestOf(name) } } },
          responses: {
            ...successOf(name),
            default: { $ref: "#/components/responses/DatabaseError" },
          },
        },
      },
    ]),
  );
}

/** Null where it takes one `request`. */
const namedRpc = (name: string) =>
  Object.hasOwn(NAMED_RPCS, name) ? NAMED_RPCS[name as keyof typeof NAMED_RPCS] : null;

const requestOf = (name: string): Json =>
  namedRpc(name)
    ? schemaRef(requestName(name))
    : {
        type: "object",
        required: ["request"],
        additionalProperties: false,
        properties: {
          request: schemaRef(requestName(name)),
          idempotency_key: {
            type: "string",
            pattern: "^[\\x21-\\x7e]{1,255}$",
            description: "Names this attempt, as Idempotency-Key does for the functions.",
          },
        },
      };

function successOf(name: string): Json {
  const answers = namedRpc(name)?.answers ?? "data and replayed";
  if (answers === "nothing") return { 204: { description: "Done." } };
  if (answers === "rows") return { 200: json("The rows.", schemaRef(dataName(name))) };
  return {
    200: json(
      "Done, or refused: `problem` has the code and members of the problem, without its title and status.",
      { anyOf: [dataOf(name, answers === "data and replayed"), schemaRef("Refusal")] },
    ),
  };
}

const json = (description: string, schema: Json): Json => ({
  description,
  content: { "application/json": { schema } },
});

const dataOf = (name: string, mayBeReplayed: boolean): Json => ({
  type: "object",
  required: ["data", ...(mayBeReplayed ? ["replayed"] : [])],
  properties: {
    data: schemaRef(dataName(name)),
    ...(mayBeReplayed && {
      replayed: {
        type: "boolean",
        description: "Whether it is the stored answer of an earlier request with the same key.",
      },
    }),
  },
});

/** The parts that all RPCs share. */
export const RPC_SCHEMAS: Record<string, Json> = {
  Refusal: {
    type: "object",
    required: ["problem"],
    properties: {
      problem: {
        type: "object",
        required: ["code"],
        properties: { code: { enum: PROBLEM_CODES }, detail: { type: "string" } },
        additionalProperties: true,
      },
    },
  },
};
export const RPC_RESPONSES: Record<string, Json> = {
  DatabaseError: {
    description: "Not signed in, not permitted, or a body that is none: as PostgREST says it.",
    content: {
      "application/json": {
        schema: {
          type: "object",
          required: ["code", "message"],
          properties: { code: { type: "string" }, message: { type: "string" } },
        },
      },
    },
  },
};

/** What each RPC is for, in the words of its comment in the migrations. */
function readSummaries(): Map<string, string> {
  const files = readdirSync(projectPath("supabase", "migrations")).sort();
  const text = files
    .map((file) => readFileSync(projectPath("supabase", "migrations", file), "utf8"))
    .join("\n");
  const comments = text.matchAll(
    /^comment on function public\.(\w+)(?:\([^)]*\))? is\s+((?:'(?:[^']|'')*'\s*)+);/gm,
  );
  return new Map(
    [...comments].map(([, name = "", literals = ""]) => [
      name,
      [...literals.matchAll(/'((?:[^']|'')*)'/g)].map(([, part = ""]) => part.replaceAll("''", "'")).join(""),
    ]),
  );
}
