// What the reference says of the RPCs that src/lib calls over REST: by name, in alphabetical order. One that a client module
// calls and this list has not fails scripts/openapi.test.ts by name.

import { z } from "zod";
import {
  accessAlertsRequestSchema,
  accessAlertsSchema,
  accessReportRequestSchema,
  accessReportSchema,
  acknowledgeAlertRequestSchema,
  acknowledgedAlertSchema,
} from "../../src/lib/access-report.ts";
import {
  completeRequestSchema,
  correctRequestSchema,
  evvPageSchema,
  evvRecordsRequestSchema,
  markedDataSchema,
  noShowCandidatesRequestSchema,
  noShowCandidatesSchema,
  noShowRequestSchema,
  placedSessionSchema,
  setPlaceOfServiceRequestSchema,
  startRequestSchema,
} from "../../src/lib/attendance.ts";
import {
  authorizationAlertsSchema,
  authorizationsSchema,
  changeAuthorizationRequestSchema,
  closeAuthorizationRequestSchema,
  closedAuthorizationSchema,
  enterAuthorizationRequestSchema,
  listAuthorizationAlertsRequestSchema,
  listAuthorizationsRequestSchema,
  savedAuthorizationSchema,
} from "../../src/lib/authorizations.ts";
import {
  attachSessionsRequestSchema,
  billingBatchSchema,
  billingCasesSchema,
  createBillingBatchRequestSchema,
  rebillCaseRequestSchema,
  settleCaseRequestSchema,
  voidCaseRequestSchema,
} from "../../src/lib/billing.ts";
import {
  calendarFeedsRequestSchema,
  calendarFeedsSchema,
  createCalendarFeedRequestSchema,
  createdCalendarFeedSchema,
  revokeCalendarFeedRequestSchema,
  revokedCalendarFeedSchema,
} from "../../src/lib/calendar-feeds.ts";
import {
  clientsSchema,
  listClientsRequestSchema,
  readClientsRequestSchema,
  readTextsRequestSchema,
  saveClientRequestSchema,
  saveCoverageRequestSchema,
  savedClientSchema,
  savedCoverageSchema,
  textsSchema,
} from "../../src/lib/clients.ts";
import {
  consentsSchema,
  endedConsentSchema,
  listConsentsRequestSchema,
  signConsentRequestSchema,
  signedConsentSchema,
  terminateConsentRequestSchema,
} from "../../src/lib/consents.ts";
import {
  insightsSchema,
  readInsightsRequestSchema,
  saveInsightsRequestSchema,
} from "../../src/lib/insights.ts";
import { overriddenMueSchema, overrideMueRequestSchema } from "../../src/lib/mue-override.ts";
import {
  clientKeySchema,
  destroyClientKeyRequestSchema,
  notesToCosignRequestSchema,
  notesToCosignSchema,
} from "../../src/lib/notes.ts";
import {
  attendancePageSchema,
  authorizationUnitsPageSchema,
  authorizationUnitsRequestSchema,
  cancellationPageSchema,
  missingNotesPageSchema,
  sessionsReportRequestSchema,
  supervisionPageSchema,
  supervisionRequestSchema,
  unbilledPageSchema,
  utilizationPageSchema,
  utilizationRequestSchema,
} from "../../src/lib/reports.ts";
import {
  replayedWebhookDeliveriesSchema,
  replayWebhookDeliveriesRequestSchema,
  rotatedWebhookSecretSchema,
  rotateWebhookSecretRequestSchema,
  savedWebhookEndpointSchema,
  saveWebhookEndpointRequestSchema,
  webhookDeliveriesRequestSchema,
  webhookDeliveriesSchema,
  webhookEndpointsRequestSchema,
  webhookEndpointsSchema,
} from "../../src/lib/webhooks.ts";

interface Rpc {
  /** The page of docs/ that explains it. */
  docs: string;
  request: z.ZodType;
  /** The `data` of the answer to a success. */
  data: z.ZodType;
}

export const RPCS: Readonly<Record<string, Rpc>> = {
  acknowledge_alert: {
    docs: "unusual-access.md",
    request: acknowledgeAlertRequestSchema,
    data: acknowledgedAlertSchema,
  },
  attach_sessions: { docs: "billing.md", request: attachSessionsRequestSchema, data: billingCasesSchema },
  client_access_report: {
    docs: "unusual-access.md",
    request: accessReportRequestSchema,
    data: accessReportSchema,
  },
  close_authorization: {
    docs: "authorizations.md",
    request: closeAuthorizationRequestSchema,
    data: closedAuthorizationSchema,
  },
  complete_session: { docs: "attendance.md", request: completeRequestSchema, data: markedDataSchema },
  correct_attendance: { docs: "attendance.md", request: correctRequestSchema, data: markedDataSchema },
  create_billing_batch: {
    docs: "billing.md",
    request: createBillingBatchRequestSchema,
    data: billingBatchSchema,
  },
  create_calendar_feed: {
    docs: "calendar.md",
    request: createCalendarFeedRequestSchema,
    data: createdCalendarFeedSchema,
  },
  destroy_client_key: { docs: "notes.md", request: destroyClientKeyRequestSchema, data: clientKeySchema },
  evv_records: { docs: "attendance.md", request: evvRecordsRequestSchema, data: evvPageSchema },
  find_notes_to_cosign: { docs: "notes.md", request: notesToCosignRequestSchema, data: notesToCosignSchema },
  list_no_show_candidates: {
    docs: "attendance.md",
    request: noShowCandidatesRequestSchema,
    data: noShowCandidatesSchema,
  },
  mark_no_show: { docs: "attendance.md", request: noShowRequestSchema, data: markedDataSchema },
  override_mue: { docs: "billing.md", request: overrideMueRequestSchema, data: overriddenMueSchema },
  read_access_alerts: {
    docs: "unusual-access.md",
    request: accessAlertsRequestSchema,
    data: accessAlertsSchema,
  },
  read_attendance: { docs: "reports.md", request: sessionsReportRequestSchema, data: attendancePageSchema },
  read_authorization_alerts: {
    docs: "authorizations.md",
    request: listAuthorizationAlertsRequestSchema,
    data: authorizationAlertsSchema,
  },
  read_authorization_units: {
    docs: "reports.md",
    request: authorizationUnitsRequestSchema,
    data: authorizationUnitsPageSchema,
  },
  read_authorizations: {
    docs: "authorizations.md",
    request: listAuthorizationsRequestSchema,
    data: authorizationsSchema,
  },
  read_cancellations: {
    docs: "reports.md",
    request: sessionsReportRequestSchema,
    data: cancellationPageSchema,
  },
  read_calendar_feeds: {
    docs: "calendar.md",
    request: calendarFeedsRequestSchema,
    data: calendarFeedsSchema,
  },
  read_clients: {
    docs: "clients.md",
    request: z.union([readClientsRequestSchema, listClientsRequestSchema]),
    data: clientsSchema,
  },
  read_consents: { docs: "consents.md", request: listConsentsRequestSchema, data: consentsSchema },
  read_insights: { docs: "insights.md", request: readInsightsRequestSchema, data: insightsSchema },
  read_missing_notes: {
    docs: "reports.md",
    request: sessionsReportRequestSchema,
    data: missingNotesPageSchema,
  },
  read_texts: { docs: "clients.md", request: readTextsRequestSchema, data: textsSchema },
  read_unbilled_sessions: {
    docs: "reports.md",
    request: sessionsReportRequestSchema,
    data: unbilledPageSchema,
  },
  read_utilization: { docs: "reports.md", request: utilizationRequestSchema, data: utilizationPageSchema },
  read_webhook_deliveries: {
    docs: "webhooks.md",
    request: webhookDeliveriesRequestSchema,
    data: webhookDeliveriesSchema,
  },
  read_webhook_endpoints: {
    docs: "webhooks.md",
    request: webhookEndpointsRequestSchema,
    data: webhookEndpointsSchema,
  },
  rebill_case: { docs: "billing.md", request: rebillCaseRequestSchema, data: billingCasesSchema },
  replay_webhook_deliveries: {
    docs: "webhooks.md",
    request: replayWebhookDeliveriesRequestSchema,
    data: replayedWebhookDeliveriesSchema,
  },
  revoke_calendar_feed: {
    docs: "calendar.md",
    request: revokeCalendarFeedRequestSchema,
    data: revokedCalendarFeedSchema,
  },
  rotate_webhook_secret: {
    docs: "webhooks.md",
    request: rotateWebhookSecretRequestSchema,
    data: rotatedWebhookSecretSchema,
  },
  save_authorization: {
    docs: "authorizations.md",
    request: z.union([enterAuthorizationRequestSchema, changeAuthorizationRequestSchema]),
    data: savedAuthorizationSchema,
  },
  save_client: { docs: "clients.md", request: saveClientRequestSchema, data: savedClientSchema },
  save_coverage: { docs: "clients.md", request: saveCoverageRequestSchema, data: savedCoverageSchema },
  save_insights: { docs: "insights.md", request: saveInsightsRequestSchema, data: insightsSchema },
  save_webhook_endpoint: {
    docs: "webhooks.md",
    request: saveWebhookEndpointRequestSchema,
    data: savedWebhookEndpointSchema,
  },
  settle_case: { docs: "billing.md", request: settleCaseRequestSchema, data: billingCasesSchema },
  set_place_of_service: {
    docs: "attendance.md",
    request: setPlaceOfServiceRequestSchema,
    data: placedSessionSchema,
  },
  sign_consent: { docs: "consents.md", request: signConsentRequestSchema, data: signedConsentSchema },
  start_session: { docs: "attendance.md", request: startRequestSchema, data: markedDataSchema },
  supervision_months: { docs: "reports.md", request: supervisionRequestSchema, data: supervisionPageSchema },
  terminate_consent: {
    docs: "consents.md",
    request: terminateConsentRequestSchema,
    data: endedConsentSchema,
  },
  void_case: { docs: "billing.md", request: voidCaseRequestSchema, data: billingCasesSchema },
};
