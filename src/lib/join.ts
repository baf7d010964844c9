/**
 * Joining a group or a team that exists (`POST sessions-join`) as it stands on the wire. Leaving is cancelling.
 */
import { z } from "zod";
import { HOLD_SECONDS, holdResponseSchema } from "./contracts.ts";
import { type Fields, guid, type Issue, notAllowed, required, together } from "./fields.ts";

/** `POST sessions-join`: a client joins a group, or a therapist a team. */
export const joinRequestSchema = together(
  z.strictObject({
    group_id: guid.optional(),
    client_id: guid.optional(),
    team_id: guid.optional(),
    therapist_id: guid.optional(),
    hold_seconds: z.int().min(HOLD_SECONDS.min).max(HOLD_SECONDS.max).default(HOLD_SECONDS.default),
  }),
  whoJoinsIssues,
);

function whoJoinsIssues(fields: Fields): Issue[] {
  if (fields.group_id === undefined && fields.team_id === undefined) {
    return [{ ...required("group_id"), message: "One of group_id or team_id is required." }];
  }
  if (fields.group_id === undefined) return partyIssues(fields, "team_id", "therapist_id", ["client_id"]);
  return partyIssues(fields, "group_id", "client_id", ["team_id", "therapist_id"]);
}

function partyIssues(fields: Fields, slot: string, party: string, others: string[]): Issue[] {
  return [
    ...(fields[party] === undefined ? [required(party)] : []),
    ...others
      .filter((field) => fields[field] !== undefined)
      .map((field) => notAllowed(field, `Not allowed together with ${slot}.`)),
  ];
}

/** Its answer: that of `sessions-hold`. */
export const joinResponseSchema = holdResponseSchema;

/** A request as a caller may write it. */
export type JoinRequest = z.input<typeof joinRequestSchema>;
