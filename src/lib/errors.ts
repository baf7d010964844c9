/**
 * The one error type that the client throws.
 */
import { type Camel, camelName, fromWire } from "./casing.ts";
import { type FieldError, PROBLEMS, type Problem, type ProblemCode, toProblem } from "./problems.ts";

/** A problem as apps see it: a union over codes, camelCase. `switch (problem.code)` narrows the other members. */
export type AppProblem<C extends ProblemCode = ProblemCode> = C extends ProblemCode
  ? Camel<Problem<C>>
  : never;

/**
 * A request that was refused or could not be answered. `problem` says why (RFC 9457); `code` is its machine-readable
 * code, `status` its HTTP status. Its members are typed by code: `conflicts` and `alternatives` are there for a
 * conflict only.
 *
 * @example
 * if (isHoldfastError(error, "therapist_conflict")) offer(error.problem.alternatives);
 */
export class HoldfastError<C extends ProblemCode = ProblemCode> extends Error {
  override readonly name = "HoldfastError";
  readonly problem: AppProblem<C>;
  readonly code: C;
  readonly status: number;
  /** Seconds after which trying again makes sense, or null when the answer does not say. */
  readonly retryAfter: number | null;
  /** The X-Request-Id of a function's answer, to be quoted in a report; null when none came, and of an RPC. */
  readonly requestId: string | null;

  constructor(problem: AppProblem<C>, options: { cause?: unknown; requestId?: string | null } = {}) {
    super(problem.detail ?? problem.title, options.cause === undefined ? {} : { cause: options.cause });
    this.problem = problem;
    this.code = problem.code as C;
    this.status = problem.status;
    this.retryAfter = ("retryAfter" in problem ? problem.retryAfter : undefined) ?? null;
    this.requestId = options.requestId ?? null;
  }

  /** What the caller should do about it: the catalogue's sentence. */
  get action(): string {
    return PROBLEMS[this.code].action;
  }
}

/** Says whether `error` is a HoldfastError and, when codes are given, one of these; the problem's type follows. */
export function isHoldfastError<C extends ProblemCode = ProblemCode>(
  error: unknown,
  ...codes: C[]
): error is HoldfastError<C> {
  // By name: an app that has src/lib/claims-export.ts beside the package has the class twice.
  const known = error instanceof Error && error.name === "HoldfastError" ? (error as HoldfastError) : null;
  return known !== null && (codes.length === 0 || codes.some((code) => code === known.code));
}

/** A wire problem as apps see it; the fields that `errors` names are spelled as the app spelled them. */
export function toAppProblem(problem: Problem): AppProblem {
  if (!("errors" in problem)) return fromWire(problem);
  const errors = problem.errors.map((error: FieldError) => ({ ...error, field: camelName(error.field) }));
  return fromWire({ ...problem, errors });
}

/** The problem of an answer that this version does not know: one that came, and so is not to be asked for again. */
export function unreadable(): Problem {
  return toProblem("internal_error", { detail: "The answer could not be read." });
}
