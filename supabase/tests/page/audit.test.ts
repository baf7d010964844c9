import { beforeAll, describe, expect, it } from "vitest";
import { offsetMinutes } from "../../../src/lib/timezone.ts";
import { addDays } from "../../../src/page/clock.ts";
import { call, holdBody } from "../support/calls.ts";
import { TIME_ZONE } from "../support/clinic.ts";
import {
  bookRosa,
  clock,
  createNamedClinic,
  expectUsable,
  MONDAY,
  type NamedClinic,
  seen,
  usePage,
} from "../support/page.ts";
import { sql } from "../support/stack.ts";

const { visit } = usePage();

let clinic: NamedClinic;
beforeAll(async () => {
  clinic = await createNamedClinic();
  const day = addDays(MONDAY, 2);
  await bookRosa(clinic, day, "10:00");
  const start = clock.instantOf(day, "10:00");
  const offset = offsetMinutes(start, TIME_ZONE);
  const taken = {
    start_time: start.toISOString(),
    end_time: new Date(start.getTime() + 3_600_000).toISOString(),
    start_time_offset_minutes: offset,
    end_time_offset_minutes: offset,
  };
  const refused = await call("sessions-hold", clinic.rosa.user, holdBody(clinic, taken));
  expect(refused.status).toBe(409);
});

describe("the audit view", () => {
  it("shows an admin what happened in words, by the clinic's clock, and alone what was denied", async () => {
    const { page } = await visit(clinic.admin);
    await page.getByRole("link", { name: "Audit" }).click();
    const lines = page.locator("tbody tr");
    await lines.first().waitFor();
    const [event] = await sql`
      select occurred_at from audit.events where organization_id = ${clinic.id} and decision = 'deny'`;
    const when = clock.moment(event?.occurred_at.toISOString());
    const denied = lines.filter({ hasText: "Tried: Hold sessions" });
    expect((await seen(denied)).split(/\s*\t\s*/)).toEqual([
      when,
      "Tried: Hold sessions",
      clinic.names.rosa,
      "The therapist's time is taken",
    ]);
    expect(await seen(lines.filter({ hasText: "A session was booked" }))).toMatch(/The system\s+Allowed/);

    await page.getByRole("button", { name: "Denied access" }).click();
    await lines.filter({ hasText: "Allowed" }).first().waitFor({ state: "detached" });
    expect(await lines.count()).toBe(1);
    await expectUsable(page);
    expect(await page.getByRole("button", { name: "Denied access" }).getAttribute("aria-pressed")).toBe(
      "true",
    );
  });

  it("reads older events on demand, each once", async () => {
    await sql`
      insert into audit.events (organization_id, action, decision, table_name)
      select ${clinic.id}, 'client.archived', 'allow', 'clients' from generate_series(1, 60)`;
    const { page } = await visit(clinic.admin);
    await page.getByRole("link", { name: "Audit" }).click();
    const lines = page.locator("tbody tr");
    await lines.nth(49).waitFor();
    expect(await lines.count()).toBe(50);
    await page.getByRole("button", { name: "Older events" }).click();
    await lines.nth(60).waitFor();
    expect(await lines.filter({ hasText: "A client was archived" }).count()).toBe(60);
    expect(await lines.filter({ hasText: "Tried: Hold sessions" }).count()).toBe(1);
  });

  it("is not there for a therapist, by link or by address", async () => {
    const { page } = await visit(clinic.rosa.user);
    expect(await page.getByRole("link", { name: "Audit" }).count()).toBe(0);
    await page.evaluate(() => {
      location.hash = "#audit";
    });
    await page.getByRole("heading", { name: clinic.names.rosa }).waitFor();
    expect(await page.locator("table").count()).toBe(0);
  });
});
