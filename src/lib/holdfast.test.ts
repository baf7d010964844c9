import { readdirSync, readFileSync } from "node:fs";
import { createServer, type Server } from "node:http";
import type { AddressInfo } from "node:net";
import { createClient, type SupabaseClient } from "@supabase/supabase-js";
import { afterAll, beforeAll, beforeEach, describe, expect, it } from "vitest";
import WebSocket from "ws";
import { createHoldfast } from "./holdfast.ts";
import * as library from "./index.ts";

const CLIENT_ID = "5f0c6f0e-6f7a-4f0e-9a53-1d8f6a0b7c11";
const CANCELLED = { data: { cancelled: [], already_cancelled: [], not_cancellable: [] } };
const CONSENTS = { data: { client_id: CLIENT_ID, consents: [] }, replayed: false };

/** What the stand-in answers before it answers well: statuses, or a connection that breaks. */
let failures: (number | "broken")[];
let keys: (string | undefined)[];
let server: Server;
let supabase: SupabaseClient;

beforeAll(async () => {
  server = createServer(async (request, response) => {
    let text = "";
    for await (const chunk of request) text += chunk;
    const isRpc = request.url?.startsWith("/rest/") ?? false;
    keys.push(isRpc ? JSON.parse(text).idempotency_key : request.headers["idempotency-key"]);
    const failure = failures.shift();
    if (failure === "broken") return void request.socket.destroy();
    response.writeHead(failure ?? 200, {
      "content-type": "application/json",
      date: new Date(Date.now() + 3_600_000).toUTCString(),
      ...(failure && { "retry-after": "0" }),
    });
    response.end(JSON.stringify(failure ? {} : isRpc ? CONSENTS : CANCELLED));
  });
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  const { port } = server.address() as AddressInfo;
  supabase = createClient(`http://127.0.0.1:${port}`, "sb_publishable_test", {
    auth: { persistSession: false, autoRefreshToken: false },
    realtime: { transport: WebSocket as unknown as typeof globalThis.WebSocket },
  });
});
afterAll(() => {
  server.closeAllConnections();
  server.close();
});
beforeEach(() => {
  failures = [];
  keys = [];
});

const clientModules = readdirSync(new URL(".", import.meta.url)).filter((name) =>
  /^(?:.+-)?client\.ts$/.test(name),
);

describe("createHoldfast", () => {
  it.each(clientModules)(
    "has every function of %s in a namespace, and the index exports it",
    async (name) => {
      const module: Record<string, unknown> = await import(new URL(name, import.meta.url).href);
      const functions = Object.entries(module).filter(([, member]) => typeof member === "function");
      expect(functions.length).toBeGreaterThan(0);
      const { now: _, countdown: __, ...namespaces } = createHoldfast(supabase);
      const bound = Object.values(namespaces).flatMap((namespace) => Object.keys(namespace));
      const missing = functions.map(([name]) => name).filter((name) => !bound.includes(name));
      expect(missing, `not in NAMESPACES of holdfast.ts`).toEqual([]);
      const hidden = functions.map(([name]) => name).filter((name) => !(name in library));
      expect(hidden, "not exported by index.ts").toEqual([]);
      // supabase, request, and options with a default: what a namespace binds.
      for (const [name, member] of functions)
        expect([name, (member as () => void).length]).toEqual([name, 2]);
    },
  );

  it("has the namespaces that docs/client.md explains", () => {
    const { now: _, countdown: __, ...namespaces } = createHoldfast(supabase);
    const page = readFileSync(new URL("../../docs/client.md", import.meta.url), "utf8");
    const explained = [...page.matchAll(/^\| `(\w+)` /gm)].map(([, name]) => name);
    expect(explained).toEqual(Object.keys(namespaces).sort());
  });

  it("has each name once", () => {
    const { now: _, countdown: __, ...namespaces } = createHoldfast(supabase);
    const bound = Object.values(namespaces).flatMap((namespace) => Object.keys(namespace));
    expect(bound.filter((name, index) => bound.indexOf(name) !== index)).toEqual([]);
  });

  it.each([429, 503, "broken"] as const)(
    "repeats a function that answers %s, under the same key",
    async (failure) => {
      failures = [failure, failure];
      const { sessions } = createHoldfast(supabase);
      const result = await sessions.cancelSessionHold({ holdKey: CLIENT_ID });
      expect(result.notCancellable).toEqual([]);
      expect(keys).toHaveLength(3);
      expect(new Set(keys).size).toBe(1);
    },
  );

  it.each([503, "broken"] as const)("repeats an RPC that answers %s, under the same key", async (failure) => {
    failures = [failure];
    expect(await createHoldfast(supabase).consents.listConsents({ clientId: CLIENT_ID })).toEqual([]);
    expect(keys).toHaveLength(2);
    expect(new Set(keys).size).toBe(1);
  });

  it("repeats nothing that would show a second secret, or break glass twice", async () => {
    const { access, calendar, partners, webhooks } = createHoldfast(supabase);
    const [organizationId, accountId, endpointId] = [CLIENT_ID, CLIENT_ID, CLIENT_ID];
    for (const call of [
      () => access.breakGlass({ organizationId, reason: "A fire in the server room" }),
      () => calendar.createCalendarFeed({ organizationId }),
      () => partners.createServiceAccount({ organizationId, name: "Northside", scopes: [] }),
      () => partners.rotateServiceAccountToken({ accountId }),
      () => webhooks.rotateWebhookSecret({ organizationId, endpointId }),
      () => webhooks.saveWebhookEndpoint({ organizationId, url: "https://example.com/hook" }),
    ]) {
      failures = ["broken"];
      keys = [];
      await expect(call(), String(call)).rejects.toMatchObject({ code: "unavailable" });
      expect(keys, String(call)).toHaveLength(1);
    }
  });

  it("gives up after the attempts that it was made with, or that the call asks for", async () => {
    failures = Array.from({ length: 9 }, () => 503);
    const { sessions } = createHoldfast(supabase, { maxAttempts: 2 });
    const cancel = (options = {}) => sessions.cancelSessionHold({ holdKey: CLIENT_ID }, options);
    await expect(cancel()).rejects.toMatchObject({ code: "unavailable" });
    expect(keys).toHaveLength(2);
    await expect(cancel({ maxAttempts: 1, idempotencyKey: "mine" })).rejects.toMatchObject({ status: 503 });
    expect(keys.slice(2)).toEqual(["mine"]);
  });

  it("knows the server's clock, and counts holds down by it", async () => {
    const holdfast = createHoldfast(supabase);
    await holdfast.sessions.cancelSessionHold({ holdKey: CLIENT_ID });
    expect(Math.abs(holdfast.now() - Date.now() - 3_600_000)).toBeLessThan(60_000);
    const expiresAt = new Date(holdfast.now() + 300_000).toISOString();
    const ticks: number[] = [];
    const stop = holdfast.countdown({ expiresAt }, (seconds) => ticks.push(seconds));
    stop();
    expect(Math.abs((ticks[0] ?? 0) - 300)).toBeLessThan(60);
  });
});
