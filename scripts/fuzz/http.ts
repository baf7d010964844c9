// One exchange over HTTP as bytes: fetch would mend, or refuse to send, much of what is sent here.

import { connect } from "node:net";

export interface Sent {
  method: string;
  path: string;
  headers: [name: string, value: string][];
  body: Buffer;
  /** Say another length than the body has, or break off in the middle of a chunk. */
  framing?: "chunked" | "cut" | "too short";
}

export interface Answer {
  /** 0: the connection was closed without an answer. */
  status: number;
  headers: Record<string, string>;
  body: string;
}

/** Sends the bytes on a connection of their own, and reads what comes. Rejects when nothing ends within the deadline. */
export function exchange(origin: string, sent: Sent, deadlineMs: number): Promise<Answer> {
  const { hostname, port } = new URL(origin);
  return new Promise((resolve, reject) => {
    const socket = connect(Number(port), hostname);
    const chunks: Buffer[] = [];
    const timer = setTimeout(() => {
      socket.destroy();
      reject(new Error(`no answer within ${deadlineMs} ms`));
    }, deadlineMs);
    const finish = (): void => {
      clearTimeout(timer);
      resolve(parse(Buffer.concat(chunks)));
    };
    socket.on("data", (chunk) => chunks.push(chunk));
    socket.once("close", finish);
    // What the other side closes while it is written to has an answer all the same, or none.
    socket.on("error", () => socket.destroy());
    const bytes = bytesOf(`${hostname}:${port}`, sent);
    // Who ends their side is taken for gone: only who breaks off does.
    if (sent.framing === "cut") socket.end(bytes);
    else socket.write(bytes);
  });
}

function bytesOf(host: string, { method, path, headers, body, framing }: Sent): Buffer {
  const chunked = framing === "chunked" || framing === "cut";
  const length = framing === "too short" ? Math.floor(body.length / 2) : body.length;
  const lines = [
    `${method} ${path} HTTP/1.1`,
    `host: ${host}`,
    "connection: close",
    ...headers.map(([name, value]) => `${name}: ${value}`),
    chunked ? "transfer-encoding: chunked" : `content-length: ${length}`,
  ];
  const head = Buffer.from(`${lines.join("\r\n")}\r\n\r\n`, "latin1");
  if (!chunked) return Buffer.concat([head, body]);
  const size = Buffer.from(`${body.length.toString(16)}\r\n`);
  if (framing === "cut") return Buffer.concat([head, size, body.subarray(0, body.length / 2)]);
  return Buffer.concat([head, size, body, Buffer.from("\r\n0\r\n\r\n")]);
}

function parse(bytes: Buffer): Answer {
  const end = bytes.indexOf("\r\n\r\n");
  if (end < 0) return { status: 0, headers: {}, body: bytes.toString() };
  const [first = "", ...lines] = bytes.subarray(0, end).toString("latin1").split("\r\n");
  const headers = Object.fromEntries(
    lines.map((line) => [
      line.slice(0, line.indexOf(":")).toLowerCase(),
      line.slice(line.indexOf(":") + 1).trim(),
    ]),
  );
  const body = bytes.subarray(end + 4);
  const isChunked = headers["transfer-encoding"] === "chunked";
  return {
    status: Number(first.split(" ")[1]),
    headers,
    body: (isChunked ? unchunked(body) : body).toString(),
  };
}

function unchunked(bytes: Buffer): Buffer {
  const parts: Buffer[] = [];
  for (let at = 0; at < bytes.length; ) {
    const end = bytes.indexOf("\r\n", at);
    const size = Number.parseInt(bytes.subarray(at, end).toString(), 16);
    if (!size) break;
    parts.push(bytes.subarray(end + 2, end + 2 + size));
    at = end + 4 + size;
  }
  return Buffer.concat(parts);
}
