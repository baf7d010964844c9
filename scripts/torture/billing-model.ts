// The part of the model that knows what sessions are billed as: one charge as booked, one as delivered, one line of a claim.

import type { Final, SessionRow } from "./final.ts";
import type { Findings } from "./session-model.ts";

const MINUTE_MS = 60_000;

/** CPT's rule of a unit of 15 minutes: it counts once 8 of them are passed. */
const unitsOf = (start: number, end: number): number =>
  Math.floor((Math.floor((end - start) / MINUTE_MS) + 7) / 15);

export class BillingModel {
  private readonly billed = new Set<string>();

  constructor(
    private readonly final: Final,
    private readonly findings: Findings,
  ) {}

  add(data: unknown): void {
    for (const { session_ids } of (data as { cases: { session_ids: string[] }[] }).cases) {
      for (const id of session_ids) {
        if (this.billed.has(id)) this.findings.find("effect_doubled", `session ${id} was billed twice`);
        this.billed.add(id);
      }
    }
  }

  check(): void {
    for (const row of this.final.sessions.values()) {
      this.checkCharges(row);
      this.checkLines(row);
    }
    for (const id of this.billed) {
      if (!this.final.sessions.has(id))
        this.findings.find("effect_lost", `session ${id} was billed and is not there`);
    }
  }

  private checkCharges({ id, status, start, end, actualStart, actualEnd }: SessionRow): void {
    const { planned = [], actual = [] } = this.final.charges.get(id) ?? {};
    // One that is cancelled, or missed, keeps the charge it had.
    const isAsBooked = status === "cancelled" || status === "no_show" || planned[0] === unitsOf(start, end);
    if (planned.length !== 1 || !isAsBooked)
      this.findings.find(
        "charge_wrong",
        `session ${id}, ${status}, is charged as booked: ${planned.join(", ")} units`,
      );
    const due = status === "completed" ? [unitsOf(actualStart as number, actualEnd as number)] : [];
    if (String(actual) !== String(due)) {
      const what = `session ${id}, ${status}, is charged as delivered: ${actual.join(", ")} units, not ${due.join(", ")}`;
      this.findings.find("charge_wrong", what);
    }
  }

  private checkLines({ id }: SessionRow): void {
    const { find } = this.findings;
    const { actual = [], billed = [] } = this.final.charges.get(id) ?? {};
    if (billed.length > 1) find("charge_wrong", `session ${id} is on ${billed.length} claims`);
    else if (this.billed.has(id) && billed.length === 0)
      find("effect_lost", `session ${id} was billed and is on no claim`);
    else if (!this.billed.has(id) && billed.length > 0)
      find("effect_unacknowledged", `session ${id} is on a claim and no answer tells of it`);
    else if (billed.length > 0 && billed[0] !== actual[0])
      find("charge_wrong", `session ${id} is billed ${billed[0]} units and charged ${actual[0]}`);
  }
}
