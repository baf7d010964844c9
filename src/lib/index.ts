/**
 * Holdfast for apps: hold, confirm and cancel sessions; the contracts, errors, time zones and units that go with it.
 */
export {
  type BreakGlassRequest,
  type BrokenGlass,
  breakGlass,
  chooseOrganization,
} from "./access-client.ts";
export { MAX_ACCESS_PAGE } from "./access-report.ts";
export {
  type AccessAlert,
  type AccessAlerts,
  type AccessAlertsRequest,
  type AccessEntry,
  type AccessReport,
  type AccessReportRequest,
  type AcknowledgedAlert,
  type AlertAcknowledgement,
  acknowledgeAlert,
  getAccessReport,
  listAccessAlerts,
} from "./access-report-client.ts";
export {
  type AttendanceCorrection,
  completeSession,
  correctAttendance,
  type EvvPage,
  type EvvRecordsRequest,
  evvRecords,
  listNoShowCandidates,
  type MarkedSessions,
  markNoShow,
  type NoShowCandidates,
  type NoShowCandidatesRequest,
  type NoShowRequest,
  type PlacedSession,
  type PlaceOfServiceRequest,
  type SessionCompletion,
  type SessionStart,
  setPlaceOfService,
  startSession,
  type VisitLocation,
} from "./attendance-client.ts";
export {
  type AuditEvent,
  type AuditEventsRequest,
  type DeniedAttempt,
  type DeniedAttemptsRequest,
  listAuditEvents,
  listDeniedAttempts,
} from "./audit-trail-client.ts";
export {
  type Authorization,
  type AuthorizationAlert,
  type CloseAuthorizationRequest,
  type ClosedAuthorization,
  closeAuthorization,
  type ListAuthorizationAlertsRequest,
  type ListAuthorizationsRequest,
  listAuthorizationAlerts,
  listAuthorizations,
  type SaveAuthorizationRequest,
  type SavedAuthorization,
  saveAuthorization,
} from "./authorizations-client.ts";
export {
  type AddExceptionRequest,
  type CancelExceptionRequest,
  MAX_EXCEPTION_DAYS,
  MAX_WEEKLY_HOURS,
  type SetAvailabilityRequest,
} from "./availability.ts";
export {
  type AvailabilityExceptionRequest,
  type AvailabilityExceptions,
  addAvailabilityException,
  type CancelledException,
  cancelAvailabilityException,
  type ExceptionCancelRequest,
  setAvailability,
  type WeeklyHours,
  type WeeklyHoursRequest,
} from "./availability-client.ts";
export {
  type AttachSessionsRequest,
  attachSessions,
  type BillingBatch,
  type BillingCase,
  type CreateBillingBatchRequest,
  createBillingBatch,
  type RebillCaseRequest,
  rebillCase,
  type SettleCaseRequest,
  settleCase,
  type VoidCaseRequest,
  voidCase,
} from "./billing-client.ts";
export { calendarFeedUrl } from "./calendar-feeds.ts";
export {
  type CalendarFeed,
  type CalendarFeeds,
  type CalendarFeedsRequest,
  type CreateCalendarFeedRequest,
  type CreatedCalendarFeed,
  createCalendarFeed,
  listCalendarFeeds,
  type RevokeCalendarFeedRequest,
  type RevokedCalendarFeed,
  revokeCalendarFeed,
} from "./calendar-feeds-client.ts";
export type { CallOptions } from "./call.ts";
export { type Camel, fromWire, type Snake, toWire } from "./casing.ts";
export type { ChangeOptions, ChangeStatus, ChangeSubscription } from "./change-feed.ts";
export type { Change, ChangeTarget } from "./changes.ts";
export {
  type Charge,
  type ChargeInput,
  type ChargeWarning,
  deriveCharges,
  type Rounding,
  roundedMinutes,
  units,
} from "./charges.ts";
export {
  type BookedSessions,
  bookSession,
  type CancelResult,
  type ConfirmedSessions,
  cancelSessionHold,
  cancelSessions,
  confirmSessionBooking,
  type HoldCancelRequest,
  requestSessionHold,
  type SessionConfirmRequest,
  type SessionHold,
  type SessionHoldRequest,
  type SessionsCancelRequest,
} from "./client.ts";
export {
  type ArchivedClient,
  archiveClient,
  type ClientPage,
  type ClientRecord,
  type ClientsByIdRequest,
  type ClientsListRequest,
  listClients,
  type RowTexts,
  readClients,
  readTexts,
  type SaveClientRequest,
  type SaveCoverageRequest,
  type SavedClient,
  type SavedCoverage,
  saveClient,
  saveCoverage,
  type TextsRequest,
} from "./clients-client.ts";
export {
  type Consent,
  type EndedConsent,
  listConsents,
  type SignConsentRequest,
  type SignedConsent,
  signConsent,
  type TerminateConsentRequest,
  terminateConsent,
} from "./consents-client.ts";
export {
  type CancelData,
  type CancelRequest,
  type ConfirmData,
  type ConfirmRequest,
  HOLD_SECONDS,
  type HoldData,
  type HoldRequest,
  type Occurrence,
  type Session,
} from "./contracts.ts";
export type { Database } from "./database.types.ts";
export {
  DOCUMENT_BUCKET,
  DOCUMENT_LINK_SECONDS,
  type DocumentRequest,
  MAX_DOCUMENT_BYTES,
} from "./documents.ts";
export {
  type ClientDocument,
  type DocumentDeletion,
  type DocumentLink,
  type DocumentUpload,
  deleteDocument,
  finishDocument,
  listDocuments,
  readDocument,
  type TitledDocument,
  uploadDocument,
} from "./documents-client.ts";
export { type AppProblem, HoldfastError, isHoldfastError } from "./errors.ts";
export { MAX_OCCURRENCES, MAX_SESSION_HOURS } from "./fields.ts";
export {
  canEnter,
  guardFor,
  PERMISSIONS,
  type Permission,
  ROLES,
  ROUTE_GUARDS,
  type Role,
  type Route,
  type RouteGuard,
  type RouteMatch,
  type Visitor,
} from "./guards.ts";
export { createHoldfast, type Holdfast, type HoldfastOptions } from "./holdfast.ts";
export {
  type Insights,
  type ReadInsightsRequest,
  readInsights,
  type SaveInsightsRequest,
  saveInsights,
} from "./insights-client.ts";
export { joinSlot, type SlotJoinRequest } from "./join-client.ts";
export { type OverriddenMue, type OverrideMueRequest, overrideMue } from "./mue-override-client.ts";
export { MAX_NOTE_LENGTH, type NoteRequest } from "./notes.ts";
export {
  type ClientKey,
  cosignNote,
  destroyClientKey,
  findNotesToCosign,
  type Note,
  type NoteReadRequest,
  type NoteSaveRequest,
  type NoteSignRequest,
  type NotesToCosign,
  type NotesToCosignRequest,
  type NoteWithText,
  readNotes,
  releaseSummary,
  type SummaryReleaseRequest,
  saveNote,
  signNote,
} from "./notes-client.ts";
export { MAX_SEARCH, type OpenTimesRequest } from "./open-times.ts";
export { findOpenTimes, type OpenTime, type OpenTimes, type OpenTimesSearch } from "./open-times-client.ts";
export {
  type FieldError,
  PROBLEM_CODES,
  PROBLEM_MEDIA_TYPE,
  PROBLEMS,
  type Problem,
  type ProblemCode,
} from "./problems.ts";
export { MAX_REPORT_DAYS, MAX_REPORT_PAGE } from "./reports.ts";
export {
  type AttendancePage,
  type AuthorizationUnitsPage,
  type AuthorizationUnitsRequest,
  type CancellationPage,
  type MissingNotesPage,
  readAttendance,
  readAuthorizationUnits,
  readCancellations,
  readMissingNotes,
  readSupervision,
  readUnbilledSessions,
  readUtilization,
  type SessionsReportRequest,
  type SupervisionPage,
  type SupervisionRequest,
  type UnbilledPage,
  type UtilizationPage,
  type UtilizationRequest,
} from "./reports-client.ts";
export {
  type MovedSessions,
  moveSession,
  type SessionMoveRequest,
  type SessionSwapRequest,
  type SubstitutionRequest,
  type SubstitutionResult,
  substituteTherapist,
  swapSessions,
} from "./reschedule-client.ts";
export type { RetryOptions } from "./retry.ts";
export type {
  SeriesData,
  SeriesPreviewData,
  SeriesRequest,
} from "./series.ts";
export {
  previewSeriesUpdate,
  previewSessions,
  type SeriesUpdate,
  type SeriesUpdatePreview,
  type SeriesUpdateRequest,
  type SessionPreview,
  type SessionPreviewRequest,
  updateSeries,
} from "./series-client.ts";
export { holdCountdown } from "./server-time.ts";
export {
  type CreateServiceAccountRequest,
  createServiceAccount,
  type IssuedServiceAccountToken,
  listServiceAccountTokens,
  type RevokedServiceAccount,
  type RotateServiceAccountTokenRequest,
  revokeServiceAccount,
  rotateServiceAccountToken,
  type ServiceAccountRequest,
  type ServiceAccountToken,
} from "./service-accounts-client.ts";
export type { TimeRange } from "./time-range.ts";
export {
  type AcceptedAppointment,
  type AcceptedOffer,
  type AnsweredOffer,
  answerOffer,
  joinWaitlist,
  leaveWaitlist,
  type OfferAnswer,
  type WaitlistEntry,
  type WaitlistJoinRequest,
  type WaitlistLeaveRequest,
} from "./waitlist-client.ts";
export { webhookMessageSchema } from "./webhooks.ts";
export {
  listWebhookDeliveries,
  listWebhookEndpoints,
  type ReplayedWebhookDeliveries,
  type ReplayWebhookDeliveriesRequest,
  type RotatedWebhookSecret,
  type RotateWebhookSecretRequest,
  replayWebhookDeliveries,
  rotateWebhookSecret,
  type SavedWebhookEndpoint,
  type SaveWebhookEndpointRequest,
  saveWebhookEndpoint,
  type WebhookDeliveries,
  type WebhookDeliveriesRequest,
  type WebhookEndpoints,
  type WebhookEndpointsRequest,
} from "./webhooks-client.ts";
