import { inject } from "vitest";
import { type Stack, type StackOptions, startStack } from "../../../scripts/stack/index.ts";

/** A stack that is the test's alone, for what would disturb others. The caller stops it. */
export function startOwnStack(options: StackOptions = {}): Promise<Stack> {
  return startStack({ template: inject("template"), ...options });
}
