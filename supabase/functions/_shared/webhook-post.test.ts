// Sending one message over real sockets: what a receiver may do, and where a message never goes.

import { createServer, type Server, type Socket } from "node:net";
import { connect } from "node:tls";
import { afterEach, describe, expect, it, vi } from "vitest";
import { type Message, postMessage } from "./webhook-post.ts";

// As it is, and seen.
vi.mock("node:tls", async (original) => {
  const tls = await original<typeof import("node:tls")>();
  return { ...tls, connect: vi.fn(tls.connect) };
});

const open: Server[] = [];
const sockets: Socket[] = [];
afterEach(async () => {
  for (const socket of sockets.splice(0)) socket.destroy();
  for (const server of open.splice(0)) await new Promise((resolve) => server.close(resolve));
});

/** A receiver that does with each connection as it is told; its origin, and what it was sent. */
async function receiver(behave: (socket: Socket, sent: string) => void) {
  const seen = { connections: 0, text: "" };
  const server = createServer((socket) => {
    seen.connections += 1;
    sockets.push(socket);
    socket.on("error", () => {});
    socket.on("data", (chunk) => {
      seen.text += chunk.toString();
      behave(socket, seen.text);
    });
  });
  open.push(server);
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  const address = server.address();
  if (typeof address !== "object" || address === null) throw new Error("the receiver has no port");
  return { seen, origin: `http://127.0.0.1:${address.port}`, port: address.port };
}

const post = (changes: Partial<Message>) =>
  postMessage({
    url: "https://hooks.example.com/a?b=c",
    headers: { "webhook-id": "msg_1" },
    body: '{"é":1}',
    ...changes,
  });

describe("a message", () => {
  it("is one HTTP request with the whole body, by the name of the endpoint", async () => {
    const { origin, seen } = await receiver((socket, sent) => {
      if (sent.endsWith('{"é":1}')) socket.end("HTTP/1.1 204 No Content\r\n\r\n");
    });
    expect(await post({ testReceiver: origin })).toEqual({ status_code: 204 });
    expect(seen.text).toBe(
      "POST /a?b=c HTTP/1.1\r\nhost: hooks.example.com\r\nuser-agent: Holdfast-Webhooks\r\ncontent-type: application/json\r\n" +
        'content-length: 8\r\nconnection: close\r\nwebhook-id: msg_1\r\n\r\n{"é":1}',
    );
  });

  it("follows no redirect", async () => {
    const elsewhere = await receiver((socket) => socket.end("HTTP/1.1 200 OK\r\n\r\n"));
    const { origin } = await receiver((socket) =>
      socket.end(`HTTP/1.1 302 Found\r\nlocation: ${elsewhere.origin}/\r\n\r\n`),
    );
    expect(await post({ testReceiver: origin })).toEqual({ status_code: 302 });
    expect(elsewhere.seen.connections).toBe(0);
  });

  it.each<[string, string, (socket: Socket) => void]>([
    ["never answers", "timed_out", () => {}],
    ["answers a byte at a time", "timed_out", (socket) => socket.write("H")],
    ["hangs up", "connection_failed", (socket) => socket.destroy()],
    ["speaks no HTTP", "invalid_response", (socket) => socket.end("220 smtp.example.com ESMTP\r\n")],
    ["stops in the middle", "invalid_response", (socket) => socket.end("HTTP/1.1 20")],
    ["never ends its first line", "invalid_response", (socket) => socket.write("H".repeat(100_000))],
    [
      "answers with no final status",
      "invalid_response",
      (socket) => socket.end("HTTP/1.1 103 Early Hints\r\n\r\n"),
    ],
  ])("to a receiver that %s ends as %s", async (_, error, behave) => {
    const { origin } = await receiver(behave);
    expect(await post({ testReceiver: origin, timeoutMs: error === "timed_out" ? 300 : 30_000 })).toEqual({
      error,
    });
  });

  it("has its answer after all that comes before an answer", async () => {
    const early = "HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 103 Early Hints\r\nlink: </a>\r\n\r\n";
    const { origin } = await receiver((socket) => socket.end(`${early}HTTP/1.1 200 OK\r\n\r\n`));
    expect(await post({ testReceiver: origin })).toEqual({ status_code: 200 });
  });

  it("has its answer at the status line, however much the receiver goes on to send", async () => {
    const { origin } = await receiver((socket) => {
      socket.write("HTTP/1.1 200 OK\r\n\r\n");
      for (let times = 0; times < 50; times += 1) socket.write("x".repeat(1_000_000));
    });
    expect(await post({ testReceiver: origin })).toEqual({ status_code: 200 });
  });

  it("to where nobody listens ends as connection_failed", async () => {
    expect(await post({ testReceiver: "http://127.0.0.1:1" })).toEqual({ error: "connection_failed" });
  });
});

describe("no message goes", () => {
  it.each([
    ["127.0.0.1"],
    ["169.254.169.254"],
    ["10.0.0.7"],
    ["::1"],
    ["::ffff:10.0.0.7"],
    ["fd00:ec2::254"],
    ["1.1.1.1", "192.168.0.1"],
    ["2606:4700::1", "fe80::1"],
  ])("to a name that resolves to %s %s", async (...addresses) => {
    const resolve = async () => addresses.filter((address) => address !== undefined);
    expect(await post({ resolve })).toEqual({ error: "address_forbidden" });
  });

  it("to a name that does not resolve", async () => {
    expect(await post({ resolve: () => Promise.reject(new Error("ENOTFOUND")) })).toEqual({
      error: "not_resolved",
    });
    expect(await post({ resolve: async () => [] })).toEqual({ error: "not_resolved" });
  });

  it("to what has the form of a name, and is none", async () => {
    expect(await post({ url: "https://xn--a.example.com/" })).toEqual({ error: "not_resolved" });
  });

  it("after its time: a name that resolves too late is not connected to", async () => {
    let resolved = (_: string[]) => {};
    const resolve = () => new Promise<string[]>((answer) => (resolved = answer));
    vi.mocked(connect).mockClear();
    expect(await post({ resolve, timeoutMs: 1 })).toEqual({ error: "timed_out" });
    resolved(["1.1.1.1"]);
    await new Promise(setImmediate);
    expect(connect).not.toHaveBeenCalled();
  });

  it("to a name of this machine by the machine's own resolver", async () => {
    expect(await post({ url: "https://localhost/" })).toEqual({ error: "address_forbidden" });
  });

  it("in the clear, or to another port", async () => {
    const resolve = async () => ["1.1.1.1"];
    expect(await post({ url: "http://hooks.example.com/", resolve })).toEqual({ error: "address_forbidden" });
    expect(await post({ url: "https://hooks.example.com:8443/", resolve })).toEqual({
      error: "address_forbidden",
    });
  });

  it("to a receiver whose certificate is not the name's: it hangs up before a byte of the message", async () => {
    const { origin, seen } = await receiver((socket) => socket.end("HTTP/1.1 200 OK\r\n\r\n"));
    expect(await post({ testReceiver: origin.replace("http:", "https:") })).toEqual({
      error: "connection_failed",
    });
    expect(seen.text).not.toContain("msg_1");
  });
});
