/** POST sessions-preview: lists what a hold would take and what stands in its way, and writes nothing. */
import { previewRequestSchema } from "../../../src/lib/contracts.ts";
import { asTheCallerWrote, withOccurrences } from "../_shared/occurrences.ts";
import { serve } from "../_shared/serve.ts";

export default {
  fetch: serve({
    name: "sessions-preview",
    request: previewRequestSchema,
    rpc: "preview_sessions",
    status: 200,
    toRpc: withOccurrences,
    callerField: asTheCallerWrote,
  }),
};
