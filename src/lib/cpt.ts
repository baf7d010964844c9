/**
 * CPT time units of the 15-minute ABA services.
 */

const MINUTES_PER_UNIT = 15;
const MINUTES_PAST_MIDPOINT = 8;

/**
 * Billable units of a service of `minutes` minutes under the CPT midpoint rule: a unit of time is attained when its
 * midpoint is passed, so the first unit begins at 8 minutes, the second at 23, the third at 38, …:
 * `floor((minutes + 7) / 15)`.
 *
 * This is not the Medicare 8-minute rule, which pools minutes across codes. A payer may override the rule; that is
 * settled in the database, not here.
 *
 * @param minutes length of the service in minutes, zero or more; a part of a minute counts for nothing.
 * @returns whole units.
 * @throws RangeError when `minutes` is negative or not finite.
 */
export function units(minutes: number): number {
  if (!Number.isFinite(minutes) || minutes < 0) throw new RangeError("minutes must be zero or more");
  return Math.floor((Math.floor(minutes) + MINUTES_PER_UNIT - MINUTES_PAST_MIDPOINT) / MINUTES_PER_UNIT);
}

/**
 * The length that is billed: `units(minutes)` in minutes, by the CPT midpoint rule.
 *
 * @param minutes length of the service in minutes, zero or more.
 * @returns a multiple of 15 minutes.
 * @throws RangeError as `units`.
 */
export function roundedMinutes(minutes: number): number {
  return units(minutes) * MINUTES_PER_UNIT;
}
