/** POST sessions-confirm: turns a hold, or every hold of a batch, into sessions. */
import { confirmRequestSchema } from "../../../src/lib/contracts.ts";
import { serve } from "../_shared/serve.ts";

export default {
  fetch: serve({
    name: "sessions-confirm",
    request: confirmRequestSchema,
    rpc: "confirm_sessions",
    status: 200,
  }),
};
