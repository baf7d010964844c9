import { existsSync, readdirSync, readFileSync } from "node:fs";
import { Validator } from "@seriousme/openapi-schema-validator";
import { describe, expect, it } from "vitest";
import { PROBLEM_CODES } from "../src/lib/problems.ts";
import { NAMED_RPCS } from "./openapi/named-rpcs.ts";
import { COMMON_REFUSALS, NOT_FOR_APPS, OPERATIONS, REFUSALS_ELSEWHERE } from "./openapi/operations.ts";
import { RPCS } from "./openapi/rpcs.ts";
import { OPENAPI_PATH, openApi } from "./openapi.ts";
import { projectPath } from "./stack/paths.ts";

const functions = readdirSync(projectPath("supabase", "functions")).filter((name) =>
  existsSync(projectPath("supabase", "functions", name, "index.ts")),
);

/** What writes the files of claims, which the package for apps leaves out. */
const NOT_IN_THE_PACKAGE = ["read_billing_batch", "export_billing_batch"];

/** A call of an RPC in a client module: its name, and the schema of its answer. */
const CALL = /\b(?:callRpc|callNamed|readRows)\(\s*supabase,\s*("\w+"|rpc),\s*(?:\{[^}]*\}|[^,]+),\s*(\w+),/g;

describe("docs/openapi.json", () => {
  it("is current (npm run openapi)", () => {
    expect(readFileSync(OPENAPI_PATH, "utf8") === openApi(), "run `npm run openapi`").toBe(true);
  });

  it("is valid OpenAPI 3.1 to a public validator, which finds a mistake", async () => {
    const validate = async (document: Record<string, unknown>) => {
      const validator = new Validator();
      const { valid, errors } = await validator.validate(document);
      return { valid, errors, version: validator.version };
    };
    const document = JSON.parse(openApi());
    expect(await validate(document)).toEqual({ valid: true, errors: undefined, version: "3.1" });
    document.paths["/sessions-hold"].post.responses = { fine: {} };
    expect((await validate(document)).valid).toBe(false);
  });

  it("points nowhere but at what it has", () => {
    const text = openApi();
    const document = JSON.parse(text);
    const pointed = [...text.matchAll(/"#\/components\/(\w+)\/([\w-]+)"/g)].map(
      ([, kind = "", name = ""]) => [kind, name],
    );
    expect(pointed.length).toBeGreaterThan(100);
    expect(pointed.filter(([kind = "", name = ""]) => !document.components[kind]?.[name])).toEqual([]);
    for (const { docs } of Object.values(OPERATIONS))
      expect(existsSync(projectPath("docs", docs)), docs).toBe(true);
  });

  it("has an operation for every Edge Function, and no other", () => {
    expect([...Object.keys(OPERATIONS), ...NOT_FOR_APPS].sort(), "scripts/openapi/operations.ts").toEqual(
      functions.sort(),
    );
  });

  it("has an RPC for each that src/lib calls, by the schema that the client reads its answer with", async () => {
    const folder = projectPath("src", "lib");
    const called = new Map<string, unknown>();
    for (const file of readdirSync(folder).filter((name) => /client\.ts$|^claims-export\.ts$/.test(name))) {
      const text = readFileSync(projectPath("src", "lib", file), "utf8");
      const [, names = ""] = /rpc: ((?:"\w+"(?: \| )?)+)/.exec(text) ?? [];
      const calls = [...text.matchAll(CALL)];
      expect(calls.length, file).toBe(text.match(/\b(?:callRpc|callNamed|readRows)\(/g)?.length ?? 0);
      for (const [, name = "", schema = ""] of calls) {
        const [, from = ""] = new RegExp(`\\b${schema}\\b[^;]*? from "(\\./[^"]+)"`).exec(text) ?? [];
        const module: Record<string, unknown> = await import(projectPath("src", "lib", from));
        const rpcs = name === "rpc" ? [...names.matchAll(/"(\w+)"/g)] : [...name.matchAll(/"(\w+)"/g)];
        for (const [, rpc = ""] of rpcs) called.set(rpc, module[schema]);
      }
    }
    expect(called.size).toBeGreaterThan(35);
    for (const rpc of NOT_IN_THE_PACKAGE) called.delete(rpc);
    const rpcs: Record<string, { docs: string; data: unknown }> = { ...RPCS, ...NAMED_RPCS };
    expect(Object.keys(rpcs).sort(), "scripts/openapi/rpcs.ts, named-rpcs.ts").toEqual(
      [...called.keys()].sort(),
    );
    for (const [rpc, schema] of called) expect(rpcs[rpc]?.data === schema, rpc).toBe(true);
    const { paths } = JSON.parse(openApi());
    for (const { docs } of Object.values(rpcs))
      expect(existsSync(projectPath("docs", docs)), docs).toBe(true);
    for (const rpc of called.keys())
      expect(paths[`/rpc/${rpc}`].post.summary, `comment on public.${rpc}`).toBeTruthy();
  });

  it("names every problem as some operation's", () => {
    const named = new Set([
      ...COMMON_REFUSALS,
      ...REFUSALS_ELSEWHERE,
      ...Object.values(OPERATIONS).flatMap(({ refusals }) => refusals),
    ]);
    expect(
      PROBLEM_CODES.filter((code) => !named.has(code)),
      "in no list of scripts/openapi/operations.ts",
    ).toEqual([]);
  });

  it("says of every action what it answers", () => {
    for (const [name, { by, answers }] of Object.entries(OPERATIONS)) {
      if (!by) continue;
      const { oneOf } = JSON.parse(openApi()).components.schemas[
        `${name.replace(/(?:^|-)([a-z])/g, (_, letter: string) => letter.toUpperCase())}Request`
      ];
      const actions = oneOf.map(
        ({ properties }: { properties: Record<string, { const: string }> }) => properties[by]?.const,
      );
      const answered = Object.keys(answers).filter((what) => !what.includes(" "));
      expect(answered.sort(), name).toEqual(actions.sort());
    }
  });
});
