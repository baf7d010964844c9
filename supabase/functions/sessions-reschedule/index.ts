/** POST sessions-reschedule: moves a session, swaps two, or gives a therapist's sessions to a substitute. */
import { rescheduleRequestSchema } from "../../../src/lib/reschedule.ts";
import { serve } from "../_shared/serve.ts";

const RPCS = { move: "move_session", swap: "swap_sessions", substitute: "substitute_therapist" } as const;

export default {
  fetch: serve({
    name: "sessions-reschedule",
    request: rescheduleRequestSchema,
    rpc: ({ action }) => RPCS[action],
    status: 200,
    toRpc: ({ action: _, ...ask }) => ({ ask }),
  }),
};
