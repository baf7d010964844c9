// Webhooks for tests that are about them: a receiver on this machine, and deliverers that send everything to it.

import { createServer, type IncomingHttpHeaders, type ServerResponse } from "node:http";
import { type FunctionsHost, startFunctions } from "../../../scripts/stack/index.ts";
import { type SavedWebhookEndpoint, saveWebhookEndpoint } from "../../../src/lib/index.ts";
import type { Clinic } from "./clinic.ts";
import { sql, stack } from "./stack.ts";

export interface Received {
  /** The path of the endpoint's URL. */
  path: string;
  headers: IncomingHttpHeaders;
  body: string;
}

type Behaviour = (response: ServerResponse, message: Received) => void;
export const answer =
  (status: number): Behaviour =>
  (response) =>
    response.writeHead(status).end();

export interface Receiver {
  origin: string;
  /** What came in, of one path, oldest first. */
  received(path: string): Received[];
  /** What is done with messages to a path; where nothing is said, they are answered 204. */
  on(path: string, behaviour: Behaviour): void;
  stop(): Promise<void>;
}

/** Starts a receiver on a free port of 127.0.0.1. */
export async function startReceiver(): Promise<Receiver> {
  const log: Received[] = [];
  const behaviours = new Map<string, Behaviour>();
  const server = createServer(async (request, response) => {
    let body = "";
    for await (const chunk of request) body += chunk;
    const message = { path: request.url ?? "", headers: request.headers, body };
    log.push(message);
    (behaviours.get(message.path) ?? answer(204))(response, message);
  });
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  const address = server.address();
  if (typeof address !== "object" || address === null) throw new Error("the receiver has no port");
  return {
    origin: `http://127.0.0.1:${address.port}`,
    received: (path) => log.filter((message) => message.path === path),
    on: (path, behaviour) => behaviours.set(path, behaviour),
    stop: async () => {
      server.closeAllConnections();
      await new Promise((resolve) => server.close(resolve));
    },
  };
}

/** Hosts the functions with a receiver for all webhooks. */
export function startDeliverer(receiver: Receiver): Promise<FunctionsHost> {
  return startFunctions({ ...stack.functionsEnv, HOLDFAST_WEBHOOK_TEST_RECEIVER: receiver.origin });
}

/** Has what is due for a clinic delivered, as the job does. */
export function deliver(host: { url: string }, clinic: Clinic, key = stack.secretKey): Promise<Response> {
  return fetch(`${host.url}/webhooks-deliver`, {
    method: "POST",
    headers: { apikey: key, "content-type": "application/json" },
    body: JSON.stringify({ organization_id: clinic.id }),
  });
}

/** An endpoint of the clinic, with its path and its secret. */
export async function addEndpoint(
  clinic: Clinic,
  changes: object = {},
): Promise<SavedWebhookEndpoint & { path: string; secret: string }> {
  const path = `/${crypto.randomUUID()}`;
  const endpoint = await saveWebhookEndpoint(await clinic.admin.client(), {
    organizationId: clinic.id,
    url: `https://hooks.example.com${path}`,
    ...changes,
  });
  if (endpoint.secret === undefined) throw new Error("a new endpoint shows its secret");
  return { ...endpoint, path, secret: endpoint.secret };
}

/** Lets the waits between attempts, and the leases, be over. */
export async function makeDue(clinic: Clinic): Promise<void> {
  await sql`
    update app.webhook_deliveries set next_attempt_at = clock_timestamp()
    where organization_id = ${clinic.id} and status = 'pending'`;
}
