import { beforeEach, describe, expect, it } from "vitest";
import { fromWire } from "../../../src/lib/casing.ts";
import { HoldfastError } from "../../../src/lib/index.ts";
import { answerOffer, joinWaitlist, leaveWaitlist } from "../../../src/lib/waitlist-client.ts";
import { call, cancel, confirm, expectProblem, hold, holdBody, letExpire, time } from "../support/calls.ts";
import { type Clinic, createClinic, TIME_ZONE, type User } from "../support/clinic.ts";
import { expectLedgerIsSound, sql } from "../support/stack.ts";
import { ANY_TIME, createFamily, join, joinBody, leave, offersOf, sweep } from "../support/waitlist.ts";

let clinic: Clinic;
beforeEach(async () => {
  clinic = await createClinic();
});

/** A session of Rosa with Birch is booked and then cancelled. */
async function freeTime(dayFromNow: number, cancelledBy = "clinic", user: User = clinic.scheduler) {
  const { hold_key } = await hold(
    clinic,
    time(dayFromNow, 18),
    { client_id: clinic.birch },
    clinic.scheduler,
  );
  const { session } = await confirm(clinic.scheduler, hold_key);
  await cancel(user, { session_ids: [session.id], cancelled_by: cancelledBy });
  return session;
}

describe("the waitlist through supabase-js and src/lib", () => {
  const request = () => ({
    clientId: clinic.aspen,
    serviceCode: "97153",
    durationMinutes: 60,
    wantedFrom: time(1, 0).start_time.slice(0, 10),
    timeZone: TIME_ZONE,
    wantedTimes: ANY_TIME.map(({ weekday }) => ({ weekday, localStart: "00:00", localEnd: "24:00" })),
  });

  it("a family joins, sees what it is offered, accepts, and has a session", async () => {
    const family = await (await createFamily(clinic, clinic.aspen)).client();
    const entry = await joinWaitlist(family, request());
    expect(entry).toMatchObject({
      ...request(),
      therapistId: null,
      wantedUntil: null,
      status: "waiting",
      offer: null,
    });

    const freed = await freeTime(40);
    const { data: seen } = await family.from("session_holds").select("id, client_id, status, created_by");
    expect(seen).toEqual([
      { id: expect.any(String), client_id: clinic.aspen, status: "held", created_by: null },
    ]);

    const holdKey = seen?.[0]?.id ?? "";
    const accepting = { holdKey, answer: "accept" } as const;
    // What claims carry is the clinic's to say.
    await expect(
      answerOffer(family, { ...accepting, session: { placeOfService: "12" } }),
    ).rejects.toMatchObject({
      problem: { errors: [{ field: "session", code: "not_allowed" }] },
    });
    const accepted = await answerOffer(family, accepting);
    expect(accepted.entry).toMatchObject({ id: entry.id, status: "booked", offer: null });
    // No more than the family's own view shows: no codes, units, rooms, therapists' ids or versions.
    const { data: appointments } = await family.from("family_sessions").select("*");
    if (!accepted.appointment) throw new Error("a family is told of an appointment");
    expect(Object.keys(accepted).sort()).toEqual(["appointment", "entry"]);
    const { startTime, endTime, ...appointment } = accepted.appointment;
    const { start_time, end_time, ...shown } = appointments?.[0] ?? {};
    expect(appointment).toEqual(fromWire(shown));
    expect(appointment).toMatchObject({ sessionId: holdKey, clientId: clinic.aspen, status: "scheduled" });
    expect([startTime, endTime].map(Date.parse)).toEqual(
      [start_time, end_time].map((at) => Date.parse(at ?? "")),
    );
    expect(Date.parse(startTime)).toBe(Date.parse(freed.start_time));
    const [row] = await sql`select therapist_id, place_of_service from public.sessions where id = ${holdKey}`;
    expect(row).toEqual({ therapist_id: clinic.rosa.id, place_of_service: null });
    await expectLedgerIsSound();
  });

  it("who books is told of the whole session when accepting for a client", async () => {
    const scheduler = await clinic.scheduler.client();
    const entry = await joinWaitlist(scheduler, request());
    const freed = await freeTime(42);
    const [offer] = await offersOf(clinic);
    const accepted = await answerOffer(scheduler, {
      holdKey: offer?.id ?? "",
      answer: "accept",
      session: { placeOfService: "12" },
    });
    expect(accepted.entry).toMatchObject({ id: entry.id, status: "booked" });
    expect(accepted.session).toMatchObject({
      id: offer?.id,
      therapistId: clinic.rosa.id,
      startTime: freed.start_time,
      placeOfService: "12",
    });
  });

  it("an offer is declined and passes to the next, who leaves, and nobody has it", async () => {
    const scheduler = await clinic.scheduler.client();
    const birch = await joinWaitlist(scheduler, {
      ...request(),
      clientId: clinic.birch,
      therapistId: clinic.rosa.id,
    });
    const aspen = await joinWaitlist(scheduler, request());
    await freeTime(41);
    const [offer] = await offersOf(clinic);
    expect(offer).toMatchObject({ entry_id: birch.id, live: true });

    const declined = await answerOffer(scheduler, { holdKey: offer?.id ?? "", answer: "decline" });
    expect(declined.entry).toMatchObject({ id: birch.id, status: "waiting", offer: null });
    expect((await offersOf(clinic)).filter(({ live }) => live)).toMatchObject([{ entry_id: aspen.id }]);

    const left = await leaveWaitlist(scheduler, { waitlistEntryId: aspen.id });
    expect(left).toMatchObject({ id: aspen.id, status: "withdrawn", offer: null });
    expect((await offersOf(clinic)).filter(({ live }) => live)).toEqual([]);
    expect(await leaveWaitlist(scheduler, { waitlistEntryId: aspen.id })).toEqual(left);
    await expectLedgerIsSound();
  });

  it("a refused request throws with the field as the app spelled it", async () => {
    const failure = await joinWaitlist(await clinic.scheduler.client(), {
      ...request(),
      durationMinutes: 0,
    }).catch((error: unknown) => error);
    expect(failure).toBeInstanceOf(HoldfastError);
    expect(failure).toMatchObject({
      code: "validation_failed",
      problem: { errors: [{ field: "durationMinutes" }] },
    });
  });
});

describe("offers", () => {
  it("are confirmed and booked over by nobody, and released by schedulers, which passes them on", async () => {
    const birch = await join(clinic.scheduler, clinic.birch);
    const aspen = await join(clinic.rosa.user, clinic.aspen);
    await freeTime(42);
    const [offer] = await offersOf(clinic);
    expect(offer?.entry_id).toBe(birch.id);
    const hold_key = offer?.id;

    await expectProblem(await call("sessions-confirm", clinic.scheduler, { hold_key }), "forbidden");
    await expectProblem(
      await call("sessions-hold", clinic.rosa.user, holdBody(clinic, time(42, 18))),
      "therapist_conflict",
    );
    await expectProblem(await call("sessions-cancel", clinic.theo.user, { hold_key }), "forbidden");
    expect((await cancel(clinic.scheduler, { hold_key })).cancelled).toHaveLength(1);
    expect((await offersOf(clinic)).filter(({ live }) => live)).toMatchObject([{ entry_id: aspen.id }]);
    await expectLedgerIsSound();
  });

  it("pass on when they expire, and the late answer is told that the time is gone", async () => {
    const birch = await join(clinic.scheduler, clinic.birch);
    const aspen = await join(clinic.scheduler, clinic.aspen);
    await freeTime(43);
    const [first] = await offersOf(clinic);
    expect(first?.entry_id).toBe(birch.id);
    await letExpire(first?.id ?? "");
    expect(await sweep(clinic)).toBe(1);

    const body = { action: "answer", hold_key: first?.id, answer: "accept" };
    const refusal = await expectProblem(await call("waitlist", clinic.scheduler, body), "hold_expired");
    expect(refusal).toMatchObject({ reason: "expired", still_free: false });
    expect((await offersOf(clinic)).filter(({ live }) => live)).toMatchObject([{ entry_id: aspen.id }]);
    await expectLedgerIsSound();
  });

  it("are not made of the time of a therapist who cancelled", async () => {
    await join(clinic.scheduler, clinic.aspen);
    await freeTime(44, "therapist", clinic.rosa.user);
    expect(await offersOf(clinic)).toEqual([]);
    expect(await sweep(clinic)).toBe(0);
  });

  it("are seen by the family that they are for, those whose time it is and schedulers, and by nobody else", async () => {
    await join(clinic.scheduler, clinic.aspen);
    await freeTime(45);
    await hold(clinic, time(46, 18), {}, clinic.scheduler);
    const other = await createClinic();
    const [own, foreign] = await Promise.all([
      createFamily(clinic, clinic.aspen),
      createFamily(clinic, clinic.birch),
    ]);
    const holdsOf = async (user: User) =>
      (await (await user.client()).from("session_holds").select("id").eq("status", "held")).data;
    const entriesOf = async (user: User) =>
      (await (await user.client()).from("waitlist_entries" as never).select("client_id")).data;

    // A hold on the child's time that is no offer is the clinic's business.
    const [offer] = await offersOf(clinic);
    expect(await holdsOf(own)).toEqual([{ id: offer?.id }]);
    expect(await entriesOf(own)).toEqual([{ client_id: clinic.aspen }]);
    expect(await holdsOf(clinic.rosa.user)).toHaveLength(2);
    expect(await holdsOf(clinic.scheduler)).toHaveLength(2);
    for (const stranger of [foreign, other.admin, other.rosa.user]) {
      expect(await holdsOf(stranger)).toEqual([]);
      expect(await entriesOf(stranger)).toEqual([]);
    }
    expect(await holdsOf(clinic.theo.user)).toEqual([]);
  });

  it("are answered by nobody whose they are not", async () => {
    await join(clinic.scheduler, clinic.aspen);
    await freeTime(47);
    const [offer] = await offersOf(clinic);
    const other = await createClinic();
    const foreign = await createFamily(clinic, clinic.birch);
    for (const user of [foreign, other.scheduler, clinic.theo.user]) {
      for (const answer of ["accept", "decline"]) {
        const body = { action: "answer", hold_key: offer?.id, answer };
        await expectProblem(await call("waitlist", user, body), "not_found");
      }
      const body = { action: "leave", waitlist_entry_id: offer?.entry_id };
      // Theo treats the client, so he may take it off the waitlist.
      if (user !== clinic.theo.user) await expectProblem(await call("waitlist", user, body), "not_found");
    }
    expect(await offersOf(clinic)).toMatchObject([{ id: offer?.id, live: true }]);
  });
});

describe("bad input", () => {
  const monday = { weekday: 1, local_start: "09:00", local_end: "11:00" };
  const cases: [what: string, changes: object, field: string][] = [
    ["an unknown zone", { time_zone: "Mars/Olympus" }, "time_zone"],
    ["a weekday of 9", { wanted_times: [{ ...monday, weekday: 9 }] }, "wanted_times[0].weekday"],
    [
      "a time of no day",
      { wanted_times: [{ ...monday, local_start: "25:00" }] },
      "wanted_times[0].local_start",
    ],
    ["zero minutes", { wanted_times: [{ ...monday, local_end: "09:00" }] }, "wanted_times[0]"],
    [
      "wanted times that overlap",
      { wanted_times: [monday, { ...monday, weekday: 2 }, { ...monday, local_end: "10:00" }] },
      "wanted_times[2]",
    ],
    [
      "a wanted time shorter than the session",
      { wanted_times: [monday], duration_minutes: 121 },
      "wanted_times[0]",
    ],
    ["no wanted times", { wanted_times: [] }, "wanted_times"],
    ["51 wanted times", { wanted_times: Array.from({ length: 51 }, () => monday) }, "wanted_times"],
    [
      "dates in reverse",
      { wanted_from: time(9, 0).start_time.slice(0, 10), wanted_until: time(8, 0).start_time.slice(0, 10) },
      "wanted_until",
    ],
    ["a day ten years away", { wanted_until: time(3650, 0).start_time.slice(0, 10) }, "wanted_until"],
    ["a day that is none", { wanted_from: "2027-02-30" }, "wanted_from"],
    ["an unknown service", { service_code: "99999" }, "service_code"],
    ["a field that there is not", { prefers: "mornings" }, "prefers"],
    ["an unknown action", { action: "wait" }, "action"],
  ];
  it.each(cases)(
    "%s is refused with the field named, and the database says the same",
    async (_, changes, field) => {
      const body = joinBody(clinic.aspen, changes);
      const { errors } = await expectProblem(
        await call("waitlist", clinic.scheduler, body),
        "validation_failed",
      );
      expect(errors.map((error) => error.field)).toContain(field);

      // Directly, past the function's schema.
      if (["prefers", "action"].includes(field)) return;
      const { action: _action, ...direct } = body;
      const { data } = await (await clinic.scheduler.client()).rpc(
        "join_waitlist" as never,
        { request: direct } as never,
      );
      expect(data).toMatchObject({ problem: { code: "validation_failed", errors: [{ field }] } });
      const [row] =
        await sql`select count(*)::integer as entries from public.waitlist_entries where organization_id = ${clinic.id}`;
      expect(row?.entries).toBe(0);
    },
  );

  it("a client who waits already, an archived one, and an unqualified or unknown therapist are refused", async () => {
    await join(clinic.scheduler, clinic.aspen);
    const again = await call("waitlist", clinic.scheduler, joinBody(clinic.aspen));
    expect((await expectProblem(again, "validation_failed")).errors).toMatchObject([
      { field: "client_id", code: "already_waiting" },
    ]);

    await sql`update public.services set credentials = '{BCBA}' where organization_id = ${clinic.id}`;
    const unqualified = joinBody(clinic.birch, { therapist_id: clinic.rosa.id });
    expect(
      (await expectProblem(await call("waitlist", clinic.scheduler, unqualified), "validation_failed"))
        .errors,
    ).toMatchObject([{ field: "therapist_id", code: "not_qualified" }]);
    const other = await createClinic();
    const foreign = joinBody(clinic.birch, { therapist_id: other.rosa.id });
    await expectProblem(await call("waitlist", clinic.scheduler, foreign), "not_found");

    await sql`update public.clients set status = 'archived' where id = ${clinic.birch}`;
    const archived = await call("waitlist", clinic.scheduler, joinBody(clinic.birch));
    expect((await expectProblem(archived, "validation_failed")).errors).toMatchObject([
      { field: "client_id", code: "archived" },
    ]);
  });

  it("a session with the answer decline, and an answer that is neither, are refused", async () => {
    const body = { action: "answer", hold_key: clinic.id };
    const wrong = await call("waitlist", clinic.scheduler, { ...body, answer: "decline", session: {} });
    expect((await expectProblem(wrong, "validation_failed")).errors).toMatchObject([{ field: "session" }]);
    const neither = await call("waitlist", clinic.scheduler, { ...body, answer: "perhaps" });
    expect((await expectProblem(neither, "validation_failed")).errors).toMatchObject([{ field: "answer" }]);
  });

  it("the same key and request give the same entry again", async () => {
    const headers = { "idempotency-key": `join ${clinic.id}`.replace(" ", "-") };
    const first = await call("waitlist", clinic.scheduler, joinBody(clinic.aspen), headers);
    const second = await call("waitlist", clinic.scheduler, joinBody(clinic.aspen), headers);
    expect(second.headers.get("idempotency-replayed")).toBe("true");
    expect(await second.json()).toEqual(await first.json());
    const left = await leave(clinic.scheduler, (await join(clinic.scheduler, clinic.birch)).id);
    expect(left.status).toBe("withdrawn");
  });
});
