/** POST sessions-hold: holds one or more stretches of a therapist's and a client's time. */
import { holdRequestSchema, toHoldRpc } from "../../../src/lib/contracts.ts";
import { serve } from "../_shared/serve.ts";

export default {
  fetch: serve({
    name: "sessions-hold",
    request: holdRequestSchema,
    rpc: "hold_sessions",
    status: 201,
    toRpc: toHoldRpc,
    // A single time is passed on as a list of one, which the caller never wrote.
    callerField: (field, request) => (request.occurrences ? field : field.replace(/^occurrences\[0\]\./, "")),
  }),
};
