import { readFileSync } from "node:fs";
import { afterAll, beforeAll, expect, it } from "vitest";
import { projectPath } from "../stack/paths.ts";
import { type PageServer, servePage } from "./server.ts";

const SECRET = "sb_secret_never";
let page: PageServer;
beforeAll(async () => {
  const stack = { url: "https://api.example", publishableKey: "sb_publishable_x", secretKey: SECRET };
  page = await servePage(stack, 0);
});
afterAll(() => page.stop());

const paths = ["/", "/main.js", "/config.js", "/base.css", "/icon.svg"];

it("sends with each answer, refusals too, what the page may do: its own files and one API", async () => {
  for (const path of [...paths, "/nowhere"]) {
    const { status, headers } = await fetch(page.url + path);
    expect(status).toBe(path === "/nowhere" ? 404 : 200);
    expect(headers.get("content-security-policy")?.split("; ")).toEqual([
      "default-src 'none'",
      "script-src 'self'",
      "style-src 'self'",
      "img-src 'self'",
      "connect-src https://api.example wss://api.example",
      "base-uri 'none'",
      "form-action 'none'",
      "frame-ancestors 'none'",
      "require-trusted-types-for 'script'",
      "trusted-types 'none'",
    ]);
    expect(headers.get("x-content-type-options")).toBe("nosniff");
    expect(headers.get("referrer-policy")).toBe("no-referrer");
    expect(headers.get("cross-origin-opener-policy")).toBe("same-origin");
  }
  expect((await fetch(page.url, { method: "POST" })).status).toBe(405);
});

it("tells the page where the API is, and nothing that its caller knows besides", async () => {
  for (const path of paths) expect(await (await fetch(page.url + path)).text()).not.toContain(SECRET);
  expect(await (await fetch(`${page.url}/config.js`)).text()).toBe(
    'export const url = "https://api.example";\nexport const publishableKey = "sb_publishable_x";',
  );
});

it("serves every file that the document names, and nothing above it", async () => {
  const document = readFileSync(projectPath("src", "page", "index.html"), "utf8");
  const named = [...document.matchAll(/(?:href|src)="(\/[^"]+)"/g)].map(([, path]) => path ?? "");
  expect(named.length).toBeGreaterThan(4);
  for (const path of named) expect((await fetch(page.url + path)).status, path).toBe(200);
  for (const path of ["/main.ts", "/%2e%2e/package.json", "/__proto__"]) {
    expect((await fetch(page.url + path)).status, path).toBe(404);
  }
});
