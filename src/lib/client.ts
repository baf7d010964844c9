/**
 * Booking for apps: hold a time, confirm it, cancel it, over the Edge Functions. Names are camelCase, instants go in as
 * `Date` or ISO 8601 string with offset and come out as strings; every failure is a `HoldfastError`.
 */
import type { SupabaseClient } from "@supabase/supabase-js";
import { type CallOptions, call } from "./call.ts";
import { type Camel, fromWire, toWire } from "./casing.ts";
import {
  type CancelData,
  type CancelRequest,
  type ConfirmData,
  type ConfirmRequest,
  cancelResponseSchema,
  confirmResponseSchema,
  type HoldData,
  type HoldRequest,
  holdResponseSchema,
} from "./contracts.ts";
import { isHoldfastError } from "./errors.ts";
import { wait } from "./retry.ts";
import { type TimeRange, type Times, withOffsets } from "./time-range.ts";

type Wire = Camel<HoldRequest>;
type Parties = "therapistId" | "therapistIds" | "clientId" | "clientIds";
type WithoutTimes = Omit<Wire, keyof TimeRange | "occurrences" | Parties> &
  ({ therapistId: string; therapistIds?: undefined } | { therapistIds: string[]; therapistId?: undefined }) &
  ({ clientId: string; clientIds?: undefined } | { clientIds: string[]; clientId?: undefined });

/** What to hold, for whom, and when: one stretch of time, or several that are held together. */
export type SessionHoldRequest = WithoutTimes & Times;

// The key of a hold, not all of it: the server refuses what it does not know.
type KeyAlone = { holds?: never };

/** Which hold (or batch) to confirm, and what the sessions shall be. */
export type SessionConfirmRequest = Camel<ConfirmRequest> & KeyAlone;

/** A hold or a batch to release, by its key. */
export type HoldCancelRequest = { holdKey: string } & Pick<Camel<CancelRequest>, "reason" | "cancelledBy"> &
  KeyAlone;

type CancelledBy = NonNullable<Camel<CancelRequest>["cancelledBy"]>;

/** Sessions to cancel: by id, or those of a series whose `occurrenceStart` is at `from` or later. */
export type SessionsCancelRequest = { cancelledBy: CancelledBy; reason?: string } & (
  | { sessionIds: string[] }
  | { seriesId: string; from: Date | string }
);

/** What was held. `holdKey` stands for the whole batch, `holds` has one entry for each stretch of time. */
export type SessionHold = Camel<HoldData>;
/** What was booked. */
export type ConfirmedSessions = Camel<ConfirmData>;
/** What was cancelled, what had been already, and what cannot be. */
export type CancelResult = Camel<CancelData>;
/** What `bookSession` booked and, with `onConflict: "skip"`, what it left out. */
export type BookedSessions = ConfirmedSessions & Pick<SessionHold, "skipped">;

const CONFIRM_RETRY_SECONDS = { default: 0.25, max: 5 };
// As long as a function waits for the database; on a dead connection there would be no end.
const RELEASE_TIMEOUT_MS = 10_000;

/**
 * Holds one or more stretches of a therapist's and a client's time until `expiresAt`, so that nobody else can book
 * them. All or nothing, unless `onConflict: "skip"`.
 *
 * @throws HoldfastError `therapist_conflict`, `client_conflict`, `room_conflict`, `therapist_unavailable` with
 *   `conflicts` and `alternatives`; `validation_failed`, `offset_mismatch`; and what every call may meet:
 *   `unauthenticated`, `forbidden`, `not_found`, `rate_limited`, `unavailable`.
 */
export async function requestSessionHold(
  supabase: SupabaseClient,
  request: SessionHoldRequest,
  options: CallOptions = {},
): Promise<SessionHold> {
  const { data } = await call(
    supabase,
    "sessions-hold",
    toWire(await withOffsets(request)),
    holdResponseSchema,
    options,
  );
  return fromWire(data);
}

/**
 * Turns a hold, or every hold of a batch, into sessions. All or nothing.
 *
 * @throws HoldfastError `hold_expired` with `stillFree`, `hold_confirmed` with `sessionIds`, `not_found`, `validation_failed`, `offset_mismatch`, a
 *   conflict; and what every call may meet.
 */
export async function confirmSessionBooking(
  supabase: SupabaseClient,
  request: SessionConfirmRequest,
  options: CallOptions = {},
): Promise<ConfirmedSessions> {
  const { data } = await call(supabase, "sessions-confirm", toWire(request), confirmResponseSchema, options);
  return fromWire(data);
}

/**
 * Releases a hold, or a whole batch, at once. Releasing what is released already is no error.
 *
 * @throws HoldfastError `not_found`; and what every call may meet.
 */
export function cancelSessionHold(
  supabase: SupabaseClient,
  request: HoldCancelRequest,
  options: CallOptions = {},
): Promise<CancelResult> {
  return cancel(supabase, request, options);
}

/**
 * Cancels sessions and frees their time. The answer says of each which were cancelled now, which had been already,
 * and which cannot be, with the reason.
 *
 * @throws HoldfastError `not_found`, `forbidden`, `validation_failed`; and what every call may meet.
 */
export function cancelSessions(
  supabase: SupabaseClient,
  request: SessionsCancelRequest,
  options: CallOptions = {},
): Promise<CancelResult> {
  return cancel(supabase, request, options);
}

/**
 * Holds, then confirms. When confirming fails, the hold is released and the confirm's error is thrown. When its outcome
 * is not known (the connection broke, the server could not say), it is asked once more with the same idempotency key
 * first, so that a booking that was made is reported as made.
 *
 * A caller's `idempotencyKey` serves all calls, so the whole booking may be repeated with it after `unavailable`: then the
 * hold is left to its time. After any other failure it is gone: use a new key. Given up by its signal, it waits up to 10
 * seconds for the release.
 *
 * @throws HoldfastError what `requestSessionHold` and `confirmSessionBooking` throw.
 */
export async function bookSession(
  supabase: SupabaseClient,
  { session, ...request }: SessionHoldRequest & Pick<SessionConfirmRequest, "session">,
  { idempotencyKey: callersKey, ...retries }: CallOptions = {},
): Promise<BookedSessions> {
  const idempotencyKey = callersKey ?? crypto.randomUUID();
  const options: CallOptions = { idempotencyKey, ...retries };
  const { holdKey, skipped } = await requestSessionHold(supabase, request as SessionHoldRequest, options);
  const confirm = (again?: CallOptions) =>
    confirmSessionBooking(supabase, { holdKey, ...(session && { session }) }, { ...options, ...again });
  try {
    const confirmed = await confirm().catch((error: unknown) =>
      retryUnknownOutcome(error, () => confirm({ maxAttempts: 1 }), retries.signal),
    );
    return { ...confirmed, skipped };
  } catch (error) {
    // Repeated with the caller's key, the hold is answered again as it was: it must be there still.
    if (callersKey !== undefined && isHoldfastError(error, "unavailable")) throw error;
    // Not with the caller's signal: a booking that was given up must not keep its time. If this fails as well, the
    // hold ends by itself.
    const signal = AbortSignal.timeout(RELEASE_TIMEOUT_MS);
    const released = await cancelSessionHold(supabase, { holdKey }, { idempotencyKey, signal }).catch(
      () => undefined,
    );
    if (!released?.notCancellable.length) throw error;
    // What cannot be released was confirmed after all: an error now would deny a booking that was made.
    const confirmed = await confirm().catch(() => Promise.reject(error));
    return { ...confirmed, skipped };
  }
}

/** Asks again, once, where the first answer does not tell whether it took effect; otherwise rethrows. */
async function retryUnknownOutcome<T>(
  error: unknown,
  again: () => Promise<T>,
  signal: AbortSignal | undefined,
): Promise<T> {
  if (!isHoldfastError(error, "unavailable", "internal_error", "idempotency_in_flight")) throw error;
  const seconds = Math.min(error.retryAfter ?? CONFIRM_RETRY_SECONDS.default, CONFIRM_RETRY_SECONDS.max);
  await wait(seconds, signal);
  return again();
}

async function cancel(
  supabase: SupabaseClient,
  request: HoldCancelRequest | SessionsCancelRequest,
  options: CallOptions,
): Promise<CancelResult> {
  const { data } = await call(supabase, "sessions-cancel", toWire(request), cancelResponseSchema, options);
  return fromWire(data);
}
