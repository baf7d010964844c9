// A sweep of expired holds beside callers who end, confirm or need the same holds.

import { beforeEach, describe, expect, it, vi } from "vitest";
import { authorize, expectUnitsAreSound } from "../support/authorizations.ts";
import { hold, letExpire, time } from "../support/calls.ts";
import { type Clinic, createClinic } from "../support/clinic.ts";
import { withDatabaseClients } from "../support/concurrency.ts";
import { expectLedgerIsSound, sql } from "../support/stack.ts";

let clinic: Clinic;
beforeEach(async () => {
  clinic = await createClinic();
});

describe("a sweep", () => {
  it("waits for nobody: a hold that somebody ends or confirms is passed over", async () => {
    const { hold_key } = await hold(clinic, time(30, 16));
    await letExpire(hold_key);
    await withDatabaseClients(1, (confirming) =>
      confirming.begin(async (transaction) => {
        await transaction`select from public.session_holds where batch_key = ${hold_key} for update`;
        await sql.begin(async (sweeping) => {
          await sweeping`set local lock_timeout = '20s'`;
          await sweeping`select app.sweep_expired_holds()`;
        });
        expect(await sql`select status from public.session_holds where batch_key = ${hold_key}`).toEqual([
          { status: "held" },
        ]);
      }),
    );
    await expectLedgerIsSound();
  });

  it("gives way to who waits for it while it waits for them", async () => {
    const authorization = await authorize(clinic, clinic.aspen, { units: 8 });
    const { hold_key } = await hold(clinic, time(30, 16));
    await withDatabaseClients(1, (client) =>
      client.begin(async (caller) => {
        const [me] = await caller`
          select pg_backend_pid() as pid from public.authorizations where id = ${authorization} for update`;
        const sweep = sql.begin(async (sweeping) => {
          // Expired in this transaction only, so that no other test's sweep takes it.
          await sweeping`update public.session_holds set expires_at = now() where batch_key = ${hold_key}`;
          return sweeping`select app.sweep_expired_holds() as ended`;
        });
        const waitsForMe = () =>
          sql`select from pg_stat_activity where ${me?.pid} = any (pg_blocking_pids(pid))`;
        await vi.waitUntil(async () => (await waitsForMe()).length > 0, { timeout: 30_000, interval: 20 });
        // Whichever of the two Postgres picks to break the circle, the sweep ends well.
        const waiting = caller
          .savepoint(
            (point) => point`select from public.session_holds where batch_key = ${hold_key} for update`,
          )
          .catch((error: { code: string }) => expect(error.code).toBe("40P01"));
        expect(await sweep).toEqual([{ ended: expect.any(Number) }]);
        await waiting;
      }),
    );
    await expectUnitsAreSound();
    await expectLedgerIsSound();
  });
});
