import { existsSync, readdirSync, readFileSync } from "node:fs";
import { Validator } from "@seriousme/openapi-schema-validator";
import { describe, expect, it } from "vitest";
import { PROBLEM_CODES } from "../src/lib/problems.ts";
import { COMMON_REFUSALS, NOT_FOR_APPS, OPERATIONS, REFUSALS_ELSEWHERE } from "./openapi/operations.ts";
import { OPENAPI_PATH, openApi } from "./openapi.ts";
import { projectPath } from "./stack/paths.ts";

const functions = readdirSync(projectPath("supabase", "functions")).filter((name) =>
  existsSync(projectPath("supabase", "functions", name, "index.ts")),
);

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
