/**
 * The server's clock as its answers tell it (the Date header), and the countdown of a hold by it: the clock of a device may
 * be minutes off, and a hold ends by the server's.
 */
import type { SupabaseClient } from "@supabase/supabase-js";

const SECOND_MS = 1_000;

/** How far the server's clock is ahead of ours, and how long the answer took that said so. */
const known = new WeakMap<SupabaseClient, { ahead: number; took: number }>();

/** Takes note of what an answer that has just come says of the server's clock. `asked`: when it was asked for, by ours. */
export function learnServerTime(supabase: SupabaseClient, response: Response, asked: number): void {
  const date = Date.parse(response.headers.get("date") ?? "");
  if (Number.isNaN(date)) return;
  const now = Date.now();
  const took = Math.max(0, now - asked);
  // The header has whole seconds, rounded down. Rounded up, a countdown ends a little early, and not a little late. When it
  // was written, between asking and now, nobody says: in the middle, it is off by half of that at most.
  const ahead = date + SECOND_MS - (now - took / 2);
  const before = known.get(supabase);
  // A quicker answer knew better, unless the two cannot both be right: a clock was set since.
  const agrees = before && Math.abs(ahead - before.ahead) <= (took + before.took) / 2 + SECOND_MS;
  if (agrees && before.took < took) return;
  known.set(supabase, { ahead, took });
}

/** Milliseconds since 1970 by the server's clock, to about a second; by our own until a function has answered. */
export function serverNow(supabase: SupabaseClient): number {
  return Date.now() + (known.get(supabase)?.ahead ?? 0);
}

/**
 * Calls `onTick` with the whole seconds that a hold still has: now, then each second, the last time with 0. Derived from
 * the clock at each tick, so a device that slept shows the right time again.
 *
 * @param now milliseconds since 1970; `createHoldfast(...).countdown` gives the server's.
 * @returns stops counting.
 */
export function holdCountdown(
  hold: { readonly expiresAt: string },
  onTick: (secondsLeft: number) => void,
  now: () => number = Date.now,
): () => void {
  const end = Date.parse(hold.expiresAt);
  if (Number.isNaN(end)) throw new RangeError("not a valid instant");
  let timer: ReturnType<typeof setTimeout> | undefined;
  let stopped = false;
  const tick = () => {
    const left = Math.max(0, end - now());
    onTick(Math.ceil(left / SECOND_MS));
    if (left > 0 && !stopped) timer = setTimeout(tick, left % SECOND_MS || SECOND_MS);
  };
  const stop = () => {
    stopped = true;
    clearTimeout(timer);
  };
  tick();
  return stop;
}
