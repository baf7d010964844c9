/** Joining a group or a team, for apps. */
import type { SupabaseClient } from "@supabase/supabase-js";
import { type CallOptions, call } from "./call.ts";
import { type Camel, fromWire, toWire } from "./casing.ts";
import type { SessionHold } from "./client.ts";
import { type JoinRequest, joinResponseSchema } from "./join.ts";

/** Which group and who of the clients, or which team and who of the therapists. */
export type SlotJoinRequest = { holdSeconds?: number } & (
  | Required<Pick<Camel<JoinRequest>, "groupId" | "clientId">>
  | Required<Pick<Camel<JoinRequest>, "teamId" | "therapistId">>
);

/**
 * Holds a place in a group for a client, or in a team for a therapist, until `expiresAt`. Confirming the hold makes it a
 * session of the group or team; cancelling that session leaves it.
 *
 * @throws HoldfastError `group_full`; `therapist_conflict`, `client_conflict`, `room_conflict`, `therapist_unavailable`
 *   with `conflicts`; `validation_failed` (also for who is in it already); and what every call may meet.
 */
export async function joinSlot(
  supabase: SupabaseClient,
  request: SlotJoinRequest,
  options: CallOptions = {},
): Promise<SessionHold> {
  const { data } = await call(supabase, "sessions-join", toWire(request), joinResponseSchema, options);
  return fromWire(data);
}
