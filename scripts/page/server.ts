// Serves the page from memory, with the headers that a real one should have. At an origin of its own: as with every front-end
// of Supabase, the API is another.

import { createServer, type IncomingMessage, type ServerResponse } from "node:http";
import type { AddressInfo } from "node:net";
import { bundlePage, type PageConfig, type PageFile } from "./bundle.ts";

export interface PageServer {
  url: string;
  stop(): Promise<void>;
}

/** Builds the page for a backend and serves it on 127.0.0.1. Port 0: a free one. */
export async function servePage(config: PageConfig, port: number): Promise<PageServer> {
  const files = await bundlePage(config);
  const headers = securityHeaders(config.url);
  const server = createServer((request, response) => answer(files, headers, request, response));
  await new Promise<void>((resolve, reject) => {
    server.once("error", reject);
    server.listen(port, "127.0.0.1", resolve);
  });
  return {
    url: `http://127.0.0.1:${(server.address() as AddressInfo).port}`,
    stop: async () => {
      const closed = new Promise<void>((resolve) => server.close(() => resolve()));
      server.closeAllConnections();
      await closed;
    },
  };
}

/** What the page may do: its own files, and one API. Whatever finds its way into the page can load and reach nothing else. */
export function securityHeaders(apiUrl: string): Record<string, string> {
  const api = new URL(apiUrl).origin;
  const policy = [
    "default-src 'none'",
    "script-src 'self'",
    "style-src 'self'",
    "img-src 'self'",
    `connect-src ${api} ${api.replace(/^http/, "ws")}`,
    "base-uri 'none'",
    "form-action 'none'",
    "frame-ancestors 'none'",
    "require-trusted-types-for 'script'",
    "trusted-types 'none'",
  ];
  return {
    "content-security-policy": policy.join("; "),
    "cross-origin-opener-policy": "same-origin",
    "cross-origin-resource-policy": "same-origin",
    "permissions-policy": "camera=(), geolocation=(), microphone=()",
    "referrer-policy": "no-referrer",
    "x-content-type-options": "nosniff",
  };
}

function answer(
  files: Map<string, PageFile>,
  headers: Record<string, string>,
  request: IncomingMessage,
  response: ServerResponse,
): void {
  const file = files.get((request.url ?? "/").split("?", 1)[0] ?? "/");
  const allowed = request.method === "GET" || request.method === "HEAD";
  response.writeHead(!allowed ? 405 : file ? 200 : 404, {
    ...headers,
    "content-type": file?.type ?? "text/plain; charset=utf-8",
    // The files change with each build, and their names do not.
    "cache-control": "no-cache",
    ...(!allowed && { allow: "GET, HEAD" }),
  });
  response.end(!allowed ? "Method not allowed" : (file?.body ?? "Not found"));
}
