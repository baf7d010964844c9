// A proxy before the stack that keeps what goes through it. Apps and Edge Functions are both told to call it, so it sees
// what an app asks, what a function asks of the database on the app's behalf, and every answer.

import { createServer, type IncomingMessage } from "node:http";
import type { AddressInfo } from "node:net";

export interface Exchange {
  method: string;
  /** Path and query. */
  url: string;
  headers: Record<string, string>;
  body: string;
  status: number;
  answerHeaders: string;
  answer: string;
}

export interface Recorder {
  url: string;
  /** Where functions are hosted: they are told the recorder's address, so they start after it. */
  functionsUrl?: string;
  exchanges: Exchange[];
  stop(): Promise<void>;
}

/** Of this hop, and not of the message. */
const OWN_HOP = /^(connection|keep-alive|transfer-encoding|content-length|content-encoding|host|upgrade)$/;

export async function startRecorder(stackUrl: string): Promise<Recorder> {
  const exchanges: Exchange[] = [];
  const server = createServer(async (request, response) => {
    try {
      const body = await read(request);
      const headers = Object.fromEntries(
        Object.entries(request.headers).flatMap(([name, value]) =>
          OWN_HOP.test(name) || value === undefined ? [] : [[name, String(value)]],
        ),
      );
      const { method = "GET", url = "/" } = request;
      const answered = await fetch(targetOf(url), {
        method,
        headers,
        redirect: "manual",
        ...(body.length > 0 && { body: new Uint8Array(body) }),
      });
      const answer = Buffer.from(await answered.arrayBuffer());
      exchanges.push({
        method,
        url,
        headers,
        body: body.toString(),
        status: answered.status,
        answerHeaders: [...answered.headers].map((header) => header.join(": ")).join("\n"),
        answer: answer.toString(),
      });
      response.writeHead(
        answered.status,
        [...answered.headers].filter(([name]) => !OWN_HOP.test(name)).flat(),
      );
      response.end(answer);
    } catch {
      // What the test meant to send did not arrive: it fails there, with its own message.
      response.destroy();
    }
  });
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  const recorder: Recorder = {
    url: `http://127.0.0.1:${(server.address() as AddressInfo).port}`,
    exchanges,
    stop: () =>
      new Promise((resolve) => {
        server.close(() => resolve());
        server.closeAllConnections();
      }),
  };
  const targetOf = (url: string): string =>
    url.startsWith("/functions/v1/")
      ? recorder.functionsUrl + url.replace("/functions/v1", "")
      : stackUrl + url;
  return recorder;
}

async function read(request: IncomingMessage): Promise<Buffer> {
  const chunks: Buffer[] = [];
  for await (const chunk of request) chunks.push(chunk);
  return Buffer.concat(chunks);
}
