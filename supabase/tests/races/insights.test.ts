// Two senders at once: a day is one's alone, also where the other looked before it was taken.

import postgres from "postgres";
import { expect, it } from "vitest";
import { createClinic } from "../support/clinic.ts";
import { sql, stack } from "../support/stack.ts";

interface Claim {
  lease_id?: string;
  message: { day: string } | null;
}

/** What a second sender is given, who saw a day that is due, and then waited while the first one did its work. */
async function secondClaim(howTheFirstGoesOn: "sends it" | "is still at it"): Promise<Claim> {
  const { id } = await createClinic();
  await sql`
    insert into app.insights (organization_id, next_day)
    values (${id}, app.last_insights_day(${id}))`;
  const second = postgres(stack.databaseUrl, { max: 1, onnotice: () => {} });
  try {
    const [{ pid }] = await second<[{ pid: number }]>`select pg_backend_pid() as pid`;
    let answer: Promise<[{ claim: Claim }]> | undefined;
    let isOver = false;
    await sql.begin(async (first) => {
      // Who asks what is due reads the clinics' time zones: with the eyes that it had before it waits here.
      await first`lock table public.organizations in access exclusive mode`;
      answer = claimWith(second, id).finally(() => {
        isOver = true;
      });
      const isWaiting = () => sql`select from pg_locks where pid = ${pid} and not granted`;
      while (!isOver && (await isWaiting()).length === 0);
      expect(isOver).toBe(false);
      const [{ claim }] = await claimWith(first, id);
      expect(claim.message).not.toBeNull();
      if (howTheFirstGoesOn === "sends it") {
        await first`
          select app.record_insights(jsonb_build_object('lease_id', ${claim.lease_id ?? ""}::text, 'status_code', 204))`;
      }
    });
    if (!answer) throw new Error("the second sender did not ask");
    return (await answer)[0].claim;
  } finally {
    await second.end();
  }
}

/** Begins at once, as a query does that somebody waits for. */
const claimWith = (client: postgres.ISql, organization: string) =>
  client<[{ claim: Claim }]>`
    select app.claim_insights(jsonb_build_object('organization_id', ${organization}::text)) as claim`.execute();

it("a day that the first sender is still sending is not given to the second", async () => {
  expect(await secondClaim("is still at it")).toEqual({ message: null });
});

it("nor is the next day, which is not over, when the first has sent it meanwhile", async () => {
  expect(await secondClaim("sends it")).toEqual({ message: null });
});
