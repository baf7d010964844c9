/**
 * Authorizations for apps: enter, change, close, list, and what asks for attention. For those who plan sessions.
 */
import type { SupabaseClient } from "@supabase/supabase-js";
import type { z } from "zod";
import {
  type authorizationAlertSchema,
  authorizationAlertsSchema,
  type authorizationSchema,
  authorizationsSchema,
  type changeAuthorizationRequestSchema,
  type closeAuthorizationRequestSchema,
  closedAuthorizationSchema,
  type enterAuthorizationRequestSchema,
  type listAuthorizationAlertsRequestSchema,
  type listAuthorizationsRequestSchema,
  savedAuthorizationSchema,
} from "./authorizations.ts";
import type { CallOptions } from "./call.ts";
import { callRpc } from "./call-rpc.ts";
import { type Camel, fromWire, toWire } from "./casing.ts";

/** A new authorization, or changes of one by its id. */
export type SaveAuthorizationRequest = Camel<
  z.input<typeof enterAuthorizationRequestSchema> | z.input<typeof changeAuthorizationRequestSchema>
>;
/** Which authorization. */
export type CloseAuthorizationRequest = Camel<z.input<typeof closeAuthorizationRequestSchema>>;
/** Whose authorizations. */
export type ListAuthorizationsRequest = Camel<z.input<typeof listAuthorizationsRequestSchema>>;
/** Which organization. */
export type ListAuthorizationAlertsRequest = Camel<z.input<typeof listAuthorizationAlertsRequestSchema>>;

/** What is left of an authorization once it is saved. */
export type SavedAuthorization = Camel<z.output<typeof savedAuthorizationSchema>>;
/** An authorization that no new booking draws on. */
export type ClosedAuthorization = Camel<z.output<typeof closedAuthorizationSchema>>;
/** An authorization with its balances. */
export type Authorization = Camel<z.output<typeof authorizationSchema>>;
/** An authorization that asks for attention, and why. */
export type AuthorizationAlert = Camel<z.output<typeof authorizationAlertSchema>>;

/**
 * Enters an authorization, or changes one. What is booked already draws on it; what does not fit is in `overriddenUnits`.
 *
 * @throws HoldfastError `forbidden`, `not_found`, `validation_failed` (`cptCodes` `overlaps_another`; `units`, `weeklyUnits`
 *   or `monthlyUnits` `below_taken`); and what every call may meet.
 */
export async function saveAuthorization(
  supabase: SupabaseClient,
  request: SaveAuthorizationRequest,
  options: CallOptions = {},
): Promise<SavedAuthorization> {
  return fromWire(
    await callRpc(supabase, "save_authorization", toWire(request), savedAuthorizationSchema, options),
  );
}

/**
 * Closes an authorization: no new booking draws on it, what is booked stays with it. Closing it twice is no error.
 *
 * @throws HoldfastError `forbidden`, `not_found`; and what every call may meet.
 */
export async function closeAuthorization(
  supabase: SupabaseClient,
  request: CloseAuthorizationRequest,
  options: CallOptions = {},
): Promise<ClosedAuthorization> {
  return fromWire(
    await callRpc(supabase, "close_authorization", toWire(request), closedAuthorizationSchema, options),
  );
}

/**
 * Authorizations with their balances, 200 at a time; each reading is on record.
 *
 * @throws HoldfastError `forbidden`, `not_found`; and what every call may meet.
 */
export async function listAuthorizations(
  supabase: SupabaseClient,
  request: ListAuthorizationsRequest,
  options: CallOptions = {},
): Promise<Authorization[]> {
  const { authorizations } = await callRpc(
    supabase,
    "read_authorizations",
    toWire(request),
    authorizationsSchema,
    options,
  );
  return fromWire(authorizations);
}

/**
 * Authorizations in force that run low, run out soon, or of which more was taken than authorized.
 *
 * @throws HoldfastError `forbidden`, `not_found`; and what every call may meet.
 */
export async function listAuthorizationAlerts(
  supabase: SupabaseClient,
  request: ListAuthorizationAlertsRequest,
  options: CallOptions = {},
): Promise<AuthorizationAlert[]> {
  const { alerts } = await callRpc(
    supabase,
    "read_authorization_alerts",
    toWire(request),
    authorizationAlertsSchema,
    options,
  );
  return fromWire(alerts);
}
