// A wire that can be cut and slowed: what stands between a caller and a server, and forwards bytes.

import { type AddressInfo, connect, createServer, type Socket } from "node:net";

export interface Wire {
  port: number;
  /** Cuts the connection that is answered next, before the answer is through. */
  cutNextAnswer(): void;
  /** Cuts the connection that asks next, once the request is out. */
  cutNextRequest(): void;
  /** Whatever comes next, in each direction, takes so long. */
  delayNext(ms: number): void;
  /** Forgets what was to happen next. */
  calm(): void;
  /** Cuts all connections. */
  cutAll(): void;
  close(): Promise<void>;
}

/** A wire to a port of this machine. */
export async function wireTo(port: number): Promise<Wire> {
  let cut: "answer" | "request" | null = null;
  let delays = { asked: 0, answered: 0 };
  const sockets = new Set<Socket>();

  const server = createServer((caller) => {
    const upstream = connect(port, "127.0.0.1");
    const both = [caller, upstream];
    const end = (): void => {
      for (const socket of both) {
        socket.destroy();
        sockets.delete(socket);
      }
    };
    for (const socket of both) {
      sockets.add(socket);
      socket.setNoDelay(true);
      socket.on("error", end);
      socket.on("close", end);
    }
    caller.on("data", (chunk) => {
      const cutting = cut === "request";
      if (cutting) cut = null;
      const delay = delays.asked;
      delays.asked = 0;
      pass(caller, upstream, chunk, delay, cutting ? end : undefined);
    });
    upstream.on("data", (chunk) => {
      if (cut === "answer") {
        cut = null;
        return end();
      }
      const delay = delays.answered;
      delays.answered = 0;
      pass(upstream, caller, chunk, delay);
    });
  });
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  return {
    port: (server.address() as AddressInfo).port,
    cutNextAnswer: () => {
      cut = "answer";
    },
    cutNextRequest: () => {
      cut = "request";
    },
    delayNext: (ms) => {
      delays = { asked: ms, answered: ms };
    },
    calm: () => {
      cut = null;
      delays = { asked: 0, answered: 0 };
    },
    cutAll: () => {
      for (const socket of sockets) socket.destroy();
    },
    close: async () => {
      for (const socket of sockets) socket.destroy();
      await new Promise<void>((resolve) => server.close(() => resolve()));
    },
  };
}

/** Bytes keep their order: nothing more is read from where they came until they are through. */
function pass(from: Socket, to: Socket, chunk: Buffer, delay: number, then?: () => void): void {
  if (delay === 0) {
    to.write(chunk, then);
    return;
  }
  from.pause();
  setTimeout(() => {
    to.write(chunk, then);
    from.resume();
  }, delay);
}
