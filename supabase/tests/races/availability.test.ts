// Time off and holidays entered while others hold and confirm: what is off is not booked, and what is booked is not off.

import { beforeEach, describe, expect, it } from "vitest";
import { call, confirm, type FunctionName, hold, holdBody, time } from "../support/calls.ts";
import { type Clinic, createClinic, createUser, TIME_ZONE, type User } from "../support/clinic.ts";
import { expectLedgerIsSound, sql } from "../support/stack.ts";

let clinic: Clinic;
let schedulers: User[];
beforeEach(async () => {
  clinic = await createClinic();
  schedulers = await Promise.all(Array.from({ length: 8 }, () => createUser("internal_ops", clinic.id)));
  await Promise.all(schedulers.map((user) => user.token()));
});

interface Answer {
  /** The problem's code, or the status of a success. */
  outcome: string;
  data: {
    exceptions?: { start_time: string; end_time: string }[];
    cancelled?: { id: string; kind: string }[];
  };
}

async function ask(name: FunctionName, index: number, body: unknown): Promise<Answer> {
  const response = await call(name, schedulers[index % schedulers.length] as User, body);
  const { code, data } = (await response.json()) as { code?: string; data?: Answer["data"] };
  return { outcome: code ?? String(response.status), data: data ?? {} };
}

const exception = (when: object, changes: object = {}) => ({
  action: "add_exception",
  kind: "time_off",
  therapist_id: clinic.rosa.id,
  time_zone: TIME_ZONE,
  ...when,
  ...changes,
});
const holiday = (when: object, changes: object = {}) =>
  exception(when, { kind: "holiday", therapist_id: undefined, organization_id: clinic.id, ...changes });

/** Live sessions and holds in time off or on a holiday. */
const bookedWhileOff = () => sql`
  select booked.id, off.kind
  from public.availability_exceptions off
  join (
    select id, organization_id, therapist_id, start_time, end_time from public.sessions
    where status in ('scheduled', 'in_progress', 'completed')
    union all
    select id, organization_id, therapist_id, start_time, end_time from public.session_holds
    where status = 'held' and expires_at > clock_timestamp()
  ) booked
    on booked.organization_id = off.organization_id
    and (off.therapist_id is null or off.therapist_id = booked.therapist_id)
    and booked.start_time < off.end_time and booked.end_time > off.start_time
  where off.organization_id = ${clinic.id} and off.status = 'active' and off.kind <> 'extra_hours'
    -- There is what was kept.
    and off.beside_exception_id is null`;

describe("races for a therapist's time", () => {
  it("time off against holds of the same time: one or the other, never both and never neither", async () => {
    for (let round = 0; round < 12; round++) {
      const when = time(30 + round, 16);
      const answers = await Promise.all(
        Array.from({ length: 8 }, (_, index) =>
          // Not always first in line.
          index === round % 8
            ? ask("availability", index, exception(when))
            : ask("sessions-hold", index, holdBody(clinic, when)),
        ),
      );
      const off = answers[round % 8]?.outcome;
      const held = answers.filter(({ outcome }) => outcome === "201").length;
      expect(`${off} with ${held} held`).toMatch(/^(200 with 0|sessions_in_the_way with 1) held$/);
    }
    expect(await bookedWhileOff()).toEqual([]);
    await expectLedgerIsSound();
  });

  it("time off that cancels against confirmations: nothing in it is left, and what was confirmed is cancelled", async () => {
    for (let round = 0; round < 8; round++) {
      const times = [16, 17, 18].map((hour) => time(30 + round, hour));
      const keys = await Promise.all(
        times.map(async (when) => (await hold(clinic, when, {}, schedulers[0])).hold_key),
      );
      const answers = await Promise.all([
        ...keys.map((hold_key) => ask("sessions-confirm", 0, { hold_key })),
        ask("availability", 1, exception(time(30 + round, 16, 180), { on_conflict: "cancel" })),
      ]);
      const off = answers[3] as Answer;
      expect(off.outcome).toBe("200");
      const kinds = new Map(off.data.cancelled?.map(({ id, kind }) => [id, kind]));
      for (const [index, key] of keys.entries()) {
        expect(`${answers[index]?.outcome} ${kinds.get(key)}`).toMatch(/^(200 session|hold_expired hold)$/);
      }
    }
    expect(await bookedWhileOff()).toEqual([]);
    await expectLedgerIsSound();
  });

  it("time off that keeps against holds and moves: it goes round what is there, whoever comes first", async () => {
    for (let round = 0; round < 8; round++) {
      const { session } = await confirm(
        clinic.rosa.user,
        (await hold(clinic, time(30 + round, 16))).hold_key,
      );
      const moving = await hold(clinic, time(30 + round, 20), { session_id: session.id });
      const [off] = await Promise.all([
        ask("availability", 0, exception(time(30 + round, 15, 480), { on_conflict: "keep" })),
        call("sessions-confirm", clinic.rosa.user, { hold_key: moving.hold_key }),
        ask("sessions-hold", 2, holdBody(clinic, time(30 + round, 18), { client_id: clinic.birch })),
        ask("availability", 3, exception(time(30 + round, 17, 120), { on_conflict: "keep" })),
      ]);
      expect(["200", "validation_failed"]).toContain(off?.outcome);
    }
    expect(await bookedWhileOff()).toEqual([]);
    await expectLedgerIsSound();
  });

  it("a holiday against holds with every therapist: all of it is open, or none of it is booked", async () => {
    for (let round = 0; round < 12; round++) {
      const when = time(30 + round, 16);
      const answers = await Promise.all(
        Array.from({ length: 8 }, (_, index) =>
          index === round % 8
            ? ask("availability", index, holiday(when))
            : ask(
                "sessions-hold",
                index,
                holdBody(clinic, when, {
                  therapist_id: index % 2 ? clinic.rosa.id : clinic.theo.id,
                  client_id: index % 2 ? clinic.aspen : clinic.birch,
                }),
              ),
        ),
      );
      const closed = answers[round % 8]?.outcome;
      const held = answers.filter(({ outcome }) => outcome === "201").length;
      expect(`${closed} with ${held} held`).toMatch(/^(200 with 0|sessions_in_the_way with [12]) held$/);
    }
    expect(await bookedWhileOff()).toEqual([]);
    await expectLedgerIsSound();
  });

  it("hours set by eight at once: what stays is one of them, whole", async () => {
    const answers = await Promise.all(
      Array.from({ length: 8 }, (_, index) =>
        ask("availability", index, {
          action: "set_hours",
          therapist_id: clinic.rosa.id,
          time_zone: TIME_ZONE,
          effective_from: "2027-03-01",
          effective_until: "2027-04-30",
          hours: [1, 3, 5].map((weekday) => ({ weekday, local_start: `0${index}:00`, local_end: "12:00" })),
        }),
      ),
    );
    expect(new Set(answers.map(({ outcome }) => outcome))).toEqual(new Set(["200"]));
    const left = await sql`
      select count(*)::integer as rows, count(distinct local_start)::integer as versions
      from public.therapist_availability
      where therapist_id = ${clinic.rosa.id} and effective_from = '2027-03-01'`;
    expect(left).toEqual([{ rows: 3, versions: 1 }]);
  });
});
