// The checker itself, on histories written by hand: what is sound passes, and each way of being wrong has its name.

import { describe, expect, it } from "vitest";
import { Checker } from "../../../scripts/torture/checker.ts";
import type { Final, HoldRow, SessionRow } from "../../../scripts/torture/final.ts";
import type { Entry } from "../../../scripts/torture/history.ts";
import type { Balance, Taken } from "../../../scripts/torture/observer.ts";
import { faultsOfSnapshot, overlaps } from "../../../scripts/torture/snapshots.ts";

const ORGANIZATION = "00000000-0000-4000-8000-000000000001";
const OTHER = "00000000-0000-4000-8000-000000000002";
const USER = "00000000-0000-4000-8000-000000000003";
const THERAPIST = "00000000-0000-4000-8000-000000000004";
const CLIENT = "00000000-0000-4000-8000-000000000005";
const HOLD = "00000000-0000-4000-8000-00000000000a";
const SERIES = "00000000-0000-4000-8000-000000000006";
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

const tookOff = (operation: number, id: string) =>
  entry(operation, "add_exception", {}, { data: { exceptions: [{ id }], cancelled: [], kept: [] } });
const tookBack = (operation: number, exception_id: string) =>
  entry(operation, "cancel_exception", { exception_id }, { data: {} });
const placed = (operation: number, id: string, version: number, place_of_service: string) =>
  entry(
    operation,
    "set_place_of_service",
    { session_id: id, version: 1, place_of_service: "12" },
    { data: { session: session(id, version, { place_of_service }) } },
  );

const holdRow = (id: string, status: string) => ({
  id,
  batch_key: id,
  therapist_id: THERAPIST,
  client_id: CLIENT,
  session_id: null,
  group_id: null,
  waitlist_entry_id: null,
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
  actualStart: null,
  actualEnd: null,
  placeOfService: null,
  ...changes,
});

function final(changes: Partial<Final>): Final {
  const rows = {
    holds: new Map<string, HoldRow>(),
    sessions: new Map<string, SessionRow>(),
    notes: new Map(),
    entries: new Map(),
    off: new Map(),
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
  const charges: Final["charges"] = new Map();
  for (const { id, status } of rows.sessions.values()) {
    events.set(`session.scheduled ${id}`, 1);
    if (status === "in_progress") events.set(`session.started ${id}`, 1);
    if (/completed|no_show|cancelled/.test(status)) events.set(`session.${status} ${id}`, 1);
    charges.set(id, { planned: [4], ...(status === "completed" && { actual: [4] }) });
  }
  for (const [id, status] of rows.entries) {
    events.set(`waitlist.joined ${id}`, 1);
    if (status !== "waiting") events.set(`waitlist.${status} ${id}`, 1);
  }
  return { events, charges, ...rows };
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
    const row = sessionRow(HOLD, 1, { start: START + HOUR, end: START + 2 * HOUR });
    const end = final({ holds: rowsOf(holdRow(HOLD, "confirmed")), sessions: rowsOf(row) });
    expect(kindsOf([held(1, HOLD), confirmed(2, HOLD)], end)).toEqual(["effect_altered"]);
  });

  it("wants time off to be there until it is taken back, and a session to be said where it was said to be", () => {
    const off = (...rows: [string, string][]) => final({ off: new Map(rows) });
    expect(kindsOf([tookOff(1, SECOND)], off([SECOND, "active"]))).toEqual([]);
    expect(kindsOf([tookOff(1, SECOND), tookBack(2, SECOND)], off([SECOND, "cancelled"]))).toEqual([]);
    expect(kindsOf([tookOff(1, SECOND), tookBack(2, SECOND)], off([SECOND, "active"]))).toEqual([
      "effect_lost",
    ]);
    expect(kindsOf([tookOff(1, SECOND)], off())).toEqual(["effect_lost"]);
    expect(kindsOf([], off([SECOND, "active"]))).toEqual(["effect_unacknowledged"]);

    const end = (changes: object) =>
      final({
        holds: rowsOf(holdRow(HOLD, "confirmed")),
        sessions: rowsOf(sessionRow(HOLD, 2, changes)),
      });
    const before = [held(1, HOLD), confirmed(2, HOLD)];
    expect(kindsOf([...before, placed(3, HOLD, 2, "12")], end({ placeOfService: "12" }))).toEqual([]);
    expect(kindsOf([...before, placed(3, HOLD, 2, "12")], end({ placeOfService: "11" }))).toEqual([
      "effect_altered",
    ]);
    expect(kindsOf([...before, placed(3, HOLD, 1, "11")], booked())).toEqual(["effect_lost"]);
  });

  it("wants what took place to stay as it was marked", () => {
    const took = { actual_start_time: place.start_time, actual_end_time: place.end_time };
    const completed = (operation: number) =>
      entry(
        operation,
        "complete_session",
        { session_id: HOLD },
        { data: { sessions: [session(HOLD, 2, { status: "completed", ...took })] } },
      );
    const history = () => [held(1, HOLD), confirmed(2, HOLD), completed(3)];
    const end = (changes: object = {}) => {
      const times = { actualStart: START, actualEnd: START + HOUR };
      const row = sessionRow(HOLD, 2, { status: "completed", ...times, ...changes });
      return final({ holds: rowsOf(holdRow(HOLD, "confirmed")), sessions: rowsOf(row) });
    };
    expect(kindsOf(history(), end())).toEqual([]);
    const movedOn = end({ version: 3, start: START + HOUR, end: START + 2 * HOUR });
    movedOn.events.set(`session.moved ${HOLD}`, 1);
    const steps = [...history(), moved(4, HOLD, 3, START + HOUR)];
    expect(kindsOf(steps, movedOn)).toContain("settled_changed");
    expect(kindsOf([held(1, HOLD), confirmed(2, HOLD), completed(3), cancelled(4, HOLD)], end())).toContain(
      "effect_lost",
    );
    expect(kindsOf(history(), end({ actualEnd: START + HOUR / 2 }))).toContain("effect_altered");
    expect(kindsOf(history(), booked())).toContain("effect_lost");
    expect(kindsOf(history().slice(0, 2), end())).toContain("effect_unacknowledged");
  });

  it("knows what an edit of a series did, though its answer names no versions", () => {
    const edited = (changes: object) =>
      entry(
        3,
        "update_series",
        { series_id: SERIES, occurrences: [{ start_time: iso(START + HOUR) }] },
        { data: { series: { id: SERIES }, moved: [], unchanged: [], cancelled: [], added: [], ...changes } },
      );
    const history = (changes: object) => [held(1, HOLD), confirmed(2, HOLD), edited(changes)];
    const end = (version: number, changes: object = {}) =>
      final({
        holds: rowsOf(holdRow(HOLD, "confirmed")),
        sessions: rowsOf(sessionRow(HOLD, version, changes)),
      });
    const there = end(2, { start: START + HOUR, end: START + 2 * HOUR });
    there.events.set(`session.moved ${HOLD}`, 1);
    expect(kindsOf(history({ moved: [HOLD] }), there)).toEqual([]);
    expect(kindsOf(history({ moved: [HOLD] }), end(1))).toContain("effect_lost");
    expect(kindsOf(history({ moved: [HOLD] }), end(2, { start: START + 5 * HOUR }))).toContain(
      "effect_altered",
    );
    expect(kindsOf(history({ unchanged: [HOLD] }), end(1))).toEqual([]);
    expect(kindsOf(history({ unchanged: [HOLD] }), end(2))).toEqual([]);
    const later = { start_time: iso(START + 3 * HOUR), end_time: iso(START + 4 * HOUR) };
    const added = session(SECOND, 1, later);
    const split = { unchanged: [HOLD], series: { id: SECOND } };
    expect(kindsOf(history(split), end(1))).toEqual(["effect_lost"]);
    expect(kindsOf(history({ cancelled: [HOLD] }), end(2, { status: "cancelled" }))).toEqual([]);
    expect(kindsOf(history({ added: [added] }), end(1))).toEqual(["effect_lost"]);
  });

  it("wants an offer taken by one at most, and given back only by who declined it or left", () => {
    const offer = (status: string) => ({ ...holdRow(HOLD, status), waitlist_entry_id: SECOND });
    const waiting = (operation: number, name: string, request: object, status: string, more: object = {}) =>
      entry(
        operation,
        name,
        { hold_key: HOLD, ...request },
        { data: { entry: { id: SECOND, status }, ...more } },
      );
    const join = () => waiting(1, "join_waitlist", {}, "waiting");
    const accept = (operation: number) =>
      waiting(operation, "answer_offer", { answer: "accept" }, "booked", { sessions: [session(HOLD, 1)] });
    const decline = () => waiting(3, "answer_offer", { answer: "decline" }, "waiting");
    const end = (hold: string, status: string) => {
      const sessions = hold === "confirmed" ? rowsOf(sessionRow(HOLD, 1)) : new Map();
      const all = final({ holds: rowsOf(offer(hold)), sessions, entries: new Map([[SECOND, status]]) });
      all.events.set(`waitlist.offered ${SECOND}`, 1);
      return all;
    };
    expect(kindsOf([join(), accept(2)], end("confirmed", "booked"))).toEqual([]);
    expect(kindsOf([join(), decline()], end("released", "waiting"))).toEqual([]);
    expect(kindsOf([join()], end("held", "waiting"))).toEqual([]);
    expect(kindsOf([join(), accept(2), accept(3)], end("confirmed", "booked"))).toEqual(["effect_doubled"]);
    expect(kindsOf([join()], end("released", "waiting"))).toEqual(["effect_unacknowledged"]);
    expect(kindsOf([join(), accept(2)], end("confirmed", "waiting"))).toContain("effect_lost");
    expect(kindsOf([join()], end("confirmed", "booked"))).toContain("effect_unacknowledged");
    expect(kindsOf([join(), decline()], end("held", "waiting"))).toEqual(["effect_lost"]);
    expect(kindsOf([join()], final({}))).toContain("effect_lost");
  });

  it("wants one charge of each session, as booked and as delivered, and one line of a claim", () => {
    const history = [held(1, HOLD), confirmed(2, HOLD)];
    const charged = (charges: object) => {
      const end = booked();
      end.charges.set(HOLD, charges);
      return end;
    };
    for (const charges of [{}, { planned: [4, 4] }, { planned: [3] }, { planned: [4], actual: [4] }])
      expect(kindsOf(history, charged(charges))).toEqual(["charge_wrong"]);
    const billed = (operation: number) =>
      entry(operation, "attach_sessions", {}, { data: { cases: [{ session_ids: [HOLD] }] } });
    expect(kindsOf([...history, billed(3)], booked())).toEqual(["effect_lost"]);
    expect(kindsOf(history, charged({ planned: [4], billed: [4] }))).toEqual(["effect_unacknowledged"]);
    const twice = [...history, billed(3), billed(4)];
    expect(kindsOf(twice, charged({ planned: [4], billed: [4, 4] }))).toEqual([
      "effect_doubled",
      "charge_wrong",
    ]);
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
      reservedByRows: 2,
      scheduledByRows: 4,
      usedByRows: 0,
    };
    const kinds = (changes: Partial<Balance>) =>
      faultsOfSnapshot({ claims: [], bookings: [], balances: [{ ...balance, ...changes }] }).map(
        ({ kind }) => kind,
      );
    expect(kinds({})).toEqual([]);
    expect(kinds({ used: -1, usedByRows: -1 })).toEqual(["balance_negative"]);
    expect(kinds({ units: 5 })).toEqual(["balance_overdrawn"]);
    expect(kinds({ reserved: 4 })).toEqual(["balance_wrong"]);
    expect(kinds({ scheduledByRows: 2 })).toEqual(["balance_wrong"]);
    expect(kinds({ used: 2 })).toEqual(["balance_wrong"]);
  });
});
