// The part of the model that knows the waitlist. An offer is a hold that nobody asked for: no answer has to tell of it,
// but of what became of it: it is taken by one at most, and given back only by who declined it or waits no more.

import type { Final, HoldRow } from "./final.ts";
import type { Entry } from "./history.ts";
import type { Findings } from "./session-model.ts";

export class WaitlistModel {
  private readonly joined = new Set<string>();
  private readonly withdrawn = new Set<string>();
  /** Which offers each was told to have taken. */
  private readonly taken = new Map<string, string[]>();
  private readonly declined = new Set<string>();

  constructor(
    private readonly final: Final,
    private readonly findings: Findings,
  ) {}

  add({ name, request, data }: Pick<Entry, "name" | "request" | "data">): void {
    const { id, status } = (data as { entry: { id: string; status: string } }).entry;
    if (name === "join_waitlist") {
      if (this.joined.has(id)) this.findings.find("effect_doubled", `entry ${id} was made twice`);
      this.joined.add(id);
    } else if (name === "leave_waitlist") {
      if (status === "withdrawn") this.withdrawn.add(id);
    } else if (request.answer === "decline") {
      this.declined.add(request.hold_key as string);
    } else {
      const offers = this.taken.get(id) ?? [];
      if (offers.length > 0) this.findings.find("effect_doubled", `entry ${id} took two offers`);
      this.taken.set(id, [...offers, request.hold_key as string]);
    }
  }

  /** An offer that was told to be taken is its session; whether it was, the holds' check knows. */
  checkOffer(id: string, { status, waitlist_entry_id }: HoldRow): void {
    const { find } = this.findings;
    const entry = waitlist_entry_id as string;
    if (status === "released" && !this.declined.has(id) && !this.withdrawn.has(entry))
      find("effect_unacknowledged", `offer ${id} is released, and nobody declined it`);
    if (this.declined.has(id) && status !== "released" && status !== "expired")
      find("effect_lost", `offer ${id} was declined and is ${status}`);
  }

  check(): void {
    const { find, expectEvents } = this.findings;
    const offers = new Map<string, number>();
    for (const { waitlist_entry_id: entry } of this.final.holds.values()) {
      if (entry) offers.set(entry, (offers.get(entry) ?? 0) + 1);
    }
    for (const id of this.joined) {
      const status = this.final.entries.get(id);
      const due = this.taken.has(id) ? "booked" : this.withdrawn.has(id) ? "withdrawn" : "waiting";
      if (status === undefined) find("effect_lost", `entry ${id} was acknowledged and is not there`);
      else if (status !== due) {
        const kind = due === "waiting" ? "effect_unacknowledged" : "effect_lost";
        find(kind, `entry ${id} is ${status}, and by what was answered ${due}`);
      }
      expectEvents(`waitlist.joined ${id}`, 1);
      expectEvents(`waitlist.booked ${id}`, status === "booked" ? 1 : 0);
      expectEvents(`waitlist.withdrawn ${id}`, status === "withdrawn" ? 1 : 0);
      expectEvents(`waitlist.offered ${id}`, offers.get(id) ?? 0);
    }
    for (const id of this.final.entries.keys()) {
      if (!this.joined.has(id))
        find("effect_unacknowledged", `entry ${id} is there and no answer tells of it`);
    }
  }
}
