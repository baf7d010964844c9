// A session's charge as an app meets it: at confirm, as a row, and when a limit is exceeded on purpose.

import { expect, it } from "vitest";
import { bookSession, overrideMue } from "../../../src/lib/index.ts";
import { type Clinic, createClinic, createUser, TIME_ZONE } from "../support/clinic.ts";
import { sql } from "../support/stack.ts";

/** Rosa with Aspen, in 30 days from noon UTC on. */
async function bookHours({ rosa, aspen }: Clinic, hours: number) {
  const start = new Date(Date.now() + 30 * 86_400_000);
  start.setUTCHours(12, 0, 0, 0);
  const end = new Date(start.getTime() + hours * 3_600_000);
  return bookSession(await rosa.user.client(), {
    therapistId: rosa.id,
    clientId: aspen,
    serviceCode: "97153",
    timeZone: TIME_ZONE,
    startTime: start.toISOString(),
    endTime: end.toISOString(),
    session: { placeOfService: "10" },
  });
}

it("is answered at confirm, by the payer's rule of the day, and read as a row by who delivers the session", async () => {
  const clinic = await createClinic();
  await sql`
    with payer as (
      insert into public.payers (organization_id, name) values (${clinic.id}, 'a payer') returning id),
    rule as (
      insert into public.payer_rules (organization_id, payer_id, starts_on, rounding, telehealth_modifier)
      select ${clinic.id}, payer.id, '2020-01-01', 'floor', 'GT' from payer)
    insert into public.client_coverages (organization_id, client_id, payer_id, starts_on)
    select ${clinic.id}, ${clinic.aspen}, payer.id, '2020-01-01' from payer`;
  const { session } = await bookHours(clinic, 59 / 60);
  expect(session).toMatchObject({
    cptCode: "97153",
    modifiers: ["HM", "GT"],
    units: 3,
    roundedDurationMinutes: 45,
  });
  const charge = (user: { client: Clinic["admin"]["client"] }) =>
    user
      .client()
      .then((app) => app.from("session_charges").select("kind, minutes, units").eq("session_id", session.id));
  expect((await charge(clinic.rosa.user)).data).toEqual([{ kind: "planned", minutes: 59, units: 3 }]);
  expect((await charge(clinic.theo.user)).data).toEqual([]);
});

it("exceeds a limit with a reason, given by an admin", async () => {
  const clinic = await createClinic();
  const { session } = await bookHours(clinic, 9);
  const request = { sessionId: session.id, reason: "A crisis that took the whole day" };
  await expect(overrideMue(await clinic.rosa.user.client(), request)).rejects.toMatchObject({
    problem: { code: "forbidden" },
  });
  const stranger = await createUser("admin", (await createClinic()).id);
  await expect(overrideMue(await stranger.client(), request)).rejects.toMatchObject({
    problem: { code: "not_found" },
  });
  const admin = await clinic.admin.client();
  expect(await overrideMue(admin, request)).toEqual({
    sessionId: session.id,
    kind: "planned",
    cptCode: "97153",
    mueLimit: 32,
    mueUnits: 36,
  });
  const { data } = await admin.from("session_charges").select("warnings, overridden_by").single();
  expect(data).toEqual({ warnings: ["mue_exceeded"], overridden_by: clinic.admin.id });
});
