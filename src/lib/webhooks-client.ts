/** Where an organization's events are sent, and what became of them: for apps of admins, by RPC over REST. */
import type { SupabaseClient } from "@supabase/supabase-js";
import type { z } from "zod";
import type { CallOptions } from "./call.ts";
import { callRpc } from "./call-rpc.ts";
import { type Camel, fromWire, toWire } from "./casing.ts";
import {
  replayedWebhookDeliveriesSchema,
  type replayWebhookDeliveriesRequestSchema,
  rotatedWebhookSecretSchema,
  type rotateWebhookSecretRequestSchema,
  savedWebhookEndpointSchema,
  type saveWebhookEndpointRequestSchema,
  type webhookDeliveriesRequestSchema,
  webhookDeliveriesSchema,
  type webhookEndpointsRequestSchema,
  webhookEndpointsSchema,
} from "./webhooks.ts";

/** A new endpoint, or with `endpointId` what to change of one. */
export type SaveWebhookEndpointRequest = Camel<z.input<typeof saveWebhookEndpointRequestSchema>>;
/** An endpoint; `secret` is there when it was made by this call. */
export type SavedWebhookEndpoint = Camel<z.output<typeof savedWebhookEndpointSchema>>;
/** Whose endpoints. */
export type WebhookEndpointsRequest = Camel<z.input<typeof webhookEndpointsRequestSchema>>;
/** An organization's endpoints, oldest first. */
export type WebhookEndpoints = Camel<z.output<typeof webhookEndpointsSchema>>;
/** Whose secret, and how long the one before it signs along. */
export type RotateWebhookSecretRequest = Camel<z.input<typeof rotateWebhookSecretRequestSchema>>;
/** An endpoint with its new secret. */
export type RotatedWebhookSecret = Camel<z.output<typeof rotatedWebhookSecretSchema>>;
/** Of which endpoint, in which state, and which page. */
export type WebhookDeliveriesRequest = Camel<z.input<typeof webhookDeliveriesRequestSchema>>;
/** A page of deliveries, newest first; `next` asks on as `after`. */
export type WebhookDeliveries = Camel<z.output<typeof webhookDeliveriesSchema>>;
/** What to send again. */
export type ReplayWebhookDeliveriesRequest = Camel<z.input<typeof replayWebhookDeliveriesRequestSchema>>;
/** How many are sent again. */
export type ReplayedWebhookDeliveries = Camel<z.output<typeof replayedWebhookDeliveriesSchema>>;

/**
 * Makes an endpoint, or changes one. The secret of a new one is shown this once, so the call is not repeated by itself.
 *
 * @throws HoldfastError `forbidden`, `not_found`, `validation_failed`; and what every call may meet.
 */
export async function saveWebhookEndpoint(
  supabase: SupabaseClient,
  request: SaveWebhookEndpointRequest,
  options: CallOptions = {},
): Promise<SavedWebhookEndpoint> {
  return fromWire(
    await callRpc(supabase, "save_webhook_endpoint", toWire(request), savedWebhookEndpointSchema, {
      ...options,
      maxAttempts: 1,
    }),
  );
}

/**
 * Makes a new secret, shown this once, so the call is not repeated by itself; the one before it signs along for
 * `overlapHours`.
 *
 * @throws HoldfastError `forbidden`, `not_found`, `validation_failed`; and what every call may meet.
 */
export async function rotateWebhookSecret(
  supabase: SupabaseClient,
  request: RotateWebhookSecretRequest,
  options: CallOptions = {},
): Promise<RotatedWebhookSecret> {
  return fromWire(
    await callRpc(supabase, "rotate_webhook_secret", toWire(request), rotatedWebhookSecretSchema, {
      ...options,
      maxAttempts: 1,
    }),
  );
}

/**
 * An organization's endpoints.
 *
 * @throws HoldfastError `forbidden`, `not_found`; and what every call may meet.
 */
export async function listWebhookEndpoints(
  supabase: SupabaseClient,
  request: WebhookEndpointsRequest,
  options: CallOptions = {},
): Promise<WebhookEndpoints> {
  return fromWire(
    await callRpc(supabase, "read_webhook_endpoints", toWire(request), webhookEndpointsSchema, options),
  );
}

/**
 * What was and is to be sent to an endpoint, with every attempt.
 *
 * @throws HoldfastError `forbidden`, `not_found`, `validation_failed`; and what every call may meet.
 */
export async function listWebhookDeliveries(
  supabase: SupabaseClient,
  request: WebhookDeliveriesRequest,
  options: CallOptions = {},
): Promise<WebhookDeliveries> {
  return fromWire(
    await callRpc(supabase, "read_webhook_deliveries", toWire(request), webhookDeliveriesSchema, options),
  );
}

/**
 * Sends deliveries again, as the same messages: those named, or all that are dead.
 *
 * @throws HoldfastError `forbidden`, `not_found`, `validation_failed`; and what every call may meet.
 */
export async function replayWebhookDeliveries(
  supabase: SupabaseClient,
  request: ReplayWebhookDeliveriesRequest,
  options: CallOptions = {},
): Promise<ReplayedWebhookDeliveries> {
  return fromWire(
    await callRpc(
      supabase,
      "replay_webhook_deliveries",
      toWire(request),
      replayedWebhookDeliveriesSchema,
      options,
    ),
  );
}
