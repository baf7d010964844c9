// `npm run openapi`: writes docs/openapi.json, the reference of the Edge Functions and of the RPCs that src/lib calls (OpenAPI 3.1),
// from the contracts that functions and client judge by.

import { readFileSync } from "node:fs";
import { writeFile } from "node:fs/promises";
import { resolve } from "node:path";
import { fileURLToPath } from "node:url";
import { PROBLEM_MEDIA_TYPE, PROBLEMS, type ProblemCode } from "../src/lib/problems.ts";
import { argumentsOf } from "./arguments.ts";
import { COMMON_REFUSALS, OPERATIONS, type Operation } from "./openapi/operations.ts";
import { RPC_RESPONSES, RPC_SCHEMAS, rpcPaths } from "./openapi/rpc-paths.ts";
import { answerName, componentSchemas, type Json, problemName, requestName } from "./openapi/schemas.ts";
import { projectPath } from "./stack/paths.ts";

export const OPENAPI_PATH = projectPath("docs", "openapi.json");

const ref = (kind: string, name: string): Json => ({ $ref: `#/components/${kind}/${name}` });
const schemaRef = (name: string): Json => ref("schemas", name);

/** The reference, as text. */
export function openApi(): string {
  const document = {
    openapi: "3.1.1",
    info: {
      title: "Holdfast",
      version: JSON.parse(readFileSync(projectPath("package.json"), "utf8")).version,
      description:
        "The Edge Functions, and under /rpc/ the RPCs that the client in src/lib calls. Everything else is read as rows. JSON in " +
        "snake_case; times in ISO 8601 with offset; every error is a problem (RFC 9457), one section each in errors.md. " +
        "Rules about more than one field are judged by the server: `validation_failed` names the field.",
    },
    servers: [
      {
        url: "https://{project}.supabase.co/functions/v1",
        variables: { project: { default: "project-ref" } },
      },
      { url: "http://127.0.0.1:54321/functions/v1", description: "`npm start`" },
    ],
    paths: {
      ...Object.fromEntries(
        Object.entries(OPERATIONS).map(([name, operation]) => [`/${name}`, { post: post(name, operation) }]),
      ),
      ...rpcPaths(),
    },
    components: {
      schemas: { ...componentSchemas(), ...RPC_SCHEMAS },
      responses: {
        ...Object.fromEntries(
          statusesOf(COMMON_REFUSALS).map((status) => [
            commonName(status),
            refusal(withStatus(COMMON_REFUSALS, status)),
          ]),
        ),
        ...RPC_RESPONSES,
      },
      parameters: PARAMETERS,
      headers: HEADERS,
      securitySchemes: SECURITY,
    },
  };
  return `${JSON.stringify(document, null, 2)}\n`;
}

function post(name: string, operation: Operation): Json {
  return {
    operationId: name,
    summary: summaryOf(name),
    externalDocs: { url: operation.docs },
    security: [{ [operation.caller]: [] }],
    parameters: Object.keys(PARAMETERS).map((parameter) => ref("parameters", parameter)),
    requestBody: {
      required: true,
      content: { "application/json": { schema: schemaRef(requestName(name)) } },
    },
    responses: { [operation.status]: success(operation), ...refusals(operation) },
  };
}

/** What a function does, in the words of its own first line: `POST name: does this.` */
function summaryOf(name: string): string {
  const source = readFileSync(projectPath("supabase", "functions", name, "index.ts"), "utf8");
  const [, summary] = /^\/\*\* POST [\w-]+: (.+?)\.? \*\/$/m.exec(source) ?? [];
  if (!summary)
    throw new Error(`supabase/functions/${name}/index.ts does not begin with "/** POST ${name}: …"`);
  return `${summary.charAt(0).toUpperCase()}${summary.slice(1)}.`;
}

function success({ answers, by }: Operation): Json {
  const names = Object.entries(answers).map(([what, schema]) => [what, answerName(schema)] as const);
  const different = [...new Set(names.map(([, name]) => name))].map(schemaRef);
  const which = names.map(([what, name]) => `\`${what}\`: ${name}`).join("; ");
  return {
    description: names.length > 1 ? `${by ? `By \`${by}\`. ` : ""}${which}.` : "Done.",
    headers: { "X-Request-Id": ref("headers", "X-Request-Id"), ...REPLAYED },
    content: {
      "application/json": { schema: different.length > 1 ? { anyOf: different } : different[0] },
    },
  };
}

/** A response for each status with which the operation may refuse, with the problems of that status. */
function refusals({ refusals }: Operation): Json {
  const codes = [...COMMON_REFUSALS, ...refusals];
  return Object.fromEntries(
    statusesOf(codes).map((status) => {
      const common = withStatus(refusals, status).length === 0;
      return [status, common ? ref("responses", commonName(status)) : refusal(withStatus(codes, status))];
    }),
  );
}

const commonName = (status: number): string => `Refused${status}`;
const withStatus = (codes: readonly ProblemCode[], status: number) =>
  codes.filter((code) => PROBLEMS[code].status === status);
const statusesOf = (codes: readonly ProblemCode[]) => [
  ...new Set(codes.map((code) => PROBLEMS[code].status)),
];

function refusal(codes: ProblemCode[]): Json {
  return {
    description: codes.map((code) => `\`${code}\`: ${PROBLEMS[code].title}.`).join(" "),
    headers: { "X-Request-Id": ref("headers", "X-Request-Id"), "Retry-After": ref("headers", "Retry-After") },
    content: {
      [PROBLEM_MEDIA_TYPE]: {
        schema: {
          oneOf: codes.map((code) => schemaRef(problemName(code))),
          discriminator: {
            propertyName: "code",
            mapping: Object.fromEntries(
              codes.map((code) => [code, `#/components/schemas/${problemName(code)}`]),
            ),
          },
        },
      },
    },
  };
}

const PARAMETERS = {
  IdempotencyKey: {
    name: "Idempotency-Key",
    in: "header",
    description:
      "Names this attempt. The same key with the same body gets the first success again instead of a second effect, for 24 hours.",
    schema: { type: "string", pattern: "^[\\x21-\\x7e]{1,255}$" },
  },
  RequestId: {
    name: "X-Request-Id",
    in: "header",
    description:
      "Traces the request through log and audit trail. Anything else than this form gets a new one.",
    schema: { type: "string", pattern: "^[A-Za-z0-9._-]{1,64}$" },
  },
};

const HEADERS = {
  "X-Request-Id": {
    description: "The request's own id, or a new one.",
    required: true,
    schema: { type: "string" },
  },
  "Retry-After": {
    description: "Whole seconds after which trying again makes sense; absent where waiting does not help.",
    schema: { type: "integer", minimum: 0 },
  },
  "Idempotency-Replayed": {
    description: "`true` where the answer is the stored one of an earlier request with the same key.",
    schema: { const: "true" },
  },
};
const REPLAYED = { "Idempotency-Replayed": ref("headers", "Idempotency-Replayed") };

const SECURITY = {
  user: {
    type: "http",
    scheme: "bearer",
    bearerFormat: "JWT",
    description: "The access token of who is signed in.",
  },
  serviceAccount: {
    type: "http",
    scheme: "bearer",
    description: "The token of a service account; see partners.md.",
  },
};

if (process.argv[1] && resolve(process.argv[1]) === fileURLToPath(import.meta.url)) {
  argumentsOf("Usage: npm run openapi. Writes docs/openapi.json.\n", {});
  await writeFile(OPENAPI_PATH, openApi());
  process.stdout.write(`Wrote ${OPENAPI_PATH}\n`);
}
