// The part of the model that looks at one moment: who is where, and what the units come to.

import type { Anomaly } from "./anomalies.ts";
import type { Balance, Snapshot, Taken } from "./observer.ts";

export function faultsOfSnapshot({ claims, bookings, balances }: Snapshot): Anomaly[] {
  return [
    ...overlaps(claims).map((pair) => overlap("claims", pair)),
    ...overlaps(bookings).map((pair) => overlap("bookings", pair)),
    ...balances.flatMap(faultsOfBalance),
  ];
}

/** Pairs of one subject and lane that meet and are not of one slot. */
export function overlaps(taken: readonly Taken[]): [Taken, Taken][] {
  const found: [Taken, Taken][] = [];
  const order = [...taken].sort(
    (a, b) =>
      (a.subject < b.subject ? -1 : a.subject > b.subject ? 1 : 0) || a.lane - b.lane || a.start - b.start,
  );
  let open: Taken[] = [];
  for (const one of order) {
    open = open.filter(
      (other) => other.subject === one.subject && other.lane === one.lane && other.end > one.start,
    );
    for (const other of open) if (other.slot !== one.slot) found.push([other, one]);
    open.push(one);
  }
  return found;
}

const overlap = (what: string, [one, other]: [Taken, Taken]): Anomaly => ({
  kind: "overlap_visible",
  what: `${what} ${one.id} and ${other.id} of ${one.subject} overlap at ${new Date(other.start).toISOString()}`,
});

function faultsOfBalance(balance: Balance): Anomaly[] {
  const { id, units, reserved, scheduled, used, overridden } = balance;
  const found: Anomaly[] = [];
  if (Math.min(reserved, scheduled, used, overridden) < 0) {
    found.push({ kind: "balance_negative", what: `authorization ${id} has a negative balance` });
  }
  if (reserved + scheduled + used > units) {
    found.push({ kind: "balance_overdrawn", what: `authorization ${id} gives more than its ${units} units` });
  }
  const drawn = [reserved, scheduled, used].join(", ");
  const byRows = [balance.reservedByRows, balance.scheduledByRows, balance.usedByRows].join(", ");
  if (drawn !== byRows) {
    found.push({
      kind: "balance_wrong",
      what: `authorization ${id} has ${drawn} reserved, scheduled and used, its bookings take ${byRows}`,
    });
  }
  return found;
}
