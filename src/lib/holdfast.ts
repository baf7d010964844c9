/**
 * Everything that the backend offers to apps, in one object: each `*-client.ts` is a namespace, each of its functions a
 * method without the first argument.
 */
import type { SupabaseClient } from "@supabase/supabase-js";
import * as access from "./access-client.ts";
import * as accessReports from "./access-report-client.ts";
import * as attendance from "./attendance-client.ts";
import * as trail from "./audit-trail-client.ts";
import * as authorizations from "./authorizations-client.ts";
import * as availability from "./availability-client.ts";
import * as claims from "./billing-client.ts";
import * as calendar from "./calendar-feeds-client.ts";
import type { CallOptions } from "./call.ts";
import { type ChangeOptions, type ChangeSubscription, subscribeToChanges } from "./change-feed.ts";
import type { Change, ChangeTarget } from "./changes.ts";
import * as booking from "./client.ts";
import * as clients from "./clients-client.ts";
import * as consents from "./consents-client.ts";
import * as documents from "./documents-client.ts";
import * as insights from "./insights-client.ts";
import * as joining from "./join-client.ts";
import * as charges from "./mue-override-client.ts";
import * as notes from "./notes-client.ts";
import * as openTimes from "./open-times-client.ts";
import * as reports from "./reports-client.ts";
import * as rescheduling from "./reschedule-client.ts";
import type { RetryOptions } from "./retry.ts";
import * as series from "./series-client.ts";
import { holdCountdown, serverNow } from "./server-time.ts";
import * as serviceAccounts from "./service-accounts-client.ts";
import * as waitlist from "./waitlist-client.ts";
import * as webhooks from "./webhooks-client.ts";

const NAMESPACES = {
  access,
  attendance,
  audit: { ...accessReports, ...trail },
  authorizations,
  availability,
  billing: { ...charges, ...claims },
  calendar,
  clients,
  consents,
  documents,
  insights,
  notes,
  partners: serviceAccounts,
  reports,
  series,
  sessions: { ...booking, ...joining, ...openTimes, ...rescheduling },
  waitlist,
  webhooks,
};

type Operation = (supabase: SupabaseClient, request: never, options?: CallOptions) => Promise<unknown>;
type Bound<Function_> = Function_ extends (
  supabase: SupabaseClient,
  request: infer Request,
  options?: CallOptions,
) => infer Answer
  ? (request: Request, options?: CallOptions) => Answer
  : never;
type Namespace<Module> = {
  readonly [Name in keyof Module as Module[Name] extends Operation ? Name : never]: Bound<Module[Name]>;
};

/** How calls are repeated by themselves; see `RetryOptions`. Each call may say otherwise for itself. */
export type HoldfastOptions = Pick<RetryOptions, "maxAttempts" | "maxWaitSeconds">;

/** The backend, for who is signed in to `supabase`. */
export type Holdfast = {
  readonly [Name in keyof typeof NAMESPACES]: Namespace<(typeof NAMESPACES)[Name]>;
} & {
  readonly changes: {
    /**
     * Listens to a calendar: an organization's for who runs its schedule, a therapist's for the therapist and who supervises, a
     * client's for the family. A change says where to look; read it again, also at each `live` and `resync`.
     *
     * @throws HoldfastError `validation_failed` for a target that is none. A refusal is told by `onStatus`.
     */
    subscribe(
      target: ChangeTarget,
      onChange: (change: Change) => void,
      options?: ChangeOptions,
    ): ChangeSubscription;
  };
  /** Milliseconds since 1970 by the server's clock, as the last answer of an Edge Function told it. */
  now(): number;
  /** Calls `onTick` each second with the whole seconds that a hold still has, by the server's clock, until 0. Returns what stops it. */
  countdown(hold: { readonly expiresAt: string }, onTick: (secondsLeft: number) => void): () => void;
};

const MAX_ATTEMPTS = 4;

/**
 * Binds the whole library to a supabase-js client. Every call gets an idempotency key, and is made up to four times while
 * waiting can help (`unavailable`, `rate_limited`, `idempotency_in_flight`, a broken connection).
 *
 * @example
 * const holdfast = createHoldfast(createClient(url, publishableKey));
 * const hold = await holdfast.sessions.requestSessionHold(request);
 * const stop = holdfast.countdown(hold, (seconds) => show(seconds));
 */
export function createHoldfast(
  supabase: SupabaseClient,
  { maxAttempts = MAX_ATTEMPTS, ...options }: HoldfastOptions = {},
): Holdfast {
  const defaults: CallOptions = { maxAttempts, ...options };
  const namespaces = Object.entries(NAMESPACES).map(([name, functions]) => [
    name,
    bound(functions, supabase, defaults),
  ]);
  return {
    ...Object.fromEntries(namespaces),
    changes: {
      subscribe: (target, onChange, options) => subscribeToChanges(supabase, target, onChange, options),
    },
    now: () => serverNow(supabase),
    countdown: (hold, onTick) => holdCountdown(hold, onTick, () => serverNow(supabase)),
  };
}

function bound(functions: object, supabase: SupabaseClient, defaults: CallOptions) {
  const methods = Object.entries(functions).map(([name, operation]: [string, Operation]) => [
    name,
    (request: never, options: CallOptions = {}) => operation(supabase, request, { ...defaults, ...options }),
  ]);
  return Object.fromEntries(methods);
}
