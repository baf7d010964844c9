// From a step to what is asked: whose rows it is about is looked up on the boards.

import { attendanceOf } from "./attendance.ts";
import { pick, take } from "./board.ts";
import type { Kind, Step } from "./plan.ts";
import { seriesOf } from "./series.ts";
import { waitlistOf } from "./waitlist.ts";
import { ask, bookerOf, clientOf, type Place, therapistOf, type Wanted } from "./wanted.ts";
import { type Clinic, type Person, TIME_ZONE, timesOf } from "./world.ts";

/** What the step asks; null where there is nothing yet that it could be about. */
export function wantedBy(step: Step, places: Place[]): Wanted | null {
  const place = places[step.clinic] as Place;
  if (step.kind === "trespass") return trespass(step, place, places);
  if (step.kind === "stranger") return wanted({ ...step, kind: "hold" }, place);
  return wanted(step, place);
}

function wanted(step: Step, place: Place): Wanted | null {
  const { clinic, board } = place;
  const user = bookerOf(step, clinic);
  const times = timesOf(step.slot, step.halfHours);
  // Now and then what took place, which must stay as it is.
  const of = step.client < 0.05 && step.kind !== "note" ? board.ended : board.sessions;
  const session = pick(of, step.row);
  const builders: Partial<Record<Kind, () => Wanted | null>> = {
    ...seriesOf(step, place),
    ...waitlistOf(step, place),
    ...attendanceOf(step, place),
    hold: () => ask("hold_sessions", user, holdRequest(step, clinic, { occurrences: [times] })),
    hold_batch: () => {
      const days = [0, 1, 2].map((day) => timesOf(step.slot + 20 * day, step.halfHours));
      return ask(
        "hold_sessions",
        user,
        holdRequest(step, clinic, { occurrences: days, on_conflict: "skip" }),
      );
    },
    hold_group: () => {
      const { client_id: _, ...request } = holdRequest(step, clinic, { occurrences: [times] });
      const first = Math.floor(step.client * (clinic.clients.length - 1));
      const client_ids = clinic.clients.slice(first, first + 2);
      return ask("hold_sessions", user, { ...request, client_ids, service_code: "97154" });
    },
    hold_move: () => {
      if (!session) return null;
      return ask(
        "hold_sessions",
        user,
        holdRequest(step, clinic, { occurrences: [times], session_id: session.id }),
      );
    },
    confirm: () => {
      // Most are used up by it; some are left for somebody else to find.
      const hold = step.other < 0.9 ? take(board.holds, step.row) : pick(board.holds, step.row);
      if (!hold) return null;
      const holder = step.other < 0.97 ? personOf(clinic, hold.user) : user;
      return ask("confirm_sessions", holder, { hold_key: hold.key });
    },
    release: () => {
      const hold = take(board.holds, step.row);
      return hold ? ask("cancel_sessions", user, { hold_key: hold.key }) : null;
    },
    cancel: () => {
      if (!session) return null;
      const other = step.other < 0.1 ? pick(board.sessions, step.other * 10) : undefined;
      const session_ids = [...new Set([session.id, ...(other ? [other.id] : [])])];
      return ask("cancel_sessions", user, { session_ids, cancelled_by: "clinic", reason: "torture" });
    },
    move: () => {
      if (!session) return null;
      const { id, version, therapist_id } = session;
      const therapist = step.other < 0.3 ? therapistOf(step, clinic).id : therapist_id;
      return ask("move_session", user, {
        session_id: id,
        version,
        ...times,
        time_zone: TIME_ZONE,
        therapist_id: therapist,
      });
    },
    swap: () => {
      const other = pick(board.sessions, step.other);
      if (!session || !other || other === session) return null;
      return ask("swap_sessions", user, {
        session_id: session.id,
        version: session.version,
        other_session_id: other.id,
        other_version: other.version,
        exchange: step.client < 0.5 ? "times" : "therapists",
      });
    },
    join: () => {
      const group_id = pick(board.groups, step.row);
      if (!group_id) return null;
      return ask("join_slot", user, {
        group_id,
        client_id: clientOf(step, clinic),
        hold_seconds: step.seconds,
      });
    },
    place: () => {
      const known = pick(board.sessions, step.row);
      if (!known) return null;
      const { id, version } = known;
      const place_of_service = pick(["11", "12", "03"], step.other);
      return ask("set_place_of_service", user, { session_id: id, version, place_of_service });
    },
    time_off: () =>
      ask("add_exception", user, {
        kind: "time_off",
        therapist_id: therapistOf(step, clinic).id,
        ...times,
        time_zone: TIME_ZONE,
        on_conflict: pick(["abort", "keep", "cancel"], step.other),
      }),
    back_on: () => {
      const exception_id = take(board.off, step.row);
      return exception_id ? ask("cancel_exception", user, { exception_id }) : null;
    },
    note: () => {
      const therapist = clinic.therapists.find(({ id }) => id === session?.therapist_id);
      if (!session || !therapist) return null;
      const version = board.notes.get(session.id)?.version ?? 0;
      const text = `What was done, ${step.slot} ${step.row}.`;
      return ask("save_note", therapist.user, { session_id: session.id, version, text });
    },
    read: () => ask("read", user, { from: timesOf(step.slot, 1).start_time }),
    sweep: () => ask("sweep", clinic.admin, {}),
    role: () =>
      ask(board.roleRevoked ? "grant_role" : "revoke_role", clinic.admin, {
        organization_id: clinic.id,
        user_id: clinic.temporary.id,
      }),
  };
  return builders[step.kind]?.() ?? null;
}

/** A user of one clinic asks for what is of another. */
function trespass(step: Step, { clinic }: Place, places: Place[]): Wanted | null {
  const { clinic: target, board } = places[(step.clinic + 1) % places.length] as Place;
  if (target === clinic) return null;
  const user = bookerOf(step, clinic);
  const session = pick(board.sessions, step.row);
  const hold = pick(board.holds, step.row);
  if (step.other < 0.3 && session) {
    return ask("cancel_sessions", user, {
      session_ids: [session.id],
      cancelled_by: "clinic",
      reason: "torture",
    });
  }
  if (step.other < 0.5 && hold) return ask("cancel_sessions", user, { hold_key: hold.key });
  if (step.other < 0.6) {
    const session_ids = board.ended.slice(-2).map(({ id }) => id);
    return session_ids.length > 0 ? ask("attach_sessions", user, { session_ids }) : null;
  }
  if (step.other < 0.65) {
    const hold_key = pick(board.offers, step.row);
    return hold_key ? ask("answer_offer", user, { hold_key, answer: "accept" }) : null;
  }
  const occurrences = [timesOf(step.slot, step.halfHours)];
  // Everything of the other clinic, or the own therapist with its client.
  const request = holdRequest(step, target, { occurrences });
  const therapist_id = step.other < 0.8 ? request.therapist_id : therapistOf(step, clinic).id;
  return ask("hold_sessions", user, { ...request, therapist_id });
}

function holdRequest(step: Step, clinic: Clinic, more: object): Record<string, unknown> {
  return {
    therapist_id: therapistOf(step, clinic).id,
    client_id: clientOf(step, clinic),
    service_code: step.supervision ? "97155" : "97153",
    time_zone: TIME_ZONE,
    hold_seconds: step.seconds,
    on_conflict: "abort",
    ...(step.room && { room_id: clinic.rooms[0] }),
    ...more,
  };
}

export function personOf({ admin, schedulers, temporary, therapists }: Clinic, id: string): Person {
  const everybody = [admin, temporary, ...schedulers, ...therapists.map(({ user }) => user)];
  return everybody.find((person) => person.id === id) as Person;
}
