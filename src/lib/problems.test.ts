import { readFileSync } from "node:fs";
import { describe, expect, it } from "vitest";
import { CONSTRAINT_PROBLEMS } from "./constraints.ts";
import { type PostgrestFailure, refusalOfDatabase, SQLSTATE_PROBLEMS } from "./database-problems.ts";
import { HoldfastError, isHoldfastError, toAppProblem } from "./errors.ts";
import {
  PROBLEM_CODES,
  PROBLEMS,
  type ProblemCode,
  problemFromRefusal,
  problemSchema,
  toProblem,
} from "./problems.ts";

const problemFromPostgrest = (failure: PostgrestFailure) => problemFromRefusal(refusalOfDatabase(failure));
const CONFLICT = {
  occurrence: 0,
  subject: "therapist",
  kind: "hold",
  until: "2027-03-02T18:00:00+00:00",
} as const;

describe("the catalogue", () => {
  it("gives each code the status of the contract", () => {
    const statuses = Object.fromEntries(PROBLEM_CODES.map((code) => [code, PROBLEMS[code].status]));
    expect(statuses).toEqual({
      invalid_json: 400,
      idempotency_key_invalid: 400,
      unauthenticated: 401,
      forbidden: 403,
      mfa_required: 403,
      not_found: 404,
      method_not_allowed: 405,
      therapist_conflict: 409,
      client_conflict: 409,
      room_conflict: 409,
      therapist_unavailable: 409,
      sessions_in_the_way: 409,
      group_full: 409,
      consent_required: 409,
      authorization_missing: 409,
      authorization_exhausted: 409,
      already_signed: 409,
      session_billed: 409,
      stale_version: 409,
      note_signed: 409,
      note_unreadable: 409,
      hold_confirmed: 409,
      idempotency_in_flight: 409,
      hold_expired: 410,
      key_destroyed: 410,
      payload_too_large: 413,
      validation_failed: 422,
      offset_mismatch: 422,
      idempotency_key_reused: 422,
      rate_limited: 429,
      internal_error: 500,
      unavailable: 503,
    });
  });

  const docs = readFileSync(new URL("../../docs/errors.md", import.meta.url), "utf8");
  const sections = new Map(
    docs
      .split(/^## /m)
      .slice(1)
      .map((section) => [section.slice(0, section.indexOf("\n")), section]),
  );

  it("is documented code by code, and nothing else is", () => {
    expect([...sections.keys()].filter((title) => title.startsWith("`"))).toEqual(
      PROBLEM_CODES.map((code) => `\`${code}\` · ${PROBLEMS[code].status}`),
    );
  });

  it.each(PROBLEM_CODES)("documents %s with an example that is exactly such a problem", (code) => {
    const section = sections.get(`\`${code}\` · ${PROBLEMS[code].status}`) ?? "";
    const example = JSON.parse(/```json\n([\s\S]*?)```/.exec(section)?.[1] ?? "null");
    expect(problemSchema.parse(example)).toEqual(example);
    const { type, title, status } = problemFromRefusal({
      code,
      still_free: true,
      retry_after: 1,
      version: 4,
      forms: [],
      session_ids: example.session_ids,
    });
    expect(example).toMatchObject({ type, title, status, code });
  });
});

describe("a problem", () => {
  it("has its code's type, title and status, and the members that it was given", () => {
    expect(toProblem("hold_expired", { still_free: true })).toEqual({
      type: "tag:holdfast,2026:problem/hold_expired",
      title: PROBLEMS.hold_expired.title,
      status: 410,
      code: "hold_expired",
      still_free: true,
    });
  });

  it("has empty lists where the code carries lists", () => {
    expect(toProblem("client_conflict")).toMatchObject({ conflicts: [], alternatives: [] });
    expect(toProblem("validation_failed")).toMatchObject({ errors: [] });
  });

  it("is read from a refusal without what its code does not carry, and without nulls", () => {
    const problem = problemFromRefusal({ code: "not_found", conflicts: [CONFLICT], detail: null, hint: "x" });
    expect(problem).toEqual(toProblem("not_found"));
  });

  it.each([
    { code: "no_such_code" },
    { code: "hold_expired" },
    { code: "unavailable", retry_after: "soon" },
    { code: "therapist_conflict", conflicts: [{ ...CONFLICT, subject: "cat" }] },
  ])("is not made of a refusal outside the contract: %j", (refusal) => {
    expect(() => problemFromRefusal(refusal)).toThrow();
  });
});

describe("a database error", () => {
  it.each<[string, string, ProblemCode]>([
    ["40P01", "deadlock detected", "unavailable"],
    ["40001", "could not serialize access", "unavailable"],
    ["53300", "too many clients already", "unavailable"],
    ["53200", "out of memory", "unavailable"],
    ["25006", "cannot execute INSERT in a read-only transaction", "unavailable"],
    ["55P03", "canceling statement due to lock timeout", "unavailable"],
    ["57P01", "terminating connection", "unavailable"],
    ["57014", "canceling statement due to statement timeout", "unavailable"],
    ["08006", "connection failure", "unavailable"],
    ["08P01", "protocol violation", "unavailable"],
    ["42501", "permission denied for table sessions", "forbidden"],
    ["42501", 'new row violates row-level security policy for table "sessions"', "forbidden"],
    [
      "23P01",
      'conflicting key value violates exclusion constraint "calendar_claims_no_overlap"',
      "therapist_conflict",
    ],
    [
      "23P01",
      'conflicting key value violates exclusion constraint "sessions_no_overlap"',
      "therapist_conflict",
    ],
    ["22P02", "invalid input syntax for type uuid", "validation_failed"],
    ["22008", "date/time field value out of range", "validation_failed"],
    ["23514", 'new row for relation "sessions" violates check constraint "x"', "validation_failed"],
    ["23503", 'insert on table "sessions" violates foreign key constraint "y"', "validation_failed"],
    ["23502", 'null value in column "z" of relation "sessions"', "validation_failed"],
    ["PGRST301", "JWT cryptographic operation failed", "unauthenticated"],
    ["PGRST303", "JWT expired", "unauthenticated"],
    ["PGRST000", "could not connect", "unavailable"],
    ["PGRST001", "could not connect", "unavailable"],
    ["PGRST002", "no schema cache", "unavailable"],
    ["PGRST003", "pool timeout", "unavailable"],
    ["PGRST202", "could not find the function", "internal_error"],
    ["42P01", 'relation "x" does not exist', "internal_error"],
    ["23P01", 'violates exclusion constraint "another"', "internal_error"],
    ["23505", 'violates unique constraint "another"', "internal_error"],
    ["P0001", "raised by hand", "internal_error"],
    ["XX000", "internal", "internal_error"],
    ["", "", "internal_error"],
  ])("%s (%s) is %s to the caller", (code, message, expected) => {
    const problem = problemFromPostgrest({ code, message });
    expect(problem.code).toBe(expected);
    // Nothing of the database's own words goes out.
    expect(JSON.stringify(problem)).not.toContain("violates");
    expect(problemSchema.safeParse(problem).success).toBe(true);
  });

  it("is told apart by its constraint only where it is a constraint's", () => {
    expect(problemFromPostgrest({ code: "P0001", message: '"sessions_no_overlap"' }).code).toBe(
      "internal_error",
    );
  });

  it("says when to try again where it may pass", () => {
    expect(problemFromPostgrest({ code: "40P01" })).toMatchObject({ retry_after: expect.any(Number) });
  });

  it("has a code of the catalogue in every row of both tables", () => {
    const rows = [
      ...Object.values(SQLSTATE_PROBLEMS),
      ...Object.values(CONSTRAINT_PROBLEMS).map(({ code }) => code),
    ];
    expect(rows.filter((code) => !PROBLEM_CODES.includes(code))).toEqual([]);
  });

  it.each(Object.keys(CONSTRAINT_PROBLEMS))("of the constraint %s becomes its row's problem", (name) => {
    const problem = problemFromPostgrest({ code: "23514", message: `violates constraint "${name}"` });
    expect(problem.code).toBe(CONSTRAINT_PROBLEMS[name]?.code);
  });
});

describe("HoldfastError", () => {
  it("carries the problem in camelCase, with its code, status and seconds to wait", () => {
    const error = new HoldfastError(
      toAppProblem(toProblem("therapist_conflict", { conflicts: [CONFLICT], retry_after: 12 })),
    );
    expect(error).toMatchObject({
      code: "therapist_conflict",
      status: 409,
      retryAfter: 12,
      name: "HoldfastError",
    });
    expect(error.message).toBe(PROBLEMS.therapist_conflict.title);
    expect(error.action).toBe(PROBLEMS.therapist_conflict.action);
  });

  it("names refused fields as the app spelled them", () => {
    const errors = [{ field: "occurrences[3].end_time", code: "required", message: "Required." }];
    const error: unknown = new HoldfastError(toAppProblem(toProblem("validation_failed", { errors })));
    expect(isHoldfastError(error, "validation_failed") && error.problem.errors[0]?.field).toBe(
      "occurrences[3].endTime",
    );
  });

  it("is told apart by code, and the problem's type follows", () => {
    const error: unknown = new HoldfastError(toAppProblem(toProblem("hold_expired", { still_free: false })));
    expect(isHoldfastError(error)).toBe(true);
    expect(isHoldfastError(error, "not_found")).toBe(false);
    expect(isHoldfastError(error, "not_found", "hold_expired")).toBe(true);
    expect(isHoldfastError(new Error("x"))).toBe(false);
    if (!isHoldfastError(error, "hold_expired")) throw new Error("unreachable");
    const stillFree: boolean = error.problem.stillFree;
    expect(stillFree).toBe(false);
    // @ts-expect-error: an expired hold has no conflicts.
    expect(error.problem.conflicts).toBeUndefined();
  });
});
