import { createServer, type Server } from "node:http";
import type { AddressInfo } from "node:net";
import { createClient } from "@supabase/supabase-js";
import { afterEach, expect, it } from "vitest";
import WebSocket from "ws";
import { uploadDocument } from "./documents-client.ts";

const ID = "5f0c6f0e-6f7a-4f0e-9a53-1d8f6a0b7c11";
const ANNOUNCED = {
  data: {
    document: {
      id: ID,
      client_id: ID,
      kind: "report",
      content_type: "application/pdf",
      size_bytes: 4,
      visible_to_family: false,
      status: "awaiting_upload",
      uploaded_by: ID,
      upload_expires_at: "2027-03-14T09:45:00Z",
      stored_at: null,
      deleted_at: null,
    },
    upload: { bucket: "documents", path: `${ID}/${ID}/${ID}`, token: "token" },
  },
};

let server: Server;
afterEach(() => {
  server.closeAllConnections();
  server.close();
});

it("an upload that is given up while Storage takes the file rejects with the signal's reason", async () => {
  const controller = new AbortController();
  const reason = new Error("the user left");
  server = createServer((request, response) => {
    request.resume();
    // Storage says nothing more.
    if (request.url?.startsWith("/storage/")) return controller.abort(reason);
    response.writeHead(200, { "content-type": "application/json" });
    response.end(JSON.stringify(ANNOUNCED));
  });
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  const { port } = server.address() as AddressInfo;
  const supabase = createClient(`http://127.0.0.1:${port}`, "sb_publishable_test", {
    auth: { persistSession: false, autoRefreshToken: false },
    realtime: { transport: WebSocket as unknown as typeof globalThis.WebSocket },
  });
  const file = new Blob(["%PDF"], { type: "application/pdf" });
  const about = { clientId: ID, kind: "report", title: "A report", fileName: "report.pdf" } as const;
  await expect(uploadDocument(supabase, { ...about, file }, { signal: controller.signal })).rejects.toBe(
    reason,
  );
});
