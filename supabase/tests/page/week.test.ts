import { beforeEach, describe, expect, it } from "vitest";
import { createHoldfast } from "../../../src/lib/index.ts";
import { addDays } from "../../../src/page/clock.ts";
import {
  announced,
  bookRosa,
  clock,
  createNamedClinic,
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

describe("a therapist's week", () => {
  it("shows days and times as the clinic's clock does, whatever the browser's zone", async () => {
    const id = await bookRosa(clinic, TUESDAY, "17:30");
    const { page } = await visit(clinic.rosa.user);
    await turnToNextWeek(page);
    const day = page.locator(".day").nth(1);
    await day.locator(`#session-${id}`).waitFor();
    // 17:30 in Los Angeles is the next morning in Tokyo.
    expect(await seen(day)).toMatch(/5:30\s–\s7:30\sPM\nClient Aspen\nDirect therapy/);
    expect(await seen(page.locator("#zone"))).toMatch(/America\/Los Angeles, P[SD]T$/);
    expect(await page.getByRole("button", { name: clinic.names.aspen }).count()).toBe(1);
  });

  it("is chosen by who books for everybody, and is their own for a therapist", async () => {
    const id = await bookRosa(clinic, TUESDAY, "10:00");
    const own = await visit(clinic.theo.user);
    expect(await own.page.getByLabel("Whose week").count()).toBe(0);
    await turnToNextWeek(own.page);
    expect(await own.page.locator(".entry").count()).toBe(0);

    const { page } = await visit(clinic.scheduler);
    await turnToNextWeek(page);
    await page.getByLabel("Whose week").selectOption({ label: clinic.names.theo });
    await page.getByRole("heading", { name: clinic.names.theo }).waitFor();
    await page.getByLabel("Whose week").selectOption({ label: clinic.names.rosa });
    await page.locator(`#session-${id}`).waitFor();
  });
});

describe("another user's change", () => {
  it("arrives at who runs the schedule, in whichever week they look at", async () => {
    const { page } = await visit(clinic.scheduler);
    await page.getByLabel("Whose week").selectOption({ label: clinic.names.rosa });
    await turnToNextWeek(page);
    await page.locator(".live.on").waitFor();
    // More than one: the first may be seen by the reading that follows upon being live.
    for (const at of ["08:00", "10:00", "12:00"]) {
      const id = await bookRosa(clinic, TUESDAY, at);
      await page.locator(`#session-${id}`).waitFor();
    }
  });

  it("arrives by itself: held, booked and cancelled by the scheduler, seen by the therapist", async () => {
    const { page } = await visit(clinic.rosa.user);
    await turnToNextWeek(page);
    await page.locator(".live.on").waitFor();
    const shown = page.locator(`#book-${TUESDAY}`);
    await shown.focus();

    const holdfast = createHoldfast(await clinic.scheduler.client());
    const { holdKey } = await holdfast.sessions.requestSessionHold({
      therapistId: clinic.rosa.id,
      clientId: clinic.aspen,
      serviceCode: "97153",
      timeZone: clock.zone,
      startTime: clock.instantOf(TUESDAY, "13:00"),
      endTime: clock.instantOf(TUESDAY, "15:00"),
    });
    await page.locator(".entry.hold").waitFor();
    await page.locator(".entry.hold").click();
    expect(await seen(page.getByRole("dialog"))).toContain("Somebody is booking this time");
    await page.keyboard.press("Escape");
    // Once it is gone, the focus is back where it came from.
    await page.getByRole("dialog").waitFor({ state: "detached" });
    await shown.focus();
    const { session } = await holdfast.sessions.confirmSessionBooking({ holdKey });
    await page.locator(`#session-${session.id}`).waitFor();
    await holdfast.sessions.cancelSessions({ sessionIds: [session.id], cancelledBy: "clinic" });
    await page.locator(`#session-${session.id}`).waitFor({ state: "detached" });
    // Whoever works with the keyboard stays where they were.
    expect(await focused(page)).toBe(`book-${TUESDAY}`);
  });
});

describe("a session", () => {
  it("is cancelled from its dialog; its time is free at once", async () => {
    const id = await bookRosa(clinic, TUESDAY, "10:00");
    const { page } = await visit(clinic.scheduler);
    await page.getByLabel("Whose week").selectOption({ label: clinic.names.rosa });
    await turnToNextWeek(page);
    await page.locator(`#session-${id}`).click();
    await page.getByText("Cancel…").click();
    expect(await page.getByLabel("Who cancels").inputValue()).toBe("clinic");
    await page.getByLabel("Who cancels").selectOption("client");
    await page.getByRole("button", { name: "Cancel this session" }).click();
    await page.locator(`#session-${id}`).waitFor({ state: "detached" });
    await page.locator("dialog").waitFor({ state: "detached" });
    expect(await announced(page)).toBe("Cancelled.");
    expect(await focused(page)).toBe(`book-${TUESDAY}`);
    const [row] = await sql`select status, cancelled_by from public.sessions where id = ${id}`;
    expect(row).toEqual({ status: "cancelled", cancelled_by: "client" });
    await expectLedgerIsSound();
  });
});
