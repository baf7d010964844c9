import { mkdtemp, rm } from "node:fs/promises";
import { type AddressInfo, connect, createServer, type Socket } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { expect, inject, it } from "vitest";
import { loadKeys } from "./keys.ts";
import { createInnerServer } from "./lite.ts";

it("a driver that waits for connections that nobody answers is given up, and the next request is served", async () => {
  const database = new URL(inject("stack").databaseUrl);
  let isSilent = true;
  const sockets: Socket[] = [];
  const between = createServer((socket) => {
    sockets.push(socket.on("error", () => {}));
    if (isSilent) return;
    const onward = connect(Number(database.port), database.hostname).on("error", () => {});
    sockets.push(onward);
    socket.pipe(onward).pipe(socket);
  });
  await new Promise<void>((resolve) => between.listen(0, "127.0.0.1", resolve));
  const url = new URL(database);
  url.port = String((between.address() as AddressInfo).port);
  const folder = await mkdtemp(join(tmpdir(), "holdfast-lite-"));
  const lines: string[] = [];
  const keys = await loadKeys(folder);
  const inner = createInnerServer(url.href, keys, folder, (line) => lines.push(line), 2_000);
  const ask = () =>
    inner.fetch(
      new Request("http://localhost/rest/v1/roles?select=role", { headers: { apikey: keys.publishableKey } }),
    );
  try {
    // As many as the driver has places for: none is left that could be served.
    const stuck = await Promise.all(Array.from({ length: 40 }, ask));
    expect(new Set(stuck.map(({ status }) => status))).toEqual(new Set([504]));
    expect(await stuck[0]?.json()).toMatchObject({ code: "PGRST003" });
    expect(lines).toEqual(["inner server: its driver does not answer, and is renewed"]);
    isSilent = false;
    expect((await ask()).status).not.toBe(504);
    expect(lines).toHaveLength(1);
  } finally {
    for (const socket of sockets) socket.destroy();
    await inner.stop();
    between.close();
    await rm(folder, { recursive: true });
  }
});
