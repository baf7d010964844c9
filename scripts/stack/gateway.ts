// The one door of the stack, at the addresses and with the manners of a hosted project's gateway: it checks the API key
// and the caller's token before anything behind it sees the request, and never takes a bad token for no token.

import { createServer, request as httpRequest, type IncomingMessage, type ServerResponse } from "node:http";
import type { AddressInfo } from "node:net";
import type { StackKeys } from "./keys.ts";
import type { InnerServer } from "./lite.ts";
import { type Realtime, refuseUpgrade } from "./realtime.ts";
import { spellSignedUrls, unwrapUpload } from "./storage.ts";
import { type AuthSession, HookRefused, InvalidToken, type TokenService } from "./tokens.ts";

/** What the gateway stands in front of. Absent parts answer 503 until the stack has started them. */
export interface Backends {
  inner?: InnerServer;
  realtime?: Realtime;
  tokens?: TokenService;
  functions?: { url: string; names: string[] } | undefined;
}

export interface Gateway {
  url: string;
  backends: Backends;
  stop(): Promise<void>;
}

/** What another process may learn of a stack: `GET /health`. */
export interface StackHealth {
  stack: "holdfast";
  pid: number;
  dataDir: string;
  ready: boolean;
}

const maxBodyBytes = 64 * 1024 * 1024;

/** What the services know; others `fetch` would not even take. */
const METHODS = ["GET", "HEAD", "POST", "PUT", "PATCH", "DELETE"];

/** Auth endpoints that a browser opens by itself, without an API key. */
const keylessAuth = /^\/auth\/v1\/(callback|authorize|verify|\.well-known\/|health$)/;

export async function startGateway(
  keys: StackKeys,
  dataDir: string,
  port: number,
  log: (line: string) => void,
): Promise<Gateway> {
  const backends: Backends = {};
  const server = createServer((request, response) => {
    answer(request, response).catch((error: unknown) => {
      log(
        `gateway: ${request.method} ${pathOf(request)}: ${error instanceof Error ? error.stack : String(error)}`,
      );
      if (!response.headersSent) sendJson(response, 500, { message: "An unexpected error occurred" });
      else response.destroy();
    });
  });
  server.on("upgrade", (request, socket, head) => {
    const { pathname, searchParams } = targetOf(request, "http://127.0.0.1");
    if (pathname !== "/realtime/v1/websocket") return refuseUpgrade(socket, 404);
    if (!backends.realtime) return refuseUpgrade(socket, 503);
    backends.realtime.accept(request, socket, head, searchParams);
  });
  // Longer than any client's own keep-alive, so that no request meets a connection just being closed.
  server.keepAliveTimeout = 65_000;

  await new Promise<void>((resolve, reject) => {
    server.once("error", reject);
    server.listen(port, "127.0.0.1", resolve);
  });
  const url = `http://127.0.0.1:${(server.address() as AddressInfo).port}`;

  async function answer(request: IncomingMessage, response: ServerResponse): Promise<void> {
    const path = pathOf(request);
    if (path === "/health") {
      const ready = Boolean(backends.inner && backends.tokens);
      const health: StackHealth = { stack: "holdfast", pid: process.pid, dataDir, ready };
      return sendJson(response, 200, health);
    }
    if (/^\/functions\/v1(\/|$)/.test(path)) return proxyFunction(request, response, path);
    const service = path.match(/^\/(auth|rest|storage)\/v1(\/|$)/)?.[1];
    if (!service) return sendJson(response, 404, { message: "no Route matched with those values" });
    if (request.method === "OPTIONS") return preflight(request, response);
    if (!METHODS.includes(request.method ?? ""))
      return sendJson(response, 405, { message: "Method not allowed" });
    if (path === "/auth/v1/.well-known/jwks.json") {
      response.setHeader("cache-control", "public, max-age=600");
      return sendJson(response, 200, keys.jwks);
    }
    await serve(service, path, request, response);
  }

  async function serve(
    service: string,
    path: string,
    request: IncomingMessage,
    response: ServerResponse,
  ): Promise<void> {
    const { inner, tokens } = backends;
    if (!inner || !tokens) return sendJson(response, 503, { message: "The stack is starting" });
    const target = targetOf(request, url);
    const apikey = headerOf(request, "apikey") ?? target.searchParams.get("apikey") ?? undefined;
    const keyKnown = apikey === keys.publishableKey || apikey === keys.secretKey;
    // Storage lets public and signed URLs through without a key; the inner server decides on those.
    const keyless = service === "storage" ? apikey === undefined : keylessAuth.test(path);
    if (!keyKnown && !keyless) {
      return apikey === undefined
        ? sendJson(response, 401, {
            message: "No API key found in request",
            hint: "No `apikey` request header or url param was found.",
          })
        : sendJson(response, 401, {
            message: "Invalid API key",
            hint: "Double check your Supabase `apikey`",
          });
    }

    const headers = forwardedHeaders(request);
    headers.delete("authorization");
    const authorization = headerOf(request, "authorization");
    const bearer = authorization?.match(/^Bearer\s+(\S+)\s*$/i)?.[1];
    const actsAsKey = authorization === undefined || (bearer !== undefined && bearer === apikey);
    if (!actsAsKey) {
      try {
        if (!bearer) throw new InvalidToken("The Authorization header is not a bearer token");
        headers.set("authorization", `Bearer ${await tokens.inner(await tokens.verify(bearer))}`);
      } catch (error) {
        if (!(error instanceof InvalidToken)) throw error;
        return refuseToken(service, response, error);
      }
    }

    const hasBody = request.method !== "GET" && request.method !== "HEAD";
    const body = hasBody ? await readBody(request) : undefined;
    if (body === "too large") return sendJson(response, 413, { message: "Payload too large" });
    const init: RequestInit = { method: request.method ?? "GET", headers };
    if (body && body.byteLength > 0) init.body = new Uint8Array(body);
    const forwarded = new Request(target, init);
    if (service === "auth") {
      await sendAuth(await inner.fetch(forwarded), request, target, tokens, response);
    } else if (service === "storage") {
      const answered = await inner.fetch(await unwrapUpload(forwarded));
      await send(await spellSignedUrls(forwarded, answered), response);
    } else {
      await send(await inner.fetch(forwarded), response);
    }
  }

  /** Auth's answers, with every access token in them replaced by the one the client is to see. */
  async function sendAuth(
    answered: Response,
    request: IncomingMessage,
    target: URL,
    tokens: TokenService,
    response: ServerResponse,
  ): Promise<void> {
    const method = authenticationMethod(target);
    try {
      const location = answered.headers.get("location");
      if (location?.includes("access_token=")) {
        const redirect = await reissueRedirect(location, tokens, method);
        return await send(answered, response, undefined, { location: redirect });
      }
      const isJson = answered.headers.get("content-type")?.includes("application/json");
      if (!answered.ok || !isJson || request.method === "GET") return await send(answered, response);
      const payload: unknown = await answered.json();
      const session = isSession(payload) ? await tokens.issue(payload, method) : payload;
      return await send(answered, response, Buffer.from(JSON.stringify(session)));
    } catch (error) {
      if (!(error instanceof HookRefused)) throw error;
      log(`gateway: ${error.message}`);
      return sendJson(response, error.status, {
        code: error.status,
        error_code: error.code,
        msg: error.message,
      });
    }
  }

  async function proxyFunction(
    request: IncomingMessage,
    response: ServerResponse,
    path: string,
  ): Promise<void> {
    const { functions } = backends;
    const name = path.split("/")[3] ?? "";
    if (functions && !functions.names.includes(name)) {
      return sendJson(response, 404, { code: "NOT_FOUND", message: "Requested function was not found" });
    }
    if (!functions)
      return sendJson(response, 503, { code: "BOOT_ERROR", message: "Functions are not running" });
    const host = new URL(functions.url);
    const headers = [...request.rawHeaders];
    const setHeader = (header: string, value: string): void => {
      for (let at = headers.length - 2; at >= 0; at -= 2) {
        if (headers[at]?.toLowerCase() === header) headers.splice(at, 2);
      }
      headers.push(header, value);
    };
    setHeader("x-forwarded-for", forwardedFor(request));
    setHeader("cf-connecting-ip", peerOf(request));
    setHeader("x-forwarded-host", new URL(url).host);
    setHeader("x-forwarded-proto", "http");
    const upstream = httpRequest({
      host: host.hostname,
      port: host.port,
      method: request.method,
      path: (request.url ?? "/").replace(/^\/functions\/v1/, ""),
      headers,
      agent: false,
    });
    await new Promise<void>((resolve) => {
      const finish = (): void => resolve();
      upstream.once("response", (answered) => {
        response.writeHead(answered.statusCode ?? 502, answered.statusMessage, answered.rawHeaders);
        answered.pipe(response);
        answered.once("error", () => response.destroy());
        // An answer may come before the whole request was read (413). The rest must be read all the same, or the
        // caller's next request waits behind it on the same connection.
        answered.once("end", () => {
          request.unpipe(upstream);
          request.resume();
        });
      });
      upstream.once("error", (error) => {
        // Also what a caller who went away looks like from here.
        if (response.destroyed) return;
        // The function has answered and reads no more; its answer goes on, or fails by itself.
        if (response.headersSent) {
          request.unpipe(upstream);
          request.resume();
          return;
        }
        log(`gateway: function ${name}: ${error.message}`);
        sendJson(response, 503, { code: "BOOT_ERROR", message: "Functions are not running" });
      });
      response.once("close", () => {
        upstream.destroy();
        finish();
      });
      request.pipe(upstream);
    });
  }

  return {
    url,
    backends,
    stop: async () => {
      const closed = new Promise<void>((resolve) => server.close(() => resolve()));
      server.closeAllConnections();
      await closed;
    },
  };
}

function pathOf(request: IncomingMessage): string {
  return targetOf(request, "http://127.0.0.1").pathname;
}

/** Always under this gateway's own address: a request line like `//elsewhere/x` must not name another host. */
function targetOf(request: IncomingMessage, base: string): URL {
  const path = request.url?.startsWith("/") ? request.url : "/";
  return new URL(base + path);
}

function headerOf(request: IncomingMessage, name: string): string | undefined {
  const value = request.headers[name];
  return Array.isArray(value) ? value[0] : value;
}

function peerOf(request: IncomingMessage): string {
  return request.socket.remoteAddress ?? "127.0.0.1";
}

/** The caller's address goes to the end of the list, as a proxy appends it: what stands before it is hearsay. */
function forwardedFor(request: IncomingMessage): string {
  const peer = peerOf(request);
  const given = headerOf(request, "x-forwarded-for");
  return given ? `${given}, ${peer}` : peer;
}

function forwardedHeaders(request: IncomingMessage): Headers {
  const headers = new Headers();
  // What belongs to this hop: the body is read here and handed on whole.
  const ownHop = new Set(["connection", "keep-alive", "transfer-encoding", "upgrade", "expect", "host"]);
  for (const [name, value] of Object.entries(request.headers)) {
    if (value === undefined || ownHop.has(name)) continue;
    headers.set(name, Array.isArray(value) ? value.join(", ") : value);
  }
  headers.set("x-forwarded-for", forwardedFor(request));
  // As Cloudflare does in front of a hosted project: whatever the caller sent under this name is gone.
  headers.set("cf-connecting-ip", peerOf(request));
  return headers;
}

async function readBody(request: IncomingMessage): Promise<Buffer | "too large"> {
  const chunks: Buffer[] = [];
  let size = 0;
  for await (const chunk of request) {
    size += chunk.length;
    if (size > maxBodyBytes) return "too large";
    chunks.push(chunk);
  }
  return Buffer.concat(chunks);
}

/** How the user proved who they are, in Auth's words; the hook is told it. */
function authenticationMethod(target: URL): string {
  if (target.searchParams.get("grant_type") === "refresh_token") return "token_refresh";
  if (target.searchParams.get("grant_type") === "pkce") return "oauth";
  if (target.pathname.endsWith("/verify")) return "otp";
  return "password";
}

function isSession(payload: unknown): payload is AuthSession {
  return typeof (payload as AuthSession | null)?.access_token === "string";
}

/** A link from an e-mail answers with a redirect that carries the session in its fragment. */
async function reissueRedirect(location: string, tokens: TokenService, method: string): Promise<string> {
  const [before = "", fragment = ""] = location.split("#", 2);
  const parameters = new URLSearchParams(fragment);
  const session = await tokens.issue(
    { access_token: parameters.get("access_token") ?? "" } as AuthSession,
    method,
  );
  parameters.set("access_token", session.access_token);
  if (session.expires_at) parameters.set("expires_at", String(session.expires_at));
  if (session.expires_in) parameters.set("expires_in", String(session.expires_in));
  return `${before}#${parameters}`;
}

/** A bad token, in the words of the service that hosted has at this address. */
function refuseToken(service: string, response: ServerResponse, refusal: InvalidToken): void {
  const { message, expired } = refusal;
  if (service === "auth") {
    response.setHeader("x-sb-error-code", "bad_jwt");
    sendJson(response, 403, { code: 403, error_code: "bad_jwt", msg: `invalid JWT: ${message}` });
  } else if (service === "storage") {
    sendJson(response, 401, { statusCode: "401", error: "InvalidJWT", message });
  } else {
    response.setHeader("www-authenticate", `Bearer error="invalid_token", error_description="${message}"`);
    sendJson(response, 401, { code: expired ? "PGRST303" : "PGRST301", details: null, hint: null, message });
  }
}

function preflight(request: IncomingMessage, response: ServerResponse): void {
  const wanted = headerOf(request, "access-control-request-headers");
  response.writeHead(204, {
    "access-control-allow-origin": "*",
    "access-control-allow-methods": "GET,POST,PUT,PATCH,DELETE,HEAD,OPTIONS",
    "access-control-allow-headers": wanted ?? "authorization, apikey, content-type, x-client-info",
    "access-control-max-age": "3600",
  });
  response.end();
}

async function send(
  answered: Response,
  response: ServerResponse,
  body?: Buffer,
  replaced: Record<string, string> = {},
): Promise<void> {
  const bytes = body ?? Buffer.from(await answered.arrayBuffer());
  response.statusCode = answered.status;
  for (const [name, value] of answered.headers) {
    // The inner server names the length of a HEAD answer's absent body; Node counts the rest itself.
    if (name !== "set-cookie" && name !== "content-length") response.setHeader(name, value);
  }
  const cookies = answered.headers.getSetCookie();
  if (cookies.length > 0) response.setHeader("set-cookie", cookies);
  for (const [name, value] of Object.entries(replaced)) response.setHeader(name, value);
  if (!response.hasHeader("access-control-allow-origin"))
    response.setHeader("access-control-allow-origin", "*");
  response.end(bytes);
}

function sendJson(response: ServerResponse, status: number, body: object): void {
  const text = JSON.stringify(body);
  response.statusCode = status;
  response.setHeader("content-type", "application/json; charset=utf-8");
  response.setHeader("access-control-allow-origin", "*");
  response.end(text);
}
