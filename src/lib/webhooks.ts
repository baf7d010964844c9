/**
 * Webhooks on the wire: what the RPCs `save_webhook_endpoint`, `rotate_webhook_secret`, `read_webhook_endpoints`,
 * `read_webhook_deliveries` and `replay_webhook_deliveries` take and answer, and the message that an endpoint is sent.
 */
import { z } from "zod";
import { guid, instant } from "./fields.ts";

/** Most rows of one page. */
export const MAX_WEBHOOK_PAGE = 200;
/** Longest that a secret signs along after it was replaced, in hours. */
export const MAX_SECRET_OVERLAP_HOURS = 168;

/** What is told of outside (docs/webhooks.md). The same as in app.webhook_event_types. */
export const webhookEventTypeSchema = z.enum([
  "access_alert.raised",
  "authorization.expiring",
  "authorization.low_balance",
  "authorization.overdrawn",
  "consent.signed",
  "consent.terminated",
  "document.stored",
  "hold.confirmed",
  "hold.created",
  "hold.expired",
  "hold.released",
  "note.cosigned",
  "note.signed",
  "session.cancelled",
  "session.completed",
  "session.corrected",
  "session.moved",
  "session.no_show",
  "session.scheduled",
  "session.started",
  "waitlist.booked",
  "waitlist.joined",
  "waitlist.offered",
  "waitlist.withdrawn",
]);

/** The body of a message: ids and codes only. Once its signature is verified, parse it with this. */
export const webhookMessageSchema = z.object({
  type: webhookEventTypeSchema,
  timestamp: instant,
  data: z.looseObject({
    /** The row that it is about: a session, a hold, ...; messages of one id come in order. */
    id: guid,
    organization_id: guid,
    /** The kind of row, as the table is called. */
    object: z.string().optional(),
    /** Of an access alert, which. */
    kind: z.string().optional(),
  }),
});

const eventTypes = z.array(webhookEventTypeSchema).min(1).max(100);
const url = z.url({ protocol: /^https$/ }).max(2000);
const description = z.string().max(200);

export const saveWebhookEndpointRequestSchema = z.union([
  z.strictObject({
    organization_id: guid,
    url,
    description: description.optional(),
    /** Left out or null: all. */
    event_types: eventTypes.nullish(),
  }),
  z.strictObject({
    organization_id: guid,
    endpoint_id: guid,
    url: url.optional(),
    description: description.optional(),
    event_types: eventTypes.nullish(),
    status: z.enum(["active", "disabled"]).optional(),
  }),
]);

export const webhookEndpointSchema = z.object({
  endpoint_id: guid,
  url: z.string(),
  description: z.string(),
  /** Null: all. */
  event_types: z.array(z.string()).nullable(),
  /** `gone`: it answered 410. */
  status: z.enum(["active", "disabled", "gone"]),
  created_at: instant,
  updated_at: instant,
  /** Messages that wait to be delivered. */
  pending: z.int(),
  /** Until when the secret before the present one signs along; null: it does not. */
  previous_secret_ends_at: instant.nullable(),
});

export const savedWebhookEndpointSchema = webhookEndpointSchema.extend({
  /** Of a new endpoint: what its messages are signed with. Shown this once. */
  secret: z.string().optional(),
});

export const webhookEndpointsRequestSchema = z.strictObject({ organization_id: guid });
export const webhookEndpointsSchema = z.object({ endpoints: z.array(webhookEndpointSchema) });

export const rotateWebhookSecretRequestSchema = z.strictObject({
  organization_id: guid,
  endpoint_id: guid,
  /** How long the secret before it signs along; 24 where it is left out. */
  overlap_hours: z.int().min(0).max(MAX_SECRET_OVERLAP_HOURS).optional(),
});
export const rotatedWebhookSecretSchema = webhookEndpointSchema.extend({ secret: z.string() });

const deliveryStatus = z.enum(["pending", "delivered", "dead"]);

export const webhookDeliveriesRequestSchema = z.strictObject({
  organization_id: guid,
  endpoint_id: guid,
  status: deliveryStatus.optional(),
  /** `next` of the page before. */
  after: guid.optional(),
  limit: z.int().min(1).max(MAX_WEBHOOK_PAGE).optional(),
});

export const webhookDeliverySchema = z.object({
  delivery_id: guid,
  type: z.string(),
  subject_id: guid,
  status: deliveryStatus,
  created_at: instant,
  ended_at: instant.nullable(),
  next_attempt_at: instant.nullable(),
  attempts: z.array(
    z.object({
      number: z.int(),
      attempted_at: instant,
      duration_ms: z.int(),
      /** What the endpoint answered; null: nothing, see `error`. */
      status_code: z.int().nullable(),
      error: z.string().nullable(),
    }),
  ),
});
export const webhookDeliveriesSchema = z.object({
  deliveries: z.array(webhookDeliverySchema),
  /** What to ask on with as `after`; null: there is no more. */
  next: guid.nullable(),
});

export const replayWebhookDeliveriesRequestSchema = z.strictObject({
  organization_id: guid,
  endpoint_id: guid,
  /** Left out: the oldest 1000 that are dead. */
  delivery_ids: z.array(guid).min(1).max(200).optional(),
});
export const replayedWebhookDeliveriesSchema = z.object({ endpoint_id: guid, replayed: z.int() });
