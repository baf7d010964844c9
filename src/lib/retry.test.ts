import { afterEach, beforeEach, describe, expect, it, vi } from "vitest";
import { HoldfastError, toAppProblem } from "./errors.ts";
import { type ProblemCode, toProblem } from "./problems.ts";
import { wait, withRetries } from "./retry.ts";

const problem = (code: ProblemCode, details: object = {}) =>
  new HoldfastError(toAppProblem(toProblem(code as "forbidden", details)));
const unavailable = (retry_after = 0) => problem("unavailable", { retry_after });

/** Attempts that fail with these errors in turn and then succeed, and the moments at which they were made. */
function failing(...errors: unknown[]) {
  const made: number[] = [];
  const attempt = async () => {
    made.push(Date.now());
    if (errors.length > 0) throw errors.shift();
    return "done";
  };
  return { attempt, made };
}

beforeEach(() => {
  vi.useFakeTimers();
});
afterEach(() => {
  vi.restoreAllMocks();
  vi.useRealTimers();
});

async function settled<T>(promise: Promise<T>): Promise<T> {
  promise.catch(() => {});
  await vi.runAllTimersAsync();
  return promise;
}

describe("a call", () => {
  it.each<[string, unknown]>([
    ["the service is not available", unavailable()],
    ["there were too many", problem("rate_limited", { retry_after: 1 })],
    ["the same request is still being processed", problem("idempotency_in_flight")],
  ])("is made again when %s", async (_, error) => {
    const { attempt, made } = failing(error, error);
    expect(await settled(withRetries(attempt, { maxAttempts: 3 }))).toBe("done");
    expect(made).toHaveLength(3);
  });

  it.each<ProblemCode>(["internal_error", "forbidden", "unauthenticated", "idempotency_key_reused"])(
    "is not made again after %s",
    async (code) => {
      const { attempt, made } = failing(problem(code));
      await expect(settled(withRetries(attempt, { maxAttempts: 5 }))).rejects.toMatchObject({ code });
      expect(made).toHaveLength(1);
    },
  );

  it("is not made again after a conflict, although that says when its time may come free", async () => {
    const { attempt, made } = failing(problem("therapist_conflict", { retry_after: 1 }));
    await expect(settled(withRetries(attempt, { maxAttempts: 5 }))).rejects.toMatchObject({ status: 409 });
    expect(made).toHaveLength(1);
  });

  it("is not made again after an error that is none of ours", async () => {
    const { attempt, made } = failing(new TypeError("a defect"));
    await expect(settled(withRetries(attempt, { maxAttempts: 5 }))).rejects.toThrow("a defect");
    expect(made).toHaveLength(1);
  });

  it("is made once unless more is asked for, and never more often than that", async () => {
    for (const [options, times] of [
      [{}, 1],
      [{ maxAttempts: 3 }, 3],
    ] as const) {
      const { attempt, made } = failing(...Array.from({ length: 9 }, () => unavailable()));
      await expect(settled(withRetries(attempt, options))).rejects.toMatchObject({ code: "unavailable" });
      expect(made).toHaveLength(times);
    }
  });

  it.each([0, 0.5, 0.999])(
    "waits what the server asks and, by chance (%d), up to 0.25, 0.5, 1 s more",
    async (chance) => {
      vi.spyOn(Math, "random").mockReturnValue(chance);
      const { attempt, made } = failing(unavailable(2), unavailable(2), unavailable(0));
      await settled(withRetries(attempt, { maxAttempts: 4 }));
      const waited = made.slice(1).map((at, index) => at - (made[index] ?? 0));
      [2_250, 2_500, 1_000].forEach((most, index) => {
        const least = index === 2 ? 0 : 2_000;
        const expected = least + (most - least) * chance;
        expect(Math.abs((waited[index] ?? Number.NaN) - expected)).toBeLessThanOrEqual(1);
      });
    },
  );

  it("is given up where the server asks to wait longer than the caller would", async () => {
    const { attempt, made } = failing(unavailable(11));
    await expect(settled(withRetries(attempt, { maxAttempts: 5 }))).rejects.toMatchObject({ retryAfter: 11 });
    expect(made).toHaveLength(1);
    const patient = failing(unavailable(11));
    expect(await settled(withRetries(patient.attempt, { maxAttempts: 5, maxWaitSeconds: 60 }))).toBe("done");
  });

  it("is not made again once it is given up while waiting, and rejects with the signal's reason at once", async () => {
    const { attempt, made } = failing(unavailable(5));
    const controller = new AbortController();
    const reason = new Error("the user left");
    const call = withRetries(attempt, { maxAttempts: 5, signal: controller.signal });
    const rejected = expect(call).rejects.toBe(reason);
    await vi.advanceTimersByTimeAsync(1_000);
    controller.abort(reason);
    await rejected;
    expect(vi.getTimerCount()).toBe(0);
    expect(made).toHaveLength(1);
  });

  it("is not even made when it was given up before", async () => {
    const { attempt, made } = failing();
    await expect(withRetries(attempt, { signal: AbortSignal.abort() })).rejects.toThrow();
    await expect(wait(1, AbortSignal.abort())).rejects.toThrow();
    expect(made).toEqual([]);
  });
});
