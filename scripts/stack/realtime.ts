// Realtime, as far as Holdfast uses it: broadcasts from the database on private channels. Who may join is asked of the
// policies of realtime.messages, as hosted asks them; what is told comes from the write-ahead log, after its commit and in
// the order of the commits. Public channels, presence, changes of tables and what clients would send are not there.

import type { IncomingMessage } from "node:http";
import type { Duplex } from "node:stream";
import { decodeJwt, type JWTPayload } from "jose";
import type { Sql } from "postgres";
import { type WebSocket, WebSocketServer } from "ws";
import type { StackKeys } from "./keys.ts";
import { type Feed, openFeed } from "./realtime-feed.ts";
import {
  type Broadcast,
  decode,
  encode,
  encodeBroadcast,
  type Message,
  type Version,
} from "./realtime-protocol.ts";
import { InvalidToken, type TokenService } from "./tokens.ts";

export interface Realtime {
  /** Makes a websocket of a request to become one, if its API key is this stack's. */
  accept(request: IncomingMessage, socket: Duplex, head: Buffer, parameters: URLSearchParams): void;
  /** Closes every socket. */
  stop(): Promise<void>;
}

/** Why a channel is not joined or ends, in hosted's words. */
class Refused extends Error {}

interface Channel {
  joinRef: string | null;
  /** What was last shown to join or to stay. */
  token: string | undefined;
  expiry: NodeJS.Timeout | undefined;
}

interface Connection {
  socket: WebSocket;
  version: Version;
  /** Who asks without a token of a user: what the API key stands for. */
  keyRole: "anon" | "service_role";
  channels: Map<string, Channel>;
}

/** As hosted's: a token is looked at again at least this often. */
const CONFIRM_TOKEN_MS = 5 * 60_000;
const MAX_FRAME_BYTES = 256 * 1024;
const TOPIC_PREFIX = "realtime:";

export function startRealtime(
  keys: StackKeys,
  tokens: TokenService,
  admin: Sql,
  adminDatabaseUrl: string,
  log: (line: string) => void,
): Realtime {
  const server = new WebSocketServer({ noServer: true, maxPayload: MAX_FRAME_BYTES });
  const connections = new Set<Connection>();
  let feed: Promise<Feed> | undefined;

  /** Reads the log from the first join on: a stack that nobody listens to pays nothing for it. */
  const listening = (): Promise<Feed> => {
    feed ??= openFeed(adminDatabaseUrl, deliver, () => {
      // Who comes back reads again, and finds what is missed meanwhile.
      feed = undefined;
      log("realtime: the write-ahead log was lost");
      for (const { socket } of connections) socket.close(1012, "restart");
    });
    feed.catch(() => {
      feed = undefined;
    });
    return feed;
  };

  function deliver(broadcast: Broadcast): void {
    for (const { socket, version, channels } of connections) {
      if (channels.has(TOPIC_PREFIX + broadcast.topic)) socket.send(encodeBroadcast(broadcast, version));
    }
  }

  function connect(socket: WebSocket, version: Version, keyRole: Connection["keyRole"]): void {
    const connection: Connection = { socket, version, keyRole, channels: new Map() };
    connections.add(connection);
    // One after the other: a message may not overtake the join before it.
    let turn = Promise.resolve();
    socket.on("message", (data, isBinary) => {
      turn = turn
        .then(async () => {
          const message = decode(data, isBinary, version);
          if (message) await handle(connection, message);
        })
        .catch((error: unknown) => {
          log(`realtime: ${error}`);
          socket.close(1011);
        });
    });
    socket.on("error", () => socket.terminate());
    socket.on("close", () => {
      connections.delete(connection);
      for (const topic of connection.channels.keys()) forget(connection, topic);
    });
  }

  async function handle(connection: Connection, message: Message): Promise<void> {
    const { topic, event, payload } = message;
    const channel = connection.channels.get(topic);
    if (topic === "phoenix" && event === "heartbeat") return reply(connection, message, "ok", {});
    if (event === "phx_join") return join(connection, message);
    if (event === "phx_leave") {
      forget(connection, topic);
      reply(connection, message, "ok", {});
      return push(connection, topic, message.joinRef, "phx_close", {});
    }
    if (event === "access_token" && channel && typeof payload.access_token === "string") {
      const token = payload.access_token;
      if (token === channel.token || token.startsWith("sb_")) return;
      await renew(connection, topic, channel, token);
    }
  }

  async function join(connection: Connection, message: Message): Promise<void> {
    const { topic, payload, joinRef } = message;
    const { config, access_token } = payload as { config?: { private?: unknown }; access_token?: unknown };
    forget(connection, topic);
    try {
      if (config?.private !== true)
        throw new Refused("PrivateOnly: This project only allows private channels");
      const token =
        typeof access_token === "string" && !access_token.startsWith("sb_") ? access_token : undefined;
      const expires = await admit(connection, topic, token);
      await listening();
      if (connection.socket.readyState !== connection.socket.OPEN) return;
      const channel: Channel = { joinRef, token, expiry: undefined };
      connection.channels.set(topic, channel);
      expireAt(connection, topic, channel, expires);
      reply(connection, message, "ok", { postgres_changes: [] });
    } catch (error) {
      if (!(error instanceof Refused)) throw error;
      reply(connection, message, "error", { reason: error.message });
    }
  }

  /** A new token: the policies are asked anew, and who may no longer hear is cut off. */
  async function renew(
    connection: Connection,
    topic: string,
    channel: Channel,
    token: string | undefined,
  ): Promise<void> {
    channel.token = token;
    try {
      expireAt(connection, topic, channel, await admit(connection, topic, token));
    } catch (error) {
      if (!(error instanceof Refused)) throw error;
      shutDown(connection, topic, channel, error.message.replace(/^\w+: /, ""));
    }
  }

  /** When the token expires, if whoever it is may hear the topic. Throws Refused otherwise. */
  async function admit(
    { keyRole }: Connection,
    topic: string,
    token: string | undefined,
  ): Promise<number | undefined> {
    let claims: JWTPayload = { role: keyRole };
    try {
      if (token !== undefined) claims = await tokens.verify(token);
    } catch (error) {
      if (error instanceof InvalidToken) throw new Refused(refusalOf(error, String(token)));
      throw error;
    }
    const name = topic.slice(TOPIC_PREFIX.length);
    if (!topic.startsWith(TOPIC_PREFIX) || name === "" || !(await mayRead(admin, name, claims))) {
      throw new Refused(`Unauthorized: You do not have permissions to read from this Channel topic: ${name}`);
    }
    return claims.exp;
  }

  function expireAt(
    connection: Connection,
    topic: string,
    channel: Channel,
    expires: number | undefined,
  ): void {
    clearTimeout(channel.expiry);
    if (expires === undefined) return;
    const left = expires * 1_000 - Date.now();
    const look = (): void => {
      if (left > CONFIRM_TOKEN_MS) expireAt(connection, topic, channel, expires);
      else shutDown(connection, topic, channel, "Token has expired 0 seconds ago");
    };
    channel.expiry = setTimeout(look, Math.max(0, Math.min(CONFIRM_TOKEN_MS, left)));
    channel.expiry.unref();
  }

  function shutDown(connection: Connection, topic: string, { joinRef }: Channel, message: string): void {
    forget(connection, topic);
    const channel = topic.slice(TOPIC_PREFIX.length);
    push(connection, topic, joinRef, "system", { extension: "system", status: "error", message, channel });
    push(connection, topic, joinRef, "phx_close", {});
  }

  return {
    accept: (request, socket, head, parameters) => {
      const apikey = parameters.get("apikey");
      const keyRole =
        apikey === keys.secretKey ? "service_role" : apikey === keys.publishableKey ? "anon" : undefined;
      if (!keyRole) return refuseUpgrade(socket, 401);
      const version = parameters.get("vsn") === "2.0.0" ? "2.0.0" : "1.0.0";
      server.handleUpgrade(request, socket, head, (accepted) => connect(accepted, version, keyRole));
    },
    stop: async () => {
      for (const { socket } of connections) socket.terminate();
      const open = await feed?.catch(() => undefined);
      await open?.close();
    },
  };
}

/** Answers a request to become a websocket with a status, and hangs up. */
export function refuseUpgrade(socket: Duplex, status: 401 | 404 | 503): void {
  const reason = { 401: "Unauthorized", 404: "Not Found", 503: "Service Unavailable" }[status];
  socket.end(`HTTP/1.1 ${status} ${reason}\r\nconnection: close\r\ncontent-length: 0\r\n\r\n`);
}

function forget({ channels }: Connection, topic: string): void {
  clearTimeout(channels.get(topic)?.expiry);
  channels.delete(topic);
}

function push(
  { socket, version }: Connection,
  topic: string,
  joinRef: string | null,
  event: string,
  payload: Message["payload"],
): void {
  socket.send(
    encode({ joinRef, ref: event === "phx_close" ? joinRef : null, topic, event, payload }, version),
  );
}

function reply(
  { socket, version }: Connection,
  { joinRef, ref, topic }: Message,
  status: "ok" | "error",
  response: object,
): void {
  socket.send(encode({ joinRef, ref, topic, event: "phx_reply", payload: { status, response } }, version));
}

function refusalOf({ expired }: InvalidToken, token: string): string {
  if (!expired) return "JwtSignatureError: Failed to validate JWT signature";
  const { exp = 0 } = decodeJwt(token);
  return `InvalidJWTToken: Token has expired ${Math.floor(Date.now() / 1_000) - exp} seconds ago`;
}

/** Asks as hosted does: may the caller see a message on the topic, one that is written for this and taken back? */
async function mayRead(admin: Sql, topic: string, claims: JWTPayload): Promise<boolean> {
  const undo = Symbol("undo");
  let seen = false;
  try {
    await admin.begin(async (transaction) => {
      const [probe] = await transaction`
        insert into realtime.messages (topic, extension, private) values (${topic}, 'broadcast', true) returning id`;
      await transaction`
        select
          set_config('role', ${String(claims.role)}, true), set_config('realtime.topic', ${topic}, true),
          set_config('request.jwt.claims', ${JSON.stringify(claims)}, true)`;
      const rows = await transaction`select from realtime.messages where id = ${probe?.id}`;
      seen = rows.count === 1;
      throw undo;
    });
  } catch (error) {
    if (error !== undo) throw error;
  }
  return seen;
}
