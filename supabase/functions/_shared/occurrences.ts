/**
 * From a request as callers write it to the one form in which the database is asked: always a list of occurrences.
 */
import type { ParsedPreviewRequest } from "../../../src/lib/contracts.ts";
import type { timeFields } from "../../../src/lib/fields.ts";
import type { FieldError } from "../../../src/lib/problems.ts";
import { expandRecurrence, type RecurrenceOccurrence } from "../../../src/lib/recurrence.ts";

/** What to ask the RPC, or why it is not asked. */
export type Asked = { readonly ask: unknown } | { readonly errors: FieldError[] };

/** The fields that say when, which all requests for several times have in common. */
type WithTimes = Pick<
  ParsedPreviewRequest,
  "time_zone" | "occurrences" | "recurrence" | keyof typeof timeFields
>;

/** The times of a request, as they were given or by its recurrence, expanded. */
export function withOccurrences(request: WithTimes): Asked {
  const {
    occurrences,
    recurrence,
    start_time: start = "",
    end_time: end = "",
    start_time_offset_minutes,
    end_time_offset_minutes,
    ...rest
  } = request;
  if (occurrences) return { ask: { ...rest, occurrences } };
  if (!recurrence) {
    const single = { start_time: start, end_time: end, start_time_offset_minutes, end_time_offset_minutes };
    return { ask: { ...rest, occurrences: [single] } };
  }
  const { rule, exdates = [] } = recurrence;
  const expanded = expandRecurrence({ rule, timeZone: request.time_zone, start, end, exdates });
  if (!expanded.ok) return { errors: expanded.errors };
  return {
    ask: {
      ...rest,
      occurrences: expanded.occurrences.map(onTheWire),
      recurrence: { rule: expanded.rule, exdates: expanded.exdates, local_start: expanded.localStart },
    },
  };
}

/** An expanded occurrence, as requests name its four time fields. */
export function onTheWire({ start, end, startOffsetMinutes, endOffsetMinutes }: RecurrenceOccurrence) {
  return {
    start_time: start.toISOString(),
    end_time: end.toISOString(),
    start_time_offset_minutes: startOffsetMinutes,
    end_time_offset_minutes: endOffsetMinutes,
  };
}

/** A single time is passed on as a list of one, which the caller never wrote. */
export function asTheCallerWrote(
  field: string,
  request: { occurrences?: unknown; recurrence?: unknown },
): string {
  return request.occurrences || request.recurrence ? field : field.replace(/^occurrences\[0\]\./, "");
}
