// Substitutions, and edits of a series from some occurrence on. A single occurrence is moved as any session is.

import { pick } from "./board.ts";
import type { Step } from "./plan.ts";
import { ask, type Builders, bookerOf, type Place, therapistOf } from "./wanted.ts";
import { TIME_ZONE, timesOf } from "./world.ts";

const HOUR_MS = 3_600_000;
const SLOTS_A_DAY = 20;

export function seriesOf(step: Step, { clinic, board }: Place): Builders {
  const user = bookerOf(step, clinic);
  return {
    substitute: () => {
      const session = pick(board.sessions, step.row);
      if (!session) return null;
      const mates = board.sessions.filter(
        ({ therapist_id, id }) => therapist_id === session.therapist_id && id !== session.id,
      );
      const more = step.other < 0.4 ? pick(mates, step.other * 2.5) : undefined;
      const given = more ? [session, more] : [session];
      const starts = given.map(({ start_time }) => Date.parse(start_time));
      return ask("substitute_therapist", user, {
        therapist_id: session.therapist_id,
        substitute_id: therapistOf(step, clinic).id,
        from: new Date(Math.min(...starts)).toISOString(),
        to: new Date(Math.max(...starts) + HOUR_MS).toISOString(),
        session_ids: given.map(({ id }) => id),
        on_conflict: step.client < 0.5 ? "abort" : "skip",
      });
    },
    read_series: () => ask("read_series", user, { organization_id: clinic.id }),
    edit_series: () => {
      const series = pick(board.series, step.row);
      if (!series) return null;
      const known = board.sessions
        .filter(({ series_id }) => series_id === series.id)
        .map(({ start_time }) => start_time)
        .sort();
      const from = pick(known, step.other);
      // One less, as many or one more than there are.
      const count = Math.max(1, known.length - known.indexOf(from ?? "") + step.halfHours - 2);
      const occurrences = Array.from({ length: Math.min(4, count) }, (_, day) =>
        timesOf(step.slot + SLOTS_A_DAY * day, step.halfHours),
      );
      return ask("update_series", user, {
        series_id: series.id,
        version: series.version,
        ...(from && { from }),
        time_zone: TIME_ZONE,
        occurrences,
        ...(step.client < 0.2 && { therapist_id: therapistOf(step, clinic).id }),
        on_conflict: step.user < 0.5 ? "abort" : "skip",
      });
    },
  };
}
