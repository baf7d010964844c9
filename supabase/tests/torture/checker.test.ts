// The checker itself, on histories written by hand: what is sound passes, and each way of being wrong has its name.

import { describe, expect, it } from "vitest";
import { Checker } from "../../../scripts/torture/checker.ts";
import type { Final } from "../../../scripts/torture/final.ts";
import type { Entry } from "../../../scripts/torture/history.ts";
import type { Balance, Taken } from "../../../scripts/torture/observer.ts";
import { faultsOfSnapshot, overlaps } from "../../../scripts/torture/snapshots.ts";

const ORGANIZATION = "00000000-0000-4000-8000-000000000001";
const OTHER = "00000000-0000-4000-8000-000000000002";
const USER = "00000000-0000-4000-8000-000000000003";
const THERAPIST = "00000000-0000-4000-8000-000000000004";
const CLIENT = "00000000-0000-4000-8000-000000000005";
const HOLD = "00000000-0000-4000-8000-00000000000a";
const SECOND = "00000000-0000-4000-8000-00000000000b";

const START = Date.parse("2027-01-05T15:00:00Z");
const HOUR = 3_600_000;
const iso = (at: number) => new Date(at).toISOString();
const place = {
  therapist_id: THERAPIST,
  client_id: CLIENT,
  start_time: iso(START),
  end_time: iso(START + HOUR),
};

let clock = 0;
function entry(operation: number, name: string, request: Record<string, unknown>, changes: object): Entry {
  const began = ++clock;
  return {
    operation,
    attempt: 1,
    via: "sql",
    organization: ORGANIZATION,
    user: USER,
    name,
    request,
    began,
    ended: ++clock,
    outcome: "ok",
    ...changes,
  };
}

const held = (operation: number, id: string, changes: object = {}) =>
  entry(
    operation,
    "hold_sessions",
    { service_code: "97153" },
    {
      data: { hold_key: id, holds: [{ hold_key: id, ...place, expires_at: iso(START) }], skipped: [] },
      ...changes,
    },
  );
const session = (id: string, version: number, changes: object = {}) => ({
  id,
  version,
  ...place,
  room_id: null,
  group_id: null,
  service_code: "97153",
  status: "scheduled",
  ...changes,
});
const confirmed = (operation: number, id: string, changes: object = {}) =>
  entry(
    operation,
    "confirm_sessions",
    { hold_key: id },
    { data: { sessions: [session(id, 1)] }, ...changes },
  );
const moved = (operation: number, id: string, version: number, start: number) =>
  entry(
    operation,
    "move_session",
    { session_id: id },
    {
      data: {
        sessions: [session(id, version, { start_time: iso(start), end_time: iso(start + HOUR) })],
      },
    },
  );
const cancelled = (operation: number, id: string, changes: object = {}) =>
  entry(
    operation,
    "cancel_sessions",
    { session_ids: [id] },
    {
      data: { cancelled: [{ id, kind: "session" }] },
      ...changes,
    },
  );

const holdRow = (id: string, status: string) => ({
  id,
  batch_key: id,
  therapist_id: THERAPIST,
  client_id: CLIENT,
  session_id: null,
  group_id: null,
  start: START,
  end: START + HOUR,
  status,
});
const sessionRow = (id: string, version: number, changes: object = {}) => ({
  id,
  therapist_id: THERAPIST,
  client_id: CLIENT,
  room_id: null,
  group_id: null,
  start: START,
  end: START + HOUR,
  status: "scheduled",
  version,
  ...changes,
});

function final(changes: Partial<Final>): Final {
  const rows = {
    holds: new Map(),
    sessions: new Map(),
    notes: new Map(),
    snapshot: { claims: [], bookings: [], balances: [] },
    refusals: new Map(),
    owners: new Map([
      [ORGANIZATION, ORGANIZATION],
      [OTHER, OTHER],
    ]),
    trail: { finding: null, unsealed: 0, lostHeads: 0 },
    ledgerFaults: 0,
    ...changes,
  };
  // Complete, unless a test says otherwise.
  const events = new Map<string, number>();
  for (const { id, status } of rows.holds.values()) {
    events.set(`hold.created ${id}`, 1);
    if (status !== "held") events.set(`hold.${status} ${id}`, 1);
  }
  for (const { id, status } of rows.sessions.values()) {
    events.set(`session.scheduled ${id}`, 1);
    if (status === "cancelled") events.set(`session.cancelled ${id}`, 1);
  }
  return { events, ...rows };
}

const rowsOf = <Row extends { id: string }>(...rows: Row[]) => new Map(rows.map((row) => [row.id, row]));
const booked = () =>
  final({ holds: rowsOf(holdRow(HOLD, "confirmed")), sessions: rowsOf(sessionRow(HOLD, 1)) });

/** The kinds of anomalies of a history, each once. */
function kindsOf(history: Entry[], end: Final, unresolved = 0): string[] {
  const checker = new Checker(end);
  for (const one of history) checker.see(one);
  checker.finish(unresolved);
  return Object.keys(checker.counts);
}

describe("the checker", () => {
  it("has nothing to say of what was held, confirmed, moved, cancelled, asked twice and answered late", () => {
    const unanswered = held(1, HOLD, { outcome: "unknown", data: undefined });
    const history = [unanswered, held(1, HOLD), held(1, HOLD, { replayed: true }), confirmed(2, HOLD)];
    const steps = [...history, moved(3, HOLD, 2, START + HOUR), cancelled(4, HOLD)];
    const row = sessionRow(HOLD, 3, { start: START + HOUR, end: START + 2 * HOUR, status: "cancelled" });
    const end = final({ holds: rowsOf(holdRow(HOLD, "confirmed")), sessions: rowsOf(row) });
    end.events.set(`session.moved ${HOLD}`, 1);
    expect(kindsOf(steps, end)).toEqual([]);
  });

  it("misses an acknowledged hold, confirmation, cancellation and move", () => {
    expect(kindsOf([held(1, HOLD)], final({}))).toEqual(["effect_lost"]);
    const onlyHeld = final({ holds: rowsOf(holdRow(HOLD, "held")) });
    expect(kindsOf([held(1, HOLD), confirmed(2, HOLD)], onlyHeld)).toEqual(["effect_lost"]);
    expect(kindsOf([held(1, HOLD), confirmed(2, HOLD), cancelled(3, HOLD)], booked())).toContain(
      "effect_lost",
    );
    const history = [held(1, HOLD), confirmed(2, HOLD), moved(3, HOLD, 2, START + HOUR)];
    expect(kindsOf(history, booked())).toContain("effect_lost");
  });

  it("finds what no answer tells of", () => {
    expect(kindsOf([], booked())).toEqual(["effect_unacknowledged"]);
    const released = final({ holds: rowsOf(holdRow(HOLD, "released")) });
    expect(kindsOf([held(1, HOLD)], released)).toEqual(["effect_unacknowledged"]);
    const twiceMoved = final({
      holds: rowsOf(holdRow(HOLD, "confirmed")),
      sessions: rowsOf(sessionRow(HOLD, 2)),
    });
    expect(kindsOf([held(1, HOLD), confirmed(2, HOLD)], twiceMoved)).toEqual(["effect_unacknowledged"]);
  });

  it("finds two effects of one key, and one version made twice", () => {
    const both = final({ holds: rowsOf(holdRow(HOLD, "held"), holdRow(SECOND, "held")) });
    expect(kindsOf([held(1, HOLD), held(1, SECOND)], both)).toContain("effect_doubled");
    const history = [held(1, HOLD), confirmed(2, HOLD), confirmed(3, HOLD)];
    expect(kindsOf(history, booked())).toEqual(["effect_doubled"]);
  });

  it("finds a session that is not where the last answer put it", () => {
    const row = sessionRow(HOLD, 1, { start: START + HOUR });
    const end = final({ holds: rowsOf(holdRow(HOLD, "confirmed")), sessions: rowsOf(row) });
    expect(kindsOf([held(1, HOLD), confirmed(2, HOLD)], end)).toEqual(["effect_altered"]);
  });

  it("wants every operation answered in the end", () => {
    const unanswered = held(1, HOLD, { outcome: "unknown", data: undefined });
    expect(kindsOf([unanswered], final({}))).toEqual(["unresolved"]);
    const refused = held(1, HOLD, { outcome: "refused", code: "therapist_conflict", data: undefined });
    const recorded = final({
      refusals: new Map([[`${ORGANIZATION} rpc.hold_sessions therapist_conflict`, 1]]),
    });
    expect(kindsOf([unanswered, refused], recorded)).toEqual([]);
  });

  it("wants an event for each effect, one for each refusal, and a trail that is sealed", () => {
    const history = [held(1, HOLD), confirmed(2, HOLD)];
    const without = booked();
    without.events.delete(`session.scheduled ${HOLD}`);
    expect(kindsOf(history, without)).toEqual(["audit_incomplete"]);
    const twice = booked();
    twice.events.set(`hold.created ${HOLD}`, 2);
    expect(kindsOf(history, twice)).toEqual(["audit_incomplete"]);
    const refused = held(3, SECOND, { outcome: "refused", code: "therapist_conflict", data: undefined });
    expect(kindsOf([...history, refused], booked())).toEqual(["audit_incomplete"]);
    for (const trail of [
      { finding: "Event 7 was altered", unsealed: null, lostHeads: 0 },
      { finding: null, unsealed: 3, lostHeads: 0 },
      { finding: null, unsealed: 0, lostHeads: 1 },
    ]) {
      expect(kindsOf([], final({ trail }))).toEqual(["audit_not_sealed"]);
    }
  });

  it("finds another tenant's row in an answer, also in a refusal", () => {
    const shown = entry(1, "read", {}, { data: [{ ...session(HOLD, 1), organization_id: OTHER }] });
    const told = entry(2, "read", {}, { outcome: "refused", code: "not_found", problem: { detail: OTHER } });
    for (const one of [shown, told]) expect(kindsOf([one], final({}))).toEqual(["leak"]);
  });

  it("finds what was done for who may not, and after the role was revoked but not before or beside a grant", () => {
    expect(kindsOf([held(1, HOLD, { forbidden: true })], final({}))).toEqual(["forbidden_done"]);
    const change = (name: string) => entry(-1, name, { user_id: USER }, {});
    const end = () => final({ holds: rowsOf(holdRow(HOLD, "held")) });
    const revoke = change("revoke_role");
    expect(kindsOf([revoke, held(1, HOLD)], end())).toEqual(["forbidden_done"]);
    expect(kindsOf([change("revoke_role"), change("grant_role"), held(1, HOLD)], end())).toEqual([]);
    const before = held(1, HOLD);
    expect(kindsOf([before, change("revoke_role")], end())).toEqual([]);
    const overlapping = { ...held(1, HOLD), ended: clock + 100 };
    const late = [{ ...change("revoke_role"), began: 0, ended: 1 }, overlapping, change("grant_role")];
    expect(kindsOf(late, end())).toEqual([]);
  });

  it("finds an answer that nobody should see", () => {
    const deadlock = held(1, HOLD, { outcome: "broken", code: "40P01", data: undefined });
    expect(kindsOf([deadlock], final({}))).toEqual(["broken_answer"]);
  });

  it("finds two bookings that were had at once, whatever the tables say; not one after the other", () => {
    const end = () => final({ holds: rowsOf(holdRow(HOLD, "released"), holdRow(SECOND, "held")) });
    const released = () =>
      entry(3, "cancel_sessions", { hold_key: HOLD }, { data: { cancelled: [{ id: HOLD, kind: "hold" }] } });
    expect(kindsOf([held(1, HOLD), released(), held(2, SECOND)], end())).toEqual([]);
    expect(kindsOf([held(1, HOLD), held(2, SECOND), released()], end())).toEqual(["overlap_acknowledged"]);
    const began = clock + 1;
    const asked = { ...released(), began, ended: began + 100 };
    expect(kindsOf([held(1, HOLD), held(2, SECOND), asked], end())).toEqual([]);
  });

  it("takes a hold for lost once the clock may have jumped, and for had where it jumped before", () => {
    const end = () => final({ holds: rowsOf(holdRow(HOLD, "expired"), holdRow(SECOND, "held")) });
    const jumped = (changes: object) => entry(-1, "clock", {}, changes);
    expect(kindsOf([jumped({}), held(1, HOLD), held(2, SECOND)], end())).toEqual(["overlap_acknowledged"]);
    // It began before the hold was asked for, and nobody knows at which moment it counted.
    const during = jumped({ ended: clock + 100 });
    expect(kindsOf([during, held(1, HOLD), held(2, SECOND)], end())).toEqual([]);
    expect(kindsOf([jumped({ outcome: "unknown" }), held(1, HOLD), held(2, SECOND)], end())).toEqual([]);
  });
});

describe("a snapshot", () => {
  const taken = (id: string, start: number, end: number, changes: Partial<Taken> = {}): Taken => ({
    id,
    subject: THERAPIST,
    lane: 0,
    slot: id,
    start,
    end,
    ...changes,
  });

  it("shows who is in two places at once: not who is next, in another lane, or in the same slot", () => {
    expect(overlaps([taken("a", 0, 10), taken("b", 10, 20)])).toEqual([]);
    expect(overlaps([taken("a", 0, 10), taken("b", 5, 20, { lane: 1 })])).toEqual([]);
    expect(overlaps([taken("a", 0, 10), taken("b", 5, 20, { subject: CLIENT })])).toEqual([]);
    expect(overlaps([taken("a", 0, 10, { slot: "s" }), taken("b", 0, 10, { slot: "s" })])).toEqual([]);
    expect(overlaps([taken("a", 0, 30), taken("b", 5, 10), taken("c", 20, 40)])).toHaveLength(2);
  });

  it("shows units that are negative, too many, or not those of the bookings", () => {
    const balance: Balance = {
      id: "a",
      units: 10,
      reserved: 2,
      scheduled: 4,
      used: 0,
      overridden: 0,
      reservedHalfHours: 1,
      scheduledHalfHours: 2,
    };
    const kinds = (changes: Partial<Balance>) =>
      faultsOfSnapshot({ claims: [], bookings: [], balances: [{ ...balance, ...changes }] }).map(
        ({ kind }) => kind,
      );
    expect(kinds({})).toEqual([]);
    expect(kinds({ used: -1 })).toEqual(["balance_negative"]);
    expect(kinds({ units: 5 })).toEqual(["balance_overdrawn"]);
    expect(kinds({ reserved: 4 })).toEqual(["balance_wrong"]);
    expect(kinds({ scheduledHalfHours: 1 })).toEqual(["balance_wrong"]);
  });
});
