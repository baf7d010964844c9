// What happens when more is asked than can be done: refused in time, with when to come back, and as before once it is over.

import { randomUUID } from "node:crypto";
import { afterAll, beforeAll, describe, expect, it, vi } from "vitest";
import { type FunctionsHost, startFunctions } from "../../../scripts/stack/index.ts";
import { call, countRows, expectData, expectProblem, holdBody, time } from "../support/calls.ts";
import { type Clinic, createClinic, type User } from "../support/clinic.ts";
import { createSchedulers } from "../support/concurrency.ts";
import { expectLedgerIsSound, sql, stack } from "../support/stack.ts";

let clinic: Clinic;
beforeAll(async () => {
  clinic = await createClinic();
});

describe("the limit of an organization", () => {
  const limitTo = (at: Clinic, total: number) =>
    sql`update public.organizations set total_calls_per_minute = ${total} where id = ${at.id}`;
  const refusals = (at: Clinic) => sql<{ code: string; reason: string; actor_id: string; minute: Date }[]>`
    select code, details ->> 'reason' as reason, actor_id, date_trunc('minute', occurred_at) as minute
    from audit.events
    where organization_id = ${at.id} and decision = 'deny'`;
  let hour = 0;
  const hold = (at: Clinic, user: User, headers: Record<string, string> = {}) =>
    call("sessions-hold", user, holdBody(at, time(40 + hour++, 16)), headers);

  it("is shared by its users, not by other clinics; a repeated success does not count", async () => {
    const [at, elsewhere] = [await createClinic(), await createClinic()];
    await limitTo(at, 1);
    const [rosa, scheduler] = [at.rosa.user, at.scheduler];
    const body = holdBody(at, time(30, 16));
    const key = { "idempotency-key": randomUUID() };
    await expectData(await call("sessions-hold", rosa, body, key), 201);

    // At most one minute begins among three calls, so two of them are of one.
    const answers = [await hold(at, scheduler), await hold(at, rosa), await hold(at, scheduler)];
    const refused = answers.filter(({ status }) => status === 429);
    expect(refused.length).toBeGreaterThanOrEqual(2);
    for (const response of refused) {
      expect(Number(response.headers.get("retry-after"))).toBeGreaterThan(0);
      const problem = await expectProblem(response, "rate_limited");
      expect(problem.reason).toBe("organization_limit");
      expect(problem.retry_after).toBeLessThanOrEqual(60);
    }
    const again = await call("sessions-hold", rosa, body, key);
    expect([again.status, again.headers.get("idempotency-replayed")]).toEqual([201, "true"]);
    await expectData(await hold(elsewhere, elsewhere.rosa.user), 201);
  });

  it("is on record once a minute for each who met it", async () => {
    const at = await createClinic();
    await limitTo(at, 1);
    for (let count = 0; count < 6; count++) await hold(at, count % 2 ? at.scheduler : at.rosa.user);
    const recorded = await refusals(at);
    expect(recorded.length).toBeGreaterThan(0);
    expect(new Set(recorded.map(({ code, reason }) => `${code} ${reason}`))).toEqual(
      new Set(["rate_limited organization_limit"]),
    );
    const once = new Set(recorded.map(({ actor_id, minute }) => `${actor_id} ${minute.toISOString()}`));
    expect(once.size).toBe(recorded.length);
  });

  it("is not used up by strangers who name its ids, nor by what a user is refused for their own limit", async () => {
    const [at, elsewhere] = [await createClinic(), await createClinic()];
    await limitTo(at, 2);
    await sql`update public.organizations set calls_per_minute = 1 where id = ${at.id}`;
    for (let count = 0; count < 4; count++) {
      const stranger = await hold(at, elsewhere.rosa.user);
      await (stranger.status === 404
        ? expectProblem(stranger, "not_found")
        : expectProblem(stranger, "rate_limited"));
    }
    const own = [];
    for (let count = 0; count < 4; count++) own.push(await hold(at, at.rosa.user));
    const reasons = await Promise.all(
      own
        .filter(({ status }) => status === 429)
        .map(async (response) => (await expectProblem(response, "rate_limited")).reason),
    );
    expect(reasons.length).toBeGreaterThanOrEqual(2);
    expect(new Set(reasons)).toEqual(new Set(["own_limit"]));
    await expectData(await hold(at, at.scheduler), 201);
  });
});

describe.runIf(stack.functionsEnv)("a function with as many requests in flight as it takes", () => {
  const IN_FLIGHT = 4;
  let host: FunctionsHost;
  const lines: string[] = [];
  let schedulers: User[];
  beforeAll(async () => {
    schedulers = await createSchedulers(clinic.id, IN_FLIGHT + 1);
    host = await startFunctions(
      { ...stack.functionsEnv, HOLDFAST_MAX_IN_FLIGHT: String(IN_FLIGHT) },
      (line) => void lines.push(line),
    );
  });
  afterAll(() => host.stop());

  let day = 100;
  const asked = () => ({ body: holdBody(clinic, time(day++, 16)), key: randomUUID() });
  const ask = async (user: User, { body, key }: ReturnType<typeof asked>) =>
    fetch(`${host.url}/sessions-hold`, {
      method: "POST",
      headers: {
        authorization: `Bearer ${await user.token()}`,
        "content-type": "application/json",
        "idempotency-key": key,
      },
      body: JSON.stringify(body),
    });
  const causes = () => lines.flatMap((line) => line.match(/"cause":"(\w+)"/)?.[1] ?? []);

  /** Holds the time of Rosa and Aspen while requests for it pile up, one of each scheduler but the last. */
  async function pileUp(
    meanwhile: (
      waiting: Promise<Response>[],
      last: User,
      requests: ReturnType<typeof asked>[],
    ) => Promise<void>,
  ) {
    const last = schedulers[IN_FLIGHT] as User;
    const requests = schedulers.slice(0, IN_FLIGHT).map(asked);
    const waiting = await sql.begin(async (transaction) => {
      // Both: whichever is locked first, all wait for this and not for each other.
      const [locker] = await transaction`
        select pg_backend_pid() as pid, app.lock_subjects(${[clinic.rosa.id, clinic.aspen]}::uuid[]) as locked`;
      const sent = requests.map((request, index) => ask(schedulers[index] as User, request));
      await vi.waitFor(async () => expect(await waitersFor(locker?.pid)).toBe(IN_FLIGHT), 30_000);
      await meanwhile(sent, last, requests);
      return { sent };
    });
    return { ...waiting, requests, last };
  }

  const waitersFor = async (pid: number): Promise<number> => {
    const [row] = await sql<[{ waiting: number }]>`
      select count(*)::integer as waiting from pg_stat_activity where ${pid} = any (pg_blocking_pids(pid))`;
    return row.waiting;
  };

  it("refuses the next one at once, stays alive, and serves all that wait and the next when the way is free", async () => {
    const before = await countRows(clinic);
    const { sent, last } = await pileUp(async (_, last) => {
      const refused = await ask(last, asked());
      expect(Number(refused.headers.get("retry-after"))).toBeGreaterThan(0);
      await expectProblem(refused, "unavailable");
      expect((await fetch(`${host.url}/sessions-hold`, { method: "OPTIONS" })).status).toBe(204);
      const health = ["/health", "/health/live"].map((path) => fetch(host.url + path));
      expect((await Promise.all(health)).map(({ status }) => status)).toEqual([200, 200]);
      // Full is only this function: another one works.
      const other = await fetch(`${host.url}/sessions-cancel`, { method: "POST" });
      expect(other.status).toBe(401);
    });
    for (const response of await Promise.all(sent)) await expectData(response, 201);
    expect(causes()).toContain("in_flight");
    await expectData(await ask(last, asked()), 201);
    const { holds } = await countRows(clinic);
    expect(Number(holds) - Number(before.holds)).toBe(IN_FLIGHT + 1);
    await expectLedgerIsSound();
  });

  it("gives up what waits too long for a lock, leaves nothing of it, and takes the same requests afterwards", async () => {
    const before = await countRows(clinic);
    const { requests } = await pileUp(async (waiting) => {
      for (const response of await Promise.all(waiting)) {
        expect(Number(response.headers.get("retry-after"))).toBeGreaterThan(0);
        await expectProblem(response, "unavailable");
      }
    });
    expect(causes()).toContain("55P03");
    expect(await countRows(clinic)).toEqual(before);
    for (const [index, request] of requests.entries()) {
      const response = await ask(schedulers[index] as User, request);
      expect(response.headers.get("idempotency-replayed")).toBeNull();
      await expectData(response, 201);
    }
    await expectLedgerIsSound();
  });
});
