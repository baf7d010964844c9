// Attendance and billing of sessions whose time is over: marked by their therapist or the administrator, and put on claims.

import { type KnownSession, pick, take } from "./board.ts";
import type { Step } from "./plan.ts";
import { ask, type Builders, bookerOf, type Place } from "./wanted.ts";
import type { Person } from "./world.ts";

/** Half of the users mark the same few. */
const HOT = 12;
const MINUTE_MS = 60_000;

export function attendanceOf(step: Step, { clinic, board }: Place): Builders {
  const { overdue, started, ended } = board;
  const markerOf = (session: KnownSession): Person => {
    const own = clinic.therapists.find(({ id }) => id === session.therapist_id)?.user;
    return own && step.user < 0.7 ? own : clinic.admin;
  };
  const toMark = (): KnownSession | undefined => {
    const hot = step.therapist < 0.5 ? overdue.slice(0, HOT) : overdue;
    const at = step.row;
    // Some are taken off, so that what cannot be marked is not in the way for ever.
    return step.client < 0.2
      ? take(overdue, at * 0.999 * (hot.length / (overdue.length || 1)))
      : pick(hot, at);
  };
  // As booked, or five or ten minutes less: of 20 minutes one unit is billed.
  const endOf = ({ end_time }: KnownSession): string =>
    new Date(Date.parse(end_time) - (step.halfHours - 1) * 5 * MINUTE_MS).toISOString();
  return {
    start: () => {
      const session = toMark();
      if (!session) return null;
      const { id, version, start_time } = session;
      return ask("start_session", markerOf(session), {
        session_id: id,
        version,
        actual_start_time: start_time,
      });
    },
    complete: () => {
      const begun = step.other < 0.7 ? pick(started, step.row) : undefined;
      const session = begun ?? toMark();
      if (!session) return null;
      return ask("complete_session", markerOf(session), {
        session_id: session.id,
        version: session.version,
        ...(!begun && { actual_start_time: session.start_time }),
        actual_end_time: endOf(session),
      });
    },
    no_show: () => {
      const session = (step.other < 0.4 ? pick(started, step.row) : undefined) ?? toMark();
      if (!session) return null;
      return ask("mark_no_show", markerOf(session), { session_id: session.id, version: session.version });
    },
    bill: () => {
      const sessions = [pick(ended, step.row), pick(ended, step.other), pick(ended, step.client)];
      const ids = sessions.slice(0, step.halfHours).flatMap((session) => (session ? [session.id] : []));
      return ids.length > 0
        ? ask("attach_sessions", bookerOf(step, clinic), { session_ids: [...new Set(ids)] })
        : null;
    },
  };
}
