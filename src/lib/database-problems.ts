/**
 * The one mapping from an error of the database to a problem. A module of its own, so that apps load it, with a row for
 * every constraint, only when they meet such an error.
 */
import { CONSTRAINT_PROBLEMS } from "./constraints.ts";
import type { ProblemCode, Refusal } from "./problems.ts";

/** What PostgREST says of an error: a SQLSTATE or `PGRST…` code, and a message that names the constraint. */
export interface PostgrestFailure {
  readonly code?: string | undefined;
  readonly message?: string | undefined;
}

/**
 * SQLSTATE or PostgREST code → problem. An exact code wins over its class (the first two characters). What has no row
 * is a defect of ours: `internal_error`.
 */
export const SQLSTATE_PROBLEMS: Readonly<Record<string, ProblemCode>> = {
  // Transient: the same request may succeed.
  "08": "unavailable", // connection exception
  "40001": "unavailable", // serialization failure
  "40P01": "unavailable", // deadlock detected
  "25006": "unavailable", // read only: a standby, or a full disk on hosted
  "53": "unavailable", // insufficient resources: connections, memory, disk
  "55P03": "unavailable", // lock not available
  "57014": "unavailable", // statement timeout
  "57P01": "unavailable", // the server shuts down
  "57P02": "unavailable", // the server crashed
  "57P03": "unavailable", // the server starts up
  PGRST000: "unavailable", // PostgREST cannot reach the database
  PGRST001: "unavailable",
  PGRST002: "unavailable",
  PGRST003: "unavailable", // PostgREST's pool is exhausted
  // Who is asking.
  "42501": "forbidden", // insufficient privilege
  PGRST301: "unauthenticated", // the token is not valid
  PGRST302: "unauthenticated", // anonymous access is off
  PGRST303: "unauthenticated", // the token's claims are not valid
  // What was asked for; a constraint with its own row says it better.
  "22": "validation_failed", // data exception
  "23502": "validation_failed", // not null
  "23503": "validation_failed", // foreign key
  "23514": "validation_failed", // check
};

const CONSTRAINT_CLASS = "23";
const RETRY_SECONDS = 1;
const NOT_POSSIBLE = { code: "invalid_value", message: "This value is not possible here." };

/**
 * What a database error is to the caller, for `problemFromRefusal`. A violated constraint is found by its name, everything
 * else by its SQLSTATE. The error's own text never reaches the caller.
 */
export function refusalOfDatabase({ code = "", message = "" }: PostgrestFailure): Refusal {
  const constraint = code.startsWith(CONSTRAINT_CLASS) ? constraintIn(message) : undefined;
  const problemCode =
    constraint?.code ?? SQLSTATE_PROBLEMS[code] ?? SQLSTATE_PROBLEMS[code.slice(0, 2)] ?? "internal_error";
  return {
    code: problemCode,
    ...(problemCode === "unavailable" || problemCode === "rate_limited"
      ? { retry_after: RETRY_SECONDS }
      : {}),
    ...(constraint?.field ? { errors: [{ field: constraint.field, ...NOT_POSSIBLE }] } : {}),
    ...(problemCode === "hold_expired" ? { still_free: false } : {}),
  };
}

/** The row of the constraint that an error message names; the message may name a table in quotes before it. */
function constraintIn(message: string) {
  for (const [, name = ""] of message.matchAll(/"([^"]+)"/g)) {
    if (Object.hasOwn(CONSTRAINT_PROBLEMS, name)) return CONSTRAINT_PROBLEMS[name];
  }
  return undefined;
}
