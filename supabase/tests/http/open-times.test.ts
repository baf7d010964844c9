// Searching open times over HTTP: who is offered, when, and what cannot be asked.

import { beforeAll, describe, expect, it } from "vitest";
import type { OpenTimesData } from "../../../src/lib/open-times.ts";
import { findOpenTimes } from "../../../src/lib/open-times-client.ts";
import { call, countRows, expectData, expectProblem, hold, holdBody, time } from "../support/calls.ts";
import {
  assign,
  type Clinic,
  createClinic,
  createTherapist,
  TIME_ZONE,
  type User,
} from "../support/clinic.ts";
import { expectLedgerIsSound, sql } from "../support/stack.ts";

let clinic: Clinic;
beforeAll(async () => {
  clinic = await createClinic();
});

/** A search of Aspen's on day 40, from `hour` UTC for some hours. */
function search(hour: number, hours: number, changes: object = {}): Record<string, unknown> {
  return {
    client_id: clinic.aspen,
    service_code: "97153",
    duration_minutes: 60,
    range_start: time(40, hour).start_time,
    range_end: time(40, hour + hours).start_time,
    time_zone: TIME_ZONE,
    ...changes,
  };
}

const ask = (user: User, body: object) => call("sessions-availability", user, body);
const find = async (user: User, body: object) => expectData<OpenTimesData>(await ask(user, body), 200);
const startsOf = (data: OpenTimesData, therapist: string) =>
  data.therapists
    .find(({ therapist_id }) => therapist_id === therapist)
    ?.start_times.map((start) => new Date(start).toISOString());
const at = (hour: number, minute = 0) =>
  new Date(Date.parse(time(40, hour).start_time) + minute * 60_000).toISOString();

describe("a search", () => {
  it("finds any therapist who is assigned, and every start on the grid", async () => {
    const data = await find(clinic.scheduler, search(16, 2));
    expect(data.therapists.map(({ therapist_id }) => therapist_id).sort()).toEqual(
      [clinic.rosa.id, clinic.theo.id].sort(),
    );
    expect(startsOf(data, clinic.rosa.id)).toEqual([at(16), at(16, 15), at(16, 30), at(16, 45), at(17)]);
    const hourly = await find(clinic.scheduler, search(16, 2, { step_minutes: 60, duration_minutes: 30 }));
    expect(startsOf(hourly, clinic.rosa.id)).toEqual([at(16), at(17)]);
  });

  it("leaves out what is held, by therapist or client, and offers it again when it is free", async () => {
    const { hold_key } = await hold(clinic, time(40, 18));
    const during = await find(clinic.scheduler, search(17, 3, { step_minutes: 60 }));
    expect(startsOf(during, clinic.rosa.id)).toEqual([at(17), at(19)]);
    // The hold is Rosa's with Aspen: Theo is free, Aspen is not.
    expect(startsOf(during, clinic.theo.id)).toEqual([at(17), at(19)]);
    const birch = await find(clinic.scheduler, search(17, 3, { step_minutes: 60, client_id: clinic.birch }));
    expect(startsOf(birch, clinic.theo.id)).toEqual([at(17), at(18), at(19)]);
    await call("sessions-cancel", clinic.rosa.user, { hold_key });
    const after = await find(clinic.scheduler, search(17, 3, { step_minutes: 60 }));
    expect(startsOf(after, clinic.rosa.id)).toEqual([at(17), at(18), at(19)]);
  });

  it("gives a therapist their own times only", async () => {
    const data = await find(clinic.rosa.user, search(16, 2));
    expect(data.therapists.map(({ therapist_id }) => therapist_id)).toEqual([clinic.rosa.id]);
    const other = search(16, 2, { therapist_ids: [clinic.theo.id] });
    await expectProblem(await ask(clinic.rosa.user, other), "forbidden");
  });

  it("asks the credential that the service asks", async () => {
    const here = await createClinic();
    await sql`
      update public.services set credentials = '{BCBA,BCBA-D}'
      where organization_id = ${here.id} and service_code = '97155'`;
    const analyst = await createTherapist(here.id);
    await sql`update public.therapists set credential = 'BCBA' where id = ${analyst.id}`;
    await assign(here.id, analyst.id, here.aspen);
    const wanted = { service_code: "97155", client_id: here.aspen };
    const data = await find(here.scheduler, search(16, 2, wanted));
    expect(data.therapists.map(({ therapist_id }) => therapist_id)).toEqual([analyst.id]);
    const problem = await expectProblem(
      await call("sessions-hold", here.scheduler, holdBody(here, time(40, 16), { service_code: "97155" })),
      "validation_failed",
    );
    expect(problem.errors).toMatchObject([{ field: "therapist_id", code: "not_qualified" }]);
  });

  it("keeps to the client's preferred hours when asked to", async () => {
    const here = await createClinic();
    const [{ weekday, clock } = { weekday: 0, clock: "" }] = await sql<{ weekday: number; clock: string }[]>`
      select extract(isodow from ${at(17)}::timestamptz at time zone ${TIME_ZONE})::integer as weekday,
        (${at(17)}::timestamptz at time zone ${TIME_ZONE})::time::text as clock`;
    await sql`
      insert into public.client_preferred_hours (
        organization_id, client_id, weekday, local_start, local_end, effective_from, time_zone)
      values (${here.id}, ${here.aspen}, ${weekday}, ${clock}, ${clock}::time + interval '90 minutes', '2020-01-01', ${TIME_ZONE})`;
    const wanted = { client_id: here.aspen, step_minutes: 30, therapist_ids: [here.rosa.id] };
    const all = await find(here.scheduler, search(16, 3, wanted));
    expect(startsOf(all, here.rosa.id)).toEqual([at(16), at(16, 30), at(17), at(17, 30), at(18)]);
    const preferred = await find(here.scheduler, search(16, 3, { ...wanted, preferred_hours_only: true }));
    expect(startsOf(preferred, here.rosa.id)).toEqual([at(17), at(17, 30)]);
  });

  it("counts the days of the care team, and the room", async () => {
    const here = await createClinic();
    await sql`
      update public.care_team_assignments set ends_on = (${at(8)}::timestamptz at time zone ${TIME_ZONE})::date - 1
      where organization_id = ${here.id} and therapist_id = ${here.rosa.id} and client_id = ${here.aspen}`;
    await hold(here, time(40, 17), { room_id: here.room, client_id: here.birch });
    const wanted = { client_id: here.aspen, step_minutes: 60, room_id: here.room };
    const data = await find(here.scheduler, search(16, 3, wanted));
    expect(data.therapists.map(({ therapist_id }) => therapist_id)).toEqual([here.theo.id]);
    expect(startsOf(data, here.theo.id)).toEqual([at(16), at(18)]);
  });

  it("finds nothing that lies too far ahead to be held", async () => {
    const range = (day: number) => ({
      range_start: time(day, 16).start_time,
      range_end: time(day, 18).start_time,
    });
    const within = await find(clinic.scheduler, search(16, 2, range(3_640)));
    expect(startsOf(within, clinic.rosa.id)).toHaveLength(5);
    const beyond = await find(clinic.scheduler, search(16, 2, range(3_660)));
    expect(startsOf(beyond, clinic.rosa.id)).toEqual([]);
    const refused = await call("sessions-hold", clinic.scheduler, holdBody(clinic, time(3_660, 16)));
    expect((await expectProblem(refused, "validation_failed")).errors).toMatchObject([
      { field: "start_time", code: "too_far" },
    ]);
  });

  it("offers nothing beside direct treatment from the day on that the payer bars it", async () => {
    const here = await createClinic();
    await sql`
      with payer as (
        insert into public.payers (organization_id, name) values (${here.id}, 'a payer') returning id),
      rule as (
        insert into public.payer_rules (organization_id, payer_id, starts_on, allows_concurrent_supervision)
        select ${here.id}, payer.id, '2020-01-01', false from payer)
      insert into public.client_coverages (organization_id, client_id, payer_id, starts_on)
      select ${here.id}, ${here.aspen}, payer.id, (${at(16)}::timestamptz at time zone ${TIME_ZONE})::date from payer`;
    await hold(here, time(39, 18));
    await hold(here, time(40, 17));
    const wanted = {
      client_id: here.aspen,
      service_code: "97155",
      step_minutes: 60,
      therapist_ids: [here.theo.id],
    };
    const range = { range_start: time(39, 16).start_time, range_end: time(40, 19).start_time };
    const data = await find(here.scheduler, search(16, 3, { ...wanted, ...range }));
    expect(startsOf(data, here.theo.id)).toContain(time(39, 18).start_time);
    expect(startsOf(data, here.theo.id)).toContain(at(16));
    expect(startsOf(data, here.theo.id)).not.toContain(at(17));
  });

  it("is answered anew each time, whatever its idempotency key, and not kept", async () => {
    const key = { "idempotency-key": crypto.randomUUID() };
    const here = await createClinic();
    const body = search(16, 2, { client_id: here.aspen, therapist_ids: [here.rosa.id], step_minutes: 60 });
    const again = async () =>
      startsOf(
        await expectData(await call("sessions-availability", here.scheduler, body, key), 200),
        here.rosa.id,
      );
    expect(await again()).toEqual([at(16), at(17)]);
    await hold(here, time(40, 16));
    expect(await again()).toEqual([at(17)]);
    expect(await countRows(here)).toMatchObject({ keys: 0 });
  });

  it("comes to an app with all that a hold asks for", async () => {
    const supabase = await clinic.scheduler.client();
    const [open] = await findOpenTimes(supabase, {
      therapistIds: [clinic.rosa.id],
      clientId: clinic.aspen,
      serviceCode: "97153",
      durationMinutes: 60,
      rangeStart: new Date(at(20)),
      rangeEnd: at(22),
      timeZone: TIME_ZONE,
    });
    const { therapistId, ...when } = open?.times[0] ?? expect.fail("nothing is open");
    expect(therapistId).toBe(clinic.rosa.id);
    expect(when.startTime).toBe(at(20).replace(".000Z", "+00:00"));
    const body = {
      start_time: when.startTime,
      end_time: when.endTime,
      start_time_offset_minutes: when.startTimeOffsetMinutes,
      end_time_offset_minutes: when.endTimeOffsetMinutes,
    };
    await hold(clinic, body);
    await expectLedgerIsSound();
  });
});

describe("a search that cannot be answered", () => {
  it.each<[string, () => object, string]>([
    ["an unknown time zone", () => ({ time_zone: "Mars/Olympus" }), "time_zone"],
    ["a slot of zero minutes", () => ({ duration_minutes: 0 }), "duration_minutes"],
    ["a session of two days", () => ({ duration_minutes: 2_880 }), "duration_minutes"],
    ["a step of zero minutes", () => ({ step_minutes: 0 }), "step_minutes"],
    ["a step that does not divide a day", () => ({ step_minutes: 7 }), "step_minutes"],
    ["a range of ten years", () => ({ range_end: "2037-01-01T00:00:00Z" }), "range_end"],
    ["a range that ends before it starts", () => ({ range_end: at(3) }), "range_end"],
    ["a range without a start", () => ({ range_start: undefined }), "range_start"],
    ["an unknown service", () => ({ service_code: "99999" }), "service_code"],
    ["no therapist at all", () => ({ therapist_ids: [] }), "therapist_ids"],
    [
      "51 therapists",
      () => ({ therapist_ids: [clinic.rosa.id, ...Array.from({ length: 50 }, () => crypto.randomUUID())] }),
      "therapist_ids",
    ],
    ["a therapist twice", () => ({ therapist_ids: [clinic.rosa.id, clinic.rosa.id] }), "therapist_ids[1]"],
    ["an unknown field", () => ({ colour: "red" }), "colour"],
  ])("names the field of %s, over HTTP and to who calls the RPC", async (_, changes, field) => {
    const body = search(16, 2, changes());
    const problem = await expectProblem(await ask(clinic.scheduler, body), "validation_failed");
    expect(problem.errors.map((error) => error.field)).toEqual([field]);
    if (["colour", "therapist_ids[1]"].includes(field)) return;
    const supabase = await clinic.scheduler.client();
    const { data } = await supabase.rpc("find_open_times", { request: JSON.parse(JSON.stringify(body)) });
    expect(data).toMatchObject({ problem: { code: "validation_failed", errors: [{ field }] } });
  });

  it("is not found for a client, therapist or room of another clinic", async () => {
    const elsewhere = await createClinic();
    for (const changes of [
      { client_id: elsewhere.aspen },
      { therapist_ids: [elsewhere.rosa.id] },
      { room_id: elsewhere.room },
    ]) {
      await expectProblem(await ask(clinic.scheduler, search(16, 2, changes)), "not_found");
    }
    await expectProblem(
      await ask(clinic.rosa.user, search(16, 2, { client_id: clinic.unassigned })),
      "not_found",
    );
  });
});
