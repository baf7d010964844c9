/**
 * Sending one message to an address on the public internet and nowhere else: the name is resolved here, every address that it has
 * must be public, and the connection goes to the very address that was looked at, so no second answer of a resolver (DNS
 * rebinding) counts. HTTP/1.1 by hand, since fetch resolves names itself. Of the answer nothing is read beyond its status line:
 * there is no redirect to follow and no body to fill the memory.
 */
import { lookup } from "node:dns/promises";
import { connect as connectPlain, type Socket } from "node:net";
import { connect as connectTls } from "node:tls";
import { isPublicAddress } from "./public-address.ts";

/** What came of it: the status, or why there is none. */
export type Answer =
  | { readonly status_code: number; readonly error?: undefined }
  | { readonly status_code?: undefined; readonly error: DeliveryError };

export type DeliveryError =
  | "address_forbidden"
  | "connection_failed"
  | "invalid_response"
  | "not_resolved"
  | "timed_out";

export interface Message {
  /** `https:`, a host name, no port; the database lets no other in. */
  readonly url: string;
  readonly headers: Readonly<Record<string, string>>;
  readonly body: string;
  /**
   * For tests and development: the origin that everything goes to instead, `http://127.0.0.1:<port>` or with `https:`. From the
   * function's environment, never from a request.
   */
  readonly testReceiver?: string | undefined;
  /** The addresses of a name. */
  readonly resolve?: (hostname: string) => Promise<string[]>;
  readonly timeoutMs?: number;
}

const TIMEOUT_MS = 15_000;
const LONGEST_HEAD = 16_384;
// What may come before the answer, asked for or not (RFC 9110 §15.2).
const INTERIM = /^(HTTP\/1\.[01] 1\d\d[ \r][\s\S]*?\r\n\r\n)+/;

/** Sends the message once. Never throws. */
export async function postMessage(message: Message): Promise<Answer> {
  // The database lets in what has the form of a name. Not every xn-- is one, and what is none does not resolve.
  if (!URL.canParse(message.url)) return { error: "not_resolved" };
  const url = new URL(message.url);
  let timer: ReturnType<typeof setTimeout> | undefined;
  const opened: Opened = { late: false };
  const timeout = new Promise<Answer>((resolve) => {
    timer = setTimeout(() => resolve({ error: "timed_out" }), message.timeoutMs ?? TIMEOUT_MS);
  });
  try {
    return await Promise.race([exchange(url, message, opened), timeout]);
  } finally {
    clearTimeout(timer);
    opened.late = true;
    opened.socket?.destroy();
  }
}

interface Opened {
  socket?: Socket;
  /** Whether the answer was given up: nothing is sent any more. */
  late: boolean;
}

async function exchange(url: URL, message: Message, opened: Opened): Promise<Answer> {
  const target = message.testReceiver ? testTarget(message.testReceiver) : await publicTarget(url, message);
  if (typeof target === "string") return { error: target };
  // A resolver that was slower than patience: the message is another attempt's by now.
  if (opened.late) return { error: "timed_out" };
  return new Promise((resolve) => {
    const { host, port, secure } = target;
    const socket = secure
      ? // The certificate must be the name's, whichever address was connected to.
        connectTls({ host, port, servername: url.hostname, ALPNProtocols: ["http/1.1"] })
      : connectPlain({ host, port });
    opened.socket = socket;
    let head = "";
    socket.once(secure ? "secureConnect" : "connect", () => socket.write(requestOf(url, message)));
    socket.on("error", () => resolve({ error: "connection_failed" }));
    socket.on("close", () => resolve({ error: head === "" ? "connection_failed" : "invalid_response" }));
    socket.on("data", (chunk: Uint8Array) => {
      head += new TextDecoder("latin1").decode(chunk.subarray(0, LONGEST_HEAD));
      const [line = "", ended] = head.replace(INTERIM, "").split("\r\n", 2);
      const isWhole = ended !== undefined && !/^HTTP\/1\.[01] 1/.test(line);
      if (!isWhole && head.length < LONGEST_HEAD) return;
      const status = line.match(/^HTTP\/1\.[01] ([2-9]\d\d)( |$)/)?.[1];
      resolve(status ? { status_code: Number(status) } : { error: "invalid_response" });
    });
  });
}

interface Target {
  readonly host: string;
  readonly port: number;
  readonly secure: boolean;
}

function testTarget(receiver: string): Target {
  const { protocol, hostname, port } = new URL(receiver);
  return { host: hostname, port: Number(port), secure: protocol === "https:" };
}

async function publicTarget(url: URL, { resolve = addressesOf }: Message): Promise<Target | DeliveryError> {
  if (url.protocol !== "https:" || url.port !== "") return "address_forbidden";
  const addresses = await resolve(url.hostname).catch(() => []);
  const [host] = addresses;
  if (host === undefined) return "not_resolved";
  // All of them: a name of which one address is within a network is not one of the public internet.
  if (!addresses.every(isPublicAddress)) return "address_forbidden";
  return { host, port: 443, secure: true };
}

async function addressesOf(hostname: string): Promise<string[]> {
  const found = await lookup(hostname, { all: true, verbatim: false });
  return found.map(({ address }) => address);
}

function requestOf(url: URL, { headers, body }: Message): string {
  const lines = Object.entries({
    host: url.host,
    "user-agent": "Holdfast-Webhooks",
    "content-type": "application/json",
    "content-length": String(new TextEncoder().encode(body).length),
    connection: "close",
    ...headers,
  }).map(([name, value]) => `${name}: ${value}\r\n`);
  return `POST ${url.pathname}${url.search} HTTP/1.1\r\n${lines.join("")}\r\n${body}`;
}
