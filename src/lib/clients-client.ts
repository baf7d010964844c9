/**
 * Records of clients for apps: who they are, the free texts of rows, and how both come to be. Each client and each text
 * that is asked for is on record, given or denied.
 */
import type { SupabaseClient } from "@supabase/supabase-js";
import type { z } from "zod";
import type { CallOptions } from "./call.ts";
import { callNamed, callRpc } from "./call-rpc.ts";
import { type Camel, fromWire, toWire } from "./casing.ts";
import {
  archivedClientSchema,
  type clientRecordSchema,
  clientsSchema,
  type listClientsRequestSchema,
  type readClientsRequestSchema,
  type readTextsRequestSchema,
  type saveClientRequestSchema,
  type saveCoverageRequestSchema,
  savedClientSchema,
  savedCoverageSchema,
  textsSchema,
} from "./clients.ts";

/** Whose records, and which `fields` of them. Their names are as on the wire; without, all but `coverages`. */
export type ClientsByIdRequest = Camel<z.input<typeof readClientsRequestSchema>>;
/** A page of the list: how a word of the name begins, the `next` of the page before, 1 to 100 clients (25). */
export type ClientsListRequest = Camel<z.input<typeof listClientsRequestSchema>>;
/** Of which rows the free text is read. */
export type TextsRequest = Camel<z.input<typeof readTextsRequestSchema>>;
/** A new client, or the fields of one that change. */
export type SaveClientRequest = Camel<z.input<typeof saveClientRequestSchema>>;
/** A new coverage of a client, or the fields of one that change. */
export type SaveCoverageRequest = Camel<z.input<typeof saveCoverageRequestSchema>>;

/** A client who is no longer one. */
export type ArchivedClient = Camel<z.output<typeof archivedClientSchema>>;
/** A client: id, status, and of the rest what was asked for. */
export type ClientRecord = Camel<z.output<typeof clientRecordSchema>>;
/** Clients in the order of their names; `next` is what to ask on with as `after`, null at the end. */
export type ClientPage = Camel<z.output<typeof clientsSchema>>;
/** Texts by the ids of their rows; null where a row has none. */
export type RowTexts = Camel<z.output<typeof textsSchema>>["texts"];
/** Which client was saved, and whether it is new. */
export type SavedClient = Camel<z.output<typeof savedClientSchema>>;
/** Which coverage was saved, and whether it is new. */
export type SavedCoverage = Camel<z.output<typeof savedCoverageSchema>>;

/**
 * Clients by their ids, at most 100. Those that are not the caller's to see are left out, and on record as denied.
 *
 * @throws HoldfastError `not_found` when none is the caller's to see; `forbidden` (coverages), `validation_failed`; and
 *   what every call may meet.
 */
export async function readClients(
  supabase: SupabaseClient,
  request: ClientsByIdRequest,
  options: CallOptions = {},
): Promise<ClientRecord[]> {
  const { clients } = await callRpc(supabase, "read_clients", toWire(request), clientsSchema, options);
  return fromWire(clients);
}

/**
 * A page of the clients that the caller may see, in the order of their names.
 *
 * @throws HoldfastError `forbidden` (coverages), `validation_failed`; and what every call may meet.
 */
export async function listClients(
  supabase: SupabaseClient,
  request: ClientsListRequest,
  options: CallOptions = {},
): Promise<ClientPage> {
  return fromWire(await callRpc(supabase, "read_clients", toWire(request), clientsSchema, options));
}

/**
 * The free texts of rows, which their tables do not show: why sessions were cancelled, notes of time off and holidays,
 * why roles were given. For who sees the row.
 *
 * @throws HoldfastError `not_found` when none of the rows is the caller's to see; `validation_failed`; and what every call
 *   may meet.
 */
export async function readTexts(
  supabase: SupabaseClient,
  request: TextsRequest,
  options: CallOptions = {},
): Promise<RowTexts> {
  const { texts } = await callRpc(supabase, "read_texts", toWire(request), textsSchema, options);
  return fromWire(texts);
}

/**
 * Adds a client (without `clientId`) or changes the fields that are given; null empties one. For schedulers and admins.
 *
 * @throws HoldfastError `forbidden`, `not_found`, `validation_failed` by field; and what every call may meet.
 */
export async function saveClient(
  supabase: SupabaseClient,
  request: SaveClientRequest,
  options: CallOptions = {},
): Promise<SavedClient> {
  return fromWire(await callRpc(supabase, "save_client", toWire(request), savedClientSchema, options));
}

/**
 * Adds who pays for a client (without `coverageId`) or changes the fields that are given; null empties one. For
 * schedulers and admins.
 *
 * @throws HoldfastError `forbidden`, `not_found`, `validation_failed` by field (`startsOn` `overlap`: one payer a day);
 *   and what every call may meet.
 */
export async function saveCoverage(
  supabase: SupabaseClient,
  request: SaveCoverageRequest,
  options: CallOptions = {},
): Promise<SavedCoverage> {
  return fromWire(await callRpc(supabase, "save_coverage", toWire(request), savedCoverageSchema, options));
}

/**
 * Archives a client for whom nothing is booked. For admins. Clients are never deleted.
 *
 * @throws HoldfastError `forbidden`, `not_found`, `validation_failed` (`clientId` `still_booked`); and what every call may meet.
 */
export async function archiveClient(
  supabase: SupabaseClient,
  { clientId: client }: { clientId: string },
  { idempotencyKey = crypto.randomUUID(), ...retries }: CallOptions = {},
): Promise<ArchivedClient> {
  const named = { client, idempotency_key: idempotencyKey };
  return fromWire(await callNamed(supabase, "archive_client", named, archivedClientSchema, retries));
}
