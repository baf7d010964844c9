import { createServer, type IncomingHttpHeaders, type Server } from "node:http";
import type { AddressInfo } from "node:net";
import { afterAll, beforeAll, beforeEach, describe, expect, it, vi } from "vitest";
import WebSocket from "ws";
import { toProblem } from "../../../src/lib/problems.ts";
import { health } from "../health/index.ts";
import { success } from "./respond.ts";
import { traced } from "./traced.ts";

let lines: Record<string, unknown>[];
beforeAll(() => {
  const keep = (line: string) => void lines.push(JSON.parse(line));
  vi.spyOn(console, "log").mockImplementation(keep);
  vi.spyOn(console, "error").mockImplementation(keep);
});
afterAll(() => {
  vi.restoreAllMocks();
  vi.unstubAllEnvs();
  vi.unstubAllGlobals();
});
beforeEach(() => {
  lines = [];
});

const request = (method: string, path = "/health", headers: Record<string, string> = {}) =>
  new Request(`http://localhost${path}`, { method, headers: { "X-Request-Id": "r1", ...headers } });

describe("one line in the log", () => {
  const line = { function: "tried", request_id: "r1", duration_ms: expect.any(Number) };
  const tried = (reply: Parameters<typeof traced>[2]) => traced("tried", "POST", reply)(request("POST"));

  it("says of a success its status and how long it took", async () => {
    await tried(async (_, id) => ({ response: success(id, 201, {}, false) }));
    expect(lines).toEqual([{ ...line, level: "info", status: 201, code: null, cause: null }]);
  });

  it("says of a refusal its code", async () => {
    await tried(async () => ({ problem: toProblem("forbidden"), cause: "42501" }));
    expect(lines).toEqual([{ ...line, level: "info", status: 403, code: "forbidden", cause: "42501" }]);
  });

  it("says of a defect what kind of error it was, and not its message", async () => {
    const response = await tried(() => Promise.reject(new RangeError("Jane Doe")));
    expect([response.status, await response.text()]).toEqual([500, expect.not.stringContaining("Jane")]);
    expect(lines).toEqual([
      { ...line, level: "error", status: 500, code: "internal_error", cause: "RangeError" },
    ]);
  });

  it("measures the time", async () => {
    const clock = vi.spyOn(performance, "now").mockReturnValueOnce(1_000).mockReturnValueOnce(1_041.6);
    await tried(async (_, id) => ({ response: success(id, 200, {}, false) }));
    clock.mockRestore();
    expect(lines[0]?.duration_ms).toBe(42);
  });
});

describe("an answer", () => {
  it.each(["POST", "OPTIONS", "GET"])(
    "to %s says itself when it was made: a server may keep a date for a second",
    async (method) => {
      const fetch = traced("dated", "POST", async (_, id) => ({ response: success(id, 200, {}, false) }));
      const before = Math.floor(Date.now() / 1_000) * 1_000;
      const date = Date.parse((await fetch(request(method))).headers.get("date") ?? "");
      expect(date).toBeGreaterThanOrEqual(before);
      expect(date).toBeLessThanOrEqual(Date.now());
    },
  );
});

describe("requests at once", () => {
  /** A function whose requests wait until they are let go. */
  const slow = (limit?: number) => {
    const letGo: (() => void)[] = [];
    const fetch = traced(
      "slow",
      "POST",
      async (_, id) => {
        await new Promise<void>((resolve) => letGo.push(resolve));
        return { response: success(id, 200, {}, false) };
      },
      limit,
    );
    return { letGo, ask: () => fetch(request("POST")), fetch };
  };

  it("beyond the limit are refused at once, and taken again as soon as one is done", async () => {
    const { letGo, ask, fetch } = slow(2);
    const [first, second] = [ask(), ask()];
    const third = await ask();
    expect([third.status, third.headers.get("retry-after")]).toEqual([503, "2"]);
    expect(await third.json()).toEqual(toProblem("unavailable", { retry_after: 2 }));
    expect(lines).toMatchObject([{ level: "error", code: "unavailable", cause: "in_flight" }]);
    expect((await fetch(request("OPTIONS"))).status).toBe(204);
    expect((await fetch(request("GET"))).status).toBe(405);

    letGo[0]?.();
    expect((await first).status).toBe(200);
    const fourth = ask();
    for (const go of letGo) go();
    expect([(await second).status, (await fourth).status]).toEqual([200, 200]);
  });

  it("that fail give their place back", async () => {
    const failing = traced("failing", "POST", () => Promise.reject(new RangeError()), 1);
    expect((await failing(request("POST"))).status).toBe(500);
    expect((await failing(request("POST"))).status).toBe(500);
  });

  it.each([
    ["as the environment says", "3", 3],
    ["100 when it says nothing", "", 100],
    ["100 when it says nonsense", "-1", 100],
  ])("are %s", async (_, named, limit) => {
    vi.stubEnv("HOLDFAST_MAX_IN_FLIGHT", named);
    const { letGo, ask } = slow();
    vi.stubEnv("HOLDFAST_MAX_IN_FLIGHT", "");
    const within = Array.from({ length: limit }, ask);
    expect((await ask()).status).toBe(503);
    for (const go of letGo) go();
    expect((await Promise.all(within)).map(({ status }) => status)).toEqual(within.map(() => 200));
  });
});

describe("a function that reads", () => {
  const reads = traced("reads", "GET, HEAD", async (_, id) => ({ response: success(id, 200, "x", false) }));

  it("answers GET, HEAD without a body, and names both to a preflight", async () => {
    const [got, headed, asked] = [
      await reads(request("GET")),
      await reads(request("HEAD")),
      await reads(request("OPTIONS")),
    ];
    expect([got.status, await got.json()]).toEqual([200, { data: "x" }]);
    expect([headed.status, await headed.text(), headed.headers.get("content-type")]).toEqual([
      200,
      "",
      "application/json",
    ]);
    expect(asked.headers.get("access-control-allow-methods")).toBe("GET, HEAD, OPTIONS");
  });

  it.each(["POST", "PUT", "DELETE"])("refuses %s and says what it allows", async (method) => {
    const response = await reads(request(method));
    expect([response.status, response.headers.get("allow")]).toEqual([405, "GET, HEAD, OPTIONS"]);
  });
});

describe("health", () => {
  const well = { ok: true, version: "20261123000100", checks: [{ name: "writable", ok: true }] };
  let rest: Server;
  let seen: { url: string | undefined; headers: IncomingHttpHeaders }[];
  let answer: { status: number; body: unknown } | "silent";

  beforeAll(async () => {
    rest = createServer((asked, response) => {
      seen.push({ url: asked.url, headers: asked.headers });
      asked.resume();
      if (answer === "silent") return;
      response.writeHead(answer.status, { "content-type": "application/json" });
      response.end(JSON.stringify(answer.body));
    });
    await new Promise<void>((resolve) => rest.listen(0, "127.0.0.1", resolve));
    vi.stubGlobal("WebSocket", WebSocket);
    vi.stubEnv("SUPABASE_URL", `http://127.0.0.1:${(rest.address() as AddressInfo).port}`);
    vi.stubEnv("SUPABASE_PUBLISHABLE_KEYS", JSON.stringify({ default: "sb_publishable_test" }));
  });
  afterAll(() => {
    rest.closeAllConnections();
    rest.close();
  });
  beforeEach(() => {
    seen = [];
    answer = { status: 200, body: well };
  });

  const ask = (path?: string) =>
    health(answer === "silent" ? 150 : 30_000)(request("GET", path, { Authorization: "Bearer x" }));

  it("asks the database as nobody, under the request's id, and passes on what it says", async () => {
    const response = await ask();
    expect([response.status, await response.json()]).toEqual([200, { data: well }]);
    expect(response.headers.get("cache-control")).toBe("no-store");
    expect(seen).toHaveLength(1);
    expect(seen[0]?.url).toBe("/rest/v1/rpc/health");
    expect(seen[0]?.headers).toMatchObject({ "x-request-id": "r1", apikey: "sb_publishable_test" });
    expect(JSON.stringify(seen[0]?.headers)).not.toContain("Bearer x");
  });

  it("asks the database once for all who ask at the same time, and anew afterwards", async () => {
    const asked = health(3_000);
    const crowd = Array.from({ length: 300 }, () => asked(request("GET")));
    expect((await Promise.all(crowd)).filter(({ status }) => status !== 200)).toEqual([]);
    expect(seen).toHaveLength(1);
    answer = { status: 503, body: { code: "PGRST000", message: "no connection" } };
    expect((await asked(request("GET"))).status).toBe(503);
    expect(seen).toHaveLength(2);
  });

  it("is alive without asking anybody", async () => {
    answer = "silent";
    const response = await ask("/health/live");
    expect([response.status, await response.json()]).toEqual([200, { data: { ok: true } }]);
    expect(seen).toEqual([]);
  });

  it.each<[string, typeof answer, string | null]>([
    [
      "cannot serve",
      { status: 200, body: { ...well, ok: false, checks: [{ name: "writable", ok: false }] } },
      "writable",
    ],
    ["does not answer in time", "silent", null],
    ["is not reached", { status: 503, body: { code: "PGRST000", message: "no connection" } }, "PGRST000"],
  ])("is unavailable when the database %s, and says when to ask again", async (_, answered, cause) => {
    answer = answered;
    const response = await ask();
    expect(response.status).toBe(503);
    expect(response.headers.get("retry-after")).toBe("5");
    expect(response.headers.get("cache-control")).toBe("no-store");
    expect(await response.json()).toEqual(toProblem("unavailable", { retry_after: 5 }));
    expect(lines).toMatchObject([{ level: "error", function: "health", code: "unavailable", cause }]);
  });

  it("is a defect of ours when the answer is none", async () => {
    answer = { status: 200, body: { ok: "yes" } };
    expect((await ask()).status).toBe(500);
    expect(lines).toMatchObject([{ code: "internal_error", cause: "ZodError" }]);
  });
});
