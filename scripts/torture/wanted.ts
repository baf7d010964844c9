// What every builder of a request begins from: whose clinic it is, what is known there, and who asks.

import { type Board, pick } from "./board.ts";
import type { Ask } from "./callers.ts";
import type { Kind, Step } from "./plan.ts";
import type { Clinic, Person } from "./world.ts";

export interface Place {
  clinic: Clinic;
  board: Board;
}

export type Wanted = Pick<Ask, "name" | "request" | "user">;
export type Builders = Partial<Record<Kind, () => Wanted | null>>;

export const ask = (name: string, user: Person, request: Record<string, unknown>): Wanted => ({
  name,
  user,
  request,
});

export const therapistOf = (step: Step, { therapists }: Clinic) =>
  pick(therapists, step.therapist) as Clinic["therapists"][0];
export const clientOf = (step: Step, { clients }: Clinic) => pick(clients, step.client) as string;

/** Mostly schedulers, who book for all; therapists book their own. */
export function bookerOf(step: Step, clinic: Clinic): Person {
  const { schedulers, temporary, therapists } = clinic;
  const people = [...schedulers, ...schedulers, temporary, therapists[0]?.user as Person];
  return pick(people, step.user) as Person;
}
