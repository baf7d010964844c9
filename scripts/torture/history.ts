// What was asked and what was answered, in the form that the checker reads: one entry an attempt.

import { createReadStream, createWriteStream } from "node:fs";
import { createInterface } from "node:readline";
import type { Clinic } from "./world.ts";

export type Outcome =
  /** It was answered: done. */
  | "ok"
  /** It was answered: not done, and why. */
  | "refused"
  /** There was no answer, or one that does not say whether it was done. */
  | "unknown"
  /** It was answered with what nobody should ever see. */
  | "broken";

export interface Answer {
  outcome: Outcome;
  /** The problem's code, a SQLSTATE, or what the network said. */
  code?: string;
  /** The answer said that it is the first one again. */
  replayed?: boolean;
  data?: unknown;
  /** Whatever else was in it: problems. */
  problem?: unknown;
}

export interface Entry extends Answer {
  /** Attempts of one operation share its number, and its Idempotency-Key. */
  operation: number;
  attempt: number;
  via: "sql" | "http";
  organization: string;
  user: string;
  /** The RPC, or `read`, `read_*`, `revoke_role`, `grant_role`, `sweep`, `clock`, `arrange`. */
  name: string;
  request: Record<string, unknown>;
  /** Whoever asked must not get what is asked: of another tenant, or without a session. */
  forbidden?: true;
  /** Milliseconds since 1970. */
  began: number;
  ended: number;
}

export const now = (): number => performance.timeOrigin + performance.now();

/** What the run itself does to the clinic, and the checker must know of. */
export function ownEntry(
  clinic: Clinic,
  name: "arrange" | "clock" | "grant_role",
  request: Entry["request"],
  began: number,
  outcome: Outcome,
  data?: unknown,
): Entry {
  return {
    operation: -1,
    attempt: 1,
    via: "sql",
    organization: clinic.id,
    user: clinic.admin.id,
    name,
    request,
    began,
    ended: now(),
    outcome,
    ...(data !== undefined && { data }),
  };
}

/** What has no effect: a look at rows, over REST or as the same in SQL. */
export const isRead = (name: string): boolean => name === "read" || name.startsWith("read_");

/** What has an effect and an Idempotency-Key that finds it. */
export const isKeyed = (name: string): boolean => !isRead(name) && !/_role$|^sweep$/.test(name);

export interface Recorder {
  record(entry: Entry): void;
  close(): Promise<void>;
}

/** Writes the history to a file, an entry a line. */
export function recordTo(file: string): Recorder {
  const stream = createWriteStream(file, { highWaterMark: 1 << 20 });
  return {
    record: (entry) => void stream.write(`${JSON.stringify(entry)}\n`),
    close: () =>
      new Promise((resolve, reject) => {
        stream.once("error", reject);
        stream.end(resolve);
      }),
  };
}

export async function* readHistory(file: string): AsyncGenerator<Entry> {
  for await (const line of createInterface({ input: createReadStream(file) }))
    yield JSON.parse(line) as Entry;
}
