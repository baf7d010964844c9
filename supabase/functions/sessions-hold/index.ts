/** POST sessions-hold: holds one or more stretches of a therapist's and a client's time. */
import { holdRequestSchema } from "../../../src/lib/contracts.ts";
import { asTheCallerWrote, withOccurrences } from "../_shared/occurrences.ts";
import { serve } from "../_shared/serve.ts";

export default {
  fetch: serve({
    name: "sessions-hold",
    request: holdRequestSchema,
    rpc: "hold_sessions",
    status: 201,
    toRpc: withOccurrences,
    callerField: asTheCallerWrote,
  }),
};
