/**
 * The requests and answers of `sessions-reschedule` as they stand on the wire: a move, a swap, or a substitution.
 */
import { z } from "zod";
import { sessionSchema } from "./contracts.ts";
import {
  authorizationOverride,
  duplicateIssues,
  type Fields,
  guid,
  type Issue,
  instant,
  list,
  timeFields,
  timeIssues,
  timeZone,
  together,
} from "./fields.ts";
import { conflictSchema, problemCodeSchema } from "./problems.ts";

/** Longest stretch of time that one substitution covers, in days of 24 hours. */
export const MAX_SUBSTITUTION_DAYS = 31;

const DAY_MS = 86_400_000;

// What the caller last saw: a session that has changed since is not moved.
const version = z.int().min(1).max(2_147_483_647);

/** Moves a session to a time at once, with its group or team. A room left out is kept; null is none. */
export const moveRequestSchema = together(
  z.strictObject({
    action: z.literal("move"),
    session_id: guid,
    version,
    ...timeFields,
    time_zone: timeZone,
    therapist_id: guid.optional(),
    room_id: guid.nullable().optional(),
    override_availability: z.boolean().optional(),
    authorization_override: authorizationOverride.optional(),
  }),
  timeIssues,
);

/** Two sessions exchange their times with their rooms, or their therapists. */
export const swapRequestSchema = together(
  z.strictObject({
    action: z.literal("swap"),
    session_id: guid,
    version,
    other_session_id: guid,
    other_version: version,
    exchange: z.enum(["times", "therapists"]),
  }),
  ({ session_id: one, other_session_id: other }) => duplicateIssues([one, other], () => ["other_session_id"]),
);

/** A therapist's scheduled sessions that start from `from` until before `to` go to the substitute. */
export const substituteRequestSchema = together(
  z.strictObject({
    action: z.literal("substitute"),
    therapist_id: guid,
    substitute_id: guid,
    from: instant,
    to: instant,
    session_ids: list(guid).optional(),
    assign_to_care_team: z.boolean().default(false),
    on_conflict: z.enum(["abort", "skip"]).default("abort"),
  }),
  substitutionIssues,
);

function substitutionIssues({ therapist_id, substitute_id, from, to, session_ids: ids }: Fields): Issue[] {
  return [
    ...duplicateIssues([therapist_id, substitute_id], () => ["substitute_id"]),
    ...(Array.isArray(ids) ? duplicateIssues(ids, (index) => ["session_ids", index]) : []),
    ...rangeIssues(instant.safeParse(from).data, instant.safeParse(to).data),
  ];
}

function rangeIssues(from?: string, to?: string): Issue[] {
  if (from === undefined || to === undefined) return [];
  const length = Date.parse(to) - Date.parse(from);
  if (length <= 0) return [{ path: ["to"], code: "too_small", message: "Must be after from." }];
  if (length <= MAX_SUBSTITUTION_DAYS * DAY_MS) return [];
  const message = `Must be at most ${MAX_SUBSTITUTION_DAYS} days after from.`;
  return [{ path: ["to"], code: "too_big", message }];
}

/** `POST sessions-reschedule`. `action` says what. */
export const rescheduleRequestSchema = z.discriminatedUnion("action", [
  moveRequestSchema,
  swapRequestSchema,
  substituteRequestSchema,
]);

/** The data of a move's or a swap's answer: every session that changed, by start. */
export const movedDataSchema = z.object({ sessions: z.array(sessionSchema) });

/**
 * A session that the substitute did not get, and why: the code of a conflict, with the conflicts, or of what the
 * substitute lacks (`not_assigned`, `not_qualified`, `inactive`, `already_in_it`, `not_scheduled`).
 */
export const notSubstitutedSchema = z.object({
  id: guid,
  code: z.union([problemCodeSchema, z.string()]),
  conflicts: z.array(conflictSchema),
});

/** The data of a substitution's answer. */
export const substituteDataSchema = z.object({
  substituted: z.array(sessionSchema),
  skipped: z.array(notSubstitutedSchema),
});

export const movedResponseSchema = z.object({ data: movedDataSchema });
export const substituteResponseSchema = z.object({ data: substituteDataSchema });

/** Requests as a caller may write them, with what has a default left out. */
export type MoveRequest = z.input<typeof moveRequestSchema>;
export type SwapRequest = z.input<typeof swapRequestSchema>;
export type SubstituteRequest = z.input<typeof substituteRequestSchema>;

export type MovedData = z.output<typeof movedDataSchema>;
export type SubstituteData = z.output<typeof substituteDataSchema>;
