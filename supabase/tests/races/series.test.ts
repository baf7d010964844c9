// Two people edit one series at once, and what else meets an edit: nothing is lost, and nobody meets a deadlock.

import { beforeEach, describe, expect, it } from "vitest";
import { call } from "../support/calls.ts";
import { type Clinic, createClinic, createUser, type User } from "../support/clinic.ts";
import { bookSeries, editBody, localTime, readSeries, readSessions, wall } from "../support/series.ts";
import { expectLedgerIsSound } from "../support/stack.ts";

let clinic: Clinic;
let schedulers: [User, User];
beforeEach(async () => {
  clinic = await createClinic();
  schedulers = [await createUser("internal_ops", clinic.id), await createUser("internal_ops", clinic.id)];
  await Promise.all(schedulers.map((user) => user.token()));
});

async function ask(name: "sessions-series" | "sessions-cancel" | "sessions-hold", user: User, body: object) {
  const response = await call(name, user, body);
  const { code, version, data } = (await response.json()) as {
    code?: string;
    version?: number;
    data?: Record<string, unknown>;
  };
  return { outcome: code ?? String(response.status), version, data };
}

describe("races of a series", () => {
  it("two schedulers edit the same version at once: one wins, the other is told the version that is now", async () => {
    for (let round = 0; round < 8; round++) {
      const local = localTime(40 + round * 30, "09:00");
      const { series_id } = await bookSeries(clinic, local, "FREQ=DAILY;COUNT=6");
      const body = (clock: string) => ({
        ...wall(localTime(40 + round * 30, clock)),
        recurrence: { rule: "FREQ=DAILY;COUNT=6" },
      });
      // With the same version, both read before either writes.
      const [one, other] = await Promise.all([
        editBody(series_id, body("11:00")),
        editBody(series_id, body("14:00")),
      ]);
      const answers = await Promise.all([
        ask("sessions-series", schedulers[0], one),
        ask("sessions-series", schedulers[1], other),
      ]);
      expect(answers.map(({ outcome }) => outcome).sort()).toEqual(["200", "stale_version"]);
      const [series] = (await readSeries(clinic)).filter(({ id }) => id === series_id);
      expect(answers.find(({ outcome }) => outcome === "stale_version")?.version).toBe(series?.version);

      const winner = answers[0].outcome === "200" ? one : other;
      const starts = (await readSessions(clinic))
        .filter((session) => session.series_id === series_id)
        .map(({ start }) => start);
      expect(starts).toHaveLength(6);
      expect(starts[0]).toBe((winner as unknown as { start_time: string }).start_time);
    }
    await expectLedgerIsSound();
  });

  it("sixteen edits of sixteen series for the same hours: one gets them", async () => {
    const series: string[] = [];
    for (let index = 0; index < 16; index++) {
      const { series_id } = await bookSeries(
        clinic,
        localTime(40 + index * 4, "06:00"),
        "FREQ=DAILY;COUNT=3",
      );
      series.push(series_id);
    }
    const when = { ...wall(localTime(150, "12:00")), recurrence: { rule: "FREQ=DAILY;COUNT=3" } };
    const bodies = await Promise.all(series.map((id) => editBody(id, when)));
    const answers = await Promise.all(
      bodies.map((body, index) => ask("sessions-series", schedulers[index % 2] as User, body)),
    );
    expect(answers.filter(({ outcome }) => outcome === "200")).toHaveLength(1);
    expect(answers.filter(({ outcome }) => outcome === "therapist_conflict")).toHaveLength(15);
    await expectLedgerIsSound();
  });

  it("an edit against a cancellation and a hold: each takes effect whole, or is refused", async () => {
    for (let round = 0; round < 8; round++) {
      const day = 40 + round * 10;
      const { series_id, sessions } = await bookSeries(clinic, localTime(day, "09:00"), "FREQ=DAILY;COUNT=4");
      const victim = String(sessions[1]?.id);
      const later = wall(localTime(day + 1, "15:00"));
      const body = await editBody(series_id, {
        ...wall(localTime(day, "15:00")),
        recurrence: { rule: "FREQ=DAILY;COUNT=4" },
      });
      const [edited, cancelled, held] = await Promise.all([
        ask("sessions-series", schedulers[0], body),
        ask("sessions-cancel", schedulers[1], { session_ids: [victim], cancelled_by: "client" }),
        ask("sessions-hold", clinic.rosa.user, {
          therapist_id: clinic.rosa.id,
          client_id: clinic.birch,
          service_code: "97153",
          time_zone: body.time_zone,
          ...later,
        }),
      ]);
      expect(cancelled.outcome).toBe("200");
      const outcome = `${edited.outcome} and ${held.outcome}`;
      // Both get their time only if what was moved into the hold's was cancelled in between. The cancellation changes the
      // series, so an edit that comes after it is one of what is no more.
      expect([
        "200 and therapist_conflict",
        "200 and 201",
        "therapist_conflict and 201",
        "stale_version and 201",
      ]).toContain(outcome);

      const own = (await readSessions(clinic)).filter((session) => session.series_id === series_id);
      expect(own.find(({ id }) => id === victim)?.status).toBe("cancelled");
      const clock = edited.outcome === "200" ? "15:00" : "09:00";
      const places = [0, 1, 2, 3].map((index) => wall(localTime(day + index, clock)).start_time);
      const scheduled = own.filter(({ status }) => status === "scheduled").map(({ start }) => start);
      expect(places, "all have moved, or none").toEqual(expect.arrayContaining(scheduled));
      expect(scheduled.length).toBeGreaterThanOrEqual(3);
    }
    await expectLedgerIsSound();
  });
});
