/**
 * Making a call again by itself. Safe for every call of this library: one that has an effect carries an idempotency key,
 * the same for each attempt, and the others only read.
 */
import { isHoldfastError } from "./errors.ts";

export interface RetryOptions {
  /** How often a call is made at most, the first time included. 1, which never repeats it, unless said otherwise. */
  maxAttempts?: number;
  /** Longest wait between two attempts, in seconds (10). Where the server asks for a longer one, its problem is thrown. */
  maxWaitSeconds?: number;
  /** Gives up waiting. The promise rejects with the signal's reason; the effect may have happened all the same. */
  signal?: AbortSignal;
}

const MAX_WAIT_SECONDS = 10;
const FIRST_WAIT_SECONDS = 0.25;

/**
 * Calls until there is an answer, while waiting can help: the service is not available, was asked too often, or is still
 * busy with the same request. Waits as long as the server asks (Retry-After), and up to 0.25, 0.5, 1, ... seconds more,
 * by chance, so that callers who were refused together do not come back together.
 */
export async function withRetries<Answer>(
  attempt: () => Promise<Answer>,
  { maxAttempts = 1, maxWaitSeconds = MAX_WAIT_SECONDS, signal }: RetryOptions,
): Promise<Answer> {
  signal?.throwIfAborted();
  for (let made = 1; ; made++) {
    try {
      return await attempt();
    } catch (error) {
      if (!isHoldfastError(error, "unavailable", "rate_limited", "idempotency_in_flight")) throw error;
      const asked = error.retryAfter ?? 0;
      if (made >= maxAttempts || asked > maxWaitSeconds) throw error;
      const chance = Math.random() * FIRST_WAIT_SECONDS * 2 ** (made - 1);
      await wait(Math.min(asked + chance, maxWaitSeconds), signal);
    }
  }
}

/** Waits; rejects with the signal's reason as soon as it is given up. */
export async function wait(seconds: number, signal?: AbortSignal): Promise<void> {
  signal?.throwIfAborted();
  await new Promise<void>((resolve, reject) => {
    const giveUp = () => {
      clearTimeout(timer);
      reject(signal?.reason);
    };
    const timer = setTimeout(() => {
      signal?.removeEventListener("abort", giveUp);
      resolve();
    }, seconds * 1_000);
    signal?.addEventListener("abort", giveUp, { once: true });
  });
}

/** What cannot be broken off: its outcome; rejects with the signal's reason as soon as it is given up. */
export async function unlessGivenUp<Outcome>(
  outcome: Promise<Outcome>,
  signal: AbortSignal | undefined,
): Promise<Outcome> {
  let giveUp = () => {};
  const givenUp = new Promise<never>((_, reject) => {
    giveUp = () => reject(signal?.reason);
    if (signal?.aborted) giveUp();
    else signal?.addEventListener("abort", giveUp);
  });
  try {
    return await Promise.race([outcome, givenUp]);
  } finally {
    signal?.removeEventListener("abort", giveUp);
  }
}
