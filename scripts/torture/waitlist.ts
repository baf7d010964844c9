// The waitlist: clients wait, what is freed is offered to them, and offers are answered, by several at once.

import { pick } from "./board.ts";
import type { Step } from "./plan.ts";
import { ask, type Builders, bookerOf, clientOf, type Place, therapistOf } from "./wanted.ts";
import { TIME_ZONE } from "./world.ts";

export function waitlistOf(step: Step, { clinic, board }: Place): Builders {
  const user = bookerOf(step, clinic);
  return {
    wait: () => {
      const weekday = 1 + Math.floor(step.row * 7);
      return ask("join_waitlist", user, {
        client_id: clientOf(step, clinic),
        service_code: step.supervision ? "97155" : "97153",
        therapist_id: step.room ? therapistOf(step, clinic).id : null,
        duration_minutes: 30 * step.halfHours,
        wanted_from: new Date().toISOString().slice(0, 10),
        time_zone: TIME_ZONE,
        wanted_times: [weekday, 1 + (weekday % 7)].map((day) => ({
          weekday: day,
          local_start: "08:00",
          local_end: "18:00",
        })),
      });
    },
    stop_waiting: () => {
      const waitlist_entry_id = pick(board.waiting, step.row);
      return waitlist_entry_id ? ask("leave_waitlist", user, { waitlist_entry_id }) : null;
    },
    read_offers: () => ask("read_offers", user, { organization_id: clinic.id }),
    answer_offer: () => {
      const hold_key = pick(board.offers, step.row);
      const answer = step.other < 0.7 ? "accept" : "decline";
      return hold_key ? ask("answer_offer", user, { hold_key, answer }) : null;
    },
  };
}
