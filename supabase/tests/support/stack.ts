import { createClient, type SupabaseClient } from "@supabase/supabase-js";
import postgres from "postgres";
import { expect, inject } from "vitest";
import ws from "ws";
import type { Database } from "../../../src/lib/database.types.ts";
import { undocumented } from "./undocumented.ts";

export const stack = inject("stack");

/** The database as role postgres: for arranging and for looking behind the policies, never for acting as a user. */
export const sql = postgres(stack.databaseUrl, { max: 4, onnotice: () => {} });

/** As fetch; the answer of an RPC is held against the reference. */
async function documented(input: RequestInfo | URL, init?: RequestInit): Promise<Response> {
  const response = await fetch(input, init);
  const [, name] = /\/rest\/v1\/rpc\/(\w+)/.exec(String(input)) ?? [];
  if (!name || !response.ok) return response;
  // Only where an RPC is called at all: the schemas take a while to load.
  const { rpcFaults } = await import("./reference.ts");
  const body = await response.clone().text();
  const answer = body === "" ? undefined : JSON.parse(body);
  undocumented.push(...rpcFaults(name, answer).map((fault) => `${name}: ${fault}`));
  return response;
}

/** A supabase-js client. Without a key it is an app's: publishable key, nobody signed in. */
export function connect(key: string = stack.publishableKey): SupabaseClient<Database> {
  return createClient<Database>(stack.url, key, {
    auth: { persistSession: false, autoRefreshToken: false },
    global: { fetch: documented },
    // Node 20 has no WebSocket of its own.
    realtime: { transport: ws as unknown as typeof WebSocket },
  });
}

/** The invariant: holds, sessions and the ledger agree, and nothing overlaps. Call it after everything that writes. */
export async function expectLedgerIsSound(): Promise<void> {
  expect(await sql`select fault, claim_id from app.ledger_faults()`).toEqual([]);
}
