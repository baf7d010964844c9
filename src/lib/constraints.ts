/**
 * What it means to a caller that a constraint of the database refused a write: one row a constraint. It is the
 * backstop for what an RPC did not refuse by name, so most rows are reached only by a direct write.
 */
import type { ProblemCode } from "./problems.ts";

/** A constraint's problem code and, where one input field is at fault, its name on the wire. */
export interface ConstraintProblem {
  readonly code: ProblemCode;
  readonly field?: string;
}

/** Constraint name → problem. Every exclusion, unique, check and foreign key of the schema has a row. */
export const CONSTRAINT_PROBLEMS: Readonly<Record<string, ConstraintProblem>> = {
  calendar_claims_no_overlap: { code: "therapist_conflict" },
  sessions_no_overlap: { code: "therapist_conflict" },
};
