/** The search for open times (`POST sessions-availability`) as it stands on the wire. */
import { z } from "zod";
import { duplicateIssues, guid, type Issue, instant, refusal, text, timeZone, together } from "./fields.ts";

/** Most therapists and days that one search covers. */
export const MAX_SEARCH = { therapists: 50, days: 31 } as const;

const MINUTES_A_DAY = 1_440;
const DAY_MS = 86_400_000;

/**
 * Who is to be booked, for how long, and in which range of time. Without `therapist_ids` the answer has any therapist
 * that the caller may book, who is qualified for the service and on the client's care team. Starts lie on a grid of
 * `step_minutes` of the wall clock of `time_zone`, counted from midnight.
 */
export const openTimesRequestSchema = together(
  z.strictObject({
    therapist_ids: z.array(guid).min(1).max(MAX_SEARCH.therapists).optional(),
    client_id: guid,
    room_id: guid.nullable().optional(),
    service_code: text(20),
    duration_minutes: z.int().min(1).max(MINUTES_A_DAY),
    range_start: instant,
    range_end: instant,
    time_zone: timeZone,
    step_minutes: z
      .int()
      .refine(
        (step) => step >= 5 && step <= MINUTES_A_DAY && MINUTES_A_DAY % step === 0,
        refusal("out_of_range", "Must be 5 to 1440 minutes, and divide a day."),
      )
      .default(15),
    preferred_hours_only: z.boolean().default(false),
  }),
  ({ range_start: start, range_end: end, therapist_ids: ids }) => [
    ...rangeIssues(start, end),
    ...(Array.isArray(ids) ? duplicateIssues(ids, (index) => ["therapist_ids", index]) : []),
  ],
);

function rangeIssues(start: unknown, end: unknown): Issue[] {
  const [from, to] = [instant.safeParse(start), instant.safeParse(end)];
  if (!from.success || !to.success) return [];
  const length = Date.parse(to.data) - Date.parse(from.data);
  if (length <= 0) return [{ path: ["range_end"], code: "too_small", message: "Must be after range_start." }];
  if (length <= MAX_SEARCH.days * DAY_MS) return [];
  const message = `Must be at most ${MAX_SEARCH.days} days after range_start.`;
  return [{ path: ["range_end"], code: "too_big", message }];
}

/** Every time at which a session of the duration can start, by therapist; in order of time. */
export const openTimesDataSchema = z.object({
  duration_minutes: z.int(),
  time_zone: z.string(),
  therapists: z.array(z.object({ therapist_id: guid, start_times: z.array(instant) })),
});
export const openTimesResponseSchema = z.object({ data: openTimesDataSchema });

export type OpenTimesRequest = z.input<typeof openTimesRequestSchema>;
export type OpenTimesData = z.output<typeof openTimesDataSchema>;
