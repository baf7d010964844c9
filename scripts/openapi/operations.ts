// What the reference says of each Edge Function besides its schemas' own words: by folder, in alphabetical order. A function
// without an entry, a schema without a name and a problem that no function answers fail scripts/openapi.test.ts by name.

import type { z } from "zod";
import {
  addExceptionResponseSchema,
  availabilityRequestSchema,
  cancelExceptionResponseSchema,
  setAvailabilityResponseSchema,
} from "../../src/lib/availability.ts";
import {
  cancelRequestSchema,
  cancelResponseSchema,
  confirmRequestSchema,
  confirmResponseSchema,
  holdRequestSchema,
  holdResponseSchema,
  previewRequestSchema,
  previewResponseSchema,
  sessionSchema,
} from "../../src/lib/contracts.ts";
import {
  documentLinkResponseSchema,
  documentRequestSchema,
  documentResponseSchema,
  documentsResponseSchema,
  documentUploadResponseSchema,
} from "../../src/lib/documents.ts";
import { joinRequestSchema, joinResponseSchema } from "../../src/lib/join.ts";
import { noteRequestSchema, noteResponseSchema, notesResponseSchema } from "../../src/lib/notes.ts";
import { openTimesRequestSchema, openTimesResponseSchema } from "../../src/lib/open-times.ts";
import {
  partnerEnrolResponseSchema,
  partnerRequestSchema,
  partnerScheduleResponseSchema,
} from "../../src/lib/partner.ts";
import {
  alternativeSchema,
  conflictSchema,
  fieldErrorSchema,
  type ProblemCode,
} from "../../src/lib/problems.ts";
import {
  movedResponseSchema,
  rescheduleRequestSchema,
  substituteResponseSchema,
} from "../../src/lib/reschedule.ts";
import {
  seriesPreviewResponseSchema,
  seriesRequestSchema,
  seriesResponseSchema,
} from "../../src/lib/series.ts";
import {
  acceptedOfferResponseSchema,
  waitlistRequestSchema,
  waitlistResponseSchema,
} from "../../src/lib/waitlist.ts";

export interface Operation {
  /** The page of docs/ that explains it. */
  docs: string;
  /** Who calls: a signed-in user with their access token, or a service account with its own. */
  caller: "user" | "serviceAccount";
  request: z.ZodType;
  /** The status of a success. */
  status: 200 | 201;
  /** The member of the request that says what is done, where there are several things. */
  by?: "action" | "operation";
  /** The answer to a success; where there are several things to do, by their names. */
  answers: Record<string, z.ZodType>;
  /** What may be refused besides COMMON_REFUSALS. */
  refusals: readonly ProblemCode[];
}

/** What every function may answer. */
export const COMMON_REFUSALS: readonly ProblemCode[] = [
  "invalid_json",
  "idempotency_key_invalid",
  "unauthenticated",
  "forbidden",
  "mfa_required",
  "not_found",
  "idempotency_in_flight",
  "payload_too_large",
  "validation_failed",
  "idempotency_key_reused",
  "rate_limited",
  "internal_error",
  "unavailable",
];

/** What is answered by RPCs over REST only, or to another method than POST. */
export const REFUSALS_ELSEWHERE: readonly ProblemCode[] = [
  "already_signed",
  "method_not_allowed",
  "session_billed",
];

/** Functions that no app of ours calls: calendar apps do, monitors, and jobs with the secret key. */
export const NOT_FOR_APPS: readonly string[] = [
  "calendar-feed",
  "health",
  "insights-send",
  "webhooks-deliver",
];

const TAKEN = ["therapist_conflict", "client_conflict", "room_conflict", "therapist_unavailable"] as const;
const BOOKING = [
  ...TAKEN,
  "consent_required",
  "authorization_missing",
  "authorization_exhausted",
  "offset_mismatch",
] as const;

export const OPERATIONS: Readonly<Record<string, Operation>> = {
  availability: {
    docs: "scheduling.md",
    caller: "user",
    request: availabilityRequestSchema,
    status: 200,
    by: "action",
    answers: {
      set_hours: setAvailabilityResponseSchema,
      add_exception: addExceptionResponseSchema,
      cancel_exception: cancelExceptionResponseSchema,
    },
    refusals: ["sessions_in_the_way", "offset_mismatch"],
  },
  documents: {
    docs: "documents.md",
    caller: "user",
    request: documentRequestSchema,
    status: 200,
    by: "action",
    answers: {
      upload: documentUploadResponseSchema,
      finish: documentResponseSchema,
      list: documentsResponseSchema,
      read: documentLinkResponseSchema,
      delete: documentResponseSchema,
    },
    refusals: [],
  },
  "partner-sync": {
    docs: "partners.md",
    caller: "serviceAccount",
    request: partnerRequestSchema,
    status: 200,
    by: "operation",
    answers: { enrol: partnerEnrolResponseSchema, schedule: partnerScheduleResponseSchema },
    refusals: [],
  },
  "session-notes": {
    docs: "notes.md",
    caller: "user",
    request: noteRequestSchema,
    status: 200,
    by: "action",
    answers: {
      save: noteResponseSchema,
      read: notesResponseSchema,
      sign: noteResponseSchema,
      cosign: noteResponseSchema,
      release_summary: noteResponseSchema,
    },
    refusals: ["stale_version", "note_signed", "note_unreadable", "key_destroyed"],
  },
  "sessions-availability": {
    docs: "scheduling.md",
    caller: "user",
    request: openTimesRequestSchema,
    status: 200,
    answers: { "": openTimesResponseSchema },
    refusals: [],
  },
  "sessions-cancel": {
    docs: "booking.md",
    caller: "user",
    request: cancelRequestSchema,
    status: 200,
    answers: { "": cancelResponseSchema },
    refusals: [],
  },
  "sessions-confirm": {
    docs: "booking.md",
    caller: "user",
    request: confirmRequestSchema,
    status: 200,
    answers: { "": confirmResponseSchema },
    refusals: [...BOOKING, "hold_confirmed", "hold_expired"],
  },
  "sessions-hold": {
    docs: "booking.md",
    caller: "user",
    request: holdRequestSchema,
    status: 201,
    answers: { "": holdResponseSchema },
    refusals: BOOKING,
  },
  "sessions-join": {
    docs: "scheduling.md",
    caller: "user",
    request: joinRequestSchema,
    status: 201,
    answers: { "": joinResponseSchema },
    refusals: [...BOOKING, "group_full"],
  },
  "sessions-preview": {
    docs: "scheduling.md",
    caller: "user",
    request: previewRequestSchema,
    status: 200,
    answers: { "": previewResponseSchema },
    refusals: ["consent_required", "offset_mismatch"],
  },
  "sessions-reschedule": {
    docs: "scheduling.md",
    caller: "user",
    request: rescheduleRequestSchema,
    status: 200,
    by: "action",
    answers: {
      move: movedResponseSchema,
      swap: movedResponseSchema,
      substitute: substituteResponseSchema,
    },
    refusals: [...BOOKING, "stale_version"],
  },
  "sessions-series": {
    docs: "scheduling.md",
    caller: "user",
    request: seriesRequestSchema,
    status: 200,
    // A preview answers by another schema, which `preview` decides.
    answers: { update: seriesResponseSchema, preview: seriesPreviewResponseSchema },
    refusals: [...BOOKING, "stale_version"],
  },
  waitlist: {
    docs: "scheduling.md",
    caller: "user",
    request: waitlistRequestSchema,
    status: 200,
    by: "action",
    answers: {
      join: waitlistResponseSchema,
      leave: waitlistResponseSchema,
      answer: acceptedOfferResponseSchema,
      "answer with decline": waitlistResponseSchema,
    },
    refusals: [...BOOKING, "hold_confirmed", "hold_expired"],
  },
};

/** The names of the schemas that answers are made of, as components. */
export const ANSWER_NAMES: Readonly<Record<string, z.ZodType>> = {
  AcceptedOfferAnswer: acceptedOfferResponseSchema,
  Alternative: alternativeSchema,
  CancelAnswer: cancelResponseSchema,
  CancelledExceptionAnswer: cancelExceptionResponseSchema,
  ConfirmAnswer: confirmResponseSchema,
  Conflict: conflictSchema,
  DocumentAnswer: documentResponseSchema,
  DocumentLinkAnswer: documentLinkResponseSchema,
  DocumentsAnswer: documentsResponseSchema,
  DocumentUploadAnswer: documentUploadResponseSchema,
  EnrolAnswer: partnerEnrolResponseSchema,
  ExceptionsAnswer: addExceptionResponseSchema,
  FieldError: fieldErrorSchema,
  HoldAnswer: holdResponseSchema,
  HoursAnswer: setAvailabilityResponseSchema,
  MovedAnswer: movedResponseSchema,
  NoteAnswer: noteResponseSchema,
  NotesAnswer: notesResponseSchema,
  OpenTimesAnswer: openTimesResponseSchema,
  PartnerScheduleAnswer: partnerScheduleResponseSchema,
  PreviewAnswer: previewResponseSchema,
  SeriesAnswer: seriesResponseSchema,
  SeriesPreviewAnswer: seriesPreviewResponseSchema,
  Session: sessionSchema,
  SubstituteAnswer: substituteResponseSchema,
  WaitlistAnswer: waitlistResponseSchema,
};
