// A session whose move is held is moved directly at the same moment: one of the two counts, never both.

import { describe, expect, it } from "vitest";
import { confirm, hold, time } from "../support/calls.ts";
import { createClinic } from "../support/clinic.ts";
import { createSchedulers, rpc, withDatabaseClients } from "../support/concurrency.ts";
import { expectLedgerIsSound, sql } from "../support/stack.ts";

describe("a move that is confirmed while the session is moved directly", () => {
  it("is refused, or comes first: the session moves once", async () => {
    const clinic = await createClinic();
    const [holder, mover] = await createSchedulers(clinic.id, 2);
    if (!holder || !mover) throw new Error("two schedulers are needed");
    const seen = new Set<string>();
    for (let round = 0; round < 8; round++) {
      const booked = await hold(clinic, time(30 + round, 16), {}, holder);
      const { session } = await confirm(holder, booked.hold_key);
      const held = await hold(clinic, time(30 + round, 18), { session_id: session.id }, holder);
      const direct = {
        session_id: session.id,
        version: 1,
        ...time(30 + round, 20),
        time_zone: session.time_zone,
      };
      const outcome = await withDatabaseClients(2, async (client, index) => {
        const { problem } =
          index === 0
            ? await rpc(client, holder, "confirm_sessions", { hold_key: held.hold_key })
            : await rpc(client, mover, "move_session", direct);
        return problem?.code ?? "moved";
      });
      seen.add(outcome.join(" "));
      const [row] = await sql`select version from public.sessions where id = ${session.id}`;
      expect([outcome.filter((it) => it === "moved").length, row?.version]).toEqual([1, 2]);
    }
    for (const outcome of seen) expect(["moved stale_version", "hold_expired moved"]).toContain(outcome);
    await expectLedgerIsSound();
  });
});
