// The users: each takes one step after the other of the plan, over a wire of its own, and writes down what it was
// answered. Who got no answer asks again later, with the same Idempotency-Key.

import { pick, type Sent } from "./board.ts";
import { type Ask, type Caller, type OnTheWay, UNDISTURBED } from "./callers.ts";
import { type Answer, type Entry, isKeyed, now, type Recorder } from "./history.ts";
import type { Disturbance, Step } from "./plan.ts";
import { wantedBy } from "./requests.ts";
import type { Place } from "./wanted.ts";

export interface Counts {
  operations: number;
  attempts: number;
  byName: Record<string, number>;
  byOutcome: Record<string, number>;
  disturbances: Partial<Record<Disturbance | "repeat", number>>;
}

export interface Play {
  seed: number;
  places: Place[];
  recorder: Recorder;
  counts: Counts;
  /** A fault may take longer than the operations that are left: the users go on until all came. */
  faultsToCome: number;
  /** Whether another operation is to begin. */
  goesOn(): boolean;
  /** Operations of which nobody knows what came of them, with whoever asked. */
  unresolved: Map<number, { sent: Sent; caller: Caller; place: Place }>;
}

/** How long a user waits who found nobody there. */
const NOBODY_THERE_MS = 200;
/** So many operations a user leaves open; with more, the oldest is asked again before anything new. */
const LEFT_OPEN = 4;

export async function useUntilDone(play: Play, caller: Caller, steps: Iterator<Step>): Promise<void> {
  const open: Sent[] = [];
  while (play.goesOn()) {
    if (open.length > LEFT_OPEN) {
      await askAgain(play, open);
      continue;
    }
    const step = steps.next().value as Step;
    const place = play.places[step.clinic] as Place;
    if (step.kind === "repeat") {
      await repeat(play, caller, place, step);
      continue;
    }
    if (caller.via === "http" && (step.kind === "role" || step.kind === "sweep")) continue;
    if (step.kind === "role" && place.board.roleChanging) continue;
    const wanted = wantedBy(step, play.places);
    if (!wanted) continue;
    const sent = await operate(play, caller, place, step, wanted);
    if (play.unresolved.has(sent.operation)) open.push(sent);
  }
}

/**
 * Asks the oldest of them again. A refusal says that it was not done until now; where its first request may still be on
 * its way, that is not the last word: it is asked once more at the end.
 */
async function askAgain(play: Play, open: Sent[]): Promise<void> {
  const sent = open.shift() as Sent;
  const known = play.unresolved.get(sent.operation);
  if (!known) return;
  const { outcome, code } = await attempt(play, known.caller, known.place, sent, UNDISTURBED);
  if (outcome === "ok") play.unresolved.delete(sent.operation);
  else if (outcome === "unknown" || code === "idempotency_in_flight") {
    open.push(sent);
    await pause(NOBODY_THERE_MS);
  }
}

async function operate(
  play: Play,
  caller: Caller,
  place: Place,
  step: Step,
  wanted: Pick<Ask, "name" | "request" | "user">,
): Promise<Sent> {
  const { counts } = play;
  const operation = counts.operations++;
  const ask: Ask = {
    ...wanted,
    key: `torture-${play.seed}-${operation}`,
    ...(step.kind === "stranger" && { stranger: true }),
  };
  const forbidden = step.kind === "stranger" || step.kind === "trespass";
  const sent: Sent = { operation, via: caller.via, attempts: 0, done: false, ask, forbidden };
  counts.byName[step.kind] = (counts.byName[step.kind] ?? 0) + 1;
  if (step.disturbance) count(counts.disturbances, step.disturbance);
  if (step.kind === "role") place.board.roleChanging = true;

  const keyed = isKeyed(ask.name);
  const twice = step.disturbance === "duplicate" && keyed;
  const answers = await Promise.all(
    (twice ? [step, UNDISTURBED] : [step]).map((onTheWay) => attempt(play, caller, place, sent, onTheWay)),
  );
  if (step.kind === "role") await settleRole(play, caller, place, sent, answers[0] as Answer);
  else if (keyed && !sent.done && answers.some(({ outcome }) => outcome === "unknown")) {
    play.unresolved.set(operation, { sent, caller, place });
  }
  if (keyed && !forbidden && (step.row < 0.1 || play.unresolved.has(operation))) place.board.remember(sent);
  if (answers.some(({ outcome }) => outcome === "unknown")) await pause(NOBODY_THERE_MS);
  return sent;
}

/** Sends again what was sent earlier, answered or not: late, and after what others did since. */
async function repeat(play: Play, caller: Caller, place: Place, step: Step): Promise<void> {
  const sent = pick(place.board.sent, step.row);
  if (!sent) return;
  const open = play.unresolved.get(sent.operation);
  // HTTP asks a function and SQL the RPC: the key knows its request by one of the two forms.
  const by = open?.caller ?? caller;
  if (by.via !== sent.via) return;
  count(play.counts.disturbances, "repeat");
  const answer = await attempt(play, by, place, sent, UNDISTURBED);
  if (sent.done) play.unresolved.delete(sent.operation);
  else if (answer.outcome === "unknown") play.unresolved.set(sent.operation, { sent, caller: by, place });
  if (answer.outcome === "unknown") await pause(NOBODY_THERE_MS);
}

/** Nobody changes the role until it is known what this change came to. */
async function settleRole(
  play: Play,
  caller: Caller,
  place: Place,
  sent: Sent,
  first: Answer,
): Promise<void> {
  let answer = first;
  while (answer.outcome === "unknown") {
    await pause(NOBODY_THERE_MS);
    answer = await attempt(play, caller, place, sent, UNDISTURBED);
  }
  place.board.roleRevoked = sent.ask.name === "revoke_role";
  place.board.roleChanging = false;
}

/** Asks once and writes it down. */
export async function attempt(
  play: Play,
  caller: Caller,
  place: Place,
  sent: Sent,
  onTheWay: OnTheWay,
): Promise<Answer> {
  const { ask, operation, forbidden } = sent;
  const number = ++sent.attempts;
  const began = now();
  const answer = await caller.call(ask, onTheWay);
  const entry: Entry = {
    operation,
    attempt: number,
    via: caller.via,
    organization: place.clinic.id,
    user: ask.user.id,
    name: ask.name,
    request: ask.request,
    ...(forbidden && { forbidden }),
    began,
    ended: now(),
    ...answer,
  };
  play.recorder.record(entry);
  play.counts.attempts++;
  count(play.counts.byOutcome, answer.outcome === "ok" ? "ok" : `${answer.outcome} ${answer.code}`);
  sent.done ||= answer.outcome === "ok";
  if (answer.outcome === "ok" && !forbidden) place.board.learn(ask, answer.data);
  return answer;
}

/** When all is calm again: asks once more whatever has no answer, until it has. What never gets one. */
export async function recover(play: Play): Promise<number> {
  // A user whose role was revoked would be told that there is nothing.
  for (let round = 0; play.unresolved.size > 0 && round < 20; round++) {
    if (round > 0) await pause(100 * round);
    const open = [...play.unresolved.entries()];
    const callers = new Set(open.map(([, { caller }]) => caller));
    await Promise.all(
      [...callers].map(async (caller) => {
        for (const [operation, { sent, caller: by, place }] of open) {
          if (by !== caller) continue;
          const { outcome, code } = await attempt(play, caller, place, sent, UNDISTURBED);
          const isSettled = outcome !== "unknown" && code !== "idempotency_in_flight";
          if (isSettled) play.unresolved.delete(operation);
        }
      }),
    );
  }
  return play.unresolved.size;
}

function count<Name extends string>(counts: Partial<Record<Name, number>>, name: Name): void {
  counts[name] = (counts[name] ?? 0) + 1;
}

export const pause = (ms: number): Promise<void> => new Promise((resolve) => setTimeout(resolve, ms));
