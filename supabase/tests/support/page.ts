// The page in a browser: who visits it, what it asked for, and what must hold in every state of it.

import { readFileSync } from "node:fs";
import { join } from "node:path";
import type { AxeResults } from "axe-core";
import type { Browser, BrowserContextOptions, Locator, Page } from "playwright-core";
import { afterAll, beforeAll, expect } from "vitest";
import { type PageServer, servePage } from "../../../scripts/page/server.ts";
import { packageDir } from "../../../scripts/stack/paths.ts";
import { addDays, clockOf, mondayOf } from "../../../src/page/clock.ts";
import { launchBrowser } from "./browser.ts";
import { type Clinic, createClinic, PASSWORD, TIME_ZONE, type User } from "./clinic.ts";
import { sql, stack } from "./stack.ts";

/** How the clinic tells the time. */
export const clock = clockOf(TIME_ZONE);
/** Monday of the week after this one: whatever day it is, nothing in it has begun. */
export const MONDAY = addDays(mondayOf(clock.dayOf(new Date())), 7);

export interface Visit {
  page: Page;
  /** Every address that was asked for. */
  requests: string[];
  /** What the content security policy refused, and what was thrown and not caught. */
  faults: string[];
}

const axe = readFileSync(join(packageDir("axe-core"), "axe.min.js"), "utf8");

/** Serves the page to one browser for the tests of a file. A browser as far from the clinic as there is. */
export function usePage() {
  let server: PageServer;
  let browser: Browser;
  beforeAll(async () => {
    [server, browser] = await Promise.all([servePage(stack, 0), launchBrowser()]);
  });
  afterAll(async () => {
    await browser?.close();
    await server?.stop();
  });

  /** Opens the page in a browser of its own; with a user, signed in by its form. */
  async function visit(user: User | null, options: BrowserContextOptions = {}): Promise<Visit> {
    const context = await browser.newContext({ locale: "ja-JP", timezoneId: "Asia/Tokyo", ...options });
    context.setDefaultTimeout(20_000);
    const page = await context.newPage();
    const visit: Visit = { page, requests: [], faults: [] };
    page.on("request", (request) => visit.requests.push(request.url()));
    page.on("pageerror", (error) => visit.faults.push(error.message));
    page.on("console", (message) => {
      if (/Content Security Policy|Trusted|Refused/.test(message.text())) visit.faults.push(message.text());
    });
    await page.goto(server.url);
    await page.getByRole("heading", { name: "Holdfast" }).waitFor();
    if (user) await signIn(page, user.email, PASSWORD);
    if (user) await page.getByRole("button", { name: "Sign out" }).waitFor();
    return visit;
  }
  return { visit, url: () => server.url };
}

export async function signIn(page: Page, email: string, password: string): Promise<void> {
  await page.getByLabel("E-mail").fill(email);
  await page.getByLabel("Password").fill(password);
  await page.getByRole("button", { name: "Sign in" }).click();
}

/** Turns to the week that the tests book in. */
export async function turnToNextWeek(page: Page): Promise<void> {
  await page.getByRole("button", { name: "Next week" }).click();
  await page.locator(`#book-${MONDAY}, #week-title:has-text("${weekTitleStart()}")`).first().waitFor();
}

function weekTitleStart(): string {
  return new Intl.DateTimeFormat("en-US", { timeZone: "UTC", month: "long", day: "numeric" }).format(
    new Date(MONDAY),
  );
}

/** A state of the page that everybody can use: nothing for axe to find, and nothing beside the screen. */
export async function expectUsable(page: Page): Promise<void> {
  // What moves in is seen through while it does, and axe would measure that.
  // An animation whose element was drawn anew meanwhile is over too.
  await page.evaluate(() => Promise.allSettled(document.getAnimations().map(({ finished }) => finished)));
  await page.evaluate(axe);
  const { violations } = await page.evaluate(() =>
    (globalThis as unknown as { axe: { run(): Promise<AxeResults> } }).axe.run(),
  );
  expect(violations.map(({ id, nodes }) => [id, nodes.map(({ html }) => html)])).toEqual([]);
  const { scrollWidth, clientWidth } = await page.evaluate(() => {
    const { scrollWidth, clientWidth } = document.documentElement;
    return { scrollWidth, clientWidth };
  });
  expect(scrollWidth).toBeLessThanOrEqual(clientWidth);
}

/** What was said to who does not see the page. */
export function announced(page: Page): Promise<string> {
  return seen(page.locator("#announcements"));
}

/** The id of what has the focus: asked in one step, since news from elsewhere may draw the week anew at any moment. */
export function focused(page: Page): Promise<string | undefined> {
  return page.evaluate(() => document.activeElement?.id);
}

/** The text of what is found, as it is shown. */
export async function seen(found: Locator): Promise<string> {
  return (await found.allInnerTexts()).join("\n");
}

export interface NamedClinic extends Clinic {
  names: { rosa: string; theo: string; aspen: string; birch: string };
}

/** A clinic whose people can be told apart on the page. */
export async function createNamedClinic(): Promise<NamedClinic> {
  const clinic = await createClinic();
  const names = { rosa: "Rosa Rowan", theo: "Theo Thorn", aspen: "Client Aspen", birch: "Client Birch" };
  for (const therapist of ["rosa", "theo"] as const) {
    await sql`update public.therapists set display_name = ${names[therapist]} where id = ${clinic[therapist].id}`;
  }
  for (const client of ["aspen", "birch"] as const) {
    await sql`update public.clients set full_name = ${names[client]} where id = ${clinic[client]}`;
  }
  return { ...clinic, names };
}

/** A session of Rosa's with Aspen on a day of the week that the tests book in, two hours from a wall-clock time on. */
export async function bookRosa(clinic: Clinic, day: string, at: string): Promise<string> {
  const start = clock.instantOf(day, at);
  const [session] = await sql<{ id: string }[]>`
    insert into public.sessions (organization_id, therapist_id, client_id, service_id, start_time, end_time, time_zone, place_of_service)
    select ${clinic.id}, ${clinic.rosa.id}, ${clinic.aspen}, service.id, ${start}, ${new Date(start.getTime() + 7_200_000)}, ${TIME_ZONE}, '12'
    from public.services service
    where service.organization_id = ${clinic.id} and service.service_code = '97153'
    returning id`;
  if (!session) throw new Error("not booked");
  return session.id;
}
