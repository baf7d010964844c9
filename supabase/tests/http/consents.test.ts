// Consents over real HTTP: who signs, what the database takes from the request, and that nobody forges it.

import { createHash, randomUUID } from "node:crypto";
import { beforeEach, describe, expect, it } from "vitest";
import { HoldfastError, listConsents, signConsent, terminateConsent } from "../../../src/lib/index.ts";
import { call, confirm, expectData, expectProblem, hold, holdBody, time } from "../support/calls.ts";
import { type Clinic, createClinic, TIME_ZONE, type User } from "../support/clinic.ts";
import {
  callRest,
  type Form,
  publishForm,
  requireConsent,
  type Sender,
  sign,
  terminate,
} from "../support/consents.ts";
import { connect, expectLedgerIsSound, sql, stack } from "../support/stack.ts";
import { createFamily, join, offersOf, sweep } from "../support/waitlist.ts";

let clinic: Clinic;
let form: Form;
let parent: User;
beforeEach(async () => {
  clinic = await createClinic();
  form = await publishForm(clinic);
  parent = await createFamily(clinic, clinic.aspen);
});

async function signatures() {
  return sql`
    select id, client_id, form_id, form_code, typed_name, signed_by, host(ip_address) as ip, user_agent,
      encode(body_digest, 'hex') as digest, abs(extract(epoch from clock_timestamp() - signed_at)) < 60 as is_now,
      terminated_at is null as is_live
    from public.consent_signatures
    where organization_id = ${clinic.id}
    order by signed_at`;
}

describe("consents through supabase-js and src/lib", () => {
  it("a parent signs, sees who signed what from where, and terminates", async () => {
    const app = await parent.client();
    const signed = await signConsent(app, {
      clientId: clinic.aspen,
      formId: form.id,
      typedName: " Pat Parent ",
    });
    const text = "telehealth 1\nTelehealth\n\nWe meet by video.";
    expect(signed).toEqual({
      signatureId: expect.any(String),
      clientId: clinic.aspen,
      formId: form.id,
      formCode: "telehealth",
      version: 1,
      signedAt: expect.any(String),
      bodyDigest: createHash("sha256").update(text).digest("hex"),
    });

    const [consent, ...others] = await listConsents(app, { clientId: clinic.aspen });
    expect(others).toEqual([]);
    expect(consent).toMatchObject({
      signatureId: signed.signatureId,
      typedName: "Pat Parent",
      signedBy: parent.id,
      ipAddress: "127.0.0.1",
      userAgent: expect.stringMatching(/./),
      terminatedAt: null,
      terminationReason: null,
    });

    const request = { signatureId: signed.signatureId, reason: "We meet at the clinic now" };
    const ended = await terminateConsent(app, request);
    expect(ended).toMatchObject({ signatureId: signed.signatureId, alreadyTerminated: false });
    const again = await terminateConsent(app, { ...request, reason: "Another reason" });
    expect(again).toEqual({ ...ended, alreadyTerminated: true });
    const [kept] = await listConsents(app, { clientId: clinic.aspen });
    expect(kept).toMatchObject({ terminatedBy: parent.id, terminationReason: request.reason });
  });

  it("refuses as HoldfastError, with the fields spelled as the app spells them", async () => {
    const app = await parent.client();
    const request = { clientId: clinic.aspen, formId: form.id, typedName: "Pat Parent" };
    const refusal = (attempt: Promise<unknown>) =>
      attempt.then(
        () => undefined,
        (error: unknown) => (error instanceof HoldfastError ? error.problem : error),
      );
    expect(await refusal(signConsent(app, { ...request, typedName: " x " }))).toMatchObject({
      code: "validation_failed",
      errors: [{ field: "typedName", code: "size" }],
    });
    expect(await refusal(signConsent(await clinic.admin.client(), request))).toMatchObject({
      code: "forbidden",
    });
    expect(await refusal(signConsent(connect(), request))).toMatchObject({
      code: expect.stringMatching(/^(forbidden|unauthenticated)$/),
    });
    await signConsent(app, request);
    expect(await refusal(signConsent(app, request))).toMatchObject({ code: "already_signed", status: 409 });
    const gone = new AbortController();
    gone.abort(new Error("gone"));
    expect(await refusal(listConsents(app, request, { signal: gone.signal }))).toEqual(new Error("gone"));
  });

  it("the same key signs once and gives the first answer again, and none of it is PHI", async () => {
    const app = await parent.client();
    const request = { clientId: clinic.aspen, formId: form.id, typedName: "Pat Parent" };
    const idempotencyKey = randomUUID();
    const first = await signConsent(app, request, { idempotencyKey });
    expect(await signConsent(app, request, { idempotencyKey })).toEqual(first);
    await listConsents(app, request, { idempotencyKey: randomUUID() });
    const kept = await sql`
      select response::text as response from public.idempotency_keys where organization_id = ${clinic.id}`;
    expect(kept).toHaveLength(1);
    expect(kept[0]?.response).not.toMatch(/Pat|127\.0\.0\.1/);
  });
});

describe("what a signature proves", () => {
  const forged: Sender = {
    localAddress: "127.0.0.7",
    headers: {
      "user-agent": "Real Browser 1.0",
      "x-forwarded-for": "198.51.100.66, 198.51.100.67",
      "cf-connecting-ip": "198.51.100.66",
      "CF-Connecting-IP": "198.51.100.67",
      "true-client-ip": "198.51.100.66",
      "x-real-ip": "198.51.100.66",
      forwarded: "for=198.51.100.66",
    },
  };

  it("is where the call really came from, whatever addresses its headers claim", async () => {
    expect((await sign(parent, clinic.aspen, form, forged)).data).toBeDefined();
    expect(await signatures()).toMatchObject([
      { ip: "127.0.0.7", user_agent: "Real Browser 1.0", signed_by: parent.id, is_now: true, is_live: true },
    ]);
  });

  it("is what the database took, whatever the request says of it", async () => {
    const request = {
      client_id: clinic.aspen,
      form_id: form.id,
      typed_name: "Pat Parent",
      signed_by: clinic.admin.id,
      user_id: clinic.admin.id,
      signed_at: "2001-01-01T00:00:00Z",
      ip_address: "198.51.100.66",
      user_agent: "Forged",
      body_digest: "\\x00",
      form_code: "photos",
      organization_id: (await createClinic()).id,
    };
    const { body } = await callRest("sign_consent", parent, { request }, { localAddress: "127.0.0.8" });
    expect(body.data).toBeDefined();
    expect(await signatures()).toMatchObject([
      { ip: "127.0.0.8", user_agent: null, signed_by: parent.id, form_code: "telehealth", is_now: true },
    ]);
  });

  it("is nobody's to write over REST: no insert, update or delete, with any valid token or the secret key", async () => {
    const { data } = await sign(parent, clinic.aspen, form);
    const row = {
      organization_id: clinic.id,
      client_id: clinic.birch,
      form_id: form.id,
      form_code: form.code,
      typed_name: "Forged",
      signed_by: clinic.admin.id,
      signed_at: "2001-01-01T00:00:00Z",
      ip_address: "198.51.100.66",
      body_digest: "\\x00",
    };
    const before = await signatures();
    const clients = [parent, clinic.rosa.user, clinic.scheduler, clinic.admin].map((user) => user.client());
    for (const client of [...(await Promise.all(clients)), connect(stack.secretKey)]) {
      const table = () => client.from("consent_signatures");
      const signature = String(data?.signature_id);
      expect((await table().insert(row as never)).error?.code).toBe("42501");
      expect((await table().upsert({ id: signature, ...row } as never)).error?.code).toBe("42501");
      for (const change of [
        { typed_name: "Forged" },
        { terminated_at: null },
        { signed_by: clinic.admin.id },
      ]) {
        expect(
          (
            await table()
              .update(change as never)
              .eq("id", signature)
          ).error?.code,
        ).toBe("42501");
      }
      expect((await table().delete().eq("id", signature)).error?.code).toBe("42501");
    }
    expect(await signatures()).toEqual(before);
  });

  it("is read whole by the family and admins only, through the RPC; the table shows nobody names and addresses", async () => {
    await sign(parent, clinic.aspen, form);
    for (const user of [parent, clinic.rosa.user, clinic.scheduler, clinic.admin]) {
      const table = (await user.client()).from("consent_signatures");
      const { data } = await table.select("client_id, form_code, terminated_at");
      expect(data).toEqual([{ client_id: clinic.aspen, form_code: "telehealth", terminated_at: null }]);
    }
    const readers = [parent, clinic.admin, clinic.rosa.user, clinic.scheduler, clinic.theo.user];
    for (const user of readers) {
      const client = await user.client();
      for (const column of ["typed_name", "ip_address", "user_agent", "termination_reason", "*"] as const) {
        expect((await client.from("consent_signatures").select(column)).error?.code, column).toBe("42501");
      }
    }
    const request = { client_id: clinic.aspen };
    const outcomes = await Promise.all(
      readers.map(async (user) => {
        const { body } = await callRest("read_consents", user, { request });
        return body.problem?.code ?? (body.data?.consents as unknown[] | undefined)?.length;
      }),
    );
    expect(outcomes).toEqual([1, 1, "forbidden", "forbidden", "forbidden"]);
    const events = await sql`
      select action, decision, actor_id, details::text as details
      from audit.events
      where organization_id = ${clinic.id} and action in ('consent.read', 'rpc.read_consents')`;
    expect(
      events
        .filter(({ decision }) => decision === "allow")
        .map(({ actor_id }) => actor_id)
        .sort(),
    ).toEqual([parent.id, clinic.admin.id].sort());
    expect(events.filter(({ decision }) => decision === "deny")).toHaveLength(3);
    expect(JSON.stringify(events)).not.toMatch(/Pat|127\.0/);
  });

  it("tells who else stands for the client no more of the signer's address than its network, and nothing of the device", async () => {
    const otherParent = await createFamily(clinic, clinic.aspen);
    await sign(parent, clinic.aspen, form, {
      localAddress: "127.0.0.7",
      headers: { "user-agent": "Pat's phone" },
    });
    const read = async (user: User) => {
      const { body } = await callRest("read_consents", user, { request: { client_id: clinic.aspen } });
      return body.data?.consents;
    };
    const whole = { typed_name: "Pat Parent", ip_address: "127.0.0.7", user_agent: "Pat's phone" };
    expect(await read(parent)).toMatchObject([whole]);
    expect(await read(clinic.admin)).toMatchObject([whole]);
    expect(await read(otherParent)).toMatchObject([
      { ...whole, ip_address: "127.0.0.0/24", user_agent: null },
    ]);
  });
});

describe("who signs", () => {
  it("only somebody who stands for the client today", async () => {
    const otherParent = await createFamily(clinic, clinic.birch);
    const elsewhere = await createClinic();
    const stranger = await createFamily(elsewhere, elsewhere.aspen);
    const code = async (user: User, client = clinic.aspen) => (await sign(user, client, form)).problem?.code;
    expect(await code(otherParent)).toBe("not_found");
    expect(await code(stranger)).toBe("not_found");
    expect(await code(clinic.theo.user)).toBe("forbidden");
    expect(await code(clinic.admin)).toBe("forbidden");
    expect(await code(parent, clinic.birch)).toBe("not_found");
    await sql`update public.client_guardians set ends_on = current_date - 2 where user_id = ${parent.id}`;
    expect(await code(parent)).toBe("not_found");
    expect(await signatures()).toEqual([]);
  });

  it("another clinic's form, a draft and a retired version are not signed", async () => {
    const elsewhere = await publishForm(await createClinic());
    const draft = { id: randomUUID(), code: "photos" };
    await sql`
      insert into public.consent_forms (id, organization_id, form_code, version, title, body)
      values (${draft.id}, ${clinic.id}, 'photos', 1, 'Photos', 'We take photos.')`;
    expect((await sign(parent, clinic.aspen, elsewhere)).problem?.code).toBe("not_found");
    expect((await sign(parent, clinic.aspen, draft)).problem?.code).toBe("not_found");
    await sql`update public.consent_forms set status = 'retired' where id = ${form.id}`;
    expect((await sign(parent, clinic.aspen, form)).problem?.errors?.[0]).toMatchObject({
      field: "form_id",
      code: "not_published",
    });
  });

  it("a new version is signed after the old signature is terminated, and both stay on record", async () => {
    const { data } = await sign(parent, clinic.aspen, form);
    const admin = await clinic.admin.client();
    const forms = () => admin.from("consent_forms");
    expect((await forms().update({ status: "retired" }).eq("id", form.id)).error).toBeNull();
    const second = {
      organization_id: clinic.id,
      form_code: "telehealth",
      version: 2,
      title: "Telehealth",
      body: "New.",
    };
    const added = await forms()
      .insert(second as never)
      .select("id")
      .single();
    expect(added.error).toBeNull();
    const newer = { id: added.data?.id ?? "", code: "telehealth" };
    expect((await forms().update({ status: "published" }).eq("id", newer.id)).error).toBeNull();
    expect((await sign(parent, clinic.aspen, newer)).problem?.code).toBe("already_signed");
    await terminate(parent, data?.signature_id);
    expect((await sign(parent, clinic.aspen, newer)).data).toMatchObject({ version: 2 });
    expect(await signatures()).toMatchObject([
      { form_id: form.id, is_live: false },
      { form_id: newer.id, is_live: true },
    ]);
  });

  it.each([
    [{ typed_name: "x" }, "typed_name", "size"],
    [{ typed_name: "   " }, "typed_name", "size"],
    [{ typed_name: "n".repeat(201) }, "typed_name", "size"],
    [{ typed_name: "Pat\u0007Parent" }, "typed_name", "invalid_format"],
    [{ typed_name: "Pat\u202eParent" }, "typed_name", "invalid_format"],
    [{ typed_name: null }, "typed_name", "required"],
    [{ typed_name: { first: "Pat" } }, "typed_name", "required"],
    [{ form_id: null }, "form_id", "required"],
  ])("%j is refused by the field's name", async (changes, field, code) => {
    const request = { client_id: clinic.aspen, form_id: form.id, typed_name: "Pat Parent", ...changes };
    const { body } = await callRest("sign_consent", parent, { request });
    expect(body.problem).toMatchObject({ code: "validation_failed", errors: [{ field, code }] });
    expect(await signatures()).toEqual([]);
  });

  it.each(["client_id", "form_id"])("a %s that is no id is answered, not raised", async (field) => {
    const request = { client_id: clinic.aspen, form_id: form.id, typed_name: "Pat Parent", [field]: "x'--" };
    const { status, body } = await callRest("sign_consent", parent, { request });
    expect([status, body.problem?.code]).toEqual([200, "validation_failed"]);
  });
});

describe("a service that asks for a consent", () => {
  const wanted = () => holdBody(clinic, time(30, 16));
  const search = () => ({
    therapist_ids: [clinic.rosa.id],
    client_id: clinic.aspen,
    service_code: "97153",
    duration_minutes: 60,
    range_start: time(30, 0).start_time,
    range_end: time(31, 0).start_time,
    time_zone: TIME_ZONE,
  });
  const found = async () =>
    (
      await expectData<{ therapists: { start_times: string[] }[] }>(
        await call("sessions-availability", clinic.scheduler, search()),
        200,
      )
    ).therapists.flatMap(({ start_times }) => start_times).length;

  it("is not offered, held, previewed or waited into without it, and is with it", async () => {
    await requireConsent(clinic, form);
    for (const name of ["sessions-hold", "sessions-preview"] as const) {
      const refused = await expectProblem(await call(name, clinic.scheduler, wanted()), "consent_required");
      expect(refused.forms, name).toEqual(["telehealth"]);
    }
    expect(await found()).toBe(0);
    // Of what the therapist gives the time back of, such a client is offered nothing.
    await join(parent, clinic.aspen);
    const other = await createFamily(clinic, clinic.birch);
    const { data } = await sign(other, clinic.birch, form);
    const { hold_key } = await hold(clinic, time(31, 16), { client_id: clinic.birch });
    const { session } = await confirm(clinic.rosa.user, hold_key);
    await call("sessions-cancel", clinic.scheduler, { session_ids: [session.id], cancelled_by: "clinic" });
    expect(await offersOf(clinic)).toEqual([]);
    expect(data).toBeDefined();

    await sign(parent, clinic.aspen, form);
    expect(await found()).toBeGreaterThan(0);
    await hold(clinic, time(30, 16));
    await sweep(clinic);
    expect(await offersOf(clinic)).toMatchObject([{ client_id: clinic.aspen }]);
    await expectLedgerIsSound();
  });

  it("is not confirmed or moved when the consent was terminated in between", async () => {
    await requireConsent(clinic, form);
    const { data } = await sign(parent, clinic.aspen, form);
    const booked = await hold(clinic, time(30, 16));
    const { session } = await confirm(clinic.rosa.user, booked.hold_key);
    const held = await hold(clinic, time(31, 16));
    await terminate(parent, data?.signature_id);
    const confirming = await call("sessions-confirm", clinic.rosa.user, { hold_key: held.hold_key });
    expect((await expectProblem(confirming, "consent_required")).forms).toEqual(["telehealth"]);
    const move = { action: "move", session_id: session.id, version: session.version, time_zone: TIME_ZONE };
    const moving = await call("sessions-reschedule", clinic.rosa.user, { ...move, ...time(32, 16) });
    expect((await expectProblem(moving, "consent_required")).forms).toEqual(["telehealth"]);
    const substitution = {
      action: "substitute",
      therapist_id: clinic.rosa.id,
      substitute_id: clinic.theo.id,
      from: time(30, 0).start_time,
      to: time(31, 0).start_time,
    };
    for (const assign_to_care_team of [false, true]) {
      await sql`
        delete from public.care_team_assignments
        where therapist_id = ${clinic.theo.id} and client_id = ${clinic.aspen} and ${assign_to_care_team}`;
      const body = { ...substitution, assign_to_care_team };
      await expectProblem(await call("sessions-reschedule", clinic.scheduler, body), "consent_required");
    }
    const skipping = { ...substitution, on_conflict: "skip" };
    const skipped = await expectData<{ skipped: { code: string }[] }>(
      await call("sessions-reschedule", clinic.scheduler, skipping),
      200,
    );
    expect(skipped.skipped.map(({ code }) => code)).toEqual(["consent_required"]);
    // What is booked stays booked.
    const [row] = await sql`select status, start_time from public.sessions where id = ${session.id}`;
    expect([row?.status, row?.start_time.toISOString()]).toEqual(["scheduled", time(30, 16).start_time]);
    await expectLedgerIsSound();
  });

  it("does not let a client without it join a group", async () => {
    await requireConsent(clinic, form, "97154");
    await sign(await createFamily(clinic, clinic.birch), clinic.birch, form);
    const group = { service_code: "97154", client_id: undefined, client_ids: [clinic.birch], capacity: 3 };
    const { holds } = await hold(clinic, time(30, 16), group);
    const [row] = await sql`select group_id from public.session_holds where id = ${holds[0]?.hold_key ?? ""}`;
    const joining = { group_id: row?.group_id, client_id: clinic.aspen };
    await expectProblem(await call("sessions-join", clinic.rosa.user, joining), "consent_required");
    await sign(parent, clinic.aspen, form);
    await expectData(await call("sessions-join", clinic.rosa.user, joining), 201);
  });

  it("is written over REST by schedulers, and ended by a date", async () => {
    const [service] = await sql`
      select id from public.services where organization_id = ${clinic.id} and service_code = '97153'`;
    const today = new Date(Date.now() - 86_400_000).toISOString().slice(0, 10);
    const row = {
      organization_id: clinic.id,
      service_id: service?.id,
      form_code: "telehealth",
      starts_on: today,
    };
    const asks = async (user: User) => (await user.client()).from("service_consents");
    expect((await (await asks(clinic.rosa.user)).insert(row as never)).error?.code).toBe("42501");
    expect((await (await asks(parent)).insert(row as never)).error?.code).toBe("42501");
    const typo = { ...row, form_code: "telehelth" };
    expect((await (await asks(clinic.scheduler)).insert(typo as never)).error?.code).toBe("23514");
    expect((await (await asks(clinic.scheduler)).insert(row as never)).error).toBeNull();
    await expectProblem(await call("sessions-hold", clinic.rosa.user, wanted()), "consent_required");
    const ended = await (await asks(clinic.scheduler))
      .update({ ends_on: today })
      .eq("organization_id", clinic.id)
      .select("id");
    expect(ended.data).toHaveLength(1);
    await sql`
      update public.service_consents set starts_on = current_date - 9, ends_on = current_date - 2
      where organization_id = ${clinic.id}`;
    await hold(clinic, time(30, 16));
  });
});
