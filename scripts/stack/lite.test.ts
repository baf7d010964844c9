import { mkdtemp, rm } from "node:fs/promises";
import { type AddressInfo, connect, createServer, type Socket } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, expect, inject, it } from "vitest";
import { loadKeys } from "./keys.ts";
import { createInnerServer, type InnerServer } from "./lite.ts";

/** What is on the way to the database: it says nothing, or passes on, or is gone. */
let isSilent: boolean;
let cutOff: () => void;
let inner: InnerServer;
let lines: string[];
let ask: () => Promise<Response>;
let stop: () => Promise<void>;

beforeEach(async () => {
  const database = new URL(inject("stack").databaseUrl);
  const sockets: Socket[] = [];
  const between = createServer((socket) => {
    sockets.push(socket.on("error", () => {}));
    if (isSilent) return;
    const onward = connect(Number(database.port), database.hostname).on("error", () => {});
    sockets.push(onward);
    socket.pipe(onward).pipe(socket);
  });
  await new Promise<void>((resolve) => between.listen(0, "127.0.0.1", resolve));
  cutOff = () => {
    between.close();
    for (const socket of sockets) socket.destroy();
  };
  const url = new URL(database);
  url.port = String((between.address() as AddressInfo).port);
  const folder = await mkdtemp(join(tmpdir(), "holdfast-lite-"));
  const keys = await loadKeys(folder);
  const headers = { apikey: keys.publishableKey };
  lines = [];
  inner = createInnerServer(url.href, keys, folder, (line) => lines.push(line), 2_000);
  ask = () => inner.fetch(new Request("http://localhost/rest/v1/organizations?select=id", { headers }));
  stop = async () => {
    cutOff();
    await inner.stop();
    await rm(folder, { recursive: true });
  };
});
afterEach(() => stop());

it("a driver that waits for connections that nobody answers is given up, and the next request is served", async () => {
  isSilent = true;
  // As many as the driver has places for: none is left that could be served.
  const stuck = await Promise.all(Array.from({ length: 40 }, ask));
  expect(new Set(stuck.map(({ status }) => status))).toEqual(new Set([504]));
  expect(await stuck[0]?.json()).toMatchObject({ code: "PGRST003" });
  expect(lines).toEqual(["inner server: its driver does not answer, and is renewed"]);
  isSilent = false;
  expect((await ask()).status).not.toBe(504);
  expect(lines).toHaveLength(1);
});

it("a database that is gone could not be reached, as PostgREST says it: not in the driver's own words", async () => {
  isSilent = false;
  expect(await (await ask()).json()).toMatchObject({ code: "42501" });
  cutOff();
  const answer = await ask();
  expect([answer.status, await answer.json()]).toEqual([503, expect.objectContaining({ code: "PGRST001" })]);
});

it("a database that is gone before its schema was read is not one without functions", async () => {
  isSilent = false;
  cutOff();
  const answer = await ask();
  expect([answer.status, await answer.json()]).toEqual([503, expect.objectContaining({ code: "PGRST002" })]);
});
