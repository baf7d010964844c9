/** POST sessions-availability: finds the times at which a client can be booked, for up to 50 therapists and 31 days. */
import { openTimesRequestSchema } from "../../../src/lib/open-times.ts";
import { serve } from "../_shared/serve.ts";

export default {
  fetch: serve({
    name: "sessions-availability",
    request: openTimesRequestSchema,
    rpc: "find_open_times",
    status: 200,
  }),
};
