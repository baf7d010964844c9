/** POST sessions-series: edits, extends or shortens a series from some occurrence on, or says what that would do. */
import { seriesRequestSchema } from "../../../src/lib/series.ts";
import { asTheCallerWrote, withOccurrences } from "../_shared/occurrences.ts";
import { serve } from "../_shared/serve.ts";

export default {
  fetch: serve({
    name: "sessions-series",
    request: seriesRequestSchema,
    rpc: "update_series",
    status: 200,
    toRpc: withOccurrences,
    callerField: asTheCallerWrote,
  }),
};
