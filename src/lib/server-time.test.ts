import type { SupabaseClient } from "@supabase/supabase-js";
import { afterEach, beforeEach, describe, expect, it, vi } from "vitest";
import { holdCountdown, learnServerTime, serverNow } from "./server-time.ts";

const NOW = Date.parse("2027-03-14T09:30:00.000Z");
const in_ = (seconds: number) => ({ expiresAt: new Date(NOW + seconds * 1_000).toISOString() });
const answer = (date: string | null) => new Response(null, { headers: date === null ? {} : { date } });

beforeEach(() => {
  vi.useFakeTimers({ now: NOW });
});
afterEach(() => {
  vi.useRealTimers();
});

describe("the server's clock", () => {
  it.each([-3_600, 0, 120])("is known to a second when our own is %d s off", (ahead) => {
    const supabase = {} as SupabaseClient;
    const server = NOW + ahead * 1_000;
    for (const fraction of [0, 400, 999]) {
      learnServerTime(supabase, answer(new Date(server + fraction).toUTCString()), NOW);
      for (const later of [0, 60_000]) {
        vi.setSystemTime(NOW + later);
        const early = serverNow(supabase) - (server + fraction + later);
        expect(early).toBeGreaterThanOrEqual(0);
        expect(early).toBeLessThanOrEqual(1_000);
      }
      vi.setSystemTime(NOW);
    }
  });

  /** What the clock is off by after answers that took so long on each way. */
  function offBy(supabase: SupabaseClient, ...ways: [there: number, back: number][]): number {
    for (const [there, back] of ways) {
      const asked = Date.now();
      vi.setSystemTime(asked + there + back);
      learnServerTime(supabase, answer(new Date(asked + there).toUTCString()), asked);
    }
    return serverNow(supabase) - Date.now();
  }

  it("is known when the answer took its time: no later than by half of that", () => {
    expect(offBy({} as SupabaseClient, [4_000, 4_000])).toBeGreaterThanOrEqual(0);
    expect(offBy({} as SupabaseClient, [0, 8_000])).toBeGreaterThanOrEqual(-4_000);
  });

  it("is what the quickest answer says, until a clock is set", () => {
    const supabase = {} as SupabaseClient;
    expect(Math.abs(offBy(supabase, [10, 10], [0, 8_000], [8_000, 0]) - 500)).toBeLessThanOrEqual(510);
    vi.setSystemTime(Date.now() - 3_600_000);
    learnServerTime(supabase, answer(new Date(Date.now() + 3_600_000).toUTCString()), Date.now() - 500);
    expect(Math.abs(serverNow(supabase) - Date.now() - 3_600_000)).toBeLessThanOrEqual(1_500);
  });

  it("is our own until an answer tells it, and each client has its own", () => {
    const [one, other] = [{} as SupabaseClient, {} as SupabaseClient];
    learnServerTime(one, answer(null), NOW);
    learnServerTime(one, answer("yesterday"), NOW);
    expect(serverNow(one)).toBe(NOW);
    learnServerTime(one, answer(new Date(NOW + 60_000).toUTCString()), NOW);
    expect(serverNow(one)).not.toBe(NOW);
    expect(serverNow(other)).toBe(NOW);
  });
});

describe("holdCountdown", () => {
  it("ticks at once, each second, and the last time with 0", () => {
    const ticks: number[] = [];
    holdCountdown(in_(2.5), (seconds) => ticks.push(seconds));
    expect(ticks).toEqual([3]);
    vi.advanceTimersByTime(500);
    expect(ticks).toEqual([3, 2]);
    vi.runAllTimers();
    expect(ticks).toEqual([3, 2, 1, 0]);
    expect(vi.getTimerCount()).toBe(0);
  });

  it("says 0, once, of a hold that has ended", () => {
    const ticks: number[] = [];
    holdCountdown(in_(-5), (seconds) => ticks.push(seconds));
    vi.runAllTimers();
    expect(ticks).toEqual([0]);
  });

  it("counts by the clock that it is given", () => {
    const ticks: number[] = [];
    holdCountdown(
      in_(2),
      (seconds) => ticks.push(seconds),
      () => Date.now() + 1_000,
    );
    vi.runAllTimers();
    expect(ticks).toEqual([1, 0]);
  });

  it("shows the right time after the device slept", () => {
    const ticks: number[] = [];
    holdCountdown(in_(300), (seconds) => ticks.push(seconds));
    vi.setSystemTime(NOW + 290_000);
    vi.advanceTimersByTime(1_000);
    expect(ticks).toEqual([300, 9]);
  });

  it.each(["by the caller", "within a tick"])("stops when it is stopped %s", (how) => {
    const ticks: number[] = [];
    const stop = holdCountdown(in_(5), (seconds) => {
      ticks.push(seconds);
      if (how === "within a tick" && seconds === 4) stop();
    });
    vi.advanceTimersByTime(1_000);
    if (how === "by the caller") stop();
    vi.runAllTimers();
    expect(ticks).toEqual([5, 4]);
  });

  it("refuses a hold without an end", () => {
    expect(() => holdCountdown({ expiresAt: "soon" }, () => {})).toThrow(RangeError);
  });
});
