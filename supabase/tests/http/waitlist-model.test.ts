// Random clinics, random cancellations and answers: after each step the database offers what a plain model of the rules
// offers (supabase/tests/support/waitlist-model.ts), so every offer is in wanted time and first come is first served.

import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { call, cancel, letExpire } from "../support/calls.ts";
import { type Clinic, createClinic } from "../support/clinic.ts";
import { expectLedgerIsSound, sql } from "../support/stack.ts";
import { createAssignedClient, join, offersOf, sweep } from "../support/waitlist.ts";
import { type Booked, STEPS_AN_HOUR, type Waiting, WaitlistModel } from "../support/waitlist-model.ts";

// Never changes its clock, so that the model needs no calendar; seven hours behind UTC.
const ZONE = "America/Phoenix";
const MIDNIGHT = 7 * STEPS_AN_HOUR;
const STEP_MS = 5 * 60_000;
const DAY_MS = 86_400_000;

const clockOf = (step: number) => {
  const minutes = step * 5;
  return `${String(Math.floor(minutes / 60)).padStart(2, "0")}:${String(minutes % 60).padStart(2, "0")}`;
};

/** A therapist's day: sessions one after the other from 15:00 UTC, with gaps or without. */
const day = fc.array(
  fc.record({
    gap: fc.integer({ min: 0, max: 8 }),
    length: fc.integer({ min: 6, max: 30 }),
    client: fc.integer({ min: 0, max: 5 }),
  }),
  { minLength: 2, maxLength: 4 },
);

/** One or two windows from 08:00 to 11:00 local on, in which the length fits. */
const waiting = fc
  .record({
    therapist: fc.constantFrom(null, null, 0, 1),
    length: fc.integer({ min: 3, max: 12 }),
    from: fc.integer({ min: 8 * STEPS_AN_HOUR, max: 11 * STEPS_AN_HOUR }),
    slack: fc.integer({ min: 0, max: 100 }),
    pause: fc.option(fc.integer({ min: 1, max: 6 })),
  })
  .map(({ therapist, length, from, slack, pause }): Waiting => {
    const first = { start: from, end: from + length + slack };
    const second = { start: first.end + (pause ?? 0), end: first.end + (pause ?? 0) + length };
    return { therapist, length, windows: pause === null ? [first] : [first, second], status: "waiting" };
  });

const step = fc.oneof(
  {
    weight: 4,
    arbitrary: fc.record({
      do: fc.constant("cancel" as const),
      which: fc.nat(),
      by: fc.constantFrom("clinic" as const, "client" as const, "therapist" as const),
    }),
  },
  {
    weight: 2,
    arbitrary: fc.record({
      do: fc.constantFrom("decline" as const, "accept" as const, "expire" as const, "leave" as const),
      which: fc.nat(),
    }),
  },
);

/** What was drawn, as sessions in steps; a client's second session at one time becomes somebody else's. */
function sessionsOf(days: { gap: number; length: number; client: number }[][], clients: number): Booked[] {
  const sessions: Booked[] = [];
  days.forEach((drawn, therapist) => {
    let at = 15 * STEPS_AN_HOUR;
    for (const { gap, length, client } of drawn) {
      const time = { start: at + gap, end: at + gap + length };
      const busy = sessions.some(
        (other) => other.client === client && other.start < time.end && time.start < other.end,
      );
      sessions.push({
        therapist,
        client: client < clients && !busy ? client : null,
        ...time,
        status: "scheduled",
      });
      at = time.end;
    }
  });
  return sessions;
}

describe("the waitlist against a plain model", () => {
  it("offers the same times to the same clients, whatever is cancelled, declined, accepted, left or let go", async () => {
    let offered = 0;
    await fc.assert(
      fc.asyncProperty(
        fc.tuple(day, day),
        fc.array(waiting, { minLength: 1, maxLength: 4 }),
        fc.array(step, { minLength: 6, maxLength: 12 }),
        async (days, entries, steps) => {
          const model = new WaitlistModel(
            sessionsOf(days, entries.length),
            structuredClone(entries),
            MIDNIGHT,
          );
          offered += await play(model, steps);
        },
      ),
      // A clinic shrinks for minutes, and the steps say enough.
      { numRuns: 11, endOnFailure: true },
    );
    // The property would hold of a waitlist that offers nothing to nobody, where the model is as wrong.
    expect(offered).toBeGreaterThan(0);
    await expectLedgerIsSound();
  }, 180_000);
});

type Step = {
  do: "cancel" | "decline" | "accept" | "expire" | "leave";
  which: number;
  by?: "therapist" | "client" | "clinic";
};

/** Plays the steps on a clinic of its own and on the model, comparing after each. Returns how many offers were made. */
async function play(model: WaitlistModel, steps: Step[]): Promise<number> {
  const clinic = await createClinic();
  const therapists = [clinic.rosa.id, clinic.theo.id];
  const midnightUtc = (Math.floor(Date.now() / DAY_MS) + 40) * DAY_MS;
  const instantOf = (at: number) => new Date(midnightUtc + at * STEP_MS);

  const clients: string[] = [];
  const entryIds: string[] = [];
  for (const entry of model.entries) {
    const client = await createAssignedClient(clinic);
    const wanted_times = [1, 2, 3, 4, 5, 6, 7].flatMap((weekday) =>
      entry.windows.map(({ start, end }) => ({
        weekday,
        local_start: clockOf(start),
        local_end: clockOf(end),
      })),
    );
    const { id } = await join(clinic.scheduler, client, {
      therapist_id: entry.therapist === null ? null : therapists[entry.therapist],
      duration_minutes: entry.length * 5,
      time_zone: ZONE,
      wanted_times,
    });
    clients.push(client);
    entryIds.push(id);
  }
  const sessionIds: string[] = [];
  for (const { therapist, client, start, end } of model.sessions) {
    const [row] = await sql`
      insert into public.sessions (organization_id, therapist_id, client_id, service_id, start_time, end_time, time_zone)
      select ${clinic.id}, ${therapists[therapist] ?? ""}, ${client === null ? (therapist ? clinic.birch : clinic.aspen) : (clients[client] ?? "")},
        id, ${instantOf(start)}, ${instantOf(end)}, ${ZONE}
      from public.services where organization_id = ${clinic.id} and service_code = '97153'
      returning id`;
    sessionIds.push(row?.id);
  }

  const answer = async (body: object) =>
    expect((await call("waitlist", clinic.scheduler, body)).status).toBe(200);
  for (const step of steps) {
    await perform(step);
    const live = (await offersOf(clinic)).filter((offer) => offer.live);
    const inSteps = live.map((offer) => ({
      entry: entryIds.indexOf(offer.entry_id),
      therapist: therapists.indexOf(offer.therapist_id),
      start: (offer.start_time.getTime() - midnightUtc) / STEP_MS,
      end: (offer.end_time.getTime() - midnightUtc) / STEP_MS,
      live: true,
    }));
    const byEntry = (one: { entry: number }, other: { entry: number }) => one.entry - other.entry;
    expect(inSteps.sort(byEntry)).toEqual(model.offers.filter((offer) => offer.live).sort(byEntry));
  }
  return model.offers.length;

  async function perform(step: Step) {
    if (step.do === "cancel") {
      const index = step.which % model.sessions.length;
      const session = model.sessions[index] as Booked;
      if (session.status === "scheduled") {
        Object.assign(session, { status: "cancelled", cancelledBy: step.by });
        model.offerTime(session.therapist);
      }
      await cancel(clinic.scheduler, { session_ids: [sessionIds[index]], cancelled_by: step.by });
      return;
    }
    const live = model.offers.filter((offer) => offer.live);
    const offer = live[step.which % live.length];
    if (!offer) return;
    const entry = model.entries[offer.entry] as Waiting;
    const holdKey = await liveHoldOf(clinic, entryIds[offer.entry] ?? "");
    offer.live = false;
    if (step.do === "accept") {
      const { therapist, start, end } = offer;
      model.sessions.push({ therapist, client: offer.entry, start, end, status: "scheduled" });
      sessionIds.push(holdKey);
      entry.status = "booked";
      await answer({ action: "answer", hold_key: holdKey, answer: "accept" });
    } else if (step.do === "decline") {
      model.offerTime(offer.therapist);
      await answer({ action: "answer", hold_key: holdKey, answer: "decline" });
    } else if (step.do === "leave") {
      entry.status = "withdrawn";
      model.offerTime(offer.therapist);
      await answer({ action: "leave", waitlist_entry_id: entryIds[offer.entry] });
    } else {
      // A sweep goes by therapist.
      const inOrder = [0, 1].sort((one, other) =>
        (therapists[one] ?? "") < (therapists[other] ?? "") ? -1 : 1,
      );
      for (const therapist of inOrder) model.offerTime(therapist);
      await letExpire(holdKey);
      await sweep(clinic);
    }
  }
}

async function liveHoldOf(clinic: Clinic, entryId: string): Promise<string> {
  return (await offersOf(clinic)).find((offer) => offer.live && offer.entry_id === entryId)?.id ?? "";
}
