// Statements that read a table of tenants as a whole, or that are not the project's, each with the reason.

import type { Finding } from "./judge.ts";

interface Exception extends Pick<Finding, "of" | "within"> {
  why: string;
}

export const exceptions: Exception[] = [
  {
    of: "auth.users",
    within: "an app",
    why: "The local Auth server's own look-up by email address; hosted Auth has an index for it.",
  },
  {
    of: "app.call_counts",
    within: "call_metrics",
    why: "A monitor's question about all users at once, of one row a user. An index by minute would be written by every call.",
  },
];

export function isException({ of, within }: Finding): boolean {
  return exceptions.some((it) => it.of === of && it.within === within);
}
