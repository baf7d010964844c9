import { beforeAll, describe, expect, it } from "vitest";
import { addDays } from "../../../src/page/clock.ts";
import { createClinic, createUser, PASSWORD } from "../support/clinic.ts";
import {
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

const { visit, url } = usePage();
const TUESDAY = addDays(MONDAY, 1);
const PHONE = { viewport: { width: 375, height: 740 }, colorScheme: "dark" } as const;

let clinic: NamedClinic;
let session: string;
beforeAll(async () => {
  clinic = await createNamedClinic();
  session = await bookRosa(clinic, TUESDAY, "10:00");
});

describe("signing in", () => {
  it("refuses a wrong password in words, and goes on with the right one", async () => {
    const { page } = await visit(null);
    await signIn(page, clinic.rosa.user.email, "not the password");
    await page.getByRole("alert").waitFor();
    expect(await seen(page.getByRole("alert"))).toBe("E-mail and password do not match. Try again.");
    expect(await page.evaluate(() => (document.activeElement as HTMLInputElement).name)).toBe("password");
    await expectUsable(page);
    await page.keyboard.type(PASSWORD);
    await page.keyboard.press("Enter");
    await page.getByRole("heading", { name: clinic.names.rosa }).waitFor();
    await page.getByRole("button", { name: "Sign out" }).click();
    await page.getByLabel("Password").waitFor();
    expect(await page.getByText(clinic.names.rosa).count()).toBe(0);
  });

  it("is of one tab: who signs in and out in another changes nothing here", async () => {
    const { page } = await visit(clinic.rosa.user);
    const other = await page.context().newPage();
    await other.goto(url());
    await signIn(other, clinic.theo.user.email, PASSWORD);
    await other.getByRole("heading", { name: clinic.names.theo }).waitFor();
    // What tabs tell each other arrives in order: after this, all of it has.
    await page.evaluate(() => {
      const tabs = new BroadcastChannel("test");
      tabs.onmessage = () => document.body.append("All is told.");
    });
    await other.getByRole("button", { name: "Sign out" }).click();
    await other.getByLabel("Password").waitFor();
    await other.evaluate(() => new BroadcastChannel("test").postMessage("end"));
    await page.getByText("All is told.").waitFor();
    await turnToNextWeek(page);
    await page.getByRole("heading", { name: clinic.names.rosa }).waitFor();
    await page.getByRole("button", { name: "Sign out" }).click();
    await page.getByLabel("Password").waitFor();
    expect(await page.evaluate(() => JSON.stringify({ ...sessionStorage }))).not.toContain("access_token");
  });

  it("says that the clinic asks for a second factor", async () => {
    const strict = await createClinic();
    await sql`update public.organizations set requires_mfa = true where id = ${strict.id}`;
    const { page } = await visit(strict.rosa.user);
    expect(await seen(page.getByRole("alert"))).toContain("second factor");
    await expectUsable(page);
  });

  it("says that somebody has no role", async () => {
    const { page } = await visit(await createUser());
    expect(await seen(page.getByRole("alert"))).toContain("no role");
  });
});

describe("every view", () => {
  it.each([
    ["at a desk, light", { colorScheme: "light" }],
    ["on a phone, dark", PHONE],
  ] as const)("is accessible and has nothing beside the screen: %s", async (_where, options) => {
    const out = await visit(null, options);
    await expectUsable(out.page);

    const { page } = await visit(clinic.rosa.user, options);
    await turnToNextWeek(page);
    await page.locator(`#session-${session}`).waitFor();
    await expectUsable(page);
    await page.locator(`#session-${session}`).click();
    await page.getByText("Cancel…").click();
    await expectUsable(page);
    await page.getByRole("button", { name: "Close" }).click();
    await page.locator(`#book-${TUESDAY}`).click();
    await page.getByLabel("Client").waitFor();
    await expectUsable(page);
    await page.getByLabel("Starts").fill("11:00");
    await page.getByRole("button", { name: "Hold this time" }).click();
    await page.getByRole("alert").waitFor();
    await expectUsable(page);
    await page.locator(".offer").first().click();
    await page.getByRole("timer").waitFor();
    await expectUsable(page);
    await page.keyboard.press("Escape");
    await page.locator(".entry.hold").waitFor({ state: "detached" });

    const { page: admin } = await visit(clinic.admin, options);
    await admin.getByRole("link", { name: "Audit" }).click();
    await admin.locator("tbody tr").first().waitFor();
    await expectUsable(admin);
  });
});

describe("a family", () => {
  it("sees when its child's sessions are, and changes nothing", async () => {
    const parent = await createUser("client" as never, clinic.id);
    await sql`
      insert into public.client_guardians (organization_id, client_id, user_id, relationship, starts_on)
      values (${clinic.id}, ${clinic.aspen}, ${parent.id}, 'parent', current_date - 30)`;
    const { page } = await visit(parent);
    await page.getByRole("heading", { name: "Appointments" }).waitFor();
    expect(await seen(page.getByRole("listitem"))).toMatch(
      /Tue, .*10:00\sAM\s–\s12:00\sPM\s+Direct therapy with Rosa Rowan\s+Scheduled/,
    );
    expect(await page.getByRole("button").allInnerTexts()).toEqual(["Sign out"]);
    await expectUsable(page);
  });
});

describe("what the page may do", () => {
  it("reaches its own origin and the API, keeps nothing but the session, and puts no name into an address", async () => {
    const { page, requests, faults } = await visit(clinic.rosa.user);
    await turnToNextWeek(page);
    await page.locator(`#session-${session}`).click();
    await page.getByRole("dialog").waitFor();
    expect(new Set(requests.map((request) => new URL(request).origin))).toEqual(new Set([url(), stack.url]));
    const stored = await page.evaluate(() => ({
      local: Object.keys(localStorage),
      session: Object.keys(sessionStorage),
      values: Object.values(sessionStorage).join(),
      cookies: document.cookie,
      address: location.href,
    }));
    expect(stored).toMatchObject({ local: [], cookies: "", address: `${url()}/` });
    expect(stored.session).toEqual([expect.stringMatching(/^holdfast-auth-/)]);
    for (const name of Object.values(clinic.names)) {
      expect(stored.values).not.toContain(name);
      expect(requests.map(decodeURIComponent).join("\n")).not.toContain(name);
    }
    expect(faults).toEqual([]);
  });

  it("refuses a script that stands in its document", async () => {
    const { page, faults } = await visit(null);
    await page.route(`${url()}/`, async (route) => {
      const response = await route.fetch();
      const body = (await response.text()).replace(
        "</head>",
        "<script>globalThis.injected = 1</script></head>",
      );
      await route.fulfill({ response, body });
    });
    await page.reload();
    await page.getByLabel("E-mail").waitFor();
    expect(await page.evaluate(() => "injected" in globalThis)).toBe(false);
    expect(faults).toEqual([expect.stringContaining("script-src 'self'")]);
  });

  it("refuses a script or style that found its way in, and every other address", async () => {
    const { page, faults } = await visit(null);
    const survived = await page.evaluate(async () => {
      const attempt = (work: () => unknown) => {
        try {
          work();
        } catch {
          // Trusted Types throw where the rest of the policy only refuses.
        }
      };
      const inject = (fill: (script: HTMLScriptElement) => void) =>
        attempt(() => {
          const script = document.createElement("script");
          fill(script);
          document.head.append(script);
        });
      inject((script) => script.append(document.createTextNode("globalThis.injected = true")));
      inject((script) => {
        script.textContent = "globalThis.injected = true";
      });
      attempt(() => {
        document.body.innerHTML = "<img src=x onerror='globalThis.injected = true'>";
      });
      attempt(() => {
        const style = document.createElement("style");
        style.textContent = "main { display: none }";
        document.head.append(style);
      });
      const elsewhere = await fetch("http://127.0.0.1:9/").then(
        () => true,
        () => false,
      );
      return {
        injected: "injected" in globalThis,
        hidden: getComputedStyle(document.querySelector("main") as Element).display === "none",
        elsewhere,
      };
    });
    expect(survived).toEqual({ injected: false, hidden: false, elsewhere: false });
    const refused = faults.join("\n");
    for (const directive of ["TrustedScript'", "TrustedHTML'", "style-src", "connect-src"]) {
      expect(refused).toContain(directive);
    }
  });
});
