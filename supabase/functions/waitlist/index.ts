/** POST waitlist: puts a client on the waitlist, takes it off, or answers what the waitlist offers. */
import { waitlistRequestSchema } from "../../../src/lib/waitlist.ts";
import { serve } from "../_shared/serve.ts";

const RPCS = { join: "join_waitlist", leave: "leave_waitlist", answer: "answer_offer" } as const;

export default {
  fetch: serve({
    name: "waitlist",
    request: waitlistRequestSchema,
    rpc: ({ action }) => RPCS[action],
    status: 200,
    toRpc: ({ action: _, ...ask }) => ({ ask }),
  }),
};
