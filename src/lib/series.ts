/**
 * `POST sessions-series` as it stands on the wire: one edit of a series of sessions, from some occurrence on. See
 * contracts.ts for what holds for every request and answer.
 */
import { z } from "zod";
import { occurrenceSchema, recurrenceSchema, sessionSchema, skippedSchema, whenIssues } from "./contracts.ts";
import {
  authorizationOverride,
  guid,
  instant,
  list,
  required,
  timeFields,
  timeZone,
  together,
} from "./fields.ts";
import { conflictSchema } from "./problems.ts";

/**
 * What the series shall be from `from` on (the original start of the first occurrence affected, which is the session's
 * `occurrence_start`; left out: all that is still to come). Either a `recurrence`, of which the four time fields are
 * the first occurrence (DTSTART), or a plain list of `occurrences`. `version` is that of the series as the caller has
 * seen it. A therapist or room that is left out stays as it is; a room of null is none.
 */
export const seriesRequestSchema = together(
  z.strictObject({
    series_id: guid,
    version: z.int().min(1),
    from: instant.optional(),
    time_zone: timeZone,
    start_time: timeFields.start_time.optional(),
    end_time: timeFields.end_time.optional(),
    start_time_offset_minutes: timeFields.start_time_offset_minutes.optional(),
    end_time_offset_minutes: timeFields.end_time_offset_minutes.optional(),
    recurrence: recurrenceSchema.optional(),
    occurrences: list(occurrenceSchema).optional(),
    therapist_id: guid.optional(),
    room_id: guid.nullable().optional(),
    on_conflict: z.enum(["abort", "skip"]).default("abort"),
    preview: z.boolean().optional(),
    override_availability: z.boolean().optional(),
    authorization_override: authorizationOverride.optional(),
  }),
  (fields) => [
    ...whenIssues(fields),
    ...(fields.occurrences === undefined && fields.recurrence === undefined ? [required("recurrence")] : []),
  ],
);

const seriesSchema = z.object({
  id: guid,
  continues_series_id: guid.nullable(),
  rule: z.string().nullable(),
  time_zone: z.string(),
  local_start: z.string(),
  exdates: z.array(z.string()),
  version: z.int(),
  status: z.enum(["held", "active", "ended"]),
});

const changes = {
  moved: z.array(guid),
  unchanged: z.array(guid),
  cancelled: z.array(guid),
  settled: z.array(guid),
  skipped: z.array(skippedSchema.extend({ conflicts: z.array(conflictSchema) })),
};

/**
 * The data of a `sessions-series` answer: the series that has the edited sessions (where the edit split one, that is
 * the one which continues it), and the sessions by what became of them. `settled` are those that were cancelled,
 * delivered or missed before: they were not touched, and their occurrence was not booked again.
 */
export const seriesDataSchema = z.object({ series: seriesSchema, ...changes, added: z.array(sessionSchema) });

/**
 * The data of the answer to a preview: the same, and all that stands in the way. What would be made has no id yet: the
 * sessions added and, where the edit would split it, the series.
 */
export const seriesPreviewDataSchema = z.object({
  series: seriesSchema.extend({ id: guid.nullable() }),
  ...changes,
  added: z.array(sessionSchema.extend({ id: guid.nullable() })),
  conflicts: z.array(conflictSchema),
});

export const seriesResponseSchema = z.object({ data: seriesDataSchema });
export const seriesPreviewResponseSchema = z.object({ data: seriesPreviewDataSchema });

export type SeriesRequest = z.input<typeof seriesRequestSchema>;
export type SeriesData = z.output<typeof seriesDataSchema>;
export type SeriesPreviewData = z.output<typeof seriesPreviewDataSchema>;
