import type { SupabaseClient } from "@supabase/supabase-js";
import { describe, expect, it } from "vitest";
import { subscribeToChanges } from "./change-feed.ts";

const ID = "5f0c6f0e-6f7a-4f0e-9a53-1d8f6a0b7c11";
const CHANGE = {
  object: "sessions",
  ids: [ID],
  start_time: "2027-03-14T09:30:00Z",
  end_time: "2027-03-14T10:30:00Z",
};

/** A stand-in of supabase-js with one channel, and what that is told. */
function standIn() {
  let say = (_status: string) => {};
  let broadcast = (_message: { event: string; payload: object }) => {};
  const channel = {
    on: (kind: string, _filter: object, hear: typeof broadcast) => {
      if (kind === "broadcast") broadcast = hear;
      return channel;
    },
    subscribe: (hear: typeof say) => {
      say = hear;
      return channel;
    },
  };
  const supabase = { realtime: { setAuth: async () => {} }, channel: () => channel };
  return {
    supabase: supabase as unknown as SupabaseClient,
    join: () => say("SUBSCRIBED"),
    send: () => broadcast({ event: "session.moved", payload: CHANGE }),
  };
}

describe("a listener that throws", () => {
  it("keeps no other from hearing", async () => {
    const { supabase, join, send } = standIn();
    const broken = () => {
      throw new Error("a component's own");
    };
    const heard: string[] = [];
    subscribeToChanges(supabase, { therapistId: ID }, broken, { onStatus: broken });
    subscribeToChanges(supabase, { therapistId: ID }, ({ type }) => heard.push(type), {
      onStatus: (status) => heard.push(status),
    });
    await new Promise(setImmediate);
    expect(join).toThrow("a component's own");
    expect(send).toThrow("a component's own");
    expect(join).toThrow("a component's own");
    expect(heard).toEqual(["live", "session.moved", "resync"]);
  });
});
