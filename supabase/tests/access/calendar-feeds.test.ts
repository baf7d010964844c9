// A feed tells what its owner reads at that moment, in random clinics: the function that answers calendar apps (app.feed_counts)
// says the same as the policies and the operation that makes feeds, which cannot be asked about somebody who is not there.

import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { sql } from "../support/stack.ts";
import { build, recipes } from "./random-worlds.ts";
import { writeWorld } from "./write-world.ts";

const RUNS = 8;

describe("a calendar feed", () => {
  it("has the sessions that its owner reads, and none when they could not make it now", async () => {
    // Whether some feed told something, and some nothing where there was something to tell.
    const exercised = { therapist: new Set<boolean>(), client: new Set<boolean>() };
    const runs = fc.asyncProperty(recipes, async (recipe) => {
      const connection = await sql.reserve();
      try {
        await connection`begin`;
        const [clock] = await connection<{ now: Date }[]>`select now()`;
        const world = build(recipe, clock?.now ?? new Date());
        await writeWorld(connection, world, recipe);
        const owned = [
          ...world.therapists.map(({ id, organization, user }) => ({
            organization,
            user,
            therapist: id,
            client: null,
          })),
          ...world.client_guardians.map(({ organization, user, client }) => ({
            organization,
            user,
            therapist: null,
            client,
          })),
        ].filter(({ user }) => user !== null);
        for (const feed of owned) {
          for (const aal of ["aal1", "aal2"]) {
            const hash = Buffer.from(crypto.getRandomValues(new Uint8Array(32)));
            await connection`savepoint before`;
            await connection`
              insert into app.calendar_feeds (
                organization_id, user_id, therapist_id, client_id, second_factor, token_hash, expires_at)
              values (
                ${feed.organization}, ${feed.user}, ${feed.therapist}, ${feed.client}, ${aal === "aal2"}, ${hash},
                now() + interval '1 day')`;
            const claims = { sub: feed.user, session_id: feed.user, role: "authenticated", aal };
            await connection`select set_config('request.jwt.claims', ${JSON.stringify(claims)}, true)`;
            await connection`set local role authenticated`;
            const read = feed.therapist
              ? await connection`
                  select id from public.sessions
                  where therapist_id = ${feed.therapist}
                    and start_time >= now() - interval '30 days' and start_time < now() + interval '180 days'`
              : await connection`
                  select session_id as id from public.family_sessions
                  where client_id = ${feed.client}
                    and start_time >= now() - interval '30 days' and start_time < now() + interval '180 days'`;
            const wanted = feed.therapist
              ? { organization_id: feed.organization }
              : { client_id: feed.client };
            const [made] = await connection<{ answer: Answer }[]>`
              select public.create_calendar_feed(${connection.json(wanted)}) as answer`;
            await connection`reset role`;
            await connection`select set_config('request.jwt.claims', '', true)`;
            // Who reads them for another reason, as an admin or a reviewer, has no feed of them.
            const expected = made?.answer.data ? read.map(({ id }) => id).sort() : [];
            const [row] = await connection<{ answer: Answer }[]>`
              select app.read_calendar(${connection.json({ token_hash: hash.toString("hex") })}) as answer`;
            await connection`rollback to savepoint before`;
            const told = (row?.answer.data?.events ?? []).map(({ id }) => id).sort();
            expect(told, JSON.stringify({ feed, aal, made })).toEqual(expected);
            const there = world.sessions.some(
              ({ therapist, client }) => therapist === feed.therapist || client === feed.client,
            );
            if (there) exercised[feed.therapist ? "therapist" : "client"].add(told.length > 0);
          }
        }
      } finally {
        await connection`rollback`;
        connection.release();
      }
    });
    await fc.assert(runs, { numRuns: RUNS, endOnFailure: true });
    for (const [whose, outcomes] of Object.entries(exercised)) {
      expect([...outcomes].sort(), whose).toEqual([false, true]);
    }
  }, 60_000);
});

interface Answer {
  data?: { events?: { id: string }[] };
}
