/**
 * Series for apps: what a hold or an edit of a series would do, and editing one. See client.ts for names and errors.
 */
import type { SupabaseClient } from "@supabase/supabase-js";
import { type CallOptions, call } from "./call.ts";
import { type Camel, fromWire, toWire } from "./casing.ts";
import { type PreviewData, type PreviewRequest, previewResponseSchema } from "./contracts.ts";
import {
  type SeriesData,
  type SeriesPreviewData,
  type SeriesRequest,
  seriesPreviewResponseSchema,
  seriesResponseSchema,
} from "./series.ts";
import { type TimeRange, type Times, withOffsets } from "./time-range.ts";

/** What a hold would be asked for. */
export type SessionPreviewRequest = Omit<Camel<PreviewRequest>, keyof TimeRange | "occurrences"> & Times;
/** What a series shall be from some occurrence on: its first occurrence with a `recurrence`, or `occurrences`. */
export type SeriesUpdateRequest = Omit<
  Camel<SeriesRequest>,
  keyof TimeRange | "occurrences" | "from" | "preview"
> & {
  /** Original start of the first occurrence affected; left out, all that is still to come. */
  from?: Date | string;
} & Times;

/** Every occurrence that a hold would take, with its conflicts. */
export type SessionPreview = Camel<PreviewData>;
/** The series as it is now, and what became of its sessions. */
export type SeriesUpdate = Camel<SeriesData>;
/** What would become of a series and its sessions, and what stands in the way. */
export type SeriesUpdatePreview = Camel<SeriesPreviewData>;

/**
 * Lists every occurrence that `requestSessionHold` would hold, with what stands in its way and the nearest open times.
 * Writes nothing.
 *
 * @throws HoldfastError `validation_failed`, `offset_mismatch`, `not_found`, `forbidden`; and what every call may meet.
 */
export async function previewSessions(
  supabase: SupabaseClient,
  request: SessionPreviewRequest,
  options: CallOptions = {},
): Promise<SessionPreview> {
  const body = toWire(await withOffsets(request));
  const { data } = await call(supabase, "sessions-preview", body, previewResponseSchema, options);
  return fromWire(data);
}

/**
 * Edits "this and following" or "all that is to come" of a series: other times, another rule, therapist or room, a
 * later or an earlier end. Sessions keep their ids; what stays as it is is not touched, what was moved by hand keeps its
 * time. All or nothing, unless `onConflict: "skip"`, which leaves out blocked occurrences that would be added.
 *
 * @throws HoldfastError `stale_version` with `version`; a conflict with `conflicts` and `alternatives`;
 *   `validation_failed`, `offset_mismatch`, `not_found`, `forbidden`; and what every call may meet.
 */
export async function updateSeries(
  supabase: SupabaseClient,
  request: SeriesUpdateRequest,
  options: CallOptions = {},
): Promise<SeriesUpdate> {
  const body = toWire(await withOffsets(request));
  const { data } = await call(supabase, "sessions-series", body, seriesResponseSchema, options);
  return fromWire(data);
}

/**
 * Says what `updateSeries` would do, with all conflicts, and writes nothing.
 *
 * @throws HoldfastError what `updateSeries` throws, but no conflict.
 */
export async function previewSeriesUpdate(
  supabase: SupabaseClient,
  request: SeriesUpdateRequest,
  options: CallOptions = {},
): Promise<SeriesUpdatePreview> {
  const body = { ...toWire(await withOffsets(request)), preview: true };
  const { data } = await call(supabase, "sessions-series", body, seriesPreviewResponseSchema, options);
  return fromWire(data);
}
