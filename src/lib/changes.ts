/**
 * What is broadcast of calendars: that something in a span of time is other than before. Which topics there are, and who may
 * hear them, the database says (docs/realtime.md).
 */
import { z } from "zod";
import type { Camel } from "./casing.ts";
import { guid, instant } from "./fields.ts";

const what = {
  /** The rows that changed: sessions, holds or exceptions, as `object` says. */
  ids: z.array(guid).min(1),
  /** On an organization's topic: whose calendars. */
  therapist_ids: z.array(guid).optional(),
  /** Where in the calendar: from the first of them, as they were and as they are, to the last. */
  start_time: instant,
  end_time: instant,
};

/** A message: its event as `type`, with its payload. */
export const changeSchema = z.discriminatedUnion("object", [
  z.object({
    object: z.literal("sessions"),
    type: z.enum([
      "session.cancelled",
      "session.completed",
      "session.corrected",
      "session.moved",
      "session.no_show",
      "session.scheduled",
      "session.started",
    ]),
    ...what,
  }),
  z.object({
    object: z.literal("session_holds"),
    type: z.enum(["hold.created", "hold.expired", "hold.released", "waitlist.offered"]),
    ...what,
  }),
  z.object({
    object: z.literal("availability_exceptions"),
    type: z.enum([
      "extra_hours.cancelled",
      "extra_hours.entered",
      "holiday.cancelled",
      "holiday.entered",
      "time_off.cancelled",
      "time_off.entered",
    ]),
    ...what,
  }),
]);

/** Something in a calendar changed. It says where to look, not what is there now: read the rows, as who you are. */
export type Change = Camel<z.output<typeof changeSchema>>;

/** Whose calendar to listen to. */
export type ChangeTarget = { organizationId: string } | { therapistId: string } | { clientId: string };

/** The one id of a target. */
export const changeTargetSchema = z.union(
  [
    z.strictObject({ organizationId: guid }),
    z.strictObject({ therapistId: guid }),
    z.strictObject({ clientId: guid }),
  ],
  "Must be one of organizationId, therapistId and clientId, with an id.",
);
