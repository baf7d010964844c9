// Races about one consent, over real HTTP: many signers, and signing, ending and booking at once.

import { beforeEach, expect, it } from "vitest";
import { call, hold, holdBody, time } from "../support/calls.ts";
import { type Clinic, createClinic, type User } from "../support/clinic.ts";
import { type Form, publishForm, requireConsent, sign, terminate } from "../support/consents.ts";
import { expectLedgerIsSound, sql } from "../support/stack.ts";
import { createFamily } from "../support/waitlist.ts";

let clinic: Clinic;
let form: Form;
beforeEach(async () => {
  clinic = await createClinic();
  form = await publishForm(clinic);
  await requireConsent(clinic, form);
});

async function guardians(howMany: number): Promise<User[]> {
  const users = await Promise.all(Array.from({ length: howMany }, () => createFamily(clinic, clinic.aspen)));
  await Promise.all(users.map((user) => user.token()));
  return users;
}

const liveSignatures = () => sql`
  select id, signed_by from public.consent_signatures
  where organization_id = ${clinic.id} and terminated_at is null`;

it("16 guardians sign the same consent: one signature, 15 times already_signed", async () => {
  const users = await guardians(16);
  const answers = await Promise.all(users.map((user) => sign(user, clinic.aspen, form)));
  const codes = answers.map(({ problem }) => problem?.code ?? "signed").sort();
  expect(codes).toEqual([...Array(15).fill("already_signed"), "signed"]);
  expect(await liveSignatures()).toHaveLength(1);
});

it("8 end one signature while 8 sign anew: whoever wins, one ends it and at most one is live", async () => {
  const users = await guardians(16);
  const { data } = await sign(users[0] as User, clinic.aspen, form);
  const answers = await Promise.all(
    users.map(async (user, index) =>
      index % 2
        ? { signing: true, ...(await sign(user, clinic.aspen, form)) }
        : { signing: false, ...(await terminate(user, data?.signature_id)) },
    ),
  );
  const ended = answers.filter((answer) => !answer.signing && answer.data?.already_terminated === false);
  expect(ended).toHaveLength(1);
  const signed = answers.filter((answer) => answer.signing && answer.data);
  expect(signed.length).toBeLessThanOrEqual(1);
  expect(await liveSignatures()).toHaveLength(signed.length);
  const others = answers.filter((answer) => answer.signing && !answer.data);
  expect(new Set(others.map(({ problem }) => problem?.code))).toEqual(new Set(["already_signed"]));
});

it("a consent ends while its booking is confirmed: no session is written after the end", async () => {
  const [parent] = await guardians(1);
  if (!parent) throw new Error("there is no guardian");
  for (let round = 0; round < 8; round++) {
    const { data } = await sign(parent, clinic.aspen, form);
    const held = await hold(clinic, time(30 + round, 16));
    const [confirmed, ended] = await Promise.all([
      call("sessions-confirm", clinic.rosa.user, { hold_key: held.hold_key }).then((answer) => answer.json()),
      terminate(parent, data?.signature_id),
    ]);
    expect(ended.data).toMatchObject({ already_terminated: false });
    if (confirmed.code) expect(confirmed.code).toBe("consent_required");
    const again = await call("sessions-hold", clinic.rosa.user, holdBody(clinic, time(50 + round, 16)));
    expect((await again.json()).code).toBe("consent_required");
  }
  const [late] = await sql`
    select count(*)::integer as sessions
    from public.sessions session
    where session.organization_id = ${clinic.id}
      and not exists (
        select from public.consent_signatures signature
        where signature.client_id = session.client_id
          and session.created_at between signature.signed_at and signature.terminated_at)`;
  expect(late?.sessions).toBe(0);
  await expectLedgerIsSound();
});
