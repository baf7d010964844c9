// The waitlist as a plain program: no ranges, no locks, no clever search. Time is counted in steps of five minutes.

export interface Booked {
  therapist: number;
  /** Which waiting client it is of; null for one who does not wait. */
  client: number | null;
  start: number;
  end: number;
  status: "scheduled" | "cancelled";
  cancelledBy?: "therapist" | "client" | "clinic";
}

export interface Waiting {
  /** Null for any therapist. */
  therapist: number | null;
  length: number;
  /** Every day, in steps from local midnight. */
  windows: { start: number; end: number }[];
  status: "waiting" | "booked" | "withdrawn";
}

interface Offered {
  entry: number;
  therapist: number;
  start: number;
  end: number;
  live: boolean;
}

export const STEPS_AN_HOUR = 12;
const STEPS_A_DAY = 24 * STEPS_AN_HOUR;
const STEPS_A_QUARTER = 3;

/** Who is offered what: the same rules as the database's, by trying every start there is. */
export class WaitlistModel {
  readonly offers: Offered[] = [];

  constructor(
    readonly sessions: Booked[],
    readonly entries: Waiting[],
    /** How many steps local midnight is after UTC's. */
    readonly midnight: number,
  ) {}

  liveOffer(entry: number): Offered | undefined {
    return this.offers.find((offer) => offer.live && offer.entry === entry);
  }

  /** First come first served: each entry in turn gets the first start that it can have, or nothing. */
  offerTime(therapist: number): void {
    this.entries.forEach((_, entry) => {
      const start = this.firstStart(entry, therapist);
      if (start === undefined) return;
      const end = start + (this.entries[entry] as Waiting).length;
      this.offers.push({ entry, therapist, start, end, live: true });
    });
  }

  private firstStart(index: number, therapist: number): number | undefined {
    const entry = this.entries[index] as Waiting;
    if (entry.status !== "waiting" || this.liveOffer(index)) return undefined;
    if (entry.therapist !== null && entry.therapist !== therapist) return undefined;

    const freed = this.sessions.filter(
      (session) =>
        session.therapist === therapist &&
        session.status === "cancelled" &&
        session.cancelledBy !== "therapist",
    );
    const givenBack = [
      ...this.offers.filter((offer) => offer.entry === index && offer.therapist === therapist),
      ...this.sessions.filter(
        (session) =>
          session.client === index &&
          session.therapist === therapist &&
          session.status === "cancelled" &&
          session.cancelledBy === "client",
      ),
    ];
    const taken = [
      ...this.sessions.filter(
        (session) =>
          session.status === "scheduled" && (session.therapist === therapist || session.client === index),
      ),
      ...this.offers.filter((offer) => offer.live && offer.therapist === therapist),
      ...givenBack,
    ];
    const covers = (step: number) => (time: { start: number; end: number }) =>
      time.start <= step && step < time.end;
    const possible = (step: number) => {
      const ofTheDay = (((step - this.midnight) % STEPS_A_DAY) + STEPS_A_DAY) % STEPS_A_DAY;
      return freed.some(covers(step)) && entry.windows.some(covers(ofTheDay)) && !taken.some(covers(step));
    };

    const last = Math.max(0, ...freed.map((session) => session.end));
    for (let start = 0; start < last; start++) {
      if (start % STEPS_A_QUARTER !== 0 && !freed.some((session) => session.start === start)) continue;
      const steps = Array.from({ length: entry.length }, (_, step) => start + step);
      if (steps.every(possible)) return start;
    }
    return undefined;
  }
}
