// What the page says and offers while the backend cannot be reached, and what it draws once it can.

import type { Page, WebSocketRoute } from "playwright-core";
import { beforeEach, describe, expect, it } from "vitest";
import { addDays } from "../../../src/page/clock.ts";
import { PASSWORD } from "../support/clinic.ts";
import {
  announced,
  bookRosa,
  createNamedClinic,
  expectUsable,
  MONDAY,
  type NamedClinic,
  seen,
  signIn,
  turnToNextWeek,
  usePage,
} from "../support/page.ts";
import { sql, stack } from "../support/stack.ts";

const { visit } = usePage();
const PHONE = { viewport: { width: 375, height: 740 } };

let clinic: NamedClinic;
beforeEach(async () => {
  clinic = await createNamedClinic();
});

/** Lets a read fail until the returned function is called. */
async function failing(page: Page, read: string): Promise<() => Promise<void>> {
  const address = new RegExp(`/rest/v1/${read}(\\?|$)`);
  await page.route(address, (route) => route.fulfill({ status: 500, json: { message: "No." } }));
  return () => page.unroute(address);
}

const focused = (page: Page, id: string) =>
  page.waitForFunction((id) => document.activeElement?.id === id, id);

it("a live connection that breaks is said, and again when it is back with what happened meanwhile", async () => {
  const { page } = await visit(null, PHONE);
  let isBroken = false;
  const connections: WebSocketRoute[] = [];
  await page.routeWebSocket(/\/realtime\//, (connection) => {
    if (isBroken) connection.close({ code: 3001 });
    else connections.push(connection, connection.connectToServer());
  });
  await page.reload();
  await signIn(page, clinic.rosa.user.email, PASSWORD);
  await turnToNextWeek(page);
  await page.locator(".live.on").waitFor();
  // The week that was turned to is said once it is drawn: what follows must be the news.
  await expect.poll(() => announced(page), { timeout: 20_000 }).toMatch(/\d{4}$/);
  isBroken = true;
  for (const connection of connections) await connection.close({ code: 3001 });
  await page.getByText("Not live: the connection broke").first().waitFor();
  await page.locator(".live.on").waitFor({ state: "detached" });
  expect(await seen(page.locator("#live"))).toMatch(/^Not live/);
  expect(await announced(page)).toMatch(/^Not live/);
  await expectUsable(page);

  const id = await bookRosa(clinic, addDays(MONDAY, 1), "10:00");
  isBroken = false;
  await page.locator(".live.on").waitFor();
  expect(await announced(page)).toMatch(/^Live/);
  await page.locator(`#session-${id}`).waitFor();
});

describe("what could not be read", () => {
  it("is read again by a button: who one is, whose weeks there are, a week", async () => {
    const { page } = await visit(null, PHONE);
    const mends = [];
    for (const read of ["user_roles", "therapists", "sessions"]) mends.push(await failing(page, read));
    await signIn(page, clinic.rosa.user.email, PASSWORD);
    const again = page.getByRole("button", { name: "Try again" });
    for (const mend of mends) {
      await again.waitFor();
      await expectUsable(page);
      const before = await again.elementHandle();
      await again.press("Enter");
      await page.waitForFunction((button) => !button?.isConnected, before);
      // It fails still: who pressed the button is where they were.
      await focused(page, "read-again");
      await mend();
      const last = await again.elementHandle();
      await again.press("Enter");
      await page.waitForFunction((button) => !button?.isConnected, last);
    }
    await page.locator(".day").first().waitFor();
    expect(await page.getByRole("alert").count()).toBe(0);
    await focused(page, "main");
  });

  it("leaves the events that were read before it, and goes on after them", async () => {
    await sql`
      insert into audit.events (organization_id, action)
      select ${clinic.id}, 'hold.created' from generate_series(1, 60)`;
    const { page } = await visit(clinic.admin);
    await page.getByRole("link", { name: "Audit" }).click();
    const lines = page.locator("tbody tr");
    await lines.nth(49).waitFor();
    const mend = await failing(page, "rpc/list_audit_events");
    await page.getByRole("button", { name: "Older events" }).click();
    await page.getByRole("alert").waitFor();
    expect(await lines.count()).toBe(50);
    await expectUsable(page);
    await mend();
    await page.getByRole("button", { name: "Try again" }).click();
    await lines.nth(59).waitFor();
    expect(await page.getByRole("alert").count()).toBe(0);
  });
});

it("what is read for somebody who has signed out meanwhile is not drawn", async () => {
  const { page } = await visit(clinic.rosa.user);
  let answer = () => {};
  const answered = new Promise<void>((resolve) => {
    answer = resolve;
  });
  await page.route(/\/rest\/v1\/user_roles\?/, async (route) => {
    await answered;
    await route.continue();
  });
  const asked = page.waitForRequest(/\/rest\/v1\/user_roles\?/);
  await page.reload();
  await asked;
  // The session ends: supabase-js finds it to be none when the page is looked at again.
  await page.evaluate(() => {
    const [key = ""] = Object.keys(sessionStorage);
    sessionStorage.setItem(key, "{}");
    document.dispatchEvent(new Event("visibilitychange", { bubbles: true }));
  });
  await page.getByLabel("Password").waitFor();
  const last = page.waitForResponse(/\/rest\/v1\/organizations\?/);
  answer();
  await (await last).finished();
  // What the page asks for later is answered later: by then it has drawn what it would.
  await page.evaluate(async (url) => (await fetch(url, { mode: "no-cors" })).text(), stack.url);
  expect(await page.getByLabel("Password").count()).toBe(1);
  expect(await page.getByRole("alert").count()).toBe(0);
});
