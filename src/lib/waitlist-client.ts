/**
 * The waitlist for apps: put a client on it, take it off, and answer what it offers.
 */
import type { SupabaseClient } from "@supabase/supabase-js";
import { type CallOptions, call } from "./call.ts";
import { type Camel, fromWire, toWire } from "./casing.ts";
import {
  type AcceptedAppointmentData,
  type AcceptedOfferData,
  acceptedOfferResponseSchema,
  type WaitlistEntry as WaitlistEntryOnTheWire,
  type WaitlistRequest,
  waitlistResponseSchema,
} from "./waitlist.ts";

type Action<Name extends WaitlistRequest["action"]> = Extract<WaitlistRequest, { action: Name }>;

/** Who waits for what, and when they could come: weekly wall-clock times of `timeZone`, from a day, perhaps until one. */
export type WaitlistJoinRequest = Camel<Omit<Action<"join">, "action">>;
/** The entry to take off. */
export type WaitlistLeaveRequest = Camel<Omit<Action<"leave">, "action">>;
/** Which offer, and yes or no; `session` is for those who book. */
export type OfferAnswer = Camel<Omit<Action<"answer">, "action">>;

/** An entry of the waitlist. `offer` is what it is offered now, or null. */
export type WaitlistEntry = Camel<WaitlistEntryOnTheWire>;
/** What accepting an offer booked, to those who book: the session. */
export type AcceptedOffer = Camel<AcceptedOfferData>;
/** The same to a family: the appointment, as `family_sessions` shows it. */
export type AcceptedAppointment = Camel<AcceptedAppointmentData>;
/** The entry and, after `accept`, what was booked: a `session` to those who book, an `appointment` to a family. */
export type AnsweredOffer =
  | (AcceptedOffer & { appointment?: undefined })
  | (AcceptedAppointment & { session?: undefined })
  | { entry: WaitlistEntry; session?: undefined; appointment?: undefined };

/**
 * Puts a client on the waitlist. Time that comes free is offered first come first served.
 *
 * @throws HoldfastError `not_found`, `validation_failed` (`clientId` `already_waiting` when the client waits for the
 *   service already); and what every call may meet.
 */
export async function joinWaitlist(
  supabase: SupabaseClient,
  request: WaitlistJoinRequest,
  options: CallOptions = {},
): Promise<WaitlistEntry> {
  const body = toWire({ action: "join", ...request });
  const { data } = await call(supabase, "waitlist", body, waitlistResponseSchema, options);
  return fromWire(data.entry);
}

/**
 * Takes an entry off the waitlist; what it was offered passes to the next. Leaving twice is no error.
 *
 * @throws HoldfastError `not_found`; and what every call may meet.
 */
export async function leaveWaitlist(
  supabase: SupabaseClient,
  request: WaitlistLeaveRequest,
  options: CallOptions = {},
): Promise<WaitlistEntry> {
  const body = toWire({ action: "leave", ...request });
  const { data } = await call(supabase, "waitlist", body, waitlistResponseSchema, options);
  return fromWire(data.entry);
}

/**
 * Accepts an offer, which books it, or declines it, which passes it to the next.
 *
 * @returns the entry; after `accept` also what was booked: `session`, as `confirmSessionBooking` gives it, or to a family
 *   `appointment`.
 * @throws HoldfastError `hold_expired` with `stillFree`, `hold_confirmed`, `not_found`, `validation_failed`; and what every call may meet.
 */
export async function answerOffer(
  supabase: SupabaseClient,
  request: OfferAnswer,
  options: CallOptions = {},
): Promise<AnsweredOffer> {
  const response = request.answer === "accept" ? acceptedOfferResponseSchema : waitlistResponseSchema;
  const body = toWire({ action: "answer", ...request });
  const { data } = await call(supabase, "waitlist", body, response, options);
  return fromWire(data);
}
