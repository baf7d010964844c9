import { createClient } from "@supabase/supabase-js";
import { expect, it } from "vitest";
import WebSocket from "ws";
import { z } from "zod";
import { callRpc } from "./call-rpc.ts";
import { HoldfastError } from "./errors.ts";

it.each([
  ["a code that this version does not know", { code: "not_yet_thought_of" }],
  ["a code without what belongs to it", { code: "stale_version" }],
])("a refusal by %s is a HoldfastError too", async (_, problem) => {
  const supabase = createClient("http://127.0.0.1:1", "sb_publishable_test", {
    auth: { persistSession: false, autoRefreshToken: false },
    global: { fetch: async () => Response.json({ problem }) },
    realtime: { transport: WebSocket as unknown as typeof globalThis.WebSocket },
  });
  const error = await callRpc(supabase, "anything", {}, z.object({}), {}).catch((reason: unknown) => reason);
  expect(error).toBeInstanceOf(HoldfastError);
  expect(error).toMatchObject({ code: "internal_error", message: "The answer could not be read." });
});
