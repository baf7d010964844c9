import type { Page } from "playwright-core";
import { beforeEach, describe, expect, it } from "vitest";
import { addDays } from "../../../src/page/clock.ts";
import {
  announced,
  bookRosa,
  clock,
  createNamedClinic,
  expectUsable,
  focused,
  MONDAY,
  type NamedClinic,
  seen,
  turnToNextWeek,
  usePage,
} from "../support/page.ts";
import { expectLedgerIsSound, sql } from "../support/stack.ts";

const { visit } = usePage();
const TUESDAY = addDays(MONDAY, 1);

let clinic: NamedClinic;
beforeEach(async () => {
  clinic = await createNamedClinic();
});

/** From the week to the form for Tuesday. */
async function openForm(page: Page): Promise<void> {
  await turnToNextWeek(page);
  await page.locator(`#book-${TUESDAY}`).click();
  await page.getByLabel("Client").selectOption({ label: clinic.names.aspen });
}

async function hold(page: Page, at: string): Promise<void> {
  await page.getByLabel("Starts").fill(at);
  await page.getByRole("button", { name: "Hold this time" }).click();
}

const sessionsOf = () =>
  sql`select status, start_time from public.sessions where organization_id = ${clinic.id} order by start_time`;
const liveHolds = () =>
  sql`select start_time from public.session_holds where organization_id = ${clinic.id} and status = 'held'`;

describe("booking", () => {
  it("holds a time, counts down by the server's clock, and confirms", async () => {
    const { page } = await visit(clinic.rosa.user);
    await openForm(page);
    // Not before: while it is installed the page's clock stands at 1970 for a moment, and a week read then is that one's.
    await page.clock.install();
    await hold(page, "09:00");
    const timer = page.getByRole("timer");
    await timer.waitFor();
    expect(await announced(page)).toMatch(/^Held: Client Aspen, Tue, .* to confirm\.$/);
    expect(await seen(timer)).toMatch(/^(5:00|4:5\d)$/);
    await page.clock.fastForward(120_000);
    expect(await seen(timer)).toMatch(/^(3:00|2:5\d)$/);
    expect(await liveHolds()).toHaveLength(1);

    await page.getByRole("button", { name: "Confirm booking" }).click();
    const booked = page.locator(".entry.session");
    await booked.waitFor();
    await page.locator("dialog").waitFor({ state: "detached" });
    expect(await announced(page)).toBe("Booked.");
    expect(await focused(page)).toBe(await booked.getAttribute("id"));
    expect([...(await sessionsOf())]).toEqual([
      { status: "scheduled", start_time: clock.instantOf(TUESDAY, "09:00") },
    ]);
    await expectLedgerIsSound();
  });

  it("offers the nearest open times when the time is taken; one click takes one", async () => {
    await bookRosa(clinic, TUESDAY, "10:00");
    const { page } = await visit(clinic.rosa.user);
    await openForm(page);
    await hold(page, "11:00");
    const alert = page.getByRole("alert");
    await alert.waitFor();
    expect(await seen(alert)).toContain("The therapist's time is taken");
    const offer = page.getByRole("list", { name: "Open times" }).getByRole("button").first();
    const words = await seen(offer);
    expect(words).toMatch(/Tue, .*(12:00|8:00)/);
    await offer.click();
    await page.getByRole("timer").waitFor();
    expect(await seen(page.getByRole("dialog"))).toContain(words);
    await page.getByRole("button", { name: "Confirm booking" }).click();
    await page.locator(".entry.session").nth(1).waitFor();
    expect(await sessionsOf()).toHaveLength(2);
    await expectLedgerIsSound();
  });

  it("says until when somebody holds the time, and goes back to what was chosen", async () => {
    const rosa = await visit(clinic.rosa.user);
    await openForm(rosa.page);
    await hold(rosa.page, "10:00");
    await rosa.page.getByRole("timer").waitFor();
    const { page } = await visit(clinic.scheduler);
    await page.getByLabel("Whose week").selectOption({ label: clinic.names.rosa });
    await openForm(page);
    await page.getByLabel("Length").selectOption("60");
    await hold(page, "10:30");
    await page.getByRole("alert").waitFor();
    expect(await seen(page.getByRole("dialog"))).toMatch(
      /deciding on it, until \d+:\d\d [AP]M at the latest/,
    );
    await page.getByRole("button", { name: "Choose another time" }).click();
    expect(await page.getByLabel("Starts").inputValue()).toBe("10:30");
    expect(await page.getByLabel("Length").inputValue()).toBe("60");
  });

  it("is offered from today on, and says of a time that is over what is wrong with it", async () => {
    const { page } = await visit(clinic.rosa.user);
    await openForm(page);
    await page.locator("input[name=day]").evaluate((day: HTMLInputElement) => {
      day.min = "";
      day.value = "2026-01-05";
    });
    await hold(page, "09:00");
    await page.getByRole("alert").waitFor();
    expect(await seen(page.getByRole("alert"))).toContain("Start time: The start is in the past.");
    await page.keyboard.press("Escape");
    await page.getByRole("button", { name: "Today: this week" }).click();
    await page.getByRole("button", { name: "Previous week" }).click();
    await page.locator(".add").first().waitFor({ state: "detached" });
  });

  it("gives the time back when the dialog is closed, and says so", async () => {
    const { page } = await visit(clinic.rosa.user);
    await openForm(page);
    await hold(page, "09:00");
    await page.locator(".entry.hold").waitFor();
    await page.keyboard.press("Escape");
    await page.locator(".entry.hold").waitFor({ state: "detached" });
    expect(await announced(page)).toBe("The time is open again.");
    expect(await liveHolds()).toEqual([]);
    expect(await focused(page)).toBe(`book-${TUESDAY}`);
  });

  it("says that a hold has run out, by the countdown, and holds again on demand", async () => {
    const { page } = await visit(clinic.rosa.user);
    await openForm(page);
    // Not before: while it is installed the page's clock stands at 1970 for a moment, and a week read then is that one's.
    await page.clock.install();
    await hold(page, "09:00");
    await page.getByRole("timer").waitFor();
    await page.clock.fastForward(302_000);
    await page.getByRole("heading", { name: "The hold has expired" }).waitFor();
    expect(await seen(page.getByRole("alert"))).toContain("Nothing was booked");
    await expectUsable(page);
    // The server's clock has not moved: there, the time comes free now.
    await sql`update public.session_holds set status = 'released' where organization_id = ${clinic.id}`;
    await page.getByRole("button", { name: "Hold it again" }).click();
    await page.getByRole("timer").waitFor();
    expect(await liveHolds()).toHaveLength(1);
  });

  it("says that a hold has run out when the server says so at confirming", async () => {
    const { page } = await visit(clinic.rosa.user);
    await openForm(page);
    await hold(page, "09:00");
    await page.getByRole("timer").waitFor();
    await sql`update public.session_holds set expires_at = now() - interval '1 second' where organization_id = ${clinic.id}`;
    await page.getByRole("button", { name: "Confirm booking" }).click();
    await page.getByRole("heading", { name: "The hold has expired" }).waitFor();
    expect(await sessionsOf()).toEqual([]);
  });

  it("goes on with a hold that outlived the page", async () => {
    const { page } = await visit(clinic.rosa.user);
    await openForm(page);
    await hold(page, "09:00");
    await page.locator(".entry.hold").waitFor();
    await page.reload();
    await turnToNextWeek(page);
    await page.locator(".entry.hold").click();
    await page.getByRole("timer").waitFor();
    await page.getByRole("button", { name: "Confirm booking" }).click();
    await page.locator(".entry.session").waitFor();
    expect(await sessionsOf()).toHaveLength(1);
  });

  /** Clients that the scheduler sees, named after a word of their own. */
  const addClients = (name: string, number: number, status: string) => sql`
    insert into public.clients (organization_id, full_name, status)
    select ${clinic.id}, ${name} || ' ' || lpad(n::text, 3, '0'), ${status} from generate_series(1, ${number}) n`;
  const namesRead = async () => {
    const [read] = await sql`
      select count(*)::int as number from audit.events
      where organization_id = ${clinic.id} and action = 'client.read'`;
    return read?.number;
  };

  it("offers each active client, however many were archived, and reads no other name", async () => {
    await addClients("Archived", 120, "archived");
    const { page } = await visit(clinic.scheduler);
    await page.getByLabel("Whose week").selectOption({ label: clinic.names.rosa });
    await openForm(page);
    expect(await seen(page.getByLabel("Client").locator("option"))).toBe(
      "A client\nClient Aspen\nClient Birch",
    );
    expect(await namesRead()).toBe(3);
  });

  it("searches clients by how a name begins where they are many, with the keyboard, and reads only those names", async () => {
    await addClients("Many Maple", 100, "active");
    await addClients("Aspen Archived", 30, "archived");
    const { page } = await visit(clinic.scheduler);
    await page.getByLabel("Whose week").selectOption({ label: clinic.names.rosa });
    await turnToNextWeek(page);
    await page.locator(`#book-${TUESDAY}`).click();
    const search = page.getByRole("searchbox");
    await search.waitFor();
    expect(await namesRead()).toBe(0);
    await expectUsable(page);
    const status = page.getByRole("dialog").getByRole("status");
    const find = async (words: string, told: string) => {
      await search.fill(words);
      await search.press("Enter");
      await status.filter({ hasText: told }).waitFor();
    };
    await find("nob", "Nobody found");
    await page.getByRole("button", { name: "Hold this time" }).click();
    expect(await liveHolds()).toEqual([]);
    await find("map", "25 clients found: choose one. There are more");
    await expectUsable(page);
    expect(await page.locator("select[name=client]").inputValue()).toBe("");
    await find("asp", "1 client found.");
    expect(await namesRead()).toBe(25 + 31);
    await page.keyboard.press("Tab");
    await page.keyboard.press("Tab");
    expect(
      await page.evaluate(() => (document.activeElement as HTMLSelectElement).selectedOptions[0]?.text),
    ).toBe(clinic.names.aspen);
    await hold(page, "09:00");
    await page.getByRole("timer").waitFor();
    expect(await announced(page)).toMatch(/^Held: Client Aspen, Tue/);
  });

  it("is done with the keyboard alone", async () => {
    const { page } = await visit(clinic.rosa.user);
    const tabTo = async (name: string) => {
      for (let step = 0; step < 40; step++) {
        await page.keyboard.press("Tab");
        const focused = await page.evaluate(() => {
          const element = document.activeElement as HTMLInputElement | null;
          return [element?.ariaLabel, element?.textContent, element?.labels?.[0]?.textContent];
        });
        if (focused.some((text) => text?.startsWith(name))) return;
      }
      throw new Error(`Tab never reaches ${name}`);
    };
    await page.locator(".week-grid").waitFor();
    await tabTo("Next week");
    await page.keyboard.press("Enter");
    await page.locator(`#book-${TUESDAY}`).waitFor();
    await tabTo("Book on Tuesday");
    await page.keyboard.press("Enter");
    await page.getByLabel("Client").waitFor();
    await tabTo("Client");
    await page.keyboard.type(clinic.names.birch);
    await tabTo("Starts");
    await tabTo("Hold this time");
    await page.keyboard.press("Space");
    await page.getByRole("timer").waitFor();
    await tabTo("Confirm booking");
    await page.keyboard.press("Enter");
    await page.locator("dialog").waitFor({ state: "detached" });
    expect(await page.evaluate(() => document.activeElement?.textContent)).toContain(clinic.names.birch);
    expect(await sessionsOf()).toHaveLength(1);
  });
});
