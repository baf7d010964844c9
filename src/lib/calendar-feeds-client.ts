/** Calendar feeds for apps: addresses by which a calendar app reads one's own sessions. */
import type { SupabaseClient } from "@supabase/supabase-js";
import type { z } from "zod";
import {
  type calendarFeedSchema,
  type calendarFeedsRequestSchema,
  calendarFeedsSchema,
  type createCalendarFeedRequestSchema,
  createdCalendarFeedSchema,
  type revokeCalendarFeedRequestSchema,
  revokedCalendarFeedSchema,
} from "./calendar-feeds.ts";
import type { CallOptions } from "./call.ts";
import { callRpc } from "./call-rpc.ts";
import { type Camel, fromWire, toWire } from "./casing.ts";

/** Of one's own schedule (`organizationId`) or of a client whom one stands for (`clientId`), and until when. */
export type CreateCalendarFeedRequest = Camel<z.input<typeof createCalendarFeedRequestSchema>>;
/** Which feed ends. */
export type RevokeCalendarFeedRequest = Camel<z.input<typeof revokeCalendarFeedRequestSchema>>;
/** Of which organization, and which page. */
export type CalendarFeedsRequest = Camel<z.input<typeof calendarFeedsRequestSchema>>;
/** A new feed, and its token: shown this once. */
export type CreatedCalendarFeed = Camel<z.output<typeof createdCalendarFeedSchema>>;
/** A feed that has ended. */
export type RevokedCalendarFeed = Camel<z.output<typeof revokedCalendarFeedSchema>>;
/** A feed; never its token. */
export type CalendarFeed = Camel<z.output<typeof calendarFeedSchema>>;
/** A page of feeds; `next` asks on as `after`. */
export type CalendarFeeds = Camel<z.output<typeof calendarFeedsSchema>>;

/**
 * Makes a feed; `calendarFeedUrl` makes of its token the address. The token is shown this once and not kept, so neither does
 * an idempotency key count nor is the call repeated by itself.
 *
 * @throws HoldfastError `forbidden` (no schedule of one's own), `not_found`, `validation_failed` (ten feeds already); and what
 *   every call may meet.
 */
export async function createCalendarFeed(
  supabase: SupabaseClient,
  request: CreateCalendarFeedRequest,
  options: CallOptions = {},
): Promise<CreatedCalendarFeed> {
  return fromWire(
    await callRpc(supabase, "create_calendar_feed", toWire(request), createdCalendarFeedSchema, {
      ...options,
      maxAttempts: 1,
    }),
  );
}

/**
 * Ends a feed at once: one's own, for admins anybody's. Ending it again is no error.
 *
 * @throws HoldfastError `not_found`, `validation_failed`; and what every call may meet.
 */
export async function revokeCalendarFeed(
  supabase: SupabaseClient,
  request: RevokeCalendarFeedRequest,
  options: CallOptions = {},
): Promise<RevokedCalendarFeed> {
  return fromWire(
    await callRpc(supabase, "revoke_calendar_feed", toWire(request), revokedCalendarFeedSchema, options),
  );
}

/**
 * One's own feeds in an organization, for admins everybody's; the revoked ones among them.
 *
 * @throws HoldfastError `not_found`, `validation_failed`; and what every call may meet.
 */
export async function listCalendarFeeds(
  supabase: SupabaseClient,
  request: CalendarFeedsRequest,
  options: CallOptions = {},
): Promise<CalendarFeeds> {
  return fromWire(
    await callRpc(supabase, "read_calendar_feeds", toWire(request), calendarFeedsSchema, options),
  );
}
