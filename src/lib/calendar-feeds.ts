/**
 * Calendar feeds on the wire: what the RPCs `create_calendar_feed`, `revoke_calendar_feed` and `read_calendar_feeds` take
 * and answer. What a calendar app is given is iCalendar, by `GET calendar-feed`.
 */
import { z } from "zod";
import { guid, instant, together } from "./fields.ts";

/** Most feeds of one page. */
export const MAX_FEED_PAGE = 200;

/** The caller's own schedule in an organization, or the sessions of a client whom the caller stands for. */
export const createCalendarFeedRequestSchema = together(
  z.strictObject({
    organization_id: guid.optional(),
    client_id: guid.optional(),
    /** When it ends by itself; within a year, and in a year when left out. */
    expires_at: instant.optional(),
  }),
  ({ organization_id, client_id }) =>
    (organization_id === undefined) === (client_id === undefined)
      ? [{ path: ["client_id"], code: "invalid_value", message: "Give organization_id or client_id." }]
      : [],
);
export const revokeCalendarFeedRequestSchema = z.strictObject({ feed_id: guid });
export const calendarFeedsRequestSchema = z.strictObject({
  organization_id: guid,
  /** `next` of the page before. */
  after: guid.optional(),
  limit: z.int().min(1).max(MAX_FEED_PAGE).optional(),
});

/** A new feed, with the token that its address holds: shown this once. */
export const createdCalendarFeedSchema = z.object({
  feed_id: guid,
  token: z.string(),
  expires_at: instant,
});
export const revokedCalendarFeedSchema = z.object({ feed_id: guid, revoked_at: instant });
export const calendarFeedSchema = z.object({
  feed_id: guid,
  /** Whose feed it is. */
  user_id: guid,
  /** Whose sessions: the owner's own, or in the feed of a family the client's. */
  therapist_id: guid.nullable(),
  client_id: guid.nullable(),
  created_at: instant,
  expires_at: instant,
  /** When a calendar app last asked, to the hour; to the day once it is refused. */
  last_used_at: instant.nullable(),
  revoked_at: instant.nullable(),
});
export const calendarFeedsSchema = z.object({
  feeds: z.array(calendarFeedSchema),
  /** What to ask on with as `after`; null at the end. */
  next: guid.nullable(),
});

/**
 * The address to give to a calendar app: whoever has it sees the feed, until it is revoked.
 *
 * @param supabaseUrl the project's, as supabase-js takes it.
 */
export function calendarFeedUrl(supabaseUrl: string, token: string): string {
  return new URL(`functions/v1/calendar-feed/${token}.ics`, `${supabaseUrl.replace(/\/*$/, "")}/`).href;
}
