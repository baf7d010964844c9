/** POST availability: sets a therapist's weekly hours, enters time off, extra hours or a holiday, or takes one back. */
import { availabilityRequestSchema } from "../../../src/lib/availability.ts";
import { serve } from "../_shared/serve.ts";

const RPCS = {
  set_hours: "set_availability",
  add_exception: "add_exception",
  cancel_exception: "cancel_exception",
} as const;

export default {
  fetch: serve({
    name: "availability",
    request: availabilityRequestSchema,
    rpc: ({ action }) => RPCS[action],
    status: 200,
    toRpc: ({ action: _, ...ask }) => ({ ask }),
  }),
};
