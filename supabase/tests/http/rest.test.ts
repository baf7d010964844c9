import { beforeAll, describe, expect, it } from "vitest";
import { hold, time } from "../support/calls.ts";
import { type Clinic, createClinic, TIME_ZONE } from "../support/clinic.ts";
import { connect, expectLedgerIsSound, sql, stack } from "../support/stack.ts";

let clinic: Clinic;
let service: string;
beforeAll(async () => {
  clinic = await createClinic();
  const [row] = await sql`
    select id from public.services where organization_id = ${clinic.id} and service_code = '97153'`;
  service = row?.id;
});

/** A row that goes round the functions, as a script with the secret key might write it. */
const directRow = (when: ReturnType<typeof time>) => ({
  organization_id: clinic.id,
  therapist_id: clinic.rosa.id,
  client_id: clinic.birch,
  service_id: service,
  start_time: when.start_time,
  end_time: when.end_time,
  time_zone: TIME_ZONE,
});

describe("a direct insert over REST", () => {
  it("is not for users", async () => {
    const admin = await clinic.admin.client();
    // The generated type asks for what a trigger fills in.
    const { error } = await admin.from("sessions").insert(directRow(time(30, 16)) as never);
    expect(error?.code).toBe("42501");
  });

  it("with the secret key is bound by the ledger: a held time is refused, an open one is claimed", async () => {
    await hold(clinic, time(31, 16));
    const robot = connect(stack.secretKey);
    const refused = await robot.from("sessions").insert(directRow(time(31, 16)) as never);
    expect(refused.error?.code).toBe("23P01");
    const { error } = await robot.from("sessions").insert(directRow(time(31, 18)) as never);
    expect(error).toBeNull();
    await expectLedgerIsSound();
  });

  it("takes the time of an expired hold at once", async () => {
    const { hold_key } = await hold(clinic, time(32, 16));
    await sql`update public.session_holds set expires_at = clock_timestamp() where id = ${hold_key}`;
    const { error } = await connect(stack.secretKey)
      .from("sessions")
      .insert(directRow(time(32, 16)) as never);
    expect(error).toBeNull();
    await expectLedgerIsSound();
  });

  it("cannot reach the ledger, the keys or the audit trail, not even with the secret key", async () => {
    const robot = connect(stack.secretKey);
    for (const table of ["calendar_claims", "idempotency_keys"] as const) {
      const { error } = await robot.from(table).select("*").limit(1);
      expect(error?.code, table).toBe("42501");
    }
    const response = await fetch(`${stack.url}/rest/v1/events?select=id`, {
      headers: { apikey: stack.secretKey, "accept-profile": "audit" },
    });
    expect(response.ok).toBe(false);
  });
});

describe("reading over REST", () => {
  it("shows a therapist their own sessions and a scheduler all of the clinic's, and nobody another clinic's", async () => {
    const elsewhere = await createClinic();
    await connect(stack.secretKey)
      .from("sessions")
      .insert(directRow(time(33, 16)) as never);
    const seen = async (user: { client(): ReturnType<Clinic["admin"]["client"]> }) => {
      const { data, error } = await (await user.client())
        .from("sessions")
        .select("id")
        .eq("start_time", time(33, 16).start_time);
      expect(error).toBeNull();
      return data?.length;
    };
    expect(await seen(clinic.rosa.user)).toBe(1);
    expect(await seen(clinic.scheduler)).toBe(1);
    expect(await seen(clinic.theo.user)).toBe(0);
    expect(await seen(elsewhere.admin)).toBe(0);
  });

  it("has moments as PostgREST writes them: ISO 8601, which every browser reads", async () => {
    const { hold_key } = await hold(clinic, time(34, 16));
    const [{ written }] = await sql<[{ written: object }]>`
      select json_build_object('start_time', start_time, 'expires_at', expires_at, 'created_at', created_at) as written
      from public.session_holds
      where id = ${hold_key}`;
    const { data } = await (await clinic.rosa.user.client())
      .from("session_holds")
      .select("start_time, expires_at, created_at")
      .eq("id", hold_key)
      .single();
    expect(data).toEqual(written);
    expect(data?.start_time).toMatch(/T\d\d:00:00\+00:00$/);
  });
});
